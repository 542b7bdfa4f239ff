/*
 * tg_json_path.h - wanted paths as a tree of names.
 */

#ifndef TG_JSON_PATH_H
#define TG_JSON_PATH_H

#include "tg_json.h"

#define TG_JSON_BUCKETS  32

typedef struct tg_json_node_s  tg_json_node_t;

struct tg_json_node_s {
    tg_json_node_t  **bucket;   /* names below, by hash; NULL if none */
    tg_json_node_t   *next;     /* in the parent's bucket */
    tg_json_node_t   *element;  /* below "[]", or NULL */
    const char       *key;      /* decoded */
    size_t            key_len;
    uint64_t          bit;      /* among the parent's names */
    uint16_t          id;       /* of the want; where this is only a part of
                                   longer paths, of the first of them */
    uint16_t          options;
    uint8_t           names;    /* how many are below */
    bool              wanted;
    bool              numbered; /* id is set */
};

struct tg_json_paths_s {
    tg_json_node_t    root;
};


static inline unsigned
tg_json_path_hash(const char *key, size_t len)
{
    return ((unsigned) len + (uint8_t) key[0] + (uint8_t) key[len - 1] * 5u)
           % TG_JSON_BUCKETS;
}


/* memcmp() for short keys. */
static inline bool
tg_json_path_same(const char *a, const char *b, size_t len)
{
    uint64_t  x, y, v, w;
    uint32_t  x4, y4, v4, w4;

    if (len > 16) {
        return memcmp(a, b, len) == 0;
    }

    if (len >= 8) {
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        memcpy(&v, a + len - 8, 8);
        memcpy(&w, b + len - 8, 8);
        return ((x ^ y) | (v ^ w)) == 0;
    }

    if (len >= 4) {
        memcpy(&x4, a, 4);
        memcpy(&y4, b, 4);
        memcpy(&v4, a + len - 4, 4);
        memcpy(&w4, b + len - 4, 4);
        return ((x4 ^ y4) | (v4 ^ w4)) == 0;
    }

    return a[0] == b[0] && a[len / 2] == b[len / 2]
           && a[len - 1] == b[len - 1];
}


/* The node of a name below n, or NULL. */
static inline const tg_json_node_t *
tg_json_path_child(const tg_json_node_t *n, const char *key, size_t len)
{
    const tg_json_node_t  *c;

    if (n->bucket == NULL || len == 0 || len > TG_JSON_KEY_MAX) {
        return NULL;
    }

    for (c = n->bucket[tg_json_path_hash(key, len)]; c != NULL; c = c->next) {
        if (c->key_len == len && tg_json_path_same(c->key, key, len)) {
            return c;
        }
    }

    return NULL;
}

#endif /* TG_JSON_PATH_H */
