#include "tg_text.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static const char  tg_pairs[201] =
    "00010203040506070809101112131415161718192021222324"
    "25262728293031323334353637383940414243444546474849"
    "50515253545556575859606162636465666768697071727374"
    "75767778798081828384858687888990919293949596979899";


static inline char *
tg_text_pair(char *p, unsigned v)
{
    memcpy(p, tg_pairs + 2 * v, 2);

    return p + 2;
}


static inline char *
tg_text_four(char *p, unsigned v)
{
    return tg_text_pair(tg_text_pair(p, v / 100), v % 100);
}


static char *
tg_text_uint(char *p, uint64_t v)
{
    if (v < 10) {
        *p = (char) ('0' + v);
        return p + 1;
    }

    if (v < 100) {
        return tg_text_pair(p, (unsigned) v);
    }

    if (v < 1000) {
        *p = (char) ('0' + v / 100);
        return tg_text_pair(p + 1, (unsigned) (v % 100));
    }

    if (v >= 10000) {
        p = tg_text_uint(p, v / 10000);
    }

    return tg_text_four(p, (unsigned) (v % 10000));
}


char *
tg_text_int(char *p, int64_t v)
{
    if (v < 0) {
        *p++ = '-';
    }

    return tg_text_uint(p, v < 0 ? 0 - (uint64_t) v : (uint64_t) v);
}


char *
tg_text_decimal(char *p, int64_t v, unsigned scale)
{
    static const unsigned  units[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
        1000000000
    };

    uint64_t  u = v < 0 ? 0 - (uint64_t) v : (uint64_t) v, whole;
    unsigned  frac;

    if (scale == 9) {
        whole = u / 1000000000;
        frac = (unsigned) (u % 1000000000);

    } else {
        whole = u / units[scale];
        frac = (unsigned) (u % units[scale]) * units[9 - scale];
    }

    if (v < 0) {
        *p++ = '-';
    }

    p = tg_text_uint(p, whole);

    if (frac == 0) {
        return p;
    }

    *p++ = '.';
    *p++ = (char) ('0' + frac / 100000000);
    frac %= 100000000;
    p = tg_text_four(p, frac / 10000);
    p = tg_text_four(p, frac % 10000);

    while (p[-1] == '0') {
        p--;
    }

    return p;
}


void
tg_put_int(tg_text_t *t, int64_t v)
{
    char  buf[TG_TEXT_INT_MAX];

    tg_put(t, buf, (size_t) (tg_text_int(buf, v) - buf));
}


void
tg_put_decimal(tg_text_t *t, int64_t v, unsigned scale)
{
    char  buf[TG_TEXT_DECIMAL_MAX];

    tg_put(t, buf, (size_t) (tg_text_decimal(buf, v, scale) - buf));
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


#if defined(__SSE2__)

/* Which bytes don't go as they are; those from 0x80 on may. */
static inline unsigned
tg_unplain(__m128i v)
{
    /* signed: those from 0x80 on are less than a space, too */

    return (unsigned) _mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
                                  _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f))),
                     _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                  _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')))));
}


/* Copies s if all of it goes as it is; else what is at p is of no meaning. */
static inline bool
tg_text_plain(char *p, tg_str_t s)
{
    size_t    i;
    uint32_t  first, last;
    uint64_t  head, tail;
    __m128i   v;

    if (s.len >= 16) {

        for (i = 0; /* void */ ; i = s.len - i < 32 ? s.len - 16 : i + 16) {
            v = _mm_loadu_si128((const __m128i *) (const void *) (s.p + i));

            if (tg_unplain(v) != 0) {
                return false;
            }

            _mm_storeu_si128((__m128i *) (void *) (p + i), v);

            if (i == s.len - 16) {
                return true;
            }
        }
    }

    if (s.len >= 8) {
        memcpy(&head, s.p, 8);
        memcpy(&tail, s.p + s.len - 8, 8);
        v = _mm_set_epi64x((long long) tail, (long long) head);

        memcpy(p, &head, 8);
        memcpy(p + s.len - 8, &tail, 8);

        return tg_unplain(v) == 0;
    }

    if (s.len >= 4) {
        memcpy(&first, s.p, 4);
        memcpy(&last, s.p + s.len - 4, 4);
        head = (uint64_t) last << 32 | first;

        memcpy(p, &first, 4);
        memcpy(p + s.len - 4, &last, 4);

        return (tg_unplain(_mm_set_epi64x(0, (long long) head)) & 0xff) == 0;
    }

    return s.len == 0;
}

#else

static inline bool
tg_text_plain(char *p, tg_str_t s)
{
    (void) p;

    return s.len == 0;
}

#endif


/* How many of the first bytes go as they are. */
static inline size_t
tg_plain(const unsigned char *p, size_t n)
{
    size_t  i = 0;

#if defined(__SSE2__)
    unsigned  mask;

    for ( ; n - i >= 16; i += 16) {
        mask = tg_unplain(_mm_loadu_si128((const __m128i *)
                                          (const void *) (p + i)));
        if (mask != 0) {
            return i + (size_t) __builtin_ctz(mask);
        }
    }
#endif

    while (i < n && p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"'
           && p[i] != '\\')
    {
        i++;
    }

    return i;
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

        plain = i + tg_plain(p + i, s.len - i);

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


static char *
tg_text_escaped(char *p, tg_str_t s, size_t max)
{
    tg_text_t  t = { p, p + max, false };

    tg_put_json(&t, s, max);

    return t.p;
}


char *
tg_text_json(char *p, tg_str_t s, size_t max)
{
    return s.len <= max && tg_text_plain(p, s) ? p + s.len
                                               : tg_text_escaped(p, s, max);
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


char *
tg_text_time(char *p, int64_t unix_ms)
{
    unsigned  y, m, d, ms;
    uint64_t  s;

    if (unix_ms < 0) {
        unix_ms = 0;
    }

    ms = (unsigned) ((uint64_t) unix_ms % 1000);
    s = (uint64_t) unix_ms / 1000;
    tg_civil((int64_t) (s / 86400), &y, &m, &d);
    s %= 86400;

    p = tg_text_four(p, y % 10000);
    *p++ = '-';
    p = tg_text_pair(p, m);
    *p++ = '-';
    p = tg_text_pair(p, d);
    *p++ = 'T';
    p = tg_text_pair(p, (unsigned) s / 3600);
    *p++ = ':';
    p = tg_text_pair(p, (unsigned) s / 60 % 60);
    *p++ = ':';
    p = tg_text_pair(p, (unsigned) s % 60);
    *p++ = '.';
    *p++ = (char) ('0' + ms / 100);
    p = tg_text_pair(p, ms % 100);
    *p++ = 'Z';

    return p;
}


void
tg_put_time(tg_text_t *t, int64_t unix_ms)
{
    char  buf[TG_TEXT_TIME_MAX];

    tg_put(t, buf, (size_t) (tg_text_time(buf, unix_ms) - buf));
}


char *
tg_text_hex16(char *p, uint64_t v)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        *p++ = "0123456789abcdef"[v >> shift & 15];
    }

    return p;
}


unsigned
tg_text_lines(const char *p, size_t n)
{
    unsigned     lines = 0;
    const char  *end = p + n;

    while (p != NULL && p < end) {
        lines++;
        p = memchr(p, '\n', (size_t) (end - p));
        p = p == NULL ? end : p + 1;
    }

    return lines;
}
