/*
 * tg_json_string.h - the inside of a JSON string, validated at full speed.
 *
 * Control characters, escapes and UTF-8 (RFC 8259 section 7, RFC 3629) are
 * checked; nothing is decoded.  On x86-64 blocks of 64 bytes are looked at with
 * AVX2 or SSSE3, whichever the CPU has; elsewhere a byte at a time.
 */

#ifndef TG_JSON_STRING_H
#define TG_JSON_STRING_H

#include "tg_json.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

typedef enum {
    TG_JSON_SIMD_NONE = 0,
    TG_JSON_SIMD_SSSE3,
    TG_JSON_SIMD_AVX2
} tg_json_simd_t;

/* The best that this CPU has. */
tg_json_simd_t tg_json_simd(void);

/*
 * Goes on from p within a string.  Returns the closing quote, or end where the
 * string goes on behind it, or, with *err set, the byte that is wrong.
 * tg_json_string_init() is a fresh string's state.
 */
const char *tg_json_string_skip(tg_json_string_t *st, const char *p,
    const char *end, tg_json_errcode_t *err);

/* The same by the given means, which the CPU must have. */
const char *tg_json_string_skip_by(tg_json_simd_t simd, tg_json_string_t *st,
    const char *p, const char *end, tg_json_errcode_t *err);

/* Whole blocks only; where it stops early something needs a closer look. */
const char *tg_json_string_ssse3(tg_json_string_t *st, const char *p,
    const char *end);
const char *tg_json_string_avx2(tg_json_string_t *st, const char *p,
    const char *end);

/*
 * UTF-8's state behind the blocks [start, p), where nothing is wrong as far as
 * a byte and those before it tell.  Returns p; or p - 1 where that byte can't
 * lead a character, so that it is looked at again.
 */
const char *tg_json_string_tail(tg_json_string_t *st, const char *start,
    const char *p);

/* Bytes that are not themselves in a string: " \ controls, and non-ASCII. */
extern const uint8_t  tg_json_special[256];


static inline void
tg_json_string_init(tg_json_string_t *st)
{
    st->escape = 0;
    st->need = 0;
    st->low = 0;
    st->high = 0;
}


#if defined(__SSE2__)

static inline uint32_t
tg_json_special16(const char *p)
{
    __m128i  v = _mm_loadu_si128((const __m128i *) (const void *) p);
    __m128i  m;

    /* signed: only what is plain, and \, is more than 0x20; '"' ^ 2 is 0x20,
     * and ' ' ^ 2 is not */
    m = _mm_cmpgt_epi8(_mm_xor_si128(v, _mm_set1_epi8(2)),
                       _mm_set1_epi8(0x20));
    m = _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')), m);

    return (uint32_t) _mm_movemask_epi8(m) ^ 0xffff;
}

#endif


/* The first special byte of [p, end), or end. */
static inline const char *
tg_json_plain(const char *p, const char *end)
{
#if defined(__SSE2__)
    uint32_t  m;

    while (end - p >= 16) {
        m = tg_json_special16(p);
        if (m != 0) {
            return p + __builtin_ctz(m);
        }
        p += 16;
    }
#else
    const uint64_t  ones = UINT64_C(0x0101010101010101);
    uint64_t        w, q, b;

    while (end - p >= 8) {
        memcpy(&w, p, 8);
        q = w ^ (ones * '"');
        b = w ^ (ones * '\\');

        if ((((w - ones * 0x20) | (q - ones) | (b - ones) | w) & (ones * 0x80))
            != 0)
        {
            break;
        }
        p += 8;
    }
#endif

    while (p < end && !tg_json_special[(uint8_t) *p]) {
        p++;
    }

    return p;
}

#endif /* TG_JSON_STRING_H */
