#include "tg_translator_int.h"

#define TG_ERROR_BODY_MAX  (1024 * 1024)    /* of an error, that is read */


static int
tg_frame_sse(void *data, const tg_sse_t *s, tg_sse_type_t type,
    const char *p, size_t n);


static bool
tg_frame_type_is(tg_str_t type, tg_str_t name)
{
    return type.len >= name.len
           && tg_str_caseeq(tg_str_of(type.p, name.len), name)
           && (type.len == name.len || type.p[name.len] == ';'
               || type.p[name.len] == ' ');
}


static void
tg_frame_set(tg_translator_t *t, tg_frame_t frame)
{
    t->frame = frame;
    t->sniffed = true;

    if (frame == TG_FRAME_SSE) {
        tg_sse_init(&t->u.sse, tg_frame_sse, t);
    }
}


int
tg_translator_frame_init(tg_translator_t *t)
{
    bool    good = t->ask.status >= 200 && t->ask.status < 300;
    bool    events = tg_frame_type_is(t->ask.content_type,
                                      tg_str("text/event-stream"));
    size_t  max;

    if (good && events) {
        tg_frame_set(t, TG_FRAME_SSE);

    } else if (!good) {
        tg_frame_set(t, TG_FRAME_WHOLE);
    }

    max = !good ? TG_ERROR_BODY_MAX
                : t->stream || events ? TG_TRANSLATOR_EVENT_MAX
                                      : TG_TRANSLATOR_WHOLE_MAX;
    tg_grow_init(&t->in, t->mem, 0, max);

    return TG_OK;
}


/* Keeps bytes of a document that is not complete yet. */
static void
tg_frame_keep(tg_translator_t *t, const char *p, size_t n)
{
    if (n > t->in.max - t->in.len) {
        t->overflow = true;
        return;
    }

    tg_grow(&t->in, p, n);

    if (t->in.failed) {
        t->exhausted = true;
        t->over = true;
    }
}


static void
tg_frame_keep_piece(tg_translator_t *t)
{
    if (t->piece.len != 0) {
        tg_frame_keep(t, t->piece.p, t->piece.len);
        t->piece = tg_str_null;
    }
}


/* An event or element is there, in t->piece or t->in. */
static int
tg_frame_event(tg_translator_t *t)
{
    tg_str_t  text = t->piece;

    if (t->in.len != 0) {
        tg_frame_keep_piece(t);
        text = tg_grow_text(&t->in);
    }

    if (t->overflow || text.len > t->in.max) {
        tg_translator_fail(t, "the upstream sent an event of more than %zu "
                           "bytes", t->in.max);

    } else if (t->frame == TG_FRAME_SSE
               && tg_str_eq(tg_str_trim(text), tg_str("[DONE]")))
    {
        if (t->ask.from == TG_FORM_OPENAI_CHAT) {
            tg_translator_done(t);
        }

    } else if (text.len != 0 && !t->over) {
        tg_translator_document(t, text);
    }

    tg_grow_cut(&t->in, 0);
    t->piece = tg_str_null;

    return tg_translator_flush(t) != TG_OK || t->over;
}


static int
tg_frame_sse(void *data, const tg_sse_t *s, tg_sse_type_t type,
    const char *p, size_t n)
{
    tg_translator_t  *t = data;

    if (type == TG_SSE_DATA) {

        /* an event that is in one piece is read where it is */

        if (t->in.len == 0 && t->piece.len == 0 && n > 1) {
            t->piece = tg_str_of(p, n);

        } else {
            tg_frame_keep_piece(t);
            tg_frame_keep(t, p, n);
        }

        return t->overflow ? tg_frame_event(t) : t->over;
    }

    if (!s->has_data) {
        tg_translator_ping(t);
        return tg_translator_flush(t) != TG_OK;
    }

    t->named_error = tg_str_eq(tg_str_of(s->name, s->name_len),
                               tg_str("error"));

    return tg_frame_event(t);
}


static int
tg_frame_element(void *data, const tg_json_event_t *ev)
{
    tg_translator_t  *t = data;
    uint64_t          from;

    if (ev->type == TG_JSON_OBJECT) {
        t->u.elements.from = ev->start;
        t->u.elements.open = true;
        return 0;
    }

    if (ev->type != TG_JSON_OBJECT_END) {
        return 0;
    }

    from = t->u.elements.from < t->u.elements.fed
           ? t->u.elements.fed : t->u.elements.from;
    t->piece = tg_str_of(t->u.elements.p + (from - t->u.elements.fed),
                         (size_t) (ev->end - from));
    t->u.elements.open = false;

    return tg_frame_event(t);
}


