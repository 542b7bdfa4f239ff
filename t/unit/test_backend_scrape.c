/* What metrics pages tell: stalls, sleep, throughput, fill; and when they don't. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends.h"

#define UNKNOWN  (-1)


static void
fact(tg_engine_facts_t *f, tg_fact_t which, int64_t value)
{
    if (value != UNKNOWN) {
        f->known |= UINT32_C(1) << which;
        f->value[which] = value;
    }
}


static void
scrape(pool_t *p, unsigned i, int64_t running, int64_t waiting,
    int64_t output)
{
    tg_engine_facts_t  f;

    memset(&f, 0, sizeof(f));
    f.engine = TG_ENGINE_VLLM;
    fact(&f, TG_FACT_RUNNING, running);
    fact(&f, TG_FACT_WAITING, waiting);
    fact(&f, TG_FACT_OUTPUT_TOKENS, output);
    tg_backend_scraped(p->t, p->b[i], &f, &p->gc.check, p->now);
}


static void
check(pool_t *p, unsigned i, tg_health_answer_t answer)
{
    tg_backend_checked(p->t, p->b[i], answer, tg_str_null, &p->gc.check,
                       p->now);
}


static tg_backend_state_t
state_of(pool_t *p, unsigned i)
{
    return view(p, i).state;
}


/* So many seconds of good checks and pages that are the same. */
static void
hang(pool_t *p, unsigned i, int64_t running, int64_t output, unsigned seconds)
{
    while (seconds-- > 0) {
        pass(p, SECOND);
        check(p, i, TG_HEALTH_OK);
        scrape(p, i, running, 0, output);
    }
}


static void
test_who_generates_nothing_is_found(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);
    check(&p, 0, TG_HEALTH_OK);
    scrape(&p, 0, 3, 0, 1000);
    hang(&p, 0, 3, 1000, 119);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);
    hang(&p, 0, 3, 1000, 1);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_STALLED);
    assert_true(view(&p, 0).ejected);
    assert_false(load(&p, 0).usable);

    /* Good checks don't help; a token does. */

    hang(&p, 0, 3, 1000, 10);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_STALLED);
    hang(&p, 0, 3, 1001, 1);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);
    assert_true(load(&p, 0).usable);
    gone(&p);
}


static void
test_who_has_nothing_to_do_is_not_stalled(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);
    check(&p, 0, TG_HEALTH_OK);
    scrape(&p, 0, 0, 0, 1000);
    hang(&p, 0, 0, 1000, 300);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);

    /* The time counts from its first request on. */

    hang(&p, 0, 1, 1000, 119);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);
    hang(&p, 0, 1, 1000, 1);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_STALLED);
    gone(&p);
}


/* No counters; or pages that stop; or it is switched off. */
static void
test_what_is_not_known_is_no_stall(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);
    check(&p, 0, TG_HEALTH_OK);
    hang(&p, 0, 3, UNKNOWN, 300);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);

    scrape(&p, 0, 3, 0, 1000);
    pass(&p, 300 * SECOND);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);

    p.gc.check.stall = 0;
    hang(&p, 0, 3, 1000, 300);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);
    gone(&p);
}


/* Its clients went away, and nobody can tell whether it would generate again. */
static void
test_a_stalled_one_is_tried_later_and_later(void **state)
{
    pool_t    p;
    unsigned  wait = 60;

    (void) state;
    pool(&p, 2);
    check(&p, 0, TG_HEALTH_OK);
    scrape(&p, 0, 1, 0, 5);

    for (unsigned i = 0; i < 4; i++) {
        hang(&p, 0, 1, 5, 120);
        assert_int_equal(state_of(&p, 0), TG_BACKEND_STALLED);
        hang(&p, 0, 0, 5, wait - 1);
        assert_int_equal(state_of(&p, 0), TG_BACKEND_STALLED);
        hang(&p, 0, 0, 5, 2);
        assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);
        wait *= 2;
    }

    gone(&p);
}


static void
test_a_restart_is_no_stall(void **state)
{
    pool_t    p;
    uint32_t  epoch;

    (void) state;
    pool(&p, 2);
    p.gc.check.slow_start = 10000;
    check(&p, 0, TG_HEALTH_OK);
    scrape(&p, 0, 3, 0, 1000);
    hang(&p, 0, 3, 1000, 100);
    epoch = load(&p, 0).epoch;
    hang(&p, 0, 3, 10, 1);
    assert_int_equal(load(&p, 0).ramp, 1);
    assert_int_not_equal(load(&p, 0).epoch, epoch);
    hang(&p, 0, 3, 10, 119);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);
    assert_true(view(&p, 0).decode == 0.0);
    gone(&p);
}


