#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_redis.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifdef TG_REDIS_TLS
#include <hiredis/hiredis_ssl.h>
#endif

#define TG_REDIS_PASSWORD_MAX  512


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


int
tg_redis_none(tg_ledger_answer_t *answer)
{
    answer->status = TG_LEDGER_NO_ANSWER;
    answer->n = 0;
    answer->has_nodes = false;
    answer->nnodes = 0;

    return TG_ERROR;
}


void
tg_redis_init(tg_redis_t *r, const tg_fleet_options_t *options,
    const tg_fleet_t *fleet, char *password)
{
    memset(r, 0, sizeof(*r));
    r->options = options;
    r->fleet = fleet;
    r->password = password;
}


static void
tg_redis_disconnect(tg_redis_t *r)
{
    if (r->c != NULL) {
        redisFree(r->c);
        r->c = NULL;
    }
}


void
tg_redis_close(tg_redis_t *r)
{
    tg_redis_disconnect(r);
    tg_redis_names_free(r->names);
    r->names = NULL;

#ifdef TG_REDIS_TLS
    if (r->tls != NULL) {
        redisFreeSSLContext(r->tls);
        r->tls = NULL;
    }
#endif
}


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
tg_redis_forget(char *password)
{
    if (password != NULL) {
        explicit_bzero(password, strlen(password));
        free(password);
    }
}


static int
tg_redis_password_read(int fd, const char *name, char **password,
    tg_error_t *err)
{
    char         line[TG_REDIS_PASSWORD_MAX + 1];
    size_t       len;
    ssize_t      n;
    struct stat  st;

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        return tg_error(err, 0, 0, "\"%s\" is not a file", name);
    }

    if (st.st_mode & S_IRWXO) {
        return tg_error(err, 0, 0, "\"%s\" is open to others: chmod o= it",
                        name);
    }

    n = read(fd, line, sizeof(line) - 1);

    if (n < 0) {
        return tg_error(err, errno, 0, "\"%s\" can't be read: %s", name,
                        strerror(errno));
    }

    line[n] = '\0';
    len = strcspn(line, "\r\n");
    line[len] = '\0';

    if (len == 0 || len == TG_REDIS_PASSWORD_MAX) {
        return tg_error(err, 0, 0, "\"%s\" must have a password in its first "
                        "line, of less than %d bytes", name,
                        TG_REDIS_PASSWORD_MAX);
    }

    *password = strdup(line);
    explicit_bzero(line, sizeof(line));

    return *password != NULL ? TG_OK : tg_error(err, 0, 0, "no memory");
}


int
tg_redis_password(const tg_fleet_options_t *options, char **password,
    tg_error_t *err)
{
    int  fd, rc;

    *password = NULL;

    if (options->password_file[0] == '\0') {
        return TG_OK;
    }

    fd = open(options->password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd == -1) {
        return tg_error(err, errno, 0, "\"%s\" can't be opened: %s",
                        options->password_file, strerror(errno));
    }

    rc = tg_redis_password_read(fd, options->password_file, password, err);
    close(fd);

    return rc;
}


/* What is left of the call's time, us; at least a millisecond, for 0 is for
 * ever. */
static uint64_t
tg_redis_left_us(const tg_redis_t *r)
{
    uint64_t  now = tg_redis_clock();

    return r->deadline > now + 1000 ? r->deadline - now : 1000;
}


static struct timeval
tg_redis_left(const tg_redis_t *r)
{
    uint64_t        left = tg_redis_left_us(r);
    struct timeval  tv;

    tv.tv_sec = (time_t) (left / 1000000);
    tv.tv_usec = (suseconds_t) (left % 1000000);

    return tv;
}


static int
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


/* One command within the call's time; NULL, and there is no connection any
 * more. */
static redisReply *
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


static int
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


void
tg_redis_reply(const struct redisReply *from, tg_fleet_reply_t *to)
{
    to->kind = TG_FLEET_NONE;
    to->n = 0;
    to->error = tg_str_null;

    if (from == NULL) {
        return;
    }

    to->kind = TG_FLEET_FAILED;

    if (from->type == REDIS_REPLY_ERROR || from->type == REDIS_REPLY_STATUS) {
        to->error = tg_str_of(from->str, (size_t) from->len);
        return;
    }

    to->error = tg_str("an answer of another type");

    if (from->type != REDIS_REPLY_ARRAY
        || from->elements > TG_FLEET_INTS_MAX)
    {
        return;
    }

    for (size_t i = 0; i < from->elements; i++) {
        if (from->element[i]->type != REDIS_REPLY_INTEGER) {
            return;
        }

        to->ints[i] = from->element[i]->integer;
    }

    to->n = (unsigned) from->elements;
    to->kind = TG_FLEET_INTS;
}


