/* llmctl report prompts: what the same beginnings of prompts cost, again and
 * again, and what is generated after them. */

#include "kinds.h"
#include "kind/listing.h"
#include "llmctl.h"

#include "tg_money.h"

#include <math.h>
#include <stdio.h>

/* Output tokens by size: eight steps from each power of two to the next, so
 * that a quantile is told within 9%. */
#define STEPS    8
#define OCTAVES  21
#define BUCKETS  (STEPS * OCTAVES)

typedef struct {
    int64_t   calls, cost;
    int64_t   system, system_max;       /* tokens, estimated */
    int64_t   input, cached, written, output;
    int64_t   input_cost;               /* of what no cache had */
    int64_t   unlimited;                /* without max_tokens */
    int64_t   limits;                   /* sum of max_tokens */
    int64_t   cut;                      /* ended at their limit */
    uint32_t  sizes[BUCKETS];
} sums_t;


static unsigned
bucket(int64_t n)
{
    double  at = n < 1 ? 0 : STEPS * log2((double) n);

    return at >= BUCKETS ? BUCKETS - 1 : (unsigned) at;
}


/* The most that a call of that part of them had. */
static int64_t
quantile(const sums_t *s, double part)
{
    uint64_t  n = 0, all = 0;

    for (unsigned i = 0; i < BUCKETS; i++) {
        all += s->sizes[i];
    }

    for (unsigned i = 0; i < BUCKETS; i++) {
        n += s->sizes[i];

        if (n != 0 && (double) n >= part * (double) all) {
            return (int64_t) exp2((i + 1) / (double) STEPS);
        }
    }

    return 0;
}


static bool
line(void *sums, const record_t *r)
{
    sums_t   *s = sums;
    tg_str_t  finish = r->text[REC_FINISH];

    if (!record_is(r, REC_FINAL) || r->number[REC_INPUT] <= 0
        || tg_str_eq(r->text[REC_SOURCE], tg_str("cached")))
    {
        return false;
    }

    s->calls = 1;
    s->cost = r->number[REC_COST];
    s->system = r->number[REC_SYSTEM_TOKENS];
    s->system_max = s->system;
    s->input = r->number[REC_INPUT];
    s->cached = r->number[REC_CACHE_READ];
    s->written = r->number[REC_CACHE_WRITE];
    s->output = r->number[REC_OUTPUT];
    s->input_cost = r->number[REC_COST_INPUT];
    s->unlimited = r->number[REC_MAX_TOKENS] <= 0;
    s->limits = r->number[REC_MAX_TOKENS];
    s->cut = tg_str_eq(finish, tg_str("length"))
             || tg_str_eq(finish, tg_str("max_tokens"))
             || tg_str_eq(finish, tg_str("MAX_TOKENS"));
    s->sizes[bucket(s->output)] = 1;

    return true;
}


static void
add(void *to, const void *from)
{
    sums_t        *a = to;
    const sums_t  *b = from;

    a->calls += b->calls;
    a->cost = tg_money_add(a->cost, b->cost);
    a->system = tg_money_add(a->system, b->system);
    a->system_max = b->system_max > a->system_max ? b->system_max
                                                  : a->system_max;
    a->input = tg_money_add(a->input, b->input);
    a->cached = tg_money_add(a->cached, b->cached);
    a->written = tg_money_add(a->written, b->written);
    a->output = tg_money_add(a->output, b->output);
    a->input_cost = tg_money_add(a->input_cost, b->input_cost);
    a->unlimited += b->unlimited;
    a->limits = tg_money_add(a->limits, b->limits);
    a->cut += b->cut;

    for (unsigned i = 0; i < BUCKETS; i++) {
        a->sizes[i] += b->sizes[i];
    }
}


static void
by_cost(int64_t rank[2], const tg_str_t *values, const void *sums)
{
    const sums_t  *s = sums;

    (void) values;
    rank[0] = ~s->cost;
}


static void
columns(table_t *t)
{
    table_column(t, "calls", CELL_COUNT);
    table_column(t, "cost", CELL_MONEY);
    table_column(t, "system_tokens", CELL_COUNT);
    table_column(t, "system_part", CELL_PERCENT);
    table_column(t, "input_tokens", CELL_COUNT);
    table_column(t, "cache_hits", CELL_PERCENT);
    table_column(t, "uncached_cost", CELL_MONEY);
    table_column(t, "output_p50", CELL_COUNT);
    table_column(t, "output_p95", CELL_COUNT);
    table_column(t, "max_tokens", CELL_COUNT);
    table_column(t, "no_max_tokens", CELL_PERCENT);
    table_column(t, "cut_off", CELL_PERCENT);
}


static void
part(table_t *t, int64_t n, int64_t of)
{
    if (of <= 0) {
        table_none(t);
    } else {
        table_double(t, (double) n / (double) of);
    }
}


/* Of a call, rounded. */
static void
mean(table_t *t, int64_t sum, int64_t calls)
{
    if (calls == 0) {
        table_none(t);
    } else {
        table_int(t, tg_money_add(sum, calls / 2) / calls);
    }
}


static void
cells(table_t *t, const void *sums, const void *all)
{
    const sums_t  *s = sums;

    (void) all;
    table_int(t, s->calls);
    table_int(t, s->cost);
    mean(t, s->system, s->calls);
    part(t, s->system < s->input ? s->system : s->input, s->input);
    mean(t, s->input, s->calls);
    part(t, s->cached, s->input);
    table_int(t, s->input_cost);
    table_int(t, quantile(s, 0.5));
    table_int(t, quantile(s, 0.95));
    mean(t, s->limits, s->calls - s->unlimited);
    part(t, s->unlimited, s->calls);
    part(t, s->cut, s->calls);
}


static void
notes(table_t *t, const void *all)
{
    char           text[200];
    const sums_t  *s = all;

    if (s->calls != 0 && s->unlimited != 0) {
        (void) snprintf(text, sizeof(text), "%lld calls have no max_tokens:"
                        " quotas hold all that the model may write for them",
                        (long long) s->unlimited);
        table_note(t, "no_max_tokens", text);
    }

    table_note(t, "quantiles", "output_p50 and output_p95 are within 9%;"
               " system_tokens is an estimate, input_tokens and max_tokens"
               " are the mean of a call");
}


static void
want(record_want_t *w)
{
    static const record_number_t  numbers[] = {
        REC_COST, REC_SYSTEM_TOKENS, REC_INPUT, REC_CACHE_READ,
        REC_CACHE_WRITE, REC_OUTPUT, REC_COST_INPUT, REC_MAX_TOKENS
    };

    record_want_numbers(w, numbers, sizeof(numbers) / sizeof(numbers[0]));

    record_want_text(w, REC_SOURCE);
    record_want_text(w, REC_FINISH);
}


int
report_prompts(int argc, char **argv)
{
    static const char *const  by[] = { "prefix", "model", NULL };
    static const listing_t    listing = {
        "prompts", sizeof(sums_t), add, by_cost, line, columns, cells, notes,
        by, want
    };

    return listing_report(&listing, argc, argv, NULL, NULL);
}
