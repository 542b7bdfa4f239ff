/*
 * clients - many clients at a time, some of them ill-behaved.
 *
 *   clients PORT name=value ...
 *
 *   clients=200   at a time, each with one call at a time
 *   calls=0       as many in all; 0: until seconds are over, or SIGTERM
 *   seconds=10
 *   prefix=a      call numbers are a1, a2, ...: the header X-Call
 *   key=SECRET    a virtual key; several: each call takes any of them
 *   most=64:512   max_tokens, random between the two
 *   text=TEXT     is found in each prompt
 *   streams, aborts, resets, cuts, errors=PERCENT
 *   invent=keys | sessions | models    a new one with each call
 *   refused=0     1: stop at the first 429
 *
 * Prints one JSON object: how many calls were sent and how they ended.  A
 * server that is not there is waited for.
 */

#define _GNU_SOURCE

#include "tg_str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX  1000
#define KEYS_MAX     32
#define IN_MAX       16384
#define PROMPT_MAX   1500
#define PATIENCE     30000              /* ms; an answer later than that hangs */
#define ABORT_MOST   30                 /* ms, until a client leaves */
#define RETRY        20

typedef enum { IDLE, CONNECTING, WAITING } state_t;

typedef struct {
    int       fd;
    state_t   state;
    bool      fresh;                    /* the connection has had no call */
    int64_t   due;                      /* of IDLE: when to connect again */
    int64_t   asked;
    int64_t   leave;                    /* 0: stays to the end */
    size_t    got;
    char      in[IN_MAX + 1];
} client_t;

static int                    ep, port, stop_refused;
static client_t               clients[CLIENTS_MAX];
static unsigned               nclients = 200, nkeys, busy;
static unsigned               streams, aborts, resets, cuts, errors;
static unsigned               least = 64, most = 512;
static uint64_t               calls, seed, sent, statuses[600];
static uint64_t               aborted, broken, stale, hung, absent;
static int64_t                seconds = 10;
static const char            *prefix = "a", *keys[KEYS_MAX], *text = "";
static char                   invent;   /* first letter; 0: nothing */
static volatile sig_atomic_t  stopped;


static uint64_t
any(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return below == 0 ? 0 : (seed >> 11) % below;
}


static int64_t
now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static void
stop(int sig)
{
    (void) sig;
    stopped = 1;
}


static void
leave(client_t *c, bool reset, int64_t when)
{
    struct linger  l = { 1, 0 };

    if (reset) {
        (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    }

    busy -= c->state == WAITING;
    close(c->fd);
    c->state = IDLE;
    c->due = when;
}


static void
connect_to(client_t *c, int64_t now)
{
    int                 one = 1;
    struct epoll_event  ev = { .events = EPOLLIN | EPOLLOUT };
    struct sockaddr_in  sin = { .sin_family = AF_INET };

    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    c->state = CONNECTING;
    c->fresh = true;
    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) != 0
        && errno != EINPROGRESS)
    {
        absent++;
        leave(c, false, now + RETRY);
        return;
    }

    ev.data.u32 = (uint32_t) (c - clients);
    (void) epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
}


static char
manner(void)
{
    uint64_t  n = any(100);

    if (n < resets) {
        return any(2) ? 'u' : 'r';
    }

    n -= resets;
    if (n < cuts) {
        return 'm';
    }

    n -= cuts;
    if (n < errors) {
        return 'e';
    }

    return any(100) < streams ? 's' : 'j';
}


static int
body(char *p, char how, uint64_t number)
{
    char      model[64] = "gpt-4o-mini", prompt[PROMPT_MAX + 1];
    size_t    n = (size_t) any(PROMPT_MAX);
    bool      stream = strchr("sum", how) != NULL;

    for (size_t i = 0; i < n; i++) {
        prompt[i] = (char) ((any(6) == 0) ? ' ' : 'a' + (char) any(26));
    }

    prompt[n] = '\0';

    if (invent == 'm') {
        (void) snprintf(model, sizeof(model), "made-up-%" PRIu64, number);
    }

    return sprintf(p, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\","
                   "\"content\":\"%s %s\"}],\"max_tokens\":%u%s}", model, text,
                   prompt, least + (unsigned) any(most - least + 1),
                   stream ? ",\"stream\":true,\"stream_options\":"
                            "{\"include_usage\":true}" : "");
}


