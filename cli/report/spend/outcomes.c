/*
 * llmctl report outcomes - what a result costs: lines of llm_outcome joined by
 * the session with what that session's calls cost.
 *
 * A session with several results costs each of them the same part, so that the
 * costs of all results, and of sessions without any, are the log's.
 */

#include "kinds.h"
#include "kind/listing.h"
#include "kind/report.h"
#include "rows/groups.h"
#include "llmctl.h"

#include "tg_mem.h"
#include "tg_money.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TOP   40                        /* rows of a readable table */
#define MOST  65536                     /* rows of one session */

/* Of lines of one session, one name and one place; all int64_t, as below. */
typedef struct {
    int64_t  cost;
    int64_t  calls;
    int64_t  outcomes;
    int64_t  value;                     /* times 10^9 */
    int64_t  valued;                    /* that had one */
} sums_t;

/* Of a name and a place. */
typedef struct {
    sums_t   sums;
    int64_t  sessions;
    int64_t  lone;                      /* outcomes whose session has no calls */
} fold_t;

/* A row of the session that is being read. */
typedef struct {
    tg_str_t  values[DIMENSIONS_MAX];    /* the name, then the dimensions */
    sums_t    sums;
} part_t;

typedef struct {
    report_options_t   o;
    dimension_t        by[DIMENSIONS_MAX];
    unsigned           nby;             /* session, name, dimensions */
    groups_t          *groups;
    groups_t          *folds;           /* name, dimensions */
    table_t           *table;
    tg_arena_t        *arena;           /* of the session */
    tg_str_t           session;
    bool               open;
    part_t            *parts;
    unsigned           nparts, room;
    sums_t             all;
    int64_t            lone;
    int64_t            without, nwithout;       /* outcomes and calls of no
                                           session; cost, calls */
    fold_t             sum;             /* of all rows */
    uint64_t           rows;            /* shown or not */
    bool               full;
} outcomes_t;


static void
add_sums(sums_t *to, const sums_t *from)
{
    groups_add_ints(to, from, sizeof(sums_t));
}


static bool
take(void *data, const record_t *r)
{
    sums_t       s;
    outcomes_t  *x = data;

    memset(&s, 0, sizeof(s));

    if (tg_str_eq(r->text[REC_EVENT_KIND], tg_str("outcome"))) {
        s.outcomes = 1;
        s.value = r->number[REC_OUTCOME_VALUE];
        s.valued = record_has(r, REC_OUTCOME_VALUE);

    } else {
        s.cost = r->number[REC_COST];
        s.calls = record_is(r, REC_FINAL);

        if (r->text[REC_SESSION].len == 0) {
            x->without = tg_money_add(x->without, s.cost);
            x->nwithout += s.calls;
            return true;
        }
    }

    add_sums(&x->all, &s);

    return groups_take_line(x->groups, x->by, x->o.reader.zone, r, &s);
}


/* Its cost is divided among its outcomes; what does not come out even goes with the
 * last. */
static void
session_with(outcomes_t *x, const sums_t *all)
{
    bool           some = all->calls != 0 || all->cost != 0;
    fold_t         f;
    int64_t        cost = all->cost, calls = all->calls, n = all->outcomes;
    const part_t  *p;

    for (unsigned i = 0; i < x->nparts && n != 0; i++) {
        p = &x->parts[i];

        if (p->sums.outcomes == 0) {
            continue;
        }

        f.sums = p->sums;
        f.sums.cost = (int64_t) ((__int128) cost * p->sums.outcomes / n);
        f.sums.calls = (int64_t) ((__int128) calls * p->sums.outcomes / n);
        cost -= f.sums.cost;
        calls -= f.sums.calls;
        n -= p->sums.outcomes;
        f.sessions = 1;
        f.lone = some ? 0 : p->sums.outcomes;
        x->lone += f.lone;
        x->full |= !groups_take(x->folds, p->values, &f);
    }
}


