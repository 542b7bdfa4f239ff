#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tg_spend.h"

#define HOUR      INT64_C(3600000)
#define DAY       (24 * HOUR)
#define MARCH     INT64_C(1772323200000)        /* 2026-03-01T00:00Z */
#define APRIL     (MARCH + 31 * DAY)
#define MAY       (APRIL + 30 * DAY)

#define PROCESSES  4
#define THREADS    2
#define CALLS      30000                        /* of each thread */
#define NAMES      3000                         /* more than there are rows */


static tg_spend_t *
shared(size_t more)
{
    void  *p = mmap(NULL, sizeof(tg_spend_t) + more, PROT_READ|PROT_WRITE,
                    MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    assert_true(p != MAP_FAILED);

    return p;
}


static void
gone(tg_spend_t *s)
{
    (void) munmap(s, sizeof(tg_spend_t));
}


static void
spend(tg_spend_t *s, const char *team, int64_t cost, int64_t admitted,
    int64_t now)
{
    tg_spent_t  spent = {
        .name = { tg_strz(team), tg_str("k1"), tg_str("gpt"),
                  tg_str("openai") },
        .cost = cost, .admitted = admitted, .now = now
    };

    tg_spend_count(s, NULL, NULL, &spent);
}


static void
test_a_call_counts_in_all_its_rows(void **state)
{
    tg_spend_t      *s = shared(0);
    tg_spend_all_t   all;
    tg_spend_top_t   top[4];
    tg_spend_rest_t  rest;

    (void) state;

    spend(s, "search", 5, MARCH + HOUR, MARCH + HOUR);
    spend(s, "ads", 7, MARCH + DAY, MARCH + DAY);
    spend(s, "search", 11, MARCH + DAY, MARCH + DAY + 1);
    spend(s, "", 2, MARCH + DAY, MARCH + DAY + 1);

    assert_int_equal(tg_spend_top(s, TG_SPEND_TEAM, NULL, MARCH + DAY + 5, top,
                                  4, &rest), 3);
    assert_memory_equal(top[0].name, "search", 6);
    assert_int_equal(top[0].sum.month, 16);
    assert_int_equal(top[0].sum.today, 11);
    assert_int_equal(top[0].sum.calls_month, 2);
    assert_int_equal(top[0].sum.calls_today, 1);
    assert_memory_equal(top[1].name, "ads", 3);
    assert_int_equal(top[2].len, 0);
    assert_int_equal(rest.n, 0);
    assert_false(rest.overflow);

    assert_int_equal(tg_spend_top(s, TG_SPEND_TEAM, NULL, MARCH + DAY + 5, top,
                                  1, &rest), 1);
    assert_int_equal(rest.n, 2);
    assert_int_equal(rest.sum.month, 9);

    assert_int_equal(tg_spend_top(s, TG_SPEND_KEY, NULL, MARCH + DAY + 5, top,
                                  4, &rest), 1);
    assert_int_equal(top[0].sum.month, 25);

    tg_spend_all(s, NULL, MARCH + DAY + 5, &all);
    assert_int_equal(all.sum.month, 25);
    assert_int_equal(all.sum.today, 20);
    assert_int_equal(all.yesterday, 5);
    assert_int_equal(all.ndays, 31);
    assert_int_equal(all.day, 1);
    assert_int_equal(all.days[0], 5);
    gone(s);
}


/* A ledger that was found again after half a year tells of calls of then. */
static void
test_what_is_older_takes_no_room(void **state)
{
    tg_spend_t      *s = shared(0);
    tg_spend_all_t   all;

    (void) state;

    spend(s, "a", 1, MAY, MAY);
    spend(s, "a", 2, MARCH, MAY);
    spend(s, "a", 4, MARCH - 300 * DAY, MAY);
    spend(s, "a", 8, APRIL, MAY);

    tg_spend_all(s, NULL, MAY, &all);
    assert_int_equal(all.sum.month, 1);
    assert_int_equal(all.last_month, 8);
    assert_int_equal(all.late, 6);
    gone(s);
}


/* Whoever counts it, whenever. */
static void
test_a_call_counts_where_it_was_admitted(void **state)
{
    tg_spend_t      *s = shared(0);
    tg_spend_all_t   all;

    (void) state;

    spend(s, "a", 1, APRIL - 1, APRIL + HOUR);
    spend(s, "a", 2, APRIL, APRIL + 1);
    spend(s, "a", 4, APRIL - DAY - 1, APRIL + 2);

    tg_spend_all(s, NULL, APRIL + HOUR, &all);
    assert_int_equal(all.sum.month, 2);
    assert_int_equal(all.sum.today, 2);
    assert_int_equal(all.yesterday, 1);
    assert_int_equal(all.last_month, 5);
    assert_int_equal(all.ndays, 30);

    tg_spend_all(s, NULL, APRIL - 1, &all);
    assert_int_equal(all.sum.month, 5);
    assert_int_equal(all.sum.today, 1);
    assert_int_equal(all.yesterday, 4);
    gone(s);
}


static void
test_the_month_after_next_begins_anew(void **state)
{
    char             name[16];
    int64_t          now;
    tg_spend_t      *s = shared(0);
    tg_spend_all_t   all;
    tg_spend_top_t   top[4];
    tg_spend_rest_t  rest;

    (void) state;

    for (int month = 0; month < 30; month++) {
        now = MARCH + month * 31 * DAY;

        for (int i = 0; i < 400; i++) {
            (void) snprintf(name, sizeof(name), "t%d-%d", month, i);
            spend(s, name, 10, now, now);
        }

        tg_spend_all(s, NULL, now, &all);
        assert_int_equal(all.sum.month, 4000);
        assert_int_equal(all.last_month, month == 0 ? 0 : 4000);
        assert_int_equal(all.late, 0);

        (void) tg_spend_top(s, TG_SPEND_TEAM, NULL, now, top,
                            4, &rest);
        assert_int_equal(rest.n, 396);
        assert_false(rest.overflow);
    }

    gone(s);
}


static void
test_a_clock_that_was_wrong_leaves_nothing(void **state)
{
    char             name[16];
    tg_spend_t      *s = shared(0);
    tg_spend_top_t   top[1];
    tg_spend_rest_t  rest;

    (void) state;

    for (int i = 0; i < 6000; i++) {
        (void) snprintf(name, sizeof(name), "x%d", i);
        spend(s, name, 1, MARCH + 4000 * DAY, MARCH + 4000 * DAY);
    }

    for (int i = 0; i < 200; i++) {
        (void) snprintf(name, sizeof(name), "t%d", i);
        spend(s, name, 1, MARCH, MARCH);
    }

    (void) tg_spend_top(s, TG_SPEND_TEAM, NULL, MARCH, top, 1, &rest);
    assert_false(rest.overflow);
    assert_int_equal(rest.n, 199);
    gone(s);
}


static void
test_made_up_names_are_others(void **state)
{
    char             name[128];
    tg_spend_t      *s = shared(0);
    tg_spend_top_t   top[10];
    tg_spend_rest_t  rest;
    int64_t          sum = 0;

    (void) state;

    for (int i = 0; i < 20000; i++) {
        (void) snprintf(name, sizeof(name), "%d", i);
        spend(s, name, 1 + i % 7, MARCH, MARCH);
        sum += 1 + i % 7;
    }

    memset(name, 'n', sizeof(name));
    name[127] = '\0';
    spend(s, name, 1000, MARCH, MARCH);
    sum += 1000;

    assert_int_equal(tg_spend_top(s, TG_SPEND_TEAM, NULL, MARCH, top, 10,
                                  &rest), 10);
    assert_true(rest.overflow);
    assert_in_range(rest.n, TG_SPEND_TEAMS - 40, TG_SPEND_TEAMS - 10);

    for (int i = 0; i < 10; i++) {
        sum -= top[i].sum.month;
    }

    assert_int_equal(rest.sum.month, sum);
    assert_int_equal(rest.sum.today, sum);
    gone(s);
}


/* A sum of all is made of providers, which may be more than have rows. */
static void
test_all_calls_are_those_of_all_providers(void **state)
{
    char             name[16];
    tg_spend_t      *s = shared(0);
    tg_spend_all_t   all;
    tg_spend_top_t   top[1];
    tg_spend_rest_t  rest;
    tg_spent_t       spent = {
        .cost = 3, .admitted = APRIL - 1, .now = APRIL - 1
    };

    (void) state;

    for (int month = 0; month < 2; month++) {
        for (int i = 0; i < 2 * TG_SPEND_PROVIDERS; i++) {
            (void) snprintf(name, sizeof(name), "p%d", i);
            spent.name[TG_SPEND_PROVIDER] = i == 0 ? tg_str_null
                                                   : tg_strz(name);
            tg_spend_count(s, NULL, NULL, &spent);
        }

        spent.admitted = spent.now = APRIL + 2;
    }

    tg_spend_all(s, NULL, APRIL + 2, &all);
    assert_int_equal(all.sum.month, 6 * TG_SPEND_PROVIDERS);
    assert_int_equal(all.sum.today, 6 * TG_SPEND_PROVIDERS);
    assert_int_equal(all.sum.calls_month, 2 * TG_SPEND_PROVIDERS);
    assert_int_equal(all.sum.calls_today, 2 * TG_SPEND_PROVIDERS);
    assert_int_equal(all.yesterday, 6 * TG_SPEND_PROVIDERS);
    assert_int_equal(all.last_month, 6 * TG_SPEND_PROVIDERS);
    assert_int_equal(all.late, 0);
    assert_int_equal(all.sum.hourly, 2 * 6 * TG_SPEND_PROVIDERS * HOUR
                     / (TG_SPEND_RECENT + (APRIL + 2) % TG_SPEND_UNIT));

    (void) tg_spend_top(s, TG_SPEND_PROVIDER, NULL, APRIL + 2, top, 1, &rest);
    assert_true(rest.overflow);
    gone(s);
}


static void
test_long_names_are_cut_between_characters(void **state)
{
    char             name[128];
    tg_spend_t      *s = shared(0);
    tg_spend_top_t   top[4];
    tg_spend_rest_t  rest;

    (void) state;

    name[0] = 'a';

    for (int i = 0; i < 30; i++) {
        memcpy(name + 1 + 4 * i, "\xf0\x9f\x92\xb8", 5);
    }

    spend(s, name, 1, MARCH, MARCH);
    spend(s, name, 1, MARCH, MARCH);
    memset(name, 0x80, 127);
    name[127] = '\0';
    spend(s, name, 1, MARCH, MARCH);

    assert_int_equal(tg_spend_top(s, TG_SPEND_TEAM, NULL, MARCH, top, 4,
                                  &rest), 2);
    assert_int_equal(top[0].sum.month, 2);
    assert_int_equal(top[0].len, 93);
    assert_int_equal(top[1].len, TG_SPEND_NAME_MAX);
    gone(s);
}


/* $12 in an hour, and none of it once five minutes are over; in a new month,
 * too. */
static void
test_now_is_the_last_five_minutes(void **state)
{
    tg_spend_t      *s = shared(0);
    tg_spend_all_t   all;

    (void) state;

    for (int i = 0; i < 300; i++) {
        spend(s, "a", 1000, APRIL - 150000 + i * 1000,
              APRIL - 150000 + i * 1000);
    }

    tg_spend_all(s, NULL, APRIL + 150000, &all);
    assert_in_range(all.sum.hourly, 3300000, 3600000);
    assert_int_equal(all.sum.month, 150000);
    tg_spend_all(s, NULL, APRIL + 470000, &all);
    assert_int_equal(all.sum.hourly, 0);
    gone(s);
}


/* Days and months of a zone where clocks change, as windows have them. */
static void
test_days_are_those_of_windows(void **state)
{
    tg_window_t       w;
    tg_spend_date_t   date = { 0 };
    tg_window_spec_t  daily = { TG_WINDOW_DAY, 0 };
    tg_window_spec_t  monthly = { TG_WINDOW_MONTH, 0 };
    tg_window_t       month = { 0, 0 };
    uint32_t          last = 0;
    unsigned          day = 0;

    (void) state;

    for (int64_t t = MARCH; t < MARCH + 800 * DAY; t += 5 * HOUR + 977) {
        tg_spend_date(&date, NULL, t);
        tg_window_at(&daily, NULL, t, &w);
        assert_int_equal(date.window.start, w.start);
        assert_int_equal(date.window.end, w.end);

        if (t >= month.end) {
            tg_window_at(&monthly, NULL, t, &month);
            assert_true(last == 0 || date.month == last + 1);
            last = date.month;
        }

        assert_int_equal(date.month, last);
        day = (unsigned) ((w.start - month.start) / DAY);
        assert_int_equal(date.day, day);
    }

    tg_spend_date(&date, NULL, MARCH - 1);
    assert_int_equal(date.month, 2026 * 12 + 1);
    assert_int_equal(date.day, 27);
}


/* --- races --- */

typedef struct {
    _Atomic int64_t   month[3];
    _Atomic uint64_t  calls[3];
    _Atomic int       ready;
} truth_t;

typedef struct {
    tg_spend_t  *s;
    truth_t     *truth;
    unsigned     seed;
} racer_t;


static uint32_t
random_of(unsigned *x)
{
    *x = *x * 1664525u + 1013904223u;

    return *x >> 8;
}


/* Goes on when so many have come. */
static void
together(truth_t *truth, int come)
{
    while (atomic_load(&truth->ready) < come) {
        (void) sched_yield();
    }
}


/* All at once, over the ends of two months, with names that no table has room
 * for; the months' first calls are what they race for. */
static void *
race(void *data)
{
    int               m;
    char              name[3][24];
    racer_t          *r = data;
    tg_spent_t        spent;
    tg_spend_date_t   date = { 0 };
    static const int64_t  at[3] = { APRIL - 1, APRIL, MAY };

    atomic_fetch_add(&r->truth->ready, 1);
    together(r->truth, PROCESSES * THREADS);

    for (int i = 0; i < CALLS; i++) {
        if (i == CALLS / 2) {
            atomic_fetch_add(&r->truth->ready, 1);
            together(r->truth, 2 * PROCESSES * THREADS + 1);
        }

        m = (int) (random_of(&r->seed) % 2) + (i >= CALLS / 2);

        for (int k = 0; k < 3; k++) {
            spent.name[k] = tg_str_of(name[k], (size_t)
                snprintf(name[k], sizeof(name[k]), "n%u",
                         random_of(&r->seed) % NAMES));
        }

        spent.name[TG_SPEND_PROVIDER] = tg_str("openai");
        spent.cost = random_of(&r->seed) % 1000000;
        spent.attempt = random_of(&r->seed) % 8 == 0;
        spent.admitted = at[m];
        spent.now = at[i < CALLS / 2 ? 1 : 2];
        tg_spend_count(r->s, &date, NULL, &spent);

        atomic_fetch_add(&r->truth->month[m], spent.cost);
        atomic_fetch_add(&r->truth->calls[m], !spent.attempt);
    }

    return NULL;
}


static void
run(tg_spend_t *s, truth_t *truth, unsigned process)
{
    racer_t    racers[THREADS];
    pthread_t  threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (racer_t) { s, truth, process * THREADS + i + 1 };

        if (pthread_create(&threads[i], NULL, race, &racers[i]) != 0) {
            _exit(1);
        }
    }

    for (unsigned i = 0; i < THREADS; i++) {
        (void) pthread_join(threads[i], NULL);
    }

    _exit(0);
}


