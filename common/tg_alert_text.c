/*
 * What an alert says: docs/alerts.md, docs/alert.schema.json.
 *
 * The fields of the log's line and of the webhook are the same, written by the
 * same function under two spellings.  Every string is cut at so many bytes that
 * the buffers' sizes are not reached.
 */

#include "tg_alert.h"
#include "tg_text.h"

#define TG_ALERT_VALUE     512          /* bytes of a value, escaped */
#define TG_ALERT_SENTENCE  1024         /* of PagerDuty's summary: characters */

typedef enum {
    TG_ALERT_DOTS = 0,                  /* llm.quota.name */
    TG_ALERT_UNDERSCORES,               /* llm_quota_name */
    TG_ALERT_BARE                       /* quota */
} tg_alert_names_t;

typedef enum {
    TG_ALERT_F_KIND = 0,
    TG_ALERT_F_NAME,
    TG_ALERT_F_TYPE,
    TG_ALERT_F_SUBJECT,
    TG_ALERT_F_MEASURE,
    TG_ALERT_F_WINDOW,
    TG_ALERT_F_START,
    TG_ALERT_F_RESET,
    TG_ALERT_F_THRESHOLD,
    TG_ALERT_F_USED,
    TG_ALERT_F_CAP,
    TG_ALERT_F_DRY_RUN,
    TG_ALERT_F_BUCKET,
    TG_ALERT_F_CALL,
    TG_ALERT_F_NODE,
    TG_ALERT_F_CONFIG
} tg_alert_field_t;

static const struct {
    const char  *log;
    const char  *bare;
} tg_alert_fields[] = {
    [TG_ALERT_F_KIND] = { "event.action", "kind" },
    [TG_ALERT_F_NAME] = { "llm.quota.name", "quota" },
    [TG_ALERT_F_TYPE] = { "llm.quota.type", "type" },
    [TG_ALERT_F_SUBJECT] = { "llm.quota.subject", "subject" },
    [TG_ALERT_F_MEASURE] = { "llm.quota.measure", "measure" },
    [TG_ALERT_F_WINDOW] = { "llm.quota.window", "window" },
    [TG_ALERT_F_START] = { "llm.quota.start", "start" },
    [TG_ALERT_F_RESET] = { "llm.quota.reset", "reset" },
    [TG_ALERT_F_THRESHOLD] = { "llm.quota.threshold", "threshold" },
    [TG_ALERT_F_USED] = { "llm.quota.used", "used" },
    [TG_ALERT_F_CAP] = { "llm.quota.cap", "cap" },
    [TG_ALERT_F_DRY_RUN] = { "llm.quota.dry_run", "dry_run" },
    [TG_ALERT_F_BUCKET] = { "llm.quota.bucket", "bucket" },
    [TG_ALERT_F_CALL] = { "llm.call_id", "call_id" },
    [TG_ALERT_F_NODE] = { "llm.node", "node" },
    [TG_ALERT_F_CONFIG] = { "llm.config_hash", "config_hash" }
};

static const char *const  tg_alert_kinds[] = {
    [TG_ALERT_THRESHOLD] = "threshold",
    [TG_ALERT_REFUSED] = "refused",
    [TG_ALERT_LATCHED] = "latched"
};

static const char *const  tg_alert_windows[] = {
    [TG_WINDOW_SECOND] = "second",
    [TG_WINDOW_MINUTE] = "minute",
    [TG_WINDOW_HOUR] = "hour",
    [TG_WINDOW_DAY] = "day",
    [TG_WINDOW_WEEK] = "week",
    [TG_WINDOW_MONTH] = "month",
    [TG_WINDOW_TOTAL] = "total",
    [TG_WINDOW_IDLE] = "idle"
};


static void
tg_alert_name(tg_text_t *t, tg_alert_names_t names, const char *name)
{
    tg_put_lit(t, "\"");

    for ( ; *name != '\0'; name++) {
        if (*name == '.' && names == TG_ALERT_UNDERSCORES) {
            tg_put_lit(t, "_");

        } else {
            tg_put(t, name, 1);
        }
    }

    tg_put_lit(t, "\":");
}


