#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_grow.h"
#include "tg_tree.h"

#include "json_vectors.h"

#include <jansson.h>

typedef struct {
    tg_arena_t  *arena;
    tg_mem_t    *mem;
    tg_error_t   err;
} test_t;


static int
setup(void **state)
{
    test_t  *t = calloc(1, sizeof(test_t));

    assert_non_null(t);
    t->arena = tg_arena_create(0);
    assert_non_null(t->arena);
    t->mem = tg_arena_mem(t->arena);
    *state = t;

    return 0;
}


static int
teardown(void **state)
{
    test_t  *t = *state;

    tg_arena_destroy(t->arena);
    free(t);

    return 0;
}


static const tg_node_t *
parse(test_t *t, const char *text)
{
    const tg_node_t  *n = tg_tree_parse(t->mem, tg_strz(text), &t->err);

    if (n == NULL) {
        print_error("%s: %s\n", text, t->err.message);
    }
    assert_non_null(n);

    return n;
}


/* What the scanner takes the tree takes, and refuses with the same words, but
 * for names that are there twice and its own limit on depth. */
static void
test_same_rules_as_the_scanner(void **state)
{
    test_t           *t = *state;
    const tg_node_t  *n;
    tg_json_t         scan;
    char             *copy;

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        copy = malloc(vectors[i].len + 1);
        assert_non_null(copy);
        memcpy(copy, vectors[i].text, vectors[i].len);

        n = tg_tree_parse(t->mem, tg_str_of(copy, vectors[i].len), &t->err);

        if (n == NULL && (t->err.code == TG_TREE_E_DUPLICATE
                          || t->err.code == TG_JSON_E_DEPTH))
        {
            free(copy);
            continue;
        }

        tg_json_init(&scan, NULL, 0, NULL, NULL);
        (void) tg_json_feed(&scan, copy, vectors[i].len);
        (void) tg_json_finish(&scan);

        if ((n == NULL ? (unsigned) t->err.code : 0) != scan.error) {
            fail_msg("%zu: %s: %d, %d", i, vectors[i].text, t->err.code,
                     (int) scan.error);
        }

        if (n == NULL) {
            assert_int_equal(t->err.offset, scan.error_offset);
        }

        free(copy);
    }
}


static void
test_slices_are_the_text(void **state)
{
    test_t           *t = *state;
    const tg_node_t  *n = parse(t, " {\"a\" : [1, \"x\\ny\", {}] ,\n"
                                   "\"b\\u0063\":-1.5e3,\"c\":null} "), *a;

    assert_int_equal(n->type, TG_JSON_OBJECT);
    assert_int_equal(tg_node_count(n), 3);

    a = tg_node_get(n, tg_str("a"));
    assert_non_null(a);
    assert_true(tg_str_eq(tg_node_raw(a), tg_str("[1, \"x\\ny\", {}]")));
    assert_true(tg_str_eq(tg_node_key(a), tg_str("a")));
    assert_int_equal(tg_node_count(a), 3);
    assert_true(tg_str_eq(tg_node_inside(a->child->next), tg_str("x\\ny")));
    assert_true(tg_str_eq(tg_node_text(t->mem, a->child->next),
                          tg_str("x\ny")));
    assert_true(tg_node_is(a->child->next, tg_str("x\ny")));
    assert_int_equal(tg_node_count(a->child->next->next), 0);

    a = tg_node_get(n, tg_str("bc"));
    assert_non_null(a);
    assert_true(tg_str_eq(tg_node_raw(a), tg_str("-1.5e3")));
    assert_true(tg_str_eq(tg_node_key(a), tg_str("b\\u0063")));

    assert_null(tg_node_get(n, tg_str("b")));
    assert_null(tg_node_get(NULL, tg_str("b")));
    assert_null(tg_node_get(a, tg_str("b")));
}


static void
test_compared_decoded(void **state)
{
    test_t           *t = *state;
    const tg_node_t  *n = parse(t, "[\"\\ud83d\\ude00\",\"\xf0\x9f\x98\x80\","
                                   "\"a\\\\n\",\"\\\\\",\"\\ud800\","
                                   "\"\\u0000\",\"\"]")->child;

    assert_true(tg_node_same(n, n->next));
    assert_true(tg_node_is(n, tg_str("\xf0\x9f\x98\x80")));
    n = n->next->next;

    /* the text that is compared with has no escapes, whatever is in it */
    assert_true(tg_node_is(n, tg_str("a\\n")));
    assert_false(tg_node_is(n, tg_str("a\n")));
    assert_false(tg_node_is(n, tg_str("a\\\\n")));
    n = n->next;
    assert_true(tg_node_is(n, tg_str("\\")));
    n = n->next;
    assert_true(tg_node_is(n, tg_str("\xef\xbf\xbd")));
    n = n->next;
    assert_true(tg_node_is(n, tg_str_of("\0", 1)));
    assert_false(tg_node_same(n, n->next));
    assert_true(tg_node_is(n->next, tg_str("")));
    assert_false(tg_node_is(NULL, tg_str("")));
}


