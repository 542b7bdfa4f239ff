#include "tg_price.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OURS(models)  "{\"tollgate_prices\": 1, \"models\": {" models "}}"

static tg_price_book_t *
book_of(const char *text)
{
    tg_error_t        err;
    tg_price_book_t  *book;

    book = tg_price_book_create();
    assert_non_null(book);

    if (tg_price_book_add(book, tg_str("a.json"), tg_strz(text), &err)
        != TG_OK)
    {
        fail_msg("%s", err.message);
    }

    return book;
}


static void
add_to(tg_price_book_t *book, const char *text)
{
    tg_error_t  err;

    assert_int_equal(tg_price_book_add(book, tg_str("b.json"), tg_strz(text),
                                       &err),
                     TG_OK);
}


static void
check_refused(const char *text, const char *part)
{
    tg_error_t        err;
    tg_price_book_t  *book;

    book = tg_price_book_create();
    assert_non_null(book);

    if (tg_price_book_add(book, tg_str("a.json"), tg_strz(text), &err)
        != TG_ERROR)
    {
        fail_msg("accepted: %s", text);
    }

    if (strstr(err.message, part) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", err.message, part);
    }

    tg_price_book_destroy(book);
}


static void
check_found(tg_price_book_t *book, const char *provider, const char *model,
    const char *id)
{
    char               got[600];
    const tg_price_t  *price;

    price = tg_price_find(book, tg_strz(provider), tg_strz(model));

    if (price == NULL) {
        (void) snprintf(got, sizeof(got), "nothing");

    } else {
        (void) snprintf(got, sizeof(got), "%.*s", (int) tg_price_id(price).len,
                        tg_price_id(price).p);
    }

    if (strcmp(got, id == NULL ? "nothing" : id) != 0) {
        fail_msg("%s %s: %s, not %s", provider, model, got,
                 id == NULL ? "nothing" : id);
    }
}


static tg_usage_t
used(int64_t input, int64_t output)
{
    tg_usage_t  u;

    tg_usage_init(&u);

    u.source = TG_USAGE_REPORTED;
    u.input = input;
    u.output = output;

    return u;
}


static tg_cost_t
cost_of(tg_price_book_t *book, const char *model, const tg_usage_t *u,
    tg_tier_t tier)
{
    tg_cost_t          c;
    const tg_price_t  *price;

    price = tg_price_find(book, tg_str(""), tg_strz(model));
    tg_price_cost(book, price, tg_str(""), u, tier, &c);

    assert_true(c.total == c.input + c.cache_read + c.cache_write + c.output
                           + c.tools + c.extra);

    return c;
}


static const char  claude[] = OURS(
    "\"c\": {\"input\": \"3\", \"output\": 15, \"cache_read\": \"0.3\","
    " \"cache_write\": \"3.75\", \"cache_write_1h\": 6, \"web_search\": 0.01,"
    " \"above\": {\"200000\": {\"input\": 6, \"output\": \"22.5\","
    " \"cache_read\": \"0.6\"}},"
    " \"batch\": {\"input\": \"1.5\", \"output\": \"7.5\","
    " \"above\": {\"200000\": {\"input\": 3, \"output\": \"11.25\"}}},"
    " \"max_input\": 200000, \"max_output\": 64000}");


static void
test_classes_are_charged_apart(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(10000, 500);
    tg_price_book_t  *book = book_of(claude);

    (void) state;

    u.cache_read = 6000;
    u.cache_write = 1500;
    u.cache_write_5m = 400;
    u.cache_write_1h = 1000;
    u.web_searches = 2;

    c = cost_of(book, "c", &u, TG_TIER_STANDARD);

    assert_true(c.input == 7500000);            /* 2,500 x 3 */
    assert_true(c.cache_read == 1800000);       /* 6,000 x 0.3 */
    assert_true(c.cache_write == 7875000);      /* 500 x 3.75 + 1,000 x 6 */
    assert_true(c.output == 7500000);           /* 500 x 15 */
    assert_true(c.tools == 20000000);
    assert_true(c.total == 44675000);
    assert_true(c.list == 57500000);            /* 10,000 x 3 + 500 x 15 + 20m */
    assert_false(c.incomplete);

    tg_price_book_destroy(book);
}


static void
test_long_context_price_is_for_the_whole_call(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(200000, 1000);
    tg_price_book_t  *book = book_of(claude);

    (void) state;

    c = cost_of(book, "c", &u, TG_TIER_STANDARD);
    assert_true(c.total == 600000000 + 15000000);

    u.input++;
    c = cost_of(book, "c", &u, TG_TIER_STANDARD);
    assert_true(c.input == 1200006000);
    assert_true(c.output == 22500000);

    /* cached tokens count for the threshold; writes have no price above it */

    u.cache_read = 150000;
    u.cache_write = 50000;
    c = cost_of(book, "c", &u, TG_TIER_STANDARD);
    assert_true(c.input == 6000);
    assert_true(c.cache_read == 90000000);
    assert_true(c.cache_write == 187500000);

    c = cost_of(book, "c", &u, TG_TIER_BATCH);
    assert_true(c.input == 3000);
    assert_true(c.output == 11250000);
    assert_false(c.incomplete);

    tg_price_book_destroy(book);
}


static void
test_highest_threshold_exceeded_wins(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(100, 0);
    tg_price_book_t  *book;

    (void) state;

    book = book_of(OURS("\"m\": {\"input\": 1, \"above\": {"
                        "\"1000\": {\"input\": 4}, \"10\": {\"input\": 2},"
                        " \"99\": {\"input\": 3}}}"));

    assert_true(cost_of(book, "m", &u, 0).total == 300000);
    u.input = 99;
    assert_true(cost_of(book, "m", &u, 0).total == 198000);
    u.input = 10;
    assert_true(cost_of(book, "m", &u, 0).total == 10000);
    u.input = 1001;
    c = cost_of(book, "m", &u, 0);
    assert_true(c.total == 4004000 && c.list == 4004000);

    tg_price_book_destroy(book);
}


