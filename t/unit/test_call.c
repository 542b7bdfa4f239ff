#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "ledger_memory.h"
#include "tg_call.h"
#include "tg_ledger_int.h"

static tg_arena_t      *arena;
static tg_price_book_t *book;
static tg_gate_t         priced;         /* a gate with prices alone */
static const tg_gate_t   no_gate;
static const tg_now_t    stopped = { 1700000000000, 1000000 };

static const char  prices[] =
    "{\"gpt-test\":{\"litellm_provider\":\"openai\","
    "\"input_cost_per_token\":1e-06,\"output_cost_per_token\":2e-06,"
    "\"cache_read_input_token_cost\":5e-07},"
    "\"claude-test\":{\"input_cost_per_token\":1e-06},"
    "\"us.anthropic.claude-test-v1:0\":{\"input_cost_per_token\":1.1e-06}}";


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;
    arena = tg_arena_create(0);
    book = tg_price_book_create();

    return tg_dialect_setup(tg_arena_mem(arena), &err) != TG_OK
           || tg_price_book_add(book, tg_str("test"), tg_str(prices), &err)
              != TG_OK;
}


static int
teardown(void **state)
{
    (void) state;
    tg_arena_destroy(arena);
    tg_price_book_destroy(book);

    return 0;
}


/* A request's headers: name, value, ..., NULL. */
static tg_str_t
fake_header(void *req, tg_str_t name)
{
    for (const char **h = req; *h != NULL; h += 2) {
        if (tg_str_eq(tg_strz(h[0]), name)) {
            return tg_strz(h[1]);
        }
    }

    return tg_str_null;
}


static tg_str_t
fake_variable(void *req, uintptr_t handle)
{
    (void) req;
    (void) handle;

    return tg_str("from-variable");
}


static const tg_host_t  host = { fake_header, fake_variable, NULL };


typedef struct {
    tg_arena_t  *arena;
    tg_conf_t   *conf;
    tg_scope_t   scope;
    tg_call_t   *call;
    char         out[8192];
    size_t       out_len;
} fixture_t;


static void
configure(fixture_t *f, tg_directive_id_t id, const char *a, const char *b,
    const char *c)
{
    tg_str_t    args[3] = { tg_strz(a), tg_strz(b ? b : ""),
                            tg_strz(c ? c : "") };
    tg_error_t  err;

    assert_int_equal(tg_conf_directive(f->conf, &f->scope, id, args,
                                       c ? 3 : b ? 2 : 1, &err), TG_OK);
}


static void
begin(fixture_t *f)
{
    memset(f, 0, sizeof(*f));
    f->arena = tg_arena_create(0);
    f->conf = tg_conf_create(tg_arena_mem(f->arena));
    tg_scope_init(&f->scope);
    configure(f, TG_DIRECTIVE_ENABLE, "on", NULL, NULL);
}


static void
make_call(fixture_t *f, const char **headers, const char *path,
    const char *body)
{
    tg_call_head_t  head = { 0 };
    tg_id_source_t  ids;
    tg_now_t        now = { 1700000000000, 1000 };
    tg_error_t      err;
    unsigned char   seed[32] = { 7 };
    static const char  *none[] = { NULL };

    tg_scope_t  defaults;

    tg_scope_init(&defaults);
    tg_scope_merge(&defaults, &f->scope);
    assert_int_equal(tg_conf_finish(f->conf, &err), TG_OK);
    tg_id_seed(&ids, seed);

    head.method = tg_str("POST");
    head.path = tg_strz(path);
    head.upstream = tg_str("api.openai.com");
    head.content_type = tg_str("application/json");
    head.client = tg_str("127.0.0.1");

    f->call = tg_call_create(tg_arena_mem(f->arena), f->conf, &f->scope, &host,
                             headers ? headers : none, &head, &ids, &now);
    assert_non_null(f->call);
    tg_call_body(f->call, body, strlen(body));
}


