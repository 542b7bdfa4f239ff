/* Processes: who joins, who dies, and who checks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends.h"

/* Those who live: pid and start. */
static int64_t   alive_pid[300];
static uint64_t  alive_start[300];
static unsigned  nalive, asked;


static bool
alive(int64_t pid, uint64_t start)
{
    asked++;

    for (unsigned i = 0; i < nalive; i++) {
        if (alive_pid[i] == pid) {
            return start == 0 || alive_start[i] == start;
        }
    }

    return false;
}


static void
lives(int64_t pid, uint64_t start)
{
    alive_pid[nalive] = pid;
    alive_start[nalive++] = start;
}


static void
begin(pool_t *p)
{
    pool(p, 2);
    nalive = 0;
    lives(1000, 1);
}


static void
test_the_dead_have_nothing_under_way(void **state)
{
    int            a, b;
    pool_t         p;
    int64_t        ns;
    tg_ticket_t    k[3];
    tg_work_t      w = { 10, 5 };
    tg_gpu_time_t  time;

    (void) state;
    begin(&p);
    a = p.slot;
    b = tg_backends_join(p.t, 1001, 5);
    assert_int_not_equal(a, b);
    lives(1001, 5);

    tg_backend_begin(p.t, p.b[0], a, &w, p.now, &k[0]);
    tg_backend_begin(p.t, p.b[0], b, &w, p.now, &k[1]);
    tg_backend_begin(p.t, p.b[0], b, &w, p.now, &k[2]);
    assert_int_equal(load(&p, 0).calls, 3);
    assert_int_equal(tg_backends_sweep(p.t, alive, p.now), 0);
    assert_int_equal(load(&p, 0).calls, 3);
    pass(&p, 3 * SECOND);

    /* Another process has its number. */

    alive_start[1] = 6;
    assert_int_equal(tg_backends_sweep(p.t, alive, p.now), 1);
    assert_int_equal(load(&p, 0).calls, 1);
    assert_int_equal(load(&p, 0).tokens, 15);
    assert_int_equal(load(&p, 0).fresh_tokens, 15);

    pass(&p, 2 * SECOND);
    ns = tg_backend_end(p.t, &k[0], TG_CAME_OK, &p.gc.check, p.now);
    assert_int_equal(ns, 3 * SECOND);
    tg_backend_time(p.t, p.b[0], p.now, &time);
    assert_int_equal(time.busy, 5 * SECOND);
    assert_int_equal(load(&p, 0).calls, 0);

    /* The slot's next one begins with nothing, and a ticket of the one before
     * takes nothing away. */

    assert_int_equal(tg_backends_join(p.t, 1002, 7), b);
    assert_int_equal(load(&p, 0).calls, 0);
    tg_backend_begin(p.t, p.b[0], b, &w, p.now, &k[0]);
    tg_backend_end(p.t, &k[1], TG_CAME_OK, &p.gc.check, p.now);
    pass(&p, TG_TICK_NS);
    assert_int_equal(load(&p, 0).calls, 1);
    gone(&p);
}


static void
test_who_leaves_takes_his_calls_along(void **state)
{
    pool_t       p;
    tg_ticket_t  k;

    (void) state;
    begin(&p);
    tg_backend_begin(p.t, p.b[0], p.slot, NULL, p.now, &k);
    tg_backends_leave(p.t, p.slot);
    assert_int_equal(load(&p, 0).calls, 0);
    tg_backend_end(p.t, &k, TG_CAME_OK, &p.gc.check, p.now);
    assert_int_equal(load(&p, 0).calls, 0);
    tg_backends_leave(p.t, p.slot);
    tg_backends_leave(p.t, -1);
    gone(&p);
}


static void
test_slots_run_out(void **state)
{
    pool_t       p;
    int64_t      ns;
    tg_ticket_t  k;

    (void) state;
    begin(&p);

    for (unsigned i = 1; i < TG_BACKEND_SLOTS; i++) {
        assert_true(tg_backends_join(p.t, 2000 + i, 1) > 0);
    }

    assert_int_equal(tg_backends_join(p.t, 5000, 1), -1);
    assert_int_equal(tg_backends_join(p.t, 0, 1), -1);
    assert_int_equal(tg_backends_join(p.t, INT64_C(1) << 40, 1), -1);

    /* Without one there is everything but a count. */

    tg_backend_begin(p.t, p.b[0], -1, NULL, p.now, &k);
    assert_int_equal(load(&p, 0).calls, 0);
    pass(&p, SECOND);
    ns = tg_backend_end(p.t, &k, TG_CAME_FAILED, &p.gc.check, p.now);
    assert_int_equal(ns, 0);
    assert_int_equal(view(&p, 0).falls, 1);

    /* A process that is there twice was there before, and died. */

    assert_true(tg_backends_join(p.t, 2007, 2) > 0);
    gone(&p);
}


static void
test_one_has_the_lease(void **state)
{
    int     a, b;
    pool_t  p;

    (void) state;
    begin(&p);
    a = p.slot;
    b = tg_backends_join(p.t, 1001, 5);
    lives(1001, 5);

    assert_true(tg_backends_lease(p.t, a, alive, p.now));
    assert_false(tg_backends_lease(p.t, b, alive, p.now));

    for (unsigned i = 0; i < 100; i++) {
        p.now += TG_TICK_NS;
        asked = 0;
        assert_false(tg_backends_lease(p.t, b, alive, p.now));
        assert_int_equal(asked, 0);
        assert_true(tg_backends_lease(p.t, a, alive, p.now));
    }

    /* Who is late keeps it as long as he lives, and it has not run out. */

    p.now += TG_LEASE_NS - 2 * TG_TICK_NS;
    assert_false(tg_backends_lease(p.t, b, alive, p.now));
    assert_false(tg_backends_lease(p.t, b, NULL, p.now));
    p.now += 2 * TG_TICK_NS;
    assert_true(tg_backends_lease(p.t, b, NULL, p.now));
    assert_false(tg_backends_lease(p.t, a, NULL, p.now));
    assert_false(tg_backends_lease(p.t, -1, NULL, p.now));
    gone(&p);
}


static void
test_the_lease_of_the_dead_is_taken_at_once(void **state)
{
    int          a, b;
    pool_t       p;
    tg_ticket_t  k;

    (void) state;
    begin(&p);
    a = p.slot;
    b = tg_backends_join(p.t, 1001, 5);
    assert_true(tg_backends_lease(p.t, a, alive, p.now));
    nalive = 0;
    lives(1001, 5);
    tg_backend_begin(p.t, p.b[0], a, NULL, p.now, &k);
    p.now += 4 * TG_TICK_NS;
    assert_true(tg_backends_lease(p.t, b, alive, p.now));

    /* What it had under way goes with the next tick. */

    tg_group_tick(p.t, p.g, &p.gc, p.now);
    assert_int_equal(load(&p, 0).calls, 0);

    /* One that is told to exit hands it over. */

    tg_backends_release(p.t, a);
    assert_false(tg_backends_lease(p.t, a, alive, p.now));
    tg_backends_release(p.t, b);
    a = tg_backends_join(p.t, 1002, 5);
    assert_true(tg_backends_lease(p.t, a, alive, p.now));
    tg_backends_leave(p.t, a);
    assert_true(tg_backends_lease(p.t, b, alive, p.now));
    gone(&p);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_the_dead_have_nothing_under_way),
        cmocka_unit_test(test_who_leaves_takes_his_calls_along),
        cmocka_unit_test(test_slots_run_out),
        cmocka_unit_test(test_one_has_the_lease),
        cmocka_unit_test(test_the_lease_of_the_dead_is_taken_at_once)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
