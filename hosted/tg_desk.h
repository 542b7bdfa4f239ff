/*
 * tg_desk.h - what a server keeps at hand to let calls pass: the keys, the
 * providers' own keys, the time zone, the ledger; loaded, watched and swept
 * alike by both.
 *
 *   configuration   tg_desk_load(), also where it is only tested
 *   master          tg_desk_open(), tg_desk_tally(), tg_desk_chown(),
 *                   tg_desk_publish()
 *   each process    tg_desk_join(); each second tg_desk_tick()
 *   at exit         tg_desk_leave(), in processes that joined
 *   configuration's end, in all of them: tg_desk_close()
 *
 * Threads may use one desk together; of those functions one thread calls one at
 * a time.
 */

#ifndef TG_DESK_H
#define TG_DESK_H

#include "tg_alert_spool.h"
#include "tg_call.h"
#include "tg_carrier.h"
#include "tg_file.h"
#include "tg_geoip.h"
#include "tg_ledger_file.h"
#include "tg_status_page.h"
#include "tg_tally_file.h"
#include "tg_webhook.h"

#include <pthread.h>

/* The name of what tg_desk_publish() writes. */
#define TG_DESK_CONF        ".conf"
#define TG_DESK_CONF_MAX    (16 * 1024 * 1024)

#define TG_DESK_KEYS_MAX    (256 * 1024 * 1024)     /* bytes of the file */

typedef enum {
    TG_DESK_ERROR = 0,
    TG_DESK_WARNING,
    TG_DESK_NOTICE
} tg_desk_level_t;

/* The server's error log. */
typedef void (*tg_desk_log_t)(void *data, tg_desk_level_t level,
    const char *message);

/* An alert's line is due: to be written with tg_alert_line(). */
typedef void (*tg_desk_alert_t)(void *data, const tg_alert_t *alert);

#define TG_DESK_PENDING  32

/* An alert that nobody has confirmed. */
typedef struct {
    unsigned char      key[TG_LEDGER_KEY];
    int64_t            window;
    int64_t            seen;            /* when first */
} tg_desk_pending_t;

typedef struct {
    tg_conf_t         *conf;
    tg_zone_t         *zone;            /* NULL: UTC */
    tg_roster_t       *roster;          /* by lock */
    pthread_mutex_t    lock;
    tg_file_state_t    keys;
    char               prices[17];      /* hash of those in use; by lock */
    tg_geoip_t        *geoip;           /* NULL: no llm_geoip */
    tg_ledger_file_t   ledger;
    tg_tally_file_t    tally_file;      /* beside the ledger */
    tg_tally_t        *tally;           /* NULL: calls are not counted */
    tg_tally_process_t *process;        /* our place in it; or NULL */
    tg_backlog_t       backlog;
    unsigned           carriers;        /* threads that carry calls' messages;
                                           set before tg_desk_join() */
    tg_carrier_t      *carrier;         /* NULL: no fleet */
    tg_calibrate_t     calibrate;
    tg_alert_spool_t   spool;
    tg_webhook_t      *webhook;         /* NULL: no llm_alert */
    tg_desk_log_t      log;
    void              *log_data;
    tg_desk_alert_t    alert;           /* for those of dead processes; the
                                           server's, called with log_data */
    tg_desk_pending_t  pending[TG_DESK_PENDING];
    unsigned           npending;
    uint32_t           hand;            /* how far they have been looked for */
    tg_error_t         complaint;       /* the last of the ledger's */
    bool               loaded;
    bool               open;
    bool               joined;
    bool               reserved;        /* subjects have their entries */
} tg_desk_t;

/*
 * tg_desk_files.c: reads the files that the configuration names: providers' keys,
 * the time zone, where addresses are, the keys with their budgets.  conf is
 * finished; zone and provider keys are taken from mem.  TG_OK, TG_ERROR.
 */
int tg_desk_load(tg_desk_t *desk, tg_conf_t *conf, tg_mem_t *mem,
    tg_desk_log_t log, void *data, tg_error_t *err);

