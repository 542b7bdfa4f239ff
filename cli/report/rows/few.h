/*
 * few.h - sums by texts, in memory: for what is few, unlike groups.h.
 */

#ifndef FEW_H
#define FEW_H

#include "tg_str.h"

#include <stdbool.h>
#include <stdint.h>

#define FEW_MAX  (1024 * 1024)

typedef struct few_s  few_t;

/* sums: bytes of a row's, zeroed at first. NULL: no memory. */
few_t *few_new(unsigned values, size_t sums);
void few_free(few_t *rows);

/* The sums of the row with these values, which are copied; NULL: no room.  What was
 * handed out before may be elsewhere now. */
void *few_at(few_t *rows, const tg_str_t *values);

size_t few_count(const few_t *rows);

/* Row i of them, once they are sorted; NULL: there is none. */
const tg_str_t *few_get(const few_t *rows, size_t i, void **sums);

/* Negative: a comes before b. */
typedef int (*few_order_t)(const tg_str_t *va, const void *a,
    const tg_str_t *vb, const void *b);

void few_sort(few_t *rows, few_order_t order);

#endif /* FEW_H */
