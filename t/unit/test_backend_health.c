/* Who is alive: checks, calls, models that load, and who may be ejected. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends.h"


static void
check(pool_t *p, unsigned i, tg_health_answer_t answer)
{
    tg_backend_checked(p->t, p->b[i], answer, tg_str("it said no"),
                       &p->gc.check, p->now);
}


static void
call(pool_t *p, unsigned i, tg_came_t came)
{
    tg_ticket_t  k;

    tg_backend_begin(p->t, p->b[i], p->slot, NULL, p->now, &k);
    tg_backend_end(p->t, &k, came, &p->gc.check, p->now);
}


static void
down(pool_t *p, unsigned i)
{
    for (unsigned k = 0; k < 3; k++) {
        check(p, i, TG_HEALTH_FAILED);
    }
}


static void
test_checks_fail_in_a_row(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);

    assert_int_equal(view(&p, 0).state, TG_BACKEND_NEW);
    assert_true(load(&p, 0).usable);
    check(&p, 0, TG_HEALTH_OK);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_UP);

    for (unsigned i = 0; i < 10; i++) {
        check(&p, 0, TG_HEALTH_FAILED);
        check(&p, 0, TG_HEALTH_FAILED);
        assert_int_equal(view(&p, 0).state, TG_BACKEND_UP);
        assert_int_equal(view(&p, 0).falls, 2);
        check(&p, 0, TG_HEALTH_OK);
    }

    down(&p, 0);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_DOWN);
    assert_true(view(&p, 0).ejected);
    assert_int_equal(view(&p, 0).ejections, 1);
    assert_int_equal(view(&p, 0).since, p.now);
    assert_string_equal(view(&p, 0).why, "it said no");
    assert_false(load(&p, 0).usable);
    assert_true(load(&p, 1).usable);

    /* One success is not enough, and a failure begins anew. */

    check(&p, 0, TG_HEALTH_OK);
    check(&p, 0, TG_HEALTH_FAILED);
    check(&p, 0, TG_HEALTH_OK);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_DOWN);
    check(&p, 0, TG_HEALTH_OK);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_UP);
    assert_true(load(&p, 0).usable);
    assert_string_equal(view(&p, 0).why, "");
    gone(&p);
}


static void
test_calls_that_fail_count(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);
    check(&p, 0, TG_HEALTH_OK);

    /* Together with checks; a success in between begins anew. */

    call(&p, 0, TG_CAME_FAILED);
    call(&p, 0, TG_CAME_FAILED);
    call(&p, 0, TG_CAME_OK);
    call(&p, 0, TG_CAME_FAILED);
    check(&p, 0, TG_HEALTH_FAILED);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_UP);
    call(&p, 0, TG_CAME_FAILED);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_DOWN);
    assert_string_equal(view(&p, 0).why, "calls have failed");
    assert_int_equal(view(&p, 0).failed, 4);
    assert_int_equal(view(&p, 0).served, 1);

    /* Calls that were under way say nothing new; checks do. */

    call(&p, 0, TG_CAME_OK);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_DOWN);
    pass(&p, 60 * SECOND);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_DOWN);
    check(&p, 0, TG_HEALTH_OK);
    check(&p, 0, TG_HEALTH_OK);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_UP);
    assert_int_equal(view(&p, 0).falls, 0);
    gone(&p);
}


/* A server that is to go, and answers as long as it is asked. */
static void
test_good_calls_excuse_no_failed_checks(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);
    check(&p, 0, TG_HEALTH_OK);

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(view(&p, 0).state, TG_BACKEND_UP);
        check(&p, 0, TG_HEALTH_FAILED);
        call(&p, 0, TG_CAME_OK);
    }

    assert_int_equal(view(&p, 0).state, TG_BACKEND_DOWN);
    gone(&p);
}


/* Its health page answers, and no call does. */
static void
test_a_good_health_page_excuses_no_failed_calls(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);

    for (unsigned i = 0; i < 3; i++) {
        check(&p, 0, TG_HEALTH_OK);
        call(&p, 0, TG_CAME_FAILED);
    }

    assert_int_equal(view(&p, 0).state, TG_BACKEND_DOWN);
    gone(&p);
}


