#include "tg_backend_int.h"

/* A connection that was closed says so at once. */
#define TG_BE_UNREAD  (100 * TG_BE_MS)

#define TG_BE_HOUR  (UINT64_C(3600) * 1000000000)


/* dt / n in fractions, with what was left over of the division before, so that
 * all calls' shares are all the time. */
static void
tg_be_share(tg_be_clock_t *c, uint64_t dt)
{
    unsigned __int128  all = (unsigned __int128) dt << TG_BE_FRACTION;
    uint64_t           n = (uint64_t) c->calls, x;

    all += c->rest;

    if (all >> 64 == 0) {
        x = (uint64_t) all;
        c->v += x / n;
        c->rest = x % n;

    } else {
        c->v += (uint64_t) (all / n);
        c->rest = (uint64_t) (all % n);
    }
}


void
tg_be_clock_to(tg_be_clock_t *c, int64_t now)
{
    int64_t  dt = now - c->at;

    /* Processes' notions of now differ. */

    if (dt <= 0) {
        return;
    }

    c->spent[c->class % TG_BE_CLASSES] += dt;

    if (c->calls > 0) {
        tg_be_share(c, (uint64_t) dt);
    }

    c->at = now;
}


void
tg_be_clock_class(tg_backends_t *t, tg_backend_t *b, tg_be_clock_t *c)
{
    tg_be_health_t  h = tg_be_health(atomic_load(&b->health));

    if (!tg_be_configured(t, b)) {
        c->class = TG_BE_AWAY;

    } else if (h.state == TG_BACKEND_SLEEPING) {
        c->class = TG_BE_SLEEPING;

    } else if (h.state == TG_BACKEND_DOWN || h.state == TG_BACKEND_LOADING
               || h.state == TG_BACKEND_STALLED)
    {
        c->class = TG_BE_UNHEALTHY;

    } else if (c->calls > 0
               || (atomic_load_explicit(&b->runs, memory_order_relaxed) > 0
                   && c->at - atomic_load_explicit(&b->scraped,
                                                   memory_order_relaxed)
                      <= atomic_load_explicit(&b->stale,
                                              memory_order_relaxed)))
    {
        c->class = TG_BE_BUSY;

    } else {
        c->class = TG_BE_IDLE;
    }
}


void
tg_be_sum_up(tg_backends_t *t, tg_backend_t *b, int64_t now)
{
    tg_be_clock_t  c;

    atomic_store(&b->dirty, 0);
    tg_be_get(&b->clock, &c);
    tg_be_clock_to(&c, now);
    tg_be_sum(t, b, &c.calls, &c.tokens);

    if (c.fresh > c.tokens) {
        c.fresh = c.tokens;
    }

    tg_be_clock_class(t, b, &c);
    tg_be_put(&b->clock, &c);
}


void
tg_be_sync(tg_backends_t *t, tg_backend_t *b, int64_t now)
{
    uint64_t  lock = tg_be_lock(t, b, -1);

    if (lock == 0) {
        atomic_store(&b->dirty, 1);
        lock = tg_be_lock(t, b, -1);
    }

    if (lock != 0) {
        tg_be_sum_up(t, b, now);
        tg_be_unlock(t, b, lock);
    }
}


/* The clock now, as far as one who has no lock can tell. */
static uint64_t
tg_be_v(tg_backend_t *b, int64_t now)
{
    tg_be_clock_t  c;

    tg_be_get(&b->clock, &c);
    tg_be_clock_to(&c, now);

    return c.v;
}


static uint64_t
tg_be_work(const tg_work_t *work)
{
    uint64_t  tokens = (uint64_t) work->prompt_tokens + work->output_tokens;

    return tokens < TG_BE_WORK_MAX ? tokens : TG_BE_WORK_MAX;
}


