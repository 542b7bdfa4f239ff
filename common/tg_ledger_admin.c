#include "tg_ledger_int.h"

#define TG_LED_EPOCH_BATCH  1024


int
tg_ledger_reserve_begin(tg_ledger_t *led, uint32_t *epoch)
{
    int             rc = tg_led_lock(led);
    tg_led_vars_t  *vars;

    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    tg_led_begin(led);
    vars = tg_led_image(led, &led->head->vars, sizeof(*vars));
    vars->epoch += vars->epoch < UINT32_MAX;
    *epoch = vars->epoch;
    tg_led_commit(led);
    tg_led_unlock(led);

    return TG_LEDGER_OK;
}


/* Under the lock: the item's entry, made where there is none. */
static int
tg_led_entry(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *item,
    uint32_t *index)
{
    int  rc = TG_LEDGER_OK;

    *index = tg_led_find(led, item->key);

    if (*index == UINT32_MAX) {
        return TG_LEDGER_BAD;
    }

    if (*index == 0) {
        rc = tg_led_create(led, now, item, NULL, 0, index);
        led->head->full += rc == TG_LEDGER_FULL;
    }

    return rc;
}


/* It is a configured one from now on. */
static void
tg_led_adopt_invented(tg_ledger_t *led, tg_led_entry_t *e)
{
    uint32_t       *count;
    tg_led_vars_t  *vars;

    vars = tg_led_image(led, &led->head->vars, sizeof(*vars));
    vars->ninvented -= vars->ninvented > 0;
    count = tg_led_image(led, tg_led_cell(led, e->cell), sizeof(*count));
    *count -= *count > 0;
    e->cell = 0;
}


int
tg_ledger_reserve(tg_ledger_t *led, uint32_t epoch, int64_t now,
    const tg_ledger_item_t *item)
{
    int                rc;
    uint32_t           i;
    tg_led_entry_t    *e;
    tg_ledger_item_t   it = *item;

    it.amount = 0;
    it.flags &= ~(uint32_t) TG_LEDGER_INVENTED;

    if (!tg_led_item_valid(&it) || epoch == 0) {
        return TG_LEDGER_BAD;
    }

    rc = tg_led_lock(led);
    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    rc = tg_led_entry(led, now, &it, &i);

    if (rc == TG_LEDGER_OK) {
        tg_led_begin(led);
        e = tg_led_image(led, &led->entries[i - 1], sizeof(*e));
        tg_led_declare(e, &it);

        if (e->epoch < epoch) {
            e->epoch = epoch;
        }

        if (e->cell != 0) {
            tg_led_adopt_invented(led, e);
        }

        tg_led_commit(led);
    }

    tg_led_unlock(led);

    return rc;
}


int
tg_ledger_reserve_end(tg_ledger_t *led, uint32_t epoch)
{
    int              rc;
    uint32_t         i = 0, fresh;
    tg_led_entry_t  *e;

    do {
        rc = tg_led_lock(led);
        if (rc != TG_LEDGER_OK) {
            return rc;
        }

        fresh = led->head->vars.fresh_entry;
        fresh = fresh < led->nentries ? fresh : led->nentries;

        for (unsigned k = 0; k < TG_LED_EPOCH_BATCH && i < fresh; k++, i++) {
            e = &led->entries[i];

            /* One store of four bytes: it needs no transaction. */
            if (e->epoch != 0 && e->epoch < epoch) {
                __atomic_store_n(&e->epoch, 0, __ATOMIC_RELAXED);
            }
        }

        tg_led_unlock(led);

    } while (i < fresh);

    return TG_LEDGER_OK;
}


int
tg_ledger_latch(tg_ledger_t *led, const unsigned char *key, bool closed)
{
    int              rc = tg_led_lock(led);
    uint32_t         i;
    tg_led_fent_t   *f;
    tg_led_entry_t  *e;

    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    i = tg_led_find(led, key);

    if (i == 0 || i == UINT32_MAX) {
        rc = i == 0 ? TG_LEDGER_STALE : TG_LEDGER_BAD;

    } else {
        tg_led_begin(led);
        e = tg_led_image(led, &led->entries[i - 1], sizeof(*e));
        e->flags = (uint8_t) (closed ? e->flags | TG_LED_CLOSED
                                     : e->flags & ~TG_LED_CLOSED);

        if (led->fents != NULL) {
            tg_led_mark(led, i);
            f = tg_led_image(led, &led->fents[i - 1], sizeof(*f));
            f->ops = closed ? TG_LEDGER_OP_CLOSE : TG_LEDGER_OP_OPEN;
            f->ops_seq = led->head->fvars.seq;
        }

        tg_led_commit(led);
    }

    tg_led_unlock(led);

    return rc;
}


static void
tg_led_entry_reset(tg_led_entry_t *e, const tg_ledger_item_t *item,
    int64_t now)
{
    if (e->opens == 0 && item->idle_ms == 0 && now < e->window) {
        e->window = item->window.start;
        e->until = item->window.end;
        e->before = INT64_MIN;
        e->pused = 0;
    }

    tg_led_roll(e, item, now);
    e->used = 0;
    e->crossed = 0;
    e->pending = 0;
    e->flags &= (uint8_t) ~TG_LED_CLOSED;
}


