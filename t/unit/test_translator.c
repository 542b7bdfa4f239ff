#include "translated.h"

/* What each chunk and each event of the output begins with. */

#define HEAD    "data: {\"id\":\"chatcmpl-0190d3a4-7c1e-7bbb-8ccc-"           \
                "0123456789ab\",\"object\":\"chat.completion.chunk\","        \
                "\"created\":1750000000,\"model\":\"m-1\",\"choices\":["
#define DELTA   HEAD "{\"index\":0,\"delta\":{"
#define TAIL    "},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}"\
                "\n\n"
#define CHUNK(x)   DELTA x TAIL
#define FINISH(x)  DELTA "},\"logprobs\":null,\"finish_reason\":\"" x "\"}],"  \
                   "\"usage\":null}\n\n"
#define ROLE    CHUNK("\"role\":\"assistant\",\"content\":\"\"")
#define DONE    "data: [DONE]\n\n"

#define EVENT(name, x)  "event: " name "\ndata: {\"type\":\"" name "\"" x      \
                        "}\n\n"
#define BLOCK(i, x)     EVENT("content_block_start",                          \
                              ",\"index\":" i ",\"content_block\":{" x "}")
#define PIECE(i, x)     EVENT("content_block_delta",                          \
                              ",\"index\":" i ",\"delta\":{" x "}")
#define STOP(i)         EVENT("content_block_stop", ",\"index\":" i)

#define START  EVENT("message_start", ",\"message\":{\"id\":\"msg_0190d3a4-"   \
        "7c1e-7bbb-8ccc-0123456789ab\",\"type\":\"message\",\"role\":"        \
        "\"assistant\",\"model\":\"m-1\",\"content\":[],\"stop_reason\":null," \
        "\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,"               \
        "\"output_tokens\":0}}")

static output_t  out;


static void
test_anthropic_stream_becomes_chunks(void **state)
{
    static const char  in[] =
        EVENT("message_start", ",\"message\":{\"model\":\"m-1\",\"usage\":{"
              "\"input_tokens\":7,\"cache_read_input_tokens\":20,"
              "\"cache_creation_input_tokens\":3,\"cache_creation\":{"
              "\"ephemeral_1h_input_tokens\":3},\"output_tokens\":1}}")
        BLOCK("0", "\"type\":\"thinking\",\"thinking\":\"\"")
        PIECE("0", "\"type\":\"thinking_delta\",\"thinking\":\"Hm\\n\"")
        PIECE("0", "\"type\":\"signature_delta\",\"signature\":\"x\"")
        STOP("0")
        EVENT("ping", "")
        BLOCK("1", "\"type\":\"text\",\"text\":\"\"")
        PIECE("1", "\"type\":\"text_delta\",\"text\":\"Gr\\u00fc\\u00dfe\"")
        PIECE("1", "\"type\":\"text_delta\",\"text\":\" \xe2\x82\xac\"")
        STOP("1")
        BLOCK("2", "\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"w\"")
        PIECE("2", "\"type\":\"input_json_delta\",\"partial_json\":\"{}\"")
        STOP("2")
        BLOCK("3", "\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\","
              "\"input\":{}")
        PIECE("3", "\"type\":\"input_json_delta\",\"partial_json\":\"\"")
        PIECE("3", "\"type\":\"input_json_delta\",\"partial_json\":"
              "\"{\\\"a\\\":\"")
        PIECE("3", "\"type\":\"input_json_delta\",\"partial_json\":\"1}\"")
        STOP("3")
        BLOCK("4", "\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"g\","
              "\"input\":{}")
        STOP("4")
        EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"tool_use\"},"
              "\"usage\":{\"output_tokens\":9,\"output_tokens_details\":{"
              "\"thinking_tokens\":4}}")
        EVENT("message_stop", "");

    tg_translator_ask_t  ask = asked(TG_FORM_ANTHROPIC, TG_FORM_OPENAI_CHAT,
                                     true);

    (void) state;

    translate_splits(&ask, in, &out);
    assert_string_equal(out.text,
        ROLE
        CHUNK("\"reasoning_content\":\"Hm\\n\"")
        ": ping\n\n"
        CHUNK("\"content\":\"Gr\\u00fc\\u00dfe\"")
        CHUNK("\"content\":\" \xe2\x82\xac\"")
        CHUNK("\"tool_calls\":[{\"index\":0,\"id\":\"toolu_1\",\"type\":"
              "\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
              "\"\"}}]")
        CHUNK("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
              "\"{\\\"a\\\":\"}}]")
        CHUNK("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
              "\"1}\"}}]")
        CHUNK("\"tool_calls\":[{\"index\":1,\"id\":\"toolu_2\",\"type\":"
              "\"function\",\"function\":{\"name\":\"g\",\"arguments\":"
              "\"\"}}]")
        CHUNK("\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":"
              "\"{}\"}}]")
        FINISH("tool_calls")
        HEAD "],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":9,"
        "\"total_tokens\":39,\"prompt_tokens_details\":{\"cached_tokens\":20,"
        "\"cache_write_tokens\":3,\"audio_tokens\":0},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":4,"
        "\"audio_tokens\":0},\"cache_creation\":{"
        "\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":3}}}"
        "\n\n" DONE);

    /* not asked for: no usage anywhere */

    ask.include_usage = false;
    translate_splits(&ask, in, &out);
    assert_null(strstr(out.text, "usage"));
    assert_non_null(strstr(out.text, "null}]}\n\n"));
    assert_non_null(strstr(out.text, DONE));
}


