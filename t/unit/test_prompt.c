#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tg_prompt.h"

#include <stdio.h>
#include <stdlib.h>

static tg_arena_t  *arena;


static int
setup(void **state)
{
    (void) state;
    arena = tg_arena_create(0);

    return arena == NULL;
}


static int
teardown(void **state)
{
    (void) state;
    tg_arena_destroy(arena);

    return 0;
}


static tg_prompt_t
prompt_of(tg_str_t body)
{
    tg_error_t   err;
    tg_prompt_t  p;

    if (tg_prompt_read(&p, tg_arena_mem(arena), body, NULL, 0, &err) != TG_OK)
    {
        fail_msg("%.*s: %s", (int) body.len, body.p, err.message);
    }

    return p;
}


static void
reads(const char *body, const char *want)
{
    tg_prompt_t  p = prompt_of(tg_strz(body));

    if (!tg_str_eq(p.text, tg_strz(want))) {
        fail_msg("%s: \"%.*s\", not \"%s\"", body, (int) p.text.len, p.text.p,
                 want);
    }
}


static void
test_every_api_has_its_text_read(void **state)
{
    /* chat */
    reads("{\"model\":\"gpt\",\"user\":\"u\",\"metadata\":{\"a\":\"b\"},"
          "\"messages\":[{\"role\":\"system\",\"content\":\"be kind\"},"
          "{\"role\":\"user\",\"name\":\"ann\",\"content\":[{\"type\":\"text\","
          "\"text\":\"see\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
          "\"data:image/png;base64,AAAA\",\"detail\":\"low\"}}]},"
          "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":"
          "\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
          "\"arguments\":\"{\\\"q\\\":1}\"}}]},{\"role\":\"tool\","
          "\"tool_call_id\":\"c1\",\"content\":\"sunny\"}],\"stop\":[\"X\"],"
          "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
          "\"description\":\"finds\",\"parameters\":{\"type\":\"object\","
          "\"properties\":{\"q\":{\"type\":\"string\",\"description\":\"what\","
          "\"enum\":[\"a\"]}}}}}]}",
          "be kind\nsee\n{\"q\":1}\nsunny\nfinds\nwhat\n");

    /* messages */
    reads("{\"model\":\"claude\",\"system\":[{\"type\":\"text\",\"text\":"
          "\"sys\",\"cache_control\":{\"type\":\"ephemeral\"}}],\"messages\":["
          "{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"source\":{"
          "\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"doc\"},"
          "\"title\":\"t\"},{\"type\":\"image\",\"source\":{\"media_type\":"
          "\"image/png\",\"data\":\"QUJD\",\"type\":\"base64\"}}]},"
          "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\","
          "\"thinking\":\"hm\",\"signature\":\"xx\"},{\"type\":\"tool_use\","
          "\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{\"type\":\"card\","
          "\"n\":4111111111111111,\"k\":7,\"id\":\"x\"}}]},{\"role\":\"user\","
          "\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"toolu_1\","
          "\"content\":[{\"type\":\"text\",\"text\":\"out\"}]}]}]}",
          "sys\ndoc\nt\nhm\ntype\ncard\nn\n4111111111111111\nk\nid\nx\nout\n");

    /* responses */
    reads("{\"input\":[{\"role\":\"user\",\"content\":\"hi\"},{\"type\":"
          "\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":"
          "\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c\","
          "\"output\":\"res\"},{\"type\":\"image_generation_call\",\"id\":"
          "\"i\",\"result\":\"QUJD\"},{\"type\":\"reasoning\","
          "\"encrypted_content\":\"zz\",\"summary\":[{\"type\":"
          "\"summary_text\",\"text\":\"sum\"}]}],\"instructions\":\"do\","
          "\"previous_response_id\":\"r\"}",
          "hi\n{}\nres\nsum\ndo\n");

    reads("{\"prompt\":[\"one\",\"two\"],\"suffix\":\"end\"}",
          "one\ntwo\nend\n");
    reads("{\"input\":[\"a\",\"b\"],\"encoding_format\":\"float\"}", "a\nb\n");

    /* Gemini */
    reads("{\"systemInstruction\":{\"parts\":[{\"text\":\"sys\"}]},"
          "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"},"
          "{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"QQ\"}}]},"
          "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\","
          "\"args\":{\"a\":\"b\"}}}]},{\"role\":\"user\",\"parts\":[{"
          "\"functionResponse\":{\"name\":\"f\",\"response\":{\"r\":[\"s\"]}}}"
          "]}],\"generationConfig\":{\"responseSchema\":{\"type\":\"OBJECT\","
          "\"description\":\"shape\"}},\"safetySettings\":[{\"category\":"
          "\"C\"}]}",
          "sys\nhi\na\nb\nr\ns\nshape\n");

    reads("{\"query\":\"q\",\"documents\":[\"d1\",{\"id\":\"7\",\"data\":{"
          "\"snippet\":\"s\"}}]}", "q\nd1\ns\n");
    reads("{}", "");
    (void) state;
}


