#include "tg_backend_int.h"

/* Of the engines' gateways: a queue of 5 and a cache of 80% are full
 * (gateway-api-inference-extension, 2025). */
#define TG_BE_QUEUE_FULL  5.0
#define TG_BE_KV_FULL     0.8
#define TG_BE_FULL        1000          /* thousandths */
#define TG_BE_NOT_FULL    800
#define TG_BE_TIMES       2

#define TG_BE_STALE_LEAST (2 * TG_BE_SECOND)


int64_t
tg_be_stale(const tg_check_conf_t *cc)
{
    int64_t  ns = 3 * (int64_t) cc->interval * TG_BE_MS;

    return ns > TG_BE_STALE_LEAST ? ns : TG_BE_STALE_LEAST;
}


bool
tg_be_usable(tg_be_health_t h)
{
    return !h.ejected && h.drain == TG_DRAIN_NONE
           && h.state != TG_BACKEND_LOADING && h.state != TG_BACKEND_SLEEPING;
}


uint32_t
tg_be_ramp(const tg_backend_t *b, const tg_check_conf_t *cc, int64_t now)
{
    int64_t  from = atomic_load_explicit(&b->ramp, memory_order_relaxed);
    int64_t  all = (int64_t) cc->slow_start * TG_BE_MS, n;

    if (from == 0 || all == 0 || now - from >= all) {
        return 1000;
    }

    n = now > from ? (int64_t) ((double) (now - from) * 1000.0 / (double) all)
                   : 0;

    return n < 1 ? 1 : (uint32_t) n;
}


/* Calls and tokens under way; where the sums are not up to date, the cells. */
static void
tg_be_under_way(tg_backends_t *t, tg_backend_t *b, tg_be_clock_t *c)
{
    tg_be_get_first(&b->clock, TG_BE_UNDER_WAY, c);

    if (atomic_load_explicit(&b->dirty, memory_order_acquire) != 0) {
        tg_be_sum(t, b, &c->calls, &c->tokens);
    }
}


static double
tg_be_own_rate(_Atomic int64_t *tokens, _Atomic int64_t *ns)
{
    int64_t  n = atomic_load_explicit(ns, memory_order_relaxed);

    return n <= 0 ? 0.0
           : (double) atomic_load_explicit(tokens, memory_order_relaxed) * 1e9
             / (double) n;
}


static void
tg_be_rates(tg_backend_t *b, const tg_be_facts_t *f, double *decode,
    double *prefill)
{
    *decode = f->decode > 0 ? (double) f->decode / 1e3
                            : tg_be_own_rate(&b->own_output, &b->own_ns);
    *prefill = f->prefill > 0 ? (double) f->prefill / 1e3
                              : tg_be_own_rate(&b->own_prompt, &b->own_ns);
}


static int64_t
tg_be_known(const tg_be_facts_t *f, tg_fact_t fact)
{
    return (f->known & UINT64_C(1) << fact) != 0 ? f->value[fact] : -1;
}


/* Calls that were there and not ours; -1: not known. */
int64_t
tg_be_others(const tg_be_facts_t *f)
{
    int64_t  n, running = tg_be_known(f, TG_FACT_RUNNING);

    if (running < 0) {
        return -1;
    }

    n = tg_be_known(f, TG_FACT_WAITING);
    n = n > 0 ? n : 0;
    n = n < INT64_MAX - running ? n + running : INT64_MAX;

    return n > f->calls ? n - f->calls : 0;
}


static uint32_t
tg_be_capacity(const tg_backend_t *b, const tg_be_facts_t *f)
{
    int64_t   slots;
    uint32_t  n = atomic_load_explicit(&b->capacity, memory_order_relaxed);

    if (n != 0) {
        return n;
    }

    slots = tg_be_known(f, TG_FACT_SLOTS);

    return slots <= 0 ? 0 : slots < UINT32_MAX ? (uint32_t) slots : UINT32_MAX;
}


