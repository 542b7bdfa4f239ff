/*
 * tg_keys_int.h - what a keys object is made of; private to tg_keys*.c.
 */

#ifndef TG_KEYS_INT_H
#define TG_KEYS_INT_H

#include "tg_keys.h"

#define TG_KEYS_MEMORY_MAX  (2048UL * 1024 * 1024)  /* bytes of an object */
#define TG_KEYS_DIGEST      32
#define TG_KEYS_NODES       2048        /* values of one record */

typedef struct tg_key_rec_s      tg_key_rec_t;
typedef struct tg_subject_rec_s  tg_subject_rec_t;

struct tg_key_rec_s {
    tg_key_t          key;
    tg_key_rec_t     *next;             /* in the file */
    bool              has_previous;
    int64_t           previous_ms;      /* when the previous secret ends */
    unsigned char     digest[TG_KEYS_DIGEST];
    unsigned char     previous[TG_KEYS_DIGEST];
};

struct tg_subject_rec_s {
    tg_subject_t       subject;
    tg_subject_rec_t  *next;            /* in the file */
};

/* Open addressing, at most half full. */
typedef struct {
    unsigned char        digest[TG_KEYS_DIGEST];
    const tg_key_rec_t  *rec;           /* NULL: free */
} tg_key_slot_t;

typedef struct {
    tg_subject_rec_t   *first;
    tg_subject_rec_t  **last;
    tg_subject_rec_t  **all;
    size_t              n;
    uint32_t           *slots;          /* index + 1; 0: free */
    size_t              mask;
    bool                listed;         /* the file has this section */
    tg_subject_t       *star;
} tg_subject_list_t;

struct tg_keys_s {
    tg_arena_t         *arena;
    tg_mem_t           *mem;
    char                hash[TG_KEYS_HASH_HEX + 1];

    tg_key_rec_t       *first;
    tg_key_rec_t      **last;
    tg_key_rec_t      **all;
    size_t              n;
    size_t              nprevious;

    tg_key_slot_t      *digests;
    size_t              digest_mask;
    uint32_t           *ids;            /* index + 1; 0: free */
    size_t              id_mask;

    tg_subject_list_t   subjects[TG_SUBJECTS];
};

typedef enum {
    TG_KEYS_STRING = 0,
    TG_KEYS_NUMBER,
    TG_KEYS_TRUE,
    TG_KEYS_FALSE,
    TG_KEYS_NULL,
    TG_KEYS_OBJECT,
    TG_KEYS_ARRAY
} tg_keys_type_t;

typedef struct tg_keys_node_s  tg_keys_node_t;

/* A JSON value of the record that is being read. */
struct tg_keys_node_s {
    tg_keys_type_t   type;
    unsigned         line;
    unsigned         n;                 /* of members, or elements */
    tg_str_t         name;              /* of a member */
    tg_str_t         value;             /* a string, decoded; or a number */
    tg_keys_node_t  *first;
    tg_keys_node_t  *next;              /* in the object or array it is in */
};

/* A text while it is being read. */
typedef struct {
    tg_keys_t   *keys;
    tg_str_t     name;                  /* the file's */
    tg_error_t  *err;
    const char  *p, *end;
    unsigned     line;                  /* of p */

    const char  *kind;                  /* what is being read: "key", "team" */
    tg_str_t     id;                    /* of it; may be empty */
    unsigned     at;                    /* the line for complaints about it */

    tg_keys_node_t  *nodes;             /* TG_KEYS_NODES of them */
    unsigned         nnodes;
} tg_keys_read_t;

/* A record while it is being read: a key, a user, a team or an organisation. */
typedef struct {
    tg_key_rec_t    rec;
    bool            has_digest;
    tg_key_tag_t    tags[TG_KEY_TAGS_MAX];
    tg_key_limit_t  limits[TG_KEY_LIMITS_MAX];
    tg_str_t        words[TG_KEY_WORDS_MAX];
} tg_keys_draft_t;

typedef struct tg_keys_field_s  tg_keys_field_t;

struct tg_keys_field_s {
    const char  *name;
    int        (*read)(tg_keys_read_t *r, tg_keys_draft_t *d,
                       const tg_keys_field_t *f, const tg_keys_node_t *v);
    size_t       offset;                /* of a string in tg_key_t */
};


/*
 * tg_keys_json.c: JSON, read whole and strictly.  (jansson takes a second for a
 * hundred thousand keys, and does not know the line of a value.)  All of these
 * begin with white space.
 */

int tg_keys_syntax(const tg_keys_read_t *r, unsigned line,
    const char *problem);
void tg_keys_skip(tg_keys_read_t *r);

/* Takes the punctuation mark c, if it comes next. */
bool tg_keys_take(tg_keys_read_t *r, char c);

/* A string, decoded, which lives as long as the text and the keys do. */
int tg_keys_quoted(tg_keys_read_t *r, tg_str_t *out);

/* Any value, which lives until the next one; NULL with the error set. */
const tg_keys_node_t *tg_keys_value(tg_keys_read_t *r);

/* NULL where the object has none of that name, or v is no object. */
const tg_keys_node_t *tg_keys_member(const tg_keys_node_t *v,
    const char *name);

/* tg_keys_load.c */

/*
 * A complaint about the record that is being read: "file:line: key "id":
 * "field" problem".  field may be NULL.
 */
int tg_keys_complain(const tg_keys_read_t *r, const char *field,
    const char *problem);

int tg_keys_no_memory(const tg_keys_read_t *r);

/* Printable ASCII of s, cut where it is too long, for messages. */
void tg_keys_shown(char *buf, size_t size, tg_str_t s);

/* tg_keys_limit.c */

/* The field "budgets" or "rates": its entries are added to the draft's. */
int tg_keys_read_limits(tg_keys_read_t *r, tg_keys_draft_t *d,
    const tg_keys_field_t *f, const tg_keys_node_t *v);

/* tg_keys_record.c */

/* Why a text can't be taken, NULL where it can. */
const char *tg_keys_text_problem(tg_str_t s, size_t max);

/* Letters, digits and some marks that need no quoting anywhere. */
bool tg_keys_is_word(tg_str_t s, const char *marks);

/* A checked copy of the string v. */
int tg_keys_take_text(tg_keys_read_t *r, const char *field,
    const tg_keys_node_t *v, size_t max, tg_str_t *out);

/* Adds the record that obj is, r->id being set for subjects. */
int tg_keys_read_key(tg_keys_read_t *r, const tg_keys_node_t *obj);
int tg_keys_read_subject(tg_keys_read_t *r, tg_subject_kind_t kind,
    const tg_keys_node_t *obj);

/* tg_keys_link.c */

/* After the last record: tables, what belongs to what. */
int tg_keys_link(tg_keys_read_t *r);

uint64_t tg_keys_name_hash(tg_str_t s);
size_t tg_keys_digest_slot(const unsigned char *digest, size_t mask);

#endif /* TG_KEYS_INT_H */
