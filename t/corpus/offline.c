/*
 * offline.c - replays a corpus of recorded calls through the core's reading of
 * requests and answers, with no server between, and compares with the index.
 *
 *     corpus-offline [-v] DIR [CASE]
 *
 * Each case is fed in pieces of 1 byte, of 7 bytes, and whole; all three must
 * be right.  Prints each miss and, last, "corpus offline: N/M exact".  Exits 1
 * where there is a miss.
 *
 * Two differences from an index are not misses but counted apart, because the
 * provider's documentation is on our side:
 *
 *   - audio and image tokens that Google tells by modality, where the index has
 *     no class for them: https://ai.google.dev/api/generate-content#ModalityTokenCount
 *   - a model that is the first word of an ARN, where the path has all of it:
 *     https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
 */

#include "tg_answer.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELDS  17
#define TEXT    1024

typedef struct {
    char    *p;
    size_t   len;
} blob_t;

typedef struct {
    char    *field[FIELDS];
    char     miss[TEXT];
    char     apart[TEXT];
} case_t;

enum { C_CASE, C_PROVIDER, C_ENDPOINT, C_STREAM, C_MODEL, C_STATUS, C_USAGE,
       C_NORM, C_FINISH, C_TIER, C_REQUEST_MODEL };


static bool
load(blob_t *b, const char *dir, const char *name, const char *file)
{
    char   path[4096];
    FILE  *f;
    long   n;

    snprintf(path, sizeof(path), "%s%s%s/%s", dir, *name ? "/cases/" : "",
             name, file);

    b->p = NULL;
    b->len = 0;

    f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }

    if (fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) < 0) {
        fclose(f);
        return false;
    }

    rewind(f);
    b->p = malloc((size_t) n + 1);

    if (b->p != NULL) {
        b->len = fread(b->p, 1, (size_t) n, f);
        b->p[b->len] = '\0';
    }

    fclose(f);

    return b->p != NULL;
}


/* The value of a line "name: value". */
static tg_str_t
header(const blob_t *meta, const char *name)
{
    size_t       n = strlen(name);
    const char  *p, *end;

    for (p = meta->p; p != NULL && *p != '\0'; p = *end ? end + 1 : end) {
        end = strchr(p, '\n');
        if (end == NULL) {
            end = p + strlen(p);
        }

        if ((size_t) (end - p) > n && strncmp(p, name, n) == 0
            && p[n] == ':')
        {
            p += n + 1;
            while (p < end && *p == ' ') {
                p++;
            }
            while (end > p && (end[-1] == '\r' || end[-1] == ' ')) {
                end--;
            }
            return tg_str_of(p, (size_t) (end - p));
        }
    }

    return tg_str("");
}


static void
note(char *to, const char *what, const char *is, const char *should)
{
    size_t  n = strlen(to);

    snprintf(to + n, TEXT - n, " %s=%s (%s)", what, is, should);
}


static void
same_text(char *to, const char *what, tg_str_t is, const char *should)
{
    char  buf[256];

    if (!tg_str_eq(is, tg_strz(should))) {
        snprintf(buf, sizeof(buf), "%.*s", (int) is.len, is.len ? is.p : "");
        note(to, what, buf, should);
    }
}


static void
same_number(char *to, const char *what, int64_t is, int64_t should)
{
    char  a[32], b[32];

    if (is != should) {
        snprintf(a, sizeof(a), "%" PRId64, is);
        snprintf(b, sizeof(b), "%" PRId64, should);
        note(to, what, a, b);
    }
}


static int64_t
wanted(const json_t *norm, const char *name, double scale)
{
    return (int64_t) (json_number_value(json_object_get(norm, name)) * scale
                      + 0.5);
}


