/*
 * tg_backend.h - what is known of the servers of upstreams: who is alive, who
 * really generates, how full they are, and where their time went.
 *
 * One table in memory that all processes of a server share, and that outlives
 * them (hosted/tg_backend_map.h).  An upstream is told by its name, a backend by
 * that and the server's address, so that a reload finds what it knew.  Readers
 * take no lock.  Who checks is one process at a time, by a lease.  What a process
 * has under way is counted in a slot of its own, which is emptied when the
 * process is found dead: a kill -9 leaves no call behind.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC, which all processes of a machine
 * share.  Money is nano-dollars.
 *
 * Functions return at once.  Nothing is allocated.
 */

#ifndef TG_BACKEND_H
#define TG_BACKEND_H

#include "tg_affinity.h"
#include "tg_engine.h"
#include "tg_group_conf.h"
#include "tg_pace.h"

#define TG_GROUPS_MAX        64
#define TG_BACKENDS_MAX      512        /* of all upstreams */
#define TG_BACKEND_SLOTS     256        /* processes, old ones included */
#define TG_GROUP_NAME_MAX    128        /* longer names are cut, with a hash */
#define TG_BACKEND_NAME_MAX  128
#define TG_BACKEND_WHY_MAX   120

#define TG_LEASE_NS          (INT64_C(3) * 1000000000)  /* renewed each tick */
#define TG_TICK_NS           (100 * 1000000)            /* of the owner */

typedef enum {
    TG_BACKEND_NEW = 0,         /* not checked yet: used */
    TG_BACKEND_UP,
    TG_BACKEND_DOWN,            /* checks, or calls, have failed */
    TG_BACKEND_LOADING,         /* its model: waited for */
    TG_BACKEND_STALLED,         /* says it is healthy, and generates nothing */
    TG_BACKEND_SLEEPING,        /* its weights are off the GPU */
    TG_BACKEND_STATES
} tg_backend_state_t;

tg_str_t tg_backend_state_name(tg_backend_state_t state);

/* Why one was taken out of rotation by hand, or by llm_scale. */
typedef enum {
    TG_DRAIN_NONE = 0,
    TG_DRAIN_ADMIN,
    TG_DRAIN_IDLE
} tg_drain_t;

typedef struct tg_backends_s  tg_backends_t;    /* the table */
typedef struct tg_group_s     tg_group_t;       /* an upstream */
typedef struct tg_backend_s   tg_backend_t;     /* a server */

#define TG_BACKENDS_VERSION  1          /* of the table's layout */

/* The table's bytes; and how it is made. memory of that size, zeroed or with a
 * table of this version; anything else is made anew. boot: of the machine, so
 * that times of an earlier one are told.  TG_OK, TG_ERROR. */
size_t tg_backends_size(void);
int tg_backends_open(void *memory, size_t size, uint64_t boot, int64_t now,
    tg_error_t *err);

/* It has been. */
bool tg_backends_made(const tg_backends_t *t);

/* Find or make.  NULL: no room.  Several processes may do it at once. */
tg_group_t *tg_backends_group(tg_backends_t *t, tg_str_t upstream);
tg_backend_t *tg_backends_backend(tg_backends_t *t, tg_group_t *g,
    tg_str_t server, int64_t now);

/* Only find; and walk: i from 0 on, NULL at the end. */
tg_group_t *tg_backends_find_group(tg_backends_t *t, tg_str_t upstream);
tg_backend_t *tg_backends_find(tg_backends_t *t, tg_group_t *g,
    tg_str_t server);
tg_group_t *tg_backends_group_at(tg_backends_t *t, unsigned i);
tg_backend_t *tg_group_backend_at(tg_backends_t *t, tg_group_t *g, unsigned i);
tg_str_t tg_group_name(const tg_group_t *g);
tg_str_t tg_backend_server(const tg_backend_t *b);

/* After a configuration was read: marks those that it has. Others are no longer
 * provisioned, and go when they have no call under way and room is needed. */
void tg_backends_generation(tg_backends_t *t);
void tg_backend_configured(tg_backends_t *t, tg_backend_t *b,
    const tg_backend_conf_t *bc, int64_t now);

/* --- processes --- */

/* A slot for this process: its number, or -1. start: of the process, to tell it
 * from another with its number (of /proc/self/stat, or 0). */
int tg_backends_join(tg_backends_t *t, int64_t pid, uint64_t start);
void tg_backends_leave(tg_backends_t *t, int slot);

/* Empties the slots of the dead (alive NULL: nobody is dead), gives back what they had
 * locked, and brings all clocks up to date. For the owner, each second. */
typedef bool (*tg_alive_pt)(int64_t pid, uint64_t start);
unsigned tg_backends_sweep(tg_backends_t *t, tg_alive_pt alive, int64_t now);

