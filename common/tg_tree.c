#include "tg_tree_int.h"
#include "tg_json_int.h"
#include "tg_json_string.h"

#define TG_TREE_CHUNK_FIRST  64         /* nodes */
#define TG_TREE_CHUNK_MAX    1024

typedef struct {
    tg_node_t   *node;
    tg_node_t   *last;                  /* child so far */
    uint32_t     count;
} tg_tree_level_t;

typedef struct {
    tg_mem_t         *mem;
    tg_error_t       *err;
    const char       *begin;
    const char       *end;
    const char       *p;
    tg_node_t        *free;             /* nodes of the last chunk */
    size_t            left;
    size_t            chunk;
    size_t            nodes;
    const char       *key;              /* of the value that is next */
    uint32_t          key_len;
    bool              key_escaped;
    unsigned          depth;
    tg_tree_scratch_t scratch;
    tg_tree_level_t   level[TG_TREE_DEPTH_MAX];
} tg_tree_parse_t;

static const char *const  tg_tree_words[] = {
    [TG_JSON_E_SYNTAX] = "unexpected byte",
    [TG_JSON_E_UTF8] = "not UTF-8",
    [TG_JSON_E_CONTROL] = "control character in a string",
    [TG_JSON_E_ESCAPE] = "bad escape",
    [TG_JSON_E_NUMBER] = "bad number",
    [TG_JSON_E_DEPTH] = "nested too deep",
    [TG_JSON_E_LONG_NUMBER] = "number too long",
    [TG_JSON_E_TRAILING] = "something behind the document",
    [TG_JSON_E_TRUNCATED] = "the document is cut",
    [TG_JSON_E_EMPTY] = "no document"
};


/* Returns false. */
static bool
tg_tree_fail(tg_tree_parse_t *t, tg_json_errcode_t code)
{
    size_t  at = (size_t) (t->p - t->begin);

    (void) tg_error(t->err, (int) code, at, "JSON: %s at byte %zu",
                    tg_tree_words[code], at);

    return false;
}


static bool
tg_tree_memory(tg_tree_parse_t *t)
{
    (void) tg_error(t->err, TG_TREE_E_MEMORY, (uint64_t) (t->p - t->begin),
                    "out of memory");

    return false;
}


/* NULL with the error set. */
static tg_node_t *
tg_tree_node(tg_tree_parse_t *t)
{
    if (t->nodes == TG_TREE_NODES_MAX) {
        (void) tg_error(t->err, TG_TREE_E_NODES,
                        (uint64_t) (t->p - t->begin),
                        "JSON: more than %d values", TG_TREE_NODES_MAX);
        return NULL;
    }

    if (t->left == 0) {
        t->free = tg_alloc(t->mem, t->chunk * sizeof(tg_node_t));
        if (t->free == NULL) {
            (void) tg_tree_memory(t);
            return NULL;
        }

        t->left = t->chunk;

        if (t->chunk < TG_TREE_CHUNK_MAX) {
            t->chunk *= 2;
        }
    }

    t->nodes++;
    t->left--;

    return t->free++;
}


static void
tg_tree_space(tg_tree_parse_t *t)
{
    while (t->p < t->end && tg_json_is_space(*t->p)) {
        t->p++;
    }
}


/* From the opening quote past the closing one. */
static bool
tg_tree_string(tg_tree_parse_t *t, bool *escaped)
{
    tg_json_string_t   st;
    tg_json_errcode_t  err;
    const char        *text = t->p + 1;
    const char        *p = tg_json_plain(text, t->end);

    *escaped = false;

    if (p == t->end || *p != '"') {
        tg_json_string_init(&st);
        p = tg_json_string_skip(&st, p, t->end, &err);

        if (err != TG_JSON_E_NONE || p == t->end) {
            t->p = p;
            return tg_tree_fail(t, err != TG_JSON_E_NONE
                                   ? err : TG_JSON_E_TRUNCATED);
        }

        *escaped = memchr(text, '\\', (size_t) (p - text)) != NULL;
    }

    t->p = p + 1;

    return true;
}


static bool
tg_tree_word(tg_tree_parse_t *t, const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++, t->p++) {
        if (t->p == t->end) {
            return tg_tree_fail(t, TG_JSON_E_TRUNCATED);
        }

        if (*t->p != word[i]) {
            return tg_tree_fail(t, TG_JSON_E_SYNTAX);
        }
    }

    return true;
}


static bool
tg_tree_number(tg_tree_parse_t *t)
{
    tg_json_errcode_t  err;

    t->p = tg_json_number_skip(t->p, t->end, &err);

    return err == TG_JSON_E_NONE ? true : tg_tree_fail(t, err);
}


/* A value without children, or the opening bracket of one. */
static bool
tg_tree_scalar(tg_tree_parse_t *t, tg_node_t *n)
{
    switch (*t->p) {
    case '"':
        n->type = TG_JSON_STRING;
        return tg_tree_string(t, &n->escaped);
    case '{':
        n->type = TG_JSON_OBJECT;
        t->p++;
        return true;
    case '[':
        n->type = TG_JSON_ARRAY;
        t->p++;
        return true;
    case 't':
        n->type = TG_JSON_TRUE;
        return tg_tree_word(t, "true", 4);
    case 'f':
        n->type = TG_JSON_FALSE;
        return tg_tree_word(t, "false", 5);
    case 'n':
        n->type = TG_JSON_NULL;
        return tg_tree_word(t, "null", 4);
    case '-': case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        n->type = TG_JSON_NUMBER;
        return tg_tree_number(t);
    default:
        return tg_tree_fail(t, TG_JSON_E_SYNTAX);
    }
}


