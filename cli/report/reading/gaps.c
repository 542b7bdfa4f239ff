#include "gaps.h"

#include <stdlib.h>

#define SLACK    60000                  /* ms, up to which numbers are given
                                           out in the order of ends */
#define UNKNOWN  INT64_MIN
#define NAME     256                    /* bytes of a node's */

/* Numbers that all have a line; when the calls of the first and the last of
 * them whose ends are known had ended. */
typedef struct {
    int64_t  low, high;
    int64_t  from, to;                  /* ms, or UNKNOWN, both */
} span_t;

typedef struct {
    span_t    *spans;                   /* in order, with gaps between them */
    size_t     n, room;
    uint64_t   missing;                 /* of gaps that are closed */
} run_t;

typedef struct {
    char       name[NAME];
    size_t     len;
    run_t     *runs;
    unsigned   nruns;
    unsigned   last;                    /* run that took a line */
} node_t;

struct gaps_s {
    node_t   *nodes[GAPS_NODES_MAX];
    unsigned  n;
    unsigned  last;
};


gaps_t *
gaps_new(void)
{
    return calloc(1, sizeof(gaps_t));
}


void
gaps_free(gaps_t *g)
{
    node_t  *node;

    for (unsigned i = 0; g != NULL && i < g->n; i++) {
        node = g->nodes[i];

        for (unsigned k = 0; k < node->nruns; k++) {
            free(node->runs[k].spans);
        }

        free(node->runs);
        free(node);
    }

    free(g);
}


/* NULL: no memory, or, with *ok left alone, there are too many. */
static node_t *
node_of(gaps_t *g, tg_str_t name, bool *ok)
{
    node_t  *node;

    name.len = name.len < NAME ? name.len : NAME;

    for (unsigned i = 0; i < g->n; i++) {
        node = g->nodes[(g->last + i) % g->n];

        if (tg_str_eq(tg_str_of(node->name, node->len), name)) {
            g->last = (g->last + i) % g->n;
            return node;
        }
    }

    if (g->n == GAPS_NODES_MAX) {
        return NULL;
    }

    node = calloc(1, sizeof(node_t));
    *ok = node != NULL;

    if (node != NULL) {
        node->len = name.len;
        if (name.len != 0) {
            memcpy(node->name, name.p, name.len);
        }
        g->nodes[g->n++] = node;
    }

    return node;
}


/* The first span that ends at seq or behind it. */
static size_t
place(const run_t *run, int64_t seq)
{
    size_t  from = 0, to = run->n, middle;

    if (to != 0 && run->spans[to - 1].high < seq) {
        return to;
    }

    while (from < to) {
        middle = from + (to - from) / 2;

        if (run->spans[middle].high < seq) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }

    return from;
}


static bool
fits(const run_t *run, size_t at, int64_t seq, int64_t end)
{
    const span_t  *before = at == 0 ? NULL : &run->spans[at - 1],
                  *behind = at == run->n ? NULL : &run->spans[at];

    if (behind != NULL && behind->low <= seq) {
        return false;
    }

    return end == UNKNOWN
           || ((before == NULL || before->to == UNKNOWN
                || before->to - SLACK <= end)
               && (behind == NULL || behind->from == UNKNOWN
                   || end <= behind->from + SLACK));
}


static void
span_remove(run_t *run, size_t at)
{
    run->n--;
    memmove(run->spans + at, run->spans + at + 1,
            (run->n - at) * sizeof(span_t));
}


/* b, which is right behind a, becomes a part of it. */
static void
join(span_t *a, const span_t *b)
{
    a->high = b->high;
    a->from = a->from == UNKNOWN ? b->from : a->from;
    a->to = b->to == UNKNOWN ? a->to : b->to;
}


static bool
span_insert(run_t *run, size_t at, const span_t *is)
{
    size_t   room = run->room == 0 ? 8 : run->room * 2;
    span_t  *grown;

    if (run->n == GAPS_SPANS_MAX) {
        run->missing += (uint64_t) (run->spans[1].low - run->spans[0].high - 1);
        join(&run->spans[0], &run->spans[1]);
        span_remove(run, 1);
        at = at < 2 ? 1 : at - 1;
    }

    if (run->n == run->room) {
        grown = realloc(run->spans, room * sizeof(span_t));
        if (grown == NULL) {
            return false;
        }
        run->spans = grown;
        run->room = room;
    }

    memmove(run->spans + at + 1, run->spans + at,
            (run->n - at) * sizeof(span_t));
    run->spans[at] = *is;
    run->n++;

    return true;
}


static bool
run_take(run_t *run, size_t at, int64_t seq, int64_t end)
{
    span_t  is = { seq, seq, end, end },
           *before = at == 0 ? NULL : &run->spans[at - 1],
           *behind = at == run->n ? NULL : &run->spans[at];

    if (before != NULL && before->high == seq - 1) {
        join(before, &is);

        if (behind != NULL && behind->low == seq + 1) {
            join(before, behind);
            span_remove(run, at);
        }

        return true;
    }

    if (behind != NULL && behind->low == seq + 1) {
        join(&is, behind);
        *behind = is;
        return true;
    }

    return span_insert(run, at, &is);
}


static bool
node_take(node_t *node, int64_t seq, int64_t end)
{
    size_t    at;
    run_t    *run, *grown;
    unsigned  k;

    for (unsigned i = 0; i < node->nruns; i++) {
        k = (node->last + i) % node->nruns;
        run = &node->runs[k];
        at = place(run, seq);

        if (fits(run, at, seq, end)) {
            node->last = k;
            return run_take(run, at, seq, end);
        }
    }

    if (node->nruns == GAPS_RUNS_MAX) {
        return true;
    }

    grown = realloc(node->runs, (node->nruns + 1) * sizeof(run_t));

    if (grown == NULL) {
        return false;
    }

    node->runs = grown;
    node->last = node->nruns++;
    memset(&node->runs[node->last], 0, sizeof(run_t));

    return run_take(&node->runs[node->last], 0, seq, end);
}


bool
gaps_take(gaps_t *g, const record_t *r)
{
    bool      ok = true;
    int64_t   end = UNKNOWN;
    node_t   *node = node_of(g, r->text[REC_NODE], &ok);

    if (node == NULL || !record_has(r, REC_SEQ) || r->number[REC_SEQ] <= 0) {
        return ok;
    }

    /* an attempt's line, and one that another process wrote, have their number
     * from a later time than they say */

    if (record_is(r, REC_FINAL) && !record_is(r, REC_RECOVERED)
        && record_has(r, REC_DURATION))
    {
        end = r->time + r->number[REC_DURATION] / 1000000;
    }

    return node_take(node, r->number[REC_SEQ], end);
}


uint64_t
gaps_missing(const gaps_t *g)
{
    uint64_t      missing = 0;
    const run_t  *run;

    for (unsigned i = 0; i < g->n; i++) {
        for (unsigned k = 0; k < g->nodes[i]->nruns; k++) {
            run = &g->nodes[i]->runs[k];
            missing += run->missing;

            for (size_t s = 1; s < run->n; s++) {
                missing += (uint64_t) (run->spans[s].low
                                       - run->spans[s - 1].high - 1);
            }
        }
    }

    return missing;
}


unsigned
gaps_nodes(const gaps_t *g)
{
    return g->n;
}
