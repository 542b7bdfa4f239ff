#include "translated.h"

#define A_START  "event: message_start\ndata: {\"type\":\"message_start\","    \
                 "\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":1}" \
                 "}}\n\n"
#define A_TEXT   "event: content_block_start\ndata: {\"type\":"               \
                 "\"content_block_start\",\"index\":0,\"content_block\":{"    \
                 "\"type\":\"text\",\"text\":\"Hi\"}}\n\n"
#define A_STOP   "event: message_delta\ndata: {\"type\":\"message_delta\","    \
                 "\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"       \
                 "\"output_tokens\":2}}\n\n"
#define A_END    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
#define G_TEXT   "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":"  \
                 "\"Hi\"}]}}]}\n\n"
#define G_STOP   "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"
#define O_TEXT   "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":"    \
                 "\"Hi\"}}]}\n\n"
#define O_CALL(x)  "data: {\"choices\":[{\"index\":0,\"delta\":{"             \
                   "\"tool_calls\":[{" x "}]}}]}\n\n"
#define O_STOP   "data: {\"choices\":[{\"index\":0,\"delta\":{},"             \
                 "\"finish_reason\":\"stop\"}]}\n\n"
#define O_END    "data: [DONE]\n\n"

static output_t  out;


typedef struct {
    tg_form_t    from;
    tg_form_t    to;
    unsigned     status;
    const char  *body;
    unsigned     shown;         /* status for the client */
    const char  *answer;
} error_t;

#define A  TG_FORM_ANTHROPIC
#define G  TG_FORM_GEMINI
#define O  TG_FORM_OPENAI_CHAT

static const error_t  errors[] = {
    { A, O, 529, "{\"type\":\"error\",\"error\":{\"type\":"
      "\"overloaded_error\",\"message\":\"Over\\nloaded\"},\"request_id\":"
      "\"r\"}", 503,
      "{\"error\":{\"message\":\"Over\\nloaded\",\"type\":\"server_error\","
      "\"param\":null,\"code\":\"overloaded_error\"}}" },
    { A, O, 400, "{\"type\":\"error\",\"error\":{\"type\":"
      "\"invalid_request_error\",\"message\":\"prompt is too long: 3 tokens > "
      "2 maximum\"}}", 400,
      "{\"error\":{\"message\":\"prompt is too long: 3 tokens > 2 maximum\","
      "\"type\":\"invalid_request_error\",\"param\":null,\"code\":"
      "\"context_length_exceeded\"}}" },
    { A, O, 404, "{\"type\":\"error\",\"error\":{\"type\":"
      "\"not_found_error\",\"message\":\"model: x\"}}", 404,
      "{\"error\":{\"message\":\"model: x\",\"type\":"
      "\"invalid_request_error\",\"param\":null,\"code\":"
      "\"model_not_found\"}}" },
    { G, O, 429, "[{\"error\":{\"code\":429,\"message\":\"slow\",\"status\":"
      "\"RESOURCE_EXHAUSTED\"}}]", 429,
      "{\"error\":{\"message\":\"slow\",\"type\":\"rate_limit_error\","
      "\"param\":null,\"code\":\"rate_limit_exceeded\"}}" },
    { G, O, 400, "{\"error\":{\"code\":400,\"message\":\"bad\",\"status\":"
      "\"INVALID_ARGUMENT\"}}", 400,
      "{\"error\":{\"message\":\"bad\",\"type\":\"invalid_request_error\","
      "\"param\":null,\"code\":\"INVALID_ARGUMENT\"}}" },
    { O, A, 401, "{\"error\":{\"message\":\"no key\",\"type\":"
      "\"invalid_request_error\",\"param\":null,\"code\":"
      "\"invalid_api_key\"}}", 401,
      "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\","
      "\"message\":\"no key\",\"details\":{\"error_code\":"
      "\"invalid_api_key\"}}}" },
    { O, A, 429, "{\"error\":\"wait\"}", 429,
      "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\","
      "\"message\":\"wait\",\"details\":{\"error_code\":"
      "\"rate_limit_exceeded\"}}}" },
    { O, A, 404, "{\"detail\":\"Not Found\"}", 404,
      "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\","
      "\"message\":\"Not Found\",\"details\":{\"error_code\":"
      "\"model_not_found\"}}}" },
    { O, A, 400, "{\"object\":\"error\",\"message\":\"m\",\"code\":400}", 400,
      "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
      "\"message\":\"m\",\"details\":{\"error_code\":"
      "\"invalid_request_error\"}}}" },
    { O, A, 502, "<html><h1>Bad \"Gateway\"</h1></html>", 502,
      "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":"
      "\"the upstream answered 502\",\"details\":{\"error_code\":"
      "\"server_error\"}}}" },
    { O, A, 503, "no healthy upstream", 503,
      "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
      "\"message\":\"no healthy upstream\",\"details\":{\"error_code\":"
      "\"server_error\"}}}" },
    { A, O, 500, "", 500,
      "{\"error\":{\"message\":\"the upstream answered 500\",\"type\":"
      "\"server_error\",\"param\":null,\"code\":\"server_error\"}}" },
    { A, O, 302, "moved", 502,
      "{\"error\":{\"message\":\"the upstream answered 302\",\"type\":"
      "\"server_error\",\"param\":null,\"code\":\"upstream_error\"}}" },
    /* a good status, and yet */
    { A, O, 200, "{\"type\":\"error\",\"error\":{\"type\":"
      "\"overloaded_error\",\"message\":\"no\"}}", 503,
      "{\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"param\":null,"
      "\"code\":\"overloaded_error\"}}" },
    { O, A, 200, "{\"model\":\"m\"}", 502,
      "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":"
      "\"the upstream's answer has no choices\",\"details\":{"
      "\"error_code\":\"upstream_error\"}}}" },
    { A, O, 200, "{\"type\":\"message\",\"content\":[", 502,
      "{\"error\":{\"message\":\"the upstream's answer can't be read: JSON: "
      "the document is cut at byte 29\",\"type\":\"server_error\",\"param\":"
      "null,\"code\":\"upstream_error\"}}" }
};


