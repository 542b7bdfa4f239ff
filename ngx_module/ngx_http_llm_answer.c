#include "ngx_http_llm.h"

/*
 * The head of an answer: what the meter learns of it, and what becomes of it.
 */


static ngx_int_t
ngx_http_llm_add(ngx_http_llm_ctx_t *ctx, const tg_header_t *own)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&ctx->request->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_http_llm_header_init(h);
    h->key.data = (u_char *) own->name.p;
    h->key.len = own->name.len;
    h->value.data = (u_char *) own->value.p;
    h->value.len = own->value.len;

    return NGX_OK;
}


ngx_int_t
ngx_http_llm_add_own(ngx_http_llm_ctx_t *ctx)
{
    unsigned     i, n;
    tg_header_t  says[TG_SAYS_MAX];
    tg_header_t  own = { tg_str("x-llm-request-id"), tg_call_id(ctx->call) };

    if (ngx_http_llm_add(ctx, &own) != NGX_OK) {
        return NGX_ERROR;
    }

    n = tg_call_says(ctx->call, says);

    for (i = 0; i < n; i++) {
        if (ngx_http_llm_add(ctx, &says[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_llm_answer_headers(ngx_http_llm_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part = &ctx->request->headers_out.headers.part;
    ngx_table_elt_t  *h;

    for ( ; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0) {
                tg_call_answer_header(ctx->call, ngx_http_llm_str(&h[i].key),
                                      ngx_http_llm_str(&h[i].value));
            }
        }
    }
}


/* Asked for as identity; where it comes packed all the same it is unpacked for
 * the meter, and for the client only where it is altered. */
static ngx_int_t
ngx_http_llm_answer_encoding(ngx_http_llm_ctx_t *ctx)
{
    ngx_table_elt_t  *h = ctx->request->headers_out.content_encoding;

    if (h == NULL) {
        return NGX_OK;
    }

    switch (tg_http_coding(ngx_http_llm_str(&h->value))) {

    case TG_CODING_ZLIB:
        ctx->inflate = tg_inflate_create(&ctx->mem);
        return ctx->inflate == NULL ? NGX_ERROR : NGX_OK;

    case TG_CODING_OPAQUE:
        ctx->opaque = 1;
        tg_call_answer_hidden(ctx->call);
        break;

    case TG_CODING_IDENTITY:
        break;
    }

    return NGX_OK;
}


static void
ngx_http_llm_answer_upstream(ngx_http_llm_ctx_t *ctx)
{
    unsigned                    attempts = 0;
    tg_str_t                    host = tg_str_null;
    ngx_uint_t                  i;
    ngx_http_request_t         *r = ctx->request;
    ngx_http_upstream_t        *u = r->upstream;
    ngx_http_upstream_state_t  *state;

    if (ngx_http_llm_hop(ctx) != NULL) {
        host = tg_call_hop(ctx->call)->authority;

    } else if (u->resolved != NULL) {
        host = ngx_http_llm_str(&u->resolved->host);

    } else if (u->upstream != NULL) {
        host = ngx_http_llm_str(&u->upstream->host);
    }

    if (r->upstream_states != NULL) {
        state = r->upstream_states->elts;

        /* One without a peer stands between those of two locations. */

        for (i = 0; i < r->upstream_states->nelts; i++) {
            attempts += state[i].peer != NULL;
        }
    }

    tg_call_upstream(ctx->call, host, attempts);
}


/* One without a peer stands between those of two locations. */
static ngx_uint_t
ngx_http_llm_head_came(ngx_http_request_t *r)
{
    ngx_uint_t                  i = r->upstream_states->nelts;
    ngx_http_upstream_state_t  *state = r->upstream_states->elts;

    while (i != 0 && state[i - 1].peer == NULL) {
        i--;
    }

    return i != 0 && state[i - 1].header_time != (ngx_msec_t) -1;
}


/*
 * This answer is nginx's own, and some upstream had been sent something before it
 * failed without a whole head of an answer.  What was tried at a target before is
 * an attempt of its own.
 */
static ngx_uint_t
ngx_http_llm_unanswered(ngx_http_llm_ctx_t *ctx)
{
    ngx_uint_t                  i = 0;
    ngx_http_request_t         *r = ctx->request;
    ngx_http_upstream_state_t  *state;

    if (r->upstream == NULL || r->upstream_states == NULL
        || ngx_http_llm_head_came(r))
    {
        return 0;
    }

    state = r->upstream_states->elts;

    if (tg_call_hop(ctx->call) != NULL && r->upstream_states->nelts != 0) {
        i = r->upstream_states->nelts - 1;
    }

    for ( ; i < r->upstream_states->nelts; i++) {
        if (state[i].bytes_sent > 0
            && state[i].header_time == (ngx_msec_t) -1)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * nginx would hold a close-delimited stream back to its end.  What it writes to
 * its cache it has to buffer: so only chunked streams go there, each piece of
 * which is passed on as it comes.
 */
static void
ngx_http_llm_answer_stream(ngx_http_llm_ctx_t *ctx, ngx_http_upstream_t *u)
{
#if (NGX_HTTP_CACHE)
    if (u->cacheable && u->headers_in.chunked) {
        ctx->prompt = 1;
        return;
    }

    u->cacheable = 0;
#endif

    u->buffering = 0;
}


/* Where it is translated, its head is as well. */
void
ngx_http_llm_answer_head(ngx_http_llm_ctx_t *ctx)
{
    unsigned             status;
    tg_str_t             type;
    ngx_http_request_t  *r = ctx->request;

    status = (unsigned) r->headers_out.status;
    type = ngx_http_llm_str(&r->headers_out.content_type);

    tg_call_answer_head(ctx->call, &status, &type);

    if (status != r->headers_out.status) {
        r->headers_out.status = status;
        ngx_str_null(&r->headers_out.status_line);
    }

    if (type.p != (char *) r->headers_out.content_type.data) {
        r->headers_out.content_type.data = (u_char *) type.p;
        r->headers_out.content_type.len = type.len;
        r->headers_out.content_type_len = type.len;
        r->headers_out.content_type_lowcase = NULL;
    }
}


static ngx_int_t
ngx_http_llm_answer_altered(ngx_http_llm_ctx_t *ctx)
{
    ngx_http_request_t  *r = ctx->request;

    if (ctx->opaque) {
        if (!tg_call_must_read(ctx->call)) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "llm: the provider's answer is to be translated, and"
                      " comes packed in a way that is not known here");
        return NGX_ERROR;
    }

    if (ctx->inflate != NULL) {
        r->headers_out.content_encoding->hash = 0;
        r->headers_out.content_encoding = NULL;
    }

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_etag(r);

    ctx->last_out = &ctx->out;
    ctx->gathers = tg_call_gathers(ctx->call);

    if (!ctx->gathers) {
        ngx_http_llm_answer_head(ctx);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_llm_answer(ngx_http_llm_ctx_t *ctx)
{
    ngx_uint_t            cached = 0;
    ngx_http_request_t   *r = ctx->request;
    ngx_http_upstream_t  *u = r->upstream;

    if (u != NULL) {
        ngx_http_llm_answer_upstream(ctx);
    }

#if (NGX_HTTP_CACHE)
    cached = r->cached;
#endif

    if (!cached && ngx_http_llm_unanswered(ctx)) {
        tg_call_unanswered(ctx->call);
        return NGX_OK;
    }

    ctx->fed = u != NULL && u->cleanup != NULL && !cached;

    tg_call_answer(ctx->call, (unsigned) r->headers_out.status,
                   ngx_http_llm_str(&r->headers_out.content_type), cached);

    if (tg_call_wants_headers(ctx->call)) {
        ngx_http_llm_answer_headers(ctx);
    }

    if (ngx_http_llm_answer_encoding(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    r->filter_need_in_memory = 1;

    if (u != NULL && !cached && !u->store && tg_call_streams(ctx->call)) {
        ngx_http_llm_answer_stream(ctx, u);
    }

    return tg_call_alters(ctx->call) ? ngx_http_llm_answer_altered(ctx)
                                     : NGX_OK;
}
