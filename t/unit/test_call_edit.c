/* What of a body goes upstream in another form. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "tg_call_int.h"

#define CHAT    "/v1/chat/completions"
#define GEMINI  "/v1beta/models/gemini-2.5-flash:generateContent"
#define NOVA    "/model/amazon.nova-pro-v1:0/converse"


static tg_str_t
no_header(void *req, tg_str_t name)
{
    (void) req;
    (void) name;

    return tg_str_null;
}


static const tg_host_t  host = { no_header, NULL, NULL };

typedef struct {
    tg_arena_t  *arena;
    tg_conf_t   *conf;
    tg_scope_t   scope;
    tg_call_t   *call;
} fixture_t;


static void
begin(fixture_t *f, const char *upstream, const char *path, const char *body)
{
    tg_now_t              now = { 1700000000000, 1000 };
    tg_error_t            err;
    tg_refusal_t          refusal;
    tg_id_source_t        ids;
    tg_call_head_t        head = { 0 };
    unsigned char         seed[32] = { 7 };
    static const tg_gate_t  gate;

    f->arena = tg_arena_create(0);
    f->conf = tg_conf_create(tg_arena_mem(f->arena));
    assert_int_equal(tg_conf_finish(f->conf, &err), TG_OK);
    tg_scope_init(&f->scope);
    tg_scope_merge(&f->scope, &f->scope);
    f->scope.enable = TG_ON;
    tg_id_seed(&ids, seed);

    head.method = tg_str("POST");
    head.path = tg_strz(path);
    head.upstream = tg_strz(upstream);
    head.content_type = tg_str("application/json");

    f->call = tg_call_create(tg_arena_mem(f->arena), f->conf, &f->scope, &host,
                             NULL, &head, &ids, &now);
    assert_non_null(f->call);
    tg_call_body(f->call, body, strlen(body));
    assert_int_equal(tg_call_admit(f->call, &gate, &now, &refusal), TG_OK);
}


static void
apply(const tg_edit_t *e, const char *body, char *got, size_t *len)
{
    uint64_t  covered = 0;

    assert_non_null(e);
    memcpy(got, body, strlen(body));

    for (unsigned i = 0; i < e->nspans; i++) {
        assert_true(e->spans[i].start >= covered);
        assert_true(e->spans[i].end <= e->tail_at);
        assert_true(e->spans[i].text.len <= e->spans[i].end
                                            - e->spans[i].start);
        covered = e->spans[i].end;
        memset(got + e->spans[i].start, ' ',
               (size_t) (e->spans[i].end - e->spans[i].start));

        if (e->spans[i].text.len != 0) {
            memcpy(got + e->spans[i].start, e->spans[i].text.p,
                   e->spans[i].text.len);
        }
    }

    memcpy(got + e->tail_at, e->tail.p, e->tail.len);
    *len = (size_t) e->tail_at + e->tail.len;
}


/* want: in JSON, or NULL where it can't be done. */
static void
becomes(const char *upstream, const char *path, const char *body, int64_t max,
    const char *want)
{
    int        rc;
    char       got[4096];
    bool       ask;
    size_t     len;
    json_t    *a, *b;
    fixture_t  f;

    begin(&f, upstream, path, body);
    ask = tg_call_should_ask_usage(f.call);
    assert_true(ask == (f.call->edit != NULL));
    rc = tg_call_compose(f.call, ask, max);

    if (want == NULL) {
        assert_int_equal(rc, TG_ERROR);
        tg_arena_destroy(f.arena);
        return;
    }

    assert_int_equal(rc, TG_OK);
    apply(f.call->edit, body, got, &len);

    a = json_loadb(got, len, JSON_REJECT_DUPLICATES, NULL);
    b = json_loads(want, 0, NULL);
    assert_non_null(b);

    if (a == NULL || !json_equal(a, b)) {
        fail_msg("%s became %.*s", body, (int) len, got);
    }

    json_decref(a);
    json_decref(b);
    tg_arena_destroy(f.arena);
}


