#include "tg_dialect_int.h"

#define UNASKED  TG_QUIRK_USAGE_UNASKED
#define PROMPT   TG_QUIRK_OWN_PROMPT

/*
 * Names are OpenTelemetry's well-known values of gen_ai.provider.name where
 * there is one: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/
 *
 * Rows are tried in order; the first alias or host that matches wins.
 */
static const tg_vendor_t  tg_vendor_table[] = {

    { TG_STR("openai"), "openai",
      "api.openai.com *.api.openai.com", 0 },

    { TG_STR("azure.ai.openai"), "azure.ai.openai azure azure_openai",
      "*.openai.azure.com *.cognitiveservices.azure.com *.openai.azure.us "
      "*.openai.azure.cn *.azure-api.net",
      TG_QUIRK_BY_TOTAL },

    { TG_STR("azure.ai.inference"), "azure.ai.inference azure_ai",
      "*.services.ai.azure.com *.models.ai.azure.com *.inference.ai.azure.com "
      "*.inference.ml.azure.com models.inference.ai.azure.com",
      TG_QUIRK_BY_TOTAL },

    { TG_STR("anthropic"), "anthropic claude",
      "api.anthropic.com *.anthropic.com", UNASKED },

    /* https://ai.google.dev/gemini-api/docs/openai */
    { TG_STR("gcp.gemini"), "gcp.gemini gemini google",
      "generativelanguage.googleapis.com *.generativelanguage.googleapis.com",
      TG_QUIRK_REASONING_REST },

    { TG_STR("gcp.vertex_ai"), "gcp.vertex_ai vertex vertex_ai",
      "aiplatform.googleapis.com *-aiplatform.googleapis.com "
      "aiplatform.*.rep.googleapis.com aiplatform-*.p.googleapis.com",
      TG_QUIRK_REASONING_REST },

    { TG_STR("aws.bedrock"), "aws.bedrock bedrock aws",
      "bedrock-runtime*.amazonaws.com bedrock-runtime*.amazonaws.com.cn "
      "bedrock-runtime*.api.aws bedrock-mantle*.api.aws "
      "bedrock.*.amazonaws.com bedrock-agent-runtime.*.amazonaws.com "
      "*.bedrock-runtime.*.vpce.amazonaws.com", 0 },

    /* https://docs.cohere.com/v2/docs/how-does-cohere-pricing-work */
    { TG_STR("cohere"), "cohere",
      "api.cohere.com api.cohere.ai *.cohere.com *.cohere.ai",
      UNASKED | PROMPT },

    /* https://docs.mistral.ai/capabilities/audio/ */
    { TG_STR("mistral_ai"), "mistral_ai mistral",
      "api.mistral.ai *.mistral.ai", TG_QUIRK_AUDIO_APART | UNASKED },

    /* https://api-docs.deepseek.com/api/create-chat-completion */
    { TG_STR("deepseek"), "deepseek",
      "api.deepseek.com *.deepseek.com", UNASKED },

    /* the finish chunk has x_groq.usage, asked or not */
    { TG_STR("groq"), "groq",
      "api.groq.com *.groq.com", UNASKED },

    /* https://docs.x.ai/docs/guides/reasoning */
    { TG_STR("x_ai"), "x_ai xai grok",
      "api.x.ai *.x.ai", TG_QUIRK_REASONING_APART | PROMPT },

    /* deep research reasons beside what it completes, and in no total:
     * https://docs.perplexity.ai/getting-started/pricing */
    { TG_STR("perplexity"), "perplexity pplx",
      "api.perplexity.ai *.perplexity.ai",
      TG_QUIRK_REASONING_APART | UNASKED },

    { TG_STR("ibm.watsonx.ai"), "ibm.watsonx.ai watsonx ibm",
      "*.ml.cloud.ibm.com", UNASKED },

    { TG_STR("openrouter"), "openrouter",
      "openrouter.ai *.openrouter.ai", UNASKED | PROMPT },

    { TG_STR("vercel"), "vercel vercel_ai_gateway",
      "ai-gateway.vercel.sh",
      TG_QUIRK_REASONING_APART | UNASKED | PROMPT },

    { TG_STR("together_ai"), "together_ai together",
      "api.together.ai api.together.xyz *.together.ai *.together.xyz",
      UNASKED },

    { TG_STR("fireworks_ai"), "fireworks_ai fireworks",
      "api.fireworks.ai *.fireworks.ai", UNASKED },

    { TG_STR("cerebras"), "cerebras",
      "api.cerebras.ai *.cerebras.ai", UNASKED },

    { TG_STR("z_ai"), "z_ai zai zhipu",
      "api.z.ai *.z.ai open.bigmodel.cn", UNASKED },

    { TG_STR("moonshot"), "moonshot moonshot_ai kimi",
      "api.moonshot.ai api.moonshot.cn", UNASKED },

    { TG_STR("minimax"), "minimax",
      "api.minimax.io api.minimax.com api.minimax.chat api.minimaxi.com", 0 },

    { TG_STR("alibaba"), "alibaba dashscope qwen",
      "dashscope.aliyuncs.com dashscope-*.aliyuncs.com "
      "*.maas.aliyuncs.com", 0 },

    { TG_STR("deepinfra"), "deepinfra",
      "api.deepinfra.com *.deepinfra.com", UNASKED },

    { TG_STR("sambanova"), "sambanova",
      "api.sambanova.ai *.sambanova.ai", 0 },

    { TG_STR("nvidia_nim"), "nvidia_nim nvidia nim",
      "integrate.api.nvidia.com", 0 },

    { TG_STR("hugging_face"), "hugging_face huggingface hf",
      "router.huggingface.co api-inference.huggingface.co "
      "*.endpoints.huggingface.cloud *.huggingface.co", 0 },

    { TG_STR("voyage_ai"), "voyage_ai voyage voyageai",
      "api.voyageai.com ai.mongodb.com", 0 },

    { TG_STR("jina_ai"), "jina_ai jina",
      "api.jina.ai *.jina.ai", 0 },

    { TG_STR("ai21"), "ai21",
      "api.ai21.com", UNASKED },

    { TG_STR("writer"), "writer", "api.writer.com *.writer.com", 0 },

    { TG_STR("aleph_alpha"), "aleph_alpha aleph-alpha", "api.aleph-alpha.com",
      0 },

    { TG_STR("snowflake"), "snowflake",
      "*.snowflakecomputing.com *.snowflakecomputing.cn", 0 },

    { TG_STR("databricks"), "databricks",
      "*.cloud.databricks.com *.azuredatabricks.net *.gcp.databricks.com", 0 },

    { TG_STR("cloudflare"), "cloudflare workers_ai",
      "api.cloudflare.com gateway.ai.cloudflare.com", 0 },

    { TG_STR("nebius"), "nebius",
      "api.studio.nebius.com api.studio.nebius.ai api.tokenfactory.nebius.com",
      0 },

    { TG_STR("novita"), "novita", "api.novita.ai", 0 },
    { TG_STR("hyperbolic"), "hyperbolic", "api.hyperbolic.xyz", 0 },
    /* https://docs.venice.ai/api-reference: its own system prompt */
    { TG_STR("venice"), "venice", "api.venice.ai", PROMPT },
    { TG_STR("avian"), "avian", "api.avian.io", 0 },
    { TG_STR("doubleword"), "doubleword", "api.doubleword.ai", 0 },
    { TG_STR("baseten"), "baseten", "inference.baseten.co *.api.baseten.co",
      0 },

    { TG_STR("replicate"), "replicate",
      "api.replicate.com *.replicate.com", 0 },
    { TG_STR("github"), "github github_models", "models.github.ai", 0 },
    { TG_STR("github_copilot"), "github_copilot copilot",
      "*.githubcopilot.com", PROMPT },
    { TG_STR("heroku"), "heroku", "*.inference.heroku.com", 0 },
    { TG_STR("ovhcloud"), "ovhcloud ovh", "*.ai.cloud.ovh.net", 0 },
    { TG_STR("scaleway"), "scaleway", "api.scaleway.ai *.scaleway.ai", 0 },
    { TG_STR("lambda_ai"), "lambda_ai lambda",
      "api.lambda.ai api.lambdalabs.com", 0 },
    { TG_STR("friendli"), "friendli friendliai", "api.friendli.ai", 0 },
    { TG_STR("featherless_ai"), "featherless_ai featherless",
      "api.featherless.ai", 0 },
    { TG_STR("inception"), "inception", "api.inceptionlabs.ai", 0 },
    { TG_STR("upstage"), "upstage", "api.upstage.ai", 0 },
    { TG_STR("volcengine"), "volcengine ark doubao", "ark.*.volces.com", 0 },
    { TG_STR("siliconflow"), "siliconflow",
      "api.siliconflow.com api.siliconflow.cn", 0 },
    { TG_STR("stepfun"), "stepfun", "api.stepfun.com api.stepfun.ai", 0 },
    { TG_STR("tencent"), "tencent hunyuan", "api.hunyuan.cloud.tencent.com",
      0 },
    { TG_STR("baidu"), "baidu qianfan", "qianfan.baidubce.com", 0 },
    { TG_STR("gradient_ai"), "gradient_ai digitalocean",
      "inference.do-ai.run", 0 },
    { TG_STR("wandb"), "wandb", "api.inference.wandb.ai", 0 },
    { TG_STR("meta"), "meta", "api.meta.ai", 0 },
    { TG_STR("meta_llama"), "meta_llama", "api.llama.com", 0 },
    { TG_STR("arcee"), "arcee", "api.arcee.ai", 0 },
    { TG_STR("chutes"), "chutes", "llm.chutes.ai *.chutes.ai", 0 },
    { TG_STR("gmi"), "gmi", "api.gmi-serving.com", 0 },
    { TG_STR("nscale"), "nscale", "inference.api.nscale.com", 0 },
    { TG_STR("crusoe"), "crusoe", "*.crusoecloud.com", 0 },
    { TG_STR("morph"), "morph", "api.morphllm.com", PROMPT },
    { TG_STR("v0"), "v0", "api.v0.dev", PROMPT },
    { TG_STR("poe"), "poe", "api.poe.com", PROMPT },
    { TG_STR("xiaomi_mimo"), "xiaomi_mimo xiaomi", "api.xiaomimimo.com", 0 },

    { TG_STR("gpustack"), "gpustack", "gpustack gpustack.* gpustack-*", 0 },

    { TG_STR("ollama"), "ollama",
      "ollama ollama.* ollama-* ollama.com *:11434", 0 },

    { TG_STR("vllm"), "vllm", "vllm vllm.* vllm-* *-vllm", 0 },
    { TG_STR("sglang"), "sglang", "sglang sglang.* sglang-* *-sglang", 0 },
    { TG_STR("tgi"), "tgi text_generation_inference",
      "tgi tgi.* tgi-*", 0 },
    { TG_STR("llama_cpp"), "llama_cpp llamacpp llama.cpp",
      "llamacpp llamacpp.* llamacpp-* llama-cpp llama-cpp.*", 0 },
    { TG_STR("mistral.rs"), "mistral.rs mistralrs",
      "mistralrs mistralrs.*", 0 },
    { TG_STR("lm_studio"), "lm_studio lmstudio", "lmstudio lmstudio.*", 0 },
    { TG_STR("litellm"), "litellm", "litellm litellm.* litellm-*",
      TG_QUIRK_BY_TOTAL | PROMPT },

    { TG_STR("unknown"), "unknown other", "", TG_QUIRK_BY_TOTAL | PROMPT }
};

