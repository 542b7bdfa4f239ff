/* What a call is like where it goes. */

#include "tg_call_int.h"
#include "tg_hop_path.h"
#include "tg_key_presented.h"

/* What identifies the client's account at a provider, and is nobody else's
 * business. */
static const tg_str_t  tg_hop_accounts[] = {
    TG_STR("openai-organization"), TG_STR("openai-project"),
    TG_STR("x-goog-user-project")
};

/* What is said to one provider's API alone. */
static const tg_str_t  tg_hop_versions[] = {
    TG_STR("anthropic-version"), TG_STR("anthropic-beta"),
    TG_STR("openai-beta")
};

/*
 * What a translated call is sent as.
 *
 * https://docs.claude.com/en/api/versioning
 */
static const struct {
    tg_str_t     path;
    tg_header_t  header;
} tg_hop_forms[] = {
    [TG_FORM_OPENAI_CHAT] = { TG_STR("/v1/chat/completions"),
                              { TG_STR(""), TG_STR("") } },
    [TG_FORM_ANTHROPIC] = { TG_STR("/v1/messages"),
                            { TG_STR("anthropic-version"),
                              TG_STR("2023-06-01") } },
    [TG_FORM_GEMINI] = { TG_STR("/v1beta/models/"),
                         { TG_STR(""), TG_STR("") } }
};


static int
tg_hop_args(tg_call_t *call, tg_hop_t *hop)
{
    char      *buf;
    tg_str_t   args = tg_call_args(call);

    hop->args = args;

    if (args.len == 0 || !call->routing->hidden
        || tg_api_shape(call->asked.api) != TG_SHAPE_GEMINI)
    {
        return TG_OK;
    }

    buf = tg_alloc(call->mem, args.len);
    if (buf == NULL) {
        return TG_ERROR;
    }

    hop->args = tg_str_of(buf, tg_key_strip_args(args, buf));

    return TG_OK;
}


static void
tg_hop_hide(tg_hop_t *hop, const tg_str_t *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hop->hidden[hop->nhidden++] = names[i];
    }
}


static void
tg_hop_headers(tg_call_t *call, tg_hop_t *hop, tg_form_t form)
{
    const tg_provider_t  *pr = hop->provider;

    hop->nheaders = 0;
    hop->nhidden = 0;

    for (unsigned i = 0; i < pr->nheaders; i++) {
        hop->headers[hop->nheaders++] = pr->headers[i];
    }

    if (call->routing->hidden) {
        tg_hop_hide(hop, tg_hop_accounts,
                    sizeof(tg_hop_accounts) / sizeof(tg_str_t));
    }

    if (form == TG_FORM_NONE) {
        return;
    }

    tg_hop_hide(hop, tg_hop_versions,
                sizeof(tg_hop_versions) / sizeof(tg_str_t));

    if (tg_hop_forms[form].header.name.len != 0) {
        hop->headers[hop->nheaders++] = tg_hop_forms[form].header;
    }
}


/* "/v1beta/models/<model>:streamGenerateContent". */
static tg_str_t
tg_hop_gemini(tg_call_t *call, tg_str_t model, bool stream)
{
    char        *buf;
    size_t       size;
    tg_text_t    t;
    tg_str_t     path = tg_hop_forms[TG_FORM_GEMINI].path;

    model = tg_hop_path_segment(call->mem, model);
    size = path.len + model.len + sizeof(":streamGenerateContent");
    buf = model.len == 0 ? NULL : tg_alloc(call->mem, size);

    if (buf == NULL) {
        return tg_str_null;
    }

    tg_text_init(&t, buf, size);
    tg_put_str(&t, path);
    tg_put_str(&t, model);

    if (stream) {
        tg_put_lit(&t, ":streamGenerateContent");
    } else {
        tg_put_lit(&t, ":generateContent");
    }

    return tg_str_of(buf, (size_t) (t.p - buf));
}


/* The body as it came, but for what guards took out; asked for once. */
int
tg_call_whole(tg_call_t *call, tg_str_t *whole)
{
    char                  *buf;
    tg_str_t               body;
    tg_routing_t          *routing = call->routing;
    const tg_edit_span_t  *cut;

    if (routing->whole.p == NULL) {
        if (call->host->body == NULL) {
            return TG_ERROR;
        }

        if (call->host->body(call->req, &body) != TG_OK || body.p == NULL) {
            return TG_ERROR;
        }

        if (call->ncuts != 0) {
            buf = tg_alloc(call->mem, body.len);
            if (buf == NULL) {
                return TG_ERROR;
            }

            memcpy(buf, body.p, body.len);

            for (unsigned i = 0; i < call->ncuts; i++) {
                cut = &call->cuts[i];

                if (cut->start > cut->end || cut->end > body.len
                    || cut->text.len > cut->end - cut->start)
                {
                    return TG_ERROR;
                }

                memset(buf + cut->start, ' ', cut->end - cut->start);

                if (cut->text.len != 0) {
                    memcpy(buf + cut->start, cut->text.p, cut->text.len);
                }
            }

            body.p = buf;
        }

        routing->whole = body;
    }

    *whole = routing->whole;

    return TG_OK;
}


/* An edit in a file spoils it. */
int
tg_call_prefetch(tg_call_t *call)
{
    tg_str_t             whole;
    const tg_routing_t  *routing = call->routing;

    for (unsigned i = 0; routing->naims > 1 && i < routing->naims; i++) {
        if (routing->aims[i].form != TG_FORM_NONE
            || tg_call_aim_drops(call, &routing->aims[i]))
        {
            return tg_call_whole(call, &whole);
        }
    }

    return TG_OK;
}


