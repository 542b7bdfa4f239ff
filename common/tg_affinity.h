/*
 * tg_affinity.h - which backend has read which beginning of a prompt, and so has
 * it in its KV cache.
 *
 * A table of fixed size in memory that all processes share (tg_backends_t has
 * room for it); zeroed it is empty.  A beginning is told by its hash; each of up
 * to TG_AFFINITY_WAYS backends that have it takes a place in the hash's set.  What
 * was used longest ago gives way.  No locks: what is torn is told by a check sum
 * and not found; what a race loses is a place.
 *
 * What a backend had is no longer found once its epoch is another: it has been
 * restarted, or was down.
 */

#ifndef TG_AFFINITY_H
#define TG_AFFINITY_H

#include <stdbool.h>
#include <stdint.h>

#define TG_AFFINITY_SETS  8192          /* a power of two */
#define TG_AFFINITY_WAYS  16

/* Not asked for this long, it is taken to be gone: engines tell of no eviction.
 * Nanoseconds. */
#define TG_AFFINITY_KEPT  (INT64_C(900) * 1000000000)

typedef struct {
    _Atomic uint64_t  sum;              /* hash ^ value */
    _Atomic uint64_t  value;            /* 0: free */
} tg_affinity_place_t;

typedef struct {
    tg_affinity_place_t  sets[TG_AFFINITY_SETS][TG_AFFINITY_WAYS];
} tg_affinity_t;

typedef struct {
    uint16_t  backend;
    uint16_t  epoch;
} tg_affinity_found_t;

/* Backend and epoch are the low 16 bits of tg_backend_load_t's.  now:
 * nanoseconds of a clock that all processes share.  True: it was there already. */
bool tg_affinity_put(tg_affinity_t *a, uint64_t hash, uint16_t backend,
    uint16_t epoch, int64_t now);

/* Who has it: how many are in found[]. */
unsigned tg_affinity_get(tg_affinity_t *a, uint64_t hash, int64_t now,
    tg_affinity_found_t found[TG_AFFINITY_WAYS]);

#endif /* TG_AFFINITY_H */
