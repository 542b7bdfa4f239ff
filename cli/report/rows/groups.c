#define _GNU_SOURCE

#include "groups.h"
#include "spill.h"

#include <stdlib.h>

#define SLOTS_MIN  1024
#define MEMORY     (40 * 1024 * 1024)   /* more is in temporary files */
#define CHUNK      (1024 * 1024)
#define VALUE_MAX  512                  /* of a dimension's bytes */
#define KEY_MAX    (DIMENSIONS_MAX * (VALUE_MAX + 2))

/* Behind it are the sums, then the key: of each value its length, of two bytes,
 * and its bytes. */
typedef struct {
    uint32_t  hash;
    uint32_t  nkey;
} group_t;

struct groups_s {
    const dimension_t       *by;
    unsigned                 nby;
    const struct tg_zone_s  *zone;
    size_t                   size;      /* of the sums, made even */
    groups_add_t             add;
    group_t                **slots;
    size_t                   nslots, used;
    char                    *chunks[MEMORY / CHUNK];
    unsigned                 nchunks, most;
    size_t                   left;      /* of the last chunk */
    spill_t                 *spill;     /* rows of one key several times */
    group_t                 *last;      /* the row that is being summed up */
    spill_t                 *sorted;    /* each once, by the order asked for */
    groups_order_t           order;
    groups_row_t             row;
    void                    *data;
    bool                     broken;
};

static bool spill_all(groups_t *g, spill_t **spill, spill_compare_t compare);


static inline void *
group_sums(group_t *g)
{
    return g + 1;
}


static inline char *
group_key(const groups_t *all, group_t *g)
{
    return (char *) (g + 1) + all->size;
}


groups_t *
groups_new(const dimension_t *by, unsigned n, const struct tg_zone_s *zone,
    size_t size, groups_add_t add)
{
    groups_t  *g = calloc(1, sizeof(groups_t));

    if (g == NULL) {
        return NULL;
    }

    g->by = by;
    g->nby = n;
    g->zone = zone;
    g->size = (size + 7) & ~(size_t) 7;
    g->add = add;
    g->most = MEMORY / CHUNK;
    g->nslots = SLOTS_MIN;
    g->slots = calloc(g->nslots, sizeof(group_t *));

    if (g->slots == NULL) {
        free(g);
        g = NULL;
    }

    return g;
}


void
groups_limit(groups_t *g, size_t bytes)
{
    g->most = bytes < CHUNK ? 1 : bytes > MEMORY ? MEMORY / CHUNK
              : (unsigned) (bytes / CHUNK);
}


void
groups_free(groups_t *g)
{
    if (g != NULL) {
        for (unsigned i = 0; i < g->nchunks; i++) {
            free(g->chunks[i]);
        }
        spill_free(g->spill);
        spill_free(g->sorted);
        free(g->last);
        free(g->slots);
        free(g);
    }
}


static size_t
group_size(const groups_t *g, const group_t *is)
{
    return sizeof(group_t) + g->size + is->nkey;
}


/* NULL: what is there has to go first.  A group is smaller than a chunk. */
static void *
room(groups_t *g, size_t n)
{
    n = (n + 7) & ~(size_t) 7;

    if (n > g->left) {
        if (g->nchunks == g->most) {
            return NULL;
        }
        g->chunks[g->nchunks] = malloc(CHUNK);
        if (g->chunks[g->nchunks] == NULL) {
            return NULL;
        }
        g->nchunks++;
        g->left = CHUNK;
    }

    g->left -= n;

    return g->chunks[g->nchunks - 1] + CHUNK - g->left - n;
}


static size_t
make_key(const groups_t *g, const record_t *r, char *key)
{
    char      buf[DIMENSION_SIZE];
    size_t    n = 0;
    uint16_t  len;
    tg_str_t  v;

    for (unsigned i = 0; i < g->nby; i++) {
        v = dimension_value(&g->by[i], r, g->zone, buf);
        len = (uint16_t) (v.len < VALUE_MAX ? v.len : VALUE_MAX);
        memcpy(key + n, &len, 2);

        if (len != 0) {
            memcpy(key + n + 2, v.p, len);
        }

        n += 2u + len;
    }

    return n;
}


