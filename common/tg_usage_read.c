#include "tg_usage_read.h"
#include "tg_money.h"

/* More of anything is nonsense; sums of a few such do not overflow. */
#define TG_COUNT_MAX  INT64_C(100000000000000000)


static int64_t
tg_literal_int(tg_str_t s)
{
    int64_t  v = tg_str_int(s);

    /* "12.0", "1e3": rare, but numbers all the same */
    return v >= 0 ? v : tg_money_parse(s, 0);
}


static inline void
tg_counts_put(tg_counts_t *c, unsigned id, int64_t v)
{
    if (v > TG_COUNT_MAX) {
        v = TG_COUNT_MAX;
    }

    if (!tg_counts_has(c, id) || c->v[id] < v) {
        c->present |= UINT64_C(1) << id;
        c->v[id] = v;
    }
}


void
tg_counts_set(tg_counts_t *c, unsigned id, int64_t v)
{
    tg_counts_put(c, id, v);
}


void
tg_counts_read(tg_counts_t *c, unsigned id, tg_str_t literal)
{
    int64_t  v;

    switch (id) {

    case TG_A_SECONDS:
    case TG_A_DURATION:
        v = tg_money_parse(literal, 3);
        break;

    case TG_A_COST:
        v = tg_money_parse(literal, 9);
        break;

    case TG_A_TICKS:
        v = tg_literal_int(literal);
        v = v < 0 ? v : v / 10 + (v % 10 >= 5);
        break;

    default:
        v = tg_literal_int(literal);
        break;
    }

    if (v >= 0) {
        tg_counts_put(c, id, v);
    }
}


void
tg_counts_add(tg_counts_t *c, unsigned id, int64_t v)
{
    if (tg_counts_has(c, id)) {
        v = tg_money_add(c->v[id], v);
    }

    if (v > TG_COUNT_MAX) {
        v = TG_COUNT_MAX;
    }

    c->present |= UINT64_C(1) << id;
    c->v[id] = v;
}


void
tg_counts_override(tg_counts_t *to, const tg_counts_t *from)
{
    for (unsigned id = 1; id < TG_A_COUNTERS; id++) {
        if (tg_counts_has(from, id)) {
            to->v[id] = from->v[id];
        }
    }

    to->present |= from->present;
}


bool
tg_counts_zero(const tg_counts_t *c)
{
    for (unsigned id = 1; id < TG_A_COUNTERS; id++) {
        if (tg_counts_has(c, id) && c->v[id] > 0) {
            return false;
        }
    }

    return true;
}


bool
tg_counts_told(const tg_counts_t *c)
{
    static const uint64_t  detail =
        UINT64_C(1) << TG_A_WEB_SEARCH | UINT64_C(1) << TG_A_WEB_FETCH
        | UINT64_C(1) << TG_A_START_OUTPUT | UINT64_C(1) << TG_A_REASONING
        | UINT64_C(1) << TG_A_CACHE_READ | UINT64_C(1) << TG_A_CACHE_WRITE
        | UINT64_C(1) << TG_A_CACHE_5M | UINT64_C(1) << TG_A_CACHE_1H;

    return (c->present & ~detail) != 0;
}


static int64_t
tg_counts_get(const tg_counts_t *c, unsigned id)
{
    return tg_counts_has(c, id) ? c->v[id] : 0;
}


/* The first of the two that is there. */
static int64_t
tg_counts_either(const tg_counts_t *c, unsigned id, unsigned other)
{
    return tg_counts_has(c, id) ? c->v[id] : tg_counts_get(c, other);
}


static void
tg_usage_read_cache(const tg_counts_t *c, tg_usage_t *u)
{
    int64_t  parts;

    u->cache_read = tg_counts_either(c, TG_A_CACHE_READ, TG_A_METRIC_READ);
    u->cache_write_5m = tg_counts_get(c, TG_A_CACHE_5M);
    u->cache_write_1h = tg_counts_get(c, TG_A_CACHE_1H);
    parts = tg_money_add(u->cache_write_5m, u->cache_write_1h);

    if (!tg_counts_has(c, TG_A_CACHE_WRITE)) {
        u->cache_write = parts != 0 ? parts
                                    : tg_counts_get(c, TG_A_METRIC_WRITE);
        return;
    }

    /* the sum is restated as a stream goes on, its parts need not be */

    u->cache_write = c->v[TG_A_CACHE_WRITE];

    if (u->cache_write_1h > u->cache_write) {
        u->cache_write_1h = u->cache_write;
    }

    if (u->cache_write_5m > u->cache_write - u->cache_write_1h) {
        u->cache_write_5m = u->cache_write - u->cache_write_1h;
    }
}