/* The names in the configuration are absolute by now. test: the ledger is only
 * looked at, and need not be there. */
int tg_desk_open(tg_desk_t *desk, bool test, tg_error_t *err);
int tg_desk_chown(tg_desk_t *desk, uid_t uid, gid_t gid, tg_error_t *err);

/*
 * tg_desk_tally.c: what calls are counted in: <ledger>.tally where there is a
 * ledger, else *anonymous, which is made where it is NULL, and kept by the server
 * from one configuration to the next.  What can't be had is told in the log.
 */
void tg_desk_tally(tg_desk_t *desk, tg_tally_t **anonymous, int64_t now);

/*
 * In the master, once the configuration is in force: writes what it says of us
 * beside the ledger, as <ledger>.conf, for llmctl; of the ledger's owner, and
 * for his eyes only.  On TG_ERROR calls pass all the same.
 */
int tg_desk_publish(tg_desk_t *desk, tg_error_t *err);

/* After the fork. On TG_ERROR the process goes on, and its calls find the ledger
 * not to be had. */
int tg_desk_join(tg_desk_t *desk, int64_t now, tg_error_t *err);

/* Looks for changed files, settles what waits, and sweeps for the dead. */
void tg_desk_tick(tg_desk_t *desk, int64_t now, tg_ledger_swept_pt swept,
    void *data);

/*
 * tg_desk_lines.c: a log, by its number, ends in mid-line after a full disk: what
 * any process writes there next is to begin with a line feed.  tg_desk_mends():
 * that is so, and the caller will do it; who can't says tg_desk_torn() again.
 */
void tg_desk_torn(tg_desk_t *desk, unsigned log);
bool tg_desk_mends(tg_desk_t *desk, unsigned log);

/* No more calls will come to this process, though some are under way. */
void tg_desk_retire(tg_desk_t *desk);

void tg_desk_leave(tg_desk_t *desk, int64_t now);
void tg_desk_close(tg_desk_t *desk);

/* A reference to the keys in use, to be given back with tg_roster_unref(); NULL
 * where there are none. */
tg_roster_t *tg_desk_roster(tg_desk_t *desk);

/* tg_desk_alert.c: tells of all that the call found, and confirms it. */
void tg_desk_alerts(tg_desk_t *desk, tg_call_t *call, tg_desk_alert_t line,
    void *data);

/* Fills in a gate with what the desk has; all else, its roster too, is none. */
void tg_desk_gate(tg_desk_t *desk, const tg_price_book_t *book,
    tg_gate_scratch_t *scratch, tg_gate_t *gate);

/*
 * tg_desk_tally.c: what a server shows, of this moment; to be ended with
 * tg_desk_facts_end().  book is in use until then.
 */
void tg_desk_facts(tg_desk_t *desk, const tg_price_book_t *book,
    tg_breakers_t *breakers, const tg_now_t *now, tg_status_facts_t *facts);

/* Of that what llm_me and llm_outcome go by: anybody may ask them, so that it
 * costs little. */
void tg_desk_own_facts(tg_desk_t *desk, const tg_now_t *now,
    tg_status_facts_t *facts);
void tg_desk_facts_end(tg_status_facts_t *facts);

/* tg_desk_fleet.c: the prices in use are these; for the other nodes of a fleet. */
void tg_desk_priced(tg_desk_t *desk, const tg_price_book_t *book);

/* In the carrier's thread: tells the fleet what this node has spent, and hears
 * the others, where that is due. */
void tg_desk_fleet(tg_desk_t *desk, tg_redis_pool_t *pool,
    const tg_fleet_t *fleet);

/* The next number of n lines. */
uint64_t tg_desk_seq(tg_desk_t *desk, unsigned n);

/* Lines could not be written. */
void tg_desk_lost(tg_desk_t *desk, unsigned n);

/* The lines of these calls are safe. Where the ledger's lock is not to be had,
 * tg_desk_tick() tries again. */
void tg_desk_written(tg_desk_t *desk, const tg_ledger_slot_t *slots,
    unsigned n);

#endif /* TG_DESK_H */
