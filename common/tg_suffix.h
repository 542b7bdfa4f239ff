/*
 * tg_suffix.h - many patterns (of paths, of host names), of which few can match:
 * told by the last bytes, which most patterns spell out.
 *
 * Patterns are numbered in the order in which they are to be tried.
 *
 *     end = tg_suffix_load(s);
 *     kind = tg_suffix_kind(end);
 *
 *     for (i = t->first[kind]; i < t->first[kind + 1]; i++) {
 *         if (tg_suffix_fits(t->suffix[t->list[i]], end)) {
 *             try pattern t->list[i]
 */

#ifndef TG_SUFFIX_H
#define TG_SUFFIX_H

#include "tg_error.h"
#include "tg_mem.h"

#define TG_SUFFIX_KINDS  64
#define TG_SUFFIX_MAX    512        /* patterns */

typedef struct {
    uint64_t  tail;
    uint64_t  mask;
} tg_suffix_t;

typedef struct {
    const tg_suffix_t  *suffix;     /* by number */
    const uint16_t     *list;       /* numbers, of one kind after the other */
    uint16_t            first[TG_SUFFIX_KINDS + 1];
} tg_suffixes_t;

/* suffix: n of them, which must live as long as *t.  TG_ERROR where there are
 * more than TG_SUFFIX_MAX, or on exhaustion. */
int tg_suffixes(tg_suffixes_t *t, tg_mem_t *mem, const tg_suffix_t *suffix,
    size_t n);


/* The last bytes of s. */
static inline uint64_t
tg_suffix_load(tg_str_t s)
{
    uint64_t  v = 0;
    size_t    n = s.len;

    if (n >= sizeof(v)) {
        memcpy(&v, s.p + n - sizeof(v), sizeof(v));

    } else if (n != 0) {
        memcpy((char *) &v + sizeof(v) - n, s.p, n);
    }

    return v;
}

/* s: the literal end of a pattern. */
static inline tg_suffix_t
tg_suffix_make(tg_str_t s)
{
    tg_suffix_t  x = { tg_suffix_load(s), 0 };
    size_t       n = s.len < sizeof(x.mask) ? s.len : sizeof(x.mask);

    memset((char *) &x.mask + sizeof(x.mask) - n, 0xff, n);

    return x;
}

static inline bool
tg_suffix_fits(tg_suffix_t x, uint64_t loaded)
{
    return ((loaded ^ x.tail) & x.mask) == 0;
}

/* By the last four bytes. */
static inline unsigned
tg_suffix_kind(uint64_t loaded)
{
    uint32_t  last;

    memcpy(&last, (char *) &loaded + sizeof(last), sizeof(last));

    return last * UINT32_C(0x9e3779b1) >> 26;
}

#endif /* TG_SUFFIX_H */
