/*
 * tg_text.h - writing text into a buffer of fixed size, without printf.
 *
 * A tg_text_t never writes past its end: what does not fit is left out and
 * `full` is set.
 */

#ifndef TG_TEXT_H
#define TG_TEXT_H

#include "tg_str.h"

typedef struct {
    char  *p;           /* where the next byte goes */
    char  *end;
    bool   full;        /* something did not fit */
} tg_text_t;

static inline void
tg_text_init(tg_text_t *t, char *buf, size_t size)
{
    t->p = buf;
    t->end = buf + size;
    t->full = false;
}

static inline void
tg_put(tg_text_t *t, const char *p, size_t n)
{
    if ((size_t) (t->end - t->p) < n) {
        t->full = true;
        return;
    }

    memcpy(t->p, p, n);
    t->p += n;
}

#define tg_put_lit(t, literal)  tg_put(t, literal, sizeof(literal) - 1)

static inline void
tg_put_str(tg_text_t *t, tg_str_t s)
{
    if (s.len != 0) {
        tg_put(t, s.p, s.len);
    }
}

void tg_put_int(tg_text_t *t, int64_t v);

/* A decimal fraction: v / 10^scale, no trailing zeros, at least one digit. */
void tg_put_decimal(tg_text_t *t, int64_t v, unsigned scale);

/*
 * The inside of a JSON string: quotes, backslashes, C0, DEL, C1, U+2028 and
 * U+2029 escaped, each byte that is not UTF-8 replaced by U+FFFD.  At most `max`
 * bytes are written; a longer string is cut between characters.
 */
void tg_put_json(tg_text_t *t, tg_str_t s, size_t max);

/* RFC 3339 in UTC with milliseconds: "2026-01-31T23:59:59.123Z". */
void tg_put_time(tg_text_t *t, int64_t unix_ms);

/*
 * The same for who has made sure that there is room: at most so many bytes, or
 * `max`.  Returned is the end of what was written.
 */
#define TG_TEXT_INT_MAX      20
#define TG_TEXT_DECIMAL_MAX  32
#define TG_TEXT_TIME_MAX     24

char *tg_text_int(char *p, int64_t v);
char *tg_text_decimal(char *p, int64_t v, unsigned scale);
char *tg_text_json(char *p, tg_str_t s, size_t max);
char *tg_text_time(char *p, int64_t unix_ms);

/* How many lines there are in it, a last one without its end among them. */
unsigned tg_text_lines(const char *p, size_t n);

/* Sixteen hexadecimal digits. */
char *tg_text_hex16(char *p, uint64_t v);

#endif /* TG_TEXT_H */
