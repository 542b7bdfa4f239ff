/*
 * ranking.h - a report's rows: sums by dimensions, as many of them as --top=
 * says, the others as one, and the sum of all.
 */

#ifndef RANKING_H
#define RANKING_H

#include "report.h"
#include "rows/groups.h"

typedef struct {
    size_t         size;                /* of the sums, bytes */
    groups_add_t   add;                 /* as groups_new() has it */

    /* Behind the dimensions' values; row: it is one, not the others' or all. */
    void         (*cells)(void *data, table_t *t, const void *sums, bool row);

    /* Looks at each row, also at one of the others; or NULL. */
    void         (*look)(void *data, const tg_str_t *values,
                         const void *sums);
} ranking_kind_t;

typedef struct {
    const ranking_kind_t    *kind;
    void                    *data;
    const report_options_t  *o;
    const dimension_t       *by;
    unsigned                 nby;
    groups_t                *groups;
    table_t                 *table;
    uint64_t                 rows, nothers;
    void                    *all, *others;      /* sums */
} ranking_t;

/* data: what is handed to the kind's functions.  All of it is referred to until
 * ranking_free(), which is for one that failed, too, and for zeros.  False with
 * a message said. */
bool ranking_init(ranking_t *r, const ranking_kind_t *kind, void *data,
    const report_options_t *o, const dimension_t *by, unsigned nby);
void ranking_free(ranking_t *r);

/* A line's.  False: there is no room. */
bool ranking_take(ranking_t *r, const record_t *line, const void *sums);

/* To a table that has its columns; rank: as groups_each() has it.  False with a
 * message said. */
bool ranking_print(ranking_t *r, table_t *t, groups_rank_t rank);

#endif /* RANKING_H */
