#define _GNU_SOURCE

/* Who the words of gen_ai.provider.name are, and who made a model. */

#include "focus_row.h"

typedef struct {
    tg_str_t  word;
    tg_str_t  company;
    tg_str_t  service;
} vendor_t;

static const vendor_t  vendors[] = {
    { TG_STR("openai"), TG_STR("OpenAI"), TG_STR("OpenAI API") },
    { TG_STR("anthropic"), TG_STR("Anthropic"), TG_STR("Claude API") },
    { TG_STR("aws.bedrock"), TG_STR("AWS"), TG_STR("Amazon Bedrock") },
    { TG_STR("azure.ai.openai"), TG_STR("Microsoft"),
      TG_STR("Azure OpenAI Service") },
    { TG_STR("azure.ai.inference"), TG_STR("Microsoft"),
      TG_STR("Azure AI Foundry") },
    { TG_STR("gcp.gemini"), TG_STR("Google"), TG_STR("Gemini API") },
    { TG_STR("gcp.vertex_ai"), TG_STR("Google Cloud"), TG_STR("Vertex AI") },
    { TG_STR("gcp.gen_ai"), TG_STR("Google"), TG_STR("Gemini API") },
    { TG_STR("mistral_ai"), TG_STR("Mistral AI"), TG_STR("La Plateforme") },
    { TG_STR("cohere"), TG_STR("Cohere"), TG_STR("Cohere API") },
    { TG_STR("groq"), TG_STR("Groq"), TG_STR("GroqCloud") },
    { TG_STR("deepseek"), TG_STR("DeepSeek"), TG_STR("DeepSeek API") },
    { TG_STR("x_ai"), TG_STR("xAI"), TG_STR("xAI API") },
    { TG_STR("perplexity"), TG_STR("Perplexity"), TG_STR("Perplexity API") },
    { TG_STR("openrouter"), TG_STR("OpenRouter"), TG_STR("OpenRouter API") }
};

/* Clouds sell what others make; the first that the model's name holds. */
static const tg_str_t  makers[][2] = {
    { TG_STR("claude"), TG_STR("Anthropic") },
    { TG_STR("gpt-"), TG_STR("OpenAI") },
    { TG_STR("gemini"), TG_STR("Google") },
    { TG_STR("llama"), TG_STR("Meta") },
    { TG_STR("mistral"), TG_STR("Mistral AI") },
    { TG_STR("mixtral"), TG_STR("Mistral AI") },
    { TG_STR("cohere."), TG_STR("Cohere") },
    { TG_STR("command-r"), TG_STR("Cohere") },
    { TG_STR("deepseek"), TG_STR("DeepSeek") },
    { TG_STR("qwen"), TG_STR("Alibaba") }
};


static const vendor_t *
vendor_find(tg_str_t vendor)
{
    for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
        if (tg_str_eq(vendors[i].word, vendor)) {
            return &vendors[i];
        }
    }

    return NULL;
}


tg_str_t
focus_vendor(tg_str_t vendor)
{
    const vendor_t  *v = vendor_find(vendor);

    return v != NULL ? v->company : vendor.len != 0 ? vendor
                                                    : tg_str("unknown");
}


tg_str_t
focus_service(tg_str_t vendor)
{
    const vendor_t  *v = vendor_find(vendor);

    return v != NULL ? v->service : focus_vendor(vendor);
}


tg_str_t
focus_publisher(tg_str_t vendor, tg_str_t model)
{
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        if (memmem(model.p, model.len, makers[i][0].p, makers[i][0].len)
            != NULL)
        {
            return makers[i][1];
        }
    }

    return focus_vendor(vendor);
}
