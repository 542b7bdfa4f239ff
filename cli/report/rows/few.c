#define _GNU_SOURCE

#include "few.h"

#include "tg_mem.h"

#include <stdlib.h>

/* A row: its sums, then its values. */
typedef struct {
    uint64_t   hash;
    char      *p;
} row_t;

struct few_s {
    tg_arena_t    *arena;
    tg_mem_t      *mem;
    unsigned       values;
    size_t         sums;                /* bytes, rounded up */
    row_t         *rows;
    size_t         n, room;
    uint32_t      *slots;               /* 1 + the row; 0: free */
    size_t         nslots;              /* a power of two */
    few_order_t   order;               /* while they are sorted */
};


few_t *
few_new(unsigned values, size_t sums)
{
    few_t  *rows = calloc(1, sizeof(*rows));

    if (rows == NULL) {
        return NULL;
    }

    rows->arena = tg_arena_create(0);
    rows->values = values;
    rows->sums = (sums + 7) & ~(size_t) 7;
    rows->nslots = 1024;
    rows->slots = calloc(rows->nslots, sizeof(uint32_t));

    if (rows->arena == NULL || rows->slots == NULL) {
        few_free(rows);
        return NULL;
    }

    rows->mem = tg_arena_mem(rows->arena);

    return rows;
}


void
few_free(few_t *rows)
{
    if (rows != NULL) {
        tg_arena_destroy(rows->arena);
        free(rows->rows);
        free(rows->slots);
        free(rows);
    }
}


size_t
few_count(const few_t *rows)
{
    return rows->n;
}


static const tg_str_t *
values_of(const few_t *rows, const char *p)
{
    return (const tg_str_t *) (const void *) (p + rows->sums);
}


static uint64_t
hash_of(const tg_str_t *values, unsigned n)
{
    uint64_t  h = UINT64_C(14695981039346656037);

    for (unsigned i = 0; i < n; i++) {
        for (size_t k = 0; k < values[i].len; k++) {
            h = (h ^ (unsigned char) values[i].p[k])
                * UINT64_C(1099511628211);
        }

        h = (h ^ 0x100) * UINT64_C(1099511628211);
    }

    return h ^ h >> 32;
}


static bool
is_row(const few_t *rows, const row_t *row, uint64_t hash,
    const tg_str_t *values)
{
    const tg_str_t  *own = values_of(rows, row->p);

    if (row->hash != hash) {
        return false;
    }

    for (unsigned i = 0; i < rows->values; i++) {
        if (!tg_str_eq(own[i], values[i])) {
            return false;
        }
    }

    return true;
}


static bool
grow(few_t *rows)
{
    size_t     n = rows->nslots * 2;
    row_t     *more;
    uint32_t  *slots;

    if (rows->n == rows->room) {
        more = realloc(rows->rows, (rows->room == 0 ? 256 : rows->room * 2)
                                   * sizeof(row_t));
        if (more == NULL) {
            return false;
        }

        rows->rows = more;
        rows->room = rows->room == 0 ? 256 : rows->room * 2;
    }

    if (rows->n * 2 < rows->nslots) {
        return true;
    }

    slots = calloc(n, sizeof(uint32_t));

    if (slots == NULL) {
        return false;
    }

    for (size_t i = 0; i < rows->n; i++) {
        size_t  at = rows->rows[i].hash & (n - 1);

        while (slots[at] != 0) {
            at = (at + 1) & (n - 1);
        }

        slots[at] = (uint32_t) i + 1;
    }

    free(rows->slots);
    rows->slots = slots;
    rows->nslots = n;

    return true;
}


void *
few_at(few_t *rows, const tg_str_t *values)
{
    size_t     at;
    row_t     *row;
    tg_str_t  *own;
    uint64_t   hash = hash_of(values, rows->values);

    for (at = hash & (rows->nslots - 1); rows->slots[at] != 0;
         at = (at + 1) & (rows->nslots - 1))
    {
        row = &rows->rows[rows->slots[at] - 1];

        if (is_row(rows, row, hash, values)) {
            return row->p;
        }
    }

    if (rows->n == FEW_MAX || !grow(rows)) {
        return NULL;
    }

    row = &rows->rows[rows->n];
    row->hash = hash;
    row->p = tg_zalloc(rows->mem, rows->sums
                                  + rows->values * sizeof(tg_str_t));

    if (row->p == NULL) {
        return NULL;
    }

    own = (tg_str_t *) (void *) (row->p + rows->sums);

    for (unsigned i = 0; i < rows->values; i++) {
        own[i] = tg_dup(rows->mem, values[i]);

        if (own[i].p == NULL) {
            return NULL;
        }
    }

    at = hash & (rows->nslots - 1);

    while (rows->slots[at] != 0) {
        at = (at + 1) & (rows->nslots - 1);
    }

    rows->slots[at] = (uint32_t) ++rows->n;

    return row->p;
}


const tg_str_t *
few_get(const few_t *rows, size_t i, void **sums)
{
    if (i >= rows->n) {
        return NULL;
    }

    *sums = rows->rows[i].p;

    return values_of(rows, rows->rows[i].p);
}


static int
compare_text(tg_str_t a, tg_str_t b)
{
    size_t  n = a.len < b.len ? a.len : b.len;
    int     rc = n == 0 ? 0 : memcmp(a.p, b.p, n);

    return rc != 0 ? rc : a.len < b.len ? -1 : a.len > b.len;
}


static int
compare(const void *a, const void *b, void *data)
{
    int              rc;
    const few_t    *rows = data;
    const row_t     *x = a, *y = b;
    const tg_str_t  *vx = values_of(rows, x->p), *vy = values_of(rows, y->p);

    rc = rows->order(vx, x->p, vy, y->p);

    for (unsigned i = 0; i < rows->values && rc == 0; i++) {
        rc = compare_text(vx[i], vy[i]);
    }

    return rc;
}


void
few_sort(few_t *rows, few_order_t order)
{
    rows->order = order;

    if (rows->n != 0) {
        qsort_r(rows->rows, rows->n, sizeof(row_t), compare, rows);
    }
}
