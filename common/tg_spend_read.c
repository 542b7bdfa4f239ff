/* Rows of one name are read as one: see tg_spend_row(). */

#include "tg_spend_int.h"


/* A name's rows in a month, from place to place: the next one from *step on. */
static const tg_spend_row_t *
tg_spend_find(const tg_spend_t *s, const tg_spend_table_t *t,
    const tg_spend_name_t *name, uint32_t month, unsigned *step)
{
    uint64_t  want = tg_spend_tag(name, month);
    unsigned  at;

    while (*step < TG_SPEND_STEPS) {
        at = t->at + (unsigned) ((name->hash + (*step)++) & (t->n - 1));

        if (atomic_load_explicit(&s->tag[at], memory_order_acquire) == want
            && tg_spend_is(&s->row[at], name))
        {
            return &s->row[at];
        }
    }

    return NULL;
}


static int64_t
tg_spend_burned(const tg_spend_row_t *row, int64_t now)
{
    tg_burned_t  burned;

    tg_burn_recent(&row->recent, TG_SPEND_UNIT, now, &burned);

    return burned.amount;
}


/* What it cost just now may be of the month before, in the first minutes. */
static bool
tg_spend_young(const tg_spend_date_t *date, int64_t now)
{
    return date->day == 0
           && now - date->window.start < TG_SPEND_RECENT + TG_SPEND_UNIT;
}


/* Nothing yet, in the time that tg_spend_burned() looks at. */
static void
tg_spend_unburned(int64_t now, tg_burned_t *burned)
{
    burned->amount = 0;
    burned->span = TG_SPEND_RECENT + now % TG_SPEND_UNIT;
}


static int64_t
tg_spend_hourly(const tg_spend_t *s, const tg_spend_table_t *t,
    const tg_spend_name_t *name, const tg_spend_date_t *date, int64_t now)
{
    unsigned               step;
    tg_burned_t            burned;
    const tg_spend_row_t  *row;

    tg_spend_unburned(now, &burned);

    for (unsigned ago = 0; ago <= tg_spend_young(date, now); ago++) {
        step = 0;

        while ((row = tg_spend_find(s, t, name, date->month - ago, &step))
               != NULL)
        {
            burned.amount += tg_spend_burned(row, now);
        }
    }

    return tg_burned_in(&burned, INT64_C(3600000));
}


static void
tg_spend_days(const tg_spend_row_t *row, unsigned day, tg_spend_sum_t *sum)
{
    int64_t   cost;
    uint64_t  calls;

    for (unsigned i = 0; i < TG_SPEND_DAYS; i++) {
        cost = atomic_load_explicit(&row->day[i].cost, memory_order_relaxed);
        calls = atomic_load_explicit(&row->day[i].calls,
                                     memory_order_relaxed);
        sum->month += cost;
        sum->calls_month += calls;

        if (i == day) {
            sum->today += cost;
            sum->calls_today += calls;
        }
    }
}


/* False: there is no such row. */
static bool
tg_spend_sum(const tg_spend_t *s, const tg_spend_table_t *t,
    const tg_spend_name_t *name, const tg_spend_date_t *date, int64_t now,
    tg_spend_sum_t *sum)
{
    bool                   any = false;
    unsigned               step = 0;
    const tg_spend_row_t  *row;

    memset(sum, 0, sizeof(tg_spend_sum_t));

    while ((row = tg_spend_find(s, t, name, date->month, &step)) != NULL) {
        tg_spend_days(row, date->day, sum);
        any = true;
    }

    sum->hourly = tg_spend_hourly(s, t, name, date, now);

    return any;
}


static void
tg_spend_more(tg_spend_sum_t *to, const tg_spend_sum_t *sum)
{
    to->hourly += sum->hourly;
    to->today += sum->today;
    to->month += sum->month;
    to->calls_today += sum->calls_today;
    to->calls_month += sum->calls_month;
}


static bool
tg_spend_before(const tg_spend_top_t *a, const tg_spend_top_t *b)
{
    int     differ;
    size_t  n = a->len < b->len ? a->len : b->len;

    if (a->sum.month != b->sum.month) {
        return a->sum.month > b->sum.month;
    }

    differ = memcmp(a->name, b->name, n);

    return differ != 0 ? differ < 0 : a->len < b->len;
}


/* Where it belongs; who falls out at the end is of the rest. */
static void
tg_spend_insert(tg_spend_top_t *top, unsigned *n, unsigned max,
    const tg_spend_top_t *one, tg_spend_rest_t *rest)
{
    unsigned               i = *n;
    const tg_spend_top_t  *out = one;

    if (*n == max && (max == 0 || !tg_spend_before(one, &top[max - 1]))) {
        rest->n++;
        tg_spend_more(&rest->sum, &out->sum);
        return;
    }

    if (*n == max) {
        rest->n++;
        tg_spend_more(&rest->sum, &top[max - 1].sum);
        i = max - 1;

    } else {
        (*n)++;
    }

    for ( ; i > 0 && tg_spend_before(one, &top[i - 1]); i--) {
        top[i] = top[i - 1];
    }

    top[i] = *one;
}


/* The name in a row, where that is the first of its name. */
static bool
tg_spend_first(const tg_spend_t *s, const tg_spend_table_t *t,
    const tg_spend_row_t *row, uint32_t month, tg_spend_name_t *name,
    tg_spend_top_t *one)
{
    uint64_t  text[TG_SPEND_NAME_MAX / 8];
    unsigned  step = 0;

    one->len = atomic_load_explicit(&row->len, memory_order_relaxed);

    if (one->len > TG_SPEND_NAME_MAX) {
        return false;
    }

    for (unsigned i = 0; i < TG_SPEND_NAME_MAX / 8; i++) {
        text[i] = atomic_load_explicit(&row->name[i], memory_order_relaxed);
    }

    memcpy(one->name, text, sizeof(text));
    tg_spend_name(name, tg_str_of(one->name, one->len));

    return tg_spend_find(s, t, name, month, &step) == row;
}