static void
test_tier_without_a_long_price_takes_the_dearer_and_says_so(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(2000, 0);
    tg_price_book_t  *book;

    (void) state;

    book = book_of(OURS("\"m\": {\"input\": 2, \"output\": 8,"
                        " \"above\": {\"1000\": {\"input\": 4}},"
                        " \"flex\": {\"input\": 1},"
                        " \"priority\": {\"input\": 5}}"));

    c = cost_of(book, "m", &u, TG_TIER_FLEX);
    assert_true(c.total == 8000000 && c.incomplete);

    c = cost_of(book, "m", &u, TG_TIER_PRIORITY);
    assert_true(c.total == 10000000 && c.list == 8000000);

    /* a class or a tier that is not listed is the standard one */

    u = used(1000, 10);
    c = cost_of(book, "m", &u, TG_TIER_FLEX);
    assert_true(c.input == 1000000 && c.output == 80000 && !c.incomplete);
    c = cost_of(book, "m", &u, TG_TIER_BATCH);
    assert_true(c.input == 2000000 && !c.incomplete);

    tg_price_book_destroy(book);
}


/* Anthropic's: speed "fast" and inference_geo "us". */
static void
test_fast_and_us_add_to_tokens_alone(void **state)
{
    tg_cost_t          c;
    tg_usage_t         u = used(1000, 10);
    const tg_price_t  *p;
    tg_price_book_t   *book;

    (void) state;

    book = book_of(OURS("\"m\": {\"input\": 4, \"output\": 20,"
                        " \"cache_read\": \"0.2\", \"web_search\": \"0.01\","
                        " \"batch\": {\"input\": 2, \"output\": 10},"
                        " \"fast\": {\"input\": 8, \"output\": 40,"
                        " \"cache_read\": \"0.4\"}, \"us_surcharge\": \"10%\"},"
                        " \"n\": {\"same_as\": \"m\", \"discount\": \"50%\"},"
                        " \"slow\": {\"input\": 4, \"output\": 20}"));

    u.cache_read = 500;
    u.reasoning = 5;
    u.web_searches = 1;
    c = cost_of(book, "m", &u, tg_tier_parse(tg_str("standard+us")));
    assert_true(c.input == 2200000 && c.cache_read == 110000
                && c.output == 220000 && c.tools == 10000000
                && !c.incomplete);
    assert_true(c.list == 4000000 + 200000 + 10000000);
    c = cost_of(book, "m", &u, tg_tier_parse(tg_str("fast")));
    assert_true(c.input == 4000000 && c.cache_read == 200000
                && c.output == 400000 && !c.incomplete);
    c = cost_of(book, "m", &u, tg_tier_parse(tg_str("fast+us")));
    assert_true(c.input == 4400000 && c.output == 440000);
    c = cost_of(book, "m", &u, tg_tier_parse(tg_str("batch+us")));
    assert_true(c.input == 1100000 && c.output == 110000);
    c = cost_of(book, "n", &u, tg_tier_parse(tg_str("standard+us")));
    assert_true(c.input == 1100000 && c.tools == 5000000);

    /* no one knows what it costs */

    c = cost_of(book, "slow", &u, TG_TIER_FAST);
    assert_true(c.input == 2000000 && c.incomplete);
    c = cost_of(book, "slow", &u, TG_TIER_US);
    assert_true(c.input == 2000000);

    p = tg_price_find(book, tg_str(""), tg_str("m"));
    assert_true(tg_price_bound(p, 1000, 0, TG_TIER_STANDARD) < 4100000);
    assert_true(tg_price_bound(p, 1000, 0, TG_TIER_US) >= 4400000);
    assert_true(tg_price_bound(p, 1000, 0, TG_TIER_FAST | TG_TIER_US)
                >= 8800000);

    check_refused(OURS("\"m\": {\"input\": 1, \"us_surcharge\": \"x\"}"),
                  "us_surcharge");
    check_refused(OURS("\"m\": {\"input\": 1, \"fast+us\": {\"input\": 1}}"),
                  "fast+us");
    tg_price_book_destroy(book);

    book = book_of("{\"m\": {\"input_cost_per_token\": 5e-06,"
                   " \"output_cost_per_token\": 2.5e-05,"
                   " \"provider_specific_entry\":"
                   " {\"us\": 1.1, \"fast\": 6.0}}}");
    u = used(1000, 10);
    c = cost_of(book, "m", &u, TG_TIER_US);
    assert_true(c.input == 5500000 && c.output == 275000);
    c = cost_of(book, "m", &u, TG_TIER_FAST);
    assert_true(c.input == 30000000 && c.output == 1500000 && !c.incomplete);
    tg_price_book_destroy(book);
}


static void
test_parts_never_exceed_the_whole(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(10, 5);
    tg_price_book_t  *book;

    (void) state;

    book = book_of(OURS("\"m\": {\"input\": 10, \"output\": 20,"
                        " \"cache_read\": 1, \"cache_write\": 12,"
                        " \"audio_input\": 100, \"image_input\": 30,"
                        " \"reasoning\": 40, \"audio_output\": 50,"
                        " \"image_output\": 60}"));

    u.cache_read = 161;             /* hosted Grok: cached 161 of 10 */
    u.audio_input = 7;
    u.reasoning = 100;              /* a router: reasoning beyond output */
    c = cost_of(book, "m", &u, 0);
    assert_true(c.cache_read == 10000 && c.input == 0);
    assert_true(c.output == 200000);

    u.cache_read = 4;
    u.cache_write = 3;
    c = cost_of(book, "m", &u, 0);
    assert_true(c.cache_read == 4000 && c.cache_write == 36000);
    assert_true(c.input == 300000);             /* audio: what is left, 3 */

    u.audio_input = 1;
    u.image_input = 1;
    u.image_output = 2;
    u.audio_output = 1;
    u.reasoning = 1;
    c = cost_of(book, "m", &u, 0);
    assert_true(c.input == 100000 + 30000 + 10000);
    assert_true(c.output == 120000 + 50000 + 40000 + 20000);

    /* nonsense is nothing */

    u = used(-5, -7);
    u.cache_read = -1;
    c = cost_of(book, "m", &u, 0);
    assert_true(c.total == 0 && c.list == 0);

    tg_price_book_destroy(book);
}


static void
test_class_without_price_is_charged_as_its_whole(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(100, 100);
    tg_price_book_t  *book;

    (void) state;

    book = book_of(OURS("\"m\": {\"input\": 1, \"output\": 2},"
                        "\"in\": {\"input\": 1},"
                        "\"pictures\": {\"image_output\": 40},"
                        "\"fee\": {\"request\": 1}"));

    u.cache_read = 50;
    u.cache_write = 20;
    u.cache_write_1h = 20;
    u.audio_input = 10;
    u.reasoning = 30;
    u.audio_output = 30;
    c = cost_of(book, "m", &u, 0);
    assert_true(c.total == 300000 && c.list == 300000 && !c.incomplete);

    u = used(100, 100);
    c = cost_of(book, "in", &u, 0);
    assert_true(c.total == 100000 && c.incomplete);

    u = used(0, 100);
    c = cost_of(book, "pictures", &u, 0);
    assert_true(c.total == 4000000 && !c.incomplete);

    u = used(100, 100);
    c = cost_of(book, "fee", &u, 0);
    assert_true(c.total == INT64_C(1000000000) && !c.incomplete);

    tg_price_book_destroy(book);
}


