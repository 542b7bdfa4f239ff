/* llmctl reconcile: a provider's invoice against the cost lines. */

#include "kinds.h"
#include "invoice.h"
#include "kind/report.h"
#include "rows/fold.h"
#include "llmctl.h"

#include "tg_money.h"
#include "tg_window.h"

#include <math.h>
#include <stdlib.h>

#define DAY_MS    INT64_C(86400000)
#define WHY_SIZE  200

/* Of one model, and of one day where days are asked for. */
typedef struct {
    int64_t  ours, theirs;
    int64_t  calls;
    int64_t  unpriced, incomplete;      /* lines */
    int64_t  estimated, recovered;      /* nano-dollars, as below */
    int64_t  failed, own, reported;
} line_t;

typedef struct {
    report_options_t   o;
    invoice_columns_t  columns;
    invoice_t          invoice;
    const char        *tolerance;
    double             part;            /* of the invoice */
    int64_t            dollars;         /* INT64_MIN: a part it is */
    bool               by_day, by_model;
    bool               filtered;        /* to the invoice's provider */
    fold_t            *fold;
    line_t             all;
    bool               beyond;          /* the tolerance */
} reconcile_t;


static line_t *
line_of(reconcile_t *c, int64_t day, tg_str_t model)
{
    fold_key(c->fold);
    fold_int(c->fold, c->by_day ? day : 0);
    fold_str(c->fold, c->by_model ? model : tg_str_null);

    return fold_value(c->fold);
}


static bool
their_row(void *data, const invoice_row_t *row)
{
    reconcile_t  *c = data;
    line_t       *l = line_of(c, row->day, row->model);

    if (l == NULL) {
        return false;
    }

    l->theirs = tg_money_add(l->theirs, row->nusd);

    return true;
}


static void
add(int64_t *to, int64_t nusd)
{
    *to = tg_money_add(*to, nusd);
}


static bool
our_line(void *data, const record_t *r)
{
    char          buf[INVOICE_MODEL_SIZE];
    line_t       *l;
    int64_t       cost = r->number[REC_COST], day;
    tg_str_t      model = r->text[REC_MODEL];
    reconcile_t  *c = data;

    if (!record_has(r, REC_COST)) {
        cost = 0;
    }

    if (cost == 0 && !record_is(r, REC_UNPRICED)
        && !record_is(r, REC_INCOMPLETE))
    {
        return true;                    /* refused, or of our own cache */
    }

    model = model.len != 0 ? model : r->text[REC_SENT_MODEL];
    model = model.len != 0 ? model : r->text[REC_ASKED_MODEL];
    day = r->time - r->time % DAY_MS;

    l = line_of(c, day, invoice_model(buf, model));
    if (l == NULL) {
        return false;
    }

    add(&l->ours, cost);
    l->calls += record_is(r, REC_FINAL);
    l->unpriced += record_is(r, REC_UNPRICED);
    l->incomplete += record_is(r, REC_INCOMPLETE);

    if (tg_str_eq(r->text[REC_COST_SOURCE], tg_str("gpu"))) {
        add(&l->own, cost);
    } else if (!record_is(r, REC_FINAL) && !record_is(r, REC_RECOVERED)) {
        add(&l->failed, cost);
    } else if (record_is(r, REC_RECOVERED)
               || tg_str_eq(r->text[REC_SOURCE], tg_str("recovered")))
    {
        add(&l->recovered, cost);
    } else if (tg_str_eq(r->text[REC_SOURCE], tg_str("estimated"))) {
        add(&l->estimated, cost);
    } else {
        add(&l->reported, cost);
    }

    return true;
}


/* In dollars, or as a part of the invoice. */
static bool
within(const reconcile_t *c, int64_t difference)
{
    double  whole = fabs((double) c->invoice.nusd);

    if (c->dollars != INT64_MIN) {
        return difference <= c->dollars && difference >= -c->dollars;
    }

    return fabs((double) difference) <= c->part * whole;
}


/* About how much: the columns and the notes have it exactly. */
static size_t
why_money(char *why, size_t n, int64_t nusd, const char *what)
{
    if (nusd == 0 || n >= WHY_SIZE) {
        return n;
    }

    return n + (size_t) snprintf(why + n, WHY_SIZE - n, "%s%s ~$%.2f",
                                 n == 0 ? "" : ", ", what,
                                 (double) nusd / TG_NUSD_PER_USD);
}


