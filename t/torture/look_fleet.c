/*
 * look_fleet - what the ledgers of a fleet's nodes say together, while they are
 * in use and afterwards.
 *
 *   look_fleet watch FILE...   looks again and again until SIGTERM: how often
 *                              the nodes together held and had spent more than
 *                              a limit, and the largest share of one, in
 *                              percent
 *   look_fleet beyond FILE...  how many entries hold and have spent more than
 *                              the store had granted their node, as last heard
 *   look_fleet dump FILE...    the entries and the totals of each, as JSON
 *
 * The nodes' ledgers can't be read at one moment.  A sum counts where two
 * rounds of reading found the same, within BRIEF.
 */

#define _GNU_SOURCE

#include "tg_ledger_file.h"
#include "tg_ledger_fleet.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NODES_MAX  8
#define KEYS_MAX   256
#define PAUSE_US   300
#define GATHER     64           /* rounds between looks for new keys */
#define BRIEF      200000       /* ns */

typedef struct {
    uint64_t  looks, sums, moved, over;
    double    worst;
} seen_t;

static tg_ledger_file_t       files[NODES_MAX];
static unsigned               nodes, nkeys;
static unsigned char          keys[KEYS_MAX][TG_LEDGER_KEY];
static volatile sig_atomic_t  stopped;


static void
stop(int sig)
{
    (void) sig;
    stopped = 1;
}


