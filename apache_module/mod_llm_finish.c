#include "mod_llm.h"

APLOG_USE_MODULE(llm);

APR_RING_HEAD(llm_ring_s, llm_ctx_s);

/* A child's open calls. */
static struct llm_ring_s  llm_ring;
static pthread_mutex_t    llm_ring_lock = PTHREAD_MUTEX_INITIALIZER;


void
llm_finish_init(void)
{
    APR_RING_INIT(&llm_ring, llm_ctx_s, link);
}


void
llm_open(llm_ctx_t *ctx)
{
    (void) pthread_mutex_lock(&llm_ring_lock);

    ctx->open = 1;
    ctx->listed = 1;
    APR_RING_INSERT_TAIL(&llm_ring, ctx, llm_ctx_s, link);

    (void) pthread_mutex_unlock(&llm_ring_lock);
}


/* How the request ended, as far as httpd knows. */
static tg_end_t
llm_end(const llm_ctx_t *ctx)
{
    /* An answer that told of the stop is none. */

    return tg_end_seen(llm_is_stopped() || ctx->stopped, ctx->client_gone,
                       ctx->complete && !ctx->stopped,
                       ctx->request->connection->aborted && !ctx->broken);
}


static request_rec *
llm_last(request_rec *r)
{
    while (r->next != NULL) {
        r = r->next;
    }

    return r;
}


/* With the call's lock held. */
static void
llm_close(llm_ctx_t *ctx, tg_end_t end, bool stopping)
{
    int           status;
    request_rec  *last;

    if (!ctx->open) {
        return;
    }

    ctx->open = 0;
    last = llm_last(ctx->request);
    status = last->status;

    if (!ctx->answered && ctx->error_status != 0) {
        status = ctx->error_status;

    } else if (!ctx->answered && status < HTTP_BAD_REQUEST) {
        status = 0;             /* it got nothing */
    }

    llm_now(&ctx->now);
    llm_prices_finish(ctx, end, (unsigned) status);

    if (!stopping) {
        llm_values(ctx, last);
        llm_cache_store(ctx);
    }

    llm_log_write(ctx, stopping);
}


int
llm_log_transaction(request_rec *r)
{
    llm_ctx_t  *ctx = llm_get_ctx(r);

    if (ctx != NULL && ctx->request == r) {
        (void) pthread_mutex_lock(&ctx->lock);
        llm_close(ctx, llm_end(ctx), false);
        (void) pthread_mutex_unlock(&ctx->lock);
    }

    return DECLINED;
}


apr_status_t
llm_cleanup(void *data)
{
    llm_ctx_t  *ctx = data;

    (void) pthread_mutex_lock(&llm_ring_lock);

    if (ctx->listed) {
        ctx->listed = 0;
        APR_RING_REMOVE(ctx, link);
    }

    (void) pthread_mutex_unlock(&llm_ring_lock);

    /* A request that never reached its log. */

    llm_close(ctx, llm_end(ctx), true);

    if (ctx->call != NULL) {
        tg_call_free(ctx->call);
    }

    llm_body_free(ctx);
    (void) pthread_mutex_destroy(&ctx->lock);
    tg_arena_destroy(ctx->arena);

    return APR_SUCCESS;
}


static void
llm_cut_off(llm_ctx_t *ctx)
{
    llm_close(ctx, tg_end_seen(true, ctx->client_gone,
                               ctx->complete && !ctx->stopped, false), true);
}


/* With the ring's lock held.  waiting: only those who wait for others. */
static void
llm_cut_off_all(bool waiting)
{
    llm_ctx_t  *ctx;

    for (ctx = APR_RING_FIRST(&llm_ring);
         ctx != APR_RING_SENTINEL(&llm_ring, llm_ctx_s, link);
         ctx = APR_RING_NEXT(ctx, link))
    {
        if (llm_lock_stopping(&ctx->lock)) {
            if (ctx->waits || !waiting) {
                llm_cut_off(ctx);
            }

            (void) pthread_mutex_unlock(&ctx->lock);
        }

        if (!waiting) {
            llm_client_wake(ctx);
        }
    }
}


/* A fast stop ends requests without their log. */
void
llm_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void) pchild;

    if (llm_main == NULL || APR_RING_FIRST(&llm_ring) == NULL) {
        return;
    }

    if (graceful) {
        llm_desk_retire(llm_main);
        return;
    }

    if (!llm_lock_stopping(&llm_ring_lock)) {
        return;
    }

    llm_client_stop();

    /* Who waits for a quota first, lest he is told that it is used up, by what
     * is charged for calls that are cut off here. */

    llm_cut_off_all(true);
    llm_cut_off_all(false);

    (void) pthread_mutex_unlock(&llm_ring_lock);

    llm_log_flush(llm_main, false);
}
