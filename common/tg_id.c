#include "tg_id.h"

static uint64_t
tg_rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}


static uint64_t
tg_id_next(tg_id_source_t *src)
{
    uint64_t  *s = src->s;
    uint64_t   result = tg_rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = tg_rotl(s[3], 45);

    return result;
}


void
tg_id_seed(tg_id_source_t *src, const unsigned char seed[32])
{
    memcpy(src->s, seed, sizeof(src->s));
    src->s[0] |= 1;             /* all zero is the one bad state */
}


/* The low 32 bits of v as eight hexadecimal digits. */
static inline void
tg_id_hex(char out[8], uint64_t v)
{
    const uint64_t  ones = UINT64_C(0x0101010101010101);

    /* a nibble in each byte, the first in the lowest */

    v &= UINT32_MAX;
    v = (v << 32 | v >> 16) & UINT64_C(0x0000ffff0000ffff);
    v = (v << 16 | v >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v << 8 | v >> 4) & 0x0f * ones;

    /* from ten on they are letters */

    v += '0' * ones + ((v + 6 * ones) >> 4 & ones) * ('a' - '0' - 10);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif

    memcpy(out, &v, 8);
}


void
tg_id_make(tg_id_source_t *src, int64_t unix_ms, char *out)
{
    uint64_t  ms = (uint64_t) unix_ms;
    uint64_t  a = tg_id_next(src), b = tg_id_next(src);
    char      four[8];

    a = 0x7000 | (a & 0x0fff);                      /* version */
    b = UINT64_C(1) << 63 | (b & UINT64_MAX >> 2);  /* variant */

    tg_id_hex(out, ms >> 16);
    out[8] = '-';

    tg_id_hex(four, ms << 16 | a);
    memcpy(out + 9, four, 4);
    out[13] = '-';
    memcpy(out + 14, four + 4, 4);
    out[18] = '-';

    tg_id_hex(four, b >> 32);
    memcpy(out + 19, four, 4);
    out[23] = '-';
    memcpy(out + 24, four + 4, 4);

    tg_id_hex(out + 28, b);
}
