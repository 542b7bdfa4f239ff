#define _GNU_SOURCE

#include "groups.h"
#include "parts.h"
#include "spill.h"

#include <stdlib.h>

#define SLOTS_MIN   1024
#define ROW_COST    64                  /* bytes beside a row: its slot, and
                                           what is sorted */
#define PART_BITS   6                   /* of a hash: which of PARTS */
#define LEVELS      5                   /* of parts that had to be divided */
#define MERGING     ((size_t) 16 * 1024 * 1024)

/* Behind it are the sums, then the key: of each value its length, of two bytes,
 * and its bytes; zeros up to a multiple of 8. */
typedef struct {
    parts_size_t  size;                 /* of all of it */
    uint32_t      hash;
} row_t;

#define ROW_MAX  (sizeof(row_t) + GROUPS_SUMS_MAX                               \
                  + GROUPS_VALUES_MAX * (GROUPS_VALUE_SIZE + 2) + 8)

typedef struct {
    uint32_t  hash;
    uint32_t  at;                       /* 1 + the row's place by 8 bytes; 0: free
                                         */
} slot_t;

typedef struct {
    int64_t       rank[2];
    const row_t  *row;
} entry_t;

struct groups_s {
    unsigned       nvalues;
    size_t         sums;                /* bytes, made even */
    groups_add_t     add;
    size_t         memory;
    char          *arena;               /* rows, one behind the other */
    size_t         used, n;             /* bytes, rows */
    slot_t        *slots;
    size_t         nslots;
    parts_t       *parts;               /* NULL: it all fits */
    entry_t       *entries;             /* of all rows, in order */
    size_t         nentries;
    spill_t       *sorted;              /* or here */
    bool           ready, broken;
    groups_rank_t    rank;
    groups_row_t     row;                 /* while they are handed over */
    void          *data;
};


groups_t *
groups_new(unsigned values, size_t size, groups_add_t add, size_t memory)
{
    groups_t  *rows;

    if (values > GROUPS_VALUES_MAX || size > GROUPS_SUMS_MAX) {
        return NULL;
    }

    rows = calloc(1, sizeof(groups_t));

    if (rows == NULL) {
        return NULL;
    }

    rows->nvalues = values;
    rows->sums = (size + 7) & ~(size_t) 7;
    rows->add = add;
    rows->memory = memory == 0 ? GROUPS_MEMORY
                   : memory < GROUPS_MEMORY_MIN ? GROUPS_MEMORY_MIN : memory;
    rows->nslots = SLOTS_MIN;
    rows->slots = calloc(rows->nslots, sizeof(slot_t));
    rows->arena = malloc(rows->memory + ROW_MAX);

    if (rows->slots == NULL || rows->arena == NULL) {
        groups_free(rows);
        rows = NULL;
    }

    return rows;
}


/* What rows are taken and sorted by; they are elsewhere. */
static void
forget(groups_t *rows)
{
    free(rows->arena);
    free(rows->slots);
    free(rows->entries);
    rows->arena = NULL;
    rows->slots = NULL;
    rows->entries = NULL;
}


void
groups_free(groups_t *rows)
{
    if (rows != NULL) {
        forget(rows);
        parts_free(rows->parts);
        spill_free(rows->sorted);
        free(rows);
    }
}


tg_str_t
groups_int(char *buf, int64_t v)
{
    uint64_t  u = (uint64_t) v ^ UINT64_C(0x8000000000000000);

    for (int i = 0; i < GROUPS_INT_SIZE; i++) {
        buf[i] = (char) (u >> (56 - 8 * i));
    }

    return tg_str_of(buf, GROUPS_INT_SIZE);
}


int64_t
groups_int_of(tg_str_t value)
{
    uint64_t  u = 0;

    for (size_t i = 0; i < value.len && i < GROUPS_INT_SIZE; i++) {
        u = u << 8 | (uint8_t) value.p[i];
    }

    return (int64_t) (u ^ UINT64_C(0x8000000000000000));
}


