#include "tg_json_int.h"
#include "tg_json_level.h"
#include "tg_json_string.h"

/*
 * JSON as it mostly is: whole in the piece, strings not too long and without
 * escapes, white space none, or one space behind a colon and indented lines.
 * These take and leave the state that the steps of tg_json_run.c take and leave,
 * which do all else: where something is not simple these stop before or behind
 * it, and s->state says where that is.
 *
 * Up to in->last nobody looks for the piece's end: what is looked at byte by
 * byte ends at a bracket at the latest, and what is not a bracket is followed by
 * another byte.
 */

#define TG_JSON_PLAIN   512     /* a string that is not worth AVX2 */

#define tg_json_inline  static inline __attribute__((always_inline))
#define tg_json_apart   static __attribute__((noinline))


tg_json_inline bool
tg_json_blank(char c)
{
    return (uint8_t) c <= ' ';
}


/* What is behind white space, of which there may be none. */
tg_json_apart const char *
tg_json_fast_space(const tg_json_input_t *in, const char *p)
{
#if !defined(__SSE2__)
    (void) in;
#else
    __m128i   v;
    uint32_t  m;

    if (*p == '\n' && p < in->wide) {
        v = _mm_loadu_si128((const __m128i *) (const void *) (p + 1));
        m = (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(v,
                                                        _mm_set1_epi8(' ')));
        p += 1 + __builtin_ctz(~m);
    }
#endif

    while (tg_json_is_space(*p)) {
        p++;
    }

    return p;
}


tg_json_apart const char *
tg_json_fast_further(const tg_json_input_t *in, const char *p)
{
    const char  *end = in->end - p > TG_JSON_PLAIN ? p + TG_JSON_PLAIN
                                                   : in->end;
#if defined(__SSE2__)
    uint32_t     m;

    for ( /* void */ ; end - p >= 16; p += 16) {
        m = tg_json_special16(p);
        if (m != 0) {
            return p + (unsigned) __builtin_ctz(m);
        }
    }

    if (p == end) {
        return p;
    }

    m = tg_json_special16(end - 16) >> (16 - (end - p));

    return m != 0 ? p + __builtin_ctz(m) : end;
#else
    return tg_json_plain(p, end);
#endif
}


/* The text from p on is plain up to what is returned, which may be its end. */
tg_json_inline const char *
tg_json_fast_plain(const tg_json_input_t *in, const char *p)
{
#if defined(__SSE2__)
    uint32_t  m;

    if (p <= in->wide) {
        m = tg_json_special16(p);
        if (m != 0) {
            return p + (unsigned) __builtin_ctz(m);
        }
        p += 16;
    }
#endif

    return tg_json_fast_further(in, p);
}


/* Is q, from the above, the text's end, and not behind in->last? */
tg_json_inline bool
tg_json_fast_quote(const tg_json_input_t *in, const char *q)
{
    return q < in->last && *q == '"';
}


tg_json_inline bool
tg_json_is_digit(char c)
{
    return (uint8_t) (c - '0') < 10;
}


/* How many digits are next, up to 8; 8 bytes can be read. */
tg_json_inline unsigned
tg_json_fast_digits(const char *p)
{
    const uint64_t  ones = UINT64_C(0x0101010101010101);
    uint64_t        w = tg_json_load(p) ^ (ones * '0');

    /* bit 7 of the first byte that is more than 9, and none below */
    w = ((w + ones * (0x7f - 9)) | w) & (ones * 0x80);

    return w != 0 ? (unsigned) __builtin_ctzll(w) / 8 : 8;
}


/* Past digits of which there may be more. */
static const char *
tg_json_fast_more(const tg_json_input_t *in, const char *p)
{
    unsigned  n;

    while (p <= in->wide) {
        n = tg_json_fast_digits(p);
        p += n;
        if (n < 8) {
            return p;
        }
    }

    while (tg_json_is_digit(*p)) {
        p++;
    }

    return p;
}


/* Behind the number at p, or NULL. */
tg_json_apart const char *
tg_json_fast_long(const tg_json_input_t *in, const char *p)
{
    const char  *digits = *p == '-' ? p + 1 : p;

    p = tg_json_fast_more(in, digits);

    if (p == digits || (*digits == '0' && p - digits > 1)) {
        return NULL;
    }

    if (*p == '.') {
        p++;

        if (!tg_json_is_digit(*p)) {
            return NULL;
        }
        p = tg_json_fast_more(in, p);
    }

    return (*p | 0x20) == 'e' || p - digits > TG_JSON_SHORT ? NULL : p;
}


/* The same; most are small and whole. */
tg_json_inline const char *
tg_json_fast_number(const tg_json_input_t *in, const char *p)
{
    unsigned  n;

    if (p <= in->wide) {
        n = tg_json_fast_digits(p);

        if ((p[n] == ',' || p[n] == '}') && n != 0 && (*p != '0' || n == 1)) {
            return p + n;
        }
    }

    return tg_json_fast_long(in, p);
}


