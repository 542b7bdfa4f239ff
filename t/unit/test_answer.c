#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tg_answer.h"
#include "tg_usage_read.h"

#define SSE  "text/event-stream"
#define JSON "application/json"

static tg_arena_t         *arena;
static tg_arena_t         *call;
static tg_request_info_t   asked;


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;

    arena = tg_arena_create(0);
    asked.text_bytes = 40;

    return tg_dialect_setup(tg_arena_mem(arena), &err);
}


static int
teardown(void **state)
{
    (void) state;

    tg_arena_destroy(call);
    tg_arena_destroy(arena);

    return 0;
}


static tg_answer_t *
start(const char *path, const char *host, unsigned status, const char *type)
{
    tg_dialect_t  d;

    tg_arena_destroy(call);
    call = tg_arena_create(0);

    tg_dialect_recognise(&d, tg_arena_mem(call),
                         strncmp(path, "GET ", 4) ? tg_str("POST")
                                                  : tg_str("GET"),
                         tg_strz(strncmp(path, "GET ", 4) ? path : path + 4),
                         tg_str(""), tg_strz(host), NULL);

    return tg_answer_create(tg_arena_mem(call), &d, &asked, status,
                            tg_strz(type));
}


static const tg_answer_info_t *
end(tg_answer_t *a, const char *body, size_t len, size_t chunk)
{
    size_t  n;

    for (size_t i = 0; i < len; i += n) {
        n = len - i < chunk ? len - i : chunk;
        tg_answer_feed(a, body + i, n);
    }

    tg_answer_finish(a);
    tg_answer_finish(a);

    return tg_answer_info(a);
}


static void
same(const tg_answer_info_t *a, const tg_answer_info_t *b)
{
    tg_usage_t  u = a->usage, v = b->usage;

    assert_true(tg_str_eq(a->model, b->model));
    assert_true(tg_str_eq(a->error_type, b->error_type));
    assert_int_equal(a->nfinish, b->nfinish);
    assert_int_equal(a->stream, b->stream);
    assert_int_equal(a->complete, b->complete);
    assert_int_equal(a->error, b->error);
    assert_int_equal(a->text_bytes, b->text_bytes);
    assert_int_equal(a->tool_calls, b->tool_calls);
    assert_int_equal(a->events, b->events);

    u.extra = v.extra = NULL;
    assert_memory_equal(&u, &v, sizeof(u));
}


/* At every way to cut it in two, and byte by byte; the last is returned. */
static const tg_answer_info_t *
answer(const char *path, const char *host, const char *type, const char *body)
{
    tg_answer_info_t         whole;
    const tg_answer_info_t  *a = NULL;
    tg_arena_t              *keep;
    tg_answer_t             *s;
    size_t                   len = strlen(body);

    whole = *end(start(path, host, 200, type), body, len, SIZE_MAX);
    keep = call;
    call = NULL;

    for (size_t cut = 1; cut < len; cut++) {
        s = start(path, host, 200, type);
        tg_answer_feed(s, body, cut);
        tg_answer_feed(s, body + cut, len - cut);
        tg_answer_finish(s);
        same(&whole, tg_answer_info(s));
    }

    a = end(start(path, host, 200, type), body, len, 1);
    same(&whole, a);
    tg_arena_destroy(keep);

    return a;
}


static void
assert_text(tg_str_t is, const char *should)
{
    if (!tg_str_eq(is, tg_strz(should))) {
        fail_msg("\"%.*s\" is not \"%s\"", (int) is.len, is.len ? is.p : "",
                 should);
    }
}


static void
assert_tokens(const tg_answer_info_t *a, tg_usage_source_t source,
    int64_t in, int64_t out)
{
    assert_int_equal(a->usage.source, source);
    assert_int_equal(a->usage.input, in);
    assert_int_equal(a->usage.output, out);
}


#define CHAT  "/v1/chat/completions"

static void
test_openai_chat(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer(CHAT, "api.openai.com", JSON,
        "{\"id\":\"c1\",\"model\":\"gpt-4o-2024\",\"choices\":[{\"message\":{"
        "\"content\":\"hello\"},\"finish_reason\":\"stop\"},{\"message\":{"
        "\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]"
        "},\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":20,"
        "\"completion_tokens\":9,\"total_tokens\":29,\"prompt_tokens_details\":"
        "{\"cached_tokens\":8,\"audio_tokens\":3},\"completion_tokens_details\""
        ":{\"reasoning_tokens\":4,\"audio_tokens\":2}},\"service_tier\":"
        "\"default\"}\n");

    assert_tokens(a, TG_USAGE_REPORTED, 20, 9);
    assert_int_equal(a->usage.cache_read, 8);
    assert_int_equal(a->usage.audio_input, 3);
    assert_int_equal(a->usage.reasoning, 4);
    assert_int_equal(a->usage.audio_output, 2);
    assert_text(a->model, "gpt-4o-2024");
    assert_text(a->id, "c1");
    assert_text(a->service_tier, "default");
    assert_int_equal(a->nfinish, 2);
    assert_text(a->finish[1], "tool_calls");
    assert_int_equal(a->tool_calls, 1);
    assert_true(a->complete && !a->stream && !a->error);
}


static void
test_usage_in_the_last_chunk_counts(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer(CHAT, "api.openai.com", SSE,
        ": comment\r\n\r\n"
        "data: {\"model\":\"\",\"choices\":[]}\r\n\r\n"
        "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"hi\"}}]"
        ",\"usage\":null}\r\n\r\n"
        "data: {\"model\":\"m\",\"choices\":[{\"delta\":{},\"finish_reason\":"
        "\"stop\"}],\"usage\":null}\r\n\r\n"
        "data: {\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,"
        "\"completion_tokens\":1}}\r\n\r\n"
        "data: [DONE]\r\n\r\n");

    assert_tokens(a, TG_USAGE_REPORTED, 7, 1);
    assert_true(a->stream && a->complete);
    assert_int_equal(a->events, 5);
    assert_int_equal(a->text_bytes, 2);
}


