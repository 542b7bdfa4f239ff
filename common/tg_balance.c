#include "tg_balance.h"

/*
 * The score, in seconds until the call's first token; the lowest wins:
 *
 *     (prompt tokens sent and not read yet + TG_BALANCE_CALL * calls)
 *         / (tokens it reads a second)
 *     + the time that calls which find no room wait for others to end
 *     + TG_BALANCE_KV * (time that a call is written) * kv / (1 - kv)
 *
 * divided by weight and slow start's ramp, and
 *
 *     (the call's own prompt tokens that are not in its cache, with what they
 *         delay) / (tokens it reads a second)
 *
 * which is no load and so has no weight: shares are those of the weights when
 * nobody has anything to do, too.  Calls and tokens are our own count, of all
 * processes, at this instant, and kv is foretold from it: what the tokens under
 * way fill of the room that the last pages have shown.  No scrape is as new:
 * AIBrix' routers herded in spite of scrapes every 50 ms until they counted
 * their own calls.
 *
 * Speeds are compared by the tokens that each call is written, not by
 * throughput: a backend that gets fewer calls has less throughput, and would
 * get fewer still.
 *
 * The constants are those at which engines such as t/unit/balance_sim.h's,
 * limited by reading, by places or by their caches, alike and not alike, came
 * nearest to what one does who knows all; twice or half of each changed little.
 */

/* Prompt tokens that a call under way is worth: its share of each step. */
#define TG_BALANCE_CALL     128

/* What is read for this call delays the others there: a share of each token for
 * each call that a backend has in the mean, up to so many.  Else a crowd treads
 * its own cache down: each call by itself is served sooner where there is no
 * queue and nothing of its prompt. */
#define TG_BALANCE_DELAY    0.25
#define TG_BALANCE_DELAYS   16

/* Of the time that a call stays: what a half-full cache costs.  Not in seconds:
 * with small models all is faster, and 0.15 s for it was the fill of the caches
 * and nothing else. */
#define TG_BALANCE_KV       0.04
#define TG_BALANCE_KV_MOST  0.95

/* Tokens of an answer, where no call has told its estimate. */
#define TG_BALANCE_OUTPUT   256

/* Tokens of a KV cache, where no page has told of its fill: of an 8B model in
 * what it leaves free on a GPU with 24 GB. */
#define TG_BALANCE_ROOM     65536

/* How much faster one may be than the mean, by its pages. */
#define TG_BALANCE_FASTER   8

/* Scores so near each other are a tie. */
#define TG_BALANCE_TIE      1.01

typedef struct {
    tg_backend_load_t  load;
    tg_pace_view_t     pace;
    double             weight;          /* with the ramp */
    double             cached;          /* tokens of the prompt that it has */
    double             score;
    bool               in;
} tg_balance_one_t;

typedef struct {
    double    sum;
    unsigned  n;
} tg_balance_mean_t;

/* Of the candidates that are in.  Means are of those that are known, or 0. */
typedef struct {
    int64_t   calls;
    double    weight;
    double    call;                     /* tokens of a call under way */
    double    own;                      /* of this one */
    double    prompt;                   /* of this one, with its beginnings */
    double    delay;                    /* what a token read costs, in tokens */
    double    output, read, write, slots, room, kv, others;
} tg_balance_pool_t;


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


static void
tg_balance_ask(const tg_balance_ask_t *ask, double tokens,
    tg_balance_pool_t *p)
{
    const tg_prefixes_t  *px = &ask->prefixes;

    p->prompt = ask->work.prompt_tokens;

    if (px->n > 0 && p->prompt < px->tokens[px->n - 1]) {
        p->prompt = px->tokens[px->n - 1];
    }

    p->delay = 1 + TG_BALANCE_DELAY * (double) p->calls / p->weight;
    p->delay = p->delay < TG_BALANCE_DELAYS ? p->delay : TG_BALANCE_DELAYS;
    p->own = (double) ask->work.prompt_tokens + ask->work.output_tokens;
    p->call = p->calls > 0 && tokens > 0 ? tokens / (double) p->calls : p->own;
}


