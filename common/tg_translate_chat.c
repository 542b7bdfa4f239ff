/* The messages of an OpenAI chat request as turns. */

#include "tg_translate_chat.h"

static const tg_tr_field_t  tg_chat_fields[] = {
    TG_TR_TAKEN("model", TG_CHAT_MODEL, TG_TR_STRING),
    TG_TR_TAKEN("messages", TG_CHAT_MESSAGES, TG_TR_ARRAY),
    TG_TR_TAKEN("max_tokens", TG_CHAT_MAX_TOKENS, TG_TR_NUMBER),
    TG_TR_TAKEN("max_completion_tokens", TG_CHAT_MAX_COMPLETION_TOKENS,
                TG_TR_NUMBER),
    TG_TR_TAKEN("temperature", TG_CHAT_TEMPERATURE, TG_TR_NUMBER),
    TG_TR_TAKEN("top_p", TG_CHAT_TOP_P, TG_TR_NUMBER),
    TG_TR_TAKEN("stop", TG_CHAT_STOP, TG_TR_STRING | TG_TR_ARRAY),
    TG_TR_TAKEN("stream", TG_CHAT_STREAM, TG_TR_BOOL),
    TG_TR_TAKEN("stream_options", TG_CHAT_STREAM_OPTIONS, TG_TR_OBJECT),
    TG_TR_TAKEN("tools", TG_CHAT_TOOLS, TG_TR_ARRAY),
    TG_TR_TAKEN("tool_choice", TG_CHAT_TOOL_CHOICE,
                TG_TR_STRING | TG_TR_OBJECT),
    TG_TR_TAKEN("parallel_tool_calls", TG_CHAT_PARALLEL, TG_TR_BOOL),
    TG_TR_TAKEN("response_format", TG_CHAT_FORMAT, TG_TR_OBJECT),
    TG_TR_TAKEN("reasoning_effort", TG_CHAT_EFFORT, TG_TR_STRING),
    TG_TR_TAKEN("service_tier", TG_CHAT_TIER, TG_TR_STRING),

    /* of no effect on the answer */
    TG_TR_DROPPED("metadata"),
    TG_TR_DROPPED("prediction"),
    TG_TR_DROPPED("prompt_cache_key"),
    TG_TR_DROPPED("prompt_cache_options"),
    TG_TR_DROPPED("prompt_cache_retention"),

    TG_TR_REFUSED("audio", NULL, "does not speak"),
    TG_TR_REFUSED("function_call", NULL,
                  "knows functions by tool_choice only"),
    TG_TR_REFUSED("functions", "[]", "knows functions by tools only"),
    TG_TR_REFUSED("logit_bias", "{}", "has other tokens"),
    TG_TR_REFUSED("logprobs", "false", "is not asked for log probabilities"),
    TG_TR_REFUSED("modalities", "[\"text\"]|[]", "is asked for text only"),
    TG_TR_REFUSED("moderation", NULL, "has no such moderation"),
    TG_TR_REFUSED("store", "false", "stores no completions"),
    TG_TR_REFUSED("top_logprobs", "0", "is not asked for log probabilities"),
    TG_TR_REFUSED("verbosity", "\"medium\"", "has no verbosity"),
    TG_TR_REFUSED("web_search_options", NULL, "has another search"),
    TG_TR_END
};

/* Members of messages. */
enum { M_ROLE = 0, M_CONTENT, M_CALLS, M_CALL_ID, M_REFUSAL, M_SLOTS };

#define TG_CHAT_ROLE  TG_TR_TAKEN("role", M_ROLE, TG_TR_STRING)
#define TG_CHAT_CONTENT                                                       \
    TG_TR_TAKEN("content", M_CONTENT, TG_TR_STRING | TG_TR_ARRAY)
#define TG_CHAT_NAME                                                          \
    TG_TR_REFUSED("name", "\"\"", "has no names of participants")

