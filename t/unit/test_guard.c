#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tg_call_int.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CHAT     "/v1/chat/completions"
#define CARD     "4111 1111 1111 1111"
#define SAYS(x)  "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","          \
                 "\"content\":\"" x "\"}]}"

typedef struct {
    tg_arena_t        *arena;
    tg_conf_t         *conf;
    tg_scope_t         scope;
    tg_call_t         *call;
    tg_gate_t          gate;
    tg_gate_scratch_t  scratch;
    tg_refusal_t       refusal;
    const char        *body;
    int                rc;
    char               got[8192];
    json_t            *line;
} fixture_t;


static tg_str_t
no_header(void *req, tg_str_t name)
{
    (void) req;
    (void) name;

    return tg_str_null;
}


static unsigned  bodies;

static int
whole(void *req, tg_str_t *body)
{
    bodies++;
    *body = tg_strz(((fixture_t *) req)->body);

    return TG_OK;
}


static const tg_host_t  host = { no_header, NULL, whole };


static int64_t
real_clock(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}


/* Each look at it takes a tenth of a second. */
static int64_t
slow_clock(void)
{
    static int64_t  now;

    return now += 100000001;
}


static void
germany(void *data, tg_str_t address, tg_geo_t *geo)
{
    (void) data;
    memset(geo, 0, sizeof(tg_geo_t));

    if (tg_str_eq(address, tg_str("192.0.2.1"))) {
        memcpy(geo->country, "DE", 2);
    }
}


/* Words of a directive are parted by |. */
static int
say(fixture_t *f, tg_directive_id_t id, const char *words, tg_error_t *err)
{
    unsigned     n = 0;
    tg_str_t     args[TG_ARGS_MAX];
    const char  *bar;

    for ( ;; ) {
        bar = strchr(words, '|');
        args[n++] = bar == NULL ? tg_strz(words)
                    : tg_str_of(words, (size_t) (bar - words));
        if (bar == NULL) {
            break;
        }
        words = bar + 1;
    }

    return tg_conf_directive(f->conf, &f->scope, id, args, n, err);
}


static void
begin(fixture_t *f)
{
    memset(f, 0, sizeof(fixture_t));
    f->arena = tg_arena_create(0);
    f->conf = tg_conf_create(tg_arena_mem(f->arena));
    tg_scope_init(&f->scope);
    f->scope.enable = TG_ON;
    f->gate.clock = real_clock;
    f->gate.scratch = &f->scratch;
    f->scratch.expr = tg_expr_scratch(tg_arena_mem(f->arena));
}


static void
guard(fixture_t *f, const char *words)
{
    tg_error_t  err;

    if (say(f, TG_DIRECTIVE_GUARD, words, &err) != TG_OK) {
        fail_msg("%s: %s", words, err.message);
    }
}


static void
send_to(fixture_t *f, const char *upstream, const char *path,
    const char *body)
{
    tg_now_t         now = { 1700000000000, 1000 };
    tg_error_t       err;
    tg_scope_t       scope;
    tg_call_head_t   head = { 0 };
    tg_id_source_t   ids;
    unsigned char    seed[32] = { 7 };

    if (tg_conf_finish(f->conf, &err) != TG_OK) {
        fail_msg("%s", err.message);
    }

    tg_scope_init(&scope);
    tg_scope_merge(&scope, &f->scope);
    tg_id_seed(&ids, seed);
    f->body = body;

    head.method = tg_str("POST");
    head.path = tg_strz(path);
    head.upstream = tg_strz(upstream);
    head.content_type = tg_str("application/json");
    head.client = tg_str("192.0.2.1");

    f->call = tg_call_create(tg_arena_mem(f->arena), f->conf, &f->scope, &host,
                             f, &head, &ids, &now);
    assert_non_null(f->call);
    f->rc = tg_call_enter(f->call, &f->gate, &f->refusal);
    assert_int_equal(f->rc, TG_OK);
    tg_call_body(f->call, body, strlen(body));
    f->rc = tg_call_admit(f->call, &f->gate, &now, &f->refusal);
}


