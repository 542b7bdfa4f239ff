#include "report.h"
#include "llmctl.h"

#include <errno.h>
#include <stdio.h>

typedef struct {
    const report_job_t  *job;
    void                *data;
    bool                 full;
} run_t;


static FILE *
open_output(const report_options_t *o)
{
    FILE  *to = o->output == NULL ? stdout : fopen(o->output, "we");

    if (to == NULL) {
        (void) fail(o->output, strerror(errno));
    }

    return to;
}


static bool
close_output(const report_options_t *o, FILE *to)
{
    return to == stdout || fclose(to) != EOF
           || failed(o->output, strerror(errno));
}


static int
print_to(const report_options_t *o, table_t *t, const reader_stats_t *stats,
    FILE *to)
{
    bool  ok = table_print(t, to);

    ok = close_output(o, to) && ok;

    if (!o->quiet) {
        reader_say(stats);
    }

    return !ok;
}


int
report_print(const report_options_t *o, table_t *t,
    const reader_stats_t *stats)
{
    FILE  *to = open_output(o);

    if (to == NULL) {
        table_drop(t);
        return 1;
    }

    return print_to(o, t, stats, to);
}


static bool
take(void *data, const record_t *r)
{
    run_t  *run = data;

    run->full = !run->job->line(run->data, r);

    return !run->full;
}


int
report_run(const report_options_t *o, const report_job_t *job, void *data)
{
    FILE           *to;
    run_t           run = { job, data, false };
    table_t        *table = table_new(o->format, job->name);
    reader_stats_t  stats;

    if (table == NULL) {
        return fail("report", strerror(ENOMEM));
    }

    if (!reader_run(o->files, o->nfiles, &o->reader, take, &run, &stats)) {
        table_drop(table);
        return 1;
    }

    if (run.full) {
        table_drop(table);
        return job->says ? 1
               : fail("report", "there is no room for the rows, in memory and"
                                " $TMPDIR");
    }

    to = open_output(o);

    if (to == NULL) {
        table_drop(table);
        return 1;
    }

    table_stream(table, to);

    if (!job->print(data, table, &stats)) {
        table_drop(table);
        (void) close_output(o, to);
        return 1;
    }

    return print_to(o, table, &stats, to);
}


int
report_whole(const report_whole_t *whole, report_options_t *o, void *data,
    int argc, char **argv)
{
    int  rc;

    if (!report_options(o, argc, argv, whole->own, NULL)) {
        return 2;
    }

    rc = whole->begin(data);

    if (rc == 0) {
        rc = report_run(o, &whole->job, data);
    }

    whole->end(data);
    report_options_free(o);

    return rc;
}
