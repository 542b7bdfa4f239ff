#include "ngx_http_llm_upstream.h"
#include "ngx_http_llm_page.h"


static int
ngx_http_llm_status_page(ngx_http_request_t *r, tg_status_format_t format,
    ngx_http_llm_page_t *page)
{
    ngx_time_t                         *tp = ngx_timeofday();
    ngx_http_llm_upstream_main_conf_t  *lumcf;

    lumcf = ngx_http_get_module_main_conf(r, ngx_http_llm_upstream_module);

    ngx_http_llm_page_init(page, r);

    return tg_backend_status(lumcf->map->table, lumcf->confs,
                             (unsigned) lumcf->groups.nelts, format,
                             tg_backend_now(),
                             (int64_t) tp->sec * 1000 + (int64_t) tp->msec,
                             ngx_http_llm_page_out, page);
}


static ngx_int_t
ngx_http_llm_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_http_llm_page_t                page;
    ngx_http_llm_upstream_loc_conf_t  *lulcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    lulcf = ngx_http_get_module_loc_conf(r, ngx_http_llm_upstream_module);

    if (ngx_http_llm_status_page(r, lulcf->format, &page) != TG_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;

    return ngx_http_llm_page_send(&page,
                                  tg_status_content_type(lulcf->format));
}


int
ngx_http_llm_upstream_status(ngx_conf_t *cf,
    ngx_http_llm_upstream_loc_conf_t *lulcf, const tg_str_t *args,
    unsigned nargs, tg_error_t *err)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_llm_status_handler;
    lulcf->status = 1;

    return tg_status_format(args, nargs, false, &lulcf->format, err);
}
