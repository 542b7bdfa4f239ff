/*
 * csv.h - tables that others have made: RFC 4180, with commas, semicolons or
 * tabs, whichever the first line has most of, a byte order mark or none, and
 * any ends of lines but a lone CR.  The first line names the columns.
 */

#ifndef CSV_H
#define CSV_H

#include "tg_str.h"

#include <stdbool.h>
#include <stdint.h>

#define CSV_FIELDS_MAX  256

typedef struct {
    const char  *file;
    unsigned     line;                  /* where the row begins */
    char         comma;
    unsigned     n;
    tg_str_t     fields[CSV_FIELDS_MAX];    /* unquoted, trimmed; up to the
                                               next row */
    unsigned     columns;               /* private from here on */
    unsigned     lines;
    char        *text, *p, *end;
} csv_t;

/* The names are in the fields then.  False with a message said; csv_close() is
 * for that, too. */
bool csv_open(csv_t *c, const char *file);
void csv_close(csv_t *c);

/* The next row that is not blank.  False: there is none, or with *ok false and a
 * message said it is broken: a quote is not closed, or it has more than the
 * columns. */
bool csv_row(csv_t *c, bool *ok);

/* Says it with the file and the line.  Returns false. */
bool csv_bad(const csv_t *c, const char *why);

/* Empty: there is none. */
tg_str_t csv_field(const csv_t *c, int i);

/*
 * "-$1,234.50", "(12.00)", "1.5e-07", in units of 10^-scale dollars.  Commas are
 * those of thousands; decimal commas are refused, and so are commas in a table
 * that has others between its fields, unless a point follows: nobody can tell.
 */
bool csv_amount(const csv_t *c, tg_str_t s, int scale, int64_t *amount);

#endif /* CSV_H */
