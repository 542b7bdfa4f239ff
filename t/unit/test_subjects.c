#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_subjects.h"

#define SECOND  INT64_C(1000)
#define HOUR    (3600 * SECOND)
#define DAY     (24 * HOUR)
#define NOON    INT64_C(1773144000000)          /* 2026-03-10T12:00Z */
#define APRIL   INT64_C(1775001600000)

typedef struct {
    tg_quota_t          quota;
    tg_quota_items_t    items;
    tg_quota_call_t     call;
    tg_ledger_state_t   state;
} held_t;


/* A call of `team` under a quota of so many nano-dollars in that window. */
static void
held(held_t *h, const char *team, tg_window_kind_t window, int64_t now,
    bool invented)
{
    memset(h, 0, sizeof(*h));
    h->quota.name = tg_str("spend");
    h->quota.npers = 1;
    h->quota.per[0].kind = TG_PER_TEAM;
    h->quota.nlimits = 1;
    h->quota.limits[0].measure = TG_MEASURE_USD;
    h->quota.limits[0].window.kind = window;
    h->quota.limits[0].prefix_len = 1;
    h->quota.limits[0].cap = h->quota.limits[0].limit = 1000000;

    h->call.subject[TG_PER_TEAM] = tg_strz(team);
    h->call.now = now;
    h->items.n = 1;
    h->items.quota[0] = &h->quota;
    h->items.limit[0] = &h->quota.limits[0];
    tg_quota_item(&h->quota, &h->quota.limits[0], &h->call,
                  &h->items.items[0]);
    h->items.items[0].flags = invented ? TG_LEDGER_INVENTED : 0;
    h->state.window = h->items.items[0].window.start;
    h->state.reset = h->items.items[0].window.end;
    h->state.cap = h->state.limit = 1000000;
}


static void
call(tg_subjects_t *s, const char *team, int64_t now, bool invented,
    int refused)
{
    held_t  h;

    held(&h, team, TG_WINDOW_DAY, now, invented);
    tg_subjects_held(s, &h.items, &h.state, refused, &h.call);
}


static bool
find(const tg_subjects_t *s, const char *subject, int64_t now,
    tg_subject_view_t *v)
{
    unsigned  i = 0;

    while (tg_subjects_each(s, now, &i, v)) {
        if (tg_str_eq(v->subject, tg_strz(subject))) {
            return true;
        }
    }

    return false;
}


static void
test_a_subject_has_its_name(void **state)
{
    held_t              h;
    tg_subjects_t      *s = calloc(1, sizeof(*s));
    tg_subject_view_t   v;

    (void) state;

    call(s, "search", NOON, false, -1);
    call(s, "search", NOON + 5, false, 0);
    held(&h, "search", TG_WINDOW_DAY, NOON, false);

    assert_true(find(s, "team search", NOON, &v));
    assert_true(tg_str_eq(v.quota, tg_str("spend")));
    assert_memory_equal(v.key, h.items.items[0].key, TG_LEDGER_KEY);
    assert_int_equal(v.measure, TG_MEASURE_USD);
    assert_int_equal(v.window.kind, TG_WINDOW_DAY);
    assert_int_equal(v.cap, 1000000);
    assert_int_equal(v.refused, 1);
    assert_int_equal(v.refused_at, NOON + 5);
    assert_int_equal(v.last, NOON + 5);

    /* Another cap is that of the same bucket. */

    h.items.items[0].cap = h.items.items[0].limit = 7;
    tg_subjects_held(s, &h.items, &h.state, -1, &h.call);
    assert_true(find(s, "team search", NOON, &v));
    assert_int_equal(v.cap, 7);
    free(s);
}


