/*
 * groups.h - sums by any number of dimensions.
 */

#ifndef GROUPS_H
#define GROUPS_H

#include "line/record.h"

typedef struct groups_s  groups_t;

/* Adds *from to *to. */
typedef void (*groups_add_t)(void *to, const void *from);

/* The row's values, a tg_str_t for each dimension, empty where lines have none;
 * and their sums. False ends it. */
typedef bool (*groups_row_t)(void *data, const tg_str_t *values,
    const void *sums);

/* Negative: a comes before b.  NULL: by the values. */
typedef int (*groups_order_t)(const tg_str_t *va, const void *a,
    const tg_str_t *vb, const void *b);

/*
 * sums are of `size` bytes; zeroed they are those of nothing.  by, of n
 * dimensions at most DIMENSIONS_MAX, is referred to.  NULL: no memory.
 */
groups_t *groups_new(const dimension_t *by, unsigned n,
    const struct tg_zone_s *zone, size_t size, groups_add_t add);
void groups_free(groups_t *g);

/* Less memory than the 40 MB beyond which rows go to temporary files. */
void groups_limit(groups_t *g, size_t bytes);

/* False: there is no room. */
bool groups_take(groups_t *g, const record_t *r, const void *sums);

/* Each row, in order, once; nothing may be taken any more. False: a file
 * can't be read or written. */
bool groups_each(groups_t *g, groups_order_t order, groups_row_t row,
    void *data);

#endif /* GROUPS_H */
