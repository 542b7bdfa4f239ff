#include "tg_json_int.h"
#include "tg_json_decode.h"
#include "tg_json_level.h"
#include "tg_json_string.h"

/* The first byte that is not white space, or end. */
static inline const char *
tg_json_skip_space(const char *p, const char *end)
{
    while (p < end && tg_json_is_space(*p)) {
        p++;
    }

    return p;
}


/* The text from p on is plain up to what is returned, which may be its end. */
static const char *
tg_json_near(const tg_json_input_t *in, const char *p)
{
    return tg_json_plain(p, in->end - p > TG_JSON_SHORT ? p + TG_JSON_SHORT
                                                        : in->end);
}


static void
tg_json_root(tg_json_t *s)
{
    s->node = s->paths != NULL ? &s->paths->root : NULL;
    s->ev.key = TG_JSON_NOWHERE;
    s->ev.index = 0;
    s->comma = TG_JSON_NOWHERE;
}


const char *
tg_json_document_end(tg_json_t *s, tg_json_input_t *in, const char *p,
    bool scalar)
{
    if (s->wrap) {
        s->state = TG_JSON_S_AFTER;

    } else if (s->flags & TG_JSON_LINES) {
        s->state = scalar ? TG_JSON_S_GAP : TG_JSON_S_START;

    } else {
        s->state = TG_JSON_S_DONE;
    }

    return tg_json_event_document(s, in, p) ? p : NULL;
}


/* An element of the innermost array is next. */
static void
tg_json_element(tg_json_t *s, bool first)
{
    tg_json_frame_t  *f;

    if (s->below != 0) {
        return;
    }

    if (s->frames == 0) {
        tg_json_root(s);
        return;
    }

    f = &s->frame[s->frames - 1];
    f->mark += !first;

    s->node = f->node->element;
    if (s->node != NULL) {
        s->ev.key = TG_JSON_NOWHERE;
        s->ev.index = (uint32_t) f->mark;
    }
}


/* A number or a literal ends at p; what of it is in this piece is from begin.
 */
static inline const char *
tg_json_scalar_end(tg_json_t *s, tg_json_input_t *in, const char *p,
    tg_json_type_t type, const char *begin)
{
    if (tg_json_wanted(s)) {
        s->ev.end = tg_json_at(in, p);

        if (!tg_json_event_scalar(s, in, type, begin, p)) {
            return NULL;
        }
    }

    return tg_json_value_end(s, in, p, true);
}


static const char *
tg_json_in_number(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    const char  *begin = p;
    bool         more;

    p = tg_json_number(s, in, p, &more);

    return p == NULL || more
           ? p : tg_json_scalar_end(s, in, p, TG_JSON_NUMBER, begin);
}


/* At a number's first byte. */
static const char *
tg_json_digits(tg_json_t *s, tg_json_input_t *in, const char *begin)
{
    bool         more;
    const char  *p = tg_json_number_begin(s, in, begin, &more);

    return p == NULL || more
           ? p : tg_json_scalar_end(s, in, p, TG_JSON_NUMBER, begin);
}


static const char *
tg_json_in_literal(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    while (p < in->end && *s->literal != '\0') {
        if (*p != *s->literal) {
            return tg_json_fail(s, in, p, TG_JSON_E_SYNTAX);
        }

        p++;
        s->literal++;
    }

    return *s->literal != '\0'
           ? p : tg_json_scalar_end(s, in, p, (tg_json_type_t) s->scalar, p);
}


static inline const char *
tg_json_literal(tg_json_t *s, tg_json_input_t *in, const char *p,
    const char *literal, size_t len, tg_json_type_t type)
{
    if ((size_t) (in->end - p) >= len && memcmp(p, literal, len) == 0) {
        return tg_json_scalar_end(s, in, p + len, type, p);
    }

    s->state = TG_JSON_S_IN_LITERAL;
    s->scalar = (uint8_t) type;
    s->literal = literal;

    return tg_json_in_literal(s, in, p);
}


/* [p, q) is all of a key's text, decoded. */
static inline void
tg_json_key_end(tg_json_t *s, const char *p, const char *q)
{
    tg_json_frame_t       *f = &s->frame[s->frames - 1];
    size_t                 len = (size_t) (q - p);
    const tg_json_node_t  *node;

    node = tg_json_path_child(f->node, p, len, tg_json_name_head(p, len));

    if (node != NULL) {
        s->duplicate = (f->mark & node->bit) != 0;
        f->mark |= node->bit;
    }

    s->node = node;
}


