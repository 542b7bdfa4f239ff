#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_carrier.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define TG_CARRIER_THREADS  16
#define TG_CARRIER_TICK_MS  100
#define TG_CARRIER_BURST    8           /* messages a tick */

struct tg_carrier_s {
    tg_carrier_conf_t   conf;
    tg_fleet_t          fleet;
    tg_redis_pool_t    *pool;

    pthread_mutex_t     mutex;
    pthread_cond_t      wake;           /* of threads that carry */
    pthread_cond_t      tick;           /* of the one that ticks */
    tg_errand_t        *first;          /* to be carried */
    tg_errand_t       **last;
    tg_errand_t        *done;
    bool                stop;           /* by the mutex, but for a look */
    int                 fd;             /* -1: nobody is told */

    unsigned            nthreads;
    pthread_t           threads[TG_CARRIER_THREADS + 1];

    uint64_t            failures;       /* in a row; atomic */
};


int
tg_carrier_check(const tg_fleet_options_t *o,
    void (*log)(void *baton, const char *message), void *baton,
    tg_error_t *err)
{
    int          rc;
    char         text[320], *password;
    tg_error_t   why;
    tg_fleet_t   fleet;
    tg_redis_t   redis;

    if (o->tls && !tg_redis_has_tls()) {
        return tg_error(err, 0, 0, "tls= needs a hiredis with hiredis_ssl");
    }

    if (tg_redis_password(o, &password, err) != TG_OK) {
        return TG_ERROR;
    }

    rc = tg_fleet_init(&fleet, tg_strz(o->name), tg_strz(o->label),
                       o->quarantine_ms, err);

    if (rc == TG_OK) {
        memset(&why, 0, sizeof(why));
        tg_redis_init(&redis, o, &fleet, password);
        redis.forks = true;
        rc = tg_redis_check(&redis, &why);
        tg_redis_close(&redis);

        (void) snprintf(text, sizeof(text), "the fleet's store: %s",
                        why.message);

        if (rc != TG_OK && why.code != TG_REDIS_UNREACHED) {
            (void) tg_error(err, 0, 0, "%s", text);

        } else {
            rc = TG_OK;

            if (why.message[0] != '\0') {
                log(baton, text);
            }
        }
    }

    tg_redis_forget(password);

    return rc;
}


/* At the 1st, 2nd, 4th, 8th ... failure in a row. */
static void
tg_carrier_failed(tg_carrier_t *c, const tg_error_t *err)
{
    char      text[320];
    uint64_t  n;

    n = __atomic_add_fetch(&c->failures, 1, __ATOMIC_RELAXED);

    if ((n & (n - 1)) == 0) {
        (void) snprintf(text, sizeof(text), "the fleet's store: %s",
                        err->message);
        c->conf.log(c->conf.baton, text);
    }
}


static void
tg_carrier_worked(tg_carrier_t *c)
{
    if (__atomic_load_n(&c->failures, __ATOMIC_RELAXED) == 0) {
        return;
    }

    if (__atomic_exchange_n(&c->failures, 0, __ATOMIC_RELAXED) != 0) {
        c->conf.log(c->conf.baton, "the fleet's store answers again");
    }
}


static void
tg_carrier_call_by(tg_carrier_t *c, uint64_t deadline,
    const tg_ledger_message_t *message, tg_ledger_answer_t *answer)
{
    tg_error_t  err;

    if (tg_redis_pool_call_by(c->pool, deadline, message, answer, &err)
        == TG_OK)
    {
        tg_carrier_worked(c);
    } else {
        tg_carrier_failed(c, &err);
    }
}


void
tg_carrier_call(tg_carrier_t *c, const tg_ledger_message_t *message,
    tg_ledger_answer_t *answer)
{
    tg_carrier_call_by(c, tg_redis_pool_deadline(c->pool), message, answer);
}


static int64_t
tg_carrier_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static void *
tg_carrier_run(void *data)
{
    tg_errand_t   *e;
    tg_carrier_t  *c = data;

    (void) pthread_mutex_lock(&c->mutex);

    while (!c->stop) {
        e = c->first;

        if (e == NULL) {
            (void) pthread_cond_wait(&c->wake, &c->mutex);
            continue;
        }

        c->first = e->next;
        if (c->first == NULL) {
            c->last = &c->first;
        }

        (void) pthread_mutex_unlock(&c->mutex);

        tg_carrier_call_by(c, e->deadline, &e->message, &e->answer);

        (void) pthread_mutex_lock(&c->mutex);

        e->next = c->done;
        c->done = e;

        if (e->next == NULL) {
            (void) eventfd_write(c->fd, 1);
        }
    }

    (void) pthread_mutex_unlock(&c->mutex);

    return NULL;
}


static bool
tg_carrier_stops(const tg_carrier_t *c)
{
    return __atomic_load_n(&c->stop, __ATOMIC_RELAXED);
}


/* What no call waits for: TG_OK while there may be more. */
static int
tg_carrier_report(tg_carrier_t *c)
{
    int                  rc;
    tg_ledger_t         *led = c->conf.ledger;
    tg_ledger_answer_t   answer;
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    if (tg_ledger_fleet_tick(led, tg_carrier_now(), &msg) != TG_LEDGER_ASK) {
        return TG_ERROR;
    }

    tg_carrier_call(c, &msg, &answer);

    /* Nobody else would ever free the message's slot while we live. */

    do {
        memset(&r, 0, sizeof(r));
        rc = tg_ledger_fleet_reply(led, tg_carrier_now(), &msg, &answer, &r);

    } while (rc == TG_LEDGER_BUSY && !tg_carrier_stops(c));

    if (rc != TG_LEDGER_OK && rc != TG_LEDGER_NONE) {
        return TG_ERROR;
    }

    for (unsigned i = 0; i < r.nstates && i < msg.n; i++) {
        if (r.states[i].crossed != 0) {
            c->conf.crossed(c->conf.baton, &msg.items[i], &r.states[i]);
        }
    }

    return answer.status == TG_LEDGER_NO_ANSWER ? TG_ERROR : TG_OK;
}


