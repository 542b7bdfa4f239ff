#include "tg_engine.h"

#include <math.h>

/*
 * Names as of November 2026:
 *
 * vLLM          docs.vllm.ai/en/v0.32.0/usage/metrics; vllm/v1/metrics/loggers.py;
 *               gpu_cache_usage_perc is kv_cache_usage_perc since 0.9 (2025-06),
 *               num_requests_swapped is of engine V0, gone with 0.11 (2025-10)
 * SGLang        docs.sglang.io/docs/references/production_metrics;
 *               metrics_collector.py of 2026-09: of queues there is a series for
 *               each priority beside that of all, which has priority="" or none;
 *               with --enable-metrics-for-all-schedulers each rank of one
 *               replica says the same
 * llama.cpp     tools/server/README.md, 2026-10; kv_cache_usage_ratio until
 *               2025-05; tokens are counted when a request has ended
 * TGI           huggingface.co/docs/text-generation-inference/reference/metrics,
 *               2026-03; tokens are sums of histograms, at a request's end
 * Triton        github.com/triton-inference-server/tensorrtllm_backend, README,
 *               2025-11, custom_metrics_reporter.cc; nv_gpu_utilization of
 *               Triton itself; with the vLLM backend it is vLLM's names
 * trtllm-serve  tensorrt_llm/metrics/collector.py, 2026-09
 * NIM           docs.nvidia.com/nim/large-language-models/latest/observability,
 *               2026-09; since 2.0 it has vLLM's names beside num_request_max
 */

typedef enum {
    TG_UNIT_ONE = 1,
    TG_UNIT_THOUSAND = 1000,
    TG_UNIT_SHARE = 1000000    /* of a share of 1 */
} tg_engine_unit_t;

typedef struct {
    const char         *name;
    tg_fact_t           fact;
    uint8_t             rank;           /* 0: the newest name */
    const char         *label;          /* must be there, with ... */
    const char         *value;
    tg_engine_unit_t   unit;           /* 0: TG_UNIT_ONE */
    bool                common;         /* others may have it, too */
} tg_metric_t;

/* Behind the names of an engine those of another that is inside it. */
#define TG_RANK_INSIDE  8

/* A share that is more than that is no share but percent, or nonsense. */
#define TG_SHARE_MAX    1.1

/* What is more a double does not count exactly. */
#define TG_VALUE_MAX    9007199254740992.0

#define TG_LABEL_MAX    64

/* No name is shorter than TG_PROM_HEAD. */
static const tg_metric_t  tg_metrics_vllm[] = {
    { "vllm:num_requests_running", TG_FACT_RUNNING, 0, NULL, NULL, 0, false },
    { "vllm:num_requests_waiting", TG_FACT_WAITING, 0, NULL, NULL, 0, false },
    { "vllm:num_requests_swapped", TG_FACT_WAITING, 0, NULL, NULL, 0, false },
    { "vllm:kv_cache_usage_perc", TG_FACT_KV, 0, NULL, NULL,
      TG_UNIT_SHARE, false },
    { "vllm:gpu_cache_usage_perc", TG_FACT_KV, 1, NULL, NULL,
      TG_UNIT_SHARE, false },
    { "vllm:prompt_tokens_total", TG_FACT_PROMPT_TOKENS, 0, NULL, NULL,
      0, false },
    { "vllm:generation_tokens_total", TG_FACT_OUTPUT_TOKENS, 0, NULL, NULL,
      0, false },
    { "vllm:prompt_tokens_cached_total", TG_FACT_CACHED_TOKENS, 0, NULL, NULL,
      0, false },
    { "vllm:prefix_cache_hits_total", TG_FACT_CACHED_TOKENS, 1, NULL, NULL,
      0, false },
    { "vllm:gpu_prefix_cache_hits_total", TG_FACT_CACHED_TOKENS, 2, NULL, NULL,
      0, false },
    { "vllm:engine_sleep_state", TG_FACT_SLEEPING, 0, "sleep_state", "awake",
      0, false }
};

