/*
 * Any bytes as a tree.  It is JSON where the scanner takes it, but for names
 * that are twice in an object and the tree's limits; jansson finds the same
 * names and texts in it; each value has a path and lies within its container.
 */

#include "tg_tree.h"

#include <jansson.h>
#include <stdlib.h>

#define REQUIRE(x)  do { if (!(x)) { abort(); } } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const tg_node_t  *root;
static tg_arena_t       *arena;


static void
check_text(const tg_node_t *n, json_t *j)
{
    tg_str_t  s = tg_node_text(tg_arena_mem(arena), n);

    REQUIRE(s.p != NULL && tg_node_is(n, s) && tg_node_same(n, n));

    if (j != NULL) {
        REQUIRE(json_is_string(j));
        REQUIRE(tg_str_eq(s, tg_str_of(json_string_value(j),
                                       json_string_length(j))));
    }
}


static void
check_int(const tg_node_t *n, json_t *j)
{
    int64_t  v;

    if (tg_node_int(n, &v) && j != NULL) {
        REQUIRE(json_is_integer(j) && json_integer_value(j) == v);
    }
}


static void
check(const tg_node_t *n, json_t *j)
{
    char              path[128];
    const tg_node_t  *c;
    tg_str_t          key;
    size_t            i = 0;

    REQUIRE(tg_tree_path(root, n, path, sizeof(path)) < sizeof(path));
    REQUIRE((path[0] == '\0') <= (n == root || n->key_len == 0));

    if (n->type == TG_JSON_STRING) {
        check_text(n, j);
    } else if (n->type == TG_JSON_NUMBER) {
        check_int(n, j);
    }

    for (c = n->child; c != NULL; c = c->next, i++) {
        REQUIRE(c->p > n->p && c->p + c->len < n->p + n->len);

        if (n->type == TG_JSON_ARRAY) {
            check(c, j == NULL ? NULL : json_array_get(j, i));
            continue;
        }

        key = tg_tree_decode(tg_arena_mem(arena), tg_node_key(c));
        REQUIRE(key.p != NULL && tg_node_key_is(c, key));
        REQUIRE(tg_node_get(n, key) == c);
        check(c, j == NULL ? NULL : json_object_getn(j, key.p, key.len));
    }

    REQUIRE(tg_node_count(n) == i);

    if (j != NULL) {
        REQUIRE(i == (json_is_object(j) ? json_object_size(j)
                                        : json_array_size(j)));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_error_t  err;
    tg_json_t   scan;
    json_t     *j;
    char       *text = malloc(size + 1);

    REQUIRE(text != NULL);
    memcpy(text, data, size);

    arena = tg_arena_create(0);
    REQUIRE(arena != NULL);
    root = tg_tree_parse(tg_arena_mem(arena), tg_str_of(text, size), &err);

    tg_json_init(&scan, NULL, 0, NULL, NULL);
    (void) tg_json_feed(&scan, text, size);
    (void) tg_json_finish(&scan);

    if (root == NULL) {
        REQUIRE(err.offset <= size);

        if (err.code < TG_TREE_E_NODES && err.code != TG_JSON_E_DEPTH) {
            REQUIRE((tg_json_errcode_t) err.code == scan.error);
            REQUIRE(err.offset == scan.error_offset);
        }

        if (err.code == TG_TREE_E_DUPLICATE) {
            j = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL
                           | JSON_REJECT_DUPLICATES, NULL);
            REQUIRE(j == NULL);
        }

    } else {
        REQUIRE(scan.error == TG_JSON_E_NONE);

        /* NULL for what it takes for no JSON: wide numbers, lone surrogates */
        j = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL
                       | JSON_REJECT_DUPLICATES, NULL);
        check(root, j);
        json_decref(j);
    }

    tg_arena_destroy(arena);
    free(text);

    return 0;
}
