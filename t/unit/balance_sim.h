/*
 * balance_sim.h - inference servers behind a balancer, as discrete events.
 *
 * An engine works in steps, as vLLM does: each step writes one token for every
 * call that has been read and reads up to SIM_CHUNK tokens of those that have
 * not; it takes a fixed time, and some for each token.  Calls wait while
 * SIM_SEQS run or the KV cache has no room.  Blocks of prompts stay in the
 * cache until others need the room.  What a scrape says is SIM_LATE old
 * already.
 *
 * Time is nanoseconds.  All that is random comes from the seed.
 */

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tg_balance.h"

#define SIM_ENGINES    64
#define SIM_SEQS       32               /* calls at a time */
#define SIM_CHUNK      2048             /* tokens read in a step */
#define SIM_KV         120000           /* tokens */
#define SIM_BLOCK      256              /* tokens; 1 KiB of text */
#define SIM_BLOCKS     512              /* of one prompt, at most */
#define SIM_CACHE      (SIM_KV / SIM_BLOCK)
#define SIM_STEP       10e6             /* ns: a step, a token written, read */
#define SIM_WRITE      0.25e6
#define SIM_READ       0.06e6
#define SIM_CALLS      200000
#define SIM_PROCESSES  4
#define SIM_S          1e9

typedef enum {
    SIM_ROUND_ROBIN = 0,
    SIM_LEAST_CONN,
    SIM_SCRAPES,                        /* the queue that scrapes tell, alone */
    SIM_OURS,
    SIM_AFFINITY,
    SIM_ORACLE,
    SIM_RULES
} sim_rule_t;

typedef struct {
    double       arrives, first, ends;
    uint32_t     prompt, output;        /* tokens */
    uint32_t     cached, read, written;
    uint64_t     family, talk;          /* what its prompt begins with */
    uint32_t     shared;                /* blocks of the family's */
    unsigned     engine;
    tg_ticket_t  ticket;
} sim_call_t;

typedef struct {
    double         speed;
    double         ends;                /* of the step; 0: idle */
    uint32_t       chunk[SIM_SEQS];     /* read in this step, by place */
    bool           writes[SIM_SEQS];
    sim_call_t    *run[SIM_SEQS];
    unsigned       nrun;
    sim_call_t   **queue;
    unsigned       head, tail;
    uint64_t       kv;
    uint64_t       block[SIM_CACHE];
    double         used[SIM_CACHE];
    int64_t        prompts, outputs, hits;
    uint64_t       calls;
    double         scrape;              /* the next one */
    /* What a page says, as it was SIM_LATE ago. */
    tg_engine_facts_t  page, late;
    double         turned;
    tg_backend_t  *backend;
} sim_engine_t;

typedef struct {
    uint64_t        seed;
    sim_rule_t      rule;
    unsigned        engines;
    double          speed[SIM_ENGINES]; /* 0: 1 */
    double          rate;               /* calls a second, of all engines */
    double          seconds;
    double          prompt, output;     /* medians, tokens */
    double          skew;               /* sigma of their logarithms */
    unsigned        families;           /* of prompts; 0: all differ */
    double          interval, late;     /* of scrapes; interval 0: none */
    bool            blind;              /* the page tells nothing of the load */
    double          estimate;           /* of outputs: 0 the mean, 1 exact */
    tg_group_conf_t conf;

    /* Results. */
    unsigned        n, done;
    double          p50, p99, mean;
    double          tokens_s, hit;
    double          share[SIM_ENGINES]; /* of the calls */
    double          most_over;          /* calls at one, over the mean at it */
    double          pick_ns;

    /* Private. */
    sim_engine_t   *e;
    sim_call_t     *call;
    tg_backends_t  *table;
    tg_group_t     *group;
    int             slot[SIM_PROCESSES];
    unsigned        turn;
    uint64_t        random;
} sim_t;


static uint64_t
sim_mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);

    return z ^ z >> 31;
}


