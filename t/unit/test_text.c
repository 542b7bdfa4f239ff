#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "tg_id.h"
#include "tg_text.h"

static tg_str_t
text_of(tg_text_t *t, char *buf)
{
    return tg_str_of(buf, (size_t) (t->p - buf));
}


static void
assert_text(tg_text_t *t, char *buf, const char *want)
{
    tg_str_t  s = text_of(t, buf);

    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.p, want, s.len);
}


static void
test_integers_and_decimals_are_exact(void **state)
{
    static const struct {
        int64_t      v;
        unsigned     scale;
        const char  *want;
    } cases[] = {
        { 0, 9, "0" }, { 1, 9, "0.000000001" }, { 1500000000, 9, "1.5" },
        { 12, 0, "12" }, { -25, 1, "-2.5" }, { 100, 2, "1" },
        { INT64_MAX, 9, "9223372036.854775807" },
        { INT64_MIN, 9, "-9223372036.854775808" },
        { INT64_MIN, 0, "-9223372036854775808" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char       buf[64];
        tg_text_t  t;

        tg_text_init(&t, buf, sizeof(buf));
        tg_put_decimal(&t, cases[i].v, cases[i].scale);
        assert_text(&t, buf, cases[i].want);
    }

    (void) state;
}


static void
test_times_are_rfc3339(void **state)
{
    static const struct {
        int64_t      ms;
        const char  *want;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 951782399999, "2000-02-28T23:59:59.999Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 1709251199001, "2024-02-29T23:59:59.001Z" },
        { 4102444800000, "2100-01-01T00:00:00.000Z" },
        { 4107542400000, "2100-03-01T00:00:00.000Z" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char       buf[64];
        tg_text_t  t;

        tg_text_init(&t, buf, sizeof(buf));
        tg_put_time(&t, cases[i].ms);
        assert_text(&t, buf, cases[i].want);
    }

    (void) state;
}


static void
test_what_does_not_fit_is_left_out_and_said(void **state)
{
    char       buf[4];
    tg_text_t  t;

    tg_text_init(&t, buf, sizeof(buf));
    tg_put_lit(&t, "abc");
    assert_false(t.full);
    tg_put_lit(&t, "de");
    assert_true(t.full);
    assert_text(&t, buf, "abc");

    (void) state;
}


/* Every run of random bytes, at every limit, gives one valid JSON string. */
static void
test_any_bytes_give_valid_json(void **state)
{
    uint32_t  seed = 1;

    for (int round = 0; round < 20000; round++) {
        char          in[40], out[300];
        size_t        n, max;
        tg_text_t     t;
        json_error_t  e;
        json_t       *v;

        seed = seed * 1664525 + 1013904223;
        n = seed >> 24 & 31;

        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525 + 1013904223;
            in[i] = (char) (seed >> 16);
        }

        max = seed >> 20 & 63;
        tg_text_init(&t, out, sizeof(out));
        tg_put_lit(&t, "\"");
        tg_put_json(&t, tg_str_of(in, n), max);
        assert_true((size_t) (t.p - out) <= max + 1);
        tg_put_lit(&t, "\"");
        assert_false(t.full);

        v = json_loadb(out, (size_t) (t.p - out), JSON_DECODE_ANY
                       | JSON_ALLOW_NUL, &e);
        if (v == NULL) {
            fail_msg("round %d: %s in %.*s", round, e.text,
                     (int) (t.p - out), out);
        }
        json_decref(v);

        for (char *p = out + 1; p < t.p - 1; p++) {
            assert_true((unsigned char) *p >= 0x20 && *p != 0x7f);
        }
    }

    (void) state;
}


/* Whatever the length and wherever a character stands that has to be escaped;
 * neither side has a byte to spare. */
static void
test_long_and_short_text_is_copied_alike(void **state)
{
    for (size_t n = 0; n < 100; n++) {
        for (size_t at = 0; at <= n; at++) {
            char       *copy = malloc(n + (n == 0)), *out = malloc(n + 1);
            char        want[256], *end;
            tg_text_t   t;

            for (size_t i = 0; i < n; i++) {
                copy[i] = i == at ? '"' : (char) ('a' + (i * 7 + n) % 26);
            }

            tg_text_init(&t, want, sizeof(want));
            tg_put_json(&t, tg_str_of(copy, n), n + 1);

            end = tg_text_json(out, tg_str_of(copy, n), n + 1);
            assert_int_equal(end - out, t.p - want);
            assert_memory_equal(out, want, (size_t) (end - out));
            assert_int_equal(end - out, n + (at < n));

            end = tg_text_json(out, tg_str_of(copy, n), n / 2);
            assert_true((size_t) (end - out) <= n / 2);

            free(copy);
            free(out);
        }
    }

    (void) state;
}


static void
test_numbers_of_any_length(void **state)
{
    char     buf[64], want[64];
    int64_t  v = 0;

    for (int i = 0; i < 19; i++) {
        v = v * 10 + (i + 1) % 10;

        for (int64_t d = -1; d <= 1; d++) {
            (void) snprintf(want, sizeof(want), "%lld", (long long) (v + d));
            *tg_text_int(buf, v + d) = '\0';
            assert_string_equal(buf, want);

            (void) snprintf(want, sizeof(want), "%lld", (long long) (-v - d));
            *tg_text_int(buf, -v - d) = '\0';
            assert_string_equal(buf, want);
        }
    }

    (void) state;
}


static void
test_line_separators_and_c1_are_escaped(void **state)
{
    char       buf[64];
    tg_text_t  t;

    tg_text_init(&t, buf, sizeof(buf));
    tg_put_json(&t, tg_str("a\xe2\x80\xa8" "b\xc2\x85\x7f\n\"\\\xff"), 64);
    assert_text(&t, buf, "a\\u2028b\\u0085\\u007f\\n\\\"\\\\\xef\xbf\xbd");

    (void) state;
}


static void
test_ids_are_uuids_of_version_7_and_differ(void **state)
{
    tg_id_source_t  src;
    unsigned char   seed[32] = { 1, 2, 3 };
    char            a[TG_ID_LEN], b[TG_ID_LEN];

    tg_id_seed(&src, seed);
    tg_id_make(&src, 0x0123456789ab, a);
    tg_id_make(&src, 0x0123456789ab, b);

    assert_memory_equal(a, "01234567-89ab-7", 15);
    assert_true(a[19] == '8' || a[19] == '9' || a[19] == 'a' || a[19] == 'b');

    for (size_t i = 0; i < TG_ID_LEN; i++) {
        assert_non_null(strchr(i == 8 || i == 13 || i == 18 || i == 23
                               ? "-" : "0123456789abcdef", a[i]));
    }

    assert_memory_not_equal(a, b, TG_ID_LEN);

    (void) state;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_integers_and_decimals_are_exact),
        cmocka_unit_test(test_times_are_rfc3339),
        cmocka_unit_test(test_what_does_not_fit_is_left_out_and_said),
        cmocka_unit_test(test_any_bytes_give_valid_json),
        cmocka_unit_test(test_long_and_short_text_is_copied_alike),
        cmocka_unit_test(test_numbers_of_any_length),
        cmocka_unit_test(test_line_separators_and_c1_are_escaped),
        cmocka_unit_test(test_ids_are_uuids_of_version_7_and_differ)
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
