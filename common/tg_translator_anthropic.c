#include "tg_translator_int.h"

/*
 * An answer of Anthropic's messages.
 * https://docs.claude.com/en/api/messages, .../messages-streaming
 */

typedef enum {
    TG_BLOCK_REFUSED = 0,
    TG_BLOCK_TEXT,
    TG_BLOCK_THINKING,
    TG_BLOCK_TOOL,
    TG_BLOCK_SKIP           /* the provider's own doings: of what its tools said
                               the text tells; what is sealed nobody can read */
} tg_block_t;

static tg_block_t
tg_block_kind(const tg_node_t *block)
{
    static const struct {
        const char  *pattern;
        tg_block_t   kind;
    } kinds[] = {
        { "text", TG_BLOCK_TEXT },
        { "thinking", TG_BLOCK_THINKING },
        { "tool_use", TG_BLOCK_TOOL },
        { "redacted_thinking", TG_BLOCK_SKIP },
        { "server_tool_use", TG_BLOCK_SKIP },
        { "mcp_tool_use", TG_BLOCK_SKIP },
        { "*_tool_result", TG_BLOCK_SKIP }
    };

    tg_str_t  type = tg_node_inside_of(tg_node_get(block, tg_str("type")));

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (tg_str_match(type, tg_strz(kinds[i].pattern))) {
            return kinds[i].kind;
        }
    }

    return TG_BLOCK_REFUSED;
}


static tg_stop_t
tg_stop_anthropic(const tg_node_t *reason)
{
    static const struct {
        tg_str_t   reason;
        tg_stop_t  stop;
    } stops[] = {
        { TG_STR("max_tokens"), TG_STOP_LENGTH },
        { TG_STR("model_context_window_exceeded"), TG_STOP_LENGTH },
        { TG_STR("tool_use"), TG_STOP_TOOLS },
        { TG_STR("refusal"), TG_STOP_FILTER }
    };

    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        if (tg_node_is(reason, stops[i].reason)) {
            return stops[i].stop;
        }
    }

    /* end_turn, stop_sequence, pause_turn */

    return tg_node_inside_of(reason).len != 0 ? TG_STOP_END : TG_STOP_NONE;
}


static void
tg_anthropic_citation(tg_translator_t *t, tg_choice_t *c,
    const tg_node_t *citation)
{
    tg_translator_cite(t, c,
        tg_node_inside_of(tg_node_get(citation, tg_str("url"))),
        tg_node_inside_of(tg_node_get(citation, tg_str("title"))),
        tg_str(""));
}


/* A block begins, or is there as a whole. */
static void
tg_anthropic_block(tg_translator_t *t, tg_choice_t *c, const tg_node_t *root,
    const tg_node_t *block)
{
    const tg_node_t  *cites = tg_node_get(block, tg_str("citations"));

    t->skip = false;
    t->in_tool = false;

    switch (tg_block_kind(block)) {

    case TG_BLOCK_TEXT:
        tg_translator_say(t, c, TG_SAY_TEXT,
                          tg_node_get(block, tg_str("text")));

        if (cites != NULL && cites->type == TG_JSON_ARRAY) {
            for (cites = cites->child; cites != NULL; cites = cites->next) {
                tg_anthropic_citation(t, c, cites);
            }
        }
        break;

    case TG_BLOCK_THINKING:
        tg_translator_say(t, c, TG_SAY_REASONING,
                          tg_node_get(block, tg_str("thinking")));
        break;

    case TG_BLOCK_TOOL:
        t->in_tool = true;
        tg_translator_tool(t, c,
            tg_node_inside_of(tg_node_get(block, tg_str("id"))),
            tg_node_inside_of(tg_node_get(block, tg_str("name"))),
            tg_str(""));
        tg_translator_object(t, c, tg_node_get(block, tg_str("input")));
        break;

    case TG_BLOCK_SKIP:
        t->skip = true;
        break;

    case TG_BLOCK_REFUSED:
        tg_translator_refuse(t, root, block);
        break;
    }
}


