/* What guards make of a call: docs/guards.md. */

#include "tg_call_guard.h"
#include "tg_http.h"


/* What is known of the prompt; NULL on exhaustion. */
static tg_guarded_t *
tg_call_guarded(tg_call_t *call)
{
    if (call->guarded == NULL) {
        call->guarded = tg_zalloc(call->mem, sizeof(tg_guarded_t));
    }

    return call->guarded;
}


/* The whole body, once; TG_ERROR and to->err where it can't be looked into. */
static int
tg_guard_body(tg_call_t *call, tg_guarded_t *to)
{
    if (to->have || to->failed) {
        return to->failed ? TG_ERROR : TG_OK;
    }

    to->failed = true;

    if (!tg_request_inspected(call->request)) {
        return tg_error(&to->err, TG_PROMPT_ERROR_JSON, 0, "its body is"
                        " compressed, or of another type than JSON");
    }

    if (tg_request_info(call->request)->bytes != 0
        && (call->host->body == NULL
            || call->host->body(call->req, &to->body) != TG_OK))
    {
        return tg_error(&to->err, TG_PROMPT_ERROR_MEMORY, 0,
                        "its body is not to be had");
    }

    to->have = true;
    to->failed = false;

    return TG_OK;
}


static int
tg_guard_read(tg_call_t *call, tg_guarded_t *to)
{
    if (tg_guard_body(call, to) != TG_OK) {
        return TG_ERROR;
    }

    if (!to->read && to->body.len != 0) {
        to->failed = tg_prompt_read(&to->prompt, call->mem, to->body, NULL, 0,
                                    &to->err) != TG_OK;
    }

    to->read = !to->failed;

    return to->failed ? TG_ERROR : TG_OK;
}


bool
tg_call_prompt(tg_call_t *call, tg_str_t *text)
{
    tg_guarded_t  *to = tg_call_guarded(call);

    if (to == NULL || tg_guard_read(call, to) != TG_OK) {
        return false;
    }

    *text = to->prompt.text;

    return text->len != 0;
}


/* As it will be sent; TG_ERROR and w->to->err. */
static int
tg_guard_prompt(tg_guarding_t *w)
{
    if (w->prompt != NULL) {
        return TG_OK;
    }

    if (w->trim.nranges == 0) {
        if (tg_guard_read(w->call, w->to) != TG_OK) {
            return TG_ERROR;
        }

        w->prompt = &w->to->prompt;
        return TG_OK;
    }

    if (tg_prompt_read(&w->shorter, w->call->mem, w->to->body, w->trim.ranges,
                       w->trim.nranges, &w->to->err)
        != TG_OK)
    {
        return TG_ERROR;
    }

    w->prompt = &w->shorter;

    return TG_OK;
}


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


/* The guard can't tell. Who would only have noted what it finds notes that. */
static int
tg_guard_blind(tg_guarding_t *w, const tg_guard_t *g, unsigned status,
    const char *why)
{
    w->to->unfinished = true;

    if (g->action == TG_GUARD_FLAG) {
        tg_guard_note(w, g, TG_GUARD_DID_FLAG);
        return TG_OK;
    }

    return tg_guard_refuse(w, g, status, "it can't look at this prompt: %s",
                           why);
}


/* Part of the text is to be overwritten. */
static int
tg_guard_mark(tg_guarding_t *w, size_t from, size_t to)
{
    size_t       room;
    tg_range_t  *found;

    if (w->nfound == w->room) {
        if (w->room >= TG_GUARD_FOUND_MAX) {
            return TG_ERROR;
        }

        room = w->room == 0 ? TG_GUARD_FOUND_FIRST : w->room * 2;
        found = tg_alloc(w->call->mem, room * sizeof(tg_range_t));

        if (found == NULL) {
            return TG_ERROR;
        }

        if (w->nfound != 0) {
            memcpy(found, w->found, w->nfound * sizeof(tg_range_t));
        }

        w->found = found;
        w->room = room;
    }

    w->found[w->nfound++] = (tg_range_t) { from, to };

    return TG_OK;
}


static bool
tg_guard_redacts(const tg_guarding_t *w, const tg_guard_t *g)
{
    return g->action == TG_GUARD_REDACT && !g->dry_run && !w->dry;
}


static int
tg_guard_search(tg_guarding_t *w)
{
    int64_t  deadline;

    if (w->search != NULL) {
        return TG_OK;
    }

    deadline = w->gate->clock == NULL ? 0
               : w->gate->clock() + TG_GUARD_DEADLINE_NS;
    w->search = tg_search_create(w->call->mem, w->prompt->text, w->gate->clock,
                                 deadline);

    if (w->search == NULL) {
        return TG_ERROR;
    }

    if (w->gate->worked != NULL) {
        tg_search_works(w->search, w->gate->worked, TG_GUARD_DEADLINE_NS);
    }

    return TG_OK;
}


/* One more of it; what is only refused is not counted to the end. */
static int
tg_guard_hit(tg_guarding_t *w, const tg_guard_t *g, unsigned *count,
    size_t from, size_t to)
{
    (*count)++;
    w->hits++;

    if (tg_guard_redacts(w, g)) {
        return tg_guard_mark(w, from, to);
    }

    return TG_OK;
}


