/*
 * The cost line: docs/costline.md, docs/costline.schema.json.
 *
 * Fields that say nothing (zero counts, empty strings) are left out, but for
 * those that a reader sums or filters by on every line.
 */

#include "tg_call_int.h"
#include "tg_usage_read.h"

/* Bytes that a value may take, escaped.  With the number of fields and tags
 * there are, TG_LINE_MAX can't be passed. */
#define TG_LINE_VALUE  512
#define TG_LINE_SHORT  128
#define TG_LINE_EXTRA  8

typedef struct {
    tg_text_t  t;
    bool       underscore;
} tg_line_t;

/* A constant of a known length is a few moves; underscores are for the few. */
#define tg_key(l, name)                                                       \
    do {                                                                      \
        char  *key_ = (l)->t.p;                                               \
                                                                              \
        tg_put_lit(&(l)->t, ",\"" name "\":");                                \
        if ((l)->underscore) {                                                \
            tg_line_dots(l, key_);                                            \
        }                                                                     \
    } while (0)


static void
tg_line_dots(tg_line_t *l, char *p)
{
    for ( ; p < l->t.p; p++) {
        if (*p == '.') {
            *p = '_';
        }
    }
}


static void
tg_line_text(tg_line_t *l, tg_str_t s, size_t max)
{
    tg_put_lit(&l->t, "\"");
    tg_put_json(&l->t, s, max);
    tg_put_lit(&l->t, "\"");
}


#define tg_line_str(l, name, s)                                               \
    do {                                                                      \
        tg_str_t  s_ = (s);                                                   \
                                                                              \
        if (s_.len != 0) {                                                    \
            tg_key(l, name);                                                  \
            tg_line_text(l, s_, TG_LINE_VALUE);                               \
        }                                                                     \
    } while (0)

#define tg_line_int(l, name, v)                                               \
    do {                                                                      \
        int64_t  v_ = (v);                                                    \
                                                                              \
        if (v_ > 0) {                                                         \
            tg_key(l, name);                                                  \
            tg_put_int(&(l)->t, v_);                                          \
        }                                                                     \
    } while (0)

#define tg_line_usd(l, name, v)                                               \
    do {                                                                      \
        int64_t  v_ = (v);                                                    \
                                                                              \
        if (v_ != 0) {                                                        \
            tg_key(l, name);                                                  \
            tg_put_decimal(&(l)->t, v_, 9);                                   \
        }                                                                     \
    } while (0)

#define tg_line_bool(l, name, v)                                              \
    do {                                                                      \
        tg_key(l, name);                                                      \
        tg_put_str(&(l)->t, (v) ? tg_str("true") : tg_str("false"));          \
    } while (0)


static void
tg_line_ids(tg_line_t *l, const tg_call_t *call, uint64_t seq)
{
    tg_put_str(&l->t, l->underscore ? tg_str("{\"timestamp\":\"")
                                    : tg_str("{\"@timestamp\":\""));
    tg_put_time(&l->t, call->start.wall_ms);
    tg_put_lit(&l->t, "\"");

    tg_key(l, "llm.schema");
    tg_put_lit(&l->t, "1");

    tg_key(l, "event.id");
    tg_put_lit(&l->t, "\"");
    tg_put(&l->t, call->id, TG_ID_LEN);
    tg_put_lit(&l->t, "-");
    tg_put_int(&l->t, call->attempts);
    tg_put_lit(&l->t, "\"");

    tg_key(l, "llm.call_id");
    tg_put_lit(&l->t, "\"");
    tg_put(&l->t, call->id, TG_ID_LEN);
    tg_put_lit(&l->t, "\"");

    tg_key(l, "llm.seq");
    tg_put_int(&l->t, (int64_t) seq);
    tg_key(l, "llm.attempt");
    tg_put_int(&l->t, call->attempts);
    tg_line_bool(l, "llm.final", true);

    if (call->traceparent.len != 0) {
        tg_line_str(l, "trace.id", tg_str_of(call->traceparent.p + 3, 32));
        tg_line_str(l, "span.id", tg_str_of(call->traceparent.p + 36, 16));
    }
}


