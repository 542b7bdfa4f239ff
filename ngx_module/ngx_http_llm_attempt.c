#include "ngx_http_llm.h"

/*
 * Fallback to the next target of a route, as one more try of nginx's own: the
 * upstream's callbacks are ours and call those of the target's upstream.  Where
 * an attempt has failed nginx asks for another peer (get), and gets one of the
 * next target, for which the request is written anew.  So $upstream_addr and
 * $upstream_status list all attempts.
 *
 * Whether nginx tries again goes by proxy_next_upstream and by peer.tries.  As
 * long as these let it try the servers of one upstream, that comes first.
 * Where the call is to go on, they are told to let it: a copy of the
 * configuration stands in for nginx's own from there to the next get().
 */

struct ngx_http_llm_attempt_s {
    ngx_http_llm_ctx_t                *ctx;

    void                              *data;    /* of the target's upstream */
    ngx_event_get_peer_pt              get;
    ngx_event_free_peer_pt             free;
    ngx_event_notify_peer_pt           notify;
#if (NGX_SSL || NGX_COMPAT)
    ngx_event_set_peer_session_pt      set_session;
    ngx_event_save_peer_session_pt     save_session;
#endif

    ngx_int_t                        (*process_header)(ngx_http_request_t *r);
    ngx_int_t                        (*reinit_request)(ngx_http_request_t *r);

    ngx_http_upstream_conf_t          *conf;    /* nginx's own */
    ngx_http_upstream_conf_t          *copy;
    ngx_uint_t                         status;  /* that was not passed on */

    unsigned                           again:1; /* the call goes on */
    unsigned                           invalid:1;   /* the answer's head is */
    unsigned                           usual:1;     /* its status is nginx's
                                                       to try again for */
};


/* Statuses that proxy_next_upstream knows. */
static const struct {
    ngx_uint_t                         status;
    ngx_uint_t                         mask;
} ngx_http_llm_statuses[] = {
    { 500, NGX_HTTP_UPSTREAM_FT_HTTP_500 },
    { 502, NGX_HTTP_UPSTREAM_FT_HTTP_502 },
    { 503, NGX_HTTP_UPSTREAM_FT_HTTP_503 },
    { 504, NGX_HTTP_UPSTREAM_FT_HTTP_504 },
    { 403, NGX_HTTP_UPSTREAM_FT_HTTP_403 },
    { 404, NGX_HTTP_UPSTREAM_FT_HTTP_404 },
    { 429, NGX_HTTP_UPSTREAM_FT_HTTP_429 }
};


static ngx_uint_t
ngx_http_llm_attempt_expired(ngx_http_upstream_t *u)
{
    ngx_msec_t  timeout = u->conf->next_upstream_timeout;

    return timeout != 0 && ngx_current_msec - u->peer.start_time >= timeout;
}


/* As ngx_http_upstream_next() and _test_next() see it: would nginx try another
 * server of this upstream? */
static ngx_uint_t
ngx_http_llm_attempt_usual(ngx_http_request_t *r, ngx_uint_t tries,
    ngx_uint_t mask)
{
    ngx_http_upstream_t  *u = r->upstream;

    if (u->request_sent
        && (r->method & (NGX_HTTP_POST|NGX_HTTP_LOCK|NGX_HTTP_PATCH)))
    {
        mask |= NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;
    }

    return mask != 0 && tries != 0 && (u->conf->next_upstream & mask) == mask
           && !ngx_http_llm_attempt_expired(u);
}


static tg_str_t
ngx_http_llm_attempt_retry_after(ngx_http_upstream_t *u)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &u->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof("Retry-After") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Retry-After",
                                   sizeof("Retry-After") - 1)
                   == 0)
            {
                return ngx_http_llm_str(&h[i].value);
            }
        }
    }

    return tg_str_null;
}


/* True where the call goes on to another target. */
static ngx_uint_t
ngx_http_llm_attempt_failed(ngx_http_llm_attempt_t *a, tg_fail_t why,
    ngx_uint_t status)
{
    tg_str_t              retry_after = tg_str_null;
    tg_gate_t             gate;
    ngx_http_llm_ctx_t   *ctx = a->ctx;
    ngx_http_request_t   *r = ctx->request;
    ngx_http_upstream_t  *u = r->upstream;

    if (ctx->client_gone || r->connection->error
        || ngx_http_llm_attempt_expired(u))
    {
        return 0;
    }

    if (a->copy == NULL) {
        a->copy = ngx_palloc(r->pool, sizeof(ngx_http_upstream_conf_t));
        if (a->copy == NULL) {
            return 0;
        }
    }

    if (why == TG_FAIL_STATUS) {
        retry_after = ngx_http_llm_attempt_retry_after(u);
    }

    ngx_http_llm_now(&ctx->now);
    ngx_http_llm_gate(ctx->lmcf, &gate);

    if (tg_call_failed(ctx->call, &gate, &ctx->now, why, (unsigned) status,
                       retry_after)
        != TG_OK)
    {
        return 0;
    }

    *a->copy = *u->conf;
    a->copy->next_upstream = (ngx_uint_t) -1;

    a->conf = u->conf;
    u->conf = a->copy;

    a->again = 1;
    a->status = status;

    return 1;
}


