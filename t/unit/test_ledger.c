#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_ledger.h"
#include "tg_ledger_int.h"

#define SIZE  (256 * 1024)

/* A ledger in memory; views of it stand for processes. */
static void      *base;
static bool       dead[TG_LEDGER_OWNERS_MAX + 1];
static unsigned   waits;
static const unsigned char  boot[16] = "boot one.......";


static bool
owner_dead(void *baton, uint32_t owner)
{
    (void) baton;

    return dead[owner];
}


static bool
wait_a_little(void *baton, uint64_t *since)
{
    (void) baton;
    waits++;

    return ++*since < 3;
}


static const tg_ledger_host_t  host = { owner_dead, wait_a_little, NULL };


static int
setup(void **state)
{
    tg_error_t           err;
    const unsigned char  seed[16] = "fedcba987654321";

    (void) state;

    base = aligned_alloc(4096, SIZE);
    if (base == NULL) {
        return -1;
    }

    memset(base, 0, SIZE);
    memset(dead, 0, sizeof(dead));

    return tg_ledger_format(base, SIZE, seed, boot, 1, &err);
}


static int
teardown(void **state)
{
    (void) state;
    free(base);

    return 0;
}


static tg_ledger_t
view(uint32_t owner)
{
    tg_error_t   err;
    tg_ledger_t  led;

    assert_int_equal(tg_ledger_attach(&led, base, SIZE, &host, &err), TG_OK);
    assert_int_equal(tg_ledger_claim(&led, owner), TG_LEDGER_OK);

    return led;
}


static tg_ledger_item_t
item(const char *key, int64_t amount, int64_t cap)
{
    tg_ledger_item_t  it;

    memset(&it, 0, sizeof(it));
    snprintf((char *) it.key, sizeof(it.key), "%s", key);
    it.window.end = TG_WINDOW_NEVER;
    it.amount = amount;
    it.cap = cap;
    it.limit = cap;

    return it;
}


static tg_ledger_item_t
windowed(const char *key, int64_t amount, int64_t cap, int64_t start)
{
    tg_ledger_item_t  it = item(key, amount, cap);

    it.window.start = start;
    it.window.end = start + 1000;

    return it;
}


static int
hold1(tg_ledger_t *led, int64_t now, tg_ledger_item_t it,
    tg_ledger_result_t *r)
{
    return tg_ledger_hold(led, now, &it, 1, "line", 4, r);
}


static int
settle1(tg_ledger_t *led, int64_t now, tg_ledger_slot_t slot, int64_t actual)
{
    return tg_ledger_settle(led, now, slot, &actual, 1, NULL, 0, NULL);
}


/* Hold and settle at once. */
static void
spend(tg_ledger_t *led, int64_t now, tg_ledger_item_t it, int64_t actual)
{
    tg_ledger_result_t  r;

    assert_int_equal(hold1(led, now, it, &r), TG_LEDGER_OK);
    assert_int_equal(settle1(led, now, r.slot, actual), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_line_written(led, &r.slot, 1), TG_LEDGER_OK);
}


static tg_ledger_entry_t
entry(const tg_ledger_t *led, const char *key)
{
    tg_ledger_item_t   it = item(key, 0, 0);
    tg_ledger_entry_t  e;

    assert_int_equal(tg_ledger_read(led, it.key, &e), TG_LEDGER_OK);
    assert_false(e.torn);

    return e;
}


static void
check_sound(tg_ledger_t *led)
{
    tg_arena_t          *a = tg_arena_create(0);
    tg_ledger_report_t   r;

    assert_int_equal(tg_ledger_check(led, tg_arena_mem(a), &r), TG_LEDGER_OK);
    assert_true(r.bad_held == 0);
    assert_true(r.bad_open == 0);
    assert_true(r.bad_chain == 0);
    assert_true(r.bad_free == 0);
    assert_true(r.bad_slot == 0);
    assert_true(r.bad_count == 0);
    assert_true(r.negative == 0);
    assert_true(r.broken == 0);
    tg_arena_destroy(a);
}


static void
test_a_call_from_hold_to_line(void **state)
{
    int64_t             actual[2] = { 30, 3 };
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    items[2] = { item("usd", 100, 1000),
                                     item("tok", 10, 1000) };
    tg_ledger_stats_t   st;
    tg_ledger_result_t  r;

    (void) state;

    assert_int_equal(tg_ledger_hold(&led, 5, items, 2, "x", 1, &r),
                     TG_LEDGER_OK);
    assert_int_equal(r.nstates, 2);
    assert_true(r.states[0].held == 100 && r.states[1].held == 10);
    assert_int_equal(tg_ledger_sent(&led, r.slot), TG_LEDGER_OK);
    assert_true(entry(&led, "usd").held == 100);

    assert_int_equal(tg_ledger_settle(&led, 6, r.slot, actual, 2, NULL, 0,
                                      &r), TG_LEDGER_OK);
    assert_true(r.states[0].used == 30 && r.states[0].held == 0);
    assert_true(entry(&led, "tok").used == 3);

    tg_ledger_stats(&led, &st);
    assert_int_equal(st.slots_used, 1);
    assert_int_equal(tg_ledger_line_written(&led, &r.slot, 1), TG_LEDGER_OK);
    tg_ledger_stats(&led, &st);
    assert_int_equal(st.slots_used, 0);
    check_sound(&led);
}


