#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_sse.h"

/* What the handler saw, as text: "name|data\n" for each event, "-\n" for a
 * block without data. */

typedef struct {
    char       text[16384];
    size_t     len;
    char       data[8192];
    size_t     data_len;
    uint64_t   end;             /* of the last event */
    uint64_t   gaps;            /* bytes between events */
    unsigned   stop;            /* after so many calls */
    unsigned   calls;
    const char *input;
} test_sse_log_t;


static void
test_sse_add(test_sse_log_t *log, const char *p, size_t n)
{
    assert_true(n <= sizeof(log->text) - log->len);
    if (n != 0) {
        memcpy(log->text + log->len, p, n);
    }
    log->len += n;
}


static int
test_sse_handler(void *data, const tg_sse_t *s, tg_sse_type_t type,
    const char *p, size_t n)
{
    test_sse_log_t  *log = data;

    if (log->stop != 0 && ++log->calls == log->stop) {
        return 1;
    }

    if (type == TG_SSE_DATA) {
        assert_true(s->has_data);
        assert_true(n > 0 && n <= sizeof(log->data) - log->data_len);

        if (*p != '\n' && log->input != NULL) {
            assert_memory_equal(log->input + s->data_offset, p, n);
        }

        memcpy(log->data + log->data_len, p, n);
        log->data_len += n;
        return 0;
    }

    assert_null(p);
    assert_true(s->event_start >= log->end && s->event_start <= log->end + 1);
    assert_true(s->event_end > s->event_start);

    log->gaps += s->event_start - log->end;
    log->end = s->event_end;

    if (!s->has_data) {
        assert_int_equal(log->data_len, 0);
        test_sse_add(log, "-\n", 2);
        return 0;
    }

    test_sse_add(log, s->name, s->name_len);
    test_sse_add(log, "|", 1);
    test_sse_add(log, log->data, log->data_len);
    test_sse_add(log, "\n", 1);
    log->data_len = 0;

    return 0;
}


static void
test_sse_expect(const test_sse_log_t *log, const char *expected)
{
    if (log->len != strlen(expected)
        || memcmp(log->text, expected, log->len) != 0)
    {
        fail_msg("got \"%.*s\", expected \"%s\"", (int) log->len, log->text,
                 expected);
    }
}


/* The input whole, byte by byte, in two parts at each position, and in three
 * where it is short. */

static void
test_sse_check(const char *input, size_t n, const char *expected)
{
    size_t           i, k;
    tg_sse_t         s;
    test_sse_log_t  *log = calloc(1, sizeof(test_sse_log_t));

    assert_non_null(log);

    for (i = 0; i <= n; i++) {
        for (k = i; k <= n; k += (n < 80 ? 1 : n - i + (k == n))) {
            memset(log, 0, sizeof(test_sse_log_t));
            log->input = input;
            tg_sse_init(&s, test_sse_handler, log);

            assert_int_equal(tg_sse_feed(&s, input, i), TG_OK);
            assert_int_equal(tg_sse_feed(&s, input + i, k - i), TG_OK);
            assert_int_equal(tg_sse_feed(&s, input + k, n - k), TG_OK);
            assert_int_equal(tg_sse_finish(&s), TG_OK);
            assert_int_equal(s.offset, n);
            test_sse_expect(log, expected);

            assert_int_equal(tg_sse_finish(&s), TG_OK);
            test_sse_expect(log, expected);
        }
    }

    memset(log, 0, sizeof(test_sse_log_t));
    tg_sse_init(&s, test_sse_handler, log);

    for (i = 0; i < n; i++) {
        assert_int_equal(tg_sse_feed(&s, input + i, 1), TG_OK);
    }

    assert_int_equal(tg_sse_finish(&s), TG_OK);
    test_sse_expect(log, expected);

    free(log);
}

#define check(input, expected)                                                \
    test_sse_check(input, sizeof(input) - 1, expected)


static void
test_events_are_separated_by_blank_lines(void **state)
{
    (void) state;

    check("data: one\n\ndata: two\n\n", "|one\n|two\n");
    check("data: one\n\n\n\ndata: two\n\n\n", "|one\n|two\n");
}


