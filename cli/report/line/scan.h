/*
 * scan.h - the tokens of a JSON object in one line (RFC 8259), fast: what is
 * wanted of them is looked at by who calls.
 */

#ifndef SCAN_H
#define SCAN_H

#include "tg_str.h"

typedef struct {
    char  *p;
    char  *end;
} scan_t;

static inline void
scan_space(scan_t *s)
{
    while (s->p < s->end && *s->p <= ' '
           && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r'))
    {
        s->p++;
    }
}

/* False, in all of these: it is none.  Views are into the line. */

/* Behind the opening quote, to behind the closing one. */
bool scan_string(scan_t *s, tg_str_t *v, bool *escaped);

/* Of any kind, at least one byte: a string's text, a list's first one, else
 * as it is written; null and objects are empty.  What is not flat is looked
 * at no closer than for brackets that match. */
bool scan_value(scan_t *s, tg_str_t *v, bool *escaped);

/* What was scanned, unescaped in place where it was escaped. */
tg_str_t scan_text(tg_str_t v, bool escaped);

#endif /* SCAN_H */
