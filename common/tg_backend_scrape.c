#include "tg_backend_int.h"

/* Throughput follows what is faster soon and what is slower late: few calls are
 * slow because they are few.  Parts of a second's weight. */
#define TG_BE_FASTER   5.0
#define TG_BE_SLOWER   60.0

/* Between two pages; what is further apart tells nothing of busy times. */
#define TG_BE_APART    (60 * TG_BE_SECOND)

/* Of our own calls' numbers each second a part of 32 fades. */
#define TG_BE_FADES    32

/* How long a stalled one is out, when it is for the first time in a row; each
 * time twice as long. */
#define TG_BE_STALLED       (60 * TG_BE_SECOND)
#define TG_BE_STALLED_MOST  (1800 * TG_BE_SECOND)


static bool
tg_be_fact(const tg_be_facts_t *f, tg_fact_t fact, int64_t *value)
{
    *value = f->value[fact];

    return (f->known & UINT64_C(1) << fact) != 0;
}


/* Since the page before: -1 where one of them does not tell. */
static int64_t
tg_be_delta(const tg_be_facts_t *was, const tg_be_facts_t *f, tg_fact_t fact,
    bool *restarted)
{
    int64_t  before, after;

    if (was->at == 0 || !tg_be_fact(was, fact, &before)
        || !tg_be_fact(f, fact, &after))
    {
        return -1;
    }

    if (after < before) {
        *restarted = true;
        return -1;
    }

    return after - before;
}


static int64_t
tg_be_queue(const tg_be_facts_t *f)
{
    int64_t  n, queue = 0;

    if (tg_be_fact(f, TG_FACT_RUNNING, &n)) {
        queue = n;
    }

    if (tg_be_fact(f, TG_FACT_WAITING, &n)) {
        queue = n < INT64_MAX - queue ? queue + n : INT64_MAX;
    }

    return queue;
}


/* tokens in dt, both > 0; thousandths of tokens a second. */
static int64_t
tg_be_follow(int64_t rate, int64_t tokens, int64_t dt)
{
    double  s = (double) dt / 1e9, now = (double) tokens * 1e3 / s;
    double  tau;

    if (now > 1e15) {
        return rate;
    }

    if (rate == 0) {
        return (int64_t) now;
    }

    tau = now > (double) rate ? TG_BE_FASTER : TG_BE_SLOWER;

    return rate + (int64_t) ((now - (double) rate) * s / (s + tau));
}


static void
tg_be_measure(const tg_be_facts_t *was, tg_be_facts_t *f, int64_t prompt,
    int64_t output)
{
    int64_t  steps, dt = f->at - was->at;

    if (was->at == 0 || dt <= 0 || dt > TG_BE_APART) {
        f->read = f->written = f->at;
        return;
    }

    /* Where tokens are counted when a prompt, or a request, has ended, they took
     * all of the time since others were; engines with steps are such. */

    if (tg_be_queue(was) == 0 || !tg_be_fact(f, TG_FACT_STEPS, &steps)) {
        f->read = f->written = was->at;
    }

    if (tg_be_queue(was) == 0 && tg_be_queue(f) == 0) {
        return;
    }

    if (prompt > 0) {
        f->prefill = tg_be_follow(f->prefill, prompt, f->at - f->read);
        f->read = f->at;
    }

    if (output > 0) {
        f->decode = tg_be_follow(f->decode, output, f->at - f->written);
        f->written = f->at;
    }
}


static void
tg_be_asleep(tg_backends_t *t, tg_backend_t *b, bool asleep, int64_t now)
{
    uint64_t        word = atomic_load(&b->health);
    tg_be_health_t  h;

    do {
        h = tg_be_health(word);

        if (asleep) {
            if (h.state != TG_BACKEND_NEW && h.state != TG_BACKEND_UP
                && h.state != TG_BACKEND_STALLED)
            {
                return;
            }

            h.state = TG_BACKEND_SLEEPING;

        } else {
            if (h.state != TG_BACKEND_SLEEPING) {
                return;
            }

            h.state = TG_BACKEND_UP;
        }

    } while (!tg_be_turn(t, b, &word, h,
                         asleep ? tg_str("its weights are off the GPU")
                                : tg_str_null, now));
}


/* What the page says, beside what was known. True: it was restarted. */
static bool
tg_be_page(tg_be_facts_t *f, const tg_engine_facts_t *facts, int64_t now)
{
    bool           restarted = false;
    int64_t        prompt, output, steps;
    tg_be_facts_t  was = *f;

    f->at = now;
    f->engine = (uint64_t) facts->engine;
    f->known = facts->known;
    memcpy(f->value, facts->value, sizeof(f->value));

    prompt = tg_be_delta(&was, f, TG_FACT_PROMPT_TOKENS, &restarted);
    output = tg_be_delta(&was, f, TG_FACT_OUTPUT_TOKENS, &restarted);
    steps = tg_be_delta(&was, f, TG_FACT_STEPS, &restarted);

    if (restarted) {
        f->progress = f->written = f->read = now;
        f->stalls = 0;
        return true;
    }

    if (prompt > 0 || output > 0 || steps > 0) {
        f->stalls = 0;
        f->progress = now;
    }

    /* Without counters nobody can tell. */

    if ((prompt < 0 && output < 0) || tg_be_queue(f) == 0) {
        f->progress = now;
    }

    tg_be_measure(&was, f, prompt, output);

    return false;
}


