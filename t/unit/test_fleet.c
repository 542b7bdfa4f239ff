#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fleet_nodes.h"
#include "tg_gate.h"

#define fleet_test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


static int
lost(unsigned n, const tg_ledger_message_t *msg, tg_ledger_result_t *r)
{
    tg_ledger_answer_t  none;

    memset(&none, 0, sizeof(none));
    none.status = TG_LEDGER_NO_ANSWER;

    return tg_ledger_fleet_reply(&node[n].view[0], now, msg, &none, r);
}


static int
hold(unsigned n, tg_ledger_item_t it, tg_ledger_result_t *r)
{
    int                  rc;
    tg_ledger_answer_t   answer;
    tg_ledger_message_t  msg;

    rc = tg_ledger_fleet_hold(&node[n].view[0], now, &it, 1, "line", 4, r,
                              &msg);

    if (rc == TG_LEDGER_ASK) {
        deliver(&msg, &answer);
        rc = answered(n, &msg, &answer, r);
    }

    return rc;
}


static void
settle(unsigned n, const tg_ledger_result_t *r, int64_t actual)
{
    assert_int_equal(tg_ledger_settle(&node[n].view[0], now, r->slot, &actual,
                                      1, NULL, 0, NULL), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_line_written(&node[n].view[0], &r->slot, 1),
                     TG_LEDGER_OK);
}


static void
test_a_call_asks_and_its_refund_goes_back(void **state)
{
    tg_ledger_result_t  r;

    (void) state;

    assert_int_equal(hold(0, item("a", 60, 100), &r), TG_LEDGER_PARK);
    join();
    assert_int_equal(hold(0, item("a", 60, 100), &r), TG_LEDGER_OK);
    assert_true(r.states[0].held == 60 && r.states[0].limit == 100);
    assert_true(entry(0, "a").held == 60);

    /* Another node waits for it, and is refused once it is spent. */
    assert_int_equal(hold(1, item("a", 60, 100), &r), TG_LEDGER_PARK);
    assert_true(r.states[0].held == 60);
    assert_int_equal(hold(1, item("a", 40, 100), &r), TG_LEDGER_OK);
    settle(1, &r, 15);
    assert_true(share(1, "a").slice == 25);
    pass(500);
    assert_true(share(1, "a").slice == 0);
    assert_true(share(1, "a").mine == 15);
    assert_int_equal(hold(2, item("a", 26, 100), &r), TG_LEDGER_PARK);
    assert_int_equal(hold(2, item("a", 25, 100), &r), TG_LEDGER_OK);
    settle(2, &r, 0);
    pass(500);
    assert_int_equal(hold(2, item("a", 86, 100), &r), TG_LEDGER_REFUSED);
    assert_true(r.states[0].used == 15);
    assert_true(entry(2, "a").used == 0 && entry(2, "a").others_used == 15);
    check_sound();
}


static void
test_all_buckets_or_none(void **state)
{
    tg_ledger_item_t     items[2] = { item("a", 10, 100), item("b", 10, 5) };
    tg_ledger_answer_t   answer;
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    (void) state;

    join();
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, items, 2,
                                          NULL, 0, &r, &msg), TG_LEDGER_ASK);
    assert_int_equal(msg.n, 2);
    deliver(&msg, &answer);
    assert_int_equal(answered(0, &msg, &answer, &r), TG_LEDGER_REFUSED);
    assert_int_equal(r.item, 1);
    assert_true(share(0, "a").slice == 0 && share(0, "a").pending == 0);
    assert_true(share(0, "a").mine == 0);
    check_sound();
}


static void
test_a_question_that_could_not_be_ended_is_ended_later(void **state)
{
    tg_backlog_t         backlog = { NULL };
    tg_ledger_t         *led = &node[0].view[0];
    tg_ledger_item_t     it = item("a", 10, 100);
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    (void) state;

    join();
    assert_int_equal(tg_ledger_fleet_hold(led, now, &it, 1, NULL, 0, &r, &msg),
                     TG_LEDGER_ASK);
    assert_true(share(0, "a").pending == 10);

    led->head->lock = led->me;              /* another thread of ours */
    tg_backlog_cancel(&backlog, led, now, r.slot);
    assert_true(share(0, "a").pending == 10);
    assert_int_equal(tg_backlog_settle(&backlog, led, now), 1);

    led->head->lock = 0;
    assert_int_equal(tg_backlog_settle(&backlog, led, now), 0);
    assert_true(share(0, "a").pending == 0);
    assert_int_equal(tg_backlog_settle(&backlog, led, now), 0);
    check_sound();
}


