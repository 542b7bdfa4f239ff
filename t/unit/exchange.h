/*
 * exchange.h - one call as a directory of files, and what the core reads from
 * it when it comes in pieces.  t/fixtures/README.md has the format.
 */

#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "cut.h"
#include "tg_answer.h"

#include <stdio.h>
#include <stdlib.h>

#define EXCHANGE_PATH  4096
#define EXCHANGE_MAX   (256L * 1024 * 1024)     /* bytes of a file */

/* A file's bytes, and a NUL behind them; p is NULL where there is no file. */
typedef struct {
    char    *p;
    size_t   len;
} blob_t;

typedef struct {
    blob_t    request_meta;
    blob_t    request;
    blob_t    response_meta;
    blob_t    response;
    tg_str_t  method;
    tg_str_t  path;
    tg_str_t  args;
    tg_str_t  host;
    tg_str_t  request_type;
    tg_str_t  response_type;
    unsigned  status;
    bool      apart;        /* feeds each piece from memory of its own, where
                               reading past it is seen by the tools */
} exchange_t;


static inline bool
blob_load(blob_t *b, const char *dir, const char *file)
{
    char   path[EXCHANGE_PATH];
    FILE  *f;
    long   n = -1;

    b->p = NULL;
    b->len = 0;

    if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= EXCHANGE_PATH) {
        return false;
    }

    f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }

    if (fseek(f, 0, SEEK_END) == 0) {
        n = ftell(f);
    }

    if (n >= 0 && n <= EXCHANGE_MAX) {
        rewind(f);
        b->p = malloc((size_t) n + 1);
    }

    if (b->p != NULL) {
        b->len = fread(b->p, 1, (size_t) n, f);
        b->p[b->len] = '\0';
    }

    fclose(f);

    return b->p != NULL;
}


/* Takes a line "name: value" off *p; false at the end. */
static inline bool
meta_next(const char **p, tg_str_t *name, tg_str_t *value)
{
    const char  *line = *p, *end, *colon;

    while (line != NULL && *line != '\0') {
        end = line + strcspn(line, "\r\n");
        colon = memchr(line, ':', (size_t) (end - line));
        *p = end + strspn(end, "\r\n");

        if (colon != NULL) {
            *name = tg_str_of(line, (size_t) (colon - line));
            colon += 1 + strspn(colon + 1, " ");
            *value = colon < end ? tg_str_of(colon, (size_t) (end - colon))
                                 : tg_str("");
            return true;
        }

        line = *p;
    }

    return false;
}


/* The value of a line of that name; empty if there is none. */
static inline tg_str_t
meta_value(const blob_t *meta, const char *name)
{
    const char  *p = meta->p;
    tg_str_t     n, v;

    while (meta_next(&p, &n, &v)) {
        if (tg_str_eq(n, tg_strz(name))) {
            return v;
        }
    }

    return tg_str("");
}


static inline void
exchange_free(exchange_t *x)
{
    free(x->request_meta.p);
    free(x->request.p);
    free(x->response_meta.p);
    free(x->response.p);
}


/* False where a file is missing; exchange_free() it all the same. */
static inline bool
exchange_load(exchange_t *x, const char *dir)
{
    const char  *q;
    int64_t      status;

    memset(x, 0, sizeof(exchange_t));

    if (!blob_load(&x->request_meta, dir, "request.meta")
        || !blob_load(&x->response_meta, dir, "response.meta")
        || !blob_load(&x->response, dir, "response.body"))
    {
        return false;
    }

    if (!blob_load(&x->request, dir, "request.json")) {
        (void) blob_load(&x->request, dir, "request.body");
    }

    x->method = meta_value(&x->request_meta, "method");
    x->path = meta_value(&x->request_meta, "path");
    x->host = meta_value(&x->request_meta, "host");
    x->request_type = meta_value(&x->request_meta, "content-type");
    x->response_type = meta_value(&x->response_meta, "content-type");
    x->args = tg_str("");

    q = memchr(x->path.p, '?', x->path.len);

    if (q != NULL) {
        x->args = tg_str_of(q + 1, x->path.len - (size_t) (q - x->path.p) - 1);
        x->path.len = (size_t) (q - x->path.p);
    }

    status = tg_str_int(meta_value(&x->response_meta, "status"));
    x->status = status > 0 && status < 1000 ? (unsigned) status : 200;

    return true;
}


/* The piece as it is to be fed; given back to exchange_piece_done(). */
static inline char *
exchange_piece(const exchange_t *x, char *p, size_t n)
{
    char  *copy;

    if (!x->apart) {
        return p;
    }

    copy = malloc(n);
    if (copy == NULL) {
        abort();
    }

    return memcpy(copy, p, n);
}


static inline void
exchange_piece_done(const exchange_t *x, char *p)
{
    if (x->apart) {
        free(p);
    }
}


