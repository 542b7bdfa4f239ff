/* What a call takes of quotas: held at its admission, settled at its end. */

#include "tg_call_int.h"
#include "tg_recovered.h"

/* How soon a call that waits is asked again, in milliseconds. */
#define TG_WAIT_FIRST  2
#define TG_WAIT_MOST   50

/* Where the ledger's lock is not had in its 10 ms, each of which a server with
 * an event loop stands still for: so often, 5, 20, 80 ms later. */
#define TG_BUSY_FIRST  5
#define TG_BUSY_TRIES  3

static int tg_hold_try(tg_hold_t *h, tg_quota_items_t *items,
    tg_refusal_t *refusal);


/* True where the call is to be asked again, of which *wait_ms is set. */
static bool
tg_hold_waits(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r, int verdict)
{
    tg_pass_t                *pass = h->call->pass;
    int64_t                   left, until, step;
    const tg_ledger_state_t  *state = &r->states[r->item];
    bool                      refused = verdict == TG_LEDGER_REFUSED;

    /* To be lowered to what is left: that is known when others have ended. */

    if (items->quota[r->item]->clamp > 0 && state->held > 0
        && !state->latched)
    {
        refused = false;
    }

    left = tg_quota_wait(items, r->item, refused) - pass->waited_ms;

    if (left <= 0 || pass->waited_ms < 0) {
        return false;
    }

    step = pass->tries > 4 ? TG_WAIT_MOST
           : (int64_t) TG_WAIT_FIRST << pass->tries;

    if (refused) {
        until = state->reset - h->quota.now;

        if (state->latched || until > left) {
            return false;           /* it would wait for nothing */
        }

        step = until > 0 ? until : 1;
    }

    pass->tries++;
    pass->wait_ms = step < left ? step : left;

    return true;
}


/* Who has the lock has been stopped in mid-work: most likely not for long. */
static bool
tg_hold_busy(tg_pass_t *pass)
{
    if (pass->busy >= TG_BUSY_TRIES) {
        return false;
    }

    pass->wait_ms = (int64_t) TG_BUSY_FIRST << 2 * pass->busy++;
    pass->tries += pass->tries == 0;

    return true;
}


/* The first of those that only would have refused it. */
static void
tg_hold_dry(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r)
{
    for (unsigned i = 0; i < items->n; i++) {
        if (r->states[i].dry && !tg_call_by_quota(h->call, items->quota[i])) {
            h->call->rule = items->quota[i]->name;
            h->call->would_refuse = true;
            tg_hold_note(h, items, i, &r->states[i]);
            return;
        }
    }
}


static int
tg_hold_keep(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r)
{
    unsigned           n = items->n;
    tg_pass_t         *pass = h->call->pass;
    tg_quota_items_t  *keep;

    keep = tg_alloc(h->call->mem, sizeof(tg_quota_items_t));
    if (keep == NULL) {
        return TG_ERROR;
    }

    keep->n = n;
    memcpy(keep->items, items->items, n * sizeof(keep->items[0]));
    memcpy(keep->quota, items->quota, n * sizeof(keep->quota[0]));
    memcpy(keep->limit, items->limit, n * sizeof(keep->limit[0]));

    pass->items = keep;
    pass->slot = r->slot;

    return TG_OK;
}


/* Of the whole call: less than its bound only if no quota holds that. */
static void
tg_hold_cost(tg_hold_t *h, const tg_quota_items_t *items)
{
    bool  less = h->quota.likely != NULL
                 && (h->likely.input < h->bound.input
                     || h->likely.output < h->bound.output);

    for (unsigned i = 0; i < items->n; i++) {
        less = less && items->quota[i]->calibrated;
    }

    h->call->pass->calibrated = less;
    h->call->pass->hold = less ? h->likely.cost : h->bound.cost;
}


static void
tg_hold_granted(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r)
{
    h->call->pass->held = true;
    h->call->pass->admitted = h->quota.now;

    if (h->gate->tally != NULL) {
        tg_subjects_held(&h->gate->tally->subjects, items, r->states, -1,
                         &h->quota);
    }

    tg_hold_dry(h, items, r);
}


/* Nothing went upstream: what it holds goes back. */
static int
tg_hold_drop(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r, bool asking, tg_refusal_t *refusal)
{
    int64_t       none[TG_LEDGER_ITEMS_MAX] = { 0 };
    tg_ledger_t  *led = h->gate->ledger;

    if (asking) {
        tg_backlog_cancel(h->gate->backlog, led, h->quota.now, r->slot);

    } else {
        (void) tg_ledger_settle(led, h->quota.now, r->slot, none, items->n,
                                NULL, 0, NULL);
        (void) tg_ledger_line_written(led, &r->slot, 1);
    }

    return tg_hold_full(h->call, TG_LEDGER_FULL, refusal);
}


