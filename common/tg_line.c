/*
 * The cost line: docs/costline.md, docs/costline.schema.json.
 *
 * Fields that say nothing (zero counts, empty strings) are left out, but for
 * those that a reader sums or filters by on every line.
 *
 * Nothing here looks for the end of the buffer: each value is cut, and with as
 * many fields and tags as there can be TG_LINE_MAX is not reached.
 */

#include "tg_line_int.h"
#include "tg_usage_read.h"


static char *
tg_line_ids(char *p, bool under, const tg_call_t *call,
    const tg_attempt_t *attempt, uint64_t seq)
{
    unsigned  number = attempt != NULL ? attempt->number : call->attempts;

    p = tg_line_plain(p, under ? tg_str("{\"timestamp\":\"")
                               : tg_str("{\"@timestamp\":\""));
    p = tg_text_time(p, call->start.wall_ms);
    tg_line_lit(p, under, "\",\"llm.schema\":1,\"event.id\":\"");
    memcpy(p, call->id, TG_ID_LEN);
    p += TG_ID_LEN;
    *p++ = '-';
    p = tg_text_int(p, number);
    tg_line_lit(p, under, "\",\"llm.call_id\":\"");
    memcpy(p, call->id, TG_ID_LEN);
    p += TG_ID_LEN;
    tg_line_lit(p, under, "\",\"llm.seq\":");
    p = tg_text_int(p, (int64_t) seq);
    tg_line_key(p, under, "llm.attempt");
    p = tg_text_int(p, number);

    if (attempt != NULL) {
        tg_line_lit(p, under, ",\"llm.final\":false");
    } else {
        tg_line_lit(p, under, ",\"llm.final\":true");
    }

    if (call->traceparent.len != 0) {
        tg_line_lit(p, under, ",\"trace.id\":\"");
        memcpy(p, call->traceparent.p + 3, 32);
        p += 32;
        tg_line_lit(p, under, "\",\"span.id\":\"");
        memcpy(p, call->traceparent.p + 36, 16);
        p += 16;
        *p++ = '"';
    }

    return p;
}


/* What the key says beside the tags that are configured. */
static char *
tg_line_key_says(char *p, bool under, const tg_call_t *call, unsigned roles)
{
    const tg_pass_t  *pass = call->pass;
    const tg_key_t   *key = pass->key;

    if (!(roles & 1u << TG_TAG_TEAM)) {
        tg_line_str(p, under, "llm.team", pass->team);
    }

    if (!(roles & 1u << TG_TAG_USER)) {
        tg_line_str(p, under, "user.id", pass->user);
    }

    if (!(roles & 1u << TG_TAG_ORG)) {
        tg_line_str(p, under, "organization.id", pass->org);
    }

    tg_line_str(p, under, "llm.key_id", key->id);

    for (unsigned i = 0; i < key->ntags; i++) {
        if (tg_call_has_tag(call, key->tags[i].name)) {
            continue;
        }

        tg_line_lit(p, under, ",\"llm.tags.");
        p = tg_text_json(p, key->tags[i].name, TG_LINE_SHORT);
        tg_line_lit(p, false, "\":\"");
        p = tg_text_json(p, key->tags[i].value, TG_LINE_VALUE);
        *p++ = '"';
    }

    return p;
}


static char *
tg_line_who(char *p, bool under, const tg_call_t *call,
    const tg_request_info_t *info)
{
    unsigned         roles = 0;
    const tg_tag_t  *tag = call->conf->tags;

    for (unsigned i = 0; i < call->conf->ntags; i++, tag++) {
        if (call->tags[i].len != 0) {
            p = tg_line_plain(p, tag->key[under]);
            p = tg_text_json(p, call->tags[i], TG_LINE_VALUE);
            *p++ = '"';
            roles |= 1u << tag->role;
        }
    }

    if (call->pass != NULL && call->pass->key != NULL) {
        p = tg_line_key_says(p, under, call, roles);
        roles |= call->pass->user.len != 0 ? 1u << TG_TAG_USER : 0;
    }

    if (!(roles & 1u << TG_TAG_USER)) {
        tg_line_str(p, under, "user.id", info->user);
    }

    tg_line_str(p, under, "client.address", call->head.client);

    if (call->geo.country[0] != '\0') {
        tg_line_lit(p, under, ",\"client.geo.country_iso_code\":\"");
        p = tg_line_plain(p, tg_str_of(call->geo.country, 2));
        *p++ = '"';
    }

    tg_line_int(p, under, "client.as.number", call->geo.asn);
    tg_line_int(p, under, "llm.retry_count",
                tg_str_int(call->host->header(call->req,
                                    tg_str("x-stainless-retry-count"))));
    return p;
}


