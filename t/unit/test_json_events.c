/*
 * The streaming scanner: what it tells of the values it finds.
 */

#include "json_scan.h"

static const char *
text_of(const char *text, uint16_t options)
{
    static char     out[2 * TG_JSON_VALUE_MAX];
    tg_json_want_t  want = { "", 1, options };
    const char     *p;

    (void) scan(compile(&want, 1), 0, text);

    p = strstr(seen.p, "text 1: ");
    if (p == NULL) {
        return "";
    }

    snprintf(out, sizeof(out), "%.*s", (int) strcspn(p + 8, "\n"), p + 8);

    return out;
}


static void
test_duplicates_of_wanted_keys_are_reported(void **state)
{
    tg_json_want_t  wants[] = { { "model", 1, 0 }, { "m[].k", 2, 0 },
                                { "o.p.q", 3, 0 }, { "o.r", 4, 0 } };
    const tg_json_paths_t  *paths = compile(wants, COUNT(wants));

    (void) state;

    (void) scan(paths, 0, "{\"model\":1,\"x\":{},\"mod\\u0065l\":2}");
    assert_non_null(strstr(seen.p, "12 id 1 index 0 raw 0 key 18 start 31 "
                                   "end -1 comma -1 next -1 0 \n2 id 1"));

    (void) scan(paths, 0, "{\"m\":[{\"k\":1},{\"k\":2},{\"k\":3,\"k\":4}]}");
    assert_non_null(strstr(seen.p, "12 id 2 index 2 "));
    assert_null(strstr(strstr(seen.p, "12 id 2 ") + 1, "12 id "));

    /* a part of longer paths goes by the first of them */
    (void) scan(paths, 0, "{\"o\":{\"p\":{},\"p\":1},\"o\":[]}");
    assert_non_null(strstr(seen.p, "12 id 3 index 0 raw 0 key 13 "));
    assert_non_null(strstr(seen.p, "12 id 3 index 0 raw 0 key 20 "));

    (void) scan(paths, 0, "{\"x\":1,\"x\":2,\"y\":{\"model\":1,\"model\":1}}");
    assert_null(strstr(seen.p, "12 id"));
}


static void
test_values_are_decoded(void **state)
{
    tg_json_want_t          want = { "", 1, 0 };
    const tg_json_paths_t  *paths = compile(&want, 1);

    (void) state;

    assert_string_equal(
        values(paths, 0, "\"\\\"\\\\\\/\\b\\f\\n\\r\\tx\\u0041\\u00e9"
                         "\\u20ac\""),
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
    assert_string_equal(
        values(paths, 0, "\"\\ud83dx\\ud83d\\n\\ud83d\\u0041\""),
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

        value = strstr(seen.p, cases[i].truncated ? "next -1 1 "
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
    assert_memory_equal(seen.p, "1 id 1 index 0 raw 11 key 1 start 5 end 18 "
                                "comma -1 next -1 0 \n", 62);
    (void) scan(paths, 0, "{\"c\":12}");
    assert_non_null(strstr(seen.p, " 0 12\n"));
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
    assert_non_null(strstr(seen.p, "9\xe4\xb8\xad\\end\n"
                                   "1 id 1 index 0 raw 785 "));
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
    assert_non_null(strstr(seen.p, "9 id 3 index 0 raw 0 key 1 start 5 end 261 "
                                   "comma -1 next -1 0 [ "));
    assert_non_null(strstr(seen.p, " next -1 1 {  "));
    assert_non_null(strstr(seen.p, " 0 abc\n"));
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

    p = strstr(seen.p, "11 id 1 ");
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
                         "{             \"c\":{}}");
}


static void
test_elements_have_ranges_too(void **state)
{
    tg_json_want_t  want = { "[]", 1, TG_JSON_MEMBER };

    (void) state;

    (void) scan(compile(&want, 1), 0, "[1, {}]");
    assert_non_null(strstr(seen.p, "11 id 1 index 0 raw 0 key -1 start 1 end 2 "
                                   "comma -1 next 2 "));
    assert_non_null(strstr(seen.p, "11 id 1 index 1 raw 0 key -1 start 4 end 6 "
                                   "comma 2 next 6 "));
}


static unsigned
documents(void)
{
    unsigned     n = 0;
    const char  *p = seen.p;

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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
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
        cmocka_unit_test(test_handler_can_stop_the_scan)
    };

    return cmocka_run_group_tests_name("json_events", tests, scan_setup,
                                       scan_teardown);
}
