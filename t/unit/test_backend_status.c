#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tg_backend_status_int.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND  (INT64_C(1000) * 1000000)
#define HOUR    (3600 * SECOND)
#define WALL    INT64_C(1795350000000)      /* 2026-11-22T12:20:00Z */
#define PAGE    (16 * 1024 * 1024)

/* A table, and what a page of it comes to. */
typedef struct {
    tg_arena_t       *arena;
    tg_backends_t    *table;
    tg_group_conf_t  *gc;
    tg_group_t       *group;
    int64_t           now;
    char             *page;
    size_t            len;
    size_t            room;         /* bytes until out() fails */
    size_t            largest;      /* piece */
} fixture_t;


static void
said(fixture_t *f, tg_upstream_directive_t id, const char *a, const char *b,
    const char *c)
{
    unsigned    n = 0;
    tg_str_t    args[3];
    tg_error_t  err;

    for ( ; n < 3 && (n == 0 ? a : n == 1 ? b : c) != NULL; n++) {
        args[n] = tg_strz(n == 0 ? a : n == 1 ? b : c);
    }

    if (tg_group_conf_add(f->gc, tg_arena_mem(f->arena), id, args, n, NULL,
                          NULL, &err) != TG_OK)
    {
        fail_msg("%s", err.message);
    }
}


static tg_backend_t *
server(fixture_t *f, const char *name)
{
    tg_backend_t  *b = tg_backends_backend(f->table, f->group, tg_strz(name),
                                           f->now);

    assert_non_null(b);
    tg_backend_configured(f->table, b,
                          tg_group_conf_backend(f->gc, tg_strz(name)), f->now);

    return b;
}


static int
setup(void **state)
{
    fixture_t   *f = calloc(1, sizeof(*f));
    tg_error_t   err;

    f->arena = tg_arena_create(0);
    f->table = calloc(1, tg_backends_size());
    f->gc = tg_zalloc(tg_arena_mem(f->arena), sizeof(*f->gc));
    f->page = malloc(PAGE + 1);
    f->now = 1000 * SECOND;
    *state = f;

    if (tg_backends_open(f->table, tg_backends_size(), 1, f->now, &err)
        != TG_OK
        || tg_group_conf_init(f->gc, tg_arena_mem(f->arena), tg_str("gpu"))
           != TG_OK)
    {
        return -1;
    }

    tg_backends_generation(f->table);
    f->group = tg_backends_group(f->table, tg_str("gpu"));
    said(f, TG_UPSTREAM_HEALTH_CHECK, "interval=1s", NULL, NULL);

    return f->group == NULL;
}


static int
teardown(void **state)
{
    fixture_t  *f = *state;

    tg_arena_destroy(f->arena);
    free(f->table);
    free(f->page);
    free(f);

    return 0;
}


static int
out(void *data, const char *p, size_t n)
{
    fixture_t  *f = data;

    if (n > f->room) {
        return 1;
    }

    f->room -= n;
    f->largest = n > f->largest ? n : f->largest;
    memcpy(f->page + f->len, p, n);
    f->len += n;
    f->page[f->len] = '\0';

    return 0;
}


static void
page(fixture_t *f, tg_status_format_t format)
{
    const tg_group_conf_t  *gc = f->gc;

    f->len = 0;
    f->room = PAGE;
    assert_int_equal(tg_backend_status(f->table, &gc, 1, format, f->now, WALL,
                                       out, f), TG_OK);
}


static json_t *
json(fixture_t *f)
{
    json_t        *root;
    json_error_t   err;

    page(f, TG_STATUS_JSON);
    root = json_loadb(f->page, f->len, JSON_REJECT_DUPLICATES, &err);

    if (root == NULL) {
        fail_msg("%s at %d: %.80s", err.text, err.position, f->page);
    }

    return root;
}


static json_t *
server_json(const json_t *root, size_t i)
{
    return json_array_get(json_object_get(json_array_get(
               json_object_get(root, "upstreams"), 0), "servers"), i);
}


