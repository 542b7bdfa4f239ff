#include "tg_path.h"


/* Letters, digits and marks that are the same escaped or not (RFC 3986, 6.2.2.2);
 * a dot is told by tg_path_plain(). */
static bool
tg_path_unreserved(int c)
{
    char  l = tg_lower((char) c);

    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-'
           || c == '_' || c == '~';
}


/* How many slashes there are; *run: one follows another. */
static size_t
tg_path_slashes(tg_str_t path, bool *run)
{
    size_t       n = 0;
    const char  *p = path.p, *next, *end = path.p + path.len;

    *run = false;

    while (p < end && (next = memchr(p, '/', (size_t) (end - p))) != NULL) {
        *run |= next == p && n != 0;
        n++;
        p = next + 1;
    }

    return n;
}


tg_str_t
tg_path_squeeze(tg_str_t path, char *buf, size_t *segments)
{
    int     c;
    bool    run;
    size_t  n = 0;

    *segments = tg_path_slashes(path, &run) + 1;

    if (run || (path.len != 0 && memchr(path.p, '%', path.len) != NULL)) {
        for (size_t i = 0; i < path.len; i++) {
            c = tg_path_octet(path, i);

            if (c >= 0 && tg_path_unreserved(c)) {
                buf[n++] = (char) c;
                i += 2;

            } else if (path.p[i] != '/' || n == 0 || buf[n - 1] != '/') {
                buf[n++] = path.p[i];
            }
        }

        path = tg_str_of(buf, n);
    }

    if (path.len > 1 && path.p[path.len - 1] == '/') {
        path.len--;
        --*segments;
    }

    if (path.len > 1 && path.p[0] == '/') {
        --*segments;
    }

    return path;
}


bool
tg_path_plain(tg_str_t path)
{
    bool    slash, dot;
    size_t  width, dots = 0;
    char    a, b;

    if (path.len == 0
        || (memchr(path.p, '.', path.len) == NULL
            && memchr(path.p, '%', path.len) == NULL
            && memchr(path.p, '#', path.len) == NULL))
    {
        return true;
    }

    /* dots: so many are all of the segment, or 3: it has something else */

    for (size_t i = 0; i < path.len; i += width) {
        width = 1;
        a = path.p[i];
        slash = a == '/';
        dot = a == '.';

        if (a == '#') {
            return false;
        }

        if (a == '%' && path.len - i > 2 && path.p[i + 1] == '2') {
            b = tg_lower(path.p[i + 2]);
            slash = b == 'f';
            dot = b == 'e';
            width = slash || dot ? 3 : 1;
        }

        if (slash) {
            if (dots == 1 || dots == 2) {
                return false;
            }
            dots = 0;

        } else {
            dots = dot && dots < 2 ? dots + 1 : 3;
        }
    }

    return dots != 1 && dots != 2;
}
