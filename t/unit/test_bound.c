#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tg_bound.h"

static tg_price_book_t  *book;

static const char  prices[] =
    "{\"tollgate_prices\": 1, \"models\": {"
    "\"small\": {\"input\": \"1\", \"output\": \"2\","
    "  \"max_input\": 128000, \"max_output\": 4096},"
    "\"long\": {\"input\": \"1\", \"output\": \"2\","
    "  \"above\": {\"1000\": {\"input\": \"10\", \"output\": \"20\"}}},"
    "\"fee\": {\"input\": \"1\", \"output\": \"1\", \"request\": \"0.01\","
    "  \"web_search\": \"0.01\", \"max_input\": 1000},"
    "\"painter\": {\"image\": \"0.04\"},"
    "\"tiers\": {\"input\": \"2\", \"output\": \"4\","
    "  \"flex\": {\"input\": \"1\", \"output\": \"2\"},"
    "  \"priority\": {\"input\": \"4\", \"output\": \"8\"}},"
    "\"reader\": {\"page\": \"0.001\"},"
    "\"voice\": {\"character\": \"0.000015\"},"
    "\"ear\": {\"second\": \"0.0001\"},"
    "\"rank\": {\"search_unit\": \"0.002\"}}}";


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;
    book = tg_price_book_create();

    if (tg_price_book_add(book, tg_str("p"), tg_str_of(prices,
                                                       sizeof(prices) - 1),
                          &err) != TG_OK)
    {
        print_error("%s\n", err.message);
        return -1;
    }

    return 0;
}


static int
teardown(void **state)
{
    (void) state;
    tg_price_book_destroy(book);

    return 0;
}


static tg_bound_ask_t
chat(const char *model, uint64_t bytes)
{
    tg_bound_ask_t  ask;

    memset(&ask, 0, sizeof(ask));
    ask.op = TG_OP_CHAT;
    ask.bytes = bytes;
    ask.inspected = true;
    ask.max_tokens = -1;
    ask.thinking = -1;
    ask.answers = 1;
    ask.price = tg_price_find(book, tg_str_null, tg_strz(model));

    return ask;
}


static tg_bound_t
of(const tg_bound_ask_t *ask)
{
    tg_bound_t  b;

    tg_bound(ask, &b);

    return b;
}


static void
test_text_takes_no_more_tokens_than_bytes(void **state)
{
    tg_bound_ask_t  ask = chat("small", 1000);

    ask.messages = 3;
    assert_int_equal(of(&ask).input, 1000 + TG_BOUND_BASE
                                     + 3 * TG_BOUND_MESSAGE);
    ask.tools = true;
    assert_int_equal(of(&ask).input, 1000 + TG_BOUND_BASE
                                     + 3 * TG_BOUND_MESSAGE + TG_BOUND_TOOLS);

    /* not even where the list says that the model takes less */

    ask.bytes = 1000000;
    assert_true(of(&ask).input > 1000000);

    (void) state;
}


static void
test_output_is_as_asked_for_else_the_model_s_own(void **state)
{
    tg_bound_ask_t  ask = chat("small", 10);

    assert_int_equal(of(&ask).output, 4096);
    ask.max_tokens = 100;
    assert_int_equal(of(&ask).output, 100);
    ask.answers = 5;
    assert_int_equal(of(&ask).output, 500);
    assert_int_equal(of(&ask).each, 100);
    ask.thinking = 2000;
    assert_int_equal(of(&ask).each, 2100);
    ask.thinking = 50;
    assert_int_equal(of(&ask).each, 100);
    ask.max_tokens = 0;
    assert_int_equal(of(&ask).each, 4096);
    ask.answers = 0;
    assert_int_equal(of(&ask).answers, 1);

    ask = chat("nobody", 10);
    assert_int_equal(of(&ask).output, TG_BOUND_OUTPUT);
    ask.default_output = 77;
    assert_int_equal(of(&ask).output, 77);

    ask.op = TG_OP_TEXT_COMPLETION;
    ask.messages = 4;
    ask.answers = 2;
    assert_int_equal(of(&ask).output, 77 * 8);

    ask.op = TG_OP_EMBEDDINGS;
    assert_int_equal(of(&ask).output, 0);

    (void) state;
}


static void
test_counted_pictures_are_bounded_each(void **state)
{
    tg_bound_ask_t  ask = chat("nobody", 1000);

    ask.pictures = 2;
    assert_int_equal(of(&ask).input, 1000 + TG_BOUND_BASE
                                     + 2 * TG_BOUND_PICTURE);
    ask.media_bytes = 900;
    assert_int_equal(of(&ask).input, 100 + TG_BOUND_BASE
                                     + 2 * TG_BOUND_PICTURE);

    (void) state;
}


