#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <jansson.h>

#include "backends.h"
#include "tg_scale.h"

#define WALL  INT64_C(1763800000000)    /* of p.now 0 */

static tg_scale_conf_t  hook, second;


/* As tg_group_conf.c gives it: one hook, and what stands behind all servers. */

static void
scaled(pool_t *p, unsigned n, uint32_t idle, uint32_t saturated, uint32_t keep)
{
    pool(p, n);

    memset(&hook, 0, sizeof(hook));
    hook.url = tg_str("https://hooks.example/scale");
    hook.idle = idle * 1000;
    hook.saturated = saturated * 1000;
    hook.cooldown = 600 * 1000;
    hook.keep = keep;

    p->gc.scale[0] = &hook;
    p->gc.nscale = 1;
    p->gc.rest.gpus = 1500;
    p->gc.rest.cost_nusd = INT64_C(2100000000);
    p->gc.rest.server = tg_str("");
}


static void
up(pool_t *p, unsigned i)
{
    for (unsigned k = 0; k < 2; k++) {
        tg_backend_checked(p->t, p->b[i], TG_HEALTH_OK, tg_str(""),
                           &p->gc.check, p->now);
    }
}


static void
down(pool_t *p, unsigned i)
{
    for (unsigned k = 0; k < 3; k++) {
        tg_backend_checked(p->t, p->b[i], TG_HEALTH_FAILED, tg_str("no"),
                           &p->gc.check, p->now);
    }
}


static void
all_up(pool_t *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        up(p, i);
    }
}


static tg_drain_t
drain_of(pool_t *p, unsigned i)
{
    tg_backend_view_t  v;

    tg_backend_view(p->t, p->b[i], &p->gc.check, p->now, &v);

    return v.drain;
}


/* A page that says so. */

static void
page(pool_t *p, unsigned i, int64_t running, int64_t waiting, int64_t tokens)
{
    tg_engine_facts_t  f;

    memset(&f, 0, sizeof(f));
    f.engine = TG_ENGINE_VLLM;
    f.known = 1u << TG_FACT_RUNNING | 1u << TG_FACT_WAITING
              | 1u << TG_FACT_OUTPUT_TOKENS;
    f.value[TG_FACT_RUNNING] = running;
    f.value[TG_FACT_WAITING] = waiting;
    f.value[TG_FACT_OUTPUT_TOKENS] = tokens;

    tg_backend_scraped(p->t, p->b[i], &f, &p->gc.check, p->now);
}


/* A tick: how many events, the last of which is e. */

static unsigned
tick(pool_t *p, tg_scale_event_t *e)
{
    unsigned  n = 0;

    tg_group_tick(p->t, p->g, &p->gc, p->now);

    while (tg_scale_next(p->t, p->g, &p->gc, p->now,
                         WALL + p->now / 1000000, e))
    {
        n++;
        assert_true(n < 100);
    }

    return n;
}


/* So many seconds of ticks; returns events. */

static unsigned
run(pool_t *p, unsigned seconds, tg_scale_event_t *e)
{
    unsigned  n = 0;

    for (unsigned i = 0; i < seconds * 4; i++) {
        p->now += SECOND / 4;
        n += tick(p, e);
    }

    return n;
}


static void
call(pool_t *p, unsigned i, tg_ticket_t *ticket)
{
    const tg_work_t  work = { 10, 10 };

    tg_backend_begin(p->t, p->b[i], p->slot, &work, p->now, ticket);
}


static void
ended(pool_t *p, tg_ticket_t *ticket)
{
    (void) tg_backend_end(p->t, ticket, TG_CAME_OK, &p->gc.check, p->now);
}