static void
tg_line_tag(tg_line_t *l, const tg_tag_t *tag, tg_str_t v)
{
    switch (tag->role) {
    case TG_TAG_TEAM:
        tg_line_str(l, "llm.team", v);
        break;
    case TG_TAG_USER:
        tg_line_str(l, "user.id", v);
        break;
    case TG_TAG_ORG:
        tg_line_str(l, "organization.id", v);
        break;
    case TG_TAG_SESSION:
        tg_line_str(l, "gen_ai.conversation.id", v);
        break;
    case TG_TAG_AGENT:
        tg_line_str(l, "gen_ai.agent.name", v);
        break;
    case TG_TAG_OTHER:
        tg_put_str(&l->t, l->underscore ? tg_str(",\"llm_tags_")
                                        : tg_str(",\"llm.tags."));
        tg_put_str(&l->t, tag->name);
        tg_put_lit(&l->t, "\":");
        tg_line_text(l, v, TG_LINE_VALUE);
        break;
    }
}


static void
tg_line_who(tg_line_t *l, const tg_call_t *call)
{
    bool  user = false;

    for (unsigned i = 0; i < call->conf->ntags; i++) {
        if (call->tags[i].len != 0) {
            tg_line_tag(l, &call->conf->tags[i], call->tags[i]);
            user |= call->conf->tags[i].role == TG_TAG_USER;
        }
    }

    if (!user) {
        tg_line_str(l, "user.id", tg_request_info(call->request)->user);
    }

    tg_line_str(l, "client.address", call->head.client);
    tg_line_int(l, "llm.retry_count",
                tg_str_int(call->host->header(call->req,
                                    tg_str("x-stainless-retry-count"))));
}


static void
tg_line_request(tg_line_t *l, const tg_call_t *call)
{
    const tg_request_info_t  *info = tg_request_info(call->request);

    tg_key(l, "gen_ai.operation.name");
    tg_line_text(l, tg_op_name(tg_api_op(call->dialect.api)), TG_LINE_SHORT);

    if (call->provider != NULL && call->provider->host.len != 0) {
        tg_line_str(l, "llm.provider", call->provider->name);
    }

    tg_line_str(l, "gen_ai.provider.name",
                tg_vendor_name(call->dialect.vendor));
    tg_line_str(l, "gen_ai.request.model",
                info->model.len ? info->model : call->dialect.model);
    tg_line_bool(l, "gen_ai.request.stream", info->stream
                 || (call->answer != NULL
                     && tg_answer_info(call->answer)->stream));
    tg_line_int(l, "gen_ai.request.max_tokens", info->max_tokens);
    tg_line_str(l, "server.address", call->head.upstream);
    tg_line_int(l, "llm.prompt.messages", info->messages);
    tg_line_int(l, "llm.prompt.system_tokens",
                (int64_t) (info->system_bytes / TG_ESTIMATE_BYTES_PER_TOKEN));
}


static void
tg_line_answer(tg_line_t *l, const tg_answer_info_t *a)
{
    tg_line_str(l, "gen_ai.response.model", a->model);
    tg_line_str(l, "gen_ai.response.id", a->id);

    if (a->nfinish != 0) {
        tg_key(l, "gen_ai.response.finish_reasons");
        for (unsigned i = 0; i < a->nfinish; i++) {
            tg_put_str(&l->t, i == 0 ? tg_str("[") : tg_str(","));
            tg_line_text(l, a->finish[i], TG_LINE_SHORT);
        }
        tg_put_lit(&l->t, "]");
    }

    tg_line_int(l, "llm.tool_calls", a->tool_calls);
    tg_line_str(l, "llm.service_tier", a->service_tier);
}


static void
tg_line_extra(tg_line_t *l, const tg_usage_extra_t *x)
{
    tg_key(l, "llm.usage.extra");
    tg_put_lit(&l->t, "[");

    for (unsigned i = 0; x != NULL && i < TG_LINE_EXTRA; i++, x = x->next) {
        if (i != 0) {
            tg_put_lit(&l->t, ",");
        }

        tg_put_lit(&l->t, "{\"type\":");
        tg_line_text(l, x->type, TG_LINE_SHORT);
        if (x->model.len != 0) {
            tg_put_lit(&l->t, ",\"model\":");
            tg_line_text(l, x->model, TG_LINE_SHORT);
        }
        tg_put_lit(&l->t, ",\"input_tokens\":");
        tg_put_int(&l->t, x->input);
        tg_put_lit(&l->t, ",\"cache_read\":");
        tg_put_int(&l->t, x->cache_read);
        tg_put_lit(&l->t, ",\"cache_write\":");
        tg_put_int(&l->t, x->cache_write);
        tg_put_lit(&l->t, ",\"output_tokens\":");
        tg_put_int(&l->t, x->output);
        tg_put_lit(&l->t, "}");
    }

    tg_put_lit(&l->t, "]");
}


