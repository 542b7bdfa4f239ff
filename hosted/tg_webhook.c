#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_webhook.h"
#include "tg_alert_queue.h"
#include "tg_post.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#define TG_WEBHOOK_TICK_MS    1000

typedef struct {
    const tg_conf_alert_t  *conf;
    CURL                   *easy;
    struct curl_slist      *headers;
    bool                    busy;
    char                    id[TG_ALERT_ID_LEN];    /* of the alert under way */
    tg_post_answer_t        answer;
    unsigned                fails;          /* in a row */
    int64_t                 not_before;     /* on the monotonic clock */
    uint32_t                cursor;
    char                    post[TG_ALERT_POST_MAX];
} tg_webhook_target_t;

struct tg_webhook_s {
    tg_webhook_conf_t       conf;
    tg_alert_queue_t        queue;
    CURLM                  *multi;
    pthread_t               thread;
    atomic_bool             stop;
    bool                    broken;         /* said so already */
    uint64_t                random;
    uint64_t                told;           /* of lost ones */
    pthread_mutex_t         mutex;          /* of stats */
    tg_webhook_stats_t      stats;
    unsigned                n;
    tg_webhook_target_t     targets[TG_ALERTS_MAX];
};


static int64_t
tg_webhook_clock(clockid_t clock)
{
    struct timespec  t;

    clock_gettime(clock, &t);

    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


static void tg_webhook_log(tg_webhook_t *w, tg_webhook_level_t level,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
tg_webhook_log(tg_webhook_t *w, tg_webhook_level_t level, const char *fmt, ...)
{
    char     message[512];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);

    w->conf.log(w->conf.baton, level, message);
}


static void
tg_webhook_count(tg_webhook_t *w, uint64_t *counter)
{
    (void) pthread_mutex_lock(&w->mutex);
    (*counter)++;
    (void) pthread_mutex_unlock(&w->mutex);
}


static void
tg_webhook_back_off(tg_webhook_t *w, tg_webhook_target_t *t, int64_t after_ms,
    const char *why)
{
    int64_t  ms;

    ms = tg_post_wait(t->fails, w->conf.retry_ms, after_ms, &w->random);
    t->not_before = tg_webhook_clock(CLOCK_MONOTONIC) + ms;
    t->fails++;
    tg_webhook_count(w, &w->stats.failed);

    if ((t->fails & (t->fails - 1)) == 0) {
        tg_webhook_log(w, TG_WEBHOOK_WARN, "alerts to %s: %s; failures in a"
                       " row: %u, next attempt in %lld.%03d s",
                       t->conf->origin.p, why, t->fails,
                       (long long) (ms / 1000), (int) (ms % 1000));
    }
}


/* False: there is nothing to be sent, or not now. */
static bool
tg_webhook_send(tg_webhook_t *w, unsigned i)
{
    size_t                   n;
    tg_webhook_target_t     *t = &w->targets[i];
    tg_alert_record_t        rec;
    const tg_alert_entry_t  *e;

    e = tg_alert_queue_next(&w->queue, i, &t->cursor);

    if (e == NULL || tg_alert_queue_record(&w->queue, e, &rec) != TG_OK) {
        return false;
    }

    memcpy(t->id, e->id, sizeof(t->id));
    t->cursor++;
    t->answer.answered = 0;
    n = tg_alert_post(t->conf, rec.body, t->post);
    curl_slist_free_all(t->headers);
    t->headers = n == 0 ? NULL
                 : tg_post_headers(t->conf, tg_str_of(t->id, sizeof(t->id)),
                                   tg_str_of(t->post, n));

    if (t->headers == NULL) {
        tg_webhook_back_off(w, t, 0, "no memory");
        return false;
    }

    (void) curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    (void) curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long) n);
    (void) curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->post);

    t->busy = curl_multi_add_handle(w->multi, t->easy) == CURLM_OK;

    if (!t->busy) {
        tg_webhook_back_off(w, t, 0, "no memory");
    }

    return t->busy;
}