static uint64_t
sim_random(sim_t *s)
{
    s->random += UINT64_C(0x9e3779b97f4a7c15);

    return sim_mix(s->random);
}


static double
sim_uniform(sim_t *s)
{
    return ((double) (sim_random(s) >> 11) + 0.5) / 0x1p53;
}


static double
sim_normal(sim_t *s)
{
    double  u = sim_uniform(s), v = sim_uniform(s);

    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}


static uint32_t
sim_size(sim_t *s, double median, double most)
{
    double  v = median * exp(s->skew * sim_normal(s));

    return (uint32_t) (v < 1 ? 1 : v > most ? most : v);
}


/* --- engines --- */

static uint64_t
sim_block(const sim_call_t *c, unsigned i)
{
    return i < c->shared ? sim_mix(c->family * 1000003 + i)
                         : sim_mix(c->talk * 7000003 + i);
}


/* Looks for a prompt's blocks, and puts them in the cache. */
static uint32_t
sim_cache(sim_engine_t *e, const sim_call_t *c, double now, bool put)
{
    bool      leading = true;
    unsigned  hits = 0, oldest, k;
    uint64_t  b;

    for (unsigned i = 0; i < c->prompt / SIM_BLOCK; i++) {
        b = sim_block(c, i);
        oldest = 0;

        for (k = 0; k < SIM_CACHE && e->block[k] != b; k++) {
            if (e->used[k] < e->used[oldest]) {
                oldest = k;
            }
        }

        leading = leading && k < SIM_CACHE;
        hits += leading;

        if (!put && !leading) {
            break;
        }

        if (put) {
            k = k < SIM_CACHE ? k : oldest;
            e->block[k] = b;
            e->used[k] = now;
        }
    }

    return hits * SIM_BLOCK;
}


static void
sim_admit(sim_engine_t *e, double now)
{
    sim_call_t  *c;

    while (e->head < e->tail && e->nrun < SIM_SEQS) {
        c = e->queue[e->head];

        if (e->kv + c->prompt + c->output > SIM_KV && e->nrun > 0) {
            break;
        }

        e->head++;
        c->cached = sim_cache(e, c, now, true);

        if (c->cached >= c->prompt) {
            c->cached = c->prompt - 1;
        }

        c->read = c->cached;
        e->hits += c->cached;
        e->prompts += c->prompt;
        e->kv += c->prompt + c->output;
        e->run[e->nrun++] = c;
    }
}


static void
sim_step(sim_engine_t *e, double now)
{
    double       ns = SIM_STEP;
    uint32_t     left = SIM_CHUNK, chunk;
    sim_call_t  *c;

    sim_admit(e, now);

    if (e->nrun == 0) {
        e->ends = 0;
        return;
    }

    for (unsigned i = 0; i < e->nrun; i++) {
        c = e->run[i];
        chunk = c->prompt - c->read < left ? c->prompt - c->read : left;
        e->writes[i] = c->read == c->prompt;
        e->chunk[i] = chunk;
        left -= chunk;
        ns += SIM_READ * chunk + (e->writes[i] ? SIM_WRITE : 0);
    }

    e->ends = now + ns / e->speed;
}


static void sim_done(sim_t *s, sim_call_t *c, double now);


static void
sim_step_end(sim_t *s, sim_engine_t *e)
{
    double       now = e->ends;
    unsigned     kept = 0;
    sim_call_t  *c;

    for (unsigned i = 0; i < e->nrun; i++) {
        c = e->run[i];
        c->read += e->chunk[i];

        if (c->read == c->prompt && (e->writes[i] || e->chunk[i] > 0)) {
            c->first = c->written == 0 ? now : c->first;
            c->written++;
            e->outputs++;
        }

        if (c->written >= c->output) {
            e->kv -= c->prompt + c->output;
            c->ends = now;
            sim_done(s, c, now);

        } else {
            e->run[kept++] = c;
        }
    }

    e->nrun = kept;
    sim_step(e, now);
}


