/* hosted/tg_carrier.h, against a real redis-server; passed over where there is
 * none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_carrier.h"
#include "tg_ledger_file.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT   300
#define PATIENCE  10000         /* where an answer is what is waited for */
#define SLACK     1000          /* of a busy machine */
#define CARRIERS  4
#define THREADS   8
#define CALLS     150
#define ERRANDS   64

static char                dir[64], sock[96], path[96];
static pid_t               server;
static tg_ledger_file_t    file;
static tg_fleet_options_t  options;


static int64_t
clock_ms(clockid_t clock)
{
    struct timespec  t;

    clock_gettime(clock, &t);

    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


static void
redis_start(void)
{
    int  fd;

    server = fork();

    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fd = open("/dev/null", O_RDWR);
        dup2(fd, 1);
        dup2(fd, 2);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
               sock, "--save", "", "--dir", dir, (char *) NULL);
        _exit(127);
    }

    for (unsigned i = 0; i < 500 && access(sock, F_OK) != 0; i++) {
        usleep(10000);
    }
}


static void
redis_command(const char *command)
{
    redisReply    *reply;
    redisContext  *c = redisConnectUnix(sock);

    assert_true(c != NULL && c->err == 0);
    reply = redisCommand(c, command);
    assert_true(reply != NULL && reply->type != REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    redisFree(c);
}


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;

    snprintf(dir, sizeof(dir), "/tmp/test_carrier.XXXXXX");

    if (system("command -v redis-server > /dev/null") != 0
        || mkdtemp(dir) == NULL)
    {
        return 0;
    }

    snprintf(sock, sizeof(sock), "%s/s", dir);
    snprintf(path, sizeof(path), "%s/ledger", dir);
    redis_start();

    tg_fleet_options_init(&options);
    options.on = true;
    options.quarantine_ms = 0;
    memcpy(options.name, "edge", 5);
    memcpy(options.redis.host, sock, strlen(sock) + 1);

    if (tg_ledger_file_open_fleet(&file, path, 1024 * 1024, &err) != TG_OK) {
        return -1;
    }

    return tg_ledger_file_join(&file, &err);
}


static int
teardown(void **state)
{
    char  command[128];

    (void) state;

    if (server != 0) {
        tg_ledger_file_close(&file);
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
        snprintf(command, sizeof(command), "rm -rf '%s'", dir);
        assert_int_equal(system(command), 0);
    }

    return 0;
}


static void
crossed(void *baton, const tg_ledger_message_item_t *item,
    const tg_ledger_state_t *state)
{
    (void) baton;
    (void) item;
    (void) state;
}


static void
complain(void *baton, const char *message)
{
    (void) baton;
    (void) message;
}


static tg_carrier_t *
start(unsigned threads, int64_t timeout_ms)
{
    tg_error_t         err;
    tg_carrier_t      *c;
    tg_carrier_conf_t  conf;

    options.ledger.timeout_ms = timeout_ms;
    memset(&conf, 0, sizeof(conf));
    conf.options = &options;
    conf.ledger = &file.ledger;
    conf.threads = threads;
    conf.crossed = crossed;
    conf.log = complain;

    c = tg_carrier_start(&conf, &err);
    assert_non_null(c);

    return c;
}


static void
beat(tg_ledger_message_t *msg)
{
    static uint64_t  seq;

    memset(msg, 0, sizeof(*msg));
    msg->kind = TG_LEDGER_MSG_REPORT;
    msg->node = 4711;
    msg->seq = __atomic_add_fetch(&seq, 1, __ATOMIC_RELAXED);
}


/* Until n have come back, or `ms` have passed; how many have an answer. */
static unsigned
collect(tg_carrier_t *c, unsigned n, int64_t ms, unsigned *answered)
{
    int64_t        end = clock_ms(CLOCK_MONOTONIC) + ms, left;
    unsigned       back = 0;
    tg_errand_t   *e, *next;
    struct pollfd  p = { tg_carrier_fd(c), POLLIN, 0 };

    *answered = 0;

    while (back < n && (left = end - clock_ms(CLOCK_MONOTONIC)) > 0) {
        (void) poll(&p, 1, (int) left);

        for (e = tg_carrier_done(c); e != NULL; e = next) {
            next = e->next;
            *answered += e->answer.status != TG_LEDGER_NO_ANSWER;
            back++;
        }
    }

    return back;
}