static void
compare_extra(case_t *c, const json_t *norm, const tg_usage_t *u)
{
    const json_t            *list = json_object_get(norm, "extra"), *x;
    const tg_usage_extra_t  *e = u->extra;
    const char              *model;
    size_t                   n = json_array_size(list);

    for (size_t i = 0; i < n; i++, e = e->next) {
        if (e == NULL) {
            break;
        }

        x = json_array_get(list, i);
        model = json_string_value(json_object_get(x, "model"));
        same_text(c->miss, "extra.type", e->type,
                  json_string_value(json_object_get(x, "type")));
        same_text(c->miss, "extra.model", e->model, model ? model : "");
        same_number(c->miss, "extra.in", e->input, wanted(x, "in", 1));
        same_number(c->miss, "extra.cr", e->cache_read, wanted(x, "cr", 1));
        same_number(c->miss, "extra.cw", e->cache_write, wanted(x, "cw", 1));
        same_number(c->miss, "extra.out", e->output, wanted(x, "out", 1));
    }

    same_number(c->miss, "extras missing", e != NULL, 0);
}


static void
compare_usage(case_t *c, const tg_usage_t *u)
{
    json_t  *norm = json_loads(c->field[C_NORM], 0, NULL);
    bool     google = strncmp(c->field[C_PROVIDER], "gemini", 6) == 0
                      || strncmp(c->field[C_PROVIDER], "vertex", 6) == 0;
    bool     modal = google && strstr(c->field[C_USAGE], "modality") != NULL;

    struct {
        const char  *name;
        int64_t      is;
        double       scale;
        bool         apart;
    } classes[] = {
        { "in", u->input, 1, false },
        { "out", u->output, 1, false },
        { "cr", u->cache_read, 1, false },
        { "cw", u->cache_write, 1, false },
        { "cw5m", u->cache_write_5m, 1, false },
        { "cw1h", u->cache_write_1h, 1, false },
        { "rsn", u->reasoning, 1, false },
        { "ain", u->audio_input, 1, modal },
        { "aout", u->audio_output, 1, modal },
        { "iin", u->image_input, 1, modal },
        { "iout", u->image_output, 1, modal },
        { "web_search", u->web_searches, 1, false },
        { "web_fetch", u->web_fetches, 1, false },
        { "search_units", u->search_units, 1, false },
        { "images", u->images, 1, false },
        { "seconds", u->duration_ms, 1000, false },
        { "chars", u->characters, 1, false },
        { "pages", u->pages, 1, false },
        { "billed_in", u->billed_input < 0 ? 0 : u->billed_input, 1, false },
        { "billed_out", u->billed_output < 0 ? 0 : u->billed_output, 1,
          false }
    };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        bool  apart = classes[i].apart
                      && json_object_get(norm, classes[i].name) == NULL;

        same_number(apart ? c->apart : c->miss, classes[i].name,
                    classes[i].is, wanted(norm, classes[i].name,
                                          classes[i].scale));
    }

    compare_extra(c, norm, u);
    same_number(c->miss, "source", u->source, TG_USAGE_REPORTED);
    json_decref(norm);
}


static void
compare(case_t *c, const tg_answer_info_t *a, const tg_request_info_t *r)
{
    char      finish[512] = "";
    size_t    n = 0;
    tg_str_t  model = a->model.len != 0 ? a->model : r->model;

    for (unsigned i = 0; i < a->nfinish; i++) {
        n += (size_t) snprintf(finish + n, sizeof(finish) - n, "%s%.*s",
                               i ? "," : "", (int) a->finish[i].len,
                               a->finish[i].p);
    }

    if (*c->field[C_MODEL] != '\0') {
        same_text(strcmp(c->field[C_MODEL], "arn") == 0 ? c->apart : c->miss,
                  "model", model, c->field[C_MODEL]);
    }

    if (*c->field[C_FINISH] != '\0') {
        same_text(c->miss, "finish", tg_strz(finish), c->field[C_FINISH]);
    }

    if (*c->field[C_TIER] != '\0') {
        same_text(c->miss, "tier", a->service_tier, c->field[C_TIER]);
    }

    if (c->field[C_STATUS][0] == '2') {
        same_number(c->miss, "stream", a->stream, *c->field[C_STREAM] == 'y');

    } else {
        same_number(c->miss, "error", a->error, true);
    }

    if (*c->field[C_NORM] != '\0') {
        compare_usage(c, &a->usage);

    } else if (*c->field[C_USAGE] == '\0') {
        same_number(c->miss, "source", a->usage.source,
                    a->usage.source == TG_USAGE_ESTIMATED
                    ? TG_USAGE_ESTIMATED : TG_USAGE_NONE);
    }
}