static void
test_an_unterminated_last_event_counts(void **state)
{
    (void) state;

    assert_tokens(answer(CHAT, "", SSE, "data: {\"choices\":[],\"usage\":{"
                         "\"prompt_tokens\":7,\"completion_tokens\":1}}"),
                  TG_USAGE_REPORTED, 7, 1);
}


static void
test_a_stream_without_usage_is_estimated(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer(CHAT, "api.openai.com", SSE,
        "data: {\"choices\":[{\"delta\":{\"content\":\"0123456789\"}}]}\n\n"
        "data: [DONE]\n\n");

    assert_tokens(a, TG_USAGE_ESTIMATED, 10, 3);

    a = answer(CHAT, "api.openai.com", SSE,
        "data: {\"choices\":[{\"delta\":{\"content\":\"1\"}}]}\n\ndata: {\"ch");
    assert_tokens(a, TG_USAGE_ESTIMATED, 10, 1);
    assert_false(a->complete);
}


static void
test_a_broken_event_does_not_stop_the_reading(void **state)
{
    (void) state;

    assert_tokens(answer(CHAT, "", SSE, "data: {\"usage\":{,}\n\n"
                         "data: {\"usage\":\ndata: {}}\n\n"
                         "data: hello\n\ndata: [1,2]\n\n"
                         "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":"
                         "7,\n\ndata: {\"usage\":{\"prompt_tokens\":5,"
                         "\"completion_tokens\":2}}\n\n"),
                  TG_USAGE_REPORTED, 5, 2);
}


static void
test_bytes_that_are_no_text_do_not_lose_the_usage(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer(CHAT, "", JSON,
        "{\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"half "
        "\xe2\x82\"},\"finish_reason\":\"stop\"},{\"message\":{\"content\":\""
        "\xff\t\xc3(\x01 and quite some more text to go on with, plain as it is"
        "\xf0\x9f\"}}],\"\xed\xa0\x80\":1,\"usage\":{\"prompt_tokens\":7,"
        "\"completion_tokens\":3}}");
    assert_tokens(a, TG_USAGE_REPORTED, 7, 3);
    assert_text(a->finish[0], "stop");
    assert_int_equal(a->nfinish, 1);

    a = answer(CHAT, "", SSE,
        "data: {\"choices\":[{\"delta\":{\"content\":\"\xe2\x82\"}}],"
        "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n"
        "data: [DONE]\n\n");
    assert_tokens(a, TG_USAGE_REPORTED, 7, 3);

    /* but what is no JSON for another reason is none */

    a = answer(CHAT, "", JSON,
               "{\"a\":\"\xe2\\x\",\"usage\":{\"prompt_tokens\":7}}");
    assert_int_equal(a->usage.source, TG_USAGE_ESTIMATED);
}


static void
test_a_usage_that_came_whole_counts_though_the_rest_is_cut(void **state)
{
    static const struct {
        const char  *path;
        const char  *type;
        const char  *body;      /* told where it ends, not before */
    } cut[] = {
        { CHAT, JSON, "{\"choices\":[{\"message\":{\"content\":\"hello\"}}],"
                      "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,"
                      "\"prompt_tokens_details\":{\"cached_tokens\":1}}" },
        { CHAT, SSE, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,"
                     "\"completion_tokens\":3,\"prompt_tokens_details\":{"
                     "\"cached_tokens\":1}}" },
        { "/v1/messages", JSON, "{\"content\":[{\"type\":\"text\",\"text\":\"\"}]"
                                ",\"usage\":{\"input_tokens\":6,"
                                "\"cache_read_input_tokens\":1,"
                                "\"output_tokens\":3}" }
    };

    char                     body[256];
    const tg_answer_info_t  *a;

    (void) state;

    for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        a = answer(cut[i].path, "", cut[i].type, cut[i].body);
        assert_tokens(a, TG_USAGE_REPORTED, 7, 3);
        assert_int_equal(a->usage.cache_read, 1);
        assert_true(a->cut);

        (void) snprintf(body, sizeof(body), "%.*s",
                        (int) strlen(cut[i].body) - 1, cut[i].body);
        a = answer(cut[i].path, "", cut[i].type, body);
        assert_int_equal(a->usage.source, TG_USAGE_ESTIMATED);
    }
}


static void
test_a_usage_of_zeros_takes_nothing_back(void **state)
{
    (void) state;

    assert_tokens(answer(CHAT, "", SSE,
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":0,"
        "\"completion_tokens\":0,\"total_tokens\":0}}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,"
        "\"completion_tokens\":4,\"total_tokens\":13}}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":0,"
        "\"completion_tokens\":0,\"total_tokens\":0}}\n\ndata: [DONE]\n\n"),
                  TG_USAGE_REPORTED, 9, 4);

    assert_tokens(answer(CHAT, "", JSON,
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":0,"
        "\"completion_tokens\":0}}"), TG_USAGE_REPORTED, 0, 0);
}


static void
test_usage_in_a_choice_counts(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer(CHAT, "api.moonshot.ai", SSE,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
        "\"stop\",\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":13,"
        "\"total_tokens\":32,\"cached_tokens\":8}}]}\n\ndata: [DONE]\n\n");

    assert_tokens(a, TG_USAGE_REPORTED, 19, 13);
    assert_int_equal(a->usage.cache_read, 8);
    assert_false(a->cut);
}


static void
test_cumulative_usage_is_replaced_not_added(void **state)
{
    (void) state;

    assert_tokens(answer(CHAT, "api.perplexity.ai", SSE,
        "data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n"
        "data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":9}}\n\n"),
        TG_USAGE_REPORTED, 5, 9);

    assert_tokens(answer("/openai/v1/chat/completions", "api.groq.com", SSE,
        "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"x_groq\":{"
        "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":9}},\"usage\":{"
        "\"prompt_tokens\":5,\"completion_tokens\":9}}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,"
        "\"completion_tokens\":9}}\n\n"), TG_USAGE_REPORTED, 5, 9);
}


