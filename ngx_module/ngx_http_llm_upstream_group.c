#include "ngx_http_llm_upstream.h"


ngx_http_llm_backend_t *
ngx_http_llm_group_backend(ngx_http_llm_group_t *g, const ngx_str_t *name,
    ngx_uint_t guess)
{
    ngx_uint_t  i;
    ngx_str_t  *there;

    for (i = 0; i <= g->nbackends; i++) {

        /* The guess first. */

        if (i == 0 ? guess >= g->nbackends : i - 1 == guess) {
            continue;
        }

        there = &g->backends[i == 0 ? guess : i - 1]->name;

        if (there->len == name->len
            && ngx_memcmp(there->data, name->data, name->len) == 0)
        {
            return g->backends[i == 0 ? guess : i - 1];
        }
    }

    return NULL;
}


static const tg_backend_conf_t *
ngx_http_llm_group_conf(ngx_http_llm_group_t *g,
    ngx_http_upstream_rr_peer_t *peer)
{
    const tg_backend_conf_t  *bc;

    bc = tg_group_conf_backend(&g->gc,
                               ngx_http_llm_str(&peer->server));

    return bc != &g->gc.rest ? bc
           : tg_group_conf_backend(&g->gc,
                                   ngx_http_llm_str(&peer->name));
}


static void
ngx_http_llm_group_drop(ngx_http_llm_backend_t *b)
{
    ngx_http_llm_checks_forget(b);
    ngx_free(b);
}


static ngx_http_llm_backend_t *
ngx_http_llm_group_add(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_http_llm_group_t *g, ngx_http_upstream_rr_peer_t *peer)
{
    size_t                   size;
    ngx_uint_t               room;
    ngx_http_llm_backend_t  *b, **more;

    if (g->nbackends == g->room) {
        room = g->room == 0 ? 16 : g->room * 2;

        if (room > TG_BACKENDS_MAX) {
            return NULL;
        }

        more = ngx_alloc(room * sizeof(void *), ngx_cycle->log);
        if (more == NULL) {
            return NULL;
        }

        if (g->nbackends != 0) {
            ngx_memcpy(more, g->backends, g->nbackends * sizeof(void *));
        }

        ngx_free(g->backends);
        g->backends = more;
        g->room = room;
    }

    size = sizeof(ngx_http_llm_backend_t) + peer->name.len
           + peer->server.len;

    b = ngx_calloc(size, ngx_cycle->log);
    if (b == NULL) {
        return NULL;
    }

    b->group = g;
    b->bc = ngx_http_llm_group_conf(g, peer);

    b->socklen = (socklen_t) ngx_min((size_t) peer->socklen,
                                     sizeof(ngx_sockaddr_t));
    ngx_memcpy(&b->sockaddr, peer->sockaddr, b->socklen);

    b->name.data = (u_char *) (b + 1);
    b->name.len = peer->name.len;
    ngx_memcpy(b->name.data, peer->name.data, peer->name.len);

    b->server.data = b->name.data + b->name.len;
    b->server.len = peer->server.len;

    if (peer->server.len != 0) {
        ngx_memcpy(b->server.data, peer->server.data, peer->server.len);
    }

    if (g->group != NULL) {
        b->backend = tg_backends_backend(lumcf->map->table, g->group,
                                         ngx_http_llm_str(&b->name),
                                         tg_backend_now());
    }

    g->backends[g->nbackends++] = b;

    return b;
}


static void
ngx_http_llm_group_sweep(ngx_http_llm_group_t *g)
{
    ngx_uint_t  i, n = 0;

    for (i = 0; i < g->nbackends; i++) {
        if (g->backends[i]->there) {
            g->backends[n++] = g->backends[i];

        } else {
            ngx_http_llm_group_drop(g->backends[i]);
        }
    }

    g->nbackends = n;
}


/* Reads which servers there are. */
void
ngx_http_llm_group_refresh(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_http_llm_group_t *g)
{
    ngx_uint_t                     i, full = 0;
    ngx_http_llm_backend_t        *b;
    ngx_http_upstream_rr_peer_t   *peer;
    ngx_http_upstream_rr_peers_t  *first = g->us->peer.data, *peers;

    if (g->group == NULL) {
        g->group = tg_backends_group(lumcf->map->table, g->gc.name);
    }

    for (i = 0; i < g->nbackends; i++) {
        g->backends[i]->there = 0;
    }

    i = 0;
    g->config = ngx_http_llm_peers_config(first);

    for (peers = first; peers != NULL; peers = peers->next) {

        ngx_http_upstream_rr_peers_rlock(peers);

        for (peer = peers->peer; peer != NULL; peer = peer->next, i++) {

            if (peer->down) {
                continue;
            }

            b = ngx_http_llm_group_backend(g, &peer->name, i);

            if (b == NULL) {
                b = ngx_http_llm_group_add(lumcf, g, peer);
            }

            if (b != NULL) {
                b->there = 1;
            }

            full |= b == NULL || b->backend == NULL;
        }

        ngx_http_upstream_rr_peers_unlock(peers);
    }

    ngx_http_llm_group_sweep(g);

    if (full && !g->full) {
        g->full = 1;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "llm: there is no room for all servers of upstream"
                      " \"%V\": %d upstreams and %d servers are possible",
                      &g->us->host, TG_GROUPS_MAX, TG_BACKENDS_MAX);
    }
}


void
ngx_http_llm_group_configured(ngx_http_llm_upstream_main_conf_t *lumcf,
    ngx_http_llm_group_t *g)
{
    int64_t     now = tg_backend_now();
    ngx_uint_t  i;

    for (i = 0; i < g->nbackends; i++) {
        if (g->backends[i]->backend != NULL) {
            tg_backend_configured(lumcf->map->table, g->backends[i]->backend,
                                  g->backends[i]->bc, now);
        }
    }
}


void
ngx_http_llm_group_free(void *data)
{
    ngx_uint_t             i;
    ngx_http_llm_group_t  *g = data;

    for (i = 0; i < g->nbackends; i++) {
        ngx_http_llm_group_drop(g->backends[i]);
    }

    ngx_free(g->backends);
    g->nbackends = 0;
}
