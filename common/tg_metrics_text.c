#include "tg_metrics.h"
#include "tg_page.h"

/*
 * Prometheus' text format: all samples of a name together, behind its help and
 * type.  Amounts are written as exact decimals.
 *
 * OpenMetrics is the same but for the names of counters' families and the
 * exemplars.  There bounds of buckets have a decimal point, and here too: a series
 * is to be the same one in whichever format it is asked for.
 */

#define TG_METRICS_LINE  (TG_METRIC_LABELS_MAX + 512)


static void
tg_metrics_head(tg_page_t *pg, const char *name, const char *type,
    const char *help)
{
    tg_page_family(pg, "", name, type, help);
}


/* Up to the blank before the value.  label: one more, or NULL. */
static void
tg_metrics_name(tg_page_t *pg, const char *name, const char *suffix,
    tg_str_t labels, const char *label, const char *value)
{
    tg_text_t  *t = &pg->text;

    tg_page_room(pg, TG_METRICS_LINE);
    tg_put_str(t, tg_strz(name));
    tg_put_str(t, tg_strz(suffix));

    if (labels.len != 0 || label != NULL) {
        tg_put_lit(t, "{");
        tg_put_str(t, labels);

        if (label != NULL) {
            tg_put(t, ",", labels.len != 0);
            tg_put_str(t, tg_strz(label));
            tg_put_lit(t, "=\"");
            tg_put_str(t, tg_strz(value));
            tg_put_lit(t, "\"");
        }

        tg_put_lit(t, "}");
    }

    tg_put_lit(t, " ");
}


static void
tg_metrics_number(tg_page_t *pg, int64_t v, unsigned scale)
{
    if (scale == 0) {
        tg_put_int(&pg->text, v);
    } else {
        tg_put_decimal(&pg->text, v, scale);
    }
}


static void
tg_metrics_value(tg_page_t *pg, int64_t v, unsigned scale)
{
    tg_metrics_number(pg, v, scale);
    tg_put_lit(&pg->text, "\n");
}


/* Behind the value of the sample that was written last. */
static void
tg_metrics_exemplar(tg_page_t *pg, const tg_trace_t *trace, int64_t value,
    unsigned scale)
{
    char        hex[16];
    uint64_t    id[3] = { trace->trace[0], trace->trace[1], trace->span };
    tg_text_t  *t = &pg->text;

    tg_put_lit(t, " # {trace_id=\"");

    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 16; k++) {
            hex[k] = "0123456789abcdef"[id[i] >> (60 - 4 * k) & 15];
        }

        if (i == 2) {
            tg_put_lit(t, "\",span_id=\"");
        }

        tg_put(t, hex, 16);
    }

    tg_put_lit(t, "\"} ");
    tg_metrics_number(pg, value, scale);
    tg_put_lit(t, " ");
    tg_put_decimal(t, trace->wall_ms, 3);
}


/* A sample that may have one, whose own value has 9 decimals, or (`one`) is the one
 * call. */
static void
tg_metrics_traced(tg_page_t *pg, int64_t v, unsigned scale,
    const tg_exemplar_t *seen, bool one)
{
    int64_t     value;
    tg_trace_t  trace;

    tg_metrics_number(pg, v, scale);

    if (pg->openmetrics && seen != NULL
        && tg_exemplar_read(seen, &trace, &value))
    {
        tg_metrics_exemplar(pg, &trace, one ? 1 : value, one ? 0 : 9);
    }

    tg_put_lit(&pg->text, "\n");
}


static int64_t
tg_metrics_load(const _Atomic uint64_t *v)
{
    return (int64_t) atomic_load_explicit(v, memory_order_relaxed);
}


/* "other" is the last of each table. */
static bool
tg_metrics_used(const tg_series_name_t *name, bool other, tg_str_t *labels)
{
    if (other) {
        *labels = tg_str("overflow=\"true\"");
        return true;
    }

    return tg_metrics_labels(name, labels);
}


typedef enum {
    TG_FAMILY_COST = 0,
    TG_FAMILY_LIST,
    TG_FAMILY_TOKENS,
    TG_FAMILY_CALLS,
    TG_FAMILY_ATTEMPTS,
    TG_FAMILY_UNPRICED,
    TG_FAMILY_ESTIMATED,
    TG_FAMILY_GUESSED,
    TG_FAMILIES
} tg_family_t;

