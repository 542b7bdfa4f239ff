/* What a series spends, against its usual course: by hours, days, and many
 * days. */

#include "anomaly.h"
#include "series/series_stat.h"

#include <math.h>
#include <stdlib.h>

#define WINDOWS    2
#define FLOOR      0.1          /* of a day's level, whatever the window: what
                                   ratios are held to */
#define BEYOND     1.4          /* times what was the most so far */
#define BEYOND_NEW 2.5          /* likewise, of less than four weeks */
#define SPREADS    8.0
#define LOOKS      (24 * 7)     /* hours that were looked at before */
#define TURNS      100          /* days in which ends of months are looked at */
#define WORSE      2.5          /* times what was found: it is found again */
#define ENDED      0.25         /* below it for a day: it is over */
#define OPEN_DAYS  21           /* then it is what is usual */

#define DRIFT_LAG   7           /* days that are not its past yet */
#define DRIFT_SLACK 1.0         /* spreads */
#define DRIFT_CUT   3.0
#define DRIFT_LIMIT 9.0
#define DRIFT_LEAST 0.25        /* ln of the ratio, in the mean */
#define DRIFT_SPREAD 0.12       /* likewise, at least */
#define DRIFT_DAYS  10          /* that say how much they vary */
#define DRIFT_RUN   4           /* days */

static const struct {
    int     hours;
    double  least;              /* ratio by which it is above */
} windows[WINDOWS] = { { 3, 3.0 }, { 24, 1.25 } };

typedef struct {
    anomaly_past_t          past;
    double                 *cost, *expect, *looks;
    double                 *r[WINDOWS];         /* by hour; NAN: found */
    double                 *x[WINDOWS];         /* likewise, nano-dollars */
    double                 *drift;              /* by day */
    double                  sum;                /* CUSUM */
    size_t                  run;                /* days since it was 0 */
    stat_course_t           course;
    bool                    open, drifting;
    double                  ratio;              /* as it was found */
    int64_t                 until;              /* hour: it was above yet */
    anomaly_t               now;
} spend_t;


static double
spend_sum(const double *v, size_t t, int hours)
{
    double  sum = 0;

    for (int k = 0; k < hours; k++) {
        sum += v[t - (size_t) k];
    }

    return sum;
}


/* Whether at t so much of window w is more than what was there before. */
static bool
spend_beyond(spend_t *p, size_t t, unsigned w, double ratio, double excess)
{
    size_t   from, to = t - (size_t) windows[w].hours + 1, n = 0;
    double   most = 0, dearest = 0, limit = windows[w].least, mid, times;
    int64_t  day = p->past.day0 + (int64_t) (t / 24);

    from = to > 24 * ANOMALY_LOOKS ? to - 24 * ANOMALY_LOOKS : 0;

    /* The month before may have ended on holidays. */
    for (size_t i = to > 24 * TURNS ? to - 24 * TURNS : 0;
         stat_month_turns(day) && i < from; i++)
    {
        if (!isnan(p->r[w][i])
            && stat_month_turns(p->past.day0 + (int64_t) (i / 24)))
        {
            most = fmax(most, p->r[w][i]);
            dearest = fmax(dearest, p->x[w][i]);
        }
    }

    for (size_t i = from; i < to; i++) {
        if (!isnan(p->r[w][i])) {
            p->looks[n++] = p->r[w][i];
            most = fmax(most, p->r[w][i]);
            dearest = fmax(dearest, p->x[w][i]);
        }
    }

    if (n < LOOKS) {
        return false;
    }

    mid = stat_median(p->looks, n);
    limit = fmax(limit, mid + SPREADS * stat_spread(p->looks, n, mid));
    times = n >= 24 * 26 ? BEYOND : BEYOND_NEW;

    /* No month's end was seen yet. */
    if (n < 24 * 30 && stat_month_turns(day)) {
        limit = fmax(limit, 4 * windows[w].least);
    }

    return ratio > limit && ratio > times * most && excess > times * dearest;
}


