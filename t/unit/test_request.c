#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tg_request.h"

static tg_arena_t  *arena;
static tg_arena_t  *call;       /* of the request that is being read */


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;

    arena = tg_arena_create(0);

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


static tg_request_t *
start(const char *path, const char *type, const char *encoding,
    const tg_request_fields_t *fields, tg_str_t *values)
{
    tg_dialect_t  *d;

    tg_arena_destroy(call);
    call = tg_arena_create(0);
    d = tg_alloc(tg_arena_mem(call), sizeof(tg_dialect_t));

    tg_dialect_recognise(d, tg_arena_mem(call), tg_str("POST"),
                         tg_strz(path), tg_str(""), tg_str(""), NULL);

    return tg_request_create(tg_arena_mem(call), d, tg_strz(type),
                             tg_strz(encoding), fields, values);
}


static int
feed(tg_request_t *r, const char *body, size_t chunk)
{
    size_t  n, len = strlen(body);

    for (size_t i = 0; i < len; i += n) {
        n = len - i < chunk ? len - i : chunk;
        (void) tg_request_feed(r, body + i, n);
    }

    return tg_request_finish(r);
}


/* Reads a JSON body whole, then byte by byte; both must agree. */
static const tg_request_info_t *
body(const char *path, const char *json)
{
    tg_request_t       *r;
    tg_request_info_t   whole;

    r = start(path, "application/json", "", NULL, NULL);
    if (feed(r, json, SIZE_MAX) != TG_OK) {
        fail_msg("%s: %s", json, tg_request_error(r)->message);
    }

    whole = *tg_request_info(r);

    r = start(path, "application/json", "", NULL, NULL);
    assert_int_equal(feed(r, json, 1), TG_OK);
    assert_true(tg_request_inspected(r));
    assert_int_equal(whole.text_bytes, tg_request_info(r)->text_bytes);
    assert_int_equal(whole.root_end, tg_request_info(r)->root_end);
    assert_int_equal(whole.messages, tg_request_info(r)->messages);

    return tg_request_info(r);
}


static void
assert_text(tg_str_t is, const char *should)
{
    if (!tg_str_eq(is, tg_strz(should))) {
        fail_msg("\"%.*s\" is not \"%s\"", (int) is.len, is.len ? is.p : "",
                 should);
    }
}


/* vLLM's: a choice for each list of messages. */
static void
test_each_conversation_of_a_batch_is_answered(void **state)
{
    const tg_request_info_t  *i;

    (void) state;
    i = body("/v1/chat/completions/batch",
             "{\"model\":\"m\",\"max_tokens\":9,\"messages\":["
             "[{\"role\":\"system\",\"content\":\"abcd\"},"
             "{\"role\":\"user\",\"content\":\"one\"}],"
             "[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
             "\"text\":\"two!!\"}]}],[]]}");
    assert_text(i->model, "m");
    assert_int_equal(i->n, 3);
    assert_int_equal(i->messages, 3);
    assert_int_equal(i->text_bytes, 12);
    assert_int_equal(i->system_bytes, 4);
    assert_int_equal(i->max_tokens, 9);
}


static void
test_chat_request_is_read(void **state)
{
    const tg_request_info_t  *i;

    (void) state;

    i = body("/v1/chat/completions",
             "{\"messages\":[{\"content\":\"Be kind.\",\"role\":\"system\"},"
             "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
             "\"Hi\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}]}"
             "],\"model\":\"gpt-4o\",\"stream\":true,\"n\":2,"
             "\"max_completion_tokens\":100,\"max_tokens\":50,"
             "\"tools\":[{\"type\":\"function\"}],\"user\":\"u1\","
             "\"response_format\":{\"type\":\"json_schema\"},"
             "\"service_tier\":\"flex\","
             "\"stream_options\":{\"include_usage\":true}}");

    assert_text(i->model, "gpt-4o");
    assert_true(i->stream && i->include_usage && i->has_tools);
    assert_true(i->has_images && i->has_schema && !i->has_audio);
    assert_int_equal(i->max_tokens, 100);
    assert_int_equal(i->n, 2);
    assert_int_equal(i->messages, 2);
    assert_int_equal(i->system_bytes, 8);
    assert_int_equal(i->text_bytes, 10);
    assert_text(i->service_tier, "flex");
    assert_text(i->user, "u1");
    assert_text(i->stream_options, "{\"include_usage\":true}");
    assert_false(i->root_empty);
}


