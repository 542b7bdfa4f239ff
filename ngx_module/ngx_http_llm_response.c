#include "ngx_http_llm.h"

#define NGX_HTTP_LLM_OUT_SIZE   2048
#define NGX_HTTP_LLM_FILE_STEP  16384

static ngx_int_t ngx_http_llm_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_llm_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);

static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_llm_header_filter(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r);

    if (ctx == NULL || ctx->request != r || ctx->answered) {
        return ngx_http_next_header_filter(r);
    }

    ctx->proxying = 0;
    (void) ngx_http_llm_take_off(ctx);

    /*
     * A tunnel is all of the answer.  "100 Continue" and its like are none, nor is
     * what has no status; nginx takes either for one, and hands on what follows.
     */

    if (r->headers_out.status >= NGX_HTTP_OK) {
        ctx->answered = 1;

        if (ngx_http_llm_add_own(ctx) != NGX_OK
            || (!ctx->refused && ngx_http_llm_answer(ctx) != NGX_OK))
        {
            return NGX_ERROR;
        }

    } else if (r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS) {
        ctx->complete = 1;

    } else if (r->upstream != NULL) {
        tg_call_unanswered(ctx->call);
    }

    if (ctx->client_gone) {
        r->header_sent = 1;
        return NGX_OK;
    }

    /* What it will be is known with all of the body: ngx_http_llm_alter(). */

    if (ctx->gathers) {
        return NGX_OK;
    }

    rc = ngx_http_next_header_filter(r);

    if (r->header_only && r == r->main) {
        ctx->complete = 1;
    }

    return rc;
}


static ngx_buf_t *
ngx_http_llm_out_last(ngx_http_llm_ctx_t *ctx)
{
    ngx_chain_t  *cl;

    if (ctx->out == NULL) {
        return NULL;
    }

    for (cl = ctx->out; cl->next != NULL; cl = cl->next) { /* void */ }

    return cl->buf;
}


/* An empty buffer at the end of ctx->out; what it says is "flush", if anything. */
static ngx_buf_t *
ngx_http_llm_out_new(ngx_http_llm_ctx_t *ctx)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(ctx->request->pool, &ctx->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;

    if (b->start == NULL) {
        b->start = ngx_palloc(ctx->request->pool, NGX_HTTP_LLM_OUT_SIZE);
        if (b->start == NULL) {
            return NULL;
        }
        b->end = b->start + NGX_HTTP_LLM_OUT_SIZE;
    }

    b->pos = b->start;
    b->last = b->start;
    b->tag = (ngx_buf_tag_t) &ngx_http_llm_module;
    b->temporary = 0;
    b->sync = 1;
    b->flush = 0;
    b->last_buf = 0;
    b->last_in_chain = 0;

    *ctx->last_out = cl;
    ctx->last_out = &cl->next;

    return b;
}


/* Gathers what the client is to get in buffers of our own. */
static int
ngx_http_llm_out(void *data, const char *p, size_t n)
{
    size_t               room;
    ngx_buf_t           *b;
    ngx_http_llm_ctx_t  *ctx = data;

    b = ngx_http_llm_out_last(ctx);

    while (n != 0) {

        if (b == NULL || b->last == b->end) {
            b = ngx_http_llm_out_new(ctx);
            if (b == NULL) {
                return NGX_ERROR;
            }
        }

        room = ngx_min(n, (size_t) (b->end - b->last));
        b->last = ngx_cpymem(b->last, p, room);
        b->temporary = 1;
        b->sync = 0;
        p += room;
        n -= room;
    }

    return NGX_OK;
}


/* What b says beside its bytes goes on the last buffer out. */
static ngx_int_t
ngx_http_llm_out_flags(ngx_http_llm_ctx_t *ctx, ngx_buf_t *b)
{
    ngx_buf_t  *last;

    if (!b->flush && !b->last_buf && !b->last_in_chain && !b->sync) {
        return NGX_OK;
    }

    last = ngx_http_llm_out_last(ctx);

    if (last == NULL) {
        last = ngx_http_llm_out_new(ctx);
        if (last == NULL) {
            return NGX_ERROR;
        }
    }

    last->flush |= b->flush;
    last->last_buf |= b->last_buf;
    last->last_in_chain |= b->last_in_chain;

    return NGX_OK;
}


static void
ngx_http_llm_first_byte(ngx_http_llm_ctx_t *ctx)
{
    if (!ctx->first) {
        ctx->first = 1;
        ngx_http_llm_now(&ctx->now);
    }
}


