/*
 * tg_backend_int.h - the layout of the table of tg_backend.h; private to
 * tg_backend*.c.
 *
 * What belongs together is a record of words that is there twice: it is written
 * where nobody reads, and counts once its version is stored.  Who writes has the
 * backend's lock; who reads has none, and reads again where the version has
 * changed meanwhile.  Whoever is killed in between has changed nothing.  All else
 * are single words.
 *
 * A cell is what a process has under way at a backend.  It is the process's alone
 * and counts as long as the process has its slot, so that the dead are cleared up
 * after with one word: that of the slot.
 *
 * Who can't have the lock at once goes without: it changes its cell and says so
 * (dirty), and whoever is next with the lock adds the cells up.
 */

#ifndef TG_BACKEND_INT_H
#define TG_BACKEND_INT_H

#include "tg_backend.h"

#include <stdatomic.h>

#define TG_BE_MAGIC     UINT64_C(0x73646e656b636162)    /* in host order */

#define TG_BE_SECOND    (INT64_C(1000) * 1000000)
#define TG_BE_MS        INT64_C(1000000)

/* Sweeps that a lock of who has no slot may be seen in: it is dead then. */
#define TG_BE_LOCK_AGE  5
#define TG_BE_SPINS     100

#define TG_BE_PID_MAX   ((1 << 24) - 1)

/* Tried again after calls have failed, where nothing is checked: nginx' and
 * httpd's own is 10 s and 60 s. */
#define TG_BE_RETRY     (10 * TG_BE_SECOND)

/* Fractions of nanoseconds in a share. */
#define TG_BE_FRACTION  16

/* Of a cell: calls above, tokens below. */
#define TG_BE_CALLS     44
#define TG_BE_WORK_MAX  (1 << 24)       /* tokens of a call that are counted */

/* Scale's own words, of an upstream's or a backend's hooks; see tg_scale.c. */
#define TG_BE_SCALE     8

/* Keys below are of entries that somebody clears: 1 and, if he does not come to an
 * end, 2 and 3. */
#define TG_BE_KEYS      4

/* A key is there before the name is; whoever looks for the name can write it. */
typedef struct {
    _Atomic uint64_t  key;              /* hash of the name; 0: free, and all of
                                           the entry is zero */
    _Atomic uint64_t  named;            /* the key, once it is */
    _Atomic uint32_t  len;
    _Atomic uint64_t  words[TG_BACKEND_NAME_MAX / 8];
} tg_be_name_t;

typedef struct {
    uint64_t          key;
    uint32_t          len;
    char              name[TG_BACKEND_NAME_MAX];
} tg_be_wanted_t;

/* A table of things that begin with a tg_be_name_t. */
typedef struct {
    char             *base;
    size_t            stride;
    unsigned          n;
} tg_be_names_t;

/* A record's words, twice. */
#define TG_BE_TWICE(n)                                                        \
    struct {                                                                  \
        _Atomic uint64_t  version;                                            \
        _Atomic uint64_t  words[2][(n)];                                      \
    }

/* Where time goes. */
typedef enum {
    TG_BE_AWAY = 0,             /* not provisioned */
    TG_BE_IDLE,
    TG_BE_BUSY,
    TG_BE_UNHEALTHY,
    TG_BE_SLEEPING,
    TG_BE_CLASSES
} tg_be_class_t;

typedef struct {
    int64_t   calls;            /* sums of the cells */
    int64_t   tokens;
    int64_t   fresh;            /* tokens since the last scrape */
    int64_t   at;               /* all times are up to then */
    uint64_t  v;                /* integral of dt / n, TG_BE_FRACTION */
    uint64_t  rest;             /* of its divisions */
    uint64_t  scrape;           /* its number */
    int64_t   most;             /* calls at a time since then */
    uint64_t  class;            /* since `at` */
    int64_t   spent[TG_BE_CLASSES];
    int64_t   shared;
    int64_t   rate;             /* nano-dollars an hour; -1: not said */
    int64_t   cost, cost_mark;  /* of the time up to the mark */
    int64_t   idle, idle_mark;
} tg_be_clock_t;

