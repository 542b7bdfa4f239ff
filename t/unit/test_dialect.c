#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tg_dialect_int.h"

typedef struct {
    const char  *method;
    const char  *path;
    const char  *args;
    const char  *host;
    const char  *api;
    const char  *vendor;
    const char  *model;
    tg_op_t      op;
    bool         stream;
} row_t;

static tg_arena_t  *arena;


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;

    arena = tg_arena_create(0);

    if (tg_dialect_setup(tg_arena_mem(arena), &err) != TG_OK) {
        print_error("%s\n", err.message);
        return -1;
    }

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    tg_arena_destroy(arena);

    return 0;
}


static void
recognise(tg_dialect_t *d, const char *method, const char *path,
    const char *args, const char *host)
{
    tg_dialect_recognise(d, tg_arena_mem(arena), tg_strz(method),
                         tg_strz(path), tg_strz(args), tg_strz(host), NULL);
}


static void
assert_text(tg_str_t is, const char *should, const char *where)
{
    if (!tg_str_eq(is, tg_strz(should))) {
        fail_msg("%s: \"%.*s\" is not \"%s\"", where, (int) is.len,
                 is.len ? is.p : "", should);
    }
}


static void
check(const row_t *rows, size_t n)
{
    tg_dialect_t  d;

    for (size_t i = 0; i < n; i++) {
        recognise(&d, rows[i].method, rows[i].path, rows[i].args,
                  rows[i].host);
        assert_text(tg_api_name(d.api), rows[i].api, rows[i].path);
        assert_text(tg_vendor_name(d.vendor), rows[i].vendor, rows[i].path);
        assert_text(d.model, rows[i].model, rows[i].path);
        assert_text(tg_op_name(tg_api_op(d.api)),
                    tg_op_name(rows[i].op).p, rows[i].path);
        assert_int_equal(d.stream, rows[i].stream);
    }
}