static void
test_one_that_is_idle_is_drained_and_then_told_of(void **state)
{
    pool_t            p;
    json_t           *j;
    const char       *id, *type, *time, *upstream, *server;
    double            gpus, cost;
    tg_scale_event_t  e;
    int               idle, n, usable;

    (void) state;
    scaled(&p, 2, 60, 0, 1);
    all_up(&p);

    assert_int_equal(run(&p, 59, &e), 0);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_NONE);

    assert_int_equal(run(&p, 3, &e), 1);
    assert_int_equal(e.what, TG_SCALE_IDLE);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_IDLE);

    /* keep=1: the other one stays */

    assert_int_equal(drain_of(&p, 1), TG_DRAIN_NONE);
    assert_int_equal(strlen(e.id), TG_SCALE_ID_LEN);

    j = json_loadb(e.body, e.len, 0, NULL);
    assert_non_null(j);
    assert_int_equal(json_unpack(j, "{s:s,s:s,s:s,s:{s:s,s:s,s:i,s:F,s:F,s:i,"
                                 "s:i}}", "id", &id, "type", &type,
                                 "timestamp", &time, "data", "upstream",
                                 &upstream, "server", &server, "idle_seconds",
                                 &idle, "gpus", &gpus, "gpu_cost_per_hour",
                                 &cost, "backends", &n, "usable", &usable), 0);
    assert_string_equal(id, e.id);
    assert_string_equal(type, "backend.idle");
    assert_string_equal(upstream, "gpu");
    assert_string_equal(server, "10.0.0.1:8000");
    assert_in_range(idle, 60, 61);
    assert_true(gpus == 1.5 && cost == 2.1 && n == 2 && usable == 1);
    assert_true(strlen(time) == 24);
    json_decref(j);

    assert_int_equal(run(&p, 50, &e), 0);
    gone(&p);
}


static void
test_it_is_told_again_with_the_same_id_until_it_is_delivered(void **state)
{
    pool_t            p;
    tg_scale_event_t  first, e;

    (void) state;
    scaled(&p, 2, 60, 0, 1);
    all_up(&p);

    assert_int_equal(run(&p, 62, &first), 1);
    assert_int_equal(run(&p, 58, &e), 0);
    assert_int_equal(run(&p, 4, &e), 1);
    assert_string_equal(e.id, first.id);
    assert_int_equal(e.len, first.len);
    assert_memory_equal(e.body, first.body, e.len);

    /* of another occasion nothing is done */

    e.occasion++;
    tg_scale_done(p.t, &e);
    assert_int_equal(run(&p, 62, &e), 1);

    tg_scale_done(p.t, &e);
    assert_int_equal(run(&p, 300, &e), 0);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_IDLE);
    gone(&p);
}


static void
test_keep_counts_those_that_take_calls(void **state)
{
    pool_t            p;
    tg_scale_event_t  e;

    (void) state;

    scaled(&p, 4, 10, 0, 2);
    all_up(&p);
    down(&p, 3);
    assert_int_equal(run(&p, 20, &e), 1);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_IDLE);
    assert_int_equal(drain_of(&p, 1), TG_DRAIN_NONE);
    assert_int_equal(drain_of(&p, 3), TG_DRAIN_NONE);
    gone(&p);

    scaled(&p, 2, 10, 0, 0);
    all_up(&p);
    assert_int_equal(run(&p, 20, &e), 2);
    gone(&p);
}


static void
test_what_is_under_way_keeps_it_busy(void **state)
{
    pool_t            p;
    tg_ticket_t       ticket;
    tg_scale_event_t  e;

    (void) state;
    scaled(&p, 1, 10, 0, 0);
    all_up(&p);

    call(&p, 0, &ticket);
    assert_int_equal(run(&p, 100, &e), 0);
    ended(&p, &ticket);
    assert_int_equal(run(&p, 9, &e), 0);

    /* a call between two looks */

    call(&p, 0, &ticket);
    ended(&p, &ticket);
    assert_int_equal(run(&p, 9, &e), 0);
    assert_int_equal(run(&p, 3, &e), 1);
    gone(&p);
}


static void
test_others_that_use_it_keep_it_busy(void **state)
{
    pool_t            p;
    tg_scale_event_t  e;

    (void) state;
    scaled(&p, 1, 10, 0, 0);
    all_up(&p);

    for (unsigned i = 0; i < 20; i++) {
        page(&p, 0, i % 2, 0, 100);
        assert_int_equal(run(&p, 1, &e), 0);
    }

    /* tokens moved between two pages */

    for (unsigned i = 0; i < 20; i++) {
        page(&p, 0, 0, 0, 100 + i);
        assert_int_equal(run(&p, 1, &e), 0);
    }

    for (unsigned i = 0; i < 5; i++) {
        page(&p, 0, 0, 0, 119);
        assert_int_equal(run(&p, 1, &e), 0);
    }

    /* nobody knows, and nothing happens */

    assert_int_equal(run(&p, 60, &e), 0);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_NONE);

    page(&p, 0, 0, 0, 119);
    assert_int_equal(run(&p, 1, &e), 1);
    gone(&p);
}