/* The request, read to its end; d becomes the call's dialect. */
static inline tg_request_t *
exchange_ask(const exchange_t *x, tg_mem_t *mem, tg_dialect_t *d, cut_t cut)
{
    tg_request_t  *r;
    size_t         n;
    char          *p;

    tg_dialect_recognise(d, mem, x->method, x->path, x->args, x->host, NULL);
    r = tg_request_create(mem, d, x->request_type, tg_str(""), NULL, NULL);

    for (size_t i = 0; i < x->request.len; i += n) {
        n = cut_piece(cut, i, x->request.len);
        p = exchange_piece(x, x->request.p + i, n);
        (void) tg_request_feed(r, p, n);
        exchange_piece_done(x, p);
    }

    (void) tg_request_finish(r);

    return r;
}


/* The answer, read to its end; asked must outlive it. */
static inline tg_answer_t *
exchange_answer(const exchange_t *x, tg_mem_t *mem, const tg_dialect_t *d,
    const tg_request_info_t *asked, cut_t cut)
{
    const char   *meta = x->response_meta.p;
    tg_answer_t  *a;
    tg_str_t      name, value;
    size_t        n;
    char         *p;

    a = tg_answer_create(mem, d, asked, x->status, x->response_type);

    while (meta_next(&meta, &name, &value)) {
        tg_answer_header(a, name, value);
    }

    for (size_t i = 0; i < x->response.len; i += n) {
        n = cut_piece(cut, i, x->response.len);
        p = exchange_piece(x, x->response.p + i, n);
        tg_answer_feed(a, p, n);
        exchange_piece_done(x, p);
    }

    tg_answer_finish(a);

    return a;
}


#define DIFFERS(member)                                                       \
    do {                                                                      \
        if (a->member != b->member) {                                         \
            return #member;                                                   \
        }                                                                     \
    } while (0)

#define DIFFERS_STR(member)                                                   \
    do {                                                                      \
        if (!tg_str_eq(a->member, b->member)) {                               \
            return #member;                                                   \
        }                                                                     \
    } while (0)


static inline const char *
member_difference(const tg_member_t *a, const tg_member_t *b)
{
    DIFFERS(key);
    DIFFERS(start);
    DIFFERS(end);
    DIFFERS(comma);
    DIFFERS(next);

    return NULL;
}


/* The first thing in which two readings differ, or NULL. */
static inline const char *
request_difference(const tg_request_t *r, const tg_request_t *s)
{
    const tg_request_info_t  *a = tg_request_info(r);
    const tg_request_info_t  *b = tg_request_info(s);

    if (tg_request_error(r)->code != tg_request_error(s)->code
        || tg_request_error(r)->offset != tg_request_error(s)->offset
        || strcmp(tg_request_error(r)->message, tg_request_error(s)->message))
    {
        return "error";
    }

    if (tg_request_inspected(r) != tg_request_inspected(s)) {
        return "inspected";
    }

    DIFFERS_STR(model);
    DIFFERS(stream);
    DIFFERS(include_usage);
    DIFFERS(background);
    DIFFERS(has_tools);
    DIFFERS(has_images);
    DIFFERS(has_audio);
    DIFFERS(has_schema);
    DIFFERS(max_tokens);
    DIFFERS(n);
    DIFFERS(thinking_budget);
    DIFFERS(messages);
    DIFFERS(system_bytes);
    DIFFERS(text_bytes);
    DIFFERS(elsewhere);
    DIFFERS(uses);
    DIFFERS(pictures);
    DIFFERS(media_bytes);
    DIFFERS(sound_bytes);
    DIFFERS(prediction_bytes);
    DIFFERS(query_bytes);
    DIFFERS_STR(service_tier);
    DIFFERS_STR(user);
    DIFFERS_STR(stream_options);
    DIFFERS(stream_options_cut);
    DIFFERS(root_end);
    DIFFERS(root_empty);
    DIFFERS(bytes);

    return member_difference(&a->model_member, &b->model_member) != NULL
           ? "model_member"
           : member_difference(&a->stream_options_member,
                               &b->stream_options_member) != NULL
             ? "stream_options_member" : NULL;
}


static inline const char *
extra_difference(const tg_usage_extra_t *a, const tg_usage_extra_t *b)
{
    for ( /* void */ ; a != NULL && b != NULL; a = a->next, b = b->next) {
        DIFFERS_STR(type);
        DIFFERS_STR(model);
        DIFFERS(input);
        DIFFERS(cache_read);
        DIFFERS(cache_write);
        DIFFERS(cache_write_5m);
        DIFFERS(cache_write_1h);
        DIFFERS(output);
    }

    return a != b ? "extras" : NULL;
}