/* All that the call is to take.  Where its route's usd= is in dollars that it has
 * no price in, it is not that route's. */
static int
tg_hold_list(tg_hold_t *h, tg_quota_items_t *items, tg_refusal_t *refusal)
{
    tg_call_t   *call = h->call;
    tg_error_t   err;

    while (tg_hold_items(h, items, &err) != TG_OK) {
        if (!tg_call_overflows(call, items->quota[0])) {
            return tg_hold_unfit(call, &err, items, refusal);
        }

        if (tg_call_reroute(call, h->gate, h->quota.now, refusal) != TG_OK) {
            return TG_ERROR;
        }

        tg_hold_prepare(h, call, h->gate, h->quota.now);
    }

    return TG_OK;
}


/*
 * It goes elsewhere: held anew, for there.  Where that can't be asked for here,
 * as soon as may be.
 */
static int
tg_hold_elsewhere(tg_hold_t *h, tg_quota_items_t *again,
    tg_refusal_t *refusal)
{
    int         rc;
    tg_call_t  *call = h->call;

    if (again == NULL) {
        call->pass->wait_ms = 1;
        return TG_AGAIN;
    }

    tg_hold_prepare(h, call, h->gate, h->quota.now);
    rc = tg_hold_list(h, again, refusal);

    return rc != TG_OK || again->n == 0 ? rc : tg_hold_try(h, again, refusal);
}


/* Its route has no room for it, whatever else has none. */
static bool
tg_hold_overflows(const tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r)
{
    const tg_ledger_state_t  *st;

    for (unsigned i = 0; i < r->nstates && i < items->n; i++) {
        st = &r->states[i];

        if (tg_call_overflows(h->call, items->quota[i])
            && (i == r->item
                || items->items[i].amount > st->limit - st->used - st->held))
        {
            return true;
        }
    }

    return false;
}


static int
tg_hold_overflow(tg_hold_t *h, tg_quota_items_t *again,
    tg_refusal_t *refusal)
{
    return tg_call_reroute(h->call, h->gate, h->quota.now, refusal) == TG_OK
           ? tg_hold_elsewhere(h, again, refusal) : TG_ERROR;
}


/* What a hold, or the fleet's answer to one, means for the call.  With less to
 * take, if it may be lowered, or elsewhere, `again` is tried. */
static int
tg_hold_verdict(tg_hold_t *h, const tg_quota_items_t *items, int rc,
    const tg_ledger_result_t *r, tg_quota_items_t *again,
    tg_refusal_t *refusal)
{
    tg_hold_alerts(h, items, r);

    switch (rc) {

    case TG_LEDGER_OK:
        tg_hold_granted(h, items, r);
        return TG_OK;

    case TG_LEDGER_REFUSED:
    case TG_LEDGER_PARK:
        if (tg_hold_overflows(h, items, r)) {
            return tg_hold_overflow(h, again, refusal);
        }

        if (tg_hold_waits(h, items, r, rc)) {
            return TG_AGAIN;
        }

        if (again != NULL && tg_hold_clamp(h, again, r)) {      /* once */
            return tg_hold_try(h, again, refusal);
        }

        if (tg_call_replan(h->call, h->gate, h->quota.now,      /* once */
                           items->quota[r->item]))
        {
            return tg_hold_elsewhere(h, again, refusal);
        }

        if (h->gate->tally != NULL) {
            tg_subjects_held(&h->gate->tally->subjects, items, r->states,
                             (int) r->item, &h->quota);
        }

        return tg_hold_refuse(h, items, r, rc, refusal);

    case TG_LEDGER_DOWN:
    case TG_LEDGER_RETIRED:
        return tg_hold_down(h->call, rc, refusal);

    case TG_LEDGER_BUSY:
        return again != NULL && tg_hold_busy(h->call->pass)
               ? TG_AGAIN : tg_hold_full(h->call, rc, refusal);

    default:
        return tg_hold_full(h->call, rc, refusal);
    }
}


