/*
 * tg_price_int.h - what a price entry is; private to tg_price_*.c.
 */

#ifndef TG_PRICE_INT_H
#define TG_PRICE_INT_H

#include "tg_price.h"

#include <jansson.h>

#define TG_PRICE_TEXT_MAX     (64 * 1024 * 1024)    /* bytes of one text */
#define TG_PRICE_MEMORY_MAX   (512 * 1024 * 1024)   /* bytes of a book */
#define TG_PRICE_NAME_MAX     512                   /* bytes of a key */
#define TG_PRICE_WILD_MAX     4096                  /* keys with a '*' */
#define TG_PRICE_LEVELS_MAX   64                    /* tiers x thresholds */
#define TG_PRICE_TOKENS_MAX   INT64_C(1000000000000)
#define TG_PRICE_FUSD_MAX     INT64_C(1000000000000000000)  /* $1000 a unit */

/* Tokens first, then what is charged by the piece. */
typedef enum {
    TG_RATE_INPUT = 0,
    TG_RATE_CACHE_READ,
    TG_RATE_CACHE_WRITE,
    TG_RATE_CACHE_WRITE_1H,
    TG_RATE_AUDIO_INPUT,
    TG_RATE_IMAGE_INPUT,
    TG_RATE_OUTPUT,
    TG_RATE_REASONING,
    TG_RATE_AUDIO_OUTPUT,
    TG_RATE_IMAGE_OUTPUT,

    TG_RATE_REQUEST,
    TG_RATE_WEB_SEARCH,
    TG_RATE_WEB_FETCH,
    TG_RATE_SEARCH_UNIT,
    TG_RATE_IMAGE,
    TG_RATE_SECOND,
    TG_RATE_CHARACTER,
    TG_RATE_PAGE,
    TG_RATE_COUNT
} tg_rate_t;

#define TG_RATE_TOKENS        TG_RATE_REQUEST

/* The rates of a tier for calls of more than `above` input tokens. */
typedef struct {
    tg_tier_t  tier;
    int64_t    above;
    int64_t    fusd[TG_RATE_COUNT];     /* a unit; -1 where not listed */
} tg_price_level_t;

struct tg_price_s {
    tg_price_t              *next;      /* of the book, newest first */
    tg_str_t                 id;
    uint64_t                 hash;      /* of the id in lower case */
    int64_t                  max_input;
    int64_t                  max_output;
    int64_t                  keep;      /* ppm that a discount leaves */
    bool                     own_keep;  /* the entry says it, no pattern */
    int64_t                  us;        /* ppm more for tokens of TG_TIER_US */
    bool                     tokens;    /* a price of any token is listed */
    bool                     request;   /* a fee by the request is */
    const tg_price_level_t  *levels;    /* by tier, then highest first */
    size_t                   nlevels;
};

/* An entry while it is being read. */
typedef struct {
    tg_str_t          id;
    int64_t           max_input;
    int64_t           max_output;
    int64_t           keep;
    bool              own_keep;
    int64_t           us;
    size_t            nlevels;
    tg_price_level_t  levels[TG_PRICE_LEVELS_MAX];
} tg_price_draft_t;

/* What loaders are given. */
typedef struct {
    tg_price_book_t  *book;
    tg_str_t          name;             /* the file's */
    tg_error_t       *err;
} tg_price_load_t;

typedef struct tg_price_wild_s  tg_price_wild_t;
typedef struct tg_price_memo_s  tg_price_memo_t;

struct tg_price_wild_s {
    tg_price_wild_t  *next;             /* shorter */
    tg_price_t       *price;
    tg_str_t          start;            /* what precedes the first '*' */
};


/* tg_price_draft.c */

void tg_price_draft_init(tg_price_draft_t *d, tg_str_t id);

/* `fusd` times ppm, rounded down, and no more than TG_PRICE_FUSD_MAX. */
int64_t tg_price_times(int64_t fusd, int64_t ppm);

/* TG_ERROR where the draft has no room for another level. */
int tg_price_draft_set(tg_price_draft_t *d, tg_tier_t tier, int64_t above,
    tg_rate_t rate, int64_t fusd);

/* A number, or a string that is one, as units of 10^-scale dollars (scale 0, 9
 * or 15).  -1 where it is neither, -2 where it is negative or above `most`. */
int64_t tg_price_number(const json_t *v, int scale, int64_t most);

/* An error about a model's field ("" for the model itself). */
int tg_price_complain(const tg_price_load_t *load, tg_str_t model,
    const char *field, const char *problem);

/* What a file says, for a message: it can hold anything, and what is not
 * printable ASCII shows as '?'. */
const char *tg_price_shown(char *buf, size_t size, tg_str_t s);

/* tg_price_book.c */

/* Adds the draft to the book, in the place of an entry of the same key. */
int tg_price_put(const tg_price_load_t *load, tg_price_draft_t *d);

/* The entry of just this key; where there is none, of one that differs in the
 * case of ASCII letters; or NULL. */
tg_price_t *tg_price_get(const tg_price_book_t *book, tg_str_t key);

/* False where no key begins with this prefix, which ends in '/'. */
bool tg_price_starts(const tg_price_book_t *book, tg_str_t prefix);

tg_price_t *tg_price_first(const tg_price_book_t *book);
const tg_price_wild_t *tg_price_wild(const tg_price_book_t *book);

tg_price_memo_t *tg_price_book_memo(const tg_price_book_t *book);

/*
 * tg_price_memo.c: what tg_price_find() found before, for any number of threads
 * at once.  Cleared where the book changes, which is not at the same time.
 */

tg_price_memo_t *tg_price_memo_create(void);
void tg_price_memo_destroy(tg_price_memo_t *memo);
void tg_price_memo_clear(tg_price_memo_t *memo);

/* NULL where it is not known. */
const tg_price_t *tg_price_memo_find(tg_price_memo_t *memo, tg_str_t provider,
    tg_str_t model);
void tg_price_memo_add(tg_price_memo_t *memo, tg_str_t provider,
    tg_str_t model, const tg_price_t *price);

/* tg_price_load.c, tg_price_litellm.c */

int tg_price_load_own(const tg_price_load_t *load, json_t *root);
int tg_price_load_litellm(const tg_price_load_t *load, json_t *root);

#endif /* TG_PRICE_INT_H */
