/* What a configuration says that has no effect. */

#include "tg_group_conf_int.h"

#include <stdarg.h>
#include <stdio.h>


static bool
tg_group_warn(const tg_group_conf_t *gc, tg_error_t *warning, const char *fmt,
    ...)
    __attribute__((format(printf, 3, 4)));

static bool
tg_group_warn(const tg_group_conf_t *gc, tg_error_t *warning, const char *fmt,
    ...)
{
    char     text[sizeof(warning->message)];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    (void) tg_error(warning, 0, 0, "upstream \"%.*s\": %s", TG_ARG(gc->name),
                    text);

    return true;
}


static bool
tg_group_warn_check(const tg_group_conf_t *gc, unsigned i,
    tg_error_t *warning)
{
    const tg_check_conf_t  *cc = &gc->check;

    switch (i) {

    case 0:
        return cc->on && cc->stall != 0 && cc->stall < 2 * cc->interval
               && tg_group_warn(gc, warning, "stall= is shorter than two"
                                " intervals: a busy server that was asked twice"
                                " at one moment counts as stalled");
    case 1:
        return cc->on && cc->max_ejected == 100
               && tg_group_warn(gc, warning, "max_ejected=100%% lets a fault of"
                                " the checks alone take all servers away");
    case 2:
        return cc->slow_start != 0 && gc->balance == TG_BALANCE_NONE
               && tg_group_warn(gc, warning, "slow_start= has no effect without"
                                " llm_balance (LLMBalance)");
    case 3:
        return !cc->on && gc->balance != TG_BALANCE_NONE
               && tg_group_warn(gc, warning, "llm_balance (LLMBalance) goes by"
                                " calls under way alone: there is no"
                                " llm_health_check (LLMHealthCheck), by which"
                                " servers' queues and caches are known");
    case 4:
        return gc->balance != TG_BALANCE_NONE && gc->nservers == 1
               && tg_group_warn(gc, warning, "llm_balance (LLMBalance) has no"
                                " effect with one server");
    default:
        return false;
    }
}


static bool
tg_group_warn_backend(const tg_group_conf_t *gc, const tg_backend_conf_t *bc,
    unsigned i, tg_error_t *warning)
{
    const char  *of = bc == &gc->rest ? "llm_backend (LLMBackend)" : "server ";
    tg_str_t     s = bc->server;

    switch (i) {

    case 0:
        return (bc->type == TG_ENGINE_OPENAI || bc->type == TG_ENGINE_OLLAMA)
               && bc->metrics.len != 0
               && tg_group_warn(gc, warning, "%s%.*s: metrics= has no effect"
                                " with type=%.*s, of which no metrics are"
                                " known", of, TG_ARG(s),
                                TG_ARG(tg_engine_name(bc->type)));
    case 1:
        return bc->instead_of.len != 0 && bc->cost_nusd < 0
               && tg_group_warn(gc, warning, "%s%.*s: instead_of= compares"
                                " with nothing: there is no gpu_cost=", of,
                                TG_ARG(s));
    case 2:
        return bc != &gc->rest && bc->cost_nusd < 0 && gc->rest.cost_nusd >= 0
               && tg_group_warn(gc, warning, "server %.*s has no gpu_cost=: a"
                                " llm_backend (LLMBackend) that names it has"
                                " nothing of the one without a server",
                                TG_ARG(s));
    case 3:
        return bc->by_prices && bc->cost_nusd < 0 && bc == &gc->rest
               && gc->nbackends == 0
               && tg_group_warn(gc, warning, "cost=prices has no effect without"
                                " gpu_cost=: calls go by the price list"
                                " anyway");
    case 4:
        return bc == &gc->rest && gc->rest_said && !gc->rest_used
               && tg_group_warn(gc, warning, "llm_backend (LLMBackend) without"
                                " a server holds for none: each has its own");
    default:
        return false;
    }
}


/* Any of its servers says how full it is. */
static bool
tg_group_measurable(const tg_group_conf_t *gc)
{
    const tg_backend_conf_t  *bc;

    for (unsigned i = 0; i <= gc->nbackends; i++) {
        bc = i == gc->nbackends ? &gc->rest : gc->backends[i];

        if (bc == &gc->rest && !gc->rest_used) {
            continue;
        }

        if (bc->capacity != 0
            || (gc->check.on && !bc->no_metrics && bc->type != TG_ENGINE_OPENAI
                && bc->type != TG_ENGINE_OLLAMA))
        {
            return true;
        }
    }

    return false;
}


static bool
tg_group_warn_scale(const tg_group_conf_t *gc, const tg_scale_conf_t *sc,
    unsigned i, tg_error_t *warning)
{
    switch (i) {

    case 0:
        return sc->idle != 0 && gc->nservers != 0 && sc->keep >= gc->nservers
               && tg_group_warn(gc, warning, "llm_scale (LLMScale): idle= has"
                                " no effect, for keep=%u is all servers",
                                sc->keep);
    case 1:
        return sc->saturated != 0 && !tg_group_measurable(gc)
               && tg_group_warn(gc, warning, "llm_scale (LLMScale): saturated="
                                " has no effect: no server has metrics that are"
                                " asked for, or a capacity=");
    case 2:
        return sc->idle != 0 && !gc->check.on
               && tg_group_warn(gc, warning, "llm_scale (LLMScale): idle="
                                " goes by calls that pass here alone: there is"
                                " no llm_health_check (LLMHealthCheck)");
    default:
        return false;
    }
}


#define TG_WARN_CHECKS    5
#define TG_WARN_BACKENDS  5
#define TG_WARN_SCALES    3


bool
tg_group_conf_warning(const tg_group_conf_t *gc, unsigned *i,
    tg_error_t *warning)
{
    unsigned  n, k, backends = TG_WARN_BACKENDS * (gc->nbackends + 1);

    while (gc->said && *i < TG_WARN_CHECKS + backends
                            + TG_WARN_SCALES * gc->nscale)
    {
        n = (*i)++;

        if (n < TG_WARN_CHECKS) {
            if (tg_group_warn_check(gc, n, warning)) {
                return true;
            }
            continue;
        }

        n -= TG_WARN_CHECKS;

        if (n < backends) {
            k = n / TG_WARN_BACKENDS;

            if (tg_group_warn_backend(gc, k == 0 ? &gc->rest
                                          : gc->backends[k - 1],
                                      n % TG_WARN_BACKENDS, warning))
            {
                return true;
            }
            continue;
        }

        n -= backends;

        if (tg_group_warn_scale(gc, gc->scale[n / TG_WARN_SCALES],
                                n % TG_WARN_SCALES, warning))
        {
            return true;
        }
    }

    return false;
}
