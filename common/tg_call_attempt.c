/* Attempts: what is sent, what came of it, and what it may have cost. */

#include "tg_call_int.h"

#define TG_MS  1000000


static int
tg_attempt_none_left(tg_call_t *call, const tg_error_t *err,
    tg_refusal_t *refusal)
{
    if (err->code == TG_TRANSLATE_E_MEMORY) {
        return tg_call_turn_away(call, refusal, 503, tg_str("no_memory"),
                                 tg_strz(err->message));
    }

    return tg_call_turn_away(call, refusal, 400,
                             err->code == TG_TRANSLATE_E_THREAD
                             ? tg_str("thread_unsupported_request")
                             : tg_str("not_translated"),
                             tg_strz(err->message));
}


/* The next target that the call can be made ready for; of those that it can't
 * be, *err is the first's. */
static int
tg_attempt_begin(tg_call_t *call, const tg_now_t *now, tg_error_t *err)
{
    int            at;
    tg_error_t     e;
    tg_routing_t  *routing = call->routing;

    err->message[0] = '\0';

    while ((at = tg_call_next(call, now->mono_ns / TG_MS, true)) >= 0) {
        tg_call_aim(call, (unsigned) at);
        routing->aims[at].tried = true;

        if (tg_call_hop_make(call, &e) == TG_OK) {
            routing->sent_ns = now->mono_ns;
            routing->judged = false;
            return TG_OK;
        }

        if (err->message[0] == '\0') {
            *err = e;
        }
    }

    return TG_ERROR;
}


int
tg_call_admitted(tg_call_t *call, int rc, const tg_now_t *now,
    tg_refusal_t *refusal)
{
    tg_error_t  err;

    if (rc != TG_OK || call->routing == NULL || call->scope->pass != 1
        || call->routing->ready)
    {
        return rc;
    }

    if (tg_call_prefetch(call) != TG_OK) {
        (void) tg_error(&err, TG_TRANSLATE_E_MEMORY, 0,
                        "the request's body is not to be had");
        return tg_attempt_none_left(call, &err, refusal);
    }

    return tg_attempt_begin(call, now, &err) == TG_OK ? TG_OK
           : tg_attempt_none_left(call, &err, refusal);
}


static bool
tg_attempt_retriable(tg_fail_t why, unsigned status)
{
    return why != TG_FAIL_STATUS || status == 429 || status >= 500;
}


bool
tg_call_falls_back(const tg_call_t *call, tg_fail_t why, unsigned status)
{
    return tg_call_hop(call) != NULL && call->answer == NULL
           && !call->finished && tg_attempt_retriable(why, status)
           && tg_call_next(call, 0, false) >= 0;
}


/* What the current attempt has done to its target's name. */
static void
tg_attempt_judge(tg_call_t *call, const tg_now_t *now, tg_fail_t why,
    unsigned status, int64_t retry_ms)
{
    tg_routing_t    *routing = call->routing;
    const tg_aim_t  *aim = &routing->aims[routing->at];

    /* Other answers work: tg_call_answered(). */

    if (routing->judged || !tg_attempt_retriable(why, status)) {
        return;
    }

    routing->judged = true;

    if (why == TG_FAIL_STATUS) {
        tg_breaker_failed(routing->breakers, aim->keys[1],
                          now->mono_ns / TG_MS, retry_ms);

        /* A limit is of the model, trouble may be of all that it has. */

        if (status == 429 || aim->keys[0] == aim->keys[1]) {
            return;
        }
    }

    tg_breaker_failed(routing->breakers, aim->keys[0], now->mono_ns / TG_MS,
                      -1);
}


