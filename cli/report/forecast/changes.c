#include "changes.h"
#include "reading/hash.h"

#include "tg_money.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    char     *group, *model;
    int64_t   calls[2];
    int64_t   tokens[2][CHANGES_CLASSES];
    int64_t   cost[2][CHANGES_CLASSES];
} row_t;

struct changes_set_s {
    hash_key_t  key;
    row_t      *rows;
    size_t      n, room;
    uint32_t   *index;
    size_t      slots;
    changes_t  *groups;
    size_t      ngroups, next;
};


changes_set_t *
changes_new(void)
{
    changes_set_t  *set = calloc(1, sizeof(changes_set_t));

    if (set != NULL && !hash_key_make(&set->key)) {
        free(set);
        set = NULL;
    }

    return set;
}


void
changes_free(changes_set_t *set)
{
    if (set == NULL) {
        return;
    }

    for (size_t i = 0; i < set->n; i++) {
        free(set->rows[i].group);
        free(set->rows[i].model);
    }

    free(set->rows);
    free(set->index);
    free(set->groups);
    free(set);
}


static bool
row_is(const row_t *r, tg_str_t group, tg_str_t model)
{
    return tg_str_eq(tg_strz(r->group), group)
           && tg_str_eq(tg_strz(r->model), model);
}


static bool
reindex(changes_set_t *set, size_t slots)
{
    size_t     at;
    uint32_t  *index = calloc(slots, sizeof(uint32_t));

    if (index == NULL) {
        return false;
    }

    for (size_t i = 0; i < set->n; i++) {
        at = hash_pair(&set->key, tg_strz(set->rows[i].group),
                       tg_strz(set->rows[i].model)) & (slots - 1);
        while (index[at] != 0) {
            at = (at + 1) & (slots - 1);
        }
        index[at] = (uint32_t) i + 1;
    }

    free(set->index);
    set->index = index;
    set->slots = slots;

    return true;
}


static bool
row_room(changes_set_t *set)
{
    row_t   *rows;
    size_t   room = set->room == 0 ? 64 : set->room * 2;

    if (set->n == set->room) {
        rows = realloc(set->rows, room * sizeof(*rows));
        if (rows == NULL) {
            return false;
        }
        set->rows = rows;
        set->room = room;
    }

    return 2 * (set->n + 1) <= set->slots
           || reindex(set, set->slots == 0 ? 256 : set->slots * 2);
}


static row_t *
row_of(changes_set_t *set, tg_str_t group, tg_str_t model)
{
    size_t  at;
    row_t  *r;

    for ( ;; ) {
        at = set->slots == 0 ? 0
             : hash_pair(&set->key, group, model) & (set->slots - 1);

        while (set->slots != 0 && set->index[at] != 0) {
            r = &set->rows[set->index[at] - 1];
            if (row_is(r, group, model)) {
                return r;
            }
            at = (at + 1) & (set->slots - 1);
        }

        if (set->n < CHANGES_ROWS || tg_str_eq(group, tg_str("(others)"))) {
            break;
        }

        group = tg_str("(others)");
        model = tg_str("");
    }

    if (!row_room(set)) {
        return NULL;
    }

    r = &set->rows[set->n];
    memset(r, 0, sizeof(*r));
    r->group = strndup(group.len == 0 ? "" : group.p, group.len);
    r->model = strndup(model.len == 0 ? "" : model.p, model.len);

    if (r->group == NULL || r->model == NULL) {
        free(r->group);
        free(r->model);
        return NULL;
    }

    at = hash_pair(&set->key, group, model) & (set->slots - 1);
    while (set->index[at] != 0) {
        at = (at + 1) & (set->slots - 1);
    }
    set->index[at] = (uint32_t) ++set->n;

    return r;
}


/* Up to a NUL: names are kept as strings. */
static size_t
name_size(tg_str_t s)
{
    return s.len == 0 ? 0 : strnlen(s.p, s.len);
}


bool
changes_add(changes_set_t *set, bool after, tg_str_t group, tg_str_t model,
    const changes_call_t *call)
{
    row_t  *r = row_of(set, tg_str_of(group.p, name_size(group)),
                       tg_str_of(model.p, name_size(model)));

    if (r == NULL) {
        return false;
    }

    r->calls[after] += call->counts;

    for (unsigned k = 0; k < CHANGES_CLASSES; k++) {
        r->tokens[after][k] = tg_money_add(r->tokens[after][k],
                                           call->tokens[k]);
        r->cost[after][k] = tg_money_add(r->cost[after][k], call->cost[k]);
    }

    return true;
}


/* The logarithmic mean, by which a difference is the sum of its factors'. */
static double
mean_log(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fmax(a, b) ? a : (a - b) / log(a / b);
}


/*
 * What a model's class of tokens cost is N x (n / N) x (tokens / n) x (cost /
 * tokens), with N calls of the group and n of the model; see B. W. Ang, "LMDI
 * decomposition approach" (2015), for how the difference of products is split.
 */
