/*
 * focus_commit.h - what was committed to, as rows of FOCUS: bought hour by hour,
 * spread over the tokens that used it, and the rest unused.
 *
 * Of a period the purchase has BilledCost, and what used it and what did not
 * have the same amount in EffectiveCost, to the nano-dollar.
 */

#ifndef FOCUS_COMMIT_H
#define FOCUS_COMMIT_H

#include "commit_file.h"
#include "focus_row.h"
#include "rows/fold.h"

/* Of the fold that these are given: a value's bytes. */
#define FOCUS_USE_SIZE  (2 * sizeof(int64_t))

bool focus_of_tokens(focus_class_t class);

/* Tokens of a commitment in a period. False: there is no room. */
bool focus_use(fold_t *used, int64_t start, int64_t commitment,
    int64_t tokens);

/* Fills in the row's part; each row of tokens once, after all were counted. */
void focus_row_used(focus_row_t *row, fold_t *used, const commitment_t *c,
    int64_t commitment);

/* Makes the row, whose times are there, of the commitment. False: it is not of
 * that time. */
bool focus_row_purchase(focus_row_t *row, const commitment_t *c,
    const char *account);

/* Turns the purchase's row into that of what was not used; after all rows that
 * did. False: all of it was. */
bool focus_row_unused(focus_row_t *row, fold_t *used, const commitment_t *c,
    int64_t commitment);

#endif /* FOCUS_COMMIT_H */
