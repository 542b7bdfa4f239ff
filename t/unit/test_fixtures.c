/*
 * Each directory of t/fixtures is a test: its line is the expected one, however
 * the bytes are cut; and its JSON has the values that jansson finds.
 */

#define _GNU_SOURCE
#include "exchange_texts.h"
#include "tg_call.h"

#include <dirent.h>
#include <setjmp.h>
#include <cmocka.h>

#define FIXTURES_MAX  256
#define AS_TEXT       (JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS)

static tg_arena_t  *arena;
static texts_t      texts;
static char         base[EXCHANGE_PATH];


static tg_str_t
no_header(void *req, tg_str_t name)
{
    (void) req;
    (void) name;

    return tg_str_null;
}


static tg_str_t
no_variable(void *req, uintptr_t handle)
{
    (void) req;
    (void) handle;

    return tg_str_null;
}


static tg_call_t *
make_call(const exchange_t *x, tg_mem_t *mem, const tg_now_t *now)
{
    static const tg_host_t      host = { no_header, no_variable, NULL };
    static const unsigned char  seed[32] = { 3 };
    static tg_id_source_t       ids;
    tg_call_head_t             *head = tg_zalloc(mem, sizeof(*head));
    tg_scope_t                 *scope = tg_zalloc(mem, sizeof(*scope));
    tg_scope_t                  outer;
    tg_conf_t                  *conf = tg_conf_create(mem);
    tg_str_t                    on = tg_str("on");
    tg_error_t                  err;

    tg_id_seed(&ids, seed);
    tg_scope_init(&outer);
    tg_scope_init(scope);
    assert_int_equal(tg_conf_directive(conf, scope, TG_DIRECTIVE_ENABLE, &on,
                                       1, &err), TG_OK);
    tg_scope_merge(&outer, scope);
    assert_int_equal(tg_conf_finish(conf, &err), TG_OK);

    head->method = x->method;
    head->path = x->path;
    head->args = x->args;
    head->upstream = x->host;
    head->content_type = x->request_type;
    head->client = tg_str("127.0.0.1");

    return tg_call_create(mem, conf, scope, &host, NULL, head, &ids, now);
}


/* The call's cost line; the caller's to free. */
static json_t *
line_of(const exchange_t *x, cut_t cut)
{
    static char      buf[TG_LINE_MAX];
    const tg_now_t   now = { 1700000000000, 1000 };
    tg_arena_t      *pool = tg_arena_create(0);
    tg_call_t       *call = make_call(x, tg_arena_mem(pool), &now);
    const char      *meta = x->response_meta.p;
    tg_gate_t        gate = { 0 };
    tg_refusal_t     refusal;
    tg_str_t         name, value;
    json_t          *line;
    size_t           n;

    for (size_t i = 0; i < x->request.len; i += n) {
        n = cut_piece(cut, i, x->request.len);
        tg_call_body(call, x->request.p + i, n);
    }

    assert_int_equal(tg_call_admit(call, &gate, &now, &refusal), TG_OK);
    tg_call_answer(call, x->status, x->response_type, false);

    while (meta_next(&meta, &name, &value)) {
        tg_call_answer_header(call, name, value);
    }

    for (size_t i = 0; i < x->response.len; i += n) {
        n = cut_piece(cut, i, x->response.len);
        tg_call_feed(call, x->response.p + i, n, &now);
    }

    tg_call_finish(call, TG_END_COMPLETE, x->status, &gate, &now);
    n = tg_call_line(call, 0, buf, 1, TG_LOG_JSON);
    line = json_loadb(buf, n, 0, NULL);
    tg_arena_destroy(pool);

    return line;
}


static bool
is_usage(const char *field)
{
    return strncmp(field, "gen_ai.usage.", 13) == 0
           || strncmp(field, "llm.usage.", 10) == 0;
}


static void
print_field(const char *field, const json_t *is, const json_t *should)
{
    char  *a = is != NULL ? json_dumps(is, AS_TEXT) : NULL;
    char  *b = should != NULL ? json_dumps(should, AS_TEXT) : NULL;

    print_error("%s: %s, expected %s\n", field, a != NULL ? a : "absent",
                b != NULL ? b : "absent");
    free(a);
    free(b);
}


