#include "ngx_http_llm_upstream.h"

#define NGX_HTTP_LLM_STATUS_BUF  16384

/* An answer that grows. */
typedef struct {
    ngx_pool_t     *pool;
    ngx_chain_t    *out;
    ngx_chain_t   **last;
    ngx_buf_t      *buf;
    off_t           size;
} ngx_http_llm_status_t;


static int
ngx_http_llm_status_out(void *data, const char *p, size_t n)
{
    size_t                  part;
    ngx_chain_t            *cl;
    ngx_http_llm_status_t  *st = data;

    while (n != 0) {

        if (st->buf == NULL || st->buf->last == st->buf->end) {
            cl = ngx_alloc_chain_link(st->pool);
            st->buf = ngx_create_temp_buf(st->pool, NGX_HTTP_LLM_STATUS_BUF);

            if (cl == NULL || st->buf == NULL) {
                return -1;
            }

            cl->buf = st->buf;
            cl->next = NULL;
            *st->last = cl;
            st->last = &cl->next;
        }

        part = ngx_min(n, (size_t) (st->buf->end - st->buf->last));
        st->buf->last = ngx_cpymem(st->buf->last, p, part);

        p += part;
        n -= part;
        st->size += (off_t) part;
    }

    return 0;
}


static ngx_int_t
ngx_http_llm_status_body(ngx_http_request_t *r, ngx_http_llm_status_t *st)
{
    ngx_time_t                         *tp = ngx_timeofday();
    ngx_http_llm_upstream_loc_conf_t   *lulcf;
    ngx_http_llm_upstream_main_conf_t  *lumcf;

    lumcf = ngx_http_get_module_main_conf(r, ngx_http_llm_upstream_module);
    lulcf = ngx_http_get_module_loc_conf(r, ngx_http_llm_upstream_module);

    ngx_memzero(st, sizeof(ngx_http_llm_status_t));
    st->pool = r->pool;
    st->last = &st->out;

    if (tg_backend_status(lumcf->map->table, lumcf->confs,
                          (unsigned) lumcf->groups.nelts, lulcf->format,
                          tg_backend_now(),
                          (int64_t) tp->sec * 1000 + (int64_t) tp->msec,
                          ngx_http_llm_status_out, st)
        != TG_OK)
    {
        return NGX_ERROR;
    }

    if (st->buf != NULL) {
        st->buf->last_buf = r == r->main;
        st->buf->last_in_chain = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_llm_status_handler(ngx_http_request_t *r)
{
    tg_str_t                           type;
    ngx_int_t                          rc;
    ngx_http_llm_status_t              st;
    ngx_http_llm_upstream_loc_conf_t  *lulcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_llm_status_body(r, &st) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    lulcf = ngx_http_get_module_loc_conf(r, ngx_http_llm_upstream_module);
    type = tg_status_content_type(lulcf->format);

    r->headers_out.content_type.data = (u_char *) type.p;
    r->headers_out.content_type.len = type.len;
    r->headers_out.content_type_len = type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = st.size;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only || st.out == NULL) {
        return rc;
    }

    return ngx_http_output_filter(r, st.out);
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