#define USAGE(more)                                                           \
    "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":4," more "}}"
#define REASON                                                                \
    "\"completion_tokens_details\":{\"reasoning_tokens\":6}"

static void
test_who_leaves_reasoning_or_audio_out(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer(CHAT, "api.x.ai", JSON, USAGE(REASON
               ",\"total_tokens\":20,\"cost_in_usd_ticks\":1234567"));
    assert_tokens(a, TG_USAGE_REPORTED, 10, 10);
    assert_int_equal(a->usage.reasoning, 6);
    assert_int_equal(a->usage.provider_cost, 123457);

    assert_tokens(answer(CHAT, "ai-gateway.vercel.sh", JSON,
                         USAGE(REASON ",\"total_tokens\":14")),
                  TG_USAGE_REPORTED, 10, 10);

    assert_tokens(answer("/api/v1" CHAT, "openrouter.ai", JSON,
                         USAGE(REASON ",\"total_tokens\":14")),
                  TG_USAGE_REPORTED, 10, 4);

    assert_tokens(answer("/v1beta/openai/chat/completions",
                         "generativelanguage.googleapis.com", JSON,
                         USAGE("\"total_tokens\":64")),
                  TG_USAGE_REPORTED, 10, 54);

    a = answer(CHAT, "api.mistral.ai", JSON,
               USAGE("\"prompt_tokens_details\":{\"audio_tokens\":30}"));
    assert_tokens(a, TG_USAGE_REPORTED, 40, 4);
    assert_int_equal(a->usage.audio_input, 30);

    /* the same behind a host that nobody knows: told by the total */

    assert_tokens(answer(CHAT, "10.0.0.1", JSON,
                         USAGE(REASON ",\"total_tokens\":20")),
                  TG_USAGE_REPORTED, 10, 10);
    assert_tokens(answer(CHAT, "10.0.0.1", JSON,
                         USAGE(REASON ",\"total_tokens\":14")),
                  TG_USAGE_REPORTED, 10, 4);
    assert_tokens(answer(CHAT, "10.0.0.1", JSON,
                         USAGE("\"total_tokens\":44,\"prompt_tokens_details\":"
                               "{\"audio_tokens\":30}")),
                  TG_USAGE_REPORTED, 40, 4);

    /* xAI's responses have it inside */

    a = answer("/v1/responses", "api.x.ai", JSON,
               "{\"usage\":{\"input_tokens\":3,\"output_tokens\":8,"
               "\"output_tokens_details\":{\"reasoning_tokens\":6}}}");
    assert_tokens(a, TG_USAGE_REPORTED, 3, 8);
}


static void
test_cost_as_the_provider_says(void **state)
{
    (void) state;

    assert_int_equal(answer(CHAT, "openrouter.ai", JSON,
                            USAGE("\"cost\":3.4e-7"))->usage.provider_cost,
                     340);
    assert_int_equal(answer(CHAT, "api.perplexity.ai", JSON,
                            USAGE("\"cost\":{\"total_cost\":0.005}"))
                     ->usage.provider_cost, 5000000);
    assert_int_equal(answer(CHAT, "", JSON, USAGE("\"x\":1"))
                     ->usage.provider_cost, -1);
}


static void
test_responses_stream(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer("/v1/responses", "api.openai.com", SSE,
        "event: response.created\n"
        "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\","
        "\"status\":\"in_progress\",\"model\":\"m\",\"service_tier\":\"auto\","
        "\"tool_usage\":{\"web_search\":{\"num_requests\":0}},\"usage\":null,"
        "\"error\":null,\"incomplete_details\":null}}\n\n"
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"abcd\"}\n\n"
        "data: {\"type\":\"response.incomplete\",\"response\":{\"id\":\"r\","
        "\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":"
        "\"max_output_tokens\"},\"service_tier\":\"default\",\"output\":[{"
        "\"type\":\"function_call\"}],\"tool_usage\":{\"web_search\":{"
        "\"num_requests\":2}},\"usage\":{\"input_tokens\":30,"
        "\"input_tokens_details\":{\"cached_tokens\":10,\"cache_write_tokens\""
        ":5},\"output_tokens\":6,\"output_tokens_details\":{"
        "\"reasoning_tokens\":2}}}}\n\n");

    assert_tokens(a, TG_USAGE_REPORTED, 30, 6);
    assert_int_equal(a->usage.cache_read, 10);
    assert_int_equal(a->usage.cache_write, 5);
    assert_int_equal(a->usage.web_searches, 2);
    assert_int_equal(a->nfinish, 1);
    assert_text(a->finish[0], "incomplete:max_output_tokens");
    assert_text(a->service_tier, "default");
    assert_int_equal(a->tool_calls, 1);
    assert_true(a->complete);

    a = answer("/v1/responses", "api.openai.com", SSE,
        "data: {\"type\":\"response.in_progress\",\"response\":{\"id\":\"r\","
        "\"status\":\"in_progress\",\"usage\":null}}\n\n"
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"abcd\"}\n"
        "\n");

    assert_int_equal(a->usage.source, TG_USAGE_ESTIMATED);
    assert_false(a->complete);
}


static void
test_a_background_answer_is_neither_reported_nor_estimated(void **state)
{
    (void) state;

    assert_tokens(answer("/v1/responses", "api.openai.com", JSON,
                         "{\"status\":\"queued\",\"usage\":null,\"error\":"
                         "null}"),
                  TG_USAGE_NONE, 0, 0);
    assert_tokens(answer("GET /v1/responses/r1", "api.openai.com", JSON,
                         "{\"status\":\"completed\",\"usage\":{"
                         "\"input_tokens\":5,\"output_tokens\":6}}"),
                  TG_USAGE_REPORTED, 5, 6);
}


#define MESSAGES  "/v1/messages"

