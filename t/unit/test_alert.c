#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <jansson.h>

#include "ledger_memory.h"
#include "tg_alert_record.h"

#define NOW   INT64_C(1767225600000)    /* 2026-01-01T00:00:00Z */
#define DAY   INT64_C(86400000)
#define SIZE  (256 * 1024)

static void         *base;
static tg_arena_t   *arena;
static tg_ledger_t   led;


static int
setup(void **state)
{
    (void) state;
    arena = tg_arena_create(0);
    base = ledger_memory(&led, SIZE, NOW);

    return base == NULL;
}


static int
teardown(void **state)
{
    (void) state;
    free(base);
    tg_arena_destroy(arena);

    return 0;
}


static unsigned
split(const char *line, tg_str_t *words)
{
    unsigned     n = 0;
    const char  *end;

    while (*line != '\0') {
        end = strchr(line, ' ');
        end = end == NULL ? line + strlen(line) : end;
        words[n++] = tg_str_of(line, (size_t) (end - line));
        line = *end == ' ' ? end + 1 : end;
    }

    return n;
}


/* A quota of the team, and what a call of it takes. */
static tg_quota_call_t
call_of(const char *quota, tg_str_t team, tg_quota_items_t *items)
{
    static const tg_bound_t  bound = { 1000, 500, 2500000, 500, 1 };

    tg_str_t          words[16];
    unsigned          n = split(quota, words);
    tg_error_t        err;
    tg_quotas_t      *quotas = tg_zalloc(tg_arena_mem(arena), sizeof(*quotas));
    tg_quota_call_t   call;

    memset(&call, 0, sizeof(call));
    call.subject[TG_PER_TEAM] = team;
    call.configured = 1u << TG_PER_TEAM;
    call.now = NOW + 1000;
    call.bound = &bound;

    if (tg_quotas_add(quotas, tg_arena_mem(arena), words, n, &err) != TG_OK
        || tg_quotas_finish(quotas, tg_arena_mem(arena), tg_str_null, &err)
           != TG_OK
        || tg_quota_items(quotas, NULL, 0, &call, items, &err) != TG_OK)
    {
        fail_msg("%s", err.message);
    }

    return call;
}


/* One call, settled at what was held. */
static int
spend(const tg_quota_items_t *items, tg_ledger_result_t *settled)
{
    int                 rc;
    int64_t             actual[TG_LEDGER_ITEMS_MAX];
    tg_ledger_result_t  held;

    rc = tg_ledger_hold(&led, NOW + 1000, items->items, items->n, "", 0,
                        &held);
    *settled = held;

    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    for (unsigned i = 0; i < items->n; i++) {
        actual[i] = items->items[i].amount;
    }

    return tg_ledger_settle(&led, NOW + 2000, held.slot, actual, items->n,
                            NULL, 0, settled);
}


static tg_alert_t
alert_of(const tg_quota_items_t *items, const tg_quota_call_t *call,
    const tg_ledger_state_t *state, char *subject)
{
    tg_alert_t  a;

    tg_alert_init(&a, items, 0, state,
                  tg_str_of(subject,
                            tg_quota_subject(subject, TG_ALERT_SUBJECT_MAX,
                                             items->quota[0], call)),
                  NOW + 3000);
    a.node = tg_str("node-1");

    return a;
}


static json_t *
read_json(const char *p, size_t n)
{
    json_t        *root;
    json_error_t   err;

    root = json_loadb(p, n, JSON_REJECT_DUPLICATES, &err);

    if (root == NULL) {
        fail_msg("%s at %d in %.*s", err.text, err.position, (int) n, p);
    }

    return root;
}


static const char *
str(const json_t *o, const char *key)
{
    const char  *s = json_string_value(json_object_get(o, key));

    return s == NULL ? "(none)" : s;
}


