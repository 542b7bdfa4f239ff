/*
 * fleet_torture [SECONDS [NODES [WORKERS]]] - nodes that share budgets through
 * a real Redis, and everything that may happen to them.
 *
 * Each node has a ledger file and several worker processes; each worker runs
 * calls of five items: three nested counters without end (key, team, all), some
 * of which run out, a rate with windows of 2 s, and a limit of concurrent
 * calls.  A first part of each run is left alone, for its round trips; then
 * workers are killed all the time, and in turn Redis is killed and started
 * again from its append-only file, is emptied, is stopped for a while, is
 * replaced by a replica whose data are old, and a node is stopped for 1 to 10 s
 * or all of its processes are killed.  One run leases strictly, one ahead.
 *
 * What is true is written down apart: fleet_truth.h.
 *
 * One figure a line; exit status 1 where one of them is wrong.
 */

#define _GNU_SOURCE

#include "fleet_redis.h"
#include "fleet_truth.h"
#include "tg_ledger_file.h"
#include "tg_redis.h"

#include <sys/mman.h>
#include <unistd.h>

#define SIZE         (1024 * 1024)
#define WORKERS_MAX  8
#define ITEMS        5
#define CALLS        6                      /* in flight, of a worker */
#define QUARANTINE   12000                  /* longer than any node is away */
#define TIMEOUT      200

typedef struct {
    tg_ledger_slot_t  slot;
    blob_t            blob;
    int64_t           hold, actual;
    int               state;    /* 0: free, 1: held, 2: sent, 3: settled */
} call_t;

typedef struct {
    unsigned             node;
    uint64_t             seed;
    tg_ledger_file_t    *file;
    tg_fleet_options_t   options;
    tg_redis_t           redis;
    call_t               calls[CALLS];
} worker_t;

static tg_ledger_file_t      files[NODES_MAX];
static tg_fleet_t            fleet;
static tg_fleet_options_t    options;
static unsigned              workers;
static pid_t                 pids[NODES_MAX][WORKERS_MAX];
static pid_t                 redis_pid, replica_pid;
static uint32_t              replica_port;
static unsigned              redis_dirs;
static char                  redis_dir[32];
static uint64_t              seed;


static bool
swept(void *baton, const tg_ledger_swept_t *call)
{
    blob_t  b;

    (void) baton;

    if (call->nitems != ITEMS || call->blob_len != sizeof(b)) {
        wrong("a swept call in pieces");
        return true;
    }

    memcpy(&b, call->blob, sizeof(b));

    count(&truth->recovered);
    line_write(call->slot, &b, call->actual[0]);

    return true;
}


static void
item_of(tg_ledger_item_t *it, const char *kind, uint64_t n, int64_t amount,
    int64_t cap)
{
    memset(it, 0, sizeof(*it));
    snprintf((char *) it->key, TG_LEDGER_KEY, "%.4s%" PRIu64, kind, n);
    it->window.end = TG_WINDOW_NEVER;
    it->amount = amount;
    it->cap = cap;
    it->limit = cap;
    it->alert[0] = 50;
    it->alert[1] = 100;
}


static void
items_of(tg_ledger_item_t *items, blob_t *b, int64_t now, int64_t hold,
    uint64_t r)
{
    b->sum[0] = (uint32_t) (r % KEYS);
    b->sum[1] = KEYS + b->sum[0] % TEAMS;
    b->sum[2] = KEYS + TEAMS;

    for (unsigned i = 0; i < 3; i++) {
        item_of(&items[i], "sum", b->sum[i], hold, caps[b->sum[i]]);
    }

    item_of(&items[3], "rate", 0, hold, rate_cap);
    items[3].window.start = now / RATE_WINDOW * RATE_WINDOW;
    items[3].window.end = items[3].window.start + RATE_WINDOW;

    item_of(&items[4], "conc", 0, 1, conc_cap);
    items[4].flags = TG_LEDGER_CONCURRENT;
    memset(items[4].alert, 0, sizeof(items[4].alert));
}


static void
redis_follow(worker_t *w)
{
    uint32_t  port = __atomic_load_n(&truth->port, __ATOMIC_SEQ_CST);

    if (w->options.redis.port != port) {
        tg_redis_close(&w->redis);
        w->options.redis.port = port;
    }
}