static void
sim_page(const sim_engine_t *e, tg_engine_facts_t *f, bool blind)
{
    memset(f, 0, sizeof(tg_engine_facts_t));
    f->engine = TG_ENGINE_VLLM;
    f->known = 1U << TG_FACT_PROMPT_TOKENS | 1U << TG_FACT_OUTPUT_TOKENS;
    f->value[TG_FACT_PROMPT_TOKENS] = e->prompts;
    f->value[TG_FACT_OUTPUT_TOKENS] = e->outputs;

    if (!blind) {
        f->known |= 1U << TG_FACT_RUNNING | 1U << TG_FACT_WAITING
                    | 1U << TG_FACT_KV;
        f->value[TG_FACT_RUNNING] = e->nrun;
        f->value[TG_FACT_WAITING] = e->tail - e->head;
        f->value[TG_FACT_KV] = (int64_t) (e->kv * 1000000 / SIM_KV);
        f->value[TG_FACT_KV] = f->value[TG_FACT_KV] > 1000000
                               ? 1000000 : f->value[TG_FACT_KV];
    }
}


/* --- the balancer --- */

static void
sim_ask(const sim_t *s, const sim_call_t *c, tg_balance_ask_t *ask)
{
    double    mean = s->output * exp(s->skew * s->skew / 2);
    unsigned  k, last;

    memset(ask, 0, sizeof(tg_balance_ask_t));
    ask->work.prompt_tokens = c->prompt;
    ask->work.output_tokens = (uint32_t) (mean + s->estimate
                                                 * (c->output - mean));

    for (k = 0; k < TG_PREFIXES_MAX; k++) {
        last = (1U << k) - 1;

        if (c->prompt / SIM_BLOCK <= last) {
            break;
        }

        ask->prefixes.hash[k] = sim_mix(sim_block(c, last) + k);
        ask->prefixes.tokens[k] = SIM_BLOCK << k;
    }

    ask->prefixes.n = k;
}


static unsigned
sim_queue(const sim_engine_t *e)
{
    return e->nrun + e->tail - e->head;
}


/* The seconds until a call's first token there, of all that is known inside. */
static double
sim_truth(const sim_engine_t *e, const sim_call_t *c, double now)
{
    double    read = 0, write = 0;
    unsigned  calls = sim_queue(e);

    for (unsigned i = 0; i < e->nrun; i++) {
        read += e->run[i]->prompt - e->run[i]->read;
        write += e->run[i]->output - e->run[i]->written;
    }

    for (unsigned i = e->head; i < e->tail; i++) {
        read += e->queue[i]->prompt;
        write += e->queue[i]->output;
    }

    read += c->prompt - sim_cache((sim_engine_t *) e, c, now, false);
    read = read * SIM_READ + calls * SIM_WRITE;

    /* Tokens of a full batch until there is a place. */
    if (calls >= SIM_SEQS) {
        read += write / calls * (calls - SIM_SEQS + 1)
                * (SIM_STEP / SIM_SEQS + SIM_WRITE);
    }

    return read / e->speed;
}


static unsigned
sim_least(sim_t *s, const sim_call_t *c, double now)
{
    double    least = 0, v = 0;
    unsigned  best = 0, ties = 0;

    for (unsigned i = 0; i < s->engines; i++) {
        int64_t  q = s->e[i].late.value[TG_FACT_RUNNING]
                     + s->e[i].late.value[TG_FACT_WAITING];

        v = s->rule == SIM_LEAST_CONN ? (double) sim_queue(&s->e[i])
            : s->rule == SIM_SCRAPES ? (double) q
            : sim_truth(&s->e[i], c, now);

        if (ties == 0 || v < least) {
            least = v;
            best = i;
            ties = 1;

        } else if (!(v > least) && sim_random(s) % ++ties == 0) {
            best = i;
        }
    }

    return best;
}