static void
ask(client_t *c, int64_t now)
{
    int         n, len;
    char        out[IN_MAX], json[4096], key[128], how = manner();
    char        session[64] = "";
    uint64_t    number = sent + 1;

    len = body(json, how, number);
    (void) snprintf(key, sizeof(key), "%s",
                    nkeys != 0 ? keys[any(nkeys)] : "none");

    if (invent == 'k') {
        (void) snprintf(key, sizeof(key), "sk-tg-%016" PRIx64 "%016" PRIx64,
                        any(UINT64_MAX), number);
    }

    if (invent == 's') {
        (void) snprintf(session, sizeof(session), "X-Session: %s-%" PRIu64
                        "\r\n", prefix, number);
    }

    n = snprintf(out, sizeof(out), "POST /v1/chat/completions HTTP/1.1\r\n"
                 "Host: llm\r\nContent-Type: application/json\r\n"
                 "Authorization: Bearer %s\r\nX-Call: %s%" PRIu64 "\r\n%s"
                 "X-Manner: %c\r\nContent-Length: %d\r\n\r\n%s", key, prefix,
                 number, session, how, len, json);

    c->got = 0;
    c->asked = now;
    c->leave = any(100) < aborts ? now + (int64_t) any(ABORT_MOST) : 0;

    if (send(c->fd, out, (size_t) n, MSG_NOSIGNAL) != n) {
        stale++;
        leave(c, false, now);
        return;
    }

    sent++;
    busy++;
    c->state = WAITING;
}


static bool
more_to_ask(int64_t end)
{
    return !stopped && now_ms() < end && (calls == 0 || sent < calls);
}


/* The status of an answer that is complete, else 0. */
static unsigned
answered(client_t *c)
{
    char        *p, *head;
    size_t       have;
    unsigned     status;

    c->in[c->got] = '\0';
    head = strstr(c->in, "\r\n\r\n");
    if (head == NULL || c->got < 16) {
        return 0;
    }

    have = (size_t) (c->in + c->got - (head + 4));
    status = (unsigned) strtoul(c->in + 9, NULL, 10);
    status = status < 600 ? status : 0;

    p = strcasestr(c->in, "\r\nContent-Length: ");
    if (p != NULL && p < head) {
        return have >= strtoul(p + 18, NULL, 10) ? status : 0;
    }

    return have >= 5 && memcmp(c->in + c->got - 5, "0\r\n\r\n", 5) == 0
           ? status : 0;
}


/* What is left to read is nothing: true where the client may ask again. */
static bool
readable(client_t *c, int64_t now)
{
    ssize_t   n;
    unsigned  status;

    n = recv(c->fd, c->in + c->got, IN_MAX - c->got, 0);

    if (n < 0 && errno == EAGAIN) {
        return false;
    }

    if (n <= 0 || c->got + (size_t) n >= IN_MAX) {

        /* An idle connection may be closed just as it is used again. */

        if (c->state == WAITING) {
            broken += c->got != 0 || c->fresh;
            stale += c->got == 0 && !c->fresh;
        } else {
            absent++;
        }

        leave(c, false, now + (c->state == CONNECTING ? RETRY : 0));
        return false;
    }

    c->got += (size_t) n;
    status = answered(c);

    if (status == 0) {
        return false;
    }

    statuses[status]++;
    stopped = stopped || (status == 429 && stop_refused);
    busy--;
    c->state = CONNECTING;              /* connected, and free */
    c->fresh = false;

    if (strcasestr(c->in, "\r\nConnection: close") != NULL) {
        leave(c, false, now);
        return false;
    }

    return true;
}


static void
event(client_t *c, uint32_t events, int64_t end)
{
    int                 error = 0;
    int64_t             now = now_ms();
    socklen_t           len = sizeof(error);
    struct epoll_event  ev = { .events = EPOLLIN };

    if (c->state == IDLE) {
        return;
    }

    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        (void) getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (readable(c, now) && more_to_ask(end)) {
            ask(c, now);
        }
        return;
    }

    if (c->state == CONNECTING && events & EPOLLOUT) {
        ev.data.u32 = (uint32_t) (c - clients);
        (void) epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
        if (more_to_ask(end)) {
            ask(c, now);
        }
    }
}


