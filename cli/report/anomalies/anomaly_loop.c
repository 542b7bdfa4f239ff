#include "anomaly_loop.h"
#include "series/series_stat.h"

#include "tg_money.h"

#include <math.h>
#include <stdlib.h>

#define SLOTS      (1 << 16)    /* sessions in an hour */
#define WAYS       8
#define SIZES      6            /* of a session's calls, told apart */
#define LIKELY     (1 << 13)    /* sessions kept to be looked at */
#define LOOK_FROM  40           /* calls alike */
#define ALONE      50           /* likewise, where no session is named */
#define UNKNOWN    200          /* likewise, of who has no past */
#define BEYOND     3.0          /* times the most of the last weeks */
#define KNOWN      7            /* days of a past */
#define GOES_ON    6            /* hours */

typedef struct {
    uint64_t  hash;             /* of owner, session, model, hour; 0: free */
    int64_t   cost;
    int64_t   hour;
    int64_t   input;            /* of the last */
    uint32_t  calls;
    uint32_t  run;              /* calls in a row that are alike */
    uint32_t  most;
    uint32_t  kept;             /* its place in what is likely, and 1 */
    struct {
        int16_t   size;
        uint32_t  calls;
    }         size[SIZES];
} slot_t;

typedef struct {
    uint64_t  hash;             /* as the slot's */
    uint64_t  owner;
    int64_t   hour;
    int64_t   cost;             /* of the calls alike, about */
    uint32_t  alike;
    bool      named;            /* it has a session */
    char      session[64];
} likely_t;

struct loops_s {
    slot_t    *slots;
    likely_t  *likely;
    size_t     nlikely;
};


loops_t *
loops_new(void)
{
    loops_t  *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return NULL;
    }

    l->slots = calloc(SLOTS, sizeof(slot_t));
    l->likely = calloc(LIKELY, sizeof(likely_t));

    if (l->slots == NULL || l->likely == NULL) {
        loops_free(l);
        return NULL;
    }

    return l;
}


void
loops_free(loops_t *l)
{
    if (l != NULL) {
        free(l->slots);
        free(l->likely);
        free(l);
    }
}


static uint64_t
mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);

    return h ^ h >> 29;
}


static uint64_t
mix_text(uint64_t h, tg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.p[i]) * UINT64_C(0x100000001b3);
    }

    return mix(h, s.len);
}


/* The oldest makes room; of one hour, the one with the fewest calls. */
static slot_t *
slot_of(loops_t *l, uint64_t hash, int64_t hour)
{
    slot_t  *s, *worst = NULL;

    for (unsigned i = 0; i < WAYS; i++) {
        s = &l->slots[(hash / WAYS * WAYS + i) % SLOTS];

        if (s->hash == hash) {
            return s;
        }

        if (worst == NULL || s->hash == 0
            || (worst->hash != 0
                && (s->hour < worst->hour
                    || (s->hour == worst->hour && s->calls < worst->calls))))
        {
            worst = s;
        }
    }

    memset(worst, 0, sizeof(*worst));
    worst->hash = hash;
    worst->hour = hour;

    return worst;
}


/* By size, in steps of a twentieth; frequent sizes stay (Misra and Gries). */
static uint32_t
slot_size(slot_t *s, int64_t input)
{
    int16_t   size = (int16_t) (20 * log((double) input + 64));
    unsigned  i;

    for (i = 0; i < SIZES; i++) {
        if (s->size[i].calls != 0 && s->size[i].size == size) {
            return ++s->size[i].calls;
        }
    }

    for (i = 0; i < SIZES; i++) {
        if (s->size[i].calls == 0) {
            s->size[i].size = size;
            return s->size[i].calls = 1;
        }
    }

    for (i = 0; i < SIZES; i++) {
        s->size[i].calls--;
    }

    return 0;
}


/* Its place in what is looked at; the cheapest gives it up where all are
 * taken. NULL: it is the cheapest. */
static likely_t *
likely_place(loops_t *l, slot_t *s)
{
    likely_t  *least;

    if (s->kept != 0 && l->likely[s->kept - 1].hash == s->hash) {
        return &l->likely[s->kept - 1];
    }

    if (l->nlikely < LIKELY) {
        least = &l->likely[l->nlikely++];

    } else {
        if ((s->most & (s->most - 1)) != 0) {
            return NULL;        /* not for each call of it */
        }

        least = &l->likely[0];

        for (size_t i = 1; i < l->nlikely; i++) {
            least = l->likely[i].cost < least->cost ? &l->likely[i] : least;
        }

        if (least->cost >= s->cost) {
            return NULL;
        }
    }

    memset(least, 0, sizeof(*least));
    s->kept = (uint32_t) (least - l->likely) + 1;

    return least;
}


static void
likely_keep(loops_t *l, slot_t *s, const series_t *owner, tg_str_t session)
{
    size_t     n = sizeof(((likely_t *) 0)->session) - 1;
    likely_t  *k = likely_place(l, s);

    if (k == NULL) {
        return;
    }

    if (k->hash == 0) {
        k->hash = s->hash;
        k->owner = owner->hash;
        k->hour = s->hour;
        k->named = session.len != 0;
        n = session.len < n ? session.len : n;
        memcpy(k->session, session.len == 0 ? "" : session.p, n);
    }

    k->alike = s->most;
    k->cost = (int64_t) ((double) s->cost * s->most / s->calls);
}