static void
test_a_call_that_came_meanwhile_ends_the_drain(void **state)
{
    pool_t            p;
    tg_ticket_t       ticket;
    tg_scale_event_t  e;

    (void) state;
    scaled(&p, 2, 10, 0, 0);
    all_up(&p);

    /* told of, and used all the same: there was nothing else */

    assert_int_equal(run(&p, 12, &e), 2);
    call(&p, 0, &ticket);
    assert_int_equal(run(&p, 1, &e), 0);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_NONE);
    assert_int_equal(drain_of(&p, 1), TG_DRAIN_IDLE);
    ended(&p, &ticket);

    /* idle again, but within the cooldown */

    assert_int_equal(run(&p, 100, &e), 1);      /* b[1], again */
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_NONE);
    gone(&p);
}


static void
test_one_that_was_away_is_used_again(void **state)
{
    pool_t            p;
    tg_scale_event_t  e;

    (void) state;
    scaled(&p, 2, 10, 0, 1);
    all_up(&p);

    assert_int_equal(run(&p, 12, &e), 1);
    tg_scale_done(p.t, &e);
    down(&p, 0);
    assert_int_equal(run(&p, 100, &e), 0);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_IDLE);

    tg_backend_checked(p.t, p.b[0], TG_HEALTH_LOADING, tg_str(""),
                       &p.gc.check, p.now);
    assert_int_equal(run(&p, 5, &e), 0);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_IDLE);

    /* and now there is one for the other to go */

    up(&p, 0);
    assert_int_equal(run(&p, 1, &e), 1);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_NONE);
    assert_int_equal(drain_of(&p, 1), TG_DRAIN_IDLE);
    gone(&p);
}


static void
test_an_administrator_has_the_last_word(void **state)
{
    pool_t            p;
    tg_scale_event_t  e;

    (void) state;
    scaled(&p, 3, 10, 0, 1);
    all_up(&p);

    tg_backend_drain(p.t, p.b[2], TG_DRAIN_ADMIN, p.now);
    assert_int_equal(run(&p, 12, &e), 1);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_IDLE);
    assert_int_equal(drain_of(&p, 2), TG_DRAIN_ADMIN);

    tg_backend_drain(p.t, p.b[0], TG_DRAIN_NONE, p.now);
    assert_int_equal(run(&p, 5, &e), 1);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_NONE);
    assert_int_equal(drain_of(&p, 1), TG_DRAIN_IDLE);
    gone(&p);
}


/* Full by its queue, twice. */

static void
fill(pool_t *p, unsigned seconds, bool full, unsigned *events,
    tg_scale_event_t *e)
{
    for (unsigned s = 0; s < seconds; s++) {
        for (unsigned i = 0; i < p->n; i++) {
            page(p, i, 8, full ? 10 : 0, 100);
        }
        *events += run(p, 1, e);
    }
}


static void
test_saturation_that_lasts_is_told_once_in_cooldown(void **state)
{
    pool_t            p;
    json_t           *j;
    unsigned          n = 0;
    int               seconds;
    double            level;
    const char       *type;
    char              first[TG_SCALE_ID_LEN + 1];
    tg_scale_event_t  e;

    (void) state;
    scaled(&p, 2, 0, 30, 1);
    all_up(&p);

    fill(&p, 30, true, &n, &e);
    assert_int_equal(n, 0);
    fill(&p, 8, true, &n, &e);
    assert_int_equal(n, 1);
    assert_int_equal(e.what, TG_SCALE_SATURATED);
    memcpy(first, e.id, sizeof(first));

    j = json_loadb(e.body, e.len, 0, NULL);
    assert_int_equal(json_unpack(j, "{s:s,s:{s:i,s:F}}", "type", &type, "data",
                                 "saturated_seconds", &seconds, "level",
                                 &level), 0);
    assert_string_equal(type, "upstream.saturated");
    assert_in_range(seconds, 30, 31);
    assert_true(level == 2);
    json_decref(j);

    tg_scale_done(p.t, &e);
    fill(&p, 500, true, &n, &e);
    assert_int_equal(n, 1);

    /* still so after the cooldown: another occasion */

    fill(&p, 120, true, &n, &e);
    assert_int_equal(n, 2);
    assert_string_not_equal(e.id, first);

    /* it is over before it was delivered */

    fill(&p, 300, false, &n, &e);
    assert_int_equal(n, 2);
    gone(&p);
}


