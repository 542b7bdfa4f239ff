#include "tg_ledger_int.h"

#define TG_LED_FRESH    1000    /* ms for which an answer is good enough to
                                   refuse by */
#define TG_LED_AHEAD    4000    /* ms that a slice is to last */
#define TG_LED_FIRST    8       /* holds in the first slice */
#define TG_LED_SHARE    8       /* a slice is at most limit / nodes / this */

/* What one item of a hold comes to. */
typedef struct {
    tg_led_entry_t  e;              /* as they will be */
    tg_led_fent_t   f;
    uint32_t        index;
    int             verdict;        /* OK: the slice suffices; ASK; REFUSED */
    int64_t         hold;
    int64_t         have;           /* of it, held at once */
    int64_t         need;           /* the rest */
    int64_t         want;           /* what is asked for; need and more */
    int64_t         unbacked;
    bool            asked;          /* it is in the message */
    bool            dry;
} tg_led_take_t;

typedef struct {
    tg_ledger_t             *led;
    int64_t                  now;
    const tg_ledger_item_t  *items;
    unsigned                 n;
    const void              *blob;
    size_t                   len;
    tg_ledger_result_t      *r;
    bool                     strict;
    tg_led_take_t            take[TG_LEDGER_ITEMS_MAX];
} tg_led_holding_t;


static bool
tg_led_is_fresh(const tg_led_fent_t *f, int64_t now)
{
    return f->heard != 0 && now - f->heard < TG_LED_FRESH
           && f->heard - now < TG_LED_FRESH;
}


/* All that the store may still say otherwise is asked. */
static void
tg_led_take_decide(tg_led_take_t *t, const tg_ledger_item_t *item,
    int64_t now)
{
    bool     closed = (t->e.flags & TG_LED_CLOSED) != 0;
    int64_t  limit = tg_led_raised(&t->e, t->e.limit, now), used;

    limit = limit < TG_LEDGER_FLEET_MAX ? limit : TG_LEDGER_FLEET_MAX;
    used = tg_led_add(t->e.used, t->f.oused);
    t->hold = item->amount < TG_LEDGER_AMOUNT_MAX ? item->amount
                                                  : TG_LEDGER_AMOUNT_MAX;

    if (item->flags & TG_LEDGER_DRY_RUN) {
        t->dry = true;
        t->have = t->hold;
        t->unbacked = t->hold;
        t->verdict = closed || limit - used < item->amount ? TG_LEDGER_REFUSED
                                                           : TG_LEDGER_OK;
        return;
    }

    if (item->amount > TG_LEDGER_AMOUNT_MAX
        || (item->amount > limit && tg_led_is_fresh(&t->f, now)))
    {
        t->verdict = TG_LEDGER_REFUSED;
        return;
    }

    if (!closed && t->f.slice >= t->hold
        && (t->hold > 0 || limit >= t->e.used))
    {
        t->verdict = TG_LEDGER_OK;
        t->have = t->hold;
        return;
    }

    if ((closed || limit - used < item->amount)
        && tg_led_is_fresh(&t->f, now))
    {
        t->verdict = TG_LEDGER_REFUSED;
        return;
    }

    t->verdict = TG_LEDGER_ASK;
    t->have = closed || t->f.idle_ms != 0 ? 0 : t->f.slice;
    t->have = t->have < t->hold ? t->have : t->hold;
    t->need = t->hold - t->have;
}


static int
tg_led_take_begin(tg_led_holding_t *h, unsigned i)
{
    int                      rc = TG_LEDGER_OK;
    int64_t                  over;
    tg_led_take_t           *t = &h->take[i];
    const tg_ledger_item_t  *item = &h->items[i];

    t->index = tg_led_find(h->led, item->key);

    if (t->index == UINT32_MAX) {
        return TG_LEDGER_BAD;
    }

    if (t->index == 0) {
        uint32_t  kept[TG_LEDGER_ITEMS_MAX];

        for (unsigned k = 0; k < h->n; k++) {
            kept[k] = h->take[k].index;
        }

        rc = tg_led_create(h->led, h->now, item, kept, h->n, &t->index);

        if (rc != TG_LEDGER_OK) {
            h->r->item = i;
            return rc;
        }
    }

    t->e = h->led->entries[t->index - 1];
    t->f = h->led->fents[t->index - 1];
    tg_led_declare(&t->e, item);
    tg_led_fleet_roll(&t->e, &t->f, &item->window);

    /* Whether an idle window has ended the store knows. */
    if (t->f.idle_ms != 0 && t->e.opens == 0 && h->now >= t->e.until) {
        t->f.slice = 0;
        t->f.heard = 0;
    }

    /* The cap was lowered below what has been granted. */
    over = -tg_led_free(&t->e, &t->f, h->now);

    if (over > 0 && t->f.slice > 0) {
        t->f.slice -= over < t->f.slice ? over : t->f.slice;
    }

    tg_led_take_decide(t, item, h->now);

    return TG_LEDGER_OK;
}