#define G_USAGE  "\"usageMetadata\":{\"promptTokenCount\":9,"                 \
                 "\"candidatesTokenCount\":5,\"thoughtsTokenCount\":2,"       \
                 "\"cachedContentTokenCount\":4,\"totalTokenCount\":16}"
#define G_CHUNK(parts, more)                                                  \
    "{\"candidates\": [{\"content\": {\"parts\": [" parts "],"                \
    "\"role\": \"model\"}" more "}],\r\n \"modelVersion\": \"m-1\"," G_USAGE  \
    "}"
#define G_1  G_CHUNK("{\"text\":\"Let's see\",\"thought\":true}", "")
#define G_2  G_CHUNK("{\"text\":\"a]b}\\\"\"}", ",\"index\":0")
#define G_3  G_CHUNK("{\"functionCall\":{\"name\":\"f\",\"args\":{ \"q\" : "  \
                     "[1, \"x \\\\ \\\"y\\u00e9\"],\n \"r\":{} }},"           \
                     "\"thoughtSignature\":\"c2ln\"}",                        \
                     ",\"finishReason\":\"STOP\"")

static const char  gemini_out[] =
    ROLE
    CHUNK("\"reasoning_content\":\"Let's see\"")
    CHUNK("\"content\":\"a]b}\\\"\"")
    CHUNK("\"tool_calls\":[{\"index\":0,\"id\":"
          "\"call_7c1e7bbb8ccc0123456789ab_0\",\"type\":\"function\","
          "\"extra_content\":{\"google\":{\"thought_signature\":\"c2ln\"}},"
          "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]")
    CHUNK("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\""
          "{\\\"q\\\":[1,\\\"x \\\\\\\\ \\\\\\\"y\\\\u00e9\\\"],\\\"r\\\":{}}"
          "\"}}]")
    FINISH("tool_calls")
    HEAD "],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":7,"
    "\"total_tokens\":16,\"prompt_tokens_details\":{\"cached_tokens\":4,"
    "\"audio_tokens\":0},\"completion_tokens_details\":{"
    "\"reasoning_tokens\":2,\"audio_tokens\":0}}}\n\n" DONE;


static void
test_gemini_stream_becomes_chunks_in_either_framing(void **state)
{
    tg_translator_ask_t  ask = asked(TG_FORM_GEMINI, TG_FORM_OPENAI_CHAT,
                                     true);

    (void) state;

    translate_splits(&ask, "data: {\"usageMetadata\":{}}\r\n\r\n", &out);
    assert_non_null(strstr(out.text, "before it was complete"));

    /* white space in JSON may be an event's line ends, too */

    translate_splits(&ask,
        "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\":"
        "\"Let's see\",\"thought\":true}]}}],\r\ndata: \"modelVersion\": "
        "\"m-1\"}\r\n\r\n"
        "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\":"
        "\"a]b}\\\"\"}]}}]}\r\n\r\n"
        "data: {\"candidates\": [{\"content\": {\"parts\": [{"
        "\"functionCall\":{\"name\":\"f\",\"args\":{ \"q\" : [1, "
        "\"x \\\\ \\\"y\\u00e9\"], \"r\":{} }},\"thoughtSignature\":\"c2ln\"}]},"
        "\"finishReason\":\"STOP\"}]," G_USAGE "}\r\n\r\n", &out);
    assert_string_equal(out.text, gemini_out);

    ask.content_type = tg_str("application/json; charset=UTF-8");
    translate_splits(&ask, "[" G_1 "\n,\r\n" G_2 ",\r\n" G_3 "\n]\n", &out);
    assert_string_equal(out.text, gemini_out);
}


