#include "tg_translator_int.h"


/* From behind a string's opening quote past the closing one. */
static const char *
tg_quoted_string(tg_grow_t *g, const char *p, const char *end)
{
    const char  *run = p;

    while (p < end && *p != '"') {

        /* the escape and what it escapes, each of which needs one */

        if (*p == '\\' && p + 1 < end) {
            tg_grow(g, run, (size_t) (p - run));
            tg_grow_lit(g, "\\\\");
            run = p + 1;

            if (*run == '"' || *run == '\\') {
                tg_grow_lit(g, "\\");
            }

            p++;
        }

        p++;
    }

    tg_grow(g, run, (size_t) (p - run));

    return p < end ? p + 1 : p;
}


void
tg_grow_quoted(tg_grow_t *g, tg_str_t json)
{
    const char  *p = json.p, *end = json.p + json.len, *run = p;

    while (p < end) {
        switch (*p) {

        case '"':
            tg_grow(g, run, (size_t) (p - run));
            tg_grow_lit(g, "\\\"");
            p = tg_quoted_string(g, p + 1, end);
            tg_grow_lit(g, "\\\"");
            run = p;
            break;

        case ' ':
        case '\t':
        case '\n':
        case '\r':
            tg_grow(g, run, (size_t) (p - run));
            run = ++p;
            break;

        default:
            p++;
            break;
        }
    }

    tg_grow(g, run, (size_t) (p - run));
}


uint64_t
tg_chars(tg_str_t inside)
{
    uint64_t  n = 0;

    for (size_t i = 0; i < inside.len; i++) {
        if (inside.p[i] == '\\') {
            i++;
            if (i < inside.len && inside.p[i] == 'u') {

                /* the second half of a pair is not counted */

                n -= i + 2 < inside.len && (inside.p[i + 1] | 0x20) == 'd'
                     && ((inside.p[i + 2] | 0x20) >= 'c');
                i += 4;
            }

            n++;
            continue;
        }

        n += ((uint8_t) inside.p[i] & 0xc0) != 0x80;
    }

    return n;
}


void
tg_grow_member(tg_grow_t *g, const char *name, tg_str_t inside)
{
    tg_grow_lit(g, "\"");
    tg_grow_str(g, tg_strz(name));
    tg_grow_lit(g, "\":\"");
    tg_grow_str(g, inside);
    tg_grow_lit(g, "\"");
}


void
tg_grow_call(tg_grow_t *g, tg_str_t id, tg_str_t name, tg_str_t signature)
{
    tg_grow_member(g, "id", id);
    tg_grow_lit(g, ",\"type\":\"function\"");

    if (signature.len != 0) {
        tg_grow_lit(g, ",\"extra_content\":{\"google\":{");
        tg_grow_member(g, "thought_signature", signature);
        tg_grow_lit(g, "}}");
    }

    tg_grow_lit(g, ",\"function\":{");
    tg_grow_member(g, "name", name);
    tg_grow_lit(g, ",\"arguments\":\"");
}
