/* Alerts: told of, put into the spool, and told of again where nobody has. */

#include "tg_desk_int.h"

#include <stdio.h>

#define TG_DESK_LOOKED_AT    4096       /* entries a tick */
#define TG_DESK_UNCONFIRMED  5000       /* milliseconds */
#define TG_DESK_FORGOTTEN    600000


static void
tg_desk_webhook_log(void *data, tg_webhook_level_t level, const char *message)
{
    char        text[512];
    tg_desk_t  *desk = data;

    (void) snprintf(text, sizeof(text), "llm_alert: %s", message);
    desk->log(desk->log_data, level == TG_WEBHOOK_INFO ? TG_DESK_NOTICE
                              : TG_DESK_ERROR, text);
}


int
tg_desk_start_alerts(tg_desk_t *desk, tg_error_t *err)
{
    tg_error_t         why;
    tg_webhook_conf_t  conf;

    if (desk->conf->alerts.n == 0) {
        return TG_OK;
    }

    memset(&conf, 0, sizeof(conf));
    conf.targets = &desk->conf->alerts;
    conf.ledger = desk->conf->ledger.file.p;
    conf.log = tg_desk_webhook_log;
    conf.baton = desk;

    if (tg_alert_spool_open(&desk->spool, conf.ledger, &why) != TG_OK) {
        return tg_error(err, 0, 0, "llm_alert: %s", why.message);
    }

    desk->webhook = tg_webhook_start(&conf, &why);

    return desk->webhook != NULL ? TG_OK
           : tg_error(err, 0, 0, "llm_alert: %s", why.message);
}


/*
 * What can't be put into the spool is not confirmed, and is told again by who
 * looks for such.
 */
static void
tg_desk_alert(tg_desk_t *desk, tg_alert_t *a, tg_desk_alert_t line,
    void *data)
{
    bool        safe = true;
    uint8_t     bits = a->bits;
    tg_error_t  err;

    while (tg_alert_next(a)) {
        line(data, a);

        if (desk->conf->alerts.n != 0
            && tg_alert_spool_fire(&desk->spool, &desk->conf->alerts, a, &err)
               != TG_OK)
        {
            safe = false;
            tg_desk_complain(desk, &err);
        }
    }

    if (safe) {
        (void) tg_ledger_alerted(&desk->ledger.ledger, a->key, a->window,
                                 bits);
    }

    /* It may be about to be stopped. */

    (void) pthread_mutex_lock(&desk->lock);
    tg_webhook_poke(desk->webhook);
    (void) pthread_mutex_unlock(&desk->lock);
}


/* Of a process that died before it told of it, say: told again when nobody has
 * confirmed it for a while. */
static void
tg_desk_pending(tg_desk_t *desk, const tg_ledger_entry_t *e, bool before,
    int64_t now)
{
    unsigned            i;
    int64_t             window = before ? e->before : e->window;
    tg_alert_t          a;
    tg_desk_pending_t  *p = desk->pending;

    for (i = 0; i < desk->npending; i++) {
        if (p[i].window == window
            && memcmp(p[i].key, e->key, TG_LEDGER_KEY) == 0)
        {
            break;
        }
    }

    if (i == desk->npending) {
        if (i < TG_DESK_PENDING) {
            memcpy(p[i].key, e->key, TG_LEDGER_KEY);
            p[i].window = window;
            p[i].seen = now;
            desk->npending++;
        }
        return;
    }

    if (now - p[i].seen < TG_DESK_UNCONFIRMED) {
        return;
    }

    p[i] = p[--desk->npending];

    tg_alert_entry(&a, e, before, now);
    a.node = desk->conf->node;
    a.config_hash = tg_strz(desk->conf->hash_text);
    tg_desk_alert(desk, &a, desk->alert, desk->log_data);
}


/* A part of the ledger at a time. */
void
tg_desk_tick_alerts(tg_desk_t *desk, int64_t now)
{
    unsigned           i;
    tg_ledger_entry_t  e;

    if (desk->alert == NULL) {
        return;
    }

    for (i = 0; i < TG_DESK_LOOKED_AT; i++) {
        if (!tg_ledger_each(&desk->ledger.ledger, &desk->hand, &e)) {
            desk->hand = 0;
            break;
        }

        if (e.pending != 0) {
            tg_desk_pending(desk, &e, false, now);
        }

        if (e.before_pending != 0) {
            tg_desk_pending(desk, &e, true, now);
        }
    }

    /* Those that were confirmed make room. */

    for (i = desk->npending; i > 0; i--) {
        if (now - desk->pending[i - 1].seen > TG_DESK_FORGOTTEN) {
            desk->pending[i - 1] = desk->pending[--desk->npending];
        }
    }
}


void
tg_desk_alerts(tg_desk_t *desk, tg_call_t *call, tg_desk_alert_t line,
    void *data)
{
    tg_alert_t  a;

    while (tg_call_alert(call, &a)) {
        tg_desk_alert(desk, &a, line, data);
    }
}
