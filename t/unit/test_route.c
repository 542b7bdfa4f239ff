/* Where calls go: llm_pass, llm_route, and quotas that send them there. */

#include "routed.h"

#define DEAR  "{\"model\":\"gpt-dear\",\"messages\":[{\"role\":\"user\","      \
              "\"content\":\"hello\"}],\"max_tokens\":800}"


static void
test_a_call_goes_to_who_has_its_model(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "");

    assert_int_equal(send(&f, "/llm/v1/chat/completions", DEAR), TG_OK);
    to_is(&f, "openai", "api.openai.com", CHAT);
    body_is(&f, NULL, DEAR);
    assert_null(tg_call_hop(f.call)->edit);
    assert_string_equal(tg_call_hop(f.call)->scheme.p, "https");
    assert_int_equal(tg_call_hop(f.call)->nheaders, 1);
    assert_string_equal(tg_call_hop(f.call)->headers[0].value.p, "a");
    assert_string_equal(says(&f, "x-llm-route"), "");

    assert_int_equal(send(&f, CHAT, "{\"model\":\"llama-3\"}"), TG_OK);
    to_is(&f, "gpu", "10.0.0.9:8000", "/serve/v1/chat/completions");

    assert_int_equal(send(&f, CLAUDE, "{\"model\":\"claude-x\","
                          "\"max_tokens\":5}"), TG_OK);
    to_is(&f, "anthropic", "api.anthropic.com", CLAUDE);

    assert_int_equal(send(&f, "/v1beta/models/gemini-pro:streamGenerateContent"
                          "?alt=sse&key=secret", "{\"contents\":[]}"), TG_OK);
    to_is(&f, "google", "generativelanguage.googleapis.com",
          "/v1beta/models/gemini-pro:streamGenerateContent");
    assert_true(tg_str_eq(tg_call_hop(f.call)->args,
                          tg_str("alt=sse&key=secret")));
    end(&f);
}


static void
test_a_model_that_nobody_has_is_named(void **state)
{
    json_t    *v;
    routed_t   f;

    (void) state;
    begin(&f, "");

    assert_int_equal(send(&f, CHAT, "{\"model\":\"nope\"}"), TG_ERROR);
    assert_int_equal(f.refusal.status, 404);
    v = json_loadb(f.refusal.body.p, f.refusal.body.len, 0, NULL);
    assert_non_null(strstr(text_of(json_object_get(v, "error"), "message"),
                           "no model nope; there are gpt-*, o9-*, claude-*"));
    json_decref(v);
    assert_null(tg_call_hop(f.call));

    /* In the client's own shape. */

    assert_int_equal(send(&f, CLAUDE, "{\"model\":\"nope\"}"), TG_ERROR);
    v = json_loadb(f.refusal.body.p, f.refusal.body.len, 0, NULL);
    assert_string_equal(text_of(v, "type"), "error");
    json_decref(v);

    assert_int_equal(send(&f, "/v1/files", "{}"), TG_ERROR);
    assert_int_equal(f.refusal.status, 404);
    end(&f);
}


static void
test_who_does_not_say_what_it_has_gets_the_rest(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "llm_provider rest url=https://rest.example/api/v4\n");

    assert_int_equal(send(&f, CHAT, "{\"model\":\"glm-5\"}"), TG_OK);
    to_is(&f, "rest", "rest.example", "/api/v4/chat/completions");

    assert_int_equal(send(&f, "/v1/files", "{}"), TG_OK);
    to_is(&f, "rest", "rest.example", "/api/v4/v1/files");

    /* What a server might read as another path goes nowhere. */

    assert_int_equal(send(&f, "/v1/../../admin", "{}"), TG_ERROR);
    assert_int_equal(f.refusal.status, 400);
    assert_int_equal(send(&f, "/v1/%2e%2e/x", "{}"), TG_ERROR);
    end(&f);
}


