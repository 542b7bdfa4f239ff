#include "mod_llm.h"

#include <signal.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define LLM_KEEPER_INTERVAL_MS  1000

/* A child's thread that flushes logs and looks after prices, keys, and what
 * other children left. */
typedef struct {
    pthread_t        thread;
    pthread_mutex_t  lock;
    pthread_cond_t   wake;
    llm_main_t      *main;
    bool             stop;
    bool             ended;
} llm_keeper_t;

static llm_keeper_t  llm_keeper;


void
llm_now(tg_now_t *now)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    now->wall_ms = apr_time_as_msec(apr_time_now());
    now->mono_ns = (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* One source a thread: no lock, and no thread has another's.  None has been
 * seeded where a child is forked: only children have requests. */
tg_id_source_t *
llm_ids(void)
{
    unsigned char                   seed[32];
    static __thread bool            seeded;
    static __thread tg_id_source_t  ids;

    if (!seeded) {
        if (getrandom(seed, sizeof(seed), 0) != (ssize_t) sizeof(seed)) {
            return NULL;
        }

        tg_id_seed(&ids, seed);
        seeded = true;
    }

    return &ids;
}


/* The call that a request belongs to: error documents are requests of their
 * own. */
llm_ctx_t *
llm_get_ctx(request_rec *r)
{
    if (r->main != NULL) {
        return NULL;
    }

    while (r->prev != NULL) {
        r = r->prev;
    }

    return ap_get_module_config(r->request_config, &llm_module);
}


/* False where it can't be had: in a signal handler (MPM prefork) it may be held
 * by what was interrupted. */
bool
llm_lock_stopping(pthread_mutex_t *lock)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    ts.tv_nsec += LLM_STOP_WAIT_MS * 1000000L;
    ts.tv_sec += ts.tv_nsec / 1000000000L;
    ts.tv_nsec %= 1000000000L;

    return pthread_mutex_timedlock(lock, &ts) == 0;
}


static void *
llm_keeper_run(void *data)
{
    int64_t           tick, since = 0;
    llm_keeper_t     *k = data;
    struct timespec   ts;

    tick = llm_log_tick(k->main);
    if (tick > LLM_KEEPER_INTERVAL_MS) {
        tick = LLM_KEEPER_INTERVAL_MS;
    }

    (void) pthread_mutex_lock(&k->lock);

    while (!k->stop) {
        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        ts.tv_nsec += tick * 1000000L;
        ts.tv_sec += ts.tv_nsec / 1000000000L;
        ts.tv_nsec %= 1000000000L;

        (void) pthread_cond_timedwait(&k->wake, &k->lock, &ts);

        if (k->stop) {
            break;
        }

        (void) pthread_mutex_unlock(&k->lock);

        llm_log_flush(k->main, true);
        since += tick;

        if (since >= LLM_KEEPER_INTERVAL_MS) {
            since = 0;
            llm_prices_check(k->main);
            llm_desk_tick(k->main);
        }

        (void) pthread_mutex_lock(&k->lock);
    }

    k->ended = true;
    (void) pthread_cond_broadcast(&k->wake);
    (void) pthread_mutex_unlock(&k->lock);

    return NULL;
}


/* The child's memory goes next.  A thread that does not end in time is left
 * alone: the process ends with it. */
static apr_status_t
llm_keeper_stop(void *data)
{
    llm_keeper_t     *k = data;
    struct timespec   ts;

    if (!llm_lock_stopping(&k->lock)) {
        return APR_SUCCESS;
    }

    k->stop = true;
    (void) pthread_cond_broadcast(&k->wake);

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += 1;

    while (!k->ended
           && pthread_cond_timedwait(&k->wake, &k->lock, &ts) == 0)
    { /* void */ }

    if (k->ended) {
        (void) pthread_mutex_unlock(&k->lock);
        (void) pthread_join(k->thread, NULL);
    } else {
        (void) pthread_mutex_unlock(&k->lock);
    }

    llm_log_flush(k->main, false);
    llm_desk_end(k->main);

    return APR_SUCCESS;
}


static void
llm_keeper_start(apr_pool_t *pchild)
{
    int                  rc;
    sigset_t             all, old;
    llm_keeper_t        *k = &llm_keeper;
    pthread_condattr_t   attr;

    k->main = llm_main;

    (void) pthread_mutex_init(&k->lock, NULL);
    (void) pthread_condattr_init(&attr);
    (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&k->wake, &attr);
    (void) pthread_condattr_destroy(&attr);

    /* Signals are the MPM's. */

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &old);
    rc = pthread_create(&k->thread, NULL, llm_keeper_run, k);
    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    if (rc != 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rc, llm_main->server,
                     "llm: can't start a thread: prices and keys are not"
                     " looked after");
        return;
    }

    apr_pool_pre_cleanup_register(pchild, k, llm_keeper_stop);
}


static void
llm_child_init(apr_pool_t *pchild, server_rec *s)
{
    (void) s;

    if (llm_main == NULL || !llm_main->enabled) {
        return;
    }

    llm_finish_init();
    llm_log_child(llm_main);
    llm_desk_child(llm_main);
    llm_cache_child(pchild);
    llm_keeper_start(pchild);
}


static void
llm_register_hooks(apr_pool_t *p)
{
    ap_hook_pre_config(llm_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(llm_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(llm_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_open_logs(llm_open_logs, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(llm_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(llm_child_stopping, NULL, NULL, APR_HOOK_FIRST);

    /* Others may tell of the values. */

    ap_hook_log_transaction(llm_log_transaction, NULL, NULL,
                            APR_HOOK_REALLY_FIRST);

    llm_companion_register();
    llm_request_hooks(p);
    llm_send_hooks(p);
    llm_pass_hooks(p);
    llm_response_hooks(p);
    llm_client_hooks(p);
    llm_tls_hooks(p);
    llm_status_hooks(p);
    llm_own_hooks(p);
}


AP_DECLARE_MODULE(llm) = {
    STANDARD20_MODULE_STUFF,
    llm_create_dir,
    llm_merge_dir,
    llm_create_server,
    NULL,                       /* merge it */
    llm_commands,
    llm_register_hooks,
    0
};
