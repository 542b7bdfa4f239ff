/*
 * fleet_redis.h - Redis servers of a test's own, on free ports.
 */

#ifndef FLEET_REDIS_H
#define FLEET_REDIS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char  dir[256];          /* of all that the test writes */


static uint32_t
free_port(void)
{
    int                 fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t           len = sizeof(struct sockaddr_in);
    struct sockaddr_in  a;

    memset(&a, 0, sizeof(a));
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (fd == -1 || bind(fd, (void *) &a, len) == -1
        || getsockname(fd, (void *) &a, &len) == -1)
    {
        perror("port");
        exit(2);
    }

    close(fd);

    return ntohs(a.sin_port);
}


static bool
redis_do(uint32_t port, const char *command)
{
    bool             ok = false;
    redisReply      *reply;
    redisContext    *c;
    struct timeval   tv = { 1, 0 };

    c = redisConnectWithTimeout("127.0.0.1", (int) port, tv);

    if (c != NULL && c->err == 0) {
        redisSetTimeout(c, tv);
        reply = redisCommand(c, command);
        ok = reply != NULL && reply->type != REDIS_REPLY_ERROR;
        if (reply != NULL) {
            freeReplyObject(reply);
        }
    }

    if (c != NULL) {
        redisFree(c);
    }

    return ok;
}


static pid_t
redis_start(uint32_t port, const char *name, uint32_t of)
{
    int    fd;
    char   path[512], p[16], master[16];
    pid_t  pid;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void) mkdir(path, 0700);
    snprintf(p, sizeof(p), "%u", port);
    snprintf(master, sizeof(master), "%u", of);

    pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fd = open("/dev/null", O_RDWR);
        dup2(fd, 1);
        dup2(fd, 2);

        if (of != 0) {
            execlp("redis-server", "redis-server", "--port", p, "--dir", path,
                   "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
                   "--replicaof", "127.0.0.1", master,
                   "--repl-diskless-sync-delay", "0", (char *) NULL);
        } else {
            execlp("redis-server", "redis-server", "--port", p, "--dir", path,
                   "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
                   "--repl-diskless-sync-delay", "0", (char *) NULL);
        }

        _exit(127);
    }

    for (unsigned i = 0; i < 500; i++) {
        if (redis_do(port, "PING")) {
            return pid;
        }
        usleep(10000);
    }

    fprintf(stderr, "redis-server does not start\n");
    exit(2);
}


static void
process_kill(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        kill(*pid, SIGCONT);
        waitpid(*pid, NULL, 0);
        *pid = 0;
    }
}

#endif /* FLEET_REDIS_H */
