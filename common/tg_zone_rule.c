#include "tg_window_int.h"

/* The rule after the last transition: a POSIX TZ string with the extensions of
 * RFC 8536, section 3.3.1: "CET-1CEST,M3.5.0,M10.5.0/3". */

typedef struct {
    const char  *p, *end;
} tg_zone_text_t;


static bool
tg_zone_skip(tg_zone_text_t *s, char c)
{
    if (s->p < s->end && *s->p == c) {
        s->p++;
        return true;
    }

    return false;
}


static bool
tg_zone_number(tg_zone_text_t *s, int32_t least, int32_t most, int32_t *n)
{
    const char  *start = s->p;

    *n = 0;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
        *n = *n * 10 + (*s->p++ - '0');

        if (*n > most) {
            return false;
        }
    }

    return s->p > start && *n >= least;
}


static bool
tg_zone_is_letter(char c)
{
    c = tg_lower(c);

    return c >= 'a' && c <= 'z';
}


/* "CET", "<+03>" */
static bool
tg_zone_name(tg_zone_text_t *s)
{
    const char  *start;

    if (tg_zone_skip(s, '<')) {
        start = s->p;

        while (s->p < s->end && *s->p != '>') {
            s->p++;
        }

        return s->p - start >= 3 && tg_zone_skip(s, '>');
    }

    start = s->p;

    while (s->p < s->end && tg_zone_is_letter(*s->p)) {
        s->p++;
    }

    return s->p - start >= 3;
}


/* [+-]hh[:mm[:ss]] */
static bool
tg_zone_time(tg_zone_text_t *s, int32_t hours, int32_t *seconds)
{
    bool     minus = tg_zone_skip(s, '-');
    int32_t  n;

    if (!minus) {
        (void) tg_zone_skip(s, '+');
    }

    if (!tg_zone_number(s, 0, hours, &n)) {
        return false;
    }

    *seconds = n * 3600;

    if (tg_zone_skip(s, ':')) {
        if (!tg_zone_number(s, 0, 59, &n)) {
            return false;
        }

        *seconds += n * 60;

        if (tg_zone_skip(s, ':')) {
            if (!tg_zone_number(s, 0, 59, &n)) {
                return false;
            }

            *seconds += n;
        }
    }

    *seconds = minus ? -*seconds : *seconds;

    return true;
}


static bool
tg_zone_date(tg_zone_text_t *s, tg_zone_date_t *d)
{
    bool  ok;

    if (!tg_zone_skip(s, ',')) {
        return false;
    }

    if (tg_zone_skip(s, 'M')) {
        d->kind = TG_ZONE_WEEK;
        ok = tg_zone_number(s, 1, 12, &d->month) && tg_zone_skip(s, '.')
             && tg_zone_number(s, 1, 5, &d->week) && tg_zone_skip(s, '.')
             && tg_zone_number(s, 0, 6, &d->day);

    } else if (tg_zone_skip(s, 'J')) {
        d->kind = TG_ZONE_JULIAN;
        ok = tg_zone_number(s, 1, 365, &d->day);

    } else {
        d->kind = TG_ZONE_DAY;
        ok = tg_zone_number(s, 0, 365, &d->day);
    }

    d->time = 7200;

    if (ok && tg_zone_skip(s, '/')) {
        ok = tg_zone_time(s, 167, &d->time);
    }

    return ok;
}


int
tg_zone_rule(tg_str_t text, tg_zone_t *z)
{
    tg_zone_text_t  s = { text.p, text.p + text.len };

    if (text.len == 0) {
        return TG_OK;
    }

    if (!tg_zone_name(&s) || !tg_zone_time(&s, 24, &z->std)) {
        return TG_ERROR;
    }

    /* POSIX counts west of Greenwich. */
    z->std = -z->std;
    z->has_rule = true;

    if (s.p == s.end) {
        return TG_OK;
    }

    z->has_dst = true;
    z->dst = z->std + 3600;

    if (!tg_zone_name(&s)) {
        return TG_ERROR;
    }

    if (s.p < s.end && *s.p != ',') {
        if (!tg_zone_time(&s, 24, &z->dst)) {
            return TG_ERROR;
        }

        z->dst = -z->dst;
    }

    if (!tg_zone_date(&s, &z->start) || !tg_zone_date(&s, &z->end)
        || s.p != s.end)
    {
        return TG_ERROR;
    }

    return TG_OK;
}


static bool
tg_zone_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}


/* When, as seconds since the epoch of a clock that shows local time. */
static int64_t
tg_zone_date_local(const tg_zone_date_t *d, int64_t year)
{
    int64_t  day, next, first;

    switch (d->kind) {

    case TG_ZONE_JULIAN:
        day = tg_days_of(year, 1, 1) + d->day - 1
              + (tg_zone_is_leap(year) && d->day >= 60);
        break;

    case TG_ZONE_DAY:
        day = tg_days_of(year, 1, 1) + d->day;
        break;

    default:
        first = tg_days_of(year, (unsigned) d->month, 1);
        next = d->month == 12 ? tg_days_of(year + 1, 1, 1)
                              : tg_days_of(year, (unsigned) d->month + 1, 1);

        /* January 1, 1970 was a Thursday; 0 is Sunday. */
        day = first + (d->day - (first + 4) % 7 + 14) % 7;
        day += 7 * (d->week - 1);

        while (day >= next) {
            day -= 7;
        }
        break;
    }

    return day * TG_DAY + d->time;
}


int32_t
tg_zone_rule_offset(const tg_zone_t *z, int64_t t, int64_t *until)
{
    int32_t   offset;
    int64_t   year, at, best = INT64_MIN;
    unsigned  month;

    *until = INT64_MAX;

    if (!z->has_dst) {
        return z->std;
    }

    tg_days_date(tg_floor_div(t, TG_DAY), &year, &month);
    offset = z->std;

    /* The latest change not after t, and the earliest after it.  Of two at one
     * instant (daylight time all the year) it is the start that counts.  Changes
     * may lie a week beside their year. */
    for (int64_t y = year - 2; y <= year + 2; y++) {
        for (unsigned k = 0; k < 2; k++) {
            at = k == 0 ? tg_zone_date_local(&z->end, y) - z->dst
                        : tg_zone_date_local(&z->start, y) - z->std;

            if (at <= t && at >= best) {
                best = at;
                offset = k == 0 ? z->std : z->dst;
            }

            if (at > t && at < *until) {
                *until = at;
            }
        }
    }

    return offset;
}