static void
same_sums(const tg_spend_t *s, int64_t now, int64_t cost, uint64_t calls)
{
    unsigned         n;
    tg_spend_top_t   top[20];
    tg_spend_rest_t  rest;

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        n = tg_spend_top(s, (tg_spend_dimension_t) d, NULL, now, top, 20,
                         &rest);

        for (unsigned i = 0; i < n; i++) {
            rest.sum.month += top[i].sum.month;
            rest.sum.calls_month += top[i].sum.calls_month;
            assert_true(i == 0 || top[i].sum.month <= top[i - 1].sum.month);
        }

        assert_int_equal(rest.sum.month, cost);
        assert_int_equal(rest.sum.calls_month, calls);
    }
}


static void
test_nothing_is_lost_at_windows_ends(void **state)
{
    int              status;
    truth_t         *truth;
    tg_spend_t      *s = shared(sizeof(truth_t));
    tg_spend_all_t   all;

    (void) state;

    truth = (truth_t *) (s + 1);

    /* What the first months' rows are taken from. */

    for (int i = 0; i < 2000; i++) {
        char  name[16];

        (void) snprintf(name, sizeof(name), "n%d", i);
        spend(s, name, 3, MARCH - 70 * DAY, MARCH - 70 * DAY);
    }

    for (unsigned i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            run(s, truth, i);
        }
    }

    /* March is looked at before May takes its rows. */

    together(truth, 2 * PROCESSES * THREADS);
    tg_spend_all(s, NULL, APRIL - 1, &all);
    assert_int_equal(all.sum.month, truth->month[0]);
    assert_int_equal(all.sum.today, truth->month[0]);
    same_sums(s, APRIL - 1, truth->month[0], truth->calls[0]);
    tg_spend_all(s, NULL, APRIL + 1, &all);
    assert_int_equal(all.last_month, truth->month[0]);
    assert_int_equal(all.yesterday, truth->month[0]);
    atomic_fetch_add(&truth->ready, 1);

    for (unsigned i = 0; i < PROCESSES; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }

    tg_spend_all(s, NULL, APRIL + 1, &all);
    assert_int_equal(all.sum.month, truth->month[1]);
    tg_spend_all(s, NULL, MAY + 1, &all);
    assert_int_equal(all.sum.month, truth->month[2]);
    assert_int_equal(all.last_month, truth->month[1]);
    assert_int_equal(all.late, 0);

    same_sums(s, APRIL + 1, truth->month[1], truth->calls[1]);
    same_sums(s, MAY + 1, truth->month[2], truth->calls[2]);
    (void) munmap(s, sizeof(tg_spend_t) + sizeof(truth_t));
}