static void
test_a_sleeping_one_is_left_alone(void **state)
{
    pool_t             p;
    tg_gpu_time_t      time;
    tg_engine_facts_t  f;

    (void) state;
    pool(&p, 2);
    memset(&f, 0, sizeof(f));
    check(&p, 0, TG_HEALTH_OK);
    fact(&f, TG_FACT_SLEEPING, 1);
    tg_backend_scraped(p.t, p.b[0], &f, &p.gc.check, p.now);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_SLEEPING);
    assert_false(load(&p, 0).usable);
    assert_false(view(&p, 0).ejected);
    pass(&p, 5 * SECOND);
    check(&p, 0, TG_HEALTH_OK);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_SLEEPING);

    f.value[TG_FACT_SLEEPING] = 0;
    tg_backend_scraped(p.t, p.b[0], &f, &p.gc.check, p.now);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);
    tg_backend_time(p.t, p.b[0], p.now, &time);
    assert_int_equal(time.sleeping, 5 * SECOND);
    assert_int_equal(time.provisioned, 5 * SECOND);
    gone(&p);
}


static void
test_pages_grow_stale(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 1);
    assert_false(load(&p, 0).fresh);
    assert_int_equal(load(&p, 0).waiting, UNKNOWN);
    scrape(&p, 0, 3, 7, UNKNOWN);
    p.now += 3 * SECOND;
    assert_true(load(&p, 0).fresh);
    assert_int_equal(load(&p, 0).running, 3);
    assert_int_equal(load(&p, 0).waiting, 7);
    assert_int_equal(load(&p, 0).kv, UNKNOWN);

    /* A page that can't be read changes nothing. */

    tg_backend_scraped(p.t, p.b[0], NULL, &p.gc.check, p.now);
    p.now += 1;
    assert_false(load(&p, 0).fresh);
    assert_int_equal(load(&p, 0).running, UNKNOWN);
    assert_true(load(&p, 0).usable);
    assert_int_equal(state_of(&p, 0), TG_BACKEND_NEW);

    /* At least 2 s, however often it is asked. */

    p.gc.check.interval = 100;
    scrape(&p, 0, 3, 7, UNKNOWN);
    p.now += 2 * SECOND;
    assert_true(load(&p, 0).fresh);
    p.now += 1;
    assert_false(load(&p, 0).fresh);
    gone(&p);
}


static void
test_what_is_not_ours_is_told(void **state)
{
    pool_t       p;
    tg_ticket_t  k;

    (void) state;
    pool(&p, 1);
    assert_int_equal(load(&p, 0).others, UNKNOWN);
    tg_backend_begin(p.t, p.b[0], p.slot, NULL, p.now, &k);
    scrape(&p, 0, 3, 2, UNKNOWN);
    assert_int_equal(load(&p, 0).others, 4);
    tg_backend_end(p.t, &k, TG_CAME_OK, &p.gc.check, p.now);
    assert_int_equal(load(&p, 0).others, 4);
    scrape(&p, 0, 0, 0, UNKNOWN);
    assert_int_equal(load(&p, 0).others, 0);
    gone(&p);
}


static void
test_others_keep_it_busy(void **state)
{
    pool_t         p;
    tg_gpu_time_t  time;

    (void) state;
    pool(&p, 1);
    scrape(&p, 0, 1, 0, UNKNOWN);
    pass(&p, SECOND);
    scrape(&p, 0, 0, 0, UNKNOWN);
    pass(&p, SECOND);
    tg_backend_time(p.t, p.b[0], p.now, &time);
    assert_int_equal(time.busy, SECOND);
    assert_int_equal(time.idle, SECOND);
    assert_int_equal(time.shared, 0);
    gone(&p);
}