static unsigned
sim_ours(sim_t *s, const tg_balance_ask_t *ask, double now)
{
    int             i;
    tg_candidate_t  candidates[SIM_ENGINES];

    for (unsigned k = 0; k < s->engines; k++) {
        candidates[k].backend = s->e[k].backend;
        candidates[k].weight = 1;
    }

    i = tg_balance_pick(s->table, s->group, &s->conf, candidates, s->engines,
                        ask, true, sim_random(s), (int64_t) now);
    assert(i >= 0);

    return (unsigned) i;
}


static void
sim_arrive(sim_t *s, sim_call_t *c)
{
    double             now = c->arrives, over = 0;
    sim_engine_t      *e;
    tg_balance_ask_t   ask;

    sim_ask(s, c, &ask);

    c->engine = s->rule == SIM_ROUND_ROBIN ? s->turn++ % s->engines
                : s->rule >= SIM_OURS && s->rule <= SIM_AFFINITY
                  ? sim_ours(s, &ask, now)
                : sim_least(s, c, now);
    e = &s->e[c->engine];
    tg_backend_begin(s->table, e->backend,
                     s->slot[sim_random(s) % SIM_PROCESSES], &ask.work,
                     (int64_t) now, &c->ticket);

    tg_balance_sent(s->table, s->group, e->backend, &ask, (int64_t) now);

    e->calls++;
    e->queue[e->tail++] = c;

    for (unsigned i = 0; i < s->engines; i++) {
        over += sim_queue(&s->e[i]);
    }

    over = sim_queue(e) - over / s->engines;
    s->most_over = over > s->most_over ? over : s->most_over;

    if (e->ends <= 0) {
        sim_step(e, now);
    }
}


static void
sim_done(sim_t *s, sim_call_t *c, double now)
{
    s->done++;
    (void) tg_backend_end(s->table, &c->ticket, TG_CAME_OK, &s->conf.check,
                          (int64_t) now);
    tg_backend_usage(s->table, s->e[c->engine].backend, c->prompt, c->output,
                     0, 0);
}


static void
sim_scrape(sim_t *s, sim_engine_t *e)
{
    double  now = e->scrape;

    if (now - e->turned >= s->late) {
        e->late = e->page;
        sim_page(e, &e->page, s->blind);
        e->turned = now;
    }

    if (s->late <= 0) {
        sim_page(e, &e->late, s->blind);
    }

    tg_backend_scraped(s->table, e->backend, &e->late, &s->conf.check,
                       (int64_t) now);
    e->scrape += s->interval * (0.9 + 0.2 * sim_uniform(s));
}


/* --- a run --- */

static void
sim_calls(sim_t *s)
{
    double    t = 0, u;
    unsigned  talks = 0;

    for (s->n = 0; s->n < SIM_CALLS; s->n++) {
        sim_call_t  *c = &s->call[s->n];

        t -= log(sim_uniform(s)) / s->rate * SIM_S;

        if (t > s->seconds * SIM_S) {
            break;
        }

        c->arrives = t;
        c->prompt = sim_size(s, s->prompt, 24000);
        c->output = sim_size(s, s->output, 2000);
        c->talk = s->seed * 1000000007 + talks++;

        if (s->families > 0) {
            /* Zipf's law, about. */
            u = sim_uniform(s);
            c->family = s->seed * 31 + (uint64_t) pow(s->families, u);
            c->shared = 4 + (unsigned) (sim_mix(c->family) % 29);
            c->prompt += c->shared * SIM_BLOCK;
        }
    }
}


