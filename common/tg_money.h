/*
 * tg_money.h - money is int64 nano-dollars; prices are femto-dollars a unit.
 *
 * 1 dollar = 1e9 nano-dollars (nusd) = 1e15 femto-dollars (fusd).  Sums
 * saturate at INT64_MAX (and INT64_MIN) and never wrap.
 */

#ifndef TG_MONEY_H
#define TG_MONEY_H

#include "tg_str.h"

#define TG_NUSD_PER_USD  INT64_C(1000000000)
#define TG_FUSD_PER_NUSD INT64_C(1000000)

#define TG_PPM           1000000

/* "-9223372036.854775808" and a NUL fit. */
#define TG_MONEY_TEXT_MAX  24

/* a + b, saturating. */
static inline int64_t
tg_money_add(int64_t a, int64_t b)
{
    int64_t  sum;

    if (__builtin_add_overflow(a, b, &sum)) {
        return a < 0 ? INT64_MIN : INT64_MAX;
    }

    return sum;
}

/* a - b, saturating. */
static inline int64_t
tg_money_less(int64_t a, int64_t b)
{
    int64_t  left;

    if (__builtin_sub_overflow(a, b, &left)) {
        return a < 0 ? INT64_MIN : INT64_MAX;
    }

    return left;
}

/* units x fusd, rounded half away from zero to nano-dollars, saturating. */
int64_t tg_money_cost(int64_t units, int64_t fusd);

/*
 * units / per x fusd x keep / TG_PPM, computed exactly and rounded once, half
 * away from zero, to nano-dollars, saturating.  `per` is 1 to 1000 (thousandths
 * of a second, say); `keep` is what a discount leaves, 0 to TG_PPM.
 */
int64_t tg_money_charge(int64_t units, int64_t per, int64_t fusd,
    int64_t keep);

/* The same, rounded up: for bounds. units and fusd are not negative. */
int64_t tg_money_ceil(int64_t units, int64_t fusd, int64_t keep);

/* Dollars with as many decimals as needed, none trailing: "0.000123", "12".
 * Exact.  Returns the length; buf holds TG_MONEY_TEXT_MAX. */
size_t tg_money_text(char *buf, int64_t nusd);

/*
 * Parses a decimal number of dollars ("0.0025", "1.5e-07") exactly into units
 * of 10^-scale dollars (scale 9: nusd, 15: fusd), rounding half away from zero.
 * -1 where s is not a JSON number, has a minus sign, or does not fit.
 */
int64_t tg_money_parse(tg_str_t s, int scale);

#endif /* TG_MONEY_H */