static json_t *
at(const json_t *o, const char *group, const char *name)
{
    json_t  *v = json_object_get(json_object_get(o, group), name);

    if (v == NULL) {
        fail_msg("there is no %s.%s", group, name);
    }

    return v;
}


/* That line is in the page, once. */
static void
assert_line(const fixture_t *f, const char *line)
{
    size_t       n = strlen(line);
    const char  *p = strstr(f->page, line);

    if (p == NULL || (p != f->page && p[-1] != '\n') || p[n] != '\n') {
        fail_msg("no line %s", line);
    }

    assert_null(strstr(p + 1, line));
}


/* A minute of calls, a page of metrics and so on. */
static tg_backend_t *
busy(fixture_t *f)
{
    int                slot = tg_backends_join(f->table, 4711, 1);
    tg_work_t          work = { 900, 100 };
    tg_ticket_t        first, second;
    tg_backend_t      *b;
    tg_gpu_facts_t     gpu = { 0x1f, 930000, 70000, 10000, 651500, 2 };
    tg_engine_facts_t  facts = { TG_ENGINE_VLLM, 0, { 0 } };

    said(f, TG_UPSTREAM_BACKEND, "type=vllm", "gpus=2", "gpu_cost=1.8/hour");
    b = server(f, "10.0.0.5:8000");

    tg_backend_checked(f->table, b, TG_HEALTH_OK, tg_str_null, &f->gc->check,
                       f->now);
    f->now += SECOND;
    tg_backend_checked(f->table, b, TG_HEALTH_OK, tg_str_null, &f->gc->check,
                       f->now);
    f->now += 9 * SECOND;

    tg_backend_begin(f->table, b, slot, &work, f->now, &first);
    tg_backend_begin(f->table, b, slot, &work, f->now, &second);
    f->now += 20 * SECOND;
    (void) tg_backend_end(f->table, &first, TG_CAME_OK, &f->gc->check, f->now);
    tg_backend_usage(f->table, b, 900, 100, 10000000, 250000);

    facts.known = 1u << TG_FACT_RUNNING | 1u << TG_FACT_WAITING
                  | 1u << TG_FACT_KV;
    facts.value[TG_FACT_RUNNING] = 1;
    facts.value[TG_FACT_WAITING] = 0;
    facts.value[TG_FACT_KV] = 421000;
    tg_backend_scraped(f->table, b, &facts, &f->gc->check, f->now);
    tg_backend_gpu(f->table, b, &gpu, f->now);

    f->now += SECOND / 2;
    tg_group_tick(f->table, f->group, f->gc, f->now);

    return b;
}


static void
test_json_says_what_is_known(void **state)
{
    fixture_t  *f = *state;
    json_t     *root, *o;

    (void) busy(f);
    root = json(f);
    o = json_array_get(json_object_get(root, "upstreams"), 0);
    assert_string_equal(json_string_value(json_object_get(o, "upstream")),
                        "gpu");
    assert_true(json_is_true(json_object_get(o, "healthy")));
    assert_true(json_is_false(json_object_get(o, "saturated")));

    o = server_json(root, 0);
    assert_string_equal(json_string_value(json_object_get(o, "server")),
                        "10.0.0.5:8000");
    assert_string_equal(json_string_value(json_object_get(o, "engine")),
                        "vllm");
    assert_string_equal(json_string_value(json_object_get(o, "state")), "up");
    assert_true(json_is_true(json_object_get(o, "usable")));
    assert_true(json_is_null(json_object_get(o, "drained")));
    assert_true(json_is_null(json_object_get(o, "why")));
    assert_string_equal(json_string_value(json_object_get(o, "metrics_read")),
                        "2026-11-22T12:19:59.500Z");

    assert_int_equal(json_integer_value(at(o, "calls", "in_flight")), 1);
    assert_int_equal(json_integer_value(at(o, "calls", "tokens_in_flight")),
                     1000);
    assert_int_equal(json_integer_value(at(o, "calls", "served")), 1);
    assert_int_equal(json_integer_value(at(o, "load", "running")), 1);
    assert_int_equal(json_integer_value(at(o, "load", "waiting")), 0);
    assert_true(json_number_value(at(o, "load", "kv_cache")) == 0.421);
    assert_true(json_is_null(at(o, "load", "capacity")));
    assert_true(json_number_value(at(o, "gpu", "utilization")) == 0.93);
    assert_true(json_integer_value(at(o, "gpu", "memory_used_bytes"))
                == INT64_C(70000) * 1048576);
    assert_true(json_number_value(at(o, "gpu", "power_watts")) == 651.5);
    assert_true(json_number_value(at(o, "gpu", "gpus")) == 2);

    /* 10 s of idling and 20.5 s of work, at $3.60 an hour for both GPUs */

    assert_non_null(strstr(f->page, "\"seconds\":{\"provisioned\":30.5,"
                           "\"busy\":20.5,\"idle\":10,\"unhealthy\":0,"
                           "\"sleeping\":0,\"calls\":"));
    assert_non_null(strstr(f->page, "\"gpu_seconds\":{\"busy\":41,"
                           "\"idle\":20,"));
    assert_non_null(strstr(f->page, "\"usd\":{\"per_hour\":3.6,"
                           "\"provisioned\":0.0305,\"idle\":0.01,"
                           "\"calls\":0.01,\"instead\":0.00025,"
                           "\"per_million_tokens\":30.5}"));
    json_decref(root);
}


