/* What the server's own variables and log formats can show of a call. */

#include "tg_call_int.h"

const char *const  tg_value_names[TG_VALUES] = {
    "call_id", "model", "request_model", "provider", "operation", "stream",
    "decision", "route", "sent_model", "input_tokens", "cached_tokens", "output_tokens",
    "reasoning_tokens", "total_tokens", "usage_source", "cost_usd",
    "finish_reason", "key_id", "response_id", "error_type", "max_tokens",
    "time_to_first_chunk", "trace_id", "prefix_hash", "overhead"
};


static bool
tg_value_int(int64_t v, char *buf, tg_str_t *out)
{
    tg_text_t  t;

    tg_text_init(&t, buf, TG_VALUE_MAX);
    tg_put_int(&t, v);
    *out = tg_str_of(buf, (size_t) (t.p - buf));

    return true;
}


static bool
tg_value_str(tg_str_t s, tg_str_t *out)
{
    *out = s;

    return s.len != 0;
}


static bool
tg_call_value_early(const tg_call_t *call, tg_value_t v, tg_str_t *out)
{
    const tg_request_info_t  *info = tg_request_info(call->request);
    tg_str_t                  asked;

    asked = tg_call_model(call);

    switch (v) {
    case TG_VALUE_CALL_ID:
        return tg_value_str(tg_call_id(call), out);

    case TG_VALUE_MODEL:
        if (call->answer != NULL
            && tg_answer_info(call->answer)->model.len != 0)
        {
            asked = tg_answer_info(call->answer)->model;
        }
        return tg_value_str(asked, out);

    case TG_VALUE_REQUEST_MODEL:
        return tg_value_str(asked, out);

    case TG_VALUE_PROVIDER:
        return tg_value_str(tg_vendor_name(call->dialect.vendor), out);

    case TG_VALUE_OPERATION:
        return tg_value_str(tg_op_name(tg_api_op(call->dialect.api)), out);

    case TG_VALUE_STREAM:
        return tg_value_str(info->stream ? tg_str("1") : tg_str("0"), out);

    case TG_VALUE_DECISION:
        return tg_value_str(tg_call_decision(call), out);

    case TG_VALUE_ROUTE:
        return call->routing != NULL && call->routing->route != NULL
               && tg_value_str(call->routing->route->name, out);

    case TG_VALUE_SENT_MODEL:
        return !call->refused && tg_value_str(tg_call_sent_model(call), out);

    case TG_VALUE_KEY_ID:
        return call->pass != NULL && call->pass->key != NULL
               && tg_value_str(call->pass->key->id, out);

    default:
        return false;
    }
}


/* What spans have beside. */
static bool
tg_call_value_span(const tg_call_t *call, tg_value_t v, char *buf,
    tg_str_t *out)
{
    uint64_t   hash;
    tg_text_t  t;

    switch (v) {

    case TG_VALUE_RESPONSE_ID:
        return call->answer != NULL
               && tg_value_str(tg_answer_info(call->answer)->id, out);

    case TG_VALUE_ERROR_TYPE:
        return tg_value_str(tg_call_error_type(call), out);

    case TG_VALUE_MAX_TOKENS:
        return tg_request_info(call->request)->max_tokens > 0
               && tg_value_int(tg_request_info(call->request)->max_tokens, buf,
                               out);

    case TG_VALUE_FIRST_CHUNK:
        if (call->first_ns == 0) {
            return false;
        }
        tg_text_init(&t, buf, TG_VALUE_MAX);
        tg_put_decimal(&t, (call->first_ns - call->start.mono_ns) / 1000, 6);
        return tg_value_str(tg_str_of(buf, (size_t) (t.p - buf)), out);

    case TG_VALUE_TRACE_ID:
        return call->traceparent.len != 0
               && tg_value_str(tg_str_of(call->traceparent.p + 3, 32), out);

    case TG_VALUE_PREFIX_HASH:
        if (!tg_request_prefix_hash(call->request, &hash)) {
            return false;
        }
        (void) tg_text_hex16(buf, hash);
        return tg_value_str(tg_str_of(buf, 16), out);

    default:
        return call->overhead_ns >= 0
               && tg_value_int(call->overhead_ns / 1000, buf, out);
    }
}


bool
tg_call_value(const tg_call_t *call, tg_value_t v, char *buf, tg_str_t *out)
{
    const tg_usage_t  *u = call->usage;
    tg_text_t          t;

    if (v <= TG_VALUE_SENT_MODEL || v == TG_VALUE_KEY_ID) {
        return tg_call_value_early(call, v, out);
    }

    if (!call->finished) {
        return false;
    }

    if (v >= TG_VALUE_RESPONSE_ID) {
        return tg_call_value_span(call, v, buf, out);
    }

    if (v == TG_VALUE_COST_USD) {
        if (!call->cost_known) {
            return false;
        }
        tg_text_init(&t, buf, TG_VALUE_MAX);
        tg_put_decimal(&t, call->cost.total, 9);
        return tg_value_str(tg_str_of(buf, (size_t) (t.p - buf)), out);
    }

    if (v == TG_VALUE_FINISH_REASON) {
        return call->answer != NULL
               && tg_value_str(tg_answer_info(call->answer)->finish[0], out);
    }

    if (call->source == TG_USAGE_NONE) {
        return false;
    }

    if (v == TG_VALUE_USAGE_SOURCE) {
        return tg_value_str(tg_usage_sources[call->source], out);
    }

    /* As in the line: it costs what it held, whatever was seen of it. */

    if (call->source == TG_USAGE_RECOVERED) {
        return false;
    }

    switch (v) {
    case TG_VALUE_INPUT_TOKENS:
        return tg_value_int(u->input, buf, out);
    case TG_VALUE_CACHED_TOKENS:
        return tg_value_int(u->cache_read, buf, out);
    case TG_VALUE_OUTPUT_TOKENS:
        return tg_value_int(u->output, buf, out);
    case TG_VALUE_REASONING_TOKENS:
        return tg_value_int(u->reasoning, buf, out);
    case TG_VALUE_TOTAL_TOKENS:
        return tg_value_int(u->input + u->output, buf, out);
    default:
        return false;
    }
}
