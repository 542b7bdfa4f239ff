/*
 * tg_json_token.h - strings, numbers and literals as they mostly are: whole in
 * the piece, strings without escapes and not too long, white space none or one
 * space behind a colon and indented lines.
 *
 * These are for pieces that have an in->last, from p <= in->last on.  Up to
 * there nobody looks for the piece's end: what is looked at byte by byte ends
 * at that bracket at the latest, and what is no bracket is followed by another
 * byte.
 */

#ifndef TG_JSON_TOKEN_H
#define TG_JSON_TOKEN_H

#include "tg_json_int.h"
#include "tg_json_string.h"

#define tg_json_inline  static inline __attribute__((always_inline))

/* What is behind white space, of which there may be none. */
const char *tg_json_token_space(const tg_json_input_t *in, const char *p);

/* The text from p on is plain up to what is returned, which may be its end. */
const char *tg_json_token_further(const tg_json_input_t *in, const char *p);

/* Behind the number at p, or NULL where something else is or it is not simple.
 */
const char *tg_json_token_long(const tg_json_input_t *in, const char *p);


tg_json_inline bool
tg_json_token_blank(char c)
{
    return (uint8_t) c <= ' ';
}


/* As tg_json_token_further(). */
tg_json_inline const char *
tg_json_token_plain(const tg_json_input_t *in, const char *p)
{
#if defined(__SSE2__)
    uint32_t  m;

    if (p <= in->wide) {
        m = tg_json_special16(p);
        if (m != 0) {
            return p + (unsigned) __builtin_ctz(m);
        }
        p += 16;
    }
#endif

    return tg_json_token_further(in, p);
}


/* Is q, from the above, the text's end, and not behind in->last? */
tg_json_inline bool
tg_json_token_quote(const tg_json_input_t *in, const char *q)
{
    return q < in->last && *q == '"';
}


/* Past a colon, and the space behind it. */
tg_json_inline const char *
tg_json_token_colon(const char *p)
{
    return p[1] == ' ' ? p + 2 : p + 1;
}


/* How many digits are next, up to 8; 8 bytes can be read. */
tg_json_inline unsigned
tg_json_token_digits(const char *p)
{
    const uint64_t  ones = UINT64_C(0x0101010101010101);
    uint64_t        w = tg_json_load(p) ^ (ones * '0');

    /* bit 7 of the first byte that is more than 9, and none below */
    w = ((w + ones * (0x7f - 9)) | w) & (ones * 0x80);

    return w != 0 ? (unsigned) __builtin_ctzll(w) / 8 : 8;
}


/* As tg_json_token_long(). */
tg_json_inline const char *
tg_json_token_number(const tg_json_input_t *in, const char *p)
{
    unsigned  n;

    if (p <= in->wide) {
        n = tg_json_token_digits(p);

        if ((p[n] == ',' || p[n] == '}') && n != 0 && (*p != '0' || n == 1)) {
            return p + n;
        }
    }

    return tg_json_token_long(in, p);
}


/* Behind the number or literal at p, or NULL. */
tg_json_inline const char *
tg_json_token_word(const tg_json_input_t *in, const char *p,
    tg_json_type_t *type)
{
    if ((uint8_t) *p <= '9') {
        *type = TG_JSON_NUMBER;
        return tg_json_token_number(in, p);
    }

    if (in->end - p < 5) {
        return NULL;
    }

    switch (*p) {
    case 'n':
        *type = TG_JSON_NULL;
        return memcmp(p, "null", 4) == 0 ? p + 4 : NULL;
    case 't':
        *type = TG_JSON_TRUE;
        return memcmp(p, "true", 4) == 0 ? p + 4 : NULL;
    case 'f':
        *type = TG_JSON_FALSE;
        return memcmp(p + 1, "alse", 4) == 0 ? p + 5 : NULL;
    default:
        return NULL;
    }
}


/* An opening bracket? */
tg_json_inline bool
tg_json_token_opens(char c)
{
    return (c | 0x20) == '{';
}

#endif /* TG_JSON_TOKEN_H */
