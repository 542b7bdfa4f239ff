#include "tg_ledger_int.h"

#define TG_LED_LOOK   4096      /* entries looked at under one lock */
#define TG_LED_LOOKS  16        /* locks of one tick */
#define TG_LED_BEAT   4         /* ticks after which an idle node is heard of */

/* What a round of looking has found. */
typedef struct {
    tg_ledger_t          *led;
    int64_t               now;
    tg_led_fvars_t       *fv;
    tg_led_slot_t        *slot;         /* NULL until something is to be said */
    tg_led_slot_t        *s;
    tg_led_fslot_t       *fs;
    tg_ledger_message_t  *msg;
    bool                  hello;
} tg_led_round_t;


static int
tg_led_round_slot(tg_led_round_t *d)
{
    int             rc;
    tg_ledger_t    *led = d->led;
    tg_led_vars_t  *vars;

    if (d->slot != NULL) {
        return TG_LEDGER_OK;
    }

    vars = tg_led_image(led, &led->head->vars, sizeof(*vars));
    rc = tg_led_slot_take(led, vars, &d->slot);

    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    d->s = tg_led_image(led, d->slot, sizeof(*d->s) - sizeof(d->s->blob));
    d->fs = tg_led_image(led, &led->fslots[d->slot - led->slots],
                         sizeof(*d->fs));
    d->s->owner = led->me;
    d->s->gen++;
    d->s->admitted = d->now;
    d->s->state = TG_LED_ASKING;
    d->s->sent = 0;
    d->s->next = 0;
    d->s->nitems = 0;
    d->s->blob_len = 0;
    d->s->recovered = 0;
    d->s->said = 0;
    memset(d->fs, 0, sizeof(*d->fs));

    tg_led_fleet_number(led, d->fv, d->hello ? TG_LEDGER_MSG_HELLO
                                             : TG_LEDGER_MSG_REPORT, d->msg);
    d->msg->slot.gen = d->s->gen;
    d->msg->slot.index = (uint32_t) (d->slot - led->slots) + 1;
    d->fs->seq = d->msg->seq;
    d->fs->epoch = d->fv->epoch;
    d->fs->kind = d->msg->kind;

    return TG_LEDGER_OK;
}


/* One more item of the slot and of the message. */
static tg_ledger_message_item_t *
tg_led_round_item(tg_led_round_t *d, uint32_t index, int64_t window)
{
    unsigned        i = d->s->nitems++;
    tg_led_item_t  *it = &d->s->items[i];

    it->entry = index;
    it->flags = 0;
    it->window = window;
    it->amount = 0;
    d->fs->asked = (uint16_t) (d->fs->asked | 1U << i);

    return &d->msg->items[d->msg->n++];
}


/* What a node that is not near the cap keeps, and what it asks for ahead. */
static int64_t
tg_led_round_slice(tg_led_round_t *d, tg_led_entry_t *e, tg_led_fent_t *f)
{
    bool  ahead = d->led->fleet->lease == TG_LEASE_AHEAD && !d->fv->drain;

    if (!ahead || d->now - f->last >= d->led->fleet->idle_ms
        || f->last - d->now >= d->led->fleet->idle_ms
        || (e->flags & TG_LED_CLOSED)
        || tg_led_is_tight(d->led, e, f, d->now))
    {
        f->slice = 0;
        return 0;
    }

    if (f->slice / 2 > f->size) {
        f->slice = f->size;
    }

    if (f->pend == 0 && d->fv->open && f->slice < f->size / 2
        && f->idle_ms == 0 && d->now < e->until)
    {
        return f->size - f->slice;
    }

    return 0;
}


static void
tg_led_round_say(tg_led_round_t *d, uint32_t index)
{
    int64_t                    want = 0;
    tg_led_fent_t             *f;
    tg_led_entry_t            *e;
    tg_ledger_message_item_t  *m;

    e = tg_led_image(d->led, &d->led->entries[index - 1], sizeof(*e));
    f = tg_led_image(d->led, &d->led->fents[index - 1], sizeof(*f));

    /* A slice of an idle window that may have ended is nothing. */
    if (!d->hello) {
        want = tg_led_round_slice(d, e, f);
    }

    m = tg_led_round_item(d, index, e->window);
    tg_led_fleet_say(e, f, d->msg->seq, d->now, m);
    m->want = want;
    d->fs->want[d->s->nitems - 1] = want;
    f->pend = tg_led_add(f->pend, want);
    e->opens++;
}


