#include "tg_json_path.h"

#include <limits.h>

#define TG_JSON_NAMES_MAX  64       /* bits of a frame's mark */
#define TG_JSON_SLOTS_MAX  256      /* four for each */
#define TG_JSON_TRIES      256      /* of multipliers */

typedef struct {
    tg_mem_t    *mem;
    const char  *path;
    const char  *p;
    tg_error_t  *err;
} tg_json_compile_t;


static int
tg_json_path_malformed(tg_json_compile_t *c, const char *what)
{
    return tg_error(c->err, TG_JSON_E_SYNTAX, (uint64_t) (c->p - c->path),
                    "JSON path \"%.100s\": %s at position %zu", c->path, what,
                    (size_t) (c->p - c->path));
}


static int
tg_json_path_no_memory(tg_json_compile_t *c)
{
    return tg_error(c->err, TG_ERROR, 0, "not enough memory for JSON paths");
}


/* A name up to the next "." or "[" into key[TG_JSON_KEY_MAX]. */
static int
tg_json_path_name(tg_json_compile_t *c, char *key, size_t *len)
{
    size_t  n = 0;

    while (*c->p != '\0' && *c->p != '.' && *c->p != '[') {

        if (*c->p == ']') {
            return tg_json_path_malformed(c, "\"]\" without \"[\"");
        }

        if (*c->p == '\\') {
            c->p++;
            if (*c->p == '\0') {
                return tg_json_path_malformed(c, "nothing behind \"\\\"");
            }
        }

        if (n == TG_JSON_KEY_MAX) {
            return tg_json_path_malformed(c, "name too long");
        }

        key[n++] = *c->p++;
    }

    if (n == 0) {
        return tg_json_path_malformed(c, "empty name");
    }

    *len = n;

    return TG_OK;
}


uint64_t
tg_json_name_head(const char *key, size_t len)
{
    char  head[8] = "";

    memcpy(head, key, len < 8 ? len : 8);

    return tg_json_load(head);
}


static tg_json_node_t *
tg_json_path_add(tg_json_compile_t *c, tg_json_node_t *parent,
    const char *key, size_t len)
{
    tg_json_node_t  *node;

    for (node = parent->below; node != NULL; node = node->before) {
        if (node->name.len == len && memcmp(node->key, key, len) == 0) {
            return node;
        }
    }

    if (parent->names == TG_JSON_NAMES_MAX) {
        (void) tg_json_path_malformed(c, "too many names under one object");
        return NULL;
    }

    node = tg_zalloc(c->mem, sizeof(tg_json_node_t));
    if (node == NULL || (node->key = tg_dupz(c->mem, tg_str_of(key, len)))
                        == NULL)
    {
        (void) tg_json_path_no_memory(c);
        return NULL;
    }

    node->name.head = tg_json_name_head(key, len);
    node->name.tail = len > 8 ? tg_json_load(key + len - 8) : 0;
    node->name.len = len;
    node->bit = UINT64_C(1) << parent->names++;
    node->before = parent->below;
    parent->below = node;

    return node;
}


static tg_json_node_t *
tg_json_path_element(tg_json_compile_t *c, tg_json_node_t *parent)
{
    if (c->p[1] != ']') {
        (void) tg_json_path_malformed(c, "\"[\" without \"]\"");
        return NULL;
    }

    c->p += 2;

    if (parent->element == NULL) {
        parent->element = tg_zalloc(c->mem, sizeof(tg_json_node_t));
        if (parent->element == NULL) {
            (void) tg_json_path_no_memory(c);
        }
    }

    return parent->element;
}


/* One step down: "[]", or a name with the dot before it. */
static tg_json_node_t *
tg_json_path_step(tg_json_compile_t *c, tg_json_node_t *node)
{
    char    key[TG_JSON_KEY_MAX];
    size_t  len = 0;

    if (*c->p == '[') {
        return tg_json_path_element(c, node);
    }

    if (c->p != c->path) {
        if (*c->p != '.') {
            (void) tg_json_path_malformed(c, "no \".\" before a name");
            return NULL;
        }
        c->p++;
    }

    if (tg_json_path_name(c, key, &len) != TG_OK) {
        return NULL;
    }

    return tg_json_path_add(c, node, key, len);
}


