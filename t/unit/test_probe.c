#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cut.h"
#include "tg_probe.h"

typedef struct {
    char    body[4096];
    size_t  len;
    size_t  max;                /* then it says so; 0: none */
} sink_t;

/* How an answer ends. */
typedef enum {
    WANT_DONE = 0,
    WANT_KEPT,                  /* and the connection can be used again */
    WANT_CLOSED,                /* when the connection is closed */
    WANT_SHORT,                 /* then it is not complete */
    WANT_BAD
} want_t;


static int
take(void *data, const char *p, size_t n)
{
    sink_t  *sink = data;

    if (sink->max != 0 && sink->len + n > sink->max) {
        return 1;
    }

    assert_true(n <= sizeof(sink->body) - sink->len);
    memcpy(sink->body + sink->len, p, n);
    sink->len += n;

    return 0;
}


static int
feed(tg_probe_t *probe, tg_str_t text, cut_t cut, sink_t *sink)
{
    size_t      n;
    tg_error_t  err;

    memset(probe, 0xa5, sizeof(*probe));
    tg_probe_init(probe);
    sink->len = 0;

    for (size_t at = 0; at < text.len; at += n) {
        n = cut_piece(cut, at, text.len);

        if (tg_probe_feed(probe, text.p + at, n, take, sink, &err) != TG_OK) {
            assert_true(err.message[0] != '\0');
            assert_false(probe->done || probe->keep);
            return TG_ERROR;
        }
    }

    return TG_OK;
}


static void
check_once(tg_str_t text, cut_t cut, want_t want, unsigned status,
    tg_str_t body)
{
    int         rc;
    sink_t      sink = { "", 0, 0 };
    tg_error_t  err;
    tg_probe_t  probe;

    rc = feed(&probe, text, cut, &sink);

    if (want == WANT_BAD) {
        assert_int_equal(rc, TG_ERROR);
        return;
    }

    assert_int_equal(rc, TG_OK);
    assert_int_equal(probe.status, status);
    assert_int_equal(sink.len, body.len);
    assert_memory_equal(sink.body, body.p, body.len);

    assert_int_equal(probe.done, want == WANT_DONE || want == WANT_KEPT);
    assert_int_equal(probe.keep, want == WANT_KEPT);

    assert_int_equal(tg_probe_closed(&probe, &err),
                     want == WANT_SHORT ? TG_ERROR : TG_OK);
    assert_int_equal(probe.done, want != WANT_SHORT);
    assert_false(probe.keep);
}


static void
check(tg_str_t text, want_t want, unsigned status, tg_str_t body)
{
    check_once(text, (cut_t) { 0, 0 }, want, status, body);
    check_once(text, (cut_t) { 0, 1 }, want, status, body);

    for (size_t at = 1; at < text.len; at++) {
        check_once(text, (cut_t) { at, 0 }, want, status, body);
    }
}


static void
test_requests(void **state)
{
    char    buf[TG_PROBE_REQUEST_MAX];
    size_t  n;

    (void) state;

    n = tg_probe_request(buf, sizeof(buf), tg_str("10.0.0.5:8000"),
                         tg_str("/health?x=1"), tg_str("text/plain"));
    assert_int_equal(n, strlen("GET /health?x=1 HTTP/1.1\r\n"
                               "Host: 10.0.0.5:8000\r\n"
                               "User-Agent: tollgate\r\n"
                               "Accept-Encoding: identity\r\n"
                               "Accept: text/plain\r\n\r\n"));
    assert_memory_equal(buf, "GET /health?x=1 HTTP/1.1\r\n"
                        "Host: 10.0.0.5:8000\r\n"
                        "User-Agent: tollgate\r\n"
                        "Accept-Encoding: identity\r\n"
                        "Accept: text/plain\r\n\r\n", n);

    assert_int_equal(tg_probe_request(buf, n - 1, tg_str("10.0.0.5:8000"),
                                      tg_str("/health?x=1"),
                                      tg_str("text/plain")), 0);

    n = tg_probe_request(buf, sizeof(buf), tg_str("h"), tg_str("/"),
                         tg_str(""));
    assert_memory_equal(buf + n - 12, "identity\r\n\r\n", 12);

    assert_int_equal(tg_probe_request(buf, sizeof(buf), tg_str("h"),
                                      tg_str("/a b"), tg_str("")), 0);
    assert_int_equal(tg_probe_request(buf, sizeof(buf), tg_str("h\r\nX: y"),
                                      tg_str("/"), tg_str("")), 0);
    assert_int_equal(tg_probe_request(buf, sizeof(buf), tg_str("h"),
                                      tg_str("/\n"), tg_str("")), 0);
    assert_int_equal(tg_probe_request(buf, sizeof(buf), tg_str("h"),
                                      tg_str("http://x/"), tg_str("")), 0);
    assert_int_equal(tg_probe_request(buf, sizeof(buf), tg_str(""),
                                      tg_str("/"), tg_str("")), 0);
}


