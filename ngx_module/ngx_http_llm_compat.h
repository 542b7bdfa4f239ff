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

/* Which of the servers that are resolved there are: it changes with them. */
#if (nginx_version >= 1027003 && NGX_HTTP_UPSTREAM_ZONE)
#define ngx_http_llm_peers_config(peers)                                      \
    ((peers)->config ? *(peers)->config : 0)
#else
#define ngx_http_llm_peers_config(peers)  0
#endif

/* Until 1.29.6 the directive "keepalive" wraps the method that was said before
 * it; its configuration begins with the number of connections.  Since then it
 * is around all of them once the configuration has been read. */
static ngx_inline ngx_uint_t
ngx_http_llm_keepalive_said(ngx_cycle_t *cycle,
    ngx_http_upstream_srv_conf_t *us)
{
#if (nginx_version < 1029007)
    ngx_uint_t     i;
    ngx_module_t  *m;

    for (i = 0; cycle->modules[i] != NULL; i++) {
        m = cycle->modules[i];

        if (ngx_strcmp(m->name, "ngx_http_upstream_keepalive_module") == 0) {
            return *(ngx_uint_t *) us->srv_conf[m->ctx_index] != 0;
        }
    }
#endif

    return 0;
}

/* The configuration is only read, by -t or to send a signal (-s): nothing is to
 * be made or changed. */
#define ngx_http_llm_only_read()                                              \
    (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER)

/* No header of nginx declares them.  The proxy's location configuration begins
 * with an ngx_http_upstream_conf_t; the copy filter's context of a request is an
 * ngx_output_chain_ctx_t. */
extern ngx_module_t  ngx_http_proxy_module;
extern ngx_module_t  ngx_http_copy_filter_module;

#endif /* NGX_HTTP_LLM_COMPAT_H */
