#include "ngx_http_llm.h"

#include "tg_key_presented.h"

/*
 * What the proxy makes its request of, when it goes to a provider: the
 * provider's key and headers, and the path there.  It is put on right before,
 * and taken off as soon as the request is written, so that variables and logs
 * say what the client said, and no key.
 */

typedef struct {
    ngx_table_elt_t              *h;
    ngx_table_elt_t               was;
} ngx_http_llm_hidden_t;

struct ngx_http_llm_dress_s {
    ngx_array_t                   hidden;       /* the client's headers */
    ngx_array_t                   own;          /* ngx_table_elt_t *, of ours */
    ngx_uint_t                    used;         /* of own */
    ngx_str_t                     unparsed_uri; /* the client's */
    unsigned                      valid_unparsed_uri:1;
    unsigned                      path:1;       /* another one is on */
    unsigned                      on:1;
};


/* Where the call goes, if that is chosen here and this is the place for it. */
const tg_hop_t *
ngx_http_llm_hop(ngx_http_llm_ctx_t *ctx)
{
    ngx_http_llm_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_llm_module);

    return llcf->scope.pass == 1 && llcf->scope.enable != TG_OFF
           ? tg_call_hop(ctx->call) : NULL;
}


/*
 * The proxy hands on whatever is in the list, whatever its hash, and headers_in
 * points into it: an element can be neither skipped nor moved.  So it becomes
 * one that is not handed on.
 */
void
ngx_http_llm_hide(ngx_table_elt_t *h)
{
    ngx_str_set(&h->key, "Keep-Alive");
    ngx_str_set(&h->value, "");
    h->lowcase_key = (u_char *) "keep-alive";
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
}


/* For good: what the caller shows is for here only. */
void
ngx_http_llm_hide_credentials(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (tg_key_is_carrier(ngx_http_llm_str(&h[i].key))) {
                ngx_http_llm_hide(&h[i]);
            }
        }
    }
}


/* Most calls wear nothing. */
static ngx_http_llm_dress_t *
ngx_http_llm_dress(ngx_http_llm_ctx_t *ctx)
{
    ngx_pool_t            *pool = ctx->request->pool;
    ngx_http_llm_dress_t  *d;

    if (ctx->dress != NULL) {
        ctx->dress->on = 1;
        return ctx->dress;
    }

    d = ngx_pcalloc(pool, sizeof(ngx_http_llm_dress_t));

    if (d == NULL
        || ngx_array_init(&d->hidden, pool, 4, sizeof(ngx_http_llm_hidden_t))
           != NGX_OK
        || ngx_array_init(&d->own, pool, 4, sizeof(ngx_table_elt_t *))
           != NGX_OK)
    {
        return NULL;
    }

    d->on = 1;
    ctx->dress = d;

    return d;
}


