#define _GNU_SOURCE

#include "llmctl_explain.h"
#include "llmctl.h"

#include <getopt.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define BODY_MAX     (64 * 1024 * 1024)
#define PRICES_MAX   (64 * 1024 * 1024)


static tg_str_t
explain_header(void *req, tg_str_t name)
{
    const ask_t  *a = ((const explain_t *) req)->ask;

    for (unsigned i = 0; i < a->nheaders; i++) {
        if (tg_str_caseeq(a->headers[i].name, name)) {
            return a->headers[i].value;
        }
    }

    return tg_str_null;
}


/* The handle is the source's. */
static tg_str_t
explain_variable(void *req, uintptr_t handle)
{
    const ask_t        *a = ((const explain_t *) req)->ask;
    const tg_source_t  *src = (const tg_source_t *) handle;

    for (unsigned i = 0; i < a->nvariables; i++) {
        if (tg_str_eq(a->variables[i].name, src->name)) {
            return a->variables[i].value;
        }
    }

    return tg_str_null;
}


static int
explain_body(void *req, tg_str_t *body)
{
    *body = ((explain_t *) req)->body;

    return TG_OK;
}


static const tg_host_t  explain_host = {
    explain_header,
    explain_variable,
    explain_body
};


static void
bind_variables(tg_conf_t *conf)
{
    tg_source_t  *src;

    for (unsigned i = 0; i < conf->ntags; i++) {
        for (unsigned k = 0; k < conf->tags[i].nsources; k++) {
            src = &conf->tags[i].sources[k];

            if (src->kind == TG_SOURCE_VARIABLE) {
                src->handle = (uintptr_t) src;
            }
        }
    }
}


static bool
read_prices(explain_t *x)
{
    int               rc;
    char             *text;
    size_t            size;
    tg_error_t        err;
    const tg_conf_t  *conf = x->server.conf;

    x->book = conf->nprices == 0 ? NULL : tg_price_book_create();

    for (unsigned i = 0; x->book != NULL && i < conf->nprices; i++) {
        text = read_file(conf->prices[i].p, PRICES_MAX, &size);
        if (text == NULL) {
            return false;
        }

        rc = tg_price_book_add(x->book, conf->prices[i],
                               tg_str_of(text, size), &err);
        free(text);

        if (rc != TG_OK) {
            return failed("prices", err.message);
        }
    }

    return true;
}


/*
 * A copy of the keys in which this one has a secret that we know: nobody knows
 * its own from its hash.
 */
static bool
forge(explain_t *x)
{
    char        *text;
    json_t      *root, *key, *found = NULL;
    size_t       i;
    tg_str_t     file = x->server.conf->keys.file;
    tg_error_t   err;

    if (file.len == 0) {
        return failed("--key-id", "this server has no keys (llm_keys)");
    }

    root = json_load_file(file.p, 0, NULL);

    json_array_foreach(json_object_get(root, "keys"), i, key) {
        const char  *id = json_string_value(json_object_get(key, "id"));

        if (id != NULL && strcmp(id, x->ask->key_id) == 0) {
            found = key;
        }
    }

    if (found == NULL || !make_secret(x->secret)
        || json_object_set_new(found, "sha256", digest_of(x->secret)) != 0)
    {
        json_decref(root);
        return failed(x->ask->key_id, "there is no key of this id");
    }

    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);

    x->roster = text == NULL ? NULL
                : tg_roster_load(&x->server.conf->quotas, file, tg_strz(text),
                                 &err);
    free(text);
    x->ask->key = x->secret;

    return x->roster != NULL || failed("keys", err.message);
}


static bool
add_pair(pair_t *list, unsigned *n, tg_str_t name, tg_str_t value)
{
    if (*n == PAIRS_MAX) {
        return failed("explain", "there are too many headers or variables");
    }

    list[*n].name = name;
    list[(*n)++].value = value;

    return true;
}