static void
test_candidates_become_choices(void **state)
{
    static const char  in[] =
        "{\"candidates\":[{\"index\":1,\"finishReason\":\"MAX_TOKENS\","
        "\"content\":{\"parts\":[{\"text\":\"b\"}]}},{\"finishReason\":1,"
        "\"index\":0,\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}";

    tg_translator_ask_t  ask = asked(TG_FORM_GEMINI, TG_FORM_OPENAI_CHAT,
                                     false);

    (void) state;

    translate_splits(&ask, in, &out);
    assert_string_equal(out.text,
        "{\"id\":\"chatcmpl-0190d3a4-7c1e-7bbb-8ccc-0123456789ab\",\"object\":"
        "\"chat.completion\",\"created\":1750000000,\"model\":\"asked\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
        "\"content\":\"a\",\"refusal\":null},\"logprobs\":null,"
        "\"finish_reason\":\"stop\"},{\"index\":1,\"message\":{\"role\":"
        "\"assistant\",\"content\":\"b\",\"refusal\":null},\"logprobs\":null,"
        "\"finish_reason\":\"length\"}]}");
}


#define O_CHUNK(x)  "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\"," \
                    "\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{"  \
                    x "},\"finish_reason\":null}],\"usage\":null}\n\n"
#define O_FINISH(x) "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":"  \
                    "{},\"finish_reason\":\"" x "\"}]}\n\n"
#define O_USAGE     "data: {\"id\":\"c\",\"choices\":[],\"usage\":{"            \
                    "\"prompt_tokens\":12,\"completion_tokens\":6,"           \
                    "\"total_tokens\":18,\"prompt_tokens_details\":{"         \
                    "\"cached_tokens\":10},\"completion_tokens_details\":{"   \
                    "\"reasoning_tokens\":2}}}\n\n"

static void
test_openai_stream_becomes_events(void **state)
{
    static const char  in[] =
        "data: {\"choices\":[],\"model\":\"\",\"prompt_filter_results\":[]}"
        "\n\n: a comment\n\n"
        O_CHUNK("\"role\":\"assistant\",\"content\":\"\"")
        O_CHUNK("\"reasoning_content\":\"Hm\",\"reasoning\":\"Hm\"")
        O_CHUNK("\"content\":\"Hi\"")
        ": a comment\n\n"
        O_CHUNK("\"content\":\"!\",\"tool_calls\":null")
        O_CHUNK("\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":"
                "\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
                "\"\"}}]")
        O_CHUNK("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
                "\"{\\\"a\\\":null}\"}}]")
        O_CHUNK("\"tool_calls\":[{\"index\":1,\"id\":\"call_2\",\"type\":"
                "\"function\",\"function\":{\"name\":\"g\",\"arguments\":"
                "\"{}\"}}]")
        O_FINISH("tool_calls")
        O_USAGE "data: [DONE]\n\n";

    tg_translator_ask_t  ask = asked(TG_FORM_OPENAI_CHAT, TG_FORM_ANTHROPIC,
                                     true);

    (void) state;

    translate_splits(&ask, in, &out);
    assert_string_equal(out.text,
        ": ping\n\n" START
        BLOCK("0", "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":"
              "\"\"")
        PIECE("0", "\"type\":\"thinking_delta\",\"thinking\":\"Hm\"")
        STOP("0")
        BLOCK("1", "\"type\":\"text\",\"text\":\"\"")
        PIECE("1", "\"type\":\"text_delta\",\"text\":\"Hi\"")
        EVENT("ping", "")
        PIECE("1", "\"type\":\"text_delta\",\"text\":\"!\"")
        STOP("1")
        BLOCK("2", "\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"f\","
              "\"input\":{}")
        PIECE("2", "\"type\":\"input_json_delta\",\"partial_json\":"
              "\"{\\\"a\\\":null}\"")
        STOP("2")
        BLOCK("3", "\"type\":\"tool_use\",\"id\":\"call_2\",\"name\":\"g\","
              "\"input\":{}")
        PIECE("3", "\"type\":\"input_json_delta\",\"partial_json\":\"{}\"")
        STOP("3")
        EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"tool_use\","
              "\"stop_sequence\":null},\"usage\":{\"input_tokens\":2,"
              "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":"
              "10,\"output_tokens\":6,\"output_tokens_details\":{"
              "\"thinking_tokens\":2}}")
        EVENT("message_stop", ""));
}


