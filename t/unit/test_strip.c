#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_json.h"
#include "tg_sse.h"
#include "tg_strip.h"

#define OUT_MAX   (512 * 1024)

#define EVENT     "data: {\"choices\":[{\"delta\":{}}]}\n\n"
#define NULLED    "data: {\"choices\":[{\"delta\":{}}],\"usage\":null}\n\n"
#define USAGE     "data: {\"choices\":[],\"usage\":{\"total_tokens\":9}}\n\n"
#define DONE      "data: [DONE]\n\n"

/* In place of tg_answer: finds the ranges in the input by plain search. */

typedef struct {
    tg_arena_t  *arena;
    tg_mem_t     mem;
    tg_strip_t   strip;
    tg_sse_t     sse;
    const char  *input;
    const char  *piece;
    size_t       piece_len;
    char        *out;
    size_t       len;
    unsigned     slices;
    unsigned     fail;              /* at so many slices */
    bool         no_memory;
} test_t;


static const char *
test_find(const char *p, size_t n, const char *what)
{
    size_t  len = strlen(what);

    for ( ; n >= len; p++, n--) {
        if (memcmp(p, what, len) == 0) {
            return p;
        }
    }

    return NULL;
}


static void *
test_alloc(void *pool, size_t size)
{
    test_t  *t = pool;

    return t->no_memory ? NULL : tg_alloc(tg_arena_mem(t->arena), size);
}


static int
test_output(void *data, const char *p, size_t n, bool held)
{
    test_t  *t = data;

    assert_true(n > 0 && n <= OUT_MAX - t->len);
    assert_true(held || (p >= t->piece && p + n <= t->piece + t->piece_len));
    assert_true(!held || n <= TG_STRIP_HOLD_MAX);

    memcpy(t->out + t->len, p, n);
    t->len += n;
    t->slices++;

    return t->slices == t->fail;
}


static int
test_sse(void *data, const tg_sse_t *s, tg_sse_type_t type, const char *p,
    size_t n)
{
    size_t              len = (size_t) (s->event_end - s->event_start);
    test_t             *t = data;
    const char         *at;
    tg_answer_event_t   ev = { 0, 0, false, TG_JSON_NOWHERE, TG_JSON_NOWHERE };
    static const char   null[] = ",\"usage\":null";

    (void) p;
    (void) n;

    if (type != TG_SSE_END) {
        return 0;
    }

    ev.start = s->event_start;
    ev.end = s->event_end;

    p = t->input + ev.start;
    ev.usage_only = test_find(p, len, "\"choices\":[]") != NULL
                    && test_find(p, len, "\"usage\":{") != NULL;

    at = test_find(p, len, null);
    if (at != NULL) {
        ev.null_start = (uint64_t) (at - t->input);
        ev.null_end = ev.null_start + sizeof(null) - 1;
    }

    tg_strip_event(&t->strip, &ev);

    return 0;
}


static int
test_setup(void **state)
{
    test_t  *t = calloc(1, sizeof(test_t));

    if (t == NULL || (t->out = malloc(OUT_MAX)) == NULL) {
        return -1;
    }

    *state = t;

    return 0;
}


static int
test_teardown(void **state)
{
    test_t  *t = *state;

    tg_arena_destroy(t->arena);
    free(t->out);
    free(t);

    return 0;
}


static void
test_begin(test_t *t, const char *input)
{
    tg_arena_destroy(t->arena);
    t->arena = tg_arena_create(0);
    assert_non_null(t->arena);

    t->mem.alloc = test_alloc;
    t->mem.pool = t;
    t->input = input;
    t->len = 0;
    t->slices = 0;

    tg_sse_init(&t->sse, test_sse, t);
    tg_strip_init(&t->strip, &t->mem, test_output, t);
}


static int
test_feed(test_t *t, const char *p, size_t n)
{
    int    rc;
    char  *copy = malloc(n + 1);    /* so that ASan sees a late read */

    assert_non_null(copy);
    memcpy(copy, p, n);

    t->piece = copy;
    t->piece_len = n;

    tg_strip_begin(&t->strip, copy, n);
    assert_int_equal(tg_sse_feed(&t->sse, copy, n), TG_OK);
    rc = tg_strip_end(&t->strip);

    assert_true(t->strip.held <= TG_STRIP_HOLD_MAX);
    free(copy);

    return rc;
}


