#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "tg_window.h"
#include "tg_window_int.h"

typedef struct {
    unsigned char  bytes[2048];
    size_t         len;
} tzif_t;

typedef struct {
    int64_t        at;
    uint32_t       type;
} change_t;


static void
put(tzif_t *t, int64_t v, unsigned n)
{
    while (n-- > 0) {
        t->bytes[t->len++] = (unsigned char) ((uint64_t) v >> (8 * n));
    }
}


static void
put_header(tzif_t *t, int64_t version, int64_t times, int64_t types)
{
    memcpy(t->bytes + t->len, "TZif", 4);
    t->len += 4;
    put(t, version, 1);
    memset(t->bytes + t->len, 0, 15);
    t->len += 15;
    put(t, 0, 4);
    put(t, 0, 4);
    put(t, 0, 4);
    put(t, times, 4);
    put(t, types, 4);
    put(t, 4, 4);
}


/* A version 2 file. */
static void
make(tzif_t *t, const change_t *changes, unsigned n, const int32_t *offsets,
    unsigned types, const char *footer)
{
    t->len = 0;
    put_header(t, '2', 0, 0);
    put(t, 0, 4);
    put_header(t, '2', n, types);

    for (unsigned i = 0; i < n; i++) {
        put(t, changes[i].at, 8);
    }

    for (unsigned i = 0; i < n; i++) {
        put(t, changes[i].type, 1);
    }

    for (unsigned i = 0; i < types; i++) {
        put(t, offsets[i], 4);
        put(t, 0, 2);
    }

    put(t, 0, 4);
    t->bytes[t->len++] = '\n';
    memcpy(t->bytes + t->len, footer, strlen(footer));
    t->len += strlen(footer);
    t->bytes[t->len++] = '\n';
}


static tg_str_t
text_of(const tzif_t *t)
{
    return tg_str_of((const char *) t->bytes, t->len);
}


static tg_zone_t *
zone_of(tg_arena_t *a, int32_t offset, const char *footer)
{
    tzif_t       t;
    tg_zone_t   *z = NULL;
    tg_error_t   err;

    make(&t, NULL, 0, &offset, 1, footer);

    if (tg_zone_parse(tg_arena_mem(a), text_of(&t), &z, &err) != TG_OK) {
        fail_msg("%s: %s", footer, err.message);
    }

    return z;
}


static int64_t
utc(int64_t y, unsigned m, unsigned d, int64_t h, int64_t min)
{
    return (tg_days_of(y, m, d) * TG_DAY + h * 3600 + min * 60) * 1000;
}


static void
expect(const tg_zone_t *z, tg_window_kind_t kind, int64_t now, int64_t start,
    int64_t end)
{
    tg_window_t       w;
    tg_window_spec_t  spec = { kind, 0 };

    tg_window_at(&spec, z, now, &w);
    assert_true(w.start == start);
    assert_true(w.end == end);
}


static void
test_dates_of_the_gregorian_calendar(void **state)
{
    int64_t   year;
    unsigned  month;

    (void) state;

    assert_true(tg_days_of(1970, 1, 1) == 0);
    assert_true(tg_days_of(2000, 2, 29) == 11016);
    assert_true(tg_days_of(2000, 3, 1) == 11017);
    assert_true(tg_days_of(1969, 12, 31) == -1);
    assert_true(tg_days_of(2100, 3, 1) - tg_days_of(2100, 2, 28) == 1);

    for (int64_t d = -200000; d < 200000; d += 13) {
        tg_days_date(d, &year, &month);
        assert_true(tg_days_of(year, month, 1) <= d);
        assert_true(d - tg_days_of(year, month, 1) < 31);
    }
}


static void
test_windows_of_utc(void **state)
{
    int64_t  now = utc(2024, 2, 29, 13, 7) + 45678;

    (void) state;

    expect(NULL, TG_WINDOW_SECOND, now, now - 678, now + 322);
    expect(NULL, TG_WINDOW_MINUTE, now, utc(2024, 2, 29, 13, 7),
           utc(2024, 2, 29, 13, 8));
    expect(NULL, TG_WINDOW_HOUR, now, utc(2024, 2, 29, 13, 0),
           utc(2024, 2, 29, 14, 0));
    expect(NULL, TG_WINDOW_DAY, now, utc(2024, 2, 29, 0, 0),
           utc(2024, 3, 1, 0, 0));
    expect(NULL, TG_WINDOW_WEEK, now, utc(2024, 2, 26, 0, 0),
           utc(2024, 3, 4, 0, 0));
    expect(NULL, TG_WINDOW_MONTH, now, utc(2024, 2, 1, 0, 0),
           utc(2024, 3, 1, 0, 0));
    expect(NULL, TG_WINDOW_MONTH, utc(2024, 12, 31, 23, 59),
           utc(2024, 12, 1, 0, 0), utc(2025, 1, 1, 0, 0));
    expect(NULL, TG_WINDOW_TOTAL, now, 0, TG_WINDOW_NEVER);
}


