#include "tg_backend_int.h"

/* Not taken from one that old workers may still know. */
#define TG_BE_GONE   (60 * TG_BE_SECOND)


static tg_be_names_t
tg_be_groups(tg_backends_t *t)
{
    tg_be_names_t  all = {
        (char *) t->groups, sizeof(t->groups[0]), TG_GROUPS_MAX
    };

    return all;
}


static tg_be_names_t
tg_be_backends(tg_backends_t *t)
{
    tg_be_names_t  all = {
        (char *) t->backends, sizeof(t->backends[0]), TG_BACKENDS_MAX
    };

    return all;
}


tg_group_t *
tg_backends_find_group(tg_backends_t *t, tg_str_t upstream)
{
    int             i;
    tg_be_names_t   all = tg_be_groups(t);
    tg_be_wanted_t  w;

    tg_be_want(&w, upstream, 0);
    i = tg_be_name_find(&all, &w);

    return i < 0 ? NULL : &t->groups[i];
}


tg_backend_t *
tg_backends_find(tg_backends_t *t, tg_group_t *g, tg_str_t server)
{
    int             i;
    tg_be_names_t   all = tg_be_backends(t);
    tg_be_wanted_t  w;

    tg_be_want(&w, server, atomic_load(&g->name.key));
    i = tg_be_name_find(&all, &w);

    return i < 0 ? NULL : &t->backends[i];
}


static void
tg_be_member(tg_group_t *g, unsigned i, bool in)
{
    uint64_t  bit = UINT64_C(1) << i % 64;

    if (in == ((atomic_load(&g->members[i / 64]) & bit) != 0)) {
        return;
    }

    if (in) {
        atomic_fetch_or(&g->members[i / 64], bit);
    } else {
        atomic_fetch_and(&g->members[i / 64], ~bit);
    }
}


/* Its name is dropped: nobody finds it any more. */
static void
tg_be_backend_clear(tg_backends_t *t, tg_backend_t *b)
{
    uint32_t  epoch = atomic_load(&b->epoch);

    for (unsigned i = 0; i < TG_GROUPS_MAX; i++) {
        tg_be_member(&t->groups[i], tg_be_index(t, b), false);
    }

    memset((char *) b + sizeof(b->name), 0, sizeof(*b) - sizeof(b->name));
    atomic_store(&b->epoch, epoch + 1);
    tg_be_name_free(&b->name);
}


static void
tg_be_group_clear(tg_backends_t *t, tg_group_t *g)
{
    tg_backend_t  *b;

    while ((b = tg_group_backend_at(t, g, 0)) != NULL) {
        if (tg_be_name_drop(&b->name)) {
            tg_be_backend_clear(t, b);
        } else {
            tg_be_member(g, tg_be_index(t, b), false);
        }
    }

    memset((char *) g + sizeof(g->name), 0, sizeof(*g) - sizeof(g->name));
    tg_be_name_free(&g->name);
}


/* Nobody has asked for it since the last configuration was read, nothing of that
 * is in it, and nothing is under way. */
static bool
tg_be_group_over(tg_backends_t *t, tg_group_t *g)
{
    int64_t        calls, tokens;
    tg_backend_t  *b;

    if (atomic_load(&g->asked) > atomic_load(&t->asked_before)) {
        return false;
    }

    for (unsigned i = 0; (b = tg_group_backend_at(t, g, i)) != NULL; i++) {
        tg_be_sum(t, b, &calls, &tokens);

        if (tg_be_configured(t, b) || calls > 0) {
            return false;
        }
    }

    return true;
}


static bool
tg_be_group_room(tg_backends_t *t)
{
    for (unsigned i = 0; i < TG_GROUPS_MAX; i++) {
        if (tg_be_group_over(t, &t->groups[i])
            && tg_be_name_drop(&t->groups[i].name))
        {
            tg_be_group_clear(t, &t->groups[i]);
            return true;
        }
    }

    return false;
}


tg_group_t *
tg_backends_group(tg_backends_t *t, tg_str_t upstream)
{
    int             i;
    tg_group_t     *g;
    tg_be_names_t   all = tg_be_groups(t);
    tg_be_wanted_t  w;

    tg_be_want(&w, upstream, 0);

    do {
        i = tg_be_name_make(&all, &w);
    } while (i < 0 && tg_be_group_room(t));

    if (i < 0) {
        return NULL;
    }

    g = &t->groups[i];
    atomic_store(&g->asked, atomic_fetch_add(&t->asked, 1) + 1);

    return g;
}


