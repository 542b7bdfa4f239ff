/* bench_ledger - the embedded ledger's own speed, one process, no contention:
 * hold, settle and release of calls of 1, 3 and 6 items.  CPU time, so that a
 * busy machine matters less. */

#include "ledger_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SIZE   (64 * 1024 * 1024)
#define ROUND  256
#define KEYS   4096

static char  blob[160];


static double
seconds(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);

    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}


static void
fail(const char *what)
{
    fprintf(stderr, "bench_ledger: %s\n", what);
    exit(1);
}


/* CPU time of `calls` calls, in thirds: hold, settle, line written. */
static void
run(tg_ledger_t *led, unsigned n, unsigned calls, double *t)
{
    double               a;
    uint64_t             k = 1;
    static const int64_t actual[TG_LEDGER_ITEMS_MAX];
    tg_ledger_item_t     items[TG_LEDGER_ITEMS_MAX];
    tg_ledger_slot_t     slots[ROUND];
    tg_ledger_result_t   r;

    memset(items, 0, sizeof(items));

    for (unsigned done = 0; done < calls; done += ROUND) {
        a = seconds();

        for (unsigned c = 0; c < ROUND; c++) {
            for (unsigned i = 0; i < n; i++) {
                k = k * 6364136223846793005u + 1442695040888963407u;
                memset(items[i].key, (int) i, sizeof(items[i].key));
                ((uint32_t *) (void *) items[i].key)[1] =
                                                  (uint32_t) (k >> 33) % KEYS;
                items[i].window.end = TG_WINDOW_NEVER;
                items[i].amount = 100;
                items[i].cap = items[i].limit = INT64_MAX;
                items[i].alert[0] = 80;
            }

            if (tg_ledger_hold(led, 1, items, n, blob, sizeof(blob), &r)
                != TG_LEDGER_OK)
            {
                fail("hold");
            }

            slots[c] = r.slot;
        }

        t[0] += seconds() - a;
        a = seconds();

        for (unsigned c = 0; c < ROUND; c++) {
            if (tg_ledger_settle(led, 2, slots[c], actual, n, NULL, 0, &r)
                != TG_LEDGER_OK)
            {
                fail("settle");
            }
        }

        t[1] += seconds() - a;
        a = seconds();

        for (unsigned c = 0; c < ROUND; c++) {
            (void) tg_ledger_line_written(led, &slots[c], 1);
        }

        t[2] += seconds() - a;
    }
}


int
main(void)
{
    void            *base;
    double           t[3], best[3];
    tg_ledger_t      led;
    const unsigned   calls = 200 * ROUND, sizes[] = { 1, 3, 6 };

    base = ledger_memory(&led, SIZE, 1);
    if (base == NULL) {
        fail("no ledger");
    }

    for (unsigned s = 0; s < 3; s++) {
        for (unsigned round = 0; round < 10; round++) {
            memset(t, 0, sizeof(t));
            run(&led, sizes[s], calls, t);

            for (unsigned i = 0; i < 3; i++) {
                if (round == 0 || t[i] < best[i]) {
                    best[i] = t[i];
                }
            }
        }

        printf("bench ledger_hold_%u %.0f ns\nbench ledger_settle_%u %.0f ns\n"
               "bench ledger_release_%u %.0f ns\n",
               sizes[s], best[0] / calls * 1e9, sizes[s],
               best[1] / calls * 1e9, sizes[s], best[2] / calls * 1e9);
    }

    free(base);

    return 0;
}