void
tg_backend_begin(tg_backends_t *t, tg_backend_t *b, int slot,
    const tg_work_t *work, int64_t now, tg_ticket_t *ticket)
{
    uint64_t           lock, add = UINT64_C(1) << TG_BE_CALLS;
    tg_be_clock_t      c;
    _Atomic uint64_t  *cell;

    memset(ticket, 0, sizeof(*ticket));
    ticket->backend = b;
    ticket->slot = slot;
    ticket->began = now;

    if (work != NULL) {
        ticket->work = *work;
    }

    add |= tg_be_work(&ticket->work);
    cell = tg_be_cell(t, b, slot, &ticket->incarnation);

    if (cell == NULL) {
        ticket->share = tg_be_v(b, now);
        return;
    }

    lock = tg_be_lock(t, b, slot);

    if (lock == 0) {
        atomic_fetch_add(cell, add);
        ticket->share = tg_be_v(b, now);
        ticket->scrape = UINT32_MAX;
        tg_be_sync(t, b, now);
        return;
    }

    tg_be_get(&b->clock, &c);
    tg_be_clock_to(&c, now);
    ticket->share = c.v;
    ticket->scrape = (uint32_t) c.scrape;
    c.calls++;
    c.most = c.most > c.calls ? c.most : c.calls;
    c.tokens += (int64_t) tg_be_work(&ticket->work);
    c.fresh += (int64_t) tg_be_work(&ticket->work);
    atomic_fetch_add_explicit(cell, add, memory_order_relaxed);
    tg_be_clock_class(t, b, &c);
    tg_be_put(&b->clock, &c);
    tg_be_unlock(t, b, lock);
}


/* Of a clock that may have been read without the lock, before and after. */
static int64_t
tg_be_since(uint64_t v, uint64_t share)
{
    int64_t  d = (int64_t) (v - share);

    return d > 0 ? d >> TG_BE_FRACTION : 0;
}


static int64_t
tg_be_less(int64_t n, int64_t d)
{
    return n > d ? n - d : 0;
}


/* Takes the call out. Returns its share. */
static int64_t
tg_be_out(tg_backends_t *t, tg_backend_t *b, tg_ticket_t *ticket,
    _Atomic uint64_t *cell, int64_t now)
{
    int64_t        ns, work = (int64_t) tg_be_work(&ticket->work);
    uint64_t       lock, sub = (uint64_t) work | UINT64_C(1) << TG_BE_CALLS;
    tg_be_clock_t  c;

    lock = tg_be_lock(t, b, ticket->slot);

    if (lock == 0) {
        ns = tg_be_since(tg_be_v(b, now), ticket->share);
        atomic_fetch_add(&b->shared, ns);
        atomic_fetch_sub(cell, sub);
        tg_be_sync(t, b, now);
        return ns;
    }

    tg_be_get(&b->clock, &c);
    tg_be_clock_to(&c, now);
    ns = tg_be_since(c.v, ticket->share);
    c.shared += ns;
    c.calls = tg_be_less(c.calls, 1);
    c.tokens = tg_be_less(c.tokens, work);

    if (ticket->scrape == (uint32_t) c.scrape) {
        c.fresh = tg_be_less(c.fresh, work);
    }

    atomic_fetch_sub_explicit(cell, sub, memory_order_relaxed);
    tg_be_clock_class(t, b, &c);
    tg_be_put(&b->clock, &c);
    tg_be_unlock(t, b, lock);

    return ns;
}


int64_t
tg_backend_end(tg_backends_t *t, tg_ticket_t *ticket, tg_came_t came,
    const tg_check_conf_t *cc, int64_t now)
{
    int64_t            ns;
    tg_backend_t      *b = ticket->backend;
    _Atomic uint64_t  *cell;

    if (b == NULL) {
        return 0;
    }

    cell = ticket->incarnation == 0
           ? NULL : tg_be_cell(t, b, ticket->slot, &ticket->incarnation);

    if (cell != NULL) {
        ns = tg_be_out(t, b, ticket, cell, now);

    } else {
        ns = tg_be_since(tg_be_v(b, now), ticket->share);
    }

    ticket->backend = NULL;
    tg_be_came(t, b, came, cc, now);

    return ns;
}


int64_t
tg_backend_spent(tg_backends_t *t, const tg_ticket_t *ticket, int64_t now)
{
    (void) t;

    return ticket->backend == NULL
           ? 0 : tg_be_since(tg_be_v(ticket->backend, now), ticket->share);
}


bool
tg_backend_unread(const tg_ticket_t *ticket, int64_t now)
{
    return now - ticket->began < TG_BE_UNREAD;
}


static int64_t
tg_be_nusd(int64_t ns, int64_t rate)
{
    unsigned __int128  n;

    if (ns <= 0 || rate <= 0) {
        return 0;
    }

    n = (unsigned __int128) (uint64_t) ns * (uint64_t) rate / TG_BE_HOUR;

    return n < INT64_MAX ? (int64_t) n : INT64_MAX;
}


