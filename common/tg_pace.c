#include "tg_pace.h"

#include <stdatomic.h>

#define TG_PACE_MS       1000000
#define TG_PACE_SECOND   1e9

/* Shares of a page in what is learned. */
#define TG_PACE_RISE     0.3            /* of a new peak */
#define TG_PACE_FADE     0.002          /* of the peak, a second */
#define TG_PACE_LEARN    0.1
#define TG_PACE_PAGES    8              /* fewer tell nothing */
#define TG_PACE_FORGET   0.999

/* A server reads faster than the best second of a mixed load shows. */
#define TG_PACE_OVER     1.5

/* Pages nearer or farther than this tell no rate. */
#define TG_PACE_LEAST    0.05           /* seconds */
#define TG_PACE_LONGEST  60.0

/* So many wait, and a tenth of what runs: it is full.  A few always wait for
 * the engine's next step. */
#define TG_PACE_WAIT     2
#define TG_PACE_WAITING  10

/* A cache that is filled less tells too little of its size; millionths. */
#define TG_PACE_KV       50000

/* Of a counter, and of calls; a page may say anything. */
#define TG_PACE_MOST     (INT64_C(1) << 50)
#define TG_PACE_CALLS    (INT64_C(1) << 30)


static int64_t
tg_pace_get(_Atomic int64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}


/* -1: not known. */
static int64_t
tg_pace_fact(const tg_engine_facts_t *facts, tg_fact_t fact, int64_t most)
{
    int64_t  n;

    return !tg_fact(facts, fact, &n) ? -1 : n < most ? n : most;
}


static void
tg_pace_set(_Atomic int64_t *word, double value)
{
    atomic_store_explicit(word, value < (double) TG_PACE_MOST
                                ? (int64_t) value : TG_PACE_MOST,
                          memory_order_relaxed);
}


/* The first value as it is; then a share of each. */
static void
tg_pace_learn(_Atomic int64_t *word, double value, double share)
{
    double  old = (double) tg_pace_get(word);

    tg_pace_set(word, old > 0 ? old + share * (value - old) : value);
}


static void
tg_pace_ratio_add(tg_pace_ratio_t *r, double of, double by)
{
    tg_pace_learn(&r->of, of * 1000, TG_PACE_LEARN);
    tg_pace_learn(&r->by, by * 1000, TG_PACE_LEARN);
    atomic_fetch_add_explicit(&r->pages, 1, memory_order_relaxed);
}


/* 0: too little is known. */
static double
tg_pace_ratio(tg_pace_ratio_t *r)
{
    double  by = (double) tg_pace_get(&r->by);

    return tg_pace_get(&r->pages) >= TG_PACE_PAGES && by > 0
           ? (double) tg_pace_get(&r->of) / by : 0;
}


static void
tg_pace_ratio_forget(tg_pace_ratio_t *r)
{
    atomic_store(&r->of, 0);
    atomic_store(&r->by, 0);
    atomic_store(&r->pages, 0);
}


static double
tg_pace_rate(tg_pace_t *p)
{
    double  read = (double) tg_pace_get(&p->read) / 1000 * TG_PACE_OVER;

    if (tg_pace_get(&p->reads) < TG_PACE_PAGES) {
        return TG_PACE_READ;
    }

    return read > TG_PACE_SLOW ? read : TG_PACE_SLOW;
}


static double
tg_pace_unread(uint64_t word, uint32_t ms, double rate)
{
    double   tokens = (double) (uint32_t) word;
    int32_t  age = (int32_t) (ms - (uint32_t) (word >> 32));

    /* Another process may be ahead by a moment. */
    tokens -= age > 0 ? (double) age * rate / 1000 : 0;

    return tokens > 0 ? tokens : 0;
}


void
tg_pace_sent(tg_pace_t *p, uint32_t prompt, uint32_t output, int64_t now)
{
    double    tokens, rate = tg_pace_rate(p);
    uint32_t  ms = (uint32_t) (now / TG_PACE_MS);
    uint64_t  old = atomic_load_explicit(&p->unread, memory_order_relaxed);
    uint64_t  new;

    do {
        tokens = tg_pace_unread(old, ms, rate) + prompt;
        tokens = tokens < UINT32_MAX ? tokens : UINT32_MAX;
        new = (uint64_t) ms << 32 | (uint32_t) tokens;
    } while (!atomic_compare_exchange_weak_explicit(&p->unread, &old, new,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed));

    atomic_fetch_add_explicit(&p->given, (uint64_t) prompt + output,
                              memory_order_relaxed);

    if (output > 0) {
        tg_pace_learn(&p->output, (double) output * 1000, TG_PACE_LEARN);
    }
}


static void
tg_pace_rates(tg_pace_t *p, double s, double prompts, double outputs,
    int64_t running)
{
    double  work = (prompts + TG_PACE_OUTPUT * outputs) / s * 1000;
    double  read = (double) tg_pace_get(&p->read) * (1 - TG_PACE_FADE * s);
    double  ran = (double) (running + tg_pace_get(&p->running)) / 2;

    atomic_fetch_add_explicit(&p->reads, 1, memory_order_relaxed);
    tg_pace_set(&p->read, work > read ? read + TG_PACE_RISE * (work - read)
                                      : read);

    if (running >= 0 && ran >= 1 && outputs > 0) {
        tg_pace_ratio_add(&p->write, outputs / s, ran);
    }
}


