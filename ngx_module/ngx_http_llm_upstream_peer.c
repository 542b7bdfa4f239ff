#include "ngx_http_llm_upstream.h"
#include "ngx_http_llm_upstream_call.h"

/*
 * Whichever method an upstream has, it passes over the servers whose bit is set
 * in `tried`.  So who may not have the call is told by those bits, and what
 * becomes of the server that is chosen (its connections, its weights, references
 * to it) stays nginx's to do: get() is called with the bits of all others set,
 * and they are put back behind it.
 *
 * The data of a request begin with a ngx_http_upstream_rr_peer_data_t.  Round
 * robin and least_conn fill in one that is there, which is ours: thus keepalive
 * may be around them.  Those of other methods we know where we are within
 * keepalive, see ngx_http_llm_group_place().
 */

#define NGX_HTTP_LLM_BITS  (8 * sizeof(uintptr_t))

/* Servers that may get the call. */
typedef struct {
    ngx_uint_t       n;
    tg_candidate_t   candidates[TG_CANDIDATES_MAX];
    ngx_uint_t       places[TG_CANDIDATES_MAX];         /* among peers */
    ngx_uint_t       unknown;       /* others, of which the table has nothing */
} ngx_http_llm_choice_t;


static ngx_int_t ngx_http_llm_upstream_get(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_llm_upstream_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
static void ngx_http_llm_upstream_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type);
#if (NGX_SSL || NGX_COMPAT)
static ngx_int_t ngx_http_llm_upstream_set_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_llm_upstream_save_session(ngx_peer_connection_t *pc,
    void *data);
#endif


ngx_int_t
ngx_http_llm_upstream_init(ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_llm_group_t              *g;
    ngx_http_llm_upstream_srv_conf_t  *lucf;

    lucf = ngx_http_conf_upstream_srv_conf(us, ngx_http_llm_upstream_module);
    g = lucf->group;

    if (g->init_upstream(cf, us) != NGX_OK) {
        return NGX_ERROR;
    }

    g->init_peer = us->peer.init;
    us->peer.init = ngx_http_llm_upstream_init_peer;

    return NGX_OK;
}


/* What begins the data of a request, where it is a method of nginx's. */
static ngx_http_upstream_rr_peer_data_t *
ngx_http_llm_upstream_data(ngx_http_llm_upstream_call_t *call,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_llm_group_t              *g = call->group;
    ngx_http_upstream_rr_peer_data_t  *rrp;

    rrp = call->rrp.peers != NULL ? &call->rrp
                                  : call->request->upstream->peer.data;

    if (rrp->peers == us->peer.data) {
        return rrp;
    }

    if (!g->foreign) {
        g->foreign = 1;
        ngx_log_error(NGX_LOG_ERR, call->request->connection->log, 0,
                      "llm: the load balancing method of upstream \"%V\" is not"
                      " nginx's: what checks find is not heeded",
                      &us->host);
    }

    return NULL;
}


/* Room for the bits of each group of peers. */
static ngx_int_t
ngx_http_llm_upstream_bits(ngx_http_llm_upstream_call_t *call)
{
    ngx_uint_t                     n;
    ngx_http_upstream_rr_peers_t  *peers = call->data_rrp->peers;

    ngx_http_upstream_rr_peers_rlock(peers);

    n = peers->number;

    if (peers->next != NULL && peers->next->number > n) {
        n = peers->next->number;
    }

    /* Others have been resolved just now: nginx refuses the call. */

    if (call->data_rrp->config != ngx_http_llm_peers_config(peers)) {
        call->data_rrp = NULL;
    }

    ngx_http_upstream_rr_peers_unlock(peers);

    call->words = (n + NGX_HTTP_LLM_BITS - 1) / NGX_HTTP_LLM_BITS;

    if (call->words <= 1) {
        call->words = 1;
        call->saved = call->own;
        call->mask = call->own + 1;
        return NGX_OK;
    }

    call->saved = ngx_palloc(call->request->pool,
                             2 * call->words * sizeof(uintptr_t));
    if (call->saved == NULL) {
        return NGX_ERROR;
    }

    call->mask = call->saved + call->words;

    return NGX_OK;
}