int64_t
tg_backend_cost(const tg_backend_conf_t *bc, int64_t ns)
{
    return bc->cost_nusd < 0 ? -1 : tg_be_nusd(ns, bc->cost_nusd);
}


static int64_t
tg_be_provisioned(const tg_be_clock_t *c)
{
    return c->spent[TG_BE_IDLE] + c->spent[TG_BE_BUSY]
           + c->spent[TG_BE_UNHEALTHY] + c->spent[TG_BE_SLEEPING];
}


static int64_t
tg_be_plus(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}


/* What it has cost so far counts, at the price until now. */
static void
tg_be_clock_rate(tg_be_clock_t *c, int64_t rate)
{
    int64_t  all = tg_be_provisioned(c), idle = c->spent[TG_BE_IDLE];

    if (rate == c->rate) {
        return;
    }

    c->cost = tg_be_plus(c->cost, tg_be_nusd(all - c->cost_mark, c->rate));
    c->idle = tg_be_plus(c->idle, tg_be_nusd(idle - c->idle_mark, c->rate));
    c->cost_mark = all;
    c->idle_mark = idle;
    c->rate = rate;
}


void
tg_backend_configured(tg_backends_t *t, tg_backend_t *b,
    const tg_backend_conf_t *bc, int64_t now)
{
    uint64_t       lock = 0;
    tg_be_clock_t  c;

    atomic_store(&b->capacity, bc->capacity);
    atomic_store(&b->gpus, bc->gpus);
    atomic_store(&b->type, (uint32_t) bc->type);
    atomic_store(&b->generation, atomic_load(&t->generation));
    atomic_store(&b->gone, now);

    for (unsigned i = 0; i < TG_BE_SPINS && lock == 0; i++) {
        lock = tg_be_lock(t, b, -1);
    }

    if (lock == 0) {
        atomic_store(&b->dirty, 1);
        return;
    }

    tg_be_get(&b->clock, &c);
    tg_be_clock_to(&c, now);
    tg_be_clock_rate(&c, bc->cost_nusd);
    tg_be_clock_class(t, b, &c);
    tg_be_put(&b->clock, &c);
    tg_be_unlock(t, b, lock);
}


static void
tg_be_total(_Atomic int64_t *total, int64_t add)
{
    int64_t  n;

    if (add <= 0) {
        return;
    }

    n = atomic_fetch_add(total, add);

    if (n > INT64_MAX - add) {
        atomic_store(total, INT64_MAX / 2);
    }
}


void
tg_backend_usage(tg_backends_t *t, tg_backend_t *b, int64_t prompt_tokens,
    int64_t output_tokens, int64_t cost_nusd, int64_t cloud_nusd)
{
    (void) t;
    tg_be_total(&b->prompt_tokens, prompt_tokens);
    tg_be_total(&b->output_tokens, output_tokens);
    tg_be_total(&b->calls_nusd, cost_nusd);
    tg_be_total(&b->cloud_nusd, cloud_nusd);
}


void
tg_backend_time(tg_backends_t *t, tg_backend_t *b, int64_t now,
    tg_gpu_time_t *time)
{
    double         tokens;
    tg_be_clock_t  c;

    (void) t;
    (void) now;
    tg_be_get(&b->clock, &c);

    memset(time, 0, sizeof(*time));
    time->provisioned = tg_be_provisioned(&c);
    time->busy = c.spent[TG_BE_BUSY];
    time->idle = c.spent[TG_BE_IDLE];
    time->unhealthy = c.spent[TG_BE_UNHEALTHY];
    time->sleeping = c.spent[TG_BE_SLEEPING];
    time->shared = c.shared + atomic_load(&b->shared);
    time->gpus = atomic_load(&b->gpus);
    time->rate_nusd = c.rate;
    tg_be_clock_rate(&c, -1);
    time->cost_nusd = c.cost;
    time->idle_nusd = c.idle;
    time->calls_nusd = atomic_load(&b->calls_nusd);
    time->cloud_nusd = atomic_load(&b->cloud_nusd);
    time->prompt_tokens = atomic_load(&b->prompt_tokens);
    time->output_tokens = atomic_load(&b->output_tokens);
    tokens = (double) time->prompt_tokens + (double) time->output_tokens;

    if (tokens > 0 && c.cost > 0) {
        time->usd_per_mtok = (double) c.cost / 1e9 * 1e6 / tokens;
    }
}
