#include "tg_ledger_int.h"

/* Of the host's seed and the key, so that nobody outside can choose keys of one
 * chain. */
static uint32_t
tg_led_hash(const tg_ledger_t *led, const unsigned char *key)
{
    uint64_t           k[2];
    unsigned __int128  m;

    memcpy(k, key, sizeof(k));
    m = (unsigned __int128) (k[0] ^ led->head->seed[0])
        * (k[1] ^ led->head->seed[1]);

    return (uint32_t) ((uint64_t) m ^ (uint64_t) (m >> 64)) & led->chain_mask;
}


uint32_t *
tg_led_chain(const tg_ledger_t *led, const unsigned char *key)
{
    return &led->chains[tg_led_hash(led, key)];
}


void
tg_led_prefetch(const tg_ledger_t *led, const unsigned char *key, bool entry)
{
    uint32_t  *chain = tg_led_chain(led, key), i;

    if (!entry) {
        __builtin_prefetch(chain);
        return;
    }

    i = __atomic_load_n(chain, __ATOMIC_RELAXED);

    if (i != 0 && i <= led->nentries) {
        __builtin_prefetch(&led->entries[i - 1], 1);
        __builtin_prefetch(&led->entries[i - 1].cap, 1);
    }
}


uint32_t
tg_led_find(const tg_ledger_t *led, const unsigned char *key)
{
    const tg_led_entry_t  *e;
    uint32_t               i = *tg_led_chain(led, key);

    for (unsigned n = 0; i != 0; n++) {
        if (i > led->nentries || n == TG_LED_CHAIN_MAX) {
            return UINT32_MAX;
        }

        e = &led->entries[i - 1];

        if (memcmp(e->key, key, sizeof(e->key)) == 0) {
            return i;
        }

        i = e->next;
    }

    return 0;
}


/* What points to entry i: its chain's head or another entry's `next`. */
static uint32_t *
tg_led_link(const tg_ledger_t *led, uint32_t i)
{
    uint32_t  *p = tg_led_chain(led, led->entries[i - 1].key);

    for (unsigned n = 0; n < TG_LED_CHAIN_MAX; n++) {
        if (*p == i) {
            return p;
        }

        if (*p == 0 || *p > led->nentries) {
            return NULL;
        }

        p = &led->entries[*p - 1].next;
    }

    return NULL;
}


uint32_t *
tg_led_cell(const tg_ledger_t *led, uint32_t cell)
{
    return led->cells + (cell - 1) % TG_LED_CELLS;
}


/* A fleet's entry stays while it owns, has asked for or has to tell something,
 * but not for ever. */
static bool
tg_led_is_owing(const tg_ledger_t *led, uint32_t i, int64_t now)
{
    const tg_led_fent_t   *f;
    const tg_led_entry_t  *e = &led->entries[i - 1];

    if (led->fents == NULL || now >= tg_led_add(e->until, 3600000)) {
        return false;
    }

    f = &led->fents[i - 1];

    return f->slice != 0
           || tg_led_is_untold(e, f, led->head->fvars.epoch);
}


static bool
tg_led_is_over(const tg_led_entry_t *e, int64_t now)
{
    if ((e->flags & TG_LED_USED) == 0 || (e->flags & TG_LED_CLOSED)
        || e->opens != 0 || e->epoch != 0)
    {
        return false;
    }

    if (e->raise != 0 && now < e->raise_until) {
        return false;
    }

    /* An alert that nobody confirmed is kept for an hour. */
    if ((e->pending | e->ppending) != 0) {
        return now >= tg_led_add(e->until, 3600000);
    }

    /* A call whose clock was read before the end may still come, and must not
     * find the window new. */
    return (e->flags & TG_LED_CONCURRENT)
           || now >= tg_led_add(e->until, TG_LED_GRACE);
}


static void
tg_led_evict(tg_ledger_t *led, uint32_t i)
{
    uint32_t        *link = tg_led_link(led, i), next, *n;
    tg_led_vars_t   *vars;
    tg_led_entry_t  *e = &led->entries[i - 1];

    if (link == NULL) {
        return;
    }

    tg_led_begin(led);
    vars = tg_led_image(led, &led->head->vars, sizeof(*vars));
    next = e->next;

    if (e->cell != 0) {
        n = tg_led_image(led, tg_led_cell(led, e->cell), sizeof(*n));
        *n -= *n > 0;
        vars->ninvented -= vars->ninvented > 0;
    }

    n = tg_led_image(led, link, sizeof(*n));
    *n = next;

    e = tg_led_image(led, e, sizeof(*e));
    memset(e, 0, sizeof(*e));
    e->next = vars->free_entry;
    vars->free_entry = i;
    vars->nused -= vars->nused > 0;

    tg_led_commit(led);
    led->head->evicted++;
}


