/* Calls that go on to another target, and what the attempts cost. */

#include "routed.h"

#define DEAR  "{\"model\":\"gpt-dear\",\"messages\":[{\"role\":\"user\","      \
              "\"content\":\"hello, this is a prompt of some length\"}],"      \
              "\"max_tokens\":800,\"temperature\":0.5}"
#define OTHER  "\"messages\":[{\"role\":\"user\",\"content\":"                 \
               "\"hello, this is a prompt of some length\"}]"
#define ROUTE  "llm_route r to=openai/gpt-mini,spare/o9-think,"                \
               "anthropic/claude-x,gpu/llama\n"


static void
test_the_next_target_gets_the_body_as_it_is_for_it(void **state)
{
    char      file[] = DEAR;
    json_t   *v;
    routed_t  f;

    (void) state;
    begin(&f, ROUTE);
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    to_is(&f, "openai", "api.openai.com", CHAT);
    body_is(&f, file, "{\"model\":\"gpt-mini\"," OTHER ",\"temperature\":0.5,"
            "\"max_completion_tokens\":500}");

    assert_int_equal(failed(&f, TG_FAIL_CONNECT, 0, NULL), TG_OK);
    to_is(&f, "spare", "spare.example", "/openai/v1/chat/completions");
    body_is(&f, file, "{\"model\":\"o9-think\"," OTHER ",\"temperature\":0.5,"
            "\"max_completion_tokens\":800}");

    assert_int_equal(failed(&f, TG_FAIL_STATUS, 429, "7"), TG_OK);
    to_is(&f, "anthropic", "api.anthropic.com", CLAUDE);
    assert_true(tg_call_hop(f.call)->whole);
    body_is(&f, file, "{\"model\":\"claude-x\",\"messages\":[{\"role\":"
            "\"user\",\"content\":[{\"type\":\"text\",\"text\":"
            "\"hello, this is a prompt of some length\"}]}],"
            "\"temperature\":0.5,\"max_tokens\":800}");

    assert_int_equal(failed(&f, TG_FAIL_STATUS, 529, NULL), TG_OK);
    to_is(&f, "gpu", "10.0.0.9:8000", "/serve/v1/chat/completions");
    assert_false(tg_call_hop(f.call)->whole);
    body_is(&f, file, "{\"model\":\"llama\"," OTHER ",\"temperature\":0.5,"
            "\"max_tokens\":800}");

    assert_int_equal(failed(&f, TG_FAIL_CONNECT, 0, NULL), TG_ERROR);
    assert_string_equal(says(&f, "x-llm-target"), "gpu/llama");
    answer(&f, 200, "{\"usage\":{\"prompt_tokens\":10,"
                    "\"completion_tokens\":5}}");

    assert_int_equal(tg_call_lines(f.call), 1);
    v = line(&f, 0);
    assert_int_equal(int_of(v, "llm.attempt"), 4);
    assert_true(json_is_true(json_object_get(v, "llm.final")));
    assert_int_equal(json_array_size(json_object_get(v, "llm.fallbacks")), 3);
    assert_string_equal(json_string_value(json_array_get(
                            json_object_get(v, "llm.fallbacks"), 1)),
                        "spare/o9-think: 429");
    json_decref(v);
    end(&f);
}


static void
test_what_one_does_not_take_the_next_gets_again(void **state)
{
    char      file[] = DEAR;
    routed_t  f;

    (void) state;
    begin(&f, "llm_route r to=openai/gpt-5-x,openai/gpt-mini\n");
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    assert_int_equal(f.bodies, 1);
    body_is(&f, file, "{\"model\":\"gpt-5-x\"," OTHER
            ",\"max_completion_tokens\":800}");
    assert_int_equal(failed(&f, TG_FAIL_STATUS, 500, NULL), TG_OK);
    body_is(&f, file, "{\"model\":\"gpt-mini\"," OTHER ",\"temperature\":0.5,"
            "\"max_completion_tokens\":500}");
    end(&f);
}


