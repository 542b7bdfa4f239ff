#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "anomalies/anomaly.h"
#include "anomalies/anomaly_loop.h"
#include "anomalies/anomaly_price.h"
#include "forecast/changes.h"
#include "forecast/forecast.h"
#include "series/series_stat.h"

#define DAY0  20089             /* 2025-01-01, a Wednesday */
#define NUSD  1000000000.0

static uint64_t  state;


static double
uniform(void)
{
    state = state * UINT64_C(6364136223846793005)
            + UINT64_C(1442695040888963407);

    return (double) (state >> 11) / (double) (UINT64_C(1) << 53);
}


static double
normal(void)
{
    return sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform());
}


/* A call of a team, by a key, of a model. */
static void
call(series_set_t *set, int64_t hour, const char *team, const char *key,
    double usd, int64_t input)
{
    uint32_t       of[3];
    series_call_t  c = { hour, (int64_t) (usd * NUSD), input, 10, true };

    of[0] = series_of(set, "all", tg_str(""));
    of[1] = series_of(set, "team", tg_strz(team));
    of[2] = series_of(set, "key", tg_strz(key));
    assert_true(series_add(set, of, 3, &c));
    assert_true(series_settle(set));
}


/* Of `days` days: workdays and weekends, hours, noise; two teams. */
static series_set_t *
usual(int64_t days)
{
    double         x;
    int64_t        hour;
    series_set_t  *set = series_new(SERIES_MEMORY);

    state = 4;
    assert_non_null(set);

    for (int64_t h = 0; h < 24 * days; h++) {
        hour = DAY0 * 24 + h;
        x = stat_weekday(DAY0 + h / 24) >= 5 ? 2 : 10;
        x *= h % 24 >= 8 && h % 24 < 18 ? 1 : 0.1;

        for (double n = x * exp(0.1 * normal()); n > 0; n -= 1) {
            call(set, hour, "a", "ka", 0.1 * exp(0.5 * normal()),
                 (int64_t) (1000 * exp(0.7 * normal())));
            call(set, hour, "b", "kb", 0.2 * exp(0.5 * normal()),
                 (int64_t) (4000 * exp(0.7 * normal())));
        }
    }

    return set;
}


static anomalies_t
find(series_set_t *set)
{
    anomalies_t      all = { NULL, 0, 0 };
    anomaly_scope_t  scope;
    uint32_t         total = series_of(set, "all", tg_str(""));

    assert_true(anomaly_scope(&scope, series_at(set, total), INT64_MAX, NUSD,
                              0.04));

    for (uint32_t i = 0; i < series_count(set); i++) {
        assert_true(anomaly_spend(&all, set, i, &scope));
        assert_true(anomaly_tokens(&all, set, i, &scope));
        assert_true(strcmp(series_at(set, i)->kind, "key") != 0
                    || anomaly_key(&all, set, i, &scope));
    }

    anomaly_merge(&all, set);
    anomaly_scope_free(&scope);

    return all;
}


static const char *
name(series_set_t *set, const anomaly_t *a)
{
    return series_at(set, a->series)->name;
}


static void
test_stat_medians_and_spread(void **unused)
{
    double  v[] = { 5, 1, 1000, 3, 2 }, w[] = { 4, 2 };

    (void) unused;
    assert_true(stat_median(v, 5) == 3);
    assert_true(stat_quantile(v, 5, 1) == 1000);
    assert_true(stat_median(w, 2) == 3);
    assert_true(isnan(stat_median(v, 0)));
    assert_true(fabs(stat_spread(v, 5, 3) - 1.4826 * 2) < 1e-9);
}


static void
test_weekdays(void **unused)
{
    (void) unused;
    assert_int_equal(stat_weekday(0), 3);       /* 1970-01-01 */
    assert_int_equal(stat_weekday(-1), 2);
    assert_int_equal(stat_weekday(DAY0), 2);
    assert_true(stat_month_turns(DAY0));
    assert_true(stat_month_turns(DAY0 + 29));
    assert_true(stat_month_turns(DAY0 + 30));
    assert_false(stat_month_turns(DAY0 + 28));
}


