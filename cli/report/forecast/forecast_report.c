/* llmctl report forecast */

#include "kinds.h"
#include "forecast.h"
#include "kind/listing.h"
#include "series/series_lines.h"
#include "llmctl.h"

#include "tg_money.h"
#include "tg_window.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TOP  20                         /* rows of a readable table */
#define DAY  INT64_C(86400000)

/* What is to come in a window of the calendar, days being those of the zone's
 * clocks, counted from 1970-01-01. */
typedef struct {
    int64_t     spent;          /* in it, so far: nano-dollars */
    forecast_t  f;
    double      error;          /* of the one before, made as long before its
                                   end; NAN: not known */
    size_t      ahead;
} outlook_t;

typedef struct {
    series_lines_t  lines;
    int64_t         now;        /* hour behind the last line's */
    bool            to[2];      /* the month's end, the year's */
    uint64_t        tested, within;
} forecasts_t;


static bool
take(void *data, const record_t *r)
{
    return series_line(&((forecasts_t *) data)->lines, r);
}


/* [start, end) of the month or year of a day. */
static void
window(bool year, int64_t day, int64_t *start, int64_t *end)
{
    tg_window_t       w;
    tg_window_spec_t  month = { TG_WINDOW_MONTH, 0 };
    time_t            at = day * 86400;
    struct tm         tm;

    tg_window_at(&month, NULL, day * DAY, &w);
    *start = w.start / DAY;
    *end = w.end / DAY;

    if (!year) {
        return;
    }

    (void) gmtime_r(&at, &tm);
    *start = day - tm.tm_yday;

    while (gmtime_r(&(time_t) { *end * 86400 }, &tm)->tm_mon != 0) {
        tg_window_at(&month, NULL, *end * DAY, &w);
        *end = w.end / DAY;
    }
}


static int64_t
spent(const series_t *s, int64_t from, int64_t to)
{
    int64_t  sum = 0;

    from = from < s->first ? s->first : from;
    to = to > s->last + 1 ? s->last + 1 : to;

    for (int64_t h = from; h < to; h++) {
        sum = tg_money_add(sum, series_get(s, h).cost);
    }

    return sum;
}


/* What would have been said of the window before, as long before its end. */
static double
last_error(const series_t *s, const double *hours, size_t days, int64_t day0,
    bool year, const outlook_t *o, int64_t start)
{
    double   is, said;
    int64_t  was, end, from;

    window(year, start - 1, &was, &end);
    from = end - (int64_t) o->ahead;

    if (was < day0 || from - day0 < FORECAST_DAYS
        || end > day0 + (int64_t) days)
    {
        return NAN;
    }

    is = (double) spent(s, was * 24, end * 24);
    said = (double) spent(s, was * 24, from * 24)
           + forecast_sum(hours, (size_t) (from - day0), day0, o->ahead);

    return is > 0 ? said / is - 1 : NAN;
}


/*
 * Today is over for as much as its hours have passed: what is still to come of
 * it is part of the first day ahead.
 */
static bool
look(forecasts_t *p, const series_t *s, bool year, outlook_t *o)
{
    bool     ok;
    double  *hours, part;
    size_t   days;
    int64_t  today = p->now / 24, day0 = s->first / 24, start, end;

    memset(o, 0, sizeof(*o));
    window(year, today, &start, &end);
    o->spent = spent(s, start * 24, p->now);
    o->ahead = (size_t) (end - today);
    o->error = NAN;
    days = (size_t) (today - day0);

    hours = calloc(days + 1, 24 * sizeof(double));
    if (hours == NULL) {
        return false;
    }

    for (size_t t = 0; t < 24 * days; t++) {
        hours[t] = (double) series_get(s, day0 * 24 + (int64_t) t).cost;
    }

    ok = forecast_make(&o->f, hours, days, day0, o->ahead);

    if (ok && days >= FORECAST_DAYS) {
        /* Of today what has been spent is known. */
        part = forecast_sum(hours, days, day0, 1)
               * (double) (p->now - today * 24) / 24;
        o->f.low = fmax(0, o->f.low - part);
        o->f.high = fmax(0, o->f.high - part);
        o->f.sum = fmax(0, o->f.sum - part);
        o->error = last_error(s, hours, days, day0, year, o, start);
    }

    p->tested += o->f.tested;
    p->within += o->f.within;
    free(hours);

    return ok || days < FORECAST_DAYS;
}