/* Of the window before: what it has come to. */
static void
tg_led_round_say_before(tg_led_round_t *d, uint32_t index)
{
    tg_led_fent_t             *f;
    tg_led_entry_t            *e;
    tg_ledger_message_item_t  *m;

    e = tg_led_image(d->led, &d->led->entries[index - 1], sizeof(*e));
    f = tg_led_image(d->led, &d->led->fents[index - 1], sizeof(*f));
    m = tg_led_round_item(d, index, e->before);

    memset(m, 0, sizeof(*m));
    memcpy(m->key, e->key, sizeof(m->key));
    m->window.start = e->before;
    m->window.end = e->window;
    m->limit = e->limit < TG_LEDGER_FLEET_MAX ? e->limit
                                              : TG_LEDGER_FLEET_MAX;
    m->cap = e->cap < TG_LEDGER_FLEET_MAX ? e->cap : TG_LEDGER_FLEET_MAX;
    m->used = e->pused < TG_LEDGER_FLEET_MAX ? e->pused : TG_LEDGER_FLEET_MAX;
    m->owned = tg_led_add(e->pused, e->pheld);
    m->owned = m->owned < TG_LEDGER_FLEET_MAX ? m->owned : TG_LEDGER_FLEET_MAX;

    f->ptold = 0;               /* a settle from here on makes it -1 */
    f->asked = d->now;
    e->opens++;
}


static bool
tg_led_round_is_full(const tg_led_round_t *d)
{
    return d->slot != NULL && d->msg->n == TG_LEDGER_ITEMS_MAX;
}


/* An entry in the round. Whether something is to be said of it at all. */
static int
tg_led_round_look(tg_led_round_t *d, uint32_t i)
{
    int                    rc;
    bool                   now, before;
    tg_led_fent_t         *f = &d->led->fents[i];
    const tg_led_entry_t  *e = &d->led->entries[i];

    if ((e->flags & TG_LED_USED) == 0) {
        return TG_LEDGER_NONE;
    }

    if (d->hello) {
        now = f->view_epoch != d->fv->epoch
              && (tg_led_owned(e, f) != 0 || f->mine != 0 || e->crossed != 0);
        before = false;
        d->fv->unsaid |= now;

    } else {
        now = f->slice != 0 || tg_led_is_now_untold(e, f, d->fv->epoch);
        before = tg_led_is_before_untold(e, f, d->fv->epoch);
    }

    if (!now && !before) {
        return TG_LEDGER_NONE;
    }

    /* Its last message may still be answered. */
    if (f->sent != f->seen && d->now - f->asked < d->led->fleet->timeout_ms
        && f->asked - d->now < d->led->fleet->timeout_ms)
    {
        return TG_LEDGER_PARK;
    }

    rc = tg_led_round_slot(d);
    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    if (now) {
        tg_led_round_say(d, i + 1);

    } else {
        tg_led_round_say_before(d, i + 1);
    }

    return TG_LEDGER_OK;
}


/*
 * On from where the last look ended.  In reports, by the bits of the entries
 * that have changed; a bit goes when its entry has nothing more to tell.
 */
static int
tg_led_round_entries(tg_led_round_t *d)
{
    int              rc = TG_LEDGER_OK;
    uint32_t         fresh = d->led->head->vars.fresh_entry, i, steps = 0;
    uint64_t        *word;
    const uint64_t   one = 1;

    fresh = fresh < d->led->nentries ? fresh : d->led->nentries;

    for (i = d->fv->cursor; i < fresh && steps < TG_LED_LOOK; steps++) {
        word = &d->led->dirty[i / 64];

        if (!d->hello && (*word >> i % 64) == 0) {
            i = (i / 64 + 1) * 64;
            continue;
        }

        if (d->hello || (*word & one << i % 64)) {
            rc = tg_led_round_look(d, i);

            if (rc == TG_LEDGER_NONE && !d->hello) {
                *word &= ~(one << i % 64);

            } else if (rc == TG_LEDGER_FULL || rc == TG_LEDGER_BAD) {
                return rc;
            }
        }

        i++;

        if (tg_led_round_is_full(d)) {
            break;
        }
    }

    d->fv->cursor = i < fresh ? i : UINT32_MAX;

    return TG_LEDGER_OK;
}


static void
tg_led_tick_join(tg_ledger_t *led, int64_t now, tg_led_fvars_t *fv,
    tg_ledger_message_t *msg)
{
    msg->slot = (tg_ledger_slot_t) { 0, 0 };
    tg_led_fleet_number(led, fv, TG_LEDGER_MSG_JOIN, msg);
    fv->join_at = now + led->fleet->timeout_ms;
    msg->nnodes = fv->nnodes;
    memcpy(msg->nodes, led->head->nodes, fv->nnodes * sizeof(msg->nodes[0]));
}


