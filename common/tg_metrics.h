/*
 * tg_metrics.h - what calls have cost, used and come to, counted by team, model,
 * provider and whatever else llm_metrics says, for llm_status.
 *
 * The table lies in memory that all processes of the server share.  All of it is
 * atomics: no locks, nothing to clean up after who dies; a process that dies while
 * it counts a call leaves out a part of that call.  Zeroed it is as new.
 *
 * Who makes up names can't grow it: a set of labels that finds no room counts in
 * the series whose labels are all "other".  Sums over all series are exact.
 *
 * Money is nano-dollars, times are nanoseconds.
 */

#ifndef TG_METRICS_H
#define TG_METRICS_H

#include "tg_error.h"
#include "tg_page.h"
#include "tg_str.h"

#include <stdatomic.h>

#define TG_METRIC_SERIES       2048     /* at most; llm_metrics series= */
#define TG_METRIC_PLACES       4096     /* for them: the other half stays free, so
                                           that a name is soon found, or not */
#define TG_METRIC_SPEEDS       256      /* of provider, model and operation */
#define TG_METRIC_SPEED_PLACES 512
#define TG_METRIC_RULES        256
#define TG_METRIC_LABELS_MAX   440      /* bytes of a series' labels, as text */
#define TG_METRIC_VALUE_MAX    96       /* of one label's value; longer is cut */

/* How calls end. */
typedef enum {
    TG_OUTCOME_OK = 0,
    TG_OUTCOME_REFUSED,         /* by a rule of ours */
    TG_OUTCOME_SERVED,          /* answered here: a list of models */
    TG_OUTCOME_CLIENT_ERROR,    /* 4xx of the provider */
    TG_OUTCOME_SERVER_ERROR,
    TG_OUTCOME_CLIENT_CLOSED,
    TG_OUTCOME_CUT,             /* the upstream broke off, or the server stopped */
    TG_OUTCOMES
} tg_outcome_t;

/* Exclusive classes of tokens: their sum is input + output. */
typedef enum {
    TG_TOKENS_INPUT = 0,        /* neither read from a cache nor written to it */
    TG_TOKENS_CACHE_READ,
    TG_TOKENS_CACHE_WRITE,
    TG_TOKENS_OUTPUT,           /* without reasoning */
    TG_TOKENS_REASONING,
    TG_TOKENS
} tg_tokens_t;

#define TG_METRIC_LABELS  16

/* value: as it is written between its quotes. */
typedef struct {
    tg_str_t  name;
    tg_str_t  value;
    uint64_t  hash;             /* of both */
} tg_label_t;

/* What a call is counted by.  Names and values stay where they are, but for values
 * that can't be written as they are. */
typedef struct {
    unsigned    n;
    unsigned    used;           /* of room */
    tg_label_t  list[TG_METRIC_LABELS];
    char        room[TG_METRIC_LABELS_MAX];
} tg_labels_t;

static inline void
tg_labels_init(tg_labels_t *l)
{
    l->n = 0;
    l->used = 0;
}

/* name: letters, digits, "_".  The value may be any bytes: what is not UTF-8 or a
 * control character becomes "_", and it is cut.  Labels that find no room are
 * left out. */
void tg_labels_add(tg_labels_t *l, tg_str_t name, tg_str_t value);

/* As Prometheus' format has them: name="value",name="value".  Returns how many of
 * TG_METRIC_LABELS_MAX bytes were written; those that find no room are left out. */
size_t tg_labels_write(const tg_labels_t *l, char *to);

/* Whether this is what that function writes. */
bool tg_labels_are(const tg_labels_t *l, tg_str_t text);

/* Of those labels in that order. Never 0. */
uint64_t tg_labels_key(const tg_labels_t *l);

/* The inside of a label's value: escaped, what is no text or not UTF-8 as "_",
 * cut at `max` bytes.  Returns how many were written. */
size_t tg_labels_value(char *to, tg_str_t s, size_t max);

/* By what a call can be found elsewhere: W3C Trace Context's ids. */
typedef struct {
    uint64_t  trace[2];         /* big-endian, as they are read */
    uint64_t  span;
    int64_t   wall_ms;          /* when it ended, since 1970 */
} tg_trace_t;

/* A call, or an attempt of it that failed and may be billed. */
typedef struct {
    const tg_labels_t  *labels;
    const tg_trace_t   *trace;  /* NULL: it has none */
    tg_outcome_t  outcome;
    bool          attempt;      /* counts no call */
    bool          unpriced;     /* used something that has no price */
    bool          estimated;    /* its usage is */
    bool          untagged;     /* nobody's: has no team */
    int64_t       cost;
    int64_t       list;         /* what it would have cost by the list */
    int64_t       tokens[TG_TOKENS];
} tg_counted_t;

#define TG_METRIC_BOUNDS  14            /* of a histogram, besides +Inf */

/* The last call that was counted there and has a trace.  Two that write it at once
 * make it void, and so does who dies over it: until the next one. */
