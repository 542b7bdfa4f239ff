#include "ngx_http_llm_upstream_call.h"


/* Its server is not told otherwise where nginx ends the request at once. */
static void
ngx_http_llm_upstream_call_cleanup(void *data)
{
    ngx_http_llm_upstream_call_t  *call = data;

    ngx_http_llm_upstream_call_end(call, TG_CAME_CUT);
}


ngx_http_llm_upstream_call_t *
ngx_http_llm_upstream_call_add(ngx_http_request_t *r, ngx_http_llm_group_t *g)
{
    ngx_pool_cleanup_t            *cln;
    ngx_http_llm_upstream_call_t  *call;

    call = ngx_pcalloc(r->pool, sizeof(ngx_http_llm_upstream_call_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (call == NULL || cln == NULL) {
        return NULL;
    }

    call->request = r;
    call->group = g;
    call->lumcf = ngx_http_get_module_main_conf(r,
                                                ngx_http_llm_upstream_module);
    call->cost_nusd = -1;

    cln->handler = ngx_http_llm_upstream_call_cleanup;
    cln->data = call;

    return call;
}


/* Of llm_balance's key=. */
static tg_str_t
ngx_http_llm_upstream_call_key(ngx_http_llm_upstream_call_t *call)
{
    ngx_http_variable_value_t  *v;

    if (call->group->key == NGX_ERROR) {
        return tg_str_null;
    }

    v = ngx_http_get_indexed_variable(call->request,
                                      (ngx_uint_t) call->group->key);

    return v == NULL || v->not_found ? tg_str_null
           : tg_str_of((char *) v->data, v->len);
}


const tg_balance_ask_t *
ngx_http_llm_upstream_call_ask(ngx_http_llm_upstream_call_t *call)
{
    if (!call->asked) {
        call->asked = 1;
        tg_companion_ask(call->lumcf->meter, call->request, &call->group->gc,
                         ngx_http_llm_upstream_call_key(call), &call->ask);
    }

    return &call->ask;
}


void
ngx_http_llm_upstream_call_begin(ngx_http_llm_upstream_call_t *call,
    const ngx_str_t *name)
{
    int64_t                             now;
    ngx_http_llm_group_t               *g = call->group;
    const tg_balance_ask_t             *ask;
    ngx_http_llm_backend_t             *b;
    ngx_http_llm_upstream_main_conf_t  *lumcf = call->lumcf;

    b = ngx_http_llm_group_backend(g, name, call->chosen);

    if (b == NULL || b->backend == NULL || lumcf->slot < 0) {
        return;
    }

    now = tg_backend_now();
    ask = ngx_http_llm_upstream_call_ask(call);

    call->backend = b->backend;
    call->bc = b->bc;

    tg_backend_begin(lumcf->map->table, b->backend, lumcf->slot, &ask->work,
                     now, &call->ticket);

    if (g->gc.balance != TG_BALANCE_NONE) {
        tg_balance_sent(lumcf->map->table, g->group, b->backend, ask, now);
    }
}


/* Of an answer that has begun. */
static ngx_uint_t
ngx_http_llm_upstream_cut(ngx_http_upstream_t *u, ngx_connection_t *c)
{
    off_t  left;

    if (c == NULL) {
        return 0;
    }

    left = u->buffering && u->pipe != NULL ? u->pipe->length : u->length;

    return c->read->error || c->read->timedout || c->write->timedout
           || (c->read->eof && left > 0);
}


tg_came_t
ngx_http_llm_upstream_call_came(ngx_http_llm_upstream_call_t *call,
    ngx_peer_connection_t *pc, ngx_uint_t state)
{
    ngx_uint_t            status;
    ngx_http_request_t   *r = call->request;
    ngx_http_upstream_t  *u = r->upstream;

    status = u->state != NULL ? u->state->status : 0;

    return tg_came_seen((unsigned) status,
                        (state & NGX_PEER_FAILED)
                        || (status != 0
                            && ngx_http_llm_upstream_cut(u, pc->connection)),
                        r->connection->error);
}


void
ngx_http_llm_upstream_call_end(ngx_http_llm_upstream_call_t *call,
    tg_came_t came)
{
    int64_t  ns;

    if (call->ticket.backend == NULL) {
        return;
    }

    ns = tg_backend_end(call->lumcf->map->table, &call->ticket, came,
                        &call->group->gc.check, tg_backend_now());

    call->ticket.backend = NULL;
    call->gpu_ns += ns;
    call->cost_nusd = tg_companion_sum(call->cost_nusd,
                                       tg_backend_cost(call->bc, ns));
}


/* Of a request the calls that were at a server, the last one first. */
static ngx_http_llm_upstream_call_t *
ngx_http_llm_upstream_call_next(ngx_http_request_t *r,
    ngx_pool_cleanup_t **cln)
{
    ngx_http_llm_upstream_call_t  *call;

    while (*cln != NULL) {
        call = (*cln)->data;

        if ((*cln)->handler != ngx_http_llm_upstream_call_cleanup) {
            call = NULL;
        }

        *cln = (*cln)->next;

        if (call != NULL && call->request == r && call->backend != NULL) {
            return call;
        }
    }

    return NULL;
}


static void *
ngx_http_llm_upstream_tell_group(void *data, tg_str_t upstream)
{
    ngx_uint_t                          i;
    ngx_http_llm_group_t              **groups;
    ngx_http_llm_upstream_main_conf_t  *lumcf = data;

    groups = lumcf->groups.elts;

    for (i = 0; i < lumcf->groups.nelts; i++) {
        if (tg_str_caseeq(groups[i]->gc.name, upstream)) {
            return groups[i];
        }
    }

    return NULL;
}


static bool
ngx_http_llm_upstream_tell_saturated(void *data, void *group)
{
    ngx_http_llm_group_t               *g = group;
    ngx_http_llm_upstream_main_conf_t  *lumcf = data;

    return lumcf->map != NULL && g->group != NULL
           && tg_group_saturated(lumcf->map->table, g->group, NULL);
}


static bool
ngx_http_llm_upstream_tell_healthy(void *data, void *group)
{
    ngx_http_llm_group_t               *g = group;
    ngx_http_llm_upstream_main_conf_t  *lumcf = data;

    return lumcf->map == NULL || g->group == NULL
           || tg_group_healthy(lumcf->map->table, g->group);
}


/* Of all its tries: each took time of a GPU.  The server is the last one. */
static bool
ngx_http_llm_upstream_tell_spent(void *data, void *req,
    tg_companion_spent_t *spent)
{
    tg_mem_t                       mem;
    ngx_http_request_t            *r = req;
    ngx_pool_cleanup_t            *cln = r->pool->cleanup;
    ngx_http_llm_upstream_call_t  *call;

    (void) data;

    mem.alloc = ngx_http_llm_palloc;
    mem.pool = r->pool;

    ngx_memzero(spent, sizeof(tg_companion_spent_t));
    spent->cost_nusd = -1;

    while ((call = ngx_http_llm_upstream_call_next(r, &cln)) != NULL) {

        /* It is over; nginx has not let the server go yet. */

        ngx_http_llm_upstream_call_end(call, r->upstream == NULL ? TG_CAME_CUT
                    : ngx_http_llm_upstream_call_came(call,
                                                      &r->upstream->peer, 0));

        spent->gpu_ns += call->gpu_ns;
        spent->cost_nusd = tg_companion_sum(spent->cost_nusd,
                                            call->cost_nusd);

        if (spent->server.p == NULL) {
            spent->server = tg_dup(&mem, tg_backend_server(call->backend));
            spent->by_prices = call->bc->by_prices;
            spent->instead_of = call->bc->instead_of;
        }
    }

    return spent->server.p != NULL;
}


static void
ngx_http_llm_upstream_tell_settled(void *data, void *req,
    int64_t prompt_tokens, int64_t output_tokens, int64_t cost_nusd,
    int64_t cloud_nusd)
{
    ngx_http_request_t                 *r = req;
    ngx_pool_cleanup_t                 *cln = r->pool->cleanup;
    ngx_http_llm_upstream_call_t       *call;
    ngx_http_llm_upstream_main_conf_t  *lumcf = data;

    call = ngx_http_llm_upstream_call_next(r, &cln);

    if (call != NULL && !call->settled) {
        call->settled = 1;
        tg_backend_usage(lumcf->map->table, call->backend, prompt_tokens,
                         output_tokens, cost_nusd, cloud_nusd);
    }
}


static int
ngx_http_llm_upstream_tell_status(void *data, tg_status_format_t format,
    int64_t wall_ms, tg_out_t out, void *baton)
{
    ngx_http_llm_upstream_main_conf_t  *lumcf = data;

    return lumcf->map == NULL ? TG_OK
           : tg_backend_status(lumcf->map->table, lumcf->confs,
                               (unsigned) lumcf->groups.nelts, format,
                               tg_backend_now(), wall_ms, out, baton);
}


static bool
ngx_http_llm_upstream_tell_owns(void *data, void *req)
{
    ngx_http_request_t                *r = req;
    ngx_http_llm_upstream_loc_conf_t  *lulcf;

    (void) data;

    lulcf = ngx_http_get_module_loc_conf(r, ngx_http_llm_upstream_module);

    return lulcf->status;
}


void
ngx_http_llm_upstream_tell(ngx_http_llm_upstream_main_conf_t *lumcf)
{
    lumcf->tells.version = TG_COMPANION_VERSION;
    lumcf->tells.data = lumcf;
    lumcf->tells.group = ngx_http_llm_upstream_tell_group;
    lumcf->tells.saturated = ngx_http_llm_upstream_tell_saturated;
    lumcf->tells.healthy = ngx_http_llm_upstream_tell_healthy;
    lumcf->tells.spent = ngx_http_llm_upstream_tell_spent;
    lumcf->tells.settled = ngx_http_llm_upstream_tell_settled;
    lumcf->tells.status = ngx_http_llm_upstream_tell_status;
    lumcf->tells.owns = ngx_http_llm_upstream_tell_owns;

    lumcf->companion = &lumcf->tells;
}
