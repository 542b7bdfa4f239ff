#include "tg_backend_int.h"

#include <stdio.h>

/* For another who makes an entry just now. */
#define TG_BE_WAITS  10000

/* Not taken from one that old workers may still know. */
#define TG_BE_GONE   (60 * TG_BE_SECOND)

typedef struct {
    uint64_t  key;
    size_t    len;
    char      name[TG_BACKEND_NAME_MAX];
} tg_be_wanted_t;


size_t
tg_backends_size(void)
{
    return sizeof(tg_backends_t);
}


/* After another boot: times are of another clock, processes are gone.  What time
 * and money came to stays. */
static void
tg_be_reboot(tg_backends_t *t, tg_backend_t *b, int64_t now)
{
    tg_be_clock_t   c;
    tg_be_facts_t   f;
    tg_gpu_facts_t  gpu;
    tg_be_health_t  h = tg_be_health(atomic_load(&b->health));

    h.state = TG_BACKEND_NEW;
    h.ejected = false;
    h.rises = h.checks = h.calls = 0;
    atomic_store(&b->health, tg_be_health_word(h));
    atomic_store(&b->lock, 0);
    atomic_store(&b->since, now);
    atomic_store(&b->gone, now);
    atomic_store(&b->checked, 0);
    atomic_store(&b->scraped, 0);
    atomic_store(&b->loading, 0);
    atomic_store(&b->ramp, 0);
    atomic_store(&b->runs, 0);
    atomic_store(&b->own_at, 0);
    atomic_fetch_add(&b->epoch, 1);
    memset((void *) b->scale, 0, sizeof(b->scale));
    tg_pace_forget(&b->pace);

    tg_be_get(&b->clock, &c);
    c.at = now;
    c.calls = c.tokens = c.fresh = 0;
    c.rest = 0;
    tg_be_clock_class(t, b, &c);
    tg_be_put(&b->clock, &c);

    memset(&f, 0, sizeof(f));
    tg_be_put(&b->facts, &f);
    memset(&gpu, 0, sizeof(gpu));
    tg_be_put(&b->gpu, &gpu);
}


/* Nobody ran for a while: that time is nobody's. */
static void
tg_be_resume(tg_backends_t *t, tg_backend_t *b, int64_t from, int64_t now)
{
    uint64_t       lock = tg_be_lock(t, b, -1);
    tg_be_clock_t  c;

    if (lock == 0) {
        return;
    }

    tg_be_get(&b->clock, &c);
    tg_be_clock_to(&c, from);
    c.class = TG_BE_AWAY;
    tg_be_clock_to(&c, now);
    tg_be_clock_class(t, b, &c);
    tg_be_put(&b->clock, &c);
    tg_be_unlock(t, b, lock);
}


bool
tg_backends_made(const tg_backends_t *t)
{
    return t->magic == TG_BE_MAGIC && t->version == TG_BACKENDS_VERSION
           && t->size == sizeof(tg_backends_t);
}


