/*
 * anomaly.h - what in series is not as it was: each against its own past.
 *
 * Every finding is what a look at the end of an hour would have said: nothing
 * after that hour is looked at, and what is said of how long it went on is what
 * was seen later.
 */

#ifndef ANOMALY_H
#define ANOMALY_H

#include "series/series.h"

typedef enum {
    ANOMALY_COST = 0,           /* an hour's or a day's spend */
    ANOMALY_DRIFT,              /* many days' */
    ANOMALY_TOKENS,             /* input tokens a call */
    ANOMALY_LOOP,               /* calls alike */
    ANOMALY_PRICE,              /* of a token */
    ANOMALY_NEW_KEY,
    ANOMALY_OLD_KEY             /* one that was silent for long */
} anomaly_kind_t;

#define ANOMALY_ALSO  8

typedef struct {
    anomaly_kind_t  kind;
    uint32_t        series;     /* SERIES_NONE: of `text` alone */
    int64_t         since;      /* hour: it began */
    int64_t         found;      /* the end of this hour told */
    int64_t         last;       /* last hour of it */
    bool            open;       /* goes on where the lines end */
    double          now, usual; /* dollars a day; tokens a call; calls alike in
                                   an hour; dollars a million tokens */
    double          excess;     /* nano-dollars a day */
    double          score;      /* how much more than usual, of its kind */
    unsigned        nalso;
    uint32_t        also[ANOMALY_ALSO];         /* series that show it, too */
    char            text[SERIES_NAME_MAX];      /* session, class of tokens */
} anomaly_t;

typedef struct {
    anomaly_t  *list;
    size_t      n, room;
} anomalies_t;

#define ANOMALY_DAYS      14    /* of a series' past, before it is judged */
#define ANOMALY_SILENT    14    /* days without calls: a key is dead */
#define ANOMALY_LOOKS     56    /* days that say how much a series varies */

/* What is not worth telling. */
typedef struct {
    int64_t   begin, end;       /* hours of all lines; `end` is not in them */
    double   *worth;            /* by day since begin's: nano-dollars a day */
    double    least;            /* likewise, of any day */
    double    share;            /* of what all spend in a day */
} anomaly_scope_t;

/* total: all calls; end: the hour that is not over yet. False: no memory. */
bool anomaly_scope(anomaly_scope_t *scope, const series_t *total, int64_t end,
    double least_nusd, double share);
void anomaly_scope_free(anomaly_scope_t *scope);
double anomaly_worth(const anomaly_scope_t *scope, int64_t hour);

/* One program or person, as far as that is known; of two series that tell the
 * same its finding comes first. */
#define ANOMALY_NARROW  1.15    /* times its score */
bool anomaly_narrow(const series_t *s);

/* False: no memory. */
bool anomaly_add(anomalies_t *all, const anomaly_t *a);

/* A series by hours, from the first one of the day of its first call. */
typedef struct {
    const series_t         *s;
    const anomaly_scope_t  *scope;
    uint32_t                index;
    int64_t                 day0;
    size_t                  ndays, nhours;
} anomaly_past_t;

/* False: it is too short to be judged by it. */
bool anomaly_past(anomaly_past_t *past, series_set_t *set, uint32_t i,
    const anomaly_scope_t *scope);

static inline int64_t
anomaly_hour(const anomaly_past_t *past, size_t t)
{
    return past->day0 * 24 + (int64_t) t;
}

/* Is the hour above what is usual?  Negative: nothing is known of it. */
typedef int (*anomaly_above_t)(const void *data, size_t t);

/* Where what is there at t began: back, by less than so many hours, to where it
 * was usual for three. */
size_t anomaly_since(const void *data, anomaly_above_t above, size_t t,
    size_t hours);

/* Found at t; what is not told here is 0. */
void anomaly_begin(anomaly_t *a, anomaly_kind_t kind,
    const anomaly_past_t *past, size_t since, size_t t, double score);

/* A series' spend, and its tokens a call.  False: no memory. */
bool anomaly_spend(anomalies_t *all, series_set_t *set, uint32_t i,
    const anomaly_scope_t *scope);
bool anomaly_tokens(anomalies_t *all, series_set_t *set, uint32_t i,
    const anomaly_scope_t *scope);

/* A key that is new, or had been silent. */
bool anomaly_key(anomalies_t *all, series_set_t *set, uint32_t i,
    const anomaly_scope_t *scope);

/* Orders by when they were found, and takes those of one cause as one. */
void anomaly_merge(anomalies_t *all, const series_set_t *set);

#endif /* ANOMALY_H */