static void
test_names_twice(void **state)
{
    static const char *const  bad[] = {
        "{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"\\u0061\":1}",
        "[{\"x\":{\"\":1,\"\":1}}]",
        "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}"
    };

    test_t     *t = *state;
    tg_grow_t   g;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(tg_tree_parse(t->mem, tg_strz(bad[i]), &t->err));
        assert_int_equal(t->err.code, TG_TREE_E_DUPLICATE);
    }

    /* many names: each place that the second one can have */

    for (int64_t n = 1; n <= 40; n++) {
        for (int64_t twice = -1; twice < n; twice++) {
            tg_grow_init(&g, t->mem, 0, 4096);
            tg_grow_lit(&g, "{");

            for (int64_t i = 0; i <= n; i++) {
                tg_grow_lit(&g, "\"k");
                tg_grow_int(&g, i == n && twice != -1 ? twice : i * 7 % 41);
                tg_grow_str(&g, i == n ? tg_str("\":1}") : tg_str("\":1,"));
            }

            assert_false(g.failed);

            /* those that were there before: i * 7 % 41 for i below n */
            bool  there = false;

            for (int64_t i = 0; i < n && twice != -1; i++) {
                there |= i * 7 % 41 == twice;
            }

            assert_int_equal(tg_tree_parse(t->mem, tg_grow_text(&g), &t->err)
                             == NULL, there);
        }
    }

    parse(t, "[{\"a\":1},{\"a\":{\"a\":1}}]");
}


static void
test_limits(void **state)
{
    test_t     *t = *state;
    tg_grow_t   g;

    for (int depth = TG_TREE_DEPTH_MAX; depth <= TG_TREE_DEPTH_MAX + 1;
         depth++)
    {
        tg_grow_init(&g, t->mem, 0, 4096);

        for (int i = 0; i < depth; i++) {
            tg_grow_lit(&g, "[");
        }
        for (int i = 0; i < depth; i++) {
            tg_grow_lit(&g, "]");
        }

        if (depth == TG_TREE_DEPTH_MAX) {
            assert_non_null(tg_tree_parse(t->mem, tg_grow_text(&g), &t->err));
            continue;
        }

        assert_null(tg_tree_parse(t->mem, tg_grow_text(&g), &t->err));
        assert_int_equal(t->err.code, TG_JSON_E_DEPTH);
        assert_int_equal(t->err.offset, TG_TREE_DEPTH_MAX);
    }

    for (int more = 0; more <= 1; more++) {
        tg_grow_init(&g, t->mem, 0, 1 << 21);
        tg_grow_lit(&g, "[0");

        for (int i = 0; i < TG_TREE_NODES_MAX - 2 + more; i++) {
            tg_grow_lit(&g, ",0");
        }
        tg_grow_lit(&g, "]");

        assert_false(g.failed);

        if (more == 0) {
            assert_non_null(tg_tree_parse(t->mem, tg_grow_text(&g), &t->err));

        } else {
            assert_null(tg_tree_parse(t->mem, tg_grow_text(&g), &t->err));
            assert_int_equal(t->err.code, TG_TREE_E_NODES);
        }
    }
}


static void
test_no_memory(void **state)
{
    test_t      *t = *state;
    tg_arena_t  *a;
    tg_grow_t    g;
    int          rc;

    tg_grow_init(&g, t->mem, 0, 1 << 16);
    tg_grow_lit(&g, "{\"x\":0");

    for (int64_t i = 0; i < 1000; i++) {
        tg_grow_lit(&g, ",\"");
        tg_grow_int(&g, i);
        tg_grow_lit(&g, "\":[0]");
    }
    tg_grow_lit(&g, "}");

    rc = 0;

    for (size_t limit = 4096; limit < (1 << 18); limit += 4096) {
        a = tg_arena_create(limit);
        assert_non_null(a);

        if (tg_tree_parse(tg_arena_mem(a), tg_grow_text(&g), &t->err)
            == NULL)
        {
            assert_int_equal(t->err.code, TG_TREE_E_MEMORY);
            rc++;
        }
        tg_arena_destroy(a);
    }

    assert_in_range(rc, 5, 60);
}


static void
test_integers(void **state)
{
    static const struct {
        const char  *text;
        bool         is;
        int64_t      v;
    } cases[] = {
        { "0", true, 0 }, { "-0", true, 0 }, { "12", true, 12 },
        { "-7", true, -7 }, { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "1e2", false, 0 }, { "1.0", false, 0 }, { "\"1\"", false, 0 },
        { "99999999999999999999999", false, 0 }
    };

    test_t   *t = *state;
    int64_t   v;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        v = 0;
        assert_int_equal(tg_node_int(parse(t, cases[i].text), &v),
                         cases[i].is);
        assert_int_equal(v, cases[i].v);
    }

    assert_false(tg_node_int(NULL, &v));
}