static void
test_a_message_overtaken_by_one_that_covers_it_is_granted(void **state)
{
    tg_ledger_item_t     it = item("a", 10, 100);
    tg_ledger_answer_t   first, second;
    tg_ledger_result_t   r;
    tg_ledger_message_t  one, two;

    (void) state;

    join();
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &one), TG_LEDGER_ASK);
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &two), TG_LEDGER_ASK);
    assert_true(two.items[0].pending == 10);
    deliver(&two, &second);
    deliver(&one, &first);
    assert_true(first.items[0].granted && first.items[0].mine == 20);
    assert_int_equal(answered(0, &one, &first, &r), TG_LEDGER_OK);
    assert_int_equal(answered(0, &two, &second, &r), TG_LEDGER_OK);
    assert_true(entry(0, "a").held == 20);

    /* Answers that come twice do nothing. */
    assert_int_equal(answered(0, &two, &second, &r), TG_LEDGER_STALE);
    assert_true(entry(0, "a").held == 20 && share(0, "a").mine == 20);
    check_sound();
}


static void
test_what_was_granted_and_lost_comes_back_by_a_report(void **state)
{
    tg_ledger_item_t     it = item("a", 80, 100);
    tg_ledger_answer_t   answer;
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    (void) state;

    join();
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_ASK);
    deliver(&msg, &answer);
    assert_int_equal(lost(0, &msg, &r), TG_LEDGER_DOWN);
    assert_int_equal(hold(1, item("a", 30, 100), &r), TG_LEDGER_PARK);
    pass(1500);
    assert_int_equal(hold(1, item("a", 30, 100), &r), TG_LEDGER_OK);

    /* The late answer finds nobody. */
    assert_int_equal(answered(0, &msg, &answer, &r), TG_LEDGER_STALE);
    assert_true(share(0, "a").pending == 0 && share(0, "a").clean);
    check_sound();
}


static bool
no_line(void *baton, const tg_ledger_swept_t *call)
{
    (void) call;
    ++*(unsigned *) baton;

    return true;
}


static void
test_a_dead_process_is_taken_as_refused(void **state)
{
    unsigned             lines = 0;
    tg_ledger_item_t     items[2] = { item("a", 80, 100), item("b", 1, 9) };
    tg_ledger_answer_t   answer;
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    (void) state;

    join();
    assert_int_equal(hold(0, item("b", 5, 9), &r), TG_LEDGER_OK);
    settle(0, &r, 1);
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[1], now, items, 2,
                                          NULL, 0, &r, &msg), TG_LEDGER_ASK);
    assert_true(share(0, "a").pending == 80);
    assert_true(entry(0, "b").held == 1);
    deliver(&msg, &answer);
    dead[0][2] = true;
    assert_int_equal(tg_ledger_sweep(&node[0].view[0], now, no_line, &lines),
                     0);
    assert_int_equal(lines, 0);
    assert_true(share(0, "a").pending == 0 && entry(0, "a").held == 0);
    assert_true(entry(0, "b").held == 0);
    check_sound();
    now += 1000;
    pass(1500);
    assert_true(share(0, "a").clean && share(0, "a").mine == 0);
    assert_int_equal(hold(1, item("a", 100, 100), &r), TG_LEDGER_OK);
}


