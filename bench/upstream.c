/*
 * upstream.c - a provider that costs next to nothing, for measurements.
 *
 *     upstream PORT ANSWER EVENTS MESSAGES
 *
 * ANSWER: the body of an answer.  EVENTS: the text of an event stream, whose
 * events end with an empty line; MESSAGES: another one, as another provider
 * writes it.  The request header "X-Bench: <letter>" says what to answer, after
 * the request's body has been read and thrown away:
 *
 *     j    ANSWER, as JSON (the default)
 *     b    all events at once, each a chunk of HTTP's by itself
 *     m    those of MESSAGES in the same way
 *     p    the first event at once, the others one a tick of 1 ms
 *     s    the same, of a short stream: what is between its first events and
 *          the last ones is left out
 *     i    a few events at once, and then nothing for ever
 *     w    the same, and then one at a time, each after many ticks
 *     n    how many events were sent since the start
 *
 * A POST that has no body is answered with 411: somebody has lost it.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define UP_HEAD_MAX     4096
#define UP_EVENTS_MAX   65536
#define UP_FDS_MAX      65536
#define UP_FIRST        3               /* of a short stream */
#define UP_LAST         2
#define UP_IDLE         3
#define UP_TICK_NS      1000000
#define UP_SLOW         250             /* ticks */
#define UP_BODY_STEP    (1 << 30)
#define UP_NO_BODY      '-'

typedef struct {
    int          fd;
    char         mode;
    bool         waits;                 /* for room in the socket */
    size_t       head;                  /* bytes of the request's head */
    uint64_t     body;                  /* bytes of its body still to come */
    const char  *out;
    size_t       left;
    size_t       event;                 /* to be sent next; 0: not paced */
    char         buf[UP_HEAD_MAX];
} up_conn_t;

typedef struct {
    char    *text;                      /* a whole answer, with its head */
    size_t   len;
} up_answer_t;

/* An event stream in chunks, with its head. */
typedef struct {
    char    *text;
    size_t   len;
    size_t   events;
    size_t   at[UP_EVENTS_MAX + 1];     /* where an event starts */
} up_stream_t;

static const char   up_no_body[] = "HTTP/1.1 411 Length Required\r\n"
                                   "Content-Length: 0\r\n\r\n";

static int          up_epoll;
static up_answer_t  up_json;
static up_stream_t  up_stream;
static up_stream_t  up_messages;
static uint64_t     up_sent;                    /* events */
static up_conn_t   *up_conns[UP_FDS_MAX];
static up_conn_t   *up_paced[UP_FDS_MAX];
static size_t       up_npaced;


static _Noreturn void
up_die(const char *what)
{
    perror(what);
    exit(1);
}


static char *
up_read(const char *name, size_t *len)
{
    FILE  *f = fopen(name, "r");
    char  *text;
    long   size = -1;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0) {
        up_die(name);
    }

    rewind(f);
    *len = (size_t) size;
    text = malloc(*len + 1);

    if (text == NULL || fread(text, 1, *len, f) != *len) {
        up_die(name);
    }

    text[*len] = '\0';
    fclose(f);

    return text;
}


static void
up_make_json(const char *name)
{
    int     n;
    char   *body;
    size_t  len;

    body = up_read(name, &len);
    n = asprintf(&up_json.text, "HTTP/1.1 200 OK\r\n"
                 "Content-Type: application/json\r\n"
                 "Content-Length: %zu\r\n"
                 "openai-processing-ms: 412\r\n"
                 "x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
                 "\r\n%s", len, body);
    if (n < 0) {
        up_die(name);
    }

    up_json.len = (size_t) n;
    free(body);
}


