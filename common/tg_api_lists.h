/*
 * tg_api_lists.h - JSON paths of usages that occur in several places of several
 * APIs, by the place.  For the tg_api_*.c only.
 */

#ifndef TG_API_LISTS_H
#define TG_API_LISTS_H

/* What all that call themselves compatible with OpenAI have been seen to say
 * of tokens; where two mean the same, the larger counts. */
#define TG_OPENAI_TOKENS(p)                                                   \
    { p "prompt_tokens", TG_A_INPUT, 0 },                                     \
    { p "completion_tokens", TG_A_OUTPUT, 0 },                                \
    { p "total_tokens", TG_A_TOTAL, 0 },                                      \
    { p "prompt_tokens_details.cached_tokens", TG_A_CACHE_READ, 0 },          \
    { p "prompt_tokens_details.cache_write_tokens", TG_A_CACHE_WRITE, 0 },    \
    { p "prompt_tokens_details.audio_tokens", TG_A_AUDIO_IN, 0 },             \
    { p "prompt_tokens_details.image_tokens", TG_A_IMAGE_IN, 0 },             \
    { p "completion_tokens_details.reasoning_tokens", TG_A_REASONING, 0 },    \
    { p "completion_tokens_details.audio_tokens", TG_A_AUDIO_OUT, 0 },        \
    { p "completion_tokens_details.image_tokens", TG_A_IMAGE_OUT, 0 },        \
    /* DeepSeek */                                                            \
    { p "prompt_cache_hit_tokens", TG_A_CACHE_READ, 0 },                      \
    /* Together, Moonshot */                                                  \
    { p "cached_tokens", TG_A_CACHE_READ, 0 },                                \
    /* SGLang */                                                              \
    { p "reasoning_tokens", TG_A_REASONING, 0 },                              \
    /* Writer */                                                              \
    { p "prompt_token_details.cached_tokens", TG_A_CACHE_READ, 0 },           \
    { p "completion_token_details.reasoning_tokens", TG_A_REASONING, 0 }

#define TG_OPENAI_USAGE(p)                                                    \
    TG_OPENAI_TOKENS(p),                                                      \
    /* responses, images, transcriptions */                                   \
    { p "input_tokens", TG_A_INPUT, 0 },                                      \
    { p "output_tokens", TG_A_OUTPUT, 0 },                                    \
    { p "input_tokens_details.cached_tokens", TG_A_CACHE_READ, 0 },           \
    { p "input_tokens_details.cache_write_tokens", TG_A_CACHE_WRITE, 0 },     \
    { p "input_tokens_details.audio_tokens", TG_A_AUDIO_IN, 0 },              \
    { p "input_tokens_details.image_tokens", TG_A_IMAGE_IN, 0 },              \
    { p "output_tokens_details.reasoning_tokens", TG_A_REASONING, 0 },        \
    { p "output_tokens_details.audio_tokens", TG_A_AUDIO_OUT, 0 },            \
    { p "output_tokens_details.image_tokens", TG_A_IMAGE_OUT, 0 },            \
    { p "input_token_details.audio_tokens", TG_A_AUDIO_IN, 0 },               \
    { p "seconds", TG_A_SECONDS, 0 },                                         \
    /* gateways in front of Anthropic */                                      \
    { p "cache_read_input_tokens", TG_A_CACHE_READ, 0 },                      \
    { p "cache_creation_input_tokens", TG_A_CACHE_WRITE, 0 },                 \
    { p "cache_creation.ephemeral_5m_input_tokens", TG_A_CACHE_5M, 0 },       \
    { p "cache_creation.ephemeral_1h_input_tokens", TG_A_CACHE_1H, 0 },       \
    /* OpenRouter and others; Perplexity; xAI */                              \
    { p "cost", TG_A_COST, 0 },                                               \
    { p "cost.total_cost", TG_A_COST, 0 },                                    \
    { p "cost_in_usd_ticks", TG_A_TICKS, 0 }

/* Anthropic's: input_tokens leaves out what a cache has to do with. */
#define TG_ANTHROPIC_USAGE(p, output)                                         \
    { p "input_tokens", TG_A_FRESH, 0 },                                      \
    { p "output_tokens", output, 0 },                                         \
    { p "cache_read_input_tokens", TG_A_CACHE_READ, 0 },                      \
    { p "cache_creation_input_tokens", TG_A_CACHE_WRITE, 0 },                 \
    { p "cache_creation.ephemeral_5m_input_tokens", TG_A_CACHE_5M, 0 },       \
    { p "cache_creation.ephemeral_1h_input_tokens", TG_A_CACHE_1H, 0 },       \
    { p "output_tokens_details.thinking_tokens", TG_A_REASONING, 0 },         \
    { p "server_tool_use.web_search_requests", TG_A_WEB_SEARCH, 0 },          \
    { p "server_tool_use.web_fetch_requests", TG_A_WEB_FETCH, 0 },            \
    { p "service_tier", TG_A_TIER, 0 },                                       \
    { p "speed", TG_A_SPEED, 0 },                                             \
    { p "inference_geo", TG_A_GEO, 0 },                                       \
    { p "cost", TG_A_COST, 0 }

