#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_redis.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct tg_redis_pool_s {
    pthread_mutex_t            mutex;
    pthread_cond_t             freed;
    const tg_fleet_options_t  *options;
    char                      *password;
    unsigned                   most;
    unsigned                   nidle;
    tg_redis_t                *idle[TG_REDIS_POOL_MAX];
    tg_redis_t                 all[TG_REDIS_POOL_MAX];
};


tg_redis_pool_t *
tg_redis_pool_create(const tg_fleet_options_t *options,
    const tg_fleet_t *fleet, unsigned most, tg_error_t *err)
{
    tg_redis_pool_t     *pool = calloc(1, sizeof(*pool));
    pthread_condattr_t   attr;

    if (pool == NULL) {
        (void) tg_error(err, 0, 0, "no memory");
        return NULL;
    }

    if (tg_redis_password(options, &pool->password, err) != TG_OK) {
        free(pool);
        return NULL;
    }

    pthread_mutex_init(&pool->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->freed, &attr);
    pthread_condattr_destroy(&attr);

    pool->options = options;
    pool->most = most < 1 ? 1 : most < TG_REDIS_POOL_MAX ? most
                                                         : TG_REDIS_POOL_MAX;

    for (unsigned i = 0; i < pool->most; i++) {
        tg_redis_init(&pool->all[i], options, fleet, pool->password);
        pool->idle[i] = &pool->all[pool->most - 1 - i];
    }

    pool->nidle = pool->most;

    return pool;
}


void
tg_redis_pool_destroy(tg_redis_pool_t *pool)
{
    if (pool == NULL) {
        return;
    }

    for (unsigned i = 0; i < pool->most; i++) {
        tg_redis_close(&pool->all[i]);
    }

    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->mutex);
    tg_redis_forget(pool->password);
    free(pool);
}


/* The connection used last comes first: as few as possible are open. */
static tg_redis_t *
tg_redis_pool_take(tg_redis_pool_t *pool, const struct timespec *until)
{
    int          rc = 0;
    tg_redis_t  *r = NULL;

    pthread_mutex_lock(&pool->mutex);

    while (pool->nidle == 0 && rc == 0) {
        rc = pthread_cond_timedwait(&pool->freed, &pool->mutex, until);
    }

    if (pool->nidle > 0) {
        r = pool->idle[--pool->nidle];
    }

    pthread_mutex_unlock(&pool->mutex);

    return r;
}


static void
tg_redis_pool_give(tg_redis_pool_t *pool, tg_redis_t *r)
{
    pthread_mutex_lock(&pool->mutex);
    pool->idle[pool->nidle++] = r;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->mutex);
}


uint64_t
tg_redis_pool_deadline(const tg_redis_pool_t *pool)
{
    return tg_redis_deadline(pool->options);
}


/* NULL and *err: none was free in time. */
static tg_redis_t *
tg_redis_pool_wait(tg_redis_pool_t *pool, uint64_t deadline, tg_error_t *err)
{
    tg_redis_t       *r;
    struct timespec   t;

    if (tg_redis_clock() >= deadline) {
        (void) tg_error(err, 0, 0, "it took too long");
        return NULL;
    }

    t.tv_sec = (time_t) (deadline / 1000000);
    t.tv_nsec = (long) (deadline % 1000000) * 1000;

    r = tg_redis_pool_take(pool, &t);

    if (r == NULL) {
        (void) tg_error(err, 0, 0, "all %u connections are busy", pool->most);
        return NULL;
    }

    r->deadline = deadline;

    return r;
}


int
tg_redis_pool_call_by(tg_redis_pool_t *pool, uint64_t deadline,
    const tg_ledger_message_t *msg, tg_ledger_answer_t *answer,
    tg_error_t *err)
{
    int          rc;
    tg_redis_t  *r;

    r = tg_redis_pool_wait(pool, deadline, err);

    if (r == NULL) {
        return tg_redis_none(answer);
    }

    rc = tg_redis_call_by(r, msg, answer, err);
    tg_redis_pool_give(pool, r);

    return rc;
}


int
tg_redis_pool_call(tg_redis_pool_t *pool, const tg_ledger_message_t *msg,
    tg_ledger_answer_t *answer, tg_error_t *err)
{
    return tg_redis_pool_call_by(pool, tg_redis_pool_deadline(pool), msg,
                                 answer, err);
}


struct redisReply *
tg_redis_pool_command(tg_redis_pool_t *pool, const tg_fleet_command_t *c,
    tg_error_t *err)
{
    tg_redis_t         *r;
    struct redisReply  *reply;

    r = tg_redis_pool_wait(pool, tg_redis_pool_deadline(pool), err);

    if (r == NULL) {
        return NULL;
    }

    reply = tg_redis_command(r, c, err);
    tg_redis_pool_give(pool, r);

    return reply;
}