/* A value begins at t->p; a container is only opened. */
static tg_node_t *
tg_tree_value(tg_tree_parse_t *t)
{
    tg_tree_level_t  *up;
    tg_node_t        *n;

    if (t->p == t->end) {
        (void) tg_tree_fail(t, TG_JSON_E_TRUNCATED);
        return NULL;
    }

    n = tg_tree_node(t);
    if (n == NULL) {
        return NULL;
    }

    n->next = NULL;
    n->child = NULL;
    n->p = t->p;
    n->key_back = t->key == NULL ? 0 : (uint32_t) (t->p - t->key);
    n->key_len = t->key == NULL ? 0 : t->key_len;
    n->key_escaped = t->key != NULL && t->key_escaped;
    n->escaped = false;

    if (!tg_tree_scalar(t, n)) {
        return NULL;
    }

    n->len = (uint32_t) (t->p - n->p);

    if (t->depth != 0) {
        up = &t->level[t->depth - 1];

        if (up->last == NULL) {
            up->node->child = n;
        } else {
            up->last->next = n;
        }

        up->last = n;
        up->count++;
    }

    return n;
}


static bool
tg_tree_open(tg_tree_parse_t *t, tg_node_t *n)
{
    tg_tree_level_t  *l;

    if (t->depth == TG_TREE_DEPTH_MAX) {
        t->p--;
        return tg_tree_fail(t, TG_JSON_E_DEPTH);
    }

    l = &t->level[t->depth++];
    l->node = n;
    l->last = NULL;
    l->count = 0;

    return true;
}


static bool
tg_tree_close(tg_tree_parse_t *t)
{
    tg_tree_level_t  *l = &t->level[--t->depth];
    const tg_node_t  *twice;
    uint64_t          at;

    t->p++;
    l->node->len = (uint32_t) (t->p - l->node->p);

    if (l->node->type != TG_JSON_OBJECT || l->count < 2) {
        return true;
    }

    switch (tg_tree_twice(&t->scratch, t->mem, l->node, l->count, &twice)) {
    case TG_OK:
        return true;
    case TG_AGAIN:
        at = (uint64_t) (twice->p - twice->key_back - t->begin);
        (void) tg_error(t->err, TG_TREE_E_DUPLICATE, at,
                        "JSON: a name twice in its object, again at"
                        " byte %zu", (size_t) at);
        return false;
    default:
        return tg_tree_memory(t);
    }
}


/* A member's name and colon. */
static bool
tg_tree_name(tg_tree_parse_t *t)
{
    if (t->p == t->end || *t->p != '"') {
        return tg_tree_fail(t, t->p == t->end ? TG_JSON_E_TRUNCATED
                                              : TG_JSON_E_SYNTAX);
    }

    t->key = t->p + 1;

    if (!tg_tree_string(t, &t->key_escaped)) {
        return false;
    }

    t->key_len = (uint32_t) (t->p - t->key - 1);
    tg_tree_space(t);

    if (t->p == t->end || *t->p != ':') {
        return tg_tree_fail(t, t->p == t->end ? TG_JSON_E_TRUNCATED
                                              : TG_JSON_E_SYNTAX);
    }

    t->p++;
    tg_tree_space(t);

    return true;
}


/* Up to where the next value begins; or all containers are closed. */
static bool
tg_tree_next(tg_tree_parse_t *t)
{
    tg_tree_level_t  *l;
    bool              object;

    while (t->depth != 0) {
        l = &t->level[t->depth - 1];
        object = l->node->type == TG_JSON_OBJECT;
        tg_tree_space(t);

        if (t->p == t->end) {
            return tg_tree_fail(t, TG_JSON_E_TRUNCATED);
        }

        if (*t->p == (object ? '}' : ']')) {
            if (!tg_tree_close(t)) {
                return false;
            }
            continue;
        }

        if (l->count != 0) {
            if (*t->p != ',') {
                return tg_tree_fail(t, TG_JSON_E_SYNTAX);
            }
            t->p++;
            tg_tree_space(t);
        }

        t->key = NULL;

        return object ? tg_tree_name(t) : true;
    }

    return true;
}


static const tg_node_t *
tg_tree_run(tg_tree_parse_t *t)
{
    tg_node_t  *root, *n;

    tg_tree_space(t);

    if (t->p == t->end) {
        (void) tg_tree_fail(t, TG_JSON_E_EMPTY);
        return NULL;
    }

    root = tg_tree_value(t);

    for (n = root; n != NULL; n = tg_tree_value(t)) {

        if ((n->type == TG_JSON_OBJECT || n->type == TG_JSON_ARRAY)
            && !tg_tree_open(t, n))
        {
            return NULL;
        }

        if (!tg_tree_next(t)) {
            return NULL;
        }

        if (t->depth == 0) {
            break;
        }
    }

    if (n == NULL) {
        return NULL;
    }

    tg_tree_space(t);

    if (t->p != t->end) {
        (void) tg_tree_fail(t, TG_JSON_E_TRAILING);
        return NULL;
    }

    return root;
}


const tg_node_t *
tg_tree_parse(tg_mem_t *mem, tg_str_t text, tg_error_t *err)
{
    tg_tree_parse_t  t;

    if (text.len > TG_TREE_BYTES_MAX) {
        (void) tg_error(err, TG_TREE_E_BYTES, 0, "JSON: more than %d bytes",
                        TG_TREE_BYTES_MAX);
        return NULL;
    }

    memset(&t, 0, offsetof(tg_tree_parse_t, level));

    t.mem = mem;
    t.err = err;
    t.begin = text.len == 0 ? "" : text.p;
    t.p = t.begin;
    t.end = t.begin + text.len;
    t.chunk = TG_TREE_CHUNK_FIRST;

    return tg_tree_run(&t);
}
