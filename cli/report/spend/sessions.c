/*
 * llmctl report sessions - what a session costs: one by one, or by any
 * dimensions.
 */

#include "kinds.h"
#include "kind/listing.h"
#include "kind/report.h"
#include "rows/groups.h"
#include "rows/sample.h"
#include "llmctl.h"

#include "tg_money.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TOP  20                         /* rows of a readable table */

/* Of lines. Money is nano-dollars, time milliseconds. */
typedef struct {
    int64_t  cost;
    int64_t  calls;
    int64_t  input, output;
    int64_t  tools;
    int64_t  refused;
    int64_t  retries;
    int64_t  begin, end;                /* since 1970; 0: none yet */
} sums_t;

/* Of the sessions of one row. */
typedef struct {
    int64_t  sessions;
    int64_t  ms;
    int64_t  median, p95, most;
    sums_t   sums;
} fold_t;

typedef struct {
    report_options_t   o;
    dimension_t        by[DIMENSIONS_MAX + 1];
    unsigned           nby;             /* without the session, the last */
    groups_t          *groups;
    groups_t          *folds;           /* where there are other dimensions */
    fold_t             fold;            /* whose sessions are being read */
    sample_t           fold_costs;
    tg_str_t           values[DIMENSIONS_MAX];      /* its */
    char               texts[DIMENSIONS_MAX][GROUPS_VALUE_SIZE];
    table_t           *table;
    sample_t           costs;
    sums_t             all;
    uint64_t           sessions;
    int64_t            without;         /* cost of calls of no session */
    int64_t            nwithout;
    uint64_t           rows;            /* of the table, shown or not */
    bool               full;
} sessions_t;


static void
add_sums(void *to, const void *from)
{
    sums_t        *a = to;
    const sums_t  *b = from;

    a->cost = tg_money_add(a->cost, b->cost);
    a->calls += b->calls;
    a->input = tg_money_add(a->input, b->input);
    a->output = tg_money_add(a->output, b->output);
    a->tools = tg_money_add(a->tools, b->tools);
    a->refused += b->refused;
    a->retries += b->retries;

    if (b->begin != 0 && (a->begin == 0 || b->begin < a->begin)) {
        a->begin = b->begin;
    }

    a->end = b->end > a->end ? b->end : a->end;
}


static bool
take(void *data, const record_t *r)
{
    sums_t       s;
    sessions_t  *x = data;

    if (r->text[REC_SESSION].len == 0) {
        x->without = tg_money_add(x->without, r->number[REC_COST]);
        x->nwithout += record_is(r, REC_FINAL);
        return true;
    }

    s.cost = r->number[REC_COST];
    s.calls = record_is(r, REC_FINAL);
    s.input = r->number[REC_INPUT];
    s.output = r->number[REC_OUTPUT];
    s.tools = r->number[REC_TOOL_CALLS];
    s.refused = tg_str_eq(r->text[REC_DECISION], tg_str("refuse"));
    s.retries = r->number[REC_RETRIES] > 0;
    s.begin = r->time;
    s.end = r->time + r->number[REC_DURATION] / 1000000;

    return groups_take_line(x->groups, x->by, x->o.reader.zone, r, &s);
}


/* The dearest first. */
static void
by_cost(int64_t rank[2], const tg_str_t *values, const void *sums)
{
    const sums_t  *s = sums;

    (void) values;
    rank[0] = ~s->cost;
}


static void
by_fold_cost(int64_t rank[2], const tg_str_t *values, const void *sums)
{
    const fold_t  *s = sums;

    (void) values;
    rank[0] = ~s->sums.cost;
}


/* A session by itself. */
static void
print_session(sessions_t *x, tg_str_t name, const sums_t *s)
{
    table_t  *t = x->table;

    listing_values(t, &name, 1);
    table_int(t, s->cost);
    table_int(t, s->calls);
    table_int(t, s->input);
    table_int(t, s->output);
    table_int(t, s->tools);
    table_int(t, s->refused);
    table_int(t, s->retries);
    table_int(t, s->begin);
    table_double(t, (double) (s->end - s->begin) / 60000);
}