static void
test_the_first_route_that_is_true_holds(void **state)
{
    json_t    *v;
    routed_t   f;

    (void) state;
    begin(&f, "llm_route big \"when=input_tokens > 100k\" to=anthropic/claude-x\n"
              "llm_route small \"when=input_tokens < 2k and not tools\""
              " to=gpu/llama\n"
              "llm_route rest to=openai/gpt-mini\n");

    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    to_is(&f, "gpu", "10.0.0.9:8000", "/serve/v1/chat/completions");
    body_is(&f, NULL, "{\"model\":\"llama\",\"messages\":[{\"role\":\"user\","
            "\"content\":\"hello\"}],\"max_tokens\":800}");
    assert_string_equal(says(&f, "x-llm-route"), "small");
    assert_string_equal(says(&f, "x-llm-target"), "gpu/llama");

    answer(&f, 200, "{\"model\":\"llama\",\"usage\":{\"prompt_tokens\":10,"
                    "\"completion_tokens\":5}}");
    v = line(&f, 0);
    assert_string_equal(text_of(v, "llm.route"), "small");
    assert_string_equal(text_of(v, "gen_ai.request.model"), "gpt-dear");
    assert_string_equal(text_of(v, "llm.sent_model"), "llama");
    assert_string_equal(text_of(v, "gen_ai.response.model"), "llama");
    assert_string_equal(text_of(v, "llm.provider"), "gpu");
    assert_int_equal(int_of(v, "llm.cost.total_nusd"), 0);
    assert_null(json_object_get(v, "llm.cost.unpriced"));
    json_decref(v);

    assert_int_equal(send(&f, CHAT, "{\"model\":\"gpt-dear\",\"tools\":[{}]}"),
                     TG_OK);
    assert_string_equal(says(&f, "x-llm-route"), "rest");

    /* A model that no provider has may be a route's all the same. */

    assert_int_equal(send(&f, CHAT, "{\"model\":\"smart\"}"), TG_OK);
    body_is(&f, NULL, "{\"model\":\"llama\"}");
    end(&f);
}


static void
test_only_what_writes_text_is_routed_unless_it_is_named(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "llm_route all to=gpu/llama\n");
    assert_int_equal(send(&f, "/v1/embeddings", "{\"model\":\"gpt-e\","
                          "\"input\":\"a\"}"), TG_OK);
    to_is(&f, "openai", "api.openai.com", "/v1/embeddings");
    end(&f);

    begin(&f, "llm_route all \"when=operation == 'embeddings'\" to=gpu/llama\n");
    assert_int_equal(send(&f, "/v1/embeddings", "{\"model\":\"gpt-e\","
                          "\"input\":\"a\"}"), TG_OK);
    to_is(&f, "gpu", "10.0.0.9:8000", "/serve/v1/embeddings");
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    to_is(&f, "openai", "api.openai.com", CHAT);
    end(&f);
}


static void
test_what_the_path_says_is_rewritten_there(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "llm_route g to=google/gemini-flash\n");
    assert_int_equal(send(&f, "/x/v1beta/models/gemini-pro:generateContent",
                          "{\"contents\":[]}"), TG_OK);
    to_is(&f, "google", "generativelanguage.googleapis.com",
          "/v1beta/models/gemini-flash:generateContent");
    assert_null(tg_call_hop(f.call)->edit);
    end(&f);
}


static void
test_a_deployment_is_azures_own(void **state)
{
    static const char  path[] =
        "/openai/deployments/gpt-dear/chat/completions?api-version=2024-10-21";

    routed_t  f;

    (void) state;
    begin(&f, "llm_provider az dialect=azure url=https://a.openai.azure.com"
              " models=dep-*\n"
              "llm_route there \"when=header('x-to') == 'az'\" to=az/dep-b\n"
              "llm_route here \"when=header('x-to') == 'oa'\""
              " to=openai/gpt-mini\n");

    f.headers = (const char *[]) { "x-to", "az", NULL };
    assert_int_equal(send(&f, path, "{\"messages\":[]}"), TG_OK);
    to_is(&f, "az", "a.openai.azure.com",
          "/openai/deployments/dep-b/chat/completions");
    body_is(&f, NULL, "{\"messages\":[]}");

    f.headers = (const char *[]) { "x-to", "oa", NULL };
    assert_int_equal(send(&f, path, "{\"messages\":[]}"), TG_OK);
    to_is(&f, "openai", "api.openai.com", CHAT);
    body_is(&f, NULL, "{\"messages\":[],\"model\":\"gpt-mini\"}");
    end(&f);
}