/* Names, and what must be said of each body. */
typedef struct {
    const char  *path;
    const char  *json;
    int          is[3];
} said_t;


static void
test_what_is_not_in_the_body_is_told(void **state)
{
    static const said_t  rows[] = {
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file"
          "\",\"file\":{\"file_id\":\"f\"}}]}]}", { true } },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"vide"
          "o_url\",\"video_url\":{\"url\":\"https://v\"}}]}]}", { true } },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"imag"
          "e_url\",\"image_url\":{\"url\":\"data:application/pdf;base"
          "64,AA\"}}]}]}", { true } },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"inpu"
          "t_audio\",\"input_audio\":\"https://a\"}]}]}", { true } },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"of_t"
          "omorrow\",\"x\":1}]}]}", { true } },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"assistant\",\"audio\":{\"id\":\"a\"}}"
          "]}", { true } },
        { "/v1/chat/completions",
          "{\"preset\":\"p\"}", { true } },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"imag"
          "e_url\",\"image_url\":{\"url\":\"https://p\"}}]}]}", { false } },
        { "/v1/responses",
          "{\"input\":\"x\",\"previous_response_id\":\"r\"}", { true } },
        { "/v1/responses",
          "{\"input\":\"x\",\"previous_response_id\":null}", { false } },
        { "/v1/responses",
          "{\"input\":\"x\",\"conversation\":{\"id\":\"c\"}}", { true } },
        { "/v1/responses",
          "{\"prompt\":{\"id\":\"p\"}}", { true } },
        { "/v1/responses",
          "{\"input\":[{\"type\":\"item_reference\",\"id\":\"i\"}"
          "]}", { true } },
        { "/v1/responses",
          "{\"input\":[{\"id\":\"i\"}]}", { true } },
        { "/v1/responses",
          "{\"input\":[{\"id\":\"i\",\"role\":\"user\",\"content"
          "\":\"x\"}]}", { false } },
        { "/v1/responses",
          "{\"input\":[{\"type\":\"reasoning\",\"id\":\"i\",\"summary\":[]}"
          "]}", { true } },
        { "/v1/responses",
          "{\"input\":[{\"type\":\"reasoning\",\"encrypted_content\":\"g"
          "A\"}]}", { false } },
        { "/v1/responses",
          "{\"input\":[{\"type\":\"reasoning\",\"content\":[{\"type\":\"re"
          "asoning_text\",\"text\":\"x\"}]}]}", { false } },
        { "/v1/responses",
          "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_i"
          "mage\",\"file_id\":\"f\"}]}]}", { false } },
        { "/v1/responses",
          "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_f"
          "ile\",\"file_url\":\"u\"}]}]}", { true } },
        { "/v1/messages",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"docu"
          "ment\",\"source\":{\"type\":\"url\",\"url\":\"u\"}}]}]}", { true } },
        { "/v1/messages",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"cont"
          "ainer_upload\",\"file_id\":\"f\"}]}]}", { true } },
        { "/v1/messages",
          "{\"container\":\"c\"}", { true } },
        { "/v1/messages",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool"
          "_result\",\"content\":[{\"type\":\"document\"}]}]}]}", { true } },
        { "/v1/messages",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool"
          "_result\",\"content\":[{\"type\":\"text\"}]}]}]}", { false } },
        { "/v1beta/models/m:generateContent",
          "{\"cachedContent\":\"c\"}", { true } },
        { "/v1beta/models/m:generateContent",
          "{\"contents\":{\"parts\":{\"fileData\":{\"fileUri\":\""
          "u\"}}}}", { true } },
        { "/v1beta/models/m:generateContent",
          "{\"contents\":[{\"parts\":[{\"inline_data\":{\"data\":\"AA\",\""
          "mimeType\":\"application/pdf\"}}]}]}", { true } },
        { "/v1beta/models/m:generateContent",
          "{\"contents\":[{\"parts\":[{\"inlineData\":{\"data\":\"AA\"}}]"
          "}]}", { true } },
        { "/v1beta/models/m:generateContent",
          "{\"contents\":[{\"parts\":[{\"inlineData\":{\"data\":\"AA\",\"m"
          "imeType\":\"text/plain\"}}]}]}", { false } },
        { "/v1beta/models/m:generateContent",
          "{\"contents\":[{\"parts\":[{\"fileData\":{\"mimeType\":\"imag"
          "e/png\",\"fileUri\":\"u\"}}]}]}", { false } },
        { "/v1beta/interactions",
          "{\"previous_interaction_id\":\"i\"}", { true } },
        { "/v1beta/interactions",
          "{\"input\":[{\"type\":\"audio\",\"uri\":\"u\",\"mime_type\":\"aud"
          "io/mp3\"}]}", { true } },
        { "/model/m/converse",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"document\":{"
          "\"name\":\"d\"}}]}]}", { true } },
        { "/model/m/converse",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"toolResult\""
          ":{\"content\":[{\"video\":{}}]}}]}]}", { true } },
        { "/model/m/converse",
          "{\"promptVariables\":{\"a\":{\"text\":\"b\"}}}", { true } },
        { "/v1/chat",
          "{\"message\":\"x\",\"conversation_id\":\"c\"}", { true } },
        { "/v1/conversations/c1",
          "{\"inputs\":\"x\"}", { true } },
        { "/v1/conversations",
          "{\"inputs\":\"x\"}", { false } },
        { "/v1/conversations",
          "{\"inputs\":\"x\",\"agent_id\":\"a\"}", { true } }
    };

    (void) state;

    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        if (body(rows[k].path, rows[k].json)->elsewhere != rows[k].is[0]) {
            fail_msg("%s", rows[k].json);
        }
    }
}


