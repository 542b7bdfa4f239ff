/* What of the body goes upstream in another form, and what of the answer comes
 * back otherwise for it. */

#include "tg_call_edit.h"

/* Of the names, brackets and numbers that are written; not what is the call's:
 * `,"model":"","stream_options":{"include_usage":true},"generationConfig":{},
 * "max_completion_tokens":9223372036854775807}`. */
#define TG_TAIL_MAX  256


/* The chunk that was asked for is taken out of the stream again. */
static int
tg_call_strip_out(void *data, const char *p, size_t n, bool held)
{
    tg_call_t  *call = data;

    (void) held;

    return call->out(call->out_data, p, n);
}


int
tg_call_strip(tg_call_t *call)
{
    if (call->strip == NULL) {
        call->strip = tg_alloc(call->mem, sizeof(tg_strip_t));
        if (call->strip == NULL) {
            return TG_ERROR;
        }

        tg_strip_init(call->strip, call->mem, tg_call_strip_out, call);
    }

    return TG_OK;
}


/* Where the path has it, a body that says it too is not to say another. */
static tg_str_t
tg_call_path_model(const tg_call_t *call, tg_str_t said, tg_str_t model)
{
    char                   *p;
    static const tg_str_t   prefix = TG_STR("models/");

    if (!tg_str_starts(said, prefix)) {
        return tg_str_eq(said, model) ? tg_str_null : model;
    }

    said = tg_str_of(said.p + prefix.len, said.len - prefix.len);
    p = tg_str_eq(said, model) || tg_str_starts(model, prefix) ? NULL
        : tg_alloc(call->mem, prefix.len + model.len);
    if (p == NULL) {
        return tg_str_null;
    }

    memcpy(p, prefix.p, prefix.len);
    memcpy(p + prefix.len, model.p, model.len);

    return tg_str_of(p, prefix.len + model.len);
}


/* The model that the body is to say; empty: what it says. */
static tg_str_t
tg_call_body_model(const tg_call_t *call)
{
    tg_str_t                  model = tg_call_sent_model(call);
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (call->routing == NULL) {
        return tg_str_null;
    }

    if (tg_api_path_model(call->dialect.api)) {
        return info->model_member.key == TG_JSON_NOWHERE
               ? tg_str_null : tg_call_path_model(call, info->model, model);
    }

    /* An Azure deployment's path says it; nobody else reads that. */

    if (info->model_member.key == TG_JSON_NOWHERE) {
        return tg_str_starts(tg_vendor_name(call->dialect.vendor),
                             tg_str("azure."))
               ? tg_str_null : model;
    }

    return tg_str_eq(info->model, model) ? tg_str_null : model;
}


/* What is to be done for the place where the call goes. */
static void
tg_compose_want(const tg_call_t *call, tg_compose_t *c)
{
    const tg_request_info_t  *info = tg_request_info(call->request);
    const tg_routing_t       *routing = call->routing;

    c->model = tg_call_body_model(call);

    if (routing == NULL) {
        return;
    }

    c->moved = routing->moved;
    c->written = routing->written;

    if (routing->route != NULL
        && tg_str_eq(tg_api_name(call->asked.api), tg_str("openai.chat")))
    {
        c->max_name = tg_target_max_name(call);
        c->drop = info->params == NULL ? 0
                  : tg_target_drops(tg_vendor_name(call->dialect.vendor),
                                    tg_call_sent_model(call));
    }
}


/* The maxima are what they are to be. */
static bool
tg_compose_max_done(const tg_request_info_t *info, int64_t max)
{
    if (info->nmaxima == 0 || info->nmaxima > TG_MAXIMA_MAX) {
        return false;
    }

    for (unsigned i = 0; i < info->nmaxima; i++) {
        if (info->maxima[i].value <= 0 || info->maxima[i].value > max) {
            return false;
        }
    }

    return true;
}


static bool
tg_compose_can(const tg_call_t *call, const tg_compose_t *c)
{
    const tg_request_info_t  *info = tg_request_info(call->request);

    return info->root_end != TG_JSON_NOWHERE
           && !(c->ask && info->stream_options_cut)
           && !(c->drop != 0 && info->params_twice)
           && !(c->max != 0 && tg_call_max_room(call) == 0);
}


/* Of those members what is there. */
static uint32_t
tg_compose_there(const tg_request_info_t *info, uint32_t drop)
{
    tg_member_t  m;

    for (unsigned i = 0; i < TG_PARAMS; i++) {
        if (!tg_compose_place(info, TG_MOVED_PARAMS + i, &m)) {
            drop &= ~(1u << i);
        }
    }

    return drop;
}