static void
test_after_a_flush_nobody_is_granted_before_all_said_hello(void **state)
{
    tg_ledger_item_t     it = item("a", 10, 100);
    tg_ledger_answer_t   answer;
    tg_ledger_result_t   r, a, b;
    tg_ledger_message_t  msg;

    (void) state;

    join();
    assert_int_equal(hold(0, item("a", 60, 100), &a), TG_LEDGER_OK);
    assert_int_equal(hold(1, item("a", 30, 100), &b), TG_LEDGER_OK);

    /* Granted before, arriving after: void. */
    assert_int_equal(tg_ledger_fleet_hold(&node[2].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_ASK);
    deliver(&msg, &answer);
    flush();
    now += 1100;
    ticks(2);
    assert_int_equal(answered(2, &msg, &answer, &r), TG_LEDGER_PARK);
    assert_int_equal(hold(2, item("a", 10, 100), &r), TG_LEDGER_PARK);

    /* One is away: nothing is granted though others have said all. */
    for (unsigned i = 0; i < 20; i++, now += 250) {
        ticks(0);
        ticks(2);
    }

    assert_int_equal(hold(2, item("a", 10, 100), &r), TG_LEDGER_PARK);
    settle(0, &a, 20);
    pass(500);
    assert_int_equal(hold(2, item("a", 60, 100), &r), TG_LEDGER_PARK);
    assert_int_equal(hold(2, item("a", 50, 100), &r), TG_LEDGER_OK);
    settle(1, &b, 30);
    check_sound();
}


/* What an absent node owns others have seen: it stays reserved. */
static void
test_the_share_of_an_absent_node_is_kept(void **state)
{
    tg_ledger_result_t  r, a;

    (void) state;

    join();
    assert_int_equal(hold(0, item("a", 60, 100), &a), TG_LEDGER_OK);
    assert_int_equal(hold(1, item("a", 30, 100), &r), TG_LEDGER_OK);
    flush();

    for (unsigned i = 0; i < 80; i++, now += 250) {
        ticks(1);
        ticks(2);
    }

    assert_int_equal(hold(2, item("a", 20, 100), &r), TG_LEDGER_PARK);
    assert_int_equal(hold(2, item("a", 10, 100), &r), TG_LEDGER_OK);
    settle(0, &a, 60);
    pass(1000);
    assert_int_equal(hold(2, item("a", 1, 100), &r), TG_LEDGER_PARK);
    check_sound();
}


static void
test_without_the_store_as_configured(void **state)
{
    tg_ledger_item_t         it = item("a", 10, 100);
    tg_ledger_result_t       r;
    tg_ledger_message_t      msg;
    tg_ledger_fleet_stats_t  st;

    (void) state;

    join();
    options[0].down = TG_DOWN_LOCAL;
    options[0].local_percent = 15;
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_ASK);
    assert_int_equal(lost(0, &msg, &r), TG_LEDGER_OK);
    settle(0, &r, 4);
    assert_true(share(0, "a").slice == 0);

    /* It is known to be away: nothing is sent any more. */
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_OK);
    settle(0, &r, 10);
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_DOWN);
    options[0].down = TG_DOWN_REJECT;
    it.amount = 1;
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_DOWN);
    options[0].down = TG_DOWN_ALLOW;
    it.amount = 200;
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_OK);
    settle(0, &r, 100);
    tg_ledger_fleet_stats(&node[0].view[0], &st);
    assert_true(st.down_since != 0 && st.unbacked == 3);

    /* All of it is told when it is back. */
    now += 1000;
    pass(1500);
    assert_true(share(0, "a").mine == 114 && share(0, "a").clean);
    assert_int_equal(hold(1, item("a", 1, 100), &r), TG_LEDGER_REFUSED);
    assert_true(r.states[0].used == 114);
    tg_ledger_fleet_stats(&node[1].view[0], &st);
    assert_true(st.over > 0);
    check_sound();
}


static void
test_ahead_asks_seldom_and_near_the_cap_strictly(void **state)
{
    unsigned             asks = 0;
    int64_t              spent = 0;
    tg_ledger_item_t     it = item("a", 30, 100000);
    tg_ledger_answer_t   answer;
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;
    int                  rc;

    (void) state;

    for (unsigned n = 0; n < NODES; n++) {
        options[n].lease = TG_LEASE_AHEAD;
    }

    join();

    for (unsigned i = 0; i < 5000; i++, now++) {
        rc = tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL, 0, &r,
                                  &msg);
        if (rc == TG_LEDGER_ASK) {
            asks++;
            deliver(&msg, &answer);
            rc = answered(0, &msg, &answer, &r);
        }

        assert_int_equal(rc, TG_LEDGER_OK);
        settle(0, &r, 10);
        spent += 10;

        if (i % 100 == 0) {
            for (unsigned n = 0; n < NODES; n++) {
                ticks(n);
            }
        }
    }

    assert_true(asks < 100);
    pass(2000);
    assert_true(share(0, "a").slice == 0 && share(0, "a").mine == spent);

    /* Less than 3% is free: exactly the hold. */
    assert_int_equal(hold(1, item("a", 48000, 100000), &r), TG_LEDGER_OK);
    pass(500);
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_ASK);
    deliver(&msg, &answer);
    assert_true(answer.items[0].amount == 30);
    assert_int_equal(answered(0, &msg, &answer, &r), TG_LEDGER_OK);
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_ASK);
    assert_true(msg.items[0].want == 30);
    check_sound();
}


