/*
 * tg_grow.h - writing text, JSON above all, into a buffer that grows up to a
 * cap.
 *
 * What doesn't fit, or what there is no memory for, sets `failed`: from then
 * on nothing is written, so that it may be asked once, at the end.  Text that
 * has to be escaped may be found not to fit up to 3 KB before the cap.  A
 * buffer that is outgrown stays in mem; `hint` says how much is likely.
 */

#ifndef TG_GROW_H
#define TG_GROW_H

#include "tg_mem.h"

typedef struct {
    tg_mem_t  *mem;
    char      *p;
    size_t     len;
    size_t     size;
    size_t     max;
    bool       failed;
} tg_grow_t;

/* Allocates nothing yet. */
void tg_grow_init(tg_grow_t *g, tg_mem_t *mem, size_t hint, size_t max);

/* tg_grow_room() where there is none. */
char *tg_grow_more(tg_grow_t *g, size_t n);

/* n more bytes to be written at what is returned, or NULL; tg_grow_t's len does
 * not change. */
static inline char *
tg_grow_room(tg_grow_t *g, size_t n)
{
    return g->failed || g->p == NULL || g->size - g->len < n
           ? tg_grow_more(g, n) : g->p + g->len;
}

static inline void
tg_grow(tg_grow_t *g, const char *p, size_t n)
{
    char  *to = n == 0 ? NULL : tg_grow_room(g, n);

    if (to != NULL) {
        memcpy(to, p, n);
        g->len += n;
    }
}

#define tg_grow_lit(g, literal)  tg_grow(g, literal, sizeof(literal) - 1)

static inline void
tg_grow_str(tg_grow_t *g, tg_str_t s)
{
    tg_grow(g, s.p, s.len);
}

void tg_grow_int(tg_grow_t *g, int64_t v);

/* A JSON string of any bytes, with its quotes; the inside alone.  What is not
 * UTF-8 becomes U+FFFD. */
void tg_grow_json(tg_grow_t *g, tg_str_t s);
void tg_grow_json_inside(tg_grow_t *g, tg_str_t s);

/* Takes back all but the first len bytes; what failed remains so. */
static inline void
tg_grow_cut(tg_grow_t *g, size_t len)
{
    g->len = len < g->len ? len : g->len;
}

/* What was written; valid until more is. */
static inline tg_str_t
tg_grow_text(const tg_grow_t *g)
{
    return tg_str_of(g->len == 0 ? "" : g->p, g->len);
}

#endif /* TG_GROW_H */