static void
test_want_of_room_is_no_failure(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);
    call(&p, 0, TG_CAME_FAILED);
    call(&p, 0, TG_CAME_FAILED);

    for (unsigned i = 0; i < 10; i++) {
        call(&p, 0, TG_CAME_BUSY);
        call(&p, 0, TG_CAME_CUT);
    }

    assert_int_equal(view(&p, 0).state, TG_BACKEND_NEW);
    assert_int_equal(view(&p, 0).falls, 2);
    assert_int_equal(view(&p, 0).served, 10);
    gone(&p);
}


/* As the servers do themselves. */
static void
test_without_checks_it_is_tried_again(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);
    p.gc.check.on = false;

    for (unsigned i = 0; i < 3; i++) {
        call(&p, 0, TG_CAME_FAILED);
    }

    assert_false(load(&p, 0).usable);
    p.now += 10 * SECOND - 1;
    assert_false(load(&p, 0).usable);

    /* With or without ticks; one more failure, and it is out again. */

    p.now += 1;
    assert_true(load(&p, 0).usable);
    call(&p, 0, TG_CAME_FAILED);
    assert_false(load(&p, 0).usable);

    pass(&p, 10 * SECOND);
    assert_true(load(&p, 0).usable);
    call(&p, 0, TG_CAME_OK);
    call(&p, 0, TG_CAME_FAILED);
    call(&p, 0, TG_CAME_FAILED);
    assert_true(load(&p, 0).usable);
    gone(&p);
}


/* The configuration had checks when it was found down. */
static void
test_checks_that_end_leave_nobody_out(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);
    down(&p, 0);
    check(&p, 1, TG_HEALTH_LOADING);
    p.gc.check.on = false;
    pass(&p, 10 * SECOND);
    assert_true(load(&p, 0).usable);
    assert_true(load(&p, 1).usable);
    gone(&p);
}


static void
test_a_model_that_loads_is_waited_for(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);
    p.gc.check.loading = 60000;
    check(&p, 0, TG_HEALTH_OK);
    check(&p, 0, TG_HEALTH_FAILED);
    check(&p, 0, TG_HEALTH_FAILED);
    check(&p, 0, TG_HEALTH_LOADING);

    assert_int_equal(view(&p, 0).state, TG_BACKEND_LOADING);
    assert_false(view(&p, 0).ejected);
    assert_false(load(&p, 0).usable);

    for (unsigned i = 0; i < 60; i++) {
        pass(&p, SECOND);
        check(&p, 0, TG_HEALTH_LOADING);
        assert_int_equal(view(&p, 0).state, TG_BACKEND_LOADING);
    }

    check(&p, 0, TG_HEALTH_OK);
    check(&p, 0, TG_HEALTH_OK);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_UP);
    assert_int_equal(view(&p, 0).ejections, 0);
    gone(&p);
}


static void
test_a_model_that_loads_for_ever_is_down(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 2);
    p.gc.check.loading = 60000;
    check(&p, 0, TG_HEALTH_LOADING);
    pass(&p, 60 * SECOND + TG_TICK_NS);

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(view(&p, 0).state, TG_BACKEND_LOADING);
        check(&p, 0, TG_HEALTH_LOADING);
    }

    assert_int_equal(view(&p, 0).state, TG_BACKEND_DOWN);
    check(&p, 0, TG_HEALTH_LOADING);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_DOWN);
    assert_true(strstr(view(&p, 0).why, "loading") != NULL);

    /* It was started anew, and may load again. */

    check(&p, 0, TG_HEALTH_FAILED);
    check(&p, 0, TG_HEALTH_LOADING);
    assert_int_equal(view(&p, 0).state, TG_BACKEND_LOADING);
    gone(&p);
}


static void
test_slow_start(void **state)
{
    pool_t    p;
    uint32_t  epoch;

    (void) state;
    pool(&p, 2);
    p.gc.check.slow_start = 10000;
    epoch = load(&p, 0).epoch;

    /* Where all begin nobody is cold. */

    check(&p, 0, TG_HEALTH_OK);
    assert_int_equal(load(&p, 0).ramp, 1000);
    assert_int_equal(load(&p, 0).epoch, epoch);

    down(&p, 0);
    assert_int_not_equal(load(&p, 0).epoch, epoch);
    check(&p, 0, TG_HEALTH_OK);
    check(&p, 0, TG_HEALTH_OK);
    assert_int_equal(load(&p, 0).ramp, 1);
    p.now += 5 * SECOND;
    assert_int_equal(load(&p, 0).ramp, 500);
    p.now += 5 * SECOND;
    assert_int_equal(load(&p, 0).ramp, 1000);
    gone(&p);
}


