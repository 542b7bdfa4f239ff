#include "tg_money.h"
#include "tg_request_int.h"


static int
tg_request_fail(tg_request_t *r, int code, uint64_t offset, const char *why)
{
    r->failed = true;

    if (r->optional) {
        r->body = TG_BODY_NONE;
        return TG_OK;
    }

    return tg_error(tg_request_fault(r), code, offset, "%s", why);
}


static tg_str_t
tg_request_keep(tg_request_t *r, tg_str_t s)
{
    tg_str_t  copy;

    if (s.len > TG_STR_KEPT) {
        s.len = TG_STR_KEPT;
    }

    copy = tg_dup(r->mem, s);

    if (copy.p == NULL) {
        (void) tg_request_fail(r, TG_REQUEST_ERROR_MEMORY, r->info.bytes,
                               "out of memory while reading the request body");
    }

    return copy;
}


/* A value of the wrong type where what is forwarded would be misjudged. */
static int
tg_request_type(tg_request_t *r, uint64_t offset, const char *name,
    const char *type)
{
    r->failed = true;

    if (r->optional) {
        r->body = TG_BODY_NONE;
        return 1;
    }

    (void) tg_error(tg_request_fault(r), TG_REQUEST_ERROR_TYPE, offset,
                    "\"%s\" in the request body is not %s, at byte %llu",
                    name, type, (unsigned long long) offset);
    return 1;
}


int
tg_request_duplicate(tg_request_t *r, unsigned id, uint64_t offset)
{
    static const char *const  names[] = {
        [TG_R_MODEL] = "model", [TG_R_STREAM] = "stream",
        [TG_R_STREAM_OPTIONS] = "stream_options",
        [TG_R_INCLUDE_USAGE] = "include_usage",
        [TG_R_BACKGROUND] = "background",
        [TG_R_MAX_TOKENS] = "the largest number of tokens",
        [TG_R_MAX_COMPLETION] = "the largest number of tokens",
        [TG_R_LIMITS] = "the object of the largest number of tokens",
        [TG_R_N] = "the number of answers",
        [TG_R_TIER] = "service_tier", [TG_R_SPEED] = "speed",
        [TG_R_GEO] = "inference_geo"
    };

    if (id >= sizeof(names) / sizeof(names[0]) || names[id] == NULL) {
        return 0;
    }

    r->failed = true;

    if (r->optional) {
        r->body = TG_BODY_NONE;
        return 1;
    }

    (void) tg_error(tg_request_fault(r), TG_REQUEST_ERROR_DUPLICATE, offset,
                    "request body has %s twice, at byte %llu",
                    names[id], (unsigned long long) offset);
    return 1;
}


/* Several names may be there for one number: the larger holds.  One that is too
 * large for us need not be for whoever reads it next. */
int
tg_request_number(int64_t *to, const tg_json_event_t *ev)
{
    int64_t  v;

    if (ev->type == TG_JSON_NUMBER || ev->type == TG_JSON_STRING) {
        v = tg_str_int(ev->value);
        if (v < 0) {
            v = tg_money_parse(ev->value, 0);
        }
        if (v < 0 && ev->value.len != 0 && ev->value.p[0] >= '0'
            && ev->value.p[0] <= '9')
        {
            v = INT64_MAX;
        }
        if (v > *to) {
            *to = v;
        }
    }

    return 0;
}


static int
tg_request_model(tg_request_t *r, const tg_json_event_t *ev)
{
    switch (ev->type) {

    case TG_JSON_STRING:
        if (ev->truncated) {
            return tg_request_type(r, ev->start, "model", "a short string");
        }

        if (!(r->d->api->flags & TG_API_PATH_MODEL)
            || r->info.model.len == 0)
        {
            r->info.model = tg_request_keep(r, ev->value);
        }
        return r->failed;

    case TG_JSON_NULL:
        return 0;

    default:
        return tg_request_type(r, ev->start, "model", "a string");
    }
}


