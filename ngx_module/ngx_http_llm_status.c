#include "ngx_http_llm.h"

#include "tg_status_page.h"

/*
 * llm_status: a page that the core writes piece by piece.
 */

typedef struct {
    ngx_http_request_t  *request;
    ngx_chain_t         *out;
    ngx_chain_t        **last;
    off_t                len;
} ngx_http_llm_page_t;


static int
ngx_http_llm_status_out(void *data, const char *p, size_t n)
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
ngx_http_llm_status(ngx_http_request_t *r)
{
    tg_now_t                   now;
    tg_str_t                   type;
    ngx_int_t                  rc;
    ngx_buf_t                 *b;
    ngx_chain_t                end;
    tg_status_facts_t          facts;
    tg_status_format_t         format;
    ngx_http_llm_page_t        page;
    ngx_http_llm_shared_t     *shared;
    ngx_http_llm_loc_conf_t   *llcf;
    ngx_http_llm_main_conf_t  *lmcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_llm_module);
    lmcf = ngx_http_get_module_main_conf(r, ngx_http_llm_module);

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (lmcf->shm_zone == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    page.request = r;
    page.out = NULL;
    page.last = &page.out;
    page.len = 0;

    ngx_http_llm_now(&now);
    shared = lmcf->shm_zone->data;
    format = (tg_status_format_t) llcf->scope.status;

    ngx_memzero(&facts, sizeof(facts));
    facts.conf = lmcf->conf;
    facts.tally = &shared->tally;
    facts.breakers = &shared->breakers;
    facts.wall_ms = now.wall_ms;
    facts.mono_ms = now.mono_ns / 1000000;

    if (tg_status_page(&facts, format, ngx_http_llm_status_out, &page)
        != TG_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    type = tg_status_content_type(format);
    r->headers_out.content_type.data = (u_char *) type.p;
    r->headers_out.content_type.len = type.len;
    r->headers_out.content_type_len = type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = page.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);

    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;
    b->sync = 1;
    end.buf = b;
    end.next = NULL;
    *page.last = &end;

    return ngx_http_output_filter(r, page.out);
}
