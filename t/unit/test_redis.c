/* hosted/tg_redis.h, against a real redis-server; passed over where there is
 * none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_redis.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT  200

static char                 dir[64], sock[96], pass[96];
static pid_t                server;
static tg_fleet_t           fleet;
static tg_fleet_options_t   options;


static int64_t
clock_ms(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


static void
password_write(const char *text, mode_t mode)
{
    int  fd = open(pass, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd != -1);
    assert_true(write(fd, text, strlen(text)) == (ssize_t) strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}


static redisReply *
admin(const char *command)
{
    redisReply    *reply;
    redisContext  *c = redisConnectUnix(sock);

    assert_true(c != NULL && c->err == 0);
    reply = redisCommand(c, command);
    assert_non_null(reply);
    redisFree(c);

    return reply;
}


static int
setup(void **state)
{
    int         fd;
    tg_error_t  err;

    (void) state;

    snprintf(dir, sizeof(dir), "/tmp/test_redis.XXXXXX");

    if (system("command -v redis-server > /dev/null") != 0
        || mkdtemp(dir) == NULL)
    {
        return 0;
    }

    snprintf(sock, sizeof(sock), "%s/s", dir);
    snprintf(pass, sizeof(pass), "%s/password", dir);
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

    for (unsigned i = 0; i < 200 && access(sock, F_OK) != 0; i++) {
        usleep(10000);
    }

    tg_fleet_options_init(&options);
    options.on = true;
    options.ledger.timeout_ms = TIMEOUT;
    memcpy(options.redis.host, sock, strlen(sock) + 1);

    return tg_fleet_init(&fleet, tg_str("edge"), tg_str("host"), 1000, &err);
}


static int
teardown(void **state)
{
    char  command[128];

    (void) state;

    if (server != 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
        snprintf(command, sizeof(command), "rm -rf '%s'", dir);
        assert_int_equal(system(command), 0);
    }

    return 0;
}


static void
beat(tg_ledger_message_t *msg)
{
    static uint64_t  seq;

    memset(msg, 0, sizeof(*msg));
    msg->kind = TG_LEDGER_MSG_REPORT;
    msg->node = 4711;
    msg->seq = ++seq;
}


static void
test_a_message_and_its_answer(void **state)
{
    tg_redis_t           r;
    tg_error_t           err;
    tg_ledger_answer_t   a;
    tg_ledger_message_t  msg;

    (void) state;

    if (server == 0) {
        skip();
    }

    tg_redis_init(&r, &options, &fleet, NULL);
    assert_int_equal(tg_redis_check(&r, &err), TG_OK);
    assert_string_equal(err.message, "");

    /* The script is not known, nor after it was forgotten. */
    for (unsigned i = 0; i < 2; i++) {
        freeReplyObject(admin("SCRIPT FLUSH"));
        beat(&msg);
        assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_OK);
        assert_int_equal(a.status, TG_LEDGER_EPOCH);
    }

    msg.epoch = a.epoch;
    msg.kind = TG_LEDGER_MSG_JOIN;
    assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_OK);
    assert_int_equal(a.status, TG_LEDGER_ANSWERED);
    assert_int_equal(a.nnodes, 1);
    assert_true(a.nodes[0] == 4711);

    freeReplyObject(admin("CONFIG SET maxmemory-policy allkeys-lru"));
    assert_int_equal(tg_redis_check(&r, &err), TG_ERROR);
    assert_int_not_equal(err.code, 1);
    assert_non_null(strstr(err.message, "noeviction"));
    freeReplyObject(admin("CONFIG SET maxmemory-policy noeviction"));
    tg_redis_close(&r);
}


