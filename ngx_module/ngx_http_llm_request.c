#include "ngx_http_llm.h"

#define NGX_HTTP_LLM_FILE_STEP  16384
#define NGX_HTTP_LLM_PIECES     256         /* kept by a worker at most */

static void ngx_http_llm_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_llm_request_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);

static ngx_http_request_body_filter_pt  ngx_http_next_request_body_filter;


/* Few names share a bit, so that what is not there need not be looked for. */
static ngx_inline uint64_t
ngx_http_llm_name_bit(const u_char *p, size_t n)
{
    return n == 0 ? 0 : (uint64_t) 1 << ((n + 5 * p[0]) % 64);
}


tg_str_t
ngx_http_llm_request_header(void *req, tg_str_t name)
{
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h, *end;
    ngx_http_request_t  *r = req;

    part = &r->headers_in.headers.part;

    for ( ; part != NULL; part = part->next) {
        end = (ngx_table_elt_t *) part->elts + part->nelts;

        for (h = part->elts; h < end; h++) {
            if (h->key.len == name.len && h->lowcase_key != NULL
                && ngx_memcmp(h->lowcase_key, name.p, name.len) == 0)
            {
                return ngx_http_llm_str(&h->value);
            }
        }
    }

    return tg_str_null;
}


static tg_str_t
ngx_http_llm_header(void *req, tg_str_t name)
{
    ngx_http_llm_ctx_t  *ctx = req;

    return ctx->names & ngx_http_llm_name_bit((u_char *) name.p, name.len)
           ? ngx_http_llm_request_header(ctx->request, name) : tg_str_null;
}


static tg_str_t
ngx_http_llm_variable(void *req, uintptr_t handle)
{
    ngx_http_llm_ctx_t         *ctx = req;
    ngx_http_variable_value_t  *v;

    v = ngx_http_get_flushed_variable(ctx->request, (ngx_uint_t) handle);

    return v == NULL || v->not_found ? tg_str_null
           : tg_str_of((char *) v->data, v->len);
}


static const tg_host_t  ngx_http_llm_host = {
    ngx_http_llm_header,
    ngx_http_llm_variable,
    ngx_http_llm_whole_body
};


/*
 * The one large piece of memory that a call takes goes from one call to the
 * next, rather than by way of the pool to the heap and back.
 */
struct ngx_http_llm_piece_s {
    ngx_http_llm_piece_t  *next;
};

static ngx_http_llm_piece_t  *ngx_http_llm_pieces;      /* a worker's */
static ngx_uint_t             ngx_http_llm_npieces;


static void *
ngx_http_llm_request_alloc(void *data, size_t size)
{
    ngx_http_llm_ctx_t    *ctx = data;
    ngx_http_llm_piece_t  *piece;

    if (size != TG_CALL_CHUNK || ctx->piece != NULL) {
        return ngx_palloc(ctx->request->pool, size);
    }

    piece = ngx_http_llm_pieces;

    if (piece != NULL) {
        ngx_http_llm_pieces = piece->next;
        ngx_http_llm_npieces--;

    } else {
        piece = ngx_alloc(TG_CALL_CHUNK, ctx->request->connection->log);
    }

    ctx->piece = piece;

    return piece;
}


void
ngx_http_llm_free(ngx_http_llm_ctx_t *ctx)
{
    if (ctx->piece == NULL) {
        return;
    }

    if (ngx_http_llm_npieces == NGX_HTTP_LLM_PIECES) {
        ngx_free(ctx->piece);

    } else {
        ctx->piece->next = ngx_http_llm_pieces;
        ngx_http_llm_pieces = ctx->piece;
        ngx_http_llm_npieces++;
    }

    ctx->piece = NULL;
}


/* Headers of our own are nobody's to send. */
ngx_int_t
ngx_http_llm_post_read_handler(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (tg_http_own_header(ngx_http_llm_str(&h[i].key))) {
                ngx_http_llm_hide(&h[i]);
            }
        }
    }

    return NGX_DECLINED;
}


