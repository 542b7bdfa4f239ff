#include "mod_llm.h"

#include "apr_portable.h"

#include <sys/mman.h>

APLOG_USE_MODULE(llm);

#define LLM_FILE_TEMPLATE  "tollgate-XXXXXX"
#define LLM_WHOLE_BUCKET   4096         /* from this size on not copied */
#define LLM_WHOLE_FIRST    4            /* nor are these, whatever their size */
#define LLM_BODY_STEP      65536        /* more than a read gives */

/*
 * The request's body: read whole before the call is admitted, and kept in
 * memory or in a file.
 */


static apr_status_t
llm_to_file(llm_ctx_t *ctx, apr_bucket *b)
{
    apr_size_t    n;
    const char   *p;
    apr_status_t  rv;

    rv = apr_bucket_read(b, &p, &n, APR_BLOCK_READ);

    return rv == APR_SUCCESS ? apr_file_write_full(ctx->file, p, n, NULL) : rv;
}


/* From here on the body goes to a file, which nobody else can open. */
static apr_status_t
llm_begin_file(llm_ctx_t *ctx)
{
    char          *name;
    apr_bucket    *b;
    apr_pool_t    *p = ctx->request->pool;
    const char    *dir;
    apr_status_t   rv;

    rv = apr_temp_dir_get(&dir, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }

    name = apr_pstrcat(p, dir, "/" LLM_FILE_TEMPLATE, NULL);

    rv = apr_file_mktemp(&ctx->file, name, APR_FOPEN_CREATE | APR_FOPEN_READ
                         | APR_FOPEN_WRITE | APR_FOPEN_EXCL
                         | APR_FOPEN_BINARY, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }

    (void) apr_file_remove(name, p);

    for (b = APR_BRIGADE_FIRST(ctx->body); b != APR_BRIGADE_SENTINEL(ctx->body);
         b = APR_BUCKET_NEXT(b))
    {
        rv = llm_to_file(ctx, b);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }

    return apr_brigade_cleanup(ctx->body);
}


/* Keeps a bucket of the body, which may be unlinked from its brigade. */
static apr_status_t
llm_keep(llm_ctx_t *ctx, apr_bucket *b, const char *p, apr_size_t n)
{
    apr_off_t     limit = ap_get_limit_req_body(ctx->request);
    apr_status_t  rv;

    ctx->size += (apr_off_t) n;

    /* httpd does not apply it to what it hands on, but we keep it. */

    if (limit != 0 && ctx->size > limit) {
        return APR_ENOSPC;
    }

    if (ctx->file == NULL && ctx->size > LLM_BODY_MEMORY) {
        rv = llm_begin_file(ctx);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }

    if (ctx->file != NULL) {
        return apr_file_write_full(ctx->file, p, n, NULL);
    }

    /* A short bucket may sit in a large block: many of them would add up.  A copy
     * begins such a block, too. */

    if ((n >= LLM_WHOLE_BUCKET || ctx->nwhole < LLM_WHOLE_FIRST)
        && apr_bucket_setaside(b, ctx->request->pool) == APR_SUCCESS)
    {
        ctx->nwhole++;
        APR_BUCKET_REMOVE(b);
        APR_BRIGADE_INSERT_TAIL(ctx->body, b);
        return APR_SUCCESS;
    }

    return apr_brigade_write(ctx->body, NULL, NULL, p, n);
}


static apr_status_t
llm_take(llm_ctx_t *ctx, apr_bucket_brigade *bb, bool *eos)
{
    apr_size_t     n;
    apr_bucket    *b, *next;
    const char    *p;
    apr_status_t   rv;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = next) {

        if (APR_BUCKET_IS_EOS(b)) {
            *eos = true;
            break;
        }

        if (APR_BUCKET_IS_METADATA(b)) {
            next = APR_BUCKET_NEXT(b);
            continue;
        }

        rv = apr_bucket_read(b, &p, &n, APR_BLOCK_READ);
        next = APR_BUCKET_NEXT(b);

        if (rv == APR_SUCCESS && n != 0) {
            (void) pthread_mutex_lock(&ctx->lock);
            tg_call_body(ctx->call, p, n);
            (void) pthread_mutex_unlock(&ctx->lock);

            rv = llm_keep(ctx, b, p, n);
        }

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }

    return APR_SUCCESS;
}


static int
llm_body_failed(llm_ctx_t *ctx, apr_status_t rv)
{
    request_rec  *r = ctx->request;

    if (r->connection->aborted || APR_STATUS_IS_EOF(rv)
        || APR_STATUS_IS_INCOMPLETE(rv) || APR_STATUS_IS_ECONNRESET(rv)
        || APR_STATUS_IS_ECONNABORTED(rv) || APR_STATUS_IS_EPIPE(rv))
    {
        ctx->client_gone = 1;
    }

    ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, r,
                  "llm: can't read the request's body");

    return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
}


int
llm_body_read(llm_ctx_t *ctx)
{
    bool                 eos = false;
    request_rec         *r = ctx->request;
    apr_status_t         rv;
    apr_bucket_brigade  *bb;

    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    ctx->body = apr_brigade_create(r->pool, r->connection->bucket_alloc);

    do {
        rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                            APR_BLOCK_READ, LLM_BODY_STEP);

        if (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(bb)) {
            rv = APR_EOF;
        }

        if (rv == APR_SUCCESS) {
            rv = llm_take(ctx, bb, &eos);
        }

        apr_brigade_cleanup(bb);

        if (rv != APR_SUCCESS) {
            return llm_body_failed(ctx, rv);
        }

    } while (!eos);

    return OK;
}


static int
llm_body_map(llm_ctx_t *ctx, tg_str_t *body)
{
    void           *p;
    apr_os_file_t   fd;

    if (ctx->map == NULL) {
        if (apr_os_file_get(&fd, ctx->file) != APR_SUCCESS) {
            return TG_ERROR;
        }

        p = mmap(NULL, (size_t) ctx->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            return TG_ERROR;
        }

        ctx->map = p;
    }

    *body = tg_str_of(ctx->map, (size_t) ctx->size);

    return TG_OK;
}


/* tg_host_t's: nothing of ctx->body has gone upstream yet, or only copies. */
int
llm_body_whole(void *req, tg_str_t *body)
{
    char        *p;
    apr_size_t   n;
    llm_ctx_t   *ctx = req;

    if (ctx->body == NULL || ctx->size == 0) {
        *body = tg_str_null;
        return TG_OK;
    }

    if (ctx->file != NULL) {
        return llm_body_map(ctx, body);
    }

    n = (apr_size_t) ctx->size;

    if (ctx->whole == NULL) {
        p = tg_alloc(tg_arena_mem(ctx->arena), n);
        if (p == NULL
            || apr_brigade_flatten(ctx->body, p, &n) != APR_SUCCESS)
        {
            return TG_ERROR;
        }

        ctx->whole = p;
    }

    *body = tg_str_of(ctx->whole, n);

    return TG_OK;
}


void
llm_body_free(llm_ctx_t *ctx)
{
    if (ctx->map != NULL) {
        (void) munmap(ctx->map, (size_t) ctx->size);
        ctx->map = NULL;
    }
}
