#include "tg_ledger_int.h"

/* A slot's answer while it is worked in. */
typedef struct {
    tg_ledger_t               *led;
    int64_t                    now;
    tg_led_slot_t             *slot;        /* in place, as it was */
    tg_led_fslot_t            *fs;          /* the same */
    const tg_ledger_answer_t  *answer;
    tg_ledger_result_t        *r;
    bool                       valid;       /* it is of this epoch */
    bool                       open;        /* the call goes on */
    bool                       again;       /* refused, but not for good */
    tg_led_slot_t             *s;           /* the images */
    tg_led_fslot_t            *fsi;
} tg_led_replying_t;


/* Which of the message's items the slot's item is; -1: it is not in it. */
static int
tg_led_place(const tg_led_fslot_t *fs, unsigned i)
{
    if ((fs->asked & 1U << i) == 0) {
        return -1;
    }

    return __builtin_popcount(fs->asked & ((1U << i) - 1));
}


/* What the answer says of an entry.  One that is older than what is known says
 * nothing. */
static void
tg_led_hear(tg_led_replying_t *y, tg_led_entry_t *e, tg_led_fent_t *f,
    const tg_ledger_answer_item_t *a, tg_ledger_state_t *st)
{
    bool     above;
    int64_t  owned;

    if (y->fs->seq <= f->seen) {
        return;
    }

    f->floor = y->fs->seq == f->sent || a->mine < f->floor ? a->mine
                                                           : f->floor;
    f->seen = y->fs->seq;
    f->mine = a->mine;
    f->told = a->told;
    f->view_epoch = y->answer->epoch;
    f->view_version = a->version;
    f->view_total = a->total;
    f->retired = a->retired;
    f->oused = a->others;
    owned = tg_led_add(a->total, a->retired) - a->mine - a->others;
    f->oowned = owned > 0 ? owned : 0;
    f->heard = y->now;

    if (y->fs->seq > f->ops_seq) {
        f->ops = 0;
        e->flags = (uint8_t) (a->bits & TG_LEDGER_BIT_LATCHED
                              ? e->flags | TG_LED_CLOSED
                              : e->flags & ~TG_LED_CLOSED);
    }

    e->raise = a->raise;
    e->raise_until = a->raise_until;
    e->crossed |= (uint8_t) (a->bits & ((1U << TG_LEDGER_ALERTS_MAX) - 1));
    st->crossed = a->fired & (uint8_t) ~e->pending;
    e->pending |= a->fired;

    /* Before all have said hello, what is kept for the others counts as well,
     * which may be theirs twice. */

    if (y->answer->open) {
        above = tg_led_add(a->total, a->retired)
                > tg_led_raised(e, e->limit, y->now);
        y->led->head->over += above && !f->above;
        f->above = above;
    }
}


static void
tg_led_hear_before(tg_led_replying_t *y, tg_led_fent_t *f,
    const tg_ledger_answer_item_t *a)
{
    /* Settled meanwhile: it is told again. */
    if (f->ptold == -1) {
        return;
    }

    f->ptold = a->mine;
    f->pepoch = y->answer->epoch;
}


/* What the item held and asked for goes back. */
static void
tg_led_give_back(const tg_led_fslot_t *fs, unsigned i,
    const tg_led_item_t *it, tg_led_entry_t *e, tg_led_fent_t *f)
{
    int64_t  unbacked = it->flags & TG_LED_ITEM_UNBACKED ? fs->unbacked[i] : 0;

    e->opens -= e->opens > 0;

    if (it->window == e->window) {
        e->held -= e->held < it->amount ? e->held : it->amount;
        f->slice = tg_led_add(f->slice, it->amount - unbacked);

    } else if (it->window == e->before) {
        e->pheld -= e->pheld < it->amount ? e->pheld : it->amount;
    }
}


