/* What a call is told that has nowhere to go. */

#include "tg_call_int.h"

#define TG_ROUTE_TEXT  700      /* of a list of models in an error */


/* Who has it speaks another API, of which nothing is known to translate. */
static int
tg_route_foreign(tg_call_t *call, tg_refusal_t *refusal)
{
    char       buf[512];
    tg_str_t   model = tg_call_model(call);
    tg_text_t  t;

    tg_text_init(&t, buf, sizeof(buf));
    tg_put_lit(&t, "model ");
    tg_put_str(&t, tg_str_of(model.p, model.len < 128 ? model.len : 128));
    tg_put_lit(&t, " is at ");
    tg_put_str(&t, call->routing->meant->name);
    tg_put_lit(&t, ", which does not serve this API (");
    tg_put_str(&t, tg_api_name(call->asked.api));
    tg_put_lit(&t, "), nor can it be translated");

    return tg_call_turn_away(call, refusal, 404, tg_str("not_served"),
                             tg_str_of(buf, (size_t) (t.p - buf)));
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


int
tg_call_nowhere(tg_call_t *call, tg_refusal_t *refusal)
{
    return call->routing->meant == NULL
           ? tg_route_nowhere(call, refusal, tg_call_model(call))
           : tg_route_foreign(call, refusal);
}
