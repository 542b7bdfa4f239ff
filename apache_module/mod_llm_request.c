#include "mod_llm.h"

#include "mod_proxy.h"
#include "apr_optional_hooks.h"

#define LLM_NAME_MAX  256


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
    llm_variable,
    llm_body_whole
};


static int
llm_post_read_request(request_rec *r)
{
    int                        i;
    const apr_array_header_t  *all = apr_table_elts(r->headers_in);
    const apr_table_entry_t   *h = (const apr_table_entry_t *) all->elts;

    for (i = 0; i < all->nelts; i++) {
        if (h[i].key != NULL && tg_http_own_header(tg_strz(h[i].key))) {

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
tg_str_t
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
    head->upstream = ctx->scope.pass ? tg_str_null : llm_upstream_host(r);
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
    apr_pool_pre_cleanup_register(r->pool, ctx, llm_cleanup);

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

    tg_call_request(ctx->call, r);
    ap_set_module_config(r->request_config, &llm_module, ctx);
    llm_open(ctx);

    return ctx;
}


static int
llm_fixups(request_rec *r)
{
    int         rc;
    llm_ctx_t  *ctx;
    llm_dir_t  *dir = ap_get_module_config(r->per_dir_config, &llm_module);

    /* Lookups and redirects are not calls. */

    if (dir->scope.enable == TG_OFF || dir->scope.enable == TG_UNSET
        || !ap_is_initial_req(r) || r->method_number == M_CONNECT
        || tg_conf_companion_owns(llm_main->conf, r))
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

    rc = llm_enter(ctx);

    if (rc == OK && !ctx->refused && tg_call_wants_body(ctx->call)) {
        rc = llm_body_read(ctx);
    }

    if (rc == OK && !ctx->refused) {
        rc = llm_admit(ctx);
    }

    if (rc != OK) {
        return rc;
    }

    llm_values(ctx, r);

    if (!ctx->refused) {
        llm_cache_key(ctx);
    }

    if (ctx->refused || ctx->scope.pass || ctx->body == NULL) {
        return OK;
    }

    return llm_send_body(ctx, tg_call_edit(ctx->call), NULL);
}


/* Answers instead of the handler that would have handed the call on. */
static int
llm_handler(request_rec *r)
{
    int                  rc;
    unsigned             i;
    llm_ctx_t           *ctx = llm_get_ctx(r);
    const tg_header_t   *h;
    apr_bucket_brigade  *bb;

    if (ctx == NULL || ctx->request != r || ctx->passing) {
        return DECLINED;
    }

    if (!ctx->refused) {
        rc = llm_cache_answer(ctx);

        return rc != DECLINED ? rc
               : ctx->scope.pass ? llm_pass(ctx) : llm_sent(ctx);
    }

    /* A body that was not worth reading ends the connection. */

    if (ctx->body == NULL && ap_request_has_body(r)) {
        r->connection->keepalive = AP_CONN_CLOSE;

    } else {
        rc = ap_discard_request_body(r);
        if (rc != OK) {
            return rc;
        }
    }

    r->status = (int) ctx->refusal.status;
    r->proxyreq = PROXYREQ_NONE;
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t) ctx->refusal.body.len);

    for (i = 0; i < ctx->refusal.nheaders; i++) {
        h = &ctx->refusal.headers[i];
        apr_table_addn(r->err_headers_out,
                       apr_pstrmemdup(r->pool, h->name.p, h->name.len),
                       apr_pstrmemdup(r->pool, h->value.p, h->value.len));
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

        llm_pass_fixups(r, ctx);
    }

    llm_tls_key(r, ctx);

    return OK;
}


void
llm_request_hooks(apr_pool_t *p)
{
    static const char *const  after[] = { "mod_headers.c", NULL };

    (void) p;

    ap_hook_post_read_request(llm_post_read_request, NULL, NULL,
                              APR_HOOK_REALLY_FIRST);

    /* Late, when it is known where the call goes; before RequestHeader, which
     * may use what is known of it. */

    ap_hook_fixups(llm_fixups, NULL, after, APR_HOOK_LAST);
    ap_hook_handler(llm_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);

    APR_OPTIONAL_HOOK(proxy, fixups, llm_proxy_fixups, NULL, NULL,
                      APR_HOOK_MIDDLE);
}