static const tg_tr_field_t  tg_chat_plain_fields[] = {
    TG_CHAT_ROLE, TG_CHAT_CONTENT, TG_CHAT_NAME, TG_TR_END
};

static const tg_tr_field_t  tg_chat_assistant_fields[] = {
    TG_CHAT_ROLE, TG_CHAT_CONTENT, TG_CHAT_NAME,
    TG_TR_TAKEN("tool_calls", M_CALLS, TG_TR_ARRAY),
    TG_TR_TAKEN("refusal", M_REFUSAL, TG_TR_STRING),
    TG_TR_REFUSED("audio", NULL, "does not know what was spoken"),
    TG_TR_REFUSED("function_call", NULL, "knows calls by tool_calls only"),

    /* what an answer has and a request needn't */
    TG_TR_DROPPED("annotations"),
    TG_TR_DROPPED("parsed"),            /* the SDK's own */
    TG_TR_DROPPED("reasoning"),
    TG_TR_DROPPED("reasoning_content"),
    TG_TR_DROPPED("reasoning_details"),
    TG_TR_END
};

static const tg_tr_field_t  tg_chat_tool_fields[] = {
    TG_CHAT_ROLE, TG_CHAT_CONTENT,
    TG_TR_TAKEN("tool_call_id", M_CALL_ID, TG_TR_STRING),

    /* the call has it */
    TG_TR_DROPPED("name"),
    TG_TR_END
};

enum { P_TYPE = 0, P_TEXT, P_SLOTS };

static const tg_tr_field_t  tg_chat_text_fields[] = {
    TG_TR_TAKEN("type", P_TYPE, TG_TR_STRING),
    TG_TR_TAKEN("text", P_TEXT, TG_TR_STRING),
    TG_TR_DROPPED("prompt_cache_breakpoint"),
    TG_TR_END
};

static const tg_tr_field_t  tg_chat_refusal_fields[] = {
    TG_TR_TAKEN("type", P_TYPE, TG_TR_STRING),
    TG_TR_TAKEN("refusal", P_TEXT, TG_TR_STRING),
    TG_TR_END
};


/* The one that counts of the two names of the most tokens. */
static int
tg_chat_limit(tg_chat_t *c)
{
    const tg_node_t  *old = c->slot[TG_CHAT_MAX_TOKENS];
    const tg_node_t  *n = c->slot[TG_CHAT_MAX_COMPLETION_TOKENS];

    c->limit = -1;

    if (old != NULL && n != NULL) {
        return tg_tr_invalid(&c->tr, old,
                             "max_completion_tokens is there, too");
    }

    if (n == NULL) {
        n = old;
    }

    if (n != NULL && tg_tr_count(&c->tr, n, 1, &c->limit) != TG_OK) {
        return TG_ERROR;
    }

    if (c->tr.ask->max_tokens >= 0) {
        c->limit = c->tr.ask->max_tokens;
    }

    return TG_OK;
}


static int
tg_chat_stops(tg_chat_t *c)
{
    const tg_node_t  *stop = c->slot[TG_CHAT_STOP];

    if (stop == NULL || stop->type == TG_JSON_STRING) {
        return TG_OK;
    }

    for (const tg_node_t *n = stop->child; n != NULL; n = n->next) {
        if (n->type != TG_JSON_STRING) {
            return tg_tr_invalid(&c->tr, n, "must be a string");
        }
    }

    return TG_OK;
}


int
tg_chat_read(tg_chat_t *c)
{
    static const tg_tr_field_t  options[] = {
        TG_TR_DROPPED("include_usage"),         /* the answer's translation */
        TG_TR_DROPPED("include_obfuscation"),
        TG_TR_END
    };

    const tg_tr_field_t *const  tables[TG_TR_TABLES] = {
        c->target->fields, tg_chat_fields
    };

    const tg_node_t  *n;

    if (tg_tr_fields(&c->tr, c->tr.root, tables, c->slot, TG_CHAT_SLOTS)
        != TG_OK
        || tg_tr_need(&c->tr, c->tr.root, c->slot[TG_CHAT_MESSAGES],
                      "messages") != TG_OK
        || tg_chat_limit(c) != TG_OK || tg_chat_stops(c) != TG_OK)
    {
        return TG_ERROR;
    }

    n = c->slot[TG_CHAT_STREAM_OPTIONS];

    return n == NULL ? TG_OK : tg_tr_object(&c->tr, n, options, NULL, 0);
}


