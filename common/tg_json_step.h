/*
 * tg_json_step.h - from token to token of JSON that is known to be valid and in
 * one piece (tg_json.h says whether it is).
 *
 * Of text that is not, tokens are not what they seem, but no byte outside of it
 * is read.
 */

#ifndef TG_JSON_STEP_H
#define TG_JSON_STEP_H

#include "tg_json.h"

typedef enum {
    TG_STEP_END = 0,
    TG_STEP_OBJECT,             /* opens */
    TG_STEP_ARRAY,
    TG_STEP_CLOSE,              /* either */
    TG_STEP_KEY,                /* a string with a colon behind it */
    TG_STEP_STRING,
    TG_STEP_WORD,               /* a number, true, false, null */
    TG_STEP_COMMA
} tg_step_type_t;

typedef struct {
    const char      *p, *end;   /* what is still to come */
    tg_step_type_t   type;      /* of this token */
    const char      *start;     /* its first byte; one past its last is p, but
                                   of a key, whose colon is taken, too */
    tg_str_t         text;      /* strings and keys: between the quotes, as
                                   written; words: all of it */
} tg_step_t;

void tg_step_init(tg_step_t *s, const char *p, size_t n);

/* The next token; false at the end. */
bool tg_step(tg_step_t *s);

/* Behind an opening bracket: to behind what closes it.  The colon's value of a
 * key: to behind it. */
void tg_step_over(tg_step_t *s);

/* True where the text between the quotes means `name`, which needs no
 * escape. */
bool tg_step_is(tg_str_t text, const char *name);

/* Decodes up to `size` bytes of the text; the rest is left out. */
tg_str_t tg_step_decode(tg_str_t text, char *buf, size_t size);

#endif /* TG_JSON_STEP_H */
