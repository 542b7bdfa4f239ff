#include "replay_int.h"
#include "reprice.h"
#include "llmctl.h"

#include <errno.h>
#include <stdlib.h>

#define MS_NS     1000000
#define SWEEP_MS  1000
#define TIME_MAX  INT64_C(4102444800000)        /* the year 2100 */
#define CALL_MAX  (1024 * 1024 * 1024)  /* bytes that one takes */


replay_t *
replay_new(const replay_conf_t *conf, replay_done_t done, void *data)
{
    replay_t                    *p = calloc(1, sizeof(*p));
    static const unsigned char   seed[32] = "calls that have been";

    if (p == NULL) {
        (void) fail("simulate", strerror(ENOMEM));
        return NULL;
    }

    p->conf = *conf;
    p->done = done;
    p->data = data;
    p->now = INT64_MIN;
    p->models = calloc(2 * REPLAY_MODELS, sizeof(replay_model_t));
    p->attempts = calloc(REPLAY_ATTEMPTS, sizeof(replay_attempts_t));
    p->arena = tg_arena_create(0);
    tg_id_seed(&p->ids, seed);

    if (p->models == NULL || p->attempts == NULL || p->arena == NULL) {
        replay_free(p);
        (void) fail("simulate", strerror(ENOMEM));
        return NULL;
    }

    p->mem = tg_arena_mem(p->arena);

    return p;
}


void
replay_live_free(replay_live_t *live)
{
    tg_arena_t  *arena = live->arena;

    if (live->call != NULL) {
        tg_call_free(live->call);
    }

    tg_arena_destroy(arena);
}


void
replay_free(replay_t *p)
{
    if (p == NULL) {
        return;
    }

    for (size_t i = 0; i < p->nevents; i++) {
        replay_live_free(p->events[i].live);
    }

    replay_close(p);
    tg_arena_destroy(p->arena);
    free(p->events);
    free(p->models);
    free(p->attempts);
    free(p);
}


void
replay_want(record_want_t *want)
{
    static const record_text_t  texts[] = {
        REC_CALL_ID, REC_SESSION, REC_AGENT, REC_KEY, REC_TEAM, REC_USER,
        REC_ORG, REC_CLIENT, REC_COUNTRY, REC_PROVIDER, REC_ROUTE, REC_UPSTREAM,
        REC_DECISION, REC_RULE, REC_GUARD
    };

    static const record_number_t  numbers[] = {
        REC_SEQ, REC_ATTEMPT, REC_STATUS, REC_MAX_TOKENS, REC_MESSAGES,
        REC_TOOL_CALLS, REC_RETRIES, REC_HOLD, REC_DURATION, REC_WAITED_MS,
        REC_REQUEST_BYTES, REC_RESPONSE_BYTES, REC_SENT_MAX_TOKENS, REC_ASN
    };

    reprice_want(want);

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        want->text |= UINT64_C(1) << texts[i];
    }

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        want->number |= UINT64_C(1) << numbers[i];
    }

    want->tags = true;
}


static bool
never_swept(void *baton, const tg_ledger_swept_t *call)
{
    (void) baton;
    (void) call;

    return true;
}


/* Time never runs backwards. */
static void
clock_to(replay_t *p, int64_t time)
{
    p->now = time > p->now ? time : p->now;

    if (p->base != NULL && p->now - p->swept >= SWEEP_MS) {
        (void) tg_ledger_sweep(&p->ledger, p->now, never_swept, NULL);
        p->swept = p->now;
    }
}


static tg_now_t
now_of(const replay_t *p)
{
    return (tg_now_t) { p->now, p->now * MS_NS };
}


/* It is over: settled, and told of. */
static void
live_done(replay_live_t *live)
{
    replay_t          *p = live->p;
    tg_now_t           now = now_of(p);
    replay_call_t     *is = &live->is;
    tg_replayed_t      was;
    tg_ledger_slot_t   slot;

    tg_call_finish(live->call, TG_END_COMPLETE, live->refusal.status != 0
                   ? live->refusal.status : 200, &p->gate, &now);

    if (tg_call_slot(live->call, &slot)) {
        (void) tg_ledger_line_written(&p->ledger, &slot, 1);
    }

    tg_call_replayed(live->call, &was);
    is->r = &live->r;
    is->refused_now = was.refused;
    is->would_refuse = was.would_refuse;
    is->rule = was.rule;
    is->reason = was.reason;
    is->subject = was.subject;
    is->waited_ms = was.waited_ms;

    if (!was.refused) {
        is->route = was.route;
        is->provider = was.provider != NULL && was.provider->host.len != 0
                       ? was.provider->name : was.vendor;
        is->model = was.model;
        is->lowered = was.lowered;
        is->cost_now = tg_money_add(was.cost.total, live->seen.attempts.cost);
        is->unpriced = !was.priced && live->seen.usage.source != TG_USAGE_NONE;
    }

    p->done(p->data, is);
    replay_live_free(live);
}


/* Where it went to after others had failed, by a route that is the same: they fail
 * again. */
