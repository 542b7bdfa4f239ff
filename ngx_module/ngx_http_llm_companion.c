#include "ngx_http_llm.h"

/*
 * The upstream module, if it is loaded, too: each finds the other by its name.
 * What they tell each other is in tg_companion.h.
 */


static bool
ngx_http_llm_ask(void *data, bool prefixes, tg_balance_ask_t *ask)
{
    tg_gate_t            gate;
    ngx_http_request_t  *r = data;
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r);

    if (ctx == NULL || ctx->request != r) {
        return false;
    }

    ngx_http_llm_gate(ctx->lmcf, &gate);

    return tg_call_ask(ctx->call, &gate, prefixes, ask);
}


const tg_companion_meter_t  ngx_http_llm_meter = {
    TG_COMPANION_VERSION,
    ngx_http_llm_ask
};


/* NULL where it is not loaded. */
static const tg_companion_upstream_t *
ngx_http_llm_find_companion(ngx_conf_t *cf)
{
    void                                **conf;
    ngx_uint_t                            i;
    ngx_module_t                         *m;
    ngx_http_conf_ctx_t                  *ctx = cf->ctx;
    const tg_companion_upstream_t *const *main;

    for (i = 0; (m = cf->cycle->modules[i]) != NULL; i++) {
        if (m->type == NGX_HTTP_MODULE
            && ngx_strcmp(m->name, "ngx_http_llm_upstream_module") == 0)
        {
            conf = ctx->main_conf;
            main = conf[m->ctx_index];
            return main != NULL ? *main : NULL;
        }
    }

    return NULL;
}


/* After the last directive. */
void
ngx_http_llm_companion_init(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf)
{
    if (!tg_conf_companion(lmcf->conf, ngx_http_llm_find_companion(cf))) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "llm: ngx_http_llm_upstream_module is of another version"
                      " than ngx_http_llm_module, and is not asked");
    }
}
