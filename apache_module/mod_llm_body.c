#include "mod_llm.h"

APLOG_USE_MODULE(llm);

#define LLM_FILE_TEMPLATE  "tollgate-XXXXXX"
#define LLM_WHOLE_BUCKET   4096         /* from this size on not copied */
#define LLM_BODY_STEP      65536        /* more than a read gives */

/*
 * The request's body: read whole before the call is admitted, kept in memory or
 * in a file, and given back by a filter to whoever handles the request.
 */

static ap_filter_rec_t  *llm_input_handle;


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

    /* A short bucket may sit in a large block: many of them would add up. */

    if (n >= LLM_WHOLE_BUCKET
        && apr_bucket_setaside(b, ctx->request->pool) == APR_SUCCESS)
    {
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

    if (ctx->file != NULL) {
        (void) apr_bucket_file_enable_mmap(
            apr_brigade_insert_file(ctx->body, ctx->file, 0, ctx->size,
                                    r->pool), 0);
    }

    return OK;
}


static apr_status_t
llm_apply_span(llm_ctx_t *ctx, const tg_edit_span_t *span)
{
    uint64_t              n, left;
    apr_bucket           *from, *to, *b;
    apr_status_t          rv;
    apr_bucket_alloc_t   *alloc = ctx->request->connection->bucket_alloc;
    static const char     spaces[] = "                                ";

    rv = apr_brigade_partition(ctx->body, (apr_off_t) span->start, &from);
    if (rv == APR_SUCCESS) {
        rv = apr_brigade_partition(ctx->body, (apr_off_t) span->end, &to);
    }

    if (rv != APR_SUCCESS) {
        return rv;
    }

    /* The partition may have split the very bucket that `from` is. */

    while (from != to) {
        b = from;
        from = APR_BUCKET_NEXT(from);
        apr_bucket_delete(b);
    }

    if (span->text.len != 0) {
        b = apr_bucket_heap_create(span->text.p, span->text.len, NULL, alloc);
        APR_BUCKET_INSERT_BEFORE(to, b);
    }

    for (left = span->end - span->start - span->text.len; left != 0;
         left -= n)
    {
        n = left < sizeof(spaces) - 1 ? left : sizeof(spaces) - 1;
        b = apr_bucket_immortal_create(spaces, (apr_size_t) n, alloc);
        APR_BUCKET_INSERT_BEFORE(to, b);
    }

    return APR_SUCCESS;
}