static const struct {
    const char  *name;
    const char  *help;
} tg_families[TG_FAMILIES] = {
    { "llm_cost_usd_total", "What calls cost, as the cost lines say." },
    { "llm_list_cost_usd_total",
      "What they would have cost at standard tier, uncached, undiscounted." },
    { "llm_tokens_total", "Tokens, in classes that exclude each other." },
    { "llm_requests_total", "Calls, by how they ended." },
    { "llm_failed_attempts_total",
      "Attempts that failed before another target was tried, and may be"
      " billed." },
    { "llm_unpriced_requests_total",
      "Calls that used something for which there is no price." },
    { "llm_estimated_requests_total",
      "Calls whose provider did not say what they used." },
    { "llm_estimated_cost_usd_total", "What such calls cost, by estimate." }
};


static void
tg_metrics_one(tg_page_t *pg, const char *name, int64_t v, unsigned scale,
    tg_str_t labels)
{
    if (v != 0) {
        tg_metrics_name(pg, name, "", labels, NULL, NULL);
        tg_metrics_value(pg, v, scale);
    }
}


static void
tg_metrics_outcomes(tg_page_t *pg, const char *name, const tg_series_t *s,
    tg_str_t labels)
{
    unsigned  i, seen;

    seen = atomic_load_explicit(&s->seen_outcome, memory_order_relaxed);

    for (i = 0; i < TG_OUTCOMES; i++) {
        if (i == TG_OUTCOME_OK || tg_metrics_load(&s->outcomes[i]) != 0) {
            tg_metrics_name(pg, name, "", labels, "outcome",
                            tg_outcome_names[i]);
            tg_metrics_traced(pg, tg_metrics_load(&s->outcomes[i]), 0,
                              i == seen ? &s->seen : NULL, true);
        }
    }
}


static void
tg_metrics_tokens(tg_page_t *pg, const char *name, const tg_series_t *s,
    tg_str_t labels)
{
    for (unsigned i = 0; i < TG_TOKENS; i++) {
        tg_metrics_name(pg, name, "", labels, "type", tg_tokens_names[i]);
        tg_metrics_value(pg, tg_metrics_load(&s->tokens[i]), 0);
    }
}


static int64_t
tg_metrics_signed(const _Atomic int64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}


static void
tg_metrics_series(tg_page_t *pg, tg_family_t f, const tg_series_t *s,
    tg_str_t labels)
{
    const char  *name = tg_families[f].name;

    switch (f) {

    case TG_FAMILY_COST:
        tg_metrics_name(pg, name, "", labels, NULL, NULL);
        tg_metrics_traced(pg, tg_metrics_signed(&s->cost), 9, &s->seen,
                          false);
        break;

    case TG_FAMILY_LIST:
        tg_metrics_name(pg, name, "", labels, NULL, NULL);
        tg_metrics_value(pg, tg_metrics_signed(&s->cost)
                             + tg_metrics_signed(&s->saved), 9);
        break;

    case TG_FAMILY_TOKENS:
        tg_metrics_tokens(pg, name, s, labels);
        break;

    case TG_FAMILY_CALLS:
        tg_metrics_outcomes(pg, name, s, labels);
        break;

    case TG_FAMILY_ATTEMPTS:
        tg_metrics_one(pg, name, tg_metrics_load(&s->attempts), 0, labels);
        break;

    case TG_FAMILY_UNPRICED:
        tg_metrics_one(pg, name, tg_metrics_load(&s->unpriced), 0, labels);
        break;

    case TG_FAMILY_ESTIMATED:
        tg_metrics_one(pg, name, tg_metrics_load(&s->estimated), 0, labels);
        break;

    case TG_FAMILY_GUESSED:
        tg_metrics_one(pg, name, tg_metrics_signed(&s->estimated_cost), 9,
                       labels);
        break;

    case TG_FAMILIES:
        break;
    }
}


static void
tg_metrics_families(tg_page_t *pg, const tg_metrics_t *m)
{
    unsigned            i;
    tg_str_t            labels;
    tg_family_t         f;
    const tg_series_t  *s;

    for (f = 0; f < TG_FAMILIES; f++) {
        tg_metrics_head(pg, tg_families[f].name, "counter",
                        tg_families[f].help);

        for (i = 0; i <= TG_METRIC_PLACES; i++) {
            s = i < TG_METRIC_PLACES ? &m->series[i] : &m->other;

            if (tg_metrics_used(&s->name, s == &m->other, &labels)
                && (s != &m->other || tg_metrics_load(&m->overflow) != 0))
            {
                tg_metrics_series(pg, f, s, labels);
            }
        }
    }
}


