/* What a call takes of quotas: held at its admission, settled at its end. */

#include "tg_call_int.h"
#include "tg_recovered.h"

/* How soon a call that waits is asked again, in milliseconds. */
#define TG_WAIT_FIRST  2
#define TG_WAIT_MOST   50


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
    subject[TG_PER_MODEL] = tg_call_model(call);
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

    h->when.request = info;
    h->when.input_tokens = h->bound.input;
    h->when.local_s = now_s + tg_zone_offset(h->gate->zone, now_s, &until);
    h->when.header = tg_hold_header;
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

    tg_bound_ask(&h->ask, tg_api_op(call->dialect.api), info,
                 tg_request_inspected(call->request));
    h->ask.default_output = call->conf->ledger.default_output;
    h->ask.price = gate->book == NULL ? NULL
                   : tg_price_find(gate->book,
                                   tg_vendor_name(call->dialect.vendor),
                                   tg_call_model(call));
    tg_bound(&h->ask, &h->bound);

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


/* No quota can be told to apply, or what it counts is not known. */
static int
tg_hold_unfit(tg_call_t *call, const tg_error_t *err,
    const tg_quota_items_t *items, tg_refusal_t *refusal)
{
    unsigned  status = 400;
    tg_str_t  rule = tg_str("quota_unbounded");

    call->pass->quota_refused = true;

    if (err->code == TG_QUOTA_UNPRICED) {
        status = 403;
        rule = tg_str("model_not_priced");

    } else if (err->code == TG_QUOTA_CROWDED) {
        status = 500;
        rule = items->quota[0]->name;

    } else if (!tg_request_inspected(call->request)) {
        status = 415;
        rule = tg_str("not_inspected");
    }

    return tg_call_refuse(call, refusal, status, rule, tg_strz(err->message));
}


static void
tg_hold_note(tg_hold_t *h, const tg_quota_items_t *items, unsigned item,
    const tg_ledger_state_t *state)
{
    char        buf[TG_QUOTA_TEXT_MAX];
    tg_pass_t  *pass = h->call->pass;

    pass->quota_refused = true;
    pass->measure = items->limit[item]->measure;
    pass->state = *state;
    pass->subject = tg_dup(h->call->mem,
                           tg_str_of(buf, tg_quota_subject(buf, sizeof(buf),
                                                           items->quota[item],
                                                           &h->quota)));
}


static void
tg_hold_headers(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r, int verdict, tg_refusal_t *refusal)
{
    char               *digits;
    int64_t             after;
    unsigned            n;
    tg_text_t           t;
    tg_mem_t           *mem = h->call->mem;
    tg_quota_header_t  *headers;

    after = tg_quota_retry_after(items, r->item, &r->states[r->item], verdict,
                                 h->quota.now);
    digits = tg_alloc(mem, 24);
    headers = tg_alloc(mem, TG_QUOTA_HEADERS_MAX * sizeof(tg_quota_header_t));

    if (digits == NULL || headers == NULL) {
        return;
    }

    if (after >= 0) {
        tg_text_init(&t, digits, 24);
        tg_put_int(&t, after);
        tg_refusal_header(refusal, tg_str("retry-after"),
                          tg_str_of(digits, (size_t) (t.p - digits)));
    } else {
        tg_refusal_header(refusal, tg_str("x-should-retry"), tg_str("false"));
    }

    n = r->nstates != items->n ? 0
        : tg_quota_headers(items, r->states,
                           tg_api_shape(h->call->dialect.api), h->quota.now,
                           headers);

    for (unsigned i = 0; i < n; i++) {
        tg_refusal_header(refusal, headers[i].name, headers[i].value);
    }
}


static int
tg_hold_refuse(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r, int verdict, tg_refusal_t *refusal)
{
    char    text[TG_QUOTA_TEXT_MAX];
    size_t  n;

    tg_hold_note(h, items, r->item, &r->states[r->item]);

    n = tg_quota_refusal(text, sizeof(text), items, r->item,
                         &r->states[r->item], verdict, &h->quota);

    if (tg_call_refuse(h->call, refusal, 429, items->quota[r->item]->name,
                       tg_str_of(text, n))
        == TG_OK)
    {
        return TG_OK;
    }

    tg_hold_headers(h, items, r, verdict, refusal);

    return TG_ERROR;
}


