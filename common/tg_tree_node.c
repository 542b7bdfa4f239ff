#include "tg_tree_int.h"
#include "tg_json_decode.h"
#include "tg_text.h"

#define TG_TREE_NAME_MAX  64    /* bytes of a name in a path */


size_t
tg_node_count(const tg_node_t *n)
{
    size_t  count = 0;

    for (n = n->child; n != NULL; n = n->next) {
        count++;
    }

    return count;
}


bool
tg_node_key_means(const tg_node_t *n, tg_str_t name)
{
    return tg_tree_compare(tg_node_key(n), n->key_escaped, name, false) == 0;
}


const tg_node_t *
tg_node_get(const tg_node_t *n, tg_str_t name)
{
    if (n == NULL || n->type != TG_JSON_OBJECT) {
        return NULL;
    }

    for (n = n->child; n != NULL; n = n->next) {
        if (tg_node_key_is(n, name)) {
            return n;
        }
    }

    return NULL;
}


bool
tg_node_is(const tg_node_t *n, tg_str_t text)
{
    if (n == NULL || n->type != TG_JSON_STRING) {
        return false;
    }

    return n->escaped
           ? tg_tree_compare(tg_node_inside(n), true, text, false) == 0
           : tg_str_eq(tg_node_inside(n), text);
}


bool
tg_node_same(const tg_node_t *a, const tg_node_t *b)
{
    return a->type == TG_JSON_STRING && b->type == TG_JSON_STRING
           && tg_tree_compare(tg_node_inside(a), a->escaped,
                              tg_node_inside(b), b->escaped) == 0;
}


tg_str_t
tg_tree_decode(tg_mem_t *mem, tg_str_t s)
{
    tg_json_decode_t   d;
    const char        *p = s.p, *end = s.p + s.len;
    size_t             len = 0, size = s.len + 2 * TG_JSON_DECODE_ROOM;
    char              *out = tg_alloc(mem, size);

    if (out == NULL) {
        return tg_str_null;
    }

    /* text never grows by being decoded, and d.len is of 16 bits */

    tg_json_decode_init(&d);

    while (p < end) {
        p = tg_json_decode(&d, p, end, out + len,
                           size - len < 0x8000 ? size - len : 0x8000);
        len += d.len;
        d.len = 0;
    }

    tg_json_decode_end(&d, out + len);

    return tg_str_of(out, len + d.len);
}


tg_str_t
tg_node_text(tg_mem_t *mem, const tg_node_t *n)
{
    return n->escaped ? tg_tree_decode(mem, tg_node_inside(n))
                      : tg_node_inside(n);
}


bool
tg_node_int(const tg_node_t *n, int64_t *v)
{
    bool     minus;
    int64_t  sum = 0;

    if (n == NULL || n->type != TG_JSON_NUMBER) {
        return false;
    }

    minus = n->p[0] == '-';

    for (size_t i = minus; i < n->len; i++) {
        if (n->p[i] < '0' || n->p[i] > '9'
            || __builtin_mul_overflow(sum, 10, &sum)
            || __builtin_sub_overflow(sum, n->p[i] - '0', &sum))
        {
            return false;
        }
    }

    if (!minus && sum == INT64_MIN) {
        return false;
    }

    *v = minus ? sum : -sum;

    return true;
}


static void
tg_tree_path_name(tg_text_t *t, const tg_node_t *n, bool first)
{
    tg_str_t  key = tg_node_key(n);

    if (!first) {
        tg_put_lit(t, ".");
    }

    if (key.len > TG_TREE_NAME_MAX) {
        key.len = tg_json_decode_whole(key.p, TG_TREE_NAME_MAX);
    }

    tg_put_str(t, key);
}


size_t
tg_tree_path(const tg_node_t *root, const tg_node_t *n, char *buf, size_t size)
{
    const tg_node_t  *up = root, *c;
    tg_text_t         t;
    int64_t           i;

    tg_text_init(&t, buf, size - 1);

    /* of all that are open where n begins */

    while (up != n && !t.full) {
        i = 0;

        for (c = up->child; c != NULL; c = c->next, i++) {
            if (n->p >= c->p && n->p < c->p + c->len) {
                break;
            }
        }

        if (c == NULL) {
            break;
        }

        if (up->type == TG_JSON_OBJECT) {
            tg_tree_path_name(&t, c, up == root);

        } else {
            tg_put_lit(&t, "[");
            tg_put_int(&t, i);
            tg_put_lit(&t, "]");
        }

        up = c;
    }

    *t.p = '\0';

    return (size_t) (t.p - buf);
}
