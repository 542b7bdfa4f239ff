/*
 * fleet_truth.h - what is true, written down apart from the ledgers, in memory
 * that all processes of the test share.
 *
 *   committed  of each limit: what admitted calls hold or have cost.  It is
 *              raised after an admission, and lowered before a settling and
 *              before a kill, so it is never more than the ledgers have: more
 *              than the cap is an overshoot.
 *   book       of each slot of each ledger: the sums of its cost lines, in two
 *              copies of which one word says which one counts and up to which
 *              generation.
 */

#ifndef FLEET_TRUTH_H
#define FLEET_TRUTH_H

#include "tg_ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#define NODES_MAX    8
#define SLOTS        1024
#define KEYS         16
#define TEAMS        4
#define SUMS         (KEYS + TEAMS + 1)     /* counters without end */
#define RATES        64                     /* windows that are told apart */
#define RATE_WINDOW  2000

typedef struct {
    uint64_t  word;             /* last generation << 1 | copy that counts */
    int64_t   sums[2][SUMS];
    int64_t   last[SUMS];
} book_t;

typedef struct {
    uint32_t  sum[3];
    uint32_t  node;
} blob_t;

typedef struct {
    uint64_t  gen;
    int       added;            /* it is in committed, */
    int       conc;             /* and among the concurrent */
    int       sent;
    pid_t     worker;
    blob_t    blob;
    int64_t   hold;
    int64_t   window;
} open_t;

typedef struct {
    book_t    book[NODES_MAX][SLOTS];
    open_t    open[NODES_MAX][SLOTS];
    int64_t   committed[SUMS];
    int64_t   rate[RATES];
    int64_t   rate_window[RATES];
    int64_t   conc;
    int64_t   over;             /* the most that a cap was passed by */
    uint64_t  calls, asks, refused, parked, down, full, busy, stale, bad, lines,
              recovered, errors, unanswered, ticks;
    uint32_t  port;
    uint32_t  stop;
} truth_t;

static truth_t   *truth;
static int64_t    caps[SUMS], rate_cap, conc_cap;
static unsigned   nodes;


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
now_ms(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_REALTIME, &t);

    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


static void
wrong(const char *what)
{
    if (__atomic_fetch_add(&truth->errors, 1, __ATOMIC_RELAXED) < 20) {
        fprintf(stderr, "WRONG: %s\n", what);
    }
}


static void
commit(int64_t *at, int64_t n, int64_t cap)
{
    int64_t  is = __atomic_add_fetch(at, n, __ATOMIC_SEQ_CST), over = is - cap;
    int64_t  was = __atomic_load_n(&truth->over, __ATOMIC_RELAXED);

    while (n > 0 && over > was
           && !__atomic_compare_exchange_n(&truth->over, &was, over, false,
                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    {
        /* void */
    }
}


static int64_t *
rate_of(int64_t window)
{
    unsigned  i = (unsigned) (window / RATE_WINDOW % RATES);
    int64_t   was = __atomic_load_n(&truth->rate_window[i], __ATOMIC_SEQ_CST);

    if (was == window) {
        return &truth->rate[i];
    }

    if (was > window) {
        return NULL;
    }

    /* The first call of a window: whoever comes between is not counted. */
    if (__atomic_compare_exchange_n(&truth->rate_window[i], &was, window, false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    {
        __atomic_store_n(&truth->rate[i], 0, __ATOMIC_SEQ_CST);
    }

    return &truth->rate[i];
}


static void
commit_all(const blob_t *b, int64_t n, int64_t window)
{
    int64_t  *rate = rate_of(window);

    for (unsigned i = 0; i < 3; i++) {
        commit(&truth->committed[b->sum[i]], n, caps[b->sum[i]]);
    }

    if (rate != NULL) {
        commit(rate, n, rate_cap);
    }
}


/* The line: it is in the book at the one store of the word. */
static void
line_write(tg_ledger_slot_t slot, const blob_t *b, int64_t actual)
{
    book_t    *book = &truth->book[b->node][slot.index - 1];
    uint64_t   word = __atomic_load_n(&book->word, __ATOMIC_ACQUIRE);
    unsigned   copy = (unsigned) (word & 1), other = copy ^ 1;

    if (word >> 1 >= slot.gen) {
        return;
    }

    memcpy(book->sums[other], book->sums[copy], sizeof(book->sums[0]));

    for (unsigned i = 0; i < 3; i++) {
        book->sums[other][b->sum[i]] += actual;
    }

    __atomic_store_n(&book->word, slot.gen << 1 | other, __ATOMIC_RELEASE);
    count(&truth->lines);
}


/* What a call will not cost is let go of before the ledger does. */
static void
let_go(open_t *o, int64_t actual)
{
    if (__atomic_exchange_n(&o->added, 0, __ATOMIC_SEQ_CST)) {
        commit_all(&o->blob, actual - o->hold, o->window);
    }
}


static void
let_go_conc(open_t *o)
{
    if (__atomic_exchange_n(&o->conc, 0, __ATOMIC_SEQ_CST)) {
        commit(&truth->conc, -1, conc_cap);
    }
}


/* A worker stands still and will be killed: its calls are going to cost what
 * they hold, where they were sent, else nothing. */
static void
let_go_worker(unsigned node, pid_t pid)
{
    open_t  *o;

    for (unsigned s = 0; s < SLOTS; s++) {
        o = &truth->open[node][s];

        if (o->worker == pid) {
            let_go_conc(o);

            if (!__atomic_load_n(&o->sent, __ATOMIC_SEQ_CST)) {
                let_go(o, 0);
            }
        }
    }
}


static int64_t
lines_of(unsigned sum)
{
    int64_t        n = 0;
    const book_t  *book;

    for (unsigned k = 0; k < nodes; k++) {
        for (unsigned s = 0; s < SLOTS; s++) {
            book = &truth->book[k][s];
            n += book->sums[book->word & 1][sum];
        }
    }

    return n;
}

#endif /* FLEET_TRUTH_H */
