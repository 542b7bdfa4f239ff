/*
 * llmctl_server.h - a server as its files show it: the ledger, the directives
 * that it left beside it, its keys and its time zone.
 */

#ifndef LLMCTL_SERVER_H
#define LLMCTL_SERVER_H

#include "tg_desk.h"

#include <sys/stat.h>

#define LEDGER_DEFAULT  "/var/lib/tollgate/ledger"

typedef struct {
    const char   *path;                 /* of the ledger, absolute */
    struct stat   st;                   /* likewise */
    tg_arena_t   *arena;
    tg_mem_t     *mem;
    tg_conf_t    *conf;
    tg_desk_t     desk;
    bool          fleet;                /* the ledger is a fleet's */
} server_t;

typedef enum {
    SERVER_VIEW = 0,                    /* reads the ledger */
    SERVER_CHANGE                       /* is one of its owners */
} server_access_t;

/*
 * `ledger` NULL: LEDGER_DEFAULT.  False with a message said; server_close() may
 * be called in any case.
 */
bool server_open(server_t *s, const char *ledger, server_access_t access);
void server_close(server_t *s);

/* The ledger's file alone; *s is zeroed. As above. */
bool server_ledger(server_t *s, const char *ledger, server_access_t access);

/* NULL where there is no keys file. */
const tg_keys_t *server_keys(const server_t *s);

#endif /* LLMCTL_SERVER_H */