static void
test_a_maximum_is_lowered_where_it_stands(void **state)
{
    (void) state;

    becomes("api.openai.com", CHAT, "{\"max_tokens\":1000,\"model\":\"m\"}\n",
            64, "{\"max_tokens\":64,\"model\":\"m\"}");
    becomes("api.openai.com", CHAT,
            "{\"max_tokens\":100,\"max_completion_tokens\":1e3}", 64,
            "{\"max_tokens\":64,\"max_completion_tokens\":64}");
    becomes("api.openai.com", CHAT,
            "{\"max_tokens\":50,\"max_completion_tokens\":1000}", 64,
            "{\"max_tokens\":50,\"max_completion_tokens\":64}");
    becomes("api.openai.com", "/v1/responses", "{\"max_output_tokens\":700}",
            99, "{\"max_output_tokens\":99}");
    becomes("api.anthropic.com", "/v1/messages", "{\"max_tokens\":4096}", 512,
            "{\"max_tokens\":512}");
    becomes("generativelanguage.googleapis.com", GEMINI,
            "{\"generationConfig\":{\"topK\":1,\"maxOutputTokens\":8192}}",
            300, "{\"generationConfig\":{\"topK\":1,"
            "\"maxOutputTokens\":300}}");
    becomes("generativelanguage.googleapis.com", GEMINI,
            "{\"generation_config\":{\"maxOutputTokens\":\"8192\"}}",
            300, "{\"generation_config\":{\"maxOutputTokens\":300}}");
    becomes("bedrock-runtime.us-east-1.amazonaws.com", NOVA,
            "{\"inferenceConfig\":{\"maxTokens\":1000}}", 5,
            "{\"inferenceConfig\":{\"maxTokens\":5}}");
    becomes("ollama.local", "/api/chat",
            "{\"options\":{\"num_predict\":128},\"model\":\"m\"}", 12,
            "{\"options\":{\"num_predict\":12},\"model\":\"m\"}");
}


static void
test_a_maximum_without_room_goes_to_the_end(void **state)
{
    (void) state;

    becomes("api.openai.com", CHAT, "{\"max_tokens\":1e9,\"model\":\"m\"}",
            1000, "{\"max_tokens\":1000,\"model\":\"m\"}");
    becomes("api.openai.com", CHAT, "{\"max_tokens\":null}", 12345,
            "{\"max_tokens\":12345}");
    becomes("api.openai.com", CHAT, "{\"model\":\"m\","
            "\"max_completion_tokens\" : 1e9 , \"n\":1}", 4096,
            "{\"model\":\"m\",\"max_completion_tokens\":4096,\"n\":1}");
}


static void
test_a_maximum_that_is_not_there_is_added(void **state)
{
    (void) state;

    becomes("api.openai.com", CHAT, "{\"model\":\"m\"}", 64,
            "{\"model\":\"m\",\"max_completion_tokens\":64}");
    becomes("vllm.local", CHAT, "{\"model\":\"m\"}", 64,
            "{\"model\":\"m\",\"max_tokens\":64}");
    becomes("api.openai.com", "/v1/responses", "{}", 64,
            "{\"max_output_tokens\":64}");
    becomes("generativelanguage.googleapis.com", GEMINI, "{\"contents\":[]}",
            300, "{\"contents\":[],\"generationConfig\":"
            "{\"maxOutputTokens\":300}}");
    becomes("generativelanguage.googleapis.com", GEMINI,
            "{\"generation_config\": { \"topK\":1 } ,\"contents\":[]}", 300,
            "{\"contents\":[],\"generationConfig\":{\"topK\":1,"
            "\"maxOutputTokens\":300}}");
    becomes("generativelanguage.googleapis.com", GEMINI,
            "{\"contents\":[],\"generationConfig\":{ }}", 300,
            "{\"contents\":[],\"generationConfig\":"
            "{\"maxOutputTokens\":300}}");
    becomes("bedrock-runtime.us-east-1.amazonaws.com", NOVA,
            "{\"inferenceConfig\":null}", 5,
            "{\"inferenceConfig\":{\"maxTokens\":5}}");
    becomes("ollama.local", "/api/generate",
            "{\"options\":{\"seed\":1},\"model\":\"m\"}", 12,
            "{\"options\":{\"seed\":1,\"num_predict\":12},"
            "\"model\":\"m\"}");
    becomes("api.cohere.com", "/v2/chat", "{\"model\":\"m\"}", 64,
            "{\"model\":\"m\",\"max_tokens\":64}");
}


static void
test_both_edits_are_one(void **state)
{
    static const char *const  options[] = {
        "{\"stream\":true,\"max_tokens\":900,\"stream_options\":{\"a\":1}}",
        "{\"stream_options\":{\"a\":1},\"stream\":true,\"max_tokens\":900}",
        "{\"max_tokens\":900 , \"stream_options\" : {\"a\":1} , "
        "\"stream\":true }"
    };

    (void) state;

    for (unsigned i = 0; i < 3; i++) {
        becomes("api.openai.com", CHAT, options[i], 64,
                "{\"stream\":true,\"max_tokens\":64,\"stream_options\":"
                "{\"a\":1,\"include_usage\":true}}");
    }

    becomes("api.openai.com", CHAT, "{\"stream\":true}", 64,
            "{\"stream\":true,\"max_completion_tokens\":64,"
            "\"stream_options\":{\"include_usage\":true}}");
}


