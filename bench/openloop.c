/*
 * openloop.c - calls that come when they come, whether or not others have been
 * answered, and how long each waits for its first token.
 *
 *     openloop PLAN RAW [stale=MS] PORT[:SHARE] ...
 *
 * PLAN has a line for each call, in the order of their times:
 *
 *     <us after the start> <tokens to write> <seed>:<words> ...
 *
 * Each pair is a message, the first of them the system's, whose words follow
 * from the seed.  With one port all calls go there.  With several each goes to
 * the engine that has the least to do, which is read from the file it shares
 * (bench/engine): what no balancer can know.  With stale= what is read holds so
 * long: that is a balancer that goes by what it scrapes, and by nothing else.
 *
 * All times are counted from the moment at which a call was to be sent.  RAW
 * gets a line for each call, "<us> <us to the first token> <us to the end>
 * <status>"; -1 where that never came.  A summary goes to stdout, as JSON.
 */

#define _GNU_SOURCE

#include "engine/engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OL_CALLS_MAX   1000000
#define OL_LINE_MAX    4096
#define OL_BODY_MAX    (4 * 1024 * 1024)
#define OL_PORTS_MAX   64
#define OL_CONNS_MAX   8192
#define OL_HEAD_MAX    8192
#define OL_PATIENCE_NS INT64_C(30000000000)     /* after the last call */
#define OL_MAX_TOKENS  2048

typedef struct {
    int64_t   at;               /* us after the start */
    int64_t   first, last;      /* us after that; -1: never */
    unsigned  output;
    int       status;
    char     *segments;
} ol_call_t;

typedef struct ol_conn_s  ol_conn_t;

struct ol_conn_s {
    int         fd;
    unsigned    port;           /* of ol_ports */
    bool        used;           /* for another call before */
    bool        head;           /* the answer's is complete */
    int64_t     left;           /* of its body; -1: chunks */
    ol_call_t  *call;           /* NULL: it is idle */
    char       *out;
    size_t      out_len, out_at;
    size_t      held;
    char        buf[OL_HEAD_MAX + 1];
    char        tail[5];        /* of the chunks */
    ol_conn_t  *next;           /* of the idle */
};

typedef struct {
    long               number;
    const en_share_t  *share;
    int64_t            work;    /* as it was last read */
    ol_conn_t         *idle;
} ol_port_t;

static ol_call_t   *ol_calls;
static size_t       ol_ncalls;
static ol_port_t    ol_ports[OL_PORTS_MAX];
static unsigned     ol_nports;
static int          ol_epoll;
static int64_t      ol_start;
static size_t       ol_done, ol_nconns, ol_failed;
static int64_t      ol_late_max;
static int64_t      ol_stale;                   /* ns */
static ol_conn_t   *ol_conns[OL_CONNS_MAX + 64];


static _Noreturn void
ol_die(const char *what)
{
    perror(what);
    exit(1);
}


static int64_t
ol_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}


static void
ol_plan(const char *name)
{
    int     n;
    char    line[OL_LINE_MAX];
    FILE   *f = fopen(name, "r");
    size_t  room = 0;

    if (f == NULL) {
        ol_die(name);
    }

    while (fgets(line, sizeof(line), f) != NULL && ol_ncalls < OL_CALLS_MAX) {
        if (ol_ncalls == room) {
            room = room ? 2 * room : 1024;
            ol_calls = realloc(ol_calls, room * sizeof(ol_call_t));
            if (ol_calls == NULL) {
                ol_die(name);
            }
        }

        ol_call_t  *call = &ol_calls[ol_ncalls];

        *call = (ol_call_t) { .first = -1, .last = -1, .status = -1 };

        if (sscanf(line, "%ld %u %n", &call->at, &call->output, &n) < 2
            || (call->segments = strdup(line + n)) == NULL)
        {
            errno = EINVAL;
            ol_die(name);
        }

        ol_ncalls++;
    }

    fclose(f);
}


static char *
ol_words(char *p, uint64_t seed, unsigned words)
{
    uint64_t  x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

    while (words-- != 0) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;

        for (uint64_t w = x >> 40; w != 0; w /= 64) {
            *p++ = (char) ('a' + w % 26);
        }

        *p++ = ' ';
    }

    return p;
}


