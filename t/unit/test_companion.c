/* What the metering and the upstream module tell each other: who is saturated,
 * what a call may take, and what it has taken; and the cap of a route that
 * begins where the own backends are full. */

#include "routed.h"

#include <string.h>

#define NDOLLAR  INT64_C(1000000000)
#define LLAMA    "{\"model\":\"llama\",\"messages\":[{\"role\":\"user\","       \
                 "\"content\":\"hello\"}],\"max_tokens\":400}"
#define USAGE    "{\"model\":\"llama\",\"choices\":[{\"message\":{\"content\":"  \
                 "\"x\"}}],\"usage\":{\"prompt_tokens\":1000,"                  \
                 "\"completion_tokens\":500}}"
#define BURST    "llm_route burst when=saturated(gpu) to=openai/gpt-mini"

/* The upstream module. */
static struct {
    bool                  looks_after;      /* gpu's upstream */
    bool                  saturated;
    bool                  healthy;
    bool                  was_there;        /* the call, at a backend */
    tg_companion_spent_t  spent;
    unsigned              settled;
    int64_t               told[4];
    char                  asked[128];       /* names of upstreams */
} up;

static int  request;


static void *
up_group(void *data, tg_str_t upstream)
{
    assert_ptr_equal(data, &up);
    (void) snprintf(up.asked + strlen(up.asked),
                    sizeof(up.asked) - strlen(up.asked), "%.*s ",
                    (int) upstream.len, upstream.p);

    return up.looks_after && tg_str_eq(upstream, tg_str("10.0.0.9:8000"))
           ? &up.saturated : NULL;
}


static bool
up_saturated(void *data, void *group)
{
    assert_ptr_equal(data, &up);
    assert_ptr_equal(group, &up.saturated);

    return up.saturated;
}


static bool
up_healthy(void *data, void *group)
{
    (void) data;
    assert_ptr_equal(group, &up.saturated);

    return up.healthy;
}


static bool
up_spent(void *data, void *r, tg_companion_spent_t *spent)
{
    (void) data;
    assert_ptr_equal(r, &request);
    *spent = up.spent;

    return up.was_there;
}


static void
up_settled(void *data, void *r, int64_t prompt_tokens, int64_t output_tokens,
    int64_t cost_nusd, int64_t cloud_nusd)
{
    (void) data;
    assert_ptr_equal(r, &request);
    up.settled++;
    up.told[0] = prompt_tokens;
    up.told[1] = output_tokens;
    up.told[2] = cost_nusd;
    up.told[3] = cloud_nusd;
}


static bool
up_owns(void *data, void *r)
{
    (void) data;

    return r == &up;
}


static tg_companion_upstream_t  companion = {
    TG_COMPANION_VERSION, &up, up_group, up_saturated, up_healthy, up_spent,
    up_settled, NULL, up_owns
};


static void
with(routed_t *f, const char *text)
{
    begin(f, text);
    memset(&up, 0, sizeof(up));
    up.looks_after = true;
    up.healthy = true;
    assert_true(tg_conf_companion(f->conf, &companion));
}


static int
call(routed_t *f, const char *body)
{
    int  rc = send(f, CHAT, body);

    tg_call_request(f->call, &request);

    return rc;
}


static void
spends(int64_t ns, int64_t cost)
{
    up.was_there = true;
    up.spent.server = tg_str("10.0.0.9:8000");
    up.spent.gpu_ns = ns;
    up.spent.cost_nusd = cost;
}


static void
goes_to(routed_t *f, const char *provider)
{
    assert_non_null(tg_call_hop(f->call));
    assert_string_equal(tg_call_hop(f->call)->provider->name.p, provider);
}


static void
test_calls_overflow_while_the_backends_are_full(void **state)
{
    routed_t  f;

    (void) state;
    with(&f, BURST);
    assert_non_null(strstr(up.asked, "api.openai.com 10") == NULL
                    ? strstr(up.asked, "10.0.0.9:8000 ") : NULL);

    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "gpu");

    up.saturated = true;
    assert_int_equal(call(&f, LLAMA), TG_OK);
    to_is(&f, "openai", "api.openai.com", CHAT);
    body_is(&f, NULL, "{\"model\":\"gpt-mini\",\"messages\":[{\"role\":"
                      "\"user\",\"content\":\"hello\"}],"
                      "\"max_completion_tokens\":400}");
    assert_string_equal(says(&f, "x-llm-route"), "burst");

    up.saturated = false;
    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "gpu");
    end(&f);
}


