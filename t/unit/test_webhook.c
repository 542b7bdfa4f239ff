#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <jansson.h>
#include <openssl/hmac.h>

#include "hook_server.h"
#include "tg_alert_queue.h"
#include "tg_webhook.h"

#define NELEM(a)  (sizeof(a) / sizeof(a[0]))

static char              dir[64], ledger[96], path[112], said[8192];
static pthread_mutex_t   saying = PTHREAD_MUTEX_INITIALIZER;
static tg_arena_t       *arena;
static tg_alert_spool_t  spool;
static tg_conf_alerts_t  alerts;


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;
    snprintf(dir, sizeof(dir), "/tmp/webhook.XXXXXX");

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    snprintf(ledger, sizeof(ledger), "%s/ledger", dir);
    snprintf(path, sizeof(path), "%s%s", ledger, TG_ALERT_SPOOL_SUFFIX);
    memset(&alerts, 0, sizeof(alerts));
    said[0] = '\0';
    arena = tg_arena_create(0);

    return tg_alert_spool_open(&spool, ledger, &err);
}


static int
teardown(void **state)
{
    (void) state;
    tg_alert_spool_close(&spool);
    (void) unlink(path);
    tg_arena_destroy(arena);

    return rmdir(dir);
}


static void
log_it(void *baton, tg_webhook_level_t level, const char *message)
{
    size_t  n;

    (void) baton;
    pthread_mutex_lock(&saying);
    n = strlen(said);
    snprintf(said + n, sizeof(said) - n, "%d %s\n", level, message);
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


/* One more target, with this word. */
static void
target(const char *scheme, int port, const char *word)
{
    char        url[128];
    tg_str_t    words[2];
    tg_error_t  err;

    snprintf(url, sizeof(url), "url=%s://127.0.0.1:%d/hook/secret", scheme,
             port);
    words[0] = tg_strz(url);
    words[1] = tg_strz(word);

    if (tg_conf_alert(&alerts, tg_arena_mem(arena), words,
                      words[1].len != 0 ? 2 : 1, &err)
        != TG_OK)
    {
        fail_msg("%s", err.message);
    }
}


static void
to(const hook_server_t *s, const char *word)
{
    target("http", s->port, word);
}


static tg_webhook_t *
start(const char *ca)
{
    tg_error_t         err;
    tg_webhook_t      *w;
    tg_webhook_conf_t  conf = { &alerts, ledger, log_it, NULL, ca, 10 };

    w = tg_webhook_start(&conf, &err);

    if (w == NULL) {
        fail_msg("%s", err.message);
    }

    return w;
}


static void
fire(unsigned i)
{
    tg_alert_t  a;
    tg_error_t  err;

    memset(&a, 0, sizeof(a));
    memcpy(a.key, &i, sizeof(i));
    a.alert[0] = 80;
    a.bits = 1;
    a.used = 8;
    a.cap = 10;
    a.time = (int64_t) time(NULL) * 1000;
    assert_true(tg_alert_next(&a));

    if (tg_alert_spool_fire(&spool, &alerts, &a, &err) != TG_OK) {
        fail_msg("%s", err.message);
    }
}


static tg_webhook_stats_t
stats_of(tg_webhook_t *w)
{
    tg_webhook_stats_t  s;

    tg_webhook_stats(w, &s);

    return s;
}


/* Until all of them together have been answered with 2xx. */
static void
until_sent(tg_webhook_t *w, uint64_t n)
{
    for (int i = 0; i < 10000 && stats_of(w).sent < n; i++) {
        usleep(2000);
    }

    assert_int_equal(stats_of(w).sent, n);
}


static void
test_an_alert_comes_signed(void **state)
{
    static const int      ok[] = { 202 };
    static const unsigned char  key[] = "a secret of thirty-two bytes: ok";

    char              id[64], ts[32], sig[128], want[64], text[16384];
    int               n;
    json_t           *o;
    unsigned          len;
    tg_error_t        err;
    unsigned char     md[32];
    tg_webhook_t     *w;
    hook_server_t    *s = hook_start(ok, 1, "");
    hook_request_t   *r;

    (void) state;
    to(s, "");
    assert_int_equal(tg_conf_alert_secrets(&alerts.list[0],
                         tg_str("whsec_YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlczo"
                                "gb2s="), &err), TG_OK);
    alerts.list[0].routing_key = tg_str("R0K3Y");
    w = start(NULL);
    fire(1);
    tg_webhook_poke(w);
    until_sent(w, 1);

    r = &s->requests[0];
    hook_header(r, "webhook-id", id, sizeof(id));
    hook_header(r, "webhook-timestamp", ts, sizeof(ts));
    hook_header(r, "webhook-signature", sig, sizeof(sig));
    n = snprintf(text, sizeof(text), "%s.%s.%.*s", id, ts, (int) r->len,
                 r->body);
    assert_non_null(HMAC(EVP_sha256(), key, 32, (unsigned char *) text,
                         (size_t) n, md, &len));
    assert_int_equal(EVP_EncodeBlock((unsigned char *) want, md, 32), 44);
    assert_memory_equal(sig, "v1,", 3);
    assert_string_equal(sig + 3, want);
    assert_true(labs(atol(ts) - time(NULL)) < 60);

    o = json_loadb(r->body, r->len, 0, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "dedup_key")),
                        id);
    assert_string_equal(json_string_value(json_object_get(o, "routing_key")),
                        "R0K3Y");
    assert_non_null(json_object_get(o, "text"));
    json_decref(o);
    assert_true(strncmp(r->head, "POST /hook/secret HTTP/1.1\r\n", 28) == 0);
    hook_header(r, "Content-Type", text, sizeof(text));
    assert_string_equal(text, "application/json");
    assert_string_equal(said, "");
    tg_webhook_stop(w);
    hook_stop(s);
}


