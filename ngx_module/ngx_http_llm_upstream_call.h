/*
 * A request's stay at the servers of an upstream; for _peer.c and _call.c.
 */

#ifndef NGX_HTTP_LLM_UPSTREAM_CALL_H
#define NGX_HTTP_LLM_UPSTREAM_CALL_H

#include "ngx_http_llm_upstream.h"

typedef struct {
    ngx_http_request_t                *request;
    ngx_http_llm_upstream_main_conf_t *lumcf;
    ngx_http_llm_group_t              *group;

    /* What stands in nginx's place has these. */
    void                              *data;
    ngx_event_get_peer_pt              get;
    ngx_event_free_peer_pt             free;
    ngx_event_notify_peer_pt           notify;
#if (NGX_SSL || NGX_COMPAT)
    ngx_event_set_peer_session_pt      set_session;
    ngx_event_save_peer_session_pt     save_session;
#endif

    ngx_http_upstream_rr_peer_data_t   rrp;     /* for who takes one */
    ngx_http_upstream_rr_peer_data_t  *data_rrp;        /* NULL: out of sight */
    ngx_uint_t                         words;   /* of its bits */
    ngx_uint_t                         chosen;  /* the last one's place */
    uintptr_t                         *saved;
    uintptr_t                         *mask;
    uintptr_t                          own[2];

    tg_balance_ask_t                   ask;
    tg_ticket_t                        ticket;  /* of the server it is at */
    tg_backend_t                      *backend; /* where it was last */
    const tg_backend_conf_t           *bc;
    int64_t                            gpu_ns;  /* of the tries before */
    int64_t                            cost_nusd;       /* of those; -1: not
                                                           known */
    unsigned                           asked:1;
    unsigned                           settled:1;
} ngx_http_llm_upstream_call_t;

/* NULL: no memory.  It goes with the request's pool. */
ngx_http_llm_upstream_call_t *ngx_http_llm_upstream_call_add(
    ngx_http_request_t *r, ngx_http_llm_group_t *g);

/* What it will take; asked of the metering module the first time. */
const tg_balance_ask_t *ngx_http_llm_upstream_call_ask(
    ngx_http_llm_upstream_call_t *call);

void ngx_http_llm_upstream_call_begin(ngx_http_llm_upstream_call_t *call,
    const ngx_str_t *name);

/* By what nginx says of the try (peer.free's) and by the answer. */
tg_came_t ngx_http_llm_upstream_call_came(ngx_http_llm_upstream_call_t *call,
    ngx_peer_connection_t *pc, ngx_uint_t state);
void ngx_http_llm_upstream_call_end(ngx_http_llm_upstream_call_t *call,
    tg_came_t came);

#endif /* NGX_HTTP_LLM_UPSTREAM_CALL_H */
