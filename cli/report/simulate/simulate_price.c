/* The same usage at other prices. */

#include "reprice.h"
#include "simulate_int.h"
#include "kind/listing.h"
#include "kind/ranking.h"

#include <stdio.h>

#define TOP  40                         /* rows of a readable table */

/* Of lines; all int64_t. Money is nano-dollars. */
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
    ranking_t    ranking;
} prices_t;


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

    return ranking_take(&p->ranking, r, &s);
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
columns(const report_options_t *o, table_t *t)
{
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
cells(void *data, table_t *t, const void *sums, bool row)
{
    const sums_t  *s = sums;

    (void) data;
    (void) row;
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


static void
note(table_t *t, const char *name, int64_t lines, int64_t nusd,
    const char *what)
{
    char  sentence[300], money[TG_MONEY_TEXT_MAX];

    if (lines != 0) {
        (void) snprintf(sentence, sizeof(sentence), "%lld lines, which cost"
                        " %.*s USD then, %s", (long long) lines,
                        (int) tg_money_text(money, nusd), money, what);
        table_note(t, name, sentence);
    }
}


static void
notes(table_t *t, const sums_t *all)
{
    char  text[80];

    note(t, "kept_lines", all->kept, all->kept_cost,
         "keep that: the provider said it, or it is of GPU time, or of what was"
         " held when a process was killed");
    note(t, "unpriced_lines", all->unpriced, all->unpriced_cost,
         "have no price in these lists and cost nothing now");

    if (all->incomplete != 0) {
        (void) snprintf(text, sizeof(text), "of %lld lines these lists lack a"
                        " price for a part", (long long) all->incomplete);
        table_note(t, "incomplete", text);
    }
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    prices_t  *p = data;

    (void) stats;
    columns(&p->s->o, t);

    if (!ranking_print(&p->ranking, t, by_difference)) {
        return false;
    }

    notes(t, p->ranking.all);

    if (p->s->nswaps != 0) {
        table_note(t, "swapped", "another model is taken to use the same"
                   " tokens; it may use more of them, or fewer");
    }

    return true;
}


int
simulate_prices(simulate_t *s)
{
    static const report_job_t    job = { "simulate", take, false, print };
    static const ranking_kind_t  kind = { sizeof(sums_t), NULL, cells, NULL };

    int                rc = 1;
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

    if (ranking_init(&p.ranking, &kind, &p, o, o->by, o->nby)) {
        rc = report_run(o, &job, &p);
    }

    ranking_free(&p.ranking);

    return rc;
}