static void
test_each_threshold_is_told_once(void **state)
{
    char                 subject[TG_ALERT_SUBJECT_MAX];
    char                 ids[3][TG_ALERT_ID_LEN];
    unsigned             told = 0;
    tg_alert_t           a;
    tg_quota_call_t      call;
    tg_quota_items_t     items;
    tg_ledger_result_t   r;
    static const unsigned  percents[] = { 50, 80, 100 };
    static const unsigned  after[] = { 5, 8, 10 };

    (void) state;
    call = call_of("month per=team requests=10/day alert=50%,80%,100%",
                   tg_str("search"), &items);

    for (unsigned i = 1; i <= 10; i++) {
        assert_int_equal(spend(&items, &r), TG_LEDGER_OK);
        a = alert_of(&items, &call, &r.states[0], subject);

        while (tg_alert_next(&a)) {
            assert_true(told < 3);
            assert_int_equal(i, after[told]);
            assert_int_equal(a.kind, TG_ALERT_THRESHOLD);
            assert_int_equal(a.percent, percents[told]);
            memcpy(ids[told++], a.id, TG_ALERT_ID_LEN);
        }
    }

    assert_int_equal(told, 3);
    assert_memory_not_equal(ids[0], ids[1], TG_ALERT_ID_LEN);
    assert_memory_not_equal(ids[1], ids[2], TG_ALERT_ID_LEN);
    assert_int_equal(spend(&items, &r), TG_LEDGER_REFUSED);
    assert_int_equal(r.states[0].crossed, 0);
}


static void
test_what_was_not_confirmed_comes_again_with_the_same_id(void **state)
{
    char                 subject[TG_ALERT_SUBJECT_MAX];
    uint32_t             i = 0;
    tg_alert_t           a, again;
    tg_quota_call_t      call;
    tg_quota_items_t     items;
    tg_ledger_entry_t    e;
    tg_ledger_result_t   r;

    (void) state;
    call = call_of("q per=team requests=2/day alert=50%", tg_str("t"), &items);
    assert_int_equal(spend(&items, &r), TG_LEDGER_OK);
    a = alert_of(&items, &call, &r.states[0], subject);
    assert_true(tg_alert_next(&a));

    assert_true(tg_ledger_each(&led, &i, &e));
    tg_alert_entry(&again, &e, false, NOW + 9000);
    assert_true(tg_alert_next(&again));
    assert_memory_equal(a.id, again.id, TG_ALERT_ID_LEN);
    assert_int_equal(again.used, 1);
    assert_int_equal(again.cap, 2);
    assert_false(tg_alert_next(&again));

    /* In the window that follows it is the one before that is pending. */
    items.items[0].window.start += DAY;
    items.items[0].window.end += DAY;
    assert_int_equal(tg_ledger_hold(&led, NOW + DAY, items.items, 1, "", 0,
                                    &r), TG_LEDGER_OK);
    i = 0;
    assert_true(tg_ledger_each(&led, &i, &e));
    tg_alert_entry(&again, &e, false, NOW + DAY);
    assert_false(tg_alert_next(&again));
    tg_alert_entry(&again, &e, true, NOW + DAY);
    assert_true(tg_alert_next(&again));
    assert_memory_equal(a.id, again.id, TG_ALERT_ID_LEN);
    assert_int_equal(again.reset, NOW + DAY);

    assert_int_equal(tg_ledger_alerted(&led, a.key, a.window, 1), 0);
    i = 0;
    assert_true(tg_ledger_each(&led, &i, &e));
    tg_alert_entry(&again, &e, true, NOW + DAY);
    assert_false(tg_alert_next(&again));
}