int
tg_backends_open(void *memory, size_t size, uint64_t boot, int64_t now,
    tg_error_t *err)
{
    int64_t         ticked;
    tg_backends_t  *t = memory;

    if (size < sizeof(tg_backends_t)) {
        return tg_error(err, 0, 0, "a table of backends takes %zu bytes",
                        sizeof(tg_backends_t));
    }

    if (!tg_backends_made(t)) {
        memset(t, 0, sizeof(*t));
        t->version = TG_BACKENDS_VERSION;
        t->size = sizeof(*t);
        atomic_store(&t->boot, boot);
        atomic_store(&t->ticked, now);
        atomic_thread_fence(memory_order_release);
        t->magic = TG_BE_MAGIC;
        return TG_OK;
    }

    ticked = atomic_load(&t->ticked);

    if (atomic_load(&t->boot) != boot) {
        for (unsigned i = 0; i < TG_BACKEND_SLOTS; i++) {
            atomic_store(&t->slots[i].who,
                         atomic_load(&t->slots[i].who) & ~UINT64_C(0xff));
        }

        for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
            tg_be_reboot(t, &t->backends[i], now);
        }

        for (unsigned i = 0; i < TG_GROUPS_MAX; i++) {
            atomic_store(&t->groups[i].judged, 0);
            atomic_store(&t->groups[i].judged_scrape, 0);
            atomic_store(&t->groups[i].saturated, 0);
            atomic_store(&t->groups[i].saturated_since, 0);
            memset((void *) t->groups[i].scale, 0,
                   sizeof(t->groups[i].scale));
        }

        atomic_store(&t->lease, 0);
        atomic_store(&t->ticked, now);
        atomic_store(&t->boot, boot);

    } else if (now - ticked > TG_LEASE_NS) {
        for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
            if (atomic_load(&t->backends[i].name.key) >= TG_BE_MAKING) {
                tg_be_resume(t, &t->backends[i], ticked, now);
            }
        }

        atomic_store(&t->ticked, now);
    }

    return TG_OK;
}


static uint64_t
tg_be_hash(uint64_t h, tg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.p[i]) * UINT64_C(1099511628211);
    }

    return h;
}


static void
tg_be_want(tg_be_wanted_t *w, tg_str_t name, uint64_t seed)
{
    uint64_t  h = tg_be_hash(UINT64_C(14695981039346656037), name);

    memset(w, 0, sizeof(*w));
    w->key = tg_be_hash(seed ^ h, name);
    w->key += w->key < TG_BE_MAKING ? TG_BE_MAKING : 0;

    if (name.len <= sizeof(w->name)) {
        memcpy(w->name, name.p, name.len);
        w->len = name.len;
        return;
    }

    w->len = sizeof(w->name) - 17;
    memcpy(w->name, name.p, w->len);
    (void) snprintf(w->name + w->len, 17, "~%015llx",
                    (unsigned long long) (h >> 4));
    w->len += 16;
}


static bool
tg_be_is(tg_be_name_t *n, const tg_be_wanted_t *w)
{
    return atomic_load_explicit(&n->key, memory_order_acquire) == w->key
           && n->len == w->len && memcmp(n->name, w->name, w->len) == 0;
}


/* What is made is not seen before its key is. False: it took too long, and the
 * entry is free again. */
static bool
tg_be_name(tg_be_name_t *n, const tg_be_wanted_t *w)
{
    uint64_t  key;

    memcpy(n->name, w->name, sizeof(n->name));
    n->len = (uint32_t) w->len;
    key = atomic_load(&n->key);

    while (key > 0 && key < TG_BE_MAKING) {
        if (atomic_compare_exchange_weak(&n->key, &key, w->key)) {
            return true;
        }
    }

    return false;
}


/* For who has made one: others who make the same at the same time. */
static void
tg_be_settled(tg_be_name_t *n)
{
    uint64_t  key;

    for (unsigned i = 0; i < TG_BE_WAITS; i++) {
        key = atomic_load(&n->key);

        if (key == 0 || key >= TG_BE_MAKING) {
            return;
        }

        tg_be_pause();
    }
}


static tg_group_t *
tg_be_group(tg_backends_t *t, const tg_be_wanted_t *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (tg_be_is(&t->groups[i].name, w)) {
            return &t->groups[i];
        }
    }

    return NULL;
}


tg_group_t *
tg_backends_find_group(tg_backends_t *t, tg_str_t upstream)
{
    tg_be_wanted_t  w;

    tg_be_want(&w, upstream, 0);

    return tg_be_group(t, &w, TG_GROUPS_MAX);
}