/* A message without items: the fleet hears of the node, the node of epochs. */
static void
tg_led_tick_beat(tg_ledger_t *led, int64_t now, tg_led_fvars_t *fv,
    tg_ledger_message_t *msg)
{
    msg->slot = (tg_ledger_slot_t) { 0, 0 };
    tg_led_fleet_number(led, fv, TG_LEDGER_MSG_REPORT, msg);
    fv->beat_at = now + led->fleet->tick_ms * TG_LED_BEAT;
}


/* The clock may be set back. */
static bool
tg_led_is_due(int64_t at, int64_t now)
{
    return now >= at || at - now > 60000;
}


/* OK: look again. */
static int
tg_led_tick_end(tg_led_round_t *d)
{
    tg_led_fvars_t  *fv = d->fv;

    if (d->hello) {
        fv->cursor = 0;

        if (fv->unsaid) {
            fv->unsaid = 0;
            fv->tick_at = d->now + d->led->fleet->tick_ms / 4;
            return TG_LEDGER_NONE;
        }

        if (!tg_led_is_due(fv->join_at, d->now)) {
            return TG_LEDGER_NONE;
        }

        tg_led_tick_join(d->led, d->now, fv, d->msg);
        return TG_LEDGER_ASK;
    }

    if (tg_led_is_due(fv->beat_at, d->now)) {
        tg_led_tick_beat(d->led, d->now, fv, d->msg);
        return TG_LEDGER_ASK;
    }

    return TG_LEDGER_NONE;
}


/* While the store does not answer it gets one message a tick. */
static int
tg_led_tick_down(tg_led_round_t *d)
{
    if (!tg_led_is_due(d->fv->tick_at, d->now)) {
        return TG_LEDGER_NONE;
    }

    d->fv->tick_at = d->now + d->led->fleet->tick_ms;
    d->fv->cursor = 0;
    tg_led_tick_beat(d->led, d->now, d->fv, d->msg);

    return TG_LEDGER_ASK;
}


static int
tg_led_tick(tg_led_round_t *d)
{
    int              rc;
    tg_led_fvars_t  *fv = d->fv;

    if (fv->retired) {
        return TG_LEDGER_RETIRED;
    }

    if (fv->down != 0 || fv->epoch == 0) {
        return tg_led_tick_down(d);
    }

    d->hello = !fv->joined;

    if (fv->cursor == UINT32_MAX || fv->cursor == 0) {
        if (!tg_led_is_due(fv->tick_at, d->now)) {
            return TG_LEDGER_NONE;
        }

        fv->cursor = 0;
        fv->tick_at = d->hello ? 0 : d->now + d->led->fleet->tick_ms;
        fv->unsaid = 0;
    }

    rc = tg_led_round_entries(d);
    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    if (d->slot != NULL) {
        return TG_LEDGER_ASK;
    }

    return fv->cursor == UINT32_MAX ? tg_led_tick_end(d) : TG_LEDGER_OK;
}


int
tg_ledger_fleet_tick(tg_ledger_t *led, int64_t now, tg_ledger_message_t *msg)
{
    int             rc;
    tg_led_round_t  d;

    if (led->fents == NULL || led->fleet == NULL) {
        return TG_LEDGER_BAD;
    }

    for (unsigned n = 0; n < TG_LED_LOOKS; n++) {
        rc = tg_led_lock(led);
        if (rc != TG_LEDGER_OK) {
            return rc;
        }

        memset(&d, 0, sizeof(d));
        d.led = led;
        d.now = now;
        d.msg = msg;

        tg_led_begin(led);
        d.fv = tg_led_image(led, &led->head->fvars, sizeof(*d.fv));
        rc = tg_led_tick(&d);

        if (rc == TG_LEDGER_ASK || rc == TG_LEDGER_NONE
            || rc == TG_LEDGER_OK)
        {
            tg_led_commit(led);
        }

        if (rc == TG_LEDGER_ASK) {
            led->head->reports += !d.hello;
            led->head->hellos += d.hello;
        }

        tg_led_unlock(led);

        if (rc != TG_LEDGER_OK) {
            return rc == TG_LEDGER_FULL ? TG_LEDGER_NONE : rc;
        }
    }

    return TG_LEDGER_NONE;
}
