#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cut.h"
#include "engine_texts.h"
#include "tg_engine.h"

/* What a page is to say: -1, not known. */

typedef struct {
    tg_engine_t  engine;
    int64_t      running, waiting, slots, kv, prompt, output, cached, sleeping;
    int64_t      tokens_per_s, gpu, steps;
} want_t;


static tg_engine_facts_t
read_page(tg_engine_t engine, tg_str_t page, cut_t cut)
{
    size_t             n;
    tg_error_t         err;
    tg_engine_facts_t  facts;
    tg_engine_read_t  *er = malloc(sizeof(*er));

    assert_non_null(er);
    memset(er, 0xa5, sizeof(*er));
    tg_engine_begin(er, engine);

    for (size_t at = 0; at < page.len; at += n) {
        n = cut_piece(cut, at, page.len);
        assert_int_equal(tg_engine_feed(er, page.p + at, n), TG_OK);
    }

    assert_int_equal(tg_engine_end(er, &facts, &err), TG_OK);
    free(er);

    return facts;
}


static void
check_fact(const tg_engine_facts_t *facts, tg_fact_t fact, int64_t want)
{
    int64_t  v = -1;

    if (!tg_fact(facts, fact, &v)) {
        v = -1;
        assert_int_equal(facts->value[fact], 0);
    }

    if (v != want) {
        fail_msg("fact %d is %lld, not %lld", (int) fact, (long long) v,
                 (long long) want);
    }
}


static void
check_facts(const tg_engine_facts_t *facts, const want_t *w)
{
    assert_int_equal(facts->engine, w->engine);
    check_fact(facts, TG_FACT_RUNNING, w->running);
    check_fact(facts, TG_FACT_WAITING, w->waiting);
    check_fact(facts, TG_FACT_SLOTS, w->slots);
    check_fact(facts, TG_FACT_KV, w->kv);
    check_fact(facts, TG_FACT_PROMPT_TOKENS, w->prompt);
    check_fact(facts, TG_FACT_OUTPUT_TOKENS, w->output);
    check_fact(facts, TG_FACT_CACHED_TOKENS, w->cached);
    check_fact(facts, TG_FACT_SLEEPING, w->sleeping);
    check_fact(facts, TG_FACT_TOKENS_PER_S, w->tokens_per_s);
    check_fact(facts, TG_FACT_GPU_UTIL, w->gpu);
    check_fact(facts, TG_FACT_STEPS, w->steps);
}


/* By its type and found out, whole, byte by byte, and cut in two anywhere. */

static void
check_page(tg_str_t page, const want_t *w)
{
    tg_engine_facts_t  facts;
    const tg_engine_t  as[2] = { w->engine, TG_ENGINE_AUTO };

    for (size_t i = 0; i < 2; i++) {
        facts = read_page(as[i], page, (cut_t) { 0, 0 });
        check_facts(&facts, w);

        facts = read_page(as[i], page, (cut_t) { 0, 1 });
        check_facts(&facts, w);

        for (size_t at = 1; at < page.len; at++) {
            facts = read_page(as[i], page, (cut_t) { at, 0 });
            check_facts(&facts, w);
        }
    }
}


static void
test_vllm_engines_are_summed_and_the_fullest_cache_counts(void **state)
{
    const want_t  w = { TG_ENGINE_VLLM, 8, 2, -1, 743100, 8129002, 7557600,
                        4100, 0, -1, -1, -1 };

    (void) state;
    check_page(tg_str(PAGE_VLLM), &w);
}


static void
test_vllm_before_the_rename(void **state)
{
    const want_t  w = { TG_ENGINE_VLLM, 12, 6, -1, 930000, 1000, 2000, -1, -1,
                        -1, -1, -1 };

    (void) state;
    check_page(tg_str(PAGE_VLLM_OLD), &w);
}


