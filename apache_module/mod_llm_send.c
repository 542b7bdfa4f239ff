#include "mod_llm.h"

APLOG_USE_MODULE(llm);

/*
 * What goes upstream in place of the request's body: the body with an edit, or
 * another one.  A filter gives it to whoever handles the request.
 */

static char              llm_spaces[4096];
static ap_filter_rec_t  *llm_input_handle;


/* Where the body is looked at while it is cut; offsets only grow. */
typedef struct {
    apr_bucket_brigade  *bb;
    apr_bucket          *b;
    uint64_t             at;            /* where b begins */
} llm_cutter_t;


/* Goes on to the bucket that begins there, and makes it begin there. */
static apr_status_t
llm_cut(llm_cutter_t *c, uint64_t to)
{
    apr_status_t  rv;

    while (c->at < to) {
        if (c->b == APR_BRIGADE_SENTINEL(c->bb)) {
            return APR_INCOMPLETE;
        }

        if (to - c->at < c->b->length) {
            rv = apr_bucket_split(c->b, (apr_size_t) (to - c->at));
            if (rv != APR_SUCCESS) {
                return rv;
            }
        }

        c->at += c->b->length;
        c->b = APR_BUCKET_NEXT(c->b);
    }

    return APR_SUCCESS;
}


/* The text is the call's, which outlives its request's being sent. */
static void
llm_put_before(llm_ctx_t *ctx, apr_bucket *to, const char *p, apr_size_t n)
{
    if (n != 0) {
        APR_BUCKET_INSERT_BEFORE(to,
            apr_bucket_immortal_create(p, n,
                                 ctx->request->connection->bucket_alloc));
    }
}


static apr_status_t
llm_apply_span(llm_ctx_t *ctx, llm_cutter_t *c, const tg_edit_span_t *span)
{
    size_t         n;
    uint64_t       left;
    apr_bucket    *b, *from;
    apr_status_t   rv;

    rv = llm_cut(c, span->start);
    if (rv != APR_SUCCESS) {
        return rv;
    }

    from = c->b;

    rv = llm_cut(c, span->end);
    if (rv != APR_SUCCESS) {
        return rv;
    }

    while (from != c->b) {
        b = from;
        from = APR_BUCKET_NEXT(from);
        apr_bucket_delete(b);
    }

    llm_put_before(ctx, c->b, span->text.p, span->text.len);

    for (left = span->end - span->start - span->text.len; left != 0;
         left -= n)
    {
        n = left < sizeof(llm_spaces) ? (size_t) left : sizeof(llm_spaces);
        llm_put_before(ctx, c->b, llm_spaces, n);
    }

    return APR_SUCCESS;
}


static apr_status_t
llm_apply_edit(llm_ctx_t *ctx, const tg_edit_t *edit)
{
    apr_bucket    *b;
    apr_status_t   rv = APR_SUCCESS;
    llm_cutter_t   c;

    c.bb = ctx->send;
    c.b = APR_BRIGADE_FIRST(c.bb);
    c.at = 0;

    for (unsigned i = 0; i < edit->nspans && rv == APR_SUCCESS; i++) {
        rv = llm_apply_span(ctx, &c, &edit->spans[i]);
    }

    if (rv == APR_SUCCESS) {
        rv = llm_cut(&c, edit->tail_at);
    }

    if (rv != APR_SUCCESS) {
        return rv;
    }

    while (c.b != APR_BRIGADE_SENTINEL(c.bb)) {
        b = c.b;
        c.b = APR_BUCKET_NEXT(b);
        apr_bucket_delete(b);
    }

    llm_put_before(ctx, c.b, edit->tail.p, edit->tail.len);

    return APR_SUCCESS;
}


/* Where it may have to be sent again, or the upstream module may ask for its
 * beginning, its buckets stay as they came. */
static apr_status_t
llm_take_body(llm_ctx_t *ctx)
{
    apr_bucket    *b, *copy;
    apr_status_t   rv;
    request_rec   *r = ctx->request;

    if (ctx->file != NULL) {
        (void) apr_bucket_file_enable_mmap(
            apr_brigade_insert_file(ctx->send, ctx->file, 0, ctx->size,
                                    r->pool), 0);
        return APR_SUCCESS;
    }

    if (!ctx->scope.pass && llm_main->conf->companion == NULL) {
        APR_BRIGADE_CONCAT(ctx->send, ctx->body);
        return APR_SUCCESS;
    }

    for (b = APR_BRIGADE_FIRST(ctx->body); b != APR_BRIGADE_SENTINEL(ctx->body);
         b = APR_BUCKET_NEXT(b))
    {
        rv = apr_bucket_copy(b, &copy);
        if (rv != APR_SUCCESS) {
            return rv;
        }

        APR_BRIGADE_INSERT_TAIL(ctx->send, copy);
    }

    return APR_SUCCESS;
}