/* True: this slot is who checks, until now + TG_LEASE_NS; to be asked each
 * tick. Taken over from whom it has run out or who is dead (alive may be NULL). */
bool tg_backends_lease(tg_backends_t *t, int slot, tg_alive_pt alive,
    int64_t now);
void tg_backends_release(tg_backends_t *t, int slot);

/* --- calls --- */

/* What a call will take, by estimate; 0: not known. */
typedef struct {
    uint32_t  prompt_tokens;
    uint32_t  output_tokens;
} tg_work_t;

/* Of a call that is at a backend; the caller's, opaque. */
typedef struct {
    tg_backend_t  *backend;     /* NULL: none */
    int            slot;
    tg_work_t      work;
    int64_t        began;
    uint64_t       share;       /* of the backend's clock, when it began */
    uint32_t       scrape;
    uint32_t       incarnation; /* of the slot */
} tg_ticket_t;

/* The call is sent there. */
void tg_backend_begin(tg_backends_t *t, tg_backend_t *b, int slot,
    const tg_work_t *work, int64_t now, tg_ticket_t *ticket);

typedef enum {
    TG_CAME_OK = 0,             /* an answer, also 4xx and 429 */
    TG_CAME_BUSY,               /* 503 or 429 for want of room: no failure */
    TG_CAME_FAILED,             /* no connection, no answer, 5xx */
    TG_CAME_CUT                 /* the client left; tells nothing */
} tg_came_t;

/*
 * By what the server saw.  status: of its answer; 0: there was none.  failed: it
 * is to blame that there was none, or not all of it.  gone: the client left.
 */
static inline tg_came_t
tg_came_seen(unsigned status, bool failed, bool gone)
{
    return status == 429 || status == 503 ? TG_CAME_BUSY
           : failed || status >= 500 ? TG_CAME_FAILED
           : status == 0 || gone ? TG_CAME_CUT : TG_CAME_OK;
}

/* It is over; only the first time does anything. cc: the upstream's. Returns the
 * nanoseconds of GPU time that are the call's: of each instant the same share
 * for all calls that are there.  The sum of all calls' is the time in which there
 * were any. */
int64_t tg_backend_end(tg_backends_t *t, tg_ticket_t *ticket, tg_came_t came,
    const tg_check_conf_t *cc, int64_t now);

/* The same so far. */
int64_t tg_backend_spent(tg_backends_t *t, const tg_ticket_t *ticket,
    int64_t now);

/* True of a call that has failed so soon on a connection that was kept: nobody
 * has read it, for the server had hung up while nothing was asked. */
bool tg_backend_unread(const tg_ticket_t *ticket, int64_t now);

/* The answer to a call has been read: real numbers, for throughput and for the
 * price of a token. cloud_nusd: what instead_of= would have cost, or 0. */
void tg_backend_usage(tg_backends_t *t, tg_backend_t *b, int64_t prompt_tokens,
    int64_t output_tokens, int64_t cost_nusd, int64_t cloud_nusd);

/* --- checks, for the owner of the lease --- */

/* An answer to a health check. why: a sentence, where it failed. */
void tg_backend_checked(tg_backends_t *t, tg_backend_t *b,
    tg_health_answer_t answer, tg_str_t why, const tg_check_conf_t *cc,
    int64_t now);

/* A metrics page was read; facts NULL: it could not be. */
void tg_backend_scraped(tg_backends_t *t, tg_backend_t *b,
    const tg_engine_facts_t *facts, const tg_check_conf_t *cc, int64_t now);

/* GPU facts of llm_dcgm, for display: see tg_dcgm.h. */
typedef struct {
    uint32_t  known;            /* bits, 1 << place */
    int64_t   util;             /* parts of a million; mean */
    int64_t   memory_used;      /* MiB; sum */
    int64_t   memory_free;
    int64_t   power_mw;         /* sum */
    int64_t   gpus;             /* that were seen; MIG slices count */
} tg_gpu_facts_t;

void tg_backend_gpu(tg_backends_t *t, tg_backend_t *b,
    const tg_gpu_facts_t *facts, int64_t now);

/* Each tick, by the owner of the lease, checks or not: stalls, who may be
 * ejected, who is tried again, saturation, where time went. */
void tg_group_tick(tg_backends_t *t, tg_group_t *g, const tg_group_conf_t *gc,
    int64_t now);

/* --- what is known, for anybody --- */

