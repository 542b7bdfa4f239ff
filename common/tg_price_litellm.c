#include "tg_price_int.h"

#define TG_LITELLM_SCALE  15        /* fusd of dollars a token, or a piece */
#define TG_BILLION        INT64_C(1000000000)

typedef struct {
    const char  *name;
    size_t       len;
    tg_rate_t    rate;
} tg_litellm_key_t;

#define TG_KEY(name, rate)  { name, sizeof(name) - 1, rate }

static const tg_litellm_key_t  tg_litellm_keys[] = {
    TG_KEY("input_cost_per_token", TG_RATE_INPUT),
    TG_KEY("output_cost_per_token", TG_RATE_OUTPUT),
    TG_KEY("cache_read_input_token_cost", TG_RATE_CACHE_READ),
    TG_KEY("cache_creation_input_token_cost", TG_RATE_CACHE_WRITE),
    TG_KEY("cache_creation_input_token_cost_above_1hr",
           TG_RATE_CACHE_WRITE_1H),
    TG_KEY("input_cost_per_audio_token", TG_RATE_AUDIO_INPUT),
    TG_KEY("output_cost_per_audio_token", TG_RATE_AUDIO_OUTPUT),
    TG_KEY("output_cost_per_reasoning_token", TG_RATE_REASONING),
    TG_KEY("input_cost_per_image_token", TG_RATE_IMAGE_INPUT),
    TG_KEY("output_cost_per_image_token", TG_RATE_IMAGE_OUTPUT),
    TG_KEY("output_cost_per_image", TG_RATE_IMAGE),
    TG_KEY("input_cost_per_second", TG_RATE_SECOND),
    TG_KEY("input_cost_per_character", TG_RATE_CHARACTER),
    TG_KEY("input_cost_per_query", TG_RATE_SEARCH_UNIT),
    TG_KEY("input_cost_per_request", TG_RATE_REQUEST),
    TG_KEY("ocr_cost_per_page", TG_RATE_PAGE),
    { NULL, 0, TG_RATE_COUNT }
};

/* Read only where the standard tier has no price of that kind. */
static const tg_litellm_key_t  tg_litellm_spares[] = {
    TG_KEY("input_cost_per_token_cache_hit", TG_RATE_CACHE_READ),
    TG_KEY("input_cost_per_image", TG_RATE_IMAGE),
    TG_KEY("output_cost_per_second", TG_RATE_SECOND),
    { NULL, 0, TG_RATE_COUNT }
};

static const struct {
    tg_str_t   suffix;
    tg_tier_t  tier;
} tg_litellm_tiers[] = {
    { TG_STR(""),          TG_TIER_STANDARD },
    { TG_STR("_batches"),  TG_TIER_BATCH },
    { TG_STR("_flex"),     TG_TIER_FLEX },
    { TG_STR("_priority"), TG_TIER_PRIORITY }
};


/* "[_above_200k_tokens][_batches]", all of it. */
static bool
tg_litellm_suffix(tg_str_t s, tg_tier_t *tier, int64_t *above)
{
    size_t    n, i;
    tg_str_t  word = tg_str("_above_"), rest = s;

    *above = 0;

    if (tg_str_starts(s, word)) {
        s.p += word.len;
        s.len -= word.len;

        for (n = 0; n < s.len && s.p[n] >= '0' && s.p[n] <= '9'; n++) {
            /* void */
        }

        *above = tg_str_int(tg_str_of(s.p, n));
        rest = tg_str_of(s.p + n, s.len - n);

        if (*above <= 0 || *above > TG_PRICE_TOKENS_MAX / 1000
            || !tg_str_starts(rest, tg_str("k_tokens")))
        {
            return false;
        }

        *above *= 1000;
        rest.p += sizeof("k_tokens") - 1;
        rest.len -= sizeof("k_tokens") - 1;
    }

    for (i = 0; i < sizeof(tg_litellm_tiers) / sizeof(tg_litellm_tiers[0]); i++)
    {
        if (tg_str_eq(rest, tg_litellm_tiers[i].suffix)) {
            *tier = tg_litellm_tiers[i].tier;
            return true;
        }
    }

    return false;
}


