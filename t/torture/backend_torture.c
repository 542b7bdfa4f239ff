/*
 * backend_torture PROCS SECONDS - processes that send calls to backends, check
 * them, and are killed all the time.
 *
 * Each of PROCS processes (every second one with two threads) begins and ends
 * calls at three backends as fast as it can, asks for the lease, and where it has
 * that checks, reads pages, ticks and sweeps.  The parent kills one after the
 * other with SIGKILL, wherever it happens to be, stops others for a moment, and
 * starts new ones; and watches.
 *
 * Proved with every look:
 *
 *   busy + idle + unhealthy + sleeping is provisioned, to the nanosecond, and that is
 *     the time since the beginning; none of them ever shrinks;
 *   the sum of what calls were told is their share is never more than the time in
 *     which there were any.
 *
 * And when all are dead: nothing is under way, nothing is locked, and all works.
 * Then the same without killing: what calls were told adds up to the time in
 * which there were any.
 *
 * Prints a figure a line, and fails where any of it does not hold.
 */

#define _GNU_SOURCE

#include "tg_backend_map.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCS_MAX  64
#define BACKENDS   3            /* the last one is not checked */
#define CALLS      4            /* of a thread at a time */
#define MS         INT64_C(1000000)

typedef struct {
    _Atomic int64_t  told[BACKENDS];    /* sums of shares */
    _Atomic int64_t  calls;
    _Atomic int64_t  tokens;            /* the engines' counter */
    _Atomic int64_t  checks;
    _Atomic bool     over;
} shared_t;

typedef struct {
    uint64_t     seed;
    int          slot;
    bool         owner;         /* asks for the lease */
    tg_ticket_t  calls[CALLS];
} worker_t;

static tg_backend_map_t  map;
static tg_backends_t    *table;
static tg_group_t       *group;
static tg_backend_t     *backends[BACKENDS];
static tg_group_conf_t   gc;
static shared_t         *shared;
static int64_t           began;
static bool              gentle;        /* nothing is checked */


static void
fail(const char *what, int64_t a, int64_t b)
{
    fprintf(stderr, "backend_torture: %s: %" PRId64 " and %" PRId64 "\n", what,
            a, b);
    kill(0, SIGKILL);
    exit(1);
}


static unsigned
any(uint64_t *seed, unsigned n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;

    return (unsigned) (*seed >> 33) % n;
}


static void
end(tg_ticket_t *k, tg_came_t came)
{
    unsigned  i = 0;
    int64_t   ns;

    while (backends[i] != k->backend) {
        i++;
    }

    ns = tg_backend_end(table, k, came, &gc.check, tg_backend_now());

    if (ns < 0) {
        fail("a share", ns, 0);
    }

    atomic_fetch_add(&shared->told[i], ns);
    atomic_fetch_add(&shared->calls, 1);
}


static void
call(worker_t *w)
{
    tg_work_t            work;
    tg_ticket_t         *k = &w->calls[any(&w->seed, CALLS)];
    tg_backend_load_t    load;
    tg_backend_t        *b = backends[any(&w->seed, BACKENDS)];

    if (k->backend != NULL) {
        end(k, !gentle && any(&w->seed, 50) == 0 ? TG_CAME_FAILED
                                                  : TG_CAME_OK);
        return;
    }

    tg_backend_load(table, b, &gc.check, tg_backend_now(), &load);

    if (load.calls < 0 || load.tokens < 0
        || load.calls > TG_BACKEND_SLOTS * 2 * CALLS)
    {
        fail("calls", load.calls, load.tokens);
    }

    work.prompt_tokens = any(&w->seed, 1000);
    work.output_tokens = any(&w->seed, 1000);
    tg_backend_begin(table, b, w->slot, &work, tg_backend_now(), k);
}


static void
check(worker_t *w, int64_t now)
{
    tg_engine_facts_t   f;
    tg_backend_conf_t   bc;
    tg_health_answer_t  answers[] = {
        TG_HEALTH_OK, TG_HEALTH_OK, TG_HEALTH_OK, TG_HEALTH_FAILED,
        TG_HEALTH_LOADING
    };

    memset(&f, 0, sizeof(f));
    memset(&bc, 0, sizeof(bc));
    f.known = 1 << TG_FACT_RUNNING | 1 << TG_FACT_OUTPUT_TOKENS
              | 1 << TG_FACT_SLEEPING;

    for (unsigned i = 0; i + 1 < BACKENDS && !gentle; i++) {
        f.value[TG_FACT_RUNNING] = any(&w->seed, 2);
        f.value[TG_FACT_SLEEPING] = any(&w->seed, 10) == 0;
        f.value[TG_FACT_OUTPUT_TOKENS]
            = atomic_fetch_add(&shared->tokens, any(&w->seed, 3));
        bc.cost_nusd = any(&w->seed, 3) * INT64_C(1000000000);

        tg_backend_checked(table, backends[i], answers[any(&w->seed, 5)],
                           tg_str("it said no"), &gc.check, now);
        tg_backend_scraped(table, backends[i], &f, &gc.check, now);
        tg_backend_configured(table, backends[i], &bc, now);
    }

    tg_group_tick(table, group, &gc, now);
    tg_backends_sweep(table, tg_backend_alive, now);
    atomic_fetch_add(&shared->checks, 1);
}


