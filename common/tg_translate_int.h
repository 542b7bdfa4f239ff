/*
 * tg_translate_int.h - between the parts of a request's translation.
 *
 * A request is a tree (tg_tree.h) of which each object is read by tables of
 * its members: what is taken, what is left out, what can't be had elsewhere.
 * Strings that mean the same on both sides are copied as they are in the text.
 */

#ifndef TG_TRANSLATE_INT_H
#define TG_TRANSLATE_INT_H

#include "tg_grow.h"
#include "tg_translate.h"
#include "tg_tree.h"

/* A request that is being translated. */
typedef struct {
    tg_mem_t              *mem;
    const tg_translate_t  *ask;
    tg_str_t               body;
    const tg_node_t       *root;
    tg_str_t               target;      /* its name, for messages */
    tg_error_t            *err;
    tg_grow_t              out;
} tg_tr_t;

/* TG_ERROR, always, with tr->err: the path of n, and the message. */
int tg_tr_refused(tg_tr_t *tr, const tg_node_t *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int tg_tr_invalid(tg_tr_t *tr, const tg_node_t *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int tg_tr_no_memory(tg_tr_t *tr);

/* Members of an object. */

typedef enum {
    TG_TR_TAKE = 0,             /* handed back in its slot */
    TG_TR_DROP,                 /* has no effect on the answer: left out */
    TG_TR_REFUSE                /* unless it is null, or one of `fine` */
} tg_tr_what_t;

#define TG_TR_STRING  (1u << TG_JSON_STRING)
#define TG_TR_NUMBER  (1u << TG_JSON_NUMBER)
#define TG_TR_BOOL    (1u << TG_JSON_TRUE | 1u << TG_JSON_FALSE)
#define TG_TR_OBJECT  (1u << TG_JSON_OBJECT)
#define TG_TR_ARRAY   (1u << TG_JSON_ARRAY)

typedef struct {
    tg_str_t       name;        /* a NULL p ends the table */
    tg_tr_what_t   what;
    uint16_t       types;       /* TG_TR_TAKE: those that it may have */
    uint8_t        slot;        /* TG_TR_TAKE */
    const char    *fine;        /* TG_TR_REFUSE: values in JSON that are as good
                                   as none, a '|' between; or NULL */
    const char    *why;         /* TG_TR_REFUSE: behind the target's name */
} tg_tr_field_t;

#define TG_TR_TAKEN(name, slot, types)                                        \
    { TG_STR(name), TG_TR_TAKE, types, slot, NULL, NULL }
#define TG_TR_DROPPED(name)                                                   \
    { TG_STR(name), TG_TR_DROP, 0, 0, NULL, NULL }
#define TG_TR_REFUSED(name, fine, why)                                        \
    { TG_STR(name), TG_TR_REFUSE, 0, 0, fine, why }
#define TG_TR_END                                                             \
    { { NULL, 0 }, TG_TR_TAKE, 0, 0, NULL, NULL }

#define TG_TR_TABLES  3

/*
 * Reads an object by tables (a NULL ends them), of which the first that has a
 * name counts.  A member that is null is as good as absent.  slots[] is n long
 * and set to NULL first.  What is in no table is an error.
 */
int tg_tr_fields(tg_tr_t *tr, const tg_node_t *object,
    const tg_tr_field_t *const tables[TG_TR_TABLES], const tg_node_t **slots,
    size_t n);

/* The same by one table. */
int tg_tr_object(tg_tr_t *tr, const tg_node_t *object,
    const tg_tr_field_t *table, const tg_node_t **slots, size_t n);

/* TG_ERROR where a member that must be there is not. */
int tg_tr_need(tg_tr_t *tr, const tg_node_t *object, const tg_node_t *member,
    const char *name);

/* Which of a list of words the string n is, or -1 (also where n is NULL). */
int tg_tr_word(const tg_node_t *n, const tg_str_t *words, size_t count);

/* Is n (may be NULL) true? */
bool tg_tr_true(const tg_node_t *n);

/* An integer from `least` up. */
int tg_tr_count(tg_tr_t *tr, const tg_node_t *n, int64_t least, int64_t *v);

/* A number from 0 up to `most`; TG_ERROR where it's outside, which the target
 * doesn't take. */
int tg_tr_range(tg_tr_t *tr, const tg_node_t *n, unsigned most);

/* Is there nothing to be read in a string but white space? */
bool tg_tr_blank(const tg_node_t *n);

/* Does the decoded text have letters, digits, '_' and '-' only, up to `max`? */
bool tg_tr_is_word(const tg_node_t *n, size_t max);

/* Writing: `"name":value,` for members that are there; the comma behind the
 * last one is taken back by tg_tr_close(). */
void tg_tr_member(tg_tr_t *tr, tg_str_t name, const tg_node_t *value);
void tg_tr_member_int(tg_tr_t *tr, tg_str_t name, int64_t value);
void tg_tr_member_lit(tg_tr_t *tr, tg_str_t name, tg_str_t json);
void tg_tr_close(tg_tr_t *tr, tg_str_t bracket);

/* JSON, which raw is, within a JSON string, without white space between. */
void tg_tr_quoted(tg_tr_t *tr, tg_str_t raw);

/* A JSON Schema with a description, that is not in it, at its head. */
int tg_tr_schema(tg_tr_t *tr, const tg_node_t *schema,
    const tg_node_t *description);

/* Tool calls of one turn, and who answers them. */

#define TG_TR_CALLS_MAX  256            /* in one turn */

typedef struct {
    const tg_node_t  *id;
    const tg_node_t  *name;
    bool              answered;
} tg_tr_call_t;

typedef struct {
    tg_tr_call_t  *call;
    size_t         n;
    size_t         open;                /* without an answer */
} tg_tr_calls_t;

int tg_tr_calls_init(tg_tr_t *tr, tg_tr_calls_t *calls);
int tg_tr_calls_add(tg_tr_t *tr, tg_tr_calls_t *calls, const tg_node_t *id,
    const tg_node_t *name);

/* The call that a result belongs to, by its id; NULL with the error. */
const tg_tr_call_t *tg_tr_calls_answer(tg_tr_t *tr, tg_tr_calls_t *calls,
    const tg_node_t *id);

/* Something else follows: TG_ERROR where a call has no result. */
int tg_tr_calls_end(tg_tr_t *tr, tg_tr_calls_t *calls);

/* Each writes tr->out. */
int tg_tr_chat_to_anthropic(tg_tr_t *tr);
int tg_tr_chat_to_gemini(tg_tr_t *tr);
int tg_tr_anthropic_to_chat(tg_tr_t *tr);

#endif /* TG_TRANSLATE_INT_H */
