#include "tg_json_string.h"

#if defined(__x86_64__)

#include <immintrin.h>

/* AVX2: a vector is one register. */

#define TG_V(name)  name##_avx2
#define TG_TARGET   __attribute__((target("avx2")))
#define TG_OP       TG_TARGET static inline __attribute__((always_inline))
#define tg_v        __m256i

TG_OP __m256i
load_avx2(const char *p)
{
    return _mm256_loadu_si256((const __m256i *) (const void *) p);
}

TG_OP __m256i
set1_avx2(uint8_t c)
{
    return _mm256_set1_epi8((char) c);
}

TG_OP __m256i
eq_avx2(__m256i a, __m256i b)
{
    return _mm256_cmpeq_epi8(a, b);
}

TG_OP __m256i
and_avx2(__m256i a, __m256i b)
{
    return _mm256_and_si256(a, b);
}

TG_OP __m256i
or_avx2(__m256i a, __m256i b)
{
    return _mm256_or_si256(a, b);
}

TG_OP __m256i
xor_avx2(__m256i a, __m256i b)
{
    return _mm256_xor_si256(a, b);
}

TG_OP uint32_t
mask_avx2(__m256i a)
{
    return (uint32_t) _mm256_movemask_epi8(a);
}

/* Signed, so of controls and of everything from 0x80 up. */
TG_OP __m256i
less_avx2(__m256i a)
{
    return _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), a);
}

TG_OP __m256i
subs_avx2(__m256i a, uint8_t c)
{
    return _mm256_subs_epu8(a, set1_avx2(c));
}

TG_OP __m256i
high_avx2(__m256i a)
{
    return _mm256_and_si256(_mm256_srli_epi16(a, 4), set1_avx2(0x0f));
}

TG_OP __m256i
low_avx2(__m256i a)
{
    return _mm256_and_si256(a, set1_avx2(0x0f));
}

TG_OP __m256i
lookup_avx2(const uint8_t *table, __m256i i)
{
    __m128i  t = _mm_loadu_si128((const __m128i *) (const void *) table);

    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), i);
}

TG_OP bool
exceeds_avx2(__m256i a, const uint8_t *most)
{
    __m256i  over = _mm256_subs_epu8(a, load_avx2((const char *) most));

    return !_mm256_testz_si256(over, over);
}

#define prev_avx2(v, before, n)                                               \
    _mm256_alignr_epi8(v, _mm256_permute2x128_si256(before, v, 0x21), 16 - n)

TG_OP __m256i
prev1_avx2(__m256i v, __m256i before)
{
    return prev_avx2(v, before, 1);
}

TG_OP __m256i
prev2_avx2(__m256i v, __m256i before)
{
    return prev_avx2(v, before, 2);
}

TG_OP __m256i
prev3_avx2(__m256i v, __m256i before)
{
    return prev_avx2(v, before, 3);
}

TG_OP __m256i
special_avx2(__m256i a)
{
    return or_avx2(less_avx2(a), or_avx2(eq_avx2(a, set1_avx2('"')),
                                         eq_avx2(a, set1_avx2('\\'))));
}

#include "tg_json_block.h"

#undef TG_V
#undef TG_TARGET
#undef TG_OP
#undef tg_v


/* SSSE3: a vector is two registers. */

#define TG_V(name)  name##_ssse3
#define TG_TARGET   __attribute__((target("ssse3")))
#define TG_OP       TG_TARGET static inline __attribute__((always_inline))
#define tg_v        tg_v_ssse3_t

typedef struct {
    __m128i  a, b;
} tg_v_ssse3_t;

#define TG_PAIR(x, y)  ((tg_v_ssse3_t) { (x), (y) })

TG_OP tg_v
load_ssse3(const char *p)
{
    return TG_PAIR(_mm_loadu_si128((const __m128i *) (const void *) p),
                   _mm_loadu_si128((const __m128i *) (const void *) (p + 16)));
}

TG_OP tg_v
set1_ssse3(uint8_t c)
{
    __m128i  v = _mm_set1_epi8((char) c);

    return TG_PAIR(v, v);
}

TG_OP tg_v
eq_ssse3(tg_v x, tg_v y)
{
    return TG_PAIR(_mm_cmpeq_epi8(x.a, y.a), _mm_cmpeq_epi8(x.b, y.b));
}

TG_OP tg_v
and_ssse3(tg_v x, tg_v y)
{
    return TG_PAIR(_mm_and_si128(x.a, y.a), _mm_and_si128(x.b, y.b));
}

TG_OP tg_v
or_ssse3(tg_v x, tg_v y)
{
    return TG_PAIR(_mm_or_si128(x.a, y.a), _mm_or_si128(x.b, y.b));
}

TG_OP tg_v
xor_ssse3(tg_v x, tg_v y)
{
    return TG_PAIR(_mm_xor_si128(x.a, y.a), _mm_xor_si128(x.b, y.b));
}

TG_OP uint32_t
mask_ssse3(tg_v x)
{
    return (uint32_t) _mm_movemask_epi8(x.b) << 16
           | (uint32_t) _mm_movemask_epi8(x.a);
}

TG_OP tg_v
less_ssse3(tg_v x)
{
    __m128i  space = _mm_set1_epi8(0x20);

    return TG_PAIR(_mm_cmplt_epi8(x.a, space), _mm_cmplt_epi8(x.b, space));
}

TG_OP tg_v
subs_ssse3(tg_v x, uint8_t c)
{
    __m128i  v = _mm_set1_epi8((char) c);

    return TG_PAIR(_mm_subs_epu8(x.a, v), _mm_subs_epu8(x.b, v));
}

TG_OP tg_v
low_ssse3(tg_v x)
{
    return and_ssse3(x, set1_ssse3(0x0f));
}

TG_OP tg_v
high_ssse3(tg_v x)
{
    return low_ssse3(TG_PAIR(_mm_srli_epi16(x.a, 4), _mm_srli_epi16(x.b, 4)));
}

TG_OP tg_v
lookup_ssse3(const uint8_t *table, tg_v i)
{
    __m128i  t = _mm_loadu_si128((const __m128i *) (const void *) table);

    return TG_PAIR(_mm_shuffle_epi8(t, i.a), _mm_shuffle_epi8(t, i.b));
}

TG_OP bool
exceeds_ssse3(tg_v x, const uint8_t *most)
{
    tg_v  m = load_ssse3((const char *) most);
    tg_v  over = TG_PAIR(_mm_subs_epu8(x.a, m.a), _mm_subs_epu8(x.b, m.b));

    return mask_ssse3(eq_ssse3(over, set1_ssse3(0))) != UINT32_MAX;
}

#define prev_ssse3(v, before, n)                                              \
    TG_PAIR(_mm_alignr_epi8((v).a, (before).b, 16 - n),                       \
            _mm_alignr_epi8((v).b, (v).a, 16 - n))

TG_OP tg_v
prev1_ssse3(tg_v v, tg_v before)
{
    return prev_ssse3(v, before, 1);
}

TG_OP tg_v
prev2_ssse3(tg_v v, tg_v before)
{
    return prev_ssse3(v, before, 2);
}

TG_OP tg_v
prev3_ssse3(tg_v v, tg_v before)
{
    return prev_ssse3(v, before, 3);
}

TG_OP tg_v
special_ssse3(tg_v x)
{
    return or_ssse3(less_ssse3(x), or_ssse3(eq_ssse3(x, set1_ssse3('"')),
                                            eq_ssse3(x, set1_ssse3('\\'))));
}

#include "tg_json_block.h"

#else

/* An empty translation unit is not C. */
typedef int  tg_json_string_no_x86_t;

#endif