static void
tg_led_take_in(tg_led_replying_t *y, unsigned i, tg_led_entry_t *e,
    tg_led_fent_t *f, const tg_ledger_answer_item_t *a)
{
    bool            granted = a != NULL && a->granted;
    int64_t         need = y->fs->need[i];
    int64_t         more = granted && a->amount > need ? a->amount - need : 0;
    tg_led_item_t  *it = &y->s->items[i];

    /* An idle window goes on, or a new one has begun, while it was asked. */
    if (f->idle_ms != 0 && it->amount == 0) {
        it->window = e->window;
    }

    /* Only redis_down= lets it through. */
    if (!granted && need != 0) {
        y->fsi->unbacked[i] = need;
        it->flags |= TG_LED_ITEM_UNBACKED;
    }

    it->amount = tg_led_add(it->amount, need);

    if (it->window == e->window) {
        e->held = tg_led_add(e->held, need);
        f->slice = tg_led_add(f->slice, more);

        if (y->led->head->fvars.drain) {
            f->slice = 0;
        }

    } else if (it->window == e->before) {
        e->pheld = tg_led_add(e->pheld, need);
    }
}


/* The item's answer, of this epoch; NULL. */
static const tg_ledger_answer_item_t *
tg_led_reply_of(const tg_led_replying_t *y, unsigned i)
{
    int  at = tg_led_place(y->fs, i);

    return at >= 0 && y->valid && (unsigned) at < y->answer->n
           ? &y->answer->items[at] : NULL;
}


/* What was asked for is pending no more, and what the answer says is known. */
static void
tg_led_reply_hear(tg_led_replying_t *y, unsigned i, tg_led_entry_t *e,
    tg_led_fent_t *f, tg_ledger_state_t *st)
{
    int64_t                         want = y->fs->want[i];
    const tg_led_item_t            *it = &y->slot->items[i];
    const tg_ledger_answer_item_t  *a = tg_led_reply_of(y, i);

    if ((y->fs->asked & 1U << i)
        && (it->window == e->window || f->idle_ms != 0))
    {
        f->pend -= f->pend < want ? f->pend : want;
    }

    if (a == NULL) {
        return;
    }

    if (f->idle_ms != 0 && a->window > e->window) {
        tg_led_fleet_turn(e, f, a->window, tg_led_add(y->now, f->idle_ms));
        f->sent = y->fs->seq;
    }

    if (it->window == e->window || f->idle_ms != 0) {
        tg_led_hear(y, e, f, a, st);

    } else if (it->window == e->before) {
        tg_led_hear_before(y, f, a);
    }
}


static void
tg_led_reply_item(tg_led_replying_t *y, unsigned i)
{
    uint8_t                         crossed;
    tg_led_fent_t                  *f;
    tg_led_entry_t                 *e;
    tg_ledger_state_t              *st = &y->r->states[i];
    const tg_led_item_t            *it = &y->slot->items[i];
    const tg_ledger_answer_item_t  *a = tg_led_reply_of(y, i);

    tg_led_mark(y->led, it->entry);
    e = tg_led_image(y->led, &y->led->entries[it->entry - 1], sizeof(*e));
    f = tg_led_image(y->led, &y->led->fents[it->entry - 1], sizeof(*f));
    memset(st, 0, sizeof(*st));
    tg_led_reply_hear(y, i, e, f, st);

    if (y->open) {
        tg_led_take_in(y, i, e, f, a);

    } else {
        tg_led_give_back(y->fs, i, it, e, f);

        /* What was asked for without a call. */
        if (a != NULL && a->granted && y->fs->kind == TG_LEDGER_MSG_REPORT
            && it->window == e->window && !y->led->head->fvars.drain)
        {
            f->slice = tg_led_add(f->slice, a->amount);
        }
    }

    crossed = st->crossed;
    tg_led_fleet_state(e, f, y->now, st);
    st->crossed = crossed;

    /* A new window began while it was asked: the call is of the old one. */
    if (it->window == e->before && f->idle_ms == 0) {
        st->window = e->before;
        st->reset = e->window;
        st->used = e->pused;
        st->held = e->pheld;
    }
}


