#include "tg_dialect_int.h"
#include "tg_path.h"

#include <stdlib.h>

#define TG_PATH_MAX       2048    /* longer ones are of no API */
#define TG_PATTERN_MAX    128
#define TG_METHOD_MAX     16      /* likewise */

/* Families with particular paths before those with general ones. */
static const tg_api_t *(*const  tg_api_tables[])(size_t *n) = {
    tg_apis_google, tg_apis_anthropic, tg_apis_bedrock, tg_apis_other,
    tg_apis_openai
};

#define TG_API_TABLES  (sizeof(tg_api_tables) / sizeof(tg_api_tables[0]))

/* One pattern of one row. */
typedef struct {
    tg_str_t         pattern;
    tg_str_t         methods;       /* words, a blank between */
    const tg_api_t  *api;
    size_t           segments;      /* that a path has at least */
    bool             words;         /* nothing but words and slashes */
} tg_pattern_t;

typedef struct {
    const tg_api_t         *rows[TG_API_TABLES];
    size_t                  nrows[TG_API_TABLES];
    tg_pattern_t            pattern[TG_SUFFIX_MAX];
    tg_suffix_t             suffix[TG_SUFFIX_MAX];
    size_t                  npatterns;
    tg_suffixes_t           ends;
    const tg_json_paths_t  *request[TG_APIS_MAX];
    const tg_json_paths_t  *answer[TG_APIS_MAX];
    const tg_json_paths_t  *wrapper;
} tg_tables_t;

static const tg_tables_t  *tg_tables;

static const tg_json_want_t  tg_want_unknown[] = {
    { "", TG_R_ROOT, 0 },
    { "model", TG_R_MODEL, TG_JSON_MEMBER },
    { "stream", TG_R_STREAM, 0 },
    { NULL, 0, 0 }
};

static const tg_json_want_t  tg_want_wrapper[] = {
    { "bytes", TG_A_BYTES, TG_JSON_TEXT }
};

/* A request of no known API is passed as it is; what it says of model and
 * stream is read if it can be. */
static const tg_api_t  tg_api_unknown[] = {
    { TG_STR("unknown"), TG_OP_UNKNOWN, TG_SHAPE_OPENAI, TG_FAMILY_NONE,
      TG_MERGE_LAST, 0, ~0U, "", "",
      { tg_want_unknown },
      { tg_want_openai_head, tg_want_openai_usage, tg_want_error } }
};

static const tg_str_t  tg_op_table[] = {
    [TG_OP_UNKNOWN] = TG_STR("unknown"),
    [TG_OP_CHAT] = TG_STR("chat"),
    [TG_OP_TEXT_COMPLETION] = TG_STR("text_completion"),
    [TG_OP_GENERATE_CONTENT] = TG_STR("generate_content"),
    [TG_OP_EMBEDDINGS] = TG_STR("embeddings"),
    [TG_OP_RERANK] = TG_STR("rerank"),
    [TG_OP_MODERATION] = TG_STR("moderation"),
    [TG_OP_IMAGE] = TG_STR("image_generation"),
    [TG_OP_TRANSCRIPTION] = TG_STR("transcription"),
    [TG_OP_SPEECH] = TG_STR("speech"),
    [TG_OP_COUNT_TOKENS] = TG_STR("count_tokens"),
    [TG_OP_BATCH] = TG_STR("batch"),
    [TG_OP_RETRIEVE] = TG_STR("retrieve"),
    [TG_OP_CACHE] = TG_STR("cache"),
    [TG_OP_MODELS] = TG_STR("models")
};


size_t
tg_apis(void)
{
    size_t  n, sum = 1;

    for (size_t i = 0; i < TG_API_TABLES; i++) {
        (void) tg_api_tables[i](&n);
        sum += n;
    }

    return sum;
}


const tg_api_t *
tg_api_at(size_t i)
{
    const tg_api_t  *table;
    size_t           n;

    for (size_t k = 0; k < TG_API_TABLES; k++) {
        table = tg_api_tables[k](&n);

        if (i < n) {
            return &table[i];
        }

        i -= n;
    }

    return tg_api_unknown;
}


/* Without the calls of tg_api_at(): this is asked for each call. */
size_t
tg_api_index(const tg_api_t *api)
{
    size_t  base = 0;

    for (size_t k = 0; k < TG_API_TABLES; k++) {
        if (api >= tg_tables->rows[k]
            && api < tg_tables->rows[k] + tg_tables->nrows[k])
        {
            return base + (size_t) (api - tg_tables->rows[k]);
        }

        base += tg_tables->nrows[k];
    }

    return base;
}