/* A tool asks what would become of the call. */
static int
tg_hold_look(tg_hold_t *h, tg_quota_items_t *items,
    tg_refusal_t *refusal)
{
    char             buf[TG_QUOTA_TEXT_MAX];
    tg_gate_look_t  *look = h->gate->look;

    look->items = *items;
    look->verdict = tg_ledger_look(h->gate->ledger, h->quota.now, items->items,
                                   items->n, &look->found);

    for (unsigned i = 0; i < items->n; i++) {
        look->subject[i] = tg_dup(h->call->mem,
                                  tg_str_of(buf,
                                            tg_quota_subject(buf, sizeof(buf),
                                                             items->quota[i],
                                                             &h->quota)));
    }

    switch (look->verdict) {
    case TG_LEDGER_REFUSED:
    case TG_LEDGER_PARK:
        if (tg_hold_overflows(h, items, &look->found)) {
            return tg_hold_overflow(h, items, refusal);
        }

        return tg_hold_refuse(h, items, &look->found, look->verdict, refusal);
    case TG_LEDGER_OK:
        tg_hold_dry(h, items, &look->found);
        return TG_OK;
    default:
        return tg_hold_full(h->call, look->verdict, refusal);
    }
}


static int
tg_hold_try(tg_hold_t *h, tg_quota_items_t *items, tg_refusal_t *refusal)
{
    int                 rc;
    tg_call_t          *call = h->call;
    tg_pass_t          *pass = call->pass;
    tg_ledger_result_t  r;

    if (h->gate->ledger == NULL) {
        return tg_hold_full(call, TG_LEDGER_BUSY, refusal);
    }

    if (call->scope->enable == TG_DRY_RUN) {
        for (unsigned i = 0; i < items->n; i++) {
            items->items[i].flags |= TG_LEDGER_DRY_RUN;
        }
    }

    if (h->gate->look != NULL) {
        return tg_hold_look(h, items, refusal);
    }

    tg_hold_cost(h, items);
    pass->packed_len = tg_recovered_pack(call, pass->packed);
    rc = h->gate->message == NULL
         ? tg_ledger_hold(h->gate->ledger, h->quota.now, items->items,
                          items->n, pass->packed, pass->packed_len, &r)
         : tg_ledger_fleet_hold(h->gate->ledger, h->quota.now, items->items,
                                items->n, pass->packed, pass->packed_len, &r,
                                h->gate->message);

    if (rc != TG_LEDGER_OK && rc != TG_LEDGER_ASK) {
        return tg_hold_verdict(h, items, rc, &r, items, refusal);
    }

    if (tg_hold_keep(h, items, &r) != TG_OK) {
        return tg_hold_drop(h, items, &r, rc == TG_LEDGER_ASK, refusal);
    }

    if (rc == TG_LEDGER_ASK) {
        pass->asking = true;
        return TG_CALL_ASK;
    }

    return tg_hold_verdict(h, items, rc, &r, items, refusal);
}


int
tg_call_hold(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    tg_refusal_t *refusal)
{
    int                rc;
    tg_hold_t          h;
    tg_pass_t         *pass = call->pass;
    tg_quota_items_t   items;

    pass->wait_ms = 0;
    tg_hold_unclamp(call);

    if (call->conf->ledger.file.len == 0) {
        return TG_OK;
    }

    /* The time that its body took is not waited for others. */

    if (pass->tries == 0) {
        pass->asked = now->wall_ms;
    }

    pass->waited_ms = now->wall_ms - pass->asked;

    tg_hold_prepare(&h, call, gate, now->wall_ms);

    if (gate->look != NULL) {
        gate->look->asked = true;
        gate->look->bound = h.bound;
    }

    rc = tg_hold_list(&h, &items, refusal);

    return rc != TG_OK || items.n == 0 ? rc : tg_hold_try(&h, &items, refusal);
}


int
tg_call_reply(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now,
    const tg_ledger_message_t *message, const tg_ledger_answer_t *answer,
    tg_refusal_t *refusal)
{
    int                 rc;
    tg_hold_t           h;
    tg_ledger_result_t  r;

    if (!call->pass->asking || gate->ledger == NULL) {
        return tg_hold_full(call, TG_LEDGER_BUSY, refusal);
    }

    tg_hold_prepare(&h, call, gate, now->wall_ms);
    memset(&r, 0, sizeof(r));

    rc = tg_ledger_fleet_reply(gate->ledger, now->wall_ms, message, answer,
                               &r);

    /* What was granted goes back; the sweeper looks after the dead only. */

    if (rc == TG_LEDGER_BUSY) {
        tg_backlog_cancel(gate->backlog, gate->ledger, now->wall_ms,
                          call->pass->slot);
    }

    call->pass->asking = false;
    call->pass->waited_ms = now->wall_ms - call->pass->asked;

    rc = tg_hold_verdict(&h, call->pass->items, rc, &r, NULL, refusal);

    return tg_call_admitted(call, rc, now, refusal);
}