/* Nothing of this configuration is in it, and nothing is under way. */
static bool
tg_be_group_empty(tg_backends_t *t, tg_group_t *g)
{
    int64_t        calls, tokens;
    tg_backend_t  *b;

    for (unsigned i = 0; (b = tg_group_backend_at(t, g, i)) != NULL; i++) {
        tg_be_sum(t, b, &calls, &tokens);

        if (tg_be_configured(t, b) || calls > 0) {
            return false;
        }
    }

    return true;
}


static void
tg_be_member(tg_group_t *g, unsigned i, bool in)
{
    uint64_t  bit = UINT64_C(1) << i % 64;

    if (in) {
        atomic_fetch_or(&g->members[i / 64], bit);
    } else {
        atomic_fetch_and(&g->members[i / 64], ~bit);
    }
}


static void
tg_be_group_clear(tg_backends_t *t, tg_group_t *g)
{
    tg_backend_t  *b;

    while ((b = tg_group_backend_at(t, g, 0)) != NULL) {
        tg_be_member(g, tg_be_index(t, b), false);
        atomic_store(&b->group, 0);
        atomic_store(&b->name.key, 0);
    }

    memset((char *) g + sizeof(g->name), 0, sizeof(*g) - sizeof(g->name));
}


tg_group_t *
tg_backends_group(tg_backends_t *t, tg_str_t upstream)
{
    uint64_t         key;
    tg_group_t      *g, *other;
    tg_be_wanted_t   w;

    tg_be_want(&w, upstream, 0);
    g = tg_be_group(t, &w, TG_GROUPS_MAX);

    for (unsigned i = 0; i < 2 * TG_GROUPS_MAX && g == NULL; i++) {
        g = &t->groups[i % TG_GROUPS_MAX];
        key = atomic_load(&g->name.key);

        /* A second time round those that nobody needs will do. */

        if ((key != 0 && (i < TG_GROUPS_MAX || key < TG_BE_MAKING
                          || !tg_be_group_empty(t, g)))
            || !atomic_compare_exchange_strong(&g->name.key, &key, 1))
        {
            g = NULL;
            continue;
        }

        tg_be_group_clear(t, g);

        if (!tg_be_name(&g->name, &w)) {
            g = NULL;
            continue;
        }

        for (unsigned k = 0; k < (unsigned) (g - t->groups); k++) {
            tg_be_settled(&t->groups[k].name);
        }

        other = tg_be_group(t, &w, (unsigned) (g - t->groups));

        if (other != NULL) {
            atomic_store(&g->name.key, 0);
            g = other;
        }
    }

    return g;
}


static tg_backend_t *
tg_be_backend(tg_backends_t *t, tg_group_t *g, const tg_be_wanted_t *w,
    unsigned n)
{
    uint32_t  place = (uint32_t) (g - t->groups) + 1;

    for (unsigned i = 0; i < n; i++) {
        if (tg_be_is(&t->backends[i].name, w)
            && atomic_load(&t->backends[i].group) == place)
        {
            return &t->backends[i];
        }
    }

    return NULL;
}


tg_backend_t *
tg_backends_find(tg_backends_t *t, tg_group_t *g, tg_str_t server)
{
    tg_be_wanted_t  w;

    tg_be_want(&w, server, atomic_load(&g->name.key));

    return tg_be_backend(t, g, &w, TG_BACKENDS_MAX);
}


/* Which one is to be made: a free one, else the one that is gone longest and has
 * nothing under way. */
static tg_backend_t *
tg_be_room(tg_backends_t *t, int64_t now, uint64_t *key)
{
    int64_t        calls, tokens, gone;
    uint64_t       k;
    tg_backend_t  *b, *oldest = NULL;

    for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
        b = &t->backends[i];
        k = atomic_load(&b->name.key);

        if (k == 0) {
            *key = 0;
            return b;
        }

        gone = atomic_load(&b->gone);

        if (k < TG_BE_MAKING || tg_be_configured(t, b)
            || now - gone < TG_BE_GONE
            || (oldest != NULL && gone >= atomic_load(&oldest->gone)))
        {
            continue;
        }

        tg_be_sum(t, b, &calls, &tokens);

        if (calls == 0) {
            oldest = b;
            *key = k;
        }
    }

    return oldest;
}


