#include "tg_metrics.h"
#include "tg_page.h"

/*
 * Prometheus' text format: all samples of a name together, behind its help and
 * type.  Amounts are written as exact decimals.
 */

#define TG_METRICS_LINE  (TG_METRIC_LABELS_MAX + 256)


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
tg_metrics_value(tg_page_t *pg, int64_t v, unsigned scale)
{
    if (scale == 0) {
        tg_put_int(&pg->text, v);
    } else {
        tg_put_decimal(&pg->text, v, scale);
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
      "Calls whose provider did not say what they used." }
};


static void
tg_metrics_one(tg_page_t *pg, tg_family_t f, const char *name,
    const _Atomic uint64_t *v, tg_str_t labels)
{
    (void) f;

    if (tg_metrics_load(v) != 0) {
        tg_metrics_name(pg, name, "", labels, NULL, NULL);
        tg_metrics_value(pg, tg_metrics_load(v), 0);
    }
}


static void
tg_metrics_series(tg_page_t *pg, tg_family_t f, const tg_series_t *s,
    tg_str_t labels)
{
    unsigned     i;
    const char  *name = tg_families[f].name;

    switch (f) {

    case TG_FAMILY_COST:
    case TG_FAMILY_LIST:
        tg_metrics_name(pg, name, "", labels, NULL, NULL);
        tg_metrics_value(pg, atomic_load_explicit(f == TG_FAMILY_COST
                                                  ? &s->cost : &s->list,
                                                  memory_order_relaxed), 9);
        break;

    case TG_FAMILY_TOKENS:
        for (i = 0; i < TG_TOKENS; i++) {
            tg_metrics_name(pg, name, "", labels, "type", tg_tokens_names[i]);
            tg_metrics_value(pg, tg_metrics_load(&s->tokens[i]), 0);
        }
        break;

    case TG_FAMILY_CALLS:
        for (i = 0; i < TG_OUTCOMES; i++) {
            if (i == TG_OUTCOME_OK || tg_metrics_load(&s->outcomes[i]) != 0) {
                tg_metrics_name(pg, name, "", labels, "outcome",
                                tg_outcome_names[i]);
                tg_metrics_value(pg, tg_metrics_load(&s->outcomes[i]), 0);
            }
        }
        break;

    case TG_FAMILY_ATTEMPTS:
        tg_metrics_one(pg, f, name, &s->attempts, labels);
        break;

    case TG_FAMILY_UNPRICED:
        tg_metrics_one(pg, f, name, &s->unpriced, labels);
        break;

    case TG_FAMILY_ESTIMATED:
        tg_metrics_one(pg, f, name, &s->estimated, labels);
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

        for (i = 0; i <= TG_METRIC_SERIES; i++) {
            s = i < TG_METRIC_SERIES ? &m->series[i] : &m->other;

            if (tg_metrics_used(&s->name, s == &m->other, &labels)
                && (s != &m->other || tg_metrics_load(&m->overflow) != 0))
            {
                tg_metrics_series(pg, f, s, labels);
            }
        }
    }
}


static void
tg_metrics_histogram(tg_page_t *pg, const char *name,
    const tg_histogram_t *h, tg_str_t labels)
{
    char       bound[TG_TEXT_DECIMAL_MAX + 1];
    int64_t    n = 0;
    tg_text_t  t;

    for (unsigned i = 0; i < TG_METRIC_BOUNDS; i++) {
        tg_text_init(&t, bound, sizeof(bound) - 1);
        tg_put_decimal(&t, (int64_t) (tg_metric_bounds[i] * 1000 + 0.5), 3);
        *t.p = '\0';

        n += tg_metrics_load(&h->count[i]);
        tg_metrics_name(pg, name, "_bucket", labels, "le", bound);
        tg_metrics_value(pg, n, 0);
    }

    n += tg_metrics_load(&h->count[TG_METRIC_BOUNDS]);
    tg_metrics_name(pg, name, "_bucket", labels, "le", "+Inf");
    tg_metrics_value(pg, n, 0);
    tg_metrics_name(pg, name, "_sum", labels, NULL, NULL);
    tg_metrics_value(pg, atomic_load_explicit(&h->sum, memory_order_relaxed),
                     9);
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
    const tg_histogram_t  *h;

    name = first ? "llm_time_to_first_chunk_seconds"
                 : "llm_request_duration_seconds";

    tg_metrics_head(pg, name, "histogram",
                    first ? "From the request's head to the first piece of the"
                            " answer's body."
                          : "From the request's head to the call's end.");

    for (unsigned i = 0; i <= TG_METRIC_SPEEDS; i++) {
        s = i < TG_METRIC_SPEEDS ? &m->speeds[i] : &m->other_speed;
        h = first ? &s->first : &s->whole;

        if (tg_metrics_used(&s->name, s == &m->other_speed, &labels)
            && !tg_histogram_empty(h))
        {
            tg_metrics_histogram(pg, name, h, labels);
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


void
tg_metrics_text(const tg_metrics_t *m, tg_page_t *pg)
{
    tg_metrics_families(pg, m);
    tg_metrics_rules(pg, m, false);
    tg_metrics_rules(pg, m, true);
    tg_metrics_speeds(pg, m, true);
    tg_metrics_speeds(pg, m, false);

    tg_metrics_head(pg, "llm_series", "gauge",
                    "Sets of labels that are counted apart.");
    tg_metrics_name(pg, "llm_series", "", tg_str_null, NULL, NULL);
    tg_metrics_value(pg, atomic_load(&m->nseries), 0);
    tg_metrics_head(pg, "llm_series_overflow_total", "counter",
                    "Calls that were counted as overflow=\"true\", for there"
                    " were too many series.");
    tg_metrics_name(pg, "llm_series_overflow_total", "", tg_str_null, NULL,
                    NULL);
    tg_metrics_value(pg, tg_metrics_load(&m->overflow), 0);
}
