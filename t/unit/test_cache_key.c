/* Which answers are kept, and for whom. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tg_cache_key.h"
#include "tg_call_int.h"

#define CHAT      "/v1/chat/completions"
#define GEMINI    "/v1beta/models/gemini-2.5-flash:generateContent"
#define MESSAGES  "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

typedef struct {
    const char  *path, *body, *authorization, *beta, *org, *team, *id;
} ask_t;


static tg_str_t
header(void *req, tg_str_t name)
{
    const ask_t  *ask = req;
    const char   *value = NULL;

    if (tg_str_eq(name, tg_str("authorization"))) {
        value = ask->authorization;

    } else if (tg_str_eq(name, tg_str("anthropic-beta"))) {
        value = ask->beta;
    }

    return value != NULL ? tg_strz(value) : tg_str_null;
}


static int
body(void *req, tg_str_t *text)
{
    *text = tg_strz(((ask_t *) req)->body);

    return TG_OK;
}


static const tg_host_t  host = { header, NULL, body };


/* Its key, or "" where there is none. */
static void
key_of(const ask_t *ask, char out[TG_CACHE_KEY + 1])
{
    tg_now_t         now = { 1700000000000, 1000 };
    tg_key_t         key = { 0 };
    tg_str_t         text;
    tg_pass_t        pass = { 0 };
    tg_conf_t       *conf;
    tg_call_t       *call;
    tg_arena_t      *arena = tg_arena_create(0);
    tg_error_t       err;
    tg_scope_t       scope;
    tg_refusal_t     refusal;
    tg_id_source_t   ids;
    unsigned char    seed[32] = { 7 };
    tg_call_head_t   head = { 0 };
    static const tg_gate_t  gate;

    conf = tg_conf_create(tg_arena_mem(arena));
    assert_int_equal(tg_conf_finish(conf, &err), TG_OK);
    tg_scope_init(&scope);
    tg_scope_merge(&scope, &scope);
    scope.enable = TG_ON;
    tg_id_seed(&ids, seed);

    head.method = tg_str("POST");
    head.path = tg_strz(ask->path);
    head.upstream = tg_str("api.openai.com");
    head.content_type = tg_str("application/json");

    call = tg_call_create(tg_arena_mem(arena), conf, &scope, &host,
                          (void *) ask, &head, &ids, &now);
    assert_non_null(call);
    tg_call_body(call, ask->body, strlen(ask->body));
    assert_int_equal(tg_call_admit(call, &gate, &now, &refusal), TG_OK);

    if (ask->id != NULL) {
        key.id = tg_strz(ask->id);
        key.team = ask->team != NULL ? tg_strz(ask->team) : tg_str_null;
        key.org = ask->org != NULL ? tg_strz(ask->org) : tg_str_null;
        pass.key = &key;
        call->pass = &pass;
    }

    out[0] = '\0';

    if (tg_call_cache_key(call, &text) == TG_OK) {
        assert_int_equal(text.len, TG_CACHE_KEY);
        memcpy(out, text.p, text.len);
        out[text.len] = '\0';
    }

    call->pass = NULL;
    tg_conf_destroy(conf);
    tg_arena_destroy(arena);
}


static bool
kept(const char *path, const char *text)
{
    char   key[TG_CACHE_KEY + 1];
    ask_t  ask = { .path = path, .body = text };

    key_of(&ask, key);

    return key[0] != '\0';
}


static bool
same(const ask_t *a, const ask_t *b)
{
    char  one[TG_CACHE_KEY + 1], other[TG_CACHE_KEY + 1];

    key_of(a, one);
    key_of(b, other);
    assert_string_not_equal(one, "");
    assert_string_not_equal(other, "");

    return strcmp(one, other) == 0;
}


