/*
 * ledger_torture PROCS SECONDS [FILE] - processes that hold, send, settle and
 * write lines, and are killed all the time.
 *
 * Each of PROCS processes (every second one with two threads) runs calls of six
 * items: three counters without end, a tight one with windows of 20 ms, a
 * limit of concurrent calls, and one of a million subjects that clients invent.
 * Each sweeps what the dead left behind.  The parent kills one after the other
 * with SIGKILL, wherever it happens to be, and starts another in its place; a
 * monitor watches the entries without the lock.
 *
 * What is true is written down apart from the ledger, in memory of its own:
 *
 *   bill    what the provider charges: the actual costs of a slot's call, from
 *           the moment on that it was sent;
 *   book    the cost lines of a slot: sums by counter, and the generation of
 *           the last line.  There are two copies, and one word says which
 *           counts and up to which generation, so that a line is in the book
 *           or it is not.
 *
 * Proved at the end, and where marked + with every line and sample:
 *
 *   used of every counter is the sum of the lines, to the unit;
 *   nothing is held and no slot is taken when all is over, and the tables are
 *     sound;
 * + each generation of each slot has exactly one line: nothing lost, nothing
 *     twice; a line that is written again is the same one;
 * + a line is the bill, or for the dead the hold, and no less than the bill;
 * + what was billed was never given back as not sent;
 * + used + held never pass a limit, used never shrinks within a window, windows
 *     never go back.
 */

#define _GNU_SOURCE

#include "tg_ledger_file.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIZE       (8 * 1024 * 1024)
#define PROCS_MAX  64
#define THREADS    2
#define ITEMS      6
#define SUMS       32           /* counters without end */
#define TIGHT      8
#define CONC       64
#define CALLS      8            /* in flight, of a thread */
#define SLOTS      4096
#define SPEED      50           /* times as fast as the clock */
#define WINDOW     1000         /* ms, 20 of them real */
#define TIGHT_CAP  100000
#define CONC_CAP   2
#define SUBJECTS   1000000

typedef struct {
    uint64_t  word;             /* last generation << 1 | copy that counts */
    int64_t   sums[2][SUMS];
    int64_t   last[ITEMS];      /* the line of that generation */
} book_t;

typedef struct {
    uint64_t  gen;              /* written last */
    int64_t   actual[ITEMS];
} bill_t;

typedef struct {
    book_t    book[SLOTS];
    bill_t    bill[SLOTS];
    uint64_t  errors, holds, settles, lines, again, refused, parked, full, busy,
              recovered, given_back, samples;
} truth_t;

typedef struct {
    uint32_t  sum[3];
    uint32_t  check;
    int64_t   hold[ITEMS];
} blob_t;

typedef struct {
    tg_ledger_slot_t  slot;
    blob_t            blob;
    int64_t           actual[ITEMS];
    int               state;    /* 0: free, 1: held, 2: sent, 3: settled */
} call_t;

typedef struct {
    uint64_t          seed;
    call_t            calls[CALLS];
    tg_ledger_slot_t  late[CALLS];      /* swept, line not confirmed yet */
    unsigned          nlate;
} worker_t;

static truth_t           *truth;
static tg_ledger_file_t   file;


static uint64_t
rnd(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;

    return *x;
}


static void
count(uint64_t *n)
{
    __atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}


static int64_t
now_us(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_REALTIME, &t);

    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}


/* The ledger's clock runs fast. */
static int64_t
now_ms(void)
{
    return now_us() / (1000 / SPEED);
}


static void
wrong(const char *what, tg_ledger_slot_t slot)
{
    uint64_t  n = __atomic_fetch_add(&truth->errors, 1, __ATOMIC_RELAXED);

    if (n < 20) {
        fprintf(stderr, "WRONG: %s (slot %u, generation %" PRIu64 ")\n", what,
                slot.index, slot.gen);
    }
}


static uint32_t
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
        wrong("the blob is not the call's", slot);
        return;
    }

    for (unsigned i = 0; i < ITEMS; i++) {
        hold = i == 4 ? 0 : b->hold[i];

        if (recovered && actual[i] != (sent ? hold : 0)) {
            wrong("not settled at the hold", slot);

        } else if (!recovered && actual[i] != (billed ? bill->actual[i] : 0)) {
            wrong("a line that is not the bill", slot);

        } else if (recovered && billed && !sent) {
            wrong("sent, but given back", slot);
        }
    }
}