static void
test_anthropic_input_includes_the_cache_once_read(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer(MESSAGES, "api.anthropic.com", JSON,
        "{\"type\":\"message\",\"model\":\"claude\",\"stop_reason\":"
        "\"tool_use\",\"content\":[{\"type\":\"tool_use\"},{\"type\":\"text\","
        "\"text\":\"abc\"}],\"usage\":{\"input_tokens\":4,"
        "\"cache_creation_input_tokens\":100,\"cache_read_input_tokens\":50,"
        "\"cache_creation\":{\"ephemeral_5m_input_tokens\":60,"
        "\"ephemeral_1h_input_tokens\":40},\"output_tokens\":9,"
        "\"output_tokens_details\":{\"thinking_tokens\":3},\"service_tier\":"
        "\"standard\",\"server_tool_use\":{\"web_search_requests\":2,"
        "\"web_fetch_requests\":1},\"iterations\":[{\"type\":\"compaction\","
        "\"input_tokens\":100,\"cache_read_input_tokens\":900,"
        "\"output_tokens\":7},{\"type\":\"message\",\"input_tokens\":4},"
        "{\"type\":\"advisor_message\",\"model\":\"claude-big\","
        "\"input_tokens\":5,\"output_tokens\":6}]}}");

    assert_tokens(a, TG_USAGE_REPORTED, 154, 9);
    assert_int_equal(a->usage.cache_read, 50);
    assert_int_equal(a->usage.cache_write, 100);
    assert_int_equal(a->usage.cache_write_5m, 60);
    assert_int_equal(a->usage.cache_write_1h, 40);
    assert_int_equal(a->usage.reasoning, 3);
    assert_int_equal(a->usage.web_searches, 2);
    assert_int_equal(a->usage.web_fetches, 1);
    assert_int_equal(a->tool_calls, 1);
    assert_text(a->service_tier, "standard");

    assert_non_null(a->usage.extra);
    assert_text(a->usage.extra->type, "compaction");
    assert_text(a->usage.extra->model, "");
    assert_int_equal(a->usage.extra->input, 1000);
    assert_int_equal(a->usage.extra->cache_read, 900);
    assert_non_null(a->usage.extra->next);
    assert_text(a->usage.extra->next->model, "claude-big");
    assert_int_equal(a->usage.extra->next->output, 6);
    assert_null(a->usage.extra->next->next);
}


#define MESSAGE_START                                                         \
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"  \
    "\"id\":\"m1\",\"model\":\"claude\",\"usage\":{\"input_tokens\":10,"     \
    "\"cache_creation_input_tokens\":500,\"cache_read_input_tokens\":70,"    \
    "\"cache_creation\":{\"ephemeral_5m_input_tokens\":500,"                 \
    "\"ephemeral_1h_input_tokens\":0},\"output_tokens\":1}}}\n\n"            \
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","   \
    "\"delta\":{\"type\":\"text_delta\",\"text\":\"0123456789abcdef\"}}\n\n"

static void
test_anthropic_delta_overrides_the_start(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer(MESSAGES, "api.anthropic.com", SSE, MESSAGE_START
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"
        "\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":12}}\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");

    assert_tokens(a, TG_USAGE_REPORTED, 580, 12);
    assert_int_equal(a->usage.cache_write_5m, 500);
    assert_true(a->complete);

    /* after a compaction the cache counts shrink */

    a = answer(MESSAGES, "api.anthropic.com", SSE, MESSAGE_START
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{"
        "\"input_tokens\":33,\"cache_read_input_tokens\":0,"
        "\"cache_creation_input_tokens\":0,\"output_tokens\":12}}\n\n");

    assert_tokens(a, TG_USAGE_REPORTED, 33, 12);
    assert_int_equal(a->usage.cache_read, 0);
    assert_int_equal(a->usage.cache_write, 0);
    assert_int_equal(a->usage.cache_write_5m, 0);
}


static void
test_anthropic_stream_cut_behind_its_start_is_flagged(void **state)
{
    const tg_answer_info_t  *a = answer(MESSAGES, "", SSE, MESSAGE_START);

    (void) state;

    assert_tokens(a, TG_USAGE_ESTIMATED, 580, 4);
    assert_false(a->complete);
}


#define GEMINI  "/v1beta/models/gemini-2.5-pro:streamGenerateContent"

static void
test_gemini_last_usage_wins_in_all_its_framings(void **state)
{
    static const char  first[] =
        "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"ab\"}]}}],"
        "\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":"
        "50,\"totalTokenCount\":59}}";

    static const char  last[] =
        "{\"candidates\":[{\"finishReason\":\"STOP\",\"content\":{\"parts\":[{"
        "\"functionCall\":{\"name\":\"f\"}}]}}],\"modelVersion\":\"gemini\","
        "\"usageMetadata\":{\"promptTokenCount\":10,\"totalTokenCount\":37,"
        "\"cachedContentTokenCount\":4,\"thoughtsTokenCount\":20,"
        "\"toolUsePromptTokenCount\":7,\"promptTokensDetails\":[{\"modality\":"
        "\"TEXT\",\"tokenCount\":6},{\"tokenCount\":4,\"modality\":\"AUDIO\"}]"
        ",\"trafficType\":\"ON_DEMAND\"}}";

    const tg_answer_info_t  *a;
    char                     body[2048];

    (void) state;

    for (int framing = 0; framing < 3; framing++) {
        snprintf(body, sizeof(body),
                 framing == 0 ? "data: %s\r\n\r\ndata: %s\r\n\r\n"
                 : framing == 1 ? "[%s\n,\r\n%s\n]\n" : "%s\n%s\n",
                 first, last);

        a = answer(GEMINI, "", framing == 0 ? SSE : JSON, body);

        assert_tokens(a, TG_USAGE_REPORTED, 17, 20);
        assert_int_equal(a->usage.cache_read, 4);
        assert_int_equal(a->usage.reasoning, 20);
        assert_int_equal(a->usage.audio_input, 4);
        assert_int_equal(a->tool_calls, 1);
        assert_text(a->service_tier, "ON_DEMAND");
        assert_text(a->finish[0], "STOP");
        assert_int_equal(a->stream, framing < 2);
    }
}