void
tg_chat_stop(tg_chat_t *c, tg_str_t name)
{
    const tg_node_t  *n = c->slot[TG_CHAT_STOP];

    if (n == NULL) {
        return;
    }

    if (n->type == TG_JSON_ARRAY) {
        if (n->child != NULL) {
            tg_tr_member(&c->tr, name, n);
        }
        return;
    }

    tg_tr_member_lit(&c->tr, name, tg_str("["));
    tg_tr_close(&c->tr, tg_str(""));
    tg_grow_str(&c->tr.out, tg_node_raw(n));
    tg_grow_lit(&c->tr.out, "],");
}


void
tg_chat_part(tg_chat_t *c, tg_chat_turn_t turn)
{
    if (c->turn == turn) {
        tg_grow_lit(&c->tr.out, ",");
        return;
    }

    if (c->turn != TG_CHAT_NOBODY) {
        tg_grow_lit(&c->tr.out, "]},");
    }

    tg_grow_str(&c->tr.out, c->target->turn[turn]);

    c->turn = turn;
    c->turns++;
    c->calls_in_turn = false;
}


void
tg_chat_text(tg_chat_t *c, const tg_node_t *text)
{
    tg_grow_str(&c->tr.out, c->target->text);
    tg_grow_str(&c->tr.out, tg_node_raw(text));
    tg_grow_lit(&c->tr.out, "}");
}


/* The string that a part of text or a refusal has. */
static int
tg_chat_part_text(tg_chat_t *c, const tg_node_t *part, bool refusal,
    const tg_node_t **text)
{
    const tg_node_t  *slot[P_SLOTS];

    if (tg_tr_object(&c->tr, part, refusal ? tg_chat_refusal_fields
                                           : tg_chat_text_fields,
                     slot, P_SLOTS) != TG_OK)
    {
        return TG_ERROR;
    }

    *text = slot[P_TEXT];

    return tg_tr_need(&c->tr, part, *text, refusal ? "refusal" : "text");
}


/* *text is NULL where the part is something else. */
static int
tg_chat_part_read(tg_chat_t *c, const tg_node_t *part, bool assistant,
    const tg_node_t **text)
{
    const tg_node_t  *type = tg_node_get(part, tg_str("type"));

    *text = NULL;

    if (part->type != TG_JSON_OBJECT) {
        return tg_tr_invalid(&c->tr, part, "must be an object");
    }

    if (tg_tr_need(&c->tr, part, type, "type") != TG_OK) {
        return TG_ERROR;
    }

    if (tg_node_is(type, tg_str("text"))) {
        return tg_chat_part_text(c, part, false, text);
    }

    if (assistant && tg_node_is(type, tg_str("refusal"))) {
        return tg_chat_part_text(c, part, true, text);
    }

    return TG_OK;
}


static int
tg_chat_no_part(tg_chat_t *c, const tg_node_t *part)
{
    return tg_tr_refused(&c->tr, tg_node_get(part, tg_str("type")),
                         "no such content is known here");
}


int
tg_chat_texts(tg_chat_t *c, const tg_node_t *content)
{
    const tg_node_t  *text;
    int               n = 0;

    if (content->type == TG_JSON_STRING) {
        if (tg_tr_blank(content)) {
            return 0;
        }

        tg_chat_text(c, content);
        return 1;
    }

    for (const tg_node_t *p = content->child; p != NULL; p = p->next) {
        if (tg_chat_part_read(c, p, false, &text) != TG_OK) {
            return TG_ERROR;
        }

        if (text == NULL) {
            return tg_chat_no_part(c, p);
        }

        if (!tg_tr_blank(text)) {
            if (n++ != 0) {
                tg_grow_lit(&c->tr.out, ",");
            }
            tg_chat_text(c, text);
        }
    }

    return n;
}


