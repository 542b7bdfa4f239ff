/*
 * translated.h - an answer put through the translator, in any pieces.
 */

#ifndef TRANSLATED_H
#define TRANSLATED_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cut.h"
#include "tg_dialect.h"
#include "tg_translate.h"

#define OUT_MAX  (256 * 1024)

typedef struct {
    char        text[OUT_MAX];  /* what went out, NUL-terminated */
    size_t      len;
    unsigned    calls;          /* of out() */
    unsigned    fail;           /* at so many calls; 0: never */
    unsigned    status;
    bool        ok;             /* all functions returned TG_OK */
    char        error[256];
} output_t;

static const tg_translator_ask_t  ask_default = {
    .status = 200,
    .content_type = TG_STR("text/event-stream"),
    .stream = true,
    .include_usage = true,
    .model = TG_STR("asked"),
    .id = TG_STR("0190d3a4-7c1e-7bbb-8ccc-0123456789ab"),
    .created_s = 1750000000
};


static inline int
output_add(void *data, const char *p, size_t n)
{
    output_t  *o = data;

    if (++o->calls == o->fail) {
        return 1;
    }

    assert_true(n != 0 && n < sizeof(o->text) - o->len);
    memcpy(o->text + o->len, p, n);
    o->len += n;
    o->text[o->len] = '\0';

    return 0;
}


/* Each piece from memory of its own, where reading past it is seen. */
static inline int
feed_apart(tg_translator_t *t, const char *p, size_t n, output_t *o)
{
    char  *copy = malloc(n);
    int    rc;

    assert_non_null(copy);
    memcpy(copy, p, n);
    rc = tg_translator_feed(t, copy, n, output_add, o);
    free(copy);

    return rc;
}


static inline void
translate(const tg_translator_ask_t *ask, const char *in, size_t len,
    cut_t cut, output_t *o)
{
    tg_arena_t       *arena = tg_arena_create(0);
    tg_translator_t  *t = tg_translator_create(tg_arena_mem(arena), ask);
    size_t            n;

    o->text[0] = '\0';
    o->len = 0;
    o->calls = 0;
    o->ok = true;
    assert_non_null(t);

    for (size_t i = 0; i < len; i += n) {
        n = cut_piece(cut, i, len);
        o->ok &= feed_apart(t, in + i, n, o) == TG_OK;
    }

    o->ok &= tg_translator_end(t, output_add, o) == TG_OK;
    o->status = tg_translator_status(t);
    snprintf(o->error, sizeof(o->error), "%s",
             tg_translator_error(t) != NULL ? tg_translator_error(t) : "");
    tg_arena_destroy(arena);
}


/* The same whole, at every cut into two, and byte by byte. */
static inline void
translate_splits(const tg_translator_ask_t *ask, const char *in, output_t *o)
{
    static output_t  other;

    size_t  len = strlen(in);

    translate(ask, in, len, (cut_t) { 0, 0 }, o);

    for (size_t at = 0; at < len; at++) {
        translate(ask, in, len, (cut_t) { at, at == 0 }, &other);
        assert_string_equal(other.text, o->text);
        assert_int_equal(other.status, o->status);
        assert_true(other.ok);
    }
}


static inline tg_translator_ask_t
asked(tg_form_t from, tg_form_t to, bool stream)
{
    tg_translator_ask_t  ask = ask_default;

    ask.from = from;
    ask.to = to;
    ask.stream = stream;

    if (!stream) {
        ask.content_type = tg_str("application/json");
    }

    return ask;
}


static inline int
setup_dialects(void **state)
{
    static tg_arena_t  *arena;

    tg_error_t  err;

    (void) state;
    arena = tg_arena_create(0);

    return tg_dialect_setup(tg_arena_mem(arena), &err);
}

#endif /* TRANSLATED_H */