/* Each event becomes a chunk; the head goes with the first of them. */
static void
up_make_stream(up_stream_t *s, const char *name)
{
    char    *body, *p, *end, *out;
    size_t   len;

    body = up_read(name, &len);
    out = malloc(2 * len + 4096);
    if (out == NULL) {
        up_die(name);
    }

    s->text = out;
    out += sprintf(out, "HTTP/1.1 200 OK\r\n"
                   "Content-Type: text/event-stream; charset=utf-8\r\n"
                   "Cache-Control: no-cache\r\n"
                   "Transfer-Encoding: chunked\r\n"
                   "openai-processing-ms: 412\r\n"
                   "x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
                   "\r\n");

    for (p = body; (end = strstr(p, "\n\n")) != NULL; p = end + 2) {
        if (s->events == UP_EVENTS_MAX || len < 16) {
            errno = E2BIG;
            up_die(name);
        }

        len = (size_t) (end + 2 - p);
        out += sprintf(out, "%zx\r\n", len);
        out = mempcpy(out, p, len);
        out = stpcpy(out, "\r\n");
        s->at[++s->events] = (size_t) (out - s->text);
    }

    if (s->events <= UP_FIRST + UP_LAST) {
        errno = EINVAL;
        up_die(name);
    }

    out = stpcpy(out, "0\r\n\r\n");
    s->len = (size_t) (out - s->text);
    free(body);
}


static void
up_close(up_conn_t *c)
{
    for (size_t i = 0; i < up_npaced; i++) {
        if (up_paced[i] == c) {
            up_paced[i] = up_paced[--up_npaced];
            break;
        }
    }

    close(c->fd);
    up_conns[c->fd] = NULL;
    free(c);
}


static bool
up_write(up_conn_t *c)
{
    ssize_t             n;
    struct epoll_event  ev = { .data.fd = c->fd };

    while (c->left != 0) {
        n = send(c->fd, c->out, c->left, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            break;
        }

        if (n < 0) {
            up_close(c);
            return false;
        }

        c->out += n;
        c->left -= (size_t) n;
    }

    if (c->waits != (c->left != 0)) {
        c->waits = !c->waits;
        ev.events = c->waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
        (void) epoll_ctl(up_epoll, EPOLL_CTL_MOD, c->fd, &ev);
    }

    return true;
}


static bool
up_send(up_conn_t *c, const char *p, size_t n)
{
    c->out = p;
    c->left = n;

    return up_write(c);
}


static bool
up_count(up_conn_t *c)
{
    static char  text[256];
    char         number[32];
    int          n = sprintf(number, "%llu", (unsigned long long) up_sent);

    return up_send(c, text, (size_t) sprintf(text, "HTTP/1.1 200 OK\r\n"
                                             "Content-Length: %d\r\n\r\n%s", n,
                                             number));
}


static bool
up_answer(up_conn_t *c)
{
    switch (c->mode) {

    case 'b':
        up_sent += up_stream.events;
        return up_send(c, up_stream.text, up_stream.len);

    case 'm':
        up_sent += up_messages.events;
        return up_send(c, up_messages.text, up_messages.len);

    case 'p':
    case 's':
        up_sent++;
        c->event = 1;
        up_paced[up_npaced++] = c;
        return up_send(c, up_stream.text, up_stream.at[1]);

    case 'i':
        up_sent += UP_IDLE;
        return up_send(c, up_stream.text, up_stream.at[UP_IDLE]);

    case 'w':
        up_sent += UP_IDLE;
        c->event = UP_IDLE;
        up_paced[up_npaced++] = c;
        return up_send(c, up_stream.text, up_stream.at[UP_IDLE]);

    case 'n':
        return up_count(c);

    case UP_NO_BODY:
        return up_send(c, up_no_body, sizeof(up_no_body) - 1);

    default:
        return up_send(c, up_json.text, up_json.len);
    }
}


/* One event to each of the paced streams whose turn it is. */
static void
up_tick(void)
{
    size_t           i = 0;
    up_conn_t       *c;
    static unsigned  tick;

    tick = (tick + 1) % UP_SLOW;

    while (i < up_npaced) {
        c = up_paced[i];

        if (c->left != 0 || (c->mode == 'w' && tick != 0)) {
            i++;
            continue;
        }

        if (c->mode == 's' && c->event == UP_FIRST) {
            c->event = up_stream.events - UP_LAST;
        }

        if (c->event == up_stream.events) {
            c->event = 0;
            up_paced[i] = up_paced[--up_npaced];
            (void) up_send(c, "0\r\n\r\n", 5);
            continue;
        }

        up_sent++;
        c->event++;
        if (up_send(c, up_stream.text + up_stream.at[c->event - 1],
                    up_stream.at[c->event] - up_stream.at[c->event - 1]))
        {
            i++;
        }
    }
}