/* The line as a tree; the caller's to free. */
static json_t *
line_of(fixture_t *f, tg_end_t end, unsigned status)
{
    static char   buf[TG_LINE_MAX];
    tg_now_t      now = { 1700000001000, 2001000 };
    json_error_t  e;
    json_t       *root;
    size_t        n;

    priced.book = book;
    tg_call_finish(f->call, end, status, &priced, &now);
    n = tg_call_line(f->call, 0, buf, 1, TG_LOG_JSON);
    assert_int_equal(buf[n - 1], '\n');
    assert_null(memchr(buf, '\n', n - 1));
    root = json_loadb(buf, n, JSON_REJECT_DUPLICATES
                      | JSON_ALLOW_NUL, &e);
    if (root == NULL) {
        fail_msg("%s: %.*s", e.text, (int) n, buf);
    }

    return root;
}


static const char *
str(json_t *line, const char *key)
{
    return json_string_value(json_object_get(line, key));
}


static json_int_t
num(json_t *line, const char *key)
{
    return json_integer_value(json_object_get(line, key));
}


static int
gather(void *data, const char *p, size_t n)
{
    fixture_t  *f = data;

    assert_true(f->out_len + n < sizeof(f->out));
    memcpy(f->out + f->out_len, p, n);
    f->out_len += n;

    return 0;
}


static void
test_a_chat_call_is_billed_class_by_class(void **state)
{
    fixture_t     f;
    json_t       *line;
    tg_now_t      now = { 0, 501000 };
    tg_refusal_t  refusal;
    const char   *answer = "{\"id\":\"c1\",\"model\":\"gpt-test\",\"choices\":"
                           "[{\"finish_reason\":\"stop\"}],\"usage\":{"
                           "\"prompt_tokens\":100,\"completion_tokens\":50,"
                           "\"prompt_tokens_details\":{\"cached_tokens\":40}}}";

    begin(&f);
    make_call(&f, NULL, "/v1/chat/completions",
              "{\"model\":\"gpt-test\",\"messages\":[]}");
    assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_OK);
    assert_null(tg_call_edit(f.call));

    tg_call_answer(f.call, 200, tg_str("application/json"), false);
    tg_call_feed(f.call, answer, strlen(answer), &now);
    line = line_of(&f, TG_END_COMPLETE, 200);

    /* 60 x 1000 + 40 x 500 + 50 x 2000 nano-dollars */
    assert_int_equal(num(line, "llm.cost.total_nusd"), 180000);
    assert_string_equal(str(line, "gen_ai.response.model"), "gpt-test");
    assert_string_equal(str(line, "llm.usage.source"), "reported");
    assert_string_equal(str(line, "llm.price_id"), "gpt-test");
    assert_string_equal(str(line, "event.outcome"), "success");
    assert_int_equal(num(line, "event.duration"), 2000000);

    json_decref(line);
    tg_arena_destroy(f.arena);
    (void) state;
}


static void
test_an_inference_profile_is_billed_by_its_own_name(void **state)
{
    fixture_t     f;
    json_t       *line;
    tg_now_t      now = { 0, 501000 };
    tg_refusal_t  refusal;
    const char   *answer = "{\"model\":\"claude-test\",\"usage\":"
                           "{\"input_tokens\":100,\"output_tokens\":0}}";

    begin(&f);
    make_call(&f, NULL, "/model/us.anthropic.claude-test-v1%3A0/invoke",
              "{\"messages\":[]}");
    assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_OK);
    tg_call_answer(f.call, 200, tg_str("application/json"), false);
    tg_call_feed(f.call, answer, strlen(answer), &now);
    line = line_of(&f, TG_END_COMPLETE, 200);

    assert_string_equal(str(line, "gen_ai.response.model"), "claude-test");
    assert_string_equal(str(line, "llm.price_id"),
                        "us.anthropic.claude-test-v1:0");
    assert_int_equal(num(line, "llm.cost.total_nusd"), 110000);

    json_decref(line);
    tg_arena_destroy(f.arena);
    (void) state;
}