static const tg_metric_t  tg_metrics_sglang[] = {
    { "sglang:num_running_reqs", TG_FACT_RUNNING, 0, NULL, NULL, 0, false },
    { "sglang:num_queue_reqs", TG_FACT_WAITING, 0, NULL, NULL, 0, false },
    { "sglang:token_usage", TG_FACT_KV, 0, NULL, NULL, TG_UNIT_SHARE, false },
    { "sglang:gen_throughput", TG_FACT_TOKENS_PER_S, 0, NULL, NULL,
      TG_UNIT_THOUSAND, false },
    { "sglang:realtime_tokens_total", TG_FACT_OUTPUT_TOKENS, 0,
      "mode", "decode", 0, false },
    { "sglang:generation_tokens_total", TG_FACT_OUTPUT_TOKENS, 1, NULL, NULL,
      0, false },
    { "sglang:realtime_tokens_total", TG_FACT_PROMPT_TOKENS, 0,
      "mode", "prefill_compute", 0, false },
    { "sglang:realtime_tokens_total", TG_FACT_PROMPT_TOKENS, 0,
      "mode", "prefill_cache", 0, false },
    { "sglang:prompt_tokens_total", TG_FACT_PROMPT_TOKENS, 1, NULL, NULL,
      0, false },
    { "sglang:realtime_tokens_total", TG_FACT_CACHED_TOKENS, 0,
      "mode", "prefill_cache", 0, false },
    { "sglang:cached_tokens_total", TG_FACT_CACHED_TOKENS, 1, NULL, NULL,
      0, false }
};

static const tg_metric_t  tg_metrics_llamacpp[] = {
    { "llamacpp:requests_processing", TG_FACT_RUNNING, 0, NULL, NULL,
      0, false },
    { "llamacpp:requests_deferred", TG_FACT_WAITING, 0, NULL, NULL, 0, false },
    { "llamacpp:kv_cache_usage_ratio", TG_FACT_KV, 0, NULL, NULL,
      TG_UNIT_SHARE, false },
    { "llamacpp:prompt_tokens_total", TG_FACT_PROMPT_TOKENS, 0, NULL, NULL,
      0, false },
    { "llamacpp:tokens_predicted_total", TG_FACT_OUTPUT_TOKENS, 0, NULL, NULL,
      0, false },
    { "llamacpp:prompt_tokens_cached_total", TG_FACT_CACHED_TOKENS, 0,
      NULL, NULL, 0, false },
    { "llamacpp:predicted_tokens_seconds", TG_FACT_TOKENS_PER_S, 0, NULL, NULL,
      TG_UNIT_THOUSAND, false },
    { "llamacpp:n_decode_total", TG_FACT_STEPS, 0, NULL, NULL, 0, false }
};

static const tg_metric_t  tg_metrics_tgi[] = {
    { "tgi_batch_current_size", TG_FACT_RUNNING, 0, NULL, NULL, 0, false },
    { "tgi_queue_size", TG_FACT_WAITING, 0, NULL, NULL, 0, false },
    { "tgi_request_input_length_sum", TG_FACT_PROMPT_TOKENS, 0, NULL, NULL,
      0, false },
    { "tgi_request_generated_tokens_sum", TG_FACT_OUTPUT_TOKENS, 0, NULL, NULL,
      0, false },
    { "tgi_batch_inference_count", TG_FACT_STEPS, 0, NULL, NULL, 0, false }
};

