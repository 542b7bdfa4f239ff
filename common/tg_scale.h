/*
 * tg_scale.h - when an autoscaler is to be told.
 *
 * Of a backend that has been idle for idle=: it is drained (unless that would
 * leave fewer than keep=), and once nothing is under way there the event "idle"
 * goes out.  Of an upstream that has been saturated for saturated=: the event
 * "saturated".  Each at most once in cooldown=, with an id that is the same for
 * the same occasion, whoever tells it.
 *
 * State is in the table of tg_backend.h, so that a new owner goes on.
 */

#ifndef TG_SCALE_H
#define TG_SCALE_H

#include "tg_backend.h"

typedef enum {
    TG_SCALE_IDLE = 0,
    TG_SCALE_SATURATED
} tg_scale_what_t;

#define TG_SCALE_ID_MAX    64
#define TG_SCALE_BODY_MAX  2048

typedef struct {
    tg_scale_what_t  what;
    unsigned         hook;                      /* of gc->scale */
    char             id[TG_SCALE_ID_MAX];       /* idempotency key; NUL ends */
    size_t           len;
    char             body[TG_SCALE_BODY_MAX];   /* JSON */
} tg_scale_event_t;

/* For the owner, each tick: fills in the next event, until false. */
bool tg_scale_next(tg_backends_t *t, tg_group_t *g, const tg_group_conf_t *gc,
    int64_t now, int64_t wall_ms, tg_scale_event_t *event);

#endif /* TG_SCALE_H */
