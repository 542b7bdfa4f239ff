/*
 * anomaly_loop.h - calls that are alike, many in an hour, of one session or of
 * one caller that names none: an agent that goes round in circles.
 */

#ifndef ANOMALY_LOOP_H
#define ANOMALY_LOOP_H

#include "anomaly.h"

typedef struct loops_s  loops_t;

/* About 16 MB, whatever comes. NULL: no memory. */
loops_t *loops_new(void);
void loops_free(loops_t *l);

/*
 * Counts a call of the series `owner` (its hash), and returns how many calls
 * that are like it the session has had in this hour: of the same model, with
 * about as many input tokens as the one before, or in all.
 */
unsigned loops_add(loops_t *l, const series_t *owner, tg_str_t session,
    tg_str_t model, const series_call_t *call);

/* Adds what is found. False: no memory. */
bool loops_find(anomalies_t *all, series_set_t *set, loops_t *l,
    const anomaly_scope_t *scope);

#endif /* ANOMALY_LOOP_H */