/* Any body, with blanks anywhere, its members in any order. */
static void
random_body(char *p, unsigned *seed)
{
    static const char *const  members[] = {
        "\"model\":\"gpt-dear\"", "\"mod\\u0065l\":\"gpt-dear\"",
        "\"messages\":[{\"role\":\"user\",\"content\":\"a, {b\"}]",
        "\"stream\":true", "\"stream_options\":{\"x\" : 1}",
        "\"stream_options\":{\"include_usage\":false}",
        "\"max_tokens\":9999", "\"max_tokens\" : 7",
        "\"max_completion_tokens\": 800 ", "\"temperature\":0.25",
        "\"logit_bias\":{\"a\":[1,2]}", "\"top_p\" : 1",
        "\"reasoning_effort\":\"low\"", "\"verbosity\":\"low\"",
        "\"seed\":7", "\"x\":{\"model\":\"b\",\"max_tokens\":1}"
    };
    static const int   group[] = {
        0, 0, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9, 10, 11, 12
    };
    static const char *const  blanks[] = { "", "", " ", "\n  ", "\t" };

    bool      first = true;
    unsigned  had = 0, k, n = sizeof(members) / sizeof(members[0]);

    *p++ = '{';

    for (unsigned i = 0; i < 24 || !(had & 1); i++) {
        k = (unsigned) rand_r(seed) % n;

        if (had >> group[k] & 1) {
            continue;
        }

        had |= 1u << group[k];
        p += sprintf(p, "%s%s%s", first ? "" : ",",
                     blanks[(unsigned) rand_r(seed) % 5], members[k]);
        p += sprintf(p, "%s", blanks[(unsigned) rand_r(seed) % 5]);
        first = false;
    }

    (void) sprintf(p, "}%s", blanks[(unsigned) rand_r(seed) % 5]);
}


static void
same(json_t *a, json_t *b, const char *key)
{
    a = json_object_get(a, key);
    b = json_object_get(b, key);
    assert_true((a == NULL) == (b == NULL));
    assert_true(a == NULL || json_equal(a, b));
}


static void
test_no_hop_leaves_a_trace_in_the_next_ones_body(void **state)
{
    static const char *const  ours[] = {
        "model", "stream_options", "max_tokens", "max_completion_tokens",
        "temperature", "top_p", "logit_bias", "reasoning_effort", "verbosity"
    };

    char         body[2048], file[2048], fresh[2048];
    json_t      *came, *a, *b;
    unsigned     seed = 1;
    routed_t     f;

    (void) state;
    begin(&f, "llm_route r to=openai/gpt-5-x,spare/gpt-mini,gpu/llama,"
              "openai/gpt-dear,spare/o9-think\n");
    f.gate.breakers = NULL;

    for (unsigned i = 0; i < 1000; i++) {
        random_body(body, &seed);
        came = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(came);
        memcpy(file, body, sizeof(body));
        assert_int_equal(send(&f, CHAT, body), TG_OK);

        for (unsigned hop = 0; hop < 5; hop++) {
            memcpy(fresh, body, sizeof(body));
            a = hop_body(&f, file);
            b = hop_body(&f, fresh);

            if (!json_equal(a, b)) {
                fail_msg("%s, hop %u: %s, but from a file %s", body, hop,
                         json_dumps(b, 0), json_dumps(a, 0));
            }

            assert_string_equal(text_of(a, "model"),
                                strchr(says(&f, "x-llm-target"), '/') + 1);

            /* What the first did not take is there again. */

            if (hop > 0 && hop < 4) {
                same(a, came, "temperature");
                same(a, came, "logit_bias");
            }

            for (unsigned k = 0; k < sizeof(ours) / sizeof(ours[0]); k++) {
                (void) json_object_del(a, ours[k]);
                (void) json_object_del(b, ours[k]);
            }

            json_decref(b);
            b = json_copy(came);

            for (unsigned k = 0; k < sizeof(ours) / sizeof(ours[0]); k++) {
                (void) json_object_del(b, ours[k]);
            }

            assert_true(json_equal(a, b));
            json_decref(a);
            json_decref(b);

            if (hop < 4) {
                assert_int_equal(failed(&f, TG_FAIL_CONNECT, 0, NULL), TG_OK);
            }
        }

        json_decref(came);
    }

    end(&f);
}


