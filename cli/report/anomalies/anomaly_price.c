#include "anomaly_price.h"
#include "series/series_stat.h"

#include "tg_money.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CALLS    5              /* that tell a price */
#define HOURS    6              /* they may be of */
#define LEAST    0.03           /* ln */
#define SPREADS  6.0
#define BEYOND   1.3
#define PAST     14             /* days, and at least so many of them: */
#define ENOUGH   3

typedef struct {
    const series_t  *s;
    int64_t          day0;
    size_t           nhours;
    double          *daily;     /* ln of prices by day; NAN: not enough calls */
    double          *beyond;    /* by hour: distance of what was judged */
    double          *looks;
    size_t           reset;     /* hour: what was before is past */
    double           base, spread;
    unsigned         twice;     /* hours in a row that it is another one */
    int              sign;
} price_t;


void
price_want(record_want_t *want)
{
    static const int  numbers[] = {
        REC_INPUT, REC_OUTPUT, REC_CACHE_READ, REC_CACHE_WRITE, REC_COST,
        REC_COST_INPUT, REC_COST_OUTPUT, REC_COST_CACHE_READ,
        REC_COST_CACHE_WRITE
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        want->number |= UINT64_C(1) << numbers[i];
    }

    want->text |= UINT64_C(1) << REC_PROVIDER | UINT64_C(1) << REC_VENDOR
                  | UINT64_C(1) << REC_TIER | UINT64_C(1) << REC_COST_SOURCE
                  | UINT64_C(1) << REC_SOURCE;
}


bool
price_add(series_set_t *prices, const record_t *r, tg_str_t model,
    int64_t hour)
{
    static const struct {
        const char  *kind;
        int          tokens, cost;
    } classes[] = {
        { "input", REC_INPUT, REC_COST_INPUT },
        { "output", REC_OUTPUT, REC_COST_OUTPUT },
        { "cache read", REC_CACHE_READ, REC_COST_CACHE_READ },
        { "cache write", REC_CACHE_WRITE, REC_COST_CACHE_WRITE },
    };

    char           name[3 * SERIES_NAME_MAX];
    int            n;
    uint32_t       i;
    int64_t        tokens, cost;
    tg_str_t       who = r->text[REC_PROVIDER], tier = r->text[REC_TIER];
    series_call_t  call = { .hour = hour, .counts = true };
    bool           whole;

    who = who.len == 0 ? r->text[REC_VENDOR] : who;

    if (model.len == 0 || tg_str_eq(r->text[REC_COST_SOURCE], tg_str("gpu"))
        || tg_str_eq(r->text[REC_SOURCE], tg_str("cached"))
        || tg_str_eq(r->text[REC_SOURCE], tg_str("recovered")))
    {
        return true;
    }

    n = snprintf(name, sizeof(name), "%.*s\t%.*s\t%.*s", (int) model.len,
                 model.p, (int) who.len, who.p, (int) tier.len, tier.p);
    if (n < 0 || n > SERIES_NAME_MAX) {
        return true;
    }

    /* The provider said what it charged: not for what. */
    whole = tg_str_eq(r->text[REC_COST_SOURCE], tg_str("provider"));

    for (unsigned k = 0; k < (whole ? 1 : 4); k++) {
        tokens = whole ? tg_money_add(r->number[REC_INPUT],
                                      r->number[REC_OUTPUT])
                       : r->number[classes[k].tokens];
        cost = whole ? r->number[REC_COST] : r->number[classes[k].cost];

        if (k == 0 && !whole) {
            tokens = tg_money_less(tokens,
                                   tg_money_add(r->number[REC_CACHE_READ],
                                                r->number[REC_CACHE_WRITE]));
        }

        if (tokens <= 0 || cost <= 0) {
            continue;
        }

        call.input = tokens;
        call.cost = cost;
        i = series_of(prices, whole ? "all" : classes[k].kind,
                      tg_str_of(name, (size_t) n));
        if (i == SERIES_NONE || !series_add(prices, &i, 1, &call)) {
            return false;
        }
    }

    return true;
}


tg_str_t
price_model(const series_t *s)
{
    tg_str_t  model, list = tg_strz(s->name);

    (void) tg_str_cut(&list, '\t', &model);

    return model;
}


/* ln of the price of up to HOURS hours before t and t itself; NAN. */
static double
price_at(const price_t *p, size_t t)
{
    double         cost = 0, tokens = 0;
    uint64_t       calls = 0;
    series_cell_t  c;

    for (size_t k = 0; k < HOURS && k <= t && t - k >= p->reset; k++) {
        c = series_get(p->s, p->day0 * 24 + (int64_t) (t - k));
        cost += (double) c.cost;
        tokens += (double) c.input;
        calls += c.calls;

        if (calls >= CALLS) {
            break;
        }
    }

    return calls < CALLS || cost <= 0 || tokens <= 0 ? NAN : log(cost / tokens);
}


