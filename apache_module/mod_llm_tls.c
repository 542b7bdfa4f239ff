#include "mod_llm.h"

#include "apr_optional_hooks.h"
#include "http_connection.h"
#include "http_ssl.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

APLOG_USE_MODULE(llm);

/*
 * A provider's key goes over verified TLS only.
 *
 * mod_proxy asks us about the request's headers when it does not know yet over
 * which connection they will go: one of a balancer's members, one that is kept
 * open, one that was just made.  So a filter of the connection looks, before
 * the first byte of a request with a key is encrypted, at what mod_ssl has told
 * us of its certificate.
 */

#define LLM_TLS_NAME_MAX  256

/* Of mod_ssl_openssl.h, which not every system's headers have. */
typedef int  ssl_HOOK_proxy_post_handshake_t(conn_rec *c, SSL *ssl);

/* What is known of a connection to an upstream. */
typedef struct {
    X509      *cert;
    unsigned   seen:1;              /* its handshake is done */
    unsigned   verified:1;          /* the certificate, whatever its name */
} llm_tls_t;

/*
 * The request that this thread is sending: mod_proxy does not tell a connection
 * for whom it is.  It must be for one of the names, either the provider's or
 * that of the balancer's member.
 */
typedef struct {
    bool  keyed;
    bool  sent;                         /* a byte of it, as far as we know */
    char  names[2][LLM_TLS_NAME_MAX];
} llm_sending_t;

static __thread llm_sending_t   llm_sending;
static ap_filter_rec_t         *llm_tls_handle;


static void
llm_tls_name(char *name, tg_str_t host)
{
    size_t  n = host.len;

    /* "[::1]" */

    if (n > 2 && host.p[0] == '[') {
        host = tg_str_of(host.p + 1, n - 2);
        n -= 2;
    }

    if (n >= LLM_TLS_NAME_MAX) {
        n = 0;
    }

    memcpy(name, host.p, n);
    name[n] = '\0';
}


/* The URL that mod_proxy goes to: of a balancer, the member's. */
static const char *
llm_tls_url(request_rec *r)
{
    const char  *member;

    if (r->filename == NULL || strncmp(r->filename, "proxy:", 6) != 0) {
        return "";
    }

    if (strncmp(r->filename + 6, "balancer:", 9) != 0) {
        return r->filename + 6;
    }

    member = apr_table_get(r->subprocess_env, "BALANCER_WORKER_NAME");

    return member == NULL ? "" : member;
}


/*
 * With mod_proxy's copy of the headers.  A header that the configuration sets
 * itself stays.
 */
void
llm_tls_key(request_rec *r, llm_ctx_t *ctx)
{
    const char   *url = llm_tls_url(r);
    tg_header_t   own;

    llm_sending.keyed = false;

    if (ctx == NULL || !ctx->keyed || !tg_call_credentials(ctx->call, &own)
        || apr_table_get(r->headers_in, own.name.p) != NULL)
    {
        return;
    }

    llm_sending.keyed = true;
    llm_tls_name(llm_sending.names[0], llm_upstream_host(r));
    llm_tls_name(llm_sending.names[1], tg_conf_host(tg_strz(url)));

    /* Else the connection is refused all the same. */

    if (strncmp(url, "https:", 6) == 0) {
        apr_table_setn(r->headers_in, own.name.p,
                       apr_pstrmemdup(r->pool, own.value.p, own.value.len));
    }
}


/* This thread is going to send a request, maybe. */
void
llm_tls_attempt(void)
{
    llm_sending.keyed = false;
    llm_sending.sent = false;
}


/* False where it never came to that. */
bool
llm_tls_sent(void)
{
    return llm_sending.sent;
}


/* Whatever this thread sends from here on is not the key. */
void
llm_tls_answered(void)
{
    llm_sending.keyed = false;
}


static bool
llm_tls_named(X509 *cert)
{
    const char  *name;

    for (unsigned i = 0; i < 2; i++) {
        name = llm_sending.names[i];

        if (*name != '\0'
            && (X509_check_host(cert, name, 0, 0, NULL) == 1
                || X509_check_ip_asc(cert, name, 0) == 1))
        {
            return true;
        }
    }

    return false;
}


