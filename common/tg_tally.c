#include "tg_tally.h"

#define TG_TALLY_MAGIC   UINT64_C(0x796c6c615454676c)
#define TG_TALLY_LAYOUT                                                      \
    (((uint64_t) TG_TALLY_VERSION << 32) | sizeof(tg_tally_t))


void
tg_tally_init(tg_tally_t *tally, int64_t now,
    const unsigned char secret[TG_TALLY_SECRET])
{
    memcpy(tally->secret, secret, TG_TALLY_SECRET);
    tally->layout = TG_TALLY_LAYOUT;
    tally->since = now;
    tally->magic = TG_TALLY_MAGIC;
}


int
tg_tally_check(uint64_t magic, uint64_t layout)
{
    return magic != TG_TALLY_MAGIC ? TG_ERROR
           : layout == TG_TALLY_LAYOUT ? TG_OK : TG_AGAIN;
}


tg_tally_process_t *
tg_tally_join(tg_tally_t *tally, int64_t number, uint64_t start,
    tg_tally_alive_t alive, void *data)
{
    int64_t              old;
    tg_tally_process_t  *p = tally->processes;

    /* Who is about to take a place has it by the negative of his number: until
     * `start` is his, too, it would tell that he is somebody else. */

    for (unsigned i = 0; i < TG_TALLY_PROCESSES; i++, p++) {
        old = atomic_load(&p->number);

        if (old != 0
            && (old > 0 ? alive(data, old, atomic_load(&p->start))
                        : alive(data, -old, 0)))
        {
            continue;
        }

        if (atomic_compare_exchange_strong(&p->number, &old, -number)) {
            atomic_store(&p->start, start);
            atomic_store(&p->calls, 0);
            atomic_store(&p->number, number);
            return p;
        }
    }

    return NULL;
}


int64_t
tg_tally_in_flight(tg_tally_t *tally, tg_tally_alive_t alive, void *data)
{
    int64_t              n, number, sum = 0;
    tg_tally_process_t  *p = tally->processes;

    for (unsigned i = 0; i < TG_TALLY_PROCESSES; i++, p++) {
        n = atomic_load(&p->calls);
        number = atomic_load(&p->number);

        if (n > 0 && number > 0
            && alive(data, number, atomic_load(&p->start)))
        {
            sum += n;
        }
    }

    return sum;
}
