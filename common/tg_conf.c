#include "tg_conf_int.h"
#include "tg_recovered.h"

#include <inttypes.h>
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

            if (tg_str_eq(v, tg_str("abort"))) {
                scope->drain_ms = 0;
                continue;
            }

            if (tg_str_starts(v, tg_str("drain:"))) {
                scope->drain_ms = tg_conf_time(tg_str_of(v.p + 6, v.len - 6));
                if (scope->drain_ms > 0) {
                    continue;
                }
            }

            return tg_error(err, 0, 0, "on_disconnect= takes abort or"
                            " drain:<time> such as drain:30s, not \"%.*s\"",
                            TG_ARG(v));
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


static int
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


static int
tg_conf_log_param(tg_log_t *log, tg_str_t arg, tg_error_t *err)
{
    tg_str_t  v;
    int64_t   n;

    if (tg_conf_param(arg, "format", &v)) {

        if (tg_str_eq(v, tg_str("json"))) {
            log->format = TG_LOG_JSON;

        } else if (tg_str_eq(v, tg_str("underscore"))) {
            log->format = TG_LOG_UNDERSCORE;

        } else {
            return tg_error(err, 0, 0, "format= takes json or underscore, not"
                            " \"%.*s\"", TG_ARG(v));
        }

        return TG_OK;
    }

    if (tg_conf_param(arg, "buffer", &v)) {
        n = tg_conf_size(v);
        if (n < 64 * 1024 || n > 64 * 1024 * 1024) {
            return tg_error(err, 0, 0, "buffer= takes a size from 64k to 64m,"
                            " not \"%.*s\"", TG_ARG(v));
        }
        log->buffer = (size_t) n;
        return TG_OK;
    }

    if (tg_conf_param(arg, "flush", &v)) {
        n = tg_conf_time(v);
        if (n < 0 || n > 60 * 1000) {
            return tg_error(err, 0, 0, "flush= takes a time up to 1m, not"
                            " \"%.*s\"", TG_ARG(v));
        }
        log->flush_ms = n;
        return TG_OK;
    }

    if (tg_conf_param(arg, "if", &v) && v.len != 0) {
        log->condition = v;
        return TG_OK;
    }

    return tg_conf_unknown_param(arg, "format=, buffer=, flush=, if=", err);
}


static int
tg_conf_log(tg_conf_t *conf, tg_scope_t *scope, const tg_str_t *args,
    unsigned nargs, tg_error_t *err)
{
    tg_log_t  *log;

    if (scope->logs == NULL) {
        scope->logs = tg_zalloc(conf->mem, TG_LOGS_MAX * sizeof(tg_log_t));
        if (scope->logs == NULL) {
            return tg_error(err, 0, 0, "no memory");
        }
    }

    if (scope->nlogs == TG_LOGS_MAX) {
        return tg_error(err, 0, 0, "more than %d of them here", TG_LOGS_MAX);
    }

    log = &scope->logs[scope->nlogs];

    if (tg_str_eq(args[0], tg_str("off"))) {
        if (nargs != 1 || scope->nlogs != 0) {
            return tg_error(err, 0, 0, "\"off\" stands alone");
        }
        log->off = true;

    } else if (scope->nlogs != 0 && scope->logs[0].off) {
        return tg_error(err, 0, 0, "\"off\" stands alone");

    } else if (args[0].len == 0) {
        return tg_error(err, 0, 0, "has an empty file name");
    }

    log->target = tg_dup(conf->mem, args[0]);
    log->id = tg_recovered_log(log->target);
    log->buffer = 64 * 1024;
    log->flush_ms = 1000;

    for (unsigned i = 1; i < nargs; i++) {
        if (tg_conf_log_param(log, args[i], err) != TG_OK) {
            return TG_ERROR;
        }
    }

    log->condition = tg_dup(conf->mem, log->condition);
    scope->nlogs++;
    conf->nlogs++;

    return TG_OK;
}


