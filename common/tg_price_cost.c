#include "tg_price_int.h"

#define TG_RATE_CHAIN    4
#define TG_RATE_NONE     TG_RATE_COUNT
#define TG_MS_PER_SECOND 1000
#define TG_EXTRA_MAX     1024

/* One usage being charged at one price. */
typedef struct {
    const tg_price_t  *price;
    tg_tier_t          tier;
    int64_t            input;       /* tokens, for the thresholds */
    int64_t            keep;
    int64_t            more;        /* ppm, of tokens' rates */
    bool               incomplete;
} tg_charge_t;

/* Tokens in exclusive classes; their sums are input and output. */
typedef struct {
    int64_t            units[TG_RATE_TOKENS];
    int64_t            input;
    int64_t            output;
} tg_split_t;

/*
 * Whose price a class of tokens takes, in turn.  The last ones are for models
 * that make nothing but pictures or speech and list just that.
 */
static const unsigned char  tg_rate_chains[TG_RATE_TOKENS][TG_RATE_CHAIN] = {
    { TG_RATE_INPUT, TG_RATE_IMAGE_INPUT, TG_RATE_AUDIO_INPUT, TG_RATE_NONE },
    { TG_RATE_CACHE_READ, TG_RATE_INPUT, TG_RATE_IMAGE_INPUT,
      TG_RATE_AUDIO_INPUT },
    { TG_RATE_CACHE_WRITE, TG_RATE_INPUT, TG_RATE_IMAGE_INPUT,
      TG_RATE_AUDIO_INPUT },
    { TG_RATE_CACHE_WRITE_1H, TG_RATE_CACHE_WRITE, TG_RATE_INPUT,
      TG_RATE_NONE },
    { TG_RATE_AUDIO_INPUT, TG_RATE_INPUT, TG_RATE_IMAGE_INPUT, TG_RATE_NONE },
    { TG_RATE_IMAGE_INPUT, TG_RATE_INPUT, TG_RATE_AUDIO_INPUT, TG_RATE_NONE },
    { TG_RATE_OUTPUT, TG_RATE_IMAGE_OUTPUT, TG_RATE_AUDIO_OUTPUT,
      TG_RATE_NONE },
    { TG_RATE_REASONING, TG_RATE_OUTPUT, TG_RATE_IMAGE_OUTPUT,
      TG_RATE_AUDIO_OUTPUT },
    { TG_RATE_AUDIO_OUTPUT, TG_RATE_OUTPUT, TG_RATE_IMAGE_OUTPUT,
      TG_RATE_NONE },
    { TG_RATE_IMAGE_OUTPUT, TG_RATE_OUTPUT, TG_RATE_AUDIO_OUTPUT,
      TG_RATE_NONE }
};


static tg_charge_t
tg_charge_by(const tg_price_t *price, tg_tier_t tier)
{
    return (tg_charge_t) {
        .price = price,
        .tier = tier & (TG_TIER_US - 1),
        .keep = price->keep,
        .more = (tier & TG_TIER_US) != 0 ? price->us : 0
    };
}


tg_tier_t
tg_tier_parse(tg_str_t s)
{
    static const struct {
        tg_str_t   name;
        tg_tier_t  tier;
    } tiers[] = {
        { TG_STR("batch"), TG_TIER_BATCH }, { TG_STR("flex"), TG_TIER_FLEX },
        { TG_STR("priority"), TG_TIER_PRIORITY },
        { TG_STR("fast"), TG_TIER_FAST }
    };

    tg_tier_t  us = TG_TIER_STANDARD;

    if (tg_str_ends(s, tg_str("+us"))) {
        s.len -= 3;
        us = TG_TIER_US;
    }

    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (tg_str_eq(s, tiers[i].name)) {
            return tiers[i].tier | us;
        }
    }

    return us;
}