static void
test_settling_twice_counts_once(void **state)
{
    tg_ledger_t         led = view(1), other = view(2);
    tg_ledger_slot_t    old;
    tg_ledger_result_t  r;

    (void) state;

    assert_int_equal(hold1(&led, 1, item("a", 10, 100), &r), TG_LEDGER_OK);
    old = r.slot;
    assert_int_equal(settle1(&other, 1, old, 9), TG_LEDGER_STALE);
    assert_int_equal(settle1(&led, 1, old, 4), TG_LEDGER_OK);
    assert_int_equal(settle1(&led, 1, old, 4), TG_LEDGER_STALE);
    assert_int_equal(tg_ledger_line_written(&led, &old, 1), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_line_written(&led, &old, 1), TG_LEDGER_OK);

    /* The slot's next use is not the old one's. */
    assert_int_equal(hold1(&led, 1, item("a", 10, 100), &r), TG_LEDGER_OK);
    assert_int_equal(r.slot.index, old.index);
    assert_int_equal(settle1(&led, 1, old, 4), TG_LEDGER_STALE);
    assert_int_equal(tg_ledger_sent(&led, old), TG_LEDGER_STALE);
    assert_true(entry(&led, "a").used == 4);
    check_sound(&led);
}


static void
test_all_or_nothing(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    items[3] = { item("a", 10, 100), item("b", 10, 9),
                                     item("c", 10, 100) };
    tg_ledger_entry_t   e;
    tg_ledger_result_t  r;

    (void) state;

    assert_int_equal(tg_ledger_hold(&led, 1, items, 3, NULL, 0, &r),
                     TG_LEDGER_REFUSED);
    assert_int_equal(r.item, 1);
    assert_true(r.states[1].limit == 9);
    assert_int_equal(tg_ledger_read(&led, items[0].key, &e), TG_LEDGER_STALE);
    check_sound(&led);
}


static void
test_holds_in_the_way_park_and_spending_refuses(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_result_t  r, first;

    (void) state;

    assert_int_equal(hold1(&led, 1, item("a", 60, 100), &first),
                     TG_LEDGER_OK);
    assert_int_equal(hold1(&led, 1, item("a", 60, 100), &r), TG_LEDGER_PARK);
    assert_true(r.states[0].held == 60);
    assert_int_equal(hold1(&led, 1, item("a", 40, 100), &r), TG_LEDGER_OK);
    assert_int_equal(settle1(&led, 1, first.slot, 50), TG_LEDGER_OK);
    assert_int_equal(hold1(&led, 1, item("a", 60, 100), &r),
                     TG_LEDGER_REFUSED);
    assert_true(r.states[0].used == 50);
    assert_int_equal(hold1(&led, 1, item("a", 11, 100), &r), TG_LEDGER_PARK);
    assert_int_equal(hold1(&led, 1, item("a", 10, 100), &r), TG_LEDGER_OK);
    check_sound(&led);
}


static void
test_the_refusal_that_lasts_longest_is_named(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_result_t  r;
    tg_ledger_item_t    items[3] = { windowed("s", 5, 1, 1000),
                                     item("t", 5, 1),
                                     windowed("u", 5, 1, 1000) };

    (void) state;

    items[2].window.end = 9000;
    assert_int_equal(tg_ledger_hold(&led, 1500, items, 3, NULL, 0, &r),
                     TG_LEDGER_REFUSED);
    assert_int_equal(r.item, 1);
    assert_true(r.states[1].reset == TG_WINDOW_NEVER);

    items[1].cap = items[1].limit = 100;
    assert_int_equal(tg_ledger_hold(&led, 1500, items, 3, NULL, 0, &r),
                     TG_LEDGER_REFUSED);
    assert_int_equal(r.item, 2);
    assert_true(r.states[2].reset == 9000);
}


static void
test_overrun_is_recorded_and_saturates(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_result_t  r;

    (void) state;

    spend(&led, 1, item("a", 10, 100), 5000);
    assert_true(entry(&led, "a").used == 5000);
    assert_int_equal(hold1(&led, 1, item("a", 0, 100), &r),
                     TG_LEDGER_REFUSED);

    spend(&led, 1, item("b", 10, INT64_MAX), INT64_MAX);
    assert_int_equal(hold1(&led, 1, item("b", 0, INT64_MAX), &r),
                     TG_LEDGER_OK);
    assert_int_equal(settle1(&led, 1, r.slot, INT64_MAX), TG_LEDGER_OK);
    assert_true(entry(&led, "b").used == INT64_MAX);
    assert_int_equal(hold1(&led, 1, item("b", 1, INT64_MAX), &r),
                     TG_LEDGER_REFUSED);
    assert_int_equal(hold1(&led, 1, item("c", INT64_MAX, INT64_MAX), &r),
                     TG_LEDGER_REFUSED);
    check_sound(&led);
}


