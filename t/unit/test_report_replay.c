/* What llmctl simulate and the reports of sessions are made of. */

#define _GNU_SOURCE

#include "simulate/reprice.h"
#include "spend/revenue.h"
#include "rows/sample.h"
#include "conf/serverconf.h"
#include "rows/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static const record_want_t  all = { UINT64_MAX, UINT64_MAX, true };


static void
is(tg_str_t s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.p == NULL ? "" : s.p, text, s.len);
}


static void
number(record_t *r, record_number_t n, int64_t v)
{
    r->number[n] = v;
    r->has |= UINT64_C(1) << n;
}


/* A line as it comes out of the reader. */
static record_t
made(int64_t time, int64_t seq, const char *decision, bool final)
{
    record_t  r;

    memset(&r, 0, sizeof(r));
    r.time = time;
    number(&r, REC_SEQ, seq);
    r.text[REC_DECISION] = tg_strz(decision);
    r.flags = final ? 1u << REC_FINAL : 0;

    return r;
}


static void
test_records_come_back_as_they_were(void **state)
{
    bool         broken = false;
    record_t     r = made(5, 1, "allow", true), got;
    timeline_t  *t = timeline_new(0);

    (void) state;

    number(&r, REC_COST, INT64_MIN);
    number(&r, REC_PAGES, INT64_MAX);
    r.text[REC_MODEL] = tg_str("gpt");
    r.text[REC_FINISH] = tg_str("stop");
    r.ntags = 1;
    r.tags[0].name = tg_str("app");
    r.tags[0].value = tg_str("x");

    assert_true(timeline_add(t, &r, &all));
    assert_true(timeline_next(t, &got, &broken));
    assert_int_equal(got.time, 5);
    assert_int_equal(got.has, r.has);
    assert_int_equal(got.flags, r.flags);
    assert_memory_equal(got.number, r.number, sizeof(r.number));
    is(got.text[REC_MODEL], "gpt");
    is(got.text[REC_FINISH], "stop");
    is(got.text[REC_KEY], "");
    assert_int_equal(got.ntags, 1);
    is(got.tags[0].name, "app");
    is(got.tags[0].value, "x");
    assert_false(timeline_next(t, &got, &broken));
    assert_false(broken);
    timeline_free(t);
}


static void
test_what_is_not_wanted_is_not_kept(void **state)
{
    bool           broken = false;
    record_t       r = made(5, 1, "allow", true), got;
    timeline_t    *t = timeline_new(0);
    record_want_t  want = { UINT64_C(1) << REC_MODEL, UINT64_C(1) << REC_COST,
                            false };

    (void) state;

    r.text[REC_MODEL] = tg_str("gpt");
    r.ntags = 1;
    assert_true(timeline_add(t, &r, &want));
    assert_true(timeline_next(t, &got, &broken));
    is(got.text[REC_MODEL], "gpt");
    is(got.text[REC_DECISION], "");
    assert_int_equal(got.has, 0);
    assert_int_equal(got.ntags, 0);
    timeline_free(t);
}


/* Of one instant: attempts, calls, refusals, outcomes. */
static void
test_one_instant_has_an_order(void **state)
{
    bool         broken = false;
    record_t     r;
    timeline_t  *t = timeline_new(0);
    record_t     in[] = {
        made(7, 9, "refuse", true), made(7, 8, "allow", true),
        made(7, 3, "allow", true), made(7, 99, "allow", false),
        made(6, 100, "refuse", true), made(7, 1, "", false)
    };

    static const int64_t  seqs[] = { 100, 99, 3, 8, 9, 1 };

    (void) state;

    in[5].text[REC_EVENT_KIND] = tg_str("outcome");

    for (size_t i = 0; i < 6; i++) {
        assert_true(timeline_add(t, &in[i], &all));
    }

    for (size_t i = 0; i < 6; i++) {
        assert_true(timeline_next(t, &r, &broken));
        assert_int_equal(r.number[REC_SEQ], seqs[i]);
    }

    timeline_free(t);
}


/* As little memory as it takes: all of it goes through the file. */
static void
test_more_than_fits_is_sorted_all_the_same(void **state)
{
    char         text[400];
    bool         broken = false;
    record_t     r;
    unsigned     n = 20000, seen = 0;
    int64_t      before = -1, x = 1;
    timeline_t  *t = timeline_new(1);

    (void) state;

    memset(text, 'x', sizeof(text));

    for (unsigned i = 0; i < n; i++) {
        x = x * 48271 % 2147483647;
        r = made(x % 5000, i, "allow", true);
        r.text[REC_SESSION] = tg_str_of(text, (size_t) (x % 400));
        number(&r, REC_COST, x % 400);
        assert_true(timeline_add(t, &r, &all));
    }

    assert_int_equal(timeline_count(t), n);

    while (timeline_next(t, &r, &broken)) {
        assert_true(r.time * 100000 + r.number[REC_SEQ] > before);
        assert_int_equal(r.text[REC_SESSION].len, r.number[REC_COST]);
        before = r.time * 100000 + r.number[REC_SEQ];
        seen++;
    }

    assert_false(broken);
    assert_int_equal(seen, n);
    timeline_free(t);
}


