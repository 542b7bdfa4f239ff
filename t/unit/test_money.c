#include "tg_money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>


static void
test_sums_saturate(void **state)
{
    (void) state;

    assert_true(tg_money_add(2, 3) == 5);
    assert_true(tg_money_add(-2, 3) == 1);
    assert_true(tg_money_add(INT64_MAX, 1) == INT64_MAX);
    assert_true(tg_money_add(INT64_MAX, INT64_MAX) == INT64_MAX);
    assert_true(tg_money_add(INT64_MIN, -1) == INT64_MIN);
    assert_true(tg_money_add(INT64_MAX, INT64_MIN) == -1);
}


static void
test_cost_rounds_half_away_from_zero(void **state)
{
    (void) state;

    assert_true(tg_money_cost(1, 499999) == 0);
    assert_true(tg_money_cost(1, 500000) == 1);
    assert_true(tg_money_cost(1, 1499999) == 1);
    assert_true(tg_money_cost(1, 1500000) == 2);
    assert_true(tg_money_cost(-1, 500000) == -1);
    assert_true(tg_money_cost(-1, 499999) == 0);
    assert_true(tg_money_cost(0, INT64_MAX) == 0);

    /* 1,234,567 tokens at $2.50 a million */
    assert_true(tg_money_cost(1234567, INT64_C(2500000000))
                == INT64_C(3086417500));

    /* 7 tokens at $0.075 a million: 525 nano-dollars */
    assert_true(tg_money_cost(7, 75000000) == 525);
}


static void
test_cost_saturates(void **state)
{
    (void) state;

    assert_true(tg_money_cost(INT64_MAX, INT64_MAX) == INT64_MAX);
    assert_true(tg_money_cost(INT64_MIN, INT64_MAX) == INT64_MIN);
    assert_true(tg_money_cost(INT64_MAX, 1000000) == INT64_MAX);
    assert_true(tg_money_cost(INT64_MAX, 999999) < INT64_MAX);
    assert_true(tg_money_cost(INT64_MAX, 1) == INT64_C(9223372036855));
}


static void
test_discount_is_exact_and_rounded_once(void **state)
{
    (void) state;

    /* 12% off 1,234,567 tokens at $2.50 a million: 2,716,047,400 */
    assert_true(tg_money_charge(1234567, 1, INT64_C(2500000000), 880000)
                == INT64_C(2716047400));

    /* 1.5 nano-dollars less a third ppm-wise: 1.5 x 0.666667 = 1.0000005 */
    assert_true(tg_money_charge(1, 1, 1500000, 666667) == 1);

    /* 0.625 nano-dollars, 20% off: exactly a half */
    assert_true(tg_money_charge(1, 1, 625000, 800000) == 1);
    assert_true(tg_money_charge(1, 1, 624999, 800000) == 0);

    assert_true(tg_money_charge(INT64_MAX, 1, INT64_MAX, 0) == 0);
    assert_true(tg_money_charge(INT64_MAX, 1, INT64_MAX, 1) == INT64_MAX);

    /* 1,500 ms at $0.0001 a second */
    assert_true(tg_money_charge(1500, 1000, INT64_C(100000000000), TG_PPM)
                == 150000);
}


static void
test_ceil_never_falls_below(void **state)
{
    (void) state;

    assert_true(tg_money_ceil(1, 1, TG_PPM) == 1);
    assert_true(tg_money_ceil(1, 1000000, TG_PPM) == 1);
    assert_true(tg_money_ceil(1, 1000001, TG_PPM) == 2);
    assert_true(tg_money_ceil(0, 5, TG_PPM) == 0);
    assert_true(tg_money_ceil(INT64_MAX, INT64_MAX, TG_PPM) == INT64_MAX);
}


static void
check_text(int64_t nusd, const char *want)
{
    char    buf[TG_MONEY_TEXT_MAX];
    size_t  len;

    len = tg_money_text(buf, nusd);

    assert_string_equal(buf, want);
    assert_true(len == strlen(want));
}


