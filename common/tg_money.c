#include "tg_money.h"

__extension__ typedef __int128  tg_int128_t;

#define TG_EXPONENT_MAX  1000000000


/* A decimal number, as its digits and where the point belongs. */
typedef struct {
    const char  *p;
    size_t       len;           /* of integer, point and fraction */
    int64_t      digits;
    int64_t      fraction;      /* how many of them follow the point */
    int64_t      exponent;
} tg_decimal_t;


static int64_t
tg_money_clamp(tg_int128_t v)
{
    if (v > INT64_MAX) {
        return INT64_MAX;
    }

    return v < INT64_MIN ? INT64_MIN : (int64_t) v;
}


/*
 * The quotient and the remainder are scaled apart, so that nothing overflows:
 * |product| < 2^126, quotient x keep < 2^107, remainder x keep < 2^70.
 */
int64_t
tg_money_charge(int64_t units, int64_t per, int64_t fusd, int64_t keep)
{
    int64_t      small;
    tg_int128_t  product, divisor, whole, rest, half;

    if (keep == TG_PPM && per == 1
        && !__builtin_mul_overflow(units, fusd, &small)
        && small >= 0 && small <= INT64_MAX - TG_FUSD_PER_NUSD)
    {
        return (small + TG_FUSD_PER_NUSD / 2) / TG_FUSD_PER_NUSD;
    }

    product = (tg_int128_t) units * fusd;
    divisor = (tg_int128_t) TG_FUSD_PER_NUSD * TG_PPM * per;
    half = product < 0 ? -(divisor / 2) : divisor / 2;

    whole = product / divisor * keep;
    rest = product % divisor * keep;

    return tg_money_clamp(whole + (rest + half) / divisor);
}


int64_t
tg_money_ceil(int64_t units, int64_t fusd, int64_t keep)
{
    tg_int128_t  product, divisor, rest;

    product = (tg_int128_t) units * fusd;
    divisor = (tg_int128_t) TG_FUSD_PER_NUSD * TG_PPM;
    rest = product % divisor * keep;

    return tg_money_clamp(product / divisor * keep
                          + (rest + divisor - 1) / divisor);
}


int64_t
tg_money_cost(int64_t units, int64_t fusd)
{
    return tg_money_charge(units, 1, fusd, TG_PPM);
}


static char *
tg_money_digits(char *p, uint64_t v)
{
    char    text[20];
    size_t  n = 0;

    do {
        text[n++] = (char) ('0' + v % 10);
        v /= 10;
    } while (v != 0);

    while (n > 0) {
        *p++ = text[--n];
    }

    return p;
}


size_t
tg_money_text(char *buf, int64_t nusd)
{
    char      *p = buf;
    uint64_t   v, fraction, unit;

    v = nusd < 0 ? 0 - (uint64_t) nusd : (uint64_t) nusd;

    if (nusd < 0) {
        *p++ = '-';
    }

    p = tg_money_digits(p, v / (uint64_t) TG_NUSD_PER_USD);
    fraction = v % (uint64_t) TG_NUSD_PER_USD;

    if (fraction != 0) {
        *p++ = '.';

        for (unit = (uint64_t) TG_NUSD_PER_USD / 10; fraction != 0; unit /= 10)
        {
            *p++ = (char) ('0' + fraction / unit);
            fraction %= unit;
        }
    }

    *p = '\0';

    return (size_t) (p - buf);
}


static bool
tg_decimal_digit(tg_str_t s, size_t i)
{
    return i < s.len && s.p[i] >= '0' && s.p[i] <= '9';
}


/* The exponent from s.p[i], just after the 'e'; false where it is malformed. */
static bool
tg_decimal_exponent(tg_str_t s, size_t i, int64_t *exponent)
{
    bool     minus;
    int64_t  v = 0;

    minus = i < s.len && s.p[i] == '-';

    if (minus || (i < s.len && s.p[i] == '+')) {
        i++;
    }

    if (!tg_decimal_digit(s, i)) {
        return false;
    }

    for ( /* void */ ; tg_decimal_digit(s, i); i++) {
        if (v < TG_EXPONENT_MAX) {
            v = v * 10 + (s.p[i] - '0');
        }
    }

    *exponent = minus ? -v : v;

    return i == s.len;
}


/* RFC 8259 section 6, without the minus sign. */
static bool
tg_decimal_scan(tg_str_t s, tg_decimal_t *d)
{
    size_t  i = 0, point;

    if (!tg_decimal_digit(s, 0)) {
        return false;
    }

    do {
        i++;
    } while (s.p[0] != '0' && tg_decimal_digit(s, i));

    d->digits = (int64_t) i;
    d->fraction = 0;
    d->exponent = 0;

    if (i < s.len && s.p[i] == '.') {
        point = i++;

        while (tg_decimal_digit(s, i)) {
            i++;
        }

        if (i == point + 1) {
            return false;
        }

        d->fraction = (int64_t) (i - point - 1);
        d->digits += d->fraction;
    }

    d->p = s.p;
    d->len = i;

    if (i == s.len) {
        return true;
    }

    return (s.p[i] == 'e' || s.p[i] == 'E')
           && tg_decimal_exponent(s, i + 1, &d->exponent);
}


/*
 * The first `keep` digits are the result; the one after them rounds it.  Only
 * that one is needed to round a half away from zero.
 */
static int64_t
tg_decimal_round(const tg_decimal_t *d, int64_t keep)
{
    int64_t  v = 0, n = 0, up;

    for (size_t i = 0; i < d->len && n <= keep; i++) {
        if (d->p[i] == '.') {
            continue;
        }

        if (n == keep) {
            up = d->p[i] >= '5';
            return __builtin_add_overflow(v, up, &v) ? -1 : v;
        }

        if (__builtin_mul_overflow(v, (int64_t) 10, &v)
            || __builtin_add_overflow(v, (int64_t) (d->p[i] - '0'), &v))
        {
            return -1;
        }

        n++;
    }

    for ( /* void */ ; n < keep && v != 0; n++) {
        if (__builtin_mul_overflow(v, (int64_t) 10, &v)) {
            return -1;
        }
    }

    return v;
}


int64_t
tg_money_parse(tg_str_t s, int scale)
{
    tg_decimal_t  d;

    if (!tg_decimal_scan(s, &d)) {
        return -1;
    }

    return tg_decimal_round(&d, d.digits - d.fraction + d.exponent + scale);
}
