/*
 * Time zones: any bytes as a TZif file.  What is refused says why.  What is
 * taken has one offset from any instant until the one it names; its windows
 * hold the instant that they were asked for, are the same from their first to
 * their last millisecond, and begin where the one before ends.
 *
 * The instants are the changes of the zone's clocks and some that the bytes
 * choose.
 */

#include "tg_window_int.h"

#include <stdlib.h>

#define CHECK(cond)  do { if (!(cond)) { abort(); } } while (0)

#define CHANGES  16
#define CHOSEN   24
#define FIRST    (INT64_C(-62135596800) * 1000)     /* year 1 */
#define LAST     INT64_C(253402300799)              /* end of 9999 */
#define OFFSET   (26 * 3600)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static bool
same(const tg_window_t *a, const tg_window_t *b)
{
    return a->start == b->start && a->end == b->end;
}


static void
check_window(const tg_zone_t *zone, tg_window_kind_t kind, int64_t now)
{
    tg_window_t       w, other;
    tg_window_spec_t  spec = { kind, 0 };

    tg_window_at(&spec, zone, now, &w);
    CHECK(w.start <= now && now < w.end);
    CHECK(w.start % 1000 == 0 && w.end % 1000 == 0);

    tg_window_at(&spec, zone, w.end - 1, &other);
    CHECK(same(&w, &other));

    tg_window_at(&spec, zone, w.end, &other);
    CHECK(other.start == w.end && other.end > other.start);

    if (w.start > FIRST) {
        tg_window_at(&spec, zone, w.start, &other);
        CHECK(same(&w, &other));

        tg_window_at(&spec, zone, w.start - 1, &other);
        CHECK(other.end == w.start && other.start < other.end);
    }
}


static void
check_offset(const tg_zone_t *zone, int64_t second)
{
    int64_t  until, last, next;
    int32_t  offset = tg_zone_offset(zone, second, &until);

    CHECK(until > second);
    CHECK(offset > -OFFSET && offset < OFFSET);

    last = until > LAST ? LAST : until - 1;
    CHECK(tg_zone_offset(zone, second + (last - second) / 2, &next) == offset);
    CHECK(next == until);
    CHECK(tg_zone_offset(zone, last, &next) == offset && next == until);
}


static void
check_at(const tg_zone_t *zone, int64_t second)
{
    /* A month and a day from the ends, where times are taken for the ends. */
    if (second < FIRST / 1000 + 32 * TG_DAY || second > LAST - 64 * TG_DAY) {
        return;
    }

    check_offset(zone, second);

    for (int64_t ms = second * 1000 - 1; ms <= second * 1000 + 1; ms++) {
        check_window(zone, TG_WINDOW_DAY, ms);
        check_window(zone, TG_WINDOW_WEEK, ms);
        check_window(zone, TG_WINDOW_MONTH, ms);
    }

    check_window(zone, TG_WINDOW_HOUR, second * 1000);
}


/* Some of the changes, and of those that the rule makes after them. */
static void
check_changes(const tg_zone_t *zone)
{
    size_t    step = zone->nchanges / CHANGES + 1;
    int64_t   until = zone->changes[zone->nchanges - 1].at;
    unsigned  n = 0;

    for (size_t i = 1; i < zone->nchanges; i += step) {
        check_at(zone, zone->changes[i].at);
    }

    until = until < 0 || until > LAST ? 0 : until;

    while (until < LAST && n++ < CHANGES) {
        check_at(zone, until);
        (void) tg_zone_offset(zone, until, &until);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t     x = 0;
    tg_str_t     bytes;
    tg_zone_t   *zone;
    tg_arena_t  *arena = tg_arena_create(1024 * 1024);
    tg_error_t   err = { 0 };

    CHECK(arena != NULL);
    bytes = tg_str_of((const char *) data, size);

    if (tg_zone_parse(tg_arena_mem(arena), bytes, &zone, &err) != TG_OK) {
        CHECK(err.message[0] != '\0');
        tg_arena_destroy(arena);
        return 0;
    }

    check_changes(zone);

    for (size_t i = 0; i < size; i++) {
        x = (x ^ data[i]) * UINT64_C(0x100000001b3);
    }

    for (unsigned i = 0; i < CHOSEN; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        check_at(zone, (int64_t) (x >> 1) % LAST);
        check_at(zone, -((int64_t) (x >> 1) % -(FIRST / 1000)));
    }

    tg_arena_destroy(arena);

    return 0;
}