static void
test_errors_take_the_clients_shape(void **state)
{
    tg_translator_ask_t  ask;

    (void) state;

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        ask = asked(errors[i].from, errors[i].to, false);
        ask.status = errors[i].status;
        translate_splits(&ask, errors[i].body, &out);
        assert_string_equal(out.text, errors[i].answer);
        assert_int_equal(out.status, errors[i].shown);
        assert_string_not_equal(out.error, "");
    }

    /* an error of HTTP is no stream, whatever was asked */

    ask.stream = true;
    ask.status = 500;
    translate_splits(&ask, "{}", &out);
    assert_int_equal(out.text[0], '{');
}


typedef struct {
    tg_form_t    from;
    tg_form_t    to;
    const char  *in;
    const char  *end;           /* of what comes out */
} stream_t;

#define O_ERROR(m, type, code)                                                \
    "data: {\"error\":{\"message\":\"" m "\",\"type\":\"" type "\",\"param\":" \
    "null,\"code\":\"" code "\"}}\n\n"
#define A_ERROR(m, type, code)                                                \
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"" type      \
    "\",\"message\":\"" m "\",\"details\":{\"error_code\":\"" code "\"}}}\n\n"
#define CANT  " of the upstream's answer can't be translated"
#define ENDED "the upstream's answer ended before it was complete"