#define TG_VENDORS  (sizeof(tg_vendor_table) / sizeof(tg_vendor_table[0]))

/*
 * Who is meant where only the shape is known: named like the inventor of the
 * shape, but nothing is taken for granted of its numbers.
 */
static const tg_vendor_t  tg_vendor_family_table[] = {
    [TG_FAMILY_NONE] = { TG_STR("unknown"), "", "",
                         TG_QUIRK_BY_TOTAL | PROMPT },
    [TG_FAMILY_OPENAI] = { TG_STR("openai"), "", "",
                           TG_QUIRK_BY_TOTAL | PROMPT },
    [TG_FAMILY_ANTHROPIC] = { TG_STR("anthropic"), "", "", 0 },
    [TG_FAMILY_GEMINI] = { TG_STR("gcp.gemini"), "", "",
                           TG_QUIRK_REASONING_REST },
    [TG_FAMILY_VERTEX] = { TG_STR("gcp.vertex_ai"), "", "",
                           TG_QUIRK_REASONING_REST },
    [TG_FAMILY_BEDROCK] = { TG_STR("aws.bedrock"), "", "", 0 },
    [TG_FAMILY_COHERE] = { TG_STR("cohere"), "", "", UNASKED | PROMPT },
    [TG_FAMILY_MISTRAL] = { TG_STR("mistral_ai"), "", "",
                            TG_QUIRK_AUDIO_APART | UNASKED },
    [TG_FAMILY_OLLAMA] = { TG_STR("ollama"), "", "", 0 },
    [TG_FAMILY_TGI] = { TG_STR("tgi"), "", "", 0 },
    [TG_FAMILY_LLAMACPP] = { TG_STR("llama_cpp"), "", "", 0 },
    [TG_FAMILY_WATSONX] = { TG_STR("ibm.watsonx.ai"), "", "", UNASKED }
};


