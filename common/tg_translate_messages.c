/* An Anthropic request's members, but for the messages. */

#include "tg_translate_messages.h"

#define TG_CHAT_STOPS_MAX  4
#define TG_CHAT_NAME_MAX   64           /* of a function */

enum {
    A_MODEL = 0, A_MESSAGES, A_MAX_TOKENS, A_SYSTEM, A_TEMPERATURE, A_TOP_P,
    A_STOP, A_STREAM, A_TOOLS, A_CHOICE, A_METADATA, A_OUTPUT, A_FORMAT,
    A_THINKING, A_TIER, A_THREAD, A_SLOTS
};

static const tg_tr_field_t  tg_messages_fields[] = {
    TG_TR_TAKEN("model", A_MODEL, TG_TR_STRING),
    TG_TR_TAKEN("messages", A_MESSAGES, TG_TR_ARRAY),
    TG_TR_TAKEN("max_tokens", A_MAX_TOKENS, TG_TR_NUMBER),
    TG_TR_TAKEN("system", A_SYSTEM, TG_TR_STRING | TG_TR_ARRAY),
    TG_TR_TAKEN("temperature", A_TEMPERATURE, TG_TR_NUMBER),
    TG_TR_TAKEN("top_p", A_TOP_P, TG_TR_NUMBER),
    TG_TR_TAKEN("stop_sequences", A_STOP, TG_TR_ARRAY),
    TG_TR_TAKEN("stream", A_STREAM, TG_TR_BOOL),
    TG_TR_TAKEN("tools", A_TOOLS, TG_TR_ARRAY),
    TG_TR_TAKEN("tool_choice", A_CHOICE, TG_TR_OBJECT),
    TG_TR_TAKEN("metadata", A_METADATA, TG_TR_OBJECT),
    TG_TR_TAKEN("output_config", A_OUTPUT, TG_TR_OBJECT),
    TG_TR_TAKEN("output_format", A_FORMAT, TG_TR_OBJECT),
    TG_TR_TAKEN("thinking", A_THINKING, TG_TR_OBJECT),
    TG_TR_TAKEN("service_tier", A_TIER, TG_TR_STRING),
    TG_TR_TAKEN("thread", A_THREAD, TG_TR_OBJECT),

    /* of no effect on the answer */
    TG_TR_DROPPED("cache_control"),

    TG_TR_REFUSED("container", NULL, "has no containers"),
    TG_TR_REFUSED("context_management", NULL, "does not edit the context"),
    TG_TR_REFUSED("diagnostics", NULL, "tells nothing of its cache"),
    TG_TR_REFUSED("inference_geo", NULL, "is not told where to compute"),
    TG_TR_REFUSED("mcp_servers", "[]", "does not call MCP servers"),
    TG_TR_REFUSED("speed", "\"standard\"", "has no fast mode"),
    TG_TR_REFUSED("top_k", NULL, "has no top_k"),
    TG_TR_END
};


static int
tg_messages_head(tg_tr_t *tr, const tg_node_t *const *slot)
{
    int64_t   limit;
    tg_str_t  name = tr->ask->limit_name;

    if (slot[A_THREAD] != NULL) {
        (void) tg_tr_refused(tr, slot[A_THREAD],
                             "the chat API keeps no conversations");
        tr->err->code = TG_TRANSLATE_E_THREAD;
        return TG_ERROR;
    }

    if (tg_tr_need(tr, tr->root, slot[A_MESSAGES], "messages") != TG_OK
        || tg_tr_need(tr, tr->root, slot[A_MAX_TOKENS], "max_tokens") != TG_OK
        || tg_tr_count(tr, slot[A_MAX_TOKENS], 0, &limit) != TG_OK)
    {
        return TG_ERROR;
    }

    if (limit == 0) {
        return tg_tr_refused(tr, slot[A_MAX_TOKENS],
                             "the chat API fills no cache without an answer");
    }

    if (tr->ask->max_tokens >= 0) {
        limit = tr->ask->max_tokens;
    }

    tg_grow_lit(&tr->out, "\"model\":");
    tg_grow_json(&tr->out, tr->ask->model);
    tg_grow_lit(&tr->out, ",");
    tg_tr_member_int(tr, name.len != 0 ? name
                                       : tg_str("max_completion_tokens"),
                     limit);

    return TG_OK;
}


