/*
 * series_lines.h - cost lines become series: of all, and of each dimension's
 * values.
 */

#ifndef SERIES_LINES_H
#define SERIES_LINES_H

#include "series.h"
#include "kind/report.h"

typedef struct {
    const report_options_t  *o;
    series_set_t            *set;
    unsigned                 nby;
    dimension_t              by[DIMENSIONS_MAX];
    bool                     tags;      /* each tag is a dimension, too */
    uint64_t                 odd;       /* lines of times far from others' */
    bool                     full;      /* no memory */

    /* private */
    unsigned                 n;
    uint32_t                 of[SERIES_OF_CALL];
    series_call_t            call;
} series_lines_t;

/* By the options' dimensions, and where there are none by `usual`, a list that
 * ends in NULL.  False with a message said. */
bool series_lines_init(series_lines_t *l, report_options_t *o,
    const char *const *usual);
void series_lines_free(series_lines_t *l);

/*
 * Counts a line; l->of[0] is of all, then one for each of l->by that the line
 * has a value of.  False: no memory, l->full.  What it says is good until the
 * next line.
 */
bool series_line(series_lines_t *l, const record_t *r);

/* The series' name as a report says it, "team search". Returns buf. */
const char *series_said(char *buf, size_t size, const series_t *s);

/* A sentence below the table on what was given up. */
void series_lines_note(const series_lines_t *l, table_t *t);

/* The series of that name, or SERIES_NONE. */
uint32_t series_find(series_set_t *set, const char *kind, tg_str_t name);

#endif /* SERIES_LINES_H */
