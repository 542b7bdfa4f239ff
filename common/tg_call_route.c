/* Where a call goes, in a location with llm_pass. */

#include "tg_call_int.h"
#include "tg_models.h"


/*
 * The provider of a model, without rules: the first that says it has it, else the
 * first that does not say what it has.
 */
static const tg_provider_t *
tg_route_provider(const tg_conf_t *conf, tg_str_t model)
{
    const tg_provider_t  *pr, *any = NULL;

    for (unsigned i = 0; i < conf->nproviders; i++) {
        pr = &conf->providers[i];

        if (pr->host.len == 0) {
            continue;
        }

        if (pr->nmodels == 0) {
            any = any == NULL ? pr : any;

        } else if (model.len != 0
                   && tg_models_match(pr->models, pr->nmodels, model))
        {
            return pr;
        }
    }

    return any;
}


void
tg_call_aim(tg_call_t *call, unsigned at)
{
    tg_routing_t         *routing = call->routing;
    const tg_aim_t       *aim = &routing->aims[at];
    const tg_provider_t  *pr = aim->provider;

    routing->at = at;
    routing->ready = false;
    call->provider = pr;
    call->dialect = call->asked;

    if (call->scope->pass == 1) {
        call->head.upstream = pr->host;
    }

    if (aim->model.len != 0 && call->asked.model.len != 0) {
        call->dialect.model = aim->model;
    }

    tg_dialect_upstream(&call->dialect, pr->host, pr->vendor);
}


bool
tg_call_is_open(const tg_call_t *call, const tg_aim_t *aim, int64_t now)
{
    tg_breakers_t  *b = call->routing->breakers;

    return !tg_breaker_closed(b, aim->keys[0], now, false)
           || !tg_breaker_closed(b, aim->keys[1], now, false);
}


/* One that is open is better than none: no call is refused for that. */
int
tg_call_next(const tg_call_t *call, int64_t now, bool take)
{
    int              any = -1;
    const tg_aim_t  *aim;
    tg_breakers_t   *b = call->routing->breakers;

    for (unsigned i = 0; i < call->routing->naims; i++) {
        aim = &call->routing->aims[i];

        if (aim->tried) {
            continue;
        }

        if (!tg_call_is_open(call, aim, now)
            && (!take || (tg_breaker_closed(b, aim->keys[0], now, true)
                          && (aim->keys[0] == aim->keys[1]
                              || tg_breaker_closed(b, aim->keys[1], now,
                                                   true)))))
        {
            return (int) i;
        }

        any = any < 0 ? (int) i : any;
    }

    return any;
}


/* The same calls go the same way. */
static tg_str_t
tg_route_subject(const tg_call_t *call)
{
    const tg_conf_t  *conf = call->conf;

    for (unsigned i = 0; i < conf->ntags; i++) {
        if (conf->tags[i].role == TG_TAG_SESSION && call->tags[i].len != 0) {
            return call->tags[i];
        }
    }

    if (call->pass != NULL && call->pass->key != NULL) {
        return call->pass->key->id;
    }

    return call->head.client;
}


static void
tg_aims_swap_first(tg_aim_t *aims, unsigned first)
{
    tg_aim_t  a = aims[first];

    for ( ; first > 0; first--) {
        aims[first] = aims[first - 1];
    }

    aims[0] = a;
}


/* What the call would cost at each; below 0: not known. */
static void
tg_aims_cost(tg_hold_t *h, const tg_aim_t *aims, unsigned n, int64_t *cost)
{
    bool            likely = h->gate->calibrate != NULL;
    tg_bound_t      bound[TG_AIMS_MAX], is;
    tg_bound_ask_t  ask[TG_AIMS_MAX];

    for (unsigned i = 0; i < n; i++) {
        tg_call_aim_ask(h, &aims[i], &ask[i]);
        tg_bound(&ask[i], &bound[i]);
        cost[i] = bound[i].cost;
        likely = likely && tg_call_aim_likely(h, &aims[i], &ask[i], &bound[i],
                                              &is);
    }

    /* Bounds are only compared with bounds. */

    for (unsigned i = 0; likely && i < n; i++) {
        (void) tg_call_aim_likely(h, &aims[i], &ask[i], &bound[i], &is);
        cost[i] = is.cost;
    }
}


/* The cheapest first; what has no price last; else as written. */
static void
tg_aims_sort(tg_hold_t *h, tg_aim_t *aims, unsigned n)
{
    int64_t   c, cost[TG_AIMS_MAX];
    unsigned  k;
    tg_aim_t  a;

    tg_aims_cost(h, aims, n, cost);

    for (unsigned i = 1; i < n; i++) {
        a = aims[i];
        c = cost[i];

        for (k = i; k > 0 && c >= 0 && (cost[k - 1] < 0 || cost[k - 1] > c);
             k--)
        {
            aims[k] = aims[k - 1];
            cost[k] = cost[k - 1];
        }

        aims[k] = a;
        cost[k] = c;
    }
}


/* The targets that can serve the call, in the order in which they are tried; 0:
 * none can. */
