#include "tg_translator_int.h"

/*
 * Anthropic's message, whole.
 * https://docs.claude.com/en/api/messages
 *
 * c->list is the content so far; the text, or the arguments, of the block that
 * is under way are in c->text, its citations in c->notes.
 */

static void
tg_message_begin(tg_translator_t *t, tg_choice_t *c)
{
    (void) t;
    (void) c;
}


static void
tg_message_block(tg_translator_t *t, tg_choice_t *c)
{
    tg_grow_str(&c->list, t->blocks++ == 0 ? tg_str("{\"type\":")
                                           : tg_str(",{\"type\":"));
}


static void
tg_message_part(tg_translator_t *t, tg_choice_t *c)
{
    tg_message_block(t, c);
    tg_grow_str(&c->list, c->part == TG_PART_THINKING
                          ? tg_str("\"thinking\",\"signature\":\"\",")
                          : tg_str("\"text\","));
}


static void
tg_message_say(tg_translator_t *t, tg_choice_t *c, tg_say_t what,
    tg_str_t text)
{
    (void) t;
    (void) what;

    tg_grow_str(&c->text, text);
}


static void
tg_message_tool(tg_translator_t *t, tg_choice_t *c, tg_str_t id,
    tg_str_t name, tg_str_t signature)
{
    (void) signature;

    tg_message_block(t, c);
    tg_grow_lit(&c->list, "\"tool_use\",");
    tg_grow_member(&c->list, "id", id);
    tg_grow_lit(&c->list, ",");
    tg_grow_member(&c->list, "name", name);
    tg_grow_lit(&c->list, ",\"input\":");
}


static void
tg_message_arguments(tg_translator_t *t, tg_choice_t *c, tg_str_t piece)
{
    (void) t;

    tg_grow_str(&c->text, piece);
}


static void
tg_message_cite(tg_translator_t *t, tg_choice_t *c, tg_str_t url,
    tg_str_t title, tg_str_t quote)
{
    (void) t;

    if (c->notes.len != 0) {
        tg_grow_lit(&c->notes, ",");
    }

    tg_grow_citation(&c->notes, url, title, quote);
}


/* OpenAI has the input as text, that a model has made. */
static void
tg_message_input(tg_translator_t *t, tg_choice_t *c)
{
    tg_mem_t         *mem = &t->scratch.mem;
    tg_str_t          text = tg_str_trim(tg_tree_decode(mem,
                                         tg_grow_text(&c->text)));
    const tg_node_t  *root;

    if (text.len == 0) {
        tg_grow_lit(&c->list, "{}");
        return;
    }

    root = tg_tree_parse(mem, text, NULL);

    if (root == NULL || root->type != TG_JSON_OBJECT) {
        tg_translator_fail(t, "the arguments of tool call %u in the upstream's "
                           "answer are not a JSON object", c->tools - 1);
        return;
    }

    tg_grow_str(&c->list, tg_node_raw(root));
}


static void
tg_message_part_end(tg_translator_t *t, tg_choice_t *c)
{
    if (c->part == TG_PART_TOOL) {
        tg_message_input(t, c);

    } else {
        tg_grow_member(&c->list, c->part == TG_PART_TEXT ? "text"
                                                         : "thinking",
                       tg_grow_text(&c->text));

        if (c->notes.len != 0) {
            tg_grow_lit(&c->list, ",\"citations\":[");
            tg_grow_str(&c->list, tg_grow_text(&c->notes));
            tg_grow_lit(&c->list, "]");
        }
    }

    tg_grow_lit(&c->list, "}");
    tg_grow_cut(&c->text, 0);
    tg_grow_cut(&c->notes, 0);
}


static void
tg_message_close(tg_translator_t *t, const tg_usage_t *u)
{
    tg_grow_t          *g = &t->out;
    const tg_choice_t  *c = t->choices[0];

    tg_grow_lit(g, "{\"id\":\"msg_");
    tg_grow_json_inside(g, t->ask.id);
    tg_grow_lit(g, "\",\"type\":\"message\",\"role\":\"assistant\",");
    tg_grow_member(g, "model", t->model);
    tg_grow_lit(g, ",\"content\":[");
    tg_grow_str(g, tg_grow_text(&c->list));
    tg_grow_lit(g, "],");
    tg_grow_member(g, "stop_reason", tg_stop_word_anthropic(c->stop));
    tg_grow_lit(g, ",\"stop_sequence\":null,");
    tg_grow_usage_anthropic(g, u, tg_translator_tier(t));
    tg_grow_lit(g, "}");
}


const tg_target_t  tg_target_anthropic_whole = {
    tg_message_begin, tg_message_part, tg_message_say, tg_message_tool,
    tg_message_arguments, tg_message_cite, tg_message_part_end,
    tg_message_close, NULL
};
