#define _GNU_SOURCE

#include "llmctl.h"
#include "llmctl_audit.h"
#include "llmctl_fleet.h"
#include "llmctl_key.h"
#include "llmctl_options.h"
#include "llmctl_time.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

/* One that has been heard of more recently lives. */
#define ALIVE_MS  5000

typedef struct {
    const char  *ledger;
    const char  *reason;
    const char  *node;
    bool         json;
} node_args_t;

typedef struct {
    server_t     server;
    fleet_t      fleet;
    redisReply  *nodes, *seen;          /* names and values in turn */
    int64_t      now;                   /* by the store's clock */
} nodes_t;

typedef struct {
    const char  *id;
    const char  *label;                 /* "": none */
    int64_t      epoch;                 /* -1: retired; 0: not joined yet */
    int64_t      heard;                 /* ms; 0: never */
    bool         here;
} node_t;


static int
node_usage(FILE *to)
{
    fprintf(to, "usage:\n"
            "  llmctl node list [--json] [--ledger=FILE]\n"
            "      the fleet's nodes: number, name, epoch, when it was last"
            " heard of\n"
            "  llmctl node retire NODE --reason=TEXT [--ledger=FILE]\n"
            "      gives up one that is dead, said by its number: what it has"
            " used stays\n      used, what it held or had left is free again."
            " It needs a new ledger file\n      to come back.\n"
            "The ledger is " LEDGER_DEFAULT " by default.\n");

    return to == stderr ? 2 : 0;
}


/* A hash as HGETALL and a client without RESP3 have it. */
static redisReply *
ask_pairs(fleet_t *f)
{
    redisReply  *reply = fleet_ask(f);

    if (reply == NULL) {
        return NULL;
    }

    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY
                       && i < reply->elements; i++)
    {
        if (reply->element[i]->type != REDIS_REPLY_STRING) {
            reply->type = REDIS_REPLY_NIL;
        }
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0) {
        return reply;
    }

    (void) fail("the fleet's store", "its answer is of another type");
    freeReplyObject(reply);

    return NULL;
}


static bool
ask_time(nodes_t *n)
{
    redisReply  *reply;

    n->fleet.command.argc = 1;
    n->fleet.command.argv[0] = tg_str("TIME");

    reply = ask_pairs(&n->fleet);
    if (reply == NULL) {
        return false;
    }

    if (reply->elements == 2) {
        n->now = strtoll(reply->element[0]->str, NULL, 10) * 1000
                 + strtoll(reply->element[1]->str, NULL, 10) / 1000;
    }

    freeReplyObject(reply);

    return n->now > 0 || failed("the fleet's store", "has no time");
}


static bool
nodes_open(nodes_t *n, const char *ledger)
{
    memset(n, 0, sizeof(*n));

    if (!server_open(&n->server, ledger, SERVER_VIEW)
        || !fleet_open(&n->fleet, &n->server) || !ask_time(n))
    {
        return false;
    }

    tg_fleet_nodes_command(&n->fleet.fleet, &n->fleet.command);
    n->nodes = ask_pairs(&n->fleet);

    if (n->nodes == NULL) {
        return false;
    }

    tg_fleet_seen_command(&n->fleet.fleet, &n->fleet.command);
    n->seen = ask_pairs(&n->fleet);

    return n->seen != NULL;
}


static void
nodes_close(nodes_t *n)
{
    if (n->nodes != NULL) {
        freeReplyObject(n->nodes);
    }

    if (n->seen != NULL) {
        freeReplyObject(n->seen);
    }

    fleet_close(&n->fleet);
    server_close(&n->server);
}


/* Of the node, with ":l" behind its number or nothing; "": not there. */
static const char *
seen_of(const nodes_t *n, const char *id, const char *what)
{
    size_t       len = strlen(id);
    const char  *name;

    for (size_t i = 0; i < n->seen->elements; i += 2) {
        name = n->seen->element[i]->str;

        if (strncmp(name, id, len) == 0 && strcmp(name + len, what) == 0) {
            return n->seen->element[i + 1]->str;
        }
    }

    return "";
}


