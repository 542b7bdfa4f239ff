#include "tg_dialect_int.h"
#include "tg_api_lists.h"

/* https://platform.openai.com/docs/api-reference */

const tg_json_want_t  tg_want_error[] = {
    { "error", TG_A_ERROR, 0 },
    { "error.type", TG_A_ERROR_TYPE, 0 },
    { "error.code", TG_A_ERROR_CODE, 0 },
    { "error.status", TG_A_ERROR_STATUS, 0 },
    { "error_type", TG_A_ERROR_TYPE, 0 },
    { "code", TG_A_TOP_CODE, 0 },
    { NULL, 0, 0 }
};

const tg_json_want_t  tg_want_openai_usage[] = {
    { "usage", TG_A_USAGE, TG_JSON_MEMBER },
    TG_OPENAI_USAGE("usage."),
    { "usage.service_tier", TG_A_TIER, 0 },
    { NULL, 0, 0 }
};

const tg_json_want_t  tg_want_openai_head[] = {
    { "id", TG_A_ID, 0 },
    { "model", TG_A_MODEL, 0 },
    { "service_tier", TG_A_TIER, 0 },
    { NULL, 0, 0 }
};

#define CHOICE(m)                                                             \
    { "choices[]." m ".content", TG_A_TEXT, TG_JSON_COUNT },                  \
    { "choices[]." m ".content[].text", TG_A_TEXT, TG_JSON_COUNT },           \
    { "choices[]." m ".reasoning", TG_A_TEXT, TG_JSON_COUNT },                \
    { "choices[]." m ".reasoning_content", TG_A_TEXT, TG_JSON_COUNT },        \
    { "choices[]." m ".refusal", TG_A_TEXT, TG_JSON_COUNT },                  \
    { "choices[]." m ".tool_calls[].function.name", TG_A_TOOL_NAME, 0 },      \
    { "choices[]." m ".tool_calls[].function.arguments", TG_A_TEXT,           \
      TG_JSON_COUNT }

const tg_json_want_t  tg_want_openai_choices[] = {
    { "choices", TG_A_CHOICES, 0 },
    { "choices[]", TG_A_CHOICE, 0 },
    { "choices[].finish_reason", TG_A_FINISH, 0 },
    { "choices[].text", TG_A_TEXT, TG_JSON_COUNT },
    CHOICE("delta"),
    CHOICE("message"),
    { NULL, 0, 0 }
};

/*
 * https://console.groq.com/docs/api-reference: in the finish chunk
 * https://platform.moonshot.ai/docs/api/chat: in the choice that ends there
 */