/* Which of several refusals is told: that whose reset is last. */
static int
tg_led_holding_verdict(tg_led_holding_t *h)
{
    int                  rc = TG_LEDGER_OK;
    tg_led_take_t       *t;
    tg_ledger_state_t   *st;
    tg_ledger_result_t  *r = h->r;

    for (unsigned i = 0; i < h->n; i++) {
        t = &h->take[i];
        st = &r->states[i];
        tg_led_fleet_state(&t->e, &t->f, h->now, st);

        if (t->dry) {
            st->dry = t->verdict == TG_LEDGER_REFUSED;
            continue;
        }

        if (t->verdict == TG_LEDGER_REFUSED
            && (rc != TG_LEDGER_REFUSED
                || st->reset > r->states[r->item].reset))
        {
            rc = TG_LEDGER_REFUSED;
            r->item = i;

        } else if (t->verdict == TG_LEDGER_ASK && rc == TG_LEDGER_OK) {
            rc = TG_LEDGER_ASK;
            r->item = i;
        }
    }

    r->nstates = h->n;

    return rc;
}


static uint32_t
tg_led_full_bit(const tg_led_entry_t *e)
{
    for (unsigned i = 0; i < TG_LEDGER_ALERTS_MAX && e->alert[i] != 0; i++) {
        if (e->alert[i] == 100) {
            return 1U << i;
        }
    }

    return 0;
}


/* A refusal that the store was not asked for: it latches, and the store is told
 * once a window, for the alert of 100%. */
static void
tg_led_fleet_refuse(tg_led_holding_t *h)
{
    bool             any = false;
    uint32_t         ops;
    tg_led_take_t   *t;
    tg_ledger_t     *led = h->led;
    tg_led_fent_t   *f;
    tg_led_entry_t  *e;

    tg_led_begin(led);

    for (unsigned i = 0; i < h->n; i++) {
        t = &h->take[i];
        ops = 0;

        if (t->verdict != TG_LEDGER_REFUSED || t->dry) {
            continue;
        }

        if ((h->items[i].flags & TG_LEDGER_LATCH)
            && !(t->e.flags & TG_LED_CLOSED))
        {
            ops |= TG_LEDGER_OP_CLOSE;
        }

        if (tg_led_full_bit(&t->e) & ~(uint32_t) t->e.crossed) {
            ops |= TG_LEDGER_OP_REFUSED;
        }

        if ((ops & ~t->f.ops) == 0) {
            continue;
        }

        tg_led_mark(led, t->index);
        e = tg_led_image(led, &led->entries[t->index - 1], sizeof(*e));
        *e = t->e;
        f = tg_led_image(led, &led->fents[t->index - 1], sizeof(*f));
        *f = t->f;
        f->ops |= ops;
        f->ops_seq = led->head->fvars.seq;
        any = true;

        if (ops & TG_LEDGER_OP_CLOSE) {
            e->flags |= TG_LED_CLOSED;
            e->crossed |= TG_LEDGER_LATCHED;
            e->pending |= TG_LEDGER_LATCHED;
            h->r->states[i].crossed |= TG_LEDGER_LATCHED;
            h->r->states[i].latched = true;
            h->r->states[i].reset = TG_WINDOW_NEVER;
        }
    }

    if (any) {
        tg_led_commit(led);
    }
}


/* What a slice is to be: as much as has gone in so long a time as it is to
 * last, but not growing or shrinking in leaps. */
static void
tg_led_take_size(tg_led_holding_t *h, tg_led_take_t *t)
{
    int64_t         age = h->now - t->f.flow_at, size = t->f.size, want, most;
    tg_led_fent_t  *f = &t->f;
    uint32_t        nodes = h->led->head->fvars.nnodes;

    most = tg_led_raised(&t->e, t->e.limit, h->now) / TG_LED_SHARE
           / (nodes > 0 ? nodes : 1);

    if (f->flow_at == 0 || age < 0 || age > TG_LED_AHEAD * 4) {
        size = tg_led_add(t->hold * TG_LED_FIRST, 0);

    } else {
        age = age > 0 ? age : 1;
        want = (int64_t) ((__int128) f->flow * TG_LED_AHEAD / age
                          > TG_LEDGER_FLEET_MAX
                          ? TG_LEDGER_FLEET_MAX
                          : (__int128) f->flow * TG_LED_AHEAD / age);
        size = want > size * 4 ? size * 4 : want < size / 2 ? size / 2 : want;
    }

    f->flow = 0;
    f->flow_at = h->now;
    f->size = size < most ? size : most;
}


