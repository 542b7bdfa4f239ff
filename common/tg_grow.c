#include "tg_grow.h"
#include "tg_json_decode.h"
#include "tg_text.h"

#define TG_GROW_FIRST  256
#define TG_GROW_PIECE  512      /* bytes that are escaped at once */
#define TG_GROW_WORST  6        /* "\u0000" of one byte */


void
tg_grow_init(tg_grow_t *g, tg_mem_t *mem, size_t hint, size_t max)
{
    memset(g, 0, sizeof(tg_grow_t));

    g->mem = mem;
    g->max = max;

    /* the size of the first buffer, until there is one */
    g->size = hint > TG_GROW_FIRST ? hint : TG_GROW_FIRST;

    if (g->size > max) {
        g->size = max;
    }
}


char *
tg_grow_more(tg_grow_t *g, size_t n)
{
    size_t  need, size = g->size;
    char   *p;

    if (g->failed || n > g->max - g->len) {
        g->failed = true;
        return NULL;
    }

    need = g->len + n;

    if (g->p != NULL) {
        size = size > g->max / 2 ? g->max : 2 * size;
    }

    if (size < need) {
        size = need;
    }

    p = tg_alloc(g->mem, size);
    if (p == NULL) {
        g->failed = true;
        return NULL;
    }

    if (g->len != 0) {
        memcpy(p, g->p, g->len);
    }

    g->p = p;
    g->size = size;

    return p + g->len;
}


void
tg_grow_int(tg_grow_t *g, int64_t v)
{
    char  *to = tg_grow_room(g, TG_TEXT_INT_MAX);

    if (to != NULL) {
        g->len = (size_t) (tg_text_int(to, v) - g->p);
    }
}


void
tg_grow_json_inside(tg_grow_t *g, tg_str_t s)
{
    size_t   n;
    char    *to;

    for ( /* void */ ; s.len != 0; s.p += n, s.len -= n) {
        n = s.len;

        if (n > TG_GROW_PIECE) {
            n = tg_json_decode_whole(s.p, TG_GROW_PIECE);
        }

        to = tg_grow_room(g, TG_GROW_WORST * n);
        if (to == NULL) {
            return;
        }

        g->len = (size_t) (tg_text_json(to, tg_str_of(s.p, n),
                                        TG_GROW_WORST * n) - g->p);
    }
}


void
tg_grow_json(tg_grow_t *g, tg_str_t s)
{
    tg_grow_lit(g, "\"");
    tg_grow_json_inside(g, s);
    tg_grow_lit(g, "\"");
}