static void
tg_anthropic_delta(tg_translator_t *t, tg_choice_t *c, const tg_node_t *root,
    const tg_node_t *delta)
{
    const tg_node_t  *type = tg_node_get(delta, tg_str("type"));

    if (tg_node_is(type, tg_str("text_delta"))) {
        tg_translator_say(t, c, TG_SAY_TEXT,
                          tg_node_get(delta, tg_str("text")));

    } else if (tg_node_is(type, tg_str("thinking_delta"))) {
        tg_translator_say(t, c, TG_SAY_REASONING,
                          tg_node_get(delta, tg_str("thinking")));

    } else if (tg_node_is(type, tg_str("input_json_delta"))) {
        if (t->in_tool) {
            tg_translator_arguments(t, c,
                tg_node_inside_of(tg_node_get(delta,
                                              tg_str("partial_json"))));
        }

    } else if (tg_node_is(type, tg_str("citations_delta"))) {
        tg_anthropic_citation(t, c, tg_node_get(delta, tg_str("citation")));

    } else if (!tg_node_is(type, tg_str("signature_delta"))) {
        tg_translator_refuse(t, root, delta);
    }
}


static void
tg_anthropic_message(tg_translator_t *t, const tg_node_t *root)
{
    const tg_node_t  *content = tg_node_get(root, tg_str("content"));
    tg_choice_t      *c;

    tg_translator_model(t, tg_node_get(root, tg_str("model")));
    c = tg_translator_choice(t, 0);

    if (c == NULL || content == NULL || content->type != TG_JSON_ARRAY) {
        return;
    }

    for (content = content->child; content != NULL; content = content->next) {
        tg_anthropic_block(t, c, root, content);
        tg_translator_part_end(t, c);
    }
}


static void
tg_anthropic_event(tg_translator_t *t, const tg_node_t *root,
    const tg_node_t *type)
{
    tg_choice_t      *c = tg_translator_choice(t, 0);
    const tg_node_t  *delta = tg_node_get(root, tg_str("delta"));

    if (c == NULL) {
        return;
    }

    if (tg_node_is(type, tg_str("content_block_delta"))) {
        if (!t->skip) {
            tg_anthropic_delta(t, c, root, delta);
        }

    } else if (tg_node_is(type, tg_str("content_block_start"))) {
        tg_anthropic_block(t, c, root,
                           tg_node_get(root, tg_str("content_block")));

    } else if (tg_node_is(type, tg_str("content_block_stop"))) {
        tg_translator_part_end(t, c);
        t->skip = false;

    } else if (tg_node_is(type, tg_str("message_delta"))) {
        tg_translator_stop(c, tg_stop_anthropic(
            tg_node_get(delta, tg_str("stop_reason"))));

    } else if (tg_node_is(type, tg_str("message_stop"))) {
        tg_translator_done(t);
    }

    /* an event of another name may be new, and is to be passed over */
}


void
tg_source_anthropic(tg_translator_t *t, const tg_node_t *root)
{
    const tg_node_t  *type = tg_node_get(root, tg_str("type"));

    if (tg_node_is(type, tg_str("message_start"))) {
        tg_anthropic_message(t, tg_node_get(root, tg_str("message")));

    } else if (tg_node_is(type, tg_str("ping"))) {
        tg_translator_ping(t);

    } else if (tg_node_is(type, tg_str("message"))) {
        tg_anthropic_message(t, root);

        if (t->begun && !t->over) {
            tg_translator_stop(t->choices[0], tg_stop_anthropic(
                tg_node_get(root, tg_str("stop_reason"))));
        }

    } else if (t->frame == TG_FRAME_WHOLE) {
        tg_translator_fail(t, "the upstream's answer is not a message");

    } else {
        tg_anthropic_event(t, root, type);
    }
}
