#include "kinds.h"
#include "kind/listing.h"
#include "kind/ranking.h"
#include "llmctl.h"

#include "tg_money.h"

#include <stdio.h>

/* Of a row; all int64_t. Money is nano-dollars. */
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
    report_options_t  o;
    ranking_t         ranking;
    const sums_t     *all;
    int64_t           most;             /* of the first row, its cost */
    int64_t           untagged[DIMENSIONS_MAX];
    bool              by_time;
} spend_t;


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

    return ranking_take(&s->ranking, r, &sums);
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
columns(const spend_t *s, table_t *t)
{
    listing_columns(t, s->o.by, s->o.nby);
    table_column(t, "cost", CELL_MONEY);
    table_column(t, "share", CELL_PERCENT);
    table_column(t, "bar", CELL_BAR);
    table_column(t, "calls", CELL_COUNT);
    table_column(t, "cost_per_call", CELL_MONEY);
    table_column(t, "input_tokens", CELL_COUNT);
    table_column(t, "cache_read_tokens", CELL_COUNT);
    table_column(t, "output_tokens", CELL_COUNT);
    table_column(t, "saved", CELL_MONEY);

    if (s->o.format != TABLE_TEXT) {
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
cells(void *data, table_t *t, const void *is, bool row)
{
    const sums_t   *sums = is;
    const spend_t  *s = data;

    table_int(t, sums->cost);
    table_double(t, share(sums->cost, s->all->cost));

    if (row) {
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

    if (s->o.format != TABLE_TEXT) {
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


static void
look(void *data, const tg_str_t *values, const void *sums)
{
    spend_t       *s = data;
    const sums_t  *is = sums;

    for (unsigned i = 0; i < s->o.nby; i++) {
        if (values[i].len == 0) {
            s->untagged[i] = tg_money_add(s->untagged[i], is->cost);
        }
    }

    if (s->ranking.rows == 0) {
        s->most = is->cost;
    }
}


static void
note_money(const spend_t *s, const char *name, int64_t nusd, const char *what)
{
    char    sentence[300], money[TG_MONEY_TEXT_MAX];
    double  part = 100 * share(nusd, s->all->cost);

    if (nusd == 0) {
        return;
    }

    (void) snprintf(sentence, sizeof(sentence), "%.*s USD (%.1f%%) %s",
                    (int) tg_money_text(money, nusd), money, part, what);
    table_note(s->ranking.table, name, sentence);
}


static void
notes(const spend_t *s)
{
    char      what[120], name[LISTING_NAME_SIZE + 10];
    char      column[LISTING_NAME_SIZE];
    tg_str_t  word;

    for (unsigned i = 0; i < s->o.nby; i++) {
        word = s->o.by[i].word;
        (void) snprintf(name, sizeof(name), "without_%s",
                        listing_name(column, &s->o.by[i]));
        (void) snprintf(what, sizeof(what), "are of lines without %.*s",
                        (int) word.len, word.p);
        note_money(s, name, s->untagged[i], what);
    }

    note_money(s, "failed", s->all->failed, "are of attempts that failed");
    note_money(s, "estimated", s->all->estimated,
               "are of tokens that no provider has reported");
    note_money(s, "would_have_saved", s->all->dry_saved,
               "routes in a dry run would have saved");

    if (s->all->unpriced != 0) {
        (void) snprintf(what, sizeof(what), "%lld lines have no price",
                        (long long) s->all->unpriced);
        table_note(s->ranking.table, "unpriced", what);
    }
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    spend_t  *s = data;

    (void) stats;
    columns(s, t);

    if (!ranking_print(&s->ranking, t, s->by_time ? NULL : by_cost)) {
        return false;
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

    record_want_numbers(w, numbers, sizeof(numbers) / sizeof(numbers[0]));

    record_want_text(w, REC_SOURCE);
    record_want_text(w, REC_DECISION);
}


static int
begin(void *data)
{
    static const ranking_kind_t  kind = { sizeof(sums_t), NULL, cells, look };

    spend_t           *s = data;
    report_options_t  *o = &s->o;

    want(&o->reader.want);
    s->by_time = o->nby != 0 && dimension_is_time(&o->by[0]);

    if (o->top == 0 && o->format == TABLE_TEXT && !s->by_time) {
        o->top = LISTING_TOP;
    }

    if (!ranking_init(&s->ranking, &kind, s, o, o->by, o->nby)) {
        return 1;
    }

    s->all = s->ranking.all;

    return 0;
}


static void
end(void *data)
{
    spend_t  *s = data;

    ranking_free(&s->ranking);
}


int
report_spend(int argc, char **argv)
{
    static const report_whole_t  whole = {
        { "spend", take, false, print }, NULL, begin, end
    };

    spend_t  s;

    memset(&s, 0, sizeof(s));

    return report_whole(&whole, &s.o, &s, argc, argv);
}