static void
ngx_http_llm_feed(ngx_http_llm_ctx_t *ctx, const u_char *p, size_t n)
{
    if (n == 0 || ctx->opaque) {
        return;
    }

    ngx_http_llm_first_byte(ctx);

    if (ctx->inflate != NULL) {
        tg_inflate_feed(ctx->inflate, ctx->call, (const char *) p, n,
                        &ctx->now);

    } else {
        tg_call_feed(ctx->call, (const char *) p, n, &ctx->now);
    }
}


static void
ngx_http_llm_feed_chain(ngx_http_llm_ctx_t *ctx, ngx_chain_t *cl)
{
    off_t          pos;
    size_t         size;
    ssize_t        n;
    ngx_buf_t     *b;
    static u_char  buf[NGX_HTTP_LLM_FILE_STEP];     /* a worker's */

    for ( ; cl != NULL; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            ngx_http_llm_feed(ctx, b->pos, (size_t) (b->last - b->pos));
            continue;
        }

        for (pos = b->file_pos; b->in_file && pos < b->file_last; pos += n) {
            size = (size_t) ngx_min(b->file_last - pos, NGX_HTTP_LLM_FILE_STEP);

            n = ngx_read_file(b->file, buf, size, pos);
            if (n <= 0) {
                return;
            }

            ngx_http_llm_feed(ctx, buf, (size_t) n);
        }
    }
}


/*
 * The client left, and nginx has more of the answer than it could get: often all
 * of it, with the usage at the end.
 */
void
ngx_http_llm_feed_rest(ngx_http_llm_ctx_t *ctx)
{
    ngx_http_request_t      *r = ctx->request;
    ngx_http_upstream_t     *u = r->upstream;
    ngx_output_chain_ctx_t  *copy;

    if (!ctx->answered || ctx->refused || ctx->last_out != NULL
        || r != r->main)
    {
        return;
    }

    copy = ngx_http_get_module_ctx(r, ngx_http_copy_filter_module);

    if (copy != NULL) {
        ngx_http_llm_feed_chain(ctx, copy->in);
    }

    if (u != NULL && u->buffering && u->pipe != NULL) {
        ngx_http_llm_feed_chain(ctx, u->pipe->out);
        ngx_http_llm_feed_chain(ctx, u->pipe->in);
    }
}


static int
ngx_http_llm_filter(ngx_http_llm_ctx_t *ctx, ngx_buf_t *b)
{
    size_t  n = (size_t) (b->last - b->pos);
    char   *p = (char *) b->pos;

    return ctx->inflate != NULL
           ? tg_inflate_filter(ctx->inflate, ctx->call, p, n, &ctx->now,
                               ngx_http_llm_out, ctx)
           : tg_call_filter(ctx->call, p, n, &ctx->now, ngx_http_llm_out, ctx);
}


/* The upstream has been given up, and the last byte of what is to be translated
 * did not come. */
static ngx_uint_t
ngx_http_llm_broken_off(ngx_http_llm_ctx_t *ctx)
{
    const tg_hop_t      *hop = tg_call_hop(ctx->call);
    ngx_http_request_t  *r = ctx->request;

#if (NGX_HTTP_CACHE)
    if (r->cached) {
        return 0;
    }
#endif

    return !ctx->ended && hop != NULL && hop->whole
           && r->upstream != NULL && r->upstream->cleanup == NULL;
}


/* What is made of one that broke off: an error, which the client is to read to its
 * end, and that is all. */
static ngx_int_t
ngx_http_llm_out_cut(ngx_http_llm_ctx_t *ctx)
{
    ngx_buf_t  *b;

    if (tg_call_filter_end(ctx->call, ngx_http_llm_out, ctx) != TG_OK) {
        return NGX_ERROR;
    }

    b = ngx_http_llm_out_last(ctx);

    if (b == NULL) {
        b = ngx_http_llm_out_new(ctx);
        if (b == NULL) {
            return NGX_ERROR;
        }
    }

    b->last_buf = ctx->request == ctx->request->main;
    b->last_in_chain = 1;

    return NGX_OK;
}


/* Of an answer that was gathered, before its body. */
static ngx_int_t
ngx_http_llm_head_at_last(ngx_http_llm_ctx_t *ctx)
{
    off_t         length = 0;
    ngx_chain_t  *cl;

    for (cl = ctx->out; cl != NULL; cl = cl->next) {
        length += ngx_buf_size(cl->buf);
    }

    ctx->gathers = 0;
    ctx->request->headers_out.content_length_n = length;

    ngx_http_llm_answer_head(ctx);

    return ngx_http_next_header_filter(ctx->request);
}


/* Into ctx->out.  The last buffer that had bytes, and where they began, is *last
 * and *pos. */
