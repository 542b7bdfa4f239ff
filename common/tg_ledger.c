#include "tg_ledger_int.h"

bool
tg_led_is_valid(const tg_ledger_item_t *items, unsigned n, size_t len)
{
    uint64_t  a[TG_LEDGER_ITEMS_MAX][2];

    if (n == 0 || n > TG_LEDGER_ITEMS_MAX || len > TG_LEDGER_BLOB_MAX) {
        return false;
    }

    for (unsigned i = 0; i < n; i++) {
        if (!tg_led_item_valid(&items[i])) {
            return false;
        }

        memcpy(a[i], items[i].key, sizeof(a[i]));

        for (unsigned k = 0; k < i; k++) {
            if (a[k][0] == a[i][0] && a[k][1] == a[i][1]) {
                return false;
            }
        }
    }

    return true;
}


/* By subtraction, and in two steps: nothing can wrap. */
static int
tg_led_decide(const tg_ledger_item_t *item, const tg_ledger_state_t *st)
{
    int64_t  left = st->limit - st->used;

    if (st->latched || left < item->amount
        || item->amount > TG_LEDGER_AMOUNT_MAX)
    {
        return TG_LEDGER_REFUSED;
    }

    return left - item->amount < st->held ? TG_LEDGER_PARK : TG_LEDGER_OK;
}


/* Looks at all items as they are. TG_LEDGER_OK: they fit; index[i] is 0 where
 * the entry is not there yet. */
static int
tg_led_look(const tg_ledger_t *led, int64_t now, const tg_ledger_item_t *items,
    unsigned n, uint32_t *index, tg_ledger_result_t *r)
{
    int                    rc = TG_LEDGER_OK, one;
    tg_ledger_state_t     *st;
    const tg_led_entry_t  *e;

    for (unsigned i = 0; i < n; i++) {
        st = &r->states[i];
        index[i] = tg_led_find(led, items[i].key);

        if (index[i] == UINT32_MAX) {
            return TG_LEDGER_BAD;
        }

        e = index[i] != 0 ? &led->entries[index[i] - 1] : NULL;
        tg_led_view(e, &items[i], now, st);

        if (e != NULL && led->fents != NULL && st->window == e->window) {
            st->used = tg_led_add(st->used, led->fents[index[i] - 1].oused);
            st->held = tg_led_add(st->held, led->fents[index[i] - 1].oowned);
        }

        one = tg_led_decide(&items[i], st);

        if (one == TG_LEDGER_OK) {
            continue;
        }

        if (items[i].flags & TG_LEDGER_DRY_RUN) {
            st->dry = true;

        } else if (rc == TG_LEDGER_OK
                   || (one == TG_LEDGER_REFUSED
                       && (rc == TG_LEDGER_PARK
                           || st->reset > r->states[r->item].reset)))
        {
            rc = one;
            r->item = i;
        }
    }

    r->nstates = n;

    return rc;
}


/* What a refusal leaves behind: latches, alerts of 100%. */
static void
tg_led_refuse(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *items,
    unsigned n, const uint32_t *index, tg_ledger_result_t *r)
{
    bool             latch, any = false;
    tg_led_entry_t  *e, copy;

    tg_led_begin(led);

    for (unsigned i = 0; i < n; i++) {
        if (index[i] == 0 || (items[i].flags & TG_LEDGER_DRY_RUN)
            || tg_led_decide(&items[i], &r->states[i]) != TG_LEDGER_REFUSED)
        {
            continue;
        }

        copy = led->entries[index[i] - 1];
        latch = (items[i].flags & TG_LEDGER_LATCH)
                && !(copy.flags & TG_LED_CLOSED);
        tg_led_declare(&copy, &items[i]);

        if (items[i].idle_ms == 0) {
            tg_led_roll(&copy, &items[i], now);
        }

        r->states[i].crossed = tg_led_cross(&copy, now, true);

        if (latch) {
            copy.flags |= TG_LED_CLOSED;
            copy.crossed |= TG_LEDGER_LATCHED;
            copy.pending |= TG_LEDGER_LATCHED;
            r->states[i].crossed |= TG_LEDGER_LATCHED;
            r->states[i].latched = true;
        }

        if (latch || r->states[i].crossed != 0) {
            e = tg_led_image(led, &led->entries[index[i] - 1], sizeof(*e));
            *e = copy;
            any = true;
        }
    }

    if (any) {
        tg_led_commit(led);
    }
}


