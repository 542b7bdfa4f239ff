/*
 * focus_row.h - rows of FOCUS 1.2 (FinOps Open Cost and Usage Specification),
 * Cost and Usage dataset: https://focus.finops.org/focus-specification/v1-2/
 */

#ifndef FOCUS_ROW_H
#define FOCUS_ROW_H

#include "tg_str.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What a row is the price of. */
typedef enum {
    FOCUS_INPUT = 0,            /* tokens that no cache had */
    FOCUS_CACHE_READ,
    FOCUS_CACHE_WRITE,
    FOCUS_OUTPUT,
    FOCUS_TOOLS,                /* calls that were charged by the piece */
    FOCUS_EXTRA,                /* calls that were charged for other models */
    FOCUS_TOKENS,               /* all tokens of calls that have one price */
    FOCUS_GPU,                  /* time of own GPUs, nanoseconds */
    FOCUS_REQUESTS,             /* calls of which nothing else is known */
    FOCUS_CLASSES,
    FOCUS_HOURS = FOCUS_CLASSES /* of a commitment; no line has them */
} focus_class_t;

/* What a row has to do with a commitment. */
typedef enum {
    FOCUS_ON_DEMAND = 0,
    FOCUS_USED,
    FOCUS_UNUSED,
    FOCUS_PURCHASE
} focus_commit_t;

#define FOCUS_TAGS_MAX  16

typedef struct {
    int64_t        start, end;          /* milliseconds since 1970 */
    int64_t        bill_start, bill_end;
    tg_str_t       account;
    tg_str_t       vendor;              /* as in the line */
    tg_str_t       model;
    tg_str_t       tier;                /* "": standard */
    focus_class_t  class;
    tg_str_t       team;                /* "": none */
    tg_str_t       resource;            /* "": none */
    tg_str_t       invoice;             /* "": none */
    tg_str_t       price_id;
    tg_str_t       cost_source;
    tg_str_t       usage_source;
    unsigned       ntags;
    struct {
        tg_str_t   name;
        tg_str_t   value;
    }              tags[FOCUS_TAGS_MAX];
    int64_t        quantity;            /* tokens, calls, nanoseconds; hours by
                                           10^-9 */
    int64_t        cost, list;          /* nano-dollars */
    int64_t        effective;
    focus_commit_t kind;
    tg_str_t       commitment;          /* its id */
    int64_t        hours;               /* of it, by 10^-9 */
    int64_t        calls;
} focus_row_t;

void focus_header(FILE *to);
void focus_row(FILE *to, const focus_row_t *r);

/*
 * The shortest decimal that, times quantity / scale, is `cost` nano-dollars
 * when it is rounded to them.  Dollars; buf of FOCUS_PRICE_SIZE.  quantity and
 * scale are above 0, cost is not below it.
 */
#define FOCUS_PRICE_SIZE  64
tg_str_t focus_price(char *buf, int64_t cost, int64_t quantity, int64_t scale);

/* What people call them; the word itself where it is not known. */
tg_str_t focus_vendor(tg_str_t vendor);
tg_str_t focus_service(tg_str_t vendor);
tg_str_t focus_publisher(tg_str_t vendor, tg_str_t model);

#endif /* FOCUS_ROW_H */
