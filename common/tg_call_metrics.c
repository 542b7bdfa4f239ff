/* What llm_status is told of a finished call: the same as its lines say. */

#include "tg_call_int.h"
#include "tg_tally.h"


tg_str_t
tg_count_role(const tg_call_t *call, tg_tag_role_t role)
{
    const tg_pass_t  *pass = call->pass;

    for (unsigned i = 0; i < call->conf->ntags; i++) {
        if (call->conf->tags[i].role == role && call->tags[i].len != 0) {
            return call->tags[i];
        }
    }

    if (pass == NULL) {
        return tg_str_null;
    }

    return role == TG_TAG_TEAM ? pass->team : role == TG_TAG_USER ? pass->user
           : role == TG_TAG_ORG ? pass->org : tg_str_null;
}


tg_str_t
tg_count_model(const tg_call_t *call, const tg_attempt_t *attempt)
{
    const tg_answer_info_t  *a;

    if (attempt != NULL) {
        return attempt->model;
    }

    if (call->answer != NULL) {
        a = tg_answer_info(call->answer);

        if (a->model.len != 0) {
            return a->model;
        }
    }

    return tg_call_sent_model(call);
}


tg_str_t
tg_count_provider(const tg_call_t *call, const tg_attempt_t *attempt)
{
    const tg_vendor_t    *vendor = call->dialect.vendor;
    const tg_provider_t  *provider = call->provider;

    if (attempt != NULL) {
        vendor = attempt->vendor;
        provider = attempt->provider;
    }

    return provider != NULL && provider->host.len != 0
           ? provider->name : tg_vendor_name(vendor);
}


static void
tg_count_labels(const tg_call_t *call, const tg_attempt_t *attempt,
    tg_str_t team, tg_labels_t *l)
{
    const tg_conf_metrics_t  *mc = &call->conf->metrics;

    tg_labels_init(l);
    tg_metrics_label(l, mc, TG_LABEL_PROVIDER,
                     tg_count_provider(call, attempt));
    tg_metrics_label(l, mc, TG_LABEL_MODEL, tg_count_model(call, attempt));
    tg_metrics_label(l, mc, TG_LABEL_OPERATION,
                     tg_op_name(tg_api_op(call->asked.api)));
    tg_metrics_label(l, mc, TG_LABEL_TEAM, team);

    if ((mc->labels & 1u << TG_LABEL_USER) != 0) {
        tg_metrics_label(l, mc, TG_LABEL_USER,
                         tg_count_role(call, TG_TAG_USER));
    }

    if ((mc->labels & 1u << TG_LABEL_ORG) != 0) {
        tg_metrics_label(l, mc, TG_LABEL_ORG, tg_count_role(call, TG_TAG_ORG));
    }

    if (call->pass != NULL && call->pass->key != NULL) {
        tg_metrics_label(l, mc, TG_LABEL_KEY, call->pass->key->id);
    }

    if (call->routing != NULL && call->routing->route != NULL) {
        tg_metrics_label(l, mc, TG_LABEL_ROUTE, call->routing->route->name);
    }

    for (unsigned i = 0; i < mc->ntags; i++) {
        if (call->tags[mc->place[i]].len != 0) {
            tg_labels_add(l, mc->label[i], call->tags[mc->place[i]]);
        }
    }
}


/* Of those of its speed: each of them has one.  What the call is counted by usually
 * begins with two of them. */
static void
tg_count_speed(const tg_call_t *call, tg_metrics_t *metrics,
    const tg_labels_t *counted, const tg_trace_t *trace)
{
    tg_labels_t     l;
    const unsigned  both = 1u << TG_LABEL_PROVIDER | 1u << TG_LABEL_MODEL;

    tg_labels_init(&l);

    if ((call->conf->metrics.labels & both) == both && counted->n > 1
        && tg_str_eq(counted->list[1].name, tg_str("model")))
    {
        l.list[0] = counted->list[0];
        l.list[1] = counted->list[1];
        l.n = 2;

    } else {
        tg_labels_add(&l, tg_str("provider"), tg_count_provider(call, NULL));
        tg_labels_add(&l, tg_str("model"), tg_count_model(call, NULL));
    }

    tg_labels_add(&l, tg_str("operation"),
                  tg_op_name(tg_api_op(call->asked.api)));
    tg_metrics_speed(metrics, &l,
                     call->first_ns != 0
                     ? call->first_ns - call->start.mono_ns : -1,
                     call->end_ns - call->start.mono_ns, trace);
}


