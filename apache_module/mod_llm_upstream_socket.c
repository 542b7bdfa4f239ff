#include "mod_llm_upstream_socket.h"

#include "apr_errno.h"
#include "apr_strings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define LLM_UP_SOCKET_BUFFER  65536

static bool llm_up_socket_again(llm_up_socket_t *s, int64_t now);


static bool
llm_up_socket_file(llm_up_socket_t *s, const char *file)
{
    struct sockaddr_un  *un = (struct sockaddr_un *) &s->to;

    if (strlen(file) >= sizeof(un->sun_path)) {
        return false;
    }

    un->sun_family = AF_UNIX;
    apr_cpystrn(un->sun_path, file, sizeof(un->sun_path));
    s->to_len = sizeof(struct sockaddr_un);

    return true;
}


static bool
llm_up_socket_address(llm_up_socket_t *s, const char *address, uint16_t port)
{
    char                  v6[INET6_ADDRSTRLEN];
    size_t                n = strlen(address);
    struct sockaddr_in   *in = (struct sockaddr_in *) &s->to;
    struct sockaddr_in6  *in6 = (struct sockaddr_in6 *) &s->to;

    if (address[0] == '[' && n > 2 && n - 1 <= sizeof(v6)) {
        apr_cpystrn(v6, address + 1, n - 1);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        s->to_len = sizeof(struct sockaddr_in6);

        return inet_pton(AF_INET6, v6, &in6->sin6_addr) == 1;
    }

    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    s->to_len = sizeof(struct sockaddr_in);

    return inet_pton(AF_INET, address, &in->sin_addr) == 1;
}


llm_up_socket_t *
llm_up_socket_open(const llm_up_socket_conf_t *conf)
{
    llm_up_socket_t  *s = calloc(1, sizeof(llm_up_socket_t));

    if (s == NULL) {
        return NULL;
    }

    s->fd = -1;
    s->connect_ms = conf->connect_ms;
    s->timeout_ms = conf->timeout_ms;
    s->body = conf->body;
    s->data = conf->data;
    s->length = tg_probe_request(s->request, sizeof(s->request),
                                 tg_strz(conf->host), conf->path,
                                 conf->accept != NULL ? tg_strz(conf->accept)
                                                      : tg_str_null);

    if (s->length == 0
        || !(conf->file != NULL
             ? llm_up_socket_file(s, conf->file)
             : llm_up_socket_address(s, conf->address, conf->port)))
    {
        free(s);
        return NULL;
    }

    return s;
}


static void
llm_up_socket_drop(llm_up_socket_t *s)
{
    if (s->fd != -1) {
        (void) close(s->fd);
        s->fd = -1;
    }
}


static void
llm_up_socket_end(llm_up_socket_t *s, const char *why)
{
    s->over = true;

    if (why != NULL || !s->reader.done || !s->reader.keep) {
        llm_up_socket_drop(s);
    }

    if (why != NULL) {
        apr_cpystrn(s->why, why, sizeof(s->why));
    }
}


static void
llm_up_socket_fail(llm_up_socket_t *s, const char *what, int err)
{
    char  why[TG_BACKEND_WHY_MAX], text[TG_BACKEND_WHY_MAX];

    apr_snprintf(why, sizeof(why), "%s: %s", what,
                 apr_strerror(err, text, sizeof(text)));
    llm_up_socket_end(s, why);
}


static void
llm_up_socket_send(llm_up_socket_t *s, int64_t now)
{
    int      err;
    ssize_t  n;

    n = send(s->fd, s->request + s->sent, s->length - s->sent, MSG_NOSIGNAL);

    if (n >= 0) {
        s->sent += (size_t) n;
        return;
    }

    err = errno;

    if (err != EAGAIN && err != EINTR && !llm_up_socket_again(s, now)) {
        llm_up_socket_fail(s, "the request can't be sent", err);
    }
}