static void
test_gemini_enums_as_numbers(void **state)
{
    const tg_answer_info_t  *a = answer("/v1beta/models/m:generateContent", "",
        JSON, "{\"candidates\":[{\"finishReason\":1}],\"usageMetadata\":{"
        "\"promptTokenCount\":5,\"candidatesTokenCount\":7,"
        "\"candidatesTokensDetails\":[{\"modality\":2,\"tokenCount\":6}]}}");

    (void) state;

    assert_tokens(a, TG_USAGE_REPORTED, 5, 7);
    assert_int_equal(a->usage.image_output, 6);
    assert_text(a->finish[0], "1");
}


static void
test_a_refused_prompt_costs_nothing(void **state)
{
    const tg_answer_info_t  *a = answer("/v1beta/models/m:generateContent", "",
        JSON, "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},"
        "\"usageMetadata\":{\"trafficType\":\"ON_DEMAND\"}}");

    (void) state;

    assert_tokens(a, TG_USAGE_NONE, 0, 0);
    assert_text(a->finish[0], "PROMPT_SAFETY");
}


static void
test_ollama_lines(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    asked.stream = true;
    a = answer("/api/chat", "localhost:11434", "application/x-ndjson",
        "{\"model\":\"llama\",\"message\":{\"content\":\"a\"},\"done\":false}\n"
        "{\"broken\n"
        "{\"model\":\"llama\",\"message\":{\"content\":\"\"},\"done\":true,"
        "\"done_reason\":\"stop\",\"prompt_eval_count\":5,\"eval_count\":3}\n");
    asked.stream = false;

    assert_tokens(a, TG_USAGE_REPORTED, 5, 3);
    assert_true(a->stream && a->complete);
    assert_text(a->finish[0], "stop");
}


static void
test_cohere_bills_what_it_says(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer("/v2/chat", "api.cohere.com", SSE,
        "event: content-delta\ndata: {\"type\":\"content-delta\",\"delta\":{"
        "\"message\":{\"content\":{\"text\":\"x\"}}}}\n\n"
        "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{"
        "\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{"
        "\"input_tokens\":7,\"output_tokens\":2},\"tokens\":{\"input_tokens\":"
        "90,\"output_tokens\":3},\"cached_tokens\":64}}}\n\n");

    assert_tokens(a, TG_USAGE_REPORTED, 90, 3);
    assert_int_equal(a->usage.billed_input, 7);
    assert_int_equal(a->usage.billed_output, 2);
    assert_int_equal(a->usage.cache_read, 64);
    assert_true(a->complete);

    a = answer("/v2/rerank", "api.cohere.com", JSON,
               "{\"meta\":{\"billed_units\":{\"search_units\":3}}}");
    assert_tokens(a, TG_USAGE_REPORTED, 0, 0);
    assert_int_equal(a->usage.search_units, 3);
    assert_int_equal(a->usage.billed_input, -1);

    a = answer("/v1/chat", "api.cohere.com", "application/stream+json",
        "{\"event_type\":\"text-generation\",\"text\":\"x\"}\n"
        "{\"is_finished\":true,\"event_type\":\"stream-end\",\"response\":{"
        "\"finish_reason\":\"COMPLETE\",\"meta\":{\"billed_units\":{"
        "\"input_tokens\":4,\"output_tokens\":5}}}}\n");
    assert_tokens(a, TG_USAGE_REPORTED, 4, 5);
    assert_true(a->stream && a->complete);
}


static void
test_bedrock_headers_count_where_the_body_is_silent(void **state)
{
    static const char        body[] = "{\"outputs\":[{\"text\":\"x\","
                                      "\"stop_reason\":\"length\"}]}";
    const tg_answer_info_t  *a;
    tg_answer_t             *s;

    (void) state;

    s = start("/model/mistral.m/invoke", "", 200, JSON);
    tg_answer_header(s, tg_str("X-Amzn-Bedrock-Input-Token-Count"),
                     tg_str("6"));
    tg_answer_header(s, tg_str("x-amzn-bedrock-output-token-count"),
                     tg_str("10"));
    tg_answer_header(s, tg_str("x-amzn-bedrock-cache-read-input-token-count"),
                     tg_str("100"));
    tg_answer_header(s, tg_str("content-length"), tg_str("7"));
    a = end(s, body, sizeof(body) - 1, 5);
    assert_tokens(a, TG_USAGE_REPORTED, 106, 10);
    assert_int_equal(a->usage.cache_read, 100);
    assert_text(a->finish[0], "length");

    /* each model's own body comes first */

    assert_tokens(answer("/model/amazon.nova/invoke", "", JSON,
        "{\"usage\":{\"inputTokens\":5,\"outputTokens\":6,"
        "\"cacheReadInputTokenCount\":10}}"), TG_USAGE_REPORTED, 15, 6);
    assert_tokens(answer("/model/openai.gpt-oss/invoke", "", JSON,
        "{\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":6,"
        "\"prompt_tokens_details\":{\"cached_tokens\":10}}}"),
        TG_USAGE_REPORTED, 50, 6);
    assert_tokens(answer("/model/amazon.titan/invoke", "", JSON,
        "{\"inputTextTokenCount\":3,\"results\":[{\"tokenCount\":4},"
        "{\"tokenCount\":5}]}"), TG_USAGE_REPORTED, 3, 9);
    assert_tokens(answer("/model/m/converse", "", JSON,
        "{\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":5,"
        "\"outputTokens\":6,\"cacheWriteInputTokens\":20,\"cacheDetails\":[{"
        "\"ttl\":\"1h\",\"inputTokens\":15}]}}"), TG_USAGE_REPORTED, 25, 6);
}


