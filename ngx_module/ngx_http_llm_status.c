#include "ngx_http_llm.h"

#include "tg_status_page.h"


/* The page, in pieces of the request's pool. */
static ngx_int_t
ngx_http_llm_status_page(ngx_http_request_t *r, tg_status_format_t format,
    ngx_http_llm_page_t *page)
{
    int                        rc;
    tg_now_t                   now;
    tg_status_facts_t          facts;
    ngx_http_llm_shared_t     *shared;
    ngx_http_llm_main_conf_t  *lmcf;

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_llm_module);
    shared = lmcf->shm_zone->data;

    ngx_http_llm_page_init(page, r);

    ngx_http_llm_now(&now);
    tg_desk_facts(&lmcf->desk, lmcf->book, &shared->breakers, &now, &facts);
    rc = tg_status_page(&facts, format, ngx_http_llm_page_out, page);
    tg_desk_facts_end(&facts);

    return rc == TG_OK ? NGX_OK : NGX_ERROR;
}


static tg_status_format_t
ngx_http_llm_status_format(ngx_http_request_t *r)
{
    ngx_http_llm_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_llm_module);

    return tg_status_asked((tg_status_format_t) llcf->scope.status,
                           ngx_http_llm_str(&r->args),
                           ngx_http_llm_request_header(r, tg_str("accept")));
}


ngx_int_t
ngx_http_llm_status(ngx_http_request_t *r)
{
    unsigned                   n;
    ngx_int_t                  rc;
    tg_header_t                headers[TG_STATUS_HEADERS_MAX];
    tg_status_format_t         format;
    ngx_http_llm_page_t        page;
    ngx_http_llm_main_conf_t  *lmcf;

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_llm_module);

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (lmcf->desk.tally == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    format = ngx_http_llm_status_format(r);

    if (ngx_http_llm_status_page(r, format, &page) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    n = tg_status_headers(format, headers);

    if (ngx_http_llm_add_headers(r, headers, n) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;

    return ngx_http_llm_page_send(&page, tg_status_content_type(format));
}
