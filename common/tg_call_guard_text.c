/* The prompt, for guards and expressions, and what guards look for in it. */

#include "tg_call_guard.h"


/* What is known of the prompt; NULL on exhaustion. */
tg_guarded_t *
tg_call_guarded(tg_call_t *call)
{
    if (call->guarded == NULL) {
        call->guarded = tg_zalloc(call->mem, sizeof(tg_guarded_t));
    }

    return call->guarded;
}


/* The whole body, once; TG_ERROR and to->err where it can't be looked into. */
int
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

    if (tg_guard_redacts(w, g) && tg_guard_mark(w, from, to) != TG_OK) {
        w->full = true;
        return TG_ERROR;
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
        return tg_guard_blind(w, g, 403, w->full
                                         ? "there is too much to be redacted"
                                         : "it takes too long");
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


int
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