static void
add_fold(void *to, const void *from)
{
    fold_t        *a = to;
    const fold_t  *b = from;

    a->sessions += b->sessions;
    a->ms += b->ms;
    a->median += b->median;
    a->p95 += b->p95;
    a->most += b->most;
    add_sums(&a->sums, &b->sums);
}


/* All sessions of a row have come. */
static bool
fold_end(sessions_t *x)
{
    bool  ok;

    if (x->fold.sessions == 0) {
        return true;
    }

    x->fold.median = sample_quantile(&x->fold_costs, 0.5);
    x->fold.p95 = sample_quantile(&x->fold_costs, 0.95);
    x->fold.most = x->fold_costs.most;
    ok = groups_take(x->folds, x->values, &x->fold);

    memset(&x->fold, 0, sizeof(x->fold));
    sample_free(&x->fold_costs);
    memset(&x->fold_costs, 0, sizeof(x->fold_costs));

    return ok;
}


static bool
is_other(const sessions_t *x, const tg_str_t *values)
{
    for (unsigned i = 0; i < x->nby; i++) {
        if (!tg_str_eq(values[i], x->values[i])) {
            return true;
        }
    }

    return false;
}


/* Sessions of one row come one after the other. */
static bool
fold_session(sessions_t *x, const tg_str_t *values, const sums_t *s)
{
    fold_t  *f = &x->fold;

    if (is_other(x, values)) {
        if (!fold_end(x)) {
            return false;
        }

        for (unsigned i = 0; i < x->nby; i++) {
            x->values[i] = tg_str_of(x->texts[i], values[i].len);
            memcpy(x->texts[i], values[i].p, values[i].len);
        }
    }

    f->sessions++;
    f->ms += s->end - s->begin;
    add_sums(&f->sums, s);

    return sample_add(&x->fold_costs, s->cost);
}


static bool
row(void *data, const tg_str_t *values, const void *sums)
{
    sessions_t    *x = data;
    const sums_t  *s = sums;

    x->sessions++;
    add_sums(&x->all, s);
    x->full = !sample_add(&x->costs, s->cost);

    if (x->nby != 0) {
        x->full |= !fold_session(x, values, s);

    } else if (x->o.top == 0 || x->rows < x->o.top) {
        print_session(x, values[0], s);
    }

    x->rows += x->nby == 0;

    return !x->full;
}


static void
columns(sessions_t *x)
{
    table_t  *t = x->table;

    listing_columns(t, x->by, x->nby);

    if (x->nby == 0) {
        table_column(t, "session", CELL_TEXT);
        table_column(t, "cost", CELL_MONEY);
        table_column(t, "calls", CELL_COUNT);
        table_column(t, "input_tokens", CELL_COUNT);
        table_column(t, "output_tokens", CELL_COUNT);
        table_column(t, "tool_calls", CELL_COUNT);
        table_column(t, "refused", CELL_COUNT);
        table_column(t, "retried", CELL_COUNT);
        table_column(t, "begin", CELL_TIME);
        table_column(t, "minutes", CELL_NUMBER);
        return;
    }

    table_column(t, "sessions", CELL_COUNT);
    table_column(t, "cost", CELL_MONEY);
    table_column(t, "cost_per_session", CELL_MONEY);
    table_column(t, "median", CELL_MONEY);
    table_column(t, "p95", CELL_MONEY);
    table_column(t, "most", CELL_MONEY);
    table_column(t, "calls_per_session", CELL_NUMBER);
    table_column(t, "input_per_session", CELL_NUMBER);
    table_column(t, "output_per_session", CELL_NUMBER);
    table_column(t, "minutes_per_session", CELL_NUMBER);
    table_column(t, "refused", CELL_COUNT);
}


static bool
print_fold(void *data, const tg_str_t *values, const void *sums)
{
    sessions_t    *x = data;
    const fold_t  *f = sums;
    double         n = (double) f->sessions;
    table_t       *t = x->table;

    if (x->rows++ >= x->o.top && x->o.top != 0) {
        return true;
    }

    listing_values(t, values, x->nby);
    table_int(t, f->sessions);
    table_int(t, f->sums.cost);
    table_int(t, f->sums.cost / f->sessions);
    table_int(t, f->median);
    table_int(t, f->p95);
    table_int(t, f->most);
    table_double(t, (double) f->sums.calls / n);
    table_double(t, (double) f->sums.input / n);
    table_double(t, (double) f->sums.output / n);
    table_double(t, (double) f->ms / 60000 / n);
    table_int(t, f->sums.refused);

    return true;
}


