#include "tg_window_int.h"

#include "tg_conf.h"

#define TG_WINDOW_FIRST  (INT64_C(-62135596800) * 1000)     /* year 1 */
#define TG_WINDOW_LAST   (INT64_C(253402300799) * 1000)     /* end of 9999 */

static const struct {
    const char        *name;
    tg_window_kind_t   kind;
} tg_window_names[] = {
    { "second", TG_WINDOW_SECOND },
    { "minute", TG_WINDOW_MINUTE },
    { "hour",   TG_WINDOW_HOUR },
    { "day",    TG_WINDOW_DAY },
    { "week",   TG_WINDOW_WEEK },
    { "month",  TG_WINDOW_MONTH },
    { "total",  TG_WINDOW_TOTAL },
    { NULL,     TG_WINDOW_TOTAL }
};


int64_t
tg_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}


/* Eras of 400 years that begin on March 1. */
int64_t
tg_days_of(int64_t year, unsigned month, unsigned day)
{
    int64_t  era, of_era, of_year;

    year -= month <= 2;
    era = tg_floor_div(year, 400);
    of_year = (153 * ((int64_t) month + (month > 2 ? -3 : 9)) + 2) / 5
              + (int64_t) day - 1;
    year -= era * 400;
    of_era = year * 365 + year / 4 - year / 100 + of_year;

    return era * 146097 + of_era - 719468;
}


void
tg_days_date(int64_t days, int64_t *year, unsigned *month)
{
    int64_t  era, of_era, of_year, m;

    days += 719468;
    era = tg_floor_div(days, 146097);
    of_era = days - era * 146097;
    *year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * *year + *year / 4 - *year / 100);
    m = (5 * of_year + 2) / 153;
    *month = (unsigned) (m < 10 ? m + 3 : m - 9);
    *year += era * 400 + (*month <= 2);
}


int
tg_window_parse(tg_str_t s, tg_window_spec_t *spec)
{
    tg_str_t  idle = tg_str("idle=");

    spec->idle_ms = 0;

    if (tg_str_starts(s, idle)) {
        spec->kind = TG_WINDOW_IDLE;
        spec->idle_ms = tg_conf_time(tg_str_of(s.p + idle.len,
                                               s.len - idle.len));

        return spec->idle_ms >= 1000 && spec->idle_ms <= TG_WINDOW_IDLE_MAX
               ? TG_OK : TG_ERROR;
    }

    for (unsigned i = 0; tg_window_names[i].name != NULL; i++) {
        if (tg_str_eq(s, tg_strz(tg_window_names[i].name))) {
            spec->kind = tg_window_names[i].kind;
            return TG_OK;
        }
    }

    return TG_ERROR;
}


/* The first day of the period that the day lies in, or of the next one. */
static int64_t
tg_window_day(tg_window_kind_t kind, int64_t day, bool next)
{
    int64_t   year;
    unsigned  month;

    switch (kind) {

    case TG_WINDOW_WEEK:
        /* January 1, 1970 was a Thursday. */
        day -= (day + 3) % 7 + ((day + 3) % 7 < 0 ? 7 : 0);
        return next ? day + 7 : day;

    case TG_WINDOW_MONTH:
        tg_days_date(day, &year, &month);

        if (next) {
            year += month == 12;
            month = month % 12 + 1;
        }

        return tg_days_of(year, month, 1);

    default:
        return next ? day + 1 : day;
    }
}


/* Clocks are at most some 26 hours off, before and after. */
int64_t
tg_window_of_local(const tg_zone_t *zone, int64_t local)
{
    int64_t  from = local - 2 * TG_DAY, until, t;
    int32_t  offset;

    for ( ;; ) {
        offset = tg_zone_offset(zone, from, &until);
        t = local - offset;

        if (t < from) {
            return from;
        }

        if (t < until) {
            return t;
        }

        from = until;
    }
}


void
tg_window_at(const tg_window_spec_t *spec, const tg_zone_t *zone, int64_t now,
    tg_window_t *w)
{
    int64_t  unit = 1000, t, day, until, next;

    now = now < TG_WINDOW_FIRST ? TG_WINDOW_FIRST
          : now > TG_WINDOW_LAST ? TG_WINDOW_LAST : now;

    switch (spec->kind) {

    case TG_WINDOW_TOTAL:
        w->start = 0;
        w->end = TG_WINDOW_NEVER;
        return;

    case TG_WINDOW_IDLE:
        w->start = now;
        w->end = now + spec->idle_ms;
        return;

    case TG_WINDOW_HOUR:
        unit *= 60;
        /* fall through */

    case TG_WINDOW_MINUTE:
        unit *= 60;
        /* fall through */

    case TG_WINDOW_SECOND:
        w->start = tg_floor_div(now, unit) * unit;
        w->end = w->start + unit;
        return;

    default:
        break;
    }

    t = tg_floor_div(now, 1000);
    day = tg_floor_div(t + tg_zone_offset(zone, t, &until), TG_DAY);
    day = tg_window_day(spec->kind, day, false);
    next = tg_window_of_local(zone, TG_DAY * tg_window_day(spec->kind, day,
                                                       true));

    /* Clocks set back over midnight show the day before once more. */
    while (t >= next) {
        day = tg_window_day(spec->kind, day, true);
        next = tg_window_of_local(zone, TG_DAY * tg_window_day(spec->kind, day,
                                                       true));
    }

    w->start = tg_window_of_local(zone, day * TG_DAY) * 1000;
    w->end = next * 1000;
}


void
tg_window_roll(const tg_window_spec_t *spec, const tg_zone_t *zone,
    int64_t now, tg_window_t *w)
{
    if (now >= w->end) {
        tg_window_at(spec, zone, now, w);
    }
}


int64_t
tg_window_retry_after(int64_t now, int64_t reset)
{
    if (reset == TG_WINDOW_NEVER) {
        return -1;
    }

    return reset <= now ? 1 : (reset - now - 1) / 1000 + 1;
}
