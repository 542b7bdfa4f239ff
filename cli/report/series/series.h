/*
 * series.h - cost lines as series in memory: what each team, key, model, ...
 * spent and asked for, hour by hour of a zone's clocks.
 *
 * Memory has a bound: where it is reached the series that spent least are given
 * up.  One that comes again begins anew, and is known not to be new.
 */

#ifndef SERIES_H
#define SERIES_H

#include "tg_str.h"

#include <stdbool.h>
#include <stdint.h>

#define SERIES_MEMORY     (96 * 1024 * 1024)
#define SERIES_NAME_MAX   160
#define SERIES_OF_CALL    16            /* that one call belongs to */
#define SERIES_LINKS      (1 << 16)     /* pairs that had calls in common */

typedef struct {
    int64_t   cost;                     /* nano-dollars */
    int64_t   input, output;            /* tokens */
    uint32_t  calls;
    uint32_t  alike;                    /* most calls alike of one session */
    float     log1, log2;               /* sums of ln(1 + input), squared */
} series_cell_t;

typedef struct {
    char            *kind;              /* "team" */
    char            *name;              /* "search" */
    uint64_t         hash;              /* the same in each process */
    uint64_t         place;             /* private: in the index */
    bool             back;              /* had been given up before */
    int64_t          cost;
    int64_t          first, last;       /* hours of its calls */
    int64_t          day;               /* of days[0] */
    size_t           ndays;
    series_cell_t  **days;              /* 24 cells each; NULL: no calls */
} series_t;

typedef struct series_set_s  series_set_t;

/* bytes: SERIES_MEMORY, or less for tests. NULL: no memory. */
series_set_t *series_new(size_t bytes);
void series_free(series_set_t *set);

/* Hours since 1970 as a zone's clocks show them, which is what `hour` is below,
 * and back to milliseconds since 1970. */
struct tg_zone_s;
int64_t series_hour(const struct tg_zone_s *zone, int64_t ms);
int64_t series_time(const struct tg_zone_s *zone, int64_t hour);

#define SERIES_NONE  UINT32_MAX

/* The series of that kind and name (up to SERIES_NAME_MAX bytes, or a NUL, of
 * it), made where there is none; an index that is
 * good until series_settle().  SERIES_NONE: no memory. */
uint32_t series_of(series_set_t *set, const char *kind, tg_str_t name);

/* The cell of an hour, made where there is none.  NULL: no memory, or a time
 * that is more than ten years from the series' others. */
series_cell_t *series_cell(series_set_t *set, uint32_t i, int64_t hour);

/* Counts a call; series with calls in common are kin.  False: no memory. */
typedef struct {
    int64_t  hour;
    int64_t  cost, input, output;
    bool     counts;                    /* false: an attempt; cost alone */
} series_call_t;

bool series_add(series_set_t *set, const uint32_t *of, unsigned n,
    const series_call_t *call);

/* Between calls: gives up the smallest where the memory is used up. False: no
 * memory. */
bool series_settle(series_set_t *set);

unsigned series_count(const series_set_t *set);
series_t *series_at(series_set_t *set, uint32_t i);
uint64_t series_given_up(const series_set_t *set);

/* The share of the smaller one's cost that is the other's, too; 0 to 1. */
double series_kin(const series_set_t *set, uint32_t a, uint32_t b);

/* One cell's value; zeros where there is none. */
series_cell_t series_get(const series_t *s, int64_t hour);

#endif /* SERIES_H */