static void
test_nonsense_is_refused(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    twice[2] = { item("a", 1, 10), item("a", 1, 10) };
    tg_ledger_result_t  r;

    (void) state;

    assert_int_equal(hold1(&led, 1, item("a", -1, 10), &r), TG_LEDGER_BAD);
    assert_int_equal(hold1(&led, 1, item("a", 1, -10), &r), TG_LEDGER_BAD);
    assert_int_equal(tg_ledger_hold(&led, 1, twice, 2, NULL, 0, &r),
                     TG_LEDGER_BAD);
    assert_int_equal(tg_ledger_hold(&led, 1, twice, 0, NULL, 0, &r),
                     TG_LEDGER_BAD);
    assert_int_equal(tg_ledger_hold(&led, 1, twice, 1, "", 257, &r),
                     TG_LEDGER_BAD);
    assert_int_equal(hold1(&led, 1, item("a", 1, 10), &r), TG_LEDGER_OK);
    assert_int_equal(settle1(&led, 1, r.slot, -1), TG_LEDGER_BAD);
    assert_int_equal(tg_ledger_settle(&led, 1, r.slot, NULL, 0, NULL, 0, NULL),
                     TG_LEDGER_BAD);
    assert_int_equal(tg_ledger_claim(&led, 0), TG_LEDGER_BAD);
    assert_true(entry(&led, "a").held == 1);
}


static void
test_calls_count_in_the_window_of_their_admission(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_entry_t   e;
    tg_ledger_result_t  a, b, c;

    (void) state;

    assert_int_equal(hold1(&led, 1500, windowed("w", 10, 10, 1000), &a),
                     TG_LEDGER_OK);
    assert_int_equal(hold1(&led, 1600, windowed("w", 10, 10, 1000), &b),
                     TG_LEDGER_PARK);
    assert_int_equal(hold1(&led, 2100, windowed("w", 10, 10, 2000), &b),
                     TG_LEDGER_OK);
    assert_int_equal(settle1(&led, 2200, a.slot, 7), TG_LEDGER_OK);

    e = entry(&led, "w");
    assert_true(e.window == 2000 && e.used == 0 && e.held == 10);
    assert_true(e.before == 1000 && e.before_used == 7);
    assert_true(e.before_held == 0);

    /* Two windows on, the first one's sum is gone, and no other's changes. */
    assert_int_equal(hold1(&led, 3100, windowed("w", 1, 10, 3000), &c),
                     TG_LEDGER_OK);
    assert_int_equal(hold1(&led, 4100, windowed("w", 1, 10, 4000), &a),
                     TG_LEDGER_OK);
    assert_int_equal(settle1(&led, 4200, b.slot, 9), TG_LEDGER_OK);
    e = entry(&led, "w");
    assert_true(e.used == 0 && e.before_used == 0 && e.before_held == 1);
    check_sound(&led);
}


static void
test_windows_never_go_backwards(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_result_t  r;

    (void) state;

    spend(&led, 2500, windowed("w", 8, 10, 2000), 8);
    assert_int_equal(hold1(&led, 1500, windowed("w", 8, 10, 1000), &r),
                     TG_LEDGER_REFUSED);
    assert_true(r.states[0].window == 2000 && r.states[0].reset == 3000);
    spend(&led, 1500, windowed("w", 2, 10, 1000), 2);
    assert_true(entry(&led, "w").used == 10);
    assert_true(entry(&led, "w").window == 2000);
}


static void
test_idle_windows_end_after_silence(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    it = item("task", 5, 10);
    tg_ledger_result_t  r;

    (void) state;

    it.idle_ms = 60000;
    spend(&led, 1000, it, 5);
    spend(&led, 50000, it, 5);
    assert_int_equal(hold1(&led, 100000, it, &r), TG_LEDGER_REFUSED);
    assert_true(r.states[0].reset == 110000);

    /* Who is refused is not active; a call that is open is. */
    assert_int_equal(hold1(&led, 110000, it, &r), TG_LEDGER_OK);
    assert_true(r.states[0].window == 110000);
    it.amount = 6;
    assert_int_equal(hold1(&led, 900000, it, &r), TG_LEDGER_PARK);
    check_sound(&led);
}


static void
test_concurrent_calls_settle_to_nothing(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    it = item("conc", 1, 2);
    tg_ledger_result_t  a, b, c;

    (void) state;

    it.flags = TG_LEDGER_CONCURRENT;
    assert_int_equal(hold1(&led, 1, it, &a), TG_LEDGER_OK);
    assert_int_equal(hold1(&led, 1, it, &b), TG_LEDGER_OK);
    assert_int_equal(hold1(&led, 1, it, &c), TG_LEDGER_PARK);
    assert_int_equal(settle1(&led, 1, a.slot, 1), TG_LEDGER_OK);
    assert_int_equal(hold1(&led, 1, it, &c), TG_LEDGER_OK);
    assert_true(entry(&led, "conc").used == 0);
}


static void
test_dry_runs_count_and_never_refuse(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    it = item("dry", 60, 100);
    tg_ledger_result_t  r;

    (void) state;

    it.flags = TG_LEDGER_DRY_RUN;
    assert_int_equal(hold1(&led, 1, it, &r), TG_LEDGER_OK);
    assert_false(r.states[0].dry);
    assert_int_equal(hold1(&led, 1, it, &r), TG_LEDGER_OK);
    assert_true(r.states[0].dry);
    assert_true(entry(&led, "dry").held == 120);
}


