/*
 * page.c - metrics pages, as vLLM, SGLang and llama.cpp write them.
 */

#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define EN_PAGE_MAX    (2 * 1024 * 1024)
#define EN_BOUNDS_MAX  24
#define EN_PATHS_MAX   16
#define EN_HUGE        16000            /* lines of a page that is too much */

typedef struct {
    const char  *name;                  /* after "vllm:"; NULL: no such there */
    const char  *old;                   /* before it was renamed; or NULL */
    const char  *help;
    double       bounds[EN_BOUNDS_MAX]; /* 0 ends */
} en_shape_t;

typedef struct {
    uint64_t  counts[EN_BOUNDS_MAX + 1];
    uint64_t  count;
    double    sum;
} en_counts_t;

typedef struct {
    const char  *handler;
    unsigned     status;
    uint64_t     n;
} en_path_t;

#define EN_E2E  { .3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60,  \
                  120, 240, 480, 960, 1920, 7680 }
#define EN_GAP  { .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, \
                  5, 7.5, 10, 20, 40, 80 }
#define EN_LEN  { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000,       \
                  10000, 20000, 50000, 100000 }

static const en_shape_t  en_shapes[EN_HISTOGRAMS] = {
    { "time_to_first_token_seconds", NULL, "Time to first token in seconds",
      { .001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5,
        10, 20, 40, 80, 160, 640, 2560 } },
    { "inter_token_latency_seconds", "time_per_output_token_seconds",
      "Time between two tokens of a request in seconds", EN_GAP },
    { "request_time_per_output_token_seconds", NULL,
      "Time for each output token of a request in seconds", EN_GAP },
    { "e2e_request_latency_seconds", NULL, "Latency of a request in seconds",
      EN_E2E },
    { "request_queue_time_seconds", NULL, "Time in WAITING of a request",
      EN_E2E },
    { "request_inference_time_seconds", NULL, "Time in RUNNING of a request",
      EN_E2E },
    { "request_prefill_time_seconds", NULL, "Time in PREFILL of a request",
      EN_E2E },
    { "request_decode_time_seconds", NULL, "Time in DECODE of a request",
      EN_E2E },
    { "request_prompt_tokens", NULL, "Number of prefill tokens", EN_LEN },
    { "request_generation_tokens", NULL, "Number of generated tokens", EN_LEN },
    { "iteration_tokens_total", NULL, "Number of tokens of an engine step",
      { 1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384 } },
    { "request_params_max_tokens", NULL, "max_tokens of a request", EN_LEN },
    { "request_params_n", NULL, "n of a request", { 1, 2, 5, 10, 20 } },
    { "request_prefill_kv_computed_tokens", NULL,
      "Prompt tokens that were not in the cache", EN_LEN },
    { NULL, NULL, NULL,
      { .01, .025, .05, .075, .1, .25, .5, .75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5,
        5, 7.5, 10, 30, 60 } },
};

static en_counts_t  en_counts[EN_HISTOGRAMS];
static uint64_t     en_ends[EN_ENDS];
static en_path_t    en_paths[EN_PATHS_MAX];
static unsigned     en_npaths;
static char         en_text[EN_PAGE_MAX];
static size_t       en_len;
static int64_t      en_made;            /* when the page was */


void
en_observe(en_histogram_t h, double value)
{
    unsigned      i = 0;
    en_counts_t  *c = &en_counts[h];

    while (i < EN_BOUNDS_MAX && en_shapes[h].bounds[i] != 0
           && value > en_shapes[h].bounds[i])
    {
        i++;
    }

    c->counts[i]++;
    c->count++;
    c->sum += value;
}


void
en_ended(en_end_t end)
{
    en_ends[end]++;
}


void
en_asked(const char *handler, unsigned status)
{
    unsigned  i = 0;

    while (i < en_npaths && (en_paths[i].status != status
                             || strcmp(en_paths[i].handler, handler) != 0))
    {
        i++;
    }

    if (i == EN_PATHS_MAX) {
        return;
    }

    en_paths[i].handler = handler;
    en_paths[i].status = status;
    en_paths[i].n++;
    en_npaths += i == en_npaths;
}


static void __attribute__((format(printf, 1, 2)))
en_put(const char *format, ...)
{
    int      n;
    va_list  args;

    va_start(args, format);
    n = vsnprintf(en_text + en_len, EN_PAGE_MAX - en_len, format, args);
    va_end(args);

    if (n > 0 && (size_t) n < EN_PAGE_MAX - en_len) {
        en_len += (size_t) n;
    }
}


