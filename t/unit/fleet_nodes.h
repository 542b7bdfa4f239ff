/*
 * fleet_nodes.h - some nodes of a fleet, each a ledger in memory, and the store's
 * model.  To be included after cmocka.h.
 *
 * FLEET_REDIS=socket: all commands are also run by the script itself, with the
 * test's clock, and its replies must be the same; `make torture` does this.
 */

#ifndef FLEET_NODES_H
#define FLEET_NODES_H

#include "fleet_store.h"
#include "tg_ledger_int.h"
#include "tg_redis.h"

#include <hiredis/hiredis.h>


#define SIZE        (256 * 1024)
#define NODES       3
#define QUARANTINE  15000

/* A node: its ledger's memory, and two processes that use it. */
typedef struct {
    void         *base;
    tg_ledger_t   view[2];
} node_t;

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

#endif /* FLEET_NODES_H */