static void
test_no_price_is_incomplete(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(100, 100);
    tg_price_book_t  *book = book_of(claude);

    (void) state;

    c = cost_of(book, "nonesuch", &u, 0);
    assert_true(c.total == 0 && c.incomplete);

    u.web_searches = 1;
    u.web_fetches = 3;              /* free, where the list is silent */
    c = cost_of(book, "c", &u, 0);
    assert_true(c.tools == 10000000 && !c.incomplete);

    u.search_units = 1;
    c = cost_of(book, "c", &u, 0);
    assert_true(c.incomplete);

    tg_price_book_destroy(book);
}


static void
test_pieces(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(0, 0);
    tg_price_book_t  *book;

    (void) state;

    book = book_of(OURS(
        "\"whisper\": {\"second\": \"0.0001\"},"
        "\"tts\": {\"character\": \"0.000015\"},"
        "\"dalle\": {\"image\": \"0.04\"},"
        "\"ocr\": {\"page\": 0.001},"
        "\"rerank\": {\"search_unit\": 0.002},"
        "\"both\": {\"input\": 2.5, \"output\": 10, \"second\": 0.0001,"
        " \"image\": 0.039, \"image_output\": 30}"));

    u.duration_ms = 12345;
    assert_true(cost_of(book, "whisper", &u, 0).tools == 1234500);

    u = used(0, 0);
    u.characters = 7;
    assert_true(cost_of(book, "tts", &u, 0).total == 105000);

    u = used(50, 0);                /* tokens are told but not priced */
    u.images = 3;
    c = cost_of(book, "dalle", &u, 0);
    assert_true(c.total == 120000000 && !c.incomplete);

    u = used(0, 0);
    u.pages = 2;
    u.search_units = 2;
    assert_true(cost_of(book, "ocr", &u, 0).total == 2000000);
    assert_true(cost_of(book, "rerank", &u, 0).total == 4000000);

    /* what tokens pay for is not paid again by the second or the picture */

    u = used(100, 10);
    u.duration_ms = 60000;
    c = cost_of(book, "both", &u, 0);
    assert_true(c.total == 350000 && c.tools == 0);

    u = used(0, 1290);
    u.image_output = 1290;
    u.images = 1;
    assert_true(cost_of(book, "both", &u, 0).total == 38700000);
    u = used(0, 0);
    u.images = 1;
    assert_true(cost_of(book, "both", &u, 0).total == 39000000);

    tg_price_book_destroy(book);
}


static void
test_billed_units_replace_tokens(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(1000, 300);
    tg_price_book_t  *book;

    (void) state;

    book = book_of(OURS("\"m\": {\"input\": 2, \"output\": 10}"));

    u.billed_input = 10;
    u.billed_output = 0;
    c = cost_of(book, "m", &u, 0);
    assert_true(c.input == 20000 && c.output == 0);

    u.billed_output = -1;
    c = cost_of(book, "m", &u, 0);
    assert_true(c.output == 3000000);

    tg_price_book_destroy(book);
}


static void
test_discount_is_off_the_charge_and_not_the_list(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(1234567, 0);
    tg_price_book_t  *book;

    (void) state;

    book = book_of(OURS("\"m\": {\"input\": \"2.50\","
                        " \"discount\": \"12%\", \"request\": 0.01},"
                        "\"half\": {\"input\": \"0.000625\","
                        " \"discount\": \"20.0000%\"}"));

    c = cost_of(book, "m", &u, 0);
    assert_true(c.input == INT64_C(2716047400));
    assert_true(c.tools == 8800000);
    assert_true(c.list == INT64_C(3086417500) + 10000000);

    u = used(1, 0);                             /* half a nano-dollar */
    c = cost_of(book, "half", &u, 0);
    assert_true(c.total == 1 && c.list == 1);

    tg_price_book_destroy(book);
}


static void
test_discounts_of_a_contract_apply_to_earlier_files(void **state)
{
    tg_usage_t        u = used(1000, 0);
    tg_price_book_t  *book;

    (void) state;

    book = book_of("{\"azure/a\": {\"input_cost_per_token\": 1e-6},"
                   " \"azure/b\": {\"input_cost_per_token\": 1e-6},"
                   " \"c\": {\"input_cost_per_token\": 1e-6}}");

    add_to(book, "{\"tollgate_prices\": 1,"
                 " \"discounts\": {\"azure/*\": \"10%\", \"*\": \"1%\","
                 "                 \"azure/b*\": \"25%\"},"
                 " \"models\": {\"d\": {\"input\": 1, \"discount\": \"0%\"}}}");

    assert_true(cost_of(book, "azure/a", &u, 0).total == 900000);
    assert_true(cost_of(book, "azure/b", &u, 0).total == 750000);
    assert_true(cost_of(book, "c", &u, 0).total == 990000);
    assert_true(cost_of(book, "d", &u, 0).total == 1000000);
    assert_true(cost_of(book, "azure/a", &u, 0).list == 1000000);

    tg_price_book_destroy(book);
}


static void
test_extra_usage_is_priced_at_its_own_model(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(100, 10);
    tg_price_book_t  *book = book_of(claude);
    tg_usage_extra_t  own, other, lost;

    (void) state;

    add_to(book, OURS("\"big\": {\"input\": 5, \"output\": 25,"
                      " \"request\": 1}"));

    memset(&own, 0, sizeof(own));
    memset(&other, 0, sizeof(other));
    memset(&lost, 0, sizeof(lost));

    own.type = tg_str("compaction");
    own.input = 1000;
    own.cache_read = 1000;
    own.output = 1;
    own.next = &other;

    other.type = tg_str("advisor_message");
    other.model = tg_str("big");
    other.input = 200;
    other.output = 4;

    u.extra = &own;
    c = cost_of(book, "c", &u, 0);

    assert_true(c.input == 300000 && c.output == 150000);
    assert_true(c.extra == 300000 + 15000 + 1000000 + 100000);
    assert_true(c.list == 450000 + 3015000 + 1100000);
    assert_false(c.incomplete);

    lost.model = tg_str("nonesuch");
    lost.input = 1;
    other.next = &lost;
    assert_true(cost_of(book, "c", &u, 0).incomplete);

    tg_price_book_destroy(book);
}


