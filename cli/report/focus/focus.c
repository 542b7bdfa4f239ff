/* llmctl report focus: FOCUS 1.2 CSV of cost lines. */

#include "focus.h"
#include "kinds.h"
#include "commit_file.h"
#include "focus_commit.h"
#include "kind/report.h"
#include "rows/fold.h"
#include "rows/groups.h"
#include "llmctl.h"

#include "tg_money.h"
#include "tg_window.h"

#include <stdlib.h>

#define OF_LINE  12                     /* a row's values, without --by= */

typedef struct {
    report_options_t   o;
    tg_window_spec_t   period;
    tg_window_t        window;      /* of the line before */
    const char        *account;
    const char        *invoice;
    const char        *commitments_file;
    commitments_t      commitments;
    int64_t            first, last;     /* times of the lines */
    groups_t          *rows;
    FILE              *to;              /* while they are written */
    bool               full;
    fold_t            *used;            /* of commitments; focus_commit.h */
} focus_t;

typedef struct {
    int64_t  quantity;
    int64_t  cost;
    int64_t  list;
    int64_t  calls;
} focus_sum_t;


static tg_str_t
first_of(const record_t *r, const unsigned char *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (r->text[texts[i]].len != 0) {
            return r->text[texts[i]];
        }
    }

    return tg_str("unknown");
}


static tg_str_t
line_account(const focus_t *f, const record_t *r)
{
    static const unsigned char  texts[] = { REC_PROVIDER, REC_UPSTREAM,
                                            REC_VENDOR };

    return f->account != NULL ? tg_strz(f->account)
                              : first_of(r, texts, sizeof(texts));
}


/* What was answered; an alias of it was asked for. */
static tg_str_t
line_model(const record_t *r)
{
    static const unsigned char  texts[] = { REC_MODEL, REC_SENT_MODEL,
                                            REC_ASKED_MODEL };

    return first_of(r, texts, sizeof(texts));
}


static tg_str_t
line_tier(const record_t *r)
{
    tg_str_t  tier = r->text[REC_TIER];

    return tier.len == 0 || tg_str_eq(tier, tg_str("default"))
           || tg_str_eq(tier, tg_str("auto"))
           || tg_str_eq(tier, tg_str("on_demand")) ? tg_str("standard") : tier;
}


/* commitment: its index, or -1.  False: no room. */
static bool
row_add(focus_t *f, const record_t *r, focus_class_t class,
    int64_t commitment, const focus_sum_t *sum)
{
    bool      gpu = class == FOCUS_GPU;
    char      ints[3][GROUPS_INT_SIZE], buf[DIMENSIONS_MAX][DIMENSION_SIZE];
    unsigned  n = 0;
    tg_str_t  v[GROUPS_VALUES_MAX];

    v[n++] = groups_int(ints[0], f->window.start);
    v[n++] = line_account(f, r);
    v[n++] = r->text[REC_VENDOR];
    v[n++] = line_model(r);
    v[n++] = line_tier(r);
    v[n++] = groups_int(ints[1], class);
    v[n++] = r->text[REC_TEAM];
    v[n++] = gpu ? r->text[REC_SERVER] : tg_str_null;
    v[n++] = r->text[REC_PRICE_ID];
    v[n++] = r->text[REC_COST_SOURCE];
    v[n++] = r->text[REC_SOURCE];
    v[n++] = groups_int(ints[2], commitment);

    for (unsigned i = 0; i < f->o.nby; i++) {
        v[n++] = dimension_value(&f->o.by[i], r, f->o.reader.zone, buf[i]);
    }

    return groups_take(f->rows, v, sum);
}


static void
add_sums(void *to, const void *from)
{
    focus_sum_t        *a = to;
    const focus_sum_t  *b = from;

    a->quantity = tg_money_add(a->quantity, b->quantity);
    a->cost = tg_money_add(a->cost, b->cost);
    a->list = tg_money_add(a->list, b->list);
    a->calls += b->calls;
}