static void
test_vllm_with_both_names_goes_by_the_new_one(void **state)
{
    tg_engine_facts_t  facts;

    (void) state;

    facts = read_page(TG_ENGINE_VLLM,
                      tg_str("vllm:gpu_cache_usage_perc{engine=\"0\"} 0.9\n"
                             "vllm:kv_cache_usage_perc{engine=\"0\"} 0.4\n"
                             "vllm:gpu_cache_usage_perc{engine=\"1\"} 0.8\n"
                             "vllm:gpu_prefix_cache_hits_total 1\n"
                             "vllm:prefix_cache_hits_total 2\n"
                             "vllm:prompt_tokens_cached_total 3\n"),
                      (cut_t) { 0, 0 });
    check_fact(&facts, TG_FACT_KV, 400000);
    check_fact(&facts, TG_FACT_CACHED_TOKENS, 3);

    /* the new one says nothing: the old one, deprecated, is no substitute */

    facts = read_page(TG_ENGINE_VLLM,
                      tg_str("vllm:kv_cache_usage_perc{engine=\"0\"} NaN\n"
                             "vllm:gpu_cache_usage_perc{engine=\"0\"} 0.9\n"),
                      (cut_t) { 0, 0 });
    check_fact(&facts, TG_FACT_KV, -1);
}


static void
test_vllm_sleeps_when_all_of_its_engines_do(void **state)
{
    tg_engine_facts_t  facts;

    (void) state;

    facts = read_page(TG_ENGINE_VLLM,
        tg_str("vllm:engine_sleep_state{engine=\"0\",sleep_state=\"awake\"} 0\n"
               "vllm:engine_sleep_state{engine=\"0\",sleep_state="
               "\"weights_offloaded\"} 1\n"), (cut_t) { 0, 0 });
    check_fact(&facts, TG_FACT_SLEEPING, 1);

    facts = read_page(TG_ENGINE_VLLM,
        tg_str("vllm:engine_sleep_state{engine=\"0\",sleep_state=\"awake\"} 0\n"
               "vllm:engine_sleep_state{engine=\"1\",sleep_state=\"awake\"}"
               " 1\n"), (cut_t) { 0, 0 });
    check_fact(&facts, TG_FACT_SLEEPING, 0);
}


static void
test_sglang(void **state)
{
    const want_t  old = { TG_ENGINE_SGLANG, 162, 2826, -1, 280000, 8128902,
                          7557572, -1, -1, 86508, -1, -1 };
    const want_t  w = { TG_ENGINE_SGLANG, 10, 1, -1, 620000, 700, 1000, 200, -1,
                        150250, -1, -1 };
    const want_t  ranks = { TG_ENGINE_SGLANG, 4, -1, -1, -1, -1, -1, -1, -1,
                            -1, -1, -1 };

    (void) state;
    check_page(tg_str(PAGE_SGLANG_OLD), &old);
    check_page(tg_str(PAGE_SGLANG), &w);
    check_page(tg_str(PAGE_SGLANG_RANKS), &ranks);
}


static void
test_llamacpp(void **state)
{
    want_t  w = { TG_ENGINE_LLAMACPP, 2, 3, -1, -1, 1234, 4321, -1, -1, 70605,
                  -1, 4400 };

    (void) state;
    check_page(tg_str(PAGE_LLAMACPP), &w);

    w.kv = 125000;
    check_page(tg_str(PAGE_LLAMACPP_OLD), &w);
}


static void
test_tgi_tokens_are_sums_of_histograms(void **state)
{
    const want_t  w = { TG_ENGINE_TGI, 4, 7, -1, -1, 5120, 8123, -1, -1, -1, -1,
                        1200 };

    (void) state;
    check_page(tg_str(PAGE_TGI), &w);
}


static void
test_triton_series_are_told_by_their_labels(void **state)
{
    const want_t  w = { TG_ENGINE_TRITON, 21, 9, 512, 487500, 4100, 5200, -1,
                        -1, -1, 970000, 1100 };

    (void) state;
    check_page(tg_str(PAGE_TRITON), &w);
}


static void
test_triton_may_have_vllm_inside(void **state)
{
    const want_t  w = { TG_ENGINE_TRITON, 12, 6, -1, 930000, 1000, 2000, -1, -1,
                        -1, 500000, -1 };

    (void) state;
    check_page(tg_str("nv_gpu_utilization{gpu_uuid=\"GPU-1\"} 0.5\n"
                      PAGE_VLLM_OLD), &w);
}