/* The one that is gone longest and has nothing under way. */
static bool
tg_be_backend_room(tg_backends_t *t, int64_t now)
{
    int64_t        calls, tokens, gone;
    tg_backend_t  *b, *oldest = NULL;

    for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
        b = &t->backends[i];
        gone = atomic_load(&b->gone);

        if (tg_be_configured(t, b) || now - gone < TG_BE_GONE
            || (oldest != NULL && gone >= atomic_load(&oldest->gone)))
        {
            continue;
        }

        tg_be_sum(t, b, &calls, &tokens);

        if (calls == 0) {
            oldest = b;
        }
    }

    if (oldest == NULL || !tg_be_name_drop(&oldest->name)) {
        return false;
    }

    tg_be_backend_clear(t, oldest);

    return true;
}


tg_backend_t *
tg_backends_backend(tg_backends_t *t, tg_group_t *g, tg_str_t server,
    int64_t now)
{
    int             i;
    int64_t         none = 0;
    tg_backend_t   *b;
    tg_be_names_t   all = tg_be_backends(t);
    tg_be_wanted_t  w;

    tg_be_want(&w, server, atomic_load(&g->name.key));

    do {
        i = tg_be_name_make(&all, &w);
    } while (i < 0 && tg_be_backend_room(t, now));

    if (i < 0) {
        return NULL;
    }

    /* All who make it do the same. */

    b = &t->backends[i];
    atomic_store(&b->group, (uint32_t) (g - t->groups) + 1);
    (void) atomic_compare_exchange_strong(&b->since, &none, now);
    none = 0;
    (void) atomic_compare_exchange_strong(&b->gone, &none, now);
    tg_be_member(g, (unsigned) i, true);

    return b;
}


void
tg_be_age(tg_backends_t *t)
{
    for (unsigned i = 0; i < TG_GROUPS_MAX; i++) {
        if (tg_be_name_left(&t->groups[i].name)) {
            tg_be_group_clear(t, &t->groups[i]);
        }
    }

    for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
        if (tg_be_name_left(&t->backends[i].name)) {
            tg_be_backend_clear(t, &t->backends[i]);
        }
    }
}


tg_group_t *
tg_backends_group_at(tg_backends_t *t, unsigned i)
{
    for (unsigned k = 0; k < TG_GROUPS_MAX; k++) {
        if (atomic_load(&t->groups[k].name.key) >= TG_BE_KEYS && i-- == 0) {
            return &t->groups[k];
        }
    }

    return NULL;
}


tg_backend_t *
tg_group_backend_at(tg_backends_t *t, tg_group_t *g, unsigned i)
{
    unsigned  n;
    uint64_t  bits;

    for (unsigned w = 0; w < TG_BACKENDS_MAX / 64; w++) {
        bits = atomic_load_explicit(&g->members[w], memory_order_acquire);
        n = (unsigned) __builtin_popcountll(bits);

        if (i >= n) {
            i -= n;
            continue;
        }

        for ( ; i > 0; i--) {
            bits &= bits - 1;
        }

        return &t->backends[w * 64 + (unsigned) __builtin_ctzll(bits)];
    }

    return NULL;
}


tg_str_t
tg_group_name(const tg_group_t *g)
{
    return tg_be_named(&g->name);
}


tg_str_t
tg_backend_server(const tg_backend_t *b)
{
    return tg_be_named(&b->name);
}


void
tg_backends_generation(tg_backends_t *t)
{
    uint32_t  n = atomic_load(&t->generation);

    atomic_store(&t->asked_before, atomic_load(&t->asked));

    /* 0 is of those that never were in one. */

    while (!atomic_compare_exchange_weak(&t->generation, &n,
                                         n + 1 != 0 ? n + 1 : 1))
    {
        /* void */
    }
}


tg_affinity_t *
tg_backends_affinity(tg_backends_t *t)
{
    return &t->affinity;
}


tg_pace_t *
tg_backend_pace(tg_backend_t *b)
{
    return &b->pace;
}


uint32_t
tg_backend_id(tg_backends_t *t, tg_backend_t *b, uint32_t *epoch)
{
    *epoch = atomic_load_explicit(&b->epoch, memory_order_relaxed);

    return tg_be_index(t, b);
}
