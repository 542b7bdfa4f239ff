/*
 * tg_alert_spool.h - the file that alerts wait in until they are delivered:
 * beside the ledger, "<ledger>.alerts", mode 0600, a record a line
 * (tg_alert_record.h).
 *
 *   master:  tg_alert_spool_make()
 *   worker:  tg_alert_spool_open() after its fork, tg_alert_spool_fire()
 *
 * It is appended by whoever has something to tell, one write each under a lock
 * of a few microseconds, and read by the one process of the host that sends
 * (tg_alert_queue.h, tg_webhook.h), which also shortens it.  Killing any of
 * them at any instruction loses nothing that was in it.  A power cut may lose
 * the last seconds.
 */

#ifndef TG_ALERT_SPOOL_H
#define TG_ALERT_SPOOL_H

#include "tg_alert_record.h"

#include <pthread.h>
#include <sys/types.h>

#define TG_ALERT_SPOOL_SUFFIX  ".alerts"
#define TG_ALERT_SPOOL_MAX     (4 * 1024 * 1024)    /* past it the oldest go */
#define TG_ALERT_LOCK_MS       10                   /* to wait for one's turn */

/* Any number of threads of the process may use it at once. */
typedef struct {
    pthread_mutex_t  mutex;
    int              fd;
    char             path[4096];    /* empty: not open */
} tg_alert_spool_t;

/*
 * Makes the file beside the ledger of that name, if it is not there, and gives
 * it to those who will open it (-1: unchanged).  TG_OK, TG_ERROR.
 */
int tg_alert_spool_make(const char *ledger, uid_t uid, gid_t gid,
    tg_error_t *err);

/* Once in each process, after its fork. TG_OK, TG_ERROR. */
int tg_alert_spool_open(tg_alert_spool_t *spool, const char *ledger,
    tg_error_t *err);

/* Also of a zeroed one, and twice. */
void tg_alert_spool_close(tg_alert_spool_t *spool);

/*
 * The alert of tg_alert_next(), for all targets that want it.  TG_OK: it is in
 * the file, or nobody wants it.  TG_ERROR: it is not, the file is full or can't
 * be written, or others had the lock for TG_ALERT_LOCK_MS; then it is not to
 * be confirmed to the ledger.
 */
int tg_alert_spool_fire(tg_alert_spool_t *spool,
    const tg_conf_alerts_t *targets, const tg_alert_t *alert, tg_error_t *err);

/* A record. TG_OK, TG_ERROR. */
int tg_alert_spool_add(tg_alert_spool_t *spool, const tg_alert_record_t *rec,
    tg_error_t *err);


/* For tg_alert_queue.c: bytes of the file that are locked, one by one, by open
 * file description. */
enum {
    TG_ALERT_LOCK_WRITE = 0,        /* to append, to shorten */
    TG_ALERT_LOCK_SEND              /* held by the sender */
};

/* TG_OK; TG_AGAIN: it was another's for all of wait_ms; TG_ERROR: errno. */
int tg_alert_file_lock(int fd, int which, int wait_ms);
void tg_alert_file_unlock(int fd, int which);

#endif /* TG_ALERT_SPOOL_H */