static int
exchange(worker_t *w, tg_ledger_message_t *msg, tg_ledger_result_t *r)
{
    int                 rc;
    tg_error_t          err;
    tg_ledger_answer_t  answer;

    redis_follow(w);

    if (tg_redis_call(&w->redis, msg, &answer, &err) != TG_OK) {
        count(&truth->unanswered);

        if (getenv("FLEET_VERBOSE") != NULL) {
            fprintf(stderr, "node %u: %s\n", w->node, err.message);
        }
    }

    do {
        rc = tg_ledger_fleet_reply(&w->file->ledger, now_ms(), msg, &answer,
                                   r);
    } while (rc == TG_LEDGER_BUSY);

    return rc;
}


static void
call_hold(worker_t *w, call_t *c)
{
    int                   rc;
    open_t               *o;
    int64_t               now = now_ms();
    tg_ledger_item_t      items[ITEMS];
    tg_ledger_result_t    r;
    tg_ledger_message_t   msg;

    c->hold = 1000 + (int64_t) (rnd(&w->seed) % 9000);
    c->blob.node = w->node;
    items_of(items, &c->blob, now, c->hold, rnd(&w->seed));

    rc = tg_ledger_fleet_hold(&w->file->ledger, now, items, ITEMS, &c->blob,
                              sizeof(c->blob), &r, &msg);

    if (rc == TG_LEDGER_ASK) {
        count(&truth->asks);
        rc = exchange(w, &msg, &r);
    }

    switch (rc) {
    case TG_LEDGER_OK:
        count(&truth->calls);
        c->slot = r.slot;
        o = &truth->open[w->node][r.slot.index - 1];
        o->gen = r.slot.gen;
        o->hold = c->hold;
        o->window = r.states[3].window;
        o->blob = c->blob;
        o->worker = getpid();
        o->sent = 0;
        __atomic_store_n(&o->conc, 1, __ATOMIC_SEQ_CST);
        commit(&truth->conc, 1, conc_cap);
        __atomic_store_n(&o->added, 1, __ATOMIC_SEQ_CST);
        commit_all(&c->blob, c->hold, o->window);
        c->state = 1;
        break;
    case TG_LEDGER_REFUSED:
        count(&truth->refused);
        break;
    case TG_LEDGER_PARK:
        count(&truth->parked);
        break;
    case TG_LEDGER_DOWN:
        count(&truth->down);
        break;
    case TG_LEDGER_FULL:
        count(&truth->full);
        break;
    case TG_LEDGER_BUSY:
        count(&truth->busy);
        break;
    case TG_LEDGER_STALE:
        count(&truth->stale);
        break;
    default:
        count(&truth->bad);
        wrong("hold");
    }
}


static void
call_step(worker_t *w, call_t *c)
{
    int      rc;
    int64_t  actual[ITEMS];

    switch (c->state) {
    case 0:
        call_hold(w, c);
        return;

    case 1:
        c->actual = 0;

        if (rnd(&w->seed) % 16 != 0) {
            if (tg_ledger_sent(&w->file->ledger, c->slot) != TG_LEDGER_OK) {
                wrong("sent");
            }
            __atomic_store_n(&truth->open[w->node][c->slot.index - 1].sent, 1,
                             __ATOMIC_SEQ_CST);
            c->actual = c->hold / 5 + (int64_t) (rnd(&w->seed)
                                                 % (uint64_t) (c->hold / 5));
        }

        c->state = 2;
        return;

    case 2:
        let_go_conc(&truth->open[w->node][c->slot.index - 1]);
        let_go(&truth->open[w->node][c->slot.index - 1], c->actual);

        for (unsigned i = 0; i < ITEMS; i++) {
            actual[i] = c->actual;
        }

        rc = tg_ledger_settle(&w->file->ledger, now_ms(), c->slot, actual,
                              ITEMS, NULL, 0, NULL);
        if (rc == TG_LEDGER_OK) {
            c->state = 3;
        } else if (rc != TG_LEDGER_BUSY) {
            wrong("settle");
        }
        return;

    default:
        line_write(c->slot, &c->blob, c->actual);

        if (tg_ledger_line_written(&w->file->ledger, &c->slot, 1)
            == TG_LEDGER_OK)
        {
            c->state = 0;
        }
    }
}