static void
test_the_first_refusal_and_the_latch_are_told_of(void **state)
{
    char                 subject[TG_ALERT_SUBJECT_MAX];
    char                 refused[TG_ALERT_ID_LEN];
    uint32_t             i = 0;
    tg_alert_t           a;
    tg_quota_call_t      call;
    tg_quota_items_t     items;
    tg_ledger_entry_t    e;
    tg_ledger_result_t   r;

    (void) state;
    call = call_of("q per=team tokens=1500/day alert=100%", tg_str("t"),
                   &items);
    items.items[0].amount = 1000;
    assert_int_equal(spend(&items, &r), TG_LEDGER_OK);
    assert_int_equal(spend(&items, &r), TG_LEDGER_REFUSED);
    a = alert_of(&items, &call, &r.states[0], subject);
    assert_true(tg_alert_next(&a));
    assert_int_equal(a.kind, TG_ALERT_REFUSED);
    assert_int_equal(a.percent, 100);
    memcpy(refused, a.id, sizeof(refused));
    assert_false(tg_alert_next(&a));
    assert_int_equal(spend(&items, &r), TG_LEDGER_REFUSED);
    assert_int_equal(r.states[0].crossed, 0);

    /* All of the cap has the id that the refusal has: it is told once. */
    items.items[0].amount = 500;
    assert_int_equal(spend(&items, &r), TG_LEDGER_OK);
    a = alert_of(&items, &call, &r.states[0], subject);
    a.bits = 1;
    assert_true(tg_alert_next(&a));
    assert_int_equal(a.kind, TG_ALERT_THRESHOLD);
    assert_memory_equal(a.id, refused, sizeof(refused));

    /* A latch by itself, and where alert=100% would say the same. */
    for (unsigned with = 0; with < 2; with++) {
        call = call_of(with ? "l per=team requests=1/day latch alert=50%,100%"
                            : "m per=team requests=1/day latch",
                       tg_str("t"), &items);
        assert_int_equal(spend(&items, &r), TG_LEDGER_OK);
        items.items[0].amount = 2;
        assert_int_equal(spend(&items, &r), TG_LEDGER_REFUSED);
        assert_true(r.states[0].crossed & TG_LEDGER_LATCHED);
        a = alert_of(&items, &call, &r.states[0], subject);
        assert_true(tg_alert_next(&a));
        assert_int_equal(a.kind, TG_ALERT_LATCHED);
        assert_int_equal(a.percent, 0);
        assert_false(tg_alert_next(&a));
        assert_int_equal(spend(&items, &r), TG_LEDGER_REFUSED);
        assert_int_equal(r.states[0].crossed, 0);
        assert_true(r.states[0].latched);

        i = 0;
        while (tg_ledger_each(&led, &i, &e)
               && memcmp(e.key, a.key, sizeof(e.key)) != 0)
        {
            /* to the one */
        }
        assert_true(e.pending & TG_LEDGER_LATCHED);
        assert_int_equal(tg_ledger_alerted(&led, a.key, a.window, 0xff), 0);
        assert_int_equal(tg_ledger_read(&led, a.key, &e), TG_LEDGER_OK);
        assert_int_equal(e.pending, 0);
    }
}