static void
test_a_late_settle_is_told_in_its_own_window(void **state)
{
    tg_ledger_item_t    it = item("w", 10, 10);
    tg_ledger_result_t  r, late;
    store_bucket_t     *b;

    (void) state;

    join();
    it.window.start = now / 60000 * 60000;
    it.window.end = it.window.start + 60000;
    assert_int_equal(hold(0, it, &late), TG_LEDGER_OK);
    assert_int_equal(hold(1, it, &r), TG_LEDGER_PARK);

    now = it.window.end + 1;
    it.window.start = it.window.end;
    it.window.end += 60000;
    assert_int_equal(hold(1, it, &r), TG_LEDGER_OK);
    assert_int_equal(hold(0, it, &r), TG_LEDGER_PARK);
    settle(0, &late, 7);
    pass(1000);
    assert_true(entry(0, "w").before_used == 7 && entry(0, "w").used == 0);

    for (unsigned i = 0; i < STORE_BUCKETS; i++) {
        b = &store.d.bucket[i];
        if (b->there && strstr(b->key, ":77") != NULL && b->u != 0) {
            assert_true(b->u == 7 && b->s == 7);
        }
    }

    tg_ledger_fleet_stats_t  st;
    tg_ledger_fleet_stats(&node[0].view[0], &st);
    assert_true(st.untold == 0);
    check_sound();
}


static void
test_idle_windows_end_for_all_at_once(void **state)
{
    int64_t             window;
    tg_ledger_item_t    it = item("i", 10, 25);
    tg_ledger_result_t  r;

    (void) state;

    it.idle_ms = 10000;
    join();
    assert_int_equal(hold(0, it, &r), TG_LEDGER_OK);
    settle(0, &r, 10);
    window = entry(0, "i").window;
    pass(6000);
    assert_int_equal(hold(1, it, &r), TG_LEDGER_OK);
    assert_true(r.states[0].window == window);
    settle(1, &r, 10);
    pass(6000);
    assert_int_equal(hold(0, it, &r), TG_LEDGER_REFUSED);
    assert_true(r.states[0].used == 20);
    pass(30000);
    assert_int_equal(hold(2, it, &r), TG_LEDGER_OK);
    assert_true(r.states[0].window > window);
    assert_true(r.states[0].used == 0);
    settle(2, &r, 10);
    pass(500);
    assert_int_equal(hold(0, it, &r), TG_LEDGER_OK);
    assert_true(r.states[0].used == 10);
    settle(0, &r, 1);
    pass(1000);
    check_sound();
}


static void
test_a_threshold_is_said_by_one_node(void **state)
{
    unsigned             fired = 0, said = 0;
    tg_ledger_item_t     it = item("a", 10, 100);
    tg_ledger_answer_t   answer;
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    (void) state;

    it.alert[0] = 50;
    it.alert[1] = 100;
    join();

    for (unsigned i = 0; i < 12; i++) {
        if (hold(i % NODES, it, &r) == TG_LEDGER_OK) {
            settle(i % NODES, &r, 10);
        }

        now += 300;

        for (unsigned n = 0; n < NODES; n++) {
            for (unsigned k = 0; k < 3; k++) {
                if (tg_ledger_fleet_tick(&node[n].view[0], now, &msg)
                    != TG_LEDGER_ASK)
                {
                    break;
                }

                deliver(&msg, &answer);

                /* Answers get lost: it is said in the next. */
                if (i == 4) {
                    (void) lost(n, &msg, &r);
                    now += 600;
                } else {
                    (void) answered(n, &msg, &answer, &r);
                    fired += msg.n > 0 ? r.states[0].crossed : 0;
                }
            }
        }
    }

    for (unsigned n = 0; n < NODES; n++) {
        said += entry(n, "a").pending;
    }

    /* Both, each by one node; in answers to messages that no call waits for
     * they are told at once. */
    assert_int_equal(said, 3);
    assert_true(fired <= said);
    check_sound();
}