static int
tg_hop_translate(tg_call_t *call, tg_hop_t *hop, const tg_aim_t *aim,
    tg_error_t *err)
{
    bool                      gemini = aim->form == TG_FORM_GEMINI;
    tg_str_t                  body, own, model = tg_call_sent_model(call);
    tg_translate_t            t = { 0 };
    const tg_request_info_t  *info = tg_request_info(call->request);

    own = gemini ? tg_hop_gemini(call, model, info->stream)
                 : tg_hop_forms[aim->form].path;
    hop->path = own.len == 0 ? own
                : tg_hop_path_join(call->mem, hop->provider->base, own);
    hop->args = gemini && info->stream ? tg_str("alt=sse") : tg_str_null;

    if (hop->path.len == 0 || tg_call_whole(call, &body) != TG_OK) {
        return tg_error(err, TG_TRANSLATE_E_MEMORY, 0,
                        "the request's body is not to be had");
    }

    tg_dialect_recognise(&call->dialect, call->mem, tg_str("POST"), own,
                         hop->args, hop->provider->host,
                         hop->provider->vendor);

    t.from = tg_form_of(call->asked.api);
    t.to = aim->form;
    t.model = model;
    t.max_tokens = tg_call_sent_max(call);
    t.max_tokens = t.max_tokens > 0 ? t.max_tokens : -1;
    t.default_output = aim->most > 0 ? aim->most
                       : call->conf->ledger.default_output > 0
                       ? call->conf->ledger.default_output : TG_BOUND_OUTPUT;
    t.ask_usage = info->stream && hop->provider->inject
                  && tg_dialect_wants_usage_option(&call->dialect);

    if (tg_translate_request(call->mem, &t, body, &hop->body, err) != TG_OK) {
        return TG_ERROR;
    }

    hop->whole = true;
    hop->edit = NULL;
    call->edit = NULL;
    call->strip = NULL;

    return TG_OK;
}


static int
tg_hop_as_is(tg_call_t *call, tg_hop_t *hop, const tg_aim_t *aim,
    tg_error_t *err)
{
    bool           azure = tg_str_starts(tg_vendor_name(call->dialect.vendor),
                                         tg_str("azure."));
    tg_routing_t  *routing = call->routing;

    if (tg_call_recompose(call) != TG_OK) {
        return tg_error(err, 0, 0, "the request's body can't be changed for"
                        " the model that it is routed to");
    }

    hop->path = tg_hop_path(call->mem, hop->provider->base, call->head.method,
                            call->head.path, aim->model, azure);

    if (hop->path.len == 0 || tg_hop_args(call, hop) != TG_OK) {
        return tg_error(err, 0, 0, "this path leads nowhere");
    }

    hop->whole = false;
    hop->edit = call->edit;
    routing->moved = routing->composed_moved;
    routing->written = routing->composed_written;

    return TG_OK;
}


int
tg_call_hop_make(tg_call_t *call, tg_error_t *err)
{
    int                   rc;
    tg_hop_t             *hop = &call->routing->hop;
    const tg_aim_t       *aim = &call->routing->aims[call->routing->at];
    const tg_provider_t  *pr = aim->provider;

    call->routing->hidden = (call->pass != NULL && call->pass->key != NULL)
                            || pr->key.len != 0
                            || pr != call->routing->meant;

    hop->provider = pr;
    hop->index = (unsigned) (pr - call->conf->providers);
    hop->scheme = pr->scheme;
    hop->authority = pr->authority;

    rc = aim->form != TG_FORM_NONE ? tg_hop_translate(call, hop, aim, err)
                                   : tg_hop_as_is(call, hop, aim, err);
    if (rc != TG_OK) {
        return rc;
    }

    tg_hop_headers(call, hop, aim->form);
    call->routing->ready = true;

    return TG_OK;
}


const tg_hop_t *
tg_call_hop(const tg_call_t *call)
{
    return call->scope->pass == 1 && call->routing != NULL
           && call->routing->ready ? &call->routing->hop : NULL;
}


bool
tg_call_translates(tg_call_t *call, unsigned status, tg_str_t content_type)
{
    tg_routing_t             *routing = call->routing;
    tg_translator_ask_t       ask = { 0 };
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (tg_call_hop(call) == NULL || !routing->hop.whole) {
        return false;
    }

    ask.from = routing->aims[routing->at].form;
    ask.to = tg_form_of(call->asked.api);
    ask.upstream = &call->dialect;
    ask.status = status;
    ask.content_type = tg_dup(call->mem, content_type);
    ask.stream = info->stream;
    ask.include_usage = info->include_usage;
    ask.model = tg_call_sent_model(call);
    ask.id = tg_call_id(call);
    ask.created_s = call->start.wall_ms / 1000;

    routing->foreign = true;
    routing->translator = tg_translator_create(call->mem, &ask);

    return true;
}


bool
tg_call_is_foreign(const tg_call_t *call)
{
    return call->routing != NULL && call->routing->foreign;
}


void
tg_call_answer_head(const tg_call_t *call, unsigned *status,
    tg_str_t *content_type)
{
    const tg_translator_t  *tr;

    if (!tg_call_is_foreign(call)) {
        return;
    }

    tr = call->routing->translator;

    if (tr == NULL) {
        *status = 502;
        return;
    }

    *status = tg_translator_status(tr);
    *content_type = tg_translator_content_type(tr);
}