static char *
tg_line_request(char *p, bool under, const tg_call_t *call,
    const tg_request_info_t *info, const tg_answer_info_t *a,
    const tg_attempt_t *attempt)
{
    uint64_t              prefix;
    const tg_vendor_t    *vendor = call->dialect.vendor;
    const tg_provider_t  *provider = call->provider;

    if (attempt != NULL) {
        vendor = attempt->vendor;
        provider = attempt->provider;
    }

    tg_line_lit(p, under, ",\"gen_ai.operation.name\":\"");
    p = tg_line_plain(p, tg_op_name(tg_api_op(call->asked.api)));

    if (provider != NULL && provider->host.len != 0) {
        tg_line_lit(p, under, "\",\"llm.provider\":\"");
        p = tg_line_plain(p, provider->name);
    }

    tg_line_lit(p, under, "\",\"gen_ai.provider.name\":\"");
    p = tg_line_plain(p, tg_vendor_name(vendor));
    *p++ = '"';

    tg_line_str(p, under, "gen_ai.request.model",
                tg_call_model(call));

    if (info->stream || (a != NULL && a->stream)) {
        tg_line_lit(p, under, ",\"gen_ai.request.stream\":true");
    } else {
        tg_line_lit(p, under, ",\"gen_ai.request.stream\":false");
    }

    tg_line_int(p, under, "gen_ai.request.max_tokens", info->max_tokens);

    tg_line_int(p, under, "llm.sent_max_tokens", tg_call_lowered(call));

    if (call->routing != NULL) {
        p = tg_line_routing(p, under, call, attempt);
    }

    p = tg_line_server(p, under, call, attempt);
    tg_line_int(p, under, "llm.prompt.messages", info->messages);
    tg_line_int(p, under, "llm.prompt.system_tokens",
                (int64_t) (info->system_bytes / TG_ESTIMATE_BYTES_PER_TOKEN));

    if (tg_request_prefix_hash(call->request, &prefix)) {
        tg_line_lit(p, under, ",\"llm.prefix_hash\":\"");
        p = tg_text_hex16(p, prefix);
        *p++ = '"';
    }

    return p;
}


/* As tg_tier_parse() reads it. */
static char *
tg_line_tier(char *p, bool under, const tg_answer_info_t *a)
{
    tg_str_t  tier = a->fast == TG_SAID_SO ? tg_str("fast") : a->service_tier;

    if (a->us != TG_SAID_SO) {
        tg_line_str(p, under, "llm.service_tier", tier);
        return p;
    }

    tg_line_lit(p, under, ",\"llm.service_tier\":\"");
    p = tg_text_json(p, tier.len != 0 ? tier : tg_str("standard"),
                     TG_LINE_VALUE - 3);
    memcpy(p, "+us\"", 4);

    return p + 4;
}


static char *
tg_line_answer(char *p, bool under, const tg_answer_info_t *a)
{
    tg_line_str(p, under, "gen_ai.response.model", a->model);
    tg_line_str(p, under, "gen_ai.response.id", a->id);

    if (a->nfinish != 0) {
        tg_line_key(p, under, "gen_ai.response.finish_reasons");
        for (unsigned i = 0; i < a->nfinish; i++) {
            *p++ = i == 0 ? '[' : ',';
            p = tg_line_quoted(p, a->finish[i], TG_LINE_SHORT);
        }
        *p++ = ']';
    }

    tg_line_int(p, under, "llm.tool_calls", a->tool_calls);

    return tg_line_tier(p, under, a);
}


tg_str_t
tg_call_decision(const tg_call_t *call)
{
    return call->refused ? tg_str("refuse")
           : call->would_refuse ? tg_str("dry_refuse") : tg_str("allow");
}


/* Why a call failed, by the field's own words; empty if it did not. */
tg_str_t
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


