#include "tg_metrics.h"

/* Places that a name is looked for at. */
#define TG_METRIC_STEPS  32

const double  tg_metric_bounds[TG_METRIC_BOUNDS] = {
    0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 40, 80, 160
};

const char *const  tg_outcome_names[TG_OUTCOMES] = {
    "ok", "refused", "served", "client_error", "server_error",
    "client_closed", "cut"
};

const char *const  tg_tokens_names[TG_TOKENS] = {
    "input", "cache_read", "cache_write", "output", "reasoning"
};


/* The bytes of a character of UTF-8 at p; 0: it is none. */
static size_t
tg_labels_char(const unsigned char *p, size_t n)
{
    size_t    len;
    uint32_t  c;

    if (p[0] < 0x80) {
        return 1;
    }

    len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

    if (p[0] < 0xc2 || p[0] > 0xf4 || len > n) {
        return 0;
    }

    c = p[0] & (0x7fu >> len);

    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    return (len == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000)))
           || (len == 4 && (c < 0x10000 || c > 0x10ffff)) ? 0 : len;
}


size_t
tg_labels_value(char *to, tg_str_t s, size_t max)
{
    char           *p = to;
    size_t          len;
    unsigned char   c;

    for (size_t i = 0; i < s.len; i += len) {
        c = (unsigned char) s.p[i];

        /* Nearly all. */

        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\'
            && (size_t) (p - to) < max - 1)
        {
            *p++ = (char) c;
            len = 1;
            continue;
        }

        len = tg_labels_char((const unsigned char *) s.p + i, s.len - i);

        if ((size_t) (p - to) + (len > 2 ? len : 2) > max) {
            break;
        }

        if (len == 0 || c < 0x20 || c == 0x7f) {
            *p++ = '_';
            len = 1;
            continue;
        }

        if (c == '"' || c == '\\') {
            *p++ = '\\';
        }

        memcpy(p, s.p + i, len);
        p += len;
    }

    return (size_t) (p - to);
}


void
tg_labels_add(tg_labels_t *l, tg_str_t name, tg_str_t value)
{
    char  *p = l->text + l->len;

    if (l->len + name.len + TG_METRIC_VALUE_MAX + 4 > TG_METRIC_LABELS_MAX) {
        return;
    }

    if (l->len != 0) {
        *p++ = ',';
    }

    memcpy(p, name.p, name.len);
    p += name.len;
    *p++ = '=';
    *p++ = '"';
    p += tg_labels_value(p, value, TG_METRIC_VALUE_MAX);
    *p++ = '"';

    l->len = (size_t) (p - l->text);
}


tg_str_t
tg_labels_text(const tg_labels_t *l)
{
    return tg_str_of(l->text, l->len);
}


static uint64_t
tg_metrics_key(tg_str_t labels)
{
    uint64_t  h = UINT64_C(14695981039346656037), w;
    size_t    i;

    for (i = 0; i + 8 <= labels.len; i += 8) {
        memcpy(&w, labels.p + i, 8);
        h = (h ^ w) * UINT64_C(0x9fb21c651e98df25);
        h ^= h >> 32;
    }

    for (w = labels.len; i < labels.len; i++) {
        w = w << 8 | (unsigned char) labels.p[i];
    }

    h = (h ^ w) * UINT64_C(0x9fb21c651e98df25);
    h ^= h >> 29;

    return h != 0 ? h : 1;
}


/* Of a name, that it is the one; of an empty place, that it is taken.  used is
 * what is counted of those, up to limit; NULL: there is no limit. */