#define TG_BE_CLOCK      (sizeof(tg_be_clock_t) / 8)
#define TG_BE_UNDER_WAY  3              /* words of it that readers need most */

/* What the last page said, and what was made of it. */
typedef struct {
    int64_t   at;               /* 0: none */
    uint64_t  known;
    int64_t   calls;            /* ours, then */
    int64_t   decode, prefill;  /* thousandths of tokens a second; 0 */
    int64_t   value[TG_FACTS];
    uint64_t  engine;
    int64_t   progress;         /* the last time that a counter moved, or that
                                   there was nothing to do */
    int64_t   stalls;           /* in a row, without a token in between */
    int64_t   written;          /* the last time that output tokens moved, or
                                   that there was nothing to do */
    int64_t   read;             /* the same of prompts' tokens */
} tg_be_facts_t;

#define TG_BE_FACTS  (sizeof(tg_be_facts_t) / 8)
#define TG_BE_PAGE   (5 + TG_FACT_KV + 1)       /* as above */

_Static_assert(TG_FACT_RUNNING <= TG_FACT_KV && TG_FACT_WAITING <= TG_FACT_KV
               && TG_FACT_SLOTS <= TG_FACT_KV, "what choosing one needs");
#define TG_BE_GPU    (sizeof(tg_gpu_facts_t) / 8)
#define TG_BE_WHY    (TG_BACKEND_WHY_MAX / 8)

/*
 * Health is one word:
 *
 *     state 4 | drain 4 | ejected 1 | rises 16 | checks 16 | calls 16
 *
 * checks and calls: failures in a row, each with their own successes.
 */
typedef struct {
    tg_backend_state_t  state;
    tg_drain_t          drain;
    bool                ejected;
    uint32_t            rises;
    uint32_t            checks, calls;
} tg_be_health_t;

struct tg_backend_s {
    tg_be_name_t      name;
    _Atomic uint32_t  group;            /* its place, plus one */
    _Atomic uint32_t  generation;       /* of the configuration that has it */
    _Atomic int64_t   gone;             /* the last time that it was configured */

    _Atomic uint64_t  lock;
    _Atomic uint64_t  lock_seen;        /* by the sweep before */
    _Atomic uint32_t  lock_age;         /* sweeps */
    _Atomic uint32_t  dirty;            /* cells are to be added up */

    _Atomic uint64_t  health;
    _Atomic int64_t   since;            /* of its state */
    _Atomic int64_t   checked;
    _Atomic int64_t   scraped;
    _Atomic int64_t   loading;          /* the first of such answers in a row */
    _Atomic int64_t   ramp;             /* slow start began; 0: none */
    _Atomic uint32_t  epoch;            /* of its cache */
    _Atomic uint32_t  capacity;         /* configured; 0: not */
    _Atomic uint32_t  gpus;             /* configured */
    _Atomic uint32_t  type;
    _Atomic int64_t   stale;            /* older than this, a page is; ns */
    _Atomic int64_t   runs;             /* requests, by the last page */

    _Atomic uint64_t  served, failed, ejections;
    _Atomic int64_t   prompt_tokens, output_tokens;
    _Atomic int64_t   calls_nusd, cloud_nusd;

    /* Of calls that ended without the lock. */
    _Atomic int64_t   shared;

    /* Throughput by our own calls, where the engine tells no tokens: sums that
     * fade, and the totals as they were.  Written by the owner. */
    _Atomic int64_t   own_at, own_prompt, own_output, own_ns;
    _Atomic int64_t   had_prompt, had_output, had_ns;

