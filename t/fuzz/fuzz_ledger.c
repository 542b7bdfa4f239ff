/*
 * A ledger of which bytes were flipped on disk: whatever it says, nobody reads
 * or writes outside of it, loops in it, or waits for ever.  What a check finds
 * sound may be wrong, but not ill-formed.
 */

#include "tg_ledger_fleet.h"

#include <stdlib.h>

#define REQUIRE(x)  do { if (!(x)) { abort(); } } while (0)

#define SIZE   (256 * 1024)
#define PAGE   4096
#define NOW    INT64_C(1760000000000)
#define KEYS   24
#define FLIPS  24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char  *pristine[2], *base;
static uint32_t       *used[2];     /* places of bytes that are not 0 */
static size_t          nused[2];
static bool            deadly;


static bool
owner_dead(void *baton, uint32_t owner)
{
    (void) baton;

    return deadly || owner > 2;
}


static bool
give_up(void *baton, uint64_t *since)
{
    (void) baton;

    return ++*since < 4;
}


static const tg_ledger_host_t  host = { owner_dead, give_up, NULL };


static bool
swept(void *baton, const tg_ledger_swept_t *call)
{
    (void) baton;
    REQUIRE(call->blob_len <= TG_LEDGER_BLOB_MAX);
    REQUIRE(call->nitems <= TG_LEDGER_ITEMS_MAX);

    return call->slot.index % 2 == 0;
}


static tg_ledger_item_t
item(unsigned k)
{
    tg_ledger_item_t  it;

    memset(&it, 0, sizeof(it));
    memset(it.key, (int) (k % KEYS + 1), sizeof(it.key));
    it.window.start = NOW - 1000;
    it.window.end = NOW + 1000000;
    it.idle_ms = k % 5 == 0 ? 60000 : 0;
    it.amount = 10 + k;
    it.cap = 1000;
    it.limit = 900;
    it.alert[0] = 50;
    it.alert[1] = 90;
    it.flags = k % 3 == 0 ? TG_LEDGER_INVENTED : k % 7 == 0
               ? TG_LEDGER_CONCURRENT : 0;
    it.creator = k;

    return it;
}


static void
use(tg_ledger_t *led, const uint8_t *data, size_t size)
{
    unsigned            n;
    uint32_t            epoch, e;
    tg_ledger_item_t    items[3];
    tg_ledger_slot_t    slots[8];
    tg_ledger_stats_t   stats;
    tg_ledger_entry_t   entry;
    tg_ledger_result_t  r;
    const int64_t       actual[3] = { 5, 5, 5 };

    memset(slots, 0, sizeof(slots));

    for (size_t i = 0; i < size && i < 64; i++) {
        n = data[i] >> 4;
        items[0] = item(n);
        items[1] = item(n + 1);
        items[2] = item(n + 2);

        switch (data[i] & 15) {
        case 0:
        case 1:
        case 2:
            if (tg_ledger_hold(led, NOW + n, items, 1 + n % 3, "blob", 4, &r)
                == TG_LEDGER_OK)
            {
                slots[n % 8] = r.slot;
            }
            break;
        case 3:
            (void) tg_ledger_sent(led, slots[n % 8]);
            break;
        case 4:
        case 5:
            (void) tg_ledger_settle(led, NOW + n, slots[n % 8], actual,
                                    1 + n % 3, "after", 5, &r);
            break;
        case 6:
            (void) tg_ledger_line_written(led, slots, 8);
            break;
        case 7:
            (void) tg_ledger_sweep(led, NOW + n * 10000, swept, NULL);
            break;
        case 8:
            (void) tg_ledger_latch(led, items[0].key, n % 2);
            break;
        case 9:
            (void) tg_ledger_raise(led, NOW, items, 100, NOW + 1000);
            break;
        case 10:
            (void) tg_ledger_reset(led, NOW, items);
            break;
        case 11:
            (void) tg_ledger_alerted(led, items[0].key, NOW - 1000, 3);
            break;
        case 12:
            if (tg_ledger_reserve_begin(led, &epoch) == TG_LEDGER_OK) {
                (void) tg_ledger_reserve(led, epoch, NOW, items);
                (void) tg_ledger_reserve_end(led, epoch);
            }
            break;
        case 13:
            (void) tg_ledger_look(led, NOW, items, 3, &r);
            (void) tg_ledger_read(led, items[0].key, &entry);
            break;
        case 14:
            for (e = 0; tg_ledger_each(led, &e, &entry); ) { /* void */ }
            break;
        default:
            tg_ledger_stats(led, &stats);
        }
    }
}


