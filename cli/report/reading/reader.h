/*
 * reader.h - cost lines of any number of files: plain or gzip, rotated, of many
 * nodes, in any order; each line once.
 *
 * "-" is stdin.  Lines are streamed: memory does not grow with the input,
 * beyond what is needed to know duplicates, and that goes to unlinked temporary
 * files where it is too much.
 */

#ifndef READER_H
#define READER_H

#include "line/record.h"

typedef enum {
    READER_CALLS = 0x01,        /* cost lines, of attempts too */
    READER_OUTCOMES = 0x02,     /* "event.kind":"outcome" */
    READER_ALERTS = 0x04
} reader_kinds_t;

typedef struct {
    record_want_t  want;
    unsigned       kinds;       /* reader_kinds_t */
    int64_t        since;       /* milliseconds; INT64_MIN: all */
    int64_t        until;       /* before it; INT64_MAX */
    unsigned       nwhere;      /* dimension=value or !=: all have to hold */
    struct {
        dimension_t  dimension;
        tg_str_t     value;     /* "*" at its end: what begins so */
        bool         not;
    }              where[16];
    const struct tg_zone_s  *zone;
    bool           progress;    /* a bar on stderr, if it is a terminal */
} reader_options_t;

/* What was met: to be told below a report. */
typedef struct {
    uint64_t  bytes;            /* unpacked */
    uint64_t  lines;            /* of cost logs, handed over or not */
    uint64_t  handed;
    uint64_t  duplicates;       /* left out: the event.id was there before */
    uint64_t  broken;           /* no such lines: cut off, not JSON, no time */
    const char  *broken_file;   /* where the first one of them is, one of the */
    uint64_t  broken_line;      /* files' names; lines count from 1 */
    uint64_t  missing;          /* numbers of llm.seq that no line has, between
                                   the first and the last of each node's run */
    unsigned  nodes;
    int64_t   first, last;      /* times of what was handed over */
    int64_t   cost;             /* nano-dollars of what was handed over */
} reader_stats_t;

/* False ends the reading. */
typedef bool (*reader_line_t)(void *data, const record_t *r);

/* False with a message said: a file can't be read.  What a line is not fit
 * for is counted, not an error.  Lines come in the order of files and in
 * them. */
bool reader_run(char **files, int nfiles, const reader_options_t *options,
    reader_line_t line, void *data, reader_stats_t *stats);

/* "1,234,567 lines of 3 nodes, 2026-11-01 to 2026-11-22; 2 duplicates left out,
 * 1 missing, ...", to stderr. */
void reader_say(const reader_stats_t *stats);

#endif /* READER_H */