static void
test_lines_end_in_lf_cr_or_crlf(void **state)
{
    (void) state;

    check("data: one\r\n\r\ndata: two\r\n\r\n", "|one\n|two\n");
    check("data: one\r\rdata: two\r\r", "|one\n|two\n");
    check("data: a\rdata: b\r\ndata: c\n\r\ndata: d\n\r", "|a\nb\nc\n|d\n");
    check("data: a\r\n\r\r\n\ndata: b\r\r\n", "|a\n|b\n");
    check("\r\n\r\ndata: a\r\n\r\n", "|a\n");
}


static void
test_colon_may_be_followed_by_one_space(void **state)
{
    (void) state;

    check("data:one\n\ndata:  two\n\ndata: \tthree\n\n",
          "|one\n| two\n|\tthree\n");
    check("data::\n\n", "|:\n");
    check("data: a:b\n\n", "|a:b\n");
}


static void
test_data_lines_are_joined_by_lf(void **state)
{
    (void) state;

    check("data: a\ndata: b\ndata\ndata:\ndata: c\n\n", "|a\nb\n\n\nc\n");
}


static void
test_data_without_colon_is_an_empty_line(void **state)
{
    (void) state;

    check("data\n\n", "|\n");
    check("data\ndata\n\n", "|\n\n");
    check("data:\n\n", "|\n");
    check("data", "|\n");
}


static void
test_comments_and_unknown_fields_are_passed_over(void **state)
{
    (void) state;

    check(": ping\n\ndata: x\n\n", "-\n|x\n");
    check(":\ndata: x\n: y\nid: 7\nretry: 10\n\n", "|x\n");
    check("Data: x\ndatas: y\ndat: z\n data: w\nda ta: v\n\n", "-\n");
    check("datadatadata: y\ndata : z\n\n", "-\n");
    check("a very long field name without a colon\n\n", "-\n");
}


static void
test_name_of_event_is_told_and_forgotten(void **state)
{
    (void) state;

    check("event: ping\ndata: 1\n\ndata: 2\n\n", "ping|1\n|2\n");
    check("data: 1\nevent: a\nevent:b\n\n", "b|1\n");
    check("event: a\nevent\ndata: 1\n\n", "|1\n");
    check("event: a\n\ndata: 1\n\n", "-\n|1\n");
}


static void
test_long_name_of_event_is_cut(void **state)
{
    char  input[128], expected[128];

    (void) state;

    (void) snprintf(input, sizeof(input), "event: %070d\ndata: 1\n\n", 0);
    (void) snprintf(expected, sizeof(expected), "%064d|1\n", 0);

    test_sse_check(input, strlen(input), expected);
}


static void
test_one_bom_is_skipped_at_the_start_only(void **state)
{
    (void) state;

    check("\xef\xbb\xbf" "data: 1\n\n", "|1\n");
    check("\xef\xbb\xbf\xef\xbb\xbf" "data: 1\n\n", "-\n");
    check("\xef\xbb" "data: 1\n\n", "-\n");
    check("\xef" "data: 1\ndata: 2\n\n", "|2\n");
    check("\xef\xbb\n\n", "-\n");
    check("\xef\xbb\xbf\n\ndata: 1\n\n", "|1\n");
    check("data: 1\n\n\xef\xbb\xbf" "data: 2\n\n", "|1\n-\n");
    check("\xef\xbb\xbf", "");
    check("\xef\xbb", "");
}


static void
test_unterminated_last_event_is_delivered(void **state)
{
    (void) state;

    check("data: 1\n\ndata: 2\n", "|1\n|2\n");
    check("data: 1\n\ndata: 2", "|1\n|2\n");
    check("data: 1\n\nevent: x\ndata: 2\r", "|1\nx|2\n");
    check("data: 1\n\n: no data", "|1\n");
    check("data: 1\n\nevent: x\n", "|1\n");
    check("data: 1\n\ndat", "|1\n");
    check("data: 1\ndata", "|1\n\n");
    check("", "");
}