static void
en_head(const char *name, const char *type, const char *help)
{
    en_put("# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}


static const char *
en_labels(void)
{
    static char  text[EN_MODEL_MAX + 64];

    (void) snprintf(text, sizeof(text),
                    "%smodel_name=\"%s\"", en_conf.old ? "" : "engine=\"0\",",
                    en_conf.model);

    return text;
}


static double
en_wall(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9
           - (double) (en_now() - en_started) / 1e9;
}


static void
en_vllm_number(const char *name, const char *type, const char *help,
    const char *more, double value)
{
    char  full[128];

    (void) snprintf(full, sizeof(full), "vllm:%s", name);
    en_head(full, type, help);
    en_put("%s{%s%s} %.17g\n", full, en_labels(), more, value);

    if (type[0] == 'c') {
        full[strlen(full) - strlen("_total")] = '\0';
        en_head(full, "gauge", help);
        en_put("%s_created{%s%s} %.17g\n", full, en_labels(), more, en_wall());
    }
}


static void
en_buckets(const char *name, const char *labels, en_histogram_t h)
{
    uint64_t            sum = 0;
    const double       *bounds = en_shapes[h].bounds;
    const en_counts_t  *c = &en_counts[h];

    for (unsigned i = 0; i < EN_BOUNDS_MAX && bounds[i] != 0; i++) {
        sum += c->counts[i];
        en_put("%s_bucket{%s%sle=\"%g\"} %llu.0\n", name, labels,
               *labels ? "," : "", bounds[i], (unsigned long long) sum);
    }

    en_put("%s_bucket{%s%sle=\"+Inf\"} %llu.0\n", name, labels,
           *labels ? "," : "", (unsigned long long) c->count);
    en_put("%s_count%s%s%s %llu.0\n", name, *labels ? "{" : "", labels,
           *labels ? "}" : "", (unsigned long long) c->count);
    en_put("%s_sum%s%s%s %.17g\n", name, *labels ? "{" : "", labels,
           *labels ? "}" : "", c->sum);
}


static void
en_vllm_histograms(void)
{
    char               name[128];
    const en_shape_t  *shape;

    for (unsigned h = 0; h < EN_HISTOGRAMS; h++) {
        shape = &en_shapes[h];
        if (shape->name == NULL) {
            continue;
        }
        (void) snprintf(name, sizeof(name), "vllm:%s",
                        en_conf.old && shape->old ? shape->old : shape->name);
        en_head(name, "histogram", shape->help);
        en_buckets(name, en_labels(), (en_histogram_t) h);
        en_put("# HELP %s_created %s\n# TYPE %s_created gauge\n"
               "%s_created{%s} %.17g\n", name, shape->help, name, name,
               en_labels(), en_wall());
    }
}


static double
en_kv_fill(void)
{
    const en_kv_t  *kv = &en_model.kv;

    return (double) (kv->n - kv->nfree) / (double) kv->n;
}


static void
en_vllm_gauges(void)
{
    static const char  *states[] = { "awake", "weights_offloaded",
                                     "discard_all" };

    en_vllm_number("num_requests_running", "gauge",
                   "Number of requests in model execution batches.", "",
                   en_model.running.n);
    en_vllm_number("num_requests_waiting", "gauge",
                   "Number of requests waiting to be processed.", "",
                   en_model.waiting.n);

    if (en_conf.old) {
        en_vllm_number("num_requests_swapped", "gauge",
                       "Number of requests swapped to CPU.", "", 0);
        en_vllm_number("gpu_cache_usage_perc", "gauge",
                       "GPU KV-cache usage. 1 means 100 percent usage.", "",
                       en_kv_fill());
        en_vllm_number("cpu_cache_usage_perc", "gauge",
                       "CPU KV-cache usage. 1 means 100 percent usage.", "",
                       0);
        return;
    }

    en_head("vllm:engine_sleep_state", "gauge", "Engine sleep state.");
    for (long i = 0; i < 3; i++) {
        en_put("vllm:engine_sleep_state{%s,sleep_state=\"%s\"} %d.0\n",
               en_labels(), states[i], en_conf.sleeping == i);
    }

    en_vllm_number("kv_cache_usage_perc", "gauge",
                   "KV-cache usage. 1 means 100 percent usage.", "",
                   en_kv_fill());
}


static void
en_vllm_counters(void)
{
    static const char  *reasons[] = { "length", "abort", "stop", "error" };

    if (!en_conf.old) {
        en_vllm_number("prefix_cache_queries_total", "counter",
                       "Prefix cache queries, in tokens.", "",
                       (double) en_model.queries);
        en_vllm_number("prefix_cache_hits_total", "counter",
                       "Prefix cache hits, in tokens.", "",
                       (double) en_model.hits);
        en_vllm_number("mm_cache_queries_total", "counter",
                       "Multi-modal cache queries, in items.", "", 0);
        en_vllm_number("mm_cache_hits_total", "counter",
                       "Multi-modal cache hits, in items.", "", 0);
    }

    en_vllm_number("num_preemptions_total", "counter",
                   "Cumulative number of preemptions.", "",
                   (double) en_model.preempted);
    en_vllm_number("prompt_tokens_total", "counter",
                   "Number of prefill tokens processed.", "",
                   (double) en_model.prompt_tokens);
    en_vllm_number("generation_tokens_total", "counter",
                   "Number of generation tokens processed.", "",
                   (double) en_model.output_tokens);

    en_head("vllm:request_success_total", "counter",
            "Count of successfully processed requests.");
    for (unsigned i = 0; i < 4; i++) {
        en_put("vllm:request_success_total{%s,finished_reason=\"%s\"} %llu.0\n",
               en_labels(), reasons[i],
               i < EN_ENDS ? (unsigned long long) en_ends[i] : 0ULL);
    }

    en_head("vllm:cache_config_info", "gauge",
            "Information of the LLMEngine CacheConfig");
    en_put("vllm:cache_config_info{block_size=\"%d\",cache_dtype=\"auto\","
           "cpu_offload_gb=\"0\",enable_prefix_caching=\"%s\",engine=\"0\","
           "gpu_memory_utilization=\"0.9\",num_cpu_blocks=\"None\","
           "num_gpu_blocks=\"%ld\",num_gpu_blocks_override=\"None\","
           "sliding_window=\"None\",swap_space=\"4\","
           "swap_space_bytes=\"4294967296\"} 1.0\n", EN_BLOCK,
           en_conf.prefix ? "True" : "False", en_conf.blocks);
}


/* What the Python runtime and the web framework add. */
static void
en_python(int64_t now)
{
    char  labels[128];

    en_head("python_gc_objects_collected_total", "counter",
            "Objects collected during gc");
    for (int i = 0; i < 3; i++) {
        en_put("python_gc_objects_collected_total{generation=\"%d\"} %d.0\n", i,
               11027 - 3500 * i);
    }

    en_head("python_info", "gauge", "Python platform information");
    en_put("python_info{implementation=\"CPython\",major=\"3\",minor=\"12\","
           "patchlevel=\"11\",version=\"3.12.11\"} 1.0\n");
    en_head("process_resident_memory_bytes", "gauge",
            "Resident memory size in bytes.");
    en_put("process_resident_memory_bytes 4.312e+09\n");
    en_head("process_cpu_seconds_total", "counter",
            "Total user and system CPU time spent in seconds.");
    en_put("process_cpu_seconds_total %.2f\n",
           (double) (now - en_started) / 1e9);
    en_head("http_requests_total", "counter",
            "Total number of requests by method, status and handler.");

    for (unsigned i = 0; i < en_npaths; i++) {
        en_put("http_requests_total{handler=\"%s\",method=\"%s\","
               "status=\"%uxx\"} %llu.0\n", en_paths[i].handler,
               strstr(en_paths[i].handler, "completions") ? "POST" : "GET",
               en_paths[i].status / 100, (unsigned long long) en_paths[i].n);
    }

    en_head("http_request_duration_highr_seconds", "histogram",
            "Latency with many buckets but no API specific labels.");
    en_buckets("http_request_duration_highr_seconds", "", EN_H_HTTP);
    en_head("http_request_duration_seconds", "histogram",
            "Latency with only few buckets by handler.");

    for (unsigned i = 0; i < en_npaths; i++) {
        (void) snprintf(labels, sizeof(labels), "handler=\"%s\",status=\"%u\"",
                        en_paths[i].handler, en_paths[i].status);
        en_buckets("http_request_duration_seconds", labels, EN_H_HTTP);
    }
}


static void
en_vllm_page(int64_t now)
{
    en_python(now);
    en_vllm_gauges();
    en_vllm_counters();
    en_vllm_histograms();
}


static void
en_sglang_number(const char *name, const char *type, double value)
{
    char  full[128];

    (void) snprintf(full, sizeof(full), "sglang:%s", name);
    en_head(full, type, name);
    en_put("%s{model_name=\"%s\"} %.17g\n", full, en_conf.model, value);
}


static void
en_sglang_page(void)
{
    char    labels[EN_MODEL_MAX + 32];
    double  up = (double) (en_now() - en_started) / 1e9;

    en_sglang_number("num_running_reqs", "gauge", en_model.running.n);
    en_sglang_number("num_used_tokens", "gauge",
                     (en_model.kv.n - en_model.kv.nfree) * EN_BLOCK);
    en_sglang_number("token_usage", "gauge", en_kv_fill());
    en_sglang_number("gen_throughput", "gauge",
                     (double) en_model.output_tokens / (up > 1 ? up : 1));
    en_sglang_number("num_queue_reqs", "gauge", en_model.waiting.n);
    en_sglang_number("cache_hit_rate", "gauge", en_model.queries == 0 ? 0
                     : (double) en_model.hits / (double) en_model.queries);
    en_sglang_number("prompt_tokens_total", "counter",
                     (double) en_model.prompt_tokens);
    en_sglang_number("generation_tokens_total", "counter",
                     (double) en_model.output_tokens);
    en_sglang_number("cached_tokens_total", "counter", (double) en_model.hits);

    (void) snprintf(labels, sizeof(labels), "model_name=\"%s\"", en_conf.model);
    en_head("sglang:time_to_first_token_seconds", "histogram",
            "Histogram of time to first token in seconds.");
    en_buckets("sglang:time_to_first_token_seconds", labels, EN_H_TTFT);
    en_head("sglang:e2e_request_latency_seconds", "histogram",
            "Histogram of end-to-end request latency in seconds");
    en_buckets("sglang:e2e_request_latency_seconds", labels, EN_H_E2E);
}


static void
en_llamacpp_number(const char *name, const char *type, double value)
{
    char  full[128];

    (void) snprintf(full, sizeof(full), "llamacpp:%s", name);
    en_head(full, type, name);
    en_put("%s %.6g\n", full, value);
}


static void
en_llamacpp_page(void)
{
    double  busy = (double) en_model.busy_ns / 1e9;

    en_llamacpp_number("prompt_tokens_total", "counter",
                       (double) en_model.prompt_tokens);
    en_llamacpp_number("prompt_seconds_total", "counter", busy / 4);
    en_llamacpp_number("tokens_predicted_total", "counter",
                       (double) en_model.output_tokens);
    en_llamacpp_number("tokens_predicted_seconds_total", "counter", busy);
    en_llamacpp_number("n_decode_total", "counter", (double) en_model.steps);
    en_llamacpp_number("predicted_tokens_seconds", "gauge", busy > 0
                       ? (double) en_model.output_tokens / busy : 0);

    if (en_conf.old) {
        en_llamacpp_number("kv_cache_usage_ratio", "gauge", en_kv_fill());
    }

    en_llamacpp_number("requests_processing", "gauge", en_model.running.n);
    en_llamacpp_number("requests_deferred", "gauge", en_model.waiting.n);
}


static void
en_huge_page(void)
{
    for (unsigned i = 0; i < EN_HUGE; i++) {
        en_put("vllm:lora_requests_info{adapter=\"adapter-%u-%s\"} 1.0\n", i,
               "which-has-a-rather-long-name-of-its-own");
    }
}


const char *
en_page(int64_t now, size_t *len)
{
    if (en_made == 0 || now - en_made >= en_conf.stale * INT64_C(1000000)) {
        en_len = 0;
        en_made = now;

        if (en_conf.metrics == EN_PAGE_HUGE) {
            en_huge_page();
        }

        if (en_conf.type == EN_SGLANG) {
            en_sglang_page();
        } else if (en_conf.type == EN_LLAMACPP) {
            en_llamacpp_page();
        } else {
            en_vllm_page(now);
        }
    }

    *len = en_len;

    return en_text;
}
