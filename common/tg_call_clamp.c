/* Calls that ask for more output than there is left: clamp= of quotas. */

#include "tg_call_int.h"

#include "tg_money.h"

/* What a call has to be lowered to. */
typedef struct {
    int64_t  cost;              /* nano-dollars; INT64_MAX: no limit */
    int64_t  output;            /* tokens of all answers; the same */
    int64_t  least;             /* tokens of one answer */
} tg_clamp_t;


/*
 * Half of what is left of one limit, so that the next call finds something,
 * too.  False where less output is of no help there, or not allowed.
 */
static bool
tg_clamp_limit(const tg_hold_t *h, tg_clamp_t *c, const tg_quota_t *q,
    tg_measure_t measure, int64_t left)
{
    int64_t  half = left / 2, output = INT64_MAX;

    switch (measure) {

    case TG_MEASURE_USD:
        c->cost = half < c->cost ? half : c->cost;
        break;

    case TG_MEASURE_OUTPUT_TOKENS:
        output = half;
        break;

    case TG_MEASURE_TOKENS:
        output = half - h->bound.input;
        break;

    default:
        return false;
    }

    c->output = output < c->output ? output : c->output;
    c->least = q->clamp > c->least ? q->clamp : c->least;

    return q->clamp != 0 && half > 0 && c->output > 0;
}


static bool
tg_clamp_limits(const tg_hold_t *h, tg_clamp_t *c,
    const tg_quota_items_t *items, const tg_ledger_result_t *r)
{
    bool                      any = false;
    int64_t                   left;
    const tg_ledger_state_t  *st;

    for (unsigned i = 0; i < items->n; i++) {
        st = &r->states[i];
        left = st->limit - st->used - st->held;

        if ((items->items[i].flags & TG_LEDGER_DRY_RUN)
            || (!st->latched && items->items[i].amount <= left))
        {
            continue;
        }

        if (st->latched
            || !tg_clamp_limit(h, c, items->quota[i],
                               items->limit[i]->measure, left))
        {
            return false;
        }

        any = true;
    }

    return any;
}


static bool
tg_clamp_compose(tg_call_t *call, int64_t fit)
{
    call->pass->sent_max = fit;

    if (tg_call_recompose(call) == TG_OK) {
        return true;
    }

    call->pass->sent_max = 0;

    return false;
}


bool
tg_hold_clamp(tg_hold_t *h, tg_quota_items_t *items,
    const tg_ledger_result_t *r)
{
    int64_t                   fit, room;
    tg_call_t                *call = h->call;
    tg_error_t                err;
    tg_clamp_t                c = { INT64_MAX, INT64_MAX, 1 };
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (call->pass->sent_max != 0 || r->nstates != items->n
        || !tg_request_inspected(call->request))
    {
        return false;
    }

    /* Thinking comes out of the maximum, which has to be larger. */

    if (info->thinking_budget > 0) {
        c.least = tg_money_add(info->thinking_budget, 1);
    }

    if (!tg_clamp_limits(h, &c, items, r)) {
        return false;
    }

    fit = tg_bound_fit(&h->ask, &h->bound, c.cost, c.output);
    room = tg_call_max_room(call);
    fit = fit < room ? fit : room;

    if (fit < c.least || (info->max_tokens > 0 && fit >= info->max_tokens)
        || !tg_clamp_compose(call, fit))
    {
        return false;
    }

    h->ask.max_tokens = fit;
    tg_hold_bound(h);

    return tg_hold_items(h, items, &err) == TG_OK;
}


/* It is asked again, and there may be room for all of it now. */
void
tg_hold_unclamp(tg_call_t *call)
{
    if (call->pass->sent_max != 0) {
        call->pass->sent_max = 0;
        (void) tg_call_recompose(call);
    }
}


int64_t
tg_call_lowered(const tg_call_t *call)
{
    int64_t           max = call->cap_output;
    const tg_pass_t  *pass = call->pass;

    if (pass == NULL || call->refused) {
        return 0;
    }

    if (pass->held && pass->sent_max != 0
        && (max == 0 || pass->sent_max < max))
    {
        max = pass->sent_max;
    }

    return max;
}


bool
tg_call_clamped(const tg_call_t *call, tg_header_t *header)
{
    int64_t     max = tg_call_lowered(call);
    tg_pass_t  *pass = call->pass;

    if (max == 0) {
        return false;
    }

    header->name = tg_str("x-llm-clamped");
    header->value = tg_str_of(pass->sent_max_text,
                              (size_t) (tg_text_int(pass->sent_max_text, max)
                                        - pass->sent_max_text));
    return true;
}
