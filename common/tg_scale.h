/*
 * tg_scale.h - when an autoscaler is to be told.
 *
 * A backend that has been idle for idle= is drained, unless that would leave
 * fewer than keep= that can be used, and once nothing is under way there the
 * event "backend.idle" goes out.  It is in rotation again when its upstream is
 * saturated, when a call reaches it all the same (because there is nothing
 * else), and when it has been down and comes up.  Of an upstream that has been
 * saturated for saturated= the event is "upstream.saturated".
 *
 * Of one thing each event is told at most once in cooldown=.  Its id is the
 * same for the same occasion, whoever tells it: until it is known to be
 * delivered (tg_scale_done()) it is told again each TG_SCALE_AGAIN_NS, so that
 * it is not lost with the process that had it.
 *
 * What is idle: no call of ours under way, nothing running or waiting by the
 * last page, and no call and no token since.  Where the page is stale nobody
 * knows, and nothing happens.  State is in the table of tg_backend.h, so that a
 * new owner goes on.
 *
 * The body (RFC 3339, dollars, seconds):
 *
 *   {"id": "scale_...", "type": "backend.idle", "timestamp": "...", "data":
 *    {"upstream": "gpu", "server": "10.0.0.5:8000", "idle_seconds": 900,
 *     "gpus": 1, "gpu_cost_per_hour": 2.1, "backends": 4, "usable": 3}}
 *   {"id": "scale_...", "type": "upstream.saturated", "timestamp": "...",
 *    "data": {"upstream": "gpu", "saturated_seconds": 60, "level": 1.35,
 *     "backends": 4, "usable": 3}}
 */

#ifndef TG_SCALE_H
#define TG_SCALE_H

#include "tg_backend.h"

typedef enum {
    TG_SCALE_IDLE = 0,
    TG_SCALE_SATURATED
} tg_scale_what_t;

#define TG_SCALE_ID_LEN    38           /* "scale_" and 32 hex digits */
#define TG_SCALE_BODY_MAX  2048
#define TG_SCALE_AGAIN_NS  (INT64_C(60) * 1000000000)

typedef struct {
    tg_scale_what_t  what;
    unsigned         hook;                      /* of gc->scale */
    char             id[TG_SCALE_ID_LEN + 1];   /* idempotency key; NUL ends */
    size_t           len;
    char             body[TG_SCALE_BODY_MAX];   /* JSON */

    /* For tg_scale_done(). */
    unsigned         group, backend;            /* places in the table */
    int64_t          occasion;
} tg_scale_event_t;

/* For the owner, each tick, also where there is no llm_scale (any more): fills
 * in the next event, until false. */
bool tg_scale_next(tg_backends_t *t, tg_group_t *g, const tg_group_conf_t *gc,
    int64_t now, int64_t wall_ms, tg_scale_event_t *event);

/* It was delivered, or was refused for good. From any thread. */
void tg_scale_done(tg_backends_t *t, const tg_scale_event_t *event);

#endif /* TG_SCALE_H */