static void
test_each_errand_comes_back_once(void **state)
{
    unsigned             n;
    tg_carrier_t        *c;
    static tg_errand_t   e[ERRANDS];

    (void) state;

    if (server == 0) {
        skip();
    }

    c = start(CARRIERS, PATIENCE);

    for (unsigned k = 0; k < 20; k++) {
        for (unsigned i = 0; i < ERRANDS; i++) {
            beat(&e[i].message);
            tg_carrier_send(c, &e[i]);
        }

        assert_int_equal(collect(c, ERRANDS, PATIENCE, &n), ERRANDS);
        assert_int_equal(n, ERRANDS);
        assert_null(tg_carrier_done(c));
    }

    tg_carrier_stop(c);
}


static void
test_no_answer_is_waited_for_longer_than_the_timeout(void **state)
{
    int64_t              t;
    unsigned             n, none;
    tg_carrier_t        *c;
    static tg_errand_t   e[ERRANDS];

    (void) state;

    if (server == 0) {
        skip();
    }

    c = start(CARRIERS, TIMEOUT);
    kill(server, SIGSTOP);
    t = clock_ms(CLOCK_MONOTONIC);

    for (unsigned i = 0; i < ERRANDS; i++) {
        beat(&e[i].message);
        tg_carrier_send(c, &e[i]);
    }

    n = collect(c, ERRANDS, TIMEOUT + SLACK, &none);
    t = clock_ms(CLOCK_MONOTONIC) - t;
    kill(server, SIGCONT);
    assert_int_equal(n, ERRANDS);
    assert_int_equal(none, 0);
    assert_true(t >= TIMEOUT - 1);

    /* With all of its threads at it. */

    kill(server, SIGSTOP);

    for (unsigned i = 0; i < ERRANDS; i++) {
        tg_carrier_send(c, &e[i]);
    }

    usleep(20000);
    t = clock_ms(CLOCK_MONOTONIC);
    tg_carrier_stop(c);
    t = clock_ms(CLOCK_MONOTONIC) - t;
    kill(server, SIGCONT);
    assert_true(t <= TIMEOUT + SLACK);
}


static void
test_connections_that_the_store_has_closed_cost_no_answer(void **state)
{
    unsigned             n;
    tg_carrier_t        *c;
    static tg_errand_t   e[ERRANDS];

    (void) state;

    if (server == 0) {
        skip();
    }

    c = start(CARRIERS, PATIENCE);

    for (unsigned k = 0; k < 5; k++) {
        for (unsigned i = 0; i < ERRANDS; i++) {
            beat(&e[i].message);
            tg_carrier_send(c, &e[i]);
        }

        assert_int_equal(collect(c, ERRANDS, PATIENCE, &n), ERRANDS);
        assert_int_equal(n, ERRANDS);
        redis_command("CLIENT KILL TYPE normal SKIPME yes");
    }

    tg_carrier_stop(c);
}


/* A store that says a byte at a time, each in time. */
static void *
dribble(void *data)
{
    int   fd, listener = *(int *) data;
    char  buf[16384];

    fd = accept(listener, NULL, NULL);

    if (fd != -1 && read(fd, buf, sizeof(buf)) > 0) {
        for (unsigned i = 0; i < 30; i++) {
            if (send(fd, i == 0 ? "+" : "x", 1, MSG_NOSIGNAL) != 1) {
                break;
            }
            usleep(TIMEOUT * 1000 / 3);
        }
    }

    close(fd);

    return NULL;
}