static int
tg_guard_deny(tg_guarding_t *w, const tg_guard_t *g)
{
    int     rc;
    size_t  at, from, to;

    for (unsigned i = 0; i < g->ndeny; i++) {
        at = 0;

        while ((rc = tg_search_next(w->search, g->deny[i], at, &from, &to))
               == TG_OK)
        {
            if (tg_guard_hit(w, g, &w->to->denied, from, to) != TG_OK) {
                return TG_ERROR;
            }

            if (g->action != TG_GUARD_REDACT && g->action != TG_GUARD_FLAG) {
                return TG_OK;
            }

            at = to > at ? to : at + 1;
        }

        if (rc != TG_DECLINED) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


typedef struct {
    tg_guarding_t     *w;
    const tg_guard_t  *g;
    unsigned           mine[TG_PII_KINDS];
} tg_guard_pii_t;


static int
tg_guard_pii_found(void *data, tg_pii_t kind, size_t from, size_t to)
{
    tg_guard_pii_t  *p = data;

    p->mine[kind]++;

    return tg_guard_hit(p->w, p->g, &p->w->to->found[kind], from, to);
}


static int
tg_guard_pii(tg_guarding_t *w, const tg_guard_t *g, tg_guard_pii_t *p)
{
    size_t    to;
    tg_str_t  text = w->prompt->text;

    memset(p, 0, sizeof(tg_guard_pii_t));
    p->w = w;
    p->g = g;

    for (size_t at = 0; g->pii != 0 && at < text.len; at = to) {
        to = text.len - at < TG_GUARD_STEP ? text.len : at + TG_GUARD_STEP;

        if (tg_search_late(w->search)
            || tg_pii_find(text, at, to, g->pii, tg_guard_pii_found, p) != 0)
        {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


/* "2 card, 1 key" */
static void
tg_guard_kinds(char *buf, size_t size, const tg_guard_pii_t *p, bool denied)
{
    tg_text_t  t;

    tg_text_init(&t, buf, size - 1);

    for (unsigned i = 0; i < TG_PII_KINDS; i++) {
        if (p->mine[i] != 0) {
            if (t.p != buf) {
                tg_put_lit(&t, ", ");
            }
            tg_put_int(&t, p->mine[i]);
            tg_put_lit(&t, " ");
            tg_put_str(&t, tg_strz(tg_pii_names[i]));
        }
    }

    if (denied) {
        if (t.p != buf) {
            tg_put_lit(&t, ", ");
        }
        tg_put_lit(&t, "words that are denied");
    }

    *t.p = '\0';
}


static int
tg_guard_allow(tg_guarding_t *w, const tg_guard_t *g)
{
    int     rc = TG_OK;
    size_t  from, to;

    for (unsigned i = 0; i < g->nallow; i++) {
        rc = tg_search_next(w->search, g->allow[i], 0, &from, &to);

        if (rc == TG_OK) {
            return TG_OK;
        }

        if (rc != TG_DECLINED) {
            return TG_ERROR;
        }
    }

    return rc;
}


/* What is looked for in the text. */
static int
tg_guard_looked(tg_guarding_t *w, const tg_guard_t *g)
{
    int             allowed;
    char            kinds[TG_GUARD_TEXT_MAX / 2];
    unsigned        denied = w->to->denied;
    tg_guard_pii_t  pii;

    w->hits = 0;
    allowed = tg_guard_allow(w, g);

    if (allowed == TG_ERROR || tg_guard_deny(w, g) != TG_OK
        || tg_guard_pii(w, g, &pii) != TG_OK)
    {
        return tg_guard_blind(w, g, 403, tg_search_late(w->search)
                                         ? "it takes too long"
                                         : "there is too much to be found");
    }

    if (allowed != TG_OK) {
        if (g->action != TG_GUARD_FLAG) {
            return tg_guard_refuse(w, g, 403, "this prompt is not of what is"
                                   " allowed");
        }
        tg_guard_note(w, g, TG_GUARD_DID_FLAG);
    }

    if (w->hits == 0) {
        return TG_OK;
    }

    switch (g->action) {

    case TG_GUARD_REDACT:
        tg_guard_note(w, g, TG_GUARD_DID_REDACT);
        return TG_OK;

    case TG_GUARD_FLAG:
        tg_guard_note(w, g, TG_GUARD_DID_FLAG);
        return TG_OK;

    default:
        tg_guard_kinds(kinds, sizeof(kinds), &pii, w->to->denied != denied);
        return tg_guard_refuse(w, g, 403, "this prompt has %s", kinds);
    }
}


static int
tg_guard_text(tg_guarding_t *w, const tg_guard_t *g)
{
    int  code;

    if (tg_guard_prompt(w) != TG_OK) {
        code = w->to->err.code;

        return tg_guard_blind(w, g, code == TG_PROMPT_ERROR_LARGE ? 413
                                    : code == TG_PROMPT_ERROR_JSON ? 415 : 503,
                              w->to->err.message);
    }

    if (w->to->body.len == 0) {
        return TG_OK;
    }

    if (w->prompt->tokens) {
        return tg_guard_blind(w, g, 415, "it is sent as tokens");
    }

    if (tg_guard_search(w) != TG_OK) {
        return tg_guard_blind(w, g, 503, "no memory");
    }

    return tg_guard_looked(w, g);
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


/* Those that write. */
static bool
tg_guard_writes(const tg_call_t *call)
{
    switch (tg_api_op(call->dialect.api)) {
    case TG_OP_CHAT:
    case TG_OP_TEXT_COMPLETION:
    case TG_OP_GENERATE_CONTENT:
        return true;
    default:
        return false;
    }
}


static int
tg_guard_output(tg_guarding_t *w, const tg_guard_t *g)
{
    int64_t                   room, cap = g->output_tokens;
    tg_call_t                *call = w->call;
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (!tg_guard_writes(call)
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