/* OK: the call may go on; else the first item that stands in its way. */
static int
tg_led_reply_verdict(tg_led_replying_t *y)
{
    int                             at, rc = TG_LEDGER_OK, one;
    int64_t                         limit, used;
    const tg_led_item_t            *it;
    const tg_led_fent_t            *f;
    const tg_led_entry_t           *e;
    const tg_ledger_answer_item_t  *a;

    for (unsigned i = 0; i < y->slot->nitems; i++) {
        at = tg_led_place(y->fs, i);
        it = &y->slot->items[i];
        e = &y->led->entries[it->entry - 1];
        f = &y->led->fents[it->entry - 1];

        if (at < 0 || (y->fs->required & 1U << i) == 0) {
            continue;
        }

        if (y->answer->status == TG_LEDGER_NO_ANSWER) {
            one = tg_led_fleet_down(y->led, e, f, y->fs->need[i], y->now);

        } else if (!y->valid || (unsigned) at >= y->answer->n) {
            one = TG_LEDGER_PARK;

        } else if (y->answer->items[at].granted) {
            continue;

        } else {
            a = &y->answer->items[at];
            limit = a->raise != 0 && y->now < a->raise_until
                    ? tg_led_add(e->limit, a->raise) : e->limit;
            used = tg_led_add(a->others, e->used);
            one = y->answer->open
                  && ((a->bits & TG_LEDGER_BIT_LATCHED)
                      || limit - used < it->amount + y->fs->need[i])
                  ? TG_LEDGER_REFUSED : TG_LEDGER_PARK;
        }

        if (one != TG_LEDGER_OK
            && (rc == TG_LEDGER_OK
                || (one == TG_LEDGER_REFUSED && rc == TG_LEDGER_PARK)
                || (one == TG_LEDGER_REFUSED && rc == TG_LEDGER_REFUSED
                    && e->until > y->led->entries[
                           y->slot->items[y->r->item].entry - 1].until)))
        {
            rc = one;
            y->r->item = i;
        }
    }

    return rc;
}


static void
tg_led_nodes_learn(tg_ledger_t *led, tg_led_fvars_t *fv,
    const tg_ledger_answer_t *a)
{
    uint64_t  *nodes;

    if (!a->has_nodes || a->nnodes > TG_LEDGER_NODES_MAX) {
        return;
    }

    nodes = tg_led_image(led, led->head->nodes, sizeof(led->head->nodes));
    memcpy(nodes, a->nodes, a->nnodes * sizeof(nodes[0]));
    fv->nnodes = a->nnodes;
    fv->nodes_version = a->nodes_version;
}


/* What the answer says of the fleet as a whole: a transaction. */
static void
tg_led_reply_head(tg_ledger_t *led, int64_t now, unsigned kind,
    uint64_t epoch, const tg_ledger_answer_t *a)
{
    tg_led_fvars_t  *fv;

    tg_led_begin(led);
    fv = tg_led_image(led, &led->head->fvars, sizeof(*fv));

    if (a->status == TG_LEDGER_NO_ANSWER) {
        led->head->lost++;
        fv->down = fv->down != 0 ? fv->down : now;
        tg_led_commit(led);
        return;
    }

    fv->down = 0;
    fv->heard = now;
    fv->open = a->open;

    switch (a->status) {
    case TG_LEDGER_ANSWERED:
        /* Until this node has joined, the store may know of fewer nodes than it
         * does. */
        if (kind != TG_LEDGER_MSG_HELLO && a->epoch == fv->epoch) {
            tg_led_nodes_learn(led, fv, a);
        }

        if (kind == TG_LEDGER_MSG_JOIN && epoch == fv->epoch
            && a->epoch == fv->epoch)
        {
            fv->joined = 1;
            fv->member = 1;
        }
        break;

    case TG_LEDGER_EPOCH:
    case TG_LEDGER_UNKNOWN:
        /* An answer that was long on its way may tell of an epoch that has
         * gone; a second one of the same tells nothing new. */
        if (a->epoch > fv->epoch
            || (a->status == TG_LEDGER_UNKNOWN && a->epoch == fv->epoch
                && fv->joined))
        {
            led->head->epochs += a->epoch > fv->epoch;
            fv->epoch = a->epoch;
            fv->fence = fv->seq;
            fv->joined = 0;
            fv->cursor = 0;
            fv->unsaid = 0;
            fv->join_at = 0;
            fv->tick_at = 0;
        }
        break;

    case TG_LEDGER_GIVEN_UP:
        fv->retired = 1;
        fv->joined = 0;
        break;
    }

    tg_led_commit(led);
}


