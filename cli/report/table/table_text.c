/* What people read: texts that steer nothing, numbers in groups, bars. */

#include "table_int.h"

#include "tg_money.h"
#include "tg_text.h"

#include <stdio.h>

#define BAR_WIDTH  20


/* What changes the direction of what follows steers it, too. */
char *
table_plain(char *to, tg_str_t s, size_t most)
{
    size_t   n, i = 0;
    uint8_t  c, next;

    for ( /* void */ ; i < s.len && most != 0; i += n, most--) {
        c = (uint8_t) s.p[i];

        if (c >= ' ' && c < 0x7f) {
            *to++ = (char) c;
            n = 1;
            continue;
        }

        n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3
            : c < 0xf5 ? 4 : 0;

        for (size_t k = 1; k < n; k++) {
            if (i + k >= s.len || ((uint8_t) s.p[i + k] & 0xc0) != 0x80) {
                n = 0;
            }
        }

        next = n > 1 ? (uint8_t) s.p[i + 1] : 0;

        if (n == 0 || c < ' ' || c == 0x7f || (c == 0xc2 && next < 0xa0)
            || (c == 0xe2 && (next == 0x80 || next == 0x81)
                && (uint8_t) s.p[i + 2] >= 0xa6
                && (uint8_t) s.p[i + 2] <= 0xae)
            || (c == 0xe2 && next == 0x80 && (uint8_t) s.p[i + 2] >= 0x8b
                && (uint8_t) s.p[i + 2] <= 0x8f))
        {
            n += n == 0;
            *to++ = '?';
            continue;
        }

        memcpy(to, s.p + i, n);
        to += n;
    }

    return to;
}


/* 1,234,567 */
size_t
table_grouped(char *to, int64_t v)
{
    char    digits[TG_TEXT_INT_MAX], *p = digits;
    size_t  n = (size_t) (tg_text_int(digits, v) - digits), len = 0;

    if (*p == '-') {
        to[len++] = *p++;
        n--;
    }

    while (n != 0) {
        to[len++] = *p++;
        n--;
        if (n != 0 && n % 3 == 0) {
            to[len++] = ',';
        }
    }

    return len;
}


/* "-1,234.5" of "-1234.5" */
size_t
table_grouped_money(char *to, int64_t nusd)
{
    char     money[TG_MONEY_TEXT_MAX], *dot;
    size_t   n = tg_money_text(money, nusd), len = 0;
    int64_t  whole = nusd / TG_NUSD_PER_USD;

    dot = memchr(money, '.', n);

    if (nusd < 0) {
        to[len++] = '-';
    }

    len += table_grouped(to + len, whole < 0 ? -whole : whole);

    if (dot != NULL) {
        memcpy(to + len, dot, n - (size_t) (dot - money));
        len += n - (size_t) (dot - money);
    }

    return len;
}


size_t
table_bar(const table_t *t, double v, char *text)
{
    static const char *const  parts[] = {
        "", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"
    };

    size_t    n = 0;
    unsigned  eighths;

    v = v > 0 ? v < 1 ? v : 1 : 0;
    eighths = (unsigned) (v * BAR_WIDTH * 8 + 0.5);
    eighths = eighths == 0 && v > 0 ? 1 : eighths;

    if (!t->fancy) {
        n = (eighths + 4) / 8;
        memset(text, '#', n);
        return n;
    }

    for (unsigned i = 0; i < eighths / 8; i++) {
        memcpy(text + n, "\u2588", 3);
        n += 3;
    }

    memcpy(text + n, parts[eighths % 8], strlen(parts[eighths % 8]));

    return n + strlen(parts[eighths % 8]);
}


/* A double from 10^-9 to 10^9 times 10^digits, rounded as it is printed: half to
 * even. */
static uint64_t
scaled(double v, int digits, bool *below)
{
    int                i, shift;
    uint64_t           bits, q;
    unsigned __int128  n, rest, half;

    memcpy(&bits, &v, sizeof(bits));
    shift = 1075 - (int) (bits >> 52 & 0x7ff);
    n = (bits & UINT64_C(0xfffffffffffff)) | UINT64_C(0x10000000000000);

    for (i = 0; i < digits; i++) {
        n *= 10;
    }

    q = (uint64_t) (n >> shift);
    rest = n - ((unsigned __int128) q << shift);
    half = (unsigned __int128) 1 << (shift - 1);
    *below = q < 100000000;

    return q + (rest > half || (rest == half && q % 2 != 0));
}


/* The nine digits that count, and what the first of them stands for: 10^exp. */
static void
nine_digits(double v, char *digits, int *exp)
{
    bool      below;
    int       e = 8;
    double    least = 1e8;
    uint64_t  q;

    while (e > -10 && v < least) {
        least /= 10;
        e--;
    }

    /* least is not exact: e may be one too high, or one too low */

    e++;
    q = scaled(v, 8 - e, &below);

    while (below) {
        e--;
        q = scaled(v, 8 - e, &below);
    }

    if (q == 1000000000) {
        q /= 10;
        e++;
    }

    for (int i = 8; i >= 0; i--) {
        digits[i] = (char) ('0' + q % 10);
        q /= 10;
    }

    *exp = e;
}


size_t
table_number(char *to, double v)
{
    int     exp, n = 9, at = 0;
    char    digits[9];
    size_t  len = 0;

    if (!(v >= 1e-9 && v < 1e8)) {
        return (size_t) snprintf(to, TABLE_NUMBER_MAX, "%.9g", v);
    }

    nine_digits(v, digits, &exp);

    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }

    if (exp < -4) {
        to[len++] = digits[at++];
    } else if (exp < 0) {
        to[len++] = '0';
    } else {
        while (at <= exp) {
            to[len++] = digits[at++];
        }
    }

    if (at < n) {
        to[len++] = '.';
    }

    for (int i = -1; i > exp && exp >= -4; i--) {
        to[len++] = '0';
    }

    while (at < n) {
        to[len++] = digits[at++];
    }

    if (exp < -4) {
        memcpy(to + len, "e-0", 3);
        to[len + 2] = (char) ('0' + -exp / 10);
        to[len + 3] = (char) ('0' + -exp % 10);
        len += 4;
    }

    return len;
}
