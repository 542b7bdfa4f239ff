#include "tg_engine_int.h"

/*
 * As of November 2026:
 *
 * vLLM          docs.vllm.ai/en/v0.32.0/usage/metrics, vllm/v1/metrics/
 *               loggers.py.  gpu_cache_usage_perc is kv_cache_usage_perc since
 *               0.9, num_requests_swapped is of the engine V0
 * SGLang        docs.sglang.io/docs/references/production_metrics,
 *               metrics_collector.py.  generation_tokens_total moves when a
 *               request has ended, realtime_tokens_total while it runs
 * llama.cpp     tools/server/README.md.  kv_cache_usage_ratio was until 2025;
 *               tokens are counted when a request has ended
 * TGI           huggingface.co/docs/text-generation-inference, reference.
 *               Tokens are sums of histograms, at the end of a request
 * Triton        github.com/triton-inference-server/tensorrtllm_backend, README,
 *               and its custom_metrics_reporter.cc; nv_gpu_utilization is of
 *               Triton itself.  With the vLLM backend it has vLLM's names
 * trtllm-serve  tensorrt_llm/metrics/collector.py
 * NIM           docs.nvidia.com/nim/large-language-models/latest/observability.
 *               Newer ones have vLLM's names beside num_request_max
 */

#define TG_PLAIN(name, fact, rank)                                            \
    { TG_STR(name), TG_FACT_##fact, rank, false, TG_STR(""), TG_STR("") }

#define TG_LABELED(name, fact, rank, label, value)                            \
    { TG_STR(name), TG_FACT_##fact, rank, false, TG_STR(label), TG_STR(value) }

#define TG_SHARED(name, fact, rank)                                           \
    { TG_STR(name), TG_FACT_##fact, rank, true, TG_STR(""), TG_STR("") }

static const tg_metric_t  tg_metrics_vllm[] = {
    TG_PLAIN("vllm:num_requests_running", RUNNING, 0),
    TG_PLAIN("vllm:num_requests_waiting", WAITING, 0),
    TG_PLAIN("vllm:num_requests_swapped", WAITING, 0),
    TG_PLAIN("vllm:kv_cache_usage_perc", KV, 0),
    TG_PLAIN("vllm:gpu_cache_usage_perc", KV, 1),
    TG_PLAIN("vllm:prompt_tokens_total", PROMPT_TOKENS, 0),
    TG_PLAIN("vllm:generation_tokens_total", OUTPUT_TOKENS, 0),
    TG_PLAIN("vllm:prompt_tokens_cached_total", CACHED_TOKENS, 0),
    TG_PLAIN("vllm:prefix_cache_hits_total", CACHED_TOKENS, 1),
    TG_PLAIN("vllm:gpu_prefix_cache_hits_total", CACHED_TOKENS, 2),
    TG_LABELED("vllm:engine_sleep_state", SLEEPING, 0,
               "sleep_state", "awake")
};

static const tg_metric_t  tg_metrics_sglang[] = {
    TG_PLAIN("sglang:num_running_reqs", RUNNING, 0),
    TG_PLAIN("sglang:num_queue_reqs", WAITING, 0),
    TG_PLAIN("sglang:token_usage", KV, 0),
    TG_PLAIN("sglang:gen_throughput", TOKENS_PER_S, 0),
    TG_LABELED("sglang:realtime_tokens_total", OUTPUT_TOKENS, 0,
               "mode", "decode"),
    TG_PLAIN("sglang:generation_tokens_total", OUTPUT_TOKENS, 1),
    TG_LABELED("sglang:realtime_tokens_total", PROMPT_TOKENS, 0,
               "mode", "prefill_compute"),
    TG_LABELED("sglang:realtime_tokens_total", PROMPT_TOKENS, 0,
               "mode", "prefill_cache"),
    TG_PLAIN("sglang:prompt_tokens_total", PROMPT_TOKENS, 1),
    TG_LABELED("sglang:realtime_tokens_total", CACHED_TOKENS, 0,
               "mode", "prefill_cache"),
    TG_PLAIN("sglang:cached_tokens_total", CACHED_TOKENS, 1)
};

static const tg_metric_t  tg_metrics_llamacpp[] = {
    TG_PLAIN("llamacpp:requests_processing", RUNNING, 0),
    TG_PLAIN("llamacpp:requests_deferred", WAITING, 0),
    TG_PLAIN("llamacpp:kv_cache_usage_ratio", KV, 0),
    TG_PLAIN("llamacpp:prompt_tokens_total", PROMPT_TOKENS, 0),
    TG_PLAIN("llamacpp:tokens_predicted_total", OUTPUT_TOKENS, 0),
    TG_PLAIN("llamacpp:prompt_tokens_cached_total", CACHED_TOKENS, 0),
    TG_PLAIN("llamacpp:predicted_tokens_seconds", TOKENS_PER_S, 0),
    TG_PLAIN("llamacpp:n_decode_total", STEPS, 0)
};

static const tg_metric_t  tg_metrics_tgi[] = {
    TG_PLAIN("tgi_batch_current_size", RUNNING, 0),
    TG_PLAIN("tgi_queue_size", WAITING, 0),
    TG_PLAIN("tgi_request_input_length_sum", PROMPT_TOKENS, 0),
    TG_PLAIN("tgi_request_generated_tokens_sum", OUTPUT_TOKENS, 0),
    TG_PLAIN("tgi_batch_inference_count", STEPS, 0)
};

static const tg_metric_t  tg_metrics_triton[] = {
    TG_LABELED("nv_trt_llm_request_metrics", RUNNING, 0,
               "request_type", "scheduled"),
    TG_LABELED("nv_trt_llm_request_metrics", WAITING, 0,
               "request_type", "waiting"),
    TG_LABELED("nv_trt_llm_request_metrics", SLOTS, 0,
               "request_type", "max"),
    TG_LABELED("nv_trt_llm_kv_cache_block_metrics", KV, 0,
               "kv_cache_block_type", "fraction"),
    TG_PLAIN("nv_llm_input_token_len_sum", PROMPT_TOKENS, 0),
    TG_PLAIN("nv_llm_output_token_len_sum", OUTPUT_TOKENS, 0),
    TG_LABELED("nv_trt_llm_general_metrics", STEPS, 0,
               "general_type", "iteration_counter"),
    TG_PLAIN("nv_gpu_utilization", GPU_UTIL, 0)
};

static const tg_metric_t  tg_metrics_trtllm[] = {
    TG_PLAIN("trtllm_num_requests_running", RUNNING, 0),
    TG_PLAIN("trtllm_num_requests_waiting", WAITING, 0),
    TG_PLAIN("trtllm_max_num_active_requests", SLOTS, 0),
    TG_PLAIN("trtllm_kv_cache_utilization", KV, 0),
    TG_PLAIN("trtllm_prompt_tokens_total", PROMPT_TOKENS, 0),
    TG_PLAIN("trtllm_generation_tokens_total", OUTPUT_TOKENS, 0),
    TG_PLAIN("trtllm_prompt_cached_tokens_total", CACHED_TOKENS, 0),
    TG_PLAIN("trtllm_kv_cache_gen_alloc_blocks_total", STEPS, 0)
};

static const tg_metric_t  tg_metrics_nim[] = {
    TG_PLAIN("num_requests_running", RUNNING, 0),
    TG_PLAIN("num_requests_waiting", WAITING, 0),
    TG_PLAIN("num_request_max", SLOTS, 0),
    TG_PLAIN("gpu_cache_usage_perc", KV, 0),
    TG_SHARED("prompt_tokens_total", PROMPT_TOKENS, 0),
    TG_SHARED("generation_tokens_total", OUTPUT_TOKENS, 0)
};

#define TG_METRICS(t)  t, sizeof(t) / sizeof(t[0])
#define TG_NO_METRICS  NULL, 0

const tg_engine_conf_t  tg_engines[TG_ENGINES] = {
    [TG_ENGINE_AUTO] = { TG_STR("auto"),
        { TG_STR("/health"), TG_STR("/metrics"), 0 },
        TG_NO_METRICS, TG_ENGINE_AUTO },
    [TG_ENGINE_VLLM] = { TG_STR("vllm"),
        { TG_STR("/health"), TG_STR("/metrics"), 0 },
        TG_METRICS(tg_metrics_vllm), TG_ENGINE_AUTO },
    [TG_ENGINE_SGLANG] = { TG_STR("sglang"),
        { TG_STR("/health"), TG_STR("/metrics"), 0 },
        TG_METRICS(tg_metrics_sglang), TG_ENGINE_AUTO },
    [TG_ENGINE_LLAMACPP] = { TG_STR("llamacpp"),
        { TG_STR("/health"), TG_STR("/metrics"), 0 },
        TG_METRICS(tg_metrics_llamacpp), TG_ENGINE_AUTO },
    [TG_ENGINE_TGI] = { TG_STR("tgi"),
        { TG_STR("/health"), TG_STR("/metrics"), 0 },
        TG_METRICS(tg_metrics_tgi), TG_ENGINE_AUTO },
    [TG_ENGINE_TRITON] = { TG_STR("triton"),
        { TG_STR("/v2/health/ready"), TG_STR("/metrics"), 8002 },
        TG_METRICS(tg_metrics_triton), TG_ENGINE_VLLM },
    [TG_ENGINE_TRTLLM] = { TG_STR("trtllm"),
        { TG_STR("/health"), TG_STR("/prometheus/metrics"), 0 },
        TG_METRICS(tg_metrics_trtllm), TG_ENGINE_AUTO },
    [TG_ENGINE_NIM] = { TG_STR("nim"),
        { TG_STR("/v1/health/ready"), TG_STR("/v1/metrics"), 0 },
        TG_METRICS(tg_metrics_nim), TG_ENGINE_VLLM },
    [TG_ENGINE_OLLAMA] = { TG_STR("ollama"),
        { TG_STR("/api/version"), TG_STR(""), 0 },
        TG_NO_METRICS, TG_ENGINE_AUTO },
    [TG_ENGINE_OPENAI] = { TG_STR("openai"),
        { TG_STR("/v1/models"), TG_STR(""), 0 },
        TG_NO_METRICS, TG_ENGINE_AUTO }
};


tg_engine_t
tg_engine_named(tg_str_t name)
{
    unsigned  i;

    for (i = 0; i < TG_ENGINES; i++) {
        if (tg_str_eq(name, tg_engines[i].name)) {
            break;
        }
    }

    return (tg_engine_t) i;
}


tg_str_t
tg_engine_name(tg_engine_t engine)
{
    return tg_engines[engine].name;
}


void
tg_engine_pages(tg_engine_t engine, tg_engine_pages_t *pages)
{
    *pages = tg_engines[engine].pages;
}