static void
test_bedrock_errors(void **state)
{
    static const char        body[] = "{\"message\":\"no\"}";
    const tg_answer_info_t  *a;
    tg_answer_t             *s = start("/model/m/converse", "", 400, JSON);

    (void) state;

    tg_answer_header(s, tg_str("x-amzn-ErrorType"),
                     tg_str("ValidationException:http://internal/"));
    a = end(s, body, sizeof(body) - 1, 3);
    assert_true(a->error);
    assert_text(a->error_type, "ValidationException");
    assert_int_equal(a->usage.source, TG_USAGE_NONE);
}


static void
test_a_count_of_tokens_is_what_was_answered(void **state)
{
    (void) state;

    assert_tokens(answer("/v1/messages/count_tokens", "", JSON,
                         "{\"input_tokens\":99}"), TG_USAGE_REPORTED, 99, 0);
    assert_tokens(answer("/v1beta/models/m:countTokens", "", JSON,
                         "{\"totalTokens\":99}"), TG_USAGE_REPORTED, 99, 0);
    assert_tokens(answer("/model/m/count-tokens", "", JSON,
                         "{\"inputTokens\":99}"), TG_USAGE_REPORTED, 99, 0);
}


static void
test_batch_results_are_summed(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer("GET /v1/files/f/content", "api.openai.com",
        "application/octet-stream",
        "{\"response\":{\"body\":{\"model\":\"m\",\"usage\":{"
        "\"prompt_tokens\":5,\"completion_tokens\":1}}}}\n"
        "{\"response\":{\"body\":{\"usage\":{\"input_tokens\":6,"
        "\"output_tokens\":2}}}}\n");
    assert_tokens(a, TG_USAGE_REPORTED, 11, 3);
    assert_false(a->stream);

    a = answer("GET /v1/messages/batches/b/results", "", "application/x-jsonl",
        "{\"result\":{\"message\":{\"usage\":{\"input_tokens\":5,"
        "\"cache_read_input_tokens\":10,\"output_tokens\":1}}}}\n"
        "{\"result\":{\"message\":{\"usage\":{\"input_tokens\":7,"
        "\"output_tokens\":2}}}}\n");
    assert_tokens(a, TG_USAGE_REPORTED, 22, 3);
    assert_int_equal(a->usage.cache_read, 10);

    a = answer("GET /v1/batches/b/results", "api.x.ai", JSON,
        "{\"results\":[{\"batch_result\":{\"response\":{"
        "\"chat_get_completion\":{\"usage\":{\"prompt_tokens\":5,"
        "\"completion_tokens\":1,\"completion_tokens_details\":{"
        "\"reasoning_tokens\":30}}}}}},{\"batch_result\":{\"response\":{"
        "\"chat_get_completion\":{\"usage\":{\"prompt_tokens\":6,"
        "\"completion_tokens\":2}}}}}]}");
    assert_tokens(a, TG_USAGE_REPORTED, 11, 33);
}


static void
test_things_billed_by_other_units(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer("/v1/audio/transcriptions", "api.openai.com", JSON,
               "{\"text\":\"x\",\"duration\":5.4,\"usage\":{\"type\":"
               "\"duration\",\"seconds\":6}}");
    assert_int_equal(a->usage.duration_ms, 6000);

    a = answer("/v1/audio/transcriptions", "api.venice.ai", JSON,
               "{\"text\":\"x\",\"duration\":5.495999813079834}");
    assert_int_equal(a->usage.duration_ms, 5496);

    a = answer("/v1/audio/transcriptions", "api.openai.com", JSON,
               "{\"duration\":3.7,\"usage\":{\"input_tokens\":37,"
               "\"input_token_details\":{\"audio_tokens\":37},"
               "\"output_tokens\":12}}");
    assert_tokens(a, TG_USAGE_REPORTED, 37, 12);
    assert_int_equal(a->usage.duration_ms, 0);
    assert_int_equal(a->usage.audio_input, 37);

    a = answer("/v1/images/generations", "api.openai.com", JSON,
               "{\"data\":[{\"url\":\"a\"},{\"url\":\"b\"}]}");
    assert_int_equal(a->usage.images, 2);
    assert_int_equal(a->usage.source, TG_USAGE_ESTIMATED);

    a = answer("/v1/projects/p/locations/l/publishers/google/models/e:predict",
               "", JSON, "{\"predictions\":[{\"embeddings\":{\"statistics\":{"
               "\"token_count\":2}}},{\"embeddings\":{\"statistics\":{"
               "\"token_count\":3.0}}}],\"metadata\":{"
               "\"billableCharacterCount\":20}}");
    assert_tokens(a, TG_USAGE_REPORTED, 5, 0);
    assert_int_equal(a->usage.characters, 20);

    a = answer("/v1/ocr", "api.mistral.ai", JSON,
               "{\"usage_info\":{\"pages_processed\":4}}");
    assert_int_equal(a->usage.pages, 4);

    a = answer("/v1/audio/speech", "api.openai.com", "audio/mpeg", "dddd{}");
    assert_tokens(a, TG_USAGE_ESTIMATED, 10, 0);
    assert_int_equal(a->usage.characters, 40);
    assert_true(a->complete);

    a = answer("/v1/audio/speech", "api.openai.com", SSE,
               "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AAAA\"}\n\n"
               "data: {\"type\":\"speech.audio.done\",\"usage\":{"
               "\"input_tokens\":14,\"output_tokens\":101}}\n\n");
    assert_tokens(a, TG_USAGE_REPORTED, 14, 101);
    assert_int_equal(a->usage.characters, 0);
    assert_true(a->stream && a->complete);
}


static void
failed(const char *path, unsigned status, const char *body, const char *type)
{
    const tg_answer_info_t  *a;

    for (size_t chunk = 1; chunk < 10; chunk++) {
        a = end(start(path, "", status, JSON), body, strlen(body), chunk);
        assert_true(a->error);
        assert_text(a->error_type, type);
        assert_int_equal(a->usage.source, TG_USAGE_NONE);
    }
}