static int
spend_above(const void *data, size_t t)
{
    const spend_t  *p = data;

    return p->cost[t] > 1.5 * p->expect[t] + FLOOR * p->course.level / 24;
}


static void
spend_begin(spend_t *p, size_t t, int hours, double ratio)
{
    size_t  since = anomaly_since(p, spend_above, t, (size_t) hours);

    anomaly_begin(&p->now, ANOMALY_COST, &p->past, since, t, 1 + ratio);
    p->until = p->now.found;
    p->open = true;
    p->ratio = ratio;
    p->sum = 0;
}


static bool
spend_end(spend_t *p, anomalies_t *all, bool open)
{
    size_t      from = (size_t) (p->now.since - p->past.day0 * 24);
    size_t      to = (size_t) (p->now.last - p->past.day0 * 24);
    double      days = fmax(1.0, (double) (to - from + 1) / 24);
    anomaly_t  *a = &p->now;

    a->now = 0;
    a->usual = 0;

    for (size_t i = from; i <= to; i++) {
        a->now += p->cost[i] / days;
        a->usual += p->expect[i] / days;
    }

    a->excess = a->now - a->usual;
    a->open = open;
    p->open = false;

    return anomaly_add(all, a);
}


static bool
spend_look(spend_t *p, size_t t, anomalies_t *all)
{
    double   excess, usual, ratio, worth;
    int64_t  hour = anomaly_hour(&p->past, t);

    worth = anomaly_worth(p->past.scope, hour);

    for (unsigned w = 0; w < WINDOWS; w++) {
        if (t + 1 < (size_t) (24 * ANOMALY_DAYS + windows[w].hours)) {
            continue;
        }

        usual = spend_sum(p->expect, t, windows[w].hours);
        excess = spend_sum(p->cost, t, windows[w].hours) - usual;
        ratio = excess / fmax(1.0, usual + FLOOR * p->course.level);

        if (p->open && w == 1 && ratio > ENDED) {
            p->until = hour;
            p->now.last = spend_above(p, t) ? hour : p->now.last;
        }

        /* Every month has an end: it is not taken out of what was before. */
        if (!p->open || stat_month_turns(hour / 24)) {
            p->r[w][t] = ratio;
            p->x[w][t] = excess;
        }

        if (excess < worth || ratio < windows[w].least
            || (p->open && ratio < WORSE * p->ratio)
            || !spend_beyond(p, t, w, ratio, excess))
        {
            continue;
        }

        if (p->open && !spend_end(p, all, false)) {
            return false;
        }

        spend_begin(p, t, windows[w].hours, ratio);
    }

    return true;
}


/* How much a day differs, as its logarithm, in the spreads of those before;
 * NAN: too few are known. */
static double
spend_step(spend_t *p, size_t d, const stat_course_t *c, double is,
    double usual)
{
    double  spread;
    size_t  n = 0;

    for (size_t i = d > ANOMALY_LOOKS ? d - ANOMALY_LOOKS : 0; i < d; i++) {
        if (!isnan(p->drift[i])) {
            p->looks[n++] = p->drift[i];
        }
    }

    p->drift[d] = log((is + FLOOR * c->level + 1)
                      / (usual + FLOOR * c->level + 1));

    if (n < DRIFT_DAYS) {
        return NAN;
    }

    spread = stat_spread(p->looks, n, stat_median(p->looks, n));

    return p->drift[d] / fmax(DRIFT_SPREAD, spread);
}


/* The mean of them since the sum began to grow. */
static double
spend_run(const spend_t *p, size_t d)
{
    double  mean = 0;

    for (size_t i = 0; i < p->run && i <= d; i++) {
        mean += isnan(p->drift[d - i]) ? 0 : p->drift[d - i];
    }

    return mean / (double) p->run;
}


/*
 * Small steps that stay: the logarithms of days' ratios to what was usual weeks
 * ago, summed up as long as they are above what they vary by (CUSUM).
 */