static bool
tg_chat_is_system(const tg_node_t *message)
{
    const tg_node_t  *role = tg_node_get(message, tg_str("role"));

    return tg_node_is(role, tg_str("system"))
           || tg_node_is(role, tg_str("developer"));
}


int
tg_chat_system(tg_chat_t *c)
{
    const tg_node_t  *slot[M_SLOTS], *m;
    size_t            len;
    int               n, sum = 0;

    for (m = c->slot[TG_CHAT_MESSAGES]->child; m != NULL; m = m->next) {
        if (!tg_chat_is_system(m)) {
            continue;
        }

        if (tg_tr_object(&c->tr, m, tg_chat_plain_fields, slot, M_SLOTS)
            != TG_OK
            || tg_tr_need(&c->tr, m, slot[M_CONTENT], "content") != TG_OK)
        {
            return TG_ERROR;
        }

        len = c->tr.out.len;

        if (sum != 0) {
            tg_grow_lit(&c->tr.out, ",");
        }

        n = tg_chat_texts(c, slot[M_CONTENT]);
        if (n < 0) {
            return TG_ERROR;
        }

        if (n == 0) {
            tg_grow_cut(&c->tr.out, len);
        }

        sum += n;
    }

    return sum;
}


/* The text, or the parts, of a user's or an assistant's message. */
static int
tg_chat_content(tg_chat_t *c, const tg_node_t *content, tg_chat_turn_t turn)
{
    const tg_node_t  *text, *p;
    bool              taken;

    if (content->type == TG_JSON_STRING) {
        if (!tg_tr_blank(content)) {
            tg_chat_part(c, turn);
            tg_chat_text(c, content);
        }
        return TG_OK;
    }

    for (p = content->child; p != NULL; p = p->next) {
        if (tg_chat_part_read(c, p, turn == TG_CHAT_MODELS, &text) != TG_OK) {
            return TG_ERROR;
        }

        if (text != NULL) {
            if (!tg_tr_blank(text)) {
                tg_chat_part(c, turn);
                tg_chat_text(c, text);
            }
            continue;
        }

        taken = false;

        if (turn == TG_CHAT_USERS && tg_chat_media(c, p, &taken) != TG_OK) {
            return TG_ERROR;
        }

        if (!taken) {
            return tg_chat_no_part(c, p);
        }
    }

    return TG_OK;
}


static int
tg_chat_user(tg_chat_t *c, const tg_node_t *message)
{
    const tg_node_t  *slot[M_SLOTS];

    if (tg_tr_object(&c->tr, message, tg_chat_plain_fields, slot, M_SLOTS)
        != TG_OK
        || tg_tr_need(&c->tr, message, slot[M_CONTENT], "content") != TG_OK
        || tg_tr_calls_end(&c->tr, &c->calls) != TG_OK)
    {
        return TG_ERROR;
    }

    return tg_chat_content(c, slot[M_CONTENT], TG_CHAT_USERS);
}


static int
tg_chat_assistant(tg_chat_t *c, const tg_node_t *message)
{
    const tg_node_t  *slot[M_SLOTS], *n;
    tg_chat_call_t    call;

    if (tg_tr_object(&c->tr, message, tg_chat_assistant_fields, slot, M_SLOTS)
        != TG_OK
        || tg_tr_calls_end(&c->tr, &c->calls) != TG_OK
        || (slot[M_CONTENT] != NULL
            && tg_chat_content(c, slot[M_CONTENT], TG_CHAT_MODELS) != TG_OK)
        || (slot[M_REFUSAL] != NULL
            && tg_chat_content(c, slot[M_REFUSAL], TG_CHAT_MODELS) != TG_OK))
    {
        return TG_ERROR;
    }

    n = slot[M_CALLS] == NULL ? NULL : slot[M_CALLS]->child;

    for ( /* void */ ; n != NULL; n = n->next) {
        if (tg_chat_call_read(c, n, &call) != TG_OK
            || tg_tr_calls_add(&c->tr, &c->calls, call.id, call.name) != TG_OK
            || c->target->call(c, &call) != TG_OK)
        {
            return TG_ERROR;
        }

        c->calls_in_turn = true;
    }

    return TG_OK;
}


