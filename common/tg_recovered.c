#include "tg_recovered.h"
#include "tg_line_int.h"

#define TG_PACKED_VERSION  1
#define TG_PACKED_LOGS     4
#define TG_PACKED_TEXTS    7

enum {
    TG_PACKED_STREAM   = 0x01,
    TG_PACKED_FINISHED = 0x02,
    TG_PACKED_KNOWN    = 0x04,      /* the cost is */
    TG_PACKED_USAGE    = 0x08       /* the tokens are */
};

/* The fixed part; then each text with its length in a byte before it.  Of one
 * machine and one version: the ledger's file goes no further. */
typedef struct {
    uint8_t   version;
    uint8_t   flags;
    uint8_t   op;
    uint8_t   source;
    uint16_t  status;
    uint16_t  attempts;
    uint16_t  logs[TG_PACKED_LOGS];     /* 0: none */
    uint32_t  body;                     /* bytes, at most UINT32_MAX */
    int64_t   start;
    int64_t   cost;                     /* before the end: what is held */
    int64_t   input;                    /* the same */
    int64_t   output;
    char      id[TG_ID_LEN];
} tg_packed_t;

/* In the order in which there is room for them. */
typedef struct {
    tg_str_t  vendor;
    tg_str_t  key_id;
    tg_str_t  model;
    tg_str_t  team;
    tg_str_t  provider;
    tg_str_t  user;
    tg_str_t  org;
} tg_packed_texts_t;

static const size_t  tg_packed_most[TG_PACKED_TEXTS] = {
    20, 40, 64, 32, 24, 32, 24
};


uint16_t
tg_recovered_log(tg_str_t target)
{
    uint32_t  h = 2166136261u;

    for (size_t i = 0; i < target.len; i++) {
        h = (h ^ (unsigned char) target.p[i]) * 16777619u;
    }

    h = (h >> 16 ^ h) & 0xffff;

    return (uint16_t) (h != 0 ? h : 1);
}


static size_t
tg_recovered_texts(const tg_packed_texts_t *texts, unsigned char *p,
    size_t room)
{
    size_t           n, used = 0;
    const tg_str_t  *s = &texts->vendor;

    for (unsigned i = 0; i < TG_PACKED_TEXTS && used < room; i++) {
        n = s[i].len < tg_packed_most[i] ? s[i].len : tg_packed_most[i];
        n = n < room - used - 1 ? n : room - used - 1;

        p[used++] = (unsigned char) n;

        if (n != 0) {
            memcpy(p + used, s[i].p, n);
            used += n;
        }
    }

    return used;
}


size_t
tg_recovered_pack(const tg_call_t *call, unsigned char *blob)
{
    unsigned                  k = 0;
    tg_packed_t               c;
    const tg_pass_t          *pass = call->pass;
    tg_packed_texts_t         texts;
    const tg_scope_t         *scope = call->scope;
    const tg_request_info_t  *info = tg_request_info(call->request);

    memset(&c, 0, sizeof(c));
    c.version = TG_PACKED_VERSION;
    c.flags = info->stream ? TG_PACKED_STREAM : 0;
    c.op = (uint8_t) tg_api_op(call->dialect.api);
    c.attempts = (uint16_t) call->attempts;
    c.body = info->bytes < UINT32_MAX ? (uint32_t) info->bytes : UINT32_MAX;
    c.start = call->start.wall_ms;
    memcpy(c.id, call->id, TG_ID_LEN);

    c.cost = pass->hold > 0 ? pass->hold : 0;

    for (unsigned i = 0; i < scope->nlogs && k < TG_PACKED_LOGS; i++) {
        if (!scope->logs[i].off) {
            c.logs[k++] = scope->logs[i].id;
        }
    }

    texts.vendor = tg_vendor_name(call->dialect.vendor);
    texts.key_id = pass->key != NULL ? pass->key->id : tg_str_null;
    texts.model = tg_call_model(call);
    texts.team = pass->team;
    texts.provider = call->provider != NULL && call->provider->host.len != 0
                     ? call->provider->name : tg_str_null;
    texts.user = pass->user;
    texts.org = pass->org;

    memcpy(blob, &c, sizeof(c));

    return sizeof(c) + tg_recovered_texts(&texts, blob + sizeof(c),
                                          TG_LEDGER_BLOB_MAX - sizeof(c));
}


void
tg_recovered_repack(const tg_call_t *call, unsigned char *blob)
{
    tg_packed_t        c;
    const tg_usage_t  *u = call->usage;

    memcpy(&c, blob, sizeof(c));

    /* Of a call that was cut off, what was packed is still true. */

    if (call->source == TG_USAGE_RECOVERED) {
        return;
    }

    c.flags |= TG_PACKED_FINISHED | (call->cost_known ? TG_PACKED_KNOWN : 0)
               | (u != NULL ? TG_PACKED_USAGE : 0);
    c.source = call->source;
    c.status = (uint16_t) call->status;
    c.attempts = (uint16_t) call->attempts;
    c.cost = call->cost.total;
    c.input = u != NULL ? u->input : 0;
    c.output = u != NULL ? u->output : 0;

    memcpy(blob, &c, sizeof(c));
}