/* How much is asked for, of what has to be and of what may be. */
static void
tg_led_holding_ask(tg_led_holding_t *h)
{
    tg_led_take_t  *t;

    for (unsigned i = 0; i < h->n; i++) {
        t = &h->take[i];
        t->want = t->need;

        if (t->dry) {
            continue;
        }

        if (h->strict) {
            t->asked = true;
            continue;
        }

        t->asked = t->verdict == TG_LEDGER_ASK;

        if (t->asked) {
            tg_led_take_size(h, t);
        }

        if (tg_led_is_tight(h->led, &t->e, &t->f, h->now)
            || t->f.pend >= t->f.size)
        {
            continue;
        }

        if (t->asked) {
            t->want = tg_led_add(t->need, t->f.size);

        } else if (t->f.slice - t->have < t->f.size / 2) {
            t->asked = true;
            t->want = t->f.size - (t->f.slice - t->have);
        }
    }
}


static int
tg_led_holding_down(tg_led_holding_t *h)
{
    int             rc;
    tg_led_take_t  *t;

    for (unsigned i = 0; i < h->n; i++) {
        t = &h->take[i];

        if (t->verdict != TG_LEDGER_ASK) {
            continue;
        }

        rc = tg_led_fleet_down(h->led, &t->e, &t->f, t->need, h->now);

        if (rc != TG_LEDGER_OK) {
            h->r->item = i;
            return rc;
        }
    }

    for (unsigned i = 0; i < h->n; i++) {
        t = &h->take[i];

        if (t->verdict == TG_LEDGER_ASK) {
            t->verdict = TG_LEDGER_OK;
            t->unbacked = t->need;
            t->have = t->hold;
            t->need = 0;
        }
    }

    h->led->head->unbacked++;

    return TG_LEDGER_OK;
}


static void
tg_led_take_write(tg_led_holding_t *h, unsigned i, tg_led_slot_t *s,
    tg_led_fslot_t *fs, bool ask, tg_ledger_message_t *msg)
{
    tg_ledger_t               *led = h->led;
    tg_led_take_t             *t = &h->take[i];
    tg_led_item_t             *si = &s->items[i];
    tg_led_fent_t             *f;
    tg_led_entry_t            *e;
    tg_ledger_message_item_t  *m;

    tg_led_mark(led, t->index);
    e = tg_led_image(led, &led->entries[t->index - 1], sizeof(*e));
    *e = t->e;
    f = tg_led_image(led, &led->fents[t->index - 1], sizeof(*f));
    *f = t->f;

    e->opens++;
    e->held = tg_led_add(e->held, t->have);
    f->slice -= t->have - t->unbacked;
    f->flow = tg_led_add(f->flow, t->hold);
    f->flow_at = f->flow_at == 0 ? h->now : f->flow_at;
    f->last = h->now;

    if (f->idle_ms != 0) {
        tg_led_touch(e, h->now, f->idle_ms);
    }

    si->entry = t->index;
    si->window = e->window;
    si->amount = t->have;
    si->flags = (h->items[i].flags & TG_LEDGER_CONCURRENT)
                ? TG_LED_ITEM_CONCURRENT : 0;
    si->flags |= t->unbacked != 0 ? TG_LED_ITEM_UNBACKED : 0;
    si->flags |= t->dry ? TG_LED_ITEM_DRY : 0;
    si->flags |= (uint32_t) ((f->idle_ms + 999) / 1000) << TG_LED_ITEM_SHIFT;

    if (fs != NULL) {
        fs->unbacked[i] = t->unbacked;
        fs->need[i] = t->need;
        fs->want[i] = t->asked ? t->want : 0;
    }

    if (!ask || !t->asked) {
        return;
    }

    if (h->strict) {
        f->slice = 0;           /* refunds ride on the message */
    }

    fs->asked = (uint16_t) (fs->asked | 1U << i);
    m = &msg->items[msg->n++];
    tg_led_fleet_say(e, f, msg->seq, h->now, m);
    m->want = t->want;
    m->required = t->verdict == TG_LEDGER_ASK;
    fs->required = (uint16_t) (fs->required | (unsigned) m->required << i);
    m->hold = m->required ? t->hold : 0;
    m->need = m->required ? t->need : 0;
    f->pend = tg_led_add(f->pend, t->want);
}


/* The fleet's part of the slot, where it needs one; with a message its number.
 */
static tg_led_fslot_t *
tg_led_holding_fslot(tg_led_holding_t *h, uint32_t i, bool ask,
    tg_ledger_message_t *msg)
{
    bool             needed = ask;
    tg_led_fvars_t  *fv;
    tg_led_fslot_t  *fs;

    for (unsigned k = 0; k < h->n; k++) {
        needed = needed || h->take[k].unbacked != 0;
    }

    if (!needed) {
        return NULL;
    }

    fs = tg_led_image(h->led, &h->led->fslots[i], sizeof(*fs));
    memset(fs, 0, sizeof(*fs));

    if (ask) {
        fv = tg_led_image(h->led, &h->led->head->fvars, sizeof(*fv));
        tg_led_fleet_number(h->led, fv, TG_LEDGER_MSG_ASK, msg);
        msg->slot = h->r->slot;
        fs->seq = msg->seq;
        fs->epoch = fv->epoch;
        fs->kind = TG_LEDGER_MSG_ASK;
    }

    return fs;
}


