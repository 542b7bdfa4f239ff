/*
 * Guards at work on a call with any body.  What goes out, if it does, is JSON
 * of the same make, as jansson sees it: strings and numbers that guards look
 * into may have stars and ones in them, elements of the list of messages may be
 * missing, and nothing else is another.
 */

#include "tg_call_int.h"

#include <jansson.h>
#include <stdlib.h>

#define ARENA_MAX  (64 * 1024 * 1024)

typedef struct {
    tg_str_t  body;
} request_t;

static const char *const  guards[][4] = {
    { "g", "pii=card,iban,email,ssn,key,phone", "action=redact", NULL },
    { "g", "deny=~[a-e]+", "deny=~\\d\\d.", "action=redact" },
    { "g", "trim=20", NULL, NULL },
    { "g", "trim=60", "deny=~.", "action=redact" },
    { "g", "deny=~\xc3\xa9|x{2,}", "pii=card", "action=redact" }
};

static const char *const  paths[] = {
    "/v1/chat/completions", "/v1/messages", "/v1/responses",
    "/v1beta/models/gemini-2.5-flash:generateContent", "/v1/embeddings",
    "/v1/completions"
};


static tg_str_t
no_header(void *req, tg_str_t name)
{
    (void) req;
    (void) name;

    return tg_str_null;
}


static int
whole(void *req, tg_str_t *body)
{
    *body = ((request_t *) req)->body;

    return TG_OK;
}


static const tg_host_t  host = { no_header, NULL, whole };


static bool
starred(const char *a, const char *b)
{
    return strcmp(a, b) == 0 || strchr(b, '*') != NULL
           || strchr(b, '1') != NULL;
}


static void  alike(const json_t *a, const json_t *b, bool turns);


/* Names that are overwritten may become one; what is left is in order. */
static void
objects_alike(const json_t *a, const json_t *b, bool root)
{
    void    *i = json_object_iter((json_t *) (uintptr_t) a);
    void    *k = json_object_iter((json_t *) (uintptr_t) b);
    json_t  *left = (json_t *) (uintptr_t) a, *right = (json_t *) (uintptr_t) b;

    if (json_object_size(a) != json_object_size(b)) {
        for ( ; k != NULL; k = json_object_iter_next(right, k)) {
            if (strchr(json_object_iter_key(k), '*') != NULL) {
                return;
            }
        }
        abort();
    }

    for ( ; i != NULL && k != NULL; i = json_object_iter_next(left, i),
                                    k = json_object_iter_next(right, k))
    {
        const char  *name = json_object_iter_key(i);

        if (strcmp(name, json_object_iter_key(k)) != 0
            && strchr(json_object_iter_key(k), '*') == NULL)
        {
            abort();
        }

        alike(json_object_iter_value(i), json_object_iter_value(k),
              root && (strcmp(name, "messages") == 0
                       || strcmp(name, "contents") == 0
                       || strcmp(name, "input") == 0));
    }
}


static bool
kind_of(const json_t *turn, const char *role)
{
    const char  *s = json_string_value(json_object_get(turn, "role"));

    return s != NULL && strcmp(s, role) == 0;
}


/* What is left begins with a user's turn where it began with one, and no system
 * message is missing; the last turn is the last. */
static void
turns_alike(const json_t *a, const json_t *b)
{
    size_t  n = json_array_size(a), m = json_array_size(b), systems = 0;

    for (size_t i = 0; i < n; i++) {
        systems += kind_of(json_array_get(a, i), "system");
    }

    for (size_t i = 0; i < m; i++) {
        systems -= kind_of(json_array_get(b, i), "system");
    }

    if (m == 0 || systems != 0) {
        abort();
    }

    alike(json_array_get(a, n - 1), json_array_get(b, m - 1), false);
}


static void
alike(const json_t *a, const json_t *b, bool turns)
{
    if (json_typeof(a) != json_typeof(b)) {

        /* A fraction becomes a whole number. */

        if (json_is_number(a) && json_is_integer(b)) {
            return;
        }
        abort();
    }

    switch (json_typeof(a)) {

    case JSON_OBJECT:
        objects_alike(a, b, false);
        return;

    case JSON_ARRAY:
        if (turns && json_array_size(b) < json_array_size(a)) {
            turns_alike(a, b);
            return;
        }
        if (json_array_size(a) != json_array_size(b)) {
            abort();
        }
        for (size_t i = 0; i < json_array_size(a); i++) {
            alike(json_array_get(a, i), json_array_get(b, i), false);
        }
        return;

    case JSON_STRING:
        if (!starred(json_string_value(a), json_string_value(b))) {
            abort();
        }
        return;

    default:
        return;
    }
}