static size_t
why_count(char *why, size_t n, int64_t count, const char *what)
{
    if (count == 0 || n >= WHY_SIZE) {
        return n;
    }

    return n + (size_t) snprintf(why + n, WHY_SIZE - n, "%s%lld %s",
                                 n == 0 ? "" : ", ", (long long) count, what);
}


/* What of ours may not be on their invoice, or not at this price. */
static tg_str_t
why_differs(const line_t *l, char *why)
{
    size_t   n = 0;
    double   ratio;
    int64_t  difference = tg_money_less(l->ours, l->theirs);

    if (difference == 0) {
        return tg_str_null;
    }

    if (l->ours == 0 && l->calls == 0 && l->unpriced == 0) {
        return tg_str("not in the lines");
    }

    if (l->theirs == 0) {
        n = (size_t) snprintf(why, WHY_SIZE, "not on the invoice");
    }

    if (difference > 0) {
        n = why_money(why, n, l->failed, "failed");
        n = why_money(why, n, l->recovered, "killed");
        n = why_money(why, n, l->own, "own GPUs");
    }

    n = why_money(why, n, l->estimated, "estimated");

    if (difference < 0) {
        n = why_count(why, n, l->unpriced, "lines unpriced");
        n = why_count(why, n, l->incomplete, "lines in part");
    }

    if (n == 0 && l->ours > 0) {
        ratio = (double) l->theirs / (double) l->ours - 1;
        n = (size_t) snprintf(why, WHY_SIZE, "price, %.2f%% %s", 100
                              * fabs(ratio), ratio > 0 ? "dearer there"
                                                       : "cheaper there");
    }

    return tg_str_of(why, n < WHY_SIZE ? n : WHY_SIZE - 1);
}


static void
cells(reconcile_t *c, table_t *t, const line_t *l)
{
    char     why[WHY_SIZE];
    bool     fits;
    int64_t  difference = tg_money_less(l->ours, l->theirs);

    fits = within(c, difference);
    c->beyond |= !fits;

    table_int(t, l->calls);
    table_int(t, l->ours);
    table_int(t, l->theirs);
    table_int(t, difference);

    if (l->theirs == 0) {
        table_none(t);
    } else {
        table_double(t, (double) difference / fabs((double) l->theirs));
    }

    table_text(t, fits ? tg_str("yes") : tg_str("NO"));
    table_text(t, why_differs(l, why));

    if (c->o.format != TABLE_TEXT) {
        table_int(t, l->failed);
        table_int(t, l->recovered);
        table_int(t, l->estimated);
        table_int(t, l->own);
        table_int(t, l->unpriced);
        table_int(t, l->incomplete);
    }
}


static void
total_add(line_t *all, const line_t *l)
{
    add(&all->ours, l->ours);
    add(&all->theirs, l->theirs);
    add(&all->estimated, l->estimated);
    add(&all->recovered, l->recovered);
    add(&all->failed, l->failed);
    add(&all->own, l->own);
    all->calls += l->calls;
    all->unpriced += l->unpriced;
    all->incomplete += l->incomplete;
}


static void
print_rows(reconcile_t *c, table_t *t)
{
    char        buf[INVOICE_MODEL_SIZE];
    line_t     *l;
    int64_t     day;
    tg_str_t    model;
    fold_key_t  key;

    for (size_t i = 0; i < fold_count(c->fold); i++) {
        l = fold_at(c->fold, i, &key);
        day = fold_next_int(&key);
        model = fold_next_str(&key, buf, sizeof(buf));
        total_add(&c->all, l);

        if (c->by_day) {
            if (day == INT64_MIN) {
                table_none(t);
            } else {
                table_int(t, day);
            }
        }

        if (c->by_model) {
            table_text(t, model.len == 0 ? tg_str("(none)") : model);
        }

        cells(c, t, l);
    }
}


static void
note_money(table_t *t, const char *name, int64_t nusd, const char *what)
{
    char  text[200], money[TG_MONEY_TEXT_MAX];

    if (nusd != 0) {
        (void) snprintf(text, sizeof(text), "$%.*s of ours %s",
                        (int) tg_money_text(money, nusd), money, what);
        table_note(t, name, text);
    }
}


