#include "listing.h"
#include "llmctl.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const listing_t   *l;
    report_options_t  *o;
    groups_t          *groups;
    table_t           *table;
    unsigned char     *line, *all, *others;
    uint64_t           rows, nothers;
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

    if (!run->l->line(run->line, r)) {
        return true;
    }

    run->l->add(run->all, run->line);

    return groups_take_line(run->groups, run->o->by, run->o->reader.zone, r,
                            run->line);
}


static bool
row(void *data, const tg_str_t *values, const void *sums)
{
    run_t  *run = data;

    if (run->o->top != 0 && run->rows == run->o->top) {
        run->l->add(run->others, sums);
        run->nothers++;
        return true;
    }

    run->rows++;

    listing_values(run->table, values, run->o->nby);
    run->l->cells(run->table, sums, run->all);

    return true;
}


static void
sum_row(run_t *run, const char *what, const void *sums)
{
    listing_sum(run->table, what, run->o->nby);
    run->l->cells(run->table, sums, run->all);
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    char    others[64];
    run_t  *run = data;

    (void) stats;
    run->table = t;
    listing_columns(run->table, run->o->by, run->o->nby);
    run->l->columns(run->table);

    if (!groups_each(run->groups, run->l->rank, row, run)) {
        return failed("report", "the temporary file can't be used");
    }

    if (run->nothers != 0) {
        (void) snprintf(others, sizeof(others), "(%llu others)",
                        (unsigned long long) run->nothers);
        sum_row(run, others, run->others);
    }

    if (run->o->nby != 0) {
        table_total(run->table);
        sum_row(run, "all", run->all);
    }

    run->l->notes(run->table, run->all);

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
    int           rc;
    run_t         run = { .l = l, .o = o };
    report_job_t  job = { l->name, take, false, print };

    if (o->top == 0 && o->format == TABLE_TEXT) {
        o->top = LISTING_TOP;
    }

    o->reader.kinds = READER_CALLS;
    run.line = calloc(3, l->size);
    run.groups = groups_new(o->nby, l->size, l->add, o->rows_memory);

    if (run.line == NULL || run.groups == NULL) {
        rc = fail("report", "there is not enough memory");

    } else {
        run.all = run.line + l->size;
        run.others = run.all + l->size;
        rc = report_run(o, &job, &run);
    }

    groups_free(run.groups);
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
