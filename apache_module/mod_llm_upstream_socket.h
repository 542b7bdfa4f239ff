/*
 * One GET of a check over a socket: plain HTTP, to an address.  Asked for again
 * and again over the same connection, as long as it is kept.  Nothing here
 * waits: who calls has poll().
 */

#ifndef MOD_LLM_UPSTREAM_SOCKET_H
#define MOD_LLM_UPSTREAM_SOCKET_H

#include "tg_backend.h"
#include "tg_out.h"
#include "tg_probe.h"

#include <sys/socket.h>

/* Strings are copied. */
typedef struct {
    const char              *address;   /* IPv6 in brackets, or a name */
    uint16_t                 port;
    const char              *file;      /* of a UNIX socket instead, or NULL */
    const char              *host;      /* of the request */
    tg_str_t                 path;
    const char              *accept;    /* or NULL */
    uint32_t                 connect_ms;
    uint32_t                 timeout_ms;        /* of all of it */
    tg_out_t                 body;
    void                    *data;
} llm_up_socket_conf_t;

typedef struct {
    int                      fd;        /* -1: none */
    struct sockaddr_storage  to;
    socklen_t                to_len;
    uint32_t                 connect_ms;
    uint32_t                 timeout_ms;
    int64_t                  connect_by;        /* INT64_MAX: it is connected */
    int64_t                  end_by;
    bool                     reused;
    bool                     over;
    tg_out_t                 body;
    void                    *data;
    size_t                   length;    /* of the request */
    size_t                   sent;
    char                     request[TG_PROBE_REQUEST_MAX];
    char                     why[TG_BACKEND_WHY_MAX];   /* empty: answered */
    tg_probe_t               reader;
} llm_up_socket_t;

/* NULL: not for a socket, such as where a name is to be resolved; or
 * exhaustion. */
llm_up_socket_t *llm_up_socket_open(const llm_up_socket_conf_t *conf);

/* Each may end it; s->over says so. */
void llm_up_socket_start(llm_up_socket_t *s, int64_t now);
void llm_up_socket_ready(llm_up_socket_t *s, int64_t now);
void llm_up_socket_late(llm_up_socket_t *s, int64_t now);

/* It waits to write; else to read. */
static inline bool
llm_up_socket_writes(const llm_up_socket_t *s)
{
    return s->sent < s->length;
}

/* When llm_up_socket_late() is to be called. */
static inline int64_t
llm_up_socket_deadline(const llm_up_socket_t *s)
{
    return s->connect_by < s->end_by ? s->connect_by : s->end_by;
}

void llm_up_socket_close(llm_up_socket_t *s);

#endif /* MOD_LLM_UPSTREAM_SOCKET_H */