static void
test_tools_that_the_provider_runs_are_told_with_their_limit(void **state)
{
    static const said_t  rows[] = {
        { "/v1/chat/completions",
          "{\"tools\":[{\"type\":\"function\"},{\"type\":\"custom\"},{\"fu"
          "nction\":{}}]}", { 0 } },
        { "/v1/chat/completions",
          "{\"tools\":[{\"type\":\"web_search\"}]}", { -1 } },
        { "/v1/chat/completions",
          "{\"web_search_options\":{}}", { -1 } },
        { "/v1/chat/completions",
          "{\"plugins\":[{\"id\":\"web\"}]}", { -1 } },
        { "/v1/chat/completions",
          "{\"plugins\":[]}", { 0 } },
        { "/v1/chat/completions",
          "{\"venice_parameters\":{\"enable_web_search\":\"off\"}}", { 0 } },
        { "/v1/chat/completions",
          "{\"venice_parameters\":{\"enable_web_search\":\"on\"}}", { -1 } },
        { "/v1/responses",
          "{\"tools\":[{\"type\":\"mcp\"}],\"max_tool_calls\":3}", { 3 } },
        { "/v1/responses",
          "{\"max_tool_calls\":3,\"tools\":[{\"type\":\"function\"}]}", { 0 } },
        { "/v1/responses",
          "{\"context_management\":[{\"type\":\"compaction\"}]}", { 1 } },
        { "/v1/messages",
          "{\"tools\":[{\"name\":\"x\",\"input_schema\":{}},{\"type\":\"ba"
          "sh_20250124\"}]}", { 0 } },
        { "/v1/messages",
          "{\"tools\":[{\"max_uses\":5,\"type\":\"web_search_20250305\""
          "}]}", { 5 } },
        { "/v1/messages",
          "{\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":5"
          "},{\"type\":\"web_fetch_20250910\",\"max_uses\":2}]}", { 7 } },
        { "/v1/messages",
          "{\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":5"
          "},{\"type\":\"code_execution_20250825\"}]}", { -1 } },
        { "/v1/messages",
          "{\"mcp_servers\":[{\"type\":\"url\"}]}", { -1 } },
        { "/v1beta/models/m:generateContent",
          "{\"tools\":[{\"functionDeclarations\":[{}]}]}", { 0 } },
        { "/v1beta/models/m:generateContent",
          "{\"tools\":[{\"google_search\":{}}]}", { -1 } },
        { "/v1beta/models/m:generateContent",
          "{\"tools\":{\"functionDeclarations\":[{}],\"urlContext\":{"
          "}}}", { -1 } },
        { "/v1beta/models/m:generateContent",
          "{\"tools\":[{\"toolOfTomorrow\":{}}]}", { -1 } },
        { "/model/m/converse",
          "{\"toolConfig\":{\"tools\":[{\"toolSpec\":{}}]}}", { 0 } },
        { "/model/m/converse",
          "{\"toolConfig\":{\"tools\":[{\"systemTool\":{\"name\":\"n\"}}]"
          "}}", { -1 } },
        { "/v1/chat",
          "{\"connectors\":[{\"id\":\"web-search\"}]}", { -1 } },
        { "/v1beta/interactions",
          "{\"tools\":[{\"type\":\"function\"}]}", { 0 } },
        { "/v1beta/interactions",
          "{\"tools\":[{\"type\":\"google_search\"}]}", { -1 } }
    };

    (void) state;

    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        if (body(rows[k].path, rows[k].json)->uses != rows[k].is[0]) {
            fail_msg("%s", rows[k].json);
        }
    }
}


