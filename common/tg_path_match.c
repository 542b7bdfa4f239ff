#include "tg_dialect_int.h"


/* Splits the last segment off. */
static tg_str_t
tg_last_segment(tg_str_t *s)
{
    size_t    n = s->len;
    tg_str_t  last;

    while (n > 0 && s->p[n - 1] != '/') {
        n--;
    }

    last = tg_str_of(s->p + n, s->len - n);
    s->len = n == 0 ? 0 : n - 1;

    return last;
}


/* A colon may be encoded, and is, by some clients. */
static bool
tg_ends_with_verb(tg_str_t s, tg_str_t verb, size_t *n)
{
    const char  *p;

    if (tg_str_ends(s, verb)) {
        *n = verb.len;
        return true;
    }

    if (verb.len == 0 || verb.p[0] != ':' || s.len < verb.len + 2) {
        return false;
    }

    *n = verb.len + 2;
    p = s.p + s.len - *n;

    return p[0] == '%' && p[1] == '3' && tg_lower(p[2]) == 'a'
           && memcmp(p + 3, verb.p + 1, verb.len - 1) == 0;
}


/* One segment with a model in it. */
static bool
tg_segment_model(tg_str_t pat, size_t open, tg_str_t s, tg_str_t *model)
{
    const char  *close = memchr(pat.p + open, '}', pat.len - open);
    tg_str_t     before, glob, verb;
    size_t       n;

    before = tg_str_of(pat.p, open);
    glob = tg_str_of(pat.p + open + 1, (size_t) (close - pat.p) - open - 1);
    verb = tg_str_of(close + 1, (size_t) (pat.p + pat.len - close) - 1);

    if (!tg_str_starts(s, before)) {
        return false;
    }

    s.p += before.len;
    s.len -= before.len;

    if (!tg_ends_with_verb(s, verb, &n)) {
        return false;
    }

    s.len -= n;

    if ((s.len == 0 && before.len == 0)
        || (glob.len != 0 && !tg_str_match(s, glob)))
    {
        return false;
    }

    *model = s;

    return true;
}


static bool
tg_segment_match(tg_str_t pat, tg_str_t s, tg_str_t *model)
{
    const char  *open;

    if (tg_str_eq(pat, tg_str("*"))) {
        return s.len != 0;
    }

    open = memchr(pat.p, '{', pat.len);

    if (open != NULL) {
        return tg_segment_model(pat, (size_t) (open - pat.p), s, model);
    }

    return tg_str_eq(pat, s)
           || (pat.len != 0 && pat.p[pat.len - 1] == '*'
               && tg_str_match(s, pat));
}


/* Patterns are ours and short: the recursion is as deep as there are "{+}". */
bool
tg_api_path_match(tg_str_t pattern, tg_str_t path, tg_str_t *model)
{
    tg_str_t     seg, rest;
    const char  *end;

    while (pattern.len != 0) {
        seg = tg_last_segment(&pattern);

        if (tg_str_eq(seg, tg_str("{+}"))) {
            end = path.p + path.len;
            rest = path;

            while (rest.len != 0) {
                seg = tg_last_segment(&rest);

                if (rest.len != 0
                    && tg_api_path_match(pattern, rest, model))
                {
                    *model = tg_str_of(seg.p, (size_t) (end - seg.p));
                    return true;
                }
            }

            return false;
        }

        if (path.len == 0
            || !tg_segment_match(seg, tg_last_segment(&path), model))
        {
            return false;
        }
    }

    return true;
}


bool
tg_api_path_ends(tg_str_t pattern, tg_str_t path)
{
    return tg_str_ends(path, pattern)
           && (path.len == pattern.len
               || path.p[path.len - pattern.len - 1] == '/');
}
