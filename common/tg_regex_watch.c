#include "tg_regex_watch.h"

/* Callouts between two looks; each where the text is long. */
#define TG_WATCH_CALLS  16
#define TG_WATCH_LONG   (64 * 1024)

#define TG_WATCH_MARK   "(?C)"


/* Options with an x in them: blanks and comments are no part of it then. */
static bool
tg_watch_extended(tg_str_t s)
{
    for (size_t i = 0; i + 2 < s.len; i++) {
        if (s.p[i] != '(' || s.p[i + 1] != '?') {
            continue;
        }

        for (size_t k = i + 2; k < s.len && s.p[k] >= 'a' && s.p[k] <= 'z';
             k++)
        {
            if (s.p[k] == 'x') {
                return true;
            }
        }
    }

    return false;
}


/* What has more in it than is looked for below. */
static bool
tg_watch_odd(tg_str_t s)
{
    static const char *const  odd[] = {
        "(*", "(?#", "(?C", "(?(", "(?+", "(?-", "(?*", "(?<*", "(?&", "(?P",
        "(?R", "(?^", "\\g", "\\k", "\\Q", "\\E", "\\K", "[[", "[:", "[.", "[="
    };

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        size_t  n = strlen(odd[i]);

        for (size_t k = 0; k + n <= s.len; k++) {
            if (memcmp(s.p + k, odd[i], n) == 0) {
                return true;
            }
        }
    }

    return tg_watch_extended(s);
}


/* Behind one escape, class or character. */
static size_t
tg_watch_atom(tg_str_t s, size_t i)
{
    if (s.p[i] == '\\' && i + 1 < s.len) {
        i += 2;

        if (i < s.len && s.p[i] == '{'
            && memchr("xopPN", s.p[i - 1], 5) != NULL)
        {
            while (i < s.len && s.p[i] != '}') {
                i++;
            }
            i++;
        }

        return i < s.len ? i : s.len;
    }

    if (s.p[i] != '[') {
        return i + 1;
    }

    i++;
    i += i < s.len && s.p[i] == '^';
    i += i < s.len && s.p[i] == ']';

    while (i < s.len && s.p[i] != ']') {
        i += s.p[i] == '\\' ? 2 : 1;
    }

    return i < s.len ? i + 1 : s.len;
}


/* The length of a quantifier; 0: there is none.  *fixed: it is no choice. */
static size_t
tg_watch_times(tg_str_t s, size_t i, bool *fixed)
{
    size_t  n = 1;
    bool    digits = false;

    *fixed = false;

    if (s.p[i] == '{') {
        *fixed = true;

        while (i + n < s.len && s.p[i + n] != '}') {
            if (s.p[i + n] == ',') {
                *fixed = false;
            } else if (s.p[i + n] < '0' || s.p[i + n] > '9') {
                return 0;
            }
            digits |= s.p[i + n] != ',';
            n++;
        }

        if (i + n == s.len || !digits || s.p[i + 1] == ',') {
            return 0;
        }
        n++;

    } else if (s.p[i] != '*' && s.p[i] != '+' && s.p[i] != '?') {
        return 0;
    }

    if (i + n < s.len && (s.p[i + n] == '?' || s.p[i + n] == '+')) {
        n++;
    }

    return n;
}


/* The regex with a callout behind each quantifier; empty on exhaustion. */
static tg_str_t
tg_watch_marked(tg_mem_t *mem, tg_str_t s)
{
    bool    fixed;
    char   *to = tg_alloc(mem, s.len * (1 + sizeof(TG_WATCH_MARK) - 1) + 1);
    size_t  n = 0, i = 0, next, times;

    if (to == NULL) {
        return tg_str_null;
    }

    while (i < s.len) {
        next = tg_watch_atom(s, i);

        /* The ? of a group's head is no quantifier. */

        if (s.p[i] == '(' && next < s.len && s.p[next] == '?') {
            next++;
        }

        memcpy(to + n, s.p + i, next - i);
        n += next - i;
        i = next;

        times = i < s.len && s.p[i - 1] != '(' ? tg_watch_times(s, i, &fixed)
                : 0;

        if (times != 0) {
            memcpy(to + n, s.p + i, times);
            n += times;
            i += times;

            if (!fixed) {
                memcpy(to + n, TG_WATCH_MARK, sizeof(TG_WATCH_MARK) - 1);
                n += sizeof(TG_WATCH_MARK) - 1;
            }
        }
    }

    return tg_str_of(to, n);
}


static pcre2_code *
tg_watch_code(tg_str_t text, uint32_t options, pcre2_compile_context *context,
    int *error, size_t *at)
{
    return pcre2_compile((PCRE2_SPTR) text.p, text.len, options
                         | PCRE2_DOTALL | PCRE2_NO_AUTO_CAPTURE
                         | PCRE2_NEVER_BACKSLASH_C, error, at, context);
}


pcre2_code *
tg_watch_compile(tg_mem_t *mem, tg_str_t text, uint32_t options,
    pcre2_compile_context *context, int *error, size_t *at)
{
    tg_str_t     marked;
    pcre2_code  *plain, *code = NULL;

    /* As it is written, so that mistakes have their places. */

    plain = tg_watch_code(text, options, context, error, at);

    if (plain == NULL) {
        return NULL;
    }

    if (!tg_watch_odd(text)) {
        marked = tg_watch_marked(mem, text);
        code = marked.p == NULL ? NULL
               : tg_watch_code(marked, options, context, error, at);
    }

    if (code == NULL) {
        code = tg_watch_code(text, options | PCRE2_AUTO_CALLOUT, context,
                             error, at);
    }

    pcre2_code_free(plain);

    if (code != NULL) {

        /* where there is no machine code, it is interpreted */

        (void) pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    }

    return code;
}


void
tg_watch_text(tg_watch_t *w, size_t len)
{
    w->every = len > TG_WATCH_LONG ? 1 : TG_WATCH_CALLS;
}


bool
tg_watch_late(tg_watch_t *w)
{
    int64_t  now, left = 0;

    if (w->late || w->clock == NULL) {
        return w->late;
    }

    now = w->clock();

    if (w->deadline == 0) {
        w->deadline = now + w->budget;
    }

    if (now <= w->deadline) {
        return false;
    }

    if (w->worked != NULL) {
        left = w->enough - w->worked();
    }

    if (left > 0) {
        w->deadline = now + left;
        return false;
    }

    w->late = true;

    return true;
}


int
tg_watch_callout(pcre2_callout_block *block, void *data)
{
    tg_watch_t  *w = data;

    (void) block;

    return ++w->calls % w->every == 0 && tg_watch_late(w)
           ? PCRE2_ERROR_CALLOUT : 0;
}
