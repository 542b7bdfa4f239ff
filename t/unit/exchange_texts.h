/*
 * exchange_texts.h - every JSON text in an exchange, given to the scanner and to
 * jansson, with all the paths that the APIs' tables want.
 *
 * Texts are a body; a server-sent event's data; a line of NDJSON; an element of
 * a root array; a frame's payload in an AWS event stream, and what that has in
 * base64.  Bodies that are a sequence of documents are read as such, too.
 */

#ifndef EXCHANGE_TEXTS_H
#define EXCHANGE_TEXTS_H

#include "exchange.h"
#include "json_oracle.h"
#include "tg_base64.h"
#include "tg_dialect_int.h"
#include "tg_eventstream.h"
#include "tg_sse.h"

#define TEXTS_SETS  8       /* of paths: there may be 64 names in an object */
#define TEXTS_MAX   1024    /* paths in one of them */

/* The same paths thrice: lengths alone of what is long, as the tables have it;
 * with their values; as text. */
enum { TEXTS_TABLES, TEXTS_VALUES, TEXTS_PIECES, TEXTS_WAYS };

typedef struct {
    oracle_t        oracle[TEXTS_SETS][TEXTS_WAYS];
    size_t          nsets;
    size_t          npaths;
    uint64_t        texts;
    uint64_t        differ;     /* of them */
    oracle_tally_t  tally;      /* its differ is not used */
    watch_t         gathered;   /* the text that comes in pieces */
} texts_t;

typedef struct {
    tg_json_want_t  want[TEXTS_MAX];
    size_t          n;
} texts_set_t;


static bool
texts_has(const texts_set_t *set, const char *path)
{
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(set->want[i].path, path) == 0) {
            return true;
        }
    }

    return false;
}


/* Adds what is not in one of the sets yet; false where it doesn't fit into the
 * last, which is left as it was. */
static bool
texts_add(texts_set_t *sets, size_t nsets, const tg_json_want_t *wants,
    size_t n)
{
    texts_set_t  *set = &sets[nsets - 1];
    tg_arena_t   *arena = tg_arena_create(0);
    size_t        was = set->n, k;
    oracle_t      o;
    tg_error_t    err;
    bool          fits = true;

    for (size_t i = 0; i < n && fits; i++) {
        for (k = 0; k < nsets && !texts_has(&sets[k], wants[i].path); k++) {
            /* void */
        }

        if (k == nsets) {
            fits = set->n < TEXTS_MAX;
            if (fits) {
                set->want[set->n++] = wants[i];
            }
        }
    }

    fits = fits && oracle_init(&o, tg_arena_mem(arena), set->want, set->n,
                               &err);
    if (!fits) {
        set->n = was;
    }

    tg_arena_destroy(arena);

    return fits;
}


static bool
texts_compile(texts_t *t, tg_mem_t *mem, texts_set_t *set, tg_error_t *err)
{
    oracle_t  *oracle = t->oracle[t->nsets];

    for (size_t way = 0; way < TEXTS_WAYS; way++) {
        for (size_t i = 0; i < set->n && way != TEXTS_TABLES; i++) {
            set->want[i].options = way == TEXTS_PIECES ? TG_JSON_TEXT : 0;
        }

        if (!oracle_init(&oracle[way], mem, set->want, set->n, err)) {
            return false;
        }
    }

    t->npaths += set->n;
    t->nsets++;

    return true;
}


/* All that the tables want, in as few sets as can be; after
 * tg_dialect_setup(). */
static inline bool
texts_init(texts_t *t, tg_mem_t *mem, tg_error_t *err)
{
    texts_set_t     *sets = calloc(TEXTS_SETS, sizeof(texts_set_t));
    tg_json_want_t   wants[TG_WANTS_MAX] = { { "bytes", 0, TG_JSON_TEXT } };
    const tg_api_t  *api;
    ptrdiff_t        n = 1;
    size_t           used = 1;
    bool             ok = sets != NULL && texts_add(sets, 1, wants, 1);

    memset(t, 0, sizeof(texts_t));

    for (size_t i = 0; i < 2 * tg_apis() && ok; i++) {
        api = tg_api_at(i / 2);
        n = tg_wants_gather(i % 2 ? api->answer : api->request, wants,
                            TG_WANTS_MAX);

        if (n > 0 && !texts_add(sets, used, wants, (size_t) n)) {
            ok = used < TEXTS_SETS
                 && texts_add(sets, ++used, wants, (size_t) n);
        }
    }

    for (size_t i = 0; i < used && ok; i++) {
        ok = texts_compile(t, mem, &sets[i], err);
    }

    free(sets);

    return ok;
}


static inline void
texts_done(texts_t *t)
{
    free(t->gathered.p);
}


/* flags: as of oracle_compare(); a NUL follows the text. */
static void
texts_give(texts_t *t, unsigned flags, const char *text, size_t len)
{
    oracle_tally_t  one;
    int             point;

    t->texts++;

    for (size_t i = 0; i < t->nsets * TEXTS_WAYS; i++) {
        memset(&one, 0, sizeof(one));
        point = oracle_compare(&t->oracle[i / TEXTS_WAYS][i % TEXTS_WAYS],
                               flags, text, len, &one);

        if (point == ORACLE_DIFFER) {
            t->differ++;
            return;
        }

        if (i % TEXTS_WAYS == TEXTS_VALUES) {
            t->tally.values += one.values;
        }

        if (i == 0) {
            t->tally.refused += one.refused;
            t->tally.repeated += one.repeated;
            t->tally.point[point] += point != J_SAME;
        }
    }
}