static void
test_quantiles(void **state)
{
    sample_t  s;

    (void) state;

    memset(&s, 0, sizeof(s));
    assert_int_equal(sample_quantile(&s, 0.5), 0);

    for (int64_t i = 100; i > 0; i--) {
        assert_true(sample_add(&s, i));
    }

    assert_int_equal(s.most, 100);
    assert_int_equal(sample_quantile(&s, 0.5), 50);
    assert_int_equal(sample_quantile(&s, 0.95), 95);
    assert_int_equal(sample_quantile(&s, 0), 1);
    assert_int_equal(sample_quantile(&s, 1), 100);
    sample_free(&s);
}


/* Beyond what is kept: near, and the same every time. */
static void
test_quantiles_of_many(void **state)
{
    int64_t   first = 0, v;
    sample_t  s;

    (void) state;

    for (unsigned k = 0; k < 2; k++) {
        memset(&s, 0, sizeof(s));

        for (int64_t i = 0; i < 1000000; i++) {
            assert_true(sample_add(&s, i * 7919 % 1000000));
        }

        assert_int_equal(s.kept, SAMPLE_MAX);
        assert_int_equal(s.most, 999999);
        v = sample_quantile(&s, 0.5);
        assert_in_range(v, 490000, 510000);
        assert_true(k == 0 || v == first);
        first = v;
        sample_free(&s);
    }
}


static tg_price_book_t *
prices(const char *text)
{
    tg_error_t        err;
    tg_price_book_t  *book = tg_price_book_create();

    assert_int_equal(tg_price_book_add(book, tg_str("t"), tg_strz(text), &err),
                     TG_OK);

    return book;
}


static const char  list[] =
    "{\"tollgate_prices\": 1, \"models\": {"
    "\"m\": {\"input\": \"3\", \"output\": \"15\", \"cache_read\": \"0.3\","
    " \"cache_write\": \"3.75\", \"cache_write_1h\": \"6\","
    " \"audio_input\": \"40\", \"image_input\": \"5\", \"reasoning\": \"20\","
    " \"web_search\": \"0.01\", \"batch\": {\"input\": \"1\"}},"
    "\"us.m\": {\"input\": \"3.3\", \"output\": \"16.5\"},"
    "\"azure/deployed\": {\"input\": \"2\", \"output\": \"4\"}}}";


/* docs/prices.md has this example. */
static void
test_classes_are_priced_as_by_the_servers(void **state)
{
    record_t          r = made(0, 1, "allow", true);
    reprice_t         cost;
    tg_price_book_t  *book = prices(list);

    (void) state;

    r.text[REC_SOURCE] = tg_str("reported");
    r.text[REC_VENDOR] = tg_str("anthropic");
    r.text[REC_MODEL] = tg_str("m");
    number(&r, REC_INPUT, 10000);
    number(&r, REC_OUTPUT, 500);
    number(&r, REC_CACHE_READ, 6000);
    number(&r, REC_CACHE_WRITE, 1500);
    number(&r, REC_CACHE_WRITE_5M, 500);
    number(&r, REC_CACHE_WRITE_1H, 1000);

    reprice(book, tg_str_null, &r, &cost);
    assert_int_equal(cost.by, REPRICE_LIST);
    assert_int_equal(cost.total, 24675000);
    is(cost.price_id, "m");

    number(&r, REC_WEB_SEARCHES, 2);
    number(&r, REC_COST_EXTRA, 77);
    number(&r, REC_REASONING, 100);
    reprice(book, tg_str_null, &r, &cost);
    assert_int_equal(cost.total, 24675000 + 20000000 + 77 + 100 * 5000);

    r.text[REC_TIER] = tg_str("batch");
    reprice(book, tg_str_null, &r, &cost);
    assert_true(cost.total < 24675000 + 20000000);
    tg_price_book_destroy(book);
}


