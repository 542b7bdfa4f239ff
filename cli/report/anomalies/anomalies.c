/* llmctl report anomalies */

#include "kinds.h"
#include "anomaly.h"
#include "anomaly_loop.h"
#include "anomaly_price.h"
#include "series/series_lines.h"
#include "llmctl.h"

#include "tg_money.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LEAST_USD    "1"
#define SHARE        "4"                /* percent */
#define PRICES       (24 * 1024 * 1024)
#define FINDINGS     4                  /* exit code of --exit-code */

typedef struct {
    series_lines_t   lines;
    series_set_t    *prices;
    loops_t         *loops;
    dimension_t      model;
    anomalies_t      found;
    anomaly_scope_t  scope;
    int64_t          since, until;      /* of findings: hours */
    const char      *least, *share;
    bool             code;
    unsigned         shown;
} anomalies_report_t;


static bool
take(void *data, const record_t *r)
{
    char                 buf[DIMENSION_SIZE];
    unsigned             alike;
    tg_str_t             model;
    series_cell_t       *c;
    const series_t      *owner;
    anomalies_report_t  *a = data;
    series_lines_t      *l = &a->lines;
    uint32_t             of = 0;

    if (!series_line(l, r)) {
        return false;
    }

    if (l->n == 0) {
        return true;
    }

    model = dimension_value(&a->model, r, NULL, buf);

    if (!series_settle(a->prices)
        || (l->call.counts && !price_add(a->prices, r, model, l->call.hour)))
    {
        l->full = true;
        return false;
    }

    if (!l->call.counts || l->call.cost == 0) {
        return true;
    }

    /* Who calls: the key's series, else the team's, else the first there is. */
    for (unsigned i = l->n; i-- > 0; ) {
        owner = series_at(l->set, l->of[i]);
        of = strcmp(owner->kind, "key") == 0
             || (strcmp(owner->kind, "team") == 0
                 && strcmp(series_at(l->set, of)->kind, "key") != 0)
             ? l->of[i] : of;
    }

    owner = series_at(l->set, of);
    alike = loops_add(a->loops, owner, r->text[REC_SESSION], model, &l->call);
    c = series_cell(l->set, of, l->call.hour);

    if (c != NULL && alike > c->alike) {
        c->alike = alike;
    }

    return true;
}


static bool
look(anomalies_report_t *a)
{
    bool           ok = true;
    uint32_t       total = series_find(a->lines.set, "all", tg_str("")), model;
    series_set_t  *set = a->lines.set;
    series_t      *s;
    int64_t        end = series_hour(a->lines.o->reader.zone,
                                     (int64_t) time(NULL) * 1000);

    if (total == SERIES_NONE || series_at(set, total)->cost == 0) {
        return true;
    }

    if (!anomaly_scope(&a->scope, series_at(set, total), end,
                       (double) tg_money_parse(tg_strz(a->least), 9),
                       strtod(a->share, NULL) / 100))
    {
        return false;
    }

    for (uint32_t i = 0; ok && i < series_count(set); i++) {
        s = series_at(set, i);

        if ((double) s->cost < a->scope.least / 10) {
            continue;
        }

        ok = anomaly_spend(&a->found, set, i, &a->scope)
             && anomaly_tokens(&a->found, set, i, &a->scope)
             && (strcmp(s->kind, "key") != 0
                 || anomaly_key(&a->found, set, i, &a->scope));
    }

    for (uint32_t i = 0; ok && i < series_count(a->prices); i++) {
        s = series_at(a->prices, i);
        model = series_find(set, "model", price_model(s));
        ok = anomaly_price(&a->found, a->prices, i, model, &a->scope);
    }

    ok = ok && loops_find(&a->found, set, a->loops, &a->scope);
    anomaly_merge(&a->found, set);

    return ok;
}


static const struct {
    const char  *name, *unit;
} kinds[] = {
    [ANOMALY_COST] = { "spend", "USD/day" },
    [ANOMALY_DRIFT] = { "drift", "USD/day" },
    [ANOMALY_TOKENS] = { "tokens", "input tokens/call" },
    [ANOMALY_LOOP] = { "loop", "calls alike/hour" },
    [ANOMALY_PRICE] = { "price", "USD/million tokens" },
    [ANOMALY_NEW_KEY] = { "new key", "USD/day" },
    [ANOMALY_OLD_KEY] = { "silent key", "USD/day" }
};


static double
figure(const anomaly_t *f, double v)
{
    bool    money = f->kind == ANOMALY_COST || f->kind == ANOMALY_DRIFT
                    || f->kind == ANOMALY_NEW_KEY
                    || f->kind == ANOMALY_OLD_KEY;
    double  scale;

    v = money ? v / TG_NUSD_PER_USD : v;
    scale = pow(10, v == 0 ? 0 : 3 - ceil(log10(fabs(v))));

    return round(v * scale) / scale;    /* three digits are known at most */
}


static void
said(anomalies_report_t *a, const anomaly_t *f, char *buf, size_t size)
{
    if (f->series == SERIES_NONE) {
        (void) snprintf(buf, size, "model %s", f->text);
        return;
    }

    (void) series_said(buf, size, series_at(a->lines.set, f->series));

    if (f->kind == ANOMALY_LOOP && *f->text != '\0') {
        (void) snprintf(buf + strlen(buf), size - strlen(buf), ", session %s",
                        f->text);
    }
}