static int
tick(worker_t *w)
{
    int                  rc;
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    rc = tg_ledger_fleet_tick(&w->file->ledger, now_ms(), &msg);

    if (rc == TG_LEDGER_ASK) {
        count(&truth->ticks);
        (void) exchange(w, &msg, &r);
    }

    return rc;
}


static void
worker_init(worker_t *w, unsigned node, uint64_t s)
{
    memset(w, 0, sizeof(*w));
    w->node = node;
    w->seed = s * 0x9e3779b97f4a7c15u + 1;
    w->file = &files[node];
    w->options = options;
    w->options.redis.port = truth->port;
    tg_redis_init(&w->redis, &w->options, &fleet, NULL);
    tg_ledger_fleet_options(&w->file->ledger, &options.ledger);
}


static void
work(unsigned node, uint64_t s)
{
    worker_t    w;
    tg_error_t  err;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    worker_init(&w, node, s);

    if (tg_ledger_file_join(w.file, &err) != TG_OK) {
        fprintf(stderr, "join: %s\n", err.message);
        wrong("join");
        _exit(1);
    }

    for (uint64_t n = 0; !__atomic_load_n(&truth->stop, __ATOMIC_RELAXED); n++)
    {
        call_step(&w, &w.calls[rnd(&w.seed) % CALLS]);

        if (n % 16 == 0) {
            (void) tick(&w);
            usleep(500);
        }

        if (n % 512 == 0) {
            (void) tg_ledger_sweep(&w.file->ledger, now_ms(), swept, NULL);
        }
    }

    _exit(0);
}


static void
worker_start(unsigned node, unsigned i)
{
    pid_t  pid;

    seed++;
    pid = fork();

    if (pid == 0) {
        work(node, seed);
    }

    pids[node][i] = pid;
}


static void
worker_kill(unsigned node, unsigned i)
{
    kill(pids[node][i], SIGSTOP);
    waitpid(pids[node][i], NULL, WUNTRACED);
    let_go_worker(node, pids[node][i]);
    kill(pids[node][i], SIGKILL);
    waitpid(pids[node][i], NULL, 0);
}


static void
replica_start(void)
{
    char  name[32];

    snprintf(name, sizeof(name), "redis%u", ++redis_dirs);
    replica_port = free_port();
    replica_pid = redis_start(replica_port, name, truth->port);
}


static void
sleep_killing(int64_t ms, bool kills)
{
    unsigned  node, i;
    int64_t   end = now_ms() + ms;

    while (now_ms() < end) {
        usleep(20000);

        if (kills) {
            node = (unsigned) (rnd(&seed) % nodes);
            i = (unsigned) (rnd(&seed) % workers);
            worker_kill(node, i);
            worker_start(node, i);
        }
    }
}


static void
node_signal(unsigned node, int sig)
{
    for (unsigned i = 0; i < workers; i++) {
        kill(pids[node][i], sig);
    }
}


static uint64_t  did[6];


/* For 1 to 10 s. Half of the time the others lose Redis meanwhile. */
static void
node_stop(unsigned node)
{
    int64_t  ms = 1000 + (int64_t) (rnd(&seed) % 100 < 20
                                    ? rnd(&seed) % 9000 : rnd(&seed) % 1000);

    node_signal(node, SIGSTOP);
    usleep((useconds_t) ms * 1000 / 2);

    if (rnd(&seed) % 2) {
        (void) redis_do(truth->port, "FLUSHALL");
        did[1]++;
    }

    usleep((useconds_t) ms * 1000 / 2);
    node_signal(node, SIGCONT);
}


/* A replica that has missed the last of it takes over. */
static void
promote(void)
{
    if (replica_pid == 0) {
        replica_start();
        sleep_killing(800, true);
    }

    kill(replica_pid, SIGSTOP);
    sleep_killing(300 + (int64_t) (rnd(&seed) % 500), true);
    process_kill(&redis_pid);
    kill(replica_pid, SIGCONT);
    (void) redis_do(replica_port, "REPLICAOF NO ONE");
    redis_pid = replica_pid;
    replica_pid = 0;
    snprintf(redis_dir, sizeof(redis_dir), "redis%u", redis_dirs);
    __atomic_store_n(&truth->port, replica_port, __ATOMIC_SEQ_CST);
}


