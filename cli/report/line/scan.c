#include "scan.h"

#include "tg_json_string.h"

#define DEPTH_MAX  64


/* The value of a hex digit, or a negative number. */
static int
hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
           : tg_lower(c) >= 'a' && tg_lower(c) <= 'f' ? tg_lower(c) - 'a' + 10
           : -1;
}


/* Four hex digits at p, or -1. */
static int32_t
hex4(const char *p, const char *end)
{
    int32_t  v = 0;

    if (end - p < 4) {
        return -1;
    }

    for (int i = 0; i < 4; i++) {
        if (hex(p[i]) < 0) {
            return -1;
        }
        v = v << 4 | hex(p[i]);
    }

    return v;
}


static char *
put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char) c;

    } else if (c < 0x800) {
        *to++ = (char) (0xc0 | c >> 6);
        *to++ = (char) (0x80 | (c & 0x3f));

    } else if (c < 0x10000) {
        *to++ = (char) (0xe0 | c >> 12);
        *to++ = (char) (0x80 | (c >> 6 & 0x3f));
        *to++ = (char) (0x80 | (c & 0x3f));

    } else {
        *to++ = (char) (0xf0 | c >> 18);
        *to++ = (char) (0x80 | (c >> 12 & 0x3f));
        *to++ = (char) (0x80 | (c >> 6 & 0x3f));
        *to++ = (char) (0x80 | (c & 0x3f));
    }

    return to;
}


/* The character that "\u" at *p stands for, a pair of surrogates too; *p moves
 * behind it. */
static uint32_t
escaped_unicode(const char **p, const char *end)
{
    int32_t  c = hex4(*p + 2, end), low;

    *p += 6;

    if (c < 0xd800 || c > 0xdfff) {
        return (uint32_t) c;
    }

    if (c < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        low = hex4(*p + 2, end);

        if (low >= 0xdc00 && low <= 0xdfff) {
            *p += 6;
            return 0x10000 + (((uint32_t) c & 0x3ff) << 10)
                   + ((uint32_t) low & 0x3ff);
        }
    }

    return 0xfffd;
}


/* In place: what is escaped is never shorter.  The escapes are valid. */
static size_t
unescape(char *text, size_t n)
{
    static const char  plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";

    char        *to = memchr(text, '\\', n);
    const char  *p = to, *end = text + n;

    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;

        } else if (p[1] == 'u') {
            to = put_utf8(to, escaped_unicode(&p, end));

        } else {
            *to++ = meant[strchr(plain, p[1]) - plain];
            p += 2;
        }
    }

    return (size_t) (to - text);
}


bool
scan_string(scan_t *s, tg_str_t *v, bool *escaped)
{
    char  *p = s->p;

    *escaped = false;

    for ( ;; ) {
        p = (char *) tg_json_plain(p, s->end);

        if (p == s->end) {
            return false;
        }

        if (*p == '"') {
            *v = tg_str_of(s->p, (size_t) (p - s->p));
            s->p = p + 1;
            return true;
        }

        if (*p == '\\') {
            if (s->end - p < 2 || p[1] == '\0'
                || strchr("\"\\/bfnrtu", p[1]) == NULL
                || (p[1] == 'u' && hex4(p + 2, s->end) < 0))
            {
                return false;
            }
            *escaped = true;
            p += 2;

        } else if ((uint8_t) *p >= 0x80) {
            do {
                p++;
            } while (p < s->end && (uint8_t) *p >= 0x80);

        } else {
            return false;
        }
    }
}


/* A JSON number's letters. */
static bool
scan_number(scan_t *s, tg_str_t *v)
{
    const char  *p = s->p, *digits;

    p += p < s->end && *p == '-';

    for (digits = p; p < s->end && *p >= '0' && *p <= '9'; p++) { /* void */ }

    if (p == digits || (*digits == '0' && p - digits > 1)) {
        return false;
    }

    if (p < s->end && *p == '.') {
        for (digits = ++p; p < s->end && *p >= '0' && *p <= '9'; p++) {
            /* void */
        }
        if (p == digits) {
            return false;
        }
    }

    if (p < s->end && tg_lower(*p) == 'e') {
        p++;
        p += p < s->end && (*p == '+' || *p == '-');
        for (digits = p; p < s->end && *p >= '0' && *p <= '9'; p++) {
            /* void */
        }
        if (p == digits) {
            return false;
        }
    }

    *v = tg_str_of(s->p, (size_t) (p - s->p));
    s->p = (char *) p;

    return true;
}


static bool
scan_literal(scan_t *s, tg_str_t *v)
{
    static const tg_str_t  literals[] = {
        TG_STR("true"), TG_STR("false"), TG_STR("null")
    };

    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        if (tg_str_starts(tg_str_of(s->p, (size_t) (s->end - s->p)),
                          literals[i]))
        {
            *v = literals[i];
            s->p += v->len;
            return true;
        }
    }

    return false;
}


/* What is not flat: brackets match, strings and what is between them are looked
 * at no closer than for that.  *first is the first string, where one is. */
static bool
scan_nested(scan_t *s, tg_str_t *first, bool *escaped)
{
    bool      more, had = false, is;
    char      stack[DEPTH_MAX];
    tg_str_t  v;
    unsigned  depth = 0;

    do {
        scan_space(s);

        if (s->p == s->end) {
            return false;
        }

        switch (*s->p) {

        case '[':
        case '{':
            if (depth == DEPTH_MAX) {
                return false;
            }
            stack[depth++] = *s->p++ == '[' ? ']' : '}';
            break;

        case ']':
        case '}':
            if (stack[--depth] != *s->p++) {
                return false;
            }
            break;

        case ',':
        case ':':
            s->p++;
            break;

        case '"':
            s->p++;
            if (!scan_string(s, &v, &is)) {
                return false;
            }
            if (!had) {
                *first = v;
                *escaped = is;
                had = true;
            }
            break;

        default:
            if (!scan_literal(s, &v) && !scan_number(s, &v)) {
                return false;
            }
        }

        more = depth != 0;
    } while (more);

    return true;
}


bool
scan_value(scan_t *s, tg_str_t *v, bool *escaped)
{
    char  c = *s->p;

    *escaped = false;

    if (c == '"') {
        s->p++;
        return scan_string(s, v, escaped);
    }

    if (c == '[' || c == '{') {
        *v = tg_str_null;
        if (!scan_nested(s, v, escaped)) {
            return false;
        }
        if (c == '{') {
            *v = tg_str_null;
        }
        return true;
    }

    if (c == '-' || (c >= '0' && c <= '9')) {
        return scan_number(s, v);
    }

    if (!scan_literal(s, v)) {
        return false;
    }

    if (c == 'n') {
        *v = tg_str_null;
    }

    return true;
}


tg_str_t
scan_text(tg_str_t v, bool escaped)
{
    return escaped ? tg_str_of(v.p, unescape((char *) v.p, v.len)) : v;
}