static void
test_it_is_tried_until_it_is_taken(void **state)
{
    static const int  hard[] = { 500, HOOK_CLOSE, HOOK_HANG, 302, 408, 200 };

    char            first[64], id[64];
    tg_webhook_t   *w;
    hook_server_t  *s = hook_start(hard, NELEM(hard),
                                   "Location: http://127.0.0.1:1/\r\n");

    (void) state;
    to(s, "timeout=1s");
    w = start(NULL);
    fire(1);
    tg_webhook_poke(w);
    until_sent(w, 1);

    assert_int_equal(hook_count(s), NELEM(hard));
    assert_int_equal(stats_of(w).failed, NELEM(hard) - 1);
    hook_header(&s->requests[0], "webhook-id", first, sizeof(first));

    for (unsigned i = 1; i < NELEM(hard); i++) {
        hook_header(&s->requests[i], "webhook-id", id, sizeof(id));
        assert_string_equal(id, first);
    }

    assert_true(s->requests[3].at - s->requests[2].at >= 900);
    assert_true(was_said("answered with status 500; failures in a row: 1,"));
    assert_true(was_said("delivered again, after 5 failures"));
    assert_false(was_said("hook/secret"));
    assert_false(was_said("row: 3"));
    tg_webhook_stop(w);
    hook_stop(s);
}


static void
test_retry_after_is_obeyed(void **state)
{
    static const int  busy[] = { 429, 503, 200 };

    tg_webhook_t   *w;
    hook_server_t  *s = hook_start(busy, NELEM(busy), "Retry-After: 1\r\n");

    (void) state;
    to(s, "");
    w = start(NULL);
    fire(1);
    tg_webhook_poke(w);
    until_sent(w, 1);
    assert_true(s->requests[1].at - s->requests[0].at >= 1000);
    assert_true(s->requests[2].at - s->requests[1].at >= 1000);
    tg_webhook_stop(w);
    hook_stop(s);
}


