/* What targets of one API call otherwise, or do not take. */

#include "tg_call_edit.h"

/*
 * The API's own member for the largest number of output tokens, where a call
 * says none; in an object, or at the top.  OpenAI's newer models refuse
 * max_tokens, which is all that most others know.
 *
 * https://platform.openai.com/docs/api-reference/chat/create
 * https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning
 */
static const tg_target_maximum_t  tg_target_maxima[] = {
    { TG_STR("openai.chat"), TG_STR("openai"), TG_STR(""),
      TG_STR("max_completion_tokens") },
    { TG_STR("openai.chat"), TG_STR("azure.ai.openai"), TG_STR(""),
      TG_STR("max_completion_tokens") },
    { TG_STR("openai.chat"), TG_STR("*"), TG_STR(""), TG_STR("max_tokens") },
    { TG_STR("openai.completions"), TG_STR("*"), TG_STR(""),
      TG_STR("max_tokens") },
    { TG_STR("openai.responses"), TG_STR("*"), TG_STR(""),
      TG_STR("max_output_tokens") },
    { TG_STR("anthropic.messages"), TG_STR("*"), TG_STR(""),
      TG_STR("max_tokens") },
    { TG_STR("vertex.anthropic"), TG_STR("*"), TG_STR(""),
      TG_STR("max_tokens") },
    { TG_STR("vertex.raw"), TG_STR("*"), TG_STR(""), TG_STR("max_tokens") },
    { TG_STR("gemini.generate"), TG_STR("*"), TG_STR("generationConfig"),
      TG_STR("maxOutputTokens") },
    { TG_STR("vertex.generate"), TG_STR("*"), TG_STR("generationConfig"),
      TG_STR("maxOutputTokens") },
    { TG_STR("bedrock.converse"), TG_STR("*"), TG_STR("inferenceConfig"),
      TG_STR("maxTokens") },
    { TG_STR("ollama.chat"), TG_STR("*"), TG_STR("options"),
      TG_STR("num_predict") },
    { TG_STR("ollama.generate"), TG_STR("*"), TG_STR("options"),
      TG_STR("num_predict") },
    { TG_STR("cohere.chat"), TG_STR("*"), TG_STR(""), TG_STR("max_tokens") },
    { TG_STR("cohere.v1.chat"), TG_STR("*"), TG_STR(""),
      TG_STR("max_tokens") },
    { TG_STR("cohere.v1.generate"), TG_STR("*"), TG_STR(""),
      TG_STR("max_tokens") },
    { TG_STR("watsonx.chat"), TG_STR("*"), TG_STR(""), TG_STR("max_tokens") }
};

/*
 * Models that think refuse to be told how to choose words, others how hard to
 * think.
 *
 * https://platform.openai.com/docs/guides/reasoning
 * https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning
 */
static const char *const  tg_target_thinkers[] = {
    "o1*", "o3*", "o4*", "gpt-5*"
};

#define TG_TARGET_CHOICE                                                      \
    (1u << TG_PARAM_TEMPERATURE | 1u << TG_PARAM_TOP_P                        \
     | 1u << TG_PARAM_PRESENCE_PENALTY | 1u << TG_PARAM_FREQUENCY_PENALTY     \
     | 1u << TG_PARAM_LOGPROBS | 1u << TG_PARAM_TOP_LOGPROBS                  \
     | 1u << TG_PARAM_LOGIT_BIAS)

#define TG_TARGET_EFFORT                                                      \
    (1u << TG_PARAM_REASONING_EFFORT | 1u << TG_PARAM_VERBOSITY)


const tg_target_maximum_t *
tg_target_maximum(const tg_call_t *call)
{
    size_t    n = sizeof(tg_target_maxima) / sizeof(tg_target_maxima[0]);
    tg_str_t  api = tg_api_name(call->dialect.api);
    tg_str_t  vendor = tg_vendor_name(call->dialect.vendor);

    for (size_t i = 0; i < n; i++) {
        if (tg_str_eq(api, tg_target_maxima[i].api)
            && tg_str_match(vendor, tg_target_maxima[i].vendor))
        {
            return &tg_target_maxima[i];
        }
    }

    return NULL;
}


uint32_t
tg_target_drops(tg_str_t vendor, tg_str_t model)
{
    if (!tg_str_eq(vendor, tg_str("openai"))
        && !tg_str_eq(vendor, tg_str("azure.ai.openai")))
    {
        return 0;
    }

    if (tg_str_match(model, tg_str("gpt-5*-chat*"))) {
        return TG_TARGET_EFFORT;
    }

    for (size_t i = 0; i < sizeof(tg_target_thinkers) / sizeof(char *); i++) {
        if (tg_str_match(model, tg_strz(tg_target_thinkers[i]))) {
            return TG_TARGET_CHOICE;
        }
    }

    return TG_TARGET_EFFORT;
}


tg_str_t
tg_target_max_name(const tg_call_t *call)
{
    const tg_provider_t        *pr = call->provider;
    const tg_target_maximum_t  *maximum = tg_target_maximum(call);

    if (maximum == NULL
        || tg_str_eq(tg_vendor_name(pr->vendor != NULL ? pr->vendor
                                    : tg_vendor_by_host(pr->host)),
                     tg_str("unknown")))
    {
        return tg_str_null;
    }

    return maximum->member;
}


int64_t
tg_call_max_room(const tg_call_t *call)
{
    int64_t                     room = INT64_MAX, most;
    uint64_t                    bytes;
    const tg_request_info_t    *info = tg_request_info(call->request);
    const tg_target_maximum_t  *maximum;

    if (info->root_end == TG_JSON_NOWHERE || info->nmaxima > TG_MAXIMA_MAX) {
        return 0;
    }

    if (info->nmaxima == 0) {
        maximum = tg_target_maximum(call);

        return maximum == NULL
               || (maximum->object.len != 0 && info->limits_cut)
               ? 0 : INT64_MAX;
    }

    for (unsigned i = 0; i < info->nmaxima; i++) {
        bytes = info->maxima[i].end - info->maxima[i].start;

        for (most = 0; bytes > 0 && most < INT64_MAX / 10; bytes--) {
            most = most * 10 + 9;
        }

        room = most < room ? most : room;
    }

    return room;
}