static const tg_str_t  tg_usage_sources[] = {
    TG_STR("none"), TG_STR("reported"), TG_STR("estimated"), TG_STR("cached")
};


static void
tg_line_usage(tg_line_t *l, const tg_usage_t *u)
{
    tg_line_str(l, "llm.usage.source", tg_usage_sources[u->source]);

    if (u->source == TG_USAGE_NONE) {
        return;
    }

    tg_key(l, "gen_ai.usage.input_tokens");
    tg_put_int(&l->t, u->input);
    tg_key(l, "gen_ai.usage.output_tokens");
    tg_put_int(&l->t, u->output);

    tg_line_int(l, "gen_ai.usage.cache_read.input_tokens", u->cache_read);
    tg_line_int(l, "gen_ai.usage.cache_creation.input_tokens", u->cache_write);
    tg_line_int(l, "llm.usage.cache_write_5m", u->cache_write_5m);
    tg_line_int(l, "llm.usage.cache_write_1h", u->cache_write_1h);
    tg_line_int(l, "gen_ai.usage.reasoning.output_tokens", u->reasoning);
    tg_line_int(l, "llm.usage.audio_input", u->audio_input);
    tg_line_int(l, "llm.usage.audio_output", u->audio_output);
    tg_line_int(l, "llm.usage.image_input", u->image_input);
    tg_line_int(l, "llm.usage.image_output", u->image_output);

    if (u->billed_input >= 0) {
        tg_key(l, "llm.usage.billed_input");
        tg_put_int(&l->t, u->billed_input);
    }

    if (u->billed_output >= 0) {
        tg_key(l, "llm.usage.billed_output");
        tg_put_int(&l->t, u->billed_output);
    }

    tg_line_int(l, "llm.usage.web_searches", u->web_searches);
    tg_line_int(l, "llm.usage.web_fetches", u->web_fetches);
    tg_line_int(l, "llm.usage.search_units", u->search_units);
    tg_line_int(l, "llm.usage.images", u->images);
    tg_line_int(l, "llm.usage.duration_ms", u->duration_ms);
    tg_line_int(l, "llm.usage.characters", u->characters);
    tg_line_int(l, "llm.usage.pages", u->pages);

    if (u->extra != NULL) {
        tg_line_extra(l, u->extra);
    }
}


static void
tg_line_money(tg_line_t *l, const tg_call_t *call)
{
    const tg_cost_t  *c = &call->cost;

    if (!call->cost_known) {

        /* The sum over all lines must not depend on who skips nulls. */
        tg_key(l, "llm.cost.total_nusd");
        tg_put_lit(&l->t, "0");

        if (call->usage.source != TG_USAGE_NONE) {
            tg_line_bool(l, "llm.cost.unpriced", true);
        }
        return;
    }

    if (!call->cost_by_provider) {
        tg_line_usd(l, "llm.cost.input", c->input);
        tg_line_usd(l, "llm.cost.cache_read", c->cache_read);
        tg_line_usd(l, "llm.cost.cache_write", c->cache_write);
        tg_line_usd(l, "llm.cost.output", c->output);
        tg_line_usd(l, "llm.cost.tools", c->tools);
        tg_line_usd(l, "llm.cost.extra", c->extra);
    }

    if (call->price_id.len != 0) {
        tg_line_usd(l, "llm.cost.list", c->list);
        tg_line_usd(l, "llm.cost.saved",
                    c->list > c->total ? c->list - c->total : 0);
    }

    tg_key(l, "llm.cost.total");
    tg_put_decimal(&l->t, c->total, 9);
    tg_key(l, "llm.cost.total_nusd");
    tg_put_int(&l->t, c->total);

    if (call->cost_by_provider) {
        tg_line_str(l, "llm.cost.source", tg_str("provider"));

    } else if (call->price_id.len != 0) {
        tg_line_str(l, "llm.cost.source", tg_str("prices"));
    }

    tg_line_str(l, "llm.price_id", call->price_id);

    if (c->incomplete && !call->cost_by_provider) {
        tg_line_bool(l, "llm.cost.incomplete", true);
    }
}