static void
test_trtllm_serve(void **state)
{
    const want_t  w = { TG_ENGINE_TRTLLM, 17, 1, 256, 70000, 9000, 8000, 1000,
                        -1, -1, -1, 250 };

    (void) state;
    check_page(tg_str(PAGE_TRTLLM), &w);
}


static void
test_nim_with_its_own_names_and_with_vllm_inside(void **state)
{
    const want_t  w = { TG_ENGINE_NIM, 2, 1, 2048, 330000, 603, 997, -1, -1,
                        -1, -1, -1 };
    const want_t  two = { TG_ENGINE_NIM, 3, 2, 1024, 500000, -1, -1, -1, -1,
                          -1, -1, -1 };
    const want_t  both = { TG_ENGINE_NIM, 2, 1, 1024, 500000, -1, -1, -1, -1,
                           -1, -1, -1 };

    (void) state;
    check_page(tg_str(PAGE_NIM), &w);
    check_page(tg_str(PAGE_NIM_2), &two);
    check_page(tg_str(PAGE_NIM_2 "num_requests_running{model_name=\"g\"} 2\n"
                      "num_requests_waiting{model_name=\"g\"} 1\n"), &both);
}


static void
test_what_is_missing_is_not_known(void **state)
{
    const want_t  none = { TG_ENGINE_AUTO, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                           -1, -1 };
    tg_engine_facts_t  facts;

    (void) state;

    check_page(tg_str(""), &none);
    check_page(tg_str("\n\n"), &none);
    check_page(tg_str("# EOF\n"), &none);
    check_page(tg_str("go_goroutines 8\nprompt_tokens_total 12\n"), &none);

    facts = read_page(TG_ENGINE_VLLM, tg_str("go_goroutines 8\n"),
                      (cut_t) { 0, 0 });
    assert_int_equal(facts.engine, TG_ENGINE_VLLM);
    assert_int_equal(facts.known, 0);

    facts = read_page(TG_ENGINE_OPENAI, tg_str(PAGE_VLLM), (cut_t) { 0, 0 });
    assert_int_equal(facts.known, 0);
}


static void
test_values_that_are_none_are_not_known(void **state)
{
    int                n;
    char               page[256];
    tg_engine_facts_t  facts;

    static const char *const  bad[] = {
        "NaN", "nan", "+Inf", "-Inf", "Inf", "-1", "-0.5", "1e300", "1e19",
        "9007199254740993"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        n = snprintf(page, sizeof(page),
                     "vllm:num_requests_running{engine=\"0\"} 3\n"
                     "vllm:num_requests_running{engine=\"1\"} %s\n"
                     "vllm:num_requests_waiting %s\n"
                     "vllm:num_requests_waiting 2\n"
                     "vllm:kv_cache_usage_perc %s\n"
                     "vllm:prompt_tokens_total 7\n", bad[i], bad[i], bad[i]);
        facts = read_page(TG_ENGINE_VLLM, tg_str_of(page, (size_t) n),
                          (cut_t) { 0, 0 });
        assert_int_equal(facts.known, 1u << TG_FACT_PROMPT_TOKENS);
    }

    facts = read_page(TG_ENGINE_VLLM,
                      tg_str("vllm:kv_cache_usage_perc{engine=\"0\"} 1.004\n"),
                      (cut_t) { 0, 0 });
    check_fact(&facts, TG_FACT_KV, 1000000);

    facts = read_page(TG_ENGINE_VLLM,
                      tg_str("vllm:kv_cache_usage_perc{engine=\"0\"} 45.0\n"),
                      (cut_t) { 0, 0 });
    check_fact(&facts, TG_FACT_KV, -1);
}