static void
test_a_clients_mistake_is_no_ones_failure(void **state)
{
    static const unsigned  statuses[] = { 400, 401, 403, 404, 408, 413, 422 };

    routed_t  f;

    (void) state;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        begin(&f, ROUTE);
        assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
        assert_false(tg_call_falls_back(f.call, TG_FAIL_STATUS, statuses[i]));
        assert_int_equal(failed(&f, TG_FAIL_STATUS, statuses[i], NULL),
                         TG_ERROR);
        to_is(&f, "openai", "api.openai.com", CHAT);
        end(&f);
    }
}


static void
test_an_attempt_that_may_be_billed_has_a_line(void **state)
{
    json_t      *v, *w;
    json_int_t   cost;
    routed_t     f;

    (void) state;
    begin(&f, "llm_ledger /nowhere\n"
              "llm_quota day per=all usd=10/day tokens=100000/day\n"
              "llm_route r to=openai/gpt-dear,openai/gpt-mini,gpu/llama\n");
    routed_ledger(&f);
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    tg_call_sent(f.call, &f.gate);
    assert_int_equal(failed(&f, TG_FAIL_TIMEOUT, 0, NULL), TG_OK);
    assert_int_equal(failed(&f, TG_FAIL_STATUS, 503, NULL), TG_OK);
    answer(&f, 200, "{\"model\":\"llama\",\"usage\":{\"prompt_tokens\":10,"
                    "\"completion_tokens\":5}}");

    assert_int_equal(tg_call_lines(f.call), 2);
    v = line(&f, 0);
    w = line(&f, 1);
    assert_true(json_is_false(json_object_get(v, "llm.final")));
    assert_true(json_is_true(json_object_get(w, "llm.final")));
    assert_int_equal(int_of(v, "llm.attempt"), 1);
    assert_int_equal(int_of(w, "llm.attempt"), 3);
    assert_string_not_equal(text_of(v, "event.id"), text_of(w, "event.id"));
    assert_string_equal(text_of(v, "llm.call_id"), text_of(w, "llm.call_id"));
    assert_string_equal(text_of(v, "llm.provider"), "openai");
    assert_string_equal(text_of(w, "llm.provider"), "gpu");
    assert_string_equal(text_of(v, "llm.usage.source"), "estimated");
    assert_string_equal(text_of(v, "error.type"), "upstream_timeout");
    assert_int_equal(int_of(v, "gen_ai.usage.output_tokens"), 0);
    cost = int_of(v, "llm.cost.total_nusd");
    assert_true(cost > 0);
    assert_int_equal(int_of(w, "llm.cost.total_nusd"), 0);
    json_decref(v);
    json_decref(w);

    /* The quota has the sum. */

    assert_int_equal(send(&f, CHAT, "{\"model\":\"gpt-dear\"}"), TG_OK);
    {
        uint32_t           i = 0;
        bool               found = false;
        tg_ledger_entry_t  e;

        while (tg_ledger_each(&f.led, &i, &e)) {
            found |= e.used == cost;
        }

        assert_true(found);
    }
    end(&f);
}


