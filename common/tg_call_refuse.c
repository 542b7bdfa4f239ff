/* What a call is told that a quota, or the ledger, does not let pass. */

#include "tg_call_int.h"


/* No quota can be told to apply, or what it counts is not known. */
int
tg_hold_unfit(tg_call_t *call, const tg_error_t *err,
    const tg_quota_items_t *items, tg_refusal_t *refusal)
{
    unsigned  status = 400;
    tg_str_t  rule = tg_str("quota_unbounded");

    call->pass->quota_refused = true;

    if (err->code == TG_QUOTA_UNPRICED) {
        status = 403;
        rule = tg_str("model_not_priced");

    } else if (err->code == TG_QUOTA_CROWDED) {
        status = 500;
        rule = items->quota[0]->name;

    } else if (!tg_request_inspected(call->request)) {
        status = 415;
        rule = tg_str("not_inspected");
    }

    return tg_call_refuse(call, refusal, status, rule, tg_strz(err->message));
}


void
tg_hold_note(tg_hold_t *h, const tg_quota_items_t *items, unsigned item,
    const tg_ledger_state_t *state)
{
    char        buf[TG_QUOTA_TEXT_MAX];
    tg_pass_t  *pass = h->call->pass;

    pass->quota_refused = true;
    pass->measure = items->limit[item]->measure;
    pass->state = *state;
    pass->subject = tg_dup(h->call->mem,
                           tg_str_of(buf, tg_quota_subject(buf, sizeof(buf),
                                                           items->quota[item],
                                                           &h->quota)));
}


static void
tg_hold_headers(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r, int verdict, tg_refusal_t *refusal)
{
    char               *digits;
    int64_t             after;
    unsigned            n;
    tg_text_t           t;
    tg_mem_t           *mem = h->call->mem;
    tg_quota_header_t  *headers;

    after = tg_quota_retry_after(items, r->item, &r->states[r->item], verdict,
                                 h->quota.now);
    digits = tg_alloc(mem, 24);
    headers = tg_alloc(mem, TG_QUOTA_HEADERS_MAX * sizeof(tg_quota_header_t));

    if (digits == NULL || headers == NULL) {
        return;
    }

    if (after >= 0) {
        tg_text_init(&t, digits, 24);
        tg_put_int(&t, after);
        tg_refusal_header(refusal, tg_str("retry-after"),
                          tg_str_of(digits, (size_t) (t.p - digits)));
    }

    if (!tg_quota_retries(after)) {
        tg_refusal_header(refusal, tg_str("x-should-retry"), tg_str("false"));
    }

    n = r->nstates != items->n ? 0
        : tg_quota_headers(items, r->states,
                           tg_api_shape(h->call->asked.api), h->quota.now,
                           headers);

    for (unsigned i = 0; i < n; i++) {
        tg_refusal_header(refusal, headers[i].name, headers[i].value);
    }
}


int
tg_hold_refuse(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r, int verdict, tg_refusal_t *refusal)
{
    char    text[TG_QUOTA_TEXT_MAX];
    size_t  n;

    tg_hold_note(h, items, r->item, &r->states[r->item]);

    n = tg_quota_refusal(text, sizeof(text), items, r->item,
                         &r->states[r->item], verdict, &h->quota);

    if (tg_call_refuse(h->call, refusal, 429, items->quota[r->item]->name,
                       tg_str_of(text, n))
        == TG_OK)
    {
        return TG_OK;
    }

    tg_hold_headers(h, items, r, verdict, refusal);

    return TG_ERROR;
}


/* The ledger has no room, or its lock is not to be had. */
int
tg_hold_full(tg_call_t *call, int rc, tg_refusal_t *refusal)
{
    if (call->conf->ledger.full_allows) {
        call->rule = tg_str("ledger_full");
        return TG_OK;
    }

    if (tg_call_refuse(call, refusal, 503, tg_str("ledger_full"),
                       rc == TG_LEDGER_FULL
                       ? tg_str("the ledger of quotas is full")
                       : tg_str("the ledger of quotas is not to be had"))
        == TG_OK)
    {
        return TG_OK;
    }

    tg_refusal_header(refusal, tg_str("retry-after"), tg_str("1"));

    return TG_ERROR;
}


/* The fleet's store is away, and the configuration says to refuse then. */
int
tg_hold_down(tg_call_t *call, int rc, tg_refusal_t *refusal)
{
    if (tg_call_refuse(call, refusal, 503, rc == TG_LEDGER_DOWN
                                           ? tg_str("redis_down")
                                           : tg_str("node_retired"),
                       rc == TG_LEDGER_DOWN
                       ? tg_str("the store of the fleet's budgets does not"
                                " answer, and this machine's share of them is"
                                " used up")
                       : tg_str("this machine was taken out of its fleet"))
        == TG_OK)
    {
        return TG_OK;
    }

    tg_refusal_header(refusal, tg_str("retry-after"), tg_str("1"));

    return TG_ERROR;
}