static void
test_text_is_exact_without_trailing_zeros(void **state)
{
    (void) state;

    check_text(0, "0");
    check_text(1, "0.000000001");
    check_text(123000, "0.000123");
    check_text(INT64_C(12000000000), "12");
    check_text(INT64_C(12500000000), "12.5");
    check_text(100000000, "0.1");
    check_text(-1, "-0.000000001");
    check_text(INT64_MAX, "9223372036.854775807");
    check_text(INT64_MIN, "-9223372036.854775808");
}


static void
check_parse(const char *text, int scale, int64_t want)
{
    int64_t  got;

    got = tg_money_parse(tg_strz(text), scale);

    if (got != want) {
        fail_msg("\"%s\" at %d: %lld, not %lld", text, scale, (long long) got,
                 (long long) want);
    }
}


static void
test_parse_is_exact(void **state)
{
    (void) state;

    check_parse("0", 9, 0);
    check_parse("0.0025", 9, 2500000);
    check_parse("1.5e-07", 15, 150000000);
    check_parse("1.5E-07", 9, 150);
    check_parse("2.50", 9, INT64_C(2500000000));
    check_parse("1e3", 9, INT64_C(1000000000000));
    check_parse("1e+3", 0, 1000);
    check_parse("9223372036.854775807", 9, INT64_MAX);
    check_parse("0.000000000000000000000000000001e30", 9, TG_NUSD_PER_USD);
    check_parse("10000000000000000000000000000000e-31", 9, TG_NUSD_PER_USD);
    check_parse("0e999999999999999999999", 9, 0);
    check_parse("1e-999999999999999999999", 9, 0);
    check_parse("0.1", 9, 100000000);
    check_parse("0.3", 15, INT64_C(300000000000000));
}


static void
test_parse_rounds_half_away_from_zero(void **state)
{
    (void) state;

    check_parse("0.0000000005", 9, 1);
    check_parse("0.00000000049999999999999999999", 9, 0);
    check_parse("1.0000000015", 9, INT64_C(1000000002));
    check_parse("5e-10", 9, 1);
    check_parse("4.9e-10", 9, 0);
    check_parse("9e-11", 9, 0);
}


static void
test_parse_refuses_what_is_no_number_or_does_not_fit(void **state)
{
    static const char *const  bad[] = {
        "", " 1", "1 ", "+1", "-1", "-0", "01", ".5", "1.", "1.e5", "1e", "1e+",
        "1e5x", "0x10", "NaN", "Infinity", "1,5", "1..5", "$1", "--1"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        check_parse(bad[i], 9, -1);
    }

    check_parse("9223372036.854775808", 9, -1);
    check_parse("1e10", 9, -1);
    check_parse("1e999999999999999999999", 9, -1);
    check_parse("99999999999999999999999", 0, -1);
}


static void
test_text_and_parse_agree(void **state)
{
    char      buf[TG_MONEY_TEXT_MAX];
    size_t    len;
    uint64_t  v = 1;

    (void) state;

    for (int i = 0; i < 2000; i++) {
        v = v * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);

        len = tg_money_text(buf, (int64_t) (v >> (1 + i % 60)));

        assert_true(tg_money_parse(tg_str_of(buf, len), 9)
                    == (int64_t) (v >> (1 + i % 60)));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_sums_saturate),
        cmocka_unit_test(test_cost_rounds_half_away_from_zero),
        cmocka_unit_test(test_cost_saturates),
        cmocka_unit_test(test_discount_is_exact_and_rounded_once),
        cmocka_unit_test(test_ceil_never_falls_below),
        cmocka_unit_test(test_text_is_exact_without_trailing_zeros),
        cmocka_unit_test(test_parse_is_exact),
        cmocka_unit_test(test_parse_rounds_half_away_from_zero),
        cmocka_unit_test(test_parse_refuses_what_is_no_number_or_does_not_fit),
        cmocka_unit_test(test_text_and_parse_agree),
    };

    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