/* What a call had done beside its own messages, at another model's price. */
#define TG_ANTHROPIC_EXTRAS(p)                                                \
    { p "iterations", TG_A_EXTRAS, 0 },                                       \
    { p "iterations[]", TG_A_EXTRA, 0 },                                      \
    { p "iterations[].type", TG_A_EXTRA_TYPE, 0 },                            \
    { p "iterations[].model", TG_A_EXTRA_MODEL, 0 },                          \
    { p "iterations[].input_tokens", TG_A_EXTRA_INPUT, 0 },                   \
    { p "iterations[].output_tokens", TG_A_EXTRA_OUTPUT, 0 },                 \
    { p "iterations[].cache_read_input_tokens", TG_A_EXTRA_READ, 0 },         \
    { p "iterations[].cache_creation_input_tokens", TG_A_EXTRA_WRITE, 0 },    \
    { p "iterations[].cache_creation.ephemeral_5m_input_tokens",              \
      TG_A_EXTRA_5M, 0 },                                                     \
    { p "iterations[].cache_creation.ephemeral_1h_input_tokens",              \
      TG_A_EXTRA_1H, 0 }

/* https://ai.google.dev/api/generate-content#UsageMetadata */
#define TG_MODALITIES(p, name, tokens, element)                               \
    { p, element, 0 },                                                        \
    { p "." name, TG_A_MODAL_NAME, 0 },                                       \
    { p "." tokens, TG_A_MODAL_TOKENS, 0 }

#define TG_GEMINI_USAGE(p)                                                    \
    { p "promptTokenCount", TG_A_INPUT, 0 },                                  \
    { p "candidatesTokenCount", TG_A_OUTPUT, 0 },                             \
    { p "totalTokenCount", TG_A_TOTAL, 0 },                                   \
    { p "cachedContentTokenCount", TG_A_CACHE_READ, 0 },                      \
    { p "thoughtsTokenCount", TG_A_REASONING, 0 },                            \
    { p "toolUsePromptTokenCount", TG_A_TOOL_INPUT, 0 },                      \
    TG_MODALITIES(p "promptTokensDetails[]", "modality", "tokenCount",        \
                  TG_A_MODAL_INPUT),                                          \
    TG_MODALITIES(p "toolUsePromptTokensDetails[]", "modality",               \
                  "tokenCount", TG_A_MODAL_INPUT),                            \
    TG_MODALITIES(p "candidatesTokensDetails[]", "modality", "tokenCount",    \
                  TG_A_MODAL_OUTPUT)

/* https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
 * inputTokens leaves out what a cache has to do with. */
#define TG_CONVERSE_USAGE(p)                                                  \
    { p "inputTokens", TG_A_FRESH, 0 },                                       \
    { p "outputTokens", TG_A_OUTPUT, 0 },                                     \
    { p "cacheReadInputTokens", TG_A_CACHE_READ, 0 },                         \
    { p "cacheReadInputTokenCount", TG_A_CACHE_READ, 0 },                     \
    { p "cacheWriteInputTokens", TG_A_CACHE_WRITE, 0 },                       \
    { p "cacheWriteInputTokenCount", TG_A_CACHE_WRITE, 0 },                   \
    { p "cacheDetails[]", TG_A_CACHE_DETAIL, 0 },                             \
    { p "cacheDetails[].ttl", TG_A_CACHE_TTL, 0 },                            \
    { p "cacheDetails[].inputTokens", TG_A_CACHE_TOKENS, 0 }

#define TG_COHERE_USAGE(p)                                                    \
    { p "tokens.input_tokens", TG_A_INPUT, 0 },                               \
    { p "tokens.output_tokens", TG_A_OUTPUT, 0 },                             \
    { p "cached_tokens", TG_A_CACHE_READ, 0 },                                \
    { p "billed_units.input_tokens", TG_A_BILLED_INPUT, 0 },                  \
    { p "billed_units.output_tokens", TG_A_BILLED_OUTPUT, 0 },                \
    { p "billed_units.search_units", TG_A_SEARCH_UNITS, 0 },                  \
    { p "billed_units.images", TG_A_IMAGES, 0 }

/*
 * Content parts of requests, by the place.  A part without a type is one that
 * lax servers take by its member.
 */
