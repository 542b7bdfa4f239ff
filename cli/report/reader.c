#include "reader.h"
#include "seen.h"
#include "llmctl.h"

#include "tg_money.h"
#include "tg_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK     (1024 * 1024)         /* no line is longer */

typedef struct {
    const reader_options_t  *o;
    reader_stats_t          *stats;
    reader_line_t            line;
    void                    *data;
    record_want_t            want;
    record_t                 r;
    seen_t                  *seen;
    bool                     done;
    bool                     failed;
} reader_t;


static bool
where_holds(const reader_options_t *o, const record_t *r)
{
    bool      is;
    char      buf[DIMENSION_SIZE];
    tg_str_t  v, w;

    for (unsigned i = 0; i < o->nwhere; i++) {
        v = dimension_value(&o->where[i].dimension, r, o->zone, buf);
        w = o->where[i].value;

        is = w.len != 0 && w.p[w.len - 1] == '*'
             ? tg_str_starts(v, tg_str_of(w.p, w.len - 1)) : tg_str_eq(v, w);

        if (is == o->where[i].not) {
            return false;
        }
    }

    return true;
}


static reader_kinds_t
kind_of(const record_t *r)
{
    return tg_str_eq(r->text[REC_EVENT_KIND], tg_str("outcome"))
           ? READER_OUTCOMES
           : tg_str_eq(r->text[REC_EVENT_KIND], tg_str("alert"))
           ? READER_ALERTS : READER_CALLS;
}


static void
take_line(reader_t *rd, char *p, size_t n)
{
    record_t        *r = &rd->r;
    reader_stats_t  *stats = rd->stats;

    if (n == 0 || (n == 1 && *p == '\r')) {
        return;
    }

    if (!record_parse(r, p, n, &rd->want)) {
        stats->broken++;
        return;
    }

    stats->lines++;

    if (r->text[REC_EVENT_ID].len != 0
        && seen_before(rd->seen, r->text[REC_EVENT_ID], &rd->failed))
    {
        stats->duplicates++;
        return;
    }

    if ((kind_of(r) & rd->o->kinds) == 0 || r->time < rd->o->since
        || r->time >= rd->o->until || !where_holds(rd->o, r))
    {
        return;
    }

    stats->first = stats->handed == 0 || r->time < stats->first ? r->time
                                                                : stats->first;
    stats->last = stats->handed == 0 || r->time > stats->last ? r->time
                                                              : stats->last;
    stats->handed++;
    stats->cost = tg_money_add(stats->cost, r->number[REC_COST]);

    rd->done = rd->failed || !rd->line(rd->data, r);
}


/* The lines of a block; returns how much of it is behind the last newline. */
static size_t
take_lines(reader_t *rd, char *p, size_t n)
{
    char  *end = p + n, *newline;

    while (!rd->done && p < end
           && (newline = memchr(p, '\n', (size_t) (end - p))) != NULL)
    {
        take_line(rd, p, (size_t) (newline - p));
        p = newline + 1;
    }

    return (size_t) (end - p);
}


static bool
read_lines(reader_t *rd, const char *name, gzFile f, char *block)
{
    int     n;
    bool    skipping = false;           /* the rest of a line that is too long */
    char   *newline;
    size_t  held = 0, left;

    while (!rd->done && (n = gzread(f, block + held, BLOCK - (unsigned) held))
                        > 0)
    {
        rd->stats->bytes += (size_t) n;
        held += (size_t) n;

        if (skipping) {
            newline = memchr(block, '\n', held);
            if (newline == NULL) {
                held = 0;
                continue;
            }
            skipping = false;
            held -= (size_t) (newline + 1 - block);
            memmove(block, newline + 1, held);
        }

        left = take_lines(rd, block, held);
        memmove(block, block + held - left, left);
        held = left;

        if (held == BLOCK) {
            rd->stats->broken++;
            skipping = true;
            held = 0;
        }
    }

    if (rd->done) {
        return true;
    }

    if (held != 0 && !skipping) {
        take_line(rd, block, held);
    }

    return n == 0 || failed(name, "can't be read");
}


static bool
read_file_lines(reader_t *rd, const char *name, char *block)
{
    int     fd = strcmp(name, "-") == 0 ? dup(STDIN_FILENO)
                                        : open(name, O_RDONLY | O_CLOEXEC);
    bool    ok;
    gzFile  f = fd == -1 ? NULL : gzdopen(fd, "rb");

    if (f == NULL) {
        if (fd != -1) {
            (void) close(fd);
        }
        return failed(name, strerror(errno));
    }

    ok = read_lines(rd, name, f, block);
    (void) gzclose(f);

    return ok;
}


static void
reader_want(reader_t *rd)
{
    rd->want = rd->o->want;
    record_want_text(&rd->want, REC_EVENT_ID);
    record_want_text(&rd->want, REC_EVENT_KIND);
    record_want_text(&rd->want, REC_NODE);
    record_want_number(&rd->want, REC_SEQ);
    record_want_number(&rd->want, REC_COST);

    for (unsigned i = 0; i < rd->o->nwhere; i++) {
        dimension_want(&rd->o->where[i].dimension, &rd->want);
    }
}


bool
reader_run(char **files, int nfiles, const reader_options_t *options,
    reader_line_t line, void *data, reader_stats_t *stats)
{
    bool      ok = true;
    char     *block = malloc(BLOCK);
    reader_t  rd;

    memset(stats, 0, sizeof(*stats));
    memset(&rd, 0, sizeof(rd));
    rd.o = options;
    rd.stats = stats;
    rd.line = line;
    rd.data = data;
    rd.seen = seen_new();
    reader_want(&rd);

    if (block == NULL || rd.seen == NULL) {
        ok = failed("report", "there is not enough memory");
    }

    for (int i = 0; ok && !rd.done && i < nfiles; i++) {
        ok = read_file_lines(&rd, files[i], block);
    }

    if (ok && rd.failed) {
        ok = failed("report", "there is not enough memory");
    }

    seen_free(rd.seen);
    free(block);

    return ok;
}


static void
say_count(uint64_t n, const char *what)
{
    if (n != 0) {
        fprintf(stderr, "; %llu %s", (unsigned long long) n, what);
    }
}


void
reader_say(const reader_stats_t *stats)
{
    char  first[TG_TEXT_TIME_MAX + 1], last[TG_TEXT_TIME_MAX + 1];

    *tg_text_time(first, stats->first) = '\0';
    *tg_text_time(last, stats->last) = '\0';

    fprintf(stderr, "%llu lines", (unsigned long long) stats->handed);

    if (stats->handed != 0) {
        fprintf(stderr, ", %.10s to %.10s", first, last);
    }

    say_count(stats->lines - stats->duplicates - stats->handed,
              "others passed over");
    say_count(stats->duplicates, "duplicates left out");
    say_count(stats->broken, "that are no cost lines");
    say_count(stats->missing, "missing by llm.seq");
    fprintf(stderr, "\n");
}