static void
test_a_latch_closes_and_opens_everywhere(void **state)
{
    tg_ledger_item_t    it = item("a", 60, 100);
    tg_ledger_result_t  r;

    (void) state;

    it.flags = TG_LEDGER_LATCH;
    join();
    assert_int_equal(hold(0, it, &r), TG_LEDGER_OK);
    settle(0, &r, 50);
    pass(500);
    assert_int_equal(hold(0, it, &r), TG_LEDGER_REFUSED);
    assert_int_equal(hold(0, it, &r), TG_LEDGER_REFUSED);
    assert_true(r.states[0].latched);
    pass(500);
    it.amount = 1;
    assert_int_equal(hold(1, it, &r), TG_LEDGER_REFUSED);
    assert_true(r.states[0].latched);
    assert_int_equal(tg_ledger_latch(&node[2].view[0], it.key, false),
                     TG_LEDGER_STALE);
    assert_int_equal(tg_ledger_latch(&node[1].view[0], it.key, false),
                     TG_LEDGER_OK);
    pass(1500);
    assert_int_equal(hold(0, it, &r), TG_LEDGER_OK);
    settle(0, &r, 0);
    check_sound();
}


static void
test_a_raise_reaches_all_nodes(void **state)
{
    tg_ledger_item_t    it = item("a", 120, 100);
    tg_ledger_result_t  r;

    (void) state;

    join();
    assert_int_equal(hold(0, it, &r), TG_LEDGER_REFUSED);
    tg_fleet_raise_command(&fleet, it.key, 50, now + 60000, &command);
    assert_int_equal(command.argc, 4);
    assert_int_equal(command.argv[2].len, 32);
    memcpy(store.d.raise_key, command.argv[2].p, 33);
    assert_int_equal(sscanf(command.argv[3].p, "%ld %ld", &store.d.raise,
                            &store.d.raise_until), 2);

    if (redis != NULL) {
        freeReplyObject(redisCommand(redis, "HSET %s %s %s",
                                     command.argv[1].p, command.argv[2].p,
                                     command.argv[3].p));
    }

    now += 1500;
    assert_int_equal(hold(1, it, &r), TG_LEDGER_OK);
    assert_true(r.states[0].limit == 150);
    settle(1, &r, 10);
    now += 60000;
    pass(1000);
    assert_int_equal(hold(0, it, &r), TG_LEDGER_REFUSED);
    check_sound();
}


static void
test_a_retired_node_is_told_so(void **state)
{
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    (void) state;

    join();
    assert_int_equal(hold(0, item("a", 10, 100), &r), TG_LEDGER_OK);
    store.d.said[0] = -1;
    tg_fleet_retire_command(&fleet, 11, &command);

    if (redis != NULL) {
        store.d.nv++;
        freeReplyObject(redisCommand(redis, "EVAL %s 2 %s %s 11",
                                     command.argv[1].p, command.argv[3].p,
                                     command.argv[4].p));
    }

    assert_int_equal(hold(0, item("a", 10, 100), &r), TG_LEDGER_RETIRED);
    assert_int_equal(hold(0, item("b", 10, 100), &r), TG_LEDGER_RETIRED);
    assert_int_equal(tg_ledger_fleet_tick(&node[0].view[0], now + 9999, &msg),
                     TG_LEDGER_RETIRED);
}


static void
test_a_reboot_goes_beyond_its_old_numbers(void **state)
{
    unsigned             lines = 0;
    uint64_t             seq;
    const unsigned char  boot[16] = "another";
    tg_ledger_item_t     it = item("a", 10, 100);
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    (void) state;

    join();
    assert_int_equal(hold(0, item("a", 20, 100), &r), TG_LEDGER_OK);
    settle(0, &r, 5);
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_OK);
    it.amount = 70;
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_ASK);
    seq = msg.seq;
    tg_ledger_reboot(&node[0].view[0], boot);
    node_view(0, 0);
    assert_int_equal(tg_ledger_sweep(&node[0].view[0], now, no_line, &lines),
                     1);
    check_sound();
    now += 1000;
    pass(3000);
    assert_true(share(0, "a").mine == 15 && share(0, "a").clean);
    it.amount = 70;
    assert_int_equal(tg_ledger_fleet_hold(&node[0].view[0], now, &it, 1, NULL,
                                          0, &r, &msg), TG_LEDGER_ASK);
    assert_true(msg.seq > seq + 1000000);
}