static void
cells(forecasts_t *p, table_t *t, const series_t *s, const outlook_t *o)
{
    bool  known = p->now / 24 - s->first / 24 >= FORECAST_DAYS;

    table_int(t, o->spent);

    if (known) {
        table_int(t, tg_money_add(o->spent, (int64_t) o->f.sum));
        table_int(t, tg_money_add(o->spent, (int64_t) o->f.low));
        table_int(t, tg_money_add(o->spent, (int64_t) o->f.high));
    } else {
        table_none(t);
        table_none(t);
        table_none(t);
    }

    if (isnan(o->error)) {
        table_none(t);
    } else {
        table_double(t, o->error);
    }
}


static int
by_cost(const void *a, const void *b)
{
    const series_t *const  *one = a, *const *two = b;
    bool                    all = strcmp((*one)->kind, "all") == 0;

    if (all || strcmp((*two)->kind, "all") == 0) {
        return all ? -1 : 1;
    }

    return (*one)->cost < (*two)->cost ? 1 : (*one)->cost > (*two)->cost ? -1
           : strcmp((*one)->name, (*two)->name);
}


static void
columns(const forecasts_t *p, table_t *t)
{
    static const char *const  money[2][4] = {
        { "month_so_far", "month_forecast", "month_low", "month_high" },
        { "year_so_far", "year_forecast", "year_low", "year_high" }
    };

    table_column(t, "series", CELL_TEXT);

    for (unsigned y = 0; y < 2; y++) {
        for (unsigned i = 0; p->to[y] && i < 4; i++) {
            table_column(t, money[y][i], CELL_MONEY);
        }

        if (p->to[y]) {
            table_column(t, y == 0 ? "last_month_error" : "last_year_error",
                         CELL_PERCENT);
        }
    }
}


static void
notes(const forecasts_t *p, table_t *t)
{
    char  text[200];

    (void) snprintf(text, sizeof(text), "low and high: %d of 100 times it lies"
                    " between; errors: what would have been said of the last"
                    " one as long before its end", FORECAST_LEVEL);
    table_note(t, "interval", text);

    if (p->tested != 0) {
        (void) snprintf(text, sizeof(text), "of %llu forecasts of these"
                        " series that the past allows to test, %.0f%% had in"
                        " their interval what came",
                        (unsigned long long) p->tested,
                        100 * (double) p->within / (double) p->tested);
        table_note(t, "tested", text);
    }

    series_lines_note(&p->lines, t);
}


static bool
rows(forecasts_t *p, table_t *t)
{
    char              text[SERIES_NAME_MAX + 100];
    bool              ok = true;
    unsigned          n = series_count(p->lines.set);
    unsigned          top = p->lines.o->top;
    outlook_t         o;
    const series_t  **order = calloc(n + 1, sizeof(*order));

    if (order == NULL) {
        return false;
    }

    if (top == 0) {
        top = p->lines.o->format == TABLE_TEXT ? TOP : n;
    }

    p->now = INT64_MIN;

    for (unsigned i = 0; i < n; i++) {
        order[i] = series_at(p->lines.set, i);
        p->now = order[i]->last + 1 > p->now ? order[i]->last + 1 : p->now;
    }

    if (n > 1) {
        qsort(order, n, sizeof(*order), by_cost);
    }

    /* The first is all. */
    for (unsigned i = 0; ok && i < n && i <= top; i++) {
        if (order[i]->first > order[i]->last) {
            continue;
        }

        table_text(t, tg_strz(series_said(text, sizeof(text), order[i])));

        for (unsigned y = 0; ok && y < 2; y++) {
            if (p->to[y]) {
                ok = look(p, order[i], y == 1, &o);
                cells(p, t, order[i], &o);
            }
        }
    }

    listing_left_out(t, n == 0 ? 0 : n - 1, top);     /* without all */
    free(order);

    return ok;
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    forecasts_t  *p = data;

    (void) stats;
    columns(p, t);

    if (!rows(p, t)) {
        return failed("report", "there is not enough memory");
    }

    notes(p, t);

    return true;
}


int
report_forecast(int argc, char **argv)
{
    static const char *const   usual[] = { "team", NULL };
    static const report_job_t  job = { "forecast", take, false, print };

    int               rc = 1;
    forecasts_t       p;
    const char       *to = NULL;
    report_options_t  o;
    option_t          own[] = { { "to", &to, NULL }, { NULL, NULL, NULL } };

    if (!report_options(&o, argc, argv, own, NULL)) {
        return 2;
    }

    memset(&p, 0, sizeof(p));
    p.to[0] = to == NULL || strcmp(to, "month") == 0;
    p.to[1] = to == NULL || strcmp(to, "year") == 0;

    if (!p.to[0] && !p.to[1]) {
        rc = fail("--to", "is month or year; both without it");

    } else if (series_lines_init(&p.lines, &o, usual)) {
        rc = report_run(&o, &job, &p);
    }

    series_lines_free(&p.lines);
    report_options_free(&o);

    return rc;
}
