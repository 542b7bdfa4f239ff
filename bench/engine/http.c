/*
 * http.c - connections, requests read as they come, what is to be written.
 */

#define _GNU_SOURCE

#include "engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EN_FDS_MAX   65536
#define EN_READ      65536
#define EN_HEAD_MAX  65536
#define EN_LINE_MAX  256

struct en_conn_s {
    int        fd;
    bool       ctl;
    bool       waits;           /* for room in the socket */
    bool       busy;            /* a request is being answered */
    bool       hung;            /* it never is */
    bool       closes;          /* after the answer */
    bool       more;            /* of a next request has come before its turn */
    bool       dead;            /* to be closed */
    bool       rst;
    char      *in;
    size_t     in_len, in_room;
    char      *out;
    size_t     out_len, out_at, out_room;
    int64_t    due;             /* the request is answered then; 0: now */
    size_t     head, body;      /* of the request at the start of in */
    en_seq_t  *seq;
};

typedef struct {
    int   fd;
    bool  ctl;
} en_listener_t;

static en_conn_t     *en_conns[EN_FDS_MAX];
static int            en_top;                   /* highest of them, and 1 */
static en_listener_t  en_listeners[2] = { { -1, false }, { -1, true } };
static bool           en_any_dead;
static bool           en_any_more;
static unsigned       en_ndelayed;

static void en_requests(en_conn_t *c, int64_t now);


en_seq_t **
en_seq_of(en_conn_t *c)
{
    return &c->seq;
}


bool
en_is_ctl(const en_conn_t *c)
{
    return c->ctl;
}


/* From anywhere; it goes when nobody looks at it. */
static void
en_drop(en_conn_t *c)
{
    c->dead = true;
    en_any_dead = true;
}


void
en_break(en_conn_t *c)
{
    c->rst = true;
    en_drop(c);
}


static void
en_close(en_conn_t *c, int64_t now)
{
    struct linger  linger = { 1, 0 };

    if (c->seq != NULL) {
        en_log("end %llu cut", (unsigned long long) c->seq->id);
        en_model_abort(c->seq, now);
    }

    if (c->rst) {
        (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger,
                          sizeof(linger));
    }

    en_ndelayed -= c->due != 0;
    en_conns[c->fd] = NULL;
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}


static void
en_watch(en_conn_t *c)
{
    bool                waits = c->out_at != c->out_len;
    struct epoll_event  ev = { .data.fd = c->fd };

    if (waits == c->waits) {
        return;
    }

    c->waits = waits;
    ev.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
    (void) epoll_ctl(en_epoll, EPOLL_CTL_MOD, c->fd, &ev);
}


static void
en_flush(en_conn_t *c)
{
    ssize_t  n;

    while (c->out_at != c->out_len) {
        n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            break;
        }
        if (n < 0) {
            en_drop(c);
            return;
        }
        c->out_at += (size_t) n;
    }

    if (c->out_at == c->out_len) {
        c->out_at = c->out_len = 0;
        if (c->closes && !c->busy) {
            en_drop(c);
        }
    }

    en_watch(c);
}


static bool
en_room(char **buf, size_t *room, size_t want, size_t max)
{
    char    *p;
    size_t   size = *room ? *room : 4096;

    while (size < want) {
        size *= 2;
    }

    if (want > max) {
        return false;
    }

    if (size != *room) {
        p = realloc(*buf, size);
        if (p == NULL) {
            return false;
        }
        *buf = p;
        *room = size;
    }

    return true;
}


/* Gathered; en_end() and en_wrote()'s caller flush. */
void
en_begin(en_conn_t *c, const char *head)
{
    size_t  n = strlen(head);

    if (!en_room(&c->out, &c->out_room, c->out_len + n, EN_OUT_MAX)) {
        en_drop(c);
        return;
    }

    memcpy(c->out + c->out_len, head, n);
    c->out_len += n;
}


void
en_send(en_conn_t *c, const char *p, size_t n)
{
    if (c->dead) {
        return;
    }

    if (!en_room(&c->out, &c->out_room, c->out_len + n, EN_OUT_MAX)) {
        en_drop(c);
        return;
    }

    memcpy(c->out + c->out_len, p, n);
    c->out_len += n;
    en_flush(c);
}


void
en_reply(en_conn_t *c, unsigned status, const char *type, const char *body,
    size_t n)
{
    char  head[512];

    (void) snprintf(head, sizeof(head), "HTTP/1.1 %u %s\r\n"
                    "server: uvicorn\r\ncontent-length: %zu\r\n"
                    "content-type: %s\r\n\r\n", status,
                    status == 200 ? "OK" : "Error", n, type);
    en_begin(c, head);
    en_send(c, body, n);
    en_end(c);
}


