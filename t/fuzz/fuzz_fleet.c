/*
 * Any numbers as the replies of a fleet's store.  What makes no sense is none;
 * what is taken leaves the ledger sound, and no call with less than it asked
 * for.
 *
 * First byte: the number of buckets, lease, what is done while the store is
 * away.  Then replies: a byte with the kind and the number of numbers, and for
 * each a byte: the low bits a small value, the high bits how it is read.
 */

#include "ledger_memory.h"
#include "tg_fleet.h"

#include <stdlib.h>

#define REQUIRE(x)  do { if (!(x)) { abort(); } } while (0)

#define SIZE      (256 * 1024)
#define REPLIES   64
#define BUCKETS   3
#define AMOUNT    10
#define HEAD      5             /* numbers of a reply before its buckets' */
#define ITEM      12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    const uint8_t  *p;
    size_t          left;
} input_t;


static unsigned
byte(input_t *in)
{
    if (in->left == 0) {
        return 0;
    }

    in->left--;

    return *in->p++;
}


static int64_t
number(input_t *in)
{
    int64_t   v = 0;
    unsigned  b = byte(in);

    switch (b >> 6) {
    case 0:
        return b & 63;
    case 1:
        return -(int64_t) (b & 63);
    case 2:
        return (b & 1 ? TG_LEDGER_FLEET_MAX : INT64_MAX) - (b >> 1 & 31);
    default:
        for (unsigned i = 0; i < 8; i++) {
            v = (int64_t) ((uint64_t) v << 8 | byte(in));
        }
        return v;
    }
}


/* As the script would answer, with any numbers for the buckets. */
static void
reply_shaped(input_t *in, unsigned kind, const tg_ledger_message_t *msg,
    tg_fleet_reply_t *reply)
{
    unsigned  n = HEAD + msg->n * ITEM;

    reply->kind = TG_FLEET_INTS;
    reply->ints[0] = kind >> 4 < 12 ? TG_LEDGER_ANSWERED : kind >> 4 & 3;
    reply->ints[1] = msg->epoch != 0 ? (int64_t) msg->epoch + (kind == 255)
                                     : 7;
    reply->ints[2] = 1;
    reply->ints[3] = kind >> 4 != 5;

    if (msg->epoch == 0) {
        reply->ints[0] = TG_LEDGER_EPOCH;
    }

    for (reply->n = HEAD; reply->n < n; reply->n++) {
        reply->ints[reply->n] = number(in);
    }

    if (msg->kind == TG_LEDGER_MSG_JOIN) {
        reply->ints[reply->n++] = 1;
        reply->ints[reply->n++] = (int64_t) msg->node;
    }
}


static void
reply_of(input_t *in, const tg_ledger_message_t *msg, tg_fleet_reply_t *reply)
{
    unsigned  kind = byte(in);

    memset(reply, 0, sizeof(*reply));

    if (kind % 16 == 0) {
        reply->kind = TG_FLEET_FAILED;
        reply->error = tg_str_of((const char *) in->p,
                                 in->left < 40 ? in->left : 40);
        return;
    }

    if (kind % 16 == 1) {
        return;
    }

    if (kind % 16 > 2) {
        reply_shaped(in, kind, msg, reply);
        return;
    }

    reply->kind = TG_FLEET_INTS;
    reply->n = byte(in);
    reply->n = reply->n < TG_FLEET_INTS_MAX ? reply->n : TG_FLEET_INTS_MAX;

    for (unsigned i = 0; i < reply->n && in->left != 0; i++) {
        reply->ints[i] = number(in);
    }
}


static int
answer(input_t *in, tg_ledger_t *led, int64_t now,
    const tg_ledger_message_t *msg, tg_ledger_result_t *r)
{
    tg_error_t                 err;
    tg_ledger_answer_t         a;
    static tg_fleet_reply_t    reply;
    static tg_fleet_command_t  command;
    static tg_fleet_t          fleet;

    tg_fleet_command(&fleet, msg, true, &command);
    REQUIRE(command.argc > 0 && command.argc <= TG_FLEET_ARGS_MAX);

    reply_of(in, msg, &reply);
    memset(&a, 0xa5, sizeof(a));
    (void) tg_fleet_answer(msg, &reply, &a, &err);

    REQUIRE(a.status <= TG_LEDGER_NO_ANSWER);
    REQUIRE(a.n == (a.status == TG_LEDGER_ANSWERED ? msg->n : 0));
    REQUIRE(!a.has_nodes || a.nnodes <= TG_LEDGER_NODES_MAX);

    return tg_ledger_fleet_reply(led, now, msg, &a, r);
}