static void
test_pictures_and_sounds_are_counted_with_their_bytes(void **state)
{
    static const said_t  rows[] = {
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"imag"
          "e_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAA"
          "A\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:im"
          "age/png;base64,AAAA\"}}]}]}", { 2, 52, 0 } },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"image_url\":"
          "\"https://p\"},{\"type\":\"image_url\"}]}]}", { 2, 0, 0 } },
        { "/v1/chat/completions",
          "{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_"
          "url\":{\"url\":\"data:image/png;base64,AAAA\"}}]},{\"conte"
          "nt\":\"x\"}]}", { 1, 26, 0 } },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"input_audio"
          "\":{\"data\":\"AAAAAA\",\"format\":\"wav\"},\"type\":\"input_aud"
          "io\"}]}]}", { 0, 6, 6 } },
        { "/v1/responses",
          "{\"input\":[{\"type\":\"computer_call_output\",\"output\":{\""
          "type\":\"computer_screenshot\",\"image_url\":\"data:image/"
          "png,AA\"}}]}", { 1, 17, 0 } },
        { "/v1/responses",
          "{\"input\":[{\"type\":\"function_call_output\",\"output\":[{"
          "\"type\":\"input_image\",\"image_url\":\"data:image/png,AA\""
          "}]}]}", { 1, 17, 0 } },
        { "/v1/messages",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"source\":{\"d"
          "ata\":\"AAAA\",\"type\":\"base64\"},\"type\":\"image\"},{\"type\""
          ":\"text\"}]}]}", { 1, 4, 0 } },
        { "/v1/messages",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool"
          "_result\",\"content\":[{\"type\":\"image\",\"source\":{\"data\""
          ":\"AA\"}},{\"type\":\"image\",\"source\":{\"data\":\"AA\"}}]}]}]"
          "}", { 2, 4, 0 } },
        { "/v1beta/models/m:generateContent",
          "{\"contents\":[{\"parts\":[{\"inlineData\":{\"data\":\"AAAA\","
          "\"mime_type\":\"image/png\"}},{\"text\":\"x\"},{\"inline_data"
          "\":{\"mimeType\":\"audio/mp3\",\"data\":\"AAA\"}}]}]}"
          "", { 1, 7, 3 } },
        { "/model/m/converse",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"image\":{\"fo"
          "rmat\":\"png\",\"source\":{\"bytes\":\"AAAA\"}}},{\"toolResult"
          "\":{\"content\":[{\"image\":{\"source\":{\"bytes\":\"AA\"}}}]}}"
          "]}]}", { 2, 6, 0 } },
        { "/api/chat",
          "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"images\":["
          "\"AAAA\",\"AA\"]}]}", { 2, 6, 0 } },
        { "/api/generate",
          "{\"prompt\":\"x\",\"images\":[\"AAAA\"]}", { 1, 4, 0 } },
        { "/v2/embed",
          "{\"images\":[\"data:image/png;base64,AA\"]}", { 1, 24, 0 } }
    };

    const tg_request_info_t  *i;

    (void) state;

    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        i = body(rows[k].path, rows[k].json);

        if (i->elsewhere || i->pictures != (unsigned) rows[k].is[0]
            || i->media_bytes != (unsigned) rows[k].is[1]
            || i->sound_bytes != (unsigned) rows[k].is[2])
        {
            fail_msg("%s: %u pictures", rows[k].json, i->pictures);
        }
    }
}


static void
test_all_that_multiplies_or_adds_output_is_read(void **state)
{
    const tg_request_info_t  *i;

    (void) state;

    assert_int_equal(body("/v1/completions", "{\"n\":2,\"best_of\":5}")->n, 5);
    assert_true(body("/v1/completions", "{\"n\":1e400}")->n == INT64_MAX);
    assert_true(body("/v1/completions", "{\"n\":18446744073709551617}")->n
                == INT64_MAX);
    assert_int_equal(body("/v1/completions", "{\"n\":-1e400}")->n, 1);
    assert_int_equal(body("/v1/completions", "{\"n\":\"many\"}")->n, 1);
    assert_int_equal(body("/v1beta/models/m:generateContent",
                          "{\"generationConfig\":{\"candidate_count\":3}}")->n,
                     3);

    i = body("/v1/chat/completions",
             "{\"prediction\":{\"content\":[{\"text\":\"12345\"}]}}");
    assert_int_equal(i->prediction_bytes, 5);

    i = body("/v2/rerank",
             "{\"query\":\"123\",\"documents\":[\"a\",\"b\"]}");
    assert_int_equal(i->query_bytes, 3);
    assert_int_equal(i->messages, 2);
}


