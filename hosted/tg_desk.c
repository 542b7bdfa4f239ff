#include "tg_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TG_DESK_ZONES     "/usr/share/zoneinfo/"
#define TG_DESK_ZONE_MAX  (1024 * 1024)

#define TG_DESK_LOOKED_AT    4096       /* entries a tick */
#define TG_DESK_UNCONFIRMED  5000       /* milliseconds */
#define TG_DESK_FORGOTTEN    600000


static int
tg_desk_zone(tg_desk_t *desk, tg_mem_t *mem, tg_error_t *err)
{
    int         rc;
    char        path[256];
    tg_str_t    text, name = desk->conf->ledger.zone;
    tg_error_t  why;

    if (name.len == 0 || tg_str_eq(name, tg_str("UTC"))) {
        return TG_OK;
    }

    (void) snprintf(path, sizeof(path), TG_DESK_ZONES "%.*s", (int) name.len,
                    name.p);

    if (tg_file_read(path, TG_DESK_ZONE_MAX, false, &text, &why) != TG_OK) {
        return tg_error(err, 0, 0, "llm_ledger: time zone: %s", why.message);
    }

    rc = tg_zone_parse(mem, text, &desk->zone, &why);
    free((char *) text.p);

    return rc == TG_OK ? TG_OK
           : tg_error(err, 0, 0, "llm_ledger: time zone %.*s: %s",
                      (int) name.len, name.p, why.message);
}


static int
tg_desk_provider_keys(tg_desk_t *desk, tg_error_t *err)
{
    int         rc;
    tg_str_t    text, file;
    tg_error_t  why;

    for (unsigned i = 0; i < desk->conf->nproviders; i++) {
        file = desk->conf->providers[i].key_file;

        if (file.len == 0) {
            continue;
        }

        rc = tg_file_read(file.p, 2 * TG_PROVIDER_KEY_MAX, true, &text, &why);

        if (rc == TG_OK) {
            rc = tg_conf_provider_key(desk->conf, i, text, &why);
            explicit_bzero((char *) text.p, text.len);
            free((char *) text.p);
        }

        if (rc != TG_OK) {
            return tg_error(err, 0, 0, "llm_provider: %s", why.message);
        }
    }

    return TG_OK;
}


static tg_roster_t *
tg_desk_read_keys(tg_desk_t *desk, tg_error_t *err)
{
    tg_str_t      text, file = desk->conf->keys.file;
    tg_roster_t  *r;

    if (tg_file_read(file.p, TG_DESK_KEYS_MAX, false, &text, err) != TG_OK) {
        return NULL;
    }

    r = tg_roster_load(&desk->conf->quotas, file, text, err);
    free((char *) text.p);

    if (r != NULL && tg_roster_limits(r) && desk->conf->ledger.file.len == 0) {
        tg_roster_unref(r);
        (void) tg_error(err, 0, 0, "%.*s has budgets, and nothing to count"
                        " them in: llm_ledger <file> (LLMLedger) is missing",
                        (int) file.len, file.p);
        return NULL;
    }

    return r;
}


static int
tg_desk_geoip(tg_desk_t *desk, tg_error_t *err)
{
    tg_error_t  why;

    if (desk->conf->ngeoip == 0) {
        return TG_OK;
    }

    desk->geoip = tg_geoip_open(desk->conf->geoip, desk->conf->ngeoip, &why);

    return desk->geoip != NULL ? TG_OK
           : tg_error(err, 0, 0, "llm_geoip: %s", why.message);
}


int
tg_desk_load(tg_desk_t *desk, tg_conf_t *conf, tg_mem_t *mem,
    tg_desk_log_t log, void *data, tg_error_t *err)
{
    tg_error_t  why;

    memset(desk, 0, sizeof(tg_desk_t));

    desk->conf = conf;
    desk->tally_file.fd = -1;
    desk->log = log;
    desk->log_data = data;
    (void) pthread_mutex_init(&desk->lock, NULL);
    desk->loaded = true;

    if (tg_webhook_load(&conf->alerts, mem, &why) != TG_OK) {
        return tg_error(err, 0, 0, "llm_alert: %s", why.message);
    }

    if (tg_desk_prefix_key(&conf->prefix, &why) != TG_OK) {
        return tg_error(err, 0, 0, "llm_prefix_hash: %s", why.message);
    }

    if (tg_desk_zone(desk, mem, err) != TG_OK
        || tg_desk_provider_keys(desk, err) != TG_OK
        || tg_desk_geoip(desk, err) != TG_OK)
    {
        return TG_ERROR;
    }

    if (conf->keys.file.len == 0) {
        return TG_OK;
    }

    (void) tg_file_changed(conf->keys.file.p, &desk->keys);
    desk->roster = tg_desk_read_keys(desk, &why);

    return desk->roster != NULL ? TG_OK
           : tg_error(err, 0, 0, "llm_keys: %s", why.message);
}