static uint32_t
key_hash(const char *key, size_t n)
{
    uint64_t  h = n, w;

    for ( /* void */ ; n >= 8; key += 8, n -= 8) {
        memcpy(&w, key, 8);
        h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }

    for (w = 0; n != 0; n--) {
        w = w << 8 | (uint8_t) key[n - 1];
    }

    h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t) (h >> 32);
}


static group_t **
find(groups_t *g, const char *key, size_t n, uint32_t hash)
{
    size_t    at = hash & (g->nslots - 1);
    group_t  *is;

    while ((is = g->slots[at]) != NULL) {
        if (is->hash == hash && is->nkey == n
            && memcmp(group_key(g, is), key, n) == 0)
        {
            break;
        }
        at = (at + 1) & (g->nslots - 1);
    }

    return &g->slots[at];
}


static bool
grow(groups_t *g)
{
    size_t     n = g->nslots, at;
    group_t  **slots = calloc(2 * n, sizeof(group_t *));

    if (slots == NULL) {
        return false;
    }

    for (size_t i = 0; i < n; i++) {
        if (g->slots[i] != NULL) {
            at = g->slots[i]->hash & (2 * n - 1);
            while (slots[at] != NULL) {
                at = (at + 1) & (2 * n - 1);
            }
            slots[at] = g->slots[i];
        }
    }

    free(g->slots);
    g->slots = slots;
    g->nslots = 2 * n;

    return true;
}


/* In any order, as long as those of one key come together. */
static int
by_key(const void *a, const void *b, void *data)
{
    const group_t   *one = a, *two = b;
    const groups_t  *g = data;

    if (one->hash != two->hash) {
        return one->hash < two->hash ? -1 : 1;
    }

    if (one->nkey != two->nkey) {
        return one->nkey < two->nkey ? -1 : 1;
    }

    return memcmp((const char *) (one + 1) + g->size,
                  (const char *) (two + 1) + g->size, one->nkey);
}


/* A new one in an empty slot; it may be that the others are spilled for it. */
static group_t *
group_add(groups_t *g, const char *key, size_t n, uint32_t hash)
{
    size_t    size = sizeof(group_t) + g->size + n;
    group_t  *is;

    if (g->used >= g->nslots / 2 && !grow(g)) {
        return NULL;
    }

    is = room(g, size);

    if (is == NULL) {
        if (!spill_all(g, &g->spill, by_key)) {
            return NULL;
        }
        is = room(g, size);
        if (is == NULL) {
            return NULL;
        }
    }

    memset(is, 0, sizeof(group_t) + g->size);
    is->hash = hash;
    is->nkey = (uint32_t) n;
    memcpy(group_key(g, is), key, n);
    *find(g, key, n, hash) = is;
    g->used++;

    return is;
}


bool
groups_take(groups_t *g, const record_t *r, const void *sums)
{
    char       key[KEY_MAX];
    size_t     n = make_key(g, r, key);
    uint32_t   hash = key_hash(key, n);
    group_t   *is = *find(g, key, n, hash);

    if (is == NULL) {
        is = group_add(g, key, n, hash);
        if (is == NULL) {
            return false;
        }
    }

    g->add(group_sums(is), sums);

    return true;
}


static void
key_values(const groups_t *g, const group_t *is, tg_str_t *values)
{
    const char  *key = (const char *) (is + 1) + g->size;
    uint16_t     len;

    for (unsigned i = 0; i < g->nby; i++) {
        memcpy(&len, key, 2);
        values[i] = tg_str_of(key + 2, len);
        key += 2 + len;
    }
}


/* By what was asked for, then by the values. */
static int
by_order(const void *a, const void *b, void *data)
{
    int              rc;
    size_t           n;
    tg_str_t         va[DIMENSIONS_MAX], vb[DIMENSIONS_MAX];
    groups_t        *g = data;
    const group_t   *one = a, *two = b;

    key_values(g, one, va);
    key_values(g, two, vb);

    rc = g->order == NULL ? 0 : g->order(va, one + 1, vb, two + 1);

    for (unsigned i = 0; rc == 0 && i < g->nby; i++) {
        n = va[i].len < vb[i].len ? va[i].len : vb[i].len;
        rc = memcmp(va[i].p, vb[i].p, n);
        rc = rc != 0 ? rc : va[i].len < vb[i].len ? -1
                            : va[i].len > vb[i].len;
    }

    return rc;
}