/* What is no name names no model. */
static int
tg_request_other(tg_request_t *r, const tg_json_event_t *ev)
{
    tg_str_t  *to = &r->info.others[r->info.nothers];

    if (ev->type != TG_JSON_STRING || ev->raw_len == 0) {
        return 0;
    }

    if (ev->truncated) {
        return tg_request_type(r, ev->start, "model", "a short string");
    }

    if (r->info.nothers == TG_OTHER_MODELS_MAX) {
        (void) tg_request_fail(r, TG_REQUEST_ERROR_TYPE, ev->start,
                               "request body names too many models");
        return 1;
    }

    *to = tg_request_keep(r, ev->value);
    r->info.nothers++;

    return r->failed;
}


static int
tg_request_bool(tg_request_t *r, const tg_json_event_t *ev, bool *to,
    const char *name)
{
    switch (ev->type) {

    case TG_JSON_TRUE:
        *to = true;
        return 0;

    case TG_JSON_FALSE:
        *to = false;
        return 0;

    case TG_JSON_NULL:
        return 0;

    default:
        return tg_request_type(r, ev->start, name, "true or false");
    }
}


static void
tg_request_member(tg_member_t *m, const tg_json_event_t *ev)
{
    m->key = ev->key;
    m->start = ev->start;
    m->end = ev->end;
    m->comma = ev->comma;
    m->next = ev->next;
}


static int
tg_request_options(tg_request_t *r, const tg_json_event_t *ev)
{
    switch (ev->type) {

    case TG_JSON_OBJECT_END:
        r->info.stream_options_cut = ev->truncated;
        if (!ev->truncated) {
            r->info.stream_options = tg_request_keep(r, ev->value);
        }
        return r->failed;

    case TG_JSON_NULL:
        r->info.stream_options = tg_str("null");
        return 0;

    case TG_JSON_OBJECT:
        return 0;

    default:
        return tg_request_type(r, ev->start, "stream_options", "an object");
    }
}


static int
tg_request_root(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_OBJECT_END) {
        r->info.root_end = ev->end - 1;
    }

    return 0;
}


static int
tg_request_stream(tg_request_t *r, const tg_json_event_t *ev)
{
    return tg_request_bool(r, ev, &r->info.stream, "stream");
}


static int
tg_request_include_usage(tg_request_t *r, const tg_json_event_t *ev)
{
    return tg_request_bool(r, ev, &r->info.include_usage, "include_usage");
}


static int
tg_request_background(tg_request_t *r, const tg_json_event_t *ev)
{
    return tg_request_bool(r, ev, &r->info.background, "background");
}


static int
tg_request_max_tokens(tg_request_t *r, const tg_json_event_t *ev)
{
    unsigned       n = r->info.nmaxima;
    tg_maximum_t  *m;

    switch (ev->type) {

    case TG_JSON_OBJECT_END:
    case TG_JSON_ARRAY_END:
        return 0;

    case TG_JSON_NUMBER:
    case TG_JSON_STRING:
    case TG_JSON_NULL:
        break;

    default:
        n = TG_MAXIMA_MAX;
    }

    if (n < TG_MAXIMA_MAX) {
        m = &r->info.maxima[n];
        m->start = ev->start;
        m->end = ev->end;
        m->value = -1;
        m->completion = TG_ID(ev->id) == TG_R_MAX_COMPLETION;
        m->place.key = 0;
        (void) tg_request_number(&m->value, ev);
    }

    r->info.nmaxima = n < TG_MAXIMA_MAX ? n + 1 : TG_MAXIMA_MAX + 1;

    return tg_request_number(&r->info.max_tokens, ev);
}


static int
tg_request_limits(tg_request_t *r, const tg_json_event_t *ev)
{
    switch (ev->type) {

    case TG_JSON_OBJECT:
        r->info.limits_cut |= r->info.limits.len != 0;
        return 0;

    case TG_JSON_OBJECT_END:
        r->info.limits = tg_request_keep(r, ev->value);
        r->info.limits_cut |= ev->truncated;
        return r->failed;

    case TG_JSON_NULL:
        r->info.limits_cut |= r->info.limits.len != 0;
        r->info.limits = tg_str("{}");
        return 0;

    default:
        r->info.limits_cut = true;
        return 0;
    }
}


static int
tg_request_answers(tg_request_t *r, const tg_json_event_t *ev)
{
    return tg_request_number(&r->info.n, ev);
}


static int
tg_request_thinking(tg_request_t *r, const tg_json_event_t *ev)
{
    return tg_request_number(&r->info.thinking_budget, ev);
}