/* The body has been read: its length is known, whatever its framing was. */
static void
llm_set_length(llm_ctx_t *ctx, apr_off_t size)
{
    request_rec  *r = ctx->request;
    const char   *given = apr_table_get(r->headers_in, "Content-Length");
    const char   *length = apr_off_t_toa(r->pool, size);

    if (given != NULL && strcmp(given, length) == 0
        && apr_table_get(r->headers_in, "Expect") == NULL)
    {
        return;
    }

    if (given == NULL && size == 0
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


/* What mod_proxy has read of what was sent before. */
void
llm_send_forget(llm_ctx_t *ctx)
{
    void        *read = NULL;
    apr_pool_t  *p = ctx->request->pool;

    (void) apr_pool_userdata_get(&read, "proxy-req-input", p);

    if (read != NULL) {
        (void) apr_brigade_cleanup(read);
        (void) apr_pool_userdata_setn(NULL, "proxy-req-input", NULL, p);
    }

    (void) apr_brigade_cleanup(ctx->send);
}


/* Once. */
static void
llm_add_input(llm_ctx_t *ctx)
{
    ap_filter_t  *f;
    request_rec  *r = ctx->request;

    f = ap_add_input_filter_handle(llm_input_handle, ctx, r, r->connection);

    /* The length is known.  Where anything but the protocol's own filters has
     * the body, mod_proxy takes it that the length may change, and gathers what
     * is longer than 16 KB in a file before it sends it. */

    if (f->next == r->proto_input_filters) {
        r->proto_input_filters = f;
    }
}


/* The body with the edit, if there is one, or `whole` in its place; again for
 * each hop.  OK, or a status. */
int
llm_send_body(llm_ctx_t *ctx, const tg_edit_t *edit, const tg_str_t *whole)
{
    apr_off_t             size = ctx->size;
    request_rec          *r = ctx->request;
    apr_bucket_alloc_t   *alloc = r->connection->bucket_alloc;

    if (ctx->send == NULL) {
        ctx->send = apr_brigade_create(r->pool, alloc);
        llm_add_input(ctx);
    } else {
        llm_send_forget(ctx);
    }

    if (whole != NULL) {
        llm_put_before(ctx, APR_BRIGADE_SENTINEL(ctx->send), whole->p,
                       whole->len);
        size = (apr_off_t) whole->len;

    } else if (llm_take_body(ctx) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    if (edit != NULL) {
        if (llm_apply_edit(ctx, edit) != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }

        size = (apr_off_t) (edit->tail_at + edit->tail.len);
    }

    llm_set_length(ctx, size);

    APR_BRIGADE_INSERT_TAIL(ctx->send, apr_bucket_eos_create(alloc));

    return OK;
}


/* How much of the body's next is given, of which so much is asked for: what can
 * be had without cutting a bucket. */
static apr_off_t
llm_whole_buckets(llm_ctx_t *ctx, apr_off_t readbytes)
{
    apr_off_t    n = 0;
    apr_bucket  *b;

    for (b = APR_BRIGADE_FIRST(ctx->send);
         b != APR_BRIGADE_SENTINEL(ctx->send) && !APR_BUCKET_IS_EOS(b)
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

    if (APR_BRIGADE_EMPTY(ctx->send)) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(
                                      f->c->bucket_alloc));
        return APR_SUCCESS;
    }

    switch (mode) {

    case AP_MODE_GETLINE:
        return apr_brigade_split_line(bb, ctx->send, block, HUGE_STRING_LEN);

    case AP_MODE_EXHAUSTIVE:
        APR_BRIGADE_CONCAT(bb, ctx->send);
        return APR_SUCCESS;

    default:
        break;
    }

    if (mode == AP_MODE_READBYTES) {
        readbytes = llm_whole_buckets(ctx, readbytes);
    }

    rv = apr_brigade_partition(ctx->send, readbytes, &to);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rv;
    }

    while (mode != AP_MODE_SPECULATIVE
           && (b = APR_BRIGADE_FIRST(ctx->send)) != to)
    {
        APR_BUCKET_REMOVE(b);
        APR_BRIGADE_INSERT_TAIL(bb, b);
    }

    for (b = APR_BRIGADE_FIRST(ctx->send); b != to; b = APR_BUCKET_NEXT(b)) {
        rv = apr_bucket_copy(b, &copy);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        APR_BRIGADE_INSERT_TAIL(bb, copy);
    }

    /* What ends with these bytes is said with them. */

    if (mode == AP_MODE_READBYTES && !APR_BRIGADE_EMPTY(ctx->send)
        && APR_BUCKET_IS_EOS(APR_BRIGADE_FIRST(ctx->send)))
    {
        APR_BRIGADE_CONCAT(bb, ctx->send);
    }

    return APR_SUCCESS;
}


void
llm_send_hooks(apr_pool_t *p)
{
    (void) p;

    memset(llm_spaces, ' ', sizeof(llm_spaces));

    /* Right above what unpacks HTTP: filters of the content, which the server's
     * configuration adds later, have their turn with what is given back. */

    llm_input_handle = ap_register_input_filter("LLM_IN", llm_input_filter,
                                                NULL, AP_FTYPE_PROTOCOL - 1);
}
