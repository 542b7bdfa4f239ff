#include "tg_str.h"

bool
tg_str_match(tg_str_t s, tg_str_t pattern)
{
    size_t  i = 0, k = 0, star = SIZE_MAX, mark = 0;

    while (i < s.len) {
        if (k < pattern.len && pattern.p[k] == '*') {
            star = k++;
            mark = i;

        } else if (k < pattern.len && pattern.p[k] == s.p[i]) {
            i++;
            k++;

        } else if (star != SIZE_MAX) {
            k = star + 1;
            i = ++mark;

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