static void
assert_edited(const char *body, const char *want)
{
    fixture_t         f;
    char              got[1024];
    const tg_edit_t  *edit;
    tg_refusal_t      refusal;
    json_t           *a, *b;

    begin(&f);
    make_call(&f, NULL, "/v1/chat/completions", body);
    assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_OK);
    edit = tg_call_edit(f.call);
    assert_non_null(edit);

    memcpy(got, body, strlen(body));
    for (unsigned i = 0; i < edit->nspans; i++) {
        memset(got + edit->spans[i].start, ' ',
               (size_t) (edit->spans[i].end - edit->spans[i].start));
        assert_int_equal(edit->spans[i].text.len, 0);
    }
    memcpy(got + edit->tail_at, edit->tail.p, edit->tail.len);

    a = json_loadb(got, (size_t) edit->tail_at + edit->tail.len,
                   JSON_REJECT_DUPLICATES, NULL);
    b = json_loads(want, 0, NULL);
    assert_non_null(b);
    if (a == NULL || !json_equal(a, b)) {
        fail_msg("%s became %.*s%.*s", body, (int) edit->tail_at, got,
                 (int) edit->tail.len, edit->tail.p);
    }

    json_decref(a);
    json_decref(b);
    tg_arena_destroy(f.arena);
}


static void
test_usage_is_asked_for_without_harm_to_the_body(void **state)
{
    assert_edited("{\"model\":\"m\",\"stream\":true}",
                  "{\"model\":\"m\",\"stream\":true,"
                  "\"stream_options\":{\"include_usage\":true}}");
    assert_edited("{\"stream\":true,\"model\":\"m\" } \n",
                  "{\"model\":\"m\",\"stream\":true,"
                  "\"stream_options\":{\"include_usage\":true}}");
    assert_edited("{\"stream_options\":null,\"stream\":true}",
                  "{\"stream\":true,"
                  "\"stream_options\":{\"include_usage\":true}}");
    assert_edited("{\"stream\":true , \"stream_options\" : {} , \"n\":1}",
                  "{\"stream\":true,\"n\":1,"
                  "\"stream_options\":{\"include_usage\":true}}");
    assert_edited("{\"stream\":true,\"stream_options\":"
                  "{\"include_usage\":false,\"include_obfuscation\":false}}",
                  "{\"stream\":true,\"stream_options\":"
                  "{\"include_obfuscation\":false,\"include_usage\":true}}");

    (void) state;
}


static void
test_the_chunk_asked_for_is_taken_out_again(void **state)
{
    static const char  stream[] =
        "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],"
        "\"usage\":null}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,"
        "\"completion_tokens\":1}}\n\n"
        "data: [DONE]\n\n";
    static const char  want[] =
        "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n"
        "data: [DONE]\n\n";

    for (size_t step = 1; step <= sizeof(stream); step++) {
        fixture_t     f;
        json_t       *line;
        tg_now_t      now = { 0, 1 };
        tg_refusal_t  refusal;

        begin(&f);
        make_call(&f, NULL, "/v1/chat/completions",
                  "{\"model\":\"gpt-test\",\"stream\":true}");
        assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_OK);
        tg_call_answer(f.call, 200, tg_str("text/event-stream"), false);
        assert_true(tg_call_alters(f.call));

        for (size_t i = 0; i < sizeof(stream) - 1; i += step) {
            size_t  n = sizeof(stream) - 1 - i;

            assert_int_equal(tg_call_filter(f.call, stream + i,
                                            n < step ? n : step, &now, gather,
                                            &f), TG_OK);
        }

        assert_int_equal(tg_call_filter_end(f.call, gather, &f), TG_OK);
        assert_int_equal(f.out_len, sizeof(want) - 1);
        assert_memory_equal(f.out, want, sizeof(want) - 1);

        line = line_of(&f, TG_END_COMPLETE, 200);
        assert_int_equal(num(line, "llm.cost.total_nusd"), 7000);
        json_decref(line);
        tg_arena_destroy(f.arena);
    }

    (void) state;
}