static void
session_without(outcomes_t *x)
{
    fold_t  f;

    for (unsigned i = 0; i < x->nparts; i++) {
        f.sums = x->parts[i].sums;
        f.sessions = 1;
        f.lone = 0;
        x->full |= !groups_take(x->folds, x->parts[i].values, &f);
    }
}


static void
session_end(outcomes_t *x)
{
    sums_t  all;

    memset(&all, 0, sizeof(all));

    for (unsigned i = 0; i < x->nparts; i++) {
        add_sums(&all, &x->parts[i].sums);
    }

    if (all.outcomes != 0) {
        session_with(x, &all);
    } else {
        session_without(x);
    }

    x->nparts = 0;
    x->open = false;
    tg_arena_destroy(x->arena);
    x->arena = NULL;
}


static bool
session_begin(outcomes_t *x, tg_str_t session)
{
    x->arena = tg_arena_create(0);

    if (x->arena == NULL) {
        return false;
    }

    x->session = tg_dup(tg_arena_mem(x->arena), session);
    x->open = true;

    return x->session.p != NULL;
}


static bool
part_add(outcomes_t *x, const tg_str_t *values, const sums_t *sums)
{
    part_t    *grown;
    unsigned   room;

    if (x->nparts == x->room) {
        room = x->room == 0 ? 64 : x->room * 2;
        grown = room > MOST ? NULL : realloc(x->parts, room * sizeof(part_t));

        if (grown == NULL) {
            return false;
        }

        x->parts = grown;
        x->room = room;
    }

    for (unsigned i = 1; i < x->nby; i++) {
        x->parts[x->nparts].values[i - 1] =
            tg_dup(tg_arena_mem(x->arena), values[i]);

        if (x->parts[x->nparts].values[i - 1].p == NULL) {
            return false;
        }
    }

    x->parts[x->nparts++].sums = *sums;

    return true;
}


/* Sessions come one after the other. */
static bool
row(void *data, const tg_str_t *values, const void *sums)
{
    outcomes_t  *x = data;

    if (x->open && !tg_str_eq(x->session, values[0])) {
        session_end(x);
    }

    if (!x->open && !session_begin(x, values[0])) {
        x->full = true;
    }

    x->full |= x->full || !part_add(x, values, sums);

    return !x->full;
}


/* What is without an outcome last, then the dearest first. */
static void
by_cost(int64_t rank[2], const tg_str_t *values, const void *sums)
{
    const fold_t  *f = sums;

    rank[0] = values[0].len == 0;
    rank[1] = ~f->sums.cost;
}


static void
columns(outcomes_t *x)
{
    table_t  *t = x->table;

    table_column(t, "outcome", CELL_TEXT);
    listing_columns(t, x->by + 2, x->nby - 2);
    table_column(t, "outcomes", CELL_COUNT);
    table_column(t, "sessions", CELL_COUNT);
    table_column(t, "calls", CELL_COUNT);
    table_column(t, "cost", CELL_MONEY);
    table_column(t, "cost_per_outcome", CELL_MONEY);
    table_column(t, "value", CELL_MONEY);
    table_column(t, "cost_per_value", CELL_NUMBER);
}


static void
cells(outcomes_t *x, const tg_str_t *values, const fold_t *f)
{
    table_t  *t = x->table;

    listing_values(t, values, x->nby - 1);
    table_int(t, f->sums.outcomes);
    table_int(t, f->sessions);
    table_int(t, f->sums.calls);
    table_int(t, f->sums.cost);

    if (f->sums.outcomes == 0) {
        table_none(t);
    } else {
        table_int(t, f->sums.cost / f->sums.outcomes);
    }

    if (f->sums.valued == 0) {
        table_none(t);
    } else {
        table_int(t, f->sums.value);
    }

    if (f->sums.valued == 0 || f->sums.value == 0) {
        table_none(t);
    } else {
        table_double(t, (double) f->sums.cost / (double) f->sums.value);
    }
}


