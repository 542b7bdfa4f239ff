#include "mod_llm.h"

#include "mod_proxy.h"

#include "tg_key_presented.h"

APLOG_USE_MODULE(llm);

/*
 * Locations in which the provider of each call is the core's to choose:
 * mod_proxy is told where to, and told again where that came to nothing.  It is
 * asked once for each attempt, and what it leaves in the request is taken away
 * before the next one.
 */

/* Of an answer that nobody gets, so much is read for the connection's sake. */
#define LLM_SWALLOW_MAX  65536

/* Notes by which mod_proxy speaks to itself and to error documents. */
static const char *const  llm_proxy_notes[] = {
    "proxy-status", "proxy-source-port", "proxy_timedout",
    "proxy-error-override", "error-notes", "verbose-error-to"
};


static bool
llm_passes(request_rec *r)
{
    const llm_dir_t  *dir = ap_get_module_config(r->per_dir_config,
                                                 &llm_module);

    return dir->scope.pass == 1 && dir->scope.enable > TG_OFF
           && ap_is_initial_req(r) && r->method_number != M_CONNECT
           && r->uri[0] == '/';
}


/* Such a request is of no file, so that no <Directory> is looked for. */
static int
llm_translate_name(request_rec *r)
{
    if (r->proxyreq != PROXYREQ_NONE || !llm_passes(r)) {
        return DECLINED;
    }

    r->proxyreq = PROXYREQ_REVERSE;
    r->filename = apr_pstrcat(r->pool, "proxy:llm:", r->uri, NULL);
    r->handler = "proxy-server";

    return OK;
}


static const char *
llm_text(request_rec *r, tg_str_t s)
{
    return apr_pstrmemdup(r->pool, s.p, s.len);
}


/* The provider's name is that of its certificate, not the one that the client
 * knows us by. */
static void
llm_pass_own_host(request_rec *r)
{
    module            *proxy = ap_find_linked_module("mod_proxy.c");
    proxy_dir_conf    *own;
    ap_conf_vector_t  *conf;

    own = ap_get_module_config(r->per_dir_config, proxy);

    if (!own->preserve_host) {
        return;
    }

    own = apr_pmemdup(r->pool, own, sizeof(proxy_dir_conf));
    own->preserve_host = 0;

    conf = ap_merge_per_dir_configs(r->pool, r->per_dir_config,
                                    ap_create_per_dir_config(r->pool));
    ap_set_module_config(conf, proxy, own);
    r->per_dir_config = conf;
}


static void
llm_pass_headers(llm_ctx_t *ctx, const tg_hop_t *hop)
{
    bool          strip;
    unsigned      i;
    tg_header_t   own;
    request_rec  *r = ctx->request;

    r->headers_in = apr_table_copy(r->pool, ctx->given);

    strip = tg_call_credentials(ctx->call, &own);
    ctx->keyed = strip && own.name.len != 0;

    for (i = 0; strip && i < TG_CARRIER_HEADERS; i++) {
        apr_table_unset(r->headers_in, tg_carrier_headers[i].p);
    }

    for (i = 0; i < hop->nhidden; i++) {
        apr_table_unset(r->headers_in, llm_text(r, hop->hidden[i]));
    }

    for (i = 0; i < hop->nheaders; i++) {
        apr_table_setn(r->headers_in, llm_text(r, hop->headers[i].name),
                       llm_text(r, hop->headers[i].value));
    }
}


/* With the call's lock held.  OK, or a status. */
static int
llm_pass_hop(llm_ctx_t *ctx)
{
    const char      *scheme;
    request_rec     *r = ctx->request;
    const tg_hop_t  *hop = tg_call_hop(ctx->call);

    if (hop == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }

    scheme = llm_worker_balances(r->server, hop->index) ? "balancer"
             : llm_text(r, hop->scheme);

    r->proxyreq = PROXYREQ_REVERSE;
    r->handler = "proxy-server";
    r->filename = apr_pstrcat(r->pool, "proxy:", scheme, "://",
                              llm_text(r, hop->authority),
                              llm_text(r, hop->path),
                              hop->args.len != 0 ? "?" : "",
                              llm_text(r, hop->args), NULL);

    /* What <Proxy> says of that URL. */

    r->per_dir_config = ctx->dir_config;
    (void) ap_run_map_to_storage(r);
    llm_pass_own_host(r);

    llm_pass_headers(ctx, hop);

    return ctx->body == NULL ? OK
           : llm_send_body(ctx, hop->edit, hop->whole ? &hop->body : NULL);
}


/* With mod_proxy's copy of the headers: a provider is another company, which is
 * not told who calls, unless it is said that it should be. */
void
llm_pass_fixups(request_rec *r, const llm_ctx_t *ctx)
{
    const proxy_dir_conf  *own;

    if (!ctx->passing) {
        return;
    }

    own = ap_get_module_config(r->per_dir_config,
                               ap_find_linked_module("mod_proxy.c"));

    if (!own->add_forwarded_headers_set) {
        apr_table_unset(r->headers_in, "X-Forwarded-For");
        apr_table_unset(r->headers_in, "X-Forwarded-Host");
        apr_table_unset(r->headers_in, "X-Forwarded-Server");
    }
}


/* What an attempt is to find as the first one did. */
typedef struct {
    apr_table_t  *headers_out;
    apr_table_t  *err_headers_out;
} llm_pristine_t;