/* Text of the current string is needed. */
static inline bool
tg_json_kept(const tg_json_t *s)
{
    if (s->state == TG_JSON_S_IN_KEY) {
        return s->below == 0;
    }

    return tg_json_wanted(s)
           && (s->node->options & (TG_JSON_COUNT | TG_JSON_TEXT))
              != TG_JSON_COUNT;
}


/* A string that was not simple ended before p; its text has been kept. */
static const char *
tg_json_string_end(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    if (s->state == TG_JSON_S_IN_KEY) {
        s->state = TG_JSON_S_COLON;

        if (s->below == 0) {
            tg_json_decode_end(&s->decode, s->value);
            tg_json_key_end(s, s->value,
                            s->value + (s->decode.full ? 0 : s->decode.len));
        }

        return p;
    }

    if (tg_json_wanted(s)) {
        s->ev.end = tg_json_at(in, p);

        if (!tg_json_event_string(s, in, NULL, NULL)) {
            return NULL;
        }
    }

    return tg_json_value_end(s, in, p, true);
}


/* As far as the string goes in this piece. */
static const char *
tg_json_string_run(tg_json_t *s, const char *p, const char *end,
    tg_json_errcode_t *err)
{
    for ( ;; ) {
        p = tg_json_string_skip(&s->string, p, end, err);

        if (!(s->flags & TG_JSON_LAX)
            || (*err != TG_JSON_E_UTF8
                && (*err != TG_JSON_E_CONTROL || *p == '\n')))
        {
            return p;
        }

        /* where a character is cut this byte is not one of it */

        if (s->string.need != 0) {
            s->string.need = 0;

        } else {
            p++;
        }
    }
}


/* Within a string, in this piece from begin; up to p it is known as plain. */
static const char *
tg_json_in_string(tg_json_t *s, tg_json_input_t *in, const char *begin,
    const char *p)
{
    tg_json_errcode_t  err;

    p = tg_json_string_run(s, p, in->end, &err);

    if (tg_json_kept(s) && !tg_json_event_text(s, in, begin, p)) {
        return NULL;
    }

    if (err != TG_JSON_E_NONE) {
        return tg_json_fail(s, in, p, err);
    }

    return p == in->end ? p : tg_json_string_end(s, in, p + 1);
}


const char *
tg_json_long_string(tg_json_t *s, tg_json_input_t *in,
    const char *begin, const char *p, uint8_t state)
{
    s->state = state;
    tg_json_string_init(&s->string);
    tg_json_decode_init(&s->decode);

    return tg_json_in_string(s, in, begin, p);
}


/* At a string value's opening quote. */
static inline const char *
tg_json_text(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    const char  *q = tg_json_near(in, ++p);

    if (q == in->end || *q != '"') {
        return tg_json_long_string(s, in, p, q, TG_JSON_S_IN_STRING);
    }

    if (tg_json_wanted(s)) {
        s->ev.end = tg_json_at(in, q + 1);

        if (!tg_json_event_string(s, in, p, q)) {
            return NULL;
        }
    }

    return tg_json_value_end(s, in, q + 1, true);
}


/* At a value's first byte. */
static inline const char *
tg_json_value(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    if (s->node != NULL) {
        s->ev.start = tg_json_at(in, p);

        if (s->duplicate && !tg_json_event_duplicate(s, in, p)) {
            return NULL;
        }
    }

    switch (*p) {
    case '"':
        return tg_json_text(s, in, p);
    case '{': case '[':
        return s->node != NULL ? tg_json_open_wanted(s, in, p, *p == '{')
                               : tg_json_open_other(s, in, p, *p == '{');
    case 't':
        return tg_json_literal(s, in, p, "true", 4, TG_JSON_TRUE);
    case 'f':
        return tg_json_literal(s, in, p, "false", 5, TG_JSON_FALSE);
    case 'n':
        return tg_json_literal(s, in, p, "null", 4, TG_JSON_NULL);
    case '-':
    case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        return tg_json_digits(s, in, p);
    default:
        return tg_json_fail(s, in, p, TG_JSON_E_SYNTAX);
    }
}


/* Past the colon, and past one space: how most JSON is written. */
static inline const char *
tg_json_colon(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    s->state = TG_JSON_S_VALUE;
    p++;

    return p < in->end && *p == ' ' ? p + 1 : p;
}


/* At a key's opening quote, or at what is there in its place. */
static inline const char *
tg_json_key(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    const char  *q;

    if (*p != '"') {
        return *p == '}' && s->state == TG_JSON_S_FIRST_KEY
               ? tg_json_close(s, in, p)
               : tg_json_fail(s, in, p, TG_JSON_E_SYNTAX);
    }

    if (s->below == 0) {
        s->ev.key = tg_json_at(in, p);
    }

    q = tg_json_near(in, ++p);

    if (q == in->end || *q != '"') {
        return tg_json_long_string(s, in, p, q, TG_JSON_S_IN_KEY);
    }

    if (s->below == 0) {
        tg_json_key_end(s, p, q);
    }

    s->state = TG_JSON_S_COLON;

    return q + 1;
}