static unsigned
tg_route_aims(tg_hold_t *h, const tg_route_t *route, tg_aim_t *aims)
{
    unsigned              n = 0, first, picked;
    const tg_call_t      *call = h->call;
    const tg_target_t    *t;

    picked = tg_route_pick(route, tg_route_subject(call));
    first = TG_AIMS_MAX;

    for (unsigned i = 0; i < route->ntargets; i++) {
        t = &route->targets[i];

        if (!tg_call_serves(call, &call->conf->providers[t->provider],
                            t->model, &aims[n]))
        {
            continue;
        }

        first = i == picked ? n : first;
        n++;
    }

    if (route->weights != 0 && first < n) {
        tg_aims_swap_first(aims, first);

    } else if (route->cheapest && n > 1) {
        tg_aims_sort(h, aims, n);
    }

    return call->scope->pass == 1 || n == 0 ? n : 1;
}


/* What writes text; of others only what is meant by name. */
static bool
tg_route_operation(const tg_call_t *call, const tg_route_t *route)
{
    tg_op_t  op = tg_api_op(call->asked.api);

    if (tg_call_model(call).len == 0) {
        return false;
    }

    switch (op) {

    case TG_OP_UNKNOWN:
    case TG_OP_BATCH:
    case TG_OP_RETRIEVE:
    case TG_OP_CACHE:
    case TG_OP_MODELS:
        return false;

    default:
        return tg_op_writes(op) || route->any_operation;
    }
}


static bool
tg_route_holds(tg_hold_t *h, const tg_route_t *route)
{
    return (route->when != NULL || !route->by_quota)
           && tg_route_operation(h->call, route)
           && (route->when == NULL
               || tg_expr_eval(route->when, h->quota.scratch, h->quota.get,
                               h->quota.get_data));
}


static void
tg_aim_most(const tg_call_t *call, const tg_price_book_t *book, tg_aim_t *aim)
{
    const tg_price_t  *price = tg_call_aim_price(call, aim, book);

    aim->most = price == NULL ? 0 : tg_price_max_output(price);
}


static void
tg_route_take(tg_call_t *call, const tg_price_book_t *book,
    const tg_route_t *route, const tg_aim_t *aims, unsigned n)
{
    tg_routing_t      *routing = call->routing;
    tg_route_count_t  *count = tg_route_count(routing->counts, route->name);

    memcpy(routing->aims, aims, n * sizeof(tg_aim_t));
    routing->naims = n;
    routing->route = route;

    for (unsigned i = 0; i < n; i++) {
        tg_aim_most(call, book, &routing->aims[i]);
    }

    if (count != NULL) {
        count->taken++;
    }
}


static void
tg_route_dry(tg_call_t *call, const tg_route_t *route, const tg_aim_t *aim)
{
    tg_route_count_t  *count;

    if (call->routing->dry != NULL) {
        return;
    }

    call->routing->dry = route;
    call->routing->dry_aim = *aim;
    count = tg_route_count(call->routing->counts, route->name);

    if (count != NULL) {
        count->dry++;
    }
}


/* Of the routes from that place on. */
static void
tg_route_choose(tg_call_t *call, const tg_gate_t *gate, int64_t now,
    unsigned from)
{
    unsigned           n;
    tg_aim_t           aims[TG_AIMS_MAX];
    tg_hold_t          h;
    const tg_route_t  *route;

    if (call->conf->routes.n == 0 || call->pass == NULL) {
        return;
    }

    tg_hold_prepare(&h, call, gate, now);

    for (unsigned i = from; i < call->conf->routes.n; i++) {
        route = call->conf->routes.list[i];

        if (!tg_route_holds(&h, route)) {
            continue;
        }

        n = tg_route_aims(&h, route, aims);

        if (n == 0) {
            continue;
        }

        if (route->dry_run || call->scope->enable == TG_DRY_RUN) {
            tg_route_dry(call, route, &aims[0]);
            continue;
        }

        tg_route_take(call, gate->book, route, aims, n);
        call->routing->place = i;
        return;
    }
}


/* Without rules. */
static void
tg_route_meant(tg_call_t *call, const tg_price_book_t *book)
{
    tg_aim_t              aim;
    tg_routing_t         *routing = call->routing;
    const tg_provider_t  *pr = call->provider;

    if (call->scope->pass == 1) {
        pr = tg_route_provider(call->conf, tg_call_model(call));
    }

    routing->meant = pr;

    if (pr == NULL) {
        return;
    }

    if (call->scope->pass != 1) {
        memset(&aim, 0, sizeof(aim));
        aim.provider = pr;

    } else if (!tg_call_serves(call, pr, tg_str_null, &aim)) {
        return;
    }

    if (aim.form != TG_FORM_NONE) {
        tg_aim_most(call, book, &aim);
    }

    routing->aims[0] = aim;
    routing->naims = 1;
}


void
tg_call_unroute(tg_call_t *call)
{
    tg_routing_t  *routing = call->routing;

    if (routing != NULL && routing->route != NULL) {
        routing->route = NULL;
        routing->by_quota = NULL;
        memset(&routing->aims[0], 0, sizeof(tg_aim_t));
        routing->aims[0].provider = routing->meant;
        routing->naims = 1;
        tg_call_aim(call, 0);
    }
}


