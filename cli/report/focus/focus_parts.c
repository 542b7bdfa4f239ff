/* A line's cost by what it is the price of. */

#include "focus.h"

#include "tg_money.h"


void
focus_want(record_want_t *want)
{
    static const unsigned char  texts[] = { REC_COST_SOURCE, REC_SOURCE };
    static const unsigned char  numbers[] = {
        REC_INPUT, REC_OUTPUT, REC_CACHE_READ, REC_CACHE_WRITE, REC_COST,
        REC_COST_INPUT, REC_COST_OUTPUT, REC_COST_CACHE_READ,
        REC_COST_CACHE_WRITE, REC_COST_TOOLS, REC_COST_EXTRA, REC_COST_LIST,
        REC_GPU_NS
    };

    for (size_t i = 0; i < sizeof(texts); i++) {
        want->text |= UINT64_C(1) << texts[i];
    }

    for (size_t i = 0; i < sizeof(numbers); i++) {
        want->number |= UINT64_C(1) << numbers[i];
    }
}


/* An unknown number is none, and none is below 0. */
static int64_t
number(const record_t *r, record_number_t n)
{
    return !record_has(r, n) || r->number[n] < 0 ? 0 : r->number[n];
}


/* One price for all of it: own GPUs, a provider's word, what was held. */
static void
parts_of_whole(const record_t *r, focus_part_t *parts, int64_t cost)
{
    int64_t        tokens = tg_money_add(number(r, REC_INPUT),
                                         number(r, REC_OUTPUT));
    int64_t        ns = number(r, REC_GPU_NS);
    focus_part_t  *p;

    if (ns > 0
        && tg_str_eq(r->text[REC_COST_SOURCE], tg_str("gpu")))
    {
        p = &parts[FOCUS_GPU];
        p->quantity = ns;

    } else {
        p = &parts[tokens > 0 ? FOCUS_TOKENS : FOCUS_REQUESTS];
        p->quantity = tokens > 0 ? tokens : 1;
    }

    p->cost = cost;
}


/* What it would be without a cache, before discounts; only their ratio says
 * something. */
static void
list_weights(const focus_part_t *parts, int64_t *weights)
{
    __int128             w;
    const focus_part_t  *in = &parts[FOCUS_INPUT];

    for (unsigned i = 0; i < FOCUS_CLASSES; i++) {
        weights[i] = parts[i].cost;

        if ((i == FOCUS_CACHE_READ || i == FOCUS_CACHE_WRITE)
            && in->cost > 0)
        {
            w = (__int128) in->cost * parts[i].quantity / in->quantity;
            weights[i] = w > INT64_MAX ? INT64_MAX : (int64_t) w;
        }
    }
}


/* Divides the list price; the last of them takes what rounding leaves. */
static void
list_divide(focus_part_t *parts, int64_t list)
{
    bool      by_tokens;
    int64_t   weights[FOCUS_CLASSES], given, left = list;
    unsigned  last = FOCUS_CLASSES;
    __int128  sum = 0;

    list_weights(parts, weights);

    for (unsigned i = 0; i < FOCUS_CLASSES; i++) {
        sum += weights[i];
    }

    by_tokens = sum == 0;

    for (unsigned i = 0; i < FOCUS_CLASSES; i++) {
        weights[i] = by_tokens ? parts[i].quantity : weights[i];
        sum += by_tokens ? weights[i] : 0;
        last = weights[i] != 0 ? i : last;
    }

    for (unsigned i = 0; i < last && last != FOCUS_CLASSES; i++) {
        given = (int64_t) ((__int128) list * weights[i] / sum);
        parts[i].list = given;
        left = tg_money_less(left, given);
    }

    if (last != FOCUS_CLASSES) {
        parts[last].list = left;
    }
}


static void
part(focus_part_t *p, int64_t quantity, int64_t cost)
{
    p->quantity = quantity;
    p->cost = cost;
}


/* A cost without a quantity is nothing that a unit has a price of. */
static void
parts_settle(focus_part_t *parts, int64_t cost)
{
    int64_t        left = cost;
    focus_part_t  *rest = &parts[FOCUS_REQUESTS];

    for (unsigned i = 0; i < FOCUS_CLASSES; i++) {
        if (parts[i].quantity <= 0) {
            memset(&parts[i], 0, sizeof(parts[i]));
        }
        left = tg_money_less(left, parts[i].cost);
    }

    if (left != 0) {
        part(rest, 1, left);
    }
}


void
focus_parts(const record_t *r, focus_part_t parts[FOCUS_CLASSES])
{
    int64_t  cost = number(r, REC_COST), cached = number(r, REC_CACHE_READ);
    int64_t  written = number(r, REC_CACHE_WRITE);
    int64_t  input = tg_money_less(number(r, REC_INPUT),
                                   tg_money_add(cached, written));

    memset(parts, 0, FOCUS_CLASSES * sizeof(focus_part_t));

    part(&parts[FOCUS_INPUT], input, number(r, REC_COST_INPUT));
    part(&parts[FOCUS_CACHE_READ], cached, number(r, REC_COST_CACHE_READ));
    part(&parts[FOCUS_CACHE_WRITE], written, number(r, REC_COST_CACHE_WRITE));
    part(&parts[FOCUS_OUTPUT], number(r, REC_OUTPUT),
         number(r, REC_COST_OUTPUT));

    if (number(r, REC_COST_TOOLS) > 0) {
        part(&parts[FOCUS_TOOLS], 1, number(r, REC_COST_TOOLS));
    }

    if (number(r, REC_COST_EXTRA) > 0) {
        part(&parts[FOCUS_EXTRA], 1, number(r, REC_COST_EXTRA));
    }

    if (cost > 0 && parts[FOCUS_INPUT].cost == 0
        && parts[FOCUS_CACHE_READ].cost == 0
        && parts[FOCUS_CACHE_WRITE].cost == 0 && parts[FOCUS_OUTPUT].cost == 0
        && parts[FOCUS_TOOLS].cost == 0 && parts[FOCUS_EXTRA].cost == 0)
    {
        memset(parts, 0, FOCUS_CLASSES * sizeof(focus_part_t));
        parts_of_whole(r, parts, cost);
    }

    parts_settle(parts, cost);
    list_divide(parts, record_has(r, REC_COST_LIST) ? number(r, REC_COST_LIST)
                                                    : cost);
}