static void
llm_pass_reset(llm_ctx_t *ctx, const llm_pristine_t *was)
{
    request_rec  *r = ctx->request;

    r->status = HTTP_OK;
    r->status_line = NULL;
    r->headers_out = apr_table_copy(r->pool, was->headers_out);
    r->err_headers_out = apr_table_copy(r->pool, was->err_headers_out);
    r->trailers_out = apr_table_make(r->pool, 2);
    r->content_type = NULL;
    r->content_encoding = NULL;
    r->content_languages = NULL;
    r->sent_bodyct = 0;
    r->eos_sent = 0;

    for (size_t i = 0;
         i < sizeof(llm_proxy_notes) / sizeof(llm_proxy_notes[0]); i++)
    {
        apr_table_unset(r->notes, llm_proxy_notes[i]);
    }

    ctx->origin = NULL;
    ctx->origin_fd = -1;
    ctx->error_status = 0;
    ctx->swallowed = 0;
    ctx->again = 0;
    ctx->broken = 0;
}


static bool
llm_pass_over(const llm_ctx_t *ctx)
{
    return ctx->client_gone || ctx->request->connection->aborted
           || llm_is_stopped();
}


/* True where the call goes elsewhere. */
static bool
llm_pass_failed(llm_ctx_t *ctx, tg_fail_t why, unsigned status)
{
    bool          again;
    tg_gate_t     gate;
    request_rec  *r = ctx->request;

    if (llm_pass_over(ctx)) {
        return false;
    }

    (void) pthread_mutex_lock(&ctx->lock);

    llm_now(&ctx->now);
    again = llm_gate(&gate, llm_prices_hold()) && ctx->open
            && tg_call_failed(ctx->call, &gate, &ctx->now, why, status,
                              r->headers_out == NULL ? tg_str_null
                              : llm_str(apr_table_get(r->headers_out,
                                                      "Retry-After")))
               == TG_OK;

    llm_prices_release();
    llm_gate_end(&gate);

    (void) pthread_mutex_unlock(&ctx->lock);

    return again;
}


/*
 * An answer's first brigade: of the status that r says, or with an error of
 * mod_proxy's own.  True where nobody is to see it: the call goes elsewhere.
 */
bool
llm_pass_answered(llm_ctx_t *ctx, bool error)
{
    request_rec  *r = ctx->request;

    if (!ctx->passing || (!error && ap_is_HTTP_SUCCESS(r->status))) {
        return false;
    }

    ctx->again = llm_pass_failed(ctx, error ? TG_FAIL_BROKEN : TG_FAIL_STATUS,
                                 error ? 0 : (unsigned) r->status);

    return ctx->again;
}


/* What there is of it is read, so that its connection can be kept; nobody waits
 * for more. */
apr_status_t
llm_pass_swallow(llm_ctx_t *ctx, apr_bucket_brigade *bb)
{
    bool           eos = false, waits = true;
    apr_bucket    *b;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b))
    {
        if (APR_BUCKET_IS_EOS(b)) {
            eos = true;

        } else if (!APR_BUCKET_IS_METADATA(b)) {
            waits = false;
            ctx->swallowed += b->length;
        }
    }

    apr_brigade_cleanup(bb);

    return eos || (!waits && ctx->swallowed <= LLM_SWALLOW_MAX)
           ? APR_SUCCESS : APR_ECONNABORTED;
}


/* mod_proxy is done.  True where the call goes elsewhere. */
static bool
llm_pass_again(llm_ctx_t *ctx, int rc)
{
    request_rec  *r = ctx->request;

    if (ctx->again || ctx->answered) {
        return ctx->again;
    }

    /* ProxyErrorOverride has kept the answer from us. */

    if (apr_table_get(r->notes, "proxy-error-override") != NULL) {
        return llm_pass_failed(ctx, TG_FAIL_STATUS, (unsigned) rc);
    }

    if (!ap_is_HTTP_SERVER_ERROR(rc)) {
        return false;
    }

    return llm_pass_failed(ctx, tg_fail_seen(llm_tls_sent(),
                               apr_table_get(r->notes, "proxy_timedout")
                               != NULL), 0);
}


/* In place of mod_proxy's own handler, which is the next to be asked. */
int
llm_pass(llm_ctx_t *ctx)
{
    int             rc;
    request_rec    *r = ctx->request;
    llm_pristine_t  was;

    ctx->given = r->headers_in;
    was.headers_out = apr_table_copy(r->pool, r->headers_out);
    was.err_headers_out = apr_table_copy(r->pool, r->err_headers_out);

    ctx->dir_config = r->per_dir_config;

    for ( ;; ) {
        (void) pthread_mutex_lock(&ctx->lock);
        rc = ctx->open ? llm_pass_hop(ctx) : HTTP_SERVICE_UNAVAILABLE;
        (void) pthread_mutex_unlock(&ctx->lock);

        if (rc != OK || llm_sent(ctx) != DECLINED) {
            rc = rc == OK ? HTTP_SERVICE_UNAVAILABLE : rc;
            break;
        }

        llm_tls_attempt();

        ctx->passing = 1;
        rc = ap_run_handler(r);
        ctx->passing = 0;

        if (!llm_pass_again(ctx, rc)) {
            break;
        }

        llm_pass_reset(ctx, &was);
    }

    r->headers_in = ctx->given;
    r->per_dir_config = ctx->dir_config;

    return rc;
}


void
llm_pass_hooks(apr_pool_t *p)
{
    static const char *const  before[] = { "mod_rewrite.c", NULL };

    (void) p;

    ap_hook_translate_name(llm_translate_name, before, NULL, APR_HOOK_FIRST);
}