/* What goes upstream: the body with the edit. */
static void
apply(fixture_t *f)
{
    uint64_t          covered = 0;
    const tg_edit_t  *e = tg_call_edit(f->call);

    assert_true(strlen(f->body) < sizeof(f->got) - 256);
    strcpy(f->got, f->body);

    if (e == NULL) {
        return;
    }

    for (unsigned i = 0; i < e->nspans; i++) {
        const tg_edit_span_t  *s = &e->spans[i];

        assert_true(s->start >= covered && s->end > s->start);
        assert_true(s->text.len <= s->end - s->start);
        covered = s->end;
        memset(f->got + s->start, ' ', (size_t) (s->end - s->start));

        if (s->text.len != 0) {
            memcpy(f->got + s->start, s->text.p, s->text.len);
        }
    }

    memcpy(f->got + e->tail_at, e->tail.p, e->tail.len);
    f->got[e->tail_at + e->tail.len] = '\0';
}


static void
end(fixture_t *f)
{
    size_t        n;
    tg_now_t      now = { 1700000000001, 2000 };
    static char   buf[TG_LINE_MAX];

    tg_call_finish(f->call, TG_END_COMPLETE,
                   f->rc == TG_OK ? 200 : f->refusal.status, &f->gate, &now);
    n = tg_call_line(f->call, 0, buf, 1, TG_LOG_JSON);
    f->line = json_loadb(buf, n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(f->line);
    assert_null(memmem(buf, n, "4111", 4));
    tg_call_free(f->call);
}


static void
done(fixture_t *f)
{
    json_decref(f->line);
    tg_conf_destroy(f->conf);
    tg_arena_destroy(f->arena);
}


static const char *
text(fixture_t *f, const char *key)
{
    const char  *s = json_string_value(json_object_get(f->line, key));

    return s == NULL ? "" : s;
}


static json_int_t
number(fixture_t *f, const char *key)
{
    return json_integer_value(json_object_get(f->line, key));
}


/* One guard, one chat: what goes out and what is said; sent NULL: refused. */
static void
makes(const char *words, const char *body, const char *sent,
    const char *action)
{
    fixture_t  f;

    begin(&f);
    guard(&f, words);
    send_to(&f, "api.openai.com", CHAT, body);

    if (sent == NULL) {
        assert_int_equal(f.rc, TG_ERROR);

    } else {
        if (f.rc != TG_OK) {
            fail_msg("%s: %.*s", words, (int) f.refusal.body.len,
                     f.refusal.body.p);
        }
        apply(&f);
        assert_string_equal(f.got, sent);
    }

    end(&f);
    assert_string_equal(text(&f, "llm.guard.action"), action);
    assert_string_equal(text(&f, "llm.guard.name"), *action ? "g" : "");
    assert_string_equal(text(&f, "llm.decision"), sent == NULL ? "refuse"
                        : json_object_get(f.line, "llm.guard.dry_run")
                          && strcmp(action, "reject") == 0 ? "dry_refuse"
                        : "allow");
    done(&f);
}


static void
test_bad_words_are_told(void **state)
{
    static const struct {
        const char  *words, *part;
    } cases[] = {
        { "g!|pii=card", "not of letters" },
        { "g|pii=cards", "pii= knows card, iban, email, ssn, key and phone" },
        { "g|pii=", "not \"\"" },
        { "g|action=reject", "looks for nothing" },
        { "g|dry_run", "looks for nothing" },
        { "g|deny=x", "deny=~<regex>" },
        { "g|deny=~", "deny=~<regex>" },
        { "g|deny=~*", "from 1 to" },
        { "g|deny=~a(b", "deny=: in this regex: missing closing parenthesis\n"
                         "    a(b\n       ^" },
        { "g|allow=~[z-a]", "in this regex" },
        { "g|input_tokens=0", "takes, once, a number of tokens" },
        { "g|input_tokens=x", "takes, once, a number of tokens" },
        { "g|trim=1k|trim=2k", "trim= is given twice" },
        { "g|countries=de", "two capital letters" },
        { "g|countries=DE|countries=FR", "given twice" },
        { "g|pii=card|action=cap", "action=cap is for output_tokens= alone" },
        { "g|output_tokens=9|action=redact", "action=redact needs" },
        { "g|pii=card|action=stop", "takes reject, redact, flag or cap" },
        { "g|pii=card|color=red", "unknown parameter \"color=red\"" },
        { "g|when=modell == 'x'", "unknown name \"modell\"" },
        { "g|when=stream|when=stream", "given twice" },
        { "g", "takes:" }
    };

    fixture_t   f;
    tg_error_t  err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(&f);
        assert_int_equal(say(&f, TG_DIRECTIVE_GUARD, cases[i].words, &err),
                         TG_ERROR);
        if (strstr(err.message, cases[i].part) == NULL) {
            fail_msg("%s: %s", cases[i].words, err.message);
        }
        done(&f);
    }

    begin(&f);
    guard(&f, "g|pii=card");
    assert_int_equal(say(&f, TG_DIRECTIVE_GUARD, "g|pii=key", &err), TG_ERROR);
    assert_non_null(strstr(err.message, "declared twice"));
    guard(&f, "h|countries=DE");
    assert_int_equal(tg_conf_finish(f.conf, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "llm_geoip"));
    done(&f);

    begin(&f);
    guard(&f, "g|when=used(nobody) > 1%|pii=card");
    assert_int_equal(tg_conf_finish(f.conf, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "guard \"g\": \"nobody\" is the name"
                                        " of no quota"));
    done(&f);
    (void) state;
}


