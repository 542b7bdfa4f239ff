/* Who calls, and what that key may. */

#include "tg_call_int.h"
#include "tg_key_presented.h"

#define TG_ALLOWED_TEXT  600    /* of a list of models in an error */


/* What can be priced, or costs nothing and tells no secrets. */
bool
tg_call_forwards(const tg_call_t *call)
{
    tg_op_t  op = tg_api_op(call->asked.api);

    switch (op) {
    case TG_OP_UNKNOWN:
    case TG_OP_BATCH:
    case TG_OP_RETRIEVE:
    case TG_OP_CACHE:
    case TG_OP_MODELS:
        return (call->conf->keys.allow >> op & 1) != 0;
    default:
        return true;
    }
}


static int
tg_call_unauthorized(tg_call_t *call, tg_refusal_t *refusal, const char *why)
{
    if (tg_call_refuse(call, refusal, 401, tg_str("invalid_api_key"),
                       tg_strz(why))
        == TG_OK)
    {
        return TG_OK;
    }

    tg_refusal_header(refusal, tg_str("www-authenticate"), tg_str("Bearer"));

    return TG_ERROR;
}


/* The words by which LiteLLM, for one, tells such a 401 of OpenAI's API from
 * another bad request. */
#define TG_INCORRECT_KEY  "Incorrect API key provided: "


static int
tg_call_identify(tg_call_t *call, const tg_gate_t *gate, bool query,
    tg_refusal_t *refusal)
{
    tg_error_t          err;
    tg_key_found_t      found;
    tg_key_state_t      state;
    tg_key_presented_t  p;

    if (tg_key_presented(&p, call->host->header, call->req, call->head.args,
                         query, &err)
        != TG_OK)
    {
        return tg_call_unauthorized(call, refusal, err.message);
    }

    if (p.carriers == 0) {
        return tg_call_unauthorized(call, refusal,
                                    "this call carries no key: send it as"
                                    " Authorization: Bearer, x-api-key,"
                                    " x-goog-api-key or api-key");
    }

    state = tg_keys_find(tg_roster_keys(gate->roster), p.secret,
                         call->start.wall_ms, &found);

    tg_key_forget(&p);

    switch (state) {
    case TG_KEY_OK:
        call->pass->key = found.key;
        return TG_OK;
    case TG_KEY_EXPIRED:
        return tg_call_unauthorized(call, refusal,
                                    TG_INCORRECT_KEY "this key has expired");
    case TG_KEY_DISABLED:
        return tg_call_unauthorized(call, refusal,
                                    TG_INCORRECT_KEY "this key is disabled");
    case TG_KEY_UNKNOWN:
        break;
    }

    return tg_call_unauthorized(call, refusal, TG_INCORRECT_KEY
                                "this key is not known here");
}


/* The query without what only this server may know. */
static int
tg_call_strip_args(tg_call_t *call)
{
    char       *buf;
    tg_str_t    args = call->head.args;

    if (args.len == 0) {
        return TG_OK;
    }

    buf = tg_alloc(call->mem, args.len);
    if (buf == NULL) {
        return TG_ERROR;
    }

    call->pass->args = tg_str_of(buf, tg_key_strip_args(args, buf));

    return TG_OK;
}


/* There are no keys. */
static int
tg_call_anybody(tg_call_t *call, const tg_gate_t *gate, tg_refusal_t *refusal)
{
    return tg_call_lists_models(call)
           ? tg_call_list_models(call, gate, refusal) : TG_OK;
}


static int
tg_call_let_in(tg_call_t *call, const tg_gate_t *gate, tg_refusal_t *refusal)
{
    bool        query = tg_api_shape(call->asked.api) == TG_SHAPE_GEMINI;
    tg_pass_t  *pass;

    if (gate->geo != NULL) {
        gate->geo(gate->geo_data, call->head.client, &call->geo);
    }

    if (call->conf->keys.file.len == 0 && call->conf->quotas.n == 0
        && call->conf->routes.n == 0 && call->conf->guards.n == 0)
    {
        return tg_call_anybody(call, gate, refusal);
    }

    pass = tg_zalloc(call->mem, sizeof(tg_pass_t));
    if (pass == NULL) {
        return tg_call_refuse(call, refusal, 503, tg_str("no_memory"),
                              tg_str("no memory for this call"));
    }

    call->pass = pass;
    pass->hash = call->conf->repeats
                 || (gate->roster != NULL && tg_roster_repeats(gate->roster));
    pass->args = call->head.args;

    if (call->conf->keys.file.len == 0) {
        return tg_call_anybody(call, gate, refusal);
    }

    if (gate->roster == NULL) {
        return tg_call_refuse(call, refusal, 503, tg_str("no_keys"),
                              tg_str("the keys are not loaded yet"));
    }

    pass->roster = tg_roster_ref(gate->roster);

    if (tg_call_identify(call, gate, query, refusal) != TG_OK) {

        /* What did not pass may be somebody's secret all the same. */

        if (query) {
            (void) tg_call_strip_args(call);
        }

        return TG_ERROR;
    }

    if (pass->key != NULL && query && tg_call_strip_args(call) != TG_OK) {
        return tg_call_refuse(call, refusal, 503, tg_str("no_memory"),
                              tg_str("no memory for this call"));
    }

    if (tg_call_lists_models(call)) {
        return tg_call_list_models(call, gate, refusal);
    }

    if (!tg_call_forwards(call)) {
        return tg_call_refuse(call, refusal, 403,
                              tg_str("operation_not_allowed"),
                              tg_str("this operation can't be priced, and is"
                                     " not forwarded with the provider's"
                                     " key"));
    }

    return TG_OK;
}


