#include "tg_call_replay.h"
#include "tg_call_int.h"


int
tg_call_replay(tg_call_t *call, const tg_replay_t *seen)
{
    tg_seen_t  *s = tg_zalloc(call->mem, sizeof(tg_seen_t));

    if (s == NULL) {
        return TG_ERROR;
    }

    s->answer.model = seen->model;
    s->answer.service_tier = seen->tier;
    s->answer.error = seen->error;
    s->answer.usage = seen->usage;
    s->attempts = seen->attempts;
    call->cached = seen->cached;
    call->seen = s;

    return TG_OK;
}


void
tg_call_replayed(const tg_call_t *call, tg_replayed_t *is)
{
    const tg_pass_t     *pass = call->pass;
    const tg_routing_t  *routing = call->routing;

    memset(is, 0, sizeof(tg_replayed_t));

    is->refused = call->refused;
    is->would_refuse = call->would_refuse;
    is->rule = call->rule;
    is->reason = call->reason;
    is->provider = call->provider;
    is->vendor = tg_call_price_vendor(call);
    is->model = tg_call_sent_model(call);
    is->lowered = tg_call_lowered(call);
    is->hold = -1;

    if (pass != NULL) {
        is->subject = pass->subject;
        is->waited_ms = pass->waited_ms;
        is->hold = pass->held ? pass->hold : -1;
    }

    if (routing != NULL && routing->route != NULL) {
        is->route = routing->route->name;
    }

    if (routing != NULL && routing->dry != NULL) {
        is->route_dry = routing->dry->name;
    }

    is->priced = call->cost_known;
    is->cost = call->cost;
    is->price_id = call->price_id;
}