static void
test_a_missing_required_tag_is_refused_and_named(void **state)
{
    fixture_t     f;
    json_t       *line;
    tg_refusal_t  refusal;

    begin(&f);
    configure(&f, TG_DIRECTIVE_TAG, "team", "from=header:X-Team", "required");
    make_call(&f, NULL, "/v1/chat/completions", "{\"model\":\"m\"}");

    assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_ERROR);
    assert_int_equal(refusal.status, 400);
    assert_non_null(memmem(refusal.body.p, refusal.body.len, "X-Team", 6));

    line = line_of(&f, TG_END_COMPLETE, 400);
    assert_string_equal(str(line, "llm.decision"), "refuse");
    assert_string_equal(str(line, "error.type"), "missing_attribution");
    json_decref(line);
    tg_arena_destroy(f.arena);
    (void) state;
}


static void
test_a_dry_run_says_what_it_would_have_refused(void **state)
{
    fixture_t     f;
    json_t       *line;
    tg_refusal_t  refusal;

    begin(&f);
    f.scope.enable = TG_DRY_RUN;
    make_call(&f, NULL, "/v1/chat/completions", "{\"model\":");
    assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_OK);

    line = line_of(&f, TG_END_COMPLETE, 200);
    assert_string_equal(str(line, "llm.decision"), "dry_refuse");
    json_decref(line);
    tg_arena_destroy(f.arena);
    (void) state;
}


static void
test_tags_come_from_their_first_source_that_has_one(void **state)
{
    static const char  *headers[] = {
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "baggage", "x=1, team = red%20team;p=2, y=3",
        "x-meta", "{\"feature\":\"search\",\"n\":7}",
        NULL
    };
    fixture_t     f;
    json_t       *line;
    tg_refusal_t  refusal;

    begin(&f);
    configure(&f, TG_DIRECTIVE_TAG, "team", "from=header:X-Team,baggage:team",
              NULL);
    configure(&f, TG_DIRECTIVE_TAG, "feature", "from=json:X-Meta:feature",
              NULL);
    configure(&f, TG_DIRECTIVE_TAG, "n", "from=json:X-Meta:n", NULL);
    configure(&f, TG_DIRECTIVE_TAG, "session",
              "from=metadata.session_id,traceparent", NULL);
    configure(&f, TG_DIRECTIVE_TAG, "agent", "from=$agent", NULL);
    make_call(&f, headers, "/v1/chat/completions",
              "{\"model\":\"m\",\"metadata\":{\"session_id\":\"s\\u0031\"}}");
    assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_OK);

    line = line_of(&f, TG_END_COMPLETE, 200);
    assert_string_equal(str(line, "llm.team"), "red team");
    assert_string_equal(str(line, "llm.tags.feature"), "search");
    assert_string_equal(str(line, "llm.tags.n"), "7");
    assert_string_equal(str(line, "gen_ai.conversation.id"), "s1");
    assert_string_equal(str(line, "gen_ai.agent.name"), "from-variable");
    assert_string_equal(str(line, "trace.id"),
                        "0af7651916cd43dd8448eb211c80319c");
    json_decref(line);
    tg_arena_destroy(f.arena);
    (void) state;
}


static void
test_hostile_bytes_give_one_valid_line(void **state)
{
    static const char  evil[] = "\"\\\n\r\x01\x7f\xc2\x85\xe2\x80\xa8\xff{}";
    const char        *headers[] = { "x-team", evil, NULL };
    fixture_t          f;
    json_t            *line;
    tg_refusal_t       refusal;

    begin(&f);
    configure(&f, TG_DIRECTIVE_TAG, "team", "from=header:x-team", NULL);
    make_call(&f, headers, "/v1/chat/completions",
              "{\"model\":\"a\\u0000b\\n\\\"\\u2028\",\"user\":\"\\ud800\"}");
    assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_OK);
    line = line_of(&f, TG_END_CLIENT, 499);
    assert_string_equal(str(line, "error.type"), "client_closed");
    json_decref(line);
    tg_arena_destroy(f.arena);
    (void) state;
}