static void
test_what_is_refused_is_given_up_and_said(void **state)
{
    static const int  gone[] = { 404, 200 };

    tg_webhook_t   *w;
    hook_server_t  *s = hook_start(gone, NELEM(gone), "");

    (void) state;
    to(s, "");
    w = start(NULL);
    fire(1);
    fire(2);
    tg_webhook_poke(w);
    until_sent(w, 1);
    assert_int_equal(stats_of(w).refused, 1);
    assert_int_equal(hook_count(s), 2);
    assert_true(was_said("answered with status 404 and is given up"));
    tg_webhook_stop(w);

    /* Not by the next one, either. */
    w = start(NULL);
    fire(3);
    tg_webhook_poke(w);
    until_sent(w, 1);
    assert_int_equal(hook_count(s), 3);
    tg_webhook_stop(w);
    hook_stop(s);
}


static void
test_a_dead_target_delays_no_other(void **state)
{
    static const int  ok[] = { 200 }, never[] = { HOOK_HANG };

    tg_webhook_t   *w;
    hook_server_t  *dead = hook_start(never, 1, ""), *s = hook_start(ok, 1, "");

    (void) state;
    to(dead, "timeout=30s");
    to(s, "timeout=1s");
    w = start(NULL);

    for (unsigned i = 0; i < 5; i++) {
        fire(i);
    }

    tg_webhook_poke(w);
    until_sent(w, 5);
    assert_int_equal(hook_count(s), 5);
    assert_true(hook_count(dead) <= 1);

    tg_webhook_stop(w);
    hook_stop(dead);
    hook_stop(s);
}


static void
test_only_those_who_want_it_get_it(void **state)
{
    static const int  ok[] = { 200 };

    tg_quota_t      q;
    tg_alert_t      a;
    tg_error_t      err;
    tg_webhook_t   *w;
    hook_server_t  *all = hook_start(ok, 1, ""), *one = hook_start(ok, 1, "");

    (void) state;
    to(all, "");
    to(one, "quota=month");
    memset(&q, 0, sizeof(q));
    memset(&a, 0, sizeof(a));
    a.quota = &q;
    a.alert[0] = 50;
    a.time = (int64_t) time(NULL) * 1000;

    for (unsigned i = 0; i < 2; i++) {
        q.name = i == 0 ? tg_str("day") : tg_str("month");
        a.key[0] = (unsigned char) i;
        a.bits = 1;
        assert_true(tg_alert_next(&a));
        assert_int_equal(tg_alert_spool_fire(&spool, &alerts, &a, &err), 0);
    }

    w = start(NULL);
    until_sent(w, 3);
    assert_int_equal(hook_count(all), 2);
    assert_int_equal(hook_count(one), 1);
    tg_webhook_stop(w);
    hook_stop(all);
    hook_stop(one);
}


static void
test_of_two_senders_one_sends_and_the_other_takes_over(void **state)
{
    static const int  ok[] = { 200 };

    int                  first;
    char                 id[64];
    tg_webhook_t        *w[2];
    hook_server_t       *s = hook_start(ok, 1, "");
    tg_webhook_stats_t   a, b;

    (void) state;
    to(s, "");
    w[0] = start(NULL);
    w[1] = start(NULL);

    for (unsigned i = 0; i < 40; i++) {
        fire(i);
        tg_webhook_poke(w[i % 2]);
    }

    assert_true(hook_wait(s, 40));
    usleep(100000);
    a = stats_of(w[0]);
    b = stats_of(w[1]);
    assert_int_equal(a.sent + b.sent, 40);
    assert_true(a.sender != b.sender);
    assert_int_equal(a.sender ? b.sent : a.sent, 0);
    assert_int_equal(hook_count(s), 40);

    for (unsigned i = 0; i < 40; i++) {
        hook_header(&s->requests[i], "webhook-id", id, sizeof(id));
        for (unsigned k = 0; k < i; k++) {
            assert_null(strstr(s->requests[k].head, id));
        }
    }

    first = a.sender ? 0 : 1;
    tg_webhook_stop(w[first]);
    fire(100);
    assert_true(hook_wait(s, 41));
    until_sent(w[1 - first], 1);
    tg_webhook_stop(w[1 - first]);
    hook_stop(s);
}


