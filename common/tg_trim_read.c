/* A conversation's messages, of any API, as far as it matters what they are. */

#include "tg_trim_int.h"

#define TG_TURNS_FIRST    16
#define TG_TURN_DEPTH     3     /* where an element's parts say what they are */

/* An element that is being read. */
typedef struct {
    tg_str_t  role;
    tg_str_t  type;
    unsigned  calls;
    unsigned  results;
    uint64_t  media;
    uint64_t  pictures;
} tg_look_t;

/* Lists of messages: OpenAI's chat, Anthropic, Ollama, Bedrock, Cohere; Gemini;
 * OpenAI's responses. */
static const char *const  tg_trim_lists[] = { "messages", "contents", "input" };

static const char *const  tg_media_keys[] = {
    "data", "url", "file_data", "bytes", "image_url", "bytesBase64Encoded"
};

static const char *const  tg_picture_types[] = {
    "image_url", "image", "input_image"
};

/* Names of objects that are a call or a result. */
static const char *const  tg_call_keys[] = {
    "functionCall", "function_call", "toolUse"
};

static const char *const  tg_result_keys[] = {
    "functionResponse", "function_response", "toolResult"
};

/* Items of the responses API: a call that its result answers, by the client or
 * as it was; what else the model did. */
static const char *const  tg_item_calls[] = {
    "function_call", "custom_tool_call", "computer_call", "local_shell_call",
    "shell_call", "apply_patch_call"
};

static const char *const  tg_item_others[] = {
    "reasoning", "web_search_call", "file_search_call",
    "image_generation_call", "code_interpreter_call", "mcp_call"
};

#define TG_ANY(text, list)                                                    \
    tg_look_any(text, list, sizeof(list) / sizeof((list)[0]))


static bool
tg_look_any(tg_str_t text, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (tg_step_is(text, list[i])) {
            return true;
        }
    }

    return false;
}


/* The elements of tool_calls, or the one object. */
static void
tg_look_calls(tg_look_t *look, tg_step_t s)
{
    if (!tg_step(&s) || s.type != TG_STEP_ARRAY) {
        return;
    }

    while (tg_step(&s) && s.type != TG_STEP_CLOSE) {
        if (s.type == TG_STEP_OBJECT) {
            look->calls++;
            tg_step_over(&s);
        }
    }
}


/* A name at `depth` of the element, 1 being its own members. */
static void
tg_look_key(tg_look_t *look, tg_step_t s, size_t depth)
{
    tg_str_t  key = s.text;

    if (depth == 1 && tg_step_is(key, "role")) {
        look->role = tg_step(&s) ? s.text : tg_str_null;

    } else if (depth == 1 && tg_step_is(key, "type")) {
        look->type = tg_step(&s) ? s.text : tg_str_null;

    } else if (depth == 1 && tg_step_is(key, "tool_calls")) {
        tg_look_calls(look, s);

    } else if (depth <= TG_TURN_DEPTH && TG_ANY(key, tg_call_keys)) {
        look->calls += tg_step(&s) && s.type == TG_STEP_OBJECT;

    } else if (depth <= TG_TURN_DEPTH && TG_ANY(key, tg_result_keys)) {
        look->results += tg_step(&s) && s.type == TG_STEP_OBJECT;

    } else if (depth > 1 && tg_step_is(key, "type") && tg_step(&s)) {
        look->calls += depth <= TG_TURN_DEPTH
                       && tg_step_is(s.text, "tool_use");
        look->results += depth <= TG_TURN_DEPTH
                         && tg_step_is(s.text, "tool_result");
        look->pictures += TG_ANY(s.text, tg_picture_types);

    } else if (tg_step_is(key, "inlineData") || tg_step_is(key, "inline_data"))
    {
        look->pictures++;

    } else if (TG_ANY(key, tg_media_keys) && tg_step(&s)
               && s.type == TG_STEP_STRING)
    {
        look->media += s.text.len;
    }
}


static uint8_t
tg_look_kind(const tg_look_t *look)
{
    tg_str_t  role = look->role;

    if (tg_step_is(role, "system") || tg_step_is(role, "developer")) {
        return TG_TURN_SYSTEM;
    }

    if (look->results != 0 || tg_step_is(role, "tool")
        || tg_step_is(role, "function"))
    {
        return TG_TURN_RESULT;
    }

    if (look->calls != 0) {
        return TG_TURN_CALL;
    }

    if (tg_step_is(role, "assistant") || tg_step_is(role, "model")) {
        return TG_TURN_MODEL;
    }

    if (tg_step_is(role, "user")
        && (look->type.len == 0 || tg_step_is(look->type, "message")))
    {
        return TG_TURN_USER;
    }

    return role.len == 0 && TG_ANY(look->type, tg_item_others)
           ? TG_TURN_MODEL : TG_TURN_FIXED;
}