static int
test_finish(test_t *t)
{
    t->piece_len = 0;

    assert_int_equal(tg_sse_finish(&t->sse), TG_OK);

    return tg_strip_finish(&t->strip);
}


static void
test_output_is(const test_t *t, const char *expected, size_t n)
{
    if (t->len != n || memcmp(t->out, expected, n) != 0) {
        fail_msg("got \"%.*s\"", (int) t->len, t->out);
    }
}


/* In pieces of `step` bytes, but for a first one of `first`. */

static void
test_pieces(test_t *t, const char *input, size_t n, size_t first, size_t step)
{
    size_t  i, k;

    test_begin(t, input);

    for (i = 0; i < n; i += k) {
        k = (i == 0 && first != 0) ? first : step;
        if (k > n - i) {
            k = n - i;
        }

        assert_int_equal(test_feed(t, input + i, k), TG_OK);
    }

    assert_int_equal(test_finish(t), TG_OK);
}


static void
test_check(test_t *t, const char *input, const char *expected)
{
    size_t  i, n = strlen(input);

    for (i = 0; i <= n; i++) {
        test_pieces(t, input, n, i, n);
        test_output_is(t, expected, strlen(expected));
        assert_int_equal(t->strip.forfeited, 0);
    }

    for (i = 1; i < 50; i++) {
        test_pieces(t, input, n, 0, i);
        test_output_is(t, expected, strlen(expected));
        test_pieces(t, input, n, 11, i);
        test_output_is(t, expected, strlen(expected));
    }
}


static void
test_nothing_to_strip_changes_nothing(void **state)
{
    static const char  *inputs[] = {
        "",
        EVENT EVENT DONE,
        "\n\n: c\n\nid: 1\r\n\r\ndata: a\r\n\r\n\r\ndata: b\r\rdata: c\n\n\n",
        "\xef\xbb\xbf: c\n\ndata: a\n\ndata: b",
        "{\"not\": \"a stream of events\"}\r\n\r\n\r\n",
        "\r\n\r\n\r\r\n\n\r"
    };

    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        test_check(*state, inputs[i], inputs[i]);
    }
}


static void
test_usage_chunk_is_taken_out(void **state)
{
    test_check(*state, EVENT EVENT USAGE DONE, EVENT EVENT DONE);
    test_check(*state, USAGE EVENT, EVENT);
    test_check(*state, EVENT USAGE USAGE, EVENT);
    test_check(*state, USAGE, "");
    test_check(*state, EVENT "\n\n" USAGE "\n" DONE, EVENT "\n" DONE);
}


static void
test_null_usage_is_cut_out(void **state)
{
    test_check(*state, NULLED NULLED USAGE DONE, EVENT EVENT DONE);
    test_check(*state, EVENT NULLED EVENT, EVENT EVENT EVENT);
}


static void
test_unterminated_usage_chunk_is_taken_out(void **state)
{
    test_check(*state, EVENT "data: {\"choices\":[],\"usage\":{}}", EVENT);
    test_check(*state, EVENT "data: {\"choices\":[],\"usage\":{}}\n", EVENT);
    test_check(*state, EVENT "data: {\"choices\":[]", EVENT
               "data: {\"choices\":[]");
}


static void
test_line_ends_of_neighbours_are_kept(void **state)
{
    test_check(*state, "data: a\r\n\r\ndata: {\"choices\":[],\"usage\":{}}\r\n"
               "\r\ndata: b\r\n\r\n", "data: a\r\n\r\ndata: b\r\n\r\n");
    test_check(*state, "data: a\r\rdata: {\"choices\":[],\"usage\":{}}\r\r"
               "data: b\r\r", "data: a\r\rdata: b\r\r");
    test_check(*state, "data: a\r\n\r\ndata: {\"choices\":[],\"usage\":{}}\r\n"
               "\r\n", "data: a\r\n\r\n");
    test_check(*state, "data: a\r\r\n\ndata: {\"choices\":[],\"usage\":{}}\r\n"
               "\r\n\r\n", "data: a\r\r\n\r\n");
}


