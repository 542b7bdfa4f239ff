#include "series_stat.h"

#include "tg_window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHRINK  2.0             /* days: what a weekday's own factor weighs
                                   against that of its kind of day */


static int
ascending(const void *a, const void *b)
{
    const double  *one = a, *two = b;

    return *one < *two ? -1 : *one > *two;
}


double
stat_quantile(double *v, size_t n, double q)
{
    double  at;
    size_t  i;

    if (n == 0) {
        return NAN;
    }

    qsort(v, n, sizeof(double), ascending);

    at = q * (double) (n - 1);
    i = (size_t) at;

    return i + 1 >= n ? v[n - 1] : v[i] + (at - (double) i) * (v[i + 1] - v[i]);
}


double
stat_median(double *v, size_t n)
{
    return stat_quantile(v, n, 0.5);
}


double
stat_spread(double *v, size_t n, double centre)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = fabs(v[i] - centre);
    }

    return 1.4826 * stat_median(v, n);
}


unsigned
stat_weekday(int64_t day)
{
    /* 1970-01-01 was a Thursday. */
    return (unsigned) (((day + 3) % 7 + 7) % 7);
}


/* By which each weekday differs from the mean of the week around it. */
static void
course_dow(stat_course_t *c, const double *total, size_t n, int64_t first)
{
    double    ratio[7][STAT_DAYS], all[2][STAT_DAYS], mean, kind[2], sum = 0;
    size_t    nratio[7] = { 0 }, nall[2] = { 0 }, from, to;
    unsigned  k, w;

    for (size_t i = 0; n >= 7 && i < n; i++) {
        from = i < 3 ? 0 : i + 4 > n ? n - 7 : i - 3;
        to = from + 7;
        mean = 0;

        for (size_t j = from; j < to; j++) {
            mean += total[j] / 7;
        }

        if (mean > 0) {
            k = stat_weekday(first + (int64_t) i);
            w = k >= 5;
            ratio[k][nratio[k]++] = total[i] / mean;
            all[w][nall[w]++] = total[i] / mean;
        }
    }

    for (w = 0; w < 2; w++) {
        kind[w] = nall[w] == 0 ? 1.0 : stat_median(all[w], nall[w]);
    }

    for (k = 0; k < 7; k++) {
        w = k >= 5;
        c->dow[k] = nratio[k] == 0 ? kind[w]
                    : ((double) nratio[k] * stat_median(ratio[k], nratio[k])
                       + SHRINK * kind[w]) / ((double) nratio[k] + SHRINK);
        sum += c->dow[k];
    }

    for (k = 0; k < 7; k++) {
        c->dow[k] = sum > 0 ? c->dow[k] * 7 / sum : 1.0;
    }
}


static void
course_share(stat_course_t *c, const double *hours, const double *total,
    size_t n, int64_t first)
{
    size_t    days[2] = { 0 };
    unsigned  w;

    memset(c->share, 0, sizeof(c->share));

    for (size_t i = n > 28 ? n - 28 : 0; i < n; i++) {
        if (total[i] <= 0) {
            continue;
        }

        w = stat_weekday(first + (int64_t) i) >= 5;
        days[w]++;

        for (unsigned h = 0; h < 24; h++) {
            c->share[w][h] += hours[i * 24 + h] / total[i];
        }
    }

    for (w = 0; w < 2; w++) {
        for (unsigned h = 0; h < 24; h++) {
            c->share[w][h] = days[w] == 0 ? 1.0 / 24
                                          : c->share[w][h] / (double) days[w];
        }
    }
}


void
stat_course(stat_course_t *c, const double *hours, size_t days, int64_t today)
{
    double   total[STAT_DAYS], level[STAT_DAYS], v[STAT_DAYS], m[3];
    size_t   n = days > STAT_DAYS ? STAT_DAYS : days, span;
    int64_t  first = today - (int64_t) n;

    hours += 24 * (days - n);
    memset(c, 0, sizeof(*c));
    c->days = n;

    if (n == 0) {
        return;
    }

    for (size_t i = 0; i < n; i++) {
        total[i] = 0;
        for (unsigned h = 0; h < 24; h++) {
            total[i] += hours[i * 24 + h];
        }
    }

    course_dow(c, total, n, first);
    course_share(c, hours, total, n, first);

    /* A day that is next to nothing of a week says next to nothing of it. */
    for (size_t i = 0; i < n; i++) {
        level[i] = total[i] / fmax(c->dow[stat_weekday(first + (int64_t) i)],
                                   0.2);
    }

    for (unsigned k = 0; k < 3; k++) {
        span = k == 0 ? 7 : k == 1 ? 28 : n;
        span = span > n ? n : span;
        memcpy(v, level + n - span, span * sizeof(double));
        m[k] = stat_median(v, span);
    }

    c->plain = m[1];
    c->level = fmax(m[0], fmax(m[1], m[2]));
}


double
stat_expect(const stat_course_t *c, int64_t hour)
{
    int64_t   day = hour / 24 - (hour % 24 < 0);
    unsigned  k = stat_weekday(day);

    return c->level * c->dow[k] * c->share[k >= 5][hour - day * 24];
}


bool
stat_month_turns(int64_t day)
{
    tg_window_t       w;
    tg_window_spec_t  month = { TG_WINDOW_MONTH, 0 };

    tg_window_at(&month, NULL, day * 86400000, &w);

    return w.start / 86400000 == day || w.end / 86400000 - day <= 2;
}