static void
test_bytes_of_data_are_left_alone(void **state)
{
    (void) state;

    check("data: \x80\xff\x1b\x7f \xc3\xa9\xe2\x80\xa8\n\n",
          "|\x80\xff\x1b\x7f \xc3\xa9\xe2\x80\xa8\n");
}


static void
test_line_ends_are_found_at_every_distance(void **state)
{
    int    i;
    char   input[128], expected[128];

    (void) state;

    for (i = 0; i < 70; i++) {
        (void) snprintf(input, sizeof(input), "data:%0*d\r\n\r\ndata: x\r\r", i,
                        0);
        (void) snprintf(expected, sizeof(expected), "|%0*d\n|x\n", i, 0);
        test_sse_check(input, strlen(input), expected);
    }
}


static void
test_ranges_cover_the_stream(void **state)
{
    test_sse_log_t     log;
    tg_sse_t           s;
    static const char  input[] = "\n: c\n\n\ndata: 1\r\n\r\ndata: 2\r\rid\r\r";

    (void) state;

    memset(&log, 0, sizeof(log));
    tg_sse_init(&s, test_sse_handler, &log);

    assert_int_equal(tg_sse_feed(&s, input, sizeof(input) - 1), TG_OK);
    assert_int_equal(log.end, sizeof(input) - 1);
    assert_int_equal(log.gaps, 0);
    test_sse_expect(&log, "-\n|1\n|2\n-\n");
}


static void
test_event_is_not_delayed_for_the_lf_of_a_crlf(void **state)
{
    test_sse_log_t  log;
    tg_sse_t        s;

    (void) state;

    memset(&log, 0, sizeof(log));
    tg_sse_init(&s, test_sse_handler, &log);

    assert_int_equal(tg_sse_feed(&s, "data: 1\r\n\r", 10), TG_OK);
    test_sse_expect(&log, "|1\n");
    assert_int_equal(log.end, 10);

    assert_int_equal(tg_sse_feed(&s, "\ndata: 2\n\n", 10), TG_OK);
    test_sse_expect(&log, "|1\n|2\n");
    assert_int_equal(log.gaps, 1);
    assert_int_equal(log.end, 20);
}


static void
test_handler_can_stop(void **state)
{
    unsigned        i;
    test_sse_log_t  log;
    tg_sse_t        s;

    (void) state;

    for (i = 1; i <= 4; i++) {
        memset(&log, 0, sizeof(log));
        log.stop = i;
        tg_sse_init(&s, test_sse_handler, &log);

        assert_int_equal(tg_sse_feed(&s, "data: 1\ndata: 2\n\n", 17),
                         TG_ERROR);
        assert_int_equal(tg_sse_feed(&s, "data: 1\n\n", 9), TG_ERROR);
        assert_int_equal(tg_sse_feed(&s, "", 0), TG_ERROR);
        assert_int_equal(tg_sse_finish(&s), TG_ERROR);
        assert_int_equal(log.calls, i);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_events_are_separated_by_blank_lines),
        cmocka_unit_test(test_lines_end_in_lf_cr_or_crlf),
        cmocka_unit_test(test_colon_may_be_followed_by_one_space),
        cmocka_unit_test(test_data_lines_are_joined_by_lf),
        cmocka_unit_test(test_data_without_colon_is_an_empty_line),
        cmocka_unit_test(test_comments_and_unknown_fields_are_passed_over),
        cmocka_unit_test(test_name_of_event_is_told_and_forgotten),
        cmocka_unit_test(test_long_name_of_event_is_cut),
        cmocka_unit_test(test_one_bom_is_skipped_at_the_start_only),
        cmocka_unit_test(test_unterminated_last_event_is_delivered),
        cmocka_unit_test(test_bytes_of_data_are_left_alone),
        cmocka_unit_test(test_line_ends_are_found_at_every_distance),
        cmocka_unit_test(test_ranges_cover_the_stream),
        cmocka_unit_test(test_event_is_not_delayed_for_the_lf_of_a_crlf),
        cmocka_unit_test(test_handler_can_stop),
    };

    return cmocka_run_group_tests_name("sse", tests, NULL, NULL);
}
