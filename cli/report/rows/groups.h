/*
 * groups.h - sums by values, of any number of rows: what does not fit into the
 * memory goes to unlinked temporary files.
 */

#ifndef GROUPS_H
#define GROUPS_H

#include "line/record.h"

#define GROUPS_VALUES_MAX  24             /* of a row */
#define GROUPS_VALUE_SIZE  520            /* bytes; what is longer is cut */
#define GROUPS_SUMS_MAX    4096           /* bytes */
#define GROUPS_MEMORY      ((size_t) 64 * 1024 * 1024)
#define GROUPS_MEMORY_MIN  ((size_t) 1024 * 1024)

typedef struct groups_s  groups_t;

/* Adds *from to *to; in any order, and to sums that were added up before. */
typedef void (*groups_add_t)(void *to, const void *from);

/* The same of sums that are int64_t, all of them: each to its own, saturating.
 * size: bytes. */
void groups_add_ints(void *to, const void *from, size_t size);

/* What rows come in the order of, lower numbers first; zeros before.  Of the
 * same rank they are by their values. */
typedef void (*groups_rank_t)(int64_t rank[2], const tg_str_t *values,
    const void *sums);

/* The row's values, empty where lines have none; and its sums. False ends
 * it. */
typedef bool (*groups_row_t)(void *data, const tg_str_t *values,
    const void *sums);

/*
 * sums are of `size` bytes; zeroed they are those of nothing.  memory: bytes,
 * at least GROUPS_MEMORY_MIN; 0: GROUPS_MEMORY.  add NULL: they are int64_t,
 * all of them.  NULL: no memory.
 */
groups_t *groups_new(unsigned values, size_t size, groups_add_t add,
    size_t memory);
void groups_free(groups_t *rows);

/* False, in both: there is no room, on the disk that is. */
bool groups_take(groups_t *rows, const tg_str_t *values, const void *sums);

/* The same by a line's dimensions, as many as the rows have values. */
bool groups_take_line(groups_t *rows, const dimension_t *by,
    const struct tg_zone_s *zone, const record_t *r, const void *sums);

/* Numbers as values, sorted by size. buf: of GROUPS_INT_SIZE bytes. */
#define GROUPS_INT_SIZE  8
tg_str_t groups_int(char *buf, int64_t v);
int64_t groups_int_of(tg_str_t value);

/* Each row once, in order; rank NULL: by the values.  Nothing may be taken any
 * more; once more, they come in the same order.  False: a temporary file can't
 * be read or written. */
bool groups_each(groups_t *rows, groups_rank_t rank, groups_row_t row,
    void *data);

#endif /* GROUPS_H */
