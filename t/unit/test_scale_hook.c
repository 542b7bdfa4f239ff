#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "backends.h"
#include "hook_server.h"
#include "tg_alert.h"
#include "tg_scale_hook.h"

#define NELEM(a)  (sizeof(a) / sizeof(a[0]))
#define SECRET    "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

/* An upstream that is idle, its hook, and what was said of it. */
typedef struct {
    pool_t              p;
    char                url[96], file[64];
    tg_scale_conf_t     conf;
    tg_scale_targets_t  targets;
    tg_scale_event_t    event;
    tg_scale_hook_t    *hook;
} rig_t;

static pthread_mutex_t  saying = PTHREAD_MUTEX_INITIALIZER;
static char             said[4096];


static void
log_it(void *baton, tg_webhook_level_t level, const char *message)
{
    size_t  n;

    (void) baton;
    pthread_mutex_lock(&saying);
    n = strlen(said);
    snprintf(said + n, sizeof(said) - n, "%d %s\n", (int) level, message);
    pthread_mutex_unlock(&saying);
}


static bool
was_said(const char *part)
{
    bool  yes;

    pthread_mutex_lock(&saying);
    yes = strstr(said, part) != NULL;
    pthread_mutex_unlock(&saying);

    return yes;
}


static bool
next(rig_t *r)
{
    tg_group_tick(r->p.t, r->p.g, &r->p.gc, r->p.now);

    return tg_scale_next(r->p.t, r->p.g, &r->p.gc, r->p.now, 1763800000000,
                         &r->event);
}


/* Up to the first event. */

static void
rig(rig_t *r, const char *scheme, int port, bool secret)
{
    FILE                  *f;
    tg_error_t             err;
    tg_scale_hook_conf_t   hc;

    memset(r, 0, sizeof(*r));
    said[0] = '\0';
    pool(&r->p, 1);

    snprintf(r->url, sizeof(r->url), "%s://127.0.0.1:%d/scale?token=x", scheme,
             port);
    r->conf.url = tg_strz(r->url);
    r->conf.idle = 1000;
    r->conf.cooldown = 1000;
    r->p.gc.scale[0] = &r->conf;
    r->p.gc.nscale = 1;

    if (secret) {
        snprintf(r->file, sizeof(r->file), "/tmp/scale.%d", (int) getpid());
        f = fopen(r->file, "w");
        assert_non_null(f);
        fputs(SECRET "\n", f);
        fclose(f);
        assert_int_equal(chmod(r->file, 0600), 0);
        r->conf.secret_file = tg_strz(r->file);
    }

    assert_int_equal(tg_scale_hook_load(&r->targets, &r->p.gc, &err), TG_OK);

    memset(&hc, 0, sizeof(hc));
    hc.table = r->p.t;
    hc.log = log_it;
    hc.retry_ms = 20;
    r->hook = tg_scale_hook_create(&hc);
    assert_non_null(r->hook);

    for (unsigned i = 0; !next(r); i++) {
        assert_true(i < 100);
        r->p.now += SECOND / 4;
    }
}


static void
unrig(rig_t *r)
{
    tg_scale_hook_stop(r->hook);
    gone(&r->p);

    if (r->file[0] != '\0') {
        (void) unlink(r->file);
    }
}


static void
post(rig_t *r)
{
    tg_error_t  err;

    if (tg_scale_hook_post(r->hook, &r->targets, &r->event, &err) != TG_OK) {
        fail_msg("%s", err.message);
    }
}


/* That it is not told again: a minute and a bit later. */

static bool
is_done(rig_t *r)
{
    bool     again;
    int64_t  end = hook_clock() + 5000;

    for ( ;; ) {
        r->p.now += 5 * SECOND;
        again = false;

        for (unsigned i = 0; i < 14; i++) {
            r->p.now += 5 * SECOND;
            again = next(r) || again;
        }

        if (!again || hook_clock() > end) {
            return !again;
        }

        usleep(20000);
    }
}


static void
test_an_event_is_posted_once_and_signed(void **state)
{
    rig_t               r;
    char                id[128], signature[256], type[64];
    hook_server_t      *s;
    static const int    script[] = { 200 };

    (void) state;
    s = hook_start(script, NELEM(script), "");
    rig(&r, "http", s->port, true);
    post(&r);
    post(&r);
    assert_true(hook_wait(s, 1));
    assert_true(is_done(&r));
    unrig(&r);

    assert_int_equal(hook_count(s), 1);
    hook_header(&s->requests[0], "webhook-id", id, sizeof(id));
    hook_header(&s->requests[0], "webhook-signature", signature,
                sizeof(signature));
    hook_header(&s->requests[0], "Content-Type", type, sizeof(type));
    assert_string_equal(id, r.event.id);
    assert_memory_equal(signature, "v1,", 3);
    assert_int_equal(strlen(signature), TG_ALERT_SIGNATURE_LEN);
    assert_string_equal(type, "application/json");
    assert_memory_equal(s->requests[0].head, "POST /scale?token=x ", 20);
    assert_int_equal(s->requests[0].len, r.event.len);
    assert_memory_equal(s->requests[0].body, r.event.body, r.event.len);
    assert_string_equal(said, "");
    hook_stop(s);
}


