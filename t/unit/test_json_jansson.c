/*
 * The scanner and jansson 2.14 agree on what is JSON and on every wanted value,
 * but for the points named in json_vectors.h.
 */

#include "json_random.h"
#include "json_vectors.h"

#include <jansson.h>
#include <setjmp.h>
#include <cmocka.h>

#define DOCUMENTS  6000

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

#define NWANTS  (sizeof(wants) / sizeof(wants[0]))

static tg_arena_t             *arena;
static const tg_json_paths_t  *paths;


/* What jansson calls an error and RFC 8259 does not. */
static int
jansson_point(const json_error_t *e)
{
    switch (json_error_code(e)) {
    case json_error_numeric_overflow:
        return J_RANGE;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return J_NUL;
    case json_error_stack_overflow:
        return J_DEPTH;
    default:
        return strstr(e->text, "invalid Unicode") != NULL ? J_SURROGATE
                                                          : J_SAME;
    }
}


static size_t
cut_length(const char *p, size_t len)
{
    if (len > TG_JSON_VALUE_MAX) {
        for (len = TG_JSON_VALUE_MAX; (p[len] & 0xc0) == 0x80; len--) {
            /* void */
        }
    }

    return len;
}


static void
log_tree(watch_t *w, const json_t *j, uint16_t id, unsigned index, bool end)
{
    const char  *p;

    if (end) {
        watch_printf(w, "%u@%u %c \n", id, index,
                     json_is_object(j) ? '}' : ']');
        return;
    }

    watch_printf(w, "%u@%u ", id, index);

    switch (json_typeof(j)) {
    case JSON_STRING:
        p = json_string_value(j);
        watch_add(w, "S ", 2);
        watch_add(w, p, cut_length(p, json_string_length(j)));
        break;
    case JSON_INTEGER:
        watch_printf(w, "# %" JSON_INTEGER_FORMAT, json_integer_value(j));
        break;
    case JSON_REAL:
        watch_printf(w, "# %.17g", json_real_value(j));
        break;
    default:
        watch_printf(w, "%c ", json_is_true(j) ? 't' : json_is_false(j) ? 'f'
                     : json_is_null(j) ? 'n' : json_is_object(j) ? '{' : '[');
    }

    watch_add(w, "\n", 1);
}


static const tg_json_want_t *
find_want(const char *path)
{
    for (size_t i = 0; i < NWANTS; i++) {
        if (strcmp(wants[i].path, path) == 0) {
            return &wants[i];
        }
    }

    return NULL;
}


static void
add_name(char *path, size_t size, const char *key)
{
    size_t  n = strlen(path);

    if (n != 0) {
        path[n++] = '.';
    }

    for ( /* void */ ; *key != '\0' && n + 3 < size; key++) {
        if (strchr(".[]\\", *key) != NULL) {
            path[n++] = '\\';
        }
        path[n++] = *key;
    }

    path[n] = '\0';
}


static void
walk_tree(watch_t *w, json_t *j, char *path, size_t size, unsigned index)
{
    const tg_json_want_t  *want = find_want(path);
    size_t                 len = strlen(path), i;
    const char            *key;
    json_t                *value;

    if (want != NULL) {
        log_tree(w, j, want->id, index, false);
    }

    if (size - len > 1000 && json_is_object(j)) {
        json_object_foreach(j, key, value) {
            if (*key == '\0') {
                continue;           /* no path can name it */
            }

            add_name(path, size, key);
            walk_tree(w, value, path, size, index);
            path[len] = '\0';
        }
    }

    if (size - len > 1000 && json_is_array(j)) {
        json_array_foreach(j, i, value) {
            memcpy(path + len, "[]", 3);
            walk_tree(w, value, path, size, (unsigned) i);
            path[len] = '\0';
        }
    }

    if (want != NULL && (json_is_object(j) || json_is_array(j))) {
        log_tree(w, j, want->id, index, true);
    }
}


/* Returns the point where they differ. */
static int
compare_verdicts(const char *text, size_t len, int error)
{
    const size_t  flags = JSON_DECODE_ANY;
    json_error_t  e;
    json_t       *j;
    int           point;

    j = json_loadb(text, len, flags, &e);
    json_decref(j);

    if ((j != NULL) == (error == TG_JSON_E_NONE)) {
        return J_SAME;
    }

    if (j == NULL) {
        point = jansson_point(&e);
    } else {
        point = error == TG_JSON_E_DEPTH ? J_DEPTH
                : error == TG_JSON_E_LONG_NUMBER ? J_LENGTH
                : memchr(text, '\0', len) != NULL ? J_NUL_BYTE : J_SAME;
    }

    if (point == J_SAME) {
        print_error("%.*s\nscanner: %s\njansson: %s\n", (int) len, text,
                    tg_json_strerror((tg_json_errcode_t) error),
                    j != NULL ? "accepts" : e.text);
        fail();
    }

    return point;
}


static void
compare(const char *text, size_t len)
{
    watch_t       mine = { .values_only = true }, theirs = { .p = NULL };
    char          path[4000] = "";
    json_error_t  e;
    json_t       *j = NULL;
    int           error;

    error = watch_scan(&mine, paths, 0, text, len, (watch_cut_t) { 0, 0 });

    if (compare_verdicts(text, len, error) == J_SAME) {
        j = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
                       &e);
    }

    if (j != NULL) {
        watch_clear(&theirs);
        walk_tree(&theirs, j, path, sizeof(path), 0);
    }

    if (j != NULL && strcmp(mine.p, theirs.p) != 0) {
        print_error("%.*s\nscanner:\n%s\njansson:\n%s\n", (int) len, text,
                    mine.p, theirs.p);
        fail();
    }

    json_decref(j);
    free(mine.p);
    free(theirs.p);
}


static void
test_vectors_are_decided_like_jansson(void **state)
{
    const vector_t  *v;
    watch_t          w = { .values_only = true };
    int              error, point;

    (void) state;

    for (size_t i = 0; i < NVECTORS; i++) {
        v = &vectors[i];
        error = watch_scan(&w, NULL, 0, v->text, v->len,
                           (watch_cut_t) { 0, 0 });
        point = compare_verdicts(v->text, v->len, error);

        if (point != v->jansson) {
            print_error("%.*s: jansson's point is %d\n", (int) v->len,
                        v->text, point);
            fail();
        }

        compare(v->text, v->len);
    }

    free(w.p);
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
    char     text[4000];
    size_t   n;
    watch_t  w = { .values_only = true };
    int      error;

    (void) state;

    memset(text, '[', 1024);
    memset(text + 1024, ']', 1024);
    compare(text, 2048);

    memset(text, '[', 1025);
    memset(text + 1025, ']', 1025);
    error = watch_scan(&w, NULL, 0, text, 2050, (watch_cut_t) { 0, 0 });
    assert_int_equal(compare_verdicts(text, 2050, error), J_DEPTH);

    n = (size_t) sprintf(text, "0.");
    memset(text + n, '7', 511);
    error = watch_scan(&w, NULL, 0, text, n + 511, (watch_cut_t) { 0, 0 });
    assert_int_equal(compare_verdicts(text, n + 511, error), J_LENGTH);
    compare(text, n + 510);

    free(w.p);
}


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;

    arena = tg_arena_create(0);
    if (arena == NULL) {
        return -1;
    }

    paths = tg_json_paths(tg_arena_mem(arena), wants, NWANTS, &err);

    return paths == NULL ? -1 : 0;
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
