#include "tg_siphash.h"

#include <string.h>


/* Its first byte is the lowest, everywhere. */
static inline uint64_t
tg_sip_load(const void *p)
{
    uint64_t  w;

    memcpy(&w, p, 8);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif

    return w;
}


static inline uint64_t
tg_sip_rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}


static inline void
tg_sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = tg_sip_rotl(v[1], 13) ^ v[0];
    v[3] = tg_sip_rotl(v[3], 16) ^ v[2];
    v[0] = tg_sip_rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = tg_sip_rotl(v[1], 17) ^ v[2];
    v[3] = tg_sip_rotl(v[3], 21) ^ v[0];
    v[2] = tg_sip_rotl(v[2], 32);
}


static inline void
tg_sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    tg_sip_round(v);
    v[0] ^= word;
}


void
tg_siphash_init(tg_siphash_t *h, const unsigned char key[TG_SIPHASH_KEY])
{
    uint64_t  k0 = tg_sip_load(key), k1 = tg_sip_load(key + 8);

    h->v[0] = k0 ^ UINT64_C(0x736f6d6570736575);
    h->v[1] = k1 ^ UINT64_C(0x646f72616e646f6d);
    h->v[2] = k0 ^ UINT64_C(0x6c7967656e657261);
    h->v[3] = k1 ^ UINT64_C(0x7465646279746573);
    h->carry = 0;
    h->len = 0;
}


void
tg_siphash_feed(tg_siphash_t *h, const char *p, size_t n)
{
    size_t    have = h->len % 8;
    uint64_t  v[4];

    h->len += n;

    for ( ; have != 0 && n != 0; p++, n--) {
        h->carry |= (uint64_t) (unsigned char) *p << 8 * have;
        have = (have + 1) % 8;

        if (have == 0) {
            tg_sip_word(h->v, h->carry);
            h->carry = 0;
        }
    }

    memcpy(v, h->v, sizeof(v));

    for ( ; n >= 8; p += 8, n -= 8) {
        tg_sip_word(v, tg_sip_load(p));
    }

    memcpy(h->v, v, sizeof(v));

    for (size_t i = 0; i < n; i++) {
        h->carry |= (uint64_t) (unsigned char) p[i] << 8 * i;
    }
}


uint64_t
tg_siphash_end(const tg_siphash_t *h)
{
    uint64_t  v[4];

    memcpy(v, h->v, sizeof(v));
    tg_sip_word(v, h->carry | h->len << 56);
    v[2] ^= 0xff;

    for (int i = 0; i < 3; i++) {
        tg_sip_round(v);
    }

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
