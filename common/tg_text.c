#include "tg_text.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static const char  tg_pairs[201] =
    "00010203040506070809101112131415161718192021222324"
    "25262728293031323334353637383940414243444546474849"
    "50515253545556575859606162636465666768697071727374"
    "75767778798081828384858687888990919293949596979899";


/* Writes v so that it ends before p; returns where it begins. */
static char *
tg_digits_back(char *p, uint64_t v)
{
    while (v >= 100) {
        p -= 2;
        memcpy(p, tg_pairs + 2 * (v % 100), 2);
        v /= 100;
    }

    if (v >= 10) {
        p -= 2;
        memcpy(p, tg_pairs + 2 * v, 2);
    } else {
        *--p = (char) ('0' + v);
    }

    return p;
}


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
    char  buf[20], *p = tg_digits_back(buf + sizeof(buf), u);

    tg_put(t, p, (size_t) (buf + sizeof(buf) - p));
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
    static const uint64_t  units[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
        1000000000
    };

    char      buf[32], *p;
    uint64_t  u = v < 0 ? 0 - (uint64_t) v : (uint64_t) v, whole, frac;

    whole = u / units[scale];
    frac = u % units[scale];

    if (v < 0) {
        tg_put_lit(t, "-");
    }

    tg_put_uint(t, whole);

    if (frac == 0) {
        return;
    }

    while (frac % 100 == 0) {
        frac /= 100;
        scale -= 2;
    }

    if (frac % 10 == 0) {
        frac /= 10;
        scale--;
    }

    memset(buf, '0', sizeof(buf));
    (void) tg_digits_back(buf + sizeof(buf), frac);
    p = buf + sizeof(buf) - scale;
    *--p = '.';
    tg_put(t, p, scale + 1);
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


/* How many of the first bytes go as they are. */
static inline size_t
tg_plain(const unsigned char *p, size_t n)
{
    size_t  i = 0;

#if defined(__SSE2__)
    const __m128i  space = _mm_set1_epi8(0x20), del = _mm_set1_epi8(0x7f);
    const __m128i  quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    __m128i        v, bad;
    int            mask;

    for ( ; n - i >= 16; i += 16) {
        v = _mm_loadu_si128((const __m128i *) (const void *) (p + i));

        /* signed: those from 0x80 on are less than a space, too */
        bad = _mm_or_si128(_mm_or_si128(_mm_cmplt_epi8(v, space),
                                        _mm_cmpeq_epi8(v, del)),
                           _mm_or_si128(_mm_cmpeq_epi8(v, quote),
                                        _mm_cmpeq_epi8(v, slash)));
        mask = _mm_movemask_epi8(bad);

        if (mask != 0) {
            return i + (size_t) __builtin_ctz((unsigned) mask);
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
    char      buf[24];
    unsigned  y, m, d, ms;
    uint64_t  s;

    if (unix_ms < 0) {
        unix_ms = 0;
    }

    s = (uint64_t) unix_ms / 1000;
    tg_civil((int64_t) (s / 86400), &y, &m, &d);
    s %= 86400;

    ms = (unsigned) ((uint64_t) unix_ms % 1000);

    memcpy(buf, tg_pairs + 2 * (y / 100 % 100), 2);
    memcpy(buf + 2, tg_pairs + 2 * (y % 100), 2);
    buf[4] = '-';
    memcpy(buf + 5, tg_pairs + 2 * m, 2);
    buf[7] = '-';
    memcpy(buf + 8, tg_pairs + 2 * d, 2);
    buf[10] = 'T';
    memcpy(buf + 11, tg_pairs + 2 * (s / 3600), 2);
    buf[13] = ':';
    memcpy(buf + 14, tg_pairs + 2 * (s / 60 % 60), 2);
    buf[16] = ':';
    memcpy(buf + 17, tg_pairs + 2 * (s % 60), 2);
    buf[19] = '.';
    buf[20] = (char) ('0' + ms / 100);
    memcpy(buf + 21, tg_pairs + 2 * (ms % 100), 2);
    buf[23] = 'Z';

    tg_put(t, buf, sizeof(buf));
}
