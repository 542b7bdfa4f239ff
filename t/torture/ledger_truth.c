#include "ledger_torture.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

truth_t           *truth;
tg_ledger_file_t   file;


int64_t
now_us(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_REALTIME, &t);

    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}


int64_t
now_ms(void)
{
    return now_us() / (1000 / SPEED);
}


void
count(uint64_t *n)
{
    __atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}


void
wrong(kind_t kind, const char *what, tg_ledger_slot_t slot)
{
    uint64_t  n = __atomic_fetch_add(&truth->wrong[kind], 1, __ATOMIC_RELAXED);

    if (n < 10) {
        fprintf(stderr, "WRONG: %s (slot %u, generation %" PRIu64 ")\n", what,
                slot.index, slot.gen);
    }
}


uint32_t
blob_check(const blob_t *b)
{
    uint32_t              h = 2166136261u;
    blob_t                copy = *b;
    const unsigned char  *p = (const void *) &copy;

    copy.check = 0;

    for (size_t i = 0; i < sizeof(copy); i++) {
        h = (h ^ p[i]) * 16777619u;
    }

    return h;
}


/* A line is what it must be, seen from the bill and the hold. */
static void
line_check(tg_ledger_slot_t slot, bool recovered, bool sent,
    const int64_t *actual, const blob_t *b)
{
    int64_t        hold;
    const bill_t  *bill = &truth->bill[slot.index - 1];
    bool           billed = __atomic_load_n(&bill->gen, __ATOMIC_ACQUIRE)
                            == slot.gen;

    if (b->check != blob_check(b)) {
        wrong(MONEY, "the blob is not the call's", slot);
        return;
    }

    for (unsigned i = 0; i < ITEMS; i++) {
        hold = i == 4 ? 0 : b->hold[i];

        if (recovered && actual[i] != (sent ? hold : 0)) {
            wrong(MONEY, "not settled at the hold", slot);

        } else if (!recovered && actual[i] != (billed ? bill->actual[i] : 0)) {
            wrong(MONEY, "a line that is not the bill", slot);

        } else if (recovered && billed && !sent) {
            wrong(MONEY, "sent, but given back", slot);
        }
    }
}


void
line_write(tg_ledger_slot_t slot, bool recovered, bool sent,
    const int64_t *actual, const blob_t *b)
{
    book_t    *book = &truth->book[slot.index - 1];
    uint64_t   word = __atomic_load_n(&book->word, __ATOMIC_ACQUIRE);
    unsigned   copy = (unsigned) (word & 1), other = copy ^ 1;

    if (word >> 1 == slot.gen) {
        count(&truth->again);
        if (memcmp(book->last, actual, sizeof(book->last)) != 0) {
            wrong(LINES, "a line written again that differs", slot);
        }
        return;
    }

    if (word >> 1 != slot.gen - 1) {
        wrong(LINES, "a line was lost, or came twice", slot);
    }

    line_check(slot, recovered, sent, actual, b);

    memcpy(book->sums[other], book->sums[copy], sizeof(book->sums[0]));
    memcpy(book->last, actual, sizeof(book->last));

    for (unsigned i = 0; i < 3; i++) {
        book->sums[other][b->sum[i] % SUMS] += actual[i];
    }

    __atomic_store_n(&book->word, slot.gen << 1 | other, __ATOMIC_RELEASE);
    count(&truth->lines);
}


void
key_of(unsigned char *key, const char *kind, uint64_t n)
{
    memset(key, 0, TG_LEDGER_KEY);
    snprintf((char *) key, TG_LEDGER_KEY, "%.3s%" PRIu64, kind, n);
}


void
item_of(tg_ledger_item_t *it, const char *kind, uint64_t n, int64_t amount,
    int64_t cap)
{
    memset(it, 0, sizeof(*it));
    key_of(it->key, kind, n);
    it->window.end = TG_WINDOW_NEVER;
    it->amount = amount;
    it->cap = cap;
    it->limit = cap;
    it->alert[0] = 50;
    it->alert[1] = 100;
}


/* used is the sum of the lines; how many counters differ. */
static unsigned
finish_sums(int64_t *total)
{
    int64_t            sum;
    unsigned           bad = 0;
    unsigned char      key[TG_LEDGER_KEY];
    tg_ledger_entry_t  e;

    *total = 0;

    for (unsigned b = 0; b < SUMS; b++) {
        key_of(key, "sum", b);
        sum = 0;

        for (unsigned s = 0; s < SLOTS; s++) {
            sum += truth->book[s].sums[truth->book[s].word & 1][b];
        }

        *total += sum;

        if (tg_ledger_read(&file.ledger, key, &e) != TG_LEDGER_OK
            || e.used != sum)
        {
            printf("WRONG: counter %u: used %" PRId64 ", lines %" PRId64 "\n",
                   b, e.used, sum);
            bad++;
        }
    }

    return bad;
}


