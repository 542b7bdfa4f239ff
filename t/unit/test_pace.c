/* How fast a backend is, and what it has not read yet. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tg_pace.h"

#define S  INT64_C(1000000000)

static tg_pace_t       p;
static tg_pace_view_t  v;
static int64_t         now;


static void
begin(void)
{
    memset((void *) &p, 0, sizeof(p));
    now = 1000 * S;
}


/* -1: the page does not say. */
static void
page(int64_t running, int64_t waiting, int64_t kv, int64_t prompts,
    int64_t outputs, int64_t calls, int64_t tokens)
{
    tg_engine_facts_t  f;
    const int64_t      said[] = { running, waiting, kv, prompts, outputs };
    const tg_fact_t    of[] = { TG_FACT_RUNNING, TG_FACT_WAITING, TG_FACT_KV,
                                TG_FACT_PROMPT_TOKENS, TG_FACT_OUTPUT_TOKENS };

    memset(&f, 0, sizeof(f));

    for (unsigned i = 0; i < 5; i++) {
        if (said[i] >= 0) {
            f.known |= UINT32_C(1) << of[i];
            f.value[of[i]] = said[i];
        }
    }

    tg_pace_scraped(&p, &f, calls, tokens, now);
    tg_pace_view(&p, now, &v);
}


static void
test_what_was_sent_is_read_after_a_while(void **state)
{
    (void) state;

    begin();
    tg_pace_view(&p, now, &v);
    assert_true(v.unread <= 0);
    tg_pace_sent(&p, 6000, 100, now);
    tg_pace_sent(&p, 2000, 300, now);
    tg_pace_view(&p, now, &v);
    assert_true(v.unread > 7999 && v.unread < 8001);
    assert_int_equal(v.given, 8400);
    assert_true(v.output > 100 && v.output < 300);

    tg_pace_view(&p, now + S / 10, &v);         /* TG_PACE_READ */
    assert_true(v.unread > 2900 && v.unread < 3100);
    tg_pace_view(&p, now + S, &v);
    assert_true(v.unread <= 0);

    /* A clock that is late by a moment. */
    tg_pace_view(&p, now - 5000000, &v);
    assert_true(v.unread > 7999 && v.unread < 8001);
}


/* With a rate that is too low, what is idle would look full. */
static void
test_it_is_fast_until_pages_have_told(void **state)
{
    (void) state;

    begin();

    for (int64_t i = 0; i < 8; i++) {
        page(1, 0, -1, 100 * i, 0, 1, 0);
        assert_true(v.read >= TG_PACE_READ);
        now += S;
    }

    page(1, 0, -1, 800, 0, 1, 0);
    assert_true(v.read >= TG_PACE_SLOW && v.read <= TG_PACE_SLOW);
}


static void
test_a_faster_engine_has_read_sooner(void **state)
{
    (void) state;

    begin();

    for (int64_t i = 0; i < 20; i++) {
        page(4, 0, -1, 40000 * i, 0, 4, 0);
        now += S;
    }

    tg_pace_sent(&p, 60000, 0, now);
    tg_pace_view(&p, now + S, &v);
    assert_true(v.read > 50000 && v.unread < 10000);
}


static void
test_a_quiet_hour_does_not_make_it_slow_at_once(void **state)
{
    double  read;

    (void) state;

    begin();

    for (int64_t i = 0; i < 20; i++) {
        page(4, 0, -1, 40000 * i, 0, 4, 0);
        now += S;
    }

    read = v.read;

    for (int64_t i = 0; i < 60; i++) {
        page(0, 0, -1, 800000, 0, 0, 0);
        now += S;
    }

    assert_true(v.read > 0.8 * read);
}


static void
test_writing_is_by_call(void **state)
{
    (void) state;

    begin();

    for (int64_t i = 0; i < 100; i++) {
        page(20, 0, -1, 0, 20 * 50 * i, 20, 0);
        now += S;
    }

    assert_true(v.write > 49 && v.write < 51);

    /* One call alone is not slower. */
    for (int64_t i = 0; i < 100; i++) {
        page(1, 0, -1, 0, 100000 + 50 * i, 1, 0);
        now += S;
    }

    assert_true(v.write > 45 && v.write < 60);
}


