#define _GNU_SOURCE

#include "groups_int.h"

#include <stdlib.h>

#define MERGING  ((size_t) 16 * 1024 * 1024)

typedef struct group_entry_s {
    int64_t         rank[2];
    const group_t  *row;
} entry_t;


static void
values_of(const groups_t *rows, const group_t *row, tg_str_t *values)
{
    uint16_t     len;
    const char  *key = group_key(rows, row);

    for (unsigned i = 0; i < rows->nvalues; i++) {
        memcpy(&len, key, 2);
        values[i] = tg_str_of(key + 2, len);
        key += 2 + len;
    }
}


static int
by_values(const void *a, const void *b, void *data)
{
    int              rc;
    uint16_t         na, nb;
    const char      *x, *y;
    const groups_t  *rows = data;

    x = group_key(rows, a);
    y = group_key(rows, b);

    for (unsigned i = 0; i < rows->nvalues; i++) {
        memcpy(&na, x, 2);
        memcpy(&nb, y, 2);
        rc = memcmp(x + 2, y + 2, na < nb ? na : nb);

        if (rc != 0 || na != nb) {
            return rc != 0 ? rc : na < nb ? -1 : 1;
        }

        x += 2 + na;
        y += 2 + nb;
    }

    return 0;
}


static int
compare_entries(const void *a, const void *b, void *data)
{
    const entry_t  *x = a, *y = b;

    return x->rank[0] != y->rank[0] ? (x->rank[0] < y->rank[0] ? -1 : 1)
           : x->rank[1] != y->rank[1] ? (x->rank[1] < y->rank[1] ? -1 : 1)
           : by_values(x->row, y->row, data);
}


/* Numbers that are in the order of a text's first 16 bytes. */
static void
rank_text(int64_t rank[2], tg_str_t v)
{
    char  bytes[16] = "";

    if (v.len != 0) {
        memcpy(bytes, v.p, v.len < 16 ? v.len : 16);
    }

    rank[0] = groups_int_of(tg_str_of(bytes, 8));
    rank[1] = groups_int_of(tg_str_of(bytes + 8, 8));
}


/* All that is in memory. */
static bool
sort(groups_t *rows)
{
    entry_t  *e;
    tg_str_t  values[GROUPS_VALUES_MAX];

    free(rows->entries);
    rows->entries = calloc(rows->n + 1, sizeof(entry_t));

    if (rows->entries == NULL) {
        return false;
    }

    e = rows->entries;

    for (size_t at = 0; at < rows->used; at += e->row->size, e++) {
        e->row = group_at(rows, at);
        values_of(rows, e->row, values);

        if (rows->rank != NULL) {
            rows->rank(e->rank, values, e->row + 1);

        } else if (rows->nvalues != 0) {
            rank_text(e->rank, values[0]);
        }
    }

    rows->nentries = rows->n;
    qsort_r(rows->entries, rows->n, sizeof(entry_t), compare_entries, rows);

    return true;
}


/* They are complete: a sorted run. */
static bool
run_out(groups_t *rows)
{
    entry_t  *e;

    if (rows->n == 0) {
        return true;
    }

    if (!sort(rows) || !spill_begin(rows->sorted)) {
        return false;
    }

    for (e = rows->entries; e < rows->entries + rows->nentries; e++) {
        if (!spill_put(rows->sorted, e->rank, e->row, e->row->size)) {
            return false;
        }
    }

    groups_clear(rows);

    return spill_end(rows->sorted);
}


typedef struct {
    groups_t  *rows;
    unsigned   level;
    parts_t   *next;                    /* the part did not fit: parts of it */
    bool       broken;
} absorb_t;


static bool
absorb(void *data, const void *record)
{
    group_slot_t   *slot;
    groups_t       *rows;
    absorb_t       *a = data;
    const group_t  *row = record;

    rows = a->rows;
    slot = groups_find(rows, row);

    if (slot->at != 0) {
        rows->add(group_at(rows, (size_t) (slot->at - 1) * 8) + 1, row + 1);
        return true;
    }

    if (!groups_fits(rows, 1, row->size)
        && !groups_divide(rows, &a->next, a->level + 1))
    {
        a->broken = true;
        return false;
    }

    memcpy(group_at(rows, rows->used), row, row->size);
    a->broken = !groups_keep(rows);

    return !a->broken;
}


/* Each row's parts come together, and are sorted. */
static bool
drain(groups_t *rows, parts_t *parts, unsigned level)
{
    bool  ok = true;

    for (unsigned i = 0; ok && i < PARTS; i++) {
        absorb_t  a = { rows, level, NULL, false };

        /* rows of other parts are complete, and have to go for large ones */

        ok = groups_fits(rows, parts_count(parts, i), parts_size(parts, i))
             || run_out(rows);
        ok = ok && parts_take(parts, i, absorb, &a) && !a.broken;

        if (ok && a.next != NULL) {
            ok = groups_divide(rows, &a.next, level + 1)
                 && drain(rows, a.next, level + 1);
        }

        parts_free(a.next);
    }

    return ok && run_out(rows);
}


static bool
make_ready(groups_t *rows)
{
    bool  ok;

    if (rows->parts == NULL) {
        return sort(rows);
    }

    rows->sorted = spill_new();
    ok = rows->sorted != NULL && groups_divide(rows, &rows->parts, 0)
         && drain(rows, rows->parts, 0);
    parts_free(rows->parts);
    rows->parts = NULL;
    groups_forget(rows);

    return ok;
}


static bool
hand_over(void *data, const void *record, size_t n)
{
    groups_t       *rows = data;
    tg_str_t        values[GROUPS_VALUES_MAX];
    const group_t  *row = record;

    (void) n;
    values_of(rows, row, values);

    return rows->row(rows->data, values, row + 1);
}


bool
groups_each(groups_t *rows, groups_rank_t rank, groups_row_t row, void *data)
{
    rows->row = row;
    rows->data = data;

    if (!rows->ready) {
        rows->rank = rank;
        rows->ready = true;
        rows->broken = !make_ready(rows);
    }

    if (rows->broken) {
        return false;
    }

    if (rows->sorted != NULL) {
        return spill_each(rows->sorted, MERGING, by_values, rows, hand_over,
                          rows);
    }

    for (size_t i = 0; i < rows->nentries; i++) {
        if (!hand_over(rows, rows->entries[i].row, 0)) {
            break;
        }
    }

    return true;
}