/* The rate of the highest threshold exceeded, and that threshold. */
static int64_t
tg_rate_of_tier(const tg_price_t *price, tg_tier_t tier, int64_t input,
    unsigned rate, int64_t *above)
{
    const tg_price_level_t  *level, *end;

    end = price->levels + price->nlevels;

    for (level = price->levels; level < end; level++) {
        if (level->tier == tier && level->fusd[rate] >= 0
            && (level->above == 0 || level->above < input))
        {
            *above = level->above;
            return level->fusd[rate];
        }
    }

    return -1;
}


/*
 * A tier that lists a price but not for above a threshold that the standard
 * tier has leaves open what it costs there: the dearer of the two is taken.
 */
static int64_t
tg_rate_listed(tg_charge_t *c, unsigned rate)
{
    int64_t  standard, own, above = 0, own_above = 0;

    standard = tg_rate_of_tier(c->price, TG_TIER_STANDARD, c->input, rate,
                               &above);

    if (c->tier == TG_TIER_STANDARD) {
        return standard;
    }

    own = tg_rate_of_tier(c->price, c->tier, c->input, rate, &own_above);

    if (own < 0) {
        c->incomplete |= c->tier == TG_TIER_FAST && standard >= 0
                         && rate < TG_RATE_TOKENS;
        return standard;
    }

    if (standard >= 0 && above > own_above) {
        c->incomplete = true;
        return own > standard ? own : standard;
    }

    return own;
}


static int64_t
tg_rate(tg_charge_t *c, unsigned rate)
{
    int64_t   fusd;
    unsigned  next;

    if (rate >= TG_RATE_TOKENS) {
        return tg_rate_listed(c, rate);
    }

    for (size_t i = 0; i < TG_RATE_CHAIN; i++) {
        next = tg_rate_chains[rate][i];

        if (next == TG_RATE_NONE) {
            break;
        }

        fusd = tg_rate_listed(c, next);

        if (fusd >= 0) {
            return c->more == 0 ? fusd : tg_price_times(fusd, TG_PPM + c->more);
        }
    }

    return -1;
}


static int64_t
tg_charge_units(tg_charge_t *c, unsigned rate, int64_t units)
{
    int64_t  fusd = tg_rate(c, rate);

    if (fusd < 0) {
        c->incomplete = true;
        return 0;
    }

    return tg_money_charge(units,
                           rate == TG_RATE_SECOND ? TG_MS_PER_SECOND : 1,
                           fusd, c->keep);
}


/* Most classes of most calls are empty. */
static inline int64_t
tg_charge(tg_charge_t *c, unsigned rate, int64_t units)
{
    return units <= 0 ? 0 : tg_charge_units(c, rate, units);
}


/* What may be taken of *left for `part`. */
static inline int64_t
tg_split_take(int64_t *left, int64_t part)
{
    part = part < 0 ? 0 : part > *left ? *left : part;
    *left -= part;

    return part;
}


static void
tg_usage_split(const tg_usage_t *u, tg_split_t *s)
{
    int64_t  left, writes, said, *n = s->units;

    s->input = u->billed_input >= 0 ? u->billed_input : u->input;
    s->output = u->billed_output >= 0 ? u->billed_output : u->output;
    s->input = s->input < 0 ? 0 : s->input;
    s->output = s->output < 0 ? 0 : s->output;

    said = tg_money_add(u->cache_write_5m < 0 ? 0 : u->cache_write_5m,
                        u->cache_write_1h < 0 ? 0 : u->cache_write_1h);

    left = s->input;
    n[TG_RATE_CACHE_READ] = tg_split_take(&left, u->cache_read);
    writes = tg_split_take(&left, u->cache_write > said ? u->cache_write
                                                        : said);
    n[TG_RATE_CACHE_WRITE_1H] = tg_split_take(&writes, u->cache_write_1h);
    n[TG_RATE_CACHE_WRITE] = writes;
    n[TG_RATE_AUDIO_INPUT] = tg_split_take(&left, u->audio_input);
    n[TG_RATE_IMAGE_INPUT] = tg_split_take(&left, u->image_input);
    n[TG_RATE_INPUT] = left;

    left = s->output;
    n[TG_RATE_IMAGE_OUTPUT] = tg_split_take(&left, u->image_output);
    n[TG_RATE_AUDIO_OUTPUT] = tg_split_take(&left, u->audio_output);
    n[TG_RATE_REASONING] = tg_split_take(&left, u->reasoning);
    n[TG_RATE_OUTPUT] = left;
}


