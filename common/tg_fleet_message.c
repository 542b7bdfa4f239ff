#include "tg_fleet.h"

#include <stdarg.h>
#include <stdio.h>

#define TG_FLEET_ITEM_INTS  12      /* of a reply */
#define TG_FLEET_HEAD_INTS  5

/* What a store may say of a bucket: all nodes' amounts, and two such can be
 * added. */
#define TG_FLEET_SUM_MAX    (INT64_MAX / 4)


static void
tg_fleet_begin(tg_fleet_command_t *c)
{
    c->argc = 0;
    c->used = 0;
}


static void
tg_fleet_push(tg_fleet_command_t *c, tg_str_t s)
{
    if (c->argc < TG_FLEET_ARGS_MAX) {
        c->argv[c->argc++] = s;
    }
}


/* TG_FLEET_ARGS_MAX and the text's size hold any command: the largest has 16
 * items. */
static void __attribute__((format(printf, 2, 3)))
tg_fleet_print(tg_fleet_command_t *c, const char *fmt, ...)
{
    int           n;
    char         *p = c->text + c->used;
    size_t        room = sizeof(c->text) - c->used;
    va_list       args;

    va_start(args, fmt);
    n = vsnprintf(p, room, fmt, args);
    va_end(args);

    if (n < 0 || (size_t) n >= room) {
        n = 0;
    }

    c->used += (size_t) n + 1 < room ? (size_t) n + 1 : room;
    tg_fleet_push(c, tg_str_of(p, (size_t) n));
}


static void
tg_fleet_int(tg_fleet_command_t *c, int64_t n)
{
    tg_fleet_print(c, "%lld", (long long) n);
}


static void
tg_fleet_hex(char *to, const unsigned char *key, size_t n)
{
    static const char  digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *to++ = digits[key[i] >> 4];
        *to++ = digits[key[i] & 15];
    }

    *to = '\0';
}


static void
tg_fleet_key(const tg_fleet_t *fleet, const tg_ledger_message_item_t *m,
    tg_fleet_command_t *c)
{
    char  hex[2 * TG_LEDGER_KEY + 1];

    tg_fleet_hex(hex, m->key, TG_LEDGER_KEY);

    if (m->idle_ms != 0) {
        tg_fleet_print(c, "%sb:%s:i", fleet->prefix, hex);
    } else {
        tg_fleet_print(c, "%sb:%s:%lld", fleet->prefix, hex,
                       (long long) m->window.start);
    }
}


static void
tg_fleet_item(const tg_ledger_message_item_t *m, bool hello,
    tg_fleet_command_t *c)
{
    char      alert[2 * TG_LEDGER_ALERTS_MAX + 1];
    unsigned  n = 0;

    while (n < TG_LEDGER_ALERTS_MAX && m->alert[n] != 0) {
        n++;
    }

    tg_fleet_hex(alert, m->alert, n);

    tg_fleet_int(c, m->window.start);
    tg_fleet_int(c, m->window.end == TG_WINDOW_NEVER ? -1 : m->window.end);
    tg_fleet_int(c, m->idle_ms);
    tg_fleet_int(c, m->limit);
    tg_fleet_int(c, m->cap);
    tg_fleet_print(c, "%s", alert);
    tg_fleet_int(c, m->bits);
    tg_fleet_int(c, m->ops);
    tg_fleet_int(c, m->used);
    tg_fleet_int(c, m->owned);
    tg_fleet_int(c, m->pending);
    tg_fleet_int(c, m->want);
    tg_fleet_int(c, m->hold);
    tg_fleet_int(c, m->required);
    tg_fleet_int(c, m->need);

    if (hello) {
        tg_fleet_int(c, (int64_t) m->view_epoch);
        tg_fleet_int(c, (int64_t) m->view_version);
        tg_fleet_int(c, m->view_total);
        tg_fleet_int(c, m->view_mine);
        tg_fleet_int(c, m->retired);
    }
}


