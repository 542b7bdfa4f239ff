#include "tg_translator_int.h"

/*
 * An answer of OpenAI's chat completions, and of those that call themselves
 * compatible with it.
 * https://platform.openai.com/docs/api-reference/chat
 */

static tg_stop_t
tg_stop_openai(const tg_node_t *reason)
{
    static const struct {
        tg_str_t   reason;
        tg_stop_t  stop;
    } stops[] = {
        { TG_STR("length"), TG_STOP_LENGTH },
        { TG_STR("tool_calls"), TG_STOP_TOOLS },
        { TG_STR("tool_call"), TG_STOP_TOOLS },
        { TG_STR("function_call"), TG_STOP_TOOLS },
        { TG_STR("content_filter"), TG_STOP_FILTER }
    };

    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        if (tg_node_is(reason, stops[i].reason)) {
            return stops[i].stop;
        }
    }

    return tg_node_inside_of(reason).len != 0 ? TG_STOP_END : TG_STOP_NONE;
}


static bool
tg_node_empty(const tg_node_t *n)
{
    return n == NULL || n->type == TG_JSON_NULL || n->type == TG_JSON_FALSE
           || ((n->type == TG_JSON_OBJECT || n->type == TG_JSON_ARRAY)
               && n->child == NULL)
           || (n->type == TG_JSON_STRING && n->len == 2);
}


/* Mistral's thinking: a list of texts. */
static void
tg_openai_thinking(tg_translator_t *t, tg_choice_t *c, const tg_node_t *n)
{
    if (n != NULL && n->type == TG_JSON_ARRAY) {
        for (n = n->child; n != NULL; n = n->next) {
            tg_translator_say(t, c, TG_SAY_REASONING,
                              tg_node_get(n, tg_str("text")));
        }
        return;
    }

    tg_translator_say(t, c, TG_SAY_REASONING, n);
}


static void
tg_openai_content(tg_translator_t *t, tg_choice_t *c, const tg_node_t *root,
    const tg_node_t *content)
{
    const tg_node_t  *part, *type;

    if (content == NULL || content->type != TG_JSON_ARRAY) {
        tg_translator_say(t, c, TG_SAY_TEXT, content);
        return;
    }

    for (part = content->child; part != NULL; part = part->next) {
        type = tg_node_get(part, tg_str("type"));

        if (tg_node_is(type, tg_str("text"))) {
            tg_translator_say(t, c, TG_SAY_TEXT,
                              tg_node_get(part, tg_str("text")));

        } else if (tg_node_is(type, tg_str("thinking"))) {
            tg_openai_thinking(t, c, tg_node_get(part, tg_str("thinking")));

        } else if (!tg_node_is(type, tg_str("reference"))) {
            tg_translator_refuse(t, root, part);
            return;
        }
    }
}


/* Several say the same twice. */
static void
tg_openai_reasoning(tg_translator_t *t, tg_choice_t *c,
    const tg_node_t *message)
{
    const tg_node_t  *n = tg_node_get(message, tg_str("reasoning_content"));

    if (tg_node_empty(n)) {
        n = tg_node_get(message, tg_str("reasoning"));
    }

    if (!tg_node_empty(n)) {
        tg_translator_say(t, c, TG_SAY_REASONING, n);
        return;
    }

    /* OpenRouter's, what of it can be read */

    n = tg_node_get(message, tg_str("reasoning_details"));

    if (n == NULL || n->type != TG_JSON_ARRAY) {
        return;
    }

    for (n = n->child; n != NULL; n = n->next) {
        tg_translator_say(t, c, TG_SAY_REASONING,
                          tg_node_get(n, tg_str("text")));
        tg_translator_say(t, c, TG_SAY_REASONING,
                          tg_node_get(n, tg_str("summary")));
    }
}


/* Is it the start of a call, rather than more of the one under way? */
static bool
tg_openai_begins(const tg_translator_t *t, int64_t index, tg_str_t id,
    tg_str_t name)
{
    if (!t->in_tool || index != t->tool_index) {
        return true;
    }

    /* some give all calls the same index: another id tells them apart */

    return name.len != 0 && id.len != 0 && t->tool_id.len != 0
           && !tg_str_eq(id, t->tool_id);
}


static void
tg_openai_begin(tg_translator_t *t, tg_choice_t *c, int64_t index,
    tg_str_t id, tg_str_t name)
{
    t->in_tool = true;
    t->tool_index = index;
    t->tool_id = tg_str("");

    if (id.len <= sizeof(t->tool_id_buf)) {
        memcpy(t->tool_id_buf, id.p, id.len);
        t->tool_id = tg_str_of(t->tool_id_buf, id.len);
    }

    tg_translator_tool(t, c, id, name, tg_str(""));
}