static void
test_finished_events_are_not_held(void **state)
{
    test_t      *t = *state;
    const char  *input = EVENT NULLED "data: [";

    test_begin(t, input);
    assert_int_equal(test_feed(t, input, strlen(input)), TG_OK);
    test_output_is(t, EVENT EVENT, strlen(EVENT EVENT));
    assert_int_equal(t->strip.held, 7);
    assert_int_equal(t->strip.cut, 1);

    input = "data: a\r\n\r";
    test_begin(t, input);
    assert_int_equal(test_feed(t, input, strlen(input)), TG_OK);
    test_output_is(t, input, strlen(input));
}


static void
test_neighbours_go_out_in_one_slice(void **state)
{
    test_t      *t = *state;
    const char  *input = EVENT EVENT EVENT USAGE EVENT EVENT DONE;

    test_pieces(t, input, strlen(input), 0, strlen(input));
    assert_int_equal(t->slices, 2);
    assert_int_equal(t->strip.dropped, 1);
    assert_int_equal(tg_arena_used(t->arena), 0);
}


/* An event of n bytes with a usage of null at its end. */

static size_t
test_large(char *p, size_t n, const char *tail)
{
    size_t  len = strlen(tail);

    memset(p, 'x', n);
    memcpy(p, "data: ", 6);
    memcpy(p + n - len, tail, len);

    return n;
}


static void
test_event_that_just_fits_is_held(void **state)
{
    size_t              i, n, cut;
    test_t             *t = *state;
    char                input[8192], expected[8192];
    static const char   tail[] = ",\"usage\":null}\n\n";

    n = test_large(input, TG_STRIP_HOLD_MAX + 1, tail);
    n += test_large(input + n, TG_STRIP_HOLD_MAX - 1,
                    "\"choices\":[],\"usage\":{}\n\n");

    cut = TG_STRIP_HOLD_MAX + 1 - (sizeof(tail) - 1);
    memcpy(expected, input, cut);
    memcpy(expected + cut, "}\n\n", 3);

    for (i = 1; i < n; i += 1 + i / 7) {
        test_pieces(t, input, n, 0, i);
        test_output_is(t, expected, cut + 3);
        assert_int_equal(t->strip.forfeited, 0);
    }
}


static void
test_event_too_large_to_hold_is_let_through(void **state)
{
    size_t   n;
    test_t  *t = *state;
    char     input[8192];

    n = test_large(input, 5000, "\"choices\":[],\"usage\":{}\n\n");

    test_begin(t, input);
    assert_int_equal(test_feed(t, input, 4096), TG_OK);
    assert_int_equal(t->len, 0);
    assert_int_equal(t->strip.held, 4096);

    assert_int_equal(test_feed(t, input + 4096, 1), TG_OK);
    assert_int_equal(t->len, 4097);
    assert_int_equal(t->strip.held, 0);

    assert_int_equal(test_feed(t, input + 4097, 100), TG_OK);
    assert_int_equal(t->len, 4197);

    assert_int_equal(test_feed(t, input + 4197, n - 4197), TG_OK);
    test_output_is(t, input, n);
    assert_int_equal(t->strip.forfeited, 1);
    assert_int_equal(t->strip.dropped, 0);

    /* in one piece there is nothing to hold */

    test_pieces(t, input, n, 0, n);
    assert_int_equal(t->len, 0);
    assert_int_equal(t->strip.dropped, 1);
}