/* The request goes; another may be there already. */
void
en_end(en_conn_t *c)
{
    size_t  n = c->head + c->body;

    if (c->dead) {
        return;
    }

    c->busy = false;
    memmove(c->in, c->in + n, c->in_len - n);
    c->in_len -= n;
    c->head = c->body = 0;
    c->more = c->in_len != 0;
    en_any_more |= c->more;
    en_flush(c);
}


void
en_delay(en_conn_t *c, int64_t due)
{
    c->due = due;
    en_ndelayed++;
}


bool
en_delayed(const en_conn_t *c)
{
    return c->due < 0;
}


static const char *
en_header(const char *head, const char *name, char *value)
{
    size_t       n;
    const char  *p = strcasestr(head, name);

    if (p == NULL) {
        return NULL;
    }

    p += strlen(name);
    p += strspn(p, " ");
    n = strcspn(p, "\r\n");
    n = n < EN_LINE_MAX - 1 ? n : EN_LINE_MAX - 1;
    memcpy(value, p, n);
    value[n] = '\0';

    return value;
}


/* Chunks become a body in their place; 1: done, 0: more is to come, -1: bad. */
static int
en_dechunk(en_conn_t *c, size_t head)
{
    char    *p = c->in + head, *end = c->in + c->in_len, *to = p, *line;
    size_t   n;

    for (char *look = p; ; look = line + n + 2) {
        line = memmem(look, (size_t) (end - look), "\r\n", 2);
        if (line == NULL) {
            return 0;
        }
        n = strtoull(look, NULL, 16);
        line += 2;
        if (n > EN_BODY_MAX) {
            return -1;
        }
        if ((size_t) (end - line) < n + 2) {
            return 0;
        }
        if (n == 0) {
            p = line + 2;
            break;
        }
    }

    for (char *look = c->in + head; ; look = line + n + 2) {
        line = (char *) memmem(look, (size_t) (end - look), "\r\n", 2) + 2;
        n = strtoull(look, NULL, 16);
        if (n == 0) {
            break;
        }
        memmove(to, line, n);
        to += n;
    }

    /* What comes after it moves up. */

    memmove(to, p, (size_t) (end - p));
    c->in_len = (size_t) (to - c->in) + (size_t) (end - p);
    c->body = (size_t) (to - (c->in + head));

    return 1;
}


/* 1: a whole request; 0: not yet; -1: none. */
static int
en_complete(en_conn_t *c)
{
    int     done;
    char    value[EN_LINE_MAX];
    char   *end;
    size_t  head;

    end = c->in_len ? memmem(c->in, c->in_len, "\r\n\r\n", 4) : NULL;
    if (end == NULL) {
        return c->in_len > EN_HEAD_MAX ? -1 : 0;
    }

    head = (size_t) (end + 4 - c->in);
    end[2] = '\0';
    done = 1;
    c->body = 0;

    if (en_header(c->in, "\r\ntransfer-encoding:", value) != NULL) {
        done = en_dechunk(c, head);
    } else if (en_header(c->in, "\r\ncontent-length:", value) != NULL) {
        c->body = strtoull(value, NULL, 10);
        done = c->body > EN_BODY_MAX ? -1 : c->in_len - head >= c->body;
    }

    c->closes = en_header(c->in, "\r\nconnection:", value) != NULL
                && strcasecmp(value, "close") == 0;
    end[2] = '\r';

    if (done == 1) {
        c->head = head;
    }

    return done;
}


static void
en_request(en_conn_t *c, int64_t now)
{
    char         *method = c->in, *path, *end;
    static char   line[EN_LINE_MAX];
    size_t        n = strcspn(c->in, "\r");

    n = n < sizeof(line) - 1 ? n : sizeof(line) - 1;
    memcpy(line, c->in, n);
    line[n] = '\0';
    method = line;
    path = strchr(line, ' ');
    end = path ? strchr(path + 1, ' ') : NULL;

    if (end == NULL) {
        en_drop(c);
        return;
    }

    *path++ = '\0';
    *end = '\0';
    path[strcspn(path, "?")] = '\0';
    c->busy = true;
    en_answer(c, method, path, c->in + c->head, c->body, now);

    if (en_conf.hang && !c->ctl) {
        c->hung = true;
    }
}


static void
en_requests(en_conn_t *c, int64_t now)
{
    int  done;

    while (!c->busy && !c->dead) {
        done = en_complete(c);

        if (done < 0) {
            en_drop(c);
        }

        if (done <= 0) {
            return;
        }

        en_request(c, now);
    }
}


