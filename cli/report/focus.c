/* llmctl report focus: FOCUS 1.2 CSV of cost lines. */

#include "focus.h"
#include "fold.h"
#include "finance.h"
#include "report.h"
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
    fold_t            *fold;
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


static focus_sum_t *
line_sum(focus_t *f, const record_t *r, focus_class_t class)
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

    for (unsigned i = 0; i < f->o.nby; i++) {
        fold_str(f->fold, dimension_value(&f->o.by[i], r, f->o.reader.zone,
                                          buf));
    }

    return fold_value(f->fold);
}


static bool
focus_line(void *data, const record_t *r)
{
    bool          told = false;
    focus_t      *f = data;
    focus_sum_t  *sum;
    focus_part_t  parts[FOCUS_CLASSES];

    if (r->time < f->window.start || r->time >= f->window.end) {
        tg_window_at(&f->period, f->o.reader.zone, r->time, &f->window);
    }

    focus_parts(r, parts);

    for (unsigned i = 0; i < FOCUS_CLASSES; i++) {
        if (parts[i].quantity == 0) {
            continue;
        }

        sum = line_sum(f, r, i);
        if (sum == NULL) {
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
    char (*buf)[TEXT_SIZE])
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


static void
focus_write(const focus_t *f, FILE *to)
{
    char          buf[10 + REPORT_BY_MAX][TEXT_SIZE];
    fold_key_t    key;
    focus_sum_t  *sum;
    focus_row_t   row;

    focus_header(to);

    for (size_t i = 0; i < fold_count(f->fold); i++) {
        sum = fold_at(f->fold, i, &key);
        row_read(f, &row, &key, buf);
        row.quantity = sum->quantity;
        row.cost = sum->cost;
        row.list = sum->list;
        row.calls = sum->calls;
        focus_row(to, &row);
    }
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
    f->fold = fold_new(sizeof(focus_sum_t));

    if (f->fold == NULL) {
        return fail("report", "no memory");
    }

    if (reader_run(f->o.files, f->o.nfiles, &f->o.reader, focus_line, f,
                   &stats))
    {
        rc = fold_failed(f->fold) ? fold_too_many("report")
                                  : focus_print(f, &stats);
    }

    fold_free(f->fold);

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
        { "invoice", &f.invoice, NULL }, { NULL, NULL, NULL }
    };

    memset(&f, 0, sizeof(f));

    if (!report_options(&f.o, argc, argv, own, more)) {
        return 2;
    }

    if (tg_window_parse(tg_strz(period), &f.period) != TG_OK
        || (f.period.kind != TG_WINDOW_DAY && f.period.kind != TG_WINDOW_HOUR))
    {
        rc = fail("--period", "is day or hour");
    } else {
        rc = focus_run(&f);
    }

    report_options_free(&f.o);

    return rc;
}
