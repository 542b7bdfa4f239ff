/*
 * groups_int.h - what groups.c, which takes rows, and groups_order.c, which puts
 * them in order, share.
 */

#ifndef GROUPS_INT_H
#define GROUPS_INT_H

#include "groups.h"
#include "parts.h"
#include "spill.h"
#include "reading/hash.h"

#define GROUP_COST    64                /* bytes beside a row: its slot, and
                                           what is sorted */
#define GROUP_LEVELS  5                 /* of parts that had to be divided */

/* Behind it are the sums, then the key: of each value its length, of two bytes,
 * and its bytes; zeros up to a multiple of 8. */
typedef struct {
    parts_size_t  size;                 /* of all of it */
    uint32_t      hash;
} group_t;

#define GROUP_MAX  (sizeof(group_t) + GROUPS_SUMS_MAX                         \
                    + GROUPS_VALUES_MAX * (GROUPS_VALUE_SIZE + 2) + 8)

typedef struct {
    uint32_t  hash;
    uint32_t  at;                       /* 1 + the row's place by 8 bytes; 0:
                                           free */
} group_slot_t;

struct groups_s {
    unsigned               nvalues;
    size_t                 size, sums;  /* bytes of the sums; made even */
    groups_add_t           add;
    size_t                 memory;
    char                  *arena;       /* rows, one behind the other */
    size_t                 used, n;     /* bytes, rows */
    group_slot_t          *slots;
    size_t                 nslots, nfound;      /* all; of rows */
    parts_t               *parts;       /* NULL: it all fits */
    hash_key_t             key;
    size_t                 again;       /* taken that were in memory */
    size_t                 passes;      /* to be written without a look */
    struct group_entry_s  *entries;     /* of all rows, in order */
    size_t                 nentries;
    spill_t               *sorted;      /* or here */
    bool                   ready, broken;
    groups_rank_t          rank;
    groups_row_t           row;         /* while they are handed over */
    void                  *data;
};


static inline group_t *
group_at(const groups_t *rows, size_t at)
{
    return (group_t *) (void *) (rows->arena + at);
}


static inline char *
group_key(const groups_t *rows, const group_t *row)
{
    return (char *) (row + 1) + rows->sums;
}


static inline size_t
group_key_size(const groups_t *rows, const group_t *row)
{
    return row->size - sizeof(group_t) - rows->sums;
}


static inline bool
groups_fits(const groups_t *rows, size_t n, size_t size)
{
    return rows->used + size + (rows->n + n) * GROUP_COST <= rows->memory;
}


/* The slot of the row that has this one's key, or a free one. */
group_slot_t *groups_find(const groups_t *rows, const group_t *row);

/* The row behind the last one becomes one of them; there is none like it. False:
 * no memory. */
bool groups_keep(groups_t *rows);

/* To the row's. */
void groups_add(const groups_t *rows, group_t *row, const void *sums);

/* All that is in memory goes to parts, made where there are none, by the bits of
 * the rows' hashes that this level divides by.  False: no room. */
bool groups_divide(groups_t *rows, parts_t **parts, unsigned level);

void groups_clear(groups_t *rows);

/* The rows that are there are not found any more: none is like those that come.
 * n: of those, about.  False: no memory. */
bool groups_lose(groups_t *rows, size_t n);

/* Frees what rows are taken and sorted by; they are elsewhere. */
void groups_forget(groups_t *rows);

#endif /* GROUPS_INT_H */
