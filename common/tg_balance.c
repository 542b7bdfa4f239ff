#include "tg_balance.h"

/*
 * The score, in seconds until the call's first token; the lowest wins:
 *
 *     (tokens under way + calls of others and in its queue * a call's tokens
 *         + the call's own) / throughput
 *     + TG_BALANCE_KV * kv / (1 - kv)
 *     + prompt tokens that are not in its cache / prefill rate
 *
 * divided by weight and slow start's ramp.  Tokens under way are our own count,
 * of all processes, at this instant: a scrape is never newer.  AIBrix' routers
 * herded in spite of scrapes every 50 ms until they counted their own calls
 * (vllm-project/aibrix, 2025).
 */

/* Of the mean prompt and answer, where no call under way tells. */
#define TG_BALANCE_CALL     1024

/* Tokens a second, where nothing has been measured: an 8B model on one GPU of
 * 2024 writes a few thousand and reads ten times as fast. */
#define TG_BALANCE_DECODE   2000.0
#define TG_BALANCE_PREFILL  10.0        /* times the former */

/* Seconds; a half-full cache costs this much, at 87% a whole second. */
#define TG_BALANCE_KV       0.15
#define TG_BALANCE_KV_MOST  0.99

/* Scores so near each other are a tie. */
#define TG_BALANCE_TIE      1.02
#define TG_BALANCE_TIE_S    0.001

typedef struct {
    tg_backend_load_t  load;
    double             weight;          /* with the ramp */
    double             cached;          /* tokens of the prompt that it has */
    double             score;
    bool               in;
} tg_balance_one_t;

/* Of the candidates that are in. */
typedef struct {
    unsigned  n;
    bool      fresh;                    /* any of them */
    int64_t   calls;
    double    weight;
    double    call;                     /* mean tokens */
    double    decode, prefill;          /* means of those that are known */
    double    waiting, others, kv;
} tg_balance_pool_t;

typedef struct {
    double    sum;
    unsigned  n;
} tg_balance_mean_t;


static void
tg_balance_add(tg_balance_mean_t *m, double value, bool known)
{
    if (known) {
        m->sum += value;
        m->n++;
    }
}


static double
tg_balance_mean(const tg_balance_mean_t *m, double otherwise)
{
    return m->n > 0 ? m->sum / m->n : otherwise;
}


/* Who is in, and what they have in common. */
static void
tg_balance_pool(tg_balance_one_t *one, unsigned n, const tg_balance_ask_t *ask,
    tg_balance_pool_t *p)
{
    double             tokens = 0, own;
    tg_balance_mean_t  decode = { 0, 0 }, prefill = { 0, 0 };
    tg_balance_mean_t  waiting = { 0, 0 }, others = { 0, 0 }, kv = { 0, 0 };

    memset(p, 0, sizeof(tg_balance_pool_t));

    for (unsigned i = 0; i < n; i++) {
        const tg_backend_load_t  *l = &one[i].load;

        if (!one[i].in) {
            continue;
        }

        p->n++;
        p->calls += l->calls;
        p->weight += one[i].weight;
        p->fresh |= l->fresh;
        tokens += (double) l->tokens;

        tg_balance_add(&decode, l->decode, l->fresh && l->decode > 0);
        tg_balance_add(&prefill, l->prefill, l->fresh && l->prefill > 0);
        tg_balance_add(&waiting, (double) l->waiting,
                       l->fresh && l->waiting >= 0);
        tg_balance_add(&others, (double) l->others, l->fresh && l->others >= 0);
        tg_balance_add(&kv, (double) l->kv / 1e6, l->fresh && l->kv >= 0);
    }

    own = (double) ask->work.prompt_tokens + (double) ask->work.output_tokens;
    p->call = p->calls > 0 && tokens > 0 ? tokens / (double) p->calls
              : own > 0 ? own : TG_BALANCE_CALL;
    p->decode = tg_balance_mean(&decode, TG_BALANCE_DECODE);
    p->prefill = tg_balance_mean(&prefill, p->decode * TG_BALANCE_PREFILL);
    p->waiting = tg_balance_mean(&waiting, 0);
    p->others = tg_balance_mean(&others, 0);
    p->kv = tg_balance_mean(&kv, 0);
}