int
tg_led_slot_take(tg_ledger_t *led, tg_led_vars_t *vars, tg_led_slot_t **slot)
{
    uint32_t  i = vars->free_slot;

    if (i == 0) {
        if (vars->fresh_slot >= led->nslots) {
            return TG_LEDGER_FULL;
        }

        i = ++vars->fresh_slot;

    } else if (i > led->nslots || led->slots[i - 1].state != TG_LED_FREE) {
        return TG_LEDGER_BAD;

    } else {
        vars->free_slot = led->slots[i - 1].next;
    }

    vars->nbusy++;
    *slot = &led->slots[i - 1];

    return TG_LEDGER_OK;
}


static int64_t
tg_led_hold_entry(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *item,
    uint32_t index, tg_led_item_t *si, tg_ledger_state_t *st)
{
    tg_led_entry_t  *e;

    e = tg_led_image(led, &led->entries[index - 1], sizeof(*e));
    tg_led_declare(e, item);
    tg_led_roll(e, item, now);
    e->opens++;

    si->entry = index;
    si->window = e->window;
    si->amount = item->amount < TG_LEDGER_AMOUNT_MAX ? item->amount
                                                     : TG_LEDGER_AMOUNT_MAX;
    si->flags = (item->flags & TG_LEDGER_CONCURRENT)
                ? TG_LED_ITEM_CONCURRENT : 0;
    si->flags |= (uint32_t) ((item->idle_ms + 999) / 1000)
                 << TG_LED_ITEM_SHIFT;

    e->held = tg_led_add(e->held, si->amount);
    st->held = e->held;
    st->window = e->window;
    st->reset = e->until;
    st->crossed = tg_led_cross(e, now, st->dry);

    return e->held;
}


static int
tg_led_debit(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *items,
    unsigned n, const uint32_t *index, const void *blob, size_t len,
    tg_ledger_result_t *r)
{
    int             rc;
    size_t          size = offsetof(tg_led_slot_t, items)
                           + n * sizeof(tg_led_item_t);
    void           *p;
    tg_led_vars_t  *vars;
    tg_led_slot_t  *s, *slot;

    tg_led_begin(led);
    vars = tg_led_image(led, &led->head->vars, sizeof(*vars));

    rc = tg_led_slot_take(led, vars, &slot);
    if (rc != TG_LEDGER_OK) {
        r->item = n;
        return rc;
    }

    s = tg_led_image(led, slot, size);
    s->owner = led->me;
    s->gen++;
    s->admitted = now;
    s->state = TG_LED_OPEN;
    s->sent = 0;
    s->next = 0;
    s->nitems = (uint16_t) n;
    s->blob_len = (uint16_t) len;
    s->recovered = 0;
    s->said = 0;

    for (unsigned i = 0; i < n; i++) {
        tg_led_hold_entry(led, now, &items[i], index[i], &s->items[i],
                          &r->states[i]);
    }

    if (len != 0) {
        p = tg_led_image(led, slot->blob, len);
        memcpy(p, blob, len);
    }

    r->slot.gen = s->gen;
    r->slot.index = (uint32_t) (slot - led->slots) + 1;
    tg_led_commit(led);

    return TG_LEDGER_OK;
}


static int
tg_led_hold(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *items,
    unsigned n, const void *blob, size_t len, tg_ledger_result_t *r)
{
    int       rc;
    uint32_t  index[TG_LEDGER_ITEMS_MAX];

    rc = tg_led_look(led, now, items, n, index, r);

    if (rc == TG_LEDGER_REFUSED) {
        tg_led_refuse(led, now, items, n, index, r);
    }

    for (unsigned i = 0; i < n && rc == TG_LEDGER_OK; i++) {
        if (index[i] == 0) {
            rc = tg_led_create(led, now, &items[i], index, n, &index[i]);
            r->item = i;
        }
    }

    if (rc == TG_LEDGER_OK) {
        rc = tg_led_debit(led, now, items, n, index, blob, len, r);
    }

    if (rc == TG_LEDGER_FULL) {
        led->head->full++;
    }

    return rc;
}


