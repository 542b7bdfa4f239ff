/* Which way a call went. */

#include "tg_line_int.h"


/* "provider/model: 429" of what failed before. */
static char *
tg_line_fallbacks(char *p, bool under, const tg_routing_t *routing)
{
    static const tg_str_t  why[] = {
        [TG_FAIL_CONNECT] = TG_STR("connect"),
        [TG_FAIL_TIMEOUT] = TG_STR("timeout"),
        [TG_FAIL_BROKEN] = TG_STR("broken")
    };

    const tg_attempt_t  *a;

    tg_line_key(p, under, "llm.fallbacks");

    for (unsigned i = 0; i < routing->nattempts; i++) {
        a = &routing->attempts[i];
        *p++ = i == 0 ? '[' : ',';
        *p++ = '"';
        p = tg_line_plain(p, a->provider->name);
        *p++ = '/';
        p = tg_text_json(p, a->model, TG_LINE_SHORT);
        *p++ = ':';
        *p++ = ' ';

        if (a->why == TG_FAIL_STATUS) {
            p = tg_text_int(p, a->status);
        } else {
            p = tg_line_plain(p, why[a->why]);
        }

        *p++ = '"';
    }

    *p++ = ']';

    return p;
}


char *
tg_line_routing(char *p, bool under, const tg_call_t *call,
    const tg_attempt_t *attempt)
{
    tg_str_t             sent;
    const tg_routing_t  *routing = call->routing;

    if (routing->route != NULL) {
        tg_line_str(p, under, "llm.route", routing->route->name);
    }

    if (routing->full != NULL) {
        tg_line_str(p, under, "llm.route_full", routing->full->name);
    }

    sent = attempt != NULL ? attempt->model : tg_call_sent_model(call);

    if (!tg_str_eq(sent, tg_call_model(call))) {
        tg_line_str(p, under, "llm.sent_model", sent);
    }

    if (attempt == NULL && routing->nattempts != 0) {
        p = tg_line_fallbacks(p, under, routing);
    }

    if (attempt != NULL || routing->dry == NULL) {
        return p;
    }

    tg_line_str(p, under, "llm.route_dry", routing->dry->name);
    tg_line_lit(p, under, ",\"llm.route_dry_to\":\"");
    p = tg_line_plain(p, routing->dry_aim.provider->name);

    if (routing->dry_aim.model.len != 0) {
        *p++ = '/';
        p = tg_text_json(p, routing->dry_aim.model, TG_LINE_VALUE);
    }

    *p++ = '"';

    if (routing->dry_known) {
        tg_line_key(p, under, "llm.route_dry_saved");
        p = tg_text_decimal(p, routing->dry_saved, 9);
    }

    return p;
}


char *
tg_line_server(char *p, bool under, const tg_call_t *call,
    const tg_attempt_t *attempt)
{
    tg_str_t         server = tg_str_null;
    const tg_gpu_t  *gpu = attempt != NULL ? &attempt->gpu : call->gpu;

    if (gpu != NULL) {
        server = gpu->server;
    }

    tg_line_str(p, under, "server.address",
                attempt != NULL ? attempt->provider->host
                                : call->head.upstream);
    tg_line_str(p, under, "llm.server", server);

    return p;
}
