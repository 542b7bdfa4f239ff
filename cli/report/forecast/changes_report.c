/* llmctl report changes */

#include "kinds.h"
#include "changes.h"
#include "kind/report.h"
#include "llmctl.h"
#include "llmctl_time.h"

#include "tg_money.h"
#include "tg_window.h"

#include <stdio.h>
#include <time.h>

#define TOP        20           /* rows of a readable table */
#define NAME_SIZE  512
#define WEEK       INT64_C(604800000)

typedef struct {
    const report_options_t  *o;
    dimension_t              model;
    changes_set_t           *set;
    int64_t                  from[2];   /* before, after */
    int64_t                  until;
} report_t;


static void
call_of(changes_call_t *c, const record_t *r)
{
    static const struct {
        int  tokens, cost;
    } classes[] = {
        [CHANGES_INPUT] = { REC_INPUT, REC_COST_INPUT },
        [CHANGES_CACHE_READ] = { REC_CACHE_READ, REC_COST_CACHE_READ },
        [CHANGES_CACHE_WRITE] = { REC_CACHE_WRITE, REC_COST_CACHE_WRITE },
        [CHANGES_OUTPUT] = { REC_OUTPUT, REC_COST_OUTPUT }
    };

    int64_t  rest = r->number[REC_COST];

    memset(c, 0, sizeof(*c));
    c->counts = record_is(r, REC_FINAL);

    for (unsigned k = 0; k < CHANGES_OTHER; k++) {
        c->tokens[k] = r->number[classes[k].tokens];
        c->cost[k] = r->number[classes[k].cost];
        rest = tg_money_less(rest, c->cost[k]);
    }

    c->tokens[CHANGES_INPUT] =
        tg_money_less(c->tokens[CHANGES_INPUT],
                      tg_money_add(r->number[REC_CACHE_READ],
                                   r->number[REC_CACHE_WRITE]));

    /* A provider that says a sum alone, or the time of GPUs: no class of
     * tokens is known to cost it. */
    if (rest < 0) {
        memset(c->cost, 0, sizeof(c->cost));
        rest = r->number[REC_COST];
    }

    c->cost[CHANGES_OTHER] = rest;
}


static bool
take(void *data, const record_t *r)
{
    char            name[NAME_SIZE], buf[DIMENSION_SIZE];
    size_t          n = 0;
    report_t       *p = data;
    tg_str_t        v, model;
    changes_call_t  call;

    for (unsigned i = 0; i < p->o->nby; i++) {
        v = dimension_value(&p->o->by[i], r, p->o->reader.zone, buf);
        v = v.len == 0 ? tg_str("-") : v;
        n += (size_t) snprintf(name + n, sizeof(name) - n, "%s%.*s",
                               i == 0 ? "" : " / ", (int) v.len, v.p);
        n = n < sizeof(name) ? n : sizeof(name) - 1;
    }

    call_of(&call, r);
    model = dimension_value(&p->model, r, NULL, buf);
    return changes_add(p->set, r->time >= p->from[1], tg_str_of(name, n),
                       model, &call);
}


static void
row(table_t *t, const changes_t *c)
{
    if (c->name.len == 0) {
        table_text(t, tg_str("all"));
    } else {
        table_text(t, c->name);
    }

    table_int(t, c->cost[0]);
    table_int(t, c->cost[1]);
    table_int(t, tg_money_less(c->cost[1], c->cost[0]));

    if (c->cost[0] > 0) {
        table_double(t, (double) c->cost[1] / (double) c->cost[0] - 1);
    } else {
        table_none(t);
    }

    table_int(t, c->volume);
    table_int(t, c->mix);
    table_int(t, c->tokens);
    table_int(t, c->price);
    table_int(t, c->calls[0]);
    table_int(t, c->calls[1]);
}


