#include "tg_affinity.h"

#include <stdatomic.h>

/* A value, from above: tokens 24 | time 16 | epoch 14 | backend 10.  Tokens are
 * in units of 256, time in units of 2^30 ns (1.07 s). */
#define TG_AFFINITY_TOKENS   8
#define TG_AFFINITY_SECOND   30
#define TG_AFFINITY_BACKEND  0x3ffU
#define TG_AFFINITY_EPOCH    0x3fffU


static tg_affinity_place_t *
tg_affinity_set(tg_affinity_t *a, uint64_t hash)
{
    return a->sets[(hash >> 40) & (TG_AFFINITY_SETS - 1)];
}


/* Never 0: that is a free place. */
static uint64_t
tg_affinity_value(const tg_affinity_who_t *who, int64_t now)
{
    uint64_t  time = ((uint64_t) now >> TG_AFFINITY_SECOND) & 0xffff;

    return (who->given >> TG_AFFINITY_TOKENS) << 40
           | (time != 0 ? time : 1) << 24
           | (uint64_t) (who->epoch & TG_AFFINITY_EPOCH) << 10
           | (who->backend & TG_AFFINITY_BACKEND);
}


static void
tg_affinity_who(uint64_t value, tg_affinity_who_t *who)
{
    who->backend = value & TG_AFFINITY_BACKEND;
    who->epoch = value >> 10 & TG_AFFINITY_EPOCH;
    who->given = value >> 40 << TG_AFFINITY_TOKENS;
}


/* In units of time.  Of another process's clock it may be ahead by a moment. */
static int
tg_affinity_age(uint64_t value, uint64_t new)
{
    int  age = (int16_t) ((uint16_t) (new >> 24) - (uint16_t) (value >> 24));

    return age >= -1 && age < 0 ? 0 : age < 0 ? INT16_MAX : age;
}


static bool
tg_affinity_kept(uint64_t value, uint64_t new)
{
    return tg_affinity_age(value, new)
           <= (int) (TG_AFFINITY_KEPT >> TG_AFFINITY_SECOND);
}


static bool
tg_affinity_read(tg_affinity_place_t *place, uint64_t hash, uint64_t *value)
{
    uint64_t  sum = atomic_load_explicit(&place->sum, memory_order_relaxed);

    *value = atomic_load_explicit(&place->value, memory_order_relaxed);

    return *value != 0 && (sum ^ *value) == hash;
}


bool
tg_affinity_same(const tg_affinity_who_t *was, const tg_affinity_who_t *is,
    uint64_t room)
{
    uint64_t  since = (uint32_t) (is->given - was->given);

    return ((was->epoch ^ is->epoch) & TG_AFFINITY_EPOCH) == 0 && since <= room;
}


/* Its own place, else a free one, else the one that was used longest ago. */
static tg_affinity_place_t *
tg_affinity_place(tg_affinity_place_t *set, uint64_t hash, uint64_t new,
    uint64_t *value)
{
    int       age, oldest = -1;
    uint64_t  there;
    unsigned  place = 0;

    for (unsigned i = 0; i < TG_AFFINITY_WAYS; i++) {
        if (tg_affinity_read(&set[i], hash, &there)
            && ((there ^ new) & TG_AFFINITY_BACKEND) == 0)
        {
            *value = there;
            return &set[i];
        }

        age = there == 0 ? INT16_MAX + 1 : tg_affinity_age(there, new);

        if (age > oldest) {
            oldest = age;
            place = i;
        }
    }

    *value = 0;

    return &set[place];
}


bool
tg_affinity_put(tg_affinity_t *a, uint64_t hash, const tg_affinity_who_t *who,
    uint64_t room, int64_t now)
{
    uint64_t              value, new = tg_affinity_value(who, now);
    tg_affinity_who_t     was;
    tg_affinity_place_t  *place;

    place = tg_affinity_place(tg_affinity_set(a, hash), hash, new, &value);

    if (value != new) {
        atomic_store_explicit(&place->sum, hash ^ new, memory_order_relaxed);
        atomic_store_explicit(&place->value, new, memory_order_relaxed);
    }

    tg_affinity_who(value, &was);

    return value != 0 && tg_affinity_kept(value, new)
           && tg_affinity_same(&was, who, room);
}


unsigned
tg_affinity_get(tg_affinity_t *a, uint64_t hash, int64_t now,
    tg_affinity_who_t found[TG_AFFINITY_WAYS])
{
    uint64_t              value, new;
    unsigned              n = 0;
    tg_affinity_place_t  *set = tg_affinity_set(a, hash);

    new = tg_affinity_value(&(tg_affinity_who_t) { 0, 0, 0 }, now);

    for (unsigned i = 0; i < TG_AFFINITY_WAYS; i++) {
        if (tg_affinity_read(&set[i], hash, &value)
            && tg_affinity_kept(value, new))
        {
            tg_affinity_who(value, &found[n++]);
        }
    }

    return n;
}
