/*
 * reprice.h - what a line's usage costs by another price list, reckoned as the
 * servers do (docs/prices.md).
 *
 * What can't be had from a line: the tier that was asked for where the answer does
 * not say one, the vendor of a provider's price=, and the parts of usage that were
 * billed at another model's price (llm.usage.extra), which keep their cost.
 */

#ifndef REPRICE_H
#define REPRICE_H

#include "line/record.h"

#include "tg_price.h"

/* Why a line's cost is not of a price list. */
typedef enum {
    REPRICE_LIST = 0,
    REPRICE_PROVIDER,           /* the provider said what it charged */
    REPRICE_GPU,                /* time of own GPUs */
    REPRICE_RECOVERED,          /* what was held */
    REPRICE_NOTHING             /* nothing was used, or it is free */
} reprice_by_t;

typedef struct {
    reprice_by_t  by;
    bool          priced;       /* the list has a price; else total is 0 */
    bool          incomplete;
    int64_t       total;        /* nano-dollars; where it is not of a list, the
                                   line's own */
    tg_str_t      price_id;     /* the book's */
} reprice_t;

reprice_by_t reprice_by(const record_t *r);

/* As the line has it; provider_cost is not said, extra is empty. */
void reprice_usage(const record_t *r, tg_usage_t *u);

/* As it was sent; as the answer says, or empty. */
tg_str_t reprice_sent_model(const record_t *r);

/*
 * vendor: whose prices hold; empty: the line's gen_ai.provider.name.  `book` NULL:
 * there are no prices.
 */
void reprice(const tg_price_book_t *book, tg_str_t vendor, const record_t *r,
    reprice_t *cost);

/* What of a record it looks at. */
void reprice_want(record_want_t *want);

#endif /* REPRICE_H */