static bool
spend_drift(spend_t *p, size_t d, anomalies_t *all)
{
    double         is, usual, step, mean;
    int64_t        day = p->past.day0 + (int64_t) d;
    anomaly_t      a;
    stat_course_t  c;

    if (d < ANOMALY_DAYS + DRIFT_LAG || p->open || stat_month_turns(day)) {
        return true;
    }

    stat_course(&c, p->cost, d - DRIFT_LAG, day - DRIFT_LAG);
    is = spend_sum(p->cost, 24 * d + 23, 24);
    usual = c.level * c.dow[stat_weekday(day)];
    step = spend_step(p, d, &c, is, usual);

    if (isnan(step)) {
        return true;
    }

    p->sum = fmax(0, p->sum + fmin(step, DRIFT_CUT) - DRIFT_SLACK);
    p->run = p->sum > 0 ? p->run + 1 : 0;
    p->drifting = p->drifting && p->sum > 0;

    if (p->drifting || p->sum < DRIFT_LIMIT || p->run < DRIFT_RUN
        || is - usual < anomaly_worth(p->past.scope, day * 24 + 23))
    {
        return true;
    }

    mean = spend_run(p, d);
    if (mean < DRIFT_LEAST) {
        return true;
    }

    memset(&a, 0, sizeof(a));
    a.kind = ANOMALY_DRIFT;
    a.series = p->past.index;
    a.since = (day - (int64_t) p->run + 1) * 24;
    a.found = day * 24 + 23;
    a.last = a.found;
    a.score = exp(mean);
    a.now = spend_sum(p->cost, 24 * d + 23, (int) (24 * p->run))
            / (double) p->run;
    a.usual = a.now / a.score;
    a.excess = a.now - a.usual;
    a.open = d + 2 >= p->past.ndays;
    p->drifting = true;

    return anomaly_add(all, &a);
}


static bool
spend_days(spend_t *p, anomalies_t *all)
{
    size_t   t;

    for (size_t d = ANOMALY_DAYS; d < p->past.ndays; d++) {
        stat_course(&p->course, p->cost, d, p->past.day0 + (int64_t) d);

        for (unsigned h = 0; h < 24; h++) {
            t = d * 24 + h;
            if (t >= p->past.nhours) {
                break;
            }

            p->expect[t] = stat_expect(&p->course,
                                       anomaly_hour(&p->past, t));

            if (!spend_look(p, t, all)) {
                return false;
            }

            if (p->open
                && (anomaly_hour(&p->past, t) - p->until >= 24
                    || anomaly_hour(&p->past, t) - p->now.found
                       > 24 * OPEN_DAYS)
                && !spend_end(p, all, false))
            {
                return false;
            }
        }

        if (d * 24 + 24 <= p->past.nhours && !spend_drift(p, d, all)) {
            return false;
        }
    }

    return !p->open || spend_end(p, all, true);
}


bool
anomaly_spend(anomalies_t *all, series_set_t *set, uint32_t i,
    const anomaly_scope_t *scope)
{
    bool     ok = true;
    double  *room;
    spend_t  p;

    memset(&p, 0, sizeof(p));

    if (!anomaly_past(&p.past, set, i, scope)) {
        return true;
    }

    room = calloc(p.past.ndays, (24 * (3 + 2 * WINDOWS) + 1) * sizeof(double));
    if (room == NULL) {
        return false;
    }

    p.cost = room;
    p.expect = p.cost + 24 * p.past.ndays;
    p.looks = p.expect + 24 * p.past.ndays;
    p.drift = p.looks + 24 * p.past.ndays;

    for (unsigned w = 0; w < WINDOWS; w++) {
        p.r[w] = p.drift + p.past.ndays + 2 * w * 24 * p.past.ndays;
        p.x[w] = p.r[w] + 24 * p.past.ndays;
        for (size_t t = 0; t < 24 * p.past.ndays; t++) {
            p.r[w][t] = NAN;
        }
    }

    for (size_t d = 0; d < p.past.ndays; d++) {
        p.drift[d] = NAN;
    }

    for (size_t t = 0; t < p.past.nhours; t++) {
        p.cost[t] = (double) series_get(p.past.s,
                                        anomaly_hour(&p.past, t)).cost;
    }

    ok = spend_days(&p, all);
    free(room);

    return ok;
}
