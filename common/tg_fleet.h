/*
 * tg_fleet.h - a fleet's store: what is sent to Redis, and what its answers
 * mean.
 *
 * The ledger writes messages and takes answers (tg_ledger_fleet.h); here a
 * message becomes a command and a reply an answer.  Nothing here waits or
 * sends: the host carries commands, within tg_ledger_fleet_t.timeout_ms, and
 * says so where there is no reply.
 *
 * All keys have the fleet's hash tag, so that they lie in one slot of a Redis
 * Cluster and one script reaches them:
 *
 *   {tg:<fleet>}:meta            the epoch; what ends its quarantine
 *   {tg:<fleet>}:nodes           node -> epoch it has joined; -1: retired
 *   {tg:<fleet>}:seen            node -> when it was last heard of;
 *                                <node>:l -> what it calls itself
 *   {tg:<fleet>}:raises          bucket -> "amount until"
 *   {tg:<fleet>}:status          node -> what it says of itself
 *   {tg:<fleet>}:b:<bucket>:<window>     a bucket in a window that is aligned
 *   {tg:<fleet>}:b:<bucket>:i            in one that ends by idleness
 *
 * Buckets are named by hashes: nothing of a client's is in a key, and no value
 * but numbers is in a bucket.
 */

#ifndef TG_FLEET_H
#define TG_FLEET_H

#include "tg_ledger_fleet.h"

#define TG_FLEET_NAME_MAX    TG_STR_NAME_MAX
#define TG_FLEET_TEXT_MAX    256        /* of host, user, file names */
#define TG_FLEET_SENTINELS   8

#define TG_FLEET_QUARANTINE  15000      /* ms */
#define TG_FLEET_TIMEOUT     500
#define TG_FLEET_TICK        250
#define TG_FLEET_IDLE        500

typedef struct {
    char      host[TG_FLEET_TEXT_MAX];
    unsigned  port;
} tg_fleet_host_t;

/* The words of llm_ledger that are about the fleet. */
typedef struct {
    bool               on;              /* redis= or sentinel= was given */
    char               name[TG_FLEET_NAME_MAX + 1];
    tg_fleet_host_t    redis;           /* host "/..." is a Unix socket */
    unsigned           nsentinels;
    tg_fleet_host_t    sentinels[TG_FLEET_SENTINELS];
    char               master[TG_FLEET_NAME_MAX + 1];   /* sentinels' name */
    char               user[TG_FLEET_TEXT_MAX];         /* "": none */
    char               password_file[TG_FLEET_TEXT_MAX];
    bool               tls;
    char               ca_file[TG_FLEET_TEXT_MAX];      /* "": the system's */
    char               label[TG_FLEET_NAME_MAX + 1];    /* node=, for people */
    int64_t            quarantine_ms;
    tg_ledger_fleet_t  ledger;          /* for tg_ledger_fleet_options() */
} tg_fleet_options_t;

/* Defaults. */
void tg_fleet_options_init(tg_fleet_options_t *o);

/*
 * One word: redis=, fleet=, lease=, redis_down=, user=, password=, tls=,
 * sentinel=, node=, redis_timeout=, quarantine=.  TG_OK; TG_AGAIN: the word is
 * none of these; TG_ERROR and a sentence.
 */
int tg_fleet_option(tg_fleet_options_t *o, tg_str_t word, tg_error_t *err);

/* After the last: whether they go together. */
int tg_fleet_options_finish(tg_fleet_options_t *o, tg_error_t *err);


/*
 * Commands.  A tg_fleet_command_t owns its text, and its arguments point to
 * that: it must not be copied.
 */
#define TG_FLEET_ARGS_MAX  (16 + TG_LEDGER_ITEMS_MAX * 21 + TG_LEDGER_NODES_MAX)

typedef struct {
    unsigned  argc;
    tg_str_t  argv[TG_FLEET_ARGS_MAX];
    size_t    used;
    char      text[12 * 1024];
} tg_fleet_command_t;

/* A fleet's keys and script; made once. */
typedef struct {
    char      prefix[TG_FLEET_NAME_MAX + 8];    /* "{tg:name}:" */
    size_t    prefix_len;
    char      sha[41];
    int64_t   quarantine_ms;
    tg_str_t  label;
} tg_fleet_t;

extern const tg_str_t  tg_fleet_script;

