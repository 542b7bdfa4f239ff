#include "tg_json_int.h"
#include "tg_json_decode.h"

#define TG_JSON_DIRECT  128     /* a run of text that is not worth a copy */


const char *
tg_json_fail(tg_json_t *s, const tg_json_input_t *in, const char *p,
    tg_json_errcode_t code)
{
    s->state = TG_JSON_S_FAILED;
    s->error = code;
    s->error_offset = tg_json_at(in, p);

    return NULL;
}


/* Values longer than the maximum are cut between characters. */
static void
tg_json_event_value(tg_json_event_t *ev, const char *p, size_t len)
{
    if (len > TG_JSON_VALUE_MAX) {
        ev->truncated = true;
        len = tg_json_decode_whole(p, TG_JSON_VALUE_MAX);
    }

    ev->value = tg_str_of(p, len);
}


bool
tg_json_event_duplicate(tg_json_t *s, const tg_json_input_t *in,
    const char *p)
{
    s->duplicate = false;
    (void) tg_json_event(s, TG_JSON_DUPLICATE, TG_JSON_NOWHERE);

    return tg_json_event_send(s, in, p);
}


/* A piece of a text that has been read up to q. */
static bool
tg_json_event_piece(tg_json_t *s, const tg_json_input_t *in, const char *q,
    const char *p, size_t len)
{
    if (len == 0) {
        return true;
    }

    tg_json_event(s, TG_JSON_TEXT_PIECE, TG_JSON_NOWHERE)->value
        = tg_str_of(p, len);

    return tg_json_event_send(s, in, q);
}


/* Hands over what has been decoded, but for a cut character. */
static bool
tg_json_event_flush(tg_json_t *s, const tg_json_input_t *in, const char *q)
{
    size_t  len = tg_json_decode_whole(s->value, s->decode.len);

    if (!tg_json_event_piece(s, in, q, s->value, len)) {
        return false;
    }

    s->decode.len = (uint16_t) (s->decode.len - len);
    memmove(s->value, s->value + len, s->decode.len);

    return true;
}


/* How much of [p, q) can be handed over as it is. */
static size_t
tg_json_event_direct(const tg_json_t *s, const char *p, const char *q)
{
    const char  *stop;
    size_t       len;

    if (s->decode.escape != 0 || s->decode.high != 0 || s->decode.len != 0
        || q - p < TG_JSON_DIRECT)
    {
        return 0;
    }

    stop = memchr(p, '\\', (size_t) (q - p));
    len = (size_t) ((stop == NULL ? q : stop) - p);

    return len < TG_JSON_DIRECT ? 0 : tg_json_decode_whole(p, len);
}


static bool
tg_json_event_pieces(tg_json_t *s, const tg_json_input_t *in, const char *p,
    const char *q)
{
    const char  *upto;
    size_t       len;

    while (p < q) {
        len = tg_json_event_direct(s, p, q);

        if (len != 0) {
            if (!tg_json_event_piece(s, in, q, p, len)) {
                return false;
            }
            p += len;
            continue;
        }

        upto = q - p > TG_JSON_DIRECT ? p + TG_JSON_DIRECT : q;
        p = tg_json_decode(&s->decode, p, upto, s->value, sizeof(s->value));

        if (!tg_json_event_flush(s, in, q)) {
            return false;
        }
    }

    return true;
}


bool
tg_json_event_text(tg_json_t *s, const tg_json_input_t *in, const char *p,
    const char *q)
{
    if (s->node != NULL && (s->node->options & TG_JSON_TEXT)
        && s->state != TG_JSON_S_IN_KEY)
    {
        return tg_json_event_pieces(s, in, p, q);
    }

    if (!s->decode.full
        && tg_json_decode(&s->decode, p, q, s->value, sizeof(s->value)) < q)
    {
        s->decode.full = true;
    }

    return true;
}


bool
tg_json_event_string(tg_json_t *s, const tg_json_input_t *in, const char *p,
    const char *q)
{
    unsigned          options = s->node->options;
    uint64_t          end = s->ev.end;
    const char       *at = in->begin + (end - s->offset);
    tg_json_event_t  *ev;
    bool              sent;

    if (p == NULL) {
        tg_json_decode_end(&s->decode, s->value);
    }

    if ((options & TG_JSON_TEXT)
        && (p != NULL
            ? !tg_json_event_piece(s, in, at, p, (size_t) (q - p))
            : !tg_json_event_flush(s, in, at)))
    {
        return false;
    }

    ev = tg_json_event(s, TG_JSON_STRING, end);
    ev->raw_len = end - ev->start - 2;

    if ((options & (TG_JSON_TEXT | TG_JSON_COUNT)) == 0) {
        if (p != NULL) {
            tg_json_event_value(ev, p, (size_t) (q - p));
        } else {
            tg_json_event_value(ev, s->value, s->decode.len);
            ev->truncated |= s->decode.full;
        }
    }

    sent = tg_json_event_send(s, in, at);
    ev->raw_len = 0;
    ev->truncated = false;

    return sent;
}