int
tg_ledger_hold(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *items,
    unsigned n, const void *blob, size_t len, tg_ledger_result_t *r)
{
    int  rc;

    r->slot = (tg_ledger_slot_t) { 0, 0 };
    r->item = 0;
    r->nstates = 0;

    if (!tg_led_is_valid(items, n, len) || led->fents != NULL) {
        return TG_LEDGER_BAD;
    }

    for (unsigned i = 0; i < n; i++) {
        tg_led_prefetch(led, items[i].key, false);
    }

    for (unsigned i = 0; i < n; i++) {
        tg_led_prefetch(led, items[i].key, true);
    }

    rc = tg_led_lock(led);
    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    rc = tg_led_hold(led, now, items, n, blob, len, r);
    tg_led_unlock(led);

    if (rc == TG_LEDGER_FULL || rc == TG_LEDGER_BAD) {
        r->nstates = 0;
    }

    return rc;
}


int
tg_ledger_look(const tg_ledger_t *led, int64_t now,
    const tg_ledger_item_t *items, unsigned n, tg_ledger_result_t *r)
{
    int       rc = TG_LEDGER_BAD;
    bool      sound = false;
    uint32_t  index[TG_LEDGER_ITEMS_MAX];
    uint64_t  seq;

    memset(r, 0, sizeof(*r));

    if (!tg_led_is_valid(items, n, 0)) {
        return TG_LEDGER_BAD;
    }

    for (unsigned i = 0; i < TG_LED_READ_AGAIN && !sound; i++) {
        seq = tg_led_read_begin(led);
        r->item = 0;
        rc = tg_led_look(led, now, items, n, index, r);
        sound = tg_led_read_end(led, seq);
    }

    return rc;
}


tg_led_slot_t *
tg_led_slot(const tg_ledger_t *led, tg_ledger_slot_t slot, uint32_t state)
{
    tg_led_slot_t  *s;

    if (slot.index == 0 || slot.index > led->nslots) {
        return NULL;
    }

    s = &led->slots[slot.index - 1];

    return s->gen == slot.gen && s->owner == led->me && s->state == state
           ? s : NULL;
}


int
tg_ledger_sent(tg_ledger_t *led, tg_ledger_slot_t slot)
{
    tg_led_slot_t  *s = tg_led_slot(led, slot, TG_LED_OPEN);

    if (s == NULL) {
        return TG_LEDGER_STALE;
    }

    __atomic_store_n(&s->sent, 1, __ATOMIC_RELEASE);

    return TG_LEDGER_OK;
}


int
tg_led_slot_settle(tg_ledger_t *led, int64_t now, tg_led_slot_t *slot,
    const int64_t *actual, const void *blob, size_t len,
    tg_ledger_state_t *states)
{
    void               *p;
    int64_t             act;
    tg_led_item_t      *si;
    tg_led_slot_t      *s;
    tg_led_entry_t     *e;
    bool                recovered = actual == NULL;
    tg_ledger_state_t   st;

    if (slot->nitems > TG_LEDGER_ITEMS_MAX
        || slot->said_len > TG_LEDGER_BLOB_MAX)
    {
        return TG_LEDGER_BAD;
    }

    if (actual == NULL && slot->said) {
        actual = slot->said_actual;
        blob = slot->said_blob;
        len = slot->said_len;
    }

    tg_led_begin(led);
    s = tg_led_image(led, slot, offsetof(tg_led_slot_t, items)
                                + slot->nitems * sizeof(tg_led_item_t));
    s->owner = led->me;
    s->state = TG_LED_FINAL;
    s->recovered = recovered;

    for (unsigned i = 0; i < s->nitems; i++) {
        si = &s->items[i];

        if (si->entry == 0 || si->entry > led->nentries) {
            return TG_LEDGER_BAD;
        }

        act = actual != NULL ? actual[i] : s->sent ? si->amount : 0;

        if (si->flags & TG_LED_ITEM_CONCURRENT) {
            act = 0;
        }

        e = tg_led_image(led, &led->entries[si->entry - 1], sizeof(*e));

        if (!tg_led_entry_settle(e, si, now, act, states ? &states[i] : &st)) {
            led->head->broken++;
        }

        if (led->fents != NULL) {
            tg_led_fleet_settle(led, slot, i, act);
        }

        si->amount = act;
    }

    if (blob != NULL) {
        s->blob_len = (uint16_t) len;
        p = tg_led_image(led, slot->blob, len);
        memcpy(p, blob, len);
    }

    tg_led_commit(led);

    return TG_LEDGER_OK;
}