static void
tg_usage_read_input(const tg_counts_t *c, unsigned api_flags, tg_usage_t *u)
{
    int64_t  total = tg_counts_get(c, TG_A_TOTAL);
    int64_t  cached = tg_money_add(u->cache_read, u->cache_write);

    if (tg_counts_has(c, TG_A_INPUT)) {
        u->input = c->v[TG_A_INPUT];

    } else if (tg_counts_has(c, TG_A_FRESH)) {
        u->input = tg_money_add(c->v[TG_A_FRESH], cached);

    } else if (tg_counts_has(c, TG_A_METRIC_INPUT)) {
        u->input = tg_money_add(c->v[TG_A_METRIC_INPUT], cached);

    } else if (tg_counts_has(c, TG_A_BILLED_INPUT)) {
        u->input = c->v[TG_A_BILLED_INPUT];

    } else if (tg_counts_has(c, TG_A_TOTAL)
               && (tg_counts_has(c, TG_A_OUTPUT)
                   || (api_flags & TG_API_TOTAL_ONLY)))
    {
        u->input = total > u->output ? total - u->output : 0;
    }

    u->input = tg_money_add(u->input, tg_counts_get(c, TG_A_TOOL_INPUT));
}


/* What the total says was left out of its parts. */
static unsigned
tg_usage_by_total(const tg_counts_t *c, const tg_usage_t *u)
{
    int64_t  rest;

    if (!tg_counts_has(c, TG_A_TOTAL)) {
        return 0;
    }

    rest = c->v[TG_A_TOTAL] - u->input - u->output;

    if (rest <= 0) {
        return 0;
    }

    if (rest == u->reasoning) {
        return TG_QUIRK_REASONING_APART;
    }

    if (rest == u->audio_input) {
        return TG_QUIRK_AUDIO_APART;
    }

    return u->reasoning == 0 ? TG_QUIRK_REASONING_REST : 0;
}


static void
tg_usage_read_quirks(const tg_counts_t *c, unsigned quirks, tg_usage_t *u)
{
    int64_t  rest;

    if (quirks & TG_QUIRK_BY_TOTAL) {
        quirks |= tg_usage_by_total(c, u);
    }

    if ((quirks & TG_QUIRK_REASONING_REST) && tg_counts_has(c, TG_A_TOTAL)) {
        rest = c->v[TG_A_TOTAL] - u->input - u->output;

        /* billed as output, though it is not said to be all reasoning */

        if (rest > 0) {
            u->output = tg_money_add(u->output, rest);
        }
    }

    if (quirks & TG_QUIRK_REASONING_APART) {
        u->output = tg_money_add(u->output, u->reasoning);
    }

    if (quirks & TG_QUIRK_AUDIO_APART) {
        u->input = tg_money_add(u->input, u->audio_input);
    }
}


static void
tg_usage_read_units(const tg_counts_t *c, tg_usage_t *u)
{
    if (tg_counts_has(c, TG_A_BILLED_INPUT)) {
        u->billed_input = c->v[TG_A_BILLED_INPUT];
    }

    if (tg_counts_has(c, TG_A_BILLED_OUTPUT)) {
        u->billed_output = c->v[TG_A_BILLED_OUTPUT];
    }

    u->web_searches = tg_counts_get(c, TG_A_WEB_SEARCH);
    u->web_fetches = tg_counts_get(c, TG_A_WEB_FETCH);
    u->search_units = tg_counts_get(c, TG_A_SEARCH_UNITS);
    u->images = tg_counts_get(c, TG_A_IMAGES);
    u->characters = tg_counts_get(c, TG_A_CHARACTERS);
    u->pages = tg_counts_get(c, TG_A_PAGES);
    u->duration_ms = tg_counts_get(c, TG_A_SECONDS);

    if (!tg_counts_has(c, TG_A_SECONDS) && u->input == 0 && u->output == 0) {
        u->duration_ms = tg_counts_get(c, TG_A_DURATION);
    }

    if (tg_counts_has(c, TG_A_TICKS)) {
        u->provider_cost = c->v[TG_A_TICKS];

    } else if (tg_counts_has(c, TG_A_COST)) {
        u->provider_cost = c->v[TG_A_COST];
    }
}


