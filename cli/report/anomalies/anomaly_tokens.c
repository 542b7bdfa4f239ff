/*
 * How many input tokens a series' calls have.  The means are of logarithms: a
 * few calls that are hundred times as long as others don't move them much, and
 * all that are eight times as long do.
 */

#include "anomaly.h"
#include "series/series_stat.h"

#include <math.h>
#include <stdlib.h>

#define WINDOWS   3
#define CALLS     25            /* in a window, to be judged by */
#define PART      0.15          /* of a day's calls, likewise */
#define LEAST     0.55          /* ln: three quarters more; and of series that
                                   are of many things, whose mix changes: */
#define LEAST_MIX 1.4
#define BEYOND    1.3
#define WORSE     0.69          /* more than was found: it is found again */
#define SPREADS   6.0
#define SHRINK    40.0          /* calls: what an hour's own mean weighs */
#define PAST      28            /* days */
#define OPEN_DAYS 21

static const size_t  windows[WINDOWS] = { 3, 12, 48 };

typedef struct {
    double  calls, log, cost, input;
} sum_t;

typedef struct {
    anomaly_past_t          past;
    series_cell_t          *cell;
    bool                   *odd;        /* hours of what was found */
    double                 *base;       /* of hours: the mean's, by then */
    double                 *r[WINDOWS]; /* by hour; NAN: found, or few calls */
    double                 *u[WINDOWS]; /* likewise, in standard errors: as
                                           calls of a session are not
                                           independent, high in some */
    double                 *looks;
    double                  least;      /* LEAST or LEAST_MIX */
    double                  within;     /* spread of single calls */
    double                  a_call;     /* nano-dollars, usually */
    double                  tokens;     /* likewise */
    double                  a_day;      /* calls, likewise */
    double                  found;      /* as it was found */
    double                  hour[2][24];
    bool                    open;
    anomaly_t               now;
} tokens_t;


/* What the days before d say. */
static void
tokens_learn(tokens_t *p, size_t d)
{
    sum_t           all = { 0 }, by[2][24];
    double          log2 = 0, mean;
    const series_cell_t  *c;
    sum_t          *to;

    memset(by, 0, sizeof(by));

    for (size_t t = d > PAST ? 24 * (d - PAST) : 0; t < 24 * d; t++) {
        c = &p->cell[t];
        if (p->odd[t] || c->calls == 0) {
            continue;
        }

        to = &by[stat_weekday(p->past.day0 + (int64_t) (t / 24)) >= 5][t % 24];
        to->calls += c->calls;
        to->log += (double) c->log1;
        all.calls += c->calls;
        all.log += (double) c->log1;
        all.cost += (double) c->cost;
        all.input += (double) c->input;
        log2 += (double) c->log2;
    }

    mean = all.calls > 0 ? all.log / all.calls : NAN;
    p->within = all.calls > 0
                ? sqrt(fmax(0.01, log2 / all.calls - mean * mean)) : NAN;
    p->a_call = all.calls > 0 ? all.cost / all.calls : NAN;
    p->tokens = all.calls > 0 ? all.input / all.calls : NAN;
    p->a_day = all.calls / (double) (d > PAST ? PAST : d);

    for (unsigned w = 0; w < 2; w++) {
        for (unsigned h = 0; h < 24; h++) {
            p->hour[w][h] = (by[w][h].log + SHRINK * mean)
                            / (by[w][h].calls + SHRINK);
        }
    }
}


/* Whether at t so much of window w is more than what was there before. */
static bool
tokens_beyond(tokens_t *p, size_t t, unsigned w, double d, double u)
{
    size_t  to = t + 1 - windows[w], from, n = 0;
    double  most = 0, furthest = 0, mid, spread;

    from = to > 24 * ANOMALY_LOOKS ? to - 24 * ANOMALY_LOOKS : 0;

    for (size_t i = from; i < to; i++) {
        if (!isnan(p->r[w][i])) {
            p->looks[n++] = p->u[w][i];
            most = fmax(most, p->r[w][i]);
            furthest = fmax(furthest, p->u[w][i]);
        }
    }

    if (n < 24 * 4) {
        return d > 2 * p->least && u > 10;
    }

    mid = stat_median(p->looks, n);
    spread = stat_spread(p->looks, n, mid);

    return d > BEYOND * most && u > BEYOND * furthest && u > 5
           && u > mid + SPREADS * spread;
}


static bool
tokens_end(tokens_t *p, anomalies_t *all, bool open)
{
    size_t      from = (size_t) (p->now.since - p->past.day0 * 24);
    size_t      to = (size_t) (p->now.last - p->past.day0 * 24);
    double      input = 0, calls = 0;

    for (size_t t = from; t <= to; t++) {
        input += (double) p->cell[t].input;
        calls += p->cell[t].calls;
    }

    p->now.now = calls > 0 ? input / calls : 0;
    p->now.open = open;
    p->open = false;

    return anomaly_add(all, &p->now);
}


