/*
 * The streaming scanner: what it accepts, what it reports, and that neither
 * depends on how the input is cut.
 */

#include "json_random.h"
#include "json_vectors.h"

#include <setjmp.h>
#include <cmocka.h>

#define WHOLE   ((watch_cut_t) { 0, 0 })
#define BYTES   ((watch_cut_t) { 0, 1 })
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

static tg_arena_t  *arena;
static watch_t      log1, log2;


static tg_json_paths_t *
compile(const tg_json_want_t *wants, size_t n)
{
    tg_error_t        err = { .code = 0 };
    tg_json_paths_t  *paths;

    paths = tg_json_paths(tg_arena_mem(arena), wants, n, &err);
    if (paths == NULL) {
        print_error("%s\n", err.message);
        fail();
    }

    return paths;
}


static void
assert_same_logs(const char *text, size_t len, watch_cut_t cut)
{
    if (strcmp(log1.p, log2.p) != 0) {
        print_error("%.*s\nwhole:\n%s\ncut at %zu, by %zu:\n%s\n", (int) len,
                    text, log1.p, cut.at, cut.size, log2.p);
        fail();
    }
}


/* Scans text whole and cut in all ways; the whole one's log is in log1. */
static int
scan_all_ways(const tg_json_paths_t *paths, unsigned flags, const char *text,
    size_t len)
{
    watch_cut_t  cut = BYTES;
    int          error = watch_scan(&log1, paths, flags, text, len, WHOLE);

    for (cut.at = 0; cut.at < len; cut.at++) {
        (void) watch_scan(&log2, paths, flags, text, len, cut);
        assert_same_logs(text, len, cut);
        cut.size = 0;
    }

    return error;
}


static int
scan(const tg_json_paths_t *paths, unsigned flags, const char *text)
{
    return scan_all_ways(paths, flags, text, strlen(text));
}


/* The values alone, in lines of "id@index type value". */
static const char *
values(const tg_json_paths_t *paths, unsigned flags, const char *text)
{
    assert_int_equal(scan(paths, flags, text), TG_JSON_E_NONE);

    log1.values_only = true;
    (void) watch_scan(&log1, paths, flags, text, strlen(text), WHOLE);
    log1.values_only = false;

    return log1.p;
}


