/* What routes name, and who names routes. */

#include "tg_conf_int.h"


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