bool
tg_backend_usable(tg_backends_t *t, tg_backend_t *b,
    const tg_check_conf_t *cc, int64_t now)
{
    tg_be_retry(t, b, cc, now);

    return tg_be_usable(tg_be_health(
               atomic_load_explicit(&b->health, memory_order_relaxed)));
}


void
tg_backend_load(tg_backends_t *t, tg_backend_t *b, const tg_check_conf_t *cc,
    int64_t now, tg_backend_load_t *load)
{
    tg_be_clock_t  c;
    tg_be_facts_t  f;

    load->usable = tg_backend_usable(t, b, cc, now);
    tg_be_under_way(t, b, &c);
    tg_be_get_first(&b->facts, TG_BE_PAGE, &f);

    load->fresh = f.at != 0 && now - f.at <= tg_be_stale(cc);
    load->id = tg_backend_id(t, b, &load->epoch);
    load->ramp = tg_be_ramp(b, cc, now);
    load->capacity = tg_be_capacity(b, &f);
    load->calls = c.calls;
    load->tokens = c.tokens;
    load->fresh_tokens = c.fresh;
    tg_be_rates(b, &f, &load->decode, &load->prefill);
    load->others = load->waiting = load->running = load->kv = -1;

    if (!load->fresh) {
        return;
    }

    load->waiting = tg_be_known(&f, TG_FACT_WAITING);
    load->running = tg_be_known(&f, TG_FACT_RUNNING);
    load->kv = tg_be_known(&f, TG_FACT_KV);
    load->others = tg_be_others(&f);
}


void
tg_backend_view(tg_backends_t *t, tg_backend_t *b, const tg_check_conf_t *cc,
    int64_t now, tg_backend_view_t *view)
{
    tg_be_clock_t   c;
    tg_be_facts_t   f;
    tg_be_health_t  h = tg_be_health(atomic_load(&b->health));

    memset(view, 0, sizeof(*view));
    tg_be_under_way(t, b, &c);
    tg_be_get(&b->facts, &f);
    tg_be_get(&b->why, view->why);
    tg_be_get(&b->gpu, &view->gpu);
    view->why[sizeof(view->why) - 1] = '\0';

    view->state = h.state < TG_BACKEND_STATES ? h.state : TG_BACKEND_NEW;
    view->drain = h.drain;
    view->usable = tg_be_usable(h);
    view->ejected = h.ejected;
    view->rises = h.rises;
    view->falls = h.checks + h.calls;
    view->fresh = f.at != 0 && now - f.at <= tg_be_stale(cc);
    view->configured = tg_be_configured(t, b);
    view->since = atomic_load(&b->since);
    view->checked = atomic_load(&b->checked);
    view->scraped = f.at;
    view->facts.engine = f.engine < TG_ENGINES ? (tg_engine_t) f.engine
                                               : TG_ENGINE_AUTO;
    view->facts.known = (uint32_t) f.known;
    memcpy(view->facts.value, f.value, sizeof(f.value));
    view->calls = c.calls;
    view->tokens = c.tokens;
    view->fresh_tokens = c.fresh;
    tg_be_rates(b, &f, &view->decode, &view->prefill);
    view->ramp = tg_be_ramp(b, cc, now);
    view->capacity = tg_be_capacity(b, &f);
    view->type = (tg_engine_t) atomic_load(&b->type);
    view->served = atomic_load(&b->served);
    view->failed = atomic_load(&b->failed);
    view->ejections = atomic_load(&b->ejections);
}


/* How full one is; -1: nobody knows. */
static double
tg_be_fill(const tg_backend_load_t *l)
{
    double  n, most = -1.0;

    if (l->waiting >= 0) {
        most = (double) l->waiting / TG_BE_QUEUE_FULL;
    }

    if (l->kv >= 0) {
        n = (double) l->kv / 1e6 / TG_BE_KV_FULL;
        most = n > most ? n : most;
    }

    if (l->capacity > 0) {
        n = (double) l->calls / (double) l->capacity;
        most = n > most ? n : most;
    }

    return most < 1e6 ? most : 1e6;
}


