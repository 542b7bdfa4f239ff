#include "anomaly.h"
#include "series/series_stat.h"

#include <math.h>
#include <stdlib.h>

#define ANOMALIES_MAX  65536
#define TOGETHER       48       /* hours between findings of one cause */
#define KIN            0.1
#define CALM           3        /* hours */


bool
anomaly_narrow(const series_t *s)
{
    return strncmp(s->kind, "tag:", 4) == 0 || strcmp(s->kind, "key") == 0
           || strcmp(s->kind, "user") == 0 || strcmp(s->kind, "agent") == 0
           || strcmp(s->kind, "prefix") == 0;
}


bool
anomaly_add(anomalies_t *all, const anomaly_t *a)
{
    size_t      room = all->room == 0 ? 64 : all->room * 2;
    anomaly_t  *list;

    if (all->n == all->room) {
        list = room > ANOMALIES_MAX ? NULL
                                    : realloc(all->list, room * sizeof(*list));
        if (list == NULL) {
            return false;
        }
        all->list = list;
        all->room = room;
    }

    all->list[all->n++] = *a;

    return true;
}


bool
anomaly_past(anomaly_past_t *past, series_set_t *set, uint32_t i,
    const anomaly_scope_t *scope)
{
    past->s = series_at(set, i);
    past->scope = scope;
    past->index = i;

    if (past->s->first >= scope->end) {
        return false;
    }

    past->day0 = past->s->first / 24;
    past->nhours = (size_t) (scope->end - past->day0 * 24);
    past->ndays = (past->nhours + 23) / 24;

    return past->ndays > ANOMALY_DAYS;
}


size_t
anomaly_since(const void *data, anomaly_above_t above, size_t t, size_t hours)
{
    int     is;
    size_t  since = t, calm = 0;

    for (size_t i = t; i > 0 && calm < CALM && t - i < hours; i--) {
        is = above(data, i);

        if (is > 0) {
            since = i;
            calm = 0;
        } else {
            calm += is == 0;
        }
    }

    return since;
}


void
anomaly_begin(anomaly_t *a, anomaly_kind_t kind, const anomaly_past_t *past,
    size_t since, size_t t, double score)
{
    memset(a, 0, sizeof(*a));
    a->kind = kind;
    a->series = past->index;
    a->since = anomaly_hour(past, since);
    a->found = anomaly_hour(past, t);
    a->last = a->found;
    a->score = score * (anomaly_narrow(past->s) ? ANOMALY_NARROW : 1);
}


bool
anomaly_scope(anomaly_scope_t *scope, const series_t *total, int64_t end,
    double least_nusd, double share)
{
    size_t   ndays, n;
    double  *days, look[28];

    memset(scope, 0, sizeof(*scope));
    scope->begin = total->first / 24 * 24;
    scope->end = total->last + 1 < end ? total->last + 1 : end;
    scope->least = least_nusd;
    scope->share = share;

    if (scope->end <= scope->begin) {
        return true;
    }

    ndays = (size_t) ((scope->end - scope->begin + 23) / 24);
    scope->worth = calloc(ndays, 2 * sizeof(double));
    if (scope->worth == NULL) {
        return false;
    }

    days = scope->worth + ndays;

    for (size_t d = 0; d < ndays; d++) {
        for (int h = 0; h < 24; h++) {
            days[d] += (double) series_get(total, scope->begin
                                                  + (int64_t) d * 24 + h).cost;
        }

        n = d < 28 ? d : 28;
        memcpy(look, days + d - n, n * sizeof(double));
        scope->worth[d] = n == 0 ? least_nusd
                          : fmax(least_nusd, share * stat_median(look, n));
    }

    return true;
}


void
anomaly_scope_free(anomaly_scope_t *scope)
{
    free(scope->worth);
}


double
anomaly_worth(const anomaly_scope_t *scope, int64_t hour)
{
    return hour < scope->begin || hour >= scope->end
           ? scope->least : scope->worth[(hour - scope->begin) / 24];
}


/* What says most of the cause comes first. */
static int
by_weight(const void *a, const void *b)
{
    static const int  weight[] = {
        [ANOMALY_LOOP] = 0, [ANOMALY_PRICE] = 0, [ANOMALY_NEW_KEY] = 0,
        [ANOMALY_OLD_KEY] = 0, [ANOMALY_TOKENS] = 1, [ANOMALY_COST] = 2,
        [ANOMALY_DRIFT] = 3
    };

    const anomaly_t  *one = a, *two = b;

    if (weight[one->kind] != weight[two->kind]) {
        return weight[one->kind] - weight[two->kind];
    }

    if (one->score < two->score || one->score > two->score) {
        return one->score < two->score ? 1 : -1;
    }

    if (one->found != two->found) {
        return one->found < two->found ? -1 : 1;
    }

    return one->series < two->series ? -1 : one->series > two->series;
}


static int
by_found(const void *a, const void *b)
{
    const anomaly_t  *one = a, *two = b;

    return one->found < two->found ? -1 : one->found > two->found ? 1
           : by_weight(a, b);
}


static bool
one_cause(const anomaly_t *head, const anomaly_t *a, const series_set_t *set)
{
    int64_t  apart = head->found - a->found;

    /* Classes of tokens that are seldom used tell it late. */
    if (head->kind == ANOMALY_PRICE && a->kind == ANOMALY_PRICE
        && strcmp(head->text, a->text) == 0
        && fabs(head->score / a->score - 1) < 0.02)
    {
        return apart < 7 * TOGETHER && apart > -7 * TOGETHER;
    }

    if (a->kind == ANOMALY_DRIFT) {
        if (a->since > head->last + TOGETHER
            || a->last < head->since - TOGETHER)
        {
            return false;
        }

    } else if (apart > TOGETHER || apart < -TOGETHER) {
        return false;
    }

    if (head->kind == ANOMALY_PRICE && a->kind == ANOMALY_PRICE) {
        return strcmp(head->text, a->text) == 0;
    }

    /* Two keys that come up, or loops of two keys, are two causes. */
    if (head->kind == a->kind && head->kind != ANOMALY_COST
        && head->kind != ANOMALY_DRIFT && head->kind != ANOMALY_TOKENS
        && head->series != a->series)
    {
        return false;
    }

    return head->series != SERIES_NONE && a->series != SERIES_NONE
           && series_kin(set, head->series, a->series) >= KIN;
}


static void
take(anomaly_t *head, anomaly_t *a)
{
    bool  there = a->series == head->series || a->series == SERIES_NONE;

    for (unsigned i = 0; i < head->nalso; i++) {
        there |= head->also[i] == a->series;
    }

    if (!there && head->nalso < ANOMALY_ALSO) {
        head->also[head->nalso++] = a->series;
    }

    head->found = a->found < head->found ? a->found : head->found;
    head->last = a->last > head->last ? a->last : head->last;
    head->open |= a->open;

    if (head->kind == ANOMALY_PRICE && a->kind == ANOMALY_PRICE) {
        head->excess += a->excess;
    }
}


void
anomaly_merge(anomalies_t *all, const series_set_t *set)
{
    size_t  n;

    if (all->n == 0) {
        return;
    }

    qsort(all->list, all->n, sizeof(anomaly_t), by_weight);

    for (size_t i = 0; i < all->n; i++) {
        n = i + 1;

        for (size_t k = i + 1; k < all->n; k++) {
            if (one_cause(&all->list[i], &all->list[k], set)) {
                take(&all->list[i], &all->list[k]);
            } else {
                all->list[n++] = all->list[k];
            }
        }

        all->n = n;
    }

    qsort(all->list, all->n, sizeof(anomaly_t), by_found);
}