/* What precedes the value. None of these is the first of its object. */
static void
tg_alert_key(tg_text_t *t, tg_alert_names_t names, tg_alert_field_t field)
{
    tg_put_lit(t, ",");
    tg_alert_name(t, names, names == TG_ALERT_BARE
                            ? tg_alert_fields[field].bare
                            : tg_alert_fields[field].log);
}


static void
tg_alert_quoted(tg_text_t *t, tg_str_t s, size_t max)
{
    tg_put_lit(t, "\"");
    tg_put_json(t, s, max);
    tg_put_lit(t, "\"");
}


static void
tg_alert_str(tg_text_t *t, tg_alert_names_t names, tg_alert_field_t field,
    tg_str_t s)
{
    if (s.len != 0) {
        tg_alert_key(t, names, field);
        tg_alert_quoted(t, s, TG_ALERT_VALUE);
    }
}


/* Of windows without a beginning or an end there is none to tell of. */
static void
tg_alert_time(tg_text_t *t, tg_alert_names_t names, tg_alert_field_t field,
    int64_t ms)
{
    if (ms > 0 && ms != TG_WINDOW_NEVER) {
        tg_alert_key(t, names, field);
        tg_put_lit(t, "\"");
        tg_put_time(t, ms);
        tg_put_lit(t, "\"");
    }
}


/* Dollars as dollars; what measure it is may not be known. */
static void
tg_alert_amount(tg_text_t *t, const tg_alert_t *a, int64_t amount)
{
    if (a->limit != NULL && a->limit->measure == TG_MEASURE_USD) {
        tg_put_decimal(t, amount, 9);

    } else {
        tg_put_int(t, amount);
    }
}


static void
tg_alert_bucket(tg_text_t *t, const tg_alert_t *a)
{
    static const char  hex[] = "0123456789abcdef";

    for (unsigned i = 0; i < TG_LEDGER_KEY; i++) {
        tg_put(t, &hex[a->key[i] >> 4], 1);
        tg_put(t, &hex[a->key[i] & 15], 1);
    }
}


static void
tg_alert_put_quota(tg_text_t *t, const tg_alert_t *a, tg_alert_names_t names)
{
    if (a->quota != NULL) {
        tg_alert_str(t, names, TG_ALERT_F_NAME, a->quota->name);
        tg_alert_str(t, names, TG_ALERT_F_TYPE,
                     a->quota->budget ? tg_str("budget") : tg_str("quota"));
    }

    tg_alert_str(t, names, TG_ALERT_F_SUBJECT, a->subject);

    if (a->limit != NULL) {
        tg_alert_str(t, names, TG_ALERT_F_MEASURE,
                     tg_strz(tg_measure_names[a->limit->measure]));
    }

    if (a->limit != NULL && a->limit->measure != TG_MEASURE_CONCURRENT) {
        tg_alert_str(t, names, TG_ALERT_F_WINDOW,
                     tg_strz(tg_alert_windows[a->limit->window.kind]));
    }
}


static void
tg_alert_put_fields(tg_text_t *t, const tg_alert_t *a, tg_alert_names_t names)
{
    tg_alert_str(t, names, TG_ALERT_F_KIND, tg_strz(tg_alert_kinds[a->kind]));
    tg_alert_put_quota(t, a, names);
    tg_alert_time(t, names, TG_ALERT_F_START, a->window);
    tg_alert_time(t, names, TG_ALERT_F_RESET, a->reset);

    if (a->percent != 0) {
        tg_alert_key(t, names, TG_ALERT_F_THRESHOLD);
        tg_put_int(t, a->percent);
    }

    tg_alert_key(t, names, TG_ALERT_F_USED);
    tg_alert_amount(t, a, a->used);
    tg_alert_key(t, names, TG_ALERT_F_CAP);
    tg_alert_amount(t, a, a->cap);

    if (a->dry_run) {
        tg_alert_key(t, names, TG_ALERT_F_DRY_RUN);
        tg_put_lit(t, "true");
    }

    tg_alert_key(t, names, TG_ALERT_F_BUCKET);
    tg_put_lit(t, "\"");
    tg_alert_bucket(t, a);
    tg_put_lit(t, "\"");

    tg_alert_str(t, names, TG_ALERT_F_CALL, a->call_id);
    tg_alert_str(t, names, TG_ALERT_F_NODE, a->node);
    tg_alert_str(t, names, TG_ALERT_F_CONFIG, a->config_hash);
}


