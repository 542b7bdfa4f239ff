#include "kinds.h"
#include "kind/listing.h"
#include "kind/report.h"
#include "rows/groups.h"
#include "llmctl.h"

#include "tg_money.h"

#include <stdio.h>

/* Of a row. Money is nano-dollars. */
typedef struct {
    int64_t  cost;
    int64_t  calls;                     /* final lines */
    int64_t  attempts;                  /* the others */
    int64_t  inferences;                /* lines of what a model generated */
    int64_t  input, cache_read, cache_write, output, reasoning;
    int64_t  saved;                     /* by caches, tiers, discounts */
    int64_t  dry_saved;                 /* what routes would have saved */
    int64_t  failed;                    /* cost of attempts that failed */
    int64_t  estimated;                 /* cost of tokens nobody reported */
    int64_t  unpriced;                  /* lines */
    int64_t  refused;                   /* calls */
} sums_t;

typedef struct {
    const report_options_t  *o;
    groups_t                *groups;
    table_t                 *table;
    sums_t                   all;
    sums_t                   others;
    uint64_t                 rows, nothers;
    int64_t                  most;      /* a row's cost */
    int64_t                  untagged[DIMENSIONS_MAX];
    bool                     by_time;
} spend_t;


static void
add_sums(void *to, const void *from)
{
    sums_t        *a = to;
    const sums_t  *b = from;

    a->cost = tg_money_add(a->cost, b->cost);
    a->calls += b->calls;
    a->attempts += b->attempts;
    a->inferences += b->inferences;
    a->input = tg_money_add(a->input, b->input);
    a->cache_read = tg_money_add(a->cache_read, b->cache_read);
    a->cache_write = tg_money_add(a->cache_write, b->cache_write);
    a->output = tg_money_add(a->output, b->output);
    a->reasoning = tg_money_add(a->reasoning, b->reasoning);
    a->saved = tg_money_add(a->saved, b->saved);
    a->dry_saved = tg_money_add(a->dry_saved, b->dry_saved);
    a->failed = tg_money_add(a->failed, b->failed);
    a->estimated = tg_money_add(a->estimated, b->estimated);
    a->unpriced += b->unpriced;
    a->refused += b->refused;
}


static void
sums_of(sums_t *s, const record_t *r)
{
    bool            final = record_is(r, REC_FINAL);
    int64_t         tokens = r->number[REC_INPUT] | r->number[REC_OUTPUT];
    const tg_str_t  source = r->text[REC_SOURCE];

    s->cost = r->number[REC_COST];
    s->calls = final;
    s->attempts = !final;
    s->inferences = tokens != 0 && !tg_str_eq(source, tg_str("cached"));
    s->input = r->number[REC_INPUT];
    s->cache_read = r->number[REC_CACHE_READ];
    s->cache_write = r->number[REC_CACHE_WRITE];
    s->output = r->number[REC_OUTPUT];
    s->reasoning = r->number[REC_REASONING];
    s->saved = r->number[REC_COST_SAVED];
    s->dry_saved = r->number[REC_DRY_SAVED];
    s->failed = final ? 0 : s->cost;
    s->estimated = tg_str_eq(source, tg_str("reported")) ? 0 : s->cost;
    s->unpriced = record_is(r, REC_UNPRICED);
    s->refused = tg_str_eq(r->text[REC_DECISION], tg_str("refuse"));
}


static bool
take(void *data, const record_t *r)
{
    spend_t  *s = data;
    sums_t    sums;

    sums_of(&sums, r);
    add_sums(&s->all, &sums);

    return groups_take_line(s->groups, s->o->by, s->o->reader.zone, r, &sums);
}


/* The dearest first; what is by time in its order. */
static void
by_cost(int64_t rank[2], const tg_str_t *values, const void *sums)
{
    const sums_t  *s = sums;

    (void) values;
    rank[0] = ~s->cost;
    rank[1] = ~s->calls;
}


static void
columns(spend_t *s)
{
    table_t  *t = s->table;

    listing_columns(t, s->o->by, s->o->nby);
    table_column(t, "cost", CELL_MONEY);
    table_column(t, "share", CELL_PERCENT);
    table_column(t, "bar", CELL_BAR);
    table_column(t, "calls", CELL_COUNT);
    table_column(t, "cost_per_call", CELL_MONEY);
    table_column(t, "input_tokens", CELL_COUNT);
    table_column(t, "cache_read_tokens", CELL_COUNT);
    table_column(t, "output_tokens", CELL_COUNT);
    table_column(t, "saved", CELL_MONEY);

    if (s->o->format != TABLE_TEXT) {
        table_column(t, "cache_write_tokens", CELL_COUNT);
        table_column(t, "reasoning_tokens", CELL_COUNT);
        table_column(t, "inferences", CELL_COUNT);
        table_column(t, "cost_per_inference", CELL_MONEY);
        table_column(t, "failed_attempts", CELL_COUNT);
        table_column(t, "failed_cost", CELL_MONEY);
        table_column(t, "estimated_cost", CELL_MONEY);
        table_column(t, "dry_saved", CELL_MONEY);
        table_column(t, "unpriced_lines", CELL_COUNT);
        table_column(t, "refused_calls", CELL_COUNT);
    }
}


/* Half away from zero. */
static void
quotient(table_t *t, int64_t sum, int64_t n)
{
    if (n == 0) {
        table_none(t);
        return;
    }

    table_int(t, sum / n + (sum % n >= n - n / 2 ? 1
                            : sum % n <= n / 2 - n ? -1 : 0));
}