static void
test_whose_backends_are_all_down_is_not_healthy(void **state)
{
    routed_t  f;

    (void) state;
    with(&f, "llm_route away \"when=not healthy(gpu)\" to=openai/gpt-mini");

    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "gpu");
    up.healthy = false;
    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "openai");
    end(&f);
}


static unsigned
warned(routed_t *f, const char *of)
{
    unsigned    i = 0, n = 0;
    tg_error_t  warning;

    while (tg_conf_warning(f->conf, true, true, &i, &warning)) {
        n += strstr(warning.message, of) != NULL;
    }

    return n;
}


/* Neither it nor its contrary holds. */
static void
test_nobody_knows_what_is_not_looked_after(void **state)
{
    routed_t    f;
    const char  text[] = BURST "\nllm_route calm \"when=not saturated(gpu)\""
                               " to=openai/gpt-dear";

    (void) state;
    begin(&f, text);
    assert_true(tg_conf_companion(f.conf, NULL));
    assert_int_equal(warned(&f, "saturated() is never true: the companion"), 1);
    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "gpu");

    memset(&up, 0, sizeof(up));
    up.saturated = true;
    assert_true(tg_conf_companion(f.conf, &companion));
    assert_int_equal(warned(&f, "saturated(gpu) is never true: no upstream"),
                     1);
    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "gpu");

    assert_true(tg_conf_companion_owns(f.conf, &up));
    assert_false(tg_conf_companion_owns(f.conf, &request));

    companion.version++;
    assert_false(tg_conf_companion(f.conf, &companion));
    assert_null(f.conf->companion);
    assert_false(tg_conf_companion_owns(f.conf, &up));
    companion.version--;
    end(&f);

    with(&f, text);
    assert_int_equal(warned(&f, "saturated"), 0);
    end(&f);
}


static void
test_a_name_that_is_no_providers_is_told(void **state)
{
    routed_t    f;
    tg_error_t  err;

    (void) state;
    begin(&f, "");
    assert_int_equal(routed_said(&f, "llm_route x when=saturated(gpux)"
                                 " to=openai/gpt-mini\n", &err), TG_ERROR);
    assert_non_null(strstr(err.message, "\"gpux\" is the name of no"
                           " llm_provider"));
    end(&f);
}


static void
ask(routed_t *f, bool prefixes, tg_balance_ask_t *a)
{
    assert_true(tg_call_ask(f->call, &f->gate, prefixes, a));
}


static void
test_a_call_is_estimated_before_it_goes(void **state)
{
    char              body[2048];
    routed_t          f;
    tg_calibrate_t   *cal = calloc(1, sizeof(*cal));
    tg_balance_ask_t  a;

    (void) state;
    with(&f, "");

    /* Four bytes a token, and the maximum. */

    (void) snprintf(body, sizeof(body), "{\"model\":\"llama\",\"messages\":[{"
                    "\"role\":\"user\",\"content\":\"%0800d\"}],"
                    "\"max_tokens\":400}", 0);
    assert_int_equal(call(&f, body), TG_OK);
    ask(&f, false, &a);
    assert_int_equal(a.work.prompt_tokens, 200);
    assert_int_equal(a.work.output_tokens, 400);
    assert_int_equal(a.prefixes.n, 0);
    assert_int_equal(f.bodies, 0);

    /* What calls like it have taken, but not above the maximum. */

    f.gate.calibrate = cal;

    for (unsigned i = 0; i < TG_CALIBRATE_LEARN + 1; i++) {
        assert_int_equal(call(&f, body), TG_OK);
        answer(&f, 200, "{\"model\":\"llama\",\"choices\":[],\"usage\":{"
               "\"prompt_tokens\":100,\"completion_tokens\":40}}");
    }

    assert_int_equal(call(&f, body), TG_OK);
    ask(&f, false, &a);
    assert_in_range(a.work.prompt_tokens, 95, 105);
    assert_in_range(a.work.output_tokens, 40, 60);

    assert_int_equal(call(&f, "{\"model\":\"llama\",\"max_tokens\":7,"
                          "\"n\":3}"), TG_OK);
    ask(&f, false, &a);
    assert_int_equal(a.work.output_tokens, 21);

    answer(&f, 200, USAGE);
    assert_false(tg_call_ask(f.call, &f.gate, false, &a));
    free(cal);
    end(&f);
}