static void
notes(const reconcile_t *c, table_t *t, const reader_stats_t *stats)
{
    char  text[200];

    if (c->filtered) {
        (void) snprintf(text, sizeof(text), "only lines whose vendor is %.*s,"
                        " as the invoice's columns are theirs",
                        (int) c->invoice.vendor.len, c->invoice.vendor.p);
        table_note(t, "vendor", text);
    }

    if (stats->missing != 0) {
        (void) snprintf(text, sizeof(text), "%llu lines are missing by their"
                        " numbers: what they cost is not in ours",
                        (unsigned long long) stats->missing);
        table_note(t, "missing", text);
    }

    note_money(t, "failed_attempts", c->all.failed,
               "are attempts that failed, which may not be billed");
    note_money(t, "killed_calls", c->all.recovered,
               "are what calls held whose process was killed");
    note_money(t, "estimated", c->all.estimated,
               "are of tokens that no provider has reported");
    note_money(t, "own_gpus", c->all.own, "are time of own GPUs");

    if (c->all.unpriced != 0) {
        (void) snprintf(text, sizeof(text), "%lld lines have no price: ours is"
                        " too low by them", (long long) c->all.unpriced);
        table_note(t, "unpriced", text);
    }

    if (!c->invoice.has_models) {
        table_note(t, "models", "the invoice tells no models apart");
    }

    table_note(t, "verdict", c->beyond ? "there are differences beyond the"
                                         " tolerance"
                                       : "all is within the tolerance");
}


static table_t *
make_table(reconcile_t *c, const reader_stats_t *stats)
{
    table_t  *t = table_new(c->o.format, "reconcile");

    if (t == NULL) {
        return NULL;
    }

    if (c->by_day) {
        table_column(t, "day", CELL_TIME);
    }
    if (c->by_model) {
        table_column(t, "model", CELL_TEXT);
    }
    table_column(t, "calls", CELL_COUNT);
    table_column(t, "ours", CELL_MONEY);
    table_column(t, "theirs", CELL_MONEY);
    table_column(t, "difference", CELL_MONEY);
    table_column(t, "difference_part", CELL_PERCENT);
    table_column(t, "within", CELL_TEXT);
    table_column(t, "why", CELL_TEXT);

    if (c->o.format != TABLE_TEXT) {
        table_column(t, "failed_attempts", CELL_MONEY);
        table_column(t, "killed_calls", CELL_MONEY);
        table_column(t, "estimated", CELL_MONEY);
        table_column(t, "own_gpus", CELL_MONEY);
        table_column(t, "unpriced", CELL_COUNT);
        table_column(t, "incomplete", CELL_COUNT);
    }

    fold_sort(c->fold);
    print_rows(c, t);

    table_total(t);
    if (c->by_day) {
        table_none(t);
    }
    if (c->by_model) {
        table_text(t, tg_str("all"));
    }
    cells(c, t, &c->all);
    notes(c, t, stats);

    return t;
}


/* "1%" of the invoice, or dollars. */
static bool
parse_tolerance(reconcile_t *c)
{
    char        *end;
    tg_str_t     s = tg_strz(c->tolerance);

    c->dollars = INT64_MIN;

    if (s.len != 0 && s.p[s.len - 1] == '%') {
        c->part = strtod(c->tolerance, &end) / 100;
        return *end == '%' && end[1] == '\0' && end != c->tolerance
               && c->part >= 0 && c->part <= 1;
    }

    c->dollars = tg_money_parse(s, 9);

    return c->dollars >= 0;
}


static bool
parse_by(reconcile_t *c)
{
    c->by_model = c->o.nby == 0;

    for (unsigned i = 0; i < c->o.nby; i++) {
        if (tg_str_eq(c->o.by[i].word, tg_str("day"))) {
            c->by_day = true;
        } else if (tg_str_eq(c->o.by[i].word, tg_str("model"))) {
            c->by_model = true;
        } else {
            return false;
        }
    }

    return true;
}