static void
test_bedrocks_asked_model_is_what_is_priced(void **state)
{
    record_t          r = made(0, 1, "allow", true);
    reprice_t         cost;
    tg_price_book_t  *book = prices(list);

    (void) state;

    r.text[REC_SOURCE] = tg_str("reported");
    r.text[REC_MODEL] = tg_str("m");
    r.text[REC_ASKED_MODEL] = tg_str("us.m");
    number(&r, REC_INPUT, 10000);

    r.text[REC_VENDOR] = tg_str("anthropic");
    reprice(book, tg_str_null, &r, &cost);
    is(cost.price_id, "m");

    r.text[REC_VENDOR] = tg_str("aws.bedrock");
    reprice(book, tg_str_null, &r, &cost);
    is(cost.price_id, "us.m");
    assert_int_equal(cost.total, 33000000);

    /* unless the line was priced by the one that answered */

    r.text[REC_PRICE_ID] = tg_str("us.m");
    reprice(book, tg_str_null, &r, &cost);
    is(cost.price_id, "us.m");
    r.text[REC_PRICE_ID] = tg_str("m");
    reprice(book, tg_str_null, &r, &cost);
    is(cost.price_id, "m");
    tg_price_book_destroy(book);
}


static void
test_what_is_of_no_list_stays(void **state)
{
    record_t          r = made(0, 1, "allow", true);
    reprice_t         cost;
    tg_price_book_t  *book = prices(list);

    (void) state;

    number(&r, REC_COST, 1234);
    r.text[REC_MODEL] = tg_str("m");
    r.text[REC_SOURCE] = tg_str("recovered");
    reprice(book, tg_str_null, &r, &cost);
    assert_int_equal(cost.by, REPRICE_RECOVERED);
    assert_int_equal(cost.total, 1234);

    r.text[REC_SOURCE] = tg_str("reported");
    number(&r, REC_INPUT, 10);
    r.text[REC_COST_SOURCE] = tg_str("gpu");
    reprice(book, tg_str_null, &r, &cost);
    assert_int_equal(cost.by, REPRICE_GPU);
    assert_int_equal(cost.total, 1234);

    r.text[REC_COST_SOURCE] = tg_str("provider");
    reprice(book, tg_str_null, &r, &cost);
    assert_int_equal(cost.by, REPRICE_PROVIDER);

    r.text[REC_COST_SOURCE] = tg_str("prices");
    r.text[REC_MODEL] = tg_str("another");
    reprice(book, tg_str_null, &r, &cost);
    assert_false(cost.priced);
    assert_int_equal(cost.total, 0);

    r.text[REC_PRICE_ID] = tg_str("azure/deployed");
    reprice(book, tg_str_null, &r, &cost);
    assert_int_equal(cost.total, 10 * 2000);

    r.text[REC_SOURCE] = tg_str("cached");
    reprice(book, tg_str_null, &r, &cost);
    assert_true(cost.priced);
    assert_int_equal(cost.total, 0);
    tg_price_book_destroy(book);
}


/* A configuration, and what became of it. */
typedef struct {
    char          path[64];
    tg_arena_t   *arena;
    tg_conf_t    *conf;
    serverconf_t  sc;
    bool          ok;
} given_t;