static const char *
text_of(const char *text, uint16_t options)
{
    static char     out[2 * TG_JSON_VALUE_MAX];
    tg_json_want_t  want = { "", 1, options };
    const char     *p;

    (void) scan(compile(&want, 1), 0, text);

    p = strstr(log1.p, "text 1: ");
    if (p == NULL) {
        return "";
    }

    snprintf(out, sizeof(out), "%.*s", (int) strcspn(p + 8, "\n"), p + 8);

    return out;
}


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

        (void) watch_scan(&log1, paths, flags[i % 4], w.p, w.len, WHOLE);

        for (unsigned j = 0; j < 3; j++) {
            cut.size = sizes[random_next(COUNT(sizes))];
            (void) watch_scan(&log2, paths, flags[i % 4], w.p, w.len, cut);
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
test_duplicates_of_wanted_keys_are_reported(void **state)
{
    tg_json_want_t  wants[] = { { "model", 1, 0 }, { "m[].k", 2, 0 },
                                { "o.p.q", 3, 0 }, { "o.r", 4, 0 } };
    const tg_json_paths_t  *paths = compile(wants, COUNT(wants));

    (void) state;

    (void) scan(paths, 0, "{\"model\":1,\"x\":{},\"mod\\u0065l\":2}");
    assert_non_null(strstr(log1.p, "12 id 1 index 0 raw 0 key 18 start 31 "
                                   "end -1 comma -1 next -1 0 \n2 id 1"));

    (void) scan(paths, 0, "{\"m\":[{\"k\":1},{\"k\":2},{\"k\":3,\"k\":4}]}");
    assert_non_null(strstr(log1.p, "12 id 2 index 2 "));
    assert_null(strstr(strstr(log1.p, "12 id 2 ") + 1, "12 id "));

    /* a part of longer paths goes by the first of them */
    (void) scan(paths, 0, "{\"o\":{\"p\":{},\"p\":1},\"o\":[]}");
    assert_non_null(strstr(log1.p, "12 id 3 index 0 raw 0 key 13 "));
    assert_non_null(strstr(log1.p, "12 id 3 index 0 raw 0 key 20 "));

    (void) scan(paths, 0, "{\"x\":1,\"x\":2,\"y\":{\"model\":1,\"model\":1}}");
    assert_null(strstr(log1.p, "12 id"));
}


static void
test_values_are_decoded(void **state)
{
    tg_json_want_t          want = { "", 1, 0 };
    const tg_json_paths_t  *paths = compile(&want, 1);

    (void) state;

    assert_string_equal(
        values(paths, 0, "\"\\\"\\\\\\/\\b\\f\\n\\r\\tx\\u0041\\u00e9\\u20ac\""),
        "1@0 S \"\\/\b\f\n\r\txA\xc3\xa9\xe2\x82\xac\n");
    assert_string_equal(values(paths, 0, "\"a\\ud83d\\ude00b\""),
                        "1@0 S a\xf0\x9f\x98\x80" "b\n");
    assert_string_equal(values(paths, 0, "\"\\udbff\\udfff\""),
                        "1@0 S \xf4\x8f\xbf\xbf\n");

    /* RFC 8259 section 8.2: lone surrogates */
    assert_string_equal(values(paths, 0, "\"\\ud83d\""),
                        "1@0 S \xef\xbf\xbd\n");
    assert_string_equal(values(paths, 0, "\"\\ude00x\""),
                        "1@0 S \xef\xbf\xbdx\n");
    assert_string_equal(values(paths, 0, "\"\\ud83dx\\ud83d\\n\\ud83d\\u0041\""),
        "1@0 S \xef\xbf\xbdx\xef\xbf\xbd\n\xef\xbf\xbd" "A\n");
    assert_string_equal(values(paths, 0, "\"\\ud83d\\ud83d\\ude00\""),
        "1@0 S \xef\xbf\xbd\xf0\x9f\x98\x80\n");
}


/* A string of n times part, then tail. */
static char *
repeated(const char *part, size_t n, const char *tail)
{
    size_t  len = strlen(part);
    char   *p = tg_alloc(tg_arena_mem(arena), n * len + strlen(tail) + 3), *q;

    assert_non_null(p);
    q = p;
    *q++ = '"';

    for (size_t i = 0; i < n; i++, q += len) {
        memcpy(q, part, len);
    }

    sprintf(q, "%s\"", tail);

    return p;
}


static void
test_long_values_are_cut_between_characters(void **state)
{
    static const struct {
        const char  *part;
        size_t       n;
        const char  *tail;
        size_t       len;
        bool         truncated;
    } cases[] = {
        { "a", 256, "", 256, false },
        { "a", 257, "", 256, true },
        { "a", 1000, "\\n", 256, true },
        { "a", 255, "\\n", 256, false },
        { "a", 256, "\\n", 256, true },
        { "\\n", 256, "", 256, false },
        { "\\u00e9", 128, "", 256, false },
        { "\\u00e9", 129, "", 256, true },
        { "\xe4\xb8\xad", 85, "", 255, false },
        { "\xe4\xb8\xad", 85, "a", 256, false },
        { "\xe4\xb8\xad", 85, "\xc3\xa9", 255, true },
        { "\xe4\xb8\xad", 86, "", 255, true },
        { "\\u4e2d", 86, "x", 255, true },
        { "\\ud83d\\ude00", 64, "", 256, false },
        { "\\ud83d\\ude00", 64, "\\ud83d", 256, true },
        { "a", 253, "\\ud83d\\ude00", 253, true },
        { "a", 253, "\\ud83d", 256, false },
        { "a", 254, "\\ud83d", 254, true }
    };
    tg_json_want_t          want = { "", 1, 0 };
    const tg_json_paths_t  *paths = compile(&want, 1);
    const char             *text, *value;

    (void) state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        text = repeated(cases[i].part, cases[i].n, cases[i].tail);
        (void) scan(paths, 0, text);

        value = strstr(log1.p, cases[i].truncated ? "next -1 1 "
                                                  : "next -1 0 ");
        assert_non_null(value);
        assert_int_equal(strstr(value, "\n13 id 0 ") - (value + 10),
                         cases[i].len);
    }
}


static void
test_counted_strings_have_a_length_only(void **state)
{
    tg_json_want_t          want = { "c", 1, TG_JSON_COUNT };
    const tg_json_paths_t  *paths = compile(&want, 1);

    (void) state;

    (void) scan(paths, 0, "{\"c\":\"a\\n\xc3\xa9\\u0041\"}");
    assert_memory_equal(log1.p, "1 id 1 index 0 raw 11 key 1 start 5 end 18 "
                                "comma -1 next -1 0 \n", 62);
    (void) scan(paths, 0, "{\"c\":12}");
    assert_non_null(strstr(log1.p, " 0 12\n"));
}


