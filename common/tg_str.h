/*
 * tg_str.h - strings as pointer and length.
 *
 * A tg_str_t never owns its bytes and need not end in NUL.  The owner is named
 * where the string is handed over: an arena, a configuration, or the caller's
 * buffer for as long as the call lasts.
 */

#ifndef TG_STR_H
#define TG_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const char  *p;
    size_t       len;
} tg_str_t;

#define tg_str(literal)    ((tg_str_t) { (literal), sizeof(literal) - 1 })
#define tg_str_null        ((tg_str_t) { NULL, 0 })

/* For static initialisers, where a compound literal is not a constant. */
#define TG_STR(literal)    { (literal), sizeof(literal) - 1 }

static inline tg_str_t
tg_str_of(const char *p, size_t len)
{
    tg_str_t  s = { p, len };

    return s;
}

static inline tg_str_t
tg_strz(const char *z)
{
    return tg_str_of(z, strlen(z));
}

static inline bool
tg_str_eq(tg_str_t a, tg_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline char
tg_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char) (c | 0x20) : c;
}

static inline char
tg_upper(char c)
{
    return (c >= 'a' && c <= 'z') ? (char) (c & ~0x20) : c;
}

/* Eight characters at once. */
static inline uint64_t
tg_lower8(uint64_t w)
{
    const uint64_t  ones = UINT64_C(0x0101010101010101);
    uint64_t        low = w & (0x7f * ones), upper;

    upper = (low + (0x80 - 'A') * ones) ^ (low + (0x7f - 'Z') * ones);

    return w | (upper & ~w & 0x80 * ones) >> 2;
}

static inline bool
tg_str_caseeq(tg_str_t a, tg_str_t b)
{
    if (a.len != b.len) {
        return false;
    }

    for (size_t i = 0; i < a.len; i++) {
        if (tg_lower(a.p[i]) != tg_lower(b.p[i])) {
            return false;
        }
    }

    return true;
}

static inline bool
tg_str_starts(tg_str_t s, tg_str_t prefix)
{
    return s.len >= prefix.len && memcmp(s.p, prefix.p, prefix.len) == 0;
}

static inline bool
tg_str_ends(tg_str_t s, tg_str_t suffix)
{
    return s.len >= suffix.len
           && memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0;
}

/* Writes s with its ASCII letters in lower case to `to`, of s.len bytes. */
void tg_str_lower(char *to, tg_str_t s);

#define TG_STR_NAME_MAX  64     /* of quotas, tags, providers */

/* True for a name that users give: 1 to TG_STR_NAME_MAX letters, digits, "_" and
 * "-". */
bool tg_str_is_name(tg_str_t s);

/*
 * Takes what is before the first `sep` off *list, into *s, and the separator with
 * it.  False where there is none: *s is all of it then, and *list is empty.  So a
 * list has one part more than separators, empty ones among them.
 */
bool tg_str_cut(tg_str_t *list, char sep, tg_str_t *s);

/* s without blanks and tabs at its ends. */
tg_str_t tg_str_trim(tg_str_t s);

/* True where s matches a pattern in which each '*' stands for any run. */
bool tg_str_match(tg_str_t s, tg_str_t pattern);

/* Decimal digits only, up to 18 of them; -1 where s is anything else. */
int64_t tg_str_int(tg_str_t s);

#endif /* TG_STR_H */
