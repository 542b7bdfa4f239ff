#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fleet_store.h"
#include "tg_ledger_int.h"
#include "tg_redis.h"

#include <hiredis/hiredis.h>

/*
 * FLEET_HISTORIES=n   that many histories, from FLEET_FIRST=n on
 * FLEET_REDIS=socket  all commands are also run by the script itself, with the
 *                     test's clock, and its replies must be the same; `make
 *                     torture` does this
 */

#define SIZE        (256 * 1024)
#define NODES       3
#define WAITING     64          /* messages and answers on their way */
#define QUARANTINE  15000

/* A node: its ledger's memory, and two processes that use it. */
typedef struct {
    void         *base;
    tg_ledger_t   view[2];
} node_t;

typedef struct {
    unsigned             node, view;
    bool                 answered;      /* it is the answer that is on its way */
    tg_ledger_message_t  msg;
    tg_ledger_answer_t   answer;
} waiting_t;

static node_t             node[NODES];
static tg_ledger_fleet_t  options[NODES];
static tg_fleet_t         fleet;
static store_t            store;
static int64_t            now;
static bool               dead[NODES][TG_LEDGER_OWNERS_MAX + 1];
static uint32_t           owners[NODES];
static tg_fleet_command_t command;


static void redis_open(void);


static bool
owner_dead(void *baton, uint32_t owner)
{
    return dead[*(unsigned *) baton][owner];
}


static bool
no_wait(void *baton, uint64_t *since)
{
    (void) baton;

    return ++*since < 3;
}


static void
node_view(unsigned n, unsigned v)
{
    tg_error_t        err;
    static unsigned   ids[NODES] = { 0, 1, 2 };
    tg_ledger_host_t  host = { owner_dead, no_wait, &ids[n] };

    assert_int_equal(tg_ledger_attach(&node[n].view[v], node[n].base, SIZE,
                                      &host, &err), TG_OK);
    assert_int_equal(tg_ledger_claim(&node[n].view[v], ++owners[n]),
                     TG_LEDGER_OK);
    tg_ledger_fleet_options(&node[n].view[v], &options[n]);
}