static void
test_the_cheapest_for_this_very_call_is_first(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "llm_provider nobody dialect=openai url=https://n.example\n"
              "llm_route c to=cheapest(openai/gpt-dear,nobody/unpriced,"
              "openai/gpt-mini,anthropic/claude-x)\n");
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    assert_string_equal(says(&f, "x-llm-target"), "openai/gpt-mini");
    assert_int_equal(failed(&f, TG_FAIL_STATUS, 503, NULL), TG_OK);
    assert_string_equal(says(&f, "x-llm-target"), "anthropic/claude-x");
    assert_int_equal(failed(&f, TG_FAIL_STATUS, 503, NULL), TG_OK);
    assert_string_equal(says(&f, "x-llm-target"), "openai/gpt-dear");
    assert_int_equal(failed(&f, TG_FAIL_STATUS, 503, NULL), TG_OK);
    assert_string_equal(says(&f, "x-llm-target"), "nobody/unpriced");
    assert_int_equal(failed(&f, TG_FAIL_STATUS, 503, NULL), TG_ERROR);
    end(&f);
}


static void
test_weights_split_by_session(void **state)
{
    char          session[16];
    unsigned      canary = 0;
    routed_t      f;
    const char   *first;

    (void) state;
    begin(&f, "llm_tag session from=header:x-session\n"
              "llm_route split to=openai/gpt-dear,openai/gpt-mini"
              " weight=90,10\n");

    for (unsigned i = 0; i < 1000; i++) {
        (void) snprintf(session, sizeof(session), "s%u", i);
        f.headers = (const char *[]) { "x-session", session, NULL };

        assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
        canary += strstr(says(&f, "x-llm-target"), "mini") != NULL;
    }

    assert_in_range(canary, 70, 130);

    /* The same session goes the same way. */

    f.headers = (const char *[]) { "x-session", "s77", NULL };
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    first = strdup(says(&f, "x-llm-target"));

    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
        assert_string_equal(says(&f, "x-llm-target"), first);
    }

    free((void *) (uintptr_t) first);
    end(&f);
}


static void
test_a_dry_run_says_what_it_would_have_saved(void **state)
{
    json_t    *v;
    routed_t   f;

    (void) state;
    begin(&f, "llm_route d to=openai/gpt-mini dry_run\n");
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    body_is(&f, NULL, DEAR);
    assert_string_equal(says(&f, "x-llm-route"), "");
    answer(&f, 200, "{\"model\":\"gpt-dear\",\"usage\":{\"prompt_tokens\":1000,"
                    "\"completion_tokens\":1000}}");
    v = line(&f, 0);
    assert_string_equal(text_of(v, "llm.route_dry"), "d");
    assert_string_equal(text_of(v, "llm.route_dry_to"), "openai/gpt-mini");
    assert_int_equal(int_of(v, "llm.cost.total_nusd"), 40000000);
    assert_true(json_number_value(json_object_get(v, "llm.route_dry_saved"))
                == 0.037);
    assert_null(json_object_get(v, "llm.route"));
    json_decref(v);
    end(&f);

    begin(&f, "llm dry_run\nllm_route d to=openai/gpt-mini\n"
              + strlen("llm dry_run\n"));
    f.scope.enable = TG_DRY_RUN;
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    body_is(&f, NULL, DEAR);
    end(&f);
}


