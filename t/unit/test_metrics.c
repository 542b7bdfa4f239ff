#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "tg_error.h"
#include "tg_metrics.h"

typedef struct {
    char    *text;
    size_t   len;
} page_t;


static int
take(void *data, const char *p, size_t n)
{
    page_t  *page = data;

    page->text = realloc(page->text, page->len + n + 1);
    memcpy(page->text + page->len, p, n);
    page->len += n;
    page->text[page->len] = '\0';

    return 0;
}


static void
shown(const tg_metrics_t *m, page_t *page)
{
    tg_page_t  pg;

    tg_page_init(&pg, take, page);
    tg_metrics_text(m, &pg);
    assert_int_equal(tg_page_end(&pg), TG_OK);
}


static tg_metrics_t *
made(void)
{
    return calloc(1, sizeof(tg_metrics_t));
}


static void
counted(tg_metrics_t *m, unsigned limit, const char *team, int64_t cost)
{
    tg_labels_t   l;
    tg_counted_t  c = { 0 };

    tg_labels_init(&l);
    tg_labels_add(&l, tg_str("team"), tg_strz(team));
    c.labels = &l;
    c.cost = cost;
    c.list = 2 * cost;
    c.tokens[TG_TOKENS_INPUT] = 7;
    tg_metrics_count(m, limit, &c);
}


static void
test_counts_are_of_their_labels(void **state)
{
    page_t         page = { 0 };
    tg_metrics_t  *m = made();

    (void) state;

    counted(m, 10, "search", 1500000001);
    counted(m, 10, "search", 1);
    counted(m, 10, "ads", 5);
    shown(m, &page);

    assert_non_null(strstr(page.text, "# TYPE llm_cost_usd_total counter\n"));
    assert_non_null(strstr(page.text,
        "\nllm_cost_usd_total{team=\"search\"} 1.500000002\n"));
    assert_non_null(strstr(page.text,
        "\nllm_cost_usd_total{team=\"ads\"} 0.000000005\n"));
    assert_non_null(strstr(page.text,
        "\nllm_tokens_total{team=\"search\",type=\"input\"} 14\n"));
    assert_non_null(strstr(page.text,
        "\nllm_requests_total{team=\"search\",outcome=\"ok\"} 2\n"));
    assert_null(strstr(page.text, "{overflow="));

    free(page.text);
    free(m);
}


static void
test_made_up_names_do_not_grow_the_page(void **state)
{
    char              name[32];
    page_t            page = { 0 };
    unsigned          lines = 0;
    tg_metrics_t     *m = made();
    tg_metrics_sum_t  sum;

    (void) state;

    for (unsigned i = 0; i < 1000000; i++) {
        snprintf(name, sizeof(name), "team-%u", i);
        counted(m, 100, name, 3);
    }

    shown(m, &page);

    for (char *p = page.text; (p = strstr(p, "\nllm_cost_usd_total{")); p++) {
        lines++;
    }

    assert_int_equal(lines, 101);
    assert_non_null(strstr(page.text,
        "\nllm_requests_total{overflow=\"true\",outcome=\"ok\"} 999900\n"));

    tg_metrics_sum(m, &sum);
    assert_int_equal(sum.calls, 1000000);
    assert_int_equal(sum.cost, 3000000);
    assert_int_equal(sum.tokens[TG_TOKENS_INPUT], 7000000);

    free(page.text);
    free(m);
}


static void
test_any_bytes_give_valid_labels(void **state)
{
    page_t         page = { 0 };
    json_t        *root, *label;
    tg_page_t      pg;
    tg_metrics_t  *m = made();

    (void) state;

    counted(m, 10, "a\"b\\c\nd\xff\xc3\xa4\xed\xa0\x80", 1);
    tg_page_init(&pg, take, &page);
    tg_put_lit(&pg.text, "{");
    tg_metrics_json(m, &pg);
    tg_put_lit(&pg.text, "}");
    assert_int_equal(tg_page_end(&pg), TG_OK);

    root = json_loads(page.text, 0, NULL);
    assert_non_null(root);
    label = json_object_get(json_object_get(json_array_get(
                json_object_get(root, "series"), 0), "labels"), "team");
    assert_string_equal(json_string_value(label),
                        "a\"b\\c_d_\xc3\xa4___");
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(root, "sum"), "cost_nusd")), 1);

    json_decref(root);
    free(page.text);
    free(m);
}


static void
test_long_values_are_cut_between_characters(void **state)
{
    char         value[400], text[TG_METRIC_LABELS_MAX];
    size_t       len;
    tg_labels_t  l;

    (void) state;

    for (unsigned i = 0; i < sizeof(value) - 2; i += 2) {
        memcpy(value + i, "\xc3\xa4", 2);
    }

    tg_labels_init(&l);

    for (unsigned i = 0; i < 10; i++) {
        tg_labels_add(&l, tg_str("name"), tg_str_of(value, 398));
    }

    len = tg_labels_write(&l, text);
    assert_true(len > 0 && len <= TG_METRIC_LABELS_MAX);
    assert_int_equal(text[len - 1], '"');
    assert_memory_equal(text, "name=\"\xc3\xa4", 8);
    assert_true(tg_labels_are(&l, tg_str_of(text, len)));
}


