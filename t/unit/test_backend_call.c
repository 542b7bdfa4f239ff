/* What is under way at a backend, and where its time goes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends.h"


static void
test_calls_are_counted(void **state)
{
    pool_t             p;
    tg_ticket_t        k[3];
    tg_work_t          w = { 100, 50 };
    tg_backend_load_t  l;

    (void) state;
    pool(&p, 2);

    for (unsigned i = 0; i < 3; i++) {
        tg_backend_begin(p.t, p.b[0], p.slot, &w, p.now, &k[i]);
    }

    tg_backend_load(p.t, p.b[0], &p.gc.check, p.now, &l);
    assert_int_equal(l.calls, 3);
    assert_int_equal(l.tokens, 450);
    assert_int_equal(l.fresh_tokens, 450);

    tg_backend_load(p.t, p.b[1], &p.gc.check, p.now, &l);
    assert_int_equal(l.calls, 0);

    for (unsigned i = 0; i < 3; i++) {
        tg_backend_end(p.t, &k[i], TG_CAME_OK, &p.gc.check, p.now);
        tg_backend_end(p.t, &k[i], TG_CAME_OK, &p.gc.check, p.now);
    }

    tg_backend_load(p.t, p.b[0], &p.gc.check, p.now, &l);
    assert_int_equal(l.calls, 0);
    assert_int_equal(l.tokens, 0);
    assert_int_equal(l.fresh_tokens, 0);
    gone(&p);
}


static void
test_calls_share_the_time(void **state)
{
    pool_t         p;
    int64_t        a, b;
    tg_ticket_t    k[2];
    tg_gpu_time_t  time;

    (void) state;
    pool(&p, 1);

    /* Alone for 1 s, two for 2 s, alone for 3 s. */

    tg_backend_begin(p.t, p.b[0], p.slot, NULL, p.now, &k[0]);
    pass(&p, SECOND);
    tg_backend_begin(p.t, p.b[0], p.slot, NULL, p.now, &k[1]);
    pass(&p, 2 * SECOND);
    assert_int_equal(tg_backend_spent(p.t, &k[1], p.now), SECOND);
    a = tg_backend_end(p.t, &k[0], TG_CAME_OK, &p.gc.check, p.now);
    pass(&p, 3 * SECOND);
    b = tg_backend_end(p.t, &k[1], TG_CAME_OK, &p.gc.check, p.now);
    pass(&p, 4 * SECOND);

    assert_int_equal(a, 2 * SECOND);
    assert_int_equal(b, 4 * SECOND);

    tg_backend_time(p.t, p.b[0], p.now, &time);
    assert_int_equal(time.shared, 6 * SECOND);
    assert_int_equal(time.busy, 6 * SECOND);
    assert_int_equal(time.idle, 4 * SECOND);
    assert_int_equal(time.provisioned, 10 * SECOND);
    assert_int_equal(time.cost_nusd, 10 * INT64_C(3600000000) / 3600);
    assert_int_equal(time.idle_nusd, 4 * INT64_C(3600000000) / 3600);
    gone(&p);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_calls_are_counted),
        cmocka_unit_test(test_calls_share_the_time)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
