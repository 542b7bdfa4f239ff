#include "tg_status_limits.h"

/* From so many percent on it is near. */
#define TG_STATUS_NEAR  80


bool
tg_status_limit_full(const tg_status_limit_t *limit)
{
    return limit->counted
           && (limit->state.latched || limit->used >= limit->state.limit);
}


static double
tg_status_limit_share(const tg_status_limit_t *l)
{
    return !l->counted ? -1
           : l->state.limit <= 0 ? 1e9
           : (double) l->used / (double) l->state.limit;
}


static bool
tg_status_limit_is(tg_status_limits_t kind, const tg_status_limit_t *l)
{
    switch (kind) {

    case TG_LIMITS_BUDGETS:
        return l->counted && l->who.measure == TG_MEASURE_USD;

    case TG_LIMITS_NEAR:
        return l->counted && l->who.measure != TG_MEASURE_USD
               && (tg_status_limit_full(l)
                   || tg_status_limit_share(l) * 100 >= TG_STATUS_NEAR
                   || l->forecast.out != TG_WINDOW_NEVER);

    default:
        return l->who.refused_at != 0;
    }
}


static int
tg_status_names(const tg_status_limit_t *a, const tg_status_limit_t *b)
{
    const tg_str_t  *x = &a->who.quota, *y = &b->who.quota;

    for (int i = 0; i < 2; i++, x = &a->who.subject, y = &b->who.subject) {
        size_t  n = x->len < y->len ? x->len : y->len;
        int     differ = n == 0 ? 0 : memcmp(x->p, y->p, n);

        if (differ != 0 || x->len != y->len) {
            return differ != 0 ? differ : x->len < y->len ? -1 : 1;
        }
    }

    return memcmp(a->who.key, b->who.key, TG_LEDGER_KEY);
}


static bool
tg_status_limit_before(tg_status_limits_t kind, const tg_status_limit_t *a,
    const tg_status_limit_t *b)
{
    double  x = tg_status_limit_share(a), y = tg_status_limit_share(b);

    if (kind == TG_LIMITS_REFUSED && a->who.refused_at != b->who.refused_at) {
        return a->who.refused_at > b->who.refused_at;
    }

    if (kind == TG_LIMITS_BUDGETS) {
        if (tg_status_limit_full(a) != tg_status_limit_full(b)) {
            return tg_status_limit_full(a);
        }

        if (a->forecast.out != b->forecast.out) {
            return a->forecast.out < b->forecast.out;
        }
    }

    return x > y || (x == y && tg_status_names(a, b) < 0);
}


/* Its names are within it. */
static void
tg_status_limit_copy(tg_status_limit_t *to, const tg_status_limit_t *from)
{
    *to = *from;
    to->who.quota.p = to->who.text;
    to->who.subject.p = to->who.text + to->who.quota.len;
}


unsigned
tg_status_limits(const tg_status_facts_t *facts, tg_status_limits_t kind,
    tg_status_limit_t *list, unsigned *more)
{
    unsigned            i = 0, at, n = 0;
    tg_status_limit_t   l;

    *more = 0;

    while (tg_subjects_each(&facts->tally->subjects, facts->wall_ms, &i,
                            &l.who))
    {
        l.counted = facts->ledger != NULL
                    && tg_subject_state(&l.who, facts->ledger, facts->zone,
                                        facts->wall_ms, &l.state);
        l.used = 0;
        l.forecast.known = false;
        l.forecast.out = TG_WINDOW_NEVER;

        if (l.counted) {
            l.used = l.who.measure == TG_MEASURE_CONCURRENT ? l.state.held
                                                            : l.state.used;
            tg_subject_forecast(&l.who, &l.state, facts->wall_ms,
                                &l.forecast);
        }

        if (!tg_status_limit_is(kind, &l)) {
            continue;
        }

        if (n == TG_STATUS_LIMITS) {
            (*more)++;

            if (!tg_status_limit_before(kind, &l, &list[n - 1])) {
                continue;
            }

            n--;
        }

        for (at = n++; at > 0 && tg_status_limit_before(kind, &l,
                                                        &list[at - 1]); at--)
        {
            tg_status_limit_copy(&list[at], &list[at - 1]);
        }

        tg_status_limit_copy(&list[at], &l);
    }

    return n;
}
