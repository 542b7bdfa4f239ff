#include "tg_json_level.h"
#include "tg_json_token.h"

/*
 * These take and leave the state that the steps of tg_json_run.c take and
 * leave, which do all that is not simple: there these stop, before or behind
 * it, and s->state says where that is.
 */


/* For the other steps: a value that is not simple. */
tg_json_inline const char *
tg_json_fast_value(tg_json_t *s, const tg_json_node_t *node, const char *p)
{
    s->node = node;
    s->state = TG_JSON_S_VALUE;

    return p;
}


/* Past a string, number or literal that is not wanted; node is its all the
 * same. */
tg_json_inline const char *
tg_json_fast_pass(tg_json_t *s, tg_json_input_t *in, const char *p,
    const tg_json_node_t *node)
{
    tg_json_type_t  type;
    const char     *q;

    if (*p == '"') {
        q = tg_json_token_plain(in, p + 1);

        if (!tg_json_token_quote(in, q)) {
            s->node = node;
            return tg_json_long_string(s, in, p + 1, q, TG_JSON_S_IN_STRING);
        }

        s->state = TG_JSON_S_AFTER;

        return q + 1;
    }

    q = tg_json_token_word(in, p, &type);
    if (q == NULL) {
        return tg_json_fast_value(s, node, p);
    }

    s->state = TG_JSON_S_AFTER;

    return q;
}


/* Is c the closing bracket of the innermost container? */
tg_json_inline bool
tg_json_fast_closes(const tg_json_t *s, char c)
{
    return c == (s->object ? '}' : ']');
}


/* A wanted string [p, q). */
tg_json_inline bool
tg_json_fast_string(tg_json_t *s, tg_json_input_t *in, const char *p,
    const char *q, const tg_json_node_t *node)
{
    tg_json_event_t  *ev = &s->ev;
    size_t            len = (size_t) (q - p);
    unsigned          options = node->options;
    bool              sent;

    ev->end = tg_json_at(in, q + 1);

    if ((options & TG_JSON_TEXT) || len > TG_JSON_VALUE_MAX) {
        return tg_json_event_string(s, in, p, q);
    }

    ev->type = TG_JSON_STRING;
    ev->id = node->id;
    ev->raw_len = len;
    ev->value = options & TG_JSON_COUNT ? tg_str("") : tg_str_of(p, len);

    sent = tg_json_event_send(s, in, q + 1);
    ev->raw_len = 0;

    return sent;
}


/* A wanted string, number or literal whose key and index are known. */
tg_json_inline const char *
tg_json_fast_take(tg_json_t *s, tg_json_input_t *in, const char *p,
    const tg_json_node_t *node)
{
    tg_json_type_t  type;
    const char     *q;

    s->node = node;
    s->ev.start = tg_json_at(in, p);

    if (*p == '"') {
        q = tg_json_token_plain(in, ++p);

        if (!tg_json_token_quote(in, q)) {
            return tg_json_long_string(s, in, p, q, TG_JSON_S_IN_STRING);
        }

        if (!tg_json_fast_string(s, in, p, q, node)) {
            return NULL;
        }
        q++;

    } else {
        q = tg_json_token_word(in, p, &type);
        if (q == NULL) {
            return tg_json_fast_value(s, node, p);
        }

        tg_json_event(s, type, tg_json_at(in, q))->value
            = tg_str_of(p, type == TG_JSON_NUMBER ? (size_t) (q - p) : 0);

        if (!tg_json_event_send(s, in, q)) {
            return NULL;
        }
    }

    if (node->options & TG_JSON_MEMBER) {
        s->member = node;
    }

    s->state = TG_JSON_S_AFTER;

    return q;
}


/* At a value whose key and index are known. */
tg_json_inline const char *
tg_json_fast_inner(tg_json_t *s, tg_json_input_t *in, const char *p,
    const tg_json_node_t *node)
{
    if (!tg_json_token_opens(*p)) {
        if (node == NULL || !node->wanted) {
            return tg_json_fast_pass(s, in, p, node);
        }

        return tg_json_fast_take(s, in, p, node);
    }

    s->node = node;

    if (node == NULL) {
        p = tg_json_open_other(s, in, p, *p == '{');
        return p == NULL ? NULL : tg_json_skim(s, in, p);
    }

    s->ev.start = tg_json_at(in, p);

    return tg_json_open_wanted(s, in, p, *p == '{');
}


/* The first bytes of a name that is within the piece. */
tg_json_inline uint64_t
tg_json_fast_head(const tg_json_input_t *in, const char *key, size_t len)
{
    static const uint64_t  mask[8] = {
        0, 0xff, 0xffff, 0xffffff, 0xffffffff, UINT64_C(0xffffffffff),
        UINT64_C(0xffffffffffff), UINT64_C(0xffffffffffffff)
    };

    if (len >= 8) {
        return tg_json_load(key);
    }

    return key <= in->wide ? tg_json_load(key) & mask[len]
                           : tg_json_name_head(key, len);
}


/* Within a wanted object, at a key's opening quote.  Past the colon, or to what
 * is not simple: then false. */
