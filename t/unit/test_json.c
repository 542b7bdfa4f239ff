/*
 * The streaming scanner: what it accepts, what paths find, and that neither
 * depends on how the input is cut.
 */

#include "json_scan.h"
#include "json_vectors.h"

static void
test_every_corner_of_the_rfc_is_decided(void **state)
{
    const vector_t  *v;
    tg_json_want_t   wants[] = { { "", 1, 0 }, { "a", 2, TG_JSON_MEMBER },
                                 { "[]", 3, TG_JSON_TEXT } };
    const tg_json_paths_t  *paths = compile(wants, COUNT(wants));
    int                     error;

    (void) state;

    for (size_t i = 0; i < NVECTORS; i++) {
        v = &vectors[i];
        error = scan_all_ways(paths, 0, v->text, v->len);

        if (error != (int) v->error || (error == 0) == (v->is == NO)) {
            print_error("%.*s: %s, not %s\n", (int) v->len, v->text,
                        tg_json_strerror((tg_json_errcode_t) error),
                        tg_json_strerror(v->error));
            fail();
        }

        assert_int_equal(scan_all_ways(NULL, 0, v->text, v->len), v->error);
    }
}


static void
test_any_cut_of_random_input_gives_the_same(void **state)
{
    static const size_t    sizes[] = { 1, 2, 3, 7, 16, 63, 64, 65, 100, 200 };
    static const unsigned  flags[] = { 0, 0, TG_JSON_ELEMENTS, TG_JSON_LINES };
    tg_json_want_t  wants[] = {
        { "", 1, 0 }, { "model", 2, TG_JSON_MEMBER },
        { "messages[].content", 3, TG_JSON_TEXT },
        { "usage", 4, TG_JSON_RAW | TG_JSON_MEMBER }, { "usage.id", 5, 0 },
        { "items[]", 6, TG_JSON_COUNT }, { "[].id", 7, 0 },
        { "items[][]", 8, TG_JSON_TEXT }, { "content", 9, TG_JSON_TEXT },
        { "text", 10, TG_JSON_RAW }, { "text.text", 11, TG_JSON_MEMBER }
    };
    const tg_json_paths_t  *paths = compile(wants, COUNT(wants));
    watch_t                 w = { .p = NULL };
    watch_cut_t             cut = { 0, 0 };

    (void) state;

    for (unsigned i = 0; i < 4000; i++) {
        random_document(&w);

        if (random_next(2) == 0) {
            random_break(&w);
        }

        (void) watch_scan(&seen, paths, flags[i % 4], w.p, w.len, WHOLE);

        for (unsigned j = 0; j < 3; j++) {
            cut.size = sizes[random_next(COUNT(sizes))];
            (void) watch_scan(&seen_cut, paths, flags[i % 4], w.p, w.len, cut);
            assert_same_logs(w.p, w.len, cut);
        }
    }

    free(w.p);
}


static void
test_paths_find_members_and_elements(void **state)
{
    tg_json_want_t  wants[] = {
        { "usage.prompt_tokens", 1, 0 }, { "choices[].delta.content", 2, 0 },
        { "input", 3, 0 }, { "input[]", 4, 0 }, { "a\\.b", 5, 0 },
        { "m[][]", 6, 0 }, { "choices[].tools[].id", 7, 0 }
    };
    const tg_json_paths_t  *paths = compile(wants, COUNT(wants));

    (void) state;

    assert_string_equal(values(paths, 0,
        "{\"usage\":{\"x\":{\"prompt_tokens\":9},\"prompt_tokens\":7},"
        "\"prompt_tokens\":8,\"input\":\"one\",\"a\":{\"b\":1},\"a.b\":true}"),
        "1@0 # 7\n3@0 S one\n5@0 t \n");

    assert_string_equal(values(paths, 0, "{\"input\":[\"a\",[\"b\"],{},null]}"),
        "3@0 [ \n4@0 S a\n4@1 [ \n4@1 ] \n4@2 { \n4@2 } \n4@3 n \n3@0 ] \n");

    assert_string_equal(values(paths, 0, "{\"m\":[[1,2],3,[{},\"x\"]]}"),
        "6@0 # 1\n6@1 # 2\n6@0 { \n6@0 } \n6@1 S x\n");

    assert_string_equal(values(paths, 0,
        "{\"choices\":[{\"x\":[1,2]},{\"tools\":[0,{\"id\":\"t\"},{}],"
        "\"delta\":{\"content\":\"c\"}}],\"usage\":[{\"prompt_tokens\":1}]}"),
        "7@1 S t\n2@1 S c\n");

    /* a list where an object is wanted, and the other way round */
    assert_string_equal(values(paths, 0,
        "{\"choices\":{\"delta\":{\"content\":1}},\"m\":{\"\":[[1]]}}"), "");
}