static void
test_only_the_one_answer_is_kept(void **state)
{
    (void) state;

#define WITH(more)  "{\"model\":\"gpt-4o\"," MESSAGES more "}"

    assert_false(kept(CHAT, WITH("")));
    assert_true(kept(CHAT, WITH(",\"temperature\":0")));
    assert_true(kept(CHAT, WITH(",\"temperature\":-0.00E9")));
    assert_true(kept(CHAT, WITH(",\"t\\u0065mperature\":0")));
    assert_false(kept(CHAT, WITH(",\"temperature\":1e-9")));
    assert_false(kept(CHAT, WITH(",\"temperature\":\"0\"")));
    assert_false(kept(CHAT, WITH(",\"temperature\":null")));
    assert_false(kept(CHAT, WITH(",\"temperature\":10")));
    assert_false(kept(CHAT, WITH(",\"metadata\":{\"temperature\":0}")));
    assert_true(kept(CHAT, WITH(",\"seed\":7")));
    assert_true(kept(CHAT, WITH(",\"top_k\":1")));
    assert_false(kept(CHAT, WITH(",\"top_k\":2")));
    assert_true(kept(GEMINI, "{\"contents\":[],"
                             "\"generationConfig\":{\"temperature\":0.0}}"));
    assert_false(kept(GEMINI, "{\"contents\":[]}"));
    assert_true(kept("/v1/embeddings", "{\"model\":\"e\",\"input\":\"x\"}"));
    assert_false(kept("/v1/images/generations",
                      "{\"model\":\"i\",\"prompt\":\"x\",\"seed\":1}"));
}


static void
test_what_lies_elsewhere_is_not_kept(void **state)
{
    (void) state;

    assert_false(kept("/v1/responses", "{\"model\":\"gpt-4o\",\"input\":\"x\","
                      "\"temperature\":0,\"previous_response_id\":\"r\"}"));
    assert_false(kept("/v1/responses", "{\"model\":\"gpt-4o\",\"input\":\"x\","
                      "\"temperature\":0,\"background\":true}"));
    assert_false(kept("/v1/responses", "{\"model\":\"gpt-4o\",\"input\":\"x\","
                      "\"temperature\":0,"
                      "\"tools\":[{\"type\":\"web_search\"}]}"));
    assert_true(kept("/v1/responses", "{\"model\":\"gpt-4o\",\"input\":\"x\","
                     "\"temperature\":0}"));
}


static void
test_another_call_has_another_key(void **state)
{
    ask_t  base = { .path = CHAT, .body = WITH(",\"temperature\":0") };
    ask_t  other = base;

    (void) state;

    assert_true(same(&base, &other));

    other.body = WITH(",\"temperature\":0 ");
    assert_false(same(&base, &other));

    other.body = WITH(",\"temperature\":0,\"stream\":true");
    assert_false(same(&base, &other));

    other = base;
    other.beta = "context-1m";
    assert_false(same(&base, &other));

    other = base;
    other.path = "/other" CHAT;
    assert_false(same(&base, &other));
}


static void
test_no_answer_crosses_tenants(void **state)
{
    ask_t  ann = { .path = CHAT, .body = WITH(",\"temperature\":0"),
                   .id = "ann", .team = "red" };
    ask_t  bob = ann;

    (void) state;

    bob.id = "bob";
    assert_true(same(&ann, &bob));

    bob.team = "blue";
    assert_false(same(&ann, &bob));

    ann.org = bob.org = "acme";
    assert_true(same(&ann, &bob));

    bob.org = "other";
    assert_false(same(&ann, &bob));

    ann.org = ann.team = bob.org = bob.team = NULL;
    assert_false(same(&ann, &bob));

    bob.id = "red";
    ann.team = "red";
    assert_false(same(&ann, &bob));

    ann.id = bob.id = NULL;
    assert_true(same(&ann, &bob));

    bob.authorization = "Bearer sk-b";
    assert_false(same(&ann, &bob));
}


int
main(void)
{
    int          rc;
    tg_error_t   err;
    tg_arena_t  *arena = tg_arena_create(0);

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_only_the_one_answer_is_kept),
        cmocka_unit_test(test_what_lies_elsewhere_is_not_kept),
        cmocka_unit_test(test_another_call_has_another_key),
        cmocka_unit_test(test_no_answer_crosses_tenants),
    };

    assert_int_equal(tg_dialect_setup(tg_arena_mem(arena), &err), TG_OK);

    rc = cmocka_run_group_tests(tests, NULL, NULL);
    tg_arena_destroy(arena);

    return rc;
}
