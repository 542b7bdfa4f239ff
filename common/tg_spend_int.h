/*
 * tg_spend_int.h - rows of tg_spend_t; for tg_spend*.c only.
 */

#ifndef TG_SPEND_INT_H
#define TG_SPEND_INT_H

#include "tg_spend.h"
#include "tg_window_int.h"

/* Places that a name is looked for at. */
#define TG_SPEND_STEPS  32

/* A table of rows; n is a power of two. */
typedef struct {
    unsigned  at, n;
} tg_spend_table_t;

/* Of the dimensions, then of sums. */
#define TG_SPEND_SUM    TG_SPEND_DIMENSIONS
extern const tg_spend_table_t  tg_spend_tables[TG_SPEND_SUM + 1];

/* Rows in the last have tg_spend_names[], for "other". */

/* Each call is in one row of this dimension, or in its "other": together they
 * are all calls. */
#define TG_SPEND_WHOLE  TG_SPEND_PROVIDER

/* A name, ready to be looked for. */
typedef struct {
    size_t    len;
    uint64_t  hash;
    uint64_t  word[TG_SPEND_NAME_MAX / 8];      /* then zeros */
} tg_spend_name_t;

void tg_spend_name(tg_spend_name_t *name, tg_str_t s);

/* What the tag of a row with that name in that month is. */
uint64_t tg_spend_tag(const tg_spend_name_t *name, uint32_t month);

/* True of a row that is some name's in that month. */
bool tg_spend_is_of(uint64_t tag, uint32_t month);

bool tg_spend_is(const tg_spend_row_t *row, const tg_spend_name_t *name);

#endif /* TG_SPEND_INT_H */
