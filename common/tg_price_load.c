#include "tg_price_int.h"

#include <stdio.h>

#define TG_PRICE_VERSION      1
#define TG_PRICE_FIELD_MAX    64
#define TG_PRICE_PATTERNS_MAX 256

/* Scales of tg_price_number(): fusd a token of "dollars a million tokens", fusd
 * of "dollars a piece". */
#define TG_SCALE_MILLION      9
#define TG_SCALE_PIECE        15

typedef struct {
    const char  *name;
    tg_rate_t    rate;
} tg_price_field_t;

static const tg_price_field_t  tg_price_fields[] = {
    { "input",          TG_RATE_INPUT },
    { "output",         TG_RATE_OUTPUT },
    { "cache_read",     TG_RATE_CACHE_READ },
    { "cache_write",    TG_RATE_CACHE_WRITE },
    { "cache_write_1h", TG_RATE_CACHE_WRITE_1H },
    { "reasoning",      TG_RATE_REASONING },
    { "audio_input",    TG_RATE_AUDIO_INPUT },
    { "audio_output",   TG_RATE_AUDIO_OUTPUT },
    { "image_input",    TG_RATE_IMAGE_INPUT },
    { "image_output",   TG_RATE_IMAGE_OUTPUT },
    { "request",        TG_RATE_REQUEST },
    { "web_search",     TG_RATE_WEB_SEARCH },
    { "web_fetch",      TG_RATE_WEB_FETCH },
    { "search_unit",    TG_RATE_SEARCH_UNIT },
    { "image",          TG_RATE_IMAGE },
    { "second",         TG_RATE_SECOND },
    { "character",      TG_RATE_CHARACTER },
    { "page",           TG_RATE_PAGE },
    { NULL,             TG_RATE_COUNT }
};

/* Where in an entry we are. */
typedef struct {
    const tg_price_load_t  *load;
    tg_price_draft_t       *draft;
    const char             *tier_name;  /* "" or "batch" */
    tg_tier_t               tier;
    int64_t                 above;
} tg_price_place_t;


static int
tg_price_place_error(const tg_price_place_t *at, const char *key,
    const char *problem)
{
    char  field[TG_PRICE_FIELD_MAX];

    if (at->above != 0) {
        (void) snprintf(field, sizeof(field), "%s%sabove.%lld.%s",
                        at->tier_name, at->tier_name[0] == '\0' ? "" : ".",
                        (long long) at->above, key);

    } else {
        (void) snprintf(field, sizeof(field), "%s%s%s", at->tier_name,
                        at->tier_name[0] == '\0' ? "" : ".", key);
    }

    return tg_price_complain(at->load, at->draft->id, field, problem);
}


static int
tg_price_read_rate(const tg_price_place_t *at, const tg_price_field_t *f,
    json_t *v)
{
    int      scale;
    int64_t  fusd;

    scale = f->rate < TG_RATE_TOKENS ? TG_SCALE_MILLION : TG_SCALE_PIECE;
    fusd = tg_price_number(v, scale, TG_PRICE_FUSD_MAX);

    if (fusd == -2) {
        return tg_price_place_error(at, f->name, "is negative, or more than"
                                    " $1000 a unit");
    }

    if (fusd < 0) {
        return tg_price_place_error(at, f->name, "is not a number");
    }

    if (tg_price_draft_set(at->draft, at->tier, at->above, f->rate, fusd)
        != TG_OK)
    {
        return tg_price_place_error(at, f->name, "has too many thresholds");
    }

    return TG_OK;
}


static const tg_price_field_t *
tg_price_field(const char *key)
{
    for (const tg_price_field_t *f = tg_price_fields; f->name != NULL; f++) {
        if (strcmp(f->name, key) == 0) {
            return f;
        }
    }

    return NULL;
}


/* {"200000": {"input": ...}, ...} */
static int
tg_price_read_above(const tg_price_place_t *at, json_t *obj)
{
    void                    *it;
    json_t                  *rates, *v;
    const char              *key;
    tg_price_place_t         in = *at;
    const tg_price_field_t  *f;

    if (json_object_size(obj) == 0) {
        return tg_price_place_error(at, "above", "is not an object of"
                                    " thresholds");
    }

    json_object_foreach(obj, key, rates) {
        in.above = tg_str_int(tg_strz(key));

        if (in.above <= 0 || in.above > TG_PRICE_TOKENS_MAX) {
            in.above = 0;
            return tg_price_place_error(&in, "above", "has a threshold that is"
                                        " not a whole number of tokens");
        }

        it = json_object_iter(rates);

        if (it == NULL) {
            return tg_price_place_error(&in, "", "is not an object of prices");
        }

        for ( /* void */ ; it != NULL; it = json_object_iter_next(rates, it)) {
            v = json_object_iter_value(it);
            f = tg_price_field(json_object_iter_key(it));

            if (f == NULL) {
                return tg_price_place_error(&in, json_object_iter_key(it),
                                            "is not a price");
            }

            if (tg_price_read_rate(&in, f, v) != TG_OK) {
                return TG_ERROR;
            }
        }
    }

    return TG_OK;
}


