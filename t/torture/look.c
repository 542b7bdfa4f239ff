/*
 * look - what a ledger says of itself, while it is in use and afterwards.
 *
 *   look watch FILE    looks at all entries again and again until SIGTERM:
 *                      "looks entries over worst", where over is how often one
 *                      held and had spent more than its limit, and worst the
 *                      largest share of a limit that was seen, in percent
 *   look dump FILE     the entries and the totals, as JSON
 *   look check FILE    fails where they do not fit together; for a ledger that
 *                      nobody uses
 */

#define _GNU_SOURCE

#include "tg_ledger_file.h"
#include "tg_mem.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PAUSE_US  500

static tg_ledger_file_t       file;
static volatile sig_atomic_t  stopped;


static void
stop(int sig)
{
    (void) sig;
    stopped = 1;
}


static void
told(const tg_ledger_entry_t *e)
{
    fprintf(stderr, "look: OVER: used %" PRId64 " + held %" PRId64 " > %"
            PRId64 "\n", e->used, e->held, e->limit);
}


static int
watch(void)
{
    double             worst = 0, share;
    uint32_t           i;
    uint64_t           looks = 0, seen = 0, over = 0;
    tg_ledger_entry_t  e;

    while (!stopped) {
        for (i = 0; tg_ledger_each(&file.ledger, &i, &e); ) {
            if (e.torn || e.limit == 0) {
                continue;
            }

            seen++;
            share = 100.0 * ((double) e.used + (double) e.held)
                    / (double) e.limit;
            worst = share > worst ? share : worst;

            if (e.used > e.limit || e.held > e.limit - e.used) {
                if (over++ < 10) {
                    told(&e);
                }
            }
        }

        looks++;
        (void) usleep(PAUSE_US);
    }

    printf("{\"looks\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"over\":%" PRIu64
           ",\"worst\":%.4f}\n", looks, seen, over, worst);

    return 0;
}


static int
dump(void)
{
    uint32_t             i = 0;
    const char          *comma = "";
    tg_ledger_entry_t    e;
    tg_ledger_stats_t    s;

    tg_ledger_stats(&file.ledger, &s);

    printf("{\"slots\":%u,\"entries\":%u,\"entries_used\":%u,"
           "\"entries_invented\":%u,\"recoveries\":%" PRIu64 ",\"replays\":%"
           PRIu64 ",\"swept\":%" PRIu64 ",\"full\":%" PRIu64 ",\"busy\":%"
           PRIu64 ",\"evicted\":%" PRIu64 ",\"list\":[", s.slots_used,
           s.entries, s.entries_used, s.entries_invented, s.recoveries,
           s.replays, s.swept, s.full, s.busy, s.evicted);

    while (tg_ledger_each(&file.ledger, &i, &e)) {
        printf("%s\n{\"window\":%" PRId64 ",\"reset\":%" PRId64 ",\"used\":%"
               PRId64 ",\"held\":%" PRId64 ",\"before\":%" PRId64
               ",\"before_used\":%" PRId64 ",\"before_held\":%" PRId64
               ",\"limit\":%" PRId64 ",\"open\":%u,\"reserved\":%s}", comma,
               e.window, e.reset, e.used, e.held, e.before, e.before_used,
               e.before_held, e.limit, e.open, e.reserved ? "true" : "false");
        comma = ",";
    }

    printf("]}\n");

    return 0;
}


static int
check(void)
{
    uint64_t             wrong;
    tg_arena_t          *arena = tg_arena_create(0);
    tg_ledger_report_t   r;

    if (arena == NULL
        || tg_ledger_check(&file.ledger, tg_arena_mem(arena), &r)
           != TG_LEDGER_OK)
    {
        fprintf(stderr, "look: the ledger could not be checked\n");
        tg_arena_destroy(arena);
        return 1;
    }

    tg_arena_destroy(arena);

    wrong = r.bad_held + r.bad_open + r.bad_chain + r.bad_free + r.bad_slot
            + r.bad_count + r.negative + r.broken;

    printf("{\"entries\":%" PRIu64 ",\"slots\":%" PRIu64 ",\"open\":%" PRIu64
           ",\"final\":%" PRIu64 ",\"wrong\":%" PRIu64 "}\n", r.entries,
           r.slots, r.open, r.final, wrong);

    return wrong != 0;
}


int
main(int argc, char **argv)
{
    int         rc;
    tg_error_t  err;

    if (argc != 3) {
        fprintf(stderr, "usage: look watch|dump|check FILE\n");
        return 2;
    }

    (void) signal(SIGTERM, stop);

    if (tg_ledger_file_inspect(&file, argv[2], &err) != TG_OK) {
        fprintf(stderr, "look: %s\n", err.message);
        return 1;
    }

    rc = strcmp(argv[1], "watch") == 0 ? watch()
         : strcmp(argv[1], "dump") == 0 ? dump() : check();

    tg_ledger_file_close(&file);

    return rc;
}