/* What is not known of one is as the others are, and never nothing. */
static double
tg_balance_score(const tg_balance_one_t *one, const tg_balance_ask_t *ask,
    const tg_balance_pool_t *p)
{
    double                    own, queue, kv, decode, prefill, score;
    const tg_backend_load_t  *l = &one->load;

    own = (double) ask->work.prompt_tokens + (double) ask->work.output_tokens;
    own = own > 0 ? own : p->call;

    if (!p->fresh) {
        /* The shortest queue: the estimates are not checked by anything. */
        score = p->call * (double) (l->calls + 1) / p->decode;

    } else {
        decode = l->fresh && l->decode > 0 ? l->decode : p->decode;
        queue = (l->fresh && l->waiting >= 0 ? (double) l->waiting : p->waiting)
                + (l->fresh && l->others >= 0 ? (double) l->others
                                              : p->others);
        kv = l->fresh && l->kv >= 0 ? (double) l->kv / 1e6 : p->kv;
        kv = kv < TG_BALANCE_KV_MOST ? kv : TG_BALANCE_KV_MOST;
        score = ((double) l->tokens + queue * p->call + own) / decode
                + TG_BALANCE_KV * kv / (1 - kv);
    }

    prefill = l->fresh && l->prefill > 0 ? l->prefill : p->prefill;
    own = (double) ask->work.prompt_tokens;

    if (ask->prefixes.n > 0 && own < ask->prefixes.tokens[ask->prefixes.n - 1])
    {
        own = ask->prefixes.tokens[ask->prefixes.n - 1];
    }

    score += (own - one->cached) / prefill;

    return score / one->weight;
}


/* The longest beginning that each has.  False: nobody has any. */
static bool
tg_balance_cached(tg_affinity_t *a, tg_balance_one_t *one, unsigned n,
    const tg_prefixes_t *prefixes, int64_t now)
{
    bool                 any = false;
    unsigned             nfound;
    uint16_t             place[TG_BACKENDS_MAX];
    tg_affinity_found_t  found[TG_AFFINITY_WAYS];

    memset(place, 0, sizeof(place));

    for (unsigned i = 0; i < n; i++) {
        if (one[i].in && one[i].load.id < TG_BACKENDS_MAX) {
            place[one[i].load.id] = (uint16_t) (i + 1);
        }
    }

    for (unsigned k = 0; k < prefixes->n; k++) {
        nfound = tg_affinity_get(a, prefixes->hash[k], now, found);

        for (unsigned j = 0; j < nfound; j++) {
            unsigned  i = found[j].backend < TG_BACKENDS_MAX
                          ? place[found[j].backend] : 0;

            if (i > 0 && (uint16_t) one[i - 1].load.epoch == found[j].epoch) {
                one[i - 1].cached = prefixes->tokens[k];
                any = true;
            }
        }
    }

    return any;
}


/* About -log2 of a number of (0, 1], given as h / 2^64: a line between powers
 * of two. */
static double
tg_balance_log(uint64_t h)
{
    int  zeros;

    h |= 1;
    zeros = __builtin_clzll(h);

    return zeros + 2.0 - 2.0 * (double) (h << zeros) / 0x1p64 + 0x1p-52;
}


static uint64_t
tg_balance_hash(uint64_t h, tg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.p[i]) * UINT64_C(1099511628211);
    }

    h = (h ^ h >> 32) * UINT64_C(0x94d049bb133111eb);

    return h ^ h >> 29;
}


/*
 * Rendezvous (Thaler, Ravishankar 1998), weighted, with bounded load (Mirrokni,
 * Thorup, Zadimoghaddam 2016): the first by hash that would not have more than
 * load % of its share of calls.  Always somebody: not all are above the mean.
 */