static int
tg_price_read_tier(tg_price_place_t *at, const char *name, json_t *obj)
{
    int                      rc = TG_OK;
    json_t                  *v;
    const char              *key;
    tg_price_place_t         in = *at;
    const tg_price_field_t  *f;

    if (json_object_size(obj) == 0) {
        return tg_price_place_error(at, name, "is not an object of prices");
    }

    in.tier = tg_tier_parse(tg_strz(name));
    in.tier_name = name;

    json_object_foreach(obj, key, v) {
        f = tg_price_field(key);

        if (f != NULL) {
            rc = tg_price_read_rate(&in, f, v);

        } else if (strcmp(key, "above") == 0) {
            rc = tg_price_read_above(&in, v);

        } else {
            rc = tg_price_place_error(&in, key, "is not a price");
        }

        if (rc != TG_OK) {
            break;
        }
    }

    return rc;
}


/* "12%", "12.5%": up to four decimals, since it is applied exactly. */
static int64_t
tg_price_read_percent(json_t *v)
{
    int64_t     off;
    tg_str_t    s;
    const char *point;

    if (!json_is_string(v)) {
        return -1;
    }

    s = tg_str_of(json_string_value(v), json_string_length(v));

    if (!tg_str_ends(s, tg_str("%"))) {
        return -1;
    }

    s.len--;

    if (memchr(s.p, 'e', s.len) != NULL || memchr(s.p, 'E', s.len) != NULL) {
        return -1;
    }

    point = s.len > 0 ? memchr(s.p, '.', s.len) : NULL;

    if (point != NULL && s.p + s.len - point > 5) {
        return -1;
    }

    off = tg_money_parse(s, 4);

    return off < 0 || off > TG_PPM ? -1 : TG_PPM - off;
}


static int
tg_price_read_tokens(const tg_price_place_t *at, const char *key, json_t *v,
    int64_t *tokens)
{
    *tokens = tg_price_number(v, 0, TG_PRICE_TOKENS_MAX);

    return *tokens < 0
           ? tg_price_place_error(at, key, "is not a number of tokens")
           : TG_OK;
}


static int
tg_price_read_same(const tg_price_place_t *at, json_t *v)
{
    tg_str_t           key;
    const tg_price_t  *base = NULL;
    tg_price_draft_t  *d = at->draft;

    if (json_is_string(v)) {
        key = tg_str_of(json_string_value(v), json_string_length(v));
        base = tg_price_get(at->load->book, key);
    }

    if (base == NULL) {
        return tg_price_place_error(at, "same_as", "names no model that is"
                                    " listed before this one");
    }

    d->max_input = base->max_input;
    d->max_output = base->max_output;
    d->keep = base->keep;
    d->own_keep = base->own_keep;
    d->us = base->us;
    d->nlevels = base->nlevels;
    memcpy(d->levels, base->levels, base->nlevels * sizeof(tg_price_level_t));

    return TG_OK;
}


static int
tg_price_read_field(tg_price_place_t *at, const char *key, json_t *v)
{
    tg_tier_t                tier = tg_tier_parse(tg_strz(key));
    const tg_price_field_t  *f;

    f = tg_price_field(key);

    if (f != NULL) {
        return tg_price_read_rate(at, f, v);
    }

    if (strcmp(key, "above") == 0) {
        return tg_price_read_above(at, v);
    }

    if (tier != TG_TIER_STANDARD && tier < TG_TIER_US) {
        return tg_price_read_tier(at, key, v);
    }

    if (strcmp(key, "us_surcharge") == 0) {
        at->draft->us = TG_PPM - tg_price_read_percent(v);

        return at->draft->us <= TG_PPM ? TG_OK
               : tg_price_place_error(at, key, "is not a percentage from"
                                      " \"0%\" to \"100%\"");
    }

    if (strcmp(key, "max_input") == 0) {
        return tg_price_read_tokens(at, key, v, &at->draft->max_input);
    }

    if (strcmp(key, "max_output") == 0) {
        return tg_price_read_tokens(at, key, v, &at->draft->max_output);
    }

    if (strcmp(key, "discount") == 0) {
        at->draft->keep = tg_price_read_percent(v);
        at->draft->own_keep = true;

        return at->draft->keep < 0
               ? tg_price_place_error(at, key, "is not a percentage from"
                                      " \"0%\" to \"100%\"")
               : TG_OK;
    }

    if (strcmp(key, "same_as") == 0        /* already read */
        || strcmp(key, "source") == 0 || strcmp(key, "note") == 0)
    {
        return json_is_string(v)
               ? TG_OK : tg_price_place_error(at, key, "is not a string");
    }

    return tg_price_place_error(at, key, "is not a field of a price");
}


