#include "tg_json_step.h"
#include "tg_json_decode.h"
#include "tg_json_string.h"

#define TG_STEP_NAME_MAX  64


void
tg_step_init(tg_step_t *s, const char *p, size_t n)
{
    memset(s, 0, sizeof(tg_step_t));

    s->p = p;
    s->end = p + n;
}


static void
tg_step_space(tg_step_t *s)
{
    while (s->p < s->end && (uint8_t) *s->p <= ' ') {
        s->p++;
    }
}


/* A key, where a colon is behind it. */
static void
tg_step_string(tg_step_t *s)
{
    const char         *stop;
    tg_json_errcode_t   err = TG_JSON_E_NONE;
    tg_json_string_t    st;

    tg_json_string_init(&st);
    stop = tg_json_string_skip(&st, s->p, s->end, &err);

    s->type = TG_STEP_STRING;
    s->text = tg_str_of(s->p, (size_t) (stop - s->p));
    s->p = stop < s->end ? stop + 1 : s->end;

    if (s->p < s->end && *s->p != ',') {
        stop = s->p;
        tg_step_space(s);

        if (s->p < s->end && *s->p == ':') {
            s->type = TG_STEP_KEY;
            s->p++;

        } else {
            s->p = stop;
        }
    }
}


static void
tg_step_word(tg_step_t *s)
{
    while (s->p < s->end && (uint8_t) *s->p > ' ' && *s->p != ','
           && *s->p != '}' && *s->p != ']')
    {
        s->p++;
    }

    s->type = TG_STEP_WORD;
    s->text = tg_str_of(s->start, (size_t) (s->p - s->start));
}


bool
tg_step(tg_step_t *s)
{
    tg_step_space(s);

    s->start = s->p;
    s->text = tg_str_null;

    if (s->p == s->end) {
        s->type = TG_STEP_END;
        return false;
    }

    switch (*s->p++) {
    case '{':
        s->type = TG_STEP_OBJECT;
        break;
    case '[':
        s->type = TG_STEP_ARRAY;
        break;
    case '}':
    case ']':
        s->type = TG_STEP_CLOSE;
        break;
    case ',':
        s->type = TG_STEP_COMMA;
        break;
    case '"':
        tg_step_string(s);
        break;
    default:
        tg_step_word(s);
        break;
    }

    return true;
}


void
tg_step_over(tg_step_t *s)
{
    size_t  depth = s->type == TG_STEP_KEY ? 0 : 1;

    while (tg_step(s)) {

        if (s->type == TG_STEP_OBJECT || s->type == TG_STEP_ARRAY) {
            depth++;

        } else if (s->type == TG_STEP_CLOSE) {
            depth--;
        }

        if (depth == 0) {
            return;
        }
    }
}


tg_str_t
tg_step_decode(tg_str_t text, char *buf, size_t size)
{
    tg_json_decode_t  d;

    tg_json_decode_init(&d);
    (void) tg_json_decode(&d, text.p, text.p + text.len, buf, size);

    return tg_str_of(buf, d.len);
}


bool
tg_step_is(tg_str_t text, const char *name)
{
    char  buf[TG_STEP_NAME_MAX];

    /* An escape is longer than what it stands for. */

    if (text.len > 6 * sizeof(buf)) {
        return false;
    }

    if (text.len != 0 && memchr(text.p, '\\', text.len) != NULL) {
        text = tg_step_decode(text, buf, sizeof(buf));
    }

    return tg_str_eq(text, tg_strz(name));
}
