#include "tg_affinity.h"

#include <stdatomic.h>

/* A value: when it was used last, in units of 2^27 ns (0.13 s), one added so that
 * it is never 0; the epoch; the backend. */
#define TG_AFFINITY_UNIT   27
#define TG_AFFINITY_SINCE  32


static tg_affinity_place_t *
tg_affinity_set(tg_affinity_t *a, uint64_t hash)
{
    return a->sets[(hash >> 40) & (TG_AFFINITY_SETS - 1)];
}


static uint32_t
tg_affinity_time(int64_t now)
{
    return (uint32_t) ((uint64_t) now >> TG_AFFINITY_UNIT) + 1;
}


static bool
tg_affinity_read(tg_affinity_place_t *place, uint64_t hash, uint64_t *value)
{
    uint64_t  sum = atomic_load_explicit(&place->sum, memory_order_relaxed);

    *value = atomic_load_explicit(&place->value, memory_order_relaxed);

    return *value != 0 && (sum ^ *value) == hash;
}


/* Whether it is still worth something; of another process's clock, it may be
 * ahead by a moment. */
static bool
tg_affinity_kept(uint64_t value, uint32_t time)
{
    int32_t  age = (int32_t) (time - (uint32_t) (value >> TG_AFFINITY_SINCE));

    return age <= (int32_t) (TG_AFFINITY_KEPT >> TG_AFFINITY_UNIT);
}


/* Its own place, else a free one, else the one that was used longest ago. */
static tg_affinity_place_t *
tg_affinity_place(tg_affinity_place_t *set, uint64_t hash, uint16_t backend,
    uint32_t time, uint64_t *value)
{
    int64_t   age, oldest = -1;
    uint64_t  there;
    unsigned  place = 0;

    for (unsigned i = 0; i < TG_AFFINITY_WAYS; i++) {
        if (tg_affinity_read(&set[i], hash, &there)
            && (uint16_t) there == backend)
        {
            *value = there;
            return &set[i];
        }

        age = there == 0 ? INT64_MAX
              : (int32_t) (time - (uint32_t) (there >> TG_AFFINITY_SINCE));

        if (age > oldest) {
            oldest = age;
            place = i;
        }
    }

    *value = 0;

    return &set[place];
}


bool
tg_affinity_put(tg_affinity_t *a, uint64_t hash, uint16_t backend,
    uint16_t epoch, int64_t now)
{
    uint32_t              time = tg_affinity_time(now);
    uint64_t              value, new;
    tg_affinity_place_t  *place;

    place = tg_affinity_place(tg_affinity_set(a, hash), hash, backend, time,
                              &value);
    new = (uint64_t) time << TG_AFFINITY_SINCE | (uint64_t) epoch << 16
          | backend;

    if (value != new) {
        atomic_store_explicit(&place->sum, hash ^ new, memory_order_relaxed);
        atomic_store_explicit(&place->value, new, memory_order_relaxed);
    }

    return value != 0 && (uint16_t) (value >> 16) == epoch
           && tg_affinity_kept(value, time);
}


unsigned
tg_affinity_get(tg_affinity_t *a, uint64_t hash, int64_t now,
    tg_affinity_found_t found[TG_AFFINITY_WAYS])
{
    uint32_t              time = tg_affinity_time(now);
    unsigned              n = 0;
    uint64_t              value;
    tg_affinity_place_t  *set = tg_affinity_set(a, hash);

    for (unsigned i = 0; i < TG_AFFINITY_WAYS; i++) {
        if (tg_affinity_read(&set[i], hash, &value)
            && tg_affinity_kept(value, time))
        {
            found[n].backend = (uint16_t) value;
            found[n].epoch = (uint16_t) (value >> 16);
            n++;
        }
    }

    return n;
}