static void *
work(void *data)
{
    int64_t    now, next = 0;
    worker_t  *w = data;

    while (!atomic_load(&shared->over)) {
        call(w);

        /* Calls that take no time would mostly wait for each other. */

        if (gentle) {
            usleep(any(&w->seed, 1000));
        }

        now = tg_backend_now();

        if (w->owner && now >= next) {
            next = now + 5 * MS;

            if (tg_backends_lease(table, w->slot, tg_backend_alive, now)) {
                check(w, now);
            }
        }
    }

    for (unsigned i = 0; i < CALLS; i++) {
        if (w->calls[i].backend != NULL) {
            end(&w->calls[i], TG_CAME_OK);
        }
    }

    return NULL;
}


static void
process(unsigned n, uint64_t seed)
{
    worker_t   w[2];
    pthread_t  other;

    memset(w, 0, sizeof(w));
    w[0].slot = w[1].slot = tg_backends_join(table, getpid(),
                                             tg_backend_start());
    w[0].seed = seed;
    w[1].seed = ~seed;
    w[0].owner = true;

    if (w[0].slot < 0) {
        fail("no slot", w[0].slot, 0);
    }

    if (n % 2 == 1 && pthread_create(&other, NULL, work, &w[1]) != 0) {
        fail("no thread", 0, 0);
    }

    work(&w[0]);

    if (n % 2 == 1) {
        pthread_join(other, NULL);
    }

    tg_backends_leave(table, w[0].slot);
    _exit(0);
}


static pid_t
start(unsigned n, uint64_t *seed)
{
    pid_t     pid;
    uint64_t  own = (uint64_t) any(seed, 1 << 30) << 20 | n;

    pid = fork();

    if (pid == -1) {
        fail("no process", 0, 0);
    }

    if (pid == 0) {
        process(n, own);
    }

    return pid;
}


static void
look(tg_gpu_time_t last[BACKENDS])
{
    int64_t        before, after, told;
    tg_gpu_time_t  t, *was;

    for (unsigned i = 0; i < BACKENDS; i++) {
        was = &last[i];
        told = atomic_load(&shared->told[i]);
        before = tg_backend_now();
        tg_backend_time(table, backends[i], before, &t);
        after = tg_backend_now();

        if (t.busy + t.idle + t.unhealthy + t.sleeping != t.provisioned) {
            fail("parts and provisioned", t.busy + t.idle + t.unhealthy
                 + t.sleeping, t.provisioned);
        }

        /* Up to the last tick, by who has the lease. */

        if (t.provisioned > after - began
            || t.provisioned < before - began - TG_LEASE_NS)
        {
            fail("provisioned and time", t.provisioned, before - began);
        }

        if (t.busy < was->busy || t.idle < was->idle
            || t.unhealthy < was->unhealthy || t.sleeping < was->sleeping
            || t.shared < was->shared)
        {
            fail("time ran backwards", t.provisioned, was->provisioned);
        }

        if (told > t.shared) {
            fail("told and shared", told, t.shared);
        }

        *was = t;
    }
}


/* All are dead. */
static void
settle(void)
{
    int                slot;
    int64_t            now = tg_backend_now();
    tg_ticket_t        k;
    tg_gpu_time_t      t;
    tg_backend_load_t  load;

    for (unsigned i = 0; i < 8; i++) {
        tg_backends_sweep(table, tg_backend_alive, now);
    }

    slot = tg_backends_join(table, getpid(), tg_backend_start());

    for (unsigned i = 0; i < BACKENDS; i++) {
        for (unsigned n = 0; n < 2; n++) {
            tg_backend_load(table, backends[i], &gc.check, now, &load);

            if (load.calls != 0 || load.tokens != 0
                || load.fresh_tokens != 0)
            {
                fail("left under way", load.calls, load.tokens);
            }

            tg_backend_begin(table, backends[i], slot, NULL, now, &k);
            tg_backend_load(table, backends[i], &gc.check, now, &load);

            if (load.calls != 1) {
                fail("one call", load.calls, 1);
            }

            tg_backend_end(table, &k, TG_CAME_OK, &gc.check, now);
        }

        tg_backend_time(table, backends[i], now, &t);

        if (t.provisioned != now - began) {
            fail("provisioned and time", t.provisioned, now - began);
        }
    }

    tg_backends_leave(table, slot);
}


