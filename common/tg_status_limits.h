/*
 * tg_status_limits.h - the limits of quotas that llm_status tells of, the most
 * urgent first; for tg_status_*.c only.
 */

#ifndef TG_STATUS_LIMITS_H
#define TG_STATUS_LIMITS_H

#include "tg_status_page.h"

#define TG_STATUS_LIMITS  20            /* of each kind */

typedef enum {
    TG_LIMITS_BUDGETS = 0,      /* in dollars: used up, or soonest so, first */
    TG_LIMITS_NEAR,             /* other measures: from 80 % on, or on the way
                                   to all of it; the fullest first */
    TG_LIMITS_REFUSED           /* who was refused, or would have been in a dry
                                   run, the last one first */
} tg_status_limits_t;

typedef struct {
    tg_subject_view_t      who;
    tg_ledger_state_t      state;       /* where counted */
    tg_subject_forecast_t  forecast;    /* the same */
    bool                   counted;     /* the ledger has it */
    int64_t                used;        /* of concurrent= what is held */
} tg_status_limit_t;

/* Up to TG_STATUS_LIMITS of them; *more is of how many there was no room to
 * tell. Returns how many. */
unsigned tg_status_limits(const tg_status_facts_t *facts,
    tg_status_limits_t kind, tg_status_limit_t *list, unsigned *more);

/* A call of any size would be refused now. */
bool tg_status_limit_full(const tg_status_limit_t *limit);

#endif /* TG_STATUS_LIMITS_H */