static void
test_who_makes_up_subjects_pushes_nobody_out(void **state)
{
    char                name[32];
    unsigned            n = 0, i = 0;
    tg_subjects_t      *s = calloc(1, sizeof(*s));
    tg_subject_view_t   v;

    (void) state;

    for (int k = 0; k < 300; k++) {
        (void) snprintf(name, sizeof(name), "real-%d", k);
        call(s, name, NOON, false, -1);
    }

    for (int k = 0; k < 30000; k++) {
        (void) snprintf(name, sizeof(name), "made-up-%d", k);
        call(s, name, NOON + k, true, -1);
    }

    assert_true(s->crowded > 0);

    for (int k = 0; k < 300; k++) {
        (void) snprintf(name, sizeof(name), "team real-%d", k);
        assert_true(find(s, name, NOON, &v));
    }

    /* And who is configured finds a place among what they have made up. */

    for (int k = 300; k < 600; k++) {
        (void) snprintf(name, sizeof(name), "real-%d", k);
        call(s, name, NOON + 60000, false, -1);
    }

    while (tg_subjects_each(s, NOON, &i, &v)) {
        n += !v.invented;
    }

    assert_in_range(n, 590, 600);

    /* The day after there is room again. */

    for (int k = 0; k < 400; k++) {
        (void) snprintf(name, sizeof(name), "next-%d", k);
        call(s, name, NOON + 2 * DAY, true, -1);
        (void) snprintf(name, sizeof(name), "team next-%d", k);
        assert_true(find(s, name, NOON + 2 * DAY, &v));
    }

    free(s);
}


static void
test_what_died_while_it_wrote_is_taken_over(void **state)
{
    tg_subjects_t      *s = calloc(1, sizeof(*s));
    tg_subject_view_t   v;

    (void) state;

    call(s, "a", NOON, true, -1);

    for (unsigned i = 0; i < TG_SUBJECT_ROWS; i++) {
        if (s->row[i].version != 0) {
            s->row[i].version++;            /* odd: being written */
        }
    }

    assert_false(find(s, "team a", NOON, &v));
    memset(s, 0xff, sizeof(*s));            /* as bad as can be */

    for (unsigned i = 0; i < TG_SUBJECT_ROWS; i++) {
        s->row[i].version = 2 * i + 1;
        s->row[i].last = s->row[i].reset = 0;
    }

    call(s, "b", NOON, false, -1);
    assert_true(find(s, "team b", NOON, &v));
    free(s);
}


/* --- pace --- */

static tg_subject_forecast_t
forecast(tg_subjects_t *s, const held_t *h, int64_t used, int64_t now)
{
    tg_subject_view_t      v;
    tg_ledger_state_t      state = h->state;
    tg_subject_forecast_t  f;

    assert_true(find(s, "team search", now, &v));
    state.used = used;
    tg_subject_forecast(&v, &state, now, &f);

    return f;
}


/* 1000 an hour of a million: in a thousand hours, but not by the month's
 * end. */
static void
test_a_month_goes_by_the_last_week(void **state)
{
    held_t                  h;
    tg_subjects_t          *s = calloc(1, sizeof(*s));
    tg_subject_forecast_t   f;

    (void) state;

    held(&h, "search", TG_WINDOW_MONTH, NOON, false);
    tg_subjects_held(s, &h.items, &h.state, -1, &h.call);
    f = forecast(s, &h, 0, NOON);
    assert_false(f.known);
    assert_int_equal(f.out, TG_WINDOW_NEVER);

    for (int i = 0; i < 10 * 24; i++) {
        tg_subjects_used(s, h.items.items[0].key, 1000, NOON + i * HOUR);
    }

    f = forecast(s, &h, 240000, NOON + 10 * DAY);
    assert_true(f.known);
    assert_in_range(f.daily, 23000, 25000);
    assert_in_range(f.over, 7 * DAY, 7 * DAY + 12 * HOUR);
    assert_int_equal(f.out, TG_WINDOW_NEVER);
    assert_in_range(f.at_reset, 240000 + 11 * 24000, 240000 + 12 * 24500);

    /* Nine tenths are used: it lasts for 100 hours. */

    f = forecast(s, &h, 900000, NOON + 10 * DAY);
    assert_in_range(f.out, NOON + 10 * DAY + 96 * HOUR,
                    NOON + 10 * DAY + 105 * HOUR);

    /* What was long ago does not count. */

    f = forecast(s, &h, 240000, NOON + 20 * DAY);
    assert_true(f.known);
    assert_int_equal(f.daily, 0);
    assert_int_equal(f.out, TG_WINDOW_NEVER);

    /* It is used up. */

    f = forecast(s, &h, 1000000, NOON + 20 * DAY);
    assert_int_equal(f.out, NOON + 20 * DAY);
    free(s);
}