static void
test_labels_are_only_themselves(void **state)
{
    static const char *const  values[] = {
        "a", "ab", "a\"", "a\\", "a\\\"", "a\"b", "a\\\"b", "\"", "\\",
        "a\",user=\"b", "_", "\x01", "eightlet", "eightlet!", "eightlett",
        "\xc3\xa4", "a_value_of_more_than_sixteen"
    };
    const unsigned  n = sizeof(values) / sizeof(values[0]);
    char            text[TG_METRIC_LABELS_MAX];
    size_t          len;
    tg_labels_t     l, m;

    (void) state;

    for (unsigned i = 0; i < n * n; i++) {
        tg_labels_init(&l);
        tg_labels_add(&l, tg_str("team"), tg_strz(values[i / n]));
        tg_labels_add(&l, tg_str("user"), tg_strz(values[i % n]));
        len = tg_labels_write(&l, text);

        for (unsigned k = 0; k < n * n; k++) {
            char    other[TG_METRIC_LABELS_MAX];
            size_t  other_len;

            tg_labels_init(&m);
            tg_labels_add(&m, tg_str("team"), tg_strz(values[k / n]));
            tg_labels_add(&m, tg_str("user"), tg_strz(values[k % n]));
            other_len = tg_labels_write(&m, other);

            /* Of one text there is one key, and no other set has it. */

            assert_int_equal(tg_labels_are(&m, tg_str_of(text, len)),
                             tg_str_eq(tg_str_of(text, len),
                                       tg_str_of(other, other_len)));
            assert_int_equal(tg_labels_key(&m) == tg_labels_key(&l),
                             tg_labels_are(&m, tg_str_of(text, len)));
        }

        tg_labels_init(&m);
        tg_labels_add(&m, tg_str("team"), tg_strz(values[i / n]));
        assert_false(tg_labels_are(&m, tg_str_of(text, len)));
        assert_false(tg_labels_are(&l, tg_str_of(text, len - 1)));
    }
}


static void
test_calls_are_found_by_their_trace(void **state)
{
    page_t         page = { 0 }, plain = { 0 };
    tg_page_t      pg;
    tg_labels_t    l;
    tg_counted_t   c = { 0 };
    tg_metrics_t  *m = made();
    tg_trace_t     trace = { { 0x0af7651916cd43dd, 0x8448eb211c80319c },
                             0xb7ad6b7169203331, 1764000000123 };

    (void) state;

    tg_labels_init(&l);
    tg_labels_add(&l, tg_str("team"), tg_str("search"));
    c.labels = &l;
    c.cost = 1500000;
    c.trace = &trace;
    tg_metrics_count(m, 10, &c);
    tg_metrics_speed(m, &l, 60 * 1000000, 300 * 1000000, &trace);

    tg_page_init(&pg, take, &page);
    pg.openmetrics = true;
    tg_metrics_text(m, &pg);
    assert_int_equal(tg_page_end(&pg), TG_OK);

#define IDS  " # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"," \
             "span_id=\"b7ad6b7169203331\"} "
    assert_non_null(strstr(page.text, "# TYPE llm_cost_usd counter\n"));
    assert_non_null(strstr(page.text, "\nllm_cost_usd_total{team=\"search\"}"
                           " 0.0015" IDS "0.0015 1764000000.123\n"));
    assert_non_null(strstr(page.text, "outcome=\"ok\"} 1" IDS
                           "1 1764000000.123\n"));
    assert_non_null(strstr(page.text, "le=\"0.1\"} 1" IDS
                           "0.06 1764000000.123\n"));

    /* The other format has none. */

    shown(m, &plain);
    assert_null(strstr(plain.text, "trace_id"));
    assert_non_null(strstr(plain.text, "# TYPE llm_cost_usd_total counter\n"));

    /* Half written, it is of no call. */

    for (unsigned i = 0; i < TG_METRIC_PLACES; i++) {
        atomic_fetch_xor(&m->series[i].seen.span, 1);
    }

    free(page.text);
    memset(&page, 0, sizeof(page));
    tg_page_init(&pg, take, &page);
    pg.openmetrics = true;
    tg_metrics_text(m, &pg);
    assert_int_equal(tg_page_end(&pg), TG_OK);
    assert_null(strstr(page.text, "} 1" IDS "1 "));

    free(page.text);
    free(plain.text);
    free(m);
}