/* As many fields and tags as there can be, all of them as long as they get. */
static void
test_the_longest_line_fits(void **state)
{
    static char    value[300], body[20000], answer[40000], names[16][65];
    static char    line[TG_LINE_MAX];
    static char    from[16][80];
    const char    *headers[2 * 16 + 1];
    char           text[6 * 256 + 1], *p;
    fixture_t      f;
    tg_now_t       now = { 0, 501000 };
    tg_refusal_t   refusal;

    memset(value, 1, sizeof(value) - 1);

    for (size_t i = 0; i < 256; i++) {
        memcpy(text + 6 * i, "\\u0001", 7);
    }

    begin(&f);
    f.conf->node = tg_strz(value);

    for (int i = 0; i < 16; i++) {
        memset(names[i], 'a' + i, 64);
        headers[2 * i] = names[i];
        headers[2 * i + 1] = value;
        (void) snprintf(from[i], sizeof(from[i]), "from=header:%.64s",
                        names[i]);
        configure(&f, TG_DIRECTIVE_TAG, names[i], from[i], NULL);
    }

    headers[32] = NULL;

    (void) snprintf(body, sizeof(body), "{\"model\":\"%s\",\"user\":\"%s\","
                    "\"max_tokens\":999999999999999999}", text, text);
    make_call(&f, headers, "/v1/messages", body);
    assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_OK);

    p = answer + snprintf(answer, sizeof(answer), "{\"id\":\"%s\",\"model\":"
                          "\"%s\",\"stop_reason\":\"%s\",\"error\":{"
                          "\"type\":\"%s\"},\"usage\":{\"service_tier\":"
                          "\"%s\",\"input_tokens\":99999999999999999,"
                          "\"output_tokens\":99999999999999999,"
                          "\"iterations\":[", text, text, text, text, text);

    for (int i = 0; i < 16; i++) {
        p += snprintf(p, 1000, "%s{\"type\":\"%.*s\",\"model\":\"%.*s\","
                      "\"input_tokens\":99999999999999999,\"output_tokens\":"
                      "99999999999999999}", i ? "," : "", 6 * 60, text,
                      6 * 60, text);
    }

    p += snprintf(p, 10, "]}}");

    tg_call_answer(f.call, 200, tg_str("application/json"), false);
    tg_call_feed(f.call, answer, (size_t) (p - answer), &now);
    json_decref(line_of(&f, TG_END_COMPLETE, 200));
    assert_true(tg_call_line(f.call, 0, line, UINT64_MAX >> 1,
                             TG_LOG_UNDERSCORE) < TG_LINE_MAX);
    tg_arena_destroy(f.arena);
    (void) state;
}


static void
test_a_call_settles_once(void **state)
{
    fixture_t     f;
    json_t       *line;
    tg_refusal_t  refusal;
    tg_now_t      later = { 0, 999999999 };

    begin(&f);
    make_call(&f, NULL, "/v1/chat/completions", "{\"model\":\"m\"}");
    assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_OK);
    line = line_of(&f, TG_END_CLIENT, 499);
    json_decref(line);

    tg_call_finish(f.call, TG_END_COMPLETE, 200, &priced, &later);
    line = line_of(&f, TG_END_COMPLETE, 200);
    assert_int_equal(num(line, "http.response.status_code"), 499);
    assert_int_equal(num(line, "event.duration"), 2000000);
    json_decref(line);
    tg_arena_destroy(f.arena);
    (void) state;
}


static bool
nobody_died(void *baton, uint32_t owner)
{
    (void) baton;
    (void) owner;

    return false;
}


static bool
no_wait(void *baton, uint64_t *since)
{
    (void) baton;
    (void) since;

    return false;
}


/* Sent, and held in a ledger: the server stops with a part of its answer there,
 * or none. */