static void
test_what_is_not_known_is_text(void **state)
{
    reads("{\"messages\":[{\"role\":\"user\",\"whispers\":{\"x\":\"psst\"}}],"
          "\"new_field\":\"text\"}", "psst\ntext\n");
    reads("{\"messages\":[{\"con\\u0074ent\":\"a\",\"ro\\u006ce\":\"user\"}]}",
          "a\n");
    reads("{\"documents\":[{\"data\":\"plain\"}]}", "plain\n");
    reads("[\"a\",{\"b\":\"c\"}]", "a\nc\n");
    (void) state;
}


static void
test_escapes_are_read(void **state)
{
    reads("{\"prompt\":\"a\\n\\\"b\\\" \\u00e9 \\ud83d\\ude00 \\ud800 \\/\"}",
          "a\n\"b\" \xc3\xa9 \xf0\x9f\x98\x80 \xef\xbf\xbd /\n");
    reads("{\"prompt\":\"\\udc00\\ud800\"}",
          "\xef\xbf\xbd\xef\xbf\xbd\n");
    (void) state;
}


static void
test_tokens_are_told(void **state)
{
    assert_true(prompt_of(tg_str("{\"prompt\":[1,2]}")).tokens);
    assert_true(prompt_of(tg_str("{\"input\":[[1,2],[3]]}")).tokens);
    assert_false(prompt_of(tg_str("{\"input\":\"1\",\"n\":1}")).tokens);
    assert_false(prompt_of(tg_str("{\"input\":[{\"a\":[1]}]}")).tokens);
    assert_false(prompt_of(tg_str("{\"messages\":[{\"x\":[1]}]}")).tokens);
    (void) state;
}


static void
test_parts_may_be_left_out(void **state)
{
    tg_str_t     body = tg_str("{\"prompt\":[\"one\",\"two\",\"three\"]}");
    tg_error_t   err;
    tg_range_t   without = { 17, 23 };
    tg_prompt_t  p;

    assert_int_equal(tg_prompt_read(&p, tg_arena_mem(arena), body, &without, 1,
                                    &err), TG_OK);
    assert_true(tg_str_eq(p.text, tg_str("one\nthree\n")));
    (void) state;
}


static void
test_what_is_no_json_is_refused(void **state)
{
    static const char *const  bad[] = {
        "", "{", "{\"a\":\"\xff\"}", "{\"a\":1}x", "\"\\x\"", "nul"
    };

    tg_error_t   err;
    tg_prompt_t  p;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(tg_prompt_read(&p, tg_arena_mem(arena),
                                        tg_strz(bad[i]), NULL, 0, &err),
                         TG_ERROR);
        assert_int_equal(err.code, TG_PROMPT_ERROR_JSON);
    }

    (void) state;
}


static void
test_too_much_text_is_refused(void **state)
{
    size_t        n = TG_PROMPT_TEXT_MAX + 64;
    char         *body = malloc(n);
    tg_error_t    err;
    tg_prompt_t   p;

    memset(body, 'x', n);
    memcpy(body, "{\"prompt\":\"", 11);
    memcpy(body + n - 2, "\"}", 2);
    assert_int_equal(tg_prompt_read(&p, tg_arena_mem(arena),
                                    tg_str_of(body, n), NULL, 0, &err),
                     TG_ERROR);
    assert_int_equal(err.code, TG_PROMPT_ERROR_LARGE);

    memcpy(body, "{\"prompt\":[", 11);
    for (size_t i = 11; i + 4 < n; i += 4) {
        memcpy(body + i, "\"x\",", 4);
    }
    n = 11 + (n - 15) / 4 * 4;
    memcpy(body + n, "1]}", 3);
    assert_int_equal(tg_prompt_read(&p, tg_arena_mem(arena),
                                    tg_str_of(body, n + 3), NULL, 0, &err),
                     TG_ERROR);
    assert_int_equal(err.code, TG_PROMPT_ERROR_LARGE);
    free(body);
    (void) state;
}


/* Body with ^ where it was found. */
static void
mark(void *data, const tg_piece_t *piece, size_t start, size_t end)
{
    char  *marked = data;

    assert_true(start >= piece->start && end <= piece->end && start <= end);
    memset(marked + start, '^', end - start);
}


