/* Calls whose place is chosen, for tests. */

#ifndef ROUTED_H
#define ROUTED_H

#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "tg_call.h"

#define CHAT    "/v1/chat/completions"
#define CLAUDE  "/v1/messages"
#define NOW     INT64_C(1700000000000)
#define MS      INT64_C(1000000)
#define LEDGER  (512 * 1024)

static const char  routed_prices[] =
    "{\"gpt-dear\":{\"litellm_provider\":\"openai\",\"max_output_tokens\":9000,"
    "\"input_cost_per_token\":1e-05,\"output_cost_per_token\":3e-05},"
    "\"gpt-mini\":{\"litellm_provider\":\"openai\",\"max_output_tokens\":500,"
    "\"input_cost_per_token\":1e-06,\"output_cost_per_token\":2e-06},"
    "\"o9-think\":{\"litellm_provider\":\"openai\",\"max_output_tokens\":9000,"
    "\"input_cost_per_token\":1e-06,\"output_cost_per_token\":2e-06},"
    "\"claude-x\":{\"litellm_provider\":\"anthropic\","
    "\"max_output_tokens\":4000,"
    "\"input_cost_per_token\":3e-06,\"output_cost_per_token\":1.5e-05},"
    "\"llama\":{\"litellm_provider\":\"vllm\",\"max_output_tokens\":2000,"
    "\"input_cost_per_token\":0,\"output_cost_per_token\":0}}";

static const char  providers[] =
    "llm_provider openai dialect=openai url=https://api.openai.com"
    " models=gpt-*,o9-* header=x-team:a\n"
    "llm_provider anthropic dialect=anthropic url=https://api.anthropic.com"
    " models=claude-*\n"
    "llm_provider google dialect=gemini"
    " url=https://generativelanguage.googleapis.com models=gemini-*\n"
    "llm_provider gpu dialect=vllm url=http://10.0.0.9:8000/serve"
    " models=llama*\n"
    "llm_provider spare dialect=openai url=https://spare.example/openai/v1"
    " models=gpt-*\n";

typedef struct {
    tg_arena_t      *arena;
    tg_conf_t       *conf;
    tg_scope_t       scope;
    tg_call_t       *call;
    tg_gate_t        gate;
    tg_now_t         now;
    tg_refusal_t     refusal;
    tg_str_t         body;
    unsigned         bodies;            /* times that it was asked for */
    const char     **headers;
    tg_ledger_t      led;
    void            *base;
} routed_t;

static tg_arena_t        *routed_arena;
static tg_price_book_t   *routed_book;
static tg_breakers_t      routed_breakers;
static tg_gate_scratch_t  routed_scratch;


static int
routed_setup(void **state)
{
    tg_error_t  err;

    (void) state;
    routed_arena = tg_arena_create(0);
    routed_book = tg_price_book_create();
    routed_scratch.expr = tg_expr_scratch(tg_arena_mem(routed_arena));

    return tg_dialect_setup(tg_arena_mem(routed_arena), &err) != TG_OK
           || tg_price_book_add(routed_book, tg_str("test"),
                                tg_str(routed_prices), &err)
              != TG_OK;
}


static int
routed_teardown(void **state)
{
    (void) state;
    tg_arena_destroy(routed_arena);
    tg_price_book_destroy(routed_book);

    return 0;
}


static tg_str_t
routed_header(void *req, tg_str_t name)
{
    routed_t  *f = req;

    for (const char **h = f->headers; h != NULL && *h != NULL; h += 2) {
        if (tg_str_eq(tg_strz(h[0]), name)) {
            return tg_strz(h[1]);
        }
    }

    return tg_str_null;
}


static tg_str_t
routed_variable(void *req, uintptr_t handle)
{
    (void) req;
    (void) handle;

    return tg_str_null;
}


static int
routed_body(void *req, tg_str_t *body)
{
    routed_t  *f = req;

    f->bodies++;
    *body = f->body;

    return TG_OK;
}


static const tg_host_t  routed_host = {
    routed_header, routed_variable, routed_body
};


