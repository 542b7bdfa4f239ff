/* Upstreams and backends by name: found, made, forgotten; over reloads, restarts
 * and boots. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends.h"


static tg_backend_t *
make(pool_t *p, unsigned i)
{
    char  name[32];

    snprintf(name, sizeof(name), "10.1.%u.%u:8000", i / 256, i % 256);

    return tg_backends_backend(p->t, p->g, tg_strz(name), p->now);
}


static void
test_found_by_name(void **state)
{
    pool_t         p;
    tg_group_t    *other;
    tg_backend_t  *b;

    (void) state;
    pool(&p, 3);
    assert_ptr_equal(tg_backends_group(p.t, tg_str("gpu")), p.g);
    assert_ptr_equal(tg_backends_find_group(p.t, tg_str("gpu")), p.g);
    assert_null(tg_backends_find_group(p.t, tg_str("gp")));
    assert_null(tg_backends_find_group(p.t, tg_str("")));
    assert_ptr_equal(tg_backends_find(p.t, p.g, tg_str("10.0.0.2:8000")),
                     p.b[1]);
    assert_null(tg_backends_find(p.t, p.g, tg_str("10.0.0.2:800")));
    assert_true(tg_str_eq(tg_backend_server(p.b[1]),
                          tg_str("10.0.0.2:8000")));

    /* The same server of another upstream is another backend. */

    other = tg_backends_group(p.t, tg_str("gpu2"));
    assert_ptr_not_equal(other, p.g);
    assert_null(tg_backends_find(p.t, other, tg_str("10.0.0.2:8000")));
    b = tg_backends_backend(p.t, other, tg_str("10.0.0.2:8000"), p.now);
    assert_non_null(b);
    assert_ptr_not_equal(b, p.b[1]);
    assert_ptr_equal(tg_backends_find(p.t, p.g, tg_str("10.0.0.2:8000")),
                     p.b[1]);

    assert_ptr_equal(tg_backends_group_at(p.t, 0), p.g);
    assert_ptr_equal(tg_backends_group_at(p.t, 1), other);
    assert_null(tg_backends_group_at(p.t, 2));

    for (unsigned i = 0; i < 3; i++) {
        assert_ptr_equal(tg_group_backend_at(p.t, p.g, i), p.b[i]);
    }

    assert_null(tg_group_backend_at(p.t, p.g, 3));
    assert_ptr_equal(tg_group_backend_at(p.t, other, 0), b);
    gone(&p);
}


static void
test_long_names_are_told_apart(void **state)
{
    char           name[2][300];
    pool_t         p;
    tg_group_t    *g[2];
    tg_backend_t  *b[2];

    (void) state;
    pool(&p, 0);

    for (size_t len = TG_GROUP_NAME_MAX - 1; len < 300; len++) {
        memset(name, 'n', sizeof(name));
        name[1][len - 1] = 'm';

        for (unsigned i = 0; i < 2; i++) {
            b[i] = tg_backends_backend(p.t, p.g, tg_str_of(name[i], len),
                                       p.now);
            assert_ptr_equal(tg_backends_find(p.t, p.g,
                                              tg_str_of(name[i], len)), b[i]);
            assert_true(tg_backend_server(b[i]).len <= TG_BACKEND_NAME_MAX);
        }

        assert_ptr_not_equal(b[0], b[1]);
        assert_false(tg_str_eq(tg_backend_server(b[0]),
                               tg_backend_server(b[1])));
    }

    for (unsigned i = 0; i < 2; i++) {
        g[i] = tg_backends_group(p.t, tg_str_of(name[i], 299));
        assert_ptr_equal(tg_backends_find_group(p.t,
                                                tg_str_of(name[i], 299)),
                         g[i]);
    }

    assert_ptr_not_equal(g[0], g[1]);
    gone(&p);
}


static void
test_a_reload_finds_what_it_knew(void **state)
{
    pool_t             p;
    tg_backend_conf_t  bc;

    (void) state;
    pool(&p, 3);
    memset(&bc, 0, sizeof(bc));
    bc.cost_nusd = -1;

    for (unsigned i = 0; i < 3; i++) {
        tg_backend_checked(p.t, p.b[1], TG_HEALTH_FAILED, tg_str("no"),
                           &p.gc.check, p.now);
    }

    /* One server less. */

    tg_backends_generation(p.t);
    tg_backend_configured(p.t, p.b[0], &bc, p.now);
    tg_backend_configured(p.t, p.b[1], &bc, p.now);
    pass(&p, TG_TICK_NS);
    assert_int_equal(view(&p, 1).state, TG_BACKEND_DOWN);
    assert_true(view(&p, 1).ejected);
    assert_true(view(&p, 1).configured);
    assert_false(view(&p, 2).configured);
    assert_ptr_equal(tg_backends_find(p.t, p.g, tg_str("10.0.0.3:8000")),
                     p.b[2]);
    gone(&p);
}