/* The client's headers of this name, until it is taken off. */
static ngx_int_t
ngx_http_llm_dress_hide(ngx_http_llm_ctx_t *ctx, tg_str_t name)
{
    ngx_uint_t              i;
    ngx_list_part_t        *part;
    ngx_table_elt_t        *h;
    ngx_http_llm_dress_t   *d;
    ngx_http_llm_hidden_t  *hidden;

    for (part = &ctx->request->headers_in.headers.part; part;
         part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (!tg_str_caseeq(ngx_http_llm_str(&h[i].key), name)) {
                continue;
            }

            d = ngx_http_llm_dress(ctx);
            hidden = d == NULL ? NULL : ngx_array_push(&d->hidden);
            if (hidden == NULL) {
                return NGX_ERROR;
            }

            hidden->h = &h[i];
            hidden->was = h[i];
            ngx_http_llm_hide(&h[i]);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_dress_add(ngx_http_llm_ctx_t *ctx, const tg_header_t *own)
{
    ngx_table_elt_t       *h, **slot;
    ngx_http_llm_dress_t  *d = ngx_http_llm_dress(ctx);

    if (d == NULL) {
        return NGX_ERROR;
    }

    if (d->used < d->own.nelts) {
        h = ((ngx_table_elt_t **) d->own.elts)[d->used];

    } else {
        h = ngx_list_push(&ctx->request->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_http_llm_header_init(h);
        ngx_http_llm_hide(h);

        slot = ngx_array_push(&d->own);
        if (slot == NULL) {
            return NGX_ERROR;
        }

        *slot = h;
    }

    d->used++;

    h->key.data = (u_char *) own->name.p;
    h->key.len = own->name.len;
    h->lowcase_key = h->key.data;
    h->hash = ngx_hash_key(h->key.data, h->key.len);
    h->value.data = (u_char *) own->value.p;
    h->value.len = own->value.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_dress_headers(ngx_http_llm_ctx_t *ctx, const tg_hop_t *hop)
{
    unsigned  i;

    for (i = 0; i < hop->nhidden; i++) {
        if (ngx_http_llm_dress_hide(ctx, hop->hidden[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < hop->nheaders; i++) {
        if (ngx_http_llm_dress_hide(ctx, hop->headers[i].name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < hop->nheaders; i++) {
        if (ngx_http_llm_dress_add(ctx, &hop->headers[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * $llm_proxy_url has no path, and so the proxy takes the request's own.  Who
 * asks for $request_uri later finds what it was at first.
 */
static ngx_int_t
ngx_http_llm_dress_path(ngx_http_llm_ctx_t *ctx, const tg_hop_t *hop)
{
    u_char                *p;
    ngx_http_request_t    *r = ctx->request;
    ngx_http_llm_dress_t  *d = ngx_http_llm_dress(ctx);

    if (d == NULL
        || ngx_http_get_indexed_variable(r,
                                         (ngx_uint_t) ctx->lmcf->request_uri)
           == NULL)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, hop->path.len + 1 + hop->args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    d->path = 1;
    d->unparsed_uri = r->unparsed_uri;
    d->valid_unparsed_uri = r->valid_unparsed_uri;

    r->unparsed_uri.data = p;
    p = ngx_cpymem(p, hop->path.p, hop->path.len);

    if (hop->args.len != 0) {
        *p++ = '?';
        p = ngx_cpymem(p, hop->args.p, hop->args.len);
    }

    r->unparsed_uri.len = (size_t) (p - r->unparsed_uri.data);
    r->valid_unparsed_uri = 1;

    return NGX_OK;
}


/* A key is for an upstream that is looked at (ngx_http_llm_peer_init()). */
static ngx_int_t
ngx_http_llm_dress_key(ngx_http_llm_ctx_t *ctx, const tg_hop_t *hop)
{
    tg_header_t               own;
    ngx_http_request_t       *r = ctx->request;
    ngx_http_llm_loc_conf_t  *llcf;

    ctx->keyed = 0;

    if (!tg_call_credentials(ctx->call, &own)) {
        return NGX_OK;
    }

    ngx_http_llm_hide_credentials(r);

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_llm_module);

    if (own.name.len == 0 || llcf->scope.enable == TG_OFF
        || (hop == NULL
            && (tg_call_hop(ctx->call) != NULL || !ngx_http_llm_hooked(r))))
    {
        return NGX_OK;
    }

    ctx->keyed = 1;

    return ngx_http_llm_dress_add(ctx, &own);
}


/* Where a trace begins here. */
static ngx_int_t
ngx_http_llm_dress_trace(ngx_http_llm_ctx_t *ctx)
{
    tg_header_t  h;

    if (!tg_call_trace(ctx->call, &h)) {
        return NGX_OK;
    }

    return ngx_http_llm_dress_hide(ctx, h.name) == NGX_OK
           ? ngx_http_llm_dress_add(ctx, &h) : NGX_ERROR;
}


ngx_int_t
ngx_http_llm_put_on(ngx_http_llm_ctx_t *ctx)
{
    ngx_int_t        rc;
    const tg_hop_t  *hop = ngx_http_llm_hop(ctx);

    (void) ngx_http_llm_take_off(ctx);

    rc = ngx_http_llm_dress_key(ctx, hop);

    if (rc == NGX_OK) {
        rc = ngx_http_llm_dress_trace(ctx);
    }

    if (rc == NGX_OK && hop != NULL) {
        rc = ngx_http_llm_dress_headers(ctx, hop);
    }

    if (rc == NGX_OK && hop != NULL) {
        rc = ngx_http_llm_dress_path(ctx, hop);
    }

    if (rc != NGX_OK) {
        (void) ngx_http_llm_take_off(ctx);
    }

    return rc;
}


/* True where something was on. */
ngx_uint_t
ngx_http_llm_take_off(ngx_http_llm_ctx_t *ctx)
{
    ngx_uint_t               i;
    ngx_http_request_t      *r = ctx->request;
    ngx_table_elt_t        **own;
    ngx_http_llm_dress_t    *d = ctx->dress;
    ngx_http_llm_hidden_t   *hidden;

    if (d == NULL || !d->on) {
        return 0;
    }

    hidden = d->hidden.elts;

    for (i = 0; i < d->hidden.nelts; i++) {
        *hidden[i].h = hidden[i].was;
    }

    own = d->own.elts;

    for (i = 0; i < d->used; i++) {
        ngx_http_llm_hide(own[i]);
    }

    if (d->path) {
        r->unparsed_uri = d->unparsed_uri;
        r->valid_unparsed_uri = d->valid_unparsed_uri;
    }

    d->hidden.nelts = 0;
    d->used = 0;
    d->path = 0;
    d->on = 0;

    return 1;
}


/*
 * In place of the location's own, and before it: the proxy makes its request of
 * what is put on.  With llm_pass that is done where it asks for $llm_proxy_url.
 */
static ngx_int_t
ngx_http_llm_content_handler(ngx_http_request_t *r)
{
    ngx_http_llm_ctx_t        *ctx = ngx_http_llm_get_ctx(r);
    ngx_http_core_loc_conf_t  *clcf;

    /* A copy of a request, which the cache makes for an update, is no call. */

    if (ctx == NULL || ctx->request != r) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
        return clcf->handler != NULL ? clcf->handler(r) : NGX_HTTP_NOT_FOUND;
    }

    ctx->proxying = 1;

    if (ngx_http_llm_hop(ctx) == NULL && ngx_http_llm_put_on(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ctx->content_handler(r);
}


/* The call may go, from this location. */
void
ngx_http_llm_intercept(ngx_http_llm_ctx_t *ctx)
{
    ngx_http_request_t  *r = ctx->request;

    if (r->content_handler != NULL
        && r->content_handler != ngx_http_llm_content_handler)
    {
        ctx->content_handler = r->content_handler;
        r->content_handler = ngx_http_llm_content_handler;
    }
}
