#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>

#include "cut.h"
#include "tg_prom.h"

/* What was read, as text: "name{labels}value;". */

typedef struct {
    char    text[8192];
    size_t  len;
} log_t;

static const char  want_head[] = "interesting_na";


static void
add(void *data, const tg_prom_sample_t *s)
{
    log_t  *log = data;

    log->len += (size_t) snprintf(log->text + log->len,
                                  sizeof(log->text) - log->len,
                                  "%.*s{%.*s}%.17g;", (int) s->name.len,
                                  s->name.p, (int) s->labels.len, s->labels.p,
                                  s->value);
    assert_true(log->len < sizeof(log->text));
}


static bool
wanted(void *data, const char *p)
{
    (void) data;

    return memcmp(p, want_head, TG_PROM_HEAD) == 0;
}


static void
run(tg_prom_t *pr, log_t *log, tg_str_t page, bool all, cut_t cut)
{
    size_t  n;

    memset(pr, 0xa5, sizeof(*pr));
    tg_prom_init(pr, add, all ? NULL : wanted, log);
    log->len = 0;
    log->text[0] = '\0';

    for (size_t at = 0; at < page.len; at += n) {
        n = cut_piece(cut, at, page.len);
        assert_int_equal(tg_prom_feed(pr, page.p + at, n), TG_OK);
    }

    (void) tg_prom_end(pr);
    assert_int_equal(pr->bytes, page.len);
}


static void
check(tg_str_t page, const char *want, uint64_t bad)
{
    log_t      log;
    tg_prom_t  pr;

    run(&pr, &log, page, true, (cut_t) { 0, 0 });
    assert_string_equal(log.text, want);
    assert_int_equal(pr.bad, bad);

    run(&pr, &log, page, true, (cut_t) { 0, 1 });
    assert_string_equal(log.text, want);
    assert_int_equal(pr.bad, bad);

    for (size_t at = 1; at < page.len; at++) {
        run(&pr, &log, page, true, (cut_t) { at, 0 });
        assert_string_equal(log.text, want);
        assert_int_equal(pr.bad, bad);
    }
}


static void
test_samples(void **state)
{
    (void) state;

    check(tg_str(""), "", 0);
    check(tg_str("a 1"), "a{}1;", 0);
    check(tg_str("a 1\nb 2\n"), "a{}1;b{}2;", 0);
    check(tg_str("a 1\r\n\r\nb 2\r\n"), "a{}1;b{}2;", 0);
    check(tg_str(" \t a \t 1 \t\n"), "a{}1;", 0);
    check(tg_str("# HELP a b\n#\n  # x\n# EOF\na 1\n"), "a{}1;", 0);
    check(tg_str("a{} 1\na{b=\"c\"} 2\na{b=\"c\",} 3\n"),
          "a{}1;a{b=\"c\"}2;a{b=\"c\",}3;", 0);
    check(tg_str("a { b = \"c\" , d=\"\" } 4\na{b=\"c\"}5\n"),
          "a{ b = \"c\" , d=\"\" }4;a{b=\"c\"}5;", 0);
    check(tg_str("a{b=\"}\\\"\\\\\",c=\"x,y=\\\"z\"} 6\n"),
          "a{b=\"}\\\"\\\\\",c=\"x,y=\\\"z\"}6;", 0);
    check(tg_str("a:b_C9 1\n:x 2\n_ 3\n"), "a:b_C9{}1;:x{}2;_{}3;", 0);
    check(tg_str("a 1 1700000000000\na 2 -5\na 3 1.7e9\n"),
          "a{}1;a{}2;a{}3;", 0);
    check(tg_str("a_bucket{le=\"1\"} 7 # {trace_id=\"x\"} 0.4 1.6e9\n"
                 "a_bucket{le=\"2\"} 8 12 # {} 1\n"),
          "a_bucket{le=\"1\"}7;a_bucket{le=\"2\"}8;", 0);
}


static void
test_values(void **state)
{
    (void) state;

    check(tg_str("a 0\na -0\na +5\na 007\na .5\na 5.\na 1e3\na 1E+3\n"
                 "a 25e-1\n"),
          "a{}0;a{}-0;a{}5;a{}7;a{}0.5;a{}5;a{}1000;a{}1000;a{}2.5;", 0);
    check(tg_str("a 8.128902e+06\na 0.007507552643049313\n"
                 "a 1.763700000001e+09\na 86.50814177726902\n"),
          "a{}8128902;a{}0.0075075526430493133;a{}1763700000.0009999;"
          "a{}86.508141777269017;", 0);
    check(tg_str("a 18446744073709551615\na 184467440737095516150\n"),
          "a{}1.8446744073709552e+19;a{}1.8446744073709552e+20;", 0);
    check(tg_str("a 1e999\na 1e99999999999\na -1e400\na 0e999\na 1e-999\n"),
          "a{}inf;a{}inf;a{}-inf;a{}0;a{}0;", 0);
    check(tg_str("a NaN\na nan\na +Inf\na -inf\na Infinity\n"),
          "a{}nan;a{}nan;a{}inf;a{}-inf;a{}inf;", 0);
    check(tg_str("a 1x\na 1e\na 1e+\na 0x10\na 1_000\na .\na -\na e5\na 1,5\n"
                 "a 1.2.3\na infinit\na\n"), "", 12);
}