static char *
tg_line_decided(char *p, bool under, const tg_conf_t *conf, tg_str_t decision,
    tg_str_t rule)
{
    tg_line_str(p, under, "llm.decision", decision);
    tg_line_str(p, under, "llm.rule", rule);
    tg_line_str(p, under, "llm.node", conf->node);
    tg_line_str(p, under, "llm.config_hash", tg_strz(conf->hash_text));
    tg_line_key(p, under, "event.duration");

    return p;
}


/* An amount in its measure: dollars as such. */
static char *
tg_line_amount(char *p, tg_measure_t measure, int64_t v)
{
    return measure == TG_MEASURE_USD ? tg_text_decimal(p, v, 9)
                                     : tg_text_int(p, v);
}


static char *
tg_line_quota(char *p, bool under, const tg_pass_t *pass)
{
    const tg_ledger_state_t  *st = &pass->state;

    if (pass->held && pass->hold > 0) {
        tg_line_usd(p, under, "llm.hold", pass->hold);
    }

    if (pass->held && pass->calibrated) {
        tg_line_lit(p, under, ",\"llm.hold_calibrated\":true");
    }

    tg_line_int(p, under, "llm.waited_ms", pass->waited_ms);

    if (pass->subject.len == 0) {
        return p;
    }

    tg_line_str(p, under, "llm.quota.subject", pass->subject);
    tg_line_lit(p, under, ",\"llm.quota.measure\":\"");
    p = tg_line_plain(p, tg_strz(tg_measure_names[pass->measure]));
    *p++ = '"';
    tg_line_key(p, under, "llm.quota.spent");
    p = tg_line_amount(p, pass->measure, st->used);
    tg_line_key(p, under, "llm.quota.held");
    p = tg_line_amount(p, pass->measure, st->held);
    tg_line_key(p, under, "llm.quota.cap");
    p = tg_line_amount(p, pass->measure, st->limit);

    if (st->reset != TG_WINDOW_NEVER) {
        tg_line_lit(p, under, ",\"llm.quota.reset\":\"");
        p = tg_text_time(p, st->reset);
        *p++ = '"';
    }

    return p;
}


static char *
tg_line_end(char *p, bool under, const tg_call_t *call,
    const tg_request_info_t *info, const tg_answer_info_t *a)
{
    tg_str_t  error = tg_call_error_type(call);

    if (call->refused || call->would_refuse || call->rule.len != 0) {
        p = tg_line_decided(p, under, call->conf, tg_call_decision(call),
                            call->rule);
    } else {
        p = tg_line_plain(p, call->conf->allowed[under]);
    }

    p = tg_text_int(p, call->end_ns - call->start.mono_ns);

    if (call->first_ns != 0) {
        tg_line_key(p, under, "gen_ai.response.time_to_first_chunk");
        p = tg_text_decimal(p, (call->first_ns - call->start.mono_ns) / 1000,
                            6);
    }

    if (call->overhead_ns >= 0) {
        tg_line_key(p, under, "llm.overhead");
        p = tg_text_int(p, call->overhead_ns / 1000);
    }

    tg_line_key(p, under, "http.request.body.bytes");
    p = tg_text_int(p, (int64_t) info->bytes);

    if (a != NULL) {
        tg_line_key(p, under, "http.response.body.bytes");
        p = tg_text_int(p, (int64_t) a->bytes);
    }

    tg_line_key(p, under, "http.response.status_code");
    p = tg_text_int(p, call->status);

    if (error.len != 0) {
        tg_line_str(p, under, "error.type", error);
        tg_line_lit(p, under, ",\"event.outcome\":\"failure\"");

    } else {
        tg_line_lit(p, under, ",\"event.outcome\":\"success\"");
    }

    tg_line_str(p, under, "event.reason", call->reason);

    if (call->served) {
        tg_line_lit(p, under, ",\"llm.served\":true");
    }

    if (call->guarded != NULL) {
        p = tg_line_guard(p, under, call->guarded);
    }

    if (call->pass != NULL) {
        p = tg_line_quota(p, under, call->pass);
    }

    *p++ = '}';
    *p++ = '\n';

    return p;
}


static tg_str_t
tg_line_failure(const tg_attempt_t *a)
{
    switch (a->why) {
    case TG_FAIL_CONNECT:
        return tg_str("upstream_unreachable");
    case TG_FAIL_TIMEOUT:
        return tg_str("upstream_timeout");
    case TG_FAIL_STATUS:
        return a->status >= 500 ? tg_str("server_error")
                                : tg_str("client_error");
    default:
        return tg_str("upstream_cut");
    }
}