static void
test_the_last_attempt_may_be_billed_without_an_answer(void **state)
{
    json_t    *v;
    routed_t   f;

    (void) state;
    begin(&f, "llm_route r to=openai/gpt-dear\n");
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    assert_int_equal(failed(&f, TG_FAIL_TIMEOUT, 0, NULL), TG_ERROR);
    tg_call_answer(f.call, 504, tg_str("text/html"), false);
    tg_call_finish(f.call, TG_END_COMPLETE, 504, &f.gate, &f.now);
    assert_int_equal(tg_call_lines(f.call), 1);
    v = line(&f, 0);
    assert_string_equal(text_of(v, "llm.usage.source"), "estimated");
    assert_true(int_of(v, "llm.cost.total_nusd") > 0);
    json_decref(v);
    end(&f);

    /* What was never sent, or was refused, is not. */

    begin(&f, "llm_route r to=openai/gpt-dear\n");
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    assert_int_equal(failed(&f, TG_FAIL_CONNECT, 0, NULL), TG_ERROR);
    tg_call_answer(f.call, 502, tg_str("text/html"), false);
    tg_call_finish(f.call, TG_END_COMPLETE, 502, &f.gate, &f.now);
    v = line(&f, 0);
    assert_int_equal(int_of(v, "llm.cost.total_nusd"), 0);
    json_decref(v);
    end(&f);
}


static int64_t
held(routed_t *f, int64_t used)
{
    int64_t            sum = 0;
    uint32_t           i = 0;
    tg_ledger_entry_t  e;

    while (tg_ledger_each(&f->led, &i, &e)) {
        sum += e.held;
        assert_int_equal(e.used, used);
    }

    return sum;
}


static void
test_what_is_held_is_enough_for_every_attempt(void **state)
{
    json_t    *v;
    int64_t    one, two, three, gone;
    routed_t   f;

    (void) state;

    {
        static const char *const  to[] = {
            "openai/gpt-mini", "openai/gpt-mini,openai/gpt-dear",
            "openai/gpt-dear,openai/gpt-mini,anthropic/claude-x"
        };
        int64_t  sums[3];

        for (unsigned i = 0; i < 3; i++) {
            char  text[256];

            (void) snprintf(text, sizeof(text), "llm_ledger /nowhere\n"
                            "llm_quota day per=all usd=10/day\n"
                            "llm_route r to=%s\n", to[i]);
            begin(&f, text);
            routed_ledger(&f);
            assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
            sums[i] = held(&f, 0);
            end(&f);
        }

        one = sums[0];
        two = sums[1];
        three = sums[2];
    }

    /* The prompt has less than 300 tokens: at gpt-dear 3e6, at most. */

    assert_true(one > 800 * INT64_C(2000));
    assert_true(two > 800 * INT64_C(30000) + one - 800 * INT64_C(2000));
    assert_true(two < 800 * INT64_C(30000) + 4500000);
    assert_true(three > two);

    /* And what each attempt was billed at most is within it. */

    begin(&f, "llm_ledger /nowhere\nllm_quota day per=all usd=10/day\n"
              "llm_route r to=openai/gpt-mini,openai/gpt-dear\n");
    routed_ledger(&f);
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    tg_call_sent(f.call, &f.gate);
    assert_int_equal(failed(&f, TG_FAIL_TIMEOUT, 0, NULL), TG_OK);
    answer(&f, 200, "{\"model\":\"gpt-dear\",\"usage\":{\"prompt_tokens\":40,"
                    "\"completion_tokens\":800}}");
    v = line(&f, 0);
    gone = int_of(v, "llm.cost.total_nusd");
    json_decref(v);
    v = line(&f, 1);
    gone += int_of(v, "llm.cost.total_nusd");
    json_decref(v);
    assert_true(gone <= two);
    assert_int_equal(held(&f, gone), 0);
    end(&f);
}


