/*
 * llmctl trace - a session step by step.
 */

#include "kind/report.h"
#include "rows/timeline.h"
#include "llmctl.h"

#include "tg_money.h"

#include <errno.h>
#include <stdio.h>

#define TEXT_MAX  400

typedef struct {
    report_options_t  *o;
    tg_str_t           id;              /* of a session, trace or call */
    timeline_t        *line;
    table_t           *table;
    bool               full;

    int64_t            first;           /* time of the first step */
    int64_t            end;             /* of the last */
    int64_t            cost;            /* so far */
    uint64_t           steps, calls, refused, attempts, outcomes, retried;
    int64_t            input, output, tools;
    int64_t            dearest;         /* a step's cost ... */
    uint64_t           dearest_at;      /* ... and number */
} trace_t;


static bool
is_its(const trace_t *x, const record_t *r)
{
    return tg_str_eq(r->text[REC_SESSION], x->id)
           || tg_str_eq(r->text[REC_TRACE_ID], x->id)
           || tg_str_eq(r->text[REC_CALL_ID], x->id);
}


static bool
take(void *data, const record_t *r)
{
    trace_t  *x = data;

    x->full = is_its(x, r)
              && !timeline_add(x->line, r, &x->o->reader.want);

    return !x->full;
}


static void
put_text(table_t *t, tg_str_t s)
{
    if (s.len == 0) {
        table_none(t);
    } else {
        table_text(t, s);
    }
}


static void
put_number(table_t *t, const record_t *r, record_number_t n)
{
    if (record_has(r, n)) {
        table_int(t, r->number[n]);
    } else {
        table_none(t);
    }
}


static tg_str_t
model_of(const record_t *r)
{
    return r->text[REC_MODEL].len != 0 ? r->text[REC_MODEL]
           : r->text[REC_SENT_MODEL].len != 0 ? r->text[REC_SENT_MODEL]
           : r->text[REC_ASKED_MODEL];
}


/* What there is to be said of the step, in short. */
static tg_str_t
remark(char *buf, const record_t *r)
{
    int       n = 0;
    tg_str_t  rule = r->text[REC_RULE], route = r->text[REC_ROUTE];
    tg_str_t  error = r->text[REC_ERROR_TYPE];

    if (tg_str_eq(r->text[REC_DECISION], tg_str("refuse"))) {
        n = snprintf(buf, TEXT_MAX, "refused by %.*s", (int) rule.len, rule.p);

    } else if (!record_is(r, REC_FINAL)) {
        n = snprintf(buf, TEXT_MAX, "attempt failed: %.*s", (int) error.len,
                     error.p);

    } else if (error.len != 0) {
        n = snprintf(buf, TEXT_MAX, "%lld %.*s",
                     (long long) r->number[REC_STATUS], (int) error.len,
                     error.p);

    } else if (route.len != 0) {
        n = snprintf(buf, TEXT_MAX, "by route %.*s", (int) route.len, route.p);

    } else if (tg_str_eq(r->text[REC_SOURCE], tg_str("cached"))) {
        n = snprintf(buf, TEXT_MAX, "from the server's cache");
    }

    if (r->number[REC_RETRIES] > 0 && n < TEXT_MAX) {
        n += snprintf(buf + n, (size_t) (TEXT_MAX - n), "%sretry %lld",
                      n == 0 ? "" : ", ", (long long) r->number[REC_RETRIES]);
    }

    if (r->number[REC_WAITED_MS] > 0 && n < TEXT_MAX) {
        n += snprintf(buf + n, (size_t) (TEXT_MAX - n), "%swaited %lld ms",
                      n == 0 ? "" : ", ",
                      (long long) r->number[REC_WAITED_MS]);
    }

    return tg_str_of(buf, (size_t) (n < TEXT_MAX ? n : TEXT_MAX - 1));
}