static void
test_windows_before_1970_and_of_absurd_clocks(void **state)
{
    tg_window_t       w;
    tg_window_spec_t  spec = { TG_WINDOW_MONTH, 0 };

    (void) state;

    expect(NULL, TG_WINDOW_WEEK, -1, utc(1969, 12, 29, 0, 0),
           utc(1970, 1, 5, 0, 0));
    expect(NULL, TG_WINDOW_SECOND, -1, -1000, 0);

    tg_window_at(&spec, NULL, INT64_MAX, &w);
    assert_true(w.start < w.end);
    tg_window_at(&spec, NULL, INT64_MIN, &w);
    assert_true(w.start < w.end);
}


static void
test_days_of_23_and_25_hours(void **state)
{
    tg_arena_t  *a = tg_arena_create(0);
    tg_zone_t   *z = zone_of(a, 3600, "CET-1CEST,M3.5.0,M10.5.0/3");

    (void) state;

    expect(z, TG_WINDOW_DAY, utc(2025, 3, 30, 12, 0), utc(2025, 3, 29, 23, 0),
           utc(2025, 3, 30, 22, 0));
    expect(z, TG_WINDOW_DAY, utc(2025, 10, 26, 12, 0),
           utc(2025, 10, 25, 22, 0), utc(2025, 10, 26, 23, 0));
    expect(z, TG_WINDOW_MONTH, utc(2039, 10, 15, 0, 0),
           utc(2039, 9, 30, 22, 0), utc(2039, 10, 31, 23, 0));
    expect(z, TG_WINDOW_WEEK, utc(2025, 3, 30, 12, 0),
           utc(2025, 3, 23, 23, 0), utc(2025, 3, 30, 22, 0));

    tg_arena_destroy(a);
}


/* Havana puts its clocks from 0:00 to 1:00, and from 1:00 back to 0:00. */
static void
test_midnight_that_is_skipped_or_comes_twice(void **state)
{
    tg_arena_t  *a = tg_arena_create(0);
    tg_zone_t   *z = zone_of(a, -18000, "CST5CDT,M3.2.0/0,M11.1.0/1");

    (void) state;

    expect(z, TG_WINDOW_DAY, utc(2025, 3, 9, 12, 0), utc(2025, 3, 9, 5, 0),
           utc(2025, 3, 10, 4, 0));
    expect(z, TG_WINDOW_DAY, utc(2025, 11, 2, 4, 30), utc(2025, 11, 2, 4, 0),
           utc(2025, 11, 3, 5, 0));
    expect(z, TG_WINDOW_DAY, utc(2025, 11, 2, 5, 30), utc(2025, 11, 2, 4, 0),
           utc(2025, 11, 3, 5, 0));

    /* 0:00 and 0:30 are skipped, 1:00 is not */

    for (int64_t minute = 0; minute <= 60; minute += 30) {
        assert_int_equal(tg_window_of_local(z, utc(2025, 3, 9, 0, 0) / 1000
                                               + minute * 60),
                         utc(2025, 3, 9, 5, 0) / 1000);
    }

    tg_arena_destroy(a);
}