static const tg_metric_t  tg_metrics_triton[] = {
    { "nv_trt_llm_request_metrics", TG_FACT_RUNNING, 0,
      "request_type", "scheduled", 0, false },
    { "nv_trt_llm_request_metrics", TG_FACT_WAITING, 0,
      "request_type", "waiting", 0, false },
    { "nv_trt_llm_request_metrics", TG_FACT_SLOTS, 0,
      "request_type", "max", 0, false },
    { "nv_trt_llm_kv_cache_block_metrics", TG_FACT_KV, 0,
      "kv_cache_block_type", "fraction", TG_UNIT_SHARE, false },
    { "nv_llm_input_token_len_sum", TG_FACT_PROMPT_TOKENS, 0, NULL, NULL,
      0, false },
    { "nv_llm_output_token_len_sum", TG_FACT_OUTPUT_TOKENS, 0, NULL, NULL,
      0, false },
    { "nv_trt_llm_general_metrics", TG_FACT_STEPS, 0,
      "general_type", "iteration_counter", 0, false },
    { "nv_gpu_utilization", TG_FACT_GPU_UTIL, 0, NULL, NULL,
      TG_UNIT_SHARE, false }
};

static const tg_metric_t  tg_metrics_trtllm[] = {
    { "trtllm_num_requests_running", TG_FACT_RUNNING, 0, NULL, NULL, 0, false },
    { "trtllm_num_requests_waiting", TG_FACT_WAITING, 0, NULL, NULL, 0, false },
    { "trtllm_max_num_active_requests", TG_FACT_SLOTS, 0, NULL, NULL,
      0, false },
    { "trtllm_kv_cache_utilization", TG_FACT_KV, 0, NULL, NULL,
      TG_UNIT_SHARE, false },
    { "trtllm_prompt_tokens_total", TG_FACT_PROMPT_TOKENS, 0, NULL, NULL,
      0, false },
    { "trtllm_generation_tokens_total", TG_FACT_OUTPUT_TOKENS, 0, NULL, NULL,
      0, false },
    { "trtllm_prompt_cached_tokens_total", TG_FACT_CACHED_TOKENS, 0, NULL, NULL,
      0, false },
    { "trtllm_kv_cache_gen_alloc_blocks_total", TG_FACT_STEPS, 0, NULL, NULL,
      0, false }
};

static const tg_metric_t  tg_metrics_nim[] = {
    { "num_requests_running", TG_FACT_RUNNING, 0, NULL, NULL, 0, false },
    { "num_requests_waiting", TG_FACT_WAITING, 0, NULL, NULL, 0, false },
    { "num_request_max", TG_FACT_SLOTS, 0, NULL, NULL, 0, false },
    { "gpu_cache_usage_perc", TG_FACT_KV, 0, NULL, NULL,
      TG_UNIT_SHARE, false },
    { "prompt_tokens_total", TG_FACT_PROMPT_TOKENS, 0, NULL, NULL, 0, true },
    { "generation_tokens_total", TG_FACT_OUTPUT_TOKENS, 0, NULL, NULL, 0, true }
};

#define TG_METRICS(t)  t, sizeof(t) / sizeof(t[0])
#define TG_NO_METRICS  NULL, 0

typedef struct {
    tg_str_t            name;
    tg_engine_pages_t   pages;
    const tg_metric_t  *metrics;
    size_t              nmetrics;
    tg_engine_t         inside;         /* AUTO: none */
} tg_engine_conf_t;

