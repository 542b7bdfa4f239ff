#include "tg_route.h"

#include "tg_when.h"

#define TG_ARG(s)  (int) ((s).len < 80 ? (s).len : 80), (s).p


static int
tg_route_no_memory(tg_error_t *err)
{
    return tg_error(err, 0, 0, "no memory");
}


static bool
tg_route_model_ok(tg_str_t s)
{
    if (s.len == 0 || s.len > TG_TARGET_MODEL_MAX) {
        return false;
    }

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '*') {
            return false;
        }
    }

    return true;
}


static int
tg_route_target(tg_route_t *route, tg_mem_t *mem, tg_str_t s, tg_error_t *err)
{
    bool          more;
    tg_str_t      model = s, name;
    tg_target_t  *t;

    more = tg_str_cut(&model, '/', &name);

    if (!tg_str_is_name(name) || (more && !tg_route_model_ok(model))) {
        return tg_error(err, 0, 0, "to= takes <provider> or <provider>/<model>,"
                        " with commas between, not \"%.*s\"", TG_ARG(s));
    }

    if (route->ntargets == TG_TARGETS_MAX) {
        return tg_error(err, 0, 0, "to= has more than %d targets",
                        TG_TARGETS_MAX);
    }

    t = &route->targets[route->ntargets++];
    t->name = tg_dup(mem, name);
    t->model = more ? tg_dup(mem, model) : tg_str_null;

    return t->name.p == NULL || (more && t->model.p == NULL)
           ? tg_route_no_memory(err) : TG_OK;
}


static int
tg_route_to(tg_route_t *route, tg_mem_t *mem, tg_str_t list, tg_error_t *err)
{
    bool      more;
    tg_str_t  s, what = tg_str("cheapest(");

    if (route->ntargets != 0) {
        return tg_error(err, 0, 0, "to= is given twice");
    }

    if (tg_str_starts(list, what) && tg_str_ends(list, tg_str(")"))) {
        route->cheapest = true;
        list = tg_str_of(list.p + what.len, list.len - what.len - 1);
    }

    do {
        more = tg_str_cut(&list, ',', &s);

        if (tg_route_target(route, mem, tg_str_trim(s), err) != TG_OK) {
            return TG_ERROR;
        }
    } while (more);

    return TG_OK;
}


static int
tg_route_weight(tg_route_t *route, uint32_t *weights, unsigned *n,
    tg_str_t list, tg_error_t *err)
{
    bool      more;
    int64_t   v;
    tg_str_t  s;

    if (*n != 0) {
        return tg_error(err, 0, 0, "weight= is given twice");
    }

    do {
        more = tg_str_cut(&list, ',', &s);
        v = s.len > 7 ? -1 : tg_str_int(s);

        if (v < 0 || v > TG_TARGET_WEIGHT_MAX || *n == TG_TARGETS_MAX) {
            return tg_error(err, 0, 0, "weight= takes up to %d numbers with"
                            " commas between, such as 90,10, not \"%.*s\"",
                            TG_TARGETS_MAX, TG_ARG(s));
        }

        weights[(*n)++] = (uint32_t) v;
        route->weights += (uint32_t) v;
    } while (more);

    return route->weights != 0 ? TG_OK
           : tg_error(err, 0, 0, "weight= leaves no target");
}


static int
tg_route_when(tg_route_t *route, tg_mem_t *mem, tg_str_t text, tg_error_t *err)
{
    if (route->when != NULL) {
        return tg_error(err, 0, 0, "when= is given twice");
    }

    route->when = tg_expr_compile(mem, text, tg_when_symbols, TG_WHEN_SYMBOLS,
                                  err);

    if (route->when == NULL) {
        return TG_ERROR;
    }

    route->any_operation = tg_expr_uses(route->when, TG_WHEN_OPERATION);

    return TG_OK;
}


static int
tg_route_usd(tg_route_t *route, tg_mem_t *mem, tg_str_t word, tg_error_t *err)
{
    if (route->nusd == TG_ROUTE_USD_MAX) {
        return tg_error(err, 0, 0, "usd= is given more than %d times",
                        TG_ROUTE_USD_MAX);
    }

    route->usd[route->nusd] = tg_dup(mem, word);

    return route->usd[route->nusd++].p != NULL ? TG_OK
           : tg_route_no_memory(err);
}