/* The ledger has no room, or its lock is not to be had. */
static int
tg_hold_full(tg_call_t *call, int rc, tg_refusal_t *refusal)
{
    if (call->conf->ledger.full_allows) {
        call->rule = tg_str("ledger_full");
        return TG_OK;
    }

    if (tg_call_refuse(call, refusal, 503, tg_str("ledger_full"),
                       rc == TG_LEDGER_FULL
                       ? tg_str("the ledger of quotas is full")
                       : tg_str("the ledger of quotas is not to be had"))
        == TG_OK)
    {
        return TG_OK;
    }

    tg_refusal_header(refusal, tg_str("retry-after"), tg_str("1"));

    return TG_ERROR;
}


/* True where the call is to be asked again, of which *wait_ms is set. */
static bool
tg_hold_waits(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r, int verdict)
{
    tg_pass_t                *pass = h->call->pass;
    int64_t                   left, until, step;
    const tg_ledger_state_t  *state = &r->states[r->item];

    pass->waited_ms = h->quota.now - h->call->start.wall_ms;
    left = tg_quota_wait(items, r->item, verdict == TG_LEDGER_REFUSED)
           - pass->waited_ms;

    if (left <= 0 || pass->waited_ms < 0) {
        return false;
    }

    step = pass->tries > 4 ? TG_WAIT_MOST
           : (int64_t) TG_WAIT_FIRST << pass->tries;

    if (verdict == TG_LEDGER_REFUSED) {
        until = state->reset - h->quota.now;

        if (state->latched || until > left) {
            return false;           /* it would wait for nothing */
        }

        step = until > 0 ? until : 1;
    }

    pass->tries++;
    pass->wait_ms = step < left ? step : left;

    return true;
}


static int
tg_hold_keep(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r)
{
    unsigned           n = items->n;
    tg_pass_t         *pass = h->call->pass;
    tg_quota_items_t  *keep;

    keep = tg_alloc(h->call->mem, sizeof(tg_quota_items_t));
    if (keep == NULL) {
        return TG_ERROR;
    }

    keep->n = n;
    memcpy(keep->items, items->items, n * sizeof(keep->items[0]));
    memcpy(keep->quota, items->quota, n * sizeof(keep->quota[0]));
    memcpy(keep->limit, items->limit, n * sizeof(keep->limit[0]));

    pass->items = keep;
    pass->held = true;
    pass->slot = r->slot;

    for (unsigned i = 0; i < n; i++) {
        if (r->states[i].dry) {
            h->call->rule = items->quota[i]->name;
            h->call->would_refuse = true;
            tg_hold_note(h, items, i, &r->states[i]);
            break;
        }
    }

    return TG_OK;
}


static int
tg_hold_try(tg_hold_t *h, tg_quota_items_t *items, tg_refusal_t *refusal)
{
    int                 rc;
    int64_t             none[TG_LEDGER_ITEMS_MAX] = { 0 };
    tg_call_t          *call = h->call;
    tg_pass_t          *pass = call->pass;
    tg_ledger_result_t  r;

    if (h->gate->ledger == NULL) {
        return tg_hold_full(call, TG_LEDGER_BUSY, refusal);
    }

    if (call->scope->enable == TG_DRY_RUN) {
        for (unsigned i = 0; i < items->n; i++) {
            items->items[i].flags |= TG_LEDGER_DRY_RUN;
        }
    }

    pass->hold = h->bound.cost;
    pass->packed_len = tg_recovered_pack(call, pass->packed);
    rc = tg_ledger_hold(h->gate->ledger, h->quota.now, items->items, items->n,
                        pass->packed, pass->packed_len, &r);

    tg_hold_alerts(h, items, &r);

    switch (rc) {

    case TG_LEDGER_OK:
        if (tg_hold_keep(h, items, &r) == TG_OK) {
            return TG_OK;
        }

        /* Nothing went upstream: what it holds goes back. */

        (void) tg_ledger_settle(h->gate->ledger, h->quota.now, r.slot, none,
                                items->n, NULL, 0, NULL);
        (void) tg_ledger_line_written(h->gate->ledger, &r.slot, 1);
        return tg_hold_full(call, TG_LEDGER_FULL, refusal);

    case TG_LEDGER_REFUSED:
    case TG_LEDGER_PARK:
        return tg_hold_waits(h, items, &r, rc) ? TG_AGAIN
               : tg_hold_refuse(h, items, &r, rc, refusal);

    default:
        return tg_hold_full(call, rc, refusal);
    }
}


