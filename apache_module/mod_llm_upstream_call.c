#include "mod_llm_upstream.h"

#include "apr_optional_hooks.h"

/*
 * Calls at backends: who gets one, that it is there, what came of it.
 * mod_proxy asks lbmethod=llm for a worker, and runs the scheme's handler for
 * each attempt, whatever chose the worker.
 */

#define LLM_UP_TRIED  8

/* A request's; of what it is redirected to inside, as well. */
typedef struct {
    pthread_mutex_t       lock;         /* a fast stop settles the calls of
                                           other threads */
    request_rec          *request;
    llm_up_member_t      *member;       /* the last one; NULL: none yet */
    const proxy_worker   *worker;       /* of it */
    tg_ticket_t           ticket;
    bool                  open;
    bool                  chosen;       /* by us, and not sent yet */
    int64_t               gpu_ns;       /* of attempts that are over */
    int64_t               cost_nusd;    /* of those; -1: not known */
    unsigned              ntried;
    const proxy_worker   *tried[LLM_UP_TRIED];
} llm_up_call_t;

/* Those that mod_proxy's own rules allow. */
typedef struct {
    unsigned         n;
    tg_candidate_t   candidates[TG_CANDIDATES_MAX];
    proxy_worker    *workers[TG_CANDIDATES_MAX];
} llm_up_list_t;

static APR_OPTIONAL_FN_TYPE(proxy_balancer_get_best_worker)  *llm_up_best;
static const tg_companion_meter_t                            *llm_up_meter;


static request_rec *
llm_up_first(request_rec *r)
{
    while (r->prev != NULL) {
        r = r->prev;
    }

    return r;
}


static llm_up_call_t *
llm_up_call(request_rec *r)
{
    return ap_get_module_config(llm_up_first(r)->request_config,
                                &llm_upstream_module);
}


/* With the lock held, if it could be had. */
static void
llm_up_end(llm_up_call_t *call, tg_came_t came, int64_t now)
{
    int64_t                 ns;
    const llm_up_group_t   *ug;
    const llm_up_member_t  *m = call->member;

    if (!call->open) {
        return;
    }

    ug = m->group;
    ns = tg_backend_end(llm_up_table(), &call->ticket, came, &ug->conf.check,
                        now);

    call->open = false;
    call->chosen = false;
    call->gpu_ns += ns;
    call->cost_nusd = tg_companion_sum(call->cost_nusd,
                                       tg_backend_cost(m->conf, ns));
}


static apr_status_t
llm_up_call_gone(void *data)
{
    llm_up_call_t  *call = data;

    (void) pthread_mutex_lock(&call->lock);
    llm_up_end(call, TG_CAME_CUT, tg_backend_now());
    (void) pthread_mutex_unlock(&call->lock);

    return APR_SUCCESS;
}


static llm_up_call_t *
llm_up_call_make(request_rec *r)
{
    llm_up_call_t  *call = llm_up_call(r);

    if (call != NULL) {
        return call;
    }

    r = llm_up_first(r);

    call = apr_pcalloc(r->pool, sizeof(llm_up_call_t));
    call->request = r;
    call->cost_nusd = -1;
    (void) pthread_mutex_init(&call->lock, NULL);

    ap_set_module_config(r->request_config, &llm_upstream_module, call);
    apr_pool_cleanup_register(r->pool, call, llm_up_call_gone,
                              apr_pool_cleanup_null);

    return call;
}


static void
llm_up_begin(llm_up_call_t *call, llm_up_member_t *m,
    const proxy_worker *worker, const tg_balance_ask_t *ask, int64_t now)
{
    llm_up_group_t  *ug = m->group;

    (void) pthread_mutex_lock(&call->lock);

    call->member = m;
    call->worker = worker;
    tg_backend_begin(llm_up_table(), m->backend, llm_up_slot, &ask->work, now,
                     &call->ticket);
    call->open = true;

    (void) pthread_mutex_unlock(&call->lock);

    if (ug->conf.balance != TG_BALANCE_NONE) {
        tg_balance_sent(llm_up_table(), ug->group, m->backend, ask, now);
    }
}


/* Another attempt begins: the one before came to nothing. */
static void
llm_up_again(llm_up_call_t *call, int64_t now)
{
    (void) pthread_mutex_lock(&call->lock);
    llm_up_end(call, TG_CAME_FAILED, now);
    (void) pthread_mutex_unlock(&call->lock);
}


/* mod_proxy calls it for each worker that may be had, of the best set of
 * those. */
static int
llm_up_collect(proxy_worker *current, proxy_worker *best, void *baton)
{
    llm_up_list_t    *list = baton;
    llm_up_member_t  *m = llm_up_member(current);

    if (m != NULL && list->n < TG_CANDIDATES_MAX) {
        list->workers[list->n] = current;
        list->candidates[list->n].backend = m->backend;
        list->candidates[list->n].weight = current->s->lbfactor > 150
                         ? (uint32_t) (current->s->lbfactor + 50) / 100 : 1;
        list->n++;
    }

    return best == NULL;
}