/* It goes into the line as it is. */
static bool
tg_recovered_is_id(const char id[TG_ID_LEN])
{
    for (unsigned i = 0; i < TG_ID_LEN; i++) {
        if (id[i] != '-' && (id[i] < '0' || id[i] > '9')
            && (id[i] < 'a' || id[i] > 'f'))
        {
            return false;
        }
    }

    return true;
}


static bool
tg_recovered_unpack(const tg_ledger_swept_t *call, tg_packed_t *c,
    tg_packed_texts_t *texts)
{
    size_t      at = sizeof(tg_packed_t), n;
    tg_str_t   *s = &texts->vendor;

    memset(texts, 0, sizeof(tg_packed_texts_t));

    if (call->blob_len < sizeof(tg_packed_t)
        || call->blob_len > TG_LEDGER_BLOB_MAX)
    {
        return false;
    }

    memcpy(c, call->blob, sizeof(tg_packed_t));

    /* It goes into the line as it is. */

    for (unsigned i = 0; i < TG_ID_LEN; i++) {
        if ((c->id[i] < '0' || c->id[i] > '9') && c->id[i] != '-'
            && (c->id[i] < 'a' || c->id[i] > 'f'))
        {
            return false;
        }
    }

    for (unsigned i = 0; i < TG_PACKED_TEXTS && at < call->blob_len; i++) {
        n = call->blob[at++];
        if (n > call->blob_len - at) {
            return false;
        }

        s[i] = tg_str_of((const char *) call->blob + at, n);
        at += n;
    }

    return c->version == TG_PACKED_VERSION && c->op <= TG_OP_MODELS
           && c->source <= TG_USAGE_CACHED && tg_recovered_is_id(c->id);
}


static char *
tg_recovered_head(char *p, bool under, const tg_packed_t *c,
    const tg_packed_texts_t *texts, uint64_t seq)
{
    p = tg_line_plain(p, under ? tg_str("{\"timestamp\":\"")
                               : tg_str("{\"@timestamp\":\""));
    p = tg_text_time(p, c->start);
    tg_line_lit(p, under, "\",\"llm.schema\":1,\"event.id\":\"");
    p = tg_line_plain(p, tg_str_of(c->id, TG_ID_LEN));
    *p++ = '-';
    p = tg_text_int(p, c->attempts);
    tg_line_lit(p, under, "\",\"llm.call_id\":\"");
    p = tg_line_plain(p, tg_str_of(c->id, TG_ID_LEN));
    tg_line_lit(p, under, "\",\"llm.seq\":");
    p = tg_text_int(p, (int64_t) seq);
    tg_line_key(p, under, "llm.attempt");
    p = tg_text_int(p, c->attempts);
    tg_line_lit(p, under, ",\"llm.final\":true,\"llm.recovered\":true");

    tg_line_str(p, under, "llm.team", texts->team);
    tg_line_str(p, under, "user.id", texts->user);
    tg_line_str(p, under, "organization.id", texts->org);
    tg_line_str(p, under, "llm.key_id", texts->key_id);

    tg_line_lit(p, under, ",\"gen_ai.operation.name\":\"");
    p = tg_line_plain(p, tg_op_name((tg_op_t) c->op));
    *p++ = '"';
    tg_line_str(p, under, "llm.provider", texts->provider);
    tg_line_str(p, under, "gen_ai.provider.name", texts->vendor);
    tg_line_str(p, under, "gen_ai.request.model", texts->model);

    if (c->flags & TG_PACKED_STREAM) {
        tg_line_lit(p, under, ",\"gen_ai.request.stream\":true");
    } else {
        tg_line_lit(p, under, ",\"gen_ai.request.stream\":false");
    }

    return p;
}


static char *
tg_recovered_money(char *p, bool under, const tg_packed_t *c, bool finished,
    bool sent)
{
    int64_t  cost = finished || sent ? c->cost : 0;

    if (!finished) {
        tg_line_lit(p, under, ",\"llm.usage.source\":\"recovered\"");

    } else if (c->flags & TG_PACKED_USAGE) {
        tg_line_lit(p, under, ",\"llm.usage.source\":\"");
        p = tg_line_plain(p, tg_usage_sources[c->source]);
        *p++ = '"';

        if (c->source != TG_USAGE_NONE) {
            tg_line_key(p, under, "gen_ai.usage.input_tokens");
            p = tg_text_int(p, c->input);
            tg_line_key(p, under, "gen_ai.usage.output_tokens");
            p = tg_text_int(p, c->output);
        }
    }

    if (!finished || c->flags & TG_PACKED_KNOWN) {
        tg_line_key(p, under, "llm.cost.total");
        p = tg_text_decimal(p, cost, 9);

    } else if (c->source != TG_USAGE_NONE) {
        tg_line_lit(p, under, ",\"llm.cost.unpriced\":true");
        cost = 0;
    }

    tg_line_key(p, under, "llm.cost.total_nusd");
    p = tg_text_int(p, cost);

    return p;
}