/* The i-th, from 0; false behind the last. */
static bool
node_at(const nodes_t *n, size_t i, node_t *node)
{
    tg_ledger_fleet_stats_t  st;

    if (2 * i >= n->nodes->elements) {
        return false;
    }

    tg_ledger_fleet_stats(&n->server.desk.ledger.ledger, &st);

    node->id = n->nodes->element[2 * i]->str;
    node->epoch = strtoll(n->nodes->element[2 * i + 1]->str, NULL, 10);
    node->label = seen_of(n, node->id, ":l");
    node->heard = strtoll(seen_of(n, node->id, ""), NULL, 10);
    node->here = strtoull(node->id, NULL, 10) == st.node;

    return true;
}


static const char *
node_state(const node_t *node)
{
    return node->epoch < 0 ? "retired" : node->epoch == 0 ? "not joined"
                                                          : "joined";
}


/* Records that this host has seen pass their limit. */
static uint64_t
over_limit(const nodes_t *n)
{
    tg_ledger_fleet_stats_t  st;

    tg_ledger_fleet_stats(&n->server.desk.ledger.ledger, &st);

    return st.over;
}


static void
list_json(const nodes_t *n)
{
    node_t   node;
    json_t  *all = json_array(), *o;

    for (size_t i = 0; node_at(n, i, &node); i++) {
        o = json_object();
        (void) json_object_set_new(o, "node", json_string(node.id));
        (void) json_object_set_new(o, "name", *node.label == '\0' ? json_null()
                                              : json_string(node.label));
        (void) json_object_set_new(o, "state", json_string(node_state(&node)));
        (void) json_object_set_new(o, "epoch", node.epoch <= 0 ? json_null()
                                               : json_integer(node.epoch));
        (void) json_object_set_new(o, "heard", node.heard == 0 ? json_null()
                                               : when_json(node.heard));
        (void) json_object_set_new(o, "here", json_boolean(node.here));
        (void) json_array_append_new(all, o);
    }

    o = json_pack("{s:s, s:I, s:o}", "fleet",
                  n->server.conf->ledger.fleet->name, "over_limit",
                  (json_int_t) over_limit(n), "nodes", all);
    (void) json_dumpf(o, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(o);
}


static void
list_text(const nodes_t *n)
{
    char    when[WHEN_SIZE];
    node_t  node;

    printf("%-16s  %-20s  %-10s  %14s  %s\n", "NODE", "NAME", "STATE",
           "EPOCH", "LAST HEARD OF");

    for (size_t i = 0; node_at(n, i, &node); i++) {
        printf("%-16s  %-20s  %-10s  %14lld  %s%s\n", node.id, node.label,
               node_state(&node), (long long) (node.epoch < 0 ? 0
                                               : node.epoch),
               node.heard == 0 ? "never"
               : when_text(when, n->server.desk.zone, node.heard),
               node.here ? ", this host" : "");
    }

    if (over_limit(n) != 0) {
        printf("\nThis host has seen %llu records pass their limit.\n",
               (unsigned long long) over_limit(n));
    }
}


static int
node_list(const node_args_t *a)
{
    bool     done;
    nodes_t  n;

    if (a->node != NULL || a->reason != NULL) {
        return node_usage(stderr);
    }

    done = nodes_open(&n, a->ledger);

    if (done && a->json) {
        list_json(&n);

    } else if (done) {
        list_text(&n);
    }

    nodes_close(&n);

    return done ? 0 : 1;
}


/* By its number only, so that nobody hits the wrong one of two names. */
static bool
find_node(const nodes_t *n, const char *id, node_t *node)
{
    for (size_t i = 0; node_at(n, i, node); i++) {
        if (strcmp(node->id, id) == 0) {
            return true;
        }
    }

    for (size_t i = 0; node_at(n, i, node); i++) {
        if (strcmp(node->label, id) == 0) {
            fprintf(stderr, "llmctl: %s: say it by its number, %s\n", id,
                    node->id);
            return false;
        }
    }

    return failed(id, "is no node of this fleet: llmctl node list");
}


static bool
audit_retire(const nodes_t *n, const node_args_t *a, const node_t *node,
    const char *outcome)
{
    return audit(&n->server, now_ms(),
                 json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
                           "event.action", "node.retire",
                           "event.outcome", outcome,
                           "llm.fleet", n->server.conf->ledger.fleet->name,
                           "llm.node", node->id, "llm.node.name", node->label,
                           "event.reason", a->reason,
                           "llm.ledger", n->server.path));
}


