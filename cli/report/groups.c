#define _GNU_SOURCE

#include "groups.h"
#include "report.h"

#include <stdlib.h>

#define SLOTS_MIN  1024
#define VALUE_MAX  512                  /* of a dimension's bytes */
#define KEY_MAX    (REPORT_BY_MAX * (VALUE_MAX + 2))

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
};


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
    g->nslots = SLOTS_MIN;
    g->slots = calloc(g->nslots, sizeof(group_t *));

    if (g->slots == NULL) {
        free(g);
        g = NULL;
    }

    return g;
}


void
groups_free(groups_t *g)
{
    if (g != NULL) {
        for (size_t i = 0; i < g->nslots; i++) {
            free(g->slots[i]);
        }
        free(g->slots);
        free(g);
    }
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


bool
groups_take(groups_t *g, const record_t *r, const void *sums)
{
    char       key[KEY_MAX];
    size_t     n = make_key(g, r, key);
    uint32_t   hash = key_hash(key, n);
    group_t  **at;

    if (g->used >= g->nslots / 2 && !grow(g)) {
        return false;
    }

    at = find(g, key, n, hash);

    if (*at == NULL) {
        *at = calloc(1, sizeof(group_t) + g->size + n);
        if (*at == NULL) {
            return false;
        }
        (*at)->hash = hash;
        (*at)->nkey = (uint32_t) n;
        memcpy(group_key(g, *at), key, n);
        g->used++;
    }

    g->add(group_sums(*at), sums);

    return true;
}


static void
key_values(const groups_t *g, group_t *is, tg_str_t *values)
{
    char      *key = group_key(g, is);
    uint16_t   len;

    for (unsigned i = 0; i < g->nby; i++) {
        memcpy(&len, key, 2);
        values[i] = tg_str_of(key + 2, len);
        key += 2 + len;
    }
}


typedef struct {
    const groups_t  *g;
    groups_order_t   order;
} sort_t;


static int
compare(const void *a, const void *b, void *data)
{
    int              rc;
    size_t           n;
    sort_t          *s = data;
    group_t         *one = *(group_t *const *) a, *two = *(group_t *const *) b;
    tg_str_t         va[REPORT_BY_MAX], vb[REPORT_BY_MAX];

    key_values(s->g, one, va);
    key_values(s->g, two, vb);

    rc = s->order == NULL ? 0 : s->order(va, group_sums(one), vb,
                                         group_sums(two));

    for (unsigned i = 0; rc == 0 && i < s->g->nby; i++) {
        n = va[i].len < vb[i].len ? va[i].len : vb[i].len;
        rc = memcmp(va[i].p, vb[i].p, n);
        rc = rc != 0 ? rc : va[i].len < vb[i].len ? -1
                            : va[i].len > vb[i].len;
    }

    return rc;
}


bool
groups_each(groups_t *g, groups_order_t order, groups_row_t row, void *data)
{
    sort_t    s = { g, order };
    size_t    n = 0;
    tg_str_t  values[REPORT_BY_MAX];

    for (size_t i = 0; i < g->nslots; i++) {
        if (g->slots[i] != NULL) {
            g->slots[n++] = g->slots[i];
        }
    }

    memset(g->slots + n, 0, (g->nslots - n) * sizeof(group_t *));
    qsort_r(g->slots, n, sizeof(group_t *), compare, &s);

    for (size_t i = 0; i < n; i++) {
        key_values(g, g->slots[i], values);

        if (!row(data, values, group_sums(g->slots[i]))) {
            break;
        }
    }

    return true;
}
