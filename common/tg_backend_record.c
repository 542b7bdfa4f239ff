#include "tg_backend_int.h"

/* A record changes at most as often as its lock is taken. */
#define TG_BE_READS  1000


void
tg_be_read(const _Atomic uint64_t *version, const _Atomic uint64_t *words,
    unsigned all, unsigned n, void *record)
{
    char                    *to = record;
    uint64_t                 v, w;
    const _Atomic uint64_t  *from;

    v = atomic_load_explicit(version, memory_order_acquire);

    for (unsigned i = 0; i < TG_BE_READS; i++) {
        from = words + (v & 1) * all;

        for (unsigned k = 0; k < n; k++) {
            w = atomic_load_explicit(&from[k], memory_order_acquire);
            memcpy(to + k * sizeof(w), &w, sizeof(w));
        }

        /* The words are not written before another version is. */

        w = atomic_load_explicit(version, memory_order_acquire);

        if (w == v) {
            return;
        }

        v = w;
    }
}


void
tg_be_write(_Atomic uint64_t *version, _Atomic uint64_t *words, unsigned n,
    const void *record)
{
    uint64_t           w, v;
    const char        *from = record;
    _Atomic uint64_t  *to;

    v = atomic_load_explicit(version, memory_order_relaxed);
    to = words + (~v & 1) * n;

    /* Each is released, so that whoever reads one of them while it is written
     * sees that the version is another, too. */

    for (unsigned k = 0; k < n; k++) {
        memcpy(&w, from + k * sizeof(w), sizeof(w));
        atomic_store_explicit(&to[k], w, memory_order_release);
    }

    atomic_store_explicit(version, v + 1, memory_order_release);
}


tg_be_health_t
tg_be_health(uint64_t word)
{
    tg_be_health_t  h;

    h.state = (tg_backend_state_t) (word & 15);
    h.drain = (tg_drain_t) (word >> 4 & 15);
    h.ejected = word >> 8 & 1;
    h.rises = word >> 16 & 0xffff;
    h.checks = word >> 32 & 0xffff;
    h.calls = (uint32_t) (word >> 48);

    return h;
}


static uint64_t
tg_be_16(uint32_t n)
{
    return n < 0xffff ? n : 0xffff;
}


uint64_t
tg_be_health_word(tg_be_health_t h)
{
    return (uint64_t) h.state | (uint64_t) h.drain << 4
           | (uint64_t) h.ejected << 8 | tg_be_16(h.rises) << 16
           | tg_be_16(h.checks) << 32 | tg_be_16(h.calls) << 48;
}