static void
test_openai_paths_are_told_with_any_prefix(void **state)
{
    static const row_t  rows[] = {
        { "POST", "/v1/chat/completions", "", "api.openai.com",
          "openai.chat", "openai", "", TG_OP_CHAT, false },
        { "POST", "/chat/completions", "", "api.deepseek.com",
          "openai.chat", "deepseek", "", TG_OP_CHAT, false },
        { "POST", "/openai/v1/chat/completions/", "", "api.groq.com:443",
          "openai.chat", "groq", "", TG_OP_CHAT, false },
        { "POST", "//api//v1/chat/completions", "", "openrouter.ai",
          "openai.chat", "openrouter", "", TG_OP_CHAT, false },
        { "POST", "/compatible-mode/v1/chat/completions", "",
          "dashscope-intl.aliyuncs.com", "openai.chat", "alibaba", "",
          TG_OP_CHAT, false },
        { "POST", "/api/coding/paas/v4/chat/completions", "", "API.Z.AI.",
          "openai.chat", "z_ai", "", TG_OP_CHAT, false },
        { "POST", "/v1beta/openai/chat/completions", "",
          "generativelanguage.googleapis.com", "openai.chat", "gcp.gemini",
          "", TG_OP_CHAT, false },
        { "POST", "/v1/responses/compact", "", "api.openai.com",
          "openai.responses.compact", "openai", "", TG_OP_CHAT, false },
        { "GET", "/v1/responses/resp_1", "starting_after=0&stream=true",
          "api.openai.com", "openai.responses.retrieve", "openai", "",
          TG_OP_RETRIEVE, true },
        { "POST", "/v1/responses/input_tokens", "", "api.openai.com",
          "openai.responses.count", "openai", "", TG_OP_COUNT_TOKENS, false },
        { "GET", "/v1/batches/batch_1", "", "api.openai.com",
          "openai.batch", "openai", "", TG_OP_BATCH, false },
        { "GET", "/v1/files/file-1/content", "", "api.openai.com",
          "openai.batch.results", "openai", "", TG_OP_BATCH, false },
        { "GET", "/v1/models", "", "api.openai.com",
          "openai.models", "openai", "", TG_OP_MODELS, false },
        { "GET", "/v1/models/org%2Fgpt-4o", "", "api.openai.com",
          "openai.models", "openai", "org/gpt-4o", TG_OP_MODELS, false },
        { "GET", "/v1beta/models/gemini-2.5-pro", "",
          "generativelanguage.googleapis.com", "gemini.models", "gcp.gemini",
          "gemini-2.5-pro", TG_OP_MODELS, false },
        { "GET", "/foundation-models/anthropic.claude-v2:1", "",
          "bedrock.us-east-1.amazonaws.com", "bedrock.models", "aws.bedrock",
          "anthropic.claude-v2:1", TG_OP_MODELS, false },
        { "POST", "/api/show", "", "ollama.local", "ollama.show", "ollama",
          "", TG_OP_MODELS, false },
        { "POST", "/v1/audio/translations", "", "api.openai.com",
          "openai.transcriptions", "openai", "", TG_OP_TRANSCRIPTION, false },
        { "GET", "/v1/chat/completions/chatcmpl-1", "", "api.openai.com",
          "openai.chat.retrieve", "openai", "", TG_OP_RETRIEVE, false },
        { "POST", "/v1/chat/completions/chatcmpl-1", "", "api.openai.com",
          "openai.chat.retrieve", "openai", "", TG_OP_RETRIEVE, false },
        { "POST", "/v1/chat/completions/batch", "", "10.1.2.3",
          "vllm.chat.batch", "openai", "", TG_OP_CHAT, false },
        { "POST", "/v1/uploads/upload_1/complete", "", "api.openai.com",
          "openai.uploads", "openai", "", TG_OP_UNKNOWN, false },
        { "GET", "/v1/chat/completions", "", "api.openai.com",
          "unknown", "openai", "", TG_OP_UNKNOWN, false },
        { "POST", "/api/v2/cortex/inference:complete", "",
          "x.snowflakecomputing.com", "openai.chat", "snowflake", "",
          TG_OP_CHAT, false },
        { "POST", "/providers/mistral/azure/ocr", "",
          "r.services.ai.azure.com", "mistral.ocr", "azure.ai.inference", "",
          TG_OP_GENERATE_CONTENT, false },
        { "POST", "/v1/threads/runs", "", "api.openai.com", "openai.runs",
          "openai", "", TG_OP_CHAT, false },
        { "POST", "/openai/threads/thread_1/runs", "", "r.openai.azure.com",
          "openai.runs", "azure.ai.openai", "", TG_OP_CHAT, false },
        { "POST", "/v1/threads/thread_1/runs/run_1/submit_tool_outputs", "",
          "api.openai.com", "openai.runs", "openai", "", TG_OP_CHAT, false },
        { "GET", "/v1/threads/thread_1/runs/run_1", "", "api.openai.com",
          "openai.runs.retrieve", "openai", "", TG_OP_RETRIEVE, false },
        { "GET", "/v1/threads/thread_1/runs/run_1/steps/step_1", "",
          "api.openai.com", "openai.runs.retrieve", "openai", "",
          TG_OP_RETRIEVE, false },
        { "POST", "/v1/threads/thread_1/messages", "", "api.openai.com",
          "unknown", "openai", "", TG_OP_UNKNOWN, false },
        { "DELETE", "/v1/chat/completions", "", "api.openai.com",
          "unknown", "openai", "", TG_OP_UNKNOWN, false }
    };

    (void) state;

    check(rows, sizeof(rows) / sizeof(rows[0]));
}


/* What servers make of them is not what is written. */
static void
test_devious_paths_are_of_no_api(void **state)
{
    static const char *const  paths[] = {
        "/v1/messages#/v1/messages/count_tokens",
        "/v1/chat/completions#/v1/embeddings",
        "/model/cheap%2F..%2Fdear/converse",
        "/model/cheap%2f%2e%2e%2fdear/converse",
        "/model/x/%2E%2e/model/dear/converse",
        "/v1/./chat/completions",
        "/v1/%2e/chat/completions",
        "/v1/x/../chat/completions",
        "/../v1/chat/completions",
        "/v1/chat/completions/..",
        "/v1beta/models/cheap/..%2Fdear:generateContent"
    };

    tg_dialect_t  d;

    (void) state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        recognise(&d, "POST", paths[i], "", "");
        assert_text(tg_api_name(d.api), "unknown", paths[i]);
        assert_text(d.model, "", paths[i]);
        assert_true(tg_dialect_devious(tg_str("POST"), tg_strz(paths[i])));
    }

    recognise(&d, "POST", "/v1/...x/..y/z../chat/completions", "", "");
    assert_text(tg_api_name(d.api), "openai.chat", "dots in names");

    recognise(&d, "POST", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3A"
              "inference-profile%2Fus.m-v1..2/converse", "", "");
    assert_text(d.model, "us.m-v1..2", "encoded slash");
}


