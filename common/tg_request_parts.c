#include "tg_request_int.h"

typedef struct {
    tg_str_t  name;
    uint8_t   kind;
} tg_part_type_t;

/*
 * Types of content parts and of input items.  Those that are not here may stand
 * for more than is in the body: documents, videos, files, references to items
 * and to results that the provider keeps.
 */
static const tg_part_type_t  tg_part_types[] = {
    { TG_STR("text"), TG_PART_TEXT },
    { TG_STR("input_text"), TG_PART_TEXT },
    { TG_STR("output_text"), TG_PART_TEXT },
    { TG_STR("message"), TG_PART_TEXT },
    { TG_STR("image_url"), TG_PART_PICTURE },
    { TG_STR("image"), TG_PART_PICTURE },
    { TG_STR("input_image"), TG_PART_PICTURE },
    { TG_STR("image_base64"), TG_PART_PICTURE },
    { TG_STR("computer_screenshot"), TG_PART_PICTURE },
    { TG_STR("input_audio"), TG_PART_SOUND },
    { TG_STR("audio_url"), TG_PART_SOUND },
    { TG_STR("audio"), TG_PART_SOUND },
    { TG_STR("reasoning"), TG_PART_SEALED },

    { TG_STR("refusal"), TG_PART_TEXT },
    { TG_STR("compaction"), TG_PART_TEXT },
    { TG_STR("reasoning_text"), TG_PART_TEXT },
    { TG_STR("summary_text"), TG_PART_TEXT },
    { TG_STR("thinking"), TG_PART_TEXT },
    { TG_STR("redacted_thinking"), TG_PART_TEXT },
    { TG_STR("thought"), TG_PART_TEXT },
    { TG_STR("search_result"), TG_PART_TEXT },
    { TG_STR("web_search_result"), TG_PART_TEXT },
    { TG_STR("tool_reference"), TG_PART_TEXT },

    { TG_STR("tool_use"), TG_PART_TEXT },
    { TG_STR("tool_result"), TG_PART_TEXT },
    { TG_STR("server_tool_use"), TG_PART_TEXT },
    { TG_STR("web_search_tool_result"), TG_PART_TEXT },
    { TG_STR("tool_search_tool_result"), TG_PART_TEXT },
    { TG_STR("code_execution_tool_result"), TG_PART_TEXT },
    { TG_STR("bash_code_execution_tool_result"), TG_PART_TEXT },
    { TG_STR("text_editor_code_execution_tool_result"), TG_PART_TEXT },
    { TG_STR("mcp_tool_use"), TG_PART_TEXT },
    { TG_STR("mcp_tool_result"), TG_PART_TEXT },

    { TG_STR("function_call"), TG_PART_TEXT },
    { TG_STR("function_call_output"), TG_PART_TEXT },
    { TG_STR("function_result"), TG_PART_TEXT },
    { TG_STR("custom_tool_call"), TG_PART_TEXT },
    { TG_STR("custom_tool_call_output"), TG_PART_TEXT },
    { TG_STR("computer_call"), TG_PART_TEXT },
    { TG_STR("computer_call_output"), TG_PART_TEXT },
    { TG_STR("local_shell_call"), TG_PART_TEXT },
    { TG_STR("local_shell_call_output"), TG_PART_TEXT },
    { TG_STR("shell_call"), TG_PART_TEXT },
    { TG_STR("shell_call_output"), TG_PART_TEXT },
    { TG_STR("apply_patch_call"), TG_PART_TEXT },
    { TG_STR("apply_patch_call_output"), TG_PART_TEXT },
    { TG_STR("mcp_call"), TG_PART_TEXT },
    { TG_STR("mcp_list_tools"), TG_PART_TEXT },
    { TG_STR("mcp_approval_request"), TG_PART_TEXT },
    { TG_STR("mcp_approval_response"), TG_PART_TEXT },

    /* Gemini's interactions, Mistral's conversations */
    { TG_STR("user_input"), TG_PART_TEXT },
    { TG_STR("model_output"), TG_PART_TEXT },
    { TG_STR("message.input"), TG_PART_TEXT },
    { TG_STR("message.output"), TG_PART_TEXT },
    { TG_STR("function.call"), TG_PART_TEXT },
    { TG_STR("function.result"), TG_PART_TEXT }
};

/* Tools that are defined in the body and run by the client; all others are the
 * provider's. */
static const tg_str_t  tg_client_tools[] = {
    TG_STR("function"), TG_STR("custom"),
    TG_STR("bash_*"), TG_STR("text_editor_*"), TG_STR("memory_*"),
    TG_STR("computer_*"), TG_STR("computer"), TG_STR("local_shell"),
    TG_STR("apply_patch")
};


