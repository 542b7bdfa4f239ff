/*
 * tg_ledger_fleet.h - a ledger whose budgets are shared with other hosts.
 *
 * Each host (a node of the fleet) has a ledger of its own, made for a fleet
 * (tg_ledger_format_fleet()).  Of every bucket it owns a slice: an amount that
 * the fleet's store has granted and that nobody else may spend.  Holds are
 * taken out of slices.  What a hold lacks is asked for in a message, which
 * this part writes and the host carries; the call waits meanwhile, its slot
 * ASKING.
 *
 * A message never says "more by so much".  It says, for each bucket and as of
 * one instant under the ledger's lock,
 *
 *   owned     what the node has: used + held + slice;
 *   pending   what it has asked for and has no answer to;
 *   want      what it asks for now
 *
 * and has a sequence number taken under the same lock.  So a message may be
 * lost, repeated, or overtaken by a later one, and so may its answer.  What the
 * store has on record for a node is never less than what the node owns, and the
 * sum of what is on record never passes the limit by a grant.
 *
 * If the store loses data it begins a new epoch.  Nodes then say what they own
 * (hello) and are granted nothing before all have, or a time has passed; what
 * an earlier epoch granted and has not arrived yet is void.
 *
 * The life of a call is that of tg_ledger.h, but for its first step:
 *
 *   tg_ledger_fleet_hold()    OK: the slices sufficed           slot: OPEN
 *                             ASK: the message is to be sent    slot: ASKING
 *   tg_ledger_fleet_reply()   the answer, or that there is none
 *                                                           slot: OPEN, FREE
 *
 * and all processes call tg_ledger_fleet_tick() each 100 ms or so, which gives
 * messages that no call waits for: facts, slices given back and filled up,
 * hello.  Their answers go to tg_ledger_fleet_reply() as well.
 *
 * A process that dies with a slot ASKING gives nothing up: its sweeper takes
 * what was asked for as refused, which is always safe.
 */

#ifndef TG_LEDGER_FLEET_H
#define TG_LEDGER_FLEET_H

#include "tg_ledger.h"

#define TG_LEDGER_NODES_MAX   128
#define TG_LEDGER_NODE_MAX    ((UINT64_C(1) << 48) - 1)

/* Limits above are taken for this: scripts of the store compute in doubles. */
#define TG_LEDGER_FLEET_MAX   INT64_C(9000000000000000)

/* More results of the functions below, and of a hold in a fleet. */
enum {
    TG_LEDGER_ASK     = 7,      /* a message is to be sent */
    TG_LEDGER_DOWN    = 8,      /* the store is away, and the configuration says
                                   to refuse what slices do not cover */
    TG_LEDGER_NONE    = 9,      /* nothing is to be sent now */
    TG_LEDGER_RETIRED = 10      /* the fleet has given this node up: it needs a
                                   new ledger */
};

/* tg_ledger_message_t.kind */
enum {
    TG_LEDGER_MSG_ASK    = 1,   /* a call waits for it */
    TG_LEDGER_MSG_REPORT = 2,
    TG_LEDGER_MSG_HELLO  = 3,   /* facts, to a new epoch */
    TG_LEDGER_MSG_JOIN   = 4    /* all facts have been said */
};

/* tg_ledger_message_item_t.ops */
enum {
    TG_LEDGER_OP_CLOSE   = 1,   /* latched here */
    TG_LEDGER_OP_OPEN    = 2,   /* an administrator opened it here */
    TG_LEDGER_OP_REFUSED = 4    /* a call was refused here without asking */
};

/* Of tg_ledger_answer_item_t.bits, above the thresholds'. */
#define TG_LEDGER_BIT_LATCHED  0x40

typedef struct {
    unsigned char  key[TG_LEDGER_KEY];
    tg_window_t    window;
    int64_t        idle_ms;
    int64_t        limit, cap;      /* as configured: the store adds raises */
    uint8_t        alert[TG_LEDGER_ALERTS_MAX];
    uint8_t        bits;            /* thresholds this node knows of */
    uint8_t        ops;
    bool           required;        /* refused, the whole message is */
    int64_t        used, owned, pending, want;
    int64_t        hold, need;      /* of the call, where required: what it
                                       holds, and of want what it can't do
                                       without */

    /* Of hello: the last view of the bucket that the node had. */
    uint64_t       view_epoch, view_version;
    int64_t        view_total, view_mine, retired;
} tg_ledger_message_item_t;

typedef struct {
    unsigned                  kind;
    tg_ledger_slot_t          slot;
    uint64_t                  node, epoch, seq;
    uint64_t                  nodes_version;
    bool                      member;   /* of JOIN: was so in an epoch before */
    unsigned                  n;
    tg_ledger_message_item_t  items[TG_LEDGER_ITEMS_MAX];
    unsigned                  nnodes;   /* of JOIN */
    uint64_t                  nodes[TG_LEDGER_NODES_MAX];
} tg_ledger_message_t;

/* tg_ledger_answer_t.status */
enum {
    TG_LEDGER_ANSWERED    = 0,
    TG_LEDGER_EPOCH       = 1,  /* the store's epoch is another one */
    TG_LEDGER_UNKNOWN     = 2,  /* the node has not said hello in it */
    TG_LEDGER_GIVEN_UP    = 3,  /* the node was retired */
    TG_LEDGER_NO_ANSWER   = 4   /* not sent, lost, too late or not understood */
};

typedef struct {
    bool      granted;
    int64_t   amount;           /* want, or at least need */
    int64_t   mine;             /* on record for this node */
    int64_t   total;            /* on record for all, those retired left out */
    uint64_t  version;
    int64_t   others;           /* of it used by others, and by those retired */
    int64_t   retired;
    int64_t   told;             /* used by this node, on record */
    uint8_t   bits;             /* thresholds reached by the fleet, latched */
    uint8_t   fired;            /* of those, what this node is to say */
    int64_t   raise, raise_until;
    int64_t   window;           /* start of an idle window */
} tg_ledger_answer_item_t;

