#include "tg_json_string.h"

#if defined(__x86_64__)
#define TG_JSON_X86  1
#endif

#define TG_R4(v)    v, v, v, v
#define TG_R16(v)   TG_R4(v), TG_R4(v), TG_R4(v), TG_R4(v)
#define TG_R64(v)   TG_R16(v), TG_R16(v), TG_R16(v), TG_R16(v)

const uint8_t  tg_json_special[256] = {
    TG_R16(1), TG_R16(1),
    0, 0, 1 /* " */, 0, TG_R4(0), TG_R4(0), TG_R4(0),
    TG_R16(0), TG_R16(0),
    TG_R4(0), TG_R4(0), TG_R4(0), 1 /* \ */, 0, 0, 0,
    TG_R16(0), TG_R16(0),
    TG_R64(1), TG_R64(1)
};


/* 0 for no escape, 1 for a simple one, 2 for \u. */
static unsigned
tg_json_escape_kind(uint8_t c)
{
    switch (c) {
    case '"': case '\\': case '/':
    case 'b': case 'f': case 'n': case 'r': case 't':
        return 1;
    case 'u':
        return 2;
    default:
        return 0;
    }
}


static bool
tg_json_is_hex(uint8_t c)
{
    uint8_t  l = c | 0x20;

    return (c >= '0' && c <= '9') || (l >= 'a' && l <= 'f');
}


/* The lead byte of a character; RFC 3629 section 4. */
static bool
tg_json_utf8_lead(tg_json_string_t *st, uint8_t c)
{
    st->low = 0x80;
    st->high = 0xbf;

    if (c >= 0xc2 && c <= 0xdf) {
        st->need = 1;
        return true;
    }

    if (c >= 0xe0 && c <= 0xef) {
        st->need = 2;
        if (c == 0xe0) {
            st->low = 0xa0;
        } else if (c == 0xed) {
            st->high = 0x9f;
        }
        return true;
    }

    if (c >= 0xf0 && c <= 0xf4) {
        st->need = 3;
        if (c == 0xf0) {
            st->low = 0x90;
        } else if (c == 0xf4) {
            st->high = 0x8f;
        }
        return true;
    }

    return false;
}


static bool
tg_json_utf8_next(tg_json_string_t *st, uint8_t c)
{
    if (c < st->low || c > st->high) {
        return false;
    }

    st->need--;
    st->low = 0x80;
    st->high = 0xbf;

    return true;
}


static bool
tg_json_escape_next(tg_json_string_t *st, uint8_t c)
{
    unsigned  kind;

    if (st->escape == 1) {
        kind = tg_json_escape_kind(c);
        st->escape = kind == 2 ? 5 : 0;
        return kind != 0;
    }

    st->escape = st->escape == 2 ? 0 : (uint8_t) (st->escape - 1);

    return tg_json_is_hex(c);
}


/*
 * A byte that is not plain, or follows one.  False where it is wrong; a quote
 * of a clean state is the caller's business.
 */
static bool
tg_json_string_byte(tg_json_string_t *st, uint8_t c, tg_json_errcode_t *err)
{
    if (st->need != 0) {
        *err = TG_JSON_E_UTF8;
        return tg_json_utf8_next(st, c);
    }

    if (c < 0x20) {
        *err = st->escape != 0 ? TG_JSON_E_ESCAPE : TG_JSON_E_CONTROL;
        return false;
    }

    if (st->escape != 0) {
        *err = TG_JSON_E_ESCAPE;
        return tg_json_escape_next(st, c);
    }

    if (c == '\\') {
        st->escape = 1;
        return true;
    }

    *err = TG_JSON_E_UTF8;
    return c < 0x80 || tg_json_utf8_lead(st, c);
}


static inline bool
tg_json_string_clean(const tg_json_string_t *st)
{
    return (st->escape | st->need) == 0;
}


static const char *
tg_json_string_bytes(tg_json_string_t *st, const char *p, const char *end,
    tg_json_errcode_t *err)
{
    tg_json_errcode_t  e;

    while (p < end) {
        if (tg_json_string_clean(st)) {
            p = tg_json_plain(p, end);
            if (p == end || *p == '"') {
                return p;
            }
        }

        if (!tg_json_string_byte(st, (uint8_t) *p, &e)) {
            *err = e;
            return p;
        }

        p++;
    }

    return p;
}


/* At most the few bytes that make the state clean. */
static const char *
tg_json_string_settle(tg_json_string_t *st, const char *p, const char *end,
    tg_json_errcode_t *err)
{
    tg_json_errcode_t  e;

    while (p < end && !tg_json_string_clean(st)) {
        if (!tg_json_string_byte(st, (uint8_t) *p, &e)) {
            *err = e;
            return p;
        }
        p++;
    }

    return p;
}


const char *
tg_json_string_tail(tg_json_string_t *st, const char *start, const char *p)
{
    const char  *lead = p;

    st->need = 0;

    while (lead > start && p - lead < 3) {
        lead--;

        if ((uint8_t) *lead < 0x80) {
            return p;
        }

        if ((uint8_t) *lead >= 0xc0) {
            if (!tg_json_utf8_lead(st, (uint8_t) *lead)) {
                return lead;
            }

            while (++lead < p && st->need != 0) {
                (void) tg_json_utf8_next(st, (uint8_t) *lead);
            }

            return p;
        }
    }

    return p;
}


tg_json_simd_t
tg_json_simd(void)
{
#ifdef TG_JSON_X86
    if (__builtin_cpu_supports("avx2")) {
        return TG_JSON_SIMD_AVX2;
    }

    if (__builtin_cpu_supports("ssse3")) {
        return TG_JSON_SIMD_SSSE3;
    }
#endif

    return TG_JSON_SIMD_NONE;
}


const char *
tg_json_string_skip_by(tg_json_simd_t simd, tg_json_string_t *st,
    const char *p, const char *end, tg_json_errcode_t *err)
{
    *err = TG_JSON_E_NONE;

    if (!tg_json_string_clean(st)) {
        p = tg_json_string_settle(st, p, end, err);
        if (p == end || *err != TG_JSON_E_NONE) {
            return p;
        }
    }

#ifdef TG_JSON_X86
    if (end - p >= 64) {
        if (simd == TG_JSON_SIMD_AVX2) {
            p = tg_json_string_avx2(st, p, end);

        } else if (simd == TG_JSON_SIMD_SSSE3) {
            p = tg_json_string_ssse3(st, p, end);
        }
    }
#else
    (void) simd;
#endif

    return tg_json_string_bytes(st, p, end, err);
}


const char *
tg_json_string_skip(tg_json_string_t *st, const char *p, const char *end,
    tg_json_errcode_t *err)
{
    return tg_json_string_skip_by(tg_json_simd(), st, p, end, err);
}