static void
cut_off(const char *answer)
{
    char               buf[TG_VALUE_MAX] = "";
    tg_gate_t          gate = { .book = book };
    fixture_t          f;
    tg_str_t           value;
    tg_error_t         err;
    tg_ledger_t        ledger;
    tg_refusal_t       refusal;
    unsigned char      seed[16] = { 1 };
    tg_gate_scratch_t  scratch = { .expr = NULL };
    static _Alignas(64) unsigned char  base[256 * 1024];
    static const tg_ledger_host_t      alone = { nobody_died, no_wait, NULL };

    memset(base, 0, sizeof(base));
    assert_int_equal(tg_ledger_format(base, sizeof(base), seed, seed,
                                      stopped.wall_ms, &err), TG_OK);
    assert_int_equal(tg_ledger_attach(&ledger, base, sizeof(base), &alone,
                                      &err), TG_OK);
    assert_int_equal(tg_ledger_claim(&ledger, 1), TG_LEDGER_OK);
    gate.ledger = &ledger;
    gate.scratch = &scratch;

    begin(&f);
    configure(&f, TG_DIRECTIVE_LEDGER, "ledger", NULL, NULL);
    configure(&f, TG_DIRECTIVE_QUOTA, "q", "per=all", "usd=1/day");
    make_call(&f, NULL, "/v1/chat/completions",
              "{\"model\":\"gpt-test\",\"max_tokens\":9}");
    assert_int_equal(tg_call_enter(f.call, &gate, &refusal), TG_OK);
    assert_int_equal(tg_call_admit(f.call, &gate, &stopped, &refusal), TG_OK);
    tg_call_sent(f.call, &gate);

    if (answer != NULL) {
        tg_call_answer(f.call, 200, tg_str("application/json"), false);
        tg_call_feed(f.call, answer, strlen(answer), &stopped);
    }

    tg_call_finish(f.call, TG_END_SHUTDOWN, 0, &gate, &stopped);

    for (tg_value_t v = TG_VALUE_INPUT_TOKENS; v <= TG_VALUE_TOTAL_TOKENS;
         v++)
    {
        assert_false(tg_call_value(f.call, v, buf, &value));
    }

    assert_true(tg_call_value(f.call, TG_VALUE_USAGE_SOURCE, buf, &value));
    assert_true(tg_str_eq(value, tg_str("recovered")));
    assert_true(tg_call_value(f.call, TG_VALUE_COST_USD, buf, &value));
    assert_true(strtod(buf, NULL) > 0);

    tg_call_free(f.call);
    tg_arena_destroy(f.arena);
}


static void
test_of_a_call_that_is_cut_off_no_usage_is_told(void **state)
{
    (void) state;
    cut_off(NULL);
    cut_off("{\"model\":\"gpt-test\",\"choices\":[{\"message\":{\"content\":"
            "\"one two three");
}


/* What the server tells the client of it is no answer. */
static void
test_a_call_that_gets_no_answer_is_estimated(void **state)
{
    fixture_t     f;
    json_t       *line;
    tg_refusal_t  refusal;

    begin(&f);
    make_call(&f, NULL, "/v1/chat/completions",
              "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\","
              "\"content\":\"one two three four five six seven eight\"}]}");
    assert_int_equal(tg_call_admit(f.call, &no_gate, &stopped,
                                   &refusal), TG_OK);
    tg_call_unanswered(f.call);
    tg_call_feed(f.call, "<html>504</html>", 16, &stopped);

    line = line_of(&f, TG_END_COMPLETE, 504);
    assert_int_equal(num(line, "http.response.status_code"), 504);
    assert_string_equal(str(line, "llm.usage.source"), "estimated");
    assert_string_equal(str(line, "error.type"), "server_error");
    assert_true(num(line, "gen_ai.usage.input_tokens") >= 9);
    assert_int_equal(num(line, "gen_ai.usage.output_tokens"), 0);
    json_decref(line);
    tg_arena_destroy(f.arena);
    (void) state;
}