static void
en_readable(en_conn_t *c, int64_t now)
{
    ssize_t  n;

    if (!en_room(&c->in, &c->in_room, c->in_len + EN_READ + 1,
                 EN_BODY_MAX + 2 * EN_READ))
    {
        en_drop(c);
        return;
    }

    n = recv(c->fd, c->in + c->in_len, EN_READ, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        en_drop(c);
        return;
    }

    if (n > 0) {
        c->in_len += (size_t) n;
        c->in[c->in_len] = '\0';
        en_requests(c, now);
    }
}


static void
en_accept(const en_listener_t *l)
{
    int                 fd, one = 1;
    en_conn_t          *c;
    struct epoll_event  ev = { .events = EPOLLIN };

    while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC))
           >= 0)
    {
        c = fd < EN_FDS_MAX ? calloc(1, sizeof(en_conn_t)) : NULL;
        if (c == NULL) {
            close(fd);
            continue;
        }

        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        c->fd = fd;
        c->ctl = l->ctl;
        en_conns[fd] = c;
        en_top = fd >= en_top ? fd + 1 : en_top;
        ev.data.fd = fd;
        (void) epoll_ctl(en_epoll, EPOLL_CTL_ADD, fd, &ev);

        if (!l->ctl && en_conf.reset == EN_RESET_ACCEPT) {
            en_log("reset");
            en_break(c);
        }
    }
}


int
en_http_listen(long port, bool ctl)
{
    int                 fd, one = 1;
    struct epoll_event  ev = { .events = EPOLLIN };
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }

    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0
        || listen(fd, 1024) != 0)
    {
        close(fd);
        return -1;
    }

    ev.data.fd = fd;
    (void) epoll_ctl(en_epoll, EPOLL_CTL_ADD, fd, &ev);
    en_listeners[ctl].fd = fd;

    return fd;
}


void
en_http_refuse(bool refuse)
{
    if (refuse && en_listeners[0].fd >= 0) {
        close(en_listeners[0].fd);
        en_listeners[0].fd = -1;

        for (int fd = 0; fd < en_top; fd++) {
            if (en_conns[fd] != NULL && !en_conns[fd]->ctl) {
                en_break(en_conns[fd]);
            }
        }

    } else if (!refuse && en_listeners[0].fd < 0) {
        (void) en_http_listen(en_conf.port, false);
    }
}


void
en_http_release(void)
{
    for (int fd = 0; fd < en_top; fd++) {
        if (en_conns[fd] != NULL && en_conns[fd]->hung) {
            en_break(en_conns[fd]);
        }
    }
}


void
en_http_event(int fd, uint32_t events, int64_t now)
{
    for (unsigned i = 0; i < 2; i++) {
        if (fd == en_listeners[i].fd) {
            en_accept(&en_listeners[i]);
            return;
        }
    }

    if (en_conns[fd] == NULL || en_conns[fd]->dead) {
        return;
    }

    if (events & EPOLLOUT) {
        en_flush(en_conns[fd]);
    }

    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        en_readable(en_conns[fd], now);
    }

    if (!en_conns[fd]->dead && !en_conns[fd]->busy) {
        en_requests(en_conns[fd], now);
    }
}


/* Requests whose turn has come, answers that were put off; then the closing of
 * what is over. */
void
en_http_due(int64_t now)
{
    bool        more = en_any_more;
    en_conn_t  *c;

    en_any_more = false;

    for (int fd = 0; more && fd < en_top; fd++) {
        c = en_conns[fd];
        if (c != NULL && c->more) {
            c->more = false;
            en_requests(c, now);
        }
    }

    for (int fd = 0; en_ndelayed != 0 && fd < en_top; fd++) {
        c = en_conns[fd];
        if (c != NULL && !c->dead && c->due != 0 && c->due <= now) {
            c->due = -1;
            en_request(c, now);
            c->due = 0;
            en_ndelayed--;
        }
    }

    for (int fd = 0; en_any_dead && fd < en_top; fd++) {
        if (en_conns[fd] != NULL && en_conns[fd]->dead) {
            en_close(en_conns[fd], now);
        }
    }

    en_any_dead = false;
}


int64_t
en_http_next(void)
{
    int64_t  next = INT64_MAX;

    for (int fd = 0; en_ndelayed != 0 && fd < en_top; fd++) {
        if (en_conns[fd] != NULL && !en_conns[fd]->dead
            && en_conns[fd]->due > 0 && en_conns[fd]->due < next)
        {
            next = en_conns[fd]->due;
        }
    }

    return next;
}
