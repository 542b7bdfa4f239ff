/*
 * tg_webhook.h - sends what is in the spool, in a thread of its own, so that no
 * call ever waits for a webhook.
 *
 * Each process that serves starts one, after its fork; the one that holds the
 * spool's lock sends, the others wait to take over.  Every target has one
 * request under way at a time and its own back-off, so that a dead one delays
 * no other.  Delivery is at least once, with the same webhook-id: kill -9
 * between the answer and the note of it sends it again.
 *
 *   when the configuration is read:  tg_webhook_load()
 *   worker, after its fork:          tg_webhook_start()
 *   after tg_alert_spool_fire():     tg_webhook_poke()
 *   exit, or no more connections:    tg_webhook_stop()
 */

#ifndef TG_WEBHOOK_H
#define TG_WEBHOOK_H

#include "tg_conf_alert.h"

#define TG_WEBHOOK_RETRY_MS   1000      /* doubled each time: tg_post.h */

typedef struct tg_webhook_s  tg_webhook_t;

typedef enum {
    TG_WEBHOOK_ERROR = 0,       /* alerts were lost */
    TG_WEBHOOK_WARN,            /* will be tried again */
    TG_WEBHOOK_INFO
} tg_webhook_level_t;

typedef struct {
    const tg_conf_alerts_t  *targets;   /* live until tg_webhook_stop(), as all
                                           that is pointed to here does */
    const char              *ledger;    /* the file's name: the spool is beside
                                           it */

    /* Called in the sender's thread, a sentence without newline and without
     * secrets; seldom: at the 1st, 2nd, 4th, 8th ... failure in a row. */
    void                   (*log)(void *baton, tg_webhook_level_t level,
                                  const char *message);
    void                    *baton;

    const char              *ca_file;   /* PEM; NULL: the system's */
    int64_t                  retry_ms;  /* 0: TG_WEBHOOK_RETRY_MS */
} tg_webhook_conf_t;

/* Since the start, in this process. */
typedef struct {
    bool      sender;
    uint64_t  sent;
    uint64_t  failed;           /* attempts, to be tried again */
    uint64_t  refused;          /* alerts given up: 4xx */
    uint64_t  expired;          /* the same: 24 hours */
    uint64_t  dropped;          /* the same: no room */
    uint64_t  torn;             /* lines of the spool that are no alerts */
} tg_webhook_stats_t;

/*
 * Reads the files of secret= and routing_key=, of all targets.  They have to be
 * readable by whoever calls this, and by nobody but their owner and group.
 * TG_ERROR and *err, which names the file.
 */
int tg_webhook_load(tg_conf_alerts_t *targets, tg_mem_t *mem, tg_error_t *err);

/* The same of one target's secret=. */
int tg_webhook_load_secret(tg_conf_alert_t *target, tg_error_t *err);

/* NULL and *err where the spool can't be opened or there is no thread to be
 * had. All signals are blocked in the thread. */
tg_webhook_t *tg_webhook_start(const tg_webhook_conf_t *conf, tg_error_t *err);

/* There is something new in the spool. Does not wait. NULL is harmless. */
void tg_webhook_poke(tg_webhook_t *w);

/* Ends the thread within a second, whatever is under way: that stays in the
 * spool, for the next sender.  NULL is harmless. */
void tg_webhook_stop(tg_webhook_t *w);

void tg_webhook_stats(tg_webhook_t *w, tg_webhook_stats_t *stats);

#endif /* TG_WEBHOOK_H */