/*
 * Asks the upstream for an answer that can be read.  gzip to the client goes by
 * headers_in.accept_encoding, which keeps what the client said.
 */
static ngx_int_t
ngx_http_llm_ask_identity(ngx_http_request_t *r)
{
#if (NGX_HTTP_GZIP)
    ngx_table_elt_t  *h;

    if (r->headers_in.accept_encoding != NULL) {
        h = ngx_palloc(r->pool, sizeof(ngx_table_elt_t));
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = *r->headers_in.accept_encoding;
        r->headers_in.accept_encoding = h;
    }
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_see_headers(ngx_http_llm_ctx_t *ctx)
{
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h, *end;
    ngx_http_request_t  *r = ctx->request;

    if (r == r->main && ngx_http_llm_ask_identity(r) != NGX_OK) {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        end = (ngx_table_elt_t *) part->elts + part->nelts;

        for (h = part->elts; h < end; h++) {

            if (h->lowcase_key != NULL) {
                ctx->names |= ngx_http_llm_name_bit(h->lowcase_key,
                                                    h->key.len);
            }

            if (r == r->main && h->key.len == sizeof("Accept-Encoding") - 1
                && ngx_strncasecmp(h->key.data, (u_char *) "Accept-Encoding",
                                   sizeof("Accept-Encoding") - 1)
                   == 0)
            {
                ngx_str_set(&h->value, "identity");
            }
        }
    }

    return NGX_OK;
}


tg_str_t
ngx_http_llm_upstream_host(ngx_http_request_t *r)
{
    ngx_http_upstream_conf_t  *ucf;

    ucf = ngx_http_get_module_loc_conf(r, ngx_http_proxy_module);

    return ucf->upstream == NULL ? tg_str_null
           : ngx_http_llm_str(&ucf->upstream->host);
}


static void
ngx_http_llm_head(ngx_http_llm_ctx_t *ctx, tg_call_head_t *head)
{
    u_char              *q = NULL;
    ngx_http_request_t  *r = ctx->request;
    ngx_str_t            path = r == r->main ? r->unparsed_uri : r->uri;

    if (r == r->main && path.len != 0) {
        q = memchr(path.data, '?', path.len);
    }

    if (q != NULL) {
        path.len = (size_t) (q - path.data);
    }

    head->method = ngx_http_llm_str(&r->method_name);
    head->path = ngx_http_llm_str(&path);
    head->args = ngx_http_llm_str(&r->args);
    head->upstream = ngx_http_llm_upstream_host(r);
    head->content_type = r->headers_in.content_type == NULL ? tg_str_null
                         : ngx_http_llm_str(&r->headers_in.content_type->value);
    head->content_encoding = ngx_http_llm_header(ctx,
                                                 tg_str("content-encoding"));
    head->client = ngx_http_llm_str(&r->connection->addr_text);
}


/* Runs before any log handler: a cost in the access log is a final one. */
static void
ngx_http_llm_ending(void *data)
{
    ngx_http_llm_ctx_t  *ctx = data;

    ctx->ending = 1;
    ctx->proxying = 0;

    (void) ngx_http_llm_take_off(ctx);
}


static ngx_http_llm_ctx_t *
ngx_http_llm_create_ctx(ngx_http_request_t *r, ngx_http_llm_loc_conf_t *llcf)
{
    tg_call_head_t       head;
    ngx_http_cleanup_t  *ending;
    ngx_pool_cleanup_t  *cln;
    ngx_http_llm_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_llm_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_llm_ctx_t));

    ctx->request = r;
    ctx->llcf = llcf;
    ctx->lmcf = ngx_http_get_module_main_conf(r, ngx_http_llm_module);
    ctx->mem.alloc = ngx_http_llm_request_alloc;
    ctx->mem.pool = ctx;
    ngx_http_llm_now(&ctx->now);

    if (ngx_http_llm_see_headers(ctx) != NGX_OK) {
        return NULL;
    }

    ngx_http_llm_head(ctx, &head);

    if (r == r->main) {
        ending = ngx_http_cleanup_add(r, 0);
        if (ending == NULL) {
            return NULL;
        }

        ending->handler = ngx_http_llm_ending;
        ending->data = ctx;
    }

    ctx->call = tg_call_create(&ctx->mem, ctx->lmcf->conf, &llcf->scope,
                               &ngx_http_llm_host, ctx, &head,
                               &ngx_http_llm_ids, &ctx->now);
    if (ctx->call == NULL) {
        ngx_http_llm_free(ctx);
        return NULL;
    }

    tg_call_request(ctx->call, r);

    cln->handler = ngx_http_llm_cleanup;
    ngx_http_set_ctx(r, ctx, ngx_http_llm_module);

    ctx->open = 1;
    ngx_queue_insert_tail(&ngx_http_llm_open, &ctx->queue);

    return ctx;
}