static void
test_kinds_of_ledgers_are_not_mixed_up(void **state)
{
    int64_t              actual = 0;
    tg_ledger_item_t     it = item("a", 1, 10);
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;
    tg_ledger_t          plain;
    tg_error_t           err;
    void                *base = aligned_alloc(4096, SIZE);
    const unsigned char  seed[16] = "fedcba987654321";
    tg_ledger_host_t     host = { owner_dead, no_wait, NULL };

    (void) state;

    assert_true(tg_ledger_is_fleet(&node[0].view[0]));
    assert_int_equal(tg_ledger_hold(&node[0].view[0], now, &it, 1, NULL, 0,
                                    &r), TG_LEDGER_BAD);
    assert_int_equal(tg_ledger_raise(&node[0].view[0], now, &it, 1, now + 1),
                     TG_LEDGER_BAD);
    memset(base, 0, SIZE);
    assert_int_equal(tg_ledger_format(base, SIZE, seed, seed, 1, &err), TG_OK);
    assert_int_equal(tg_ledger_attach(&plain, base, SIZE, &host, &err), TG_OK);
    assert_int_equal(tg_ledger_claim(&plain, 1), TG_LEDGER_OK);
    assert_false(tg_ledger_is_fleet(&plain));
    assert_int_equal(tg_ledger_fleet_hold(&plain, now, &it, 1, NULL, 0, &r,
                                          &msg), TG_LEDGER_BAD);
    assert_int_equal(tg_ledger_fleet_tick(&plain, now, &msg), TG_LEDGER_BAD);
    assert_int_equal(tg_ledger_hold(&plain, now, &it, 1, NULL, 0, &r),
                     TG_LEDGER_OK);
    assert_int_equal(tg_ledger_settle(&plain, now, r.slot, &actual, 1, NULL,
                                      0, NULL), TG_LEDGER_OK);
    free(base);
}


/* Options, commands and replies. */

static int
option(tg_fleet_options_t *o, const char *word)
{
    tg_error_t  err;

    return tg_fleet_option(o, tg_strz(word), &err);
}


static void
test_options(void **state)
{
    tg_error_t          err;
    tg_fleet_options_t  o;
    static const char  *bad[] = {
        "redis=", "redis=h:0", "redis=h:65536", "redis=h:x", "redis=[::1",
        "fleet=", "fleet=a b", "fleet={x}", "lease=soon", "redis_down=maybe",
        "redis_down=local=0", "redis_down=local=101", "redis_down=local=",
        "password=secret", "password=file:", "user=", "sentinel=h",
        "sentinel=m@", "sentinel=m@a,b,c,d,e,f,g,h,i", "redis_timeout=1ms",
        "redis_timeout=11s", "quarantine=0", "quarantine=99h"
    };

    (void) state;

    tg_fleet_options_init(&o);
    assert_int_equal(option(&o, "redis=10.0.0.5"), TG_OK);
    assert_string_equal(o.redis.host, "10.0.0.5");
    assert_int_equal(o.redis.port, 6379);
    assert_int_equal(option(&o, "redis=[::1]:7000"), TG_OK);
    assert_string_equal(o.redis.host, "::1");
    assert_int_equal(o.redis.port, 7000);
    assert_int_equal(tg_fleet_options_finish(&o, &err), TG_ERROR);
    assert_int_equal(option(&o, "fleet=edge"), TG_OK);
    assert_int_equal(option(&o, "lease=strict"), TG_OK);
    assert_int_equal(o.ledger.lease, TG_LEASE_STRICT);
    assert_int_equal(option(&o, "redis_down=local=30%"), TG_OK);
    assert_int_equal(o.ledger.local_percent, 30);
    assert_int_equal(option(&o, "redis_down=local=25"), TG_OK);
    assert_int_equal(o.ledger.local_percent, 25);
    assert_int_equal(option(&o, "user=tollgate"), TG_OK);
    assert_int_equal(tg_fleet_options_finish(&o, &err), TG_ERROR);
    assert_int_equal(option(&o, "password=file:/etc/p"), TG_OK);
    assert_int_equal(option(&o, "tls=/etc/ca.pem"), TG_OK);
    assert_true(o.tls);
    assert_int_equal(option(&o, "redis_timeout=250ms"), TG_OK);
    assert_true(o.ledger.timeout_ms == 250);
    assert_int_equal(option(&o, "quarantine=20s"), TG_OK);
    assert_true(o.quarantine_ms == 20000);
    assert_int_equal(tg_fleet_options_finish(&o, &err), TG_OK);
    assert_int_equal(option(&o, "sentinel=mymaster@a,b:7"), TG_OK);
    assert_int_equal(o.nsentinels, 2);
    assert_int_equal(o.sentinels[0].port, 26379);
    assert_int_equal(tg_fleet_options_finish(&o, &err), TG_ERROR);
    assert_int_equal(option(&o, "size=64m"), TG_AGAIN);
    assert_int_equal(option(&o, "/var/lib/ledger"), TG_AGAIN);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (option(&o, bad[i]) != TG_ERROR) {
            print_error("%s\n", bad[i]);
            fail();
        }
    }
}


