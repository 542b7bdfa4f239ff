/*
 * llmctl report customers - what customers cost and what they pay.
 */

#include "kinds.h"
#include "revenue.h"
#include "kind/listing.h"
#include "kind/report.h"
#include "rows/few.h"
#include "rows/groups.h"
#include "llmctl.h"

#include "tg_money.h"

#include <errno.h>
#include <stdio.h>

#define TOP  40                         /* rows of a readable table */

/* Money is nano-dollars. */
typedef struct {
    int64_t  cost;
    int64_t  calls;
    int64_t  revenue;
    bool     pays;                      /* there is a line about it */
} sums_t;

typedef struct {
    report_options_t  *o;
    const char        *revenue;
    bool               periods;         /* months apart */
    dimension_t        by[2];           /* the customer, the month */
    groups_t          *groups;
    few_t             *paid;            /* customer, month */
    few_t             *months;          /* that the log has calls of */
    few_t             *rows;            /* customer, month or "" */
    table_t           *table;
    sums_t             all, nobody;
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
    x->full = !groups_take(x->groups, r, &s);

    return !x->full;
}


static bool
pays(void *data, tg_str_t customer, tg_str_t period, int64_t nusd)
{
    sums_t       *s;
    tg_str_t      key[2] = { customer, period };
    customers_t  *x = data;

    s = few_at(x->paid, key);

    if (s == NULL) {
        return false;
    }

    s->revenue = tg_money_add(s->revenue, nusd);
    s->pays = true;
    x->by_month |= period.len != 0;

    return true;
}


/* To its row, or to that of the month. */
static bool
put(customers_t *x, tg_str_t customer, tg_str_t month, const sums_t *s)
{
    void      *to;
    tg_str_t   key[2] = { customer, x->periods ? month : tg_str_null };

    to = few_at(x->rows, key);

    if (to == NULL) {
        return false;
    }

    add_sums(to, s);

    return true;
}


static bool
row(void *data, const tg_str_t *values, const void *sums)
{
    customers_t  *x = data;

    if (few_at(x->months, &values[1]) == NULL) {
        x->full = true;

    } else if (values[0].len == 0) {
        add_sums(&x->nobody, sums);

    } else {
        x->full = !put(x, values[0], values[1], sums);
    }

    return !x->full;
}


/* What is paid for months that the log has calls of, and for all the time. */
static bool
join(customers_t *x)
{
    void            *s;
    size_t           months = few_count(x->months);
    const tg_str_t  *v;

    for (size_t i = 0; (v = few_get(x->paid, i, &s)) != NULL; i++) {
        if (v[1].len != 0) {
            if (few_at(x->months, &v[1]) == NULL) {
                return false;
            }

            if (few_count(x->months) != months) {      /* it was not there */
                months = few_count(x->months);
                *(bool *) few_at(x->months, &v[1]) = true;
            }

            if (*(bool *) few_at(x->months, &v[1])) {
                x->left_out = tg_money_add(x->left_out,
                                           ((sums_t *) s)->revenue);
                continue;
            }
        }

        if (!put(x, v[0], v[1], s)) {
            return false;
        }
    }

    return true;
}


/* Who loses most comes first. */
static int
by_margin(const tg_str_t *va, const void *a, const tg_str_t *vb, const void *b)
{
    const sums_t  *one = a, *two = b;
    int64_t        x = tg_money_less(one->revenue, one->cost);
    int64_t        y = tg_money_less(two->revenue, two->cost);

    (void) va;
    (void) vb;

    return x < y ? -1 : x > y;
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


/* What is to be known of all of them. */
typedef struct {
    uint64_t  customers, losers, unpaid, idle;
    int64_t   lost, unpaid_cost;
} verdict_t;


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
print(customers_t *x, const reader_stats_t *stats)
{
    void            *s;
    verdict_t        v;
    const tg_str_t  *values;

    columns(x);

    if (!groups_each(x->groups, NULL, row, x)) {
        return failed("report", "the temporary file can't be used");
    }

    if (x->full || !join(x)) {
        return failed("report", "there are too many customers");
    }

    memset(&v, 0, sizeof(v));
    few_sort(x->rows, by_margin);

    for (size_t i = 0; (values = few_get(x->rows, i, &s)) != NULL; i++) {
        add_sums(&x->all, s);
        judge(&v, s);

        if (x->o->top == 0 || i < x->o->top) {
            cells(x, values[0], values[1], s);
        }
    }

    add_sums(&x->all, &x->nobody);
    table_total(x->table);
    cells(x, tg_str("all"), tg_str_null, &x->all);
    notes(x, &v, stats);
    listing_left_out(x->table, few_count(x->rows), x->o->top);

    return true;
}


static bool
begin(customers_t *x)
{
    report_options_t  *o = x->o;

    if (x->revenue == NULL) {
        return failed("report", "--revenue=FILE.csv says what customers pay:"
                      " customer,period,revenue");
    }

    if (o->nby > 1) {
        return failed("--by", "takes one dimension: who customers are");
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

    x->groups = groups_new(x->by, 2, o->reader.zone, sizeof(sums_t), add_sums);
    x->paid = few_new(2, sizeof(sums_t));
    x->rows = few_new(2, sizeof(sums_t));
    x->months = few_new(1, sizeof(bool));
    x->table = table_new(o->format, "customers");

    return (x->groups != NULL && x->paid != NULL && x->rows != NULL
            && x->months != NULL && x->table != NULL)
           || failed("report", strerror(ENOMEM));
}


int
report_customers(int argc, char **argv)
{
    int               rc = 1;
    customers_t       x;
    reader_stats_t    stats;
    report_options_t  o;

    memset(&x, 0, sizeof(x));
    x.o = &o;

    const option_t  own[] = {
        { "revenue", &x.revenue, NULL }, { "periods", NULL, &x.periods },
        { NULL, NULL, NULL }
    };

    if (!report_options(&o, argc, argv, own, NULL)) {
        return 2;
    }

    if (begin(&x) && revenue_read(x.revenue, pays, &x)
        && reader_run(o.files, o.nfiles, &o.reader, take, &x, &stats))
    {
        if (x.full) {
            (void) fail("report", "there are too many rows for the memory");

        } else if (print(&x, &stats)) {
            rc = report_print(&o, x.table, &stats);
            x.table = NULL;
        }
    }

    table_drop(x.table);

    groups_free(x.groups);
    few_free(x.paid);
    few_free(x.rows);
    few_free(x.months);
    report_options_free(&o);

    return rc;
}