/* "5000 USD a month" */
static void
tg_alert_put_cap(tg_text_t *t, const tg_alert_t *a)
{
    char              amount[64];
    tg_window_kind_t  kind;

    if (a->limit == NULL) {
        tg_put_int(t, a->cap);
        return;
    }

    tg_put(t, amount, tg_quota_amount(amount, sizeof(amount),
                                      a->limit->measure, a->cap));

    kind = a->limit->window.kind;

    if (a->limit->measure == TG_MEASURE_CONCURRENT || kind == TG_WINDOW_TOTAL) {
        return;
    }

    if (kind == TG_WINDOW_IDLE) {
        tg_put_lit(t, " since it was last idle");
        return;
    }

    tg_put_str(t, kind == TG_WINDOW_HOUR ? tg_str(" an ") : tg_str(" a "));
    tg_put_str(t, tg_strz(tg_alert_windows[kind]));
}


static void
tg_alert_put_who(tg_text_t *t, const tg_alert_t *a)
{
    if (a->quota == NULL) {
        tg_put_lit(t, "the quota of bucket ");
        tg_alert_bucket(t, a);

    } else {
        tg_put_str(t, a->quota->budget ? tg_str("budget \"")
                                       : tg_str("quota \""));
        tg_put_str(t, a->quota->name);
        tg_put_lit(t, "\"");
    }

    if (a->subject.len != 0) {
        tg_put_lit(t, " of ");
        tg_put_str(t, a->subject);
    }
}


/* One sentence of any bytes that the subject has: to be escaped. */
static tg_str_t
tg_alert_sentence(const tg_alert_t *a, char *buf, size_t size)
{
    tg_text_t  t;

    tg_text_init(&t, buf, size);
    tg_alert_put_who(&t, a);

    switch (a->kind) {

    case TG_ALERT_THRESHOLD:
        tg_put_lit(&t, " has reached ");
        tg_put_int(&t, a->percent);
        tg_put_lit(&t, "% of ");
        tg_alert_put_cap(&t, a);
        break;

    case TG_ALERT_REFUSED:
        tg_put_str(&t, a->dry_run ? tg_str(" would have refused a call at ")
                                  : tg_str(" has refused a call at "));
        tg_alert_put_cap(&t, a);
        break;

    default:
        tg_put_lit(&t, " is closed until an administrator opens it, at ");
        tg_alert_put_cap(&t, a);
        break;
    }

    tg_put_lit(&t, ": ");
    tg_alert_amount(&t, a, a->used);
    tg_put_lit(&t, " used");

    if (a->kind != TG_ALERT_LATCHED && a->reset > 0
        && a->reset != TG_WINDOW_NEVER)
    {
        tg_put_lit(&t, ", begins anew at ");
        tg_put_time(&t, a->reset);
    }

    if (a->dry_run) {
        tg_put_lit(&t, " (dry run)");
    }

    return tg_str_of(buf, (size_t) (t.p - buf));
}


size_t
tg_alert_line(const tg_alert_t *a, char *buf, tg_log_format_t format)
{
    char              sentence[2 * TG_ALERT_SENTENCE];
    tg_text_t         t;
    tg_alert_names_t  names = format == TG_LOG_UNDERSCORE
                              ? TG_ALERT_UNDERSCORES : TG_ALERT_DOTS;

    tg_text_init(&t, buf, TG_ALERT_LINE_MAX);
    tg_put_str(&t, names == TG_ALERT_DOTS ? tg_str("{\"@timestamp\":\"")
                                          : tg_str("{\"timestamp\":\""));
    tg_put_time(&t, a->time);
    tg_put_lit(&t, "\",");
    tg_alert_name(&t, names, "llm.schema");
    tg_put_lit(&t, "1,");
    tg_alert_name(&t, names, "event.kind");
    tg_put_lit(&t, "\"alert\",");
    tg_alert_name(&t, names, "event.id");
    tg_alert_quoted(&t, tg_str_of(a->id, sizeof(a->id)), sizeof(a->id));

    tg_alert_put_fields(&t, a, names);

    tg_put_lit(&t, ",");
    tg_alert_name(&t, names, "event.reason");
    tg_alert_quoted(&t, tg_alert_sentence(a, sentence, sizeof(sentence)),
                    TG_ALERT_SENTENCE);
    tg_put_lit(&t, "}\n");

    return (size_t) (t.p - buf);
}


