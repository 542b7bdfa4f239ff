#include "seen.h"

#include <stdlib.h>

#define SLOTS_MIN  65536

struct seen_s {
    uint64_t  *slots;                   /* 0: empty */
    size_t     nslots;                  /* a power of two */
    size_t     used;
};


static inline uint64_t
mix(uint64_t a, uint64_t b)
{
    unsigned __int128  m = (unsigned __int128) a * b;

    return (uint64_t) m ^ (uint64_t) (m >> 64);
}


/* Of any bytes; never 0. Multiply and fold, as in wyhash (Wang Yi, 2019). */
static uint64_t
hash(tg_str_t s)
{
    uint64_t  h = UINT64_C(0xa0761d6478bd642f) ^ s.len, w[2];

    while (s.len > 16) {
        memcpy(w, s.p, 16);
        h = mix(w[0] ^ UINT64_C(0xe7037ed1a0b428db), w[1] ^ h);
        s.p += 16;
        s.len -= 16;
    }

    memset(w, 0, sizeof(w));
    memcpy(w, s.p, s.len);

    h = mix(w[0] ^ UINT64_C(0x8ebc6af09c88c6e3), w[1] ^ h);
    h = mix(h, UINT64_C(0x589965cc75374cc3));

    return h != 0 ? h : 1;
}


seen_t *
seen_new(void)
{
    seen_t  *s = calloc(1, sizeof(seen_t));

    if (s != NULL) {
        s->nslots = SLOTS_MIN;
        s->slots = calloc(s->nslots, sizeof(uint64_t));
        if (s->slots == NULL) {
            free(s);
            s = NULL;
        }
    }

    return s;
}


void
seen_free(seen_t *s)
{
    if (s != NULL) {
        free(s->slots);
        free(s);
    }
}


static bool
put(uint64_t *slots, size_t nslots, uint64_t h)
{
    size_t  at = h & (nslots - 1);

    while (slots[at] != 0) {
        if (slots[at] == h) {
            return false;
        }
        at = (at + 1) & (nslots - 1);
    }

    slots[at] = h;

    return true;
}


static bool
grow(seen_t *s)
{
    uint64_t  *slots = calloc(2 * s->nslots, sizeof(uint64_t));

    if (slots == NULL) {
        return false;
    }

    for (size_t i = 0; i < s->nslots; i++) {
        if (s->slots[i] != 0) {
            (void) put(slots, 2 * s->nslots, s->slots[i]);
        }
    }

    free(s->slots);
    s->slots = slots;
    s->nslots *= 2;

    return true;
}


bool
seen_before(seen_t *s, tg_str_t id, bool *failed)
{
    if (s->used >= s->nslots / 4 * 3 && !grow(s)) {
        *failed = true;
        return false;
    }

    if (!put(s->slots, s->nslots, hash(id))) {
        return true;
    }

    s->used++;

    return false;
}
