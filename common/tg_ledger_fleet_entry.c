#include "tg_ledger_int.h"

static int64_t
tg_led_clamp(int64_t n)
{
    return n < TG_LEDGER_FLEET_MAX ? n : TG_LEDGER_FLEET_MAX;
}


bool
tg_ledger_is_fleet(const tg_ledger_t *led)
{
    return led->fents != NULL;
}


void
tg_ledger_fleet_options(tg_ledger_t *led, const tg_ledger_fleet_t *options)
{
    led->fleet = options;
}


void
tg_led_fleet_turn(tg_led_entry_t *e, tg_led_fent_t *f, int64_t start,
    int64_t until)
{
    int64_t   pend = f->pend, idle = f->idle_ms, size = f->size;
    uint64_t  ops_seq = f->ops_seq;
    uint32_t  ops = f->ops & ~(uint32_t) TG_LEDGER_OP_REFUSED;

    e->before = e->window;
    e->pused = e->used;
    e->pheld = e->held;
    e->ppending = e->pending;
    e->window = start;
    e->until = until;
    e->used = 0;
    e->held = 0;
    e->crossed = 0;
    e->pending = 0;

    memset(f, 0, sizeof(*f));
    f->size = size;
    f->ops = ops;
    f->ops_seq = ops_seq;
    f->ptold = -1;
    f->idle_ms = idle;

    /* What is asked for in an idle window arrives in whichever is there. */
    if (idle != 0) {
        f->pend = pend;
    }
}


void
tg_led_fleet_roll(tg_led_entry_t *e, tg_led_fent_t *f,
    const tg_window_t *window)
{
    if (f->idle_ms == 0 && window->start > e->window) {
        tg_led_fleet_turn(e, f, window->start, window->end);
    }
}


int64_t
tg_led_owned(const tg_led_entry_t *e, const tg_led_fent_t *f)
{
    return tg_led_clamp(tg_led_add(tg_led_add(e->used, e->held), f->slice));
}


int64_t
tg_led_free(const tg_led_entry_t *e, const tg_led_fent_t *f, int64_t now)
{
    int64_t  owned = tg_led_add(tg_led_owned(e, f), f->pend);

    owned = tg_led_add(owned, tg_led_add(f->oused, f->oowned));

    return tg_led_clamp(tg_led_raised(e, e->limit, now)) - owned;
}


bool
tg_led_is_before_untold(const tg_led_entry_t *e, const tg_led_fent_t *f,
    uint64_t epoch)
{
    int64_t  owned = tg_led_clamp(tg_led_add(e->pused, e->pheld));

    return f->idle_ms == 0 && e->before != INT64_MIN && owned != 0
           && (f->ptold != owned || f->pepoch != epoch);
}


bool
tg_led_is_now_untold(const tg_led_entry_t *e, const tg_led_fent_t *f,
    uint64_t epoch)
{
    int64_t  owned = tg_led_owned(e, f);

    if (f->sent != f->seen || f->ops != 0 || f->pend != 0 || f->mine != owned
        || f->told != tg_led_clamp(e->used))
    {
        return true;
    }

    return owned != 0 && f->view_epoch != epoch;
}


bool
tg_led_is_untold(const tg_led_entry_t *e, const tg_led_fent_t *f,
    uint64_t epoch)
{
    return tg_led_is_now_untold(e, f, epoch)
           || tg_led_is_before_untold(e, f, epoch);
}


