#include "mod_llm.h"

APLOG_USE_MODULE(llm);

/* Buckets from which more than this may be read are passed on one by one. */
#define LLM_LONG_BUCKET  65536

static ap_filter_rec_t  *llm_output_handle;


static int
llm_answer_header(void *data, const char *key, const char *value)
{
    llm_ctx_t  *ctx = data;

    tg_call_answer_header(ctx->call, tg_strz(key), tg_strz(value));

    return 1;
}


/* Asked for as identity; where it comes packed all the same it is unpacked for
 * the meter, and for the client only where it is altered. */
static void
llm_answer_encoding(llm_ctx_t *ctx, request_rec *r)
{
    const char  *encoding = apr_table_get(r->headers_out, "Content-Encoding");

    if (encoding == NULL) {
        encoding = r->content_encoding;
    }

    switch (tg_http_coding(llm_str(encoding))) {

    case TG_CODING_ZLIB:
        ctx->inflate = tg_inflate_create(tg_arena_mem(ctx->arena));
        if (ctx->inflate != NULL) {
            break;
        }

        /* fall through */

    case TG_CODING_OPAQUE:
        ctx->opaque = 1;
        tg_call_answer_hidden(ctx->call);
        break;

    case TG_CODING_IDENTITY:
        break;
    }
}


/* By us, or told of a stop: what is said then is no answer to the call. */
static bool
llm_turned_away(const llm_ctx_t *ctx)
{
    return ctx->refused || ctx->stopped;
}


/* The head as the client gets it. */
static void
llm_answer_head(llm_ctx_t *ctx, request_rec *r)
{
    unsigned     n, status = (unsigned) r->status;
    tg_str_t     given = llm_str(r->content_type), type = given;
    tg_header_t  says[TG_SAYS_MAX];

    tg_call_answer_head(ctx->call, &status, &type);

    if ((int) status != r->status) {
        r->status = (int) status;
        r->status_line = NULL;
    }

    if (type.p != given.p) {
        ap_set_content_type(r, apr_pstrmemdup(r->pool, type.p, type.len));
    }

    n = tg_call_says(ctx->call, says);

    for (unsigned i = 0; i < n; i++) {
        apr_table_setn(r->err_headers_out,
                   apr_pstrmemdup(r->pool, says[i].name.p, says[i].name.len),
                   apr_pstrmemdup(r->pool, says[i].value.p, says[i].value.len));
    }
}


static void
llm_answer_altered(llm_ctx_t *ctx, request_rec *r)
{
    if (ctx->opaque) {
        ctx->unreadable = tg_call_must_read(ctx->call);
        return;
    }

    if (ctx->inflate != NULL) {
        apr_table_unset(r->headers_out, "Content-Encoding");
        r->content_encoding = NULL;
    }

    apr_table_unset(r->headers_out, "Content-Length");
    apr_table_unset(r->headers_out, "Accept-Ranges");
    apr_table_unset(r->headers_out, "ETag");

    ctx->out = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    ctx->gathers = tg_call_gathers(ctx->call);
}


/* With the call's lock held. */
static void
llm_answer(llm_ctx_t *ctx, request_rec *r)
{
    /* It won't be sent again. */

    if (ctx->scope.pass && ctx->body != NULL) {
        apr_brigade_cleanup(ctx->body);
    }

    tg_call_upstream(ctx->call, tg_str_null, ctx->attempts);
    tg_call_answer(ctx->call, (unsigned) r->status, llm_str(r->content_type),
                   ctx->hit);

    if (tg_call_wants_headers(ctx->call)) {
        apr_table_do(llm_answer_header, ctx, r->headers_out, NULL);
    }

    llm_answer_encoding(ctx, r);

    if (ctx->inflate == NULL && !ctx->opaque) {
        llm_cache_begin(ctx, r);
    }

    llm_answer_head(ctx, r);

    if (tg_call_alters(ctx->call)) {
        llm_answer_altered(ctx, r);
    }
}


/*
 * httpd tells of the failure of an upstream that has been sent the request, and
 * sent no answer.  What of a request was sent in part is not known.
 */
static bool
llm_unanswered(const llm_ctx_t *ctx, const request_rec *r)
{
    int  status = ctx->request->status;

    return ctx->origin != NULL && (ctx->failed || r != ctx->request)
           && (status == HTTP_BAD_GATEWAY || status == HTTP_GATEWAY_TIME_OUT);
}


static int
llm_out(void *data, const char *p, size_t n)
{
    llm_ctx_t  *ctx = data;

    return apr_brigade_write(ctx->out, NULL, NULL, p, n);
}


