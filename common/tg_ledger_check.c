#include "tg_ledger_int.h"

typedef struct {
    int64_t   held, pheld, pend;
    uint32_t  opens;
    uint32_t  seen;             /* in chains and in the free list */
} tg_led_sum_t;


const unsigned char *
tg_ledger_boot(const tg_ledger_t *led)
{
    return led->head->boot;
}


/* A slot whose contents name existing things. */
static bool
tg_led_slot_is_sound(const tg_ledger_t *led, const tg_led_slot_t *s)
{
    if (s->state > TG_LED_ASKING || s->nitems > TG_LEDGER_ITEMS_MAX
        || s->blob_len > TG_LEDGER_BLOB_MAX)
    {
        return false;
    }

    for (unsigned i = 0; i < s->nitems; i++) {
        if (s->items[i].entry == 0 || s->items[i].entry > led->nentries
            || s->items[i].amount < 0
            || (s->state != TG_LED_FINAL
                && s->items[i].amount > TG_LEDGER_AMOUNT_MAX))
        {
            return false;
        }
    }

    return true;
}


/* Puts the entries in use back into chains, the others into the free list. */
static void
tg_led_rebuild_entries(tg_ledger_t *led)
{
    uint32_t        *chain, *count;
    tg_led_vars_t   *vars = &led->head->vars;
    tg_led_entry_t  *e;

    memset(led->chains, 0, ((size_t) led->chain_mask + 1) * sizeof(uint32_t));
    memset(tg_led_cell(led, 1), 0, TG_LED_CELLS * sizeof(uint32_t));
    vars->free_entry = 0;
    vars->nused = 0;
    vars->ninvented = 0;
    vars->fresh_entry = led->nentries;

    for (uint32_t i = led->nentries; i > 0; i--) {
        e = &led->entries[i - 1];

        if ((e->flags & TG_LED_USED) == 0 && vars->fresh_entry == i
            && e->next == 0)
        {
            vars->fresh_entry = i - 1;
            continue;
        }

        if ((e->flags & TG_LED_USED) == 0 || e->used < 0
            || tg_led_find(led, e->key) != 0)
        {
            memset(e, 0, sizeof(*e));
            e->next = vars->free_entry;
            vars->free_entry = i;
            continue;
        }

        e->held = 0;
        e->pheld = 0;
        e->opens = 0;
        e->pused = e->pused > 0 ? e->pused : 0;
        chain = tg_led_chain(led, e->key);
        e->next = *chain;
        *chain = i;
        vars->nused++;

        if (e->cell != 0) {
            count = tg_led_cell(led, e->cell);
            (*count)++;
            vars->ninvented++;
        }
    }
}


static void
tg_led_rebuild_slot(tg_ledger_t *led, tg_led_slot_t *s)
{
    unsigned         n = 0;
    tg_led_item_t   *it;
    tg_led_entry_t  *e;

    s->owner = 0;

    if (s->state != TG_LED_OPEN) {
        return;
    }

    s->sent = 1;

    for (unsigned i = 0; i < s->nitems; i++) {
        it = &s->items[i];
        e = &led->entries[it->entry - 1];

        if ((e->flags & TG_LED_USED) == 0) {
            continue;
        }

        e->opens++;

        if (it->window == e->window) {
            e->held = tg_led_add(e->held, it->amount);

        } else if (it->window == e->before) {
            e->pheld = tg_led_add(e->pheld, it->amount);
        }

        s->items[n++] = *it;
    }

    s->nitems = (uint16_t) n;
}


static void
tg_led_rebuild_slots(tg_ledger_t *led)
{
    tg_led_slot_t  *s;
    tg_led_vars_t  *vars = &led->head->vars;

    vars->free_slot = 0;
    vars->nbusy = 0;
    vars->fresh_slot = led->nslots;

    for (uint32_t i = led->nslots; i > 0; i--) {
        s = &led->slots[i - 1];
        s->said = 0;

        if (s->state != TG_LED_FREE && s->state != TG_LED_ASKING
            && tg_led_slot_is_sound(led, s))
        {
            tg_led_rebuild_slot(led, s);
            vars->nbusy++;
            continue;
        }

        if (vars->fresh_slot == i && s->gen == 0) {
            vars->fresh_slot = i - 1;
            continue;
        }

        s->state = TG_LED_FREE;
        s->owner = 0;
        s->next = vars->free_slot;
        vars->free_slot = i;
    }
}


