#include "tg_text.h"

void
tg_put_digits(tg_text_t *t, uint64_t v, unsigned width)
{
    char      buf[20];
    unsigned  i;

    for (i = width; i > 0; i--) {
        buf[i - 1] = (char) ('0' + v % 10);
        v /= 10;
    }

    tg_put(t, buf, width);
}


static void
tg_put_uint(tg_text_t *t, uint64_t u)
{
    char      buf[20];
    unsigned  i = sizeof(buf);

    do {
        buf[--i] = (char) ('0' + u % 10);
        u /= 10;
    } while (u != 0);

    tg_put(t, buf + i, sizeof(buf) - i);
}


void
tg_put_int(tg_text_t *t, int64_t v)
{
    if (v < 0) {
        tg_put_lit(t, "-");
    }

    tg_put_uint(t, v < 0 ? 0 - (uint64_t) v : (uint64_t) v);
}


void
tg_put_decimal(tg_text_t *t, int64_t v, unsigned scale)
{
    uint64_t  u = v < 0 ? 0 - (uint64_t) v : (uint64_t) v, unit = 1, frac;

    for (unsigned i = 0; i < scale; i++) {
        unit *= 10;
    }

    if (v < 0) {
        tg_put_lit(t, "-");
    }

    tg_put_uint(t, u / unit);

    frac = u % unit;
    if (frac == 0) {
        return;
    }

    while (frac % 10 == 0) {
        frac /= 10;
        scale--;
    }

    tg_put_lit(t, ".");
    tg_put_digits(t, frac, scale);
}


/* Length of the UTF-8 character at p, 0 if it is not one; its value in *c. */
static size_t
tg_utf8(const unsigned char *p, size_t n, uint32_t *c)
{
    size_t    len;
    uint32_t  least;

    if (p[0] < 0x80) {
        *c = p[0];
        return 1;

    } else if (p[0] >= 0xc2 && p[0] < 0xe0) {
        len = 2, least = 0x80, *c = p[0] & 0x1f;

    } else if (p[0] >= 0xe0 && p[0] < 0xf0) {
        len = 3, least = 0x800, *c = p[0] & 0x0f;

    } else if (p[0] >= 0xf0 && p[0] < 0xf5) {
        len = 4, least = 0x10000, *c = p[0] & 0x07;

    } else {
        return 0;
    }

    if (n < len) {
        return 0;
    }

    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        *c = *c << 6 | (p[i] & 0x3f);
    }

    if (*c < least || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000)) {
        return 0;
    }

    return len;
}


/* One character as JSON; returns how many bytes of input it took. */
static size_t
tg_put_json_char(tg_text_t *t, const unsigned char *p, size_t n)
{
    static const char  hex[] = "0123456789abcdef";
    uint32_t           c;
    size_t             len = tg_utf8(p, n, &c);

    if (len == 0) {
        tg_put_lit(t, "\xef\xbf\xbd");
        return 1;
    }

    if (c == '"' || c == '\\') {
        tg_put_lit(t, "\\");
        tg_put(t, (const char *) p, 1);

    } else if (c == '\n') {
        tg_put_lit(t, "\\n");

    } else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028
               || c == 0x2029)
    {
        char  u[6] = { '\\', 'u', hex[c >> 12 & 15], hex[c >> 8 & 15],
                       hex[c >> 4 & 15], hex[c & 15] };

        tg_put(t, u, sizeof(u));

    } else {
        tg_put(t, (const char *) p, len);
    }

    return len;
}


void
tg_put_json(tg_text_t *t, tg_str_t s, size_t max)
{
    tg_text_t             part = *t;
    size_t                i = 0, plain;
    const unsigned char  *p = (const unsigned char *) s.p;
    char                 *mark;

    if ((size_t) (t->end - t->p) > max) {
        part.end = t->p + max;
    }

    while (i < s.len && !part.full) {

        for (plain = i; plain < s.len; plain++) {
            if (p[plain] < 0x20 || p[plain] >= 0x7f || p[plain] == '"'
                || p[plain] == '\\')
            {
                break;
            }
        }

        if (plain != i) {
            if ((size_t) (part.end - part.p) < plain - i) {
                plain = i + (size_t) (part.end - part.p);
                tg_put(&part, s.p + i, plain - i);
                break;
            }
            tg_put(&part, s.p + i, plain - i);
            i = plain;
            continue;
        }

        mark = part.p;
        i += tg_put_json_char(&part, p + i, s.len - i);

        if (part.full) {
            part.p = mark;
        }
    }

    t->p = part.p;
}


/* Days since 1970-01-01 to a date (Howard Hinnant's civil_from_days). */
static void
tg_civil(int64_t days, unsigned *y, unsigned *m, unsigned *d)
{
    int64_t   z = days + 719468, era = z / 146097;
    unsigned  doe = (unsigned) (z - era * 146097);
    unsigned  yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned  doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned  mp = (5 * doy + 2) / 153;

    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = yoe + (unsigned) era * 400 + (*m <= 2);
}


void
tg_put_time(tg_text_t *t, int64_t unix_ms)
{
    unsigned  y, m, d;
    uint64_t  s;

    if (unix_ms < 0) {
        unix_ms = 0;
    }

    s = (uint64_t) unix_ms / 1000;
    tg_civil((int64_t) (s / 86400), &y, &m, &d);
    s %= 86400;

    tg_put_digits(t, y, 4);
    tg_put_lit(t, "-");
    tg_put_digits(t, m, 2);
    tg_put_lit(t, "-");
    tg_put_digits(t, d, 2);
    tg_put_lit(t, "T");
    tg_put_digits(t, s / 3600, 2);
    tg_put_lit(t, ":");
    tg_put_digits(t, s / 60 % 60, 2);
    tg_put_lit(t, ":");
    tg_put_digits(t, s % 60, 2);
    tg_put_lit(t, ".");
    tg_put_digits(t, (uint64_t) unix_ms % 1000, 3);
    tg_put_lit(t, "Z");
}
