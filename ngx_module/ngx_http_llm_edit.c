#include "ngx_http_llm.h"

/*
 * The body as it goes upstream, where it is not as it came.  What came stays as
 * it is, for the next target of a route may want something else of it: in memory
 * it is cut around what changes; what is overwritten in a file is kept to be put
 * back.
 *
 * In a file the body stays one run of bytes from 0, and in memory each buffer
 * keeps start == pos: a retry at the next upstream starts from there
 * (ngx_http_upstream_reinit()).
 */

typedef struct {
    off_t                 pos;              /* in the file */
    size_t                len;
    u_char               *was;
} ngx_http_llm_overwritten_t;

struct ngx_http_llm_body_s {
    ngx_chain_t          *came;             /* NULL: nothing did */
    ngx_file_t           *file;
    ngx_array_t           overwritten;      /* of the file */
    tg_str_t              whole;            /* in one piece */
    off_t                 length;
};

/* A body that is being put together. */
typedef struct {
    ngx_pool_t           *pool;
    ngx_http_llm_body_t  *body;
    ngx_chain_t         **last;
    ngx_buf_t            *tail;
    off_t                 length;
} ngx_http_llm_splice_t;


static ngx_http_llm_body_t *
ngx_http_llm_body(ngx_http_llm_ctx_t *ctx)
{
    ngx_chain_t          *cl;
    ngx_http_request_t   *r = ctx->request;
    ngx_http_llm_body_t  *body = ctx->body;

    if (body != NULL) {
        return body;
    }

    body = ngx_pcalloc(r->pool, sizeof(ngx_http_llm_body_t));
    if (body == NULL
        || ngx_array_init(&body->overwritten, r->pool, 4,
                          sizeof(ngx_http_llm_overwritten_t))
           != NGX_OK)
    {
        return NULL;
    }

    body->came = r->request_body != NULL ? r->request_body->bufs : NULL;

    for (cl = body->came; cl != NULL; cl = cl->next) {
        body->length += ngx_buf_size(cl->buf);

        if (!ngx_buf_in_memory(cl->buf) && cl->buf->in_file) {
            body->file = cl->buf->file;
        }
    }

    ctx->body = body;

    return body;
}