/*
 * The last seconds may be missing: what the store has on record for this node
 * may be more than is known here.  Slices are given up, the sequence goes on
 * far beyond what it can have been, and the node says hello again.
 */
static void
tg_led_rebuild_fleet(tg_ledger_t *led)
{
    tg_led_fent_t   *f;
    tg_led_fvars_t  *fv = &led->head->fvars;

    for (uint32_t i = 0; i < led->nentries; i++) {
        f = &led->fents[i];

        if ((led->entries[i].flags & TG_LED_USED) == 0) {
            memset(f, 0, sizeof(*f));
            continue;
        }

        f->slice = 0;
        f->pend = 0;
        f->floor = 0;
        f->seen = 0;
        tg_led_mark(led, i + 1);
    }

    fv->seq += UINT64_C(1) << 32;
    fv->epoch = 0;
    fv->joined = 0;
    fv->cursor = 0;
    fv->tick_at = 0;
}


void
tg_ledger_reboot(tg_ledger_t *led, const unsigned char boot[16])
{
    uint32_t  *owners = (uint32_t *) (void *) (led->base + TG_LED_PAGE);

    tg_led_replay(led, true);

    /* Pages reach the disk in any order: what follows from others is made
     * again. */
    memset(owners, 0, (TG_LEDGER_OWNERS_MAX + 1) * sizeof(uint32_t));
    tg_led_rebuild_entries(led);
    tg_led_rebuild_slots(led);

    if (led->fents != NULL) {
        tg_led_rebuild_fleet(led);
    }

    led->head->lock = 0;
    memcpy(led->head->boot, boot, sizeof(led->head->boot));
}


static void
tg_led_check_pend(const tg_ledger_t *led, const tg_led_slot_t *s, unsigned k,
    tg_led_sum_t *sum)
{
    const tg_led_item_t   *it = &s->items[k];
    const tg_led_fslot_t  *fs;

    if (s->state != TG_LED_ASKING || led->fents == NULL) {
        return;
    }

    fs = &led->fslots[s - led->slots];

    if ((fs->asked & 1U << k)
        && (led->fents[it->entry - 1].idle_ms != 0
            || it->window == led->entries[it->entry - 1].window))
    {
        sum->pend += fs->want[k];
    }
}


static void
tg_led_check_slots(const tg_ledger_t *led, tg_led_sum_t *sums,
    tg_ledger_report_t *r)
{
    uint32_t              busy = 0, n = 0;
    const tg_led_slot_t  *s;
    const tg_led_item_t  *it;
    const tg_led_vars_t  *vars = &led->head->vars;

    for (uint32_t i = 0; i < vars->fresh_slot && i < led->nslots; i++) {
        s = &led->slots[i];
        r->slots++;
        busy += s->state != TG_LED_FREE;
        r->open += s->state == TG_LED_OPEN;
        r->final += s->state == TG_LED_FINAL;

        if (!tg_led_slot_is_sound(led, s)) {
            r->bad_slot++;
            continue;
        }

        for (unsigned k = 0; k < s->nitems; k++) {
            if (s->state != TG_LED_OPEN && s->state != TG_LED_ASKING) {
                break;
            }

            it = &s->items[k];
            sums[it->entry - 1].opens++;
            tg_led_check_pend(led, s, k, &sums[it->entry - 1]);

            if (it->window == led->entries[it->entry - 1].window) {
                sums[it->entry - 1].held = tg_led_add(
                                      sums[it->entry - 1].held, it->amount);

            } else if (it->window == led->entries[it->entry - 1].before) {
                sums[it->entry - 1].pheld = tg_led_add(
                                      sums[it->entry - 1].pheld, it->amount);
            }
        }
    }

    r->bad_count += busy != vars->nbusy;

    for (uint32_t i = vars->free_slot; i != 0; i = led->slots[i - 1].next) {
        if (i > led->nslots || led->slots[i - 1].state != TG_LED_FREE
            || ++n > led->nslots)
        {
            r->bad_free++;
            return;
        }
    }

    r->bad_free += n + busy != vars->fresh_slot;
}