static void
test_a_course_knows_weekends_and_hours(void **unused)
{
    double         hours[24 * 42] = { 0 };
    stat_course_t  c;

    (void) unused;

    for (size_t t = 0; t < 24 * 42; t++) {
        if (t % 24 >= 9 && t % 24 < 17) {
            hours[t] = stat_weekday(DAY0 + (int64_t) t / 24) >= 5 ? 1 : 5;
        }
    }

    hours[24 * 20 + 10] = 100000;       /* moves nothing much */
    stat_course(&c, hours, 42, DAY0 + 42);
    assert_true(fabs(stat_expect(&c, (DAY0 + 42) * 24 + 10) - 5) < 2);
    assert_true(stat_expect(&c, (DAY0 + 42) * 24 + 3) < 0.1);
    assert_true(fabs(stat_expect(&c, (DAY0 + 45) * 24 + 10) - 1) < 0.3);
}


static void
test_cells_of_any_order(void **unused)
{
    series_set_t  *set = series_new(SERIES_MEMORY);
    uint32_t       i = series_of(set, "team", tg_str("x"));

    (void) unused;
    series_cell(set, i, 5000)->calls = 1;
    series_cell(set, i, 4000)->calls = 2;
    series_cell(set, i, 6000)->calls = 3;
    assert_null(series_cell(set, i, 6000 + 24 * 4000));
    assert_int_equal(series_get(series_at(set, i), 5000).calls, 1);
    assert_int_equal(series_get(series_at(set, i), 4000).calls, 2);
    assert_int_equal(series_get(series_at(set, i), 6000).calls, 3);
    assert_int_equal(series_get(series_at(set, i), 4500).calls, 0);
    assert_int_equal(series_of(set, "team", tg_str("x")), i);
    assert_int_not_equal(series_of(set, "key", tg_str("x")), i);
    series_free(set);
}


static void
test_memory_is_bounded_and_the_largest_stay(void **unused)
{
    char           key[20];
    bool           big = false;
    series_set_t  *set = series_new(400 * 1000);

    (void) unused;

    for (int64_t i = 0; i < 3000; i++) {
        (void) snprintf(key, sizeof(key), "k%d", (int) i);
        call(set, DAY0 * 24 + i % 48, "a", key, 0.001, 10);
        call(set, DAY0 * 24 + i % 48, "a", "big", 1, 10);
    }

    assert_true(series_count(set) < 600);
    assert_true(series_given_up(set) > 2000);

    for (uint32_t i = 0; i < series_count(set); i++) {
        big |= strcmp(series_at(set, i)->name, "big") == 0
               && series_at(set, i)->cost == (int64_t) (3000 * NUSD);
    }

    assert_true(big);
    assert_true(series_at(set, series_of(set, "key", tg_str("k999")))->back);
    assert_false(series_at(set, series_of(set, "key", tg_str("new")))->back);
    series_free(set);
}


static void
test_quiet_weeks_are_quiet(void **unused)
{
    series_set_t  *set = usual(80);
    anomalies_t    all = find(set);

    (void) unused;
    assert_int_equal(all.n, 0);
    free(all.list);
    series_free(set);
}


static void
test_longer_prompts_are_found(void **unused)
{
    int64_t        from = (DAY0 + 60) * 24 + 10;
    anomalies_t    all;
    series_set_t  *set = usual(62);

    (void) unused;

    for (int64_t h = from; h < from + 30; h++) {
        for (int i = 0; i < 40; i++) {
            call(set, h, "a", "ka", 0.5, 8000);
        }
    }

    all = find(set);
    assert_int_equal(all.n, 1);
    assert_int_equal(all.list[0].kind, ANOMALY_TOKENS);
    assert_string_equal(name(set, &all.list[0]), "ka");
    assert_in_range(all.list[0].found, from, from + 3);
    assert_in_range(all.list[0].since, from - 4, from + 1);
    assert_true(all.list[0].excess > 0);
    free(all.list);
    series_free(set);
}


