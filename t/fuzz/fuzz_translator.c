/*
 * Any bytes as an upstream's answer that is to be translated.  However they are
 * cut, the same bytes come out; those are one valid JSON text, or a stream of the
 * client's form whose events are valid and in order, and which ends in its end or
 * in an error.
 *
 * The first three bytes choose pair and framing, status, cutting.
 */

#include <stdio.h>
#include <stdlib.h>

#include "tg_answer.h"
#include "tg_dialect_int.h"
#include "tg_sse.h"
#include "tg_translate.h"
#include "tg_tree.h"

#define REQUIRE(x)                                                            \
    do {                                                                      \
        if (!(x)) {                                                           \
            fprintf(stderr, "fuzz_translator: %s\n", #x);                     \
            abort();                                                          \
        }                                                                     \
    } while (0)

typedef struct {
    char      *p;
    size_t     len;
    unsigned   status;
    bool       stream;
    bool       refused;
} fuzz_out_t;

/* Of the client's stream, as it is read again. */
typedef struct {
    tg_form_t    form;
    tg_arena_t  *arena;
    char        *data;
    size_t       len;
    size_t       size;
    bool         over;
    bool         started;
    bool         open;          /* a content block is */
    int64_t      blocks;
} fuzz_reader_t;

static const struct {
    tg_form_t  from, to;
} pairs[] = {
    { TG_FORM_ANTHROPIC, TG_FORM_OPENAI_CHAT },
    { TG_FORM_GEMINI, TG_FORM_OPENAI_CHAT },
    { TG_FORM_OPENAI_CHAT, TG_FORM_ANTHROPIC }
};

static const char *const  types[] = {
    "text/event-stream", "application/json", ""
};

static const unsigned  statuses[] = { 200, 200, 200, 400, 429, 529, 302 };


static int
collect(void *data, const char *p, size_t n)
{
    fuzz_out_t  *o = data;

    REQUIRE(n != 0);
    o->p = realloc(o->p, o->len + n);
    REQUIRE(o->p != NULL);
    memcpy(o->p + o->len, p, n);
    o->len += n;

    return 0;
}


static void
run(const tg_translator_ask_t *ask, const char *p, size_t len, size_t step,
    fuzz_out_t *o)
{
    tg_arena_t       *arena = tg_arena_create(0);
    tg_translator_t  *t = tg_translator_create(tg_arena_mem(arena), ask);
    size_t            n;
    char             *copy;

    memset(o, 0, sizeof(*o));
    REQUIRE(t != NULL);

    for (size_t i = 0; i < len; i += n) {
        n = len - i < step ? len - i : step;
        copy = malloc(n);
        REQUIRE(copy != NULL);
        memcpy(copy, p + i, n);
        REQUIRE(tg_translator_feed(t, copy, n, collect, o) == TG_OK);
        free(copy);
    }

    REQUIRE(tg_translator_end(t, collect, o) == TG_OK);

    o->status = tg_translator_status(t);
    o->stream = !tg_translator_whole(t);
    o->refused = tg_translator_error(t) != NULL;
    tg_arena_destroy(arena);
}


/* Blocks come one after the other, numbered, and nothing is said outside. */
static void
check_anthropic(fuzz_reader_t *r, const tg_node_t *root)
{
    const tg_node_t  *type = tg_node_get(root, tg_str("type"));
    int64_t           index = -1;

    (void) tg_node_int(tg_node_get(root, tg_str("index")), &index);

    if (tg_node_is(type, tg_str("message_start"))) {
        REQUIRE(!r->started);
        r->started = true;

    } else if (tg_node_is(type, tg_str("content_block_start"))) {
        REQUIRE(r->started && !r->open && index == r->blocks);
        r->open = true;

    } else if (tg_node_is(type, tg_str("content_block_delta"))) {
        REQUIRE(r->open && index == r->blocks);

    } else if (tg_node_is(type, tg_str("content_block_stop"))) {
        REQUIRE(r->open && index == r->blocks);
        r->open = false;
        r->blocks++;

    } else if (tg_node_is(type, tg_str("message_delta"))) {
        REQUIRE(r->started && !r->open);

    } else if (tg_node_is(type, tg_str("ping"))) {
        REQUIRE(r->started);

    } else {
        REQUIRE(tg_node_is(type, tg_str("error"))
                || (tg_node_is(type, tg_str("message_stop")) && r->started));
        r->over = true;
    }
}


static void
check_openai(fuzz_reader_t *r, const tg_node_t *root)
{
    if (tg_node_get(root, tg_str("error")) != NULL) {
        r->over = true;
        return;
    }

    REQUIRE(tg_node_get(root, tg_str("choices")) != NULL);
    REQUIRE(tg_node_is(tg_node_get(root, tg_str("object")),
                       tg_str("chat.completion.chunk")));
}


static int
on_sse(void *data, const tg_sse_t *s, tg_sse_type_t type, const char *p,
    size_t n)
{
    fuzz_reader_t    *r = data;
    const tg_node_t  *root;
    tg_str_t          text;

    if (type == TG_SSE_DATA) {
        REQUIRE(!r->over && n <= r->size - r->len);
        memcpy(r->data + r->len, p, n);
        r->len += n;
        return 0;
    }

    text = tg_str_of(r->data, r->len);
    r->len = 0;

    if (!s->has_data) {
        return 0;
    }

    if (tg_str_eq(text, tg_str("[DONE]"))) {
        REQUIRE(r->form == TG_FORM_OPENAI_CHAT);
        r->over = true;
        return 0;
    }

    root = tg_tree_parse(tg_arena_mem(r->arena), text, NULL);
    REQUIRE(root != NULL);

    if (r->form == TG_FORM_ANTHROPIC) {
        REQUIRE(tg_node_is(tg_node_get(root, tg_str("type")),
                           tg_str_of(s->name, s->name_len)));
        check_anthropic(r, root);

    } else {
        check_openai(r, root);
    }

    return 0;
}


static void
check_form(tg_form_t form, const fuzz_out_t *o)
{
    tg_arena_t        *arena = tg_arena_create(0);
    fuzz_reader_t      r = { .form = form, .arena = arena };
    tg_sse_t           s;
    const tg_node_t   *root;
    tg_error_t         err;

    if (!o->stream) {
        root = tg_tree_parse(tg_arena_mem(arena), tg_str_of(o->p, o->len),
                             &err);
        REQUIRE(root != NULL);
        REQUIRE(o->refused == (tg_node_get(root, tg_str("error")) != NULL));
        REQUIRE(o->refused == (o->status >= 400));

    } else {
        REQUIRE(o->status == 200);
        r.size = o->len;
        r.data = malloc(o->len + 1);
        tg_sse_init(&s, on_sse, &r);
        REQUIRE(tg_sse_feed(&s, o->p, o->len) == TG_OK);
        REQUIRE(r.len == 0 && r.over);
        free(r.data);
    }

    tg_arena_destroy(arena);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tg_arena_t    *tables;

    tg_translator_ask_t   ask = { 0 };
    fuzz_out_t            whole, parts;
    const char           *p = (const char *) data + 3;
    tg_error_t            err;

    if (tables == NULL) {
        tables = tg_arena_create(0);
        REQUIRE(tg_dialect_setup(tg_arena_mem(tables), &err) == TG_OK);
    }

    if (size < 3) {
        return 0;
    }

    size -= 3;
    ask.from = pairs[data[0] % 3].from;
    ask.to = pairs[data[0] % 3].to;
    ask.content_type = tg_strz(types[data[0] / 3 % 3]);
    ask.stream = data[0] & 0x40;
    ask.include_usage = data[0] & 0x80;
    ask.status = statuses[data[1] % 7];
    ask.model = tg_str("a \"model\"\n");
    ask.id = tg_str("0190d3a4-7c1e-7bbb-8ccc-0123456789ab");

    run(&ask, p, size, size + 1, &whole);
    run(&ask, p, size, data[2] % 32 + 1, &parts);

    REQUIRE(whole.len == parts.len && whole.status == parts.status);
    REQUIRE(memcmp(whole.p, parts.p, whole.len) == 0);
    check_form(ask.to, &whole);

    free(whole.p);
    free(parts.p);

    return 0;
}
