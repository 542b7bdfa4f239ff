/* llm_geoip, and what guards need of the whole configuration. */

#include "tg_conf_int.h"


int
tg_conf_geoip(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    if (conf->ngeoip != 0) {
        return tg_error(err, 0, 0, "is given twice");
    }

    for ( /* void */ ; conf->ngeoip < nargs; conf->ngeoip++) {
        if (tg_conf_file(conf, args[conf->ngeoip],
                         &conf->geoip[conf->ngeoip], err)
            != TG_OK)
        {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


const char *
tg_conf_bind_provider(void *data, tg_str_t name, uintptr_t *handle)
{
    const tg_conf_t  *conf = data;

    for (unsigned i = 0; i < conf->nproviders; i++) {
        if (tg_str_eq(conf->providers[i].name, name)) {
            *handle = i + 1;
            return NULL;
        }
    }

    return "is the name of no llm_provider";
}


/* What guards name, once the quotas know theirs. */
int
tg_conf_finish_guards(tg_conf_t *conf, tg_error_t *err)
{
    tg_error_t  why;

    for (unsigned i = 0; i < conf->guards.n; i++) {
        const tg_guard_t  *g = conf->guards.list[i];

        if (g->when != NULL
            && tg_quotas_bind(&conf->quotas, g->when, &why) != TG_OK)
        {
            return tg_error(err, 0, why.offset, "guard \"%.*s\": %s",
                            TG_ARG(g->name), why.message);
        }

        if (g->ncountries != 0 && conf->ngeoip == 0) {
            return tg_error(err, 0, 0, "guard \"%.*s\" can't tell where a"
                            " call comes from: llm_geoip (LLMGeoIP) is"
                            " missing", TG_ARG(g->name));
        }
    }

    return TG_OK;
}