/* One thing that happens. */
static void
event(unsigned which)
{
    unsigned  node = (unsigned) (rnd(&seed) % nodes);

    did[which]++;

    switch (which) {
    case 0:
        process_kill(&redis_pid);
        sleep_killing((int64_t) (rnd(&seed) % 500), true);
        redis_pid = redis_start(truth->port, redis_dir, 0);
        break;

    case 1:
        (void) redis_do(truth->port, "FLUSHALL");
        break;

    case 2:
        node_stop(node);
        break;

    case 3:
        kill(redis_pid, SIGSTOP);
        sleep_killing(200 + (int64_t) (rnd(&seed) % 1300), true);
        kill(redis_pid, SIGCONT);
        break;

    case 4:
        promote();
        break;

    default:
        for (unsigned i = 0; i < workers; i++) {
            worker_kill(node, i);
        }
        usleep(200000);
        for (unsigned i = 0; i < workers; i++) {
            worker_start(node, i);
        }
    }
}


/* All nodes are members, and the first epoch is over its quarantine. */
static void
nodes_join(void)
{
    bool                      all;
    worker_t                  w[NODES_MAX];
    tg_error_t                err;
    tg_ledger_fleet_stats_t   st;

    fleet.quarantine_ms = 500;

    for (unsigned n = 0; n < nodes; n++) {
        worker_init(&w[n], n, n + 1);
        if (tg_ledger_file_join(&files[n], &err) != TG_OK) {
            fprintf(stderr, "join: %s\n", err.message);
            exit(2);
        }
    }

    for (unsigned i = 0; i < 1000; i++) {
        all = true;

        for (unsigned n = 0; n < nodes; n++) {
            (void) tick(&w[n]);
            tg_ledger_fleet_stats(&files[n].ledger, &st);
            all = all && st.joined && st.open && st.nodes == nodes;
        }

        if (all) {
            break;
        }

        usleep(10000);
    }

    for (unsigned n = 0; n < nodes; n++) {
        tg_redis_close(&w[n].redis);
    }

    if (!all) {
        wrong("the nodes do not join");
    }

    fleet.quarantine_ms = QUARANTINE;
}


/* After the end: the dead are swept, all is told, nothing is left. */
static void
settle_down(void)
{
    bool                      all = false;
    worker_t                  w[NODES_MAX];
    tg_error_t                err;
    tg_ledger_fleet_stats_t   st;
    int64_t                   end = now_ms() + QUARANTINE + 5000;

    for (unsigned n = 0; n < nodes; n++) {
        worker_init(&w[n], n, n + 1);
        if (tg_ledger_file_join(&files[n], &err) != TG_OK) {
            wrong("join at the end");
        }
    }

    while (!all && now_ms() < end) {
        all = true;

        for (unsigned n = 0; n < nodes; n++) {
            while (tg_ledger_sweep(&files[n].ledger, now_ms(), swept, NULL)
                   > 0)
            {
                /* void */
            }

            for (unsigned i = 0; i < 20 && tick(&w[n]) == TG_LEDGER_ASK; i++) {
                /* void */
            }

            tg_ledger_fleet_stats(&files[n].ledger, &st);
            all = all && st.joined && st.untold == 0 && st.slices == 0
                  && st.pending == 0 && st.asking == 0;
        }

        usleep(20000);
    }

    for (unsigned n = 0; n < nodes; n++) {
        tg_redis_close(&w[n].redis);
    }
}


static int64_t
redis_number(redisContext *c, const tg_ledger_item_t *it, const char *field)
{
    char         key[128];
    size_t       at;
    int64_t      n = 0;
    redisReply  *reply;

    at = (size_t) snprintf(key, sizeof(key), "%sb:", fleet.prefix);

    for (unsigned i = 0; i < TG_LEDGER_KEY; i++) {
        at += (size_t) snprintf(key + at, sizeof(key) - at, "%02x",
                                it->key[i]);
    }

    snprintf(key + at, sizeof(key) - at, ":0");
    reply = redisCommand(c, "HGET %s %s", key, field);

    if (reply != NULL) {
        n = reply->type == REDIS_REPLY_STRING ? atoll(reply->str) : 0;
        freeReplyObject(reply);
    }

    return n;
}