tg_json_inline bool
tg_json_fast_key(tg_json_t *s, tg_json_input_t *in, const char **at,
    tg_json_frame_t *f, const tg_json_node_t **found)
{
    const char            *key = *at + 1, *q = tg_json_token_plain(in, key);
    size_t                 len = (size_t) (q - key);
    const tg_json_node_t  *node;

    if (!tg_json_token_quote(in, q)) {
        s->ev.key = tg_json_at(in, *at);
        *at = tg_json_long_string(s, in, key, q, TG_JSON_S_IN_KEY);
        return false;
    }

    node = tg_json_path_child(f->node, key, len,
                              tg_json_fast_head(in, key, len));
    *found = node;

    if (node != NULL) {
        s->ev.key = tg_json_at(in, *at);
        s->duplicate = (f->mark & node->bit) != 0;
        f->mark |= node->bit;
    }

    if (q[1] == ':' && !s->duplicate) {
        *at = tg_json_token_colon(q + 1);
        return true;
    }

    s->node = node;
    s->state = TG_JSON_S_COLON;
    *at = q + 1;

    return false;
}


/* Behind a value: past what ends it and containers with it, up to the next one,
 * where s->state is TG_JSON_S_KEY or _VALUE. */
tg_json_inline const char *
tg_json_fast_after(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    for ( ;; ) {

        if (tg_json_token_blank(*p)) {
            p = tg_json_token_space(in, p);
        }

        if (*p != ',' && !tg_json_fast_closes(s, *p)) {
            return p;
        }

        if (s->member != NULL && !tg_json_event_member(s, in, p)) {
            return NULL;
        }

        if (*p == ',') {
            s->comma = tg_json_at(in, p);
            s->state = TG_JSON_S_KEY;
            p++;

            if (!s->object) {
                s->frame[s->frames - 1].mark++;
                s->state = TG_JSON_S_VALUE;
            }

            return tg_json_token_blank(*p) ? tg_json_token_space(in, p) : p;
        }

        p = tg_json_close_wanted(s, in, p);

        if (s->state != TG_JSON_S_AFTER || s->frames == 0 || p > in->last) {
            return p;
        }
    }
}


/* At the first byte in a container that is not blank. */
tg_json_inline void
tg_json_fast_first(tg_json_t *s, char c)
{
    if (tg_json_fast_closes(s, c)) {
        s->state = TG_JSON_S_AFTER;

    } else {
        s->state = s->object ? TG_JSON_S_KEY : TG_JSON_S_VALUE;
    }
}


/* Past a comma that another key follows. */
tg_json_inline bool
tg_json_fast_next(tg_json_t *s, const tg_json_input_t *in, const char **p)
{
    if (s->state != TG_JSON_S_AFTER || *p > in->last || **p != ','
        || (*p)[1] != '"' || s->member != NULL)
    {
        return false;
    }

    s->comma = tg_json_at(in, *p);
    (*p)++;

    return true;
}


/* Within a wanted object, at a key or what is in its place. */
tg_json_inline const char *
tg_json_fast_members(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    tg_json_frame_t       *f = &s->frame[s->frames - 1];
    const tg_json_node_t  *node = NULL;

    if (*p != '"') {
        return p;
    }

    do {
        if (!tg_json_fast_key(s, in, &p, f, &node)) {
            return p;
        }

        p = tg_json_fast_inner(s, in, p, node);

    } while (tg_json_fast_next(s, in, &p));

    return p;
}


/* Within a wanted array, at an element. */
tg_json_inline const char *
tg_json_fast_element(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    tg_json_frame_t       *f = &s->frame[s->frames - 1];
    const tg_json_node_t  *node = f->node->element;

    if (node != NULL) {
        s->ev.key = TG_JSON_NOWHERE;
        s->ev.index = (uint32_t) f->mark;
    }

    return tg_json_fast_inner(s, in, p, node);
}


/* Within wanted containers; s->state is TG_JSON_S_AFTER, _KEY or _VALUE. */
static const char *
tg_json_fast_walk(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    for ( ;; ) {

        if (s->state == TG_JSON_S_AFTER) {
            p = tg_json_fast_after(s, in, p);

            if (s->state != TG_JSON_S_KEY && s->state != TG_JSON_S_VALUE) {
                return p;
            }
        }

        p = s->object ? tg_json_fast_members(s, in, p)
                      : tg_json_fast_element(s, in, p);

        if (p == NULL || p > in->last) {
            return p;
        }

        if (s->state == TG_JSON_S_FIRST_KEY
            || s->state == TG_JSON_S_FIRST_ELEMENT)
        {
            if (tg_json_token_blank(*p)) {
                p = tg_json_token_space(in, p);
            }
            tg_json_fast_first(s, *p);

        } else if (s->state != TG_JSON_S_AFTER) {
            return p;
        }
    }
}


const char *
tg_json_fast(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    if (s->below != 0) {
        p = tg_json_skim(s, in, p);

        if (p == NULL || p > in->last || s->state != TG_JSON_S_AFTER) {
            return p;
        }
    }

    if (s->frames == 0 || s->below != 0) {
        return p;
    }

    if (tg_json_token_blank(*p)) {
        p = tg_json_token_space(in, p);
    }

    switch (s->state) {

    case TG_JSON_S_FIRST_KEY:
    case TG_JSON_S_FIRST_ELEMENT:
        tg_json_fast_first(s, *p);
        break;

    case TG_JSON_S_VALUE:
        if (s->object) {
            return p;
        }
        break;

    case TG_JSON_S_AFTER:
    case TG_JSON_S_KEY:
        break;

    default:
        return p;
    }

    return tg_json_fast_walk(s, in, p);
}