static const stream_t  streams[] = {
    { A, O, A_START A_TEXT "event: error\ndata: {\"type\":\"error\",\"error\":"
      "{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n" A_STOP
      A_END, O_ERROR("Overloaded", "server_error", "overloaded_error") },
    { G, O, G_TEXT "data: {\"error\":{\"code\":503,\"message\":\"busy\","
      "\"status\":\"UNAVAILABLE\"}}\n\n" G_STOP,
      O_ERROR("busy", "server_error", "UNAVAILABLE") },
    { O, A, O_TEXT "data: {\"error\":{\"message\":\"gone\",\"type\":"
      "\"server_error\",\"code\":502}}\n\n" O_STOP O_END,
      A_ERROR("gone", "api_error", "server_error") },
    { O, A, "event: error\ndata: {\"message\":\"odd\"}\n\n" O_STOP O_END,
      A_ERROR("odd", "api_error", "server_error") },
    { O, A, O_TEXT "data: {\"choices\":[{\"error\":{\"message\":\"limit\","
      "\"code\":429},\"finish_reason\":\"error\"}]}\n\n",
      A_ERROR("limit", "rate_limit_error", "rate_limit_exceeded") },
    { O, A, O_TEXT "data: {\"choices\n\n" O_END,
      A_ERROR("the upstream's answer can't be read: JSON: the document is cut "
              "at byte 9", "api_error", "upstream_error") },
    { O, A, O_TEXT "data: 1\n\n" O_END,
      A_ERROR("the upstream's answer is not a JSON object", "api_error",
              "upstream_error") },
    { O, A, "data: [DONE]\n\n",
      A_ERROR("the upstream's answer has nothing in it", "api_error",
              "upstream_error") },
    /* cut off */
    { A, O, A_START A_TEXT, O_ERROR(ENDED, "server_error", "upstream_error") },
    { G, O, G_TEXT, O_ERROR(ENDED, "server_error", "upstream_error") },
    { O, A, O_TEXT, A_ERROR(ENDED, "api_error", "upstream_error") },
    { O, A, "", A_ERROR(ENDED, "api_error", "upstream_error") },
    /* what has no place in the other form */
    { A, O, A_START "data: {\"type\":\"content_block_start\",\"content_block\":"
      "{\"type\":\"container_upload\",\"file_id\":\"f\"}}\n\n",
      O_ERROR("content_block (container_upload)" CANT, "server_error",
              "upstream_error") },
    { G, O, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"inlineData\":"
      "{\"mimeType\":\"image/png\",\"data\":\"aW1n\"}}]}}]}\n\n",
      O_ERROR("candidates[0].content.parts[0].inlineData" CANT,
              "server_error", "upstream_error") },
    { O, A, "data: {\"choices\":[{\"delta\":{\"images\":[{\"image_url\":{"
      "\"url\":\"data:\"}}]}}]}\n\n",
      A_ERROR("choices[0].delta.images" CANT, "api_error", "upstream_error") },
    { O, A, "data: {\"choices\":[{\"delta\":{\"content\":[{\"type\":"
      "\"image_url\"}]}}]}\n\n",
      A_ERROR("choices[0].delta.content[0] (image_url)" CANT, "api_error",
              "upstream_error") },
    { O, A, "data: {\"choices\":[{\"index\":1,\"delta\":{}}]}\n\n",
      A_ERROR("the upstream's answer has a choice 1: more than 1 can't be "
              "translated", "api_error", "upstream_error") },
    { O, A, O_CALL("\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}")
      O_CALL("\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\"}")
      O_CALL("\"index\":0,\"function\":{\"arguments\":\"{}\"}"),
      A_ERROR("a tool call of the upstream's has no name, or goes on after "
              "another has begun", "api_error", "upstream_error") }
};


static void
test_streams_that_go_wrong_end_in_an_error_event(void **state)
{
    tg_translator_ask_t  ask;
    size_t               n;

    (void) state;

    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        ask = asked(streams[i].from, streams[i].to, true);
        translate_splits(&ask, streams[i].in, &out);
        n = strlen(streams[i].end);

        if (out.len < n || strcmp(out.text + out.len - n, streams[i].end)) {
            fail_msg("%zu: %s", i, out.text);
        }

        assert_int_equal(out.status, 200);
        assert_true(out.ok);
        assert_string_not_equal(out.error, "");
        assert_null(strstr(out.text, "[DONE]"));
        assert_null(strstr(out.text, "message_stop"));
    }
}


/* However much of a stream came, what looks complete is complete. */
static void
test_a_cut_stream_gets_no_end(void **state)
{
    static const stream_t  whole[] = {
        { A, O, A_START A_TEXT A_STOP A_END, A_STOP },
        { G, O, G_TEXT G_STOP, G_STOP },
        { O, A, O_TEXT O_STOP O_END, O_STOP }
    };

    tg_translator_ask_t  ask;
    size_t               stop;
    bool                 ended;

    (void) state;

    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        ask = asked(whole[i].from, whole[i].to, true);
        stop = (size_t) (strstr(whole[i].in, whole[i].end) - whole[i].in)
               + strlen(whole[i].end) - 2;      /* but for the blank line */

        for (size_t n = 0; n <= strlen(whole[i].in); n++) {
            translate(&ask, whole[i].in, n, (cut_t) { 0, 0 }, &out);
            ended = strstr(out.text, "[DONE]") != NULL
                    || strstr(out.text, "message_stop") != NULL;

            assert_true(out.ok);
            assert_true(ended || strstr(out.text, "\"error\"") != NULL);

            if (n < stop) {
                assert_false(ended);
            }
        }

        assert_true(ended);
    }
}