static void
test_what_a_store_must_be_like(void **state)
{
    tg_error_t        err;
    tg_fleet_facts_t  f;

    (void) state;

    memset(&f, 0, sizeof(f));
    f.memory = tg_str("# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction"
                      "\r\n");
    f.replication = tg_str("# Replication\r\nrole:master\r\nconnected_slaves:1"
                           "\r\nmaster_replid:0f43\r\n");
    f.min_replicas = tg_str("1");
    assert_int_equal(tg_fleet_check(&f, &err), TG_OK);
    assert_string_equal(err.message, "");
    f.min_replicas = tg_str("0");
    assert_int_equal(tg_fleet_check(&f, &err), TG_OK);
    assert_non_null(strstr(err.message, "min-replicas-to-write"));
    f.memory = tg_str("maxmemory_policy:allkeys-lru\r\n");
    assert_int_equal(tg_fleet_check(&f, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "allkeys-lru"));
    f.memory = tg_str_null;
    assert_int_equal(tg_fleet_check(&f, &err), TG_OK);
    assert_non_null(strstr(err.message, "noeviction"));
    f.replication = tg_str("role:slave\r\nmaster_replid:0f43\r\n");
    assert_int_equal(tg_fleet_check(&f, &err), TG_ERROR);
    f.replication = tg_str("role:master\r\n");
    assert_int_equal(tg_fleet_check(&f, &err), TG_ERROR);
}


static void
test_replies_that_are_none(void **state)
{
    tg_error_t           err;
    tg_fleet_reply_t     reply;
    tg_ledger_answer_t   a;
    tg_ledger_message_t  msg;

    (void) state;

    memset(&msg, 0, sizeof(msg));
    memset(&reply, 0, sizeof(reply));
    msg.kind = TG_LEDGER_MSG_ASK;
    msg.n = 1;

    assert_int_equal(tg_fleet_answer(&msg, &reply, &a, &err), TG_FLEET_DONE);
    assert_int_equal(a.status, TG_LEDGER_NO_ANSWER);

    reply.kind = TG_FLEET_FAILED;
    reply.error = tg_str("NOSCRIPT No matching script.");
    assert_int_equal(tg_fleet_answer(&msg, &reply, &a, &err), TG_FLEET_WHOLE);
    reply.error = tg_str("MOVED 3999 10.0.0.7:6381");
    assert_int_equal(tg_fleet_answer(&msg, &reply, &a, &err),
                     TG_FLEET_ELSEWHERE);
    assert_non_null(strstr(err.message, "10.0.0.7:6381"));
    reply.error = tg_str("READONLY You can't write against a replica.");
    assert_int_equal(tg_fleet_answer(&msg, &reply, &a, &err),
                     TG_FLEET_ELSEWHERE);
    reply.error = tg_str("OOM command not allowed");
    assert_int_equal(tg_fleet_answer(&msg, &reply, &a, &err), TG_FLEET_DONE);
    assert_int_equal(a.status, TG_LEDGER_NO_ANSWER);
    assert_non_null(strstr(err.message, "OOM"));

    /* Every length but the right one, and what can't be. */
    reply.kind = TG_FLEET_INTS;
    reply.ints[1] = 5;
    reply.ints[3] = 1;

    for (unsigned n = 0; n < 40; n++) {
        reply.n = n;
        (void) tg_fleet_answer(&msg, &reply, &a, &err);
        assert_int_equal(a.status == TG_LEDGER_ANSWERED, n == 17 || n == 18);
    }

    reply.n = 17;

    for (unsigned i = 5; i < 17; i++) {
        reply.ints[i] = INT64_MAX;      /* could not be added to anything */
        (void) tg_fleet_answer(&msg, &reply, &a, &err);
        assert_int_equal(a.status == TG_LEDGER_ANSWERED,
                         i == 12 || i == 13 || i > 14);
        reply.ints[i] = 0;
    }

    reply.ints[6] = -1;
    (void) tg_fleet_answer(&msg, &reply, &a, &err);
    assert_int_equal(a.status, TG_LEDGER_NO_ANSWER);
    reply.ints[6] = 0;
    reply.ints[0] = 4;
    (void) tg_fleet_answer(&msg, &reply, &a, &err);
    assert_int_equal(a.status, TG_LEDGER_NO_ANSWER);
}