static void
test_a_body_of_known_length(void **state)
{
    (void) state;

    check(tg_str("HTTP/1.1 200 OK\r\nserver: uvicorn\r\n"
                 "Content-Length: 5\r\n\r\nhello"),
          WANT_KEPT, 200, tg_str("hello"));
    check(tg_str("HTTP/1.1 503 Service Unavailable\r\ncontent-length:0\r\n"
                 "\r\n"), WANT_KEPT, 503, tg_str(""));
    check(tg_str("HTTP/1.1 200\nContent-Length: 2\n\nok"),
          WANT_KEPT, 200, tg_str("ok"));
    check(tg_str("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                 "Content-Length: 2\r\nConnection: Close\r\n\r\nok"),
          WANT_DONE, 200, tg_str("ok"));
    check(tg_str("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                 "Connection: x, close\r\n\r\nok"),
          WANT_DONE, 200, tg_str("ok"));
    check(tg_str("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
          WANT_DONE, 200, tg_str("ok"));
    check(tg_str("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n"
                 "Connection: keep-alive\r\n\r\nok"),
          WANT_KEPT, 200, tg_str("ok"));
    check(tg_str("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"),
          WANT_SHORT, 200, tg_str("hello"));
    check(tg_str("HTTP/1.1 204 No Content\r\n\r\n"), WANT_KEPT, 204,
          tg_str(""));
}


static void
test_chunks(void **state)
{
    (void) state;

    check(tg_str("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n1 \r\n,\r\n00a;x=\"y\"\r\n0123456789\r\n"
                 "0\r\n\r\n"), WANT_KEPT, 200, tg_str("hello,0123456789"));
    check(tg_str("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
                 "B\r\nhello world\r\n0\r\nX-Trailer: 1\r\nY: 2\r\n\r\n"),
          WANT_KEPT, 200, tg_str("hello world"));
    check(tg_str("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n0\r\n"), WANT_SHORT, 200, tg_str("hello"));
    check(tg_str("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhel"), WANT_SHORT, 200, tg_str("hel"));
}


static void
test_a_body_until_the_connection_closes(void **state)
{
    (void) state;

    check(tg_str("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\na 1\n"),
          WANT_CLOSED, 200, tg_str("a 1\n"));
    check(tg_str("HTTP/1.0 200 OK\r\n\r\n"), WANT_CLOSED, 200, tg_str(""));
}


static void
test_answers_for_the_time_being_are_passed_over(void **state)
{
    (void) state;

    check(tg_str("HTTP/1.1 100 Continue\r\n\r\n"
                 "HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\n"
                 "Connection: close\r\n\r\n"
                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
          WANT_KEPT, 200, tg_str("ok"));
    check(tg_str("HTTP/1.1 100 Continue\r\n\r\n"), WANT_SHORT, 0, tg_str(""));
}


static void
test_bytes_behind_the_answer_end_the_connection(void **state)
{
    (void) state;

    check(tg_str("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 2"),
          WANT_DONE, 200, tg_str("ok"));
    check(tg_str("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "0\r\n\r\n\r\n"), WANT_DONE, 200, tg_str(""));
}


static void
test_answers_that_are_none(void **state)
{
    const tg_str_t  none = tg_str("");

    static const char *const  bad[] = {
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 +20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: x\r\n folded: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5hello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1234567890123456\r\n"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        check(tg_strz(bad[i]), WANT_BAD, 0, none);
    }
}


static void
test_a_size_with_a_nul_is_none(void **state)
{
    (void) state;

    check(tg_str("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "1\0\r\nx\r\n"), WANT_BAD, 0, tg_str(""));
}


static void
test_what_has_no_end_is_cut_off(void **state)
{
    size_t       n;
    sink_t       sink = { "", 0, 0 };
    tg_probe_t   probe;
    static char  text[4 * TG_PROBE_HEAD_MAX];

    (void) state;

    /* a head */

    n = (size_t) snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nA: ");
    memset(text + n, 'a', sizeof(text) - n);
    assert_int_equal(feed(&probe, tg_str_of(text, sizeof(text)),
                          (cut_t) { 0, 1000 }, &sink), TG_ERROR);

    /* the size of a chunk */

    n = (size_t) snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n1;");
    assert_int_equal(feed(&probe, tg_str_of(text, n + 1000),
                          (cut_t) { 0, 100 }, &sink), TG_ERROR);

    /* trailers */

    n = (size_t) snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n0\r\n");

    for (size_t i = n; i < sizeof(text); i++) {
        text[i] = (i - n) % 10 == 9 ? '\n' : 'a';
    }

    assert_int_equal(feed(&probe, tg_str_of(text, sizeof(text)),
                          (cut_t) { 0, 1000 }, &sink), TG_ERROR);
}


static void
test_who_takes_the_body_may_have_enough(void **state)
{
    sink_t      sink = { "", 0, 4 };
    tg_probe_t  probe;

    (void) state;

    assert_int_equal(feed(&probe, tg_str("HTTP/1.1 200 OK\r\n"
                                         "Content-Length: 5\r\n\r\nhello"),
                          (cut_t) { 0, 1 }, &sink), TG_ERROR);
    assert_int_equal(sink.len, 4);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_a_body_of_known_length),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_a_body_until_the_connection_closes),
        cmocka_unit_test(test_answers_for_the_time_being_are_passed_over),
        cmocka_unit_test(test_bytes_behind_the_answer_end_the_connection),
        cmocka_unit_test(test_answers_that_are_none),
        cmocka_unit_test(test_a_size_with_a_nul_is_none),
        cmocka_unit_test(test_what_has_no_end_is_cut_off),
        cmocka_unit_test(test_who_takes_the_body_may_have_enough)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