static void
test_what_is_not_known_is_null_and_no_sample(void **state)
{
    fixture_t  *f = *state;
    json_t     *root, *o;

    (void) server(f, "10.0.0.6:8000");
    root = json(f);
    o = server_json(root, 0);
    assert_string_equal(json_string_value(json_object_get(o, "engine")),
                        "auto");
    assert_string_equal(json_string_value(json_object_get(o, "state")), "new");
    assert_true(json_is_null(json_object_get(o, "checked")));
    assert_true(json_is_null(at(o, "load", "waiting")));
    assert_true(json_is_null(at(o, "load", "kv_cache")));
    assert_true(json_is_null(at(o, "load", "metrics_age_seconds")));
    assert_true(json_is_null(at(o, "gpu", "utilization")));
    assert_true(json_is_null(at(o, "usd", "per_hour")));
    assert_true(json_is_null(at(o, "usd", "per_million_tokens")));
    json_decref(root);

    page(f, TG_STATUS_PROMETHEUS);
    assert_null(strstr(f->page, "requests_waiting{"));
    assert_null(strstr(f->page, "kv_cache_usage_ratio{"));
    assert_null(strstr(f->page, "cost_usd_total{"));
    assert_line(f, "llm_upstream_backend_up{upstream=\"gpu\","
                "server=\"10.0.0.6:8000\"} 1");
}


static void
test_prometheus_has_each_name_once_with_its_type(void **state)
{
    char         type[128];
    fixture_t   *f = *state;
    const char  *line, *end, *p;

    (void) busy(f);
    (void) server(f, "10.0.0.6:8000");
    page(f, TG_STATUS_PROMETHEUS);

#define OF  "{upstream=\"gpu\",server=\"10.0.0.5:8000\""

    assert_line(f, "llm_upstream_healthy{upstream=\"gpu\"} 1");
    assert_line(f, "llm_upstream_saturated{upstream=\"gpu\"} 0");
    assert_line(f, "llm_upstream_backend_info" OF ",engine=\"vllm\"} 1");
    assert_line(f, "llm_upstream_backend_up" OF "} 1");
    assert_line(f, "llm_upstream_backend_state" OF ",state=\"up\"} 1");
    assert_line(f, "llm_upstream_backend_state" OF ",state=\"stalled\"} 0");
    assert_line(f, "llm_upstream_backend_drained" OF ",by=\"idle\"} 0");
    assert_line(f, "llm_upstream_backend_requests_waiting" OF "} 0");
    assert_line(f, "llm_upstream_backend_kv_cache_usage_ratio" OF "} 0.421");
    assert_line(f, "llm_upstream_backend_gpu_seconds_total" OF
                ",state=\"busy\"} 41");
    assert_line(f, "llm_upstream_backend_seconds_total" OF
                ",state=\"idle\"} 10");
    assert_line(f, "llm_upstream_backend_tokens_total" OF
                ",type=\"prompt\"} 900");
    assert_line(f, "llm_upstream_backend_cost_usd_total" OF "} 0.0305");

    for (line = f->page; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);

        if (strncmp(line, "# TYPE ", 7) == 0) {
            p = strchr(line + 7, ' ');
            (void) snprintf(type, sizeof(type), "\n%.*s", (int) (p + 1 - line),
                            line);
            assert_null(strstr(end, type));
            (void) snprintf(type, sizeof(type), "%.*s",
                            (int) (p - line - 7), line + 7);

        } else if (*line != '#') {
            assert_memory_equal(line, type, strlen(type));
            assert_int_equal(line[strlen(type)], '{');
        }
    }
}


