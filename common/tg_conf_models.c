#include "tg_conf_int.h"

#include "tg_keys.h"


/* What the keys file takes as one, and nothing that looks like a slip. */
static bool
tg_conf_model_ok(tg_str_t s)
{
    if (s.len == 0 || s.len > TG_KEY_TEXT_MAX) {
        return false;
    }

    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char) s.p[i] <= ' ' || (unsigned char) s.p[i] > '~') {
            return false;
        }
    }

    return true;
}


int
tg_conf_models(tg_conf_t *conf, tg_provider_t *pr, tg_str_t list,
    tg_error_t *err)
{
    bool         more;
    tg_str_t     s;

    if (pr->models == NULL) {
        pr->models = tg_alloc(conf->mem,
                              TG_PROVIDER_MODELS_MAX * sizeof(tg_str_t));
        if (pr->models == NULL) {
            return tg_error(err, 0, 0, "no memory");
        }
    }

    do {
        more = tg_str_cut(&list, ',', &s);

        if (!tg_conf_model_ok(s)) {
            return tg_error(err, 0, 0, "models= takes names and patterns with a"
                            " comma between, such as gpt-*,o*, not \"%.*s\"",
                            (int) (s.len < 80 ? s.len : 80),
                            s.len == 0 ? "" : s.p);
        }

        if (pr->nmodels == TG_PROVIDER_MODELS_MAX) {
            return tg_error(err, 0, 0, "models= has more than %d patterns",
                            TG_PROVIDER_MODELS_MAX);
        }

        pr->models[pr->nmodels] = tg_dup(conf->mem, s);

        if (pr->models[pr->nmodels++].p == NULL) {
            return tg_error(err, 0, 0, "no memory");
        }

    } while (more);

    return TG_OK;
}