/* By the words of PagerDuty. */
static tg_str_t
tg_alert_severity(const tg_alert_t *a)
{
    if (a->dry_run) {
        return tg_str("info");
    }

    return a->kind == TG_ALERT_LATCHED ? tg_str("critical")
           : a->percent >= 100 ? tg_str("error") : tg_str("warning");
}


/*
 * In a Slack message three characters are markup (docs.slack.dev, "Formatting
 * text", 2025): a session named <!channel> would call everybody.
 */
static tg_str_t
tg_alert_slack(tg_str_t s, char *buf, size_t size)
{
    tg_text_t  t;

    tg_text_init(&t, buf, size);

    for (size_t i = 0; i < s.len && !t.full; i++) {
        switch (s.p[i]) {
        case '&': tg_put_lit(&t, "&amp;"); break;
        case '<': tg_put_lit(&t, "&lt;"); break;
        case '>': tg_put_lit(&t, "&gt;"); break;
        default:  tg_put(&t, s.p + i, 1); break;
        }
    }

    return tg_str_of(buf, (size_t) (t.p - buf));
}


static void
tg_alert_put_object(tg_text_t *t, const tg_alert_t *a)
{
    tg_put_lit(t, "{\"id\":");
    tg_alert_quoted(t, tg_str_of(a->id, sizeof(a->id)), sizeof(a->id));
    tg_put_lit(t, ",\"time\":\"");
    tg_put_time(t, a->time);
    tg_put_lit(t, "\"");
    tg_alert_put_fields(t, a, TG_ALERT_BARE);
    tg_put_lit(t, "}");
}


size_t
tg_alert_body(const tg_alert_t *a, char *buf)
{
    char       sentence[2 * TG_ALERT_SENTENCE], slack[10 * TG_ALERT_SENTENCE];
    tg_str_t   s = tg_alert_sentence(a, sentence, sizeof(sentence));
    tg_text_t  t;

    tg_text_init(&t, buf, TG_ALERT_BODY_MAX);

    tg_put_lit(&t, "{\"text\":");
    tg_alert_quoted(&t, tg_alert_slack(s, slack, sizeof(slack)),
                    2 * TG_ALERT_SENTENCE);
    tg_put_lit(&t, ",\"mrkdwn\":false,\"unfurl_links\":false"
               ",\"event_action\":\"trigger\",\"dedup_key\":");
    tg_alert_quoted(&t, tg_str_of(a->id, sizeof(a->id)), sizeof(a->id));
    tg_put_lit(&t, ",\"client\":\"Tollgate\",\"payload\":{\"summary\":");
    tg_alert_quoted(&t, s, TG_ALERT_SENTENCE);
    tg_put_lit(&t, ",\"source\":");
    tg_alert_quoted(&t, a->node.len != 0 ? a->node : tg_str("tollgate"),
                    TG_ALERT_VALUE);
    tg_put_lit(&t, ",\"severity\":");
    tg_alert_quoted(&t, tg_alert_severity(a), TG_ALERT_VALUE);
    tg_put_lit(&t, ",\"timestamp\":\"");
    tg_put_time(&t, a->time);
    tg_put_lit(&t, "\",\"class\":");
    tg_alert_quoted(&t, tg_strz(tg_alert_kinds[a->kind]), TG_ALERT_VALUE);

    if (a->quota != NULL) {
        tg_put_lit(&t, ",\"component\":");
        tg_alert_quoted(&t, a->quota->name, TG_ALERT_VALUE);
    }

    tg_put_lit(&t, ",\"custom_details\":");
    tg_alert_put_object(&t, a);
    tg_put_lit(&t, "},\"tollgate\":");
    tg_alert_put_object(&t, a);
    tg_put_lit(&t, "}");

    return (size_t) (t.p - buf);
}
