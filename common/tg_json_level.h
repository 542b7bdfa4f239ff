/*
 * tg_json_level.h - into and out of containers.
 */

#ifndef TG_JSON_LEVEL_H
#define TG_JSON_LEVEL_H

#include "tg_json_int.h"


/* A value has ended at p; s->node is its, or NULL. */
static inline const char *
tg_json_value_end(tg_json_t *s, tg_json_input_t *in, const char *p,
    bool scalar)
{
    if (s->frames + s->below == 0) {
        s->ev.end = tg_json_at(in, p);
        return tg_json_document_end(s, in, p, scalar);
    }

    if (s->node != NULL && (s->node->options & TG_JSON_MEMBER)) {
        s->member = s->node;
    }

    s->state = TG_JSON_S_AFTER;

    return p;
}


/* The same for any wanted container. */
static inline bool
tg_json_event_begin(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    if (s->node->options & TG_JSON_RAW) {
        return tg_json_event_raw_begin(s, in, p);
    }

    (void) tg_json_event(s, s->object ? TG_JSON_OBJECT : TG_JSON_ARRAY,
                         TG_JSON_NOWHERE);

    return tg_json_event_send(s, in, p);
}


static inline bool
tg_json_event_end(tg_json_t *s, const tg_json_input_t *in, const char *p)
{
    if (s->raw_frame != 0) {
        return tg_json_event_raw_end(s, in, p);
    }

    (void) tg_json_event(s, s->object ? TG_JSON_OBJECT_END : TG_JSON_ARRAY_END,
                         tg_json_at(in, p));

    return tg_json_event_send(s, in, p);
}


/* At the opening bracket of a container whose node is s->node. */
static inline const char *
tg_json_open_wanted(tg_json_t *s, const tg_json_input_t *in, const char *p,
    bool object)
{
    const tg_json_node_t  *node = s->node;
    tg_json_frame_t       *f = &s->frame[s->frames++];

    f->node = node;
    f->mark = 0;
    f->start = s->ev.start;
    f->key = s->ev.key;
    f->comma = s->comma;

    s->comma = TG_JSON_NOWHERE;
    s->kinds = (uint16_t) (s->kinds << 1 | object);
    s->state = object ? TG_JSON_S_FIRST_KEY : TG_JSON_S_FIRST_ELEMENT;
    s->object = object;
    p++;

    return !node->wanted || tg_json_event_begin(s, in, p) ? p : NULL;
}


/* At the opening bracket of any other. */
static inline const char *
tg_json_open_other(tg_json_t *s, const tg_json_input_t *in, const char *p,
    bool object)
{
    uint64_t  *bits = &s->objects[s->below / 64];
    uint64_t   bit = UINT64_C(1) << s->below % 64;

    if (s->below + s->frames + s->wrap == TG_JSON_DEPTH_MAX) {
        return tg_json_fail(s, in, p, TG_JSON_E_DEPTH);
    }

    *bits = object ? *bits | bit : *bits & ~bit;
    s->state = object ? TG_JSON_S_FIRST_KEY : TG_JSON_S_FIRST_ELEMENT;
    s->object = object;
    s->below++;

    return p + 1;
}


/* The index that goes with the frames that are left. */
static inline uint32_t
tg_json_index(const tg_json_t *s)
{
    /* what is below an array's frame came there by its "[]" */
    unsigned  above = (unsigned) __builtin_ctz(~(unsigned) s->kinds);

    return above < s->frames ? (uint32_t) s->frame[s->frames - 1 - above].mark
                             : 0;
}


static inline const char *
tg_json_close_wanted(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    const tg_json_frame_t  *f = &s->frame[--s->frames];
    const tg_json_node_t   *node = f->node;

    s->node = node;
    s->kinds >>= 1;
    p++;

    if (!s->object) {
        s->ev.index = tg_json_index(s);
    }

    if (node->wanted) {
        s->ev.start = f->start;
        s->ev.key = f->key;
        s->comma = f->comma;

        if (!tg_json_event_end(s, in, p)) {
            return NULL;
        }
    }

    s->object = s->kinds & 1;

    return tg_json_value_end(s, in, p, false);
}


/* Leaves an unwanted container, for one that is not wanted either. */
static inline void
tg_json_up(tg_json_t *s)
{
    unsigned  outer = --s->below - 1u;

    s->object = (s->objects[outer / 64] >> outer % 64) & 1;
}


static inline const char *
tg_json_close_other(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    p++;

    if (s->below == 0) {
        s->wrap = 0;
        s->state = s->flags & TG_JSON_LINES ? TG_JSON_S_START
                                            : TG_JSON_S_DONE;
        return p;
    }

    s->node = NULL;

    if (s->below > 1) {
        tg_json_up(s);
    } else {
        s->below = 0;
        s->object = s->kinds & 1;
    }

    return tg_json_value_end(s, in, p, false);
}


/* At the closing bracket of the innermost container, which is an object or an
 * array as the bracket says. */
static inline const char *
tg_json_close(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    return s->below == 0 && s->frames != 0 ? tg_json_close_wanted(s, in, p)
                                           : tg_json_close_other(s, in, p);
}

#endif /* TG_JSON_LEVEL_H */
