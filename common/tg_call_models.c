/* Which models there are: lists of them, and calls for others. */

#include "tg_call_int.h"
#include "tg_models.h"

#define TG_PROVIDED_TEXT  600   /* of a list of patterns in an error */


/*
 * Several APIs list their models at one path: the vendor tells, or what the
 * SDKs of Anthropic always send.
 */
tg_shape_t
tg_call_shape(const tg_call_t *call)
{
    tg_str_t    vendor = tg_vendor_name(call->asked.vendor);
    tg_shape_t  shape = tg_api_shape(call->asked.api);

    if (!tg_api_catalog(call->asked.api) || shape != TG_SHAPE_OPENAI) {
        return shape;
    }

    if (tg_str_eq(vendor, tg_str("anthropic"))
        || call->host->header(call->req, tg_str("anthropic-version")).len != 0)
    {
        return TG_SHAPE_ANTHROPIC;
    }

    /* Both have one in OpenAI's shape, too: "/v1beta/openai/models",
     * "/compatibility/v1/models". */

    if (tg_str_eq(vendor, tg_str("gcp.gemini"))
        && !tg_str_match(call->head.path, tg_str("*/openai/*")))
    {
        return TG_SHAPE_GEMINI;
    }

    if (tg_str_eq(vendor, tg_str("cohere"))
        && !tg_str_match(call->head.path, tg_str("*/compatibility/*")))
    {
        return TG_SHAPE_COHERE;
    }

    return shape;
}


static const tg_key_t *
tg_call_key(const tg_call_t *call)
{
    return call->pass == NULL ? NULL : call->pass->key;
}


/* A dry run alters nothing, and the upstream answers.  Where there are several
 * none of them could. */
bool
tg_call_lists_models(const tg_call_t *call)
{
    return (tg_call_key(call) != NULL || call->scope->pass == 1)
           && call->scope->enable == TG_ON
           && tg_api_catalog(call->asked.api)
           && !(call->conf->keys.allow >> TG_OP_MODELS & 1);
}


static int
tg_call_no_model(tg_call_t *call, tg_refusal_t *refusal)
{
    char       buf[256];
    tg_str_t   model = call->asked.model;
    tg_text_t  t;

    tg_text_init(&t, buf, sizeof(buf));
    tg_put_lit(&t, "there is no model ");
    tg_put_str(&t, tg_str_of(model.p, model.len < 128 ? model.len : 128));

    if (tg_call_key(call) != NULL) {
        tg_put_lit(&t, " that this key may call");
    } else {
        tg_put_lit(&t, " here");
    }

    return tg_call_refuse(call, refusal, 404, tg_str("model_not_found"),
                          tg_str_of(buf, (size_t) (t.p - buf)));
}


/* Of all providers, where it is not known which it will be. */
static int
tg_call_gather(tg_call_t *call, const tg_gate_t *gate, tg_model_t **models,
    size_t *n)
{
    unsigned              parts = 0;
    tg_models_ask_t       asks[TG_PROVIDERS_MAX];
    const tg_provider_t  *pr = call->provider;

    if (call->scope->pass != 1) {
        asks[parts++] = (tg_models_ask_t) {
            gate->book, tg_call_key(call), tg_vendor_name(call->dialect.vendor),
            pr != NULL ? pr->models : NULL, pr != NULL ? pr->nmodels : 0
        };
    }

    for (unsigned i = 0; call->scope->pass == 1 && i < call->conf->nproviders;
         i++)
    {
        pr = &call->conf->providers[i];

        if (pr->host.len != 0) {
            asks[parts++] = (tg_models_ask_t) {
                gate->book, tg_call_key(call),
                tg_vendor_name(pr->price != NULL ? pr->price
                               : pr->vendor != NULL ? pr->vendor
                               : tg_vendor_by_host(pr->host)),
                pr->models, pr->nmodels
            };
        }
    }

    return tg_models_gather_all(call->mem, asks, parts, models, n);
}


int
tg_call_list_models(tg_call_t *call, const tg_gate_t *gate,
    tg_refusal_t *refusal)
{
    char              *buf = NULL;
    size_t             n, len = 0;
    tg_shape_t         shape = tg_call_shape(call);
    tg_model_t        *models;
    const tg_model_t  *one = NULL;

    if (tg_call_gather(call, gate, &models, &n) == TG_OK) {

        if (call->asked.model.len != 0) {
            one = tg_models_find(models, n, call->asked.model);
            if (one == NULL) {
                return tg_call_no_model(call, refusal);
            }
        }

        len = one != NULL ? tg_models_one(NULL, 0, shape, one)
                          : tg_models_list(NULL, 0, shape, models, n);
        buf = tg_alloc(call->mem, len);
    }

    if (buf == NULL) {
        return tg_call_refuse(call, refusal, 503, tg_str("no_memory"),
                              tg_str("no memory for this call"));
    }

    (void) (one != NULL ? tg_models_one(buf, len, shape, one)
                        : tg_models_list(buf, len, shape, models, n));

    refusal->status = 200;
    refusal->body = tg_str_of(buf, len);
    refusal->nheaders = 0;
    call->served = true;

    return TG_ERROR;
}


/* The first model of the call that the provider does not have. */
static bool
tg_call_lacking(const tg_call_t *call, const tg_provider_t *pr,
    tg_str_t *model)
{
    for (unsigned i = 0; tg_call_models(call, i, model); i++) {
        if (model->len != 0 && !tg_models_match(pr->models, pr->nmodels,
                                                *model))
        {
            return true;
        }
    }

    return false;
}


int
tg_call_provided(tg_call_t *call, tg_refusal_t *refusal)
{
    char                  buf[TG_PROVIDED_TEXT];
    tg_str_t              model;
    tg_text_t             t;
    const tg_provider_t  *pr = call->provider;

    if (pr == NULL || pr->nmodels == 0
        || tg_api_op(call->dialect.api) == TG_OP_MODELS
        || !tg_call_lacking(call, pr, &model))
    {
        return TG_OK;
    }

    tg_text_init(&t, buf, sizeof(buf));
    tg_put_lit(&t, "there is no model ");
    tg_put_str(&t, tg_str_of(model.p, model.len < 128 ? model.len : 128));
    tg_put_lit(&t, " at ");
    tg_put_str(&t, pr->name);
    tg_put_lit(&t, ", which has ");

    for (unsigned i = 0; i < pr->nmodels; i++) {
        if (i != 0) {
            tg_put_lit(&t, ", ");
        }
        tg_put_str(&t, pr->models[i]);
    }

    return tg_call_refuse(call, refusal, 404, tg_str("model_not_found"),
                          tg_str_of(buf, (size_t) (t.p - buf)));
}
