#include "tg_dialect_int.h"
#include "tg_api_lists.h"

/* https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html */

const tg_json_want_t  tg_want_converse_usage[] = {
    TG_CONVERSE_USAGE("usage."),
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_converse[] = {
    { "stopReason", TG_A_FINISH, 0 },
    { "serviceTier.type", TG_A_TIER, 0 },
    { "output.message.content[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "output.message.content[].reasoningContent.reasoningText.text",
      TG_A_TEXT, TG_JSON_COUNT },
    { "output.message.content[].toolUse", TG_A_TOOL, 0 },
    { "start.toolUse", TG_A_TOOL, 0 },
    { "delta.text", TG_A_TEXT, TG_JSON_COUNT },
    { "delta.reasoningContent.text", TG_A_TEXT, TG_JSON_COUNT },
    { "delta.toolUse.input", TG_A_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

/* only at 4xx and 5xx: a message is part of good answers, too */
static const tg_json_want_t  tg_want_aws_error[] = {
    { "__type", TG_A_TOP_TYPE, 0 },
    { NULL, 0, 0 }
};

/*
 * The body of InvokeModel is the model's own.  Anthropic's and OpenAI's come
 * from their lists; the others follow:
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
 */
static const tg_json_want_t  tg_want_invoke[] = {
    { "usage.prompt_tokens", TG_A_INPUT, 0 },
    { "usage.completion_tokens", TG_A_OUTPUT, 0 },
    { "usage.prompt_tokens_details.cached_tokens", TG_A_CACHE_READ, 0 },
    { "usage.completion_tokens_details.reasoning_tokens", TG_A_REASONING, 0 },

    /* Amazon Nova */
    TG_CONVERSE_USAGE("usage."),
    TG_CONVERSE_USAGE("metadata.usage."),
    { "stopReason", TG_A_FINISH, 0 },
    { "messageStop.stopReason", TG_A_FINISH, 0 },
    { "output.message.content[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "output.message.content[].toolUse", TG_A_TOOL, 0 },
    { "contentBlockStart.start.toolUse", TG_A_TOOL, 0 },
    { "contentBlockDelta.delta.text", TG_A_TEXT, TG_JSON_COUNT },
    { "contentBlockDelta.delta.toolUse.input", TG_A_TEXT, TG_JSON_COUNT },

    /* Meta Llama */
    { "prompt_token_count", TG_A_INPUT, 0 },
    { "generation_token_count", TG_A_OUTPUT, 0 },
    { "generation", TG_A_TEXT, TG_JSON_COUNT },

    /* Amazon Titan */
    { "inputTextTokenCount", TG_A_INPUT, 0 },
    { "totalOutputTextTokenCount", TG_A_OUTPUT, 0 },
    { "results[].tokenCount", TG_A_ADD_OUTPUT, 0 },
    { "results[].completionReason", TG_A_FINISH, 0 },
    { "results[].outputText", TG_A_TEXT, TG_JSON_COUNT },
    { "completionReason", TG_A_FINISH, 0 },
    { "outputText", TG_A_TEXT, TG_JSON_COUNT },

    /* Mistral, Cohere, AI21 */
    { "outputs[].stop_reason", TG_A_FINISH, 0 },
    { "outputs[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "generations[].finish_reason", TG_A_FINISH, 0 },
    { "generations[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "finish_reason", TG_A_FINISH, 0 },
    { "text", TG_A_TEXT, TG_JSON_COUNT },
    { "completions[].finishReason.reason", TG_A_FINISH, 0 },
    { "completions[].data.text", TG_A_TEXT, TG_JSON_COUNT },

    { "service_tier", TG_A_TIER, 0 },
    { "amazon-bedrock-invocationMetrics.inputTokenCount",
      TG_A_METRIC_INPUT, 0 },
    { "amazon-bedrock-invocationMetrics.outputTokenCount",
      TG_A_METRIC_OUTPUT, 0 },
    { "amazon-bedrock-invocationMetrics.cacheReadInputTokenCount",
      TG_A_METRIC_READ, 0 },
    { "amazon-bedrock-invocationMetrics.cacheWriteInputTokenCount",
      TG_A_METRIC_WRITE, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_pictures[] = {
    { "images[]", TG_A_EACH_IMAGE, 0 },
    { "artifacts[]", TG_A_EACH_IMAGE, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_count[] = {
    { "inputTokens", TG_A_INPUT, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_converse_request[] = {
    { "", TG_R_ROOT, 0 },
    { "inferenceConfig", TG_R_LIMITS, TG_JSON_RAW | TG_JSON_MEMBER },
    { "inferenceConfig.maxTokens", TG_R_MAX_TOKENS, 0 },
    { "messages[]", TG_R_MESSAGE, 0 },
    { "messages[].role", TG_R_ROLE, 0 },
    TG_CONVERSE_PARTS("messages[].content[]"),
    TG_CONVERSE_PARTS("messages[].content[].toolResult.content[]"),
    { "promptVariables", TG_R_ELSEWHERE, 0 },
    { "system[].text", TG_R_SYSTEM, TG_JSON_COUNT },
    { "toolConfig.tools[]", TG_R_TOOL, 0 },
    { "toolConfig.tools[].systemTool", TG_R_USES, 0 },
    { "serviceTier.type", TG_R_TIER, 0 },
    { "additionalModelRequestFields.tools[].type", TG_R_TOOL_TYPE, 0 },
    { "additionalModelRequestFields.tools[].max_uses", TG_R_MAX_USES, 0 },
    { "additionalModelRequestFields.tools[]", TG_R_TOOL, 0 },
    { "additionalModelRequestFields.max_tokens", TG_R_MAX_TOKENS, 0 },
    { "additionalModelRequestFields.thinking.budget_tokens", TG_R_THINKING,
      0 },
    { "input.converse.messages[]", TG_R_MESSAGE, 0 },
    { "input.converse.messages[].content[].text", TG_R_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_invoke_request[] = {
    { "", TG_R_ROOT, 0 },
    { "messages[]", TG_R_MESSAGE, 0 },
    { "messages[].role", TG_R_ROLE, 0 },
    { "messages[].content", TG_R_TEXT, TG_JSON_COUNT },
    TG_CONVERSE_PARTS("messages[].content[]"),
    { "messages[].content[].type", TG_R_PART_TYPE, 0 },
    { "messages[].content[].source.data", TG_R_DATA, 0 },
    { "messages[].content[].image_url", TG_R_URL, 0 },
    { "messages[].content[].image_url.url", TG_R_URL, 0 },
    { "messages[].content[].input_audio.data", TG_R_DATA, 0 },
    { "messages[].content[].content", TG_R_TEXT, TG_JSON_COUNT },
    TG_ANTHROPIC_PARTS("messages[].content[].content[]"),
    TG_CONVERSE_PARTS("messages[].content[].toolResult.content[]"),
    { "inputs[]", TG_R_MESSAGE, 0 },
    TG_OPENAI_PARTS("inputs[].content[]"),
    { "inputImage", TG_R_IMAGE, 0 },
    { "image", TG_R_IMAGE, 0 },
    { "mediaSource", TG_R_ELSEWHERE, 0 },
    { "inputVideo", TG_R_ELSEWHERE, 0 },
    { "modelInput", TG_R_ELSEWHERE, 0 },
    { "segmentedEmbeddingParams", TG_R_ELSEWHERE, 0 },
    { "singleEmbeddingParams.image", TG_R_IMAGE, 0 },
    { "singleEmbeddingParams.image.source.bytes", TG_R_DATA, 0 },
    { "singleEmbeddingParams.audio", TG_R_ELSEWHERE, 0 },
    { "singleEmbeddingParams.video", TG_R_ELSEWHERE, 0 },
    { "context_management.edits[].type", TG_R_STEP, 0 },
    { "system", TG_R_SYSTEM, TG_JSON_COUNT },
    { "system[].text", TG_R_SYSTEM, TG_JSON_COUNT },
    { "prompt", TG_R_INPUT, TG_JSON_COUNT },
    { "inputText", TG_R_INPUT, TG_JSON_COUNT },
    { "message", TG_R_INPUT, TG_JSON_COUNT },
    { "texts[]", TG_R_INPUT, TG_JSON_COUNT },
    { "query", TG_R_QUERY, TG_JSON_COUNT },
    { "documents[]", TG_R_INPUT, TG_JSON_COUNT },
    { "images[]", TG_R_IMAGE, 0 },
    { "tools[]", TG_R_TOOL, 0 },
    { "tools[].type", TG_R_TOOL_TYPE, 0 },
    { "tools[].max_uses", TG_R_MAX_USES, 0 },
    { "toolConfig.tools[]", TG_R_TOOL, 0 },
    { "toolConfig.tools[].systemTool", TG_R_USES, 0 },
    { "max_tokens", TG_R_MAX_TOKENS, 0 },
    { "max_completion_tokens", TG_R_MAX_TOKENS, 0 },
    { "max_tokens_to_sample", TG_R_MAX_TOKENS, 0 },
    { "max_gen_len", TG_R_MAX_TOKENS, 0 },
    { "inferenceConfig.maxTokens", TG_R_MAX_TOKENS, 0 },
    { "inferenceConfig.max_new_tokens", TG_R_MAX_TOKENS, 0 },
    { "textGenerationConfig.maxTokenCount", TG_R_MAX_TOKENS, 0 },
    { "imageGenerationConfig.numberOfImages", TG_R_N, 0 },
    { "num_generations", TG_R_N, 0 },
    { "n", TG_R_N, 0 },
    { "service_tier", TG_R_TIER, 0 },
    { "thinking.budget_tokens", TG_R_THINKING, 0 },
    { NULL, 0, 0 }
};

#define BEDROCK  TG_SHAPE_BEDROCK, TG_FAMILY_BEDROCK
/* an inference profile has its region's price; answers have the model's name
 * elsewhere: https://aws.amazon.com/bedrock/pricing/ */
#define JSON     (TG_API_JSON | TG_API_PATH_MODEL | TG_API_PATH_PRICE)
#define TOKENS   (JSON | TG_API_ESTIMATE)
#define STREAM   (TOKENS | TG_API_STREAMS)
#define INVOKE                                                                \
    { tg_want_anthropic, tg_want_anthropic_usage, tg_want_openai_choices,     \
      tg_want_invoke, tg_want_aws_error }
#define REQUEST  { tg_want_invoke_request }

static const tg_api_t  tg_api_table[] = {

    { TG_STR("bedrock.converse"), TG_OP_CHAT, BEDROCK,
      TG_MERGE_LAST, TOKENS, 0, "POST",
      "model/{}/converse model/{+}/converse",
      { tg_want_converse_request },
      { tg_want_converse, tg_want_converse_usage, tg_want_aws_error } },

    { TG_STR("bedrock.converse"), TG_OP_CHAT, BEDROCK,
      TG_MERGE_LAST, STREAM, 0, "POST",
      "model/{}/converse-stream model/{+}/converse-stream",
      { tg_want_converse_request },
      { tg_want_converse, tg_want_converse_usage, tg_want_aws_error } },

    { TG_STR("bedrock.count_tokens"), TG_OP_COUNT_TOKENS, BEDROCK,
      TG_MERGE_LAST, JSON, 0, "POST",
      "model/{}/count-tokens model/{+}/count-tokens",
      { tg_want_converse_request },
      { tg_want_count, tg_want_aws_error } },

    { TG_STR("bedrock.invoke.embed"), TG_OP_EMBEDDINGS, BEDROCK,
      TG_MERGE_OVERRIDE, TOKENS, 0, "POST", "model/{*embed*}/invoke",
      REQUEST, INVOKE },

    { TG_STR("bedrock.invoke.rerank"), TG_OP_RERANK, BEDROCK,
      TG_MERGE_OVERRIDE, JSON, 0, "POST", "model/{*rerank*}/invoke",
      REQUEST, INVOKE },

    { TG_STR("bedrock.invoke.image"), TG_OP_IMAGE, BEDROCK,
      TG_MERGE_OVERRIDE, JSON, 0, "POST",
      "model/{*titan-image*}/invoke model/{*nova-canvas*}/invoke "
      "model/{*stability.*}/invoke",
      REQUEST, { tg_want_pictures, tg_want_aws_error } },

    { TG_STR("bedrock.invoke"), TG_OP_CHAT, BEDROCK,
      TG_MERGE_OVERRIDE, TOKENS, 0, "POST",
      "model/{}/invoke model/{+}/invoke",
      REQUEST, INVOKE },

    { TG_STR("bedrock.invoke"), TG_OP_CHAT, BEDROCK,
      TG_MERGE_OVERRIDE, STREAM | TG_API_WRAPPED, 0, "POST",
      "model/{}/invoke-with-response-stream "
      "model/{+}/invoke-with-response-stream",
      REQUEST, INVOKE },

    { TG_STR("bedrock.models"), TG_OP_MODELS, BEDROCK,
      TG_MERGE_LAST, TG_API_CATALOG, 0, "GET",
      "foundation-models foundation-models/{}",
      { NULL }, { tg_want_aws_error } }
};


const tg_api_t *
tg_apis_bedrock(size_t *n)
{
    *n = sizeof(tg_api_table) / sizeof(tg_api_table[0]);

    return tg_api_table;
}
