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
    /* A fast stop looks as if all clients had left, or is told to one of them
     * in an answer of ours. */

    if (ctx->stopped || (llm_is_stopped() && !ctx->complete)) {
        return TG_END_SHUTDOWN;
    }

    return tg_end_seen(ctx->client_gone, ctx->complete,
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


/* Names are new to the tables: nothing is searched for. */
static void
llm_value(request_rec *r, const char *name, tg_str_t value)
{
    const char  *text = apr_pstrmemdup(r->pool, value.p, value.len);

    apr_table_addn(r->subprocess_env, name, text);
    apr_table_addn(r->notes, name, text);
}


static const char *const  llm_value_names[TG_VALUES] = {
    "llm_call_id", "llm_model", "llm_request_model", "llm_provider",
    "llm_operation", "llm_stream", "llm_decision", "llm_route",
    "llm_sent_model", "llm_input_tokens", "llm_cached_tokens",
    "llm_output_tokens", "llm_reasoning_tokens", "llm_total_tokens",
    "llm_usage_source", "llm_cost_usd", "llm_finish_reason", "llm_key_id",
    "llm_response_id", "llm_error_type", "llm_max_tokens",
    "llm_time_to_first_chunk", "llm_trace_id", "llm_prefix_hash",
    "llm_overhead"
};


static void
llm_value_range(llm_ctx_t *ctx, request_rec *r, unsigned v, unsigned end)
{
    char      buf[TG_VALUE_MAX];
    tg_str_t  value;

    for ( ; v < end; v++) {
        if (tg_call_value(ctx->call, (tg_value_t) v, buf, &value)) {
            llm_value(r, llm_value_names[v], value);
        }
    }
}


/* Tables tell names apart by their first four letters: among ours each would be
 * compared whole.  The name that we put there is known by its address. */
static void
llm_value_replace(apr_table_t *t, const char *name, const char *text)
{
    const apr_array_header_t  *all = apr_table_elts(t);
    apr_table_entry_t         *e = (apr_table_entry_t *) all->elts;

    for (int i = 0; i < all->nelts; i++) {
        if (e[i].key == name) {
            e[i].val = (char *) text;
            return;
        }
    }

    apr_table_setn(t, name, text);
}


static void
llm_value_tags(llm_ctx_t *ctx, request_rec *r)
{
    tg_str_t  value;

    for (unsigned i = 0; i < llm_main->conf->ntags; i++) {
        value = tg_call_tag(ctx->call, i);
        if (value.len != 0) {
            llm_value(r, llm_main->tag_names[i], value);
        }
    }
}


/*
 * What is known of the call, where LogFormat ("%{llm_model}e" or "n"), Header
 * and RequestHeader find it.
 */
void
llm_values_early(llm_ctx_t *ctx)
{
    ctx->valued = 1;
    llm_value_range(ctx, ctx->request, 0, TG_VALUE_SENT_MODEL + 1);
    llm_value_tags(ctx, ctx->request);
}


static void
llm_values_late(llm_ctx_t *ctx, request_rec *r)
{
    /* What an answer, or a fallback, may have changed. */

    static const tg_value_t  again[] = {
        TG_VALUE_MODEL, TG_VALUE_ROUTE, TG_VALUE_SENT_MODEL
    };

    char         buf[TG_VALUE_MAX];
    tg_str_t     value;
    const char  *name, *text;

    if (!ctx->valued || r != ctx->request) {
        llm_value_range(ctx, r, 0, TG_VALUES);
        llm_value_tags(ctx, r);
        return;
    }

    for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
        if (tg_call_value(ctx->call, again[i], buf, &value)) {
            name = llm_value_names[again[i]];
            text = apr_pstrmemdup(r->pool, value.p, value.len);
            llm_value_replace(r->subprocess_env, name, text);
            llm_value_replace(r->notes, name, text);
        }
    }

    llm_value_range(ctx, r, TG_VALUE_SENT_MODEL + 1, TG_VALUES);
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
        llm_values_late(ctx, last);
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


/* A fast stop ends requests without their log. */
void
llm_child_stopping(apr_pool_t *pchild, int graceful)
{
    llm_ctx_t  *ctx;

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

    /* First, lest who waits for a quota is told that it is used up, by what is
     * charged for calls that are cut off here. */

    llm_client_stop();

    for (ctx = APR_RING_FIRST(&llm_ring);
         ctx != APR_RING_SENTINEL(&llm_ring, llm_ctx_s, link);
         ctx = APR_RING_NEXT(ctx, link))
    {
        if (llm_lock_stopping(&ctx->lock)) {
            llm_close(ctx, ctx->complete && !ctx->stopped ? TG_END_COMPLETE
                      : TG_END_SHUTDOWN, true);
            (void) pthread_mutex_unlock(&ctx->lock);
        }

        llm_client_wake(ctx);
    }

    (void) pthread_mutex_unlock(&llm_ring_lock);

    llm_log_flush(llm_main, false);
}