static void
test_thresholds_are_reported_once_a_window(void **state)
{
    int64_t             actual = 55;
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    it = windowed("al", 55, 100, 1000);
    tg_ledger_result_t  r;

    (void) state;

    it.alert[0] = 50;
    it.alert[1] = 80;
    it.alert[2] = 100;
    assert_int_equal(hold1(&led, 1100, it, &r), TG_LEDGER_OK);
    assert_int_equal(r.states[0].crossed, 0);
    assert_int_equal(tg_ledger_settle(&led, 1100, r.slot, &actual, 1, NULL, 0,
                                      &r), TG_LEDGER_OK);
    assert_int_equal(r.states[0].crossed, 1);
    assert_int_equal(entry(&led, "al").pending, 1);
    assert_int_equal(tg_ledger_alerted(&led, it.key, 1000, 1), TG_LEDGER_OK);
    assert_int_equal(entry(&led, "al").pending, 0);
    assert_int_equal(entry(&led, "al").crossed, 1);

    /* 100% also at the first refusal. */
    assert_int_equal(hold1(&led, 1200, it, &r), TG_LEDGER_REFUSED);
    assert_int_equal(r.states[0].crossed, 4);
    assert_int_equal(hold1(&led, 1200, it, &r), TG_LEDGER_REFUSED);
    assert_int_equal(r.states[0].crossed, 0);

    it.window.start = 2000;
    it.window.end = 3000;
    spend(&led, 2100, it, 90);
    assert_int_equal(entry(&led, "al").crossed, 3);
    assert_int_equal(entry(&led, "al").before_pending, 4);
}


static void
test_a_latch_stays_closed(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    it = windowed("la", 60, 100, 1000);
    tg_ledger_result_t  r;

    (void) state;

    it.flags = TG_LEDGER_LATCH;
    spend(&led, 1100, it, 60);
    assert_int_equal(hold1(&led, 1100, it, &r), TG_LEDGER_REFUSED);
    assert_true(r.states[0].latched);

    it.window.start = 5000;
    it.window.end = 6000;
    assert_int_equal(hold1(&led, 5100, it, &r), TG_LEDGER_REFUSED);
    assert_true(r.states[0].reset == TG_WINDOW_NEVER);
    assert_int_equal(tg_ledger_latch(&led, it.key, false), TG_LEDGER_OK);
    assert_int_equal(hold1(&led, 5100, it, &r), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_latch(&led, (const unsigned char *)
                                     "nobody..........", true),
                     TG_LEDGER_STALE);
}


static void
test_a_raise_expires_and_a_reset_forgives(void **state)
{
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    it = item("r", 60, 100);
    tg_ledger_result_t  r;

    (void) state;

    spend(&led, 1, it, 100);
    assert_int_equal(tg_ledger_raise(&led, 1, &it, 60, 1000), TG_LEDGER_OK);
    assert_int_equal(hold1(&led, 1000, it, &r), TG_LEDGER_REFUSED);
    assert_int_equal(hold1(&led, 999, it, &r), TG_LEDGER_OK);
    assert_true(r.states[0].limit == 160);
    assert_int_equal(tg_ledger_raise(&led, 1, &it, -1000, TG_WINDOW_NEVER),
                     TG_LEDGER_OK);
    it.amount = 1;
    assert_int_equal(hold1(&led, 5, it, &r), TG_LEDGER_REFUSED);
    assert_true(r.states[0].limit == 0);
    assert_int_equal(tg_ledger_raise(&led, 1, &it, 0, 0), TG_LEDGER_OK);

    assert_int_equal(tg_ledger_reset(&led, 6, &it), TG_LEDGER_OK);
    assert_true(entry(&led, "r").used == 0);
    assert_true(entry(&led, "r").held == 60);
    check_sound(&led);
}


static bool
swept(void *baton, const tg_ledger_swept_t *call)
{
    tg_ledger_swept_t  *calls = baton;
    size_t              i;

    for (i = 0; calls[i].slot.index != 0; i++) {
        /* void */
    }

    calls[i] = *call;

    return call->blob_len == 0 || call->blob[0] != 'k';
}


static void
test_the_dead_are_settled_by_others(void **state)
{
    tg_ledger_t         a = view(1), b = view(2), c = view(3);
    tg_ledger_swept_t   calls[8];
    tg_ledger_result_t  sent, unsent, final;

    (void) state;

    assert_int_equal(hold1(&a, 1, item("x", 10, 1000), &sent), TG_LEDGER_OK);
    assert_int_equal(hold1(&a, 1, item("y", 20, 1000), &unsent),
                     TG_LEDGER_OK);
    assert_int_equal(hold1(&a, 1, item("z", 30, 1000), &final), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_sent(&a, sent.slot), TG_LEDGER_OK);
    assert_int_equal(settle1(&a, 1, final.slot, 3), TG_LEDGER_OK);

    memset(calls, 0, sizeof(calls));
    assert_int_equal(tg_ledger_sweep(&b, 2, swept, calls), 0);

    dead[1] = true;
    assert_int_equal(tg_ledger_sweep(&b, 2, swept, calls), 3);
    assert_true(calls[0].recovered && calls[0].sent);
    assert_true(calls[0].actual[0] == 10);
    assert_true(calls[1].recovered && calls[1].actual[0] == 0);
    assert_true(!calls[2].recovered && calls[2].actual[0] == 3);
    assert_memory_equal(calls[2].blob, "line", 4);
    assert_true(entry(&b, "x").used == 10 && entry(&b, "x").held == 0);
    assert_true(entry(&b, "y").used == 0 && entry(&b, "y").held == 0);
    assert_true(entry(&b, "z").used == 3);
    assert_int_equal(tg_ledger_sweep(&c, 2, swept, calls), 0);
    check_sound(&b);
}


