#include "tg_metrics.h"

/* Places that a name is looked for at. */
#define TG_METRIC_STEPS  32

#define TG_MS  INT64_C(1000000)
#define TG_US  INT64_C(1000)

tg_metric_bounds_t  tg_metric_bounds = {
    50 * TG_MS, 100 * TG_MS, 250 * TG_MS, 500 * TG_MS, 750 * TG_MS,
    1000 * TG_MS, 1500 * TG_MS, 2500 * TG_MS, 5000 * TG_MS, 10000 * TG_MS,
    20000 * TG_MS, 40000 * TG_MS, 80000 * TG_MS, 160000 * TG_MS
};

tg_metric_bounds_t  tg_overhead_bounds = {
    10 * TG_US, 25 * TG_US, 50 * TG_US, 100 * TG_US, 250 * TG_US, 500 * TG_US,
    1 * TG_MS, 2500 * TG_US, 5 * TG_MS, 10 * TG_MS, 25 * TG_MS, 50 * TG_MS,
    100 * TG_MS, 250 * TG_MS
};

const char *const  tg_outcome_names[TG_OUTCOMES] = {
    "ok", "refused", "served", "client_error", "server_error",
    "client_closed", "cut"
};

const char *const  tg_tokens_names[TG_TOKENS] = {
    "input", "cache_read", "cache_write", "output", "reasoning"
};


/* Whoever finds a name unwritten writes it, the same one: who took the place may
 * have died before he could. */
static void
tg_metrics_write(tg_series_name_t *name, const tg_labels_t *labels)
{
    size_t  len = tg_labels_write(labels, name->labels);

    atomic_store_explicit(&name->len, (uint32_t) len, memory_order_release);
}


/* Of a name, that it is the one; of an empty place, that it is taken.  used is
 * what is counted of those, up to limit; NULL: there is no limit. */
static bool
tg_metrics_place(tg_series_name_t *name, uint64_t key,
    const tg_labels_t *labels, _Atomic uint32_t *used, unsigned limit)
{
    size_t    len;
    uint64_t  found = atomic_load_explicit(&name->key, memory_order_acquire);

    if (found == 0) {
        if (used != NULL
            && atomic_load_explicit(used, memory_order_relaxed) >= limit)
        {
            return false;
        }

        if (used != NULL && atomic_fetch_add(used, 1) >= limit) {
            (void) atomic_fetch_sub(used, 1);
            return false;
        }

        if (atomic_compare_exchange_strong(&name->key, &found, key)) {
            tg_metrics_write(name, labels);
            return true;
        }

        if (used != NULL) {
            (void) atomic_fetch_sub(used, 1);
        }
    }

    if (found != key) {
        return false;
    }

    len = atomic_load_explicit(&name->len, memory_order_acquire);

    if (len == 0) {
        tg_metrics_write(name, labels);
        return true;
    }

    return tg_labels_are(labels, tg_str_of(name->labels, len));
}


static tg_series_t *
tg_metrics_series(tg_metrics_t *m, unsigned limit, const tg_labels_t *labels)
{
    uint64_t      key;
    tg_labels_t   none;
    tg_series_t  *s;

    /* A call may have none of them. */

    if (labels->n == 0) {
        tg_labels_init(&none);
        tg_labels_add(&none, tg_str("provider"), tg_str(""));
        labels = &none;
    }

    key = tg_labels_key(labels);
    limit = limit < TG_METRIC_SERIES ? limit : TG_METRIC_SERIES;

    for (unsigned i = 0; i < TG_METRIC_STEPS; i++) {
        s = &m->series[(key + i) % TG_METRIC_PLACES];

        if (tg_metrics_place(&s->name, key, labels, &m->nseries, limit)) {
            return s;
        }

        /* Entries never go: behind a free place there is none. */

        if (atomic_load_explicit(&s->name.key, memory_order_relaxed) == 0) {
            break;
        }
    }

    (void) atomic_fetch_add_explicit(&m->overflow, 1, memory_order_relaxed);

    return &m->other;
}