static bool
put_key(explain_t *x)
{
    ask_t  *a = x->ask;

    if (a->key_id != NULL && !forge(x)) {
        return false;
    }

    if (a->key == NULL) {
        return true;
    }

    /* a command line is for everybody's eyes */

    if (strcmp(a->key, "-") == 0) {
        if (strcmp(a->body, "-") == 0) {
            return failed("--key", "stdin can't be the key and the body");
        }

        if (fgets(x->typed, sizeof(x->typed), stdin) == NULL) {
            return failed("--key", "there is none on stdin");
        }

        x->typed[strcspn(x->typed, "\r\n")] = '\0';
        a->key = x->typed;
    }

    if (strlen(a->key) > TG_KEY_SECRET_MAX) {
        return failed("--key", "is too long");
    }

    (void) snprintf(x->bearer, sizeof(x->bearer), "Bearer %s", a->key);

    return add_pair(a->headers, &a->nheaders, tg_str("authorization"),
                    tg_strz(x->bearer));
}


/* The body, with --model in the place of its own. */
static char *
read_body(const ask_t *a, size_t *size)
{
    char    *text = read_file(a->body, BODY_MAX, size), *made;
    json_t  *root;

    if (text == NULL || a->model == NULL) {
        return text;
    }

    root = json_loadb(text, *size, 0, NULL);
    free(text);

    if (!json_is_object(root)
        || json_object_set_new(root, "model", json_string(a->model)) != 0)
    {
        json_decref(root);
        (void) fail("--model", "the body is no JSON object");
        return NULL;
    }

    made = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(root);
    *size = made == NULL ? 0 : strlen(made);

    return made;
}


static void
now_is(tg_now_t *now)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);
    now->wall_ms = now_ms();
    now->mono_ns = (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}


static bool
make_call(explain_t *x, const tg_now_t *now)
{
    const char       *q;
    const ask_t      *a = x->ask;
    unsigned char     seed[32];
    tg_id_source_t    ids;
    tg_call_head_t    head;

    if (getrandom(seed, sizeof(seed), 0) != (ssize_t) sizeof(seed)) {
        return failed("getrandom", "failed");
    }

    tg_id_seed(&ids, seed);
    memset(&head, 0, sizeof(head));
    q = strchr(a->path, '?');
    head.method = tg_str("POST");
    head.path = q == NULL ? tg_strz(a->path)
                : tg_str_of(a->path, (size_t) (q - a->path));
    head.args = q == NULL ? tg_str_null : tg_strz(q + 1);
    head.upstream = a->upstream == NULL ? tg_str_null : tg_strz(a->upstream);
    head.client = a->client == NULL ? tg_str_null : tg_strz(a->client);
    head.content_type = explain_header(x, tg_str("content-type"));
    head.content_encoding = explain_header(x, tg_str("content-encoding"));

    if (head.content_type.len == 0) {
        head.content_type = tg_str("application/json");
    }

    x->call = tg_call_create(x->server.mem, x->server.conf, &x->scope,
                             &explain_host, x, &head, &ids, now);

    return x->call != NULL || failed("explain", "out of memory");
}


/* The same path as in the servers, but that nothing is held. */
static bool
run(explain_t *x)
{
    int        rc;
    char      *body, *text;
    size_t     size;
    tg_now_t   now;

    tg_scope_init(&x->scope);
    x->scope.enable = TG_ON;
    tg_scope_merge(&x->scope, &x->scope);

    x->scratch.expr = tg_expr_scratch(x->server.mem);
    tg_desk_gate(&x->server.desk, x->book, &x->scratch, &x->gate);
    x->gate.roster = x->roster != NULL ? x->roster : x->server.desk.roster;
    x->gate.ledger = &x->server.desk.ledger.ledger;
    x->gate.look = &x->look;

    body = read_body(x->ask, &size);
    if (body == NULL) {
        return false;
    }

    now_is(&now);

    if (!make_call(x, &now)) {
        free(body);
        return false;
    }

    rc = tg_call_enter(x->call, &x->gate, &x->refusal);

    if (rc == TG_OK) {
        x->body = tg_str_of(body, size);
        tg_call_body(x->call, body, size);
        rc = tg_call_admit(x->call, &x->gate, &now, &x->refusal);
    }

    free(body);
    tg_call_finish(x->call, TG_END_COMPLETE, rc == TG_OK ? 200
                                             : x->refusal.status,
                   &x->gate, &now);

    text = tg_alloc(x->server.mem, TG_LINE_MAX);
    x->line = text == NULL ? NULL
              : json_loadb(text, tg_call_line(x->call, 0, text, 0, TG_LOG_JSON), 0,
                           NULL);

    return x->line != NULL || failed("explain", "out of memory");
}