static void
test_whole_answers(void **state)
{
    tg_translator_ask_t  ask = asked(TG_FORM_ANTHROPIC, TG_FORM_OPENAI_CHAT,
                                     false);

    (void) state;

    translate_splits(&ask,
        "{\"type\":\"message\",\"model\":\"m-1\",\"content\":[{\"type\":"
        "\"thinking\",\"thinking\":\"Hm\",\"signature\":\"s\"},{\"type\":"
        "\"text\",\"text\":\"\xc3\xa9\\ud83d\\ude00\"},{\"type\":\"text\","
        "\"text\":\"Hi\",\"citations\":[{\"type\":"
        "\"web_search_result_location\",\"url\":\"http://u/\",\"title\":\"T\","
        "\"cited_text\":\"q\"},{\"type\":\"char_location\"}]},{\"type\":"
        "\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{\"a\": "
        "[]}},{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"g\","
        "\"input\":{}}],\"stop_reason\":\"tool_use\",\"usage\":{"
        "\"input_tokens\":2,\"output_tokens\":3,\"service_tier\":"
        "\"standard\"}}", &out);
    assert_string_equal(out.text,
        "{\"id\":\"chatcmpl-0190d3a4-7c1e-7bbb-8ccc-0123456789ab\",\"object\":"
        "\"chat.completion\",\"created\":1750000000,\"model\":\"m-1\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
        "\"content\":\"\xc3\xa9\\ud83d\\ude00Hi\",\"reasoning_content\":"
        "\"Hm\",\"refusal\":null,\"tool_calls\":[{\"id\":\"toolu_1\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
        "\"{\\\"a\\\":[]}\"}},{\"id\":\"toolu_2\",\"type\":\"function\","
        "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}],\"annotations\":"
        "[{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"http://u/\","
        "\"title\":\"T\",\"start_index\":2,\"end_index\":4}}]},\"logprobs\":"
        "null,\"finish_reason\":\"tool_calls\"}],\"usage\":{"
        "\"prompt_tokens\":2,\"completion_tokens\":3,\"total_tokens\":5,"
        "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":0,"
        "\"audio_tokens\":0}},\"service_tier\":\"default\"}");

    ask = asked(TG_FORM_OPENAI_CHAT, TG_FORM_ANTHROPIC, false);
    translate_splits(&ask,
        "{\"model\":\"m-1\",\"choices\":[{\"index\":0,\"finish_reason\":"
        "\"stop\",\"message\":{\"content\":\"Hi\",\"reasoning\":\"Hm\","
        "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{"
        "\"url\":\"http://u/\",\"title\":\"T\"}}],\"tool_calls\":[{\"id\":"
        "\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\" {\\\"a\\\":\\\"\\\\u00e9\\\"}\"}},{\"type\":"
        "\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]}}],"
        "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":6}}", &out);
    assert_string_equal(out.text,
        "{\"id\":\"msg_0190d3a4-7c1e-7bbb-8ccc-0123456789ab\",\"type\":"
        "\"message\",\"role\":\"assistant\",\"model\":\"m-1\",\"content\":[{"
        "\"type\":\"thinking\",\"signature\":\"\",\"thinking\":\"Hm\"},{"
        "\"type\":\"text\",\"text\":\"Hi\",\"citations\":[{\"type\":"
        "\"web_search_result_location\",\"url\":\"http://u/\",\"title\":\"T\","
        "\"cited_text\":\"\",\"encrypted_index\":\"\"}]},{\"type\":"
        "\"tool_use\",\"id\":\"call_1\",\"name\":\"f\",\"input\":{\"a\":"
        "\"\\u00e9\"}},{\"type\":\"tool_use\",\"id\":"
        "\"toolu_7c1e7bbb8ccc0123456789ab_0\",\"name\":\"g\",\"input\":{}}],"
        "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{"
        "\"input_tokens\":12,\"cache_creation_input_tokens\":0,"
        "\"cache_read_input_tokens\":0,\"output_tokens\":6}}");
}