static void
test_a_killed_sender_s_alert_is_sent_by_the_next(void **state)
{
    static const int  slow[] = { HOOK_HANG, 200 };

    char            first[64], id[64];
    pid_t           pid;
    tg_webhook_t   *w;
    hook_server_t  *s = hook_start(slow, NELEM(slow), "");

    (void) state;
    to(s, "timeout=30s");
    fire(1);
    pid = fork();

    if (pid == 0) {
        (void) start(NULL);
        pause();
        _exit(0);
    }

    assert_true(hook_wait(s, 1));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);

    w = start(NULL);
    until_sent(w, 1);
    assert_int_equal(hook_count(s), 2);
    hook_header(&s->requests[0], "webhook-id", first, sizeof(first));
    hook_header(&s->requests[1], "webhook-id", id, sizeof(id));
    assert_string_equal(id, first);
    tg_webhook_stop(w);
    hook_stop(s);
}


static void
test_it_stops_at_once_whatever_is_under_way(void **state)
{
    static const int  never[] = { HOOK_HANG };

    int64_t         before;
    tg_webhook_t   *w;
    hook_server_t  *s = hook_start(never, 1, "");

    (void) state;
    to(s, "timeout=30s");
    w = start(NULL);
    fire(1);
    tg_webhook_poke(w);
    assert_true(hook_wait(s, 1));
    before = hook_clock();
    tg_webhook_stop(w);
    assert_true(hook_clock() - before < 1000);
    tg_webhook_stop(NULL);
    tg_webhook_poke(NULL);
    hook_stop(s);
}


/* The mask of the thread of that name, as /proc has it. */
static bool
blocked_mask(char *mask, size_t size)
{
    DIR            *d = opendir("/proc/self/task");
    char            name[300], text[4096], *p;
    bool            found = false;
    FILE           *f;
    size_t          n;
    struct dirent  *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        snprintf(name, sizeof(name), "/proc/self/task/%s/status", e->d_name);
        f = fopen(name, "r");
        if (f == NULL) {
            continue;
        }
        n = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
        text[n] = '\0';
        p = strstr(text, "SigBlk:\t");
        if (strstr(text, "llm-alerts\n") != NULL && p != NULL) {
            snprintf(mask, size, "%.16s", p + 8);
            found = true;
        }
    }

    closedir(d);

    return found;
}


static void
test_its_thread_takes_no_signals(void **state)
{
    static const int  ok[] = { 200 };

    char            mask[32] = "";
    uint64_t        bits;
    tg_webhook_t   *w;
    hook_server_t  *s = hook_start(ok, 1, "");

    (void) state;
    to(s, "");
    w = start(NULL);

    for (int i = 0; i < 1000 && !blocked_mask(mask, sizeof(mask)); i++) {
        usleep(1000);
    }

    bits = strtoull(mask, NULL, 16);

    for (int sig = 1; sig < 32; sig++) {
        if (sig != SIGKILL && sig != SIGSTOP) {
            assert_true(bits >> (sig - 1) & 1);
        }
    }

    tg_webhook_stop(w);
    hook_stop(s);
}


/* A server with a certificate of its own, for that name; its port. */
static int
tls_server(const char *name, pid_t *pid)
{
    static const char  script[] =
        "import http.server, ssl, sys\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        self.rfile.read(int(self.headers['Content-Length']))\n"
        "        self.send_response(200)\n"
        "        self.send_header('Content-Length', '0')\n"
        "        self.end_headers()\n"
        "    def log_message(self, *a): pass\n"
        "s = http.server.HTTPServer(('127.0.0.1', 0), H)\n"
        "c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
        "c.load_cert_chain(sys.argv[1] + '/cert', sys.argv[1] + '/key')\n"
        "s.socket = c.wrap_socket(s.socket, server_side=True)\n"
        "print(s.server_port, flush=True)\n"
        "while True:\n"
        "    try: s.handle_request()\n"
        "    except OSError: pass\n";

    int    out[2], port = 0;
    char   command[512], text[16] = "";

    snprintf(command, sizeof(command), "openssl req -x509 -newkey rsa:2048"
             " -nodes -keyout %s/key -out %s/cert -days 2 -subj /CN=x"
             " -addext subjectAltName=%s 2> /dev/null", dir, dir, name);
    assert_int_equal(system(command), 0);
    assert_int_equal(pipe(out), 0);
    *pid = fork();

    if (*pid == 0) {
        dup2(out[1], 1);
        execl("/usr/bin/python3", "python3", "-c", script, dir, (char *) NULL);
        _exit(1);
    }

    close(out[1]);
    if (read(out[0], text, sizeof(text) - 1) > 0) {
        port = atoi(text);
    }
    close(out[0]);
    assert_true(port != 0);

    return port;
}