typedef struct {
    tg_backend_state_t  state;
    tg_drain_t          drain;
    bool                usable;         /* as tg_backend_load_t's */
    bool                ejected;        /* not to be used; see max_ejected= */
    bool                fresh;          /* the last metrics page is not stale */
    bool                configured;
    int64_t             since;          /* of this state */
    int64_t             checked;        /* the last check; 0: none */
    int64_t             scraped;        /* the last metrics page; 0: none */
    uint32_t            rises, falls;   /* in a row */
    char                why[TG_BACKEND_WHY_MAX];        /* NUL-terminated */
    tg_engine_facts_t   facts;
    tg_gpu_facts_t      gpu;
    int64_t             calls;          /* under way, by our own count */
    int64_t             tokens;         /* prompt and output of those */
    int64_t             fresh_tokens;   /* of those that began since scraped */
    double              decode;         /* output tokens a second, measured; 0:
                                           not known */
    double              prefill;        /* prompt tokens a second; 0: the same */
    uint32_t            ramp;           /* slow start: 1 to 1000 thousandths */
    uint32_t            capacity;       /* as tg_backend_load_t's */
    tg_engine_t         type;           /* as configured */
    uint64_t            served, failed, ejections;
} tg_backend_view_t;

/* cc gives what "stale" and "slow start" mean. */
void tg_backend_view(tg_backends_t *t, tg_backend_t *b,
    const tg_check_conf_t *cc, int64_t now, tg_backend_view_t *view);

/* The part of it that choosing a server needs, without strings: fast. */
typedef struct {
    uint32_t  id;               /* its place in the table; < TG_BACKENDS_MAX */
    uint32_t  epoch;            /* another one once its cache is gone: it was
                                   restarted, down, or asleep */
    bool      usable;           /* neither ejected, nor drained, nor loading,
                                   stalled or asleep */
    bool      fresh;
    uint32_t  ramp;             /* thousandths */
    uint32_t  capacity;         /* calls at a time, as it is configured or as the
                                   engine says; 0: not known */
    int64_t   calls;            /* under way, of all processes */
    int64_t   tokens;           /* prompt and output of those */
    int64_t   fresh_tokens;     /* of those that began since scraped */
    int64_t   others;           /* calls that it had at the last scrape and that
                                   were not ours (running + waiting - calls as
                                   they were then, 0 at least); -1: not known */
    int64_t   waiting;          /* -1: not known */
    int64_t   running;          /* -1 */
    int64_t   kv;               /* parts of a million; -1 */
    double    decode;
    double    prefill;
} tg_backend_load_t;

void tg_backend_load(tg_backends_t *t, tg_backend_t *b,
    const tg_check_conf_t *cc, int64_t now, tg_backend_load_t *load);

/* The first two of those, and the third. */
uint32_t tg_backend_id(tg_backends_t *t, tg_backend_t *b, uint32_t *epoch);
bool tg_backend_usable(tg_backends_t *t, tg_backend_t *b,
    const tg_check_conf_t *cc, int64_t now);

/* Its pace: tg_backend_scraped() tells it of pages, and what makes a new epoch
 * has it forget; tg_balance_sent() tells it of calls. */
tg_pace_t *tg_backend_pace(tg_backend_t *b);

/* Of the table: which beginnings of prompts are where. */
tg_affinity_t *tg_backends_affinity(tg_backends_t *t);

/* Where time went, in nanoseconds, up to the last tick or call: busy + idle +
 * unhealthy + sleeping is provisioned, exactly, and none of them ever shrinks.
 * Loading and stalled are unhealthy. */
typedef struct {
    int64_t   provisioned;
    int64_t   busy, idle, unhealthy, sleeping;
    int64_t   shared;           /* sum of calls' shares */
    uint32_t  gpus;             /* thousandths */
    int64_t   rate_nusd;        /* of an hour; -1: there is no gpu_cost= */
    int64_t   cost_nusd;        /* of provisioned; 0 without gpu_cost= */
    int64_t   idle_nusd;
    int64_t   calls_nusd;       /* what calls were charged */
    int64_t   cloud_nusd;       /* what instead_of= would have cost */
    int64_t   prompt_tokens, output_tokens;
    double    usd_per_mtok;     /* cost / (prompt + output tokens); 0: none */
} tg_gpu_time_t;

void tg_backend_time(tg_backends_t *t, tg_backend_t *b, int64_t now,
    tg_gpu_time_t *time);

/* What nanoseconds of a backend's time cost; -1: it has no gpu_cost=. */
int64_t tg_backend_cost(const tg_backend_conf_t *bc, int64_t ns);

/* At least 1 in two scrapes, until less than 0.8.  thousandths of it go to
 * *level (may be NULL). */
bool tg_group_saturated(tg_backends_t *t, tg_group_t *g, uint32_t *level);

/* The last tick of any owner. */
int64_t tg_backends_ticked(const tg_backends_t *t);

/* True where any backend may be used. */
bool tg_group_healthy(tg_backends_t *t, tg_group_t *g);

/* llmctl backend drain, resume; llm_scale's drain. */
void tg_backend_drain(tg_backends_t *t, tg_backend_t *b, tg_drain_t drain,
    int64_t now);

#endif /* TG_BACKEND_H */