static void
test_states_have_the_names_that_the_table_has(void **state)
{
    (void) state;

    for (int i = 0; i < TG_BACKEND_STATES; i++) {
        assert_true(tg_str_eq(tg_strz(tg_status_fields[TG_STATUS_STATE
                                                       + i].json),
                              tg_backend_state_name((tg_backend_state_t) i)));
    }

    /* what is of one group, or of one name, stands together */

    for (unsigned i = 1; i < TG_STATUS_FIELDS; i++) {
        for (unsigned k = 0; k + 1 < i; k++) {
            const tg_status_field_t  *a = &tg_status_fields[k];
            const tg_status_field_t  *b = &tg_status_fields[i];
            const tg_status_field_t  *c = &tg_status_fields[i - 1];

            if (a->group != NULL && b->group != NULL
                && strcmp(a->group, b->group) == 0)
            {
                assert_string_equal(c->group, b->group);
            }

            if (a->prometheus != NULL && b->prometheus != NULL
                && strcmp(a->prometheus, b->prometheus) == 0)
            {
                assert_string_equal(c->prometheus, b->prometheus);
            }
        }
    }
}


static void
test_any_bytes_of_a_name_are_written_right(void **state)
{
    static const char  *const names[] = {
        "a\"b\\c\nd\te\x01\x7f", "gr\xc3\xb6\xc3\x9f" "e", "\xff\xfe\x80",
        "\xc2\x85\xe2\x80\xa8", ""
    };

    fixture_t    *f = *state;
    tg_group_t   *g;
    json_t       *root;
    const char   *p;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        f->group = tg_backends_group(f->table, tg_strz(names[i]));
        g = f->group;
        assert_non_null(g);
        (void) server(f, names[(i + 1) % 5]);
    }

    root = json(f);
    assert_int_equal(json_array_size(json_object_get(root, "upstreams")), 5);
    json_decref(root);

    page(f, TG_STATUS_PROMETHEUS);
    assert_non_null(strstr(f->page, "upstream=\"a\\\"b\\\\c_d_e__\""));
    assert_non_null(strstr(f->page, "server=\"gr\xc3\xb6\xc3\x9f" "e\""));

    for (p = f->page; (p = strchr(p, '\\')) != NULL; p += 2) {
        assert_true(p[1] == '\\' || p[1] == '"' || p[1] == 'n');
    }
}


static void
test_any_number_of_backends_goes_out_in_pieces(void **state)
{
    char        name[TG_BACKEND_NAME_MAX];
    json_t     *root;
    fixture_t  *f = *state;

    for (int i = 0; i < TG_BACKENDS_MAX; i++) {
        (void) snprintf(name, sizeof(name), "%0110d:%d", 0, 1000 + i);
        (void) server(f, name);
    }

    root = json(f);
    assert_int_equal(json_array_size(json_object_get(json_array_get(
                         json_object_get(root, "upstreams"), 0), "servers")),
                     TG_BACKENDS_MAX);
    json_decref(root);
    assert_true(f->largest <= TG_PAGE_SIZE);

    page(f, TG_STATUS_PROMETHEUS);
    assert_true(f->largest <= TG_PAGE_SIZE);
    assert_int_equal(f->page[f->len - 1], '\n');
    assert_non_null(strstr(f->page, ":1511\"} 1\n"));
}