static ngx_int_t
ngx_http_llm_alter_chain(ngx_http_llm_ctx_t *ctx, ngx_chain_t *in,
    ngx_buf_t **last, u_char **pos)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = in; cl != NULL; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b) && b->pos != b->last) {
            ngx_http_llm_first_byte(ctx);

            if (ngx_http_llm_filter(ctx, b) != TG_OK) {
                return NGX_ERROR;
            }

            *last = b;
            *pos = b->pos;
            b->pos = b->last;
        }

        if (b->last_buf || b->last_in_chain) {
            ctx->ended = 1;

            if (tg_call_filter_end(ctx->call, ngx_http_llm_out, ctx) != TG_OK) {
                return NGX_ERROR;
            }
        }

        if ((ctx->ended || !ctx->gathers)
            && ngx_http_llm_out_flags(ctx, b) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (!ngx_http_llm_broken_off(ctx)) {
        return NGX_OK;
    }

    ctx->ended = 1;

    return ngx_http_llm_out_cut(ctx);
}


/* A slow client must slow the upstream: while bytes of ours wait, one buffer of
 * the upstream's looks unsent. */
static void
ngx_http_llm_alter_hold(ngx_http_llm_ctx_t *ctx, ngx_buf_t *last, u_char *pos)
{
    if (ctx->busy == NULL) {
        if (ctx->held != NULL) {
            ctx->held->pos = ctx->held->last;
            ctx->held = NULL;
        }

    } else if (ctx->held == NULL && last != NULL) {
        ctx->held = last;
        last->pos = pos;
    }
}


static ngx_int_t
ngx_http_llm_alter(ngx_http_llm_ctx_t *ctx, ngx_chain_t *in)
{
    u_char     *pos = NULL;
    ngx_int_t   rc;
    ngx_buf_t  *last = NULL;

    if (ngx_http_llm_alter_chain(ctx, in, &last, &pos) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->gathers && !ctx->client_gone) {
        if (!ctx->ended) {
            return NGX_OK;
        }

        rc = ngx_http_llm_head_at_last(ctx);
        if (rc == NGX_ERROR || rc > NGX_OK || ctx->request->header_only) {
            return rc;
        }
    }

    if (ctx->client_gone) {
        ngx_http_llm_consume(ctx->out, NULL);
        rc = NGX_OK;

    } else if (ctx->out == NULL && ctx->busy == NULL && in != NULL) {
        return NGX_OK;

    } else {
        rc = ngx_http_next_body_filter(ctx->request, ctx->out);
    }

    ngx_chain_update_chains(ctx->request->pool, &ctx->free, &ctx->busy,
                            &ctx->out,
                            (ngx_buf_tag_t) &ngx_http_llm_module);
    ctx->last_out = &ctx->out;
    ngx_http_llm_alter_hold(ctx, last, pos);

    return rc;
}


/*
 * nginx has given up the upstream, has no more of its answer, and flushes: so
 * the call has ended, though the request may linger until its client has left.
 */
static ngx_uint_t
ngx_http_llm_cut(ngx_http_llm_ctx_t *ctx, ngx_chain_t *in)
{
    if (!ctx->fed || ctx->complete || ctx->request->upstream->cleanup != NULL) {
        return 0;
    }

    for ( ; in != NULL; in = in->next) {
        if (in->buf->flush && ngx_buf_size(in->buf) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_llm_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_uint_t           last = 0;
    ngx_chain_t         *cl;
    ngx_http_llm_ctx_t  *ctx = ngx_http_llm_get_ctx(r);

    if (ctx == NULL || ctx->request != r || !ctx->answered) {
        return ngx_http_next_body_filter(r, in);
    }

    if (ctx->refused) {
        ctx->complete = 1;
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl != NULL; cl = cl->next) {
        b = cl->buf;

        if (ctx->last_out == NULL && ngx_buf_in_memory(b)) {
            ngx_http_llm_feed(ctx, b->pos, (size_t) (b->last - b->pos));
        }

        b->flush |= ctx->prompt && ngx_buf_in_memory(b);
        last |= b->last_buf || (b->last_in_chain && r != r->main);
    }

    if (ctx->last_out != NULL) {
        rc = ngx_http_llm_alter(ctx, in);

    } else {
        rc = ctx->client_gone ? NGX_OK : ngx_http_next_body_filter(r, in);
    }

    if (rc == NGX_ERROR && ngx_http_llm_client_gone(ctx) == NGX_OK) {
        rc = NGX_OK;
    }

    if (ctx->client_gone) {
        ngx_http_llm_consume(in, NULL);
    }

    if (last) {
        ctx->complete = 1;

        if (r != r->main) {
            ngx_http_llm_close(ctx, TG_END_COMPLETE);
        }

    } else if (ngx_http_llm_cut(ctx, in)) {
        ngx_http_llm_close(ctx, ngx_http_llm_end(ctx));
    }

    return rc;
}


ngx_int_t
ngx_http_llm_response_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_llm_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_llm_body_filter;

    return NGX_OK;
}