/* For the list price: as if there were no cache. */
static void
tg_split_uncache(tg_split_t *s)
{
    int64_t  *n = s->units;

    n[TG_RATE_INPUT] += n[TG_RATE_CACHE_READ] + n[TG_RATE_CACHE_WRITE]
                        + n[TG_RATE_CACHE_WRITE_1H];
    n[TG_RATE_CACHE_READ] = 0;
    n[TG_RATE_CACHE_WRITE] = 0;
    n[TG_RATE_CACHE_WRITE_1H] = 0;
}


/* Pieces; those that tokens have paid for already are left out. */
static int64_t
tg_charge_pieces(tg_charge_t *c, const tg_usage_t *u, const tg_split_t *s)
{
    bool     tokens, output;
    int64_t  sum = 0;

    tokens = c->price->tokens && (s->input > 0 || s->output > 0);
    output = u->images > 0 && s->output > 0 && tg_rate(c, TG_RATE_OUTPUT) >= 0;

    /* most ask nothing for a fetch */

    if (u->web_fetches > 0 && tg_rate(c, TG_RATE_WEB_FETCH) >= 0) {
        sum = tg_charge(c, TG_RATE_WEB_FETCH, u->web_fetches);
    }

    sum = tg_money_add(sum, tg_charge(c, TG_RATE_WEB_SEARCH,
                                      u->web_searches));
    sum = tg_money_add(sum, tg_charge(c, TG_RATE_SEARCH_UNIT,
                                      u->search_units));
    sum = tg_money_add(sum, tg_charge(c, TG_RATE_PAGE, u->pages));

    if (!output) {
        sum = tg_money_add(sum, tg_charge(c, TG_RATE_IMAGE, u->images));
    }

    if (!tokens) {
        sum = tg_money_add(sum, tg_charge(c, TG_RATE_SECOND, u->duration_ms));
        sum = tg_money_add(sum, tg_charge(c, TG_RATE_CHARACTER,
                                          u->characters));
    }

    return sum;
}


static bool
tg_charge_has_pieces(tg_charge_t *c, const tg_usage_t *u)
{
    return (u->images > 0 && tg_rate(c, TG_RATE_IMAGE) >= 0)
           || (u->duration_ms > 0 && tg_rate(c, TG_RATE_SECOND) >= 0)
           || (u->characters > 0 && tg_rate(c, TG_RATE_CHARACTER) >= 0)
           || (u->pages > 0 && tg_rate(c, TG_RATE_PAGE) >= 0)
           || (u->search_units > 0 && tg_rate(c, TG_RATE_SEARCH_UNIT) >= 0)
           || c->price->request;
}