static void
tg_desk_carrier_log(void *data, const char *message)
{
    char        text[400];
    tg_desk_t  *desk = data;

    (void) snprintf(text, sizeof(text), "llm_ledger: %s", message);
    desk->log(desk->log_data, TG_DESK_ERROR, text);
}


int
tg_desk_open(tg_desk_t *desk, bool test, tg_error_t *err)
{
    int                rc;
    uint64_t           size;
    tg_error_t         why;
    tg_file_state_t    state;
    tg_conf_ledger_t  *led = &desk->conf->ledger;

    if (led->file.len == 0) {
        return TG_OK;
    }

    memset(&state, 0, sizeof(state));

    if (!test && led->fleet != NULL
        && tg_carrier_check(led->fleet, tg_desk_carrier_log, desk, &why)
           != TG_OK)
    {
        rc = TG_ERROR;

    } else if (!test) {
        rc = led->fleet != NULL
             ? tg_ledger_file_open_fleet(&desk->ledger, led->file.p, led->size,
                                         &why)
             : tg_ledger_file_open(&desk->ledger, led->file.p, led->size,
                                   &why);
        desk->open = rc == TG_OK;

    } else if (tg_file_changed(led->file.p, &state)) {
        rc = tg_ledger_file_inspect(&desk->ledger, led->file.p, &why);

        if (rc == TG_OK) {
            size = desk->ledger.size;
            tg_ledger_file_close(&desk->ledger);

            if (size != (led->size & ~UINT64_C(4095))) {
                rc = tg_error(&why, 0, 0, "the file there has %llu bytes, not"
                              " size=%llu", (unsigned long long) size,
                              (unsigned long long) led->size);
            }
        }

    } else {
        rc = tg_ledger_file_could(led->file.p, &why);
    }

    return rc == TG_OK ? TG_OK
           : tg_error(err, 0, 0, "llm_ledger \"%.100s\": %s", led->file.p,
                      why.message);
}


int
tg_desk_chown(tg_desk_t *desk, uid_t uid, gid_t gid, tg_error_t *err)
{
    if (!desk->open) {
        return TG_OK;
    }

    if (desk->conf->alerts.n != 0
        && tg_alert_spool_make(desk->conf->ledger.file.p, uid, gid, err)
           != TG_OK)
    {
        return TG_ERROR;
    }

    if (tg_tally_file_chown(&desk->tally_file, uid, gid, err) != TG_OK) {
        return TG_ERROR;
    }

    return tg_ledger_file_chown(&desk->ledger, uid, gid, err);
}


int
tg_desk_publish(tg_desk_t *desk, tg_error_t *err)
{
    int          rc;
    char         path[sizeof(desk->ledger.path) + sizeof(TG_DESK_CONF)];
    tg_str_t     text;
    tg_error_t   why;
    tg_arena_t  *arena;

    if (!desk->open) {
        return TG_OK;
    }

    arena = tg_arena_create(TG_DESK_CONF_MAX);
    text = arena == NULL ? tg_str_null
           : tg_conf_text(desk->conf, tg_arena_mem(arena));

    if (text.len == 0) {
        tg_arena_destroy(arena);
        return tg_error(err, 0, 0, "llm_ledger: no memory for what llmctl has"
                        " to know");
    }

    (void) snprintf(path, sizeof(path), "%s" TG_DESK_CONF, desk->ledger.path);
    rc = tg_file_replace(path, text, desk->ledger.fd, &why);
    tg_arena_destroy(arena);

    return rc == TG_OK ? TG_OK
           : tg_error(err, 0, 0, "llm_ledger: llmctl will not know this"
                      " configuration: %s", why.message);
}


/* The first of the processes to come to it does it; the others find it done. */
static void
tg_desk_reserve(tg_desk_t *desk, int64_t now)
{
    int  rc;

    if (desk->roster == NULL || !desk->joined) {
        return;
    }

    rc = tg_roster_reserve(desk->roster, &desk->conf->quotas, desk->zone,
                           &desk->ledger.ledger, now);

    desk->reserved = rc != TG_LEDGER_BUSY;

    if (rc == TG_LEDGER_FULL) {
        desk->log(desk->log_data, TG_DESK_ERROR, "llm_ledger: there is no room"
                  " for all of the subjects in llm_keys: the file's size= is"
                  " too small");
    }
}