static bool
tg_metrics_place(tg_series_name_t *name, uint64_t key, tg_str_t labels,
    _Atomic uint32_t *used, unsigned limit)
{
    size_t    len;
    uint64_t  found = atomic_load_explicit(&name->key, memory_order_acquire);

    if (found == 0) {
        if (used != NULL && atomic_fetch_add(used, 1) >= limit) {
            (void) atomic_fetch_sub(used, 1);
            return false;
        }

        if (atomic_compare_exchange_strong(&name->key, &found, key)) {
            memcpy(name->labels, labels.p, labels.len);
            atomic_store_explicit(&name->len, (uint32_t) labels.len,
                                  memory_order_release);
            return true;
        }

        if (used != NULL) {
            (void) atomic_fetch_sub(used, 1);
        }
    }

    if (found != key) {
        return false;
    }

    /* Another process may be about to write it. */

    len = atomic_load_explicit(&name->len, memory_order_acquire);

    return len == 0 || tg_str_eq(tg_str_of(name->labels, len), labels);
}


static tg_series_t *
tg_metrics_series(tg_metrics_t *m, unsigned limit, tg_str_t labels)
{
    uint64_t      key;
    tg_series_t  *s;

    /* A call may have none of them. */

    labels = labels.len != 0 ? labels : tg_str("provider=\"\"");
    key = tg_metrics_key(labels);
    limit = limit < TG_METRIC_SERIES ? limit : TG_METRIC_SERIES;

    for (unsigned i = 0; i < TG_METRIC_STEPS; i++) {
        s = &m->series[(key + i) % TG_METRIC_SERIES];

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


void
tg_metrics_count(tg_metrics_t *m, unsigned limit, const tg_counted_t *c)
{
    tg_series_t  *s = tg_metrics_series(m, limit, c->labels);

    tg_metrics_add(&s->cost, c->cost);
    tg_metrics_add(&s->list, c->list);
    tg_metrics_more(&s->unpriced, c->unpriced);
    tg_metrics_more(&s->estimated, c->estimated);

    for (unsigned i = 0; i < TG_TOKENS; i++) {
        tg_metrics_more(&s->tokens[i], c->tokens[i]);
    }

    tg_metrics_more(c->attempt ? &s->attempts : &s->outcomes[c->outcome], 1);
}


static void
tg_histogram_add(tg_histogram_t *h, int64_t ns)
{
    unsigned  i = 0;

    while (i < TG_METRIC_BOUNDS && (double) ns > tg_metric_bounds[i] * 1e9) {
        i++;
    }

    tg_metrics_more(&h->count[i], 1);
    tg_metrics_add(&h->sum, ns);
}


void
tg_metrics_speed(tg_metrics_t *m, tg_str_t labels, int64_t first_ns,
    int64_t whole_ns)
{
    uint64_t     key = tg_metrics_key(labels);
    tg_speed_t  *found = &m->other_speed, *s;

    for (unsigned i = 0; i < TG_METRIC_STEPS; i++) {
        s = &m->speeds[(key + i) % TG_METRIC_SPEEDS];

        if (tg_metrics_place(&s->name, key, labels, NULL, 0)) {
            found = s;
            break;
        }
    }

    if (first_ns >= 0) {
        tg_histogram_add(&found->first, first_ns);
    }

    tg_histogram_add(&found->whole, whole_ns);
}


void
tg_metrics_rule(tg_metrics_t *m, tg_str_t rule, bool dry)
{
    uint64_t          key;
    tg_labels_t       l;
    tg_rule_count_t  *found = &m->other_rule, *s;

    tg_labels_init(&l);
    tg_labels_add(&l, tg_str("rule"), rule);
    key = tg_metrics_key(tg_labels_text(&l));

    for (unsigned i = 0; i < TG_METRIC_STEPS; i++) {
        s = &m->rules[(key + i) % TG_METRIC_RULES];

        if (tg_metrics_place(&s->name, key, tg_labels_text(&l), NULL, 0)) {
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

    sum->cost += atomic_load_explicit(&s->cost, memory_order_relaxed);
    sum->list += atomic_load_explicit(&s->list, memory_order_relaxed);
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

    for (unsigned i = 0; i < TG_METRIC_SERIES; i++) {
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