/* Behind the number or literal at p, or NULL. */
tg_json_inline const char *
tg_json_fast_word(const tg_json_input_t *in, const char *p,
    tg_json_type_t *type)
{
    if ((uint8_t) *p <= '9') {
        *type = TG_JSON_NUMBER;
        return tg_json_fast_number(in, p);
    }

    if (in->end - p < 5) {
        return NULL;
    }

    switch (*p) {
    case 'n':
        *type = TG_JSON_NULL;
        return memcmp(p, "null", 4) == 0 ? p + 4 : NULL;
    case 't':
        *type = TG_JSON_TRUE;
        return memcmp(p, "true", 4) == 0 ? p + 4 : NULL;
    case 'f':
        *type = TG_JSON_FALSE;
        return memcmp(p + 1, "alse", 4) == 0 ? p + 5 : NULL;
    default:
        return NULL;
    }
}


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
        q = tg_json_fast_plain(in, p + 1);

        if (!tg_json_fast_quote(in, q)) {
            s->node = node;
            return tg_json_long_string(s, in, p + 1, q, TG_JSON_S_IN_STRING);
        }

        s->state = TG_JSON_S_AFTER;

        return q + 1;
    }

    q = tg_json_fast_word(in, p, &type);
    if (q == NULL) {
        return tg_json_fast_value(s, node, p);
    }

    s->state = TG_JSON_S_AFTER;

    return q;
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
        q = tg_json_fast_plain(in, ++p);

        if (!tg_json_fast_quote(in, q)) {
            return tg_json_long_string(s, in, p, q, TG_JSON_S_IN_STRING);
        }

        if (!tg_json_fast_string(s, in, p, q, node)) {
            return NULL;
        }
        q++;

    } else {
        q = tg_json_fast_word(in, p, &type);
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


/* Is c the closing bracket of the innermost container? */
tg_json_inline bool
tg_json_fast_closes(const tg_json_t *s, char c)
{
    return c == (s->object ? '}' : ']');
}


/* At a key, behind which s->state will be another. */
tg_json_inline const char *
tg_json_skim_key(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    const char  *q;

    if (*p != '"') {
        return p;
    }

    q = tg_json_fast_plain(in, p + 1);

    if (!tg_json_fast_quote(in, q)) {
        return tg_json_long_string(s, in, p + 1, q, TG_JSON_S_IN_KEY);
    }

    q++;

    if (*q != ':') {
        s->state = TG_JSON_S_COLON;
        return q;
    }

    q++;
    s->state = TG_JSON_S_VALUE;

    return *q == ' ' ? q + 1 : q;
}


/* At a value. */
tg_json_inline const char *
tg_json_skim_value(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    return (*p | 0x20) == '{' ? tg_json_open_other(s, in, p, *p == '{')
                              : tg_json_fast_pass(s, in, p, NULL);
}


/* Within a container that is not wanted, up to behind the outermost such. */
tg_json_apart const char *
tg_json_fast_skim(tg_json_t *s, tg_json_input_t *in, const char *p)
{
    const char  *before;

    do {
        before = p;

        if (tg_json_blank(*p)) {
            p = tg_json_fast_space(in, p);
        }

        switch (s->state) {

        case TG_JSON_S_AFTER:
            if (*p == ',') {
                s->state = s->object ? TG_JSON_S_KEY : TG_JSON_S_VALUE;
                p++;
                break;
            }

            if (!tg_json_fast_closes(s, *p)) {
                return p;
            }

            if (s->below == 1) {
                return tg_json_close_other(s, in, p);
            }

            tg_json_up(s);
            p++;
            break;

        case TG_JSON_S_FIRST_KEY:
        case TG_JSON_S_FIRST_ELEMENT:
            if (tg_json_fast_closes(s, *p)) {
                s->state = TG_JSON_S_AFTER;
                break;
            }

            if (!s->object) {
                p = tg_json_skim_value(s, in, p);
                break;
            }

            /* fall through */

        case TG_JSON_S_KEY:
            p = tg_json_skim_key(s, in, p);

            if (s->state != TG_JSON_S_VALUE) {
                return p;
            }

            /* fall through */

        case TG_JSON_S_VALUE:
            p = tg_json_skim_value(s, in, p);
            break;

        default:
            return p;
        }

    } while (p != NULL && p <= in->last && (p != before || s->state == TG_JSON_S_AFTER));

    return p;
}


/* At a value whose key and index are known. */
tg_json_inline const char *
tg_json_fast_inner(tg_json_t *s, tg_json_input_t *in, const char *p,
    const tg_json_node_t *node)
{
    if ((*p | 0x20) != '{') {
        if (node == NULL || !node->wanted) {
            return tg_json_fast_pass(s, in, p, node);
        }

        return tg_json_fast_take(s, in, p, node);
    }

    s->node = node;

    if (node == NULL) {
        p = tg_json_open_other(s, in, p, *p == '{');
        return p == NULL ? NULL : tg_json_fast_skim(s, in, p);
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
    const char            *key = *at + 1, *q = tg_json_fast_plain(in, key);
    size_t                 len = (size_t) (q - key);
    const tg_json_node_t  *node;

    if (!tg_json_fast_quote(in, q)) {
        s->ev.key = tg_json_at(in, *at);
        *at = tg_json_long_string(s, in, key, q, TG_JSON_S_IN_KEY);
        return false;
    }

    node = tg_json_path_child(f->node, key, len,
                              tg_json_fast_head(in, key, len));
    *found = node;

    if (node != NULL) {
        s->ev.key = tg_json_at(in, *at);

        if (f->mark & node->bit) {
            s->duplicate = true;
            goto colon;
        }

        f->mark |= node->bit;
    }

    if (q[1] == ':') {
        *at = q[2] == ' ' ? q + 3 : q + 2;
        return true;
    }

colon:

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

        if (tg_json_blank(*p)) {
            p = tg_json_fast_space(in, p);
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

            return tg_json_blank(*p) ? tg_json_fast_space(in, p) : p;
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
            if (tg_json_blank(*p)) {
                p = tg_json_fast_space(in, p);
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
        p = tg_json_fast_skim(s, in, p);

        if (p == NULL || p > in->last || s->state != TG_JSON_S_AFTER) {
            return p;
        }
    }

    if (s->frames == 0 || s->below != 0) {
        return p;
    }

    if (tg_json_blank(*p)) {
        p = tg_json_fast_space(in, p);
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