size_t
tg_recovered_line(const tg_conf_t *conf, const tg_ledger_swept_t *call,
    char *buf, uint64_t seq, tg_log_format_t format)
{
    bool               under = format == TG_LOG_UNDERSCORE, finished;
    char              *p = buf;
    tg_packed_t        c;
    tg_packed_texts_t  texts;

    if (!tg_recovered_unpack(call, &c, &texts)) {
        return 0;
    }

    finished = (c.flags & TG_PACKED_FINISHED) != 0;

    p = tg_recovered_head(p, under, &c, &texts, seq);
    p = tg_recovered_money(p, under, &c, finished, call->sent);

    tg_line_lit(p, under, ",\"llm.decision\":\"allow\"");
    tg_line_str(p, under, "llm.node", conf->node);
    tg_line_str(p, under, "llm.config_hash", tg_strz(conf->hash_text));
    tg_line_lit(p, under, ",\"event.duration\":0"
                          ",\"http.request.body.bytes\":");
    p = tg_text_int(p, c.body);
    tg_line_key(p, under, "http.response.status_code");
    p = tg_text_int(p, finished ? c.status : 500);

    if (!finished) {
        tg_line_lit(p, under, ",\"error.type\":\"server_killed\""
                              ",\"event.outcome\":\"failure\"");
    } else if (c.status >= 400) {
        tg_line_lit(p, under, ",\"event.outcome\":\"failure\"");
    } else {
        tg_line_lit(p, under, ",\"event.outcome\":\"success\"");
    }

    *p++ = '}';
    *p++ = '\n';

    return (size_t) (p - buf);
}


bool
tg_recovered_wants(const tg_ledger_swept_t *call, const tg_log_t *log)
{
    tg_packed_t        c;
    tg_packed_texts_t  texts;

    if (!tg_recovered_unpack(call, &c, &texts)) {
        return false;
    }

    for (unsigned i = 0; i < TG_PACKED_LOGS; i++) {
        if (c.logs[i] == log->id) {
            return true;
        }
    }

    return false;
}


static void
tg_recovered_spend(const tg_packed_texts_t *texts, int64_t cost,
    const tg_ledger_swept_t *call, const tg_zone_t *zone, int64_t now,
    tg_tally_t *tally)
{
    tg_spent_t  spent;

    memset(&spent, 0, sizeof(spent));
    spent.name[TG_SPEND_TEAM] = texts->team;
    spent.name[TG_SPEND_KEY] = texts->key_id;
    spent.name[TG_SPEND_MODEL] = texts->model;
    spent.name[TG_SPEND_PROVIDER] = texts->provider.len != 0
                                    ? texts->provider : texts->vendor;
    spent.cost = cost;
    spent.admitted = call->admitted;
    spent.now = now;
    tg_spend_count(&tally->spend, NULL, zone, &spent);

    for (unsigned i = 0; call->recovered && i < call->nitems; i++) {
        tg_subjects_used(&tally->subjects, call->keys[i], call->actual[i],
                         now);
    }
}


void
tg_recovered_count(const tg_conf_t *conf, const tg_ledger_swept_t *call,
    const tg_zone_t *zone, int64_t now, tg_tally_t *tally)
{
    tg_labels_t               l;
    tg_packed_t               c;
    tg_counted_t              counted;
    tg_packed_texts_t         texts;
    const tg_conf_metrics_t  *mc = &conf->metrics;

    if (tally == NULL || !tg_recovered_unpack(call, &c, &texts)
        || (c.flags & TG_PACKED_FINISHED) != 0)
    {
        return;
    }

    tg_labels_init(&l);
    tg_metrics_label(&l, mc, TG_LABEL_PROVIDER,
                     texts.provider.len != 0 ? texts.provider : texts.vendor);
    tg_metrics_label(&l, mc, TG_LABEL_MODEL, texts.model);
    tg_metrics_label(&l, mc, TG_LABEL_OPERATION, tg_op_name((tg_op_t) c.op));
    tg_metrics_label(&l, mc, TG_LABEL_TEAM, texts.team);
    tg_metrics_label(&l, mc, TG_LABEL_USER, texts.user);
    tg_metrics_label(&l, mc, TG_LABEL_ORG, texts.org);
    tg_metrics_label(&l, mc, TG_LABEL_KEY, texts.key_id);

    memset(&counted, 0, sizeof(counted));
    counted.labels = &l;
    counted.outcome = TG_OUTCOME_CUT;
    counted.estimated = true;
    counted.untagged = texts.team.len == 0;
    counted.cost = call->sent ? c.cost : 0;
    counted.list = counted.cost;
    tg_metrics_count(&tally->metrics, mc->series, &counted);
    tg_recovered_spend(&texts, counted.cost, call, zone, now, tally);
}
