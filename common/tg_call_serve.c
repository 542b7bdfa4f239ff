/* Who can serve a call. */

#include "tg_call_int.h"
#include "tg_models.h"

/* What a provider speaks. */
typedef enum {
    TG_SPEAKS_ANY = 0,          /* not known: whatever it is told */
    TG_SPEAKS_OPENAI,
    TG_SPEAKS_ANTHROPIC,
    TG_SPEAKS_GEMINI,
    TG_SPEAKS_VERTEX,
    TG_SPEAKS_BEDROCK,
    TG_SPEAKS_COHERE,
    TG_SPEAKS_OLLAMA            /* and OpenAI's */
} tg_speaks_t;

static const struct {
    tg_str_t     vendor;
    tg_speaks_t  speaks;
} tg_speaks_table[] = {
    { TG_STR("anthropic"), TG_SPEAKS_ANTHROPIC },
    { TG_STR("gcp.gemini"), TG_SPEAKS_GEMINI },
    { TG_STR("gcp.vertex_ai"), TG_SPEAKS_VERTEX },
    { TG_STR("aws.bedrock"), TG_SPEAKS_BEDROCK },
    { TG_STR("cohere"), TG_SPEAKS_COHERE },
    { TG_STR("ollama"), TG_SPEAKS_OLLAMA }
};


/*
 * Told by the vendor; and by the end of the url's path, where vendors have another
 * one's API: ".../v1beta/openai", ".../compatibility/v1", ".../anthropic".
 */
static tg_speaks_t
tg_provider_speaks(const tg_provider_t *pr)
{
    tg_str_t            name;
    const tg_vendor_t  *vendor = pr->vendor;

    if (tg_str_ends(pr->base, tg_str("/openai"))
        || tg_str_match(pr->base, tg_str("*/openai/v1"))
        || tg_str_match(pr->base, tg_str("*/compatibility/v1")))
    {
        return TG_SPEAKS_OPENAI;
    }

    if (tg_str_ends(pr->base, tg_str("/anthropic"))
        || tg_str_match(pr->base, tg_str("*/anthropic/v1")))
    {
        return TG_SPEAKS_ANTHROPIC;
    }

    name = tg_vendor_name(vendor != NULL ? vendor
                                         : tg_vendor_by_host(pr->host));

    if (tg_str_eq(name, tg_str("unknown"))) {
        return TG_SPEAKS_ANY;
    }

    for (size_t i = 0; i < sizeof(tg_speaks_table) / sizeof(tg_speaks_table[0]);
         i++)
    {
        if (tg_str_eq(name, tg_speaks_table[i].vendor)) {
            return tg_speaks_table[i].speaks;
        }
    }

    return TG_SPEAKS_OPENAI;
}


/* Does it take the call as it is? */
static bool
tg_serves_as_is(const tg_call_t *call, tg_speaks_t speaks)
{
    bool        vertex = tg_str_starts(tg_api_name(call->asked.api),
                                       tg_str("vertex."));
    tg_shape_t  shape = tg_api_shape(call->asked.api);

    if (speaks == TG_SPEAKS_ANY) {
        return true;
    }

    if (vertex || speaks == TG_SPEAKS_VERTEX) {
        return speaks == TG_SPEAKS_VERTEX
               && (vertex || shape == TG_SHAPE_GEMINI);
    }

    switch (shape) {
    case TG_SHAPE_ANTHROPIC:
        return speaks == TG_SPEAKS_ANTHROPIC;
    case TG_SHAPE_GEMINI:
        return speaks == TG_SPEAKS_GEMINI;
    case TG_SHAPE_BEDROCK:
        return speaks == TG_SPEAKS_BEDROCK;
    case TG_SHAPE_COHERE:
        return speaks == TG_SPEAKS_COHERE;
    case TG_SHAPE_OLLAMA:
        return speaks == TG_SPEAKS_OLLAMA;
    case TG_SHAPE_OPENAI:
        break;
    }

    return speaks == TG_SPEAKS_OPENAI || speaks == TG_SPEAKS_OLLAMA;
}


static tg_form_t
tg_serves_form(const tg_call_t *call, tg_speaks_t speaks)
{
    tg_form_t  to = TG_FORM_NONE, from = tg_form_of(call->asked.api);

    switch (speaks) {
    case TG_SPEAKS_OPENAI:
    case TG_SPEAKS_OLLAMA:
        to = TG_FORM_OPENAI_CHAT;
        break;
    case TG_SPEAKS_ANTHROPIC:
        to = TG_FORM_ANTHROPIC;
        break;
    case TG_SPEAKS_GEMINI:
    case TG_SPEAKS_VERTEX:
        to = TG_FORM_GEMINI;
        break;
    default:
        break;
    }

    return from != TG_FORM_NONE && to != TG_FORM_NONE && from != to
           && tg_translates(from, to) && call->host->body != NULL
           ? to : TG_FORM_NONE;
}


/* A static location's URL is not ours: nothing but the body's model changes. */
static bool
tg_serves_static(const tg_call_t *call, const tg_provider_t *pr)
{
    return pr == call->provider && !tg_api_path_model(call->asked.api)
           && call->asked.model.len == 0;
}


static bool
tg_serves_model(const tg_call_t *call, const tg_provider_t *pr,
    tg_str_t model)
{
    tg_str_t                  asked = tg_call_model(call);
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (model.len == 0) {
        return pr->nmodels == 0
               || tg_models_match(pr->models, pr->nmodels, asked);
    }

    /* It has to be written somewhere. */

    return tg_str_eq(model, asked) || call->asked.model.len != 0
           || info->root_end != TG_JSON_NOWHERE;
}


bool
tg_call_serves(const tg_call_t *call, const tg_provider_t *pr, tg_str_t model,
    tg_aim_t *aim)
{
    tg_speaks_t  speaks = tg_provider_speaks(pr);

    memset(aim, 0, sizeof(tg_aim_t));
    aim->provider = pr;
    aim->model = model;
    aim->form = TG_FORM_NONE;

    if (!tg_serves_model(call, pr, model)) {
        return false;
    }

    if (call->scope->pass != 1) {
        return tg_serves_static(call, pr);
    }

    aim->keys[0] = tg_breaker_key(pr->name, tg_str_null);
    aim->keys[1] = tg_breaker_key(pr->name, model);

    if (tg_serves_as_is(call, speaks)) {
        return true;
    }

    aim->form = tg_serves_form(call, speaks);

    return aim->form != TG_FORM_NONE
           && tg_request_info(call->request)->root_end != TG_JSON_NOWHERE;
}
