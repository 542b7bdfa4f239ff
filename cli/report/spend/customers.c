/*
 * llmctl report customers - what customers cost and what they pay.
 */

#include "kinds.h"
#include "revenue.h"
#include "kind/listing.h"
#include "kind/report.h"
#include "rows/fold.h"
#include "rows/groups.h"
#include "llmctl.h"

#include "tg_money.h"

#include <errno.h>
#include <stdio.h>

#define TOP          40                 /* rows of a readable table */
#define PAID_MEMORY  ((size_t) 16 * 1024 * 1024)

/* Money is nano-dollars. */
typedef struct {
    int64_t  cost;
    int64_t  calls;
    int64_t  revenue;
    bool     pays;                      /* there is a line about it */
} sums_t;

/* What is to be known of all of them. */
typedef struct {
    uint64_t  customers, losers, unpaid, idle;
    int64_t   lost, unpaid_cost;
} verdict_t;

typedef struct {
    report_options_t   o;
    const char        *revenue;
    bool               periods;         /* months apart */
    dimension_t        by[2];           /* the customer, the month */
    groups_t          *groups;
    groups_t          *paid;            /* customer, month */
    fold_t            *months;          /* that the log has calls of; bool */
    groups_t          *customers;       /* customer, month or "" */
    table_t           *table;
    sums_t             all, nobody;
    verdict_t          verdict;
    uint64_t           rows;            /* shown or not */
    int64_t            left_out;        /* revenue of other months */
    bool               by_month;        /* some revenue is of a month */
    bool               full;
} customers_t;


static void
add_sums(void *to, const void *from)
{
    sums_t        *a = to;
    const sums_t  *b = from;

    a->cost = tg_money_add(a->cost, b->cost);
    a->calls += b->calls;
    a->revenue = tg_money_add(a->revenue, b->revenue);
    a->pays |= b->pays;
}


static bool
take(void *data, const record_t *r)
{
    sums_t        s;
    customers_t  *x = data;

    memset(&s, 0, sizeof(s));
    s.cost = r->number[REC_COST];
    s.calls = record_is(r, REC_FINAL);

    return groups_take_line(x->groups, x->by, x->o.reader.zone, r, &s);
}


static bool
pays(void *data, tg_str_t customer, tg_str_t period, int64_t nusd)
{
    sums_t        s = { 0, 0, nusd, true };
    tg_str_t      values[2] = { customer, period };
    customers_t  *x = data;

    x->by_month |= period.len != 0;

    return groups_take(x->paid, values, &s);
}


/* To its row, or to that of the month. */
static bool
put(customers_t *x, tg_str_t customer, tg_str_t month, const void *sums)
{
    tg_str_t  values[2] = { customer, x->periods ? month : tg_str_null };

    return groups_take(x->customers, values, sums);
}


/* NULL: no room. */
static bool *
month_of(customers_t *x, tg_str_t month)
{
    fold_key(x->months);
    fold_str(x->months, month);

    return fold_value(x->months);
}


static bool
row(void *data, const tg_str_t *values, const void *sums)
{
    bool         *month;
    customers_t  *x = data;

    month = month_of(x, values[1]);

    if (month == NULL) {
        x->full = true;
        return false;
    }

    *month = true;

    if (values[0].len == 0) {
        add_sums(&x->nobody, sums);
    } else {
        x->full = !put(x, values[0], values[1], sums);
    }

    return !x->full;
}


/* What is paid for months that the log has calls of, and for all the time. */
static bool
join(void *data, const tg_str_t *values, const void *sums)
{
    bool          *month;
    customers_t   *x = data;
    const sums_t  *s = sums;

    month = values[1].len == 0 ? NULL : month_of(x, values[1]);

    if (month != NULL && !*month) {
        x->left_out = tg_money_add(x->left_out, s->revenue);

    } else {
        x->full = !put(x, values[0], values[1], s) || fold_failed(x->months);
    }

    return !x->full;
}


/* Who loses most comes first. */
static void
by_margin(int64_t rank[2], const tg_str_t *values, const void *sums)
{
    const sums_t  *s = sums;

    (void) values;
    rank[0] = tg_money_less(s->revenue, s->cost);
}


static void
columns(customers_t *x)
{
    table_t  *t = x->table;

    table_column(t, "customer", CELL_TEXT);

    if (x->periods) {
        table_column(t, "period", CELL_TEXT);
    }

    table_column(t, "revenue", CELL_MONEY);
    table_column(t, "cost", CELL_MONEY);
    table_column(t, "margin", CELL_MONEY);
    table_column(t, "margin_percent", CELL_PERCENT);
    table_column(t, "calls", CELL_COUNT);
    table_column(t, "cost_per_call", CELL_MONEY);
    table_column(t, "loses", CELL_TEXT);
}


static void
cells(customers_t *x, tg_str_t customer, tg_str_t period, const sums_t *s)
{
    table_t  *t = x->table;

    listing_values(t, &customer, 1);
    listing_values(t, &period, x->periods);

    if (s->pays) {
        table_int(t, s->revenue);
    } else {
        table_none(t);
    }

    table_int(t, s->cost);
    table_int(t, tg_money_less(s->revenue, s->cost));

    if (s->revenue > 0) {
        table_double(t, (double) tg_money_less(s->revenue, s->cost)
                        / (double) s->revenue);
    } else {
        table_none(t);
    }

    table_int(t, s->calls);

    if (s->calls != 0) {
        table_int(t, s->cost / s->calls);
    } else {
        table_none(t);
    }

    if (!s->pays) {
        table_text(t, tg_str("pays nothing that is known"));
    } else if (s->cost > s->revenue) {
        table_text(t, tg_str("yes"));
    } else {
        table_none(t);
    }
}