static int
tg_json_path_insert(tg_json_compile_t *c, tg_json_node_t *node,
    const tg_json_want_t *want)
{
    unsigned  steps = 0;

    for ( ;; ) {
        if (!node->numbered) {
            node->id = want->id;
            node->numbered = true;
        }

        if (*c->p == '\0') {
            break;
        }

        if (steps++ == TG_JSON_PATH_MAX) {
            return tg_json_path_malformed(c, "too many steps");
        }

        node = tg_json_path_step(c, node);
        if (node == NULL) {
            return TG_ERROR;
        }
    }

    if (node->wanted) {
        return tg_json_path_malformed(c, "wanted twice, seen");
    }

    node->wanted = true;
    node->id = want->id;
    node->options = want->options;

    return TG_OK;
}


/* How many names below n have no slot of their own? */
static unsigned
tg_json_path_clashes(const tg_json_node_t *n)
{
    unsigned               clashes = 0;
    const tg_json_node_t  *below;
    uint64_t               bit, slot, taken[TG_JSON_SLOTS_MAX / 64] = { 0 };

    for (below = n->below; below != NULL; below = below->before) {
        slot = tg_json_name_hash(n, below->name.head, below->name.len);
        bit = UINT64_C(1) << slot % 64;
        clashes += (taken[slot / 64] & bit) != 0;
        taken[slot / 64] |= bit;
    }

    return clashes;
}


/* Returns the number of slots. */
static size_t
tg_json_path_multiplier(tg_json_node_t *n)
{
    size_t    size = 2;
    unsigned  clashes, fewest = UINT_MAX;
    uint64_t  best, next = UINT64_C(0x9e3779b97f4a7c15);

    for (n->shift = 63; size < 4u * n->names; n->shift--) {
        size *= 2;
    }

    best = next;

    for (unsigned i = 0; i < TG_JSON_TRIES && fewest != 0; i++) {
        n->multiplier = next;
        clashes = tg_json_path_clashes(n);

        if (clashes < fewest) {
            fewest = clashes;
            best = next;
        }

        next = (next * UINT64_C(6364136223846793005)
                + UINT64_C(1442695040888963407)) | 1;
    }

    n->multiplier = best;

    return size;
}


/* What is below n will not change any more. */
static bool
tg_json_path_close(tg_json_compile_t *c, tg_json_node_t *n)
{
    static tg_json_node_t *const   nothing[2];
    tg_json_node_t                *below, **slots = NULL, **slot;
    size_t                         size = tg_json_path_multiplier(n);

    n->slot = nothing;

    if (n->names != 0) {
        slots = tg_zalloc(c->mem, size * sizeof(tg_json_node_t *));
        if (slots == NULL) {
            (void) tg_json_path_no_memory(c);
            return false;
        }
        n->slot = slots;
    }

    for (below = n->below; below != NULL; below = below->before) {
        slot = &slots[tg_json_name_hash(n, below->name.head, below->name.len)];
        below->next = *slot;
        *slot = below;

        if (!tg_json_path_close(c, below)) {
            return false;
        }
    }

    return n->element == NULL || tg_json_path_close(c, n->element);
}


tg_json_paths_t *
tg_json_paths(tg_mem_t *mem, const tg_json_want_t *wants, size_t n,
    tg_error_t *err)
{
    tg_json_compile_t  c = { mem, "", "", err };
    tg_json_paths_t   *paths;

    paths = tg_zalloc(mem, sizeof(tg_json_paths_t));
    if (paths == NULL) {
        (void) tg_json_path_no_memory(&c);
        return NULL;
    }

    for (size_t i = 0; i < n; i++) {
        c.path = wants[i].path;
        c.p = wants[i].path;

        if (tg_json_path_insert(&c, &paths->root, &wants[i]) != TG_OK) {
            return NULL;
        }
    }

    return tg_json_path_close(&c, &paths->root) ? paths : NULL;
}
