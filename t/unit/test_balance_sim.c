/* Engines of many kinds behind the balancer: what users would wait. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "balance_sim.h"

#define SEEDS  3


static sim_t
engines(sim_rule_t rule, uint64_t seed, double rate)
{
    sim_t  s;

    memset(&s, 0, sizeof(s));
    s.rule = rule;
    s.seed = seed * 77;
    s.engines = 8;
    s.rate = rate;
    s.seconds = 60;
    s.prompt = 400;
    s.output = 120;
    s.skew = 1.2;
    s.interval = SIM_S;

    return s;
}


static double
p99(sim_rule_t rule, double rate, double slow, unsigned families, double late)
{
    sim_t   s;
    double  sum = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        s = engines(rule, seed, rate);
        s.families = families;
        s.late = late * SIM_S;

        for (unsigned i = 0; i < s.engines; i++) {
            s.speed[i] = i % 2 ? slow : 1;
        }

        sim_run(&s);
        assert_int_equal(s.done, s.n);
        sum += s.p99;
    }

    return sum / SEEDS;
}


/* Engines of one kind, four fifths full.  Who knows all does not do much
 * better. */
static void
test_first_tokens_come_about_as_soon_as_can_be(void **state)
{
    double  ours = p99(SIM_OURS, 34, 1, 0, 0);

    (void) state;

    assert_true(ours < 0.8 * p99(SIM_ROUND_ROBIN, 34, 1, 0, 0));
    assert_true(ours < 0.9 * p99(SIM_LEAST_CONN, 34, 1, 0, 0));
    assert_true(ours < 1.3 * p99(SIM_ORACLE, 34, 1, 0, 0));
}


/* Half of them are half as fast. */
static void
test_slower_engines_get_less(void **state)
{
    double  ours = p99(SIM_OURS, 25, 0.5, 0, 0), fast = 0;
    sim_t   s = engines(SIM_OURS, 5, 25);

    (void) state;

    assert_true(ours < 0.5 * p99(SIM_ROUND_ROBIN, 25, 0.5, 0, 0));
    assert_true(ours < 0.8 * p99(SIM_LEAST_CONN, 25, 0.5, 0, 0));

    for (unsigned i = 1; i < s.engines; i += 2) {
        s.speed[i] = 0.5;
    }

    sim_run(&s);

    for (unsigned i = 0; i < s.engines; i += 2) {
        fast += s.share[i];
    }

    /* Two thirds, about: how much depends on how full they are. */
    assert_true(fast > 0.58 && fast < 0.75);
}


/* What the pages say is 5 s old.  Who trusts in that sends everybody to the
 * same one; we don't. */
static void
test_stale_scrapes_make_no_herd(void **state)
{
    sim_t   s = engines(SIM_OURS, 3, 34);
    double  over, new = p99(SIM_OURS, 34, 1, 0, 0);

    (void) state;

    assert_true(p99(SIM_OURS, 34, 1, 0, 5) < 1.6 * new);
    assert_true(p99(SIM_OURS, 34, 1, 0, 5)
                < 1.1 * p99(SIM_LEAST_CONN, 34, 1, 0, 5));
    assert_true(p99(SIM_SCRAPES, 34, 1, 0, 5) > 10 * new);

    s.late = 5 * SIM_S;
    sim_run(&s);
    over = s.most_over;
    s = engines(SIM_SCRAPES, 3, 34);
    s.late = 5 * SIM_S;
    sim_run(&s);
    assert_true(3 * over < s.most_over);
}


/* Pages that tell of no load, and none at all: not worse than by calls. */
static void
test_without_metrics_it_is_the_shortest_queue_at_least(void **state)
{
    double  least = 0, none = 0, blind = 0;

    (void) state;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        sim_t  s = engines(SIM_LEAST_CONN, seed, 34);

        sim_run(&s);
        least += s.p99;

        s = engines(SIM_OURS, seed, 34);
        s.interval = 0;
        sim_run(&s);
        none += s.p99;

        s = engines(SIM_OURS, seed, 34);
        s.blind = true;
        sim_run(&s);
        blind += s.p99;
    }

    assert_true(none < 1.1 * least);
    assert_true(blind < 1.1 * least);
}


/* 200 beginnings that all share; one engine's cache has room for 26 of them. */
static void
test_affinity_finds_what_was_read(void **state)
{
    double  plain = 0, near = 0, p_plain = 0, p_near = 0;

    (void) state;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        sim_t  s = engines(SIM_OURS, seed, 16);

        s.families = 200;
        sim_run(&s);
        plain += s.hit;
        p_plain += s.p50;

        s = engines(SIM_AFFINITY, seed, 16);
        s.families = 200;
        sim_run(&s);
        near += s.hit;
        p_near += s.p50;
    }

    assert_true(near > 1.5 * plain);
    assert_true(p_near < 0.7 * p_plain);
}


/* Prompts that nothing follows lose little by it. */
static void
test_affinity_costs_little_where_there_is_nothing_to_find(void **state)
{
    (void) state;

    assert_true(p99(SIM_AFFINITY, 34, 1, 0, 0)
                < 1.25 * p99(SIM_OURS, 34, 1, 0, 0));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_first_tokens_come_about_as_soon_as_can_be),
        cmocka_unit_test(test_slower_engines_get_less),
        cmocka_unit_test(test_stale_scrapes_make_no_herd),
        cmocka_unit_test(
            test_without_metrics_it_is_the_shortest_queue_at_least),
        cmocka_unit_test(test_affinity_finds_what_was_read),
        cmocka_unit_test(
            test_affinity_costs_little_where_there_is_nothing_to_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