static void
note(table_t *t, const report_t *p)
{
    char    text[200];
    time_t  at[3] = { p->from[0] / 1000, p->from[1] / 1000,
                      (p->until - 1) / 1000 };
    char    said[3][32];

    for (unsigned i = 0; i < 3; i++) {
        struct tm  tm;

        (void) strftime(said[i], sizeof(said[i]), "%Y-%m-%dT%H:%MZ",
                        gmtime_r(&at[i], &tm));
    }

    (void) snprintf(text, sizeof(text), "before: from %s on; after: from %s to"
                    " %s", said[0], said[1], said[2]);
    table_note(t, "periods", text);
    table_note(t, "parts", "volume: the number of calls; mix: which models they"
               " went to; tokens: how many a call; price: what one costs");
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    report_t   *p = data;
    uint64_t    rows = 0, nothers = 0;
    unsigned    top = p->o->top == 0 && p->o->format == TABLE_TEXT ? TOP
                                                                  : p->o->top;
    changes_t   c, all, others;

    (void) stats;

    if (!changes_split(p->set)) {
        return failed("report", "there is not enough memory");
    }

    table_column(t, "what", CELL_TEXT);
    table_column(t, "before", CELL_MONEY);
    table_column(t, "after", CELL_MONEY);
    table_column(t, "change", CELL_MONEY);
    table_column(t, "percent", CELL_PERCENT);
    table_column(t, "by_volume", CELL_MONEY);
    table_column(t, "by_mix", CELL_MONEY);
    table_column(t, "by_tokens", CELL_MONEY);
    table_column(t, "by_price", CELL_MONEY);
    table_column(t, "calls_before", CELL_COUNT);
    table_column(t, "calls_after", CELL_COUNT);

    memset(&all, 0, sizeof(all));
    memset(&others, 0, sizeof(others));

    while (changes_next(p->set, &c)) {
        changes_sum(&all, &c);

        if (top != 0 && rows == top) {
            changes_sum(&others, &c);
            nothers++;
            continue;
        }

        row(t, &c);
        rows++;
    }

    if (nothers != 0) {
        others.name = tg_str("(others)");
        row(t, &others);
    }

    if (p->o->nby != 0) {
        table_total(t);
        all.name = tg_str("all");
        row(t, &all);
    }

    note(t, p);

    return true;
}


/* The start of as long a period before; of a whole month, of the month. */
static int64_t
before(const report_options_t *o, int64_t from, int64_t until)
{
    tg_window_t       w, was;
    tg_window_spec_t  month = { TG_WINDOW_MONTH, 0 };

    tg_window_at(&month, o->reader.zone, from, &w);
    tg_window_at(&month, o->reader.zone, w.start - 1, &was);

    if (w.start == from && w.end == until) {
        return was.start;
    }

    return from - (until - from);
}


static bool
begin(report_t *p, report_options_t *o, const char *versus)
{
    static const record_number_t  numbers[] = {
        REC_COST, REC_INPUT, REC_OUTPUT, REC_CACHE_READ, REC_CACHE_WRITE,
        REC_COST_INPUT, REC_COST_OUTPUT, REC_COST_CACHE_READ,
        REC_COST_CACHE_WRITE
    };

    int64_t  now = (int64_t) time(NULL) * 1000;

    p->until = o->reader.until == INT64_MAX ? now : o->reader.until;
    p->from[1] = o->reader.since;

    if (p->from[1] == INT64_MIN) {
        p->from[1] = p->until - WEEK;
    }

    p->from[0] = versus == NULL ? before(o, p->from[1], p->until)
                                : when_past(versus, o->reader.zone, now);

    if (p->from[0] < 0 || p->from[0] >= p->from[1]
        || p->from[1] >= p->until)
    {
        return failed("report changes", "--before=TIME, --since=TIME and"
                      " --until=TIME come one after the other");
    }

    o->reader.since = p->from[0];
    o->reader.until = p->until;

    if (o->nby == 0 && dimension_parse(&o->by[0], "team")) {
        dimension_want(&o->by[o->nby++], &o->reader.want);
    }

    (void) dimension_parse(&p->model, "model");
    dimension_want(&p->model, &o->reader.want);

    record_want_numbers(&o->reader.want, numbers,
                        sizeof(numbers) / sizeof(numbers[0]));

    p->o = o;
    p->set = changes_new();

    return p->set != NULL
           || failed("report", "there is not enough memory");
}


int
report_changes(int argc, char **argv)
{
    static const report_job_t  job = { "changes", take, false, print };

    int               rc;
    report_t          p = { .set = NULL };
    const char       *versus = NULL;
    report_options_t  o;
    option_t          own[] = {
        { "before", &versus, NULL }, { NULL, NULL, NULL }
    };

    if (!report_options(&o, argc, argv, own, NULL)) {
        return 2;
    }

    rc = begin(&p, &o, versus) ? report_run(&o, &job, &p) : 2;

    changes_free(p.set);
    report_options_free(&o);

    return rc;
}