    TG_BE_TWICE(TG_BE_CLOCK)  clock;
    TG_BE_TWICE(TG_BE_FACTS)  facts;
    TG_BE_TWICE(TG_BE_GPU)    gpu;
    TG_BE_TWICE(TG_BE_WHY)    why;

    tg_pace_t         pace;

    _Atomic int64_t   scale[TG_GROUP_SCALE_MAX][TG_BE_SCALE];
};

struct tg_group_s {
    tg_be_name_t      name;
    _Atomic uint64_t  asked;            /* the last time somebody has */
    _Atomic uint64_t  members[TG_BACKENDS_MAX / 64];
    _Atomic int64_t   judged;           /* when saturation was looked at */
    _Atomic int64_t   judged_scrape;    /* the newest page, then */
    _Atomic uint32_t  level;            /* thousandths */
    _Atomic uint32_t  full;             /* times in a row */
    _Atomic uint32_t  saturated;
    _Atomic int64_t   saturated_since;  /* 0: it is not */
    _Atomic int64_t   scale[TG_GROUP_SCALE_MAX][TG_BE_SCALE];
};

/* who: incarnation 32 | pid 24 | state 8. */
enum {
    TG_BE_SLOT_FREE = 0,
    TG_BE_SLOT_JOINING,         /* its cells don't count yet */
    TG_BE_SLOT_USED
};

typedef struct {
    _Atomic uint64_t  who;
    _Atomic uint64_t  start;
    _Atomic uint64_t  cells[TG_BACKENDS_MAX];
} tg_be_slot_t;

struct tg_backends_s {
    uint64_t          magic;
    uint64_t          version;
    uint64_t          size;
    _Atomic uint64_t  boot;
    _Atomic uint32_t  generation;
    _Atomic uint64_t  asked;            /* for upstreams, so often */
    _Atomic uint64_t  asked_before;     /* this generation */
    _Atomic uint32_t  nslots;           /* the highest ever used, plus one */
    _Atomic uint64_t  lease;
    _Atomic int64_t   ticked;
    _Atomic uint32_t  anonymous;        /* numbers of locks */
    tg_group_t        groups[TG_GROUPS_MAX];
    tg_backend_t      backends[TG_BACKENDS_MAX];
    tg_be_slot_t      slots[TG_BACKEND_SLOTS];
    tg_affinity_t     affinity;
};

#if defined(__x86_64__) || defined(__i386__)
#define tg_be_pause()  __builtin_ia32_pause()
#elif defined(__aarch64__)
#define tg_be_pause()  __asm__ __volatile__("yield")
#else
#define tg_be_pause()  __asm__ __volatile__("" ::: "memory")
#endif

static inline unsigned
tg_be_index(const tg_backends_t *t, const tg_backend_t *b)
{
    return (unsigned) (b - t->backends);
}

static inline bool
tg_be_configured(const tg_backends_t *t, const tg_backend_t *b)
{
    uint32_t  generation = atomic_load_explicit(&b->generation,
                                                memory_order_relaxed);

    return generation != 0
           && generation == atomic_load_explicit(&t->generation,
                                                 memory_order_relaxed);
}

/* Reads the first n of a record's words. */
void tg_be_read(const _Atomic uint64_t *version, const _Atomic uint64_t *words,
    unsigned all, unsigned n, void *record);
void tg_be_write(_Atomic uint64_t *version, _Atomic uint64_t *words, unsigned n,
    const void *record);

#define tg_be_all(of)  ((unsigned) (sizeof((of)->words[0]) / 8))

#define tg_be_get(of, record)                                                 \
    tg_be_read(&(of)->version, (of)->words[0], tg_be_all(of), tg_be_all(of),  \
               (record))
#define tg_be_get_first(of, n, record)                                        \
    tg_be_read(&(of)->version, (of)->words[0], tg_be_all(of), (n), (record))
#define tg_be_put(of, record)                                                 \
    tg_be_write(&(of)->version, (of)->words[0], tg_be_all(of), (record))