static void
split_class(double *part, const row_t *r, const int64_t *all, unsigned k)
{
    double  c0 = (double) r->cost[0][k], c1 = (double) r->cost[1][k], w;
    double  n0 = (double) r->calls[0], n1 = (double) r->calls[1];
    double  t0 = (double) r->tokens[0][k], t1 = (double) r->tokens[1][k];

    /* A model came or went, a class of tokens did, or it was free. */
    if (n0 <= 0 || n1 <= 0) {
        part[1] += c1 - c0;
        return;
    }

    if (k != CHANGES_OTHER && (t0 <= 0 || t1 <= 0)) {
        part[2] += c1 - c0;
        return;
    }

    if (c0 <= 0 || c1 <= 0) {
        part[k == CHANGES_OTHER ? 2 : 3] += c1 - c0;
        return;
    }

    w = mean_log(c1, c0);
    part[0] += w * log((double) all[1] / (double) all[0]);
    part[1] += w * log(n1 / (double) all[1] / (n0 / (double) all[0]));

    if (k == CHANGES_OTHER) {
        part[2] += w * log(c1 / n1 / (c0 / n0));
    } else {
        part[2] += w * log(t1 / n1 / (t0 / n0));
        part[3] += w * log(c1 / t1 / (c0 / t0));
    }
}


static int
by_group(const void *a, const void *b)
{
    const row_t  *one = a, *two = b;

    return strcmp(one->group, two->group);
}


static int
by_difference(const void *a, const void *b)
{
    const changes_t  *one = a, *two = b;
    double            x = fabs((double) one->cost[1] - (double) one->cost[0]);
    double            y = fabs((double) two->cost[1] - (double) two->cost[0]);

    if (x < y || x > y) {
        return x < y ? 1 : -1;
    }

    return one->name.len != two->name.len
           ? (one->name.len < two->name.len ? -1 : 1)
           : memcmp(one->name.p, two->name.p, one->name.len);
}


static void
split_group(changes_t *c, const row_t *r, size_t n)
{
    double   part[4] = { 0 };
    int64_t *to[] = { &c->volume, &c->mix, &c->tokens, &c->price }, left;

    memset(c, 0, sizeof(*c));
    c->name = tg_strz(r->group);

    for (size_t i = 0; i < n; i++) {
        for (unsigned p = 0; p < 2; p++) {
            c->calls[p] += r[i].calls[p];
            for (unsigned k = 0; k < CHANGES_CLASSES; k++) {
                c->cost[p] = tg_money_add(c->cost[p], r[i].cost[p][k]);
            }
        }
    }

    left = tg_money_less(c->cost[1], c->cost[0]);

    /* All of it came or went. */
    if (c->calls[0] == 0 || c->calls[1] == 0) {
        c->volume = left;
        return;
    }

    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < CHANGES_CLASSES; k++) {
            split_class(part, &r[i], c->calls, k);
        }
    }

    /* What rounding leaves goes to the largest. */
    for (unsigned k = 0; k < 4; k++) {
        *to[k] = (int64_t) llround(part[k]);
        left = tg_money_less(left, *to[k]);
    }

    for (unsigned k = 1; k < 4; k++) {
        if (fabs(part[k]) > fabs(part[0])) {
            part[0] = part[k];
            to[0] = to[k];
        }
    }

    *to[0] = tg_money_add(*to[0], left);
}


bool
changes_split(changes_set_t *set)
{
    size_t  to;

    if (set->n == 0) {
        return true;
    }

    qsort(set->rows, set->n, sizeof(row_t), by_group);
    set->groups = calloc(set->n, sizeof(changes_t));
    if (set->groups == NULL) {
        return false;
    }

    for (size_t from = 0; from < set->n; from = to) {
        for (to = from + 1; to < set->n
             && strcmp(set->rows[to].group, set->rows[from].group) == 0; to++)
        {
            /* void */
        }

        split_group(&set->groups[set->ngroups++], &set->rows[from], to - from);
    }

    qsort(set->groups, set->ngroups, sizeof(changes_t), by_difference);

    return true;
}


bool
changes_next(changes_set_t *set, changes_t *c)
{
    if (set->next == set->ngroups) {
        return false;
    }

    *c = set->groups[set->next++];

    return true;
}


void
changes_sum(changes_t *sum, const changes_t *c)
{
    for (unsigned p = 0; p < 2; p++) {
        sum->calls[p] += c->calls[p];
        sum->cost[p] = tg_money_add(sum->cost[p], c->cost[p]);
    }

    sum->volume = tg_money_add(sum->volume, c->volume);
    sum->mix = tg_money_add(sum->mix, c->mix);
    sum->tokens = tg_money_add(sum->tokens, c->tokens);
    sum->price = tg_money_add(sum->price, c->price);
}