static void
test_errors_are_told_in_the_providers_words(void **state)
{
    (void) state;

    failed(CHAT, 401, "{\"error\":{\"message\":\"x\",\"code\":"
           "\"invalid_api_key\",\"type\":\"invalid_request_error\"}}",
           "invalid_request_error");
    failed(CHAT, 401, "{\"error\":{\"code\":\"401\",\"type\":null}}", "401");
    failed(CHAT, 400, "{\"code\":\"1500\",\"object\":\"error\",\"type\":"
           "\"invalid_model\"}", "invalid_model");
    failed(CHAT, 429, "{\"error\":{\"code\":429}}", "429");
    failed(MESSAGES, 404, "{\"error\":{\"type\":\"not_found_error\"},"
           "\"type\":\"error\"}", "not_found_error");
    failed(GEMINI, 404, "{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\"}}",
           "NOT_FOUND");
    failed(GEMINI, 404, "[{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\"}}]",
           "NOT_FOUND");
    failed("/api/chat", 404, "{\"error\":\"model not found\"}", "");
    failed(CHAT, 502, "<html>Bad Gateway</html>", "");
    failed(CHAT, 500, "{\"usage\":{\"prompt_tokens\":5}}", "");
}


static void
test_an_error_in_mid_stream(void **state)
{
    const tg_answer_info_t  *a;

    (void) state;

    a = answer(CHAT, "api.groq.com", SSE,
        "data: {\"choices\":[{\"delta\":{\"content\":\"abcdefgh\"}}]}\n\n"
        "event: error\ndata: {\"error\":{\"type\":\"server_error\"}}\n\n");
    assert_true(a->error && !a->complete);
    assert_text(a->error_type, "server_error");
    assert_tokens(a, TG_USAGE_ESTIMATED, 10, 2);

    a = answer(CHAT, "api.groq.com", SSE,
        "event: error\ndata: {\"error\":{\"type\":\"server_error\"}}\n\n");
    assert_tokens(a, TG_USAGE_NONE, 0, 0);
}


static void
test_framing_is_told_by_the_body_where_the_type_lies(void **state)
{
    (void) state;

    assert_true(answer(CHAT, "", JSON, "data: {\"choices\":[]}\n\n")->stream);
    assert_true(answer(CHAT, "", "", ": hi\n\ndata: [DONE]\n\n")->complete);
    assert_tokens(answer(CHAT, "", SSE, " \n{\"usage\":{\"prompt_tokens\":1,"
                         "\"completion_tokens\":2}}"), TG_USAGE_REPORTED, 1, 2);
    assert_true(answer(CHAT, "", SSE, "\xef\xbb\xbf" "data: [DONE]\n\n")
                ->complete);
    assert_false(answer("/v1/audio/transcriptions", "", "text/plain",
                        "data: is what he said")->stream);
    assert_int_equal(answer(CHAT, "", JSON, "\xef\xbb\xbf{}")->bytes, 5);
}


typedef struct {
    unsigned           n;
    tg_answer_event_t  ev[8];
} events_t;


static void
on_event(void *data, const tg_answer_event_t *ev)
{
    events_t  *e = data;

    assert_true(e->n < 8);
    e->ev[e->n++] = *ev;
}


static void
test_events_are_told_for_stripping(void **state)
{
    static const char  body[] =
        ": ping\n\n"
        "data: {\"choices\":[{}], \"usage\" : null ,\"x\":1}\r\n\r\n"
        "data: {\"usage\":null, \"choices\":[{}]}\n\n"
        "data: {\"choices\" : [ ],\"usage\":{\"prompt_tokens\":1}}\n\n"
        "data: {\"choices\":[],\"id\":\"\"}\n\n"
        "data: {\"choices\":[],\ndata: \"usage\":null}\n\n"
        "data: [DONE]\n\n";

    events_t      e;
    tg_answer_t  *s;

    (void) state;

    for (size_t chunk = 1; chunk < sizeof(body); chunk++) {
        memset(&e, 0, sizeof(e));
        s = start(CHAT, "api.openai.com", 200, SSE);
        tg_answer_on_event(s, on_event, &e);
        (void) end(s, body, sizeof(body) - 1, chunk);

        assert_int_equal(e.n, 7);
        assert_int_equal(e.ev[0].start, 0);

        for (unsigned i = 0; i < e.n; i++) {
            assert_int_equal(e.ev[i].usage_only, i == 3);
        }

        assert_memory_equal(body + e.ev[1].null_start, ", \"usage\" : null",
                            16);
        assert_int_equal(e.ev[1].null_end - e.ev[1].null_start, 16);
        assert_memory_equal(body + e.ev[2].null_start, "\"usage\":null,", 13);
        assert_int_equal(e.ev[2].null_end - e.ev[2].null_start, 13);
        assert_int_equal(e.ev[3].null_start, TG_JSON_NOWHERE);
        assert_memory_equal(body + e.ev[3].start, "data: {\"choices\" :", 18);
        assert_memory_equal(body + e.ev[3].end, "data: {\"choices\":[],\"id",
                            23);
        assert_int_equal(e.ev[5].null_start, TG_JSON_NOWHERE);
    }
}


static void
test_an_hour_of_chunks_takes_no_memory(void **state)
{
    static const char        chunk[] =
        "data: {\"id\":\"chatcmpl-1\",\"model\":\"gpt\",\"service_tier\":\"d\","
        "\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}"
        "\n\n";
    char                     other[256];
    tg_answer_t             *s = start(CHAT, "", 200, SSE);
    size_t                   used, n;

    (void) state;

    tg_answer_feed(s, chunk, sizeof(chunk) - 1);
    used = tg_arena_used(call);
    assert_true(used <= 4096);

    for (int i = 0; i < 20000; i++) {
        tg_answer_feed(s, chunk, sizeof(chunk) - 1);

        n = (size_t) snprintf(other, sizeof(other), "data: {\"id\":\"%d\","
                              "\"model\":\"m%d\",\"choices\":[{"
                              "\"finish_reason\":\"f%d\"}]}\n\n", i, i, i);
        tg_answer_feed(s, other, n);
    }

    assert_true(tg_arena_used(call) <= used + 4096);
    assert_int_equal(tg_answer_info(s)->nfinish, TG_ANSWER_FINISH_MAX);
}