static void
test_limits_are_found_under_all_their_names(void **state)
{
    static const struct {
        const char  *path;
        const char  *json;
    } rows[] = {
        { "/v1/chat/completions", "{\"max_tokens\":77}" },
        { "/v1/chat/completions", "{\"max_tokens\":77.0}" },
        { "/v1/responses", "{\"max_output_tokens\":77}" },
        { "/v1/messages", "{\"max_tokens\":77}" },
        { "/v1/complete", "{\"max_tokens_to_sample\":77}" },
        { "/v1beta/models/m:generateContent",
          "{\"generationConfig\":{\"maxOutputTokens\":77}}" },
        { "/v1beta/models/m:generateContent",
          "{\"generation_config\":{\"max_output_tokens\":77}}" },
        { "/model/m/converse", "{\"inferenceConfig\":{\"maxTokens\":77}}" },
        { "/model/m/invoke", "{\"max_gen_len\":77}" },
        { "/model/m/invoke",
          "{\"textGenerationConfig\":{\"maxTokenCount\":77}}" },
        { "/api/chat", "{\"options\":{\"num_predict\":77}}" },
        { "/v2/chat", "{\"max_tokens\":77}" },
        { "/generate", "{\"parameters\":{\"max_new_tokens\":77}}" }
    };

    (void) state;

    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        assert_int_equal(body(rows[k].path, rows[k].json)->max_tokens, 77);
    }

    assert_int_equal(body("/v1/messages", "{}")->max_tokens, -1);
}


static void
test_ollama_streams_unless_told_not_to(void **state)
{
    (void) state;

    assert_true(body("/api/chat", "{\"model\":\"m\"}")->stream);
    assert_false(body("/api/chat", "{\"stream\":false}")->stream);
    assert_false(body("/v1/chat/completions", "{}")->stream);
}


static void
test_path_model_holds_where_the_path_decides(void **state)
{
    (void) state;

    assert_text(body("/v1beta/models/good:generateContent",
                     "{\"model\":\"evil\"}")->model, "good");
    assert_text(body("/openai/deployments/dep/chat/completions",
                     "{\"model\":\"gpt-4o\"}")->model, "gpt-4o");
    assert_text(body("/openai/deployments/dep/chat/completions",
                     "{}")->model, "dep");
}


static void
test_system_text_is_told_in_every_api(void **state)
{
    (void) state;

    assert_int_equal(body("/v1/messages", "{\"system\":[{\"text\":\"1234\"}],"
                          "\"messages\":[{\"role\":\"user\",\"content\":\"56\""
                          "}]}")->system_bytes, 4);
    assert_int_equal(body("/v1/responses", "{\"instructions\":\"1234\","
                          "\"input\":\"56\"}")->system_bytes, 4);
    assert_int_equal(body("/v1beta/models/m:generateContent",
                          "{\"systemInstruction\":{\"parts\":[{\"text\":"
                          "\"1234\"}]}}")->system_bytes, 4);
    assert_int_equal(body("/v1/chat/completions", "{\"messages\":[{\"role\":"
                          "\"developer\",\"content\":[{\"text\":\"1234\"}]}]}")
                     ->system_bytes, 4);
}


static void
test_embedding_inputs_are_counted(void **state)
{
    (void) state;

    assert_int_equal(body("/v1/embeddings", "{\"input\":[\"a\",\"bcd\"]}")
                     ->messages, 2);
    assert_int_equal(body("/v1/embeddings", "{\"input\":\"abcd\"}")
                     ->text_bytes, 4);
    assert_int_equal(body("/v1/embeddings", "{\"input\":[5,6,7]}")
                     ->text_bytes, 12);
    assert_int_equal(body("/v1/embeddings", "{\"input\":[5,6,7]}")
                     ->messages, 1);
}


