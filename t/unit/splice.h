/*
 * splice.h - a call that is sent to another model than it asks for: does its
 * body, as it goes, differ from what came in what was meant to and nothing else?
 * jansson says.
 */

#ifndef SPLICE_H
#define SPLICE_H

#include <jansson.h>
#include <stdlib.h>

#include "tg_call.h"

#define SPLICE_MODEL  "the-model-that-is-to-answer"

typedef enum {
    SPLICE_SKIP = 0,            /* not a call that is sent on, or nothing that
                                   jansson can judge */
    SPLICE_GOOD,
    SPLICE_BAD
} splice_result_t;

typedef struct {
    tg_arena_t  *arena;
    tg_conf_t   *conf;
    tg_scope_t   scope;
} splice_t;


static inline tg_str_t
splice_header(void *req, tg_str_t name)
{
    (void) req;
    (void) name;

    return tg_str_null;
}


static inline int
splice_say(splice_t *s, tg_directive_id_t id, const char *a, const char *b,
    const char *c)
{
    tg_str_t    args[3] = { tg_strz(a), tg_strz(b), tg_strz(c) };
    tg_error_t  err;

    return tg_conf_directive(s->conf, &s->scope, id, args, *c != '\0' ? 3 : 2,
                             &err);
}


static inline bool
splice_begin(splice_t *s)
{
    tg_error_t  err;

    s->arena = tg_arena_create(0);
    s->conf = tg_conf_create(tg_arena_mem(s->arena));
    tg_scope_init(&s->scope);

    return splice_say(s, TG_DIRECTIVE_PROVIDER, "there", "url=http://there", "")
           == TG_OK
           && splice_say(s, TG_DIRECTIVE_ROUTE, "all",
                         "when=operation != ''", "to=there/" SPLICE_MODEL)
              == TG_OK
           && tg_conf_finish(s->conf, &err) == TG_OK;
}


static inline void
splice_end(splice_t *s)
{
    tg_conf_destroy(s->conf);
    tg_arena_destroy(s->arena);
}


/* What the edit makes of the body; of malloc(). */
static inline char *
splice_apply(const tg_edit_t *e, const char *body, size_t len, size_t *out)
{
    char      *p;
    size_t     n;
    uint64_t   covered = 0;

    if (e->tail_at > len) {
        return NULL;
    }

    *out = (size_t) e->tail_at + e->tail.len;
    p = malloc(*out + 1);
    memcpy(p, body, (size_t) e->tail_at);

    for (unsigned i = 0; i < e->nspans; i++) {
        const tg_edit_span_t  *s = &e->spans[i];

        if (s->start < covered || s->end < s->start || s->end > e->tail_at
            || s->text.len > s->end - s->start)
        {
            free(p);
            return NULL;
        }

        n = (size_t) (s->end - s->start);
        memset(p + s->start, ' ', n);
        if (s->text.len != 0) {
            memcpy(p + s->start, s->text.p, s->text.len);
        }
        covered = s->end;
    }

    memcpy(p + e->tail_at, e->tail.p, e->tail.len);

    return p;
}


/* The original is made to be what should have come out. */
static inline void
splice_expect(json_t *from, const json_t *to)
{
    json_t                   *options, *max = json_object_get(from,
                                                              "max_tokens");
    static const char *const  refused[] = { "reasoning_effort", "verbosity" };

    if (json_object_get(from, "model") != NULL
        || json_object_get(to, "model") != NULL)
    {
        json_object_set_new(from, "model", json_string(SPLICE_MODEL));
    }

    /* usage is asked for, of a stream whose client did not */

    options = json_object_get(json_object_get(to, "stream_options"),
                              "include_usage");

    if (json_is_true(options)
        && !json_is_true(json_object_get(json_object_get(from,
                                                         "stream_options"),
                                         "include_usage")))
    {
        if (!json_is_object(json_object_get(from, "stream_options"))) {
            json_object_set_new(from, "stream_options", json_object());
        }
        json_object_set_new(json_object_get(from, "stream_options"),
                            "include_usage", json_true());
    }

    /* what a model of OpenAI's that does not think refuses */

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (json_object_get(to, refused[i]) == NULL) {
            json_object_del(from, refused[i]);
        }
    }

    /* the same maximum by its newer name */

    if (max != NULL && json_object_get(to, "max_tokens") == NULL
        && json_object_get(from, "max_completion_tokens") == NULL)
    {
        json_object_set(from, "max_completion_tokens", max);
        json_object_del(from, "max_tokens");
    }
}


static inline splice_result_t
splice_compare(const char *a, size_t alen, const char *b, size_t blen)
{
    json_t           *from = json_loadb(a, alen, JSON_ALLOW_NUL, NULL), *to;
    splice_result_t   result = SPLICE_BAD;

    if (from == NULL) {
        return SPLICE_SKIP;             /* its own limits */
    }

    to = json_loadb(b, blen, JSON_ALLOW_NUL, NULL);

    if (to != NULL) {
        splice_expect(from, to);
        result = json_equal(from, to) ? SPLICE_GOOD : SPLICE_BAD;
    }

    json_decref(from);
    json_decref(to);

    return result;
}


static inline splice_result_t
splice_call(splice_t *s, tg_mem_t *mem, tg_call_head_t *head,
    const char *body, size_t len)
{
    char                     *made;
    size_t                    n;
    tg_now_t                  now = { 1700000000000, 1000 };
    tg_call_t                *call;
    tg_refusal_t              refusal;
    tg_id_source_t            ids;
    tg_header_t               says[TG_SAYS_MAX];
    splice_result_t           result;
    const tg_hop_t           *hop;
    static tg_gate_scratch_t  scratch;
    static const tg_gate_t    gate = { .scratch = &scratch };
    static const tg_host_t    host = { splice_header, NULL, NULL };
    static unsigned char      seed[32] = { 7 };

    tg_id_seed(&ids, seed);
    s->scope.enable = TG_ON;
    s->scope.pass = 1;

    call = tg_call_create(mem, s->conf, &s->scope, &host, NULL, head, &ids,
                          &now);
    if (call == NULL) {
        return SPLICE_BAD;
    }

    tg_call_body(call, body, len);

    if (tg_call_enter(call, &gate, &refusal) != TG_OK
        || tg_call_admit(call, &gate, &now, &refusal) != TG_OK)
    {
        tg_call_free(call);
        return SPLICE_SKIP;
    }

    hop = tg_call_hop(call);

    if (tg_call_says(call, says) == 0
        || tg_str_starts(head->path, tg_str("/model/")))
    {
        /* such calls go as they came, or (Bedrock) their path alone changes */

        result = SPLICE_SKIP;

    } else if (hop == NULL || hop->whole) {
        result = SPLICE_BAD;

    } else if (hop->edit == NULL) {
        result = splice_compare(body, len, body, len);

    } else {
        made = splice_apply(hop->edit, body, len, &n);
        result = made == NULL ? SPLICE_BAD
                 : splice_compare(body, len, made, n);
        free(made);
    }

    tg_call_free(call);

    return result;
}

#endif /* SPLICE_H */