static double
share(int64_t part, int64_t whole)
{
    return whole == 0 ? 0 : (double) part / (double) whole;
}


static void
cells(spend_t *s, const sums_t *sums, bool bar)
{
    table_t  *t = s->table;

    table_int(t, sums->cost);
    table_double(t, share(sums->cost, s->all.cost));

    if (bar) {
        table_double(t, share(sums->cost, s->most));
    } else {
        table_none(t);
    }

    table_int(t, sums->calls);
    quotient(t, sums->cost, sums->calls);
    table_int(t, sums->input);
    table_int(t, sums->cache_read);
    table_int(t, sums->output);
    table_int(t, sums->saved);

    if (s->o->format != TABLE_TEXT) {
        table_int(t, sums->cache_write);
        table_int(t, sums->reasoning);
        table_int(t, sums->inferences);
        quotient(t, sums->cost, sums->inferences);
        table_int(t, sums->attempts);
        table_int(t, sums->failed);
        table_int(t, sums->estimated);
        table_int(t, sums->dry_saved);
        table_int(t, sums->unpriced);
        table_int(t, sums->refused);
    }
}


static bool
row(void *data, const tg_str_t *values, const void *sums)
{
    spend_t       *s = data;
    const sums_t  *is = sums;

    for (unsigned i = 0; i < s->o->nby; i++) {
        if (values[i].len == 0) {
            s->untagged[i] = tg_money_add(s->untagged[i], is->cost);
        }
    }

    if (s->o->top != 0 && s->rows == s->o->top) {
        add_sums(&s->others, is);
        s->nothers++;
        return true;
    }

    listing_values(s->table, values, s->o->nby);

    if (s->rows++ == 0) {
        s->most = is->cost;
    }

    cells(s, is, true);

    return true;
}


/* A row that is not one of the groups'. */
static void
sum_row(spend_t *s, const char *name, const sums_t *sums)
{
    listing_sum(s->table, name, s->o->nby);
    cells(s, sums, false);
}


static void
note_money(spend_t *s, const char *name, int64_t nusd, const char *what)
{
    char    sentence[300], money[TG_MONEY_TEXT_MAX];
    double  part = 100 * share(nusd, s->all.cost);

    if (nusd == 0) {
        return;
    }

    (void) snprintf(sentence, sizeof(sentence), "%.*s USD (%.1f%%) %s",
                    (int) tg_money_text(money, nusd), money, part, what);
    table_note(s->table, name, sentence);
}


static void
notes(spend_t *s)
{
    char      what[120], name[LISTING_NAME_SIZE + 10];
    char      column[LISTING_NAME_SIZE];
    tg_str_t  word;

    for (unsigned i = 0; i < s->o->nby; i++) {
        word = s->o->by[i].word;
        (void) snprintf(name, sizeof(name), "without_%s",
                        listing_name(column, &s->o->by[i]));
        (void) snprintf(what, sizeof(what), "are of lines without %.*s",
                        (int) word.len, word.p);
        note_money(s, name, s->untagged[i], what);
    }

    note_money(s, "failed", s->all.failed, "are of attempts that failed");
    note_money(s, "estimated", s->all.estimated,
               "are of tokens that no provider has reported");
    note_money(s, "would_have_saved", s->all.dry_saved,
               "routes in a dry run would have saved");

    if (s->all.unpriced != 0) {
        (void) snprintf(what, sizeof(what), "%lld lines have no price",
                        (long long) s->all.unpriced);
        table_note(s->table, "unpriced", what);
    }
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    char      others[64];
    spend_t  *s = data;

    (void) stats;
    s->table = t;
    s->most = s->all.cost;
    columns(s);

    if (!groups_each(s->groups, s->by_time ? NULL : by_cost, row, s)) {
        return failed("report", "the temporary file can't be used");
    }

    if (s->nothers != 0) {
        (void) snprintf(others, sizeof(others), "(%llu others)",
                        (unsigned long long) s->nothers);
        sum_row(s, others, &s->others);
    }

    if (s->o->nby != 0) {
        table_total(s->table);
        sum_row(s, "all", &s->all);
    }

    notes(s);

    return true;
}


static void
want(record_want_t *w)
{
    static const record_number_t  numbers[] = {
        REC_COST, REC_INPUT, REC_OUTPUT, REC_CACHE_READ, REC_CACHE_WRITE,
        REC_REASONING, REC_COST_SAVED, REC_DRY_SAVED
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        record_want_number(w, numbers[i]);
    }

    record_want_text(w, REC_SOURCE);
    record_want_text(w, REC_DECISION);
}


int
report_spend(int argc, char **argv)
{
    static const report_job_t  job = { "spend", take, false, print };

    int               rc;
    spend_t           s;
    report_options_t  o;

    if (!report_options(&o, argc, argv, NULL, NULL)) {
        return 2;
    }

    memset(&s, 0, sizeof(s));
    s.o = &o;
    want(&o.reader.want);

    s.by_time = o.nby != 0 && dimension_is_time(&o.by[0]);

    if (o.top == 0 && o.format == TABLE_TEXT && !s.by_time) {
        o.top = LISTING_TOP;
    }

    s.groups = groups_new(o.nby, sizeof(sums_t), add_sums, o.rows_memory);
    rc = s.groups == NULL ? fail("report", "there is not enough memory")
                          : report_run(&o, &job, &s);

    groups_free(s.groups);
    report_options_free(&o);

    return rc;
}