static void
test_azure_deployment_is_the_model(void **state)
{
    static const row_t  rows[] = {
        { "POST", "/openai/deployments/my-gpt/chat/completions",
          "api-version=2025-04-01-preview", "res.openai.azure.com",
          "openai.chat", "azure.ai.openai", "my-gpt", TG_OP_CHAT, false },
        { "POST", "//openai/deployments/e3/embeddings", "",
          "res.cognitiveservices.azure.com", "openai.embeddings",
          "azure.ai.openai", "e3", TG_OP_EMBEDDINGS, false },
        { "POST", "/models/chat/completions", "", "res.services.ai.azure.com",
          "openai.chat", "azure.ai.inference", "", TG_OP_CHAT, false },
        { "POST", "/openai/v1/responses", "", "res.openai.azure.com",
          "openai.responses", "azure.ai.openai", "", TG_OP_CHAT, false }
    };

    (void) state;

    check(rows, sizeof(rows) / sizeof(rows[0]));
}


static void
test_google_paths_carry_model_and_stream(void **state)
{
    static const row_t  rows[] = {
        { "POST", "/v1beta/models/gemini-2.5-pro:generateContent", "",
          "generativelanguage.googleapis.com", "gemini.generate",
          "gcp.gemini", "gemini-2.5-pro", TG_OP_GENERATE_CONTENT, false },
        { "POST", "/v1beta/models/gemini-2.5-pro%3AstreamGenerateContent",
          "alt=sse", "", "gemini.generate", "gcp.gemini", "gemini-2.5-pro",
          TG_OP_GENERATE_CONTENT, true },
        { "POST", "/v1/projects/p/locations/global/publishers/google/models/"
          "gemini-2.5-pro:streamGenerateContent", "",
          "us-central1-aiplatform.googleapis.com", "vertex.generate",
          "gcp.vertex_ai", "gemini-2.5-pro", TG_OP_GENERATE_CONTENT, true },
        { "POST", "/v1/projects/p/locations/l/publishers/anthropic/models/"
          "claude-sonnet-4-5@20250929:streamRawPredict", "",
          "aiplatform.googleapis.com", "vertex.anthropic", "gcp.vertex_ai",
          "claude-sonnet-4-5@20250929", TG_OP_CHAT, true },
        { "POST", "/v1/projects/p/locations/l/publishers/google/models/"
          "gemini-embedding-001:predict", "", "10.0.0.1", "vertex.predict",
          "gcp.vertex_ai", "gemini-embedding-001", TG_OP_EMBEDDINGS, false },
        { "POST", "/v1/projects/p/locations/l/publishers/google/models/"
          "imagen-4:predict", "", "10.0.0.1", "vertex.imagen",
          "gcp.vertex_ai", "imagen-4", TG_OP_IMAGE, false },
        { "POST", "/v1beta/models/m:batchEmbedContents", "", "",
          "gemini.embed", "gcp.gemini", "m", TG_OP_EMBEDDINGS, false },
        { "POST", "/v1beta/models/m:countTokens", "", "",
          "gemini.count_tokens", "gcp.gemini", "m", TG_OP_COUNT_TOKENS,
          false },
        { "GET", "/v1beta/batches/b1", "", "generativelanguage.googleapis.com",
          "gemini.batch.results", "gcp.gemini", "", TG_OP_BATCH, false },
        { "GET", "/v1beta/cachedContents/c1", "", "", "gemini.cache.manage",
          "gcp.gemini", "", TG_OP_CACHE, false },
        { "POST", "/v1beta/interactions", "alt=sse", "",
          "gemini.interactions", "gcp.gemini", "", TG_OP_CHAT, true }
    };

    (void) state;

    check(rows, sizeof(rows) / sizeof(rows[0]));
}


