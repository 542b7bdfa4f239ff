/*
 * provider - a provider that keeps books of its own.
 *
 *   provider PORT BOOKS SHARE DELAY CANARY
 *
 * Answers chat completions with as much usage as it pleases: up to SHARE
 * percent of the call's max_tokens, after up to DELAY milliseconds.  What it
 * charges for is written to BOOKS when the request has been read, one line a
 * call: the call's number (X-Call), the manner (X-Manner), input tokens, those
 * of them that were cached, output tokens.
 *
 * Manners: j an answer, s a stream, u a stream whose connection is reset behind
 * the usage, m one that is reset before it, r a reset instead of an answer, e an
 * error 500.  The last two are free of charge.
 *
 * It is a webhook, too: POST /hook.
 *
 * A request in which a virtual key is found counts as a leak, and so does one to
 * the webhook in which CANARY is.  GET / tells the number of leaks, of requests,
 * of calls charged for and of posts to the webhook.
 */

#define _GNU_SOURCE

#include "tg_str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX    4096
#define IN_MAX     16384
#define OUT_MAX    4096
#define STEPS      3                    /* pieces of a stream */
#define VIRTUAL    "sk-tg-"             /* what virtual keys begin with */

typedef struct {
    int       fd;
    char      manner;                   /* 0: no request is being answered */
    unsigned  step;
    int64_t   due;                      /* ms, of the next piece */
    size_t    got;
    unsigned  input, cached, output;
    char      in[IN_MAX + 1];
} conn_t;

static int        ep;
static conn_t    *conns[FDS_MAX];
static FILE      *books;
static unsigned   share, delay;
static uint64_t   seed = 0x9e3779b97f4a7c15, requests, charged, leaks, hooks;
static const char  *canary;


static uint64_t
any(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return below == 0 ? 0 : seed % below;
}


static int64_t
now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static _Noreturn void
die(const char *what)
{
    perror(what);
    exit(1);
}


static void
shut(conn_t *c, bool reset)
{
    struct linger  l = { 1, 0 };

    if (reset) {
        (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    }

    close(c->fd);
    conns[c->fd] = NULL;
    free(c);
}


/* Answers are far smaller than a socket's buffer. */
static bool
say(conn_t *c, const char *text, size_t n)
{
    if (send(c->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t) n) {
        return true;
    }

    shut(c, true);

    return false;
}


static bool
say_json(conn_t *c, unsigned status, const char *body)
{
    int   n;
    char  out[OUT_MAX];

    n = snprintf(out, sizeof(out), "HTTP/1.1 %u Fine\r\n"
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                 "\r\n%s", status, strlen(body), body);

    return say(c, out, (size_t) n);
}


static int
usage(conn_t *c, char *buf, size_t size)
{
    return snprintf(buf, size, "\"usage\":{\"prompt_tokens\":%u,"
                    "\"completion_tokens\":%u,\"total_tokens\":%u,"
                    "\"prompt_tokens_details\":{\"cached_tokens\":%u}}",
                    c->input, c->output, c->input + c->output, c->cached);
}


static int
chunk(char *p, const char *event)
{
    return sprintf(p, "%zx\r\n%s\r\n", strlen(event), event);
}


#define EVENT  "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\","    \
               "\"created\":1,\"model\":\"gpt-4o-mini\",\"choices\":["


static bool
say_stream(conn_t *c)
{
    int   n = 0;
    char  out[OUT_MAX], event[1024], used[256];

    if (c->step == 0) {
        n = sprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream"
                    "\r\nTransfer-Encoding: chunked\r\n\r\n");
        n += chunk(out + n, EVENT "{\"index\":0,\"delta\":{\"role\":"
                   "\"assistant\",\"content\":\"\"}}]}\n\n");

    } else if (c->step < STEPS - 1) {
        n = chunk(out, EVENT "{\"index\":0,\"delta\":{\"content\":"
                  "\"so and so\"}}]}\n\n");

    } else if (c->manner == 'm') {
        shut(c, true);
        return false;

    } else {
        (void) usage(c, used, sizeof(used));
        (void) snprintf(event, sizeof(event), EVENT "],%s}\n\n", used);
        n = chunk(out, EVENT "{\"index\":0,\"delta\":{},\"finish_reason\":"
                  "\"stop\"}]}\n\n");
        n += chunk(out + n, event);
        if (c->manner == 's') {
            n += sprintf(out + n, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
        }
    }

    return say(c, out, (size_t) n);
}


/* The next piece; false where the connection is gone. */
static bool
answer(conn_t *c, int64_t now)
{
    char  body[1024], used[256];

    switch (c->manner) {

    case 'r':
        shut(c, true);
        return false;

    case 'e':
        c->manner = 0;
        return say_json(c, 500, "{\"error\":{\"message\":\"no\","
                                "\"type\":\"server_error\"}}");

    case 'j':
        c->manner = 0;
        (void) usage(c, used, sizeof(used));
        (void) snprintf(body, sizeof(body), "{\"id\":\"c\",\"object\":"
                        "\"chat.completion\",\"created\":1,\"model\":"
                        "\"gpt-4o-mini\",\"choices\":[{\"index\":0,"
                        "\"message\":{\"role\":\"assistant\",\"content\":"
                        "\"so\"},\"finish_reason\":\"stop\"}],%s}", used);
        return say_json(c, 200, body);

    default:
        if (c->step == STEPS) {             /* the usage has arrived */
            shut(c, true);
            return false;
        }

        if (!say_stream(c)) {
            return false;
        }

        c->due = now + 1 + (int64_t) any(delay);

        if (++c->step == STEPS) {
            if (c->manner == 's') {
                c->manner = 0;
            } else {
                c->due = now + 50;
            }
        }

        return true;
    }
}


static const char *
header(const conn_t *c, const char *name)
{
    const char  *p = strcasestr(c->in, name);

    return p == NULL ? NULL : p + strlen(name);
}


static void
charge(conn_t *c, size_t body_len, const char *body)
{
    unsigned     most = 16;
    const char  *p = strstr(body, "\"max_tokens\":"), *call;

    if (p != NULL) {
        most = (unsigned) strtoul(p + 13, NULL, 10);
    }

    c->input = 1 + (unsigned) any(body_len / 5);
    c->cached = any(3) == 0 ? (unsigned) any(c->input) : 0;
    c->output = 1 + (unsigned) any((uint64_t) most * share / 100);
    c->output = c->output > most ? most : c->output;

    call = header(c, "\r\nX-Call: ");

    if (call == NULL || c->manner == 'r' || c->manner == 'e') {
        return;
    }

    fprintf(books, "%.*s %c %u %u %u\n", (int) strcspn(call, "\r"), call,
            c->manner, c->input, c->cached, c->output);
    charged++;
}


/* A whole request? Then its first piece falls due. */
static bool
request(conn_t *c)
{
    char        *body, text[256];
    size_t       len;
    const char  *p;

    c->in[c->got] = '\0';
    body = strstr(c->in, "\r\n\r\n");

    if (body == NULL) {
        return true;
    }

    body += 4;
    p = header(c, "\r\nContent-Length: ");
    len = p == NULL || p > body ? 0 : strtoul(p, NULL, 10);

    if ((size_t) (c->in + c->got - body) < len) {
        return true;
    }

    requests++;
    leaks += strstr(c->in, VIRTUAL) != NULL;

    if (strncmp(c->in, "GET ", 4) == 0) {
        c->got = 0;
        fflush(books);
        (void) snprintf(text, sizeof(text), "{\"requests\":%" PRIu64
                        ",\"charged\":%" PRIu64 ",\"leaks\":%" PRIu64
                        ",\"hooks\":%" PRIu64 "}", requests, charged, leaks,
                        hooks);
        return say_json(c, 200, text);
    }

    if (strncmp(c->in, "POST /hook ", 11) == 0) {
        hooks++;
        leaks += strstr(c->in, canary) != NULL;
        c->got = 0;
        return say_json(c, 200, "{}");
    }

    p = header(c, "\r\nX-Manner: ");
    c->manner = p == NULL ? 'j' : *p;
    c->step = 0;
    c->due = now_ms() + (int64_t) any(delay);
    charge(c, len, body);
    c->got = 0;

    return true;
}


static void
readable(conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, c->in + c->got, IN_MAX - c->got, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN) || c->got == IN_MAX) {
        shut(c, false);
        return;
    }

    if (n > 0) {
        c->got += (size_t) n;
        (void) request(c);
    }
}