unsigned
loops_add(loops_t *l, const series_t *owner, tg_str_t session, tg_str_t model,
    const series_call_t *call)
{
    int64_t    apart, near;
    slot_t    *s;
    uint32_t   alike;
    uint64_t   hash = mix(owner->hash, (uint64_t) call->hour);

    hash = mix_text(mix_text(hash, session), model);
    hash = hash == 0 ? 1 : hash;
    s = slot_of(l, hash, call->hour);

    apart = call->input - s->input;
    near = s->input / 20 > 64 ? s->input / 20 : 64;
    s->run = s->calls != 0 && apart <= near && apart >= -near ? s->run + 1 : 1;
    s->input = call->input;
    s->calls++;
    s->cost = tg_money_add(s->cost, call->cost);

    alike = slot_size(s, call->input);
    alike = alike > s->run ? alike : s->run;

    if (alike > s->most) {
        s->most = alike;

        if (alike >= (session.len == 0 ? ALONE : LOOK_FROM)) {
            likely_keep(l, s, owner, session);
        }
    }

    return alike;
}


static int
by_hour(const void *a, const void *b)
{
    const likely_t  *one = a, *two = b;

    if (one->hour != two->hour) {
        return one->hour < two->hour ? -1 : 1;
    }

    return one->alike < two->alike ? 1 : one->alike > two->alike ? -1 : 0;
}


/* The most that its sessions have had before; hours of loops don't count. */
static double
usual(const series_t *s, int64_t hour, const anomalies_t *all, size_t from,
    uint32_t index)
{
    double         most = 0;
    size_t         k;
    series_cell_t  c;

    for (int64_t h = hour - 24 * ANOMALY_LOOKS; h < hour; h++) {
        c = series_get(s, h);
        if (c.alike <= most) {
            continue;
        }

        for (k = from; k < all->n; k++) {
            if (all->list[k].series == index && h >= all->list[k].since
                && h <= all->list[k].last)
            {
                break;
            }
        }

        most = k == all->n ? c.alike : most;
    }

    return most;
}


/* What it has cost in the last hours. */
static double
cost_so_far(const loops_t *l, size_t i)
{
    double           cost = 0;
    const likely_t  *k = &l->likely[i], *was;

    for (size_t n = i + 1; n-- > 0; ) {
        was = &l->likely[n];

        if (k->hour - was->hour >= GOES_ON) {
            break;
        }

        if (was->owner == k->owner && strcmp(was->session, k->session) == 0) {
            cost += (double) was->cost;
        }
    }

    return cost;
}


static bool
loop_judge(anomalies_t *all, size_t from, series_set_t *set, uint32_t index,
    const loops_t *l, size_t at, const anomaly_scope_t *scope)
{
    const likely_t  *k = &l->likely[at];
    double           most, worth = anomaly_worth(scope, k->hour) / 20;
    anomaly_t        a, *was;
    const series_t  *s = series_at(set, index);
    bool             known = k->hour - s->first >= 24 * KNOWN;

    /* It goes on. */
    for (size_t i = from; i < all->n; i++) {
        was = &all->list[i];

        if (was->series == index && k->hour - was->last <= GOES_ON) {
            was->excess += k->hour == was->last
                           && strcmp(was->text, k->session) == 0
                           ? 0 : (double) k->cost;
            was->last = k->hour;
            return true;
        }
    }

    most = usual(s, k->hour, all, from, index);

    if (k->alike < (known ? BEYOND * most : fmax(UNKNOWN, BEYOND * most))) {
        return true;
    }

    /* Batches name no session; the first month's end has the first of some. */
    if (!k->named || !known) {
        worth *= 5;
    }

    if (cost_so_far(l, at) < worth
        || (!k->named && k->hour - s->first < 24 * 33
            && stat_month_turns(k->hour / 24)))
    {
        return true;
    }

    memset(&a, 0, sizeof(a));
    a.kind = ANOMALY_LOOP;
    a.series = index;
    a.since = k->hour;
    a.found = k->hour;
    a.last = k->hour;
    a.now = k->alike;
    a.usual = most;
    a.excess = cost_so_far(l, at);
    a.score = k->alike / fmax(most, 1);
    memcpy(a.text, k->session, sizeof(k->session));

    return anomaly_add(all, &a);
}


bool
loops_find(anomalies_t *all, series_set_t *set, loops_t *l,
    const anomaly_scope_t *scope)
{
    size_t     from = all->n;
    anomaly_t *a;

    qsort(l->likely, l->nlikely, sizeof(likely_t), by_hour);

    for (size_t i = 0;
         i < l->nlikely && l->likely[i].hour < scope->end; i++)
    {
        for (uint32_t s = 0; s < series_count(set); s++) {
            if (series_at(set, s)->hash == l->likely[i].owner
                && !loop_judge(all, from, set, s, l, i, scope))
            {
                return false;
            }
        }
    }

    for (size_t i = from; i < all->n; i++) {
        a = &all->list[i];
        a->open = a->last >= scope->end - 2;
    }

    return true;
}
