#include "tg_translator_int.h"

/* Nodes of a document and decoded strings. */
#define TG_TRANSLATOR_SCRATCH_MAX  (3 * (size_t) TG_TRANSLATOR_WHOLE_MAX)

/* What is written of one document: escaping doubles it at most, and each of its
 * parts has an event around it. */
#define TG_TRANSLATOR_OUT_MAX      (3 * (size_t) TG_TRANSLATOR_WHOLE_MAX)


static const tg_source_t  tg_sources[] = {
    [TG_FORM_OPENAI_CHAT] = tg_source_openai,
    [TG_FORM_ANTHROPIC] = tg_source_anthropic,
    [TG_FORM_GEMINI] = tg_source_gemini
};


static const tg_target_t *
tg_translator_target(tg_form_t to, bool stream)
{
    if (to == TG_FORM_ANTHROPIC) {
        return stream ? &tg_target_anthropic_stream
                      : &tg_target_anthropic_whole;
    }

    return stream ? &tg_target_openai_stream : &tg_target_openai_whole;
}


tg_translator_t *
tg_translator_create(tg_mem_t *mem, const tg_translator_ask_t *ask)
{
    bool              good = ask->status >= 200 && ask->status < 300;
    tg_translator_t  *t;

    if (!tg_translates(ask->to, ask->from)) {
        return NULL;
    }

    t = tg_zalloc(mem, sizeof(tg_translator_t));
    if (t == NULL) {
        return NULL;
    }

    t->mem = mem;
    t->ask = *ask;
    t->stream = ask->stream && good;
    t->source = tg_sources[ask->from];
    t->target = tg_translator_target(ask->to, t->stream);
    t->status = tg_translator_client_status(t, ask->status);

    tg_grow_init(&t->out, mem, 1024, TG_TRANSLATOR_OUT_MAX);
    tg_grow_init(&t->work, mem, 0, TG_TRANSLATOR_OUT_MAX);
    tg_grow_init(&t->head, mem, 0, TG_TRANSLATOR_EVENT_MAX);
    tg_scratch_init(&t->scratch, mem, TG_TRANSLATOR_SCRATCH_MAX);

    if (tg_translator_frame_init(t) != TG_OK
        || (good && tg_translator_meter_init(t) != TG_OK))
    {
        return NULL;
    }

    t->ask.upstream = NULL;

    return t;
}


unsigned
tg_translator_status(const tg_translator_t *t)
{
    return t->status;
}


tg_str_t
tg_translator_content_type(const tg_translator_t *t)
{
    return t->stream ? tg_str("text/event-stream")
                     : tg_str("application/json");
}


bool
tg_translator_whole(const tg_translator_t *t)
{
    return !t->stream;
}


const char *
tg_translator_error(const tg_translator_t *t)
{
    return t->err.code == 0 ? NULL : t->err.message;
}


int
tg_translator_flush(tg_translator_t *t)
{
    if (t->out.failed) {
        tg_grow_init(&t->out, t->mem, 1024, TG_TRANSLATOR_OUT_MAX);
        t->err.code = 0;
        tg_translator_fail(t, "the upstream's answer is larger than can be "
                              "translated");
    }

    if (t->out.failed) {
        t->exhausted = true;
    }

    if (!t->exhausted && t->out.len != 0
        && t->sink(t->sink_data, t->out.p, t->out.len) != 0)
    {
        t->exhausted = true;
    }

    tg_grow_cut(&t->out, 0);

    return t->exhausted ? TG_ERROR : TG_OK;
}


void
tg_translator_document(tg_translator_t *t, tg_str_t text)
{
    const tg_node_t  *root;
    tg_error_t        err;

    root = tg_tree_parse(&t->scratch.mem, text, &err);

    if (root == NULL) {
        tg_translator_fail(t, "the upstream's answer can't be read: %s",
                           err.message);

    } else if (root->type != TG_JSON_OBJECT) {
        tg_translator_fail(t, "the upstream's answer is not a JSON object");

    } else if (!tg_translator_upstream_error(t, root, t->named_error)) {
        tg_translator_meter(t, root);
        t->source(t, root);
    }

    tg_scratch_reset(&t->scratch);
}


/* Has every choice that was begun its reason to stop? */
static bool
tg_translator_complete(const tg_translator_t *t)
{
    for (size_t i = 0; i < TG_TRANSLATOR_CHOICES_MAX; i++) {
        if (t->choices[i] != NULL && t->choices[i]->stop == TG_STOP_NONE) {
            return false;
        }
    }

    return t->begun;
}


void
tg_translator_done(tg_translator_t *t)
{
    if (t->over) {
        return;
    }

    if (t->begun) {
        tg_translator_close(t);

    } else {
        tg_translator_fail(t, "the upstream's answer has nothing in it");
    }
}


int
tg_translator_feed(tg_translator_t *t, const char *p, size_t n,
    tg_out_t out, void *data)
{
    if (t->exhausted) {
        return TG_ERROR;
    }

    if (t->over || n == 0) {
        return TG_OK;
    }

    t->sink = out;
    t->sink_data = data;

    return tg_translator_frame_feed(t, p, n);
}


int
tg_translator_end(tg_translator_t *t, tg_out_t out, void *data)
{
    if (t->exhausted) {
        return TG_ERROR;
    }

    t->sink = out;
    t->sink_data = data;

    if (!t->over && tg_translator_frame_end(t) != TG_OK) {
        return TG_ERROR;
    }

    if (!t->over) {
        if (t->frame == TG_FRAME_WHOLE || tg_translator_complete(t)) {
            tg_translator_done(t);

        } else {
            tg_translator_fail(t, "the upstream's answer ended before it was "
                                  "complete");
        }
    }

    return tg_translator_flush(t);
}