static void
test_a_sweeper_that_dies_is_swept(void **state)
{
    int64_t             actual = 4;
    tg_ledger_t         a = view(1), b = view(2), c = view(3);
    tg_ledger_swept_t   calls[8];
    tg_ledger_result_t  r;

    (void) state;

    assert_int_equal(hold1(&a, 1, item("x", 10, 1000), &r), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_settle(&a, 1, r.slot, &actual, 1, "keep", 4,
                                      NULL), TG_LEDGER_OK);
    memset(calls, 0, sizeof(calls));
    dead[1] = true;
    assert_int_equal(tg_ledger_sweep(&b, 2, swept, calls), 1);
    assert_int_equal(tg_ledger_sweep(&b, 2, swept, calls), 0);
    dead[2] = true;
    assert_int_equal(tg_ledger_sweep(&c, 2, swept, calls), 1);
    assert_true(calls[1].actual[0] == 4);
    assert_int_equal(tg_ledger_line_written(&c, &calls[1].slot, 1),
                     TG_LEDGER_OK);
    check_sound(&c);
}


/* Its line, with what it cost, may be written by then. */
static void
test_who_dies_before_it_can_settle_is_taken_at_its_word(void **state)
{
    int64_t             actual = 4;
    tg_ledger_t         a = view(1), b = view(2);
    tg_ledger_swept_t   calls[8];
    tg_ledger_result_t  r, again;

    (void) state;

    assert_int_equal(hold1(&a, 1, item("x", 10, 1000), &r), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_sent(&a, r.slot), TG_LEDGER_OK);
    ((tg_led_head_t *) base)->lock = b.me;
    assert_int_equal(tg_ledger_settle(&a, 1, r.slot, &actual, 1, "cost 4", 6,
                                      NULL), TG_LEDGER_BUSY);
    assert_int_equal(entry(&a, "x").held, 10);
    ((tg_led_head_t *) base)->lock = 0;

    memset(calls, 0, sizeof(calls));
    dead[1] = true;
    assert_int_equal(tg_ledger_sweep(&b, 2, swept, calls), 1);
    assert_true(calls[0].actual[0] == 4 && calls[0].blob_len == 6);
    assert_memory_equal(calls[0].blob, "cost 4", 6);
    assert_true(entry(&b, "x").used == 4 && entry(&b, "x").held == 0);

    /* The slot's next call is another. */

    assert_int_equal(hold1(&b, 2, item("x", 10, 1000), &again), TG_LEDGER_OK);
    assert_int_equal(again.slot.index, r.slot.index);
    assert_int_equal(tg_ledger_sent(&b, again.slot), TG_LEDGER_OK);
    dead[2] = true;
    a = view(3);
    assert_int_equal(tg_ledger_sweep(&a, 2, swept, calls), 1);
    assert_true(calls[1].actual[0] == 10);
    check_sound(&a);
}


static void
test_a_number_used_again_is_another_owner(void **state)
{
    tg_ledger_t         a = view(1), b = view(2), again;
    tg_ledger_swept_t   calls[8];
    tg_ledger_result_t  r;

    (void) state;

    assert_int_equal(hold1(&a, 1, item("x", 10, 1000), &r), TG_LEDGER_OK);
    again = view(1);
    assert_int_equal(settle1(&again, 1, r.slot, 1), TG_LEDGER_STALE);
    memset(calls, 0, sizeof(calls));
    assert_int_equal(tg_ledger_sweep(&b, 2, swept, calls), 1);
    check_sound(&again);
}


/* A commit cut short after each of its bytes, as it were: marked, and any part
 * of it copied. */
static void
test_a_lock_of_the_dead_is_taken_and_the_log_copied(void **state)
{
    unsigned char       *before = malloc(SIZE), *after = malloc(SIZE);
    tg_ledger_t          a = view(1), b = view(2);
    tg_led_head_t       *head = base;
    const size_t         tables = TG_LED_PAGE * 2 + TG_LED_LOG_SIZE;
    tg_ledger_result_t   r;

    (void) state;

    assert_true(before != NULL && after != NULL);
    spend(&a, 1, item("x", 10, 1000), 10);
    memcpy(before, base, SIZE);
    assert_int_equal(hold1(&a, 1, item("x", 10, 1000), &r), TG_LEDGER_OK);
    memcpy(after, base, SIZE);

    for (unsigned part = 0; part < 8; part++) {
        /* The log is whole; of the rest some bytes are new, some old. */
        memcpy(base, after, SIZE);
        for (size_t i = tables; i < SIZE; i++) {
            if ((i * 7 + part) % 8 < part) {
                continue;
            }
            ((unsigned char *) base)[i] = before[i];
        }
        head->vars = ((tg_led_head_t *) (void *) before)->vars;
        head->seq--;
        head->lock = a.me;

        dead[1] = false;
        waits = 0;
        assert_int_equal(hold1(&b, 1, item("q", 1, 1), &r), TG_LEDGER_BUSY);
        assert_int_equal(waits, 3);
        dead[1] = true;
        assert_int_equal(tg_ledger_line_written(&b, NULL, 0), TG_LEDGER_OK);
        assert_memory_equal((unsigned char *) base + tables, after + tables,
                            SIZE - tables);
        assert_int_equal(entry(&b, "x").held, 10);
        check_sound(&b);
    }

    free(before);
    free(after);
}