static void
test_what_the_target_calls_otherwise(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "llm_route think \"when=header('x-to') == 'o9'\""
              " to=openai/gpt-5-x\n"
              "llm_route llama \"when=header('x-to') == 'gpu'\" to=gpu/llama\n"
              "llm_route mini to=openai/gpt-mini\n");

    /* Its own name for the maximum, and no more than it has. */

    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    body_is(&f, NULL, "{\"model\":\"gpt-mini\",\"messages\":[{\"role\":"
            "\"user\",\"content\":\"hello\"}],\"max_completion_tokens\":500}");

    f.headers = (const char *[]) { "x-to", "gpu", NULL };
    assert_int_equal(send(&f, CHAT, "{\"max_completion_tokens\":50,"
                          "\"model\":\"a\",\"max_tokens\":40}"), TG_OK);
    body_is(&f, NULL, "{\"model\":\"llama\",\"max_tokens\":40}");

    /* What it refuses. */

    f.headers = (const char *[]) { "x-to", "o9", NULL };
    assert_int_equal(send(&f, CHAT, "{\"temperature\":0.5,\"model\":\"a\","
                          "\"top_p\":1,\"logit_bias\":{\"a\":1},"
                          "\"reasoning_effort\":\"low\",\"seed\":7}"), TG_OK);
    body_is(&f, NULL, "{\"model\":\"gpt-5-x\",\"reasoning_effort\":\"low\","
            "\"seed\":7}");

    f.headers = NULL;
    assert_int_equal(send(&f, CHAT, "{\"temperature\":0.5,\"model\":\"a\","
                          "\"reasoning_effort\":\"low\"}"), TG_OK);
    body_is(&f, NULL, "{\"model\":\"gpt-mini\",\"temperature\":0.5}");
    end(&f);
}


static void
test_a_static_location_only_has_its_model_rewritten(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "llm_pass off\n"
              "llm_route away to=gpu/llama\n"
              "llm_route mini to=gpu/llama,openai/gpt-mini,spare/gpt-s\n");

    assert_int_equal(send_to(&f, "api.openai.com", CHAT, DEAR), TG_OK);
    assert_null(tg_call_hop(f.call));
    body_is(&f, NULL, "{\"model\":\"gpt-mini\",\"messages\":[{\"role\":"
            "\"user\",\"content\":\"hello\"}],\"max_completion_tokens\":500}");
    assert_string_equal(says(&f, "x-llm-route"), "mini");
    assert_false(tg_call_falls_back(f.call, TG_FAIL_CONNECT, 0));
    assert_int_equal(failed(&f, TG_FAIL_CONNECT, 0, NULL), TG_ERROR);

    assert_int_equal(send_to(&f, "elsewhere.example", CHAT, DEAR), TG_OK);
    assert_null(tg_call_edit(f.call));
    end(&f);
}


static void
test_a_quota_sends_elsewhere_instead_of_refusing(void **state)
{
    json_t    *v;
    routed_t   f;

    (void) state;
    begin(&f, "llm_ledger /nowhere\n"
              "llm_quota soft per=all usd=0.05/day action=route:eco\n"
              "llm_quota hard per=all requests=3/day\n"
              "llm_route eco to=openai/gpt-mini,gpu/llama\n");
    routed_ledger(&f);

    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    assert_string_equal(says(&f, "x-llm-route"), "");
    answer(&f, 200, "{\"model\":\"gpt-dear\",\"usage\":{\"prompt_tokens\":10,"
                    "\"completion_tokens\":1000}}");

    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
        assert_string_equal(says(&f, "x-llm-route"), "eco");
        assert_string_equal(says(&f, "x-llm-target"), "openai/gpt-mini");
        answer(&f, 200, "{\"model\":\"gpt-mini\",\"usage\":{\"prompt_tokens\":"
                        "10,\"completion_tokens\":400000}}");
        v = line(&f, 0);
        assert_string_equal(text_of(v, "llm.decision"), "allow");
        assert_string_equal(text_of(v, "llm.route"), "eco");
        json_decref(v);
    }

    /* Other quotas hold there, too. */

    assert_int_equal(send(&f, CHAT, DEAR), TG_ERROR);
    assert_int_equal(f.refusal.status, 429);
    v = line(&f, 0);
    assert_string_equal(text_of(v, "llm.rule"), "hard");
    json_decref(v);
    end(&f);
}


static void
test_a_share_used_is_a_condition(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "llm_ledger /nowhere\n"
              "llm_quota day per=all requests=2/day\n"
              "llm_route eco \"when=used(day) >= 50%\" to=gpu/llama\n");
    routed_ledger(&f);

    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    to_is(&f, "openai", "api.openai.com", CHAT);
    answer(&f, 200, "{}");
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    to_is(&f, "gpu", "10.0.0.9:8000", "/serve/v1/chat/completions");
    end(&f);
}


