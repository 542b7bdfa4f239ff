/* What the most lenient of servers would make of a path. */

#include "tg_path.h"


static int
tg_hex_digit(char c)
{
    c = tg_lower(c);

    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


int
tg_path_octet(tg_str_t s, size_t i)
{
    int  high, low;

    if (s.p[i] != '%' || s.len - i < 3) {
        return -1;
    }

    high = tg_hex_digit(s.p[i + 1]);
    low = tg_hex_digit(s.p[i + 2]);

    return high < 0 || low < 0 ? -1 : high << 4 | low;
}


/* The last segment goes, if it is a dot, and the one before, if it is two. */
static size_t
tg_loose_segment(const char *buf, size_t n)
{
    size_t  at = n;

    while (at > 0 && buf[at - 1] != '/') {
        at--;
    }

    if (n - at == 1 && buf[at] == '.') {
        return at;
    }

    if (n - at != 2 || buf[at] != '.' || buf[at + 1] != '.') {
        return n;
    }

    while (at > 0 && buf[at - 1] == '/') {
        at--;
    }

    while (at > 0 && buf[at - 1] != '/') {
        at--;
    }

    return at;
}


/*
 * Escapes are what they stand for, and parameters of segments and what is
 * behind a '#' or '?' are none of it (RFC 3986); nor is what is behind a NUL,
 * nor blanks and line ends at the end, that a regex lets pass; '\' is a slash;
 * and case does not count.
 */
size_t
tg_path_loose(tg_str_t path, char *buf)
{
    int     c;
    bool    param = false;
    size_t  n = 0;

    for (size_t i = 0; i < path.len; i++) {
        c = tg_path_octet(path, i);

        if (c < 0) {
            c = (unsigned char) path.p[i];

        } else {
            i += 2;
        }

        if (c == '#' || c == '?' || c == '\0') {
            break;
        }

        c = c == '\\' ? '/' : tg_lower((char) c);
        param = c != '/' && (param || c == ';');

        if (param) {
            continue;
        }

        if (c == '/') {
            n = tg_loose_segment(buf, n);

            if (n != 0 && buf[n - 1] == '/') {
                continue;
            }
        }

        buf[n++] = (char) c;
    }

    while (n != 0 && (unsigned char) buf[n - 1] <= ' ') {
        n--;
    }

    return tg_loose_segment(buf, n);
}
