/*
 * tg_gate.h - what the admission of a call looks into: who is known, what is
 * counted, and what things cost.
 *
 * The server fills one in for each step of a call, from what is in use at that
 * moment; all may be NULL but scratch.
 */

#ifndef TG_GATE_H
#define TG_GATE_H

#include "tg_breaker.h"
#include "tg_ledger_fleet.h"
#include "tg_calibrate.h"
#include "tg_tally.h"
#include "tg_price.h"
#include "tg_roster.h"

/* What a step works with; the next one may be another call's.  Zeroed, then
 * with its expr. */
typedef struct {
    tg_window_t         windows[TG_WINDOW_IDLE];
    tg_quota_cache_t    cache;
    tg_spend_date_t     date;           /* of calls that are counted */
    tg_expr_scratch_t  *expr;           /* NULL: expressions have no regex */
} tg_gate_scratch_t;

/* A settling, or the end of a question to a fleet, that found the ledger's lock
 * taken, to be tried again. */
typedef struct tg_backlog_item_s  tg_backlog_item_t;

/* A process's own: zeroed it is empty. */
typedef struct {
    tg_backlog_item_t  *items;
} tg_backlog_t;

/* What an admission found that was not to hold anything. */
typedef struct {
    bool                    asked;      /* it came to the quotas */
    tg_bound_t              bound;      /* the most that the call can use */
    tg_quota_items_t        items;      /* n is 0 where none applies */
    tg_ledger_result_t      found;
    int                     verdict;    /* tg_ledger_look()'s */
    tg_str_t                subject[TG_LEDGER_ITEMS_MAX];   /* as messages say
                                           it; the call's */
} tg_gate_look_t;

/* What is known of an address. */
typedef struct {
    char                    country[2]; /* ISO 3166-1; zero: not known */
    int64_t                 asn;        /* 0: not known */
} tg_geo_t;

typedef void (*tg_geo_pt)(void *data, tg_str_t address, tg_geo_t *geo);

typedef struct {
    tg_roster_t            *roster;     /* of llm_keys */
    const tg_price_book_t  *book;
    tg_ledger_t            *ledger;     /* of llm_ledger, ready for use */
    tg_ledger_message_t    *message;    /* of a fleet's: where one is written */
    tg_backlog_t           *backlog;
    tg_calibrate_t         *calibrate;  /* NULL: nothing is learned */
    const tg_zone_t        *zone;       /* the ledger's; NULL: UTC */
    tg_geo_pt               geo;        /* of llm_geoip */
    void                   *geo_data;
    int64_t               (*clock)(void);   /* nanoseconds, of any origin: for
                                           what has to end in time */
    int64_t               (*worked)(void);  /* the same of what this thread has
                                           worked; NULL: not known */
    tg_gate_scratch_t      *scratch;
    tg_breakers_t          *breakers;   /* shared by all processes; NULL: what
                                           has failed is not remembered */
    tg_tally_t             *tally;      /* shared by all processes; NULL: calls
                                           are not counted */
    tg_tally_process_t     *process;    /* this one's place in it; or NULL */
    tg_gate_look_t         *look;       /* NULL; else the ledger is only looked
                                           at, and this filled in: nothing is
                                           held, and no call waits */
} tg_gate_t;

/*
 * Tries again what is in the backlog; for a timer.  Any thread may do it while
 * others add to it.  Returns how much is left.
 */
size_t tg_backlog_settle(tg_backlog_t *backlog, tg_ledger_t *ledger,
    int64_t now);

/* TG_ERROR where memory is exhausted. n 0: it is settled, and its line is
 * written, but the slot is not free yet. */
int tg_backlog_add(tg_backlog_t *backlog, tg_ledger_slot_t slot,
    const int64_t *actual, unsigned n, const void *blob, size_t len);

/* As tg_ledger_fleet_cancel(): where it can't be done now, later.  Where memory
 * is exhausted the slot stays until the process ends. */
void tg_backlog_cancel(tg_backlog_t *backlog, tg_ledger_t *ledger, int64_t now,
    tg_ledger_slot_t slot);

#endif /* TG_GATE_H */