static void
welcome(int lfd)
{
    int                 fd, one = 1;
    conn_t             *c;
    struct epoll_event  ev = { .events = EPOLLIN };

    while ((fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        c = fd < FDS_MAX ? calloc(1, sizeof(conn_t)) : NULL;
        if (c == NULL) {
            close(fd);
            continue;
        }

        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        c->fd = fd;
        conns[fd] = c;
        ev.data.fd = fd;
        (void) epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    }
}


static int
listening(const char *port)
{
    int                 fd, one = 1;
    struct epoll_event  ev = { .events = EPOLLIN };
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    sin.sin_port = htons((uint16_t) atoi(port));
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0
        || listen(fd, 1024) != 0)
    {
        die("listen");
    }

    ev.data.fd = fd;
    (void) epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);

    return fd;
}


static void
due(void)
{
    int64_t  now = now_ms();

    for (int fd = 0; fd < FDS_MAX; fd++) {
        if (conns[fd] != NULL && conns[fd]->manner != 0
            && conns[fd]->due <= now)
        {
            (void) answer(conns[fd], now);
        }
    }
}


int
main(int argc, char **argv)
{
    int                 lfd, n, fd;
    struct epoll_event  evs[256];

    if (argc != 6) {
        fprintf(stderr, "usage: provider PORT BOOKS SHARE DELAY CANARY\n");
        return 2;
    }

    books = fopen(argv[2], "ae");
    if (books == NULL) {
        die(argv[2]);
    }

    share = (unsigned) atoi(argv[3]);
    delay = (unsigned) atoi(argv[4]);
    canary = argv[5];
    ep = epoll_create1(EPOLL_CLOEXEC);
    lfd = listening(argv[1]);

    for ( ;; ) {
        n = epoll_wait(ep, evs, 256, 2);

        for (int i = 0; i < n; i++) {
            fd = evs[i].data.fd;

            if (fd == lfd) {
                welcome(lfd);

            } else if (conns[fd] != NULL) {
                readable(conns[fd]);
            }
        }

        due();
    }
}
