#include "mod_llm_upstream_check.h"

#include "mod_watchdog.h"
#include "scoreboard.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

APLOG_USE_MODULE(llm_upstream);

/*
 * Who checks.  mod_watchdog asks in each child, ten times a second, whether the
 * lease is to be had; the child that gets it starts a thread, which has all
 * requests under way at once and goes on until it is told to stop, the lease is
 * another's, or a restart has made its configuration an old one.
 */

#define LLM_UP_WATCHDOG   "_llm_upstream_"
#define LLM_UP_STOP_MS    1500
#define LLM_UP_SWEEP_NS   (INT64_C(1000) * 1000000)

typedef struct {
    pthread_mutex_t   lock;
    pthread_cond_t    ended;
    pthread_t         thread;
    llm_up_fetches_t  fetches;          /* of the thread */
    tg_scale_hook_t  *hook;             /* the same; NULL: nobody is told */
    ap_generation_t   generation;
    bool              started;          /* in this child */
    bool              running;
    bool              joinable;
    bool              stop;
} llm_up_owner_t;

static llm_up_owner_t  llm_up_owner;


/* An old child of prefork knows it by nothing else. */
static bool
llm_up_outdated(const llm_up_owner_t *o)
{
    return ap_scoreboard_image->global->running_generation != o->generation;
}


static bool
llm_up_stopped(llm_up_owner_t *o)
{
    bool  stop;

    (void) pthread_mutex_lock(&o->lock);
    stop = o->stop;
    (void) pthread_mutex_unlock(&o->lock);

    return stop || llm_up_outdated(o);
}


/* What has become of each server, once.  quiet: who had the lease before has said
 * what they were. */
static void
llm_up_tell(llm_up_group_t *ug, int64_t now, bool quiet)
{
    int                 i;
    tg_str_t            name;
    llm_up_member_t    *m;
    tg_backend_view_t   view;

    for (i = 0; i < ug->members->nelts; i++) {
        m = APR_ARRAY_IDX(ug->members, i, llm_up_member_t *);

        tg_backend_view(llm_up_table(), m->backend, &ug->conf.check, now,
                        &view);

        if (m->told == view.state) {
            continue;
        }

        m->told = view.state;

        if (quiet) {
            continue;
        }

        name = tg_backend_state_name(view.state);
        ap_log_error(APLOG_MARK, view.state == TG_BACKEND_DOWN
                                 || view.state == TG_BACKEND_STALLED
                                 ? APLOG_WARNING : APLOG_NOTICE,
                     0, ug->server, "llm: %s: %.*s is %.*s%s%s", ug->uri,
                     (int) m->server.len, m->server.p, (int) name.len, name.p,
                     view.why[0] != '\0' ? ": " : "", view.why);
    }
}


static void
llm_up_scale_log(void *baton, tg_webhook_level_t level, const char *message)
{
    int  l = level == TG_WEBHOOK_ERROR ? APLOG_ERR
             : level == TG_WEBHOOK_WARN ? APLOG_WARNING : APLOG_INFO;

    (void) baton;

    ap_log_error(APLOG_MARK, l, 0, llm_up_main->server, "llm: LLMScale: %s",
                 message);
}


/* NULL where no autoscaler is to be told of anything. */
static tg_scale_hook_t *
llm_up_scale_open(void)
{
    int                    i;
    tg_scale_hook_conf_t   conf = { llm_up_table(), llm_up_scale_log, NULL,
                                    NULL, 0 };

    for (i = 0; i < llm_up_main->all->nelts; i++) {
        if (APR_ARRAY_IDX(llm_up_main->all, i, llm_up_group_t *)->scale) {
            return tg_scale_hook_create(&conf);
        }
    }

    return NULL;
}