/* Writes the line: it is in the book at the one store of the word. */
static void
line_write(tg_ledger_slot_t slot, bool recovered, bool sent,
    const int64_t *actual, const blob_t *b)
{
    book_t    *book = &truth->book[slot.index - 1];
    uint64_t   word = __atomic_load_n(&book->word, __ATOMIC_ACQUIRE);
    unsigned   copy = (unsigned) (word & 1), other = copy ^ 1;

    if (word >> 1 == slot.gen) {
        count(&truth->again);
        if (memcmp(book->last, actual, sizeof(book->last)) != 0) {
            wrong("a line written again that differs", slot);
        }
        return;
    }

    if (word >> 1 != slot.gen - 1) {
        wrong("a line was lost, or came twice", slot);
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


static bool
swept(void *baton, const tg_ledger_swept_t *call)
{
    blob_t     b;
    worker_t  *w = baton;

    if (call->nitems < ITEMS - 1 || call->blob_len != sizeof(b)) {
        wrong("a swept call in pieces", call->slot);
        return true;
    }

    memcpy(&b, call->blob, sizeof(b));

    if (call->recovered) {
        count(call->sent ? &truth->recovered : &truth->given_back);
    }

    line_write(call->slot, call->recovered, call->sent, call->actual, &b);

    if (w != NULL && w->nlate < CALLS && (rnd(&w->seed) & 1)) {
        w->late[w->nlate++] = call->slot;
        return false;
    }

    return true;
}


static void
key_of(unsigned char *key, const char *kind, uint64_t n)
{
    memset(key, 0, TG_LEDGER_KEY);
    snprintf((char *) key, TG_LEDGER_KEY, "%.3s%" PRIu64, kind, n);
}


static void
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


static void
window_of(tg_ledger_item_t *it, int64_t now)
{
    /* Clocks that differ: windows must not go back for it. */
    now += now % 7 == 0 ? -WINDOW : 0;
    it->window.start = now / WINDOW * WINDOW;
    it->window.end = it->window.start + WINDOW;
}


static void
call_hold(worker_t *w, call_t *c)
{
    int                  rc;
    int64_t              now = now_ms();
    uint32_t             base = (uint32_t) (rnd(&w->seed) % SUMS);
    uint64_t             amount = 1 + rnd(&w->seed) % 1000;
    tg_ledger_item_t     items[ITEMS];
    tg_ledger_result_t   r;

    for (unsigned i = 0; i < 3; i++) {
        c->blob.sum[i] = (base + i * 7) % SUMS;
        item_of(&items[i], "sum", c->blob.sum[i], (int64_t) amount + i,
                INT64_MAX);
    }

    item_of(&items[3], "tig", rnd(&w->seed) % TIGHT, (int64_t) amount,
            TIGHT_CAP);
    window_of(&items[3], now);

    item_of(&items[4], "con", rnd(&w->seed) % CONC, 1, CONC_CAP);
    items[4].flags = TG_LEDGER_CONCURRENT;

    item_of(&items[5], "inv", rnd(&w->seed) % SUBJECTS, 1, 1000);
    items[5].flags = TG_LEDGER_INVENTED;
    items[5].creator = (uint32_t) rnd(&w->seed);
    window_of(&items[5], now);
    memset(items[5].alert, 0, sizeof(items[5].alert));

    for (unsigned i = 0; i < ITEMS; i++) {
        c->blob.hold[i] = items[i].amount;
    }

    c->blob.check = 0;
    c->blob.check = blob_check(&c->blob);
    rc = tg_ledger_hold(&file.ledger, now, items, ITEMS, &c->blob,
                        sizeof(c->blob), &r);
    c->slot = r.slot;

    switch (rc) {
    case TG_LEDGER_OK:
        count(&truth->holds);
        c->state = 1;
        break;
    case TG_LEDGER_REFUSED:
        count(&truth->refused);
        break;
    case TG_LEDGER_PARK:
        count(&truth->parked);
        break;
    case TG_LEDGER_FULL:
        count(&truth->full);
        break;
    case TG_LEDGER_BUSY:
        count(&truth->busy);
        break;
    default:
        wrong("hold", r.slot);
    }
}


static void
call_send(worker_t *w, call_t *c)
{
    bill_t  *bill = &truth->bill[c->slot.index - 1];

    memset(c->actual, 0, sizeof(c->actual));

    if (rnd(&w->seed) % 16 == 0) {
        c->state = 2;                   /* connect failed: costs nothing */
        return;
    }

    if (tg_ledger_sent(&file.ledger, c->slot) != TG_LEDGER_OK) {
        wrong("sent", c->slot);
    }

    for (unsigned i = 0; i < ITEMS; i++) {
        c->actual[i] = (int64_t) (rnd(&w->seed)
                                  % (uint64_t) (c->blob.hold[i] + 1));
    }

    c->actual[4] = 0;
    memcpy(bill->actual, c->actual, sizeof(bill->actual));
    __atomic_store_n(&bill->gen, c->slot.gen, __ATOMIC_RELEASE);
    c->state = 2;
}


static void
call_settle(worker_t *w, call_t *c)
{
    int                  rc;
    int64_t              actual[ITEMS];
    tg_ledger_result_t   r;

    memcpy(actual, c->actual, sizeof(actual));
    actual[4] = (int64_t) (rnd(&w->seed) % 3);      /* of no consequence */

    rc = tg_ledger_settle(&file.ledger, now_ms(), c->slot, actual, ITEMS, NULL,
                          0, &r);

    if (rc == TG_LEDGER_BUSY) {
        count(&truth->busy);
        return;
    }

    if (rc != TG_LEDGER_OK) {
        wrong("settle", c->slot);
    }

    count(&truth->settles);
    c->state = 3;

    if (rnd(&w->seed) % 64 == 0) {
        rc = tg_ledger_settle(&file.ledger, now_ms(), c->slot, actual, ITEMS,
                              NULL, 0, NULL);
        if (rc != TG_LEDGER_STALE && rc != TG_LEDGER_BUSY) {
            wrong("settled twice", c->slot);
        }
    }
}


static void
call_finish(call_t *c)
{
    line_write(c->slot, false, false, c->actual, &c->blob);

    if (tg_ledger_line_written(&file.ledger, &c->slot, 1) == TG_LEDGER_BUSY) {
        count(&truth->busy);
        return;
    }

    c->state = 0;
}


static void *
work(void *arg)
{
    call_t    *c;
    uint64_t   seed = (uint64_t) (uintptr_t) arg * 0x9e3779b97f4a7c15u + 1;
    worker_t   w;

    memset(&w, 0, sizeof(w));
    w.seed = seed;

    for (uint64_t n = 0; ; n++) {
        c = &w.calls[rnd(&w.seed) % CALLS];

        switch (c->state) {
        case 0:
            call_hold(&w, c);
            break;
        case 1:
            call_send(&w, c);
            break;
        case 2:
            call_settle(&w, c);
            break;
        default:
            call_finish(c);
        }

        if (n % 2048 == 0) {
            (void) tg_ledger_sweep(&file.ledger, now_ms(), swept, &w);
        }

        if (n % 2048 == 100 && w.nlate > 0
            && tg_ledger_line_written(&file.ledger, w.late, w.nlate)
               == TG_LEDGER_OK)
        {
            w.nlate = 0;
        }
    }

    return NULL;
}


static void
worker(unsigned index, uint64_t seed)
{
    pthread_t   other;
    tg_error_t  err;

    if (tg_ledger_file_join(&file, &err) != TG_OK) {
        fprintf(stderr, "join: %s\n", err.message);
        count(&truth->errors);
        _exit(1);
    }

    if (index % 2 == 1
        && pthread_create(&other, NULL, work,
                          (void *) (uintptr_t) (seed * 2 + 1)) != 0)
    {
        _exit(1);
    }

    work((void *) (uintptr_t) (seed * 2));
}


/* Without the lock, all the time: no limit is passed, nothing shrinks. */
static void
monitor(void)
{
    uint32_t           i;
    int64_t            before[SUMS], windows[TIGHT], n, most;
    tg_ledger_slot_t   none = { 0, 0 };
    tg_ledger_entry_t  e;

    memset(before, 0, sizeof(before));
    memset(windows, 0, sizeof(windows));

    for ( ;; ) {
        for (i = 0; tg_ledger_each(&file.ledger, &i, &e); ) {
            most = memcmp(e.key, "tig", 3) == 0 ? TIGHT_CAP
                   : memcmp(e.key, "con", 3) == 0 ? CONC_CAP
                   : memcmp(e.key, "inv", 3) == 0 ? 1000 : INT64_MAX;

            if (e.torn) {
                continue;
            }

            count(&truth->samples);

            if (e.used < 0 || e.held < 0 || e.before_used < 0
                || e.before_held < 0 || most - e.used < e.held
                || most - e.before_used < e.before_held)
            {
                wrong("a limit was passed", none);
            }

            n = atoi((char *) e.key + 3);

            if (most == TIGHT_CAP) {
                if (e.window < windows[n % TIGHT]) {
                    wrong("a window went back", none);
                }
                windows[n % TIGHT] = e.window;
            }

            if (most == INT64_MAX) {
                if (e.used < before[n % SUMS]) {
                    wrong("used has shrunk", none);
                }
                before[n % SUMS] = e.used;
            }
        }

        sched_yield();
    }
}


static unsigned
finish(void)
{
    int64_t             sum;
    uint32_t            i = 0, slots = 0;
    tg_arena_t         *arena = tg_arena_create(0);
    tg_ledger_entry_t   e;
    tg_ledger_stats_t   st;
    tg_ledger_report_t  r;
    unsigned            bad = 0;

    while (tg_ledger_sweep(&file.ledger, now_ms(), swept, NULL) != 0) {
        /* void */
    }

    for (unsigned b = 0; b < SUMS; b++) {
        unsigned char  key[TG_LEDGER_KEY];

        key_of(key, "sum", b);
        sum = 0;

        for (unsigned s = 0; s < SLOTS; s++) {
            sum += truth->book[s].sums[truth->book[s].word & 1][b];
        }

        if (tg_ledger_read(&file.ledger, key, &e) != TG_LEDGER_OK
            || e.used != sum)
        {
            printf("WRONG: counter %u: used %" PRId64 ", lines %" PRId64 "\n",
                   b, e.used, sum);
            bad++;
        }
    }

    while (tg_ledger_each(&file.ledger, &i, &e)) {
        bad += e.held != 0 || e.before_held != 0 || e.open != 0;
    }

    if (tg_ledger_check(&file.ledger, tg_arena_mem(arena), &r)
        != TG_LEDGER_OK)
    {
        bad++;
    }

    for (unsigned s = 0; s < SLOTS; s++) {
        slots += truth->book[s].word != 0;
    }

    tg_ledger_stats(&file.ledger, &st);
    bad += st.slots_used != 0;
    printf("recoveries %" PRIu64 " replays %" PRIu64 " swept %" PRIu64
           " evicted %" PRIu64 " slots %u\n", st.recoveries, st.replays,
           st.swept, st.evicted, slots);
    printf("check: held %" PRIu64 " open %" PRIu64 " chain %" PRIu64 " free %"
           PRIu64 " slot %" PRIu64 " count %" PRIu64 " negative %" PRIu64
           " broken %" PRIu64 "\n", r.bad_held, r.bad_open, r.bad_chain,
           r.bad_free, r.bad_slot, r.bad_count, r.negative, r.broken);
    bad += (unsigned) (r.bad_held + r.bad_open + r.bad_chain + r.bad_free
                       + r.bad_slot + r.bad_count + r.negative + r.broken);
    tg_arena_destroy(arena);

    return bad;
}


static pid_t
start(unsigned index, uint64_t seed)
{
    pid_t  pid = fork();

    if (pid == 0) {
        if (index == 0) {
            monitor();
        }
        worker(index, seed);
    }

    return pid;
}


int
main(int argc, char **argv)
{
    char         path[256];
    pid_t        pids[PROCS_MAX + 1];
    double       seconds = argc > 2 ? atof(argv[2]) : 10;
    int64_t      t0, t;
    unsigned     procs = argc > 1 ? (unsigned) atoi(argv[1]) : 8, victim, bad;
    uint64_t     kills = 0, seed = (uint64_t) now_us() | 1, x = seed;
    tg_error_t   err;

    if (procs < 1 || procs > PROCS_MAX) {
        fprintf(stderr, "usage: ledger_torture PROCS SECONDS [FILE]\n");
        return 2;
    }

    snprintf(path, sizeof(path), "%s", argc > 3 ? argv[3]
                                               : "/tmp/ledger_torture.ledger");
    (void) unlink(path);
    truth = mmap(NULL, sizeof(*truth), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (truth == MAP_FAILED
        || tg_ledger_file_open(&file, path, SIZE, &err) != TG_OK)
    {
        fprintf(stderr, "%s: %s\n", path, err.message);
        return 2;
    }

    for (unsigned i = 0; i <= procs; i++) {
        pids[i] = start(i, ++seed);
    }

    t0 = now_us();

    do {
        usleep((useconds_t) (100 + rnd(&x) % 900));
        victim = 1 + (unsigned) (rnd(&x) % procs);
        kill(pids[victim], SIGKILL);
        waitpid(pids[victim], NULL, 0);
        kills++;
        pids[victim] = start(victim, ++seed);
        t = now_us();
    } while ((double) (t - t0) < seconds * 1e6);

    for (unsigned i = 0; i <= procs; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }

    seconds = (double) (t - t0) / 1e6;
    printf("processes %u kills %" PRIu64 " seconds %.1f\n", procs, kills,
           seconds);
    printf("calls %" PRIu64 " transactions/s %.0f lines %" PRIu64
           " written again %" PRIu64 " billed at the hold %" PRIu64
           " given back %" PRIu64 "\n", truth->holds,
           (double) (truth->holds + truth->settles + truth->lines) / seconds,
           truth->lines, truth->again, truth->recovered, truth->given_back);
    printf("refused %" PRIu64 " parked %" PRIu64 " full %" PRIu64 " busy %"
           PRIu64 " samples %" PRIu64 "\n", truth->refused, truth->parked,
           truth->full, truth->busy, truth->samples);

    if (tg_ledger_file_join(&file, &err) != TG_OK) {
        fprintf(stderr, "%s: %s\n", path, err.message);
        return 2;
    }

    bad = finish();
    printf("errors %" PRIu64 "\n", truth->errors + bad);
    tg_ledger_file_close(&file);
    (void) unlink(path);

    return truth->errors + bad == 0 ? 0 : 1;
}
