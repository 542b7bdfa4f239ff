#include "reader.h"
#include "blocks.h"
#include "gaps.h"
#include "seen.h"
#include "llmctl.h"

#include "tg_money.h"
#include "tg_text.h"

#include <stdio.h>
#include <time.h>

#define BAR_WIDTH  30
#define BAR_EVERY  200                  /* milliseconds */

typedef struct {
    const reader_options_t  *o;
    reader_stats_t          *stats;
    record_want_t            want;
    seen_t                  *seen;
    gaps_t                  *gaps;
    blocks_t                *blocks;
    int64_t                  begun, shown;      /* milliseconds */
    bool                     bar;
} reader_t;


static int64_t
clock_ms(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


static void
clear_bar(reader_t *rd)
{
    if (rd->bar) {
        fprintf(stderr, "\r\033[K");
        rd->bar = false;
    }
}


/* "[#####.....]  40%  1.2 GB, 410 MB/s, 00:07 left" */
static void
show_bar(reader_t *rd)
{
    char      bar[BAR_WIDTH + 1];
    double    part = blocks_part(rd->blocks), mb, s;
    int64_t   now = clock_ms();
    unsigned  left;

    if (now - rd->shown < BAR_EVERY) {
        return;
    }

    rd->shown = now;
    s = (double) (now - rd->begun) / 1000;
    mb = (double) blocks_bytes(rd->blocks) / 1e6;
    fprintf(stderr, "\r\033[K");

    if (part >= 0) {
        part = part > 1 ? 1 : part;

        for (unsigned i = 0; i < BAR_WIDTH; i++) {
            bar[i] = i < part * BAR_WIDTH ? '#' : '.';
        }

        bar[BAR_WIDTH] = '\0';
        fprintf(stderr, "[%s] %3.0f%%  ", bar, part * 100);
    }

    fprintf(stderr, "%.1f GB, %.0f MB/s", mb / 1000, s > 0 ? mb / s : 0);

    if (part > 0.01) {
        left = (unsigned) (s / part - s + 0.5);
        fprintf(stderr, ", %02u:%02u left", left / 60, left % 60);
    }

    rd->bar = true;
}


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


static unsigned
kind_of(const record_t *r)
{
    tg_str_t  kind = r->text[REC_EVENT_KIND];

    return tg_str_eq(kind, tg_str("outcome")) ? READER_OUTCOMES
           : tg_str_eq(kind, tg_str("alert")) ? READER_ALERTS : READER_CALLS;
}


/* True: it is one to be handed over.  *failed is set where there is no room. */
static bool
take_line(reader_t *rd, const record_t *r, bool *failed)
{
    reader_stats_t  *stats = rd->stats;

    stats->lines++;

    if (r->id != 0 && seen_before(rd->seen, r->id, failed)) {
        stats->duplicates++;
        return false;
    }

    *failed = *failed || !gaps_take(rd->gaps, r);

    if (*failed || (kind_of(r) & rd->o->kinds) == 0 || r->time < rd->o->since
        || r->time >= rd->o->until || !where_holds(rd->o, r))
    {
        return false;
    }

    if (stats->handed++ == 0) {
        stats->first = r->time;
        stats->last = r->time;
    }

    stats->first = r->time < stats->first ? r->time : stats->first;
    stats->last = r->time > stats->last ? r->time : stats->last;
    stats->cost = tg_money_add(stats->cost, r->number[REC_COST]);

    return true;
}


static bool
read_all(reader_t *rd, reader_line_t line, void *data)
{
    bool       cut = false, full = false;
    record_t  *r;

    rd->begun = clock_ms();

    while ((r = blocks_next(rd->blocks, &cut)) != NULL) {
        if (take_line(rd, r, &full) && !line(data, r)) {
            break;
        }

        if (full) {
            clear_bar(rd);
            return failed("report", "there is no room in $TMPDIR, or /var/tmp,"
                                    " for the lines' ids");
        }

        if (rd->o->progress && (rd->stats->lines & 1023) == 0) {
            show_bar(rd);
        }
    }

    clear_bar(rd);

    return !cut;
}


static void
set_want(reader_t *rd)
{
    rd->want = rd->o->want;
    record_want_text(&rd->want, REC_EVENT_ID);
    record_want_text(&rd->want, REC_EVENT_KIND);
    record_want_text(&rd->want, REC_NODE);
    record_want_number(&rd->want, REC_SEQ);
    record_want_number(&rd->want, REC_COST);
    record_want_number(&rd->want, REC_DURATION);

    for (unsigned i = 0; i < rd->o->nwhere; i++) {
        dimension_want(&rd->o->where[i].dimension, &rd->want);
    }
}


bool
reader_run(char **files, int nfiles, const reader_options_t *options,
    reader_line_t line, void *data, reader_stats_t *stats)
{
    bool      ok = false;
    reader_t  rd;

    memset(stats, 0, sizeof(*stats));
    memset(&rd, 0, sizeof(rd));
    rd.o = options;
    rd.stats = stats;
    rd.seen = seen_new(0);
    rd.gaps = gaps_new();
    set_want(&rd);

    if (rd.seen == NULL || rd.gaps == NULL) {
        (void) fail("report", "there is not enough memory");

    } else {
        rd.blocks = blocks_new(files, nfiles, &rd.want, rd.seen);
    }

    if (rd.blocks != NULL) {
        ok = read_all(&rd, line, data);
        stats->bytes = blocks_bytes(rd.blocks);
        stats->broken = blocks_broken(rd.blocks, &stats->broken_file,
                                      &stats->broken_line);
        stats->missing = gaps_missing(rd.gaps);
        stats->nodes = gaps_nodes(rd.gaps);
    }

    blocks_free(rd.blocks);
    gaps_free(rd.gaps);
    seen_free(rd.seen);

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

    if (stats->nodes > 1) {
        fprintf(stderr, " of %u nodes", stats->nodes);
    }

    if (stats->handed != 0) {
        fprintf(stderr, ", %.10s to %.10s", first, last);
    }

    say_count(stats->lines - stats->duplicates - stats->handed,
              "others passed over");
    say_count(stats->duplicates, "duplicates left out");
    say_count(stats->broken, "that are no cost lines");

    if (stats->broken != 0) {
        fprintf(stderr, " (%sline %llu of %s)",
                stats->broken == 1 ? "" : "the first is ",
                (unsigned long long) stats->broken_line, stats->broken_file);
    }

    say_count(stats->missing, "missing by llm.seq");
    fprintf(stderr, "%s\n", stats->cost == INT64_MAX || stats->cost == INT64_MIN
            ? "; their cost is too large for a sum, which is cut off" : "");
}