static void
show(const case_t *c, const tg_dialect_t *d, const tg_answer_info_t *a,
    const tg_request_info_t *r)
{
    const tg_usage_t  *u = &a->usage;

    printf("%s api=%s vendor=%s op=%s model=%.*s stream=%d/%d source=%d in=%"
           PRId64 " out=%" PRId64 " cost=%" PRId64 " complete=%d error=%d"
           " type=%.*s tools=%u text=%" PRIu64 " asked: max=%" PRId64
           " messages=%u text=%" PRIu64 " system=%" PRIu64 "%s%s%s\n",
           c->field[C_CASE], tg_api_name(d->api).p, tg_vendor_name(d->vendor).p,
           tg_op_name(tg_api_op(d->api)).p, (int) a->model.len,
           a->model.len ? a->model.p : "", r->stream, a->stream,
           (int) u->source, u->input, u->output, u->provider_cost, a->complete,
           a->error, (int) a->error_type.len,
           a->error_type.len ? a->error_type.p : "", a->tool_calls,
           a->text_bytes, r->max_tokens, r->messages, r->text_bytes,
           r->system_bytes, r->has_tools ? " tools" : "",
           r->has_images ? " images" : "", r->has_schema ? " schema" : "");
}


/* What a client would have sent where that was not recorded. */
static void
minimal(blob_t *b, const case_t *c)
{
    b->p = malloc(512);

    if (b->p != NULL) {
        b->len = (size_t) snprintf(b->p, 512, "{\"model\":\"%s\"%s}",
                                   c->field[C_MODEL],
                                   *c->field[C_STREAM] == 'y'
                                   ? ",\"stream\":true" : ",\"stream\":false");
    }
}


static void
replay(case_t *c, const blob_t part[4], size_t chunk, bool verbose)
{
    tg_arena_t               *arena = tg_arena_create(64 * 1024);
    tg_mem_t                 *mem = tg_arena_mem(arena);
    const blob_t             *body = &part[1], *answer = &part[3];
    tg_str_t                  path = header(&part[0], "path"), args, type;
    tg_str_t                  method = header(&part[0], "method");
    tg_dialect_t              d;
    tg_request_t             *r;
    tg_answer_t              *a;
    const char               *q;
    size_t                    n;

    static const char *const  usage_headers[] = {
        "x-amzn-bedrock-input-token-count",
        "x-amzn-bedrock-output-token-count",
        "x-amzn-bedrock-cache-read-input-token-count",
        "x-amzn-bedrock-cache-write-input-token-count",
        "x-amzn-errortype"
    };

    q = memchr(path.p, '?', path.len);
    args = tg_str("");

    if (q != NULL) {
        args = tg_str_of(q + 1, path.len - (size_t) (q - path.p) - 1);
        path.len = (size_t) (q - path.p);
    }

    tg_dialect_recognise(&d, mem, method, path, args,
                         header(&part[0], "host"), NULL);

    type = header(&part[0], "content-type");
    r = tg_request_create(mem, &d, type, tg_str(""), NULL, NULL);

    for (size_t i = 0; i < body->len; i += n) {
        n = body->len - i < chunk ? body->len - i : chunk;
        if (tg_request_feed(r, body->p + i, n) != TG_OK) {
            break;
        }
    }

    if (tg_request_finish(r) != TG_OK) {
        note(c->miss, "request", tg_request_error(r)->message, "no error");
    }

    a = tg_answer_create(mem, &d, tg_request_info(r),
                         (unsigned) atoi(c->field[C_STATUS]),
                         header(&part[2], "content-type"));

    for (size_t i = 0; i < sizeof(usage_headers) / sizeof(char *); i++) {
        tg_str_t  v = header(&part[2], usage_headers[i]);

        if (v.len != 0) {
            tg_answer_header(a, tg_strz(usage_headers[i]), v);
        }
    }

    for (size_t i = 0; i < answer->len; i += n) {
        n = answer->len - i < chunk ? answer->len - i : chunk;
        tg_answer_feed(a, answer->p + i, n);
    }

    tg_answer_finish(a);
    compare(c, tg_answer_info(a), tg_request_info(r));

    if (tg_arena_used(arena) > 8 * 4096) {
        note(c->miss, "memory", "too much", "32 KB");
    }

    if (verbose && chunk == SIZE_MAX) {
        show(c, &d, tg_answer_info(a), tg_request_info(r));
    }

    tg_arena_destroy(arena);
}