static void
tg_charge_usage(tg_charge_t *c, const tg_usage_t *u, const tg_split_t *s,
    bool request, tg_cost_t *cost)
{
    const int64_t  *n = s->units;

    cost->tools = tg_charge_pieces(c, u, s);

    if (request && c->price->request) {
        cost->tools = tg_money_add(cost->tools,
                                   tg_charge(c, TG_RATE_REQUEST, 1));
    }

    /* priced by the piece alone: the tokens are just told */

    if (!c->price->tokens && tg_charge_has_pieces(c, u)) {
        return;
    }

    cost->cache_read = tg_charge(c, TG_RATE_CACHE_READ, n[TG_RATE_CACHE_READ]);

    cost->cache_write = tg_money_add(
        tg_charge(c, TG_RATE_CACHE_WRITE, n[TG_RATE_CACHE_WRITE]),
        tg_charge(c, TG_RATE_CACHE_WRITE_1H, n[TG_RATE_CACHE_WRITE_1H]));

    cost->input = tg_money_add(
        tg_charge(c, TG_RATE_INPUT, n[TG_RATE_INPUT]),
        tg_money_add(
            tg_charge(c, TG_RATE_AUDIO_INPUT, n[TG_RATE_AUDIO_INPUT]),
            tg_charge(c, TG_RATE_IMAGE_INPUT, n[TG_RATE_IMAGE_INPUT])));

    cost->output = tg_money_add(
        tg_money_add(
            tg_charge(c, TG_RATE_OUTPUT, n[TG_RATE_OUTPUT]),
            tg_charge(c, TG_RATE_REASONING, n[TG_RATE_REASONING])),
        tg_money_add(
            tg_charge(c, TG_RATE_AUDIO_OUTPUT, n[TG_RATE_AUDIO_OUTPUT]),
            tg_charge(c, TG_RATE_IMAGE_OUTPUT, n[TG_RATE_IMAGE_OUTPUT])));
}


static void
tg_cost_sum(tg_cost_t *cost)
{
    cost->total = tg_money_add(
        tg_money_add(tg_money_add(cost->input, cost->cache_read),
                     tg_money_add(cost->cache_write, cost->output)),
        tg_money_add(cost->tools, cost->extra));
}


/* Everything but the extras. */
static void
tg_cost_one(const tg_price_t *price, const tg_usage_t *u, tg_tier_t tier,
    bool request, tg_cost_t *cost)
{
    tg_cost_t    list;
    tg_split_t   s;
    tg_charge_t  c;

    memset(cost, 0, sizeof(tg_cost_t));

    if (price == NULL) {
        cost->incomplete = true;
        return;
    }

    tg_usage_split(u, &s);

    c = tg_charge_by(price, tier);
    c.input = u->input > s.input ? u->input : s.input;

    tg_charge_usage(&c, u, &s, request, cost);
    tg_cost_sum(cost);
    cost->incomplete = c.incomplete;

    if (tier == TG_TIER_STANDARD && c.keep == TG_PPM
        && s.units[TG_RATE_CACHE_READ] == 0
        && s.units[TG_RATE_CACHE_WRITE] == 0
        && s.units[TG_RATE_CACHE_WRITE_1H] == 0)
    {
        cost->list = cost->total;
        return;
    }

    c.tier = TG_TIER_STANDARD;
    c.keep = TG_PPM;
    c.more = 0;

    memset(&list, 0, sizeof(tg_cost_t));
    tg_split_uncache(&s);
    tg_charge_usage(&c, u, &s, request, &list);
    tg_cost_sum(&list);
    cost->list = list.total;
}


static void
tg_cost_extra(const tg_price_book_t *book, const tg_price_t *price,
    tg_str_t provider, const tg_usage_extra_t *extra, tg_tier_t tier,
    tg_cost_t *cost)
{
    tg_cost_t   one;
    tg_usage_t  u;

    tg_usage_init(&u);

    u.source = TG_USAGE_REPORTED;
    u.input = extra->input;
    u.cache_read = extra->cache_read;
    u.cache_write = extra->cache_write;
    u.cache_write_5m = extra->cache_write_5m;
    u.cache_write_1h = extra->cache_write_1h;
    u.output = extra->output;

    if (extra->model.len != 0) {
        price = book == NULL ? NULL
                             : tg_price_find(book, provider, extra->model);
    }

    tg_cost_one(price, &u, tier, false, &one);

    cost->extra = tg_money_add(cost->extra, one.total);
    cost->list = tg_money_add(cost->list, one.list);
    cost->incomplete |= one.incomplete;
}