/* One pattern of one row. */
typedef struct {
    tg_str_t            pattern;
    const tg_vendor_t  *vendor;
    bool                port;       /* has one, else it is left out */
    bool                plain;      /* has no '*' */
} tg_host_t;

static const tg_host_t      *tg_hosts;
static const tg_suffixes_t  *tg_host_ends;


/* The next word of a list, or an empty string. */
static tg_str_t
tg_next_word(const char **list)
{
    const char  *p = *list;
    tg_str_t     word;

    while (*p == ' ') {
        p++;
    }

    word.p = p;

    while (*p != '\0' && *p != ' ') {
        p++;
    }

    word.len = (size_t) (p - word.p);
    *list = p;

    return word;
}


const tg_vendor_t *
tg_vendor_by_name(tg_str_t name)
{
    tg_str_t     word;
    const char  *list;

    for (size_t i = 0; i < TG_VENDORS; i++) {
        list = tg_vendor_table[i].aliases;

        while ((word = tg_next_word(&list)).len != 0) {
            if (tg_str_caseeq(word, name)) {
                return &tg_vendor_table[i];
            }
        }
    }

    return NULL;
}


int
tg_vendors_setup(tg_mem_t *mem, tg_error_t *err)
{
    tg_host_t      *hosts = tg_alloc(mem, TG_SUFFIX_MAX * sizeof(tg_host_t));
    tg_suffix_t    *suffix = tg_zalloc(mem, TG_SUFFIX_MAX
                                            * sizeof(tg_suffix_t));
    tg_suffixes_t  *ends = tg_alloc(mem, sizeof(tg_suffixes_t));
    tg_str_t        word, end;
    const char     *list;
    size_t          n = 0;

    if (hosts == NULL || suffix == NULL || ends == NULL) {
        return tg_error(err, 0, 0, "out of memory");
    }

    for (size_t i = 0; i < TG_VENDORS; i++) {
        list = tg_vendor_table[i].hosts;

        while ((word = tg_next_word(&list)).len != 0) {

            if (n == TG_SUFFIX_MAX) {
                return tg_error(err, 0, 0, "too many hosts");
            }

            for (end = word; memchr(end.p, '*', end.len); end.p++) {
                end.len--;
            }

            hosts[n].pattern = word;
            hosts[n].vendor = &tg_vendor_table[i];
            hosts[n].port = memchr(word.p, ':', word.len) != NULL;
            hosts[n].plain = end.p == word.p;

            if (!hosts[n].port) {
                suffix[n] = tg_suffix_make(end);
            }

            n++;
        }
    }

    if (tg_suffixes(ends, mem, suffix, n) != TG_OK) {
        return tg_error(err, 0, 0, "out of memory");
    }

    tg_hosts = hosts;
    tg_host_ends = ends;

    return TG_OK;
}