ngx_int_t
ngx_http_llm_upstream_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_upstream_t               *u = r->upstream;
    ngx_http_llm_upstream_call_t      *call;
    ngx_http_llm_upstream_srv_conf_t  *lucf;

    lucf = ngx_http_conf_upstream_srv_conf(us, ngx_http_llm_upstream_module);

    call = ngx_http_llm_upstream_call_add(r, lucf->group);
    if (call == NULL) {
        return NGX_ERROR;
    }

    u->peer.data = &call->rrp;

    if (lucf->group->init_peer(r, us) != NGX_OK) {
        return NGX_ERROR;
    }

    call->data_rrp = ngx_http_llm_upstream_data(call, us);

    if (call->data_rrp != NULL && ngx_http_llm_upstream_bits(call) != NGX_OK) {
        return NGX_ERROR;
    }

    call->data = u->peer.data;
    call->get = u->peer.get;
    call->free = u->peer.free;
    call->notify = u->peer.notify;

    u->peer.data = call;
    u->peer.get = ngx_http_llm_upstream_get;
    u->peer.free = ngx_http_llm_upstream_free;

    if (call->notify != NULL) {
        u->peer.notify = ngx_http_llm_upstream_notify;
    }

#if (NGX_SSL || NGX_COMPAT)
    call->set_session = u->peer.set_session;
    call->save_session = u->peer.save_session;

    u->peer.set_session = ngx_http_llm_upstream_set_session;
    u->peer.save_session = ngx_http_llm_upstream_save_session;
#endif

    return NGX_OK;
}


/*
 * Calls have failed there, and by max_fails= it is out for fail_timeout=.
 * Where checks have found since that it is up, after they had found that it was
 * not, that is over.
 */
static ngx_uint_t
ngx_http_llm_upstream_failed(ngx_http_llm_upstream_call_t *call,
    ngx_http_upstream_rr_peers_t *peers, ngx_http_upstream_rr_peer_t *peer,
    ngx_http_llm_backend_t *b)
{
    int64_t            now;
    tg_backend_view_t  view;

    if (!peer->max_fails || peer->fails < peer->max_fails
        || ngx_time() - peer->checked > peer->fail_timeout)
    {
        return 0;
    }

    if (!call->group->gc.check.on) {
        return 1;
    }

    now = tg_backend_now();
    tg_backend_view(call->lumcf->map->table, b->backend,
                    &call->group->gc.check, now, &view);

    if (view.state != TG_BACKEND_UP || view.ejected
        || now - view.since >= (int64_t) (ngx_time() - peer->checked)
                               * 1000000000)
    {
        return 1;
    }

    ngx_http_upstream_rr_peer_lock(peers, peer);

    peer->fails = 0;
    peer->effective_weight = peer->weight;

    ngx_http_upstream_rr_peer_unlock(peers, peer);

    return 0;
}


/* Of these peers, those that nginx would take; tried NULL: of none. */
static void
ngx_http_llm_upstream_collect(ngx_http_llm_upstream_call_t *call,
    ngx_http_upstream_rr_peers_t *peers, const uintptr_t *tried,
    ngx_http_llm_choice_t *ch)
{
    ngx_uint_t                     i = 0, first = 0;
    ngx_http_llm_backend_t        *b;
    ngx_http_upstream_rr_peer_t   *peer;
    ngx_http_upstream_rr_peers_t  *all = call->group->us->peer.data;

    ch->n = 0;
    ch->unknown = 0;

    if (peers != all) {
        first = all->number;
    }

    ngx_http_upstream_rr_peers_rlock(peers);

    for (peer = peers->peer; peer != NULL; peer = peer->next, i++) {

        if (i == call->words * NGX_HTTP_LLM_BITS
            || ch->n == TG_CANDIDATES_MAX)
        {
            break;
        }

        if ((tried != NULL
             && tried[i / NGX_HTTP_LLM_BITS]
                & (uintptr_t) 1 << i % NGX_HTTP_LLM_BITS)
            || peer->down
            || (peer->max_conns && peer->conns >= peer->max_conns))
        {
            continue;
        }

        b = ngx_http_llm_group_backend(call->group, &peer->name, first + i);

        if (b == NULL || b->backend == NULL) {
            ch->unknown = 1;
            continue;
        }

        if (ngx_http_llm_upstream_failed(call, peers, peer, b)) {
            continue;
        }

        ch->candidates[ch->n].backend = b->backend;
        ch->candidates[ch->n].weight = (uint32_t) ngx_max(peer->weight, 1);
        ch->places[ch->n++] = i;
    }

    ngx_http_upstream_rr_peers_unlock(peers);
}