static int
tg_conf_source(tg_conf_t *conf, tg_source_t *src, tg_str_t s, tg_error_t *err)
{
    const char  *colon;
    tg_str_t     rest;

    if (s.len > 1 && s.p[0] == '$') {
        src->kind = TG_SOURCE_VARIABLE;
        src->name = tg_dup(conf->mem, tg_str_of(s.p + 1, s.len - 1));
        return TG_OK;
    }

    if (tg_str_eq(s, tg_str("traceparent"))) {
        src->kind = TG_SOURCE_TRACEPARENT;
        src->name = tg_str("traceparent");
        return TG_OK;
    }

    if (tg_str_eq(s, tg_str("key"))) {
        src->kind = TG_SOURCE_KEY;
        return TG_OK;
    }

    if (tg_str_starts(s, tg_str("metadata."))) {
        src->kind = TG_SOURCE_BODY;
        src->field = tg_dup(conf->mem, s);
        return TG_OK;
    }

    colon = memchr(s.p, ':', s.len);
    rest = colon == NULL ? tg_str_null
           : tg_str_of(colon + 1, s.len - (size_t) (colon - s.p) - 1);

    if (rest.len == 0) {
        goto bad;
    }

    if (tg_str_starts(s, tg_str("env:"))) {
        src->kind = TG_SOURCE_VARIABLE;
        src->name = tg_dup(conf->mem, rest);

    } else if (tg_str_starts(s, tg_str("header:"))) {
        src->kind = TG_SOURCE_HEADER;
        src->name = tg_conf_lower(conf, rest);

    } else if (tg_str_starts(s, tg_str("baggage:"))) {
        src->kind = TG_SOURCE_BAGGAGE;
        src->name = tg_str("baggage");
        src->field = tg_dup(conf->mem, rest);

    } else if (tg_str_starts(s, tg_str("body:"))) {
        src->kind = TG_SOURCE_BODY;
        src->field = tg_dup(conf->mem, rest);

    } else if (tg_str_starts(s, tg_str("json:"))) {
        colon = memchr(rest.p, ':', rest.len);
        if (colon == NULL || colon == rest.p
            || colon + 1 == rest.p + rest.len)
        {
            return tg_error(err, 0, 0, "source \"%.*s\" is written"
                            " json:<header>:<field>", TG_ARG(s));
        }
        src->kind = TG_SOURCE_JSON_HEADER;
        src->name = tg_conf_lower(conf,
                            tg_str_of(rest.p, (size_t) (colon - rest.p)));
        src->field = tg_dup(conf->mem, tg_str_of(colon + 1,
                              rest.len - (size_t) (colon - rest.p) - 1));

    } else {
        goto bad;
    }

    return TG_OK;

bad:

    return tg_error(err, 0, 0, "unknown source \"%.*s\"; known are key,"
                    " $variable, env:, header:, json:<header>:<field>, baggage:,"
                    " traceparent, metadata.<field>, body:<path>", TG_ARG(s));
}


static tg_tag_role_t
tg_conf_role(tg_str_t name)
{
    static const struct {
        const char     *name;
        tg_tag_role_t   role;
    } roles[] = {
        { "team", TG_TAG_TEAM }, { "user", TG_TAG_USER }, { "org", TG_TAG_ORG },
        { "session", TG_TAG_SESSION }, { "agent", TG_TAG_AGENT }
    };

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (tg_str_eq(name, tg_strz(roles[i].name))) {
            return roles[i].role;
        }
    }

    return TG_TAG_OTHER;
}


static int
tg_conf_tag_sources(tg_conf_t *conf, tg_tag_t *tag, tg_str_t list,
    tg_error_t *err)
{
    const char  *comma;
    tg_str_t     s;

    tag->from = tg_dup(conf->mem, list);

    for ( ;; ) {
        comma = memchr(list.p, ',', list.len);
        s = comma == NULL ? list : tg_str_of(list.p, (size_t) (comma - list.p));

        if (tag->nsources == TG_SOURCES_MAX) {
            return tg_error(err, 0, 0, "more than %d sources", TG_SOURCES_MAX);
        }

        if (s.len == 0) {
            return tg_error(err, 0, 0, "from= has an empty source");
        }

        if (tg_conf_source(conf, &tag->sources[tag->nsources++], s, err)
            != TG_OK)
        {
            return TG_ERROR;
        }

        if (comma == NULL) {
            return TG_OK;
        }

        list.len -= (size_t) (comma - list.p) + 1;
        list.p = comma + 1;
    }
}