static int64_t
now_ns(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static void
gather(void)
{
    unsigned           k;
    tg_ledger_entry_t  e;

    for (unsigned n = 0; n < nodes; n++) {
        for (uint32_t i = 0; tg_ledger_each(&files[n].ledger, &i, &e); ) {
            for (k = 0; k < nkeys; k++) {
                if (memcmp(keys[k], e.key, TG_LEDGER_KEY) == 0) {
                    break;
                }
            }

            if (k == nkeys && nkeys < KEYS_MAX && !e.torn) {
                memcpy(keys[nkeys++], e.key, TG_LEDGER_KEY);
            }
        }
    }
}


static bool
round_read(unsigned k, tg_ledger_entry_t *e)
{
    for (unsigned n = 0; n < nodes; n++) {
        if (tg_ledger_read(&files[n].ledger, keys[k], &e[n]) != TG_LEDGER_OK) {
            memset(&e[n], 0, sizeof(e[n]));

        } else if (e[n].torn) {
            return false;
        }
    }

    return true;
}


/* All nodes' entries as they were at one moment. */
static bool
snapshot(unsigned k, tg_ledger_entry_t *e)
{
    int64_t            began = now_ns();
    tg_ledger_entry_t  again[NODES_MAX];

    if (!round_read(k, e) || !round_read(k, again)
        || now_ns() - began > BRIEF)
    {
        return false;
    }

    for (unsigned n = 0; n < nodes; n++) {
        if (e[n].used != again[n].used || e[n].held != again[n].held
            || e[n].window != again[n].window)
        {
            return false;
        }
    }

    return true;
}


/* The newest window's; what a node has of an older one does not count there.
 * A limit that some nodes know as lowered is as low. */
static void
judge(const tg_ledger_entry_t *e, seen_t *seen)
{
    double   share;
    int64_t  window = INT64_MIN, sum = 0, limit = 0;

    for (unsigned n = 0; n < nodes; n++) {
        window = e[n].limit != 0 && e[n].window > window ? e[n].window
                                                         : window;
    }

    for (unsigned n = 0; n < nodes; n++) {
        if (e[n].limit == 0 || e[n].window != window) {
            continue;
        }

        sum += e[n].used + e[n].held;
        limit = limit == 0 || e[n].limit < limit ? e[n].limit : limit;
    }

    if (limit == 0) {
        return;
    }

    seen->sums++;
    share = 100.0 * (double) sum / (double) limit;
    seen->worst = share > seen->worst ? share : seen->worst;

    if (sum > limit && seen->over++ < 10) {
        fprintf(stderr, "look_fleet: OVER: %" PRId64 " > %" PRId64 "\n", sum,
                limit);
    }
}


static int
watch(void)
{
    seen_t             seen = { 0 };
    tg_ledger_entry_t  e[NODES_MAX];

    while (!stopped) {
        if (seen.looks++ % GATHER == 0) {
            gather();
        }

        for (unsigned k = 0; k < nkeys; k++) {
            if (snapshot(k, e)) {
                judge(e, &seen);
            } else {
                seen.moved++;
            }
        }

        (void) usleep(PAUSE_US);
    }

    printf("{\"looks\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"moved\":%" PRIu64
           ",\"over\":%" PRIu64 ",\"worst\":%.4f}\n", seen.looks, seen.sums,
           seen.moved, seen.over, seen.worst);

    return 0;
}


/* The store's word may arrive between two reads: a shortfall must stay. */
static bool
is_beyond(unsigned n, const unsigned char *key)
{
    tg_ledger_entry_t  e;
    tg_ledger_share_t  share;

    for (unsigned i = 0; i < 5; i++) {
        if (tg_ledger_read(&files[n].ledger, key, &e) != TG_LEDGER_OK
            || tg_ledger_fleet_read(&files[n].ledger, key, &share)
               != TG_LEDGER_OK
            || (!e.torn && e.used + e.held <= share.mine))
        {
            return false;
        }

        (void) usleep(1000);
    }

    fprintf(stderr, "look_fleet: BEYOND: used %" PRId64 " + held %" PRId64
            " > granted %" PRId64 " (slice %" PRId64 ", pending %" PRId64
            ")\n", e.used, e.held, share.mine, share.slice, share.pending);

    return true;
}


static int
beyond(void)
{
    unsigned  looked = 0, found = 0;

    gather();

    for (unsigned n = 0; n < nodes; n++) {
        for (unsigned k = 0; k < nkeys; k++) {
            looked++;
            found += is_beyond(n, keys[k]);
        }
    }

    printf("{\"looked\":%u,\"beyond\":%u}\n", looked, found);

    return 0;
}


static void
dump_entry(const tg_ledger_t *led, const tg_ledger_entry_t *e)
{
    tg_ledger_share_t  s = { 0 };

    (void) tg_ledger_fleet_read(led, e->key, &s);

    printf("{\"key\":\"");

    for (unsigned i = 0; i < TG_LEDGER_KEY; i++) {
        printf("%02x", e->key[i]);
    }

    printf("\",\"window\":%" PRId64 ",\"used\":%" PRId64 ",\"held\":%" PRId64
           ",\"before_held\":%" PRId64 ",\"limit\":%" PRId64 ",\"open\":%u,"
           "\"slice\":%" PRId64 ",\"pending\":%" PRId64 ",\"mine\":%" PRId64
           ",\"clean\":%s}", e->window, e->used, e->held, e->before_held,
           e->limit, e->open, s.slice, s.pending, s.mine,
           s.clean ? "true" : "false");
}


static void
dump_node(const tg_ledger_t *led)
{
    uint32_t                 i = 0;
    const char              *comma = "";
    tg_ledger_entry_t        e;
    tg_ledger_stats_t        s;
    tg_ledger_fleet_stats_t  f;

    tg_ledger_stats(led, &s);
    tg_ledger_fleet_stats(led, &f);

    printf("{\"slots\":%u,\"swept\":%" PRIu64 ",\"busy\":%" PRIu64
           ",\"full\":%" PRIu64 ",\"joined\":%s,\"grants\":%s,\"nodes\":%u,"
           "\"asks\":%" PRIu64 ",\"reports\":%" PRIu64 ",\"hellos\":%" PRIu64
           ",\"lost\":%" PRIu64 ",\"epochs\":%" PRIu64 ",\"over\":%" PRIu64
           ",\"unbacked\":%" PRIu64 ",\"pending\":%" PRId64 ",\"slices\":%"
           PRId64 ",\"asking\":%" PRIu64 ",\"untold\":%" PRIu64
           ",\"list\":[", s.slots_used, s.swept, s.busy, s.full,
           f.joined ? "true" : "false", f.open ? "true" : "false", f.nodes,
           f.asks, f.reports, f.hellos, f.lost, f.epochs, f.over, f.unbacked,
           f.pending, f.slices, f.asking, f.untold);

    while (tg_ledger_each(led, &i, &e)) {
        printf("%s\n", comma);
        dump_entry(led, &e);
        comma = ",";
    }

    printf("]}");
}


static int
dump(void)
{
    printf("[");

    for (unsigned n = 0; n < nodes; n++) {
        printf("%s", n == 0 ? "" : ",\n");
        dump_node(&files[n].ledger);
    }

    printf("]\n");

    return 0;
}


int
main(int argc, char **argv)
{
    int         rc;
    tg_error_t  err;

    if (argc < 3 || argc - 2 > NODES_MAX) {
        fprintf(stderr, "usage: look_fleet watch|beyond|dump FILE...\n");
        return 2;
    }

    (void) signal(SIGTERM, stop);

    for (int i = 2; i < argc; i++) {
        if (tg_ledger_file_inspect(&files[nodes], argv[i], &err) != TG_OK) {
            fprintf(stderr, "look_fleet: %s\n", err.message);
            return 1;
        }

        nodes++;
    }

    rc = strcmp(argv[1], "watch") == 0 ? watch()
         : strcmp(argv[1], "beyond") == 0 ? beyond() : dump();

    for (unsigned n = 0; n < nodes; n++) {
        tg_ledger_file_close(&files[n]);
    }

    return rc;
}
