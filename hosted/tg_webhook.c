#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_webhook.h"
#include "tg_alert_queue.h"
#include "tg_text.h"

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
#define TG_WEBHOOK_CONNECT_MS 5000
#define TG_WEBHOOK_ANSWER     65536         /* bytes of one, read to no use */
#define TG_WEBHOOK_AGENT      "Tollgate"

typedef struct {
    const tg_conf_alert_t  *conf;
    CURL                   *easy;
    struct curl_slist      *headers;
    bool                    busy;
    char                    id[TG_ALERT_ID_LEN];    /* of the alert under way */
    size_t                  answered;       /* bytes */
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


/* Its contents are of no use, but have to be read for the connection to be used
 * again; up to a point. */
static size_t
tg_webhook_answer(char *p, size_t size, size_t n, void *data)
{
    tg_webhook_target_t  *t = data;

    (void) p;
    t->answered += size * n;

    return t->answered > TG_WEBHOOK_ANSWER ? 0 : size * n;
}


static CURL *
tg_webhook_easy(tg_webhook_t *w, tg_webhook_target_t *t)
{
    long   timeout = (long) t->conf->timeout_ms;
    CURL  *easy = curl_easy_init();

    if (easy == NULL) {
        return NULL;
    }

    (void) curl_easy_setopt(easy, CURLOPT_URL, t->conf->url.p);
    (void) curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void) curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void) curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                            (long) CURL_HTTP_VERSION_1_1);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    (void) curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                            (long) CURL_SSLVERSION_TLSv1_2);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            timeout < TG_WEBHOOK_CONNECT_MS
                            ? timeout : TG_WEBHOOK_CONNECT_MS);

    /* Not of the environment, which nginx empties and httpd does not. */
    (void) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);

    /* Not to wait for a name server when it is to stop. */
    (void) curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);

    (void) curl_easy_setopt(easy, CURLOPT_USERAGENT, TG_WEBHOOK_AGENT);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, tg_webhook_answer);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    (void) curl_easy_setopt(easy, CURLOPT_PRIVATE, t);

    if (w->conf.ca_file != NULL) {
        (void) curl_easy_setopt(easy, CURLOPT_CAINFO, w->conf.ca_file);
    }

    return easy;
}


/* *list grows by a line; false on exhaustion. */
static bool
tg_webhook_header(struct curl_slist **list, const char *name, tg_str_t value)
{
    char                line[TG_ALERT_SIGNATURES_MAX + 64];
    struct curl_slist  *longer;

    (void) snprintf(line, sizeof(line), "%s: %.*s", name, (int) value.len,
                    value.p);

    longer = curl_slist_append(*list, line);
    if (longer == NULL) {
        return false;
    }

    *list = longer;

    return true;
}


/* Each attempt has its own time, and so its own signature. */
static bool
tg_webhook_headers(tg_webhook_target_t *t, tg_str_t body)
{
    char      time[TG_TEXT_INT_MAX], signature[TG_ALERT_SIGNATURES_MAX];
    int64_t   now = tg_webhook_clock(CLOCK_REALTIME) / 1000;
    tg_str_t  id = tg_str_of(t->id, sizeof(t->id)), sig;

    curl_slist_free_all(t->headers);
    t->headers = NULL;

    if (!tg_webhook_header(&t->headers, "Content-Type",
                           tg_str("application/json"))
        || !tg_webhook_header(&t->headers, "Expect", tg_str(""))
        || !tg_webhook_header(&t->headers, "webhook-id", id)
        || !tg_webhook_header(&t->headers, "webhook-timestamp",
                              tg_str_of(time, (size_t) (tg_text_int(time, now)
                                                        - time))))
    {
        return false;
    }

    if (t->conf->nsecrets == 0) {
        return true;
    }

    sig = tg_str_of(signature, tg_alert_sign(t->conf, id, now, body,
                                             signature));

    return sig.len != 0
           && tg_webhook_header(&t->headers, "webhook-signature", sig);
}


/* Some of the time, for many senders not to come back all at once. */
static int64_t
tg_webhook_jitter(tg_webhook_t *w, int64_t ms)
{
    w->random = w->random * UINT64_C(6364136223846793005)
                + UINT64_C(1442695040888963407);

    return ms / 2 + (int64_t) ((w->random >> 33) % (uint64_t) (ms / 2 + 1));
}


static void
tg_webhook_back_off(tg_webhook_t *w, tg_webhook_target_t *t, int64_t after_ms,
    const char *why)
{
    unsigned  doublings = t->fails < 16 ? t->fails : 16;
    int64_t   ms = w->conf.retry_ms << doublings;

    if (ms > TG_WEBHOOK_RETRY_MAX) {
        ms = TG_WEBHOOK_RETRY_MAX;
    }

    ms = tg_webhook_jitter(w, ms);

    if (after_ms > TG_WEBHOOK_AFTER_MAX) {
        after_ms = TG_WEBHOOK_AFTER_MAX;
    }

    ms = after_ms > ms ? after_ms : ms;
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
    t->answered = 0;
    n = tg_alert_post(t->conf, rec.body, t->post);

    if (n == 0 || !tg_webhook_headers(t, tg_str_of(t->post, n))) {
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
    char        why[64];
    long        status = 0;
    unsigned    i = (unsigned) (t - w->targets);
    curl_off_t  after = 0;

    (void) curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    (void) curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after);

    /* An answer that is too long was one. */
    if (rc != CURLE_OK
        && !(rc == CURLE_WRITE_ERROR && t->answered > TG_WEBHOOK_ANSWER))
    {
        tg_webhook_back_off(w, t, 0, curl_easy_strerror(rc));
        return;
    }

    switch (tg_alert_verdict(status)) {

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
        (void) snprintf(why, sizeof(why), "answered with status %ld", status);
        tg_webhook_back_off(w, t, after > TG_WEBHOOK_AFTER_MAX / 1000
                                  ? TG_WEBHOOK_AFTER_MAX : after * 1000, why);
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
        w->targets[i].easy = tg_webhook_easy(w, &w->targets[i]);

        if (w->targets[i].easy == NULL) {
            return tg_error(err, 0, 0, "no memory");
        }

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
