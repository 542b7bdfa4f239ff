#include "tg_backend_int.h"

#include <stdio.h>


static uint64_t
tg_be_hash(uint64_t h, tg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.p[i]) * UINT64_C(1099511628211);
    }

    return h;
}


void
tg_be_want(tg_be_wanted_t *w, tg_str_t name, uint64_t seed)
{
    uint64_t  h = tg_be_hash(UINT64_C(14695981039346656037), name);

    memset(w, 0, sizeof(*w));
    w->key = tg_be_hash(seed ^ h, name);
    w->key += w->key < TG_BE_KEYS ? TG_BE_KEYS : 0;

    if (name.len <= sizeof(w->name)) {
        memcpy(w->name, name.p, name.len);
        w->len = (uint32_t) name.len;
        return;
    }

    w->len = sizeof(w->name) - 17;
    memcpy(w->name, name.p, w->len);
    (void) snprintf(w->name + w->len, 17, "~%015llx",
                    (unsigned long long) (h >> 4));
    w->len += 16;
}


tg_str_t
tg_be_named(const tg_be_name_t *n)
{
    uint32_t  len = atomic_load_explicit(&n->len, memory_order_relaxed);

    return tg_str_of((const char *) (const void *) n->words,
                     len <= sizeof(n->words) ? len : sizeof(n->words));
}


static tg_be_name_t *
tg_be_name_at(const tg_be_names_t *all, unsigned i)
{
    return (tg_be_name_t *) (void *) (all->base + i * all->stride);
}


bool
tg_be_name_is(tg_be_name_t *n, const tg_be_wanted_t *w)
{
    if (atomic_load_explicit(&n->key, memory_order_acquire) != w->key) {
        return false;
    }

    /* Whoever made it has not come to its name. */

    if (atomic_load_explicit(&n->named, memory_order_acquire) != w->key) {
        return true;
    }

    return tg_str_eq(tg_be_named(n), tg_str_of(w->name, w->len));
}


int
tg_be_name_find(const tg_be_names_t *all, const tg_be_wanted_t *w)
{
    for (unsigned i = 0; i < all->n; i++) {
        if (tg_be_name_is(tg_be_name_at(all, i), w)) {
            return (int) i;
        }
    }

    return -1;
}


/* The first free one. Who wants the same finds the same, unless another has just
 * become free. */
static int
tg_be_name_claim(const tg_be_names_t *all, const tg_be_wanted_t *w)
{
    uint64_t       key;
    tg_be_name_t  *n;

    for (unsigned i = 0; i < all->n; i++) {
        n = tg_be_name_at(all, i);
        key = atomic_load(&n->key);

        if ((key == 0 && atomic_compare_exchange_strong(&n->key, &key, w->key))
            || (key == w->key && tg_be_name_is(n, w)))
        {
            return (int) i;
        }
    }

    return -1;
}


/* All who do it write the same. */
static void
tg_be_name_fill(tg_be_name_t *n, const tg_be_wanted_t *w)
{
    uint64_t  word;

    if (atomic_load_explicit(&n->named, memory_order_acquire) == w->key) {
        return;
    }

    for (unsigned i = 0; i < sizeof(w->name) / sizeof(word); i++) {
        memcpy(&word, w->name + i * sizeof(word), sizeof(word));
        atomic_store_explicit(&n->words[i], word, memory_order_relaxed);
    }

    atomic_store_explicit(&n->len, w->len, memory_order_relaxed);
    atomic_store_explicit(&n->named, w->key, memory_order_release);
}


int
tg_be_name_make(const tg_be_names_t *all, const tg_be_wanted_t *w)
{
    int            i = tg_be_name_find(all, w), other;
    uint64_t       key = w->key;
    tg_be_name_t  *n;

    if (i < 0) {
        i = tg_be_name_claim(all, w);

        if (i < 0) {
            return -1;
        }

        /* The same was made further down, in what has just become free. */

        other = tg_be_name_find(all, w);
        n = tg_be_name_at(all, (unsigned) i);

        if (other >= 0 && other < i
            && atomic_load(&n->named) != w->key
            && atomic_compare_exchange_strong(&n->key, &key, 0))
        {
            i = other;
        }
    }

    tg_be_name_fill(tg_be_name_at(all, (unsigned) i), w);

    return i;
}


bool
tg_be_name_drop(tg_be_name_t *n)
{
    uint64_t  key = atomic_load(&n->key);

    return key >= TG_BE_KEYS
           && atomic_compare_exchange_strong(&n->key, &key, 1);
}


void
tg_be_name_free(tg_be_name_t *n)
{
    atomic_store(&n->named, 0);
    atomic_store(&n->len, 0);

    for (unsigned i = 0; i < sizeof(n->words) / sizeof(n->words[0]); i++) {
        atomic_store_explicit(&n->words[i], 0, memory_order_relaxed);
    }

    atomic_store(&n->key, 0);
}


bool
tg_be_name_left(tg_be_name_t *n)
{
    uint64_t  key = atomic_load(&n->key);

    if (key == 0 || key >= TG_BE_KEYS) {
        return false;
    }

    if (key + 1 < TG_BE_KEYS) {
        (void) atomic_compare_exchange_strong(&n->key, &key, key + 1);
        return false;
    }

    return atomic_compare_exchange_strong(&n->key, &key, 1);
}