static uint64_t
first_hash(routed_t *f, const char *model, const char *text, const char *key)
{
    char              body[8192];
    const char       *headers[] = { "authorization", key, NULL };
    tg_balance_ask_t  a;

    (void) snprintf(body, sizeof(body), "{\"model\":\"%s\",\"messages\":[{"
                    "\"role\":\"user\",\"content\":\"%s%02000d %s\"}]}", model,
                    text, 1, text);
    f->headers = headers;
    assert_int_equal(call(f, body), TG_OK);
    ask(f, true, &a);
    f->headers = NULL;
    assert_true(a.prefixes.n >= 1);

    return a.prefixes.hash[0];
}


static void
test_prompts_are_told_by_how_they_begin(void **state)
{
    routed_t  f;
    uint64_t  h;

    (void) state;
    with(&f, "");
    h = first_hash(&f, "llama", "a", "Bearer x");
    assert_int_equal(f.bodies, 1);
    assert_true(h == first_hash(&f, "llama", "\\u0061", "Bearer x"));
    assert_true(h != first_hash(&f, "llama", "b", "Bearer x"));
    assert_true(h != first_hash(&f, "llama-2", "a", "Bearer x"));
    assert_true(h != first_hash(&f, "llama", "a", "Bearer y"));
    end(&f);
}


/* gpt-mini: 500 tokens of output at most, 0.001 dollars and something. */
static void
test_a_route_takes_no_more_than_its_dollars(void **state)
{
    json_t    *v;
    routed_t   f;
    unsigned   n = 0, rest = 0;
    int64_t    hold = 0;
    tg_call_t *calls[16];

    (void) state;
    with(&f, "llm_ledger /nowhere\n" BURST " usd=0.005/hour");
    routed_ledger(&f);
    up.saturated = true;

    /* All of them are under way at a time. */

    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(call(&f, LLAMA), TG_OK);
        calls[i] = f.call;

        if (says(&f, "x-llm-route")[0] != '\0') {
            goes_to(&f, "openai");
            n++;
        } else {
            goes_to(&f, "gpu");
            rest++;
        }
    }

    assert_int_equal(n + rest, 16);
    assert_in_range(n, 3, 6);

    for (unsigned i = 0; i < 16; i++) {
        f.call = calls[i];
        answer(&f, 200, "{\"model\":\"gpt-mini\",\"choices\":[],\"usage\":{"
               "\"prompt_tokens\":10,\"completion_tokens\":100}}");
        v = line(&f, 0);

        if (i < n) {
            assert_string_equal(text_of(v, "llm.route"), "burst");
            assert_string_equal(text_of(v, "llm.route_full"), "");
            hold += json_object_get(v, "llm.hold") != NULL;
        } else {
            assert_string_equal(text_of(v, "llm.route"), "");
            assert_string_equal(text_of(v, "llm.route_full"), "burst");
        }

        assert_string_equal(text_of(v, "llm.decision"), "allow");
        json_decref(v);
    }

    assert_int_equal(hold, n);

    /* What they did not take is there again. */

    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "openai");

    f.now.wall_ms += 3600000;
    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "openai");
    end(&f);
}


static void
test_behind_a_full_route_is_the_next(void **state)
{
    json_t    *v;
    routed_t   f;

    (void) state;
    with(&f, "llm_ledger /nowhere\n" BURST " usd=0.000001/hour\n"
             "llm_route unpriced when=saturated(gpu) to=google/gemini-x"
             " usd=5/hour\n"
             "llm_route spare when=saturated(gpu) to=spare/gpt-mini usd=1/day"
             " usd=9/month\n");
    routed_ledger(&f);
    up.saturated = true;

    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "spare");
    answer(&f, 200, USAGE);
    v = line(&f, 0);
    assert_string_equal(text_of(v, "llm.route"), "spare");
    assert_string_equal(text_of(v, "llm.route_full"), "burst");
    json_decref(v);

    /* Where its model is known nowhere else there is nowhere to go. */

    f.conf->routes.list[2]->when = NULL;
    assert_int_equal(call(&f, "{\"model\":\"gpt-dear\",\"max_tokens\":9}"),
                     TG_OK);
    goes_to(&f, "spare");
    end(&f);
}