static int
tg_litellm_set(const tg_price_load_t *load, tg_price_draft_t *d,
    const char *key, json_t *v, tg_tier_t tier, int64_t above, tg_rate_t rate)
{
    int64_t  fusd;

    fusd = tg_price_number(v, TG_LITELLM_SCALE, TG_PRICE_FUSD_MAX);

    if (fusd == -2) {
        return tg_price_complain(load, d->id, key, "is negative, or more than"
                                 " $1000 a unit");
    }

    if (fusd < 0) {                 /* null, prose: nothing is said */
        return TG_OK;
    }

    if (tg_price_draft_set(d, tier, above, rate, fusd) != TG_OK) {
        return tg_price_complain(load, d->id, key, "has too many thresholds");
    }

    return TG_OK;
}


/* `above` is the start of a tier of tiered_pricing, else 0. */
static int
tg_litellm_read(const tg_price_load_t *load, tg_price_draft_t *d,
    json_t *obj, int64_t above)
{
    size_t                   len;
    int64_t                  more;
    json_t                  *v;
    tg_tier_t                tier;
    const char              *key;
    const tg_litellm_key_t  *k;

    json_object_foreach(obj, key, v) {
        if (!json_is_number(v) && !json_is_string(v)) {
            continue;
        }

        len = strlen(key);

        for (k = tg_litellm_keys; k->name != NULL; k++) {
            if (len < k->len || memcmp(key, k->name, k->len) != 0
                || !tg_litellm_suffix(tg_str_of(key + k->len, len - k->len),
                                      &tier, &more))
            {
                continue;
            }

            if (tg_litellm_set(load, d, key, v, tier, above > more ? above
                                                                   : more,
                               k->rate)
                != TG_OK)
            {
                return TG_ERROR;
            }

            break;
        }
    }

    return TG_OK;
}


static bool
tg_litellm_listed(const tg_price_draft_t *d, tg_rate_t rate)
{
    for (size_t i = 0; i < d->nlevels; i++) {
        if (d->levels[i].tier == TG_TIER_STANDARD && d->levels[i].above == 0
            && d->levels[i].fusd[rate] >= 0)
        {
            return true;
        }
    }

    return false;
}