static void
test_what_is_denied_is_rejected(void **state)
{
    fixture_t   f;

    makes("g|deny=~secret", SAYS("no se\\u0063ret"), NULL, "reject");
    makes("g|deny=~secret", SAYS("nothing"), SAYS("nothing"), "");
    makes("g|deny=~SECRET", SAYS("secret"), SAYS("secret"), "");
    makes("g|deny=~*SECRET", SAYS("secret"), NULL, "reject");
    makes("g|deny=~b|deny=~a", SAYS("xax"), NULL, "reject");
    makes("g|pii=card|action=reject", SAYS(CARD), NULL, "reject");
    makes("g|pii=card|pii=key|action=reject", SAYS(CARD), NULL, "reject");
    makes("g|deny=~m$", SAYS("x"), SAYS("x"), "");

    begin(&f);
    guard(&f, "no-cards|pii=card,email");
    send_to(&f, "api.openai.com", CHAT,
            SAYS(CARD " and " CARD ", a@b.co"));
    assert_int_equal(f.rc, TG_ERROR);
    assert_int_equal(f.refusal.status, 403);
    assert_non_null(memmem(f.refusal.body.p, f.refusal.body.len,
                           "guard no-cards: this prompt has 2 card, 1 email",
                           47));
    assert_null(memmem(f.refusal.body.p, f.refusal.body.len, "4111", 4));
    assert_null(memmem(f.refusal.body.p, f.refusal.body.len, "a@b", 3));
    end(&f);
    assert_string_equal(text(&f, "llm.rule"), "no-cards");
    assert_string_equal(text(&f, "error.type"), "no-cards");
    assert_int_equal(number(&f, "llm.guard.found.card"), 2);
    assert_int_equal(number(&f, "llm.guard.found.email"), 1);
    done(&f);
    (void) state;
}


static void
test_what_is_not_allowed_is_rejected(void **state)
{
    makes("g|allow=~(?i)weather", SAYS("The Weather"), SAYS("The Weather"),
          "");
    makes("g|allow=~a|allow=~b", SAYS("b"), SAYS("b"), "");
    makes("g|allow=~a|allow=~b", SAYS("c"), NULL, "reject");
    makes("g|allow=~a|action=flag", SAYS("c"), SAYS("c"), "flag");
    (void) state;
}