static apr_status_t
llm_apply_edit(llm_ctx_t *ctx, const tg_edit_t *edit)
{
    unsigned       i;
    apr_bucket    *to, *b;
    apr_status_t   rv;

    rv = apr_brigade_partition(ctx->body, (apr_off_t) edit->tail_at, &to);
    if (rv != APR_SUCCESS) {
        return rv;
    }

    while (to != APR_BRIGADE_SENTINEL(ctx->body)) {
        b = to;
        to = APR_BUCKET_NEXT(to);
        apr_bucket_delete(b);
    }

    b = apr_bucket_heap_create(edit->tail.p, edit->tail.len, NULL,
                               ctx->request->connection->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(ctx->body, b);

    for (i = 0; i < edit->nspans && rv == APR_SUCCESS; i++) {
        rv = llm_apply_span(ctx, &edit->spans[i]);
    }

    return rv;
}


/* The body has been read: its length is known, whatever its framing was. */
static void
llm_set_length(llm_ctx_t *ctx)
{
    request_rec  *r = ctx->request;
    const char   *given = apr_table_get(r->headers_in, "Content-Length");
    const char   *length = apr_off_t_toa(r->pool, ctx->size);

    if (given != NULL && strcmp(given, length) == 0
        && apr_table_get(r->headers_in, "Expect") == NULL)
    {
        return;
    }

    if (given == NULL && ctx->size == 0
        && apr_table_get(r->headers_in, "Transfer-Encoding") == NULL)
    {
        return;
    }

    /* ctx->headers stays what the client sent. */

    r->headers_in = apr_table_copy(r->pool, r->headers_in);
    apr_table_unset(r->headers_in, "Transfer-Encoding");
    apr_table_unset(r->headers_in, "Expect");
    apr_table_setn(r->headers_in, "Content-Length", length);
}


int
llm_body_hand_back(llm_ctx_t *ctx)
{
    request_rec      *r = ctx->request;
    ap_filter_t      *f;
    unsigned          n;
    tg_header_t       says[TG_SAYS_MAX];
    const tg_edit_t  *edit = tg_call_edit(ctx->call);

    n = tg_call_says(ctx->call, says);

    for (unsigned i = 0; i < n; i++) {
        apr_table_setn(r->err_headers_out,
                       apr_pstrmemdup(r->pool, says[i].name.p,
                                      says[i].name.len),
                       apr_pstrmemdup(r->pool, says[i].value.p,
                                      says[i].value.len));
    }

    if (edit != NULL) {
        if (llm_apply_edit(ctx, edit) != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->size = (apr_off_t) (edit->tail_at + edit->tail.len);
    }

    llm_set_length(ctx);

    APR_BRIGADE_INSERT_TAIL(ctx->body, apr_bucket_eos_create(
                                           r->connection->bucket_alloc));

    f = ap_add_input_filter_handle(llm_input_handle, ctx, r, r->connection);

    /* The length is known.  Where anything but the protocol's own filters has
     * the body, mod_proxy takes it that the length may change, and gathers what
     * is longer than 16 KB in a file before it sends it. */

    if (f->next == r->proto_input_filters) {
        r->proto_input_filters = f;
    }

    return OK;
}


/* How much of the body's next is given, of which so much is asked for: what can
 * be had without cutting a bucket. */
static apr_off_t
llm_whole_buckets(llm_ctx_t *ctx, apr_off_t readbytes)
{
    apr_off_t    n = 0;
    apr_bucket  *b;

    for (b = APR_BRIGADE_FIRST(ctx->body);
         b != APR_BRIGADE_SENTINEL(ctx->body) && !APR_BUCKET_IS_EOS(b)
         && n + (apr_off_t) b->length <= readbytes;
         b = APR_BUCKET_NEXT(b))
    {
        n += (apr_off_t) b->length;
    }

    return n != 0 ? n : readbytes;
}


static apr_status_t
llm_input_filter(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
    apr_read_type_e block, apr_off_t readbytes)
{
    llm_ctx_t     *ctx = f->ctx;
    apr_bucket    *to, *b, *copy;
    apr_status_t   rv;

    if (mode == AP_MODE_EATCRLF || mode == AP_MODE_INIT) {
        return APR_SUCCESS;
    }

    if (APR_BRIGADE_EMPTY(ctx->body)) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(
                                      f->c->bucket_alloc));
        return APR_SUCCESS;
    }

    switch (mode) {

    case AP_MODE_GETLINE:
        return apr_brigade_split_line(bb, ctx->body, block, HUGE_STRING_LEN);

    case AP_MODE_EXHAUSTIVE:
        APR_BRIGADE_CONCAT(bb, ctx->body);
        return APR_SUCCESS;

    default:
        break;
    }

    if (mode == AP_MODE_READBYTES) {
        readbytes = llm_whole_buckets(ctx, readbytes);
    }

    rv = apr_brigade_partition(ctx->body, readbytes, &to);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rv;
    }

    while (mode != AP_MODE_SPECULATIVE
           && (b = APR_BRIGADE_FIRST(ctx->body)) != to)
    {
        APR_BUCKET_REMOVE(b);
        APR_BRIGADE_INSERT_TAIL(bb, b);
    }

    for (b = APR_BRIGADE_FIRST(ctx->body); b != to; b = APR_BUCKET_NEXT(b)) {
        rv = apr_bucket_copy(b, &copy);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        APR_BRIGADE_INSERT_TAIL(bb, copy);
    }

    /* What ends with these bytes is said with them. */

    if (mode == AP_MODE_READBYTES && !APR_BRIGADE_EMPTY(ctx->body)
        && APR_BUCKET_IS_EOS(APR_BRIGADE_FIRST(ctx->body)))
    {
        APR_BRIGADE_CONCAT(bb, ctx->body);
    }

    return APR_SUCCESS;
}


void
llm_body_hooks(apr_pool_t *p)
{
    (void) p;

    /* Right above what unpacks HTTP: filters of the content, which the server's
     * configuration adds later, have their turn with what is given back. */

    llm_input_handle = ap_register_input_filter("LLM_IN", llm_input_filter,
                                                NULL, AP_FTYPE_PROTOCOL - 1);
}
