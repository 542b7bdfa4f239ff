#include "tg_multipart.h"

/* A cursor over a header's value; at its end, tg_mt_peek() is NUL. */


static char
tg_mt_peek(const tg_str_t *s)
{
    return s->len != 0 ? *s->p : '\0';
}


static char
tg_mt_next(tg_str_t *s)
{
    s->len--;

    return *s->p++;
}


static void
tg_mt_blanks(tg_str_t *s)
{
    while (tg_mt_peek(s) == ' ' || tg_mt_peek(s) == '\t') {
        (void) tg_mt_next(s);
    }
}


/* Up to a separator, which is not consumed. */

static tg_str_t
tg_mt_token(tg_str_t *s)
{
    tg_str_t  token = { s->p, 0 };

    while (s->len != 0 && memchr("; \t=\"", *s->p, 5) == NULL) {
        (void) tg_mt_next(s);
        token.len++;
    }

    return token;
}


static bool
tg_mt_add(char *out, size_t *len, char c)
{
    if (*len == TG_MULTIPART_BOUNDARY_MAX || c < ' ' || c > '~') {
        return false;
    }

    out[(*len)++] = c;

    return true;
}


/*
 * A parameter's value; where out is not NULL, it goes there as far as it is of
 * the characters and the length of a boundary.  False where it is malformed.
 */

static bool
tg_mt_value(tg_str_t *s, char *out, size_t *len)
{
    char  c;
    bool  quoted = (tg_mt_peek(s) == '"');

    if (quoted) {
        (void) tg_mt_next(s);
    }

    while (s->len != 0) {
        c = *s->p;

        if (quoted ? c == '"' : (c == ';' || c == ' ' || c == '\t')) {
            break;
        }

        (void) tg_mt_next(s);

        if (quoted && c == '\\') {
            if (s->len == 0) {
                return false;
            }
            c = tg_mt_next(s);

        } else if (!quoted && c == '"') {
            return false;
        }

        if (out != NULL && !tg_mt_add(out, len, c)) {
            return false;
        }
    }

    if (quoted) {
        if (s->len == 0) {
            return false;
        }
        (void) tg_mt_next(s);
    }

    tg_mt_blanks(s);

    return s->len == 0 || *s->p == ';';
}


size_t
tg_multipart_boundary(tg_str_t content_type, char *out)
{
    bool      wanted;
    size_t    len = 0;
    tg_str_t  s = content_type, name;

    tg_mt_blanks(&s);

    if (!tg_str_caseeq(tg_mt_token(&s), tg_str("multipart/form-data"))) {
        return 0;
    }

    tg_mt_blanks(&s);

    while (tg_mt_peek(&s) == ';') {
        (void) tg_mt_next(&s);
        tg_mt_blanks(&s);

        name = tg_mt_token(&s);

        if (tg_mt_peek(&s) != '=') {
            tg_mt_blanks(&s);
            if (name.len != 0) {
                return 0;
            }
            continue;
        }

        (void) tg_mt_next(&s);

        wanted = tg_str_caseeq(name, tg_str("boundary"));

        if ((wanted && len != 0)
            || tg_str_caseeq(name, tg_str("boundary*"))
            || !tg_mt_value(&s, wanted ? out : NULL, &len)
            || (wanted && (len == 0 || out[len - 1] == ' ')))
        {
            return 0;
        }
    }

    return s.len == 0 ? len : 0;
}