/* What those who are in have in common. */
static void
tg_balance_pool(const tg_balance_one_t *one, unsigned n,
    const tg_balance_ask_t *ask, tg_balance_pool_t *p)
{
    double             tokens = 0;
    tg_balance_mean_t  output = { 0, 0 }, read = { 0, 0 }, write = { 0, 0 };
    tg_balance_mean_t  slots = { 0, 0 }, room = { 0, 0 }, kv = { 0, 0 };
    tg_balance_mean_t  others = { 0, 0 };

    memset(p, 0, sizeof(tg_balance_pool_t));

    for (unsigned i = 0; i < n; i++) {
        const tg_pace_view_t     *v = &one[i].pace;
        const tg_backend_load_t  *l = &one[i].load;

        if (!one[i].in) {
            continue;
        }

        p->calls += l->calls;
        p->weight += one[i].weight;
        tokens += (double) l->tokens;

        tg_balance_add(&read, v->read, true);
        tg_balance_add(&output, v->output, v->output > 0);
        tg_balance_add(&write, v->write, l->fresh && v->write > 0);
        tg_balance_add(&slots, v->slots, v->slots > 0);
        tg_balance_add(&room, v->room, v->room > 0);
        tg_balance_add(&others, v->others, l->fresh && v->others >= 0);
        tg_balance_add(&kv, (double) l->kv / 1e6, l->fresh && l->kv >= 0);
    }

    p->read = tg_balance_mean(&read, TG_PACE_READ);
    p->output = tg_balance_mean(&output, TG_BALANCE_OUTPUT);
    p->write = tg_balance_mean(&write, 0);
    p->slots = tg_balance_mean(&slots, 0);
    p->room = tg_balance_mean(&room, 0);
    p->others = tg_balance_mean(&others, 0);
    p->kv = tg_balance_mean(&kv, 0);

    tg_balance_ask(ask, tokens, p);
}


/* The fill of its cache when the call is there, 1 being full: our own tokens
 * where it is known what they fill; else what the page says. */
static double
tg_balance_kv(const tg_balance_one_t *one, double others,
    const tg_balance_pool_t *p)
{
    double                    room;
    const tg_backend_load_t  *l = &one->load;

    room = one->pace.room > 0 ? one->pace.room : p->room;

    if (room > 0) {
        return ((double) l->tokens + p->own + others * p->call) / room;
    }

    return l->fresh && l->kv >= 0 ? (double) l->kv / 1e6 : p->kv;
}


/* What is not known of one is as it is with the others, never nothing. */
static double
tg_balance_score(const tg_balance_one_t *one, const tg_balance_pool_t *p)
{
    double                    calls, others, kv, over, slots, write, speed;
    double                    score, unread, own, stay;
    const tg_backend_load_t  *l = &one->load;

    others = l->fresh && one->pace.others >= 0 ? one->pace.others : p->others;
    calls = (double) l->calls + others + 1;
    write = l->fresh && one->pace.write > 0 ? one->pace.write : p->write;
    slots = l->capacity > 0 ? l->capacity
            : one->pace.slots > 0 ? one->pace.slots : p->slots;
    speed = write > 0 && p->write > 0 ? write / p->write : 1;
    speed = speed < TG_BALANCE_FASTER ? speed : TG_BALANCE_FASTER;
    speed = speed > 1.0 / TG_BALANCE_FASTER ? speed : 1.0 / TG_BALANCE_FASTER;
    kv = tg_balance_kv(one, others, p);

    /* Who has nothing under way has read it all. */
    unread = l->calls > 0 ? one->pace.unread : 0;
    score = (unread + TG_BALANCE_CALL * calls) / (p->read * speed);

    /* What is beyond its places or its room waits for so many calls' ends. */
    stay = p->output / (write > 0 ? write : p->read / TG_PACE_OUTPUT);
    over = slots > 0 ? calls / slots - 1 : 0;
    over = kv - 1 > over ? kv - 1 : over;
    score += over > 0 ? over * stay : 0;
    kv = kv < TG_BALANCE_KV_MOST ? kv : TG_BALANCE_KV_MOST;
    score += TG_BALANCE_KV * stay * kv / (1 - kv);

    own = p->prompt > one->cached ? (p->prompt - one->cached) * p->delay : 0;

    return score / one->weight + own / (p->read * speed);
}