/* Frees what the node had of each bucket that this reply of SCAN names. */
static bool
retire_buckets(nodes_t *n, uint64_t id, const redisReply *keys,
    unsigned long long *buckets)
{
    redisReply  *reply;

    for (size_t i = 0; i < keys->elements; i++) {
        if (keys->element[i]->type != REDIS_REPLY_STRING) {
            continue;
        }

        tg_fleet_retire_bucket(&n->fleet.fleet, id,
                               tg_str_of(keys->element[i]->str,
                                         (size_t) keys->element[i]->len),
                               &n->fleet.command);

        reply = fleet_ask(&n->fleet);
        if (reply == NULL) {
            return false;
        }

        *buckets += reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
        freeReplyObject(reply);
    }

    return true;
}


static bool
retire(nodes_t *n, uint64_t id, unsigned long long *buckets)
{
    bool         done;
    char         cursor[32] = "0";
    redisReply  *reply;

    tg_fleet_retire_command(&n->fleet.fleet, id, &n->fleet.command);

    reply = fleet_ask(&n->fleet);
    if (reply == NULL) {
        return false;
    }

    freeReplyObject(reply);

    do {
        tg_fleet_buckets_command(&n->fleet.fleet, tg_strz(cursor),
                                 &n->fleet.command);

        reply = fleet_ask(&n->fleet);
        if (reply == NULL) {
            return false;
        }

        done = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
               && reply->element[0]->type == REDIS_REPLY_STRING
               && reply->element[1]->type == REDIS_REPLY_ARRAY;

        if (done) {
            (void) snprintf(cursor, sizeof(cursor), "%s",
                            reply->element[0]->str);
            done = retire_buckets(n, id, reply->element[1], buckets);

        } else {
            (void) fail("the fleet's store", "its answer to SCAN is none");
        }

        freeReplyObject(reply);

    } while (done && strcmp(cursor, "0") != 0);

    return done;
}


static bool
may_retire(const nodes_t *n, const node_t *node)
{
    char  why[128];

    if (node->epoch < 0 || n->now - node->heard >= ALIVE_MS) {
        return true;
    }

    (void) snprintf(why, sizeof(why), "was heard of %lld ms ago: stop it first,"
                    " and wait %d seconds", (long long) (n->now - node->heard),
                    ALIVE_MS / 1000);

    return failed(node->id, why);
}


/* One that is retired already is done again: the last time may have been cut
 * short. */
static int
node_retire(const node_args_t *a)
{
    bool                done;
    node_t              node;
    nodes_t             n;
    unsigned long long  buckets = 0;

    if (a->node == NULL || a->json) {
        return node_usage(stderr);
    }

    if (a->reason == NULL || *a->reason == '\0') {
        return fail("--reason", "is missing: the audit keeps it");
    }

    done = nodes_open(&n, a->ledger) && find_node(&n, a->node, &node)
           && may_retire(&n, &node)
           && audit_retire(&n, a, &node, "unknown");

    if (done && !retire(&n, strtoull(node.id, NULL, 10), &buckets)) {
        (void) audit_retire(&n, a, &node, "failure");
        (void) fail(node.id, "is retired in part: do it again");
        done = false;
    }

    if (done) {
        printf("%s%s%s is retired; it had a part in %llu buckets: what it used"
               " of them stays used, the rest is free\n", node.id,
               *node.label == '\0' ? "" : ", ", node.label, buckets);
    }

    nodes_close(&n);

    return done ? 0 : 1;
}


static bool
node_options(int argc, char **argv, node_args_t *a)
{
    int             at;
    const option_t  options[] = {
        { "ledger", &a->ledger, NULL }, { "reason", &a->reason, NULL },
        { "json", NULL, &a->json }, { NULL, NULL, NULL }
    };

    at = options_read(argc, argv, options);

    if (at == -1) {
        return false;
    }

    a->node = at < argc ? argv[at++] : NULL;

    return at == argc;
}


int
node_command(int argc, char **argv)
{
    bool         lists = argc >= 1 && strcmp(argv[0], "list") == 0;
    node_args_t  a;

    memset(&a, 0, sizeof(a));

    if (argc >= 1 && strcmp(argv[0], "help") == 0) {
        return node_usage(stdout);
    }

    if ((!lists && (argc < 1 || strcmp(argv[0], "retire") != 0))
        || !node_options(argc, argv, &a))
    {
        return node_usage(stderr);
    }

    return options_done("node", lists ? node_list(&a) : node_retire(&a));
}