static void
test_cached_answers_cost_nothing_but_have_a_list_price(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(100, 10);
    tg_price_book_t  *book = book_of(claude);

    (void) state;

    u.source = TG_USAGE_CACHED;
    c = cost_of(book, "c", &u, 0);
    assert_true(c.total == 0 && c.list == 450000 && !c.incomplete);

    u.source = TG_USAGE_NONE;
    c = cost_of(book, "c", &u, 0);
    assert_true(c.total == 0 && c.list == 0);

    tg_price_book_destroy(book);
}


static void
test_costs_saturate(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(INT64_MAX, INT64_MAX);
    tg_price_book_t  *book;
    const tg_price_t *price;

    (void) state;

    book = book_of(OURS("\"m\": {\"input\": 1000000000,"
                        " \"output\": \"1e9\", \"cache_write\": 1e9}"));

    u.cache_write_5m = INT64_MAX;
    u.cache_write_1h = INT64_MAX;
    price = tg_price_find(book, tg_str(""), tg_str("m"));
    tg_price_cost(book, price, tg_str(""), &u, 0, &c);

    assert_true(c.total == INT64_MAX && c.list == INT64_MAX);
    assert_true(tg_price_bound(price, INT64_MAX, INT64_MAX, 0) == INT64_MAX);

    tg_price_book_destroy(book);
}


static void
test_what_was_found_does_not_outlive_a_change(void **state)
{
    tg_price_book_t   *book = book_of(OURS("\"m-one\": {\"input\": \"1\"}"));
    const tg_price_t  *price;

    (void) state;

    for (int i = 0; i < 3; i++) {
        price = tg_price_find(book, tg_str("openai"), tg_str("m-one"));
        assert_non_null(price);
        assert_memory_equal(tg_price_id(price).p, "m-one", 5);
        assert_null(tg_price_find(book, tg_str("openai"), tg_str("m-two")));
    }

    add_to(book, OURS("\"openai/m-one\": {\"input\": \"2\"},"
                      "\"m-two\": {\"input\": \"2\"}"));

    price = tg_price_find(book, tg_str("openai"), tg_str("m-one"));
    assert_int_equal(tg_price_id(price).len, 12);
    price = tg_price_find(book, tg_str("groq"), tg_str("m-one"));
    assert_int_equal(tg_price_id(price).len, 5);
    assert_non_null(tg_price_find(book, tg_str("openai"), tg_str("m-two")));

    /* more models than are remembered */

    for (int i = 0; i < 1000; i++) {
        char  name[32];
        int   n = snprintf(name, sizeof(name), "m-%d", i);

        price = tg_price_find(book, tg_str("openai"),
                              tg_str_of(name, (size_t) n));
        assert_null(price);
    }

    tg_price_book_destroy(book);
}


static void
test_provider_prefix_comes_before_the_bare_name(void **state)
{
    tg_price_book_t  *book;

    (void) state;

    book = book_of(
        "{\"gpt-4o\": {\"input_cost_per_token\": 1e-6},"
        " \"azure/gpt-4o\": {\"input_cost_per_token\": 2e-6},"
        " \"azure_ai/deepseek-v3.1\": {\"input_cost_per_token\": 2e-6},"
        " \"gemini/gemini-2.5-pro\": {\"input_cost_per_token\": 2e-6},"
        " \"gemini-2.5-pro\": {\"input_cost_per_token\": 2e-6},"
        " \"vertex_ai/claude-x@20250929\": {\"input_cost_per_token\": 2e-6},"
        " \"claude-x-20250929\": {\"input_cost_per_token\": 2e-6},"
        " \"claude-y-20250929\": {\"input_cost_per_token\": 2e-6},"
        " \"anthropic.claude-x-v1:0\": {\"input_cost_per_token\": 2e-6},"
        " \"eu.anthropic.claude-x-v1:0\": {\"input_cost_per_token\": 2e-6},"
        " \"bedrock_mantle/openai.o\": {\"input_cost_per_token\": 2e-6},"
        " \"xai/grok-4\": {\"input_cost_per_token\": 2e-6},"
        " \"ft:gpt-4o\": {\"input_cost_per_token\": 2e-6},"
        " \"together_ai/a/b\": {\"input_cost_per_token\": 2e-6},"
        " \"fireworks_ai/accounts/fireworks/models/q\":"
        "     {\"input_cost_per_token\": 2e-6},"
        " \"dashscope/qwen\": {\"input_cost_per_token\": 2e-6}}");

    check_found(book, "openai", "gpt-4o", "gpt-4o");
    check_found(book, "", "gpt-4o", "gpt-4o");
    check_found(book, "azure.ai.openai", "gpt-4o", "azure/gpt-4o");
    check_found(book, "azure.ai.inference", "gpt-4o", "azure/gpt-4o");
    check_found(book, "azure.ai.inference", "DeepSeek-V3.1",
                "azure_ai/deepseek-v3.1");
    check_found(book, "gcp.gemini", "models/gemini-2.5-pro",
                "gemini/gemini-2.5-pro");
    check_found(book, "gcp.vertex_ai", "gemini-2.5-pro", "gemini-2.5-pro");
    check_found(book, "gcp.vertex_ai", "google/gemini-2.5-pro",
                "gemini-2.5-pro");
    check_found(book, "gcp.vertex_ai",
                "publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro");
    check_found(book, "openai", "google/gemini-2.5-pro", "nothing");
    check_found(book, "gcp.vertex_ai", "claude-x@20250929",
                "vertex_ai/claude-x@20250929");
    check_found(book, "gcp.vertex_ai", "claude-x-20250929",
                "vertex_ai/claude-x@20250929");
    check_found(book, "gcp.vertex_ai", "claude-y@20250929",
                "claude-y-20250929");
    check_found(book, "aws.bedrock", "us.anthropic.claude-x-v1:0",
                "anthropic.claude-x-v1:0");
    check_found(book, "aws.bedrock", "eu.anthropic.claude-x-v1:0",
                "eu.anthropic.claude-x-v1:0");
    check_found(book, "aws.bedrock", "arn:aws:bedrock:us-east-1:1:"
                "inference-profile/global.anthropic.claude-x-v1:0",
                "anthropic.claude-x-v1:0");
    check_found(book, "aws.bedrock", "openai.o", "bedrock_mantle/openai.o");
    check_found(book, "x_ai", "grok-4", "xai/grok-4");
    check_found(book, "openai", "ft:gpt-4o:org::id", "ft:gpt-4o");
    check_found(book, "together_ai", "a/b", "together_ai/a/b");
    check_found(book, "together", "a/b", "together_ai/a/b");
    check_found(book, "fireworks_ai", "accounts/fireworks/models/q",
                "fireworks_ai/accounts/fireworks/models/q");
    check_found(book, "fireworks_ai", "q",
                "fireworks_ai/accounts/fireworks/models/q");
    check_found(book, "alibaba", "qwen", "dashscope/qwen");

    tg_price_book_destroy(book);
}