static uint64_t
tg_count_hex(const char *p)
{
    uint64_t  v = 0;

    for (unsigned i = 0; i < 16; i++) {
        v = v << 4 | (uint64_t) (p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
    }

    return v;
}


/* NULL: it has none. */
static const tg_trace_t *
tg_count_trace(const tg_call_t *call, tg_trace_t *t)
{
    const char  *p = call->traceparent.p;

    if (call->traceparent.len == 0) {
        return NULL;
    }

    /* 00-<trace id>-<span id>-<flags>, in small letters: it was looked at. */

    t->trace[0] = tg_count_hex(p + 3);
    t->trace[1] = tg_count_hex(p + 19);
    t->span = tg_count_hex(p + 36);
    t->wall_ms = call->start.wall_ms
                 + (call->end_ns - call->start.mono_ns) / 1000000;

    return t;
}


static tg_outcome_t
tg_count_outcome(const tg_call_t *call)
{
    if (call->refused) {
        return TG_OUTCOME_REFUSED;
    }

    if (call->served) {
        return TG_OUTCOME_SERVED;
    }

    switch ((tg_end_t) call->end) {
    case TG_END_CLIENT:
        return TG_OUTCOME_CLIENT_CLOSED;
    case TG_END_UPSTREAM:
    case TG_END_SHUTDOWN:
        return TG_OUTCOME_CUT;
    case TG_END_COMPLETE:
        break;
    }

    return call->status >= 500 ? TG_OUTCOME_SERVER_ERROR
           : call->status >= 400 ? TG_OUTCOME_CLIENT_ERROR : TG_OUTCOME_OK;
}


static int64_t
tg_count_part(int64_t part, int64_t *whole)
{
    part = part < 0 ? 0 : part < *whole ? part : *whole;
    *whole -= part;

    return part;
}


/* Inclusive counts into exclusive ones. */
static void
tg_count_usage(tg_counted_t *c, const tg_usage_t *u)
{
    int64_t  input = u->input, output = u->output;

    c->tokens[TG_TOKENS_CACHE_READ] = tg_count_part(u->cache_read, &input);
    c->tokens[TG_TOKENS_CACHE_WRITE] = tg_count_part(u->cache_write, &input);
    c->tokens[TG_TOKENS_INPUT] = input;
    c->tokens[TG_TOKENS_REASONING] = tg_count_part(u->reasoning, &output);
    c->tokens[TG_TOKENS_OUTPUT] = output;
}


static void
tg_count_attempt(const tg_call_t *call, tg_metrics_t *metrics,
    const tg_attempt_t *attempt)
{
    tg_str_t      team = tg_count_role(call, TG_TAG_TEAM);
    tg_labels_t   labels;
    tg_counted_t  c;

    memset(&c, 0, sizeof(c));
    tg_count_labels(call, attempt, team, &labels);
    c.labels = &labels;
    c.attempt = true;
    c.unpriced = !attempt->cost_known;
    c.estimated = attempt->usage.source == TG_USAGE_ESTIMATED;
    c.untagged = team.len == 0;
    tg_count_usage(&c, &attempt->usage);

    if (attempt->cost_known) {
        c.cost = attempt->cost.total;
        c.list = attempt->cost.list;
    }

    tg_metrics_count(metrics, call->conf->metrics.series, &c);
}


void
tg_call_count(const tg_call_t *call, tg_tally_t *tally)
{
    unsigned       n = tg_call_lines(call);
    tg_str_t       team = tg_count_role(call, TG_TAG_TEAM);
    tg_trace_t     trace;
    tg_labels_t    labels;
    tg_counted_t   c;
    tg_metrics_t  *metrics = &tally->metrics;

    for (unsigned i = 0; i + 1 < n; i++) {
        tg_count_attempt(call, metrics, tg_call_attempt(call, i));
    }

    memset(&c, 0, sizeof(c));
    tg_count_labels(call, NULL, team, &labels);
    c.labels = &labels;
    c.trace = tg_count_trace(call, &trace);
    c.untagged = team.len == 0;
    c.outcome = tg_count_outcome(call);
    c.unpriced = !call->cost_known && call->source != TG_USAGE_NONE;
    c.estimated = call->source == TG_USAGE_ESTIMATED;

    if (call->cost_known) {
        c.cost = call->cost.total;
        c.list = call->price_id.len != 0 ? call->cost.list : call->cost.total;
    }

    if (call->usage != NULL && call->source != TG_USAGE_NONE
        && call->source != TG_USAGE_RECOVERED)
    {
        tg_count_usage(&c, call->usage);
    }

    tg_metrics_count(metrics, call->conf->metrics.series, &c);

    if (call->refused || call->would_refuse) {
        tg_metrics_rule(metrics, call->rule, !call->refused);
    }

    if (!call->refused && !call->served && call->answer != NULL) {
        tg_count_speed(call, metrics, &labels, c.trace);
    }

    if (call->overhead_ns >= 0) {
        tg_metrics_overhead(metrics, call->overhead_ns);
    }
}
