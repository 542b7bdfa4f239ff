#include "mod_llm_upstream.h"


static int
llm_up_status_out(void *data, const char *p, size_t n)
{
    request_rec  *r = data;

    return ap_rwrite(p, (int) n, r) < 0 ? -1 : 0;
}


int
llm_up_status_handler(request_rec *r)
{
    tg_str_t              type;
    const llm_up_dir_t   *dir;
    const llm_up_main_t  *m = llm_up_main;

    dir = ap_get_module_config(r->per_dir_config, &llm_upstream_module);

    if (!dir->status) {
        return DECLINED;
    }

    r->allowed = AP_METHOD_BIT << M_GET;

    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }

    if (m->map == NULL) {
        return HTTP_NOT_FOUND;
    }

    type = tg_status_content_type(dir->format);
    ap_set_content_type(r, apr_pstrmemdup(r->pool, type.p, type.len));
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");

    if (r->header_only) {
        return OK;
    }

    (void) tg_backend_status(m->map->table, m->confs,
                             (unsigned) m->all->nelts, dir->format,
                             tg_backend_now(),
                             apr_time_as_msec(apr_time_now()),
                             llm_up_status_out, r);

    return OK;
}