/* raise NULL: a reset. */
static int
tg_led_administer(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *item,
    const int64_t *raise, int64_t until)
{
    int              rc;
    uint32_t         i;
    tg_led_entry_t  *e;

    /* Of a fleet, both are the store's matter. */
    if (!tg_led_item_valid(item) || led->fents != NULL) {
        return TG_LEDGER_BAD;
    }

    rc = tg_led_lock(led);
    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    rc = tg_led_entry(led, now, item, &i);

    if (rc == TG_LEDGER_OK) {
        tg_led_begin(led);
        e = tg_led_image(led, &led->entries[i - 1], sizeof(*e));
        tg_led_declare(e, item);

        if (raise != NULL) {
            e->raise = *raise;
            e->raise_until = *raise != 0 ? until : 0;

        } else {
            tg_led_entry_reset(e, item, now);
        }

        tg_led_commit(led);
    }

    tg_led_unlock(led);

    return rc;
}


int
tg_ledger_raise(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *item,
    int64_t amount, int64_t until)
{
    return tg_led_administer(led, now, item, &amount, until);
}


int
tg_ledger_reset(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *item)
{
    return tg_led_administer(led, now, item, NULL, 0);
}


int
tg_ledger_alerted(tg_ledger_t *led, const unsigned char *key, int64_t window,
    uint8_t bits)
{
    int              rc = tg_led_lock(led);
    uint32_t         i;
    tg_led_entry_t  *e;

    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    i = tg_led_find(led, key);

    if (i == 0 || i == UINT32_MAX) {
        rc = TG_LEDGER_STALE;

    } else {
        tg_led_begin(led);
        e = tg_led_image(led, &led->entries[i - 1], sizeof(*e));

        if (window == e->window) {
            e->pending &= (uint8_t) ~bits;

        } else if (window == e->before) {
            e->ppending &= (uint8_t) ~bits;
        }

        tg_led_commit(led);
    }

    tg_led_unlock(led);

    return rc;
}


static void
tg_led_entry_show(const tg_led_entry_t *e, tg_ledger_entry_t *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->key, e->key, sizeof(out->key));
    memcpy(out->alert, e->alert, sizeof(out->alert));
    out->window = e->window;
    out->reset = e->until;
    out->used = e->used;
    out->held = e->held;
    out->before = e->before;
    out->before_used = e->pused;
    out->before_held = e->pheld;
    out->cap = e->cap;
    out->limit = e->limit;
    out->raise = e->raise;
    out->raise_until = e->raise_until;
    out->open = e->opens;
    out->crossed = e->crossed;
    out->pending = e->pending;
    out->before_pending = e->ppending;
    out->latched = (e->flags & TG_LED_CLOSED) != 0;
    out->concurrent = (e->flags & TG_LED_CONCURRENT) != 0;
    out->reserved = e->epoch != 0;
}


/* One word each: what is read is of some moment. */
static void
tg_led_fleet_show(const tg_ledger_t *led, uint32_t i, tg_ledger_entry_t *out)
{
    if (led->fents != NULL) {
        out->others_used = led->fents[i].oused;
        out->others_held = led->fents[i].oowned;
    }
}


int
tg_ledger_read(const tg_ledger_t *led, const unsigned char *key,
    tg_ledger_entry_t *out)
{
    bool            sound = false;
    uint32_t        i = 0;
    uint64_t        seq;
    tg_led_entry_t  copy;

    for (unsigned n = 0; n < TG_LED_READ_AGAIN && !sound; n++) {
        seq = tg_led_read_begin(led);
        i = tg_led_find(led, key);

        if (i != 0 && i != UINT32_MAX) {
            memcpy(&copy, &led->entries[i - 1], sizeof(copy));
        }

        sound = tg_led_read_end(led, seq);
    }

    if (i == 0 || i == UINT32_MAX) {
        return TG_LEDGER_STALE;
    }

    tg_led_entry_show(&copy, out);
    tg_led_fleet_show(led, i - 1, out);
    out->torn = !sound;

    return TG_LEDGER_OK;
}


bool
tg_ledger_each(const tg_ledger_t *led, uint32_t *i, tg_ledger_entry_t *out)
{
    bool            sound = false;
    uint64_t        seq;
    tg_led_entry_t  copy;

    for ( /* void */ ; *i < led->nentries
                       && *i < led->head->vars.fresh_entry; ++*i)
    {
        if ((led->entries[*i].flags & TG_LED_USED) == 0) {
            continue;
        }

        for (unsigned n = 0; n < TG_LED_READ_AGAIN && !sound; n++) {
            seq = tg_led_read_begin(led);
            memcpy(&copy, &led->entries[*i], sizeof(copy));
            sound = tg_led_read_end(led, seq);
        }

        if (copy.flags & TG_LED_USED) {
            tg_led_entry_show(&copy, out);
            tg_led_fleet_show(led, *i, out);
            ++*i;
            out->torn = !sound;
            return true;
        }

        sound = false;
    }

    return false;
}


void
tg_ledger_stats(const tg_ledger_t *led, tg_ledger_stats_t *s)
{
    const tg_led_head_t  *head = led->head;

    memset(s, 0, sizeof(*s));
    s->entries = led->nentries;
    s->entries_used = head->vars.nused;
    s->entries_invented = head->vars.ninvented;
    s->slots = led->nslots;
    s->slots_used = head->vars.nbusy;
    s->recoveries = head->recoveries;
    s->replays = head->replays;
    s->swept = head->swept;
    s->full = head->full;
    s->busy = head->busy;
    s->evicted = head->evicted;
    s->created = head->created;
}
