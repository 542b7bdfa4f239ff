/*
 * exchange_bounds.h - is what a recorded call used, and cost, within the bounds
 * that were known before it was made?
 */

#ifndef EXCHANGE_BOUNDS_H
#define EXCHANGE_BOUNDS_H

#include "exchange.h"
#include "tg_bound.h"

#include <inttypes.h>

#define BOUNDS_MAX  65536       /* calls */

typedef struct {
    const tg_price_book_t  *book;
    size_t                  calls;      /* whose usage is known */
    size_t                  broken;
    size_t                  unknown;    /* have no bound of their input */
    size_t                  unpriced;
    size_t                  ratios;
    double                  ratio[BOUNDS_MAX];  /* of hold to cost */
} bounds_t;


static inline const tg_price_t *
bounds_price(const bounds_t *b, const tg_dialect_t *d, tg_str_t model)
{
    return model.len == 0 ? NULL
                          : tg_price_find(b->book, tg_vendor_name(d->vendor),
                                          model);
}


static inline void
bounds_miss(bounds_t *b, const char *name, const char *what, int64_t bound,
    int64_t actual, bool *broken)
{
    if (actual > bound) {
        printf("BROKEN %s: %s is %" PRId64 ", but no more than %" PRId64
               " was expected\n", name, what, actual, bound);
        b->broken += !*broken;
        *broken = true;
    }
}


/* Why there is none. */
static inline void
bounds_unknown(bounds_t *b, const char *name, const tg_bound_ask_t *ask)
{
    printf("unbounded %s:%s%s%s%s%s\n", name,
           ask->inspected ? "" : " not read",
           ask->elsewhere ? " something elsewhere" : "",
           ask->uses != 0 ? " server-side tools" : "",
           ask->pictures < 0 ? " pictures" : "",
           ask->price == NULL ? ", model not listed" : ", no window listed");
    b->unknown++;
}


static inline void
bounds_cost(bounds_t *b, const char *name, const tg_bound_t *bound,
    const tg_cost_t *cost, bool *broken)
{
    bounds_miss(b, name, "the cost", bound->cost, cost->total, broken);

    if (cost->total > 0 && b->ratios < BOUNDS_MAX) {
        b->ratio[b->ratios++] = (double) bound->cost / (double) cost->total;
    }
}


/* The call as it was read: d, r and a, which has reported its usage. */
static inline void
bounds_check(bounds_t *b, const char *name, const tg_dialect_t *d,
    const tg_request_t *r, const tg_answer_info_t *a, bool verbose)
{
    const tg_request_info_t  *info = tg_request_info(r);
    const tg_usage_t         *u = &a->usage;
    const tg_price_t         *price = bounds_price(b, d, a->model);
    int64_t                   input = u->input, output = u->output;
    bool                      broken = false;
    tg_bound_ask_t            ask;
    tg_bound_t                bound;
    tg_cost_t                 cost;

    tg_bound_ask(&ask, tg_api_op(d->api), info, tg_request_inspected(r));
    ask.price = bounds_price(b, d, info->model);
    ask.price = ask.price != NULL ? ask.price : bounds_price(b, d, d->model);
    price = price != NULL ? price : ask.price;
    ask.price = ask.price != NULL ? ask.price : price;
    tg_bound(&ask, &bound);
    b->calls++;

    for (const tg_usage_extra_t *e = u->extra; e != NULL; e = e->next) {
        input += e->input;
        output += e->output;
    }

    bounds_miss(b, name, "the output", bound.output, output, &broken);

    if (bound.input == TG_BOUND_UNKNOWN) {
        bounds_unknown(b, name, &ask);
        return;
    }

    bounds_miss(b, name, "the input", bound.input, input, &broken);

    if (price == NULL) {
        b->unpriced++;

    } else if (bound.cost != TG_BOUND_UNKNOWN) {
        tg_price_cost(b->book, price, tg_vendor_name(d->vendor), u,
                      tg_tier_parse(a->service_tier.len ? a->service_tier
                                                        : info->service_tier),
                      &cost);
        bounds_cost(b, name, &bound, &cost, &broken);
    }

    if (verbose) {
        printf("bound %s: input %" PRId64 "/%" PRId64 " output %" PRId64
               "/%" PRId64 " hold %" PRId64 "\n", name, bound.input, input,
               bound.output, output, bound.cost);
    }
}


static inline int
bounds_order(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}


static inline void
bounds_summary(bounds_t *b)
{
    size_t  n = b->ratios;

    qsort(b->ratio, n, sizeof(double), bounds_order);

    printf("corpus bounds: %zu/%zu hold, %zu of them of output alone, cost of "
           "%zu", b->calls - b->broken, b->calls, b->unknown, n);

    if (n != 0) {
        printf(": median hold/actual %.1f, p95 %.1f", b->ratio[n / 2],
               b->ratio[n - 1 - n / 20]);
    }

    printf("\n");
}

#endif /* EXCHANGE_BOUNDS_H */