static void
test_absurd_numbers_do_no_harm(void **state)
{
    const tg_answer_info_t  *a = answer(CHAT, "api.x.ai", JSON,
        "{\"usage\":{\"prompt_tokens\":999999999999999999,"
        "\"completion_tokens\":1e400,\"total_tokens\":-5,"
        "\"prompt_tokens_details\":{\"cached_tokens\":\"7\","
        "\"audio_tokens\":123456789012345678901234567890},"
        "\"cost\":-1,\"cost_in_usd_ticks\":9223372036854775807,"
        "\"completion_tokens_details\":{\"reasoning_tokens\":2.5}}}");

    (void) state;

    assert_int_equal(a->usage.source, TG_USAGE_REPORTED);
    assert_true(a->usage.input > 0);
    assert_true(a->usage.output >= 0);
    assert_int_equal(a->usage.cache_read, 7);
}


static void
test_tokens_are_never_estimated_as_none(void **state)
{
    (void) state;

    assert_int_equal(tg_usage_estimate(0, 0), 0);
    assert_int_equal(tg_usage_estimate(1, 0), 1);
    assert_int_equal(tg_usage_estimate(TG_ESTIMATE_BYTES_PER_TOKEN + 1, 0), 2);
    assert_true(tg_usage_estimate(UINT64_MAX, 0) > 0);
    assert_true(tg_usage_estimate(UINT64_MAX / 1000, 1) > 0);
    assert_int_equal(tg_usage_estimate(9, 4500), 2);
    assert_int_equal(tg_usage_estimate(10, 4500), 3);
}


static void *
no_more(void *pool, size_t size)
{
    size_t  *left = pool;

    if (*left == 0) {
        return NULL;
    }

    (*left)--;

    return tg_alloc(tg_arena_mem(call), size);
}


static void
test_exhaustion_leaves_the_usage(void **state)
{
    static const char  body[] = MESSAGE_START
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"e\"},"
        "\"usage\":{\"output_tokens\":12,\"iterations\":[{\"type\":\"c\","
        "\"model\":\"b\"}]}}\n\n";

    size_t         left;
    tg_mem_t       mem = { no_more, &left };
    tg_dialect_t   d;
    tg_answer_t   *a;

    (void) state;

    (void) start(MESSAGES, "", 200, SSE);

    for (size_t n = 0; n < 10; n++) {
        left = 1;
        tg_dialect_recognise(&d, &mem, tg_str("POST"), tg_str(MESSAGES),
                             tg_str(""), tg_str(""), NULL);
        left = n;
        a = tg_answer_create(&mem, &d, NULL, 200, tg_str(SSE));
        assert_int_equal(a != NULL, n != 0);

        if (a != NULL) {
            assert_tokens(end(a, body, sizeof(body) - 1, 9),
                          TG_USAGE_REPORTED, 580, 12);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_openai_chat),
        cmocka_unit_test(test_usage_in_the_last_chunk_counts),
        cmocka_unit_test(test_an_unterminated_last_event_counts),
        cmocka_unit_test(test_a_stream_without_usage_is_estimated),
        cmocka_unit_test(test_a_broken_event_does_not_stop_the_reading),
        cmocka_unit_test(test_bytes_that_are_no_text_do_not_lose_the_usage),
        cmocka_unit_test(
            test_a_usage_that_came_whole_counts_though_the_rest_is_cut),
        cmocka_unit_test(test_a_usage_of_zeros_takes_nothing_back),
        cmocka_unit_test(test_usage_in_a_choice_counts),
        cmocka_unit_test(test_cumulative_usage_is_replaced_not_added),
        cmocka_unit_test(test_who_leaves_reasoning_or_audio_out),
        cmocka_unit_test(test_cost_as_the_provider_says),
        cmocka_unit_test(test_responses_stream),
        cmocka_unit_test(
            test_a_background_answer_is_neither_reported_nor_estimated),
        cmocka_unit_test(test_anthropic_input_includes_the_cache_once_read),
        cmocka_unit_test(test_anthropic_delta_overrides_the_start),
        cmocka_unit_test(
            test_anthropic_stream_cut_behind_its_start_is_flagged),
        cmocka_unit_test(test_gemini_last_usage_wins_in_all_its_framings),
        cmocka_unit_test(test_gemini_enums_as_numbers),
        cmocka_unit_test(test_a_refused_prompt_costs_nothing),
        cmocka_unit_test(test_ollama_lines),
        cmocka_unit_test(test_cohere_bills_what_it_says),
        cmocka_unit_test(test_bedrock_headers_count_where_the_body_is_silent),
        cmocka_unit_test(test_bedrock_errors),
        cmocka_unit_test(test_a_count_of_tokens_is_what_was_answered),
        cmocka_unit_test(test_batch_results_are_summed),
        cmocka_unit_test(test_things_billed_by_other_units),
        cmocka_unit_test(test_errors_are_told_in_the_providers_words),
        cmocka_unit_test(test_an_error_in_mid_stream),
        cmocka_unit_test(
            test_framing_is_told_by_the_body_where_the_type_lies),
        cmocka_unit_test(test_events_are_told_for_stripping),
        cmocka_unit_test(test_an_hour_of_chunks_takes_no_memory),
        cmocka_unit_test(test_absurd_numbers_do_no_harm),
        cmocka_unit_test(test_tokens_are_never_estimated_as_none),
        cmocka_unit_test(test_exhaustion_leaves_the_usage)
    };

    return cmocka_run_group_tests_name("answer", tests, setup, teardown);
}
