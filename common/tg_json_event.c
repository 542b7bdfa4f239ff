#include "tg_json_int.h"
#include "tg_json_decode.h"

#define TG_JSON_DIRECT  128     /* a run of text that is not worth a copy */


const char *
tg_json_fail(tg_json_t *s, const tg_json_input_t *in, const char *p,
    tg_json_errcode_t code)
{
    s->error = code;
    s->error_offset = tg_json_at(s, in, p);

    return NULL;
}


static inline tg_json_event_t
tg_json_event(const tg_json_t *s, tg_json_type_t type, uint64_t end)
{
    return (tg_json_event_t) {
        .type = type,
        .id = s->node->id,
        .index = s->index,
        .value = tg_str(""),
        .key = s->key,
        .start = s->start,
        .end = end,
        .comma = TG_JSON_NOWHERE,
        .next = TG_JSON_NOWHERE
    };
}


static inline bool
tg_json_event_send(tg_json_t *s, const tg_json_input_t *in, const char *p,
    const tg_json_event_t *ev)
{
    if (s->handler != NULL && s->handler(s->data, ev) != 0) {
        (void) tg_json_fail(s, in, p, TG_JSON_E_STOPPED);
        return false;
    }

    return true;
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
    tg_json_event_t  ev;

    s->duplicate = false;
    ev = tg_json_event(s, TG_JSON_DUPLICATE, TG_JSON_NOWHERE);

    return tg_json_event_send(s, in, p, &ev);
}


/* A piece of a text that has been read up to q. */
static bool
tg_json_event_piece(tg_json_t *s, const tg_json_input_t *in, const char *q,
    const char *p, size_t len)
{
    tg_json_event_t  ev;

    if (len == 0) {
        return true;
    }

    ev = tg_json_event(s, TG_JSON_TEXT_PIECE, TG_JSON_NOWHERE);
    ev.value = tg_str_of(p, len);

    return tg_json_event_send(s, in, q, &ev);
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
    unsigned         options = s->node->options;
    const char      *at = in->begin + (s->end - s->offset);
    tg_json_event_t  ev = tg_json_event(s, TG_JSON_STRING, s->end);

    ev.raw_len = s->end - s->start - 2;

    if (p == NULL) {
        tg_json_decode_end(&s->decode, s->value);
    }

    if (options & TG_JSON_TEXT) {
        if (p != NULL
            ? !tg_json_event_piece(s, in, at, p, (size_t) (q - p))
            : !tg_json_event_flush(s, in, at))
        {
            return false;
        }

    } else if ((options & TG_JSON_COUNT) == 0) {
        if (p != NULL) {
            tg_json_event_value(&ev, p, (size_t) (q - p));
        } else {
            tg_json_event_value(&ev, s->value, s->decode.len);
            ev.truncated |= s->decode.full;
        }
    }

    return tg_json_event_send(s, in, at, &ev);
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
    tg_json_event_t  ev = tg_json_event(s, type, s->end);

    if (type == TG_JSON_NUMBER) {
        if (s->end - s->start == (uint64_t) (q - p)) {
            tg_json_event_value(&ev, p, (size_t) (q - p));
        } else {
            tg_json_event_digits(s, p, q);
            ev.value = tg_str_of(s->value, s->decode.len);
            ev.truncated = s->decode.full;
        }
    }

    return tg_json_event_send(s, in, q, &ev);
}


/* How far a is before b, for a frame. */
static uint32_t
tg_json_event_back(uint64_t a, uint64_t b)
{
    return a == TG_JSON_NOWHERE || b - a > UINT32_MAX ? 0 : (uint32_t) (b - a);
}


bool
tg_json_event_open(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    tg_json_frame_t  *f = &s->frame[s->frames++];
    tg_json_event_t   ev;

    f->node = s->node;
    f->start = s->start;
    f->mark = 0;
    f->key = tg_json_event_back(s->key, s->start);
    f->comma = tg_json_event_back(s->comma, s->start);

    s->comma = TG_JSON_NOWHERE;

    if (!s->node->wanted) {
        return true;
    }

    if ((s->node->options & TG_JSON_RAW) && s->raw_frame == 0) {
        s->raw_frame = s->frames;
        s->raw_len = 0;
        s->raw_start = s->start;
    }

    ev = tg_json_event(s, s->object ? TG_JSON_OBJECT : TG_JSON_ARRAY,
                       TG_JSON_NOWHERE);

    return tg_json_event_send(s, in, p, &ev);
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

    tg_json_event_value(ev, raw, (size_t) (s->end - s->raw_start));
    s->raw_frame = 0;
}


/* The index that goes with the frames that are left. */
static uint32_t
tg_json_event_index(const tg_json_t *s)
{
    unsigned  i = s->frames, depth;

    /* what is below an array's frame came there by its "[]" */
    while (i-- > 0) {
        depth = i + s->wrap;

        if (((s->objects[depth / 64] >> depth % 64) & 1) == 0) {
            return (uint32_t) s->frame[i].mark;
        }
    }

    return 0;
}


bool
tg_json_event_close(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    unsigned                number = s->frames;
    const tg_json_frame_t  *f = &s->frame[--s->frames];
    tg_json_event_t         ev;

    s->node = f->node;
    s->start = f->start;
    s->key = f->key != 0 ? f->start - f->key : TG_JSON_NOWHERE;
    s->comma = f->comma != 0 ? f->start - f->comma : TG_JSON_NOWHERE;

    if (!s->object) {
        s->index = tg_json_event_index(s);
    }

    if (!s->node->wanted) {
        return true;
    }

    ev = tg_json_event(s, s->object ? TG_JSON_OBJECT_END : TG_JSON_ARRAY_END,
                       s->end);

    if (s->raw_frame == number) {
        tg_json_event_raw(s, in, p, &ev);
    }

    return tg_json_event_send(s, in, p, &ev);
}


bool
tg_json_event_member(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    tg_json_event_t  ev;

    s->node = s->member;
    s->member = NULL;

    ev = tg_json_event(s, TG_JSON_MEMBER_RANGE, s->end);
    ev.comma = s->comma;
    ev.next = tg_json_at(s, in, p);

    return tg_json_event_send(s, in, p, &ev);
}


bool
tg_json_event_document(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    tg_json_event_t  ev = {
        .type = TG_JSON_END_DOC,
        .value = tg_str(""),
        .key = TG_JSON_NOWHERE,
        .start = TG_JSON_NOWHERE,
        .end = s->end,
        .comma = TG_JSON_NOWHERE,
        .next = TG_JSON_NOWHERE
    };

    return tg_json_event_send(s, in, p, &ev);
}
