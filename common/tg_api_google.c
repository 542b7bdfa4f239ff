#include "tg_dialect_int.h"
#include "tg_api_lists.h"

/* https://ai.google.dev/api, https://cloud.google.com/vertex-ai/docs/reference/rest */

static const tg_json_want_t  tg_want_gemini[] = {
    { "usageMetadata", TG_A_USAGE, 0 },
    TG_GEMINI_USAGE("usageMetadata."),
    TG_MODALITIES("usageMetadata.promptTokenDetails[]", "modality",
                  "tokenCount", TG_A_MODAL_INPUT),
    { "usageMetadata.trafficType", TG_A_TIER, 0 },
    { "usageMetadata.serviceTier", TG_A_TIER, 0 },
    { "modelVersion", TG_A_MODEL, 0 },
    { "responseId", TG_A_ID, 0 },
    { "candidates[].finishReason", TG_A_FINISH, 0 },
    { "candidates[].content.parts[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "candidates[].content.parts[].functionCall", TG_A_TOOL, 0 },
    { "promptFeedback.blockReason", TG_A_BLOCKED, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_cached[] = {
    { "name", TG_A_ID, 0 },
    { "model", TG_A_MODEL, 0 },
    { "usageMetadata.totalTokenCount", TG_A_TOTAL, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_count[] = {
    { "totalTokens", TG_A_INPUT, 0 },
    { "cachedContentTokenCount", TG_A_CACHE_READ, 0 },
    { NULL, 0, 0 }
};

/* a batch has its results inside, if they were asked for inline */
static const tg_json_want_t  tg_want_batch[] = {
    { "name", TG_A_ID, 0 },
    { "metadata.output.inlinedResponses.inlinedResponses[].response"
      ".usageMetadata", TG_A_USAGE, 0 },
    TG_GEMINI_USAGE("metadata.output.inlinedResponses.inlinedResponses[]"
                    ".response.usageMetadata."),
    { "metadata.output.inlinedResponses.inlinedResponses[].response"
      ".modelVersion", TG_A_MODEL, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_batch_created[] = {
    { "name", TG_A_ID, 0 },
    { NULL, 0, 0 }
};

/* https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api */
static const tg_json_want_t  tg_want_predict[] = {
    { "predictions[].embeddings.statistics.token_count", TG_A_ADD_INPUT, 0 },
    { "metadata.billableCharacterCount", TG_A_CHARACTERS, 0 },
    { "metadata.tokenMetadata.inputTokenCount.totalTokens", TG_A_INPUT, 0 },
    { "metadata.tokenMetadata.outputTokenCount.totalTokens", TG_A_OUTPUT, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_imagen[] = {
    { "predictions[]", TG_A_EACH_IMAGE, 0 },
    { NULL, 0, 0 }
};

/* https://ai.google.dev/api/interactions-api */
#define INTERACTION(p)                                                        \
    { p "id", TG_A_ID, 0 },                                                   \
    { p "model", TG_A_MODEL, 0 },                                             \
    { p "service_tier", TG_A_TIER, 0 },                                       \
    { p "status", TG_A_STATUS, 0 },                                           \
    { p "usage", TG_A_USAGE, 0 },                                             \
    { p "usage.total_input_tokens", TG_A_INPUT, 0 },                          \
    { p "usage.total_output_tokens", TG_A_OUTPUT, 0 },                        \
    { p "usage.total_tokens", TG_A_TOTAL, 0 },                                \
    { p "usage.total_cached_tokens", TG_A_CACHE_READ, 0 },                    \
    { p "usage.total_thought_tokens", TG_A_REASONING, 0 },                    \
    { p "usage.total_tool_use_tokens", TG_A_TOOL_INPUT, 0 },                  \
    TG_MODALITIES(p "usage.input_tokens_by_modality[]", "modality",           \
                  "tokens", TG_A_MODAL_INPUT),                                \
    TG_MODALITIES(p "usage.output_tokens_by_modality[]", "modality",          \
                  "tokens", TG_A_MODAL_OUTPUT)

static const tg_json_want_t  tg_want_interaction[] = {
    INTERACTION(""),
    INTERACTION("interaction."),
    { "event_type", TG_A_TYPE, 0 },
    { "delta.text", TG_A_TEXT, TG_JSON_COUNT },
    { "delta.arguments", TG_A_TEXT, TG_JSON_COUNT },
    { "steps[].content[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "steps[].type", TG_A_TOOL_TYPE, 0 },
    { "step.type", TG_A_TOOL_TYPE, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_request[] = {
    { "", TG_R_ROOT, 0 },
    { "model", TG_R_MODEL, TG_JSON_MEMBER },
    { "contents[]", TG_R_MESSAGE, 0 },
    TG_GEMINI_PARTS("contents[].parts[]"),
    TG_GEMINI_PARTS("contents[].parts"),
    TG_GEMINI_PARTS("contents.parts[]"),
    TG_GEMINI_PARTS("contents.parts"),
    { "cachedContent", TG_R_ELSEWHERE, 0 },
    { "cached_content", TG_R_ELSEWHERE, 0 },
    { "systemInstruction.parts[].text", TG_R_SYSTEM, TG_JSON_COUNT },
    { "system_instruction.parts[].text", TG_R_SYSTEM, TG_JSON_COUNT },
    { "systemInstruction.parts.text", TG_R_SYSTEM, TG_JSON_COUNT },
    { "system_instruction.parts.text", TG_R_SYSTEM, TG_JSON_COUNT },
    { "generationConfig", TG_R_LIMITS, TG_JSON_RAW | TG_JSON_MEMBER },
    { "generation_config", TG_R_LIMITS, TG_JSON_RAW | TG_JSON_MEMBER },
    { "generationConfig.maxOutputTokens", TG_R_MAX_TOKENS, 0 },
    { "generationConfig.max_output_tokens", TG_R_MAX_TOKENS, 0 },
    { "generation_config.maxOutputTokens", TG_R_MAX_TOKENS, 0 },
    { "generation_config.max_output_tokens", TG_R_MAX_TOKENS, 0 },
    { "generationConfig.candidateCount", TG_R_N, 0 },
    { "generationConfig.candidate_count", TG_R_N, 0 },
    { "generation_config.candidateCount", TG_R_N, 0 },
    { "generation_config.candidate_count", TG_R_N, 0 },
    { "generationConfig.thinkingConfig.thinkingBudget", TG_R_THINKING, 0 },
    { "generationConfig.responseSchema", TG_R_SCHEMA, 0 },
    { "generationConfig.responseJsonSchema", TG_R_SCHEMA, 0 },
    { "generation_config.response_schema", TG_R_SCHEMA, 0 },
    TG_GEMINI_TOOL("tools[]"),
    TG_GEMINI_TOOL("tools"),
    { "serviceTier", TG_R_TIER, 0 },
    { "service_tier", TG_R_TIER, 0 },
    TG_GEMINI_PARTS("content.parts[]"),
    { "requests[]", TG_R_MESSAGE, 0 },
    TG_GEMINI_PARTS("requests[].content.parts[]"),
    { "instances[]", TG_R_MESSAGE, 0 },
    { "instances[].content", TG_R_TEXT, TG_JSON_COUNT },
    { "instances[].prompt", TG_R_TEXT, TG_JSON_COUNT },
    { "instances[].image", TG_R_IMAGE, 0 },
    { "instances[].image.bytesBase64Encoded", TG_R_DATA, 0 },
    { "instances[].referenceImages[]", TG_R_IMAGE, 0 },
    { "instances[].video", TG_R_ELSEWHERE, 0 },
    { "parameters.sampleCount", TG_R_N, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_interaction_request[] = {
    { "", TG_R_ROOT, 0 },
    { "model", TG_R_MODEL, TG_JSON_MEMBER },
    { "stream", TG_R_STREAM, 0 },
    { "background", TG_R_BACKGROUND, 0 },
    { "input", TG_R_INPUT, TG_JSON_COUNT },
    { "input[]", TG_R_MESSAGE, 0 },
    TG_INTERACTION_PARTS("input[]"),
    { "input[].content", TG_R_TEXT, TG_JSON_COUNT },
    { "input[].content[]", TG_R_PART, 0 },
    TG_INTERACTION_PARTS("input[].content[]"),
    { "input[].result[]", TG_R_PART, 0 },
    TG_INTERACTION_PARTS("input[].result[]"),
    TG_INTERACTION_PARTS("input"),
    { "input.content[]", TG_R_PART, 0 },
    TG_INTERACTION_PARTS("input.content[]"),
    { "previous_interaction_id", TG_R_ELSEWHERE, 0 },
    { "cached_content", TG_R_ELSEWHERE, 0 },
    { "agent", TG_R_USES, 0 },
    { "system_instruction", TG_R_SYSTEM, TG_JSON_COUNT },
    { "generation_config.max_output_tokens", TG_R_MAX_TOKENS, 0 },
    { "response_format", TG_R_SCHEMA, 0 },
    { "service_tier", TG_R_TIER, 0 },
    { "tools[]", TG_R_TOOL, 0 },
    { "tools[].type", TG_R_TOOL_TYPE, 0 },
    { NULL, 0, 0 }
};

#define GEMINI   TG_SHAPE_GEMINI, TG_FAMILY_GEMINI
#define VERTEX   TG_SHAPE_GEMINI, TG_FAMILY_VERTEX
#define TOKENS   (TG_API_JSON | TG_API_ESTIMATE | TG_API_PATH_MODEL           \
                  | TG_API_THOUGHTS)
#define REQUEST  { tg_want_request }
#define ANSWER   { tg_want_gemini, tg_want_error }

#define VERTEX_MODEL(verb)                                                    \
    "projects/*/locations/*/publishers/*/models/{}:" verb                     \
    " publishers/*/models/{}:" verb                                           \
    " projects/*/locations/*/endpoints/{}:" verb

#define GEMINI_MODEL(verb)                                                    \
    "models/{}:" verb " tunedModels/{}:" verb " dynamic/{}:" verb

static const tg_api_t  tg_api_table[] = {

    { TG_STR("vertex.generate"), TG_OP_GENERATE_CONTENT, VERTEX,
      TG_MERGE_LAST, TOKENS, 0, "POST", VERTEX_MODEL("generateContent"),
      REQUEST, ANSWER },

    { TG_STR("gemini.generate"), TG_OP_GENERATE_CONTENT, GEMINI,
      TG_MERGE_LAST, TOKENS, 0, "POST", GEMINI_MODEL("generateContent"),
      REQUEST, ANSWER },

    { TG_STR("vertex.generate"), TG_OP_GENERATE_CONTENT, VERTEX,
      TG_MERGE_LAST, TOKENS | TG_API_STREAMS | TG_API_ARRAY, 0, "POST",
      VERTEX_MODEL("streamGenerateContent"),
      REQUEST, ANSWER },

    { TG_STR("gemini.generate"), TG_OP_GENERATE_CONTENT, GEMINI,
      TG_MERGE_LAST, TOKENS | TG_API_STREAMS | TG_API_ARRAY, 0, "POST",
      GEMINI_MODEL("streamGenerateContent"),
      REQUEST, ANSWER },

    { TG_STR("gemini.embed"), TG_OP_EMBEDDINGS, GEMINI,
      TG_MERGE_LAST, TOKENS, 0, "POST",
      GEMINI_MODEL("embedContent") " " GEMINI_MODEL("batchEmbedContents"),
      REQUEST, ANSWER },

    { TG_STR("vertex.count_tokens"), TG_OP_COUNT_TOKENS, VERTEX,
      TG_MERGE_LAST, TG_API_JSON | TG_API_PATH_MODEL, 0, "POST",
      VERTEX_MODEL("countTokens"),
      REQUEST, { tg_want_count, tg_want_error } },

    { TG_STR("gemini.count_tokens"), TG_OP_COUNT_TOKENS, GEMINI,
      TG_MERGE_LAST, TG_API_JSON | TG_API_PATH_MODEL, 0, "POST",
      GEMINI_MODEL("countTokens"),
      REQUEST, { tg_want_count, tg_want_error } },

    { TG_STR("gemini.batch"), TG_OP_BATCH, GEMINI,
      TG_MERGE_LAST, TG_API_JSON | TG_API_PATH_MODEL, 0, "POST",
      GEMINI_MODEL("batchGenerateContent") " "
      GEMINI_MODEL("asyncBatchEmbedContent"),
      REQUEST, { tg_want_batch_created, tg_want_error } },

    { TG_STR("gemini.batch.results"), TG_OP_BATCH, GEMINI,
      TG_MERGE_SUM, TG_API_THOUGHTS, 0, "GET",
      "v1beta/batches/* v1alpha/batches/*",
      { NULL }, { tg_want_batch, tg_want_error } },

    { TG_STR("gemini.batch.manage"), TG_OP_BATCH, GEMINI,
      TG_MERGE_LAST, 0, 0, "GET POST DELETE",
      "v1beta/batches v1beta/batches/*",
      { NULL }, { tg_want_batch_created, tg_want_error } },

    { TG_STR("gemini.cache"), TG_OP_CACHE, GEMINI,
      TG_MERGE_LAST, TG_API_JSON | TG_API_TOTAL_ONLY, 0, "POST",
      "cachedContents",
      REQUEST, { tg_want_cached, tg_want_error } },

    /* read again, not made: nothing is used up */

    { TG_STR("gemini.cache.manage"), TG_OP_CACHE, GEMINI,
      TG_MERGE_LAST, 0, 0, "GET PATCH DELETE",
      "cachedContents cachedContents/*",
      { NULL }, { tg_want_error } },

    { TG_STR("gemini.interactions"), TG_OP_CHAT, GEMINI,
      TG_MERGE_LAST,
      TG_API_JSON | TG_API_ESTIMATE | TG_API_THOUGHTS | TG_API_STATES
      | TG_API_STREAM_ARG,
      0, "POST", "v1beta/interactions v1/interactions v1alpha/interactions",
      { tg_want_interaction_request },
      { tg_want_interaction, tg_want_error } },

    { TG_STR("gemini.interactions.retrieve"), TG_OP_RETRIEVE, GEMINI,
      TG_MERGE_LAST, TG_API_THOUGHTS | TG_API_STATES | TG_API_STREAM_ARG, 0,
      "GET POST",
      "interactions/* interactions/*/cancel",
      { NULL },
      { tg_want_interaction, tg_want_error } },

    { TG_STR("vertex.imagen"), TG_OP_IMAGE, VERTEX,
      TG_MERGE_LAST, TG_API_JSON | TG_API_PATH_MODEL, 0, "POST",
      "publishers/google/models/{imagen*}:predict",
      REQUEST, { tg_want_imagen, tg_want_error } },

    { TG_STR("gemini.imagen"), TG_OP_IMAGE, GEMINI,
      TG_MERGE_LAST, TG_API_JSON | TG_API_PATH_MODEL, 0, "POST",
      "models/{imagen*}:predict",
      REQUEST, { tg_want_imagen, tg_want_error } },

    { TG_STR("vertex.predict"), TG_OP_EMBEDDINGS, VERTEX,
      TG_MERGE_LAST, TOKENS, 0, "POST",
      VERTEX_MODEL("predict") " models/{}:predict",
      REQUEST, { tg_want_predict, tg_want_error } },

    { TG_STR("gemini.models"), TG_OP_MODELS, GEMINI,
      TG_MERGE_LAST, TG_API_CATALOG, 0, "GET",
      "v1beta/models v1beta/models/{}",
      { NULL }, { tg_want_error } }
};


const tg_api_t *
tg_apis_google(size_t *n)
{
    *n = sizeof(tg_api_table) / sizeof(tg_api_table[0]);

    return tg_api_table;
}
