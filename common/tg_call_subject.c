/* What quotas look into of a call: who, what, how much at most. */

#include "tg_call_int.h"


static tg_str_t
tg_hold_tag(void *data, tg_str_t name)
{
    tg_hold_t       *h = data;
    tg_call_t       *call = h->call;
    const tg_key_t  *key = call->pass->key;

    for (unsigned i = 0; i < call->conf->ntags; i++) {
        if (tg_str_eq(call->conf->tags[i].name, name)) {
            return call->tags[i];
        }
    }

    for (unsigned i = 0; key != NULL && i < key->ntags; i++) {
        if (tg_str_eq(key->tags[i].name, name)) {
            return key->tags[i].value;
        }
    }

    return tg_str_null;
}


static tg_str_t
tg_hold_header(void *data, tg_str_t name)
{
    tg_hold_t  *h = data;

    return h->call->host->header(h->call->req, name);
}


static bool
tg_hold_prompt(void *data, tg_str_t *text)
{
    tg_hold_t  *h = data;

    return tg_call_prompt(h->call, text);
}


/* By its breaker as it was when the call came. */
static bool
tg_hold_healthy(void *data, uintptr_t provider, bool *yes)
{
    tg_hold_t                      *h = data;
    const tg_conf_t                *conf = h->call->conf;
    const tg_provider_t            *pr;
    const tg_companion_upstream_t  *c = conf->companion;

    if (provider == 0) {
        return false;
    }

    pr = &conf->providers[provider - 1];
    *yes = tg_breaker_closed(h->gate->breakers,
                             tg_breaker_key(pr->name, tg_str_null),
                             h->call->start.mono_ns / 1000000, false)
           && (pr->group == NULL || c->healthy(c->data, pr->group));

    return true;
}


static bool
tg_hold_saturated(void *data, uintptr_t provider, bool *yes)
{
    void                           *group;
    const tg_conf_t                *conf = ((tg_hold_t *) data)->call->conf;
    const tg_companion_upstream_t  *c = conf->companion;

    group = provider == 0 ? NULL : conf->providers[provider - 1].group;

    if (group == NULL) {
        return false;
    }

    *yes = c->saturated(c->data, group);

    return true;
}


static bool
tg_hold_used(void *data, uintptr_t quota, double *percent)
{
    tg_hold_t  *h = data;

    return h->gate->ledger != NULL
           && tg_quota_share(h->call->conf->quotas.list[quota - 1], &h->quota,
                             h->gate->ledger, percent);
}


static bool
tg_hold_get(void *data, unsigned symbol, const tg_expr_value_t *args,
    tg_expr_value_t *value)
{
    tg_hold_t  *h = data;

    return tg_when_get(&h->when, symbol, args, value);
}


/* An IPv6 address's network: its owner has as many as he likes. */
static tg_str_t
tg_hold_client(tg_hold_t *h, tg_str_t client)
{
    size_t    i = 0, n = 0;
    unsigned  groups = 0;

    if (client.len == 0 || memchr(client.p, ':', client.len) == NULL
        || memchr(client.p, '.', client.len) != NULL)
    {
        return client;
    }

    /* "::" before the fifth group stands for zeros: what is before it tells. */

    for ( ; i < client.len && n < sizeof(h->client) - 5; i++) {
        if (client.p[i] == ':') {
            if (++groups == 4
                || (i + 1 < client.len && client.p[i + 1] == ':'))
            {
                break;
            }
        }
        h->client[n++] = client.p[i];
    }

    memcpy(h->client + n, "::/64", 5);

    return tg_str_of(h->client, n + 5);
}


/* The body's hash and length: equal calls have equal ones. */
static tg_str_t
tg_hold_same(tg_hold_t *h, const tg_request_info_t *info)
{
    tg_text_t  t;

    if (!h->call->pass->hash || info->bytes == 0) {
        return tg_str_null;
    }

    tg_text_init(&t, h->same, sizeof(h->same));
    tg_put_int(&t, (int64_t) info->bytes);
    tg_put_lit(&t, ".");
    tg_put_int(&t, h->call->pass->crc);

    return tg_str_of(h->same, (size_t) (t.p - h->same));
}