static void
test_never_another_model(void **state)
{
    char              name[2000];
    tg_price_book_t  *book;

    (void) state;

    book = book_of(OURS("\"gpt-4o\": {\"input\": 1},"
                        "\"gpt-4\": {\"input\": 30},"
                        "\"groq/llama\": {\"input\": 30}"));

    check_found(book, "openai", "gpt-4", "gpt-4");
    check_found(book, "openai", "gpt-4o-mini", NULL);
    check_found(book, "openai", "gpt", NULL);
    check_found(book, "openai", "gpt-4o ", NULL);
    check_found(book, "openai", "", NULL);
    check_found(book, "openai", "gpt-4*", NULL);
    check_found(book, "cerebras", "llama", NULL);
    check_found(book, "openai", "models/", NULL);
    check_found(book, "openai", "ft:", NULL);
    check_found(book, "openai", "arn:", NULL);

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    check_found(book, "azure.ai.openai", name, NULL);
    check_found(book, name, "gpt-4o", "gpt-4o");

    tg_price_book_destroy(book);
}


static void
test_exact_names_then_the_longest_wildcard(void **state)
{
    tg_price_book_t  *book;

    (void) state;

    book = book_of(OURS("\"*\": {\"input\": 9},"
                        "\"gpt-4o*\": {\"input\": 1},"
                        "\"gpt-4o-2024-*\": {\"input\": 2},"
                        "\"gpt-4o-2024-05-13\": {\"input\": 3},"
                        "\"azure/gpt*mini\": {\"input\": 4},"
                        "\"vllm/*\": {\"input\": 5}"));

    check_found(book, "openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13");
    check_found(book, "openai", "gpt-4o-2024-08-06", "gpt-4o-2024-*");
    check_found(book, "openai", "gpt-4o", "gpt-4o*");
    check_found(book, "azure.ai.openai", "gpt-5-mini", "azure/gpt*mini");
    check_found(book, "vllm", "some/model", "vllm/*");
    check_found(book, "openai", "some/model", "*");

    tg_price_book_destroy(book);
}


static void
test_later_files_win_model_by_model(void **state)
{
    char              before[17];
    tg_usage_t        u = used(1000, 1000);
    tg_price_book_t  *book;

    (void) state;

    book = book_of("{\"a\": {\"input_cost_per_token\": 1e-6,"
                   " \"output_cost_per_token\": 1e-6},"
                   " \"b\": {\"input_cost_per_token\": 1e-6}, \"w*\": "
                   "{\"input_cost_per_token\": 1e-6}}");

    assert_int_equal(tg_price_book_hash(book).len, 16);
    memcpy(before, tg_price_book_hash(book).p, 16);

    add_to(book, OURS("\"a\": {\"input\": 7}, \"w*\": {\"input\": 3}"));

    assert_int_equal(tg_price_book_models(book), 3);
    assert_memory_not_equal(tg_price_book_hash(book).p, before, 16);

    /* the whole entry is replaced: its output has no price now */
    assert_true(cost_of(book, "a", &u, 0).total == 7000000);
    assert_true(cost_of(book, "a", &u, 0).incomplete);
    assert_true(cost_of(book, "b", &u, 0).total == 1000000);
    assert_true(cost_of(book, "wx", &u, 0).total == 3000000);

    tg_price_book_destroy(book);
}


static void
test_hash_is_of_the_texts(void **state)
{
    static const char  abc[] = "abc";
    tg_price_book_t   *book = tg_price_book_create();

    (void) state;

    assert_memory_equal(tg_price_book_hash(book).p, "e3b0c44298fc1c14", 16);

    assert_int_equal(tg_price_book_add(book, tg_str("x"), tg_strz(abc), NULL),
                     TG_ERROR);
    assert_memory_equal(tg_price_book_hash(book).p, "ba7816bf8f01cfea", 16);

    tg_price_book_destroy(book);
}


static void
test_same_as_takes_over_an_earlier_entry(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(1000, 1000);
    tg_price_book_t  *book = book_of(claude);

    (void) state;

    add_to(book, OURS("\"my-deployment\": {\"same_as\": \"c\", \"output\": 1,"
                      " \"max_output\": 5}"));

    c = cost_of(book, "my-deployment", &u, 0);
    assert_true(c.input == 3000000 && c.output == 1000000);
    assert_int_equal(tg_price_max_output(tg_price_find(book, tg_str(""),
                                                 tg_str("my-deployment"))), 5);
    assert_int_equal(tg_price_max_input(tg_price_find(book, tg_str(""),
                                                 tg_str("my-deployment"))),
                     200000);
    tg_price_book_destroy(book);

    check_refused(OURS("\"x\": {\"same_as\": \"y\"}"), "\"same_as\"");
    check_refused(OURS("\"x\": {\"same_as\": 4}"), "\"same_as\"");
}


