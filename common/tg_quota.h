/*
 * tg_quota.h - quotas: what llm_quota and the keys file's budgets say, which of
 * them a call falls under, and what it takes of each.
 *
 * A quota counts for each of its subjects apart (per=), and may limit several
 * measures over several windows; each limit of each subject is a bucket, an
 * entry of the ledger.  The key of a bucket is the first 16 bytes of a SHA-256
 * over the quota's name, the measure, the window, the time zone where it
 * matters and the parts of the subject, each with its length before it.  So
 * raising an amount keeps what was spent, and changing the window begins
 * anew.  What a call lacks of its subject is a part of its own kind: all calls
 * without a team share one counted bucket, whatever teams are called.
 *
 * Nothing here waits, locks or allocates, but for the parsing.
 */

#ifndef TG_QUOTA_H
#define TG_QUOTA_H

#include "tg_bound.h"
#include "tg_expr.h"
#include "tg_ledger.h"

#define TG_QUOTAS_MAX        128    /* of llm_quota */
#define TG_QUOTA_LIMITS_MAX  8      /* of one quota, repeats= included */
#define TG_QUOTA_PER_MAX     4      /* parts of a subject */
#define TG_QUOTA_NAME_MAX    TG_STR_NAME_MAX
#define TG_QUOTA_PREFIX_MAX  256

/* Nano-dollars, tokens, ...: no cap is higher, so that all fit in a double. */
#define TG_QUOTA_CAP_MAX     INT64_C(9000000000000000)

#define TG_QUOTA_WAIT        2000       /* milliseconds */
#define TG_QUOTA_THROTTLE    10000      /* the same, with action=throttle */
#define TG_QUOTA_WAIT_MAX    300000

typedef enum {
    TG_MEASURE_REQUESTS = 0,
    TG_MEASURE_TOKENS,
    TG_MEASURE_INPUT_TOKENS,
    TG_MEASURE_OUTPUT_TOKENS,
    TG_MEASURE_USD,             /* in nano-dollars */
    TG_MEASURE_CONCURRENT,
    TG_MEASURES,
    TG_MEASURE_REPEATS = TG_MEASURES    /* the same call again: repeats= */
} tg_measure_t;

typedef enum {
    TG_PER_ALL = 0,             /* one bucket for all calls */
    TG_PER_KEY,
    TG_PER_USER,
    TG_PER_TEAM,
    TG_PER_ORG,
    TG_PER_MODEL,
    TG_PER_PROVIDER,
    TG_PER_SESSION,
    TG_PER_AGENT,
    TG_PER_CLIENT,
    TG_PER_TAG,
    TG_PERS
} tg_per_t;

/* "key", ... as in per=. */
extern const char *const  tg_per_names[TG_PERS];
extern const char *const  tg_measure_names[TG_MEASURES + 1];

typedef struct {
    tg_per_t          kind;
    tg_str_t          tag;      /* of TG_PER_TAG */
} tg_quota_per_t;

typedef struct {
    tg_measure_t      measure;
    tg_window_spec_t  window;   /* TOTAL for TG_MEASURE_CONCURRENT */
    int64_t           cap;      /* what was written; thresholds refer to it */
    int64_t           limit;    /* of it what stop= leaves */
    unsigned          prefix_len;
    unsigned char     prefix[TG_QUOTA_PREFIX_MAX];  /* of the bucket's key */
} tg_quota_limit_t;

typedef enum {
    TG_ACTION_REJECT = 0,
    TG_ACTION_THROTTLE,         /* waits for the window's end, too */
    TG_ACTION_ROUTE             /* goes elsewhere, and is not refused there */
} tg_quota_action_t;

