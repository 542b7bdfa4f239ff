/* Which numbers there are of a backend, and where they are from. */

#include "tg_backend_status_int.h"
#include "tg_group_conf_int.h"

#include <math.h>

#define GAUGE    "gauge"
#define COUNTER  "counter"

const tg_status_field_t  tg_status_fields[TG_STATUS_FIELDS] = {
    { NULL, "up", "backend_up", NULL, GAUGE,
      "Whether the server is up, or not checked yet.", 0 },
    { NULL, "usable", "backend_usable", NULL, GAUGE,
      "Whether the server is given calls.", 0 },
    { NULL, "ejected", "backend_ejected", NULL, GAUGE,
      "Whether the server is out of use for being down or stalled.", 0 },
    { NULL, "fresh", "backend_metrics_fresh", NULL, GAUGE,
      "Whether the server's metrics are recent.", 0 },
    { NULL, "admin", "backend_drained", "by", GAUGE,
      "Whether the server was taken out of use, and by whom.", 0 },
    { NULL, "idle", "backend_drained", "by", NULL, NULL, 0 },
    { NULL, "new", "backend_state", "state", GAUGE,
      "1 for the state that the server is in.", 0 },
    { NULL, "up", "backend_state", "state", NULL, NULL, 0 },
    { NULL, "down", "backend_state", "state", NULL, NULL, 0 },
    { NULL, "loading", "backend_state", "state", NULL, NULL, 0 },
    { NULL, "stalled", "backend_state", "state", NULL, NULL, 0 },
    { NULL, "sleeping", "backend_state", "state", NULL, NULL, 0 },

    { "calls", "in_flight", "backend_requests_in_flight", NULL, GAUGE,
      "Calls that this server has under way there.", 0 },
    { "calls", "tokens_in_flight", "backend_tokens_in_flight", NULL, GAUGE,
      "Tokens of those calls, prompt and answer, by estimate.", 0 },
    { "calls", "served", "backend_requests_total", NULL, COUNTER,
      "Calls that were answered, refusals included.", 0 },
    { "calls", "failed", "backend_failures_total", NULL, COUNTER,
      "Calls without an answer, or with a 5xx.", 0 },

    { "health", "rises", NULL, NULL, NULL, NULL, 0 },
    { "health", "falls", NULL, NULL, NULL, NULL, 0 },
    { "health", "ejections", "backend_ejections_total", NULL, COUNTER,
      "Times that the server was taken out of use.", 0 },
    { "health", "slow_start", "backend_slow_start_ratio", NULL, GAUGE,
      "Part of its share of calls that the server gets.", 3 },
    { "health", "check_age_seconds", "backend_check_age_seconds", NULL, GAUGE,
      "Time since the last health check.", 3 },

    { "load", "metrics_age_seconds", "backend_metrics_age_seconds", NULL, GAUGE,
      "Time since its metrics were last read.", 3 },
    { "load", "running", "backend_requests_running", NULL, GAUGE,
      "Requests being generated, by the engine's metrics.", 0 },
    { "load", "waiting", "backend_requests_waiting", NULL, GAUGE,
      "Requests in the engine's queue.", 0 },
    { "load", "capacity", "backend_capacity", NULL, GAUGE,
      "Requests that may run at a time, as configured or by the engine.", 0 },
    { "load", "kv_cache", "backend_kv_cache_usage_ratio", NULL, GAUGE,
      "Fill of the KV cache.", 6 },
    { "load", "output_tokens_per_second",
      "backend_output_tokens_per_second", NULL, GAUGE,
      "Measured rate of output tokens.", 3 },
    { "load", "prompt_tokens_per_second",
      "backend_prompt_tokens_per_second", NULL, GAUGE,
      "Measured rate of prompt tokens.", 3 },

    { "gpu", "gpus", "backend_gpus", NULL, GAUGE,
      "GPUs of the server, as configured.", 3 },
    { "gpu", "seen", "backend_gpus_seen", NULL, GAUGE,
      "GPUs and MIG slices of the server that the DCGM exporter shows.", 0 },
    { "gpu", "utilization", "backend_gpu_utilization_ratio", NULL, GAUGE,
      "Mean activity of its GPUs, by the DCGM exporter.", 6 },
    { "gpu", "memory_used_bytes", "backend_gpu_memory_used_bytes", NULL, GAUGE,
      "Memory of its GPUs in use.", 0 },
    { "gpu", "memory_free_bytes", "backend_gpu_memory_free_bytes", NULL, GAUGE,
      "Memory of its GPUs that is free.", 0 },
    { "gpu", "power_watts", "backend_gpu_power_watts", NULL, GAUGE,
      "Power that its GPUs draw.", 3 },

    { "seconds", "provisioned", NULL, NULL, NULL, NULL, 9 },
    { "seconds", "busy", "backend_seconds_total", "state", COUNTER,
      "Where the server's time went; all states are the time that it was"
      " provisioned.", 9 },
    { "seconds", "idle", "backend_seconds_total", "state", NULL, NULL, 9 },
    { "seconds", "unhealthy", "backend_seconds_total", "state", NULL,
      NULL, 9 },
    { "seconds", "sleeping", "backend_seconds_total", "state", NULL, NULL,
      9 },
    { "seconds", "calls", "backend_calls_seconds_total", NULL, COUNTER,
      "Time with calls of ours under way, as shared among them.", 9 },

    { "gpu_seconds", "busy", "backend_gpu_seconds_total", "state", COUNTER,
      "The same times the server's GPUs.", 9 },
    { "gpu_seconds", "idle", "backend_gpu_seconds_total", "state", NULL, NULL,
      9 },
    { "gpu_seconds", "unhealthy", "backend_gpu_seconds_total", "state",
      NULL, NULL, 9 },
    { "gpu_seconds", "sleeping", "backend_gpu_seconds_total", "state",
      NULL, NULL, 9 },

    { "tokens", "prompt", "backend_tokens_total", "type", COUNTER,
      "Tokens of metered calls, by the answers' usage.", 0 },
    { "tokens", "output", "backend_tokens_total", "type", NULL, NULL, 0 },

    { "usd", "per_hour", "backend_hourly_cost_usd", NULL, GAUGE,
      "What the server costs an hour.", 9 },
    { "usd", "provisioned", "backend_cost_usd_total", NULL, COUNTER,
      "What the server has cost since it was there.", 9 },
    { "usd", "idle", "backend_idle_cost_usd_total", NULL, COUNTER,
      "What it has cost while it was idle.", 9 },
    { "usd", "calls", "backend_charged_usd_total", NULL, COUNTER,
      "What metered calls to it were charged.", 9 },
    { "usd", "instead", "backend_instead_usd_total", NULL, COUNTER,
      "What those calls would have cost with instead_of=.", 9 },
    { "usd", "per_million_tokens", "backend_usd_per_million_tokens", NULL,
      GAUGE,
      "What the server has cost, for a million tokens that came of it.", 9 }
};