/* Lines, ledgers, Redis: the same sums. */
static int64_t
conservation(int64_t *owned_left)
{
    int64_t             off = 0, lines, used, redis;
    redisContext       *c = redisConnect("127.0.0.1", (int) truth->port);
    tg_ledger_item_t    it;
    tg_ledger_entry_t   e;

    *owned_left = 0;

    for (unsigned i = 0; i < SUMS && c != NULL && c->err == 0; i++) {
        item_of(&it, "sum", i, 0, 0);
        lines = lines_of(i);
        used = 0;

        for (unsigned n = 0; n < nodes; n++) {
            if (tg_ledger_read(&files[n].ledger, it.key, &e) == TG_LEDGER_OK) {
                used += e.used;
            }
        }

        redis = redis_number(c, &it, "u");
        *owned_left += redis_number(c, &it, "s") - redis;
        off += llabs(lines - used) + llabs(redis - used);

        if (lines != used || redis != used) {
            printf("  sum %u: lines %" PRId64 " ledgers %" PRId64 " redis %"
                   PRId64 "\n", i, lines, used, redis);
        }

        if (used > caps[i]) {
            printf("  sum %u: used %" PRId64 " cap %" PRId64 "\n", i, used,
                   caps[i]);
            wrong("more was spent than the cap");
        }
    }

    if (c != NULL) {
        redisFree(c);
    }

    return off;
}


/* A subject with money left is served. */
static bool
is_served(void)
{
    int                  rc = TG_LEDGER_PARK;
    int64_t              end = now_ms() + QUARANTINE, actual = 0;
    worker_t             w;
    tg_ledger_item_t     it;
    tg_ledger_result_t   r;
    tg_ledger_message_t  msg;

    worker_init(&w, 0, 1);
    item_of(&it, "free", 1, 100, 1000000);

    while (rc != TG_LEDGER_OK && now_ms() < end) {
        (void) tick(&w);
        rc = tg_ledger_fleet_hold(&w.file->ledger, now_ms(), &it, 1, NULL, 0,
                                  &r, &msg);
        if (rc == TG_LEDGER_ASK) {
            rc = exchange(&w, &msg, &r);
        }
        usleep(10000);
    }

    if (rc == TG_LEDGER_OK) {
        (void) tg_ledger_settle(&w.file->ledger, now_ms(), r.slot, &actual, 1,
                                NULL, 0, NULL);
        (void) tg_ledger_line_written(&w.file->ledger, &r.slot, 1);
    }

    tg_redis_close(&w.redis);

    return rc == TG_LEDGER_OK;
}


static uint64_t
faults(const char *mode)
{
    uint64_t                 bad = 0, slots = 0, held = 0;
    int64_t                  pending = 0, slices = 0;
    tg_arena_t              *a;
    tg_ledger_stats_t        st;
    tg_ledger_entry_t        e;
    tg_ledger_report_t       r;
    tg_ledger_fleet_stats_t  fs, sum;

    memset(&sum, 0, sizeof(sum));

    for (unsigned n = 0; n < nodes; n++) {
        a = tg_arena_create(0);
        if (tg_ledger_check(&files[n].ledger, tg_arena_mem(a), &r)
            != TG_LEDGER_OK)
        {
            bad++;
        }
        tg_arena_destroy(a);
        bad += r.bad_held + r.bad_open + r.bad_chain + r.bad_free + r.bad_slot
               + r.bad_count + r.bad_pending + r.negative + r.broken;

        for (uint32_t i = 0; tg_ledger_each(&files[n].ledger, &i, &e); ) {
            if (e.held != 0 || e.before_held != 0 || e.open != 0) {
                held++;
            }
        }

        tg_ledger_stats(&files[n].ledger, &st);
        tg_ledger_fleet_stats(&files[n].ledger, &fs);
        slots += st.slots_used;
        pending += fs.pending;
        slices += fs.slices;
        sum.epochs += fs.epochs;
        sum.voided += fs.voided;
        sum.lost += fs.lost;
        sum.hellos += fs.hellos;
        sum.untold += fs.untold;
        sum.over += fs.over;
    }

    printf("%s_epochs %" PRIu64 "\n%s_hellos %" PRIu64 "\n%s_voided_grants %"
           PRIu64 "\n%s_unanswered %" PRIu64 "\n%s_over_record %" PRIu64 "\n",
           mode, sum.epochs, mode, sum.hellos, mode, sum.voided, mode, sum.lost,
           mode, sum.over);
    printf("%s_leaked_slots %" PRIu64 "\n%s_leaked_holds %" PRIu64
           "\n%s_leaked_pending %" PRId64 "\n%s_leaked_slices %" PRId64
           "\n%s_untold %" PRIu64 "\n%s_unsound %" PRIu64 "\n",
           mode, slots, mode, held, mode, pending, mode, slices, mode,
           sum.untold, mode, bad);

    return bad + slots + held + (uint64_t) (pending != 0)
           + (uint64_t) (slices != 0)
           + (uint64_t) (sum.untold != 0);
}