static void
tg_webhook_done(tg_webhook_t *w, tg_webhook_target_t *t, CURLcode rc)
{
    char      why[CURL_ERROR_SIZE];
    long      status;
    int64_t   after;
    unsigned  i = (unsigned) (t - w->targets);

    switch (tg_post_ended(t->easy, rc, &t->answer, &status, &after, why,
                          sizeof(why)))
    {

    case TG_ALERT_SENT:
        if (t->fails != 0) {
            tg_webhook_log(w, TG_WEBHOOK_INFO, "alerts to %s: delivered again,"
                           " after %u failures", t->conf->origin.p, t->fails);
        }
        t->fails = 0;
        tg_alert_queue_done(&w->queue, t->id, i, TG_ALERT_HOW_SENT);
        tg_webhook_count(w, &w->stats.sent);
        break;

    case TG_ALERT_GIVE_UP:
        tg_alert_queue_done(&w->queue, t->id, i, TG_ALERT_HOW_REFUSED);
        tg_webhook_count(w, &w->stats.refused);
        tg_webhook_log(w, TG_WEBHOOK_ERROR, "alerts to %s: %.*s was answered"
                       " with status %ld and is given up", t->conf->origin.p,
                       TG_ALERT_ID_LEN, t->id, status);
        break;

    case TG_ALERT_RETRY:
        tg_webhook_back_off(w, t, after, why);
        break;
    }
}


/* True: something has ended, and something else may take its turn. */
static bool
tg_webhook_perform(tg_webhook_t *w)
{
    int                   running, left;
    bool                  ended = false;
    CURLMsg              *msg;
    CURLcode              rc;
    tg_webhook_target_t  *t;

    (void) curl_multi_perform(w->multi, &running);

    while ((msg = curl_multi_info_read(w->multi, &left)) != NULL) {

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        rc = msg->data.result;
        t = NULL;
        (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
        (void) curl_multi_remove_handle(w->multi, msg->easy_handle);
        t->busy = false;
        ended = true;
        tg_webhook_done(w, t, rc);
    }

    return ended;
}


/* What is lost is said, once a tick. */
static void
tg_webhook_tell(tg_webhook_t *w)
{
    uint64_t  lost = w->queue.expired + w->queue.dropped;

    (void) pthread_mutex_lock(&w->mutex);
    w->stats.sender = w->queue.sender;
    w->stats.expired = w->queue.expired;
    w->stats.dropped = w->queue.dropped;
    w->stats.torn = w->queue.torn;
    (void) pthread_mutex_unlock(&w->mutex);

    if (lost != w->told) {
        tg_webhook_log(w, TG_WEBHOOK_ERROR, "alerts: %llu could not be"
                       " delivered in time or had no room in %s, and are given"
                       " up", (unsigned long long) (lost - w->told),
                       w->queue.spool.path);
        w->told = lost;
    }
}


/* Starts what can be started. Milliseconds until there may be more to do. */
static int
tg_webhook_turn(tg_webhook_t *w)
{
    int64_t               now, left, wait = TG_WEBHOOK_TICK_MS;
    tg_webhook_target_t  *t;

    for (unsigned i = 0; i < w->n; i++) {
        t = &w->targets[i];

        if (t->busy) {
            continue;
        }

        now = tg_webhook_clock(CLOCK_MONOTONIC);
        left = t->not_before - now;

        if (left > 0) {
            wait = left < wait ? left : wait;

        } else if (tg_webhook_send(w, i)) {
            wait = 0;
        }
    }

    tg_alert_queue_compact(&w->queue, tg_webhook_clock(CLOCK_REALTIME));

    return (int) wait;
}


static int
tg_webhook_step(tg_webhook_t *w)
{
    int         rc, wait = TG_WEBHOOK_TICK_MS;
    tg_error_t  err;

    rc = tg_alert_queue_claim(&w->queue, &err);

    if (rc == TG_OK) {
        rc = tg_alert_queue_read(&w->queue, tg_webhook_clock(CLOCK_REALTIME),
                                 &err);
    }

    if (rc == TG_OK) {
        wait = tg_webhook_turn(w);

    } else if (rc == TG_ERROR && !w->broken) {
        tg_webhook_log(w, TG_WEBHOOK_ERROR, "alerts: %s", err.message);
    }

    w->broken = rc == TG_ERROR;
    tg_webhook_tell(w);

    return tg_webhook_perform(w) ? 0 : wait;
}


static void *
tg_webhook_run(void *data)
{
    int            wait;
    tg_webhook_t  *w = data;

    while (!atomic_load(&w->stop)) {
        wait = tg_webhook_step(w);

        if (!atomic_load(&w->stop)) {
            (void) curl_multi_poll(w->multi, NULL, 0, wait, NULL);
        }
    }

    return NULL;
}


static void
tg_webhook_free(tg_webhook_t *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        if (w->targets[i].busy) {
            (void) curl_multi_remove_handle(w->multi, w->targets[i].easy);
        }

        curl_easy_cleanup(w->targets[i].easy);
        curl_slist_free_all(w->targets[i].headers);
    }

    if (w->multi != NULL) {
        (void) curl_multi_cleanup(w->multi);
    }

    curl_global_cleanup();
    tg_alert_queue_close(&w->queue);
    (void) pthread_mutex_destroy(&w->mutex);
    free(w);
}


