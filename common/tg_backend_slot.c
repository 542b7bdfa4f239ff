#include "tg_backend_int.h"

#define TG_BE_WHO(incarnation, pid, state)                                    \
    ((uint64_t) (incarnation) << 32 | (uint64_t) (pid) << 8 | (state))

#define tg_be_who_state(who)        ((unsigned) ((who) & 0xff))
#define tg_be_who_pid(who)          ((int64_t) ((who) >> 8 & 0xffffff))
#define tg_be_who_incarnation(who)  ((uint32_t) ((who) >> 32))

/* Of a lock: incarnation 24 | slot, plus one 16 | number 24.  A number: of who
 * has no slot, or may have none. */
#define tg_be_lock_slot(lock)         ((int) ((lock) >> 24 & 0xffff) - 1)
#define tg_be_lock_incarnation(lock)  ((uint32_t) ((lock) >> 40))
#define tg_be_lock_number(lock)       ((uint32_t) ((lock) & 0xffffff))

/* Of the lease: until, in ms 44 | generation 10 | slot, plus one 10. */
#define tg_be_lease_slot(lease)   ((int) ((lease) & 0x3ff) - 1)
#define tg_be_lease_until(lease)  ((int64_t) ((lease) >> 20))


/* Whose cells don't count: free, with the number of who had it. */
static bool
tg_be_slot_free(tg_be_slot_t *s, uint64_t who)
{
    return atomic_compare_exchange_strong(&s->who, &who,
               TG_BE_WHO(tg_be_who_incarnation(who), 0, TG_BE_SLOT_FREE));
}


static bool
tg_be_slot_take(tg_backends_t *t, unsigned i, int64_t pid, uint64_t start)
{
    uint32_t       n, incarnation;
    uint64_t       who, mine;
    tg_be_slot_t  *s = &t->slots[i];

    who = atomic_load(&s->who);

    if (tg_be_who_state(who) != TG_BE_SLOT_FREE) {
        return false;
    }

    incarnation = tg_be_who_incarnation(who) + 1;
    incarnation += (incarnation & 0xffffff) == 0;       /* of locks: not 0 */
    mine = TG_BE_WHO(incarnation, pid, TG_BE_SLOT_JOINING);

    if (!atomic_compare_exchange_strong(&s->who, &who, mine)) {
        return false;
    }

    atomic_store(&s->start, start);

    for (unsigned k = 0; k < TG_BACKENDS_MAX; k++) {
        atomic_store_explicit(&s->cells[k], 0, memory_order_relaxed);
    }

    n = atomic_load(&t->nslots);

    while (n < i + 1
           && !atomic_compare_exchange_weak(&t->nslots, &n, i + 1))
    {
        /* void */
    }

    return atomic_compare_exchange_strong(&s->who, &mine,
               TG_BE_WHO(incarnation, pid, TG_BE_SLOT_USED));
}


int
tg_backends_join(tg_backends_t *t, int64_t pid, uint64_t start)
{
    uint64_t  who;

    if (pid <= 0 || pid > TG_BE_PID_MAX) {
        return -1;
    }

    /* A process joins once: whoever had this number is dead. */

    for (unsigned i = 0; i < TG_BACKEND_SLOTS; i++) {
        who = atomic_load(&t->slots[i].who);

        if (tg_be_who_state(who) != TG_BE_SLOT_FREE
            && tg_be_who_pid(who) == pid)
        {
            (void) tg_be_slot_free(&t->slots[i], who);
        }
    }

    for (unsigned i = 0; i < TG_BACKEND_SLOTS; i++) {
        if (tg_be_slot_take(t, i, pid, start)) {
            return (int) i;
        }
    }

    return -1;
}


