#include "series.h"
#include "reading/hash.h"

#include "tg_money.h"
#include "tg_window.h"

#include <math.h>
#include <stdlib.h>

#define DAYS_MAX   3660
#define GIVEN_UP   (1 << 18)            /* hashes of names */
#define SETS_MAX   (1 << 16)

typedef struct {
    uint64_t  pair;                     /* 0: free */
    int64_t   cost;
} link_t;

struct series_set_s {
    hash_key_t  key;                    /* of places in the index */
    series_t  *list;
    size_t     n, room;
    uint32_t  *index;                   /* by hash; open addressing, n + 1 */
    size_t     slots;
    size_t     used, most;              /* bytes of cells */
    uint64_t   given_up;
    uint64_t  *gone;                    /* hashes; a set, GIVEN_UP slots */
    link_t    *links;
};


series_set_t *
series_new(size_t bytes)
{
    series_set_t  *set = calloc(1, sizeof(*set));

    if (set == NULL) {
        return NULL;
    }

    set->most = bytes;
    set->gone = calloc(GIVEN_UP, sizeof(uint64_t));
    set->links = calloc(SERIES_LINKS, sizeof(link_t));

    if (set->gone == NULL || set->links == NULL
        || !hash_key_make(&set->key))
    {
        series_free(set);
        return NULL;
    }

    return set;
}


static void
series_drop(series_set_t *set, series_t *s)
{
    for (size_t i = 0; i < s->ndays; i++) {
        if (s->days[i] != NULL) {
            set->used -= 24 * sizeof(series_cell_t);
            free(s->days[i]);
        }
    }

    free(s->days);
    free(s->kind);
    free(s->name);
}


void
series_free(series_set_t *set)
{
    if (set == NULL) {
        return;
    }

    for (size_t i = 0; i < set->n; i++) {
        series_drop(set, &set->list[i]);
    }

    free(set->list);
    free(set->index);
    free(set->gone);
    free(set->links);
    free(set);
}


int64_t
series_hour(const struct tg_zone_s *zone, int64_t ms)
{
    int64_t  until, s = ms / 1000 - (ms % 1000 < 0);

    s += tg_zone_offset(zone, s, &until);

    return s / 3600 - (s % 3600 < 0);
}


int64_t
series_time(const struct tg_zone_s *zone, int64_t hour)
{
    int64_t  until, s = hour * 3600;

    s -= tg_zone_offset(zone, s, &until);

    /* Where the clocks have changed meanwhile. */
    return (hour * 3600 - tg_zone_offset(zone, s, &until)) * 1000;
}


/* FNV-1a, and its bits mixed; never 0. */
static uint64_t
series_hash(const char *kind, tg_str_t name)
{
    uint64_t  h = UINT64_C(0xcbf29ce484222325);

    for (const char *p = kind; *p != '\0'; p++) {
        h = (h ^ (unsigned char) *p) * UINT64_C(0x100000001b3);
    }

    h = (h ^ 0xff) * UINT64_C(0x100000001b3);

    for (size_t i = 0; i < name.len; i++) {
        h = (h ^ (unsigned char) name.p[i]) * UINT64_C(0x100000001b3);
    }

    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;

    return h == 0 ? 1 : h;
}


/* Where it is or would be in the set of those that were given up. */
static uint64_t *
series_gone(const series_set_t *set, uint64_t hash)
{
    uint64_t  *at = NULL;

    for (unsigned i = 0; i < 16; i++) {
        at = &set->gone[(hash + i) % GIVEN_UP];

        if (*at == hash || *at == 0) {
            break;
        }
    }

    return at;
}


