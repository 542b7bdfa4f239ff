#include "tg_ledger_int.h"

bool
tg_led_layout(uint64_t size, bool fleet, tg_led_layout_t *l)
{
    uint64_t  fixed, rest, n, entry = sizeof(tg_led_entry_t);
    uint64_t  slot = sizeof(tg_led_slot_t);

    if (size < TG_LEDGER_SIZE_MIN || size > TG_LEDGER_SIZE_MAX) {
        return false;
    }

    if (fleet) {
        entry += sizeof(tg_led_fent_t);
        slot += sizeof(tg_led_fslot_t);
    }

    l->log_size = fleet ? TG_LED_LOG_FLEET : TG_LED_LOG_SIZE;
    l->owners = TG_LED_PAGE;
    l->log = l->owners + (TG_LEDGER_OWNERS_MAX + 1) * sizeof(uint32_t);
    l->cells = l->log + l->log_size;
    l->chains = l->cells + TG_LED_CELLS * sizeof(uint32_t);
    fixed = l->chains;

    /* A bit for each entry, and what rounding up takes. */
    if (fleet) {
        size -= size / entry / 8 + 512;
    }

    /* A quarter for slots; of the rest, what a power of two of chains, at least
     * as many as entries, leaves. */
    n = (size - fixed) / 4 / slot;
    l->nslots = n < TG_LEDGER_SLOTS_MAX ? (uint32_t) n : TG_LEDGER_SLOTS_MAX;
    l->slots = (size - l->nslots * slot) & ~UINT64_C(63);
    rest = l->slots - fixed;

    for (l->nchains = 64; (uint64_t) l->nchains * 2 * (entry + 4) <= rest;
         l->nchains *= 2)
    {
        /* void */
    }

    n = (rest - (uint64_t) l->nchains * 4) / entry;

    if (n > (uint64_t) l->nchains + l->nchains / 2
        && rest > (uint64_t) l->nchains * 8)
    {
        l->nchains *= 2;
        n = (rest - (uint64_t) l->nchains * 4) / entry;
    }

    l->nentries = (uint32_t) n;
    l->entries = l->chains + (uint64_t) l->nchains * 4;
    l->entries = (l->entries + 63) & ~UINT64_C(63);

    if (fleet) {
        l->slots = l->entries + n * sizeof(tg_led_entry_t);
        l->fents = l->slots + l->nslots * sizeof(tg_led_slot_t);
        l->fslots = l->fents + n * sizeof(tg_led_fent_t);
        l->dirty = l->fslots + l->nslots * sizeof(tg_led_fslot_t);
    }

    return true;
}


int
tg_ledger_format(void *base, uint64_t size, const unsigned char seed[16],
    const unsigned char boot[16], int64_t now, tg_error_t *err)
{
    return tg_ledger_format_fleet(base, size, seed, boot, now, 0, err);
}


int
tg_ledger_format_fleet(void *base, uint64_t size, const unsigned char seed[16],
    const unsigned char boot[16], int64_t now, uint64_t node, tg_error_t *err)
{
    tg_led_head_t    *head = base;
    tg_led_layout_t   l;

    if (!tg_led_layout(size, node != 0, &l) || node > TG_LEDGER_NODE_MAX) {
        return tg_error(err, 0, 0, "a ledger's size is from 256k to 64g");
    }

    head->version = TG_LED_VERSION;
    head->entry_size = sizeof(tg_led_entry_t);
    head->slot_size = sizeof(tg_led_slot_t);
    head->nentries = l.nentries;
    head->nslots = l.nslots;
    head->nchains = l.nchains;
    head->size = size;
    head->created = now;
    head->fleet = node;
    memcpy(head->seed, seed, sizeof(head->seed));
    memcpy(head->boot, boot, sizeof(head->boot));
    __atomic_store_n(&head->magic, TG_LED_MAGIC, __ATOMIC_RELEASE);

    return TG_OK;
}


int
tg_ledger_attach(tg_ledger_t *led, void *base, uint64_t size,
    const tg_ledger_host_t *host, tg_error_t *err)
{
    tg_led_head_t    *head = base;
    tg_led_layout_t   l;

    if (size < TG_LEDGER_SIZE_MIN || head->magic != TG_LED_MAGIC
        || !tg_led_layout(size, head->fleet != 0, &l))
    {
        return tg_error(err, 0, 0, "it is not a ledger");
    }

    if (head->version != TG_LED_VERSION) {
        return tg_error(err, 0, 0, "it is a ledger of version %u, not %d",
                        (unsigned) head->version, TG_LED_VERSION);
    }

    if (head->size != size) {
        return tg_error(err, 0, 0, "it is a ledger of %llu bytes, not %llu",
                        (unsigned long long) head->size,
                        (unsigned long long) size);
    }

    if (head->entry_size != sizeof(tg_led_entry_t)
        || head->slot_size != sizeof(tg_led_slot_t)
        || head->nentries != l.nentries || head->nslots != l.nslots
        || head->nchains != l.nchains)
    {
        return tg_error(err, 0, 0, "it is a ledger of another layout");
    }

    memset(led, 0, sizeof(*led));
    led->base = base;
    led->size = size;
    led->head = head;
    led->entries = (void *) (led->base + l.entries);
    led->slots = (void *) (led->base + l.slots);
    led->chains = (void *) (led->base + l.chains);
    led->log = led->base + l.log;
    led->nentries = l.nentries;
    led->nslots = l.nslots;
    led->chain_mask = l.nchains - 1;
    led->cells = (void *) (led->base + l.cells);
    led->log_size = l.log_size;

    if (head->fleet != 0) {
        led->fents = (void *) (led->base + l.fents);
        led->fslots = (void *) (led->base + l.fslots);
        led->dirty = (void *) (led->base + l.dirty);
    }

    if (host != NULL) {
        led->host = *host;
    }

    return TG_OK;
}


int
tg_ledger_claim(tg_ledger_t *led, uint32_t owner)
{
    uint32_t  *owners = (uint32_t *) (void *) (led->base + TG_LED_PAGE);
    uint32_t   inc;

    if (owner == 0 || owner > TG_LEDGER_OWNERS_MAX
        || led->host.owner_dead == NULL || led->host.wait == NULL)
    {
        return TG_LEDGER_BAD;
    }

    do {
        inc = __atomic_add_fetch(&led->head->incarnation, 1, __ATOMIC_ACQ_REL);
    } while (inc == 0);

    __atomic_store_n(&owners[owner], inc, __ATOMIC_RELEASE);
    led->me = (uint64_t) inc << 32 | owner;

    return TG_LEDGER_OK;
}


bool
tg_ledger_owner_alive(const tg_ledger_t *led, uint32_t owner,
    uint32_t incarnation)
{
    if (incarnation != 0) {
        return !tg_led_dead(led, (uint64_t) incarnation << 32 | owner);
    }

    return owner != (uint32_t) led->me && owner != 0
           && owner <= TG_LEDGER_OWNERS_MAX
           && !led->host.owner_dead(led->host.baton, owner);
}