static void
notes(outcomes_t *x)
{
    char  text[300], money[TG_MONEY_TEXT_MAX];

    if (x->all.outcomes == 0) {
        table_note(x->table, "none", "there is no outcome in these files:"
                   " llm_outcome writes them, with kind outcome");
    }

    if (x->lone != 0) {
        (void) snprintf(text, sizeof(text), "%lld outcomes are of sessions that"
                        " have no calls here: a wider --since may have them",
                        (long long) x->lone);
        table_note(x->table, "without_calls", text);
    }

    if (x->nwithout != 0) {
        (void) snprintf(text, sizeof(text), "%lld calls for %.*s USD are of no"
                        " session, and of no outcome", (long long) x->nwithout,
                        (int) tg_money_text(money, x->without), money);
        table_note(x->table, "without_session", text);
    }
}


static bool
print_fold(void *data, const tg_str_t *values, const void *sums)
{
    outcomes_t  *x = data;

    groups_add_ints(&x->sum, sums, sizeof(fold_t));

    if (x->o.top == 0 || x->rows < x->o.top) {
        cells(x, values, sums);
    }

    x->rows++;

    return true;
}


static bool
print(void *data, table_t *t, const reader_stats_t *stats)
{
    tg_str_t     empty[DIMENSIONS_MAX];
    outcomes_t  *x = data;

    (void) stats;
    x->table = t;
    columns(x);

    if (!groups_each(x->groups, NULL, row, x)) {
        return failed("report", "the temporary file can't be used");
    }

    if (x->open) {
        session_end(x);
    }

    if (x->full) {
        return failed("report", "there is no room for the rows");
    }

    if (!groups_each(x->folds, by_cost, print_fold, x)) {
        return failed("report", "the temporary file can't be used");
    }

    memset(empty, 0, sizeof(empty));
    table_total(x->table);
    empty[0] = tg_str("all");
    cells(x, empty, &x->sum);
    notes(x);
    listing_left_out(x->table, x->rows, x->o.top);

    return true;
}


static int
begin(void *data)
{
    outcomes_t        *x = data;
    report_options_t  *o = &x->o;

    o->reader.kinds = READER_CALLS | READER_OUTCOMES;
    (void) dimension_parse(&x->by[x->nby++], "session");
    (void) dimension_parse(&x->by[x->nby++], "llm.outcome.name");

    for (unsigned i = 0; i < o->nby; i++) {
        if (x->nby == DIMENSIONS_MAX) {
            return fail("--by", "has too many dimensions");
        }

        x->by[x->nby++] = o->by[i];
    }

    if (o->top == 0 && o->format == TABLE_TEXT) {
        o->top = TOP;
    }

    record_want_text(&o->reader.want, REC_SESSION);
    record_want_text(&o->reader.want, REC_EVENT_KIND);
    record_want_text(&o->reader.want, REC_OUTCOME_NAME);
    record_want_number(&o->reader.want, REC_OUTCOME_VALUE);
    record_want_number(&o->reader.want, REC_COST);

    x->groups = groups_new(x->nby, sizeof(sums_t), NULL, o->rows_memory);
    x->folds = groups_new(x->nby - 1, sizeof(fold_t), NULL, o->rows_memory);

    return x->groups != NULL && x->folds != NULL
           ? 0 : fail("report", strerror(ENOMEM));
}


static void
end(void *data)
{
    outcomes_t  *x = data;

    tg_arena_destroy(x->arena);
    free(x->parts);
    groups_free(x->folds);
    groups_free(x->groups);
}


int
report_outcomes(int argc, char **argv)
{
    static const report_whole_t  whole = {
        { "outcomes", take, false, print }, NULL, begin, end
    };

    outcomes_t  x;

    memset(&x, 0, sizeof(x));

    return report_whole(&whole, &x.o, &x, argc, argv);
}
