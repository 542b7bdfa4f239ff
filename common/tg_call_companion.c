/* What the upstream module of the same server is told of a call, and what it
 * tells: tg_companion.h. */

#include "tg_call_int.h"
#include "tg_key_presented.h"
#include "tg_usage_read.h"

/* Tokens of an answer of which nothing is known: what it says as its maximum, or
 * what it has taken before. */
#define TG_ASK_OUTPUT  256


void
tg_call_request(tg_call_t *call, void *r)
{
    call->server_request = r;
}


static uint32_t
tg_ask_tokens(int64_t n)
{
    return n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t) n;
}


/* The text of it: what pictures and sounds take nobody knows here. */
static int64_t
tg_ask_prompt(const tg_call_t *call, const tg_gate_t *gate,
    tg_calibrate_name_t name)
{
    int64_t                   rate = 0;
    const tg_request_info_t  *info = tg_request_info(call->request);
    uint64_t                  bytes = info->text_bytes != 0 ? info->text_bytes
                                                            : info->bytes;

    if (gate->calibrate != NULL) {
        rate = tg_calibrate_prompt(gate->calibrate, name);
    }

    return (int64_t) (rate > 0 && bytes <= INT64_MAX / 1000
                      ? bytes * 1000 / (uint64_t) rate
                      : bytes / TG_ESTIMATE_BYTES_PER_TOKEN);
}


static int64_t
tg_ask_output(const tg_call_t *call, const tg_gate_t *gate,
    tg_calibrate_name_t name)
{
    int64_t                   max, each = -1;
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (!tg_op_writes(tg_api_op(call->asked.api))) {
        return 1;
    }

    max = tg_call_sent_max(call);
    max = max > 0 ? max : info->max_tokens;

    if (gate->calibrate != NULL) {
        each = tg_calibrate_output(gate->calibrate, name);
    }

    if (each < 0) {
        each = max > 0 ? max : TG_ASK_OUTPUT;
    }

    each = max > 0 && max < each ? max : each;

    return info->n > 1 && each <= INT64_MAX / info->n ? each * info->n : each;
}


/* As tg_cache_key.h has it: who shares what is in a cache. */
static tg_str_t
tg_ask_tenant(const tg_call_t *call)
{
    tg_str_t         shown;
    const tg_key_t  *key = call->pass != NULL ? call->pass->key : NULL;

    if (key != NULL) {
        return key->org.len != 0 ? key->org
               : key->team.len != 0 ? key->team : key->id;
    }

    for (unsigned i = 0; i < TG_CARRIER_HEADERS; i++) {
        shown = call->host->header(call->req, tg_carrier_headers[i]);

        if (shown.len != 0) {
            return shown;
        }
    }

    return tg_str_null;
}


static void
tg_ask_prefixes(tg_call_t *call, tg_prefixes_t *prefixes)
{
    tg_str_t          text;
    tg_prefix_hash_t  ph;

    if (!tg_op_writes(tg_api_op(call->asked.api))
        || !tg_call_prompt(call, &text))
    {
        return;
    }

    tg_prefix_begin(&ph, tg_call_sent_model(call), tg_ask_tenant(call));
    tg_prefix_feed(&ph, text.p, text.len);
    tg_prefix_end(&ph, prefixes);
}


bool
tg_call_ask(tg_call_t *call, const tg_gate_t *gate, bool prefixes,
    tg_balance_ask_t *ask)
{
    tg_calibrate_name_t  name;

    memset(ask, 0, sizeof(tg_balance_ask_t));

    if (call->finished || call->refused || !call->admitted) {
        return false;
    }

    name = tg_call_name(call, call->dialect.vendor, tg_call_sent_model(call));
    ask->work.prompt_tokens = tg_ask_tokens(tg_ask_prompt(call, gate, name));
    ask->work.output_tokens = tg_ask_tokens(tg_ask_output(call, gate, name));

    if (prefixes) {
        tg_ask_prefixes(call, &ask->prefixes);
    }

    return true;
}