/* The request of a call, head and body. */
static void
ol_request(ol_conn_t *c)
{
    int          n, used;
    unsigned     words;
    const char  *s = c->call->segments, *role = "system";
    uint64_t     seed;
    static char  body[OL_BODY_MAX];
    char        *p = body;

    p += sprintf(p, "{\"model\":\"local\",\"stream\":true,\"max_tokens\":%d,"
                 "\"min_tokens\":%u,\"stream_options\":{\"include_usage\":true}"
                 ",\"messages\":[", OL_MAX_TOKENS, c->call->output);

    while (sscanf(s, "%lu:%u %n", &seed, &words, &used) == 2
           && words < (size_t) (body + OL_BODY_MAX - p) / 16 - 64)
    {
        p += sprintf(p, "%s{\"role\":\"%s\",\"content\":\"",
                     s == c->call->segments ? "" : ",", role);
        p = ol_words(p, seed, words);
        p = stpcpy(p, "\"}");
        role = "user";
        s += used;
    }

    p = stpcpy(p, "]}");

    n = asprintf(&c->out, "POST /v1/chat/completions HTTP/1.1\r\n"
                 "Host: 127.0.0.1\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%.*s", (size_t) (p - body),
                 (int) (p - body), body);
    if (n < 0) {
        ol_die("request");
    }

    c->out_len = (size_t) n;
    c->out_at = 0;
    c->head = false;
    c->held = 0;
}


static void
ol_look(void)
{
    int64_t         now = ol_now();
    static int64_t  looked;

    if (looked != 0 && now - looked < ol_stale) {
        return;
    }

    looked = now;

    for (unsigned i = 0; i < ol_nports; i++) {
        if (ol_ports[i].share != NULL) {
            ol_ports[i].work = *(const volatile int64_t *)
                               &ol_ports[i].share->work_ns;
        }
    }
}


static unsigned
ol_choose(void)
{
    unsigned         best, from;
    static unsigned  turn;

    ol_look();
    from = ol_stale ? 0 : turn++;
    best = from % ol_nports;

    for (unsigned i = 1; i < ol_nports; i++) {
        unsigned  port = (from + i) % ol_nports;

        if (ol_ports[port].work < ol_ports[best].work) {
            best = port;
        }
    }

    return best;
}


static ol_conn_t *
ol_connect(unsigned port)
{
    int                 one = 1;
    ol_conn_t          *c = ol_ports[port].idle;
    struct epoll_event  ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    if (c != NULL) {
        ol_ports[port].idle = c->next;
        c->used = true;
        return c;
    }

    c = ol_nconns < OL_CONNS_MAX ? calloc(1, sizeof(ol_conn_t)) : NULL;
    if (c == NULL) {
        return NULL;
    }

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || c->fd >= OL_CONNS_MAX + 64) {
        errno = EMFILE;
        ol_die("socket");
    }

    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    sin.sin_port = htons((uint16_t) ol_ports[port].number);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->port = port;

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) != 0
        && errno != EINPROGRESS)
    {
        ol_die("connect");
    }

    ev.data.fd = c->fd;
    ol_conns[c->fd] = c;
    ol_nconns++;
    (void) epoll_ctl(ol_epoll, EPOLL_CTL_ADD, c->fd, &ev);

    return c;
}


static int64_t
ol_since(const ol_call_t *call)
{
    return (ol_now() - ol_start) / 1000 - call->at;
}


static void
ol_over(ol_conn_t *c, bool keep)
{
    if (c->call != NULL) {
        ol_done++;
        if (keep) {
            c->call->last = ol_since(c->call);
        }
        ol_failed += !keep || c->call->status != 200;
        c->call = NULL;
    }

    free(c->out);
    c->out = NULL;

    if (keep) {
        c->next = ol_ports[c->port].idle;
        ol_ports[c->port].idle = c;
        return;
    }

    for (ol_conn_t **p = &ol_ports[c->port].idle; *p != NULL;
         p = &(*p)->next)
    {
        if (*p == c) {
            *p = c->next;
            break;
        }
    }

    close(c->fd);
    ol_conns[c->fd] = NULL;
    ol_nconns--;
    free(c);
}


