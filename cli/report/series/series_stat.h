/*
 * series_stat.h - statistics that single wild values can't move much.
 */

#ifndef SERIES_STAT_H
#define SERIES_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both put v in another order. NAN of none. */
double stat_median(double *v, size_t n);
double stat_quantile(double *v, size_t n, double q);    /* q from 0 to 1 */

/* The median distance from `centre`, scaled so that it is the standard
 * deviation of what is normally distributed. v is overwritten. */
double stat_spread(double *v, size_t n, double centre);

/*
 * A day's usual course, of the days before it alone: a level (of a day), by
 * which each day of the week differs, and how its hours share it.
 */
#define STAT_WEEKS  8

typedef struct {
    double  level;              /* of a mean day: the highest of the medians of
                                   the last week, four weeks, and all */
    double  plain;              /* the median of four weeks */
    double  dow[7];             /* from Monday; about 1 in the mean */
    double  share[2][24];       /* workdays', weekends'; each sums up to 1 */
    size_t  days;               /* it was learned from */
} stat_course_t;

#define STAT_DAYS  (7 * STAT_WEEKS)

/*
 * hours: 24 values a day, of `days` days, the last of them yesterday; today is
 * day number `today` since 1970-01-01.  The last STAT_DAYS count.
 */
void stat_course(stat_course_t *c, const double *hours, size_t days,
    int64_t today);

/* What is to be expected of an hour. */
double stat_expect(const stat_course_t *c, int64_t hour);

/* 0: Monday. */
unsigned stat_weekday(int64_t day);

/* A month's last two days and its first. */
bool stat_month_turns(int64_t day);

#endif /* SERIES_STAT_H */
