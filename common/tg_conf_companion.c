/* The upstream module of the same server, and who asks of it. */

#include "tg_conf_int.h"
#include "tg_when.h"


bool
tg_conf_companion(tg_conf_t *conf, const tg_companion_upstream_t *companion)
{
    bool            same;
    tg_provider_t  *pr;

    same = companion == NULL || companion->version == TG_COMPANION_VERSION;
    conf->companion = same ? companion : NULL;

    for (unsigned i = 0; i < conf->nproviders; i++) {
        pr = &conf->providers[i];
        pr->group = conf->companion == NULL || pr->authority.len == 0 ? NULL
                    : companion->group(companion->data, pr->authority);
    }

    return same;
}


bool
tg_conf_companion_owns(const tg_conf_t *conf, void *r)
{
    const tg_companion_upstream_t  *companion = conf->companion;

    return companion != NULL && companion->owns(companion->data, r);
}


typedef struct {
    const tg_conf_t  *conf;
    bool              named[TG_PROVIDERS_MAX];
} tg_conf_named_t;


/* A tg_expr_bind_t. */
static const char *
tg_conf_name(void *data, tg_str_t name, uintptr_t *handle)
{
    const char       *wrong;
    tg_conf_named_t  *named = data;

    wrong = tg_conf_bind_provider((void *) (uintptr_t) named->conf, name,
                                  handle);
    if (wrong == NULL) {
        named->named[*handle - 1] = true;
    }

    return wrong;
}


/* Providers that saturated() is asked of. */
static void
tg_conf_names(tg_conf_named_t *named)
{
    tg_error_t         err;
    tg_expr_t         *when;
    const tg_conf_t   *conf = named->conf;
    unsigned           i, n = conf->quotas.n + conf->guards.n;

    for (i = 0; i < n + conf->routes.n; i++) {
        when = i < conf->quotas.n ? conf->quotas.list[i]->when
               : i < n ? conf->guards.list[i - conf->quotas.n]->when
               : conf->routes.list[i - n]->when;

        if (when != NULL) {
            (void) tg_expr_bind(when, TG_WHEN_SATURATED, tg_conf_name, named,
                                &err);
        }
    }
}


bool
tg_conf_companion_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning)
{
    unsigned              k;
    tg_conf_named_t       named = { 0 };
    const tg_provider_t  *pr;

    named.conf = conf;
    tg_conf_names(&named);

    while ((k = *i - first) < TG_COMPANION_WARNINGS) {
        (*i)++;
        pr = &conf->providers[k];

        if (!named.named[k] || pr->group != NULL) {
            continue;
        }

        if (conf->companion == NULL) {
            *i = first + TG_COMPANION_WARNINGS;
            (void) tg_error(warning, 0, 0, "saturated() is never true: the"
                            " companion, the module that looks after upstreams"
                            " (docs/gpu.md), is not loaded");
            return true;
        }

        (void) tg_error(warning, 0, 0, "saturated(%.*s) is never true: no"
                        " upstream (balancer) of the name in that provider's"
                        " url= has a llm_backend (LLMBackend)",
                        TG_ARG(pr->name));
        return true;
    }

    return false;
}
