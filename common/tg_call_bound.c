/* The most that a call can take, wherever it may go. */

#include "tg_call_int.h"


tg_str_t
tg_aim_model(const tg_call_t *call, const tg_aim_t *aim)
{
    return aim->model.len != 0 ? aim->model : tg_call_model(call);
}


const tg_vendor_t *
tg_aim_vendor(const tg_call_t *call, const tg_aim_t *aim)
{
    tg_dialect_t  d = call->asked;

    tg_dialect_upstream(&d, aim->provider->host, aim->provider->vendor);

    return d.vendor;
}


const tg_price_t *
tg_call_aim_price(const tg_call_t *call, const tg_aim_t *aim,
    const tg_price_book_t *book)
{
    const tg_vendor_t  *vendor = aim->provider->price;

    if (book == NULL) {
        return NULL;
    }

    return tg_price_find(book,
                         tg_vendor_name(vendor != NULL
                                        ? vendor : tg_aim_vendor(call, aim)),
                         tg_aim_model(call, aim));
}


void
tg_call_aim_ask(const tg_hold_t *h, const tg_aim_t *aim, tg_bound_ask_t *ask)
{
    *ask = h->ask;
    ask->price = tg_call_aim_price(h->call, aim, h->gate->book);
    ask->own_prompt = tg_vendor_own_prompt(tg_aim_vendor(h->call, aim));

    tg_bound_ask_model(ask, tg_aim_model(h->call, aim));
}


bool
tg_call_aim_likely(const tg_hold_t *h, const tg_aim_t *aim,
    const tg_bound_ask_t *ask, const tg_bound_t *bound, tg_bound_t *likely)
{
    int64_t              input, each;
    tg_calibrate_name_t  name;

    name = tg_call_name(h->call, tg_aim_vendor(h->call, aim),
                        tg_aim_model(h->call, aim));
    input = tg_calibrate_input(h->gate->calibrate, name, ask->bytes);
    each = tg_calibrate_output(h->gate->calibrate, name);

    tg_bound_likely(ask, bound, input, each, likely);

    return input >= 0 && each >= 0;
}


/*
 * The bound of a call that several models may answer: of the dearest.  What a
 * path has for a model may be a deployment, which has no price.
 */
static void
tg_hold_dearest(tg_hold_t *h)
{
    tg_str_t        model, vendor;
    const tg_str_t  path = h->call->asked.model;
    tg_bound_t      bound;
    tg_bound_ask_t  ask = h->ask;

    if (h->gate->book == NULL) {
        return;
    }

    vendor = tg_call_price_vendor(h->call);

    for (unsigned i = 1; tg_call_models(h->call, i, &model); i++) {
        ask.price = tg_price_find(h->gate->book, vendor, model);

        if (ask.price == NULL && tg_str_eq(model, path)) {
            continue;
        }

        tg_bound(&ask, &bound);

        if (h->bound.cost >= 0
            && (bound.cost < 0 || bound.cost > h->bound.cost))
        {
            h->ask.price = ask.price;
            h->bound = bound;
        }
    }
}


/* Of one attempt, at the place that is the call's now. */
static void
tg_hold_one(tg_hold_t *h)
{
    tg_bound(&h->ask, &h->bound);
    tg_hold_dearest(h);
    h->once = h->bound.input;
}


static int64_t
tg_hold_sum(int64_t a, int64_t b)
{
    return a < 0 || b < 0 ? TG_BOUND_UNKNOWN : tg_money_add(a, b);
}


/*
 * Where there is more than one target: the dearest one's answer, and the prompt
 * of each, for an attempt that is given up may be billed for its prompt.
 */
static void
tg_hold_all(tg_hold_t *h)
{
    int64_t          prompt, inputs = 0, prompts = 0, beyond = -1;
    tg_bound_t       b, most = { 0 };
    tg_bound_ask_t   ask, dearest = h->ask;
    const tg_aim_t  *aims = h->call->routing->aims;

    for (unsigned i = 0; i < h->call->routing->naims; i++) {
        tg_call_aim_ask(h, &aims[i], &ask);
        tg_bound(&ask, &b);

        inputs = tg_hold_sum(inputs, b.input);
        prompt = b.cost < 0 || ask.price == NULL ? TG_BOUND_UNKNOWN
                 : tg_price_bound(ask.price, b.input, 0, ask.tier);
        prompts = tg_hold_sum(prompts, prompt);

        if (prompt >= 0 && b.cost - prompt > beyond) {
            beyond = b.cost - prompt;
            dearest = ask;
            most.each = b.each;
            most.answers = b.answers;
        }

        most.output = b.output > most.output ? b.output : most.output;

        if (i == h->call->routing->at) {
            h->once = b.input;
        }
    }

    dearest.max_tokens = h->ask.max_tokens;
    h->ask.price = dearest.price;
    most.input = inputs;
    most.cost = prompts < 0 ? TG_BOUND_UNKNOWN
                : tg_hold_sum(prompts, beyond > 0 ? beyond : 0);

    if (most.answers == 0) {
        most.each = b.each;
        most.answers = b.answers;
    }

    h->bound = most;
}


void
tg_hold_bound(tg_hold_t *h)
{
    tg_bound_t            one;
    const tg_routing_t   *routing = h->call->routing;

    tg_hold_one(h);

    if (routing == NULL || routing->naims < 2) {
        return;
    }

    one = h->bound;
    tg_hold_all(h);

    /* The others of its body count, too. */

    if (h->bound.cost >= 0) {
        h->bound.cost = one.cost < 0 || one.cost > h->bound.cost
                        ? one.cost : h->bound.cost;
    }
}
