/* A command and its reply, on a connection that there is, in the call's time. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_redis_int.h"

#include <errno.h>
#include <time.h>


uint64_t
tg_redis_clock(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}


uint64_t
tg_redis_deadline(const tg_fleet_options_t *options)
{
    return tg_redis_clock() + (uint64_t) options->ledger.timeout_ms * 1000;
}


void
tg_redis_disconnect(tg_redis_t *r)
{
    if (r->c != NULL) {
        redisFree(r->c);
        r->c = NULL;
    }
}


uint64_t
tg_redis_left_us(const tg_redis_t *r)
{
    uint64_t  now = tg_redis_clock();

    return r->deadline > now + 1000 ? r->deadline - now : 1000;
}


struct timeval
tg_redis_left(const tg_redis_t *r)
{
    uint64_t        left = tg_redis_left_us(r);
    struct timeval  tv;

    tv.tv_sec = (time_t) (left / 1000000);
    tv.tv_usec = (suseconds_t) (left % 1000000);

    return tv;
}


int
tg_redis_failed(tg_redis_t *r, const char *what, tg_error_t *err)
{
    const char  *why = "no memory";

    if (r->c != NULL) {
        why = r->c->err == REDIS_ERR_IO && errno == EAGAIN ? "it took too long"
                                                           : r->c->errstr;
    }

    (void) tg_error(err, TG_REDIS_UNREACHED, 0, "%s: %s", what, why);
    tg_redis_disconnect(r);

    return TG_ERROR;
}


/* Before each read and write: a store that dribbles has no more time than one
 * that hangs. */
static int
tg_redis_in_time(tg_redis_t *r, tg_error_t *err)
{
    if (tg_redis_clock() >= r->deadline) {
        tg_redis_disconnect(r);
        return tg_error(err, TG_REDIS_UNREACHED, 0, "it took too long");
    }

    return redisSetTimeout(r->c, tg_redis_left(r)) == REDIS_OK
           ? TG_OK : tg_redis_failed(r, "no deadline", err);
}


static redisReply *
tg_redis_wait(tg_redis_t *r, tg_error_t *err)
{
    int    done = 0;
    void  *reply = NULL;

    while (!done) {
        if (tg_redis_in_time(r, err) != TG_OK) {
            return NULL;
        }

        if (redisBufferWrite(r->c, &done) != REDIS_OK) {
            (void) tg_redis_failed(r, "no reply", err);
            return NULL;
        }
    }

    for ( ;; ) {
        if (redisGetReplyFromReader(r->c, &reply) != REDIS_OK) {
            (void) tg_redis_failed(r, "no reply", err);
            return NULL;
        }

        if (reply != NULL) {
            return reply;
        }

        if (tg_redis_in_time(r, err) != TG_OK) {
            return NULL;
        }

        if (redisBufferRead(r->c) != REDIS_OK) {
            (void) tg_redis_failed(r, "no reply", err);
            return NULL;
        }
    }
}


redisReply *
tg_redis_send(tg_redis_t *r, unsigned argc, const tg_str_t *args,
    tg_error_t *err)
{
    size_t       len[TG_FLEET_ARGS_MAX];
    const char  *argv[TG_FLEET_ARGS_MAX];

    for (unsigned i = 0; i < argc; i++) {
        argv[i] = args[i].p != NULL ? args[i].p : "";
        len[i] = args[i].len;
    }

    if (redisAppendCommandArgv(r->c, (int) argc, argv, len) != REDIS_OK) {
        (void) tg_redis_failed(r, "no command", err);
        return NULL;
    }

    return tg_redis_wait(r, err);
}