static void
set_up(const char *mode, bool strict)
{
    char        path[512], name[32];
    tg_error_t  err;

    memset(truth, 0, sizeof(*truth));
    memset(did, 0, sizeof(did));
    truth->port = free_port();
    snprintf(name, sizeof(name), "redis%u", ++redis_dirs);
    memcpy(redis_dir, name, sizeof(redis_dir));
    redis_pid = redis_start(truth->port, redis_dir, 0);

    tg_fleet_options_init(&options);
    memcpy(options.redis.host, "127.0.0.1", 10);
    options.redis.port = truth->port;
    options.ledger.lease = strict ? TG_LEASE_STRICT : TG_LEASE_AHEAD;
    options.ledger.timeout_ms = TIMEOUT;
    options.ledger.tick_ms = 100;

    if (tg_fleet_init(&fleet, tg_str("torture"), tg_str("test"), QUARANTINE,
                      &err) != TG_OK)
    {
        fprintf(stderr, "%s\n", err.message);
        exit(2);
    }

    for (unsigned n = 0; n < nodes; n++) {
        snprintf(path, sizeof(path), "%s/%s%u", dir, mode, n);

        if (tg_ledger_file_open_fleet(&files[n], path, SIZE, &err) != TG_OK) {
            fprintf(stderr, "%s: %s\n", path, err.message);
            exit(2);
        }

        files[n].wait_ms = 2000;        /* the machine is busy */
    }

    nodes_join();
}


static void
workers_start(void)
{
    for (unsigned n = 0; n < nodes; n++) {
        for (unsigned i = 0; i < workers; i++) {
            worker_start(n, i);
        }
    }
}


static void
workers_kill(void)
{
    for (unsigned n = 0; n < nodes; n++) {
        for (unsigned i = 0; i < workers; i++) {
            worker_kill(n, i);
        }
    }
}


/* Left alone, far from any cap: what calls wait for. */
static uint64_t
steady(const char *mode, bool strict, int64_t ms)
{
    double    trips;
    uint64_t  calls;

    rate_cap = INT64_C(4000000000000);
    conc_cap = 100000;

    for (unsigned i = 0; i < SUMS; i++) {
        caps[i] = INT64_C(4000000000000);
    }

    workers_start();
    sleep_killing(ms / 3, false);
    calls = truth->calls;
    trips = (double) truth->asks;
    sleep_killing(ms * 2 / 3, false);
    calls = truth->calls - calls;
    trips = ((double) truth->asks - trips) / (double) (calls ? calls : 1);
    workers_kill();
    printf("%s_steady_calls %" PRIu64 "\n%s_round_trips_a_call %.4f\n", mode,
           calls, mode, trips);

    return (uint64_t) (calls == 0 || trips > (strict ? 1.0 : 0.02));
}


/* Half of the keys, a team and all together run out. */
static void
torture(int64_t ms)
{
    char     *only = getenv("FLEET_EVENT");     /* for finding faults */
    int64_t   end = now_ms() + ms;

    for (unsigned i = 0; i < SUMS; i++) {
        caps[i] = i < KEYS / 2 || i == KEYS + 1
                  ? truth->committed[i] + 3000000
                  : i == SUMS - 1 ? truth->committed[i] + 80000000
                  : caps[i];
    }

    rate_cap = 6000000;
    conc_cap = 24;
    workers_start();

    for (unsigned k = 0; now_ms() < end; k++) {
        event(only != NULL ? (unsigned) atoi(only) % 6
              : k < 6 ? k : (unsigned) (rnd(&seed) % 6));
        sleep_killing(500 + (int64_t) (rnd(&seed) % 1500), true);
    }

    __atomic_store_n(&truth->stop, 1, __ATOMIC_SEQ_CST);
    workers_kill();
}