static void
test_a_restart_is_no_speed(void **state)
{
    double  write;

    (void) state;

    begin();

    for (int64_t i = 0; i < 10; i++) {
        page(10, 0, -1, 0, 100000 + 500 * i, 10, 0);
        now += S;
    }

    write = v.write;
    page(10, 0, -1, 0, 0, 10, 0);
    assert_true(v.write >= write && v.write <= write);
    now += S;
    page(10, 0, -1, 0, 500, 10, 0);
    assert_true(v.write > 0.9 * write && v.write < 1.1 * write);
    tg_pace_forget(&p);
    tg_pace_view(&p, now, &v);
    assert_true(v.write <= 0 && v.slots <= 0 && v.others < 0);
}


static void
test_places_are_those_that_ran_while_others_waited(void **state)
{
    (void) state;

    begin();
    page(12, 0, -1, 0, 0, 12, 0);
    assert_true(v.slots <= 0);
    page(16, 1, -1, 0, 0, 17, 0);       /* for the next step */
    assert_true(v.slots <= 0);
    page(16, 9, -1, 0, 0, 25, 0);
    assert_true(v.slots > 15.9 && v.slots < 16.1);

    /* More run after all. */
    page(32, 0, -1, 0, 0, 32, 0);
    assert_true(v.slots > 31.9);

    /* A few long ones fill it: that is not for want of places. */
    page(4, 9, -1, 0, 0, 13, 0);
    assert_true(v.slots > 31.9);
}


static void
test_room_is_what_our_tokens_fill(void **state)
{
    (void) state;

    begin();

    for (unsigned i = 0; i < 7; i++) {
        page(10, 0, 250000, 0, 0, 10, 20000);
    }

    assert_true(v.room <= 0);
    page(10, 0, 250000, 0, 0, 10, 20000);
    assert_true(v.room > 79000 && v.room < 81000);

    /* An old page, of when it was full. */
    page(10, 0, 900000, 0, 0, 10, 600);
    assert_true(v.room > 40000);

    /* What is not seen again is forgotten. */
    for (unsigned i = 0; i < 1000; i++) {
        page(0, 0, 0, 0, 0, 0, 0);
    }

    assert_true(v.room > 100000);

    /* Of whose calls it is full, is not known: nothing is learned. */
    begin();

    for (unsigned i = 0; i < 20; i++) {
        page(20, 0, 500000, 0, 0, 10, 20000);
    }

    assert_true(v.room <= 0);
    assert_true(v.others > 9 && v.others < 11);
}


static void
test_one_old_page_makes_no_strangers(void **state)
{
    (void) state;

    begin();

    for (unsigned i = 0; i < 40; i++) {
        page(i % 2 ? 15 : 5, 0, -1, 0, 0, 10, 0);
    }

    assert_true(v.others < 1);
}


static void
test_counters_of_any_size_are_taken(void **state)
{
    (void) state;

    begin();
    page(INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, 0, INT64_MAX);
    now += S;
    page(0, 0, 0, INT64_MAX, INT64_MAX, INT64_MAX, 0);
    assert_true(v.read >= TG_PACE_SLOW);
    now += S;
    page(1, 1, 1, 1, 1, 1, 1);
    tg_pace_sent(&p, UINT32_MAX, UINT32_MAX, now);
    tg_pace_sent(&p, UINT32_MAX, UINT32_MAX, now);
    tg_pace_view(&p, now, &v);
    assert_true(v.unread <= UINT32_MAX);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_what_was_sent_is_read_after_a_while),
        cmocka_unit_test(test_it_is_fast_until_pages_have_told),
        cmocka_unit_test(test_a_faster_engine_has_read_sooner),
        cmocka_unit_test(test_a_quiet_hour_does_not_make_it_slow_at_once),
        cmocka_unit_test(test_writing_is_by_call),
        cmocka_unit_test(test_a_restart_is_no_speed),
        cmocka_unit_test(test_places_are_those_that_ran_while_others_waited),
        cmocka_unit_test(test_room_is_what_our_tokens_fill),
        cmocka_unit_test(test_one_old_page_makes_no_strangers),
        cmocka_unit_test(test_counters_of_any_size_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
