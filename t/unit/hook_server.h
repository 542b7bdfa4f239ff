/*
 * hook_server.h - a web server on a local port that answers by a script and
 * keeps what it was sent. One connection, one request.
 */

#ifndef HOOK_SERVER_H
#define HOOK_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HOOK_REQUESTS  256
#define HOOK_MAX       32768

enum {
    HOOK_HANG  = 0,         /* in the place of a status: no answer */
    HOOK_CLOSE = -1         /* the connection is closed */
};

typedef struct {
    int64_t  at;            /* ms */
    char     head[4096];
    char     body[HOOK_MAX];
    size_t   len;
} hook_request_t;

typedef struct {
    int               fd;
    int               port;
    pthread_t         thread;
    pthread_mutex_t   mutex;
    const int        *script;       /* statuses; the last one goes on */
    unsigned          nscript;
    const char       *header;       /* of all answers but 200 */
    unsigned          n;
    hook_request_t    requests[HOOK_REQUESTS];
} hook_server_t;


static inline int64_t
hook_clock(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


/* The value of a header into out; empty where there is none. */
static inline void
hook_header(const hook_request_t *r, const char *name, char *out, size_t size)
{
    char         key[64];
    size_t       n;
    const char  *p;

    snprintf(key, sizeof(key), "\r\n%s: ", name);
    p = strstr(r->head, key);
    n = p == NULL ? 0 : strcspn(p + strlen(key), "\r");
    n = n < size ? n : size - 1;
    memcpy(out, p == NULL ? "" : p + strlen(key), n);
    out[n] = '\0';
}


static inline bool
hook_read(int fd, hook_request_t *r)
{
    char     buf[HOOK_MAX + 4096], *end = NULL, value[32];
    size_t   n = 0, head = 0, want = 0;
    ssize_t  got;

    while (end == NULL || n < head + want) {
        got = recv(fd, buf + n, sizeof(buf) - 1 - n, 0);

        if (got <= 0) {
            return false;
        }

        n += (size_t) got;
        buf[n] = '\0';

        if (end == NULL && (end = strstr(buf, "\r\n\r\n")) != NULL) {
            head = (size_t) (end - buf) + 4;
            snprintf(r->head, sizeof(r->head), "%.*s", (int) head, buf);
            hook_header(r, "Content-Length", value, sizeof(value));
            want = strtoul(value, NULL, 10);
        }
    }

    r->len = want < sizeof(r->body) ? want : sizeof(r->body);
    memcpy(r->body, buf + head, r->len);

    return true;
}


static inline void
hook_answer(hook_server_t *s, int fd, int status)
{
    char           text[512];
    struct pollfd  pfd = { fd, POLLIN, 0 };

    if (status == HOOK_HANG) {
        (void) poll(&pfd, 1, 10000);
        return;
    }

    if (status > 0) {
        (void) send(fd, text, (size_t) snprintf(text, sizeof(text),
                    "HTTP/1.1 %d Whatever\r\nContent-Length: 2\r\n%s"
                    "Connection: close\r\n\r\nok", status,
                    status == 200 ? "" : s->header), MSG_NOSIGNAL);
    }
}


static inline void *
hook_run(void *data)
{
    int              fd, status;
    unsigned         i;
    hook_server_t   *s = data;
    hook_request_t  *r = malloc(sizeof(*r));

    while ((fd = accept(s->fd, NULL, NULL)) != -1) {

        if (hook_read(fd, r)) {
            r->at = hook_clock();
            pthread_mutex_lock(&s->mutex);
            i = s->n;
            status = s->script[i < s->nscript ? i : s->nscript - 1];

            if (i < HOOK_REQUESTS) {
                s->requests[i] = *r;
                s->n++;
            }

            pthread_mutex_unlock(&s->mutex);
            hook_answer(s, fd, status);
        }

        close(fd);
    }

    free(r);

    return NULL;
}


static inline hook_server_t *
hook_start(const int *script, unsigned n, const char *header)
{
    socklen_t            len = sizeof(struct sockaddr_in);
    hook_server_t       *s = calloc(1, sizeof(*s));
    struct sockaddr_in   sin = { .sin_family = AF_INET };

    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->script = script;
    s->nscript = n;
    s->header = header;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(s->fd, (struct sockaddr *) &sin, len) != 0
        || listen(s->fd, 64) != 0
        || getsockname(s->fd, (struct sockaddr *) &sin, &len) != 0
        || pthread_mutex_init(&s->mutex, NULL) != 0
        || pthread_create(&s->thread, NULL, hook_run, s) != 0)
    {
        abort();
    }

    s->port = ntohs(sin.sin_port);

    return s;
}


static inline unsigned
hook_count(hook_server_t *s)
{
    unsigned  n;

    pthread_mutex_lock(&s->mutex);
    n = s->n;
    pthread_mutex_unlock(&s->mutex);

    return n;
}


/* Until n requests have come, for a time that is long on a slow machine. */
static inline bool
hook_wait(hook_server_t *s, unsigned n)
{
    for (int64_t end = hook_clock() + 20000; hook_clock() < end; ) {
        if (hook_count(s) >= n) {
            return true;
        }
        usleep(2000);
    }

    return false;
}


static inline void
hook_stop(hook_server_t *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

#endif /* HOOK_SERVER_H */