/* The message, once, and again where the script was not known. */
static int
tg_redis_exchange(tg_redis_t *r, const tg_ledger_message_t *msg,
    tg_fleet_command_t *c, tg_ledger_answer_t *answer, tg_error_t *err)
{
    bool              whole = false;
    redisReply       *reply;
    tg_fleet_next_t   next;
    tg_fleet_reply_t  neutral;

    do {
        tg_fleet_command(r->fleet, msg, whole, c);

        reply = tg_redis_send(r, c->argc, c->argv, err);
        if (reply == NULL) {
            return TG_ERROR;
        }

        tg_redis_reply(reply, &neutral);
        next = tg_fleet_answer(msg, &neutral, answer, err);
        freeReplyObject(reply);

        if (next == TG_FLEET_ELSEWHERE) {
            tg_redis_disconnect(r);
        }

        if (next != TG_FLEET_WHOLE) {
            break;
        }

        whole = !whole;

    } while (whole);

    return answer->status == TG_LEDGER_NO_ANSWER ? TG_ERROR : TG_OK;
}


int
tg_redis_call_by(tg_redis_t *r, const tg_ledger_message_t *msg,
    tg_ledger_answer_t *answer, tg_error_t *err)
{
    int                  rc;
    tg_fleet_command_t  *c;

    (void) tg_redis_none(answer);

    if (tg_redis_connect(r, err) != TG_OK) {
        return TG_ERROR;
    }

    c = malloc(sizeof(*c));
    if (c == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    rc = tg_redis_exchange(r, msg, c, answer, err);
    free(c);

    return rc;
}


int
tg_redis_call(tg_redis_t *r, const tg_ledger_message_t *msg,
    tg_ledger_answer_t *answer, tg_error_t *err)
{
    r->deadline = tg_redis_deadline(r->options);

    return tg_redis_call_by(r, msg, answer, err);
}


struct redisReply *
tg_redis_command(tg_redis_t *r, const tg_fleet_command_t *c, tg_error_t *err)
{
    r->deadline = tg_redis_deadline(r->options);

    if (tg_redis_connect(r, err) != TG_OK) {
        return NULL;
    }

    return tg_redis_send(r, c->argc, c->argv, err);
}


/* A text of INFO, or of CONFIG GET the value; an error is an empty one. */
static redisReply *
tg_redis_ask(tg_redis_t *r, tg_str_t a, tg_str_t b, tg_str_t c, tg_str_t *text,
    tg_error_t *err)
{
    tg_str_t           args[3] = { a, b, c };
    redisReply        *reply;
    const redisReply  *value;

    reply = tg_redis_send(r, c.len != 0 ? 3 : 2, args, err);
    if (reply == NULL) {
        return NULL;
    }

    value = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
            ? reply->element[1] : reply;

    if (value->type == REDIS_REPLY_STRING) {
        *text = tg_str_of(value->str, (size_t) value->len);
    }

    return reply;
}


int
tg_redis_check(tg_redis_t *r, tg_error_t *err)
{
    int               rc = TG_ERROR;
    redisReply       *memory = NULL, *replication = NULL, *least = NULL;
    tg_fleet_facts_t  facts;

    memset(&facts, 0, sizeof(facts));
    r->deadline = tg_redis_deadline(r->options);

    if (tg_redis_connect(r, err) != TG_OK) {
        return TG_ERROR;
    }

    memory = tg_redis_ask(r, tg_str("INFO"), tg_str("memory"), tg_str_null,
                          &facts.memory, err);

    if (memory != NULL) {
        replication = tg_redis_ask(r, tg_str("INFO"), tg_str("replication"),
                                   tg_str_null, &facts.replication, err);
    }

    if (replication != NULL) {
        least = tg_redis_ask(r, tg_str("CONFIG"), tg_str("GET"),
                             tg_str("min-replicas-to-write"),
                             &facts.min_replicas, err);
    }

    if (least != NULL) {
        rc = tg_fleet_check(&facts, err);
        freeReplyObject(least);

        if (rc != TG_OK && r->options->nsentinels != 0
            && tg_str_eq(tg_fleet_info(facts.replication, "role"),
                         tg_str("slave")))
        {
            err->code = TG_REDIS_UNREACHED;
        }
    }

    if (replication != NULL) {
        freeReplyObject(replication);
    }

    if (memory != NULL) {
        freeReplyObject(memory);
    }

    return rc;
}
