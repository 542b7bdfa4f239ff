#include "tg_answer_int.h"

/* State within an event of a stream. */
enum {
    TG_EVENT_NEW = 0,
    TG_EVENT_JSON,
    TG_EVENT_DONE,          /* matching "[DONE]" */
    TG_EVENT_SKIP
};


/* The scanner's offsets go on by what it has taken in; behind an error they
 * begin again. */
void
tg_answer_restart(tg_answer_t *a)
{
    if (a->json->error == TG_JSON_E_NONE) {
        tg_json_reset(a->json);

    } else {
        tg_json_init(a->json, tg_api_answer_paths(a->api), a->json_flags,
                     tg_answer_read, a);
        a->fed = 0;
    }
}


/* Ends an event or a frame, whatever state its data is in. */
static void
tg_answer_event_end(tg_answer_t *a)
{
    a->info.events++;
    tg_answer_doc_end(a);

    if (a->event != TG_EVENT_NEW) {
        a->event = TG_EVENT_NEW;
        tg_answer_restart(a);
    }

    a->done_len = 0;
    a->scattered = false;
}


/* Data of an event: JSON, or "[DONE]", or nothing that is known. */
static void
tg_answer_event_data(tg_answer_t *a, const char *p, size_t n)
{
    static const tg_str_t  done = TG_STR("[DONE]");

    while (a->event == TG_EVENT_NEW) {
        if (n == 0) {
            return;
        }

        switch (*p) {
        case ' ':
        case '\t':
        case '\n':
            p++;
            n--;
            a->delta++;
            break;
        case '{':
            a->event = TG_EVENT_JSON;
            break;
        case '[':
            a->event = TG_EVENT_DONE;
            break;
        default:
            a->event = TG_EVENT_SKIP;
            break;
        }
    }

    if (a->event == TG_EVENT_JSON) {
        a->fed += n;

        if (tg_json_feed(a->json, p, n) != TG_OK) {
            a->event = TG_EVENT_SKIP;
            a->doc.whole = false;
        }
        return;
    }

    for ( ; a->event == TG_EVENT_DONE && n != 0; p++, n--) {
        if (*p != done.p[a->done_len]) {
            a->event = TG_EVENT_SKIP;

        } else if (++a->done_len == done.len) {
            a->info.complete = true;
            a->event = TG_EVENT_SKIP;
        }
    }
}


static void
tg_answer_event_tell(tg_answer_t *a, const tg_sse_t *s)
{
    tg_answer_event_t  ev;

    ev.start = s->event_start;
    ev.end = s->event_end;
    ev.usage_only = a->doc.whole && a->doc.usage && a->doc.choices
                    && !a->doc.choice;
    ev.null_start = ev.null_end = TG_JSON_NOWHERE;

    /* where it comes first, the comma behind it goes with it; that there is one
     * is sure where there are choices */

    if (a->doc.whole && !a->scattered && a->doc.null_start != TG_JSON_NOWHERE
        && (!a->doc.null_first || a->doc.choices))
    {
        ev.null_start = a->doc.null_start + a->delta;
        ev.null_end = a->doc.null_end + a->delta;
    }

    a->handler(a->data, &ev);
}


int
tg_answer_sse(void *data, const tg_sse_t *s, tg_sse_type_t type,
    const char *p, size_t n)
{
    tg_answer_t  *a = data;

    if (type == TG_SSE_DATA) {
        if (a->event == TG_EVENT_NEW) {
            a->delta = s->data_offset - a->fed;

        } else if (s->data_offset != a->fed + a->delta) {
            a->scattered = true;
        }

        tg_answer_event_data(a, p, n);
        return 0;
    }

    if (s->has_data && tg_str_eq(tg_str_of(s->name, s->name_len),
                                 tg_str("error")))
    {
        a->info.error = true;
    }

    if (a->handler != NULL) {
        tg_answer_event_tell(a, s);
    }

    if (s->has_data) {
        tg_answer_event_end(a);
    }

    return 0;
}


static void
tg_answer_frame_header(tg_answer_t *a, tg_str_t name, tg_str_t value)
{
    if (tg_str_eq(name, tg_str(":message-type"))) {
        if (!tg_str_eq(value, tg_str("event"))) {
            a->info.error = true;
        }

    } else if (tg_str_eq(name, tg_str(":exception-type"))
               || tg_str_eq(name, tg_str(":error-code")))
    {
        tg_answer_error_word(a, 6, value);
    }
}


int
tg_answer_frame(void *data, tg_eventstream_type_t type, tg_str_t name,
    tg_str_t value)
{
    tg_answer_t  *a = data;

    switch (type) {

    case TG_EVENTSTREAM_HEADER:
        tg_answer_frame_header(a, name, value);
        break;

    case TG_EVENTSTREAM_PAYLOAD:
        if (a->wrapper != NULL) {
            (void) tg_json_feed(a->wrapper, value.p, value.len);

        } else {
            tg_answer_event_data(a, value.p, value.len);
        }
        break;

    case TG_EVENTSTREAM_END:
        if (a->wrapper != NULL) {
            tg_json_reset(a->wrapper);
            memset(&a->base64, 0, sizeof(a->base64));
        }
        tg_answer_event_end(a);
        break;
    }

    return 0;
}


int
tg_answer_wrapped(void *data, const tg_json_event_t *ev)
{
    tg_answer_t  *a = data;
    tg_base64_t   before;
    char          out[256];
    tg_str_t      s = ev->value;
    size_t        n;
    ptrdiff_t     got;

    if (ev->type != TG_JSON_TEXT_PIECE) {
        return 0;
    }

    while (s.len != 0) {
        n = s.len < sizeof(out) ? s.len : sizeof(out);
        before = a->base64;
        got = tg_base64_feed(&a->base64, s.p, n, out);

        if (got < 0) {
            if (n == 1) {
                return 1;
            }

            /* what comes before the bad character holds: find it */

            a->base64 = before;
            n = 1;
            got = tg_base64_feed(&a->base64, s.p, n, out);
            if (got < 0) {
                return 1;
            }
        }

        tg_answer_event_data(a, out, (size_t) got);
        s.p += n;
        s.len -= n;
    }

    return 0;
}