/* The slot is ASKING, or OPEN where nothing is to be asked. */
static int
tg_led_holding_commit(tg_led_holding_t *h, bool ask, tg_ledger_message_t *msg)
{
    int              rc;
    void            *p;
    tg_ledger_t     *led = h->led;
    tg_led_vars_t   *vars;
    tg_led_slot_t   *s, *slot;
    tg_led_fslot_t  *fs;

    tg_led_begin(led);
    vars = tg_led_image(led, &led->head->vars, sizeof(*vars));

    rc = tg_led_slot_take(led, vars, &slot);
    if (rc != TG_LEDGER_OK) {
        h->r->item = h->n;
        return rc;
    }

    s = tg_led_image(led, slot, offsetof(tg_led_slot_t, items)
                                + h->n * sizeof(tg_led_item_t));
    s->owner = led->me;
    s->gen++;
    s->admitted = h->now;
    s->state = ask ? TG_LED_ASKING : TG_LED_OPEN;
    s->sent = 0;
    s->next = 0;
    s->nitems = (uint16_t) h->n;
    s->blob_len = (uint16_t) h->len;
    s->recovered = 0;
    s->said = 0;

    h->r->slot.gen = s->gen;
    h->r->slot.index = (uint32_t) (slot - led->slots) + 1;

    fs = tg_led_holding_fslot(h, (uint32_t) (slot - led->slots), ask, msg);

    for (unsigned i = 0; i < h->n; i++) {
        tg_led_take_write(h, i, s, fs, ask, msg);
        h->r->states[i].held = tg_led_add(h->r->states[i].held,
                                          h->take[i].have);
    }

    if (h->len != 0) {
        p = tg_led_image(led, slot->blob, h->len);
        memcpy(p, h->blob, h->len);
    }

    tg_led_commit(led);
    led->head->asks += ask;

    return ask ? TG_LEDGER_ASK : TG_LEDGER_OK;
}


static int
tg_led_holding(tg_led_holding_t *h, tg_ledger_message_t *msg)
{
    int                    rc;
    const tg_led_fvars_t  *fv = &h->led->head->fvars;

    for (unsigned i = 0; i < h->n; i++) {
        rc = tg_led_take_begin(h, i);

        if (rc != TG_LEDGER_OK) {
            return rc;
        }
    }

    rc = tg_led_holding_verdict(h);

    if (rc == TG_LEDGER_REFUSED) {
        tg_led_fleet_refuse(h);
        return rc;
    }

    if (fv->retired) {
        return TG_LEDGER_RETIRED;
    }

    if (rc == TG_LEDGER_ASK && fv->down != 0) {
        rc = tg_led_holding_down(h);

    } else if (rc == TG_LEDGER_ASK && !fv->joined) {
        rc = TG_LEDGER_PARK;
    }

    if (rc == TG_LEDGER_OK) {
        return tg_led_holding_commit(h, false, msg);
    }

    if (rc == TG_LEDGER_ASK) {
        tg_led_holding_ask(h);
        return tg_led_holding_commit(h, true, msg);
    }

    return rc;
}


int
tg_ledger_fleet_hold(tg_ledger_t *led, int64_t now,
    const tg_ledger_item_t *items, unsigned n, const void *blob, size_t len,
    tg_ledger_result_t *r, tg_ledger_message_t *msg)
{
    int               rc;
    tg_led_holding_t  h;

    r->slot = (tg_ledger_slot_t) { 0, 0 };
    r->item = 0;
    r->nstates = 0;

    if (!tg_led_is_valid(items, n, len) || led->fents == NULL
        || led->fleet == NULL)
    {
        return TG_LEDGER_BAD;
    }

    h.led = led;
    h.now = now;
    h.items = items;
    h.n = n;
    h.blob = blob;
    h.len = len;
    h.r = r;
    memset(h.take, 0, n * sizeof(h.take[0]));

    rc = tg_led_lock(led);
    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    h.strict = led->fleet->lease == TG_LEASE_STRICT
               || led->head->fvars.drain != 0;
    rc = tg_led_holding(&h, msg);

    if (rc == TG_LEDGER_FULL) {
        led->head->full++;
    }

    tg_led_unlock(led);

    if (rc == TG_LEDGER_FULL || rc == TG_LEDGER_BAD) {
        r->nstates = 0;
    }

    return rc;
}