static void
test_what_fails_again_and_again_is_passed_over(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "llm_route r to=openai/gpt-dear,gpu/llama\n");

    for (unsigned i = 0; i < TG_BREAKER_FAILURES; i++) {
        assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
        to_is(&f, "openai", "api.openai.com", CHAT);
        assert_int_equal(failed(&f, TG_FAIL_CONNECT, 0, NULL), TG_OK);
        answer(&f, 200, "{}");
    }

    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    to_is(&f, "gpu", "10.0.0.9:8000", "/serve/v1/chat/completions");

    /* It is still there for who has no other. */

    assert_int_equal(failed(&f, TG_FAIL_CONNECT, 0, NULL), TG_OK);
    to_is(&f, "openai", "api.openai.com", CHAT);

    /* One call tries it again. */

    f.now.mono_ns += (TG_BREAKER_FIRST_MS + 1000) * MS;
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    to_is(&f, "openai", "api.openai.com", CHAT);
    {
        tg_call_t  *probe = f.call;

        assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
        to_is(&f, "gpu", "10.0.0.9:8000", "/serve/v1/chat/completions");
        f.call = probe;
    }

    answer(&f, 200, "{}");
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    to_is(&f, "openai", "api.openai.com", CHAT);
    end(&f);
}


/* httpd asks of every answer that is none of success whether it goes elsewhere. */
static void
test_a_clients_mistake_shows_that_a_target_works(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "llm_route r to=openai/gpt-dear,gpu/llama\n");

    for (unsigned i = 0; i < TG_BREAKER_FAILURES; i++) {
        assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
        assert_int_equal(failed(&f, TG_FAIL_CONNECT, 0, NULL), TG_OK);
        answer(&f, 200, "{}");
    }

    f.now.mono_ns += (TG_BREAKER_FIRST_MS + 1000) * MS;

    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
        to_is(&f, "openai", "api.openai.com", CHAT);
        assert_int_equal(failed(&f, TG_FAIL_STATUS, 400, NULL), TG_ERROR);
        answer(&f, 400, "{}");
    }

    end(&f);
}


static void
test_a_retry_after_is_obeyed(void **state)
{
    routed_t  f;

    (void) state;
    begin(&f, "llm_route r to=openai/gpt-dear,openai/gpt-mini\n");
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    assert_int_equal(failed(&f, TG_FAIL_STATUS, 429, "20"), TG_OK);
    answer(&f, 200, "{}");

    /* The other model of the same provider is as good as ever. */

    f.now.mono_ns += 19000 * MS;
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    assert_string_equal(says(&f, "x-llm-target"), "openai/gpt-mini");
    answer(&f, 200, "{}");

    f.now.mono_ns += 2000 * MS;
    assert_int_equal(send(&f, CHAT, DEAR), TG_OK);
    assert_string_equal(says(&f, "x-llm-target"), "openai/gpt-dear");
    end(&f);
}


static void
test_what_can_not_be_translated_goes_to_who_need_not(void **state)
{
    json_t              *v;
    routed_t             f;
    static const char    body[] =
        "{\"model\":\"gpt-dear\",\"messages\":[{\"role\":\"user\",\"content\":["
        "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\","
        "\"format\":\"wav\"}}]}]}";

    (void) state;
    begin(&f, "llm_route r to=anthropic/claude-x,gpu/llama\n");
    assert_int_equal(send(&f, CHAT, body), TG_OK);
    to_is(&f, "gpu", "10.0.0.9:8000", "/serve/v1/chat/completions");
    end(&f);

    begin(&f, "llm_route r to=anthropic/claude-x\n");
    assert_int_equal(send(&f, CHAT, body), TG_ERROR);
    assert_int_equal(f.refusal.status, 400);
    v = json_loadb(f.refusal.body.p, f.refusal.body.len, 0, NULL);
    assert_non_null(strstr(text_of(json_object_get(v, "error"), "message"),
                           "messages[0].content[0]"));
    json_decref(v);
    end(&f);

    /* And of two that fail, the one that got it has the last word. */

    begin(&f, "llm_route r to=gpu/llama,anthropic/claude-x\n");
    assert_int_equal(send(&f, CHAT, body), TG_OK);
    assert_int_equal(failed(&f, TG_FAIL_STATUS, 503, NULL), TG_ERROR);
    to_is(&f, "gpu", "10.0.0.9:8000", "/serve/v1/chat/completions");
    end(&f);
}


