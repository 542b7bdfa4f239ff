#include "tg_conf_int.h"

#define TG_LEDGER_SIZE    (UINT64_C(64) * 1024 * 1024)
#define TG_ZONE_NAME_MAX  64

/* printf("%.*s") of a string, cut so that a message stays readable. */
#define TG_ARG(s)  (int) ((s).len < 80 ? (s).len : 80), (s).p


static int
tg_conf_allow(tg_conf_t *conf, tg_str_t list, tg_error_t *err)
{
    bool         more;
    tg_str_t     s;
    int          op;

    do {
        more = tg_str_cut(&list, ',', &s);

        for (op = TG_OP_UNKNOWN; op <= TG_OP_MODELS; op++) {
            if (tg_str_eq(s, tg_op_name((tg_op_t) op))) {
                break;
            }
        }

        if (op > TG_OP_MODELS) {
            return tg_error(err, 0, 0, "allow= takes operations as the cost"
                            " line names them (batch, retrieve, cache, unknown,"
                            " ...), not \"%.*s\"", TG_ARG(s));
        }

        conf->keys.allow |= UINT32_C(1) << op;

    } while (more);

    return TG_OK;
}


int
tg_conf_keys(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    tg_str_t  v;

    if (conf->keys.file.len != 0) {
        return tg_error(err, 0, 0, "is given twice");
    }

    if (tg_conf_file(conf, args[0], &conf->keys.file, err) != TG_OK) {
        return TG_ERROR;
    }

    for (unsigned i = 1; i < nargs; i++) {
        if (!tg_conf_param(args[i], "allow", &v)) {
            return tg_error(err, 0, 0, "unknown parameter \"%.*s\"; known is"
                            " allow=", TG_ARG(args[i]));
        }

        if (tg_conf_allow(conf, v, err) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


/* A name below the system's zoneinfo, and nothing else there. */
static bool
tg_conf_zone_ok(tg_str_t s)
{
    if (s.len == 0 || s.len > TG_ZONE_NAME_MAX || s.p[0] == '/'
        || s.p[s.len - 1] == '/')
    {
        return false;
    }

    for (size_t i = 0; i < s.len; i++) {
        char  c = tg_lower(s.p[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'
              || c == '-' || c == '+' || c == '/'))
        {
            return false;
        }
    }

    return true;
}


static int
tg_conf_ledger_param(tg_conf_t *conf, tg_str_t arg, tg_error_t *err)
{
    int64_t            n;
    tg_str_t           v;
    tg_conf_ledger_t  *led = &conf->ledger;

    if (tg_conf_param(arg, "size", &v)) {
        n = tg_conf_size(v);

        if (n < TG_LEDGER_SIZE_MIN || (uint64_t) n > TG_LEDGER_SIZE_MAX) {
            return tg_error(err, 0, 0, "size= takes a size from 256k to 65536m,"
                            " not \"%.*s\"", TG_ARG(v));
        }

        led->size = (uint64_t) n;
        return TG_OK;
    }

    if (tg_conf_param(arg, "tz", &v)) {
        if (!tg_conf_zone_ok(v)) {
            return tg_error(err, 0, 0, "tz= takes the name of a time zone, such"
                            " as UTC or Europe/Berlin, not \"%.*s\"",
                            TG_ARG(v));
        }

        led->zone = tg_dup(conf->mem, v);
        return TG_OK;
    }

    if (tg_conf_param(arg, "full", &v)) {
        led->full_allows = tg_str_eq(v, tg_str("allow"));

        return led->full_allows || tg_str_eq(v, tg_str("reject")) ? TG_OK
               : tg_error(err, 0, 0, "full= takes reject or allow, not"
                          " \"%.*s\"", TG_ARG(v));
    }

    if (tg_conf_param(arg, "default_output", &v)) {
        led->default_output = v.len > 9 ? -1 : tg_str_int(v);

        return led->default_output > 0 ? TG_OK
               : tg_error(err, 0, 0, "default_output= takes a number of"
                          " tokens, not \"%.*s\"", TG_ARG(v));
    }

    switch (tg_fleet_option(led->fleet, arg, err)) {
    case TG_OK:
        return TG_OK;
    case TG_ERROR:
        return TG_ERROR;
    }

    return tg_error(err, 0, 0, "unknown parameter \"%.*s\"; known are size=,"
                    " tz=, full=, default_output=, redis=, sentinel=, fleet=,"
                    " lease=, redis_down=, redis_timeout=, user=, password=,"
                    " tls=, node=, quarantine=", TG_ARG(arg));
}


int
tg_conf_ledger(tg_conf_t *conf, const tg_str_t *args, unsigned nargs,
    tg_error_t *err)
{
    tg_conf_ledger_t  *led = &conf->ledger;

    if (led->file.len != 0) {
        return tg_error(err, 0, 0, "is given twice");
    }

    if (tg_conf_file(conf, args[0], &led->file, err) != TG_OK) {
        return TG_ERROR;
    }

    led->size = TG_LEDGER_SIZE;
    led->zone = tg_str("UTC");
    led->fleet = tg_alloc(conf->mem, sizeof(tg_fleet_options_t));

    if (led->fleet == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    tg_fleet_options_init(led->fleet);

    for (unsigned i = 1; i < nargs; i++) {
        if (tg_conf_ledger_param(conf, args[i], err) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (tg_fleet_options_finish(led->fleet, err) != TG_OK) {
        return TG_ERROR;
    }

    if (!led->fleet->on) {
        led->fleet = NULL;
    }

    return TG_OK;
}


int
tg_conf_finish_quotas(tg_conf_t *conf, tg_error_t *err)
{
    if (conf->quotas.n != 0 && conf->ledger.file.len == 0
        && conf->quotas.list[0]->of_route)
    {
        return tg_error(err, 0, 0, "usd= of \"%.*s\" has nothing to count in:"
                        " llm_ledger <file> (LLMLedger) is missing",
                        TG_ARG(conf->quotas.list[0]->name));
    }

    if (conf->quotas.n != 0 && conf->ledger.file.len == 0) {
        return tg_error(err, 0, 0, "quota \"%.*s\" has nothing to count in:"
                        " llm_ledger <file> (LLMLedger) is missing",
                        TG_ARG(conf->quotas.list[0]->name));
    }

    for (unsigned i = 0; i < conf->quotas.n; i++) {
        conf->repeats |= tg_quota_repeats(conf->quotas.list[i]);
    }

    conf->quotas.provider = tg_conf_bind_provider;
    conf->quotas.check = tg_conf_check_when;
    conf->quotas.data = conf;

    return tg_quotas_finish(&conf->quotas, conf->mem, conf->ledger.zone, err);
}


void
tg_conf_facts(const tg_conf_t *conf, tg_str_t *names, tg_quota_facts_t *facts)
{
    static const tg_per_t  pers[] = {
        [TG_TAG_TEAM] = TG_PER_TEAM, [TG_TAG_USER] = TG_PER_USER,
        [TG_TAG_ORG] = TG_PER_ORG, [TG_TAG_SESSION] = TG_PER_SESSION,
        [TG_TAG_AGENT] = TG_PER_AGENT
    };

    memset(facts, 0, sizeof(*facts));
    facts->keys = conf->keys.file.len != 0;
    facts->prices = conf->nprices != 0;
    facts->default_output = conf->ledger.default_output;
    facts->tags = names;
    facts->ntags = conf->ntags;

    for (unsigned k = 0; k < conf->ntags; k++) {
        names[k] = conf->tags[k].name;

        if (conf->tags[k].role != TG_TAG_OTHER) {
            facts->sources |= UINT32_C(1) << pers[conf->tags[k].role];
        }
    }
}


bool
tg_conf_quota_warning(const tg_conf_t *conf, unsigned first, unsigned *i,
    tg_error_t *warning)
{
    bool              more;
    unsigned          k = *i - first;
    tg_str_t          names[TG_TAGS_MAX];
    tg_quota_facts_t  facts;

    tg_conf_facts(conf, names, &facts);

    more = tg_quotas_warning(&conf->quotas, &facts, &k, warning);
    *i = first + k;

    return more;
}
