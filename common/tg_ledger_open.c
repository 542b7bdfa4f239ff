#include "tg_ledger_int.h"

bool
tg_led_layout(uint64_t size, tg_led_layout_t *l)
{
    uint64_t  fixed, rest, n;

    if (size < TG_LEDGER_SIZE_MIN || size > TG_LEDGER_SIZE_MAX) {
        return false;
    }

    l->owners = TG_LED_PAGE;
    l->log = l->owners + (TG_LEDGER_OWNERS_MAX + 1) * sizeof(uint32_t);
    l->cells = l->log + TG_LED_LOG_SIZE;
    l->chains = l->cells + TG_LED_CELLS * sizeof(uint32_t);
    fixed = l->chains;

    /* A quarter for slots; of the rest, what a power of two of chains, at least
     * as many as entries, leaves. */
    n = (size - fixed) / 4 / sizeof(tg_led_slot_t);
    l->nslots = n < TG_LEDGER_SLOTS_MAX ? (uint32_t) n : TG_LEDGER_SLOTS_MAX;
    l->slots = (size - l->nslots * sizeof(tg_led_slot_t)) & ~UINT64_C(63);
    rest = l->slots - fixed;

    for (l->nchains = 64;
         (uint64_t) l->nchains * 2 * (sizeof(tg_led_entry_t) + 4) <= rest;
         l->nchains *= 2)
    {
        /* void */
    }

    n = (rest - (uint64_t) l->nchains * 4) / sizeof(tg_led_entry_t);

    if (n > (uint64_t) l->nchains + l->nchains / 2
        && rest > (uint64_t) l->nchains * 8)
    {
        l->nchains *= 2;
        n = (rest - (uint64_t) l->nchains * 4) / sizeof(tg_led_entry_t);
    }

    l->nentries = (uint32_t) n;
    l->entries = l->chains + (uint64_t) l->nchains * 4;
    l->entries = (l->entries + 63) & ~UINT64_C(63);

    return true;
}


int
tg_ledger_format(void *base, uint64_t size, const unsigned char seed[16],
    const unsigned char boot[16], int64_t now, tg_error_t *err)
{
    tg_led_head_t    *head = base;
    tg_led_layout_t   l;

    if (!tg_led_layout(size, &l)) {
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

    if (!tg_led_layout(size, &l) || head->magic != TG_LED_MAGIC) {
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