static void
sim_open(sim_t *s)
{
    char        name[32];
    size_t      size = tg_backends_size();
    void       *memory = calloc(1, size);
    tg_error_t  err;

    assert(memory != NULL);
    s->table = memory;
    assert(tg_backends_open(memory, size, 1, 0, &err) == TG_OK);
    s->group = tg_backends_group(s->table, tg_str("gpu"));

    s->conf.check.on = true;
    s->conf.check.interval = (uint32_t) (s->interval / 1e6);
    s->conf.check.rise = 2;
    s->conf.check.fall = 3;
    s->conf.check.max_ejected = 50;
    s->conf.load = s->conf.load > 0 ? s->conf.load : 125;
    s->conf.balance = s->rule == SIM_AFFINITY ? TG_BALANCE_PREFIX_AFFINITY
                                              : TG_BALANCE_LEAST_LOAD;
    s->conf.rest.cost_nusd = -1;

    for (unsigned i = 0; i < SIM_PROCESSES; i++) {
        s->slot[i] = tg_backends_join(s->table, 100 + i, 0);
        assert(s->slot[i] >= 0);
    }

    tg_backends_generation(s->table);

    for (unsigned i = 0; i < s->engines; i++) {
        sim_engine_t  *e = &s->e[i];

        (void) snprintf(name, sizeof(name), "10.0.0.%u:8000", i);
        e->backend = tg_backends_backend(s->table, s->group, tg_strz(name), 1);
        assert(e->backend != NULL);
        tg_backend_configured(s->table, e->backend, &s->conf.rest, 1);
        tg_backend_checked(s->table, e->backend, TG_HEALTH_OK, tg_str(""),
                           &s->conf.check, 1);
        e->speed = s->speed[i] > 0 ? s->speed[i] : 1;
        e->queue = calloc(s->n, sizeof(sim_call_t *));
        assert(e->queue != NULL);
        e->scrape = s->interval > 0
                    ? s->interval * (i + 1) / s->engines : INFINITY;
    }
}


static int
sim_order(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}


static void
sim_count(sim_t *s)
{
    double   *ttft = calloc(s->n, sizeof(double)), last = 0;
    int64_t   outputs = 0, prompts = 0, hits = 0;
    unsigned  n = 0;

    assert(ttft != NULL);

    for (unsigned i = 0; i < s->n; i++) {
        /* The first tenth is for caches, and what is measured, to fill. */
        if (s->call[i].arrives > s->seconds * SIM_S / 10) {
            ttft[n] = (s->call[i].first - s->call[i].arrives) / SIM_S;
            s->mean += ttft[n++];
        }

        last = s->call[i].ends > last ? s->call[i].ends : last;
    }

    for (unsigned i = 0; i < s->engines; i++) {
        outputs += s->e[i].outputs;
        prompts += s->e[i].prompts;
        hits += s->e[i].hits;
        s->share[i] = (double) s->e[i].calls / s->n;
        free(s->e[i].queue);
    }

    qsort(ttft, n, sizeof(double), sim_order);
    s->p50 = ttft[n / 2];
    s->p99 = ttft[n * 99 / 100];
    s->mean /= n;
    s->tokens_s = (double) outputs / last * SIM_S;
    s->hit = (double) hits / (double) prompts;

    free(ttft);
}


static void
sim_run(sim_t *s)
{
    double         now;
    unsigned       arrived = 0;
    sim_engine_t  *e;
    enum { ARRIVE, STEP, SCRAPE } what;

    s->e = calloc(s->engines, sizeof(sim_engine_t));
    s->call = calloc(SIM_CALLS, sizeof(sim_call_t));
    assert(s->e != NULL && s->call != NULL);
    s->random = s->seed;
    sim_calls(s);
    sim_open(s);

    while (s->done < s->n) {
        now = arrived < s->n ? s->call[arrived].arrives : INFINITY;
        what = ARRIVE;
        e = NULL;

        for (unsigned i = 0; i < s->engines; i++) {
            if (s->e[i].ends > 0 && s->e[i].ends < now) {
                now = s->e[i].ends;
                e = &s->e[i];
                what = STEP;
            }

            if (s->e[i].scrape < now) {
                now = s->e[i].scrape;
                e = &s->e[i];
                what = SCRAPE;
            }
        }

        if (what == ARRIVE) {
            sim_arrive(s, &s->call[arrived++]);

        } else if (what == STEP) {
            sim_step_end(s, e);

        } else {
            sim_scrape(s, e);
        }
    }

    sim_count(s);
    free(s->table);
    free(s->call);
    free(s->e);
}