static void
test_bedrock_models_are_decoded(void **state)
{
    static const row_t  rows[] = {
        { "POST", "/model/us.amazon.nova-lite-v1%3A0/converse-stream", "",
          "bedrock-runtime.us-east-1.amazonaws.com", "bedrock.converse",
          "aws.bedrock", "us.amazon.nova-lite-v1:0", TG_OP_CHAT, true },
        { "POST", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-"
          "profile%2Fus.anthropic.claude-sonnet-4-6/invoke", "", "",
          "bedrock.invoke", "aws.bedrock", "us.anthropic.claude-sonnet-4-6",
          TG_OP_CHAT, false },
        { "POST", "/model/arn:aws:bedrock:us-east-1:1:application-inference-"
          "profile/abc/invoke-with-response-stream", "", "",
          "bedrock.invoke", "aws.bedrock",
          "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
          TG_OP_CHAT, true },
        { "POST", "/model/cohere.embed-v4%3A0/invoke", "", "",
          "bedrock.invoke.embed", "aws.bedrock", "cohere.embed-v4:0",
          TG_OP_EMBEDDINGS, false },
        { "POST", "/model/m/count-tokens", "", "", "bedrock.count_tokens",
          "aws.bedrock", "m", TG_OP_COUNT_TOKENS, false },
        { "POST", "/v1/chat/completions", "",
          "bedrock-mantle.us-east-1.api.aws", "openai.chat", "aws.bedrock",
          "", TG_OP_CHAT, false }
    };

    (void) state;

    check(rows, sizeof(rows) / sizeof(rows[0]));
}


static void
test_path_alone_tells_the_vendor_behind_an_address(void **state)
{
    static const row_t  rows[] = {
        { "POST", "/v1/messages", "", "127.0.0.1:9000", "anthropic.messages",
          "anthropic", "", TG_OP_CHAT, false },
        { "POST", "/v1/messages/count_tokens", "beta=true", "",
          "anthropic.count_tokens", "anthropic", "", TG_OP_COUNT_TOKENS,
          false },
        { "GET", "/v1/messages/batches/b/results", "", "",
          "anthropic.batch.results", "anthropic", "", TG_OP_BATCH, false },
        { "POST", "/v1/chat/completions", "", "10.1.2.3", "openai.chat",
          "openai", "", TG_OP_CHAT, false },
        { "POST", "/api/chat", "", "10.1.2.3", "ollama.chat", "ollama", "",
          TG_OP_CHAT, false },
        { "POST", "/v1/chat/completions", "", "localhost:11434",
          "openai.chat", "ollama", "", TG_OP_CHAT, false },
        { "POST", "/v2/chat", "", "10.1.2.3", "cohere.chat", "cohere", "",
          TG_OP_CHAT, false },
        { "POST", "/v2/rerank", "", "10.1.2.3", "cohere.rerank", "cohere", "",
          TG_OP_RERANK, false },
        { "POST", "/generate_stream", "", "10.1.2.3", "tgi.generate", "tgi",
          "", TG_OP_TEXT_COMPLETION, true },
        { "POST", "/v1/chat/completions", "", "vllm", "openai.chat", "vllm",
          "", TG_OP_CHAT, false },
        { "POST", "/ml/v1/deployments/d/text/chat_stream", "", "10.1.2.3",
          "watsonx.chat", "ibm.watsonx.ai", "", TG_OP_CHAT, true },
        { "POST", "/ml/v1/deployments/d/text/generation", "", "10.1.2.3",
          "watsonx.generate", "ibm.watsonx.ai", "", TG_OP_TEXT_COMPLETION,
          false },
        { "POST", "/ml/v1-beta/generation/text", "version=2023-05-29",
          "us-south.ml.cloud.ibm.com", "watsonx.generate", "ibm.watsonx.ai",
          "", TG_OP_TEXT_COMPLETION, false },
        { "POST", "/ml/v1-beta/generation/text_stream", "", "10.1.2.3",
          "watsonx.generate", "ibm.watsonx.ai", "", TG_OP_TEXT_COMPLETION,
          true },
        { "POST", "/v1/complete", "", "10.1.2.3", "anthropic.complete",
          "anthropic", "", TG_OP_TEXT_COMPLETION, false },
        { "POST", "/complete", "", "10.1.2.3", "aleph_alpha.complete",
          "unknown", "", TG_OP_TEXT_COMPLETION, false },
        { "POST", "/api/v1/services/aigc/text-generation/generation", "",
          "dashscope.aliyuncs.com", "dashscope.generate", "alibaba", "",
          TG_OP_CHAT, false },
        { "POST", "/api/v1/services/embeddings/text-embedding/text-embedding",
          "", "dashscope-intl.aliyuncs.com", "dashscope.embed", "alibaba", "",
          TG_OP_EMBEDDINGS, false },
        { "POST", "/anything", "", "10.1.2.3", "unknown", "unknown", "",
          TG_OP_UNKNOWN, false }
    };

    (void) state;

    check(rows, sizeof(rows) / sizeof(rows[0]));
}