static void
test_redaction_is_in_place(void **state)
{
    fixture_t  f;

    makes("g|pii=card|action=redact", SAYS("pay " CARD " now"),
          SAYS("pay ******************* now"), "redact");
    makes("g|pii=card|action=redact", SAYS("nothing"), SAYS("nothing"), "");
    makes("g|deny=~secret|action=redact", SAYS("a s\\u0065cret, a secret"),
          SAYS("a ***********, a ******"), "redact");
    makes("g|deny=~caf.|action=redact", SAYS("caf\xc3\xa9!"),
          SAYS("*****!"), "redact");
    makes("g|deny=~ab|deny=~bc|action=redact", SAYS("abc"), SAYS("***"),
          "redact");
    makes("g|deny=~x*|action=redact", SAYS("axxb"), SAYS("a**b"), "redact");

    /* In JSON of its own a number stays one. */

    makes("g|pii=card|action=redact",
          "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\""
          ":{\"arguments\":\"{\\\"n\\\":4111111111111111}\"}}]}],\"model\":"
          "\"m\"}",
          "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\""
          ":{\"arguments\":\"{\\\"n\\\":1111111111111111}\"}}]}],\"model\":"
          "\"m\"}", "redact");

    begin(&f);
    guard(&f, "g|pii=card|action=redact");
    send_to(&f, "api.anthropic.com", "/v1/messages",
            "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":"
            "\"tool_use\",\"input\":{\"n\":4111111111111111}}]}],\"max_tokens\""
            ":9}");
    assert_int_equal(f.rc, TG_OK);
    apply(&f);
    assert_string_equal(f.got,
            "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":"
            "\"tool_use\",\"input\":{\"n\":1111111111111111}}]}],\"max_tokens\""
            ":9}");
    end(&f);
    done(&f);
    (void) state;
}


static void
test_a_flag_only_says_so(void **state)
{
    fixture_t  f;

    makes("g|pii=card|action=flag", SAYS(CARD), SAYS(CARD), "flag");

    begin(&f);
    guard(&f, "g|pii=card,iban,key|deny=~pay|action=flag");
    send_to(&f, "api.openai.com", CHAT, SAYS("pay " CARD ", pay " CARD));
    assert_int_equal(f.rc, TG_OK);
    assert_null(tg_call_edit(f.call));
    end(&f);
    assert_int_equal(number(&f, "llm.guard.found.card"), 2);
    assert_int_equal(number(&f, "llm.guard.found.deny"), 2);
    assert_string_equal(text(&f, "llm.rule"), "");
    done(&f);
    (void) state;
}


static void
test_a_dry_run_does_nothing(void **state)
{
    fixture_t  f;

    makes("g|pii=card|dry_run", SAYS(CARD), SAYS(CARD), "reject");
    makes("g|pii=card|action=redact|dry_run", SAYS(CARD), SAYS(CARD),
          "redact");
    makes("g|output_tokens=5|dry_run", SAYS("x"), SAYS("x"), "cap");

    /* What another did comes first in the line. */

    begin(&f);
    guard(&f, "dry|pii=card|dry_run");
    guard(&f, "wet|deny=~pay|action=flag");
    send_to(&f, "api.openai.com", CHAT, SAYS("pay " CARD));
    assert_int_equal(f.rc, TG_OK);
    end(&f);
    assert_string_equal(text(&f, "llm.guard.name"), "wet");
    assert_string_equal(text(&f, "llm.decision"), "dry_refuse");
    assert_string_equal(text(&f, "llm.rule"), "dry");
    done(&f);

    /* Nor where all of the location is one. */

    begin(&f);
    f.scope.enable = TG_DRY_RUN;
    guard(&f, "a|pii=card|action=redact");
    guard(&f, "b|deny=~pay|action=reject");
    guard(&f, "c|output_tokens=9");
    send_to(&f, "api.openai.com", CHAT, SAYS("pay " CARD));
    assert_int_equal(f.rc, TG_OK);
    assert_null(tg_call_edit(f.call));
    end(&f);
    assert_string_equal(text(&f, "llm.decision"), "dry_refuse");
    assert_true(json_is_true(json_object_get(f.line, "llm.guard.dry_run")));
    done(&f);
    (void) state;
}