typedef struct {
    groups_t         *g;
    spill_compare_t   compare;
} sort_t;


static int
compare_slots(const void *a, const void *b, void *data)
{
    const sort_t  *s = data;

    return s->compare(*(group_t *const *) a, *(group_t *const *) b, s->g);
}


/* Moves them to the front of the slots, in order; there are g->used. */
static void
sort_all(groups_t *g, spill_compare_t compare)
{
    size_t  n = 0;
    sort_t  s = { g, compare };

    for (size_t i = 0; i < g->nslots; i++) {
        if (g->slots[i] != NULL) {
            g->slots[n++] = g->slots[i];
        }
    }

    qsort_r(g->slots, n, sizeof(group_t *), compare_slots, &s);
}


/* All that is in memory becomes a run, and is forgotten. */
static bool
spill_all(groups_t *g, spill_t **spill, spill_compare_t compare)
{
    if (*spill == NULL) {
        *spill = spill_new();
    }

    if (*spill == NULL || !spill_begin(*spill)) {
        return false;
    }

    sort_all(g, compare);

    for (size_t i = 0; i < g->used; i++) {
        if (!spill_put(*spill, g->slots[i], group_size(g, g->slots[i]))) {
            return false;
        }
    }

    memset(g->slots, 0, g->nslots * sizeof(group_t *));
    g->used = 0;
    g->left = 0;

    while (g->nchunks != 0) {
        free(g->chunks[--g->nchunks]);
    }

    return spill_end(*spill);
}


static bool
hand_over(void *data, const void *record, size_t n)
{
    groups_t       *g = data;
    tg_str_t        values[DIMENSIONS_MAX];
    const group_t  *is = record;

    (void) n;
    key_values(g, is, values);

    return g->row(g->data, values, is + 1);
}


/* The row that is complete is to be sorted. */
static bool
row_done(groups_t *g)
{
    size_t    n = group_size(g, g->last);
    group_t  *is;

    if (g->used >= g->nslots / 2 && !grow(g)) {
        return false;
    }

    is = room(g, n);

    if (is == NULL
        && (!spill_all(g, &g->sorted, by_order) || (is = room(g, n)) == NULL))
    {
        return false;
    }

    memcpy(is, g->last, n);
    *find(g, group_key(g, is), is->nkey, is->hash) = is;
    g->used++;

    return true;
}


/* Of one of the runs, by key. */
static bool
merge_row(void *data, const void *record, size_t n)
{
    groups_t       *g = data;
    group_t        *grown;
    const group_t  *is = record;

    if (g->last != NULL && by_key(g->last, is, g) == 0) {
        g->add(group_sums(g->last), is + 1);
        return true;
    }

    g->broken = g->last != NULL && !row_done(g);
    grown = g->broken ? NULL : realloc(g->last, n);

    if (grown == NULL) {
        g->broken = true;
        return false;
    }

    g->last = grown;
    memcpy(g->last, record, n);

    return true;
}


/* From the runs by key to memory, or runs, by the order asked for. */
static bool
merge(groups_t *g)
{
    return spill_all(g, &g->spill, by_key)
           && spill_each(g->spill, by_key, g, merge_row, g) && !g->broken
           && (g->last == NULL || row_done(g));
}


bool
groups_each(groups_t *g, groups_order_t order, groups_row_t row, void *data)
{
    g->order = order;
    g->row = row;
    g->data = data;

    if (g->spill != NULL && !merge(g)) {
        return false;
    }

    if (g->sorted != NULL) {
        return spill_all(g, &g->sorted, by_order)
               && spill_each(g->sorted, by_order, g, hand_over, g);
    }

    sort_all(g, by_order);

    for (size_t i = 0; i < g->used; i++) {
        if (!hand_over(g, g->slots[i], 0)) {
            break;
        }
    }

    return true;
}