static void
test_a_log_that_is_not_marked_did_not_happen(void **state)
{
    tg_ledger_t         a = view(1), b = view(2);
    tg_led_head_t      *head = base;
    tg_led_entry_t     *e;

    (void) state;

    spend(&a, 1, item("x", 10, 1000), 10);
    assert_int_equal(tg_led_lock(&a), TG_LEDGER_OK);
    tg_led_begin(&a);
    e = tg_led_image(&a, &a.entries[0], sizeof(*e));
    e->used = 999;
    dead[1] = true;
    assert_true(head->lock == a.me);
    spend(&b, 1, item("x", 5, 1000), 5);
    assert_true(entry(&b, "x").used == 15);
    check_sound(&b);
}


static void
test_a_new_boot_bills_what_was_open(void **state)
{
    tg_ledger_t         a = view(1), b;
    tg_error_t          err;
    tg_ledger_swept_t   calls[8];
    tg_ledger_result_t  r;
    const unsigned char  next[16] = "boot two.......";

    (void) state;

    spend(&a, 1, item("x", 10, 1000), 10);
    assert_int_equal(hold1(&a, 1, item("x", 7, 1000), &r), TG_LEDGER_OK);
    ((tg_led_head_t *) base)->lock = a.me;
    memset(a.chains, 0xff, 64);
    a.entries[0].held = -5;

    assert_int_equal(tg_ledger_attach(&b, base, SIZE, &host, &err), TG_OK);
    assert_memory_equal(tg_ledger_boot(&b), boot, 16);
    tg_ledger_reboot(&b, next);
    assert_memory_equal(tg_ledger_boot(&b), next, 16);
    assert_int_equal(tg_ledger_claim(&b, 1), TG_LEDGER_OK);
    check_sound(&b);
    memset(calls, 0, sizeof(calls));
    assert_int_equal(tg_ledger_sweep(&b, 2, swept, calls), 1);
    assert_true(calls[0].recovered && calls[0].actual[0] == 7);
    assert_true(entry(&b, "x").used == 17 && entry(&b, "x").held == 0);
    check_sound(&b);
}


static void
test_invented_subjects_get_half_and_configured_ones_theirs(void **state)
{
    int                 rc;
    char                key[16];
    unsigned            held = 0;
    uint32_t            epoch;
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    it;
    tg_ledger_stats_t   st;
    tg_ledger_entry_t   e;
    tg_ledger_result_t  r;

    (void) state;

    tg_ledger_stats(&led, &st);

    assert_int_equal(tg_ledger_reserve_begin(&led, &epoch), TG_LEDGER_OK);
    it = windowed("team", 1, 10, 0);
    assert_int_equal(tg_ledger_reserve(&led, epoch, 1, &it), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_reserve_end(&led, epoch), TG_LEDGER_OK);

    for (unsigned i = 0; i < 3 * st.entries; i++) {
        snprintf(key, sizeof(key), "s%u", i);
        it = windowed(key, 1, 10, 0);
        it.flags = TG_LEDGER_INVENTED;
        it.creator = i % 128;
        rc = hold1(&led, 10, it, &r);

        if (rc == TG_LEDGER_OK) {
            held++;
            assert_int_equal(settle1(&led, 10, r.slot, 1), TG_LEDGER_OK);
            (void) tg_ledger_line_written(&led, &r.slot, 1);
        } else {
            assert_int_equal(rc, TG_LEDGER_FULL);
        }
    }

    assert_int_equal(held, st.entries / 2);
    assert_true(entry(&led, "s0").used == 1);

    /* The windows have ended: room again, but for the reserved. */
    snprintf(key, sizeof(key), "late");
    it = windowed(key, 1, 10, 90000);
    it.flags = TG_LEDGER_INVENTED;
    assert_int_equal(hold1(&led, 90500, it, &r), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_sweep(&led, 90500, swept, NULL), 0);
    tg_ledger_stats(&led, &st);
    assert_int_equal(st.entries_used, 2);
    assert_true(entry(&led, "team").reserved);
    check_sound(&led);

    /* Out of the configuration, it goes as well. */
    assert_int_equal(tg_ledger_reserve_begin(&led, &epoch), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_reserve_end(&led, epoch), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_sweep(&led, 90500, swept, NULL), 0);
    it = item("team", 0, 0);
    assert_int_equal(tg_ledger_read(&led, it.key, &e), TG_LEDGER_STALE);
    check_sound(&led);
}


