#include "tg_spend_int.h"

/*
 * A row's tag: what is in it, so that one look tells whose it is.  A row is
 * taken over once by each who finds it two months behind or ahead, by a swap of
 * its tag; until its name is written it is nobody's to count in.  Who dies
 * before that leaves a row that is of no use until it is taken over in its
 * turn.
 *
 *     63 ... 24  of the name's hash, never 0
 *     23 ... 1   month
 *     0          its name is written
 */
#define TG_SPEND_READY     UINT64_C(1)
#define TG_SPEND_MONTHS    (UINT32_C(1) << 22)
#define TG_SPEND_HASH      (~UINT64_C(0) << 24)

const tg_spend_table_t  tg_spend_tables[TG_SPEND_SUM + 1] = {
    { 0, TG_SPEND_TEAMS },
    { TG_SPEND_TEAMS, TG_SPEND_KEYS },
    { TG_SPEND_TEAMS + TG_SPEND_KEYS, TG_SPEND_MODELS },
    { TG_SPEND_TEAMS + TG_SPEND_KEYS + TG_SPEND_MODELS, TG_SPEND_PROVIDERS },
    { TG_SPEND_ROWS - TG_SPEND_SUMS, TG_SPEND_SUMS }
};

const char *const  tg_spend_names[TG_SPEND_DIMENSIONS] = {
    "team", "key", "model", "provider"
};

static const tg_window_spec_t  tg_spend_daily = { TG_WINDOW_DAY, 0 };


void
tg_spend_date(tg_spend_date_t *date, const tg_zone_t *zone, int64_t t)
{
    int64_t   start, until, day, year;
    unsigned  month;

    if (t >= date->window.start && t < date->window.end) {
        return;
    }

    tg_window_at(&tg_spend_daily, zone, t, &date->window);

    start = date->window.start / 1000;
    day = tg_floor_div(start + tg_zone_offset(zone, start, &until), TG_DAY);
    tg_days_date(day, &year, &month);

    date->month = (uint32_t) (year * 12) + month - 1;
    date->day = (unsigned) (day - tg_days_of(year, month, 1));
}


static uint64_t
tg_spend_four(const unsigned char *c)
{
    return c[0] | (uint64_t) c[1] << 8 | (uint64_t) c[2] << 16
           | (uint64_t) c[3] << 24;
}


/* Fewer than eight bytes, the first one the lowest. */
static uint64_t
tg_spend_tail(const char *p, size_t n)
{
    const unsigned char  *c = (const unsigned char *) p;

    if (n < 4) {
        return c[0] | (uint64_t) c[n / 2] << 8 * (n / 2)
               | (uint64_t) c[n - 1] << 8 * (n - 1);
    }

    return tg_spend_four(c) | tg_spend_four(c + n - 4) << 8 * (n - 4);
}


void
tg_spend_name(tg_spend_name_t *name, tg_str_t s)
{
    size_t    n = s.len, i;
    uint64_t  tail;
    uint64_t  h = UINT64_C(14695981039346656037);

    if (n > TG_SPEND_NAME_MAX) {
        n = TG_SPEND_NAME_MAX;

        while (n > 0 && (s.p[n] & 0xc0) == 0x80) {
            n--;
        }
    }

    /* What is no text at all. */

    n = n == 0 && s.len != 0 ? TG_SPEND_NAME_MAX : n;
    name->len = n;

    for (i = 0; (i + 1) * 8 <= n; i++) {
        memcpy(&name->word[i], s.p + i * 8, 8);
        h = (h ^ name->word[i]) * UINT64_C(0x9fb21c651e98df25);
        h ^= h >> 32;
    }

    if (i * 8 < n) {
        tail = tg_spend_tail(s.p + i * 8, n - i * 8);
        name->word[i] = tail;
        h = (h ^ tail) * UINT64_C(0x9fb21c651e98df25);
        h ^= h >> 32;
    }

    h = (h ^ n) * UINT64_C(0x9fb21c651e98df25);
    h ^= h >> 29;
    name->hash = (h & TG_SPEND_HASH) != 0 ? h : ~h;
}


uint64_t
tg_spend_tag(const tg_spend_name_t *name, uint32_t month)
{
    return (name->hash & TG_SPEND_HASH)
           | (uint64_t) (month % TG_SPEND_MONTHS) << 1 | TG_SPEND_READY;
}


bool
tg_spend_is_of(uint64_t tag, uint32_t month)
{
    return (tag & TG_SPEND_READY) != 0
           && (uint32_t) (tag >> 1) % TG_SPEND_MONTHS == month;
}


/* True where the months are neither the same nor next to each other. */
static bool
tg_spend_is_far(uint32_t month, uint32_t other)
{
    uint32_t  off = (month - other) % TG_SPEND_MONTHS;

    return off > 1 && off < TG_SPEND_MONTHS - 1;
}


/* True where nobody counts in a row with that tag any more. */
static bool
tg_spend_is_past(uint64_t tag, uint32_t present)
{
    return tag == 0 || tg_spend_is_far((uint32_t) (tag >> 1), present);
}