static void
test_a_line_is_json_whatever_the_subject_is(void **state)
{
    char               all[256 + 8], subject[TG_ALERT_SUBJECT_MAX];
    char               buf[TG_ALERT_LINE_MAX];
    size_t             n;
    json_t            *o;
    tg_alert_t         a;
    tg_ledger_state_t  st;
    tg_quota_items_t   items;

    (void) state;
    (void) call_of("spend per=team usd=5000/month alert=80%",
                   tg_str("\"}\n"), &items);
    memset(&st, 0, sizeof(st));
    st.used = INT64_C(4012500000001);
    st.cap = INT64_C(5000000000000);
    st.window = NOW;
    st.reset = NOW + 31 * DAY;
    st.crossed = 1;

    for (unsigned i = 0; i < 256; i++) {
        all[i] = (char) (255 - i);
    }

    memcpy(all + 256, "\xe2\x82\xac\xf0\x9f\x92\xb0", 7);
    memcpy(subject, all, 263);

    for (size_t len = 0; len <= 263; len += 1 + len / 8) {
        tg_alert_init(&a, &items, 0, &st, tg_str_of(subject, len), NOW);
        assert_true(tg_alert_next(&a));

        for (int format = 0; format < TG_LOG_FORMATS; format++) {
            n = tg_alert_line(&a, buf, (tg_log_format_t) format);
            assert_true(n < TG_ALERT_LINE_MAX && buf[n - 1] == '\n');
            assert_null(memchr(buf, '\n', n - 1));
            json_decref(read_json(buf, n));
        }

        n = tg_alert_body(&a, buf);
        assert_true(n < sizeof(buf));
        json_decref(read_json(buf, n));
    }

    tg_alert_init(&a, &items, 0, &st, tg_str("team \"a\"\n<b>"), NOW);
    assert_true(tg_alert_next(&a));
    o = read_json(buf, tg_alert_line(&a, buf, TG_LOG_JSON));
    assert_string_equal(str(o, "@timestamp"), "2026-01-01T00:00:00.000Z");
    assert_string_equal(str(o, "event.kind"), "alert");
    assert_string_equal(str(o, "event.action"), "threshold");
    assert_string_equal(str(o, "llm.quota.subject"), "team \"a\"\n<b>");
    assert_string_equal(str(o, "llm.quota.window"), "month");
    assert_string_equal(str(o, "llm.quota.reset"), "2026-02-01T00:00:00.000Z");
    assert_int_equal(json_integer_value(json_object_get(o, "llm.schema")), 1);
    assert_int_equal(json_integer_value(json_object_get(o,
                                                   "llm.quota.threshold")), 80);
    assert_true(json_real_value(json_object_get(o, "llm.quota.used"))
                == 4012.500000001);
    assert_non_null(strstr(str(o, "event.reason"), "has reached 80% of 5000 USD"
                           " a month: 4012.500000001 used, begins anew at"
                           " 2026-02-01"));
    assert_memory_equal(str(o, "event.id"), a.id, TG_ALERT_ID_LEN);
    json_decref(o);

    o = read_json(buf, tg_alert_line(&a, buf, TG_LOG_UNDERSCORE));
    assert_string_equal(str(o, "timestamp"), "2026-01-01T00:00:00.000Z");
    assert_string_equal(str(o, "llm_quota_name"), "spend");
    json_decref(o);
}


static void
test_slack_and_pagerduty_find_what_they_look_for(void **state)
{
    char               buf[TG_ALERT_BODY_MAX], post[TG_ALERT_POST_MAX];
    char               longest[TG_ALERT_SUBJECT_MAX];
    json_t            *o, *payload;
    tg_alert_t         a;
    tg_conf_alert_t    target;
    tg_ledger_state_t  st;
    tg_quota_items_t   items;

    (void) state;
    (void) call_of("q per=team requests=10/day alert=100% dry_run",
                   tg_str("t"), &items);
    memset(&st, 0, sizeof(st));
    memset(&target, 0, sizeof(target));
    st.used = 10;
    st.cap = 10;
    st.crossed = 1;

    tg_alert_init(&a, &items, 0, &st, tg_str("session <!channel> & co"), NOW);
    a.node = tg_str("node-1");
    assert_true(tg_alert_next(&a));
    o = read_json(buf, tg_alert_body(&a, buf));
    payload = json_object_get(o, "payload");
    assert_non_null(strstr(str(o, "text"),
                           "session &lt;!channel&gt; &amp; co"));
    assert_null(strchr(str(o, "text"), '<'));
    assert_string_equal(str(o, "event_action"), "trigger");
    assert_memory_equal(str(o, "dedup_key"), a.id, TG_ALERT_ID_LEN);
    assert_non_null(strstr(str(payload, "summary"), "<!channel> & co"));
    assert_string_equal(str(payload, "source"), "node-1");
    assert_string_equal(str(payload, "severity"), "info");
    assert_string_equal(str(payload, "timestamp"), "2026-01-01T00:00:00.000Z");
    assert_true(json_equal(json_object_get(payload, "custom_details"),
                           json_object_get(o, "tollgate")));
    assert_true(json_is_true(json_object_get(json_object_get(o, "tollgate"),
                                             "dry_run")));
    assert_null(json_object_get(o, "routing_key"));
    json_decref(o);

    /* The longest there can be; PagerDuty takes 1,024 characters. */
    memset(longest, '&', sizeof(longest));
    tg_alert_init(&a, &items, 0, &st, tg_str_of(longest, sizeof(longest)),
                  NOW);
    a.node = a.call_id = a.config_hash = a.subject;
    assert_true(tg_alert_next(&a));
    o = read_json(buf, tg_alert_body(&a, buf));
    assert_true(strlen(str(json_object_get(o, "payload"), "summary")) <= 1024);
    json_decref(o);

    target.routing_key = tg_str("R0123456789");
    o = read_json(post, tg_alert_post(&target,
                                      tg_str_of(buf, tg_alert_body(&a, buf)),
                                      post));
    assert_string_equal(str(o, "routing_key"), "R0123456789");
    assert_string_equal(str(o, "event_action"), "trigger");
    json_decref(o);
}