static void
test_what_is_nobodys_and_what_is_guessed_adds_up(void **state)
{
    page_t        page = { 0 };
    tg_labels_t   l;
    tg_counted_t  c = { 0 };
    tg_metrics_t *m = made();

    (void) state;

    tg_labels_init(&l);
    tg_labels_add(&l, tg_str("model"), tg_str("m"));
    c.labels = &l;
    c.cost = 40;
    c.list = 100;
    tg_metrics_count(m, 10, &c);
    c.untagged = c.estimated = true;
    tg_metrics_count(m, 10, &c);
    shown(m, &page);

    assert_non_null(strstr(page.text,
        "\nllm_untagged_cost_usd_total 0.00000004\n"));
    assert_non_null(strstr(page.text,
        "\nllm_estimated_cost_usd_total{model=\"m\"} 0.00000004\n"));
    assert_non_null(strstr(page.text,
        "\nllm_list_cost_usd_total{model=\"m\"} 0.0000002\n"));

    free(page.text);
    free(m);
}


static void
test_name_whose_writer_died_is_written_by_the_next(void **state)
{
    page_t         page = { 0 };
    tg_metrics_t  *m = made();

    (void) state;

    counted(m, 10, "search", 5);

    for (unsigned i = 0; i < TG_METRIC_PLACES; i++) {
        if (m->series[i].name.key != 0) {
            m->series[i].name.len = 0;
            memset(m->series[i].name.labels, 'x', 4);
        }
    }

    counted(m, 10, "search", 6);
    shown(m, &page);
    assert_non_null(strstr(page.text,
        "\nllm_cost_usd_total{team=\"search\"} 0.000000011\n"));

    free(page.text);
    free(m);
}


static void
test_overhead_has_finer_bounds(void **state)
{
    page_t         page = { 0 };
    tg_metrics_t  *m = made();

    (void) state;

    tg_metrics_overhead(m, 30000);
    tg_metrics_overhead(m, 2000000000);
    shown(m, &page);

    assert_non_null(strstr(page.text,
        "\nllm_overhead_seconds_bucket{le=\"0.000025\"} 0\n"));
    assert_non_null(strstr(page.text,
        "\nllm_overhead_seconds_bucket{le=\"0.00005\"} 1\n"));
    assert_non_null(strstr(page.text,
        "\nllm_overhead_seconds_bucket{le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(page.text, "\nllm_overhead_seconds_sum 2.00003\n"));

    free(page.text);
    free(m);
}


static void
test_histograms_add_up(void **state)
{
    page_t         page = { 0 };
    tg_labels_t    l;
    tg_metrics_t  *m = made();

    (void) state;

    tg_labels_init(&l);
    tg_labels_add(&l, tg_str("model"), tg_str("m"));
    tg_metrics_speed(m, &l, 60 * 1000000, 300 * 1000000,
                     NULL);
    tg_metrics_speed(m, &l, -1, INT64_C(200) * 1000000000,
                     NULL);
    shown(m, &page);

    assert_non_null(strstr(page.text, "\nllm_time_to_first_chunk_seconds_bucket"
                                      "{model=\"m\",le=\"0.05\"} 0\n"));
    assert_non_null(strstr(page.text, "\nllm_time_to_first_chunk_seconds_bucket"
                                      "{model=\"m\",le=\"0.1\"} 1\n"));
    assert_non_null(strstr(page.text, "\nllm_request_duration_seconds_bucket"
                                      "{model=\"m\",le=\"160.0\"} 1\n"));
    assert_non_null(strstr(page.text, "\nllm_request_duration_seconds_bucket"
                                      "{model=\"m\",le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(page.text, "\nllm_request_duration_seconds_sum"
                                      "{model=\"m\"} 200.3\n"));

    free(page.text);
    free(m);
}


static void
test_rules_are_counted(void **state)
{
    page_t         page = { 0 };
    tg_metrics_t  *m = made();

    (void) state;

    tg_metrics_rule(m, tg_str("team_month"), false);
    tg_metrics_rule(m, tg_str("team_month"), true);
    tg_metrics_rule(m, tg_str("team_month"), true);
    shown(m, &page);

    assert_non_null(strstr(page.text,
        "\nllm_refusals_total{rule=\"team_month\"} 1\n"));
    assert_non_null(strstr(page.text,
        "\nllm_dry_refusals_total{rule=\"team_month\"} 2\n"));

    free(page.text);
    free(m);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_counts_are_of_their_labels),
        cmocka_unit_test(test_made_up_names_do_not_grow_the_page),
        cmocka_unit_test(test_any_bytes_give_valid_labels),
        cmocka_unit_test(test_long_values_are_cut_between_characters),
        cmocka_unit_test(test_labels_are_only_themselves),
        cmocka_unit_test(test_calls_are_found_by_their_trace),
        cmocka_unit_test(test_what_is_nobodys_and_what_is_guessed_adds_up),
        cmocka_unit_test(test_name_whose_writer_died_is_written_by_the_next),
        cmocka_unit_test(test_overhead_has_finer_bounds),
        cmocka_unit_test(test_histograms_add_up),
        cmocka_unit_test(test_rules_are_counted)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
