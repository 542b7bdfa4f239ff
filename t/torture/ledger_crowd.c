/*
 * ledger_crowd - a million subjects that clients make up, and a million more.
 *
 * Sessions and models that nobody has configured are named by eight clients at
 * first, then by a thousand, all within one window; then by a thousand in
 * windows that follow one another.  All the while configured subjects call, and
 * some made-up ones have a call open that began before.
 *
 * Prints a figure a line.  Fails where an entry was lost or altered whose
 * window or call is open, where a client or all together got more than their
 * share of the table, where somebody else was turned away for it, where the
 * table does not come free after the windows' ends, where the ledger is not
 * sound, or where the process has grown.
 */

#define _GNU_SOURCE

#include "ledger_memory.h"
#include "tg_ledger_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE        (8 * 1024 * 1024)
#define SUBJECTS    2000000
#define FEW         8               /* clients of the first 200,000 */
#define FEW_LAST    200000
#define MANY        1000
#define ROLLING     1000000         /* from this one on windows follow */
#define WINDOW      100000          /* subjects, and ms, of one of those */
#define CONFIGURED  200
#define LASTING     50              /* calls that last */
#define GROWTH      512             /* kB that the process may grow by */
#define CAP         1000000000

static tg_ledger_t        ledger;
static uint16_t          *spent;    /* by subject; 0: it was not let in */
static uint64_t           let_in, full, served, turned_away, bad;
static int64_t            configured[CONFIGURED];
static tg_ledger_slot_t   lasting[LASTING];
static unsigned           nlasting;


static void
wrong(const char *what, uint64_t n)
{
    if (bad++ < 20) {
        printf("crowd: WRONG: %s (%" PRIu64 ")\n", what, n);
    }
}


/* The first million come within one window, in a millisecond each. */
static int64_t
time_of(uint64_t n)
{
    return (int64_t) n + (n < ROLLING ? 0 : TG_LED_GRACE);
}


static void
item_of(tg_ledger_item_t *it, const char *kind, uint64_t n, int64_t amount)
{
    memset(it, 0, sizeof(*it));
    memcpy(it->key, kind, 3);
    memcpy(it->key + 4, &n, sizeof(n));
    it->amount = amount;
    it->cap = CAP;
    it->limit = CAP;
    it->window.end = TG_WINDOW_NEVER;
}


static void
made_up(tg_ledger_item_t *it, uint64_t n)
{
    int64_t  t = time_of(n);

    item_of(it, n % 2 == 0 ? "ses" : "mod", n, 1000);
    it->flags = TG_LEDGER_INVENTED;
    it->creator = (uint32_t) (n < FEW_LAST ? n % FEW : FEW + n % MANY);

    if (n < ROLLING) {
        it->window.start = 0;
        it->window.end = ROLLING;

    } else {
        it->window.start = (int64_t) (n / WINDOW * WINDOW) + TG_LED_GRACE;
        it->window.end = it->window.start + WINDOW;
    }

    if (t < it->window.start || t >= it->window.end) {
        wrong("the test's own windows", n);
    }
}


static void
settle(int64_t now, tg_ledger_slot_t slot, int64_t actual, uint64_t n)
{
    if (tg_ledger_settle(&ledger, now, slot, &actual, 1, NULL, 0, NULL)
        != TG_LEDGER_OK
        || tg_ledger_line_written(&ledger, &slot, 1) != TG_LEDGER_OK)
    {
        wrong("a call did not settle", n);
    }
}


/* What the subject's call costs: never nothing. */
static uint16_t
cost(uint64_t n)
{
    return (uint16_t) (1 + n * 7 % 999);
}


static void
call_made_up(uint64_t n)
{
    tg_ledger_item_t    it;
    tg_ledger_result_t  r;

    made_up(&it, n);

    switch (tg_ledger_hold(&ledger, time_of(n), &it, 1, NULL, 0, &r)) {

    case TG_LEDGER_OK:
        break;

    case TG_LEDGER_FULL:
        full++;
        return;

    default:
        wrong("neither let in nor full", n);
        return;
    }

    let_in++;
    spent[n] = cost(n);

    if (nlasting < LASTING && n % 11 == 0) {
        lasting[nlasting++] = r.slot;

    } else {
        settle(time_of(n), r.slot, spent[n], n);
    }
}