typedef struct tg_quota_s {
    tg_str_t           name;
    bool               budget;      /* of the keys file */
    bool               of_route;    /* usd= of a route: counts what that takes,
                                       and no more */
    unsigned           npers;
    tg_quota_per_t     per[TG_QUOTA_PER_MAX];
    unsigned           nlimits;
    tg_quota_limit_t   limits[TG_QUOTA_LIMITS_MAX];
    tg_expr_t         *when;        /* NULL: always */
    uint8_t            alert[TG_LEDGER_ALERTS_MAX];     /* percent, then 0 */
    unsigned           stop;        /* percent */
    tg_quota_action_t  action;
    tg_str_t           route;       /* of TG_ACTION_ROUTE */
    int64_t            wait_ms;
    int64_t            clamp;       /* least tokens of output; 0: no clamping */
    bool               calibrated;  /* holds what is likely, no bound */
    bool               latch;
    bool               dry_run;
} tg_quota_t;

/*
 * Of a configuration.  A zeroed one is empty; tg_quotas_finish() completes it.
 */
typedef struct {
    unsigned           n;
    bool               calibrated;  /* one of them is */
    tg_quota_t        *list[TG_QUOTAS_MAX];
    tg_expr_bind_t     provider;    /* of healthy() and saturated() in when=;
                                       NULL: its names are not known */
    int              (*check)(void *data, tg_expr_t *when, tg_error_t *err);
                                    /* what else a when= has to be; or NULL */
    void              *data;        /* of both */
    tg_str_t           zone;        /* name, "UTC"; of tg_quotas_finish() */
} tg_quotas_t;

/*
 * llm_quota's arguments: the name, then the rest in any order.  TG_OK, or
 * TG_ERROR and a sentence that names the word.  Strings are copied.
 */
int tg_quotas_add(tg_quotas_t *quotas, tg_mem_t *mem, const tg_str_t *args,
    unsigned nargs, tg_error_t *err);

/*
 * usd= of a route: words of that kind.  Its quota's name is "route:<name>", which
 * none of llm_quota can have.  NULL and *err.
 */
const tg_quota_t *tg_quotas_add_route(tg_quotas_t *quotas, tg_mem_t *mem,
    tg_str_t route, const tg_str_t *words, unsigned nwords, tg_error_t *err);

/*
 * After the last of them: resolves used(), fixes the buckets' keys.  `zone` is
 * the name of the time zone that days, weeks and months are of; empty: UTC.
 */
int tg_quotas_finish(tg_quotas_t *quotas, tg_mem_t *mem, tg_str_t zone,
    tg_error_t *err);

/* Binds what a when= names of used(), healthy() and saturated(), and checks it,
 * once all are declared. */
int tg_quotas_bind(const tg_quotas_t *quotas, tg_expr_t *when,
    tg_error_t *err);

/* Frees what tg_expr_destroy() frees. */
void tg_quotas_destroy(tg_quotas_t *quotas);

/*
 * A budget or rate of the keys file, whose words are llm_quota's without the
 * name and per=: its owner is a key, user, team or org (`per`).  `name` may be
 * empty: the bucket is then named for its owner's kind.  `quotas` is finished;
 * it gives the time zone and what used() may name.  NULL and *err on a
 * mistake.  To be destroyed with tg_quota_destroy() where the words have a
 * when=.
 */
tg_quota_t *tg_quota_budget(const tg_quotas_t *quotas, tg_mem_t *mem,
    tg_per_t per, tg_str_t name, const tg_str_t *words, unsigned nwords,
    tg_error_t *err);
void tg_quota_destroy(tg_quota_t *q);

/* Whether it looks for repetitions: then tg_quota_call_t.same is wanted. */
static inline bool
tg_quota_repeats(const tg_quota_t *q)
{
    for (unsigned i = 0; i < q->nlimits; i++) {
        if (q->limits[i].measure == TG_MEASURE_REPEATS) {
            return true;
        }
    }

    return false;
}

const tg_quota_t *tg_quotas_find(const tg_quotas_t *quotas, tg_str_t name);