static int
tokens_above(const void *data, size_t t)
{
    const tokens_t       *p = data;
    const series_cell_t  *c = &p->cell[t];

    return c->calls == 0 ? -1
           : (double) c->log1 / c->calls - p->base[t] > p->found / 2;
}


static void
tokens_begin(tokens_t *p, size_t t, unsigned w, double d, double excess)
{
    size_t  since;

    p->found = d;
    p->open = true;
    since = anomaly_since(p, tokens_above, t, 2 * windows[w]);
    anomaly_begin(&p->now, ANOMALY_TOKENS, &p->past, since, t, exp(d));
    p->now.usual = p->tokens;
    p->now.excess = excess;

    for (size_t i = since; i <= t; i++) {
        p->odd[i] = true;
    }
}


static bool
tokens_look(tokens_t *p, size_t t, anomalies_t *all)
{
    double                d, u, excess, worth;
    sum_t                 sum;
    const series_cell_t  *c;
    int64_t               hour = anomaly_hour(&p->past, t);

    worth = anomaly_worth(p->past.scope, hour);

    for (unsigned w = 0; w < WINDOWS; w++) {
        if (t + 1 < 24 * ANOMALY_DAYS + windows[w]) {
            continue;
        }

        memset(&sum, 0, sizeof(sum));

        for (size_t i = t + 1 - windows[w]; i <= t; i++) {
            c = &p->cell[i];
            sum.calls += c->calls;
            sum.cost += (double) c->cost;
            sum.log += c->calls == 0 ? 0
                       : (double) c->log1 - c->calls * p->base[i];
        }

        if (sum.calls < fmax(CALLS, PART * p->a_day) || isnan(sum.log)) {
            continue;
        }

        d = sum.log / sum.calls;
        u = d * sqrt(sum.calls) / p->within;

        if (p->open && w == 1 && d > LEAST / 2) {
            p->now.last = hour;
            p->odd[t] = true;
        }

        if (!p->open) {
            p->r[w][t] = d;
            p->u[w][t] = u;
        }

        excess = (sum.cost - sum.calls * p->a_call)
                 * fmin(1.0, 24.0 / (double) windows[w]);

        if (excess < worth / 2 || d < p->least
            || (p->open && d < p->found + WORSE)
            || !tokens_beyond(p, t, w, d, u))
        {
            continue;
        }

        if (p->open && !tokens_end(p, all, false)) {
            return false;
        }

        tokens_begin(p, t, w, d, excess);
    }

    return true;
}


static bool
tokens_days(tokens_t *p, anomalies_t *all)
{
    size_t   t;
    int64_t  hour;

    for (size_t d = ANOMALY_DAYS; d < p->past.ndays; d++) {
        tokens_learn(p, d);

        for (unsigned h = 0; h < 24; h++) {
            t = 24 * d + h;
            if (t >= p->past.nhours) {
                break;
            }

            hour = anomaly_hour(&p->past, t);
            p->base[t] = p->hour[stat_weekday(p->past.day0
                                              + (int64_t) d) >= 5][h];

            if (!tokens_look(p, t, all)) {
                return false;
            }

            if (p->open
                && (hour - p->now.last >= 48
                    || hour - p->now.found > 24 * OPEN_DAYS))
            {
                if (!tokens_end(p, all, false)) {
                    return false;
                }

                /* What has stayed for so long is what is usual. */
                if (hour - p->now.found > 24 * OPEN_DAYS) {
                    memset(p->odd, 0, 24 * p->past.ndays * sizeof(bool));
                }
            }
        }
    }

    return !p->open || tokens_end(p, all, true);
}


bool
anomaly_tokens(anomalies_t *all, series_set_t *set, uint32_t i,
    const anomaly_scope_t *scope)
{
    bool      ok;
    tokens_t  p;

    memset(&p, 0, sizeof(p));

    if (!anomaly_past(&p.past, set, i, scope)) {
        return true;
    }

    p.least = anomaly_narrow(p.past.s) ? LEAST : LEAST_MIX;
    p.cell = calloc(24 * p.past.ndays, sizeof(series_cell_t));
    p.odd = calloc(24 * p.past.ndays, sizeof(bool));
    p.base = calloc(24 * p.past.ndays, (2 + 2 * WINDOWS) * sizeof(double));
    ok = p.cell != NULL && p.odd != NULL && p.base != NULL;

    for (size_t t = 0; ok && t < 24 * p.past.ndays; t++) {
        p.base[t] = NAN;
        for (unsigned w = 0; w < WINDOWS; w++) {
            p.r[w] = p.base + (2 + 2 * w) * 24 * p.past.ndays;
            p.u[w] = p.r[w] + 24 * p.past.ndays;
            p.r[w][t] = NAN;
        }
        if (t < p.past.nhours) {
            p.cell[t] = series_get(p.past.s, anomaly_hour(&p.past, t));
        }
    }

    if (ok) {
        p.looks = p.base + 24 * p.past.ndays;
        ok = tokens_days(&p, all);
    }

    free(p.cell);
    free(p.odd);
    free(p.base);

    return ok;
}