static void
test_a_command_of_the_largest_size(void **state)
{
    tg_ledger_message_t  msg;

    (void) state;

    memset(&msg, 0xff, sizeof(msg));
    msg.kind = TG_LEDGER_MSG_HELLO;
    msg.node = TG_LEDGER_NODE_MAX;
    msg.n = TG_LEDGER_ITEMS_MAX;
    msg.member = true;

    for (unsigned i = 0; i < msg.n; i++) {
        memset(&msg.items[i], 0x80, sizeof(msg.items[i]));
        msg.items[i].required = true;
    }

    tg_fleet_command(&fleet, &msg, true, &command);
    assert_int_equal(command.argc, 3 + 4 + 16 + 6 + 16 * 20);
    assert_true(command.used < sizeof(command.text));
    assert_int_equal(command.argv[3].len, strlen("{tg:unit}:meta"));
    assert_true(tg_str_eq(command.argv[0], tg_str("EVAL")));

    msg.kind = TG_LEDGER_MSG_JOIN;
    msg.n = 0;
    msg.nnodes = TG_LEDGER_NODES_MAX;
    tg_fleet_command(&fleet, &msg, false, &command);
    assert_int_equal(command.argc, 3 + 4 + 6 + 2 + TG_LEDGER_NODES_MAX);
    assert_int_equal(command.argv[1].len, 40);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fleet_test(test_a_call_asks_and_its_refund_goes_back),
        fleet_test(test_all_buckets_or_none),
        fleet_test(test_a_question_that_could_not_be_ended_is_ended_later),
        fleet_test(test_a_message_overtaken_by_one_that_covers_it_is_granted),
        fleet_test(test_what_was_granted_and_lost_comes_back_by_a_report),
        fleet_test(test_a_dead_process_is_taken_as_refused),
        fleet_test(test_after_a_flush_nobody_is_granted_before_all_said_hello),
        fleet_test(test_the_share_of_an_absent_node_is_kept),
        fleet_test(test_without_the_store_as_configured),
        fleet_test(test_ahead_asks_seldom_and_near_the_cap_strictly),
        fleet_test(test_a_late_settle_is_told_in_its_own_window),
        fleet_test(test_idle_windows_end_for_all_at_once),
        fleet_test(test_a_threshold_is_said_by_one_node),
        fleet_test(test_a_latch_closes_and_opens_everywhere),
        fleet_test(test_a_raise_reaches_all_nodes),
        fleet_test(test_a_retired_node_is_told_so),
        fleet_test(test_a_reboot_goes_beyond_its_old_numbers),
        fleet_test(test_kinds_of_ledgers_are_not_mixed_up),
        fleet_test(test_options),
        fleet_test(test_what_a_store_must_be_like),
        fleet_test(test_replies_that_are_none),
        fleet_test(test_a_command_of_the_largest_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
