#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_scale_hook.h"
#include "tg_post.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define TG_SCALE_WAIT_MS  60000         /* where there is nothing to do */

typedef enum {
    TG_SCALE_FREE = 0,
    TG_SCALE_WAITING,
    TG_SCALE_BUSY
} tg_scale_state_t;

/* state and told_at are of both threads, under the mutex.  What is free is the
 * owner's, the rest the sender's. */
typedef struct {
    tg_scale_state_t        state;
    int64_t                 told_at;
    const tg_conf_alert_t  *target;
    tg_scale_event_t        event;
    unsigned                fails;
    int64_t                 not_before;
    CURL                   *easy;
    struct curl_slist      *headers;
    tg_post_answer_t        answer;
} tg_scale_entry_t;

struct tg_scale_hook_s {
    tg_scale_hook_conf_t  conf;
    CURLM                *multi;
    pthread_t             thread;
    bool                  started;
    atomic_bool           stop;
    uint64_t              random;
    pthread_mutex_t       mutex;
    tg_scale_entry_t      entries[TG_SCALE_QUEUE];
};


static int64_t
tg_scale_clock(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


static void tg_scale_log(tg_scale_hook_t *h, tg_webhook_level_t level,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
tg_scale_log(tg_scale_hook_t *h, tg_webhook_level_t level, const char *fmt, ...)
{
    char     message[512];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);

    h->conf.log(h->conf.baton, level, message);
}


/* "https://host:port" of a URL. */

static tg_str_t
tg_scale_origin(tg_str_t url)
{
    size_t  i = 0;

    for (unsigned slashes = 0; i < url.len; i++) {
        if (url.p[i] == '?' || url.p[i] == '#'
            || (url.p[i] == '/' && ++slashes == 3))
        {
            break;
        }
    }

    return tg_str_of(url.p, i);
}


int
tg_scale_hook_load(tg_scale_targets_t *targets, const tg_group_conf_t *gc,
    tg_error_t *err)
{
    tg_conf_alert_t  *target;

    memset(targets, 0, sizeof(*targets));

    for (unsigned i = 0; i < gc->nscale; i++) {
        target = &targets->list[targets->n++];
        target->url = gc->scale[i]->url;
        target->origin = tg_scale_origin(target->url);
        target->secret_file = gc->scale[i]->secret_file;
        target->timeout_ms = TG_SCALE_TIMEOUT_MS;

        if (tg_webhook_load_secret(target, err) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


/* --- the sender; entries that are not free are its own --- */

static void
tg_scale_free(tg_scale_hook_t *h, tg_scale_entry_t *e)
{
    if (e->easy != NULL) {
        (void) curl_multi_remove_handle(h->multi, e->easy);
        curl_easy_cleanup(e->easy);
        e->easy = NULL;
    }

    curl_slist_free_all(e->headers);
    e->headers = NULL;

    (void) pthread_mutex_lock(&h->mutex);
    e->state = TG_SCALE_FREE;
    (void) pthread_mutex_unlock(&h->mutex);
}


static void
tg_scale_back_off(tg_scale_hook_t *h, tg_scale_entry_t *e, int64_t after_ms,
    const char *why)
{
    int64_t  ms = tg_post_wait(e->fails, h->conf.retry_ms, after_ms,
                               &h->random);

    e->not_before = tg_scale_clock() + ms;
    e->fails++;

    if ((e->fails & (e->fails - 1)) == 0) {
        tg_scale_log(h, TG_WEBHOOK_WARN, "scaling events to %.*s: %s; failures"
                     " in a row: %u, next attempt in %lld.%03d s",
                     (int) e->target->origin.len, e->target->origin.p, why,
                     e->fails, (long long) (ms / 1000), (int) (ms % 1000));
    }
}


static bool
tg_scale_send(tg_scale_hook_t *h, tg_scale_entry_t *e)
{
    tg_str_t  body = tg_str_of(e->event.body, e->event.len);

    e->answer.answered = 0;

    if (e->easy == NULL) {
        e->easy = tg_post_easy(e->target, h->conf.ca_file, &e->answer);
    }

    curl_slist_free_all(e->headers);
    e->headers = e->easy == NULL ? NULL
                 : tg_post_headers(e->target, tg_strz(e->event.id), body);

    if (e->headers == NULL) {
        return false;
    }

    (void) curl_easy_setopt(e->easy, CURLOPT_PRIVATE, e);
    (void) curl_easy_setopt(e->easy, CURLOPT_HTTPHEADER, e->headers);
    (void) curl_easy_setopt(e->easy, CURLOPT_POSTFIELDSIZE, (long) body.len);
    (void) curl_easy_setopt(e->easy, CURLOPT_POSTFIELDS, body.p);

    return curl_multi_add_handle(h->multi, e->easy) == CURLM_OK;
}


static void
tg_scale_ended(tg_scale_hook_t *h, tg_scale_entry_t *e, CURLcode rc)
{
    char     why[CURL_ERROR_SIZE];
    long     status;
    int64_t  after;

    switch (tg_post_ended(e->easy, rc, &e->answer, &status, &after, why,
                          sizeof(why)))
    {

    case TG_ALERT_SENT:
        tg_scale_done(h->conf.table, &e->event);
        tg_scale_free(h, e);
        break;

    case TG_ALERT_GIVE_UP:
        tg_scale_log(h, TG_WEBHOOK_ERROR, "scaling events to %.*s: %s was"
                     " answered with status %ld and is given up",
                     (int) e->target->origin.len, e->target->origin.p,
                     e->event.id, status);
        tg_scale_done(h->conf.table, &e->event);
        tg_scale_free(h, e);
        break;

    case TG_ALERT_RETRY:
        tg_scale_back_off(h, e, after, why);

        (void) pthread_mutex_lock(&h->mutex);
        e->state = TG_SCALE_WAITING;
        (void) pthread_mutex_unlock(&h->mutex);
        break;
    }
}


/* True: something has ended. */

static bool
tg_scale_perform(tg_scale_hook_t *h)
{
    int                running, left;
    bool               ended = false;
    CURLMsg           *msg;
    CURLcode           rc;
    tg_scale_entry_t  *e;

    (void) curl_multi_perform(h->multi, &running);

    while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        rc = msg->data.result;
        e = NULL;
        (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &e);
        (void) curl_multi_remove_handle(h->multi, msg->easy_handle);
        ended = true;
        tg_scale_ended(h, e, rc);
    }

    return ended;
}


/* Sends what waits and may be sent; nobody tells any more of what is too old.
 * Milliseconds until there may be more to do. */

static int64_t
tg_scale_entry(tg_scale_hook_t *h, tg_scale_entry_t *e)
{
    bool     waiting;
    int64_t  left, now = tg_scale_clock(), told_at;

    (void) pthread_mutex_lock(&h->mutex);
    waiting = e->state == TG_SCALE_WAITING;
    told_at = e->told_at;
    (void) pthread_mutex_unlock(&h->mutex);

    if (!waiting) {
        return TG_SCALE_WAIT_MS;
    }

    if (now - told_at > TG_SCALE_LIFE_MS) {
        tg_scale_free(h, e);
        return TG_SCALE_WAIT_MS;
    }

    left = e->not_before - now;

    if (left > 0) {
        return left;
    }

    if (!tg_scale_send(h, e)) {
        tg_scale_back_off(h, e, 0, "no memory");
        return 0;
    }

    (void) pthread_mutex_lock(&h->mutex);
    e->state = TG_SCALE_BUSY;
    (void) pthread_mutex_unlock(&h->mutex);

    return 0;
}


static void *
tg_scale_run(void *data)
{
    int64_t           ms, wait;
    tg_scale_hook_t  *h = data;

    while (!atomic_load(&h->stop)) {
        wait = TG_SCALE_WAIT_MS;

        for (unsigned i = 0; i < TG_SCALE_QUEUE; i++) {
            ms = tg_scale_entry(h, &h->entries[i]);
            wait = ms < wait ? ms : wait;
        }

        if (!tg_scale_perform(h) && wait > 0 && !atomic_load(&h->stop)) {
            (void) curl_multi_poll(h->multi, NULL, 0, (int) wait, NULL);
        }
    }

    return NULL;
}


/* --- the owner --- */

tg_scale_hook_t *
tg_scale_hook_create(const tg_scale_hook_conf_t *conf)
{
    tg_scale_hook_t  *h = calloc(1, sizeof(*h));

    if (h == NULL) {
        return NULL;
    }

    h->conf = *conf;
    h->conf.retry_ms = conf->retry_ms > 0 ? conf->retry_ms
                                          : TG_WEBHOOK_RETRY_MS;
    atomic_init(&h->stop, false);
    (void) pthread_mutex_init(&h->mutex, NULL);

    return h;
}


/* The server's signals are for its own threads. */

static int
tg_scale_start(tg_scale_hook_t *h, tg_error_t *err)
{
    int       rc;
    sigset_t  all, before;

    if (getrandom(&h->random, sizeof(h->random), 0)
        != (ssize_t) sizeof(h->random))
    {
        return tg_error(err, errno, 0, "no random bytes");
    }

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return tg_error(err, 0, 0, "libcurl can't be set up");
    }

    h->multi = curl_multi_init();

    if (h->multi == NULL) {
        curl_global_cleanup();
        return tg_error(err, 0, 0, "no memory");
    }

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&h->thread, NULL, tg_scale_run, h);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (rc != 0) {
        (void) curl_multi_cleanup(h->multi);
        h->multi = NULL;
        curl_global_cleanup();
        return tg_error(err, rc, 0, "no thread: %s", strerror(rc));
    }

    (void) pthread_setname_np(h->thread, "llm-scale");
    h->started = true;

    return TG_OK;
}


/* The event's entry, or a free one; NULL: there is none. Under the mutex. */

static tg_scale_entry_t *
tg_scale_place(tg_scale_hook_t *h, const tg_conf_alert_t *target,
    const tg_scale_event_t *event)
{
    tg_scale_entry_t  *e, *free = NULL;

    for (unsigned i = 0; i < TG_SCALE_QUEUE; i++) {
        e = &h->entries[i];

        if (e->state == TG_SCALE_FREE) {
            free = free != NULL ? free : e;

        } else if (e->target == target && strcmp(e->event.id, event->id) == 0)
        {
            return e;
        }
    }

    return free;
}


int
tg_scale_hook_post(tg_scale_hook_t *h, const tg_scale_targets_t *targets,
    const tg_scale_event_t *event, tg_error_t *err)
{
    tg_scale_entry_t       *e;
    const tg_conf_alert_t  *target;

    if (event->hook >= targets->n) {
        return tg_error(err, 0, 0, "there is no such llm_scale");
    }

    if (!h->started && tg_scale_start(h, err) != TG_OK) {
        return TG_ERROR;
    }

    target = &targets->list[event->hook];

    (void) pthread_mutex_lock(&h->mutex);
    e = tg_scale_place(h, target, event);

    if (e != NULL) {
        e->told_at = tg_scale_clock();

        if (e->state == TG_SCALE_FREE) {
            e->target = target;
            e->event = *event;
            e->fails = 0;
            e->not_before = 0;
            e->state = TG_SCALE_WAITING;
        }
    }

    (void) pthread_mutex_unlock(&h->mutex);

    if (e == NULL) {
        return tg_error(err, 0, 0, "scaling events to %.*s: %d of them wait"
                        " already", (int) target->origin.len, target->origin.p,
                        TG_SCALE_QUEUE);
    }

    (void) curl_multi_wakeup(h->multi);

    return TG_OK;
}


void
tg_scale_hook_stop(tg_scale_hook_t *h)
{
    if (h == NULL) {
        return;
    }

    if (h->started) {
        atomic_store(&h->stop, true);
        (void) curl_multi_wakeup(h->multi);
        (void) pthread_join(h->thread, NULL);

        for (unsigned i = 0; i < TG_SCALE_QUEUE; i++) {
            tg_scale_free(h, &h->entries[i]);
        }

        (void) curl_multi_cleanup(h->multi);
        curl_global_cleanup();
    }

    (void) pthread_mutex_destroy(&h->mutex);
    free(h);
}
