/* What of the body goes upstream in another form, and what of the answer comes
 * back otherwise for it. */

#include "tg_call_edit.h"


/* The chunk that was asked for is taken out of the stream again. */
static int
tg_call_strip_out(void *data, const char *p, size_t n, bool held)
{
    tg_call_t  *call = data;

    (void) held;

    return call->out(call->out_data, p, n);
}


int
tg_call_strip(tg_call_t *call)
{
    if (call->strip == NULL) {
        call->strip = tg_alloc(call->mem, sizeof(tg_strip_t));
        if (call->strip == NULL) {
            return TG_ERROR;
        }

        tg_strip_init(call->strip, call->mem, tg_call_strip_out, call);
    }

    return TG_OK;
}


int64_t
tg_call_sent_max(const tg_call_t *call)
{
    int64_t                   max = call->cap_output;
    const tg_pass_t          *pass = call->pass;
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (pass != NULL && pass->sent_max != 0
        && (max == 0 || pass->sent_max < max))
    {
        max = pass->sent_max;
    }

    /* A model that has less to give refuses to be asked for more. */

    if (call->routing != NULL && call->routing->naims != 0
        && call->routing->aims[call->routing->at].most > 0
        && info->max_tokens > call->routing->aims[call->routing->at].most
        && (max == 0 || call->routing->aims[call->routing->at].most < max))
    {
        max = call->routing->aims[call->routing->at].most;
    }

    return max;
}


int
tg_call_recompose(tg_call_t *call)
{
    bool     ask = tg_call_should_ask_usage(call);
    int64_t  max = tg_call_sent_max(call);

    if (!ask) {
        call->strip = NULL;
    }

    return tg_call_compose(call, ask, max) == TG_OK
           || (ask && (call->strip = NULL,
                       tg_call_compose(call, false, max)) == TG_OK)
           ? TG_OK : TG_ERROR;
}


bool
tg_call_should_ask_usage(const tg_call_t *call)
{
    const tg_request_info_t  *info = tg_request_info(call->request);

    return info->stream && !info->include_usage
           && call->scope->enable == TG_ON
           && (call->provider == NULL || call->provider->inject)
           && tg_request_inspected(call->request)
           && tg_dialect_wants_usage_option(&call->dialect);
}


const tg_edit_t *
tg_call_edit(const tg_call_t *call)
{
    return call->edit;
}