static void
judge(verdict_t *v, const sums_t *s)
{
    v->customers++;

    if (s->pays && s->cost > s->revenue) {
        v->losers++;
        v->lost = tg_money_add(v->lost,
                               tg_money_less(s->cost, s->revenue));
    }

    if (!s->pays) {
        v->unpaid++;
        v->unpaid_cost = tg_money_add(v->unpaid_cost, s->cost);
    }

    v->idle += s->pays && s->calls == 0;
}


static const char *
usd(char *buf, int64_t nusd)
{
    buf[tg_money_text(buf, nusd)] = '\0';

    return buf;
}


static void
notes(customers_t *x, const verdict_t *v, const reader_stats_t *stats)
{
    char  text[300], a[TG_MONEY_TEXT_MAX + 1];

    (void) snprintf(text, sizeof(text), "%llu of %llu that pay cost more than"
                    " that: %s USD are lost with them",
                    (unsigned long long) v->losers,
                    (unsigned long long) (v->customers - v->unpaid),
                    usd(a, v->lost));
    table_note(x->table, "losing", text);

    if (v->unpaid != 0) {
        (void) snprintf(text, sizeof(text), "of %llu that cost %s USD no revenue"
                        " is known", (unsigned long long) v->unpaid,
                        usd(a, v->unpaid_cost));
        table_note(x->table, "without_revenue", text);
    }

    if (v->idle != 0) {
        (void) snprintf(text, sizeof(text), "%llu pay and have no calls here",
                        (unsigned long long) v->idle);
        table_note(x->table, "without_calls", text);
    }

    if (x->nobody.cost != 0) {
        (void) snprintf(text, sizeof(text), "%lld calls for %s USD name no"
                        " customer", (long long) x->nobody.calls,
                        usd(a, x->nobody.cost));
        table_note(x->table, "without_customer", text);
    }

    if (x->left_out != 0) {
        (void) snprintf(text, sizeof(text), "%s USD of revenue are of months"
                        " that the log has no calls of, and left out",
                        usd(a, x->left_out));
        table_note(x->table, "left_out", text);
    }

    if (x->by_month && stats->handed != 0) {
        table_note(x->table, "months", "revenue is of whole months: the log"
                   " should be, too");
    }
}


static bool
print_customer(void *data, const tg_str_t *values, const void *sums)
{
    customers_t  *x = data;

    add_sums(&x->all, sums);
    judge(&x->verdict, sums);

    if (x->o.top == 0 || x->rows < x->o.top) {
        cells(x, values[0], values[1], sums);
    }

    x->rows++;

    return true;
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    customers_t  *x = data;

    x->table = t;
    columns(x);

    if (!groups_each(x->groups, NULL, row, x) || x->full
        || !groups_each(x->paid, NULL, join, x) || x->full
        || !groups_each(x->customers, by_margin, print_customer, x))
    {
        return failed("report", "the temporary file can't be used");
    }

    add_sums(&x->all, &x->nobody);
    table_total(x->table);
    cells(x, tg_str("all"), tg_str_null, &x->all);
    notes(x, &x->verdict, stats);
    listing_left_out(x->table, x->rows, x->o.top);

    return true;
}


static int
begin(void *data)
{
    customers_t       *x = data;
    report_options_t  *o = &x->o;

    if (x->revenue == NULL) {
        return fail("report", "--revenue=FILE.csv says what customers pay:"
                    " customer,period,revenue");
    }

    if (o->nby > 1) {
        return fail("--by", "takes one dimension: who customers are");
    }

    if (o->nby == 1) {
        x->by[0] = o->by[0];
    } else {
        (void) dimension_parse(&x->by[0], "org");
    }

    (void) dimension_parse(&x->by[1], "month");
    dimension_want(&x->by[0], &o->reader.want);
    dimension_want(&x->by[1], &o->reader.want);
    record_want_number(&o->reader.want, REC_COST);

    if (o->top == 0 && o->format == TABLE_TEXT) {
        o->top = TOP;
    }

    x->groups = groups_new(2, sizeof(sums_t), add_sums, o->rows_memory);
    x->paid = groups_new(2, sizeof(sums_t), add_sums, PAID_MEMORY);
    x->customers = groups_new(2, sizeof(sums_t), add_sums, o->rows_memory);
    x->months = fold_new(sizeof(bool));

    if (x->groups == NULL || x->paid == NULL || x->customers == NULL
        || x->months == NULL)
    {
        return fail("report", strerror(ENOMEM));
    }

    return !revenue_read(x->revenue, pays, x);
}


static void
end(void *data)
{
    customers_t  *x = data;

    groups_free(x->groups);
    groups_free(x->paid);
    groups_free(x->customers);
    fold_free(x->months);
}


int
report_customers(int argc, char **argv)
{
    customers_t           x;
    const option_t        own[] = {
        { "revenue", &x.revenue, NULL }, { "periods", NULL, &x.periods },
        { NULL, NULL, NULL }
    };
    const report_whole_t  whole = {
        { "customers", take, false, print }, own, begin, end
    };

    memset(&x, 0, sizeof(x));

    return report_whole(&whole, &x.o, &x, argc, argv);
}