static void
test_ranges_point_at_what_can_be_replaced(void **state)
{
    static const char         json[] =
        "{ \"model\" : \"gpt-4o\" , \"stream_options\":null }";
    const tg_request_info_t  *i = body("/v1/chat/completions", json);

    (void) state;

    assert_memory_equal(json + i->model_member.start, "\"gpt-4o\"", 8);
    assert_int_equal(i->model_member.end - i->model_member.start, 8);
    assert_int_equal(json[i->model_member.next], ',');
    assert_int_equal(i->model_member.comma, TG_JSON_NOWHERE);
    assert_int_equal(json[i->stream_options_member.comma], ',');
    assert_int_equal(json[i->stream_options_member.key], '"');
    assert_int_equal(json[i->root_end], '}');
    assert_text(i->stream_options, "null");
    assert_true(body("/v1/chat/completions", " { \n } ")->root_empty);
    assert_false(body("/v1/chat/completions", " { \"a\":{} } ")->root_empty);
}


static void
refused(const char *path, const char *json, int code, uint64_t offset)
{
    tg_request_t  *r;

    for (size_t chunk = 1; chunk < 4; chunk++) {
        r = start(path, "application/json; charset=utf-8", "", NULL, NULL);
        assert_int_equal(feed(r, json, chunk), TG_ERROR);
        assert_false(tg_request_inspected(r));
        assert_int_equal(tg_request_error(r)->code, code);
        assert_int_equal(tg_request_error(r)->offset, offset);
        assert_int_equal(tg_request_info(r)->bytes, strlen(json));
        assert_true(strlen(tg_request_error(r)->message) > 10);
    }
}


static void
test_a_field_said_twice_is_refused(void **state)
{
    (void) state;

    refused("/v1/chat/completions", "{\"model\":\"a\",\"mod\\u0065l\":\"b\"}",
            TG_REQUEST_ERROR_DUPLICATE, 13);
    refused("/v1/chat/completions", "{\"stream\":true,\"stream\":false}",
            TG_REQUEST_ERROR_DUPLICATE, 15);
    refused("/v1/chat/completions", "{\"stream_options\":{},"
            "\"stream_options\":{}}", TG_REQUEST_ERROR_DUPLICATE, 21);
    refused("/v1/messages", "{\"max_tokens\":1,\"max_tokens\":9}",
            TG_REQUEST_ERROR_DUPLICATE, 16);
}


static void
test_wrong_types_are_refused(void **state)
{
    (void) state;

    refused("/v1/chat/completions", "{\"model\":[\"a\"]}",
            TG_REQUEST_ERROR_TYPE, 9);
    refused("/v1/chat/completions", "{\"model\":7}",
            TG_REQUEST_ERROR_TYPE, 9);
    refused("/v1/chat/completions", "{\"stream\":\"yes\"}",
            TG_REQUEST_ERROR_TYPE, 10);
    refused("/v1/chat/completions", "{\"stream_options\":[]}",
            TG_REQUEST_ERROR_TYPE, 18);
}


static void
test_what_is_not_json_is_refused_with_its_offset(void **state)
{
    tg_request_t  *r;

    (void) state;

    refused("/v1/chat/completions", "{\"model\":\"a\",}", TG_JSON_E_SYNTAX,
            13);
    refused("/v1/chat/completions", "hello", TG_JSON_E_SYNTAX, 0);
    refused("/v1/chat/completions", "{\"model\":", TG_JSON_E_TRUNCATED, 9);

    r = start("/v1/chat/completions", "application/json", "", NULL, NULL);
    assert_int_equal(feed(r, "{\"a\":01}", 100), TG_ERROR);
    assert_string_equal(tg_request_error(r)->message,
                        "request body is not valid JSON at byte 6: "
                        "malformed number");
}


static void
test_bodies_that_cannot_be_read_are_not_errors(void **state)
{
    tg_request_t  *r;

    (void) state;

    r = start("/v1/chat/completions", "application/json", "gzip", NULL, NULL);
    assert_int_equal(feed(r, "\x1f\x8b....", 2), TG_OK);
    assert_false(tg_request_inspected(r));
    assert_int_equal(tg_request_info(r)->bytes, 6);

    r = start("/v1/chat/completions", "text/plain", "", NULL, NULL);
    assert_int_equal(feed(r, "hello", 2), TG_OK);
    assert_false(tg_request_inspected(r));

    r = start("/some/where", "application/json", "", NULL, NULL);
    assert_int_equal(feed(r, "{\"model\":}", 2), TG_OK);
    assert_false(tg_request_inspected(r));

    r = start("/v1/chat/completions", "", "", NULL, NULL);
    assert_int_equal(feed(r, "", 1), TG_OK);
    assert_true(tg_request_inspected(r));
}


