/*
 * main.c - the loop of an engine, its clock and its log.
 */

#define _GNU_SOURCE

#include "engine.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EN_EVENTS  256

int      en_epoll;
int64_t  en_started;
int64_t  en_loaded;

static FILE     *en_file;
static int64_t   en_armed;


int64_t
en_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}


/* "<ns of CLOCK_MONOTONIC> <what>" */
void
en_log(const char *format, ...)
{
    va_list  args;

    if (en_file == NULL) {
        return;
    }

    fprintf(en_file, "%lld ", (long long) en_now());
    va_start(args, format);
    vfprintf(en_file, format, args);
    va_end(args);
    putc('\n', en_file);
}


bool
en_frozen(void)
{
    return en_conf.hang || en_conf.stall || en_conf.sleeping
           || en_now() < en_loaded;
}


static _Noreturn void
en_fail(const char *what)
{
    perror(what);
    exit(1);
}


static void
en_arm(int tfd)
{
    int64_t            due = en_model_due(), next = en_http_next();
    struct itimerspec  its = { { 0, 0 }, { 0, 0 } };

    due = next < due ? next : due;

    if (due == INT64_MAX && en_now() < en_loaded) {
        due = en_loaded;
    }

    if (due == en_armed) {
        return;
    }

    en_armed = due;

    if (due != INT64_MAX) {
        its.it_value.tv_sec = due / 1000000000;
        its.it_value.tv_nsec = due % 1000000000;
    }

    (void) timerfd_settime(tfd, TFD_TIMER_ABSTIME, &its, NULL);
}


static void
en_loop(int tfd)
{
    int                 n;
    int64_t             now;
    uint64_t            ticks;
    struct epoll_event  evs[EN_EVENTS];

    for ( ;; ) {
        en_arm(tfd);

        if (en_file != NULL) {
            fflush(en_file);
        }

        n = epoll_wait(en_epoll, evs, EN_EVENTS, -1);
        now = en_now();

        for (int i = 0; i < n; i++) {
            if (evs[i].data.fd == tfd) {
                en_armed = 0;
                (void) !read(tfd, &ticks, sizeof(ticks));
            } else {
                en_http_event(evs[i].data.fd, evs[i].events, now);
            }
        }

        en_model_run(now);
        en_http_due(now);
        en_share();
    }
}


int
main(int argc, char **argv)
{
    int                 tfd;
    const char         *why;
    struct epoll_event  ev = { .events = EPOLLIN };

    for (int i = 1; i < argc; i++) {
        why = en_set(argv[i]);
        if (why != NULL) {
            fprintf(stderr, "engine: %s: %s\n", argv[i], why);
            return 2;
        }
    }

    if (en_conf.port == 0 || en_conf.seqs == 0 || en_conf.budget == 0
        || en_conf.blocks == 0 || en_conf.blocks > 10000000
        || en_conf.interval == 0 || en_conf.speed == 0)
    {
        fprintf(stderr, "usage: engine port=<n> [ctl=<n>] [<name>=<value> ...]"
                "\n");
        return 2;
    }

    (void) prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    (void) signal(SIGPIPE, SIG_IGN);
    en_started = en_now();
    en_loaded = en_started + en_conf.loading * INT64_C(1000000);

    if (en_conf.log[0] && (en_file = fopen(en_conf.log, "ae")) == NULL) {
        en_fail(en_conf.log);
    }

    en_epoll = epoll_create1(EPOLL_CLOEXEC);
    tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    ev.data.fd = tfd;

    if (en_epoll < 0 || tfd < 0 || en_model_init() != 0
        || epoll_ctl(en_epoll, EPOLL_CTL_ADD, tfd, &ev) != 0)
    {
        en_fail("engine");
    }

    if ((!en_conf.refuse && en_http_listen(en_conf.port, false) < 0)
        || (en_conf.ctl && en_http_listen(en_conf.ctl, true) < 0))
    {
        en_fail("listen");
    }

    en_log("start");
    en_share();
    en_loop(tfd);
}