static bool
ol_write(ol_conn_t *c)
{
    ssize_t  n;

    while (c->out != NULL && c->out_at != c->out_len) {
        n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            return true;
        }
        if (n < 0) {
            return false;
        }
        c->out_at += (size_t) n;
    }

    return true;
}


/* Sends it; c NULL: nobody takes it.  False where the connection is broken. */
static bool
ol_begin(ol_conn_t *c, ol_call_t *call)
{
    if (c == NULL) {
        ol_done++;
        ol_failed++;
        return true;
    }

    c->call = call;
    ol_request(c);

    return ol_write(c);
}


/* An idle connection that the server closes as we write is tried once more. */
static void
ol_again(ol_conn_t *c)
{
    ol_call_t  *call = c->call;
    unsigned    port = c->port;
    bool        again = call != NULL && c->used && c->held == 0 && !c->head;

    if (again) {
        c->call = NULL;
    }

    ol_over(c, false);

    if (again) {
        (void) ol_begin(ol_connect(port), call);
    }
}


static void
ol_send(ol_call_t *call)
{
    int64_t     late = ol_since(call);
    ol_conn_t  *c = ol_connect(ol_nports > 1 ? ol_choose() : 0);

    ol_late_max = late > ol_late_max ? late : ol_late_max;

    if (!ol_begin(c, call)) {
        ol_again(c);
    }
}


/* The answer's head, once it is there. */
static bool
ol_head(ol_conn_t *c)
{
    char  *end, *p;

    c->buf[c->held] = '\0';
    end = strstr(c->buf, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }

    c->call->status = atoi(c->buf + 9);
    *end = '\0';
    p = strcasestr(c->buf, "\r\ncontent-length:");
    c->left = p != NULL ? strtol(p + 17, NULL, 10) : -1;
    c->head = true;
    memset(c->tail, 0, sizeof(c->tail));

    c->held -= (size_t) (end + 4 - c->buf);
    memmove(c->buf, end + 4, c->held);

    return true;
}


/* True where that was all of it. */
static bool
ol_body(ol_conn_t *c, const char *p, size_t n)
{
    size_t  keep;

    if (n != 0 && c->call->first < 0) {
        c->call->first = ol_since(c->call);
    }

    if (c->left >= 0) {
        c->left -= (int64_t) n;
        return c->left <= 0;
    }

    keep = n < sizeof(c->tail) ? n : sizeof(c->tail);
    memmove(c->tail, c->tail + keep, sizeof(c->tail) - keep);
    memcpy(c->tail + sizeof(c->tail) - keep, p + n - keep, keep);

    return memcmp(c->tail, "0\r\n\r\n", 5) == 0;
}


/* False where the connection is gone. */
static bool
ol_read(ol_conn_t *c)
{
    bool     done;
    ssize_t  n;

    for ( ;; ) {
        n = recv(c->fd, c->buf + c->held, OL_HEAD_MAX - c->held, MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            return true;
        }

        if (n <= 0 || c->call == NULL) {
            ol_again(c);
            return false;
        }

        c->held += (size_t) n;

        if (!c->head && !ol_head(c)) {
            if (c->held == OL_HEAD_MAX) {
                ol_over(c, false);
                return false;
            }
            continue;
        }

        done = ol_body(c, c->buf, c->held);
        c->held = 0;

        if (done) {
            ol_over(c, true);
        }
    }
}


static void
ol_event(const struct epoll_event *ev)
{
    ol_conn_t  *c = ol_conns[ev->data.fd];

    if (c == NULL || ((ev->events & EPOLLIN) && !ol_read(c))) {
        return;
    }

    if (ev->events & (EPOLLERR | EPOLLHUP)) {
        ol_again(c);

    } else if ((ev->events & EPOLLOUT) && !ol_write(c)) {
        ol_again(c);
    }
}


