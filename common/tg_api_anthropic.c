#include "tg_dialect_int.h"
#include "tg_api_lists.h"

/* https://docs.claude.com/en/api/messages, .../messages-streaming */

const tg_json_want_t  tg_want_anthropic_usage[] = {
    { "usage", TG_A_USAGE, 0 },
    { "message.usage", TG_A_USAGE, 0 },
    TG_ANTHROPIC_USAGE("usage.", TG_A_OUTPUT),
    TG_ANTHROPIC_EXTRAS("usage."),
    TG_ANTHROPIC_USAGE("message.usage.", TG_A_START_OUTPUT),
    { NULL, 0, 0 }
};

const tg_json_want_t  tg_want_anthropic[] = {
    { "id", TG_A_ID, 0 },
    { "message.id", TG_A_ID, 0 },
    { "model", TG_A_MODEL, 0 },
    { "message.model", TG_A_MODEL, 0 },
    { "type", TG_A_TYPE, 0 },
    { "stop_reason", TG_A_FINISH, 0 },
    { "delta.stop_reason", TG_A_FINISH, 0 },
    { "content[].type", TG_A_TOOL_TYPE, 0 },
    { "content_block.type", TG_A_TOOL_TYPE, 0 },
    { "content[].text", TG_A_TEXT, TG_JSON_COUNT },
    { "content[].thinking", TG_A_TEXT, TG_JSON_COUNT },
    { "delta.text", TG_A_TEXT, TG_JSON_COUNT },
    { "delta.thinking", TG_A_TEXT, TG_JSON_COUNT },
    { "delta.partial_json", TG_A_TEXT, TG_JSON_COUNT },
    { "completion", TG_A_TEXT, TG_JSON_COUNT },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_count[] = {
    { "input_tokens", TG_A_INPUT, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_batch[] = {
    { "id", TG_A_ID, 0 },
    { "processing_status", TG_A_STATUS, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_batch_line[] = {
    { "result.message.usage", TG_A_USAGE, 0 },
    TG_ANTHROPIC_USAGE("result.message.usage.", TG_A_OUTPUT),
    TG_ANTHROPIC_EXTRAS("result.message.usage."),
    { "result.message.model", TG_A_MODEL, 0 },
    { NULL, 0, 0 }
};

const tg_json_want_t  tg_want_anthropic_request[] = {
    { "", TG_R_ROOT, 0 },
    { "model", TG_R_MODEL, TG_JSON_MEMBER },
    { "models[]", TG_R_OTHER_MODEL, 0 },
    { "fallbacks[]", TG_R_OTHER_MODEL, 0 },
    { "fallbacks[].model", TG_R_OTHER_MODEL, 0 },
    { "tools[].model", TG_R_OTHER_MODEL, 0 },       /* advisors */
    { "stream", TG_R_STREAM, 0 },
    { "max_tokens", TG_R_MAX_TOKENS, 0 },
    { "max_tokens_to_sample", TG_R_MAX_TOKENS, 0 },
    { "thinking.budget_tokens", TG_R_THINKING, 0 },
    { "messages[]", TG_R_MESSAGE, 0 },
    { "messages[].role", TG_R_ROLE, 0 },
    { "messages[].content", TG_R_TEXT, TG_JSON_COUNT },
    TG_ANTHROPIC_PARTS("messages[].content[]"),
    { "messages[].content[].thinking", TG_R_TEXT, TG_JSON_COUNT },
    { "messages[].content[].content", TG_R_TEXT, TG_JSON_COUNT },
    TG_ANTHROPIC_PARTS("messages[].content[].content[]"),
    { "system", TG_R_SYSTEM, TG_JSON_COUNT },
    { "system[].text", TG_R_SYSTEM, TG_JSON_COUNT },
    { "prompt", TG_R_INPUT, TG_JSON_COUNT },
    { "tools[]", TG_R_TOOL, 0 },
    { "tools[].type", TG_R_TOOL_TYPE, 0 },
    { "tools[].max_uses", TG_R_MAX_USES, 0 },
    { "mcp_servers[]", TG_R_USES, 0 },
    { "container", TG_R_ELSEWHERE, 0 },
    { "context_management.edits[].type", TG_R_STEP, 0 },
    { "output_format.type", TG_R_FORMAT, 0 },
    { "output_config.format.type", TG_R_FORMAT, 0 },
    { "service_tier", TG_R_TIER, 0 },
    { "speed", TG_R_SPEED, 0 },
    { "inference_geo", TG_R_GEO, 0 },
    { "metadata.user_id", TG_R_USER, 0 },
    { NULL, 0, 0 }
};

#define TOKENS     (TG_API_JSON | TG_API_ESTIMATE)
#define ANTHROPIC  TG_SHAPE_ANTHROPIC, TG_FAMILY_ANTHROPIC
#define REQUEST    { tg_want_anthropic_request }

static const tg_api_t  tg_api_table[] = {

    { TG_STR("anthropic.batch.results"), TG_OP_BATCH, ANTHROPIC,
      TG_MERGE_SUM, TG_API_LINES, 0, "GET", "messages/batches/*/results",
      { NULL },
      { tg_want_batch_line, tg_want_error } },

    { TG_STR("anthropic.batch"), TG_OP_BATCH, ANTHROPIC,
      TG_MERGE_LAST, TG_API_JSON, 0, "GET POST",
      "messages/batches messages/batches/* messages/batches/*/cancel",
      REQUEST,
      { tg_want_batch, tg_want_error } },

    { TG_STR("anthropic.count_tokens"), TG_OP_COUNT_TOKENS, ANTHROPIC,
      TG_MERGE_LAST, TG_API_JSON, 0, "POST",
      "messages/count_tokens messages/count-tokens",
      REQUEST,
      { tg_want_count, tg_want_error } },

    { TG_STR("anthropic.messages"), TG_OP_CHAT, ANTHROPIC,
      TG_MERGE_OVERRIDE, TOKENS, 0, "POST",
      "v1/messages anthropic/messages",
      REQUEST,
      { tg_want_anthropic, tg_want_anthropic_usage, tg_want_error } },

    { TG_STR("anthropic.complete"), TG_OP_TEXT_COMPLETION, ANTHROPIC,
      TG_MERGE_OVERRIDE, TOKENS, 0, "POST", "v1/complete",
      REQUEST,
      { tg_want_anthropic, tg_want_anthropic_usage, tg_want_error } },

    /* https://docs.claude.com/en/api/claude-on-vertex-ai */

    { TG_STR("vertex.anthropic.count_tokens"), TG_OP_COUNT_TOKENS,
      TG_SHAPE_ANTHROPIC, TG_FAMILY_VERTEX, TG_MERGE_LAST, TG_API_JSON, 0,
      "POST", "models/count-tokens{}:rawPredict",
      REQUEST,
      { tg_want_count, tg_want_error } },

    { TG_STR("vertex.anthropic"), TG_OP_CHAT, TG_SHAPE_ANTHROPIC,
      TG_FAMILY_VERTEX, TG_MERGE_OVERRIDE, TOKENS | TG_API_PATH_MODEL, 0,
      "POST", "publishers/anthropic/models/{}:rawPredict",
      REQUEST,
      { tg_want_anthropic, tg_want_anthropic_usage, tg_want_error } },

    { TG_STR("vertex.anthropic"), TG_OP_CHAT, TG_SHAPE_ANTHROPIC,
      TG_FAMILY_VERTEX, TG_MERGE_OVERRIDE,
      TOKENS | TG_API_PATH_MODEL | TG_API_STREAMS, 0,
      "POST", "publishers/anthropic/models/{}:streamRawPredict",
      REQUEST,
      { tg_want_anthropic, tg_want_anthropic_usage, tg_want_error } },

    /* Mistral, AI21 and others on Vertex, in OpenAI's shape */

    { TG_STR("vertex.raw"), TG_OP_CHAT, TG_SHAPE_OPENAI,
      TG_FAMILY_VERTEX, TG_MERGE_LAST, TOKENS | TG_API_PATH_MODEL,
      TG_QUIRK_AUDIO_APART, "POST", "models/{}:rawPredict",
      { tg_want_openai_request, tg_want_openai_messages },
      { tg_want_openai_head, tg_want_openai_usage, tg_want_openai_choices,
        tg_want_error } },

    { TG_STR("vertex.raw"), TG_OP_CHAT, TG_SHAPE_OPENAI,
      TG_FAMILY_VERTEX, TG_MERGE_LAST,
      TOKENS | TG_API_PATH_MODEL | TG_API_STREAMS,
      TG_QUIRK_AUDIO_APART, "POST", "models/{}:streamRawPredict",
      { tg_want_openai_request, tg_want_openai_messages },
      { tg_want_openai_head, tg_want_openai_usage, tg_want_openai_choices,
        tg_want_error } }
};


const tg_api_t *
tg_apis_anthropic(size_t *n)
{
    *n = sizeof(tg_api_table) / sizeof(tg_api_table[0]);

    return tg_api_table;
}
