/* What routes name, and who names routes. */

#include "tg_conf_int.h"
#include "tg_models.h"


int
tg_conf_route(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    tg_error_t   why;
    tg_route_t  *route;

    if (tg_routes_add(&conf->routes, conf->mem, args, nargs, err) != TG_OK) {
        return TG_ERROR;
    }

    route = conf->routes.list[conf->routes.n - 1];

    if (route->nusd == 0) {
        return TG_OK;
    }

    route->cap = tg_quotas_add_route(&conf->quotas, conf->mem, route->name,
                                     route->usd, route->nusd, &why);

    return route->cap != NULL ? TG_OK
           : tg_error(err, 0, 0, "\"%.*s\": %s", TG_ARG(route->name),
                      why.message);
}


static int
tg_conf_route_provider(void *data, tg_str_t name)
{
    const tg_conf_t  *conf = data;

    for (unsigned i = 0; i < conf->nproviders; i++) {
        if (tg_str_eq(conf->providers[i].name, name)
            && conf->providers[i].host.len != 0)
        {
            return (int) i;
        }
    }

    return -1;
}


/* action=route:<name> of quotas. */
static int
tg_conf_finish_actions(tg_conf_t *conf, tg_error_t *err)
{
    tg_route_t        *route;
    const tg_quota_t  *q;

    for (unsigned i = 0; i < conf->quotas.n; i++) {
        q = conf->quotas.list[i];

        if (q->action != TG_ACTION_ROUTE) {
            continue;
        }

        route = tg_routes_find(&conf->routes, q->route);

        if (route == NULL) {
            return tg_error(err, 0, 0, "quota \"%.*s\": there is no llm_route"
                            " \"%.*s\"", TG_ARG(q->name), TG_ARG(q->route));
        }

        route->by_quota = true;
    }

    return TG_OK;
}


int
tg_conf_finish_routes(tg_conf_t *conf, tg_error_t *err)
{
    tg_error_t   e;
    tg_route_t  *route;

    if (tg_routes_finish(&conf->routes, tg_conf_route_provider, conf, err)
        != TG_OK)
    {
        return TG_ERROR;
    }

    for (unsigned i = 0; i < conf->routes.n; i++) {
        route = conf->routes.list[i];

        if (route->when != NULL
            && tg_quotas_bind(&conf->quotas, route->when, &e) != TG_OK)
        {
            return tg_error(err, 0, e.offset, "route \"%.*s\": %s",
                            TG_ARG(route->name), e.message);
        }
    }

    return tg_conf_finish_actions(conf, err);
}


/* 0: there is nobody to go to; 1: a key for whoever comes. */
static bool
tg_conf_pass_warning(const tg_conf_t *conf, unsigned k, tg_error_t *warning)
{
    const tg_provider_t  *pr;
    bool                  some = false, keyed = false;

    for (unsigned i = 0; i < conf->nproviders; i++) {
        pr = &conf->providers[i];
        some |= pr->host.len != 0;
        keyed |= pr->key_file.len != 0;
    }

    if (k == 0 && conf->passes && !some) {
        (void) tg_error(warning, 0, 0, "llm_pass (LLMPass) is on, and no"
                        " llm_provider (LLMProvider) has a url: each call gets"
                        " 404");
        return true;
    }

    if (k == 1 && conf->passes && keyed && conf->keys.file.len == 0) {
        (void) tg_error(warning, 0, 0, "providers' keys go with the calls of"
                        " whoever gets here: there is no llm_keys (LLMKeys)");
        return true;
    }

    return false;
}


/* A route behind one that takes all calls; a target without its model. */
static bool
tg_conf_one_route_warning(const tg_conf_t *conf, const tg_route_t *before,
    const tg_route_t *route, unsigned target, tg_error_t *warning)
{
    const tg_target_t    *t;
    const tg_provider_t  *pr;

    if (target == TG_TARGETS_MAX) {
        if (before == NULL || before->when != NULL || before->by_quota
            || before->dry_run)
        {
            return false;
        }

        (void) tg_error(warning, 0, 0, "route \"%.*s\" only gets what no"
                        " target of \"%.*s\" can serve, which has no when=",
                        TG_ARG(route->name), TG_ARG(before->name));
        return true;
    }

    if (target >= route->ntargets) {
        return false;
    }

    t = &route->targets[target];
    pr = &conf->providers[t->provider];

    if (t->model.len == 0 || pr->nmodels == 0
        || tg_models_match(pr->models, pr->nmodels, t->model))
    {
        return false;
    }

    (void) tg_error(warning, 0, 0, "route \"%.*s\": model \"%.*s\" is none of"
                    " provider \"%.*s\"'s models=", TG_ARG(route->name),
                    TG_ARG(t->model), TG_ARG(pr->name));

    return true;
}


bool
tg_conf_route_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning)
{
    unsigned           k;
    const tg_route_t  *before, *const *list;

    list = (const tg_route_t *const *) conf->routes.list;

    while ((k = *i - first) < TG_ROUTE_WARNINGS) {
        (*i)++;

        if (k < 2) {
            if (tg_conf_pass_warning(conf, k, warning)) {
                return true;
            }
            continue;
        }

        k -= 2;
        before = k / (1 + TG_TARGETS_MAX) == 0 ? NULL
                 : list[k / (1 + TG_TARGETS_MAX) - 1];

        if (k / (1 + TG_TARGETS_MAX) < conf->routes.n
            && tg_conf_one_route_warning(conf, before,
                                         list[k / (1 + TG_TARGETS_MAX)],
                                         k % (1 + TG_TARGETS_MAX), warning))
        {
            return true;
        }
    }

    return false;
}