/*
 * Keys of buckets computed before, by all that goes into them, so that nothing
 * in it is ever stale.  A thread's own; zeroed it is empty.
 */
#define TG_QUOTA_CACHE       256
#define TG_QUOTA_CACHE_TEXT  110

typedef struct {
    uint16_t       len;
    unsigned char  text[TG_QUOTA_CACHE_TEXT];
    unsigned char  key[TG_LEDGER_KEY];
} tg_quota_cached_t;

typedef struct {
    tg_quota_cached_t  list[TG_QUOTA_CACHE];
} tg_quota_cache_t;

/* What is known of a call when it is to be admitted. */
typedef struct {
    tg_str_t                  subject[TG_PERS];     /* empty: it has none */
    uint32_t                  configured;   /* bit tg_per_t: is not just the
                                               client's word */
    tg_str_t                (*tag)(void *data, tg_str_t name);
    void                     *tag_data;
    tg_str_t                  same;         /* what is equal in equal calls (a
                                               hash of the body); empty: not
                                               known, nothing is a repetition */
    int64_t                   now;          /* ms since 1970 */
    const tg_zone_t          *zone;         /* NULL: UTC */
    tg_window_t              *windows;      /* TG_WINDOW_IDLE of them, by kind,
                                               kept by the thread; or NULL */
    tg_quota_cache_t         *cache;        /* the thread's, or NULL */
    tg_expr_get_t             get;          /* of tg_when.h's symbols */
    void                     *get_data;
    tg_expr_scratch_t        *scratch;      /* may be NULL, see tg_expr.h */
    const tg_bound_t         *bound;
    const tg_bound_t         *likely;       /* for calibrated quotas; NULL: not
                                               known */
    const tg_quota_t         *route;        /* of the route that takes it; NULL:
                                               none */
} tg_quota_call_t;

/* A call's buckets, in the order of the ledger's items. */
typedef struct {
    unsigned                  n;
    tg_ledger_item_t          items[TG_LEDGER_ITEMS_MAX];
    const tg_quota_t         *quota[TG_LEDGER_ITEMS_MAX];
    const tg_quota_limit_t   *limit[TG_LEDGER_ITEMS_MAX];
} tg_quota_items_t;

/* err->code of tg_quota_items(). */
enum {
    TG_QUOTA_UNPRICED = 1,      /* a limit in dollars and no price */
    TG_QUOTA_UNBOUNDED,         /* nothing bounds this call's tokens */
    TG_QUOTA_CROWDED            /* more than TG_LEDGER_ITEMS_MAX buckets */
};

/*
 * All that the call takes, of the quotas and of n budgets more (its key's,
 * user's, team's, org's).  Buckets that come up twice count once, with the
 * tighter limit.  TG_OK, with items->n 0 where no quota applies; TG_ERROR
 * where the call has to be refused, err->message saying why to its sender;
 * items->n is 0 then and items->quota[0] is the quota.  What of this is of a
 * dry run is passed over, and holds 0.
 */
int tg_quota_items(const tg_quotas_t *quotas, const tg_quota_t *const *budgets,
    unsigned n, const tg_quota_call_t *call, tg_quota_items_t *items,
    tg_error_t *err);

/* What the call did use; all 0 where nothing went upstream. */
typedef struct {
    int64_t  requests;
    int64_t  input;
    int64_t  output;
    int64_t  cost;              /* nano-dollars */
} tg_quota_used_t;

/* For tg_ledger_settle(): actual[items->n]. */
void tg_quota_actual(const tg_quota_items_t *items,
    const tg_quota_used_t *used, int64_t *actual);

/* One limit of one quota for this call's subject, for status, tools and
 * tg_ledger_reserve(); amount is 0.  tg_ledger_item_t.key is the bucket's. */
void tg_quota_item(const tg_quota_t *q, const tg_quota_limit_t *limit,
    const tg_quota_call_t *call, tg_ledger_item_t *item);