/* The provider has the prompt, and whether it worked on it nobody knows. */
static bool
tg_attempt_estimate(tg_call_t *call, const tg_gate_t *gate,
    tg_attempt_t *attempt)
{
    tg_str_t            vendor = tg_call_price_vendor(call);
    tg_answer_t        *answer;
    const tg_price_t   *price;
    tg_calibrate_name_t name;

    answer = tg_answer_create(call->mem, &call->dialect,
                              tg_request_info(call->request), 200,
                              tg_str("application/json"));
    if (answer == NULL) {
        return false;
    }

    tg_answer_finish(answer);

    if (gate->calibrate != NULL) {
        name = tg_call_name(call, call->dialect.vendor,
                            tg_call_sent_model(call));
        tg_answer_calibrate(answer, tg_calibrate_prompt(gate->calibrate, name),
                            tg_calibrate_answer(gate->calibrate, name));
    }

    attempt->usage = tg_answer_info(answer)->usage;

    if (attempt->usage.source == TG_USAGE_NONE) {
        return false;
    }

    price = gate->book == NULL ? NULL
            : tg_price_find(gate->book, vendor, tg_call_sent_model(call));

    if (price != NULL) {
        tg_price_cost(gate->book, price, vendor, &attempt->usage,
                      tg_call_tier(tg_request_info(call->request),
                                   tg_answer_info(answer)),
                      &attempt->cost);
        attempt->price_id = tg_dup(call->mem, tg_price_id(price));
        attempt->cost_known = true;
    }

    return true;
}


static void
tg_attempt_note(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_fail_t why, unsigned status)
{
    tg_attempt_t  *a;
    tg_routing_t  *routing = call->routing;

    if (routing->attempts == NULL) {
        routing->attempts = tg_zalloc(call->mem,
                                      TG_AIMS_MAX * sizeof(tg_attempt_t));
        if (routing->attempts == NULL) {
            return;
        }
    }

    if (routing->nattempts == TG_AIMS_MAX) {
        return;
    }

    a = &routing->attempts[routing->nattempts++];
    a->provider = call->provider;
    a->vendor = call->dialect.vendor;
    a->model = tg_call_sent_model(call);
    a->number = call->attempts;
    a->why = why;
    a->status = status;
    a->start_ns = routing->sent_ns;
    a->end_ns = now->mono_ns;
    a->billed = (why == TG_FAIL_TIMEOUT || why == TG_FAIL_BROKEN)
                && tg_attempt_estimate(call, gate, a);
    a->billed |= tg_call_gpu_attempt(call, a);
}


int
tg_call_failed(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_fail_t why, unsigned status, tg_str_t retry_after)
{
    tg_hop_t           hop;
    tg_error_t         err;
    tg_gpu_t           noted = call->gpu_noted;
    tg_strip_t        *strip = call->strip;
    tg_dialect_t       dialect = call->dialect;
    tg_routing_t      *routing = call->routing;
    const tg_edit_t   *edit = call->edit;
    tg_route_count_t  *count;
    unsigned           at;

    if (tg_call_hop(call) == NULL || call->finished || call->answer != NULL) {
        return TG_ERROR;
    }

    tg_attempt_judge(call, now, why, status, tg_retry_after(retry_after));
    routing->lost = why == TG_FAIL_TIMEOUT || why == TG_FAIL_BROKEN;

    if (!tg_call_falls_back(call, why, status)) {
        return TG_ERROR;
    }

    hop = routing->hop;
    at = routing->at;
    tg_attempt_note(call, gate, now, why, status);

    if (tg_attempt_begin(call, now, &err) != TG_OK) {

        /* It was the last one after all. */

        tg_call_aim(call, at);
        call->dialect = dialect;
        call->edit = (tg_edit_t *) (uintptr_t) edit;
        call->strip = strip;
        routing->hop = hop;
        routing->ready = true;
        routing->judged = true;
        routing->nattempts -= routing->nattempts != 0;
        call->gpu_noted = noted;

        return TG_ERROR;
    }

    routing->lost = false;
    call->attempts++;
    count = routing->route == NULL ? NULL
            : tg_route_count(routing->counts, routing->route->name);

    if (count != NULL) {
        count->fallbacks++;
    }

    return TG_OK;
}


