#include "ngx_http_llm_upstream.h"

#include "tg_conf.h"


static ngx_http_llm_group_t *
ngx_http_llm_group_create(ngx_conf_t *cf,
    ngx_http_llm_upstream_main_conf_t *lumcf)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_llm_group_t   *g, **slot;

    g = ngx_pcalloc(cf->pool, sizeof(ngx_http_llm_group_t));
    slot = ngx_array_push(&lumcf->groups);
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (g == NULL || slot == NULL || cln == NULL) {
        return NULL;
    }

    *slot = g;

    cln->handler = ngx_http_llm_group_free;
    cln->data = g;

    g->key = NGX_ERROR;
    g->us = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);

    return tg_group_conf_init(&g->gc, &lumcf->mem,
                              ngx_http_llm_str(&g->us->host))
           == TG_OK ? g : NULL;
}


/*
 * hash, ip_hash and random are told by what they forbid.  A request's data of
 * theirs is out of sight once keepalive is around it, so with them we have to
 * be within: behind the method, before keepalive.  With the others the data are
 * ours, see ngx_http_llm_upstream_peer.c, and the order does not matter.
 */
static ngx_uint_t
ngx_http_llm_group_hashes(ngx_http_llm_group_t *g)
{
    return (g->us->flags & NGX_HTTP_UPSTREAM_BACKUP) == 0;
}


static int
ngx_http_llm_group_place(ngx_conf_t *cf, ngx_http_llm_group_t *g,
    tg_error_t *err)
{
    ngx_http_upstream_srv_conf_t  *us = g->us;

    if (g->gc.balance != TG_BALANCE_NONE) {

        if (ngx_http_llm_group_hashes(g)) {
            return tg_error(err, 0, 0, "does not go with the load balancing"
                            " method before it");
        }

        /* For the sake of those that warn of another method. */

        if (us->peer.init_upstream == NULL) {
            us->peer.init_upstream = ngx_http_upstream_init_round_robin;
        }

        return TG_OK;
    }

    if (!ngx_http_llm_group_hashes(g) || g->init_upstream != NULL) {
        return TG_OK;
    }

    if (ngx_http_llm_keepalive_said(cf->cycle, us)) {
        return tg_error(err, 0, 0, "has to be before \"keepalive\", with this"
                        " load balancing method");
    }

    g->init_upstream = us->peer.init_upstream;
    us->peer.init_upstream = ngx_http_llm_upstream_init;

    return TG_OK;
}


int
ngx_http_llm_group_directive(ngx_conf_t *cf,
    ngx_http_llm_upstream_srv_conf_t *lucf, tg_upstream_directive_t id,
    const tg_str_t *args, unsigned nargs, tg_error_t *err)
{
    ngx_http_llm_upstream_main_conf_t  *lumcf;

    lumcf = ngx_http_conf_get_module_main_conf(cf,
                                               ngx_http_llm_upstream_module);

    if (lucf->group == NULL) {
        lucf->group = ngx_http_llm_group_create(cf, lumcf);

        if (lucf->group == NULL) {
            return tg_error(err, 0, 0, "no memory");
        }
    }

    if (tg_group_conf_add(&lucf->group->gc, &lumcf->mem, id, args, nargs,
                          ngx_http_llm_full_name, cf->cycle, err)
        != TG_OK)
    {
        return TG_ERROR;
    }

    return ngx_http_llm_group_place(cf, lucf->group, err);
}


/* As they are written, and their addresses. */
static tg_str_t *
ngx_http_llm_group_servers(ngx_conf_t *cf, ngx_http_llm_group_t *g,
    unsigned *n)
{
    tg_str_t                    *names;
    ngx_uint_t                   i, k, most = 1;
    ngx_http_upstream_server_t  *server = g->us->servers->elts;

    for (i = 0; i < g->us->servers->nelts; i++) {
        most += 1 + server[i].naddrs;
    }

    names = ngx_palloc(cf->temp_pool, most * sizeof(tg_str_t));
    if (names == NULL) {
        return NULL;
    }

    *n = 0;

    for (i = 0; i < g->us->servers->nelts; i++) {
        names[(*n)++] = ngx_http_llm_str(&server[i].name);

        for (k = 0; k < server[i].naddrs; k++) {
            names[(*n)++] = ngx_http_llm_str(&server[i].addrs[k].name);
        }
    }

    return names;
}


static ngx_int_t
ngx_http_llm_group_key(ngx_conf_t *cf, ngx_http_llm_group_t *g)
{
    ngx_str_t  name;

    if (g->gc.key.len == 0) {
        return NGX_OK;
    }

    name.data = (u_char *) g->gc.key.p;
    name.len = g->gc.key.len;

    g->key = ngx_http_get_variable_index(cf, &name);

    return g->key == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_llm_group_scale(ngx_conf_t *cf, ngx_http_llm_group_t *g)
{
    tg_error_t  err;

    if (g->gc.nscale == 0) {
        return NGX_OK;
    }

    g->scale = ngx_palloc(cf->pool, sizeof(tg_scale_targets_t));
    if (g->scale == NULL) {
        return NGX_ERROR;
    }

    if (tg_scale_hook_load(g->scale, &g->gc, &err) != TG_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "llm_scale: %s", err.message);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Checks by TLS: the name that is asked for has no port. */
static ngx_int_t
ngx_http_llm_group_tls(ngx_conf_t *cf, ngx_http_llm_group_t *g)
{
    tg_str_t  host;

    if (!g->gc.check.on || !g->gc.check.tls) {
        return NGX_OK;
    }

    g->ssl = ngx_http_llm_probe_ssl(cf);
    if (g->ssl == NULL) {
        return NGX_ERROR;
    }

    if (g->gc.check.host.len == 0) {
        return NGX_OK;
    }

    host = tg_conf_host(g->gc.check.host);

    g->ssl_name.data = ngx_pnalloc(cf->pool, host.len + 1);
    if (g->ssl_name.data == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(g->ssl_name.data, host.p, host.len) = '\0';

    if (host.p[0] != '['
        && ngx_inet_addr(g->ssl_name.data, host.len) == INADDR_NONE)
    {
        g->ssl_name.len = host.len;
    }

    return NGX_OK;
}


/* When the upstream module is done with it. */
ngx_int_t
ngx_http_llm_group_finish(ngx_conf_t *cf, ngx_http_llm_group_t *g)
{
    tg_str_t    *names;
    unsigned     n, i = 0;
    tg_error_t   err;

    names = ngx_http_llm_group_servers(cf, g, &n);

    if (names == NULL || ngx_http_llm_group_key(cf, g) != NGX_OK) {
        return NGX_ERROR;
    }

    if (tg_group_conf_finish(&g->gc, names, n, &err) != TG_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "llm: %s", err.message);
        return NGX_ERROR;
    }

    if (ngx_http_llm_group_hashes(g) && g->init_upstream == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "llm: in upstream \"%V\" the load balancing method has to"
                      " be before the directives of llm, and does not go with"
                      " llm_balance", &g->us->host);
        return NGX_ERROR;
    }

    while (tg_group_conf_warning(&g->gc, &i, &err)) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0, "llm: %s", err.message);
    }

    if (ngx_http_llm_group_tls(cf, g) != NGX_OK
        || ngx_http_llm_dcgm_finish(cf, g) != NGX_OK
        || ngx_http_llm_group_scale(cf, g) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (g->init_upstream == NULL) {
        g->init_peer = g->us->peer.init;
        g->us->peer.init = ngx_http_llm_upstream_init_peer;
    }

    return NGX_OK;
}