static void
call(input_t *in, tg_ledger_t *led, int64_t now, unsigned n)
{
    int                  rc;
    int64_t              actual[BUCKETS] = { AMOUNT, AMOUNT - 1, 0 };
    tg_ledger_item_t     items[BUCKETS];
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    memset(items, 0, sizeof(items));

    for (unsigned i = 0; i < n; i++) {
        items[i].key[0] = (unsigned char) (i + 1);
        items[i].limit = items[i].cap = 1000;
        items[i].amount = AMOUNT;
        items[i].alert[0] = 50;
        items[i].alert[1] = 100;
        items[i].window.end = TG_WINDOW_NEVER;

        if (i == 2) {
            items[i].idle_ms = 1000;
        }
    }

    rc = tg_ledger_fleet_hold(led, now, items, n, "line", 4, &r, &msg);

    if (rc == TG_LEDGER_ASK) {
        rc = answer(in, led, now, &msg, &r);
        REQUIRE(rc != TG_LEDGER_STALE && rc != TG_LEDGER_BUSY);
    }

    if (rc == TG_LEDGER_OK) {
        REQUIRE(tg_ledger_settle(led, now, r.slot, actual, n, NULL, 0, &r)
                == TG_LEDGER_OK);
        REQUIRE(tg_ledger_line_written(led, &r.slot, 1) == TG_LEDGER_OK);
    }
}


static void
check(tg_ledger_t *led)
{
    tg_arena_t          *arena = tg_arena_create(0);
    tg_ledger_report_t   r;

    REQUIRE(arena != NULL);
    REQUIRE(tg_ledger_check(led, tg_arena_mem(arena), &r) == TG_LEDGER_OK);
    REQUIRE(r.bad_held == 0 && r.bad_open == 0 && r.bad_chain == 0);
    REQUIRE(r.bad_free == 0 && r.bad_slot == 0 && r.bad_count == 0);
    REQUIRE(r.bad_pending == 0 && r.negative == 0 && r.broken == 0);
    tg_arena_destroy(arena);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char     seed[16] = "fedcba987654321";
    static const unsigned char     boot[16] = "boot";
    void                 *base;
    input_t               in = { data, size };
    int64_t               now = 1000000000;
    unsigned              how = byte(&in), n = 1 + how % BUCKETS;
    tg_error_t            err;
    tg_ledger_t           led;
    tg_ledger_fleet_t     options;
    tg_ledger_result_t    r;
    tg_ledger_message_t   msg;

    base = aligned_alloc(4096, SIZE);
    REQUIRE(base != NULL);
    memset(base, 0, SIZE);
    memset(&options, 0, sizeof(options));
    options.lease = how & 4 ? TG_LEASE_AHEAD : TG_LEASE_STRICT;
    options.down = how & 8 ? TG_DOWN_ALLOW
                   : how & 16 ? TG_DOWN_LOCAL : TG_DOWN_REJECT;
    options.local_percent = 20;
    options.timeout_ms = 500;
    options.tick_ms = 250;
    options.idle_ms = 500;

    REQUIRE(tg_ledger_format_fleet(base, SIZE, seed, boot, 1, 11, &err)
            == TG_OK);
    REQUIRE(tg_ledger_attach(&led, base, SIZE, &ledger_memory_host, &err)
            == TG_OK);
    REQUIRE(tg_ledger_claim(&led, 1) == TG_LEDGER_OK);
    tg_ledger_fleet_options(&led, &options);

    for (unsigned i = 0; i < REPLIES && in.left != 0; i++) {
        now += 100;

        if (tg_ledger_fleet_tick(&led, now, &msg) == TG_LEDGER_ASK) {
            (void) answer(&in, &led, now, &msg, &r);
        }

        call(&in, &led, now, n);
    }

    check(&led);
    free(base);

    return 0;
}
