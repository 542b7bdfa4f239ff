/*
 * tg_route_count.h - what routes have done, in memory that all processes of the
 * server share: atomics, as in tg_metrics.h.  Zeroed it is as new.
 */

#ifndef TG_ROUTE_COUNT_H
#define TG_ROUTE_COUNT_H

#include "tg_str.h"

#include <stdatomic.h>

/* A name that the configuration has no more keeps its place: many times as many
 * as there can be at a time (TG_ROUTES_MAX). */
#define TG_COUNTED_ROUTES     256

typedef struct {
    _Atomic uint64_t  key;          /* 0: unused */
    _Atomic uint64_t  taken;        /* calls */
    _Atomic uint64_t  dry;          /* that a dry run would have taken */
    _Atomic uint64_t  fallbacks;    /* attempts that went on to another target */
    _Atomic int64_t   saved;        /* nano-dollars: by the price list, what the
                                       calls it took would have cost where they
                                       were meant to go, less what they did */
    _Atomic int64_t   dry_saved;    /* the same of its dry run */
} tg_route_count_t;

typedef struct {
    tg_route_count_t  routes[TG_COUNTED_ROUTES];
} tg_route_counts_t;

/* The counts of a route, by its name; NULL where there is no room, or no counts
 * at all. */
tg_route_count_t *tg_route_count(tg_route_counts_t *counts, tg_str_t route);

#endif /* TG_ROUTE_COUNT_H */
