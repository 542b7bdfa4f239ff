#include "tg_conf_int.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

const tg_directive_t  tg_directives[TG_DIRECTIVES] = {
#define TG_DIRECTIVE(id, ngx, httpd, contexts, least, most, syntax, def, help) \
    { ngx, httpd, contexts, least, most, syntax, def, help },
#include "tg_directives.def"
#undef TG_DIRECTIVE
};


tg_conf_t *
tg_conf_create(tg_mem_t *mem)
{
    tg_conf_t  *conf = tg_zalloc(mem, sizeof(tg_conf_t));

    if (conf != NULL) {
        conf->mem = mem;
        conf->said_end = &conf->said;
        conf->logs_end = &conf->logs;
        conf->hash = UINT64_C(14695981039346656037);
        tg_conf_metrics_init(&conf->metrics);
    }

    return conf;
}


void
tg_conf_destroy(tg_conf_t *conf)
{
    if (conf != NULL) {
        tg_quotas_destroy(&conf->quotas);
        tg_guards_destroy(&conf->guards);
        tg_routes_destroy(&conf->routes);
    }
}


int
tg_conf_file(tg_conf_t *conf, tg_str_t name, tg_str_t *file, tg_error_t *err)
{
    if (name.len == 0) {
        return tg_error(err, 0, 0, "has an empty file name");
    }

    *file = conf->full_name == NULL ? name
            : conf->full_name(conf->full_name_data, name);

    if (file->len == 0) {
        return tg_error(err, 0, 0, "has a bad file name \"%.*s\"",
                        TG_ARG(name));
    }

    *file = tg_dup(conf->mem, *file);

    return file->p != NULL ? TG_OK : tg_error(err, 0, 0, "no memory");
}


tg_str_t
tg_conf_lower(tg_conf_t *conf, tg_str_t s)
{
    char  *p = tg_dupz(conf->mem, s);

    for (size_t i = 0; p != NULL && i < s.len; i++) {
        p[i] = tg_lower(p[i]);
    }

    return p == NULL ? tg_str_null : tg_str_of(p, s.len);
}


static int
tg_conf_prices(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    for (unsigned i = 0; i < nargs; i++) {

        if (conf->nprices == TG_FILES_MAX) {
            return tg_error(err, 0, 0, "more than %d files", TG_FILES_MAX);
        }

        if (tg_conf_file(conf, args[i], &conf->prices[conf->nprices], err)
            != TG_OK)
        {
            return TG_ERROR;
        }

        conf->nprices++;
    }

    return TG_OK;
}


static void
tg_conf_hash(tg_conf_t *conf, tg_directive_id_t id, const tg_str_t *args,
    unsigned nargs)
{
    uint64_t  h = conf->hash;

    h = (h ^ (uint64_t) id) * UINT64_C(1099511628211);

    for (unsigned i = 0; i < nargs; i++) {

        /* What hosts of one configuration differ in. */

        if (id == TG_DIRECTIVE_LEDGER && tg_str_starts(args[i], tg_str("node="))) {
            continue;
        }

        for (size_t k = 0; k <= args[i].len; k++) {
            h ^= k == args[i].len ? 0xff : (unsigned char) args[i].p[k];
            h *= UINT64_C(1099511628211);
        }
    }

    conf->hash = h;
}