static void
price_learn(price_t *p, size_t d)
{
    size_t         n = 0;
    double         cost = 0, tokens = 0;
    uint64_t       calls = 0;
    series_cell_t  c;

    for (size_t t = 24 * (d - 1); d > 0 && t < 24 * d; t++) {
        if (t < p->reset) {
            continue;
        }
        c = series_get(p->s, p->day0 * 24 + (int64_t) t);
        cost += (double) c.cost;
        tokens += (double) c.input;
        calls += c.calls;
    }

    if (d > 0) {
        p->daily[d - 1] = calls < CALLS ? NAN : log(cost / tokens);
    }

    for (size_t i = d; i-- > 0 && n < PAST && 24 * i + 24 > p->reset; ) {
        if (!isnan(p->daily[i])) {
            p->looks[n++] = p->daily[i];
        }
    }

    p->base = n < ENOUGH ? NAN : stat_median(p->looks, n);
    p->spread = n < ENOUGH ? 0 : stat_spread(p->looks, n, p->base);
}


static double
price_limit(price_t *p, size_t t)
{
    double  most = 0;
    size_t  from = t > 24 * ANOMALY_LOOKS ? t - 24 * ANOMALY_LOOKS : 0;

    for (size_t i = from > p->reset ? from : p->reset; i + 2 < t; i++) {
        most = isnan(p->beyond[i]) ? most : fmax(most, p->beyond[i]);
    }

    return fmax(LEAST, fmax(SPREADS * p->spread, BEYOND * most));
}


static bool
price_look(price_t *p, size_t t, anomalies_t *all, uint32_t model,
    const anomaly_scope_t *scope)
{
    double     is = price_at(p, t), by, day = 0;
    int64_t    hour = p->day0 * 24 + (int64_t) t;
    anomaly_t  a;

    if (isnan(is) || isnan(p->base) || series_get(p->s, hour).calls == 0) {
        return true;
    }

    by = is - p->base;

    if (fabs(by) <= price_limit(p, t)) {
        p->beyond[t] = fabs(by);
        p->twice = 0;
        return true;
    }

    p->twice = p->sign * by > 0 ? p->twice + 1 : 1;
    p->sign = by > 0 ? 1 : -1;

    for (int64_t k = 0; k < 24; k++) {
        day += (double) series_get(p->s, hour - k).input;
    }

    if (p->twice < 2
        || fabs(exp(is) - exp(p->base)) * day < anomaly_worth(scope, hour) / 40)
    {
        return true;
    }

    memset(&a, 0, sizeof(a));
    a.kind = ANOMALY_PRICE;
    a.series = model;
    a.found = hour;
    a.since = hour - 1;
    a.now = exp(is) / 1000;             /* nano-dollars: dollars a million */
    a.usual = exp(p->base) / 1000;
    a.excess = (exp(is) - exp(p->base)) * day;
    a.score = exp(by);
    a.open = true;
    a.last = scope->end - 1;
    (void) snprintf(a.text, sizeof(a.text), "%.*s",
                    (int) price_model(p->s).len, p->s->name);

    p->reset = t;
    p->twice = 0;
    p->base = NAN;

    return anomaly_add(all, &a);
}


bool
anomaly_price(anomalies_t *all, series_set_t *prices, uint32_t i,
    uint32_t model, const anomaly_scope_t *scope)
{
    bool     ok = true;
    size_t   ndays;
    int64_t  end;
    price_t  p;

    memset(&p, 0, sizeof(p));
    p.s = series_at(prices, i);
    p.day0 = p.s->first / 24;
    end = p.s->last + 1 < scope->end ? p.s->last + 1 : scope->end;

    if (p.s->first >= end) {
        return true;
    }

    p.nhours = (size_t) (end - p.day0 * 24);
    ndays = (p.nhours + 23) / 24;
    p.daily = calloc(26 * ndays + PAST, sizeof(double));
    if (p.daily == NULL) {
        return false;
    }

    p.beyond = p.daily + ndays;
    p.looks = p.beyond + 24 * ndays;

    for (size_t t = 0; t < 25 * ndays; t++) {
        p.daily[t] = NAN;               /* and those behind it */
    }

    for (size_t t = 0; ok && t < p.nhours; t++) {
        if (t % 24 == 0) {
            price_learn(&p, t / 24);
        }
        ok = price_look(&p, t, all, model, scope);
    }

    free(p.daily);

    return ok;
}