static void
test_what_fails_is_tried_again_with_the_same_id(void **state)
{
    rig_t               r;
    char                first[128], last[128];
    hook_server_t      *s;
    static const int    script[] = { 503, HOOK_CLOSE, 429, 302, 204 };

    (void) state;
    s = hook_start(script, NELEM(script), "");
    rig(&r, "http", s->port, false);
    post(&r);
    assert_true(hook_wait(s, NELEM(script)));
    assert_true(is_done(&r));
    unrig(&r);

    hook_header(&s->requests[0], "webhook-id", first, sizeof(first));
    hook_header(&s->requests[NELEM(script) - 1], "webhook-id", last,
                sizeof(last));
    assert_string_equal(first, last);
    hook_header(&s->requests[0], "webhook-signature", last, sizeof(last));
    assert_string_equal(last, "");
    assert_true(was_said("answered with status 503"));

    /* its path and its query may be a secret */

    assert_false(was_said("token"));
    hook_stop(s);
}


static void
test_what_is_refused_is_given_up(void **state)
{
    rig_t               r;
    hook_server_t      *s;
    static const int    script[] = { 410 };

    (void) state;
    s = hook_start(script, NELEM(script), "");
    rig(&r, "http", s->port, false);
    post(&r);
    assert_true(hook_wait(s, 1));
    assert_true(is_done(&r));
    unrig(&r);
    assert_int_equal(hook_count(s), 1);
    assert_true(was_said("410 and is given up"));
    hook_stop(s);
}


static void
test_who_is_not_there_is_told_when_he_is(void **state)
{
    rig_t  r;

    (void) state;
    rig(&r, "http", 1, false);
    post(&r);
    usleep(100000);
    assert_false(is_done(&r));
    unrig(&r);
    assert_true(was_said("failures in a row: 1"));
}


static void
test_a_stop_waits_for_nobody(void **state)
{
    rig_t               r;
    int64_t             began;
    hook_server_t      *s;
    static const int    script[] = { HOOK_HANG };

    (void) state;
    s = hook_start(script, NELEM(script), "");
    rig(&r, "http", s->port, false);
    post(&r);
    assert_true(hook_wait(s, 1));
    began = hook_clock();
    unrig(&r);
    assert_true(hook_clock() - began < 2000);
    hook_stop(s);
}


static void
test_the_queue_has_an_end(void **state)
{
    rig_t               r;
    unsigned            i;
    tg_error_t          err;
    hook_server_t      *s;
    static const int    script[] = { HOOK_HANG };

    (void) state;
    s = hook_start(script, NELEM(script), "");
    rig(&r, "http", s->port, false);

    for (i = 0; i < TG_SCALE_QUEUE; i++) {
        r.event.id[10] = (char) ('0' + i);
        post(&r);
    }

    r.event.id[10] = (char) ('0' + i);
    assert_int_equal(tg_scale_hook_post(r.hook, &r.targets, &r.event, &err),
                     TG_ERROR);
    assert_non_null(strstr(err.message, "64 of them wait already"));
    assert_null(strstr(err.message, "token"));

    r.event.hook = 1;
    assert_int_equal(tg_scale_hook_post(r.hook, &r.targets, &r.event, &err),
                     TG_ERROR);
    unrig(&r);
    hook_stop(s);
}


static void
test_a_secret_for_all_the_world_is_refused(void **state)
{
    rig_t               r;
    tg_error_t          err;
    hook_server_t      *s;
    static const int    script[] = { 200 };

    (void) state;
    s = hook_start(script, NELEM(script), "");
    rig(&r, "http", s->port, true);
    assert_int_equal(chmod(r.file, 0604), 0);
    assert_int_equal(tg_scale_hook_load(&r.targets, &r.p.gc, &err), TG_ERROR);
    assert_non_null(strstr(err.message, r.file));
    unrig(&r);
    hook_stop(s);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_an_event_is_posted_once_and_signed),
        cmocka_unit_test(test_what_fails_is_tried_again_with_the_same_id),
        cmocka_unit_test(test_what_is_refused_is_given_up),
        cmocka_unit_test(test_who_is_not_there_is_told_when_he_is),
        cmocka_unit_test(test_a_stop_waits_for_nobody),
        cmocka_unit_test(test_the_queue_has_an_end),
        cmocka_unit_test(test_a_secret_for_all_the_world_is_refused)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