static void
tg_metrics_add(_Atomic int64_t *to, int64_t n)
{
    if (n != 0) {
        (void) atomic_fetch_add_explicit(to, n, memory_order_relaxed);
    }
}


static void
tg_metrics_more(_Atomic uint64_t *to, int64_t n)
{
    if (n > 0) {
        (void) atomic_fetch_add_explicit(to, (uint64_t) n,
                                         memory_order_relaxed);
    }
}


/* Whole, and of one call. */
static uint64_t
tg_exemplar_check(const tg_trace_t *t, int64_t value)
{
    uint64_t  h = t->trace[0];

    h = (h ^ t->trace[1]) * UINT64_C(0x9fb21c651e98df25);
    h = (h ^ h >> 32 ^ t->span) * UINT64_C(0x9fb21c651e98df25);
    h = (h ^ h >> 32 ^ (uint64_t) value) * UINT64_C(0x9fb21c651e98df25);
    h = (h ^ h >> 32 ^ (uint64_t) t->wall_ms) * UINT64_C(0x9fb21c651e98df25);

    return h != 0 ? h : 1;
}


static void
tg_exemplar_write(tg_exemplar_t *e, const tg_trace_t *t, int64_t value)
{
    if (t == NULL) {
        return;
    }

    atomic_store_explicit(&e->trace[0], t->trace[0], memory_order_relaxed);
    atomic_store_explicit(&e->trace[1], t->trace[1], memory_order_relaxed);
    atomic_store_explicit(&e->span, t->span, memory_order_relaxed);
    atomic_store_explicit(&e->value, value, memory_order_relaxed);
    atomic_store_explicit(&e->wall_ms, t->wall_ms, memory_order_relaxed);
    atomic_store_explicit(&e->check, tg_exemplar_check(t, value),
                          memory_order_relaxed);
}


bool
tg_exemplar_read(const tg_exemplar_t *e, tg_trace_t *t, int64_t *value)
{
    uint64_t  check = atomic_load_explicit(&e->check, memory_order_relaxed);

    if (check == 0) {
        return false;
    }

    t->trace[0] = atomic_load_explicit(&e->trace[0], memory_order_relaxed);
    t->trace[1] = atomic_load_explicit(&e->trace[1], memory_order_relaxed);
    t->span = atomic_load_explicit(&e->span, memory_order_relaxed);
    t->wall_ms = atomic_load_explicit(&e->wall_ms, memory_order_relaxed);
    *value = atomic_load_explicit(&e->value, memory_order_relaxed);

    return tg_exemplar_check(t, *value) == check;
}


void
tg_metrics_count(tg_metrics_t *m, unsigned limit, const tg_counted_t *c)
{
    tg_series_t  *s = tg_metrics_series(m, limit, c->labels);

    tg_metrics_add(&s->cost, c->cost);
    tg_metrics_add(&s->saved, c->list - c->cost);
    tg_metrics_more(&s->unpriced, c->unpriced);

    if (c->estimated) {
        tg_metrics_more(&s->estimated, 1);
        tg_metrics_add(&s->estimated_cost, c->cost);
    }

    if (c->untagged) {
        tg_metrics_add(&m->untagged, c->cost);
    }

    if (c->trace != NULL && !c->attempt) {
        tg_exemplar_write(&s->seen, c->trace, c->cost);
        atomic_store_explicit(&s->seen_outcome, c->outcome,
                              memory_order_relaxed);
    }

    for (unsigned i = 0; i < TG_TOKENS; i++) {
        tg_metrics_more(&s->tokens[i], c->tokens[i]);
    }

    tg_metrics_more(c->attempt ? &s->attempts : &s->outcomes[c->outcome], 1);
}


/* Returns where it was counted. */
static unsigned
tg_histogram_add(tg_histogram_t *h, tg_metric_bounds_t bounds, int64_t ns)
{
    unsigned  i = 0;

    while (i < TG_METRIC_BOUNDS && ns > bounds[i]) {
        i++;
    }

    tg_metrics_more(&h->count[i], 1);
    tg_metrics_add(&h->sum, ns);

    return i;
}