/* What comes later changes nothing of what was found before. */
static void
test_nobody_looks_into_the_future(void **unused)
{
    int64_t        from = (DAY0 + 60) * 24 + 10;
    anomalies_t    a, b;
    series_set_t  *set = usual(62), *later = usual(75);

    (void) unused;

    for (int64_t h = from; h < from + 3; h++) {
        for (int i = 0; i < 100; i++) {
            call(set, h, "b", "kb", 1.0, 4000);
            call(later, h, "b", "kb", 1.0, 4000);
        }
    }

    a = find(set);
    b = find(later);
    assert_int_equal(a.n, 1);
    assert_int_equal(b.n, 1);
    assert_int_equal(a.list[0].kind, ANOMALY_COST);
    assert_int_equal(a.list[0].found, b.list[0].found);
    assert_int_equal(a.list[0].since, b.list[0].since);
    free(a.list);
    free(b.list);
    series_free(set);
    series_free(later);
}


static void
test_a_step_that_stays_is_found_in_days(void **unused)
{
    bool           found = false;
    anomalies_t    all;
    series_set_t  *set = usual(80);

    (void) unused;

    for (int64_t h = (DAY0 + 60) * 24; h < (DAY0 + 80) * 24; h++) {
        if (h % 24 >= 8 && h % 24 < 18
            && stat_weekday(h / 24) < 5)
        {
            for (int i = 0; i < 7; i++) {
                call(set, h, "b", "kb", 0.2, 4000);
            }
        }
    }

    all = find(set);

    for (size_t i = 0; i < all.n; i++) {
        found |= all.list[i].kind == ANOMALY_DRIFT
                 && all.list[i].found < (DAY0 + 74) * 24;
    }

    assert_true(found);
    free(all.list);
    series_free(set);
}


static void
test_new_and_silent_keys(void **unused)
{
    anomalies_t    all;
    series_set_t  *set = usual(50);

    (void) unused;
    call(set, DAY0 * 24 + 5, "a", "old", 0.1, 100);

    for (int64_t h = 0; h < 10; h++) {
        call(set, (DAY0 + 30) * 24 + h, "a", "old", 2, 100);
        call(set, (DAY0 + 40) * 24 + h, "a", "fresh", 2, 100);
        call(set, (DAY0 + 45) * 24 + h, "a", "poor", 0.01, 100);
    }

    all = find(set);
    assert_int_equal(all.n, 2);
    assert_int_equal(all.list[0].kind, ANOMALY_OLD_KEY);
    assert_string_equal(name(set, &all.list[0]), "old");
    assert_int_equal(all.list[0].since, (DAY0 + 30) * 24);
    assert_int_equal(all.list[1].kind, ANOMALY_NEW_KEY);
    assert_string_equal(name(set, &all.list[1]), "fresh");
    free(all.list);
    series_free(set);
}


/* The key of a team is replaced by another. */
static void
test_a_new_key_in_the_place_of_an_old_one(void **unused)
{
    anomalies_t    all;
    series_set_t  *set = usual(50);

    (void) unused;

    for (int64_t h = 0; h < 24 * 50; h++) {
        call(set, DAY0 * 24 + h, "c", h < 24 * 40 ? "one" : "two", 2, 500);
    }

    all = find(set);
    assert_int_equal(all.n, 0);
    free(all.list);
    series_free(set);
}


static anomalies_t
looped(bool session)
{
    int64_t          hour = (DAY0 + 40) * 24 + 3;
    loops_t         *l = loops_new();
    anomalies_t      all = { NULL, 0, 0 };
    series_set_t    *set = usual(41);
    series_cell_t   *c;
    anomaly_scope_t  scope;
    uint32_t         key = series_of(set, "key", tg_str("ka"));
    series_call_t    one = { hour, 20000000, 5000, 20, true };
    unsigned         alike;

    assert_true(anomaly_scope(&scope, series_at(set, 0), INT64_MAX, NUSD,
                              0.04));

    for (int64_t h = DAY0 * 24; h <= hour; h++) {
        one.hour = h;

        for (int i = 0; i < (h == hour ? 300 : 15); i++) {
            one.input = 5000 + i % 40;
            alike = loops_add(l, series_at(set, key),
                              session ? tg_str("s1") : tg_str(""),
                              tg_str("gpt"), &one);
            c = series_cell(set, key, h);
            c->alike = alike > c->alike ? alike : c->alike;
        }
    }

    assert_true(loops_find(&all, set, l, &scope));
    assert_int_equal(all.n, 1);
    assert_int_equal(all.list[0].kind, ANOMALY_LOOP);
    assert_int_equal(all.list[0].since, hour);
    assert_true(all.list[0].now == 300);
    assert_true(all.list[0].usual == 15);
    anomaly_scope_free(&scope);
    series_free(set);
    loops_free(l);

    return all;
}