void
tg_backends_leave(tg_backends_t *t, int slot)
{
    if (slot < 0 || slot >= TG_BACKEND_SLOTS) {
        return;
    }

    tg_backends_release(t, slot);
    (void) tg_be_slot_free(&t->slots[slot], atomic_load(&t->slots[slot].who));

    for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
        if (atomic_load_explicit(&t->slots[slot].cells[i],
                                 memory_order_relaxed) != 0)
        {
            tg_be_sync(t, &t->backends[i], 0);
        }
    }
}


static bool
tg_be_slot_dead(tg_be_slot_t *s, uint64_t who, tg_alive_pt alive)
{
    uint64_t  start = 0;

    if (tg_be_who_state(who) == TG_BE_SLOT_USED) {
        start = atomic_load(&s->start);
    }

    return alive != NULL && !alive(tg_be_who_pid(who), start);
}


unsigned
tg_backends_sweep(tg_backends_t *t, tg_alive_pt alive, int64_t now)
{
    unsigned       n = 0, nslots = atomic_load(&t->nslots);
    uint64_t       who, key;
    tg_be_slot_t  *s;

    for (unsigned i = 0; i < nslots; i++) {
        s = &t->slots[i];
        who = atomic_load(&s->who);

        if (tg_be_who_state(who) != TG_BE_SLOT_FREE
            && tg_be_slot_dead(s, who, alive) && tg_be_slot_free(s, who))
        {
            n++;
        }
    }

    for (unsigned i = 0; i < TG_BACKENDS_MAX; i++) {
        key = atomic_load_explicit(&t->backends[i].name.key,
                                   memory_order_relaxed);

        if (key != 0) {
            tg_be_break(t, &t->backends[i]);
            tg_be_sync(t, &t->backends[i], now);
        }
    }

    tg_be_age(t);

    return n;
}


bool
tg_backends_lease(tg_backends_t *t, int slot, tg_alive_pt alive, int64_t now)
{
    int            owner;
    int64_t        ms = now / TG_BE_MS;
    uint64_t       lease, generation, next, who;
    tg_be_slot_t  *s;

    if (slot < 0 || slot >= TG_BACKEND_SLOTS) {
        return false;
    }

    lease = atomic_load(&t->lease);
    owner = tg_be_lease_slot(lease);

    if (owner >= 0 && owner != slot && ms < tg_be_lease_until(lease)) {

        /* Who renews it is alive; only who is late is asked for. */

        if (alive == NULL
            || tg_be_lease_until(lease) - ms
               > (TG_LEASE_NS - 3 * TG_TICK_NS) / TG_BE_MS)
        {
            return false;
        }

        s = &t->slots[owner % TG_BACKEND_SLOTS];
        who = atomic_load(&s->who);

        if (tg_be_who_state(who) == TG_BE_SLOT_USED
            && (!tg_be_slot_dead(s, who, alive) || !tg_be_slot_free(s, who)))
        {
            return false;
        }
    }

    generation = (lease >> 10) + (owner != slot);
    next = (uint64_t) (ms + TG_LEASE_NS / TG_BE_MS) << 20
           | (generation & 0x3ff) << 10 | (uint64_t) (slot + 1);

    return atomic_compare_exchange_strong(&t->lease, &lease, next);
}


void
tg_backends_release(tg_backends_t *t, int slot)
{
    uint64_t  lease = atomic_load(&t->lease);

    if (slot >= 0 && tg_be_lease_slot(lease) == slot) {
        (void) atomic_compare_exchange_strong(&t->lease, &lease,
                                              lease & 0xffc00);
    }
}


_Atomic uint64_t *
tg_be_cell(tg_backends_t *t, tg_backend_t *b, int slot, uint32_t *incarnation)
{
    uint64_t  who;

    if (slot < 0 || slot >= TG_BACKEND_SLOTS) {
        return NULL;
    }

    who = atomic_load_explicit(&t->slots[slot].who, memory_order_relaxed);

    if (tg_be_who_state(who) != TG_BE_SLOT_USED
        || (*incarnation != 0 && *incarnation != tg_be_who_incarnation(who)))
    {
        return NULL;
    }

    *incarnation = tg_be_who_incarnation(who);

    return &t->slots[slot].cells[tg_be_index(t, b)];
}