static void
test_root_can_be_wanted(void **state)
{
    tg_json_want_t  wants[] = { { "", 1, 0 }, { "[].id", 2, 0 } };
    const tg_json_paths_t  *paths = compile(wants, 2);

    (void) state;

    assert_string_equal(values(paths, 0, " 12 "), "1@0 # 12\n");
    assert_string_equal(values(paths, 0, "-1.5e3"), "1@0 # -1500\n");
    assert_string_equal(values(paths, 0, "\"x\""), "1@0 S x\n");
    assert_string_equal(values(paths, 0, "false"), "1@0 f \n");
    assert_string_equal(values(paths, 0, "[{\"id\":1},{\"id\":2}]"),
                        "1@0 [ \n2@0 # 1\n2@1 # 2\n1@0 ] \n");
}


static void
test_keys_are_compared_decoded(void **state)
{
    tg_json_want_t  wants[] = { { "model", 1, 0 }, { "\xc3\xa9", 2, 0 },
                                { "\xf0\x9f\x98\x80", 3, 0 }, { "\"", 4, 0 } };
    const tg_json_paths_t  *paths = compile(wants, COUNT(wants));

    (void) state;

    assert_string_equal(values(paths, 0,
        "{\"mod\\u0065l\":1,\"\\u00E9\":2,\"\\ud83d\\ude00\":3,\"\\\"\":4}"),
        "1@0 # 1\n2@0 # 2\n3@0 # 3\n4@0 # 4\n");
    assert_string_equal(values(paths, 0,
        "{\"\\u006d\\u006f\\u0064\\u0065\\u006c\":1,\"\xc3\xa9\":2}"),
        "1@0 # 1\n2@0 # 2\n");
    assert_string_equal(values(paths, 0,
        "{\"Model\":1,\"mode\":1,\"models\":1,\"model\\u0000\":1,\"\":1,"
        "\"model \":1,\"\\ud83d\":1,\"\\\\\\\"\":1,\"mod\\\\u0065l\":1}"), "");
}


static void
test_names_up_to_the_maximum_can_be_wanted(void **state)
{
    char                    key[TG_JSON_KEY_MAX + 2], text[600], *p = text;
    tg_json_want_t          want = { key, 1, 0 };
    const tg_json_paths_t  *paths;

    (void) state;

    memset(key, 'k', TG_JSON_KEY_MAX);
    key[TG_JSON_KEY_MAX] = '\0';
    paths = compile(&want, 1);

    sprintf(text, "{\"%s\":1,\"%sk\":2,\"%.63s\":3}", key, key, key);
    assert_string_equal(values(paths, 0, text), "1@0 # 1\n");

    p += sprintf(p, "{\"");
    for (unsigned i = 0; i < TG_JSON_KEY_MAX; i++) {
        p += sprintf(p, "\\u006b");
    }
    sprintf(p, "\":5}");
    assert_string_equal(values(paths, 0, text), "1@0 # 5\n");

    key[TG_JSON_KEY_MAX] = 'k';
    key[TG_JSON_KEY_MAX + 1] = '\0';
    assert_null(tg_json_paths(tg_arena_mem(arena), &want, 1, NULL));
}


static void
test_malformed_paths_are_refused(void **state)
{
    static const char  *bad[] = {
        ".", "a.", ".a", "a..b", "a[", "a[0]", "a]", "a[]b", "a[].", "]", "[",
        "a\\", "a.[]", "[]a", "a.b.c.d.e.f.g.h.i.j.k.l.m",
        "[][][][][][][][][][][][][]"
    };
    tg_json_want_t  want = { NULL, 1, 0 }, twice[2], many[65];
    char            names[65][4];
    tg_error_t      err;

    (void) state;

    for (size_t i = 0; i < COUNT(bad); i++) {
        want.path = bad[i];
        err.message[0] = '\0';
        assert_null(tg_json_paths(tg_arena_mem(arena), &want, 1, &err));
        assert_string_not_equal(err.message, "");
    }

    twice[0] = twice[1] = (tg_json_want_t) { "a.b", 1, 0 };
    assert_null(tg_json_paths(tg_arena_mem(arena), twice, 2, &err));

    for (unsigned i = 0; i < 65; i++) {
        sprintf(names[i], "n%u", i);
        many[i] = (tg_json_want_t) { names[i], (uint16_t) i, 0 };
    }

    assert_non_null(tg_json_paths(tg_arena_mem(arena), many, 64, &err));
    assert_null(tg_json_paths(tg_arena_mem(arena), many, 65, &err));

    want.path = "a.b.c.d.e.f.g.h.i.j.k.l";
    assert_non_null(tg_json_paths(tg_arena_mem(arena), &want, 1, &err));
}