static void
live_falls_back(replay_live_t *live)
{
    replay_t        *p = live->p;
    tg_now_t         now = now_of(p);
    const record_t  *r = &live->r;
    tg_replayed_t    is;

    if (r->number[REC_ATTEMPT] < 2 || r->text[REC_ROUTE].len == 0) {
        return;
    }

    for (unsigned i = 0; i < TG_TARGETS_MAX; i++) {
        tg_call_replayed(live->call, &is);

        if (!tg_str_eq(is.route, r->text[REC_ROUTE])
            || replay_same_place(live, &is)
            || tg_call_failed(live->call, &p->gate, &now, TG_FAIL_CONNECT, 0,
                              tg_str_null)
               != TG_OK)
        {
            return;
        }
    }
}


/* Lets through: under way for as long as it took. */
static bool
live_goes(replay_live_t *live)
{
    int64_t          end;
    replay_t        *p = live->p;
    tg_replayed_t    is;

    live_falls_back(live);
    replay_seen(live);
    tg_call_replayed(live->call, &is);

    if (record_has(&live->r, REC_HOLD) && !live->is.refused_then
        && !live->is.rerouted)
    {
        p->stats.held++;
        p->stats.held_alike += is.hold == live->r.number[REC_HOLD];
    }

    /* What was never sent has taken nothing. */

    if (live->is.refused_then || record_has(&live->r, REC_RESPONSE_BYTES)
        || live->seen.usage.source != TG_USAGE_NONE
        || live->attempts.lines != 0)
    {
        tg_call_sent(live->call, &p->gate);

        if (tg_call_replay(live->call, &live->seen) != TG_OK) {
            replay_live_free(live);
            return failed("simulate", strerror(ENOMEM));
        }
    }

    p->at_once++;
    p->stats.most_at_once = p->at_once > p->stats.most_at_once
                            ? p->at_once : p->stats.most_at_once;
    end = p->now + live->ns / MS_NS;

    return replay_event_add(p, end, false, live);
}


static bool
live_admit(replay_live_t *live)
{
    int        rc;
    replay_t  *p = live->p;
    tg_now_t   now = now_of(p);

    p->gate.geo_data = &live;
    rc = tg_call_admit(live->call, &p->gate, &now, &live->refusal);

    if (rc == TG_AGAIN) {
        return replay_event_add(p, p->now + (tg_call_wait(live->call) > 0
                                      ? tg_call_wait(live->call) : 1), true,
                         live);
    }

    if (rc != TG_OK) {
        live_done(live);
        return true;
    }

    return live_goes(live);
}


/* All that happens until then. */
static bool
run_until(replay_t *p, int64_t time)
{
    replay_event_t  e;

    while (p->nevents != 0 && p->events[0].time <= time) {
        e = replay_event_take(p);
        clock_to(p, e.time);

        if (!e.again) {
            p->at_once--;
            live_done(e.live);

        } else if (!live_admit(e.live)) {
            return false;
        }
    }

    clock_to(p, time);

    return true;
}


/* Those whose call has not come. */
static void
lone(replay_t *p)
{
    for (unsigned i = 0; i < p->nattempts; i++) {
        p->stats.lone_attempts += p->attempts[i].lines;
        p->stats.lone_cost = tg_money_add(p->stats.lone_cost,
                                          p->attempts[i].cost_then);
    }

    p->nattempts = 0;
}


static replay_attempts_t *
attempts_of(replay_t *p, tg_str_t id)
{
    replay_attempts_t  *a = p->attempts;

    for (unsigned i = 0; i < p->nattempts; i++, a++) {
        if (tg_str_eq(tg_str_of(a->id, a->len), id)) {
            return a;
        }
    }

    return NULL;
}


/* Their costs are of the call whose line has the same time. */
static void
attempt(replay_t *p, const record_t *r)
{
    tg_str_t            id = r->text[REC_CALL_ID];
    reprice_t           cost;
    replay_attempts_t  *a = attempts_of(p, id);

    p->stats.attempts++;

    if (a == NULL) {
        if (p->nattempts == REPLAY_ATTEMPTS) {
            lone(p);
        }

        a = &p->attempts[p->nattempts++];
        memset(a, 0, sizeof(*a));
        a->len = id.len < sizeof(a->id) ? id.len : sizeof(a->id);
        memcpy(a->id, id.p, a->len);
    }

    reprice(p->conf.book, tg_str_null, r, &cost);
    a->lines++;
    a->cost_then = tg_money_add(a->cost_then, r->number[REC_COST]);
    a->used.cost = tg_money_add(a->used.cost, cost.total);
    a->used.input = tg_money_add(a->used.input, r->number[REC_INPUT]);
    a->used.output = tg_money_add(a->used.output, r->number[REC_OUTPUT]);
}


static void
take_attempts(replay_t *p, replay_live_t *live)
{
    replay_attempts_t  *a = attempts_of(p, live->r.text[REC_CALL_ID]);

    if (a != NULL) {
        live->attempts = *a;
        *a = p->attempts[--p->nattempts];
    }
}