void
tg_fleet_command(const tg_fleet_t *fleet, const tg_ledger_message_t *msg,
    bool whole, tg_fleet_command_t *c)
{
    bool                hello = msg->kind == TG_LEDGER_MSG_HELLO;
    static const char  *kinds[] = { "", "A", "R", "H", "J" };

    tg_fleet_begin(c);

    if (whole) {
        tg_fleet_push(c, tg_str("EVAL"));
        tg_fleet_push(c, tg_fleet_script);
    } else {
        tg_fleet_push(c, tg_str("EVALSHA"));
        tg_fleet_push(c, tg_str_of(fleet->sha, 40));
    }

    tg_fleet_int(c, 4 + (int64_t) msg->n);
    tg_fleet_print(c, "%smeta", fleet->prefix);
    tg_fleet_print(c, "%snodes", fleet->prefix);
    tg_fleet_print(c, "%sseen", fleet->prefix);
    tg_fleet_print(c, "%sraises", fleet->prefix);

    for (unsigned i = 0; i < msg->n; i++) {
        tg_fleet_key(fleet, &msg->items[i], c);
    }

    tg_fleet_print(c, "%s", kinds[msg->kind]);
    tg_fleet_int(c, (int64_t) msg->node);
    tg_fleet_int(c, (int64_t) msg->epoch);
    tg_fleet_int(c, (int64_t) msg->seq);
    tg_fleet_int(c, (int64_t) msg->nodes_version);
    tg_fleet_int(c, fleet->quarantine_ms);

    for (unsigned i = 0; i < msg->n; i++) {
        tg_fleet_item(&msg->items[i], hello, c);
    }

    if (msg->kind == TG_LEDGER_MSG_JOIN) {
        tg_fleet_int(c, msg->member);
        tg_fleet_push(c, fleet->label);

        for (unsigned i = 0; i < msg->nnodes; i++) {
            tg_fleet_int(c, (int64_t) msg->nodes[i]);
        }
    }
}


