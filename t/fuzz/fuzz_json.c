/*
 * fuzz_json.c - the scanner against jansson, and against itself.
 *
 * The first byte chooses flags and a cut; the rest is the text.  What must hold
 * for any text: the cut changes nothing; every means of skipping strings finds
 * the same; jansson agrees on what is JSON, but for the points named in
 * t/unit/json_vectors.h; a reported member can be taken out.
 */

#include "tg_json.h"
#include "tg_json_string.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG_SIZE  (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    char      p[LOG_SIZE];
    size_t    len;
    bool      text;
    uint64_t  member[4];        /* of the last range: comma, key, end, next */
} log_t;

static const tg_json_want_t  wants[] = {
    { "", 1, 0 },
    { "a", 2, TG_JSON_MEMBER },
    { "a.b", 3, 0 },
    { "a[]", 4, TG_JSON_TEXT },
    { "b", 5, TG_JSON_RAW | TG_JSON_MEMBER },
    { "b.a", 6, TG_JSON_MEMBER },
    { "c", 7, TG_JSON_COUNT },
    { "c[][].a", 8, 0 },
    { "d", 9, TG_JSON_TEXT },
    { "\xc3\xa9", 10, 0 },
    { "[].a", 11, TG_JSON_MEMBER },
    { "[][]", 12, TG_JSON_TEXT | TG_JSON_MEMBER }
};

static log_t                   whole, cut;
static const tg_json_paths_t  *paths;
static tg_arena_t             *arena;       /* theirs */


static void
log_add(log_t *l, const void *p, size_t len)
{
    if (len > LOG_SIZE - l->len) {
        len = LOG_SIZE - l->len;
    }

    memcpy(l->p + l->len, p, len);
    l->len += len;
}


static int
handler(void *data, const tg_json_event_t *ev)
{
    log_t     *l = data;
    uint64_t   n[] = { ev->type, ev->id, ev->truncated, ev->index, ev->raw_len,
                       ev->key, ev->start, ev->end, ev->comma, ev->next };

    if (ev->type != TG_JSON_TEXT_PIECE) {
        log_add(l, n, sizeof(n));

    } else if (!l->text) {
        log_add(l, "text", 4);
    }

    l->text = ev->type == TG_JSON_TEXT_PIECE;
    log_add(l, ev->value.p, ev->value.len);

    if (ev->value.len > TG_JSON_VALUE_MAX && !l->text) {
        abort();
    }

    if (ev->type == TG_JSON_MEMBER_RANGE && ev->key != TG_JSON_NOWHERE) {
        l->member[0] = ev->comma;
        l->member[1] = ev->key;
        l->member[2] = ev->end;
        l->member[3] = ev->next;
    }

    return 0;
}


static tg_json_errcode_t
scan(log_t *l, unsigned flags, const char *text, size_t len, size_t piece)
{
    tg_json_t  s;
    size_t     n;
    char      *copy;

    l->len = 0;
    l->text = false;
    l->member[1] = TG_JSON_NOWHERE;

    tg_json_init(&s, paths, flags, handler, l);

    for (size_t at = 0; at < len; at += n) {
        n = len - at < piece ? len - at : piece;

        copy = malloc(n);
        if (copy == NULL) {
            abort();
        }

        memcpy(copy, text + at, n);
        (void) tg_json_feed(&s, copy, n);
        free(copy);
    }

    (void) tg_json_finish(&s);
    log_add(l, &s.error, sizeof(s.error));
    log_add(l, &s.error_offset, sizeof(s.error_offset));

    return s.error;
}


static void
check_jansson(const char *text, size_t len, tg_json_errcode_t error)
{
    json_error_t  e;
    json_t       *j = json_loadb(text, len, JSON_DECODE_ANY, &e);

    if (j != NULL) {
        json_decref(j);

        if (error != TG_JSON_E_NONE && error != TG_JSON_E_DEPTH
            && error != TG_JSON_E_LONG_NUMBER
            && memchr(text, '\0', len) == NULL)
        {
            abort();
        }

        return;
    }

    switch (json_error_code(&e)) {
    case json_error_numeric_overflow:
    case json_error_null_character:
    case json_error_null_byte_in_key:
    case json_error_stack_overflow:
        return;
    default:
        if (error == TG_JSON_E_NONE
            && strstr(e.text, "invalid Unicode") == NULL)
        {
            abort();
        }
    }
}


static void
check_strings(const char *text, size_t len)
{
    tg_json_string_t   a, b;
    tg_json_errcode_t  ea, eb;
    const char        *pa, *pb;

    tg_json_string_init(&a);
    pa = tg_json_string_skip_by(TG_JSON_SIMD_NONE, &a, text, text + len, &ea);

    for (int i = TG_JSON_SIMD_SSSE3; i <= (int) tg_json_simd(); i++) {
        tg_json_string_init(&b);
        pb = tg_json_string_skip_by((tg_json_simd_t) i, &b, text, text + len,
                                    &eb);

        if (pa != pb || ea != eb || a.escape != b.escape || a.need != b.need) {
            abort();
        }
    }
}


/* The text stays valid where the last member's range is blanked. */
static void
check_member(const char *text, size_t len)
{
    uint64_t  from = whole.member[1], to = whole.member[2];
    char     *left;

    if (from == TG_JSON_NOWHERE) {
        return;
    }

    left = malloc(len);
    if (left == NULL) {
        abort();
    }

    if (whole.member[0] != TG_JSON_NOWHERE) {
        from = whole.member[0];

    } else if (text[whole.member[3]] == ',') {
        to = whole.member[3] + 1;
    }

    memcpy(left, text, len);
    memset(left + from, ' ', (size_t) (to - from));

    if (scan(&cut, 0, left, len, len) != TG_JSON_E_NONE) {
        abort();
    }

    free(left);
}


static void
setup(void)
{
    tg_error_t  err;

    arena = tg_arena_create(0);

    if (arena != NULL) {
        paths = tg_json_paths(tg_arena_mem(arena), wants,
                              sizeof(wants) / sizeof(wants[0]), &err);
    }

    if (paths == NULL) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char         *text;
    unsigned            flags;
    size_t              piece;
    tg_json_errcode_t   error;

    if (paths == NULL) {
        setup();
    }

    if (size == 0) {
        return 0;
    }

    flags = data[0] & 3;
    piece = 1 + (data[0] >> 2);         /* 1 to 64 */
    text = (const char *) data + 1;
    size--;

    error = scan(&whole, flags, text, size, size);
    (void) scan(&cut, flags, text, size, piece);

    if (whole.len != cut.len || memcmp(whole.p, cut.p, whole.len) != 0) {
        abort();
    }

    check_strings(text, size);

    if (flags == 0) {
        check_jansson(text, size, error);

        if (error == TG_JSON_E_NONE) {
            check_member(text, size);
        }
    }

    return 0;
}