/* 0: exact, 1: a miss, 2: differs, and may. */
static int
run(const char *dir, case_t *c, bool verbose)
{
    static const size_t  chunks[] = { SIZE_MAX, 7, 1 };
    blob_t               part[4];
    const char          *name = c->field[C_CASE];
    int                  rc = 0;

    if (!load(&part[0], dir, name, "request.meta")
        || !load(&part[2], dir, name, "response.meta")
        || !load(&part[3], dir, name, "response.body"))
    {
        printf("MISS %s: unreadable\n", name);
        return 1;
    }

    if (!load(&part[1], dir, name, "request.json")
        && !load(&part[1], dir, name, "request.body")
        && tg_str_eq(header(&part[0], "method"), tg_str("POST"))
        && !tg_str_match(header(&part[0], "content-type"),
                         tg_str("multipart/*")))
    {
        minimal(&part[1], c);
    }

    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        c->miss[0] = c->apart[0] = '\0';
        replay(c, part, chunks[i], verbose);

        if (c->miss[0] != '\0') {
            printf("MISS %s %s by %zd:%s\n", name, c->field[C_ENDPOINT],
                   (ssize_t) chunks[i], c->miss);
            rc = 1;
            break;
        }

        if (c->apart[0] != '\0') {
            rc = 2;
        }
    }

    if (rc == 2) {
        printf("apart %s %s:%s\n", name, c->field[C_ENDPOINT], c->apart);
    }

    for (size_t i = 0; i < 4; i++) {
        free(part[i].p);
    }

    return rc;
}


int
main(int argc, char **argv)
{
    tg_arena_t  *arena = tg_arena_create(0);
    tg_error_t   err;
    blob_t       index;
    case_t       c;
    char        *line, *save, *p;
    bool         verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    unsigned     result[3] = { 0, 0, 0 };

    argv += verbose;
    argc -= verbose;

    if (argc < 2 || arena == NULL
        || tg_dialect_setup(tg_arena_mem(arena), &err) != TG_OK)
    {
        fprintf(stderr, "%s\n", argc < 2 ? "usage: corpus-offline [-v] DIR"
                                           " [CASE]" : err.message);
        return 2;
    }

    if (!load(&index, argv[1], "", "INDEX.tsv")) {
        fprintf(stderr, "no INDEX.tsv in %s\n", argv[1]);
        return 2;
    }

    (void) strtok_r(index.p, "\n", &save);

    while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
        for (size_t i = 0; i < FIELDS; i++) {
            p = strchr(line, '\t');
            c.field[i] = line;
            line = p != NULL ? p + 1 : line + strlen(line);
            if (p != NULL) {
                *p = '\0';
            }
        }

        if (argc < 3 || strcmp(argv[2], c.field[C_CASE]) == 0) {
            result[run(argv[1], &c, verbose)]++;
        }
    }

    printf("corpus offline: %u/%u exact", result[0] + result[2],
           result[0] + result[1] + result[2]);
    if (result[2] != 0) {
        printf(" (%u of them with more than the index has)", result[2]);
    }
    printf("\n");

    free(index.p);
    tg_arena_destroy(arena);

    return result[1] != 0;
}