static void
test_a_sum_that_overflows_is_not_known(void **state)
{
    size_t             n = 0;
    static char        page[80 * 1200];
    tg_engine_facts_t  facts;

    (void) state;

    for (unsigned i = 0; i < 1100; i++) {
        n += (size_t) snprintf(page + n, sizeof(page) - n,
                               "vllm:prompt_tokens_total{engine=\"%u\"}"
                               " 9007199254740990\n", i);
    }

    facts = read_page(TG_ENGINE_VLLM, tg_str_of(page, n), (cut_t) { 0, 0 });
    check_fact(&facts, TG_FACT_PROMPT_TOKENS, -1);
}


static void
test_tens_of_thousands_of_series(void **state)
{
    size_t             n = 0, size = 16 * 1024 * 1024;
    char              *page = malloc(size);
    unsigned           i;
    tg_engine_facts_t  facts;

    (void) state;
    assert_non_null(page);

    for (i = 0; i < 60000; i++) {
        n += (size_t) snprintf(page + n, size - n,
            "vllm:request_success_total{engine=\"0\",finished_reason=\"stop\","
            "model_name=\"lora-%u\"} %u.0\n"
            "vllm:num_requests_running{engine=\"0\",model_name=\"lora-%u\"}"
            " 2.0\n", i, i, i);
    }

    facts = read_page(TG_ENGINE_AUTO, tg_str_of(page, n), (cut_t) { 0, 4096 });
    check_fact(&facts, TG_FACT_RUNNING, 120000);
    free(page);
}


static void
test_what_is_no_page_is_an_error(void **state)
{
    size_t            size = 1024 * 1024;
    char             *text = malloc(size);
    tg_error_t        err;
    tg_engine_read_t  er;
    tg_engine_facts_t facts;

    static const char *const  bad[] = {
        "<!DOCTYPE html><html>", "{\"error\":{\"code\":501}}", "[]", "\r\n [{",
        "0\n"
    };

    (void) state;
    assert_non_null(text);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tg_engine_begin(&er, TG_ENGINE_AUTO);
        assert_int_equal(tg_engine_feed(&er, bad[i], strlen(bad[i])), TG_OK);
        assert_int_equal(tg_engine_end(&er, &facts, &err), TG_ERROR);
        assert_string_equal(err.message, "it is no page of metrics");
    }

    memset(text, '#', size);
    tg_engine_begin(&er, TG_ENGINE_AUTO);

    for (size_t i = 0; i < TG_PROM_MAX / size; i++) {
        assert_int_equal(tg_engine_feed(&er, text, size), TG_OK);
    }

    assert_int_equal(tg_engine_feed(&er, text, 1), TG_ERROR);
    free(text);
}


static void
test_names_and_pages_of_engines(void **state)
{
    tg_engine_pages_t  pages;

    (void) state;

    for (unsigned i = 0; i < TG_ENGINES; i++) {
        tg_engine_pages((tg_engine_t) i, &pages);
        assert_true(pages.health.len != 0 && pages.health.p[0] == '/');
        assert_int_equal(tg_engine_named(tg_engine_name((tg_engine_t) i)), i);
    }

    assert_int_equal(tg_engine_named(tg_str("vLLM")), TG_ENGINES);
    assert_int_equal(tg_engine_named(tg_str("")), TG_ENGINES);

    tg_engine_pages(TG_ENGINE_TRITON, &pages);
    assert_int_equal(pages.metrics_port, 8002);

    tg_engine_pages(TG_ENGINE_OLLAMA, &pages);
    assert_int_equal(pages.metrics.len, 0);
}


