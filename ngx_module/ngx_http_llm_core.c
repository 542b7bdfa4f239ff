#include "ngx_http_llm_core.h"


void *
ngx_http_llm_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


tg_str_t
ngx_http_llm_full_name(void *data, tg_str_t name)
{
    ngx_str_t     file;
    ngx_cycle_t  *cycle = data;

    file.len = name.len;
    file.data = ngx_pnalloc(cycle->pool, name.len + 1);

    if (file.data == NULL) {
        return tg_str_null;
    }

    *ngx_cpymem(file.data, name.p, name.len) = '\0';

    return ngx_conf_full_name(cycle, &file, 1) == NGX_OK
           ? ngx_http_llm_str(&file) : tg_str_null;
}
