/*
 * tg_models.h - the list of models that a key may call, as GET /v1/models and
 * its like answer it.
 *
 * OpenAI:    https://platform.openai.com/docs/api-reference/models/list
 * Anthropic: https://docs.claude.com/en/api/models-list
 * Gemini:    https://ai.google.dev/api/models
 * Cohere:    https://docs.cohere.com/reference/list-models
 * Ollama:    https://docs.ollama.com/api/tags
 * Bedrock:   ListFoundationModels
 */

#ifndef TG_MODELS_H
#define TG_MODELS_H

#include "tg_dialect.h"
#include "tg_keys.h"

typedef struct {
    tg_str_t  id;               /* as it is written in a request */
    tg_str_t  owner;            /* provider; may be empty */
    int64_t   created;          /* seconds since 1970; 0: not known */
} tg_model_t;

/*
 * Sorts by id and drops what is not a model's own name: the second of two of
 * one id, empty ones, and patterns (with a '*').  Returns how many are left.
 */
size_t tg_models_sort(tg_model_t *models, size_t n);

/*
 * Writes the answer: those of `models` that the key may call (all of them where
 * key is NULL), in order, in the one page that there is.  Returns its length,
 * also where that is more than cap, and nothing of use was written then: ask
 * with {NULL, 0} first.
 */
size_t tg_models_list(char *buf, size_t cap, tg_shape_t shape,
    const tg_key_t *key, const tg_model_t *models, size_t n);

/* The same of one model: GET /v1/models/{id}. */
size_t tg_models_one(char *buf, size_t cap, tg_shape_t shape,
    const tg_model_t *model);

#endif /* TG_MODELS_H */
