/*
 * Requests and what becomes of them: t/translate/<from>-<to>.json has the
 * cases, each with what is asked for beside the request, and what is expected,
 * or what the error begins with.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_dialect_int.h"
#include "tg_translate.h"
#include "tg_tree.h"

#include <jansson.h>

typedef struct {
    const char  *file;
    tg_form_t    from;
    tg_form_t    to;
} pair_t;

static pair_t  pairs[] = {
    { "chat-anthropic", TG_FORM_OPENAI_CHAT, TG_FORM_ANTHROPIC },
    { "chat-gemini", TG_FORM_OPENAI_CHAT, TG_FORM_GEMINI },
    { "anthropic-chat", TG_FORM_ANTHROPIC, TG_FORM_OPENAI_CHAT }
};

static char  base[1024];


static json_t *
cases_of(const pair_t *pair)
{
    char          path[2048];
    json_t       *cases;
    json_error_t  e;

    (void) snprintf(path, sizeof(path), "%s/%s.json", base, pair->file);
    cases = json_load_file(path, JSON_ALLOW_NUL, &e);

    if (cases == NULL) {
        fail_msg("%s:%d: %s", path, e.line, e.text);
    }

    return cases;
}


static int64_t
integer(json_t *ask, const char *name, int64_t otherwise)
{
    json_t  *v = json_object_get(ask, name);

    return v == NULL ? otherwise : json_integer_value(v);
}


static tg_str_t
string(json_t *ask, const char *name, const char *otherwise)
{
    json_t  *v = json_object_get(ask, name);

    return tg_strz(v == NULL ? otherwise : json_string_value(v));
}


static tg_translate_t
ask_of(const pair_t *pair, json_t *ask)
{
    tg_translate_t  t = {
        .from = pair->from, .to = pair->to,
        .model = string(ask, "model", "target-1"),
        .limit_name = string(ask, "limit_name", ""),
        .max_tokens = integer(ask, "max_tokens", -1),
        .default_output = integer(ask, "default_output", 4096),
        .ask_usage = json_is_true(json_object_get(ask, "ask_usage"))
    };

    return t;
}


static void
check(const pair_t *pair, json_t *c, const char *text)
{
    const char      *name = json_string_value(json_object_get(c, "name"));
    json_t          *expect = json_object_get(c, "expect"), *got;
    tg_str_t         error = string(c, "error", "");
    tg_translate_t   t = ask_of(pair, json_object_get(c, "ask"));
    tg_arena_t      *arena = tg_arena_create(0);
    tg_error_t       err;
    tg_str_t         out;
    int              rc;

    assert_non_null(arena);
    rc = tg_translate_request(tg_arena_mem(arena), &t, tg_strz(text), &out,
                              &err);

    if (expect == NULL) {
        if (rc == TG_OK) {
            fail_msg("%s: %s: %.*s", pair->file, name, (int) out.len, out.p);
        }
        if (!tg_str_starts(tg_strz(err.message), error)) {
            fail_msg("%s: %s: %s", pair->file, name, err.message);
        }
        assert_in_range(err.code, TG_TRANSLATE_E_INVALID,
                        TG_TRANSLATE_E_THREAD);
        assert_in_range(err.offset, 0, strlen(text));

    } else {
        if (rc != TG_OK) {
            fail_msg("%s: %s: %s", pair->file, name, err.message);
        }

        got = json_loadb(out.p, out.len,
                         JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);

        if (got == NULL || !json_equal(got, expect)) {
            fail_msg("%s: %s: %.*s", pair->file, name, (int) out.len, out.p);
        }
        json_decref(got);
    }

    tg_arena_destroy(arena);
}


static void
test_cases(void **state)
{
    const pair_t  *pair = *state;
    json_t        *cases = cases_of(pair), *c;
    size_t         i;
    char          *text;

    json_array_foreach(cases, i, c) {

        /* compact, and as pretty as it gets, in another order, in ASCII */

        text = json_dumps(json_object_get(c, "request"), JSON_COMPACT);
        assert_non_null(text);
        check(pair, c, text);
        free(text);

        text = json_dumps(json_object_get(c, "request"),
                          JSON_INDENT(4) | JSON_SORT_KEYS | JSON_ENSURE_ASCII
                          | JSON_ESCAPE_SLASH);
        assert_non_null(text);
        check(pair, c, text);
        free(text);
    }

    assert_in_range(i, 40, 1000);
    json_decref(cases);
}


static size_t  allocations;

static void *
failing(void *pool, size_t size)
{
    return allocations-- == 0 ? NULL : tg_alloc(tg_arena_mem(pool), size);
}