static void
test_lines_that_are_none_are_counted(void **state)
{
    (void) state;

    check(tg_str("9a 1\n-a 1\n{a=\"b\"} 1\n<html>\n"), "", 4);
    check(tg_str("a{b=c} 1\na{b=\"c} 1\na{b=\"c\" d=\"e\"} 1\na{=\"c\"} 1\n"
                 "a{b} 1\na{b=\"c\"\na{,} 1\na{b=\"c\\\"} 1\na{\n"), "", 9);
    check(tg_str("a 1 x\na 1 2 3\na 1 2 x\na 1 2x\n"), "", 4);
    check(tg_str("\"\na 1\n"), "a{}1;", 1);
}


static void
test_a_line_that_is_too_long_is_passed_over(void **state)
{
    log_t         log;
    size_t        n;
    tg_prom_t     pr;
    static char   page[3 * TG_PROM_LINE_MAX];
    const size_t  steps[] = { 0, 1, 7, 100, TG_PROM_LINE_MAX };

    (void) state;

    for (size_t over = 0; over < 2; over++) {

        /* a{b="xx...x"} 1 */

        n = TG_PROM_LINE_MAX + over;
        memset(page, 'x', n);
        memcpy(page, "a{b=\"", 5);
        memcpy(page + n - 4, "\"} 1", 4);
        memcpy(page + n, "\nc 2\n", 5);

        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            run(&pr, &log, tg_str_of(page, n + 5), true,
                (cut_t) { 0, steps[i] });
            assert_int_equal(pr.bad, over);
            assert_int_equal(pr.samples, 2 - over);
            assert_string_equal(log.text + log.len - 5, "c{}2;");
        }
    }
}


static void
test_lines_without_interest_are_not_read(void **state)
{
    log_t     log;
    tg_prom_t pr;
    tg_str_t  page = tg_str("# TYPE interesting_names gauge\n"
                            "interesting_names 1\n"
                            "boring names that are no sample\n"
                            "interesting_nam\n"
                            "interesting_nXa 2\n"
                            "short 3\n"
                            "\n\n"
                            "interesting_na 4\n"
                            "interesting_names{a=\"b\"} 5");

    (void) state;

    for (size_t at = 0; at < page.len; at++) {
        run(&pr, &log, page, false, (cut_t) { at, at == 0 });
        assert_string_equal(log.text, "interesting_names{}1;short{}3;"
                            "interesting_na{}4;interesting_names{a=\"b\"}5;");
        assert_int_equal(pr.samples, 4);
        assert_int_equal(pr.bad, 1);
    }
}


static void
test_labels(void **state)
{
    char            buf[16];
    tg_str_t        v;
    const tg_str_t  labels = tg_str("a=\"1\", b = \"x\\\"y\\\\z\\n\" ,"
                                    "aa=\"\",c=\"a=\\\"9\\\"\",d=\"\\q\",");

    (void) state;

    assert_true(tg_prom_label(labels, tg_str("a"), buf, sizeof(buf), &v));
    assert_true(tg_str_eq(v, tg_str("1")));
    assert_true(tg_prom_label(labels, tg_str("b"), buf, sizeof(buf), &v));
    assert_true(tg_str_eq(v, tg_str("x\"y\\z\n")));
    assert_true(tg_prom_label(labels, tg_str("aa"), buf, sizeof(buf), &v));
    assert_int_equal(v.len, 0);
    assert_true(tg_prom_label(labels, tg_str("c"), buf, sizeof(buf), &v));
    assert_true(tg_str_eq(v, tg_str("a=\"9\"")));
    assert_true(tg_prom_label(labels, tg_str("d"), buf, sizeof(buf), &v));
    assert_true(tg_str_eq(v, tg_str("\\q")));
    assert_false(tg_prom_label(labels, tg_str("b"), buf, 5, &v));
    assert_true(tg_prom_label(labels, tg_str("b"), buf, 6, &v));
    assert_false(tg_prom_label(labels, tg_str("x"), buf, sizeof(buf), &v));
    assert_false(tg_prom_label(tg_str(""), tg_str("a"), buf, sizeof(buf), &v));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_lines_that_are_none_are_counted),
        cmocka_unit_test(test_a_line_that_is_too_long_is_passed_over),
        cmocka_unit_test(test_lines_without_interest_are_not_read),
        cmocka_unit_test(test_labels)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