static void
test_events_after_one_too_large_are_stripped(void **state)
{
    size_t              i, n, large;
    test_t             *t = *state;
    char                input[16384];
    static const char   more[] = NULLED USAGE DONE;

    large = test_large(input, 9000, ",\"usage\":null}\r\n\r\n");
    memcpy(input + large, more, sizeof(more) - 1);
    n = large + sizeof(more) - 1;

    for (i = 1; i < 4000; i += 1 + i / 5) {
        test_pieces(t, input, n, 0, i);
        assert_int_equal(t->strip.dropped, 1);
        assert_int_equal(t->strip.cut + t->strip.forfeited, 2);
        assert_int_equal(t->len, n - (13 * t->strip.cut) - strlen(USAGE));
        assert_memory_equal(t->out, input, large - 20);
        assert_memory_equal(t->out + t->len - strlen(EVENT DONE), EVENT DONE,
                            strlen(EVENT DONE));
    }
}


static void
test_lf_behind_a_large_tail_is_kept(void **state)
{
    size_t              n;
    test_t             *t = *state;
    char                input[8192];
    static const char   head[] = "data: {\"choices\":[],\"usage\":{}}\r\r";

    /* not the LF of the dropped event's last CR */

    memcpy(input, head, sizeof(head) - 1);
    n = sizeof(head) - 1;
    n += test_large(input + n, 5000, "x");
    memcpy(input + n, "\n\n", 2);

    test_pieces(t, input, n + 2, n, 2);
    test_output_is(t, input + sizeof(head) - 1, n + 2 - (sizeof(head) - 1));
}


static void
test_without_memory_everything_passes(void **state)
{
    test_t      *t = *state;
    const char  *input = EVENT NULLED USAGE DONE;

    t->no_memory = true;
    test_pieces(t, input, strlen(input), 0, 5);
    test_output_is(t, input, strlen(input));
    assert_int_equal(t->strip.forfeited, 2);

    test_pieces(t, input, strlen(input), 0, strlen(input));
    test_output_is(t, EVENT EVENT DONE, strlen(EVENT EVENT DONE));
}


static void
test_many_small_events_in_a_piece(void **state)
{
    size_t   i, n = 0, kept = 0;
    test_t  *t = *state;
    char    *input = malloc(OUT_MAX), *expected = malloc(OUT_MAX);

    assert_true(input != NULL && expected != NULL);

    for (i = 0; i < 4000; i++) {
        if (i % 3 == 1) {
            memcpy(input + n, USAGE, strlen(USAGE));
            n += strlen(USAGE);
            continue;
        }

        memcpy(input + n, NULLED, strlen(NULLED));
        n += strlen(NULLED);
        memcpy(expected + kept, EVENT, strlen(EVENT));
        kept += strlen(EVENT);
    }

    test_pieces(t, input, n, 0, 65536);
    test_output_is(t, expected, kept);
    test_pieces(t, input, n, 0, 1);
    test_output_is(t, expected, kept);

    free(input);
    free(expected);
}


static void
test_handler_can_stop(void **state)
{
    test_t      *t = *state;
    const char  *input = EVENT USAGE EVENT "da";

    t->fail = 1;
    test_begin(t, input);
    assert_int_equal(test_feed(t, input, strlen(input)), TG_ERROR);
    assert_int_equal(t->slices, 1);
    assert_int_equal(test_finish(t), TG_ERROR);
    assert_int_equal(t->slices, 1);
}


#define test_case(f)  cmocka_unit_test_setup_teardown(f, test_setup,          \
                                                      test_teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test_case(test_nothing_to_strip_changes_nothing),
        test_case(test_usage_chunk_is_taken_out),
        test_case(test_null_usage_is_cut_out),
        test_case(test_unterminated_usage_chunk_is_taken_out),
        test_case(test_line_ends_of_neighbours_are_kept),
        test_case(test_finished_events_are_not_held),
        test_case(test_neighbours_go_out_in_one_slice),
        test_case(test_event_that_just_fits_is_held),
        test_case(test_event_too_large_to_hold_is_let_through),
        test_case(test_events_after_one_too_large_are_stripped),
        test_case(test_lf_behind_a_large_tail_is_kept),
        test_case(test_without_memory_everything_passes),
        test_case(test_many_small_events_in_a_piece),
        test_case(test_handler_can_stop),
    };

    return cmocka_run_group_tests_name("strip", tests, NULL, NULL);
}