/* The file has again what came. */
static ngx_int_t
ngx_http_llm_body_restore(ngx_http_llm_body_t *body)
{
    ngx_http_llm_overwritten_t  *o;

    while (body->overwritten.nelts != 0) {
        body->overwritten.nelts--;
        o = (ngx_http_llm_overwritten_t *) body->overwritten.elts
            + body->overwritten.nelts;

        if (ngx_write_file(body->file, o->was, o->len, o->pos) == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* What came, where the file has something else by now. */
static void
ngx_http_llm_body_uncover(ngx_http_llm_body_t *body, ngx_buf_t *b, u_char *p)
{
    off_t                        from, to;
    ngx_uint_t                   i;
    ngx_http_llm_overwritten_t  *o = body->overwritten.elts;

    for (i = body->overwritten.nelts; i-- > 0; /* void */ ) {
        from = ngx_max(o[i].pos, b->file_pos);
        to = ngx_min(o[i].pos + (off_t) o[i].len, b->file_last);

        if (from < to) {
            ngx_memcpy(p + (from - b->file_pos), o[i].was + (from - o[i].pos),
                       (size_t) (to - from));
        }
    }
}


static ngx_int_t
ngx_http_llm_body_read(ngx_http_llm_body_t *body, ngx_buf_t *b, u_char *p)
{
    off_t    pos;
    u_char  *start = p;
    ssize_t  n;

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(p, b->pos, (size_t) (b->last - b->pos));
        return NGX_OK;
    }

    for (pos = b->file_pos; b->in_file && pos < b->file_last; pos += n) {
        n = ngx_read_file(b->file, p, (size_t) (b->file_last - pos), pos);
        if (n <= 0) {
            return NGX_ERROR;
        }
        p += n;
    }

    ngx_http_llm_body_uncover(body, b, start);

    return NGX_OK;
}


/* tg_host_t.body(): what goes upstream now stays as it is. */
int
ngx_http_llm_whole_body(void *req, tg_str_t *whole)
{
    u_char               *p;
    ngx_chain_t          *cl;
    ngx_http_llm_ctx_t   *ctx = req;
    ngx_http_llm_body_t  *body;

    body = ngx_http_llm_body(ctx);
    if (body == NULL) {
        return TG_ERROR;
    }

    cl = body->came;

    if (body->whole.p != NULL || cl == NULL) {
        *whole = body->whole;
        return TG_OK;
    }

    if (cl->next == NULL && ngx_buf_in_memory(cl->buf)) {
        body->whole = tg_str_of((char *) cl->buf->pos, (size_t) body->length);
        *whole = body->whole;
        return TG_OK;
    }

    p = ngx_palloc(ctx->request->pool, (size_t) body->length);
    if (p == NULL) {
        return TG_ERROR;
    }

    *whole = tg_str_of((char *) p, (size_t) body->length);

    for ( ; cl != NULL; cl = cl->next) {
        if (ngx_http_llm_body_read(body, cl->buf, p) != NGX_OK) {
            return TG_ERROR;
        }
        p += ngx_buf_size(cl->buf);
    }

    body->whole = *whole;

    return TG_OK;
}


static ngx_buf_t *
ngx_http_llm_splice_buf(ngx_http_llm_splice_t *to)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(to->pool);
    cl = ngx_alloc_chain_link(to->pool);
    if (b == NULL || cl == NULL) {
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;
    *to->last = cl;
    to->last = &cl->next;
    to->tail = b;

    return b;
}


static ngx_int_t
ngx_http_llm_splice_memory(ngx_http_llm_splice_t *to, u_char *p, size_t n)
{
    ngx_buf_t  *b;

    if (n == 0) {
        return NGX_OK;
    }

    b = ngx_http_llm_splice_buf(to);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->start = p;
    b->pos = p;
    b->last = p + n;
    b->end = b->last;
    b->memory = 1;

    to->length += (off_t) n;

    return NGX_OK;
}


/* What stands in the place of [from, to) of the body, which is in the span. */
static u_char *
ngx_http_llm_span_text(ngx_pool_t *pool, const tg_edit_span_t *span, off_t from,
    off_t to)
{
    size_t   n = (size_t) (to - from), skip = (size_t) from - span->start;
    size_t   text = 0;
    u_char  *p;

    p = ngx_pnalloc(pool, n);
    if (p == NULL) {
        return NULL;
    }

    if (skip < span->text.len) {
        text = ngx_min(n, span->text.len - skip);
        ngx_memcpy(p, span->text.p + skip, text);
    }

    ngx_memset(p + text, ' ', n - text);

    return p;
}


static ngx_int_t
ngx_http_llm_overwrite(ngx_http_llm_splice_t *to, u_char *p, size_t n,
    off_t pos)
{
    ssize_t                      got;
    size_t                       have;
    ngx_file_t                  *file = to->body->file;
    ngx_http_llm_overwritten_t  *o;

    o = ngx_array_push(&to->body->overwritten);
    if (o == NULL) {
        return NGX_ERROR;
    }

    o->pos = pos;
    o->len = 0;
    o->was = ngx_pnalloc(to->pool, n);
    if (o->was == NULL) {
        return NGX_ERROR;
    }

    for (have = 0; have < n; have += (size_t) got) {
        got = ngx_read_file(file, o->was + have, n - have, pos + (off_t) have);
        if (got <= 0) {
            return NGX_ERROR;
        }
    }

    o->len = n;

    return ngx_write_file(file, p, n, pos) == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


/* A piece of the body that begins at `at` of it, as far as `end`. */
static ngx_int_t
ngx_http_llm_splice(ngx_http_llm_splice_t *to, ngx_buf_t *came, off_t at,
    off_t end, const tg_edit_t *edit)
{
    off_t                  from, until, done = at;
    u_char                *text;
    unsigned               i;
    ngx_buf_t             *b;
    ngx_uint_t             memory = ngx_buf_in_memory(came) ? 1 : 0;
    const tg_edit_span_t  *span;

    for (i = 0; edit != NULL && i < edit->nspans; i++) {
        span = &edit->spans[i];
        from = ngx_max((off_t) span->start, at);
        until = ngx_min((off_t) span->end, end);

        if (from >= until) {
            continue;
        }

        text = ngx_http_llm_span_text(to->pool, span, from, until);

        if (text == NULL
            || (memory
                ? (ngx_http_llm_splice_memory(to, came->pos + (done - at),
                                              (size_t) (from - done))
                   != NGX_OK
                   || ngx_http_llm_splice_memory(to, text,
                                                 (size_t) (until - from))
                      != NGX_OK)
                : ngx_http_llm_overwrite(to, text, (size_t) (until - from),
                                         came->file_pos + (from - at))
                  != NGX_OK))
        {
            return NGX_ERROR;
        }

        done = until;
    }

    if (memory) {
        return ngx_http_llm_splice_memory(to, came->pos + (done - at),
                                          (size_t) (end - done));
    }

    b = ngx_http_llm_splice_buf(to);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->in_file = 1;
    b->file = came->file;
    b->file_pos = came->file_pos;
    b->file_last = came->file_pos + (end - at);

    to->length += end - at;

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_edited(ngx_http_llm_splice_t *to, const tg_edit_t *edit)
{
    off_t         at, size, end;
    ngx_chain_t  *cl;

    end = edit != NULL ? (off_t) edit->tail_at : to->body->length;

    for (at = 0, cl = to->body->came; cl != NULL && at < end; cl = cl->next) {
        size = ngx_buf_size(cl->buf);

        if (ngx_http_llm_splice(to, cl->buf, at, ngx_min(at + size, end), edit)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        at += size;
    }

    return edit == NULL ? NGX_OK
           : ngx_http_llm_splice_memory(to, (u_char *) edit->tail.p,
                                        edit->tail.len);
}


static ngx_int_t
ngx_http_llm_body_length(ngx_http_request_t *r, off_t length)
{
    u_char           *p;
    ngx_table_elt_t  *h = r->headers_in.content_length;

    r->headers_in.content_length_n = length;

    if (h != NULL) {
        p = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        h->value.len = (size_t) (ngx_sprintf(p, "%O", length) - p);
        h->value.data = p;
    }

    return NGX_OK;
}


/*
 * *out: the body as it is to go upstream now; the request's headers tell its
 * length then.  At first it may be what came, without a copy.
 */
ngx_int_t
ngx_http_llm_body_out(ngx_http_llm_ctx_t *ctx, ngx_chain_t **out)
{
    ngx_int_t              rc;
    const tg_hop_t        *hop = tg_call_hop(ctx->call);
    const tg_edit_t       *edit;
    ngx_http_request_t    *r = ctx->request;
    ngx_http_llm_body_t   *body;
    ngx_http_llm_splice_t  to;

    *out = r->request_body != NULL ? r->request_body->bufs : NULL;
    edit = hop != NULL ? hop->edit : tg_call_edit(ctx->call);

    if (ctx->body == NULL && edit == NULL && (hop == NULL || !hop->whole)) {
        return NGX_OK;
    }

    body = ngx_http_llm_body(ctx);

    if (body == NULL || ngx_http_llm_body_restore(body) != NGX_OK) {
        return NGX_ERROR;
    }

    to.pool = r->pool;
    to.body = body;
    to.length = 0;
    to.last = out;
    to.tail = NULL;
    *out = NULL;

    rc = hop != NULL && hop->whole
         ? ngx_http_llm_splice_memory(&to, (u_char *) hop->body.p,
                                      hop->body.len)
         : ngx_http_llm_edited(&to, edit);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (to.tail != NULL) {
        to.tail->last_buf = 1;
    }

    return ngx_http_llm_body_length(r, to.length);
}