static void
test_credentials_stay_with_whom_they_are_meant_for(void **state)
{
    routed_t     f;
    tg_error_t   err;
    tg_header_t  own;

    (void) state;
    begin(&f, "llm_route g \"when=header('x-to') == 'gpu'\" to=gpu/llama\n"
              "llm_provider keyed dialect=anthropic url=https://k.example"
              " key=file:/k models=k-*\n");
    assert_int_equal(tg_conf_provider_key(f.conf, 5, tg_str("sk-k"), &err),
                     TG_OK);

    /* The client's own goes to who has the model it asks for. */

    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    assert_false(tg_call_credentials(f.call, &own));
    assert_int_equal(tg_call_hop(f.call)->nhidden, 0);

    /* But to nobody else. */

    f.headers = (const char *[]) { "x-to", "gpu", NULL };
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    assert_true(tg_call_credentials(f.call, &own));
    assert_int_equal(own.name.len, 0);
    assert_true(tg_call_hop(f.call)->nhidden != 0);

    /* A provider's own key takes their place. */

    f.headers = NULL;
    assert_int_equal(send(&f, CLAUDE, "{\"model\":\"k-1\",\"max_tokens\":1}"),
                     TG_OK);
    assert_true(tg_call_credentials(f.call, &own));
    assert_string_equal(own.name.p, "x-api-key");
    assert_true(tg_str_eq(own.value, tg_str("sk-k")));
    end(&f);
}


static void
test_models_of_all_providers_are_listed(void **state)
{
    json_t          *v;
    routed_t         f;
    tg_id_source_t   ids;
    unsigned char    seed[32] = { 7 };
    tg_call_head_t   head = { 0 };

    (void) state;
    begin(&f, "");
    tg_id_seed(&ids, seed);
    head.method = tg_str("GET");
    head.path = tg_str("/v1/models");
    f.call = tg_call_create(tg_arena_mem(f.arena), f.conf, &f.scope,
                            &routed_host, &f, &head, &ids, &f.now);
    assert_int_equal(tg_call_enter(f.call, &f.gate, &f.refusal), TG_ERROR);
    assert_int_equal(f.refusal.status, 200);
    v = json_loadb(f.refusal.body.p, f.refusal.body.len, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(v, "data")), 5);
    assert_string_equal(text_of(json_array_get(json_object_get(v, "data"), 0),
                                "id"), "claude-x");
    json_decref(v);
    end(&f);
}


static void
test_a_providers_key_is_not_for_everything(void **state)
{
    routed_t    f;
    tg_error_t  err;

    (void) state;
    begin(&f, "llm_provider keyed dialect=openai url=https://k.example"
              " key=file:/k\n");
    assert_int_equal(tg_conf_provider_key(f.conf, 5, tg_str("sk-k"), &err),
                     TG_OK);
    assert_int_equal(send(&f, "/v1/files", "{}"), TG_ERROR);
    assert_int_equal(f.refusal.status, 403);
    assert_int_equal(send(&f, CHAT, "{\"model\":\"any\"}"), TG_OK);
    to_is(&f, "keyed", "k.example", CHAT);
    end(&f);
}


