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


size_t
tg_labels_value(char *to, tg_str_t s, size_t max)
{
    char           *p = to;
    size_t          len;
    unsigned char   c;

    for (size_t i = 0; i < s.len; i += len) {
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


static uint64_t
tg_labels_mix(uint64_t h, uint64_t w)
{
    h = (h ^ w) * UINT64_C(0x9fb21c651e98df25);

    return h ^ h >> 32;
}


/* Eight bytes, of which the high bit is set of each that is not printable ASCII, or
 * is '"' or '\\', and perhaps of those above it. */
static uint64_t
tg_labels_odd(uint64_t w)
{
    const uint64_t  ones = UINT64_C(0x0101010101010101);
    const uint64_t  x = w ^ ones * '"', y = w ^ ones * '\\';

    return (w | (w - ones * 0x20) | (w + ones) | (x - ones) | (y - ones))
           & ones << 7;
}


static uint64_t
tg_labels_eight(const char *p)
{
    uint64_t  w;

    memcpy(&w, p, 8);

    return w;
}


static uint64_t
tg_labels_four(const char *p)
{
    uint32_t  w;

    memcpy(&w, p, 4);

    return w;
}


/* False: the value is not written as it is; *hash is that of the bytes. */
static bool
tg_labels_plain(tg_str_t s, uint64_t *hash)
{
    uint64_t  w, odd = 0, h = s.len;

    if (s.len >= 8) {

        /* The last eight overlap what is before them. */

        for (size_t i = 0; i < s.len - 8; i += 8) {
            w = tg_labels_eight(s.p + i);
            odd |= tg_labels_odd(w);
            h = tg_labels_mix(h, w);
        }

        w = tg_labels_eight(s.p + s.len - 8);

    } else if (s.len >= 4) {
        w = tg_labels_four(s.p) | tg_labels_four(s.p + s.len - 4) << 32;

    } else if (s.len > 0) {
        w = UINT64_C(0x2020202020000000) | (unsigned char) s.p[0]
            | (uint64_t) (unsigned char) s.p[s.len / 2] << 8
            | (uint64_t) (unsigned char) s.p[s.len - 1] << 16;

    } else {
        w = UINT64_C(0x2020202020202020);
    }

    odd |= tg_labels_odd(w);
    *hash = tg_labels_mix(h, w);

    return odd == 0;
}


/* There is room for a label of such a name and any value behind len bytes. */
static bool
tg_labels_room(size_t len, tg_str_t name)
{
    return len + name.len + TG_METRIC_VALUE_MAX + 4 <= TG_METRIC_LABELS_MAX;
}


void
tg_labels_add(tg_labels_t *l, tg_str_t name, tg_str_t value)
{
    uint64_t     hash;
    tg_label_t  *label = &l->list[l->n];

    if (l->n == TG_METRIC_LABELS) {
        return;
    }

    if (value.len > TG_METRIC_VALUE_MAX || !tg_labels_plain(value, &hash)) {
        if (l->used + TG_METRIC_VALUE_MAX > sizeof(l->room)) {
            return;
        }

        value = tg_str_of(l->room + l->used,
                          tg_labels_value(l->room + l->used, value,
                                          TG_METRIC_VALUE_MAX));
        l->used += (unsigned) value.len;
        (void) tg_labels_plain(value, &hash);
    }

    label->name = name;
    label->value = value.len != 0 ? value : tg_str("");
    label->hash = tg_labels_mix(hash, name.len << 8 | (unsigned char) *name.p);
    l->n++;
}


size_t
tg_labels_write(const tg_labels_t *l, char *to)
{
    char              *p = to;
    const tg_label_t  *label;

    for (label = l->list; label < l->list + l->n; label++) {
        if (!tg_labels_room((size_t) (p - to), label->name)) {
            continue;
        }

        if (p != to) {
            *p++ = ',';
        }

        memcpy(p, label->name.p, label->name.len);
        p += label->name.len;
        *p++ = '=';
        *p++ = '"';
        memcpy(p, label->value.p, label->value.len);
        p += label->value.len;
        *p++ = '"';
    }

    return (size_t) (p - to);
}


/* memcmp() is a call, and most of these are short. */
static bool
tg_labels_same(const char *a, const char *b, size_t n)
{
    if (n >= 8) {

        /* The last eight overlap what is before them. */

        for (size_t i = 0; i < n - 8; i += 8) {
            if (tg_labels_eight(a + i) != tg_labels_eight(b + i)) {
                return false;
            }
        }

        return tg_labels_eight(a + n - 8) == tg_labels_eight(b + n - 8);
    }

    if (n >= 4) {
        return tg_labels_four(a) == tg_labels_four(b)
               && tg_labels_four(a + n - 4) == tg_labels_four(b + n - 4);
    }

    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2]
                      && a[n - 1] == b[n - 1]);
}


bool
tg_labels_are(const tg_labels_t *l, tg_str_t text)
{
    size_t             size;
    const char        *p = text.p, *end = text.p + text.len;
    const tg_label_t  *label;

    for (label = l->list; label < l->list + l->n; label++) {
        if (!tg_labels_room((size_t) (p - text.p), label->name)) {
            continue;
        }

        p += p != text.p;
        size = label->name.len + label->value.len + 3;

        /* A value has no quote in it that has no backslash before it. */

        if (p > end || (size_t) (end - p) < size
            || !tg_labels_same(p + label->name.len + 2, label->value.p,
                               label->value.len)
            || !tg_labels_same(p, label->name.p, label->name.len)
            || p[label->name.len] != '=' || p[size - 1] != '"')
        {
            return false;
        }

        p += size;
    }

    return p == end;
}


uint64_t
tg_labels_key(const tg_labels_t *l)
{
    uint64_t  h = l->n;

    for (unsigned i = 0; i < l->n; i++) {
        h = tg_labels_mix(h, l->list[i].hash);
    }

    return h != 0 ? h : 1;
}