void
tg_json_event_digits(tg_json_t *s, const char *p, const char *q)
{
    size_t  len = (size_t) (q - p);
    size_t  room = TG_JSON_VALUE_MAX - s->decode.len;

    if (len > room) {
        len = room;
        s->decode.full = true;
    }

    memcpy(s->value + s->decode.len, p, len);
    s->decode.len = (uint16_t) (s->decode.len + len);
}


bool
tg_json_event_scalar(tg_json_t *s, const tg_json_input_t *in,
    tg_json_type_t type, const char *p, const char *q)
{
    tg_json_event_t  *ev = tg_json_event(s, type, s->ev.end);
    bool              sent;

    if (type == TG_JSON_NUMBER) {
        if (ev->end - ev->start == (uint64_t) (q - p)) {
            tg_json_event_value(ev, p, (size_t) (q - p));
        } else {
            tg_json_event_digits(s, p, q);
            ev->value = tg_str_of(s->value, s->decode.len);
            ev->truncated = s->decode.full;
        }
    }

    sent = tg_json_event_send(s, in, q);
    ev->truncated = false;

    return sent;
}


bool
tg_json_event_raw_begin(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    if (s->raw_frame == 0) {
        s->raw_frame = s->frames;
        s->raw_len = 0;
        s->raw_start = s->ev.start;
    }

    (void) tg_json_event(s, s->object ? TG_JSON_OBJECT : TG_JSON_ARRAY,
                         TG_JSON_NOWHERE);

    return tg_json_event_send(s, in, p);
}


/* Of a raw value that is part of this piece up to p. */
static void
tg_json_event_raw_part(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    const char  *begin = in->begin;
    size_t       len, room = sizeof(s->raw) - s->raw_len;

    if (s->raw_start > s->offset) {
        begin += s->raw_start - s->offset;
    }

    len = (size_t) (p - begin);
    if (len > room) {
        len = room;
    }

    memcpy(s->raw + s->raw_len, begin, len);
    s->raw_len = (uint16_t) (s->raw_len + len);
}


void
tg_json_event_keep_raw(tg_json_t *s, const tg_json_input_t *in)
{
    tg_json_event_raw_part(s, in, in->end);
}


static void
tg_json_event_raw(tg_json_t *s, const tg_json_input_t *in, const char *p,
    tg_json_event_t *ev)
{
    const char  *raw;

    if (s->raw_start >= s->offset) {
        raw = in->begin + (s->raw_start - s->offset);
    } else {
        tg_json_event_raw_part(s, in, p);
        raw = s->raw;
    }

    tg_json_event_value(ev, raw, (size_t) (ev->end - s->raw_start));
    s->raw_frame = 0;
}


bool
tg_json_event_raw_end(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    tg_json_event_t  *ev;
    bool              sent;

    ev = tg_json_event(s, s->object ? TG_JSON_OBJECT_END : TG_JSON_ARRAY_END,
                       tg_json_at(in, p));

    if (s->raw_frame == s->frames + 1u) {
        tg_json_event_raw(s, in, p, ev);
    }

    sent = tg_json_event_send(s, in, p);
    ev->truncated = false;

    return sent;
}


bool
tg_json_event_member(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    tg_json_event_t  *ev;
    bool              sent;

    s->node = s->member;
    s->member = NULL;

    ev = tg_json_event(s, TG_JSON_MEMBER_RANGE, s->ev.end);
    ev->comma = s->comma;
    ev->next = tg_json_at(in, p);

    sent = tg_json_event_send(s, in, p);
    ev->comma = TG_JSON_NOWHERE;
    ev->next = TG_JSON_NOWHERE;

    return sent;
}


bool
tg_json_event_document(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    tg_json_event_t  *ev = &s->ev;

    ev->type = TG_JSON_END_DOC;
    ev->id = 0;
    ev->index = 0;
    ev->value = tg_str("");
    ev->key = TG_JSON_NOWHERE;
    ev->start = TG_JSON_NOWHERE;

    return tg_json_event_send(s, in, p);
}
