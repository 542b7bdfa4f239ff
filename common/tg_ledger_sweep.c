#include "tg_ledger_int.h"

#define TG_LED_SWEEP_MAX    1024        /* slots handed over at a time */
#define TG_LED_SWEEP_ROOM   32          /* x TG_LED_RECLAIM entries looked at */

/* What is known of owner numbers: proofs cost a system call each. */
typedef struct {
    uint64_t  word[64];
    bool      dead[64];
} tg_led_known_t;


static bool
tg_led_known_dead(const tg_ledger_t *led, tg_led_known_t *known, uint64_t word)
{
    unsigned  i = (unsigned) (word % 64);

    if (known->word[i] != word || word == 0) {
        known->word[i] = word;
        known->dead[i] = tg_led_dead(led, word);
    }

    return known->dead[i];
}


static void
tg_led_swept_fill(const tg_ledger_t *led, const tg_led_slot_t *s,
    tg_ledger_swept_t *call)
{
    uint32_t  e;

    call->slot.index = (uint32_t) (s - led->slots) + 1;
    call->slot.gen = s->gen;
    call->recovered = s->recovered != 0;
    call->sent = s->sent != 0;
    call->admitted = s->admitted;
    call->nitems = s->nitems;
    call->blob_len = s->blob_len;

    if (call->nitems > TG_LEDGER_ITEMS_MAX) {
        call->nitems = 0;
    }

    if (call->blob_len > TG_LEDGER_BLOB_MAX) {
        call->blob_len = 0;
    }

    memcpy(call->blob, s->blob, call->blob_len);

    for (unsigned i = 0; i < call->nitems; i++) {
        call->actual[i] = s->items[i].amount;
        e = s->items[i].entry;

        if (e != 0 && e <= led->nentries) {
            memcpy(call->keys[i], led->entries[e - 1].key, TG_LEDGER_KEY);
        }
    }
}


/* The dead owner's slot becomes ours, and FINAL. TG_LEDGER_STALE: another was
 * here first. */
static int
tg_led_adopt(tg_ledger_t *led, int64_t now, tg_led_slot_t *slot,
    uint64_t owner, tg_ledger_swept_t *call)
{
    int             rc = TG_LEDGER_OK;
    tg_led_slot_t  *s;

    if (slot->state == TG_LED_FREE || slot->owner != owner) {
        return TG_LEDGER_STALE;
    }

    /* Not admitted yet: there is no call to tell of. */
    if (slot->state == TG_LED_ASKING) {
        rc = tg_led_fleet_release(led, slot);
        return rc == TG_LEDGER_OK ? TG_LEDGER_STALE : rc;
    }

    memset(call, 0, offsetof(tg_ledger_swept_t, blob));

    if (slot->state == TG_LED_OPEN) {
        rc = tg_led_slot_settle(led, now, slot, NULL, NULL, 0, call->states);
        led->head->swept += rc == TG_LEDGER_OK;

    } else {
        tg_led_begin(led);
        s = tg_led_image(led, slot, offsetof(tg_led_slot_t, items));
        s->owner = led->me;
        tg_led_commit(led);
    }

    if (rc == TG_LEDGER_OK) {
        tg_led_swept_fill(led, slot, call);
    }

    return rc;
}


static int
tg_led_sweep_slot(tg_ledger_t *led, int64_t now, tg_led_slot_t *slot,
    uint64_t owner, tg_ledger_swept_pt cb, void *baton)
{
    int                rc;
    tg_ledger_swept_t  call;

    rc = tg_led_lock(led);
    if (rc != TG_LEDGER_OK) {
        return rc;
    }

    rc = tg_led_adopt(led, now, slot, owner, &call);
    tg_led_unlock(led);

    if (rc == TG_LEDGER_OK && cb(baton, &call)) {
        (void) tg_ledger_line_written(led, &call.slot, 1);
    }

    return rc;
}


int
tg_ledger_sweep(tg_ledger_t *led, int64_t now, tg_ledger_swept_pt cb,
    void *baton)
{
    int              n = 0, rc;
    uint32_t         fresh = __atomic_load_n(&led->head->vars.fresh_slot,
                                             __ATOMIC_ACQUIRE);
    uint64_t         owner;
    tg_led_slot_t   *s;
    tg_led_known_t   known;

    memset(&known, 0, sizeof(known));

    for (uint32_t i = 0; i < fresh && i < led->nslots; i++) {
        s = &led->slots[i];

        if (__atomic_load_n(&s->state, __ATOMIC_RELAXED) == TG_LED_FREE) {
            continue;
        }

        owner = __atomic_load_n(&s->owner, __ATOMIC_RELAXED);

        if (owner == led->me || !tg_led_known_dead(led, &known, owner)) {
            continue;
        }

        rc = tg_led_sweep_slot(led, now, s, owner, cb, baton);

        if (rc == TG_LEDGER_BUSY) {
            return -TG_LEDGER_BUSY;
        }

        n += rc == TG_LEDGER_OK;

        if (n == TG_LED_SWEEP_MAX) {
            return n;
        }
    }

    for (unsigned k = 0; k < TG_LED_SWEEP_ROOM; k++) {
        if (tg_led_lock(led) != TG_LEDGER_OK) {
            return n > 0 ? n : -TG_LEDGER_BUSY;
        }

        tg_led_reclaim(led, now, TG_LED_RECLAIM);
        tg_led_unlock(led);
    }

    return n;
}
