#include "tg_translator_int.h"

/*
 * A stream of OpenAI's chat completions.
 * https://platform.openai.com/docs/api-reference/chat-streaming
 */

/* From `data: ` up to the list of choices: alike in all chunks of an answer. */
static void
tg_chunk_head(tg_translator_t *t)
{
    if (t->head.len != 0) {
        return;
    }

    tg_grow_lit(&t->head, "data: {\"id\":\"chatcmpl-");
    tg_grow_json_inside(&t->head, t->ask.id);
    tg_grow_lit(&t->head, "\",\"object\":\"chat.completion.chunk\","
                          "\"created\":");
    tg_grow_int(&t->head, t->ask.created_s);
    tg_grow_lit(&t->head, ",");
    tg_grow_member(&t->head, "model", t->model);
    tg_grow_lit(&t->head, ",\"choices\":[");
}


static void
tg_chunk_begin(tg_translator_t *t, const tg_choice_t *c)
{
    tg_chunk_head(t);
    tg_grow_str(&t->out, tg_grow_text(&t->head));
    tg_grow_lit(&t->out, "{\"index\":");
    tg_grow_int(&t->out, c->index);
    tg_grow_lit(&t->out, ",\"delta\":{");
}


static void
tg_chunk_end(tg_translator_t *t, tg_str_t reason)
{
    tg_grow_lit(&t->out, "},\"logprobs\":null,\"finish_reason\":");

    if (reason.len == 0) {
        tg_grow_lit(&t->out, "null}]");

    } else {
        tg_grow_lit(&t->out, "\"");
        tg_grow_str(&t->out, reason);
        tg_grow_lit(&t->out, "\"}]");
    }

    if (t->ask.include_usage) {
        tg_grow_lit(&t->out, ",\"usage\":null");
    }

    tg_grow_lit(&t->out, "}\n\n");
}


static void
tg_chunks_begin(tg_translator_t *t, tg_choice_t *c)
{
    tg_chunk_begin(t, c);
    tg_grow_lit(&t->out, "\"role\":\"assistant\",\"content\":\"\"");
    tg_chunk_end(t, tg_str(""));
}


static void
tg_chunks_say(tg_translator_t *t, tg_choice_t *c, tg_say_t what,
    tg_str_t text)
{
    static const char *const  names[] = {
        [TG_SAY_TEXT] = "content",
        [TG_SAY_REASONING] = "reasoning_content",
        [TG_SAY_REFUSAL] = "refusal"
    };

    tg_chunk_begin(t, c);
    tg_grow_member(&t->out, names[what], text);
    tg_chunk_end(t, tg_str(""));
}


static void
tg_chunks_tool(tg_translator_t *t, tg_choice_t *c, tg_str_t id,
    tg_str_t name, tg_str_t signature)
{
    tg_chunk_begin(t, c);
    tg_grow_lit(&t->out, "\"tool_calls\":[{\"index\":");
    tg_grow_int(&t->out, c->tools);
    tg_grow_lit(&t->out, ",");
    tg_grow_call(&t->out, id, name, signature);
    tg_grow_lit(&t->out, "\"}}]");
    tg_chunk_end(t, tg_str(""));
}


static void
tg_chunks_arguments(tg_translator_t *t, tg_choice_t *c, tg_str_t piece)
{
    tg_chunk_begin(t, c);
    tg_grow_lit(&t->out, "\"tool_calls\":[{\"index\":");
    tg_grow_int(&t->out, c->tools - 1);
    tg_grow_lit(&t->out, ",\"function\":{");
    tg_grow_member(&t->out, "arguments", piece);
    tg_grow_lit(&t->out, "}}]");
    tg_chunk_end(t, tg_str(""));
}


/* Where the part ends is not known yet: a note is kept without it. */
static void
tg_chunks_cite(tg_translator_t *t, tg_choice_t *c, tg_str_t url,
    tg_str_t title, tg_str_t quote)
{
    (void) t;
    (void) quote;

    tg_grow_note(&c->notes, url, title);
}


static void
tg_chunks_part_end(tg_translator_t *t, tg_choice_t *c)
{
    if (c->part == TG_PART_TOOL && !c->arguments) {
        tg_chunks_arguments(t, c, tg_str("{}"));
    }

    if (c->part == TG_PART_TEXT && c->notes.len != 0) {
        tg_chunk_begin(t, c);
        tg_grow_lit(&t->out, "\"annotations\":[");
        tg_grow_notes(&t->out, c);
        tg_grow_lit(&t->out, "]");
        tg_chunk_end(t, tg_str(""));
        tg_grow_cut(&c->notes, 0);
    }
}


static void
tg_chunks_close(tg_translator_t *t, const tg_usage_t *u)
{
    tg_choice_t  *c;
    tg_str_t      tier = tg_translator_tier(t);

    for (size_t i = 0; i < TG_TRANSLATOR_CHOICES_MAX; i++) {
        c = t->choices[i];

        if (c != NULL) {
            tg_chunk_begin(t, c);
            tg_chunk_end(t, tg_stop_word_openai(c->stop));
        }
    }

    if (t->ask.include_usage && u->source != TG_USAGE_NONE) {
        tg_chunk_head(t);
        tg_grow_str(&t->out, tg_grow_text(&t->head));
        tg_grow_lit(&t->out, "],");

        if (tier.len != 0) {
            tg_grow_member(&t->out, "service_tier", tier);
            tg_grow_lit(&t->out, ",");
        }

        tg_grow_usage_openai(&t->out, u);
        tg_grow_lit(&t->out, "}\n\n");
    }

    tg_grow_lit(&t->out, "data: [DONE]\n\n");
}


const tg_target_t  tg_target_openai_stream = {
    tg_chunks_begin, NULL, tg_chunks_say, tg_chunks_tool,
    tg_chunks_arguments, tg_chunks_cite, tg_chunks_part_end,
    tg_chunks_close, NULL
};