void
tg_usage_read(const tg_counts_t *c, unsigned quirks, unsigned api_flags,
    tg_usage_t *u)
{
    tg_usage_init(u);

    if (tg_counts_told(c)) {
        u->source = TG_USAGE_REPORTED;
    }

    u->output = tg_counts_either(c, TG_A_OUTPUT, TG_A_METRIC_OUTPUT);

    if (!tg_counts_has(c, TG_A_OUTPUT) && tg_counts_has(c, TG_A_START_OUTPUT)
        && !tg_counts_has(c, TG_A_METRIC_OUTPUT))
    {
        u->output = c->v[TG_A_START_OUTPUT];
    }

    if (u->output == 0 && !tg_counts_has(c, TG_A_OUTPUT)) {
        u->output = tg_money_add(u->output,
                                 tg_counts_get(c, TG_A_BILLED_OUTPUT));
    }

    u->reasoning = tg_counts_get(c, TG_A_REASONING);
    u->audio_input = tg_counts_get(c, TG_A_AUDIO_IN);
    u->image_input = tg_counts_get(c, TG_A_IMAGE_IN);
    u->audio_output = tg_counts_get(c, TG_A_AUDIO_OUT);
    u->image_output = tg_counts_get(c, TG_A_IMAGE_OUT);

    if (api_flags & TG_API_THOUGHTS) {
        u->output = tg_money_add(u->output, u->reasoning);
    }

    tg_usage_read_cache(c, u);
    tg_usage_read_input(c, api_flags, u);
    tg_usage_read_quirks(c, quirks, u);
    tg_usage_read_units(c, u);
}


static void
tg_sum(int64_t *to, int64_t v)
{
    *to = tg_money_add(*to, v);
}


static void
tg_sum_if(int64_t *to, int64_t v)
{
    if (v >= 0) {
        *to = tg_money_add(*to < 0 ? 0 : *to, v);
    }
}


void
tg_usage_sum(tg_usage_t *u, const tg_usage_t *v)
{
    if (u->source == TG_USAGE_NONE) {
        u->source = v->source;
    }

    tg_sum(&u->input, v->input);
    tg_sum(&u->cache_read, v->cache_read);
    tg_sum(&u->cache_write, v->cache_write);
    tg_sum(&u->cache_write_5m, v->cache_write_5m);
    tg_sum(&u->cache_write_1h, v->cache_write_1h);
    tg_sum(&u->audio_input, v->audio_input);
    tg_sum(&u->image_input, v->image_input);
    tg_sum(&u->output, v->output);
    tg_sum(&u->reasoning, v->reasoning);
    tg_sum(&u->audio_output, v->audio_output);
    tg_sum(&u->image_output, v->image_output);
    tg_sum_if(&u->billed_input, v->billed_input);
    tg_sum_if(&u->billed_output, v->billed_output);
    tg_sum(&u->web_searches, v->web_searches);
    tg_sum(&u->web_fetches, v->web_fetches);
    tg_sum(&u->search_units, v->search_units);
    tg_sum(&u->images, v->images);
    tg_sum(&u->duration_ms, v->duration_ms);
    tg_sum(&u->characters, v->characters);
    tg_sum(&u->pages, v->pages);
    tg_sum_if(&u->provider_cost, v->provider_cost);
}


int64_t
tg_usage_estimate(uint64_t bytes, int64_t milli)
{
    uint64_t  tokens, each;

    each = milli > 0 ? (uint64_t) milli : TG_ESTIMATE_BYTES_PER_TOKEN * 1000;

    if (bytes > UINT64_MAX / 1000) {
        return INT64_MAX / 2;
    }

    bytes *= 1000;
    tokens = bytes / each + (bytes % each != 0);

    return tokens > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t) tokens;
}
