/* llmctl report commitments: what was committed to against what it would have
 * cost on demand; and of what is on demand, how much could be committed to. */

#include "kinds.h"
#include "commit_file.h"
#include "kind/report.h"
#include "rows/fold.h"
#include "llmctl.h"

#include "tg_money.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR_MS   INT64_C(3600000)
#define BASE      0.1                   /* part of the hours below the base */
#define NAME      600

/* Of an hour of a commitment, or of a vendor's model on demand. */
typedef struct {
    int64_t  calls;
    int64_t  tokens;
    int64_t  nusd;                      /* by list price, on demand */
    int64_t  cost;                      /* by the lines */
} hour_t;

typedef struct {
    report_options_t  o;
    commitments_t     file;
    const char       *file_name;
    fold_t           *fold;
    int64_t           first, last;      /* hours */
    bool              any;
} commit_t;

/* Of all hours of one. */
typedef struct {
    tg_str_t             name;
    const commitment_t  *c;             /* NULL: on demand */
    int64_t              hours;         /* that it was there */
    hour_t               sum;
    int64_t              used;          /* hours with a call */
    int64_t              base, most;    /* of an hour; nano-dollars */
    int64_t             *costs;         /* of each used hour */
    size_t               n, room;
} account_t;


static bool
line(void *data, const record_t *r)
{
    char                 buf[NAME];
    int                  len;
    hour_t              *h;
    int64_t              list, hour = r->time / HOUR_MS, i;
    commit_t            *c = data;
    tg_str_t             model = r->text[REC_MODEL];
    const commitment_t  *one = commitment_of(&c->file, r);

    c->first = !c->any || hour < c->first ? hour : c->first;
    c->last = !c->any || hour > c->last ? hour : c->last;
    c->any = true;

    list = record_has(r, REC_COST_LIST) ? r->number[REC_COST_LIST]
                                        : r->number[REC_COST];

    if (list <= 0 && r->number[REC_INPUT] + r->number[REC_OUTPUT] <= 0) {
        return true;
    }

    if (tg_str_eq(r->text[REC_COST_SOURCE], tg_str("gpu"))
        || tg_str_eq(r->text[REC_SOURCE], tg_str("cached")))
    {
        return true;                    /* own, or not sent at all */
    }

    model = model.len != 0 ? model : r->text[REC_ASKED_MODEL];
    len = snprintf(buf, sizeof(buf), "%.*s/%.*s",
                   (int) r->text[REC_VENDOR].len, r->text[REC_VENDOR].p,
                   (int) model.len, model.p);
    i = one == NULL ? COMMITMENTS_MAX : one - c->file.list;

    fold_key(c->fold);
    fold_int(c->fold, i);
    fold_str(c->fold, one != NULL ? one->id
                                  : tg_str_of(buf, (size_t) len < sizeof(buf)
                                                   ? (size_t) len
                                                   : sizeof(buf) - 1));
    fold_int(c->fold, hour);
    h = fold_value(c->fold);

    if (h == NULL) {
        return fold_too_many("report") == 0;
    }

    h->calls += record_is(r, REC_FINAL);
    h->tokens = tg_money_add(h->tokens, tg_money_add(r->number[REC_INPUT],
                                                     r->number[REC_OUTPUT]));
    h->nusd = tg_money_add(h->nusd, list);
    h->cost = tg_money_add(h->cost, r->number[REC_COST]);

    return true;
}


static int
by_size(const void *a, const void *b)
{
    int64_t  one = *(const int64_t *) a, two = *(const int64_t *) b;

    return one < two ? -1 : one > two;
}


/* What is spent at least in nine of ten hours; hours without a call count. */
static void
account_base(account_t *a)
{
    int64_t  at = (int64_t) ((double) a->hours * BASE);
    int64_t  empty = a->hours - (int64_t) a->n;

    if (a->n == 0) {
        return;
    }

    qsort(a->costs, a->n, sizeof(int64_t), by_size);
    a->most = a->costs[a->n - 1];
    a->base = at < empty || at - empty >= (int64_t) a->n ? 0
              : a->costs[at - empty];
}


static void
account_hours(const commit_t *c, account_t *a)
{
    int64_t  from = c->first * HOUR_MS, until = (c->last + 1) * HOUR_MS;

    from = c->o.reader.since != INT64_MIN ? c->o.reader.since : from;
    until = c->o.reader.until != INT64_MAX ? c->o.reader.until : until;

    if (a->c != NULL) {
        from = a->c->from > from ? a->c->from : from;
        until = a->c->until < until ? a->c->until : until;
    }

    a->hours = until > from ? (until - from + HOUR_MS - 1) / HOUR_MS : 0;
}


static bool
account_add(account_t *a, const hour_t *h)
{
    size_t    room = a->room == 0 ? 256 : a->room * 2;
    int64_t  *costs;

    if (a->n == a->room) {
        costs = realloc(a->costs, room * sizeof(int64_t));
        if (costs == NULL) {
            return false;
        }
        a->costs = costs;
        a->room = room;
    }

    a->costs[a->n++] = h->nusd;
    a->sum.calls += h->calls;
    a->sum.tokens = tg_money_add(a->sum.tokens, h->tokens);
    a->sum.nusd = tg_money_add(a->sum.nusd, h->nusd);
    a->sum.cost = tg_money_add(a->sum.cost, h->cost);
    a->used++;

    return true;
}