void
tg_price_cost(const tg_price_book_t *book, const tg_price_t *price,
    tg_str_t provider, const tg_usage_t *u, tg_tier_t tier, tg_cost_t *cost)
{
    size_t                   n = 0;
    int64_t                  list;
    const tg_usage_extra_t  *extra;

    if (u->source == TG_USAGE_NONE) {
        memset(cost, 0, sizeof(tg_cost_t));
        return;
    }

    tg_cost_one(price, u, tier, true, cost);

    for (extra = u->extra; extra != NULL; extra = extra->next) {
        if (n++ == TG_EXTRA_MAX) {
            cost->incomplete = true;
            break;
        }

        tg_cost_extra(book, price, provider, extra, tier, cost);
    }

    tg_cost_sum(cost);

    if (u->source == TG_USAGE_CACHED) {
        list = cost->list;
        memset(cost, 0, sizeof(tg_cost_t));
        cost->list = list;
    }
}


int64_t
tg_price_pieces(const tg_price_t *price, const tg_usage_t *u, tg_tier_t tier)
{
    tg_split_t   none = { .input = 0, .output = 0 };
    tg_charge_t  c = tg_charge_by(price, tier);

    return tg_charge_pieces(&c, u, &none);
}


/*
 * The dearest of the classes from `first` to before `end` at this length; their
 * number that may be rounded up is added to *rounded.
 */
static int64_t
tg_bound_rate(tg_charge_t *c, unsigned first, unsigned end, int64_t *rounded)
{
    int64_t  fusd, most = 0, n = 0;

    for (unsigned rate = first; rate < end; rate++) {
        fusd = tg_rate(c, rate);

        if (fusd < 0) {
            continue;
        }

        most = fusd > most ? fusd : most;
        n += c->keep != TG_PPM || fusd % TG_FUSD_PER_NUSD != 0;
    }

    *rounded = n;

    return most;
}


/* At the length `c->input`. */
static int64_t
tg_bound_at(tg_charge_t *c, int64_t input, int64_t output)
{
    int64_t  fusd, rounded, sum, request;

    /* k classes round up by at most half a nano-dollar each */

    fusd = tg_bound_rate(c, TG_RATE_INPUT, TG_RATE_OUTPUT, &rounded);
    rounded = rounded > input ? input : rounded;
    sum = tg_money_add(tg_money_ceil(input, fusd, c->keep),
                       (rounded + 1) / 2);

    fusd = tg_bound_rate(c, TG_RATE_OUTPUT, TG_RATE_REQUEST, &rounded);
    rounded = rounded > output ? output : rounded;
    sum = tg_money_add(sum, tg_money_ceil(output, fusd, c->keep));
    sum = tg_money_add(sum, (rounded + 1) / 2);

    request = tg_rate(c, TG_RATE_REQUEST);

    return request < 0 ? sum
                       : tg_money_add(sum, tg_money_ceil(1, request, c->keep));
}


static int64_t
tg_bound_of_tier(const tg_price_t *price, int64_t input, int64_t output,
    tg_tier_t tier)
{
    int64_t      most, bound;
    tg_charge_t  c = tg_charge_by(price, tier);

    most = tg_bound_at(&c, input, output);

    for (size_t i = 0; i < price->nlevels; i++) {
        if (price->levels[i].above == 0 || price->levels[i].above >= input) {
            continue;
        }

        c.input = price->levels[i].above + 1;
        bound = tg_bound_at(&c, input, output);
        most = bound > most ? bound : most;
    }

    return most;
}


int64_t
tg_price_bound(const tg_price_t *price, int64_t input, int64_t output,
    tg_tier_t tier)
{
    int64_t  bound, standard;

    input = input < 0 ? 0 : input;
    output = output < 0 ? 0 : output;

    bound = tg_bound_of_tier(price, input, output, tier);

    if ((tier & (TG_TIER_US - 1)) == TG_TIER_STANDARD) {
        return bound;
    }

    standard = tg_bound_of_tier(price, input, output, tier & TG_TIER_US);

    return bound > standard ? bound : standard;
}
