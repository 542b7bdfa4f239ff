#include "ngx_http_llm.h"

/*
 * Called when an upstream's peer is about to be chosen (peer.init), after nginx
 * has set its handlers and before anything is sent.
 */

typedef struct {
    ngx_http_upstream_srv_conf_t    *upstream;
    ngx_http_upstream_init_peer_pt   init;
} ngx_http_llm_peer_init_t;


/* Whether ngx_http_llm_peer_init() will be asked. */
ngx_uint_t
ngx_http_llm_hooked(ngx_http_request_t *r)
{
    ngx_http_upstream_conf_t  *ucf;

    ucf = ngx_http_get_module_loc_conf(r, ngx_http_proxy_module);

    return ucf->upstream != NULL;
}


/* What would have been done without us. */
ngx_int_t
ngx_http_llm_peer_usual(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_uint_t                 i;
    ngx_http_llm_peer_init_t  *pi;
    ngx_http_llm_main_conf_t  *lmcf;

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_llm_module);

    pi = lmcf->peer_inits.elts;

    for (i = 0; i < lmcf->peer_inits.nelts; i++) {
        if (pi[i].upstream == us) {
            return pi[i].init(r, us);
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_llm_peer_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    tg_gate_t            gate;
    ngx_uint_t           dressed;
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r);

    if (ctx == NULL || ctx->request != r) {
        return ngx_http_llm_peer_usual(r, us);
    }

    /* The request has been written. */

    dressed = ngx_http_llm_take_off(ctx);
    ctx->proxying = 0;

    if (ngx_http_llm_hop(ctx) != NULL) {
        if (dressed) {
            return ngx_http_llm_attempt(ctx);
        }

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "llm: with llm_pass a call goes by \"proxy_pass"
                      " $llm_proxy_url\" and no other");
        return NGX_ERROR;
    }

    if (ctx->keyed && !(r->upstream->ssl && r->upstream->conf->ssl_verify)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "llm: the provider's key goes over verified TLS only, and"
                      " this upstream has none");
        return NGX_ERROR;
    }

    ngx_http_llm_gate(ctx->lmcf, &gate);
    tg_call_sent(ctx->call, &gate);

    ngx_http_llm_drain_arm(ctx);

    return ngx_http_llm_peer_usual(r, us);
}


ngx_int_t
ngx_http_llm_peers_init(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_llm_peer_init_t        *pi;
    ngx_http_llm_main_conf_t        *lmcf;
    ngx_http_upstream_srv_conf_t   **us;
    ngx_http_upstream_main_conf_t   *umcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_llm_module);
    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    us = umcf->upstreams.elts;

    if (ngx_array_init(&lmcf->peer_inits, cf->pool, umcf->upstreams.nelts + 1,
                       sizeof(ngx_http_llm_peer_init_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < umcf->upstreams.nelts; i++) {
        pi = ngx_array_push(&lmcf->peer_inits);
        if (pi == NULL) {
            return NGX_ERROR;
        }

        pi->upstream = us[i];
        pi->init = us[i]->peer.init;
        us[i]->peer.init = ngx_http_llm_peer_init;
    }

    return NGX_OK;
}