static void
ol_run(void)
{
    int                 n;
    size_t              sent = 0;
    int64_t             due, end, now;
    struct timespec     wait;
    struct epoll_event  evs[256];

    ol_start = ol_now();
    end = ol_start + OL_PATIENCE_NS;

    if (ol_ncalls != 0) {
        end += ol_calls[ol_ncalls - 1].at * 1000;
    }

    while (ol_done < ol_ncalls && (now = ol_now()) < end) {
        while (sent < ol_ncalls && ol_calls[sent].at * 1000 <= now - ol_start) {
            ol_send(&ol_calls[sent++]);
        }

        due = sent < ol_ncalls ? ol_start + ol_calls[sent].at * 1000 : end;
        due -= ol_now();
        due = due < 0 ? 0 : due;
        wait.tv_sec = due / 1000000000;
        wait.tv_nsec = due % 1000000000;
        n = epoll_pwait2(ol_epoll, evs, 256, &wait, NULL);

        for (int i = 0; i < n; i++) {
            ol_event(&evs[i]);
        }
    }
}


static int
ol_compare(const void *a, const void *b)
{
    int64_t  x = *(const int64_t *) a, y = *(const int64_t *) b;

    return (x > y) - (x < y);
}


static void
ol_percentiles(const char *name, bool first)
{
    size_t    n = 0;
    int64_t  *v = calloc(ol_ncalls + 1, sizeof(int64_t));

    if (v == NULL) {
        ol_die(name);
    }

    for (size_t i = 0; i < ol_ncalls; i++) {
        if (ol_calls[i].last >= 0 && ol_calls[i].status == 200) {
            v[n++] = first ? ol_calls[i].first : ol_calls[i].last;
        }
    }

    qsort(v, n, sizeof(int64_t), ol_compare);
    printf(",\"%s_us\":{\"p50\":%ld,\"p90\":%ld,\"p99\":%ld}", name,
           n ? v[n / 2] : -1, n ? v[n * 9 / 10] : -1, n ? v[n * 99 / 100] : -1);
    free(v);
}


static void
ol_summary(const char *raw)
{
    FILE          *f = fopen(raw, "w");
    int64_t        tokens = 0, end = 0;
    struct rusage  ru;

    if (f == NULL) {
        ol_die(raw);
    }

    for (size_t i = 0; i < ol_ncalls; i++) {
        ol_call_t  *call = &ol_calls[i];

        fprintf(f, "%ld %ld %ld %d\n", call->at, call->first, call->last,
                call->status);
        if (call->last >= 0 && call->status == 200) {
            tokens += call->output;
            end = call->at + call->last > end ? call->at + call->last : end;
        }
    }

    fclose(f);
    (void) getrusage(RUSAGE_SELF, &ru);
    printf("{\"calls\":%zu,\"failed\":%zu,\"seconds\":%.3f,\"tokens\":%ld,"
           "\"late_max_us\":%ld,\"cpu_seconds\":%.3f", ol_ncalls,
           ol_failed + ol_ncalls - ol_done, (double) end / 1e6, tokens,
           ol_late_max, (double) (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec)
           + (double) (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
    ol_percentiles("ttft", true);
    ol_percentiles("total", false);
    printf("}\n");
}


static void
ol_port(const char *word)
{
    int          fd;
    void        *map;
    ol_port_t   *port = &ol_ports[ol_nports++];
    const char  *name = strchr(word, ':');

    port->number = strtol(word, NULL, 10);

    if (name == NULL) {
        return;
    }

    fd = open(name + 1, O_RDONLY);
    map = fd < 0 ? MAP_FAILED
                 : mmap(NULL, sizeof(en_share_t), PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        ol_die(name + 1);
    }

    close(fd);
    port->share = map;
}


int
main(int argc, char **argv)
{
    int  i = 3;

    if (argc < 4 || argc - 3 > OL_PORTS_MAX) {
        fprintf(stderr, "usage: openloop PLAN RAW [stale=MS] PORT[:SHARE]"
                " ...\n");
        return 2;
    }

    (void) prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    ol_plan(argv[1]);

    if (strncmp(argv[i], "stale=", 6) == 0) {
        ol_stale = strtol(argv[i++] + 6, NULL, 10) * 1000000;
    }

    for ( ; i < argc; i++) {
        ol_port(argv[i]);
    }

    ol_epoll = epoll_create1(0);
    ol_run();
    ol_summary(argv[2]);

    return 0;
}