static inline const char *
usage_difference(const tg_usage_t *a, const tg_usage_t *b)
{
    DIFFERS(source);
    DIFFERS(input);
    DIFFERS(cache_read);
    DIFFERS(cache_write);
    DIFFERS(cache_write_5m);
    DIFFERS(cache_write_1h);
    DIFFERS(audio_input);
    DIFFERS(image_input);
    DIFFERS(output);
    DIFFERS(reasoning);
    DIFFERS(audio_output);
    DIFFERS(image_output);
    DIFFERS(billed_input);
    DIFFERS(billed_output);
    DIFFERS(web_searches);
    DIFFERS(web_fetches);
    DIFFERS(search_units);
    DIFFERS(images);
    DIFFERS(duration_ms);
    DIFFERS(characters);
    DIFFERS(pages);
    DIFFERS(provider_cost);

    return extra_difference(a->extra, b->extra);
}


static inline const char *
answer_difference(const tg_answer_t *s, const tg_answer_t *t)
{
    const tg_answer_info_t  *a = tg_answer_info(s), *b = tg_answer_info(t);

    DIFFERS_STR(model);
    DIFFERS_STR(id);
    DIFFERS_STR(service_tier);
    DIFFERS(nfinish);

    for (unsigned i = 0; i < a->nfinish; i++) {
        DIFFERS_STR(finish[i]);
    }

    DIFFERS(tool_calls);
    DIFFERS_STR(error_type);
    DIFFERS(error);
    DIFFERS(complete);
    DIFFERS(stream);
    DIFFERS(bytes);
    DIFFERS(text_bytes);
    DIFFERS(events);

    return usage_difference(&a->usage, &b->usage);
}

#undef DIFFERS
#undef DIFFERS_STR


/* Which cuts to try of a body. */
typedef struct {
    size_t    all;          /* up to this length each position */
    size_t    edge;         /* else each of the first and last so many bytes */
    size_t    spread;       /* and this many evenly spread between */
} split_plan_t;

typedef struct {
    uint64_t  tried;
    uint64_t  differ;
} splits_t;

/* Told of a cut of `what` after which `field` is another. */
typedef void (*split_miss_t)(void *data, const char *what, size_t at,
    const char *field);


static inline size_t
split_next(const split_plan_t *plan, size_t at, size_t len)
{
    size_t  last = len - plan->edge, step;

    if (len <= plan->all || len <= 2 * plan->edge || at < plan->edge
        || at >= last)
    {
        return at + 1;
    }

    step = (last - plan->edge) / plan->spread + 1;

    return last - at > step ? at + step : last;
}


static inline const char *
split_request(const exchange_t *x, const tg_request_t *whole, cut_t cut)
{
    tg_arena_t    *arena = tg_arena_create(0);
    tg_dialect_t   d;
    const char    *field;

    field = request_difference(whole,
                               exchange_ask(x, tg_arena_mem(arena), &d, cut));
    tg_arena_destroy(arena);

    return field;
}


static inline const char *
split_answer(const exchange_t *x, const tg_dialect_t *d,
    const tg_request_info_t *asked, const tg_answer_t *whole, cut_t cut)
{
    tg_arena_t  *arena = tg_arena_create(0);
    const char  *field;

    field = answer_difference(whole,
                              exchange_answer(x, tg_arena_mem(arena), d, asked,
                                              cut));
    tg_arena_destroy(arena);

    return field;
}


static inline void
split_count(splits_t *s, const char *what, size_t at, const char *field,
    split_miss_t miss, void *data)
{
    s->tried++;

    if (field != NULL) {
        s->differ++;
        miss(data, what, at, field);
    }
}


/*
 * Reads the exchange with each body cut into two, and byte by byte (told as cut
 * at 0): all must be read as the whole is.
 */
static inline void
exchange_splits(const exchange_t *x, const split_plan_t *plan, splits_t *s,
    split_miss_t miss, void *data)
{
    const cut_t                whole = { 0, 0 }, bytes = { 0, 1 };
    tg_arena_t                *arena = tg_arena_create(0);
    tg_mem_t                  *mem = tg_arena_mem(arena);
    tg_dialect_t               d;
    const tg_request_t        *r = exchange_ask(x, mem, &d, whole);
    const tg_request_info_t   *asked = tg_request_info(r);
    const tg_answer_t         *a = exchange_answer(x, mem, &d, asked, whole);
    size_t                     len = x->request.len, at;

    split_count(s, "request", 0, split_request(x, r, bytes), miss, data);

    for (at = 1; at < len; at = split_next(plan, at, len)) {
        split_count(s, "request", at, split_request(x, r, (cut_t) { at, 0 }),
                    miss, data);
    }

    len = x->response.len;
    split_count(s, "response", 0, split_answer(x, &d, asked, a, bytes), miss,
                data);

    for (at = 1; at < len; at = split_next(plan, at, len)) {
        split_count(s, "response", at,
                    split_answer(x, &d, asked, a, (cut_t) { at, 0 }), miss,
                    data);
    }

    tg_arena_destroy(arena);
}

#endif /* EXCHANGE_H */