bool
tg_call_aim_drops(const tg_call_t *call, const tg_aim_t *aim)
{
    const tg_request_info_t  *info = tg_request_info(call->request);

    return info->params != NULL && call->routing->route != NULL
           && tg_str_eq(tg_api_name(call->asked.api), tg_str("openai.chat"))
           && tg_compose_there(info,
                  tg_target_drops(tg_vendor_name(tg_aim_vendor(call, aim)),
                                  tg_aim_model(call, aim)))
              != 0;
}


/* What it needs of memory, and what there is at the beginning. */
static int
tg_compose_begin(tg_call_t *call, tg_compose_t *c)
{
    char                     *buf;
    size_t                    size;
    const tg_request_info_t  *info = tg_request_info(call->request);

    /* Old members may grow by being escaped anew. */

    size = TG_TAIL_MAX + 7 * (info->stream_options.len + info->limits.len)
           + 6 * (c->model.len + info->model.len) + c->whole.len;
    buf = tg_alloc(call->mem, size);
    c->spans = tg_alloc(call->mem, (call->ncuts + TG_MOVED + TG_MAXIMA_MAX)
                                   * sizeof(tg_edit_span_t));
    if (buf == NULL || c->spans == NULL) {
        return TG_ERROR;
    }

    c->root_end = info->root_end;
    c->kept = !info->root_empty;
    tg_text_init(&c->t, buf, size);
    c->tail = buf;

    return TG_OK;
}


static int
tg_compose_done(tg_call_t *call, const tg_compose_t *c)
{
    tg_edit_t  *edit = tg_alloc(call->mem, sizeof(tg_edit_t));

    if (edit == NULL || (c->ask && tg_call_strip(call) != TG_OK)) {
        return TG_ERROR;
    }

    edit->nspans = c->nspans;
    edit->spans = c->spans;
    edit->tail_at = c->root_end;
    edit->tail = tg_str_of(c->tail, (size_t) (c->t.p - c->tail));
    call->edit = edit;

    if (call->routing != NULL) {
        call->routing->composed_moved = c->moved;
        call->routing->composed_written = c->written;
    }

    return TG_OK;
}


int
tg_call_compose(tg_call_t *call, bool ask, int64_t max)
{
    tg_compose_t              c;
    const tg_request_info_t  *info = tg_request_info(call->request);

    memset(&c, 0, sizeof(c));
    c.ask = ask;
    c.max = max != 0 && tg_compose_max_done(info, max) ? 0 : max;
    tg_compose_want(call, &c);
    c.drop = tg_compose_there(info, c.drop);
    tg_compose_see_maxima(&c, info);

    if (!ask && c.max == 0 && c.model.len == 0 && c.moved == 0 && c.drop == 0
        && c.written == 0 && call->ncuts == 0)
    {
        call->edit = NULL;
        return TG_OK;
    }

    if (!tg_compose_can(call, &c)
        || ((c.moved >> TG_MOVED_PARAMS & ~c.drop) != 0
            && tg_call_whole(call, &c.whole) != TG_OK)
        || tg_compose_begin(call, &c) != TG_OK
        || tg_compose_to(call, &c) != TG_OK)
    {
        return TG_ERROR;
    }

    return tg_compose_done(call, &c);
}


int64_t
tg_call_sent_max(const tg_call_t *call)
{
    int64_t                   max = call->cap_output;
    const tg_pass_t          *pass = call->pass;
    const tg_request_info_t  *info = tg_request_info(call->request);

    if (pass != NULL && pass->sent_max != 0
        && (max == 0 || pass->sent_max < max))
    {
        max = pass->sent_max;
    }

    /* A model that has less to give refuses to be asked for more. */

    if (call->routing != NULL && call->routing->naims != 0
        && call->routing->aims[call->routing->at].most > 0
        && info->max_tokens > call->routing->aims[call->routing->at].most
        && (max == 0 || call->routing->aims[call->routing->at].most < max))
    {
        max = call->routing->aims[call->routing->at].most;
    }

    return max;
}


int
tg_call_recompose(tg_call_t *call)
{
    bool     ask = tg_call_should_ask_usage(call);
    int64_t  max = tg_call_sent_max(call);

    if (!ask) {
        call->strip = NULL;
    }

    return tg_call_compose(call, ask, max) == TG_OK
           || (ask && (call->strip = NULL,
                       tg_call_compose(call, false, max)) == TG_OK)
           ? TG_OK : TG_ERROR;
}


bool
tg_call_should_ask_usage(const tg_call_t *call)
{
    const tg_request_info_t  *info = tg_request_info(call->request);

    return info->stream && !info->include_usage
           && call->scope->enable == TG_ON
           && (call->provider == NULL || call->provider->inject)
           && tg_request_inspected(call->request)
           && tg_dialect_wants_usage_option(&call->dialect);
}


const tg_edit_t *
tg_call_edit(const tg_call_t *call)
{
    return call->edit;
}