static void
test_saturation_brings_back_what_was_drained(void **state)
{
    pool_t            p;
    unsigned          n = 0;
    tg_scale_event_t  e;

    (void) state;
    scaled(&p, 2, 10, 30, 1);
    all_up(&p);

    for (unsigned i = 0; i < 15; i++) {
        page(&p, 0, 0, 0, 0);
        page(&p, 1, 1, 0, i);
        n += run(&p, 1, &e);
    }

    assert_int_equal(n, 1);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_IDLE);

    for (unsigned i = 0; i < 6; i++) {
        page(&p, 0, 0, 0, 0);
        page(&p, 1, 8, 20, 100 + i);
        n += run(&p, 1, &e);
    }

    assert_int_equal(n, 1);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_NONE);
    gone(&p);
}


static void
test_hooks_have_their_own_patience(void **state)
{
    pool_t            p;
    tg_scale_event_t  one, two, e;

    (void) state;
    scaled(&p, 2, 10, 0, 1);
    second = hook;
    second.url = tg_str("https://other.example/");
    second.idle = 40000;
    p.gc.scale[1] = &second;
    p.gc.nscale = 2;
    all_up(&p);

    assert_int_equal(run(&p, 12, &one), 1);
    assert_int_equal(one.hook, 0);
    tg_scale_done(p.t, &one);
    assert_int_equal(run(&p, 27, &e), 0);
    assert_int_equal(run(&p, 3, &two), 1);
    assert_int_equal(two.hook, 1);
    assert_string_not_equal(one.id, two.id);
    gone(&p);
}


static void
test_without_a_hook_what_was_drained_is_given_back(void **state)
{
    pool_t            p;
    tg_scale_event_t  e;

    (void) state;
    scaled(&p, 2, 10, 0, 1);
    all_up(&p);
    assert_int_equal(run(&p, 12, &e), 1);

    p.gc.nscale = 0;
    assert_int_equal(run(&p, 1, &e), 0);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_NONE);
    gone(&p);
}


static void
test_what_was_drained_before_a_boot_is_given_back(void **state)
{
    pool_t            p;
    tg_scale_event_t  e;

    (void) state;
    scaled(&p, 2, 10, 0, 1);
    all_up(&p);
    assert_int_equal(run(&p, 12, &e), 1);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_IDLE);

    p.now = 5 * SECOND;
    assert_int_equal(tg_backends_open(p.t, tg_backends_size(), 2, p.now, NULL),
                     TG_OK);
    p.slot = tg_backends_join(p.t, 1000, 1);
    all_up(&p);
    assert_int_equal(run(&p, 1, &e), 0);
    assert_int_equal(drain_of(&p, 0), TG_DRAIN_NONE);
    gone(&p);
}


static void
test_time_in_which_nobody_looked_is_not_idle(void **state)
{
    pool_t            p;
    tg_scale_event_t  e;

    (void) state;
    scaled(&p, 2, 60, 0, 1);
    all_up(&p);
    assert_int_equal(run(&p, 30, &e), 0);
    p.now += 3600 * SECOND;
    assert_int_equal(run(&p, 58, &e), 0);
    assert_int_equal(run(&p, 4, &e), 1);
    gone(&p);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_one_that_is_idle_is_drained_and_then_told_of),
        cmocka_unit_test(
            test_it_is_told_again_with_the_same_id_until_it_is_delivered),
        cmocka_unit_test(test_keep_counts_those_that_take_calls),
        cmocka_unit_test(test_what_is_under_way_keeps_it_busy),
        cmocka_unit_test(test_others_that_use_it_keep_it_busy),
        cmocka_unit_test(test_a_call_that_came_meanwhile_ends_the_drain),
        cmocka_unit_test(test_one_that_was_away_is_used_again),
        cmocka_unit_test(test_an_administrator_has_the_last_word),
        cmocka_unit_test(test_saturation_that_lasts_is_told_once_in_cooldown),
        cmocka_unit_test(test_saturation_brings_back_what_was_drained),
        cmocka_unit_test(test_hooks_have_their_own_patience),
        cmocka_unit_test(test_without_a_hook_what_was_drained_is_given_back),
        cmocka_unit_test(test_what_was_drained_before_a_boot_is_given_back),
        cmocka_unit_test(test_time_in_which_nobody_looked_is_not_idle)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
