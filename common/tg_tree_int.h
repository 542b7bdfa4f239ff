/*
 * tg_tree_int.h - between the parts of the tree.
 */

#ifndef TG_TREE_INT_H
#define TG_TREE_INT_H

#include "tg_tree.h"

/* Room for sorting, used again for each object. */
typedef struct {
    const tg_node_t  **p;
    size_t             size;
} tg_tree_scratch_t;

/*
 * TG_OK: the names of the object's `count` members are all different; TG_AGAIN:
 * *twice is one that is there before; TG_ERROR: out of memory.
 */
int tg_tree_twice(tg_tree_scratch_t *s, tg_mem_t *mem, const tg_node_t *object,
    size_t count, const tg_node_t **twice);

/* By the bytes of their decoded text: less than, equal to, more than 0. */
int tg_tree_compare(tg_str_t a, bool a_escaped, tg_str_t b, bool b_escaped);

#endif /* TG_TREE_INT_H */