static bool
focus_line(void *data, const record_t *r)
{
    bool                 told = false;
    focus_t             *f = data;
    int64_t              commitment;
    focus_sum_t          sum;
    focus_part_t         parts[FOCUS_CLASSES];
    const commitment_t  *c = commitment_of(&f->commitments, r);

    commitment = c == NULL ? -1 : c - f->commitments.list;
    f->first = r->time < f->first ? r->time : f->first;
    f->last = r->time > f->last ? r->time : f->last;

    if (r->time < f->window.start || r->time >= f->window.end) {
        tg_window_at(&f->period, f->o.reader.zone, r->time, &f->window);
    }

    focus_parts(r, parts);

    for (unsigned i = 0; i < FOCUS_CLASSES; i++) {
        if (parts[i].quantity == 0) {
            continue;
        }

        sum.quantity = parts[i].quantity;
        sum.cost = parts[i].cost;
        sum.list = parts[i].list;
        sum.calls = !told && record_is(r, REC_FINAL);
        told = true;

        f->full = !row_add(f, r, i, commitment, &sum);

        if (f->full
            || (c != NULL && focus_of_tokens(i)
                && !focus_use(f->used, f->window.start, commitment,
                              parts[i].quantity)))
        {
            return false;
        }
    }

    return true;
}


/* "tag:feature" is the tag "feature". */
static tg_str_t
tag_name(const dimension_t *d)
{
    tg_str_t  word = d->word;

    if (word.len > 4 && memcmp(word.p, "tag:", 4) == 0) {
        return tg_str_of(word.p + 4, word.len - 4);
    }

    return word;
}


/* The values as row_add() has them. */
static void
row_read(const focus_t *f, focus_row_t *row, const tg_str_t *v,
    int64_t *commitment)
{
    tg_window_t       w;
    tg_window_spec_t  month = { TG_WINDOW_MONTH, 0 };

    memset(row, 0, sizeof(*row));
    row->start = groups_int_of(*v++);
    row->account = *v++;
    row->vendor = *v++;
    row->model = *v++;
    row->tier = *v++;
    row->class = (focus_class_t) groups_int_of(*v++);
    row->team = *v++;
    row->resource = *v++;
    row->price_id = *v++;
    row->cost_source = *v++;
    row->usage_source = *v++;
    *commitment = groups_int_of(*v++);
    row->invoice = f->invoice == NULL ? tg_str_null : tg_strz(f->invoice);

    for (unsigned i = 0; i < f->o.nby; i++) {
        row->tags[i].name = tag_name(&f->o.by[i]);
        row->tags[i].value = *v++;
    }

    row->ntags = f->o.nby;

    tg_window_at(&f->period, f->o.reader.zone, row->start, &w);
    row->end = w.end;
    tg_window_at(&month, f->o.reader.zone, row->start, &w);
    row->bill_start = w.start;
    row->bill_end = w.end;
}


/* What each costs, period by period of the time that the lines are of, or that
 * was asked for; and what of it was not used. */
static void
commitments_write(const focus_t *f, FILE *to)
{
    int64_t           t, until;
    focus_row_t       row;
    tg_window_t       w, m;
    tg_window_spec_t  month = { TG_WINDOW_MONTH, 0 };

    if (f->first > f->last) {
        return;
    }

    t = f->o.reader.since != INT64_MIN ? f->o.reader.since : f->first;
    until = f->o.reader.until != INT64_MAX ? f->o.reader.until : f->last + 1;

    for ( ; t < until; t = w.end) {
        tg_window_at(&f->period, f->o.reader.zone, t, &w);
        tg_window_at(&month, f->o.reader.zone, t, &m);

        for (unsigned i = 0; i < f->commitments.n; i++) {
            memset(&row, 0, sizeof(row));
            row.start = w.start;
            row.end = w.end;
            row.bill_start = m.start;
            row.bill_end = m.end;
            row.invoice = f->invoice == NULL ? tg_str_null
                                             : tg_strz(f->invoice);

            if (focus_row_purchase(&row, &f->commitments.list[i],
                                   f->account))
            {
                focus_row(to, &row);

                if (focus_row_unused(&row, f->used,
                                     &f->commitments.list[i], i))
                {
                    focus_row(to, &row);
                }
            }
        }
    }
}