static int
tg_request_tier(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        r->info.service_tier = tg_request_keep(r, ev->value);
    }

    return r->failed;
}


static int
tg_request_speed(tg_request_t *r, const tg_json_event_t *ev)
{
    r->info.fast = tg_said(ev->type == TG_JSON_STRING
                           && tg_str_eq(ev->value, tg_str("fast")));

    return r->failed;
}


static int
tg_request_geo(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        r->info.us = tg_said(tg_str_eq(ev->value, tg_str("us")));
    }

    return r->failed;
}


static int
tg_request_user(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING && r->info.user.len == 0) {
        r->info.user = tg_request_keep(r, ev->value);
    }

    return r->failed;
}


static int
tg_request_schema(tg_request_t *r, const tg_json_event_t *ev)
{
    r->info.has_schema |= tg_request_begins(ev);
    return 0;
}


static int
tg_request_format(tg_request_t *r, const tg_json_event_t *ev)
{
    r->info.has_schema |= tg_str_eq(ev->value, tg_str("json_schema"));
    return 0;
}


static int
tg_request_nothing(tg_request_t *r, const tg_json_event_t *ev)
{
    (void) r;
    (void) ev;

    return 0;
}


typedef int (*tg_request_handler_t)(tg_request_t *r,
    const tg_json_event_t *ev);

static const tg_request_handler_t  tg_request_handlers[TG_R_LAST] = {
    [TG_R_NONE] = tg_request_nothing,
    [TG_R_ROOT] = tg_request_root,
    [TG_R_MODEL] = tg_request_model,
    [TG_R_OTHER_MODEL] = tg_request_other,
    [TG_R_STREAM] = tg_request_stream,
    [TG_R_STREAM_OPTIONS] = tg_request_options,
    [TG_R_INCLUDE_USAGE] = tg_request_include_usage,
    [TG_R_BACKGROUND] = tg_request_background,
    [TG_R_MAX_TOKENS] = tg_request_max_tokens,
    [TG_R_MAX_COMPLETION] = tg_request_max_tokens,
    [TG_R_LIMITS] = tg_request_limits,
    [TG_R_N] = tg_request_answers,
    [TG_R_THINKING] = tg_request_thinking,
    [TG_R_CONVERSATION] = tg_request_conversation,
    [TG_R_MESSAGE] = tg_request_message,
    [TG_R_ROLE] = tg_request_role,
    [TG_R_TEXT] = tg_request_text,
    [TG_R_SYSTEM] = tg_request_system,
    [TG_R_INPUT] = tg_request_input,
    [TG_R_PART_TYPE] = tg_request_part_type,
    [TG_R_PART] = tg_request_part,
    [TG_R_PART_ID] = tg_request_part_id,
    [TG_R_MIME] = tg_request_mime,
    [TG_R_URL] = tg_request_url,
    [TG_R_DATA] = tg_request_data,
    [TG_R_FILE] = tg_request_file,
    [TG_R_SEALED] = tg_request_sealed,
    [TG_R_IMAGE] = tg_request_image,
    [TG_R_AUDIO] = tg_request_audio,
    [TG_R_MODALITY] = tg_request_modality,
    [TG_R_ELSEWHERE] = tg_request_elsewhere,
    [TG_R_TOOL] = tg_request_tool,
    [TG_R_TOOL_TYPE] = tg_request_tool_type,
    [TG_R_DECLARED] = tg_request_declared,
    [TG_R_MAX_USES] = tg_request_max_uses,
    [TG_R_MAX_CALLS] = tg_request_max_calls,
    [TG_R_USES] = tg_request_uses,
    [TG_R_STEP] = tg_request_step,
    [TG_R_PREDICTION] = tg_request_prediction,
    [TG_R_QUERY] = tg_request_query,
    [TG_R_SCHEMA] = tg_request_schema,
    [TG_R_FORMAT] = tg_request_format,
    [TG_R_TIER] = tg_request_tier,
    [TG_R_SPEED] = tg_request_speed,
    [TG_R_GEO] = tg_request_geo,
    [TG_R_USER] = tg_request_user
};