static void
test_each_event_goes_out_at_once(void **state)
{
#define A_MORE  "data: {\"type\":\"content_block_delta\",\"delta\":{"         \
                "\"type\":\"text_delta\",\"text\":\" you\"}}\n\n"

    static const char *const  events[] = { A_START, A_TEXT, A_MORE };

    tg_translator_ask_t   ask = asked(A, O, true);
    tg_arena_t           *arena = tg_arena_create(0);
    tg_translator_t      *t = tg_translator_create(tg_arena_mem(arena), &ask);
    size_t                before, n;

    (void) state;
    memset(&out, 0, sizeof(out));
    assert_false(tg_translator_whole(t));

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        n = strlen(events[i]);
        before = out.len;
        assert_int_equal(feed_apart(t, events[i], n - 1, &out), TG_OK);
        assert_int_equal(out.len, before);
        assert_int_equal(feed_apart(t, events[i] + n - 1, 1, &out), TG_OK);
        assert_true(out.len > before);
        assert_string_equal(out.text + out.len - 2, "\n\n");
    }

    tg_arena_destroy(arena);
}


static int
count_only(void *data, const char *p, size_t n)
{
    (void) p;
    *(size_t *) data += n;

    return 0;
}


/* As many events as it takes: what is held is of the largest, not of all. */
static void
test_memory_does_not_grow_with_the_stream(void **state)
{
    tg_translator_ask_t   ask = asked(O, A, true);
    tg_arena_t           *arena = tg_arena_create(0);
    tg_translator_t      *t = tg_translator_create(tg_arena_mem(arena), &ask);
    static const char     event[] = O_TEXT;
    size_t                used = 0, sent = 0, n = sizeof(event) - 1;

    (void) state;

    for (int i = 0; i < 50000; i++) {
        assert_int_equal(tg_translator_feed(t, event, n / 2, count_only,
                                            &sent), TG_OK);
        assert_int_equal(tg_translator_feed(t, event + n / 2, n - n / 2,
                                            count_only, &sent), TG_OK);

        if (i == 10) {
            used = tg_arena_used(arena);
        }
    }

    assert_true(sent > 50000 * 50);
    assert_int_equal(tg_arena_used(arena), used);
    assert_true(used < 32 * 1024);
    tg_arena_destroy(arena);
}


/* Fed in pieces of 64 KB, n bytes of one event (or of a whole answer). */
static void
feed_long(tg_translator_ask_t *ask, const char *before, size_t n)
{
    static char  piece[65536];

    tg_arena_t       *arena = tg_arena_create(0);
    tg_translator_t  *t = tg_translator_create(tg_arena_mem(arena), ask);

    memset(piece, 'x', sizeof(piece));
    memset(&out, 0, sizeof(out));
    assert_int_equal(tg_translator_feed(t, before, strlen(before), output_add,
                                        &out), TG_OK);

    for (size_t i = 0; i < n; i += sizeof(piece)) {
        assert_int_equal(tg_translator_feed(t, piece, sizeof(piece),
                                            output_add, &out), TG_OK);
    }

    assert_int_equal(tg_translator_end(t, output_add, &out), TG_OK);
    out.status = tg_translator_status(t);
    assert_true(tg_arena_used(arena) < 4 * TG_TRANSLATOR_WHOLE_MAX);
    tg_arena_destroy(arena);
}


static void
test_what_is_too_large_is_an_error(void **state)
{
    tg_translator_ask_t  ask = asked(O, A, true);

    (void) state;

    feed_long(&ask, O_TEXT "data: {\"x\":\"", TG_TRANSLATOR_EVENT_MAX);
    assert_non_null(strstr(out.text, "Hi"));
    assert_non_null(strstr(out.text, "an event of more than 1048576 bytes"));

    ask = asked(G, O, true);
    ask.content_type = tg_str("application/json");
    feed_long(&ask, "[{\"x\":\"", TG_TRANSLATOR_EVENT_MAX);
    assert_non_null(strstr(out.text, "an event of more than 1048576 bytes"));

    ask = asked(O, A, false);
    feed_long(&ask, "{\"x\":\"", TG_TRANSLATOR_WHOLE_MAX);
    assert_non_null(strstr(out.text, "has more than 33554432 bytes"));
    assert_int_equal(out.status, 502);

    ask.status = 500;
    feed_long(&ask, "{\"x\":\"", 2 * 1024 * 1024);
    assert_non_null(strstr(out.text, "the upstream answered 500"));
    assert_int_equal(out.status, 500);
}


