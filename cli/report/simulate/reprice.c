#include "reprice.h"


static const struct {
    record_number_t  number;
    size_t           at;
} reprice_classes[] = {
    { REC_INPUT, offsetof(tg_usage_t, input) },
    { REC_OUTPUT, offsetof(tg_usage_t, output) },
    { REC_CACHE_READ, offsetof(tg_usage_t, cache_read) },
    { REC_CACHE_WRITE, offsetof(tg_usage_t, cache_write) },
    { REC_CACHE_WRITE_5M, offsetof(tg_usage_t, cache_write_5m) },
    { REC_CACHE_WRITE_1H, offsetof(tg_usage_t, cache_write_1h) },
    { REC_REASONING, offsetof(tg_usage_t, reasoning) },
    { REC_AUDIO_INPUT, offsetof(tg_usage_t, audio_input) },
    { REC_IMAGE_INPUT, offsetof(tg_usage_t, image_input) },
    { REC_AUDIO_OUTPUT, offsetof(tg_usage_t, audio_output) },
    { REC_IMAGE_OUTPUT, offsetof(tg_usage_t, image_output) },
    { REC_BILLED_INPUT, offsetof(tg_usage_t, billed_input) },
    { REC_BILLED_OUTPUT, offsetof(tg_usage_t, billed_output) },
    { REC_WEB_SEARCHES, offsetof(tg_usage_t, web_searches) },
    { REC_WEB_FETCHES, offsetof(tg_usage_t, web_fetches) },
    { REC_SEARCH_UNITS, offsetof(tg_usage_t, search_units) },
    { REC_IMAGES, offsetof(tg_usage_t, images) },
    { REC_AUDIO_MS, offsetof(tg_usage_t, duration_ms) },
    { REC_CHARACTERS, offsetof(tg_usage_t, characters) },
    { REC_PAGES, offsetof(tg_usage_t, pages) }
};

#define CLASSES  (sizeof(reprice_classes) / sizeof(reprice_classes[0]))


void
reprice_want(record_want_t *want)
{
    static const record_text_t  texts[] = {
        REC_OPERATION, REC_VENDOR, REC_ASKED_MODEL, REC_SENT_MODEL, REC_MODEL,
        REC_TIER, REC_SOURCE, REC_COST_SOURCE, REC_PRICE_ID
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        want->text |= UINT64_C(1) << texts[i];
    }

    for (size_t i = 0; i < CLASSES; i++) {
        want->number |= UINT64_C(1) << reprice_classes[i].number;
    }

    want->number |= UINT64_C(1) << REC_COST | UINT64_C(1) << REC_COST_EXTRA;
}


static tg_usage_source_t
reprice_source(tg_str_t word)
{
    return tg_str_eq(word, tg_str("reported")) ? TG_USAGE_REPORTED
           : tg_str_eq(word, tg_str("estimated")) ? TG_USAGE_ESTIMATED
           : tg_str_eq(word, tg_str("cached")) ? TG_USAGE_CACHED
           : tg_str_eq(word, tg_str("recovered")) ? TG_USAGE_RECOVERED
           : TG_USAGE_NONE;
}


void
reprice_usage(const record_t *r, tg_usage_t *u)
{
    int64_t  v;

    tg_usage_init(u);
    u->source = reprice_source(r->text[REC_SOURCE]);

    for (size_t i = 0; i < CLASSES; i++) {
        v = r->number[reprice_classes[i].number];

        if (record_has(r, reprice_classes[i].number) && v >= 0) {
            memcpy((char *) u + reprice_classes[i].at, &v, sizeof(v));
        }
    }
}


tg_str_t
reprice_sent_model(const record_t *r)
{
    return r->text[REC_SENT_MODEL].len != 0 ? r->text[REC_SENT_MODEL]
                                            : r->text[REC_ASKED_MODEL];
}


/* Operations that consume nothing of their own, as tg_call.c has them. */
static bool
is_free(tg_str_t operation)
{
    return tg_str_eq(operation, tg_str("count_tokens"))
           || tg_str_eq(operation, tg_str("batch"))
           || tg_str_eq(operation, tg_str("retrieve"))
           || tg_str_eq(operation, tg_str("models"));
}


reprice_by_t
reprice_by(const record_t *r)
{
    tg_usage_source_t  source = reprice_source(r->text[REC_SOURCE]);

    return source == TG_USAGE_RECOVERED
           || (record_is(r, REC_RECOVERED) && !record_has(r, REC_INPUT))
           ? REPRICE_RECOVERED
           : tg_str_eq(r->text[REC_COST_SOURCE], tg_str("provider"))
           ? REPRICE_PROVIDER
           : tg_str_eq(r->text[REC_COST_SOURCE], tg_str("gpu")) ? REPRICE_GPU
           : source == TG_USAGE_NONE || is_free(r->text[REC_OPERATION])
           ? REPRICE_NOTHING : REPRICE_LIST;
}


/* Bedrock charges for what a path asked for, as tg_call.c has it; its other
 * APIs say the model that answered, and so does the entry that was used. */
static bool
reprice_asked(const record_t *r)
{
    tg_str_t  vendor = r->text[REC_VENDOR], model;

    if (!tg_str_eq(vendor, tg_str("aws.bedrock"))) {
        return false;
    }

    (void) tg_price_bare(vendor, r->text[REC_PRICE_ID], &model);

    return !tg_str_eq(model, r->text[REC_MODEL])
           || tg_str_eq(model, reprice_sent_model(r));
}


/* What an entry's name is without a call: where a path named the model, or a
 * provider has another one's prices. */
static const tg_price_t *
reprice_find(const tg_price_book_t *book, tg_str_t vendor, const record_t *r)
{
    const tg_price_t  *price = NULL;
    const tg_str_t     models[] = {
        r->text[REC_MODEL], reprice_sent_model(r)
    };
    size_t             asked = reprice_asked(r);

    vendor = vendor.len != 0 ? vendor : r->text[REC_VENDOR];

    for (size_t i = 0; i < 2 && price == NULL; i++) {
        if (models[i ^ asked].len != 0) {
            price = tg_price_find(book, vendor, models[i ^ asked]);
        }
    }

    if (price == NULL && r->text[REC_PRICE_ID].len != 0) {
        price = tg_price_find(book, tg_str_null, r->text[REC_PRICE_ID]);

        if (price != NULL
            && !tg_str_eq(tg_price_id(price), r->text[REC_PRICE_ID]))
        {
            price = NULL;
        }
    }

    return price;
}


void
reprice(const tg_price_book_t *book, tg_str_t vendor, const record_t *r,
    reprice_t *cost)
{
    tg_cost_t          c;
    tg_usage_t         u;
    const tg_price_t  *price;

    memset(cost, 0, sizeof(reprice_t));
    cost->by = reprice_by(r);

    if (cost->by != REPRICE_LIST) {
        cost->priced = true;
        cost->total = r->number[REC_COST];
        return;
    }

    price = book == NULL ? NULL : reprice_find(book, vendor, r);
    cost->total = r->number[REC_COST_EXTRA];

    if (price == NULL) {
        cost->priced = cost->total != 0
                       || tg_str_eq(r->text[REC_SOURCE], tg_str("cached"));
        return;
    }

    reprice_usage(r, &u);
    tg_price_cost(book, price, vendor.len != 0 ? vendor : r->text[REC_VENDOR],
                  &u, tg_tier_parse(r->text[REC_TIER]), &c);

    cost->priced = true;
    cost->incomplete = c.incomplete;
    cost->total = tg_money_add(cost->total, c.total);
    cost->price_id = tg_price_id(price);
}