/* Those that checks find usable come first. Their number. */
static ngx_uint_t
ngx_http_llm_upstream_usable(ngx_http_llm_upstream_call_t *call,
    ngx_http_llm_choice_t *ch, int64_t now)
{
    ngx_uint_t      i, place, n = 0;
    tg_candidate_t  candidate;

    for (i = 0; i < ch->n; i++) {
        if (!tg_backend_usable(call->lumcf->map->table,
                               ch->candidates[i].backend,
                               &call->group->gc.check, now))
        {
            continue;
        }

        candidate = ch->candidates[n];
        ch->candidates[n] = ch->candidates[i];
        ch->candidates[i] = candidate;

        place = ch->places[n];
        ch->places[n++] = ch->places[i];
        ch->places[i] = place;
    }

    return n;
}


/* The best of the first n: its place, or that of the only one. */
static ngx_uint_t
ngx_http_llm_upstream_best(ngx_http_llm_upstream_call_t *call,
    ngx_http_llm_choice_t *ch, ngx_uint_t n, int64_t now)
{
    int  best;

    best = tg_balance_pick(call->lumcf->map->table, call->group->group,
                           &call->group->gc, ch->candidates, (unsigned) n,
                           ngx_http_llm_upstream_call_ask(call), true,
                           (uint64_t) ngx_random(), now);

    return best >= 0 ? (ngx_uint_t) best : 0;
}


/*
 * Sets call->mask to the bits of those that may not have it.  NGX_DECLINED:
 * nginx is to choose among all.  NGX_BUSY: nobody may.
 */
static ngx_int_t
ngx_http_llm_upstream_choose(ngx_http_llm_upstream_call_t *call,
    ngx_peer_connection_t *pc)
{
    static ngx_http_llm_choice_t   choices[2];

    int64_t                            now = tg_backend_now();
    ngx_uint_t                         i, n, usable, spare = 0;
    ngx_http_llm_group_t              *g = call->group;
    ngx_http_llm_choice_t             *ch = &choices[0];
    ngx_http_upstream_rr_peers_t      *peers;
    ngx_http_upstream_rr_peer_data_t  *rrp = call->data_rrp;

    peers = rrp->peers;

    if (peers->single || g->group == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_llm_upstream_collect(call, peers, rrp->tried, ch);
    usable = ngx_http_llm_upstream_usable(call, ch, now);

    if (peers->next != NULL) {
        ngx_http_llm_upstream_collect(call, peers->next, NULL, &choices[1]);
        spare = ngx_http_llm_upstream_usable(call, &choices[1], now);
    }

    if (ch->unknown || (peers->next != NULL && choices[1].unknown)) {
        return NGX_DECLINED;
    }

    /* An answer that nobody else could better is handed on. */

    if (usable + spare != 0) {
        pc->tries = ngx_min(pc->tries, usable + spare);
    }

    if (usable == 0 && spare != 0) {
        rrp->peers = peers->next;
        ngx_memzero(rrp->tried, call->words * sizeof(uintptr_t));
        ch = &choices[1];
        usable = spare;
    }

    if (usable == 0) {

        /* As long as there is one who is well, the others get nothing. */

        if (tg_group_healthy(call->lumcf->map->table, g->group)) {
            return NGX_BUSY;
        }

        if (ch->n == 0 || g->gc.balance == TG_BALANCE_NONE) {
            return NGX_DECLINED;
        }

        usable = ch->n;
    }

    ngx_memset(call->mask, 0xff, call->words * sizeof(uintptr_t));

    i = 0;
    n = usable;

    if (g->gc.balance != TG_BALANCE_NONE) {
        i = ngx_http_llm_upstream_best(call, ch, usable, now);
        n = i + 1;
    }

    for ( /* void */ ; i < n; i++) {
        call->mask[ch->places[i] / NGX_HTTP_LLM_BITS] &=
                        ~((uintptr_t) 1 << ch->places[i] % NGX_HTTP_LLM_BITS);
    }

    return NGX_OK;
}


/* Asks nginx with the mask. */
static ngx_int_t
ngx_http_llm_upstream_ask(ngx_http_llm_upstream_call_t *call,
    ngx_peer_connection_t *pc)
{
    uintptr_t                          chosen;
    ngx_int_t                          rc;
    ngx_uint_t                         i;
    ngx_http_upstream_rr_peers_t      *peers;
    ngx_http_upstream_rr_peer_data_t  *rrp = call->data_rrp;

    peers = rrp->peers;

    for (i = 0; i < call->words; i++) {
        call->saved[i] = rrp->tried[i];
        rrp->tried[i] = call->mask[i];
    }

    rc = call->get(pc, call->data);

    if (rc == NGX_BUSY) {
        rrp->peers = peers;

    } else if (rrp->peers != peers) {

        /* To a backup server: another worker was faster. */

        return rc;
    }

    for (i = 0; i < call->words; i++) {
        chosen = rc == NGX_BUSY ? 0 : rrp->tried[i] & ~call->mask[i];
        rrp->tried[i] = call->saved[i] | chosen;

        if (chosen != 0) {
            call->chosen = i * NGX_HTTP_LLM_BITS
                           + (ngx_uint_t) __builtin_ctzl(chosen);
        }
    }

    return rc;
}


static ngx_int_t
ngx_http_llm_upstream_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_int_t                      rc = NGX_DECLINED;
    ngx_uint_t                     i;
    ngx_http_llm_upstream_call_t  *call = data;

    if (ngx_http_llm_peers_config(
            (ngx_http_upstream_rr_peers_t *) call->group->us->peer.data)
        != call->group->config)
    {
        ngx_http_llm_group_refresh(call->lumcf, call->group);
    }

    call->chosen = NGX_CONF_UNSET_UINT;

    /* The last connection that max_conns= allows may go to another worker. */

    for (i = 0; i < 3 && call->data_rrp != NULL; i++) {
        rc = ngx_http_llm_upstream_choose(call, pc);

        if (rc != NGX_OK) {
            break;
        }

        rc = ngx_http_llm_upstream_ask(call, pc);

        if (rc != NGX_BUSY) {
            break;
        }
    }

    if (rc == NGX_DECLINED) {
        rc = call->get(pc, call->data);

    } else if (rc == NGX_BUSY) {
        pc->cached = 0;
        pc->connection = NULL;
        pc->name = call->data_rrp->peers->name;
    }

    if (rc == NGX_OK || rc == NGX_DONE) {
        ngx_http_llm_upstream_call_begin(call, pc->name);
    }

    return rc;
}