/* What is wanted of a request's head; true where it is complete. */
static bool
up_parse(up_conn_t *c)
{
    char    *end, *p;
    size_t   got;

    c->buf[c->head] = '\0';
    end = strstr(c->buf, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }

    got = c->head - (size_t) (end + 4 - c->buf);
    *end = '\0';

    p = strcasestr(c->buf, "\r\nX-Bench: ");
    c->mode = p != NULL ? p[11] : 'j';

    p = strcasestr(c->buf, "\r\nContent-Length: ");
    c->body = p != NULL ? strtoull(p + 18, NULL, 10) : 0;

    if (c->body == 0 && strncmp(c->buf, "POST ", 5) == 0) {
        c->mode = UP_NO_BODY;
    }

    c->body -= got < c->body ? got : c->body;
    c->head = 0;

    return true;
}


static void
up_readable(up_conn_t *c)
{
    ssize_t  n;
    size_t   room;
    bool     done;

    if (c->body != 0) {

        /* TCP throws the bytes away without a copy. */

        room = c->body < UP_BODY_STEP ? (size_t) c->body : UP_BODY_STEP;
        n = recv(c->fd, NULL, room, MSG_TRUNC | MSG_DONTWAIT);
        if (n > 0) {
            c->body -= (uint64_t) n;
        }
        done = c->body == 0;

    } else {
        n = recv(c->fd, c->buf + c->head, sizeof(c->buf) - 1 - c->head,
                 MSG_DONTWAIT);
        if (n > 0) {
            c->head += (size_t) n;
        }
        done = n > 0 && up_parse(c) && c->body == 0;
    }

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        up_close(c);

    } else if (done) {
        (void) up_answer(c);
    }
}


static void
up_accept(int lfd)
{
    int                 fd, one = 1;
    up_conn_t          *c;
    struct epoll_event  ev = { .events = EPOLLIN };

    while ((fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        c = fd < UP_FDS_MAX ? calloc(1, sizeof(up_conn_t)) : NULL;
        if (c == NULL) {
            close(fd);
            continue;
        }

        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

        c->fd = fd;
        up_conns[fd] = c;
        ev.data.fd = fd;
        (void) epoll_ctl(up_epoll, EPOLL_CTL_ADD, fd, &ev);
    }
}


static int
up_listen(const char *port)
{
    int                 fd, one = 1;
    struct epoll_event  ev = { .events = EPOLLIN };
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    sin.sin_port = htons((uint16_t) atoi(port));
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0
        || listen(fd, 4096) != 0)
    {
        up_die("listen");
    }

    ev.data.fd = fd;
    (void) epoll_ctl(up_epoll, EPOLL_CTL_ADD, fd, &ev);

    return fd;
}


static int
up_timer(void)
{
    int                 fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event  ev = { .events = EPOLLIN, .data.fd = fd };
    struct itimerspec   its = { { 0, UP_TICK_NS }, { 0, UP_TICK_NS } };

    if (fd < 0 || timerfd_settime(fd, 0, &its, NULL) != 0) {
        up_die("timer");
    }

    (void) epoll_ctl(up_epoll, EPOLL_CTL_ADD, fd, &ev);

    return fd;
}


int
main(int argc, char **argv)
{
    int                 lfd, tfd, n, fd;
    uint64_t            ticks;
    struct epoll_event  evs[256];

    if (argc != 5) {
        fprintf(stderr, "usage: upstream PORT ANSWER EVENTS MESSAGES\n");
        return 2;
    }

    up_make_json(argv[2]);
    up_make_stream(&up_stream, argv[3]);
    up_make_stream(&up_messages, argv[4]);

    up_epoll = epoll_create1(0);
    lfd = up_listen(argv[1]);
    tfd = up_timer();

    for ( ;; ) {
        n = epoll_wait(up_epoll, evs, 256, -1);

        for (int i = 0; i < n; i++) {
            fd = evs[i].data.fd;

            if (fd == lfd) {
                up_accept(lfd);

            } else if (fd == tfd) {
                if (read(tfd, &ticks, sizeof(ticks)) > 0) {
                    up_tick();
                }

            } else if (up_conns[fd] != NULL && (evs[i].events & EPOLLOUT)) {
                (void) up_write(up_conns[fd]);

            } else if (up_conns[fd] != NULL) {
                up_readable(up_conns[fd]);
            }
        }
    }
}
