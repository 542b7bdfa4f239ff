#include "mod_llm.h"

#include "mod_proxy.h"
#include "apr_optional_hooks.h"

APLOG_USE_MODULE(llm);

#define LLM_FILE_TEMPLATE  "tollgate-XXXXXX"
#define LLM_NAME_MAX       256
#define LLM_WHOLE_BUCKET   4096         /* from this size on not copied */

static ap_filter_rec_t  *llm_input_handle;


static tg_str_t
llm_header(void *req, tg_str_t name)
{
    char        key[LLM_NAME_MAX];
    llm_ctx_t  *ctx = req;

    if (name.len >= sizeof(key)) {
        return tg_str_null;
    }

    memcpy(key, name.p, name.len);
    key[name.len] = '\0';

    return llm_str(apr_table_get(ctx->headers, key));
}


static tg_str_t
llm_variable(void *req, uintptr_t handle)
{
    const char            *v, *error = NULL;
    llm_ctx_t             *ctx = req;
    request_rec           *r = ctx->request;
    const llm_variable_t  *var = (const llm_variable_t *) handle;

    v = apr_table_get(r->subprocess_env, var->name);

    if (v == NULL) {
        v = apr_table_get(r->notes, var->name);
    }

    if (v == NULL && var->expr != NULL) {
        v = ap_expr_str_exec(r, var->expr, &error);
    }

    return error == NULL ? llm_str(v) : tg_str_null;
}


static const tg_host_t  llm_host = {
    llm_header,
    llm_variable
};


/* "_" reaches some servers behind us as "-". */
static bool
llm_own_header(const char *name)
{
    return (name[0] | 0x20) == 'x' && (name[1] == '-' || name[1] == '_')
           && strncasecmp(name + 2, "llm", 3) == 0
           && (name[5] == '-' || name[5] == '_');
}


static int
llm_post_read_request(request_rec *r)
{
    int                        i;
    const apr_array_header_t  *all = apr_table_elts(r->headers_in);
    const apr_table_entry_t   *h = (const apr_table_entry_t *) all->elts;

    for (i = 0; i < all->nelts; i++) {
        if (h[i].key != NULL && llm_own_header(h[i].key)) {

            /* The table moves: begin anew. */

            apr_table_unset(r->headers_in, h[i].key);
            h = (const apr_table_entry_t *) all->elts;
            i = -1;
        }
    }

    return DECLINED;
}


/* "proxy:http://host:port/path", "proxy:balancer://name/path",
 * "proxy:unix:/path|http://host/path" */
static tg_str_t
llm_upstream_host(request_rec *r)
{
    const char  *p, *bar;

    if (r->proxyreq == PROXYREQ_NONE || r->filename == NULL
        || strncmp(r->filename, "proxy:", 6) != 0)
    {
        return tg_str_null;
    }

    p = r->filename + 6;

    if (strncmp(p, "unix:", 5) == 0) {
        bar = strchr(p, '|');
        if (bar != NULL) {
            p = bar + 1;
        }
    }

    return tg_conf_host(tg_strz(p));
}


static void
llm_head(llm_ctx_t *ctx, tg_call_head_t *head)
{
    request_rec  *r = ctx->request;

    head->method = llm_str(r->method);
    head->path = llm_str(r->parsed_uri.path != NULL ? r->parsed_uri.path
                                                    : r->uri);
    head->args = llm_str(r->args);
    head->upstream = llm_upstream_host(r);
    head->content_type = llm_header(ctx, tg_str("content-type"));
    head->content_encoding = llm_header(ctx, tg_str("content-encoding"));
    head->client = llm_str(r->useragent_ip);
}