/* Back from 0:30 to 23:30: the day before shows once more, but is over. */
static void
test_windows_never_go_back_with_the_clocks(void **state)
{
    tzif_t        t;
    tg_arena_t   *a = tg_arena_create(0);
    tg_zone_t    *z;
    tg_error_t    err;
    int64_t       jump = utc(2025, 6, 1, 0, 30) / 1000 - 3600;
    change_t      change = { jump, 1 };
    int32_t       offsets[] = { 3600, 0 };
    tg_window_t   w, before = { 0, 0 };
    tg_window_spec_t  spec = { TG_WINDOW_DAY, 0 };

    (void) state;

    make(&t, &change, 1, offsets, 2, "UTC0");
    assert_int_equal(tg_zone_parse(tg_arena_mem(a), text_of(&t), &z, &err),
                     TG_OK);

    for (int64_t s = jump - 90000; s < jump + 90000; s += 60) {
        tg_window_at(&spec, z, s * 1000, &w);
        assert_true(w.start <= s * 1000 && s * 1000 < w.end);
        assert_true(before.end == 0 || w.start == before.start
                    || w.start == before.end);
        before = w;
    }

    tg_arena_destroy(a);
}


static void
test_rules_of_the_southern_half_and_negative_times(void **state)
{
    int64_t      until;
    tg_arena_t  *a = tg_arena_create(0);
    tg_zone_t   *z;

    (void) state;

    z = zone_of(a, 36000, "AEST-10AEDT,M10.1.0,M4.1.0/3");
    assert_int_equal(tg_zone_offset(z, utc(2030, 1, 15, 0, 0) / 1000, &until),
                     39600);
    assert_int_equal(tg_zone_offset(z, utc(2030, 7, 15, 0, 0) / 1000, &until),
                     36000);
    assert_true(until == utc(2030, 10, 5, 16, 0) / 1000);

    z = zone_of(a, -7200, "<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
    assert_int_equal(tg_zone_offset(z, utc(2030, 3, 31, 0, 59) / 1000,
                                    &until), -7200);
    assert_int_equal(tg_zone_offset(z, utc(2030, 3, 31, 1, 0) / 1000, &until),
                     -3600);

    z = zone_of(a, 0, "IST-1GMT0,J300,59/2");
    assert_int_equal(tg_zone_offset(z, utc(2028, 6, 1, 0, 0) / 1000, &until),
                     3600);

    z = zone_of(a, -10800, "XXX3EDT4,0/0,J365/23");
    assert_int_equal(tg_zone_offset(z, utc(2028, 1, 1, 3, 0) / 1000, &until),
                     -14400);

    /* The next change is of the year after the next. */
    z = zone_of(a, 18000, "AST-5ADT0,0/0,J365/23");
    assert_int_equal(tg_zone_offset(z, utc(2029, 12, 31, 23, 0) / 1000,
                                    &until), 18000);
    assert_true(until == utc(2030, 12, 31, 19, 0) / 1000);

    tg_arena_destroy(a);
}


static void
test_table_then_rule(void **state)
{
    tzif_t       t;
    int64_t      until;
    tg_arena_t  *a = tg_arena_create(0);
    tg_zone_t   *z;
    tg_error_t   err;
    change_t     changes[] = { { 1000, 1 }, { 2000, 0 } };
    int32_t      offsets[] = { 60, 120 };

    (void) state;

    make(&t, changes, 2, offsets, 2, "ABC-2");
    assert_int_equal(tg_zone_parse(tg_arena_mem(a), text_of(&t), &z, &err),
                     TG_OK);
    assert_int_equal(tg_zone_offset(z, -5, &until), 60);
    assert_true(until == 1000);
    assert_int_equal(tg_zone_offset(z, 1999, &until), 120);
    assert_true(until == 2000);
    assert_int_equal(tg_zone_offset(z, 2000, &until), 7200);
    assert_true(until == INT64_MAX);

    make(&t, changes, 2, offsets, 2, "");
    assert_int_equal(tg_zone_parse(tg_arena_mem(a), text_of(&t), &z, &err),
                     TG_OK);
    assert_int_equal(tg_zone_offset(z, 9999, &until), 60);

    tg_arena_destroy(a);
}


static void
test_broken_zones_are_refused(void **state)
{
    tzif_t               t;
    tg_arena_t          *a = tg_arena_create(0);
    tg_zone_t           *z;
    tg_error_t           err;
    change_t             changes[] = { { 1000, 1 }, { 1000, 0 } };
    int32_t              offsets[] = { 60, 120 };
    static const char   *footers[] = {
        "C", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,M10.5",
        "CET-1CEST,M13.5.0,M10.5.0", "CET-25", "CET-1CEST,M3.5.0,M10.5.0/168",
        "CET-1CEST,M3.5.0,M10.5.0x", "<CET-1", "CET-1CEST,J366,J1"
    };

    (void) state;

    make(&t, changes, 2, offsets, 2, "UTC0");
    assert_int_equal(tg_zone_parse(tg_arena_mem(a), text_of(&t), &z, &err),
                     TG_ERROR);
    assert_non_null(strstr(err.message, "order"));

    changes[1].at = 2000;
    changes[1].type = 7;
    make(&t, changes, 2, offsets, 2, "UTC0");
    assert_int_equal(tg_zone_parse(tg_arena_mem(a), text_of(&t), &z, &err),
                     TG_ERROR);

    for (unsigned i = 0; i < sizeof(footers) / sizeof(footers[0]); i++) {
        make(&t, NULL, 0, offsets, 1, footers[i]);
        assert_int_equal(tg_zone_parse(tg_arena_mem(a), text_of(&t), &z,
                                       &err), TG_ERROR);
    }

    make(&t, NULL, 0, offsets, 1, "CET-1CEST,M3.5.0,M10.5.0/3");

    for (size_t n = 0; n < t.len; n++) {
        char  *exact = tg_dupz(tg_arena_mem(a),
                               tg_str_of((char *) t.bytes, n));

        assert_int_equal(tg_zone_parse(tg_arena_mem(a), tg_str_of(exact, n),
                                       &z, &err), TG_ERROR);
    }

    t.bytes[4] = 0;
    assert_int_equal(tg_zone_parse(tg_arena_mem(a), text_of(&t), &z, &err),
                     TG_ERROR);
    assert_non_null(strstr(err.message, "version 1"));

    tg_arena_destroy(a);
}


static void
test_words_for_windows(void **state)
{
    tg_window_spec_t  spec;

    (void) state;

    assert_int_equal(tg_window_parse(tg_str("month"), &spec), TG_OK);
    assert_int_equal(spec.kind, TG_WINDOW_MONTH);
    assert_int_equal(tg_window_parse(tg_str("idle=30m"), &spec), TG_OK);
    assert_int_equal(spec.kind, TG_WINDOW_IDLE);
    assert_true(spec.idle_ms == 1800000);
    assert_int_equal(tg_window_parse(tg_str("year"), &spec), TG_ERROR);
    assert_int_equal(tg_window_parse(tg_str("idle="), &spec), TG_ERROR);
    assert_int_equal(tg_window_parse(tg_str("idle=0"), &spec), TG_ERROR);
    assert_int_equal(tg_window_parse(tg_str("idle=400d"), &spec), TG_ERROR);
    assert_int_equal(tg_window_parse(tg_str(""), &spec), TG_ERROR);
}


static void
test_a_kept_window_rolls_when_it_ends(void **state)
{
    tg_window_t       w = { 0, 0 };
    tg_window_spec_t  spec = { TG_WINDOW_MINUTE, 0 };

    (void) state;

    tg_window_roll(&spec, NULL, 120500, &w);
    assert_true(w.start == 120000 && w.end == 180000);
    tg_window_roll(&spec, NULL, 60000, &w);
    assert_true(w.start == 120000);
    tg_window_roll(&spec, NULL, 180000, &w);
    assert_true(w.start == 180000);
}


static void
test_retry_after_is_rounded_up(void **state)
{
    (void) state;

    assert_true(tg_window_retry_after(1000, 2000) == 1);
    assert_true(tg_window_retry_after(1000, 2001) == 2);
    assert_true(tg_window_retry_after(1999, 2000) == 1);
    assert_true(tg_window_retry_after(3000, 2000) == 1);
    assert_true(tg_window_retry_after(3000, TG_WINDOW_NEVER) == -1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_dates_of_the_gregorian_calendar),
        cmocka_unit_test(test_windows_of_utc),
        cmocka_unit_test(test_windows_before_1970_and_of_absurd_clocks),
        cmocka_unit_test(test_days_of_23_and_25_hours),
        cmocka_unit_test(test_midnight_that_is_skipped_or_comes_twice),
        cmocka_unit_test(test_windows_never_go_back_with_the_clocks),
        cmocka_unit_test(test_rules_of_the_southern_half_and_negative_times),
        cmocka_unit_test(test_table_then_rule),
        cmocka_unit_test(test_broken_zones_are_refused),
        cmocka_unit_test(test_words_for_windows),
        cmocka_unit_test(test_a_kept_window_rolls_when_it_ends),
        cmocka_unit_test(test_retry_after_is_rounded_up)
    };

    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
