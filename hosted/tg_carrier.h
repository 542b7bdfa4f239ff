/*
 * tg_carrier.h - carries a fleet's messages to its store: for calls that wait,
 * and by itself those that no call waits for.
 *
 * One in each process, after its fork.  All talking to the store is done by
 * hiredis with deadlines (tg_redis.h), in threads with all signals blocked, so
 * that no event loop ever waits for it and both servers share one way to log
 * in, to verify, and to find the master.
 */

#ifndef TG_CARRIER_H
#define TG_CARRIER_H

#include "tg_redis.h"

typedef struct tg_carrier_s  tg_carrier_t;

/* A message under way.  It belongs to the carrier from tg_carrier_send() until
 * tg_carrier_done() gives it back. */
typedef struct tg_errand_s {
    struct tg_errand_s   *next;
    tg_ledger_message_t   message;
    tg_ledger_answer_t    answer;
    void                 *data;         /* the host's */
    uint64_t              deadline;     /* the carrier's */
} tg_errand_t;

typedef struct {
    const tg_fleet_options_t  *options;
    tg_ledger_t               *ledger;  /* joined; outlives the carrier */
    unsigned                   threads; /* that carry errands; 0: none, calls
                                           are carried by tg_carrier_call() */

    /* Alerts that the fleet left to this node, found in an answer: called in a
     * thread of the carrier's. */
    void                     (*crossed)(void *baton,
                                        const tg_ledger_message_item_t *item,
                                        const tg_ledger_state_t *state);

    /* Called many times a second, in the same way: what is to be said at the
     * store that no call waits for.  NULL: nothing. */
    void                     (*tick)(void *baton, tg_redis_pool_t *pool,
                                     const tg_fleet_t *fleet);

    /* A sentence for the error log, in the same way; seldom. */
    void                     (*log)(void *baton, const char *message);
    void                      *baton;
} tg_carrier_conf_t;

/*
 * Before anything else, in the master: TG_ERROR where the store is not fit to
 * be one (tg_fleet_check()), the password's file is not, or there is no TLS.
 * That it can't be reached now is no reason not to start: that, and warnings,
 * are logged.
 */
int tg_carrier_check(const tg_fleet_options_t *options,
    void (*log)(void *baton, const char *message), void *baton,
    tg_error_t *err);

/* Starts the threads. NULL and *err: no memory, no thread, the password's
 * file, no script. */
tg_carrier_t *tg_carrier_start(const tg_carrier_conf_t *conf, tg_error_t *err);

/*
 * Ends the threads within the store's timeout.  Errands that were not carried
 * are lost, as in a process that died.  NULL is harmless.
 */
void tg_carrier_stop(tg_carrier_t *c);

/* For an event loop: readable when errands have come back. -1: no threads. */
int tg_carrier_fd(const tg_carrier_t *c);

/* Hands over.  The answer comes within the store's timeout, whatever it says,
 * and however many are before it. */
void tg_carrier_send(tg_carrier_t *c, tg_errand_t *e);

/* Those that have come back, as a list; NULL: none. */
tg_errand_t *tg_carrier_done(tg_carrier_t *c);

/* The same for a thread that may wait. */
void tg_carrier_call(tg_carrier_t *c, const tg_ledger_message_t *message,
    tg_ledger_answer_t *answer);

#endif /* TG_CARRIER_H */
