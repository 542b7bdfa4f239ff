#define _GNU_SOURCE

#include "groups_int.h"

#include <stdlib.h>

#define MERGING     ((size_t) 16 * 1024 * 1024)
#define FEW         512                 /* rows that are compared */
#define RANK_BYTES  16

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


/* The byte-th from the lowest on; the sign turned round. */
static inline unsigned
rank_byte(const entry_t *e, unsigned byte)
{
    uint64_t  u = (uint64_t) e->rank[byte < 8] ^ UINT64_C(0x8000000000000000);

    return (unsigned) (u >> byte % 8 * 8 & 0xff);
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


/* By a byte of the ranks, the lowest first; those that have the same stay as
 * they are. */
static void
order_by_byte(const entry_t *from, entry_t *to, size_t n, unsigned byte,
    size_t *places)
{
    size_t  sum = 0, count;

    for (unsigned i = 0; i < 256; i++) {
        count = places[i];
        places[i] = sum;
        sum += count;
    }

    for (size_t i = 0; i < n; i++) {
        to[places[rank_byte(&from[i], byte)]++] = from[i];
    }
}


/* True: all have the same. */
static bool
one_place(const size_t *places, size_t n)
{
    for (unsigned i = 0; i < 256; i++) {
        if (places[i] != 0) {
            return places[i] == n;
        }
    }

    return true;
}


static void
order_ties(groups_t *rows)
{
    size_t    to, n = rows->nentries;
    entry_t  *e = rows->entries;

    for (size_t i = 0; i < n; i = to) {
        for (to = i + 1; to < n && e[to].rank[0] == e[i].rank[0]
                         && e[to].rank[1] == e[i].rank[1]; to++)
        {
            /* void */
        }

        if (to - i > 1) {
            qsort_r(e + i, to - i, sizeof(entry_t), compare_entries, rows);
        }
    }
}


/* Byte by byte of the ranks, where there are many. */
static bool
order(groups_t *rows)
{
    size_t    n = rows->nentries, (*places)[256];
    entry_t  *from = rows->entries, *to, *is;

    if (n < FEW) {
        qsort_r(from, n, sizeof(entry_t), compare_entries, rows);
        return true;
    }

    to = malloc(n * sizeof(entry_t));
    places = calloc(RANK_BYTES, sizeof(*places));

    if (to == NULL || places == NULL) {
        free(to);
        free(places);
        return false;
    }

    for (size_t i = 0; i < n; i++) {
        for (unsigned byte = 0; byte < RANK_BYTES; byte++) {
            places[byte][rank_byte(&from[i], byte)]++;
        }
    }

    for (unsigned byte = 0; byte < RANK_BYTES; byte++) {
        if (!one_place(places[byte], n)) {
            order_by_byte(from, to, n, byte, places[byte]);
            is = from;
            from = to;
            to = is;
        }
    }

    free(places);
    free(to);
    rows->entries = from;
    order_ties(rows);

    return true;
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

    return order(rows);
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
        groups_add(rows, group_at(rows, (size_t) (slot->at - 1) * 8), row + 1);
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
        ok = ok && groups_lose(rows, parts_count(parts, i));
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