static void
test_refusals_name_model_and_field(void **state)
{
    tg_error_t        err;
    tg_price_book_t  *book;

    (void) state;

    check_refused(OURS("\"m\": {\"inptu\": 1}"), "\"m\": \"inptu\"");
    check_refused(OURS("\"m\": {\"batch\": {\"max_input\": 1}}"),
                  "\"batch.max_input\"");
    check_refused(OURS("\"m\": {\"above\": {\"5\": {\"x\": 1}}}"),
                  "\"above.5.x\"");
    check_refused(OURS("\"m\": {\"flex\": {\"above\": {\"5\":"
                       " {\"input\": -1}}}}"), "\"flex.above.5.input\"");
    check_refused(OURS("\"m\": {\"above\": {\"200k\": {\"input\": 1}}}"),
                  "\"above\"");
    check_refused(OURS("\"m\": {\"above\": {\"0\": {\"input\": 1}}}"),
                  "\"above\"");
    check_refused(OURS("\"m\": {\"above\": {}}"), "\"above\"");
    check_refused(OURS("\"m\": {\"batch\": 0.5}"), "\"batch\"");
    check_refused(OURS("\"m\": {\"input\": -1}"), "negative");
    check_refused(OURS("\"m\": {\"input\": \"-1\"}"), "negative");
    check_refused(OURS("\"m\": {\"input\": 1000000001}"), "more than $1000");
    check_refused(OURS("\"m\": {\"request\": \"1000.1\"}"), "more than $1000");
    check_refused(OURS("\"m\": {\"input\": \"$2\"}"), "not a number");
    check_refused(OURS("\"m\": {\"input\": null}"), "not a number");
    check_refused(OURS("\"m\": {\"input\": true}"), "not a number");
    check_refused(OURS("\"m\": {\"max_input\": \"many\", \"input\": 1}"),
                  "\"max_input\"");
    check_refused(OURS("\"m\": {\"input\": 1, \"discount\": 0.12}"),
                  "\"discount\"");
    check_refused(OURS("\"m\": {\"input\": 1, \"discount\": \"101%\"}"),
                  "\"discount\"");
    check_refused(OURS("\"m\": {\"input\": 1, \"discount\": \"1.00001%\"}"),
                  "\"discount\"");
    check_refused(OURS("\"m\": {\"input\": 1, \"discount\": \"%\"}"),
                  "\"discount\"");
    check_refused(OURS("\"m\": {}"), "\"m\" has no price");
    check_refused(OURS("\"m\": 3"), "\"m\" is not an object");
    check_refused(OURS("\"\": {\"input\": 1}"), "name");
    check_refused(OURS("\"m\": {\"input\": 1}, \"m\": {\"input\": 2}"),
                  "duplicate");
    check_refused("{\"tollgate_prices\": 2, \"models\": {}}", "version");
    check_refused("{\"tollgate_prices\": 1}", "\"models\" is missing");
    check_refused("{\"tollgate_prices\": 1, \"model\": {}}", "\"model\"");
    check_refused("{\"tollgate_prices\": 1, \"currency\": \"EUR\"}",
                  "\"currency\"");
    check_refused("{\"tollgate_price\": 1}", "neither");
    check_refused("[]", "not a JSON object");
    check_refused("{}", "neither");
    check_refused("", "line");

    book = tg_price_book_create();
    assert_int_equal(tg_price_book_add(book, tg_str("p\n.json"),
                                       tg_str("{\n\"a\": {\n\"b\": nil\n}}"),
                                       &err),
                     TG_ERROR);
    assert_int_equal(err.code, TG_PRICE_SYNTAX);
    assert_int_equal(err.offset, 3);
    assert_non_null(strstr(err.message, "p?.json: line 3"));
    tg_price_book_destroy(book);
}


static void
test_litellm_fields(void **state)
{
    tg_cost_t         c;
    tg_usage_t        u = used(300000, 10);
    tg_price_book_t  *book;

    (void) state;

    book = book_of(
        "{\"sample_spec\": {\"input_cost_per_token\": 0.0},"
        " \"m\": {\"input_cost_per_token\": 1.25e-06, \"mode\": \"chat\","
        "  \"input_cost_per_token_above_200k_tokens\": 2.5e-06,"
        "  \"input_cost_per_token_above_272k_tokens\": 3e-06,"
        "  \"input_cost_per_token_above_272k_tokens_priority\": 6e-06,"
        "  \"input_cost_per_token_batches\": \"6.25e-07\","
        "  \"input_cost_per_token_above_272k_tokens_batches\": 1.5e-06,"
        "  \"output_cost_per_token\": 1e-05,"
        "  \"output_cost_per_reasoning_token\": 2e-05,"
        "  \"cache_creation_input_token_cost\": 1e-06,"
        "  \"cache_creation_input_token_cost_above_1hr\": 2e-06,"
        "  \"cache_creation_input_token_cost_above_1hr_above_200k_tokens\":"
        "   4e-06,"
        "  \"cache_creation_input_token_cost_above_12hr\": 9e-06,"
        "  \"input_cost_per_token_ultrafast\": 9e-06,"
        "  \"input_cost_per_token_above_xk_tokens\": 9e-06,"
        "  \"input_cost_per_token_cache_hit\": 1e-07,"
        "  \"input_cost_per_audio_token\": null,"
        "  \"output_cost_per_audio_token\": [1], \"rpm\": \"many\","
        "  \"search_context_cost_per_query\": {"
        "   \"search_context_size_low\": 0.01,"
        "   \"search_context_size_medium\": 0.02},"
        "  \"max_input_tokens\": \"400000\", \"max_tokens\": 8192,"
        "  \"supports_vision\": true},"
        " \"q\": {\"tiered_pricing\": ["
        "  {\"input_cost_per_token\": 1e-06, \"range\": [0, 1000.0]},"
        "  {\"input_cost_per_token\": 2e-06, \"range\": [1000.0, 5000.0]}]},"
        " \"w\": {\"input_cost_per_second\": 0.0001,"
        "  \"output_cost_per_second\": 0.0001},"
        " \"e\": {\"input_cost_per_token\": 2e-08, \"mode\": \"embedding\","
        "  \"max_tokens\": 8191, \"output_cost_per_token\": 0,"
        "  \"input_cost_per_image\": 0.0005},"
        " \"unpriced\": {\"max_tokens\": 100, \"mode\": \"chat\"},"
        " \"prose\": {\"input_cost_per_token\": \"see the page\"},"
        " \"odd\": [1], \"odder\": 5}");

    assert_int_equal(tg_price_book_models(book), 4);

    c = cost_of(book, "m", &u, TG_TIER_STANDARD);
    assert_true(c.input == 900000000 && c.output == 100000);
    c = cost_of(book, "m", &u, TG_TIER_PRIORITY);
    assert_true(c.input == 1800000000 && !c.incomplete);
    c = cost_of(book, "m", &u, TG_TIER_BATCH);
    assert_true(c.input == 450000000);

    u = used(250000, 10);
    u.cache_read = 100;
    u.cache_write = 30;
    u.cache_write_1h = 10;
    u.reasoning = 4;
    u.web_searches = 1;
    c = cost_of(book, "m", &u, TG_TIER_STANDARD);
    assert_true(c.input == INT64_C(624675000));         /* 249,870 x 2.5 */
    assert_true(c.cache_read == 10000);
    assert_true(c.cache_write == 20 * 1000 + 10 * 4000);
    assert_true(c.output == 6 * 10000 + 4 * 20000);
    assert_true(c.tools == 20000000);

    u = used(1000, 0);
    assert_true(cost_of(book, "q", &u, 0).total == 1000000);
    u = used(1001, 0);
    assert_true(cost_of(book, "q", &u, 0).total == 2002000);

    u = used(0, 0);
    u.duration_ms = 1000;
    assert_true(cost_of(book, "w", &u, 0).total == 100000);

    u = used(10, 0);
    u.images = 2;
    assert_true(cost_of(book, "e", &u, 0).total == 200 + 1000000);

    assert_int_equal(tg_price_max_input(tg_price_find(book, tg_str(""),
                                                      tg_str("m"))), 400000);
    assert_int_equal(tg_price_max_output(tg_price_find(book, tg_str(""),
                                                       tg_str("m"))), 8192);
    assert_int_equal(tg_price_max_input(tg_price_find(book, tg_str(""),
                                                      tg_str("e"))), 8191);
    assert_int_equal(tg_price_max_output(tg_price_find(book, tg_str(""),
                                                       tg_str("e"))), 0);

    tg_price_book_destroy(book);
}