static bool
row_write(void *data, const tg_str_t *values, const void *sums)
{
    int64_t             commitment;
    focus_t            *f = data;
    focus_row_t         row;
    const focus_sum_t  *sum = sums;

    row_read(f, &row, values, &commitment);
    row.quantity = sum->quantity;
    row.cost = sum->cost;
    row.effective = sum->cost;
    row.list = sum->list;
    row.calls = sum->calls;

    if (commitment >= 0 && focus_of_tokens(row.class)) {
        focus_row_used(&row, f->used, &f->commitments.list[commitment],
                       commitment);
    }

    focus_row(f->to, &row);

    return !ferror(f->to);
}


static bool
focus_write(focus_t *f, FILE *to)
{
    f->to = to;
    focus_header(to);

    if (!groups_each(f->rows, NULL, row_write, f)) {
        return false;
    }

    commitments_write(f, to);

    return true;
}


static int
focus_print(focus_t *f, const reader_stats_t *stats)
{
    bool   ok;
    FILE  *to = f->o.output == NULL ? stdout : fopen(f->o.output, "w");

    if (to == NULL) {
        return fail(f->o.output, "can't be opened");
    }

    ok = focus_write(f, to) && fflush(to) == 0 && !ferror(to);

    if (to != stdout) {
        ok &= fclose(to) == 0;
    }

    if (!f->o.quiet) {
        reader_say(stats);
    }

    return ok ? 0 : fail("report", "can't be written");
}


static void
want_all(focus_t *f)
{
    static const unsigned char  texts[] = {
        REC_VENDOR, REC_PROVIDER, REC_UPSTREAM, REC_MODEL, REC_SENT_MODEL,
        REC_ASKED_MODEL, REC_TIER, REC_TEAM, REC_SERVER, REC_PRICE_ID
    };

    focus_want(&f->o.reader.want);
    commitment_want(&f->o.reader.want);

    for (size_t i = 0; i < sizeof(texts); i++) {
        record_want_text(&f->o.reader.want, texts[i]);
    }

    for (unsigned i = 0; i < f->o.nby; i++) {
        dimension_want(&f->o.by[i], &f->o.reader.want);
    }
}


static int
focus_run(focus_t *f)
{
    int             rc = 1;
    reader_stats_t  stats;

    want_all(f);
    f->o.reader.kinds = READER_CALLS;
    f->first = INT64_MAX;
    f->last = INT64_MIN;
    f->rows = groups_new(OF_LINE + f->o.nby, sizeof(focus_sum_t), add_sums,
                         f->o.rows_memory);
    f->used = fold_new(FOCUS_USE_SIZE);

    if (f->rows == NULL || f->used == NULL) {
        (void) fail("report", "no memory");

    } else if (reader_run(f->o.files, f->o.nfiles, &f->o.reader, focus_line, f,
                          &stats))
    {
        rc = fold_failed(f->used) ? fold_too_many("report")
             : f->full ? fail("report", "there is no room for the rows, in"
                                        " memory and $TMPDIR")
             : focus_print(f, &stats);
    }

    groups_free(f->rows);
    fold_free(f->used);

    return rc;
}


int
report_focus(int argc, char **argv)
{
    static const char *const  more[] = { "focus", NULL };
    int                       rc;
    focus_t                   f;
    const char               *period = "day";
    const option_t            own[] = {
        { "period", &period, NULL }, { "account", &f.account, NULL },
        { "invoice", &f.invoice, NULL },
        { "commitments", &f.commitments_file, NULL }, { NULL, NULL, NULL }
    };

    memset(&f, 0, sizeof(f));

    if (!report_options(&f.o, argc, argv, own, more)) {
        return 2;
    }

    if (tg_window_parse(tg_strz(period), &f.period) != TG_OK
        || (f.period.kind != TG_WINDOW_DAY && f.period.kind != TG_WINDOW_HOUR))
    {
        rc = fail("--period", "is day or hour");

    } else if (f.commitments_file != NULL
               && !commitments_read(&f.commitments, f.commitments_file))
    {
        rc = 2;

    } else {
        rc = focus_run(&f);
    }

    commitments_free(&f.commitments);
    report_options_free(&f.o);

    return rc;
}
