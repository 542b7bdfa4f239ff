/*
 * tg_alert.h - a quota's threshold was reached: the line in the log, and what
 * the webhook says.
 *
 * Who finds bits in `crossed` of what the ledger answered tells of them and
 * then confirms them:
 *
 *     tg_alert_init(&a, items, i, &result.states[i], subject, now);
 *     a.node = conf->node; ...
 *
 *     while (tg_alert_next(&a)) {
 *         tg_alert_line(&a, buf, format);         to each log
 *         tg_alert_spool_fire(...);               hosted/tg_alert_spool.h
 *     }
 *
 *     tg_ledger_alerted(led, a.key, a.window, state->crossed);
 *
 * What was never confirmed, because its process died, is pending in
 * tg_ledger_each(): tg_alert_entry() takes the place of tg_alert_init().
 *
 * An alert has the same id wherever and however often it is told of: a hash of
 * the bucket's key, the window's start and the threshold.
 */

#ifndef TG_ALERT_H
#define TG_ALERT_H

#include "tg_conf.h"
#include "tg_quota.h"

#define TG_ALERT_ID_LEN       38        /* "alert_" and 32 hex digits */
#define TG_ALERT_LINE_MAX     8192      /* newline included */
#define TG_ALERT_BODY_MAX     12288
#define TG_ALERT_SUBJECT_MAX  1024      /* enough for tg_quota_subject() */

typedef enum {
    TG_ALERT_THRESHOLD = 0,
    TG_ALERT_REFUSED,       /* the first refusal of the window, before all of
                               the cap was used: alert=100% tells of it */
    TG_ALERT_LATCHED
} tg_alert_kind_t;

/* Strings are the caller's and live as long as it does. */
typedef struct {
    unsigned char            key[TG_LEDGER_KEY];    /* of the bucket */
    const tg_quota_t        *quota;     /* NULL: not known any more */
    const tg_quota_limit_t  *limit;     /* NULL with it */
    tg_str_t                 subject;   /* as tg_quota_subject() gives it */
    int64_t                  window;    /* its start */
    int64_t                  reset;     /* its end; TG_WINDOW_NEVER */
    int64_t                  used;      /* of concurrent calls: under way */
    int64_t                  cap;
    int64_t                  time;      /* ms since 1970 */
    bool                     dry_run;
    tg_str_t                 node;      /* these three may be empty */
    tg_str_t                 config_hash;
    tg_str_t                 call_id;   /* of the call that did it */
    uint8_t                  alert[TG_LEDGER_ALERTS_MAX];
    uint8_t                  bits;      /* left for tg_alert_next() */

    /* Of tg_alert_next(). */
    tg_alert_kind_t          kind;
    unsigned                 percent;   /* 0 of TG_ALERT_LATCHED */
    char                     id[TG_ALERT_ID_LEN];
} tg_alert_t;

/* From what the ledger answered about items->items[i]; node, config_hash and
 * call_id stay empty. */
void tg_alert_init(tg_alert_t *a, const tg_quota_items_t *items, unsigned i,
    const tg_ledger_state_t *state, tg_str_t subject, int64_t now);

/*
 * From an entry that has something pending, of its window or of the one
 * before.  Whose it is the ledger does not know: quota, limit and subject are
 * for the caller to fill in where he does.
 */
void tg_alert_entry(tg_alert_t *a, const tg_ledger_entry_t *e, bool before,
    int64_t now);

/* The next alert: kind, percent, id. False: there are no more. */
bool tg_alert_next(tg_alert_t *a);

/* The line with its newline, flat JSON, into buf of TG_ALERT_LINE_MAX bytes;
 * docs/alerts.md.  Returns its length. */
size_t tg_alert_line(const tg_alert_t *a, char *buf, tg_log_format_t format);

/*
 * The webhook's JSON into buf of TG_ALERT_BODY_MAX bytes: one object that
 * Slack's incoming webhooks (text; api.slack.com/messaging/webhooks) and
 * PagerDuty's Events API v2 (event_action, dedup_key, payload;
 * developer.pagerduty.com/docs/events-api-v2) take, with all of it under
 * "tollgate" for others.  The routing key is not in it: tg_alert_post().
 */
size_t tg_alert_body(const tg_alert_t *a, char *buf);

/* The name of the quota, empty where it is not known. */
static inline tg_str_t
tg_alert_quota(const tg_alert_t *a)
{
    return a->quota != NULL ? a->quota->name : tg_str_null;
}


/* tg_alert_post.c: the request. */

#define TG_ALERT_POST_MAX       (TG_ALERT_BODY_MAX + TG_ALERT_ROUTING_MAX + 32)
#define TG_ALERT_SIGNATURE_LEN  47      /* "v1," and base64 of 32 bytes */
#define TG_ALERT_SIGNATURES_MAX                                               \
    (TG_ALERT_SECRETS * (TG_ALERT_SIGNATURE_LEN + 1))

/* The body for that target, with its routing key, into buf of
 * TG_ALERT_POST_MAX bytes. */
size_t tg_alert_post(const tg_conf_alert_t *target, tg_str_t body, char *buf);

/*
 * The value of webhook-signature (Standard Webhooks 1.0, standardwebhooks.com):
 * HMAC-SHA256 of "id.timestamp.body" by each of the target's secrets, space
 * between them.  `seconds` since 1970, as in webhook-timestamp.  Into out of
 * TG_ALERT_SIGNATURES_MAX bytes; returns the length, 0 on failure of the
 * library or without secrets.
 */
size_t tg_alert_sign(const tg_conf_alert_t *target, tg_str_t id,
    int64_t seconds, tg_str_t body, char *out);

/* What an answer's status makes of an alert. */
typedef enum {
    TG_ALERT_SENT = 0,
    TG_ALERT_RETRY,             /* no answer (0), 408, 429, 3xx, 5xx */
    TG_ALERT_GIVE_UP            /* the rest of 4xx */
} tg_alert_verdict_t;

tg_alert_verdict_t tg_alert_verdict(long status);

#endif /* TG_ALERT_H */
