/* llmctl report gpu: own GPUs against what the same tokens cost in the cloud,
 * and how many GPUs the money of the cloud would rent. */

#include "kinds.h"
#include "kind/report.h"
#include "rows/fold.h"
#include "llmctl.h"

#include "tg_money.h"
#include "tg_price.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR_MS     INT64_C(3600000)
#define HOUR_NS     3600e9
#define MILLION     1e6
#define PRICES_MAX  ((size_t) 64 * 1024 * 1024)
#define PRICES      "/usr/share/tollgate/prices.json"
#define NAME        600

typedef enum { ROW_OWN = 0, ROW_CLOUD } row_t;

typedef struct {
    int64_t  calls, tokens;
    int64_t  ns;                        /* of GPUs */
    int64_t  cost;                      /* llm.cost.gpu; of clouds the cost */
    int64_t  instead;                   /* nano-dollars */
} gpu_sum_t;

typedef struct {
    report_options_t    o;
    const char         *instead, *prices, *per_hour_text;
    int64_t             per_hour;       /* of a server; -1: not told */
    tg_str_t            provider;
    tg_price_book_t    *book;
    const tg_price_t   *price;
    fold_t             *fold;
    int64_t             first, last;    /* hours */
    bool                any;
    double              hours;
} gpu_t;


static int64_t
price_instead(const gpu_t *g, const record_t *r)
{
    tg_cost_t   cost;
    tg_usage_t  u;

    if (g->price == NULL) {
        return 0;
    }

    tg_usage_init(&u);
    u.source = TG_USAGE_REPORTED;
    u.input = r->number[REC_INPUT];
    u.cache_read = r->number[REC_CACHE_READ];
    u.output = r->number[REC_OUTPUT];
    tg_price_cost(g->book, g->price, g->provider, &u, TG_TIER_STANDARD, &cost);

    return cost.total;
}


static bool
line(void *data, const record_t *r)
{
    char        buf[NAME];
    int         len;
    bool        own = r->number[REC_GPU_NS] > 0;
    gpu_t      *g = data;
    int64_t     hour = r->time / HOUR_MS;
    tg_str_t    name, model = r->text[REC_MODEL];
    gpu_sum_t  *s;

    g->first = !g->any || hour < g->first ? hour : g->first;
    g->last = !g->any || hour > g->last ? hour : g->last;
    g->any = true;

    if (!own && r->number[REC_COST] <= 0) {
        return true;
    }

    if (own) {
        name = r->text[REC_SERVER].len != 0 ? r->text[REC_SERVER]
                                            : r->text[REC_UPSTREAM];
    } else {
        model = model.len != 0 ? model : r->text[REC_ASKED_MODEL];
        len = snprintf(buf, sizeof(buf), "%.*s/%.*s",
                       (int) r->text[REC_VENDOR].len, r->text[REC_VENDOR].p,
                       (int) model.len, model.p);
        name = tg_str_of(buf, (size_t) len < sizeof(buf) ? (size_t) len
                                                         : sizeof(buf) - 1);
    }

    fold_key(g->fold);
    fold_int(g->fold, own ? ROW_OWN : ROW_CLOUD);
    fold_str(g->fold, name);
    s = fold_value(g->fold);

    if (s == NULL) {
        return fold_too_many("report") == 0;
    }

    s->calls += record_is(r, REC_FINAL);
    s->tokens = tg_money_add(s->tokens, tg_money_add(r->number[REC_INPUT],
                                                     r->number[REC_OUTPUT]));
    s->ns = tg_money_add(s->ns, r->number[REC_GPU_NS]);
    s->cost = tg_money_add(s->cost, own ? r->number[REC_COST_GPU]
                                        : r->number[REC_COST]);
    s->instead = tg_money_add(s->instead, own ? price_instead(g, r) : 0);

    return true;
}


static void
money_or_none(table_t *t, bool known, double nusd)
{
    if (known) {
        table_int(t, (int64_t) (nusd + (nusd < 0 ? -0.5 : 0.5)));
    } else {
        table_none(t);
    }
}


static void
part_or_none(table_t *t, bool known, double part)
{
    if (known) {
        table_double(t, part);
    } else {
        table_none(t);
    }
}


/* What it costs: all hours that it is there, where the price of one is told. */
static double
sum_cost(const gpu_t *g, const gpu_sum_t *s)
{
    return g->per_hour < 0 ? (double) s->cost
                           : (double) g->per_hour * g->hours;
}


static void
row_print(const gpu_t *g, table_t *t, row_t row, tg_str_t name,
    const gpu_sum_t *s)
{
    bool    own = row == ROW_OWN, told = g->price != NULL && own;
    double  cost = own ? sum_cost(g, s) : (double) s->cost;
    double  millions = (double) s->tokens / MILLION;
    double  even;

    table_text(t, name);
    table_text(t, own ? tg_str("own") : tg_str("cloud"));
    table_int(t, s->calls);
    table_int(t, s->tokens);
    part_or_none(t, own && g->hours > 0,
                 (double) s->ns / HOUR_NS / g->hours);
    money_or_none(t, true, cost);
    money_or_none(t, s->tokens > 0, cost / millions);
    money_or_none(t, told, (double) s->instead);
    money_or_none(t, told && s->tokens > 0, (double) s->instead / millions);
    money_or_none(t, told, (double) s->instead - cost);

    /* tokens of an hour at which both cost the same */

    even = s->instead > 0 ? cost / g->hours * (double) s->tokens
                            / (double) s->instead : 0;

    if (told && even > 0) {
        table_int(t, (int64_t) even);
        table_double(t, (double) s->tokens / g->hours / even);
    } else {
        table_none(t);
        table_none(t);
    }

    if (!own && g->per_hour > 0) {
        table_double(t, (double) s->cost / g->hours / (double) g->per_hour);
    } else {
        table_none(t);
    }
}


