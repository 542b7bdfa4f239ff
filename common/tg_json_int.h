/*
 * tg_json_int.h - between the parts of the scanner.
 *
 * A step takes the position in the piece and returns the next one, or NULL with
 * s->error set.  What is the same in every step comes as tg_json_input_t.
 */

#ifndef TG_JSON_INT_H
#define TG_JSON_INT_H

#include "tg_json_path.h"

enum {
    TG_JSON_S_START = 0,        /* a document, or nothing */
    TG_JSON_S_GAP,              /* white space before the next document */
    TG_JSON_S_DONE,
    TG_JSON_S_VALUE,
    TG_JSON_S_FIRST_ELEMENT,    /* or ] */
    TG_JSON_S_FIRST_KEY,        /* or } */
    TG_JSON_S_KEY,
    TG_JSON_S_COLON,
    TG_JSON_S_AFTER,            /* a value: , or a closer */
    TG_JSON_S_IN_KEY,
    TG_JSON_S_IN_STRING,
    TG_JSON_S_IN_NUMBER,
    TG_JSON_S_IN_LITERAL,
    TG_JSON_S_FAILED
};

#define TG_JSON_SHORT  64       /* a string that is looked at as if it were
                                   short */
#define TG_JSON_LAST   256      /* how far from its end a piece's last bracket
                                   is looked for */

typedef struct {
    const char  *begin;
    const char  *end;
    uint64_t     base;      /* what an address is added to for its offset */

    /* Of a piece that tg_json_fast.c may read, else last is NULL. */
    const char  *last;      /* } or ]; past it all look at end first */
    const char  *wide;      /* up to here 16 bytes can be read */
} tg_json_input_t;


static inline uint64_t
tg_json_at(const tg_json_input_t *in, const char *p)
{
    return in->base + (uint64_t) (uintptr_t) p;
}


/* The event of the current value; of its value the text is missing. */
static inline tg_json_event_t *
tg_json_event(tg_json_t *s, tg_json_type_t type, uint64_t end)
{
    tg_json_event_t  *ev = &s->ev;

    ev->type = type;
    ev->id = s->node->id;
    ev->value = tg_str("");
    ev->end = end;

    return ev;
}


static inline bool
tg_json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}


/* The value is wanted for itself, not just as a part of longer paths. */
static inline bool
tg_json_wanted(const tg_json_t *s)
{
    return s->node != NULL && s->node->wanted;
}


/* Returns NULL. */
const char *tg_json_fail(tg_json_t *s, const tg_json_input_t *in,
    const char *p, tg_json_errcode_t code);


static inline bool
tg_json_event_send(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    if (s->handler(s->data, &s->ev) != 0) {
        (void) tg_json_fail(s, in, p, TG_JSON_E_STOPPED);
        return false;
    }

    return true;
}


/*
 * tg_json_run.c.  False with s->error set.  tg_json_run_end(): a number at the
 * root was the end of the input, which is empty now.
 */
bool tg_json_run(tg_json_t *s, tg_json_input_t *in);
bool tg_json_run_end(tg_json_t *s, tg_json_input_t *in);

/* Within a string, in this piece from begin on; up to p it is known as plain.
 * state: TG_JSON_S_IN_KEY or _STRING. */
const char *tg_json_long_string(tg_json_t *s, tg_json_input_t *in,
    const char *begin, const char *p, uint8_t state);

/* A document has ended at p, which is s->ev.end. */
const char *tg_json_document_end(tg_json_t *s, tg_json_input_t *in,
    const char *p, bool scalar);

/*
 * tg_json_fast.c: goes on from p <= in->last within a container, as far as all
 * is simple.
 *
 * tg_json_skim.c: the same within containers that are not wanted, and not past
 * the outermost one's end; where it stops before that, s->state is not
 * TG_JSON_S_AFTER, unless it has come past in->last.
 */
const char *tg_json_fast(tg_json_t *s, tg_json_input_t *in, const char *p);
const char *tg_json_skim(tg_json_t *s, tg_json_input_t *in, const char *p);

/*
 * tg_json_number.c.  Both stop behind the number, where more is false; the
 * digits so far are kept where more is true.
 */
const char *tg_json_number_begin(tg_json_t *s, const tg_json_input_t *in,
    const char *p, bool *more);
const char *tg_json_number(tg_json_t *s, const tg_json_input_t *in,
    const char *p, bool *more);

/* Would the number be complete if it ended here? */
bool tg_json_number_complete(const tg_json_t *s);

/* A number that is whole in [p, end): returns what is behind it, or, with *err
 * set, the byte that is wrong. */
const char *tg_json_number_skip(const char *p, const char *end,
    tg_json_errcode_t *err);

/*
 * tg_json_event.c: what the handler is told of wanted values.  These return
 * false with s->error set where the handler stops the scan; p is where it is
 * then said to have stopped.
 */

/* A value begins whose key has been there before. */
bool tg_json_event_duplicate(tg_json_t *s, const tg_json_input_t *in,
    const char *p);

/* Text [p, q) of a string that may be cut here: kept, or handed over. */
bool tg_json_event_text(tg_json_t *s, const tg_json_input_t *in,
    const char *p, const char *q);

/* A string has ended at s->ev.end; all of its text was [p, q), which has no
 * escapes, or (p == NULL) has been through tg_json_event_text(). */
bool tg_json_event_string(tg_json_t *s, const tg_json_input_t *in,
    const char *p, const char *q);

/* Part [p, q) of a number that is cut here. */
void tg_json_event_digits(tg_json_t *s, const char *p, const char *q);

/* A number or literal has ended at s->ev.end; [p, q) is what has not been
 * through tg_json_event_digits(). */
bool tg_json_event_scalar(tg_json_t *s, const tg_json_input_t *in,
    tg_json_type_t type, const char *p, const char *q);

/* A wanted container begins before p, or has ended there, and its frame is
 * there already, or no more; one that is to be captured, or within such. */
bool tg_json_event_raw_begin(tg_json_t *s, const tg_json_input_t *in,
    const char *p);
bool tg_json_event_raw_end(tg_json_t *s, const tg_json_input_t *in,
    const char *p);

/* The input is cut here: keeps what is part of a raw value. */
void tg_json_event_keep_raw(tg_json_t *s, const tg_json_input_t *in);

/* s->member was followed by the byte at p. */
bool tg_json_event_member(tg_json_t *s, const tg_json_input_t *in,
    const char *p);

bool tg_json_event_document(tg_json_t *s, const tg_json_input_t *in,
    const char *p);

#endif /* TG_JSON_INT_H */
