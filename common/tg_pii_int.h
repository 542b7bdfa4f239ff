/*
 * tg_pii_int.h - what tg_pii.c and tg_pii_key.c share.
 */

#ifndef TG_PII_INT_H
#define TG_PII_INT_H

#include "tg_pii.h"


static inline bool
tg_pii_digit(char c)
{
    return c >= '0' && c <= '9';
}


static inline bool
tg_pii_letter(char c)
{
    c = tg_lower(c);

    return c >= 'a' && c <= 'z';
}


static inline bool
tg_pii_alnum(char c)
{
    return tg_pii_digit(c) || tg_pii_letter(c);
}


/* Nothing of a word is before p, or at it. */
static inline bool
tg_pii_begins(tg_str_t text, const char *p)
{
    return p == text.p || !(tg_pii_alnum(p[-1]) || p[-1] == '_');
}

static inline bool
tg_pii_ends(tg_str_t text, const char *p)
{
    return p >= text.p + text.len || !(tg_pii_alnum(*p) || *p == '_');
}

/* tg_pii_key.c: the length of a key that begins at p, where a word does; 0. */
size_t tg_pii_key(tg_str_t text, const char *p);

#endif /* TG_PII_INT_H */