/* Asks until it is told something else than to come again; its waits, ms. */
static int
admit_waiting(fixture_t *f, const tg_gate_t *gate, tg_ledger_t *other,
    unsigned free_at, int64_t *waits, tg_refusal_t *refusal)
{
    int       rc;
    unsigned  n = 0;
    tg_now_t  now = stopped;

    for ( ;; ) {
        other->head->lock = n < free_at ? other->me : 0;
        rc = tg_call_admit(f->call, gate, &now, refusal);

        if (rc != TG_AGAIN) {
            waits[n] = 0;
            return rc;
        }

        assert_true(n < 8);
        waits[n] = tg_call_wait(f->call);
        now.wall_ms += waits[n++];
    }
}


/* Another process stands still with the ledger's lock. */
static void
test_a_ledger_that_is_busy_is_asked_again(void **state)
{
    void               *base;
    int64_t             waits[9];
    fixture_t           f;
    tg_gate_t           gate;
    tg_error_t          err;
    tg_ledger_t         led, other;
    tg_backlog_t        backlog = { NULL };
    tg_refusal_t        refusal;
    tg_gate_scratch_t   scratch;

    for (unsigned free_at = 0; free_at < 6; free_at++) {
        base = ledger_memory(&led, TG_LEDGER_SIZE_MIN, stopped.wall_ms);
        assert_non_null(base);
        assert_int_equal(tg_ledger_attach(&other, base, TG_LEDGER_SIZE_MIN,
                                          &ledger_memory_host, &err), TG_OK);
        assert_int_equal(tg_ledger_claim(&other, 2), TG_LEDGER_OK);
        memset(&gate, 0, sizeof(gate));
        memset(&scratch, 0, sizeof(scratch));
        gate.ledger = &led;
        gate.backlog = &backlog;
        gate.scratch = &scratch;

        begin(&f);
        configure(&f, TG_DIRECTIVE_LEDGER, "/ledger", NULL, NULL);
        configure(&f, TG_DIRECTIVE_QUOTA, "q", "per=all", "requests=1/day");
        make_call(&f, NULL, "/v1/chat/completions", "{\"model\":\"m\"}");
        assert_int_equal(tg_call_enter(f.call, &gate, &refusal), TG_OK);

        assert_int_equal(admit_waiting(&f, &gate, &other, free_at, waits,
                                       &refusal),
                         free_at <= 3 ? TG_OK : TG_ERROR);

        for (unsigned i = 0; i < 3 && i < free_at; i++) {
            assert_int_equal(waits[i], ((int64_t[]) { 5, 20, 80 })[i]);
        }

        if (free_at > 3) {
            assert_int_equal(refusal.status, 503);
            assert_int_equal(waits[3], 0);
        }

        led.head->lock = 0;
        tg_call_finish(f.call, TG_END_COMPLETE, 200, &gate, &stopped);
        tg_call_free(f.call);
        tg_arena_destroy(f.arena);
        free(base);
    }

    (void) state;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_a_chat_call_is_billed_class_by_class),
        cmocka_unit_test(test_an_inference_profile_is_billed_by_its_own_name),
        cmocka_unit_test(test_usage_is_asked_for_without_harm_to_the_body),
        cmocka_unit_test(test_the_chunk_asked_for_is_taken_out_again),
        cmocka_unit_test(test_a_missing_required_tag_is_refused_and_named),
        cmocka_unit_test(test_a_dry_run_says_what_it_would_have_refused),
        cmocka_unit_test(test_tags_come_from_their_first_source_that_has_one),
        cmocka_unit_test(test_hostile_bytes_give_one_valid_line),
        cmocka_unit_test(test_the_longest_line_fits),
        cmocka_unit_test(test_a_call_settles_once),
        cmocka_unit_test(test_of_a_call_that_is_cut_off_no_usage_is_told),
        cmocka_unit_test(test_a_call_that_gets_no_answer_is_estimated),
        cmocka_unit_test(test_a_ledger_that_is_busy_is_asked_again)
    };

    return cmocka_run_group_tests_name("call", tests, setup, teardown);
}