const tg_vendor_t *
tg_vendor_by_host(tg_str_t host)
{
    char                  buf[256];
    tg_str_t              whole, bare;
    uint64_t              end;
    unsigned              kind;
    const char           *colon;
    const tg_host_t      *h;
    const tg_suffixes_t  *t = tg_host_ends;

    if (host.len == 0 || host.len > sizeof(buf) || t == NULL) {
        return &tg_vendor_table[TG_VENDORS - 1];
    }

    tg_str_lower(buf, host);

    whole = tg_str_of(buf, host.len);
    colon = memchr(buf, ':', host.len);
    bare = colon == NULL ? whole : tg_str_of(buf, (size_t) (colon - buf));

    if (bare.len > 1 && bare.p[bare.len - 1] == '.') {
        bare.len--;         /* a fully qualified name */
    }

    end = tg_suffix_load(bare);
    kind = tg_suffix_kind(end);

    for (unsigned i = t->first[kind]; i < t->first[kind + 1]; i++) {

        if (!tg_suffix_fits(t->suffix[t->list[i]], end)) {
            continue;
        }

        h = &tg_hosts[t->list[i]];

        if (h->port ? colon != NULL && tg_str_match(whole, h->pattern)
            : h->plain ? tg_str_eq(bare, h->pattern)
            : tg_str_match(bare, h->pattern))
        {
            return h->vendor;
        }
    }

    return &tg_vendor_table[TG_VENDORS - 1];
}


const tg_vendor_t *
tg_vendor_of_family(tg_family_t family)
{
    return &tg_vendor_family_table[family];
}


tg_str_t
tg_vendor_name(const tg_vendor_t *v)
{
    return v->name;
}


tg_str_t
tg_vendor_names(void)
{
    static char    names[1024];
    static size_t  len;
    tg_str_t       name;

    /* the same bytes whoever writes them; done by the first call, at setup */

    if (len == 0) {
        size_t  n = 0;

        for (size_t i = 0; i < TG_VENDORS; i++) {
            name = tg_vendor_table[i].name;

            if (n + name.len + 2 > sizeof(names)) {
                break;
            }

            if (i != 0) {
                memcpy(names + n, ", ", 2);
                n += 2;
            }

            memcpy(names + n, name.p, name.len);
            n += name.len;
        }

        len = n;
    }

    return tg_str_of(names, len);
}
