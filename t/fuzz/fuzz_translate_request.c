/*
 * Any bytes as a request to be translated.  What comes out is JSON, an object,
 * of the upstream's model; a refusal names a place in the body and is text;
 * the same request gives the same; and what was made for Anthropic is a
 * request of Anthropic's, which can be had back.
 *
 * Byte 0 of the input chooses the direction and what is asked for beside.
 */

#include "tg_translate.h"
#include "tg_tree.h"

#include <jansson.h>
#include <stdlib.h>

#define REQUIRE(x)  do { if (!(x)) { abort(); } } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    tg_form_t  from;
    tg_form_t  to;
} pairs[] = {
    { TG_FORM_OPENAI_CHAT, TG_FORM_ANTHROPIC },
    { TG_FORM_OPENAI_CHAT, TG_FORM_GEMINI },
    { TG_FORM_ANTHROPIC, TG_FORM_OPENAI_CHAT }
};


static void
check(const tg_translate_t *t, tg_str_t out)
{
    json_t        *j, *model;
    json_error_t   e;

    j = json_loadb(out.p, out.len, JSON_ALLOW_NUL, &e);

    if (j == NULL) {

        /* what jansson takes for none, and was in the request */
        REQUIRE(json_error_code(&e) == json_error_numeric_overflow
                || json_error_code(&e) == json_error_null_byte_in_key
                || json_error_code(&e) == json_error_stack_overflow
                || strstr(e.text, "invalid Unicode") != NULL);
        return;
    }

    REQUIRE(json_is_object(j));

    if (t->to != TG_FORM_GEMINI) {
        model = json_object_get(j, "model");
        REQUIRE(tg_str_eq(tg_strz(json_string_value(model)), t->model));
    }

    json_decref(j);
}


static void
back(tg_mem_t *mem, tg_str_t out)
{
    tg_translate_t  t = {
        .from = TG_FORM_ANTHROPIC, .to = TG_FORM_OPENAI_CHAT,
        .model = tg_str("m"), .max_tokens = -1
    };

    tg_error_t  err;
    tg_str_t    again;

    if (tg_translate_request(mem, &t, out, &again, &err) == TG_OK) {
        check(&t, again);

    } else {
        REQUIRE(err.code != TG_TRANSLATE_E_INVALID
                && err.code != TG_TRANSLATE_E_MEMORY);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_translate_t   t = { .model = tg_str("m\"x"), .default_output = 9 };
    tg_arena_t      *arena;
    tg_mem_t        *mem;
    tg_error_t       err, other;
    tg_str_t         body, a, b;
    char            *text;
    int              rc;

    if (size == 0) {
        return 0;
    }

    t.from = pairs[data[0] % 3].from;
    t.to = pairs[data[0] % 3].to;
    t.max_tokens = (data[0] & 0x10) != 0 ? 7 : -1;
    t.ask_usage = (data[0] & 0x20) != 0;

    if ((data[0] & 0x40) != 0) {
        t.model = tg_str("gemini-2.5-pro");
    }

    text = malloc(size);
    REQUIRE(text != NULL);
    memcpy(text, data + 1, size - 1);
    body = tg_str_of(text, size - 1);

    arena = tg_arena_create(0);
    REQUIRE(arena != NULL);
    mem = tg_arena_mem(arena);

    rc = tg_translate_request(mem, &t, body, &a, &err);
    REQUIRE(tg_translate_request(mem, &t, body, &b, &other) == rc);

    if (rc == TG_OK) {
        REQUIRE(tg_str_eq(a, b));
        check(&t, a);

        if (t.to == TG_FORM_ANTHROPIC) {
            back(mem, a);
        }

    } else {
        REQUIRE(err.code == other.code && err.offset <= body.len);
        REQUIRE(strlen(err.message) != 0);
    }

    tg_arena_destroy(arena);
    free(text);

    return 0;
}
