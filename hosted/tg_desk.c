#include "tg_desk_int.h"

#include <stdio.h>
#include <time.h>


static void
tg_desk_carrier_log(void *data, const char *message)
{
    char        text[400];
    tg_desk_t  *desk = data;

    (void) snprintf(text, sizeof(text), "llm_ledger: %s", message);
    desk->log(desk->log_data, TG_DESK_ERROR, text);
}


/* Calls go on, for what is wrong may be one subject's. */
static void
tg_desk_look(tg_desk_t *desk)
{
    char                 text[400];
    tg_error_t           err;
    tg_ledger_report_t   r;

    if (tg_ledger_file_sound(&desk->ledger, &r, &err) != TG_OK
        || tg_ledger_mistakes(&r) == 0)
    {
        return;
    }

    (void) snprintf(text, sizeof(text), "llm_ledger: \"%.200s\" is damaged:"
                    " %llu things in it do not fit together, so that budgets"
                    " may count wrongly; see llmctl ledger check",
                    desk->ledger.path,
                    (unsigned long long) tg_ledger_mistakes(&r));
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

        if (desk->open) {
            tg_desk_look(desk);
        }

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

    tg_desk_tally_look(desk);

    if (!desk->open) {
        tg_desk_tally_join(desk);
        return TG_OK;
    }

    if (tg_ledger_file_join(&desk->ledger, &why) != TG_OK) {
        return tg_error(err, 0, 0, "llm_ledger: %s", why.message);
    }

    desk->joined = true;
    tg_desk_tally_join(desk);

    if (tg_desk_start_carrier(desk, err) != TG_OK) {
        desk->joined = false;
        return TG_ERROR;
    }

    tg_desk_reserve(desk, now);

    return tg_desk_start_alerts(desk, err);
}


void
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

    tg_desk_tick_keys(desk);
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