static void
call_configured(uint64_t n)
{
    unsigned            i = (unsigned) (n / 100 % CONFIGURED);
    tg_ledger_item_t    it;
    tg_ledger_result_t  r;

    item_of(&it, "cfg", i, 1000);

    if (tg_ledger_hold(&ledger, time_of(n), &it, 1, NULL, 0, &r)
        != TG_LEDGER_OK)
    {
        turned_away++;
        return;
    }

    served++;
    configured[i] += cost(n);
    settle(time_of(n), r.slot, cost(n), n);
}


static void
reserve(uint32_t *epoch, unsigned from, unsigned to)
{
    tg_ledger_item_t  it;

    if (*epoch == 0 && tg_ledger_reserve_begin(&ledger, epoch) != TG_LEDGER_OK)
    {
        wrong("no epoch", from);
    }

    for (unsigned i = from; i < to; i++) {
        item_of(&it, "cfg", i, 0);
        if (tg_ledger_reserve(&ledger, *epoch, 0, &it) != TG_LEDGER_OK) {
            wrong("a configured subject has no entry", i);
        }
    }
}


/* The shares that clients have of the table. */
static void
check_shares(void)
{
    uint32_t           most = 0, *cell;
    tg_ledger_stats_t  st;

    tg_ledger_stats(&ledger, &st);

    for (uint32_t i = 1; i <= TG_LED_CELLS; i++) {
        cell = tg_led_cell(&ledger, i);
        most = *cell > most ? *cell : most;
    }

    if (st.entries_invented > st.entries / 2) {
        wrong("more than half of the table", st.entries_invented);
    }

    if (most > st.entries / 64) {
        wrong("more than a 64th for one client", most);
    }

    printf("crowd: of %u entries all clients have %u, one has %u at most\n",
           st.entries, st.entries_invented, most);
}


/* Those let in of [from, to) have what they spent; calls may be open. */
static void
check_kept(uint64_t from, uint64_t to, const char *what)
{
    uint64_t           n, kept = 0, lost = 0, others = 0;
    tg_ledger_item_t   it;
    tg_ledger_entry_t  e;

    for (n = from; n < to; n++) {
        if (spent[n] == 0) {
            continue;
        }

        made_up(&it, n);

        if (tg_ledger_read(&ledger, it.key, &e) != TG_LEDGER_OK) {
            lost++;

        } else if (e.window != it.window.start
                   || e.used != (e.open == 0 ? spent[n] : 0)
                   || e.held != (e.open == 0 ? 0 : 1000))
        {
            others++;

        } else {
            kept++;
        }
    }

    if (lost != 0 || others != 0 || kept == 0) {
        wrong(what, from);
    }

    printf("crowd: %s: kept %" PRIu64 ", lost %" PRIu64 ", altered %" PRIu64
           "\n", what, kept, lost, others);
}


static void
check_configured(void)
{
    tg_ledger_item_t   it;
    tg_ledger_entry_t  e;

    for (unsigned i = 0; i < CONFIGURED; i++) {
        item_of(&it, "cfg", i, 0);

        if (tg_ledger_read(&ledger, it.key, &e) != TG_LEDGER_OK
            || e.used != configured[i] || e.held != 0)
        {
            wrong("a configured subject's sum", i);
        }
    }

    if (turned_away != 0 || served == 0) {
        wrong("configured subjects turned away", turned_away);
    }

    printf("crowd: calls of configured subjects %" PRIu64 ", turned away %"
           PRIu64 "\n", served, turned_away);
}


static void
check_open(void)
{
    int64_t            actual = 777;
    tg_ledger_stats_t  st;
    unsigned           taken;

    tg_ledger_stats(&ledger, &st);
    taken = st.slots_used;

    for (unsigned i = 0; i < nlasting; i++) {
        settle(time_of(SUBJECTS), lasting[i], actual, i);
    }

    tg_ledger_stats(&ledger, &st);

    if (nlasting == 0 || taken != nlasting || st.slots_used != 0) {
        wrong("calls that were open all the time", taken);
    }

    printf("crowd: calls open all the time %u, taken slots in the end %u\n",
           taken, st.slots_used);
}