static given_t *
given(const char *text)
{
    int          fd;
    tg_error_t   err;
    given_t     *g = calloc(1, sizeof(*g));

    strcpy(g->path, "/tmp/serverconf.XXXXXX");
    fd = mkstemp(g->path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
    close(fd);
    g->arena = tg_arena_create(0);
    assert_int_equal(tg_dialect_setup(tg_arena_mem(g->arena), &err), TG_OK);
    g->conf = tg_conf_create(tg_arena_mem(g->arena));
    g->ok = serverconf_read(&g->sc, g->conf, g->path, NULL);
    (void) unlink(g->path);

    return g;
}


static void
given_free(given_t *g)
{
    tg_conf_destroy(g->conf);
    tg_arena_destroy(g->arena);
    free(g);
}


static void
test_nginx_is_read_as_nginx_does(void **state)
{
    bool                       several;
    given_t                   *g;
    const serverconf_place_t  *place;

    (void) state;

    g = given("user x; # llm_quota of no account\n"
              "events { worker_connections 5; }\n"
              "http {\n"
              "    llm_tag 'team' \"from=header:x-team\";\n"
              "    llm_ledger led\\ ger tz=UTC;\n"
              "    llm_quota q per=all usd=5/day\n"
              "        \"when=model == 'a;b{}' and team != \\\"x\\\"\";\n"
              "    map $a $b { default llm_quota; }\n"
              "    upstream gpu { server a; llm_engine vllm; }\n"
              "    server {\n"
              "        llm on;\n"
              "        location = /a { llm off; }\n"
              "        location ~ ^/v1/(x|y) { llm_pass on; }\n"
              "    }\n"
              "}\n");
    assert_true(g->ok);
    assert_int_equal(g->sc.kind, SERVERCONF_NGINX);
    assert_int_equal(g->conf->ntags, 1);
    assert_int_equal(g->conf->quotas.n, 1);
    is(g->conf->ledger.file, "/tmp/led\\ ger");     /* nginx keeps it */

    place = serverconf_place(&g->sc, NULL, &several);
    assert_non_null(place);
    assert_false(several);
    is(place->name, "^/v1/(x|y)");
    assert_int_equal(place->scope.pass, 1);
    assert_null(serverconf_place(&g->sc, "/a", &several));
    given_free(g);
}


static void
test_httpd_is_read_as_httpd_does(void **state)
{
    bool                       several;
    given_t                   *g;
    const serverconf_place_t  *place;

    (void) state;

    g = given("ServerRoot \"/srv\"\n"
              "# LLMQuota of no account\n"
              "<IfModule mod_llm.c>\n"
              "llmledger ledger tz=UTC\n"
              "LLMQuota q per=all usd=5/day \\\n"
              "    \"when=model == 'a' and team != \\\"x y\\\"\"\n"
              "</IfModule>\n"
              "<IfModule !mod_llm.c>\n"
              "    LLMQuota nonsense\n"
              "</IfModule>\n"
              "<VirtualHost *:80>\n"
              "    <Location \"/v1/\">\n"
              "        LLMEngine dry_run\n"
              "    </Location>\n"
              "    <Location /v2/>\n"
              "        LLMEngine On\n"
              "    </Location>\n"
              "</VirtualHost>\n");
    assert_true(g->ok);
    assert_int_equal(g->sc.kind, SERVERCONF_HTTPD);
    assert_int_equal(g->conf->quotas.n, 1);
    is(g->conf->ledger.file, "/srv/ledger");

    place = serverconf_place(&g->sc, NULL, &several);
    assert_non_null(place);
    assert_true(several);
    is(place->name, "/v1/");
    assert_int_equal(place->scope.enable, TG_DRY_RUN);
    place = serverconf_place(&g->sc, "/v2/", &several);
    assert_int_equal(place->scope.enable, TG_ON);
    given_free(g);
}


static void
test_broken_configurations_are_refused(void **state)
{
    static const char  *const  texts[] = {
        "http { server {", "http { } }", "http { llm_quota q }",
        "llm_prices \"a", "location / { llm_keys k; }", "http { llm_no x; }",
        "<Location />\nLLMEngine On\n", "</Location>\nLLMEngine On\n", ""
    };

    (void) state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        given_t  *g = given(texts[i]);

        assert_false(g->ok);
        given_free(g);
    }
}


static bool
paid(void *data, tg_str_t customer, tg_str_t period, int64_t nusd)
{
    char  *to = data;

    (void) sprintf(to + strlen(to), "%.*s|%.*s|%lld;", (int) customer.len,
                   customer.p, (int) period.len, period.p, (long long) nusd);

    return true;
}


static void
test_revenue_of_any_table(void **state)
{
    int    fd;
    char   name[] = "/tmp/revenue.XXXXXX", got[400] = "";

    static const char  text[] =
        "\xef\xbb\xbfNote;Revenue;PERIOD;Customer\r\n"
        "\"a\nb\";1.5;2026-11-30;\"x \"\"y\"\"; z\"\r\n"
        ";-0.000000001;;c\n"
        "\n"
        ";$12;2026-01;d";

    (void) state;

    fd = mkstemp(name);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
    close(fd);
    assert_true(revenue_read(name, paid, got));
    assert_string_equal(got, "x \"y\"; z|2026-11|1500000000;c||-1;"
                             "d|2026-01|12000000000;");
    (void) unlink(name);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_records_come_back_as_they_were),
        cmocka_unit_test(test_what_is_not_wanted_is_not_kept),
        cmocka_unit_test(test_one_instant_has_an_order),
        cmocka_unit_test(test_more_than_fits_is_sorted_all_the_same),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_quantiles_of_many),
        cmocka_unit_test(test_classes_are_priced_as_by_the_servers),
        cmocka_unit_test(test_bedrocks_asked_model_is_what_is_priced),
        cmocka_unit_test(test_what_is_of_no_list_stays),
        cmocka_unit_test(test_nginx_is_read_as_nginx_does),
        cmocka_unit_test(test_httpd_is_read_as_httpd_does),
        cmocka_unit_test(test_broken_configurations_are_refused),
        cmocka_unit_test(test_revenue_of_any_table)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
