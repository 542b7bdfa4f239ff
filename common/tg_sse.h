/*
 * tg_sse.h - server-sent events, framed as the WHATWG says.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 * Bytes in, in any split.  Lines end in LF, CR or CRLF; one leading BOM is
 * skipped; a colon's following space is optional; comments and unknown fields
 * are passed over; several data lines are joined by LF.  Constant memory: data
 * is handed on in pieces as it arrives.
 *
 * A block is what lies between blank lines.  TG_SSE_END comes for each block
 * with at least one line in it, be it a comment; has_data says whether the
 * WHATWG would dispatch an event.  Further blank lines belong to the block that
 * follows them.  So the ranges [event_start, event_end) follow on each other
 * without a gap, but for one: where a blank line's CR was the last byte of a
 * feed, an LF at the start of the next lies between the two ranges.
 *
 * One deviation: an event that the end of the stream cuts off before its blank
 * line is still delivered (by tg_sse_finish), because it may carry the usage.
 */

#ifndef TG_SSE_H
#define TG_SSE_H

#include "tg_error.h"

#define TG_SSE_NAME_MAX  64     /* longer event names are cut */

typedef enum {
    TG_SSE_DATA = 1,    /* p, n: a piece of the event's data, n > 0; it begins
                           at s->data_offset.  The LF between two data lines is
                           a piece by itself, not in the input: data_offset is
                           then that of the second line's value */
    TG_SSE_END          /* the block is complete: s->name, s->name_len,
                           s->event_start, s->event_end, s->has_data;
                           p is NULL */
} tg_sse_type_t;

typedef struct tg_sse_s  tg_sse_t;

/*
 * Returns 0 to go on; anything else makes tg_sse_feed() return TG_ERROR, then
 * and ever after.  p is valid during the call.
 */
typedef int (*tg_sse_handler_t)(void *data, const tg_sse_t *s,
    tg_sse_type_t type, const char *p, size_t n);

struct tg_sse_s {
    tg_sse_handler_t  handler;
    void             *data;
    const char       *piece;         /* private */
    uint64_t          offset;        /* bytes fed so far, without the piece
                                        that is being fed */
    uint64_t          event_start;   /* offset of the event's first byte: the
                                        one behind the blank line before it */
    uint64_t          event_end;     /* in TG_SSE_END: one past the blank line
                                        (past its CR, where the LF of a CRLF
                                        is still to come) */
    uint64_t          data_offset;   /* in TG_SSE_DATA */
    bool              has_data;      /* a data line was seen, even if empty */
    bool              block;         /* private, as all below but the name */
    bool              after_cr;
    uint8_t           state;
    uint8_t           field;
    uint8_t           bom;
    uint8_t           field_len;
    uint8_t           name_len;
    char              field_name[8];
    char              name[TG_SSE_NAME_MAX];    /* of the last event: line */
};

void tg_sse_init(tg_sse_t *s, tg_sse_handler_t handler, void *data);

/* TG_OK, or TG_ERROR where the handler said stop. */
int tg_sse_feed(tg_sse_t *s, const char *p, size_t n);

/*
 * End of stream: delivers an unterminated event, if it has data.  TG_OK, or
 * TG_ERROR where the handler said stop.
 */
int tg_sse_finish(tg_sse_t *s);

#endif /* TG_SSE_H */
