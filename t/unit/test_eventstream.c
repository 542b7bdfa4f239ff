#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_crc32.h"
#include "tg_eventstream.h"

/* A frame under construction, and what the handler saw, as text:
 * "[name=value]", "(payload)", ";" at the end of a frame. */

typedef struct {
    unsigned char  b[4096];
    size_t         n;
    size_t         start;       /* of the frame */
    size_t         headers;     /* end of the headers */
} test_frame_t;

typedef struct {
    char      text[4096];
    size_t    len;
    bool      payload;
    unsigned  calls;
    unsigned  stop;
} test_log_t;


static void
put(test_frame_t *f, const void *p, size_t n)
{
    assert_true(n <= sizeof(f->b) - f->n);
    memcpy(f->b + f->n, p, n);
    f->n += n;
}


static void
put_at(test_frame_t *f, size_t at, uint64_t v)
{
    f->b[at] = (unsigned char) (v >> 24);
    f->b[at + 1] = (unsigned char) (v >> 16);
    f->b[at + 2] = (unsigned char) (v >> 8);
    f->b[at + 3] = (unsigned char) v;
}


static void
begin(test_frame_t *f)
{
    f->start = f->n;
    put(f, "            ", 12);
}


static void
header(test_frame_t *f, const char *name, unsigned type, const void *value,
    size_t n)
{
    unsigned char  c = (unsigned char) strlen(name);

    put(f, &c, 1);
    put(f, name, c);
    c = (unsigned char) type;
    put(f, &c, 1);

    if (type == 6 || type == 7) {
        c = (unsigned char) (n >> 8);
        put(f, &c, 1);
        c = (unsigned char) n;
        put(f, &c, 1);
    }

    put(f, value, n);
}


static void
string(test_frame_t *f, const char *name, const char *value)
{
    header(f, name, 7, value, strlen(value));
}


/* `more` and `less` falsify the lengths of the frame and of its headers. */

static void
seal(test_frame_t *f, size_t more, size_t less)
{
    put_at(f, f->start, f->n + 4 - f->start + more);
    put_at(f, f->start + 4, f->headers - f->start - 12 - less);
    put_at(f, f->start + 8, tg_crc32(0, f->b + f->start, 8));
    put(f, "    ", 4);
    put_at(f, f->n - 4, tg_crc32(0, f->b + f->start, f->n - 4 - f->start));
}


static void
end(test_frame_t *f, const char *payload)
{
    f->headers = f->n;
    put(f, payload, strlen(payload));
    seal(f, 0, 0);
}


static void
log_add(test_log_t *log, const char *p, size_t n)
{
    assert_true(n < sizeof(log->text) - log->len);
    if (n != 0) {
        memcpy(log->text + log->len, p, n);
    }
    log->len += n;
    log->text[log->len] = '\0';
}


static int
handler(void *data, tg_eventstream_type_t type, tg_str_t name, tg_str_t value)
{
    test_log_t  *log = data;

    if (++log->calls == log->stop) {
        return 1;
    }

    switch (type) {

    case TG_EVENTSTREAM_HEADER:
        log_add(log, "[", 1);
        log_add(log, name.p, name.len);
        log_add(log, "=", 1);
        log_add(log, value.p, value.len);
        log_add(log, "]", 1);
        return 0;

    case TG_EVENTSTREAM_PAYLOAD:
        assert_true(value.len > 0);
        if (!log->payload) {
            log_add(log, "(", 1);
            log->payload = true;
        }
        log_add(log, value.p, value.len);
        return 0;

    default:
        log_add(log, log->payload ? ");" : ";", log->payload ? 2 : 1);
        log->payload = false;
        return 0;
    }
}


static int
feed(tg_eventstream_t *s, test_log_t *log, const unsigned char *p, size_t i,
    size_t n)
{
    memset(log, 0, sizeof(test_log_t));
    tg_eventstream_init(s, handler, log);

    if (tg_eventstream_feed(s, (const char *) p, i) != TG_OK
        || tg_eventstream_feed(s, (const char *) p + i, n - i) != TG_OK)
    {
        assert_int_equal(tg_eventstream_feed(s, "", 1), TG_ERROR);
    }

    return tg_eventstream_finish(s);
}


/* In two parts at each position, and byte by byte. */

static void
check(const test_frame_t *f, const char *expected,
    tg_eventstream_errcode_t error)
{
    int               rc = error == TG_EVENTSTREAM_E_NONE ? TG_OK : TG_ERROR;
    size_t            i;
    test_log_t        log;
    tg_eventstream_t  s;

    for (i = 0; i <= f->n; i++) {
        assert_int_equal(feed(&s, &log, f->b, i, f->n), rc);
        assert_int_equal(s.error, error);
        assert_string_equal(log.text, expected);
    }

    memset(&log, 0, sizeof(log));
    tg_eventstream_init(&s, handler, &log);

    for (i = 0; i < f->n; i++) {
        (void) tg_eventstream_feed(&s, (const char *) f->b + i, 1);
    }

    assert_int_equal(tg_eventstream_finish(&s), rc);
    assert_int_equal(s.error, error);
    assert_string_equal(log.text, expected);
}


