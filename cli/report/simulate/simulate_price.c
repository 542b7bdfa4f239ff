/* The same usage at other prices. */

#include "reprice.h"
#include "simulate_int.h"
#include "kind/listing.h"
#include "rows/groups.h"
#include "llmctl.h"

#include <errno.h>
#include <stdio.h>

#define TOP  40                         /* rows of a readable table */

/* Of lines. Money is nano-dollars. */
typedef struct {
    int64_t  lines;
    int64_t  then, now;
    int64_t  same, dearer, cheaper;     /* lines */
    int64_t  kept, kept_cost;           /* whose cost is not of a list */
    int64_t  unpriced, unpriced_cost;   /* the list has no price; what they cost
                                           then */
    int64_t  incomplete;
} sums_t;

typedef struct {
    simulate_t  *s;
    groups_t    *groups;
    table_t     *table;
    sums_t       all, others;
    uint64_t     rows, nothers;
} prices_t;


static void
add_sums(void *to, const void *from)
{
    sums_t        *a = to;
    const sums_t  *b = from;

    a->lines += b->lines;
    a->then = tg_money_add(a->then, b->then);
    a->now = tg_money_add(a->now, b->now);
    a->same += b->same;
    a->dearer += b->dearer;
    a->cheaper += b->cheaper;
    a->kept += b->kept;
    a->kept_cost = tg_money_add(a->kept_cost, b->kept_cost);
    a->unpriced += b->unpriced;
    a->unpriced_cost = tg_money_add(a->unpriced_cost, b->unpriced_cost);
    a->incomplete += b->incomplete;
}


/* As if the call had gone to another model. */
static tg_str_t
swapped(const simulate_t *s, record_t *r)
{
    tg_str_t       sent = reprice_sent_model(r);
    const swap_t  *swap = s->swaps;

    for (unsigned i = 0; i < s->nswaps; i++, swap++) {
        if (tg_str_match(sent, swap->from)
            || tg_str_match(r->text[REC_MODEL], swap->from))
        {
            r->text[REC_MODEL] = tg_str_null;
            r->text[REC_PRICE_ID] = tg_str_null;
            r->text[REC_COST_SOURCE] = tg_str_null;
            r->text[REC_SENT_MODEL] = swap->to;
            return swap->vendor;
        }
    }

    return tg_str_null;
}


static bool
take(void *data, const record_t *r)
{
    sums_t      s;
    record_t    as;
    tg_str_t    vendor;
    prices_t   *p = data;
    reprice_t   cost;

    memset(&s, 0, sizeof(s));

    if (p->s->nswaps == 0) {
        reprice(p->s->book, tg_str_null, r, &cost);

    } else {
        as = *r;
        vendor = swapped(p->s, &as);
        reprice(p->s->book, vendor, &as, &cost);
    }

    s.lines = 1;
    s.then = r->number[REC_COST];
    s.now = cost.total;
    s.incomplete = cost.incomplete;

    if (cost.by != REPRICE_LIST && cost.by != REPRICE_NOTHING) {
        s.kept = 1;
        s.kept_cost = s.then;

    } else if (!cost.priced) {
        s.unpriced = 1;
        s.unpriced_cost = s.then;

    } else {
        s.same = s.now == s.then;
        s.dearer = s.now > s.then;
        s.cheaper = s.now < s.then;
    }

    add_sums(&p->all, &s);

    return groups_take_line(p->groups, p->s->o.by, p->s->o.reader.zone, r, &s);
}


/* Where it makes the largest difference. */
static void
by_difference(int64_t rank[2], const tg_str_t *values, const void *sums)
{
    int64_t        d;
    const sums_t  *s = sums;

    (void) values;
    d = tg_money_less(s->now, s->then);
    rank[0] = ~(d < 0 ? tg_money_less(0, d) : d);
    rank[1] = ~s->then;
}