/* What went before counts for the pace, not for what is left. */
static void
test_a_new_window_keeps_the_pace(void **state)
{
    held_t                  h;
    tg_subjects_t          *s = calloc(1, sizeof(*s));
    tg_subject_forecast_t   f;

    (void) state;

    held(&h, "search", TG_WINDOW_MONTH, APRIL - 5 * DAY, false);
    tg_subjects_held(s, &h.items, &h.state, -1, &h.call);

    for (int i = 0; i < 5 * 24; i++) {
        tg_subjects_used(s, h.items.items[0].key, 2000,
                         APRIL - 5 * DAY + i * HOUR);
    }

    held(&h, "search", TG_WINDOW_MONTH, APRIL + HOUR, false);
    tg_subjects_held(s, &h.items, &h.state, -1, &h.call);
    f = forecast(s, &h, 0, APRIL + HOUR);
    assert_in_range(f.daily, 47000, 49000);
    assert_in_range(f.out, APRIL + 20 * DAY, APRIL + 22 * DAY);
    free(s);
}


/* Of few minutes an hour is not known, but a twelfth of a cell is taken for
 * it. */
static void
test_little_is_known_of_the_first_minutes(void **state)
{
    held_t                  h;
    tg_subjects_t          *s = calloc(1, sizeof(*s));
    tg_subject_forecast_t   f;

    (void) state;

    held(&h, "search", TG_WINDOW_DAY, NOON, false);
    tg_subjects_held(s, &h.items, &h.state, -1, &h.call);
    tg_subjects_used(s, h.items.items[0].key, 1000, NOON);

    f = forecast(s, &h, 1000, NOON + SECOND);
    assert_int_equal(f.over, 80 * SECOND);
    assert_int_equal(f.daily, 1000 * DAY / (80 * SECOND));

    f = forecast(s, &h, 1000, NOON + HOUR);
    assert_int_equal(f.over, HOUR);
    assert_int_equal(f.daily, 24000);
    free(s);
}


static void
test_a_burn_never_wraps(void **state)
{
    tg_burn_t    b = { 0 };
    tg_burned_t  r;

    (void) state;

    tg_burn_recent(&b, 60000, NOON, &r);
    assert_int_equal(r.span, 0);
    assert_int_equal(tg_burned_in(&r, DAY), 0);
    assert_int_equal(tg_burned_until(&r, 1), INT64_MAX);

    for (int i = 0; i < 5; i++) {
        tg_burn_add(&b, 60000, NOON, INT64_MAX);
    }

    tg_burn_recent(&b, 60000, NOON + 1, &r);
    assert_int_equal(r.amount, TG_BURN_MAX);
    assert_int_equal(tg_burned_in(&r, INT64_MAX), INT64_MAX);

    /* A turn later the cell is another one's; a clock that goes back a little
     * finds what is ahead of it left alone. */

    tg_burn_add(&b, 60000, NOON + 16 * 60000, 5);
    tg_burn_add(&b, 60000, NOON, 7);
    tg_burn_recent(&b, 60000, NOON + 16 * 60000, &r);
    assert_int_equal(r.amount, 5);

    /* Turns that come again after years are none of these. */

    tg_burn_recent(&b, 60000, NOON + INT64_C(16) * 60000 * (1 + (1 << 14)),
                   &r);
    assert_int_equal(r.amount, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_a_subject_has_its_name),
        cmocka_unit_test(test_who_makes_up_subjects_pushes_nobody_out),
        cmocka_unit_test(test_what_died_while_it_wrote_is_taken_over),
        cmocka_unit_test(test_a_month_goes_by_the_last_week),
        cmocka_unit_test(test_a_new_window_keeps_the_pace),
        cmocka_unit_test(test_little_is_known_of_the_first_minutes),
        cmocka_unit_test(test_a_burn_never_wraps)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