static void
columns(table_t *t)
{
    table_column(t, "what", CELL_TEXT);
    table_column(t, "kind", CELL_TEXT);
    table_column(t, "calls", CELL_COUNT);
    table_column(t, "tokens", CELL_COUNT);
    table_column(t, "busy", CELL_PERCENT);
    table_column(t, "cost", CELL_MONEY);
    table_column(t, "per_million", CELL_MONEY);
    table_column(t, "instead", CELL_MONEY);
    table_column(t, "instead_per_million", CELL_MONEY);
    table_column(t, "saved", CELL_MONEY);
    table_column(t, "break_even_tokens_per_hour", CELL_COUNT);
    table_column(t, "of_break_even", CELL_PERCENT);
    table_column(t, "gpus_for_the_money", CELL_NUMBER);
}


static void
notes(const gpu_t *g, table_t *t)
{
    table_note(t, "cost", g->per_hour >= 0
               ? "cost of own servers is that of all hours of the time, idle"
                 " ones too"
               : "cost of own servers is that of their busy time alone:"
                 " --gpu-cost=USD says what an hour of a server costs");

    if (g->price == NULL) {
        table_note(t, "instead", "--instead=PROVIDER/MODEL compares with a"
                   " cloud's price");
    }

    if (g->per_hour > 0) {
        table_note(t, "gpus_for_the_money", "gpus_for_the_money is how many"
                   " servers at that price a model's money would rent, all"
                   " hours; whether they can serve it is not in the lines");
    }
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    int         kind;
    char        buf[NAME];
    gpu_t      *g = data;
    int64_t     from = g->first * HOUR_MS, until = (g->last + 1) * HOUR_MS;
    gpu_sum_t  *s;
    fold_key_t  key;

    (void) stats;
    from = g->o.reader.since != INT64_MIN ? g->o.reader.since : from;
    until = g->o.reader.until != INT64_MAX ? g->o.reader.until : until;
    g->hours = (double) (until - from) / (double) HOUR_MS;
    columns(t);
    fold_sort(g->fold);

    for (size_t i = 0; i < fold_count(g->fold); i++) {
        s = fold_at(g->fold, i, &key);
        kind = (int) fold_next_int(&key);
        row_print(g, t, (row_t) kind, fold_next_str(&key, buf, sizeof(buf)),
                  s);
    }

    notes(g, t);

    return true;
}


/* The price that own tokens are compared with. */
static bool
prices_read(gpu_t *g)
{
    int          rc;
    char        *text;
    size_t       size;
    tg_str_t     model;
    tg_error_t   err;
    const char  *slash = strchr(g->instead, '/');

    if (slash == NULL) {
        return failed("--instead", "is PROVIDER/MODEL");
    }

    text = read_file(g->prices, PRICES_MAX, &size);
    if (text == NULL) {
        return false;
    }

    g->book = tg_price_book_create();
    rc = g->book == NULL ? TG_ERROR
         : tg_price_book_add(g->book, tg_strz(g->prices),
                             tg_str_of(text, size), &err);
    free(text);

    if (rc != TG_OK) {
        return failed("prices", g->book == NULL ? "no memory" : err.message);
    }

    g->provider = tg_str_of(g->instead, (size_t) (slash - g->instead));
    model = tg_strz(slash + 1);
    g->price = tg_price_find(g->book, g->provider, model);

    return g->price != NULL || failed(g->instead, "has no price there");
}


static void
want(record_want_t *w)
{
    static const record_text_t    texts[] = {
        REC_SERVER, REC_UPSTREAM, REC_VENDOR, REC_MODEL, REC_ASKED_MODEL
    };
    static const record_number_t  numbers[] = {
        REC_INPUT, REC_OUTPUT, REC_CACHE_READ, REC_GPU_NS, REC_COST_GPU,
        REC_COST
    };

    record_want_texts(w, texts, sizeof(texts) / sizeof(texts[0]));
    record_want_numbers(w, numbers, sizeof(numbers) / sizeof(numbers[0]));
}


static int
begin(void *data)
{
    gpu_t  *g = data;

    if (g->per_hour_text != NULL) {
        g->per_hour = tg_money_parse(tg_strz(g->per_hour_text), 9);
    }

    if (g->o.nby != 0) {
        return 2 * fail("--by", "has no meaning here");
    }

    if (g->per_hour_text != NULL && g->per_hour < 0) {
        return 2 * fail("--gpu-cost", "is dollars: 2.10");
    }

    if (g->instead != NULL && !prices_read(g)) {
        return 2;
    }

    want(&g->o.reader.want);
    g->o.reader.kinds = READER_CALLS;
    g->fold = fold_new(sizeof(gpu_sum_t));

    return g->fold != NULL ? 0 : fail("report", strerror(ENOMEM));
}


static void
end(void *data)
{
    gpu_t  *g = data;

    tg_price_book_destroy(g->book);
    fold_free(g->fold);
}


int
report_gpu(int argc, char **argv)
{
    gpu_t                 g;
    const option_t        own[] = {
        { "instead", &g.instead, NULL }, { "prices", &g.prices, NULL },
        { "gpu-cost", &g.per_hour_text, NULL }, { NULL, NULL, NULL }
    };
    const report_whole_t  whole = {
        { "gpu", line, true, print }, own, begin, end
    };

    memset(&g, 0, sizeof(g));
    g.prices = PRICES;
    g.per_hour = -1;

    return report_whole(&whole, &g.o, &g, argc, argv);
}
