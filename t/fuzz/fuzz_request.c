/*
 * Any bytes as a request of any API.  However they are cut, the reading and the
 * error are the same; ranges lie where they say; an accepted JSON body is an
 * object to jansson, too, with the same model.
 *
 * The first three bytes choose API, content type, cutting.
 */

#include "tg_dialect_int.h"
#include "tg_request.h"

#include <jansson.h>
#include <stdlib.h>

#define REQUIRE(x)  do { if (!(x)) { abort(); } } while (0)

static const char *const  types[] = {
    "application/json", "multipart/form-data; boundary=XX", "", "text/plain"
};

static tg_request_fields_t  *fields;


static tg_request_t *
run(tg_arena_t *arena, const tg_dialect_t *d, const uint8_t *choice,
    const char *p, size_t len, size_t chunk, tg_str_t *values, int *rc)
{
    tg_request_t  *r;
    size_t         n;

    r = tg_request_create(tg_arena_mem(arena), d, tg_strz(types[choice[1] % 4]),
                          tg_str(""), choice[1] & 0x10 ? fields : NULL,
                          values);
    REQUIRE(r != NULL);

    for (size_t i = 0; i < len; i += n) {
        n = len - i < chunk ? len - i : chunk;
        (void) tg_request_feed(r, p + i, n);
    }

    *rc = tg_request_finish(r);
    REQUIRE((*rc == TG_OK) == (tg_request_error(r)->code == 0));
    REQUIRE(tg_request_info(r)->bytes == len);

    return r;
}


static void
check(const tg_request_t *r, const tg_dialect_t *d, const char *p, size_t len)
{
    const tg_request_info_t  *i = tg_request_info(r);
    json_t                   *j, *model;

    REQUIRE(i->system_bytes <= i->text_bytes);
    REQUIRE(i->uses >= -1 && i->sound_bytes <= i->media_bytes);
    REQUIRE(i->media_bytes <= i->bytes && i->prediction_bytes <= i->bytes);
    REQUIRE(i->max_tokens >= -1 && i->n >= 1);

    if (i->root_end == TG_JSON_NOWHERE) {
        return;
    }

    REQUIRE(p[i->root_end] == '}');

    if (i->model_member.key != TG_JSON_NOWHERE) {
        REQUIRE(i->model_member.start > i->model_member.key);
        REQUIRE(i->model_member.end <= i->model_member.next);
        REQUIRE(p[i->model_member.next] == ','
                || i->model_member.next == i->root_end);
    }

    /* jansson has no NUL in keys, and its own limits */

    j = json_loadb(p, len, JSON_ALLOW_NUL, NULL);

    if (j != NULL) {
        REQUIRE(json_is_object(j));
        REQUIRE(i->root_empty == (json_object_size(j) == 0));
        model = json_object_get(j, "model");

        if (json_is_string(model) && json_string_length(model) <= 256
            && d->model.len == 0 && i->model.len != 0
            && i->model_member.key != TG_JSON_NOWHERE)
        {
            REQUIRE(tg_str_eq(i->model,
                              tg_str_of(json_string_value(model),
                                        json_string_length(model))));
        }

        json_decref(j);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tg_arena_t      *tables;
    static const tg_str_t   paths[] = {
        TG_STR("metadata.session_id"), TG_STR("model"), TG_STR("user"),
        TG_STR("messages[].content"), TG_STR("a.b[].c")
    };

    tg_arena_t               *one, *other;
    const tg_request_info_t  *a, *b;
    tg_request_t             *r, *s;
    tg_dialect_t              d;
    tg_str_t                  v[5], w[5];
    tg_error_t                err;
    char                     *copy;
    int                       rc, rd;

    if (tables == NULL) {
        tables = tg_arena_create(0);
        REQUIRE(tg_dialect_setup(tg_arena_mem(tables), &err) == TG_OK);
        fields = tg_request_fields(tg_arena_mem(tables), paths, 5, &err);
        REQUIRE(fields != NULL);
    }

    if (size < 3) {
        return 0;
    }

    copy = malloc(size - 3 + 1);
    REQUIRE(copy != NULL);
    memcpy(copy, data + 3, size - 3);

    one = tg_arena_create(64 * 1024);
    other = tg_arena_create(64 * 1024);
    memset(v, 0, sizeof(v));
    memset(w, 0, sizeof(w));

    d.api = tg_api_at(data[0] % tg_apis());
    d.model = tg_str_null;
    d.stream = false;
    tg_dialect_upstream(&d, tg_str(""), NULL);

    r = run(one, &d, data, copy, size - 3, SIZE_MAX, v, &rc);
    s = run(other, &d, data, copy, size - 3, data[2] % 16 + 1, w, &rd);
    a = tg_request_info(r);
    b = tg_request_info(s);

    REQUIRE(rc == rd);
    REQUIRE(tg_request_error(r)->code == tg_request_error(s)->code);
    REQUIRE(tg_request_inspected(r) == tg_request_inspected(s));

    if (rc == TG_OK) {
        REQUIRE(tg_str_eq(a->model, b->model));
        REQUIRE(a->stream == b->stream && a->max_tokens == b->max_tokens);
        REQUIRE(a->text_bytes == b->text_bytes);
        REQUIRE(a->n == b->n && a->thinking_budget == b->thinking_budget);
        REQUIRE(a->elsewhere == b->elsewhere && a->uses == b->uses);
        REQUIRE(a->pictures == b->pictures);
        REQUIRE(a->media_bytes == b->media_bytes);
        REQUIRE(a->sound_bytes == b->sound_bytes);
        REQUIRE(a->prediction_bytes == b->prediction_bytes);
        REQUIRE(a->query_bytes == b->query_bytes);
        REQUIRE(a->messages == b->messages && a->root_end == b->root_end);
        REQUIRE(a->root_empty == b->root_empty);
        REQUIRE(memcmp(&a->model_member, &b->model_member,
                       sizeof(tg_member_t)) == 0);

        for (size_t i = 0; i < 5; i++) {
            REQUIRE(tg_str_eq(v[i], w[i]));
        }

        if (tg_request_inspected(r)) {
            check(r, &d, copy, size - 3);
        }
    }

    tg_arena_destroy(one);
    tg_arena_destroy(other);
    free(copy);

    return 0;
}