static llm_ctx_t *
llm_create_ctx(request_rec *r, const llm_dir_t *dir)
{
    llm_ctx_t       *ctx = apr_pcalloc(r->pool, sizeof(llm_ctx_t));
    tg_scope_t       defaults;
    tg_call_head_t   head;
    tg_id_source_t  *ids = llm_ids();

    ctx->arena = tg_arena_create(0);
    if (ctx->arena == NULL || ids == NULL) {
        tg_arena_destroy(ctx->arena);
        return NULL;
    }

    (void) pthread_mutex_init(&ctx->lock, NULL);
    apr_pool_cleanup_register(r->pool, ctx, llm_cleanup,
                              apr_pool_cleanup_null);

    tg_scope_init(&defaults);
    ctx->scope = dir->scope;
    tg_scope_merge(&defaults, &ctx->scope);

    ctx->request = r;
    ctx->origin_fd = -1;
    ctx->headers = r->headers_in;
    llm_now(&ctx->now);
    llm_head(ctx, &head);

    ctx->call = tg_call_create(tg_arena_mem(ctx->arena), llm_main->conf,
                               &ctx->scope, &llm_host, ctx, &head, ids,
                               &ctx->now);
    if (ctx->call == NULL) {
        return NULL;
    }

    ap_set_module_config(r->request_config, &llm_module, ctx);
    llm_open(ctx);

    return ctx;
}


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
    apr_status_t  rv;

    ctx->size += (apr_off_t) n;

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