static void
tg_openai_call(tg_translator_t *t, tg_choice_t *c, const tg_node_t *root,
    const tg_node_t *call, int64_t index)
{
    const tg_node_t  *function = tg_node_get(call, tg_str("function"));
    const tg_node_t  *arguments = tg_node_get(function, tg_str("arguments"));
    tg_str_t          id = tg_node_inside_of(tg_node_get(call, tg_str("id")));
    tg_str_t          name = tg_node_inside_of(tg_node_get(function,
                                                           tg_str("name")));

    if (tg_node_get(call, tg_str("custom")) != NULL) {
        tg_translator_refuse(t, root, call);
        return;
    }

    (void) tg_node_int(tg_node_get(call, tg_str("index")), &index);

    if (tg_openai_begins(t, index, id, name)) {
        if (name.len == 0) {
            if (t->frame == TG_FRAME_WHOLE || !tg_node_empty(arguments)) {
                tg_translator_fail(t, "a tool call of the upstream's has no "
                                   "name, or goes on after another has begun");
            }
            return;
        }

        tg_openai_begin(t, c, index, id, name);
    }

    if (arguments != NULL && arguments->type == TG_JSON_OBJECT) {
        tg_translator_object(t, c, arguments);

    } else if (c->arguments || !tg_node_is(arguments, tg_str("null"))) {
        tg_translator_arguments(t, c, tg_node_inside_of(arguments));
    }
}


static void
tg_openai_annotations(tg_translator_t *t, tg_choice_t *c, const tg_node_t *n)
{
    const tg_node_t  *cite;

    if (n == NULL || n->type != TG_JSON_ARRAY) {
        return;
    }

    for (n = n->child; n != NULL; n = n->next) {
        cite = tg_node_get(n, tg_str("url_citation"));

        tg_translator_cite(t, c,
            tg_node_inside_of(tg_node_get(cite, tg_str("url"))),
            tg_node_inside_of(tg_node_get(cite, tg_str("title"))),
            tg_node_inside_of(tg_node_get(cite, tg_str("content"))));
    }
}


/* A message, or what is new of it. */
static void
tg_openai_message(tg_translator_t *t, tg_choice_t *c, const tg_node_t *root,
    const tg_node_t *message)
{
    static const tg_str_t  refused[] = {
        TG_STR("audio"), TG_STR("images"), TG_STR("function_call")
    };

    const tg_node_t  *n, *calls = tg_node_get(message, tg_str("tool_calls"));
    int64_t           i = 0;

    for (size_t k = 0; k < sizeof(refused) / sizeof(refused[0]); k++) {
        n = tg_node_get(message, refused[k]);

        if (!tg_node_empty(n)) {
            tg_translator_refuse(t, root, n);
            return;
        }
    }

    tg_openai_reasoning(t, c, message);
    tg_openai_content(t, c, root, tg_node_get(message, tg_str("content")));
    tg_translator_say(t, c, TG_SAY_REFUSAL,
                      tg_node_get(message, tg_str("refusal")));
    tg_openai_annotations(t, c, tg_node_get(message, tg_str("annotations")));

    if (calls != NULL && calls->type == TG_JSON_ARRAY) {
        for (n = calls->child; n != NULL && !t->over; n = n->next) {
            tg_openai_call(t, c, root, n, i++);
        }
    }
}


static void
tg_openai_choice(tg_translator_t *t, const tg_node_t *root,
    const tg_node_t *choice, int64_t index)
{
    const tg_node_t  *message = tg_node_get(choice, tg_str("delta"));
    tg_choice_t      *c;
    tg_stop_t         stop;

    if (tg_translator_upstream_error(t, choice, false)) {
        return;
    }

    (void) tg_node_int(tg_node_get(choice, tg_str("index")), &index);
    c = tg_translator_choice(t, index < 0 ? 0 : (uint64_t) index);

    if (c == NULL) {
        return;
    }

    if (message == NULL || message->type != TG_JSON_OBJECT) {
        message = tg_node_get(choice, tg_str("message"));
    }

    if (message != NULL && message->type == TG_JSON_OBJECT) {
        tg_openai_message(t, c, root, message);
    }

    stop = tg_stop_openai(tg_node_get(choice, tg_str("finish_reason")));

    if (stop != TG_STOP_NONE) {
        tg_translator_stop(c, stop);
    }
}


void
tg_source_openai(tg_translator_t *t, const tg_node_t *root)
{
    const tg_node_t  *list = tg_node_get(root, tg_str("choices")), *n;
    int64_t           i = 0;

    tg_translator_model(t, tg_node_get(root, tg_str("model")));

    if (list == NULL || list->type != TG_JSON_ARRAY) {
        if (t->frame == TG_FRAME_WHOLE) {
            tg_translator_fail(t, "the upstream's answer has no choices");
        }
        return;
    }

    for (n = list->child; n != NULL && !t->over; n = n->next) {
        tg_openai_choice(t, root, n, i++);
    }
}