/* Answers that are not framed as the client asked. */
static void
test_stream_asked_and_whole_answer_or_the_other_way_round(void **state)
{
    tg_translator_ask_t  ask = asked(TG_FORM_OPENAI_CHAT, TG_FORM_ANTHROPIC,
                                     true);

    (void) state;

    ask.content_type = tg_str("application/json");
    translate_splits(&ask, " {\"model\":\"m-1\",\"choices\":[{\"message\":{"
                     "\"content\":\"Hi\"},\"finish_reason\":\"length\"}]}",
                     &out);
    assert_string_equal(out.text,
        START BLOCK("0", "\"type\":\"text\",\"text\":\"\"")
        PIECE("0", "\"type\":\"text_delta\",\"text\":\"Hi\"") STOP("0")
        EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"max_tokens\","
              "\"stop_sequence\":null},\"usage\":{\"input_tokens\":0,"
              "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":"
              "0,\"output_tokens\":0}")
        EVENT("message_stop", ""));

    ask.stream = false;
    ask.content_type = tg_str("Text/Event-Stream; charset=utf-8");
    translate_splits(&ask, O_CHUNK("\"content\":\"H\"")
                     O_CHUNK("\"content\":\"i\"") O_FINISH("stop"), &out);
    assert_non_null(strstr(out.text, "\"content\":[{\"type\":\"text\","
                                     "\"text\":\"Hi\"}],\"stop_reason\":"
                                     "\"end_turn\""));
}


static void
stops(tg_form_t from, tg_form_t to, const char *before, const char *behind,
    const char *const table[][2], size_t n)
{
    tg_translator_ask_t  ask = asked(from, to, false);
    char                 in[512], word[64];

    for (size_t i = 0; i < n; i++) {
        snprintf(in, sizeof(in), "%s%s%s", before, table[i][0], behind);
        snprintf(word, sizeof(word), "_reason\":\"%s\"", table[i][1]);
        translate(&ask, in, strlen(in), (cut_t) { 0, 0 }, &out);

        if (strstr(out.text, word) == NULL) {
            fail_msg("%s is not %s: %s", table[i][0], table[i][1], out.text);
        }
    }
}


static void
test_reasons_to_stop(void **state)
{
    static const char *const  anthropic[][2] = {
        { "end_turn", "stop" }, { "max_tokens", "length" },
        { "stop_sequence", "stop" }, { "tool_use", "tool_calls" },
        { "refusal", "content_filter" }, { "pause_turn", "stop" },
        { "model_context_window_exceeded", "length" }
    };
    static const char *const  gemini[][2] = {
        { "\"STOP\"", "stop" }, { "\"MAX_TOKENS\"", "length" }, { "1", "stop" },
        { "2", "length" }, { "3", "content_filter" },
        { "\"SAFETY\"", "content_filter" },
        { "\"RECITATION\"", "content_filter" },
        { "\"PROHIBITED_CONTENT\"", "content_filter" },
        { "\"MALFORMED_FUNCTION_CALL\"", "content_filter" }
    };
    static const char *const  openai[][2] = {
        { "stop", "end_turn" }, { "length", "max_tokens" },
        { "tool_calls", "tool_use" }, { "function_call", "tool_use" },
        { "content_filter", "refusal" }, { "eos_token", "end_turn" }
    };

    (void) state;

#define STOPS(from, to, before, behind, t)                                    \
    stops(from, to, before, behind, t, sizeof(t) / sizeof(t[0]))

    STOPS(TG_FORM_ANTHROPIC, TG_FORM_OPENAI_CHAT,
          "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"", "\"}",
          anthropic);
    STOPS(TG_FORM_GEMINI, TG_FORM_OPENAI_CHAT,
          "{\"candidates\":[{\"finishReason\":", "}]}", gemini);
    STOPS(TG_FORM_OPENAI_CHAT, TG_FORM_ANTHROPIC,
          "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":"
          "\"", "\"}]}", openai);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_anthropic_stream_becomes_chunks),
        cmocka_unit_test(test_gemini_stream_becomes_chunks_in_either_framing),
        cmocka_unit_test(test_candidates_become_choices),
        cmocka_unit_test(test_openai_stream_becomes_events),
        cmocka_unit_test(test_whole_answers),
        cmocka_unit_test(
            test_stream_asked_and_whole_answer_or_the_other_way_round),
        cmocka_unit_test(test_reasons_to_stop)
    };

    return cmocka_run_group_tests(tests, setup_dialects, NULL);
}