/* The vector of the specification's own libraries (standard-webhooks on GitHub,
 * seen 2026). */
static void
test_a_signature_is_that_of_the_specification(void **state)
{
    char             out[TG_ALERT_SIGNATURES_MAX];
    size_t           n;
    tg_error_t       err;
    tg_conf_alert_t  t;
    const char      *sig = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    (void) state;
    memset(&t, 0, sizeof(t));

    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tg_conf_alert_secrets(&t, i == 0
                             ? tg_str("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
                             : tg_str("\n  whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL"
                                      "aSw\r\n\nwhsec_bm90IHRoZSBvbmUgYnV0IGxv"
                                      "bmcgZW5vdWdo\n"), &err), TG_OK);
        assert_int_equal(t.nsecrets, 1 + i);
        n = tg_alert_sign(&t, tg_str("msg_p5jXN8AQM9LWM0D4loKWxJek"),
                          1614265330, tg_str("{\"test\": 2432232314}"), out);
        assert_int_equal(n, TG_ALERT_SIGNATURE_LEN + i * (n / 2 + 1));
        assert_memory_equal(out, sig, TG_ALERT_SIGNATURE_LEN);
    }

    assert_memory_equal(out + TG_ALERT_SIGNATURE_LEN, " v1,", 4);
}


static void
test_secrets_that_are_none_are_not_quoted(void **state)
{
    tg_error_t       err;
    tg_conf_alert_t  t;
    static const char *const  bad[] = {
        "", "\n\n", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=",
        "whsec_!!!!9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_MfKQ9r8GKYqrTwjUPD8ILP"
        "ZIo2LaLaSw\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"
        "wMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    };

    (void) state;
    memset(&t, 0, sizeof(t));

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(tg_conf_alert_secrets(&t, tg_strz(bad[i]), &err),
                         TG_ERROR);
        assert_null(strstr(err.message, "MfKQ"));
    }

    assert_int_equal(tg_conf_alert_routing_key(&t, tg_arena_mem(arena),
                                               tg_str(" R012abc\n"), &err), 0);
    assert_true(tg_str_eq(t.routing_key, tg_str("R012abc")));
    assert_int_equal(tg_conf_alert_routing_key(&t, tg_arena_mem(arena),
                                               tg_str("a\",\"x\":\""), &err),
                     TG_ERROR);
    assert_int_equal(tg_conf_alert_routing_key(&t, tg_arena_mem(arena),
                                               tg_str("a\nb"), &err), TG_ERROR);
    assert_int_equal(tg_conf_alert_routing_key(&t, tg_arena_mem(arena),
                                               tg_str(" \n"), &err), TG_ERROR);
}