static void
test_deepest_path_is_followed(void **state)
{
    tg_json_want_t  wants[] = {
        { "a.b.c.d.e.f.g.h.i.j.k.l", 1, TG_JSON_MEMBER },
        { "[][][][][][][][][][][][]", 2, TG_JSON_RAW }
    };
    const tg_json_paths_t  *paths = compile(wants, 2);

    (void) state;

    assert_string_equal(values(paths, 0,
        "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{\"i\":{\"j\":"
        "{\"k\":{\"l\":{\"m\":{\"n\":[1]}}}}}}}}}}}}}}"),
        "1@0 { \n1@0 } \n");
    assert_string_equal(values(paths, 0, "[[[[[[[[[[[[[0],1]]]]]]]]]]]]"),
                        "2@0 [ \n2@0 ] [0]\n2@1 # 1\n");
}


static int
limited_alloc_left;


static void *
limited_alloc(void *pool, size_t size)
{
    (void) pool;

    return limited_alloc_left-- > 0 ? tg_alloc(tg_arena_mem(arena), size)
                                    : NULL;
}


static void
test_exhausted_memory_is_an_error(void **state)
{
    tg_json_want_t  wants[] = { { "a[].b", 1, 0 }, { "c", 2, 0 } };
    tg_mem_t        mem = { limited_alloc, NULL };
    tg_error_t      err;
    int             n = 0;

    (void) state;

    do {
        limited_alloc_left = n++;
        err.message[0] = '\0';
    } while (tg_json_paths(&mem, wants, 2, &err) == NULL
             && err.message[0] != '\0' && n < 100);

    assert_in_range(n, 5, 50);
    assert_string_equal(err.message, "");
}


static void
test_reset_starts_afresh_and_offsets_go_on(void **state)
{
    tg_json_want_t  want = { "id", 1, TG_JSON_MEMBER };
    tg_json_t       s, copy;

    (void) state;

    watch_clear(&seen);
    tg_json_init(&s, compile(&want, 1), 0, watch_handler, &seen);

    assert_int_equal(tg_json_feed(&s, "{\"id\":[1,x", 10), TG_ERROR);
    assert_int_equal(s.error, TG_JSON_E_SYNTAX);
    assert_int_equal(s.error_offset, 9);
    assert_int_equal(tg_json_feed(&s, "]}", 2), TG_ERROR);
    assert_int_equal(tg_json_finish(&s), TG_ERROR);

    watch_clear(&seen);
    tg_json_reset(&s);
    assert_int_equal(s.error, TG_JSON_E_NONE);
    assert_int_equal(tg_json_feed(&s, "{\"id", 4), TG_OK);

    copy = s;
    memset(&s, 0xff, sizeof(s));
    assert_int_equal(tg_json_feed(&copy, "\":5}", 4), TG_OK);
    assert_int_equal(tg_json_feed(&copy, NULL, 0), TG_OK);
    assert_int_equal(tg_json_finish(&copy), TG_OK);
    assert_int_equal(tg_json_finish(&copy), TG_OK);
    assert_non_null(strstr(seen.p, " key 13 start 18 end 19 "));
}


static void
test_depth_is_limited(void **state)
{
    static char  text[100000];
    tg_json_t    s;

    (void) state;

    memset(text, '[', sizeof(text));
    tg_json_init(&s, NULL, 0, NULL, NULL);
    assert_int_equal(tg_json_feed(&s, text, sizeof(text)), TG_ERROR);
    assert_int_equal(s.error, TG_JSON_E_DEPTH);
    assert_int_equal(s.error_offset, TG_JSON_DEPTH_MAX);

    for (size_t i = 0; i < sizeof(text); i += 5) {
        memcpy(text + i, "{\"a\":", 5);
    }

    tg_json_init(&s, NULL, 0, NULL, NULL);
    assert_int_equal(tg_json_feed(&s, text, sizeof(text)), TG_ERROR);
    assert_int_equal(s.error, TG_JSON_E_DEPTH);
    assert_int_equal(s.error_offset, 5 * TG_JSON_DEPTH_MAX);
}