static void
test_output_is_capped(void **state)
{
    static const struct {
        const char  *path, *body, *where;
        int          want;
    } cases[] = {
        { CHAT, "{\"model\":\"m\",\"max_tokens\":900}", "max_tokens", 100 },
        { CHAT, "{\"model\":\"m\",\"max_tokens\":50}", "max_tokens", 50 },
        { CHAT, "{\"model\":\"m\"}", "max_completion_tokens", 100 },
        { "/v1/responses", "{\"model\":\"m\",\"input\":\"x\"}",
          "max_output_tokens", 100 }
    };

    json_t    *sent;
    fixture_t  f;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(&f);
        guard(&f, "g|output_tokens=100");
        send_to(&f, "api.openai.com", cases[i].path, cases[i].body);
        assert_int_equal(f.rc, TG_OK);
        apply(&f);
        sent = json_loads(f.got, JSON_REJECT_DUPLICATES, NULL);
        assert_int_equal(json_integer_value(json_object_get(sent,
                                                            cases[i].where)),
                         cases[i].want);
        json_decref(sent);
        end(&f);
        assert_int_equal(number(&f, "llm.sent_max_tokens"),
                         cases[i].want == 50 ? 0 : 100);
        assert_string_equal(text(&f, "llm.guard.action"),
                            cases[i].want == 50 ? "" : "cap");
        done(&f);
    }

    makes("g|output_tokens=100|action=reject",
          "{\"model\":\"m\",\"max_tokens\":900}", NULL, "reject");
    makes("g|output_tokens=100|action=flag",
          "{\"model\":\"m\",\"max_tokens\":900}",
          "{\"model\":\"m\",\"max_tokens\":900}", "flag");
    (void) state;
}


static void
test_input_is_limited(void **state)
{
    char  body[1200];

    (void) snprintf(body, sizeof(body), SAYS("%0900d"), 7);
    makes("g|input_tokens=200", body, NULL, "reject");
    makes("g|input_tokens=300", body, body, "");
    makes("g|input_tokens=200|action=flag", body, body, "flag");
    (void) state;
}


static void
test_countries(void **state)
{
    fixture_t   f;
    tg_error_t  err;

    for (int known = 0; known < 2; known++) {
        for (int home = 0; home < 2; home++) {
            begin(&f);
            f.gate.geo = known ? germany : NULL;
            assert_int_equal(say(&f, TG_DIRECTIVE_GEOIP, "x.mmdb", &err),
                             TG_OK);
            guard(&f, home ? "g|countries=FR,DE" : "g|countries=US");
            send_to(&f, "api.openai.com", CHAT, SAYS("x"));
            assert_int_equal(f.rc, known && home ? TG_OK : TG_ERROR);
            end(&f);
            assert_string_equal(text(&f, "client.geo.country_iso_code"),
                                known ? "DE" : "");
            done(&f);
        }
    }

    (void) state;
}


static void
test_a_condition_limits_a_guard_or_is_all_of_it(void **state)
{
    makes("g|when=prompt ~ 'pay'", SAYS("pay"), NULL, "reject");
    makes("g|when=prompt ~ 'pay'", SAYS("play"), SAYS("play"), "");
    makes("g|when=stream|pii=card", SAYS(CARD), SAYS(CARD), "");
    makes("g|when=messages == 1|action=flag", SAYS("x"), SAYS("x"), "flag");
    (void) state;
}


static void
test_the_body_is_asked_for_once_and_only_if_needed(void **state)
{
    fixture_t  f;

    bodies = 0;
    makes("g|input_tokens=1M|output_tokens=1M", "{\"max_tokens\":1}",
          "{\"max_tokens\":1}", "");
    assert_int_equal(bodies, 0);

    begin(&f);
    guard(&f, "a|pii=card|when=prompt ~ 'x'|action=redact");
    guard(&f, "b|pii=email");
    guard(&f, "c|trim=1");
    send_to(&f, "api.openai.com", CHAT, SAYS("x"));
    assert_int_equal(f.rc, TG_OK);
    assert_int_equal(bodies, 1);
    end(&f);
    done(&f);
    (void) state;
}