/* The quota's reset is later, so that it is what the ledger names. */
static void
test_a_full_route_comes_before_a_quota_that_lowers(void **state)
{
    routed_t  f;

    (void) state;
    with(&f, "llm_ledger /nowhere\n" BURST " usd=0.000001/minute\n"
             "llm_quota q per=all usd=0.0007/day clamp=min:1\n");
    routed_ledger(&f);
    up.saturated = true;

    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "gpu");
    assert_string_equal(says(&f, "x-llm-clamped"), "");
    end(&f);
}


static void
test_a_quota_that_leads_to_a_full_route_refuses(void **state)
{
    routed_t  f;

    (void) state;
    with(&f, "llm_ledger /nowhere\n"
             "llm_quota few per=all requests=1/day action=route:economy\n"
             "llm_route economy to=openai/gpt-mini usd=0.000001/hour\n");
    routed_ledger(&f);

    assert_int_equal(call(&f, LLAMA), TG_OK);
    goes_to(&f, "gpu");
    answer(&f, 200, USAGE);
    assert_int_equal(call(&f, LLAMA), TG_ERROR);
    assert_int_equal(f.refusal.status, 429);
    assert_non_null(strstr(f.refusal.body.p, "route:economy"));
    end(&f);
}


static void
test_a_route_with_a_cap_needs_a_ledger(void **state)
{
    routed_t    f;
    tg_error_t  err;

    (void) state;
    begin(&f, "");
    assert_int_equal(routed_said(&f, BURST " usd=5/hour\n", &err), TG_ERROR);
    assert_non_null(strstr(err.message, "\"route:burst\" has nothing to count"
                           " in: llm_ledger"));
    end(&f);

    begin(&f, "");
    assert_int_equal(routed_said(&f, "llm_ledger /l\n" BURST " usd=5/fortnight"
                                 "\n", &err), TG_ERROR);
    assert_non_null(strstr(err.message, "a window is /second"));
    end(&f);

    begin(&f, "llm_ledger /l\n" BURST " usd=5/hour\n");
    assert_int_equal(warned(&f, "it takes no call"), 1);
    end(&f);
}


static void
test_a_call_costs_the_time_that_it_took(void **state)
{
    json_t    *v;
    routed_t   f;

    (void) state;
    with(&f, "");
    assert_int_equal(call(&f, LLAMA), TG_OK);
    spends(INT64_C(1500000000), 875000);
    up.spent.instead_of = tg_str("gpt-mini");
    answer(&f, 200, USAGE);

    v = line(&f, 0);
    assert_string_equal(text_of(v, "llm.server"), "10.0.0.9:8000");
    assert_string_equal(text_of(v, "llm.cost.source"), "gpu");
    assert_string_equal(text_of(v, "llm.price_id"), "");
    assert_int_equal(int_of(v, "llm.cost.total_nusd"), 875000);
    assert_true(json_real_value(json_object_get(v, "llm.cost.gpu"))
                == 0.000875);
    assert_true(json_real_value(json_object_get(v, "llm.gpu_seconds")) == 1.5);
    json_decref(v);

    /* 1000 tokens at 1, 500 at 2 dollars a million. */

    assert_int_equal(up.settled, 1);
    assert_int_equal(up.told[0], 1000);
    assert_int_equal(up.told[1], 500);
    assert_int_equal(up.told[2], 875000);
    assert_int_equal(up.told[3], 2000000);

    /* Without gpu_cost= there is only time. */

    assert_int_equal(call(&f, LLAMA), TG_OK);
    spends(1500, -1);
    answer(&f, 500, "{}");
    v = line(&f, 0);
    assert_null(json_object_get(v, "llm.cost.gpu"));
    assert_string_equal(text_of(v, "llm.cost.source"), "");
    assert_true(json_real_value(json_object_get(v, "llm.gpu_seconds"))
                == 0.0000015);
    json_decref(v);

    /* And elsewhere not even that. */

    assert_int_equal(call(&f, LLAMA), TG_OK);
    up.was_there = false;
    answer(&f, 200, USAGE);
    v = line(&f, 0);
    assert_null(json_object_get(v, "llm.gpu_seconds"));
    assert_string_equal(text_of(v, "llm.cost.source"), "prices");
    json_decref(v);
    assert_int_equal(up.settled, 2);
    end(&f);
}