void
tg_backend_scraped(tg_backends_t *t, tg_backend_t *b,
    const tg_engine_facts_t *facts, const tg_check_conf_t *cc, int64_t now)
{
    bool           restarted;
    int64_t        n, tokens;
    uint64_t       lock;
    tg_be_clock_t  c;
    tg_be_facts_t  f;

    if (facts == NULL) {
        return;
    }

    lock = tg_be_lock(t, b, -1);

    if (lock == 0) {
        return;                 /* the next one comes soon */
    }

    tg_be_get(&b->facts, &f);
    restarted = tg_be_page(&f, facts, now);

    tg_be_get(&b->clock, &c);

    /* A page is of some moment since it was asked for, and an engine that is busy
     * answers late: what has ended meanwhile is not somebody else's. */

    f.calls = c.most > c.calls ? c.most : c.calls;
    c.most = c.calls;
    tokens = c.tokens;
    tg_be_put(&b->facts, &f);

    atomic_store(&b->runs, tg_be_fact(&f, TG_FACT_RUNNING, &n) ? n : 0);
    atomic_store(&b->stale, tg_be_stale(cc));
    atomic_store(&b->scraped, now);

    tg_be_clock_to(&c, now);
    c.fresh = 0;
    c.scrape++;
    tg_be_clock_class(t, b, &c);
    tg_be_put(&b->clock, &c);
    tg_be_unlock(t, b, lock);

    if (restarted) {
        atomic_store(&b->ramp, now);
        atomic_fetch_add(&b->epoch, 1);
        tg_pace_forget(&b->pace);
    }

    tg_pace_scraped(&b->pace, facts, f.calls, tokens, now);

    if (tg_be_fact(&f, TG_FACT_SLEEPING, &n)) {
        tg_be_asleep(t, b, n != 0, now);
    }

    tg_be_stall(t, b, cc, now);
}


/* A stalled one is well when it generates again, or when nothing is left that it
 * could: then it is tried, later each time. */
static bool
tg_be_stall_over(const tg_be_facts_t *f, int64_t since, int64_t now)
{
    int64_t  wait = TG_BE_STALLED;

    if (f->stalls == 0) {
        return true;
    }

    for (int64_t i = 1; i < f->stalls && wait < TG_BE_STALLED_MOST; i++) {
        wait *= 2;
    }

    return tg_be_queue(f) == 0 && now - since >= wait;
}


void
tg_be_stall(tg_backends_t *t, tg_backend_t *b, const tg_check_conf_t *cc,
    int64_t now)
{
    uint64_t        word = atomic_load(&b->health), lock;
    tg_be_facts_t   f;
    tg_be_health_t  h = tg_be_health(word);

    tg_be_get(&b->facts, &f);

    if (f.at == 0 || now - f.at > tg_be_stale(cc)) {
        return;
    }

    if (h.state == TG_BACKEND_STALLED) {
        if (cc->stall == 0
            || tg_be_stall_over(&f, atomic_load(&b->since), now))
        {
            h.state = TG_BACKEND_UP;
            (void) tg_be_turn(t, b, &word, h, tg_str_null, now);
        }

        return;
    }

    if (cc->stall == 0 || tg_be_queue(&f) == 0
        || now - f.progress < (int64_t) cc->stall * TG_BE_MS
        || (h.state != TG_BACKEND_NEW && h.state != TG_BACKEND_UP))
    {
        return;
    }

    h.state = TG_BACKEND_STALLED;

    if (!tg_be_turn(t, b, &word, h,
                    tg_str("it has requests, and writes no tokens"), now))
    {
        return;
    }

    lock = tg_be_lock(t, b, -1);

    if (lock != 0) {
        tg_be_get(&b->facts, &f);
        f.stalls++;
        tg_be_put(&b->facts, &f);
        tg_be_unlock(t, b, lock);
    }
}


void
tg_backend_gpu(tg_backends_t *t, tg_backend_t *b, const tg_gpu_facts_t *facts,
    int64_t now)
{
    uint64_t        lock = tg_be_lock(t, b, -1);
    tg_gpu_facts_t  gpu;

    (void) now;

    if (lock == 0) {
        return;
    }

    memset(&gpu, 0, sizeof(gpu));
    gpu.known = facts->known;
    gpu.util = facts->util;
    gpu.memory_used = facts->memory_used;
    gpu.memory_free = facts->memory_free;
    gpu.power_mw = facts->power_mw;
    gpu.gpus = facts->gpus;
    tg_be_put(&b->gpu, &gpu);
    tg_be_unlock(t, b, lock);
}


static int64_t
tg_be_fade(_Atomic int64_t *sum, _Atomic int64_t *had, int64_t total)
{
    int64_t  more = total - atomic_exchange(had, total), n;

    n = atomic_load(sum);
    n -= n / TG_BE_FADES;
    n += more > 0 ? more : 0;
    atomic_store(sum, n);

    return n;
}


void
tg_be_own(tg_backends_t *t, tg_backend_t *b, int64_t now)
{
    tg_gpu_time_t  time;

    if (now - atomic_load(&b->own_at) < TG_BE_SECOND) {
        return;
    }

    tg_backend_time(t, b, now, &time);
    atomic_store(&b->own_at, now);

    /* While nothing ends nothing is learned, and nothing is forgotten. */

    if (time.shared == atomic_load(&b->had_ns)
        && time.output_tokens == atomic_load(&b->had_output))
    {
        return;
    }

    (void) tg_be_fade(&b->own_prompt, &b->had_prompt, time.prompt_tokens);
    (void) tg_be_fade(&b->own_output, &b->had_output, time.output_tokens);
    (void) tg_be_fade(&b->own_ns, &b->had_ns, time.shared);
}