static void
test_a_store_that_dribbles_has_no_more_time(void **state)
{
    int                  fd;
    char                 name[96];
    int64_t              t;
    pthread_t            thread;
    tg_redis_t           r;
    tg_fleet_t           fleet;
    tg_error_t           err;
    tg_fleet_options_t   o = options;
    tg_ledger_answer_t   a;
    struct sockaddr_un   addr = { .sun_family = AF_UNIX };
    tg_ledger_message_t  msg;

    (void) state;

    if (server == 0) {
        skip();
    }

    snprintf(name, sizeof(name), "%s/d", dir);
    memcpy(addr.sun_path, name, strlen(name) + 1);
    memcpy(o.redis.host, name, strlen(name) + 1);
    o.ledger.timeout_ms = TIMEOUT;
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (void *) &addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, dribble, &fd), 0);

    assert_int_equal(tg_fleet_init(&fleet, tg_str("edge"), tg_str_null, 0,
                                   &err), TG_OK);
    tg_redis_init(&r, &o, &fleet, NULL);
    beat(&msg);
    t = clock_ms(CLOCK_MONOTONIC);
    assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_ERROR);
    assert_true(clock_ms(CLOCK_MONOTONIC) - t <= TIMEOUT + SLACK);
    assert_int_equal(a.status, TG_LEDGER_NO_ANSWER);
    tg_redis_close(&r);
    pthread_join(thread, NULL);
    close(fd);
}


typedef struct {
    pthread_t      thread;
    tg_carrier_t  *c;
    unsigned       id;
    unsigned       admitted;
} caller_t;


/* As a request of httpd's does, with keys of its own and one of all. */
static void *
call(void *data)
{
    int                  rc;
    int64_t              now, actual[2] = { 3, 3 };
    caller_t            *me = data;
    tg_ledger_item_t     items[2];
    tg_ledger_answer_t   answer;
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    memset(items, 0, sizeof(items));

    for (unsigned i = 0; i < 2; i++) {
        items[i].key[0] = (unsigned char) (i == 0 ? 255 : me->id + 1);
        items[i].window.end = TG_WINDOW_NEVER;
        items[i].limit = items[i].cap = 1000000;
        items[i].amount = 7;
    }

    for (unsigned i = 0; i < CALLS; i++) {
        now = clock_ms(CLOCK_REALTIME);
        rc = tg_ledger_fleet_hold(&file.ledger, now, items, 2, "line", 4, &r,
                                  &msg);

        if (rc == TG_LEDGER_ASK) {
            tg_carrier_call(me->c, &msg, &answer);

            do {
                rc = tg_ledger_fleet_reply(&file.ledger, now, &msg, &answer,
                                           &r);
            } while (rc == TG_LEDGER_BUSY);
        }

        if (rc != TG_LEDGER_OK) {
            usleep(10000);
            continue;
        }

        me->admitted++;

        while (tg_ledger_settle(&file.ledger, now, r.slot, actual, 2, NULL, 0,
                                NULL)
               == TG_LEDGER_BUSY)
        { /* void */ }

        while (tg_ledger_line_written(&file.ledger, &r.slot, 1)
               == TG_LEDGER_BUSY)
        { /* void */ }
    }

    return NULL;
}


static void
test_threads_share_carriers_and_ledger(void **state)
{
    unsigned                 admitted = 0;
    caller_t                 callers[THREADS];
    tg_carrier_t            *c;
    unsigned char            key[TG_LEDGER_KEY] = { 255 };
    tg_ledger_entry_t        e;
    tg_ledger_fleet_stats_t  s;

    (void) state;

    if (server == 0) {
        skip();
    }

    c = start(0, PATIENCE);

    for (unsigned i = 0; i < THREADS; i++) {
        callers[i].c = c;
        callers[i].id = i;
        callers[i].admitted = 0;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call,
                                        &callers[i]), 0);
    }

    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL);
        admitted += callers[i].admitted;
    }

    /* Nothing stays asked for, and all of it is told. */

    for (unsigned i = 0; i < 100; i++) {
        tg_ledger_fleet_stats(&file.ledger, &s);

        if (s.asking == 0 && s.pending == 0 && s.untold == 0) {
            break;
        }

        usleep(50000);
    }

    tg_carrier_stop(c);
    assert_true(admitted > 0);
    assert_true(s.asking == 0 && s.pending == 0 && s.untold == 0);
    assert_int_equal(tg_ledger_read(&file.ledger, key, &e), TG_LEDGER_OK);
    assert_true(e.used == 3 * (int64_t) admitted && e.held == 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_each_errand_comes_back_once),
        cmocka_unit_test(test_no_answer_is_waited_for_longer_than_the_timeout),
        cmocka_unit_test(
            test_connections_that_the_store_has_closed_cost_no_answer),
        cmocka_unit_test(test_a_store_that_dribbles_has_no_more_time),
        cmocka_unit_test(test_threads_share_carriers_and_ledger),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