static tg_str_t
tg_call_decision(const tg_call_t *call)
{
    return call->refused ? tg_str("refuse")
           : call->would_refuse ? tg_str("dry_refuse") : tg_str("allow");
}


/* Why a call failed, by the field's own words; empty if it did not. */
static tg_str_t
tg_call_error_type(const tg_call_t *call)
{
    const tg_answer_info_t  *a;

    if (call->refused) {
        return call->rule;
    }

    if (call->answer != NULL) {
        a = tg_answer_info(call->answer);
        if (a->error_type.len != 0) {
            return a->error_type;
        }

        if (a->error) {
            return tg_str("error");
        }
    }

    switch ((tg_end_t) call->end) {
    case TG_END_CLIENT:
        return tg_str("client_closed");
    case TG_END_UPSTREAM:
        return tg_str("upstream_cut");
    case TG_END_SHUTDOWN:
        return tg_str("server_shutdown");
    case TG_END_COMPLETE:
        break;
    }

    return call->status >= 500 ? tg_str("server_error")
           : call->status >= 400 ? tg_str("client_error") : tg_str_null;
}


static void
tg_line_end(tg_line_t *l, const tg_call_t *call)
{
    tg_str_t  error = tg_call_error_type(call);

    tg_line_str(l, "llm.decision", tg_call_decision(call));
    tg_line_str(l, "llm.rule", call->rule);
    tg_line_str(l, "llm.node", call->conf->node);
    tg_line_str(l, "llm.config_hash", tg_strz(call->conf->hash_text));

    tg_key(l, "event.duration");
    tg_put_int(&l->t, call->end_ns - call->start.mono_ns);

    if (call->first_ns != 0) {
        tg_key(l, "gen_ai.response.time_to_first_chunk");
        tg_put_decimal(&l->t, (call->first_ns - call->start.mono_ns) / 1000, 6);
    }

    tg_key(l, "http.request.body.bytes");
    tg_put_int(&l->t, (int64_t) tg_request_info(call->request)->bytes);

    if (call->answer != NULL) {
        tg_key(l, "http.response.body.bytes");
        tg_put_int(&l->t, (int64_t) tg_answer_info(call->answer)->bytes);
    }

    tg_key(l, "http.response.status_code");
    tg_put_int(&l->t, call->status);
    tg_line_str(l, "error.type", error);
    tg_line_str(l, "event.outcome",
                error.len != 0 ? tg_str("failure") : tg_str("success"));
    tg_line_str(l, "event.reason", call->reason);
    tg_put_lit(&l->t, "}\n");
}


size_t
tg_call_line(const tg_call_t *call, char *buf, uint64_t seq,
    tg_log_format_t format)
{
    tg_line_t  l;

    tg_text_init(&l.t, buf, TG_LINE_MAX);
    l.underscore = format == TG_LOG_UNDERSCORE;

    tg_line_ids(&l, call, seq);
    tg_line_who(&l, call);
    tg_line_request(&l, call);

    if (call->answer != NULL) {
        tg_line_answer(&l, tg_answer_info(call->answer));
    }

    if (call->answer != NULL) {
        tg_line_usage(&l, &call->usage);
    }

    tg_line_money(&l, call);
    tg_line_end(&l, call);

    return (size_t) (l.t.p - buf);
}


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

    asked = info->model.len ? info->model : call->dialect.model;

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

    default:
        return false;
    }
}


bool
tg_call_value(const tg_call_t *call, tg_value_t v, char *buf, tg_str_t *out)
{
    const tg_usage_t  *u = &call->usage;
    tg_text_t          t;

    if (v <= TG_VALUE_DECISION) {
        return tg_call_value_early(call, v, out);
    }

    if (!call->finished) {
        return false;
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

    if (u->source == TG_USAGE_NONE) {
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
    case TG_VALUE_USAGE_SOURCE:
        return tg_value_str(tg_usage_sources[u->source], out);
    default:
        return false;
    }
}