static void
llm_up_socket_connect(llm_up_socket_t *s, int64_t now)
{
    s->sent = 0;
    s->reused = false;
    s->fd = socket(s->to.ss_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (s->fd == -1) {
        llm_up_socket_fail(s, "socket() failed", errno);
        return;
    }

    if (connect(s->fd, (struct sockaddr *) &s->to, s->to_len) == 0) {
        s->connect_by = INT64_MAX;
        llm_up_socket_send(s, now);

    } else if (errno == EINPROGRESS) {
        s->connect_by = now + (int64_t) s->connect_ms * 1000000;

    } else {
        llm_up_socket_fail(s, "connect() failed", errno);
    }
}


/* A connection that was kept may have been closed before it saw the request. */
static bool
llm_up_socket_again(llm_up_socket_t *s, int64_t now)
{
    if (!s->reused || s->reader.status != 0 || s->reader.held != 0) {
        return false;
    }

    llm_up_socket_drop(s);
    llm_up_socket_connect(s, now);

    return true;
}


/* What a kept one has to read is no answer of ours. */
static bool
llm_up_socket_kept(const llm_up_socket_t *s)
{
    char  c;

    return s->fd != -1 && recv(s->fd, &c, 1, MSG_PEEK) == -1
           && errno == EAGAIN;
}


void
llm_up_socket_start(llm_up_socket_t *s, int64_t now)
{
    tg_probe_init(&s->reader);

    s->over = false;
    s->why[0] = '\0';
    s->end_by = now + (int64_t) s->timeout_ms * 1000000;

    if (!llm_up_socket_kept(s)) {
        llm_up_socket_drop(s);
        llm_up_socket_connect(s, now);
        return;
    }

    s->sent = 0;
    s->reused = true;

    llm_up_socket_send(s, now);
}


static bool
llm_up_socket_connected(llm_up_socket_t *s)
{
    int        err = 0;
    socklen_t  len = sizeof(err);

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
        err = errno;
    }

    if (err != 0) {
        llm_up_socket_fail(s, "connect() failed", err);
        return false;
    }

    s->connect_by = INT64_MAX;

    return true;
}


static void
llm_up_socket_read(llm_up_socket_t *s, int64_t now)
{
    int         rc;
    char        buf[LLM_UP_SOCKET_BUFFER];
    ssize_t     n;
    tg_error_t  err;

    n = recv(s->fd, buf, sizeof(buf), 0);

    if (n == -1) {
        rc = errno;

        if (rc != EAGAIN && rc != EINTR && !llm_up_socket_again(s, now)) {
            llm_up_socket_fail(s, "the connection broke", rc);
        }

        return;
    }

    if (n == 0 && llm_up_socket_again(s, now)) {
        return;
    }

    rc = n == 0 ? tg_probe_closed(&s->reader, &err)
                : tg_probe_feed(&s->reader, buf, (size_t) n, s->body, s->data,
                                &err);

    if (rc != TG_OK) {
        llm_up_socket_end(s, err.message);

    } else if (s->reader.done) {
        llm_up_socket_end(s, NULL);
    }
}


void
llm_up_socket_ready(llm_up_socket_t *s, int64_t now)
{
    if (!llm_up_socket_writes(s)) {
        llm_up_socket_read(s, now);

    } else if (s->connect_by == INT64_MAX || llm_up_socket_connected(s)) {
        llm_up_socket_send(s, now);
    }
}


void
llm_up_socket_late(llm_up_socket_t *s, int64_t now)
{
    if (now >= s->end_by) {
        llm_up_socket_end(s, "it timed out: no whole answer within timeout=");

    } else if (now >= s->connect_by) {
        llm_up_socket_end(s, "it timed out: no connection within connect=");
    }
}


void
llm_up_socket_close(llm_up_socket_t *s)
{
    if (s != NULL) {
        llm_up_socket_drop(s);
        free(s);
    }
}
