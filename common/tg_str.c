#include "tg_str.h"


void
tg_str_lower(char *to, tg_str_t s)
{
    size_t    i;
    uint64_t  w;

    if (s.len < sizeof(w)) {
        for (i = 0; i < s.len; i++) {
            to[i] = tg_lower(s.p[i]);
        }
        return;
    }

    for (i = 0; i < s.len - sizeof(w); i += sizeof(w)) {
        memcpy(&w, s.p + i, sizeof(w));
        w = tg_lower8(w);
        memcpy(to + i, &w, sizeof(w));
    }

    memcpy(&w, s.p + s.len - sizeof(w), sizeof(w));
    w = tg_lower8(w);
    memcpy(to + s.len - sizeof(w), &w, sizeof(w));
}


bool
tg_str_match(tg_str_t s, tg_str_t pattern)
{
    size_t       i = 0, k = 0, star = SIZE_MAX, mark = 0;
    const char  *first, *next;

    first = pattern.len == 0 ? NULL : memchr(pattern.p, '*', pattern.len);

    if (first == NULL) {
        return tg_str_eq(s, pattern);
    }

    i = k = (size_t) (first - pattern.p);

    if (s.len < i || (i != 0 && memcmp(s.p, pattern.p, i) != 0)) {
        return false;
    }

    while (i < s.len) {
        if (k < pattern.len && pattern.p[k] == '*') {
            star = k++;
            mark = i;

            if (k == pattern.len) {
                return true;
            }

        } else if (k < pattern.len && pattern.p[k] == s.p[i]) {
            i++;
            k++;

        } else if (star != SIZE_MAX) {
            k = star + 1;
            next = pattern.p[k] == '*' ? s.p + mark + 1
                   : memchr(s.p + mark + 1, pattern.p[k], s.len - mark - 1);

            if (next == NULL) {
                return false;
            }

            i = mark = (size_t) (next - s.p);

        } else {
            return false;
        }
    }

    while (k < pattern.len && pattern.p[k] == '*') {
        k++;
    }

    return k == pattern.len;
}


int64_t
tg_str_int(tg_str_t s)
{
    int64_t  v = 0;

    if (s.len == 0 || s.len > 18) {
        return -1;
    }

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return -1;
        }
        v = v * 10 + (s.p[i] - '0');
    }

    return v;
}


tg_str_t
tg_str_trim(tg_str_t s)
{
    while (s.len != 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.len--;
    }

    while (s.len != 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t')) {
        s.len--;
    }

    return s;
}


bool
tg_str_is_name(tg_str_t s)
{
    if (s.len == 0 || s.len > TG_STR_NAME_MAX) {
        return false;
    }

    for (size_t i = 0; i < s.len; i++) {
        char  c = tg_lower(s.p[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'
              || c == '-'))
        {
            return false;
        }
    }

    return true;
}


bool
tg_str_cut(tg_str_t *list, char sep, tg_str_t *s)
{
    const char  *p = list->len == 0 ? NULL : memchr(list->p, sep, list->len);

    *s = *list;

    if (p == NULL) {
        *list = tg_str_null;
        return false;
    }

    s->len = (size_t) (p - s->p);
    *list = tg_str_of(p + 1, list->len - s->len - 1);

    return true;
}
