#include "tg_engine.h"

/*
 * Answers that are not told by their status alone, as of November 2026:
 *
 * llama.cpp     tools/server/README.md: 503 and "Loading model" while it loads;
 *               /slots?fail_on_no_slot=1, and /health of 2024, are 503 and "no
 *               slot available" when all are taken: full is not ill
 * Triton        KServe's v2 protocol: "ready" is 200 or 4xx; before its models
 *               are loaded it is the latter
 * NIM           docs.nvidia.com/nim, reference of the API: 503 until ready
 *
 * vLLM, which sleeps, and Ollama, which has no model loaded, say 200.  vLLM,
 * SGLang and TGI say 503 when their engine is dead.
 */

typedef struct {
    tg_engine_t         engine;
    unsigned            status;
    tg_str_t            word;           /* in the body, in lower case */
    tg_health_answer_t  answer;
} tg_health_rule_t;

#define TG_HEALTH_BODY  1024

static const tg_health_rule_t  tg_health_rules[] = {
    { TG_ENGINE_LLAMACPP, 503, TG_STR("loading model"), TG_HEALTH_LOADING },
    { TG_ENGINE_LLAMACPP, 503, TG_STR("no slot available"), TG_HEALTH_OK },
    { TG_ENGINE_TRITON, 400, TG_STR(""), TG_HEALTH_LOADING },
    { TG_ENGINE_TRITON, 503, TG_STR(""), TG_HEALTH_LOADING },
    { TG_ENGINE_NIM, 503, TG_STR(""), TG_HEALTH_LOADING },

    /* of what it is nothing is known but that it answers */
    { TG_ENGINE_AUTO, 503, TG_STR("loading model"), TG_HEALTH_LOADING },
    { TG_ENGINE_AUTO, 503, TG_STR("no slot available"), TG_HEALTH_OK },
    { TG_ENGINE_AUTO, 401, TG_STR(""), TG_HEALTH_OK },
    { TG_ENGINE_AUTO, 403, TG_STR(""), TG_HEALTH_OK },
    { TG_ENGINE_AUTO, 404, TG_STR(""), TG_HEALTH_OK },
    { TG_ENGINE_AUTO, 405, TG_STR(""), TG_HEALTH_OK },

    /* a list of models is for those with a key */
    { TG_ENGINE_OPENAI, 401, TG_STR(""), TG_HEALTH_OK },
    { TG_ENGINE_OPENAI, 403, TG_STR(""), TG_HEALTH_OK }
};

#define TG_HEALTH_RULES  (sizeof(tg_health_rules) / sizeof(tg_health_rules[0]))


static bool
tg_health_has(tg_str_t body, tg_str_t word)
{
    if (body.len > TG_HEALTH_BODY) {
        body.len = TG_HEALTH_BODY;
    }

    for (size_t i = 0; i + word.len <= body.len; i++) {
        if (tg_str_caseeq(tg_str_of(body.p + i, word.len), word)) {
            return true;
        }
    }

    return false;
}


tg_health_answer_t
tg_engine_health(tg_engine_t engine, unsigned status, tg_str_t body)
{
    const tg_health_rule_t  *r;

    /* 429 is a limit that was reached, by one that is there */

    if ((status >= 200 && status < 300) || status == 429) {
        return TG_HEALTH_OK;
    }

    for (size_t i = 0; i < TG_HEALTH_RULES; i++) {
        r = &tg_health_rules[i];

        if (r->engine == engine && r->status == status
            && (r->word.len == 0 || tg_health_has(body, r->word)))
        {
            return r->answer;
        }
    }

    return TG_HEALTH_FAILED;
}