static int
tg_fleet_read_items(const tg_fleet_reply_t *r, tg_ledger_answer_t *a)
{
    const int64_t            *p = r->ints + TG_FLEET_HEAD_INTS;
    tg_ledger_answer_item_t  *it;

    for (unsigned i = 0; i < a->n; i++, p += TG_FLEET_ITEM_INTS) {
        it = &a->items[i];
        it->granted = p[0] >= 0;
        it->amount = p[0];
        it->mine = p[1];
        it->total = p[2];
        it->version = (uint64_t) p[3];
        it->others = p[4];
        it->retired = p[5];
        it->told = p[6];
        it->bits = (uint8_t) p[7];
        it->fired = (uint8_t) p[8];
        it->raise = p[9];
        it->raise_until = p[10];
        it->window = p[11];

        for (unsigned k = 1; k <= 6; k++) {
            if (p[k] < 0 || p[k] > TG_FLEET_SUM_MAX) {
                return TG_ERROR;
            }
        }

        if (p[0] > TG_FLEET_SUM_MAX || p[9] > TG_FLEET_SUM_MAX
            || p[9] < -TG_FLEET_SUM_MAX)
        {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


/* The numbers as they are, or nothing. */
static int
tg_fleet_read(const tg_ledger_message_t *msg, const tg_fleet_reply_t *r,
    tg_ledger_answer_t *a)
{
    unsigned  at = TG_FLEET_HEAD_INTS;

    if (r->n < TG_FLEET_HEAD_INTS || r->n > TG_FLEET_INTS_MAX
        || r->ints[0] < TG_LEDGER_ANSWERED
        || r->ints[0] > TG_LEDGER_GIVEN_UP || r->ints[1] <= 0)
    {
        return TG_ERROR;
    }

    a->status = (unsigned) r->ints[0];
    a->epoch = (uint64_t) r->ints[1];
    a->nodes_version = (uint64_t) r->ints[2];
    a->open = r->ints[3] == 1;
    a->opens_in = r->ints[4];

    if (a->status != TG_LEDGER_ANSWERED) {
        return TG_OK;
    }

    if (r->n < at + msg->n * TG_FLEET_ITEM_INTS) {
        return TG_ERROR;
    }

    a->n = msg->n;
    at += msg->n * TG_FLEET_ITEM_INTS;

    if (tg_fleet_read_items(r, a) != TG_OK) {
        return TG_ERROR;
    }

    if (r->n == at) {
        return TG_OK;
    }

    /* More nodes than fit are not remembered: the quarantine then lasts to its
     * end. */
    a->has_nodes = r->ints[at] <= TG_LEDGER_NODES_MAX;
    a->nnodes = a->has_nodes ? (unsigned) r->ints[at] : 0;

    if (r->ints[at] < 0 || (uint64_t) r->ints[at] + at + 1 != r->n) {
        return TG_ERROR;
    }

    for (unsigned i = 0; i < a->nnodes; i++) {
        a->nodes[i] = (uint64_t) r->ints[at + 1 + i];
    }

    return TG_OK;
}


tg_fleet_next_t
tg_fleet_answer(const tg_ledger_message_t *msg, const tg_fleet_reply_t *reply,
    tg_ledger_answer_t *answer, tg_error_t *err)
{
    tg_str_t  e = reply->error;
    int       shown = (int) (e.len < 160 ? e.len : 160);

    err->message[0] = '\0';
    answer->n = 0;
    answer->nnodes = 0;
    answer->has_nodes = false;

    if (reply->kind == TG_FLEET_INTS) {
        if (tg_fleet_read(msg, reply, answer) == TG_OK) {
            return TG_FLEET_DONE;
        }

        (void) tg_error(err, 0, 0, "an answer that makes no sense");
    }

    answer->status = TG_LEDGER_NO_ANSWER;
    answer->n = 0;
    answer->has_nodes = false;

    if (reply->kind != TG_FLEET_FAILED) {
        return TG_FLEET_DONE;
    }

    if (tg_str_starts(e, tg_str("NOSCRIPT"))) {
        return TG_FLEET_WHOLE;
    }

    if (tg_str_starts(e, tg_str("MOVED ")) || tg_str_starts(e, tg_str("ASK ")))
    {
        (void) tg_error(err, 0, 0, "this fleet's keys are on another node of "
                        "the cluster (%.*s): name that one in redis=", shown,
                        e.p);
        return TG_FLEET_ELSEWHERE;
    }

    (void) tg_error(err, 0, 0, "%.*s", shown, e.p);

    /* A replica now, still loading, its master gone: another may be right. */
    if (tg_str_starts(e, tg_str("READONLY")) || tg_str_starts(e, tg_str("-"))
        || tg_str_starts(e, tg_str("LOADING"))
        || tg_str_starts(e, tg_str("MASTERDOWN"))
        || tg_str_starts(e, tg_str("UNBLOCKED"))
        || tg_str_starts(e, tg_str("CLUSTERDOWN"))
        || tg_str_starts(e, tg_str("NOAUTH")))
    {
        return TG_FLEET_ELSEWHERE;
    }

    return TG_FLEET_DONE;
}


void
tg_fleet_raise_command(const tg_fleet_t *fleet, const unsigned char *bucket,
    int64_t amount, int64_t until, tg_fleet_command_t *c)
{
    char  hex[2 * TG_LEDGER_KEY + 1];

    tg_fleet_hex(hex, bucket, TG_LEDGER_KEY);
    tg_fleet_begin(c);
    tg_fleet_push(c, amount != 0 ? tg_str("HSET") : tg_str("HDEL"));
    tg_fleet_print(c, "%sraises", fleet->prefix);
    tg_fleet_print(c, "%s", hex);

    if (amount != 0) {
        tg_fleet_print(c, "%lld %lld", (long long) amount,
                       (long long) (until < TG_LEDGER_FLEET_MAX
                                    ? until : TG_LEDGER_FLEET_MAX));
    }
}


static void
tg_fleet_getall(const tg_fleet_t *fleet, const char *name,
    tg_fleet_command_t *c)
{
    tg_fleet_begin(c);
    tg_fleet_push(c, tg_str("HGETALL"));
    tg_fleet_print(c, "%s%s", fleet->prefix, name);
}


void
tg_fleet_nodes_command(const tg_fleet_t *fleet, tg_fleet_command_t *c)
{
    tg_fleet_getall(fleet, "nodes", c);
}


void
tg_fleet_seen_command(const tg_fleet_t *fleet, tg_fleet_command_t *c)
{
    tg_fleet_getall(fleet, "seen", c);
}


void
tg_fleet_say_command(const tg_fleet_t *fleet, uint64_t node, tg_str_t text,
    tg_fleet_command_t *c)
{
    tg_fleet_begin(c);
    tg_fleet_push(c, tg_str("HSET"));
    tg_fleet_print(c, "%sstatus", fleet->prefix);
    tg_fleet_int(c, (int64_t) node);
    tg_fleet_push(c, text);
}


void
tg_fleet_hear_command(const tg_fleet_t *fleet, tg_fleet_command_t *c)
{
    tg_fleet_getall(fleet, "status", c);
}


void
tg_fleet_forget_command(const tg_fleet_t *fleet, uint64_t node,
    tg_fleet_command_t *c)
{
    tg_fleet_begin(c);
    tg_fleet_push(c, tg_str("HDEL"));
    tg_fleet_print(c, "%sstatus", fleet->prefix);
    tg_fleet_int(c, (int64_t) node);
}


/* The list of nodes has changed, too: everybody is told. */
static const tg_str_t  tg_fleet_retire_script = TG_STR(
"if redis.call('HEXISTS',KEYS[2],ARGV[1])==0 then return 0 end\n"
"redis.call('HSET',KEYS[2],ARGV[1],'-1')\n"
"redis.call('HINCRBY',KEYS[1],'nv',1)\n"
"return 1\n");

static const tg_str_t  tg_fleet_bucket_script = TG_STR(
"local k,f=KEYS[1],ARGV[1]\n"
"local b=redis.call('HMGET',k,'e','s','u','r',f)\n"
"if not b[5] then return 0 end\n"
"local p,q,g,c,u=string.match(b[5],'(%d+) (%d+) (%d+) (%d) (%d+)')\n"
"redis.call('HDEL',k,f)\n"
"if p~=b[1] then return 0 end\n"
"local function n(x) return string.format('%.0f',x) end\n"
"redis.call('HSET',k,'s',n(b[2]-g),'u',n(b[3]-u),'r',n((b[4] or 0)+u))\n"
"return 1\n");


void
tg_fleet_retire_command(const tg_fleet_t *fleet, uint64_t node,
    tg_fleet_command_t *c)
{
    tg_fleet_begin(c);
    tg_fleet_push(c, tg_str("EVAL"));
    tg_fleet_push(c, tg_fleet_retire_script);
    tg_fleet_push(c, tg_str("2"));
    tg_fleet_print(c, "%smeta", fleet->prefix);
    tg_fleet_print(c, "%snodes", fleet->prefix);
    tg_fleet_int(c, (int64_t) node);
}


void
tg_fleet_buckets_command(const tg_fleet_t *fleet, tg_str_t cursor,
    tg_fleet_command_t *c)
{
    tg_fleet_begin(c);
    tg_fleet_push(c, tg_str("SCAN"));
    tg_fleet_push(c, cursor);
    tg_fleet_push(c, tg_str("MATCH"));
    tg_fleet_print(c, "%sb:*", fleet->prefix);
    tg_fleet_push(c, tg_str("COUNT"));
    tg_fleet_push(c, tg_str("1000"));
}


void
tg_fleet_retire_bucket(const tg_fleet_t *fleet, uint64_t node, tg_str_t key,
    tg_fleet_command_t *c)
{
    (void) fleet;

    tg_fleet_begin(c);
    tg_fleet_push(c, tg_str("EVAL"));
    tg_fleet_push(c, tg_fleet_bucket_script);
    tg_fleet_push(c, tg_str("1"));
    tg_fleet_push(c, key);
    tg_fleet_int(c, (int64_t) node);
}
