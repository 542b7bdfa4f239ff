/* What people read: texts that steer nothing, numbers in groups, bars. */

#include "table_int.h"

#include "tg_money.h"
#include "tg_text.h"

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
