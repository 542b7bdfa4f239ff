/*
 * table_int.h - what table.c, which takes the cells, and table_print.c share.
 */

#ifndef TABLE_INT_H
#define TABLE_INT_H

#include "table.h"

#define COLUMNS_MAX  48
#define NOTES_MAX    32
#define TEXT_MAX     4096               /* bytes of any, escaped */

typedef struct {
    char         name[64];
    cell_kind_t  kind;
    size_t       before, after;         /* of the readable table: most to the
                                           left of the decimal point and from
                                           it on; of texts all is before */
} column_t;

typedef struct {
    char  *name;
    char  *sentence;
} note_t;

/*
 * Rows are written as they come; a readable table's, whose widths are only
 * known at the end, as cells with a NUL behind each.
 */
struct table_s {
    table_format_t  format;
    const char     *name;
    unsigned        ncolumns;
    column_t        columns[COLUMNS_MAX];
    unsigned        at;                 /* the next cell's column */
    uint64_t        rows;
    bool            begun;              /* the row has a cell */
    bool            total;              /* what follows is the sum's row */
    bool            broken;
    bool            fancy;              /* the terminal knows UTF-8 */
    FILE           *file;               /* what didn't fit in held */
    FILE           *to;                 /* of a CSV: it goes there; or NULL */
    bool            headed;             /* the columns' names are there */
    char           *held;
    size_t          nheld, room;
    char           *sums;               /* the sum's cells */
    size_t          nsums;
    note_t          notes[NOTES_MAX];
    unsigned        nnotes;
};

/* Characters, as far as a table's widths are concerned. */
static inline size_t
table_width(const char *s, size_t n)
{
    size_t  w = 0;

    for (size_t i = 0; i < n; i++) {
        w += ((unsigned char) s[i] & 0xc0) != 0x80;
    }

    return w;
}

void table_free(table_t *t);

/* table_print.c: a CSV's columns, unless they are there. */
void table_csv_head(table_t *t, FILE *to);

/* table_text.c: to `to`, of 64 bytes; how many it took. */
size_t table_grouped(char *to, int64_t v);              /* 1,234,567 */
size_t table_grouped_money(char *to, int64_t nusd);     /* -1,234.5 */

/* "%.9g", but faster; how many bytes of TABLE_NUMBER_MAX it took. */
#define TABLE_NUMBER_MAX  64
size_t table_number(char *to, double v);

/* A bar of v, from 0 to 1, to `text`, of 128 bytes; how many it took. */
size_t table_bar(const table_t *t, double v, char *text);

#endif /* TABLE_INT_H */