/*
 * The lock is not to be had, and the call's line will say what it has cost: so
 * does the slot, if the process dies before it can settle.
 */
static void
tg_led_say(tg_ledger_t *led, tg_ledger_slot_t slot, const int64_t *actual,
    unsigned n, const void *blob, size_t len)
{
    tg_led_slot_t  *s = tg_led_slot(led, slot, TG_LED_OPEN);

    if (s == NULL || blob == NULL || s->nitems != n || s->said) {
        return;
    }

    memcpy(s->said_actual, actual, n * sizeof(int64_t));
    memcpy(s->said_blob, blob, len);
    s->said_len = (uint32_t) len;
    __atomic_store_n(&s->said, 1, __ATOMIC_RELEASE);
}


int
tg_ledger_settle(tg_ledger_t *led, int64_t now, tg_ledger_slot_t slot,
    const int64_t *actual, unsigned n, const void *blob, size_t len,
    tg_ledger_result_t *r)
{
    int             rc;
    tg_led_slot_t  *s;

    if (r != NULL) {
        r->nstates = 0;
        r->item = 0;
        r->slot = slot;
    }

    if (n > TG_LEDGER_ITEMS_MAX || len > TG_LEDGER_BLOB_MAX) {
        return TG_LEDGER_BAD;
    }

    for (unsigned i = 0; i < n; i++) {
        if (actual[i] < 0) {
            return TG_LEDGER_BAD;
        }
    }

    rc = tg_led_lock(led);
    if (rc != TG_LEDGER_OK) {
        if (rc == TG_LEDGER_BUSY) {
            tg_led_say(led, slot, actual, n, blob, len);
        }
        return rc;
    }

    s = tg_led_slot(led, slot, TG_LED_OPEN);

    if (s == NULL) {
        rc = TG_LEDGER_STALE;

    } else if (s->nitems != n) {
        rc = TG_LEDGER_BAD;

    } else {
        rc = tg_led_slot_settle(led, now, s, actual, blob, len,
                                r != NULL ? r->states : NULL);
    }

    tg_led_unlock(led);

    if (rc == TG_LEDGER_OK && r != NULL) {
        r->nstates = n;
    }

    return rc;
}


void
tg_led_slot_free(tg_ledger_t *led, tg_led_slot_t *slot)
{
    tg_led_slot_t  *s;
    tg_led_vars_t  *vars;

    tg_led_begin(led);
    vars = tg_led_image(led, &led->head->vars, sizeof(*vars));
    s = tg_led_image(led, slot, offsetof(tg_led_slot_t, items));
    s->state = TG_LED_FREE;
    s->owner = 0;
    s->next = vars->free_slot;
    vars->free_slot = (uint32_t) (slot - led->slots) + 1;
    vars->nbusy -= vars->nbusy > 0;
    tg_led_commit(led);
}


int
tg_ledger_line_written(tg_ledger_t *led, const tg_ledger_slot_t *slots,
    unsigned n)
{
    int             rc;
    tg_led_slot_t  *s;

    rc = tg_led_lock(led);
    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    for (unsigned i = 0; i < n; i++) {
        s = tg_led_slot(led, slots[i], TG_LED_FINAL);

        if (s != NULL) {
            tg_led_slot_free(led, s);
        }
    }

    tg_led_unlock(led);

    return TG_LEDGER_OK;
}