static tg_fail_t
ngx_http_llm_attempt_why(ngx_http_upstream_t *u)
{
    ngx_connection_t  *c = u->peer.connection;

    return tg_fail_seen(u->request_sent,
                        c != NULL
                        && (c->read->timedout || c->write->timedout));
}


static ngx_uint_t
ngx_http_llm_attempt_fault(ngx_http_llm_attempt_t *a)
{
    ngx_connection_t  *c = a->ctx->request->upstream->peer.connection;

    return a->invalid ? NGX_HTTP_UPSTREAM_FT_INVALID_HEADER
           : c != NULL && (c->read->timedout || c->write->timedout)
           ? NGX_HTTP_UPSTREAM_FT_TIMEOUT : NGX_HTTP_UPSTREAM_FT_ERROR;
}


static void
ngx_http_llm_attempt_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_uint_t               fault, tries;
    ngx_http_llm_attempt_t  *a = data;
    ngx_http_request_t      *r = a->ctx->request;
    ngx_http_upstream_t     *u = r->upstream;

    /* Who answers, were it with an error, is not down. */

    if (a->again) {
        state = NGX_PEER_NEXT;
    }

    fault = ngx_http_llm_attempt_fault(a);

    a->free(pc, a->data, state);

    if (state != 0 && !a->again && !a->usual) {
        tries = pc->tries;

        if (pc->cached && fault == NGX_HTTP_UPSTREAM_FT_ERROR) {
            tries++;
        }

        if (ngx_http_llm_attempt_usual(r, tries, fault)) {
            return;
        }

        (void) ngx_http_llm_attempt_failed(a, ngx_http_llm_attempt_why(u), 0);
    }

    if (a->again) {
        pc->tries = 1;
    }
}


static void
ngx_http_llm_attempt_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_http_llm_attempt_t  *a = data;

    a->notify(pc, a->data, type);
}


#if (NGX_SSL || NGX_COMPAT)

static ngx_int_t
ngx_http_llm_attempt_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_llm_attempt_t  *a = data;

    return a->set_session(pc, a->data);
}


static void
ngx_http_llm_attempt_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_llm_attempt_t  *a = data;

    a->save_session(pc, a->data);
}

#endif


static ngx_int_t ngx_http_llm_attempt_get(ngx_peer_connection_t *pc,
    void *data);


/* The upstream of the target; what its callbacks are is kept. */
static ngx_int_t
ngx_http_llm_attempt_peer(ngx_http_llm_attempt_t *a, const tg_hop_t *hop)
{
    tg_str_t                       host;
    ngx_http_request_t            *r = a->ctx->request;
    ngx_http_upstream_t           *u = r->upstream;
    ngx_http_upstream_srv_conf_t  *us;

    us = a->ctx->lmcf->upstreams[hop->index];
    host = tg_conf_host(hop->authority);

    u->upstream = us;
    u->ssl = hop->provider->https;
    u->ssl_name.data = (u_char *) host.p;
    u->ssl_name.len = host.len;

    /* Round robin fills in what it finds there. */

    u->peer.data = NULL;
    u->peer.notify = NULL;

    if (ngx_http_llm_peer_usual(r, us) != NGX_OK) {
        return NGX_ERROR;
    }

    a->data = u->peer.data;
    a->get = u->peer.get;
    a->free = u->peer.free;
    a->notify = u->peer.notify;

    u->peer.data = a;
    u->peer.get = ngx_http_llm_attempt_get;
    u->peer.free = ngx_http_llm_attempt_free;

    if (a->notify != NULL) {
        u->peer.notify = ngx_http_llm_attempt_notify;
    }

#if (NGX_SSL || NGX_COMPAT)
    a->set_session = u->peer.set_session;
    a->save_session = u->peer.save_session;

    u->peer.set_session = ngx_http_llm_attempt_set_session;
    u->peer.save_session = ngx_http_llm_attempt_save_session;
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_attempt_allowed(ngx_http_llm_ctx_t *ctx)
{
    ngx_http_upstream_t  *u = ctx->request->upstream;

    if (!ctx->keyed || (u->ssl && u->conf->ssl_verify)) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "llm: the provider's key goes over verified TLS only, and"
                  " this upstream has none");

    return NGX_ERROR;
}


static void
ngx_http_llm_attempt_sent(ngx_http_llm_ctx_t *ctx)
{
    tg_gate_t  gate;

    ngx_http_llm_gate(ctx->lmcf, &gate);
    tg_call_sent(ctx->call, &gate);
}