typedef struct {
    unsigned                 status;
    uint64_t                 epoch;
    uint64_t                 nodes_version;
    bool                     open;      /* the epoch grants */
    int64_t                  opens_in;  /* ms */
    unsigned                 n;
    tg_ledger_answer_item_t  items[TG_LEDGER_ITEMS_MAX];
    bool                     has_nodes;
    unsigned                 nnodes;
    uint64_t                 nodes[TG_LEDGER_NODES_MAX];
} tg_ledger_answer_t;

typedef enum {
    TG_LEASE_AHEAD = 0,         /* slices for some seconds, by observed rate;
                                   near the cap as strict */
    TG_LEASE_STRICT             /* each call asks for what it holds */
} tg_lease_t;

typedef enum {
    TG_DOWN_REJECT = 0,
    TG_DOWN_ALLOW,              /* holds beyond slices and beyond the cap */
    TG_DOWN_LOCAL               /* holds until this node owns local_percent of
                                   the cap */
} tg_down_t;

/* How this process uses the ledger; the same in all processes of a node. */
struct tg_ledger_fleet_s {
    tg_lease_t  lease;
    tg_down_t   down;
    unsigned    local_percent;
    int64_t     timeout_ms;     /* after which a message has no answer */
    int64_t     tick_ms;        /* between reports */
    int64_t     idle_ms;        /* after which an unused slice is given back */
};

typedef struct {
    uint64_t  node;
    uint64_t  epoch;            /* 0: never joined */
    bool      joined;           /* nothing is granted before */
    bool      open;             /* as last heard */
    bool      retired;
    int64_t   down_since;       /* 0: the store answers */
    int64_t   heard;            /* when it last did */
    unsigned  nodes;
    uint64_t  asks;             /* calls that waited for an answer */
    uint64_t  reports, hellos, lost, granted, refused, voided;
    uint64_t  epochs;           /* that this node has seen begin */
    uint64_t  over;             /* entries whose record passed the limit: of a
                                   split fleet, or the limit was lowered */
    uint64_t  unbacked;         /* holds let through while the store was away */
    int64_t   pending;          /* what was asked for, of all entries */
    int64_t   slices;
    uint64_t  asking;           /* slots */
    uint64_t  untold;           /* entries with facts not on record yet */
} tg_ledger_fleet_stats_t;

/* A fleet's part of an entry. */
typedef struct {
    int64_t   slice, pending;
    int64_t   mine;             /* on record, as last heard */
    int64_t   others_used, others_owned;
    int64_t   told;
    bool      clean;            /* what is on record is what is */
} tg_ledger_share_t;


/*
 * As tg_ledger_format(), for a fleet; `node` is this ledger's name in it, 1 to
 * TG_LEDGER_NODE_MAX, random.  A ledger is of one kind for good.
 */
int tg_ledger_format_fleet(void *base, uint64_t size,
    const unsigned char seed[16], const unsigned char boot[16], int64_t now,
    uint64_t node, tg_error_t *err);
bool tg_ledger_is_fleet(const tg_ledger_t *led);

/* Once in a process, before the others. */
void tg_ledger_fleet_options(tg_ledger_t *led,
    const tg_ledger_fleet_t *options);

/*
 * As tg_ledger_hold(), which is not for a fleet's ledger.  OK; ASK, with
 * r->slot and *msg; REFUSED, PARK, DOWN, RETIRED, FULL, BUSY, BAD.  PARK is
 * also the answer while the node is saying hello, or nobody is granted
 * anything yet.
 */
int tg_ledger_fleet_hold(tg_ledger_t *led, int64_t now,
    const tg_ledger_item_t *items, unsigned n, const void *blob, size_t len,
    tg_ledger_result_t *r, tg_ledger_message_t *msg);

/*
 * The answer to `msg` (its slot and its items' number and order count), or that
 * it has none.  Of ASK: OK, and the slot is OPEN; REFUSED, PARK, DOWN, RETIRED,
 * and it is FREE; r->states are those of the call's items.  Of others: OK or
 * NONE; r->states are those of the message's items, and their `crossed` are
 * alerts to be sent.  STALE: nobody waits for it any more.  BUSY: try again.
 */
int tg_ledger_fleet_reply(tg_ledger_t *led, int64_t now,
    const tg_ledger_message_t *msg, const tg_ledger_answer_t *answer,
    tg_ledger_result_t *r);

/* The call does not wait any longer (its client has left). OK, STALE, BUSY. */
int tg_ledger_fleet_cancel(tg_ledger_t *led, int64_t now,
    tg_ledger_slot_t slot);

/*
 * What there is to be sent without a call: ASK and *msg, or NONE, BUSY,
 * RETIRED.  Again until NONE, but no more than a few messages at a time.  Which
 * process of a node sends what is settled here.
 */
int tg_ledger_fleet_tick(tg_ledger_t *led, int64_t now,
    tg_ledger_message_t *msg);

/* Gives back all slices at the next ticks, and takes none: for a node that is
 * about to leave. OK, BUSY. */
int tg_ledger_fleet_drain(tg_ledger_t *led);

void tg_ledger_fleet_stats(const tg_ledger_t *led,
    tg_ledger_fleet_stats_t *s);

/* As tg_ledger_read(), without its check for tears. */
int tg_ledger_fleet_read(const tg_ledger_t *led, const unsigned char *key,
    tg_ledger_share_t *share);

#endif /* TG_LEDGER_FLEET_H */