static void
test_a_user_with_the_documented_rights(void **state)
{
    char                 *password;
    tg_redis_t            r;
    tg_error_t            err;
    redisReply           *reply;
    tg_ledger_answer_t    a;
    tg_fleet_command_t    c;
    tg_ledger_message_t   msg;

    (void) state;

    if (server == 0) {
        skip();
    }

    /* docs/fleet.md */
    reply = admin("ACL SETUSER tollgate on >secret ~{tg:edge}:* +evalsha +eval "
                  "+hget +hset +hsetnx +hmget +hgetall +hvals +hdel +exists "
                  "+del +persist +pexpireat +time +info +config|get +scan "
                  "+hexists +hincrby");
    assert_int_equal(reply->type, REDIS_REPLY_STATUS);
    freeReplyObject(reply);
    memcpy(options.user, "tollgate", 9);
    memcpy(options.password_file, pass, strlen(pass) + 1);

    password_write("secret\n", 0644);
    assert_int_equal(tg_redis_password(&options, &password, &err), TG_ERROR);
    password_write("\n", 0600);
    assert_int_equal(tg_redis_password(&options, &password, &err), TG_ERROR);
    password_write("wrong\n", 0640);
    assert_int_equal(tg_redis_password(&options, &password, &err), TG_OK);
    tg_redis_init(&r, &options, &fleet, password);
    beat(&msg);
    assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "WRONGPASS"));
    assert_null(strstr(err.message, "wrong\n"));
    tg_redis_close(&r);
    tg_redis_forget(password);

    password_write("secret\n", 0600);
    assert_int_equal(tg_redis_password(&options, &password, &err), TG_OK);
    tg_redis_init(&r, &options, &fleet, password);
    assert_int_equal(tg_redis_check(&r, &err), TG_OK);
    assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_OK);

    /* A bucket with all that may happen to it. */
    msg.kind = TG_LEDGER_MSG_HELLO;
    msg.epoch = a.epoch;
    msg.seq++;
    msg.n = 2;
    msg.items[0].window.end = TG_WINDOW_NEVER;
    msg.items[0].limit = msg.items[0].cap = 100;
    msg.items[0].alert[0] = 50;
    msg.items[0].used = msg.items[0].owned = 60;
    msg.items[1] = msg.items[0];
    msg.items[1].key[0] = 1;
    msg.items[1].idle_ms = 1000;
    assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_OK);
    assert_true(a.status == TG_LEDGER_ANSWERED && a.items[0].mine == 60);
    assert_int_equal(a.items[0].fired, 1);

    tg_fleet_raise_command(&fleet, msg.items[0].key, 10, TG_WINDOW_NEVER, &c);
    reply = tg_redis_command(&r, &c, &err);
    assert_true(reply != NULL && reply->type == REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
    msg.seq++;
    assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_OK);
    assert_true(a.items[0].raise == 10);

    /* The node is retired: what it used stays used. */
    tg_fleet_retire_command(&fleet, msg.node, &c);
    reply = tg_redis_command(&r, &c, &err);
    assert_true(reply != NULL && reply->type == REDIS_REPLY_INTEGER
                && reply->integer == 1);
    freeReplyObject(reply);
    tg_fleet_buckets_command(&fleet, tg_str("0"), &c);
    reply = tg_redis_command(&r, &c, &err);
    assert_true(reply != NULL && reply->elements == 2);
    assert_int_equal(reply->element[1]->elements, 2);

    for (size_t i = 0; i < 2; i++) {
        redisReply  *key = reply->element[1]->element[i], *done;

        tg_fleet_retire_bucket(&fleet, msg.node,
                               tg_str_of(key->str, (size_t) key->len), &c);
        done = tg_redis_command(&r, &c, &err);
        assert_true(done != NULL && done->type == REDIS_REPLY_INTEGER
                    && done->integer == 1);
        freeReplyObject(done);
    }

    freeReplyObject(reply);
    msg.seq++;
    assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_OK);
    assert_int_equal(a.status, TG_LEDGER_GIVEN_UP);
    msg.node = 4712;
    msg.items[0].used = msg.items[0].owned = 1;
    assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_OK);
    assert_true(a.items[0].retired == 60 && a.items[0].others == 60);
    assert_true(a.items[0].total == 1);
    tg_redis_close(&r);
    tg_redis_forget(password);
    options.user[0] = '\0';
    options.password_file[0] = '\0';
}


static void
test_a_store_that_hangs_costs_the_timeout_and_no_more(void **state)
{
    int64_t              t;
    tg_error_t           err;
    tg_redis_pool_t     *pool;
    tg_ledger_answer_t   a;
    tg_ledger_message_t  msg;

    (void) state;

    if (server == 0) {
        skip();
    }

    pool = tg_redis_pool_create(&options, &fleet, 2, &err);
    assert_non_null(pool);
    beat(&msg);
    assert_int_equal(tg_redis_pool_call(pool, &msg, &a, &err), TG_OK);
    kill(server, SIGSTOP);

    for (unsigned i = 0; i < 3; i++) {
        t = clock_ms();
        assert_int_equal(tg_redis_pool_call(pool, &msg, &a, &err), TG_ERROR);
        t = clock_ms() - t;
        assert_int_equal(a.status, TG_LEDGER_NO_ANSWER);

        /* 10 more are promised; a busy machine gets 100. */
        assert_in_range(t, TIMEOUT - 1, TIMEOUT + 100);
    }

    kill(server, SIGCONT);
    assert_int_equal(tg_redis_pool_call(pool, &msg, &a, &err), TG_OK);
    tg_redis_pool_destroy(pool);
}


static void
test_nobody_listens(void **state)
{
    tg_redis_t           r;
    tg_error_t           err;
    tg_ledger_answer_t   a;
    tg_ledger_message_t  msg;
    tg_fleet_options_t   o;

    (void) state;

    tg_fleet_options_init(&o);
    memcpy(o.redis.host, "/nowhere/s", 11);
    tg_redis_init(&r, &o, &fleet, NULL);
    beat(&msg);
    assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_ERROR);
    assert_int_equal(a.status, TG_LEDGER_NO_ANSWER);
    assert_int_equal(tg_redis_check(&r, &err), TG_ERROR);
    assert_int_equal(err.code, 1);

    o.tls = true;
    memcpy(o.redis.host, sock, strlen(sock) + 1);

    if (!tg_redis_has_tls() && server != 0) {
        assert_int_equal(tg_redis_call(&r, &msg, &a, &err), TG_ERROR);
        assert_non_null(strstr(err.message, "hiredis_ssl"));
    }

    tg_redis_close(&r);
}


/* With a deadline, and as a process that is going to fork does. */
static void
test_a_name_has_addresses_or_a_reason(void **state)
{
    tg_error_t        err;
    struct addrinfo  *found;
    tg_redis_name_t  *names = NULL;

    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tg_redis_name(&names, "127.0.0.1", i * 5000000,
                                       &found, &err), TG_OK);
        assert_int_equal(found->ai_family, AF_INET);
        freeaddrinfo(found);

        assert_int_equal(tg_redis_name(&names, "localhost", i * 5000000,
                                       &found, &err), TG_OK);
        assert_non_null(found);
        freeaddrinfo(found);

        assert_int_equal(tg_redis_name(&names, "no name", i * 5000000,
                                       &found, &err), TG_ERROR);
        assert_non_null(strstr(err.message, "\"no name\" "));
    }

    tg_redis_names_free(names);
    sleep(2);                           /* libc's threads end when idle for 1 */
    (void) state;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_a_message_and_its_answer),
        cmocka_unit_test(test_a_user_with_the_documented_rights),
        cmocka_unit_test(test_a_store_that_hangs_costs_the_timeout_and_no_more),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_a_name_has_addresses_or_a_reason),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