static int
tg_conf_tag(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    tg_tag_t  *tag;
    tg_str_t   v;

    if (!tg_str_is_name(args[0])) {
        return tg_error(err, 0, 0, "name \"%.*s\" is not of letters, digits, _"
                        " and -", TG_ARG(args[0]));
    }

    for (unsigned i = 0; i < conf->ntags; i++) {
        if (tg_str_eq(conf->tags[i].name, args[0])) {
            return tg_error(err, 0, 0, "\"%.*s\" is declared twice",
                            TG_ARG(args[0]));
        }
    }

    if (conf->ntags == TG_TAGS_MAX) {
        return tg_error(err, 0, 0, "more than %d tags", TG_TAGS_MAX);
    }

    tag = &conf->tags[conf->ntags];
    tag->name = tg_dup(conf->mem, args[0]);
    tag->role = tg_conf_role(args[0]);

    for (unsigned i = 1; i < nargs; i++) {

        if (tg_conf_param(args[i], "from", &v)) {
            if (tg_conf_tag_sources(conf, tag, v, err) != TG_OK) {
                return TG_ERROR;
            }

        } else if (tg_str_eq(args[i], tg_str("required"))) {
            tag->required = true;

        } else {
            return tg_conf_unknown_param(args[i], "from=, required", err);
        }
    }

    if (tag->nsources == 0) {
        return tg_error(err, 0, 0, "\"%.*s\" needs from=<source>",
                        TG_ARG(args[0]));
    }

    conf->ntags++;

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


int
tg_conf_finish(tg_conf_t *conf, tg_error_t *err)
{
    tg_str_t      paths[TG_TAGS_MAX * TG_SOURCES_MAX];
    unsigned      n = 0, i, j, k;
    tg_source_t  *src;

    if (conf->cache.wanted && conf->cache.store.len == 0) {
        return tg_error(err, 0, 0, "llm_cache is on, and nothing says what the"
                        " cache is");
    }

    if (tg_conf_metrics_finish(conf, err) != TG_OK
        || tg_conf_finish_own(conf, err) != TG_OK)
    {
        return TG_ERROR;
    }

    for (i = 0; i < conf->ntags; i++) {
        for (j = 0; j < conf->tags[i].nsources; j++) {
            src = &conf->tags[i].sources[j];

            if (src->kind != TG_SOURCE_BODY) {
                continue;
            }

            for (k = 0; k < n && !tg_str_eq(paths[k], src->field); k++) {
                /* a path that several tags read is read once */
            }

            src->handle = k;
            if (k == n) {
                paths[n++] = src->field;
            }
        }
    }

    conf->nfields = n;

    if (n != 0) {
        conf->fields = tg_request_fields(conf->mem, paths, n, err);
        if (conf->fields == NULL) {
            return TG_ERROR;
        }
    }

    (void) snprintf(conf->hash_text, sizeof(conf->hash_text), "%016" PRIx64,
                    conf->hash);

    if (tg_line_prepare(conf) != TG_OK) {
        return tg_error(err, 0, 0, "no memory");
    }

    return tg_conf_finish_quotas(conf, err) == TG_OK
           && tg_conf_finish_routes(conf, err) == TG_OK
           ? tg_conf_finish_guards(conf, err) : TG_ERROR;
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

            return tg_conf_route_warning(conf, 3, i, warning)
                   || tg_conf_companion_warning(conf, 3 + TG_ROUTE_WARNINGS, i,
                                                warning)
                   || tg_conf_quota_warning(conf, 3 + TG_ROUTE_WARNINGS
                                                  + TG_COMPANION_WARNINGS, i,
                                            warning);
        }
    }
}
