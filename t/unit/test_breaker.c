/* What has failed is not tried for a while. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tg_breaker.h"

static tg_breakers_t  b;


static uint64_t
begin(void)
{
    memset(&b, 0, sizeof(b));

    return tg_breaker_key(tg_str("openai"), tg_str("gpt-x"));
}


static bool
is_closed(uint64_t key, int64_t now)
{
    return tg_breaker_closed(&b, key, now, false);
}


static void
test_it_opens_after_failures_in_a_row(void **state)
{
    uint64_t  key = begin();

    (void) state;

    for (unsigned i = 0; i < 3 * TG_BREAKER_FAILURES; i++) {
        assert_true(is_closed(key, 1000));
        tg_breaker_failed(&b, key, 1000, -1);

        if (i % 2) {
            tg_breaker_worked(&b, key, 1000);
        }
    }

    begin();

    for (unsigned i = 0; i < TG_BREAKER_FAILURES; i++) {
        assert_true(is_closed(key, 1000));
        tg_breaker_failed(&b, key, 1000, -1);
    }

    assert_false(is_closed(key, 1000));
    assert_false(is_closed(key, 1000 + TG_BREAKER_FIRST_MS - 1));
    assert_true(is_closed(key, 1000 + TG_BREAKER_FIRST_MS));

    /* Another one is none of its business. */

    assert_true(is_closed(tg_breaker_key(tg_str("openai"), tg_str("gpt-y")),
                          1000));
}


static void
test_one_call_tries_it_again(void **state)
{
    int64_t   now = 1000, ms = TG_BREAKER_FIRST_MS;
    uint64_t  key = begin();

    (void) state;

    for (unsigned i = 0; i < TG_BREAKER_FAILURES; i++) {
        tg_breaker_failed(&b, key, now, -1);
    }

    /* Each time for twice as long, up to the most. */

    for (unsigned i = 0; i < 8; i++) {
        assert_false(is_closed(key, now + ms - 1));
        now += ms;
        assert_true(tg_breaker_closed(&b, key, now, true));
        assert_false(tg_breaker_closed(&b, key, now, true));
        assert_false(is_closed(key, now + 1));
        tg_breaker_failed(&b, key, now, -1);
        ms = 2 * ms < TG_BREAKER_MOST_MS ? 2 * ms : TG_BREAKER_MOST_MS;
    }

    /* A probe of which nothing is heard is not waited for. */

    now += ms;
    assert_true(tg_breaker_closed(&b, key, now, true));
    assert_false(is_closed(key, now + TG_BREAKER_PROBE_MS - 1));
    assert_true(tg_breaker_closed(&b, key, now + TG_BREAKER_PROBE_MS, true));

    /* And what works is as new. */

    tg_breaker_worked(&b, key, now);
    assert_true(is_closed(key, now));
    tg_breaker_failed(&b, key, now, -1);
    assert_true(is_closed(key, now));
}


static void
test_a_retry_after_opens_it_until_then(void **state)
{
    uint64_t  key = begin();

    (void) state;
    tg_breaker_failed(&b, key, 1000, 30000);
    assert_false(is_closed(key, 30999));
    assert_true(is_closed(key, 31000));

    /* What was sent before does not close it. */

    tg_breaker_worked(&b, key, 900);
    assert_false(is_closed(key, 2000));
    tg_breaker_worked(&b, key, 31000);
    assert_true(is_closed(key, 2000));

    tg_breaker_failed(&b, key, 1000, INT64_C(1) << 40);
    assert_false(is_closed(key, 1000 + TG_BREAKER_RETRY_MS - 1));
    assert_true(is_closed(key, 1000 + TG_BREAKER_RETRY_MS));

    assert_int_equal(tg_retry_after(tg_str("7")), 7000);
    assert_int_equal(tg_retry_after(tg_str(" 0 ")), 0);
    assert_int_equal(tg_retry_after(tg_str("")), -1);
    assert_int_equal(tg_retry_after(tg_str("-1")), -1);
    assert_int_equal(tg_retry_after(tg_str("Fri, 31 Dec 1999 23:59:59 GMT")),
                     -1);
    assert_int_equal(tg_retry_after(tg_str("99999999999")), -1);
}


static void
test_a_full_table_has_no_more_breakers(void **state)
{
    char      name[16];
    uint64_t  key = begin();

    (void) state;
    tg_breaker_failed(&b, key, 1, 1000);

    for (unsigned i = 0; i < 2 * TG_BREAKERS; i++) {
        (void) snprintf(name, sizeof(name), "m%u", i);
        tg_breaker_failed(&b, tg_breaker_key(tg_str("p"), tg_strz(name)), 1,
                          1000);
    }

    assert_false(is_closed(key, 2));
    assert_true(is_closed(tg_breaker_key(tg_str("p"), tg_strz(name)), 2));
    assert_true(tg_breaker_closed(NULL, key, 2, true));
    tg_breaker_failed(NULL, key, 2, -1);
    tg_breaker_worked(NULL, key, 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_it_opens_after_failures_in_a_row),
        cmocka_unit_test(test_one_call_tries_it_again),
        cmocka_unit_test(test_a_retry_after_opens_it_until_then),
        cmocka_unit_test(test_a_full_table_has_no_more_breakers)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
