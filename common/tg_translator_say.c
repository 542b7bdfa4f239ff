#include "tg_translator_int.h"

#define TG_MADE_ID_CHARS  24        /* of the call's id, in that of a tool's
                                       call: OpenAI takes 40 in all */


/* The model's name for the client: as answered, else as asked. */
static void
tg_translator_named(tg_translator_t *t)
{
    if (t->model.len != 0) {
        return;
    }

    tg_grow_cut(&t->work, 0);
    tg_grow_json_inside(&t->work, t->ask.model);
    t->model = tg_dup(t->mem, tg_grow_text(&t->work));

    if (t->model.p == NULL) {
        t->model = tg_str("");
    }
}


void
tg_translator_model(tg_translator_t *t, const tg_node_t *model)
{
    tg_str_t  name = tg_node_inside_of(model);

    if (t->model.len != 0 || name.len == 0
        || name.len > TG_TRANSLATOR_MODEL_MAX)
    {
        return;
    }

    name = tg_dup(t->mem, name);

    if (name.p != NULL) {
        t->model = name;
    }
}


tg_choice_t *
tg_translator_choice(tg_translator_t *t, uint64_t index)
{
    unsigned      max = t->ask.to == TG_FORM_ANTHROPIC
                        ? 1 : TG_TRANSLATOR_CHOICES_MAX;
    tg_choice_t  *c;

    if (t->over) {
        return NULL;
    }

    if (index >= max) {
        tg_translator_fail(t, "the upstream's answer has a choice %llu: more "
                           "than %u can't be translated",
                           (unsigned long long) index, max);
        return NULL;
    }

    c = t->choices[index];

    if (c != NULL) {
        return c;
    }

    c = tg_zalloc(t->mem, sizeof(tg_choice_t));
    if (c == NULL) {
        t->exhausted = true;
        t->over = true;
        return NULL;
    }

    c->index = (unsigned) index;
    tg_grow_init(&c->text, t->mem, 0, TG_TRANSLATOR_WHOLE_MAX);
    tg_grow_init(&c->reasoning, t->mem, 0, TG_TRANSLATOR_WHOLE_MAX);
    tg_grow_init(&c->refusal, t->mem, 0, TG_TRANSLATOR_WHOLE_MAX);
    tg_grow_init(&c->list, t->mem, 0, TG_TRANSLATOR_WHOLE_MAX);
    tg_grow_init(&c->notes, t->mem, 0, TG_TRANSLATOR_EVENT_MAX);
    tg_grow_init(&c->annotations, t->mem, 0, TG_TRANSLATOR_WHOLE_MAX);
    t->choices[index] = c;

    tg_translator_named(t);
    t->begun = true;
    t->target->begin(t, c);

    return c;
}


void
tg_translator_stop(tg_choice_t *c, tg_stop_t stop)
{
    c->stop = stop;
}


void
tg_translator_part_end(tg_translator_t *t, tg_choice_t *c)
{
    if (t->over || c->part == TG_PART_NONE) {
        return;
    }

    t->target->part_end(t, c);
    c->part = TG_PART_NONE;
}


/* Text or reasoning goes on, or begins. */
static void
tg_translator_part(tg_translator_t *t, tg_choice_t *c, tg_part_kind_t part)
{
    if (c->part == part) {
        return;
    }

    tg_translator_part_end(t, c);
    c->part = part;
    c->part_chars = c->chars;

    if (t->target->part != NULL) {
        t->target->part(t, c);
    }
}


void
tg_translator_say(tg_translator_t *t, tg_choice_t *c, tg_say_t what,
    const tg_node_t *n)
{
    tg_str_t  text = tg_node_inside_of(n);

    if (t->over || text.len == 0) {
        return;
    }

    tg_translator_part(t, c, what == TG_SAY_REASONING ? TG_PART_THINKING
                                                      : TG_PART_TEXT);

    if (what == TG_SAY_TEXT) {
        c->chars += tg_chars(text);
    }

    c->refused |= what == TG_SAY_REFUSAL;
    t->target->say(t, c, what, text);
}