static void
test_paths(void **state)
{
    test_t           *t = *state;
    const tg_node_t  *root, *n;
    char              buf[128];

    root = parse(t, "{\"messages\":[1,{\"content\":[{\"x\\n\":2}]}],"
                    "\"a\":3}");

    n = root->child->child;
    tg_tree_path(root, n, buf, sizeof(buf));
    assert_string_equal(buf, "messages[0]");

    n = n->next->child->child->child;
    tg_tree_path(root, n, buf, sizeof(buf));
    assert_string_equal(buf, "messages[1].content[0].x\\n");

    tg_tree_path(root, root->child->next, buf, sizeof(buf));
    assert_string_equal(buf, "a");
    assert_int_equal(tg_tree_path(root, root, buf, sizeof(buf)), 0);
    assert_string_equal(buf, "");

    /* what does not fit is left off */
    tg_tree_path(root, n, buf, 12);
    assert_string_equal(buf, "messages[1]");
}


/* Random documents' decoded texts are jansson's. */
static void
test_texts_are_janssons(void **state)
{
    test_t           *t = *state;
    const tg_node_t  *n;
    char              text[256];
    tg_str_t          s;
    json_t           *j;

    for (unsigned c = 1; c < 0x10000; c++) {
        if (c >= 0xd800 && c <= 0xdfff) {
            continue;
        }

        (void) snprintf(text, sizeof(text),
                        "[\"%.*s\\u%04X\\\"\\/\\b\\f\\n\\r\\t\\ud834\\uDD1e\"]",
                        (int) (c % 70), "0123456789012345678901234567890123456"
                        "789012345678901234567890123456789", c);

        if (c % 97 != 0 && c > 256) {
            continue;
        }

        n = parse(t, text);
        s = tg_node_text(t->mem, n->child);
        j = json_loads(text, 0, NULL);
        assert_non_null(j);
        assert_true(tg_str_eq(s,
                              tg_strz(json_string_value(json_array_get(j,
                                                                       0)))));
        assert_true(tg_node_is(n->child, s));
        json_decref(j);
    }
}


static void
test_growing(void **state)
{
    test_t     *t = *state;
    tg_grow_t   g;
    json_t     *j;
    char        bytes[2000];
    tg_str_t    s;

    /* up to the cap and not past it */

    tg_grow_init(&g, t->mem, 0, 1000);
    assert_int_equal(tg_grow_text(&g).len, 0);

    for (int i = 0; i < 100; i++) {
        tg_grow_lit(&g, "0123456789");
    }
    assert_false(g.failed);
    assert_int_equal(g.len, 1000);
    tg_grow_lit(&g, "");
    assert_false(g.failed);
    tg_grow_lit(&g, "x");
    assert_true(g.failed);
    assert_int_equal(g.len, 1000);

    /* once failed, nothing follows */

    tg_grow_cut(&g, 5);
    tg_grow_lit(&g, "x");
    tg_grow_int(&g, 1);
    assert_int_equal(g.len, 5);
    assert_true(g.failed);

    /* any text, any length */

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char) (i * 31 % 127 + 1);
    }
    memcpy(bytes + 500, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
                        "\xf0\x9f\x98\x80", 16);

    for (size_t len = 0; len < sizeof(bytes); len += 7) {
        if (len > 500 && len < 516) {
            continue;
        }

        tg_grow_init(&g, t->mem, 0, 1 << 16);
        tg_grow_json(&g, tg_str_of(bytes, len));
        assert_false(g.failed);

        s = tg_grow_text(&g);
        j = json_loadb(s.p, s.len, JSON_DECODE_ANY, NULL);
        assert_non_null(j);
        assert_int_equal(json_string_length(j), len);
        assert_memory_equal(json_string_value(j), bytes, len);
        json_decref(j);
    }

    tg_grow_init(&g, t->mem, 0, 100);
    tg_grow_int(&g, INT64_MIN);
    tg_grow_lit(&g, ",");
    tg_grow_int(&g, 0);
    assert_true(tg_str_eq(tg_grow_text(&g),
                          tg_str("-9223372036854775808,0")));
}


int
main(void)
{
#undef T
#define T(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest  tests[] = {
        T(test_same_rules_as_the_scanner),
        T(test_slices_are_the_text),
        T(test_compared_decoded),
        T(test_names_twice),
        T(test_limits),
        T(test_no_memory),
        T(test_integers),
        T(test_paths),
        T(test_texts_are_janssons),
        T(test_growing)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