/* seen: its exemplars, or NULL. */
static void
tg_metrics_histogram(tg_page_t *pg, const char *name,
    const tg_histogram_t *h, tg_metric_bounds_t bounds,
    const tg_exemplar_t *seen, tg_str_t labels)
{
    char       bound[TG_TEXT_DECIMAL_MAX + 3];
    int64_t    n = 0;
    tg_text_t  t;

    for (unsigned i = 0; i <= TG_METRIC_BOUNDS; i++) {
        tg_text_init(&t, bound, sizeof(bound) - 1);

        if (i == TG_METRIC_BOUNDS) {
            tg_put_lit(&t, "+Inf");
        } else {
            tg_put_decimal(&t, bounds[i], 9);
            tg_put(&t, ".0", bounds[i] % 1000000000 == 0 ? 2 : 0);
        }

        *t.p = '\0';

        n += tg_metrics_load(&h->count[i]);
        tg_metrics_name(pg, name, "_bucket", labels, "le", bound);
        tg_metrics_traced(pg, n, 0, seen != NULL ? &seen[i] : NULL, false);
    }

    tg_metrics_name(pg, name, "_sum", labels, NULL, NULL);
    tg_metrics_value(pg, tg_metrics_signed(&h->sum), 9);
    tg_metrics_name(pg, name, "_count", labels, NULL, NULL);
    tg_metrics_value(pg, n, 0);
}


static bool
tg_histogram_empty(const tg_histogram_t *h)
{
    for (unsigned i = 0; i <= TG_METRIC_BOUNDS; i++) {
        if (tg_metrics_load(&h->count[i]) != 0) {
            return false;
        }
    }

    return true;
}


static void
tg_metrics_speeds(tg_page_t *pg, const tg_metrics_t *m, bool first)
{
    tg_str_t               labels;
    const char            *name;
    const tg_speed_t      *s;
    const tg_traced_t     *h;

    name = first ? "llm_time_to_first_chunk_seconds"
                 : "llm_request_duration_seconds";

    tg_metrics_head(pg, name, "histogram",
                    first ? "From the request's head to the first piece of the"
                            " answer's body."
                          : "From the request's head to the call's end.");

    for (unsigned i = 0; i <= TG_METRIC_SPEED_PLACES; i++) {
        s = i < TG_METRIC_SPEED_PLACES ? &m->speeds[i] : &m->other_speed;
        h = first ? &s->first : &s->whole;

        if (tg_metrics_used(&s->name, s == &m->other_speed, &labels)
            && !tg_histogram_empty(&h->times))
        {
            tg_metrics_histogram(pg, name, &h->times, tg_metric_bounds,
                                 h->seen, labels);
        }
    }
}


static void
tg_metrics_rules(tg_page_t *pg, const tg_metrics_t *m, bool dry)
{
    tg_str_t                 labels;
    const char              *name;
    const tg_rule_count_t   *r;
    const _Atomic uint64_t  *v;

    name = dry ? "llm_dry_refusals_total" : "llm_refusals_total";

    tg_metrics_head(pg, name, "counter",
                    dry ? "Calls that a rule's dry run would have refused."
                        : "Calls that a rule refused.");

    for (unsigned i = 0; i <= TG_METRIC_RULES; i++) {
        r = i < TG_METRIC_RULES ? &m->rules[i] : &m->other_rule;
        v = dry ? &r->dry : &r->refused;

        if (tg_metrics_used(&r->name, r == &m->other_rule, &labels)
            && tg_metrics_load(v) != 0)
        {
            tg_metrics_name(pg, name, "", labels, NULL, NULL);
            tg_metrics_value(pg, tg_metrics_load(v), 0);
        }
    }
}


/* Of all that is counted, one number. */
static void
tg_metrics_single(tg_page_t *pg, const char *name, const char *type,
    const char *help, int64_t v, unsigned scale)
{
    tg_metrics_head(pg, name, type, help);
    tg_metrics_name(pg, name, "", tg_str_null, NULL, NULL);
    tg_metrics_value(pg, v, scale);
}


void
tg_metrics_text(const tg_metrics_t *m, tg_page_t *pg)
{
    tg_metrics_families(pg, m);
    tg_metrics_single(pg, "llm_untagged_cost_usd_total", "counter",
                      "What calls cost that have no team.",
                      tg_metrics_signed(&m->untagged), 9);
    tg_metrics_rules(pg, m, false);
    tg_metrics_rules(pg, m, true);
    tg_metrics_speeds(pg, m, true);
    tg_metrics_speeds(pg, m, false);

    tg_metrics_head(pg, "llm_overhead_seconds", "histogram",
                    "What calls took of the gateway's own time.");
    tg_metrics_histogram(pg, "llm_overhead_seconds", &m->overhead,
                         tg_overhead_bounds, NULL, tg_str_null);

    tg_metrics_single(pg, "llm_series", "gauge",
                      "Sets of labels that are counted apart.",
                      atomic_load(&m->nseries), 0);
    tg_metrics_single(pg, "llm_series_overflow_total", "counter",
                      "Calls that were counted as overflow=\"true\", for there"
                      " were too many series.",
                      tg_metrics_load(&m->overflow), 0);
}