static void
test_tokens_since_the_scrape(void **state)
{
    pool_t       p;
    tg_ticket_t  k[2];
    tg_work_t    w = { 100, 20 };

    (void) state;
    pool(&p, 1);
    tg_backend_begin(p.t, p.b[0], p.slot, &w, p.now, &k[0]);
    assert_int_equal(load(&p, 0).fresh_tokens, 120);
    scrape(&p, 0, 1, 0, UNKNOWN);
    assert_int_equal(load(&p, 0).fresh_tokens, 0);
    assert_int_equal(load(&p, 0).tokens, 120);
    tg_backend_begin(p.t, p.b[0], p.slot, &w, p.now, &k[1]);
    assert_int_equal(load(&p, 0).fresh_tokens, 120);
    tg_backend_end(p.t, &k[0], TG_CAME_OK, &p.gc.check, p.now);
    assert_int_equal(load(&p, 0).fresh_tokens, 120);
    tg_backend_end(p.t, &k[1], TG_CAME_OK, &p.gc.check, p.now);
    assert_int_equal(load(&p, 0).fresh_tokens, 0);
    gone(&p);
}


static void
near(double value, double expected)
{
    assert_true(value > expected * 0.97 && value < expected * 1.03);
}


static void
test_throughput_by_the_engines_counters(void **state)
{
    pool_t   p;
    int64_t  tokens = 1000;

    (void) state;
    pool(&p, 1);
    assert_true(load(&p, 0).decode == 0.0);

    for (unsigned i = 0; i < 60; i++) {
        scrape(&p, 0, 8, 0, tokens += 500);
        pass(&p, SECOND);
    }

    near(load(&p, 0).decode, 500.0);

    /* While it has nothing to do it is not slow. */

    for (unsigned i = 0; i < 600; i++) {
        scrape(&p, 0, 0, 0, tokens);
        pass(&p, SECOND);
    }

    near(load(&p, 0).decode, 500.0);

    for (unsigned i = 0; i < 60; i++) {
        scrape(&p, 0, 8, 0, tokens += 900);
        pass(&p, SECOND);
    }

    near(load(&p, 0).decode, 900.0);
    gone(&p);
}


/* llama.cpp and TGI count tokens when a request has ended: one in ten seconds, of
 * 5000. */
static void
test_tokens_that_are_counted_at_the_end(void **state)
{
    pool_t             p;
    tg_engine_facts_t  f;

    (void) state;
    pool(&p, 1);
    check(&p, 0, TG_HEALTH_OK);
    memset(&f, 0, sizeof(f));
    f.engine = TG_ENGINE_LLAMACPP;
    fact(&f, TG_FACT_RUNNING, 1);
    fact(&f, TG_FACT_STEPS, 0);
    fact(&f, TG_FACT_OUTPUT_TOKENS, 0);

    for (unsigned i = 0; i < 600; i++) {
        tg_backend_scraped(p.t, p.b[0], &f, &p.gc.check, p.now);
        pass(&p, SECOND);
        f.value[TG_FACT_STEPS] += 40;
        f.value[TG_FACT_OUTPUT_TOKENS] += i % 10 == 9 ? 5000 : 0;
    }

    near(load(&p, 0).decode, 500.0);

    /* one that is very long is no stall, as long as there are steps */

    for (unsigned i = 0; i < 600; i++) {
        tg_backend_scraped(p.t, p.b[0], &f, &p.gc.check, p.now);
        pass(&p, SECOND);
        check(&p, 0, TG_HEALTH_OK);
        assert_int_equal(state_of(&p, 0), TG_BACKEND_UP);
        f.value[TG_FACT_STEPS] += 40;
    }

    for (unsigned i = 0; i < 125; i++) {
        tg_backend_scraped(p.t, p.b[0], &f, &p.gc.check, p.now);
        pass(&p, SECOND);
        check(&p, 0, TG_HEALTH_OK);
    }

    assert_int_equal(state_of(&p, 0), TG_BACKEND_STALLED);
    gone(&p);
}


/* Ollama tells of nothing. Two at a time, of 4 s and 200 tokens each. */
static void
test_throughput_by_our_own_calls(void **state)
{
    pool_t       p;
    tg_ticket_t  k[2];

    (void) state;
    pool(&p, 1);

    for (unsigned i = 0; i < 200; i++) {
        for (unsigned n = 0; n < 2; n++) {
            tg_backend_begin(p.t, p.b[0], p.slot, NULL, p.now, &k[n]);
        }

        pass(&p, 4 * SECOND);

        for (unsigned n = 0; n < 2; n++) {
            tg_backend_end(p.t, &k[n], TG_CAME_OK, &p.gc.check, p.now);
            tg_backend_usage(p.t, p.b[0], 1000, 200, 0, 0);
        }

        pass(&p, 2 * SECOND);
    }

    near(load(&p, 0).decode, 100.0);
    near(load(&p, 0).prefill, 500.0);
    gone(&p);
}