static bool
tg_led_is_kept(uint32_t i, const uint32_t *kept, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        if (kept[k] == i) {
            return true;
        }
    }

    return false;
}


static bool
tg_led_has_room(const tg_ledger_t *led, const tg_ledger_item_t *item)
{
    const tg_led_vars_t  *vars = &led->head->vars;

    if (item->flags & TG_LEDGER_INVENTED) {
        if (vars->ninvented >= TG_LED_INVENTED(led->nentries)
            || *tg_led_cell(led, item->creator % TG_LED_CELLS + 1)
               >= TG_LED_CREATOR(led->nentries))
        {
            return false;
        }
    }

    return vars->free_entry != 0 || vars->fresh_entry < led->nentries;
}


/* Looks on from where it ended last time, until `item` (if any) has room. */
static void
tg_led_make_room(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *item,
    unsigned steps, const uint32_t *kept, unsigned n)
{
    uint32_t  fresh = led->head->vars.fresh_entry, i;

    if (fresh > led->nentries) {
        return;
    }

    for (unsigned k = 0; k < steps && k < fresh; k++) {
        i = led->hand % fresh + 1;
        led->hand = i;

        if (tg_led_is_over(&led->entries[i - 1], now)
            && !tg_led_is_owing(led, i, now) && !tg_led_is_kept(i, kept, n))
        {
            tg_led_evict(led, i);

            if (item != NULL && tg_led_has_room(led, item)) {
                return;
            }
        }
    }
}


void
tg_led_reclaim(tg_ledger_t *led, int64_t now, unsigned steps)
{
    tg_led_make_room(led, now, NULL, steps, NULL, 0);
}


static void
tg_led_entry_init(tg_led_entry_t *e, int64_t now, const tg_ledger_item_t *item)
{
    memset(e, 0, sizeof(*e));
    memcpy(e->key, item->key, sizeof(e->key));
    e->flags = TG_LED_USED;
    e->before = INT64_MIN;

    if (item->idle_ms > 0) {
        e->window = now;
        e->until = tg_led_add(now, item->idle_ms);

    } else {
        e->window = item->window.start;
        e->until = item->window.end;
    }

    tg_led_declare(e, item);
}


/* A fleet's part of a new entry.  When an idle window began only the store
 * knows. */
static void
tg_led_fleet_init(tg_ledger_t *led, tg_led_entry_t *e, uint32_t i,
    const tg_ledger_item_t *item)
{
    tg_led_fent_t  *f = tg_led_image(led, &led->fents[i - 1], sizeof(*f));

    memset(f, 0, sizeof(*f));
    f->idle_ms = item->idle_ms;
    e->flags |= TG_LED_FLEET;

    if (item->idle_ms > 0) {
        e->window = 0;
        e->until = 0;
    }
}


int
tg_led_create(tg_ledger_t *led, int64_t now, const tg_ledger_item_t *item,
    const uint32_t *kept, unsigned n, uint32_t *index)
{
    uint32_t        *chain = tg_led_chain(led, item->key), *count, i;
    tg_led_vars_t   *vars;
    tg_led_entry_t  *e;

    if (!tg_led_has_room(led, item)) {
        tg_led_make_room(led, now, item, TG_LED_RECLAIM, kept, n);

        if (!tg_led_has_room(led, item)) {
            return TG_LEDGER_FULL;
        }
    }

    tg_led_begin(led);
    vars = tg_led_image(led, &led->head->vars, sizeof(*vars));
    i = vars->free_entry != 0 ? vars->free_entry : ++vars->fresh_entry;

    if (i > led->nentries) {
        return TG_LEDGER_BAD;
    }

    if (i == vars->free_entry) {
        vars->free_entry = led->entries[i - 1].next;
    }

    vars->nused++;
    e = tg_led_image(led, &led->entries[i - 1], sizeof(*e));
    tg_led_entry_init(e, now, item);
    e->next = *chain;

    if (led->fents != NULL) {
        tg_led_fleet_init(led, e, i, item);
    }

    if (item->flags & TG_LEDGER_INVENTED) {
        e->cell = (uint16_t) (item->creator % TG_LED_CELLS + 1);
        count = tg_led_image(led, tg_led_cell(led, e->cell), sizeof(*count));
        (*count)++;
        vars->ninvented++;
    }

    count = tg_led_image(led, chain, sizeof(*count));
    *count = i;

    tg_led_commit(led);
    *index = i;

    return TG_LEDGER_OK;
}