/* Directives, one a line; words with blanks are in quotes. */
static int
routed_said(routed_t *f, const char *text, tg_error_t *err)
{
    char      *copy = strdup(text), *p = copy, *q;
    unsigned   n;
    tg_str_t   args[TG_ARGS_MAX];

    while (*p != '\0') {
        char  *end = p + strcspn(p, "\n"), *next = *end ? end + 1 : end;

        *end = '\0';

        for (n = 0; *(p += strspn(p, " ")) != '\0'; n++) {
            q = *p == '"' ? strchr(++p, '"') : p + strcspn(p, " ");
            args[n] = tg_str_of(p, (size_t) (q - p));
            p = *q == '\0' ? q : q + 1;
        }

        for (unsigned id = 0; n != 0 && id < TG_DIRECTIVES; id++) {
            if (!tg_str_eq(args[0], tg_strz(tg_directives[id].nginx_name))) {
                continue;
            }

            if (tg_conf_directive(f->conf, &f->scope, (tg_directive_id_t) id,
                                  args + 1, n - 1, err)
                != TG_OK)
            {
                free(copy);
                return TG_ERROR;
            }
        }

        p = next;
    }

    free(copy);

    return tg_conf_finish(f->conf, err);
}


/* llm_pass on, unless the text says otherwise. */
static void
begin(routed_t *f, const char *text)
{
    char        whole[8192];
    tg_error_t  err;
    tg_scope_t  defaults;

    memset(f, 0, sizeof(*f));
    memset(&routed_breakers, 0, sizeof(routed_breakers));
    f->arena = tg_arena_create(0);
    f->conf = tg_conf_create(tg_arena_mem(f->arena));
    f->now.wall_ms = NOW;
    f->now.mono_ns = 1000 * MS;
    f->gate.book = routed_book;
    f->gate.breakers = &routed_breakers;
    f->gate.scratch = &routed_scratch;
    tg_scope_init(&f->scope);

    (void) snprintf(whole, sizeof(whole), "llm on\n%s%s%s",
                    strstr(text, "llm_pass") ? "" : "llm_pass on\n", providers,
                    text);

    if (routed_said(f, whole, &err) != TG_OK) {
        fail_msg("%s", err.message);
    }

    tg_scope_init(&defaults);
    tg_scope_merge(&defaults, &f->scope);
}


static bool
routed_dead(void *baton, uint32_t owner)
{
    (void) baton;
    (void) owner;

    return false;
}


static bool
routed_wait(void *baton, uint64_t *since)
{
    (void) baton;
    (void) since;

    return false;
}


static void
routed_ledger(routed_t *f)
{
    tg_error_t              err;
    const unsigned char     id[16] = "0123456789abcde";
    const tg_ledger_host_t  host = { routed_dead, routed_wait, NULL };

    f->base = aligned_alloc(4096, LEDGER);
    memset(f->base, 0, LEDGER);
    assert_int_equal(tg_ledger_format(f->base, LEDGER, id, id, NOW, &err),
                     TG_OK);
    assert_int_equal(tg_ledger_attach(&f->led, f->base, LEDGER, &host, &err),
                     TG_OK);
    assert_int_equal(tg_ledger_claim(&f->led, 1), TG_LEDGER_OK);
    f->gate.ledger = &f->led;
}


static void
end(routed_t *f)
{
    tg_conf_destroy(f->conf);
    tg_arena_destroy(f->arena);
    free(f->base);
}


static int
send_to(routed_t *f, const char *upstream, const char *path, const char *body)
{
    const char      *q = strchr(path, '?');
    tg_id_source_t   ids;
    unsigned char    seed[32] = { 7 };
    tg_call_head_t   head = { 0 };

    tg_id_seed(&ids, seed);
    head.method = tg_str("POST");
    head.path = tg_str_of(path, q ? (size_t) (q - path) : strlen(path));
    head.args = q ? tg_strz(q + 1) : tg_str_null;
    head.upstream = tg_strz(upstream);
    head.content_type = tg_str("application/json");
    head.client = tg_str("127.0.0.1");

    f->body = tg_strz(body);
    f->bodies = 0;
    f->call = tg_call_create(tg_arena_mem(f->arena), f->conf, &f->scope,
                             &routed_host, f, &head, &ids, &f->now);
    assert_non_null(f->call);

    if (tg_call_enter(f->call, &f->gate, &f->refusal) != TG_OK) {
        return TG_ERROR;
    }

    tg_call_body(f->call, body, strlen(body));

    return tg_call_admit(f->call, &f->gate, &f->now, &f->refusal);
}


static int
send(routed_t *f, const char *path, const char *body)
{
    return send_to(f, "", path, body);
}


/* The body as the hop has it, applied to `file`, which is a file's contents that
 * earlier hops may have written into. */