static void
test_what_is_not_text_is_bounded_by_the_window(void **state)
{
    tg_bound_ask_t  ask = chat("small", 5000000);

    ask.pictures = -1;
    ask.text_bytes = 400;
    assert_int_equal(of(&ask).input, 128000);

    ask.pictures = 100;
    assert_int_equal(of(&ask).input, 128000);

    ask.pictures = 0;
    ask.sounds = true;
    assert_int_equal(of(&ask).input, 128000);

    ask = chat("small", 300);
    ask.elsewhere = true;
    assert_int_equal(of(&ask).input, 128000);

    ask.elsewhere = false;
    ask.inspected = false;
    assert_int_equal(of(&ask).input, 128000);

    (void) state;
}


static void
test_without_a_window_it_is_not_known(void **state)
{
    tg_bound_ask_t  ask = chat("long", 300);

    assert_true(of(&ask).cost > 0);
    ask.elsewhere = true;
    assert_int_equal(of(&ask).input, TG_BOUND_UNKNOWN);
    assert_int_equal(of(&ask).cost, TG_BOUND_UNKNOWN);
    ask.elsewhere = false;
    ask.uses = 3;
    assert_int_equal(of(&ask).input, TG_BOUND_UNKNOWN);
    ask.uses = 0;
    ask.pictures = -1;
    assert_int_equal(of(&ask).input, TG_BOUND_UNKNOWN);

    (void) state;
}


static void
test_server_side_tools_read_the_window_again(void **state)
{
    tg_bound_ask_t  ask = chat("fee", 100);
    tg_bound_t      plain, b;

    ask.max_tokens = 10;
    plain = of(&ask);
    ask.uses = 2;
    b = of(&ask);
    assert_int_equal(b.input, plain.input + 2 * 1000);
    assert_int_equal(b.output, 30);
    assert_int_equal(b.cost - tg_price_bound(ask.price, b.input, b.output,
                                             TG_TIER_STANDARD), 20000000);
    ask.uses = -1;
    assert_int_equal(of(&ask).input, plain.input + TG_BOUND_USES * 1000);

    (void) state;
}


static void
test_the_cost_is_at_the_dearest_rate_that_could_apply(void **state)
{
    tg_bound_ask_t  ask = chat("long", 1000);

    ask.max_tokens = 1000;
    assert_true(of(&ask).cost >= (1064 * 10 + 1000 * 20) * INT64_C(1000));

    ask = chat("nobody", 1000);
    assert_int_equal(of(&ask).cost, TG_BOUND_UNKNOWN);
    assert_true(of(&ask).input > 0);

    (void) state;
}


static void
test_what_is_charged_by_the_piece_is_in_it(void **state)
{
    tg_bound_ask_t  ask = chat("painter", 100);

    ask.op = TG_OP_IMAGE;
    ask.answers = 3;
    assert_int_equal(of(&ask).cost, 120000000);

    ask = chat("reader", 100);
    assert_int_equal(of(&ask).cost, TG_BOUND_PAGES * INT64_C(1000000));

    ask = chat("voice", 1000);
    ask.op = TG_OP_SPEECH;
    assert_int_equal(of(&ask).cost, 15000000);

    ask = chat("ear", 256000);
    ask.op = TG_OP_TRANSCRIPTION;
    assert_int_equal(of(&ask).cost, 1001 * INT64_C(100000));

    ask = chat("rank", 1000);
    ask.op = TG_OP_RERANK;
    ask.messages = 250;
    assert_int_equal(of(&ask).cost, 3 * INT64_C(2000000));

    (void) state;
}


static void
test_what_costs_nothing_holds_nothing(void **state)
{
    tg_bound_ask_t  ask = chat("nobody", 1000);

    ask.op = TG_OP_MODELS;
    assert_int_equal(of(&ask).input, 0);
    assert_int_equal(of(&ask).output, 0);
    assert_int_equal(of(&ask).cost, 0);

    (void) state;
}


static void
test_absurd_requests_saturate(void **state)
{
    tg_bound_ask_t  ask = chat("small", UINT64_MAX);

    ask.max_tokens = INT64_MAX;
    ask.thinking = INT64_MAX;
    ask.answers = INT64_MAX;
    ask.messages = UINT32_MAX;
    ask.pictures = INT64_MAX;
    ask.uses = INT64_MAX;
    ask.media_bytes = UINT64_MAX;
    ask.text_bytes = UINT64_MAX;

    for (int op = TG_OP_UNKNOWN; op <= TG_OP_MODELS; op++) {
        tg_bound_t  b;

        ask.op = (tg_op_t) op;
        b = of(&ask);
        assert_true(b.input >= 0 && b.output >= 0 && b.cost >= 0);
        (void) tg_bound_fit(&ask, &b, 1000, INT64_MAX);
    }

    (void) state;
}