static int
say(tg_conf_alerts_t *alerts, const char *line, tg_error_t *err)
{
    tg_str_t  words[16];
    unsigned  n = split(line, words);

    return tg_conf_alert(alerts, tg_arena_mem(arena), words, n, err);
}


static void
test_the_directive_names_the_word_that_is_wrong(void **state)
{
    tg_error_t        err;
    tg_conf_alerts_t  alerts;
    static const struct {
        const char  *line;
        const char  *part;
    } bad[] = {
        { "secret=file:/s", "needs url=" },
        { "url=ftp://x/", "http:// or https://, not \"ftp://x/\"" },
        { "url=https://", "no host" },
        { "url=https:///x", "no host" },
        { "url=https://u:p@h/", "no host that is one" },
        { "url=https://h/a\tb", "at 12" },
        { "url=https://h url=https://i", "given twice" },
        { "url=https://h secret=whsec_x", "takes file:<path>" },
        { "url=https://h secret=file:s", "absolute" },
        { "url=https://h secret=file:/s secret=file:/s", "secret= is given" },
        { "url=http://h routing_key=file:/r", "verified TLS only" },
        { "url=https://h timeout=0", "from 1s to 1m, not \"0\"" },
        { "url=https://h timeout=2m", "\"2m\"" },
        { "url=https://h quota=a,,b", "names of quotas, not \"\"" },
        { "url=https://h quota=a!", "\"a!\"" },
        { "url=https://h retries=3", "unknown parameter \"retries=3\"" }
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&alerts, 0, sizeof(alerts));
        assert_int_equal(say(&alerts, bad[i].line, &err), TG_ERROR);
        assert_int_equal(alerts.n, 0);
        if (strstr(err.message, bad[i].part) == NULL) {
            fail_msg("\"%s\" said \"%s\"", bad[i].line, err.message);
        }
    }
}


static void
test_targets_have_names_and_wishes_of_their_own(void **state)
{
    char              line[64];
    tg_error_t        err;
    tg_conf_alert_t  *a;
    tg_conf_alerts_t  alerts, again;

    (void) state;
    memset(&alerts, 0, sizeof(alerts));
    memset(&again, 0, sizeof(again));

    assert_int_equal(say(&alerts, "url=https://hooks.example:8443/T0/secret?x"
                         " quota=a,b timeout=1500ms", &err), TG_OK);
    a = &alerts.list[0];
    assert_string_equal(a->url.p, "https://hooks.example:8443/T0/secret?x");
    assert_string_equal(a->origin.p, "https://hooks.example:8443");
    assert_int_equal(a->timeout_ms, 1500);
    assert_true(tg_conf_alert_wants(a, tg_str("b")));
    assert_false(tg_conf_alert_wants(a, tg_str("c")));
    assert_true(tg_conf_alert_wants(a, tg_str_null));

    assert_int_equal(say(&alerts, "url=https://hooks.example:8443/T0/secret?x",
                         &err), TG_ERROR);
    assert_int_equal(say(&alerts, "url=https://hooks.example:8443/T0/secret?x"
                         " routing_key=file:/r", &err), TG_OK);
    assert_true(tg_conf_alert_wants(&alerts.list[1], tg_str("c")));
    assert_memory_not_equal(a->id, alerts.list[1].id, TG_ALERT_TARGET_LEN);

    assert_int_equal(say(&again, "timeout=5s url=https://hooks.example:8443/T0"
                         "/secret?x", &err), TG_OK);
    assert_memory_equal(a->id, again.list[0].id, TG_ALERT_TARGET_LEN);

    for (unsigned i = 2; i <= TG_ALERTS_MAX; i++) {
        snprintf(line, sizeof(line), "url=http://h%u/", i);
        assert_int_equal(say(&alerts, line, &err),
                         i < TG_ALERTS_MAX ? TG_OK : TG_ERROR);
    }
    assert_non_null(strstr(err.message, "more than 8"));
}