static int
tg_chat_tool(tg_chat_t *c, const tg_node_t *message)
{
    const tg_node_t     *slot[M_SLOTS];
    const tg_tr_call_t  *call;

    if (tg_tr_object(&c->tr, message, tg_chat_tool_fields, slot, M_SLOTS)
        != TG_OK
        || tg_tr_need(&c->tr, message, slot[M_CALL_ID], "tool_call_id")
           != TG_OK
        || tg_tr_need(&c->tr, message, slot[M_CONTENT], "content") != TG_OK)
    {
        return TG_ERROR;
    }

    call = tg_tr_calls_answer(&c->tr, &c->calls, slot[M_CALL_ID]);

    return call == NULL ? TG_ERROR
                        : c->target->result(c, call, slot[M_CONTENT]);
}


static int
tg_chat_message(tg_chat_t *c, const tg_node_t *message)
{
    static const struct {
        tg_str_t   role;
        int      (*read)(tg_chat_t *c, const tg_node_t *message);
    } roles[] = {
        { TG_STR("user"), tg_chat_user },
        { TG_STR("assistant"), tg_chat_assistant },
        { TG_STR("tool"), tg_chat_tool }
    };

    const tg_node_t  *role = tg_node_get(message, tg_str("role"));

    if (tg_tr_need(&c->tr, message, role, "role") != TG_OK) {
        return TG_ERROR;
    }

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (tg_node_is(role, roles[i].role)) {
            return roles[i].read(c, message);
        }
    }

    return tg_tr_refused(&c->tr, role, "no such role is known here");
}


int
tg_chat_turns(tg_chat_t *c)
{
    const tg_node_t  *messages = c->slot[TG_CHAT_MESSAGES], *m;
    const tg_node_t  *last = NULL;

    if (tg_tr_calls_init(&c->tr, &c->calls) != TG_OK) {
        return TG_ERROR;
    }

    for (m = messages->child; m != NULL; m = m->next) {
        if (!tg_chat_is_system(m)) {
            if (tg_chat_message(c, m) != TG_OK) {
                return TG_ERROR;
            }
            last = m;
        }
    }

    if (tg_tr_calls_end(&c->tr, &c->calls) != TG_OK) {
        return TG_ERROR;
    }

    if (c->turns == 0) {
        return tg_tr_invalid(&c->tr, messages, "nothing in it for a turn");
    }

    if (c->turn == TG_CHAT_MODELS) {
        return tg_tr_refused(&c->tr, last, "%.*s would go on with the"
                             " assistant's turn, not answer it",
                             (int) c->tr.target.len, c->tr.target.p);
    }

    tg_grow_lit(&c->tr.out, "]}");

    return TG_OK;
}


int
tg_chat_conversation(tg_chat_t *c, tg_str_t system, tg_str_t close,
    tg_str_t turns)
{
    size_t  len = c->tr.out.len;
    int     n;

    tg_grow_str(&c->tr.out, system);

    n = tg_chat_system(c);
    if (n < 0) {
        return TG_ERROR;
    }

    if (n == 0) {
        tg_grow_cut(&c->tr.out, len);
    } else {
        tg_grow_str(&c->tr.out, close);
    }

    tg_grow_str(&c->tr.out, turns);

    if (tg_chat_turns(c) != TG_OK) {
        return TG_ERROR;
    }

    tg_grow_lit(&c->tr.out, "],");

    return TG_OK;
}
