/* Keys that nobody has seen before, or not for long, and what they spend. */

#include "anomaly.h"

#include <math.h>

#define FRESH  72               /* hours since the first call */
#define WORTH  0.4              /* of what is worth telling of spend */
#define SOON   12               /* hours */
#define LIKE   6
#define LATELY 72               /* hours: a weekend, and some */


static double
key_sum(const series_t *s, int64_t from, int64_t to)
{
    double  sum = 0;

    for (int64_t h = from; h <= to; h++) {
        sum += (double) series_get(s, h).cost;
    }

    return sum;
}


/* Another key of the same owner fell silent for it: what it spent in these
 * hours of a week's days is as much, and now it is nothing.  Of few hours a
 * whole day is held against it. */
static bool
key_replaced(series_set_t *set, uint32_t i, int64_t since, int64_t hour)
{
    double           before, now = key_sum(series_at(set, i), since, hour);
    int64_t          from = hour - since < SOON ? hour - 23 : since;
    const series_t  *s, *owner;

    for (uint32_t k = 0; k < series_count(set); k++) {
        s = series_at(set, k);

        if (k == i || strcmp(s->kind, "key") != 0) {
            continue;
        }

        before = 0;

        for (int64_t d = 1; d <= 7; d++) {
            before += key_sum(s, from - 24 * d, hour - 24 * d) / 7;
        }

        if (before < now / LIKE
            || key_sum(s, since - LATELY, since + 1) == 0
            || key_sum(s, since + 2, hour) > before / 50)
        {
            continue;
        }

        for (uint32_t o = 0; o < series_count(set); o++) {
            owner = series_at(set, o);
            if (strcmp(owner->kind, "team") == 0
                && series_kin(set, i, o) > 0.5 && series_kin(set, k, o) > 0.5)
            {
                return true;
            }
        }
    }

    return false;
}


static bool
key_watch(anomalies_t *all, series_set_t *set, uint32_t i, int64_t since,
    bool old, const anomaly_scope_t *scope)
{
    double     day;
    series_t  *s = series_at(set, i);
    anomaly_t  a;

    for (int64_t h = since; h < since + FRESH && h < scope->end; h++) {
        day = key_sum(s, h - 23, h);

        if (day < WORTH * anomaly_worth(scope, h)
            || (!old && key_replaced(set, i, since, h)))
        {
            continue;
        }

        memset(&a, 0, sizeof(a));
        a.kind = old ? ANOMALY_OLD_KEY : ANOMALY_NEW_KEY;
        a.series = i;
        a.since = since;
        a.found = h;
        a.last = h;
        a.score = INFINITY;

        /* As seen later. */
        for (int64_t k = h; k < scope->end && k - a.last < 24 * 3; k++) {
            a.last = series_get(s, k).calls != 0 ? k : a.last;
        }

        for (int64_t k = since; k <= a.last; k++) {
            a.now += (double) series_get(s, k).cost;
        }

        a.now /= fmax(1.0, (double) (a.last - since + 1) / 24);
        a.excess = a.now;
        a.open = a.last >= scope->end - 24;

        return anomaly_add(all, &a);
    }

    return true;
}


bool
anomaly_key(anomalies_t *all, series_set_t *set, uint32_t i,
    const anomaly_scope_t *scope)
{
    int64_t    last = INT64_MIN;
    bool       ok = true;
    series_t  *s = series_at(set, i);

    for (int64_t h = s->first; ok && h <= s->last && h < scope->end; h++) {
        if (series_get(s, h).calls == 0) {
            continue;
        }

        if (last == INT64_MIN) {
            if (!s->back && h - scope->begin >= 24 * ANOMALY_SILENT) {
                ok = key_watch(all, set, i, h, false, scope);
            }

        } else if (h - last >= 24 * ANOMALY_SILENT) {
            ok = key_watch(all, set, i, h, true, scope);
        }

        last = h;
    }

    return ok;
}
