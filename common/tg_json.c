#include "tg_json_int.h"


/* For who has none. */
static int
tg_json_ignore(void *data, const tg_json_event_t *ev)
{
    (void) data;
    (void) ev;

    return 0;
}


int
tg_json_feed(tg_json_t *s, const char *p, size_t n)
{
    tg_json_input_t  in;

    if (s->error == TG_JSON_E_NONE && n != 0) {
        in.begin = p;
        in.end = p + n;
        in.base = s->offset - (uint64_t) (uintptr_t) p;
        in.last = NULL;
        in.wide = NULL;

        if (tg_json_run(s, &in) && s->raw_frame != 0) {
            tg_json_event_keep_raw(s, &in);
        }
    }

    s->offset += n;

    return s->error == TG_JSON_E_NONE ? TG_OK : TG_ERROR;
}


int
tg_json_finish(tg_json_t *s)
{
    static const char  nothing[1] = "";
    tg_json_input_t    in = { nothing, nothing, 0, NULL, NULL };
    tg_json_errcode_t  code = TG_JSON_E_TRUNCATED;

    in.base = s->offset - (uint64_t) (uintptr_t) nothing;

    if (s->error != TG_JSON_E_NONE) {
        return TG_ERROR;
    }

    switch (s->state) {
    case TG_JSON_S_DONE:
    case TG_JSON_S_GAP:
        return TG_OK;

    case TG_JSON_S_START:
        if (s->flags & TG_JSON_LINES) {
            return TG_OK;
        }

        code = TG_JSON_E_EMPTY;
        break;

    case TG_JSON_S_IN_NUMBER:
        if (s->frames + s->below + s->wrap == 0
            && tg_json_number_complete(s)) {
            return tg_json_run_end(s, &in) ? TG_OK : TG_ERROR;
        }
        break;

    default:
        break;
    }

    (void) tg_json_fail(s, &in, nothing, code);

    return TG_ERROR;
}


bool
tg_json_within(const tg_json_t *s, uint16_t *id, uint64_t *start)
{
    if (s->state != TG_JSON_S_IN_STRING || !tg_json_wanted(s)) {
        return false;
    }

    *id = s->node->id;
    *start = s->ev.start;

    return true;
}


void
tg_json_reset(tg_json_t *s)
{
    s->error = TG_JSON_E_NONE;
    s->error_offset = 0;
    s->member = NULL;
    s->below = 0;
    s->frames = 0;
    s->kinds = 0;
    s->raw_frame = 0;
    s->wrap = 0;
    s->object = false;
    s->duplicate = false;
    s->state = TG_JSON_S_START;
}


void
tg_json_init(tg_json_t *s, const tg_json_paths_t *paths, unsigned flags,
    tg_json_handler_t handler, void *data)
{
    /* the bits, frames and buffers are written before they are read */
    memset(s, 0, offsetof(tg_json_t, objects));

    s->paths = paths;
    s->flags = (uint8_t) flags;
    s->handler = handler != NULL ? handler : tg_json_ignore;
    s->data = data;
    s->ev.comma = TG_JSON_NOWHERE;
    s->ev.next = TG_JSON_NOWHERE;
}


const char *
tg_json_strerror(tg_json_errcode_t code)
{
    switch (code) {
    case TG_JSON_E_NONE:
        return "no error";
    case TG_JSON_E_SYNTAX:
        return "unexpected byte";
    case TG_JSON_E_UTF8:
        return "invalid UTF-8";
    case TG_JSON_E_CONTROL:
        return "control character in a string";
    case TG_JSON_E_ESCAPE:
        return "invalid escape";
    case TG_JSON_E_NUMBER:
        return "malformed number";
    case TG_JSON_E_DEPTH:
        return "nested too deep";
    case TG_JSON_E_LONG_NUMBER:
        return "number too long";
    case TG_JSON_E_TRAILING:
        return "something behind the end";
    case TG_JSON_E_TRUNCATED:
        return "ends too early";
    case TG_JSON_E_EMPTY:
        return "empty";
    case TG_JSON_E_STOPPED:
        return "stopped by the handler";
    }

    return "unknown error";
}
