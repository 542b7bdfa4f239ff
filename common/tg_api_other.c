#include "tg_dialect_int.h"
#include "tg_api_lists.h"

/* https://github.com/ollama/ollama/blob/main/docs/api.md */
static const tg_json_want_t  tg_want_ollama[] = {
    { "model", TG_A_MODEL, 0 },
    { "prompt_eval_count", TG_A_INPUT, 0 },
    { "eval_count", TG_A_OUTPUT, 0 },
    { "done", TG_A_DONE, 0 },
    { "done_reason", TG_A_FINISH, 0 },
    { "response", TG_A_TEXT, TG_JSON_COUNT },
    { "thinking", TG_A_TEXT, TG_JSON_COUNT },
    { "message.content", TG_A_TEXT, TG_JSON_COUNT },
    { "message.thinking", TG_A_TEXT, TG_JSON_COUNT },
    { "message.tool_calls[].function.name", TG_A_TOOL_NAME, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_ollama_request[] = {
    { "", TG_R_ROOT, 0 },
    { "model", TG_R_MODEL, TG_JSON_MEMBER },
    { "stream", TG_R_STREAM, 0 },
    { "options", TG_R_LIMITS, TG_JSON_RAW | TG_JSON_MEMBER },
    { "options.num_predict", TG_R_MAX_TOKENS, 0 },
    { "messages[]", TG_R_MESSAGE, 0 },
    { "messages[].role", TG_R_ROLE, 0 },
    { "messages[].content", TG_R_TEXT, TG_JSON_COUNT },
    { "messages[].images[]", TG_R_IMAGE, 0 },
    { "prompt", TG_R_INPUT, TG_JSON_COUNT },
    { "suffix", TG_R_TEXT, TG_JSON_COUNT },
    { "system", TG_R_SYSTEM, TG_JSON_COUNT },
    { "images[]", TG_R_IMAGE, 0 },
    { "input", TG_R_INPUT, TG_JSON_COUNT },
    { "input[]", TG_R_INPUT, TG_JSON_COUNT },
    { "tools[]", TG_R_TOOL, 0 },
    { "format", TG_R_SCHEMA, 0 },
    { NULL, 0, 0 }
};

/* https://docs.cohere.com/reference: v1 "meta", v2 "usage" */
static const tg_json_want_t  tg_want_cohere_v1[] = {
    { "generation_id", TG_A_ID, 0 },
    { "response.generation_id", TG_A_ID, 0 },
    TG_COHERE_USAGE("meta."),
    TG_COHERE_USAGE("response.meta."),
    { "finish_reason", TG_A_FINISH, 0 },
    { "response.finish_reason", TG_A_FINISH, 0 },
    { "generations[].finish_reason", TG_A_FINISH, 0 },
    { "generations[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "text", TG_A_TEXT, TG_JSON_COUNT },
    { "tool_calls[].name", TG_A_TOOL_NAME, 0 },
    { "event_type", TG_A_TYPE, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_cohere_v2[] = {
    { "id", TG_A_ID, 0 },
    TG_COHERE_USAGE("usage."),
    TG_COHERE_USAGE("meta."),
    TG_COHERE_USAGE("delta.usage."),
    { "finish_reason", TG_A_FINISH, 0 },
    { "delta.finish_reason", TG_A_FINISH, 0 },
    { "delta.error", TG_A_ERROR, 0 },
    { "delta.error_type", TG_A_ERROR_TYPE, 0 },
    { "type", TG_A_TYPE, 0 },
    { "message.content[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "message.content[].thinking", TG_A_TEXT, TG_JSON_COUNT },
    { "message.tool_plan", TG_A_TEXT, TG_JSON_COUNT },
    { "message.tool_calls[].function.name", TG_A_TOOL_NAME, 0 },
    { "message.tool_calls[].function.arguments", TG_A_TEXT, TG_JSON_COUNT },
    { "delta.message.content.text", TG_A_TEXT, TG_JSON_COUNT },
    { "delta.message.content.thinking", TG_A_TEXT, TG_JSON_COUNT },
    { "delta.message.tool_plan", TG_A_TEXT, TG_JSON_COUNT },
    { "delta.message.tool_calls.function.name", TG_A_TOOL_NAME, 0 },
    { "delta.message.tool_calls.function.arguments", TG_A_TEXT,
      TG_JSON_COUNT },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_cohere_request[] = {
    { "", TG_R_ROOT, 0 },
    { "model", TG_R_MODEL, TG_JSON_MEMBER },
    { "stream", TG_R_STREAM, 0 },
    { "stream_options", TG_R_STREAM_OPTIONS, TG_JSON_RAW | TG_JSON_MEMBER },
    { "stream_options.include_usage", TG_R_INCLUDE_USAGE, 0 },
    { "max_tokens", TG_R_MAX_TOKENS, 0 },
    { "num_generations", TG_R_N, 0 },
    { "n", TG_R_N, 0 },
    { "thinking.token_budget", TG_R_THINKING, 0 },
    { "message", TG_R_INPUT, TG_JSON_COUNT },
    { "prompt", TG_R_INPUT, TG_JSON_COUNT },
    { "text", TG_R_INPUT, TG_JSON_COUNT },
    { "texts[]", TG_R_INPUT, TG_JSON_COUNT },
    { "inputs[]", TG_R_MESSAGE, 0 },
    TG_OPENAI_PARTS("inputs[].content[]"),
    { "preamble", TG_R_SYSTEM, TG_JSON_COUNT },
    { "chat_history[]", TG_R_MESSAGE, 0 },
    { "chat_history[].message", TG_R_TEXT, TG_JSON_COUNT },
    { "messages[]", TG_R_MESSAGE, 0 },
    { "messages[].role", TG_R_ROLE, 0 },
    { "messages[].content", TG_R_TEXT, TG_JSON_COUNT },
    TG_OPENAI_PARTS("messages[].content[]"),
    { "images[]", TG_R_IMAGE, 0 },
    { "query", TG_R_QUERY, TG_JSON_COUNT },
    { "documents[]", TG_R_INPUT, TG_JSON_COUNT },
    { "documents[].text", TG_R_TEXT, TG_JSON_COUNT },
    { "documents[].image", TG_R_IMAGE, 0 },
    { "conversation_id", TG_R_ELSEWHERE, 0 },
    { "connectors[]", TG_R_USES, 0 },
    { "tools[]", TG_R_TOOL, 0 },
    { "tools[].type", TG_R_TOOL_TYPE, 0 },
    { "response_format.schema", TG_R_SCHEMA, 0 },
    { "response_format.json_schema", TG_R_SCHEMA, 0 },
    { NULL, 0, 0 }
};

/* Voyage, Jina, llama.cpp and others count tokens, in OpenAI's words */
static const tg_json_want_t  tg_want_rerank[] = {
    TG_COHERE_USAGE("meta."),
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_tokenize[] = {
    { "count", TG_A_INPUT, 0 },
    { NULL, 0, 0 }
};

/* https://huggingface.github.io/text-generation-inference/ and SGLang's */
static const tg_json_want_t  tg_want_generate[] = {
    { "details.prefill[]", TG_A_EACH_INPUT, 0 },
    { "details.prefill", TG_A_EACH_INPUT, 0 },
    { "details.input_length", TG_A_INPUT, 0 },
    { "details.generated_tokens", TG_A_OUTPUT, 0 },
    { "details.finish_reason", TG_A_FINISH, 0 },
    { "generated_text", TG_A_DONE, 0 },
    { "token.text", TG_A_TEXT, TG_JSON_COUNT },
    { "meta_info.id", TG_A_ID, 0 },
    { "meta_info.prompt_tokens", TG_A_INPUT, 0 },
    { "meta_info.completion_tokens", TG_A_OUTPUT, 0 },
    { "meta_info.cached_tokens", TG_A_CACHE_READ, 0 },
    { "meta_info.finish_reason.type", TG_A_FINISH, 0 },
    { "text", TG_A_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_generate_request[] = {
    { "", TG_R_ROOT, 0 },
    { "model", TG_R_MODEL, TG_JSON_MEMBER },
    { "inputs", TG_R_INPUT, TG_JSON_COUNT },
    { "inputs[]", TG_R_INPUT, TG_JSON_COUNT },
    { "text", TG_R_INPUT, TG_JSON_COUNT },
    { "prompt", TG_R_INPUT, TG_JSON_COUNT },
    { "input", TG_R_INPUT, TG_JSON_COUNT },
    { "content", TG_R_INPUT, TG_JSON_COUNT },
    { "stream", TG_R_STREAM, 0 },
    { "parameters.max_new_tokens", TG_R_MAX_TOKENS, 0 },
    { "sampling_params.max_new_tokens", TG_R_MAX_TOKENS, 0 },
    { "n_predict", TG_R_MAX_TOKENS, 0 },
    { NULL, 0, 0 }
};

/* https://github.com/ggml-org/llama.cpp/tree/master/tools/server */
static const tg_json_want_t  tg_want_llamacpp[] = {
    { "model", TG_A_MODEL, 0 },
    { "tokens_evaluated", TG_A_INPUT, 0 },
    { "tokens_predicted", TG_A_OUTPUT, 0 },
    { "stop", TG_A_DONE, 0 },
    { "stop_type", TG_A_FINISH, 0 },
    { "content", TG_A_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

/* https://cloud.ibm.com/apidocs/watsonx-ai */
static const tg_json_want_t  tg_want_watsonx[] = {
    { "model_id", TG_A_MODEL, 0 },
    { "results[].input_token_count", TG_A_INPUT, 0 },
    { "results[].generated_token_count", TG_A_OUTPUT, 0 },
    { "results[].stop_reason", TG_A_FINISH, 0 },
    { "results[].generated_text", TG_A_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_watsonx_request[] = {
    { "", TG_R_ROOT, 0 },
    { "model_id", TG_R_MODEL, TG_JSON_MEMBER },
    { "input", TG_R_INPUT, TG_JSON_COUNT },
    { "inputs[]", TG_R_INPUT, TG_JSON_COUNT },
    { "max_tokens", TG_R_MAX_TOKENS, 0 },
    { "parameters.max_new_tokens", TG_R_MAX_TOKENS, 0 },
    { "tools[]", TG_R_TOOL, 0 },
    { NULL, 0, 0 }
};

/* https://docs.aleph-alpha.com/api/complete/; its model_version is a date */
static const tg_json_want_t  tg_want_aleph_alpha[] = {
    { "num_tokens_prompt_total", TG_A_INPUT, 0 },
    { "num_tokens_generated", TG_A_OUTPUT, 0 },
    { "completions[].finish_reason", TG_A_FINISH, 0 },
    { "completions[].completion", TG_A_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_aleph_alpha_request[] = {
    { "", TG_R_ROOT, 0 },
    { "model", TG_R_MODEL, TG_JSON_MEMBER },
    { "prompt", TG_R_INPUT, TG_JSON_COUNT },
    { "prompt[]", TG_R_MESSAGE, 0 },
    { "prompt[].data", TG_R_TEXT, TG_JSON_COUNT },
    { "maximum_tokens", TG_R_MAX_TOKENS, 0 },
    { "n", TG_R_N, 0 },
    { "best_of", TG_R_N, 0 },
    { NULL, 0, 0 }
};

/* https://help.aliyun.com/en/model-studio/qwen-api-via-dashscope; each event of
 * a stream has the usage so far */
static const tg_json_want_t  tg_want_dashscope[] = {
    { "request_id", TG_A_ID, 0 },
    { "output.text", TG_A_TEXT, TG_JSON_COUNT },
    { "output.finish_reason", TG_A_FINISH, 0 },
    { "output.choices[].finish_reason", TG_A_FINISH, 0 },
    { "output.choices[].message.content", TG_A_TEXT, TG_JSON_COUNT },
    { "output.choices[].message.content[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "output.choices[].message.reasoning_content", TG_A_TEXT, TG_JSON_COUNT },
    { "output.choices[].message.tool_calls[].function.name", TG_A_TOOL_NAME,
      0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_dashscope_request[] = {
    { "", TG_R_ROOT, 0 },
    { "model", TG_R_MODEL, TG_JSON_MEMBER },
    { "input.prompt", TG_R_INPUT, TG_JSON_COUNT },
    { "input.messages[]", TG_R_MESSAGE, 0 },
    { "input.messages[].role", TG_R_ROLE, 0 },
    { "input.messages[].content", TG_R_TEXT, TG_JSON_COUNT },
    { "input.messages[].content[].text", TG_R_TEXT, TG_JSON_COUNT },
    { "input.messages[].content[].image", TG_R_IMAGE, 0 },
    { "input.messages[].content[].audio", TG_R_ELSEWHERE, 0 },
    { "input.messages[].content[].video", TG_R_ELSEWHERE, 0 },
    { "input.texts[]", TG_R_INPUT, TG_JSON_COUNT },
    { "input.contents[].text", TG_R_INPUT, TG_JSON_COUNT },
    { "input.contents[].image", TG_R_IMAGE, 0 },
    { "input.contents[].video", TG_R_ELSEWHERE, 0 },
    { "input.query", TG_R_QUERY, TG_JSON_COUNT },
    { "input.documents[]", TG_R_INPUT, TG_JSON_COUNT },
    { "parameters", TG_R_LIMITS, TG_JSON_RAW | TG_JSON_MEMBER },
    { "parameters.max_tokens", TG_R_MAX_TOKENS, 0 },
    { "parameters.n", TG_R_N, 0 },
    { "parameters.thinking_budget", TG_R_THINKING, 0 },
    { "parameters.enable_search", TG_R_USES, 0 },
    { "parameters.tools[]", TG_R_TOOL, 0 },
    { "parameters.tools[].type", TG_R_TOOL_TYPE, 0 },
    { NULL, 0, 0 }
};

/* https://developers.cloudflare.com/workers-ai/ */
static const tg_json_want_t  tg_want_cloudflare[] = {
    { "result.usage.prompt_tokens", TG_A_INPUT, 0 },
    { "result.usage.completion_tokens", TG_A_OUTPUT, 0 },
    { "result.usage.total_tokens", TG_A_TOTAL, 0 },
    { "result.response", TG_A_TEXT, TG_JSON_COUNT },
    { "response", TG_A_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

#define TOKENS   (TG_API_JSON | TG_API_ESTIMATE)
#define OLLAMA   TG_SHAPE_OLLAMA, TG_FAMILY_OLLAMA
#define COHERE   TG_SHAPE_COHERE, TG_FAMILY_COHERE
#define OPENAI   TG_SHAPE_OPENAI

static const tg_api_t  tg_api_table[] = {

    { TG_STR("ollama.chat"), TG_OP_CHAT, OLLAMA, TG_MERGE_LAST,
      TOKENS | TG_API_LINES | TG_API_BY_DEFAULT, 0, "POST", "api/chat",
      { tg_want_ollama_request }, { tg_want_ollama, tg_want_error } },

    { TG_STR("ollama.generate"), TG_OP_TEXT_COMPLETION, OLLAMA, TG_MERGE_LAST,
      TOKENS | TG_API_LINES | TG_API_BY_DEFAULT, 0, "POST", "api/generate",
      { tg_want_ollama_request }, { tg_want_ollama, tg_want_error } },

    { TG_STR("ollama.embed"), TG_OP_EMBEDDINGS, OLLAMA, TG_MERGE_LAST,
      TOKENS, 0, "POST", "api/embed api/embeddings",
      { tg_want_ollama_request }, { tg_want_ollama, tg_want_error } },

    { TG_STR("ollama.models"), TG_OP_MODELS, OLLAMA, TG_MERGE_LAST,
      TG_API_CATALOG, 0, "GET", "api/tags",
      { NULL }, { tg_want_error } },

    { TG_STR("ollama.show"), TG_OP_MODELS, OLLAMA, TG_MERGE_LAST,
      0, 0, "GET POST", "api/show api/ps api/version",
      { NULL }, { tg_want_error } },

    { TG_STR("cohere.chat"), TG_OP_CHAT, COHERE, TG_MERGE_LAST,
      TOKENS, 0, "POST", "v2/chat",
      { tg_want_cohere_request }, { tg_want_cohere_v2, tg_want_error } },

    /* Writer's path, too, with answers in OpenAI's shape:
     * https://dev.writer.com/api-reference/completion-api/chat-completion */

    { TG_STR("cohere.v1.chat"), TG_OP_CHAT, COHERE, TG_MERGE_LAST,
      TOKENS | TG_API_LINES | TG_API_OPTIONS, 0, "POST", "v1/chat",
      { tg_want_cohere_request },
      { tg_want_cohere_v1, tg_want_openai_head, tg_want_openai_usage,
        tg_want_openai_choices, tg_want_error } },

    { TG_STR("cohere.v1.generate"), TG_OP_TEXT_COMPLETION, COHERE,
      TG_MERGE_LAST, TOKENS | TG_API_LINES, 0, "POST", "v1/generate",
      { tg_want_cohere_request }, { tg_want_cohere_v1, tg_want_error } },

    { TG_STR("cohere.embed"), TG_OP_EMBEDDINGS, COHERE, TG_MERGE_LAST,
      TOKENS, 0, "POST", "v1/embed v2/embed",
      { tg_want_cohere_request }, { tg_want_cohere_v2, tg_want_error } },

    { TG_STR("cohere.rerank"), TG_OP_RERANK, COHERE, TG_MERGE_LAST,
      TG_API_JSON, 0, "POST", "v2/rerank",
      { tg_want_cohere_request }, { tg_want_cohere_v2, tg_want_error } },

    { TG_STR("rerank"), TG_OP_RERANK, COHERE, TG_MERGE_LAST,
      TG_API_JSON | TG_API_TOTAL_ONLY, 0, "POST",
      "rerank reranking",
      { tg_want_cohere_request },
      { tg_want_openai_head, tg_want_openai_usage, tg_want_rerank,
        tg_want_error } },

    { TG_STR("cohere.tokenize"), TG_OP_COUNT_TOKENS, COHERE, TG_MERGE_LAST,
      TG_API_JSON, 0, "POST", "v1/tokenize",
      { tg_want_cohere_request }, { tg_want_tokenize, tg_want_error } },

    { TG_STR("tokenize"), TG_OP_COUNT_TOKENS, OPENAI, TG_FAMILY_OPENAI,
      TG_MERGE_LAST, TG_API_JSON, 0, "POST", "tokenize",
      { tg_want_generate_request }, { tg_want_tokenize, tg_want_error } },

    { TG_STR("tgi.generate"), TG_OP_TEXT_COMPLETION, OPENAI, TG_FAMILY_TGI,
      TG_MERGE_LAST, TOKENS, 0, "POST", "generate",
      { tg_want_generate_request }, { tg_want_generate, tg_want_error } },

    { TG_STR("tgi.generate"), TG_OP_TEXT_COMPLETION, OPENAI, TG_FAMILY_TGI,
      TG_MERGE_LAST, TOKENS | TG_API_STREAMS, 0, "POST", "generate_stream",
      { tg_want_generate_request }, { tg_want_generate, tg_want_error } },

    { TG_STR("llama_cpp.completion"), TG_OP_TEXT_COMPLETION, OPENAI,
      TG_FAMILY_LLAMACPP, TG_MERGE_LAST, TOKENS, 0, "POST",
      "completion infill",
      { tg_want_generate_request }, { tg_want_llamacpp, tg_want_error } },

    { TG_STR("hf.embed"), TG_OP_EMBEDDINGS, OPENAI, TG_FAMILY_OPENAI,
      TG_MERGE_LAST, TOKENS, 0, "POST",
      "pipeline/feature-extraction/{+} "
      "hf-inference/models/{+}/pipeline/feature-extraction",
      { tg_want_generate_request }, { tg_want_generate, tg_want_error } },

    { TG_STR("hf.pipeline"), TG_OP_UNKNOWN, OPENAI, TG_FAMILY_OPENAI,
      TG_MERGE_LAST, TG_API_JSON, 0, "POST",
      "pipeline/text-generation/{+} pipeline/*/* pipeline/*/*/* "
      "hf-inference/models/{+}",
      { tg_want_generate_request }, { tg_want_generate, tg_want_error } },

    { TG_STR("watsonx.chat"), TG_OP_CHAT, OPENAI, TG_FAMILY_WATSONX,
      TG_MERGE_LAST, TOKENS, ~0U, "POST",
      "v1/text/chat deployments/*/text/chat",
      { tg_want_watsonx_request, tg_want_openai_messages },
      { tg_want_openai_usage, tg_want_openai_choices, tg_want_openai_head,
        tg_want_error } },

    { TG_STR("watsonx.chat"), TG_OP_CHAT, OPENAI, TG_FAMILY_WATSONX,
      TG_MERGE_LAST, TOKENS | TG_API_STREAMS, ~0U, "POST",
      "v1/text/chat_stream deployments/*/text/chat_stream",
      { tg_want_watsonx_request, tg_want_openai_messages },
      { tg_want_openai_usage, tg_want_openai_choices, tg_want_openai_head,
        tg_want_error } },

    { TG_STR("watsonx.generate"), TG_OP_TEXT_COMPLETION, OPENAI,
      TG_FAMILY_WATSONX, TG_MERGE_LARGEST, TOKENS, 0, "POST",
      "v1/text/generation deployments/*/text/generation "
      "v1-beta/generation/text",
      { tg_want_watsonx_request }, { tg_want_watsonx, tg_want_error } },

    { TG_STR("watsonx.generate"), TG_OP_TEXT_COMPLETION, OPENAI,
      TG_FAMILY_WATSONX, TG_MERGE_LARGEST, TOKENS | TG_API_STREAMS, 0,
      "POST",
      "v1/text/generation_stream deployments/*/text/generation_stream "
      "v1-beta/generation/text_stream",
      { tg_want_watsonx_request }, { tg_want_watsonx, tg_want_error } },

    { TG_STR("dashscope.generate"), TG_OP_CHAT, OPENAI, TG_FAMILY_NONE,
      TG_MERGE_LAST, TOKENS, 0, "POST",
      "aigc/text-generation/generation aigc/multimodal-generation/generation",
      { tg_want_dashscope_request },
      { tg_want_openai_usage, tg_want_dashscope, tg_want_error } },

    { TG_STR("dashscope.embed"), TG_OP_EMBEDDINGS, OPENAI, TG_FAMILY_NONE,
      TG_MERGE_LAST, TOKENS | TG_API_TOTAL_ONLY, 0, "POST",
      "embeddings/text-embedding/text-embedding "
      "embeddings/multimodal-embedding/multimodal-embedding",
      { tg_want_dashscope_request },
      { tg_want_openai_usage, tg_want_dashscope, tg_want_error } },

    { TG_STR("dashscope.rerank"), TG_OP_RERANK, OPENAI, TG_FAMILY_NONE,
      TG_MERGE_LAST, TG_API_JSON | TG_API_TOTAL_ONLY, 0, "POST",
      "rerank/text-rerank/text-rerank",
      { tg_want_dashscope_request },
      { tg_want_openai_usage, tg_want_dashscope, tg_want_error } },

    /* files in parts, and no model */

    { TG_STR("openai.uploads"), TG_OP_UNKNOWN, OPENAI, TG_FAMILY_OPENAI,
      TG_MERGE_LAST, 0, 0, "POST", "uploads/*/complete",
      { NULL }, { tg_want_error } },

    { TG_STR("aleph_alpha.complete"), TG_OP_TEXT_COMPLETION, OPENAI,
      TG_FAMILY_NONE, TG_MERGE_LAST, TG_API_JSON, 0, "POST", "complete",
      { tg_want_aleph_alpha_request },
      { tg_want_aleph_alpha, tg_want_error } },

    { TG_STR("cloudflare.run"), TG_OP_CHAT, OPENAI, TG_FAMILY_OPENAI,
      TG_MERGE_LAST, TOKENS, 0, "POST", "ai/run/{+}",
      { tg_want_generate_request, tg_want_openai_messages },
      { tg_want_openai_usage, tg_want_cloudflare, tg_want_error } }
};


const tg_api_t *
tg_apis_other(size_t *n)
{
    *n = sizeof(tg_api_table) / sizeof(tg_api_table[0]);

    return tg_api_table;
}