static void
columns(trace_t *x)
{
    table_t  *t = x->table;

    table_column(t, "step", CELL_COUNT);
    table_column(t, "time", CELL_TIME);
    table_column(t, "seconds", CELL_NUMBER);    /* since the first */
    table_column(t, "took", CELL_NUMBER);       /* seconds, too */
    table_column(t, "model", CELL_TEXT);
    table_column(t, "input_tokens", CELL_COUNT);
    table_column(t, "cache_read_tokens", CELL_COUNT);
    table_column(t, "output_tokens", CELL_COUNT);
    table_column(t, "tools", CELL_COUNT);
    table_column(t, "cost", CELL_MONEY);
    table_column(t, "so_far", CELL_MONEY);

    if (x->o->format != TABLE_TEXT) {
        table_column(t, "call_id", CELL_TEXT);
        table_column(t, "operation", CELL_TEXT);
        table_column(t, "provider", CELL_TEXT);
        table_column(t, "status", CELL_COUNT);
        table_column(t, "decision", CELL_TEXT);
        table_column(t, "rule", CELL_TEXT);
        table_column(t, "route", CELL_TEXT);
        table_column(t, "retries", CELL_COUNT);
        table_column(t, "finish", CELL_TEXT);
        table_column(t, "outcome", CELL_TEXT);
        table_column(t, "value", CELL_MONEY);
    }

    table_column(t, "remark", CELL_TEXT);
}


static void
count(trace_t *x, const record_t *r)
{
    int64_t  end = r->time + r->number[REC_DURATION] / 1000000;

    if (x->steps++ == 0) {
        x->first = r->time;
    }

    x->end = end > x->end ? end : x->end;
    x->cost = tg_money_add(x->cost, r->number[REC_COST]);
    x->input = tg_money_add(x->input, r->number[REC_INPUT]);
    x->output = tg_money_add(x->output, r->number[REC_OUTPUT]);
    x->tools = tg_money_add(x->tools, r->number[REC_TOOL_CALLS]);
    x->refused += tg_str_eq(r->text[REC_DECISION], tg_str("refuse"));
    x->retried += r->number[REC_RETRIES] > 0;

    if (tg_str_eq(r->text[REC_EVENT_KIND], tg_str("outcome"))) {
        x->outcomes++;
    } else if (record_is(r, REC_FINAL)) {
        x->calls++;
    } else {
        x->attempts++;
    }

    if (r->number[REC_COST] > x->dearest) {
        x->dearest = r->number[REC_COST];
        x->dearest_at = x->steps;
    }
}


static void
more_cells(trace_t *x, const record_t *r)
{
    table_t  *t = x->table;

    put_text(t, r->text[REC_CALL_ID]);
    put_text(t, r->text[REC_OPERATION]);
    put_text(t, r->text[REC_PROVIDER].len != 0 ? r->text[REC_PROVIDER]
                                               : r->text[REC_VENDOR]);
    put_number(t, r, REC_STATUS);
    put_text(t, r->text[REC_DECISION]);
    put_text(t, r->text[REC_RULE]);
    put_text(t, r->text[REC_ROUTE]);
    put_number(t, r, REC_RETRIES);
    put_text(t, r->text[REC_FINISH]);
    put_text(t, r->text[REC_OUTCOME_NAME]);
    put_number(t, r, REC_OUTCOME_VALUE);
}


static void
step(trace_t *x, const record_t *r)
{
    char      buf[TEXT_MAX], money[TG_MONEY_TEXT_MAX];
    bool      outcome = tg_str_eq(r->text[REC_EVENT_KIND], tg_str("outcome"));
    table_t  *t = x->table;
    tg_str_t  name = r->text[REC_OUTCOME_NAME];

    count(x, r);
    table_int(t, (int64_t) x->steps);
    table_int(t, r->time);
    table_double(t, (double) (r->time - x->first) / 1000);

    if (outcome) {
        table_none(t);
    } else {
        table_double(t, (double) r->number[REC_DURATION] / 1e9);
    }

    put_text(t, model_of(r));
    put_number(t, r, REC_INPUT);
    put_number(t, r, REC_CACHE_READ);
    put_number(t, r, REC_OUTPUT);
    put_number(t, r, REC_TOOL_CALLS);

    if (outcome) {
        table_none(t);
    } else {
        table_int(t, r->number[REC_COST]);
    }

    table_int(t, x->cost);

    if (x->o->format != TABLE_TEXT) {
        more_cells(x, r);
    }

    if (!outcome) {
        put_text(t, remark(buf, r));
        return;
    }

    money[tg_money_text(money, r->number[REC_OUTCOME_VALUE])] = '\0';
    (void) snprintf(buf, sizeof(buf), "outcome: %.*s%s%s", (int) name.len,
                    name.p, record_has(r, REC_OUTCOME_VALUE) ? ", " : "",
                    record_has(r, REC_OUTCOME_VALUE) ? money : "");
    table_text(t, tg_strz(buf));
}


