/* What a when= names that the rest of the configuration does not have. */

#include "tg_conf_int.h"
#include "tg_when.h"

typedef struct {
    const char  *what;          /* "quota" */
    tg_str_t     name;
    tg_expr_t   *when;
} tg_conf_when_t;


/* The i-th of quotas, guards and routes; false past the last one. */
static bool
tg_conf_when(const tg_conf_t *conf, unsigned i, tg_conf_when_t *w)
{
    if (i < conf->quotas.n) {
        *w = (tg_conf_when_t) { "quota", conf->quotas.list[i]->name,
                                conf->quotas.list[i]->when };
        return true;
    }

    i -= conf->quotas.n;

    if (i < conf->guards.n) {
        *w = (tg_conf_when_t) { "guard", conf->guards.list[i]->name,
                                conf->guards.list[i]->when };
        return true;
    }

    i -= conf->guards.n;

    if (i < conf->routes.n) {
        *w = (tg_conf_when_t) { "route", conf->routes.list[i]->name,
                                conf->routes.list[i]->when };
        return true;
    }

    return false;
}


static bool
tg_conf_has_tag(const tg_conf_t *conf, tg_str_t name)
{
    for (unsigned i = 0; i < conf->ntags; i++) {
        if (tg_str_eq(conf->tags[i].name, name)) {
            return true;
        }
    }

    /* A key may have any. */

    return conf->keys.file.len != 0;
}


/* A tg_expr_bind_t: by its name a tag is found when a call comes. */
static const char *
tg_conf_bind_tag(void *data, tg_str_t name, uintptr_t *handle)
{
    *handle = 0;

    return tg_conf_has_tag(data, name) ? NULL : "is the name of no llm_tag";
}


/* A tg_expr_compared_t. */
static const char *
tg_conf_compared_provider(void *data, const tg_expr_value_t *literal)
{
    uintptr_t  handle;

    return tg_vendor_by_name(literal->s) != NULL
           || tg_conf_bind_provider(data, literal->s, &handle) == NULL
           ? NULL : "neither an llm_provider nor a vendor has this name";
}


int
tg_conf_check_when(void *data, tg_expr_t *when, tg_error_t *err)
{
    tg_conf_t  *conf = data;

    if (tg_when_check(when, err) != TG_OK
        || tg_expr_compared(when, TG_WHEN_PROVIDER, tg_conf_compared_provider,
                            conf, err)
           != TG_OK
        || tg_expr_bind(when, TG_WHEN_TAG, tg_conf_bind_tag, conf, err)
           != TG_OK)
    {
        return TG_ERROR;
    }

    if (conf->ngeoip == 0 && !conf->placed
        && (tg_expr_uses(when, TG_WHEN_COUNTRY)
            || tg_expr_uses(when, TG_WHEN_ASN)))
    {
        return tg_error(err, 0, 0, "when= can't tell where a call comes from:"
                        " llm_geoip (LLMGeoIP) is missing");
    }

    if (tg_expr_uses(when, TG_WHEN_DEPTH)
        && !tg_conf_has_tag(conf, tg_str("depth")))
    {
        return tg_error(err, 0, 0, "when= has depth, and there is no llm_tag"
                        " (LLMTag) of that name");
    }

    return TG_OK;
}


bool
tg_conf_when_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning)
{
    static const struct {
        tg_when_symbol_t  symbol;
        tg_quota_per_t    per;
    } who[TG_WHEN_WHO] = {
        { TG_WHEN_KEY, { TG_PER_KEY, { NULL, 0 } } },
        { TG_WHEN_USER, { TG_PER_USER, { NULL, 0 } } },
        { TG_WHEN_TEAM, { TG_PER_TEAM, { NULL, 0 } } },
        { TG_WHEN_ORG, { TG_PER_ORG, { NULL, 0 } } },
        { TG_WHEN_SESSION, { TG_PER_SESSION, { NULL, 0 } } },
        { TG_WHEN_AGENT, { TG_PER_AGENT, { NULL, 0 } } }
    };

    unsigned           k;
    const char        *why;
    tg_str_t           names[TG_TAGS_MAX];
    tg_conf_when_t     w;
    tg_quota_facts_t   facts;

    tg_conf_facts(conf, names, &facts);

    while ((k = *i - first) < TG_WHEN_WARNINGS) {
        (*i)++;

        if (!tg_conf_when(conf, k / TG_WHEN_WHO, &w) || w.when == NULL
            || !tg_expr_uses(w.when, who[k % TG_WHEN_WHO].symbol))
        {
            continue;
        }

        why = tg_quota_missing(&who[k % TG_WHEN_WHO].per, &facts);

        if (why != NULL) {
            (void) tg_error(warning, 0, 0, "%s \"%.*s\" asks in its when= for"
                            " the %s, but %s: it is never known", w.what,
                            TG_ARG(w.name),
                            tg_per_names[who[k % TG_WHEN_WHO].per.kind], why);
            return true;
        }
    }

    return false;
}
