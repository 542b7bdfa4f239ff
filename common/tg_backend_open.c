#include "tg_backend_int.h"

#define TG_BE_BACK  (60 * TG_BE_SECOND)


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


static void
tg_be_rebooted(tg_backends_t *t, int64_t now)
{
    tg_group_t  *g;

    for (unsigned i = 0; i < TG_BACKEND_SLOTS; i++) {
        atomic_store(&t->slots[i].who,
                     atomic_load(&t->slots[i].who) & ~UINT64_C(0xff));
    }

    for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
        if (atomic_load(&t->backends[i].name.key) >= TG_BE_KEYS) {
            tg_be_reboot(t, &t->backends[i], now);
        }
    }

    for (unsigned i = 0; i < TG_GROUPS_MAX; i++) {
        g = &t->groups[i];
        atomic_store(&g->judged, 0);
        atomic_store(&g->judged_scrape, 0);
        atomic_store(&g->full, 0);
        atomic_store(&g->saturated, 0);
        atomic_store(&g->saturated_since, 0);
        memset((void *) g->scale, 0, sizeof(g->scale));
    }

    atomic_store(&t->lease, 0);
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

    /* A clock that went back is another boot's, too; not one that is a little
     * behind that of who ticks meanwhile. */

    if (atomic_load(&t->boot) != boot || ticked - now > TG_BE_BACK) {
        tg_be_rebooted(t, now);
        atomic_store(&t->ticked, now);
        atomic_store(&t->boot, boot);

    } else if (now - ticked > TG_LEASE_NS) {
        for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
            if (atomic_load(&t->backends[i].name.key) >= TG_BE_KEYS) {
                tg_be_resume(t, &t->backends[i], ticked, now);
            }
        }

        atomic_store(&t->ticked, now);
    }

    return TG_OK;
}