static void
test_litellm_refuses_what_loses_money(void **state)
{
    (void) state;

    check_refused("{\"m\": {\"input_cost_per_token\": -1e-6}}",
                  "model \"m\": \"input_cost_per_token\" is negative");
    check_refused("{\"m\": {\"output_cost_per_token_batches\": 1001}}",
                  "\"output_cost_per_token_batches\"");
    check_refused("{\"sample_spec\": {\"input_cost_per_token\": 1}}",
                  "neither");
}


static void
test_bound_takes_the_dearest_class_and_threshold(void **state)
{
    const tg_price_t  *p;
    tg_price_book_t   *book = book_of(claude);

    (void) state;

    p = tg_price_find(book, tg_str(""), tg_str("c"));

    /* the dearest input class is the hour's write at 6 */
    assert_true(tg_price_bound(p, 1000, 100, 0) == 6000000 + 1500000);
    assert_true(tg_price_bound(p, 200000, 100, 0) == 1200000000 + 1500000);

    /* above 200,000 input is 6 as well, and output 22.5 */
    assert_true(tg_price_bound(p, 200001, 100, 0) == 1200006000 + 2250000);
    assert_true(tg_price_bound(p, -1, -1, 0) == 0);

    tg_price_book_destroy(book);

    book = book_of(OURS("\"m\": {\"input\": 5, \"above\": {\"10\":"
                        " {\"input\": 1}}, \"request\": 0.5,"
                        " \"priority\": {\"input\": 2}, \"discount\": \"50%\"}"
                        ));
    p = tg_price_find(book, tg_str(""), tg_str("m"));

    /* cheaper above: fewer tokens could cost more; a class may round up */
    assert_true(tg_price_bound(p, 20, 0, 0) >= 50000 + 250000000);
    assert_true(tg_price_bound(p, 20, 0, 0) <= 50003 + 250000000);
    assert_true(tg_price_bound(p, 20, 0, TG_TIER_PRIORITY)
                >= 50000 + 250000000);

    tg_price_book_destroy(book);
}


static uint64_t  seed = 20240229;

static int64_t
any(int64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);

    return (int64_t) ((seed >> 33) % (uint64_t) below);
}


static tg_usage_t
any_usage(int64_t most)
{
    tg_usage_t  u = used(any(most), any(most));

    u.cache_read = any(4) == 0 ? any(most) : any(most / 4);
    u.cache_write_5m = any(most / 4);
    u.cache_write_1h = any(most / 4);
    u.cache_write = any(2) == 0 ? u.cache_write_5m + u.cache_write_1h
                                : any(most / 2);
    u.audio_input = any(most / 4);
    u.image_input = any(most / 4);
    u.reasoning = any(most / 2);
    u.audio_output = any(most / 4);
    u.image_output = any(most / 4);
    u.web_searches = any(3);
    u.search_units = any(3);
    u.pages = any(3);

    return u;
}


static const char  rising[] = OURS(
    "\"m\": {\"input\": \"1.000000123\", \"cache_read\": \"0.1\","
    " \"cache_write\": \"1.25\", \"cache_write_1h\": 2, \"audio_input\": 7,"
    " \"image_input\": \"1.5\", \"output\": \"3.3333333\", \"reasoning\": 4,"
    " \"audio_output\": 20, \"image_output\": 30, \"web_search\": 0.01,"
    " \"search_unit\": 0.002, \"page\": 0.001, \"request\": 0.0000000015,"
    " \"discount\": \"3.1415%\","
    " \"above\": {\"500\": {\"input\": \"1.1\", \"output\": 5},"
    "             \"900\": {\"input\": \"2.2\", \"cache_read\": 1}},"
    " \"flex\": {\"input\": \"0.5\", \"audio_input\": \"3.3\","
    "            \"above\": {\"500\": {\"input\": \"0.7\"}}}}");


static void
test_property_cost_rises_with_each_count(void **state)
{
    size_t            k;
    tg_cost_t         a, b;
    tg_usage_t        u, more;
    tg_price_book_t  *book = book_of(rising);

    (void) state;

    for (int i = 0; i < 20000; i++) {
        u = any_usage(1200);
        more = u;
        k = (size_t) any(5);

        /* more of a whole; more of a part moves tokens, dearer or cheaper */

        if (k == 0) {
            more.input += 1 + any(300);
            more.audio_input = u.audio_input = 0;
            more.image_input = u.image_input = 0;

        } else if (k == 1) {
            more.output += 1 + any(300);

        } else if (k == 2) {
            more.web_searches++;

        } else if (k == 3) {
            more.search_units++;

        } else {
            more.pages++;
        }

        a = cost_of(book, "m", &u, TG_TIER_STANDARD);
        b = cost_of(book, "m", &more, TG_TIER_STANDARD);

        if (b.total + 2 < a.total || b.list + 2 < a.list) {
            fail_msg("round %d, count %zu: %lld, then %lld", i, k,
                     (long long) a.total, (long long) b.total);
        }
    }

    tg_price_book_destroy(book);
}


static void
test_property_bound_holds(void **state)
{
    int64_t            bound, input, output;
    tg_cost_t          c;
    tg_tier_t          tier;
    tg_usage_t         u;
    tg_price_book_t   *book = book_of(rising);
    const tg_price_t  *p;

    (void) state;

    p = tg_price_find(book, tg_str(""), tg_str("m"));

    for (int i = 0; i < 20000; i++) {
        u = any_usage(i % 2 == 0 ? 12 : 1200);
        u.web_searches = u.search_units = u.pages = 0;
        input = u.input + any(100);
        output = u.output + any(100);
        tier = i % 3 == 0 ? TG_TIER_FLEX : TG_TIER_STANDARD;

        c = cost_of(book, "m", &u, tier);
        bound = tg_price_bound(p, input, output, tier);

        if (c.total > bound) {
            fail_msg("round %d: %lld > %lld", i, (long long) c.total,
                     (long long) bound);
        }
    }

    tg_price_book_destroy(book);
}


