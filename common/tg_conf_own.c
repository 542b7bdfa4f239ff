/* llm_me and llm_outcome: locations that are answered here; llm_trace and
 * llm_prefix_hash: what ties the lines of calls together. */

#include "tg_conf_int.h"
#include "tg_own.h"


int
tg_conf_own(tg_conf_t *conf, tg_scope_t *scope, tg_own_t own, tg_error_t *err)
{
    if (scope->own == (int8_t) own) {
        return tg_error(err, 0, 0, "is given twice here");
    }

    if (scope->own != TG_UNSET || scope->status != TG_UNSET) {
        return tg_error(err, 0, 0, "is given where another directive says what"
                        " the location answers");
    }

    scope->own = (int8_t) own;
    conf->asks_keys = true;

    return TG_OK;
}


int
tg_conf_finish_own(tg_conf_t *conf, tg_error_t *err)
{
    if (!conf->asks_keys) {
        return TG_OK;
    }

    if (conf->keys.file.len == 0) {
        return tg_error(err, 0, 0, "llm_me and llm_outcome know callers by"
                        " their keys: llm_keys (LLMKeys) is missing");
    }

    conf->outcome_paths = tg_own_outcome_paths(conf->mem, err);

    return conf->outcome_paths != NULL ? TG_OK : TG_ERROR;
}


int
tg_conf_trace(tg_scope_t *scope, tg_str_t word, tg_error_t *err)
{
    if (scope->own_trace) {
        return tg_error(err, 0, 0, "is given twice here");
    }

    scope->own_trace = true;

    if (tg_str_eq(word, tg_str("on"))) {
        scope->trace = 1;

    } else if (tg_str_eq(word, tg_str("off"))) {
        scope->trace = 0;

    } else {
        return tg_error(err, 0, 0, "takes on or off, not \"%.*s\"",
                        TG_ARG(word));
    }

    return TG_OK;
}


int
tg_conf_prefix_hash(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    tg_str_t           v;
    tg_conf_prefix_t  *pc = &conf->prefix;

    if (pc->said) {
        return tg_error(err, 0, 0, "is given twice");
    }

    pc->said = true;

    for (unsigned i = 0; i < nargs; i++) {
        if (i == 0 && tg_str_eq(args[i], tg_str("off"))) {
            pc->off = true;

        } else if (i == 0 && tg_str_eq(args[i], tg_str("on"))) {
            pc->off = false;

        } else if (tg_conf_param(args[i], "key", &v)) {
            if (!tg_str_starts(v, tg_str("file:")) || v.len == 5
                || pc->key_file.len != 0)
            {
                return tg_error(err, 0, 0, "key= takes file:<path>: a secret is"
                                " not for the configuration");
            }

            if (tg_conf_file(conf, tg_str_of(v.p + 5, v.len - 5),
                             &pc->key_file, err)
                != TG_OK)
            {
                return TG_ERROR;
            }

        } else {
            return tg_conf_unknown_param(args[i], "on, off and key=", err);
        }
    }

    return TG_OK;
}
