/*
 * translate.c - translates the recorded answers of a corpus into each form that
 * a client may have asked for, and reads what was used off the translation.
 *
 *     corpus-translate [-v] [--out DIR] CORPUS [CASE]
 *
 * Each answer is fed whole, in pieces of 7 bytes and of 1 byte: the bytes that
 * come out must be the same.  What the core reads of them must be what it reads
 * of the original, as far as the form can carry it:
 *
 *   - OpenAI's chat has no place for searches and fetches of the provider's own
 *     tools, nor for what was used beside the call (Anthropic's iterations);
 *   - Anthropic's messages have none for audio and image tokens, and no prompt
 *     that is shorter than what of it was cached (some gateways say so); and
 *     they must have counts, so that "not told" becomes 0.
 *
 * Prints each miss and each answer that is refused, with why; last comes
 * "corpus translated: N/M exact, ...".  Exits 1 where there is a miss.  With
 * --out each translation is left in DIR as CASE.FORM.STATUS.json or .sse, for
 * other readers.
 */

#include "exchange.h"
#include "tg_dialect_int.h"
#include "tg_translate.h"

#include <inttypes.h>

#define OUT_MAX  (64 * 1024 * 1024)

typedef struct {
    char    *p;
    size_t   len;
} output_t;

typedef struct {
    const char  *corpus;
    const char  *out;
    bool         verbose;
    unsigned     exact;
    unsigned     missed;
    unsigned     refused;
    unsigned     errors;        /* of the exact: recorded errors */
} options_t;

static const struct {
    tg_form_t    form;
    const char  *name;
    const char  *api;
    const char  *host;
} targets[] = {
    { TG_FORM_OPENAI_CHAT, "openai", "/v1/chat/completions",
      "api.openai.com" },
    { TG_FORM_ANTHROPIC, "anthropic", "/v1/messages", "api.anthropic.com" }
};


static int
collect(void *data, const char *p, size_t n)
{
    output_t  *o = data;

    if (n > OUT_MAX - o->len) {
        return 1;
    }

    o->p = realloc(o->p, o->len + n);
    memcpy(o->p + o->len, p, n);
    o->len += n;

    return 0;
}


/* Vertex has Anthropic's answers at another path. */
static tg_form_t
form_of(const tg_dialect_t *d)
{
    if (tg_str_eq(tg_api_name(d->api), tg_str("vertex.anthropic"))) {
        return TG_FORM_ANTHROPIC;
    }

    return tg_form_of(d->api);
}


static tg_translator_t *
translate(const exchange_t *x, tg_mem_t *mem, const tg_translator_ask_t *ask,
    size_t size, output_t *o)
{
    tg_translator_t  *t = tg_translator_create(mem, ask);
    cut_t             cut = { 0, size };
    size_t            n;

    o->p = malloc(1);
    o->len = 0;

    for (size_t i = 0; i < x->response.len; i += n) {
        n = cut_piece(cut, i, x->response.len);

        if (tg_translator_feed(t, x->response.p + i, n, collect, o) != TG_OK) {
            return NULL;
        }
    }

    return tg_translator_end(t, collect, o) == TG_OK ? t : NULL;
}


/* What is left of the usage in the target's form. */
static void
carried(tg_form_t to, tg_usage_t *u)
{
    int64_t  cached = u->cache_read + u->cache_write;

    u->billed_input = u->billed_output = -1;
    u->search_units = u->images = u->duration_ms = u->characters = 0;
    u->pages = 0;

    if (to == TG_FORM_OPENAI_CHAT) {
        u->web_searches = u->web_fetches = 0;
        u->extra = NULL;
        return;
    }

    u->audio_input = u->image_input = u->audio_output = u->image_output = 0;
    u->source = TG_USAGE_REPORTED;
    u->input = u->input < cached ? cached : u->input;
}


static const tg_answer_info_t *
read_back(tg_mem_t *mem, const output_t *o, size_t target, unsigned status,
    tg_str_t type)
{
    tg_dialect_t   d;
    tg_answer_t   *a;

    tg_dialect_recognise(&d, mem, tg_str("POST"), tg_strz(targets[target].api),
                         tg_str(""), tg_strz(targets[target].host), NULL);
    a = tg_answer_create(mem, &d, NULL, status, type);
    tg_answer_feed(a, o->p, o->len);
    tg_answer_finish(a);

    return tg_answer_info(a);
}


static void
leave(const options_t *o, const char *name, const char *form,
    const tg_translator_t *t, const output_t *out)
{
    char   path[EXCHANGE_PATH];
    FILE  *f;

    if (o->out == NULL) {
        return;
    }

    snprintf(path, sizeof(path), "%s/%s.%s.%u.%s", o->out, name, form,
             tg_translator_status(t), tg_translator_whole(t) ? "json" : "sse");
    f = fopen(path, "wb");

    if (f == NULL || fwrite(out->p, 1, out->len, f) != out->len) {
        fprintf(stderr, "can't write %s\n", path);
        exit(2);
    }

    fclose(f);
}


static const char *
difference(const tg_answer_info_t *was, const tg_answer_info_t *is,
    tg_form_t to)
{
    tg_usage_t  u = was->usage;

    if (was->error != is->error) {
        return "error";
    }

    if (was->error) {
        return NULL;
    }

    if (is->stream != was->stream) {
        return "stream";
    }

    if (!is->complete && is->stream) {
        return "complete";
    }

    if (is->nfinish == 0) {
        return "finish";
    }

    if (u.source == TG_USAGE_ESTIMATED) {
        tg_usage_init(&u);
    }

    if (is->usage.source == TG_USAGE_ESTIMATED) {
        return u.source == TG_USAGE_NONE && to == TG_FORM_OPENAI_CHAT
               ? NULL : "source";
    }

    carried(to, &u);

    return usage_difference(&u, &is->usage);
}


