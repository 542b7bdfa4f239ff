/* llmctl report batch: which calls could as well go in batches. */

#include "kinds.h"
#include "kind/listing.h"
#include "llmctl.h"

#include "tg_money.h"
#include "tg_price.h"

#include <stdio.h>

#define PERCENT_MAX  100

/* All int64_t. Money is nano-dollars. */
typedef struct {
    int64_t  calls, cost;
    int64_t  batched;                   /* went in a batch, or as flex */
    int64_t  streamed, session;         /* somebody waits for them */
    int64_t  other;                     /* no batches of such calls */
    int64_t  eligible_calls, eligible;
} sums_t;

/* Who takes batches at half the price: prices/default.json of 2026-11-22. */
static const tg_str_t  vendors[] = {
    TG_STR("openai"), TG_STR("anthropic"), TG_STR("gcp.gemini"),
    TG_STR("gcp.vertex_ai"), TG_STR("aws.bedrock"), TG_STR("mistral_ai"),
    TG_STR("azure.ai.openai")
};

static const tg_str_t  operations[] = {
    TG_STR("chat"), TG_STR("text_completion"), TG_STR("generate_content"),
    TG_STR("embeddings")
};

static const char  *percent;            /* --discount= */
static int64_t      discount = 50;      /* per cent */


static bool
among(tg_str_t s, const tg_str_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (tg_str_eq(s, list[i])) {
            return true;
        }
    }

    return false;
}


static bool
line(void *sums, const record_t *r)
{
    sums_t    *s = sums;
    tg_tier_t  tier = tg_tier_parse(r->text[REC_TIER]) & (TG_TIER_US - 1);

    if (!record_has(r, REC_COST) || r->number[REC_COST] <= 0) {
        return false;
    }

    s->calls = record_is(r, REC_FINAL);
    s->cost = r->number[REC_COST];

    if (tier == TG_TIER_BATCH || tier == TG_TIER_FLEX
        || tg_str_eq(r->text[REC_OPERATION], tg_str("batch")))
    {
        s->batched = s->cost;

    } else if (record_is(r, REC_STREAM)) {
        s->streamed = s->cost;

    } else if (r->text[REC_SESSION].len != 0 || r->text[REC_AGENT].len != 0) {
        s->session = s->cost;

    } else if (!among(r->text[REC_VENDOR], vendors,
                      sizeof(vendors) / sizeof(vendors[0]))
               || !among(r->text[REC_OPERATION], operations,
                         sizeof(operations) / sizeof(operations[0]))
               || !record_is(r, REC_FINAL) || record_is(r, REC_RECOVERED))
    {
        s->other = s->cost;

    } else {
        s->eligible = s->cost;
        s->eligible_calls = 1;
    }

    return true;
}


static void
by_eligible(int64_t rank[2], const tg_str_t *values, const void *sums)
{
    const sums_t  *s = sums;

    (void) values;
    rank[0] = ~s->eligible;
    rank[1] = ~s->cost;
}


static void
columns(table_t *t)
{
    table_column(t, "calls", CELL_COUNT);
    table_column(t, "cost", CELL_MONEY);
    table_column(t, "eligible_calls", CELL_COUNT);
    table_column(t, "eligible", CELL_MONEY);
    table_column(t, "part", CELL_PERCENT);
    table_column(t, "bar", CELL_BAR);
    table_column(t, "would_save", CELL_MONEY);
    table_column(t, "batched", CELL_MONEY);
    table_column(t, "streamed", CELL_MONEY);
    table_column(t, "in_sessions", CELL_MONEY);
    table_column(t, "other", CELL_MONEY);
}


static int64_t
saving(const sums_t *s)
{
    return (int64_t) ((__int128) s->eligible * discount / PERCENT_MAX);
}


static void
cells(table_t *t, const void *sums, const void *all)
{
    double         part;
    const sums_t  *s = sums;

    (void) all;
    part = s->cost == 0 ? 0 : (double) s->eligible / (double) s->cost;

    table_int(t, s->calls);
    table_int(t, s->cost);
    table_int(t, s->eligible_calls);
    table_int(t, s->eligible);
    table_double(t, part);
    table_double(t, part);
    table_int(t, saving(s));
    table_int(t, s->batched);
    table_int(t, s->streamed);
    table_int(t, s->session);
    table_int(t, s->other);
}


static void
notes(table_t *t, const void *all)
{
    char           text[200], money[TG_MONEY_TEXT_MAX];
    const sums_t  *s = all;

    (void) snprintf(text, sizeof(text), "$%.*s would be saved by batches at"
                    " %lld%% less", (int) tg_money_text(money, saving(s)),
                    money, (long long) discount);
    table_note(t, "would_save", text);
    table_note(t, "eligible", "eligible is what is neither streamed nor of a"
               " session or agent, at vendors that take batches; whether"
               " nobody waits for it, only you know");
}


static void
want(record_want_t *w)
{
    record_want_text(w, REC_TIER);
    record_want_text(w, REC_OPERATION);
    record_want_text(w, REC_VENDOR);
    record_want_text(w, REC_SESSION);
    record_want_text(w, REC_AGENT);
    record_want_number(w, REC_COST);
}


static bool
begin(void)
{
    if (percent != NULL) {
        discount = tg_str_int(tg_str_of(percent, strcspn(percent, "%")));
    }

    return (discount >= 0 && discount <= PERCENT_MAX)
           || failed("--discount", "is a percentage: 50%");
}


int
report_batch(int argc, char **argv)
{
    static const char *const  by[] = { "team", "model", NULL };
    static const listing_t    listing = {
        "batch", sizeof(sums_t), NULL, by_eligible, line, columns, cells, notes,
        by, want
    };
    static const option_t     own[] = {
        { "discount", &percent, NULL }, { NULL, NULL, NULL }
    };

    return listing_report(&listing, argc, argv, own, begin);
}