static void
test_health_pages(void **state)
{
    static const struct {
        tg_engine_t         engine;
        unsigned            status;
        const char         *body;
        tg_health_answer_t  answer;
    } t[] = {
        { TG_ENGINE_VLLM, 200, "", TG_HEALTH_OK },
        { TG_ENGINE_VLLM, 503, "", TG_HEALTH_FAILED },
        { TG_ENGINE_VLLM, 404, "", TG_HEALTH_FAILED },
        { TG_ENGINE_VLLM, 301, "", TG_HEALTH_FAILED },
        { TG_ENGINE_VLLM, 429, "", TG_HEALTH_OK },
        { TG_ENGINE_VLLM, 503, "Loading model", TG_HEALTH_FAILED },
        { TG_ENGINE_SGLANG, 503, "", TG_HEALTH_FAILED },
        { TG_ENGINE_LLAMACPP, 200, "{\"status\":\"ok\"}", TG_HEALTH_OK },
        { TG_ENGINE_LLAMACPP, 503, "{\"error\":{\"message\":\"Loading model\","
          "\"type\":\"unavailable_error\",\"code\":503}}", TG_HEALTH_LOADING },
        { TG_ENGINE_LLAMACPP, 503, "{\"status\": \"loading model\"}",
          TG_HEALTH_LOADING },
        { TG_ENGINE_LLAMACPP, 503, "{\"status\": \"no slot available\","
          "\"slots_idle\":0}", TG_HEALTH_OK },
        { TG_ENGINE_LLAMACPP, 503, "", TG_HEALTH_FAILED },
        { TG_ENGINE_LLAMACPP, 500, "{\"status\":\"error\"}", TG_HEALTH_FAILED },
        { TG_ENGINE_TGI, 503, "{\"error\":\"unhealthy\",\"error_type\":"
          "\"healthcheck\"}", TG_HEALTH_FAILED },
        { TG_ENGINE_TRITON, 400, "", TG_HEALTH_LOADING },
        { TG_ENGINE_TRITON, 500, "", TG_HEALTH_FAILED },
        { TG_ENGINE_TRTLLM, 503, "", TG_HEALTH_FAILED },
        { TG_ENGINE_NIM, 503, "{\"object\":\"health.response\",\"message\":"
          "\"Service is not ready\"}", TG_HEALTH_LOADING },
        { TG_ENGINE_NIM, 500, "", TG_HEALTH_FAILED },
        { TG_ENGINE_OLLAMA, 200, "{\"version\":\"0.12.9\"}", TG_HEALTH_OK },
        { TG_ENGINE_OLLAMA, 404, "", TG_HEALTH_FAILED },
        { TG_ENGINE_OPENAI, 401, "", TG_HEALTH_OK },
        { TG_ENGINE_OPENAI, 404, "", TG_HEALTH_FAILED },
        { TG_ENGINE_AUTO, 404, "", TG_HEALTH_OK },
        { TG_ENGINE_AUTO, 503, "LOADING MODEL", TG_HEALTH_LOADING },
        { TG_ENGINE_AUTO, 503, "", TG_HEALTH_FAILED },
        { TG_ENGINE_AUTO, 502, "", TG_HEALTH_FAILED }
    };

    (void) state;

    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        if (tg_engine_health(t[i].engine, t[i].status, tg_strz(t[i].body))
            != t[i].answer)
        {
            fail_msg("%zu: %u %s", i, t[i].status, t[i].body);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(
            test_vllm_engines_are_summed_and_the_fullest_cache_counts),
        cmocka_unit_test(test_vllm_before_the_rename),
        cmocka_unit_test(test_vllm_with_both_names_goes_by_the_new_one),
        cmocka_unit_test(test_vllm_sleeps_when_all_of_its_engines_do),
        cmocka_unit_test(test_sglang),
        cmocka_unit_test(test_llamacpp),
        cmocka_unit_test(test_tgi_tokens_are_sums_of_histograms),
        cmocka_unit_test(test_triton_series_are_told_by_their_labels),
        cmocka_unit_test(test_triton_may_have_vllm_inside),
        cmocka_unit_test(test_trtllm_serve),
        cmocka_unit_test(test_nim_with_its_own_names_and_with_vllm_inside),
        cmocka_unit_test(test_what_is_missing_is_not_known),
        cmocka_unit_test(test_values_that_are_none_are_not_known),
        cmocka_unit_test(test_a_sum_that_overflows_is_not_known),
        cmocka_unit_test(test_tens_of_thousands_of_series),
        cmocka_unit_test(test_what_is_no_page_is_an_error),
        cmocka_unit_test(test_names_and_pages_of_engines),
        cmocka_unit_test(test_health_pages)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