static int64_t
of_all(const tg_spend_t *s, tg_spend_dimension_t d, int64_t now)
{
    tg_spend_rest_t  rest;

    (void) tg_spend_top(s, d, NULL, now, NULL, 0, &rest);

    return rest.sum.month;
}


/* Each leaves out parts of one call at most, also where it dies while it takes
 * a row over, and nobody waits for the dead. */
static void
test_who_is_killed_takes_nothing_along(void **state)
{
    char              name[16];
    pid_t             pid;
    int64_t           before[TG_SPEND_DIMENSIONS], now;
    unsigned          seed = 7;
    tg_spend_t       *s = shared(sizeof(truth_t));
    tg_spend_all_t    all;
    _Atomic uint64_t *calls = (_Atomic uint64_t *) (s + 1);

    (void) state;

    for (int k = 0; k < 60; k++) {
        pid = fork();

        while (pid == 0) {
            (void) snprintf(name, sizeof(name), "n%u",
                            random_of(&seed) % NAMES);
            now = MARCH + (int64_t) (atomic_load(calls) / 2000) * 31 * DAY;
            spend(s, name, 1, now, now);
            (void) atomic_fetch_add(calls, 1);
        }

        (void) usleep(500 + random_of(&seed) % 2000);
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
    }

    assert_true(*calls > 2000);
    now = MARCH + (int64_t) ((*calls - 1) / 2000) * 31 * DAY;
    tg_spend_all(s, NULL, now, &all);
    assert_true(all.sum.month > 0);

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        before[d] = of_all(s, (tg_spend_dimension_t) d, now);
        assert_in_range(before[d] + 60, all.sum.month, all.sum.month + 120);
    }

    for (int i = 0; i < 1000; i++) {
        spend(s, i % 2 ? "x" : "y", 17, now, now);
    }

    assert_int_equal(all.late, 0);

    for (unsigned d = 0; d < TG_SPEND_DIMENSIONS; d++) {
        assert_int_equal(of_all(s, (tg_spend_dimension_t) d, now),
                         before[d] + 17000);
    }

    (void) munmap(s, sizeof(tg_spend_t) + sizeof(truth_t));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_a_call_counts_in_all_its_rows),
        cmocka_unit_test(test_a_call_counts_where_it_was_admitted),
        cmocka_unit_test(test_what_is_older_takes_no_room),
        cmocka_unit_test(test_the_month_after_next_begins_anew),
        cmocka_unit_test(test_a_clock_that_was_wrong_leaves_nothing),
        cmocka_unit_test(test_made_up_names_are_others),
        cmocka_unit_test(test_all_calls_are_those_of_all_providers),
        cmocka_unit_test(test_long_names_are_cut_between_characters),
        cmocka_unit_test(test_now_is_the_last_five_minutes),
        cmocka_unit_test(test_days_are_those_of_windows),
        cmocka_unit_test(test_nothing_is_lost_at_windows_ends),
        cmocka_unit_test(test_who_is_killed_takes_nothing_along)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
