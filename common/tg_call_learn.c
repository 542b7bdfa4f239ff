/* What calls teach, and what was learned of calls like them. */

#include "tg_call_int.h"


tg_calibrate_name_t
tg_call_name(const tg_call_t *call, const tg_vendor_t *vendor, tg_str_t model)
{
    const tg_pass_t  *pass = call->pass;

    return tg_calibrate_name(tg_vendor_name(vendor),
                             tg_api_name(call->asked.api), model,
                             pass != NULL && pass->key != NULL ? pass->key->id
                                                               : tg_str_null);
}


/* Of the place that is the call's now. */
static tg_calibrate_name_t
tg_call_own_name(const tg_call_t *call)
{
    return tg_call_name(call, call->dialect.vendor, tg_call_sent_model(call));
}


static bool
tg_call_learns(const tg_call_t *call)
{
    return tg_call_model(call).len != 0
           && (tg_op_writes(tg_api_op(call->asked.api))
               || tg_api_op(call->asked.api) == TG_OP_EMBEDDINGS);
}


void
tg_hold_likely(tg_hold_t *h)
{
    int64_t              input = -1, each = -1;
    tg_calibrate_t      *cal = h->gate->calibrate;
    tg_calibrate_name_t  name = tg_call_own_name(h->call);

    /* Server-side tools read what they find, as often as they like. */

    if (tg_call_learns(h->call) && h->ask.uses == 0) {

        if (tg_bound_text(&h->ask)) {
            input = tg_calibrate_input(cal, name, h->ask.bytes);
        }

        if (tg_op_writes(tg_api_op(h->call->asked.api))) {
            each = tg_calibrate_output(cal, name);
        }
    }

    tg_bound_likely(&h->ask, &h->bound, input, each, &h->likely);
}


/* The provider did not say what it took: better than four bytes a token. */
void
tg_call_estimate(tg_call_t *call, const tg_gate_t *gate)
{
    tg_calibrate_name_t  name;

    if (gate->calibrate == NULL
        || tg_answer_info(call->answer)->usage.source != TG_USAGE_ESTIMATED)
    {
        return;
    }

    name = tg_call_own_name(call);
    tg_answer_calibrate(call->answer,
                        tg_calibrate_prompt(gate->calibrate, name),
                        tg_calibrate_answer(gate->calibrate, name));
}


/* For every call: what tg_hold_likely() does not ask for may be learned. */
void
tg_call_learn(tg_call_t *call, const tg_gate_t *gate)
{
    tg_calibrate_call_t       taught;
    const tg_answer_info_t   *a = tg_call_answer_info(call);
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (gate->calibrate == NULL || call->cached || a->error
        || a->usage.source != TG_USAGE_REPORTED || a->cut || info->uses != 0
        || !tg_call_learns(call))
    {
        return;
    }

    memset(&taught, 0, sizeof(taught));
    taught.input = a->usage.input;

    if (tg_request_inspected(call->request) && !info->elsewhere
        && info->pictures == 0 && info->sound_bytes == 0)
    {
        taught.bytes = info->bytes;
        taught.prompt = info->text_bytes;
    }

    if (tg_op_writes(tg_api_op(call->asked.api))) {
        taught.answers = info->n > 0 ? info->n : 1;
        taught.output = a->usage.output;
        taught.answer = a->text_bytes;
    }

    tg_calibrate_learn(gate->calibrate, tg_call_own_name(call), &taught);
}