/* Not logged: a bit too many does no harm, and it is set before. */
void
tg_led_mark(tg_ledger_t *led, uint32_t index)
{
    uint64_t  *word = &led->dirty[(index - 1) / 64];
    uint64_t   bit = UINT64_C(1) << ((index - 1) % 64);

    if ((*word & bit) == 0) {
        __atomic_store_n(word, *word | bit, __ATOMIC_RELAXED);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
}


void
tg_led_fleet_settle(tg_ledger_t *led, const tg_led_slot_t *slot, unsigned i,
    int64_t actual)
{
    int64_t                backed;
    tg_led_fent_t         *f;
    const tg_led_item_t   *it = &slot->items[i];
    const tg_led_entry_t  *e = &led->entries[it->entry - 1];

    backed = it->amount;

    if (it->flags & TG_LED_ITEM_UNBACKED) {
        backed -= led->fslots[slot - led->slots].unbacked[i];
    }

    tg_led_mark(led, it->entry);
    f = tg_led_image(led, &led->fents[it->entry - 1], sizeof(*f));

    if (it->window != e->window) {
        f->ptold = -1;
        return;
    }

    if (actual <= backed) {
        f->slice = tg_led_add(f->slice, backed - actual);
        f->flow -= f->flow < backed - actual ? f->flow : backed - actual;
        return;
    }

    if (actual > it->amount) {
        actual -= it->amount;
        f->slice -= f->slice < actual ? f->slice : actual;
    }
}


bool
tg_led_is_tight(const tg_ledger_t *led, const tg_led_entry_t *e,
    const tg_led_fent_t *f, int64_t now)
{
    int64_t   limit = tg_led_clamp(tg_led_raised(e, e->limit, now)), least, n;
    uint32_t  nodes = led->head->fvars.nnodes;

    if (f->heard == 0) {
        return true;
    }

    if (__builtin_mul_overflow(f->size, 2 * (int64_t) (nodes > 0 ? nodes : 1),
                               &n))
    {
        return true;
    }

    least = limit / 100 * 3;

    return tg_led_free(e, f, now) < (n > least ? n : least);
}


/* Neither granted nor refused by the store: what the configuration says. */
int
tg_led_fleet_down(const tg_ledger_t *led, const tg_led_entry_t *e,
    const tg_led_fent_t *f, int64_t need, int64_t now)
{
    int64_t  limit, owned;

    switch (led->fleet->down) {
    case TG_DOWN_ALLOW:
        return TG_LEDGER_OK;

    case TG_DOWN_LOCAL:
        limit = tg_led_raised(e, e->limit, now);
        limit = (int64_t) ((__int128) limit * led->fleet->local_percent / 100);
        owned = tg_led_owned(e, f);

        return limit - owned >= need ? TG_LEDGER_OK : TG_LEDGER_DOWN;

    default:
        return TG_LEDGER_DOWN;
    }
}


void
tg_led_fleet_state(const tg_led_entry_t *e, const tg_led_fent_t *f,
    int64_t now, tg_ledger_state_t *st)
{
    memset(st, 0, sizeof(*st));
    st->used = tg_led_add(e->used, f->oused);
    st->held = tg_led_add(e->held, f->oowned);
    st->cap = tg_led_raised(e, e->cap, now);
    st->limit = tg_led_raised(e, e->limit, now);
    st->window = e->window;
    st->latched = (e->flags & TG_LED_CLOSED) != 0;
    st->reset = st->latched ? TG_WINDOW_NEVER : e->until;
}


void
tg_led_fleet_say(tg_led_entry_t *e, tg_led_fent_t *f, uint64_t seq,
    int64_t now, tg_ledger_message_item_t *m)
{
    memset(m, 0, sizeof(*m));
    memcpy(m->key, e->key, sizeof(m->key));
    memcpy(m->alert, e->alert, sizeof(m->alert));
    m->window.start = e->window;
    m->window.end = e->until;
    m->idle_ms = f->idle_ms;
    m->limit = tg_led_clamp(e->limit);
    m->cap = tg_led_clamp(e->cap);
    m->bits = e->crossed & ((1U << TG_LEDGER_ALERTS_MAX) - 1);
    m->ops = (uint8_t) f->ops;
    m->used = tg_led_clamp(e->used);
    m->owned = tg_led_owned(e, f);
    m->pending = f->pend;
    m->view_epoch = f->view_epoch;
    m->view_version = f->view_version;
    m->view_total = f->view_total;
    m->view_mine = f->floor < m->owned ? f->floor : m->owned;
    m->retired = f->retired;

    f->floor = m->view_mine;
    f->sent = seq;
    f->asked = now;
}


void
tg_led_fleet_number(tg_ledger_t *led, tg_led_fvars_t *fv, unsigned kind,
    tg_ledger_message_t *msg)
{
    msg->kind = kind;
    msg->node = led->head->fleet;
    msg->epoch = fv->epoch;
    msg->seq = ++fv->seq;
    msg->nodes_version = fv->nodes_version;
    msg->member = fv->member != 0;
    msg->nnodes = 0;
    msg->n = 0;
}


int
tg_ledger_fleet_drain(tg_ledger_t *led)
{
    int              rc = led->fents != NULL ? tg_led_lock(led)
                                             : TG_LEDGER_BAD;
    tg_led_fvars_t  *fv;

    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    tg_led_begin(led);
    fv = tg_led_image(led, &led->head->fvars, sizeof(*fv));
    fv->drain = 1;
    tg_led_commit(led);
    tg_led_unlock(led);

    return TG_LEDGER_OK;
}


int
tg_ledger_fleet_read(const tg_ledger_t *led, const unsigned char *key,
    tg_ledger_share_t *share)
{
    uint32_t              i = led->fents != NULL ? tg_led_find(led, key) : 0;
    const tg_led_fent_t  *f;

    if (i == 0 || i == UINT32_MAX) {
        return TG_LEDGER_STALE;
    }

    f = &led->fents[i - 1];
    share->slice = f->slice;
    share->pending = f->pend;
    share->mine = f->mine;
    share->others_used = f->oused;
    share->others_owned = f->oowned;
    share->told = f->told;
    share->clean = !tg_led_is_untold(&led->entries[i - 1], f,
                                     led->head->fvars.epoch);

    return TG_LEDGER_OK;
}


void
tg_ledger_fleet_stats(const tg_ledger_t *led, tg_ledger_fleet_stats_t *s)
{
    const tg_led_head_t   *head = led->head;
    const tg_led_fvars_t  *fv = &head->fvars;

    memset(s, 0, sizeof(*s));

    if (led->fents == NULL) {
        return;
    }

    s->node = head->fleet;
    s->epoch = fv->epoch;
    s->joined = fv->joined != 0;
    s->open = fv->open != 0;
    s->retired = fv->retired != 0;
    s->down_since = fv->down;
    s->heard = fv->heard;
    s->nodes = fv->nnodes;
    s->asks = head->asks;
    s->reports = head->reports;
    s->hellos = head->hellos;
    s->lost = head->lost;
    s->granted = head->granted;
    s->refused = head->refused;
    s->voided = head->voided;
    s->epochs = head->epochs;
    s->over = head->over;
    s->unbacked = head->unbacked;

    for (uint32_t i = 0; i < head->vars.fresh_entry && i < led->nentries; i++)
    {
        if (led->entries[i].flags & TG_LED_USED) {
            s->pending = tg_led_add(s->pending, led->fents[i].pend);
            s->slices = tg_led_add(s->slices, led->fents[i].slice);
            s->untold += tg_led_is_untold(&led->entries[i], &led->fents[i],
                                          fv->epoch);
        }
    }

    for (uint32_t i = 0; i < head->vars.fresh_slot && i < led->nslots; i++) {
        s->asking += led->slots[i].state == TG_LED_ASKING;
    }
}