static inline row_t *
row_at(const groups_t *rows, size_t at)
{
    return (row_t *) (void *) (rows->arena + at);
}


static inline char *
key_of(const groups_t *rows, const row_t *row)
{
    return (char *) (row + 1) + rows->sums;
}


static inline size_t
key_size(const groups_t *rows, const row_t *row)
{
    return row->size - sizeof(row_t) - rows->sums;
}


/* Its bytes are a multiple of 8. */
static uint32_t
key_hash(const char *key, size_t n)
{
    uint64_t  h = n, w;

    for ( /* void */ ; n != 0; key += 8, n -= 8) {
        memcpy(&w, key, 8);
        h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }

    return (uint32_t) (h * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}


static slot_t *
find(const groups_t *rows, const row_t *row)
{
    size_t        at = row->hash & (rows->nslots - 1);
    slot_t       *slot;
    const row_t  *is;

    while ((slot = &rows->slots[at])->at != 0) {
        is = row_at(rows, (size_t) (slot->at - 1) * 8);

        if (slot->hash == row->hash && is->size == row->size
            && memcmp(key_of(rows, is), key_of(rows, row),
                      key_size(rows, row)) == 0)
        {
            break;
        }

        at = (at + 1) & (rows->nslots - 1);
    }

    return slot;
}


static bool
grow(groups_t *rows)
{
    size_t   n = rows->nslots * 2, at;
    slot_t  *slots = calloc(n, sizeof(slot_t));

    if (slots == NULL) {
        return false;
    }

    for (size_t i = 0; i < rows->nslots; i++) {
        if (rows->slots[i].at != 0) {
            at = rows->slots[i].hash & (n - 1);

            while (slots[at].at != 0) {
                at = (at + 1) & (n - 1);
            }

            slots[at] = rows->slots[i];
        }
    }

    free(rows->slots);
    rows->slots = slots;
    rows->nslots = n;

    return true;
}


static void
clear(groups_t *rows)
{
    memset(rows->slots, 0, rows->nslots * sizeof(slot_t));
    rows->used = 0;
    rows->n = 0;
}


static inline bool
fits(const groups_t *rows, size_t n, size_t size)
{
    return rows->used + size + (rows->n + n) * ROW_COST <= rows->memory;
}


/* All that is in memory, by the bits of their hashes that this level divides
 * by. */
static bool
divide(groups_t *rows, parts_t **parts, unsigned level)
{
    unsigned  shift = 32 - PART_BITS * (level + 1);
    row_t    *row;

    if (*parts == NULL) {
        *parts = level < LEVELS ? parts_new() : NULL;
    }

    if (*parts == NULL) {
        return false;
    }

    for (size_t at = 0; at < rows->used; at += row->size) {
        row = row_at(rows, at);

        if (!parts_put(*parts, row->hash >> shift & (PARTS - 1), row)) {
            return false;
        }
    }

    clear(rows);

    return true;
}


/* The row behind the last one becomes one of them; there is none like it. */
static bool
keep(groups_t *rows)
{
    row_t   *row = row_at(rows, rows->used);
    slot_t  *slot;

    if (rows->n * 4 >= rows->nslots * 3 && !grow(rows)) {
        return false;
    }

    slot = find(rows, row);
    slot->hash = row->hash;
    slot->at = (uint32_t) (rows->used / 8 + 1);
    rows->used += row->size;
    rows->n++;

    return true;
}


/* Behind the last row, with sums of zeros. */
static row_t *
make_row(groups_t *rows, const tg_str_t *values)
{
    char      *key, *begin;
    row_t     *row = row_at(rows, rows->used);
    uint16_t   len;

    memset(row + 1, 0, rows->sums);
    begin = key_of(rows, row);
    key = begin;

    for (unsigned i = 0; i < rows->nvalues; i++) {
        len = (uint16_t) (values[i].len < GROUPS_VALUE_SIZE ? values[i].len
                                                          : GROUPS_VALUE_SIZE);
        memcpy(key, &len, 2);

        if (len != 0) {
            memcpy(key + 2, values[i].p, len);
        }

        key += 2 + len;
    }

    while ((key - begin) % 8 != 0) {
        *key++ = '\0';
    }

    row->size = (parts_size_t) (key - (char *) row);
    row->hash = key_hash(begin, (size_t) (key - begin));

    return row;
}


bool
groups_take(groups_t *rows, const tg_str_t *values, const void *sums)
{
    row_t   *row = make_row(rows, values);
    slot_t  *slot = find(rows, row);

    if (slot->at != 0) {
        rows->add(row_at(rows, (size_t) (slot->at - 1) * 8) + 1, sums);
        return true;
    }

    rows->add(row + 1, sums);

    if (!fits(rows, 1, row->size)) {
        if (!divide(rows, &rows->parts, 0)) {
            return false;
        }

        memmove(rows->arena, row, row->size);
    }

    return keep(rows);
}


bool
groups_take_line(groups_t *rows, const dimension_t *by,
    const struct tg_zone_s *zone, const record_t *r, const void *sums)
{
    char      buf[GROUPS_VALUES_MAX][DIMENSION_SIZE];
    tg_str_t  values[GROUPS_VALUES_MAX];

    for (unsigned i = 0; i < rows->nvalues; i++) {
        values[i] = dimension_value(&by[i], r, zone, buf[i]);
    }

    return groups_take(rows, values, sums);
}


static void
values_of(const groups_t *rows, const row_t *row, tg_str_t *values)
{
    uint16_t     len;
    const char  *key = key_of(rows, row);

    for (unsigned i = 0; i < rows->nvalues; i++) {
        memcpy(&len, key, 2);
        values[i] = tg_str_of(key + 2, len);
        key += 2 + len;
    }
}


static int
by_values(const void *a, const void *b, void *data)
{
    int            rc;
    uint16_t       na, nb;
    const char    *x, *y;
    const groups_t  *rows = data;

    x = key_of(rows, a);
    y = key_of(rows, b);

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
    entry_t   *e;
    tg_str_t   values[GROUPS_VALUES_MAX];

    free(rows->entries);
    rows->entries = calloc(rows->n + 1, sizeof(entry_t));

    if (rows->entries == NULL) {
        return false;
    }

    e = rows->entries;

    for (size_t at = 0; at < rows->used; at += e->row->size, e++) {
        e->row = row_at(rows, at);
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

    clear(rows);

    return spill_end(rows->sorted);
}


typedef struct {
    groups_t    *rows;
    unsigned   level;
    parts_t   *next;                    /* the part did not fit: parts of it */
    bool       broken;
} absorb_t;


static bool
absorb(void *data, const void *record)
{
    slot_t       *slot;
    groups_t       *rows;
    absorb_t     *a = data;
    const row_t  *row = record;

    rows = a->rows;
    slot = find(rows, row);

    if (slot->at != 0) {
        rows->add(row_at(rows, (size_t) (slot->at - 1) * 8) + 1, row + 1);
        return true;
    }

    if (!fits(rows, 1, row->size) && !divide(rows, &a->next, a->level + 1)) {
        a->broken = true;
        return false;
    }

    memcpy(row_at(rows, rows->used), row, row->size);
    a->broken = !keep(rows);

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

        ok = fits(rows, parts_count(parts, i), parts_size(parts, i))
             || run_out(rows);
        ok = ok && parts_take(parts, i, absorb, &a) && !a.broken;

        if (ok && a.next != NULL) {
            ok = divide(rows, &a.next, level + 1)
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
    ok = rows->sorted != NULL && divide(rows, &rows->parts, 0)
         && drain(rows, rows->parts, 0);
    parts_free(rows->parts);
    rows->parts = NULL;
    forget(rows);

    return ok;
}


static bool
hand_over(void *data, const void *record, size_t n)
{
    groups_t       *rows = data;
    tg_str_t      values[GROUPS_VALUES_MAX];
    const row_t  *row = record;

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