/* The attempt failed, and may be billed all the same. */
static char *
tg_line_attempt(char *p, bool under, const tg_call_t *call,
    const tg_attempt_t *a)
{
    p = tg_line_usage(p, under, &a->usage, a->usage.source);
    p = tg_line_charge(p, under, a);
    p = tg_line_gpu(p, under, &a->gpu);
    p = tg_line_plain(p, call->conf->allowed[under]);
    p = tg_text_int(p, a->end_ns - a->start_ns);
    tg_line_key(p, under, "http.request.body.bytes");
    p = tg_text_int(p, (int64_t) tg_request_info(call->request)->bytes);
    tg_line_key(p, under, "http.response.status_code");
    p = tg_text_int(p, a->why == TG_FAIL_STATUS ? a->status
                       : a->why == TG_FAIL_TIMEOUT ? 504 : 502);
    tg_line_str(p, under, "error.type", tg_line_failure(a));
    tg_line_lit(p, under, ",\"event.outcome\":\"failure\"");
    *p++ = '}';
    *p++ = '\n';

    return p;
}


size_t
tg_call_line(const tg_call_t *call, unsigned i, char *buf, uint64_t seq,
    tg_log_format_t format)
{
    char                     *p = buf;
    bool                      under = format == TG_LOG_UNDERSCORE;
    const tg_attempt_t       *attempt = tg_call_attempt(call, i);
    const tg_answer_info_t   *a = NULL;
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (call->answer != NULL && attempt == NULL) {
        a = tg_answer_info(call->answer);
    }

    p = tg_line_ids(p, under, call, attempt, seq);
    p = tg_line_who(p, under, call, info);
    p = tg_line_request(p, under, call, info, a, attempt);

    if (attempt != NULL) {
        return (size_t) (tg_line_attempt(p, under, call, attempt) - buf);
    }

    if (a != NULL) {
        p = tg_line_answer(p, under, a);
    }

    if (a != NULL || call->source != TG_USAGE_NONE) {
        p = tg_line_usage(p, under, call->usage, call->source);
    }

    p = tg_line_money(p, under, call);
    p = tg_line_gpu(p, under, call->gpu);
    p = tg_line_end(p, under, call, info, a);

    return (size_t) (p - buf);
}


static tg_str_t
tg_line_tag_key(tg_mem_t *mem, const tg_tag_t *tag, bool under)
{
    char  buf[128], *p = buf;

    switch (tag->role) {
    case TG_TAG_TEAM:
        tg_line_lit(p, under, ",\"llm.team\":\"");
        break;
    case TG_TAG_USER:
        tg_line_lit(p, under, ",\"user.id\":\"");
        break;
    case TG_TAG_ORG:
        tg_line_lit(p, under, ",\"organization.id\":\"");
        break;
    case TG_TAG_SESSION:
        tg_line_lit(p, under, ",\"gen_ai.conversation.id\":\"");
        break;
    case TG_TAG_AGENT:
        tg_line_lit(p, under, ",\"gen_ai.agent.name\":\"");
        break;
    case TG_TAG_OTHER:
        tg_line_lit(p, under, ",\"llm.tags.");
        p = tg_line_plain(p, tag->name);
        tg_line_lit(p, false, "\":\"");
        break;
    }

    return tg_dup(mem, tg_str_of(buf, (size_t) (p - buf)));
}


int
tg_line_prepare(tg_conf_t *conf)
{
    char       buf[2048], *p;
    tg_tag_t  *tag;

    for (unsigned under = 0; under < TG_LOG_FORMATS; under++) {

        for (tag = conf->tags; tag < conf->tags + conf->ntags; tag++) {
            tag->key[under] = tg_line_tag_key(conf->mem, tag, under);
            if (tag->key[under].p == NULL) {
                return TG_ERROR;
            }
        }

        p = tg_line_decided(buf, under, conf, tg_str("allow"), tg_str_null);
        conf->allowed[under] = tg_dup(conf->mem,
                                      tg_str_of(buf, (size_t) (p - buf)));
        if (conf->allowed[under].p == NULL) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}
