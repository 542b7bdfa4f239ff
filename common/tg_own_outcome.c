/* llm_outcome: what came of a session, from its request to its line. */

#include "tg_own.h"
#include "tg_line_int.h"
#include "tg_money.h"

enum {
    TG_O_ROOT = 1,
    TG_O_SESSION,
    TG_O_NAME,
    TG_O_VALUE,
    TG_O_CALL
};

static const tg_json_want_t  tg_outcome_wants[] = {
    { "", TG_O_ROOT, 0 },
    { "session", TG_O_SESSION, 0 },
    { "name", TG_O_NAME, 0 },
    { "value", TG_O_VALUE, 0 },
    { "call_id", TG_O_CALL, 0 }
};

typedef struct {
    tg_own_outcome_t  *o;
    bool               object;
    const char        *wrong;       /* NULL: nothing is */
} tg_outcome_read_t;


tg_json_paths_t *
tg_own_outcome_paths(tg_mem_t *mem, tg_error_t *err)
{
    return tg_json_paths(mem, tg_outcome_wants,
                         sizeof(tg_outcome_wants) / sizeof(tg_json_want_t),
                         err);
}


static const char *
tg_outcome_string(const tg_json_event_t *ev, char *to, size_t max,
    size_t *len, const char *wrong)
{
    if (ev->type != TG_JSON_STRING || ev->truncated || ev->value.len == 0
        || ev->value.len > max)
    {
        return wrong;
    }

    memcpy(to, ev->value.p, ev->value.len);
    *len = ev->value.len;

    return NULL;
}


static const char *
tg_outcome_value(tg_own_outcome_t *o, const tg_json_event_t *ev)
{
    bool      minus;
    int64_t   v;
    tg_str_t  s = ev->value;

    if (ev->type == TG_JSON_NULL) {
        return NULL;
    }

    if (ev->type != TG_JSON_NUMBER) {
        return "value is to be a number";
    }

    minus = s.len != 0 && s.p[0] == '-';

    if (minus) {
        s = tg_str_of(s.p + 1, s.len - 1);
    }

    v = tg_money_parse(s, 9);

    if (v < 0) {
        return "value is to be a number below 9.2e9";
    }

    o->valued = true;
    o->value = minus ? -v : v;

    return NULL;
}


static bool
tg_outcome_is_id(tg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s.p[i] != '-') {
                return false;
            }

        } else if (!((s.p[i] >= '0' && s.p[i] <= '9')
                     || (s.p[i] >= 'a' && s.p[i] <= 'f')))
        {
            return false;
        }
    }

    return s.len == TG_ID_LEN;
}


static int
tg_outcome_event(void *data, const tg_json_event_t *ev)
{
    tg_outcome_read_t  *r = data;
    tg_own_outcome_t   *o = r->o;

    if (ev->type == TG_JSON_DUPLICATE) {
        r->wrong = "a member is there twice";
        return 1;
    }

    switch (ev->id) {

    case TG_O_ROOT:
        r->object |= ev->type == TG_JSON_OBJECT;
        break;

    case TG_O_SESSION:
        r->wrong = tg_outcome_string(ev, o->session, sizeof(o->session) - 1,
                                     &o->session_len, "session is to be a"
                                     " string of 1 to 255 bytes");
        break;

    case TG_O_NAME:
        r->wrong = tg_outcome_string(ev, o->name, sizeof(o->name),
                                     &o->name_len, "name is to be a string of"
                                     " 1 to 64 bytes");
        break;

    case TG_O_VALUE:
        r->wrong = tg_outcome_value(o, ev);
        break;

    case TG_O_CALL:
        if (ev->type != TG_JSON_STRING || !tg_outcome_is_id(ev->value)) {
            r->wrong = "call_id is to be the x-llm-request-id of an answer";
            break;
        }
        memcpy(o->call_id, ev->value.p, TG_ID_LEN);
        o->of_call = true;
        break;

    default:
        break;
    }

    return r->wrong != NULL;
}


/* NULL, or what is wrong with it. */
static const char *
tg_outcome_read(const tg_conf_t *conf, tg_str_t body, tg_own_outcome_t *o)
{
    tg_json_t          json;
    tg_outcome_read_t  r = { o, false, NULL };

    tg_json_init(&json, conf->outcome_paths, 0, tg_outcome_event, &r);

    if (tg_json_feed(&json, body.p, body.len) != TG_OK
        || tg_json_finish(&json) != TG_OK)
    {
        return r.wrong != NULL ? r.wrong : "the body is not valid JSON";
    }

    return !r.object ? "the body is to be a JSON object"
           : o->session_len == 0 ? "session is missing"
           : o->name_len == 0 ? "name is missing" : NULL;
}


