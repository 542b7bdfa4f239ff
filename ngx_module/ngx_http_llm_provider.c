#include "ngx_http_llm.h"

/*
 * The upstreams of llm_provider: one that is named like its host where the
 * configuration has such, else one of our own, whose servers are found when the
 * configuration is read, as those of a proxy_pass without variables.
 */

#define NGX_HTTP_LLM_KEEPALIVE  32          /* idle ones, a worker */


static ngx_http_upstream_main_conf_t *
ngx_http_llm_upstreams(ngx_conf_t *cf)
{
    return ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
}


/* upstream <host> { }, or NULL. */
static ngx_http_upstream_srv_conf_t *
ngx_http_llm_named_upstream(ngx_conf_t *cf, ngx_str_t *host)
{
    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **us;
    ngx_http_upstream_main_conf_t   *umcf = ngx_http_llm_upstreams(cf);

    us = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {
        if ((us[i]->flags & NGX_HTTP_UPSTREAM_CREATE)
            && us[i]->host.len == host->len
            && ngx_strncasecmp(us[i]->host.data, host->data, host->len) == 0)
        {
            return us[i];
        }
    }

    return NULL;
}


/* nginx's own `upstream name { text }`. */
static char *
ngx_http_llm_upstream_block(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *text)
{
    ngx_str_t        *word;
    ngx_buf_t         b;
    ngx_conf_t        block = *cf;
    ngx_command_t    *cmd;
    ngx_conf_file_t   file;

    for (cmd = ngx_http_upstream_module.commands; cmd->name.len != 0; cmd++) {
        if (ngx_strcmp(cmd->name.data, "upstream") == 0) {
            break;
        }
    }

    block.args = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));

    if (cmd->name.len == 0 || block.args == NULL
        || (word = ngx_array_push_n(block.args, 2)) == NULL)
    {
        return NGX_CONF_ERROR;
    }

    word[0] = cmd->name;
    word[1] = *name;

    ngx_memzero(&b, sizeof(ngx_buf_t));
    b.start = text->data;
    b.pos = b.start;
    b.last = text->data + text->len;
    b.end = b.last;
    b.temporary = 1;

    ngx_memzero(&file, sizeof(ngx_conf_file_t));
    file.file.fd = NGX_INVALID_FILE;
    file.file.name = *name;
    file.buffer = &b;

    block.conf_file = &file;

    return cmd->set(&block, cmd, NULL);
}


/* url: that of the provider, with its addresses. */
static ngx_http_upstream_srv_conf_t *
ngx_http_llm_new_upstream(ngx_conf_t *cf, const tg_provider_t *pr,
    ngx_url_t *url)
{
    u_char                          *p;
    ngx_str_t                        name, text;
    ngx_http_upstream_init_pt        init;
    ngx_http_upstream_srv_conf_t    *us;
    ngx_http_upstream_main_conf_t   *umcf = ngx_http_llm_upstreams(cf);

    name.data = ngx_pnalloc(cf->pool, sizeof("llm_provider ") + pr->name.len);
    text.data = ngx_pnalloc(cf->pool, sizeof("server : max_fails=0;keepalive ;")
                                      + url->host.len + 2 * NGX_INT_T_LEN);
    if (name.data == NULL || text.data == NULL) {
        return NULL;
    }

    p = ngx_sprintf(name.data, "llm_provider %*s", pr->name.len, pr->name.p);
    name.len = (size_t) (p - name.data);
    *p = '\0';

    /* Who is out of order is for the circuit breaker of the route to say. */

    p = ngx_sprintf(text.data, "server %V:%d max_fails=0;keepalive %d;",
                    &url->host, (int) url->port, NGX_HTTP_LLM_KEEPALIVE);
    text.len = (size_t) (p - text.data);

    if (ngx_http_llm_upstream_block(cf, &name, &text) != NGX_CONF_OK) {
        return NULL;
    }

    us = ((ngx_http_upstream_srv_conf_t **) umcf->upstreams.elts)
         [umcf->upstreams.nelts - 1];

    /* The upstream module has initialized all that there were before. */

    init = us->peer.init_upstream != NULL ? us->peer.init_upstream
                                          : ngx_http_upstream_init_round_robin;
    if (init(cf, us) != NGX_OK) {
        return NULL;
    }

    /* As $llm_proxy_url says it; and not one of the configuration's. */

    us->flags &= ~(ngx_uint_t) NGX_HTTP_UPSTREAM_CREATE;
    us->host = url->host;
    us->port = url->port;
    us->no_port = url->no_port;

    return us;
}


static ngx_int_t
ngx_http_llm_provider_url(ngx_conf_t *cf, const tg_provider_t *pr,
    ngx_uint_t resolve, ngx_url_t *url)
{
    ngx_memzero(url, sizeof(ngx_url_t));

    url->url.data = (u_char *) pr->authority.p;
    url->url.len = pr->authority.len;
    url->default_port = pr->https ? 443 : 80;
    url->no_resolve = !resolve;

    if (ngx_parse_url(cf->pool, url) == NGX_OK) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "llm_provider \"%*s\": %s in \"%V\"", pr->name.len, pr->name.p,
                  url->err != NULL ? url->err : "no memory", &url->url);

    return NGX_ERROR;
}


static ngx_http_upstream_srv_conf_t *
ngx_http_llm_provider_upstream(ngx_conf_t *cf, const tg_provider_t *pr)
{
    ngx_url_t                      url;
    ngx_http_upstream_srv_conf_t  *us;

    if (ngx_http_llm_provider_url(cf, pr, 0, &url) != NGX_OK) {
        return NULL;
    }

    us = ngx_http_llm_named_upstream(cf, &url.host);

    if (us != NULL && url.no_port) {
        return us;
    }

    if (us != NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "llm_provider \"%*s\": upstream \"%V\" may not have port"
                      " %d", pr->name.len, pr->name.p, &url.host,
                      (int) url.port);
        return NULL;
    }

    return ngx_http_llm_provider_url(cf, pr, 1, &url) == NGX_OK
           ? ngx_http_llm_new_upstream(cf, pr, &url) : NULL;
}


/* Two schemes would share the connections that an upstream keeps. */
static ngx_int_t
ngx_http_llm_one_scheme(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf,
    ngx_uint_t n)
{
    ngx_uint_t            i;
    const tg_provider_t  *pr = lmcf->conf->providers;

    for (i = 0; i < n; i++) {
        if (lmcf->upstreams[i] == lmcf->upstreams[n]
            && pr[i].https != pr[n].https)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "llm_provider \"%*s\" and \"%*s\" talk to one"
                          " upstream in http and in https", pr[i].name.len,
                          pr[i].name.p, pr[n].name.len, pr[n].name.p);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* After all of the configuration: some location has its provider chosen. */
ngx_int_t
ngx_http_llm_providers_init(ngx_conf_t *cf, ngx_http_llm_main_conf_t *lmcf)
{
    ngx_uint_t            i;
    const tg_provider_t  *pr = lmcf->conf->providers;

    lmcf->upstreams = ngx_pcalloc(cf->pool, (lmcf->conf->nproviders + 1)
                                  * sizeof(ngx_http_upstream_srv_conf_t *));
    if (lmcf->upstreams == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < lmcf->conf->nproviders; i++) {
        if (pr[i].authority.len == 0) {
            continue;
        }

        lmcf->upstreams[i] = ngx_http_llm_provider_upstream(cf, &pr[i]);

        if (lmcf->upstreams[i] == NULL
            || ngx_http_llm_one_scheme(cf, lmcf, i) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