static int
gather(void *data, const char *p, size_t n)
{
    strncat(data, p, n);

    return 0;
}


static void
test_an_answer_comes_in_the_clients_own_words(void **state)
{
    char        got[4096] = "";
    json_t     *v;
    routed_t    f;
    unsigned    status = 200;
    tg_str_t    type = tg_str("application/json");
    static const char  text[] =
        "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","
        "\"model\":\"claude-x\",\"content\":[{\"type\":\"text\",\"text\":"
        "\"hi\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":7,"
        "\"output_tokens\":3}}";

    (void) state;
    begin(&f, "");
    assert_int_equal(send(&f, CHAT, "{\"model\":\"claude-x\",\"messages\":[{"
                          "\"role\":\"user\",\"content\":\"a\"}]}"), TG_OK);
    to_is(&f, "anthropic", "api.anthropic.com", CLAUDE);
    assert_int_equal(tg_call_hop(f.call)->nheaders, 1);
    assert_string_equal(tg_call_hop(f.call)->headers[0].name.p,
                        "anthropic-version");

    tg_call_answer(f.call, 200, type, false);
    assert_true(tg_call_alters(f.call));
    tg_call_answer_head(f.call, &status, &type);
    assert_int_equal(status, 200);
    assert_int_equal(tg_call_filter(f.call, text, sizeof(text) - 1, &f.now,
                                    gather, got), TG_OK);
    assert_int_equal(tg_call_filter_end(f.call, gather, got), TG_OK);
    v = json_loads(got, 0, NULL);
    assert_string_equal(text_of(v, "object"), "chat.completion");
    json_decref(v);

    tg_call_finish(f.call, TG_END_COMPLETE, 200, &f.gate, &f.now);
    v = line(&f, 0);
    assert_string_equal(text_of(v, "gen_ai.provider.name"), "anthropic");
    assert_int_equal(int_of(v, "gen_ai.usage.input_tokens"), 7);
    assert_int_equal(int_of(v, "llm.cost.total_nusd"), 66000);
    json_decref(v);
    end(&f);
}


static void
test_a_model_that_asks_for_a_maximum_gets_its_own(void **state)
{
    json_t    *v;
    routed_t   f;

    (void) state;
    begin(&f, "");
    assert_int_equal(send(&f, CHAT, "{\"model\":\"claude-x\",\"messages\":[{"
                          "\"role\":\"user\",\"content\":\"a\"}]}"), TG_OK);
    v = hop_body(&f, NULL);
    assert_int_equal(int_of(v, "max_tokens"), 4000);
    json_decref(v);
    end(&f);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_the_next_target_gets_the_body_as_it_is_for_it),
        cmocka_unit_test(test_what_one_does_not_take_the_next_gets_again),
        cmocka_unit_test(test_no_hop_leaves_a_trace_in_the_next_ones_body),
        cmocka_unit_test(test_a_clients_mistake_is_no_ones_failure),
        cmocka_unit_test(test_an_attempt_that_may_be_billed_has_a_line),
        cmocka_unit_test(
            test_the_last_attempt_may_be_billed_without_an_answer),
        cmocka_unit_test(test_what_is_held_is_enough_for_every_attempt),
        cmocka_unit_test(test_what_fails_again_and_again_is_passed_over),
        cmocka_unit_test(
            test_a_clients_mistake_shows_that_a_target_works),
        cmocka_unit_test(test_a_retry_after_is_obeyed),
        cmocka_unit_test(test_what_can_not_be_translated_goes_to_who_need_not),
        cmocka_unit_test(test_an_answer_comes_in_the_clients_own_words),
        cmocka_unit_test(test_a_model_that_asks_for_a_maximum_gets_its_own)
    };

    return cmocka_run_group_tests(tests, routed_setup, routed_teardown);
}