bool
tg_own_outcome(const tg_status_facts_t *facts, const tg_own_request_t *rq,
    tg_id_source_t *ids, tg_own_outcome_t *o, tg_own_answer_t *answer,
    tg_out_t out, void *data)
{
    const char  *wrong;

    memset(o, 0, sizeof(tg_own_outcome_t));
    o->key = tg_own_key(facts, TG_OWN_OUTCOME, rq, answer, out, data);

    if (o->key == NULL) {
        return false;
    }

    if (rq->long_body) {
        tg_own_error(answer, 413, "too_long", "an outcome has at most 8192"
                     " bytes", out, data);
        return false;
    }

    wrong = tg_outcome_read(facts->conf, rq->body, o);

    if (wrong != NULL) {
        tg_own_error(answer, 400, "invalid_request", wrong, out, data);
        return false;
    }

    o->wall_ms = facts->wall_ms;
    o->client = rq->client;
    o->conf = facts->conf;
    tg_id_make(ids, facts->wall_ms, o->id);

    return true;
}


void
tg_own_outcome_done(const tg_own_outcome_t *o, unsigned lines,
    tg_own_answer_t *answer, tg_out_t out, void *data)
{
    char       buf[128];
    tg_text_t  t;

    if (lines == 0) {
        tg_own_error(answer, 503, "no_log", "there is no log here to write it"
                     " to", out, data);
        return;
    }

    tg_text_init(&t, buf, sizeof(buf));
    tg_put_lit(&t, "{\"event_id\":\"");
    tg_put(&t, o->id, TG_ID_LEN);
    tg_put_lit(&t, "\"}\n");

    answer->status = 201;
    (void) out(data, buf, (size_t) (t.p - buf));
}


static char *
tg_outcome_who(char *p, bool under, const tg_own_outcome_t *o)
{
    const tg_key_t  *key = o->key;

    tg_line_str(p, under, "llm.team", key->team);
    tg_line_str(p, under, "user.id", key->user);
    tg_line_str(p, under, "organization.id", key->org);
    tg_line_str(p, under, "llm.key_id", key->id);

    for (unsigned i = 0; i < key->ntags && i < TG_TAGS_MAX; i++) {
        tg_line_lit(p, under, ",\"llm.tags.");
        p = tg_text_json(p, key->tags[i].name, TG_LINE_SHORT);
        tg_line_lit(p, false, "\":\"");
        p = tg_text_json(p, key->tags[i].value, TG_LINE_VALUE);
        *p++ = '"';
    }

    tg_line_str(p, under, "client.address", o->client);

    return p;
}


size_t
tg_own_outcome_line(const tg_own_outcome_t *o, char *buf,
    tg_log_format_t format)
{
    char  *p = buf;
    bool   under = format == TG_LOG_UNDERSCORE;

    p = tg_line_plain(p, under ? tg_str("{\"timestamp\":\"")
                               : tg_str("{\"@timestamp\":\""));
    p = tg_text_time(p, o->wall_ms);
    tg_line_lit(p, under, "\",\"llm.schema\":1,\"event.id\":\"");
    p = tg_line_plain(p, tg_str_of(o->id, TG_ID_LEN));
    tg_line_lit(p, under, "\",\"event.kind\":\"outcome\"");

    if (o->of_call) {
        tg_line_str(p, under, "llm.call_id",
                    tg_str_of(o->call_id, TG_ID_LEN));
    }

    tg_line_str(p, under, "gen_ai.conversation.id",
                tg_str_of(o->session, o->session_len));
    tg_line_str(p, under, "llm.outcome.name",
                tg_str_of(o->name, o->name_len));

    if (o->valued) {
        tg_line_key(p, under, "llm.outcome.value");
        p = tg_text_decimal(p, o->value, 9);
    }

    p = tg_outcome_who(p, under, o);
    tg_line_str(p, under, "llm.node", o->conf->node);
    tg_line_str(p, under, "llm.config_hash", tg_strz(o->conf->hash_text));
    *p++ = '}';
    *p++ = '\n';

    return (size_t) (p - buf);
}