static void
test_what_is_held_in_dollars_is_of_the_price_list(void **state)
{
    json_t    *v;
    routed_t   f;

    (void) state;

    for (unsigned i = 0; i < 3; i++) {
        with(&f, i == 0 ? "llm_ledger /nowhere\nllm_quota q per=all usd=5/day"
                 : "llm_ledger /nowhere\nllm_quota q per=all tokens=9M/day");
        routed_ledger(&f);
        assert_int_equal(call(&f, LLAMA), TG_OK);
        spends(NDOLLAR, 777);
        up.spent.by_prices = i == 1;
        answer(&f, 200, USAGE);
        v = line(&f, 0);
        assert_string_equal(text_of(v, "llm.cost.source"),
                            i == 2 ? "gpu" : "prices");
        assert_int_equal(int_of(v, "llm.cost.total_nusd"), i == 2 ? 777 : 0);
        assert_true(json_real_value(json_object_get(v, "llm.cost.gpu"))
                    == 0.000000777);
        assert_int_equal(up.told[2], i == 2 ? 777 : 0);
        json_decref(v);
        end(&f);
    }
}


/* Each line has its own, and together they are all. */
static void
test_attempts_that_fail_take_time_as_well(void **state)
{
    json_t    *v;
    routed_t   f;
    json_int_t sum = 0;

    (void) state;
    with(&f, "llm_route all to=gpu/llama,gpu/llama-2,openai/gpt-mini");
    assert_int_equal(call(&f, LLAMA), TG_OK);

    spends(1000, 100);
    assert_int_equal(failed(&f, TG_FAIL_STATUS, 503, NULL), TG_OK);
    spends(1700, 170);
    assert_int_equal(failed(&f, TG_FAIL_TIMEOUT, 0, NULL), TG_OK);
    goes_to(&f, "openai");

    /* What the upstream module learns of it only now costs as it is. */

    spends(1702, 171);
    answer(&f, 200, "{\"model\":\"gpt-mini\",\"choices\":[],\"usage\":{"
           "\"prompt_tokens\":1000,\"completion_tokens\":500}}");

    assert_int_equal(tg_call_lines(f.call), 3);

    for (unsigned i = 0; i < 3; i++) {
        v = line(&f, i);
        sum += int_of(v, "llm.cost.total_nusd");

        if (i == 0) {
            assert_string_equal(text_of(v, "llm.cost.source"), "gpu");
            assert_string_equal(text_of(v, "error.type"), "server_error");
            assert_int_equal(int_of(v, "http.response.status_code"), 503);
            assert_int_equal(int_of(v, "llm.cost.total_nusd"), 100);
        } else if (i == 1) {
            assert_string_equal(text_of(v, "llm.server"), "10.0.0.9:8000");
            assert_int_equal(int_of(v, "llm.cost.total_nusd"), 70);
        } else {
            assert_string_equal(text_of(v, "llm.cost.source"), "prices");
        }

        json_decref(v);
    }

    assert_int_equal(sum, 170 + 2000000);
    assert_int_equal(up.settled, 0);
    end(&f);

    /* The last of them: its time is the call's. */

    with(&f, "");
    assert_int_equal(call(&f, LLAMA), TG_OK);
    spends(1000, 100);
    assert_int_equal(failed(&f, TG_FAIL_STATUS, 503, NULL), TG_ERROR);
    answer(&f, 503, "{}");
    assert_int_equal(tg_call_lines(f.call), 1);
    v = line(&f, 0);
    assert_int_equal(int_of(v, "llm.cost.total_nusd"), 100);
    json_decref(v);
    end(&f);
}


static bool  asked_for_prefixes;


static bool
meter_ask(void *r, bool prefixes, tg_balance_ask_t *ask)
{
    asked_for_prefixes = prefixes;
    memset(ask, 0, sizeof(tg_balance_ask_t));
    ask->work.prompt_tokens = 700;
    ask->prefixes.n = prefixes ? 2 : 0;

    return r == &request;
}


static void
test_a_key_takes_the_place_of_the_prompt(void **state)
{
    tg_group_conf_t             gc;
    tg_balance_ask_t            a, b;
    const tg_companion_meter_t  meter = { TG_COMPANION_VERSION, meter_ask };

    (void) state;
    memset(&gc, 0, sizeof(gc));

    gc.balance = TG_BALANCE_LEAST_LOAD;
    tg_companion_ask(&meter, &request, &gc, tg_str("k"), &a);
    assert_false(asked_for_prefixes);
    assert_int_equal(a.work.prompt_tokens, 700);
    assert_int_equal(a.prefixes.n, 0);

    gc.balance = TG_BALANCE_PREFIX_AFFINITY;
    tg_companion_ask(&meter, &request, &gc, tg_str_null, &a);
    assert_true(asked_for_prefixes);
    assert_int_equal(a.prefixes.n, 2);

    tg_companion_ask(&meter, &request, &gc, tg_str("k"), &a);
    assert_false(asked_for_prefixes);
    assert_int_not_equal(a.prefixes.n, 0);

    /* Also where nothing is metered. */

    tg_companion_ask(NULL, &request, &gc, tg_str("k"), &b);
    assert_int_equal(b.work.prompt_tokens, 0);
    assert_int_equal(a.prefixes.hash[0], b.prefixes.hash[0]);

    tg_companion_ask(&meter, &up, &gc, tg_str_null, &b);
    assert_int_equal(b.work.prompt_tokens, 0);
    assert_int_equal(b.prefixes.n, 0);
}