/* All that is expected is there, and no usage that is not. */
static unsigned
compare_line(const json_t *line, json_t *expect)
{
    const char  *field;
    json_t      *value, *should;
    unsigned     misses = 0;

    json_object_foreach(expect, field, value) {
        if (!json_equal(json_object_get(line, field), value)) {
            print_field(field, json_object_get(line, field), value);
            misses++;
        }
    }

    json_object_foreach((json_t *) line, field, value) {
        should = json_object_get(expect, field);

        if (should == NULL && is_usage(field)) {
            print_field(field, value, NULL);
            misses++;
        }
    }

    return misses;
}


static void
split_miss(void *data, const char *what, size_t at, const char *field)
{
    print_error("%s: %s cut at %zu: %s differs\n", (const char *) data, what,
                at, field);
}


static void
test_fixture(void **state)
{
    static const cut_t         cuts[] = { { 0, 0 }, { 0, 7 }, { 0, 1 } };
    static const split_plan_t  every = { SIZE_MAX, 0, 0 };
    char                      *name = *state, dir[EXCHANGE_PATH + 300];
    exchange_t                 x;
    splits_t                   splits = { 0, 0 };
    json_t                    *expect, *line;
    blob_t                     text;
    unsigned                   misses = 0;
    uint64_t                   differ = texts.differ;

    snprintf(dir, sizeof(dir), "%s/%s", base, name);
    assert_true(exchange_load(&x, dir));
    assert_true(blob_load(&text, dir, "expect.json"));
    expect = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(expect));

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        line = line_of(&x, cuts[i]);
        assert_non_null(line);
        misses += compare_line(line, expect);
        json_decref(line);
    }

    assert_int_equal(misses, 0);

    x.apart = true;
    exchange_splits(&x, &every, &splits, split_miss, name);
    assert_true(splits.tried > x.response.len);
    assert_int_equal(splits.differ, 0);

    exchange_texts(&texts, &x);
    assert_int_equal(texts.differ, differ);

    json_decref(expect);
    free(text.p);
    exchange_free(&x);
}


static int
is_fixture(const struct dirent *e)
{
    return e->d_name[0] != '.' && strchr(e->d_name, '.') == NULL;
}


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;

    arena = tg_arena_create(0);

    return arena == NULL
           || tg_dialect_setup(tg_arena_mem(arena), &err) != TG_OK
           || !texts_init(&texts, tg_arena_mem(arena), &err);
}


static int
teardown(void **state)
{
    (void) state;

    texts_done(&texts);
    tg_arena_destroy(arena);

    return 0;
}


/* Beside this file's directory, unless the first argument says where. */
static int
find_fixtures(int argc, char **argv, struct dirent ***entry)
{
    const char  *slash = strrchr(__FILE__, '/');
    int          len = slash != NULL ? (int) (slash - __FILE__) : 0;

    if (argc > 1) {
        snprintf(base, sizeof(base), "%s", argv[1]);
    } else {
        snprintf(base, sizeof(base), "%.*s/../fixtures", len, __FILE__);
    }

    return scandir(base, entry, is_fixture, alphasort);
}


int
main(int argc, char **argv)
{
    struct CMUnitTest   tests[FIXTURES_MAX] = { { .name = NULL } };
    struct dirent     **entry = NULL;
    int                 n = find_fixtures(argc, argv, &entry), failed;

    if (n <= 0 || n > FIXTURES_MAX) {
        fprintf(stderr, "%d fixtures in %s\n", n, base);
        return 1;
    }

    for (int i = 0; i < n; i++) {
        tests[i].name = entry[i]->d_name;
        tests[i].test_func = test_fixture;
        tests[i].initial_state = entry[i]->d_name;
    }

    failed = _cmocka_run_group_tests("fixtures", tests, (size_t) n, setup,
                                     teardown);

    for (int i = 0; i < n; i++) {
        free(entry[i]);
    }

    free(entry);

    return failed;
}