static int
tg_messages_conversation(tg_tr_t *tr, const tg_node_t *const *slot)
{
    tg_messages_list_t   l;
    size_t               len;
    bool                 system = false;

    tg_grow_lit(&tr->out, "\"messages\":[");

    if (slot[A_SYSTEM] != NULL) {
        len = tr->out.len;
        tg_grow_lit(&tr->out, "{\"role\":\"system\",\"content\":");
        tg_messages_list(tr, &l);

        if (tg_messages_texts(tr, &l, slot[A_SYSTEM]) != TG_OK) {
            return TG_ERROR;
        }

        tg_messages_list_end(tr, &l);
        tg_grow_lit(&tr->out, "}");
        system = l.n != 0;

        if (!system) {
            tg_grow_cut(&tr->out, len);
        }
    }

    if (tg_messages_turns(tr, slot[A_MESSAGES], system) != TG_OK) {
        return TG_ERROR;
    }

    tg_grow_lit(&tr->out, "],");

    return TG_OK;
}


static int
tg_messages_tool(tg_tr_t *tr, const tg_node_t *tool)
{
    enum { TYPE, NAME, DESCRIPTION, SCHEMA, STRICT, SLOTS };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("name", NAME, TG_TR_STRING),
        TG_TR_TAKEN("description", DESCRIPTION, TG_TR_STRING),
        TG_TR_TAKEN("input_schema", SCHEMA, TG_TR_OBJECT),
        TG_TR_TAKEN("strict", STRICT, TG_TR_BOOL),
        TG_TR_DROPPED("cache_control"),
        TG_TR_DROPPED("eager_input_streaming"),
        TG_TR_REFUSED("allowed_callers", "[\"direct\"]",
                      "runs no code that calls tools"),
        TG_TR_REFUSED("defer_loading", "false", "does not look for tools"),
        TG_TR_REFUSED("input_examples", "[]", "takes no examples of calls"),
        TG_TR_END
    };

    const tg_node_t  *slot[SLOTS], *type = tg_node_get(tool, tg_str("type"));

    /* the members of others are their own */
    if (type != NULL && type->type != TG_JSON_NULL
        && !tg_node_is(type, tg_str("custom")))
    {
        return tg_tr_refused(tr, type, "the chat API has tools with a schema"
                             " only");
    }

    if (tg_tr_object(tr, tool, fields, slot, SLOTS) != TG_OK
        || tg_tr_need(tr, tool, slot[NAME], "name") != TG_OK
        || tg_tr_need(tr, tool, slot[SCHEMA], "input_schema") != TG_OK)
    {
        return TG_ERROR;
    }

    if (!tg_tr_is_word(slot[NAME], TG_CHAT_NAME_MAX)) {
        return tg_tr_refused(tr, slot[NAME], "the chat API takes up to %d"
                             " letters, digits, _ and -", TG_CHAT_NAME_MAX);
    }

    tg_grow_lit(&tr->out, "{\"type\":\"function\",\"function\":{");
    tg_tr_member(tr, tg_str("name"), slot[NAME]);
    tg_tr_member(tr, tg_str("description"), slot[DESCRIPTION]);
    tg_tr_member(tr, tg_str("parameters"), slot[SCHEMA]);
    tg_tr_member(tr, tg_str("strict"), slot[STRICT]);
    tg_tr_close(tr, tg_str("}},"));

    return TG_OK;
}


static int
tg_messages_choice(tg_tr_t *tr, const tg_node_t *choice)
{
    enum { TYPE, NAME, ONE, SLOTS };
    enum { AUTO, ANY, NONE, TOOL };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("name", NAME, TG_TR_STRING),
        TG_TR_TAKEN("disable_parallel_tool_use", ONE, TG_TR_BOOL),
        TG_TR_END
    };
    static const tg_str_t  types[] = {
        TG_STR("auto"), TG_STR("any"), TG_STR("none"), TG_STR("tool")
    };
    static const tg_str_t  words[] = {
        [AUTO] = TG_STR("\"auto\""), [ANY] = TG_STR("\"required\""),
        [NONE] = TG_STR("\"none\"")
    };

    const tg_node_t  *slot[SLOTS];
    int               i;

    if (tg_tr_object(tr, choice, fields, slot, SLOTS) != TG_OK
        || tg_tr_need(tr, choice, slot[TYPE], "type") != TG_OK)
    {
        return TG_ERROR;
    }

    i = tg_tr_word(slot[TYPE], types, sizeof(types) / sizeof(types[0]));

    if (i < 0) {
        return tg_tr_refused(tr, slot[TYPE], "no such choice is known here");
    }

    if (i == TOOL) {
        if (tg_tr_need(tr, choice, slot[NAME], "name") != TG_OK) {
            return TG_ERROR;
        }

        tg_grow_lit(&tr->out, "\"tool_choice\":{\"type\":\"function\","
                              "\"function\":{\"name\":");
        tg_grow_str(&tr->out, tg_node_raw(slot[NAME]));
        tg_grow_lit(&tr->out, "}},");

    } else {
        tg_tr_member_lit(tr, tg_str("tool_choice"), words[i]);
    }

    if (tg_tr_true(slot[ONE])) {
        tg_tr_member_lit(tr, tg_str("parallel_tool_calls"), tg_str("false"));
    }

    return TG_OK;
}