/* `label` is referred to. TG_ERROR: no SHA-1 in libcrypto. */
int tg_fleet_init(tg_fleet_t *fleet, tg_str_t name, tg_str_t label,
    int64_t quarantine_ms, tg_error_t *err);

/* EVALSHA; with `whole` EVAL, for a store that does not know the script. */
void tg_fleet_command(const tg_fleet_t *fleet, const tg_ledger_message_t *msg,
    bool whole, tg_fleet_command_t *c);

/* A reply, as a client library has read it. */
typedef enum {
    TG_FLEET_NONE = 0,          /* no reply: not connected, too late */
    TG_FLEET_INTS,              /* an array, of integers only */
    TG_FLEET_FAILED             /* an error; also any other type */
} tg_fleet_reply_kind_t;

#define TG_FLEET_INTS_MAX \
    (8 + TG_LEDGER_ITEMS_MAX * 12 + TG_LEDGER_NODES_MAX)

typedef struct {
    tg_fleet_reply_kind_t  kind;
    unsigned               n;
    int64_t                ints[TG_FLEET_INTS_MAX];
    tg_str_t               error;
} tg_fleet_reply_t;

/* What is to be done about a reply. */
typedef enum {
    TG_FLEET_DONE = 0,          /* *answer is for tg_ledger_fleet_reply() */
    TG_FLEET_WHOLE,             /* send it again, `whole` */
    TG_FLEET_ELSEWHERE          /* this is not the store (MOVED, READONLY, ...):
                                   *answer is none, err says what to do, and
                                   the connection is of no use */
} tg_fleet_next_t;

/* *answer is always set.  err->message, where it is not empty, is for the log.
 * A reply that makes no sense is none. */
tg_fleet_next_t tg_fleet_answer(const tg_ledger_message_t *msg,
    const tg_fleet_reply_t *reply, tg_ledger_answer_t *answer,
    tg_error_t *err);


/* What has to be known of a store before it is used: the texts of INFO memory,
 * replication and cluster, and of CONFIG GET min-replicas-to-write (empty where
 * that is not allowed). */
typedef struct {
    tg_str_t  memory, replication, cluster;
    tg_str_t  min_replicas;     /* the value */
} tg_fleet_facts_t;

/* TG_ERROR: it can't be used, and why.  TG_OK with err->message not empty: a
 * warning. */
int tg_fleet_check(const tg_fleet_facts_t *facts, tg_error_t *err);

/* The value of a line "name:value" in a text of INFO; empty where there is
 * none. */
tg_str_t tg_fleet_info(tg_str_t text, const char *name);


/* For administrators' tools. */

/* HSET or HDEL of the bucket's raise, until a time (TG_WINDOW_NEVER: for good);
 * effective with each node's next message.  amount 0 ends it. */
void tg_fleet_raise_command(const tg_fleet_t *fleet,
    const unsigned char *bucket, int64_t amount, int64_t until,
    tg_fleet_command_t *c);

/* HGETALL of nodes, and of when they were heard of. */
void tg_fleet_nodes_command(const tg_fleet_t *fleet, tg_fleet_command_t *c);
void tg_fleet_seen_command(const tg_fleet_t *fleet, tg_fleet_command_t *c);

/*
 * What nodes say of themselves (tg_fleet_view.h): HSET of one's text, which is
 * referred to; HGETALL; HDEL.
 */
void tg_fleet_say_command(const tg_fleet_t *fleet, uint64_t node,
    tg_str_t text, tg_fleet_command_t *c);
void tg_fleet_hear_command(const tg_fleet_t *fleet, tg_fleet_command_t *c);
void tg_fleet_forget_command(const tg_fleet_t *fleet, uint64_t node,
    tg_fleet_command_t *c);

/*
 * To retire a node: first this, which makes the fleet refuse it; then SCAN over
 * the buckets (tg_fleet_buckets_command(), until its cursor is "0"), and for
 * each key tg_fleet_retire_bucket(): what the node used stays used, what it
 * held or had left is free again.
 */
void tg_fleet_retire_command(const tg_fleet_t *fleet, uint64_t node,
    tg_fleet_command_t *c);
void tg_fleet_buckets_command(const tg_fleet_t *fleet, tg_str_t cursor,
    tg_fleet_command_t *c);
void tg_fleet_retire_bucket(const tg_fleet_t *fleet, uint64_t node,
    tg_str_t key, tg_fleet_command_t *c);

#endif /* TG_FLEET_H */