static int
tg_webhook_setup(tg_webhook_t *w, tg_error_t *err)
{
    if (tg_alert_queue_open(&w->queue, w->conf.ledger, w->conf.targets, err)
        != TG_OK)
    {
        return TG_ERROR;
    }

    w->multi = curl_multi_init();
    if (w->multi == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    for (unsigned i = 0; i < w->conf.targets->n; i++) {
        w->targets[i].conf = &w->conf.targets->list[i];
        w->targets[i].easy = tg_post_easy(w->targets[i].conf, w->conf.ca_file,
                                          &w->targets[i].answer);

        if (w->targets[i].easy == NULL) {
            return tg_error(err, 0, 0, "no memory");
        }

        (void) curl_easy_setopt(w->targets[i].easy, CURLOPT_PRIVATE,
                                &w->targets[i]);

        w->n++;
    }

    if (getrandom(&w->random, sizeof(w->random), 0)
        != (ssize_t) sizeof(w->random))
    {
        return tg_error(err, errno, 0, "no random bytes");
    }

    return TG_OK;
}


/* The server's signals are for its own threads. */
static int
tg_webhook_spawn(tg_webhook_t *w, tg_error_t *err)
{
    int       rc;
    sigset_t  all, before;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&w->thread, NULL, tg_webhook_run, w);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (rc != 0) {
        return tg_error(err, rc, 0, "no thread: %s", strerror(rc));
    }

    (void) pthread_setname_np(w->thread, "llm-alerts");

    return TG_OK;
}


tg_webhook_t *
tg_webhook_start(const tg_webhook_conf_t *conf, tg_error_t *err)
{
    tg_webhook_t  *w = calloc(1, sizeof(*w));

    if (w == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(w);
        (void) tg_error(err, 0, 0, "libcurl can't be set up");
        return NULL;
    }

    w->conf = *conf;
    w->conf.retry_ms = conf->retry_ms > 0 ? conf->retry_ms
                                          : TG_WEBHOOK_RETRY_MS;
    w->queue.fd = -1;
    atomic_init(&w->stop, false);
    (void) pthread_mutex_init(&w->mutex, NULL);

    if (tg_webhook_setup(w, err) != TG_OK || tg_webhook_spawn(w, err) != TG_OK)
    {
        tg_webhook_free(w);
        return NULL;
    }

    return w;
}


void
tg_webhook_poke(tg_webhook_t *w)
{
    if (w != NULL) {
        (void) curl_multi_wakeup(w->multi);
    }
}


void
tg_webhook_stop(tg_webhook_t *w)
{
    if (w == NULL) {
        return;
    }

    atomic_store(&w->stop, true);
    (void) curl_multi_wakeup(w->multi);
    (void) pthread_join(w->thread, NULL);
    tg_webhook_free(w);
}


void
tg_webhook_stats(tg_webhook_t *w, tg_webhook_stats_t *stats)
{
    (void) pthread_mutex_lock(&w->mutex);
    *stats = w->stats;
    (void) pthread_mutex_unlock(&w->mutex);
}