static void
test_a_certificate_has_to_be_good_and_for_that_host(void **state)
{
    pid_t           pid;
    char            cert[96], key[96];
    tg_webhook_t   *w;
    static const struct {
        const char  *name;
        bool         trusted, taken;
    } cases[] = {
        { "IP:127.0.0.1", false, false },
        { "IP:127.0.0.1", true, true },
        { "DNS:elsewhere.example", true, false }
    };

    (void) state;
    snprintf(cert, sizeof(cert), "%s/cert", dir);
    snprintf(key, sizeof(key), "%s/key", dir);

    for (unsigned i = 0; i < NELEM(cases); i++) {
        memset(&alerts, 0, sizeof(alerts));
        said[0] = '\0';
        target("https", tls_server(cases[i].name, &pid), "");
        w = start(cases[i].trusted ? cert : NULL);
        fire(i);
        tg_webhook_poke(w);

        for (int k = 0; k < 10000 && stats_of(w).sent == 0
                        && stats_of(w).failed == 0; k++)
        {
            usleep(1000);
        }

        assert_int_equal(stats_of(w).sent, cases[i].taken);
        if (!cases[i].taken) {
            assert_true(was_said("certificate"));
        }
        tg_webhook_stop(w);
        assert_int_equal(truncate(path, 0), 0);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        assert_int_equal(unlink(cert) + unlink(key), 0);
    }
}


static void
write_file(const char *name, const char *text, mode_t mode)
{
    int  fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd != -1
                && write(fd, text, strlen(text)) == (ssize_t) strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}


static void
test_secrets_are_read_from_private_files(void **state)
{
    char        file[96], word[128];
    tg_str_t    words[3];
    tg_error_t  err;
    tg_mem_t   *mem = tg_arena_mem(arena);

    (void) state;
    snprintf(file, sizeof(file), "%s/secret", dir);
    snprintf(word, sizeof(word), "secret=file:%s", file);
    words[0] = tg_str("url=https://hooks.example/x");
    words[1] = tg_strz(word);
    assert_int_equal(tg_conf_alert(&alerts, mem, words, 2, &err), TG_OK);

    assert_int_equal(tg_webhook_load(&alerts, mem, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "secret can't be opened"));
    write_file(file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", 0644);
    assert_int_equal(tg_webhook_load(&alerts, mem, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "all the world"));
    write_file(file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", 0640);
    assert_int_equal(tg_webhook_load(&alerts, mem, &err), TG_OK);
    assert_int_equal(alerts.list[0].nsecrets, 1);
    assert_int_equal(alerts.list[0].secrets[0].len, 24);
    write_file(file, "nonsense\n", 0600);
    assert_int_equal(tg_webhook_load(&alerts, mem, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "it holds no secret"));
    assert_null(strstr(err.message, "nonsense"));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(tg_webhook_load(&alerts, mem, &err), TG_ERROR);
}


#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_alert_comes_signed),
        TEST(test_it_is_tried_until_it_is_taken),
        TEST(test_retry_after_is_obeyed),
        TEST(test_what_is_refused_is_given_up_and_said),
        TEST(test_a_dead_target_delays_no_other),
        TEST(test_only_those_who_want_it_get_it),
        TEST(test_of_two_senders_one_sends_and_the_other_takes_over),
        TEST(test_a_killed_sender_s_alert_is_sent_by_the_next),
        TEST(test_it_stops_at_once_whatever_is_under_way),
        TEST(test_its_thread_takes_no_signals),
        TEST(test_a_certificate_has_to_be_good_and_for_that_host),
        TEST(test_secrets_are_read_from_private_files)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