static void
tg_led_check_chains(const tg_ledger_t *led, tg_led_sum_t *sums,
    tg_ledger_report_t *r)
{
    uint32_t  n;

    for (uint32_t c = 0; c <= led->chain_mask; c++) {
        n = 0;

        for (uint32_t i = led->chains[c]; i != 0;
             i = led->entries[i - 1].next)
        {
            if (i > led->nentries || ++n > TG_LED_CHAIN_MAX
                || tg_led_chain(led, led->entries[i - 1].key)
                   != &led->chains[c])
            {
                r->bad_chain++;
                break;
            }

            sums[i - 1].seen++;
        }
    }

    n = 0;

    for (uint32_t i = led->head->vars.free_entry; i != 0;
         i = led->entries[i - 1].next)
    {
        if (i > led->nentries || ++n > led->nentries) {
            r->bad_free++;
            break;
        }

        sums[i - 1].seen++;
        r->bad_free += (led->entries[i - 1].flags & TG_LED_USED) != 0;
    }
}


/* No sum tells what is wrong in it, but none can be like that. */
static bool
tg_led_entry_is_sound(const tg_led_entry_t *e)
{
    const uint8_t  known = TG_LED_USED | TG_LED_CLOSED | TG_LED_CONCURRENT
                           | TG_LED_FLEET;

    for (unsigned i = 1; i < TG_LEDGER_ALERTS_MAX; i++) {
        if (e->alert[i] != 0 && e->alert[i] <= e->alert[i - 1]) {
            return false;
        }
    }

    return (e->flags & ~known) == 0 && e->cell <= TG_LED_CELLS
           && e->until >= e->window;
}


static void
tg_led_check_entries(const tg_ledger_t *led, const tg_led_sum_t *sums,
    tg_ledger_report_t *r)
{
    uint32_t               used = 0, invented = 0;
    uint64_t               cells = 0;
    const tg_led_vars_t   *vars = &led->head->vars;
    const tg_led_entry_t  *e;

    for (uint32_t i = 0; i < led->nentries && i < vars->fresh_entry; i++) {
        e = &led->entries[i];
        r->bad_chain += sums[i].seen != 1;

        if ((e->flags & TG_LED_USED) == 0) {
            continue;
        }

        used++;
        invented += e->cell != 0;
        r->entries++;
        r->bad_entry += !tg_led_entry_is_sound(e);
        r->bad_held += e->held != sums[i].held || e->pheld != sums[i].pheld;
        r->bad_open += e->opens != sums[i].opens;

        if (led->fents != NULL) {
            r->bad_pending += led->fents[i].pend != sums[i].pend;
            r->negative += led->fents[i].slice < 0;
        }

        r->negative += e->used < 0 || e->held < 0 || e->pused < 0
                       || e->pheld < 0 || e->cap < 0 || e->limit < 0;
    }

    for (uint32_t c = 1; c <= TG_LED_CELLS; c++) {
        cells += *tg_led_cell(led, c);
    }

    r->bad_count += used != vars->nused;
    r->bad_count += invented != vars->ninvented || cells != invented;
}


int
tg_ledger_check(tg_ledger_t *led, tg_mem_t *mem, tg_ledger_report_t *r)
{
    int            rc;
    tg_led_sum_t  *sums;

    memset(r, 0, sizeof(*r));

    sums = tg_zalloc(mem, led->nentries * sizeof(*sums));
    if (sums == NULL) {
        return TG_ERROR;
    }

    if (led->me != 0) {
        rc = tg_led_lock(led);
        if (rc != TG_LEDGER_OK) {
            return rc;
        }
    }

    r->broken = led->head->broken;
    tg_led_check_slots(led, sums, r);
    tg_led_check_chains(led, sums, r);
    tg_led_check_entries(led, sums, r);

    if (led->me != 0) {
        tg_led_unlock(led);
    }

    return TG_LEDGER_OK;
}


uint64_t
tg_ledger_mistakes(const tg_ledger_report_t *r)
{
    return r->bad_held + r->bad_open + r->bad_chain + r->bad_free + r->bad_slot
           + r->bad_entry + r->bad_count + r->bad_pending + r->negative;
}