static void
test_what_came_of_a_stay_at_a_backend(void **state)
{
    (void) state;
    assert_int_equal(tg_came_seen(200, false, false), TG_CAME_OK);
    assert_int_equal(tg_came_seen(404, false, false), TG_CAME_OK);
    assert_int_equal(tg_came_seen(429, false, true), TG_CAME_BUSY);
    assert_int_equal(tg_came_seen(503, true, false), TG_CAME_BUSY);
    assert_int_equal(tg_came_seen(500, false, true), TG_CAME_FAILED);
    assert_int_equal(tg_came_seen(200, true, false), TG_CAME_FAILED);
    assert_int_equal(tg_came_seen(0, true, false), TG_CAME_FAILED);
    assert_int_equal(tg_came_seen(0, false, true), TG_CAME_CUT);
    assert_int_equal(tg_came_seen(200, false, true), TG_CAME_CUT);

    assert_int_equal(tg_companion_sum(-1, -1), -1);
    assert_int_equal(tg_companion_sum(-1, 5), 5);
    assert_int_equal(tg_companion_sum(5, -1), 5);
    assert_int_equal(tg_companion_sum(5, 7), 12);
}


static void
test_how_a_call_ended_by_what_was_seen(void **state)
{
    (void) state;
    assert_int_equal(tg_end_seen(false, false, true, false), TG_END_COMPLETE);
    assert_int_equal(tg_end_seen(false, true, true, false), TG_END_CLIENT);
    assert_int_equal(tg_end_seen(false, false, false, true), TG_END_CLIENT);
    assert_int_equal(tg_end_seen(false, false, false, false), TG_END_UPSTREAM);
    assert_int_equal(tg_end_seen(true, true, false, true), TG_END_SHUTDOWN);
    assert_int_equal(tg_end_seen(true, false, true, true), TG_END_COMPLETE);
    assert_int_equal(tg_end_seen(true, true, true, false), TG_END_CLIENT);

    assert_int_equal(tg_fail_seen(false, true), TG_FAIL_CONNECT);
    assert_int_equal(tg_fail_seen(true, true), TG_FAIL_TIMEOUT);
    assert_int_equal(tg_fail_seen(true, false), TG_FAIL_BROKEN);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_calls_overflow_while_the_backends_are_full),
        cmocka_unit_test(test_whose_backends_are_all_down_is_not_healthy),
        cmocka_unit_test(test_nobody_knows_what_is_not_looked_after),
        cmocka_unit_test(test_a_name_that_is_no_providers_is_told),
        cmocka_unit_test(test_a_call_is_estimated_before_it_goes),
        cmocka_unit_test(test_prompts_are_told_by_how_they_begin),
        cmocka_unit_test(test_a_route_takes_no_more_than_its_dollars),
        cmocka_unit_test(test_behind_a_full_route_is_the_next),
        cmocka_unit_test(test_a_full_route_comes_before_a_quota_that_lowers),
        cmocka_unit_test(test_a_quota_that_leads_to_a_full_route_refuses),
        cmocka_unit_test(test_a_route_with_a_cap_needs_a_ledger),
        cmocka_unit_test(test_a_call_costs_the_time_that_it_took),
        cmocka_unit_test(test_what_is_held_in_dollars_is_of_the_price_list),
        cmocka_unit_test(test_attempts_that_fail_take_time_as_well),
        cmocka_unit_test(test_a_key_takes_the_place_of_the_prompt),
        cmocka_unit_test(test_what_came_of_a_stay_at_a_backend),
        cmocka_unit_test(test_how_a_call_ended_by_what_was_seen)
    };

    return cmocka_run_group_tests(tests, routed_setup, routed_teardown);
}
