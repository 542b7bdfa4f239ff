/*
 * tg_engine.h - what an inference server says of itself: its metrics page read
 * as it arrives, and its health page.
 *
 * Names of metrics, by engine, as of November 2026, are in tg_engine.c with
 * their sources.  What a page does not say is not known, never 0.
 */

#ifndef TG_ENGINE_H
#define TG_ENGINE_H

#include "tg_prom.h"

#define TG_ENGINE_HEADS  1024           /* of a table of names' first bytes */

typedef enum {
    TG_ENGINE_AUTO = 0,         /* told by the names of its metrics */
    TG_ENGINE_VLLM,
    TG_ENGINE_SGLANG,
    TG_ENGINE_LLAMACPP,
    TG_ENGINE_TGI,
    TG_ENGINE_TRITON,           /* with TensorRT-LLM */
    TG_ENGINE_TRTLLM,           /* trtllm-serve */
    TG_ENGINE_NIM,
    TG_ENGINE_OLLAMA,
    TG_ENGINE_OPENAI,           /* anything else: no metrics */
    TG_ENGINES
} tg_engine_t;

/* "auto", "vllm", ...; TG_ENGINES where there is no such. */
tg_engine_t tg_engine_named(tg_str_t name);
tg_str_t tg_engine_name(tg_engine_t engine);

typedef enum {
    TG_FACT_RUNNING = 0,        /* requests being generated; sum of engines */
    TG_FACT_WAITING,            /* requests in its queue; sum */
    TG_FACT_SLOTS,              /* most that run at a time; sum */
    TG_FACT_KV,                 /* fill of the KV cache, parts of a million;
                                   the largest */
    TG_FACT_PROMPT_TOKENS,      /* read since its start; sum */
    TG_FACT_OUTPUT_TOKENS,      /* written since its start; sum */
    TG_FACT_CACHED_TOKENS,      /* of the prompts', found in its cache; sum */
    TG_FACT_SLEEPING,           /* 1: weights are not on the GPU */
    TG_FACT_TOKENS_PER_S,       /* written, as the engine says; thousandths */
    TG_FACT_GPU_UTIL,           /* parts of a million; the largest */
    TG_FACT_STEPS,              /* counts up while it computes: of engines whose
                                   token counters move only when a request has
                                   ended; sum */
    TG_FACTS
} tg_fact_t;

typedef struct {
    tg_engine_t  engine;        /* as told by the page; AUTO: not known */
    uint32_t     known;         /* bits, 1 << tg_fact_t */
    int64_t      value[TG_FACTS];       /* >= 0 */
} tg_engine_facts_t;

static inline bool
tg_fact(const tg_engine_facts_t *f, tg_fact_t fact, int64_t *value)
{
    if ((f->known & UINT32_C(1) << fact) == 0) {
        return false;
    }

    *value = f->value[fact];
    return true;
}

/* Pages.  Paths start with '/'; empty: the engine has none.  port: 0, the
 * server's own. */
typedef struct {
    tg_str_t   health;
    tg_str_t   metrics;
    uint16_t   metrics_port;
} tg_engine_pages_t;

void tg_engine_pages(tg_engine_t engine, tg_engine_pages_t *pages);

/* A metrics page being read.  Any cut of its bytes gives the same. */
typedef struct {
    tg_engine_t        want;            /* AUTO: find out */
    tg_prom_t          prom;
    /* tg_engine.c's */
    uint32_t           seen;            /* bits of engines, by their names */
    uint64_t           heads[TG_ENGINE_HEADS / 64];     /* of names, hashed */
    struct {
        uint32_t       known;
        uint32_t       spoilt;          /* NaN and the like: not known */
        uint8_t        rank[TG_FACTS];  /* of the name it is from */
        int64_t        value[TG_FACTS];
    } of[TG_ENGINES];                   /* only want's, if that is known */
} tg_engine_read_t;

void tg_engine_begin(tg_engine_read_t *er, tg_engine_t want);

/* TG_OK; TG_ERROR: too long, or no metrics page; nothing of it is to be used. A
 * page of an engine that has nothing to say yet is one, with no facts. */
int tg_engine_feed(tg_engine_read_t *er, const char *p, size_t n);
int tg_engine_end(tg_engine_read_t *er, tg_engine_facts_t *facts,
    tg_error_t *err);

/* What a health page's answer means. */
typedef enum {
    TG_HEALTH_OK = 0,
    TG_HEALTH_LOADING,          /* loads its model: to be waited for */
    TG_HEALTH_FAILED
} tg_health_answer_t;

/* body: its first bytes, as many as there are (1024 will do). */
tg_health_answer_t tg_engine_health(tg_engine_t engine, unsigned status,
    tg_str_t body);

#endif /* TG_ENGINE_H */
