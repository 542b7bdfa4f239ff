/*
 * report.h - llmctl report: what its kinds have in common.
 */

#ifndef REPORT_H
#define REPORT_H

#include "reading/reader.h"
#include "rows/groups.h"
#include "table/table.h"

#include "llmctl_options.h"

/*
 * What every kind takes:
 *
 *   --since=T --until=T       2026-11-01, 2026-11-01T09:00[Z], 7d (ago), today,
 *                             yesterday, month, last-month; until is exclusive
 *   --zone=Europe/Berlin      of days, weeks and months; UTC without it
 *   --where=DIM=VALUE,...     also DIM!=VALUE; several may be given
 *   --by=DIM,...              where the kind takes dimensions
 *   --top=N                   rows; others are summed up as one
 *   --format=table|csv|json   (a kind may know more)
 *   --output=FILE
 *   --quiet                   no progress, nothing said on stderr but errors
 *   --memory=MEGABYTES        for rows; what is more goes to temporary files
 */
typedef struct {
    reader_options_t  reader;
    unsigned          nby;
    dimension_t       by[DIMENSIONS_MAX];
    unsigned          top;              /* 0: all */
    table_format_t    format;
    const char       *format_word;      /* as given; NULL: none was */
    const char       *output;           /* NULL: stdout */
    bool              quiet;
    size_t            rows_memory;      /* bytes; 0: GROUPS_MEMORY */
    char            **files;
    int               nfiles;
    void             *memory;           /* private */
} report_options_t;

/*
 * Reads them, with the kind's own options (NULL: none; as options_read() has
 * them).  more: formats beside the three, a list that ends in NULL; or NULL.
 * False with a message said.
 */
bool report_options(report_options_t *o, int argc, char **argv,
    const option_t *own, const char *const *more);
void report_options_free(report_options_t *o);

/* Prints the table to where the options say, and what the reader met to stderr.
 * Returns the exit code. */
int report_print(const report_options_t *o, table_t *t,
    const reader_stats_t *stats);

/* What is asked of the lines. */
typedef struct {
    const char     *name;               /* of the table; static */

    /* False: there is no room. */
    reader_line_t   line;
    bool            says;               /* so itself */

    /* Fills the table once all are there. False with a message said. */
    bool          (*print)(void *data, table_t *t,
                           const reader_stats_t *stats);
} report_job_t;

/* Reads the files and prints the table.  Returns the exit code. */
int report_run(const report_options_t *o, const report_job_t *job, void *data);

typedef struct {
    report_job_t     job;
    const option_t  *own;               /* as report_options() has them */

    /* With the options read.  0, or an exit code with a message said. */
    int            (*begin)(void *data);

    /* Frees what there is, after a begin() that failed, too. */
    void           (*end)(void *data);
} report_whole_t;

/* All of a report; data refers to its options *o.  Returns the exit code. */
int report_whole(const report_whole_t *whole, report_options_t *o, void *data,
    int argc, char **argv);

#endif /* REPORT_H */