/* The lock; 0: it can't be had.  slot -1: of who has the lease, or nobody's. */
uint64_t tg_be_lock(tg_backends_t *t, tg_backend_t *b, int slot);
void tg_be_unlock(tg_backends_t *t, tg_backend_t *b, uint64_t lock);

/* Gives it back if its owner is dead; for the sweep. */
void tg_be_break(tg_backends_t *t, tg_backend_t *b);

/* seed: of what it belongs to. */
void tg_be_want(tg_be_wanted_t *w, tg_str_t name, uint64_t seed);
tg_str_t tg_be_named(const tg_be_name_t *n);
bool tg_be_name_is(tg_be_name_t *n, const tg_be_wanted_t *w);

/* A place, or -1: it is not there, there is no room. */
int tg_be_name_find(const tg_be_names_t *all, const tg_be_wanted_t *w);
int tg_be_name_make(const tg_be_names_t *all, const tg_be_wanted_t *w);

/* To clear an entry: true, it is this caller's, until it is free. Or: somebody has
 * begun, and not ended for a few sweeps. */
bool tg_be_name_drop(tg_be_name_t *n);
void tg_be_name_free(tg_be_name_t *n);
bool tg_be_name_left(tg_be_name_t *n);

/* Entries that somebody has begun to clear, and never ended. */
void tg_be_age(tg_backends_t *t);

/* A slot's cell, where there is such a slot and it is in use by that incarnation
 * (0: any, which is filled in). */
_Atomic uint64_t *tg_be_cell(tg_backends_t *t, tg_backend_t *b, int slot,
    uint32_t *incarnation);

/* Of all slots. */
void tg_be_sum(tg_backends_t *t, const tg_backend_t *b, int64_t *calls,
    int64_t *tokens);

/* A clock up to now; and, under the lock, what it is from then on. */
void tg_be_clock_to(tg_be_clock_t *c, int64_t now);
void tg_be_clock_class(tg_backends_t *t, tg_backend_t *b, tg_be_clock_t *c);

/* Under the lock: adds up the cells, and brings the clock up to date. now 0: it
 * stays where it is. */
void tg_be_sum_up(tg_backends_t *t, tg_backend_t *b, int64_t now);

/* The same with the lock, or later. */
void tg_be_sync(tg_backends_t *t, tg_backend_t *b, int64_t now);

tg_be_health_t tg_be_health(uint64_t word);
uint64_t tg_be_health_word(tg_be_health_t h);

/* What a call's end tells. */
void tg_be_came(tg_backends_t *t, tg_backend_t *b, tg_came_t came,
    const tg_check_conf_t *cc, int64_t now);

/* From one state to another, with a sentence. False: somebody else was faster. */
bool tg_be_turn(tg_backends_t *t, tg_backend_t *b, uint64_t *from,
    tg_be_health_t to, tg_str_t why, int64_t now);

/* DOWN because of calls, for long enough, where nothing checks: to be tried. */
void tg_be_retry(tg_backends_t *t, tg_backend_t *b, const tg_check_conf_t *cc,
    int64_t now);

/* Who of an upstream is ejected. */
void tg_be_eject(tg_backends_t *t, tg_group_t *g, const tg_check_conf_t *cc);

/* STALLED, or no longer. */
void tg_be_stall(tg_backends_t *t, tg_backend_t *b, const tg_check_conf_t *cc,
    int64_t now);

/* Throughput by our own calls. */
void tg_be_own(tg_backends_t *t, tg_backend_t *b, int64_t now);

bool tg_be_usable(tg_be_health_t h);
uint32_t tg_be_ramp(const tg_backend_t *b, const tg_check_conf_t *cc,
    int64_t now);
int64_t tg_be_stale(const tg_check_conf_t *cc);
int64_t tg_be_others(const tg_be_facts_t *f);

#endif /* TG_BACKEND_INT_H */