static void
row(anomalies_report_t *a, table_t *t, const anomaly_t *f)
{
    char    text[2 * SERIES_NAME_MAX + 200], also[1600];
    size_t  n = 0;

    *also = '\0';

    for (unsigned i = 0; i < f->nalso && n < sizeof(also); i++) {
        (void) series_said(text, sizeof(text),
                           series_at(a->lines.set, f->also[i]));
        n += (size_t) snprintf(also + n, sizeof(also) - n, "%s%s",
                               n == 0 ? "" : ", ", text);
    }

    said(a, f, text, sizeof(text));

    table_int(t, series_time(a->lines.o->reader.zone, f->since));
    table_int(t, series_time(a->lines.o->reader.zone, f->found + 1));

    if (f->open) {
        table_none(t);
    } else {
        table_int(t, series_time(a->lines.o->reader.zone, f->last + 1));
    }

    table_text(t, tg_strz(kinds[f->kind].name));
    table_text(t, tg_strz(text));
    table_double(t, figure(f, f->now));
    table_double(t, figure(f, f->usual));
    table_text(t, tg_strz(kinds[f->kind].unit));
    table_int(t, (int64_t) f->excess);
    table_text(t, tg_strz(also));
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    char                 text[200];
    const anomaly_t     *f;
    anomalies_report_t  *a = data;

    (void) stats;

    if (!look(a)) {
        return failed("report", "there is not enough memory");
    }

    table_column(t, "since", CELL_TIME);
    table_column(t, "found", CELL_TIME);
    table_column(t, "until", CELL_TIME);
    table_column(t, "kind", CELL_TEXT);
    table_column(t, "what", CELL_TEXT);
    table_column(t, "now", CELL_NUMBER);
    table_column(t, "usual", CELL_NUMBER);
    table_column(t, "unit", CELL_TEXT);
    table_column(t, "excess_a_day", CELL_MONEY);
    table_column(t, "also_in", CELL_TEXT);

    for (size_t i = 0; i < a->found.n; i++) {
        f = &a->found.list[i];

        if (f->found + 1 > a->since && f->found + 1 <= a->until
            && (a->lines.o->top == 0 || a->shown < a->lines.o->top))
        {
            row(a, t, f);
            a->shown++;
        }
    }

    if (a->scope.end - a->scope.begin < 24 * (ANOMALY_DAYS + 1)) {
        (void) snprintf(text, sizeof(text), "the lines are of less than %d"
                        " days: nothing is known of what is usual",
                        ANOMALY_DAYS + 1);
        table_note(t, "short", text);

    } else {
        (void) snprintf(text, sizeof(text), "%u found; each is what a look at"
                        " the end of its hour \"found\" would have said",
                        a->shown);
        table_note(t, "findings", text);
    }

    series_lines_note(&a->lines, t);

    return true;
}


static bool
begin(anomalies_report_t *a, report_options_t *o)
{
    static const char *const  usual[] = { "team", "key", "model", NULL };

    char    *end;
    double   share = strtod(a->share, &end);

    if (tg_money_parse(tg_strz(a->least), 9) < 0 || *end != '\0'
        || end == a->share || !(share >= 0) || share > 100)
    {
        return failed("report anomalies", "--min-usd=DOLLARS, --share=PERCENT");
    }

    /* What is usual is learned of all lines. */
    a->since = o->reader.since == INT64_MIN
               ? INT64_MIN : series_hour(o->reader.zone, o->reader.since);
    a->until = o->reader.until == INT64_MAX
               ? INT64_MAX : series_hour(o->reader.zone, o->reader.until);
    o->reader.since = INT64_MIN;

    if (!series_lines_init(&a->lines, o, usual)) {
        return false;
    }

    a->lines.tags = o->nby == 0;
    o->reader.want.tags |= a->lines.tags;

    (void) dimension_parse(&a->model, "model");
    dimension_want(&a->model, &o->reader.want);
    record_want_text(&o->reader.want, REC_SESSION);
    price_want(&o->reader.want);

    a->prices = series_new(PRICES);
    a->loops = loops_new();

    return (a->prices != NULL && a->loops != NULL)
           || failed("report", "there is not enough memory");
}


int
report_anomalies(int argc, char **argv)
{
    static const report_job_t  job = { "anomalies", take, false, print };

    int                 rc = 1;
    report_options_t    o;
    anomalies_report_t  a = { .least = LEAST_USD, .share = SHARE };
    option_t            own[] = {
        { "min-usd", &a.least, NULL }, { "share", &a.share, NULL },
        { "exit-code", NULL, &a.code }, { NULL, NULL, NULL }
    };

    if (!report_options(&o, argc, argv, own, NULL)) {
        return 2;
    }

    if (begin(&a, &o)) {
        rc = report_run(&o, &job, &a);
        rc = rc == 0 && a.code && a.shown != 0 ? FINDINGS : rc;
    }

    anomaly_scope_free(&a.scope);
    free(a.found.list);
    series_free(a.prices);
    loops_free(a.loops);
    series_lines_free(&a.lines);
    report_options_free(&o);

    return rc;
}
