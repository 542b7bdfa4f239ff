/* How much text a call had, by what was held for it. */

#include "replay_int.h"
#include "reprice.h"

#include "tg_bound.h"

#define BYTES_MAX  (256 * 1024 * 1024)


/* What a call of so many bytes would have held then, at that price. */
static int64_t
bound_of(const tg_bound_ask_t *from, uint64_t bytes)
{
    tg_bound_t      b;
    tg_bound_ask_t  ask = *from;

    ask.bytes = bytes;
    tg_bound(&ask, &b);

    return b.cost;
}


/*
 * How many bytes of text hold what the line says was held: more than it had where
 * there was more than text, less where a part of it was a picture.  As it had where
 * no number gives just that.
 */
static uint64_t
bytes_held(const tg_bound_ask_t *ask, uint64_t bytes, int64_t hold)
{
    uint64_t  low = 0, high = BYTES_MAX, mid;

    if (bound_of(ask, bytes) == hold) {
        return bytes;
    }

    while (low < high) {
        mid = low + (high - low) / 2;

        if (bound_of(ask, mid) < hold) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }

    return bound_of(ask, low) == hold ? low : bytes;
}


/* The price that it was bounded by, where that is still the same. */
static const tg_price_t *
held_by(const replay_live_t *live)
{
    reprice_t        cost;
    const record_t  *r = &live->r;
    tg_str_t         model = reprice_sent_model(r);

    if (live->p->conf.book == NULL || !record_has(r, REC_HOLD)
        || record_is(r, REC_CALIBRATED) || r->text[REC_ROUTE].len != 0
        || reprice_by(r) != REPRICE_LIST || live->attempts.lines != 0)
    {
        return NULL;
    }

    reprice(live->p->conf.book, tg_str_null, r, &cost);

    return cost.total != r->number[REC_COST] || cost.total == 0 ? NULL
           : tg_price_find(live->p->conf.book, r->text[REC_VENDOR], model);
}


uint64_t
replay_bytes(const replay_live_t *live, int64_t messages, bool *tools)
{
    uint64_t         bytes;
    tg_bound_ask_t   ask;
    const record_t  *r = &live->r;
    int64_t          hold = r->number[REC_HOLD];

    bytes = r->number[REC_REQUEST_BYTES] < 0 ? 0
            : (uint64_t) r->number[REC_REQUEST_BYTES];
    bytes = bytes > BYTES_MAX ? BYTES_MAX : bytes;
    *tools = r->number[REC_TOOL_CALLS] > 0;

    memset(&ask, 0, sizeof(ask));
    ask.price = held_by(live);

    if (ask.price == NULL) {
        return bytes;
    }

    ask.op = tg_str_eq(r->text[REC_OPERATION], tg_str("embeddings"))
             ? TG_OP_EMBEDDINGS : TG_OP_CHAT;
    ask.bytes = bytes;
    ask.messages = (uint32_t) messages;
    ask.inspected = true;
    ask.max_tokens = r->number[REC_SENT_MAX_TOKENS] > 0
                     ? r->number[REC_SENT_MAX_TOKENS]
                     : record_has(r, REC_MAX_TOKENS)
                     ? r->number[REC_MAX_TOKENS] : -1;
    ask.thinking = -1;
    ask.answers = 1;
    ask.default_output = live->p->conf.conf->ledger.default_output;

    /* What the provider may add of its own is known to who holds it now. */

    if (bound_of(&ask, bytes) == hold
        || (ask.own_prompt = true, bound_of(&ask, bytes) == hold))
    {
        return bytes;
    }

    ask.own_prompt = false;
    ask.tools = true;

    if (bound_of(&ask, bytes) == hold) {
        *tools = true;
        return bytes;
    }

    ask.tools = *tools;

    return bytes_held(&ask, bytes, hold);
}
