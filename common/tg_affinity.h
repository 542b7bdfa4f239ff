/*
 * tg_affinity.h - which backend has read which beginning of a prompt, and so
 * has it in its KV cache.
 *
 * A table of fixed size in memory that all processes share (tg_backends_t has
 * room for it); zeroed it is empty.  A beginning is told by its hash; each of
 * up to TG_AFFINITY_WAYS backends that have it takes a place in the hash's set.
 * What was used longest ago gives way.  No locks: what is torn is told by a
 * check sum and not found; what a race loses is a place.
 *
 * Engines tell nothing of what they evict.  Each place has how many tokens its
 * backend had been given then (tg_pace.h): when as many as its cache holds have
 * come since, it is gone, for engines evict what was used longest ago.  What a
 * backend had is also gone once its epoch is another: it has been restarted, or
 * was down.
 */

#ifndef TG_AFFINITY_H
#define TG_AFFINITY_H

#include <stdbool.h>
#include <stdint.h>

#define TG_AFFINITY_SETS  8192          /* a power of two */
#define TG_AFFINITY_WAYS  16

/* Not asked for this long, it is taken to be gone in any case.  Nanoseconds. */
#define TG_AFFINITY_KEPT  (INT64_C(3600) * 1000000000)

typedef struct {
    _Atomic uint64_t  sum;              /* hash ^ value */
    _Atomic uint64_t  value;            /* 0: free */
} tg_affinity_place_t;

typedef struct {
    tg_affinity_place_t  sets[TG_AFFINITY_SETS][TG_AFFINITY_WAYS];
} tg_affinity_t;

/* Of tg_backend_load_t's, the low bits that are kept: 10, 14; and tokens that
 * it has been given, all in all. */
typedef struct {
    uint32_t  backend;
    uint32_t  epoch;
    uint64_t  given;
} tg_affinity_who_t;

/* True: the backend had it already, and has been given less than room tokens
 * since then.  now: nanoseconds of a clock that all processes share. */
bool tg_affinity_put(tg_affinity_t *a, uint64_t hash,
    const tg_affinity_who_t *who, uint64_t room, int64_t now);

/* Who may have it: how many are in found[]. */
unsigned tg_affinity_get(tg_affinity_t *a, uint64_t hash, int64_t now,
    tg_affinity_who_t found[TG_AFFINITY_WAYS]);

/* Whether one of those still is what it was: `is` is the backend now. */
bool tg_affinity_same(const tg_affinity_who_t *was,
    const tg_affinity_who_t *is, uint64_t room);

#endif /* TG_AFFINITY_H */
