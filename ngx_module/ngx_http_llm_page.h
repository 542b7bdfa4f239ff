/*
 * A page that the core writes piece by piece, in either module: its pieces are of
 * the request's pool.
 */

#ifndef NGX_HTTP_LLM_PAGE_H
#define NGX_HTTP_LLM_PAGE_H

#include "ngx_http_llm_core.h"

typedef struct {
    ngx_http_request_t         *request;
    ngx_chain_t                *out;
    ngx_chain_t               **last;
    off_t                       len;
} ngx_http_llm_page_t;

void ngx_http_llm_page_init(ngx_http_llm_page_t *page, ngx_http_request_t *r);

/* A tg_out_t; data is the page. */
int ngx_http_llm_page_out(void *data, const char *p, size_t n);

/* With a head whose status and other headers are said. */
ngx_int_t ngx_http_llm_page_send(ngx_http_llm_page_t *page, tg_str_t type);

#endif /* NGX_HTTP_LLM_PAGE_H */