static void
test_json_of_another_content_type_is_read_all_the_same(void **state)
{
    tg_request_t  *r = start("/api/chat", "application/x-www-form-urlencoded",
                             "identity", NULL, NULL);

    (void) state;

    assert_int_equal(feed(r, " {\"model\":\"llama3\"}", 1), TG_OK);
    assert_true(tg_request_inspected(r));
    assert_text(tg_request_info(r)->model, "llama3");

    r = start("/unknown/api", "application/json", "", NULL, NULL);
    assert_int_equal(feed(r, "{\"model\":\"m\"}", 3), TG_OK);
    assert_text(tg_request_info(r)->model, "m");
}


#define PART(name)  "--XX\r\nContent-Disposition: form-data; name=\"" name "\""

static void
test_forms_are_read(void **state)
{
    static const char  form[] =
        PART("model") "\r\n\r\nwhisper-1\r\n"
        PART("stream") "\r\n\r\nTrue\r\n"
        PART("file") "; filename=\"a.wav\"\r\n\r\nRIFF....\r\n"
        PART("response_format") "\r\n\r\njson\r\n--XX--\r\n";

    tg_request_t  *r;

    (void) state;

    for (size_t chunk = 1; chunk < 9; chunk++) {
        r = start("/v1/audio/transcriptions",
                  "multipart/form-data; boundary=XX", "", NULL, NULL);
        assert_int_equal(feed(r, form, chunk), TG_OK);
        assert_true(tg_request_inspected(r));
        assert_text(tg_request_info(r)->model, "whisper-1");
        assert_true(tg_request_info(r)->stream);
        assert_true(tg_request_info(r)->has_audio);
        assert_int_equal(tg_request_info(r)->bytes, sizeof(form) - 1);
    }
}


static void
test_forms_have_a_model_once(void **state)
{
    static const char  form[] =
        PART("model") "\r\n\r\na\r\n" PART("model") "\r\n\r\nb\r\n--XX--\r\n";

    tg_request_t  *r = start("/v1/audio/transcriptions",
                             "multipart/form-data; boundary=XX", "", NULL,
                             NULL);

    (void) state;

    assert_int_equal(feed(r, form, 100), TG_ERROR);
    assert_int_equal(tg_request_error(r)->code, TG_REQUEST_ERROR_DUPLICATE);

    r = start("/v1/audio/transcriptions", "multipart/form-data; boundary=YY",
              "", NULL, NULL);
    assert_int_equal(feed(r, "no form at all", 100), TG_OK);
    assert_false(tg_request_inspected(r));
}


static void
test_operators_fields_are_read_beside_ours(void **state)
{
    static const tg_str_t  paths[] = {
        TG_STR("metadata.session_id"), TG_STR("model"), TG_STR("user"),
        TG_STR("metadata.session_id"), TG_STR("metadata.n"),
        TG_STR("absent"), TG_STR("messages[].role"), TG_STR("flag")
    };

    static const char  json[] =
        "{\"model\":\"gpt\\u002d4o\",\"user\":\"u\",\"flag\":true,\"metadata\":"
        "{\"session_id\":\"s-1\",\"n\":1.50},"
        "\"messages\":[{\"role\":\"user\",\"content\":\"x\"},"
        "{\"role\":\"assistant\",\"content\":\"y\"}]}";

    tg_request_fields_t  *f;
    tg_request_t         *r;
    tg_str_t              v[8];
    tg_error_t            err;

    (void) state;

    f = tg_request_fields(tg_arena_mem(arena), paths, 8, &err);
    assert_non_null(f);

    for (size_t chunk = 1; chunk < 50; chunk += 7) {
        r = start("/v1/chat/completions", "application/json", "", f, v);
        assert_int_equal(feed(r, json, chunk), TG_OK);
        assert_text(v[0], "s-1");
        assert_text(v[1], "gpt-4o");
        assert_text(v[2], "u");
        assert_text(v[3], "s-1");
        assert_text(v[4], "1.50");
        assert_null(v[5].p);
        assert_text(v[6], "user");
        assert_text(v[7], "true");
        assert_text(tg_request_info(r)->model, "gpt-4o");
        assert_text(tg_request_info(r)->user, "u");
        assert_int_equal(tg_request_info(r)->messages, 2);
    }

    r = start("/v1/chat/completions", "application/json", "", f, NULL);
    assert_int_equal(feed(r, json, 9), TG_OK);
}