static void
test_trimmed_turns_are_not_looked_at(void **state)
{
    static const char  body[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
        "{\"role\":\"user\",\"content\":\"old " CARD "\"},"
        "{\"role\":\"assistant\",\"content\":\"hm\"},"
        "{\"role\":\"user\",\"content\":\"new " CARD "\"}]}";

    size_t     i, k;
    json_t    *sent, *list;
    fixture_t  f;

    begin(&f);
    guard(&f, "long|trim=40");
    guard(&f, "card|pii=card|action=redact");
    send_to(&f, "api.openai.com", CHAT, body);
    assert_int_equal(f.rc, TG_OK);
    apply(&f);
    sent = json_loads(f.got, JSON_REJECT_DUPLICATES, NULL);
    list = json_object_get(sent, "messages");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(list, 1), "content")),
                        "new *******************");
    json_decref(sent);
    end(&f);
    assert_int_equal(number(&f, "llm.guard.found.card"), 1);
    assert_int_equal(number(&f, "llm.guard.trimmed"), 2);
    assert_string_equal(text(&f, "llm.guard.action"), "redact");
    done(&f);

    for (i = 0, k = 0; body[i] != '\0'; i++) {
        k += body[i] == '{';
    }

    /* A dry run looks at all of it. */

    begin(&f);
    guard(&f, "long|trim=40|dry_run");
    guard(&f, "card|pii=card|action=flag");
    send_to(&f, "api.openai.com", CHAT, body);
    assert_null(tg_call_edit(f.call));
    end(&f);
    assert_int_equal(number(&f, "llm.guard.found.card"), 2);
    assert_int_equal(number(&f, "llm.guard.trimmed"), 2);
    done(&f);
    (void) state;
}


static void
test_what_can_not_be_looked_at_is_rejected(void **state)
{
    fixture_t  f;

    makes("g|pii=card", "{\"model\":\"m\",\"prompt\":[1,2,3]}", NULL,
          "reject");
    makes("g|pii=card|action=redact", "{\"model\":\"m\",\"prompt\":[1,2]}",
          NULL, "reject");
    makes("g|pii=card|action=flag", "{\"model\":\"m\",\"prompt\":[1,2]}",
          "{\"model\":\"m\",\"prompt\":[1,2]}", "flag");

    begin(&f);
    f.gate.clock = slow_clock;
    guard(&f, "g|deny=~(a+)+b|action=redact");
    send_to(&f, "api.openai.com", CHAT, SAYS("aaaa"));
    assert_int_equal(f.rc, TG_ERROR);
    assert_int_equal(f.refusal.status, 403);
    end(&f);
    assert_true(json_is_true(json_object_get(f.line, "llm.guard.unfinished")));
    done(&f);

    begin(&f);
    f.gate.clock = slow_clock;
    guard(&f, "g|deny=~(a+)+b|action=flag");
    send_to(&f, "api.openai.com", CHAT, SAYS("aaaa"));
    assert_int_equal(f.rc, TG_OK);
    end(&f);
    assert_true(json_is_true(json_object_get(f.line, "llm.guard.unfinished")));
    done(&f);
    (void) state;
}


/* A tenth of it, each time. */
static int64_t
slow_work(void)
{
    static int64_t  worked;

    return worked += 10000001;
}


static int64_t
no_work(void)
{
    return 0;
}