static void
test_hosts_tell_the_vendors_that_serve_open_models(void **state)
{
    static const char *const  hosts[][2] = {
        { "api.writer.com:443", "writer" },
        { "us.inference.heroku.com", "heroku" },
        { "models.github.ai", "github" },
        { "models.inference.ai.azure.com", "azure.ai.inference" },
        { "api.individual.githubcopilot.com", "github_copilot" },
        { "oai.endpoints.kepler.ai.cloud.ovh.net", "ovhcloud" },
        { "api.scaleway.ai", "scaleway" },
        { "api.lambda.ai", "lambda_ai" },
        { "api.friendli.ai", "friendli" },
        { "ark.cn-beijing.volces.com", "volcengine" },
        { "managed-inference-api-proxy.crusoecloud.com", "crusoe" },
        { "inference.do-ai.run", "gradient_ai" },
        { "api.llama.com", "meta_llama" },
        { "api.z.ai", "z_ai" }
    };

    (void) state;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        assert_text(tg_vendor_name(tg_vendor_by_host(tg_strz(hosts[i][0]))),
                    hosts[i][1], hosts[i][0]);
    }
}


static void
test_operators_word_beats_the_host(void **state)
{
    const tg_vendor_t  *v = tg_vendor_by_name(tg_str("xAI"));
    tg_dialect_t        d;

    (void) state;

    assert_non_null(v);
    assert_ptr_equal(v, tg_vendor_by_name(tg_str("x_ai")));
    assert_null(tg_vendor_by_name(tg_str("nobody")));

    tg_dialect_recognise(&d, tg_arena_mem(arena), tg_str("POST"),
                         tg_str("/v1/chat/completions"), tg_str(""),
                         tg_str("api.openai.com"), v);
    assert_text(tg_vendor_name(d.vendor), "x_ai", "named");

    tg_dialect_upstream(&d, tg_str("api.mistral.ai"), NULL);
    assert_text(tg_vendor_name(d.vendor), "mistral_ai", "moved");

    tg_dialect_upstream(&d, tg_str("192.0.2.1"), NULL);
    assert_text(tg_vendor_name(d.vendor), "openai", "by family");
}


static void
test_a_lookalike_host_is_not_the_vendor(void **state)
{
    static const char *const  hosts[] = {
        "api.openai.com.evil.example", "evilapi.openai.com.example",
        "xapi.x.ai.example", "notopenrouter.ai", "", "[::1]:8080"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        assert_text(tg_vendor_name(tg_vendor_by_host(tg_strz(hosts[i]))),
                    "unknown", hosts[i]);
    }
}


static void
test_usage_is_asked_for_only_where_it_helps(void **state)
{
    static const struct {
        const char  *path;
        const char  *host;
        bool         asks;
    } rows[] = {
        { "/v1/chat/completions", "api.openai.com", true },
        { "/v1/chat/completions", "10.0.0.1:8000", true },
        { "/v1/completions", "vllm", true },
        { "/v1/chat/completions", "api.x.ai", true },
        { "/v1/chat/completions", "api.mistral.ai", false },
        { "/chat/completions", "api.deepseek.com", false },
        { "/api/v1/chat/completions", "openrouter.ai", false },
        { "/v1/chat", "api.writer.com", true },
        { "/v1/chat", "api.cohere.com", false },
        { "/v1/chat", "10.0.0.1:8000", false },
        { "/v1/messages", "api.anthropic.com", false },
        { "/v1/responses", "api.openai.com", false },
        { "/api/chat", "localhost:11434", false }
    };

    tg_dialect_t  d;

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        recognise(&d, "POST", rows[i].path, "", rows[i].host);
        assert_int_equal(tg_dialect_wants_usage_option(&d), rows[i].asks);
    }
}