static void
test_what_is_not_configured_costs_nothing(void **state)
{
    pool_t             p;
    tg_gpu_time_t      time;
    tg_backend_conf_t  bc;

    (void) state;
    pool(&p, 2);
    memset(&bc, 0, sizeof(bc));
    pass(&p, SECOND);
    tg_backends_generation(p.t);
    bc.cost_nusd = INT64_C(3600000000);
    tg_backend_configured(p.t, p.b[0], &bc, p.now);
    tg_backends_sweep(p.t, NULL, p.now);
    pass(&p, 5 * SECOND);
    tg_backend_time(p.t, p.b[1], p.now, &time);
    assert_int_equal(time.provisioned, SECOND);

    /* It comes again, dearer. */

    bc.cost_nusd *= 2;
    tg_backend_configured(p.t, p.b[1], &bc, p.now);
    pass(&p, SECOND);
    tg_backend_time(p.t, p.b[1], p.now, &time);
    assert_int_equal(time.provisioned, 2 * SECOND);
    assert_int_equal(time.cost_nusd, 3 * 1000000);
    assert_int_equal(time.idle_nusd, 3 * 1000000);

    /* Cheaper, and without a price: what it has cost it has cost. */

    bc.cost_nusd = -1;
    tg_backend_configured(p.t, p.b[1], &bc, p.now);
    pass(&p, SECOND);
    tg_backend_time(p.t, p.b[1], p.now, &time);
    assert_int_equal(time.cost_nusd, 3 * 1000000);
    gone(&p);
}


static void
test_room_is_made_by_those_that_are_gone(void **state)
{
    pool_t             p;
    tg_ticket_t        k;
    tg_backend_t      *b[TG_BACKENDS_MAX], *more;
    tg_backend_conf_t  bc;

    (void) state;
    pool(&p, 0);
    memset(&bc, 0, sizeof(bc));

    for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
        b[i] = make(&p, i);
        assert_non_null(b[i]);
        tg_backend_configured(p.t, b[i], &bc, p.now);
        p.now++;
    }

    assert_null(make(&p, 1000));

    /* All but two are in the next configuration; one of them has a call. */

    tg_backends_generation(p.t);
    tg_backend_begin(p.t, b[7], p.slot, NULL, p.now, &k);

    for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
        if (i != 7 && i != 9) {
            tg_backend_configured(p.t, b[i], &bc, p.now);
        }
    }

    /* Old workers may know them for a while. */

    assert_null(make(&p, 1000));
    p.now += 61 * SECOND;
    more = make(&p, 1000);
    assert_ptr_equal(more, b[9]);
    assert_null(make(&p, 1001));
    assert_null(tg_backends_find(p.t, p.g, tg_str("10.1.0.9:8000")));
    assert_ptr_equal(make(&p, 1000), more);

    tg_backend_end(p.t, &k, TG_CAME_OK, &p.gc.check, p.now);
    assert_ptr_equal(make(&p, 1001), b[7]);
    gone(&p);
}


static void
test_upstreams_make_room_as_well(void **state)
{
    char               name[32];
    pool_t             p;
    tg_group_t        *g;
    tg_backend_conf_t  bc;

    (void) state;
    pool(&p, 1);
    memset(&bc, 0, sizeof(bc));

    for (unsigned i = 0; i < 3 * TG_GROUPS_MAX; i++) {
        snprintf(name, sizeof(name), "upstream%u", i);
        g = tg_backends_group(p.t, tg_strz(name));

        if (i > 0 && i % (TG_GROUPS_MAX - 1) == 0) {

            /* More than one configuration may have. */

            assert_null(g);
            tg_backends_generation(p.t);
            tg_backend_configured(p.t, p.b[0], &bc, p.now);
            g = tg_backends_group(p.t, tg_strz(name));
        }

        assert_non_null(g);
        assert_ptr_not_equal(g, p.g);
        assert_null(tg_group_backend_at(p.t, g, 0));
        assert_non_null(tg_backends_backend(p.t, g, tg_str("10.0.0.1:8000"),
                                            p.now));
    }

    assert_ptr_equal(tg_backends_find_group(p.t, tg_str("gpu")), p.g);
    assert_ptr_equal(tg_group_backend_at(p.t, p.g, 0), p.b[0]);
    gone(&p);
}


static void
test_opened_again_it_is_the_same(void **state)
{
    pool_t         p;
    tg_gpu_time_t  time;

    (void) state;
    pool(&p, 2);
    pass(&p, SECOND);
    tg_backend_drain(p.t, p.b[0], TG_DRAIN_ADMIN, p.now);
    assert_int_equal(tg_backends_open(p.t, tg_backends_size(), 1, p.now,
                                      NULL),
                     TG_OK);
    assert_ptr_equal(tg_backends_find(p.t, p.g, tg_str("10.0.0.1:8000")),
                     p.b[0]);
    assert_int_equal(view(&p, 0).drain, TG_DRAIN_ADMIN);
    assert_true(view(&p, 0).configured);

    /* The server was away for an hour: nobody knows what that hour was. */

    p.now += 3600 * SECOND;
    tg_backend_time(p.t, p.b[0], p.now, &time);
    assert_int_equal(time.provisioned, SECOND);
    assert_int_equal(tg_backends_open(p.t, tg_backends_size(), 1, p.now,
                                      NULL),
                     TG_OK);
    pass(&p, SECOND);
    tg_backend_time(p.t, p.b[0], p.now, &time);
    assert_int_equal(time.provisioned, 2 * SECOND);
    gone(&p);
}