/* What was taken since it was noted the last time; false: nothing. */
static bool
tg_gpu_taken(tg_call_t *call, tg_gpu_t *gpu)
{
    tg_gpu_t                       *noted = &call->gpu_noted;
    tg_companion_spent_t            spent;
    const tg_companion_upstream_t  *c = call->conf->companion;

    memset(gpu, 0, sizeof(tg_gpu_t));
    memset(&spent, 0, sizeof(spent));

    if (c == NULL || call->server_request == NULL
        || !c->spent(c->data, call->server_request, &spent)
        || spent.gpu_ns <= noted->ns)
    {
        return false;
    }

    gpu->server = spent.server;
    gpu->instead_of = spent.instead_of;
    gpu->by_prices = spent.by_prices;
    gpu->ns = spent.gpu_ns - noted->ns;
    gpu->priced = spent.cost_nusd >= 0;
    gpu->cost = spent.cost_nusd - noted->cost;
    gpu->cost = gpu->priced && gpu->cost > 0 ? gpu->cost : 0;

    noted->ns = spent.gpu_ns;
    noted->cost = tg_money_add(noted->cost, gpu->cost);

    return true;
}


/* Where a quota holds dollars for it, what is taken of it is of the price list,
 * by which it was held. priced: there is such a price. */
static bool
tg_gpu_by_prices(const tg_call_t *call, const tg_gpu_t *gpu, bool priced)
{
    const tg_pass_t         *pass = call->pass;
    const tg_quota_items_t  *items;

    if (gpu->by_prices || !gpu->priced) {
        return true;
    }

    items = pass != NULL && pass->held ? pass->items : NULL;

    for (unsigned i = 0; items != NULL && i < items->n; i++) {
        if (items->limit[i]->measure == TG_MEASURE_USD
            && (priced || !(items->items[i].flags & TG_LEDGER_DRY_RUN)))
        {
            return true;
        }
    }

    return false;
}


bool
tg_call_gpu_attempt(tg_call_t *call, tg_attempt_t *a)
{
    if (!tg_gpu_taken(call, &a->gpu)) {
        return false;
    }

    a->gpu.server = tg_dup(call->mem, a->gpu.server);
    a->cost_by_gpu = !tg_gpu_by_prices(call, &a->gpu, a->cost_known);

    if (a->cost_by_gpu) {
        memset(&a->cost, 0, sizeof(tg_cost_t));
        a->cost.total = a->gpu.cost;
        a->price_id = tg_str_null;
    }

    /* What nobody bills costs nothing. */

    a->cost_known |= a->cost_by_gpu || !a->billed;

    return true;
}


/* The same usage at the model that it is compared with. */
static int64_t
tg_gpu_cloud(const tg_call_t *call, const tg_gate_t *gate)
{
    tg_cost_t          cost;
    const tg_price_t  *price;

    if (gate->book == NULL || call->gpu->instead_of.len == 0) {
        return 0;
    }

    price = tg_price_find(gate->book, tg_str_null, call->gpu->instead_of);

    if (price == NULL) {
        return 0;
    }

    tg_price_cost(gate->book, price, tg_str_null, call->usage,
                  TG_TIER_STANDARD, &cost);

    return cost.total;
}


static void
tg_gpu_tell(tg_call_t *call, const tg_gate_t *gate)
{
    bool                            known;
    const tg_companion_upstream_t  *c = call->conf->companion;

    known = call->usage != NULL && !call->cached
            && (call->source == TG_USAGE_REPORTED
                || call->source == TG_USAGE_ESTIMATED);

    c->settled(c->data, call->server_request,
               known ? call->usage->input : 0, known ? call->usage->output : 0,
               call->cost_known ? call->cost.total : 0,
               known ? tg_gpu_cloud(call, gate) : 0);
}


/* The last attempt was at a backend, and not only one before it. */
static bool
tg_gpu_last(const tg_call_t *call)
{
    return call->routing == NULL || call->routing->nattempts == 0
           || call->provider->group != NULL;
}


void
tg_call_gpu_settle(tg_call_t *call, const tg_gate_t *gate)
{
    tg_gpu_t  gpu;

    if (!tg_gpu_taken(call, &gpu)) {
        return;
    }

    call->gpu = tg_alloc(call->mem, sizeof(tg_gpu_t));
    if (call->gpu == NULL) {
        return;
    }

    *call->gpu = gpu;
    call->gpu->server = tg_dup(call->mem, gpu.server);

    if (!tg_gpu_last(call)) {
        return;
    }

    if (!call->cached && !call->cost_by_provider
        && call->source != TG_USAGE_RECOVERED
        && !tg_gpu_by_prices(call, &gpu, call->cost_known))
    {
        memset(&call->cost, 0, sizeof(tg_cost_t));
        call->cost.total = gpu.cost;
        call->cost_known = true;
        call->cost_by_gpu = true;
        call->price_id = tg_str_null;
    }

    tg_gpu_tell(call, gate);
}