/* RFC 3986, 6.2.2.2: a server may not tell them apart. */
static void
test_needless_escapes_make_no_other_path(void **state)
{
    static const char *const  paths[][2] = {
        { "/v1/%63hat/completions", "openai.chat" },
        { "/v1/chat/%43ompletions", "unknown" },
        { "/v1/%6dessage%73", "anthropic.messages" },
        { "/%761/%6D%65ssages", "anthropic.messages" },
        { "/v1//respons%65s/", "openai.responses" },
        { "/v1beta/models/g%65mini-2.5-flash:generate%43ontent",
          "gemini.generate" }
    };

    tg_dialect_t   d;
    tg_api_path_t  own;

    (void) state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        recognise(&d, "POST", paths[i][0], "", "");
        assert_text(tg_api_name(d.api), paths[i][1], paths[i][0]);
    }

    assert_text(d.model, "gemini-2.5-flash", "in the path");
    assert_true(tg_dialect_path(&own, tg_arena_mem(arena), tg_str("POST"),
                                tg_str("/x/%761/%63hat/completions")));
    assert_text(own.path, "/x/v1/chat/completions", "routed");
}


/* Each is read so by some server: of Go, Python, Java, Windows. */
static void
test_paths_that_some_servers_read_otherwise(void **state)
{
    static const char *const  devious[] = {
        "/v1/chat%2fcompletions", "/v1%2Fmessages", "/v1/Chat/Completions",
        "/V1/MESSAGES", "/v1/messages%0a", "/v1/messages%20",
        "/v1/messages;x=y", "/v1;a/chat;b=c/completions;d", "/v1\\messages",
        "/v1/messages%00.html", "/v1/messages%3fx", "/v1/x/../messages",
        "/v1/x/%2e%2E%2fmessages", "/v1/messages/.", "/../v1/messages",
        "/v1beta/models/gemini-2.5-flash:GenerateContent",
        "/v1beta/models/gemini-2.5-flash%3agenerate%63ontent%20"
    };
    static const char *const  plain[] = {
        "/", "", "/v1/files", "/v1/Files", "/a%2fb", "/..", "/../..", "/;",
        "/%zz%4", "/v1/messages.html", "/v1/messages/x"
    };

    static char  longpath[5000];

    (void) state;

    for (size_t i = 0; i < sizeof(devious) / sizeof(devious[0]); i++) {
        if (!tg_dialect_devious(tg_str("POST"), tg_strz(devious[i]))) {
            fail_msg("%s is harmless", devious[i]);
        }
    }

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (tg_dialect_devious(tg_str("POST"), tg_strz(plain[i]))) {
            fail_msg("%s is devious", plain[i]);
        }
    }

    memset(longpath, '/', sizeof(longpath) - 1);
    assert_true(tg_dialect_devious(tg_str("POST"), tg_strz(longpath)));

    assert_true(tg_dialect_devious(tg_str("post"), tg_str("/v1/messages")));
    assert_false(tg_dialect_devious(tg_str("GET"), tg_str("/V1/messages")));
    assert_false(tg_dialect_devious(tg_str("PUT"), tg_str("/v1/messages")));
}


static void
test_odd_paths_are_unknown_and_harmless(void **state)
{
    static char   longpath[5000];
    tg_dialect_t  d;

    (void) state;

    memset(longpath, 'a', sizeof(longpath) - 1);
    memcpy(longpath + sizeof(longpath) - 18, "/chat/completions", 18);
    recognise(&d, "POST", longpath, "", "");
    assert_text(tg_api_name(d.api), "unknown", "long");

    recognise(&d, "POST", "", "", "");
    assert_text(tg_api_name(d.api), "unknown", "empty");

    recognise(&d, "POST", "/", "", "");
    assert_text(tg_api_name(d.api), "unknown", "root");

    recognise(&d, "POST", "////", "", "");
    assert_text(tg_api_name(d.api), "unknown", "slashes");

    recognise(&d, "POST", "/models/:generateContent", "", "");
    assert_text(tg_api_name(d.api), "unknown", "no model");

    recognise(&d, "POST", "/model/a%zz%4/converse", "", "");
    assert_text(d.model, "a%zz%4", "bad escapes");
}


