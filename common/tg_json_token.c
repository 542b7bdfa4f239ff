#include "tg_json_token.h"

#define TG_JSON_PLAIN  512      /* longer text is worth other means */


const char *
tg_json_token_space(const tg_json_input_t *in, const char *p)
{
#if defined(__SSE2__)
    __m128i   v;
    uint32_t  m;

    if (*p == '\n' && p < in->wide) {
        v = _mm_loadu_si128((const __m128i *) (const void *) (p + 1));
        m = (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(v,
                                                        _mm_set1_epi8(' ')));
        p += 1 + __builtin_ctz(~m);
    }
#else
    (void) in;
#endif

    while (tg_json_is_space(*p)) {
        p++;
    }

    return p;
}


const char *
tg_json_token_further(const tg_json_input_t *in, const char *p)
{
    const char  *end = in->end - p > TG_JSON_PLAIN ? p + TG_JSON_PLAIN
                                                   : in->end;
#if defined(__SSE2__)
    uint32_t     m;

    for ( /* void */ ; end - p >= 16; p += 16) {
        m = tg_json_special16(p);
        if (m != 0) {
            return p + (unsigned) __builtin_ctz(m);
        }
    }

    if (p == end) {
        return p;
    }

    /* the last 16, of which some have been looked at */
    m = tg_json_special16(end - 16) >> (16 - (end - p));

    return m != 0 ? p + (unsigned) __builtin_ctz(m) : end;
#else
    return tg_json_plain(p, end);
#endif
}


static bool
tg_json_token_is_digit(char c)
{
    return (uint8_t) (c - '0') < 10;
}


static const char *
tg_json_token_past_digits(const tg_json_input_t *in, const char *p)
{
    unsigned  n;

    while (p <= in->wide) {
        n = tg_json_token_digits(p);
        p += n;
        if (n < 8) {
            return p;
        }
    }

    while (tg_json_token_is_digit(*p)) {
        p++;
    }

    return p;
}


const char *
tg_json_token_long(const tg_json_input_t *in, const char *p)
{
    const char  *digits = *p == '-' ? p + 1 : p;

    p = tg_json_token_past_digits(in, digits);

    if (p == digits || (*digits == '0' && p - digits > 1)) {
        return NULL;
    }

    if (*p == '.') {
        p++;

        if (!tg_json_token_is_digit(*p)) {
            return NULL;
        }
        p = tg_json_token_past_digits(in, p);
    }

    return (*p | 0x20) == 'e' || p - digits > TG_JSON_SHORT ? NULL : p;
}