static void
tg_traced_add(tg_traced_t *to, int64_t ns, const tg_trace_t *trace)
{
    unsigned  i = tg_histogram_add(&to->times, tg_metric_bounds, ns);

    tg_exemplar_write(&to->seen[i], trace, ns);
}


void
tg_metrics_overhead(tg_metrics_t *m, int64_t ns)
{
    (void) tg_histogram_add(&m->overhead, tg_overhead_bounds, ns);
}


void
tg_metrics_speed(tg_metrics_t *m, const tg_labels_t *labels,
    int64_t first_ns, int64_t whole_ns, const tg_trace_t *trace)
{
    uint64_t     key = tg_labels_key(labels);
    tg_speed_t  *found = &m->other_speed, *s;

    for (unsigned i = 0; i < TG_METRIC_STEPS; i++) {
        s = &m->speeds[(key + i) % TG_METRIC_SPEED_PLACES];

        if (tg_metrics_place(&s->name, key, labels, &m->nspeeds,
                             TG_METRIC_SPEEDS))
        {
            found = s;
            break;
        }

        if (atomic_load_explicit(&s->name.key, memory_order_relaxed) == 0) {
            break;
        }
    }

    if (first_ns >= 0) {
        tg_traced_add(&found->first, first_ns, trace);
    }

    tg_traced_add(&found->whole, whole_ns, trace);
}


void
tg_metrics_rule(tg_metrics_t *m, tg_str_t rule, bool dry)
{
    uint64_t          key;
    tg_labels_t       l;
    tg_rule_count_t  *found = &m->other_rule, *s;

    tg_labels_init(&l);
    tg_labels_add(&l, tg_str("rule"), rule);
    key = tg_labels_key(&l);

    for (unsigned i = 0; i < TG_METRIC_STEPS; i++) {
        s = &m->rules[(key + i) % TG_METRIC_RULES];

        if (tg_metrics_place(&s->name, key, &l, NULL, 0)) {
            found = s;
            break;
        }
    }

    tg_metrics_more(dry ? &found->dry : &found->refused, 1);
}


void
tg_metrics_sum_series(const tg_series_t *s, tg_metrics_sum_t *sum)
{
    uint64_t  n;

    n = (uint64_t) atomic_load_explicit(&s->cost, memory_order_relaxed);
    sum->cost += (int64_t) n;
    sum->list += (int64_t) n + atomic_load_explicit(&s->saved,
                                                    memory_order_relaxed);
    sum->unpriced += atomic_load_explicit(&s->unpriced, memory_order_relaxed);
    sum->estimated += atomic_load_explicit(&s->estimated,
                                           memory_order_relaxed);
    sum->attempts += atomic_load_explicit(&s->attempts, memory_order_relaxed);

    for (unsigned i = 0; i < TG_TOKENS; i++) {
        sum->tokens[i] += atomic_load_explicit(&s->tokens[i],
                                               memory_order_relaxed);
    }

    for (unsigned i = 0; i < TG_OUTCOMES; i++) {
        n = atomic_load_explicit(&s->outcomes[i], memory_order_relaxed);
        sum->outcomes[i] += n;
        sum->calls += n;
    }
}


void
tg_metrics_sum(const tg_metrics_t *m, tg_metrics_sum_t *sum)
{
    memset(sum, 0, sizeof(tg_metrics_sum_t));
    tg_metrics_sum_series(&m->other, sum);

    for (unsigned i = 0; i < TG_METRIC_PLACES; i++) {
        if (atomic_load_explicit(&m->series[i].name.key, memory_order_relaxed)
            != 0)
        {
            tg_metrics_sum_series(&m->series[i], sum);
        }
    }
}


bool
tg_metrics_labels(const tg_series_name_t *name, tg_str_t *labels)
{
    *labels = tg_str_of(name->labels,
                        atomic_load_explicit(&name->len,
                                             memory_order_acquire));

    return labels->len != 0;
}
