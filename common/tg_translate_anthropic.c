/*
 * An OpenAI chat request for Anthropic's messages API.
 *
 * https://platform.claude.com/docs/en/api/messages
 * https://platform.claude.com/docs/en/build-with-claude/structured-outputs
 * https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
 */

#include "tg_translate_chat.h"
#include "tg_money.h"

#define TG_ANTHROPIC_NAME_MAX  128      /* characters of a tool's name */
#define TG_ANTHROPIC_ID_MAX    256      /* of a call's id */

static const tg_tr_field_t  tg_anthropic_fields[] = {
    TG_TR_TAKEN("user", TG_CHAT_USER, TG_TR_STRING),
    TG_TR_TAKEN("safety_identifier", TG_CHAT_SAFETY_ID, TG_TR_STRING),
    TG_TR_REFUSED("n", "1", "gives one answer a call"),
    TG_TR_REFUSED("seed", NULL, "takes no seed"),
    TG_TR_REFUSED("presence_penalty", "0|0.0", "has no penalties"),
    TG_TR_REFUSED("frequency_penalty", "0|0.0", "has no penalties"),
    TG_TR_END
};


/* The type by which Anthropic knows the data, or an error. */
static int
tg_anthropic_type(tg_chat_t *c, const tg_chat_media_t *m, tg_str_t *type)
{
    static const tg_str_t  pdf = TG_STR("application/pdf");
    static const tg_str_t  pictures[] = {
        TG_STR("image/jpeg"), TG_STR("image/png"), TG_STR("image/gif"),
        TG_STR("image/webp")
    };

    if (m->kind == TG_CHAT_SOUND) {
        return tg_tr_refused(&c->tr, m->node, "Anthropic takes no sound");
    }

    if (m->kind == TG_CHAT_FILE) {
        *type = pdf;

        return tg_str_caseeq(m->type, pdf)
               ? TG_OK : tg_tr_refused(&c->tr, m->node,
                                       "Anthropic takes PDF only");
    }

    for (size_t i = 0; i < sizeof(pictures) / sizeof(pictures[0]); i++) {
        if (tg_str_caseeq(m->type, pictures[i])) {
            *type = pictures[i];
            return TG_OK;
        }
    }

    return tg_tr_refused(&c->tr, m->node,
                         "Anthropic takes JPEG, PNG, GIF and WebP");
}


static int
tg_anthropic_media(tg_chat_t *c, const tg_chat_media_t *m)
{
    tg_grow_t  *out = &c->tr.out;
    tg_str_t    type;

    if (m->url.len != 0) {
        tg_chat_part(c, TG_CHAT_USERS);
        tg_grow_lit(out, "{\"type\":\"image\",\"source\":{\"type\":\"url\","
                         "\"url\":\"");
        tg_grow_str(out, m->url);
        tg_grow_lit(out, "\"}}");
        return TG_OK;
    }

    if (tg_anthropic_type(c, m, &type) != TG_OK) {
        return TG_ERROR;
    }

    tg_chat_part(c, TG_CHAT_USERS);
    tg_grow_str(out, m->kind == TG_CHAT_PICTURE
                     ? tg_str("{\"type\":\"image\",")
                     : tg_str("{\"type\":\"document\","));
    tg_tr_member(&c->tr, tg_str("title"), m->name);
    tg_grow_lit(out, "\"source\":{\"type\":\"base64\",\"media_type\":\"");
    tg_grow_str(out, type);
    tg_grow_lit(out, "\",\"data\":\"");
    tg_grow_str(out, m->data);
    tg_grow_lit(out, "\"}}");

    return TG_OK;
}