static bool
full_at(pool_t *p, int64_t w0, int64_t w1)
{
    pass(p, SECOND);
    scrape(p, 0, 1, w0, UNKNOWN);
    scrape(p, 1, 1, w1, UNKNOWN);
    pass(p, TG_TICK_NS);

    return tg_group_saturated(p->t, p->g, NULL);
}


static void
test_saturated_in_two_scrapes_until_less(void **state)
{
    pool_t    p;
    uint32_t  level;

    (void) state;
    pool(&p, 2);
    assert_false(full_at(&p, 0, 0));
    assert_false(full_at(&p, 5, 5));
    assert_false(full_at(&p, 0, 0));
    assert_false(full_at(&p, 0, 10));
    assert_true(full_at(&p, 8, 2));
    tg_group_saturated(p.t, p.g, &level);
    assert_int_equal(level, 1000);
    assert_true(full_at(&p, 4, 4));
    assert_true(full_at(&p, 4, 5));
    assert_false(full_at(&p, 4, 3));
    assert_false(full_at(&p, 4, 5));
    assert_false(full_at(&p, 5, 5));
    assert_true(full_at(&p, 5, 5));

    /* The same page again is no second one. */

    gone(&p);
    pool(&p, 2);
    assert_false(full_at(&p, 9, 9));
    pass(&p, 2 * SECOND);
    assert_false(tg_group_saturated(p.t, p.g, NULL));
    gone(&p);
}


static void
test_who_tells_nothing_is_not_empty(void **state)
{
    pool_t             p;
    uint32_t           level;
    tg_engine_facts_t  f;

    (void) state;
    pool(&p, 3);
    memset(&f, 0, sizeof(f));
    fact(&f, TG_FACT_KV, 880000);

    for (unsigned i = 0; i < 3; i++) {
        pass(&p, SECOND);
        tg_backend_scraped(p.t, p.b[1], &f, &p.gc.check, p.now);
        pass(&p, TG_TICK_NS);
    }

    assert_true(tg_group_saturated(p.t, p.g, &level));
    assert_int_equal(level, 1100);
    gone(&p);
}


/* Our own count does where there are no pages. */
static void
test_saturated_by_capacity(void **state)
{
    pool_t             p;
    tg_ticket_t        k[4];
    tg_backend_conf_t  bc;

    (void) state;
    pool(&p, 1);
    memset(&bc, 0, sizeof(bc));
    bc.capacity = 4;
    tg_backend_configured(p.t, p.b[0], &bc, p.now);

    for (unsigned i = 0; i < 4; i++) {
        assert_false(tg_group_saturated(p.t, p.g, NULL));
        tg_backend_begin(p.t, p.b[0], p.slot, NULL, p.now, &k[i]);
        pass(&p, i == 3 ? 3 * SECOND : SECOND);
    }

    assert_true(tg_group_saturated(p.t, p.g, NULL));
    tg_backend_end(p.t, &k[0], TG_CAME_OK, &p.gc.check, p.now);
    pass(&p, 2 * SECOND);
    assert_false(tg_group_saturated(p.t, p.g, NULL));
    gone(&p);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_who_generates_nothing_is_found),
        cmocka_unit_test(test_who_has_nothing_to_do_is_not_stalled),
        cmocka_unit_test(test_what_is_not_known_is_no_stall),
        cmocka_unit_test(test_a_stalled_one_is_tried_later_and_later),
        cmocka_unit_test(test_a_restart_is_no_stall),
        cmocka_unit_test(test_a_sleeping_one_is_left_alone),
        cmocka_unit_test(test_pages_grow_stale),
        cmocka_unit_test(test_what_is_not_ours_is_told),
        cmocka_unit_test(test_others_keep_it_busy),
        cmocka_unit_test(test_tokens_since_the_scrape),
        cmocka_unit_test(test_throughput_by_the_engines_counters),
        cmocka_unit_test(test_tokens_that_are_counted_at_the_end),
        cmocka_unit_test(test_throughput_by_our_own_calls),
        cmocka_unit_test(test_saturated_in_two_scrapes_until_less),
        cmocka_unit_test(test_who_tells_nothing_is_not_empty),
        cmocka_unit_test(test_saturated_by_capacity)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