static void
timers(int64_t end)
{
    int64_t    now = now_ms();
    client_t  *c;

    for (unsigned i = 0; i < nclients; i++) {
        c = &clients[i];

        if (c->state == IDLE && c->due <= now && more_to_ask(end)) {
            connect_to(c, now);

        } else if (c->state == WAITING && c->leave != 0 && c->leave <= now) {
            aborted++;
            leave(c, any(2) == 0, now);

        } else if (c->state == WAITING && now - c->asked > PATIENCE) {
            hung++;
            leave(c, true, now);
        }
    }
}


static unsigned
number(const char *value)
{
    return (unsigned) strtoul(value, NULL, 10);
}


static bool
option(const char *arg)
{
    static const struct { const char *name; unsigned *to; }  numbers[] = {
        { "clients=", &nclients }, { "streams=", &streams },
        { "aborts=", &aborts }, { "resets=", &resets }, { "cuts=", &cuts },
        { "errors=", &errors }
    };

    const char  *value = strchr(arg, '=');

    if (value++ == NULL) {
        return false;
    }

    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strncmp(arg, numbers[i].name, strlen(numbers[i].name)) == 0) {
            *numbers[i].to = number(value);
            return nclients <= CLIENTS_MAX;
        }
    }

    if (strncmp(arg, "calls=", 6) == 0) {
        calls = strtoull(value, NULL, 10);
    } else if (strncmp(arg, "seconds=", 8) == 0) {
        seconds = number(value);
    } else if (strncmp(arg, "prefix=", 7) == 0) {
        prefix = value;
    } else if (strncmp(arg, "text=", 5) == 0) {
        text = value;
    } else if (strncmp(arg, "invent=", 7) == 0) {
        invent = *value;
    } else if (strncmp(arg, "refused=", 8) == 0) {
        stop_refused = *value == '1';
    } else if (strncmp(arg, "key=", 4) == 0 && nkeys < KEYS_MAX) {
        keys[nkeys++] = value;
    } else if (strncmp(arg, "most=", 5) == 0) {
        return sscanf(value, "%u:%u", &least, &most) == 2 && least <= most;
    } else {
        return false;
    }

    return true;
}


static void
report(int64_t began)
{
    bool  first = true;

    printf("{\"sent\":%" PRIu64 ",\"aborted\":%" PRIu64 ",\"broken\":%" PRIu64
           ",\"stale\":%" PRIu64 ",\"hung\":%" PRIu64 ",\"absent\":%" PRIu64
           ",\"unanswered\":%u,\"seconds\":%.2f,\"status\":{", sent, aborted,
           broken, stale, hung, absent, busy,
           (double) (now_ms() - began) / 1000);

    for (unsigned i = 0; i < 600; i++) {
        if (statuses[i] != 0) {
            printf("%s\"%u\":%" PRIu64, first ? "" : ",", i, statuses[i]);
            first = false;
        }
    }

    printf("}}\n");
}


int
main(int argc, char **argv)
{
    int                 n;
    int64_t             began = now_ms(), end;
    struct epoll_event  evs[256];

    port = argc > 1 ? atoi(argv[1]) : 0;

    for (int i = 2; i < argc; i++) {
        if (!option(argv[i])) {
            fprintf(stderr, "clients: what is %s?\n", argv[i]);
            return 2;
        }
    }

    seed = (uint64_t) began * 2654435761u + (uint64_t) getpid() + 1;
    end = began + seconds * 1000;
    (void) signal(SIGTERM, stop);
    ep = epoll_create1(0);

    while (more_to_ask(end) || busy != 0) {
        n = epoll_wait(ep, evs, 256, 2);

        for (int i = 0; i < n; i++) {
            event(&clients[evs[i].data.u32], evs[i].events, end);
        }

        timers(end);
    }

    report(began);

    return 0;
}