static void
test_a_record_is_whole_or_none(void **state)
{
    char               line[TG_ALERT_RECORD_MAX], copy[TG_ALERT_RECORD_MAX];
    size_t             n;
    tg_alert_record_t  rec, got;

    (void) state;

    for (int done = 0; done < 2; done++) {
        memset(&rec, 0, sizeof(rec));
        memcpy(rec.id, "alert_0123456789abcdef0123456789abcdef", sizeof(rec.id));
        rec.at = NOW;
        rec.how = done ? TG_ALERT_HOW_EXPIRED : TG_ALERT_HOW_NONE;
        rec.body = tg_str("{\"text\":\"a, \\\"b\\\"\"}");
        rec.n = 2;
        memcpy(rec.to[0], "0123456789abcdef", TG_ALERT_TARGET_LEN);
        memcpy(rec.to[1], "fedcba9876543210", TG_ALERT_TARGET_LEN);

        n = tg_alert_record_write(&rec, line);
        assert_true(n >= TG_ALERT_RECORD_MIN && line[n - 1] == '\n');
        json_decref(read_json(line, n));
        assert_int_equal(tg_alert_record_read(&got, tg_str_of(line, n - 1)),
                         TG_OK);
        assert_int_equal(got.how, rec.how);
        assert_int_equal(got.n, 2);
        assert_memory_equal(got.id, rec.id, sizeof(rec.id));
        assert_memory_equal(got.to, rec.to, 2 * TG_ALERT_TARGET_LEN);
        if (!done) {
            assert_int_equal(got.at, NOW);
            assert_true(tg_str_eq(got.body, rec.body));
        }

        for (size_t i = 0; i < n - 1; i++) {
            assert_int_equal(tg_alert_record_read(&got, tg_str_of(line, i)),
                             TG_ERROR);
            memcpy(copy, line, n);
            copy[i] ^= 1;
            assert_int_equal(tg_alert_record_read(&got,
                                                  tg_str_of(copy, n - 1)),
                             TG_ERROR);
        }
    }

    rec.how = TG_ALERT_HOW_NONE;
    rec.body = tg_str_of(copy, sizeof(copy));
    assert_int_equal(tg_alert_record_write(&rec, line), 0);
}


static void
test_what_an_answer_makes_of_an_alert(void **state)
{
    static const struct {
        long                status;
        tg_alert_verdict_t  verdict;
    } cases[] = {
        { 200, TG_ALERT_SENT }, { 202, TG_ALERT_SENT }, { 204, TG_ALERT_SENT },
        { 0, TG_ALERT_RETRY }, { 302, TG_ALERT_RETRY }, { 408, TG_ALERT_RETRY },
        { 429, TG_ALERT_RETRY }, { 500, TG_ALERT_RETRY },
        { 503, TG_ALERT_RETRY }, { 400, TG_ALERT_GIVE_UP },
        { 404, TG_ALERT_GIVE_UP }, { 410, TG_ALERT_GIVE_UP }
    };

    (void) state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(tg_alert_verdict(cases[i].status), cases[i].verdict);
    }
}


#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_threshold_is_told_once),
        TEST(test_what_was_not_confirmed_comes_again_with_the_same_id),
        TEST(test_the_first_refusal_and_the_latch_are_told_of),
        TEST(test_a_line_is_json_whatever_the_subject_is),
        TEST(test_slack_and_pagerduty_find_what_they_look_for),
        TEST(test_a_signature_is_that_of_the_specification),
        TEST(test_secrets_that_are_none_are_not_quoted),
        TEST(test_the_directive_names_the_word_that_is_wrong),
        TEST(test_targets_have_names_and_wishes_of_their_own),
        TEST(test_a_record_is_whole_or_none),
        TEST(test_what_an_answer_makes_of_an_alert)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
