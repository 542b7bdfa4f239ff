/*
 * tg_scale_hook.h - posts the events of tg_scale.h, in a thread of its own,
 * which begins with the first of them: only a process that checks has one.
 *
 *   when the configuration is read:  tg_scale_hook_load()
 *   worker, after its fork:          tg_scale_hook_create()
 *   owner, for each event:           tg_scale_hook_post()
 *   exit, or the lease is lost:      tg_scale_hook_stop()
 *
 * Delivery is at least once, with the same webhook-id (Standard Webhooks 1.0).
 * What fails is tried again, a second later and then half as often each time,
 * as long as tg_scale_next() goes on to tell of it.
 */

#ifndef TG_SCALE_HOOK_H
#define TG_SCALE_HOOK_H

#include "tg_scale.h"
#include "tg_webhook.h"

#define TG_SCALE_QUEUE       64         /* events at a time */
#define TG_SCALE_TIMEOUT_MS  10000      /* of one POST */
#define TG_SCALE_LIFE_MS     150000     /* since it was told of last */

/* Of an upstream's llm_scale, with their secrets.  Strings are gc's. */
typedef struct {
    unsigned         n;
    tg_conf_alert_t  list[TG_GROUP_SCALE_MAX];
} tg_scale_targets_t;

typedef struct tg_scale_hook_s  tg_scale_hook_t;

typedef struct {
    tg_backends_t  *table;

    /* Called in the thread, as tg_webhook_conf_t's. */
    void          (*log)(void *baton, tg_webhook_level_t level,
                         const char *message);
    void           *baton;

    const char     *ca_file;            /* PEM; NULL: the system's */
    int64_t         retry_ms;           /* 0: TG_WEBHOOK_RETRY_MS */
} tg_scale_hook_conf_t;

/* Reads the files of secret=, as tg_webhook_load() does: by who starts the
 * server.  TG_ERROR and *err, which names the file. */
int tg_scale_hook_load(tg_scale_targets_t *targets, const tg_group_conf_t *gc,
    tg_error_t *err);

/* Starts nothing yet. NULL on exhaustion. */
tg_scale_hook_t *tg_scale_hook_create(const tg_scale_hook_conf_t *conf);

/* Returns at once; event is copied, targets live until the hook is stopped.
 * TG_OK, also where it is waiting to be sent already. TG_ERROR and *err: the
 * queue is full, or there is no thread to be had; it will be told again. */
int tg_scale_hook_post(tg_scale_hook_t *h, const tg_scale_targets_t *targets,
    const tg_scale_event_t *event, tg_error_t *err);

/* Ends the thread within a second, whatever is under way: that is told again by
 * whoever checks next.  Frees h; NULL is harmless. */
void tg_scale_hook_stop(tg_scale_hook_t *h);

#endif /* TG_SCALE_HOOK_H */