static int64_t
tg_status_fact(const tg_engine_facts_t *facts, tg_fact_t fact)
{
    int64_t  v;

    return tg_fact(facts, fact, &v) ? v : TG_STATUS_UNKNOWN;
}


/* 0: not known. */
static int64_t
tg_status_double(double v, double scale)
{
    return v > 0 && v * scale < 9e18 ? (int64_t) llround(v * scale)
                                     : TG_STATUS_UNKNOWN;
}


static int64_t
tg_status_age(int64_t now, int64_t at)
{
    return at == 0 ? TG_STATUS_UNKNOWN : now < at ? 0 : (now - at) / 1000000;
}


/* GPUs in thousandths: as many for each of its nanoseconds. */
static int64_t
tg_status_gpu_ns(int64_t ns, uint32_t gpus)
{
    __int128  n = (__int128) ns * gpus / 1000;

    return n > INT64_MAX ? INT64_MAX : (int64_t) n;
}


static void
tg_status_flags(tg_status_backend_t *sb)
{
    int64_t                  *v = sb->value;
    const tg_backend_view_t  *bv = &sb->view;

    v[TG_STATUS_UP] = bv->state == TG_BACKEND_UP || bv->state == TG_BACKEND_NEW;
    v[TG_STATUS_USABLE] = bv->usable;
    v[TG_STATUS_EJECTED] = bv->ejected;
    v[TG_STATUS_FRESH] = bv->fresh;
    v[TG_STATUS_DRAINED] = bv->drain == TG_DRAIN_ADMIN;
    v[TG_STATUS_DRAINED_IDLE] = bv->drain == TG_DRAIN_IDLE;

    for (int i = 0; i < TG_BACKEND_STATES; i++) {
        v[TG_STATUS_STATE + i] = (int) bv->state == i;
    }
}


static void
tg_status_view(tg_status_backend_t *sb, int64_t now)
{
    int64_t                  *v = sb->value;
    const tg_backend_view_t  *bv = &sb->view;

    v[TG_STATUS_CALLS] = bv->calls;
    v[TG_STATUS_CALLS_TOKENS] = bv->tokens;
    v[TG_STATUS_SERVED] = (int64_t) bv->served;
    v[TG_STATUS_FAILED] = (int64_t) bv->failed;
    v[TG_STATUS_RISES] = bv->rises;
    v[TG_STATUS_FALLS] = bv->falls;
    v[TG_STATUS_EJECTIONS] = (int64_t) bv->ejections;
    v[TG_STATUS_RAMP] = bv->ramp;
    v[TG_STATUS_CHECK_AGE] = tg_status_age(now, bv->checked);
    v[TG_STATUS_METRICS_AGE] = tg_status_age(now, bv->scraped);
    v[TG_STATUS_RUNNING] = tg_status_fact(&bv->facts, TG_FACT_RUNNING);
    v[TG_STATUS_WAITING] = tg_status_fact(&bv->facts, TG_FACT_WAITING);
    v[TG_STATUS_CAPACITY] = bv->capacity == 0 ? TG_STATUS_UNKNOWN
                                              : bv->capacity;
    v[TG_STATUS_KV] = tg_status_fact(&bv->facts, TG_FACT_KV);
    v[TG_STATUS_DECODE] = tg_status_double(bv->decode, 1000);
    v[TG_STATUS_PREFILL] = tg_status_double(bv->prefill, 1000);
}