static void
test_bad_operators_fields_are_refused(void **state)
{
    static const tg_str_t  bad[] = { TG_STR("a..b") };

    tg_str_t    many[33];
    tg_error_t  err;

    (void) state;

    assert_null(tg_request_fields(tg_arena_mem(arena), bad, 1, &err));
    assert_true(strlen(err.message) > 0);

    for (size_t i = 0; i < 33; i++) {
        many[i] = tg_str("x");
    }

    assert_null(tg_request_fields(tg_arena_mem(arena), many, 33, &err));
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
test_exhaustion_is_an_error_not_a_crash(void **state)
{
    size_t         left;
    tg_mem_t       mem = { no_more, &left };
    tg_dialect_t   d;
    tg_request_t  *r;

    (void) state;

    (void) start("/v1/chat/completions", "", "", NULL, NULL);

    for (size_t n = 0; n < 6; n++) {
        left = n;
        tg_dialect_recognise(&d, &mem, tg_str("POST"),
                             tg_str("/openai/deployments/a/chat/completions"),
                             tg_str(""), tg_str(""), NULL);
        r = tg_request_create(&mem, &d, tg_str("application/json"),
                              tg_str(""), NULL, NULL);
        if (r != NULL) {
            (void) feed(r, "{\"model\":\"m\",\"user\":\"u\","
                           "\"service_tier\":\"t\",\"stream_options\":{}}", 5);
        }
    }

    assert_non_null(r);
}


static void
test_models_that_may_answer_as_well(void **state)
{
    const tg_request_info_t  *info;
    tg_request_t             *r;

    (void) state;

    info = body("/v1/chat/completions", "{\"model\":\"a\",\"models\":[\"b\","
                "null,\"c\"],\"fallbacks\":[\"d\",{\"model\":\"e\"}]}");
    assert_int_equal(info->nothers, 4);
    assert_true(tg_str_eq(info->model, tg_str("a")));
    assert_true(tg_str_eq(info->others[0], tg_str("b")));
    assert_true(tg_str_eq(info->others[1], tg_str("c")));
    assert_true(tg_str_eq(info->others[2], tg_str("d")));
    assert_true(tg_str_eq(info->others[3], tg_str("e")));

    info = body("/v1/messages", "{\"model\":\"a\",\"tools\":[{\"type\":"
                "\"advisor_20260301\",\"model\":\"b\"}]}");
    assert_int_equal(info->nothers, 1);

    r = start("/v1/chat/completions", "application/json", "", NULL, NULL);
    assert_int_equal(feed(r, "{\"models\":[\"1\",\"2\",\"3\",\"4\",\"5\","
                          "\"6\",\"7\",\"8\",\"9\"]}", SIZE_MAX), TG_ERROR);
    assert_non_null(strstr(tg_request_error(r)->message, "too many models"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_models_that_may_answer_as_well),
        cmocka_unit_test(test_each_conversation_of_a_batch_is_answered),
        cmocka_unit_test(test_chat_request_is_read),
        cmocka_unit_test(test_what_is_not_in_the_body_is_told),
        cmocka_unit_test(test_tools_that_the_provider_runs_are_told_with_their_limit),
        cmocka_unit_test(test_pictures_and_sounds_are_counted_with_their_bytes),
        cmocka_unit_test(test_all_that_multiplies_or_adds_output_is_read),
        cmocka_unit_test(test_limits_are_found_under_all_their_names),
        cmocka_unit_test(test_ollama_streams_unless_told_not_to),
        cmocka_unit_test(test_path_model_holds_where_the_path_decides),
        cmocka_unit_test(test_system_text_is_told_in_every_api),
        cmocka_unit_test(test_embedding_inputs_are_counted),
        cmocka_unit_test(test_ranges_point_at_what_can_be_replaced),
        cmocka_unit_test(test_a_field_said_twice_is_refused),
        cmocka_unit_test(test_wrong_types_are_refused),
        cmocka_unit_test(test_what_is_not_json_is_refused_with_its_offset),
        cmocka_unit_test(test_bodies_that_cannot_be_read_are_not_errors),
        cmocka_unit_test(
            test_json_of_another_content_type_is_read_all_the_same),
        cmocka_unit_test(test_forms_are_read),
        cmocka_unit_test(test_forms_have_a_model_once),
        cmocka_unit_test(test_operators_fields_are_read_beside_ours),
        cmocka_unit_test(test_bad_operators_fields_are_refused),
        cmocka_unit_test(test_exhaustion_is_an_error_not_a_crash)
    };

    return cmocka_run_group_tests_name("request", tests, setup, teardown);
}