void
tg_be_sum(tg_backends_t *t, const tg_backend_t *b, int64_t *calls,
    int64_t *tokens)
{
    unsigned  n = atomic_load(&t->nslots), place = tg_be_index(t, b);
    uint64_t  cell;

    *calls = 0;
    *tokens = 0;

    for (unsigned i = 0; i < n; i++) {
        if (tg_be_who_state(atomic_load(&t->slots[i].who))
            == TG_BE_SLOT_USED)
        {
            cell = atomic_load(&t->slots[i].cells[place]);
            *calls += (int64_t) (cell >> TG_BE_CALLS);
            *tokens += (int64_t) (cell & ((UINT64_C(1) << TG_BE_CALLS) - 1));
        }
    }
}


/* Whose the lock will be. */
static uint64_t
tg_be_lock_word(tg_backends_t *t, int slot)
{
    uint64_t  number = 0, who;

    if (slot < 0) {
        slot = tg_be_lease_slot(atomic_load(&t->lease));

        do {
            number = (atomic_fetch_add(&t->anonymous, 1) + 1) & 0xffffff;
        } while (number == 0);
    }

    if (slot < 0 || slot >= TG_BACKEND_SLOTS) {
        return number;
    }

    who = atomic_load_explicit(&t->slots[slot].who, memory_order_relaxed);

    return (uint64_t) tg_be_who_incarnation(who) << 40
           | (uint64_t) (slot + 1) << 24 | number;
}


static bool
tg_be_lock_try(tg_backend_t *b, uint64_t lock)
{
    uint64_t  none = 0;

    return atomic_compare_exchange_strong(&b->lock, &none, lock);
}


uint64_t
tg_be_lock(tg_backends_t *t, tg_backend_t *b, int slot)
{
    uint64_t  lock = tg_be_lock_word(t, slot);

    if (tg_be_lock_try(b, lock)) {
        return lock;
    }

    for (unsigned i = 0; i < TG_BE_SPINS; i++) {
        tg_be_pause();

        if (atomic_load_explicit(&b->lock, memory_order_relaxed) == 0
            && tg_be_lock_try(b, lock))
        {
            return lock;
        }
    }

    return 0;
}


void
tg_be_unlock(tg_backends_t *t, tg_backend_t *b, uint64_t lock)
{
    uint64_t  mine;

    for ( ;; ) {
        mine = lock;
        (void) atomic_compare_exchange_strong(&b->lock, &mine, 0);

        /* Of those who came meanwhile one sums up: either this sees that there
         * are some, or they saw that the lock was free. */

        if (atomic_load(&b->dirty) == 0 || !tg_be_lock_try(b, lock)) {
            return;
        }

        tg_be_sum_up(t, b, 0);
    }
}


void
tg_be_break(tg_backends_t *t, tg_backend_t *b)
{
    int       slot;
    uint64_t  lock = atomic_load(&b->lock), who;

    if (lock == 0) {
        return;
    }

    slot = tg_be_lock_slot(lock);

    if (slot >= 0 && slot < TG_BACKEND_SLOTS) {
        who = atomic_load(&t->slots[slot].who);

        if (tg_be_who_state(who) != TG_BE_SLOT_USED
            || (tg_be_who_incarnation(who) & 0xffffff)
               != tg_be_lock_incarnation(lock))
        {
            (void) atomic_compare_exchange_strong(&b->lock, &lock, 0);
            return;
        }
    }

    if (tg_be_lock_number(lock) == 0) {
        return;
    }

    if (atomic_exchange(&b->lock_seen, lock) != lock) {
        atomic_store(&b->lock_age, 0);

    } else if (atomic_fetch_add(&b->lock_age, 1) + 1 >= TG_BE_LOCK_AGE) {
        (void) atomic_compare_exchange_strong(&b->lock, &lock, 0);
    }
}