/* By the routes from that place on, and else without. */
static int
tg_route_plan(tg_call_t *call, const tg_gate_t *gate, int64_t now,
    unsigned from, tg_refusal_t *refusal)
{
    int            at;
    tg_routing_t  *routing = call->routing;

    tg_route_meant(call, gate->book);

    if (routing->naims != 0) {
        tg_call_aim(call, 0);
    }

    tg_route_choose(call, gate, now, from);

    if (routing->naims == 0) {
        return tg_call_nowhere(call, refusal);
    }

    at = tg_call_next(call, call->start.mono_ns / 1000000, false);
    tg_call_aim(call, (unsigned) at);

    /* Without keys of our own nobody else says what may be done with theirs. */

    if (call->scope->pass == 1 && call->provider->key.len != 0
        && !tg_call_forwards(call))
    {
        return tg_call_turn_away(call, refusal, 403,
                                 tg_str("operation_not_allowed"),
                                 tg_str("this operation can't be priced, and is"
                                        " not forwarded with the provider's"
                                        " key"));
    }

    return TG_OK;
}


int
tg_call_plan(tg_call_t *call, const tg_gate_t *gate, int64_t now,
    tg_refusal_t *refusal)
{
    tg_routing_t  *routing;

    if (call->scope->pass != 1
        && (call->provider == NULL || call->conf->routes.n == 0))
    {
        return TG_OK;
    }

    routing = tg_zalloc(call->mem, sizeof(tg_routing_t));
    if (routing == NULL) {
        return tg_call_turn_away(call, refusal, 503, tg_str("no_memory"),
                                 tg_str("no memory for this call"));
    }

    call->routing = routing;
    routing->breakers = gate->breakers;
    routing->counts = gate->tally == NULL ? NULL : &gate->tally->routes;

    return tg_route_plan(call, gate, now, 0, refusal);
}


int
tg_call_planned(tg_call_t *call, tg_refusal_t *refusal)
{
    if ((call->routing == NULL || call->routing->route == NULL)
        && tg_call_provided(call, refusal) != TG_OK)
    {
        return TG_ERROR;
    }

    /* Each target has a body of its own, made when it comes to that. */

    if (call->scope->pass == 1 || tg_call_recompose(call) == TG_OK) {
        return TG_OK;
    }

    tg_call_unroute(call);

    /* What guards want changed does not go as it is. */

    return tg_call_recompose(call) == TG_OK
           || (call->ncuts == 0 && call->cap_output == 0) ? TG_OK
           : tg_call_turn_away(call, refusal, 503, tg_str("no_memory"),
                               tg_str("no memory for this call"));
}


bool
tg_call_overflows(const tg_call_t *call, const tg_quota_t *quota)
{
    return quota->of_route && call->routing->by_quota == NULL;
}


int
tg_call_reroute(tg_call_t *call, const tg_gate_t *gate, int64_t now,
    tg_refusal_t *refusal)
{
    tg_routing_t      *routing = call->routing;
    tg_route_count_t  *count;

    count = tg_route_count(routing->counts, routing->route->name);

    if (count != NULL) {
        count->taken--;
    }

    if (routing->full == NULL) {
        routing->full = routing->route;
    }

    /* As it was before. */

    routing->route = NULL;
    routing->naims = 0;
    call->dialect = call->asked;

    if (call->scope->pass == 1) {
        call->provider = NULL;
        call->head.upstream = tg_str_null;
    }

    return tg_route_plan(call, gate, now, routing->place + 1, refusal) == TG_OK
           ? tg_call_planned(call, refusal) : TG_ERROR;
}


bool
tg_call_replan(tg_call_t *call, const tg_gate_t *gate, int64_t now,
    const tg_quota_t *quota)
{
    int                at;
    unsigned           n;
    tg_aim_t           aims[TG_AIMS_MAX];
    tg_hold_t          h;
    const tg_route_t  *route;

    if (call->routing == NULL || call->routing->by_quota != NULL
        || quota->action != TG_ACTION_ROUTE
        || call->scope->enable == TG_DRY_RUN)
    {
        return false;
    }

    route = tg_routes_find(&call->conf->routes, quota->route);

    if (route == NULL || !tg_route_operation(call, route)) {
        return false;
    }

    tg_hold_prepare(&h, call, gate, now);
    n = tg_route_aims(&h, route, aims);

    if (n == 0) {
        return false;
    }

    if (route->dry_run) {
        tg_route_dry(call, route, &aims[0]);
        return false;
    }

    tg_route_take(call, gate->book, route, aims, n);
    call->routing->by_quota = quota;

    at = tg_call_next(call, call->start.mono_ns / 1000000, false);
    tg_call_aim(call, (unsigned) at);

    if (call->scope->pass != 1 && tg_call_recompose(call) != TG_OK) {
        tg_call_unroute(call);
        (void) tg_call_recompose(call);
        return false;
    }

    return true;
}
