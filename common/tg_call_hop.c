/* What a call is like where it goes. */

#include "tg_call_int.h"
#include "tg_hop_path.h"
#include "tg_key_presented.h"


/* What identifies the client's account at a provider, and is nobody else's
 * business. */
static const tg_str_t  tg_hop_accounts[] = {
    TG_STR("openai-organization"), TG_STR("openai-project"),
    TG_STR("x-goog-user-project")
};


static int
tg_hop_args(tg_call_t *call, tg_hop_t *hop)
{
    char      *buf;
    tg_str_t   args = tg_call_args(call);

    hop->args = args;

    if (args.len == 0 || !call->routing->hidden
        || tg_api_shape(call->asked.api) != TG_SHAPE_GEMINI)
    {
        return TG_OK;
    }

    buf = tg_alloc(call->mem, args.len);
    if (buf == NULL) {
        return TG_ERROR;
    }

    hop->args = tg_str_of(buf, tg_key_strip_args(args, buf));

    return TG_OK;
}


static void
tg_hop_headers(tg_call_t *call, tg_hop_t *hop)
{
    const tg_provider_t  *pr = hop->provider;

    hop->nheaders = 0;
    hop->nhidden = 0;

    for (unsigned i = 0; i < pr->nheaders; i++) {
        hop->headers[hop->nheaders++] = pr->headers[i];
    }

    for (size_t i = 0; call->routing->hidden
                       && i < sizeof(tg_hop_accounts) / sizeof(tg_str_t); i++)
    {
        hop->hidden[hop->nhidden++] = tg_hop_accounts[i];
    }
}


int
tg_call_hop_make(tg_call_t *call)
{
    tg_hop_t             *hop = &call->routing->hop;
    const tg_aim_t       *aim = &call->routing->aims[call->routing->at];
    const tg_provider_t  *pr = aim->provider;

    call->routing->hidden = (call->pass != NULL && call->pass->key != NULL)
                            || pr->key.len != 0
                            || pr != call->routing->meant;

    hop->provider = pr;
    hop->index = (unsigned) (pr - call->conf->providers);
    hop->scheme = pr->scheme;
    hop->authority = pr->authority;
    hop->edit = call->edit;
    call->routing->moved = call->routing->composed_moved;
    call->routing->written = call->routing->composed_written;
    hop->whole = false;
    hop->path = tg_hop_path(call->mem, pr->base, call->head.method,
                            call->head.path, aim->model,
                            tg_str_starts(tg_vendor_name(call->dialect.vendor),
                                          tg_str("azure.")));

    if (hop->path.len == 0 || tg_hop_args(call, hop) != TG_OK) {
        return TG_ERROR;
    }

    tg_hop_headers(call, hop);
    call->routing->ready = true;

    return TG_OK;
}


const tg_hop_t *
tg_call_hop(const tg_call_t *call)
{
    return call->routing != NULL && call->routing->ready
           ? &call->routing->hop : NULL;
}


bool
tg_call_falls_back(const tg_call_t *call, tg_fail_t why, unsigned status)
{
    const tg_routing_t  *routing = call->routing;

    if (routing == NULL || routing->at + 1 >= routing->naims
        || call->finished)
    {
        return false;
    }

    return why != TG_FAIL_STATUS || status == 429 || status >= 500;
}


int
tg_call_failed(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_fail_t why, unsigned status, tg_str_t retry_after)
{
    (void) gate;
    (void) now;
    (void) retry_after;

    if (!tg_call_falls_back(call, why, status)) {
        return TG_ERROR;
    }

    call->attempts++;
    tg_call_aim(call, call->routing->at + 1);

    return tg_call_hop_make(call);
}


void
tg_call_answer_head(const tg_call_t *call, unsigned *status,
    tg_str_t *content_type)
{
    (void) call;
    (void) status;
    (void) content_type;
}


unsigned
tg_call_says(const tg_call_t *call, tg_header_t headers[TG_SAYS_MAX])
{
    return tg_call_clamped(call, headers) ? 1 : 0;
}


unsigned
tg_call_lines(const tg_call_t *call)
{
    (void) call;

    return 1;
}
