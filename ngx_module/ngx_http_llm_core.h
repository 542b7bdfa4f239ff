/*
 * What both modules give the core of nginx: strings, memory, names of files.
 */

#ifndef NGX_HTTP_LLM_CORE_H
#define NGX_HTTP_LLM_CORE_H

#include "ngx_http_llm_compat.h"

#include "tg_str.h"

/* For a tg_mem_t; of an ngx_pool_t. */
void *ngx_http_llm_palloc(void *pool, size_t size);

/* The absolute name, with a NUL behind it, of the cycle's pool; data is the
 * ngx_cycle_t.  Empty: no memory. */
tg_str_t ngx_http_llm_full_name(void *data, tg_str_t name);

static ngx_inline tg_str_t
ngx_http_llm_str(const ngx_str_t *s)
{
    return tg_str_of((char *) s->data, s->len);
}

#endif /* NGX_HTTP_LLM_CORE_H */