static int
tg_messages_tools(tg_tr_t *tr, const tg_node_t *const *slot)
{
    const tg_node_t  *tools = slot[A_TOOLS], *choice = slot[A_CHOICE];

    if (tools == NULL || tools->child == NULL) {
        return choice == NULL
               ? TG_OK : tg_tr_invalid(tr, choice, "there are no tools");
    }

    tg_grow_lit(&tr->out, "\"tools\":[");

    for (const tg_node_t *n = tools->child; n != NULL; n = n->next) {
        if (tg_messages_tool(tr, n) != TG_OK) {
            return TG_ERROR;
        }
    }

    tg_tr_close(tr, tg_str("],"));

    return choice == NULL ? TG_OK : tg_messages_choice(tr, choice);
}


/*
 * The most effort whose budget it reaches, by what Google has its own models
 * think for one (https://ai.google.dev/gemini-api/docs/openai).
 */
static void
tg_messages_budget(tg_tr_t *tr, int64_t budget)
{
    tg_tr_member_lit(tr, tg_str("reasoning_effort"),
                     budget >= 24576 ? tg_str("\"high\"")
                     : budget >= 8192 ? tg_str("\"medium\"")
                     : tg_str("\"low\""));
}


/* `said`: output_config has an effort. */
static int
tg_messages_thinking(tg_tr_t *tr, const tg_node_t *thinking, bool said)
{
    enum { TYPE, BUDGET, SLOTS };
    enum { DISABLED, ADAPTIVE, ENABLED };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("budget_tokens", BUDGET, TG_TR_NUMBER),
        TG_TR_DROPPED("display"),       /* the chat API shows none */
        TG_TR_END
    };
    static const tg_str_t  types[] = {
        TG_STR("disabled"), TG_STR("adaptive"), TG_STR("enabled")
    };

    const tg_node_t  *slot[SLOTS];
    int64_t           budget;
    int               i;

    if (tg_tr_object(tr, thinking, fields, slot, SLOTS) != TG_OK
        || tg_tr_need(tr, thinking, slot[TYPE], "type") != TG_OK)
    {
        return TG_ERROR;
    }

    i = tg_tr_word(slot[TYPE], types, sizeof(types) / sizeof(types[0]));

    switch (i) {
    case DISABLED:
        if (!said) {
            tg_tr_member_lit(tr, tg_str("reasoning_effort"),
                             tg_str("\"none\""));
        }
        return TG_OK;

    case ADAPTIVE:
        return TG_OK;

    case ENABLED:
        if (tg_tr_need(tr, thinking, slot[BUDGET], "budget_tokens") != TG_OK
            || tg_tr_count(tr, slot[BUDGET], 1, &budget) != TG_OK)
        {
            return TG_ERROR;
        }
        if (!said) {
            tg_messages_budget(tr, budget);
        }
        return TG_OK;

    default:
        return tg_tr_refused(tr, slot[TYPE],
                             "the chat API has nothing like it");
    }
}


static int
tg_messages_format(tg_tr_t *tr, const tg_node_t *format)
{
    enum { TYPE, SCHEMA, SLOTS };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("type", TYPE, TG_TR_STRING),
        TG_TR_TAKEN("schema", SCHEMA, TG_TR_OBJECT),
        TG_TR_END
    };

    const tg_node_t  *slot[SLOTS];

    if (tg_tr_object(tr, format, fields, slot, SLOTS) != TG_OK
        || tg_tr_need(tr, format, slot[TYPE], "type") != TG_OK)
    {
        return TG_ERROR;
    }

    if (!tg_node_is(slot[TYPE], tg_str("json_schema"))) {
        return tg_tr_refused(tr, slot[TYPE], "no such format is known here");
    }

    if (tg_tr_need(tr, format, slot[SCHEMA], "schema") != TG_OK) {
        return TG_ERROR;
    }

    /* the name is for errors; the chat API needs one */
    tg_grow_lit(&tr->out, "\"response_format\":{\"type\":\"json_schema\","
                          "\"json_schema\":{\"name\":\"answer\","
                          "\"strict\":true,\"schema\":");
    tg_grow_str(&tr->out, tg_node_raw(slot[SCHEMA]));
    tg_grow_lit(&tr->out, "}},");

    return TG_OK;
}