static void
test_many_models_are_found(void **state)
{
    char              name[32];
    char             *text, *p;
    tg_price_book_t  *book;
    const size_t      room = 4000 * 64;

    (void) state;

    p = text = malloc(room);
    assert_non_null(text);

    for (int i = 0; i < 4000; i++) {
        p += snprintf(p, room - (size_t) (p - text),
                      "%s\"p/m-%d\": {\"input_cost_per_token\": %de-9}",
                      i == 0 ? "{" : ", ", i, i);
    }

    *p++ = '}';
    *p = '\0';

    book = book_of(text);
    free(text);

    assert_int_equal(tg_price_book_models(book), 4000);

    for (int i = 0; i < 4000; i++) {
        tg_usage_t  u = used(1, 0);

        (void) snprintf(name, sizeof(name), "p/m-%d", i);
        assert_true(cost_of(book, name, &u, 0).total == i);
    }

    tg_price_book_destroy(book);
}


/* prices/default.json, where the test runs in the source tree. */
static char *
read_shipped(void)
{
    char          path[512];
    char         *text;
    FILE         *f;
    size_t        len;
    const char   *slash = strrchr(__FILE__, '/');
    const size_t  room = 4 * 1024 * 1024;

    (void) snprintf(path, sizeof(path), "%.*s../../prices/default.json",
                    slash == NULL ? 0 : (int) (slash - __FILE__ + 1),
                    __FILE__);

    f = fopen(path, "rb");
    if (f == NULL) {
        return NULL;
    }

    text = malloc(room);
    assert_non_null(text);

    len = fread(text, 1, room - 1, f);
    text[len] = '\0';
    (void) fclose(f);

    return text;
}


static void
test_shipped_prices_are_sound(void **state)
{
    char             *text = read_shipped();
    tg_usage_t        u = used(1000000, 1000000);
    tg_price_book_t  *book;

    (void) state;

    if (text == NULL) {
        skip();
    }

    book = book_of(text);
    free(text);

    assert_true(tg_price_book_models(book) > 500);

    assert_true(cost_of(book, "gpt-4o-mini", &u, 0).total == 750000000);
    assert_true(cost_of(book, "gpt-4o-mini", &u, TG_TIER_BATCH).total
                == 375000000);

    u.cache_write = u.cache_write_1h = 1000000;
    assert_true(cost_of(book, "claude-haiku-4-5", &u, 0).total
                == INT64_C(7000000000));

    check_found(book, "openai", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06");
    check_found(book, "openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13");
    check_found(book, "openai", "gpt-4o-2024-12-31", "gpt-4o-20*");
    check_found(book, "openai", "gpt-4", "gpt-4");
    check_found(book, "openai", "gpt-4o-nonesuch", NULL);
    check_found(book, "azure.ai.openai", "gpt-4o", "azure/gpt-4o");
    check_found(book, "gcp.gemini", "gemini-2.5-flash",
                "gemini/gemini-2.5-flash");
    check_found(book, "anthropic", "claude-haiku-4-5-20251001",
                "claude-haiku-4-5-20251001");

    /* names that answers have, of models that are retired */

    check_found(book, "anthropic", "claude-opus-4-1", "claude-opus-4-1");
    check_found(book, "anthropic", "claude-3-5-sonnet-20240620",
                "claude-3-5-sonnet-20*");
    check_found(book, "aws.bedrock", "anthropic.claude-v2:1",
                "anthropic.claude-v2:1");
    check_found(book, "gcp.vertex_ai", "gemini-2.0-flash-001",
                "gemini-2.0-flash-0*");
    check_found(book, "gcp.gemini", "models/gemini-2.5-pro-preview-05-06",
                "gemini-2.5-pro-preview-0*");
    check_found(book, "openai", "o1-mini-2024-09-12", "o1-mini-20*");
    check_found(book, "groq", "llama-3.3-70b-versatile",
                "groq/llama-3.3-70b-versatile");
    check_found(book, "x_ai", "grok-4-latest", "xai/grok-4-latest");
    check_found(book, "vllm", "gpt-oss-120b", NULL);

    tg_price_book_destroy(book);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_classes_are_charged_apart),
        cmocka_unit_test(test_long_context_price_is_for_the_whole_call),
        cmocka_unit_test(test_highest_threshold_exceeded_wins),
        cmocka_unit_test(
            test_tier_without_a_long_price_takes_the_dearer_and_says_so),
        cmocka_unit_test(test_fast_and_us_add_to_tokens_alone),
        cmocka_unit_test(test_parts_never_exceed_the_whole),
        cmocka_unit_test(test_class_without_price_is_charged_as_its_whole),
        cmocka_unit_test(test_no_price_is_incomplete),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_billed_units_replace_tokens),
        cmocka_unit_test(test_discount_is_off_the_charge_and_not_the_list),
        cmocka_unit_test(test_discounts_of_a_contract_apply_to_earlier_files),
        cmocka_unit_test(test_extra_usage_is_priced_at_its_own_model),
        cmocka_unit_test(
            test_cached_answers_cost_nothing_but_have_a_list_price),
        cmocka_unit_test(test_costs_saturate),
        cmocka_unit_test(test_what_was_found_does_not_outlive_a_change),
        cmocka_unit_test(test_provider_prefix_comes_before_the_bare_name),
        cmocka_unit_test(test_never_another_model),
        cmocka_unit_test(test_exact_names_then_the_longest_wildcard),
        cmocka_unit_test(test_later_files_win_model_by_model),
        cmocka_unit_test(test_hash_is_of_the_texts),
        cmocka_unit_test(test_same_as_takes_over_an_earlier_entry),
        cmocka_unit_test(test_refusals_name_model_and_field),
        cmocka_unit_test(test_litellm_fields),
        cmocka_unit_test(test_litellm_refuses_what_loses_money),
        cmocka_unit_test(test_bound_takes_the_dearest_class_and_threshold),
        cmocka_unit_test(test_property_cost_rises_with_each_count),
        cmocka_unit_test(test_property_bound_holds),
        cmocka_unit_test(test_many_models_are_found),
        cmocka_unit_test(test_shipped_prices_are_sound),
    };

    return cmocka_run_group_tests_name("price", tests, NULL, NULL);
}
