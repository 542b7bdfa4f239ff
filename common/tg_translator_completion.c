#include "tg_translator_int.h"

/*
 * OpenAI's chat completion, whole.
 * https://platform.openai.com/docs/api-reference/chat/object
 */

tg_str_t
tg_stop_word_openai(tg_stop_t stop)
{
    static const tg_str_t  words[] = {
        [TG_STOP_NONE] = TG_STR("stop"),
        [TG_STOP_END] = TG_STR("stop"),
        [TG_STOP_LENGTH] = TG_STR("length"),
        [TG_STOP_TOOLS] = TG_STR("tool_calls"),
        [TG_STOP_FILTER] = TG_STR("content_filter")
    };

    return words[stop];
}


void
tg_grow_note(tg_grow_t *g, tg_str_t url, tg_str_t title)
{
    /* each ends in a NUL, where the place in the text goes */

    tg_grow_lit(g, "{\"type\":\"url_citation\",\"url_citation\":{");
    tg_grow_member(g, "url", url);
    tg_grow_lit(g, ",");
    tg_grow_member(g, "title", title);
    tg_grow(g, "", 1);
}


void
tg_grow_notes(tg_grow_t *g, const tg_choice_t *c)
{
    tg_str_t  notes = tg_grow_text(&c->notes), note;
    bool      first = true;

    while (tg_str_cut(&notes, '\0', &note)) {
        if (!first) {
            tg_grow_lit(g, ",");
        }

        first = false;
        tg_grow_str(g, note);
        tg_grow_lit(g, ",\"start_index\":");
        tg_grow_int(g, (int64_t) c->part_chars);
        tg_grow_lit(g, ",\"end_index\":");
        tg_grow_int(g, (int64_t) c->chars);
        tg_grow_lit(g, "}}");
    }
}


static void
tg_completion_begin(tg_translator_t *t, tg_choice_t *c)
{
    (void) t;
    (void) c;
}


static void
tg_completion_say(tg_translator_t *t, tg_choice_t *c, tg_say_t what,
    tg_str_t text)
{
    (void) t;

    tg_grow_str(what == TG_SAY_TEXT ? &c->text
                : what == TG_SAY_REASONING ? &c->reasoning : &c->refusal,
                text);
}


static void
tg_completion_tool(tg_translator_t *t, tg_choice_t *c, tg_str_t id,
    tg_str_t name, tg_str_t signature)
{
    (void) t;

    tg_grow_str(&c->list, c->tools == 0 ? tg_str("{") : tg_str(",{"));
    tg_grow_call(&c->list, id, name, signature);
}


static void
tg_completion_arguments(tg_translator_t *t, tg_choice_t *c, tg_str_t piece)
{
    (void) t;

    tg_grow_str(&c->list, piece);
}


static void
tg_completion_cite(tg_translator_t *t, tg_choice_t *c, tg_str_t url,
    tg_str_t title, tg_str_t quote)
{
    (void) t;
    (void) quote;

    tg_grow_note(&c->notes, url, title);
}


static void
tg_completion_part_end(tg_translator_t *t, tg_choice_t *c)
{
    (void) t;

    if (c->part == TG_PART_TOOL) {
        tg_grow_str(&c->list, c->arguments ? tg_str("\"}}")
                                           : tg_str("{}\"}}"));
    }

    if (c->part == TG_PART_TEXT && c->notes.len != 0) {
        if (c->annotations.len != 0) {
            tg_grow_lit(&c->annotations, ",");
        }

        tg_grow_notes(&c->annotations, c);
        tg_grow_cut(&c->notes, 0);
    }
}


static void
tg_completion_choice(tg_grow_t *g, const tg_choice_t *c)
{
    tg_grow_lit(g, "{\"index\":");
    tg_grow_int(g, c->index);
    tg_grow_lit(g, ",\"message\":{\"role\":\"assistant\",");

    if (c->text.len == 0 && (c->tools != 0 || c->refusal.len != 0)) {
        tg_grow_lit(g, "\"content\":null");
    } else {
        tg_grow_member(g, "content", tg_grow_text(&c->text));
    }

    if (c->reasoning.len != 0) {
        tg_grow_lit(g, ",");
        tg_grow_member(g, "reasoning_content", tg_grow_text(&c->reasoning));
    }

    if (c->refusal.len != 0) {
        tg_grow_lit(g, ",");
        tg_grow_member(g, "refusal", tg_grow_text(&c->refusal));
    } else {
        tg_grow_lit(g, ",\"refusal\":null");
    }

    if (c->tools != 0) {
        tg_grow_lit(g, ",\"tool_calls\":[");
        tg_grow_str(g, tg_grow_text(&c->list));
        tg_grow_lit(g, "]");
    }

    if (c->annotations.len != 0) {
        tg_grow_lit(g, ",\"annotations\":[");
        tg_grow_str(g, tg_grow_text(&c->annotations));
        tg_grow_lit(g, "]");
    }

    tg_grow_lit(g, "},\"logprobs\":null,");
    tg_grow_member(g, "finish_reason", tg_stop_word_openai(c->stop));
    tg_grow_lit(g, "}");
}


static void
tg_completion_close(tg_translator_t *t, const tg_usage_t *u)
{
    tg_grow_t  *g = &t->out;
    tg_str_t    tier = tg_translator_tier(t);
    bool        first = true;

    tg_grow_lit(g, "{\"id\":\"chatcmpl-");
    tg_grow_json_inside(g, t->ask.id);
    tg_grow_lit(g, "\",\"object\":\"chat.completion\",\"created\":");
    tg_grow_int(g, t->ask.created_s);
    tg_grow_lit(g, ",");
    tg_grow_member(g, "model", t->model);
    tg_grow_lit(g, ",\"choices\":[");

    for (size_t i = 0; i < TG_TRANSLATOR_CHOICES_MAX; i++) {
        if (t->choices[i] != NULL) {
            tg_grow_str(g, first ? tg_str("") : tg_str(","));
            tg_completion_choice(g, t->choices[i]);
            first = false;
        }
    }

    tg_grow_lit(g, "]");

    if (u->source != TG_USAGE_NONE) {
        tg_grow_lit(g, ",");
        tg_grow_usage_openai(g, u);
    }

    if (tier.len != 0) {
        tg_grow_lit(g, ",");
        tg_grow_member(g, "service_tier", tier);
    }

    tg_grow_lit(g, "}");
}


const tg_target_t  tg_target_openai_whole = {
    tg_completion_begin, NULL, tg_completion_say, tg_completion_tool,
    tg_completion_arguments, tg_completion_cite, tg_completion_part_end,
    tg_completion_close, NULL
};