static int
tg_led_reply_slot(tg_led_replying_t *y)
{
    int              rc;
    unsigned         n = y->slot->nitems;
    tg_ledger_t     *led = y->led;
    tg_led_vars_t   *vars;

    rc = y->fs->kind == TG_LEDGER_MSG_ASK ? tg_led_reply_verdict(y)
                                          : TG_LEDGER_NONE;
    y->open = rc == TG_LEDGER_OK;

    if (rc == TG_LEDGER_PARK && y->answer->status == TG_LEDGER_GIVEN_UP) {
        rc = TG_LEDGER_RETIRED;
    }

    tg_led_begin(led);
    y->s = tg_led_image(led, y->slot, offsetof(tg_led_slot_t, items)
                                      + n * sizeof(tg_led_item_t));
    y->fsi = tg_led_image(led, y->fs, sizeof(*y->fs));

    for (unsigned i = 0; i < n; i++) {
        tg_led_reply_item(y, i);
    }

    if (y->open) {
        y->s->state = TG_LED_OPEN;
        y->s->admitted = y->now;

    } else {
        vars = tg_led_image(led, &led->head->vars, sizeof(*vars));
        y->s->state = TG_LED_FREE;
        y->s->owner = 0;
        y->s->next = vars->free_slot;
        vars->free_slot = (uint32_t) (y->slot - led->slots) + 1;
        vars->nbusy -= vars->nbusy > 0;
    }

    tg_led_commit(led);
    y->r->nstates = n;

    return rc;
}


static void
tg_led_reply_count(tg_led_replying_t *y, int rc)
{
    tg_led_head_t  *head = y->led->head;

    if (y->fs->kind != TG_LEDGER_MSG_ASK) {
        return;
    }

    if (rc == TG_LEDGER_OK) {
        if (y->answer->status == TG_LEDGER_NO_ANSWER) {
            head->unbacked++;
        } else {
            head->granted++;
        }

    } else {
        head->refused++;
    }
}


int
tg_ledger_fleet_reply(tg_ledger_t *led, int64_t now,
    const tg_ledger_message_t *msg, const tg_ledger_answer_t *answer,
    tg_ledger_result_t *r)
{
    int                rc;
    tg_led_replying_t  y;

    memset(r, 0, offsetof(tg_ledger_result_t, states));

    if (led->fents == NULL || led->fleet == NULL) {
        return TG_LEDGER_BAD;
    }

    rc = tg_led_lock(led);
    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    memset(&y, 0, sizeof(y));
    y.led = led;
    y.now = now;
    y.answer = answer;
    y.r = r;

    tg_led_reply_head(led, now, msg->kind, msg->epoch, answer);

    if (msg->slot.index == 0) {
        tg_led_unlock(led);
        return TG_LEDGER_NONE;
    }

    y.slot = tg_led_slot(led, msg->slot, TG_LED_ASKING);

    if (y.slot == NULL
        || led->fslots[msg->slot.index - 1].seq != msg->seq)
    {
        tg_led_unlock(led);
        return TG_LEDGER_STALE;
    }

    y.fs = &led->fslots[msg->slot.index - 1];
    y.valid = answer->status == TG_LEDGER_ANSWERED
              && answer->epoch == y.fs->epoch
              && y.fs->epoch == led->head->fvars.epoch
              && y.fs->seq > led->head->fvars.fence;
    led->head->voided += answer->status == TG_LEDGER_ANSWERED && !y.valid;

    rc = tg_led_reply_slot(&y);
    r->slot = msg->slot;
    tg_led_reply_count(&y, rc);
    tg_led_unlock(led);

    return rc;
}


int
tg_led_fleet_release(tg_ledger_t *led, tg_led_slot_t *slot)
{
    tg_ledger_answer_t  none;
    tg_ledger_result_t  r;
    tg_led_replying_t   y;

    if (slot->nitems > TG_LEDGER_ITEMS_MAX || led->fents == NULL) {
        return TG_LEDGER_BAD;
    }

    memset(&y, 0, sizeof(y));
    memset(&none, 0, offsetof(tg_ledger_answer_t, items));
    none.status = TG_LEDGER_UNKNOWN;
    r.item = 0;
    y.led = led;
    y.slot = slot;
    y.fs = &led->fslots[slot - led->slots];
    y.answer = &none;
    y.r = &r;
    (void) tg_led_reply_slot(&y);

    return TG_LEDGER_OK;
}


int
tg_ledger_fleet_cancel(tg_ledger_t *led, int64_t now, tg_ledger_slot_t slot)
{
    int             rc;
    tg_led_slot_t  *s;

    (void) now;

    rc = led->fents != NULL ? tg_led_lock(led) : TG_LEDGER_BAD;
    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    s = tg_led_slot(led, slot, TG_LED_ASKING);
    rc = s != NULL ? tg_led_fleet_release(led, s) : TG_LEDGER_STALE;
    tg_led_unlock(led);

    return rc;
}