static void
tg_part_note(tg_request_t *r)
{
    tg_part_t          *part = &r->part;
    tg_request_info_t  *info = &r->info;

    switch (part->kind) {

    case TG_PART_PICTURE:
        info->media_bytes += part->bytes;

        if (__builtin_add_overflow(info->pictures,
                                   part->pictures ? part->pictures : 1,
                                   &info->pictures))
        {
            info->elsewhere = true;
        }
        return;

    case TG_PART_SOUND:
        info->media_bytes += part->bytes;
        info->sound_bytes += part->bytes;
        info->elsewhere |= part->bytes == 0;
        break;

    case TG_PART_SEALED:
        info->elsewhere |= !part->sealed;
        break;

    case TG_PART_TEXT:
        break;

    case TG_PART_NONE:
        info->elsewhere |= part->bytes != 0 || part->named;
        break;

    default:
        info->elsewhere = true;
    }

    info->elsewhere |= part->away;
}


void
tg_request_part_end(tg_request_t *r)
{
    if (r->part.open) {
        tg_part_note(r);
        memset(&r->part, 0, sizeof(tg_part_t));
    }
}


static void
tg_part_is(tg_request_t *r, tg_part_kind_t kind)
{
    r->part.open = true;

    if (r->part.kind < kind) {
        r->part.kind = (uint8_t) kind;
    }
}


int
tg_request_part(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_OBJECT) {
        r->part.sealed = true;      /* what it is in has its content with it */
        tg_request_part_next(r);
        r->part.sealed = false;

    } else if (ev->type == TG_JSON_OBJECT_END) {
        tg_request_part_next(r);
    }

    return 0;
}


int
tg_request_part_type(tg_request_t *r, const tg_json_event_t *ev)
{
    static const tg_str_t  image[] = {
        TG_STR("document*"), TG_STR("video*"), TG_STR("input_file"),
        TG_STR("file")
    };

    const size_t  n = sizeof(tg_part_types) / sizeof(tg_part_types[0]);
    size_t        i;

    if (ev->type != TG_JSON_STRING) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (tg_str_eq(ev->value, tg_part_types[i].name)) {
            tg_part_is(r, (tg_part_kind_t) tg_part_types[i].kind);
            r->info.has_images |= tg_part_types[i].kind == TG_PART_PICTURE;
            r->info.has_audio |= tg_part_types[i].kind == TG_PART_SOUND;
            return 0;
        }
    }

    tg_part_is(r, TG_PART_OTHER);

    for (i = 0; i < sizeof(image) / sizeof(image[0]); i++) {
        r->info.has_images |= tg_str_match(ev->value, image[i]);
    }

    return 0;
}


int
tg_request_part_id(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        r->part.open = true;
        r->part.named = true;
    }

    return 0;
}


static bool
tg_mime_begins(tg_str_t s, tg_str_t type)
{
    return s.len >= type.len
           && tg_str_caseeq(tg_str_of(s.p, type.len), type);
}


static void
tg_part_mime(tg_request_t *r, tg_str_t mime)
{
    if (tg_mime_begins(mime, tg_str("image/"))) {
        tg_part_is(r, TG_PART_PICTURE);
        r->info.has_images = true;

    } else if (tg_mime_begins(mime, tg_str("audio/"))) {
        tg_part_is(r, TG_PART_SOUND);
        r->info.has_audio = true;

    } else if (tg_mime_begins(mime, tg_str("text/"))) {
        tg_part_is(r, TG_PART_TEXT);

    } else {
        tg_part_is(r, TG_PART_OTHER);
        r->info.has_images = true;
    }
}


int
tg_request_mime(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        tg_part_mime(r, ev->value);
    }

    return 0;
}


static void
tg_part_data(tg_request_t *r, const tg_json_event_t *ev)
{
    static const tg_str_t  data = TG_STR("data:");

    tg_str_t  s = ev->value;

    r->part.open = true;

    if (tg_mime_begins(s, data)) {
        s = tg_str_of(s.p + data.len, s.len - data.len);

        if (s.len != 0 && s.p[0] != ';' && s.p[0] != ',') {
            tg_part_mime(r, s);
        }

    } else if (s.len != 0 && memchr(s.p, ':', s.len) != NULL) {
        r->part.away = true;
        return;
    }

    r->part.bytes += ev->raw_len;
}


int
tg_request_url(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        r->part.pictures++;
        r->info.has_images = true;
        tg_part_is(r, TG_PART_PICTURE);
        tg_part_data(r, ev);
    }

    return 0;
}


int
tg_request_data(tg_request_t *r, const tg_json_event_t *ev)
{
    if (ev->type == TG_JSON_STRING) {
        tg_part_data(r, ev);
    }

    return 0;
}


int
tg_request_file(tg_request_t *r, const tg_json_event_t *ev)
{
    if (tg_request_begins(ev)) {
        r->part.open = true;
        r->part.away = true;
    }

    return 0;
}


