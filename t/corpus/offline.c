/*
 * offline.c - replays a corpus of recorded calls through the core's reading of
 * requests and answers, with no server between, and compares with the index.
 *
 *     corpus-offline [-v] [--splits | --more-splits | --bounds PRICES] DIR [CASE]
 *
 * Each case is fed in pieces of 1 byte, of 7 bytes, and whole; all three must
 * be right.  Prints each miss and, last, "corpus offline: N/M exact".  Exits 1
 * where there is a miss.
 *
 * With --splits each body is cut into two instead, and must be read as it is
 * when whole: at every position, or in bodies above 16 KB at many; --more-splits
 * has eight times as many of those.  Last comes "corpus splits: N/M cuts ...".
 *
 * With --bounds each call whose request was recorded and whose answer tells its
 * usage is compared with what tg_bound.h said of it beforehand, at the prices of
 * that file.  Prints what was exceeded, and which calls have no bound; last
 * comes "corpus bounds: N/M hold, ...".
 *
 * Two differences from an index are not misses but counted apart, because the
 * provider's documentation is on our side:
 *
 *   - audio and image tokens that Google tells by modality, where the index has
 *     no class for them: https://ai.google.dev/api/generate-content#ModalityTokenCount
 *   - a model that is the first word of an ARN, where the path has all of it:
 *     https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
 */

#include "exchange_bounds.h"

#include <inttypes.h>
#include <jansson.h>
#include <time.h>

#define FIELDS  17
#define TEXT    1024

typedef struct {
    char    *field[FIELDS];
    char     miss[TEXT];
    char     apart[TEXT];
} case_t;

enum { C_CASE, C_PROVIDER, C_ENDPOINT, C_STREAM, C_MODEL, C_STATUS, C_USAGE,
       C_NORM, C_FINISH, C_TIER, C_REQUEST_MODEL };

enum { EXACT, MISS, APART };    /* APART: differs, and may */

typedef struct {
    const char    *corpus;
    bool           verbose;
    bool           split;
    split_plan_t   plan;
    splits_t       splits;
    const char    *prices;      /* NULL: bounds are not looked at */
    bounds_t       bounds;
} options_t;


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
replay(case_t *c, const exchange_t *x, cut_t cut, bool verbose)
{
    tg_arena_t    *arena = tg_arena_create(64 * 1024);
    tg_mem_t      *mem = tg_arena_mem(arena);
    tg_request_t  *r;
    tg_answer_t   *a;
    tg_dialect_t   d;

    r = exchange_ask(x, mem, &d, cut);

    if (tg_request_error(r)->code != 0) {
        note(c->miss, "request", tg_request_error(r)->message, "no error");
    }

    a = exchange_answer(x, mem, &d, tg_request_info(r), cut);
    compare(c, tg_answer_info(a), tg_request_info(r));

    if (tg_arena_used(arena) > 8 * 4096) {
        note(c->miss, "memory", "too much", "32 KB");
    }

    if (verbose && cut.size == 0) {
        show(c, &d, tg_answer_info(a), tg_request_info(r));
    }

    tg_arena_destroy(arena);
}


static int
run_exact(case_t *c, const exchange_t *x, bool verbose)
{
    static const cut_t  cuts[] = { { 0, 0 }, { 0, 7 }, { 0, 1 } };
    const char         *name = c->field[C_CASE];
    int                 rc = EXACT;

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        c->miss[0] = c->apart[0] = '\0';
        replay(c, x, cuts[i], verbose);

        if (c->miss[0] != '\0') {
            printf("MISS %s %s by %zu:%s\n", name, c->field[C_ENDPOINT],
                   cuts[i].size, c->miss);
            return MISS;
        }

        if (c->apart[0] != '\0') {
            rc = APART;
        }
    }

    if (rc == APART) {
        printf("apart %s %s:%s\n", name, c->field[C_ENDPOINT], c->apart);
    }

    return rc;
}


static void
split_miss(void *data, const char *what, size_t at, const char *field)
{
    const case_t  *c = data;

    if (at == 0) {
        printf("MISS %s %s byte by byte: %s\n", c->field[C_CASE], what,
               field);
    } else {
        printf("MISS %s %s cut at %zu: %s\n", c->field[C_CASE], what, at,
               field);
    }
}


/* What is neither a call that uses something nor told is passed over. */
static int
run_bounds(options_t *o, const case_t *c, const exchange_t *x)
{
    const cut_t    whole = { 0, 0 };
    size_t         broken = o->bounds.broken;
    tg_arena_t    *arena = tg_arena_create(64 * 1024);
    tg_mem_t      *mem = tg_arena_mem(arena);
    tg_request_t  *r;
    tg_answer_t   *a;
    tg_dialect_t   d;
    tg_op_t        op;

    r = exchange_ask(x, mem, &d, whole);
    a = exchange_answer(x, mem, &d, tg_request_info(r), whole);
    op = tg_api_op(d.api);

    if (x->request.len != 0 && op != TG_OP_BATCH && op != TG_OP_RETRIEVE
        && op != TG_OP_COUNT_TOKENS && op != TG_OP_MODELS
        && tg_answer_info(a)->usage.source == TG_USAGE_REPORTED)
    {
        bounds_check(&o->bounds, c->field[C_CASE], &d, r, tg_answer_info(a),
                     o->verbose);
    }

    tg_arena_destroy(arena);

    return broken == o->bounds.broken ? EXACT : MISS;
}


