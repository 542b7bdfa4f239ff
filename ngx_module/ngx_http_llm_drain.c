#include "ngx_http_llm.h"

/*
 * Reading on after the client has left, so that the provider's own count of
 * usage is seen.  nginx's handlers of a broken client close the upstream; ours
 * take their place when the upstream is chosen (peer.init), which is right after
 * nginx has set its own.
 */

typedef struct {
    ngx_http_upstream_srv_conf_t    *upstream;
    ngx_http_upstream_init_peer_pt   init;
} ngx_http_llm_peer_init_t;


static void
ngx_http_llm_drain_timeout(ngx_event_t *ev)
{
    ngx_http_llm_ctx_t  *ctx = ev->data;
    ngx_connection_t    *c = ctx->request->connection;

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "llm: gave up draining an answer");

    ngx_http_finalize_request(ctx->request, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_llm_drain_consume(ngx_chain_t *cl)
{
    for ( ; cl != NULL; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }
}


/*
 * NGX_OK: the client has left and its answer is being drained.  What had been
 * handed to it and was not sent counts as sent, or nginx would wait for it.
 */
ngx_int_t
ngx_http_llm_client_gone(ngx_http_llm_ctx_t *ctx)
{
    ngx_event_t          *ev;
    ngx_http_request_t   *r = ctx->request;
    ngx_connection_t     *c = r->connection;
    ngx_http_upstream_t  *u = r->upstream;

    if (ctx->client_gone) {
        return NGX_OK;
    }

    if (ctx->llcf->scope.drain_ms == 0 || ctx->complete || u == NULL
        || u->peer.connection == NULL || u->cacheable || u->store)
    {
        return NGX_DECLINED;
    }

    ev = ngx_pcalloc(r->pool, sizeof(ngx_event_t));
    if (ev == NULL) {
        return NGX_ERROR;
    }

    ev->handler = ngx_http_llm_drain_timeout;
    ev->data = ctx;
    ev->log = c->log;
    ngx_add_timer(ev, (ngx_msec_t) ctx->llcf->scope.drain_ms);

    ctx->drain = ev;
    ctx->client_gone = 1;

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "llm: client has left, its answer is drained");

    ngx_http_llm_drain_consume(u->busy_bufs);

    if (u->buffering && u->pipe != NULL) {
        ngx_http_llm_drain_consume(u->pipe->busy);
        ngx_http_llm_drain_consume(u->pipe->out);
    }

    if (ctx->held != NULL) {
        ctx->held->pos = ctx->held->last;
        ctx->held = NULL;
    }

    r->out = NULL;
    r->buffered = 0;
    c->buffered = 0;
    c->error = 1;

    /* No send_timeout for a client that is not there. */

    c->write->ready = 1;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_llm_drain_broken(ngx_connection_t *c)
{
    char     buf[1];
    ssize_t  n;

    if (c->error || c->read->pending_eof || c->close) {
        return 1;
    }

    if (c->fd == (ngx_socket_t) -1) {
        return 0;
    }

    n = recv(c->fd, buf, 1, MSG_PEEK);

    return n == 0 || (n == -1 && ngx_socket_errno != NGX_EAGAIN);
}


static void
ngx_http_llm_drain_check(ngx_http_request_t *r)
{
    ngx_connection_t    *c = r->connection;
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r);

    if (ctx == NULL || ctx->client_gone) {
        return;
    }

#if (NGX_HTTP_V2)
    if (r->stream != NULL && !c->error) {
        return;
    }
#endif

    if (!ngx_http_llm_drain_broken(c)) {
        return;
    }

    if (ngx_http_llm_client_gone(ctx) != NGX_OK) {
        c->error = 1;
        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
        return;
    }

    /* Unsent bytes may have kept the upstream from being read. */

    if (r->upstream->peer.connection != NULL && ctx->answered) {
        ngx_post_event(r->upstream->peer.connection->read, &ngx_posted_events);
    }
}


static ngx_int_t
ngx_http_llm_drain_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_uint_t                 i;
    ngx_http_llm_ctx_t        *ctx;
    ngx_http_llm_peer_init_t  *pi;
    ngx_http_llm_main_conf_t  *lmcf;

    ctx = ngx_http_llm_get_ctx(r);

    if (ctx != NULL && ctx->request == r && ctx->llcf->scope.drain_ms > 0) {
        r->read_event_handler = ngx_http_llm_drain_check;
        r->write_event_handler = ngx_http_llm_drain_check;
    }

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_llm_module);
    pi = lmcf->peer_inits.elts;

    for (i = 0; i < lmcf->peer_inits.nelts; i++) {
        if (pi[i].upstream == us) {
            return pi[i].init(r, us);
        }
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_http_llm_drain_init(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_llm_peer_init_t        *pi;
    ngx_http_llm_main_conf_t        *lmcf;
    ngx_http_upstream_srv_conf_t   **us;
    ngx_http_upstream_main_conf_t   *umcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_llm_module);
    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    us = umcf->upstreams.elts;

    if (ngx_array_init(&lmcf->peer_inits, cf->pool, umcf->upstreams.nelts + 1,
                       sizeof(ngx_http_llm_peer_init_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < umcf->upstreams.nelts; i++) {
        pi = ngx_array_push(&lmcf->peer_inits);
        if (pi == NULL) {
            return NGX_ERROR;
        }

        pi->upstream = us[i];
        pi->init = us[i]->peer.init;
        us[i]->peer.init = ngx_http_llm_drain_init_peer;
    }

    return NGX_OK;
}