static int
tg_anthropic_call(tg_chat_t *c, const tg_chat_call_t *call)
{
    if (!tg_tr_is_word(call->id, TG_ANTHROPIC_ID_MAX)) {
        return tg_tr_refused(&c->tr, call->id, "Anthropic takes letters,"
                             " digits, _ and - in it");
    }

    if (!tg_tr_is_word(call->name, TG_ANTHROPIC_NAME_MAX)) {
        return tg_tr_refused(&c->tr, call->name, "Anthropic takes letters,"
                             " digits, _ and - in it");
    }

    tg_chat_part(c, TG_CHAT_MODELS);
    tg_grow_lit(&c->tr.out, "{\"type\":\"tool_use\",");
    tg_tr_member(&c->tr, tg_str("id"), call->id);
    tg_tr_member(&c->tr, tg_str("name"), call->name);
    tg_tr_member_lit(&c->tr, tg_str("input"),
                     call->args.len != 0 ? call->args : tg_str("{}"));
    tg_tr_close(&c->tr, tg_str("}"));

    return TG_OK;
}


static int
tg_anthropic_result(tg_chat_t *c, const tg_tr_call_t *call,
    const tg_node_t *content)
{
    size_t  len;
    int     n;

    tg_chat_part(c, TG_CHAT_USERS);
    tg_grow_lit(&c->tr.out, "{\"type\":\"tool_result\",");
    tg_tr_member(&c->tr, tg_str("tool_use_id"), call->id);

    len = c->tr.out.len;
    tg_grow_lit(&c->tr.out, "\"content\":[");

    n = tg_chat_texts(c, content);
    if (n < 0) {
        return TG_ERROR;
    }

    if (n == 0) {
        tg_grow_cut(&c->tr.out, len);
    } else {
        tg_grow_lit(&c->tr.out, "]");
    }

    tg_tr_close(&c->tr, tg_str("}"));

    return TG_OK;
}


static int
tg_anthropic_head(tg_chat_t *c)
{
    int64_t  limit = c->limit >= 0 ? c->limit : c->tr.ask->default_output;

    if (limit <= 0) {
        return tg_tr_invalid(&c->tr, c->tr.root, "Anthropic needs a maximum"
                             " of tokens");
    }

    tg_grow_lit(&c->tr.out, "\"model\":");
    tg_grow_json(&c->tr.out, c->tr.ask->model);
    tg_grow_lit(&c->tr.out, ",");
    tg_tr_member_int(&c->tr, tg_str("max_tokens"), limit);

    return TG_OK;
}


static int
tg_anthropic_conversation(tg_chat_t *c)
{
    return tg_chat_conversation(c, tg_str("\"system\":["), tg_str("],"),
                                tg_str("\"messages\":["));
}


static int
tg_anthropic_tool(tg_chat_t *c, const tg_node_t *tool)
{
    tg_chat_function_t  f;

    if (tg_chat_function(c, tool, &f) != TG_OK) {
        return TG_ERROR;
    }

    if (!tg_tr_is_word(f.name, TG_ANTHROPIC_NAME_MAX)) {
        return tg_tr_refused(&c->tr, f.name, "Anthropic takes letters, digits,"
                             " _ and - in it");
    }

    tg_grow_lit(&c->tr.out, "{");
    tg_tr_member(&c->tr, tg_str("name"), f.name);
    tg_tr_member(&c->tr, tg_str("description"), f.description);

    if (f.parameters != NULL) {
        tg_tr_member(&c->tr, tg_str("input_schema"), f.parameters);

    } else {
        tg_tr_member_lit(&c->tr, tg_str("input_schema"),
                         tg_str("{\"type\":\"object\",\"properties\":{},"
                                "\"additionalProperties\":false}"));
    }

    tg_tr_member(&c->tr, tg_str("strict"), f.strict);
    tg_tr_close(&c->tr, tg_str("},"));

    return TG_OK;
}


/* Is it asked to think, which a forced call and a temperature rule out? */
static bool
tg_anthropic_thinks(const tg_chat_t *c)
{
    const tg_node_t  *effort = c->slot[TG_CHAT_EFFORT];

    return effort != NULL && !tg_node_is(effort, tg_str("none"));
}


