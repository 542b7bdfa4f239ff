#include "ranking.h"
#include "listing.h"
#include "llmctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>


bool
ranking_init(ranking_t *r, const ranking_kind_t *kind, void *data,
    const report_options_t *o, const dimension_t *by, unsigned nby)
{
    memset(r, 0, sizeof(*r));
    r->kind = kind;
    r->data = data;
    r->o = o;
    r->by = by;
    r->nby = nby;
    r->all = calloc(2, kind->size);
    r->others = r->all == NULL ? NULL
                : (unsigned char *) r->all + kind->size;
    r->groups = groups_new(nby, kind->size, kind->add, o->rows_memory);

    return (r->all != NULL && r->groups != NULL)
           || failed("report", strerror(ENOMEM));
}


void
ranking_free(ranking_t *r)
{
    groups_free(r->groups);
    free(r->all);
}


static void
add(const ranking_t *r, void *to, const void *from)
{
    if (r->kind->add != NULL) {
        r->kind->add(to, from);
    } else {
        groups_add_ints(to, from, r->kind->size);
    }
}


bool
ranking_take(ranking_t *r, const record_t *line, const void *sums)
{
    add(r, r->all, sums);

    return groups_take_line(r->groups, r->by, r->o->reader.zone, line, sums);
}


static bool
row(void *data, const tg_str_t *values, const void *sums)
{
    ranking_t  *r = data;

    if (r->kind->look != NULL) {
        r->kind->look(r->data, values, sums);
    }

    if (r->o->top != 0 && r->rows == r->o->top) {
        add(r, r->others, sums);
        r->nothers++;
        return true;
    }

    r->rows++;
    listing_values(r->table, values, r->nby);
    r->kind->cells(r->data, r->table, sums, true);

    return true;
}


static void
sum_row(ranking_t *r, const char *what, const void *sums)
{
    listing_sum(r->table, what, r->nby);
    r->kind->cells(r->data, r->table, sums, false);
}


bool
ranking_print(ranking_t *r, table_t *t, groups_rank_t rank)
{
    char  others[64];

    r->table = t;

    if (!groups_each(r->groups, rank, row, r)) {
        return failed("report", "the temporary file can't be used");
    }

    if (r->nothers != 0) {
        (void) snprintf(others, sizeof(others), "(%llu others)",
                        (unsigned long long) r->nothers);
        sum_row(r, others, r->others);
    }

    if (r->nby != 0) {
        table_total(t);
        sum_row(r, "all", r->all);
    }

    return true;
}