static void
test_text_comes_in_pieces(void **state)
{
    char  *text;

    (void) state;

    assert_string_equal(text_of("\"ab\\u0063\\ud83d\\ude00\xc3\xa9\"",
                                TG_JSON_TEXT), "abc\xf0\x9f\x98\x80\xc3\xa9");
    assert_string_equal(text_of("\"\"", TG_JSON_TEXT), "");
    assert_string_equal(text_of("\"\\udc00\"", TG_JSON_TEXT), "\xef\xbf\xbd");

    /* what came before an error has been handed over, however it is cut */
    assert_string_equal(text_of("\"abc\xe4\xb8\\x\"", TG_JSON_TEXT), "abc");
    assert_string_equal(text_of("\"abc\\x\"", TG_JSON_TEXT), "abc");

    text = repeated("0123456789\xe4\xb8\xad", 60, "\\\\end");
    (void) text_of(text, TG_JSON_TEXT);
    assert_non_null(strstr(log1.p, "9\xe4\xb8\xad\\end\n1 id 1 index 0 raw 785 "));
}


static void
test_raw_text_of_containers(void **state)
{
    tg_json_want_t  wants[] = {
        { "s", 1, TG_JSON_RAW }, { "s.x", 2, 0 }, { "l", 3, TG_JSON_RAW }
    };
    const tg_json_paths_t  *paths = compile(wants, COUNT(wants));
    char                    text[700], raw[300];

    (void) state;

    assert_string_equal(values(paths, 0,
        "{\"s\": { \"x\" : \"\\n\" , \"y\":[{}] },\"l\":[1, 2]}"),
        "1@0 { \n2@0 S \n\n1@0 } { \"x\" : \"\\n\" , \"y\":[{}] }\n"
        "3@0 [ \n3@0 ] [1, 2]\n");
    assert_string_equal(values(paths, 0, "{\"s\":{},\"l\":\"x\"}"),
                        "1@0 { \n1@0 } {}\n3@0 S x\n");

    memset(raw, ' ', sizeof(raw));
    sprintf(text, "{\"l\":[%.254s],\"s\":{%.250s\"x\":\"abc\"}}", raw, raw);
    (void) scan(paths, 0, text);
    assert_non_null(strstr(log1.p, "9 id 3 index 0 raw 0 key 1 start 5 end 261 "
                                   "comma -1 next -1 0 [ "));
    assert_non_null(strstr(log1.p, " next -1 1 {  "));
    assert_non_null(strstr(log1.p, " 0 abc\n"));
}


/* What is left of an object without the member that was reported. */
static void
assert_member_can_go(const char *text, const char *expected)
{
    tg_json_want_t  wants[] = { { "m", 1, TG_JSON_MEMBER }, { "m.x", 2, 0 } };
    char            left[200];
    const char     *p;
    int             start, end, key, comma, next;

    assert_int_equal(scan(compile(wants, 2), 0, text), TG_JSON_E_NONE);

    p = strstr(log1.p, "11 id 1 ");
    assert_non_null(p);
    assert_int_equal(sscanf(p, "11 id 1 index 0 raw 0 key %d start %d end %d "
                            "comma %d next %d", &key, &start, &end, &comma,
                            &next), 5);
    assert_true(text[key] == '"' && start > key && end > start && next >= end);
    assert_true(text[next] == ',' || text[next] == '}');
    assert_true(comma == -1 || text[comma] == ',');

    sprintf(left, "%s", text);

    /* one comma goes with it: the one before, else the one behind */
    if (comma != -1) {
        memset(left + comma, ' ', (size_t) (next - comma));
    } else {
        memset(left + key, ' ', (size_t) (next + (text[next] == ',') - key));
    }

    assert_string_equal(left, expected);
    assert_int_equal(scan(NULL, 0, left), TG_JSON_E_NONE);
}


static void
test_members_can_be_cut_out(void **state)
{
    (void) state;

    assert_member_can_go("{\"m\":1}",
                         "{     }");
    assert_member_can_go("{\"m\":1,\"b\":2}",
                         "{      \"b\":2}");
    assert_member_can_go("{\"a\":1 , \"m\" : \"x\" , \"b\":2}",
                         "{\"a\":1             , \"b\":2}");
    assert_member_can_go("{\"a\":[1,{}],\"m\":{\"x\":[1,2],\"y\":3} }",
                         "{\"a\":[1,{}]                       }");
    assert_member_can_go("{\n\"m\": null\n}",
                         "{\n          }");
    assert_member_can_go("{\"a\":{\"m\":1},\"m\":-1.5e3,\"c\":{}}",
                         "{\"a\":{\"m\":1}           ,\"c\":{}}");
    assert_member_can_go("{ \"m\" : [ ] , \"c\":{}}",
                         "{               \"c\":{}}");
}


