/*
 * ledger_memory.h - a ledger in memory, of one process, in which nobody dies.
 */

#ifndef LEDGER_MEMORY_H
#define LEDGER_MEMORY_H

#include "tg_ledger.h"

#include <stdlib.h>


static inline bool
ledger_memory_dead(void *baton, uint32_t owner)
{
    (void) baton;
    (void) owner;

    return false;
}


static inline bool
ledger_memory_wait(void *baton, uint64_t *since)
{
    (void) baton;
    (void) since;

    return false;
}


static const tg_ledger_host_t  ledger_memory_host = {
    ledger_memory_dead, ledger_memory_wait, NULL
};


/* Its memory, to be freed; NULL where it can't be made. */
static inline void *
ledger_memory(tg_ledger_t *led, size_t size, int64_t now)
{
    void                 *base = aligned_alloc(4096, size);
    tg_error_t            err;
    const unsigned char   any[16] = "0123456789abcde";

    if (base == NULL) {
        return NULL;
    }

    memset(base, 0, size);

    if (tg_ledger_format(base, size, any, any, now, &err) != TG_OK
        || tg_ledger_attach(led, base, size, &ledger_memory_host, &err)
           != TG_OK
        || tg_ledger_claim(led, 1) != TG_LEDGER_OK)
    {
        free(base);
        return NULL;
    }

    return base;
}

#endif /* LEDGER_MEMORY_H */
