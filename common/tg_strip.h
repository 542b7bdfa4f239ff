/*
 * tg_strip.h - takes out of an answer's event stream what was asked for on the
 * client's behalf: the usage chunk, and `"usage":null` of the other chunks.
 *
 * For each piece of the body, as decoded:
 *
 *     tg_strip_begin(s, p, n);
 *     tg_answer_feed(answer, p, n);    with tg_answer_on_event(answer,
 *                                      tg_strip_event, s) said before
 *     tg_strip_end(s);
 *
 * and at the end of the body tg_answer_finish(answer), tg_strip_finish(s).
 *
 * What is to be sent on is handed to the output handler, in order, in as few
 * slices as there are gaps between them.  An event that a piece leaves
 * unfinished is held back (copied, as it may have to be dropped) until it ends.
 * One that would need more than TG_STRIP_HOLD_MAX bytes is let through at once,
 * uncut; so is one for which there is no memory.
 *
 * Where a dropped event ends in the CR of a CRLF, the LF goes with it, in
 * whichever piece it comes.
 */

#ifndef TG_STRIP_H
#define TG_STRIP_H

#include "tg_answer.h"

#define TG_STRIP_HOLD_MAX  4096

/*
 * n > 0 bytes to send on.  held: p points into the hold buffer, valid during
 * the call only, so that who keeps it must copy it; else p points into the
 * piece given to tg_strip_begin() and is valid as long as that is.  Returns 0
 * to go on; anything else makes tg_strip_end() or _finish() return TG_ERROR.
 */
typedef int (*tg_strip_handler_t)(void *data, const char *p, size_t n,
    bool held);

/* public for embedding; members private except the counters */
typedef struct {
    uint64_t             dropped;       /* events taken out */
    uint64_t             cut;           /* events freed of "usage":null */
    uint64_t             forfeited;     /* events that should have been either,
                                           but were too large to hold */
    tg_strip_handler_t   handler;
    void                *data;
    tg_mem_t            *mem;
    const char          *piece;
    size_t               n;
    uint64_t             base;          /* offset of the piece in the body */
    uint64_t             pos;           /* offset of what is undecided */
    uint64_t             run_start;     /* of the piece, to be sent: offsets */
    uint64_t             run_end;
    char                *hold;          /* NULL until needed */
    size_t               held;          /* bytes in it, those before base */
    bool                 pass;          /* the event is let through unseen */
    bool                 after_cr;      /* the last event ended in CR, and */
    bool                 after_drop;    /* was dropped */
    bool                 failed;
} tg_strip_t;

/* The hold buffer, TG_STRIP_HOLD_MAX bytes, is allocated from mem when first
 * needed. */
void tg_strip_init(tg_strip_t *s, tg_mem_t *mem, tg_strip_handler_t handler,
    void *data);

void tg_strip_begin(tg_strip_t *s, const char *p, size_t n);

/* A tg_answer_event_handler_t; data is the tg_strip_t. */
void tg_strip_event(void *data, const tg_answer_event_t *ev);

/* TG_OK, or TG_ERROR where the handler said stop, then and ever after. */
int tg_strip_end(tg_strip_t *s);

/* Sends on what is still held.  As tg_strip_end(). */
int tg_strip_finish(tg_strip_t *s);

#endif /* TG_STRIP_H */
