#include "ngx_http_llm.h"


/*
 * An internal redirect zeroes the module contexts of a request; its pool's
 * cleanups stay.
 */
ngx_http_llm_ctx_t *
ngx_http_llm_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;
    ngx_http_llm_ctx_t  *ctx, *found;

    ctx = ngx_http_get_module_ctx(r, ngx_http_llm_module);

    if (ctx != NULL || (!r->internal && !r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln != NULL; cln = cln->next) {
        if (cln->handler != ngx_http_llm_cleanup) {
            continue;
        }

        found = cln->data;

        if (found->request == r) {
            ngx_http_set_ctx(r, found, ngx_http_llm_module);
            return found;
        }
    }

    return NULL;
}


void
ngx_http_llm_cleanup(void *data)
{
    ngx_http_llm_ctx_t  *ctx = data;

    /* Subrequests, and requests that never reach their log phase. */

    ngx_http_llm_close(ctx, ngx_http_llm_end(ctx));

    if (ctx->drain != NULL && ctx->drain->timer_set) {
        ngx_del_timer(ctx->drain);
    }

    if (ctx->sleep != NULL && ctx->sleep->timer_set) {
        ngx_del_timer(ctx->sleep);
    }

    tg_call_free(ctx->call);
    ngx_http_llm_free(ctx);
}


/* How the request ended, as far as nginx knows. */
tg_end_t
ngx_http_llm_end(ngx_http_llm_ctx_t *ctx)
{
    ngx_connection_t  *c = ctx->request->connection;

    return tg_end_seen(false, ctx->client_gone, ctx->complete,
                       c->error || c->timedout
                       || ctx->request->headers_out.status
                          == NGX_HTTP_CLIENT_CLOSED_REQUEST);
}


void
ngx_http_llm_settle(ngx_http_llm_ctx_t *ctx, tg_end_t end)
{
    tg_gate_t            gate;
    ngx_uint_t           status;
    ngx_http_request_t  *r = ctx->request;

    if (tg_call_finished(ctx->call)) {
        return;
    }

    status = r->err_status ? r->err_status : r->headers_out.status;

    if (!ctx->complete) {
        ngx_http_llm_feed_rest(ctx);
    }

    ngx_http_llm_now(&ctx->now);
    ngx_http_llm_gate(ctx->lmcf, &gate);
    tg_call_finish(ctx->call, end, (unsigned) status, &gate, &ctx->now);
    tg_desk_alerts(&ctx->lmcf->desk, ctx->call, ngx_http_llm_log_alert, ctx);
}


void
ngx_http_llm_close(ngx_http_llm_ctx_t *ctx, tg_end_t end)
{
    if (!ctx->open) {
        return;
    }

    ctx->open = 0;
    ngx_queue_remove(&ctx->queue);

    ngx_http_llm_fleet_forget(ctx);

    ngx_http_llm_settle(ctx, end);
    ngx_http_llm_log_write(ctx);
}