static bool
series_reindex(series_set_t *set, size_t slots)
{
    size_t     at;
    uint32_t  *index = calloc(slots, sizeof(uint32_t));

    if (index == NULL) {
        return false;
    }

    for (size_t i = 0; i < set->n; i++) {
        at = set->list[i].place & (slots - 1);
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


static uint32_t
series_make(series_set_t *set, const char *kind, tg_str_t name,
    uint64_t place)
{
    size_t     room = set->room == 0 ? 256 : set->room * 2, at;
    series_t  *s;

    if (set->n == set->room) {
        s = room > SETS_MAX ? NULL : realloc(set->list, room * sizeof(*s));
        if (s == NULL) {
            return SERIES_NONE;
        }
        set->list = s;
        set->room = room;
    }

    if (2 * (set->n + 1) > set->slots
        && !series_reindex(set, set->slots == 0 ? 1024 : set->slots * 2))
    {
        return SERIES_NONE;
    }

    s = &set->list[set->n];
    memset(s, 0, sizeof(*s));
    s->kind = strdup(kind);
    s->name = strndup(name.p, name.len);
    s->hash = series_hash(kind, name);
    s->place = place;
    s->back = *series_gone(set, s->hash) == s->hash;
    s->first = INT64_MAX;
    s->last = INT64_MIN;

    if (s->kind == NULL || s->name == NULL) {
        free(s->kind);
        free(s->name);
        return SERIES_NONE;
    }

    at = place & (set->slots - 1);
    while (set->index[at] != 0) {
        at = (at + 1) & (set->slots - 1);
    }

    set->index[at] = (uint32_t) ++set->n;

    return (uint32_t) set->n - 1;
}


uint32_t
series_of(series_set_t *set, const char *kind, tg_str_t name)
{
    size_t     at;
    uint64_t   place;
    series_t  *s;

    name.len = name.len == 0 ? 0
               : strnlen(name.p, name.len < SERIES_NAME_MAX ? name.len
                                                            : SERIES_NAME_MAX);
    place = hash_pair(&set->key, tg_strz(kind), name);
    at = set->slots == 0 ? 0 : place & (set->slots - 1);

    while (set->slots != 0 && set->index[at] != 0) {
        s = &set->list[set->index[at] - 1];
        if (s->place == place && strcmp(s->kind, kind) == 0
            && tg_str_eq(tg_strz(s->name), name))
        {
            return set->index[at] - 1;
        }
        at = (at + 1) & (set->slots - 1);
    }

    return series_make(set, kind, name, place);
}


/* Room for a day; days come in any order. */
static bool
series_span(series_t *s, int64_t day)
{
    size_t           more, at = 0;
    series_cell_t  **days;

    if (s->ndays == 0) {
        s->day = day;

    } else if (day >= s->day && day < s->day + (int64_t) s->ndays) {
        return true;
    }

    more = day < s->day ? (size_t) (s->day - day)
                        : (size_t) (day - s->day) + 1 - s->ndays;
    if (more > DAYS_MAX - s->ndays) {
        return false;
    }

    days = realloc(s->days, (s->ndays + more) * sizeof(*days));
    if (days == NULL) {
        return false;
    }

    if (day < s->day) {
        memmove(days + more, days, s->ndays * sizeof(*days));
        s->day = day;
    } else {
        at = s->ndays;
    }

    memset(days + at, 0, more * sizeof(*days));
    s->days = days;
    s->ndays += more;

    return true;
}


static int64_t
day_of(int64_t hour)
{
    return hour / 24 - (hour % 24 < 0);
}


series_cell_t *
series_cell(series_set_t *set, uint32_t i, int64_t hour)
{
    int64_t          day = day_of(hour);
    series_t        *s = &set->list[i];
    series_cell_t  **at;

    if (!series_span(s, day)) {
        return NULL;
    }

    at = &s->days[day - s->day];

    if (*at == NULL) {
        *at = calloc(24, sizeof(series_cell_t));
        if (*at == NULL) {
            return NULL;
        }
        set->used += 24 * sizeof(series_cell_t);
    }

    return &(*at)[hour - day * 24];
}


static link_t *
series_link(const series_set_t *set, uint64_t a, uint64_t b)
{
    link_t    *at;
    uint64_t   pair = a ^ (b << 1 | b >> 63) ^ b ^ (a << 1 | a >> 63);

    pair = pair == 0 ? 1 : pair;

    for (unsigned i = 0; i < 16; i++) {
        at = &set->links[(pair + i) % SERIES_LINKS];

        if (at->pair == 0 || at->pair == pair) {
            at->pair = pair;
            return at;
        }
    }

    return NULL;
}


bool
series_add(series_set_t *set, const uint32_t *of, unsigned n,
    const series_call_t *call)
{
    float           ln = logf(1.0f + (float) call->input);
    link_t         *link;
    series_t       *s;
    series_cell_t  *c;

    for (unsigned i = 0; i < n; i++) {
        c = series_cell(set, of[i], call->hour);
        if (c == NULL) {
            return false;
        }

        s = &set->list[of[i]];
        s->cost = tg_money_add(s->cost, call->cost);
        c->cost = tg_money_add(c->cost, call->cost);

        if (call->counts) {
            c->calls += c->calls != UINT32_MAX;
            c->input = tg_money_add(c->input, call->input);
            c->output = tg_money_add(c->output, call->output);
            c->log1 += ln;
            c->log2 += ln * ln;
        }

        s->first = call->hour < s->first ? call->hour : s->first;
        s->last = call->hour > s->last ? call->hour : s->last;

        for (unsigned k = 0; k < i; k++) {
            link = series_link(set, s->hash, set->list[of[k]].hash);
            if (link != NULL) {
                link->cost = tg_money_add(link->cost, call->cost);
            }
        }
    }

    return true;
}


double
series_kin(const series_set_t *set, uint32_t a, uint32_t b)
{
    double         least, both;
    const link_t  *link;

    if (a == b) {
        return 1.0;
    }

    link = series_link(set, set->list[a].hash, set->list[b].hash);
    least = (double) (set->list[a].cost < set->list[b].cost
                      ? set->list[a].cost : set->list[b].cost);
    both = link == NULL ? 0.0 : (double) link->cost;

    return least <= 0.0 ? 0.0 : both > least ? 1.0 : both / least;
}


static int
by_cost(const void *a, const void *b)
{
    const series_t  *one = a, *two = b;

    return one->cost < two->cost ? 1 : one->cost > two->cost ? -1
           : strcmp(one->name, two->name);
}


bool
series_settle(series_set_t *set)
{
    series_t  *s;

    if (set->used <= set->most && set->n + SERIES_OF_CALL <= SETS_MAX) {
        return true;
    }

    qsort(set->list, set->n, sizeof(series_t), by_cost);

    while (set->n > 1
           && (set->used > set->most / 2 || set->n > SETS_MAX / 2))
    {
        s = &set->list[--set->n];
        *series_gone(set, s->hash) = s->hash;
        series_drop(set, s);
        set->given_up++;
    }

    return series_reindex(set, set->slots);
}


unsigned
series_count(const series_set_t *set)
{
    return (unsigned) set->n;
}


series_t *
series_at(series_set_t *set, uint32_t i)
{
    return &set->list[i];
}


uint64_t
series_given_up(const series_set_t *set)
{
    return set->given_up;
}


series_cell_t
series_get(const series_t *s, int64_t hour)
{
    int64_t        day = day_of(hour);
    series_cell_t  none;

    if (day < s->day || day >= s->day + (int64_t) s->ndays
        || s->days[day - s->day] == NULL)
    {
        memset(&none, 0, sizeof(none));
        return none;
    }

    return s->days[day - s->day][hour - day * 24];
}