int
tg_conf_directive(tg_conf_t *conf, tg_scope_t *scope, tg_directive_id_t id,
    const tg_str_t *args, unsigned nargs, tg_error_t *err)
{
    const tg_directive_t  *d = &tg_directives[id];

    if (nargs < d->least || nargs > d->most) {
        return tg_conf_takes(d->syntax, d->most, args, nargs, err);
    }

    if (tg_conf_once(args, nargs, err) != TG_OK) {
        return TG_ERROR;
    }

    tg_conf_hash(conf, id, args, nargs);

    if (tg_conf_keep(conf, id, args, nargs) != TG_OK) {
        return tg_error(err, 0, 0, "no memory");
    }

    switch (id) {
    case TG_DIRECTIVE_ENABLE:
        return tg_conf_enable(scope, args, nargs, err);
    case TG_DIRECTIVE_PASS:
        return tg_conf_pass(conf, scope, args[0], err);
    case TG_DIRECTIVE_CACHE:
        return tg_conf_cache(conf, scope, args, nargs, err);
    case TG_DIRECTIVE_PRICES:
        return tg_conf_prices(conf, args, nargs, err);
    case TG_DIRECTIVE_LOG:
        return tg_conf_log(conf, scope, args, nargs, err);
    case TG_DIRECTIVE_TAG:
        return tg_conf_tag(conf, args, nargs, err);
    case TG_DIRECTIVE_PROVIDER:
        return tg_conf_add_provider(conf, args, nargs, err);
    case TG_DIRECTIVE_KEYS:
        return tg_conf_keys(conf, args, nargs, err);
    case TG_DIRECTIVE_LEDGER:
        return tg_conf_ledger(conf, args, nargs, err);
    case TG_DIRECTIVE_QUOTA:
        return tg_quotas_add(&conf->quotas, conf->mem, args, nargs, err);
    case TG_DIRECTIVE_GUARD:
        return tg_guards_add(&conf->guards, conf->mem, args, nargs, err);
    case TG_DIRECTIVE_GEOIP:
        return tg_conf_geoip(conf, args, nargs, err);
    case TG_DIRECTIVE_ROUTE:
        return tg_conf_route(conf, args, nargs, err);
    case TG_DIRECTIVE_METRICS:
        return tg_conf_metrics(conf, args, nargs, err);
    case TG_DIRECTIVE_STATUS:
        return tg_conf_status(scope, args, nargs, err);
    case TG_DIRECTIVE_ME:
        return tg_conf_own(conf, scope, TG_OWN_ME, err);
    case TG_DIRECTIVE_OUTCOME:
        return tg_conf_own(conf, scope, TG_OWN_OUTCOME, err);
    case TG_DIRECTIVE_TRACE:
        return tg_conf_trace(scope, args[0], err);
    case TG_DIRECTIVE_PREFIX_HASH:
        return tg_conf_prefix_hash(conf, args, nargs, err);
    case TG_DIRECTIVE_ALERT:
        return tg_conf_alert(&conf->alerts, conf->mem, args, nargs, err);
    case TG_DIRECTIVES:
        break;
    }

    return tg_error(err, 0, 0, "is not a directive");
}


int
tg_conf_finish(tg_conf_t *conf, tg_error_t *err)
{
    if (conf->cache.wanted && conf->cache.store.len == 0) {
        return tg_error(err, 0, 0, "llm_cache is on, and nothing says what the"
                        " cache is");
    }

    if (tg_conf_metrics_finish(conf, err) != TG_OK
        || tg_conf_finish_own(conf, err) != TG_OK
        || tg_conf_finish_tags(conf, err) != TG_OK
        || tg_conf_finish_logs(conf, err) != TG_OK)
    {
        return TG_ERROR;
    }

    (void) snprintf(conf->hash_text, sizeof(conf->hash_text), "%016" PRIx64,
                    conf->hash);

    if (tg_line_prepare(conf) != TG_OK) {
        return tg_error(err, 0, 0, "no memory");
    }

    return tg_conf_finish_quotas(conf, err) == TG_OK
           && tg_conf_finish_alerts(conf, err) == TG_OK
           && tg_conf_finish_routes(conf, err) == TG_OK
           ? tg_conf_finish_guards(conf, err) : TG_ERROR;
}


/* Of each kind of directive; their numbers follow one another. */
static bool
tg_conf_part_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning)
{
    static const struct {
        unsigned    most;
        bool      (*next)(const tg_conf_t *, unsigned, unsigned *,
                          tg_error_t *);
    } parts[] = {
        { TG_ROUTE_WARNINGS, tg_conf_route_warning },
        { TG_COMPANION_WARNINGS, tg_conf_companion_warning },
        { TG_ALERT_WARNINGS, tg_conf_alert_warning },
        { TG_WHEN_WARNINGS, tg_conf_when_warning },
        { TG_PROVIDER_WARNINGS, tg_conf_provider_warning },
        { TG_TAG_WARNINGS, tg_conf_tag_warning },
        { UINT_MAX, tg_conf_quota_warning }
    };

    for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
        if (*i - first < parts[k].most
            && parts[k].next(conf, first, i, warning))
        {
            return true;
        }

        first += parts[k].most;
    }

    return false;
}


bool
tg_conf_warning(const tg_conf_t *conf, bool enabled, bool logged, unsigned *i,
    tg_error_t *warning)
{
    for ( ;; ) {
        switch ((*i)++) {

        case 0:
            if (enabled && !logged) {
                (void) tg_error(warning, 0, 0, "calls are metered but no cost"
                                " line is written: there is no log");
                return true;
            }
            break;

        case 1:
            if (!enabled && (conf->ntags || conf->nproviders || conf->nprices
                             || conf->nlogs || conf->quotas.n
                             || conf->keys.file.len))
            {
                (void) tg_error(warning, 0, 0, "nothing is metered: no"
                                " location says \"llm on\" (LLMEngine On)");
                return true;
            }
            break;

        case 2:
            if (enabled && conf->nprices == 0) {
                (void) tg_error(warning, 0, 0, "tokens are counted but nothing"
                                " is priced: there is no price list");
                return true;
            }
            break;

        default:
            (*i)--;

            if (!enabled) {
                return false;
            }

            return tg_conf_part_warning(conf, 3, i, warning);
        }
    }
}