static apr_status_t
llm_feed(llm_ctx_t *ctx, const char *p, size_t n)
{
    int  rc = TG_OK;

    if (!ctx->first) {
        ctx->first = 1;
        llm_now(&ctx->now);
    }

    llm_cache_keep(ctx, p, n);

    (void) pthread_mutex_lock(&ctx->lock);

    if (ctx->out != NULL && ctx->inflate != NULL) {
        rc = tg_inflate_filter(ctx->inflate, ctx->call, p, n, &ctx->now,
                               llm_out, ctx);

    } else if (ctx->out != NULL) {
        rc = tg_call_filter(ctx->call, p, n, &ctx->now, llm_out, ctx);

    } else if (ctx->inflate != NULL) {
        tg_inflate_feed(ctx->inflate, ctx->call, p, n, &ctx->now);

    } else if (!ctx->opaque) {
        tg_call_feed(ctx->call, p, n, &ctx->now);
    }

    (void) pthread_mutex_unlock(&ctx->lock);

    return rc == TG_OK ? APR_SUCCESS : APR_EGENERAL;
}


/* The head that was held back: it goes with the body. */
static void
llm_answer_whole(llm_ctx_t *ctx, request_rec *r)
{
    apr_off_t  n;

    ctx->gathers = 0;
    llm_answer_head(ctx, r);

    if (apr_brigade_length(ctx->out, 0, &n) == APR_SUCCESS) {
        ap_set_content_length(r, n);
    }
}


/* In an altered answer metadata keep their place among the bytes. */
static void
llm_move(llm_ctx_t *ctx, apr_bucket *b)
{
    if (ctx->gathers) {
        apr_bucket_delete(b);

    } else if (ctx->out != NULL) {
        APR_BUCKET_REMOVE(b);
        APR_BRIGADE_INSERT_TAIL(ctx->out, b);
    }
}


static void
llm_metadata(llm_ctx_t *ctx, request_rec *r, apr_bucket *b, bool *eos)
{
    if (AP_BUCKET_IS_ERROR(b)) {
        ctx->broken |= ctx->answered;
        ctx->error_status = ((ap_bucket_error *) b->data)->status;

        if (!ctx->answered && ctx->origin != NULL) {
            (void) pthread_mutex_lock(&ctx->lock);
            tg_call_unanswered(ctx->call);
            (void) pthread_mutex_unlock(&ctx->lock);
        }
    }

    if (APR_BUCKET_IS_EOS(b)) {
        *eos = true;
        ctx->origin_fd = -1;            /* another's from here on */

        if (ctx->out != NULL) {
            (void) pthread_mutex_lock(&ctx->lock);
            (void) tg_call_filter_end(ctx->call, llm_out, ctx);

            if (ctx->gathers) {
                llm_answer_whole(ctx, r);
            }

            (void) pthread_mutex_unlock(&ctx->lock);
        }
    }

    llm_move(ctx, b);
}


static apr_status_t
llm_hand_on(llm_ctx_t *ctx, ap_filter_t *f, apr_bucket_brigade *bb, bool eos)
{
    apr_status_t  rv;

    if (ctx->gathers) {
        apr_brigade_cleanup(bb);
        return APR_SUCCESS;
    }

    if (ctx->draining) {
        apr_brigade_cleanup(bb);
        return llm_client_swallow(ctx, eos);
    }

    rv = ap_pass_brigade(f->next, bb);
    apr_brigade_cleanup(bb);

    if (rv == APR_SUCCESS && !f->c->aborted) {
        ctx->complete |= eos && ctx->answered && !ctx->broken;
        return APR_SUCCESS;
    }

    if (eos || ctx->broken) {
        return rv;
    }

    return llm_client_left(ctx);
}


/*
 * Reads a bucket that may have to be waited for, or that becomes many as it is
 * read: what is before it goes first, and it goes before what follows it.
 */
static apr_status_t
llm_read_long(llm_ctx_t *ctx, ap_filter_t *f, apr_bucket_brigade *bb,
    apr_bucket *b, const char **p, apr_size_t *n)
{
    apr_bucket          *flush;
    apr_status_t         rv;
    apr_bucket_brigade  *rest;

    rv = apr_bucket_read(b, p, n, APR_NONBLOCK_READ);

    if (!APR_STATUS_IS_EAGAIN(rv)) {
        return rv;
    }

    rest = apr_brigade_split_ex(bb, b, NULL);
    flush = apr_bucket_flush_create(f->c->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(ctx->out != NULL ? ctx->out : bb, flush);

    rv = llm_hand_on(ctx, f, ctx->out != NULL ? ctx->out : bb, false);
    apr_brigade_cleanup(bb);
    APR_BRIGADE_CONCAT(bb, rest);

    return rv == APR_SUCCESS ? apr_bucket_read(b, p, n, APR_BLOCK_READ) : rv;
}


static apr_status_t
llm_data(llm_ctx_t *ctx, ap_filter_t *f, apr_bucket_brigade *bb, apr_bucket *b,
    apr_bucket **next)
{
    bool                 large = b->length == (apr_size_t) -1
                                 || b->length > LLM_LONG_BUCKET;
    apr_size_t           n;
    const char          *p;
    apr_status_t         rv;
    apr_bucket_brigade  *rest;

    rv = large ? llm_read_long(ctx, f, bb, b, &p, &n)
               : apr_bucket_read(b, &p, &n, APR_BLOCK_READ);

    if (rv != APR_SUCCESS) {
        return rv;
    }

    *next = APR_BUCKET_NEXT(b);

    if (n != 0) {
        rv = llm_feed(ctx, p, n);
    }

    if (ctx->out != NULL) {
        apr_bucket_delete(b);
    }

    if (rv == APR_SUCCESS && large && *next != APR_BRIGADE_SENTINEL(bb)) {
        rest = apr_brigade_split_ex(bb, *next, NULL);
        rv = llm_hand_on(ctx, f, ctx->out != NULL ? ctx->out : bb, false);
        apr_brigade_cleanup(bb);
        APR_BRIGADE_CONCAT(bb, rest);
        *next = APR_BRIGADE_FIRST(bb);
    }

    return rv;
}


/* To be translated, and packed in a way that is not known here. */
static apr_status_t
llm_unreadable(ap_filter_t *f, apr_bucket_brigade *bb)
{
    apr_bucket_alloc_t  *alloc = f->c->bucket_alloc;

    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, f->r, "llm: the provider's answer"
                  " is to be translated, and comes packed in a way that is not"
                  " known here");

    apr_brigade_cleanup(bb);
    APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL,
                                                       f->r->pool, alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    (void) ap_pass_brigade(f->next, bb);

    return APR_EGENERAL;
}


