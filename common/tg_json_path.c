#include "tg_json_path.h"

#define TG_JSON_NAMES_MAX  64       /* bits of a frame's mark */

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


static tg_json_node_t *
tg_json_path_add(tg_json_compile_t *c, tg_json_node_t *parent,
    const char *key, size_t len)
{
    tg_json_node_t  *node, **bucket;

    if (parent->bucket == NULL) {
        parent->bucket = tg_zalloc(c->mem,
                                   TG_JSON_BUCKETS * sizeof(tg_json_node_t *));
        if (parent->bucket == NULL) {
            (void) tg_json_path_no_memory(c);
            return NULL;
        }
    }

    bucket = &parent->bucket[tg_json_path_hash(key, len)];

    for (node = *bucket; node != NULL; node = node->next) {
        if (node->key_len == len && memcmp(node->key, key, len) == 0) {
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

    node->key_len = len;
    node->bit = UINT64_C(1) << parent->names++;
    node->next = *bucket;
    *bucket = node;

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

    return paths;
}
