/* llmctl report focus: FOCUS 1.2 CSV of cost lines. */

#include "focus.h"
#include "kinds.h"
#include "commit_file.h"
#include "focus_commit.h"
#include "kind/report.h"
#include "rows/fold.h"
#include "llmctl.h"

#include "tg_money.h"
#include "tg_window.h"

#include <stdlib.h>

#define TEXT_SIZE  520              /* longer ones are cut in the lines */

typedef struct {
    report_options_t   o;
    tg_window_spec_t   period;
    tg_window_t        window;      /* of the line before */
    const char        *account;
    const char        *invoice;
    const char        *commitments_file;
    commitments_t      commitments;
    int64_t            first, last;     /* times of the lines */
    fold_t            *fold;
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


/* commitment: its index, or -1. */
static focus_sum_t *
line_sum(focus_t *f, const record_t *r, focus_class_t class,
    int64_t commitment)
{
    char  buf[DIMENSION_SIZE];
    bool  gpu = class == FOCUS_GPU;

    fold_key(f->fold);
    fold_int(f->fold, f->window.start);
    fold_str(f->fold, line_account(f, r));
    fold_str(f->fold, r->text[REC_VENDOR]);
    fold_str(f->fold, line_model(r));
    fold_str(f->fold, line_tier(r));
    fold_int(f->fold, class);
    fold_str(f->fold, r->text[REC_TEAM]);
    fold_str(f->fold, gpu ? r->text[REC_SERVER] : tg_str_null);
    fold_str(f->fold, r->text[REC_PRICE_ID]);
    fold_str(f->fold, r->text[REC_COST_SOURCE]);
    fold_str(f->fold, r->text[REC_SOURCE]);
    fold_int(f->fold, commitment);

    for (unsigned i = 0; i < f->o.nby; i++) {
        fold_str(f->fold, dimension_value(&f->o.by[i], r, f->o.reader.zone,
                                          buf));
    }

    return fold_value(f->fold);
}


static bool
focus_line(void *data, const record_t *r)
{
    bool                 told = false;
    focus_t             *f = data;
    int64_t              commitment;
    focus_sum_t         *sum;
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

        sum = line_sum(f, r, i, commitment);

        if (sum == NULL
            || (c != NULL && focus_of_tokens(i)
                && !focus_use(f->used, f->window.start, commitment,
                              parts[i].quantity)))
        {
            return false;
        }

        sum->quantity = tg_money_add(sum->quantity, parts[i].quantity);
        sum->cost = tg_money_add(sum->cost, parts[i].cost);
        sum->list = tg_money_add(sum->list, parts[i].list);
        sum->calls += !told && record_is(r, REC_FINAL);
        told = true;
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


static void
row_read(const focus_t *f, focus_row_t *row, fold_key_t *key,
    char (*buf)[TEXT_SIZE], int64_t *commitment)
{
    unsigned          n = 0;
    tg_window_t       w;
    tg_window_spec_t  month = { TG_WINDOW_MONTH, 0 };

    memset(row, 0, sizeof(*row));
    row->start = fold_next_int(key);
    row->account = fold_next_str(key, buf[n++], TEXT_SIZE);
    row->vendor = fold_next_str(key, buf[n++], TEXT_SIZE);
    row->model = fold_next_str(key, buf[n++], TEXT_SIZE);
    row->tier = fold_next_str(key, buf[n++], TEXT_SIZE);
    row->class = (focus_class_t) fold_next_int(key);
    row->team = fold_next_str(key, buf[n++], TEXT_SIZE);
    row->resource = fold_next_str(key, buf[n++], TEXT_SIZE);
    row->price_id = fold_next_str(key, buf[n++], TEXT_SIZE);
    row->cost_source = fold_next_str(key, buf[n++], TEXT_SIZE);
    row->usage_source = fold_next_str(key, buf[n++], TEXT_SIZE);
    *commitment = fold_next_int(key);
    row->invoice = f->invoice == NULL ? tg_str_null : tg_strz(f->invoice);

    for (unsigned i = 0; i < f->o.nby; i++) {
        row->tags[i].name = tag_name(&f->o.by[i]);
        row->tags[i].value = fold_next_str(key, buf[n++], TEXT_SIZE);
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


static void
focus_write(const focus_t *f, FILE *to)
{
    char          buf[10 + DIMENSIONS_MAX][TEXT_SIZE];
    int64_t       commitment;
    fold_key_t    key;
    focus_sum_t  *sum;
    focus_row_t   row;

    focus_header(to);

    for (size_t i = 0; i < fold_count(f->fold); i++) {
        sum = fold_at(f->fold, i, &key);
        row_read(f, &row, &key, buf, &commitment);
        row.quantity = sum->quantity;
        row.cost = sum->cost;
        row.effective = sum->cost;
        row.list = sum->list;
        row.calls = sum->calls;

        if (commitment >= 0 && focus_of_tokens(row.class)) {
            focus_row_used(&row, f->used,
                           &f->commitments.list[commitment], commitment);
        }

        focus_row(to, &row);
    }

    commitments_write(f, to);
}


static int
focus_print(focus_t *f, const reader_stats_t *stats)
{
    bool   ok;
    FILE  *to = f->o.output == NULL ? stdout : fopen(f->o.output, "w");

    if (to == NULL) {
        return fail(f->o.output, "can't be opened");
    }

    fold_sort(f->fold);
    focus_write(f, to);
    ok = fflush(to) == 0 && !ferror(to);

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
    f->fold = fold_new(sizeof(focus_sum_t));
    f->used = fold_new(FOCUS_USE_SIZE);

    if (f->fold == NULL || f->used == NULL) {
        fold_free(f->fold);
        return fail("report", "no memory");
    }

    if (reader_run(f->o.files, f->o.nfiles, &f->o.reader, focus_line, f,
                   &stats))
    {
        rc = fold_failed(f->fold) || fold_failed(f->used)
             ? fold_too_many("report") : focus_print(f, &stats);
    }

    fold_free(f->fold);
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