/* What is held or open, or names no call; should be nothing. */
static uint64_t
finish_left(void)
{
    uint32_t            i = 0;
    uint64_t            bad = 0;
    tg_arena_t         *arena = tg_arena_create(0);
    tg_ledger_entry_t   e;
    tg_ledger_stats_t   st;
    tg_ledger_report_t  r;

    while (tg_ledger_each(&file.ledger, &i, &e)) {
        bad += e.held != 0 || e.before_held != 0 || e.open != 0;
    }

    tg_ledger_stats(&file.ledger, &st);
    printf("torture: left in the end: entries with holds %" PRIu64 ", slots %u"
           "\n", bad, st.slots_used);
    bad += st.slots_used;

    if (arena == NULL
        || tg_ledger_check(&file.ledger, tg_arena_mem(arena), &r)
           != TG_LEDGER_OK)
    {
        printf("WRONG: the ledger could not be checked\n");
        tg_arena_destroy(arena);
        return bad + 1;
    }

    printf("torture: tables: held %" PRIu64 " open %" PRIu64 " chain %" PRIu64
           " free %" PRIu64 " slot %" PRIu64 " count %" PRIu64 " negative %"
           PRIu64 " broken %" PRIu64 "\n", r.bad_held, r.bad_open, r.bad_chain,
           r.bad_free, r.bad_slot, r.bad_count, r.negative, r.broken);
    tg_arena_destroy(arena);

    return bad + r.bad_held + r.bad_open + r.bad_chain + r.bad_free
           + r.bad_slot + r.bad_count + r.negative + r.broken;
}


/* Whoever has money left is served: each subject may use all of its limit. How
 * many were not. */
static unsigned
finish_serve(void)
{
    int64_t             now = now_ms() + 3 * WINDOW, none[2] = { 0, 0 };
    unsigned            bad = 0;
    tg_ledger_item_t    items[2];
    tg_ledger_result_t  r;

    for (unsigned i = 0; i < CONC; i++) {
        item_of(&items[0], "con", i, CONC_CAP, CONC_CAP);
        items[0].flags = TG_LEDGER_CONCURRENT;
        item_of(&items[1], "tig", i % TIGHT, TIGHT_CAP, TIGHT_CAP);
        items[1].window.start = now;
        items[1].window.end = now + WINDOW;

        if (tg_ledger_hold(&file.ledger, now, items, 2, NULL, 0, &r)
            != TG_LEDGER_OK
            || tg_ledger_settle(&file.ledger, now, r.slot, none, 2, NULL, 0,
                                NULL) != TG_LEDGER_OK
            || tg_ledger_line_written(&file.ledger, &r.slot, 1)
               != TG_LEDGER_OK)
        {
            bad++;
        }
    }

    return bad;
}


void
finish(void)
{
    int64_t            total;
    unsigned           bad;
    tg_ledger_stats_t  st;

    bad = finish_sums(&total);
    truth->wrong[MONEY] += bad;
    printf("torture: lines %" PRIu64 ", their sum %" PRId64 ", counters that "
           "differ from it %u of %d\n", truth->lines, total, bad, SUMS);

    truth->wrong[LEFT] += finish_left();

    bad = finish_serve();
    truth->wrong[LEFT] += bad;
    printf("torture: subjects with money left, not served %u of %d\n", bad,
           CONC);

    tg_ledger_stats(&file.ledger, &st);
    printf("torture: locks taken over %" PRIu64 ", logs replayed %" PRIu64
           ", calls swept %" PRIu64 ", entries evicted %" PRIu64 "\n",
           st.recoveries, st.replays, st.swept, st.evicted);

    /* With no kill at the right place nothing was proved. */
    if (st.recoveries == 0 || st.swept == 0) {
        printf("torture: nothing had to be recovered: give it more time\n");
        truth->wrong[CALLS]++;
    }
}


void
report(unsigned procs, uint64_t kills, double seconds)
{
    printf("torture: processes %u, kills %" PRIu64 ", seconds %.1f\n", procs,
           kills, seconds);
    printf("torture: calls %" PRIu64 ", transactions a second %.0f\n",
           truth->holds,
           (double) (truth->holds + truth->settles + truth->lines) / seconds);
    printf("torture: refused %" PRIu64 ", parked %" PRIu64 ", full %" PRIu64
           ", busy %" PRIu64 "\n", truth->refused, truth->parked, truth->full,
           truth->busy);
    printf("torture: calls of the dead: billed at the hold %" PRIu64 ", given "
           "back unsent %" PRIu64 ", lines written again %" PRIu64 "\n",
           truth->recovered, truth->given_back, truth->again);
}


uint64_t
verdict(void)
{
    uint64_t            sum = 0;
    static const char  *names[KINDS] = {
        "overshoot", "money forgotten, made up or counted twice",
        "lines lost, torn or twice", "windows or sums that went back",
        "calls that failed", "holds, slots or tables left wrong"
    };

    printf("torture: looked at %" PRIu64 " grants and %" PRIu64 " samples\n",
           truth->granted, truth->samples);

    for (unsigned i = 0; i < KINDS; i++) {
        printf("torture: %s %" PRIu64 "\n", names[i], truth->wrong[i]);
        sum += truth->wrong[i];
    }

    return sum;
}