/* Each allocation fails in turn: an error each time, and no crash. */
static void
test_no_memory(void **state)
{
    const pair_t    *pair = *state;
    json_t          *cases = cases_of(pair), *c;
    size_t           i, n;
    char            *text;
    tg_translate_t   t;
    tg_arena_t      *arena;
    tg_mem_t         mem;
    tg_error_t       err;
    tg_str_t         out;
    int              rc;

    json_array_foreach(cases, i, c) {
        if (json_object_get(c, "expect") == NULL) {
            continue;
        }

        text = json_dumps(json_object_get(c, "request"), JSON_ESCAPE_SLASH);
        assert_non_null(text);
        t = ask_of(pair, json_object_get(c, "ask"));

        for (n = 0; n < 100; n++) {
            arena = tg_arena_create(0);
            assert_non_null(arena);
            mem.alloc = failing;
            mem.pool = arena;
            allocations = n;

            rc = tg_translate_request(&mem, &t, tg_strz(text), &out, &err);
            tg_arena_destroy(arena);

            if (rc == TG_OK) {
                break;
            }

            assert_true(err.code == TG_TRANSLATE_E_MEMORY
                        || err.code == TG_TREE_E_MEMORY);
        }

        assert_in_range(n, 1, 99);
        free(text);
    }

    json_decref(cases);
}


static int
translate(const char *text, tg_arena_t *arena, tg_str_t *out, tg_error_t *err)
{
    tg_translate_t  t = {
        .from = TG_FORM_OPENAI_CHAT, .to = TG_FORM_ANTHROPIC,
        .model = tg_str("a\"b"), .max_tokens = -1, .default_output = 8
    };

    return tg_translate_request(tg_arena_mem(arena), &t, tg_strz(text), out,
                                err);
}


static void
test_not_json(void **state)
{
    static const struct {
        const char  *text;
        int          code;
    } cases[] = {
        { "", TG_JSON_E_EMPTY }, { "{", TG_JSON_E_TRUNCATED },
        { "[]x", TG_JSON_E_TRAILING }, { "[]", TG_TRANSLATE_E_INVALID },
        { "null", TG_TRANSLATE_E_INVALID },
        { "{\"messages\":[],\"mess\\u0061ges\":[]}", TG_TREE_E_DUPLICATE },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
          TG_JSON_E_UTF8 }
    };

    tg_arena_t  *arena = tg_arena_create(0);
    tg_error_t   err;
    tg_str_t     out;

    (void) state;
    assert_non_null(arena);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(translate(cases[i].text, arena, &out, &err),
                         TG_ERROR);
        assert_int_equal(err.code, cases[i].code);
    }

    tg_arena_destroy(arena);
}


/* What has the same meaning is the same bytes, whatever its escapes. */
static void
test_strings_are_copied(void **state)
{
    tg_arena_t  *arena = tg_arena_create(0);
    tg_error_t   err;
    tg_str_t     out;

    (void) state;
    assert_non_null(arena);
    assert_int_equal(translate("{\"m\\u0065ssages\":[{\"role\":\"us\\u0065r\","
                               "\"content\":\"\\u0041\\/\\ud83d\\ude00 \\ud800"
                               "\"}],\"temperature\":1.0e0}",
                               arena, &out, &err), TG_OK);
    assert_true(tg_str_eq(out, tg_str(
        "{\"model\":\"a\\\"b\",\"max_tokens\":8,\"messages\":[{\"role\":"
        "\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\\u0041\\/"
        "\\ud83d\\ude00 \\ud800\"}]}],\"temperature\":1.0e0}")));

    tg_arena_destroy(arena);
}


static void
test_pairs(void **state)
{
    static const tg_form_t  forms[] = {
        TG_FORM_NONE, TG_FORM_OPENAI_CHAT, TG_FORM_ANTHROPIC, TG_FORM_GEMINI
    };

    tg_arena_t      *arena = tg_arena_create(0);
    tg_translate_t   t = { .max_tokens = -1 };
    tg_error_t       err;
    tg_str_t         out;
    unsigned         n = 0;

    (void) state;
    assert_non_null(arena);

    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            n += tg_translates(forms[i], forms[j]);

            if (!tg_translates(forms[i], forms[j])) {
                t.from = forms[i];
                t.to = forms[j];
                assert_int_equal(tg_translate_request(tg_arena_mem(arena), &t,
                                                      tg_str("{}"), &out,
                                                      &err), TG_ERROR);
                assert_int_equal(err.code, TG_TRANSLATE_E_PAIR);
            }
        }
    }

    assert_int_equal(n, 3);
    tg_arena_destroy(arena);
}


static void
test_forms(void **state)
{
    unsigned  n[TG_FORM_GEMINI + 1] = { 0 };

    (void) state;

    for (size_t i = 0; i < tg_apis(); i++) {
        n[tg_form_of(tg_api_at(i))]++;
    }

    assert_int_equal(n[TG_FORM_OPENAI_CHAT], 1);
    assert_int_equal(n[TG_FORM_ANTHROPIC], 1);
    /* each streams by another row */
    assert_int_equal(n[TG_FORM_GEMINI], 4);
}


int
main(void)
{
#define P(f, i)  cmocka_unit_test_prestate(f, &pairs[i])
    const struct CMUnitTest  tests[] = {
        P(test_cases, 0), P(test_cases, 1), P(test_cases, 2),
        P(test_no_memory, 0), P(test_no_memory, 1), P(test_no_memory, 2),
        cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_strings_are_copied),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_forms)
    };

    (void) snprintf(base, sizeof(base), "%.*s/../translate",
                    (int) (strrchr(__FILE__, '/') - __FILE__), __FILE__);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
