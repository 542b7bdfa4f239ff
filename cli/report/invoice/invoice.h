/*
 * invoice.h - what a provider says that it was used for, as CSV: OpenAI's and
 * Anthropic's cost exports, and others with columns named as usual, or told.
 */

#ifndef INVOICE_H
#define INVOICE_H

#include "tg_str.h"

#include <stdbool.h>
#include <stdint.h>

/* Columns by their names; NULL: looked for among the usual ones. */
typedef struct {
    const char  *model;
    const char  *amount;
    const char  *date;
    bool         cents;             /* amounts are hundredths of dollars */
} invoice_columns_t;

typedef struct {
    tg_str_t     model;             /* as invoice_model() makes it; "": none */
    int64_t      day;               /* milliseconds; INT64_MIN: none */
    int64_t      nusd;
} invoice_row_t;

typedef struct {
    tg_str_t     vendor;            /* whose export it is; "": not known */
    bool         has_models;
    bool         has_days;
    int64_t      first, last;       /* days; where there are some */
    uint64_t     rows;
    int64_t      nusd;
} invoice_t;

/* False ends the reading. */
typedef bool (*invoice_row_f)(void *data, const invoice_row_t *row);

/* False with a message said: it can't be read, or some row of it can't. */
bool invoice_read(const char *file, const invoice_columns_t *columns,
    invoice_row_f row, void *data, invoice_t *invoice);

/*
 * One name for what providers, invoices and people write in several ways:
 * "Claude Haiku 3.5" and "claude-3-5-haiku-20241022" are claude-haiku-3-5,
 * "gpt-4o-2024-08-06, input" is gpt-4o.  buf of INVOICE_MODEL_SIZE.
 */
#define INVOICE_MODEL_SIZE  256
tg_str_t invoice_model(char *buf, tg_str_t name);

#endif /* INVOICE_H */