typedef struct {
    _Atomic uint64_t  trace[2];
    _Atomic uint64_t  span;
    _Atomic int64_t   value;            /* nanoseconds; nano-dollars */
    _Atomic int64_t   wall_ms;
    _Atomic uint64_t  check;            /* 0: there was none */
} tg_exemplar_t;

typedef struct {
    _Atomic uint64_t  count[TG_METRIC_BOUNDS + 1];  /* each its own */
    _Atomic int64_t   sum;              /* nanoseconds */
} tg_histogram_t;

typedef struct {
    tg_histogram_t    times;
    tg_exemplar_t     seen[TG_METRIC_BOUNDS + 1];
} tg_traced_t;

typedef struct {
    _Atomic uint64_t  key;              /* 0: unused */
    _Atomic uint32_t  len;              /* of labels; 0: not written yet */
    char              labels[TG_METRIC_LABELS_MAX];
} tg_series_name_t;

typedef struct {
    tg_series_name_t  name;
    _Atomic int64_t   cost;
    _Atomic int64_t   saved;            /* what it is less than by the list */
    _Atomic uint64_t  tokens[TG_TOKENS];
    _Atomic uint64_t  outcomes[TG_OUTCOMES];
    _Atomic uint64_t  unpriced;
    _Atomic uint64_t  estimated;
    _Atomic int64_t   estimated_cost;
    _Atomic uint64_t  attempts;
    _Atomic uint32_t  seen_outcome;     /* of what follows */
    tg_exemplar_t     seen;             /* of calls; value: their cost */
} tg_series_t;

typedef struct {
    tg_series_name_t  name;
    tg_traced_t       first;            /* time to the first chunk */
    tg_traced_t       whole;
} tg_speed_t;

typedef struct {
    tg_series_name_t  name;             /* rule="..." */
    _Atomic uint64_t  refused;
    _Atomic uint64_t  dry;              /* a dry run would have */
} tg_rule_count_t;

typedef struct {
    _Atomic uint32_t  nseries;          /* made, "other" not among them */
    _Atomic uint32_t  nspeeds;
    _Atomic uint64_t  overflow;         /* calls that "other" took */
    _Atomic int64_t   untagged;         /* cost that is nobody's */
    tg_histogram_t    overhead;         /* what calls took of us */
    tg_series_t       other;
    tg_speed_t        other_speed;
    tg_rule_count_t   other_rule;
    tg_series_t       series[TG_METRIC_PLACES];
    tg_speed_t        speeds[TG_METRIC_SPEED_PLACES];
    tg_rule_count_t   rules[TG_METRIC_RULES];
} tg_metrics_t;

/* limit: most series, of llm_metrics. */
void tg_metrics_count(tg_metrics_t *m, unsigned limit, const tg_counted_t *c);

/* first_ns: below 0: there was none.  trace may be NULL. */
void tg_metrics_speed(tg_metrics_t *m, const tg_labels_t *labels,
    int64_t first_ns, int64_t whole_ns, const tg_trace_t *trace);

/* What a call took of our own time. */
void tg_metrics_overhead(tg_metrics_t *m, int64_t ns);

void tg_metrics_rule(tg_metrics_t *m, tg_str_t rule, bool dry);

/* The sum of all series; of a running server it is of no one instant. */
typedef struct {
    int64_t   cost, list;
    uint64_t  calls, attempts, unpriced, estimated;
    uint64_t  tokens[TG_TOKENS];
    uint64_t  outcomes[TG_OUTCOMES];
} tg_metrics_sum_t;

void tg_metrics_sum(const tg_metrics_t *m, tg_metrics_sum_t *sum);

/* Adds one of them. */
void tg_metrics_sum_series(const tg_series_t *s, tg_metrics_sum_t *sum);

/* As they were written; false: it is not in use. */
bool tg_metrics_labels(const tg_series_name_t *name, tg_str_t *labels);

extern const char *const  tg_outcome_names[TG_OUTCOMES];
extern const char *const  tg_tokens_names[TG_TOKENS];

/* What can be read; false: nothing. */
bool tg_exemplar_read(const tg_exemplar_t *e, tg_trace_t *trace,
    int64_t *value);

/* In nanoseconds, ascending. */
typedef const int64_t  tg_metric_bounds_t[TG_METRIC_BOUNDS];

extern tg_metric_bounds_t  tg_metric_bounds;    /* of calls */
extern tg_metric_bounds_t  tg_overhead_bounds;

/* tg_metrics_text.c: Prometheus' text format, or OpenMetrics with exemplars, as the
 * page has it.  tg_metrics_json.c: members of an object, without what is around
 * them: docs/metrics.md. */
void tg_metrics_text(const tg_metrics_t *m, tg_page_t *pg);
void tg_metrics_json(const tg_metrics_t *m, tg_page_t *pg);

#endif /* TG_METRICS_H */
