/*
 * llmctl_fleet.h - the store of the fleet that a server's ledger belongs to.
 */

#ifndef LLMCTL_FLEET_H
#define LLMCTL_FLEET_H

#include "llmctl_server.h"

typedef struct {
    tg_fleet_t           fleet;
    tg_redis_t           redis;
    char                *password;
    tg_fleet_command_t   command;       /* what fleet_ask() sends */
} fleet_t;

/* *f is zeroed. Connects to nothing yet. False with a message said;
 * fleet_close() may be called in any case. */
bool fleet_open(fleet_t *f, const server_t *s);
void fleet_close(fleet_t *f);

/* To be freed with freeReplyObject(). NULL with a message said, also where the
 * reply is an error. */
struct redisReply *fleet_ask(fleet_t *f);

#endif /* LLMCTL_FLEET_H */
