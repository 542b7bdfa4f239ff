#include "ngx_http_llm.h"

/*
 * The body as it goes upstream, where it is not as it came.
 */


/* `skip` bytes of the span are in the buffer before. */
static void
ngx_http_llm_span_piece(u_char *p, size_t n, const tg_edit_span_t *span,
    off_t skip)
{
    size_t  text = 0;

    if (skip < (off_t) span->text.len) {
        text = ngx_min(n, span->text.len - (size_t) skip);
        ngx_memcpy(p, span->text.p + skip, text);
    }

    ngx_memset(p + text, ' ', n - text);
}


static ngx_int_t
ngx_http_llm_span_file(ngx_buf_t *b, off_t start, off_t end,
    const tg_edit_span_t *span, off_t skip)
{
    off_t   n;
    u_char  piece[256];

    for ( ; start < end; start += n, skip += n) {
        n = ngx_min(end - start, (off_t) sizeof(piece));
        ngx_http_llm_span_piece(piece, (size_t) n, span, skip);

        if (ngx_write_file(b->file, piece, (size_t) n, b->file_pos + start)
            == NGX_ERROR)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* What of the edit lies in a buffer that begins at `at` of the body. */
static ngx_int_t
ngx_http_llm_edit_spans(ngx_buf_t *b, off_t at, const tg_edit_t *edit)
{
    off_t                  from, to, size = ngx_buf_size(b);
    ngx_uint_t             i;
    const tg_edit_span_t  *span;

    for (i = 0; i < edit->nspans; i++) {
        span = &edit->spans[i];
        from = ngx_max((off_t) span->start, at);
        to = ngx_min((off_t) span->end, at + size);

        if (from >= to) {
            continue;
        }

        if (!b->in_file) {
            ngx_http_llm_span_piece(b->pos + (from - at), (size_t) (to - from),
                                    span, from - (off_t) span->start);

        } else if (ngx_http_llm_span_file(b, from - at, to - at, span,
                                          from - (off_t) span->start)
                   != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * In a file the body stays one run of bytes from 0, and in memory each buffer
 * keeps start == pos: a retry at the next upstream starts from there
 * (ngx_http_upstream_reinit()).
 */
static ngx_int_t
ngx_http_llm_edit_bufs(ngx_http_request_t *r, const tg_edit_t *edit)
{
    off_t         at = 0, size;
    ngx_buf_t    *b, *tail;
    ngx_chain_t  *cl, **last;

    last = &r->request_body->bufs;

    for (cl = r->request_body->bufs; cl != NULL; cl = cl->next) {
        b = cl->buf;
        size = ngx_buf_size(b);

        if (ngx_http_llm_edit_spans(b, at, edit) != NGX_OK) {
            return NGX_ERROR;
        }

        last = &cl->next;

        if ((off_t) edit->tail_at <= at + size) {
            if (b->in_file) {
                b->file_last = b->file_pos + ((off_t) edit->tail_at - at);
            } else {
                b->last = b->pos + ((off_t) edit->tail_at - at);
            }
            b->last_buf = 0;
            break;
        }

        at += size;
    }

    tail = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);
    if (tail == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    tail->start = (u_char *) edit->tail.p;
    tail->pos = tail->start;
    tail->last = tail->start + edit->tail.len;
    tail->end = tail->last;
    tail->memory = 1;
    tail->last_buf = 1;

    cl->buf = tail;
    cl->next = NULL;
    *last = cl;

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_edit_length(ngx_http_request_t *r, off_t length)
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


ngx_int_t
ngx_http_llm_edit(ngx_http_request_t *r, const tg_edit_t *edit)
{
    if (ngx_http_llm_edit_bufs(r, edit) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_llm_edit_length(r, (off_t) (edit->tail_at
                                                + edit->tail.len));
}