static void
test_crc32_of_known_strings(void **state)
{
    char      zeros[32] = { 0 };
    size_t    i;
    uint32_t  crc = 0;
    tg_str_t  s = tg_str("The quick brown fox jumps over the lazy dog");

    (void) state;

    assert_int_equal(tg_crc32(0, "", 0), 0);
    assert_int_equal(tg_crc32(0, "a", 1), 0xe8b7be43);
    assert_int_equal(tg_crc32(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(tg_crc32(0, s.p, s.len), 0x414fa339);
    assert_int_equal(tg_crc32(0, zeros, 32), 0x190a55ad);

    for (i = 0; i <= s.len; i++) {
        crc = tg_crc32(tg_crc32(0, s.p, i), s.p + i, s.len - i);
        assert_int_equal(crc, 0x414fa339);
    }
}


/* The smallest frame of AWS's SDK tests ("empty_message"). */

static void
test_empty_frame(void **state)
{
    test_frame_t              f = { .n = 16 };
    static const unsigned char  frame[] = {
        0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00,
        0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff
    };

    (void) state;

    memcpy(f.b, frame, 16);
    check(&f, ";", TG_EVENTSTREAM_E_NONE);

    f.n = 0;
    begin(&f);
    end(&f, "");
    assert_memory_equal(f.b, frame, 16);
}


static void
test_headers_and_payload_are_delivered(void **state)
{
    test_frame_t  f = { .n = 0 };

    (void) state;

    begin(&f);
    string(&f, ":message-type", "event");
    string(&f, ":event-type", "chunk");
    end(&f, "{\"a\":1}");

    begin(&f);
    end(&f, "no headers");

    begin(&f);
    string(&f, "x", "");
    end(&f, "");

    check(&f, "[:message-type=event][:event-type=chunk]({\"a\":1});"
          "(no headers);[x=];", TG_EVENTSTREAM_E_NONE);
}


static void
test_headers_of_other_types_are_skipped(void **state)
{
    unsigned              type;
    test_frame_t          f = { .n = 0 };
    static const uint8_t  sizes[] = { 0, 0, 1, 2, 4, 8, 5, 3, 8, 16 };

    (void) state;

    begin(&f);

    for (type = 0; type < 10; type++) {
        header(&f, "h", type, "0123456789abcdef", sizes[type]);
    }

    header(&f, "none", 6, "", 0);
    string(&f, "last", "one");
    end(&f, "p");

    check(&f, "[h=012][last=one](p);", TG_EVENTSTREAM_E_NONE);
}


static void
test_each_type_may_be_the_last_header(void **state)
{
    unsigned              type;
    test_frame_t          f;
    static const uint8_t  sizes[] = { 0, 0, 1, 2, 4, 8, 5, 3, 8, 16 };

    (void) state;

    for (type = 0; type < 10; type++) {
        f.n = 0;
        begin(&f);
        header(&f, "h", type, "0123456789abcdef", sizes[type]);
        end(&f, "");
        check(&f, type == 7 ? "[h=012];" : ";", TG_EVENTSTREAM_E_NONE);
    }
}


static void
test_long_names_and_values_are_cut(void **state)
{
    char          name[256], value[301], expected[512];
    test_frame_t  f = { .n = 0 };

    (void) state;

    memset(name, 'n', 255);
    name[255] = '\0';
    memset(value, 'v', 300);
    value[300] = '\0';

    begin(&f);
    string(&f, name, value);
    string(&f, "a", "b");
    end(&f, "p");

    (void) snprintf(expected, sizeof(expected), "[%.64s=%.128s][a=b](p);",
                    name, value);
    check(&f, expected, TG_EVENTSTREAM_E_NONE);
}


static void
test_wrong_checksum_of_the_prelude(void **state)
{
    size_t        i;
    test_frame_t  f;

    (void) state;

    for (i = 0; i < 12; i++) {
        f.n = 0;
        begin(&f);
        string(&f, "a", "b");
        end(&f, "p");
        f.b[i] ^= 0x04;
        check(&f, "", TG_EVENTSTREAM_E_CRC);
    }
}


static void
test_wrong_checksum_of_the_frame(void **state)
{
    test_frame_t  f = { .n = 0 };

    (void) state;

    begin(&f);
    string(&f, "a", "b");
    end(&f, "payload");

    f.b[f.n - 1] ^= 0x01;
    check(&f, "[a=b](payload", TG_EVENTSTREAM_E_CRC);

    f.b[f.n - 1] ^= 0x01;
    f.b[f.n - 5] ^= 0x20;
    check(&f, "[a=b](payloaD", TG_EVENTSTREAM_E_CRC);
}


static void
test_impossible_lengths(void **state)
{
    test_frame_t  f;

    (void) state;

    f.n = 0;
    begin(&f);
    f.headers = f.n;
    seal(&f, SIZE_MAX, 0);                          /* 15 */
    check(&f, "", TG_EVENTSTREAM_E_LENGTH);

    f.n = 0;
    begin(&f);
    f.headers = f.n;
    seal(&f, (size_t) 0 - 16, 0);                   /* 0 */
    check(&f, "", TG_EVENTSTREAM_E_LENGTH);

    f.n = 0;
    begin(&f);
    f.headers = f.n;
    seal(&f, 0, SIZE_MAX);                          /* headers of 1, no room */
    check(&f, "", TG_EVENTSTREAM_E_LENGTH);

    f.n = 0;
    begin(&f);
    f.headers = f.n;
    seal(&f, 0, 1);                                 /* headers of 2^32 - 1 */
    check(&f, "", TG_EVENTSTREAM_E_LENGTH);

    f.n = 0;
    begin(&f);
    f.headers = f.n;
    seal(&f, TG_EVENTSTREAM_FRAME_MAX, 0);          /* 16 past the most */
    check(&f, "", TG_EVENTSTREAM_E_LENGTH);

    f.n = 0;
    begin(&f);
    f.headers = f.n;
    seal(&f, 1024 * 1024,
         (size_t) 0 - TG_EVENTSTREAM_HEADERS_MAX - 1);
    check(&f, "", TG_EVENTSTREAM_E_LENGTH);
}


static void
test_header_past_the_end_of_headers(void **state)
{
    size_t        less, n;
    test_frame_t  f;

    (void) state;

    /* every cut of [abc=xy], but those at its start and its end */

    n = 1 + 3 + 1 + 2 + 2;

    for (less = 1; less < n; less++) {
        f.n = 0;
        begin(&f);
        string(&f, "abc", "xy");
        f.headers = f.n;
        put(&f, "payload", 7);
        seal(&f, 0, less);
        check(&f, "", TG_EVENTSTREAM_E_HEADER);
    }
}


static void
test_malformed_headers(void **state)
{
    test_frame_t  f;

    (void) state;

    f.n = 0;
    begin(&f);
    header(&f, "a", 10, "", 0);
    end(&f, "");
    check(&f, "", TG_EVENTSTREAM_E_HEADER);

    f.n = 0;
    begin(&f);
    header(&f, "a", 255, "", 0);
    end(&f, "");
    check(&f, "", TG_EVENTSTREAM_E_HEADER);

    f.n = 0;
    begin(&f);
    string(&f, "", "b");
    end(&f, "");
    check(&f, "", TG_EVENTSTREAM_E_HEADER);
}


static void
test_truncated_stream(void **state)
{
    size_t            i, n;
    test_log_t        log;
    test_frame_t      f = { .n = 0 };
    tg_eventstream_t  s;

    (void) state;

    begin(&f);
    string(&f, "a", "b");
    end(&f, "p");
    n = f.n;

    begin(&f);
    string(&f, "c", "d");
    end(&f, "q");

    for (i = 1; i < f.n; i++) {
        if (i == n) {
            assert_int_equal(feed(&s, &log, f.b, i, i), TG_OK);
            assert_string_equal(log.text, "[a=b](p);");
            continue;
        }

        assert_int_equal(feed(&s, &log, f.b, i / 2, i), TG_ERROR);
        assert_int_equal(s.error, TG_EVENTSTREAM_E_TRUNCATED);
        assert_true(i < n || strncmp(log.text, "[a=b](p);", 9) == 0);
    }

    assert_int_equal(feed(&s, &log, f.b, 0, 0), TG_OK);
}


static void
test_handler_can_stop(void **state)
{
    unsigned          i;
    test_log_t        log;
    test_frame_t      f = { .n = 0 };
    tg_eventstream_t  s;

    (void) state;

    begin(&f);
    string(&f, "a", "b");
    string(&f, "c", "");
    end(&f, "p");

    for (i = 1; i <= 4; i++) {
        memset(&log, 0, sizeof(log));
        log.stop = i;
        tg_eventstream_init(&s, handler, &log);

        assert_int_equal(tg_eventstream_feed(&s, (char *) f.b, f.n), TG_ERROR);
        assert_int_equal(s.error, TG_EVENTSTREAM_E_STOPPED);
        assert_int_equal(tg_eventstream_feed(&s, (char *) f.b, f.n), TG_ERROR);
        assert_int_equal(tg_eventstream_finish(&s), TG_ERROR);
        assert_int_equal(log.calls, i);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_crc32_of_known_strings),
        cmocka_unit_test(test_empty_frame),
        cmocka_unit_test(test_headers_and_payload_are_delivered),
        cmocka_unit_test(test_headers_of_other_types_are_skipped),
        cmocka_unit_test(test_each_type_may_be_the_last_header),
        cmocka_unit_test(test_long_names_and_values_are_cut),
        cmocka_unit_test(test_wrong_checksum_of_the_prelude),
        cmocka_unit_test(test_wrong_checksum_of_the_frame),
        cmocka_unit_test(test_impossible_lengths),
        cmocka_unit_test(test_header_past_the_end_of_headers),
        cmocka_unit_test(test_malformed_headers),
        cmocka_unit_test(test_truncated_stream),
        cmocka_unit_test(test_handler_can_stop),
    };

    return cmocka_run_group_tests_name("eventstream", tests, NULL, NULL);
}