static unsigned
ejected(pool_t *p)
{
    unsigned  n = 0;

    for (unsigned i = 0; i < p->n; i++) {
        n += view(p, i).ejected;
    }

    return n;
}


static void
test_no_more_than_half_are_ejected(void **state)
{
    pool_t  p;

    (void) state;

    for (unsigned n = 1; n <= 9; n++) {
        unsigned  most = n == 1 ? 0 : n / 2 > 0 ? n / 2 : 1;

        pool(&p, n);

        for (unsigned i = 0; i < n; i++) {
            p.now += SECOND;
            down(&p, n - 1 - i);
            assert_int_equal(ejected(&p), i + 1 < most ? i + 1 : most);
        }

        /* Those that are down longest. */

        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(view(&p, n - 1 - i).ejected, i < most);
            assert_int_equal(load(&p, n - 1 - i).usable, i >= most);
        }

        assert_false(tg_group_healthy(p.t, p.g));

        if (n > 2) {

            /* One comes back: the next one in line is out. */

            check(&p, n - 1, TG_HEALTH_OK);
            check(&p, n - 1, TG_HEALTH_OK);
            assert_int_equal(ejected(&p), most);
            assert_true(load(&p, n - 1).usable);
            assert_true(view(&p, n - 1 - most).ejected);
            assert_true(tg_group_healthy(p.t, p.g));
        }

        gone(&p);
    }
}


static void
test_the_share_that_is_ejected_is_set(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 4);
    p.gc.check.max_ejected = 100;

    for (unsigned i = 0; i < 4; i++) {
        down(&p, i);
    }

    assert_int_equal(ejected(&p), 4);

    p.gc.check.max_ejected = 10;
    pass(&p, TG_TICK_NS);
    assert_int_equal(ejected(&p), 1);

    p.gc.check.max_ejected = 0;
    pass(&p, TG_TICK_NS);
    assert_int_equal(ejected(&p), 0);
    gone(&p);
}


static void
test_drained_by_hand(void **state)
{
    pool_t  p;

    (void) state;
    pool(&p, 1);
    tg_backend_drain(p.t, p.b[0], TG_DRAIN_ADMIN, p.now);
    assert_false(load(&p, 0).usable);
    assert_false(tg_group_healthy(p.t, p.g));
    assert_int_equal(view(&p, 0).drain, TG_DRAIN_ADMIN);

    /* Whatever becomes of it meanwhile. */

    down(&p, 0);
    check(&p, 0, TG_HEALTH_OK);
    check(&p, 0, TG_HEALTH_OK);
    assert_false(load(&p, 0).usable);

    tg_backend_drain(p.t, p.b[0], TG_DRAIN_NONE, p.now);
    assert_true(load(&p, 0).usable);
    assert_true(tg_group_healthy(p.t, p.g));
    gone(&p);
}


static void
test_a_long_reason_is_cut(void **state)
{
    char    why[500];
    pool_t  p;

    (void) state;
    pool(&p, 2);
    memset(why, 'x', sizeof(why));

    for (unsigned i = 0; i < 3; i++) {
        tg_backend_checked(p.t, p.b[0], TG_HEALTH_FAILED,
                           tg_str_of(why, sizeof(why)), &p.gc.check, p.now);
    }

    assert_int_equal(strlen(view(&p, 0).why), TG_BACKEND_WHY_MAX - 1);
    gone(&p);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_checks_fail_in_a_row),
        cmocka_unit_test(test_calls_that_fail_count),
        cmocka_unit_test(test_good_calls_excuse_no_failed_checks),
        cmocka_unit_test(test_a_good_health_page_excuses_no_failed_calls),
        cmocka_unit_test(test_want_of_room_is_no_failure),
        cmocka_unit_test(test_without_checks_it_is_tried_again),
        cmocka_unit_test(test_checks_that_end_leave_nobody_out),
        cmocka_unit_test(test_a_model_that_loads_is_waited_for),
        cmocka_unit_test(test_a_model_that_loads_for_ever_is_down),
        cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_no_more_than_half_are_ejected),
        cmocka_unit_test(test_the_share_that_is_ejected_is_set),
        cmocka_unit_test(test_drained_by_hand),
        cmocka_unit_test(test_a_long_reason_is_cut)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
