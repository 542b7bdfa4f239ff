/*
 * tg_alert_queue.h - the spool as its sender sees it: what is to be sent where.
 *
 * Of all processes of the host one at a time is the sender: he holds a lock of
 * the file, which the kernel gives to another when he is gone.  He alone keeps
 * a table of the file in memory, and he alone shortens the file.
 *
 * Of records with the same id the first one counts.
 */

#ifndef TG_ALERT_QUEUE_H
#define TG_ALERT_QUEUE_H

#include "tg_alert_spool.h"

#define TG_ALERT_LIFE_MS     (INT64_C(24) * 3600 * 1000)    /* then given up */
#define TG_ALERT_QUIET_MS    60000      /* delivered ones are remembered */
#define TG_ALERT_TARGETS     32         /* known at a time; others' included */
#define TG_ALERT_CHAINS      1024

typedef struct {
    char      id[TG_ALERT_ID_LEN];
    uint32_t  next;                     /* of the chain; + 1 */
    uint32_t  todo;                     /* bits of targets */
    uint32_t  len;                      /* of the line */
    int64_t   off;
    int64_t   at;
} tg_alert_entry_t;

typedef struct {
    tg_alert_spool_t   spool;           /* to say what is done */
    int                fd;              /* to read, to lock, to shorten */
    bool               sender;
    int64_t            max;             /* bytes; TG_ALERT_SPOOL_MAX */
    int64_t            offset;          /* read so far */
    int64_t            newest;          /* of all alerts */
    bool               skipping;        /* a line longer than any of ours */
    uint32_t           n, room;
    tg_alert_entry_t  *entries;         /* as they are in the file */
    char              *buf;
    unsigned           ntargets;        /* the configured ones come first */
    char               targets[TG_ALERT_TARGETS][TG_ALERT_TARGET_LEN];
    uint64_t           torn;            /* lines passed over */
    uint64_t           dropped;         /* alerts, for want of room */
    uint64_t           expired;
    uint32_t           chains[TG_ALERT_CHAINS];
} tg_alert_queue_t;

/* After the fork.  TG_OK, TG_ERROR; to be closed in both cases. */
int tg_alert_queue_open(tg_alert_queue_t *q, const char *ledger,
    const tg_conf_alerts_t *targets, tg_error_t *err);
void tg_alert_queue_close(tg_alert_queue_t *q);

/* TG_OK: the process is the sender (now, or as before). TG_AGAIN: another is.
 * TG_ERROR: there is no file. */
int tg_alert_queue_claim(tg_alert_queue_t *q, tg_error_t *err);

/* Reads what was appended; expires what is too old. TG_OK, TG_ERROR. */
int tg_alert_queue_read(tg_alert_queue_t *q, int64_t now, tg_error_t *err);

/* The first at or behind *i (and round from the beginning) that is to be sent
 * to that target, an index of the configuration; *i is its place.  NULL: there
 * is none.  Valid until the next call of another function. */
const tg_alert_entry_t *tg_alert_queue_next(const tg_alert_queue_t *q,
    unsigned target, uint32_t *i);

/* Its record; rec->body is in the queue's buffer until the next call. TG_ERROR:
 * it can't be read any more, and is given up. */
int tg_alert_queue_record(tg_alert_queue_t *q, const tg_alert_entry_t *e,
    tg_alert_record_t *rec);

/* That target is done with that alert. */
void tg_alert_queue_done(tg_alert_queue_t *q,
    const char id[TG_ALERT_ID_LEN], unsigned target, tg_alert_how_t how);

/*
 * Shortens the file where that is due: nothing is left to send, or half of it
 * is done, or it has become larger than q->max; then the oldest are dropped
 * until what is undelivered takes half of that.  A kill in the midst of it
 * loses nothing else.
 */
void tg_alert_queue_compact(tg_alert_queue_t *q, int64_t now);

#endif /* TG_ALERT_QUEUE_H */