static int
tg_litellm_read_spares(const tg_price_load_t *load, tg_price_draft_t *d,
    json_t *obj)
{
    json_t                  *v;
    const tg_litellm_key_t  *k;

    for (k = tg_litellm_spares; k->name != NULL; k++) {
        v = json_object_get(obj, k->name);

        if (v != NULL && !tg_litellm_listed(d, k->rate)
            && tg_litellm_set(load, d, k->name, v, TG_TIER_STANDARD, 0,
                              k->rate)
               != TG_OK)
        {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


/* [{"range": [0, 256000.0], "input_cost_per_token": ...}, ...] */
static int
tg_litellm_read_tiered(const tg_price_load_t *load, tg_price_draft_t *d,
    json_t *tiers)
{
    size_t    i;
    int64_t   above;
    json_t   *tier;

    json_array_foreach(tiers, i, tier) {
        above = tg_price_number(json_array_get(json_object_get(tier, "range"),
                                               0),
                                0, TG_PRICE_TOKENS_MAX);

        if (above >= 0 && tg_litellm_read(load, d, tier, above) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


/* How wide a search reached is not reported: what the API does by default. */
static int
tg_litellm_read_search(const tg_price_load_t *load, tg_price_draft_t *d,
    json_t *obj)
{
    json_t      *sizes, *v;
    const char  *provider, *key;

    sizes = json_object_get(obj, "search_context_cost_per_query");
    if (!json_is_object(sizes)) {
        return TG_OK;
    }

    provider = json_string_value(json_object_get(obj, "litellm_provider"));

    key = provider != NULL && strcmp(provider, "perplexity") == 0
          ? "search_context_size_low" : "search_context_size_medium";

    v = json_object_get(sizes, key);

    if (v == NULL) {
        key = "search_context_size_low";
        v = json_object_get(sizes, key);
    }

    if (v == NULL) {
        key = "search_context_size_high";
        v = json_object_get(sizes, key);
    }

    return v == NULL ? TG_OK
                     : tg_litellm_set(load, d, key, v, TG_TIER_STANDARD, 0,
                                      TG_RATE_WEB_SEARCH);
}


static int64_t
tg_litellm_tokens(json_t *obj, const char *key)
{
    int64_t  n;

    n = tg_price_number(json_object_get(obj, key), 0, TG_PRICE_TOKENS_MAX);

    return n < 0 ? 0 : n;
}


/* max_tokens is the older word for max_output_tokens or, of embeddings, for
 * max_input_tokens. */
static void
tg_litellm_read_limits(tg_price_draft_t *d, json_t *obj)
{
    int64_t  most;

    d->max_input = tg_litellm_tokens(obj, "max_input_tokens");
    d->max_output = tg_litellm_tokens(obj, "max_output_tokens");
    most = tg_litellm_tokens(obj, "max_tokens");

    if (d->max_input == 0) {
        d->max_input = most > d->max_output ? most : 0;
    }

    if (d->max_output == 0) {
        d->max_output = most;
    }
}


/* What Anthropic's fast mode multiplies all prices of tokens by. */
static int
tg_litellm_fast(const tg_price_load_t *load, tg_price_draft_t *d, int64_t ppm)
{
    int64_t  fusd;
    size_t   n = d->nlevels;

    for (size_t i = 0; i < n; i++) {
        if (d->levels[i].tier != TG_TIER_STANDARD) {
            continue;
        }

        for (unsigned rate = 0; rate < TG_RATE_TOKENS; rate++) {
            fusd = d->levels[i].fusd[rate];

            if (fusd >= 0
                && tg_price_draft_set(d, TG_TIER_FAST, d->levels[i].above,
                                      (tg_rate_t) rate,
                                      tg_price_times(fusd, ppm))
                   != TG_OK)
            {
                return tg_price_complain(load, d->id,
                                         "provider_specific_entry",
                                         "has too many thresholds");
            }
        }
    }

    return TG_OK;
}


static int
tg_litellm_read_factors(const tg_price_load_t *load, tg_price_draft_t *d,
    json_t *factors)
{
    int64_t  us, fast;

    us = tg_price_number(json_object_get(factors, "us"), 9, 2 * TG_BILLION);
    fast = tg_price_number(json_object_get(factors, "fast"), 9,
                           100 * TG_BILLION);

    if (us > TG_BILLION) {
        d->us = (us - TG_BILLION) / (TG_BILLION / TG_PPM);
    }

    return fast <= 0 ? TG_OK
           : tg_litellm_fast(load, d, fast / (TG_BILLION / TG_PPM));
}


static int
tg_litellm_read_model(const tg_price_load_t *load, tg_price_draft_t *d,
    json_t *obj)
{
    json_t      *tiered;
    const char  *mode;

    mode = json_string_value(json_object_get(obj, "mode"));
    tiered = json_object_get(obj, "tiered_pricing");

    tg_litellm_read_limits(d, obj);

    if (tg_litellm_read(load, d, obj, 0) != TG_OK
        || tg_litellm_read_tiered(load, d, tiered) != TG_OK
        || tg_litellm_read_spares(load, d, obj) != TG_OK)
    {
        return TG_ERROR;
    }

    if (d->nlevels == 0) {          /* a fee for searches is no price yet */
        return TG_OK;
    }

    if (tg_litellm_read_factors(load, d, json_object_get(obj,
                                                 "provider_specific_entry"))
        != TG_OK
        || tg_litellm_read_search(load, d, obj) != TG_OK)
    {
        return TG_ERROR;
    }

    if (mode != NULL && strcmp(mode, "embedding") == 0) {
        d->max_output = 0;
    }

    return tg_price_put(load, d);
}


int
tg_price_load_litellm(const tg_price_load_t *load, json_t *root)
{
    size_t             priced = 0;
    json_t            *v;
    const char        *key;
    tg_price_draft_t   draft;

    if (!json_is_object(root)) {
        return tg_price_complain(load, tg_str_null, "", "is not a JSON object");
    }

    json_object_foreach(root, key, v) {
        if (!json_is_object(v) || key[0] == '\0'
            || strcmp(key, "sample_spec") == 0)
        {
            continue;
        }

        tg_price_draft_init(&draft, tg_strz(key));

        if (tg_litellm_read_model(load, &draft, v) != TG_OK) {
            return TG_ERROR;
        }

        priced += draft.nlevels != 0;
    }

    if (priced == 0) {
        return tg_price_complain(load, tg_str_null, "", "is neither a price"
                                 " list of ours (no \"tollgate_prices\") nor"
                                 " LiteLLM's (no model has a price)");
    }

    return TG_OK;
}