static void
test_elements_have_ranges_too(void **state)
{
    tg_json_want_t  want = { "[]", 1, TG_JSON_MEMBER };

    (void) state;

    (void) scan(compile(&want, 1), 0, "[1, {}]");
    assert_non_null(strstr(log1.p, "11 id 1 index 0 raw 0 key -1 start 1 end 2 "
                                   "comma -1 next 2 "));
    assert_non_null(strstr(log1.p, "11 id 1 index 1 raw 0 key -1 start 4 end 6 "
                                   "comma 2 next 6 "));
}


static unsigned
documents(void)
{
    unsigned     n = 0;
    const char  *p = log1.p;

    while ((p = strstr(p, "13 id 0 ")) != NULL) {
        n++;
        p++;
    }

    return n;
}


static void
test_elements_of_a_root_array_are_documents(void **state)
{
    tg_json_want_t  wants[] = { { "id", 1, TG_JSON_MEMBER }, { "t[]", 2, 0 } };
    const tg_json_paths_t  *paths = compile(wants, 2);

    (void) state;

    assert_string_equal(values(paths, TG_JSON_ELEMENTS,
        " [ {\"id\":1} ,\r\n{\"t\":[5,6],\"id\":2}, 7, [[]], \"x\" ] "),
        "1@0 # 1\n2@0 # 5\n2@1 # 6\n1@0 # 2\n");
    (void) scan(paths, TG_JSON_ELEMENTS, "[{\"id\":1},2,[{\"id\":1}]]");
    assert_int_equal(documents(), 3);

    assert_string_equal(values(paths, TG_JSON_ELEMENTS, "{\"id\":3}"),
                        "1@0 # 3\n");
    assert_int_equal(scan(paths, TG_JSON_ELEMENTS, "[]"), TG_JSON_E_NONE);
    assert_int_equal(documents(), 0);

    assert_int_equal(scan(paths, TG_JSON_ELEMENTS, "[{}"), TG_JSON_E_TRUNCATED);
    assert_int_equal(documents(), 1);
    assert_int_equal(scan(paths, TG_JSON_ELEMENTS, "[{},]"), TG_JSON_E_SYNTAX);
    assert_int_equal(scan(paths, TG_JSON_ELEMENTS, "[1}"), TG_JSON_E_SYNTAX);
    assert_int_equal(scan(paths, TG_JSON_ELEMENTS, "[1]2"), TG_JSON_E_TRAILING);
    assert_int_equal(scan(paths, TG_JSON_ELEMENTS, "[01]"), TG_JSON_E_NUMBER);
}


static void
test_lines_are_documents(void **state)
{
    tg_json_want_t  wants[] = { { "id", 1, TG_JSON_MEMBER }, { "", 2, 0 } };
    const tg_json_paths_t  *paths = compile(wants, 2);

    (void) state;

    assert_string_equal(values(paths, TG_JSON_LINES,
        "{\"id\":1}\n\r\n{\"id\":2}{\"id\":3}\n7 \"x\"\n-1.5"),
        "2@0 { \n1@0 # 1\n2@0 } \n2@0 { \n1@0 # 2\n2@0 } \n"
        "2@0 { \n1@0 # 3\n2@0 } \n2@0 # 7\n2@0 S x\n2@0 # -1.5\n");
    assert_int_equal(scan(paths, TG_JSON_LINES, ""), TG_JSON_E_NONE);
    assert_int_equal(scan(paths, TG_JSON_LINES, "\n \n"), TG_JSON_E_NONE);
    assert_int_equal(scan(paths, TG_JSON_LINES, "{}\n{"), TG_JSON_E_TRUNCATED);
    assert_int_equal(documents(), 1);
    assert_int_equal(scan(paths, TG_JSON_LINES, "{}\n}\n{}"), TG_JSON_E_SYNTAX);
    assert_int_equal(scan(paths, TG_JSON_LINES, "1,2"), TG_JSON_E_TRAILING);
    assert_int_equal(scan(paths, TG_JSON_LINES, "true\"x\""),
                     TG_JSON_E_TRAILING);
}


