/*
 * listing.h - a report of one row for each of the values of --by=, the most
 * first, the rest as one, and the sum of all.
 */

#ifndef LISTING_H
#define LISTING_H

#include "report.h"
#include "rows/groups.h"

#define LISTING_TOP  40                 /* rows of a readable table */

typedef struct {
    const char      *name;
    size_t           size;              /* of what a row sums up */
    groups_add_t     add;               /* as groups_new() has it */
    groups_rank_t    rank;

    /* Fills in zeros; false: the line is left out. */
    bool           (*line)(void *sums, const record_t *r);

    /* Behind the dimensions' columns, and what stands in them. */
    void           (*columns)(table_t *t);
    void           (*cells)(table_t *t, const void *sums, const void *all);
    void           (*notes)(table_t *t, const void *all);

    /* The dimensions that count where none were given; ends in NULL. */
    const char *const  *by;
    void           (*want)(record_want_t *want);
} listing_t;

/* A kind of report, as kinds.h has them; own: options beside the usual ones, as
 * report_options() has them.  begin: looks at those; false with a message said;
 * or NULL. */
int listing_report(const listing_t *l, int argc, char **argv,
    const option_t *own, bool (*begin)(void));

/* What a dimension's column is called, in CSV, JSON and notes: its word in
 * letters, digits and underscores. */
#define LISTING_NAME_SIZE  64
const char *listing_name(char *buf, const dimension_t *d);

/* Columns of n dimensions, and a row's values there. */
void listing_columns(table_t *t, const dimension_t *by, unsigned n);
void listing_values(table_t *t, const tg_str_t *values, unsigned n);

/* The values of a row that is of no group. */
void listing_sum(table_t *t, const char *what, unsigned n);

/* Notes how many rows --top= (0: all) does not show, for reports that have no row
 * of the others. */
void listing_left_out(table_t *t, uint64_t rows, unsigned top);

#endif /* LISTING_H */