static tg_str_t
tg_hold_role(const tg_call_t *call, tg_tag_role_t role)
{
    for (unsigned i = 0; i < call->conf->ntags; i++) {
        if (call->conf->tags[i].role == role) {
            return call->tags[i];
        }
    }

    return tg_str_null;
}


static void
tg_hold_subjects(tg_hold_t *h, const tg_request_info_t *info)
{
    tg_call_t        *call = h->call;
    tg_str_t         *subject = h->quota.subject;
    const tg_key_t   *key = call->pass->key;
    const tg_pass_t  *pass = call->pass;

    h->quota.configured = UINT32_C(1) << TG_PER_ALL
                          | UINT32_C(1) << TG_PER_PROVIDER;

    if (key != NULL) {
        subject[TG_PER_KEY] = key->id;
        h->quota.configured |= UINT32_C(1) << TG_PER_KEY;

        if (key->user.len != 0) {
            h->quota.configured |= UINT32_C(1) << TG_PER_USER;
        }
        if (key->team.len != 0) {
            h->quota.configured |= UINT32_C(1) << TG_PER_TEAM;
        }
        if (key->org.len != 0) {
            h->quota.configured |= UINT32_C(1) << TG_PER_ORG;
        }
    }

    subject[TG_PER_USER] = pass->user;
    subject[TG_PER_TEAM] = pass->team;
    subject[TG_PER_ORG] = pass->org;
    subject[TG_PER_MODEL] = tg_call_sent_model(call);
    subject[TG_PER_PROVIDER] = call->provider != NULL
                               && call->provider->host.len != 0
                               ? call->provider->name
                               : tg_vendor_name(call->dialect.vendor);
    subject[TG_PER_SESSION] = tg_hold_role(call, TG_TAG_SESSION);
    subject[TG_PER_AGENT] = tg_hold_role(call, TG_TAG_AGENT);
    subject[TG_PER_CLIENT] = tg_hold_client(h, call->head.client);

    h->quota.same = tg_hold_same(h, info);
}


static void
tg_hold_when(tg_hold_t *h, const tg_request_info_t *info)
{
    int64_t    now_s = h->quota.now / 1000, until;
    tg_str_t  *text = h->when.text;
    tg_str_t  *subject = h->quota.subject;

    text[TG_WHEN_MODEL] = subject[TG_PER_MODEL];
    text[TG_WHEN_PROVIDER] = subject[TG_PER_PROVIDER];
    text[TG_WHEN_OPERATION] = tg_op_name(tg_api_op(h->call->dialect.api));
    text[TG_WHEN_PATH] = h->call->head.path;
    text[TG_WHEN_KEY] = subject[TG_PER_KEY];
    text[TG_WHEN_USER] = subject[TG_PER_USER];
    text[TG_WHEN_TEAM] = subject[TG_PER_TEAM];
    text[TG_WHEN_ORG] = subject[TG_PER_ORG];
    text[TG_WHEN_SESSION] = subject[TG_PER_SESSION];
    text[TG_WHEN_AGENT] = subject[TG_PER_AGENT];
    text[TG_WHEN_CLIENT] = h->call->head.client;

    if (h->call->geo.country[0] != '\0') {
        text[TG_WHEN_COUNTRY] = tg_str_of(h->call->geo.country, 2);
    }

    h->when.asn = h->call->geo.asn;
    h->when.request = info;
    h->when.input_tokens = h->once;
    h->when.local_s = now_s + tg_zone_offset(h->gate->zone, now_s, &until);
    h->when.header = tg_hold_header;
    h->when.prompt = tg_hold_prompt;
    h->when.healthy = tg_hold_healthy;
    h->when.saturated = tg_hold_saturated;
    h->when.tag = tg_hold_tag;
    h->when.used = tg_hold_used;
    h->when.data = h;
}


