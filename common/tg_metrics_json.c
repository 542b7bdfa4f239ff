#include "tg_metrics.h"
#include "tg_page.h"

#define TG_METRICS_ITEM  2048           /* more than any one */


/* name="value",... as the inside of an object: values are escaped alike. */
static void
tg_json_labels(tg_text_t *t, tg_str_t labels)
{
    const char  *p = labels.p, *end = labels.p + labels.len, *name;

    while (p < end) {
        for (name = p; *p != '='; p++) {
            /* letters, digits, "_" */
        }

        tg_put_lit(t, "\"");
        tg_put(t, name, (size_t) (p - name));
        tg_put_lit(t, "\":");

        for (name = ++p, p++; *p != '"'; p += *p == '\\' ? 2 : 1) {
            /* the value */
        }

        tg_put(t, name, (size_t) (++p - name));

        if (p < end) {
            tg_put_lit(t, ",");
            p++;
        }
    }
}


static void
tg_json_int(tg_text_t *t, const char *name, int64_t v)
{
    tg_put_lit(t, ",\"");
    tg_put_str(t, tg_strz(name));
    tg_put_lit(t, "\":");
    tg_put_int(t, v);
}


static void
tg_json_sum(tg_text_t *t, const tg_metrics_sum_t *s)
{
    unsigned  i;

    tg_put_lit(t, "\"cost_usd\":");
    tg_put_decimal(t, s->cost, 9);
    tg_json_int(t, "cost_nusd", s->cost);
    tg_json_int(t, "list_nusd", s->list);
    tg_json_int(t, "requests", (int64_t) s->calls);
    tg_json_int(t, "failed_attempts", (int64_t) s->attempts);
    tg_json_int(t, "unpriced", (int64_t) s->unpriced);
    tg_json_int(t, "estimated", (int64_t) s->estimated);
    tg_put_lit(t, ",\"tokens\":{\"all\":");

    for (i = 0; i < TG_TOKENS; i++) {
        if (i == 0) {
            tg_put_int(t, (int64_t) (s->tokens[0] + s->tokens[1] + s->tokens[2]
                                     + s->tokens[3] + s->tokens[4]));
        }

        tg_json_int(t, tg_tokens_names[i], (int64_t) s->tokens[i]);
    }

    tg_put_lit(t, "},\"outcomes\":{");

    for (i = 0; i < TG_OUTCOMES; i++) {
        tg_put(t, ",", i != 0);
        tg_put_lit(t, "\"");
        tg_put_str(t, tg_strz(tg_outcome_names[i]));
        tg_put_lit(t, "\":");
        tg_put_int(t, (int64_t) s->outcomes[i]);
    }

    tg_put_lit(t, "}");
}


static void
tg_json_series(tg_page_t *js, const tg_metrics_t *m)
{
    bool                first = true;
    tg_str_t            labels;
    const tg_series_t  *s;
    tg_metrics_sum_t    sum;

    tg_put_lit(&js->text, "},\"series\":[");

    for (unsigned i = 0; i <= TG_METRIC_PLACES; i++) {
        s = i < TG_METRIC_PLACES ? &m->series[i] : &m->other;

        if (!tg_metrics_labels(&s->name, &labels)
            && (s != &m->other || m->overflow == 0))
        {
            continue;
        }

        memset(&sum, 0, sizeof(sum));
        tg_metrics_sum_series(s, &sum);

        tg_page_room(js, TG_METRICS_ITEM);
        tg_put(&js->text, ",", !first);
        first = false;
        tg_put_lit(&js->text, "\n{\"labels\":{");
        tg_json_labels(&js->text, s == &m->other
                                  ? tg_str("overflow=\"true\"") : labels);
        tg_put_lit(&js->text, "},");
        tg_json_sum(&js->text, &sum);
        tg_put_lit(&js->text, "}");
    }
}


static void
tg_json_rules(tg_page_t *js, const tg_metrics_t *m)
{
    bool                    first = true;
    tg_str_t                labels;
    const tg_rule_count_t  *r;

    tg_put_lit(&js->text, "],\"rules\":[");

    for (unsigned i = 0; i <= TG_METRIC_RULES; i++) {
        r = i < TG_METRIC_RULES ? &m->rules[i] : &m->other_rule;

        if (!tg_metrics_labels(&r->name, &labels)
            && (r != &m->other_rule || r->refused + r->dry == 0))
        {
            continue;
        }

        tg_page_room(js, TG_METRICS_ITEM);
        tg_put(&js->text, ",", !first);
        first = false;
        tg_put_lit(&js->text, "\n{");
        tg_json_labels(&js->text, r == &m->other_rule
                                  ? tg_str("overflow=\"true\"") : labels);
        tg_json_int(&js->text, "refused", (int64_t) r->refused);
        tg_json_int(&js->text, "dry_refused", (int64_t) r->dry);
        tg_put_lit(&js->text, "}");
    }
}


void
tg_metrics_json(const tg_metrics_t *m, tg_page_t *pg)
{
    tg_metrics_sum_t  sum;

    tg_metrics_sum(m, &sum);

    tg_page_room(pg, TG_METRICS_ITEM);
    tg_put_lit(&pg->text, "\"sum\":{");
    tg_json_sum(&pg->text, &sum);
    tg_json_series(pg, m);
    tg_json_rules(pg, m);

    tg_page_room(pg, TG_METRICS_ITEM);
    tg_put_lit(&pg->text, "]");
}