/* The request is written anew, for the target that is next. */
static ngx_int_t
ngx_http_llm_attempt_move(ngx_http_llm_attempt_t *a)
{
    ngx_int_t             rc;
    ngx_chain_t          *body;
    ngx_http_llm_ctx_t   *ctx = a->ctx;
    ngx_http_request_t   *r = ctx->request;
    ngx_http_upstream_t  *u = r->upstream;

    if (ngx_http_llm_body_out(ctx, &body) != NGX_OK
        || ngx_http_llm_put_on(ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    u->request_bufs = body;
    rc = u->create_request(r);

    (void) ngx_http_llm_take_off(ctx);

    if (rc != NGX_OK
        || ngx_http_llm_attempt_peer(a, tg_call_hop(ctx->call)) != NGX_OK
        || ngx_http_llm_attempt_allowed(ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

#if (NGX_HTTP_CACHE)
    /* The cache's key is of the first target. */
    u->cacheable = 0;
#endif

    ngx_http_llm_attempt_sent(ctx);

    return NGX_OK;
}


/* Of the attempt before, which is the last but one in the list by now. */
static void
ngx_http_llm_attempt_tell_status(ngx_http_llm_attempt_t *a)
{
    ngx_array_t                *states = a->ctx->request->upstream_states;
    ngx_http_upstream_state_t  *state = states->elts;

    if (a->status != 0 && states->nelts > 1) {
        state[states->nelts - 2].status = a->status;
    }

    a->status = 0;
}


static ngx_int_t
ngx_http_llm_attempt_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_int_t                rc;
    ngx_http_llm_attempt_t  *a = data;
    ngx_http_upstream_t     *u = a->ctx->request->upstream;

    if (a->again) {
        a->again = 0;
        u->conf = a->conf;

        ngx_http_llm_attempt_tell_status(a);

        if (ngx_http_llm_attempt_move(a) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    a->invalid = 0;
    a->usual = 0;

    rc = a->get(pc, a->data);

    /* None of its servers is alive, and free() won't be asked. */

    if (rc == NGX_BUSY
        && ngx_http_llm_attempt_failed(a, TG_FAIL_CONNECT, 0))
    {
        pc->tries = 1;
    }

    return rc;
}


static ngx_uint_t
ngx_http_llm_attempt_status_usual(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t  i;

    for (i = 0; i < sizeof(ngx_http_llm_statuses)
                    / sizeof(ngx_http_llm_statuses[0]); i++)
    {
        if (ngx_http_llm_statuses[i].status == status) {
            return ngx_http_llm_attempt_usual(r, r->upstream->peer.tries - 1,
                                              ngx_http_llm_statuses[i].mask);
        }
    }

    return 0;
}


/*
 * The answer's head.  One with a status for which there is another target
 * counts as an invalid one, of which nginx doesn't know more than that it may
 * try again.
 */
static ngx_int_t
ngx_http_llm_attempt_header(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_uint_t               status, version = r->http_version;
    ngx_http_upstream_t     *u = r->upstream;
    ngx_http_llm_attempt_t  *a = ngx_http_llm_get_ctx(r)->attempt;

    rc = a->process_header(r);

    /* It goes on to a handler of its own. */

    if (u->process_header != ngx_http_llm_attempt_header) {
        a->process_header = u->process_header;
        u->process_header = ngx_http_llm_attempt_header;
    }

    status = u->headers_in.status_n;

#if (NGX_HTTP_CACHE)
    if (r->cached) {
        return rc;
    }
#endif

    /* What has no status line is HTTP/0.9 to nginx, and the answer. */

    if (rc == NGX_OK && status == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "llm: the provider's answer is no HTTP");
        r->http_version = version;
        rc = NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    if (rc == NGX_HTTP_UPSTREAM_INVALID_HEADER
        || (rc == NGX_AGAIN && u->buffer.last == u->buffer.end))
    {
        a->invalid = 1;
        return rc;
    }

    if (rc != NGX_OK || status < NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    if (ngx_http_llm_attempt_status_usual(r, status)) {
        a->usual = 1;
        return rc;
    }

    if (!tg_call_falls_back(a->ctx->call, TG_FAIL_STATUS, (unsigned) status)
        || !ngx_http_llm_attempt_failed(a, TG_FAIL_STATUS, status))
    {
        return rc;
    }

    u->state->header_time = ngx_current_msec - u->start_time;

    return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}


static ngx_int_t
ngx_http_llm_attempt_reinit(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_http_upstream_t     *u = r->upstream;
    ngx_http_llm_attempt_t  *a = ngx_http_llm_get_ctx(r)->attempt;

    rc = a->reinit_request(r);

    a->process_header = u->process_header;
    u->process_header = ngx_http_llm_attempt_header;

    return rc;
}


/* The request to the first target has been written. */
ngx_int_t
ngx_http_llm_attempt(ngx_http_llm_ctx_t *ctx)
{
    ngx_http_upstream_t     *u = ctx->request->upstream;
    ngx_http_llm_attempt_t  *a;

    a = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_llm_attempt_t));
    if (a == NULL) {
        return NGX_ERROR;
    }

    a->ctx = ctx;
    ctx->attempt = a;

    if (ngx_http_llm_attempt_peer(a, tg_call_hop(ctx->call)) != NGX_OK
        || ngx_http_llm_attempt_allowed(ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    a->process_header = u->process_header;
    u->process_header = ngx_http_llm_attempt_header;

    a->reinit_request = u->reinit_request;
    u->reinit_request = ngx_http_llm_attempt_reinit;

    ngx_http_llm_attempt_sent(ctx);
    ngx_http_llm_drain_arm(ctx);

    return NGX_OK;
}