static bool
llm_up_tried(const llm_up_call_t *call, const proxy_worker *worker)
{
    unsigned  i;

    for (i = 0; i < call->ntried; i++) {
        if (call->tried[i] == worker) {
            return true;
        }
    }

    return false;
}


/* A worker that this call has been at is left out, where there are others: with
 * retry=0 mod_proxy would have it at once again. */
static void
llm_up_list_untried(llm_up_list_t *list, const llm_up_call_t *call)
{
    unsigned  i, n = 0;

    for (i = 0; i < list->n; i++) {
        n += !llm_up_tried(call, list->workers[i]);
    }

    if (n == 0 || n == list->n) {
        return;
    }

    for (n = 0, i = 0; i < list->n; i++) {
        if (!llm_up_tried(call, list->workers[i])) {
            list->workers[n] = list->workers[i];
            list->candidates[n++] = list->candidates[i];
        }
    }

    list->n = n;
}


static tg_str_t
llm_up_key_value(request_rec *r, const llm_up_group_t *ug)
{
    const char  *v, *error = NULL;

    v = apr_table_get(r->subprocess_env, ug->key_name);

    if (v == NULL) {
        v = apr_table_get(r->notes, ug->key_name);
    }

    if (v == NULL && ug->key != NULL) {
        v = ap_expr_str_exec(r, ug->key, &error);
    }

    return v == NULL || error != NULL ? tg_str_null : tg_strz(v);
}


static void
llm_up_ask(request_rec *r, const llm_up_group_t *ug, tg_balance_ask_t *ask)
{
    tg_companion_ask(llm_up_meter, r, &ug->conf,
                     ug->key_name == NULL ? tg_str_null
                                          : llm_up_key_value(r, ug), ask);
}


/* The finder of lbmethod=llm; with the balancer's lock held. */
static proxy_worker *
llm_up_find(proxy_balancer *balancer, request_rec *r)
{
    int                i;
    int64_t            now = tg_backend_now();
    uint64_t           seed;
    proxy_worker      *best;
    llm_up_call_t     *call;
    llm_up_list_t      list;
    llm_up_group_t    *ug;
    tg_balance_ask_t   ask;

    call = llm_up_call_make(r);
    llm_up_again(call, now);

    ug = llm_up_group(balancer->s->name);
    list.n = 0;
    best = llm_up_best(balancer, r, llm_up_collect, &list);

    if (best == NULL || ug == NULL || list.n == 0) {
        return best;
    }

    llm_up_list_untried(&list, call);
    llm_up_ask(r, ug, &ask);
    seed = (uint64_t) now ^ (uint64_t) (uintptr_t) r;

    i = tg_balance_pick(llm_up_table(), ug->group, &ug->conf, list.candidates,
                        list.n, &ask, false, seed, now);
    if (i < 0) {
        i = tg_balance_pick(llm_up_table(), ug->group, &ug->conf,
                            list.candidates, list.n, &ask, true, seed, now);
    }

    if (i < 0) {
        return best;
    }

    best = list.workers[i];

    llm_up_begin(call, llm_up_member(best), best, &ask, now);
    call->chosen = true;

    if (call->ntried < LLM_UP_TRIED) {
        call->tried[call->ntried++] = best;
    }

    return best;
}


/* Of each attempt, whoever chose its worker. */
int
llm_up_scheme_handler(request_rec *r, proxy_worker *worker,
    proxy_server_conf *conf, char *url, const char *host, apr_port_t port)
{
    int64_t            now;
    llm_up_call_t     *call;
    llm_up_member_t   *m;
    tg_balance_ask_t   ask;

    (void) conf;
    (void) url;
    (void) host;
    (void) port;

    if (llm_up_main->map == NULL) {
        return DECLINED;
    }

    m = llm_up_member(worker);
    call = m != NULL ? llm_up_call_make(r) : llm_up_call(r);

    if (call == NULL) {
        return DECLINED;
    }

    if (call->chosen && call->worker == worker) {
        call->chosen = false;
        return DECLINED;
    }

    now = tg_backend_now();
    llm_up_again(call, now);

    if (m != NULL) {
        llm_up_ask(r, m->group, &ask);
        llm_up_begin(call, m, worker, &ask, now);
    }

    return DECLINED;
}


static tg_came_t
llm_up_came(const request_rec *r, int status)
{
    bool  gone = r->connection->aborted;

    /* One of both has gone in the middle of an answer. */

    if (status == DONE) {
        return tg_came_seen(0, !gone, gone);
    }

    if (status == OK || apr_table_get(r->notes, "proxy-error-override")) {
        return tg_came_seen((unsigned) (status == OK ? r->status : status),
                            false, gone);
    }

    /* There was no answer; whose fault it is the status says. */

    return tg_came_seen(0, !gone && ap_is_HTTP_SERVER_ERROR(status), gone);
}