static apr_status_t
llm_output_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    bool           eos = false, waits;
    llm_ctx_t     *ctx = f->ctx;
    apr_bucket    *b, *next;
    apr_status_t   rv = APR_SUCCESS;

    llm_tls_answered();

    /* Nobody is there to be told what became of the call. */

    if (ctx->error_status == TG_HTTP_CLIENT_CLOSED) {
        apr_brigade_cleanup(bb);
        return APR_ECONNABORTED;
    }

    b = APR_BRIGADE_FIRST(bb);

    if (ctx->again
        || (!ctx->answered
            && llm_pass_answered(ctx, b != APR_BRIGADE_SENTINEL(bb)
                                      && AP_BUCKET_IS_ERROR(b))))
    {
        return llm_pass_swallow(ctx, bb);
    }

    if (!ctx->answered
        && !(b != APR_BRIGADE_SENTINEL(bb) && AP_BUCKET_IS_ERROR(b)))
    {
        ctx->answered = 1;
        llm_now(&ctx->now);

        if (!llm_turned_away(ctx)) {
            (void) pthread_mutex_lock(&ctx->lock);

            if (llm_unanswered(ctx, f->r)) {
                tg_call_unanswered(ctx->call);
            } else {
                llm_answer(ctx, f->r);
            }

            (void) pthread_mutex_unlock(&ctx->lock);
        }

        if (ctx->unreadable) {
            ctx->unreadable = 0;
            ctx->broken = 1;
            return llm_unreadable(f, bb);
        }
    }

    /* With nothing but a flush the proxy says that it is going to wait. */

    waits = b != APR_BRIGADE_SENTINEL(bb) && APR_BUCKET_IS_FLUSH(b)
            && APR_BUCKET_NEXT(b) == APR_BRIGADE_SENTINEL(bb);

    while (b != APR_BRIGADE_SENTINEL(bb)) {
        next = APR_BUCKET_NEXT(b);

        if (APR_BUCKET_IS_METADATA(b)) {
            llm_metadata(ctx, f->r, b, &eos);

        } else if (!llm_turned_away(ctx)) {
            rv = llm_data(ctx, f, bb, b, &next);
            if (rv != APR_SUCCESS) {
                return rv;
            }
        }

        b = next;
    }

    rv = llm_hand_on(ctx, f, ctx->out != NULL ? ctx->out : bb, eos);

    return rv == APR_SUCCESS && waits ? llm_client_wait(ctx) : rv;
}


/* First of all that is inserted, so that it sees what the upstream sent. */
static void
llm_insert_filter(request_rec *r)
{
    ap_filter_t  *f;
    llm_ctx_t    *ctx = llm_get_ctx(r);

    if (ctx == NULL) {
        return;
    }

    for (f = r->output_filters; f != NULL; f = f->next) {
        if (f->frec == llm_output_handle) {
            return;
        }
    }

    ap_add_output_filter_handle(llm_output_handle, ctx, r, r->connection);
}


/* Its page is no upstream's. */
static void
llm_insert_error_filter(request_rec *r)
{
    llm_ctx_t  *ctx = llm_get_ctx(r);

    if (ctx != NULL) {
        ctx->failed |= !ctx->answered;
        llm_insert_filter(r);
    }
}


void
llm_response_hooks(apr_pool_t *p)
{
    (void) p;

    llm_output_handle = ap_register_output_filter("LLM_OUT", llm_output_filter,
                                                  NULL, AP_FTYPE_RESOURCE);

    ap_hook_insert_filter(llm_insert_filter, NULL, NULL,
                          APR_HOOK_REALLY_FIRST);
    ap_hook_insert_error_filter(llm_insert_error_filter, NULL, NULL,
                                APR_HOOK_REALLY_FIRST);
}