const tg_json_paths_t *
tg_api_request_paths(const tg_api_t *api)
{
    return tg_tables == NULL ? NULL : tg_tables->request[tg_api_index(api)];
}


const tg_json_paths_t *
tg_api_answer_paths(const tg_api_t *api)
{
    return tg_tables == NULL ? NULL : tg_tables->answer[tg_api_index(api)];
}


const tg_json_paths_t *
tg_wrapper_paths(void)
{
    return tg_tables == NULL ? NULL : tg_tables->wrapper;
}


ptrdiff_t
tg_wants_gather(const tg_json_want_t *const lists[TG_API_LISTS],
    tg_json_want_t *out, size_t max)
{
    size_t  n = 0;

    for (size_t i = 0; i < TG_API_LISTS && lists[i] != NULL; i++) {
        for (const tg_json_want_t *w = lists[i]; w->path != NULL; w++) {
            if (n == max) {
                return -1;
            }

            out[n++] = *w;
        }
    }

    return (ptrdiff_t) n;
}


static int
tg_dialect_compile(tg_mem_t *mem, const tg_api_t *api,
    const tg_json_want_t *const lists[TG_API_LISTS],
    const tg_json_paths_t **paths, tg_error_t *err)
{
    tg_json_want_t  wants[TG_WANTS_MAX];
    tg_error_t      why;
    ptrdiff_t       n = tg_wants_gather(lists, wants, TG_WANTS_MAX);

    *paths = NULL;

    if (n == 0) {
        return TG_OK;
    }

    if (n < 0) {
        return tg_error(err, 0, 0, "API %s has too many fields",
                        api->name.p);
    }

    *paths = tg_json_paths(mem, wants, (size_t) n, &why);

    if (*paths == NULL) {
        return tg_error(err, why.code, why.offset, "API %s: %s", api->name.p,
                        why.message);
    }

    return TG_OK;
}


/* Takes in the patterns of a row that end in a literal, or the others. */
static int
tg_dialect_patterns(tg_tables_t *t, const tg_api_t *api, bool literal,
    tg_error_t *err)
{
    tg_pattern_t  *pat;
    const char    *p = api->paths;
    tg_str_t       end;
    size_t         n;

    for (p += strspn(p, " "); *p != '\0'; p += n, p += strspn(p, " ")) {
        n = strcspn(p, " ");

        if (t->npatterns == TG_SUFFIX_MAX) {
            return tg_error(err, 0, 0, "API %s has too many paths",
                            api->name.p);
        }

        /* a colon may come encoded */

        for (end = tg_str_of(p + n, 0);
             end.p > p && strchr("*}:", end.p[-1]) == NULL;
             end.len++)
        {
            end.p--;
        }

        if ((end.len != 0) != literal) {
            continue;
        }

        t->suffix[t->npatterns] = tg_suffix_make(end);
        pat = &t->pattern[t->npatterns++];
        pat->pattern = tg_str_of(p, n);
        pat->api = api;
        pat->methods = tg_strz(api->methods);
        pat->words = *p != '/' && strcspn(p, "*{") >= n;
        pat->segments = 1;

        for (size_t i = 0; i < n; i++) {
            pat->segments += p[i] == '/' && i != 0;
        }
    }

    return TG_OK;
}


int
tg_dialect_setup(tg_mem_t *mem, tg_error_t *err)
{
    tg_tables_t     *t;
    const tg_api_t  *api;
    size_t           n = tg_apis();

    t = tg_zalloc(mem, sizeof(tg_tables_t));
    if (t == NULL) {
        return tg_error(err, 0, 0, "out of memory");
    }

    if (n > TG_APIS_MAX) {
        return tg_error(err, 0, 0, "too many APIs");
    }

    for (size_t i = 0; i < TG_API_TABLES; i++) {
        t->rows[i] = tg_api_tables[i](&t->nrows[i]);
    }

    for (size_t i = 0; i < n; i++) {
        api = tg_api_at(i);

        if (tg_dialect_patterns(t, api, true, err) != TG_OK
            || tg_dialect_compile(mem, api, api->request, &t->request[i], err)
               != TG_OK
            || tg_dialect_compile(mem, api, api->answer, &t->answer[i], err)
               != TG_OK)
        {
            return TG_ERROR;
        }
    }

    /* last, as what ends in anything is what takes most time to tell */

    for (size_t i = 0; i < n; i++) {
        if (tg_dialect_patterns(t, tg_api_at(i), false, err) != TG_OK) {
            return TG_ERROR;
        }
    }

    if (tg_suffixes(&t->ends, mem, t->suffix, t->npatterns) != TG_OK) {
        return tg_error(err, 0, 0, "out of memory");
    }

    t->wrapper = tg_json_paths(mem, tg_want_wrapper, 1, err);

    if (t->wrapper == NULL || tg_vendors_setup(mem, err) != TG_OK) {
        return TG_ERROR;
    }

    tg_tables = t;

    return TG_OK;
}


