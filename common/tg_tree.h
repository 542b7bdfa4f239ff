/*
 * tg_tree.h - a whole JSON text (RFC 8259) as a tree of slices of itself.
 *
 * For texts that are had in one piece and are to be made into others.  Nothing
 * is copied or decoded: a string, a number, a whole object can be written
 * elsewhere as it came.  Every byte is validated as tg_json.h does, with two
 * differences: the limits below, and a member's name that is in its object
 * twice is an error (names are compared decoded), because readers differ in
 * which one counts.
 */

#ifndef TG_TREE_H
#define TG_TREE_H

#include "tg_json.h"

#define TG_TREE_DEPTH_MAX  128          /* containers within containers */
#define TG_TREE_NODES_MAX  262144       /* values of all kinds */
#define TG_TREE_BYTES_MAX  0x7fffffff

/* Codes of errors, beside those of tg_json_errcode_t. */
enum {
    TG_TREE_E_NODES = 100,
    TG_TREE_E_DUPLICATE,
    TG_TREE_E_BYTES,
    TG_TREE_E_MEMORY
};

typedef struct tg_node_s  tg_node_t;

/* A value.  Read the slices by the functions below. */
struct tg_node_s {
    const tg_node_t  *next;             /* of the same container, or NULL */
    const tg_node_t  *child;            /* the first, or NULL */
    const char       *p;                /* in the text */
    uint32_t          len;
    uint32_t          key_back;         /* from p to its name's first byte */
    uint32_t          key_len;
    uint8_t           type;             /* TG_JSON_STRING, _NUMBER, _TRUE,
                                           _FALSE, _NULL, _OBJECT, _ARRAY */
    bool              escaped;          /* there are escapes in the string */
    bool              key_escaped;
};

/*
 * The root, or NULL with *err: the code, the offset in the text, and a message
 * that quotes nothing of it.  The nodes are in mem (about 40 bytes each) and
 * refer to the text.
 */
const tg_node_t *tg_tree_parse(tg_mem_t *mem, tg_str_t text, tg_error_t *err);

/* As it is in the text, quotes and brackets included. */
static inline tg_str_t
tg_node_raw(const tg_node_t *n)
{
    return tg_str_of(n->p, n->len);
}

/* A string's text, still with its escapes; what is between the brackets. */
static inline tg_str_t
tg_node_inside(const tg_node_t *n)
{
    return tg_str_of(n->p + 1, n->len - 2);
}

/* The name of an object's member, with its escapes; empty of an element. */
static inline tg_str_t
tg_node_key(const tg_node_t *n)
{
    return tg_str_of(n->p - n->key_back, n->key_len);
}

/* Children; 0 for what is no container. */
size_t tg_node_count(const tg_node_t *n);

/* The object's member of that name (decoded), or NULL; also where n is NULL or
 * no object. */
const tg_node_t *tg_node_get(const tg_node_t *n, tg_str_t name);

/* tg_node_key_is() of a name with escapes. */
bool tg_node_key_means(const tg_node_t *n, tg_str_t name);

/* Is this the member's name; is n (may be NULL) a string of this text?  Both
 * are compared decoded. */
static inline bool
tg_node_key_is(const tg_node_t *n, tg_str_t name)
{
    return n->key_escaped ? tg_node_key_means(n, name)
                          : tg_str_eq(tg_node_key(n), name);
}

bool tg_node_is(const tg_node_t *n, tg_str_t text);

/* Have two strings the same text? */
bool tg_node_same(const tg_node_t *a, const tg_node_t *b);

/* A string's decoded text: a slice of the JSON text where there are no escapes,
 * else in mem.  {NULL, 0} on exhaustion. */
tg_str_t tg_node_text(tg_mem_t *mem, const tg_node_t *n);

/* The same of any JSON string's inside that is known to be valid. */
tg_str_t tg_tree_decode(tg_mem_t *mem, tg_str_t inside);

/* False where n (may be NULL) is no number, or not written as an integer
 * (digits, perhaps a minus), or does not fit. */
bool tg_node_int(const tg_node_t *n, int64_t *v);

/*
 * Where in the tree n is: "messages[2].content[0].input_audio"; "" for the
 * root.  Names are written as in the text, long ones cut.  Returns the length,
 * less than size; what does not fit is left off.
 */
size_t tg_tree_path(const tg_node_t *root, const tg_node_t *n, char *buf,
    size_t size);

#endif /* TG_TREE_H */