static void
test_one_creator_gets_a_64th(void **state)
{
    char                key[16];
    unsigned            held = 0;
    tg_ledger_t         led = view(1);
    tg_ledger_item_t    it;
    tg_ledger_stats_t   st;
    tg_ledger_result_t  r;

    (void) state;

    tg_ledger_stats(&led, &st);

    for (unsigned i = 0; i < st.entries; i++) {
        snprintf(key, sizeof(key), "s%u", i);
        it = item(key, 1, 10);
        it.flags = TG_LEDGER_INVENTED;
        it.creator = 77;

        if (hold1(&led, 1, it, &r) == TG_LEDGER_OK) {
            held++;
            assert_int_equal(settle1(&led, 1, r.slot, 1), TG_LEDGER_OK);
            (void) tg_ledger_line_written(&led, &r.slot, 1);
        }
    }

    assert_int_equal(held, st.entries / 64);
    it = item("other", 1, 10);
    it.flags = TG_LEDGER_INVENTED;
    it.creator = 78;
    assert_int_equal(hold1(&led, 1, it, &r), TG_LEDGER_OK);
    check_sound(&led);
}


static void
test_full_of_slots_says_so(void **state)
{
    unsigned            n = 0;
    tg_ledger_t         led = view(1);
    tg_ledger_stats_t   st;
    tg_ledger_result_t  r;

    (void) state;

    while (hold1(&led, 1, item("x", 1, 1000000), &r) == TG_LEDGER_OK) {
        n++;
    }

    tg_ledger_stats(&led, &st);
    assert_int_equal(n, st.slots);
    assert_int_equal(r.item, 1);
    assert_true(st.full == 1);
    assert_true(entry(&led, "x").held == n);
    check_sound(&led);
}


static void
test_other_files_are_left_alone(void **state)
{
    tg_error_t      err;
    tg_ledger_t     led;
    tg_led_head_t  *head = base;

    (void) state;

    assert_int_equal(tg_ledger_attach(&led, base, SIZE / 2, NULL, &err),
                     TG_ERROR);
    head->version = 9;
    assert_int_equal(tg_ledger_attach(&led, base, SIZE, NULL, &err),
                     TG_ERROR);
    assert_non_null(strstr(err.message, "version 9"));
    head->version = TG_LED_VERSION;
    head->nslots--;
    assert_int_equal(tg_ledger_attach(&led, base, SIZE, NULL, &err),
                     TG_ERROR);
    head->nslots++;
    head->magic = 0;
    assert_int_equal(tg_ledger_attach(&led, base, SIZE, NULL, &err),
                     TG_ERROR);
    assert_non_null(strstr(err.message, "not a ledger"));
}


static void
test_a_view_without_a_number_changes_nothing(void **state)
{
    tg_error_t          err;
    tg_ledger_t         led = view(1), reader;
    uint32_t            i = 0;
    tg_ledger_entry_t   e;
    tg_ledger_result_t  r;

    (void) state;

    spend(&led, 1, item("x", 1, 10), 1);
    assert_int_equal(tg_ledger_attach(&reader, base, SIZE, NULL, &err), TG_OK);
    assert_int_equal(hold1(&reader, 1, item("x", 1, 10), &r), TG_LEDGER_BAD);
    assert_true(tg_ledger_each(&reader, &i, &e));
    assert_true(e.used == 1);
    assert_false(tg_ledger_each(&reader, &i, &e));
    check_sound(&reader);
}


static void
test_layouts_of_any_size_do_not_overlap(void **state)
{
    uint64_t         size;
    tg_led_layout_t  l;

    (void) state;

    assert_false(tg_led_layout(TG_LEDGER_SIZE_MIN - 1, false, &l));
    assert_false(tg_led_layout(TG_LEDGER_SIZE_MAX + 1, false, &l));

    for (size = TG_LEDGER_SIZE_MIN; size <= TG_LEDGER_SIZE_MAX;
         size += size / 7 / 64 * 64)
    {
        assert_true(tg_led_layout(size, false, &l));
        assert_true(l.nentries > 0 && l.nslots > 0);
        assert_int_equal(l.nchains & (l.nchains - 1), 0);
        assert_true(l.entries % 128 == 0 && l.slots % 64 == 0);
        assert_true(l.entries
                    + (uint64_t) l.nentries * sizeof(tg_led_entry_t)
                    <= l.slots);
        assert_true(l.slots + (uint64_t) l.nslots * sizeof(tg_led_slot_t)
                    <= size);
        assert_true(l.nentries <= 3 * (uint64_t) l.nchains);
    }
}