/* Tokens that have to come until what no call uses is gone. */
static uint64_t
tg_balance_cache(double room, double mean, int64_t tokens)
{
    room = room > 0 ? room : mean > 0 ? mean : TG_BALANCE_ROOM;
    room -= (double) tokens < room / 2 ? (double) tokens : room / 2;

    return room < UINT32_MAX ? (uint64_t) room : UINT32_MAX;
}


/* The longest beginning that each has.  False: nobody has any. */
static bool
tg_balance_cached(tg_affinity_t *a, tg_balance_one_t *one, unsigned n,
    const tg_prefixes_t *prefixes, double room, int64_t now)
{
    bool                 any = false;
    unsigned             nfound;
    uint16_t             place[TG_BACKENDS_MAX];
    tg_affinity_who_t    is, found[TG_AFFINITY_WAYS];
    tg_balance_one_t    *o;

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

            if (i == 0) {
                continue;
            }

            o = &one[i - 1];
            is.epoch = o->load.epoch;
            is.given = o->pace.given;

            if (tg_affinity_same(&found[j], &is,
                                 tg_balance_cache(o->pace.room, room,
                                                  o->load.tokens)))
            {
                o->cached = prefixes->tokens[k];
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
 * load % of its share of calls, nor of the least score.  The latter because a
 * call is not a call: by calls alone prompts that nothing follows wait behind
 * long ones though others are idle.  -1: there is none.
 */
static int
tg_balance_rendezvous(const tg_balance_one_t *one, const tg_candidate_t *c,
    unsigned n, const tg_group_conf_t *gc, uint64_t hash, double score,
    const tg_balance_pool_t *p)
{
    int     best = -1;
    double  most, draw, least = 0, load = gc->load / 100.0;

    for (unsigned i = 0; i < n; i++) {
        if (!one[i].in || one[i].score > score * load) {
            continue;
        }

        /* Rounded up: the first call is above any mean. */
        most = (double) (p->calls + 1) * one[i].weight / p->weight * load;

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

    tie = least * TG_BALANCE_TIE;
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
        tg_pace_view(tg_backend_pace(candidates[i].backend), now, &one[i].pace);
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
    int                best, place = -1;
    bool               hashed;
    tg_balance_pool_t  pool;
    tg_balance_one_t   one[TG_CANDIDATES_MAX];

    (void) g;

    n = n < TG_CANDIDATES_MAX ? n : TG_CANDIDATES_MAX;

    if (tg_balance_look(t, gc, candidates, n, any, one, now) == 0) {
        return -1;
    }

    tg_balance_pool(one, n, ask, &pool);
    hashed = gc->balance == TG_BALANCE_PREFIX_AFFINITY && ask->prefixes.n > 0
             && !tg_balance_cached(tg_backends_affinity(t), one, n,
                                   &ask->prefixes, pool.room, now);

    for (unsigned i = 0; i < n; i++) {
        if (one[i].in) {
            one[i].score = tg_balance_score(&one[i], &pool);
        }
    }

    best = tg_balance_best(one, n, seed);

    if (hashed) {
        place = tg_balance_rendezvous(one, candidates, n, gc,
                                      ask->prefixes.hash[0], one[best].score,
                                      &pool);
    }

    return place >= 0 ? place : best;
}


void
tg_balance_sent(tg_backends_t *t, tg_group_t *g, tg_backend_t *b,
    const tg_balance_ask_t *ask, int64_t now)
{
    uint32_t              cached = 0, prompt;
    uint64_t              room;
    tg_pace_view_t        v;
    tg_affinity_who_t     who;
    const tg_prefixes_t  *px = &ask->prefixes;

    (void) g;

    tg_pace_view(tg_backend_pace(b), now, &v);
    who.backend = tg_backend_id(t, b, &who.epoch);
    who.given = v.given;
    room = tg_balance_cache(v.room, 0, 0);

    for (unsigned k = 0; k < px->n; k++) {
        if (tg_affinity_put(tg_backends_affinity(t), px->hash[k], &who, room,
                            now))
        {
            cached = px->tokens[k];
        }
    }

    prompt = ask->work.prompt_tokens;

    if (px->n > 0 && prompt < px->tokens[px->n - 1]) {
        prompt = px->tokens[px->n - 1];
    }

    tg_pace_sent(tg_backend_pace(b), prompt > cached ? prompt - cached : 0,
                 ask->work.output_tokens, now);
}
