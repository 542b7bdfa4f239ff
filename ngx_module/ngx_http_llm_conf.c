/* What a location says, and whether it can be done there. */

#include "ngx_http_llm.h"


void *
ngx_http_llm_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_llm_main_conf_t  *lmcf;

    lmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_llm_main_conf_t));
    if (lmcf == NULL) {
        return NULL;
    }

    lmcf->companion = &ngx_http_llm_meter;
    lmcf->mem.alloc = ngx_http_llm_palloc;
    lmcf->mem.pool = cf->pool;

    lmcf->conf = tg_conf_create(&lmcf->mem);
    if (lmcf->conf == NULL) {
        return NULL;
    }

    lmcf->conf->node = ngx_http_llm_str(&cf->cycle->hostname);
    lmcf->conf->full_name = ngx_http_llm_full_name;
    lmcf->conf->full_name_data = cf->cycle;

    if (ngx_array_init(&lmcf->logs, cf->pool, 4, sizeof(void *)) != NGX_OK) {
        return NULL;
    }

    return lmcf;
}


void *
ngx_http_llm_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_llm_loc_conf_t  *llcf;

    llcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_llm_loc_conf_t));
    if (llcf != NULL) {
        tg_scope_init(&llcf->scope);
    }

    return llcf;
}


static void
ngx_http_llm_warn_location(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf)
{
    ngx_http_upstream_conf_t  *ucf;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    ucf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_proxy_module);

    if (clcf->handler == NULL) {
        return;
    }

    if (clcf->client_max_body_size == 1024 * 1024 && !lmcf->small_body) {
        lmcf->small_body = 1;
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "llm: client_max_body_size is 1m in \"%V\": prompts"
                           " with images are larger, and are refused with an"
                           " HTML page that no SDK understands", &clcf->name);
    }

    if (ucf->upstream != NULL && !ucf->request_buffering) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "llm: \"proxy_request_buffering off\" is without"
                           " effect in \"%V\": a call is read before it is"
                           " handed on", &clcf->name);
    }
}


/* A provider's key goes over verified TLS only: any one's, with llm_pass. */
static char *
ngx_http_llm_check_upstream(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf,
    ngx_uint_t passing)
{
    ngx_uint_t                 i, verified = 0;
    const tg_conf_t           *conf = lmcf->conf;
    const tg_provider_t       *pr = NULL;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_upstream_conf_t  *ucf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    ucf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_proxy_module);

#if (NGX_HTTP_SSL)
    verified = ucf->ssl_verify == 1;
#endif

    if (clcf->handler == NULL) {
        return NGX_CONF_OK;
    }

    if (passing && ucf->upstream != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "llm_pass goes with \"proxy_pass $llm_proxy_url\","
                           " not with \"%V\"", &ucf->upstream->host);
        return NGX_CONF_ERROR;
    }

    if (passing) {
        for (i = 0; i < conf->nproviders && pr == NULL; i++) {
            if (conf->providers[i].key_file.len != 0) {
                pr = &conf->providers[i];
            }
        }

    } else if (ucf->upstream != NULL) {
        pr = tg_conf_provider(conf, ngx_http_llm_str(&ucf->upstream->host));
    }

    if (pr == NULL || pr->key_file.len == 0 || verified) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "llm: the key of provider \"%*s\" goes over verified"
                       " TLS only: \"proxy_ssl_verify on\" is missing",
                       pr->name.len, pr->name.p);

    return NGX_CONF_ERROR;
}


char *
ngx_http_llm_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_llm_loc_conf_t   *prev = parent;
    ngx_http_llm_loc_conf_t   *conf = child;
    ngx_http_llm_main_conf_t  *lmcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_llm_module);

    tg_scope_merge(&prev->scope, &conf->scope);

    if (conf->scope.enable != TG_OFF) {
        lmcf->enabled = 1;
        lmcf->draining |= conf->scope.drain_ms > 0;
        lmcf->logged |= conf->scope.nlogs != 0 && !conf->scope.logs[0].off;

        lmcf->passing |= conf->scope.pass == 1;

        ngx_http_llm_warn_location(cf, lmcf);

        return ngx_http_llm_check_upstream(cf, lmcf, conf->scope.pass == 1);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_llm_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_llm_loc_conf_t   *llcf = conf;
    ngx_http_llm_main_conf_t  *lmcf;
    tg_directive_id_t          id = (tg_directive_id_t) cmd->offset;
    tg_error_t                 err;
    tg_str_t                   args[TG_ARGS_MAX];
    ngx_str_t                 *value = cf->args->elts;
    unsigned                   nprices;
    ngx_uint_t                 i, n = cf->args->nelts - 1;
    ngx_http_core_loc_conf_t  *clcf;

    if (id == TG_DIRECTIVE_CACHE) {
        return "is httpd's: here proxy_cache does it, with proxy_cache_key"
               " $llm_cache_key";
    }

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_llm_module);

    for (i = 0; i < n && i < TG_ARGS_MAX; i++) {
        args[i] = ngx_http_llm_str(&value[i + 1]);
    }

    nprices = lmcf->conf->nprices;

    if (tg_conf_directive(lmcf->conf, &llcf->scope, id, args, (unsigned) i,
                          &err)
        != TG_OK
        || (id == TG_DIRECTIVE_PRICES
            && ngx_http_llm_prices_load(cf, lmcf, nprices, &err) != TG_OK))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s", &value[0],
                           err.message);
        return NGX_CONF_ERROR;
    }

    if (id == TG_DIRECTIVE_STATUS) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
        clcf->handler = ngx_http_llm_status;
    }

    if (id == TG_DIRECTIVE_ME || id == TG_DIRECTIVE_OUTCOME) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
        clcf->handler = ngx_http_llm_own;
    }

    if (id == TG_DIRECTIVE_LOG) {
        return ngx_http_llm_log_open(cf, lmcf,
                              &llcf->scope.logs[llcf->scope.nlogs - 1]);
    }

    return NGX_CONF_OK;
}