static ngx_int_t
ngx_http_llm_feed_file(ngx_http_llm_ctx_t *ctx, ngx_buf_t *b)
{
    off_t    pos;
    size_t   size;
    u_char  *buf;
    ssize_t  n;

    buf = ngx_palloc(ctx->request->pool, NGX_HTTP_LLM_FILE_STEP);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    for (pos = b->file_pos; pos < b->file_last; pos += n) {
        size = (size_t) ngx_min(b->file_last - pos, NGX_HTTP_LLM_FILE_STEP);

        n = ngx_read_file(b->file, buf, size, pos);
        if (n <= 0) {
            return NGX_ERROR;
        }

        tg_call_body(ctx->call, (char *) buf, (size_t) n);
    }

    return NGX_OK;
}


/* The body had been read before we came. */
static ngx_int_t
ngx_http_llm_feed_body(ngx_http_llm_ctx_t *ctx)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = ctx->request->request_body->bufs; cl != NULL; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            tg_call_body(ctx->call, (char *) b->pos,
                         (size_t) (b->last - b->pos));

        } else if (b->in_file && ngx_http_llm_feed_file(ctx, b) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_llm_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_llm_ctx_t        *ctx;
    ngx_http_llm_loc_conf_t   *llcf;
    ngx_http_llm_main_conf_t  *lmcf;

    ctx = ngx_http_llm_get_ctx(r);

    if (ctx != NULL && ctx->waiting) {
        return ngx_http_llm_admit(ctx);
    }

    if (ctx != NULL) {
        ngx_http_llm_redirected(ctx);
        return NGX_DECLINED;
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_llm_module);
    lmcf = ngx_http_get_module_main_conf(r, ngx_http_llm_module);

    if (llcf->scope.enable == TG_OFF
        || (r != r->main && !llcf->scope.own_enable)
        || tg_conf_companion_owns(lmcf->conf, r))
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_llm_create_ctx(r, llcf);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_llm_enter(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (r != r->main || !tg_call_wants_body(ctx->call)) {
        ctx->body_read = 1;

    } else if (r->request_body != NULL) {
        ctx->body_read = 1;

        if (ngx_http_llm_feed_body(ctx) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ctx->body_read) {
        return ngx_http_llm_admit(ctx);
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_llm_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_llm_body_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r);

    ctx->body_read = 1;

    r->preserve_body = 1;               /* for a fallback by error_page */

    rc = ngx_http_llm_admit(ctx);

    if (rc == NGX_DONE || rc == NGX_AGAIN) {
        return;
    }

    if (rc != NGX_DECLINED) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_llm_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_http_llm_ctx_t  *ctx = ngx_http_get_module_ctx(r, ngx_http_llm_module);

    if (ctx != NULL && !ctx->body_read) {
        for (cl = in; cl != NULL; cl = cl->next) {
            b = cl->buf;
            tg_call_body(ctx->call, (char *) b->pos,
                         (size_t) (b->last - b->pos));
        }
    }

    return ngx_http_next_request_body_filter(r, in);
}


ngx_int_t
ngx_http_llm_request_init(ngx_conf_t *cf)
{
    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_llm_request_body_filter;

    return NGX_OK;
}
