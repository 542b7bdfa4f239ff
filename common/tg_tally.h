/*
 * tg_tally.h - all that a server counts of its calls, in one piece of memory that
 * its processes share: what llm_status shows and llm_me looks into.
 *
 * All of it is atomics, as in tg_metrics.h.  Zeroed it is as new, but for the first
 * members, which who makes it fills in (tg_tally_init()).
 */

#ifndef TG_TALLY_H
#define TG_TALLY_H

#include "tg_metrics.h"
#include "tg_spend.h"
#include "tg_subjects.h"

/* Another number where what is below means something else. */
#define TG_TALLY_VERSION  1

typedef struct {
    uint64_t          magic;
    uint64_t          layout;       /* version and size: memory of another one is
                                       begun anew */
    int64_t           since;        /* milliseconds since 1970: begun */
    tg_metrics_t      metrics;
    tg_spend_t        spend;
    tg_subjects_t     subjects;
} tg_tally_t;

/* memory: zeroed. */
void tg_tally_init(tg_tally_t *tally, int64_t now);

/* True: it can be gone on with. */
bool tg_tally_sound(const tg_tally_t *tally);

#endif /* TG_TALLY_H */