unsigned
tg_spend_top(const tg_spend_t *s, tg_spend_dimension_t dimension,
    const tg_zone_t *zone, int64_t now, tg_spend_top_t *top, unsigned max,
    tg_spend_rest_t *rest)
{
    uint64_t                 tag;
    unsigned                 n = 0;
    tg_spend_top_t           one;
    tg_spend_sum_t           other;
    tg_spend_date_t          date;
    tg_spend_name_t          name;
    const tg_spend_table_t  *t = &tg_spend_tables[dimension];

    memset(&date, 0, sizeof(date));
    memset(rest, 0, sizeof(tg_spend_rest_t));
    tg_spend_date(&date, zone, now);

    for (unsigned i = t->at; i < t->at + t->n; i++) {
        tag = atomic_load_explicit(&s->tag[i], memory_order_acquire);

        if (tg_spend_is_of(tag, date.month)
            && tg_spend_first(s, t, &s->row[i], date.month, &name, &one)
            && tg_spend_sum(s, t, &name, &date, now, &one.sum))
        {
            tg_spend_insert(top, &n, max, &one, rest);
        }
    }

    tg_spend_name(&name, tg_strz(tg_spend_names[dimension]));
    rest->overflow = tg_spend_sum(s, &tg_spend_tables[TG_SPEND_SUM], &name,
                                  &date, now, &other);
    tg_spend_more(&rest->sum, &other);

    return n;
}


void
tg_spend_of(const tg_spend_t *s, tg_spend_dimension_t dimension,
    tg_str_t name, const tg_zone_t *zone, int64_t now, tg_spend_sum_t *sum)
{
    tg_spend_date_t  date;
    tg_spend_name_t  known;

    memset(&date, 0, sizeof(date));
    tg_spend_date(&date, zone, now);
    tg_spend_name(&known, name);
    (void) tg_spend_sum(s, &tg_spend_tables[dimension], &known, &date, now,
                        sum);
}


/* The rows in which all calls of a month are, each of them once; *i starts at
 * 0.  NULL at the end. */
static const tg_spend_row_t *
tg_spend_next(const tg_spend_t *s, uint32_t month, unsigned *i)
{
    unsigned                 at, step;
    tg_spend_name_t          other;
    const tg_spend_row_t    *row;
    const tg_spend_table_t  *t = &tg_spend_tables[TG_SPEND_WHOLE];

    while (*i < t->n) {
        at = t->at + (*i)++;

        if (tg_spend_is_of(atomic_load_explicit(&s->tag[at],
                                                memory_order_acquire), month))
        {
            return &s->row[at];
        }
    }

    step = *i - t->n;
    tg_spend_name(&other, tg_strz(tg_spend_names[TG_SPEND_WHOLE]));
    row = tg_spend_find(s, &tg_spend_tables[TG_SPEND_SUM], &other, month,
                        &step);
    *i = t->n + step;

    return row;
}


static int64_t
tg_spend_month(const tg_spend_t *s, uint32_t month, int64_t *days)
{
    int64_t                cost, sum = 0;
    unsigned               at = 0;
    const tg_spend_row_t  *row;

    while ((row = tg_spend_next(s, month, &at)) != NULL) {
        for (unsigned i = 0; i < TG_SPEND_DAYS; i++) {
            cost = atomic_load_explicit(&row->day[i].cost,
                                        memory_order_relaxed);
            sum += cost;
            days[i] += cost;
        }
    }

    return sum;
}


static void
tg_spend_whole(const tg_spend_t *s, const tg_spend_date_t *date, int64_t now,
    tg_spend_sum_t *sum)
{
    unsigned               i;
    tg_burned_t            burned;
    const tg_spend_row_t  *row;

    tg_spend_unburned(now, &burned);

    for (unsigned ago = 0; ago <= tg_spend_young(date, now); ago++) {
        i = 0;

        while ((row = tg_spend_next(s, date->month - ago, &i)) != NULL) {
            burned.amount += tg_spend_burned(row, now);

            if (ago == 0) {
                tg_spend_days(row, date->day, sum);
            }
        }
    }

    sum->hourly = tg_burned_in(&burned, INT64_C(3600000));
}


void
tg_spend_all(const tg_spend_t *s, const tg_zone_t *zone, int64_t now,
    tg_spend_all_t *all)
{
    int64_t          before[TG_SPEND_DAYS] = { 0 };
    int64_t          year;
    unsigned         month;
    tg_spend_date_t  date, day;

    memset(all, 0, sizeof(tg_spend_all_t));
    memset(&date, 0, sizeof(date));
    tg_spend_date(&date, zone, now);

    tg_spend_whole(s, &date, now, &all->sum);

    year = date.month / 12;
    month = date.month % 12 + 1;
    all->day = date.day;
    all->ndays = (unsigned) (tg_days_of(year + month / 12, month % 12 + 1, 1)
                             - tg_days_of(year, month, 1));

    (void) tg_spend_month(s, date.month, all->days);
    all->last_month = tg_spend_month(s, date.month - 1, before);

    memset(&day, 0, sizeof(day));
    tg_spend_date(&day, zone, date.window.start - 1);
    all->yesterday = day.month == date.month ? all->days[day.day]
                                             : before[day.day];
    all->late = atomic_load_explicit(&s->late, memory_order_relaxed);
}
