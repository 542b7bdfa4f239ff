#include "ngx_http_llm.h"

/*
 * Reading on after the client has left, so that the provider's own count of
 * usage is seen.  nginx's handlers of a broken client close the upstream; ours
 * take their place when the upstream is chosen (peer.init), which is right after
 * nginx has set its own.
 */

/*
 * The request ends with its upstream still at work, whose cleanup handler gives
 * back a reference; ngx_http_request_handler() takes one for it likewise.
 */
static void
ngx_http_llm_drain_abort(ngx_http_request_t *r)
{
    if (r->upstream->cleanup != NULL) {
        r->main->count++;
    }

    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}


static void
ngx_http_llm_drain_timeout(ngx_event_t *ev)
{
    ngx_http_llm_ctx_t  *ctx = ev->data;
    ngx_connection_t    *c = ctx->request->connection;

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "llm: gave up draining an answer");

    ngx_http_llm_drain_abort(ctx->request);
    ngx_http_run_posted_requests(c);
}


/* Up to the buffer `end`, which may be NULL. */
void
ngx_http_llm_consume(ngx_chain_t *cl, ngx_buf_t *end)
{
    for ( ; cl != NULL && cl->buf != end; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }
}


/*
 * What had been handed to the client and was not sent counts as sent, or nginx
 * would wait for it.  What waits before the copy filter has not been seen by the
 * meter, and stays.
 */
static void
ngx_http_llm_drain_unblock(ngx_http_llm_ctx_t *ctx)
{
    ngx_buf_t               *unseen = NULL;
    ngx_http_request_t      *r = ctx->request;
    ngx_connection_t        *c = r->connection;
    ngx_http_upstream_t     *u = r->upstream;
    ngx_output_chain_ctx_t  *copy;

    copy = ngx_http_get_module_ctx(r, ngx_http_copy_filter_module);

    if (copy != NULL) {
        unseen = copy->in != NULL ? copy->in->buf : NULL;
        ngx_http_llm_consume(copy->busy, NULL);
    }

    ngx_http_llm_consume(ctx->busy, NULL);
    ngx_http_llm_consume(u->busy_bufs, unseen);

    if (u->buffering && u->pipe != NULL) {
        ngx_http_llm_consume(u->pipe->busy, unseen);
    }

    if (ctx->held != NULL) {
        ctx->held->pos = ctx->held->last;
        ctx->held = NULL;
    }

    r->out = NULL;
    r->buffered = 0;
    c->buffered = 0;
    c->error = 1;

    /* No send_timeout or limit_rate for a client that is not there. */

    c->write->ready = 1;
    c->write->delayed = 0;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }
}


/* NGX_OK: the client has left and its answer is being drained. */
ngx_int_t
ngx_http_llm_client_gone(ngx_http_llm_ctx_t *ctx)
{
    ngx_event_t          *ev;
    ngx_connection_t     *c = ctx->request->connection;
    ngx_http_upstream_t  *u = ctx->request->upstream;

    if (ctx->client_gone) {
        return NGX_OK;
    }

    if (ctx->llcf->scope.drain_ms == 0 || ctx->complete || u == NULL
        || u->peer.connection == NULL)
    {
        return NGX_DECLINED;
    }

    /* For a file of its own nginx reads on for as long as it takes. */

    if (!u->cacheable && !u->store) {
        ev = ngx_pcalloc(ctx->request->pool, sizeof(ngx_event_t));
        if (ev == NULL) {
            return NGX_ERROR;
        }

        ev->handler = ngx_http_llm_drain_timeout;
        ev->data = ctx;
        ev->log = c->log;
        ngx_add_timer(ev, (ngx_msec_t) ctx->llcf->scope.drain_ms);

        ctx->drain = ev;
    }

    ctx->client_gone = 1;

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "llm: client has left, its answer is drained");

    ngx_http_llm_drain_unblock(ctx);

    return NGX_OK;
}


/* As ngx_http_upstream_check_broken_connection() does. */
static ngx_uint_t
ngx_http_llm_drain_broken(ngx_http_request_t *r)
{
    char               buf[1];
    ssize_t            n;
    ngx_connection_t  *c = r->connection;

    if (c->error) {
        return 1;
    }

#if (NGX_HTTP_V2)
    if (r->stream != NULL) {
        return 0;
    }
#endif

#if (NGX_HTTP_V3)
    if (c->quic != NULL) {
        return c->write->error;
    }
#endif

    if (c->read->pending_eof) {
        return 1;
    }

    n = recv(c->fd, buf, 1, MSG_PEEK);

    if (n == -1 && ngx_socket_errno == NGX_EAGAIN) {
        return 0;
    }

    /* A pipelined request, or the end, would be told again and again. */

    if ((ngx_event_flags & NGX_USE_LEVEL_EVENT) && c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    return n <= 0;
}


static void
ngx_http_llm_drain_check(ngx_http_request_t *r)
{
    ngx_connection_t     *c = r->connection;
    ngx_http_llm_ctx_t   *ctx = ngx_http_llm_get_ctx(r);
    ngx_http_upstream_t  *u = r->upstream;

    if (ctx == NULL || ctx->client_gone || !ngx_http_llm_drain_broken(r)) {
        return;
    }

    if (ngx_http_llm_client_gone(ctx) != NGX_OK) {
        c->error = 1;
        ngx_http_llm_drain_abort(r);
        return;
    }

    /* What waited for the client may have kept the upstream from being read. */

    if (u->header_sent) {
        ngx_post_event(c->write, &ngx_posted_events);
    }
}


/* The upstream is about to be chosen. */
void
ngx_http_llm_drain_arm(ngx_http_llm_ctx_t *ctx)
{
    if (ctx->llcf->scope.drain_ms > 0) {
        ctx->request->read_event_handler = ngx_http_llm_drain_check;
        ctx->request->write_event_handler = ngx_http_llm_drain_check;
    }
}