/* Of the end of the call's own id, which no other call has. */
static tg_str_t
tg_translator_made_id(tg_translator_t *t)
{
    tg_str_t  own = t->ask.id;
    size_t    i = own.len, n = 0;

    while (i > 0 && n < TG_MADE_ID_CHARS) {
        i--;
        n += own.p[i] != '-';
    }

    tg_grow_cut(&t->work, 0);
    tg_grow_str(&t->work, t->ask.to == TG_FORM_ANTHROPIC ? tg_str("toolu_")
                                                         : tg_str("call_"));

    for ( /* void */ ; i < own.len; i++) {
        if (own.p[i] != '-') {
            tg_grow_json_inside(&t->work, tg_str_of(own.p + i, 1));
        }
    }

    tg_grow_lit(&t->work, "_");
    tg_grow_int(&t->work, t->made_ids++);

    return tg_grow_text(&t->work);
}


void
tg_translator_tool(tg_translator_t *t, tg_choice_t *c, tg_str_t id,
    tg_str_t name, tg_str_t signature)
{
    if (t->over) {
        return;
    }

    tg_translator_part_end(t, c);

    if (id.len == 0) {
        id = tg_translator_made_id(t);
    }

    t->target->tool(t, c, id, name, signature);
    c->part = TG_PART_TOOL;
    c->arguments = false;
    c->tools++;
}


void
tg_translator_arguments(tg_translator_t *t, tg_choice_t *c, tg_str_t piece)
{
    if (t->over || piece.len == 0) {
        return;
    }

    c->arguments = true;
    t->target->arguments(t, c, piece);
}


void
tg_translator_object(tg_translator_t *t, tg_choice_t *c,
    const tg_node_t *object)
{
    if (t->over || object == NULL || object->child == NULL) {
        return;
    }

    tg_grow_cut(&t->work, 0);
    tg_grow_quoted(&t->work, tg_node_raw(object));
    tg_translator_arguments(t, c, tg_grow_text(&t->work));
}


void
tg_translator_cite(tg_translator_t *t, tg_choice_t *c, tg_str_t url,
    tg_str_t title, tg_str_t quote)
{
    if (t->over || url.len == 0) {
        return;
    }

    tg_translator_part(t, c, TG_PART_TEXT);
    t->target->cite(t, c, url, title, quote);
}


void
tg_translator_ping(tg_translator_t *t)
{
    if (t->over || !t->stream) {
        return;
    }

    if (t->begun && t->target->ping != NULL) {
        t->target->ping(t);

    } else {
        tg_grow_lit(&t->out, ": ping\n\n");
    }
}


static bool
tg_choice_failed(const tg_choice_t *c)
{
    return c->text.failed || c->reasoning.failed || c->refusal.failed
           || c->list.failed || c->notes.failed || c->annotations.failed;
}


void
tg_translator_close(tg_translator_t *t)
{
    bool          failed = t->work.failed || t->head.failed;
    tg_usage_t    u;
    tg_choice_t  *c;

    for (size_t i = 0; i < TG_TRANSLATOR_CHOICES_MAX && !t->over; i++) {
        c = t->choices[i];

        if (c == NULL) {
            continue;
        }

        tg_translator_part_end(t, c);

        if (c->stop == TG_STOP_NONE) {
            c->stop = TG_STOP_END;
        }

        if (c->stop == TG_STOP_END) {
            c->stop = c->refused ? TG_STOP_FILTER
                      : c->tools != 0 ? TG_STOP_TOOLS : TG_STOP_END;
        }

        failed |= tg_choice_failed(c);
    }

    if (failed) {
        tg_translator_fail(t, "the upstream's answer is larger than can be "
                              "translated");
    }

    if (!t->over) {
        tg_translator_used(t, &u);
        t->target->close(t, &u);
        t->over = true;
    }
}
