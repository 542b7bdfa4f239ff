#include "tg_rfc3339.h"

/* The number in s[at, at + n), -1 where one of the bytes is no digit. */
static int64_t
tg_rfc3339_digits(tg_str_t s, size_t at, size_t n)
{
    return at + n > s.len ? -1 : tg_str_int(tg_str_of(s.p + at, n));
}


static bool
tg_rfc3339_is(tg_str_t s, size_t at, char c)
{
    return at < s.len && tg_lower(s.p[at]) == c;
}


static int64_t
tg_rfc3339_month_days(int64_t y, int64_t m)
{
    static const int64_t  days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
                                     31 };
    bool                  leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);

    return m == 2 && leap ? 29 : days[m - 1];
}


/* Days since 1970-01-01; the year begins in March, February ends it. */
static int64_t
tg_rfc3339_days(int64_t y, int64_t m, int64_t d)
{
    int64_t  doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

    y -= m <= 2;

    return y * 365 + y / 4 - y / 100 + y / 400 + doy - 719468;
}


/* "Z" or "+hh:mm", which is all of s from `at`: minutes; -10000 if neither. */
static int64_t
tg_rfc3339_offset(tg_str_t s, size_t at)
{
    int64_t  hours, minutes;

    if (tg_rfc3339_is(s, at, 'z') && at + 1 == s.len) {
        return 0;
    }

    if (at + 6 != s.len || !tg_rfc3339_is(s, at + 3, ':')
        || (s.p[at] != '+' && s.p[at] != '-'))
    {
        return -10000;
    }

    hours = tg_rfc3339_digits(s, at + 1, 2);
    minutes = tg_rfc3339_digits(s, at + 4, 2);

    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        return -10000;
    }

    return s.p[at] == '-' ? -(hours * 60 + minutes) : hours * 60 + minutes;
}


/* ".123456" at *at, which moves behind it: milliseconds; -1 where wrong. */
static int64_t
tg_rfc3339_fraction(tg_str_t s, size_t *at)
{
    int64_t  ms = 0, unit = 100;
    size_t   i = *at;

    if (!tg_rfc3339_is(s, i, '.')) {
        return 0;
    }

    for (i++; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
        ms += unit * (s.p[i] - '0');
        unit /= 10;
    }

    if (i == *at + 1) {
        return -1;
    }

    *at = i;

    return ms;
}


int64_t
tg_rfc3339_parse(tg_str_t s)
{
    int64_t  y, mon, d, h, min, sec, ms, offset, t;
    size_t   at = 19;

    y = tg_rfc3339_digits(s, 0, 4);
    mon = tg_rfc3339_digits(s, 5, 2);
    d = tg_rfc3339_digits(s, 8, 2);
    h = tg_rfc3339_digits(s, 11, 2);
    min = tg_rfc3339_digits(s, 14, 2);
    sec = tg_rfc3339_digits(s, 17, 2);

    if (!tg_rfc3339_is(s, 4, '-') || !tg_rfc3339_is(s, 7, '-')
        || !(tg_rfc3339_is(s, 10, 't') || tg_rfc3339_is(s, 10, ' '))
        || !tg_rfc3339_is(s, 13, ':') || !tg_rfc3339_is(s, 16, ':'))
    {
        return -1;
    }

    if (y < 1969 || mon < 1 || mon > 12 || d < 1
        || d > tg_rfc3339_month_days(y, mon) || h < 0 || h > 23 || min < 0
        || min > 59 || sec < 0 || sec > 60)
    {
        return -1;
    }

    ms = tg_rfc3339_fraction(s, &at);
    if (ms < 0) {
        return -1;
    }

    offset = tg_rfc3339_offset(s, at);
    if (offset == -10000) {
        return -1;
    }

    t = ((tg_rfc3339_days(y, mon, d) * 24 + h) * 60 + min - offset) * 60 + sec;

    return t < 0 ? -1 : t * 1000 + ms;
}
