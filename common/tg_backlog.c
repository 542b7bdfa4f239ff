#include "tg_gate.h"

#include <stdlib.h>

struct tg_backlog_item_s {
    tg_backlog_item_t  *next;
    tg_ledger_slot_t    slot;
    unsigned            n;
    int64_t             actual[TG_LEDGER_ITEMS_MAX];
    size_t              len;
    unsigned char       blob[TG_LEDGER_BLOB_MAX];
};


static void
tg_backlog_push(tg_backlog_t *backlog, tg_backlog_item_t *it)
{
    it->next = __atomic_load_n(&backlog->items, __ATOMIC_RELAXED);

    while (!__atomic_compare_exchange_n(&backlog->items, &it->next, it, true,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    { /* void */ }
}


int
tg_backlog_add(tg_backlog_t *backlog, tg_ledger_slot_t slot,
    const int64_t *actual, unsigned n, const void *blob, size_t len)
{
    tg_backlog_item_t  *it = malloc(sizeof(tg_backlog_item_t));

    if (it == NULL) {
        return TG_ERROR;
    }

    it->slot = slot;
    it->n = n;
    it->len = len;

    if (n != 0) {
        memcpy(it->actual, actual, n * sizeof(int64_t));
        memcpy(it->blob, blob, len);
    }

    tg_backlog_push(backlog, it);

    return TG_OK;
}


/*
 * A slot that still asks was given up.  The line of any other call was written
 * when it ended, so nobody will say so of its slot later.  TG_LEDGER_BUSY: try
 * again.
 */
static int
tg_backlog_free(const tg_backlog_item_t *it, tg_ledger_t *ledger, int64_t now)
{
    int  rc;

    rc = tg_ledger_fleet_cancel(ledger, now, it->slot);

    if (rc == TG_LEDGER_OK || rc == TG_LEDGER_BUSY) {
        return rc;
    }

    rc = tg_ledger_settle(ledger, now, it->slot, it->actual, it->n, it->blob,
                          it->len, NULL);

    return rc == TG_LEDGER_BUSY ? rc
           : tg_ledger_line_written(ledger, &it->slot, 1);
}


size_t
tg_backlog_settle(tg_backlog_t *backlog, tg_ledger_t *ledger, int64_t now)
{
    size_t              left = 0;
    tg_backlog_item_t  *it, *next;

    it = __atomic_exchange_n(&backlog->items, NULL, __ATOMIC_ACQUIRE);

    for ( ; it != NULL; it = next) {
        next = it->next;

        if (tg_backlog_free(it, ledger, now) == TG_LEDGER_BUSY) {
            tg_backlog_push(backlog, it);
            left++;
            continue;
        }

        free(it);
    }

    return left;
}
