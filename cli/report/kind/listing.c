#include "listing.h"
#include "ranking.h"
#include "llmctl.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const listing_t  *l;
    ranking_t         ranking;
    void             *line;             /* its sums */
} run_t;


const char *
listing_name(char *buf, const dimension_t *d)
{
    (void) snprintf(buf, LISTING_NAME_SIZE, "%.*s", (int) d->word.len,
                    d->word.p);

    for (char *p = buf; *p; p++) {
        *p = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
             || (*p >= '0' && *p <= '9') ? *p : '_';
    }

    return buf;
}


void
listing_columns(table_t *t, const dimension_t *by, unsigned n)
{
    char  name[LISTING_NAME_SIZE];

    for (unsigned i = 0; i < n; i++) {
        table_column(t, listing_name(name, &by[i]), CELL_TEXT);
    }
}


void
listing_values(table_t *t, const tg_str_t *values, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (values[i].len == 0) {
            table_none(t);
        } else {
            table_text(t, values[i]);
        }
    }
}


void
listing_sum(table_t *t, const char *what, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        table_text(t, i == 0 ? tg_strz(what) : tg_str_null);
    }
}


void
listing_left_out(table_t *t, uint64_t rows, unsigned top)
{
    char  text[80];

    if (top != 0 && rows > top) {
        (void) snprintf(text, sizeof(text), "%llu more rows are not shown"
                        " (--top=N)", (unsigned long long) (rows - top));
        table_note(t, "left_out", text);
    }
}


static bool
take(void *data, const record_t *r)
{
    run_t  *run = data;

    memset(run->line, 0, run->l->size);

    return !run->l->line(run->line, r)
           || ranking_take(&run->ranking, r, run->line);
}


static void
cells(void *data, table_t *t, const void *sums, bool row)
{
    run_t  *run = data;

    (void) row;
    run->l->cells(t, sums, run->ranking.all);
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    run_t  *run = data;

    (void) stats;
    listing_columns(t, run->ranking.by, run->ranking.nby);
    run->l->columns(t);

    if (!ranking_print(&run->ranking, t, run->l->rank)) {
        return false;
    }

    run->l->notes(t, run->ranking.all);

    return true;
}


/* The dimensions that count where none were given. */
static bool
use_default(report_options_t *o, const char *const *words)
{
    if (o->nby != 0) {
        return true;
    }

    for ( ; *words != NULL; words++) {
        if (!dimension_parse(&o->by[o->nby], *words)) {
            return failed(*words, "is no dimension");
        }

        dimension_want(&o->by[o->nby++], &o->reader.want);
    }

    return true;
}


static int
read_and_print(const listing_t *l, report_options_t *o)
{
    int             rc = 1;
    run_t           run = { .l = l };
    report_job_t    job = { l->name, take, false, print };
    ranking_kind_t  kind = { l->size, l->add, cells, NULL };

    if (o->top == 0 && o->format == TABLE_TEXT) {
        o->top = LISTING_TOP;
    }

    o->reader.kinds = READER_CALLS;
    run.line = calloc(1, l->size);

    if (run.line == NULL) {
        return fail("report", "there is not enough memory");
    }

    if (ranking_init(&run.ranking, &kind, &run, o, o->by, o->nby)) {
        rc = report_run(o, &job, &run);
    }

    ranking_free(&run.ranking);
    free(run.line);

    return rc;
}


int
listing_report(const listing_t *l, int argc, char **argv,
    const option_t *own, bool (*begin)(void))
{
    int               rc = 2;
    report_options_t  o;

    if (!report_options(&o, argc, argv, own, NULL)) {
        return 2;
    }

    if ((begin == NULL || begin()) && use_default(&o, l->by)) {
        l->want(&o.reader.want);
        rc = read_and_print(l, &o);
    }

    report_options_free(&o);

    return rc;
}