static void
test_loops(void **unused)
{
    anomalies_t  all;

    (void) unused;
    all = looped(true);
    assert_string_equal(all.list[0].text, "s1");
    free(all.list);
    all = looped(false);
    assert_string_equal(all.list[0].text, "");
    free(all.list);
}


static void
test_prices(void **unused)
{
    record_t         r;
    anomalies_t      all = { NULL, 0, 0 };
    series_set_t    *prices = series_new(SERIES_MEMORY), *set = usual(41);
    anomaly_scope_t  scope;
    int64_t          from = (DAY0 + 30) * 24 + 7;

    (void) unused;
    memset(&r, 0, sizeof(r));
    r.text[REC_VENDOR] = tg_str("openai");
    assert_true(anomaly_scope(&scope, series_at(set, 0), INT64_MAX, NUSD,
                              0.04));
    state = 9;

    for (int64_t h = DAY0 * 24; h < (DAY0 + 41) * 24; h++) {
        for (int i = 0; i < 4; i++) {
            r.number[REC_INPUT] = 1000 + (int64_t) (9000 * uniform());
            r.number[REC_CACHE_READ] = r.number[REC_INPUT] / 2;
            r.number[REC_OUTPUT] = 500;
            r.number[REC_COST_INPUT] = (r.number[REC_INPUT]
                                        - r.number[REC_CACHE_READ])
                                       * (h < from ? 2500 : 2750);
            r.number[REC_COST_CACHE_READ] = r.number[REC_CACHE_READ] * 1250;
            r.number[REC_COST_OUTPUT] = 500 * 10000;
            assert_true(price_add(prices, &r, tg_str("gpt-4o"), h));
        }
    }

    assert_int_equal(series_count(prices), 3);

    for (uint32_t i = 0; i < 3; i++) {
        assert_true(anomaly_price(&all, prices, i, SERIES_NONE, &scope));
    }

    assert_int_equal(all.n, 1);
    assert_int_equal(all.list[0].kind, ANOMALY_PRICE);
    assert_in_range(all.list[0].found, from, from + 3);
    assert_true(fabs(all.list[0].usual - 2.5) < 1e-6);
    assert_true(fabs(all.list[0].score - 1.1) < 0.05);
    assert_string_equal(all.list[0].text, "gpt-4o");
    free(all.list);
    anomaly_scope_free(&scope);
    series_free(set);
    series_free(prices);
}


static void
test_a_forecast_and_its_interval(void **unused)
{
    double      hours[24 * 120], sum = 0;
    forecast_t  f;

    (void) unused;
    state = 11;

    for (size_t d = 0; d < 120; d++) {
        for (size_t h = 0; h < 24; h++) {
            hours[24 * d + h] = (stat_weekday(DAY0 + (int64_t) d) >= 5 ? 1 : 4)
                                * exp(0.003 * (double) d + 0.1 * normal());
        }
    }

    for (size_t t = 24 * 90; t < 24 * 120; t++) {
        sum += hours[t];
    }

    assert_true(forecast_make(&f, hours, 90, DAY0, 30));
    assert_true(fabs(f.sum / sum - 1) < 0.1);
    assert_true(f.low < sum && sum < f.high);
    assert_true(f.high / f.low < 1.6);
    assert_true(f.tested > 0);
    assert_true(forecast_make(&f, hours, 90, DAY0, 7));
    assert_true(f.tested > 20 && f.within * 10 >= f.tested * 7);
    assert_false(forecast_make(&f, hours, 20, DAY0, 30));
    assert_true(forecast_make(&f, hours, 30, DAY0, 300));
    assert_true(f.low < f.sum && f.sum < f.high);
}