static const char *
usd(char *buf, int64_t nusd)
{
    buf[tg_money_text(buf, nusd)] = '\0';

    return buf;
}


static void
notes(sessions_t *x)
{
    char  text[400], a[TG_MONEY_TEXT_MAX + 1], b[TG_MONEY_TEXT_MAX + 1];
    char  c[TG_MONEY_TEXT_MAX + 1], d[TG_MONEY_TEXT_MAX + 1];

    if (x->nby != 0) {
        table_note(x->table, "rows", "a session counts in each row that has"
                   " calls of it");

    } else if (x->sessions != 0) {
        (void) snprintf(text, sizeof(text), "%llu sessions of %lld calls, %s USD"
                        " each on average; half of them below %s, 95%% below %s,"
                        " the dearest %s", (unsigned long long) x->sessions,
                        (long long) x->all.calls,
                        usd(a, x->all.cost / (int64_t) x->sessions),
                        usd(b, sample_quantile(&x->costs, 0.5)),
                        usd(c, sample_quantile(&x->costs, 0.95)),
                        usd(d, x->costs.most));
        table_note(x->table, "sessions_in_all", text);
    }

    if (x->nwithout != 0) {
        (void) snprintf(text, sizeof(text), "%lld calls for %s USD are of no"
                        " session", (long long) x->nwithout,
                        usd(a, x->without));
        table_note(x->table, "without_session", text);
    }
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    sessions_t  *x = data;

    (void) stats;
    x->table = t;
    columns(x);

    if (!groups_each(x->groups, x->nby == 0 ? by_cost : NULL, row, x)
        || x->full || !fold_end(x)
        || !groups_each(x->folds, by_fold_cost, print_fold, x))
    {
        return failed("report", "the temporary file can't be used");
    }

    notes(x);
    listing_left_out(x->table, x->rows, x->o.top);

    return true;
}


static void
want(record_want_t *w)
{
    static const record_number_t  numbers[] = {
        REC_COST, REC_INPUT, REC_OUTPUT, REC_TOOL_CALLS, REC_RETRIES,
        REC_DURATION
    };

    record_want_numbers(w, numbers, sizeof(numbers) / sizeof(numbers[0]));

    record_want_text(w, REC_SESSION);
    record_want_text(w, REC_DECISION);
}


static int
begin(void *data)
{
    sessions_t        *x = data;
    report_options_t  *o = &x->o;

    want(&o->reader.want);

    for (unsigned i = 0; i < o->nby; i++) {
        if (o->by[i].word.len != 7
            || !tg_str_eq(o->by[i].word, tg_str("session")))
        {
            x->by[x->nby++] = o->by[i];
        }
    }

    (void) dimension_parse(&x->by[x->nby], "session");

    if (o->top == 0 && o->format == TABLE_TEXT) {
        o->top = TOP;
    }

    if (x->nby == DIMENSIONS_MAX) {
        return fail("--by", "has too many dimensions");
    }

    x->groups = groups_new(x->nby + 1, sizeof(sums_t), add_sums,
                           o->rows_memory);
    x->folds = groups_new(x->nby, sizeof(fold_t), add_fold, o->rows_memory);

    return x->groups != NULL && x->folds != NULL
           ? 0 : fail("report", strerror(ENOMEM));
}


static void
end(void *data)
{
    sessions_t  *x = data;

    sample_free(&x->costs);
    sample_free(&x->fold_costs);
    groups_free(x->folds);
    groups_free(x->groups);
}


int
report_sessions(int argc, char **argv)
{
    static const report_whole_t  whole = {
        { "sessions", take, false, print }, NULL, begin, end
    };

    sessions_t  x;

    memset(&x, 0, sizeof(x));

    return report_whole(&whole, &x.o, &x, argc, argv);
}