#define TG_OPENAI_PARTS(p)                                                    \
    { p, TG_R_PART, 0 },                                                      \
    { p ".text", TG_R_TEXT, TG_JSON_COUNT },                                  \
    { p ".type", TG_R_PART_TYPE, 0 },                                         \
    { p ".image_url", TG_R_URL, 0 },                                          \
    { p ".image_url.url", TG_R_URL, 0 },                                      \
    { p ".image_base64", TG_R_URL, 0 },                                       \
    { p ".input_audio", TG_R_DATA, 0 },                                       \
    { p ".input_audio.data", TG_R_DATA, 0 },                                  \
    { p ".audio_url", TG_R_DATA, 0 },                                         \
    { p ".audio_url.url", TG_R_DATA, 0 },                                     \
    { p ".video_url", TG_R_ELSEWHERE, 0 },                                    \
    { p ".file", TG_R_ELSEWHERE, 0 },                                         \
    { p ".file_id", TG_R_FILE, 0 }

/* https://docs.claude.com/en/api/messages#body-messages-content */
#define TG_ANTHROPIC_PARTS(p)                                                 \
    { p, TG_R_PART, 0 },                                                      \
    { p ".text", TG_R_TEXT, TG_JSON_COUNT },                                  \
    { p ".type", TG_R_PART_TYPE, 0 },                                         \
    { p ".source.data", TG_R_DATA, 0 }

/* https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html */
#define TG_CONVERSE_PARTS(p)                                                  \
    { p, TG_R_PART, 0 },                                                      \
    { p ".text", TG_R_TEXT, TG_JSON_COUNT },                                  \
    { p ".image", TG_R_IMAGE, 0 },                                            \
    { p ".image.source.bytes", TG_R_DATA, 0 },                                \
    { p ".audio", TG_R_AUDIO, 0 },                                            \
    { p ".audio.source.bytes", TG_R_DATA, 0 },                                \
    { p ".document", TG_R_ELSEWHERE, 0 },                                     \
    { p ".video", TG_R_ELSEWHERE, 0 }

/* https://ai.google.dev/api/caching#Part; a name may be in either case */
#define TG_GEMINI_BLOB(p)                                                     \
    { p ".mimeType", TG_R_MIME, 0 },                                          \
    { p ".mime_type", TG_R_MIME, 0 }

#define TG_GEMINI_PARTS(p)                                                    \
    { p, TG_R_PART, 0 },                                                      \
    { p ".text", TG_R_TEXT, TG_JSON_COUNT },                                  \
    { p ".inlineData.data", TG_R_DATA, 0 },                                   \
    { p ".inline_data.data", TG_R_DATA, 0 },                                  \
    { p ".fileData", TG_R_FILE, 0 },                                          \
    { p ".file_data", TG_R_FILE, 0 },                                         \
    TG_GEMINI_BLOB(p ".inlineData"),                                          \
    TG_GEMINI_BLOB(p ".inline_data"),                                         \
    TG_GEMINI_BLOB(p ".fileData"),                                            \
    TG_GEMINI_BLOB(p ".file_data")

#define TG_GEMINI_TOOL(p)                                                     \
    { p, TG_R_TOOL, 0 },                                                      \
    { p ".functionDeclarations", TG_R_DECLARED, 0 },                          \
    { p ".function_declarations", TG_R_DECLARED, 0 },                         \
    { p ".computerUse", TG_R_DECLARED, 0 },                                   \
    { p ".computer_use", TG_R_DECLARED, 0 },                                  \
    { p ".googleSearch", TG_R_USES, 0 },                                      \
    { p ".google_search", TG_R_USES, 0 },                                     \
    { p ".googleSearchRetrieval", TG_R_USES, 0 },                             \
    { p ".google_search_retrieval", TG_R_USES, 0 },                           \
    { p ".googleMaps", TG_R_USES, 0 },                                        \
    { p ".google_maps", TG_R_USES, 0 },                                       \
    { p ".enterpriseWebSearch", TG_R_USES, 0 },                               \
    { p ".enterprise_web_search", TG_R_USES, 0 },                             \
    { p ".urlContext", TG_R_USES, 0 },                                        \
    { p ".url_context", TG_R_USES, 0 },                                       \
    { p ".codeExecution", TG_R_USES, 0 },                                     \
    { p ".code_execution", TG_R_USES, 0 },                                    \
    { p ".fileSearch", TG_R_USES, 0 },                                        \
    { p ".file_search", TG_R_USES, 0 },                                       \
    { p ".retrieval", TG_R_USES, 0 },                                         \
    { p ".parallelAiSearch", TG_R_USES, 0 },                                  \
    { p ".parallel_ai_search", TG_R_USES, 0 },                                \
    { p ".mcpServers", TG_R_USES, 0 },                                        \
    { p ".mcp_servers", TG_R_USES, 0 }

/* https://ai.google.dev/api/interactions-api#Resource:Content */
#define TG_INTERACTION_PARTS(p)                                               \
    { p ".text", TG_R_TEXT, TG_JSON_COUNT },                                  \
    { p ".type", TG_R_PART_TYPE, 0 },                                         \
    { p ".data", TG_R_DATA, 0 },                                              \
    { p ".uri", TG_R_FILE, 0 },                                               \
    { p ".mime_type", TG_R_MIME, 0 }

#endif /* TG_API_LISTS_H */