static const tg_engine_conf_t  tg_engines[TG_ENGINES] = {
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

/* Of several whose names are on a page, the first: the outer before the inner. */
static const tg_engine_t  tg_engine_order[] = {
    TG_ENGINE_TRITON, TG_ENGINE_NIM, TG_ENGINE_SGLANG, TG_ENGINE_TRTLLM,
    TG_ENGINE_TGI, TG_ENGINE_LLAMACPP, TG_ENGINE_VLLM
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


static inline unsigned
tg_engine_head(const char *p)
{
    uint64_t        a, b;
    const uint64_t  k = UINT64_C(0x9e3779b97f4a7c15);

    memcpy(&a, p, sizeof(a));
    memcpy(&b, p + TG_PROM_HEAD - sizeof(b), sizeof(b));

    return (unsigned) ((a * k ^ b) * k >> 54) % TG_ENGINE_HEADS;
}


static bool
tg_engine_wanted(void *data, const char *p)
{
    unsigned                 i = tg_engine_head(p);
    const tg_engine_read_t  *er = data;

    return (er->heads[i / 64] & UINT64_C(1) << i % 64) != 0;
}


static bool
tg_engine_is(tg_str_t labels, const char *name, const char *value)
{
    char      buf[TG_LABEL_MAX];
    tg_str_t  v;

    return tg_prom_label(labels, tg_strz(name), buf, sizeof(buf), &v)
           && tg_str_eq(v, tg_strz(value));
}


/* Not there, empty or of that value. */

static bool
tg_engine_unless(tg_str_t labels, const char *name, const char *value)
{
    char      buf[TG_LABEL_MAX];
    tg_str_t  v;

    return !tg_prom_label(labels, tg_strz(name), buf, sizeof(buf), &v)
           || v.len == 0 || tg_str_eq(v, tg_strz(value));
}


/* False: a part or a copy of what another series says. */

static bool
tg_engine_counts(tg_engine_t engine, tg_str_t labels)
{
    char      buf[TG_LABEL_MAX];
    tg_str_t  v;

    if (engine != TG_ENGINE_SGLANG || labels.len == 0) {
        return true;
    }

    if (!tg_engine_unless(labels, "priority", "")
        || !tg_engine_unless(labels, "pp_rank", "0"))
    {
        return false;
    }

    if (tg_prom_label(labels, tg_str("dp_rank"), buf, sizeof(buf), &v)
        && v.len != 0)
    {
        return true;
    }

    return tg_engine_unless(labels, "tp_rank", "0");
}


/* The value as the fact's unit has it; -1: there is none. */

static int64_t
tg_engine_value(const tg_metric_t *m, double v)
{
    double  unit = m->unit != 0 ? (double) m->unit : 1.0;

    if (m->unit == TG_UNIT_SHARE && v > 1.0) {
        v = v <= TG_SHARE_MAX ? 1.0 : (double) NAN;
    }

    v *= unit;

    /* NaN is not smaller, either */

    return v >= 0 && v < TG_VALUE_MAX ? (int64_t) (v + 0.5) : -1;
}


/* Two series of one fact. */

static bool
tg_engine_join(tg_fact_t fact, int64_t *have, int64_t v)
{
    switch (fact) {

    case TG_FACT_KV:
    case TG_FACT_GPU_UTIL:
        *have = *have > v ? *have : v;
        return true;

    case TG_FACT_SLEEPING:
        /* a server sleeps when all of its engines do */
        *have = *have < v ? *have : v;
        return true;

    default:
        return !__builtin_add_overflow(*have, v, have);
    }
}


static void
tg_engine_add(tg_engine_read_t *er, tg_engine_t engine, const tg_metric_t *m,
    uint8_t rank, double sample)
{
    int64_t   v;
    uint32_t  bit = UINT32_C(1) << m->fact;

    if ((er->of[engine].known & bit) != 0) {

        if (rank > er->of[engine].rank[m->fact]) {
            return;
        }

        if (rank < er->of[engine].rank[m->fact]) {
            er->of[engine].known &= ~bit;
            er->of[engine].spoilt &= ~bit;
        }
    }

    v = tg_engine_value(m, sample);

    if (m->fact == TG_FACT_SLEEPING && v >= 0) {
        v = v == 0;
    }

    if (v < 0) {
        er->of[engine].spoilt |= bit;
        er->of[engine].value[m->fact] = 0;

    } else if ((er->of[engine].known & bit) == 0) {
        er->of[engine].value[m->fact] = v;

    } else if (!tg_engine_join(m->fact, &er->of[engine].value[m->fact], v)) {
        er->of[engine].spoilt |= bit;
    }

    er->of[engine].known |= bit;
    er->of[engine].rank[m->fact] = rank;
}


/* A sample, for one engine, by the names of another or its own. */

static void
tg_engine_match(tg_engine_read_t *er, tg_engine_t engine, tg_engine_t names,
    const tg_prom_sample_t *sample)
{
    const tg_metric_t  *m = tg_engines[names].metrics,
                       *end = m + tg_engines[names].nmetrics;

    for ( ; m < end; m++) {

        if (!tg_str_eq(sample->name, tg_strz(m->name))) {
            continue;
        }

        if (engine == names && !m->common) {
            er->seen |= UINT32_C(1) << engine;
        }

        if ((m->label == NULL
             || tg_engine_is(sample->labels, m->label, m->value))
            && tg_engine_counts(names, sample->labels))
        {
            tg_engine_add(er, engine, m, (uint8_t) (m->rank
                          + (engine != names ? TG_RANK_INSIDE : 0)),
                          sample->value);
        }
    }
}


static void
tg_engine_sample(void *data, const tg_prom_sample_t *sample)
{
    tg_engine_t        e;
    tg_engine_read_t  *er = data;

    for (unsigned i = 0; i < TG_ENGINES; i++) {
        e = (tg_engine_t) i;

        if (tg_engines[e].nmetrics == 0
            || (er->want != TG_ENGINE_AUTO && er->want != e))
        {
            continue;
        }

        tg_engine_match(er, e, e, sample);

        if (tg_engines[e].inside != TG_ENGINE_AUTO) {
            tg_engine_match(er, e, tg_engines[e].inside, sample);
        }
    }
}


static void
tg_engine_heads(tg_engine_read_t *er, tg_engine_t engine)
{
    unsigned                 h;
    const tg_engine_conf_t  *ec = &tg_engines[engine];

    for (size_t i = 0; i < ec->nmetrics; i++) {
        h = tg_engine_head(ec->metrics[i].name);
        er->heads[h / 64] |= UINT64_C(1) << h % 64;
    }

    if (ec->inside != TG_ENGINE_AUTO) {
        tg_engine_heads(er, ec->inside);
    }
}


void
tg_engine_begin(tg_engine_read_t *er, tg_engine_t want)
{
    er->want = want;
    er->seen = 0;
    memset(er->heads, 0, sizeof(er->heads));

    for (unsigned i = 0; i < TG_ENGINES; i++) {
        er->of[i].known = 0;
        er->of[i].spoilt = 0;

        if (want == TG_ENGINE_AUTO || want == (tg_engine_t) i) {
            tg_engine_heads(er, (tg_engine_t) i);
        }
    }

    tg_prom_init(&er->prom, tg_engine_sample, tg_engine_wanted, er);
}


int
tg_engine_feed(tg_engine_read_t *er, const char *p, size_t n)
{
    return tg_prom_feed(&er->prom, p, n);
}


static tg_engine_t
tg_engine_found(const tg_engine_read_t *er)
{
    const size_t  n = sizeof(tg_engine_order) / sizeof(tg_engine_order[0]);

    if (er->want != TG_ENGINE_AUTO) {
        return er->want;
    }

    for (size_t i = 0; i < n; i++) {
        if ((er->seen & UINT32_C(1) << tg_engine_order[i]) != 0) {
            return tg_engine_order[i];
        }
    }

    return TG_ENGINE_AUTO;
}


int
tg_engine_end(tg_engine_read_t *er, tg_engine_facts_t *facts, tg_error_t *err)
{
    if (tg_prom_end(&er->prom) != TG_OK) {
        return tg_error(err, 0, 0, "it is no page of metrics");
    }

    memset(facts, 0, sizeof(*facts));
    facts->engine = tg_engine_found(er);

    if (facts->engine == TG_ENGINE_AUTO) {
        return TG_OK;
    }

    facts->known = er->of[facts->engine].known
                   & ~er->of[facts->engine].spoilt;

    for (unsigned i = 0; i < TG_FACTS; i++) {
        if ((facts->known & UINT32_C(1) << i) != 0) {
            facts->value[i] = er->of[facts->engine].value[i];
        }
    }

    return TG_OK;
}