bool
tg_spend_is(const tg_spend_row_t *row, const tg_spend_name_t *name)
{
    if (atomic_load_explicit(&row->len, memory_order_relaxed) != name->len) {
        return false;
    }

    for (size_t i = 0; i * 8 < name->len; i++) {
        if (atomic_load_explicit(&row->name[i], memory_order_relaxed)
            != name->word[i])
        {
            return false;
        }
    }

    return true;
}


static void
tg_spend_begin(tg_spend_row_t *row, const tg_spend_name_t *name)
{
    unsigned  i;

    for (i = 0; i < TG_SPEND_DAYS; i++) {
        atomic_store_explicit(&row->day[i].cost, 0, memory_order_relaxed);
        atomic_store_explicit(&row->day[i].calls, 0, memory_order_relaxed);
    }

    for (i = 0; i < TG_BURN_CELLS; i++) {
        atomic_store_explicit(&row->recent.cell[i], 0, memory_order_relaxed);
    }

    for (i = 0; i * 8 < TG_SPEND_NAME_MAX; i++) {
        atomic_store_explicit(&row->name[i],
                              i * 8 < name->len ? name->word[i] : 0,
                              memory_order_relaxed);
    }

    atomic_store_explicit(&row->len, name->len, memory_order_relaxed);
    atomic_store_explicit(&row->recent.first, 0, memory_order_relaxed);
    atomic_store_explicit(&row->recent.last, 0, memory_order_relaxed);
}


/* NULL: there is no room. */
static tg_spend_row_t *
tg_spend_row(tg_spend_t *s, const tg_spend_table_t *t,
    const tg_spend_name_t *name, uint32_t month, uint32_t present)
{
    uint64_t           want = tg_spend_tag(name, month), tag;
    unsigned           at;
    _Atomic uint64_t  *place;

    for (unsigned i = 0; i < TG_SPEND_STEPS; i++) {
        at = t->at + (unsigned) ((name->hash + i) & (t->n - 1));
        place = &s->tag[at];
        tag = atomic_load_explicit(place, memory_order_acquire);

        if (tg_spend_is_past(tag, present)
            && atomic_compare_exchange_strong_explicit(place, &tag,
                   want & ~TG_SPEND_READY, memory_order_acq_rel,
                   memory_order_acquire))
        {
            tg_spend_begin(&s->row[at], name);
            atomic_store_explicit(place, want, memory_order_release);
            return &s->row[at];
        }

        if (tag == want && tg_spend_is(&s->row[at], name)) {
            return &s->row[at];
        }

        /* Where another is about to write that very name, there are two rows
         * of it then, which are read as one. */
    }

    return NULL;
}


static void
tg_spend_add(tg_spend_row_t *row, unsigned day, int64_t cell,
    const tg_spent_t *spent)
{
    if (spent->cost != 0) {
        (void) atomic_fetch_add_explicit(&row->day[day].cost, spent->cost,
                                         memory_order_relaxed);
        tg_burn_add_to(&row->recent, cell, spent->now, spent->cost);
    }

    if (!spent->attempt) {
        (void) atomic_fetch_add_explicit(&row->day[day].calls, 1,
                                         memory_order_relaxed);
    }
}


/* Where a name is counted: in a row of its own or in "other"; NULL: no room. */
static tg_spend_row_t *
tg_spend_place(tg_spend_t *s, unsigned dimension, tg_str_t name,
    uint32_t month, uint32_t present)
{
    tg_spend_row_t   *row;
    tg_spend_name_t   n;

    tg_spend_name(&n, name);
    row = tg_spend_row(s, &tg_spend_tables[dimension], &n, month, present);

    if (row != NULL) {
        return row;
    }

    tg_spend_name(&n, tg_strz(tg_spend_names[dimension]));

    return tg_spend_row(s, &tg_spend_tables[TG_SPEND_SUM], &n, month, present);
}


/* All rows are looked up and asked for before anything is added: each addition
 * holds up what follows it until it has its cache line. */
void
tg_spend_count(tg_spend_t *s, tg_spend_date_t *date, const tg_zone_t *zone,
    const tg_spent_t *spent)
{
    uint32_t         month, present;
    unsigned         i, day;
    tg_spend_row_t  *row[TG_SPEND_DIMENSIONS] = { NULL };
    tg_spend_date_t  own;
    const int64_t    cell = spent->now / TG_SPEND_UNIT;

    if (date == NULL) {
        memset(&own, 0, sizeof(own));
        date = &own;
    }

    tg_spend_date(date, zone, spent->admitted);
    month = date->month;
    day = date->day;
    tg_spend_date(date, zone, spent->now);
    present = date->month;

    for (i = 0; i < TG_SPEND_DIMENSIONS && !tg_spend_is_far(month, present);
         i++)
    {
        row[i] = tg_spend_place(s, i, spent->name[i], month, present);

        if (row[i] != NULL) {
            __builtin_prefetch(&row[i]->day[day], 1);
            tg_burn_prefetch(&row[i]->recent, cell);
        }
    }

    if (row[TG_SPEND_WHOLE] == NULL) {
        (void) atomic_fetch_add_explicit(&s->late, spent->cost,
                                         memory_order_relaxed);
        return;
    }

    for (i = 0; i < TG_SPEND_DIMENSIONS; i++) {
        if (row[i] != NULL) {
            tg_spend_add(row[i], day, cell, spent);
        }
    }
}