static void
test_after_a_boot_money_is_kept_and_times_are_not(void **state)
{
    pool_t              p;
    tg_ticket_t         k;
    tg_gpu_time_t       time;
    tg_backend_view_t   v;
    tg_engine_facts_t   f;

    (void) state;
    pool(&p, 2);
    memset(&f, 0, sizeof(f));
    f.known = 1;
    f.value[0] = 3;
    tg_backend_begin(p.t, p.b[0], p.slot, NULL, p.now, &k);
    tg_backend_usage(p.t, p.b[0], 1000, 1000, 77, 99);
    pass(&p, 2 * SECOND);
    tg_backend_scraped(p.t, p.b[0], &f, &p.gc.check, p.now);
    tg_backend_drain(p.t, p.b[1], TG_DRAIN_ADMIN, p.now);
    tg_backend_checked(p.t, p.b[0], TG_HEALTH_LOADING, tg_str("no"),
                       &p.gc.check, p.now);

    p.now = 7 * SECOND;
    assert_int_equal(tg_backends_open(p.t, tg_backends_size(), 2, p.now,
                                      NULL),
                     TG_OK);
    v = view(&p, 0);
    assert_int_equal(v.state, TG_BACKEND_NEW);
    assert_int_equal(v.calls, 0);
    assert_int_equal(v.checked, 0);
    assert_int_equal(v.scraped, 0);
    assert_false(v.fresh);
    assert_int_equal(v.since, p.now);
    assert_int_equal(view(&p, 1).drain, TG_DRAIN_ADMIN);

    tg_backend_time(p.t, p.b[0], p.now, &time);
    assert_int_equal(time.provisioned, 2 * SECOND);
    assert_int_equal(time.busy, 2 * SECOND);
    assert_int_equal(time.calls_nusd, 77);
    assert_int_equal(time.cloud_nusd, 99);
    assert_true(time.usd_per_mtok > 0.99e0 && time.usd_per_mtok < 1.01e0);

    p.slot = tg_backends_join(p.t, 1000, 1);
    assert_int_equal(p.slot, 0);
    pass(&p, SECOND);
    tg_backend_time(p.t, p.b[0], p.now, &time);
    assert_int_equal(time.idle, SECOND);
    gone(&p);
}


/* Where the kernel does not tell of boots. */
static void
test_a_clock_that_went_back_is_another_boot(void **state)
{
    pool_t         p;
    tg_gpu_time_t  time;

    (void) state;
    pool(&p, 1);
    pass(&p, SECOND);
    p.now = 5 * SECOND;
    assert_int_equal(tg_backends_open(p.t, tg_backends_size(), 1, p.now,
                                      NULL),
                     TG_OK);
    pass(&p, SECOND);
    tg_backend_time(p.t, p.b[0], p.now, &time);
    assert_int_equal(time.provisioned, 2 * SECOND);
    assert_int_equal(view(&p, 0).since, 5 * SECOND);
    gone(&p);
}


static void
test_memory_of_another_version_is_made_anew(void **state)
{
    pool_t      p;
    tg_error_t  err;

    (void) state;
    pool(&p, 2);
    ((char *) p.t)[8]++;
    assert_false(tg_backends_made(p.t));
    assert_int_equal(tg_backends_open(p.t, tg_backends_size(), 1, p.now,
                                      NULL),
                     TG_OK);
    assert_true(tg_backends_made(p.t));
    assert_null(tg_backends_group_at(p.t, 0));
    assert_int_equal(tg_backends_open(p.t, tg_backends_size() - 1, 1, p.now,
                                      &err),
                     TG_ERROR);
    gone(&p);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_found_by_name),
        cmocka_unit_test(test_long_names_are_told_apart),
        cmocka_unit_test(test_a_reload_finds_what_it_knew),
        cmocka_unit_test(test_what_is_not_configured_costs_nothing),
        cmocka_unit_test(test_room_is_made_by_those_that_are_gone),
        cmocka_unit_test(test_upstreams_make_room_as_well),
        cmocka_unit_test(test_opened_again_it_is_the_same),
        cmocka_unit_test(test_after_a_boot_money_is_kept_and_times_are_not),
        cmocka_unit_test(test_a_clock_that_went_back_is_another_boot),
        cmocka_unit_test(test_memory_of_another_version_is_made_anew)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
