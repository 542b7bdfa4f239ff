#include "report.h"
#include "llmctl.h"

#include <errno.h>
#include <stdio.h>

typedef struct {
    const report_job_t  *job;
    void                *data;
    bool                 full;
} run_t;


int
report_print(const report_options_t *o, table_t *t,
    const reader_stats_t *stats)
{
    bool   ok;
    FILE  *to = o->output == NULL ? stdout : fopen(o->output, "we");

    if (to == NULL) {
        table_drop(t);
        return fail(o->output, strerror(errno));
    }

    ok = table_print(t, to);

    if (to != stdout && fclose(to) == EOF && ok) {
        ok = failed(o->output, strerror(errno));
    }

    if (!o->quiet) {
        reader_say(stats);
    }

    return !ok;
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
        return job->says ? 1 : fail("report", "there is no room for the rows, in memory and"
                              " $TMPDIR");
    }

    if (!job->print(data, table, &stats)) {
        table_drop(table);
        return 1;
    }

    return report_print(o, table, &stats);
}
