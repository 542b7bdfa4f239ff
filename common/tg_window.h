/*
 * tg_window.h - windows of time that budgets count in, by calendar.
 *
 * Times are milliseconds since the epoch (Unix time, without leap seconds).  A
 * window is [start, end).  Seconds, minutes and hours are aligned to the epoch,
 * in every zone alike; days, weeks (from Monday, ISO 8601) and months are those
 * of a time zone's calendar.
 *
 * A day begins at the first instant at which the zone's clocks show midnight or
 * later.  So where clocks jump over midnight the day begins at the jump, where
 * they show it twice it begins at the first, an evening that comes once more
 * after midnight belongs to the new day, and a date that the zone leaves out has
 * no window.  Windows follow one another without gap or overlap whatever the
 * zone does.
 */

#ifndef TG_WINDOW_H
#define TG_WINDOW_H

#include "tg_error.h"
#include "tg_mem.h"

typedef enum {
    TG_WINDOW_SECOND = 0,
    TG_WINDOW_MINUTE,
    TG_WINDOW_HOUR,
    TG_WINDOW_DAY,
    TG_WINDOW_WEEK,
    TG_WINDOW_MONTH,
    TG_WINDOW_TOTAL,            /* one window, without end */
    TG_WINDOW_IDLE              /* until nothing has happened for a while */
} tg_window_kind_t;

typedef struct {
    tg_window_kind_t  kind;
    int64_t           idle_ms;  /* of TG_WINDOW_IDLE: 1,000 to
                                   TG_WINDOW_IDLE_MAX; else 0 */
} tg_window_spec_t;

typedef struct {
    int64_t           start;
    int64_t           end;      /* TG_WINDOW_NEVER: it has none */
} tg_window_t;

#define TG_WINDOW_NEVER     INT64_MAX
#define TG_WINDOW_IDLE_MAX  (INT64_C(16000000) * 1000)      /* 185 days */

/* A time zone: RFC 8536's transitions and the rule that follows them. */
typedef struct tg_zone_s  tg_zone_t;

/* "second" ... "month", "total", and "idle=30m". TG_ERROR: none of them. */
int tg_window_parse(tg_str_t s, tg_window_spec_t *spec);

/* The first second since 1970 at which the zone's clocks show `local`, which is
 * seconds as if they were UTC's, or later, where they jump over it. */
int64_t tg_window_of_local(const tg_zone_t *zone, int64_t local);

/*
 * The window that `now` lies in.  zone NULL is UTC.  Of TG_WINDOW_IDLE, whose
 * windows only the ledger knows, {now, now + idle_ms}.  Times beyond the years
 * 1 to 9999 are taken for the nearest within.
 */
void tg_window_at(const tg_window_spec_t *spec, const tg_zone_t *zone,
    int64_t now, tg_window_t *w);

/*
 * The same, for a *w that is kept: it is left alone while `now` is before its
 * end, so that it never goes backwards and costs two comparisons.  A *w of
 * zeros is one that has ended.
 */
void tg_window_roll(const tg_window_spec_t *spec, const tg_zone_t *zone,
    int64_t now, tg_window_t *w);

/* Whole seconds to wait from `now` until `reset`, rounded up, at least 1; -1
 * for TG_WINDOW_NEVER. The value of Retry-After. */
int64_t tg_window_retry_after(int64_t now, int64_t reset);

/*
 * A zone from the bytes of a TZif file, version 2 or later (RFC 8536), which
 * are not referred to afterwards.  Refused, with a reason: version 1 alone,
 * leap seconds (the "right/" files), a table that is not in order or runs over
 * the end, a footer that is no POSIX TZ string.  Allocates from mem; TG_OK,
 * TG_ERROR.
 */
int tg_zone_parse(tg_mem_t *mem, tg_str_t bytes, tg_zone_t **zone,
    tg_error_t *err);

/*
 * Seconds east of UTC at t (seconds since the epoch), and in *until the first
 * second at which that may be different (INT64_MAX: never).  zone NULL is UTC.
 */
int32_t tg_zone_offset(const tg_zone_t *zone, int64_t t, int64_t *until);

#endif /* TG_WINDOW_H */