static void *
tg_carrier_ticks(void *data)
{
    unsigned          i;
    tg_carrier_t     *c = data;
    struct timespec   ts;

    (void) pthread_mutex_lock(&c->mutex);

    while (!c->stop) {
        (void) pthread_mutex_unlock(&c->mutex);

        for (i = 0; i < TG_CARRIER_BURST && !tg_carrier_stops(c); i++) {
            if (tg_carrier_report(c) != TG_OK) {
                break;
            }
        }

        if (c->conf.tick != NULL && !tg_carrier_stops(c)) {
            c->conf.tick(c->conf.baton, c->pool, &c->fleet);
        }

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        ts.tv_nsec += TG_CARRIER_TICK_MS * 1000000L;
        ts.tv_sec += ts.tv_nsec / 1000000000L;
        ts.tv_nsec %= 1000000000L;

        (void) pthread_mutex_lock(&c->mutex);

        if (!c->stop) {
            (void) pthread_cond_timedwait(&c->tick, &c->mutex, &ts);
        }
    }

    (void) pthread_mutex_unlock(&c->mutex);

    return NULL;
}


static int
tg_carrier_threads(tg_carrier_t *c, tg_error_t *err)
{
    int       rc = 0;
    sigset_t  all, old;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &old);

    while (rc == 0 && c->nthreads <= c->conf.threads) {
        rc = pthread_create(&c->threads[c->nthreads], NULL,
                            c->nthreads == 0 ? tg_carrier_ticks
                                             : tg_carrier_run, c);
        c->nthreads += rc == 0;
    }

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    return rc == 0 ? TG_OK : tg_error(err, 0, 0, "can't start a thread: %s",
                                      strerror(rc));
}


tg_carrier_t *
tg_carrier_start(const tg_carrier_conf_t *conf, tg_error_t *err)
{
    unsigned             connections;
    tg_carrier_t        *c = calloc(1, sizeof(tg_carrier_t));
    pthread_condattr_t   attr;

    if (c == NULL) {
        (void) tg_error(err, 0, 0, "no memory");
        return NULL;
    }

    c->conf = *conf;
    c->last = &c->first;
    c->fd = -1;

    if (c->conf.threads > TG_CARRIER_THREADS) {
        c->conf.threads = TG_CARRIER_THREADS;
    }

    (void) pthread_mutex_init(&c->mutex, NULL);
    (void) pthread_cond_init(&c->wake, NULL);
    (void) pthread_condattr_init(&attr);
    (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&c->tick, &attr);
    (void) pthread_condattr_destroy(&attr);

    connections = c->conf.threads == 0 ? TG_REDIS_POOL_MAX
                                       : c->conf.threads + 1;

    if (tg_fleet_init(&c->fleet, tg_strz(conf->options->name),
                      tg_strz(conf->options->label),
                      conf->options->quarantine_ms, err)
        != TG_OK)
    {
        goto failed;
    }

    c->pool = tg_redis_pool_create(conf->options, &c->fleet, connections, err);
    if (c->pool == NULL) {
        goto failed;
    }

    if (c->conf.threads != 0) {
        c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (c->fd == -1) {
            (void) tg_error(err, 0, 0, "can't make an eventfd");
            goto failed;
        }
    }

    tg_ledger_fleet_options(conf->ledger, &conf->options->ledger);

    if (tg_carrier_threads(c, err) == TG_OK) {
        return c;
    }

failed:

    tg_carrier_stop(c);

    return NULL;
}


void
tg_carrier_stop(tg_carrier_t *c)
{
    if (c == NULL) {
        return;
    }

    (void) pthread_mutex_lock(&c->mutex);
    __atomic_store_n(&c->stop, true, __ATOMIC_RELAXED);
    (void) pthread_cond_broadcast(&c->wake);
    (void) pthread_cond_broadcast(&c->tick);
    (void) pthread_mutex_unlock(&c->mutex);

    for (unsigned i = 0; i < c->nthreads; i++) {
        (void) pthread_join(c->threads[i], NULL);
    }

    tg_redis_pool_destroy(c->pool);

    if (c->fd != -1) {
        (void) close(c->fd);
    }

    (void) pthread_cond_destroy(&c->tick);
    (void) pthread_cond_destroy(&c->wake);
    (void) pthread_mutex_destroy(&c->mutex);
    free(c);
}


int
tg_carrier_fd(const tg_carrier_t *c)
{
    return c->fd;
}


void
tg_carrier_send(tg_carrier_t *c, tg_errand_t *e)
{
    e->next = NULL;
    e->deadline = tg_redis_pool_deadline(c->pool);

    (void) pthread_mutex_lock(&c->mutex);

    *c->last = e;
    c->last = &e->next;
    (void) pthread_cond_signal(&c->wake);

    (void) pthread_mutex_unlock(&c->mutex);
}


tg_errand_t *
tg_carrier_done(tg_carrier_t *c)
{
    eventfd_t     n;
    tg_errand_t  *e;

    (void) eventfd_read(c->fd, &n);

    (void) pthread_mutex_lock(&c->mutex);
    e = c->done;
    c->done = NULL;
    (void) pthread_mutex_unlock(&c->mutex);

    return e;
}