void
tg_dialect_upstream(tg_dialect_t *d, tg_str_t host, const tg_vendor_t *vendor)
{
    if (vendor == NULL) {
        vendor = tg_vendor_by_host(host);

        if (tg_str_eq(vendor->name, tg_str("unknown"))) {
            vendor = tg_vendor_of_family(d->api->family);
        }
    }

    d->vendor = vendor;
}


static bool
tg_method_in(tg_str_t method, tg_str_t list)
{
    const char  *blank;

    if (method.len == 0) {
        return false;
    }

    for ( ;; ) {
        if (tg_str_starts(list, method)
            && (list.len == method.len || list.p[method.len] == ' '))
        {
            return true;
        }

        blank = list.len == 0 ? NULL : memchr(list.p, ' ', list.len);
        if (blank == NULL) {
            return false;
        }

        list.len -= (size_t) (blank - list.p) + 1;
        list.p = blank + 1;
    }
}


static tg_str_t
tg_model_decode(tg_mem_t *mem, tg_str_t s)
{
    static const tg_str_t  named[] = {
        TG_STR("arn:*:foundation-model/*"), TG_STR("arn:*:inference-profile/*")
    };

    char    *p = tg_alloc(mem, s.len + 1);
    size_t   n = 0;
    char     hex[3] = { 0 };

    if (p == NULL) {
        return tg_str_null;
    }

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '%' && s.len - i > 2
            && strspn(memcpy(hex, s.p + i + 1, 2), "0123456789abcdefABCDEF")
               == 2)
        {
            p[n++] = (char) strtoul(hex, NULL, 16);
            i += 2;

        } else {
            p[n++] = s.p[i];
        }
    }

    p[n] = '\0';

    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        if (tg_str_match(tg_str_of(p, n), named[i])) {
            for (s.len = 0; p[n - 1 - s.len] != '/'; s.len++) { /* void */ }
            return tg_str_of(p + n - s.len, s.len);
        }
    }

    return tg_str_of(p, n);
}


/* The pattern that the path fits, or NULL; its model goes to *model, a slice of
 * the path or of buf, and so is *squeezed. */
static const tg_pattern_t *
tg_dialect_pattern(const tg_tables_t *t, tg_str_t method, tg_str_t path,
    char *buf, tg_str_t *squeezed, tg_str_t *model)
{
    size_t               segments;
    uint64_t             end;
    unsigned             kind;
    const tg_pattern_t  *pat;

    path = tg_path_squeeze(path.len > TG_PATH_MAX ? tg_str_null : path, buf,
                           &segments);
    *squeezed = path;
    end = tg_suffix_load(path);
    kind = tg_suffix_kind(end);

    for (unsigned i = t->ends.first[kind]; i < t->ends.first[kind + 1]; i++) {

        if (!tg_suffix_fits(t->suffix[t->ends.list[i]], end)) {
            continue;
        }

        pat = &t->pattern[t->ends.list[i]];

        if (pat->segments > segments) {
            continue;
        }

        if ((pat->words ? tg_api_path_ends(pat->pattern, path)
                        : tg_api_path_match(pat->pattern, path, model))
            && tg_method_in(method, pat->methods))
        {
            return pat;
        }

        model->len = 0;
    }

    return NULL;
}


/* As tg_api_path_match(), whatever the case of the pattern. */
static bool
tg_pattern_lower(tg_str_t pattern, tg_str_t path)
{
    char      buf[TG_PATTERN_MAX];
    tg_str_t  model;

    if (pattern.len > sizeof(buf)) {
        return false;
    }

    for (size_t i = 0; i < pattern.len; i++) {
        buf[i] = tg_lower(pattern.p[i]);
    }

    return tg_api_path_match(tg_str_of(buf, pattern.len), path, &model);
}