static void
tg_desk_webhook_log(void *data, tg_webhook_level_t level, const char *message)
{
    char        text[512];
    tg_desk_t  *desk = data;

    (void) snprintf(text, sizeof(text), "llm_alert: %s", message);
    desk->log(desk->log_data, level == TG_WEBHOOK_INFO ? TG_DESK_NOTICE
                              : TG_DESK_ERROR, text);
}


static int
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


/* The entry has it as pending: who looks for such tells of it. */
static void
tg_desk_crossed(void *data, const tg_ledger_message_item_t *item,
    const tg_ledger_state_t *state)
{
    (void) data;
    (void) item;
    (void) state;
}


static void
tg_desk_carrier_tick(void *data, tg_redis_pool_t *pool,
    const tg_fleet_t *fleet)
{
    tg_desk_fleet(data, pool, fleet);
}


static int
tg_desk_start_carrier(tg_desk_t *desk, tg_error_t *err)
{
    tg_error_t         why;
    tg_carrier_conf_t  conf;

    if (desk->conf->ledger.fleet == NULL) {
        return TG_OK;
    }

    memset(&conf, 0, sizeof(conf));
    conf.options = desk->conf->ledger.fleet;
    conf.ledger = &desk->ledger.ledger;
    conf.threads = desk->carriers;
    conf.crossed = tg_desk_crossed;
    conf.tick = desk->conf->metrics.alone ? NULL : tg_desk_carrier_tick;
    conf.log = tg_desk_carrier_log;
    conf.baton = desk;

    desk->carrier = tg_carrier_start(&conf, &why);

    return desk->carrier != NULL ? TG_OK
           : tg_error(err, 0, 0, "llm_ledger: %s", why.message);
}


int
tg_desk_join(tg_desk_t *desk, int64_t now, tg_error_t *err)
{
    tg_error_t  why;

    if (desk->tally != NULL) {
        desk->process = tg_tally_file_join(desk->tally);
    }

    if (!desk->open) {
        return TG_OK;
    }

    if (tg_ledger_file_join(&desk->ledger, &why) != TG_OK) {
        return tg_error(err, 0, 0, "llm_ledger: %s", why.message);
    }

    desk->joined = true;

    if (tg_desk_start_carrier(desk, err) != TG_OK) {
        desk->joined = false;
        return TG_ERROR;
    }

    tg_desk_reserve(desk, now);

    return tg_desk_start_alerts(desk, err);
}


static void
tg_desk_tick_keys(tg_desk_t *desk, int64_t now)
{
    char          text[320];
    tg_error_t    err;
    tg_roster_t  *r, *old;

    if (desk->conf->keys.file.len == 0
        || !tg_file_changed(desk->conf->keys.file.p, &desk->keys))
    {
        return;
    }

    r = tg_desk_read_keys(desk, &err);

    if (r == NULL) {
        (void) snprintf(text, sizeof(text), "llm_keys: %s; the keys before"
                        " stay in use", err.message);
        desk->log(desk->log_data, TG_DESK_ERROR, text);
        return;
    }

    (void) snprintf(text, sizeof(text), "llm_keys: %zu keys are read anew",
                    tg_keys_count(tg_roster_keys(r)));
    desk->log(desk->log_data, TG_DESK_NOTICE, text);

    (void) pthread_mutex_lock(&desk->lock);
    old = desk->roster;
    desk->roster = r;
    (void) pthread_mutex_unlock(&desk->lock);

    tg_roster_unref(old);
    tg_desk_reserve(desk, now);
}


static void
tg_desk_tick_geoip(tg_desk_t *desk)
{
    bool        changed;
    char        text[400];
    tg_error_t  err;

    if (desk->geoip == NULL) {
        return;
    }

    if (tg_geoip_check(desk->geoip, &changed, &err) != TG_OK) {
        (void) snprintf(text, sizeof(text), "llm_geoip: %s; the database"
                        " before stays in use", err.message);
        desk->log(desk->log_data, TG_DESK_ERROR, text);
    }

    if (changed) {
        desk->log(desk->log_data, TG_DESK_NOTICE, "llm_geoip: read anew");
    }
}