static void
llm_up_scale(llm_up_owner_t *o, llm_up_group_t *ug, int64_t now)
{
    tg_error_t         err;
    tg_scale_event_t   event;

    while (tg_scale_next(llm_up_table(), ug->group, &ug->conf, now,
                         apr_time_as_msec(apr_time_now()), &event))
    {
        if (o->hook != NULL && ug->scale != NULL
            && tg_scale_hook_post(o->hook, ug->scale, &event, &err) != TG_OK)
        {
            llm_up_scale_log(NULL, TG_WEBHOOK_WARN, err.message);
        }
    }
}


static void
llm_up_tick(llm_up_owner_t *o, int64_t now, int64_t *sweep)
{
    int              i;
    tg_backends_t   *t = llm_up_table();
    llm_up_group_t  *ug;

    if (now >= *sweep) {
        (void) tg_backends_sweep(t, tg_backend_alive, now);
        *sweep = now + LLM_UP_SWEEP_NS;
    }

    for (i = 0; i < llm_up_main->all->nelts; i++) {
        ug = APR_ARRAY_IDX(llm_up_main->all, i, llm_up_group_t *);

        tg_group_tick(t, ug->group, &ug->conf, now);
        llm_up_scale(o, ug, now);
        llm_up_flag(ug, now);
        llm_up_tell(ug, now, false);
    }
}


/* Until the lease is lost. */
static void
llm_up_own(llm_up_owner_t *o, llm_up_check_t *checks, unsigned n)
{
    int      i;
    int64_t  now, next, tick = 0, sweep = 0;

    for (i = 0; i < llm_up_main->all->nelts; i++) {
        llm_up_tell(APR_ARRAY_IDX(llm_up_main->all, i, llm_up_group_t *),
                    tg_backend_now(), true);
    }

    ap_log_error(APLOG_MARK, APLOG_INFO, 0, llm_up_main->server,
                 "llm: this child checks servers from now on");

    while (!llm_up_stopped(o)) {
        now = tg_backend_now();

        if (now >= tick) {
            if (!tg_backends_lease(llm_up_table(), llm_up_slot,
                                   tg_backend_alive, now))
            {
                return;
            }

            llm_up_tick(o, now, &sweep);
            tick = now + TG_TICK_NS;
        }

        next = llm_up_checks_start(checks, n, &o->fetches, now);

        llm_up_checks_done(&o->fetches);
        llm_up_fetches_wait(&o->fetches, next < tick ? next : tick);
    }
}


static void *
llm_up_owner_run(void *data)
{
    bool             ok;
    unsigned         n = 0;
    llm_up_owner_t  *o = data;
    llm_up_check_t  *checks;

    checks = llm_up_checks_open(&n, tg_backend_now());
    ok = checks != NULL && llm_up_fetches_open(&o->fetches, n);

    if (!ok) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, llm_up_main->server,
                     "llm: this child has no memory for health checks");

    } else {
        /* One for each, whatever is under way. */

        (void) curl_multi_setopt(o->fetches.multi, CURLMOPT_MAXCONNECTS,
                                 (long) n + 1);
        o->hook = llm_up_scale_open();
        llm_up_own(o, checks, n);
    }

    tg_backends_release(llm_up_table(), llm_up_slot);

    if (ok) {
        tg_scale_hook_stop(o->hook);
    }

    if (checks != NULL) {
        llm_up_checks_close(checks, n, o->fetches.multi);
    }

    llm_up_fetches_close(&o->fetches);

    (void) pthread_mutex_lock(&o->lock);
    (void) curl_multi_cleanup(o->fetches.multi);
    o->fetches.multi = NULL;
    o->running = false;
    o->stop |= !ok;
    (void) pthread_cond_broadcast(&o->ended);
    (void) pthread_mutex_unlock(&o->lock);

    return NULL;
}


