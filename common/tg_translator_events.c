#include "tg_translator_int.h"

/*
 * A stream of Anthropic's messages.
 * https://docs.claude.com/en/api/messages-streaming
 */

tg_str_t
tg_stop_word_anthropic(tg_stop_t stop)
{
    static const tg_str_t  words[] = {
        [TG_STOP_NONE] = TG_STR("end_turn"),
        [TG_STOP_END] = TG_STR("end_turn"),
        [TG_STOP_LENGTH] = TG_STR("max_tokens"),
        [TG_STOP_TOOLS] = TG_STR("tool_use"),
        [TG_STOP_FILTER] = TG_STR("refusal")
    };

    return words[stop];
}


void
tg_grow_citation(tg_grow_t *g, tg_str_t url, tg_str_t title, tg_str_t quote)
{
    tg_grow_lit(g, "{\"type\":\"web_search_result_location\",");
    tg_grow_member(g, "url", url);
    tg_grow_lit(g, ",");
    tg_grow_member(g, "title", title);
    tg_grow_lit(g, ",");
    tg_grow_member(g, "cited_text", quote);
    tg_grow_lit(g, ",\"encrypted_index\":\"\"}");
}


static void
tg_events_begin(tg_translator_t *t, tg_choice_t *c)
{
    tg_grow_t  *g = &t->out;

    (void) c;

    /* what was used is known at the end, and said there */

    tg_grow_lit(g, "event: message_start\ndata: {\"type\":\"message_start\","
                   "\"message\":{\"id\":\"msg_");
    tg_grow_json_inside(g, t->ask.id);
    tg_grow_lit(g, "\",\"type\":\"message\",\"role\":\"assistant\",");
    tg_grow_member(g, "model", t->model);
    tg_grow_lit(g, ",\"content\":[],\"stop_reason\":null,"
                   "\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,"
                   "\"output_tokens\":0}}}\n\n");
}


static void
tg_events_block(tg_translator_t *t)
{
    tg_grow_lit(&t->out, "event: content_block_start\ndata: {\"type\":"
                         "\"content_block_start\",\"index\":");
    tg_grow_int(&t->out, t->blocks++);
    tg_grow_lit(&t->out, ",\"content_block\":{\"type\":");
}


static void
tg_events_part(tg_translator_t *t, tg_choice_t *c)
{
    tg_events_block(t);
    tg_grow_str(&t->out, c->part == TG_PART_THINKING
                ? tg_str("\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}")
                : tg_str("\"text\",\"text\":\"\"}}"));
    tg_grow_lit(&t->out, "\n\n");
}


static void
tg_events_delta(tg_translator_t *t)
{
    tg_grow_lit(&t->out, "event: content_block_delta\ndata: {\"type\":"
                         "\"content_block_delta\",\"index\":");
    tg_grow_int(&t->out, t->blocks - 1);
    tg_grow_lit(&t->out, ",\"delta\":{\"type\":");
}


static void
tg_events_say(tg_translator_t *t, tg_choice_t *c, tg_say_t what,
    tg_str_t text)
{
    (void) c;

    tg_events_delta(t);

    if (what == TG_SAY_REASONING) {
        tg_grow_lit(&t->out, "\"thinking_delta\",");
        tg_grow_member(&t->out, "thinking", text);

    } else {
        tg_grow_lit(&t->out, "\"text_delta\",");
        tg_grow_member(&t->out, "text", text);
    }

    tg_grow_lit(&t->out, "}}\n\n");
}


static void
tg_events_tool(tg_translator_t *t, tg_choice_t *c, tg_str_t id,
    tg_str_t name, tg_str_t signature)
{
    (void) c;
    (void) signature;

    tg_events_block(t);
    tg_grow_lit(&t->out, "\"tool_use\",");
    tg_grow_member(&t->out, "id", id);
    tg_grow_lit(&t->out, ",");
    tg_grow_member(&t->out, "name", name);
    tg_grow_lit(&t->out, ",\"input\":{}}}\n\n");
}


static void
tg_events_arguments(tg_translator_t *t, tg_choice_t *c, tg_str_t piece)
{
    (void) c;

    tg_events_delta(t);
    tg_grow_lit(&t->out, "\"input_json_delta\",");
    tg_grow_member(&t->out, "partial_json", piece);
    tg_grow_lit(&t->out, "}}\n\n");
}


static void
tg_events_cite(tg_translator_t *t, tg_choice_t *c, tg_str_t url,
    tg_str_t title, tg_str_t quote)
{
    (void) c;

    tg_events_delta(t);
    tg_grow_lit(&t->out, "\"citations_delta\",\"citation\":");
    tg_grow_citation(&t->out, url, title, quote);
    tg_grow_lit(&t->out, "}}\n\n");
}


static void
tg_events_part_end(tg_translator_t *t, tg_choice_t *c)
{
    (void) c;

    tg_grow_lit(&t->out, "event: content_block_stop\ndata: {\"type\":"
                         "\"content_block_stop\",\"index\":");
    tg_grow_int(&t->out, t->blocks - 1);
    tg_grow_lit(&t->out, "}\n\n");
}


static void
tg_events_close(tg_translator_t *t, const tg_usage_t *u)
{
    tg_grow_lit(&t->out, "event: message_delta\ndata: {\"type\":"
                         "\"message_delta\",\"delta\":{");
    tg_grow_member(&t->out, "stop_reason",
                   tg_stop_word_anthropic(t->choices[0]->stop));
    tg_grow_lit(&t->out, ",\"stop_sequence\":null},");
    tg_grow_usage_anthropic(&t->out, u, tg_translator_tier(t));
    tg_grow_lit(&t->out, "}\n\nevent: message_stop\ndata: {\"type\":"
                         "\"message_stop\"}\n\n");
}


static void
tg_events_ping(tg_translator_t *t)
{
    tg_grow_lit(&t->out, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
}


const tg_target_t  tg_target_anthropic_stream = {
    tg_events_begin, tg_events_part, tg_events_say, tg_events_tool,
    tg_events_arguments, tg_events_cite, tg_events_part_end,
    tg_events_close, tg_events_ping
};