static void
add(changes_set_t *set, bool after, const char *group, const char *model,
    int n, int64_t tokens, int64_t cost)
{
    changes_call_t  c = { .counts = true };

    c.tokens[CHANGES_INPUT] = tokens;
    c.cost[CHANGES_INPUT] = cost;

    while (n-- > 0) {
        assert_true(changes_add(set, after, tg_strz(group), tg_strz(model),
                                &c));
    }
}


static void
test_changes_are_split_exactly(void **unused)
{
    changes_t       c;
    changes_set_t  *set = changes_new();

    (void) unused;
    add(set, false, "volume", "m", 10, 100, 1000);
    add(set, true, "volume", "m", 17, 100, 1000);
    add(set, false, "tokens", "m", 10, 100, 1000);
    add(set, true, "tokens", "m", 10, 130, 1300);
    add(set, false, "price", "m", 10, 100, 1000);
    add(set, true, "price", "m", 10, 100, 1111);
    add(set, false, "mix", "m", 10, 100, 1000);
    add(set, false, "mix", "n", 10, 100, 10);
    add(set, true, "mix", "m", 3, 100, 1000);
    add(set, true, "mix", "n", 17, 100, 10);
    add(set, true, "new", "m", 2, 100, 7);
    add(set, false, "all", "m", 7, 90, 333);
    add(set, false, "all", "n", 3, 70, 1000);
    add(set, true, "all", "m", 11, 81, 334);
    add(set, true, "all", "o", 5, 21, 777);
    assert_true(changes_split(set));

    while (changes_next(set, &c)) {
        assert_int_equal(c.volume + c.mix + c.tokens + c.price,
                         c.cost[1] - c.cost[0]);

        if (tg_str_eq(c.name, tg_str("volume"))) {
            assert_int_equal(c.volume, 7000);

        } else if (tg_str_eq(c.name, tg_str("tokens"))) {
            assert_int_equal(c.tokens, 3000);

        } else if (tg_str_eq(c.name, tg_str("price"))) {
            assert_int_equal(c.price, 1110);

        } else if (tg_str_eq(c.name, tg_str("mix"))) {
            assert_int_equal(c.mix, c.cost[1] - c.cost[0]);
            assert_int_equal(c.volume, 0);

        } else if (tg_str_eq(c.name, tg_str("new"))) {
            assert_int_equal(c.volume, 14);

        } else {
            assert_true(c.mix != 0 && c.volume != 0);
        }
    }

    changes_free(set);
}


/* Clients write names: the same one is the same series, whatever is in it. */
static void
test_names_with_a_nul_end_there(void **state)
{
    uint32_t       first;
    series_set_t  *set = series_new(SERIES_MEMORY);

    (void) state;
    assert_non_null(set);
    first = series_of(set, "team", tg_str("a\0b"));
    assert_int_not_equal(first, SERIES_NONE);
    assert_int_equal(series_of(set, "team", tg_str("a\0b")), first);
    assert_int_equal(series_of(set, "team", tg_str("a")), first);
    assert_int_not_equal(series_of(set, "user", tg_str("a")), first);
    assert_int_not_equal(series_of(set, "team", tg_str("")), first);
    assert_int_not_equal(series_of(set, "team", tg_str("b")), first);
    series_free(set);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_names_with_a_nul_end_there),
        cmocka_unit_test(test_stat_medians_and_spread),
        cmocka_unit_test(test_weekdays),
        cmocka_unit_test(test_a_course_knows_weekends_and_hours),
        cmocka_unit_test(test_cells_of_any_order),
        cmocka_unit_test(test_memory_is_bounded_and_the_largest_stay),
        cmocka_unit_test(test_quiet_weeks_are_quiet),
        cmocka_unit_test(test_longer_prompts_are_found),
        cmocka_unit_test(test_nobody_looks_into_the_future),
        cmocka_unit_test(test_a_step_that_stays_is_found_in_days),
        cmocka_unit_test(test_new_and_silent_keys),
        cmocka_unit_test(test_a_new_key_in_the_place_of_an_old_one),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_prices),
        cmocka_unit_test(test_a_forecast_and_its_interval),
        cmocka_unit_test(test_changes_are_split_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