static void
check_sound(void)
{
    tg_arena_t          *arena = tg_arena_create(0);
    tg_ledger_stats_t    st;
    tg_ledger_report_t   r;

    tg_ledger_stats(&ledger, &st);

    if (arena == NULL
        || tg_ledger_check(&ledger, tg_arena_mem(arena), &r) != TG_LEDGER_OK
        || (r.bad_held | r.bad_open | r.bad_chain | r.bad_free | r.bad_slot
            | r.bad_count | r.negative | r.broken) != 0)
    {
        wrong("the ledger is not sound", 0);
    }

    if (st.full != full || full == 0) {
        wrong("full, but did not count it", st.full);
    }

    tg_arena_destroy(arena);
    printf("crowd: subjects %d, let in %" PRIu64 ", full %" PRIu64
           ", evicted after their windows %" PRIu64 "\n", SUBJECTS, let_in,
           full, st.evicted);
}


/* What the process has in memory, kB. */
static long
resident(void)
{
    long   n = 0;
    FILE  *f = fopen("/proc/self/statm", "r");

    if (f == NULL || fscanf(f, "%*d %ld", &n) != 1) {
        wrong("/proc/self/statm cannot be read", 0);
    }

    if (f != NULL) {
        (void) fclose(f);
    }

    return n * (sysconf(_SC_PAGESIZE) / 1024);
}


/* Zeros, whose pages are there before they are counted. */
static void *
pages(size_t size)
{
    void  *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (p == MAP_FAILED) {
        fprintf(stderr, "ledger_crowd: out of memory\n");
        exit(2);
    }

    return p;
}


static void
setup(void)
{
    spent = pages(SUBJECTS * sizeof(*spent));

    if (ledger_memory(&ledger, SIZE, 0) == NULL) {
        fprintf(stderr, "ledger_crowd: no ledger\n");
        exit(2);
    }
}


/* Another client's first session, while the eight are at it. */
static void
check_others(void)
{
    tg_ledger_item_t    it;
    tg_ledger_result_t  r;

    item_of(&it, "oth", 1, 1);
    it.flags = TG_LEDGER_INVENTED;
    it.creator = FEW + MANY;

    if (tg_ledger_hold(&ledger, time_of(FEW_LAST - 1), &it, 1, NULL, 0, &r)
        != TG_LEDGER_OK)
    {
        wrong("another client's session is turned away", FEW_LAST);
        return;
    }

    settle(time_of(FEW_LAST - 1), r.slot, 1, FEW_LAST);
}


int
main(void)
{
    long      before, grown;
    uint32_t  epoch = 0;

    setup();
    before = resident();
    reserve(&epoch, 0, CONFIGURED / 2);

    for (uint64_t n = 0; n < SUBJECTS; n++) {
        call_made_up(n);

        if (n % 100 == 0 && n / 100 % CONFIGURED < (n < ROLLING / 2
                                                    ? CONFIGURED / 2
                                                    : CONFIGURED))
        {
            call_configured(n);
        }

        if (n + 1 == FEW_LAST) {
            check_shares();
            check_others();
        }

        if (n + 1 == ROLLING / 2) {
            /* Now that the clients' half is full. */
            reserve(&epoch, CONFIGURED / 2, CONFIGURED);
            (void) tg_ledger_reserve_end(&ledger, epoch);
        }

        if (n + 1 == ROLLING) {
            check_shares();
            check_kept(0, ROLLING, "in a window that is open");

        } else if (n + 1 > ROLLING && (n + 1) % WINDOW == 0) {
            check_kept(n + 1 - WINDOW, n + 1, "in the window after");
        }
    }

    grown = resident() - before;
    check_open();
    check_shares();
    check_configured();
    check_sound();
    printf("crowd: the process grew by %ld kB, with a ledger of %d kB\n",
           grown, SIZE / 1024);

    if (grown > GROWTH) {
        wrong("memory", (uint64_t) grown);
    }

    printf("crowd: errors %" PRIu64 "\n", bad);

    return bad == 0 ? 0 : 1;
}