/* NULL, or what is wrong with the connection. */
static const char *
llm_tls_wrong(conn_rec *c, const llm_tls_t *tls)
{
    if (!ap_ssl_conn_is_ssl(c)) {
        return "it is not encrypted";
    }

    if (!tls->seen) {
        return "nothing tells of its certificate (mod_ssl does)";
    }

    if (!tls->verified) {
        return "its certificate was not verified (SSLProxyVerify require)";
    }

    return llm_tls_named(tls->cert) ? NULL
           : "its certificate is another host's";
}


/* Nothing of the request: has TLS begin. */
static apr_status_t
llm_tls_begin(ap_filter_t *f)
{
    apr_status_t         rv;
    apr_bucket_brigade  *bb;

    bb = apr_brigade_create(f->c->pool, f->c->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(f->c->bucket_alloc));

    rv = ap_pass_brigade(f->next, bb);
    apr_brigade_destroy(bb);

    return rv;
}


static bool
llm_has_data(const apr_bucket_brigade *bb)
{
    const apr_bucket  *b;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b))
    {
        if (!APR_BUCKET_IS_METADATA(b)) {
            return true;
        }
    }

    return false;
}


/* The provider's key may go over this connection. */
static apr_status_t
llm_tls_look(ap_filter_t *f)
{
    conn_rec         *c = f->c;
    const char       *wrong;
    apr_status_t      rv;
    const llm_tls_t  *tls = f->ctx;

    if (!tls->seen && ap_ssl_conn_is_ssl(c)) {
        rv = llm_tls_begin(f);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }

    wrong = llm_tls_wrong(c, tls);
    if (wrong == NULL) {
        return APR_SUCCESS;
    }

    ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, c, "llm: the provider's key goes"
                  " over verified TLS only, and the connection to \"%s\" is no"
                  " such: %s", llm_sending.names[1], wrong);

    c->aborted = 1;
    c->keepalive = AP_CONN_CLOSE;

    return APR_ECONNABORTED;
}


static apr_status_t
llm_tls_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    bool          data = llm_has_data(bb);
    apr_status_t  rv;

    if (data && llm_sending.keyed) {
        rv = llm_tls_look(f);
        if (rv != APR_SUCCESS) {
            apr_brigade_cleanup(bb);
            return rv;
        }
    }

    rv = ap_pass_brigade(f->next, bb);
    llm_sending.sent |= data && rv == APR_SUCCESS;

    return rv;
}


static apr_status_t
llm_tls_free(void *data)
{
    X509_free(data);

    return APR_SUCCESS;
}


/* mod_ssl has greeted an upstream. */
static int
llm_proxy_post_handshake(conn_rec *c, SSL *ssl)
{
    llm_tls_t  *tls = ap_get_module_config(c->conn_config, &llm_module);

    if (tls == NULL) {
        return DECLINED;
    }

    tls->seen = 1;
    tls->cert = SSL_get_peer_certificate(ssl);

    if (tls->cert != NULL) {
        apr_pool_cleanup_register(c->pool, tls->cert, llm_tls_free,
                                  apr_pool_cleanup_null);
    }

    tls->verified = tls->cert != NULL
                    && (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0
                    && SSL_get_verify_result(ssl) == X509_V_OK;

    return OK;
}


static int
llm_pre_connection(conn_rec *c, void *csd)
{
    llm_tls_t  *tls;

    (void) csd;

    if (!c->outgoing || llm_main == NULL
        || !(llm_main->secrets || llm_main->passes))
    {
        return OK;
    }

    tls = apr_pcalloc(c->pool, sizeof(llm_tls_t));
    ap_set_module_config(c->conn_config, &llm_module, tls);
    ap_add_output_filter_handle(llm_tls_handle, tls, NULL, c);

    return OK;
}


void
llm_tls_hooks(apr_pool_t *p)
{
    (void) p;

    /* What it sees is not encrypted yet. */

    llm_tls_handle = ap_register_output_filter("LLM_TLS", llm_tls_filter, NULL,
                                               AP_FTYPE_CONNECTION);

    ap_hook_pre_connection(llm_pre_connection, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, proxy_post_handshake, llm_proxy_post_handshake,
                      NULL, NULL, APR_HOOK_MIDDLE);
}