static void
test_who_can_take_no_more_is_asked_no_more(void **state)
{
    tg_translator_ask_t   ask = asked(O, A, true);
    tg_arena_t           *arena = tg_arena_create(0);
    tg_translator_t      *t = tg_translator_create(tg_arena_mem(arena), &ask);

    (void) state;
    memset(&out, 0, sizeof(out));
    out.fail = 2;

    assert_int_equal(feed_apart(t, O_TEXT, strlen(O_TEXT), &out), TG_OK);
    assert_int_equal(feed_apart(t, O_TEXT O_STOP, strlen(O_TEXT O_STOP), &out),
                     TG_ERROR);
    assert_int_equal(feed_apart(t, O_END, strlen(O_END), &out), TG_ERROR);
    assert_int_equal(tg_translator_end(t, output_add, &out), TG_ERROR);
    assert_int_equal(out.calls, 2);
    tg_arena_destroy(arena);
}


/* Each amount of memory, up to what is enough. */
static void
test_exhaustion_is_an_error(void **state)
{
    static const stream_t  whole[] = {
        { A, O, A_START A_TEXT A_STOP A_END, NULL },
        { G, O, "[{\"candidates\":[{\"finishReason\":\"STOP\",\"content\":{"
          "\"parts\":[{\"functionCall\":{\"name\":\"f\"}}]}}]}]", NULL },
        { O, A, O_TEXT O_STOP O_END, NULL },
        { O, A, "{\"choices\":[{\"message\":{\"content\":\"Hi\"}}]}", NULL }
    };

    tg_translator_ask_t   ask;
    tg_arena_t           *arena;
    tg_translator_t      *t;
    int                   rc = TG_ERROR;

    (void) state;

    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        ask = asked(whole[i].from, whole[i].to, i != 3);
        ask.content_type = tg_str("");

        for (size_t limit = 512; limit < 65536; limit += 256) {
            arena = tg_arena_create(limit);
            t = arena == NULL
                ? NULL : tg_translator_create(tg_arena_mem(arena), &ask);
            memset(&out, 0, sizeof(out));

            if (t != NULL) {
                rc = feed_apart(t, whole[i].in, strlen(whole[i].in), &out);
                if (rc == TG_OK) {
                    rc = tg_translator_end(t, output_add, &out);
                }

                /* either all of it, or it's known that it isn't */

                assert_true(rc == TG_ERROR
                            || strstr(out.text, "error") != NULL
                            || strstr(out.text, "[DONE]") != NULL
                            || strstr(out.text, "message_stop") != NULL
                            || strstr(out.text, "end_turn") != NULL);
            }

            tg_arena_destroy(arena);
        }

        assert_int_equal(rc, TG_OK);
        assert_null(strstr(out.text, "error"));
    }
}


static void
test_only_pairs_that_can_be(void **state)
{
    tg_arena_t           *arena = tg_arena_create(0);
    tg_translator_ask_t   ask = asked(G, A, true);

    (void) state;
    assert_null(tg_translator_create(tg_arena_mem(arena), &ask));

    ask = asked(TG_FORM_NONE, O, true);
    assert_null(tg_translator_create(tg_arena_mem(arena), &ask));
    tg_arena_destroy(arena);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_errors_take_the_clients_shape),
        cmocka_unit_test(test_streams_that_go_wrong_end_in_an_error_event),
        cmocka_unit_test(test_a_cut_stream_gets_no_end),
        cmocka_unit_test(test_each_event_goes_out_at_once),
        cmocka_unit_test(test_memory_does_not_grow_with_the_stream),
        cmocka_unit_test(test_what_is_too_large_is_an_error),
        cmocka_unit_test(test_who_can_take_no_more_is_asked_no_more),
        cmocka_unit_test(test_exhaustion_is_an_error),
        cmocka_unit_test(test_only_pairs_that_can_be)
    };

    return cmocka_run_group_tests(tests, setup_dialects, NULL);
}
