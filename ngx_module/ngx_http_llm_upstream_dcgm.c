#include "ngx_http_llm_upstream.h"

#include "tg_dcgm.h"

/* The pages of llm_dcgm, for the process that checks. */

struct ngx_http_llm_dcgm_s {
    const tg_dcgm_conf_t               *conf;
    ngx_addr_t                          addr;
    tg_str_t                            authority;
    tg_str_t                            path;
    ngx_ssl_t                          *ssl;
    ngx_str_t                           ssl_name;

    ngx_http_llm_group_t               *group;
    ngx_http_llm_upstream_main_conf_t  *lumcf;
    ngx_event_t                         timer;
    ngx_http_llm_probe_t                probe;
    tg_dcgm_read_t                     *reading;
    unsigned                            running:1;
};


static ngx_http_llm_dcgm_t *
ngx_http_llm_dcgm_parse(ngx_conf_t *cf, ngx_http_llm_group_t *g,
    const tg_dcgm_conf_t *dc)
{
    ngx_url_t             u;
    ngx_uint_t            tls;
    ngx_http_llm_dcgm_t  *d;

    d = ngx_pcalloc(cf->pool, sizeof(ngx_http_llm_dcgm_t));
    if (d == NULL) {
        return NULL;
    }

    tls = ngx_strncmp(dc->url.p, "https://", 8) == 0;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url.data = (u_char *) dc->url.p + (tls ? 8 : 7);
    u.url.len = dc->url.len - (tls ? 8 : 7);
    u.default_port = tls ? 443 : 80;
    u.uri_part = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "llm_dcgm: %s in \"%*s\"",
                      u.err != NULL ? u.err : "no address", dc->url.len,
                      dc->url.p);
        return NULL;
    }

    d->conf = dc;
    d->group = g;
    d->addr = u.addrs[0];
    d->authority = tg_str_of((char *) u.url.data, u.url.len - u.uri.len);
    d->path = u.uri.len != 0 ? ngx_http_llm_str(&u.uri)
                             : tg_str("/metrics");

    if (tls) {
        d->ssl = ngx_http_llm_probe_ssl(cf);
        d->ssl_name.data = ngx_pnalloc(cf->pool, u.host.len + 1);

        if (d->ssl == NULL || d->ssl_name.data == NULL) {
            return NULL;
        }

        (void) ngx_cpystrn(d->ssl_name.data, u.host.data, u.host.len + 1);
        d->ssl_name.len = u.host.len;
    }

    return d;
}


ngx_int_t
ngx_http_llm_dcgm_finish(ngx_conf_t *cf, ngx_http_llm_group_t *g)
{
    ngx_uint_t  i;

    g->dcgm = ngx_pcalloc(cf->pool, (g->gc.ndcgm + 1) * sizeof(void *));
    if (g->dcgm == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < g->gc.ndcgm; i++) {
        g->dcgm[i] = ngx_http_llm_dcgm_parse(cf, g, g->gc.dcgm[i]);

        if (g->dcgm[i] == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static int
ngx_http_llm_dcgm_body(void *data, const char *p, size_t n)
{
    ngx_http_llm_dcgm_t  *d = data;

    return tg_dcgm_feed(d->reading, p, n) == TG_OK ? 0 : -1;
}


static void
ngx_http_llm_dcgm_done(ngx_http_llm_probe_t *p, ngx_http_llm_probed_t how,
    const char *why)
{
    int64_t                  now = tg_backend_now();
    tg_error_t               err;
    ngx_uint_t               i;
    tg_gpu_facts_t           facts;
    ngx_http_llm_dcgm_t     *d = p->data;
    ngx_http_llm_backend_t  *b;

    if (how == NGX_HTTP_LLM_ANSWERED && p->status == NGX_HTTP_OK
        && tg_dcgm_end(d->reading, &facts, &err) == TG_OK)
    {
        for (i = 0; i < d->group->nbackends; i++) {
            b = d->group->backends[i];

            if (b->backend != NULL
                && (tg_group_conf_dcgm_of(d->conf,
                                       ngx_http_llm_str(&b->server))
                    || tg_group_conf_dcgm_of(d->conf,
                                       ngx_http_llm_str(&b->name))))
            {
                tg_backend_gpu(d->lumcf->map->table, b->backend, &facts, now);
            }
        }
    }

    ngx_free(d->reading);
    d->reading = NULL;
}


static void
ngx_http_llm_dcgm_timer(ngx_event_t *ev)
{
    ngx_http_llm_dcgm_t  *d = ev->data;

    ngx_add_timer(ev, d->conf->interval);

    if (d->reading != NULL) {
        return;
    }

    d->reading = ngx_alloc(sizeof(tg_dcgm_read_t), ev->log);
    if (d->reading == NULL) {
        return;
    }

    tg_dcgm_begin(d->reading, d->conf);
    ngx_http_llm_probe_start(&d->probe);

    if (d->probe.reader == NULL && d->reading != NULL) {
        ngx_free(d->reading);
        d->reading = NULL;
    }
}


void
ngx_http_llm_dcgm_begin(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_http_llm_group_t *g)
{
    ngx_uint_t             i;
    ngx_http_llm_dcgm_t   *d;
    ngx_http_llm_probe_t  *p;

    for (i = 0; i < g->gc.ndcgm; i++) {
        d = g->dcgm[i];
        p = &d->probe;

        if (d->running) {
            continue;
        }

        d->lumcf = lumcf;
        d->running = 1;

        p->name = d->addr.name;
        p->sockaddr = d->addr.sockaddr;
        p->socklen = d->addr.socklen;
        p->ssl = d->ssl;
        p->ssl_name = d->ssl_name;
        p->connect = g->gc.check.connect;
        p->timeout = g->gc.check.timeout;
        p->log = &lumcf->log;
        p->body = ngx_http_llm_dcgm_body;
        p->done = ngx_http_llm_dcgm_done;
        p->data = d;

        if (ngx_http_llm_probe_request(p, d->authority, d->path, "text/plain")
            != NGX_OK)
        {
            continue;
        }

        d->timer.handler = ngx_http_llm_dcgm_timer;
        d->timer.data = d;
        d->timer.log = p->log;
        d->timer.cancelable = 1;

        ngx_add_timer(&d->timer, (ngx_msec_t) ngx_random() % 1000);
    }
}


void
ngx_http_llm_dcgm_end(ngx_http_llm_group_t *g)
{
    ngx_uint_t            i;
    ngx_http_llm_dcgm_t  *d;

    for (i = 0; i < g->gc.ndcgm; i++) {
        d = g->dcgm[i];

        if (d->timer.timer_set) {
            ngx_del_timer(&d->timer);
        }

        ngx_http_llm_probe_free(&d->probe);
        ngx_free(d->reading);

        d->reading = NULL;
        d->running = 0;
    }
}