static int
tg_anthropic_choice(tg_chat_t *c, bool tools)
{
    static const tg_str_t  types[] = {
        [TG_CHAT_CHOICE_NONE] = TG_STR("{\"type\":\"none\","),
        [TG_CHAT_CHOICE_AUTO] = TG_STR("{\"type\":\"auto\","),
        [TG_CHAT_CHOICE_REQUIRED] = TG_STR("{\"type\":\"any\","),
        [TG_CHAT_CHOICE_NAMED] = TG_STR("{\"type\":\"tool\",")
    };

    const tg_node_t  *name, *parallel = c->slot[TG_CHAT_PARALLEL];
    bool              one = parallel != NULL && !tg_tr_true(parallel);
    int               choice = tg_chat_choice(c, &name);

    if (choice < 0) {
        return TG_ERROR;
    }

    if (!tools) {
        return choice <= TG_CHAT_CHOICE_AUTO
               ? TG_OK : tg_tr_invalid(&c->tr, c->slot[TG_CHAT_TOOL_CHOICE],
                                       "there are no tools");
    }

    if (choice == TG_CHAT_CHOICE_AUTO && !one) {
        return TG_OK;
    }

    if (choice >= TG_CHAT_CHOICE_REQUIRED && tg_anthropic_thinks(c)) {
        return tg_tr_refused(&c->tr, c->slot[TG_CHAT_TOOL_CHOICE],
                             "Anthropic does not think before a forced call:"
                             " reasoning_effort must be none");
    }

    tg_grow_lit(&c->tr.out, "\"tool_choice\":");
    tg_grow_str(&c->tr.out, types[choice]);
    tg_tr_member(&c->tr, tg_str("name"), name);

    if (one && choice != TG_CHAT_CHOICE_NONE) {
        tg_tr_member_lit(&c->tr, tg_str("disable_parallel_tool_use"),
                         tg_str("true"));
    }

    tg_tr_close(&c->tr, tg_str("},"));

    return TG_OK;
}


static int
tg_anthropic_tools(tg_chat_t *c)
{
    const tg_node_t  *tools = c->slot[TG_CHAT_TOOLS];
    bool              some = tools != NULL && tools->child != NULL;

    if (some) {
        tg_grow_lit(&c->tr.out, "\"tools\":[");

        for (const tg_node_t *n = tools->child; n != NULL; n = n->next) {
            if (tg_anthropic_tool(c, n) != TG_OK) {
                return TG_ERROR;
            }
        }

        tg_tr_close(&c->tr, tg_str("],"));
    }

    return tg_anthropic_choice(c, some);
}


/* reasoning_effort and response_format, which output_config has both. */
static int
tg_anthropic_output(tg_chat_t *c)
{
    static const tg_str_t  efforts[] = {
        TG_STR("low"), TG_STR("medium"), TG_STR("high"), TG_STR("xhigh"),
        TG_STR("max")
    };

    const tg_node_t  *effort = c->slot[TG_CHAT_EFFORT], *schema, *description;
    int               format = tg_chat_format(c, &schema, &description);

    if (format < 0) {
        return TG_ERROR;
    }

    if (format == TG_CHAT_FORMAT_JSON) {
        return tg_tr_refused(&c->tr, c->slot[TG_CHAT_FORMAT],
                             "Anthropic has JSON by a schema only");
    }

    if (tg_node_is(effort, tg_str("none"))) {
        tg_tr_member_lit(&c->tr, tg_str("thinking"),
                         tg_str("{\"type\":\"disabled\"}"));
        effort = NULL;

    } else if (effort != NULL) {
        if (tg_tr_word(effort, efforts, sizeof(efforts) / sizeof(efforts[0]))
            < 0)
        {
            return tg_tr_refused(&c->tr, effort, "Anthropic takes none, low,"
                                 " medium, high, xhigh and max");
        }

        tg_tr_member_lit(&c->tr, tg_str("thinking"),
                         tg_str("{\"type\":\"adaptive\"}"));
    }

    if (effort == NULL && schema == NULL) {
        return TG_OK;
    }

    tg_grow_lit(&c->tr.out, "\"output_config\":{");
    tg_tr_member(&c->tr, tg_str("effort"), effort);

    if (schema != NULL) {
        tg_grow_lit(&c->tr.out, "\"format\":{\"type\":\"json_schema\","
                                "\"schema\":");
        if (tg_tr_schema(&c->tr, schema, description) != TG_OK) {
            return TG_ERROR;
        }
        tg_grow_lit(&c->tr.out, "},");
    }

    tg_tr_close(&c->tr, tg_str("},"));

    return TG_OK;
}


