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


void
tg_id_make(tg_id_source_t *src, int64_t unix_ms, char *out)
{
    static const char  hex[] = "0123456789abcdef";
    uint64_t           a = tg_id_next(src), b = tg_id_next(src);
    unsigned char      u[16];

    for (unsigned i = 0; i < 6; i++) {
        u[i] = (unsigned char) ((uint64_t) unix_ms >> (40 - 8 * i));
    }

    memcpy(u + 6, &a, 2);
    memcpy(u + 8, &b, 8);
    u[6] = (unsigned char) (0x70 | (u[6] & 0x0f));
    u[8] = (unsigned char) (0x80 | (u[8] & 0x3f));

    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }
        *out++ = hex[u[i] >> 4];
        *out++ = hex[u[i] & 15];
    }
}