static const tg_json_want_t  tg_want_groq[] = {
    TG_OPENAI_TOKENS("x_groq.usage."),
    TG_OPENAI_TOKENS("choices[].usage."),
    { "x_groq.error", TG_A_ERROR, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_top_type[] = {
    { "type", TG_A_TOP_TYPE, 0 },
    { NULL, 0, 0 }
};

#define RESPONSE(p)                                                           \
    { p "id", TG_A_ID, 0 },                                                   \
    { p "model", TG_A_MODEL, 0 },                                             \
    { p "service_tier", TG_A_TIER, 0 },                                       \
    { p "status", TG_A_STATUS, 0 },                                           \
    { p "incomplete_details.reason", TG_A_REASON, 0 },                        \
    { p "tool_usage.web_search.num_requests", TG_A_WEB_SEARCH, 0 },           \
    { p "output[].type", TG_A_TOOL_TYPE, 0 }

/* https://platform.openai.com/docs/api-reference/responses */
static const tg_json_want_t  tg_want_responses[] = {
    { "usage", TG_A_USAGE, 0 },
    TG_OPENAI_USAGE("usage."),
    RESPONSE(""),
    { "output[].content[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "output[].summary[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "output[].arguments", TG_A_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_response_events[] = {
    { "type", TG_A_TYPE, 0 },
    { "delta", TG_A_TEXT, TG_JSON_COUNT },
    { "response.usage", TG_A_USAGE, 0 },
    TG_OPENAI_USAGE("response.usage."),
    RESPONSE("response."),
    { "response.error", TG_A_ERROR, 0 },
    { "response.error.code", TG_A_ERROR_CODE, 0 },
    { "response.error.type", TG_A_ERROR_TYPE, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_images[] = {
    { "type", TG_A_TYPE, 0 },
    { "data[]", TG_A_EACH_IMAGE, 0 },
    { NULL, 0, 0 }
};

/* https://platform.openai.com/docs/api-reference/audio */
static const tg_json_want_t  tg_want_audio[] = {
    { "type", TG_A_TYPE, 0 },
    { "delta", TG_A_TEXT, TG_JSON_COUNT },
    { "text", TG_A_TEXT, TG_JSON_COUNT },
    { "duration", TG_A_DURATION, 0 },
    { "x_groq.id", TG_A_ID, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_batch[] = {
    { "status", TG_A_STATUS, 0 },
    { NULL, 0, 0 }
};

/* a line of a batch's result file, of whichever API the batch was for */
static const tg_json_want_t  tg_want_batch_line[] = {
    { "response.body.usage", TG_A_USAGE, 0 },
    TG_OPENAI_USAGE("response.body.usage."),
    { "response.body.model", TG_A_MODEL, 0 },
    { "response.body.service_tier", TG_A_TIER, 0 },
    { NULL, 0, 0 }
};

/* https://docs.x.ai/docs/guides/batch-api */
#define XAI_BATCH(p)                                                          \
    { p "usage", TG_A_USAGE, 0 },                                             \
    TG_OPENAI_USAGE(p "usage."),                                              \
    { p "model", TG_A_MODEL, 0 }

static const tg_json_want_t  tg_want_xai_batch[] = {
    XAI_BATCH("results[].batch_result.response.chat_get_completion."),
    { NULL, 0, 0 }
};

/* https://docs.mistral.ai/api/#tag/ocr */
static const tg_json_want_t  tg_want_ocr[] = {
    { "model", TG_A_MODEL, 0 },
    { "usage_info", TG_A_USAGE, 0 },
    { "usage_info.pages_processed", TG_A_PAGES, 0 },
    { NULL, 0, 0 }
};

/* https://docs.mistral.ai/api/#tag/beta.conversations */
static const tg_json_want_t  tg_want_conversation[] = {
    { "type", TG_A_TYPE, 0 },
    { "conversation_id", TG_A_ID, 0 },
    { "content", TG_A_TEXT, TG_JSON_COUNT },
    { "outputs[].content", TG_A_TEXT, TG_JSON_COUNT },
    { "outputs[].model", TG_A_MODEL, 0 },
    { "outputs[].type", TG_A_TOOL_TYPE, 0 },
    { "model", TG_A_MODEL, 0 },
    { NULL, 0, 0 }
};

/* POST /v1/responses/input_tokens */
static const tg_json_want_t  tg_want_input_tokens[] = {
    { "input_tokens", TG_A_INPUT, 0 },
    { NULL, 0, 0 }
};

/*
 * https://platform.openai.com/docs/api-reference/runs; a stream tells what each
 * step has used before what the run has
 */
static const tg_json_want_t  tg_want_run[] = {
    { "usage", TG_A_USAGE, 0 },
    TG_OPENAI_USAGE("usage."),
    { "id", TG_A_ID, 0 },
    { "model", TG_A_MODEL, 0 },
    { "status", TG_A_STATUS, 0 },
    { "incomplete_details.reason", TG_A_REASON, 0 },
    { "delta.content[].text.value", TG_A_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

const tg_json_want_t  tg_want_openai_request[] = {
    { "", TG_R_ROOT, 0 },
    { "model", TG_R_MODEL, TG_JSON_MEMBER },
    { "models[]", TG_R_OTHER_MODEL, 0 },            /* OpenRouter */
    { "fallbacks[]", TG_R_OTHER_MODEL, 0 },         /* LiteLLM */
    { "fallbacks[].model", TG_R_OTHER_MODEL, 0 },
    { "stream", TG_R_STREAM, 0 },
    { "stream_options", TG_R_STREAM_OPTIONS, TG_JSON_RAW | TG_JSON_MEMBER },
    { "stream_options.include_usage", TG_R_INCLUDE_USAGE, 0 },
    { "max_tokens", TG_R_MAX_TOKENS, TG_JSON_MEMBER },
    { "max_completion_tokens", TG_R_MAX_COMPLETION, TG_JSON_MEMBER },
    { "max_output_tokens", TG_R_MAX_TOKENS, 0 },
    { "n", TG_R_N, 0 },
    { "best_of", TG_R_N, 0 },
    { "service_tier", TG_R_TIER, 0 },
    { "user", TG_R_USER, 0 },
    { "tools[]", TG_R_TOOL, 0 },
    { "tools[].type", TG_R_TOOL_TYPE, 0 },
    { "tools[].max_uses", TG_R_MAX_USES, 0 },
    { "functions[]", TG_R_TOOL, 0 },
    { "prediction.content", TG_R_PREDICTION, TG_JSON_COUNT },
    { "prediction.content[].text", TG_R_PREDICTION, TG_JSON_COUNT },

    /* OpenAI; OpenRouter; xAI; Azure; Alibaba; Venice; Groq */
    { "web_search_options", TG_R_USES, 0 },
    { "plugins[]", TG_R_USES, 0 },
    { "preset", TG_R_ELSEWHERE, 0 },
    { "search_parameters", TG_R_USES, 0 },
    { "data_sources[]", TG_R_USES, 0 },
    { "enable_search", TG_R_USES, 0 },
    { "venice_parameters.enable_web_search", TG_R_USES, 0 },
    { "venice_parameters.enable_web_scraping", TG_R_USES, 0 },
    { "venice_parameters.character_slug", TG_R_ELSEWHERE, 0 },
    { "compound_custom", TG_R_USES, 0 },
    { "mcp_servers[]", TG_R_USES, 0 },

    /* Mistral's and others' agents; a recording by its address */
    { "agent_id", TG_R_ELSEWHERE, 0 },
    { "file_url", TG_R_ELSEWHERE, 0 },
    { "file_id", TG_R_ELSEWHERE, 0 },
    { "url", TG_R_ELSEWHERE, 0 },
    { NULL, 0, 0 }
};

const tg_json_want_t  tg_want_openai_messages[] = {
    { "temperature", TG_R_PARAM + TG_PARAM_TEMPERATURE, TG_JSON_MEMBER },
    { "top_p", TG_R_PARAM + TG_PARAM_TOP_P, TG_JSON_MEMBER },
    { "presence_penalty", TG_R_PARAM + TG_PARAM_PRESENCE_PENALTY,
      TG_JSON_MEMBER },
    { "frequency_penalty", TG_R_PARAM + TG_PARAM_FREQUENCY_PENALTY,
      TG_JSON_MEMBER },
    { "logprobs", TG_R_PARAM + TG_PARAM_LOGPROBS, TG_JSON_MEMBER },
    { "top_logprobs", TG_R_PARAM + TG_PARAM_TOP_LOGPROBS, TG_JSON_MEMBER },
    { "logit_bias", TG_R_PARAM + TG_PARAM_LOGIT_BIAS, TG_JSON_MEMBER },
    { "reasoning_effort", TG_R_PARAM + TG_PARAM_REASONING_EFFORT,
      TG_JSON_MEMBER },
    { "verbosity", TG_R_PARAM + TG_PARAM_VERBOSITY, TG_JSON_MEMBER },

    { "messages[]", TG_R_MESSAGE, 0 },
    { "messages[].role", TG_R_ROLE, 0 },
    { "messages[].content", TG_R_TEXT, TG_JSON_COUNT },
    TG_OPENAI_PARTS("messages[].content[]"),
    { "messages[].audio", TG_R_ELSEWHERE, 0 },
    { "messages[].tool_calls[].function.arguments", TG_R_TEXT, TG_JSON_COUNT },
    { "messages[].images[]", TG_R_IMAGE, 0 },
    { "response_format.type", TG_R_FORMAT, 0 },
    { "modalities[]", TG_R_MODALITY, 0 },
    { "thinking.budget_tokens", TG_R_THINKING, 0 },
    { "reasoning.max_tokens", TG_R_THINKING, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_conversations[] = {
    { "messages[]", TG_R_CONVERSATION, 0 },
    { "messages[][]", TG_R_MESSAGE, 0 },
    { "messages[][].role", TG_R_ROLE, 0 },
    { "messages[][].content", TG_R_TEXT, TG_JSON_COUNT },
    TG_OPENAI_PARTS("messages[][].content[]"),
    { "response_format.type", TG_R_FORMAT, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_prompt[] = {
    { "prompt", TG_R_INPUT, TG_JSON_COUNT },
    { "prompt[]", TG_R_INPUT, TG_JSON_COUNT },
    { "suffix", TG_R_TEXT, TG_JSON_COUNT },
    { "image", TG_R_IMAGE, 0 },
    { "image[]", TG_R_IMAGE, 0 },
    { "mask", TG_R_IMAGE, 0 },
    { "images[]", TG_R_IMAGE, 0 },
    { NULL, 0, 0 }
};

const tg_json_want_t  tg_want_inputs[] = {
    { "input", TG_R_INPUT, TG_JSON_COUNT },
    { "input[]", TG_R_INPUT, TG_JSON_COUNT },
    { "input[].text", TG_R_TEXT, TG_JSON_COUNT },
    { "input[].type", TG_R_PART_TYPE, 0 },
    { "input[].image", TG_R_IMAGE, 0 },
    { "input[].image_url", TG_R_URL, 0 },
    { "input[].image_url.url", TG_R_URL, 0 },
    { "input[].audio", TG_R_ELSEWHERE, 0 },
    { "input[].video", TG_R_ELSEWHERE, 0 },
    { "input[].pdf", TG_R_ELSEWHERE, 0 },
    TG_OPENAI_PARTS("input[].content[]"),
    { "inputs[]", TG_R_INPUT, TG_JSON_COUNT },
    TG_OPENAI_PARTS("inputs[].content[]"),
    { "instructions", TG_R_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_response_request[] = {
    { "input", TG_R_INPUT, TG_JSON_COUNT },
    { "input[]", TG_R_MESSAGE, 0 },
    { "input[].role", TG_R_ROLE, 0 },
    { "input[].id", TG_R_PART_ID, 0 },
    { "input[].type", TG_R_PART_TYPE, 0 },
    { "input[].encrypted_content", TG_R_SEALED, TG_JSON_COUNT },
    { "input[].content", TG_R_TEXT, TG_JSON_COUNT },
    TG_OPENAI_PARTS("input[].content[]"),
    { "input[].arguments", TG_R_TEXT, TG_JSON_COUNT },
    { "input[].output", TG_R_TEXT, TG_JSON_COUNT },
    TG_OPENAI_PARTS("input[].output[]"),
    { "input[].output.type", TG_R_PART_TYPE, 0 },
    { "input[].output.image_url", TG_R_URL, 0 },
    { "input[].output.file_id", TG_R_FILE, 0 },
    { "instructions", TG_R_SYSTEM, TG_JSON_COUNT },
    { "previous_response_id", TG_R_ELSEWHERE, 0 },
    { "conversation", TG_R_ELSEWHERE, 0 },
    { "prompt", TG_R_ELSEWHERE, 0 },
    { "max_tool_calls", TG_R_MAX_CALLS, 0 },
    { "context_management[].type", TG_R_STEP, 0 },
    { "background", TG_R_BACKGROUND, 0 },
    { "text.format.type", TG_R_FORMAT, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_conversation_request[] = {
    { "inputs", TG_R_INPUT, TG_JSON_COUNT },
    { "inputs[]", TG_R_MESSAGE, 0 },
    { "inputs[].role", TG_R_ROLE, 0 },
    { "inputs[].type", TG_R_PART_TYPE, 0 },
    { "inputs[].content", TG_R_TEXT, TG_JSON_COUNT },
    TG_OPENAI_PARTS("inputs[].content[]"),
    { "instructions", TG_R_SYSTEM, TG_JSON_COUNT },
    { "completion_args.max_tokens", TG_R_MAX_TOKENS, 0 },
    { NULL, 0, 0 }
};

#define TOKENS   (TG_API_JSON | TG_API_ESTIMATE)
#define OPENAI   TG_SHAPE_OPENAI, TG_FAMILY_OPENAI
#define ALL      (~0U)
#define CHAT_REQUEST                                                          \
    { tg_want_openai_request, tg_want_openai_messages, tg_want_prompt }
#define CHAT_ANSWER                                                           \
    { tg_want_openai_head, tg_want_openai_usage, tg_want_openai_choices,      \
      tg_want_groq, tg_want_error, tg_want_top_type }

static const tg_api_t  tg_api_table[] = {

    { TG_STR("openai.chat"), TG_OP_CHAT, OPENAI, TG_MERGE_LAST,
      TOKENS | TG_API_OPTIONS, ALL, "POST",
      "deployments/{}/chat/completions chat/completions "
      "agents/completions text/chatcompletion_v2 "
      "serving-endpoints/{}/invocations cortex/inference:complete",
      CHAT_REQUEST, CHAT_ANSWER },

    /* vLLM: many conversations, and a choice for each
     * (https://docs.vllm.ai/en/stable/, chat_completion.batch_serving) */

    { TG_STR("vllm.chat.batch"), TG_OP_CHAT, OPENAI, TG_MERGE_LAST,
      TOKENS, ALL, "POST", "chat/completions/batch",
      { tg_want_openai_request, tg_want_conversations }, CHAT_ANSWER },

    /* one that was stored: looked at, or its metadata changed */

    { TG_STR("openai.chat.retrieve"), TG_OP_RETRIEVE, OPENAI, TG_MERGE_LAST,
      0, ALL, "GET POST", "chat/completions/chatcmpl-*",
      { NULL }, CHAT_ANSWER },

    { TG_STR("openai.completions"), TG_OP_TEXT_COMPLETION, OPENAI,
      TG_MERGE_LAST, TOKENS | TG_API_OPTIONS, ALL, "POST",
      "deployments/{}/completions engines/{}/completions completions",
      CHAT_REQUEST, CHAT_ANSWER },

    { TG_STR("openai.responses.compact"), TG_OP_CHAT, OPENAI,
      TG_MERGE_LAST, TOKENS, 0, "POST", "responses/compact",
      { tg_want_openai_request, tg_want_response_request },
      { tg_want_responses, tg_want_error } },

    { TG_STR("openai.responses.count"), TG_OP_COUNT_TOKENS, OPENAI,
      TG_MERGE_LAST, TG_API_JSON, 0, "POST", "responses/input_tokens",
      { tg_want_openai_request, tg_want_response_request },
      { tg_want_input_tokens, tg_want_error } },

    { TG_STR("openai.responses"), TG_OP_CHAT, OPENAI,
      TG_MERGE_LAST, TOKENS, 0, "POST", "deployments/{}/responses responses",
      { tg_want_openai_request, tg_want_response_request },
      { tg_want_responses, tg_want_response_events, tg_want_error } },

    { TG_STR("openai.responses.retrieve"), TG_OP_RETRIEVE, OPENAI,
      TG_MERGE_LAST, TG_API_STREAM_ARG, 0, "GET POST",
      "responses/*/cancel responses/*",
      { NULL },
      { tg_want_responses, tg_want_response_events, tg_want_error } },

    { TG_STR("openai.runs"), TG_OP_CHAT, OPENAI,
      TG_MERGE_LAST, TG_API_JSON | TG_API_STORED, 0, "POST",
      "threads/runs threads/*/runs threads/*/runs/*/submit_tool_outputs",
      { tg_want_openai_request },
      { tg_want_run, tg_want_error } },

    /* each time that one looks */

    { TG_STR("openai.runs.retrieve"), TG_OP_RETRIEVE, OPENAI,
      TG_MERGE_LAST, 0, 0, "GET POST",
      "threads/*/runs/* threads/*/runs/*/cancel threads/*/runs/*/steps/*",
      { NULL },
      { tg_want_run, tg_want_error } },

    { TG_STR("openai.embeddings"), TG_OP_EMBEDDINGS, OPENAI,
      TG_MERGE_LAST, TOKENS | TG_API_TOTAL_ONLY, ALL, "POST",
      "deployments/{}/embeddings engines/{}/embeddings embeddings "
      "multimodalembeddings contextualizedembeddings",
      { tg_want_openai_request, tg_want_inputs },
      { tg_want_openai_head, tg_want_openai_usage, tg_want_error,
        tg_want_top_type } },

    { TG_STR("openai.moderations"), TG_OP_MODERATION, OPENAI,
      TG_MERGE_LAST, TG_API_JSON, 0, "POST", "moderations chat/moderations",
      { tg_want_openai_request, tg_want_inputs },
      { tg_want_openai_head, tg_want_openai_usage, tg_want_error } },

    { TG_STR("openai.images"), TG_OP_IMAGE, OPENAI,
      TG_MERGE_LAST, TG_API_JSON | TG_API_MULTIPART, ALL, "POST",
      "deployments/{}/images/generations deployments/{}/images/edits "
      "images/generations images/edits images/variations",
      { tg_want_openai_request, tg_want_prompt },
      { tg_want_openai_head, tg_want_openai_usage, tg_want_images,
        tg_want_error } },

    { TG_STR("openai.transcriptions"), TG_OP_TRANSCRIPTION, OPENAI,
      TG_MERGE_LAST, TG_API_JSON | TG_API_MULTIPART, ALL, "POST",
      "deployments/{}/audio/transcriptions deployments/{}/audio/translations "
      "audio/transcriptions audio/translations",
      { tg_want_openai_request, tg_want_prompt },
      { tg_want_openai_head, tg_want_openai_usage, tg_want_audio,
        tg_want_error } },

    { TG_STR("openai.speech"), TG_OP_SPEECH, OPENAI,
      TG_MERGE_LAST, TG_API_JSON, ALL, "POST",
      "deployments/{}/audio/speech audio/speech",
      { tg_want_openai_request, tg_want_inputs },
      { tg_want_openai_usage, tg_want_top_type, tg_want_error } },

    { TG_STR("mistral.batch"), TG_OP_BATCH, TG_SHAPE_OPENAI,
      TG_FAMILY_MISTRAL, TG_MERGE_LAST, TG_API_JSON, 0, "GET POST",
      "batch/jobs/*/cancel batch/jobs/* batch/jobs",
      { tg_want_openai_request },
      { tg_want_openai_head, tg_want_batch, tg_want_error } },

    { TG_STR("x_ai.batch.results"), TG_OP_BATCH, OPENAI,
      TG_MERGE_SUM, 0, ALL, "GET", "batches/*/results batches/*/requests",
      { NULL },
      { tg_want_xai_batch, tg_want_error } },

    { TG_STR("openai.batch"), TG_OP_BATCH, OPENAI,
      TG_MERGE_LAST, TG_API_JSON, 0, "GET POST",
      "v1/batches/*/cancel v1/batches/* v1/batches "
      "openai/batches/*/cancel openai/batches/* openai/batches",
      { tg_want_openai_request },
      { tg_want_openai_head, tg_want_openai_usage, tg_want_batch,
        tg_want_error } },

    { TG_STR("openai.batch.results"), TG_OP_BATCH, OPENAI,
      TG_MERGE_SUM, TG_API_LINES, ALL, "GET", "files/*/content",
      { NULL },
      { tg_want_batch_line, tg_want_error } },

    { TG_STR("mistral.ocr"), TG_OP_GENERATE_CONTENT, TG_SHAPE_OPENAI,
      TG_FAMILY_MISTRAL, TG_MERGE_LAST, TG_API_JSON, 0, "POST",
      "v1/ocr azure/ocr",
      { tg_want_openai_request },
      { tg_want_ocr, tg_want_error } },

    { TG_STR("mistral.conversations"), TG_OP_CHAT, TG_SHAPE_OPENAI,
      TG_FAMILY_MISTRAL, TG_MERGE_LAST, TOKENS, ALL, "POST",
      "v1/conversations",
      { tg_want_openai_request, tg_want_conversation_request },
      { tg_want_openai_usage, tg_want_conversation, tg_want_error } },

    { TG_STR("mistral.conversations"), TG_OP_CHAT, TG_SHAPE_OPENAI,
      TG_FAMILY_MISTRAL, TG_MERGE_LAST, TOKENS | TG_API_STORED, ALL, "POST",
      "v1/conversations/* v1/conversations/*/restart",
      { tg_want_openai_request, tg_want_conversation_request },
      { tg_want_openai_usage, tg_want_conversation, tg_want_error } },

    { TG_STR("openai.models"), TG_OP_MODELS, OPENAI,
      TG_MERGE_LAST, TG_API_CATALOG, 0, "GET", "models models/{}",
      { NULL }, { tg_want_error } }
};


const tg_api_t *
tg_apis_openai(size_t *n)
{
    *n = sizeof(tg_api_table) / sizeof(tg_api_table[0]);

    return tg_api_table;
}
