#include "tg_guard_regex.h"
#include "tg_expr_int.h"

/* Starts that are tried between two looks at the clock, where nothing in the
 * regex looks at it. */
#define TG_SEARCH_STARTS     (64 * 1024)

/* Bytes between two looks, if what is between two callouts goes through all of
 * the text. */
#define TG_SEARCH_BYTES      (1024 * 1024)

#define TG_SEARCH_EFFORT     10000000   /* PCRE2's own limits, for one start */
#define TG_SEARCH_HEAP_KIB   16384      /* without machine code */

/* Machine code begins on 32 KB of the thread's own stack. */
#define TG_SEARCH_STACK      (64 * 1024)
#define TG_SEARCH_STACK_MAX  (8 * 1024 * 1024)

#define TG_CALLOUT           "(?C)"

struct tg_regex_s {
    pcre2_code            *code;
    bool                   utf;
};

struct tg_search_s {
    tg_str_t               text;
    int64_t              (*clock)(void);
    int64_t                deadline;
    int64_t              (*worked)(void);
    int64_t                enough;
    unsigned               calls;
    unsigned               every;
    bool                   late;
    pcre2_match_context   *context;
    pcre2_match_data      *data;
    pcre2_jit_stack       *stack;       /* NULL: was not needed yet */
};


/* Options with an x in them: blanks and comments are no part of it then. */
static bool
tg_regex_extended(tg_str_t s)
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
tg_regex_odd(tg_str_t s)
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

    return tg_regex_extended(s);
}


/* Behind one escape, class or character. */
static size_t
tg_regex_atom(tg_str_t s, size_t i)
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


/* The length of a quantifier; 0: there is none.  *fixed: it leaves no choice. */
static size_t
tg_regex_times(tg_str_t s, size_t i, bool *fixed)
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
tg_regex_watched(tg_mem_t *mem, tg_str_t s)
{
    bool    fixed;
    char   *to = tg_alloc(mem, s.len * (1 + sizeof(TG_CALLOUT) - 1) + 1);
    size_t  n = 0, i = 0, next, times;

    if (to == NULL) {
        return tg_str_null;
    }

    while (i < s.len) {
        next = tg_regex_atom(s, i);

        /* The ? of a group's head is no quantifier. */

        if (s.p[i] == '(' && next < s.len && s.p[next] == '?') {
            next++;
        }

        memcpy(to + n, s.p + i, next - i);
        n += next - i;
        i = next;

        times = i < s.len && s.p[i - 1] != '(' ? tg_regex_times(s, i, &fixed)
                : 0;

        if (times != 0) {
            memcpy(to + n, s.p + i, times);
            n += times;
            i += times;

            if (!fixed) {
                memcpy(to + n, TG_CALLOUT, sizeof(TG_CALLOUT) - 1);
                n += sizeof(TG_CALLOUT) - 1;
            }
        }
    }

    return tg_str_of(to, n);
}


static bool
tg_regex_characters(tg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((s.p[i] & 0x80)
            || (s.p[i] == '\\' && i + 1 < s.len
                && (s.p[i + 1] == 'p' || s.p[i + 1] == 'P'
                    || s.p[i + 1] == 'X'
                    || (s.p[i + 1] == 'x' && i + 2 < s.len
                        && s.p[i + 2] == '{'))))
        {
            return true;
        }
    }

    return false;
}


static pcre2_code *
tg_regex_code(tg_str_t text, uint32_t options, pcre2_compile_context *context,
    int *error, size_t *at)
{
    return pcre2_compile((PCRE2_SPTR) text.p, text.len, options
                         | PCRE2_DOTALL | PCRE2_NO_AUTO_CAPTURE
                         | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT,
                         error, at, context);
}