static json_t *
hop_body(routed_t *f, char *file)
{
    size_t                 len = f->body.len;
    json_t                *v;
    json_error_t           e;
    const tg_hop_t        *hop = tg_call_hop(f->call);
    const tg_edit_t       *edit = hop != NULL ? hop->edit
                                              : tg_call_edit(f->call);
    const tg_edit_span_t  *s;
    char                   out[65536];

    if (hop != NULL && hop->whole) {
        v = json_loadb(hop->body.p, hop->body.len, JSON_REJECT_DUPLICATES, &e);
        assert_non_null(v);
        return v;
    }

    for (unsigned i = 0; edit != NULL && i < edit->nspans; i++) {
        s = &edit->spans[i];
        assert_true(i == 0 || s->start >= edit->spans[i - 1].end);
        assert_true(s->end <= edit->tail_at);
        assert_true(s->text.len <= s->end - s->start);
        memset(file + s->start, ' ', s->end - s->start);

        if (s->text.len != 0) {
            memcpy(file + s->start, s->text.p, s->text.len);
        }
    }

    memcpy(out, file, len);

    if (edit != NULL) {
        memcpy(out + edit->tail_at, edit->tail.p, edit->tail.len);
        len = (size_t) edit->tail_at + edit->tail.len;
    }

    v = json_loadb(out, len, JSON_REJECT_DUPLICATES, &e);

    if (v == NULL) {
        fail_msg("%s: %.*s", e.text, (int) len, out);
    }

    return v;
}


/* What goes there is `want`, in JSON: from a body in memory, and from one in a
 * file that has been written into. */
static void
body_is(routed_t *f, char *file, const char *want)
{
    char    fresh[16384];
    char   *text;
    json_t *a, *b = json_loads(want, 0, NULL);

    assert_non_null(b);
    memcpy(fresh, f->body.p, f->body.len);

    for (unsigned i = 0; i < 2; i++) {
        a = hop_body(f, i == 0 && file != NULL ? file : fresh);

        if (!json_equal(a, b)) {
            text = json_dumps(a, JSON_COMPACT);
            fail_msg("%s is not %s", text, want);
        }

        json_decref(a);
    }

    json_decref(b);
}


static void
to_is(routed_t *f, const char *provider, const char *authority,
    const char *path)
{
    const tg_hop_t  *hop = tg_call_hop(f->call);

    assert_non_null(hop);
    assert_string_equal(hop->provider->name.p, provider);

    if (!tg_str_eq(hop->authority, tg_strz(authority))
        || !tg_str_eq(hop->path, tg_strz(path)))
    {
        fail_msg("%.*s%.*s is not %s%s", (int) hop->authority.len,
                 hop->authority.p, (int) hop->path.len, hop->path.p, authority,
                 path);
    }
}


static int
failed(routed_t *f, tg_fail_t why, unsigned status, const char *retry)
{
    bool  would = tg_call_falls_back(f->call, why, status);
    int   rc;

    f->now.mono_ns += 10 * MS;
    rc = tg_call_failed(f->call, &f->gate, &f->now, why, status,
                        retry ? tg_strz(retry) : tg_str_null);
    assert_true(would || rc == TG_ERROR);

    return rc;
}


static void
answer(routed_t *f, unsigned status, const char *text)
{
    tg_call_sent(f->call, &f->gate);
    tg_call_answer(f->call, status, tg_str("application/json"), false);
    tg_call_feed(f->call, text, strlen(text), &f->now);
    tg_call_finish(f->call, TG_END_COMPLETE, status, &f->gate, &f->now);
}


static json_t *
line(routed_t *f, unsigned i)
{
    static char   buf[TG_LINE_MAX];
    size_t        n = tg_call_line(f->call, i, buf, 1, TG_LOG_JSON);
    json_t       *v;
    json_error_t  e;

    assert_int_equal(buf[n - 1], '\n');
    v = json_loadb(buf, n, JSON_REJECT_DUPLICATES, &e);

    if (v == NULL) {
        fail_msg("%s: %.*s", e.text, (int) n, buf);
    }

    return v;
}


static const char *
text_of(json_t *v, const char *key)
{
    const char  *s = json_string_value(json_object_get(v, key));

    return s != NULL ? s : "";
}


static json_int_t
int_of(json_t *v, const char *key)
{
    return json_integer_value(json_object_get(v, key));
}


static const char *
says(routed_t *f, const char *name)
{
    static char  value[512];
    unsigned     n;
    tg_header_t  headers[TG_SAYS_MAX];

    n = tg_call_says(f->call, headers);

    for (unsigned i = 0; i < n; i++) {
        if (tg_str_eq(headers[i].name, tg_strz(name))) {
            (void) snprintf(value, sizeof(value), "%.*s",
                            (int) headers[i].value.len, headers[i].value.p);
            return value;
        }
    }

    return "";
}

#endif /* ROUTED_H */