static int
llm_read_body(llm_ctx_t *ctx)
{
    bool                 eos = false;
    request_rec         *r = ctx->request;
    apr_status_t         rv;
    apr_bucket_brigade  *bb;

    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    ctx->body = apr_brigade_create(r->pool, r->connection->bucket_alloc);

    do {
        rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                            APR_BLOCK_READ, HUGE_STRING_LEN);

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
llm_apply_edit(llm_ctx_t *ctx, const tg_edit_t *edit)
{
    uint64_t              n, left = edit->blank_end - edit->blank_start;
    apr_bucket           *from, *to, *b;
    apr_status_t          rv;
    apr_bucket_alloc_t   *alloc = ctx->request->connection->bucket_alloc;
    static const char     spaces[] = "                                ";

    rv = apr_brigade_partition(ctx->body, (apr_off_t) edit->tail_at, &to);
    if (rv != APR_SUCCESS) {
        return rv;
    }

    while (to != APR_BRIGADE_SENTINEL(ctx->body)) {
        b = to;
        to = APR_BUCKET_NEXT(to);
        apr_bucket_delete(b);
    }

    b = apr_bucket_heap_create(edit->tail.p, edit->tail.len, NULL, alloc);
    APR_BRIGADE_INSERT_TAIL(ctx->body, b);

    if (!edit->blank) {
        return APR_SUCCESS;
    }

    rv = apr_brigade_partition(ctx->body, (apr_off_t) edit->blank_start, &from);
    if (rv == APR_SUCCESS) {
        rv = apr_brigade_partition(ctx->body, (apr_off_t) edit->blank_end,
                                   &to);
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

    for ( ; left != 0; left -= n) {
        n = left < sizeof(spaces) - 1 ? left : sizeof(spaces) - 1;
        b = apr_bucket_immortal_create(spaces, (apr_size_t) n, alloc);
        APR_BUCKET_INSERT_BEFORE(to, b);
    }

    return APR_SUCCESS;
}


/* The body has been read: its length is known, whatever its framing was. */
static int
llm_hand_back(llm_ctx_t *ctx)
{
    request_rec      *r = ctx->request;
    const tg_edit_t  *edit = tg_call_edit(ctx->call);

    if (edit != NULL) {
        if (llm_apply_edit(ctx, edit) != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->size = (apr_off_t) (edit->tail_at + edit->tail.len);
    }

    if (apr_table_get(r->headers_in, "Content-Length") != NULL
        || apr_table_get(r->headers_in, "Transfer-Encoding") != NULL
        || ctx->size != 0)
    {
        /* ctx->headers stays what the client sent. */

        r->headers_in = apr_table_copy(r->pool, r->headers_in);
        apr_table_unset(r->headers_in, "Transfer-Encoding");
        apr_table_unset(r->headers_in, "Expect");
        apr_table_setn(r->headers_in, "Content-Length",
                       apr_off_t_toa(r->pool, ctx->size));
    }

    APR_BRIGADE_INSERT_TAIL(ctx->body, apr_bucket_eos_create(
                                           r->connection->bucket_alloc));

    ap_add_input_filter_handle(llm_input_handle, ctx, r, r->connection);

    return OK;
}


static int
llm_fixups(request_rec *r)
{
    int         rc;
    llm_ctx_t  *ctx;
    llm_dir_t  *dir = ap_get_module_config(r->per_dir_config, &llm_module);

    /* Lookups and redirects are not calls. */

    if (dir->scope.enable == TG_OFF || dir->scope.enable == TG_UNSET
        || !ap_is_initial_req(r) || r->method_number == M_CONNECT)
    {
        return DECLINED;
    }

    ctx = llm_create_ctx(r, dir);
    if (ctx == NULL) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    apr_table_setn(r->err_headers_out, "x-llm-request-id",
                   apr_pstrmemdup(r->pool, tg_call_id(ctx->call).p,
                                  tg_call_id(ctx->call).len));

    if (tg_call_wants_body(ctx->call)) {
        rc = llm_read_body(ctx);
        if (rc != OK) {
            return rc;
        }
    }

    (void) pthread_mutex_lock(&ctx->lock);
    ctx->refused = tg_call_admit(ctx->call, &ctx->refusal) != TG_OK;
    (void) pthread_mutex_unlock(&ctx->lock);

    llm_values(ctx, r, 0);

    return ctx->body == NULL ? OK : llm_hand_back(ctx);
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


/* Answers instead of the handler that would have handed the call on. */
static int
llm_handler(request_rec *r)
{
    int                  rc;
    llm_ctx_t           *ctx = llm_get_ctx(r);
    apr_bucket_brigade  *bb;

    if (ctx == NULL || !ctx->refused || ctx->request != r) {
        return DECLINED;
    }

    rc = ap_discard_request_body(r);
    if (rc != OK) {
        return rc;
    }

    r->status = (int) ctx->refusal.status;
    r->proxyreq = PROXYREQ_NONE;
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t) ctx->refusal.body.len);

    if (ctx->refusal.error_type.len != 0) {
        apr_table_setn(r->headers_out, "x-amzn-ErrorType",
                       apr_pstrmemdup(r->pool, ctx->refusal.error_type.p,
                                      ctx->refusal.error_type.len));
    }

    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    (void) apr_brigade_write(bb, NULL, NULL, ctx->refusal.body.p,
                             ctx->refusal.body.len);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(
                                  r->connection->bucket_alloc));
    (void) ap_pass_brigade(r->output_filters, bb);

    return OK;
}


/*
 * Asks the upstream for an answer that can be read.  mod_proxy works on a copy
 * of the headers: mod_deflate still sees what the client asked for.
 */
static int
llm_proxy_fixups(request_rec *r)
{
    llm_ctx_t  *ctx = llm_get_ctx(r);

    if (ctx != NULL) {
        ctx->attempts++;

        if (apr_table_get(r->headers_in, "Accept-Encoding") != NULL) {
            apr_table_setn(r->headers_in, "Accept-Encoding", "identity");
        }
    }

    return OK;
}


void
llm_request_hooks(apr_pool_t *p)
{
    static const char *const  after[] = { "mod_headers.c", NULL };

    (void) p;

    llm_input_handle = ap_register_input_filter("LLM_IN", llm_input_filter,
                                                NULL, AP_FTYPE_RESOURCE);

    ap_hook_post_read_request(llm_post_read_request, NULL, NULL,
                              APR_HOOK_REALLY_FIRST);

    /* Late, when it is known where the call goes; before RequestHeader, which
     * may use what is known of it. */

    ap_hook_fixups(llm_fixups, NULL, after, APR_HOOK_LAST);
    ap_hook_handler(llm_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);

    APR_OPTIONAL_HOOK(proxy, fixups, llm_proxy_fixups, NULL, NULL,
                      APR_HOOK_MIDDLE);
}
