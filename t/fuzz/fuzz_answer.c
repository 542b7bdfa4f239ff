/*
 * Any bytes as an answer of any API.  However they are cut, the reading is the
 * same; no count is negative or out of its whole; memory stays bounded.
 *
 * The first four bytes choose API, vendor, content type and status, cutting.
 */

#include "tg_answer.h"
#include "tg_dialect_int.h"

#include <stdlib.h>

#define REQUIRE(x)  do { if (!(x)) { abort(); } } while (0)

typedef struct {
    uint64_t  sum;
    uint64_t  last;
    unsigned  n;
} events_t;

static const char *const  types[] = {
    "application/json", "text/event-stream", "application/x-ndjson",
    "application/vnd.amazon.eventstream", "text/plain", "audio/mpeg", ""
};

static const char *const  hosts[] = {
    "10.0.0.1", "api.openai.com", "api.x.ai", "api.mistral.ai",
    "generativelanguage.googleapis.com", "openrouter.ai"
};


static void
on_event(void *data, const tg_answer_event_t *ev)
{
    events_t  *e = data;

    REQUIRE(ev->start >= e->last && ev->end >= ev->start);
    REQUIRE((ev->null_start == TG_JSON_NOWHERE)
            == (ev->null_end == TG_JSON_NOWHERE));

    if (ev->null_start != TG_JSON_NOWHERE) {
        REQUIRE(ev->null_start >= ev->start && ev->null_end <= ev->end);
        REQUIRE(ev->null_end - ev->null_start >= sizeof("\"usage\":null,") - 1);
        e->sum += ev->null_start;
    }

    e->last = ev->end;
    /* not the end: the LF of a last CRLF may be in the next piece */
    e->sum = e->sum * 31 + ev->start + ev->usage_only;
    e->n++;
}


static void
check_usage(const tg_answer_info_t *a)
{
    const tg_usage_t  *u = &a->usage;
    unsigned           n = 0;

    REQUIRE(u->input >= 0 && u->output >= 0 && u->reasoning >= 0);
    REQUIRE(u->cache_read >= 0 && u->cache_write >= 0);
    REQUIRE(u->cache_write_5m >= 0 && u->cache_write_1h >= 0);
    REQUIRE(u->cache_write_5m + u->cache_write_1h <= u->cache_write);
    REQUIRE(u->audio_input >= 0 && u->image_input >= 0);
    REQUIRE(u->billed_input >= -1 && u->provider_cost >= -1);
    REQUIRE(u->duration_ms >= 0 && u->images >= 0 && u->search_units >= 0);
    REQUIRE(u->source != TG_USAGE_NONE || (u->input == 0 && u->output == 0));
    REQUIRE(a->nfinish <= TG_ANSWER_FINISH_MAX);
    REQUIRE(a->model.len <= 256 && a->id.len <= 256);

    for (const tg_usage_extra_t *x = u->extra; x != NULL; x = x->next) {
        REQUIRE(x->input >= 0 && x->output >= 0);
        REQUIRE(++n <= 16);
    }
}


static const tg_answer_info_t *
run(tg_arena_t *arena, const uint8_t *choice, const char *p, size_t len,
    size_t chunk, events_t *events)
{
    tg_dialect_t   d;
    tg_answer_t   *a;
    size_t         n;
    const char    *type = types[choice[2] % (sizeof(types) / sizeof(char *))];

    d.api = tg_api_at(choice[0] % tg_apis());
    d.model = tg_str_null;
    d.stream = false;
    tg_dialect_upstream(&d, tg_strz(hosts[choice[1]
                                          % (sizeof(hosts) / sizeof(char *))]),
                        NULL);

    a = tg_answer_create(tg_arena_mem(arena), &d, NULL,
                         choice[2] & 0x80 ? 400 : 200, tg_strz(type));
    REQUIRE(a != NULL);
    tg_answer_on_event(a, on_event, events);

    for (size_t i = 0; i < len; i += n) {
        n = len - i < chunk ? len - i : chunk;
        tg_answer_feed(a, p + i, n);
    }

    tg_answer_finish(a);
    REQUIRE(tg_answer_info(a)->bytes == len);

    return tg_answer_info(a);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tg_arena_t       *tables;
    tg_arena_t              *one, *other;
    const tg_answer_info_t  *a, *b;
    events_t                 x = { 0 }, y = { 0 };
    tg_usage_t               u, v;
    tg_error_t               err;
    char                    *copy;

    if (tables == NULL) {
        tables = tg_arena_create(0);
        REQUIRE(tg_dialect_setup(tg_arena_mem(tables), &err) == TG_OK);
    }

    if (size < 4) {
        return 0;
    }

    copy = malloc(size - 4 + 1);
    REQUIRE(copy != NULL);
    memcpy(copy, data + 4, size - 4);

    one = tg_arena_create(64 * 1024);
    other = tg_arena_create(64 * 1024);

    a = run(one, data, copy, size - 4, SIZE_MAX, &x);
    b = run(other, data, copy, size - 4, data[3] % 16 + 1, &y);

    check_usage(a);

    u = a->usage;
    v = b->usage;
    u.extra = v.extra = NULL;
    REQUIRE(memcmp(&u, &v, sizeof(u)) == 0);
    REQUIRE(tg_str_eq(a->model, b->model) && tg_str_eq(a->id, b->id));
    REQUIRE(tg_str_eq(a->error_type, b->error_type));
    REQUIRE(a->nfinish == b->nfinish && a->tool_calls == b->tool_calls);
    REQUIRE(a->error == b->error && a->complete == b->complete);
    REQUIRE(a->stream == b->stream && a->events == b->events);
    REQUIRE(a->text_bytes == b->text_bytes);
    REQUIRE(x.sum == y.sum && x.n == y.n);

    tg_arena_destroy(one);
    tg_arena_destroy(other);
    free(copy);

    return 0;
}