static void
tg_pace_slots(tg_pace_t *p, int64_t running, int64_t waiting)
{
    int64_t  most = tg_pace_get(&p->most), slots = tg_pace_get(&p->slots);

    most -= most / 2048;
    most = running * 1000 > most ? running * 1000 : most;
    tg_pace_set(&p->most, (double) most);

    /* Full, and not for want of room for long prompts: as many run as ever. */
    if ((waiting >= TG_PACE_WAIT && waiting * TG_PACE_WAITING >= running
         && running * 1000 >= most - most / 10)
        || (slots > 0 && slots < most))
    {
        tg_pace_set(&p->slots, (double) most);
    }
}


static void
tg_pace_counters(tg_pace_t *p, const tg_engine_facts_t *facts, int64_t running,
    int64_t now)
{
    double   s;
    int64_t  prompts, outputs, cached, had, wrote;

    prompts = tg_pace_fact(facts, TG_FACT_PROMPT_TOKENS, TG_PACE_MOST);
    cached = tg_pace_fact(facts, TG_FACT_CACHED_TOKENS, TG_PACE_MOST);
    cached = cached > 0 ? cached : 0;
    prompts = prompts > cached ? prompts - cached : 0;
    outputs = tg_pace_fact(facts, TG_FACT_OUTPUT_TOKENS, TG_PACE_MOST);

    if (outputs < 0) {
        return;
    }

    s = (double) (now - tg_pace_get(&p->at)) / TG_PACE_SECOND;
    had = tg_pace_get(&p->prompts);
    wrote = tg_pace_get(&p->outputs);

    /* Counters that run backwards are of another process. */
    if (tg_pace_get(&p->at) > 0 && s >= TG_PACE_LEAST && s <= TG_PACE_LONGEST
        && outputs >= wrote)
    {
        tg_pace_rates(p, s, prompts > had ? (double) (prompts - had) : 0,
                      (double) (outputs - wrote), running);
    }

    tg_pace_set(&p->prompts, (double) prompts);
    tg_pace_set(&p->outputs, (double) outputs);
    tg_pace_set(&p->running, (double) (running > 0 ? running : 0));
    atomic_store_explicit(&p->at, now, memory_order_relaxed);
}


static void
tg_pace_others(tg_pace_t *p, int64_t more)
{
    double  old = (double) tg_pace_get(&p->others);

    if (tg_pace_get(&p->pages) == 0) {
        old = (double) more * 1000;
    }

    tg_pace_set(&p->others, old + TG_PACE_LEARN * ((double) more * 1000 - old));
    atomic_fetch_add_explicit(&p->pages, 1, memory_order_relaxed);
}


void
tg_pace_scraped(tg_pace_t *p, const tg_engine_facts_t *facts, int64_t calls,
    int64_t tokens, int64_t now)
{
    int64_t  kv = tg_pace_fact(facts, TG_FACT_KV, TG_PACE_MOST);
    int64_t  running = tg_pace_fact(facts, TG_FACT_RUNNING, TG_PACE_CALLS);
    int64_t  waiting = tg_pace_fact(facts, TG_FACT_WAITING, TG_PACE_CALLS);

    calls = calls < TG_PACE_CALLS ? calls : TG_PACE_CALLS;
    tg_pace_counters(p, facts, running, now);

    if (running >= 0) {
        tg_pace_others(p, running + (waiting > 0 ? waiting : 0) - calls);
    }

    if (running >= 0 && waiting >= 0) {
        tg_pace_slots(p, running, waiting);
    }

    /* Nothing waits, and what is there is ours: so much fills so much. */
    if (waiting == 0 && tokens > 0 && tg_pace_get(&p->others) <= calls * 100
        && kv >= TG_PACE_KV)
    {
        tg_pace_ratio_add(&p->room, (double) tokens, (double) kv / 1e3);

    } else if (tokens == 0 || (kv >= 0 && kv < TG_PACE_KV)) {
        /* Taken for full by mistake it would get no calls, and stay so. */
        kv = tg_pace_get(&p->room.by);
        tg_pace_set(&p->room.by, (double) kv * TG_PACE_FORGET);
    }
}


void
tg_pace_forget(tg_pace_t *p)
{
    atomic_store(&p->unread, 0);
    atomic_store(&p->read, 0);
    atomic_store(&p->reads, 0);
    tg_pace_ratio_forget(&p->write);
    tg_pace_ratio_forget(&p->room);
    atomic_store(&p->slots, 0);
    atomic_store(&p->most, 0);
    atomic_store(&p->others, 0);
    atomic_store(&p->pages, 0);
    atomic_store(&p->at, 0);
}


void
tg_pace_view(tg_pace_t *p, int64_t now, tg_pace_view_t *view)
{
    int64_t  others = tg_pace_get(&p->others);

    view->others = tg_pace_get(&p->pages) == 0 ? -1
                   : others > 0 ? (double) others / 1000 : 0;
    view->read = tg_pace_rate(p);
    view->unread = tg_pace_unread(atomic_load_explicit(&p->unread,
                                                       memory_order_relaxed),
                                  (uint32_t) (now / TG_PACE_MS), view->read);
    view->given = atomic_load_explicit(&p->given, memory_order_relaxed);
    view->output = (double) tg_pace_get(&p->output) / 1000;
    view->write = tg_pace_ratio(&p->write);
    view->slots = (double) tg_pace_get(&p->slots) / 1000;
    view->room = tg_pace_ratio(&p->room) * 1000;
}
