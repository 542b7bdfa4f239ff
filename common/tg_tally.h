/*
 * tg_tally.h - all that a server counts of its calls, in one piece of memory that
 * its processes share: what llm_status shows and llm_me looks into.
 *
 * All of it is atomics, as in tg_metrics.h.  Zeroed it is as new, but for the first
 * members, which who makes it fills in (tg_tally_init()).
 */

#ifndef TG_TALLY_H
#define TG_TALLY_H

#include "tg_fleet_view.h"
#include "tg_metrics.h"
#include "tg_route_count.h"
#include "tg_spend.h"
#include "tg_subjects.h"

/* Another number where what is below means something else. */
#define TG_TALLY_VERSION    2

#define TG_TALLY_PROCESSES  1024

/* A process of the server.  One that has died is as none: what it had in flight
 * is not. */
typedef struct {
    _Atomic int64_t   number;       /* that it is known by; 0: unused; below 0:
                                       -number is about to take it */
    _Atomic uint64_t  start;        /* of it, so that another one of that number
                                       is told from it */
    _Atomic int64_t   calls;        /* in flight */
    uint64_t          pad[5];       /* nobody else's cache line */
} tg_tally_process_t;

#define TG_TALLY_SECRET     16      /* bytes */

typedef struct {
    /* In every version there are these, in these places. */

    uint64_t          magic;
    uint64_t          layout;       /* version and size: memory of another one is
                                       begun anew */
    int64_t           since;        /* milliseconds since 1970: begun */
    unsigned char     secret[TG_TALLY_SECRET];      /* key of prefix hashes,
                                       where nobody said another */

    _Atomic uint64_t  seq;          /* of cost lines: the last one's */
    _Atomic uint64_t  lost;         /* lines that could not be written */
    _Atomic uint64_t  torn;         /* logs that end in mid-line: a bit each */
    tg_metrics_t      metrics;
    tg_spend_t        spend;
    tg_subjects_t     subjects;
    tg_route_counts_t routes;
    tg_fleet_board_t  fleet;
    tg_tally_process_t  processes[TG_TALLY_PROCESSES];
} tg_tally_t;

/* memory: zeroed.  secret: random bytes. */
void tg_tally_init(tg_tally_t *tally, int64_t now,
    const unsigned char secret[TG_TALLY_SECRET]);

/* What another memory of this kind begins with.  TG_OK: it is one of this layout,
 * and can be gone on with.  TG_AGAIN: of another.  TG_ERROR: it is none. */
int tg_tally_check(uint64_t magic, uint64_t layout);

/* Whether a process is alive; start 0: one of that number. */
typedef bool (*tg_tally_alive_t)(void *data, int64_t number, uint64_t start);

/* The caller's own place, zeroed; NULL where all are taken by the living: then
 * its calls in flight are not told. */
tg_tally_process_t *tg_tally_join(tg_tally_t *tally, int64_t number,
    uint64_t start, tg_tally_alive_t alive, void *data);

/* Calls in flight in all of those alive. */
int64_t tg_tally_in_flight(tg_tally_t *tally, tg_tally_alive_t alive,
    void *data);

#endif /* TG_TALLY_H */