static void
test_time_counts_that_was_worked(void **state)
{
    fixture_t  f;

    begin(&f);
    f.gate.clock = slow_clock;
    f.gate.worked = no_work;
    guard(&f, "g|deny=~(a+)+b|action=redact");
    send_to(&f, "api.openai.com", CHAT, SAYS("aaaa aab"));
    assert_int_equal(f.rc, TG_OK);
    end(&f);
    assert_null(json_object_get(f.line, "llm.guard.unfinished"));
    done(&f);

    begin(&f);
    f.gate.clock = slow_clock;
    f.gate.worked = slow_work;
    guard(&f, "g|deny=~(a+)+[b-z]|action=redact");
    send_to(&f, "api.openai.com", CHAT,
            SAYS("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    assert_int_equal(f.rc, TG_ERROR);
    assert_int_equal(f.refusal.status, 403);
    end(&f);
    assert_true(json_is_true(json_object_get(f.line, "llm.guard.unfinished")));
    done(&f);
    (void) state;
}


/* A regex that takes time beyond all bounds ends in time. */
static void
test_a_regex_ends_in_time(void **state)
{
    static const char *const  evil[] = {
        "(a+)+[^a\\n]", "(a|aa)+[b-z]", "(.*a){12}[b-z]", "a.*a.*a.*a.*[b-z]",
        "([a-z]+)*[0-9]", "(?:a?){40}a{40}[b-z]", "(?x) ( a + ) + [b-z]",
        "\\w*\\w*\\w*\\w*[0-9]", "(a*)*[b-z]"
    };

    size_t        from, to;
    int64_t       start, took;
    char         *long_text = malloc(60000);
    tg_arena_t   *arena = tg_arena_create(0);
    tg_error_t    err;
    tg_regex_t   *re;
    tg_search_t  *s;

    memset(long_text, 'a', 60000);

    for (size_t i = 0; i < sizeof(evil) / sizeof(evil[0]); i++) {
        re = tg_regex_compile(tg_arena_mem(arena), tg_strz(evil[i]), false,
                              &err);
        assert_non_null(re);
        start = real_clock();
        s = tg_search_create(tg_arena_mem(arena),
                             tg_str_of(long_text, 60000), real_clock,
                             start + 50000000);
        assert_non_null(s);
        (void) tg_search_next(s, re, 0, &from, &to);
        took = real_clock() - start;

        if (took > 1000000000) {
            fail_msg("%s took %lld ms", evil[i],
                     (long long) (took / 1000000));
        }

        tg_search_destroy(s);
        tg_regex_destroy(re);
    }

    tg_arena_destroy(arena);
    free(long_text);
    (void) state;
}


/* Callouts change nothing but the time. */
static void
test_a_watched_regex_finds_what_it_would(void **state)
{
    static const struct {
        const char  *regex, *text, *found;
    } cases[] = {
        { "a+b", "xaab", "aab" },
        { "a+?b", "xaab", "aab" },
        { "a++b", "xaab", "aab" },
        { "a{2}b", "aaab", "aab" },
        { "a{2,}b", "aaab", "aaab" },
        { "a{,2}b", "a{,2}b", "a{,2}b" },
        { "x{a}", "x{a}", "x{a}" },
        { "[+*?{2}]+", "a+*?{2}b", "+*?{2}" },
        { "[]a]+", "x]a]x", "]a]" },
        { "[^]a]+", "]x]", "x" },
        { "\\+\\*+", "+**", "+**" },
        { "\\d{1,3}(?:,\\d{3})*", "cost 1,234,567 now", "1,234,567" },
        { "(?i)(?:ab)+c", "xABabC", "ABabC" },
        { "(?<=a)b?c", "xabc", "bc" },
        { "(?<!a)b+", "abb", "b" },
        { "(?=a+)a", "aa", "a" },
        { "(?<n>a+)b", "aab", "aab" },
        { "\\x{61}+", "aab", "aa" },
        { "\\p{L}+", "1\xc3\xa9" "a2", "\xc3\xa9" "a" },
        { "\xc3\xa9+", "e\xc3\xa9\xc3\xa9", "\xc3\xa9\xc3\xa9" },
        { "(?x) a + b # c + d", "aab", "aab" },
        { "a(?#x+)b+", "abb", "abb" },
        { "\\Qa+\\E+", "xa++", "a++" },
        { "^a|b+$", "cbb", "bb" },
        { "a|", "ba", "a" },
        { "(?:a|b)*?c", "abc", "abc" },
        { "\\bfoo\\b.{0,3}bar", "foo  bar", "foo  bar" },
        { "[[:digit:]]{2,4}", "a12345", "1234" },
        { "(?s).+x", "a\nx", "a\nx" }
    };

    size_t        from, to;
    tg_arena_t   *arena = tg_arena_create(0);
    tg_error_t    err;
    tg_regex_t   *re;
    tg_search_t  *s;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        re = tg_regex_compile(tg_arena_mem(arena), tg_strz(cases[i].regex),
                              false, &err);
        if (re == NULL) {
            fail_msg("%s: %s", cases[i].regex, err.message);
        }
        s = tg_search_create(tg_arena_mem(arena), tg_strz(cases[i].text), NULL,
                             0);
        if (tg_search_next(s, re, 0, &from, &to) != TG_OK
            || !tg_str_eq(tg_str_of(cases[i].text + from, to - from),
                          tg_strz(cases[i].found)))
        {
            fail_msg("%s in %s", cases[i].regex, cases[i].text);
        }
        tg_search_destroy(s);
        tg_regex_destroy(re);
    }

    tg_arena_destroy(arena);
    (void) state;
}


/* A match may begin, or end, beyond where time is looked at. */
static void
test_a_long_text_is_searched_to_its_end(void **state)
{
    size_t        n = 300000, from, to;
    char         *p = malloc(n);
    tg_arena_t   *arena = tg_arena_create(0);
    tg_error_t    err;
    tg_regex_t   *re;
    tg_search_t  *s;

    memset(p, '-', n);
    memcpy(p + 65530, "(needle)", 8);
    memcpy(p + n - 6, "needle", 6);
    re = tg_regex_compile(tg_arena_mem(arena), tg_str("need[a-z]+"), false,
                          &err);
    s = tg_search_create(tg_arena_mem(arena), tg_str_of(p, n), real_clock,
                         INT64_MAX);
    assert_int_equal(tg_search_next(s, re, 0, &from, &to), TG_OK);
    assert_int_equal(from, 65531);
    assert_int_equal(tg_search_next(s, re, to, &from, &to), TG_OK);
    assert_int_equal(to, n);
    assert_int_equal(tg_search_next(s, re, to, &from, &to), TG_DECLINED);

    tg_search_destroy(s);
    tg_regex_destroy(re);
    tg_arena_destroy(arena);
    free(p);
    (void) state;
}


static int
setup(void **state)
{
    tg_error_t          err;
    static tg_arena_t  *arena;

    (void) state;
    arena = tg_arena_create(0);
    *state = arena;

    return tg_dialect_setup(tg_arena_mem(arena), &err);
}


static int
teardown(void **state)
{
    tg_arena_destroy(*state);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_bad_words_are_told),
        cmocka_unit_test(test_what_is_denied_is_rejected),
        cmocka_unit_test(test_what_is_not_allowed_is_rejected),
        cmocka_unit_test(test_redaction_is_in_place),
        cmocka_unit_test(test_a_flag_only_says_so),
        cmocka_unit_test(test_a_dry_run_does_nothing),
        cmocka_unit_test(test_output_is_capped),
        cmocka_unit_test(test_input_is_limited),
        cmocka_unit_test(test_countries),
        cmocka_unit_test(test_a_condition_limits_a_guard_or_is_all_of_it),
        cmocka_unit_test(test_the_body_is_asked_for_once_and_only_if_needed),
        cmocka_unit_test(test_trimmed_turns_are_not_looked_at),
        cmocka_unit_test(test_what_can_not_be_looked_at_is_rejected),
        cmocka_unit_test(test_time_counts_that_was_worked),
        cmocka_unit_test(test_a_regex_ends_in_time),
        cmocka_unit_test(test_a_watched_regex_finds_what_it_would),
        cmocka_unit_test(test_a_long_text_is_searched_to_its_end)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
