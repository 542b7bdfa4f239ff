/* What guards make of a call: docs/guards.md. */

#include "tg_call_guard.h"
#include "tg_http.h"


/* The strongest of what guards did is what the line says, be it that it was not
 * done; what was done comes before what was not. */
void
tg_guard_note(tg_guarding_t *w, const tg_guard_t *g, tg_guard_did_t did)
{
    bool           dry = w->dry || g->dry_run;
    tg_guarded_t  *to = w->to;

    if (to->did == TG_GUARD_DID_NOTHING || (to->dry && !dry)
        || (to->dry == dry && did > to->did))
    {
        to->name = g->name;
        to->did = did;
        to->dry = dry;
    }
}


int
tg_guard_refuse(tg_guarding_t *w, const tg_guard_t *g, unsigned status,
    const char *why, ...)
{
    char        buf[TG_GUARD_TEXT_MAX];
    int         n;
    va_list     args;
    tg_call_t  *call = w->call;

    n = snprintf(buf, sizeof(buf), "guard %.*s: ", (int) g->name.len,
                 g->name.p);

    va_start(args, why);
    n += vsnprintf(buf + n, sizeof(buf) - (size_t) n, why, args);
    va_end(args);

    tg_guard_note(w, g, TG_GUARD_DID_REJECT);

    if (w->dry || g->dry_run) {
        call->rule = g->name;
        call->reason = tg_dup(call->mem, tg_strz(buf));
        call->would_refuse = true;
        return TG_OK;
    }

    return tg_call_refuse(call, w->refusal, status, g->name, tg_strz(buf));
}


static int
tg_guard_place(tg_guarding_t *w, const tg_guard_t *g)
{
    const char  *country = w->call->geo.country;

    for (unsigned i = 0; i < g->ncountries; i++) {
        if (memcmp(g->countries[i], country, 2) == 0) {
            return TG_OK;
        }
    }

    if (g->action == TG_GUARD_FLAG) {
        tg_guard_note(w, g, TG_GUARD_DID_FLAG);
        return TG_OK;
    }

    return country[0] == '\0'
           ? tg_guard_refuse(w, g, 403, "it is not known which country this"
                             " call comes from")
           : tg_guard_refuse(w, g, 403, "calls from %.2s are not allowed",
                             country);
}


static int
tg_guard_input(tg_guarding_t *w, const tg_guard_t *g)
{
    int64_t  tokens = w->tokens - w->trim.tokens;

    if (tokens <= g->input_tokens) {
        return TG_OK;
    }

    if (g->action == TG_GUARD_FLAG) {
        tg_guard_note(w, g, TG_GUARD_DID_FLAG);
        return TG_OK;
    }

    return tg_guard_refuse(w, g, 400, "this call has about %lld tokens of"
                           " input, and %lld is the most",
                           (long long) tokens, (long long) g->input_tokens);
}


static int
tg_guard_output(tg_guarding_t *w, const tg_guard_t *g)
{
    int64_t                   room, cap = g->output_tokens;
    tg_call_t                *call = w->call;
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (!tg_op_writes(tg_api_op(call->dialect.api))
        || (info->max_tokens > 0 && info->max_tokens <= cap))
    {
        return TG_OK;
    }

    if (g->action == TG_GUARD_FLAG) {
        if (info->max_tokens > 0) {
            tg_guard_note(w, g, TG_GUARD_DID_FLAG);
        }
        return TG_OK;
    }

    if (g->action == TG_GUARD_REJECT && info->max_tokens > 0) {
        return tg_guard_refuse(w, g, 400, "this call asks for %lld tokens of"
                               " output, and %lld is the most",
                               (long long) info->max_tokens, (long long) cap);
    }

    if (info->thinking_budget >= cap) {
        return tg_guard_refuse(w, g, 400, "this call asks for %lld tokens of"
                               " thinking, and %lld of output are the most",
                               (long long) info->thinking_budget,
                               (long long) cap);
    }

    room = tg_call_max_room(call);

    if (room <= 0) {
        return tg_guard_refuse(w, g, 400, "this call's maximum of output"
                               " tokens can't be set, and %lld is the most",
                               (long long) cap);
    }

    cap = cap < room ? cap : room;
    tg_guard_note(w, g, TG_GUARD_DID_CAP);

    if (!w->dry && !g->dry_run
        && (call->cap_output == 0 || cap < call->cap_output))
    {
        call->cap_output = cap;
    }

    return TG_OK;
}


