#include "forecast.h"

#include "series/series_stat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROWTH_MOST  0.01       /* of the logarithm, a day */
#define DAMPED       0.98       /* of growth, each day ahead */
#define LEVEL_DAYS   14
#define TESTS        8          /* that make an interval */
#define LEAST_ERROR  0.03
#define QUANTILE     1.2816     /* of FORECAST_LEVEL */
#define GUESS        0.25       /* error of a month ahead, without any test */


/* ln a day: Theil and Sen's slope of weeks' medians. */
static double
growth(const double *x, size_t n)
{
    size_t  weeks = n / 7 > STAT_WEEKS ? STAT_WEEKS : n / 7, pairs = 0;
    double  week[STAT_WEEKS], slope[STAT_WEEKS * STAT_WEEKS], v[7], g;

    if (weeks < 3) {
        return 0;
    }

    for (size_t w = 0; w < weeks; w++) {
        memcpy(v, x + n - 7 * (weeks - w), sizeof(v));
        week[w] = stat_median(v, 7);
    }

    for (size_t i = 0; i < weeks; i++) {
        for (size_t k = i + 1; k < weeks; k++) {
            if (week[i] > 0 && week[k] > 0) {
                slope[pairs++] = log(week[k] / week[i])
                                 / (7.0 * (double) (k - i));
            }
        }
    }

    g = pairs == 0 ? 0 : stat_median(slope, pairs);

    /* Of few weeks only some of it is believed. */
    g *= (double) weeks / STAT_WEEKS;

    return fmax(-GROWTH_MOST, fmin(GROWTH_MOST, g));
}


/* By which a month's turn differs, of what was seen of it. */
static double
turn_factor(const double *x, size_t n, int64_t first, double level)
{
    double  v[STAT_DAYS], f;
    size_t  seen = 0;

    for (size_t i = 0; i < n; i++) {
        if (stat_month_turns(first + (int64_t) i)) {
            v[seen++] = x[i];
        }
    }

    if (seen < 3 || level <= 0) {
        return 1;
    }

    f = stat_median(v, seen) / level;

    return (f * (double) seen + 3) / ((double) seen + 3);
}


double
forecast_sum(const double *hours, size_t days, int64_t day0, size_t ahead)
{
    double         x[STAT_DAYS], v[STAT_DAYS], level, g, turn, past;
    double         mean = 0, k = LEVEL_DAYS / 2.0, damp = 1, sum = 0;
    size_t         n = days > STAT_DAYS ? STAT_DAYS : days, span;
    int64_t        today = day0 + (int64_t) days, first = today - (int64_t) n;
    stat_course_t  c;

    if (n == 0) {
        return 0;
    }

    stat_course(&c, hours, days, today);

    for (size_t i = 0; i < n; i++) {
        x[i] = 0;
        for (unsigned h = 0; h < 24; h++) {
            x[i] += hours[24 * (days - n + i) + h];
        }
        x[i] /= fmax(c.dow[stat_weekday(first + (int64_t) i)], 0.05);
    }

    /* A holiday's weekday is no weekday; a level is what most days have. */
    span = n < LEVEL_DAYS ? n : LEVEL_DAYS;
    memcpy(v, x + n - span, span * sizeof(double));
    level = stat_median(v, span);
    g = growth(x, n);

    /* Sums are of means, and single days are much above others. */
    span = n < 28 ? n : 28;

    for (size_t i = n - span; i < n; i++) {
        past = level * exp(g * ((double) i - (double) n + LEVEL_DAYS / 2.0));
        mean += past > 0 ? fmin(x[i] / past, 4) / (double) span : 0;
    }

    turn = turn_factor(x, n, first, level);
    mean = level <= 0 ? 1 : fmax(0.7, fmin(1.5, mean));

    for (size_t i = 0; i < ahead; i++) {
        k += damp;
        damp *= DAMPED;
        sum += level * mean * exp(g * k)
               * c.dow[stat_weekday(today + (int64_t) i)]
               * (stat_month_turns(today + (int64_t) i) ? turn : 1);
    }

    return sum;
}


/* What is known of errors: those of forecasts that were over by day `by`. */
static double
error_of(const double *e, size_t by, size_t span, size_t ahead)
{
    double    sum = 0, rms, apart;
    unsigned  n = 0;

    for (size_t o = FORECAST_DAYS; o + span <= by; o++) {
        sum += e[o] * e[o];
        n++;
    }

    if (n < TESTS) {
        return NAN;
    }

    rms = fmax(LEAST_ERROR, sqrt(sum / n));
    apart = (double) n / (double) span;         /* that do not overlap */

    return rms * (1 + 0.5 / fmax(1.0, apart))
           * sqrt((double) ahead / (double) span);
}


bool
forecast_make(forecast_t *f, const double *hours, size_t days, int64_t day0,
    size_t ahead)
{
    size_t   span = ahead;
    double   is, was, s, *e;

    memset(f, 0, sizeof(*f));

    if (days < FORECAST_DAYS || ahead == 0) {
        return ahead == 0;
    }

    f->sum = forecast_sum(hours, days, day0, ahead);

    /* Where the past is too short for as long a forecast, by shorter ones. */
    while (span > 1 && FORECAST_DAYS + span + TESTS > days) {
        span--;
    }

    e = calloc(days + 1, sizeof(double));
    if (e == NULL) {
        return false;
    }

    for (size_t o = FORECAST_DAYS; o + span <= days; o++) {
        is = 0;
        for (size_t t = 24 * o; t < 24 * (o + span); t++) {
            is += hours[t];
        }

        was = forecast_sum(hours, o, day0, span);
        e[o] = is > 0 && was > 0 ? log(is / was) : 0;
        s = error_of(e, o, span, span);

        if (!isnan(s)) {
            f->tested++;
            f->within += fabs(e[o]) <= QUANTILE * s;
        }
    }

    s = error_of(e, days, span, ahead);
    if (isnan(s)) {
        s = GUESS * sqrt((double) ahead / 30);
    }

    f->low = f->sum * exp(-QUANTILE * s);
    f->high = f->sum * exp(QUANTILE * s);
    free(e);

    return true;
}
