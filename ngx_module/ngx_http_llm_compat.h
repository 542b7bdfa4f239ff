/*
 * Differences of nginx versions, all in one place.
 */

#ifndef NGX_HTTP_LLM_COMPAT_H
#define NGX_HTTP_LLM_COMPAT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

/* Since 1.23.0 headers of one name are linked. */
#if (nginx_version >= 1023000)
#define ngx_http_llm_header_init(h)  (h)->next = NULL
#else
#define ngx_http_llm_header_init(h)
#endif

/* No header of nginx declares them.  The proxy's location configuration begins
 * with an ngx_http_upstream_conf_t; the copy filter's context of a request is an
 * ngx_output_chain_ctx_t. */
extern ngx_module_t  ngx_http_proxy_module;
extern ngx_module_t  ngx_http_copy_filter_module;

#endif /* NGX_HTTP_LLM_COMPAT_H */