static int
run(options_t *o, case_t *c)
{
    exchange_t  x;
    char        dir[EXCHANGE_PATH];
    uint64_t    differ = o->splits.differ;
    int         rc = MISS;

    snprintf(dir, sizeof(dir), "%s/cases/%s", o->corpus, c->field[C_CASE]);

    if (!exchange_load(&x, dir)) {
        printf("MISS %s: unreadable\n", c->field[C_CASE]);
        exchange_free(&x);
        return MISS;
    }

    if (o->prices != NULL) {
        x.status = (unsigned) atoi(c->field[C_STATUS]);
        rc = run_bounds(o, c, &x);
        exchange_free(&x);
        return rc;
    }

    if (x.request.p == NULL && tg_str_eq(x.method, tg_str("POST"))
        && !tg_str_match(x.request_type, tg_str("multipart/*")))
    {
        minimal(&x.request, c);
    }

    x.status = (unsigned) atoi(c->field[C_STATUS]);

    if (o->split) {
        exchange_splits(&x, &o->plan, &o->splits, split_miss, c);
        rc = differ == o->splits.differ ? EXACT : MISS;

    } else {
        rc = run_exact(c, &x, o->verbose);
    }

    exchange_free(&x);

    return rc;
}


static void
cut_fields(case_t *c, char *line)
{
    char  *tab;

    for (size_t i = 0; i < FIELDS; i++) {
        tab = strchr(line, '\t');
        c->field[i] = line;
        line = tab != NULL ? tab + 1 : line + strlen(line);

        if (tab != NULL) {
            *tab = '\0';
        }
    }
}


static void
summary(const options_t *o, const unsigned result[3])
{
    if (o->prices != NULL) {
        bounds_summary((bounds_t *) &o->bounds);
        return;
    }

    if (o->split) {
        printf("corpus splits: %" PRIu64 "/%" PRIu64 " cuts read as the whole,"
               " of %u cases in %.0f s\n", o->splits.tried - o->splits.differ,
               o->splits.tried, result[EXACT] + result[MISS],
               (double) clock() / CLOCKS_PER_SEC);
        return;
    }

    printf("corpus offline: %u/%u exact", result[EXACT] + result[APART],
           result[EXACT] + result[MISS] + result[APART]);

    if (result[APART] != 0) {
        printf(" (%u of them with more than the index has)", result[APART]);
    }

    printf("\n");
}


static bool
load_prices(options_t *o)
{
    tg_price_book_t  *book = tg_price_book_create();
    tg_error_t        err;
    blob_t            text;
    bool              ok;

    if (!blob_load(&text, ".", o->prices)) {
        fprintf(stderr, "no prices in %s\n", o->prices);
        return false;
    }

    ok = tg_price_book_add(book, tg_strz(o->prices),
                           tg_str_of(text.p, text.len), &err) == TG_OK;

    if (!ok) {
        fprintf(stderr, "%s\n", err.message);
    }

    free(text.p);
    o->bounds.book = book;

    return ok;
}


int
main(int argc, char **argv)
{
    static options_t  o;

    tg_arena_t  *arena = tg_arena_create(0);
    tg_error_t   err;
    blob_t       index;
    case_t       c;
    char        *line, *save;
    unsigned     result[3] = { 0, 0, 0 };

    for ( ; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
        o.verbose |= strcmp(argv[1], "-v") == 0;

        if (strcmp(argv[1], "--splits") == 0) {
            o.split = true;
            o.plan = (split_plan_t) { 16384, 512, 256 };
        }

        if (strcmp(argv[1], "--more-splits") == 0) {
            o.split = true;
            o.plan = (split_plan_t) { 16384, 4096, 2000 };
        }

        if (strcmp(argv[1], "--bounds") == 0 && argc > 2) {
            o.prices = argv[2];
            argc--;
            argv++;
        }
    }

    if (argc < 2) {
        fprintf(stderr, "usage: corpus-offline [-v] [--splits |"
                " --more-splits | --bounds PRICES] DIR [CASE]\n");
        return 2;
    }

    o.corpus = argv[1];

    if (arena == NULL || tg_dialect_setup(tg_arena_mem(arena), &err) != TG_OK) {
        fprintf(stderr, "the tables of APIs can't be set up\n");
        return 2;
    }

    if (o.prices != NULL && !load_prices(&o)) {
        return 2;
    }

    if (!blob_load(&index, o.corpus, "INDEX.tsv")) {
        fprintf(stderr, "no INDEX.tsv in %s\n", o.corpus);
        return 2;
    }

    (void) strtok_r(index.p, "\n", &save);

    while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
        cut_fields(&c, line);

        if (argc < 3 || strcmp(argv[2], c.field[C_CASE]) == 0) {
            result[run(&o, &c)]++;
        }
    }

    summary(&o, result);

    tg_price_book_destroy((tg_price_book_t *) o.bounds.book);
    free(index.p);
    tg_arena_destroy(arena);

    return result[MISS] != 0;
}