/* All but trimming, which comes before. */
static int
tg_guard_one(tg_guarding_t *w, const tg_guard_t *g)
{
    if (g->ncountries != 0 && tg_guard_place(w, g) != TG_OK) {
        return TG_ERROR;
    }

    if (g->input_tokens != 0 && tg_guard_input(w, g) != TG_OK) {
        return TG_ERROR;
    }

    if (tg_guard_reads(g) && tg_guard_text(w, g) != TG_OK) {
        return TG_ERROR;
    }

    if (g->output_tokens != 0 && tg_guard_output(w, g) != TG_OK) {
        return TG_ERROR;
    }

    if (tg_guard_reads(g) || g->ncountries || g->input_tokens
        || g->output_tokens || g->trim)
    {
        return TG_OK;
    }

    if (g->action == TG_GUARD_FLAG) {
        tg_guard_note(w, g, TG_GUARD_DID_FLAG);
        return TG_OK;
    }

    return tg_guard_refuse(w, g, 403, "calls like this one are not allowed");
}


static bool
tg_guard_get(void *data, unsigned symbol, const tg_expr_value_t *args,
    tg_expr_value_t *value)
{
    tg_hold_t  *h = data;

    return tg_when_get(&h->when, symbol, args, value);
}


/* Which guards are for this call: bit i for the i-th. */
static uint64_t
tg_guard_which(tg_guarding_t *w)
{
    bool                ready = false;
    uint64_t            which = 0;
    tg_hold_t           h;
    const tg_guards_t  *guards = &w->call->conf->guards;

    for (unsigned i = 0; i < guards->n; i++) {
        const tg_guard_t  *g = guards->list[i];

        if (g->when != NULL && !ready) {
            tg_hold_prepare(&h, w->call, w->gate, w->now);
            ready = true;
        }

        if (g->when == NULL
            || tg_expr_eval(g->when, w->gate->scratch->expr, tg_guard_get, &h))
        {
            which |= UINT64_C(1) << i;
        }
    }

    return which;
}


/* The strictest of those that trim. */
static int
tg_guard_trims(tg_guarding_t *w, uint64_t which)
{
    tg_trim_t           trim;
    const tg_guard_t   *best[2] = { NULL, NULL };
    const tg_guards_t  *guards = &w->call->conf->guards;

    for (unsigned i = 0; i < guards->n; i++) {
        const tg_guard_t  *g = guards->list[i];
        bool               dry = w->dry || g->dry_run
                                 || g->action == TG_GUARD_FLAG;

        if ((which >> i & 1) && g->trim != 0 && g->trim < w->tokens
            && (best[dry] == NULL || g->trim < best[dry]->trim))
        {
            best[dry] = g;
        }
    }

    for (int dry = 1; dry >= 0; dry--) {
        const tg_guard_t  *g = best[dry];

        if (g == NULL) {
            continue;
        }

        /* Of a body that can't be read nothing is left out. */

        if (tg_guard_body(w->call, w->to) != TG_OK || w->to->body.len == 0
            || !tg_guard_valid(w->to->body))
        {
            w->to->unfinished = true;
            continue;
        }

        if (tg_trim_plan(&trim, w->call->mem, w->to->body, w->tokens, g->trim)
            != TG_OK)
        {
            return tg_guard_refuse(w, g, 503, "no memory");
        }

        if (trim.dropped != 0) {
            tg_guard_note(w, g, g->action == TG_GUARD_FLAG
                                ? TG_GUARD_DID_FLAG : TG_GUARD_DID_TRIM);
            w->to->trimmed = trim.dropped;

            if (dry == 0) {
                w->trim = trim;
            }
        }
    }

    return TG_OK;
}


int
tg_call_guard(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_refusal_t *refusal)
{
    int                       rc = TG_OK;
    uint64_t                  which;
    tg_guarding_t             w;
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (call->conf->guards.n == 0) {
        return TG_OK;
    }

    memset(&w, 0, sizeof(w));
    w.call = call;
    w.gate = gate;
    w.now = now->wall_ms;
    w.refusal = refusal;
    w.dry = call->scope->enable == TG_DRY_RUN;
    w.tokens = tg_trim_estimate(info->bytes, info->media_bytes,
                                info->pictures);
    w.to = tg_call_guarded(call);

    if (w.to == NULL) {
        return tg_call_refuse(call, refusal, 503, tg_str("no_memory"),
                              tg_str("no memory for this call"));
    }

    which = tg_guard_which(&w);
    rc = tg_guard_trims(&w, which);

    for (unsigned i = 0; rc == TG_OK && i < call->conf->guards.n; i++) {
        if (which >> i & 1) {
            rc = tg_guard_one(&w, call->conf->guards.list[i]);
        }
    }

    if (rc == TG_OK && (w.nfound != 0 || w.trim.nranges != 0)) {
        rc = tg_guard_cut(&w);
    }

    if (w.search != NULL) {
        tg_search_destroy(w.search);
    }

    return rc;
}