static int
tg_balance_rendezvous(const tg_balance_one_t *one, const tg_candidate_t *c,
    unsigned n, const tg_group_conf_t *gc, uint64_t hash,
    const tg_balance_pool_t *p)
{
    int     best = -1;
    double  most, draw, least = 0;

    for (unsigned i = 0; i < n; i++) {
        if (!one[i].in) {
            continue;
        }

        most = (double) (p->calls + 1) * one[i].weight / p->weight * gc->load
               / 100;

        /* Rounded up: the first call is above any mean. */
        if ((double) one[i].load.calls >= most) {
            continue;
        }

        draw = tg_balance_log(tg_balance_hash(hash,
                                              tg_backend_server(c[i].backend)))
               / (c[i].weight > 0 ? c[i].weight : 1);

        if (best < 0 || draw < least) {
            least = draw;
            best = (int) i;
        }
    }

    return best;
}


static int
tg_balance_best(const tg_balance_one_t *one, unsigned n, uint64_t seed)
{
    double    least = 0, tie;
    unsigned  ties = 0, i;

    for (i = 0; i < n; i++) {
        if (one[i].in && (ties == 0 || one[i].score < least)) {
            least = one[i].score;
            ties = 1;
        }
    }

    if (ties == 0) {
        return -1;
    }

    tie = least * TG_BALANCE_TIE + TG_BALANCE_TIE_S;
    ties = 0;

    for (i = 0; i < n; i++) {
        ties += one[i].in && one[i].score <= tie;
    }

    seed = tg_balance_hash(seed, tg_str("tie")) % ties;

    for (i = 0; i < n; i++) {
        if (one[i].in && one[i].score <= tie && seed-- == 0) {
            break;
        }
    }

    return (int) i;
}


/* Those that may be used; if there are none and `any`, all. */
static unsigned
tg_balance_look(tg_backends_t *t, const tg_group_conf_t *gc,
    const tg_candidate_t *candidates, unsigned n, bool any,
    tg_balance_one_t *one, int64_t now)
{
    unsigned  usable = 0;

    for (unsigned i = 0; i < n; i++) {
        tg_backend_load(t, candidates[i].backend, &gc->check, now,
                        &one[i].load);
        one[i].in = one[i].load.usable;
        one[i].cached = 0;
        one[i].weight = (candidates[i].weight > 0 ? candidates[i].weight : 1)
                        * (one[i].load.ramp > 0 ? one[i].load.ramp : 1)
                        / 1000.0;
        usable += one[i].in;
    }

    if (usable == 0 && any) {
        for (unsigned i = 0; i < n; i++) {
            one[i].in = true;
        }

        usable = n;
    }

    return usable;
}


int
tg_balance_pick(tg_backends_t *t, tg_group_t *g, const tg_group_conf_t *gc,
    const tg_candidate_t *candidates, unsigned n, const tg_balance_ask_t *ask,
    bool any, uint64_t seed, int64_t now)
{
    int                place;
    tg_balance_pool_t  pool;
    tg_balance_one_t   one[TG_CANDIDATES_MAX];

    (void) g;

    n = n < TG_CANDIDATES_MAX ? n : TG_CANDIDATES_MAX;

    if (tg_balance_look(t, gc, candidates, n, any, one, now) == 0) {
        return -1;
    }

    tg_balance_pool(one, n, ask, &pool);

    if (gc->balance == TG_BALANCE_PREFIX_AFFINITY && ask->prefixes.n > 0
        && !tg_balance_cached(tg_backends_affinity(t), one, n, &ask->prefixes,
                              now))
    {
        place = tg_balance_rendezvous(one, candidates, n, gc,
                                      ask->prefixes.hash[0], &pool);

        if (place >= 0) {
            return place;
        }
    }

    for (unsigned i = 0; i < n; i++) {
        one[i].score = tg_balance_score(&one[i], ask, &pool);
    }

    return tg_balance_best(one, n, seed);
}


void
tg_balance_sent(tg_backends_t *t, tg_group_t *g, tg_backend_t *b,
    const tg_prefixes_t *prefixes, int64_t now)
{
    uint32_t  id, epoch;

    (void) g;

    id = tg_backend_id(t, b, &epoch);

    for (unsigned k = 0; k < prefixes->n; k++) {
        tg_affinity_put(tg_backends_affinity(t), prefixes->hash[k],
                        (uint16_t) id, (uint16_t) epoch, now);
    }
}
