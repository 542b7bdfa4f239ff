/*
 * tg_answer_int.h - the state of an answer, shared by its framing (tg_answer.c)
 * and its reading (tg_answer_read.c).
 */

#ifndef TG_ANSWER_INT_H
#define TG_ANSWER_INT_H

#include "tg_answer.h"
#include "tg_base64.h"
#include "tg_eventstream.h"
#include "tg_sse.h"
#include "tg_usage_read.h"

#define TG_ANSWER_STR_MAX      256  /* bytes of a string that are kept */
#define TG_ANSWER_CHANGES_MAX  8    /* times that one may change: more are
                                       passed over, memory must not grow */
#define TG_ANSWER_EXTRA_MAX    16
#define TG_ANSWER_WORD_MAX     64

typedef enum {
    TG_FRAMING_SNIFF = 0,       /* told by the first byte */
    TG_FRAMING_JSON,            /* documents: one, lines, or an array */
    TG_FRAMING_SSE,
    TG_FRAMING_EVENTSTREAM,
    TG_FRAMING_OPAQUE
} tg_framing_t;

/* A short string that is compared or composed rather than kept. */
typedef struct {
    uint8_t  len;
    char     p[TG_ANSWER_WORD_MAX - 1];
} tg_word_t;

/* What one document (an event, a line, an element) has said. */
typedef struct {
    bool         whole;         /* it was valid to its end */
    bool         usage;         /* has a usage that is an object */
    bool         told;          /* to its end */
    bool         choices;       /* has a list of choices */
    bool         choice;        /* and an element in it */
    bool         null;          /* has a "usage": null */
    bool         null_first;    /* before which there is no comma */
    uint64_t     null_start;    /* its range, in the scanner's input */
    uint64_t     null_end;
    tg_counts_t  counts;
} tg_doc_t;

/* A document's state, and why. */
typedef struct {
    tg_word_t  status;
    tg_word_t  reason;
} tg_state_t;

/* A usage beside the call's own, while it is being read. */
typedef struct {
    tg_usage_extra_t  usage;
    tg_word_t         type;
    tg_word_t         model;
} tg_part_t;

struct tg_answer_s {
    tg_answer_info_t           info;
    tg_mem_t                  *mem;
    const tg_api_t            *api;
    const tg_request_info_t   *req;
    unsigned                   quirks;
    unsigned                   status;
    tg_answer_event_handler_t  handler;
    void                      *data;

    tg_framing_t               framing;
    bool                       text;        /* content type is text, not SSE */
    bool                       lines;       /* content type is lines of JSON */
    bool                       hidden;      /* can't be read to its end */
    bool                       resync;      /* to the next line, after error */
    bool                       finished;
    bool                       blocked;     /* the prompt was refused */
    bool                       guessed_input;   /* from text's bytes */
    bool                       guessed_output;
    uint8_t                    bom;
    uint8_t                    error_rank;
    uint8_t                    event;       /* state within an event */
    uint8_t                    done_len;
    uint8_t                    model_changes;
    uint8_t                    id_changes;
    uint8_t                    tier_changes;
    uint8_t                    state_changes;
    uint8_t                    modality;    /* of the element being read */
    bool                       scattered;   /* the event's data is not in one
                                               piece of the body */
    unsigned                   json_flags;
    unsigned                   nextras;     /* in both lists */
    uint64_t                   fed;         /* the scanner's offset */
    uint64_t                   delta;       /* body offset - scanner offset */
    uint64_t                   pictures;
    int64_t                    modal_tokens;
    int64_t                    told_output;     /* of guessed_output: at least */

    tg_usage_extra_t          *extras;      /* in order */
    tg_usage_extra_t          *spare;       /* to be used again */
    tg_part_t                 *part;        /* NULL until the first */
    tg_state_t                *state;       /* likewise */
    tg_usage_t                *sum;         /* TG_MERGE_SUM */
    tg_json_t                 *json;
    tg_json_t                 *wrapper;     /* TG_API_WRAPPED */
    tg_base64_t                base64;
    tg_doc_t                   doc;

    /* from doc.counts.v on nothing is zeroed */

    tg_counts_t                counts;      /* merged */
    union {
        tg_sse_t               sse;
        tg_eventstream_t      *eventstream;
    } u;
};

static inline void
tg_word_set(tg_word_t *w, tg_str_t s)
{
    w->len = (uint8_t) (s.len < sizeof(w->p) ? s.len : sizeof(w->p));
    memcpy(w->p, s.p, w->len);
}

static inline tg_str_t
tg_word_str(const tg_word_t *w)
{
    return tg_str_of(w->p, w->len);
}

/* Fields that are parts of something: usages beside the call's own; elements of
 * lists of modalities and of cache writes; counts that are summed. */
void tg_answer_extra(tg_answer_t *a, const tg_json_event_t *ev);
void tg_answer_element(tg_answer_t *a, const tg_json_event_t *ev);
void tg_answer_add(tg_answer_t *a, const tg_json_event_t *ev);

/* The handlers of the framings, of a stream's event or frame. */
int tg_answer_sse(void *data, const tg_sse_t *s, tg_sse_type_t type,
    const char *p, size_t n);
int tg_answer_frame(void *data, tg_eventstream_type_t type, tg_str_t name,
    tg_str_t value);
int tg_answer_wrapped(void *data, const tg_json_event_t *ev);

/* The scanner begins anew, after a document or an error in one. */
void tg_answer_restart(tg_answer_t *a);

/* A tg_json_handler_t; data is the tg_answer_t. */
int tg_answer_read(void *data, const tg_json_event_t *ev);

/* A document is over, valid or not: its counts are merged if it was. */
void tg_answer_doc_end(tg_answer_t *a);

/* The provider's word for an error; a higher rank replaces a lower one. */
void tg_answer_error_word(tg_answer_t *a, unsigned rank, tg_str_t word);

/* Replaces *to by a copy, if it differs and has not done so too often. */
void tg_answer_keep(tg_answer_t *a, tg_str_t *to, uint8_t *changes,
    tg_str_t value);

#endif /* TG_ANSWER_INT_H */
