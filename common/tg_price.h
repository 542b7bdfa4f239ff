/*
 * tg_price.h - price lists, and what a call costs by them.
 *
 * A book is read from one or more JSON texts, later ones winning model by
 * model.  Two formats are taken, told apart by content:
 *
 *   - our own, documented in docs/prices.md ({"tollgate_prices": 1, ...});
 *   - LiteLLM's model_prices_and_context_window.json, as it is.
 *
 * A book is immutable once loaded, and may be shared by threads.
 */

#ifndef TG_PRICE_H
#define TG_PRICE_H

#include "tg_error.h"
#include "tg_mem.h"
#include "tg_money.h"
#include "tg_usage.h"

typedef struct tg_price_book_s  tg_price_book_t;
typedef struct tg_price_s       tg_price_t;

/* An empty book that owns its memory.  NULL on exhaustion. */
tg_price_book_t *tg_price_book_create(void);
void tg_price_book_destroy(tg_price_book_t *book);

/* err->code. */
enum {
    TG_PRICE_SYNTAX = 1,    /* not JSON; err->offset is the line */
    TG_PRICE_CONTENT,       /* the message names the model and the field */
    TG_PRICE_MEMORY
};

/*
 * Adds a file's text (at most 64 MiB).  `name` is the file's name for messages.
 * On TG_ERROR the book is unusable and to be destroyed; *err names the model
 * and the field, or the line (in err->offset).  Never changes anything but the
 * book.
 */
int tg_price_book_add(tg_price_book_t *book, tg_str_t name, tg_str_t text,
    tg_error_t *err);

size_t tg_price_book_models(const tg_price_book_t *book);

/* First 16 hex digits of the SHA-256 of all texts added, for the cost line. */
tg_str_t tg_price_book_hash(const tg_price_book_t *book);

/*
 * The price of a model at a provider: exact names first, then the longest
 * wildcard.  `provider` is the OpenTelemetry name ("openai", "aws.bedrock",
 * "azure.ai.openai", ...; may be empty): "provider/model" and "provider's
 * prefix/model" are tried before the bare model, the latter as LiteLLM's names
 * have it ("azure/", "bedrock/", "vertex_ai/", "gemini/", "openrouter/",
 * "groq/", ...).  Names that differ in nothing but the case of letters are the
 * same name, where the very name is not listed.  Spellings of one model are
 * tried in turn: an ARN's last part, without "models/", with '@' or '-' before
 * the date (Vertex), then without a region ("us.", "eu.", ...: Bedrock) and
 * "ft:model" for "ft:model:org:name:id".  NULL where there is none.
 */
const tg_price_t *tg_price_find(const tg_price_book_t *book, tg_str_t provider,
    tg_str_t model);

/* The entry's key in its file, as llm.price_id carries it. */
tg_str_t tg_price_id(const tg_price_t *price);

/* Most tokens the model takes and gives; 0 where the list is silent. */
int64_t tg_price_max_input(const tg_price_t *price);
int64_t tg_price_max_output(const tg_price_t *price);

/* All of them, one after the other: NULL for the first, NULL at the end. */
const tg_price_t *tg_price_next(const tg_price_book_t *book,
    const tg_price_t *price);

/*
 * True where an entry's key begins with a prefix of that provider's, as
 * tg_price_find() has them; *model is the rest, which is how a call to the
 * provider names the model.  Else *model is the key.
 */
bool tg_price_bare(tg_str_t provider, tg_str_t id, tg_str_t *model);

typedef enum {
    TG_TIER_STANDARD = 0,
    TG_TIER_BATCH,
    TG_TIER_FLEX,
    TG_TIER_PRIORITY,
    TG_TIER_FAST,
    TG_TIER_US = 16         /* a bit: of any of them, run in the US alone */
} tg_tier_t;

/* "flex", "priority", "batch", "fast", anything else: standard; with "+us"
 * behind it TG_TIER_US is set, too. */
tg_tier_t tg_tier_parse(tg_str_t s);

/* All in nano-dollars; total is the sum of the others but list. */
typedef struct {
    int64_t   input;        /* uncached input of any modality */
    int64_t   cache_read;
    int64_t   cache_write;
    int64_t   output;       /* all output, reasoning included */
    int64_t   tools;        /* searches, fetches, requests, pictures, seconds */
    int64_t   extra;        /* usage billed beside the top level */
    int64_t   total;
    int64_t   list;         /* the same usage at standard tier, uncached, and
                               without discount; below total where writing the
                               cache cost more than reading it saved */
    bool      incomplete;   /* something used has no price in the list, nor has
                               what it is part of (it was charged nothing), or
                               the tier's price above a threshold had to be
                               guessed (the dearer of its own and the standard
                               tier's was taken) */
} tg_cost_t;

/*
 * What `u` costs.  `price` may be NULL: nothing, and incomplete.  `extra`
 * usages are priced at their own model, looked up in `book` at `provider`;
 * their fees by the request are not charged again.  Each class is rounded once,
 * half away from zero, to nano-dollars.  Above-N-token prices apply to the
 * whole call, as the providers do it.
 *
 * Inclusive counts are split into exclusive ones, each clamped to what is left
 * of the whole, so that never more than `input` and `output` (or, where said,
 * `billed_input` and `billed_output`) tokens are charged.  A class without a
 * price is charged as the class it is part of: cache, audio and pictures as
 * input, writes for an hour as writes, reasoning, audio and pictures as output.
 * Seconds, characters and pictures are charged only where no tokens were.
 * Usage that a cache of the server answered costs nothing but has a list price.
 * provider_cost is not looked at.
 */
void tg_price_cost(const tg_price_book_t *book, const tg_price_t *price,
    tg_str_t provider, const tg_usage_t *u, tg_tier_t tier, tg_cost_t *cost);

/*
 * An upper bound, in nano-dollars, of a call of at most these tokens: the
 * dearest rate of any class and threshold that could apply, the fee by the
 * request, and what rounding could add.  The tier is the one asked for; a call
 * of any other may be served, and charged, as a standard one.  Searches,
 * pictures, seconds, characters and pages are not in it: tg_bound.h has them.
 */
int64_t tg_price_bound(const tg_price_t *price, int64_t input, int64_t output,
    tg_tier_t tier);

/* What the pieces in u cost, the fee by the request not among them: of a usage
 * without tokens. */
int64_t tg_price_pieces(const tg_price_t *price, const tg_usage_t *u,
    tg_tier_t tier);

#endif /* TG_PRICE_H */
