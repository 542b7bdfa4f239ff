/*
 * table.h - a report's rows, as a readable table, CSV (RFC 4180) or JSON.
 *
 * Columns first, then cells of each row from left to right.  Values that come
 * from clients can't steer a terminal, and a CSV's can't be formulas.
 */

#ifndef TABLE_H
#define TABLE_H

#include "tg_str.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef enum {
    TABLE_TEXT = 0,             /* the formats of --format= */
    TABLE_CSV,
    TABLE_JSON
} table_format_t;

typedef enum {
    CELL_TEXT = 0,
    CELL_COUNT,                 /* 1,234,567 in the readable table */
    CELL_MONEY,                 /* nano-dollars; dollars, exact in CSV and JSON,
                                   there with a column <name>_nusd beside it */
    CELL_PERCENT,               /* a double, 0.123 is 12.3% */
    CELL_NUMBER,                /* a double */
    CELL_TIME,                  /* milliseconds since 1970; RFC 3339 */
    CELL_BAR                    /* a double from 0 to 1; readable table only */
} cell_kind_t;

typedef struct table_s  table_t;

/* NULL: no memory. name: of JSON's array and for messages; static. */
table_t *table_new(table_format_t format, const char *name);

/* name: as CSV and JSON have it, snake_case; the readable table's is made of
 * it. */
void table_column(table_t *t, const char *name, cell_kind_t kind);

void table_text(table_t *t, tg_str_t s);
void table_int(table_t *t, int64_t v);          /* COUNT, MONEY, TIME */
void table_double(table_t *t, double v);        /* PERCENT, NUMBER, BAR */
void table_none(table_t *t);                    /* unknown, of any kind: "-", an
                                                   empty field, null */

/* What the readable table and CSV have of a text: up to `most` characters of it,
 * with question marks for what may steer a terminal and for what is no UTF-8.
 * Returns the end; it is no longer than the text. */
char *table_plain(char *to, tg_str_t s, size_t most);

/* Where table_print() will write it: a CSV's rows go there as they come, once
 * they are many. */
void table_stream(table_t *t, FILE *to);

/* A row below a line: the readable table's sum; other formats leave it out. The
 * cells that follow are of it. */
void table_total(table_t *t);

/* A sentence below the readable table; a member of JSON's object. */
void table_note(table_t *t, const char *name, const char *sentence);

/* Writes it and frees it. False with a message said. */
bool table_print(table_t *t, FILE *to);

/* Frees one that is not written; says so where it had found no room.  NULL is
 * harmless. */
void table_drop(table_t *t);

#endif /* TABLE_H */
