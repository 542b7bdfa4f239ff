/* What a location says of its calls, and what it has of those around it. */

#include "tg_conf_int.h"


void
tg_scope_init(tg_scope_t *scope)
{
    memset(scope, 0, sizeof(tg_scope_t));

    scope->enable = TG_UNSET;
    scope->reject_unknown = TG_UNSET;
    scope->pass = TG_UNSET;
    scope->cache = TG_UNSET;
    scope->status = TG_UNSET;
    scope->own = TG_UNSET;
    scope->trace = TG_UNSET;
    scope->drain_ms = TG_UNSET;
}


/* on_disconnect= */
static int
tg_conf_disconnect(tg_scope_t *scope, tg_str_t v, tg_error_t *err)
{
    if (tg_str_eq(v, tg_str("abort"))) {
        scope->drain_ms = 0;
        return TG_OK;
    }

    if (tg_str_starts(v, tg_str("drain:"))) {
        scope->drain_ms = tg_conf_time(tg_str_of(v.p + 6, v.len - 6));
        if (scope->drain_ms > 0) {
            return TG_OK;
        }
    }

    return tg_error(err, 0, 0, "on_disconnect= takes abort or drain:<time> such"
                    " as drain:30s, not \"%.*s\"", TG_ARG(v));
}


int
tg_conf_enable(tg_scope_t *scope, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    tg_str_t  v;

    if (scope->own_enable) {
        return tg_error(err, 0, 0, "is given twice here");
    }

    if (tg_str_caseeq(args[0], tg_str("on"))) {
        scope->enable = TG_ON;

    } else if (tg_str_caseeq(args[0], tg_str("off"))) {
        scope->enable = TG_OFF;

    } else if (tg_str_caseeq(args[0], tg_str("dry_run"))
               || tg_str_caseeq(args[0], tg_str("dryrun")))
    {
        scope->enable = TG_DRY_RUN;

    } else {
        return tg_error(err, 0, 0, "takes on, off or dry_run, not \"%.*s\"",
                        TG_ARG(args[0]));
    }

    scope->own_enable = true;

    for (unsigned i = 1; i < nargs; i++) {

        if (tg_conf_param(args[i], "on_disconnect", &v)) {
            if (tg_conf_disconnect(scope, v, err) != TG_OK) {
                return TG_ERROR;
            }
            continue;
        }

        if (tg_conf_param(args[i], "unknown", &v)) {

            if (tg_str_eq(v, tg_str("pass"))) {
                scope->reject_unknown = 0;

            } else if (tg_str_eq(v, tg_str("reject"))) {
                scope->reject_unknown = 1;

            } else {
                return tg_error(err, 0, 0, "unknown= takes pass or reject, not"
                                " \"%.*s\"", TG_ARG(v));
            }
            continue;
        }

        return tg_conf_unknown_param(args[i], "on_disconnect=, unknown=", err);
    }

    return TG_OK;
}


int
tg_conf_pass(tg_conf_t *conf, tg_scope_t *scope, tg_str_t arg,
    tg_error_t *err)
{
    if (scope->own_pass) {
        return tg_error(err, 0, 0, "is given twice here");
    }

    if (tg_str_caseeq(arg, tg_str("on"))) {
        scope->pass = 1;
        conf->passes = true;

    } else if (tg_str_caseeq(arg, tg_str("off"))) {
        scope->pass = 0;

    } else {
        return tg_error(err, 0, 0, "takes on or off, not \"%.*s\"",
                        TG_ARG(arg));
    }

    scope->own_pass = true;

    return TG_OK;
}


void
tg_scope_inherit(const tg_scope_t *parent, tg_scope_t *child)
{
    if (child->enable == TG_UNSET) {
        child->enable = parent->enable;
    }

    if (child->reject_unknown == TG_UNSET) {
        child->reject_unknown = parent->reject_unknown;
    }

    if (child->pass == TG_UNSET) {
        child->pass = parent->pass;
    }

    if (child->cache == TG_UNSET) {
        child->cache = parent->cache;
    }

    if (child->status == TG_UNSET && child->own == TG_UNSET) {
        child->status = parent->status;
        child->own = parent->own;
    }

    if (child->trace == TG_UNSET) {
        child->trace = parent->trace;
    }

    /* A look at what calls have cost is no call. */

    if (child->status != TG_UNSET || child->own != TG_UNSET) {
        child->enable = TG_OFF;
    }

    if (child->drain_ms == TG_UNSET) {
        child->drain_ms = parent->drain_ms;
    }

    if (child->logs == NULL) {
        child->logs = parent->logs;
        child->nlogs = parent->nlogs;
    }
}


void
tg_scope_merge(const tg_scope_t *parent, tg_scope_t *child)
{
    tg_scope_t  above = *parent;

    /* A handler is of its location alone. */

    above.status = TG_UNSET;
    above.own = TG_UNSET;
    tg_scope_inherit(&above, child);

    if (child->enable == TG_UNSET) {
        child->enable = TG_OFF;
    }

    if (child->reject_unknown == TG_UNSET) {
        child->reject_unknown = 0;
    }

    if (child->pass == TG_UNSET) {
        child->pass = 0;
    }

    if (child->cache == TG_UNSET) {
        child->cache = 0;
    }

    if (child->trace == TG_UNSET) {
        child->trace = 0;
    }

    if (child->drain_ms == TG_UNSET) {
        child->drain_ms = 0;
    }
}