static int
llm_up_request_status(int *status, request_rec *r)
{
    llm_up_call_t  *call = llm_up_call(r);

    if (call == NULL || *status == SUSPENDED) {
        return DECLINED;
    }

    (void) pthread_mutex_lock(&call->lock);
    llm_up_end(call, llm_up_came(r, *status), tg_backend_now());
    (void) pthread_mutex_unlock(&call->lock);

    return DECLINED;
}


static apr_status_t
llm_up_reset(proxy_balancer *balancer, server_rec *s)
{
    (void) balancer;
    (void) s;

    return APR_SUCCESS;
}


static const proxy_balancer_method  llm_up_method = {
    "llm",
    llm_up_find,
    NULL,
    llm_up_reset,
    llm_up_reset,
    NULL
};


void
llm_up_call_hooks(apr_pool_t *p)
{
    ap_register_provider(p, PROXY_LBMETHOD, llm_up_method.name, "0",
                         &llm_up_method);
    APR_OPTIONAL_HOOK(proxy, request_status, llm_up_request_status, NULL, NULL,
                      APR_HOOK_MIDDLE);
}


/* False where mod_proxy has no such thing. */
bool
llm_up_call_bind(void)
{
    APR_OPTIONAL_FN_TYPE(llm_companion_meter)  *meter;

    llm_up_best = APR_RETRIEVE_OPTIONAL_FN(proxy_balancer_get_best_worker);
    meter = APR_RETRIEVE_OPTIONAL_FN(llm_companion_meter);
    llm_up_meter = meter == NULL ? NULL : meter();

    if (llm_up_meter != NULL
        && llm_up_meter->version != TG_COMPANION_VERSION)
    {
        llm_up_meter = NULL;
    }

    return llm_up_best != NULL;
}


static void *
llm_up_told_group(void *data, tg_str_t upstream)
{
    int              i;
    llm_up_group_t  *ug;

    (void) data;

    for (i = 0; llm_up_main != NULL && i < llm_up_main->all->nelts; i++) {
        ug = APR_ARRAY_IDX(llm_up_main->all, i, llm_up_group_t *);

        if (tg_str_caseeq(ug->conf.name, upstream)) {
            return ug;
        }
    }

    return NULL;
}


static bool
llm_up_told_saturated(void *data, void *group)
{
    llm_up_group_t  *ug = group;

    (void) data;

    return ug->group != NULL
           && tg_group_saturated(llm_up_table(), ug->group, NULL);
}


static bool
llm_up_told_healthy(void *data, void *group)
{
    llm_up_group_t  *ug = group;

    (void) data;

    return ug->group == NULL || tg_group_healthy(llm_up_table(), ug->group);
}


/* It may be asked in a signal's handler, so that it waits for nothing. */
static bool
llm_up_told_spent(void *data, void *r, tg_companion_spent_t *spent)
{
    llm_up_call_t  *call = llm_up_call(r);

    (void) data;

    if (call == NULL || call->member == NULL
        || pthread_mutex_trylock(&call->lock) != 0)
    {
        return false;
    }

    llm_up_end(call, llm_up_came(r, OK), tg_backend_now());

    spent->server = call->member->server;
    spent->gpu_ns = call->gpu_ns;
    spent->cost_nusd = call->cost_nusd;
    spent->by_prices = call->member->conf->by_prices;
    spent->instead_of = call->member->conf->instead_of;

    (void) pthread_mutex_unlock(&call->lock);

    return true;
}


static void
llm_up_told_settled(void *data, void *r, int64_t prompt_tokens,
    int64_t output_tokens, int64_t cost_nusd, int64_t cloud_nusd)
{
    llm_up_call_t  *call = llm_up_call(r);

    (void) data;

    if (call != NULL && call->member != NULL) {
        tg_backend_usage(llm_up_table(), call->member->backend, prompt_tokens,
                         output_tokens, cost_nusd, cloud_nusd);
    }
}


static int
llm_up_told_status(void *data, tg_status_format_t format, int64_t wall_ms,
    tg_out_t out, void *baton)
{
    const llm_up_main_t  *m = llm_up_main;

    (void) data;

    return m->map == NULL ? TG_OK
           : tg_backend_status(m->map->table, m->confs,
                               (unsigned) m->all->nelts, format,
                               tg_backend_now(), wall_ms, out, baton);
}


static bool
llm_up_told_owns(void *data, void *req)
{
    const request_rec   *r = req;
    const llm_up_dir_t  *dir;

    (void) data;

    dir = ap_get_module_config(r->per_dir_config, &llm_upstream_module);

    return dir->status;
}


static const tg_companion_upstream_t  llm_up_told = {
    TG_COMPANION_VERSION,
    NULL,
    llm_up_told_group,
    llm_up_told_saturated,
    llm_up_told_healthy,
    llm_up_told_spent,
    llm_up_told_settled,
    llm_up_told_status,
    llm_up_told_owns
};


const tg_companion_upstream_t *
llm_up_companion(void)
{
    return &llm_up_told;
}
