#include "ngx_http_llm.h"

/*
 * Before the end of a call its tokens and cost are not known: the variables are
 * "not found" then.  At the end the access log may run before our own handler.
 */
static ngx_http_llm_ctx_t *
ngx_http_llm_variable_ctx(ngx_http_request_t *r)
{
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r->main);

    if (ctx != NULL && ctx->ending) {
        ngx_http_llm_settle(ctx, ngx_http_llm_end(ctx));
    }

    return ctx;
}


static void
ngx_http_llm_variable_is(ngx_http_variable_value_t *v, const char *p, size_t n)
{
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->len = (unsigned) n;
    v->data = (u_char *) p;
}


static ngx_int_t
ngx_http_llm_value_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    char                *buf;
    tg_str_t             value;
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_variable_ctx(r);

    v->not_found = 1;

    if (ctx == NULL) {
        return NGX_OK;
    }

    buf = ngx_pnalloc(r->pool, TG_VALUE_MAX);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (tg_call_value(ctx->call, (tg_value_t) data, buf, &value)) {
        ngx_http_llm_variable_is(v, value.p, value.len);
    }

    return NGX_OK;
}


/* nginx lowers the names of variables, and has no "-" in them. */
static ngx_uint_t
ngx_http_llm_tag_is(tg_str_t tag, const u_char *name, size_t len)
{
    size_t  i;

    if (tag.len != len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if ((tag.p[i] == '-' ? '_' : ngx_tolower(tag.p[i])) != name[i]) {
            return 0;
        }
    }

    return 1;
}


/* $llm_tag_<name> */
static ngx_int_t
ngx_http_llm_tag_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    unsigned             i;
    tg_str_t             value = tg_str_null;
    ngx_str_t           *name = (ngx_str_t *) data;
    const tg_conf_t     *conf;
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_variable_ctx(r);

    v->not_found = 1;

    if (ctx == NULL) {
        return NGX_OK;
    }

    conf = ctx->lmcf->conf;

    for (i = 0; i < conf->ntags && value.len == 0; i++) {
        if (ngx_http_llm_tag_is(conf->tags[i].name,
                                name->data + sizeof("llm_tag_") - 1,
                                name->len - (sizeof("llm_tag_") - 1)))
        {
            value = tg_call_tag(ctx->call, i);
        }
    }

    if (value.len != 0) {
        ngx_http_llm_variable_is(v, value.p, value.len);
    }

    return NGX_OK;
}


/*
 * $llm_proxy_url: the provider's scheme and authority.  The proxy asks for it
 * first of all, and makes its request next: of what is put on here.
 */
static ngx_int_t
ngx_http_llm_url_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char              *p;
    const tg_hop_t      *hop = NULL;
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r);

    (void) data;

    if (ctx != NULL && ctx->request == r) {
        hop = ngx_http_llm_hop(ctx);
    }

    if (hop == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "llm: $llm_proxy_url has no value here: \"llm on\" and"
                      " \"llm_pass on\" are missing in this location, or it is"
                      " used before the call was admitted");
        v->not_found = 1;
        return NGX_OK;
    }

    if (ctx->proxying && ngx_http_llm_put_on(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, hop->scheme.len + 3 + hop->authority.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_llm_variable_is(v, (char *) p,
                             hop->scheme.len + 3 + hop->authority.len);

    p = ngx_cpymem(p, hop->scheme.p, hop->scheme.len);
    p = ngx_cpymem(p, "://", 3);
    (void) ngx_cpymem(p, hop->authority.p, hop->authority.len);

    return NGX_OK;
}


/* $llm_proxy_host, and $proxy_host of such a call: whom it goes to now. */
static ngx_int_t
ngx_http_llm_host_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    const tg_hop_t            *hop = NULL;
    ngx_http_llm_ctx_t        *ctx = ngx_http_llm_get_ctx(r);
    ngx_http_get_variable_pt   usual = (ngx_http_get_variable_pt) data;

    if (ctx != NULL && ctx->request == r) {
        hop = ngx_http_llm_hop(ctx);
    }

    if (hop != NULL) {
        ngx_http_llm_variable_is(v, hop->authority.p, hop->authority.len);
        return NGX_OK;
    }

    if (usual != NULL) {
        return usual(r, v, 0);
    }

    v->not_found = 1;

    return NGX_OK;
}