/* At the comma behind a value. */
static inline const char *
tg_json_comma(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    if (s->below == 0) {
        s->comma = tg_json_at(in, p);
    }

    p++;

    if (s->object) {
        s->state = TG_JSON_S_KEY;
    } else {
        s->state = TG_JSON_S_VALUE;
        tg_json_element(s, false);
    }

    return p;
}


/* At the byte behind a value within a container. */
static inline const char *
tg_json_after(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    char  c = *p;

    if (c != ',' && c != (s->object ? '}' : ']')) {
        return tg_json_fail(s, in, p, TG_JSON_E_SYNTAX);
    }

    if (s->member != NULL && !tg_json_event_member(s, in, p)) {
        return NULL;
    }

    return c == ',' ? tg_json_comma(s, in, p)
                    : tg_json_close(s, in, p);
}


/* At a document's first byte, or at that of an array of them. */
static const char *
tg_json_start(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    tg_json_root(s);

    if (*p == '[' && (s->flags & TG_JSON_ELEMENTS)) {
        s->wrap = 1;
        s->object = false;
        s->state = TG_JSON_S_FIRST_ELEMENT;
        return p + 1;
    }

    return tg_json_value(s, in, p);
}


static const char *
tg_json_first_element(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    if (*p == ']') {
        return tg_json_close(s, in, p);
    }

    s->state = TG_JSON_S_VALUE;
    tg_json_element(s, true);

    return p;
}


/* Between values, at the first byte that is not white space. */
static const char *
tg_json_step(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    switch (s->state) {
    case TG_JSON_S_START:
        return tg_json_start(s, in, p);

    case TG_JSON_S_VALUE:
        return tg_json_value(s, in, p);

    case TG_JSON_S_AFTER:
        return tg_json_after(s, in, p);

    case TG_JSON_S_KEY:
    case TG_JSON_S_FIRST_KEY:
        return tg_json_key(s, in, p);

    case TG_JSON_S_COLON:
        return *p == ':' ? tg_json_colon(s, in, p)
                         : tg_json_fail(s, in, p, TG_JSON_E_SYNTAX);

    case TG_JSON_S_FIRST_ELEMENT:
        return tg_json_first_element(s, in, p);

    default:
        return tg_json_fail(s, in, p, TG_JSON_E_TRAILING);
    }
}


/* Goes on within a string, number or literal that was cut. */
static const char *
tg_json_resume(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    switch (s->state) {
    case TG_JSON_S_IN_KEY:
    case TG_JSON_S_IN_STRING:
        return tg_json_in_string(s, in, p, p);

    case TG_JSON_S_IN_NUMBER:
        return tg_json_in_number(s, in, p);

    case TG_JSON_S_IN_LITERAL:
        return tg_json_in_literal(s, in, p);

    default:
        return p;
    }
}


/* A piece with a closing bracket near its end may be read fast. */
static inline void
tg_json_ahead(tg_json_input_t *in)
{
    size_t       n = (size_t) (in->end - in->begin);
    const char  *p = in->end, *first = n < TG_JSON_LAST ? in->begin
                                                        : p - TG_JSON_LAST;

    if (n < 16) {
        return;
    }

    while (p > first) {
        if ((*--p | 0x20) == '}') {
            in->last = p;
            in->wide = in->end - 16;
            return;
        }
    }
}


bool
tg_json_run(tg_json_t *s, tg_json_input_t *in)
{
    const char  *p;

    p = tg_json_resume(s, in, in->begin);

    /* Not for each of the pieces of a long string. */

    if (p != NULL && p < in->end) {
        tg_json_ahead(in);
    }

    while (p != NULL && p < in->end) {

        if (in->last != NULL && p <= in->last) {
            p = tg_json_fast(s, in, p);
            if (p == NULL || p == in->end) {
                break;
            }
        }

        if ((uint8_t) *p <= ' ') {
            if (s->state == TG_JSON_S_GAP && tg_json_is_space(*p)) {
                s->state = TG_JSON_S_START;
            }

            p = tg_json_skip_space(p, in->end);
            if (p == in->end) {
                break;
            }
        }

        p = tg_json_step(s, in, p);
    }

    return p != NULL;
}


bool
tg_json_run_end(tg_json_t *s, tg_json_input_t *in)
{
    const char  *p = in->begin;

    return tg_json_scalar_end(s, in, p, TG_JSON_NUMBER, p) != NULL;
}