static void
test_deepest_nesting_is_remembered(void **state)
{
    char      text[TG_JSON_DEPTH_MAX * 6], *p = text;
    tg_json_t s;

    (void) state;

    for (unsigned i = 0; i < TG_JSON_DEPTH_MAX; i++) {
        p += sprintf(p, "%s", i % 3 == 1 ? "{\"\":" : "[");
    }

    p += sprintf(p, "0");

    for (unsigned i = TG_JSON_DEPTH_MAX; i-- > 0; /* void */ ) {
        *p++ = i % 3 == 1 ? '}' : ']';
    }

    tg_json_init(&s, NULL, 0, NULL, NULL);
    assert_int_equal(tg_json_feed(&s, text, (size_t) (p - text)), TG_OK);
    assert_int_equal(tg_json_finish(&s), TG_OK);

    p[-500] = p[-500] == '}' ? ']' : '}';
    tg_json_init(&s, NULL, 0, NULL, NULL);
    assert_int_equal(tg_json_feed(&s, text, (size_t) (p - text)), TG_ERROR);
    assert_int_equal(s.error_offset, p - 500 - text);
}


static void
test_length_of_numbers_is_limited(void **state)
{
    static char             digits[1000000];
    char                    text[TG_JSON_NUMBER_MAX + 8];
    tg_json_want_t          want = { "[]", 1, 0 };
    const tg_json_paths_t  *paths = compile(&want, 1);
    tg_json_t               s;

    (void) state;

    memset(digits, '7', sizeof(digits));
    tg_json_init(&s, NULL, 0, NULL, NULL);
    assert_int_equal(tg_json_feed(&s, digits, sizeof(digits)), TG_ERROR);
    assert_int_equal(s.error, TG_JSON_E_LONG_NUMBER);
    assert_int_equal(s.error_offset, TG_JSON_NUMBER_MAX);

    sprintf(text, "[%.*s]", TG_JSON_NUMBER_MAX, digits);
    assert_int_equal(scan(paths, 0, text), TG_JSON_E_NONE);
    assert_non_null(strstr(seen.p, "2 id 1 index 0 raw 0 key -1 start 1 "
                                   "end 513 comma -1 next -1 1 7777"));

    sprintf(text, "[%.*s]", TG_JSON_NUMBER_MAX + 1, digits);
    assert_int_equal(scan(paths, 0, text), TG_JSON_E_LONG_NUMBER);
}


static void
test_endless_string_needs_no_memory(void **state)
{
    static char             piece[65536];
    tg_json_want_t          want = { "a", 1, TG_JSON_COUNT };
    const tg_json_paths_t  *paths = compile(&want, 1);
    size_t                  used = tg_arena_used(arena);
    tg_json_t               s;

    (void) state;

    memset(piece, 'x', sizeof(piece));
    watch_clear(&seen);
    tg_json_init(&s, paths, 0, watch_handler, &seen);

    assert_int_equal(tg_json_feed(&s, "{\"a\":\"", 6), TG_OK);
    for (unsigned i = 0; i < 1024; i++) {
        assert_int_equal(tg_json_feed(&s, piece, sizeof(piece)), TG_OK);
    }
    assert_int_equal(tg_json_feed(&s, "\"}", 2), TG_OK);
    assert_int_equal(tg_json_finish(&s), TG_OK);

    assert_non_null(strstr(seen.p, " raw 67108864 "));
    assert_int_equal(tg_arena_used(arena), used);
}


static void
test_every_error_has_a_sentence(void **state)
{
    (void) state;

    for (int i = TG_JSON_E_NONE; i <= TG_JSON_E_STOPPED; i++) {
        assert_string_not_equal(tg_json_strerror((tg_json_errcode_t) i),
                                tg_json_strerror((tg_json_errcode_t) 99));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_every_corner_of_the_rfc_is_decided),
        cmocka_unit_test(test_any_cut_of_random_input_gives_the_same),
        cmocka_unit_test(test_paths_find_members_and_elements),
        cmocka_unit_test(test_root_can_be_wanted),
        cmocka_unit_test(test_keys_are_compared_decoded),
        cmocka_unit_test(test_names_up_to_the_maximum_can_be_wanted),
        cmocka_unit_test(test_malformed_paths_are_refused),
        cmocka_unit_test(test_deepest_path_is_followed),
        cmocka_unit_test(test_exhausted_memory_is_an_error),
        cmocka_unit_test(test_reset_starts_afresh_and_offsets_go_on),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_deepest_nesting_is_remembered),
        cmocka_unit_test(test_length_of_numbers_is_limited),
        cmocka_unit_test(test_endless_string_needs_no_memory),
        cmocka_unit_test(test_every_error_has_a_sentence)
    };

    return cmocka_run_group_tests_name("json", tests, scan_setup,
                                       scan_teardown);
}