static bool
tg_look_ends(tg_str_t text, const char *end)
{
    size_t  n = strlen(end);

    return text.len > n && memcmp(text.p + text.len - n, end, n) == 0;
}


/* s is behind the element's opening brace. */
static void
tg_look(tg_turn_t *turn, tg_step_t *s, const char *body)
{
    size_t     depth = 1;
    uint64_t   bytes;
    tg_look_t  look;

    memset(&look, 0, sizeof(look));

    while (depth != 0 && tg_step(s)) {
        switch (s->type) {
        case TG_STEP_OBJECT:
        case TG_STEP_ARRAY:
            depth++;
            break;
        case TG_STEP_CLOSE:
            depth--;
            break;
        case TG_STEP_KEY:
            tg_look_key(&look, *s, depth);
            break;
        default:
            break;
        }
    }

    if (look.role.len == 0 && look.type.len != 0) {
        look.calls += TG_ANY(look.type, tg_item_calls);
        look.results += tg_look_ends(look.type, "_output");

    } else if (tg_step_is(look.role, "tool")
               || tg_step_is(look.role, "function"))
    {
        look.results += look.results == 0;
    }

    turn->end = (size_t) (s->p - body);
    turn->kind = tg_look_kind(&look);
    turn->calls = look.calls;
    turn->results = look.results;
    bytes = turn->end - turn->start;
    turn->tokens = tg_trim_estimate(bytes, look.media, look.pictures);
}


static int
tg_trim_room(tg_turns_t *turns, tg_mem_t *mem, size_t *room)
{
    size_t      more = *room == 0 ? TG_TURNS_FIRST : *room * 2;
    tg_turn_t  *turn;

    if (turns->n < *room) {
        return TG_OK;
    }

    if (turns->n == TG_TRIM_TURNS) {
        return TG_TRIM_NONE;
    }

    turn = tg_alloc(mem, more * sizeof(tg_turn_t));
    if (turn == NULL) {
        return TG_ERROR;
    }

    if (turns->n != 0) {
        memcpy(turn, turns->turn, turns->n * sizeof(tg_turn_t));
    }

    turns->turn = turn;
    *room = more;

    return TG_OK;
}


/* s is behind the list's opening bracket. */
static int
tg_trim_list(tg_turns_t *turns, tg_mem_t *mem, tg_step_t *s, const char *body)
{
    int         rc;
    size_t      room = 0;
    tg_turn_t  *turn;

    while (tg_step(s) && s->type != TG_STEP_CLOSE) {

        if (s->type == TG_STEP_COMMA) {
            turns->turn[turns->n - 1].comma = (size_t) (s->start - body);
            continue;
        }

        if (s->type != TG_STEP_OBJECT) {
            return TG_TRIM_NONE;            /* no messages */
        }

        rc = tg_trim_room(turns, mem, &room);
        if (rc != TG_OK) {
            return rc;
        }

        turn = &turns->turn[turns->n++];
        memset(turn, 0, sizeof(tg_turn_t));
        turn->start = (size_t) (s->start - body);
        tg_look(turn, s, body);
    }

    return TG_OK;
}


int
tg_trim_read(tg_turns_t *turns, tg_mem_t *mem, tg_str_t body)
{
    bool       list;
    tg_step_t  s;

    memset(turns, 0, sizeof(tg_turns_t));
    tg_step_init(&s, body.p, body.len);

    if (!tg_step(&s) || s.type != TG_STEP_OBJECT) {
        return TG_TRIM_NONE;
    }

    while (tg_step(&s) && s.type != TG_STEP_CLOSE) {
        if (s.type != TG_STEP_KEY) {
            continue;
        }

        list = TG_ANY(s.text, tg_trim_lists);

        if (!list) {
            tg_step_over(&s);
            continue;
        }

        if (!tg_step(&s)) {
            break;
        }

        if (s.type == TG_STEP_ARRAY) {
            return tg_trim_list(turns, mem, &s, body.p);
        }

        if (s.type == TG_STEP_OBJECT) {
            tg_step_over(&s);
        }
    }

    return TG_TRIM_NONE;
}
