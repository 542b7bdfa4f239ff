#include "llmctl_time.h"

#include "tg_conf.h"
#include "tg_rfc3339.h"
#include "tg_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DAY  INT64_C(86400)


const char *
when_text(char *buf, const tg_zone_t *zone, int64_t ms)
{
    size_t     n;
    time_t     local;
    int32_t    offset;
    int64_t    until;
    struct tm  tm;

    if (ms == TG_WINDOW_NEVER) {
        return "never";
    }

    offset = tg_zone_offset(zone, ms / 1000, &until);
    local = (time_t) (ms / 1000 + offset);

    if (gmtime_r(&local, &tm) == NULL) {
        return "never";
    }

    n = strftime(buf, WHEN_SIZE, "%Y-%m-%d %H:%M:%S ", &tm);

    if (offset == 0) {
        (void) snprintf(buf + n, WHEN_SIZE - n, "UTC");
    } else {
        (void) snprintf(buf + n, WHEN_SIZE - n, "%c%02d:%02d",
                        offset < 0 ? '-' : '+', abs(offset) / 3600,
                        abs(offset) / 60 % 60);
    }

    return buf;
}


json_t *
when_json(int64_t ms)
{
    char       text[TG_TEXT_TIME_MAX];
    tg_text_t  t;

    if (ms < 0 || ms == TG_WINDOW_NEVER) {
        return json_null();
    }

    tg_text_init(&t, text, sizeof(text));
    tg_put_time(&t, ms);

    return json_stringn(text, (size_t) (t.p - text));
}


/* The next time that the clocks show "HH:MM"; -1. */
static int64_t
of_clock(const char *s, const tg_zone_t *zone, int64_t now)
{
    int64_t  hour, minute, until, day, t;

    if (strlen(s) != 5 || s[2] != ':') {
        return -1;
    }

    hour = tg_str_int(tg_str_of(s, 2));
    minute = tg_str_int(tg_str_of(s + 3, 2));

    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) {
        return -1;
    }

    now /= 1000;
    day = (now + tg_zone_offset(zone, now, &until)) / DAY;

    for (int i = 0; i < 3; i++) {
        t = tg_window_of_local(zone, (day + i) * DAY + hour * 3600 + minute * 60);

        if (t > now) {
            return t * 1000;
        }
    }

    return -1;
}


/* A date, or a date and a time, with an offset or by the zone's clocks. */
static int64_t
of_date(const char *s, const tg_zone_t *zone)
{
    static const char  *const rest[] = { "Z", ":00Z", "T00:00:00Z" };

    int64_t  t = tg_rfc3339_parse(tg_strz(s));
    char     text[WHEN_SIZE];

    if (t < 0 && strlen(s) > 16 && strchr("Zz+-", s[16]) != NULL) {

        /* without seconds */

        (void) snprintf(text, sizeof(text), "%.16s:00%.10s", s, s + 16);
        t = tg_rfc3339_parse(tg_strz(text));
    }

    if (t >= 0) {
        return t;
    }

    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        (void) snprintf(text, sizeof(text), "%.24s%s", s, rest[i]);
        t = tg_rfc3339_parse(tg_strz(text));

        if (t >= 0) {
            return tg_window_of_local(zone, t / 1000) * 1000 + t % 1000;
        }
    }

    return -1;
}


int64_t
when_parse(const char *s, const tg_zone_t *zone, int64_t now)
{
    int64_t  t;

    if (strcmp(s, "never") == 0) {
        return TG_WINDOW_NEVER;
    }

    t = of_clock(s, zone, now);

    if (t < 0) {
        t = of_date(s, zone);
    }

    /* a bare number would be seconds, which nobody means here */

    if (t < 0 && strspn(s, "0123456789") != strlen(s)) {
        t = tg_conf_time(tg_strz(s));
        t = t <= 0 ? -1 : now + t;
    }

    return t > now ? t : -1;
}


/* The beginning of the window that now is in, or of the one before it. */
static int64_t
of_window(tg_window_kind_t kind, bool before, const tg_zone_t *zone,
    int64_t now)
{
    tg_window_t       w;
    tg_window_spec_t  spec = { kind, 0 };

    tg_window_at(&spec, zone, now, &w);

    if (before) {
        tg_window_at(&spec, zone, w.start - 1, &w);
    }

    return w.start;
}


int64_t
when_past(const char *s, const tg_zone_t *zone, int64_t now)
{
    static const struct {
        const char        *word;
        tg_window_kind_t   kind;
        bool               before;
    } words[] = {
        { "today",      TG_WINDOW_DAY,   false },
        { "yesterday",  TG_WINDOW_DAY,   true },
        { "week",       TG_WINDOW_WEEK,  false },
        { "month",      TG_WINDOW_MONTH, false },
        { "last-month", TG_WINDOW_MONTH, true }
    };

    int64_t  t;

    if (strcmp(s, "now") == 0) {
        return now;
    }

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(s, words[i].word) == 0) {
            return of_window(words[i].kind, words[i].before, zone, now);
        }
    }

    t = of_date(s, zone);

    if (t < 0 && strspn(s, "0123456789") != strlen(s)) {
        t = tg_conf_time(tg_strz(s));
        t = t <= 0 || t > now ? -1 : now - t;
    }

    return t;
}