int64_t
replay_ns(const record_t *r)
{
    int64_t  waited = r->number[REC_WAITED_MS], ns = r->number[REC_DURATION];

    if (waited <= 0 || ns <= 0) {
        return ns < 0 ? 0 : ns;
    }

    return ns / MS_NS > waited ? ns - waited * MS_NS : 0;
}


static replay_live_t *
live_new(replay_t *p, const record_t *r)
{
    tg_arena_t     *arena = tg_arena_create(CALL_MAX);
    replay_live_t  *live = arena == NULL ? NULL
                           : tg_zalloc(tg_arena_mem(arena),
                                       sizeof(replay_live_t));

    if (live == NULL) {
        tg_arena_destroy(arena);
        (void) fail("simulate", strerror(ENOMEM));
        return NULL;
    }

    live->p = p;
    live->arena = arena;
    live->mem = tg_arena_mem(arena);
    live->r = *r;

    for (unsigned i = 0; i < REC_TEXTS; i++) {
        live->r.text[i] = tg_dup(live->mem, r->text[i]);
    }

    for (unsigned i = 0; i < r->ntags; i++) {
        live->r.tags[i].name = tg_dup(live->mem, r->tags[i].name);
        live->r.tags[i].value = tg_dup(live->mem, r->tags[i].value);
    }

    live->ns = replay_ns(r);
    tg_usage_init(&live->seen.usage);
    take_attempts(p, live);
    live->is.cost_then = tg_money_add(r->number[REC_COST],
                                      live->attempts.cost_then);

    return live;
}


/* Refused for what is not in a line: it would be, again. */
static bool
is_kept(const replay_t *p, const record_t *r)
{
    static const tg_str_t  rules[] = {
        TG_STR("invalid_request"), TG_STR("invalid_api_key"),
        TG_STR("no_memory"), TG_STR("no_keys"), TG_STR("not_inspected"),
        TG_STR("quota_unbounded"), TG_STR("redis_down"),
        TG_STR("node_retired"), TG_STR("ledger_full")
    };

    tg_str_t  rule = r->text[REC_RULE];

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (tg_str_eq(rule, rules[i])) {
            return true;
        }
    }

    /* By what it said, if that guard is still there. */

    for (unsigned i = 0; i < p->conf.conf->guards.n
         && tg_str_eq(rule, r->text[REC_GUARD]); i++)
    {
        if (tg_str_eq(p->conf.conf->guards.list[i]->name, rule)) {
            return true;
        }
    }

    return false;
}


static void
keep(replay_t *p, const record_t *r, bool refused)
{
    replay_call_t  is;

    memset(&is, 0, sizeof(is));
    is.r = r;
    is.kept = refused;
    is.refused_then = refused;
    is.refused_now = refused;
    is.rule = refused ? r->text[REC_RULE] : tg_str_null;
    is.cost_then = r->number[REC_COST];
    is.cost_now = r->number[REC_COST];
    p->done(p->data, &is);
}


static void
count(replay_t *p, const record_t *r)
{
    tg_str_t  id = r->text[REC_KEY];

    p->stats.calls++;

    if (p->roster == NULL) {
        return;
    }

    if (id.len == 0) {
        p->stats.nameless++;

    } else if (tg_keys_by_id(tg_roster_keys(p->roster), id) == NULL) {
        p->stats.strangers++;
    }
}


bool
replay_call(replay_t *p, const record_t *r)
{
    bool            refused;
    replay_live_t  *live;

    /* No server's clock is there. */

    if (r->time > TIME_MAX) {
        p->stats.odd++;
        return true;
    }

    if (p->now == INT64_MIN) {
        p->now = p->swept = r->time;

        if (!replay_open(p)) {
            return false;
        }
    }

    if (p->nattempts != 0 && r->time != p->attempted) {
        lone(p);
    }

    p->attempted = r->time;

    if (!run_until(p, r->time)) {
        return false;
    }

    if (!record_is(r, REC_FINAL)) {
        attempt(p, r);
        return true;
    }

    count(p, r);
    refused = tg_str_eq(r->text[REC_DECISION], tg_str("refuse"));

    if (record_is(r, REC_SERVED) || (refused && is_kept(p, r))) {
        p->stats.served += record_is(r, REC_SERVED);
        keep(p, r, refused);
        return true;
    }

    live = live_new(p, r);

    if (live == NULL) {
        return false;
    }

    p->number++;
    live->is.refused_then = refused;

    if (!replay_create(live)) {
        replay_live_free(live);
        return false;
    }

    if (live->refusal.status != 0) {
        live_done(live);
        return true;
    }

    return live_admit(live);
}


bool
replay_end(replay_t *p, replay_stats_t *stats)
{
    tg_ledger_stats_t  s;

    while (p->nevents != 0) {
        if (!run_until(p, p->events[0].time)) {
            return false;
        }
    }

    lone(p);

    if (p->base != NULL) {
        tg_ledger_stats(&p->ledger, &s);
        p->stats.evicted = s.evicted;
        p->stats.full = s.full;
    }

    *stats = p->stats;

    return true;
}