static int
tg_anthropic_rest(tg_chat_t *c)
{
    const tg_node_t  *n = c->slot[TG_CHAT_TEMPERATURE], *user;

    if (n != NULL && tg_tr_range(&c->tr, n, 1) != TG_OK) {
        return TG_ERROR;
    }

    if (n != NULL && tg_anthropic_thinks(c)
        && tg_money_parse(tg_node_raw(n), 6) != 1000000)
    {
        return tg_tr_refused(&c->tr, n, "Anthropic takes 1 where it thinks:"
                             " reasoning_effort must be none");
    }

    tg_tr_member(&c->tr, tg_str("temperature"), n);
    tg_tr_member(&c->tr, tg_str("top_p"), c->slot[TG_CHAT_TOP_P]);
    tg_chat_stop(c, tg_str("stop_sequences"));

    user = c->slot[TG_CHAT_SAFETY_ID];
    if (user == NULL) {
        user = c->slot[TG_CHAT_USER];
    }

    if (user != NULL) {
        tg_grow_lit(&c->tr.out, "\"metadata\":{\"user_id\":");
        tg_grow_str(&c->tr.out, tg_node_raw(user));
        tg_grow_lit(&c->tr.out, "},");
    }

    n = c->slot[TG_CHAT_TIER];

    if (tg_node_is(n, tg_str("default"))) {
        tg_tr_member_lit(&c->tr, tg_str("service_tier"),
                         tg_str("\"standard_only\""));

    } else if (n != NULL && !tg_node_is(n, tg_str("auto"))) {
        return tg_tr_refused(&c->tr, n, "Anthropic takes auto and default");
    }

    tg_tr_member(&c->tr, tg_str("stream"), c->slot[TG_CHAT_STREAM]);

    return TG_OK;
}


int
tg_tr_chat_to_anthropic(tg_tr_t *tr)
{
    static const tg_chat_target_t  target = {
        tg_anthropic_fields,
        {
            [TG_CHAT_USERS] = TG_STR("{\"role\":\"user\",\"content\":["),
            [TG_CHAT_MODELS] = TG_STR("{\"role\":\"assistant\",\"content\":[")
        },
        TG_STR("{\"type\":\"text\",\"text\":"),
        tg_anthropic_media, tg_anthropic_call, tg_anthropic_result
    };

    tg_chat_t  c;

    memset(&c, 0, sizeof(c));
    c.tr = *tr;
    c.target = &target;

    if (tg_chat_read(&c) != TG_OK) {
        return TG_ERROR;
    }

    tg_grow_lit(&c.tr.out, "{");

    if (tg_anthropic_head(&c) != TG_OK
        || tg_anthropic_conversation(&c) != TG_OK
        || tg_anthropic_tools(&c) != TG_OK
        || tg_anthropic_output(&c) != TG_OK
        || tg_anthropic_rest(&c) != TG_OK)
    {
        return TG_ERROR;
    }

    tg_tr_close(&c.tr, tg_str("}"));
    tr->out = c.tr.out;

    return TG_OK;
}