static tg_translator_ask_t
ask_of(const exchange_t *x, const tg_dialect_t *d, bool stream, size_t target)
{
    return (tg_translator_ask_t) {
        .from = form_of(d),
        .to = targets[target].form,
        .upstream = d,
        .status = x->status,
        .content_type = x->response_type,
        .stream = stream,
        .include_usage = true,
        .model = tg_str("asked-model"),
        .id = tg_str("0190d3a4-7c1e-7bbb-8ccc-0123456789ab"),
        .created_s = 1750000000
    };
}


/* field: what differs; why: what the translator says is wrong; or NULL. */
static void
judge(options_t *o, const char *name, size_t target, bool error,
    const char *field, const char *why)
{
    if (why != NULL && !error
        && (field == NULL || strcmp(field, "split") != 0))
    {
        printf("refused %s to %s: %s\n", name, targets[target].name, why);
        o->refused++;

    } else if (field != NULL) {
        printf("MISS %s to %s: %s%s%s\n", name, targets[target].name, field,
               why != NULL ? ": " : "", why != NULL ? why : "");
        o->missed++;

    } else {
        o->exact++;
        o->errors += error;
    }
}


static void
run_target(options_t *o, const char *name, const exchange_t *x, size_t target)
{
    static const size_t       sizes[] = { 1, 7, 0 };

    tg_arena_t               *arena = tg_arena_create(0);
    tg_mem_t                 *mem = tg_arena_mem(arena);
    const tg_answer_info_t   *was, *is;
    tg_translator_ask_t       ask;
    tg_translator_t          *t = NULL;
    tg_dialect_t              d;
    output_t                  out = { NULL, 0 }, other = { NULL, 0 };
    const char               *field = NULL;

    (void) exchange_ask(x, mem, &d, (cut_t) { 0, 0 });
    was = tg_answer_info(exchange_answer(x, mem, &d, NULL,
                                         (cut_t) { 0, 0 }));
    ask = ask_of(x, &d, was->stream, target);

    if (!tg_translates(ask.to, ask.from)) {
        tg_arena_destroy(arena);
        return;
    }

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        free(other.p);
        other = out;
        t = translate(x, mem, &ask, sizes[i], &out);

        if (t == NULL) {
            fprintf(stderr, "%s to %s: failed\n", name, targets[target].name);
            exit(2);
        }

        if (i != 0 && (out.len != other.len
                       || memcmp(out.p, other.p, out.len) != 0))
        {
            field = "split";
        }
    }

    leave(o, name, targets[target].name, t, &out);
    is = read_back(mem, &out, target, tg_translator_status(t),
                   tg_translator_content_type(t));

    if (field == NULL) {
        field = difference(was, is, ask.to);
    }

    judge(o, name, target, was->error, field, tg_translator_error(t));

    if (o->verbose) {
        printf("%s to %s: %u, %zu bytes, in=%" PRId64 " out=%" PRId64 "\n",
               name, targets[target].name, tg_translator_status(t), out.len,
               is->usage.input, is->usage.output);
    }

    free(out.p);
    free(other.p);
    tg_arena_destroy(arena);
}


static void
run(options_t *o, const char *name, unsigned status)
{
    exchange_t  x;
    char        dir[EXCHANGE_PATH];

    snprintf(dir, sizeof(dir), "%s/cases/%s", o->corpus, name);

    if (exchange_load(&x, dir)) {
        x.status = status;

        for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
            run_target(o, name, &x, i);
        }

    } else {
        printf("MISS %s: unreadable\n", name);
        o->missed++;
    }

    exchange_free(&x);
}


/* The status is the sixth field. */
static unsigned
status_of(const char *line)
{
    for (int i = 0; i < 5 && line != NULL; i++) {
        line = strchr(line, '\t');
        line = line != NULL ? line + 1 : NULL;
    }

    return line != NULL && atoi(line) > 0 ? (unsigned) atoi(line) : 200;
}


int
main(int argc, char **argv)
{
    static options_t  o;

    tg_arena_t  *arena = tg_arena_create(0);
    tg_error_t   err;
    blob_t       index;
    char        *line, *save;
    unsigned     status;

    for ( ; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
        o.verbose |= strcmp(argv[1], "-v") == 0;

        if (strcmp(argv[1], "--out") == 0 && argc > 2) {
            o.out = argv[2];
            argc--;
            argv++;
        }
    }

    if (argc < 2 || !blob_load(&index, argv[1], "INDEX.tsv")
        || tg_dialect_setup(tg_arena_mem(arena), &err) != TG_OK)
    {
        fprintf(stderr, "usage: corpus-translate [-v] [--out DIR] CORPUS"
                " [CASE]\n");
        return 2;
    }

    o.corpus = argv[1];
    (void) strtok_r(index.p, "\n", &save);      /* the names of the fields */

    while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
        status = status_of(line);
        line[strcspn(line, "\t")] = '\0';

        if (argc < 3 || strcmp(argv[2], line) == 0) {
            run(&o, line, status);
        }
    }

    printf("corpus translated: %u/%u exact, %u of them errors; %u refused by "
           "name\n", o.exact, o.exact + o.missed, o.errors, o.refused);

    return o.missed != 0;
}