static void
tg_be_backend_new(tg_backends_t *t, tg_backend_t *b, tg_group_t *g,
    int64_t now)
{
    uint32_t       epoch = atomic_load(&b->epoch), was;
    tg_be_clock_t  c;

    was = atomic_load(&b->group);

    if (was != 0 && was <= TG_GROUPS_MAX) {
        tg_be_member(&t->groups[was - 1], tg_be_index(t, b), false);
    }

    memset((char *) b + sizeof(b->name), 0, sizeof(*b) - sizeof(b->name));
    memset(&c, 0, sizeof(c));
    c.at = now;
    c.rate = -1;
    tg_be_put(&b->clock, &c);
    atomic_store(&b->epoch, epoch + 1);
    atomic_store(&b->since, now);
    atomic_store(&b->gone, now);
    atomic_store(&b->group, (uint32_t) (g - t->groups) + 1);
}


tg_backend_t *
tg_backends_backend(tg_backends_t *t, tg_group_t *g, tg_str_t server,
    int64_t now)
{
    uint64_t         key;
    tg_backend_t    *b, *other;
    tg_be_wanted_t   w;

    tg_be_want(&w, server, atomic_load(&g->name.key));
    b = tg_be_backend(t, g, &w, TG_BACKENDS_MAX);

    /* Who made it may have been killed before this. */

    if (b != NULL) {
        tg_be_member(g, tg_be_index(t, b), true);
        return b;
    }

    for (unsigned i = 0; i < TG_BACKENDS_MAX && b == NULL; i++) {
        b = tg_be_room(t, now, &key);

        if (b == NULL) {
            return NULL;
        }

        if (!atomic_compare_exchange_strong(&b->name.key, &key, 1)) {
            b = NULL;
            continue;
        }

        tg_be_backend_new(t, b, g, now);

        if (!tg_be_name(&b->name, &w)) {
            b = NULL;
            continue;
        }

        for (unsigned k = 0; k < tg_be_index(t, b); k++) {
            tg_be_settled(&t->backends[k].name);
        }

        other = tg_be_backend(t, g, &w, tg_be_index(t, b));

        if (other != NULL) {
            atomic_store(&b->name.key, 0);
            b = other;

        } else {
            tg_be_member(g, tg_be_index(t, b), true);
        }
    }

    return b;
}


void
tg_be_age(tg_backends_t *t)
{
    uint64_t       key;
    tg_be_name_t  *n;

    for (unsigned i = 0; i < TG_GROUPS_MAX + TG_BACKENDS_MAX; i++) {
        n = i < TG_GROUPS_MAX ? &t->groups[i].name
                              : &t->backends[i - TG_GROUPS_MAX].name;
        key = atomic_load(&n->key);

        if (key > 0 && key < TG_BE_MAKING) {
            (void) atomic_compare_exchange_strong(&n->key, &key,
                                                  (key + 1) % TG_BE_MAKING);
        }
    }
}


tg_group_t *
tg_backends_group_at(tg_backends_t *t, unsigned i)
{
    for (unsigned k = 0; k < TG_GROUPS_MAX; k++) {
        if (atomic_load(&t->groups[k].name.key) >= TG_BE_MAKING && i-- == 0) {
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
    return tg_str_of(g->name.name, g->name.len <= sizeof(g->name.name)
                                   ? g->name.len : sizeof(g->name.name));
}


tg_str_t
tg_backend_server(const tg_backend_t *b)
{
    return tg_str_of(b->name.name, b->name.len <= sizeof(b->name.name)
                                   ? b->name.len : sizeof(b->name.name));
}


void
tg_backends_generation(tg_backends_t *t)
{
    uint32_t  n = atomic_load(&t->generation);

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
