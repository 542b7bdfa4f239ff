#include "tg_guard_regex.h"
#include "tg_expr_int.h"
#include "tg_regex_watch.h"

/* Starts that are tried between two looks at the clock, where nothing in the
 * regex looks at it. */
#define TG_SEARCH_STARTS     (64 * 1024)

#define TG_SEARCH_EFFORT     10000000   /* PCRE2's own limits, for one start */
#define TG_SEARCH_HEAP_KIB   16384      /* without machine code */

/* Machine code begins on 32 KB of the thread's own stack. */
#define TG_SEARCH_STACK      (64 * 1024)
#define TG_SEARCH_STACK_MAX  (8 * 1024 * 1024)

struct tg_regex_s {
    pcre2_code            *code;
    bool                   utf;
};

struct tg_search_s {
    tg_str_t               text;
    tg_watch_t             watch;
    pcre2_match_context   *context;
    pcre2_match_data      *data;
    pcre2_jit_stack       *stack;       /* NULL: was not needed yet */
};


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


static int
tg_regex_make(tg_regex_t *re, tg_mem_t *mem, tg_str_t text, uint32_t options,
    tg_error_t *err)
{
    int                     error;
    size_t                  at;
    PCRE2_UCHAR             why[128];
    pcre2_general_context  *general;
    pcre2_compile_context  *context;

    general = pcre2_general_context_create(tg_expr_pcre_alloc,
                                           tg_expr_pcre_free, mem);
    context = general == NULL ? NULL : pcre2_compile_context_create(general);

    if (context == NULL) {
        return tg_error(err, 0, 0, "no memory");
    }

    re->code = tg_watch_compile(mem, text, options | PCRE2_USE_OFFSET_LIMIT,
                                context, &error, &at);

    if (re->code == NULL) {
        (void) pcre2_get_error_message(error, why, sizeof(why));
        return tg_expr_caret(text, at, err, "in this regex: %s",
                             (const char *) why);
    }

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
    s->watch.worked = worked;
    s->watch.enough = worked() + ns;
}


bool
tg_search_late(tg_search_t *s)
{
    return tg_watch_late(&s->watch);
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
    s->watch.clock = clock;
    s->watch.deadline = deadline;
    tg_watch_text(&s->watch, text.len);
    s->context = pcre2_match_context_create(NULL);
    s->data = pcre2_match_data_create(1, NULL);

    if (s->context == NULL || s->data == NULL) {
        tg_search_destroy(s);
        return NULL;
    }

    (void) pcre2_set_match_limit(s->context, TG_SEARCH_EFFORT);
    (void) pcre2_set_heap_limit(s->context, TG_SEARCH_HEAP_KIB);
    (void) pcre2_set_callout(s->context, tg_watch_callout, &s->watch);

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