static void
lies(const char *body, const char *part, const char *want)
{
    char         *marked = strdup(body);
    const char   *at;
    tg_place_t    place;
    tg_prompt_t   p = prompt_of(tg_strz(body));

    memset(&place, 0, sizeof(place));

    for (size_t i = 0; i + strlen(part) <= p.text.len; ) {
        at = p.text.p + i;

        if (memcmp(at, part, strlen(part)) == 0) {
            tg_prompt_locate(&p, tg_strz(body), &place, i, i + strlen(part),
                             mark, marked);
            i += strlen(part);

        } else {
            i++;
        }
    }

    assert_string_equal(marked, want);
    free(marked);
}


static void
test_text_is_found_again_in_the_body(void **state)
{
    lies("{\"prompt\":\"a bad thing\"}", "bad", "{\"prompt\":\"a ^^^ thing\"}");
    lies("{\"prompt\":\"b\\u0061d\"}", "bad", "{\"prompt\":\"^^^^^^^^\"}");
    lies("{\"prompt\":\"\\\"bad\\\"\"}", "\"b", "{\"prompt\":\"^^^ad\\\"\"}");
    lies("{\"prompt\":[\"xbad\",\"bad\"]}", "bad",
         "{\"prompt\":[\"x^^^\",\"^^^\"]}");
    lies("{\"prompt\":[\"one\",\"two\"]}", "e\nt",
         "{\"prompt\":[\"on^\",\"^wo\"]}");
    lies("{\"prompt\":\"\xc3\xa9 \\ud83d\\ude00!\"}", "\xf0\x9f\x98\x80",
         "{\"prompt\":\"\xc3\xa9 ^^^^^^^^^^^^!\"}");

    /* Part of a character is all of it. */
    lies("{\"prompt\":\"x\\ud83d\\ude00!\"}", "\x9f",
         "{\"prompt\":\"x^^^^^^^^^^^^!\"}");
    lies("{\"prompt\":\"x\xc3\xa9!\"}", "\xa9", "{\"prompt\":\"x^^!\"}");
    lies("{\"prompt\":\"x\xc3\xa9!\"}", "\xc3", "{\"prompt\":\"x^^!\"}");
    lies("{\"m\":[{\"input\":{\"n\":1234567890}}]}", "345",
         "{\"m\":[{\"input\":{\"n\":^^^^^^^^^^}}]}");
    (void) state;
}


/* Whatever the text, what is found of it is what was looked for. */
static void
test_places_of_random_texts(void **state)
{
    static const char *const  units[] = {
        "a", "b", "\\n", "\\u0041", "\\u00e9", "\xc3\xa9", "\\ud83d\\ude00",
        "\xf0\x9f\x98\x80", "\\ud800", "\\\"", "\xe2\x82\xac"
    };

    char          body[512], out[512];
    unsigned      seed = 7, from, to;
    size_t        n;
    tg_place_t    place;
    tg_prompt_t   p, again;

    for (unsigned round = 0; round < 2000; round++) {
        n = (size_t) sprintf(body, "{\"prompt\":\"");

        for (unsigned i = 0; i < 16; i++) {
            seed = seed * 1103515245 + 12345;
            n += (size_t) sprintf(body + n, "%s", units[seed >> 16 & 7
                                                        ? (seed >> 20) % 11
                                                        : 0]);
        }

        n += (size_t) sprintf(body + n, "\"}");
        p = prompt_of(tg_str_of(body, n));
        from = (seed >> 8) % (unsigned) p.text.len;
        to = from + 1 + (seed >> 24) % 5;
        to = to < p.text.len ? to : (unsigned) p.text.len;

        memset(&place, 0, sizeof(place));
        memcpy(out, body, n + 1);
        tg_prompt_locate(&p, tg_str_of(body, n), &place, from, to, mark, out);

        /* Still JSON, and what is before and behind it is as it was. */

        again = prompt_of(tg_str_of(out, n));

        while (from > 0 && (p.text.p[from] & 0xc0) == 0x80) {
            from--;
        }
        while (to < p.text.len && (p.text.p[to] & 0xc0) == 0x80) {
            to++;
        }

        assert_memory_equal(p.text.p, again.text.p, from);
        assert_true(again.text.len >= p.text.len - to);
        assert_memory_equal(p.text.p + to, again.text.p + again.text.len
                                           - (p.text.len - to),
                            p.text.len - to);

        for (size_t i = from; i < again.text.len - (p.text.len - to); i++) {
            assert_true(again.text.p[i] == '^' || again.text.p[i] == '\n');
        }
    }

    (void) state;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_every_api_has_its_text_read),
        cmocka_unit_test(test_what_is_not_known_is_text),
        cmocka_unit_test(test_escapes_are_read),
        cmocka_unit_test(test_tokens_are_told),
        cmocka_unit_test(test_parts_may_be_left_out),
        cmocka_unit_test(test_what_is_no_json_is_refused),
        cmocka_unit_test(test_too_much_text_is_refused),
        cmocka_unit_test(test_text_is_found_again_in_the_body),
        cmocka_unit_test(test_places_of_random_texts)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