static void
check(tg_ledger_t *led)
{
    tg_arena_t          *arena = tg_arena_create(0);
    tg_ledger_report_t   report;

    REQUIRE(arena != NULL);
    (void) tg_ledger_check(led, tg_arena_mem(arena), &report);
    tg_arena_destroy(arena);
}


static void
make(void)
{
    static const uint8_t  script[] = {
        0x00, 0x10, 0x23, 0x21, 0x30, 0x42, 0x51, 0x62, 0x43, 0x44, 0x70, 0x80,
        0x18, 0x29, 0x1c, 0x90, 0xa0, 0xb1, 0xc2, 0xd0, 0xa4, 0xb5, 0x7d
    };

    tg_error_t             err;
    tg_ledger_t            led;
    const unsigned char    any[16] = "0123456789abcde";

    base = aligned_alloc(PAGE, SIZE);
    REQUIRE(base != NULL);

    for (unsigned i = 0; i < 2; i++) {
        pristine[i] = malloc(SIZE);
        REQUIRE(pristine[i] != NULL);
        memset(base, 0, SIZE);
        REQUIRE(tg_ledger_format_fleet(base, SIZE, any, any, NOW, i, &err)
                == TG_OK);
        REQUIRE(tg_ledger_attach(&led, base, SIZE, &host, &err) == TG_OK);
        REQUIRE(tg_ledger_claim(&led, 1) == TG_LEDGER_OK);
        use(&led, script, i == 0 ? sizeof(script) : 0);
        memcpy(pristine[i], base, SIZE);
        used[i] = malloc(SIZE * sizeof(uint32_t));
        REQUIRE(used[i] != NULL);

        for (uint32_t at = 0; at < SIZE; at++) {
            if (base[at] != 0) {
                used[i][nused[i]++] = at;
            }
        }
    }
}


/* data: what to do, then flips (a place in three bytes, and what to put there),
 * then calls. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                n, at;
    unsigned              fleet;
    tg_error_t            err;
    tg_ledger_t           led;
    const unsigned char   other[16] = "another boot id";

    if (base == NULL) {
        make();
    }

    if (size < 2) {
        return 0;
    }

    fleet = data[0] & 1;
    memcpy(base, pristine[fleet], SIZE);
    deadly = (data[0] & 4) != 0;
    n = data[1] % FLIPS;

    for (data += 2, size -= 2; n != 0 && size >= 4; n--, data += 4, size -= 4) {
        at = (size_t) data[1] << 8 | data[2];
        at = data[0] & 1 ? used[fleet][at % nused[fleet]]
             : (at << 7 | data[0] >> 1) % SIZE;
        base[at] ^= data[3];
    }

    n = size != 0 ? data[0] : 0;

    if (tg_ledger_attach(&led, base, SIZE, &host, &err) != TG_OK) {
        return 0;
    }

    check(&led);
    use(&led, data, size);

    REQUIRE(tg_ledger_attach(&led, base, SIZE, &host, &err) == TG_OK);

    if (n & 1) {
        tg_ledger_reboot(&led, other);
    }

    if (tg_ledger_claim(&led, 1) == TG_LEDGER_OK) {
        use(&led, data, size);
        check(&led);
        use(&led, data, size);
    }

    return 0;
}