static int
tg_price_read_model(const tg_price_load_t *load, tg_price_draft_t *d,
    json_t *obj)
{
    json_t            *v;
    const char        *key;
    tg_price_place_t   at = { load, d, "", TG_TIER_STANDARD, 0 };

    if (!json_is_object(obj)) {
        return tg_price_complain(load, d->id, "", "is not an object");
    }

    v = json_object_get(obj, "same_as");

    if (v != NULL && tg_price_read_same(&at, v) != TG_OK) {
        return TG_ERROR;
    }

    json_object_foreach(obj, key, v) {
        if (tg_price_read_field(&at, key, v) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (d->nlevels == 0) {
        return tg_price_complain(load, d->id, "", "has no price");
    }

    return tg_price_put(load, d);
}


static int
tg_price_read_models(const tg_price_load_t *load, json_t *models)
{
    json_t            *v;
    const char        *key;
    tg_price_draft_t   draft;

    if (!json_is_object(models)) {
        return tg_price_complain(load, tg_str_null, "models",
                                 "is not an object");
    }

    json_object_foreach(models, key, v) {
        tg_price_draft_init(&draft, tg_strz(key));

        if (tg_price_read_model(load, &draft, v) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


/* Patterns and percentages, for entries that name none; the longest wins. */
static int
tg_price_read_discounts(const tg_price_load_t *load, json_t *obj)
{
    size_t       longest, len;
    int64_t      keep;
    json_t      *v;
    const char  *key;

    if (!json_is_object(obj) || json_object_size(obj) > TG_PRICE_PATTERNS_MAX) {
        return tg_price_complain(load, tg_str_null, "discounts",
                                 "is not an object of at most 256 patterns");
    }

    json_object_foreach(obj, key, v) {
        if (tg_price_read_percent(v) < 0) {
            return tg_price_complain(load, tg_strz(key), "discounts", "is not"
                                     " a percentage from \"0%\" to \"100%\"");
        }
    }

    for (tg_price_t *p = tg_price_first(load->book); p != NULL; p = p->next) {
        longest = 0;
        keep = p->keep;

        json_object_foreach(obj, key, v) {
            len = strlen(key);

            if (len > longest && tg_str_match(p->id, tg_str_of(key, len))) {
                longest = len;
                keep = tg_price_read_percent(v);
            }
        }

        if (!p->own_keep) {
            p->keep = keep;
        }
    }

    return TG_OK;
}


static int
tg_price_check_root(const tg_price_load_t *load, json_t *root)
{
    json_t      *v;
    const char  *key;

    json_object_foreach(root, key, v) {

        if (strcmp(key, "tollgate_prices") == 0) {
            if (json_number_value(v) < TG_PRICE_VERSION
                || json_number_value(v) > TG_PRICE_VERSION)
            {
                return tg_price_complain(load, tg_str_null, key,
                                         "is of another version than 1");
            }

        } else if (strcmp(key, "currency") == 0) {
            if (!json_is_string(v)
                || strcmp(json_string_value(v), "USD") != 0)
            {
                return tg_price_complain(load, tg_str_null, key,
                                         "is not \"USD\"");
            }

        } else if (strcmp(key, "date") != 0 && strcmp(key, "notes") != 0
                   && strcmp(key, "sources") != 0 && strcmp(key, "models") != 0
                   && strcmp(key, "discounts") != 0)
        {
            return tg_price_complain(load, tg_str_null, key,
                                     "is not known here");
        }
    }

    return TG_OK;
}


int
tg_price_load_own(const tg_price_load_t *load, json_t *root)
{
    json_t  *models, *discounts;

    models = json_object_get(root, "models");
    discounts = json_object_get(root, "discounts");

    if (tg_price_check_root(load, root) != TG_OK) {
        return TG_ERROR;
    }

    if (models == NULL && discounts == NULL) {
        return tg_price_complain(load, tg_str_null, "models", "is missing");
    }

    if (models != NULL && tg_price_read_models(load, models) != TG_OK) {
        return TG_ERROR;
    }

    return discounts != NULL ? tg_price_read_discounts(load, discounts) : TG_OK;
}