static int
tg_route_words(tg_route_t *route, tg_mem_t *mem, const tg_str_t *args,
    unsigned nargs, tg_error_t *err)
{
    int       rc;
    unsigned  n = 0;
    uint32_t  weights[TG_TARGETS_MAX] = { 0 };
    tg_str_t  key, v;

    for (unsigned i = 1; i < nargs; i++) {
        v = args[i];

        if (tg_str_eq(v, tg_str("dry_run"))) {
            route->dry_run = true;
            continue;
        }

        if (!tg_str_cut(&v, '=', &key)) {
            key = tg_str_null;
        }

        if (tg_str_eq(key, tg_str("to"))) {
            rc = tg_route_to(route, mem, v, err);

        } else if (tg_str_eq(key, tg_str("when"))) {
            rc = tg_route_when(route, mem, v, err);

        } else if (tg_str_eq(key, tg_str("weight"))) {
            rc = tg_route_weight(route, weights, &n, v, err);

        } else if (tg_str_eq(key, tg_str("usd"))) {
            rc = tg_route_usd(route, mem, args[i], err);

        } else {
            rc = tg_error(err, 0, 0, "unknown parameter \"%.*s\"; known are"
                          " to=, when=, weight=, usd=, dry_run", TG_ARG(args[i]));
        }

        if (rc != TG_OK) {
            return TG_ERROR;
        }
    }

    if (route->ntargets == 0) {
        return tg_error(err, 0, 0, "\"%.*s\" needs to=<provider>[/<model>]",
                        TG_ARG(route->name));
    }

    if (n != 0 && (n != route->ntargets || route->cheapest)) {
        return tg_error(err, 0, 0, "weight= takes a number for each target of"
                        " to=, and none beside cheapest()");
    }

    for (unsigned i = 0; i < n; i++) {
        route->targets[i].weight = weights[i];
    }

    return TG_OK;
}


int
tg_routes_add(tg_routes_t *routes, tg_mem_t *mem, const tg_str_t *args,
    unsigned nargs, tg_error_t *err)
{
    tg_route_t  *route;

    if (!tg_str_is_name(args[0])) {
        return tg_error(err, 0, 0, "name \"%.*s\" is not of letters, digits, _"
                        " and -", TG_ARG(args[0]));
    }

    if (tg_routes_find(routes, args[0]) != NULL) {
        return tg_error(err, 0, 0, "\"%.*s\" is declared twice",
                        TG_ARG(args[0]));
    }

    if (routes->n == TG_ROUTES_MAX) {
        return tg_error(err, 0, 0, "more than %d routes", TG_ROUTES_MAX);
    }

    route = tg_zalloc(mem, sizeof(tg_route_t));
    if (route == NULL) {
        return tg_route_no_memory(err);
    }

    route->name = tg_dup(mem, args[0]);

    if (route->name.p == NULL) {
        return tg_route_no_memory(err);
    }

    if (tg_route_words(route, mem, args, nargs, err) != TG_OK) {
        tg_expr_destroy(route->when);
        return TG_ERROR;
    }

    routes->list[routes->n++] = route;

    return TG_OK;
}


int
tg_routes_finish(tg_routes_t *routes, tg_route_provider_t provider,
    void *data, tg_error_t *err)
{
    int           at;
    tg_route_t   *route;
    tg_target_t  *t;

    for (unsigned i = 0; i < routes->n; i++) {
        route = routes->list[i];

        for (unsigned k = 0; k < route->ntargets; k++) {
            t = &route->targets[k];
            at = provider(data, t->name);

            if (at < 0) {
                return tg_error(err, 0, 0, "route \"%.*s\": there is no"
                                " llm_provider \"%.*s\" with a url",
                                TG_ARG(route->name), TG_ARG(t->name));
            }

            t->provider = (unsigned) at;
        }
    }

    return TG_OK;
}


tg_route_t *
tg_routes_find(const tg_routes_t *routes, tg_str_t name)
{
    for (unsigned i = 0; i < routes->n; i++) {
        if (tg_str_eq(routes->list[i]->name, name)) {
            return routes->list[i];
        }
    }

    return NULL;
}


void
tg_routes_destroy(tg_routes_t *routes)
{
    for (unsigned i = 0; i < routes->n; i++) {
        tg_expr_destroy(routes->list[i]->when);
    }
}


unsigned
tg_route_pick(const tg_route_t *route, tg_str_t subject)
{
    uint64_t  h = UINT64_C(14695981039346656037), at;
    unsigned  i = 0;

    for (size_t k = 0; k < route->name.len + 1 + subject.len; k++) {
        h ^= k < route->name.len ? (unsigned char) route->name.p[k]
             : k == route->name.len ? 0xff
             : (unsigned char) subject.p[k - route->name.len - 1];
        h *= UINT64_C(1099511628211);
    }

    /* FNV's last bytes hardly reach its high bits. */

    h ^= h >> 32;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;

    if (route->weights == 0) {
        return 0;
    }

    for (at = h % route->weights; at >= route->targets[i].weight; i++) {
        at -= route->targets[i].weight;
    }

    return i;
}