/*
 * The share of the quota that the call's subject has used, in percent of its
 * cap, of several limits the largest; false where nothing was counted yet.
 * What used() in a when= answers: its handle is the quota's place + 1.
 */
bool tg_quota_share(const tg_quota_t *q, const tg_quota_call_t *call,
    const tg_ledger_t *led, double *percent);

/*
 * The longest that the call may wait, in milliseconds since it was first asked
 * for: for others (PARK), of throttling quotas also for a window's end
 * (`refused`).
 */
int64_t tg_quota_wait(const tg_quota_items_t *items, unsigned item,
    bool refused);

/* What the warnings need to know of the rest of the configuration. */
typedef struct {
    bool             keys;          /* there is a keys file */
    uint32_t         sources;       /* bit tg_per_t: an llm_tag gives it */
    const tg_str_t  *tags;          /* names of the llm_tags */
    unsigned         ntags;
    bool             prices;
    int64_t          default_output;
} tg_quota_facts_t;

/* Why nothing in the configuration gives that part of a subject; NULL where
 * something may. */
const char *tg_quota_missing(const tg_quota_per_t *per,
    const tg_quota_facts_t *facts);

/* Quotas that can't work, one at a time: *i starts at 0; false at the end. */
bool tg_quotas_warning(const tg_quotas_t *quotas,
    const tg_quota_facts_t *facts, unsigned *i, tg_error_t *warning);


/* tg_quota_text.c: what a refused call is told. */

#define TG_QUOTA_TEXT_MAX     1024
#define TG_QUOTA_HEADERS_MAX  12

/* The subject, "team search", "key k1 + session (none)", cut to what fits. */
size_t tg_quota_subject(char *buf, size_t cap, const tg_quota_t *q,
    const tg_quota_call_t *call);

/*
 * One sentence: quota, subject, spent, cap, reset, and why it was refused.
 * `state` is the ledger's of that item, `verdict` TG_LEDGER_REFUSED or _PARK.
 * Any byte of the subject may be in it: it has to be escaped.  Returns the
 * length; cap TG_QUOTA_TEXT_MAX is enough.
 */
size_t tg_quota_refusal(char *buf, size_t cap, const tg_quota_items_t *items,
    unsigned item, const tg_ledger_state_t *state, int verdict,
    const tg_quota_call_t *call);

/* An amount in its measure: "12.5 USD", "200000 tokens". */
size_t tg_quota_amount(char *buf, size_t cap, tg_measure_t measure,
    int64_t amount);

/* Seconds for Retry-After; -1: it is of no use. */
int64_t tg_quota_retry_after(const tg_quota_items_t *items, unsigned item,
    const tg_ledger_state_t *state, int verdict, int64_t now);

/*
 * Whether an SDK is to come again by itself after so many seconds.  Left alone,
 * Anthropic's (1.10.0) obeys any Retry-After up to 24 days, its caller waiting,
 * and OpenAI's (7.55.0) takes one of more than a minute for none and is back
 * within a second.  Both do as x-should-retry says.
 */
#define TG_QUOTA_RETRY_MAX  60
bool tg_quota_retries(int64_t after);

typedef struct {
    tg_str_t  name;             /* static, lower case */
    tg_str_t  value;            /* in text */
    char      text[32];
} tg_quota_header_t;

/*
 * x-ratelimit-limit-requests, -remaining-, -reset- and the same for tokens, of
 * the limit with the least left; in Anthropic's shape anthropic-ratelimit-*,
 * also for input and output tokens.  `states` are the ledger's, of each item.
 * Returns how many, at most TG_QUOTA_HEADERS_MAX; they must not be copied.
 */
unsigned tg_quota_headers(const tg_quota_items_t *items,
    const tg_ledger_state_t *states, tg_shape_t shape, int64_t now,
    tg_quota_header_t *headers);

#endif /* TG_QUOTA_H */