/* Thousandths; -1: none is known.  scraped: the newest page. */
static int64_t
tg_be_level(tg_backends_t *t, tg_group_t *g, const tg_check_conf_t *cc,
    int64_t now, int64_t *scraped)
{
    double              n, sum = 0.0;
    int64_t             at;
    unsigned            known = 0;
    tg_backend_t       *b;
    tg_backend_load_t   load;

    *scraped = 0;

    for (unsigned i = 0; (b = tg_group_backend_at(t, g, i)) != NULL; i++) {
        if (!tg_be_configured(t, b)) {
            continue;
        }

        at = atomic_load(&b->scraped);
        *scraped = at > *scraped ? at : *scraped;
        tg_backend_load(t, b, cc, now, &load);
        n = load.usable ? tg_be_fill(&load) : -1.0;

        if (n >= 0.0) {
            sum += n;
            known++;
        }
    }

    return known == 0 ? -1 : (int64_t) (sum * 1000.0 / known + 0.5);
}


static void
tg_be_judge(tg_backends_t *t, tg_group_t *g, const tg_check_conf_t *cc,
    int64_t now)
{
    int64_t   level, scraped, interval = (int64_t) cc->interval * TG_BE_MS;
    uint32_t  full;

    if (now - atomic_load(&g->judged) < interval) {
        return;
    }

    level = tg_be_level(t, g, cc, now, &scraped);

    /* Not twice by the same page. */

    if (scraped != 0 && scraped == atomic_load(&g->judged_scrape)
        && now - scraped <= tg_be_stale(cc))
    {
        return;
    }

    atomic_store(&g->judged, now);
    atomic_store(&g->judged_scrape, scraped);
    atomic_store(&g->level, level < 0 ? 0 : (uint32_t) level);

    full = level >= TG_BE_FULL ? atomic_load(&g->full) + 1 : 0;
    atomic_store(&g->full, full < TG_BE_TIMES ? full : TG_BE_TIMES);

    if (full >= TG_BE_TIMES) {
        if (atomic_exchange(&g->saturated, 1) == 0) {
            atomic_store(&g->saturated_since, now);
        }

    } else if (level < TG_BE_NOT_FULL) {
        atomic_store(&g->saturated, 0);
        atomic_store(&g->saturated_since, 0);
    }
}


void
tg_group_tick(tg_backends_t *t, tg_group_t *g, const tg_group_conf_t *gc,
    int64_t now)
{
    tg_backend_t  *b;

    for (unsigned i = 0; (b = tg_group_backend_at(t, g, i)) != NULL; i++) {
        tg_be_retry(t, b, &gc->check, now);
        tg_be_stall(t, b, &gc->check, now);
        tg_be_sync(t, b, now);
        tg_be_own(t, b, now);
    }

    tg_be_eject(t, g, &gc->check);
    tg_be_judge(t, g, &gc->check, now);
    atomic_store(&t->ticked, now);
}


int64_t
tg_backends_ticked(const tg_backends_t *t)
{
    return atomic_load(&t->ticked);
}


bool
tg_group_saturated(tg_backends_t *t, tg_group_t *g, uint32_t *level)
{
    (void) t;

    if (level != NULL) {
        *level = atomic_load(&g->level);
    }

    return atomic_load(&g->saturated) != 0;
}


bool
tg_group_healthy(tg_backends_t *t, tg_group_t *g)
{
    tg_backend_t    *b;
    tg_be_health_t   h;

    for (unsigned i = 0; (b = tg_group_backend_at(t, g, i)) != NULL; i++) {
        h = tg_be_health(atomic_load(&b->health));

        if (tg_be_configured(t, b) && tg_be_usable(h)
            && (h.state == TG_BACKEND_NEW || h.state == TG_BACKEND_UP))
        {
            return true;
        }
    }

    return false;
}
