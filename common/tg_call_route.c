/* Where a call goes, in a location with llm_pass. */

#include "tg_call_int.h"
#include "tg_models.h"

#define TG_ROUTE_TEXT  700      /* of a list of models in an error */


/*
 * The provider of a model, without rules: the first that says it has it, else the
 * first that does not say what it has.
 */
static const tg_provider_t *
tg_route_provider(const tg_conf_t *conf, tg_str_t model)
{
    const tg_provider_t  *pr, *any = NULL;

    for (unsigned i = 0; i < conf->nproviders; i++) {
        pr = &conf->providers[i];

        if (pr->host.len == 0) {
            continue;
        }

        if (pr->nmodels == 0) {
            any = any == NULL ? pr : any;

        } else if (model.len != 0
                   && tg_models_match(pr->models, pr->nmodels, model))
        {
            return pr;
        }
    }

    return any;
}


/* Nobody has it: says what there is. */
static int
tg_route_nowhere(tg_call_t *call, tg_refusal_t *refusal, tg_str_t model)
{
    char                  buf[TG_ROUTE_TEXT];
    bool                  first = true;
    tg_text_t             t;
    const tg_conf_t      *conf = call->conf;
    const tg_provider_t  *pr;

    tg_text_init(&t, buf, sizeof(buf));

    if (model.len != 0) {
        tg_put_lit(&t, "there is no model ");
        tg_put_str(&t, tg_str_of(model.p, model.len < 128 ? model.len : 128));

    } else {
        tg_put_lit(&t, "this call names no model, by which its provider could"
                       " be told");
    }

    for (unsigned i = 0; i < conf->nproviders; i++) {
        pr = &conf->providers[i];

        for (unsigned k = 0; k < pr->nmodels; k++) {
            if (first) {
                tg_put_lit(&t, "; there are ");
            } else {
                tg_put_lit(&t, ", ");
            }

            tg_put_str(&t, pr->models[k]);
            first = false;
        }
    }

    return tg_call_turn_away(call, refusal, 404, tg_str("model_not_found"),
                             tg_str_of(buf, (size_t) (t.p - buf)));
}


/* From here on it is a call to that provider, of that dialect. */
void
tg_call_aim(tg_call_t *call, unsigned at)
{
    tg_routing_t         *routing = call->routing;
    const tg_aim_t       *aim = &routing->aims[at];
    const tg_provider_t  *pr = aim->provider;

    routing->at = at;
    routing->ready = false;
    call->provider = pr;
    call->head.upstream = pr->host;
    call->dialect = call->asked;

    if (aim->model.len != 0 && call->asked.model.len != 0) {
        call->dialect.model = aim->model;
    }

    tg_dialect_upstream(&call->dialect, pr->host, pr->vendor);
}


int
tg_call_route(tg_call_t *call, tg_refusal_t *refusal)
{
    tg_str_t              model = tg_call_model(call);
    tg_routing_t         *routing;
    const tg_provider_t  *pr = tg_route_provider(call->conf, model);

    if (pr == NULL) {
        return tg_route_nowhere(call, refusal, model);
    }

    routing = tg_zalloc(call->mem, sizeof(tg_routing_t));
    if (routing == NULL) {
        return tg_call_turn_away(call, refusal, 503, tg_str("no_memory"),
                                 tg_str("no memory for this call"));
    }

    routing->meant = pr;
    routing->aims[0].provider = pr;
    routing->naims = 1;
    call->routing = routing;
    tg_call_aim(call, 0);

    return TG_OK;
}