/* A look says what a hold then says, and leaves no trace. */
static void
test_a_look_is_a_hold_that_did_not_happen(void **state)
{
    int                  rc;
    void                *before = malloc(SIZE);
    tg_error_t           err;
    tg_ledger_t          led = view(1), readonly;
    tg_ledger_item_t     items[2];
    tg_ledger_result_t   r, found;

    (void) state;
    assert_non_null(before);
    assert_int_equal(tg_ledger_attach(&readonly, base, SIZE, NULL, &err),
                     TG_OK);

    for (int i = 0; i < 12; i++) {
        items[0] = windowed("a", 1, 5, i < 8 ? 0 : 1000);
        items[1] = item("b", 3, 40);
        items[1].flags = i % 2 != 0 ? TG_LEDGER_DRY_RUN : TG_LEDGER_LATCH;

        memcpy(before, base, SIZE);
        rc = tg_ledger_look(&readonly, i * 150, items, 2, &found);
        assert_memory_equal(before, base, SIZE);

        assert_int_equal(rc, tg_ledger_hold(&led, i * 150, items, 2, NULL, 0,
                                            &r));
        assert_int_equal(found.nstates, 2);

        if (rc == TG_LEDGER_OK) {
            assert_int_equal(found.states[0].held + 1, r.states[0].held);
            assert_int_equal(found.states[0].used, r.states[0].used);
            assert_int_equal(found.states[1].dry, r.states[1].dry);

            /* every other call stays under way */

            if (i % 2 == 0) {
                int64_t  actual[2] = { 1, 3 };

                assert_int_equal(tg_ledger_settle(&led, i * 150, r.slot,
                                                  actual, 2, NULL, 0, NULL),
                                 TG_LEDGER_OK);
            }

        } else {
            assert_int_equal(found.item, r.item);
            assert_int_equal(found.states[0].held, r.states[0].held);
            assert_int_equal(found.states[0].reset, r.states[0].reset);
        }
    }

    items[1] = items[0];
    assert_int_equal(tg_ledger_look(&readonly, 0, items, 2, &found),
                     TG_LEDGER_BAD);
    assert_int_equal(tg_ledger_look(&readonly, 0, items, 0, &found),
                     TG_LEDGER_BAD);
    free(before);
}


/* What a row holds is not summed anywhere, but what it hangs together with. */
static void
test_flipped_bytes_of_rows_are_found(void **state)
{
    struct {
        size_t  at, len;
    } parts[] = {
        { offsetof(tg_led_entry_t, key), TG_LEDGER_KEY },
        { offsetof(tg_led_entry_t, held), 8 },
        { offsetof(tg_led_entry_t, cell), 2 },
        { offsetof(tg_led_entry_t, next), 4 },
        { offsetof(tg_led_entry_t, opens), 4 },
        { offsetof(tg_led_entry_t, flags), 1 }
    };

    tg_ledger_t         led = view(1);
    tg_ledger_item_t    it = item("a", 10, 1000);
    tg_led_entry_t     *e;
    tg_ledger_result_t  r;
    tg_ledger_report_t  report;

    (void) state;
    assert_int_equal(tg_ledger_hold(&led, 5, &it, 1, NULL, 0, &r),
                     TG_LEDGER_OK);
    e = &led.entries[tg_led_find(&led, it.key) - 1];

    for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
        for (size_t i = 0; i < parts[p].len * 8; i++) {
            unsigned char  *byte = (unsigned char *) e + parts[p].at + i / 8;
            tg_arena_t     *arena = tg_arena_create(0);

            /* a latch and a measure are what they say */

            if (parts[p].at == offsetof(tg_led_entry_t, flags)
                && i > 0 && i < 4)
            {
                tg_arena_destroy(arena);
                continue;
            }

            *byte ^= (unsigned char) (1 << i % 8);
            assert_int_equal(tg_ledger_check(&led, tg_arena_mem(arena),
                                             &report), TG_LEDGER_OK);

            if (tg_ledger_mistakes(&report) == 0) {
                fail_msg("bit %zu of part %zu", i, p);
            }

            *byte ^= (unsigned char) (1 << i % 8);
            tg_arena_destroy(arena);
        }
    }

}


#define with_ledger(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        with_ledger(test_a_call_from_hold_to_line),
        with_ledger(test_flipped_bytes_of_rows_are_found),
        with_ledger(test_settling_twice_counts_once),
        with_ledger(test_all_or_nothing),
        with_ledger(test_holds_in_the_way_park_and_spending_refuses),
        with_ledger(test_the_refusal_that_lasts_longest_is_named),
        with_ledger(test_overrun_is_recorded_and_saturates),
        with_ledger(test_nonsense_is_refused),
        with_ledger(test_calls_count_in_the_window_of_their_admission),
        with_ledger(test_windows_never_go_backwards),
        with_ledger(test_idle_windows_end_after_silence),
        with_ledger(test_concurrent_calls_settle_to_nothing),
        with_ledger(test_dry_runs_count_and_never_refuse),
        with_ledger(test_thresholds_are_reported_once_a_window),
        with_ledger(test_a_latch_stays_closed),
        with_ledger(test_a_raise_expires_and_a_reset_forgives),
        with_ledger(test_the_dead_are_settled_by_others),
        with_ledger(test_a_sweeper_that_dies_is_swept),
        with_ledger(test_who_dies_before_it_can_settle_is_taken_at_its_word),
        with_ledger(test_a_number_used_again_is_another_owner),
        with_ledger(test_a_lock_of_the_dead_is_taken_and_the_log_copied),
        with_ledger(test_a_log_that_is_not_marked_did_not_happen),
        with_ledger(test_a_new_boot_bills_what_was_open),
        with_ledger(test_invented_subjects_get_half_and_configured_ones_theirs),
        with_ledger(test_one_creator_gets_a_64th),
        with_ledger(test_full_of_slots_says_so),
        with_ledger(test_other_files_are_left_alone),
        with_ledger(test_a_view_without_a_number_changes_nothing),
        with_ledger(test_a_look_is_a_hold_that_did_not_happen),
        cmocka_unit_test(test_layouts_of_any_size_do_not_overlap)
    };

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