/* Says it once, not each second. */
static void
tg_desk_complain(tg_desk_t *desk, const tg_error_t *err)
{
    bool  again;
    char  text[300];

    (void) pthread_mutex_lock(&desk->lock);
    again = strcmp(err->message, desk->complaint.message) == 0;
    desk->complaint = *err;
    (void) pthread_mutex_unlock(&desk->lock);

    if (!again) {
        (void) snprintf(text, sizeof(text), "llm_ledger: %s", err->message);
        desk->log(desk->log_data, TG_DESK_ERROR, text);
    }
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
static void
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


typedef struct {
    tg_desk_t           *desk;
    tg_ledger_swept_pt   swept;
    void                *data;
} tg_desk_sweep_t;


/* Here it is seen to that the slot comes free, even if not at once. */
static bool
tg_desk_swept(void *baton, const tg_ledger_swept_t *call)
{
    tg_desk_sweep_t  *sweep = baton;

    if (sweep->swept(sweep->data, call)) {
        tg_desk_written(sweep->desk, &call->slot, 1);
    }

    return false;
}


void
tg_desk_tick(tg_desk_t *desk, int64_t now, tg_ledger_swept_pt swept,
    void *data)
{
    tg_error_t       err;
    tg_desk_sweep_t  sweep = { desk, swept, data };

    tg_desk_tick_keys(desk, now);
    tg_desk_tick_geoip(desk);

    if (!desk->joined) {
        return;
    }

    if (tg_ledger_file_check(&desk->ledger, &err) != TG_OK) {
        tg_desk_complain(desk, &err);
    }

    if (!desk->reserved) {
        tg_desk_reserve(desk, now);
    }

    (void) tg_backlog_settle(&desk->backlog, &desk->ledger.ledger, now);
    (void) tg_ledger_sweep(&desk->ledger.ledger, now, tg_desk_swept, &sweep);
    tg_desk_tick_alerts(desk, now);
    tg_ledger_file_flush(&desk->ledger);
}


void
tg_desk_retire(tg_desk_t *desk)
{
    tg_webhook_t  *webhook;

    (void) pthread_mutex_lock(&desk->lock);
    webhook = desk->webhook;
    desk->webhook = NULL;
    (void) pthread_mutex_unlock(&desk->lock);

    tg_webhook_stop(webhook);
}


void
tg_desk_leave(tg_desk_t *desk, int64_t now)
{
    /* Before what may take its time: a server that is told to stop is killed
     * when it is slow to. */

    if (desk->joined) {
        (void) tg_backlog_settle(&desk->backlog, &desk->ledger.ledger, now);
    }

    tg_desk_retire(desk);
    tg_alert_spool_close(&desk->spool);

    tg_carrier_stop(desk->carrier);
    desk->carrier = NULL;

    if (desk->joined) {
        desk->joined = false;
        desk->open = false;
        tg_ledger_file_close(&desk->ledger);
    }
}


void
tg_desk_close(tg_desk_t *desk)
{
    if (!desk->loaded) {
        return;
    }

    desk->loaded = false;
    desk->joined = false;

    if (desk->open) {
        desk->open = false;
        tg_ledger_file_close(&desk->ledger);
    }

    desk->tally = NULL;
    tg_tally_file_close(&desk->tally_file);

    tg_geoip_close(desk->geoip);
    desk->geoip = NULL;
    tg_roster_unref(desk->roster);
    desk->roster = NULL;
    (void) pthread_mutex_destroy(&desk->lock);
}


tg_roster_t *
tg_desk_roster(tg_desk_t *desk)
{
    tg_roster_t  *r;

    (void) pthread_mutex_lock(&desk->lock);
    r = desk->roster == NULL ? NULL : tg_roster_ref(desk->roster);
    (void) pthread_mutex_unlock(&desk->lock);

    return r;
}


static int64_t
tg_desk_time(clockid_t clock)
{
    struct timespec  t;

    (void) clock_gettime(clock, &t);

    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}


static int64_t
tg_desk_clock(void)
{
    return tg_desk_time(CLOCK_MONOTONIC);
}


static int64_t
tg_desk_worked(void)
{
    return tg_desk_time(CLOCK_THREAD_CPUTIME_ID);
}


void
tg_desk_gate(tg_desk_t *desk, const tg_price_book_t *book,
    tg_gate_scratch_t *scratch, tg_gate_t *gate)
{
    memset(gate, 0, sizeof(tg_gate_t));

    gate->book = book;
    gate->ledger = desk->joined ? &desk->ledger.ledger : NULL;
    gate->backlog = &desk->backlog;
    gate->calibrate = &desk->calibrate;
    gate->zone = desk->zone;
    gate->geo = desk->geoip == NULL ? NULL : tg_geoip_look;
    gate->geo_data = desk->geoip;
    gate->clock = tg_desk_clock;
    gate->worked = tg_desk_worked;
    gate->scratch = scratch;
    gate->tally = desk->tally;
    gate->process = desk->process;
}


void
tg_desk_written(tg_desk_t *desk, const tg_ledger_slot_t *slots, unsigned n)
{
    if (!desk->joined || n == 0
        || tg_ledger_line_written(&desk->ledger.ledger, slots, n)
           != TG_LEDGER_BUSY)
    {
        return;
    }

    for (unsigned i = 0; i < n; i++) {
        (void) tg_backlog_add(&desk->backlog, slots[i], NULL, 0, NULL, 0);
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