void
tg_hold_prepare(tg_hold_t *h, tg_call_t *call, const tg_gate_t *gate,
    int64_t now)
{
    const tg_request_info_t  *info = tg_request_info(call->request);

    memset(&h->when, 0, sizeof(h->when));
    memset(&h->quota, 0, sizeof(h->quota));

    h->call = call;
    h->gate = gate;

    if (gate->scratch->expr != NULL) {
        tg_expr_watch(gate->scratch->expr, gate->clock);
    }

    tg_bound_ask(&h->ask, tg_api_op(call->dialect.api), info,
                 tg_request_inspected(call->request));
    h->ask.default_output = call->conf->ledger.default_output;
    h->ask.price = gate->book == NULL ? NULL
                   : tg_price_find(gate->book, tg_call_price_vendor(call),
                                   tg_call_sent_model(call));

    /* Of who it is sent to; of nobody yet, nothing. */

    if (call->routing != NULL) {
        h->ask.own_prompt = call->routing->naims != 0
                            && tg_vendor_own_prompt(call->dialect.vendor);

        if (!tg_str_eq(tg_call_sent_model(call), info->model)) {
            tg_bound_ask_model(&h->ask, tg_call_sent_model(call));
        }
    }

    if (call->cap_output > 0 && (h->ask.max_tokens <= 0
                                 || h->ask.max_tokens > call->cap_output))
    {
        h->ask.max_tokens = call->cap_output;
    }

    tg_hold_bound(h);

    h->quota.tag = tg_hold_tag;
    h->quota.tag_data = h;
    h->quota.now = now;
    h->quota.zone = gate->zone;
    h->quota.windows = gate->scratch->windows;
    h->quota.cache = &gate->scratch->cache;
    h->quota.scratch = gate->scratch->expr;
    h->quota.get = tg_hold_get;
    h->quota.get_data = h;
    h->quota.bound = &h->bound;

    tg_hold_subjects(h, info);
    tg_hold_when(h, info);
}


/* Those of the keys file: of this key, and of the user, team and org. */
static unsigned
tg_hold_budgets(const tg_hold_t *h, const tg_quota_t **list)
{
    static const tg_per_t  pers[TG_SUBJECTS] = {
        [TG_SUBJECT_USER] = TG_PER_USER,
        [TG_SUBJECT_TEAM] = TG_PER_TEAM,
        [TG_SUBJECT_ORG] = TG_PER_ORG
    };

    unsigned                  n = 0, k, some;
    const tg_pass_t          *pass = h->call->pass;
    const tg_quota_t *const  *from;

    if (pass->roster == NULL) {
        return 0;
    }

    for (int kind = -1; kind < TG_SUBJECTS; kind++) {
        some = 0;
        from = NULL;

        if (kind >= 0) {
            from = tg_roster_subject_budgets(pass->roster,
                       tg_keys_subject_of(tg_roster_keys(pass->roster),
                                          (tg_subject_kind_t) kind,
                                          h->quota.subject[pers[kind]]),
                       &some);

        } else if (pass->key != NULL) {
            from = tg_roster_key_budgets(pass->roster, pass->key, &some);
        }

        for (k = 0; k < some; k++) {
            list[n++] = from[k];
        }
    }

    return n;
}


/* A quota that has sent the call to its route counts it there, and no more. */
bool
tg_call_by_quota(const tg_call_t *call, const tg_quota_t *quota)
{
    const tg_routing_t  *routing = call->routing;

    return routing != NULL && routing->by_quota != NULL
           && quota->action == TG_ACTION_ROUTE
           && tg_str_eq(quota->route, routing->by_quota->route);
}


/* All that the call is to take, by the bound as it is. */
int
tg_hold_items(tg_hold_t *h, tg_quota_items_t *items, tg_error_t *err)
{
    bool               calibrated = h->call->conf->quotas.calibrated;
    unsigned           n;
    const tg_quota_t  *budgets[TG_ROSTER_BUDGETS];

    n = tg_hold_budgets(h, budgets);
    items->n = 0;
    h->quota.route = h->call->routing != NULL && h->call->routing->route != NULL
                     ? h->call->routing->route->cap : NULL;

    if (n == 0 && h->call->conf->quotas.n == 0) {
        return TG_OK;
    }

    for (unsigned i = 0; i < n; i++) {
        calibrated |= budgets[i]->calibrated;
    }

    h->quota.likely = NULL;

    if (calibrated && h->gate->calibrate != NULL) {
        tg_hold_likely(h);
        h->quota.likely = &h->likely;
    }

    if (tg_quota_items(&h->call->conf->quotas, budgets, n, &h->quota, items,
                       err)
        != TG_OK)
    {
        return TG_ERROR;
    }

    for (unsigned i = 0; i < items->n; i++) {
        if (tg_call_by_quota(h->call, items->quota[i])) {
            items->items[i].flags |= TG_LEDGER_DRY_RUN;
        }
    }

    return TG_OK;
}