static int
tg_messages_output(tg_tr_t *tr, const tg_node_t *const *slot)
{
    enum { EFFORT, FORMAT, SLOTS };

    static const tg_tr_field_t  fields[] = {
        TG_TR_TAKEN("effort", EFFORT, TG_TR_STRING),
        TG_TR_TAKEN("format", FORMAT, TG_TR_OBJECT),
        TG_TR_REFUSED("task_budget", NULL, "has no budget of a task"),
        TG_TR_END
    };

    const tg_node_t  *out[SLOTS] = { NULL, NULL }, *format;

    if (slot[A_OUTPUT] != NULL) {
        if (tg_tr_object(tr, slot[A_OUTPUT], fields, out, SLOTS) != TG_OK) {
            return TG_ERROR;
        }

        /* the same words: low, medium, high, xhigh, max */
        tg_tr_member(tr, tg_str("reasoning_effort"), out[EFFORT]);
    }

    /* its older name, which counts where both are, as in Anthropic's SDK */
    format = slot[A_FORMAT] != NULL ? slot[A_FORMAT] : out[FORMAT];

    if (format != NULL && tg_messages_format(tr, format) != TG_OK) {
        return TG_ERROR;
    }

    return slot[A_THINKING] == NULL
           ? TG_OK : tg_messages_thinking(tr, slot[A_THINKING],
                                          out[EFFORT] != NULL);
}


static int
tg_messages_stop(tg_tr_t *tr, const tg_node_t *stop)
{
    if (stop == NULL || stop->child == NULL) {
        return TG_OK;
    }

    for (const tg_node_t *n = stop->child; n != NULL; n = n->next) {
        if (n->type != TG_JSON_STRING) {
            return tg_tr_invalid(tr, n, "must be a string");
        }
    }

    if (tg_node_count(stop) > TG_CHAT_STOPS_MAX) {
        return tg_tr_refused(tr, stop, "the chat API takes up to %d",
                             TG_CHAT_STOPS_MAX);
    }

    tg_tr_member(tr, tg_str("stop"), stop);

    return TG_OK;
}


static int
tg_messages_rest(tg_tr_t *tr, const tg_node_t *const *slot)
{
    static const tg_tr_field_t  metadata[] = {
        TG_TR_TAKEN("user_id", 0, TG_TR_STRING), TG_TR_END
    };

    const tg_node_t  *user, *tier = slot[A_TIER];

    tg_tr_member(tr, tg_str("temperature"), slot[A_TEMPERATURE]);
    tg_tr_member(tr, tg_str("top_p"), slot[A_TOP_P]);

    if (tg_messages_stop(tr, slot[A_STOP]) != TG_OK) {
        return TG_ERROR;
    }

    if (slot[A_METADATA] != NULL) {
        if (tg_tr_object(tr, slot[A_METADATA], metadata, &user, 1) != TG_OK) {
            return TG_ERROR;
        }
        tg_tr_member(tr, tg_str("user"), user);
    }

    if (tg_node_is(tier, tg_str("standard_only"))) {
        tg_tr_member_lit(tr, tg_str("service_tier"), tg_str("\"default\""));

    } else if (tier != NULL && !tg_node_is(tier, tg_str("auto"))) {
        return tg_tr_refused(tr, tier, "no such tier is known here");
    }

    tg_tr_member(tr, tg_str("stream"), slot[A_STREAM]);

    if (tg_tr_true(slot[A_STREAM]) && tr->ask->ask_usage) {
        tg_tr_member_lit(tr, tg_str("stream_options"),
                         tg_str("{\"include_usage\":true}"));
    }

    return TG_OK;
}


int
tg_tr_anthropic_to_chat(tg_tr_t *tr)
{
    const tg_node_t  *slot[A_SLOTS];

    if (tg_tr_object(tr, tr->root, tg_messages_fields, slot, A_SLOTS)
        != TG_OK)
    {
        return TG_ERROR;
    }

    tg_grow_lit(&tr->out, "{");

    if (tg_messages_head(tr, slot) != TG_OK
        || tg_messages_conversation(tr, slot) != TG_OK
        || tg_messages_tools(tr, slot) != TG_OK
        || tg_messages_output(tr, slot) != TG_OK
        || tg_messages_rest(tr, slot) != TG_OK)
    {
        return TG_ERROR;
    }

    tg_tr_close(tr, tg_str("}"));

    return TG_OK;
}
