#include "ngx_http_llm_page.h"


void
ngx_http_llm_page_init(ngx_http_llm_page_t *page, ngx_http_request_t *r)
{
    page->request = r;
    page->out = NULL;
    page->last = &page->out;
    page->len = 0;
}


int
ngx_http_llm_page_out(void *data, const char *p, size_t n)
{
    ngx_buf_t            *b;
    ngx_chain_t          *cl;
    ngx_http_llm_page_t  *page = data;

    b = ngx_create_temp_buf(page->request->pool, n);
    cl = ngx_alloc_chain_link(page->request->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->pos, p, n);
    cl->buf = b;
    cl->next = NULL;
    *page->last = cl;
    page->last = &cl->next;
    page->len += (off_t) n;

    return NGX_OK;
}


ngx_int_t
ngx_http_llm_page_send(ngx_http_llm_page_t *page, tg_str_t type)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t         *end;
    ngx_http_request_t  *r = page->request;

    r->headers_out.content_type.data = (u_char *) type.p;
    r->headers_out.content_type.len = type.len;
    r->headers_out.content_type_len = type.len;
    r->headers_out.content_length_n = page->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    end = ngx_alloc_chain_link(r->pool);

    if (b == NULL || end == NULL) {
        return NGX_ERROR;
    }

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;
    b->sync = 1;
    end->buf = b;
    end->next = NULL;
    *page->last = end;

    return ngx_http_output_filter(r, page->out);
}