static void
killing(unsigned procs, int64_t until, uint64_t *seed)
{
    pid_t          pids[PROCS_MAX];
    int64_t        kills = 0, looks = 0;
    unsigned       i;
    tg_gpu_time_t  last[BACKENDS];

    memset(last, 0, sizeof(last));

    for (i = 0; i < procs; i++) {
        pids[i] = start(i, seed);
    }

    while (tg_backend_now() < until) {

        /* Now and then one lives long enough to get the lease. */

        usleep(kills % 20 == 19 ? 450000 : any(seed, 3000));
        i = any(seed, procs);

        if (any(seed, 10) == 0) {
            kill(pids[i], SIGSTOP);
            usleep(any(seed, 20000));
            kill(pids[i], SIGCONT);

        } else {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
            pids[i] = start(i, seed);
            kills++;
        }

        for (unsigned k = 0; k < 20; k++) {
            look(last);
            looks++;
        }
    }

    for (i = 0; i < procs; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }

    look(last);
    settle();
    printf("killed %" PRId64 "\nlooked %" PRId64 "\nchecked %" PRId64
           "\ncalls %" PRId64 "\n", kills, looks, atomic_load(&shared->checks),
           atomic_load(&shared->calls));

    if (kills == 0 || atomic_load(&shared->checks) == 0) {
        fail("nothing happened", kills, atomic_load(&shared->checks));
    }
}


static void
adding_up(unsigned procs, int64_t ns, uint64_t *seed)
{
    pid_t          pids[PROCS_MAX];
    int            status;
    int64_t        calls = atomic_load(&shared->calls), busy, told, off;
    tg_gpu_time_t  before, after;

    gentle = true;

    for (unsigned i = 0; i < 2; i++) {
        tg_backend_checked(table, backends[BACKENDS - 1], TG_HEALTH_OK,
                           tg_str_null, &gc.check, tg_backend_now());
    }

    told = atomic_load(&shared->told[BACKENDS - 1]);
    tg_backend_time(table, backends[BACKENDS - 1], tg_backend_now(), &before);

    for (unsigned i = 0; i < procs; i++) {
        pids[i] = start(i, seed);
    }

    usleep((useconds_t) (ns / 1000));
    atomic_store(&shared->over, true);

    for (unsigned i = 0; i < procs; i++) {
        waitpid(pids[i], &status, 0);

        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fail("a process failed", i, status);
        }
    }

    settle();
    tg_backend_time(table, backends[BACKENDS - 1], tg_backend_now(), &after);
    calls = atomic_load(&shared->calls) - calls;
    told = atomic_load(&shared->told[BACKENDS - 1]) - told;
    busy = after.busy - before.busy;
    off = busy - told;
    printf("busy_ns %" PRId64 "\ntold_ns %" PRId64 "\noff_ns %" PRId64
           " of %" PRId64 " calls\n", busy, told, off, calls);

    if (told != after.shared - before.shared) {
        fail("told and shared", told, after.shared - before.shared);
    }

    /* Each is rounded down, and who has not got the lock has estimated. */

    if (off < -busy / 100 || off > busy / 100 + calls) {
        fail("busy and told", busy, told);
    }
}


int
main(int argc, char **argv)
{
    char               name[32];
    unsigned           procs = argc > 1 ? (unsigned) atoi(argv[1]) : 4;
    uint64_t           seed;
    int64_t            ns = argc > 2 ? atoi(argv[2]) * 1000 * MS : 1000 * MS;
    tg_error_t         err;
    tg_backend_conf_t  bc;

    if (procs == 0 || procs > PROCS_MAX || ns <= 0) {
        fprintf(stderr, "usage: backend_torture PROCS SECONDS\n");
        return 2;
    }

    setpgid(0, 0);
    memset(&bc, 0, sizeof(bc));
    began = tg_backend_now();
    seed = (uint64_t) began;
    gc.check = (tg_check_conf_t) {
        .on = true, .interval = 10, .rise = 2, .fall = 3, .max_ejected = 50,
        .stall = 50, .loading = 50, .slow_start = 100
    };

    if (tg_backend_map_open(&map, NULL, &err) != TG_OK) {
        fprintf(stderr, "backend_torture: %s\n", err.message);
        return 1;
    }

    table = map.table;
    group = tg_backends_group(table, tg_str("gpu"));
    tg_backends_generation(table);

    for (unsigned i = 0; i < BACKENDS; i++) {
        snprintf(name, sizeof(name), "10.0.0.%u:8000", i);
        backends[i] = tg_backends_backend(table, group, tg_strz(name), began);
        tg_backend_configured(table, backends[i], &bc, began);
    }

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        perror("backend_torture");
        return 1;
    }

    fflush(stdout);
    killing(procs, began + ns * 2 / 3, &seed);
    fflush(stdout);
    adding_up(procs, ns / 3, &seed);
    printf("backend_torture: all of it holds\n");

    return 0;
}
