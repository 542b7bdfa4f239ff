/*
 * tg_redis.h - a fleet's store reached by hiredis: blocking calls with
 * deadlines, for httpd's threads, the command line tool and tests.  (A server
 * with an event loop sends tg_fleet_command()'s arguments by itself, and uses
 * only tg_redis_reply() of this.)
 *
 * hiredis 0.14 and 1.x; Redis 5 or later, Valkey.  TLS where hiredis comes with
 * hiredis_ssl (tg_redis_has_tls()).
 */

#ifndef TG_REDIS_H
#define TG_REDIS_H

#include "tg_fleet.h"
#include "tg_redis_name.h"

#define TG_REDIS_POOL_MAX  64

#define TG_REDIS_UNREACHED  1           /* an error's code */

struct redisContext;
struct redisReply;

/* One connection; made when it is needed, given up after any failure. */
typedef struct {
    const tg_fleet_options_t  *options;
    const tg_fleet_t          *fleet;
    char                      *password;    /* NULL: none */
    struct redisContext       *c;           /* NULL: not connected */
    void                      *tls;
    tg_redis_name_t           *names;       /* being looked up */
    bool                       forks;       /* names take as long as they take */
    uint64_t                   deadline;    /* of the call, monotonic, us */
} tg_redis_t;

/* Monotonic, us; the end of a call's time that begins now. */
uint64_t tg_redis_clock(void);
uint64_t tg_redis_deadline(const tg_fleet_options_t *options);

/* There is none; TG_ERROR. */
int tg_redis_none(tg_ledger_answer_t *answer);

/* `password` as read by tg_redis_password(), referred to. Connects to nothing
 * yet. */
void tg_redis_init(tg_redis_t *r, const tg_fleet_options_t *options,
    const tg_fleet_t *fleet, char *password);
void tg_redis_close(tg_redis_t *r);

/*
 * The first line of the file, or NULL where the options name none.  To be freed
 * with tg_redis_forget().  TG_ERROR: it can't be read, others can read it, it
 * is empty.
 */
int tg_redis_password(const tg_fleet_options_t *options, char **password,
    tg_error_t *err);
void tg_redis_forget(char *password);

bool tg_redis_has_tls(void);

/*
 * Sends the message and waits for its answer, at most options' timeout_ms from
 * now on, connecting included.  *answer is always set, to none where there is
 * none; then *err says why.  TG_OK, TG_ERROR.
 */
int tg_redis_call(tg_redis_t *r, const tg_ledger_message_t *msg,
    tg_ledger_answer_t *answer, tg_error_t *err);

/* The same, until r->deadline. */
int tg_redis_call_by(tg_redis_t *r, const tg_ledger_message_t *msg,
    tg_ledger_answer_t *answer, tg_error_t *err);

/* As tg_fleet_check(), of the store as it is. TG_ERROR also where it can't be
 * reached, or sentinels name a replica, as in a failover; err->code is
 * TG_REDIS_UNREACHED then. */
int tg_redis_check(tg_redis_t *r, tg_error_t *err);

/* One command for tools. NULL and *err; else to be freed with
 * freeReplyObject(). */
struct redisReply *tg_redis_command(tg_redis_t *r,
    const tg_fleet_command_t *c, tg_error_t *err);

/* What hiredis has read, for tg_fleet_answer(). `error` refers to it. NULL: no
 * reply. */
void tg_redis_reply(const struct redisReply *from, tg_fleet_reply_t *to);


/* Connections for many threads; as many as call at a time, up to a number. */
typedef struct tg_redis_pool_s  tg_redis_pool_t;

/* NULL and *err: no memory, the password's file. After the fork. */
tg_redis_pool_t *tg_redis_pool_create(const tg_fleet_options_t *options,
    const tg_fleet_t *fleet, unsigned most, tg_error_t *err);
void tg_redis_pool_destroy(tg_redis_pool_t *pool);

/* As tg_redis_call().  Waits for a connection that is free, too, within the
 * same time. */
int tg_redis_pool_call(tg_redis_pool_t *pool, const tg_ledger_message_t *msg,
    tg_ledger_answer_t *answer, tg_error_t *err);

/* The same in two steps: when the time of a call that begins now will be over
 * (monotonic, us), and the call, which may have had to wait meanwhile. */
uint64_t tg_redis_pool_deadline(const tg_redis_pool_t *pool);
int tg_redis_pool_call_by(tg_redis_pool_t *pool, uint64_t deadline,
    const tg_ledger_message_t *msg, tg_ledger_answer_t *answer,
    tg_error_t *err);

/* As tg_redis_command(). */
struct redisReply *tg_redis_pool_command(tg_redis_pool_t *pool,
    const tg_fleet_command_t *c, tg_error_t *err);

#endif /* TG_REDIS_H */
