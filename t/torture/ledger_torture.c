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
 * Proved at the end, and where marked + with every hold, line and sample:
 *
 *   used of every counter is the sum of the lines, to the unit;
 *   nothing is held and no slot is taken when all is over, the tables are
 *     sound, and each subject may use all of its limit;
 * + each generation of each slot has exactly one line: nothing lost, nothing
 *     twice; a line that is written again is the same one;
 * + a line is the bill, or for the dead the hold, and no less than the bill;
 * + what was billed was never given back as not sent;
 * + used + held never pass a limit, used never shrinks within a window, windows
 *     never go back.
 *
 * Prints a figure a line, and fails where any of it does not hold.
 */

#define _GNU_SOURCE

#include "ledger_torture.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    tg_ledger_slot_t  slot;
    blob_t            blob;
    int64_t           actual[ITEMS];
    int               state;    /* 0: free, 1: held, 2: sent, 3: settled */
} call_t;

typedef struct {
    uint64_t          seed;
    call_t            calls[FLIGHT];
    tg_ledger_slot_t  late[FLIGHT];     /* swept, line not confirmed yet */
    unsigned          nlate;
} worker_t;


static uint64_t
rnd(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;

    return *x;
}


static bool
swept(void *baton, const tg_ledger_swept_t *call)
{
    blob_t     b;
    worker_t  *w = baton;

    if (call->nitems < ITEMS - 1 || call->blob_len != sizeof(b)) {
        wrong(LINES, "a swept call in pieces", call->slot);
        return true;
    }

    memcpy(&b, call->blob, sizeof(b));

    if (call->recovered) {
        count(call->sent ? &truth->recovered : &truth->given_back);
    }

    line_write(call->slot, call->recovered, call->sent, call->actual, &b);

    if (w != NULL && w->nlate < FLIGHT && (rnd(&w->seed) & 1)) {
        w->late[w->nlate++] = call->slot;
        return false;
    }

    return true;
}


static void
window_of(tg_ledger_item_t *it, int64_t now)
{
    /* Clocks that differ: windows must not go back for it. */
    now += now % 7 == 0 ? -WINDOW : 0;
    it->window.start = now / WINDOW * WINDOW;
    it->window.end = it->window.start + WINDOW;
}


/* Nothing but a hold brings an entry nearer to its limit. */
static void
granted(const tg_ledger_item_t *items, const tg_ledger_result_t *r)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        count(&truth->granted);

        if (items[i].limit - r->states[i].used < r->states[i].held) {
            wrong(LIMITS, "a limit was passed by a hold", r->slot);
        }
    }
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
        granted(items, &r);
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
        wrong(CALLS, "hold", r.slot);
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
        wrong(CALLS, "sent", c->slot);
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
        wrong(CALLS, "settle", c->slot);
    }

    count(&truth->settles);
    c->state = 3;

    if (rnd(&w->seed) % 64 == 0) {
        rc = tg_ledger_settle(&file.ledger, now_ms(), c->slot, actual, ITEMS,
                              NULL, 0, NULL);
        if (rc != TG_LEDGER_STALE && rc != TG_LEDGER_BUSY) {
            wrong(MONEY, "settled twice", c->slot);
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
        c = &w.calls[rnd(&w.seed) % FLIGHT];

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
        count(&truth->wrong[CALLS]);
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
                wrong(LIMITS, "a limit was passed", none);
            }

            n = atoi((char *) e.key + 3);

            if (most == TIGHT_CAP) {
                if (e.window < windows[n % TIGHT]) {
                    wrong(WINDOWS, "a window went back", none);
                }
                windows[n % TIGHT] = e.window;
            }

            if (most == INT64_MAX) {
                if (e.used < before[n % SUMS]) {
                    wrong(WINDOWS, "used has shrunk", none);
                }
                before[n % SUMS] = e.used;
            }
        }

        sched_yield();
    }
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
    unsigned     procs = argc > 1 ? (unsigned) atoi(argv[1]) : 8, victim;
    uint64_t     kills = 0, seed = (uint64_t) now_us() | 1, x = seed;
    tg_error_t   err;

    if (procs < 1 || procs > PROCS_MAX) {
        fprintf(stderr, "usage: ledger_torture PROCS SECONDS [FILE]\n");
        return 2;
    }

    if (argc > 3) {
        snprintf(path, sizeof(path), "%s", argv[3]);
    } else {
        snprintf(path, sizeof(path), "/tmp/ledger_torture.%d", (int) getpid());
    }

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

    report(procs, kills, (double) (t - t0) / 1e6);

    if (tg_ledger_file_join(&file, &err) != TG_OK) {
        fprintf(stderr, "%s: %s\n", path, err.message);
        return 2;
    }

    while (tg_ledger_sweep(&file.ledger, now_ms(), swept, NULL) != 0) {
        /* void */
    }

    finish();
    tg_ledger_file_close(&file);
    (void) unlink(path);

    return verdict() == 0 ? 0 : 1;
}