static void
test_reset_starts_afresh_and_offsets_go_on(void **state)
{
    tg_json_want_t  want = { "id", 1, TG_JSON_MEMBER };
    tg_json_t       s, copy;

    (void) state;

    watch_clear(&log1);
    tg_json_init(&s, compile(&want, 1), 0, watch_handler, &log1);

    assert_int_equal(tg_json_feed(&s, "{\"id\":[1,x", 10), TG_ERROR);
    assert_int_equal(s.error, TG_JSON_E_SYNTAX);
    assert_int_equal(s.error_offset, 9);
    assert_int_equal(tg_json_feed(&s, "]}", 2), TG_ERROR);
    assert_int_equal(tg_json_finish(&s), TG_ERROR);

    watch_clear(&log1);
    tg_json_reset(&s);
    assert_int_equal(s.error, TG_JSON_E_NONE);
    assert_int_equal(tg_json_feed(&s, "{\"id", 4), TG_OK);

    copy = s;
    memset(&s, 0xff, sizeof(s));
    assert_int_equal(tg_json_feed(&copy, "\":5}", 4), TG_OK);
    assert_int_equal(tg_json_feed(&copy, NULL, 0), TG_OK);
    assert_int_equal(tg_json_finish(&copy), TG_OK);
    assert_int_equal(tg_json_finish(&copy), TG_OK);
    assert_non_null(strstr(log1.p, " key 13 start 18 end 19 "));
}


static int
stop_at(void *data, const tg_json_event_t *ev)
{
    (void) ev;

    return --*(int *) data == 0;
}


static void
test_handler_can_stop_the_scan(void **state)
{
    tg_json_want_t  wants[] = { { "a", 1, TG_JSON_MEMBER }, { "", 2, 0 },
                                { "b", 3, TG_JSON_TEXT } };
    const char     *text = "{\"a\":[1],\"a\":\"x\\n\",\"b\":\"y\\n\",\"a\":tru"
                           "e,\"a\":1}";
    const tg_json_paths_t  *paths = compile(wants, 3);
    tg_json_t               s;
    int                     n, events;

    (void) state;

    for (n = 1; n < 100; n++) {
        events = n;
        tg_json_init(&s, paths, 0, stop_at, &events);

        if (tg_json_feed(&s, text, strlen(text)) == TG_OK) {
            break;
        }

        assert_int_equal(s.error, TG_JSON_E_STOPPED);
        assert_int_equal(events, 0);
        assert_int_equal(tg_json_finish(&s), TG_ERROR);
    }

    assert_int_equal(n, 18);
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
    assert_non_null(strstr(log1.p, "2 id 1 index 0 raw 0 key -1 start 1 end 513 "
                                   "comma -1 next -1 1 7777"));

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
    watch_clear(&log1);
    tg_json_init(&s, paths, 0, watch_handler, &log1);

    assert_int_equal(tg_json_feed(&s, "{\"a\":\"", 6), TG_OK);
    for (unsigned i = 0; i < 1024; i++) {
        assert_int_equal(tg_json_feed(&s, piece, sizeof(piece)), TG_OK);
    }
    assert_int_equal(tg_json_feed(&s, "\"}", 2), TG_OK);
    assert_int_equal(tg_json_finish(&s), TG_OK);

    assert_non_null(strstr(log1.p, " raw 67108864 "));
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


static int
setup(void **state)
{
    (void) state;

    arena = tg_arena_create(0);

    return arena == NULL ? -1 : 0;
}


static int
teardown(void **state)
{
    (void) state;

    tg_arena_destroy(arena);
    free(log1.p);
    free(log2.p);

    return 0;
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
        cmocka_unit_test(test_duplicates_of_wanted_keys_are_reported),
        cmocka_unit_test(test_values_are_decoded),
        cmocka_unit_test(test_long_values_are_cut_between_characters),
        cmocka_unit_test(test_counted_strings_have_a_length_only),
        cmocka_unit_test(test_text_comes_in_pieces),
        cmocka_unit_test(test_raw_text_of_containers),
        cmocka_unit_test(test_members_can_be_cut_out),
        cmocka_unit_test(test_elements_have_ranges_too),
        cmocka_unit_test(test_elements_of_a_root_array_are_documents),
        cmocka_unit_test(test_lines_are_documents),
        cmocka_unit_test(test_reset_starts_afresh_and_offsets_go_on),
        cmocka_unit_test(test_handler_can_stop_the_scan),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_deepest_nesting_is_remembered),
        cmocka_unit_test(test_length_of_numbers_is_limited),
        cmocka_unit_test(test_endless_string_needs_no_memory),
        cmocka_unit_test(test_every_error_has_a_sentence)
    };

    return cmocka_run_group_tests_name("json", tests, setup, teardown);
}