static void
compare(tg_mem_t *mem, tg_str_t body, const tg_edit_t *e)
{
    char    *got = tg_alloc(mem, body.len + e->tail.len);
    size_t   n = (size_t) e->tail_at + e->tail.len;
    json_t  *a, *b;

    if (got == NULL) {
        return;
    }

    memcpy(got, body.p, body.len);

    for (unsigned i = 0; i < e->nspans; i++) {
        const tg_edit_span_t  *s = &e->spans[i];

        if (s->start >= s->end || s->end > e->tail_at
            || (i != 0 && s->start < e->spans[i - 1].end)
            || s->text.len > s->end - s->start)
        {
            abort();
        }

        memset(got + s->start, ' ', (size_t) (s->end - s->start));
        memcpy(got + s->start, s->text.len ? s->text.p : "", s->text.len);
    }

    memcpy(got + e->tail_at, e->tail.p, e->tail.len);

    a = json_loadb(body.p, body.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
                   NULL);
    b = a == NULL ? NULL : json_loadb(got, n, JSON_ALLOW_NUL, NULL);

    if (a != NULL) {
        if (b == NULL) {
            abort();
        }
        objects_alike(a, b, true);
    }

    json_decref(a);
    json_decref(b);
}


static void
run(tg_mem_t *mem, tg_conf_t *conf, const char *path, tg_str_t body)
{
    tg_now_t           now = { 1700000000000, 1000 };
    tg_gate_t          gate;
    tg_call_t         *call;
    request_t          request = { body };
    tg_scope_t         scope;
    tg_refusal_t       refusal;
    tg_call_head_t     head;
    tg_id_source_t     ids;
    unsigned char      seed[32] = { 7 };
    tg_gate_scratch_t  scratch;

    memset(&gate, 0, sizeof(gate));
    memset(&head, 0, sizeof(head));
    memset(&scratch, 0, sizeof(scratch));
    gate.scratch = &scratch;
    tg_scope_init(&scope);
    tg_scope_merge(&scope, &scope);
    scope.enable = TG_ON;
    tg_id_seed(&ids, seed);

    head.method = tg_str("POST");
    head.path = tg_strz(path);
    head.upstream = tg_str("vllm.local");
    head.content_type = tg_str("application/json");

    call = tg_call_create(mem, conf, &scope, &host, &request, &head, &ids,
                          &now);

    if (call == NULL
        || tg_call_enter(call, &gate, &refusal) != TG_OK)
    {
        return;
    }

    tg_call_body(call, body.p, body.len);

    if (tg_call_admit(call, &gate, &now, &refusal) == TG_OK
        && tg_call_edit(call) != NULL)
    {
        compare(mem, body, tg_call_edit(call));
    }

    tg_call_free(call);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static tg_arena_t  *apis;

    unsigned     nargs = 0;
    tg_str_t     args[4];
    tg_conf_t   *conf;
    tg_scope_t   scope;
    tg_error_t   err;
    tg_arena_t  *arena;

    if (apis == NULL) {
        apis = tg_arena_create(0);
        if (tg_dialect_setup(tg_arena_mem(apis), &err) != TG_OK) {
            abort();
        }
    }

    if (n < 2) {
        return 0;
    }

    arena = tg_arena_create(ARENA_MAX);
    conf = tg_conf_create(tg_arena_mem(arena));
    tg_scope_init(&scope);

    for (const char *const *p = guards[data[0] % 5]; nargs < 4 && *p != NULL;
         p++)
    {
        args[nargs++] = tg_strz(*p);
    }

    if (tg_conf_directive(conf, &scope, TG_DIRECTIVE_GUARD, args, nargs, &err)
        != TG_OK
        || tg_conf_finish(conf, &err) != TG_OK)
    {
        abort();
    }

    run(tg_arena_mem(arena), conf, paths[data[1] % 6],
        tg_str_of((const char *) data + 2, n - 2));

    tg_conf_destroy(conf);
    tg_arena_destroy(arena);

    return 0;
}
