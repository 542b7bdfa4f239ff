/*
 * tg_bound.h - the most that a call can use and cost, before it is made.
 *
 * What the ledger holds of a budget while a call is under way has to be an
 * upper bound, or budgets are overshot.  Where one is not to be had from the
 * request, the model's window bounds it; where that is not listed either, the
 * bound is not known, and a quota on what is not known refuses the call.
 *
 * Input.  No tokenizer makes more tokens than its text has bytes, and JSON's
 * escapes are longer than what they stand for; so the body's bytes bound its
 * text, tool definitions and schemas included, and what templates add to a
 * message is less than the JSON around it.  (Normalising tokenizers could in
 * theory make more of a few rare characters; providers' count of usage settles
 * it.)  On top of the bytes:
 *
 *   each picture       TG_BOUND_PICTURE tokens: more than any provider's
 *                      formula gives for the largest picture
 *   each sound         TG_BOUND_SECOND tokens of a second, which takes
 *                      TG_BOUND_SLOWEST bytes at the lowest bit rate
 *   tools              TG_BOUND_TOOLS, for the prompt that providers add
 *   own prompts        TG_BOUND_OWN, of providers that are known to write
 *                      something before any prompt, or are not known
 *   what is elsewhere  (a URL of a document, a file's id, an earlier response,
 *                      cached content, a PDF's pages): the model's window
 *   server-side tools  the model's window once more for each use, for what they
 *                      find is read again with all before it; models that
 *                      search unasked are told by their names
 *   a rerank's query   once for each document
 *
 * What base64 data of pictures and sounds takes of the body is not counted as
 * text, too.
 *
 * Where there is more than text, the model's window is the bound if it is
 * smaller, or if parts were seen but not counted.  Text alone is always
 * bounded by its bytes: lists of models are not always right.
 *
 * Output.  What the request allows as its maximum, else what the model
 * publishes as its own, else default_output=; times the answers asked for.  0
 * and less is no maximum.  Thinking is part of it, unless its budget alone is
 * larger.  A prediction that is wrong is billed beside it.
 * https://platform.openai.com/docs/guides/predicted-outputs
 * Grok's maximum is one of what is seen, its thinking is counted apart, so the
 * model's own maximum is added.
 * https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/partner-models/grok/capabilities/reasoning
 *
 * Cost.  tg_price_bound() for the tokens, and what is charged by the piece:
 * searches, pictures, seconds (of a recording, from its bytes: of one that is
 * elsewhere there is no bound), characters, pages, rerank's units.
 *
 * Not in it, for no price list has it by the model that is asked for: what a
 * gateway charges for a model that it falls back to, and what server-side tools
 * do at another model's price (OpenAI's image_generation, Anthropic's advisor).
 * Nor a tier that is the project's default or asked for in a header.
 */

#ifndef TG_BOUND_H
#define TG_BOUND_H

#include "tg_dialect.h"
#include "tg_price.h"
#include "tg_request.h"

#define TG_BOUND_BASE       64      /* tokens of any prompt */
#define TG_BOUND_OWN        2048    /* of what a provider writes before it: 500
                                       (Cohere), 690 (xAI), 1560 (Venice), as
                                       seen in 2025 and 2026 */
#define TG_BOUND_MESSAGE    8       /* of each message, beside its JSON */
#define TG_BOUND_TOOLS      2048    /* where there are tools */
#define TG_BOUND_PICTURE    49152   /* seen by the model */
#define TG_BOUND_MADE       8192    /* made or changed by it */
#define TG_BOUND_CHANGED    16      /* pictures of one edit, if not counted */
#define TG_BOUND_USES       10      /* of server-side tools, if not limited */
#define TG_BOUND_PAGES      1000    /* of a document to be read */
#define TG_BOUND_SLOWEST    256     /* bytes of a recording's second */
#define TG_BOUND_SECOND     64      /* tokens of it */

#define TG_BOUND_OUTPUT     16384   /* default_output= by default */

#define TG_BOUND_UNKNOWN    (-1)

/* What is known of a call. */
typedef struct {
    tg_op_t            op;
    uint64_t           bytes;       /* of the body */
    uint64_t           text_bytes;  /* of messages' text, no more than bytes */
    uint64_t           media_bytes; /* of the body: of counted pictures and of
                                       sounds */
    uint64_t           sound_bytes; /* of those: of sounds */
    uint64_t           query_bytes; /* of a rerank's query */
    uint64_t           prediction;  /* its bytes */
    bool               apart;       /* max_tokens does not limit thinking */
    uint32_t           messages;
    int64_t            pictures;    /* -1: some */
    bool               sounds;      /* within the body */
    bool               elsewhere;   /* refers to what is not in the body, or has
                                       documents in it */
    bool               tools;
    bool               own_prompt;  /* the provider writes something before */
    int64_t            uses;        /* of server-side tools: 0: has none; -1:
                                       has some, without a limit */
    bool               inspected;   /* else all but bytes is unknown */
    int64_t            max_tokens;  /* -1: not said */
    int64_t            thinking;    /* -1: not said */
    int64_t            answers;
    tg_tier_t          tier;
    const tg_price_t  *price;       /* NULL: none */
    int64_t            default_output;      /* 0: TG_BOUND_OUTPUT */
} tg_bound_ask_t;

typedef struct {
    int64_t  input;                 /* tokens; TG_BOUND_UNKNOWN */
    int64_t  output;                /* of all answers together */
    int64_t  cost;                  /* nano-dollars; TG_BOUND_UNKNOWN: no price,
                                       or input is not known */
    int64_t  each;                  /* output of one answer */
    int64_t  answers;
} tg_bound_t;

/*
 * From a request as it was read; price and default are left at none, for the
 * caller to set.
 */
void tg_bound_ask(tg_bound_ask_t *ask, tg_op_t op,
    const tg_request_info_t *info, bool inspected);

/* The same call, but of that model: some do more than they are asked for. */
void tg_bound_ask_model(tg_bound_ask_t *ask, tg_str_t model);

void tg_bound(const tg_bound_ask_t *ask, tg_bound_t *bound);

/*
 * What the call is likely to take, not above its bound: `input` tokens, `each`
 * of one answer; below 0: as the bound has it.
 */
void tg_bound_likely(const tg_bound_ask_t *ask, const tg_bound_t *bound,
    int64_t input, int64_t each, tg_bound_t *likely);

/* True where the prompt is text, all of it in the body. */
bool tg_bound_text(const tg_bound_ask_t *ask);

/*
 * The largest maximum of one answer's tokens, not above bound->each, with which
 * the call costs at most nusd and gives at most so many tokens; 0 where even the
 * input costs more.  INT64_MAX: no limit; else a cost that is not known does not
 * fit.  For clamp=.
 */
int64_t tg_bound_fit(const tg_bound_ask_t *ask, const tg_bound_t *bound,
    int64_t nusd, int64_t output);

#endif /* TG_BOUND_H */