int
tg_request_sealed(tg_request_t *r, const tg_json_event_t *ev)
{
    r->part.sealed |= ev->type == TG_JSON_STRING && ev->raw_len != 0;
    r->part.open |= r->part.sealed;

    return 0;
}


int
tg_request_image(tg_request_t *r, const tg_json_event_t *ev)
{
    if (tg_request_begins(ev)) {
        r->part.pictures++;
        r->info.has_images = true;
        tg_part_is(r, TG_PART_PICTURE);
    }

    return tg_request_data(r, ev);
}


int
tg_request_audio(tg_request_t *r, const tg_json_event_t *ev)
{
    if (tg_request_begins(ev)) {
        r->info.has_audio = true;
        tg_part_is(r, TG_PART_SOUND);
    }

    return tg_request_data(r, ev);
}


int
tg_request_modality(tg_request_t *r, const tg_json_event_t *ev)
{
    r->info.has_audio |= tg_str_caseeq(ev->value, tg_str("audio"));
    return 0;
}


/* Something is said, be it by a name, a number, or an object. */
static bool
tg_request_said(const tg_json_event_t *ev)
{
    switch (ev->type) {

    case TG_JSON_STRING:
        return ev->raw_len != 0;

    case TG_JSON_NUMBER:
    case TG_JSON_TRUE:
    case TG_JSON_OBJECT:
    case TG_JSON_ARRAY:
        return true;

    default:
        return false;
    }
}


int
tg_request_elsewhere(tg_request_t *r, const tg_json_event_t *ev)
{
    r->info.elsewhere |= tg_request_said(ev);
    return 0;
}


void
tg_request_tool_end(tg_request_t *r)
{
    tg_tool_t          *tool = &r->tool;
    tg_request_info_t  *info = &r->info;

    if (!tool->open) {
        return;
    }

    tool->open = false;

    /* Gemini's have a member of their own instead of a type */

    if (!tool->server
        && (tool->client || r->d->api->shape != TG_SHAPE_GEMINI))
    {
        return;
    }

    if (tool->limit < 0 || info->uses < 0
        || __builtin_add_overflow(info->uses, tool->limit, &info->uses))
    {
        info->uses = -1;
    }
}


int
tg_request_tool(tg_request_t *r, const tg_json_event_t *ev)
{
    if (r->prefix != NULL) {
        tg_request_prefix_value(r, ev, true);
    }

    if (tg_request_begins(ev)) {
        r->info.has_tools = true;
    }

    if (ev->type == TG_JSON_OBJECT) {
        tg_request_tool_end(r);
        r->tool = (tg_tool_t) { true, false, false, -1 };

    } else if (ev->type == TG_JSON_OBJECT_END) {
        tg_request_tool_end(r);
    }

    return 0;
}


int
tg_request_tool_type(tg_request_t *r, const tg_json_event_t *ev)
{
    const size_t  n = sizeof(tg_client_tools) / sizeof(tg_client_tools[0]);

    if (ev->type != TG_JSON_STRING) {
        return 0;
    }

    for (size_t i = 0; i < n; i++) {
        if (tg_str_match(ev->value, tg_client_tools[i])) {
            r->tool.client = true;
            return 0;
        }
    }

    r->tool.server = true;

    return 0;
}


int
tg_request_declared(tg_request_t *r, const tg_json_event_t *ev)
{
    r->tool.client |= ev->type == TG_JSON_OBJECT || ev->type == TG_JSON_ARRAY;
    return 0;
}


int
tg_request_max_uses(tg_request_t *r, const tg_json_event_t *ev)
{
    return tg_request_number(&r->tool.limit, ev);
}


int
tg_request_max_calls(tg_request_t *r, const tg_json_event_t *ev)
{
    return tg_request_number(&r->max_calls, ev);
}


int
tg_request_uses(tg_request_t *r, const tg_json_event_t *ev)
{
    if (tg_request_said(ev) && !tg_str_eq(ev->value, tg_str("off"))) {
        r->info.uses = -1;
    }

    return 0;
}


int
tg_request_step(tg_request_t *r, const tg_json_event_t *ev)
{
    r->steps += tg_str_match(ev->value, tg_str("compact*"));
    return 0;
}


void
tg_request_parts_end(tg_request_t *r)
{
    tg_request_info_t  *info = &r->info;

    tg_request_part_end(r);
    tg_request_tool_end(r);

    if (r->max_calls >= 0
        && (info->uses < 0 || info->uses > r->max_calls))
    {
        info->uses = r->max_calls;
    }

    if (info->uses >= 0
        && __builtin_add_overflow(info->uses, r->steps, &info->uses))
    {
        info->uses = -1;
    }
}