static int
explain(ask_t *a)
{
    bool        done;
    explain_t  *x = calloc(1, sizeof(*x));

    if (x == NULL) {
        return fail("explain", "out of memory");
    }

    x->ask = a;
    done = server_open(&x->server, a->ledger, SERVER_VIEW) && read_prices(x)
           && put_key(x);

    if (done) {
        bind_variables(x->server.conf);
        done = run(x);
    }

    if (done) {
        (a->json ? explain_json : explain_text)(x);
    }

    if (x->call != NULL) {
        tg_call_free(x->call);
    }

    json_decref(x->line);
    tg_roster_unref(x->roster);
    tg_price_book_destroy(x->book);
    server_close(&x->server);
    OPENSSL_cleanse(x->secret, sizeof(x->secret));
    OPENSSL_cleanse(x->typed, sizeof(x->typed));
    OPENSSL_cleanse(x->bearer, sizeof(x->bearer));
    free(x);

    return done ? 0 : 1;
}


/* "name:value", "name=value". */
static bool
read_pair(const char *s, char sep, pair_t *list, unsigned *n)
{
    const char  *p = strchr(s, sep);
    tg_str_t     value;

    if (p == NULL || p == s) {
        return failed(s, sep == ':' ? "is not name:value"
                                  : "is not name=value");
    }

    value = tg_str_trim(tg_strz(p + 1));

    return add_pair(list, n, tg_str_of(s, (size_t) (p - s)), value);
}


static bool
read_option(ask_t *a, int opt)
{
    switch (opt) {
    case 'l':
        a->ledger = optarg;
        return true;
    case 'k':
        a->key = optarg;
        return true;
    case 'i':
        a->key_id = optarg;
        return true;
    case 'p':
        a->path = optarg;
        return true;
    case 'u':
        a->upstream = optarg;
        return true;
    case 'c':
        a->client = optarg;
        return true;
    case 'm':
        a->model = optarg;
        return true;
    case 'h':
        return read_pair(optarg, ':', a->headers, &a->nheaders);
    case 'v':
        return read_pair(optarg, '=', a->variables, &a->nvariables);
    case 'j':
        a->json = true;
        return true;
    default:
        return false;
    }
}


int
explain_command(int argc, char **argv)
{
    static const struct option  options[] = {
        { "ledger",   required_argument, NULL, 'l' },
        { "key",      required_argument, NULL, 'k' },
        { "key-id",   required_argument, NULL, 'i' },
        { "path",     required_argument, NULL, 'p' },
        { "upstream", required_argument, NULL, 'u' },
        { "client",   required_argument, NULL, 'c' },
        { "model",    required_argument, NULL, 'm' },
        { "header",   required_argument, NULL, 'h' },
        { "variable", required_argument, NULL, 'v' },
        { "json",     no_argument,       NULL, 'j' },
        { NULL,       0,                 NULL, 0 }
    };
    int    opt, rc;
    ask_t  a;

    memset(&a, 0, sizeof(a));
    a.path = "/v1/chat/completions";

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!read_option(&a, opt)) {
            return 2;
        }
    }

    if (optind != argc - 1 || (a.key != NULL && a.key_id != NULL)) {
        return fail("explain", "takes one file, - for stdin, and --key or"
                               " --key-id; llmctl help says more") + 1;
    }

    a.body = argv[optind];
    rc = explain(&a);

    return fflush(stdout) == EOF || ferror(stdout)
           ? fail("explain", "can't be written") : rc;
}
