/*
 * tg_json_path.h - wanted paths as a tree of names.
 *
 * The names below a node are found by their first eight bytes and their length,
 * multiplied by a number that was chosen so that no two of them meet; chains are
 * for where that can't be.
 */

#ifndef TG_JSON_PATH_H
#define TG_JSON_PATH_H

#include "tg_json.h"

typedef struct tg_json_node_s  tg_json_node_t;

/* What a name is known by; up to 16 bytes it's all of it. */
typedef struct {
    uint64_t  head;             /* the first 8 bytes, or less */
    uint64_t  tail;             /* the last 8; 0 if there are not more than 8 */
    size_t    len;
} tg_json_name_t;

struct tg_json_node_s {
    tg_json_node_t *const  *slot;   /* names below, by hash */
    uint64_t                multiplier;
    uint8_t                 shift;

    bool                    wanted;
    uint16_t                id;     /* of the want; where this is only a part
                                       of longer paths, of the first of them */
    uint16_t                options;
    uint8_t                 names;  /* how many are below */
    bool                    numbered;   /* id is set */

    tg_json_node_t         *element;    /* below "[]", or NULL */
    uint64_t                bit;    /* among the parent's names */
    tg_json_name_t          name;
    const char             *key;    /* decoded */
    tg_json_node_t         *next;   /* in the parent's slot */

    tg_json_node_t         *below;  /* the last name below */
    tg_json_node_t         *before; /* the name beside that came before */
};

struct tg_json_paths_s {
    tg_json_node_t    root;
};


/* The first byte is the lowest, everywhere. */
static inline uint64_t
tg_json_load(const char *p)
{
    uint64_t  w;

    memcpy(&w, p, 8);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif

    return w;
}


static inline uint64_t
tg_json_name_hash(const tg_json_node_t *parent, uint64_t head, size_t len)
{
    return ((head + len) * parent->multiplier) >> parent->shift;
}


/* Both have the same length and head. */
static inline bool
tg_json_name_same(const tg_json_name_t *a, const char *at, const char *key)
{
    if (a->len <= 8) {
        return true;
    }

    for (size_t i = 8; i + 8 < a->len; i += 8) {
        if (tg_json_load(at + i) != tg_json_load(key + i)) {
            return false;
        }
    }

    return a->tail == tg_json_load(key + a->len - 8);
}


/* The node of a name below n, or NULL; head is as in tg_json_name_t. */
static inline const tg_json_node_t *
tg_json_path_child(const tg_json_node_t *n, const char *key, size_t len,
    uint64_t head)
{
    const tg_json_node_t  *c = n->slot[tg_json_name_hash(n, head, len)];

    while (c != NULL
           && (c->name.head != head || c->name.len != len
               || !tg_json_name_same(&c->name, c->key, key)))
    {
        c = c->next;
    }

    return c;
}

uint64_t tg_json_name_head(const char *key, size_t len);

#endif /* TG_JSON_PATH_H */
