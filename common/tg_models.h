/*
 * tg_models.h - the list of models that a key may call, as GET /v1/models and
 * its like answer it.
 *
 * OpenAI:    https://platform.openai.com/docs/api-reference/models/list
 * Anthropic: https://docs.claude.com/en/api/models-list
 * Gemini:    https://ai.google.dev/api/models
 * Cohere:    https://docs.cohere.com/reference/list-models
 * Ollama:    https://docs.ollama.com/api/tags
 * Bedrock:   https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html
 */

#ifndef TG_MODELS_H
#define TG_MODELS_H

#include "tg_dialect.h"
#include "tg_keys.h"
#include "tg_price.h"

#define TG_MODELS_MAX  2048     /* of one list */

typedef struct {
    tg_str_t  id;               /* as it is written in a request */
    tg_str_t  owner;            /* provider; may be empty */
    int64_t   created;          /* seconds since 1970; 0: not known */
} tg_model_t;

/* Whose models are asked for. */
typedef struct {
    const tg_price_book_t  *book;       /* may be NULL */
    const tg_key_t         *key;        /* NULL: who may call all of them */
    tg_str_t                vendor;     /* gen_ai.provider.name */
    const tg_str_t         *patterns;   /* of the provider's models= */
    unsigned                npatterns;  /* 0: it has none */
} tg_models_ask_t;

/*
 * The models that are known of the provider and that the key may call, sorted:
 *
 *   of the book   what its patterns match, after the vendor's prefix ("azure/",
 *                 see tg_price_find()) is taken off; a name with a '/' that is
 *                 no such prefix is another vendor's, or one's own, and only
 *                 matched by patterns that have a '/', too.  Without patterns
 *                 what has the vendor's prefix;
 *   of the key, of the provider   names that are no patterns.
 *
 * Their strings are the book's, the key's and the configuration's.  At most
 * TG_MODELS_MAX, what is found beyond is left out.  TG_ERROR on exhaustion.
 */
int tg_models_gather(tg_mem_t *mem, const tg_models_ask_t *ask,
    tg_model_t **models, size_t *n);

/* The same of several providers, in one list. */
int tg_models_gather_all(tg_mem_t *mem, const tg_models_ask_t *asks,
    unsigned nasks, tg_model_t **models, size_t *n);

/* True where one of the patterns matches; "models/" before a name (Gemini) does
 * not count. */
bool tg_models_match(const tg_str_t *patterns, unsigned n, tg_str_t model);

/*
 * Sorts by id and drops what is not a model's own name: the second of two of
 * one id, empty ones, and patterns (with a '*').  Returns how many are left.
 */
size_t tg_models_sort(tg_model_t *models, size_t n);

/* The one of that id (with or without "models/") of a sorted list, or NULL. */
const tg_model_t *tg_models_find(const tg_model_t *models, size_t n,
    tg_str_t id);

/*
 * Writes the answer, in order, in the one page that there is.  Returns its
 * length, also where that is more than cap, and nothing of use was written
 * then: ask with {NULL, 0} first.
 */
size_t tg_models_list(char *buf, size_t cap, tg_shape_t shape,
    const tg_model_t *models, size_t n);

/* The same of one model: GET /v1/models/{id}. */
size_t tg_models_one(char *buf, size_t cap, tg_shape_t shape,
    const tg_model_t *model);

#endif /* TG_MODELS_H */
