/*
 * tg_redis_int.h - one connection to the store, shared by its making
 * (tg_redis_connect.c), its commands (tg_redis_wait.c) and what is said on it
 * (tg_redis.c).
 */

#ifndef TG_REDIS_INT_H
#define TG_REDIS_INT_H

#include "tg_redis.h"

#include <hiredis/hiredis.h>
#include <sys/time.h>

/* tg_redis_wait.c: what is left of the call's time, us; at least a millisecond,
 * for 0 is for ever. */
uint64_t tg_redis_left_us(const tg_redis_t *r);
struct timeval tg_redis_left(const tg_redis_t *r);

/* One command within the call's time; NULL, and there is no connection any
 * more. */
redisReply *tg_redis_send(tg_redis_t *r, unsigned argc, const tg_str_t *args,
    tg_error_t *err);

/* What hiredis has found: disconnects. TG_ERROR. */
int tg_redis_failed(tg_redis_t *r, const char *what, tg_error_t *err);
void tg_redis_disconnect(tg_redis_t *r);

/* tg_redis_connect.c: there is a connection, from before if it is still good.
 * TG_OK, TG_ERROR. */
int tg_redis_connect(tg_redis_t *r, tg_error_t *err);
void tg_redis_tls_free(tg_redis_t *r);

#endif /* TG_REDIS_INT_H */