static int
setup(void **state)
{
    tg_error_t           err;
    const unsigned char  seed[16] = "fedcba987654321", boot[16] = "boot";

    (void) state;

    redis_open();
    memset(&store, 0, sizeof(store));
    memset(dead, 0, sizeof(dead));
    memset(owners, 0, sizeof(owners));
    now = 1000000000;
    store.now = now;
    store.rid = 1;
    assert_int_equal(tg_fleet_init(&fleet, tg_str("unit"), tg_str("host"),
                                   QUARANTINE, &err), TG_OK);

    for (unsigned n = 0; n < NODES; n++) {
        options[n] = (tg_ledger_fleet_t) {
            .lease = TG_LEASE_STRICT, .down = TG_DOWN_REJECT,
            .timeout_ms = 500, .tick_ms = 250, .idle_ms = 500
        };
        node[n].base = aligned_alloc(4096, SIZE);
        memset(node[n].base, 0, SIZE);
        assert_int_equal(tg_ledger_format_fleet(node[n].base, SIZE, seed, boot,
                                                1, 11 + n, &err), TG_OK);
        node_view(n, 0);
        node_view(n, 1);
    }

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    for (unsigned n = 0; n < NODES; n++) {
        free(node[n].base);
    }

    return 0;
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


static redisContext  *redis;
static char           script[32768];


static void
script_replace(const char *from, const char *to)
{
    char    *p = strstr(script, from);
    size_t   n = strlen(from), m = strlen(to);

    assert_non_null(p);
    memmove(p + m, p + n, strlen(p + n) + 1);
    memcpy(p, to, m);
}


/* The script, but for its clock and its server's identity. */
static void
redis_open(void)
{
    const char  *path = getenv("FLEET_REDIS");

    if (path == NULL) {
        return;
    }

    if (redis == NULL) {
        redis = redisConnectUnix(path);
        assert_true(redis != NULL && redis->err == 0);
        assert_true(tg_fleet_script.len + 256 < sizeof(script));
        memcpy(script, tg_fleet_script.p, tg_fleet_script.len + 1);
        script_replace("call('TIME')", "{call('GET','s'),call('GET','us')}");
        script_replace("call('INFO','replication')",
                       "'master_replid:'..call('GET','rid')");
        script_replace("'PEXPIREAT'", "'EXISTS'");
        script_replace("'PEXPIREAT'", "'EXISTS'");
    }

    freeReplyObject(redisCommand(redis, "FLUSHALL"));
}


static void
flush(void)
{
    memset(&store.d, 0, sizeof(store.d));

    if (redis != NULL) {
        freeReplyObject(redisCommand(redis, "FLUSHALL"));
    }
}


static void
redis_compare(const tg_ledger_message_t *msg, const tg_fleet_reply_t *expected)
{
    size_t             len[TG_FLEET_ARGS_MAX];
    const char        *argv[TG_FLEET_ARGS_MAX];
    redisReply        *reply;
    tg_fleet_reply_t   got;

    for (unsigned i = 0; i < command.argc; i++) {
        argv[i] = command.argv[i].p;
        len[i] = command.argv[i].len;
    }

    argv[0] = "EVAL";
    len[0] = 4;
    argv[1] = script;
    len[1] = strlen(script);

    freeReplyObject(redisCommand(redis, "MSET s %lld us %lld rid %u",
                                 (long long) (now / 1000),
                                 (long long) (now % 1000 * 1000), store.rid));
    reply = redisCommandArgv(redis, (int) command.argc, argv, len);
    tg_redis_reply(reply, &got);

    if (got.kind != TG_FLEET_INTS) {
        print_error("%.*s\n", (int) got.error.len, got.error.p);
        fail();
    }

    freeReplyObject(reply);

    /* Nodes come in any order. */
    for (unsigned i = 0; i < got.n || i < expected->n; i++) {
        if (got.n != expected->n
            || (got.ints[i] != expected->ints[i]
                && i < 5 + msg->n * 12))
        {
            print_error("%s %s: reply %u of %u, %u is %ld, not %ld\n",
                        command.argv[0].p,
                        command.argv[7 + atoi(command.argv[2].p) - 4].p, i,
                        expected->n, got.n, (long) got.ints[i],
                        (long) expected->ints[i]);
            fail();
        }
    }
}


/* The message reaches the store; what it says. */
static void
deliver(const tg_ledger_message_t *msg, tg_ledger_answer_t *answer)
{
    tg_error_t        err;
    tg_fleet_reply_t  reply;

    store.now = now;
    tg_fleet_command(&fleet, msg, false, &command);
    store_run(&store, &command, &reply);

    if (redis != NULL) {
        redis_compare(msg, &reply);
    }

    assert_int_equal(tg_fleet_answer(msg, &reply, answer, &err),
                     TG_FLEET_DONE);
    assert_string_equal(err.message, "");
}


static int
answered(unsigned n, const tg_ledger_message_t *msg,
    const tg_ledger_answer_t *answer, tg_ledger_result_t *r)
{
    return tg_ledger_fleet_reply(&node[n].view[0], now, msg, answer, r);
}


static int
lost(unsigned n, const tg_ledger_message_t *msg, tg_ledger_result_t *r)
{
    tg_ledger_answer_t  none;

    memset(&none, 0, sizeof(none));
    none.status = TG_LEDGER_NO_ANSWER;

    return tg_ledger_fleet_reply(&node[n].view[0], now, msg, &none, r);
}


static void
ticks(unsigned n)
{
    tg_ledger_answer_t   answer;
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    for (unsigned i = 0; i < 20; i++) {
        if (tg_ledger_fleet_tick(&node[n].view[0], now, &msg)
            != TG_LEDGER_ASK)
        {
            return;
        }

        deliver(&msg, &answer);
        (void) answered(n, &msg, &answer, &r);
    }
}


/* So long with all nodes ticking. */
static void
pass(int64_t ms)
{
    for (int64_t end = now + ms; now < end; now += 125) {
        for (unsigned n = 0; n < NODES; n++) {
            ticks(n);
        }
    }
}


static void
join(void)
{
    pass(QUARANTINE + 1500);

    for (unsigned n = 0; n < NODES; n++) {
        tg_ledger_fleet_stats_t  st;

        tg_ledger_fleet_stats(&node[n].view[0], &st);
        assert_true(st.joined);
        assert_true(st.open);
        assert_int_equal(st.nodes, NODES);
    }
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


static tg_ledger_share_t
share(unsigned n, const char *key)
{
    tg_ledger_item_t   it = item(key, 0, 0);
    tg_ledger_share_t  s;

    assert_int_equal(tg_ledger_fleet_read(&node[n].view[0], it.key, &s),
                     TG_LEDGER_OK);

    return s;
}


static tg_ledger_entry_t
entry(unsigned n, const char *key)
{
    tg_ledger_item_t   it = item(key, 0, 0);
    tg_ledger_entry_t  e;

    assert_int_equal(tg_ledger_read(&node[n].view[0], it.key, &e),
                     TG_LEDGER_OK);

    return e;
}


static void
check_sound(void)
{
    tg_arena_t          *a;
    tg_ledger_report_t   r;

    for (unsigned n = 0; n < NODES; n++) {
        a = tg_arena_create(0);
        assert_int_equal(tg_ledger_check(&node[n].view[0], tg_arena_mem(a),
                                         &r), TG_LEDGER_OK);
        assert_true(r.bad_held == 0 && r.bad_open == 0 && r.bad_chain == 0);
        assert_true(r.bad_free == 0 && r.bad_slot == 0 && r.bad_count == 0);
        assert_true(r.bad_pending == 0 && r.negative == 0 && r.broken == 0);
        tg_arena_destroy(a);
    }
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


/* Histories. */

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


#define fleet_test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        fleet_test(test_a_call_asks_and_its_refund_goes_back),
        fleet_test(test_all_buckets_or_none),
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
        fleet_test(test_histories_never_pass_a_cap_and_lose_nothing),
        fleet_test(test_options),
        fleet_test(test_what_a_store_must_be_like),
        fleet_test(test_replies_that_are_none),
        fleet_test(test_a_command_of_the_largest_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