/* With the lock held.  Signals are the MPM's. */
static void
llm_up_owner_start(llm_up_owner_t *o)
{
    int       rc;
    sigset_t  all, old;

    if (o->joinable) {
        (void) pthread_join(o->thread, NULL);
        o->joinable = false;
    }

    o->fetches.multi = curl_multi_init();
    if (o->fetches.multi == NULL) {
        tg_backends_release(llm_up_table(), llm_up_slot);
        return;
    }

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &old);
    rc = pthread_create(&o->thread, NULL, llm_up_owner_run, o);
    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    if (rc != 0) {
        (void) curl_multi_cleanup(o->fetches.multi);
        o->fetches.multi = NULL;
        tg_backends_release(llm_up_table(), llm_up_slot);
        ap_log_error(APLOG_MARK, APLOG_ERR, rc, llm_up_main->server,
                     "llm: can't start a thread for health checks");
        return;
    }

    o->running = true;
    o->joinable = true;
}


static apr_status_t
llm_up_watch(int state, void *data, apr_pool_t *pool)
{
    llm_up_owner_t  *o = data;

    (void) pool;

    if (state == AP_WATCHDOG_STATE_STOPPING) {
        llm_up_owner_stop();
        return APR_SUCCESS;
    }

    if (!o->started || pthread_mutex_trylock(&o->lock) != 0) {
        return APR_SUCCESS;
    }

    if (!o->stop && !o->running && !llm_up_outdated(o)
        && tg_backends_lease(llm_up_table(), llm_up_slot, tg_backend_alive,
                             tg_backend_now()))
    {
        llm_up_owner_start(o);
    }

    (void) pthread_mutex_unlock(&o->lock);

    return APR_SUCCESS;
}


/* Tells the thread to stop, and waits; not for long: it may be a signal's
 * handler that is here (MPM prefork), which has interrupted who has a lock.  A
 * thread that does not end in time is left alone: the process ends with it. */
void
llm_up_owner_stop(void)
{
    bool              join;
    llm_up_owner_t   *o = &llm_up_owner;
    struct timespec   until;

    if (!o->started) {
        return;
    }

    (void) clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LLM_UP_STOP_MS / 1000;
    until.tv_nsec += LLM_UP_STOP_MS % 1000 * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;

    if (pthread_mutex_timedlock(&o->lock, &until) != 0) {
        return;
    }

    o->stop = true;

    if (o->running) {
        (void) curl_multi_wakeup(o->fetches.multi);
    }

    while (o->running
           && pthread_cond_timedwait(&o->ended, &o->lock, &until) == 0)
    { /* void */ }

    join = o->joinable && !o->running;
    o->joinable &= !join;

    (void) pthread_mutex_unlock(&o->lock);

    if (join) {
        (void) pthread_join(o->thread, NULL);
    }
}


static apr_status_t
llm_up_owner_end(void *data)
{
    (void) data;

    llm_up_owner_stop();

    return APR_SUCCESS;
}


void
llm_up_owner_child(apr_pool_t *pchild)
{
    int              generation = 0;
    llm_up_owner_t  *o = &llm_up_owner;

    (void) pthread_mutex_init(&o->lock, NULL);
    (void) pthread_cond_init(&o->ended, NULL);
    (void) ap_mpm_query(AP_MPMQ_GENERATION, &generation);
    (void) curl_global_init(CURL_GLOBAL_DEFAULT);

    o->generation = generation;
    o->started = true;

    apr_pool_pre_cleanup_register(pchild, o, llm_up_owner_end);
}


/* When all of the configuration is there: before mod_watchdog looks who needs
 * it. */
int
llm_up_owner_config(apr_pool_t *pconf, server_rec *s)
{
    ap_watchdog_t                                        *watchdog;
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance)       *get;
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback)  *add;

    get = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    add = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);

    if (get == NULL || add == NULL) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "llm: LLMBackend and its"
                     " like need mod_watchdog");
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    if (get(&watchdog, LLM_UP_WATCHDOG, 0, 0, pconf) != APR_SUCCESS
        || add(watchdog, TG_TICK_NS / 1000, &llm_up_owner, llm_up_watch)
           != APR_SUCCESS)
    {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "llm: mod_watchdog does"
                     " not look after health checks");
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    return OK;
}