int64_t
tg_call_wait(const tg_call_t *call)
{
    return call->pass == NULL ? 0 : call->pass->wait_ms;
}


void
tg_call_sent(tg_call_t *call, const tg_gate_t *gate)
{
    if (call->pass != NULL && call->pass->held && !call->pass->sent
        && gate->ledger != NULL)
    {
        call->pass->sent = true;
        (void) tg_ledger_sent(gate->ledger, call->pass->slot);
    }
}


/*
 * The server stops, or the provider goes on with the call by itself, or says
 * what nobody here can read: nobody will ever hear what it has cost.  It is as
 * much as it held, like that of a process that is killed.
 */
void
tg_call_cut_off(tg_call_t *call)
{
    tg_pass_t  *pass = call->pass;

    if (!pass->held || !pass->sent || call->source == TG_USAGE_REPORTED
        || call->source == TG_USAGE_CACHED)
    {
        return;
    }

    call->source = TG_USAGE_RECOVERED;
    call->price_id = tg_str_null;
    call->cost_by_provider = false;
    call->cost_known = pass->hold >= 0;

    memset(&call->cost, 0, sizeof(tg_cost_t));
    call->cost.total = pass->hold > 0 ? pass->hold : 0;
}


static void
tg_call_actual(const tg_call_t *call, int64_t *actual)
{
    tg_quota_used_t          used;
    const tg_pass_t         *pass = call->pass;
    const tg_ledger_item_t  *item = pass->items->items;

    if (call->source == TG_USAGE_RECOVERED) {
        for (unsigned i = 0; i < pass->items->n; i++) {
            actual[i] = item[i].flags & TG_LEDGER_CONCURRENT
                        ? 0 : item[i].amount;
        }
        return;
    }

    memset(&used, 0, sizeof(used));

    if (pass->sent) {
        used.requests = 1;
        used.cost = call->cost_known ? call->cost.total : 0;
        tg_call_attempts_used(call, &used);

        if (call->seen != NULL) {
            used.cost = tg_money_add(used.cost, call->seen->attempts.cost);
            used.input = tg_money_add(used.input, call->seen->attempts.input);
            used.output = tg_money_add(used.output,
                                       call->seen->attempts.output);
        }

        if (call->usage != NULL && !call->cached && !tg_call_gratis(call)) {
            used.input = tg_money_add(used.input, call->usage->input);
            used.output = tg_money_add(used.output, call->usage->output);
        }
    }

    tg_quota_actual(pass->items, &used, actual);
}


void
tg_call_give_back(tg_call_t *call, const tg_gate_t *gate, const tg_now_t *now)
{
    int                  rc;
    int64_t              actual[TG_LEDGER_ITEMS_MAX];
    tg_pass_t           *pass = call->pass;
    tg_ledger_result_t   r;

    /* Without its ledger: another process will find it, and bill the hold. */

    if (pass->asking && gate->ledger != NULL) {
        tg_backlog_cancel(gate->backlog, gate->ledger, now->wall_ms,
                          pass->slot);
    }

    if (!pass->held || gate->ledger == NULL) {
        return;
    }

    tg_call_actual(call, actual);

    for (unsigned i = 0; gate->tally != NULL && i < pass->items->n; i++) {
        tg_subjects_used(&gate->tally->subjects, pass->items->items[i].key,
                         actual[i], now->wall_ms);
    }

    tg_recovered_repack(call, pass->packed);

    rc = tg_ledger_settle(gate->ledger, now->wall_ms, pass->slot, actual,
                          pass->items->n, pass->packed, pass->packed_len, &r);

    if (rc == TG_LEDGER_BUSY) {
        (void) tg_backlog_add(gate->backlog, pass->slot, actual,
                              pass->items->n, pass->packed, pass->packed_len);
        return;
    }

    pass->settled = rc == TG_LEDGER_OK;

    if (pass->settled) {
        tg_call_settled_alerts(call, gate, now->wall_ms, &r);
    }
}


bool
tg_call_slot(const tg_call_t *call, tg_ledger_slot_t *slot)
{
    if (call->pass == NULL || !call->pass->settled) {
        return false;
    }

    *slot = call->pass->slot;

    return true;
}