static int
tg_frame_elements(tg_translator_t *t)
{
    static const tg_json_want_t  wants[] = { { "", 1, 0 } };

    tg_json_paths_t  *paths = tg_json_paths(t->mem, wants, 1, NULL);
    tg_json_t        *json = tg_alloc(t->mem, sizeof(tg_json_t));

    if (paths == NULL || json == NULL) {
        t->exhausted = true;
        return TG_ERROR;
    }

    tg_frame_set(t, TG_FRAME_ELEMENTS);
    memset(&t->u.elements, 0, sizeof(t->u.elements));
    tg_json_init(json, paths, TG_JSON_ELEMENTS, tg_frame_element, t);
    t->u.elements.json = json;

    return TG_OK;
}


static int
tg_frame_feed_elements(tg_translator_t *t, const char *p, size_t n)
{
    uint64_t  from;
    int       rc;

    t->u.elements.p = p;
    rc = tg_json_feed(t->u.elements.json, p, n);

    if (t->over || t->exhausted) {
        return t->exhausted ? TG_ERROR : TG_OK;
    }

    if (rc != TG_OK) {
        tg_translator_fail(t, "the upstream's answer can't be read: JSON: %s",
                           tg_json_strerror(t->u.elements.json->error));
        return tg_translator_flush(t);
    }

    if (t->u.elements.open) {
        from = t->u.elements.from < t->u.elements.fed
               ? t->u.elements.fed : t->u.elements.from;
        tg_frame_keep(t, p + (from - t->u.elements.fed),
                      n - (size_t) (from - t->u.elements.fed));
    }

    t->u.elements.fed += n;

    if (t->overflow) {
        (void) tg_frame_event(t);
    }

    return t->exhausted ? TG_ERROR : TG_OK;
}


/* Told by the first byte that is not blank, where the type doesn't. */
static int
tg_frame_sniff(tg_translator_t *t, char c)
{
    if (c == '[' && t->ask.from == TG_FORM_GEMINI) {
        return tg_frame_elements(t);
    }

    if (c == '{' || c == '[') {
        tg_frame_set(t, TG_FRAME_WHOLE);
        t->in.max = TG_TRANSLATOR_WHOLE_MAX;
        return TG_OK;
    }

    tg_frame_set(t, t->stream ? TG_FRAME_SSE : TG_FRAME_WHOLE);

    return TG_OK;
}


int
tg_translator_frame_feed(tg_translator_t *t, const char *p, size_t n)
{
    while (!t->sniffed && n != 0) {
        if (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') {
            p++;
            n--;

        } else if (tg_frame_sniff(t, *p) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (n == 0) {
        return TG_OK;
    }

    switch (t->frame) {

    case TG_FRAME_SSE:
        (void) tg_sse_feed(&t->u.sse, p, n);

        if (!t->over) {
            tg_frame_keep_piece(t);
        }

        if (t->overflow && !t->over) {
            (void) tg_frame_event(t);
        }
        break;

    case TG_FRAME_ELEMENTS:
        return tg_frame_feed_elements(t, p, n);

    case TG_FRAME_WHOLE:
        if (!t->overflow) {
            tg_frame_keep(t, p, n);
        }
        break;
    }

    return t->exhausted ? TG_ERROR : TG_OK;
}


int
tg_translator_frame_end(tg_translator_t *t)
{
    if (!t->sniffed) {
        tg_frame_set(t, TG_FRAME_WHOLE);
    }

    if (t->frame == TG_FRAME_SSE) {
        (void) tg_sse_finish(&t->u.sse);
        return t->exhausted ? TG_ERROR : TG_OK;
    }

    if (t->frame != TG_FRAME_WHOLE) {
        return TG_OK;
    }

    if (t->ask.status < 200 || t->ask.status >= 300) {
        tg_translator_error_body(t, t->overflow ? tg_str("")
                                                : tg_grow_text(&t->in));

    } else if (t->overflow) {
        tg_translator_fail(t, "the upstream's answer has more than %zu bytes",
                           t->in.max);

    } else {
        tg_translator_document(t, tg_grow_text(&t->in));
    }

    return t->exhausted ? TG_ERROR : TG_OK;
}
