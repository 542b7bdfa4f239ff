/*
 * Random histories of a fleet: messages and answers that are lost, repeated and
 * overtaken, nodes that are away, a store that loses data.  After every step
 * the nodes together own no more than the caps; at rest all agree.
 *
 * FLEET_HISTORIES=n: that many of them, from FLEET_FIRST=n on.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fleet_nodes.h"

#define WAITING  64         /* messages and answers on their way */

typedef struct {
    unsigned             node, view;
    bool                 answered;      /* it is the answer that is on its way */
    tg_ledger_message_t  msg;
    tg_ledger_answer_t   answer;
} waiting_t;

#define BUCKETS  4

static uint64_t    rnd_state;
static waiting_t   waiting[WAITING];
static unsigned    nwaiting;
static const char *names[BUCKETS] = { "b0", "b1", "b2", "b3" };
static const int64_t  caps[BUCKETS] = { 60, 100, 400, 1000 };


static uint64_t
rnd(uint64_t n)
{
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;

    return (rnd_state >> 11) % n;
}


typedef struct {
    bool              open;
    unsigned          node;
    tg_ledger_slot_t  slot;
    unsigned          n;
    int64_t           hold;
} history_call_t;

static history_call_t  calls[64];


static void
put(unsigned n, const tg_ledger_message_t *msg)
{
    waiting_t  *w = &waiting[nwaiting++];

    w->node = n;
    w->view = 0;
    w->answered = false;
    w->msg = *msg;
}


static void
call_opened(unsigned n, const tg_ledger_result_t *r, unsigned items,
    int64_t amount)
{
    for (unsigned i = 0; i < 64; i++) {
        if (!calls[i].open) {
            calls[i] = (history_call_t) { true, n, r->slot, items, amount };
            return;
        }
    }

    abort();
}


static void
step_hold(unsigned n)
{
    int                  rc;
    unsigned             count = 1 + (unsigned) rnd(3), open = 0;
    tg_ledger_item_t     items[3];
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    for (unsigned i = 0; i < 64; i++) {
        open += calls[i].open;
    }

    if (nwaiting + 8 > WAITING || open > 40) {
        return;
    }

    for (unsigned i = 0; i < count; i++) {
        items[i] = item(names[i + 1], 1 + (int64_t) rnd(20), caps[i + 1]);
        items[i].amount = items[0].amount;
    }

    rc = tg_ledger_fleet_hold(&node[n].view[0], now, items, count, NULL, 0, &r,
                              &msg);

    if (rc == TG_LEDGER_ASK) {
        put(n, &msg);
    } else if (rc == TG_LEDGER_OK) {
        call_opened(n, &r, count, items[0].amount);
    }
}


static void
step_settle(void)
{
    int64_t          actual[3];
    history_call_t  *c = &calls[rnd(64)];

    if (c->open) {
        actual[0] = (int64_t) rnd(8) == 0 ? (int64_t) rnd((uint64_t) c->hold
                                                          + 1) : 0;
        actual[1] = actual[2] = actual[0];
        assert_int_equal(tg_ledger_settle(&node[c->node].view[0], now, c->slot,
                                          actual, c->n, NULL, 0, NULL),
                         TG_LEDGER_OK);
        assert_int_equal(tg_ledger_line_written(&node[c->node].view[0],
                                                &c->slot, 1), TG_LEDGER_OK);
        c->open = false;
    }
}


/* One message or answer goes on, or is lost, or is there twice. */
static void
step_wire(unsigned reliable)
{
    int                  rc;
    unsigned             i;
    waiting_t            w;
    tg_ledger_result_t   r;

    if (nwaiting == 0) {
        return;
    }

    i = (unsigned) rnd(nwaiting);
    w = waiting[i];

    if (!w.answered && rnd(10) == 0 && !reliable) {
        deliver(&w.msg, &w.answer);         /* twice */
    }

    waiting[i] = waiting[--nwaiting];

    if (!reliable && rnd(12) == 0) {
        if (rnd(2) && !w.answered) {
            deliver(&w.msg, &w.answer);     /* it did arrive */
        }
        w.answer.status = TG_LEDGER_NO_ANSWER;
        w.answer.has_nodes = false;
        w.answered = true;
        now += 20;

    } else if (!w.answered) {
        deliver(&w.msg, &w.answer);
        w.answered = true;
        waiting[nwaiting++] = w;
        return;
    }

    rc = tg_ledger_fleet_reply(&node[w.node].view[0], now, &w.msg, &w.answer,
                               &r);

    if (w.msg.kind == TG_LEDGER_MSG_ASK && rc == TG_LEDGER_OK) {
        call_opened(w.node, &r, w.msg.n == 0 ? 0 : r.nstates,
                    node[w.node].view[0].slots[r.slot.index - 1]
                        .items[0].amount);
    }
}


static void
step_tick(unsigned n)
{
    tg_ledger_message_t  msg;

    if (nwaiting + 4 < WAITING
        && tg_ledger_fleet_tick(&node[n].view[0], now, &msg) == TG_LEDGER_ASK)
    {
        put(n, &msg);
    }
}