int
tg_call_enter(tg_call_t *call, const tg_gate_t *gate, tg_refusal_t *refusal)
{
    int  rc;

    tg_call_flies(call, gate);
    rc = tg_call_let_in(call, gate, refusal);

    /* It was created right before. */

    tg_call_step(call, call->begun);

    return rc;
}


/*
 * Where each provider looks for its key.
 *
 * https://docs.claude.com/en/api/overview, https://ai.google.dev/api,
 * https://learn.microsoft.com/azure/ai-foundry/openai/reference
 */
static void
tg_call_carrier(const tg_call_t *call, tg_header_t *header)
{
    tg_str_t    vendor = tg_vendor_name(call->dialect.vendor);
    tg_shape_t  shape = tg_api_shape(call->dialect.api);

    header->value = call->provider->key;

    if (tg_str_starts(vendor, tg_str("azure."))) {
        header->name = tg_str("api-key");

    } else if (shape == TG_SHAPE_GEMINI
               || (shape == TG_SHAPE_ANTHROPIC
                   && tg_str_starts(vendor, tg_str("gcp."))))
    {
        header->name = tg_str("x-goog-api-key");

    } else if (shape == TG_SHAPE_ANTHROPIC) {
        header->name = tg_str("x-api-key");

    } else {
        header->name = tg_str("authorization");
        header->value = call->provider->bearer;
    }
}


bool
tg_call_credentials(const tg_call_t *call, tg_header_t *header)
{
    header->name = tg_str_null;
    header->value = tg_str_null;

    if (call->scope->pass == 1) {
        if (tg_call_hop(call) == NULL || !call->routing->hidden) {
            return call->pass != NULL && call->pass->key != NULL;
        }

    } else if (call->pass == NULL || call->pass->key == NULL) {
        return false;
    }

    if (call->provider != NULL && call->provider->key.len != 0) {
        tg_call_carrier(call, header);
    }

    return true;
}


tg_str_t
tg_call_args(const tg_call_t *call)
{
    return call->pass == NULL ? call->head.args : call->pass->args;
}


tg_str_t
tg_call_key_tag(const tg_call_t *call, const tg_tag_t *tag)
{
    const tg_key_t  *key = call->pass == NULL ? NULL : call->pass->key;

    if (key == NULL) {
        return tg_str_null;
    }

    switch (tag->role) {
    case TG_TAG_TEAM:
        return key->team;
    case TG_TAG_USER:
        return key->user;
    case TG_TAG_ORG:
        return key->org;
    default:
        break;
    }

    for (unsigned i = 0; i < key->ntags; i++) {
        if (tg_str_eq(key->tags[i].name, tag->name)) {
            return key->tags[i].value;
        }
    }

    return tg_str_null;
}


/* Whether an llm_tag of that name has a value. */
bool
tg_call_has_tag(const tg_call_t *call, tg_str_t name)
{
    for (unsigned i = 0; i < call->conf->ntags; i++) {
        if (tg_str_eq(call->conf->tags[i].name, name)) {
            return call->tags[i].len != 0;
        }
    }

    return false;
}


/* The tags are resolved: the key's word, else theirs. */
void
tg_call_who(tg_call_t *call)
{
    tg_pass_t       *pass = call->pass;
    const tg_key_t  *key = pass->key;

    if (key != NULL) {
        pass->team = key->team;
        pass->user = key->user;
        pass->org = key->org;
    }

    for (unsigned i = 0; i < call->conf->ntags; i++) {
        switch (call->conf->tags[i].role) {
        case TG_TAG_TEAM:
            pass->team = call->tags[i];
            break;
        case TG_TAG_USER:
            pass->user = call->tags[i];
            break;
        case TG_TAG_ORG:
            pass->org = call->tags[i];
            break;
        default:
            break;
        }
    }
}


static void
tg_put_models(tg_text_t *t, const tg_key_t *key)
{
    tg_put_lit(t, "; allowed are ");

    for (unsigned i = 0; i < key->nmodels; i++) {
        if (i != 0) {
            tg_put_lit(t, ", ");
        }
        tg_put_str(t, key->models[i]);
    }
}


/* The first model of the call that is not on the key's list; a call without
 * any has an empty one. */
static bool
tg_call_forbidden(const tg_call_t *call, const tg_key_t *key, tg_str_t *model)
{
    for (unsigned i = 0; tg_call_models(call, i, model); i++) {
        if (model->len == 0 || !tg_key_allows_model(key, *model)) {
            return true;
        }
    }

    return false;
}


/* The body is read: does the key's list of models have these? */
int
tg_call_may(tg_call_t *call, tg_refusal_t *refusal)
{
    char             buf[TG_ALLOWED_TEXT];
    tg_str_t         model;
    tg_text_t        t;
    const tg_key_t  *key = call->pass->key;

    if (key == NULL || key->nmodels == 0
        || tg_api_op(call->asked.api) == TG_OP_MODELS
        || !tg_call_forbidden(call, key, &model))
    {
        return TG_OK;
    }

    tg_text_init(&t, buf, sizeof(buf));

    if (model.len == 0) {
        tg_put_lit(&t, "this key is for certain models only, and what this call"
                       " asks for could not be read");
    } else {
        tg_put_lit(&t, "this key may not call model ");
        tg_put_str(&t, tg_str_of(model.p, model.len < 128 ? model.len : 128));
    }

    tg_put_models(&t, key);

    return tg_call_refuse(call, refusal, 403, tg_str("model_not_allowed"),
                          tg_str_of(buf, (size_t) (t.p - buf)));
}