/* The lines that can be on it: of its provider, in its time. */
static void
narrow(reconcile_t *c)
{
    bool               told = false;
    reader_options_t  *r = &c->o.reader;

    if (c->invoice.has_days && r->since == INT64_MIN
        && r->until == INT64_MAX)
    {
        r->since = c->invoice.first;
        r->until = c->invoice.last + DAY_MS;
    }

    for (unsigned i = 0; i < r->nwhere; i++) {
        told |= tg_str_eq(r->where[i].dimension.word, tg_str("vendor"))
                || tg_str_eq(r->where[i].dimension.word, tg_str("provider"));
    }

    if (c->invoice.vendor.len != 0 && !told
        && r->nwhere < sizeof(r->where) / sizeof(r->where[0])
        && dimension_parse(&r->where[r->nwhere].dimension, "vendor"))
    {
        r->where[r->nwhere].value = c->invoice.vendor;
        r->where[r->nwhere].not = false;
        dimension_want(&r->where[r->nwhere].dimension, &r->want);
        r->nwhere++;
        c->filtered = true;
    }
}


static void
want_all(record_want_t *want)
{
    record_want_text(want, REC_MODEL);
    record_want_text(want, REC_SENT_MODEL);
    record_want_text(want, REC_ASKED_MODEL);
    record_want_text(want, REC_COST_SOURCE);
    record_want_text(want, REC_SOURCE);
    record_want_number(want, REC_COST);
}


static int
run(reconcile_t *c)
{
    table_t         *t;
    reader_stats_t   stats;

    if (!invoice_read(c->o.files[0], &c->columns, their_row, c,
                      &c->invoice))
    {
        return fold_failed(c->fold) ? 2 * fold_too_many("reconcile") : 2;
    }

    if (c->invoice.rows == 0) {
        return 2 * fail(c->o.files[0], "has no amounts");
    }

    c->by_model &= c->invoice.has_models;

    if (c->by_day && !c->invoice.has_days) {
        return 2 * fail(c->o.files[0], "has no dates");
    }

    narrow(c);

    if (!reader_run(c->o.files + 1, c->o.nfiles - 1, &c->o.reader, our_line,
                    c, &stats))
    {
        return 2;
    }

    if (fold_failed(c->fold)) {
        return 2 * fold_too_many("reconcile");
    }

    t = make_table(c, &stats);
    if (t == NULL) {
        return 2 * fail("reconcile", "no memory");
    }

    return report_print(&c->o, t, &stats) != 0 ? 2 : c->beyond;
}


int
reconcile_command(int argc, char **argv)
{
    int             rc = 2;
    char           *log = NULL, **files;
    reconcile_t     c;
    const option_t  own[] = {
        { "tolerance", &c.tolerance, NULL },
        { "model", &c.columns.model, NULL },
        { "amount", &c.columns.amount, NULL },
        { "date", &c.columns.date, NULL },
        { "log", (const char **) &log, NULL },
        { "cents", NULL, &c.columns.cents }, { NULL, NULL, NULL }
    };

    memset(&c, 0, sizeof(c));
    c.tolerance = "1%";

    if (!report_options(&c.o, argc, argv, own, NULL)) {
        return 2;
    }

    /* "--log FILE...": the first is the option's value */

    files = calloc((size_t) c.o.nfiles + 1, sizeof(char *));
    if (files == NULL) {
        report_options_free(&c.o);
        return 2 * fail("reconcile", "no memory");
    }

    memcpy(files, c.o.files, (size_t) c.o.nfiles * sizeof(char *));
    if (log != NULL) {
        files[c.o.nfiles++] = log;
    }
    c.o.files = files;

    if (c.o.nfiles < 2) {
        (void) fail("reconcile", "takes an invoice and cost logs");

    } else if (!parse_tolerance(&c)) {
        (void) fail("--tolerance", "is a percentage or dollars: 1%, 25");

    } else if (!parse_by(&c)) {
        (void) fail("--by", "is day, model or both");

    } else if ((c.fold = fold_new(sizeof(line_t))) == NULL) {
        (void) fail("reconcile", "no memory");

    } else {
        want_all(&c.o.reader.want);
        c.o.reader.kinds = READER_CALLS;
        rc = run(&c);
    }

    fold_free(c.fold);
    free(files);
    report_options_free(&c.o);

    return rc;
}
