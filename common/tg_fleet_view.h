/*
 * tg_fleet_view.h - what the nodes of a fleet tell each other of what they have
 * spent, for llm_status: docs/metrics.md.
 *
 * Each node leaves a text at the store every few seconds and reads those of the
 * others.  No call waits for it, and no quota goes by it.
 *
 *   {tg:<fleet>}:status      node -> its text, a JSON object
 *
 * Money is nano-dollars, times are milliseconds since 1970.
 */

#ifndef TG_FLEET_VIEW_H
#define TG_FLEET_VIEW_H

#include "tg_fleet.h"
#include "tg_page.h"
#include "tg_spend.h"

#include <stdatomic.h>

#define TG_FLEET_VIEW_NAMES   64        /* of a dimension, in a node's text */
#define TG_FLEET_VIEW_SUMS    128       /* likewise in the view */
#define TG_FLEET_VIEW_TEXT    (128 * 1024)  /* bytes of a text, at most */
#define TG_FLEET_VIEW_EVERY   2000      /* between two texts of a node */
#define TG_FLEET_VIEW_AWAY    15000     /* nothing heard for so long: away */
#define TG_FLEET_VIEW_GONE    86400000  /* ... and for so long: forgotten */
#define TG_FLEET_VIEW_HASH    16        /* hex digits of a hash */

/* What a node says of itself. */
typedef struct {
    uint64_t        node;               /* its number in the fleet */
    char            label[TG_FLEET_NAME_MAX + 1];       /* node=; empty: none */
    char            config[TG_FLEET_VIEW_HASH + 1];     /* likewise */
    char            prices[TG_FLEET_VIEW_HASH + 1];
    char            keys[TG_FLEET_VIEW_HASH + 1];
    int64_t         at;                 /* when it said so, by its clock */
    int64_t         since;              /* `total` counts from then on */
    int64_t         in_flight;
    int64_t         total;
    tg_spend_sum_t  sum;                /* as far as it is of the asking node's
                                           day and month; hourly of those that
                                           are not away */
} tg_fleet_node_t;

/* All nodes together, the asking one as it was when it last spoke. */
typedef struct {
    int64_t          at;                /* 0: nothing is known yet */
    unsigned         nnodes;
    tg_fleet_node_t  nodes[TG_LEDGER_NODES_MAX];        /* by number */
    int64_t          in_flight;         /* of those that are not away */
    int64_t          total;
    tg_spend_sum_t   sum;
    unsigned         n[TG_SPEND_DIMENSIONS];
    tg_spend_top_t   top[TG_SPEND_DIMENSIONS][TG_FLEET_VIEW_SUMS];
    tg_spend_rest_t  rest[TG_SPEND_DIMENSIONS];
} tg_fleet_view_t;

/* In memory that the node's processes share; zeroed it is as new. */
typedef struct {
    _Atomic int64_t   due;              /* when somebody is to do it again */
    _Atomic uint32_t  turn;             /* which of the two is in use */
    tg_fleet_view_t   views[2];
} tg_fleet_board_t;

/* True: it is the caller's turn to speak and to hear. */
bool tg_fleet_board_due(tg_fleet_board_t *b, int64_t now);
void tg_fleet_board_put(tg_fleet_board_t *b, const tg_fleet_view_t *view);

/* NULL: nothing was heard for TG_FLEET_VIEW_AWAY. What is read may be replaced
 * meanwhile, the one after next. */
const tg_fleet_view_t *tg_fleet_board_view(const tg_fleet_board_t *b,
    int64_t now);

static inline bool
tg_fleet_node_away(const tg_fleet_node_t *node, int64_t now)
{
    return now - node->at > TG_FLEET_VIEW_AWAY;
}

/*
 * Writes a node's text; node->sum is left out of account, it is that of `spend`.
 * TG_OK, TG_ERROR: it would be too long, or out() failed.
 */
int tg_fleet_view_say(tg_page_t *pg, const tg_fleet_node_t *node,
    const tg_spend_t *spend, const tg_zone_t *zone, int64_t now);

/*
 * Adds a node's text to a view, which began as zeros.  TG_OK; TG_AGAIN: it is so
 * old that it may be removed; TG_ERROR: it is none, or there is no room.  Only
 * with TG_OK anything was added.
 */
int tg_fleet_view_hear(tg_fleet_view_t *view, uint64_t number, tg_str_t text,
    const tg_zone_t *zone, int64_t now);

/* After the last: sorts. */
void tg_fleet_view_done(tg_fleet_view_t *view, int64_t now);

#endif /* TG_FLEET_VIEW_H */