static void
account_print(const commit_t *c, table_t *t, account_t *a)
{
    double   room;
    int64_t  committed;

    account_hours(c, a);
    account_base(a);

    table_text(t, a->name);
    table_text(t, a->c != NULL ? tg_str("committed") : tg_str("on demand"));
    table_int(t, a->hours);
    table_int(t, a->sum.calls);
    table_int(t, a->sum.tokens);

    if (a->c == NULL) {
        table_none(t);
        table_none(t);
        table_int(t, a->sum.nusd);
        table_none(t);
        table_none(t);
    } else {
        committed = __builtin_mul_overflow(a->c->per_hour, a->hours,
                                           &committed) ? INT64_MAX : committed;
        room = (double) a->c->per_minute * 60 * (double) a->hours;

        table_int(t, committed);
        if (room > 0) {
            table_double(t, (double) a->sum.tokens / room);
        } else {
            table_none(t);
        }
        table_int(t, a->sum.nusd);
        table_int(t, tg_money_add(a->sum.nusd, -committed));
        if (committed > 0) {
            table_double(t, (double) a->sum.nusd / (double) committed);
        } else {
            table_none(t);
        }
    }

    table_double(t, a->hours == 0 ? 0 : (double) a->used / (double) a->hours);
    table_int(t, a->base);
    table_int(t, a->most);
}


static void
columns(table_t *t)
{
    table_column(t, "commitment", CELL_TEXT);
    table_column(t, "kind", CELL_TEXT);
    table_column(t, "hours", CELL_COUNT);
    table_column(t, "calls", CELL_COUNT);
    table_column(t, "tokens", CELL_COUNT);
    table_column(t, "committed", CELL_MONEY);
    table_column(t, "utilization", CELL_PERCENT);
    table_column(t, "on_demand", CELL_MONEY);
    table_column(t, "saved", CELL_MONEY);
    table_column(t, "worth", CELL_PERCENT);
    table_column(t, "hours_used", CELL_PERCENT);
    table_column(t, "base_per_hour", CELL_MONEY);
    table_column(t, "most_per_hour", CELL_MONEY);
}


static void
account_next(const commit_t *c, account_t *a, int64_t i, tg_str_t name,
    char *buf)
{
    memcpy(buf, name.p, name.len);
    a->name = tg_str_of(buf, name.len);
    a->c = i == COMMITMENTS_MAX ? NULL : &c->file.list[i];
    a->used = 0;
    a->n = 0;
    a->base = a->most = 0;
    memset(&a->sum, 0, sizeof(a->sum));
}


/* One commitment after the other, those that no line is of, too. */
static bool
rows_print(const commit_t *c, table_t *t)
{
    char        buf[NAME], kept[NAME];
    bool        ok = true, open = false;
    hour_t     *h;
    int64_t     i, next = 0;
    tg_str_t    name;
    account_t   a;
    fold_key_t  key;

    memset(&a, 0, sizeof(a));

    for (size_t n = 0; ok && n < fold_count(c->fold); n++) {
        h = fold_at(c->fold, n, &key);
        i = fold_next_int(&key);
        name = fold_next_str(&key, buf, sizeof(buf));

        if (!open || !tg_str_eq(name, a.name)
            || (i == COMMITMENTS_MAX) != (a.c == NULL))
        {
            if (open) {
                account_print(c, t, &a);
            }

            for ( ; next < i && next < c->file.n; next++) {
                account_next(c, &a, next, c->file.list[next].id, kept);
                account_print(c, t, &a);
            }

            next = i + 1;
            account_next(c, &a, i, name, kept);
            open = true;
        }

        ok = account_add(&a, h);
    }

    if (open) {
        account_print(c, t, &a);
    }

    for ( ; next < c->file.n; next++) {
        account_next(c, &a, next, c->file.list[next].id, kept);
        account_print(c, t, &a);
    }

    free(a.costs);

    return ok;
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    commit_t  *c = data;

    (void) stats;
    columns(t);
    fold_sort(c->fold);

    if (!rows_print(c, t)) {
        return failed("report", strerror(ENOMEM));
    }

    if (c->file.n != 0) {
        table_note(t, "saved", "saved is on_demand less committed: below 0 the"
                   " commitment costs more than it is used for; worth is"
                   " on_demand by committed");
    }

    table_note(t, "base", "base_per_hour is what nine of ten hours cost at"
               " least on demand: what is committed to above it stands idle"
               " at times");

    return true;
}


static int
begin(void *data)
{
    commit_t       *c = data;
    record_want_t  *want = &c->o.reader.want;

    if (c->o.nby != 0) {
        return 2 * fail("--by", "has no meaning here");
    }

    if (c->file_name != NULL && !commitments_read(&c->file, c->file_name)) {
        return 2;
    }

    commitment_want(want);
    record_want_text(want, REC_COST_SOURCE);
    record_want_text(want, REC_SOURCE);
    record_want_number(want, REC_COST);
    record_want_number(want, REC_COST_LIST);
    record_want_number(want, REC_INPUT);
    record_want_number(want, REC_OUTPUT);
    c->o.reader.kinds = READER_CALLS;
    c->fold = fold_new(sizeof(hour_t));

    return c->fold != NULL ? 0 : fail("report", strerror(ENOMEM));
}


static void
end(void *data)
{
    commit_t  *c = data;

    commitments_free(&c->file);
    fold_free(c->fold);
}


int
report_commitments(int argc, char **argv)
{
    commit_t              c;
    const option_t        own[] = {
        { "commitments", &c.file_name, NULL }, { NULL, NULL, NULL }
    };
    const report_whole_t  whole = {
        { "commitments", line, true, print }, own, begin, end
    };

    memset(&c, 0, sizeof(c));

    return report_whole(&whole, &c.o, &c, argc, argv);
}