static void
tg_status_gpu(tg_status_backend_t *sb)
{
    int64_t               *v = sb->value;
    const tg_gpu_facts_t  *g = &sb->view.gpu;

#define KNOWN(place, of)                                                      \
    ((g->known >> (place) & 1) ? (of) : TG_STATUS_UNKNOWN)

    v[TG_STATUS_GPU_UTIL] = KNOWN(0, g->util);
    v[TG_STATUS_GPU_USED] = KNOWN(1, g->memory_used * 1048576);
    v[TG_STATUS_GPU_FREE] = KNOWN(2, g->memory_free * 1048576);
    v[TG_STATUS_GPU_POWER] = KNOWN(3, g->power_mw);
    v[TG_STATUS_GPUS_SEEN] = KNOWN(4, g->gpus);

#undef KNOWN
}


static void
tg_status_time(tg_status_backend_t *sb, const tg_gpu_time_t *gt)
{
    bool      priced = gt->rate_nusd >= 0;
    uint32_t  gpus = gt->gpus;
    int64_t  *v = sb->value;

    v[TG_STATUS_PROVISIONED] = gt->provisioned;
    v[TG_STATUS_BUSY] = gt->busy;
    v[TG_STATUS_IDLE] = gt->idle;
    v[TG_STATUS_UNHEALTHY] = gt->unhealthy;
    v[TG_STATUS_SLEEPING] = gt->sleeping;
    v[TG_STATUS_SHARED] = gt->shared;

    v[TG_STATUS_GPUS] = gpus;
    v[TG_STATUS_GPU_BUSY] = tg_status_gpu_ns(gt->busy, gpus);
    v[TG_STATUS_GPU_IDLE] = tg_status_gpu_ns(gt->idle, gpus);
    v[TG_STATUS_GPU_UNHEALTHY] = tg_status_gpu_ns(gt->unhealthy, gpus);
    v[TG_STATUS_GPU_SLEEPING] = tg_status_gpu_ns(gt->sleeping, gpus);

    v[TG_STATUS_PROMPT] = gt->prompt_tokens;
    v[TG_STATUS_OUTPUT] = gt->output_tokens;

    v[TG_STATUS_RATE] = priced ? gt->rate_nusd : TG_STATUS_UNKNOWN;
    v[TG_STATUS_COST] = priced ? gt->cost_nusd : TG_STATUS_UNKNOWN;
    v[TG_STATUS_COST_IDLE] = priced ? gt->idle_nusd : TG_STATUS_UNKNOWN;
    v[TG_STATUS_COST_CALLS] = gt->calls_nusd;
    v[TG_STATUS_COST_CLOUD] = gt->cloud_nusd > 0 ? gt->cloud_nusd
                                                 : TG_STATUS_UNKNOWN;
    v[TG_STATUS_COST_MTOK] = priced ? tg_status_double(gt->usd_per_mtok, 1e9)
                                    : TG_STATUS_UNKNOWN;
}


/* The words of its configuration, where there is one. */
static const tg_check_conf_t *
tg_status_check(const tg_status_t *s, const tg_group_t *g)
{
    for (unsigned i = 0; i < s->ngc; i++) {
        if (tg_str_eq(s->gc[i]->name, tg_group_name(g))) {
            return &s->gc[i]->check;
        }
    }

    return &s->check;
}


tg_str_t
tg_status_engine(const tg_status_backend_t *sb)
{
    tg_engine_t  e = sb->view.type;

    if (e == TG_ENGINE_AUTO || e >= TG_ENGINES) {
        e = sb->view.facts.engine;
    }

    return tg_engine_name(e);
}


bool
tg_status_next(const tg_status_t *s, tg_group_t *g, unsigned *n,
    tg_status_backend_t *sb)
{
    tg_gpu_time_t           gt;
    const tg_check_conf_t  *cc = tg_status_check(s, g);

    do {
        sb->backend = tg_group_backend_at(s->table, g, (*n)++);

        if (sb->backend == NULL) {
            return false;
        }

        tg_backend_view(s->table, sb->backend, cc, s->now, &sb->view);

        /* what was taken out of the configuration, until its calls are over */

    } while (!sb->view.configured && sb->view.calls == 0);

    tg_backend_time(s->table, sb->backend, s->now, &gt);

    tg_status_flags(sb);
    tg_status_view(sb, s->now);
    tg_status_gpu(sb);
    tg_status_time(sb, &gt);

    return true;
}


bool
tg_status_group(const tg_status_t *s, tg_group_t *g)
{
    unsigned             n = 0;
    tg_status_backend_t  sb;

    return tg_status_next(s, g, &n, &sb);
}