static void
columns(prices_t *p)
{
    table_t                 *t = p->table;
    const report_options_t  *o = &p->s->o;

    listing_columns(t, o->by, o->nby);
    table_column(t, "lines", CELL_COUNT);
    table_column(t, "cost_then", CELL_MONEY);
    table_column(t, "cost_now", CELL_MONEY);
    table_column(t, "difference", CELL_MONEY);
    table_column(t, "change", CELL_PERCENT);
    table_column(t, "same", CELL_COUNT);
    table_column(t, "dearer", CELL_COUNT);
    table_column(t, "cheaper", CELL_COUNT);
    table_column(t, "kept", CELL_COUNT);
    table_column(t, "unpriced", CELL_COUNT);
}


static void
cells(table_t *t, const sums_t *s)
{
    table_int(t, s->lines);
    table_int(t, s->then);
    table_int(t, s->now);
    table_int(t, tg_money_less(s->now, s->then));

    if (s->then == 0) {
        table_none(t);
    } else {
        table_double(t, (double) tg_money_less(s->now, s->then)
                        / (double) s->then);
    }

    table_int(t, s->same);
    table_int(t, s->dearer);
    table_int(t, s->cheaper);
    table_int(t, s->kept);
    table_int(t, s->unpriced);
}


static bool
row(void *data, const tg_str_t *values, const void *sums)
{
    prices_t                *p = data;
    const report_options_t  *o = &p->s->o;

    if (o->top != 0 && p->rows == o->top) {
        add_sums(&p->others, sums);
        p->nothers++;
        return true;
    }

    listing_values(p->table, values, o->nby);

    p->rows++;
    cells(p->table, sums);

    return true;
}


static void
sum_row(prices_t *p, const char *name, const sums_t *s)
{
    for (unsigned i = 0; i < p->s->o.nby; i++) {
        table_text(p->table, i == 0 ? tg_strz(name) : tg_str(""));
    }

    cells(p->table, s);
}


static void
note(prices_t *p, const char *name, int64_t lines, int64_t nusd,
    const char *what)
{
    char  sentence[300], money[TG_MONEY_TEXT_MAX];

    if (lines != 0) {
        (void) snprintf(sentence, sizeof(sentence), "%lld lines, which cost"
                        " %.*s USD then, %s", (long long) lines,
                        (int) tg_money_text(money, nusd), money, what);
        table_note(p->table, name, sentence);
    }
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    char       text[80];
    prices_t  *p = data;

    (void) stats;
    p->table = t;
    columns(p);

    if (!groups_each(p->groups, by_difference, row, p)) {
        return failed("simulate", "the temporary file can't be used");
    }

    if (p->nothers != 0) {
        (void) snprintf(text, sizeof(text), "(%llu others)",
                        (unsigned long long) p->nothers);
        sum_row(p, text, &p->others);
    }

    if (p->s->o.nby != 0) {
        table_total(p->table);
        sum_row(p, "all", &p->all);
    }

    note(p, "kept_lines", p->all.kept, p->all.kept_cost,
         "keep that: the provider said it, or it is of GPU time, or of what was"
         " held when a process was killed");
    note(p, "unpriced_lines", p->all.unpriced, p->all.unpriced_cost,
         "have no price in these lists and cost nothing now");

    if (p->all.incomplete != 0) {
        (void) snprintf(text, sizeof(text), "of %lld lines these lists lack a"
                        " price for a part", (long long) p->all.incomplete);
        table_note(p->table, "incomplete", text);
    }

    if (p->s->nswaps != 0) {
        table_note(p->table, "swapped", "another model is taken to use the same"
                   " tokens; it may use more of them, or fewer");
    }

    return true;
}


int
simulate_prices(simulate_t *s)
{
    static const report_job_t  job = { "simulate", take, false, print };

    int                rc;
    prices_t           p;
    report_options_t  *o = &s->o;

    memset(&p, 0, sizeof(p));
    p.s = s;

    if (o->nby == 0) {
        (void) dimension_parse(&o->by[o->nby++], "model");
        dimension_want(&o->by[0], &o->reader.want);
    }

    if (o->top == 0 && o->format == TABLE_TEXT) {
        o->top = TOP;
    }

    reprice_want(&o->reader.want);
    p.groups = groups_new(o->nby, sizeof(sums_t), add_sums, o->rows_memory);
    rc = p.groups == NULL ? fail("simulate", strerror(ENOMEM))
                          : report_run(o, &job, &p);
    groups_free(p.groups);

    return rc;
}
