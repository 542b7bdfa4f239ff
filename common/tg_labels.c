#include "tg_metrics.h"


/* The bytes of a character of UTF-8 at p; 0: it is none. */
static size_t
tg_labels_char(const unsigned char *p, size_t n)
{
    size_t    len;
    uint32_t  c;

    if (p[0] < 0x80) {
        return 1;
    }

    len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

    if (p[0] < 0xc2 || p[0] > 0xf4 || len > n) {
        return 0;
    }

    c = p[0] & (0x7fu >> len);

    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    return (len == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000)))
           || (len == 4 && (c < 0x10000 || c > 0x10ffff)) ? 0 : len;
}


/* How many bytes of s, up to max, are printable ASCII without '"' and '\\'. */
static size_t
tg_labels_plain(tg_str_t s, size_t max)
{
    size_t                i, n = s.len < max ? s.len : max;
    uint64_t              w, x, y;
    unsigned char         c;
    static const uint64_t ones = UINT64_C(0x0101010101010101);

    /* Eight at a time: a byte's high bit comes out where it is not plain, or
     * stands behind one that is not. */

    for (i = 0; i + 8 <= n; i += 8) {
        memcpy(&w, s.p + i, 8);
        x = w ^ ones * '"';
        y = w ^ ones * '\\';

        if (((w | (w - ones * 0x20) | (w + ones) | (x - ones) | (y - ones))
             & ones << 7) != 0)
        {
            break;
        }
    }

    for (/* void */; i < n; i++) {
        c = (unsigned char) s.p[i];

        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            break;
        }
    }

    return i;
}


size_t
tg_labels_value(char *to, tg_str_t s, size_t max)
{
    char           *p = to;
    size_t          len;
    unsigned char   c;

    /* Nearly all of nearly all. */

    len = tg_labels_plain(s, max);
    memcpy(p, s.p, len);
    p += len;

    for (size_t i = len; i < s.len; i += len) {
        c = (unsigned char) s.p[i];
        len = tg_labels_char((const unsigned char *) s.p + i, s.len - i);

        if ((size_t) (p - to) + (len > 2 ? len : 2) > max) {
            break;
        }

        if (len == 0 || c < 0x20 || c == 0x7f) {
            *p++ = '_';
            len = 1;
            continue;
        }

        if (c == '"' || c == '\\') {
            *p++ = '\\';
        }

        memcpy(p, s.p + i, len);
        p += len;
    }

    return (size_t) (p - to);
}


void
tg_labels_add(tg_labels_t *l, tg_str_t name, tg_str_t value)
{
    char  *p = l->text + l->len;

    if (l->len + name.len + TG_METRIC_VALUE_MAX + 4 > TG_METRIC_LABELS_MAX) {
        return;
    }

    if (l->len != 0) {
        *p++ = ',';
    }

    memcpy(p, name.p, name.len);
    p += name.len;
    *p++ = '=';
    *p++ = '"';
    p += tg_labels_value(p, value, TG_METRIC_VALUE_MAX);
    *p++ = '"';

    l->len = (size_t) (p - l->text);
}


tg_str_t
tg_labels_text(const tg_labels_t *l)
{
    return tg_str_of(l->text, l->len);
}