void
tg_call_answered(tg_call_t *call, unsigned status)
{
    tg_routing_t    *routing = call->routing;
    const tg_aim_t  *aim;

    if (tg_call_hop(call) == NULL || routing->judged || call->cached
        || tg_attempt_retriable(TG_FAIL_STATUS, status))
    {
        return;
    }

    aim = &routing->aims[routing->at];
    routing->judged = true;
    tg_breaker_worked(routing->breakers, aim->keys[0],
                      routing->sent_ns / TG_MS);

    if (aim->keys[1] != aim->keys[0]) {
        tg_breaker_worked(routing->breakers, aim->keys[1],
                          routing->sent_ns / TG_MS);
    }
}


void
tg_call_lost(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now)
{
    tg_attempt_t   last;
    tg_routing_t  *routing = call->routing;

    if (tg_call_hop(call) == NULL) {
        return;
    }

    if (call->status >= 500 || call->status == 429) {
        tg_attempt_judge(call, now, TG_FAIL_STATUS, call->status, -1);
    }

    if (!routing->lost || call->source != TG_USAGE_NONE) {
        return;
    }

    memset(&last, 0, sizeof(last));

    if (!tg_attempt_estimate(call, gate, &last)) {
        return;
    }

    routing->last_usage = last.usage;
    call->usage = &routing->last_usage;
    call->source = (uint8_t) last.usage.source;
    call->cost = last.cost;
    call->cost_known = last.cost_known;
    call->price_id = last.price_id;
}


void
tg_call_attempts_used(const tg_call_t *call, tg_quota_used_t *used)
{
    const tg_attempt_t  *a;
    const tg_routing_t  *routing = call->routing;

    for (unsigned i = 0; routing != NULL && i < routing->nattempts; i++) {
        a = &routing->attempts[i];

        if (a->billed) {
            used->cost = tg_money_add(used->cost,
                                      a->cost_known ? a->cost.total : 0);
            used->input = tg_money_add(used->input, a->usage.input);
            used->output = tg_money_add(used->output, a->usage.output);
        }
    }
}


unsigned
tg_call_says(const tg_call_t *call, tg_header_t headers[TG_SAYS_MAX])
{
    unsigned         n = 0;
    tg_str_t         model;
    tg_text_t        t;
    tg_routing_t    *routing = call->routing;
    const tg_aim_t  *aim;

    if (call->refused) {
        return 0;
    }

    if (tg_call_clamped(call, &headers[n])) {
        n++;
    }

    if (routing == NULL || routing->route == NULL) {
        return n;
    }

    aim = &routing->aims[routing->at];
    model = aim->model;

    tg_text_init(&t, routing->target_text, sizeof(routing->target_text));
    tg_put_str(&t, aim->provider->name);

    if (model.len != 0) {
        tg_put_lit(&t, "/");
        tg_put_str(&t, model);
    }

    headers[n].name = tg_str("x-llm-route");
    headers[n++].value = routing->route->name;
    headers[n].name = tg_str("x-llm-target");
    headers[n++].value = tg_str_of(routing->target_text,
                                   (size_t) (t.p - routing->target_text));

    return n;
}


unsigned
tg_call_lines(const tg_call_t *call)
{
    unsigned             n = 1;
    const tg_routing_t  *routing = call->routing;

    for (unsigned i = 0; routing != NULL && i < routing->nattempts; i++) {
        n += routing->attempts[i].billed;
    }

    return n;
}


const tg_attempt_t *
tg_call_attempt(const tg_call_t *call, unsigned line)
{
    const tg_routing_t  *routing = call->routing;

    for (unsigned i = 0; routing != NULL && i < routing->nattempts; i++) {
        if (routing->attempts[i].billed && line-- == 0) {
            return &routing->attempts[i];
        }
    }

    return NULL;
}
