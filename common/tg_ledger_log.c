#include "tg_ledger_int.h"

#define TG_LED_SPINS       128
#define TG_LED_READ_TRIES  10000

#if defined(__x86_64__) || defined(__i386__)
#define tg_led_pause()     __builtin_ia32_pause()
#elif defined(__aarch64__)
#define tg_led_pause()     __asm__ __volatile__("yield")
#else
#define tg_led_pause()     __asm__ __volatile__("" ::: "memory")
#endif


bool
tg_led_dead(const tg_ledger_t *led, uint64_t word)
{
    uint32_t  owner = (uint32_t) word, *owners;

    if (word == led->me) {
        return false;           /* another thread of ours */
    }

    if (owner == 0 || owner > TG_LEDGER_OWNERS_MAX) {
        return true;
    }

    /* A later process has that number: the earlier one is dead. */
    owners = (uint32_t *) (void *) (led->base + TG_LED_PAGE);

    if (__atomic_load_n(&owners[owner], __ATOMIC_ACQUIRE) != word >> 32) {
        return true;
    }

    return led->host.owner_dead(led->host.baton, owner);
}


static void
tg_led_recover(tg_ledger_t *led)
{
    led->head->recoveries++;
    tg_led_replay(led, false);
}


int
tg_led_lock(tg_ledger_t *led)
{
    uint64_t  *lock = &led->head->lock, since = 0, was;

    if (led->me == 0) {
        return TG_LEDGER_BAD;
    }

    for ( ;; ) {
        for (unsigned i = 0; i < TG_LED_SPINS; i++) {
            was = __atomic_load_n(lock, __ATOMIC_RELAXED);

            if (was == 0
                && __atomic_compare_exchange_n(lock, &was, led->me, false,
                                               __ATOMIC_ACQUIRE,
                                               __ATOMIC_RELAXED))
            {
                return TG_LEDGER_OK;
            }

            tg_led_pause();
        }

        /* The word says which incarnation: if it is still there once that one
         * is known to be dead, nobody can have changed anything since. */
        if (was != 0 && tg_led_dead(led, was)
            && __atomic_compare_exchange_n(lock, &was, led->me, false,
                                           __ATOMIC_ACQUIRE,
                                           __ATOMIC_RELAXED))
        {
            tg_led_recover(led);
            return TG_LEDGER_OK;
        }

        if (!led->host.wait(led->host.baton, &since)) {
            __atomic_fetch_add(&led->head->busy, 1, __ATOMIC_RELAXED);
            return TG_LEDGER_BUSY;
        }
    }
}


void
tg_led_unlock(tg_ledger_t *led)
{
    __atomic_store_n(&led->head->lock, 0, __ATOMIC_RELEASE);
}


void
tg_led_begin(tg_ledger_t *led)
{
    led->log_len = 0;
}


void *
tg_led_image(tg_ledger_t *led, void *target, size_t len)
{
    tg_led_record_t  *rec = (void *) (led->log + led->log_len);

    rec->offset = (uint64_t) ((unsigned char *) target - led->base);
    rec->len = len;
    memcpy(rec + 1, target, len);
    led->log_len += (uint32_t) (sizeof(*rec) + ((len + 7) & ~(size_t) 7));

    return rec + 1;
}


static void
tg_led_copy(tg_ledger_t *led, uint32_t len)
{
    const tg_led_record_t  *rec;

    for (uint32_t at = 0; at < len; ) {
        rec = (const void *) (led->log + at);
        memcpy(led->base + rec->offset, rec + 1, rec->len);
        at += (uint32_t) (sizeof(*rec) + ((rec->len + 7) & ~UINT64_C(7)));
    }
}


/*
 * Killed before seq is odd, nothing has happened; between odd and even, the
 * copying is done again.  The fence keeps the copies behind the mark, for the
 * compiler and for processors that reorder stores.
 */
void
tg_led_commit(tg_ledger_t *led)
{
    tg_led_head_t  *head = led->head;
    uint64_t        seq = head->seq;

    head->log_len = led->log_len;
    __atomic_store_n(&head->seq, seq + 1, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);

    tg_led_copy(led, led->log_len);

    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&head->seq, seq + 2, __ATOMIC_RELEASE);
}


static bool
tg_led_is_member(uint64_t offset, const void *table, const unsigned char *base,
    uint64_t n, uint64_t size)
{
    uint64_t  start = (uint64_t) ((const unsigned char *) table - base);

    return offset >= start && offset - start < n * size
           && (offset - start) % size == 0;
}


static bool
tg_led_is_plausible(const tg_ledger_t *led, const tg_led_record_t *rec)
{
    const tg_led_entry_t  *e = (const void *) (rec + 1);
    const tg_led_slot_t   *s = (const void *) (rec + 1);

    if (tg_led_is_member(rec->offset, led->entries, led->base, led->nentries,
                         sizeof(*e)))
    {
        return rec->len == sizeof(*e)
               && memcmp(led->base + rec->offset, e->key, sizeof(e->key)) == 0;
    }

    if (tg_led_is_member(rec->offset, led->slots, led->base, led->nslots,
                         sizeof(*s)))
    {
        return rec->len >= offsetof(tg_led_slot_t, items)
               && rec->len <= offsetof(tg_led_slot_t, said_actual)
               && s->state <= TG_LED_ASKING;
    }

    if (led->fents != NULL
        && tg_led_is_member(rec->offset, led->fents, led->base, led->nentries,
                            sizeof(tg_led_fent_t)))
    {
        return rec->len == sizeof(tg_led_fent_t);
    }

    return false;
}


void
tg_led_replay(tg_ledger_t *led, bool wary)
{
    tg_led_head_t          *head = led->head;
    uint32_t                at = 0, len = head->log_len;
    uint64_t                seq = __atomic_load_n(&head->seq, __ATOMIC_ACQUIRE);
    const tg_led_record_t  *rec;

    if ((seq & 1) == 0) {
        return;
    }

    while (at < len && len <= led->log_size
           && len - at >= sizeof(tg_led_record_t))
    {
        rec = (const void *) (led->log + at);
        at += (uint32_t) sizeof(*rec);

        if (rec->len > len - at || rec->offset > led->size - rec->len) {
            break;
        }

        if (!wary || tg_led_is_plausible(led, rec)) {
            memcpy(led->base + rec->offset, rec + 1, rec->len);
        }

        at += (uint32_t) ((rec->len + 7) & ~UINT64_C(7));
    }

    head->replays++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&head->seq, seq + 1, __ATOMIC_RELEASE);
}


uint64_t
tg_led_read_begin(const tg_ledger_t *led)
{
    uint64_t  seq;

    for (unsigned i = 0; ; i++) {
        seq = __atomic_load_n(&led->head->seq, __ATOMIC_ACQUIRE);

        if ((seq & 1) == 0 || i == TG_LED_READ_TRIES) {
            return seq;
        }

        tg_led_pause();
    }
}


bool
tg_led_read_end(const tg_ledger_t *led, uint64_t seq)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    return (seq & 1) == 0
           && __atomic_load_n(&led->head->seq, __ATOMIC_RELAXED) == seq;
}
