/* Which backend gets a call: one rule at a time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tg_balance.h"

#define S   INT64_C(1000000000)
#define N   8

/* Of the test with processes, and the calls of each. */
#define PROCESSES  4
#define CALLS      200

static tg_backends_t    *table;
static tg_group_t       *group;
static tg_group_conf_t   gc;
static tg_candidate_t    c[TG_CANDIDATES_MAX];
static tg_balance_ask_t  ask;
static int               slots[PROCESSES];
static int64_t           now;


/* n backends that have been checked and say nothing of their load. */
static void
begin(unsigned n)
{
    char        name[32];
    size_t      size = tg_backends_size();
    tg_error_t  err;

    if (table != NULL) {
        (void) munmap((void *) table, size);
    }

    table = mmap(NULL, size, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(table, MAP_FAILED);
    now = 100 * S;
    assert_int_equal(tg_backends_open((void *) table, size, 1, now, &err),
                     TG_OK);
    group = tg_backends_group(table, tg_str("gpu"));
    assert_non_null(group);

    memset(&gc, 0, sizeof(gc));
    memset(&ask, 0, sizeof(ask));
    gc.check.on = true;
    gc.check.interval = 1000;
    gc.check.rise = 1;
    gc.check.fall = 1;
    gc.check.max_ejected = 100;
    gc.load = 125;
    gc.balance = TG_BALANCE_LEAST_LOAD;
    gc.rest.cost_nusd = -1;
    ask.work.prompt_tokens = 500;
    ask.work.output_tokens = 100;

    for (unsigned i = 0; i < PROCESSES; i++) {
        slots[i] = tg_backends_join(table, 10 + i, 0);
        assert_true(slots[i] >= 0);
    }

    tg_backends_generation(table);

    for (unsigned i = 0; i < n; i++) {
        (void) snprintf(name, sizeof(name), "10.0.0.%u:8000", i);
        c[i].backend = tg_backends_backend(table, group, tg_strz(name), now);
        c[i].weight = 1;
        assert_non_null(c[i].backend);
        tg_backend_configured(table, c[i].backend, &gc.rest, now);
        tg_backend_checked(table, c[i].backend, TG_HEALTH_OK, tg_str(""),
                           &gc.check, now);
    }
}


/* What a page says; -1: it does not. */
static void
page(unsigned i, int64_t running, int64_t waiting, int64_t kv, int64_t outputs)
{
    int64_t            values[TG_FACTS] = { 0 };
    tg_engine_facts_t  f;

    memset(&f, 0, sizeof(f));
    values[TG_FACT_RUNNING] = running;
    values[TG_FACT_WAITING] = waiting;
    values[TG_FACT_KV] = kv;
    values[TG_FACT_OUTPUT_TOKENS] = outputs;

    for (unsigned k = 0; k < TG_FACTS; k++) {
        if ((k == TG_FACT_RUNNING || k == TG_FACT_WAITING || k == TG_FACT_KV
             || k == TG_FACT_OUTPUT_TOKENS) && values[k] >= 0)
        {
            f.known |= UINT32_C(1) << k;
            f.value[k] = values[k];
        }
    }

    f.engine = TG_ENGINE_VLLM;
    tg_backend_scraped(table, c[i].backend, &f, &gc.check, now);
}


static int
pick(unsigned n, uint64_t seed)
{
    return tg_balance_pick(table, group, &gc, c, n, &ask, false, seed, now);
}


static void
sent(unsigned i, int slot, tg_ticket_t *ticket)
{
    tg_ticket_t  t;

    tg_backend_begin(table, c[i].backend, slots[slot], &ask.work, now,
                     ticket != NULL ? ticket : &t);
    tg_balance_sent(table, group, c[i].backend, &ask, now);
}


/* The first k beginnings of a prompt. */
static void
prompt(uint64_t name, unsigned k)
{
    ask.prefixes.n = k;

    for (unsigned i = 0; i < k; i++) {
        ask.prefixes.hash[i] = (name + 1) * UINT64_C(0x9e3779b97f4a7c15)
                               ^ (uint64_t) i << 50;
        ask.prefixes.tokens[i] = 256U << i;
    }

    ask.work.prompt_tokens = 256U << k;
}


static void
test_calls_go_where_fewest_are(void **state)
{
    unsigned  got[N] = { 0 };
    int       i;

    (void) state;

    begin(N);

    for (unsigned k = 0; k < 10 * N; k++) {
        i = pick(N, k);
        assert_in_range(i, 0, N - 1);
        got[i]++;
        sent((unsigned) i, 0, NULL);
        now += S;               /* prompts are read meanwhile */
    }

    for (i = 0; i < N; i++) {
        assert_int_equal(got[i], 10);
    }
}


/* Within one instant, what counts is what has been sent just now. */
static void
test_processes_see_each_others_calls_at_once(void **state)
{
    unsigned  got[N] = { 0 };
    int       i;

    (void) state;

    begin(N);

    for (i = 0; i < N; i++) {
        page((unsigned) i, 0, 0, 0, 1000);
    }

    page(3, 0, 0, 0, 1000);

    for (unsigned k = 0; k < 8 * N; k++) {
        i = pick(N, k);
        got[i]++;
        sent((unsigned) i, k % 2, NULL);
    }

    for (i = 0; i < N; i++) {
        assert_int_equal(got[i], 8);
    }
}


/* Pages that say once that one is idle, and processes that all know it. */
static void
test_processes_in_parallel_make_no_herd(void **state)
{
    int                status;
    pid_t              pids[PROCESSES];
    tg_backend_load_t  l;

    (void) state;

    begin(N);

    for (unsigned i = 0; i < N; i++) {
        page(i, i == 3 ? 0 : 2, 0, i == 3 ? 0 : 100000, 1000);
    }

    for (unsigned k = 0; k < PROCESSES; k++) {
        pids[k] = fork();
        assert_true(pids[k] >= 0);

        if (pids[k] == 0) {
            for (unsigned n = 0; n < CALLS; n++) {
                sent((unsigned) pick(N, k * CALLS + n), (int) k, NULL);
            }

            _exit(0);
        }
    }

    for (unsigned k = 0; k < PROCESSES; k++) {
        assert_int_equal(waitpid(pids[k], &status, 0), pids[k]);
        assert_int_equal(status, 0);
    }

    for (unsigned i = 0; i < N; i++) {
        tg_backend_load(table, c[i].backend, &gc.check, now, &l);
        assert_in_range(l.calls, PROCESSES * CALLS / N * 8 / 10,
                        PROCESSES * CALLS / N * 12 / 10);
    }
}


static void
test_a_long_prompt_is_worth_many_calls_until_it_is_read(void **state)
{
    (void) state;

    begin(2);
    ask.work.prompt_tokens = 20000;
    sent(0, 0, NULL);
    ask.work.prompt_tokens = 200;

    for (unsigned k = 0; k < 10; k++) {
        assert_int_equal(pick(2, k), 1);
        sent(1, 0, NULL);
    }

    /* Read at TG_PACE_READ at least: it is one call now, the other has ten. */
    now += 20 * S;
    assert_int_equal(pick(2, 1), 0);
}


static void
test_calls_that_are_not_ours_count(void **state)
{
    (void) state;

    begin(2);
    page(0, 12, 0, 100000, 1000);
    page(1, 2, 0, 100000, 1000);
    assert_int_equal(pick(2, 1), 1);
    assert_int_equal(pick(2, 2), 1);
}


static void
test_what_is_not_known_is_as_with_the_others_and_never_nothing(void **state)
{
    unsigned  blind = 0;

    (void) state;

    begin(3);
    page(0, 4, 0, 300000, 1000);
    page(1, 6, 0, 500000, 1000);
    page(2, -1, -1, -1, 1000);

    /* It is the mean of both, not the emptiest of all. */
    for (unsigned k = 0; k < 20; k++) {
        assert_int_equal(pick(3, k), 0);
    }

    /* One that tells nothing of its cache is not emptier than who has some. */
    begin(3);
    page(0, 4, 0, 300000, 1000);
    page(1, 4, 0, 300000, 1000);
    page(2, 4, 0, -1, 1000);

    for (unsigned k = 0; k < 300; k++) {
        blind += pick(3, k) == 2;
    }

    assert_in_range(blind, 50, 150);
}


static void
test_a_full_cache_is_avoided(void **state)
{
    (void) state;

    begin(2);

    for (int64_t k = 0; k < 12; k++) {
        page(0, 4, 0, 940000, 4 * 50 * k);
        page(1, 4, 0, 300000, 4 * 50 * k);
        now += S;
    }

    for (unsigned k = 0; k < 5; k++) {
        assert_int_equal(pick(2, k), 1);
        sent(1, 0, NULL);
    }
}


static void
test_stale_pages_count_as_the_mean(void **state)
{
    tg_ticket_t  t[6];

    (void) state;

    begin(3);
    page(0, 0, 0, 0, 1000);             /* as good as it gets, and old */
    now += 10 * S;
    page(1, 2, 0, 100000, 1000);
    page(2, 8, 0, 100000, 1000);
    assert_int_equal(pick(3, 1), 1);

    /* All are old: the shortest queue of our own. */
    now += 10 * S;

    for (unsigned k = 0; k < 6; k++) {
        sent(k % 2, 0, &t[k]);
    }

    now += S;
    assert_int_equal(pick(3, 1), 2);

    for (unsigned k = 0; k < 6; k += 2) {
        (void) tg_backend_end(table, &t[k], TG_CAME_OK, &gc.check, now);
    }

    sent(2, 0, NULL);
    now += S;
    assert_int_equal(pick(3, 1), 0);
}


/* A backend that was idle is not slow, nor is a busy one fast. */
static void
test_less_work_is_not_less_speed(void **state)
{
    unsigned  got[2] = { 0, 0 };

    (void) state;

    begin(2);

    for (int64_t k = 0; k < 30; k++) {
        page(0, 16, 0, -1, 16 * 60 * k);
        page(1, 1, 0, -1, 60 * k);
        now += S;
    }

    /* Both write 60 tokens a second for each of their calls. */
    page(0, 0, 0, -1, 16 * 60 * 30);
    page(1, 0, 0, -1, 60 * 30);

    for (unsigned k = 0; k < 40; k++) {
        int  i = pick(2, k);

        got[i]++;
        sent((unsigned) i, 0, NULL);
        now += S / 100;
    }

    assert_in_range(got[0], 17, 23);
}


static void
test_twice_as_fast_gets_twice_the_calls(void **state)
{
    unsigned  got[2] = { 0, 0 };

    (void) state;

    begin(2);

    for (int64_t k = 0; k < 30; k++) {
        page(0, 10, 0, -1, 10 * 80 * k);
        page(1, 10, 0, -1, 10 * 40 * k);
        now += S;
    }

    page(0, 0, 0, -1, 10 * 80 * 30);
    page(1, 0, 0, -1, 10 * 40 * 30);

    for (unsigned k = 0; k < 60; k++) {
        int  i = pick(2, k);

        got[i]++;
        sent((unsigned) i, 0, NULL);
        now += S / 100;
    }

    assert_in_range(got[0], 37, 43);
}


static void
test_weight_divides(void **state)
{
    unsigned  got[2] = { 0, 0 };

    (void) state;

    begin(2);
    c[0].weight = 3;

    for (unsigned k = 0; k < 80; k++) {
        int  i = pick(2, k);

        got[i]++;
        sent((unsigned) i, 0, NULL);
        now += S;
    }

    assert_in_range(got[0], 57, 63);
}


static void
test_slow_start_gets_little_at_first(void **state)
{
    unsigned  got[2] = { 0, 0 };

    (void) state;

    begin(2);
    gc.check.slow_start = 10000;
    tg_backend_checked(table, c[1].backend, TG_HEALTH_FAILED, tg_str("no"),
                       &gc.check, now);
    assert_int_equal(pick(2, 1), 0);
    now += S;
    tg_backend_checked(table, c[1].backend, TG_HEALTH_OK, tg_str(""),
                       &gc.check, now);
    now += 2 * S;

    for (unsigned k = 0; k < 60; k++) {
        int  i = pick(2, k);

        got[i]++;
        sent((unsigned) i, 0, NULL);
    }

    /* A fifth of a share: 10 of 60. */
    assert_in_range(got[1], 7, 13);
}


static void
test_what_is_down_or_drained_gets_nothing_but_as_a_last_resort(void **state)
{
    (void) state;

    begin(2);
    tg_backend_drain(table, c[0].backend, TG_DRAIN_ADMIN, now);
    assert_int_equal(pick(2, 1), 1);
    tg_backend_drain(table, c[1].backend, TG_DRAIN_ADMIN, now);
    assert_int_equal(pick(2, 1), -1);
    assert_in_range(tg_balance_pick(table, group, &gc, c, 2, &ask, true, 1,
                                    now), 0, 1);
    assert_int_equal(pick(0, 1), -1);
}


static void
test_ties_are_the_seeds(void **state)
{
    unsigned  got[N] = { 0 };

    (void) state;

    begin(N);

    for (unsigned k = 0; k < 800; k++) {
        int  i = pick(N, k);

        assert_int_equal(i, pick(N, k));
        got[i]++;
    }

    for (unsigned i = 0; i < N; i++) {
        assert_in_range(got[i], 60, 140);
    }
}


static void
test_a_prompt_comes_back_to_who_has_read_it(void **state)
{
    int  first, other;

    (void) state;

    begin(N);
    gc.balance = TG_BALANCE_PREFIX_AFFINITY;
    prompt(7, 5);
    first = pick(N, 1);
    sent((unsigned) first, 0, NULL);
    now += 10 * S;

    for (unsigned k = 0; k < 20; k++) {
        assert_int_equal(pick(N, k), first);
    }

    /* By another process, and with more behind the same beginning. */
    ask.prefixes.hash[5] = 99;
    ask.prefixes.tokens[5] = 256 << 5;
    ask.prefixes.n = 6;
    assert_int_equal(pick(N, 3), first);

    /* The longest that somebody has: another one has read all of it. */
    other = (first + 1) % N;
    sent((unsigned) other, 1, NULL);
    now += 20 * S;
    assert_int_equal(pick(N, 3), other);

    /* Without affinity it does not matter. */
    gc.balance = TG_BALANCE_LEAST_LOAD;
    assert_true(pick(N, 3) != other);
}


static void
test_affinity_gives_way_to_a_long_queue(void **state)
{
    int  first, i;

    (void) state;

    begin(N);
    gc.balance = TG_BALANCE_PREFIX_AFFINITY;
    prompt(7, 4);
    first = pick(N, 1);

    /* The whole crowd has the same beginning: it is not all of one's. */
    for (unsigned k = 0; k < 400; k++) {
        i = pick(N, k);

        if (i != first) {
            break;
        }

        sent((unsigned) i, 0, NULL);
    }

    assert_true(i != first);
}


static void
test_a_cache_is_gone_with_its_engine(void **state)
{
    int  first;

    (void) state;

    begin(2);
    gc.balance = TG_BALANCE_PREFIX_AFFINITY;
    prompt(7, 5);
    first = pick(2, 1);

    for (unsigned k = 0; k < 3; k++) {
        sent((unsigned) first, 0, NULL);
    }

    now += 20 * S;
    assert_int_equal(pick(2, 1), first);

    /* Down and up again: nobody has it, and three calls are there. */
    tg_backend_checked(table, c[first].backend, TG_HEALTH_FAILED, tg_str("no"),
                       &gc.check, now);
    tg_backend_checked(table, c[first].backend, TG_HEALTH_OK, tg_str(""),
                       &gc.check, now);
    now += S;
    assert_int_equal(pick(2, 1), 1 - first);
}


static void
test_what_came_since_pushes_a_prompt_out_of_the_cache(void **state)
{
    tg_ticket_t  t;

    (void) state;

    begin(2);
    gc.balance = TG_BALANCE_PREFIX_AFFINITY;
    prompt(7, 5);
    sent(0, 0, NULL);
    now += 10 * S;
    assert_int_equal(pick(2, 1), 0);

    for (unsigned k = 0; k < 20; k++) {
        prompt(100 + k, 5);
        sent(0, 0, &t);
        (void) tg_backend_end(table, &t, TG_CAME_OK, &gc.check, now);
        now += 5 * S;
    }

    prompt(7, 5);
    assert_int_equal(pick(2, 1), 1);
}


static void
test_new_prompts_spread_by_their_hash_and_stay_when_others_go(void **state)
{
    unsigned  got[N] = { 0 }, moved = 0;
    int       was[800];

    (void) state;

    begin(N);
    gc.balance = TG_BALANCE_PREFIX_AFFINITY;

    for (unsigned k = 0; k < 800; k++) {
        prompt(k, 2);
        was[k] = pick(N, k);
        assert_int_equal(was[k], pick(N, k + 1));
        got[was[k]]++;
    }

    for (unsigned i = 0; i < N; i++) {
        assert_in_range(got[i], 70, 130);
    }

    /* One goes: only what was there moves. */
    tg_backend_drain(table, c[5].backend, TG_DRAIN_ADMIN, now);

    for (unsigned k = 0; k < 800; k++) {
        prompt(k, 2);
        moved += was[k] != 5 && pick(N, k) != was[k];
    }

    assert_int_equal(moved, 0);
}


static void
test_bounded_load_holds(void **state)
{
    int64_t            calls[N] = { 0 }, most;
    int                i;
    tg_backend_load_t  l;

    (void) state;

    begin(N);
    gc.balance = TG_BALANCE_PREFIX_AFFINITY;

    /* All that is new has hashes by which one wins: those of other names are
     * left out. */
    for (unsigned k = 0, n = 0; n < 200; k++) {
        prompt(k, 1);
        i = pick(N, k);
        sent((unsigned) i, 0, NULL);
        now += 3 * S;
        calls[i]++;
        n++;
        most = (int64_t) (1.25 * n / N) + 1;
        tg_backend_load(table, c[i].backend, &gc.check, now, &l);
        assert_int_equal(l.calls, calls[i]);
        assert_true(calls[i] <= most);
    }
}


static void
test_sixty_four_are_chosen_from_fast(void **state)
{
    struct timespec  a, b;
    double           us;

    (void) state;

    begin(64);
    gc.balance = TG_BALANCE_PREFIX_AFFINITY;
    prompt(7, 8);

    for (unsigned k = 0; k < 64; k++) {
        page(k, 4, 0, 300000, 1000);
        sent(k, 0, NULL);
    }

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);

    for (unsigned k = 0; k < 2000; k++) {
        assert_in_range(pick(64, k), 0, 63);
    }

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    us = (double) (b.tv_sec - a.tv_sec) * 1e6 / 2000
         + (double) (b.tv_nsec - a.tv_nsec) / 1e3 / 2000;
    print_message("a choice among 64: %.1f us\n", us);

    /* Under a sanitizer or valgrind, too; it is about 5 by itself. */
    assert_true(us < 1000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_calls_go_where_fewest_are),
        cmocka_unit_test(test_processes_see_each_others_calls_at_once),
        cmocka_unit_test(
            test_a_long_prompt_is_worth_many_calls_until_it_is_read),
        cmocka_unit_test(test_processes_in_parallel_make_no_herd),
        cmocka_unit_test(test_calls_that_are_not_ours_count),
        cmocka_unit_test(
            test_what_is_not_known_is_as_with_the_others_and_never_nothing),
        cmocka_unit_test(test_a_full_cache_is_avoided),
        cmocka_unit_test(test_stale_pages_count_as_the_mean),
        cmocka_unit_test(test_less_work_is_not_less_speed),
        cmocka_unit_test(test_twice_as_fast_gets_twice_the_calls),
        cmocka_unit_test(test_weight_divides),
        cmocka_unit_test(test_slow_start_gets_little_at_first),
        cmocka_unit_test(
            test_what_is_down_or_drained_gets_nothing_but_as_a_last_resort),
        cmocka_unit_test(test_ties_are_the_seeds),
        cmocka_unit_test(test_a_prompt_comes_back_to_who_has_read_it),
        cmocka_unit_test(test_affinity_gives_way_to_a_long_queue),
        cmocka_unit_test(test_a_cache_is_gone_with_its_engine),
        cmocka_unit_test(test_what_came_since_pushes_a_prompt_out_of_the_cache),
        cmocka_unit_test(
            test_new_prompts_spread_by_their_hash_and_stay_when_others_go),
        cmocka_unit_test(test_bounded_load_holds),
        cmocka_unit_test(test_sixty_four_are_chosen_from_fast),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