static void
test_a_clamp_is_the_largest_that_fits(void **state)
{
    tg_bound_ask_t  ask = chat("small", 100), less;
    tg_bound_t      b = of(&ask);
    int64_t         fit;

    assert_int_equal(tg_bound_fit(&ask, &b, b.cost, INT64_MAX), 4096);
    assert_int_equal(tg_bound_fit(&ask, &b, 1, INT64_MAX), 0);

    for (int64_t nusd = b.cost / 7; nusd < b.cost; nusd += b.cost / 7) {
        fit = tg_bound_fit(&ask, &b, nusd, INT64_MAX);
        assert_true(fit > 0 && fit < 4096);
        less = ask;
        less.max_tokens = fit;
        assert_true(of(&less).cost <= nusd);
        less.max_tokens = fit + 1;
        assert_true(of(&less).cost > nusd);
    }

    ask.price = NULL;
    b = of(&ask);
    assert_int_equal(tg_bound_fit(&ask, &b, INT64_MAX - 1, INT64_MAX), 0);
    assert_int_equal(tg_bound_fit(&ask, &b, INT64_MAX, 100), 100);
    assert_int_equal(tg_bound_fit(&ask, &b, INT64_MAX, 0), 0);

    ask.answers = 3;
    b = of(&ask);
    assert_int_equal(tg_bound_fit(&ask, &b, INT64_MAX, 100), 33);

    (void) state;
}


static void
test_sounds_are_bounded_by_how_long_they_can_play(void **state)
{
    tg_bound_ask_t  ask = chat("nobody", 26000);

    ask.sounds = true;
    ask.sound_bytes = 25600;
    ask.media_bytes = 25600;
    assert_int_equal(of(&ask).input, 400 + TG_BOUND_BASE
                                     + 101 * TG_BOUND_SECOND);

    ask = chat("ear", 1000);
    ask.op = TG_OP_TRANSCRIPTION;
    assert_true(of(&ask).cost > 0);
    ask.elsewhere = true;
    assert_int_equal(of(&ask).cost, TG_BOUND_UNKNOWN);

    (void) state;
}


static void
test_a_rerank_reads_its_query_with_each_document(void **state)
{
    tg_bound_ask_t  ask = chat("nobody", 5000);

    ask.op = TG_OP_RERANK;
    ask.messages = 100;
    ask.query_bytes = 30;
    assert_int_equal(of(&ask).input, 5000 + TG_BOUND_BASE
                                     + 100 * (TG_BOUND_MESSAGE + 30));

    (void) state;
}


static void
test_each_picture_of_an_edit_is_counted(void **state)
{
    tg_bound_ask_t  ask = chat("nobody", 900000);

    ask.op = TG_OP_IMAGE;
    ask.text_bytes = 50;
    ask.pictures = 2;
    assert_int_equal(of(&ask).input, 50 + TG_BOUND_BASE + 2 * TG_BOUND_MADE);
    ask.pictures = -1;
    assert_int_equal(of(&ask).input, 50 + TG_BOUND_BASE
                                     + TG_BOUND_CHANGED * TG_BOUND_MADE);

    (void) state;
}


static void
test_a_wrong_prediction_is_billed_as_output(void **state)
{
    tg_bound_ask_t  ask = chat("small", 1000);

    ask.max_tokens = 100;
    ask.answers = 2;
    ask.prediction = 600;
    assert_int_equal(of(&ask).output, 2 * (100 + 600));
    assert_int_equal(of(&ask).each, 100);

    (void) state;
}


