/*
 * tg_spend.h - what calls have cost today, this month and just now, by team,
 * key, model and provider, for llm_status.
 *
 * The tables lie in memory that all processes of the server share.  All of it
 * is atomics: no locks, no allocation, nothing to clean up after who dies.
 * Zeroed they are as new.
 *
 * A call counts in the day and the month in which it was admitted, by the
 * ledger's time zone, whenever it ends and whoever counts it.  Each month has
 * rows of its own, which the month after next takes over one by one: so no
 * window is ever cleared while somebody counts in it.  What was admitted before
 * last month is in no row, but in a sum of its own. Who makes up names can't
 * grow it: what finds no row counts in "other" of that month.  Sums over all
 * rows and "other" are exact.
 *
 * Money is nano-dollars, times are milliseconds since 1970.
 */

#ifndef TG_SPEND_H
#define TG_SPEND_H

#include "tg_burn.h"
#include "tg_str.h"
#include "tg_window.h"

typedef enum {
    TG_SPEND_TEAM = 0,
    TG_SPEND_KEY,
    TG_SPEND_MODEL,
    TG_SPEND_PROVIDER,
    TG_SPEND_DIMENSIONS
} tg_spend_dimension_t;

/* "team", ... */
extern const char *const  tg_spend_names[TG_SPEND_DIMENSIONS];

#define TG_SPEND_NAME_MAX   96          /* bytes; longer is cut */
#define TG_SPEND_TEAMS      2048        /* rows: of two months together */
#define TG_SPEND_KEYS       4096
#define TG_SPEND_MODELS     1024
#define TG_SPEND_PROVIDERS  128
#define TG_SPEND_SUMS       64          /* "other" of each */
#define TG_SPEND_ROWS                                                        \
    (TG_SPEND_TEAMS + TG_SPEND_KEYS + TG_SPEND_MODELS + TG_SPEND_PROVIDERS   \
     + TG_SPEND_SUMS)

/* "Now": so long, in cells of so much. */
#define TG_SPEND_RECENT     INT64_C(300000)
#define TG_SPEND_UNIT       (TG_SPEND_RECENT / (TG_BURN_CELLS - 1))

#define TG_SPEND_DAYS       31

typedef struct {
    _Atomic int64_t   cost;
    _Atomic uint64_t  calls;
} tg_spend_day_t;

typedef struct {
    _Atomic uint64_t  name[TG_SPEND_NAME_MAX / 8];      /* then zeros */
    _Atomic uint64_t  len;
    tg_burn_t         recent;
    tg_spend_day_t    day[TG_SPEND_DAYS];   /* of the row's month */
} tg_spend_row_t;

typedef struct {
    _Atomic int64_t   late;             /* cost of calls from before last month,
                                           or that found no row at all */
    _Atomic uint64_t  tag[TG_SPEND_ROWS];       /* whose the row is */
    tg_spend_row_t    row[TG_SPEND_ROWS];
} tg_spend_t;

/* The calendar day that was last asked for; a thread's own, zeroed: none. */
typedef struct {
    tg_window_t  window;
    uint32_t     month;                 /* 12 * year + month - 1 */
    unsigned     day;                   /* from 0 */
} tg_spend_date_t;

void tg_spend_date(tg_spend_date_t *date, const tg_zone_t *zone, int64_t t);

/* A call, or an attempt of it that failed and was billed. */
typedef struct {
    tg_str_t  name[TG_SPEND_DIMENSIONS];    /* any bytes; empty: it has none */
    int64_t   cost;
    bool      attempt;                  /* counts no call */
    int64_t   admitted;
    int64_t   now;                      /* "now" goes by this */
} tg_spent_t;

/* date: may be NULL. */
void tg_spend_count(tg_spend_t *s, tg_spend_date_t *date,
    const tg_zone_t *zone, const tg_spent_t *spent);

typedef struct {
    int64_t   hourly;                   /* what an hour costs at the pace of the
                                           last TG_SPEND_RECENT */
    int64_t   today, month;             /* so far */
    uint64_t  calls_today, calls_month;
} tg_spend_sum_t;

typedef struct {
    tg_spend_sum_t  sum;
    size_t          len;                /* 0: calls that have none */
    char            name[TG_SPEND_NAME_MAX];
} tg_spend_top_t;

typedef struct {
    unsigned        n;                  /* names that have no place above */
    bool            overflow;           /* and those that found no row */
    tg_spend_sum_t  sum;
} tg_spend_rest_t;

/* The `max` names that have cost most this month, the dearest first, equal ones
 * by name; and the sum of all others.  Returns how many. */
unsigned tg_spend_top(const tg_spend_t *s, tg_spend_dimension_t dimension,
    const tg_zone_t *zone, int64_t now, tg_spend_top_t *top, unsigned max,
    tg_spend_rest_t *rest);

/* One name's; all 0 where it has no row (its calls may count in "other"). */
void tg_spend_of(const tg_spend_t *s, tg_spend_dimension_t dimension,
    tg_str_t name, const tg_zone_t *zone, int64_t now, tg_spend_sum_t *sum);

/* Of all calls. */
typedef struct {
    tg_spend_sum_t  sum;
    int64_t         yesterday;
    int64_t         last_month;
    unsigned        day;                /* today, from 0; of days[] */
    unsigned        ndays;              /* that this month has */
    int64_t         days[TG_SPEND_DAYS];
    int64_t         late;               /* in all, of no window */
} tg_spend_all_t;

void tg_spend_all(const tg_spend_t *s, const tg_zone_t *zone, int64_t now,
    tg_spend_all_t *all);

#endif /* TG_SPEND_H */