static void
test_mistakes_are_named(void **state)
{
    static const struct {
        const char  *text;
        const char  *says;
    } cases[] = {
        { "llm_route a\n", "takes:" },
        { "llm_route a dry_run\n", "needs to=" },
        { "llm_route a to=nobody/x\n", "no llm_provider \"nobody\"" },
        { "llm_route a to=default\nllm_provider default dialect=vllm\n",
          "no llm_provider \"default\"" },
        { "llm_route a to=openai/\n", "to= takes" },
        { "llm_route a to=openai,\n", "to= takes" },
        { "llm_route a to=openai/gpt-*\n", "to= takes" },
        { "llm_route a to=openai to=gpu\n", "to= is given twice" },
        { "llm_route a to=openai,gpu weight=1\n", "weight= takes a number for" },
        { "llm_route a to=openai,gpu weight=0,0\n", "leaves no target" },
        { "llm_route a to=cheapest(openai,gpu) weight=1,2\n", "none beside" },
        { "llm_route a to=openai when=nonsense\n", "nonsense" },
        { "llm_route a to=openai \"when=used(no) > 1%\"\n", "no quota" },
        { "llm_route a to=openai\nllm_route a to=gpu\n", "declared twice" },
        { "llm_ledger /l\nllm_quota q per=all requests=1/day"
          " action=route:none\n", "no llm_route \"none\"" },
        { "llm_provider x url=https://h/a?b\n", "url= takes" },
        { "llm_provider x url=https://h/a/../b\n", "url= takes" },
        { "llm_provider x url=https://u@h/\n", "url= takes" },
        { "llm_provider x url=https://h:99999\n", "url= takes" },
        { "llm_provider x url=https://h header=host:a\n", "can't set \"host\"" },
        { "llm_provider x url=https://h header=Authorization:a\n",
          "can't set" },
        { "llm_provider x url=https://h header=x-llm-a:b\n", "can't set" },
        { "llm_provider x url=https://h header=novalue\n", "header= takes" },
        { "llm_provider x url=https://h price=nobody\n", "vendor in price=" }
    };

    routed_t    f;
    tg_error_t  err;
    char        whole[4096];

    (void) state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(&f, "");
        f.conf = tg_conf_create(tg_arena_mem(f.arena));
        tg_scope_init(&f.scope);
        err.message[0] = '\0';
        (void) snprintf(whole, sizeof(whole), "%s%s", providers,
                        cases[i].text);

        if (routed_said(&f, whole, &err) == TG_OK
            || strstr(err.message, cases[i].says) == NULL)
        {
            fail_msg("%s said \"%s\"", cases[i].text, err.message);
        }

        end(&f);
    }
}


static void
warns(const char *text, const char *of)
{
    bool        found = false;
    unsigned    i = 0;
    routed_t    f;
    tg_error_t  warning;

    begin(&f, text);

    while (tg_conf_warning(f.conf, true, true, &i, &warning)) {
        found |= of != NULL && strstr(warning.message, of) != NULL;
        assert_true(of != NULL
                    || strstr(warning.message, "price list") != NULL);
    }

    assert_true(found == (of != NULL));
    end(&f);
}


static void
test_what_can_not_work_is_warned_of(void **state)
{
    (void) state;

    warns("llm_route a \"when=tools\" to=gpu/llama\nllm_route b to=gpu\n",
          NULL);
    warns("llm_route a to=gpu/llama\nllm_route b to=openai/gpt-x\n",
          "route \"b\" only gets what no target of \"a\"");
    warns("llm_route a to=gpu/gpt-x\n", "is none of provider \"gpu\"'s models=");
    warns("llm_provider k url=https://k.example key=file:/k\n",
          "there is no llm_keys");
    warns("llm_ledger /l\nllm_quota q per=all requests=1/day"
          " action=route:eco\nllm_route eco to=gpu/llama\n"
          "llm_route b to=openai/gpt-x\n", NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_a_call_goes_to_who_has_its_model),
        cmocka_unit_test(test_a_model_that_nobody_has_is_named),
        cmocka_unit_test(test_who_does_not_say_what_it_has_gets_the_rest),
        cmocka_unit_test(test_the_first_route_that_is_true_holds),
        cmocka_unit_test(
            test_only_what_writes_text_is_routed_unless_it_is_named),
        cmocka_unit_test(test_what_the_path_says_is_rewritten_there),
        cmocka_unit_test(test_a_deployment_is_azures_own),
        cmocka_unit_test(test_the_cheapest_for_this_very_call_is_first),
        cmocka_unit_test(test_weights_split_by_session),
        cmocka_unit_test(test_a_dry_run_says_what_it_would_have_saved),
        cmocka_unit_test(test_what_the_target_calls_otherwise),
        cmocka_unit_test(test_a_static_location_only_has_its_model_rewritten),
        cmocka_unit_test(test_a_quota_sends_elsewhere_instead_of_refusing),
        cmocka_unit_test(test_a_share_used_is_a_condition),
        cmocka_unit_test(test_credentials_stay_with_whom_they_are_meant_for),
        cmocka_unit_test(test_models_of_all_providers_are_listed),
        cmocka_unit_test(test_a_providers_key_is_not_for_everything),
        cmocka_unit_test(test_mistakes_are_named),
        cmocka_unit_test(test_what_can_not_work_is_warned_of)
    };

    return cmocka_run_group_tests(tests, routed_setup, routed_teardown);
}
