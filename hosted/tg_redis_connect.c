/* The way to the store: by its name, its socket, or what sentinels say; TLS and
 * the password. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_redis_int.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef TG_REDIS_TLS
#include <hiredis/hiredis_ssl.h>
#endif


bool
tg_redis_has_tls(void)
{
#ifdef TG_REDIS_TLS
    return true;
#else
    return false;
#endif
}


void
tg_redis_tls_free(tg_redis_t *r)
{
#ifdef TG_REDIS_TLS
    if (r->tls != NULL) {
        redisFreeSSLContext(r->tls);
        r->tls = NULL;
    }
#else
    (void) r;
#endif
}


static int
tg_redis_tls(tg_redis_t *r, const char *host, tg_error_t *err)
{
#ifdef TG_REDIS_TLS
    const char             *ca = r->options->ca_file;
    redisSSLContextError    why = REDIS_SSL_CTX_NONE;

    if (!r->options->tls) {
        return TG_OK;
    }

    if (r->tls == NULL) {
        (void) redisInitOpenSSL();
        r->tls = redisCreateSSLContext(ca[0] != '\0' ? ca : NULL,
                                       ca[0] != '\0' ? NULL : "/etc/ssl/certs",
                                       NULL, NULL, host, &why);
    }

    if (r->tls == NULL) {
        tg_redis_disconnect(r);
        return tg_error(err, TG_REDIS_UNREACHED, 0, "TLS: %s",
                        redisSSLContextGetError(why));
    }

    if (redisInitiateSSLWithContext(r->c, r->tls) != REDIS_OK) {
        return tg_redis_failed(r, "TLS", err);
    }

    return TG_OK;
#else
    (void) host;

    if (!r->options->tls) {
        return TG_OK;
    }

    tg_redis_disconnect(r);

    return tg_error(err, TG_REDIS_UNREACHED, 0, "tls= needs a hiredis with "
                    "hiredis_ssl");
#endif
}


static int
tg_redis_auth(tg_redis_t *r, tg_error_t *err)
{
    int          rc = TG_OK;
    unsigned     n = 0;
    tg_str_t     args[3];
    redisReply  *reply;

    if (r->password == NULL) {
        return TG_OK;
    }

    args[n++] = tg_str("AUTH");

    if (r->options->user[0] != '\0') {
        args[n++] = tg_strz(r->options->user);
    }

    args[n++] = tg_strz(r->password);

    reply = tg_redis_send(r, n, args, err);
    if (reply == NULL) {
        return TG_ERROR;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        rc = tg_error(err, TG_REDIS_UNREACHED, 0, "AUTH: %.*s",
                      (int) (reply->len < 100 ? reply->len : 100),
                      reply->str);
        tg_redis_disconnect(r);
    }

    freeReplyObject(reply);

    return rc;
}


static int
tg_redis_reached(tg_redis_t *r, struct redisContext *c, tg_error_t *err)
{
    r->c = c;

    return c != NULL && c->err == 0
           ? TG_OK : tg_redis_failed(r, "it can't be reached", err);
}


/* One after the other, IPv4 first as hiredis does. */
static int
tg_redis_reach(tg_redis_t *r, const struct addrinfo *found, unsigned port,
    tg_error_t *err)
{
    int   rc = tg_error(err, TG_REDIS_UNREACHED, 0, "it has no address");
    char  address[NI_MAXHOST];

    for (unsigned pass = 0; pass < 2; pass++) {
        for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {

            if ((a->ai_family == AF_INET) != (pass == 0)
                || getnameinfo(a->ai_addr, a->ai_addrlen, address,
                               sizeof(address), NULL, 0, NI_NUMERICHOST) != 0)
            {
                continue;
            }

            rc = tg_redis_reached(r, redisConnectWithTimeout(address,
                                                 (int) port, tg_redis_left(r)),
                                  err);

            if (rc == TG_OK || tg_redis_clock() >= r->deadline) {
                return rc;
            }
        }
    }

    return rc;
}


static int
tg_redis_connect_to(tg_redis_t *r, const char *host, unsigned port,
    bool sentinel, tg_error_t *err)
{
    int               rc;
    struct addrinfo  *found;

    if (host[0] == '/') {
        rc = tg_redis_reached(r, redisConnectUnixWithTimeout(host,
                                                         tg_redis_left(r)),
                              err);

    } else if (tg_redis_name(&r->names, host,
                             r->forks ? 0 : tg_redis_left_us(r), &found, err)
               != TG_OK)
    {
        err->code = TG_REDIS_UNREACHED;
        return TG_ERROR;

    } else {
        if (r->forks) {
            r->deadline = tg_redis_deadline(r->options);
        }

        rc = tg_redis_reach(r, found, port, err);
        freeaddrinfo(found);
    }

    if (rc != TG_OK) {
        return TG_ERROR;
    }

    (void) fcntl(r->c->fd, F_SETFD, FD_CLOEXEC);

    if (tg_redis_tls(r, host, err) != TG_OK) {
        return TG_ERROR;
    }

    return sentinel ? TG_OK : tg_redis_auth(r, err);
}


/* The master as a sentinel knows it. */
static int
tg_redis_ask_sentinel(tg_redis_t *r, const tg_fleet_host_t *s, char *host,
    size_t size, unsigned *port, tg_error_t *err)
{
    int          rc;
    tg_str_t     args[3] = { tg_str("SENTINEL"),
                             tg_str("get-master-addr-by-name"),
                             tg_strz(r->options->master) };
    redisReply  *reply;

    if (tg_redis_connect_to(r, s->host, s->port, true, err) != TG_OK) {
        return TG_ERROR;
    }

    reply = tg_redis_send(r, 3, args, err);
    if (reply == NULL) {
        return TG_ERROR;
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && reply->element[0]->type == REDIS_REPLY_STRING
        && reply->element[1]->type == REDIS_REPLY_STRING)
    {
        rc = snprintf(host, size, "%s", reply->element[0]->str);
        *port = (unsigned) atoi(reply->element[1]->str);
        rc = rc > 0 && (size_t) rc < size && *port != 0 ? TG_OK : TG_ERROR;

    } else {
        rc = TG_ERROR;
    }

    if (rc != TG_OK) {
        (void) tg_error(err, TG_REDIS_UNREACHED, 0, "the sentinel at %s knows "
                        "no master \"%s\"", s->host, r->options->master);
    }

    freeReplyObject(reply);
    tg_redis_disconnect(r);

    return rc;
}


/* False of a connection that the store has closed, or on which it says what
 * nobody has asked for. */
static bool
tg_redis_is_idle(const tg_redis_t *r)
{
    struct pollfd  p = { r->c->fd, POLLIN, 0 };

    return poll(&p, 1, 0) == 0;
}


int
tg_redis_connect(tg_redis_t *r, tg_error_t *err)
{
    char                       host[TG_FLEET_TEXT_MAX];
    unsigned                   port;
    const tg_fleet_options_t  *o = r->options;

    if (r->c != NULL) {
        if (tg_redis_is_idle(r)) {
            return TG_OK;
        }

        tg_redis_disconnect(r);
    }

    if (o->nsentinels == 0) {
        return tg_redis_connect_to(r, o->redis.host, o->redis.port, false,
                                   err);
    }

    for (unsigned i = 0; i < o->nsentinels; i++) {
        if (tg_redis_ask_sentinel(r, &o->sentinels[i], host, sizeof(host),
                                  &port, err) == TG_OK)
        {
            return tg_redis_connect_to(r, host, port, false, err);
        }
    }

    return TG_ERROR;
}