static int
tg_regex_make(tg_regex_t *re, tg_mem_t *mem, tg_str_t text, uint32_t options,
    tg_error_t *err)
{
    int                     error;
    size_t                  at;
    tg_str_t                watched;
    pcre2_code             *plain, *code = NULL;
    PCRE2_UCHAR             why[128];
    pcre2_general_context  *general;
    pcre2_compile_context  *context;

    general = pcre2_general_context_create(tg_expr_pcre_alloc,
                                           tg_expr_pcre_free, mem);
    context = general == NULL ? NULL : pcre2_compile_context_create(general);

    if (context == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    plain = tg_regex_code(text, options, context, &error, &at);

    if (plain == NULL) {
        (void) pcre2_get_error_message(error, why, sizeof(why));
        return tg_expr_caret(text, at, err, "in this regex: %s",
                             (const char *) why);
    }

    if (!tg_regex_odd(text)) {
        watched = tg_regex_watched(mem, text);
        code = watched.p == NULL ? NULL
               : tg_regex_code(watched, options, context, &error, &at);
    }

    if (code == NULL) {
        code = tg_regex_code(text, options | PCRE2_AUTO_CALLOUT, context,
                             &error, &at);
    }

    pcre2_code_free(plain);

    if (code == NULL) {
        return tg_error(err, 0, 0, "this regex is too large");
    }

    (void) pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    re->code = code;

    return TG_OK;
}


tg_regex_t *
tg_regex_compile(tg_mem_t *mem, tg_str_t text, bool caseless, tg_error_t *err)
{
    uint32_t     options;
    tg_regex_t  *re = tg_zalloc(mem, sizeof(tg_regex_t));

    if (re == NULL) {
        (void) tg_error(err, 0, 0, "no memory");
        return NULL;
    }

    if (text.len == 0 || text.len > TG_REGEX_LEN_MAX) {
        (void) tg_error(err, 0, 0, "a regex has from 1 to %d bytes",
                        TG_REGEX_LEN_MAX);
        return NULL;
    }

    re->utf = tg_regex_characters(text);
    options = (caseless ? PCRE2_CASELESS : 0) | (re->utf ? PCRE2_UTF : 0);

    return tg_regex_make(re, mem, text, options, err) == TG_OK ? re : NULL;
}


void
tg_regex_destroy(tg_regex_t *re)
{
    if (re != NULL) {
        pcre2_code_free(re->code);
        re->code = NULL;
    }
}


void
tg_search_works(tg_search_t *s, int64_t (*worked)(void), int64_t ns)
{
    s->worked = worked;
    s->enough = worked() + ns;
}


bool
tg_search_late(tg_search_t *s)
{
    int64_t  now, left = 0;

    if (s->late || s->clock == NULL) {
        return s->late;
    }

    now = s->clock();

    if (now <= s->deadline) {
        return false;
    }

    if (s->worked != NULL) {
        left = s->enough - s->worked();
    }

    if (left > 0) {
        s->deadline = now + left;
        return false;
    }

    s->late = true;

    return true;
}


static int
tg_search_callout(pcre2_callout_block *block, void *data)
{
    tg_search_t  *s = data;

    (void) block;

    return ++s->calls % s->every == 0 && tg_search_late(s)
           ? PCRE2_ERROR_CALLOUT : 0;
}


tg_search_t *
tg_search_create(tg_mem_t *mem, tg_str_t text, int64_t (*clock)(void),
    int64_t deadline)
{
    tg_search_t  *s = tg_zalloc(mem, sizeof(tg_search_t));

    if (s == NULL) {
        return NULL;
    }

    s->text = text.len == 0 ? tg_str("") : text;
    s->clock = clock;
    s->deadline = deadline;
    s->every = (unsigned) (TG_SEARCH_BYTES / (text.len + 1)) + 1;
    s->context = pcre2_match_context_create(NULL);
    s->data = pcre2_match_data_create(1, NULL);

    if (s->context == NULL || s->data == NULL) {
        tg_search_destroy(s);
        return NULL;
    }

    (void) pcre2_set_match_limit(s->context, TG_SEARCH_EFFORT);
    (void) pcre2_set_heap_limit(s->context, TG_SEARCH_HEAP_KIB);
    (void) pcre2_set_callout(s->context, tg_search_callout, s);

    return s;
}


void
tg_search_destroy(tg_search_t *s)
{
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    s->stack = NULL;
    s->data = NULL;
    s->context = NULL;
}


/* Starts in [at, last]. */
static int
tg_search_window(tg_search_t *s, const tg_regex_t *re, size_t at, size_t last,
    uint32_t options)
{
    int  rc;

    (void) pcre2_set_offset_limit(s->context, last);

    rc = pcre2_match(re->code, (PCRE2_SPTR) s->text.p, s->text.len, at,
                     options | PCRE2_NO_UTF_CHECK, s->data, s->context);

    if (rc != PCRE2_ERROR_JIT_STACKLIMIT || s->stack != NULL) {
        return rc;
    }

    s->stack = pcre2_jit_stack_create(TG_SEARCH_STACK, TG_SEARCH_STACK_MAX,
                                      NULL);
    if (s->stack == NULL) {
        return rc;
    }

    pcre2_jit_stack_assign(s->context, NULL, s->stack);

    return tg_search_window(s, re, at, last, options);
}


int
tg_search_next(tg_search_t *s, const tg_regex_t *re, size_t at, size_t *from,
    size_t *to)
{
    int          rc;
    size_t       last, len = s->text.len;
    PCRE2_SIZE  *v = pcre2_get_ovector_pointer(s->data);

    while (at <= len) {
        if (tg_search_late(s)) {
            return TG_ERROR;
        }

        last = len - at < TG_SEARCH_STARTS ? len : at + TG_SEARCH_STARTS;

        while (last < len && (s->text.p[last] & 0xc0) == 0x80) {
            last++;
        }

        rc = tg_search_window(s, re, at, last, PCRE2_NOTEMPTY);

        if (rc >= 0) {
            *from = v[0];
            *to = v[1];
            return TG_OK;
        }

        if (rc != PCRE2_ERROR_NOMATCH) {
            return TG_ERROR;
        }

        at = last + 1;
        while (at < len && (s->text.p[at] & 0xc0) == 0x80) {
            at++;
        }
    }

    return TG_DECLINED;
}
