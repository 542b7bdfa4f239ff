/*
 * tg_window_int.h - what a time zone is; private to tg_window.c and tg_zone*.c.
 */

#ifndef TG_WINDOW_INT_H
#define TG_WINDOW_INT_H

#include "tg_window.h"

#define TG_DAY  INT64_C(86400)

/* From `at` on the offset holds, in seconds. */
typedef struct {
    int64_t  at;
    int32_t  offset;
} tg_zone_change_t;

/* A date of each year, as in a POSIX TZ string. */
typedef enum {
    TG_ZONE_JULIAN = 0,         /* Jn: 1 to 365, February 29 is never counted */
    TG_ZONE_DAY,                /* n: 0 to 365 */
    TG_ZONE_WEEK                /* Mm.w.d */
} tg_zone_date_kind_t;

typedef struct {
    tg_zone_date_kind_t  kind;
    int32_t              month, week, day;
    int32_t              time;  /* seconds of local time, -167 to 167 hours */
} tg_zone_date_t;

struct tg_zone_s {
    tg_zone_change_t    *changes;       /* [0].at is INT64_MIN */
    size_t               nchanges;      /* at least 1 */
    bool                 has_rule;      /* which holds from the last one on */
    bool                 has_dst;
    int32_t              std, dst;      /* offsets */
    tg_zone_date_t       start, end;    /* of dst */
};

/* Days since the epoch of a date in the proleptic Gregorian calendar, and back.
 * month 1 to 12. */
int64_t tg_days_of(int64_t year, unsigned month, unsigned day);
void tg_days_date(int64_t days, int64_t *year, unsigned *month);

/* a / b rounded down. */
int64_t tg_floor_div(int64_t a, int64_t b);

/* tg_zone_rule.c: the footer.  An empty one is no rule.  TG_OK, TG_ERROR. */
int tg_zone_rule(tg_str_t s, tg_zone_t *z);
int32_t tg_zone_rule_offset(const tg_zone_t *z, int64_t t, int64_t *until);

#endif /* TG_WINDOW_INT_H */
