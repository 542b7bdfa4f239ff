/*
 * The scanner and jansson 2.14 agree on what is JSON and on every wanted value,
 * but for the points named in json_vectors.h.
 */

#include "json_oracle.h"
#include "json_random.h"

#include <setjmp.h>
#include <cmocka.h>

#define DOCUMENTS  6000
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

static const tg_json_want_t  wants[] = {
    { "", 1, 0 },
    { "model", 2, 0 },
    { "messages", 3, 0 },
    { "messages[]", 4, 0 },
    { "messages[].content", 5, 0 },
    { "messages[].content[].text", 6, 0 },
    { "usage.id", 7, 0 },
    { "usage.id.text", 8, 0 },
    { "items[][]", 9, 0 },
    { "items[][].id", 10, 0 },
    { "\xc3\xa9t\xc3\xa9", 11, 0 },
    { "a\\.b.\xc3\xa9t\xc3\xa9", 12, 0 },
    { "[].id", 13, 0 },
    { "[].model.model", 14, 0 },
    { "content.content.content.content", 15, 0 },
    { "text[].text[].text[]", 16, 0 }
};

static const uint16_t  options[] = { 0, TG_JSON_TEXT, TG_JSON_COUNT };

static tg_arena_t  *arena;
static oracle_t     oracles[COUNT(options)];


static void
compare(const char *text, size_t len)
{
    oracle_tally_t  tally = { .values = 0 };

    for (size_t i = 0; i < COUNT(oracles); i++) {
        if (oracle_compare(&oracles[i], 0, text, len, &tally)
            == ORACLE_DIFFER)
        {
            fail();
        }
    }
}


/* The point where the verdicts differ. */
static int
point_of(const char *text, size_t len)
{
    oracle_tally_t  tally = { .values = 0 };

    return oracle_compare(&oracles[0], 0, text, len, &tally);
}


static void
test_vectors_are_decided_like_jansson(void **state)
{
    const vector_t  *v;
    int              point;

    (void) state;

    for (size_t i = 0; i < NVECTORS; i++) {
        v = &vectors[i];
        point = point_of(v->text, v->len);

        if (point != v->jansson) {
            print_error("%.*s: jansson's point is %d\n", (int) v->len,
                        v->text, point);
            fail();
        }

        compare(v->text, v->len);
    }
}


static void
test_random_documents_have_the_values_that_jansson_finds(void **state)
{
    watch_t  w = { .p = NULL };

    (void) state;

    for (unsigned i = 0; i < DOCUMENTS; i++) {
        random_document(&w);
        compare(w.p, w.len);
    }

    free(w.p);
}


static void
test_broken_documents_are_refused_like_by_jansson(void **state)
{
    watch_t  w = { .p = NULL };

    (void) state;

    for (unsigned i = 0; i < DOCUMENTS; i++) {
        random_document(&w);
        random_break(&w);
        compare(w.p, w.len);
    }

    free(w.p);
}


static void
test_depth_and_length_are_where_the_limits_differ(void **state)
{
    char    text[4000];
    size_t  n;

    (void) state;

    memset(text, '[', 1024);
    memset(text + 1024, ']', 1024);
    compare(text, 2048);

    memset(text, '[', 1025);
    memset(text + 1025, ']', 1025);
    assert_int_equal(point_of(text, 2050), J_DEPTH);

    n = (size_t) sprintf(text, "0.");
    memset(text + n, '7', 511);
    assert_int_equal(point_of(text, n + 511), J_LENGTH);
    compare(text, n + 510);
}


static int
setup(void **state)
{
    tg_json_want_t  with[COUNT(wants)];
    tg_error_t      err;

    (void) state;

    arena = tg_arena_create(0);
    if (arena == NULL) {
        return -1;
    }

    for (size_t i = 0; i < COUNT(oracles); i++) {
        for (size_t k = 0; k < COUNT(wants); k++) {
            with[k] = wants[k];
            with[k].options = options[i];
        }

        if (!oracle_init(&oracles[i], tg_arena_mem(arena), with, COUNT(with),
                         &err))
        {
            return -1;
        }
    }

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    tg_arena_destroy(arena);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors_are_decided_like_jansson),
        cmocka_unit_test(
            test_random_documents_have_the_values_that_jansson_finds),
        cmocka_unit_test(test_broken_documents_are_refused_like_by_jansson),
        cmocka_unit_test(test_depth_and_length_are_where_the_limits_differ)
    };

    return cmocka_run_group_tests_name("json_jansson", tests, setup, teardown);
}
