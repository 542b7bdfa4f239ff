#include "table/table_int.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>


/* Prints it, to be freed. */
static char *
printed(table_t *t)
{
    char    *text = NULL;
    size_t   n;
    FILE    *to = open_memstream(&text, &n);

    assert_non_null(to);
    assert_true(table_print(t, to));
    (void) fclose(to);

    return text;
}


static table_t *
two_rows(table_format_t format)
{
    table_t  *t = table_new(format, "things");

    assert_non_null(t);
    table_column(t, "who_is_it", CELL_TEXT);
    table_column(t, "cost", CELL_MONEY);
    table_column(t, "share", CELL_PERCENT);
    table_column(t, "bar", CELL_BAR);
    table_column(t, "calls", CELL_COUNT);

    table_text(t, tg_str("=a,\"b\"\n\x1b\xff\u00fc"));
    table_int(t, INT64_C(1234567000000001));
    table_double(t, 0.5);
    table_double(t, 1);
    table_int(t, 1234567);

    table_none(t);
    table_int(t, -500000000);
    table_none(t);
    table_double(t, 0);
    table_int(t, 0);

    table_total(t);
    table_text(t, tg_str("all"));
    table_int(t, INT64_MIN);
    table_double(t, 1);
    table_none(t);
    table_int(t, 7);

    table_note(t, "remark", "That is \"all\".");

    return t;
}


static void
test_a_readable_table(void **state)
{
    char  *text;

    (void) state;
    (void) setenv("LC_ALL", "C", 1);
    text = printed(two_rows(TABLE_TEXT));
    assert_string_equal(text,
        "WHO IS IT                       COST   SHARE  "
        "                          CALLS\n"
        "=a,\"b\"???\u00fc       1,234,567.000000001   50.0%  "
        "####################  1,234,567\n"
        "-                       -0.5               -  "
        "                              0\n"
        "----------------------------------------------"
        "-------------------------------\n"
        "all         -9,223,372,036.854775808  100.0%  "
        "                              7\n"
        "\nThat is \"all\".\n");
    free(text);
}


static void
test_csv(void **state)
{
    char  *text;

    (void) state;
    text = printed(two_rows(TABLE_CSV));
    assert_string_equal(text,
        "who_is_it,cost,cost_nusd,share,calls\r\n"
        "\"'=a,\"\"b\"\"???\u00fc\",1234567.000000001,1234567000000001,0.5,"
        "1234567\r\n"
        ",-0.5,-500000000,,0\r\n");
    free(text);
}


static void
test_json(void **state)
{
    char  *text;

    (void) state;
    text = printed(two_rows(TABLE_JSON));
    assert_string_equal(text,
        "{\n  \"things\": [\n"
        "    {\"who_is_it\": \"=a,\\\"b\\\"\\n\\u001b\ufffd\u00fc\","
        " \"cost\": 1234567.000000001, \"cost_nusd\": 1234567000000001,"
        " \"share\": 0.5, \"calls\": 1234567},\n"
        "    {\"who_is_it\": null, \"cost\": -0.5, \"cost_nusd\": -500000000,"
        " \"share\": null, \"calls\": 0}\n"
        "  ],\n  \"remark\": \"That is \\\"all\\\".\"\n}\n");
    free(text);
}


static void
test_nothing_is_a_table_too(void **state)
{
    char     *text;
    table_t  *t = table_new(TABLE_JSON, "things");

    (void) state;
    table_column(t, "a", CELL_COUNT);
    text = printed(t);
    assert_string_equal(text, "{\n  \"things\": []\n}\n");
    free(text);

    t = table_new(TABLE_TEXT, "things");
    table_column(t, "a", CELL_COUNT);
    text = printed(t);
    assert_string_equal(text, "A\n");
    free(text);
}


/* More than is held in memory. */
static void
test_many_rows(void **state)
{
    char     *text, *p;
    table_t  *t;

    (void) state;

    for (table_format_t f = TABLE_TEXT; f <= TABLE_CSV; f++) {
        t = table_new(f, "things");
        table_column(t, "i", CELL_COUNT);
        table_column(t, "text", CELL_TEXT);

        for (int i = 0; i < 200000; i++) {
            table_int(t, 1000000 + i);
            table_text(t, tg_str("some text that takes room"));
        }

        text = printed(t);
        p = strchr(text, '\n') + 1;

        for (int i = 0; i < 200000; i++) {
            char  line[64];

            (void) snprintf(line, sizeof(line), f == TABLE_CSV ?
                            "%d,some text that takes room\r\n"
                            : "1,%03d,%03d  some text that takes room\n",
                            f == TABLE_CSV ? 1000000 + i : i / 1000, i % 1000);
            assert_memory_equal(p, line, strlen(line));
            p += strlen(line);
        }

        assert_int_equal(*p, '\0');
        free(text);
    }
}


/* As the C library prints them. */
static void
test_numbers_have_nine_digits(void **state)
{
    static const double  some[] = {
        0, -0.0, 1, 10, 0.1, 0.5, 1.0 / 3, 0.25, 1e-9, 9.99999999999e-10, 1e8,
        99999999.5, 999999999, 1e9, 1e22, 1e300, -0.125, 0.0001, 0.00001,
        0.000099999999995, 0.99999999949999, 0.9999999995, 0.99999999951,
        1.000000005, 1.000000015, 0.1250000005, 8.5, 123456789.5, 12345678.25,
        12345678.35, 4503599627370497.5, 1e-5, 1e-4, 1e-7, 1e7, 9999999.9999
    };

    char      expected[64], got[64 + 1];
    double    v;
    uint64_t  r = 1;

    (void) state;

    for (size_t i = 0; i < 400000; i++) {
        r = r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        v = i < sizeof(some) / sizeof(some[0]) ? some[i]
            : i % 4 == 0 ? (double) (r >> 33) / (double) (1 << (r & 31))
            : i % 4 == 1 ? (double) (r >> 40) / 1e9
            : ldexp((double) (r >> 11), -90 + (int) (r & 63));

        (void) snprintf(expected, sizeof(expected), "%.9g", v);
        got[table_number(got, v)] = '\0';
        assert_string_equal(got, expected);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_readable_table),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_nothing_is_a_table_too),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_numbers_have_nine_digits)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
