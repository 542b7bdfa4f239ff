/* A prompt's text, and the way back to the body: what is overwritten by what
 * was found is found no more, the body stays JSON, and nothing else has
 * changed. */

#include "tg_json_step.h"
#include "tg_prompt.h"

#include <stdlib.h>

#define ARENA_MAX  (64 * 1024 * 1024)

typedef struct {
    char    *body;
    size_t   last;
    size_t   bytes;
} cut_t;


static void
found(void *data, const tg_piece_t *piece, size_t start, size_t end)
{
    cut_t  *cut = data;

    if (start < piece->start || end > piece->end || start > end) {
        abort();
    }

    start = start < cut->last ? cut->last : start;

    if (start < end) {
        memset(cut->body + start, piece->kind == TG_PIECE_NUMBER ? '1' : '*',
               end - start);
        cut->last = end;
        cut->bytes += end - start;
    }
}


/* As long as what it was made of, and as many of them. */
static void
same_shape(const tg_prompt_t *a, const tg_prompt_t *b)
{
    if (a->npieces != b->npieces || a->tokens != b->tokens) {
        abort();
    }

    for (size_t i = 0; i < a->npieces; i++) {
        if (a->pieces[i].start != b->pieces[i].start
            || a->pieces[i].end != b->pieces[i].end
            || a->pieces[i].kind != b->pieces[i].kind)
        {
            abort();
        }
    }
}


/* Keys may be overwritten, too: so names are told no more. */
static bool
names(tg_str_t body)
{
    tg_step_t  s;

    for (tg_step_init(&s, body.p, body.len); tg_step(&s); ) {
        if (s.type == TG_STEP_KEY
            && (tg_step_is(s.text, "input") || tg_step_is(s.text, "args")
                || tg_step_is(s.text, "response")
                || tg_step_is(s.text, "arguments")
                || tg_step_is(s.text, "json") || tg_step_is(s.text, "action")
                || tg_step_is(s.text, "operation")))
        {
            return true;
        }
    }

    return false;
}


static void
check(tg_mem_t *mem, tg_str_t body, unsigned from, unsigned step)
{
    char         *copy;
    cut_t         cut = { NULL, 0, 0 };
    tg_error_t    err;
    tg_place_t    place;
    tg_prompt_t   prompt, again;

    if (tg_prompt_read(&prompt, mem, body, NULL, 0, &err) != TG_OK) {
        return;
    }

    copy = tg_dupz(mem, body);
    if (copy == NULL) {
        return;
    }

    cut.body = copy;
    memset(&place, 0, sizeof(place));

    for (size_t at = from; at < prompt.text.len; at += 2 * step) {
        tg_prompt_locate(&prompt, body, &place, at,
                         at + step < prompt.text.len ? at + step
                         : prompt.text.len, found, &cut);
    }

    if (tg_prompt_read(&again, mem, tg_str_of(copy, body.len), NULL, 0, &err)
        != TG_OK)
    {
        abort();
    }

    if (!names(body)) {
        same_shape(&prompt, &again);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    tg_arena_t  *arena;

    if (n < 2) {
        return 0;
    }

    arena = tg_arena_create(ARENA_MAX);
    if (arena == NULL) {
        return 0;
    }

    check(tg_arena_mem(arena), tg_str_of((const char *) data + 2, n - 2),
          data[0], 1u + data[1] % 32);

    /* Anything at all is stepped through without going astray. */

    tg_step_t  s;
    size_t     steps = 0;

    for (tg_step_init(&s, (const char *) data, n); tg_step(&s); steps++) {
        if (s.p > s.end || steps > n) {
            abort();
        }
    }

    tg_arena_destroy(arena);

    return 0;
}