static int64_t
owned_by(unsigned n, unsigned b)
{
    tg_ledger_item_t  it = item(names[b], 0, 0);
    uint32_t          i = tg_led_find(&node[n].view[0], it.key);

    return i == 0 ? 0 : tg_led_owned(&node[n].view[0].entries[i - 1],
                                     &node[n].view[0].fents[i - 1]);
}


static void
check_caps(unsigned seed, unsigned step)
{
    int64_t  sum;

    for (unsigned b = 1; b < BUCKETS; b++) {
        sum = 0;

        for (unsigned n = 0; n < NODES; n++) {
            sum += owned_by(n, b);
        }

        if (sum > caps[b] && !store.d.opened_late) {
            print_error("history %u, step %u: %s has %ld of %ld\n", seed, step,
                        names[b], (long) sum, (long) caps[b]);
            fail();
        }
    }
}


static uint64_t  histories, losses, excused, commands_sent;


static void
lose(const store_data_t *old)
{
    losses++;

    switch (redis != NULL ? rnd(2) * 2 : rnd(4)) {
    case 0:
        flush();
        break;
    case 1:
        store.d = *old;             /* a stale replica, an old file */
        store.rid++;
        break;
    case 2:
        store.rid++;                /* restarted, nothing lost */
        break;
    default:
        store.d = *old;             /* and nobody noticed: the same server */
        store.rid++;
        store.d.there = false;
    }
}


static void
history(unsigned seed, unsigned steps)
{
    unsigned      away = NODES;
    store_data_t  old = store.d;

    rnd_state = (seed + 1) * 0x9e3779b97f4a7c15u + 12345;
    memset(calls, 0, sizeof(calls));
    nwaiting = 0;

    for (unsigned n = 0; n < NODES; n++) {
        options[n].lease = rnd(2) ? TG_LEASE_AHEAD : TG_LEASE_STRICT;
    }

    join();

    for (unsigned s = 0; s < steps; s++) {
        unsigned  n = (unsigned) rnd(NODES), what = (unsigned) rnd(100);

        if (what < 30 && n != away) {
            step_hold(n);
        } else if (what < 55) {
            step_settle();
        } else if (what < 85) {
            step_wire(0);
        } else if (what < 96 && n != away) {
            step_tick(n);
        } else if (what == 96) {
            old = store.d;
        } else if (what == 97 && rnd(6) == 0) {
            lose(&old);
        } else if (what == 98) {
            away = rnd(3) == 0 ? n : NODES;
        } else {
            now += (int64_t) rnd(60);
        }

        now += (int64_t) rnd(8);
        check_caps(seed, s);
    }

    excused += store.d.opened_late;
    histories++;
    commands_sent += store.commands;
}


/* At rest all agree, to the unit. */
static void
check_rest(unsigned seed)
{
    int64_t          used, mine;
    store_bucket_t  *b;

    while (nwaiting > 0) {
        step_wire(1);
    }

    for (unsigned i = 0; i < 64; i++) {
        for (unsigned k = 0; k < 4096 && calls[i].open; k++) {
            step_settle();
        }
    }

    now += 1000;
    pass(QUARANTINE + 6000);

    for (unsigned k = 1; k < BUCKETS; k++) {
        used = 0;
        mine = 0;

        for (unsigned n = 0; n < NODES; n++) {
            if (owned_by(n, k) != 0) {
                used += entry(n, names[k]).used;
                assert_true(share(n, names[k]).clean);
                assert_true(share(n, names[k]).pending == 0);
                assert_true(share(n, names[k]).slice == 0);
                assert_true(entry(n, names[k]).held == 0);
                mine += share(n, names[k]).mine;
            }
        }

        assert_true(used == mine);

        for (unsigned i = 0; i < STORE_BUCKETS; i++) {
            b = &store.d.bucket[i];
            if (b->there && b->key[12] == '6' && b->key[15] == '0' + (int) k
                && (b->e == store.d.ep ? b->s != used || b->u != used
                                       : used != 0))
            {
                print_error("history %u: %s: used %ld, store %ld of %ld\n",
                            seed, names[k], (long) used, (long) b->u,
                            (long) b->s);
                fail();
            }
        }
    }

    check_sound();
}


static void
test_histories_never_pass_a_cap_and_lose_nothing(void **state)
{
    const char  *many = getenv("FLEET_HISTORIES");
    unsigned     n = many != NULL ? (unsigned) atoi(many) : 150;
    unsigned     first = many != NULL && getenv("FLEET_FIRST") != NULL
                         ? (unsigned) atoi(getenv("FLEET_FIRST")) : 0;

    for (unsigned seed = first; seed < first + n; seed++) {
        history(seed, 3000);
        check_rest(seed);
        teardown(state);
        setup(state);
    }

    print_message("histories %lu, losses of data %lu, messages %lu, with a node "
                  "away for the whole quarantine %lu\n",
                  (unsigned long) histories, (unsigned long) losses,
                  (unsigned long) commands_sent, (unsigned long) excused);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(
            test_histories_never_pass_a_cap_and_lose_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