bool
tg_dialect_devious(tg_str_t method, tg_str_t path)
{
    char                 buf[TG_PATH_MAX], upper[TG_METHOD_MAX];
    tg_op_t              op;
    tg_str_t             loose;
    const tg_pattern_t  *pat;

    if (tg_tables == NULL || method.len > sizeof(upper)
        || tg_method_in(method, tg_str("GET HEAD OPTIONS DELETE")))
    {
        return false;
    }

    if (path.len > sizeof(buf)) {
        return true;
    }

    for (size_t i = 0; i < method.len; i++) {
        upper[i] = tg_upper(method.p[i]);
    }

    method = tg_str_of(upper, method.len);
    loose = tg_str_of(buf, tg_path_loose(path, buf));

    if (loose.len > 1 && buf[loose.len - 1] == '/') {
        loose.len--;
    }

    for (size_t i = 0; i < tg_tables->npatterns; i++) {
        pat = &tg_tables->pattern[i];
        op = tg_api_op(pat->api);

        if (op != TG_OP_UNKNOWN && op != TG_OP_MODELS && op != TG_OP_RETRIEVE
            && tg_method_in(method, pat->methods)
            && tg_pattern_lower(pat->pattern, loose))
        {
            return true;
        }
    }

    return false;
}


bool
tg_dialect_path(tg_api_path_t *own, tg_mem_t *mem, tg_str_t method,
    tg_str_t path)
{
    char                *buf;
    size_t               n = 0, at;
    tg_str_t             model = tg_str_null, whole;
    const tg_pattern_t  *pat;

    if (path.len == 0 || path.len > TG_PATH_MAX || tg_tables == NULL
        || !tg_path_plain(path))
    {
        return false;
    }

    buf = tg_alloc(mem, path.len);
    if (buf == NULL) {
        return false;
    }

    pat = tg_dialect_pattern(tg_tables, method, path, buf, &whole, &model);
    if (pat == NULL) {
        return false;
    }

    /* A model of several segments: how many is not known. */

    at = tg_str_match(pat->pattern, tg_str("*{+}*")) ? 0 : whole.len;

    while (at > 0) {
        at--;

        if (whole.p[at] == '/' && ++n == pat->segments) {
            break;
        }
    }

    own->path = whole;
    own->at = at;
    own->model = model;

    return true;
}


void
tg_dialect_recognise(tg_dialect_t *d, tg_mem_t *mem, tg_str_t method,
    tg_str_t path, tg_str_t args, tg_str_t host, const tg_vendor_t *vendor)
{
    tg_str_t             model = tg_str_null, whole;
    char                 buf[TG_PATH_MAX];
    const tg_pattern_t  *pat;

    d->api = tg_api_unknown;
    d->model = tg_str_null;

    if (tg_tables != NULL && tg_path_plain(path)) {
        pat = tg_dialect_pattern(tg_tables, method, path, buf, &whole, &model);
        if (pat != NULL) {
            d->api = pat->api;
        }
    }

    if (model.len != 0) {
        d->model = tg_model_decode(mem, model);
    }

    d->stream = (d->api->flags & TG_API_STREAMS)
                || ((d->api->flags & TG_API_STREAM_ARG)
                    && (tg_str_match(args, tg_str("stream=true*"))
                        || tg_str_match(args, tg_str("*&stream=true*"))
                        || tg_str_match(args, tg_str("alt=sse*"))
                        || tg_str_match(args, tg_str("*&alt=sse*"))));

    tg_dialect_upstream(d, host, vendor);
}


bool
tg_dialect_wants_usage_option(const tg_dialect_t *d)
{
    return (d->api->flags & TG_API_OPTIONS)
           && !(d->vendor->quirks & TG_QUIRK_USAGE_UNASKED);
}


tg_op_t
tg_api_op(const tg_api_t *api)
{
    return api->op;
}


tg_str_t
tg_api_name(const tg_api_t *api)
{
    return api->name;
}


tg_shape_t
tg_api_shape(const tg_api_t *api)
{
    return api->shape;
}


bool
tg_op_writes(tg_op_t op)
{
    switch (op) {
    case TG_OP_CHAT:
    case TG_OP_TEXT_COMPLETION:
    case TG_OP_GENERATE_CONTENT:
        return true;
    default:
        return false;
    }
}


tg_str_t
tg_op_name(tg_op_t op)
{
    return tg_op_table[op];
}


bool
tg_api_json(const tg_api_t *api)
{
    return api->flags & TG_API_JSON;
}


bool
tg_api_multipart(const tg_api_t *api)
{
    return api->flags & TG_API_MULTIPART;
}


bool
tg_api_catalog(const tg_api_t *api)
{
    return api->flags & TG_API_CATALOG;
}


bool
tg_api_path_model(const tg_api_t *api)
{
    return api->flags & TG_API_PATH_MODEL;
}


bool
tg_api_path_price(const tg_api_t *api)
{
    return api->flags & TG_API_PATH_PRICE;
}


bool
tg_vendor_own_prompt(const tg_vendor_t *v)
{
    return v->quirks & TG_QUIRK_OWN_PROMPT;
}