/*
 * A connection that was kept, and that the server has closed in the meantime:
 * nginx gives the call one more try, and it may be there.
 */
static ngx_uint_t
ngx_http_llm_upstream_stale(ngx_http_llm_upstream_call_t *call,
    ngx_peer_connection_t *pc, ngx_uint_t state)
{
    ngx_connection_t     *c = pc->connection;
    ngx_http_upstream_t  *u = call->request->upstream;

    return (state & NGX_PEER_FAILED) && pc->cached
           && u->state != NULL && u->state->status == 0
           && !(c != NULL && (c->read->timedout || c->write->timedout))
           && call->data_rrp != NULL && call->chosen != NGX_CONF_UNSET_UINT;
}


static void
ngx_http_llm_upstream_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    tg_came_t                      came;
    ngx_uint_t                     stale;
    ngx_http_llm_upstream_call_t  *call = data;

    stale = ngx_http_llm_upstream_stale(call, pc, state);
    came = ngx_http_llm_upstream_call_came(call, pc, state);

    /* Who hung up while nothing was asked has not failed: neither by our count
     * nor by that of max_fails=. */

    if (stale && came == TG_CAME_FAILED
        && tg_backend_unread(&call->ticket, tg_backend_now()))
    {
        came = TG_CAME_CUT;
        state &= ~(ngx_uint_t) NGX_PEER_FAILED;
    }

    ngx_http_llm_upstream_call_end(call, came);

    call->free(pc, call->data, state);

    if (stale) {
        call->data_rrp->tried[call->chosen / NGX_HTTP_LLM_BITS] &=
                      ~((uintptr_t) 1 << call->chosen % NGX_HTTP_LLM_BITS);
    }
}


static void
ngx_http_llm_upstream_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_http_llm_upstream_call_t  *call = data;

    call->notify(pc, call->data, type);
}


#if (NGX_SSL || NGX_COMPAT)

static ngx_int_t
ngx_http_llm_upstream_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_llm_upstream_call_t  *call = data;

    return call->set_session(pc, call->data);
}


static void
ngx_http_llm_upstream_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_llm_upstream_call_t  *call = data;

    call->save_session(pc, call->data);
}

#endif