static void
test_errors_are_valid_json_in_every_shape(void **state)
{
    static const char  nasty[] = "a \"quote\" \\ \x01 \xff\xfe \xe2\x80\xa8 end";
    char               buf[600];
    json_t            *j, *e;
    size_t             n;

    (void) state;

    for (int shape = TG_SHAPE_OPENAI; shape <= TG_SHAPE_BEDROCK; shape++) {
        n = tg_error_body(buf, sizeof(buf), (tg_shape_t) shape, 429,
                          tg_str("quota_exceeded"), tg_strz(nasty));
        assert_true(n > 0);
        j = json_loadb(buf, n, 0, NULL);
        assert_non_null(j);
        e = json_object_get(j, "error");

        switch (shape) {
        case TG_SHAPE_OPENAI:
            assert_non_null(json_object_get(e, "message"));
            assert_string_equal(json_string_value(json_object_get(e, "code")),
                                "quota_exceeded");
            break;
        case TG_SHAPE_ANTHROPIC:
            assert_string_equal(json_string_value(json_object_get(j, "type")),
                                "error");
            assert_string_equal(json_string_value(json_object_get(e, "type")),
                                "rate_limit_error");
            e = json_object_get(e, "details");
            assert_string_equal(json_string_value(json_object_get(e,
                                                           "error_code")),
                                "quota_exceeded");
            break;
        case TG_SHAPE_GEMINI:
            assert_int_equal(json_integer_value(json_object_get(e, "code")),
                             429);
            assert_string_equal(json_string_value(json_object_get(e,
                                                                  "status")),
                                "RESOURCE_EXHAUSTED");
            break;
        case TG_SHAPE_OLLAMA:
            assert_true(json_is_string(e));
            break;
        default:
            assert_true(json_is_string(json_object_get(j, "message")));
            break;
        }

        json_decref(j);
    }

    assert_text(tg_error_aws_type(403), "AccessDeniedException", "403");
}


static void
test_a_long_error_message_is_cut(void **state)
{
    char      buf[256], message[5000];
    size_t    n;
    json_t   *j;

    (void) state;

    memset(message, '"', sizeof(message));

    for (size_t cap = 0; cap < sizeof(buf); cap++) {
        n = tg_error_body(buf, cap, TG_SHAPE_OPENAI, 400, tg_str("x"),
                          tg_str_of(message, sizeof(message)));
        assert_true(n <= cap);

        if (n != 0) {
            j = json_loadb(buf, n, 0, NULL);
            assert_non_null(j);
            json_decref(j);
        }
    }
}


static void
test_names_of_vendors_fit_in_their_list(void **state)
{
    tg_str_t  names = tg_vendor_names();

    (void) state;

    assert_true(tg_str_match(names, tg_str("openai, *, unknown")));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_openai_paths_are_told_with_any_prefix),
        cmocka_unit_test(test_devious_paths_are_of_no_api),
        cmocka_unit_test(test_azure_deployment_is_the_model),
        cmocka_unit_test(test_google_paths_carry_model_and_stream),
        cmocka_unit_test(test_bedrock_models_are_decoded),
        cmocka_unit_test(test_path_alone_tells_the_vendor_behind_an_address),
        cmocka_unit_test(test_hosts_tell_the_vendors_that_serve_open_models),
        cmocka_unit_test(test_operators_word_beats_the_host),
        cmocka_unit_test(test_a_lookalike_host_is_not_the_vendor),
        cmocka_unit_test(test_usage_is_asked_for_only_where_it_helps),
        cmocka_unit_test(test_needless_escapes_make_no_other_path),
        cmocka_unit_test(test_paths_that_some_servers_read_otherwise),
        cmocka_unit_test(test_odd_paths_are_unknown_and_harmless),
        cmocka_unit_test(test_errors_are_valid_json_in_every_shape),
        cmocka_unit_test(test_a_long_error_message_is_cut),
        cmocka_unit_test(test_names_of_vendors_fit_in_their_list)
    };

    return cmocka_run_group_tests_name("dialect", tests, setup, teardown);
}
