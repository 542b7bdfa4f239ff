#include "tg_tree_int.h"
#include "tg_json_decode.h"

#define TG_TREE_FEW    8        /* members that are compared each with each */
#define TG_TREE_PIECE  64

/* A string that is decoded piece by piece, where it has escapes. */
typedef struct {
    bool              escaped;
    const char       *p;
    const char       *end;
    tg_json_decode_t  d;
    size_t            at;
    char              buf[TG_TREE_PIECE];
} tg_tree_cursor_t;


static void
tg_tree_cursor_init(tg_tree_cursor_t *c, tg_str_t s, bool escaped)
{
    tg_json_decode_init(&c->d);
    c->escaped = escaped;
    c->p = s.p;
    c->end = s.p + s.len;
    c->at = 0;
}


/* The next byte, or -1. */
static int
tg_tree_cursor_next(tg_tree_cursor_t *c)
{
    if (!c->escaped) {
        return c->p < c->end ? (uint8_t) *c->p++ : -1;
    }

    if (c->at == c->d.len) {
        c->at = 0;
        c->d.len = 0;

        /* an escape's last digit may give nothing yet */
        while (c->d.len == 0 && c->p < c->end) {
            c->p = tg_json_decode(&c->d, c->p, c->end, c->buf,
                                  TG_TREE_PIECE - TG_JSON_DECODE_ROOM);
        }

        if (c->p == c->end) {
            tg_json_decode_end(&c->d, c->buf);
        }

        if (c->d.len == 0) {
            return -1;
        }
    }

    return (uint8_t) c->buf[c->at++];
}


static int
tg_tree_compare_decoded(tg_str_t a, bool a_escaped, tg_str_t b, bool b_escaped)
{
    tg_tree_cursor_t  ca, cb;
    int               x, y;

    tg_tree_cursor_init(&ca, a, a_escaped);
    tg_tree_cursor_init(&cb, b, b_escaped);

    do {
        x = tg_tree_cursor_next(&ca);
        y = tg_tree_cursor_next(&cb);
    } while (x == y && x != -1);

    return x - y;
}


int
tg_tree_compare(tg_str_t a, bool a_escaped, tg_str_t b, bool b_escaped)
{
    size_t  n = a.len < b.len ? a.len : b.len;
    int     c;

    if (a_escaped || b_escaped) {
        return tg_tree_compare_decoded(a, a_escaped, b, b_escaped);
    }

    c = n == 0 ? 0 : memcmp(a.p, b.p, n);

    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}


static int
tg_tree_compare_keys(const tg_node_t *a, const tg_node_t *b)
{
    return tg_tree_compare(tg_node_key(a), a->key_escaped, tg_node_key(b),
                           b->key_escaped);
}


static bool
tg_tree_same_key(const tg_node_t *a, const tg_node_t *b)
{
    return (a->key_len == b->key_len || a->key_escaped || b->key_escaped)
           && tg_tree_compare_keys(a, b) == 0;
}


static int
tg_tree_twice_few(const tg_node_t *object, const tg_node_t **twice)
{
    for (const tg_node_t *a = object->child; a != NULL; a = a->next) {
        for (const tg_node_t *b = object->child; b != a; b = b->next) {
            if (tg_tree_same_key(a, b)) {
                *twice = a;
                return TG_AGAIN;
            }
        }
    }

    return TG_OK;
}


/* Merges the sorted runs [from, mid) and [mid, to); TG_AGAIN where two are
 * equal. */
static int
tg_tree_merge(const tg_node_t **from, const tg_node_t **mid,
    const tg_node_t **to, const tg_node_t **out, const tg_node_t **twice)
{
    const tg_node_t  **a = from, **b = mid;
    int                c;

    while (a < mid && b < to) {
        c = tg_tree_compare_keys(*a, *b);

        if (c == 0) {
            *twice = *b;
            return TG_AGAIN;
        }

        *out++ = c < 0 ? *a++ : *b++;
    }

    while (a < mid) {
        *out++ = *a++;
    }

    while (b < to) {
        *out++ = *b++;
    }

    return TG_OK;
}


static size_t
tg_tree_least(size_t a, size_t b)
{
    return a < b ? a : b;
}


/*
 * The names are the client's to choose: merging takes n log n compares of any
 * of them, where a hash could be made to take n^2.
 */
static int
tg_tree_twice_many(tg_tree_scratch_t *s, size_t n, const tg_node_t **twice)
{
    const tg_node_t  **a = s->p, **b = s->p + n, **swap;
    size_t             mid, to;

    for (size_t run = 1; run < n; run *= 2) {
        for (size_t i = 0; i < n; i += 2 * run) {
            mid = tg_tree_least(i + run, n);
            to = tg_tree_least(i + 2 * run, n);

            if (tg_tree_merge(a + i, a + mid, a + to, b + i, twice)
                != TG_OK)
            {
                return TG_AGAIN;
            }
        }

        swap = a;
        a = b;
        b = swap;
    }

    return TG_OK;
}


int
tg_tree_twice(tg_tree_scratch_t *s, tg_mem_t *mem, const tg_node_t *object,
    size_t count, const tg_node_t **twice)
{
    const tg_node_t  **p;
    size_t             size = 2 * count, i = 0;

    if (count <= TG_TREE_FEW) {
        return tg_tree_twice_few(object, twice);
    }

    if (s->size < size) {
        size = size < 2 * s->size ? 2 * s->size : size;
        p = tg_alloc(mem, size * sizeof(const tg_node_t *));
        if (p == NULL) {
            return TG_ERROR;
        }

        s->p = p;
        s->size = size;
    }

    for (const tg_node_t *n = object->child; n != NULL; n = n->next) {
        s->p[i++] = n;
    }

    return tg_tree_twice_many(s, count, twice);
}