void
tg_request_field(tg_request_t *r, unsigned k, tg_str_t value)
{
    tg_str_t  copy;

    if (r->values == NULL || r->values[k].p != NULL) {
        return;
    }

    copy = tg_request_keep(r, value);

    for (size_t i = k; i < r->fields->n; i++) {
        if (r->fields->same[i] == k) {
            r->values[i] = copy;
        }
    }
}


/* The operator's field is there. */
static void
tg_request_own(tg_request_t *r, unsigned k, const tg_json_event_t *ev)
{
    switch (ev->type) {
    case TG_JSON_STRING:
    case TG_JSON_NUMBER:
        tg_request_field(r, k, ev->value);
        break;
    case TG_JSON_TRUE:
        tg_request_field(r, k, tg_str("true"));
        break;
    case TG_JSON_FALSE:
        tg_request_field(r, k, tg_str("false"));
        break;
    default:
        break;
    }
}


/* No key is at 0: a brace is. */
static bool
tg_request_place(tg_member_place_t *place, const tg_json_event_t *ev)
{
    if (ev->next >= UINT32_MAX) {
        return false;
    }

    place->key = (uint32_t) ev->key;
    place->end = (uint32_t) ev->end;
    place->comma = ev->comma == TG_JSON_NOWHERE ? 0 : (uint32_t) ev->comma;
    place->next = (uint32_t) ev->next;

    return true;
}


static void
tg_request_maximum(tg_request_t *r, const tg_json_event_t *ev)
{
    for (unsigned i = 0; i < r->info.nmaxima && i < TG_MAXIMA_MAX; i++) {
        if (r->info.maxima[i].start == ev->start) {
            (void) tg_request_place(&r->info.maxima[i].place, ev);
        }
    }
}


/* Few calls are changed for what these say: only where they are is noted. */
static void
tg_request_param(tg_request_t *r, unsigned param, const tg_json_event_t *ev)
{
    if (r->info.params == NULL) {
        r->info.params = tg_zalloc(r->mem, TG_PARAMS * sizeof(tg_member_place_t));

        if (r->info.params == NULL) {
            r->info.params_twice = true;
            return;
        }
    }

    r->info.params_twice |= !tg_request_place(&r->info.params[param], ev);
}


/* What is said of a member or the document, rather than a value of it. */
static int
tg_request_about(tg_request_t *r, const tg_json_event_t *ev)
{
    unsigned  id = TG_ID(ev->id);

    if (ev->type == TG_JSON_DUPLICATE) {
        r->info.params_twice |= id >= TG_R_PARAM;
        return tg_request_duplicate(r, id, ev->key);
    }

    if (ev->type == TG_JSON_MEMBER_RANGE) {
        if (id == TG_R_MODEL) {
            tg_request_member(&r->info.model_member, ev);

        } else if (id == TG_R_STREAM_OPTIONS) {
            tg_request_member(&r->info.stream_options_member, ev);

        } else if (id == TG_R_LIMITS) {
            tg_request_member(&r->info.limits_member, ev);

        } else if (id == TG_R_MAX_TOKENS || id == TG_R_MAX_COMPLETION) {
            tg_request_maximum(r, ev);

        } else if (id >= TG_R_PARAM) {
            tg_request_param(r, id - TG_R_PARAM, ev);
        }

    } else if (ev->type == TG_JSON_END_DOC) {
        tg_request_parts_end(r);
    }

    return 0;
}


static inline int
tg_request_handle(tg_request_t *r, unsigned id, const tg_json_event_t *ev)
{
    return r->failed || (id < TG_R_PARAM && tg_request_handlers[id](r, ev));
}


int
tg_request_value(tg_request_t *r, unsigned id, const tg_json_event_t *ev)
{
    return tg_request_handle(r, id, ev);
}


int
tg_request_json(void *data, const tg_json_event_t *ev)
{
    tg_request_t  *r = data;
    unsigned       field = TG_FIELD(ev->id);

    if (ev->type == TG_JSON_MEMBER_RANGE || ev->type == TG_JSON_DUPLICATE
        || ev->type == TG_JSON_END_DOC)
    {
        return tg_request_about(r, ev);
    }

    if (field != 0) {
        tg_request_own(r, field - 1, ev);
    }

    return tg_request_handle(r, TG_ID(ev->id), ev);
}
