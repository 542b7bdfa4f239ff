/*
 * forecast.h - what will be spent, by what was: a level, its growth, the days
 * of the week, and what forecasts like it would have been wrong by.
 */

#ifndef FORECAST_H
#define FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORECAST_DAYS   21      /* that are needed */
#define FORECAST_LEVEL  80      /* percent of what comes lies in the interval */

typedef struct {
    double    sum;              /* of the days to come */
    double    low, high;
    unsigned  tested;           /* forecasts as long as this one, made of the
                                   days before; 0: the interval is a guess */
    unsigned  within;           /* that had what came in their interval */
} forecast_t;

/*
 * hours: 24 values a day, of `days` whole days from day number `day0` on.  The
 * sum of the `ahead` days that follow.
 */
double forecast_sum(const double *hours, size_t days, int64_t day0,
    size_t ahead);

/* The same with an interval. False: no memory, or too few days. */
bool forecast_make(forecast_t *f, const double *hours, size_t days,
    int64_t day0, size_t ahead);

#endif /* FORECAST_H */