int
tg_call_hold(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_refusal_t *refusal)
{
    unsigned            n;
    tg_hold_t           h;
    tg_error_t          err;
    const tg_quota_t   *budgets[TG_ROSTER_BUDGETS];
    tg_quota_items_t    items;

    call->pass->wait_ms = 0;

    if (call->conf->ledger.file.len == 0) {
        return TG_OK;
    }

    tg_hold_prepare(&h, call, gate, now->wall_ms);

    n = tg_hold_budgets(&h, budgets);

    if (n == 0 && call->conf->quotas.n == 0) {
        return TG_OK;
    }

    if (tg_quota_items(&call->conf->quotas, budgets, n, &h.quota, &items, &err)
        != TG_OK)
    {
        return tg_hold_unfit(call, &err, &items, refusal);
    }

    return items.n == 0 ? TG_OK : tg_hold_try(&h, &items, refusal);
}


int64_t
tg_call_wait(const tg_call_t *call)
{
    return call->pass == NULL ? 0 : call->pass->wait_ms;
}


void
tg_call_sent(tg_call_t *call, const tg_gate_t *gate)
{
    if (call->pass != NULL && call->pass->held && !call->pass->sent
        && gate->ledger != NULL)
    {
        call->pass->sent = true;
        (void) tg_ledger_sent(gate->ledger, call->pass->slot);
    }
}


/*
 * The server stops, and nobody will ever hear what the call has cost: as much
 * as it held, like that of a process that is killed.
 */
void
tg_call_cut_off(tg_call_t *call)
{
    tg_pass_t  *pass = call->pass;

    if (!pass->held || !pass->sent || call->source == TG_USAGE_REPORTED
        || call->source == TG_USAGE_CACHED)
    {
        return;
    }

    call->source = TG_USAGE_RECOVERED;
    call->price_id = tg_str_null;
    call->cost_by_provider = false;
    call->cost_known = pass->hold >= 0;

    memset(&call->cost, 0, sizeof(tg_cost_t));
    call->cost.total = pass->hold > 0 ? pass->hold : 0;
}


static void
tg_call_actual(const tg_call_t *call, int64_t *actual)
{
    tg_quota_used_t          used;
    const tg_pass_t         *pass = call->pass;
    const tg_ledger_item_t  *item = pass->items->items;

    if (call->source == TG_USAGE_RECOVERED) {
        for (unsigned i = 0; i < pass->items->n; i++) {
            actual[i] = item[i].flags & TG_LEDGER_CONCURRENT
                        ? 0 : item[i].amount;
        }
        return;
    }

    memset(&used, 0, sizeof(used));

    if (pass->sent) {
        used.requests = 1;
        used.cost = call->cost_known ? call->cost.total : 0;

        if (call->usage != NULL && !call->cached) {
            used.input = call->usage->input;
            used.output = call->usage->output;
        }
    }

    tg_quota_actual(pass->items, &used, actual);
}


void
tg_call_give_back(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now)
{
    int                  rc;
    int64_t              actual[TG_LEDGER_ITEMS_MAX];
    tg_pass_t           *pass = call->pass;
    tg_ledger_result_t   r;

    /* Without its ledger: another process will find it, and bill the hold. */

    if (!pass->held || gate->ledger == NULL) {
        return;
    }

    tg_call_actual(call, actual);
    tg_recovered_repack(call, pass->packed);

    rc = tg_ledger_settle(gate->ledger, now->wall_ms, pass->slot, actual,
                          pass->items->n, pass->packed, pass->packed_len, &r);

    if (rc == TG_LEDGER_BUSY) {
        (void) tg_backlog_add(gate->backlog, pass->slot, actual,
                              pass->items->n, pass->packed, pass->packed_len);
        return;
    }

    pass->settled = rc == TG_LEDGER_OK;

    if (pass->settled) {
        tg_call_settled_alerts(call, gate, now->wall_ms, &r);
    }
}


bool
tg_call_slot(const tg_call_t *call, tg_ledger_slot_t *slot)
{
    if (call->pass == NULL || !call->pass->settled) {
        return false;
    }

    *slot = call->pass->slot;

    return true;
}