static void
test_names_of_models_tell_what_the_body_does_not(void **state)
{
    tg_bound_ask_t            ask;
    tg_request_info_t         info;
    static const char *const  search[] = {
        "openai/gpt-4o:online", "gpt-4o-mini-search-preview-2025-03-11",
        "gpt-5-search-api", "o3-deep-research", "sonar", "sonar-pro",
        "perplexity/r1", "groq/compound-mini"
    };

    memset(&info, 0, sizeof(info));
    info.max_tokens = 10;
    info.n = 1;

    for (size_t i = 0; i < sizeof(search) / sizeof(search[0]); i++) {
        info.model = tg_strz(search[i]);
        tg_bound_ask(&ask, TG_OP_CHAT, &info, true);
        assert_int_equal(ask.uses, -1);
    }

    info.model = tg_str("gpt-4o");
    tg_bound_ask(&ask, TG_OP_CHAT, &info, true);
    assert_int_equal(ask.uses, 0);
    assert_false(ask.elsewhere || ask.apart || ask.own_prompt);

    info.model = tg_str("arn:aws:bedrock:us-east-1:1:prompt/P1:2");
    tg_bound_ask(&ask, TG_OP_CHAT, &info, true);
    assert_true(ask.elsewhere);

    /* what is seen is limited, thinking is not */

    info.model = tg_str("x-ai/grok-4");
    tg_bound_ask(&ask, TG_OP_CHAT, &info, true);
    ask.default_output = 5000;
    assert_int_equal(of(&ask).output, 5010);
    assert_int_equal(of(&ask).each, 10);
    assert_int_equal(of(&ask).input, TG_BOUND_BASE + TG_BOUND_OWN);

    tg_bound_ask(&ask, TG_OP_UNKNOWN, &info, true);
    assert_false(ask.inspected);

    (void) state;
}


static void
test_a_cheap_tier_may_be_charged_as_standard(void **state)
{
    tg_bound_ask_t  ask = chat("tiers", 1000);
    int64_t         standard = of(&ask).cost;

    ask.tier = TG_TIER_FLEX;
    assert_true(of(&ask).cost == standard);
    ask.tier = TG_TIER_PRIORITY;
    assert_true(of(&ask).cost > standard);

    (void) state;
}


static void
test_a_request_says_what_there_is(void **state)
{
    tg_bound_ask_t     ask;
    tg_request_info_t  info;

    memset(&info, 0, sizeof(info));
    info.bytes = 500;
    info.text_bytes = 400;
    info.messages = 2;
    info.pictures = 3;
    info.media_bytes = 60;
    info.sound_bytes = 20;
    info.query_bytes = 7;
    info.prediction_bytes = 8;
    info.elsewhere = true;
    info.uses = 4;
    info.has_tools = true;
    info.max_tokens = 9;
    info.n = 2;
    info.thinking_budget = -1;
    info.service_tier = tg_str("flex");

    tg_bound_ask(&ask, TG_OP_CHAT, &info, true);
    assert_int_equal(ask.bytes, 500);
    assert_int_equal(ask.pictures, 3);
    assert_int_equal(ask.media_bytes, 60);
    assert_int_equal(ask.sound_bytes, 20);
    assert_int_equal(ask.query_bytes, 7);
    assert_int_equal(ask.prediction, 8);
    assert_int_equal(ask.uses, 4);
    assert_true(ask.elsewhere && ask.sounds);
    assert_int_equal(ask.tier, TG_TIER_FLEX | TG_TIER_US);
    assert_int_equal(ask.max_tokens, 9);
    assert_int_equal(ask.answers, 2);
    assert_true(ask.tools && ask.inspected && ask.price == NULL);

    (void) state;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_text_takes_no_more_tokens_than_bytes),
        cmocka_unit_test(test_output_is_as_asked_for_else_the_model_s_own),
        cmocka_unit_test(test_counted_pictures_are_bounded_each),
        cmocka_unit_test(test_what_is_not_text_is_bounded_by_the_window),
        cmocka_unit_test(test_without_a_window_it_is_not_known),
        cmocka_unit_test(test_server_side_tools_read_the_window_again),
        cmocka_unit_test(test_the_cost_is_at_the_dearest_rate_that_could_apply),
        cmocka_unit_test(test_what_is_charged_by_the_piece_is_in_it),
        cmocka_unit_test(test_what_costs_nothing_holds_nothing),
        cmocka_unit_test(test_absurd_requests_saturate),
        cmocka_unit_test(test_a_clamp_is_the_largest_that_fits),
        cmocka_unit_test(test_sounds_are_bounded_by_how_long_they_can_play),
        cmocka_unit_test(test_a_rerank_reads_its_query_with_each_document),
        cmocka_unit_test(test_each_picture_of_an_edit_is_counted),
        cmocka_unit_test(test_a_wrong_prediction_is_billed_as_output),
        cmocka_unit_test(test_names_of_models_tell_what_the_body_does_not),
        cmocka_unit_test(test_a_cheap_tier_may_be_charged_as_standard),
        cmocka_unit_test(test_a_request_says_what_there_is)
    };

    return cmocka_run_group_tests_name("bound", tests, setup, teardown);
}