static void
show(const char *mode)
{
    printf("%s_calls %" PRIu64 "\n%s_lines %" PRIu64 "\n%s_recovered %" PRIu64
           "\n%s_refused %" PRIu64 "\n%s_parked %" PRIu64 "\n%s_refused_down %"
           PRIu64 "\n%s_busy %" PRIu64 "\n%s_full %" PRIu64 "\n", mode,
           truth->calls, mode, truth->lines, mode, truth->recovered, mode,
           truth->refused, mode, truth->parked, mode, truth->down, mode,
           truth->busy, mode, truth->full);
    printf("%s_redis_kills %" PRIu64 "\n%s_flushes %" PRIu64
           "\n%s_nodes_stopped %" PRIu64 "\n%s_redis_stopped %" PRIu64
           "\n%s_stale_promotions %" PRIu64 "\n%s_nodes_killed %" PRIu64 "\n",
           mode, did[0], mode, did[1], mode, did[2], mode, did[3], mode,
           did[4], mode, did[5]);
}


static uint64_t
run(const char *mode, bool strict, int64_t ms)
{
    int64_t   off, left;
    uint64_t  bad;

    set_up(mode, strict);
    bad = steady(mode, strict, ms / 4);

    /* What is left of the slices goes back before the caps come down. */
    settle_down();
    torture(ms - ms / 4);
    settle_down();

    if (!is_served()) {
        printf("%s_served 0\n", mode);
        bad++;
    }

    settle_down();
    off = conservation(&left);
    show(mode);
    printf("%s_overshoot %" PRId64 "\n", mode,
           truth->over > 0 ? truth->over : 0);
    printf("%s_conservation_off %" PRId64 "\n%s_redis_owned_left %" PRId64
           "\n", mode, off, mode, left);
    bad += faults(mode) + truth->errors;
    bad += (uint64_t) (truth->over > 0) + (uint64_t) (off != 0)
           + (uint64_t) (left != 0);
    printf("%s_errors %" PRIu64 "\n", mode, bad);
    fflush(stdout);

    for (unsigned n = 0; n < nodes; n++) {
        tg_ledger_file_close(&files[n]);
    }

    process_kill(&redis_pid);
    process_kill(&replica_pid);

    return bad;
}


int
main(int argc, char **argv)
{
    char      command[600];
    double    seconds = argc > 1 ? atof(argv[1]) : 60;
    int64_t   each;
    uint64_t  bad;

    nodes = argc > 2 ? (unsigned) atoi(argv[2]) : 4;
    workers = argc > 3 ? (unsigned) atoi(argv[3]) : 2;

    if (seconds < 10 || nodes < 1 || nodes > NODES_MAX || workers < 1
        || workers > WORKERS_MAX)
    {
        fprintf(stderr, "usage: fleet_torture [SECONDS [NODES [WORKERS]]]\n");
        return 2;
    }

    truth = mmap(NULL, sizeof(*truth), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(dir, sizeof(dir), "/tmp/fleet_torture.XXXXXX");

    if (truth == MAP_FAILED || mkdtemp(dir) == NULL) {
        perror("fleet_torture");
        return 2;
    }

    signal(SIGPIPE, SIG_IGN);
    seed = (uint64_t) now_ms() | 1;
    each = (int64_t) (seconds * 500);
    printf("nodes %u\nworkers %u\nseconds %.0f\n", nodes, workers, seconds);

    bad = run("strict", true, each);
    bad += run("ahead", false, each);
    printf("errors %" PRIu64 "\n", bad);

    snprintf(command, sizeof(command), "rm -rf '%s'", dir);

    if (system(command) != 0) {
        fprintf(stderr, "%s is left\n", dir);
    }

    return bad == 0 ? 0 : 1;
}