/*
 * $llm_cache_key: for proxy_cache_key.  A call whose answer is not to be kept
 * has a key of its own, its id: nginx takes an empty one for a key like any
 * other.
 */
static ngx_int_t
ngx_http_llm_cache_key_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    tg_str_t             key;
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r);

    (void) data;

    v->not_found = 1;

    if (ctx != NULL && ctx->request == r) {
        key = ctx->cache_key.len != 0 ? ctx->cache_key
                                      : tg_call_id(ctx->call);
        ngx_http_llm_variable_is(v, key.p, key.len);
    }

    return NGX_OK;
}


/* $llm_no_cache: for proxy_cache_bypass and proxy_no_cache. */
static ngx_int_t
ngx_http_llm_no_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r);

    (void) data;

    ngx_http_llm_variable_is(v, ctx != NULL && ctx->request == r
                                && ctx->cache_key.len != 0 ? "0" : "1", 1);

    return NGX_OK;
}


/*
 * The Host header that nginx sends where a location has a proxy_set_header of
 * its own is $proxy_host, and that is of the first target.
 */
static ngx_int_t
ngx_http_llm_replace_proxy_host(ngx_conf_t *cf)
{
    ngx_str_t             name = ngx_string("proxy_host");
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_CHANGEABLE
                                           |NGX_HTTP_VAR_NOCACHEABLE
                                           |NGX_HTTP_VAR_NOHASH);
    if (var == NULL) {
        return NGX_ERROR;
    }

    if (var->get_handler != NULL && var->data == 0) {
        var->data = (uintptr_t) var->get_handler;
        var->get_handler = ngx_http_llm_host_variable;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_add_variable(ngx_conf_t *cf, ngx_str_t *name, ngx_uint_t flags,
    ngx_http_get_variable_pt handler, uintptr_t data)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, name, NGX_HTTP_VAR_NOCACHEABLE|flags);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = handler;
    var->data = data;

    return NGX_OK;
}


static const struct {
    ngx_str_t                 name;
    ngx_http_get_variable_pt  handler;
} ngx_http_llm_named[] = {
    { ngx_string("llm_proxy_url"), ngx_http_llm_url_variable },
    { ngx_string("llm_proxy_host"), ngx_http_llm_host_variable },
    { ngx_string("llm_cache_key"), ngx_http_llm_cache_key_variable },
    { ngx_string("llm_no_cache"), ngx_http_llm_no_cache_variable }
};


ngx_int_t
ngx_http_llm_add_variables(ngx_conf_t *cf)
{
    ngx_str_t   name, prefix = ngx_string("llm_tag_");
    ngx_uint_t  i;

    for (i = 0; i < TG_VALUES; i++) {
        name.len = sizeof("llm_") - 1 + ngx_strlen(tg_value_names[i]);
        name.data = ngx_pnalloc(cf->pool, name.len);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(name.data, "llm_%s", tg_value_names[i]);

        if (ngx_http_llm_add_variable(cf, &name, 0,
                                      ngx_http_llm_value_variable, i)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < sizeof(ngx_http_llm_named) / sizeof(ngx_http_llm_named[0]);
         i++)
    {
        name = ngx_http_llm_named[i].name;

        if (ngx_http_llm_add_variable(cf, &name, 0,
                                      ngx_http_llm_named[i].handler, 0)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_llm_replace_proxy_host(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_llm_add_variable(cf, &prefix, NGX_HTTP_VAR_PREFIX,
                                     ngx_http_llm_tag_variable, 0);
}