static void
test_who_takes_no_more_gets_no_more(void **state)
{
    fixture_t  *f = *state;

    (void) server(f, "10.0.0.5:8000");

    for (int format = TG_STATUS_JSON; format <= TG_STATUS_PROMETHEUS; format++)
    {
        page(f, (tg_status_format_t) format);
        f->room = f->len - 1;
        f->len = 0;
        assert_int_equal(tg_backend_status(f->table, NULL, 0,
                                           (tg_status_format_t) format, f->now,
                                           WALL, out, f), TG_ERROR);
    }
}


static void
test_a_server_that_was_removed_is_gone_once_it_is_empty(void **state)
{
    int           slot;
    json_t       *root;
    fixture_t    *f = *state;
    tg_work_t     work = { 1, 1 };
    tg_ticket_t   ticket;

    slot = tg_backends_join(f->table, 4711, 1);
    tg_backend_begin(f->table, server(f, "10.0.0.5:8000"), slot, &work, f->now,
                     &ticket);
    tg_backends_generation(f->table);
    (void) server(f, "10.0.0.6:8000");

    root = json(f);
    assert_true(json_is_false(json_object_get(server_json(root, 0),
                                              "configured")));
    assert_non_null(server_json(root, 1));
    json_decref(root);

    (void) tg_backend_end(f->table, &ticket, TG_CAME_OK, &f->gc->check, f->now);
    root = json(f);
    assert_string_equal(json_string_value(json_object_get(server_json(root, 0),
                                                          "server")),
                        "10.0.0.6:8000");
    assert_null(server_json(root, 1));
    json_decref(root);
}


/* A file whose server is gone: hours without anybody are not counted. */
static void
test_time_stands_still_once_nobody_looks(void **state)
{
    json_t     *root;
    fixture_t  *f = *state;

    (void) busy(f);
    root = json(f);
    assert_true(json_is_true(json_object_get(root, "watched")));
    json_decref(root);

    f->now += HOUR;
    root = json(f);
    assert_true(json_is_false(json_object_get(root, "watched")));
    assert_string_equal(json_string_value(json_object_get(root,
                                                          "watched_until")),
                        "2026-11-22T11:20:00.000Z");
    assert_true(json_number_value(at(server_json(root, 0), "seconds",
                                     "provisioned")) == 30.5);
    json_decref(root);
}


static void
test_nothing_is_an_empty_list(void **state)
{
    json_t     *root;
    fixture_t  *f = *state;

    root = json(f);
    assert_int_equal(json_array_size(json_object_get(root, "upstreams")), 0);
    json_decref(root);
    assert_true(tg_str_eq(tg_status_content_type(TG_STATUS_JSON),
                          tg_str("application/json")));
}


/* Debian's package prometheus has it. */
static void
test_promtool_finds_nothing_to_say(void **state)
{
    FILE       *p;
    fixture_t  *f = *state;

    if (system("command -v promtool > /dev/null") != 0) {
        skip();
    }

    (void) busy(f);
    (void) server(f, "10.0.0.6:8000");
    (void) server(f, "a\"b\\c\nd\te\x01\xff");
    page(f, TG_STATUS_PROMETHEUS);

    p = popen("promtool check metrics 1>&2", "w");
    assert_non_null(p);
    assert_int_equal(fwrite(f->page, 1, f->len, p), f->len);
    assert_int_equal(pclose(p), 0);
}


#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(test_json_says_what_is_known),
        TEST(test_what_is_not_known_is_null_and_no_sample),
        TEST(test_prometheus_has_each_name_once_with_its_type),
        TEST(test_states_have_the_names_that_the_table_has),
        TEST(test_any_bytes_of_a_name_are_written_right),
        TEST(test_any_number_of_backends_goes_out_in_pieces),
        TEST(test_who_takes_no_more_gets_no_more),
        TEST(test_a_server_that_was_removed_is_gone_once_it_is_empty),
        TEST(test_time_stands_still_once_nobody_looks),
        TEST(test_nothing_is_an_empty_list),
        TEST(test_promtool_finds_nothing_to_say)
    };

    return cmocka_run_group_tests_name("backend_status", tests, NULL, NULL);
}