/* No API has both, so the members are made up here. */
static void
test_two_members_go_in_any_order(void **state)
{
    static const char *const  bodies[] = {
        "{\"stream_options\":{},\"generationConfig\":{},\"x\":1}",
        "{\"generationConfig\":{},\"stream_options\":{},\"x\":1}",
        "{\"x\":1,\"stream_options\":{},\"generationConfig\":{}}",
        "{\"stream_options\":{},\"x\":1,\"generationConfig\":{}}",
        "{\"generationConfig\":{} , \"x\":1 , \"stream_options\":{}}",
        "{ \"stream_options\":{} , \"generationConfig\":{} }",
    };

    char         got[1024];
    size_t       len;
    json_t      *v;
    fixture_t    f;
    const char  *key;
    tg_member_t *m;

    (void) state;

    for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        begin(&f, "generativelanguage.googleapis.com", GEMINI, bodies[i]);

        /* where the other member stands */

        key = strstr(bodies[i], "\"stream_options\"");
        m = (tg_member_t *) (uintptr_t)
            &tg_request_info(f.call->request)->stream_options_member;
        m->key = (uint64_t) (key - bodies[i]);
        m->end = (uint64_t) (strchr(key, '}') + 1 - bodies[i]);
        m->next = m->end + strcspn(bodies[i] + m->end, ",}");
        m->comma = TG_JSON_NOWHERE;

        for (const char *p = bodies[i] + 1; p < key; p++) {
            if (*p == ',') {
                m->comma = (uint64_t) (p - bodies[i]);
            }
        }

        assert_int_equal(tg_call_compose(f.call, true, 7), TG_OK);
        apply(f.call->edit, bodies[i], got, &len);

        v = json_loadb(got, len, JSON_REJECT_DUPLICATES, NULL);
        if (v == NULL) {
            fail_msg("%s became %.*s", bodies[i], (int) len, got);
        }

        assert_int_equal(json_object_size(v), strstr(bodies[i], "x") ? 3 : 2);
        json_decref(v);
        tg_arena_destroy(f.arena);
    }
}


static void
test_what_has_no_room_is_left_alone(void **state)
{
    char  body[1024];

    (void) state;

    becomes("api.openai.com", CHAT, "{\"max_tokens\":1e9}", 999,
            "{\"max_tokens\":999}");
    becomes("api.openai.com", CHAT, "{\"max_tokens\":{\"a\":1}}", 5, NULL);
    becomes("ollama.local", "/api/chat", "{\"options\":{\"num_predict\":-1},"
            "\"model\":\"m\"}", 256, NULL);
    becomes("api.openai.com", "/v1/embeddings", "{\"input\":\"a\"}", 5, NULL);
    becomes("generativelanguage.googleapis.com", GEMINI,
            "{\"generationConfig\":{},\"generation_config\":{}}", 5, NULL);

    (void) snprintf(body, sizeof(body), "{\"generationConfig\":{\"a\":\"%300s"
                    "\"}}", "x");
    becomes("generativelanguage.googleapis.com", GEMINI, body, 5, NULL);

    (void) snprintf(body, sizeof(body), "{\"generationConfig\":{\"a\":\"%s\","
                    "\"maxOutputTokens\":700}}", "x");
    becomes("generativelanguage.googleapis.com", GEMINI, body, 5,
            "{\"generationConfig\":{\"a\":\"x\",\"maxOutputTokens\":5}}");
}


static int
setup(void **state)
{
    tg_error_t   err;
    tg_arena_t  *arena = tg_arena_create(0);

    *state = arena;

    return tg_dialect_setup(tg_arena_mem(arena), &err) == TG_OK ? 0 : -1;
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
        cmocka_unit_test(test_a_maximum_is_lowered_where_it_stands),
        cmocka_unit_test(test_a_maximum_without_room_goes_to_the_end),
        cmocka_unit_test(test_a_maximum_that_is_not_there_is_added),
        cmocka_unit_test(test_both_edits_are_one),
        cmocka_unit_test(test_two_members_go_in_any_order),
        cmocka_unit_test(test_what_has_no_room_is_left_alone)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