static void
notes(trace_t *x)
{
    char  text[TEXT_MAX], a[TG_MONEY_TEXT_MAX], b[TG_MONEY_TEXT_MAX];

    (void) snprintf(text, sizeof(text), "%llu calls in %.1f s for %.*s USD:"
                    " %lld tokens in, %lld out, %lld calls of tools; %llu"
                    " refused, %llu retries, %llu attempts that failed",
                    (unsigned long long) x->calls,
                    (double) (x->end - x->first) / 1000,
                    (int) tg_money_text(a, x->cost), a, (long long) x->input,
                    (long long) x->output, (long long) x->tools,
                    (unsigned long long) x->refused,
                    (unsigned long long) x->retried,
                    (unsigned long long) x->attempts);
    table_note(x->table, "session", text);

    if (x->steps > 1 && x->cost > 0) {
        (void) snprintf(text, sizeof(text), "the dearest step is %llu: %.*s USD,"
                        " %.0f%% of it all",
                        (unsigned long long) x->dearest_at,
                        (int) tg_money_text(b, x->dearest), b,
                        100 * (double) x->dearest / (double) x->cost);
        table_note(x->table, "dearest", text);
    }
}


static void
want(report_options_t *o)
{
    static const record_text_t  texts[] = {
        REC_SESSION, REC_TRACE_ID, REC_CALL_ID, REC_EVENT_KIND, REC_MODEL,
        REC_SENT_MODEL, REC_ASKED_MODEL, REC_OPERATION, REC_PROVIDER,
        REC_VENDOR, REC_DECISION, REC_RULE, REC_ROUTE, REC_ERROR_TYPE,
        REC_SOURCE, REC_FINISH, REC_OUTCOME_NAME
    };

    static const record_number_t  numbers[] = {
        REC_SEQ, REC_INPUT, REC_CACHE_READ, REC_OUTPUT, REC_TOOL_CALLS,
        REC_COST, REC_DURATION, REC_STATUS, REC_RETRIES, REC_WAITED_MS,
        REC_OUTCOME_VALUE
    };

    o->reader.kinds = READER_CALLS | READER_OUTCOMES;

    record_want_texts(&o->reader.want, texts, sizeof(texts) / sizeof(texts[0]));

    record_want_numbers(&o->reader.want, numbers,
                        sizeof(numbers) / sizeof(numbers[0]));
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    bool      broken = false;
    trace_t  *x = data;
    record_t  r;

    (void) stats;
    x->table = t;
    columns(x);

    while (timeline_next(x->line, &r, &broken)) {
        if (x->o->top == 0 || x->steps < x->o->top) {
            step(x, &r);
        } else {
            count(x, &r);
        }
    }

    if (broken) {
        return false;
    }

    if (x->steps == 0) {
        return failed(x->id.p, "no line is of a session, a trace or a call of"
                      " that name");
    }

    notes(x);

    return true;
}


int
trace_command(int argc, char **argv)
{
    static const report_job_t  job = { "steps", take, true, print };

    int               rc = 1;
    trace_t           x;
    report_options_t  o;

    if (!report_options(&o, argc, argv, NULL, NULL)) {
        return 2;
    }

    memset(&x, 0, sizeof(x));
    x.o = &o;
    x.id = tg_strz(o.files[0]);
    want(&o);

    if (o.nfiles < 2 || o.nby != 0) {
        report_options_free(&o);
        return fail("trace", "takes a session's name, then files") + 1;
    }

    o.files++;
    o.nfiles--;
    x.line = timeline_new(0);

    if (x.line != NULL) {
        rc = report_run(&o, &job, &x);
    }

    timeline_free(x.line);
    report_options_free(&o);

    return rc;
}