static int
texts_sse(void *data, const tg_sse_t *s, tg_sse_type_t type, const char *p,
    size_t n)
{
    texts_t  *t = data;

    if (type == TG_SSE_DATA) {
        watch_add(&t->gathered, p, n);

    } else if (s->has_data) {
        texts_give(t, 0, t->gathered.p, t->gathered.len);
        watch_clear(&t->gathered);
    }

    return 0;
}


/* What InvokeModel's frames have within: {"bytes":"..."}. */
static void
texts_wrapped(texts_t *t, const watch_t *frame)
{
    json_t       *root = json_loadb(frame->p, frame->len, 0, NULL);
    json_t       *bytes = json_object_get(root, "bytes");
    tg_base64_t   base64 = { 0 };
    char         *text;
    ptrdiff_t     n;

    if (json_is_string(bytes)) {
        text = malloc(json_string_length(bytes) + 1);
        if (text == NULL) {
            abort();
        }

        n = tg_base64_feed(&base64, json_string_value(bytes),
                           json_string_length(bytes), text);

        if (n >= 0) {
            text[n] = '\0';
            texts_give(t, 0, text, (size_t) n);
        }

        free(text);
    }

    json_decref(root);
}


static int
texts_frame(void *data, tg_eventstream_type_t type, tg_str_t name,
    tg_str_t value)
{
    texts_t  *t = data;

    (void) name;

    if (type == TG_EVENTSTREAM_PAYLOAD) {
        watch_add(&t->gathered, value.p, value.len);

    } else if (type == TG_EVENTSTREAM_END && t->gathered.len != 0) {
        texts_give(t, 0, t->gathered.p, t->gathered.len);
        texts_wrapped(t, &t->gathered);
        watch_clear(&t->gathered);
    }

    return 0;
}


/* A line at p, of n bytes at most, becomes the gathered text; the length with
 * its newline. */
static size_t
texts_line(texts_t *t, const char *p, size_t n)
{
    const char  *end = memchr(p, '\n', n);
    size_t       len = end != NULL ? (size_t) (end - p) : n;

    watch_clear(&t->gathered);
    watch_add(&t->gathered, p, len);

    return end != NULL ? len + 1 : len;
}


/* True where the first line is a document, and not the only one. */
static bool
texts_are_lines(texts_t *t, const blob_t *body)
{
    size_t   n = texts_line(t, body->p, body->len);
    json_t  *first = json_loadb(t->gathered.p, t->gathered.len, 0, NULL);

    json_decref(first);

    return first != NULL && n < body->len;
}


/* A body that is one document or more: as it is, as a sequence, and line by
 * line. */
static void
texts_documents(texts_t *t, const blob_t *body)
{
    char    first = body->p[strspn(body->p, " \t\r\n")];
    size_t  at = 0;

    texts_give(t, 0, body->p, body->len);

    if (first == '[') {
        texts_give(t, TG_JSON_ELEMENTS, body->p, body->len);
    }

    if (first == '{') {
        texts_give(t, TG_JSON_LINES, body->p, body->len);
    }

    if (first == '{' && texts_are_lines(t, body)) {
        while (at < body->len) {
            at += texts_line(t, body->p + at, body->len - at);
            texts_give(t, 0, t->gathered.p, t->gathered.len);
        }
    }

    watch_clear(&t->gathered);
}


static bool
texts_is_sse(const exchange_t *x)
{
    static const char  *const fields[] = { "data:", "event:", "id:", ":" };
    size_t              blank = strspn(x->response.p, " \t\r\n");

    if (tg_str_match(x->response_type, tg_str("text/event-stream*"))) {
        return x->response.p[blank] != '{' && x->response.p[blank] != '[';
    }

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strncmp(x->response.p + blank, fields[i], strlen(fields[i]))
            == 0)
        {
            return true;
        }
    }

    return false;
}


/* Gives all of an exchange's texts; t->differ tells of disagreement. */
static inline void
exchange_texts(texts_t *t, const exchange_t *x)
{
    tg_eventstream_t  frames;
    tg_sse_t          sse;

    watch_clear(&t->gathered);

    if (x->request.p != NULL
        && !tg_str_match(x->request_type, tg_str("multipart/*")))
    {
        texts_documents(t, &x->request);
    }

    if (tg_str_match(x->response_type,
                     tg_str("application/vnd.amazon.eventstream*")))
    {
        tg_eventstream_init(&frames, texts_frame, t);
        (void) tg_eventstream_feed(&frames, x->response.p, x->response.len);

    } else if (texts_is_sse(x)) {
        tg_sse_init(&sse, texts_sse, t);
        (void) tg_sse_feed(&sse, x->response.p, x->response.len);
        (void) tg_sse_finish(&sse);

    } else {
        texts_documents(t, &x->response);
    }
}

#endif /* EXCHANGE_TEXTS_H */
