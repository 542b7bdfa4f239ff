#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tg_multipart.h"

/* What the handler saw, as text: "name=value/size\n", or "name:size\n" for a
 * file. */

typedef struct {
    char      text[2048];
    size_t    len;
    bool      stop;
} test_log_t;

#define TYPE      "multipart/form-data; boundary=xyz"
#define FIELD(n)  "Content-Disposition: form-data; name=\"" n "\"\r\n\r\n"


static int
handler(void *data, const tg_multipart_part_t *part)
{
    int          n;
    test_log_t  *log = data;

    if (part->file) {
        assert_int_equal(part->value.len, 0);
        n = snprintf(log->text + log->len, sizeof(log->text) - log->len,
                     "%.*s:%u\n", (int) part->name.len, part->name.p,
                     (unsigned) part->size);

    } else {
        n = snprintf(log->text + log->len, sizeof(log->text) - log->len,
                     "%.*s=%.*s/%u\n", (int) part->name.len, part->name.p,
                     (int) part->value.len, part->value.p,
                     (unsigned) part->size);
    }

    assert_true(n > 0 && (size_t) n < sizeof(log->text) - log->len);
    log->len += (size_t) n;

    return log->stop;
}


static int
run(tg_multipart_t *m, test_log_t *log, const char *type, const char *p,
    size_t i, size_t n)
{
    memset(log, 0, sizeof(test_log_t));
    assert_int_equal(tg_multipart_init(m, tg_strz(type), handler, log), TG_OK);

    if (tg_multipart_feed(m, p, i) != TG_OK
        || tg_multipart_feed(m, p + i, n - i) != TG_OK)
    {
        assert_non_null(m->error);
        assert_int_equal(tg_multipart_feed(m, "x", 1), TG_ERROR);
    }

    return tg_multipart_finish(m);
}


/* In two parts at each position, and byte by byte. */

static void
check_all(const char *type, const char *p, size_t n, const char *expected,
    int rc)
{
    size_t          i;
    uint64_t        offset = 0;
    test_log_t      log;
    tg_multipart_t  m;

    for (i = 0; i <= n; i++) {
        assert_int_equal(run(&m, &log, type, p, i, n), rc);
        assert_string_equal(log.text, expected);

        offset = i == 0 ? m.offset : offset;
        assert_int_equal(m.offset, offset);
    }

    memset(&log, 0, sizeof(log));
    assert_int_equal(tg_multipart_init(&m, tg_strz(type), handler, &log),
                     TG_OK);

    for (i = 0; i < n; i++) {
        (void) tg_multipart_feed(&m, p + i, 1);
    }

    assert_int_equal(tg_multipart_finish(&m), rc);
    assert_int_equal(m.offset, offset);
    assert_string_equal(log.text, expected);
}

#define check(input, expected)                                                \
    check_all(TYPE, input, sizeof(input) - 1, expected, TG_OK)

#define check_error(input, expected)                                          \
    check_all(TYPE, input, sizeof(input) - 1, expected, TG_ERROR)


static void
test_fields_and_files(void **state)
{
    (void) state;

    check("--xyz\r\n" FIELD("model") "whisper-1\r\n"
          "--xyz\r\nContent-Disposition: form-data; name=\"file\"; "
          "filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n"
          "\x00\xff\r\r\n--xy\r\n\r\n--xyz\r\n"
          FIELD("stream") "true\r\n--xyz--\r\n",
          "model=whisper-1/9\nfile:11\nstream=true/4\n");
}


static void
test_empty_values(void **state)
{
    (void) state;

    check("--xyz\r\n" FIELD("a") "\r\n--xyz\r\n" FIELD("") "b\r\n--xyz--",
          "a=/0\n=b/1\n");
}


static void
test_form_without_parts(void **state)
{
    (void) state;

    check("--xyz--", "");
    check("\r\n--xyz--\r\n", "");
}


static void
test_preamble_and_epilogue_are_ignored(void **state)
{
    (void) state;

    check("hello\r\n--xy\r\n--xyz\r\n" FIELD("a") "b\r\n--xyz--\r\n"
          "--xyz\r\n" FIELD("c") "d\r\n--xyz--", "a=b/1\n");
}


static void
test_what_looks_like_a_boundary_is_data(void **state)
{
    (void) state;

    check("--xyz\r\n" FIELD("a") "\r\n--xy\r\n\r\n\r--xyz\n--xyz\r\n--xyz--",
          "a=\r\n--xy\r\n\r\n\r--xyz\n--xyz/22\n");
    check("--xyz\r\n" FIELD("a") "--xy\r\r\n--xyz--", "a=--xy\r/5\n");
    check("--xyz\r\n" FIELD("a") "-\r\n--xyz--", "a=-/1\n");
}


static void
test_boundary_may_be_followed_by_blanks(void **state)
{
    (void) state;

    check("--xyz \t\r\n" FIELD("a") "b\r\n--xyz  \r\n" FIELD("c")
          "d\r\n--xyz--", "a=b/1\nc=d/1\n");
}


static void
test_ways_to_write_the_disposition(void **state)
{
    (void) state;

    check("--xyz\r\ncontent-DISPOSITION:form-data;NAME=a\r\n\r\n1\r\n--xyz--",
          "a=1/1\n");
    check("--xyz\r\nX-Y: name=\"q\"\r\nContent-Disposition: form-data ;"
          " x=\"; name=z\" ;\tname=\"a;\\\"b\\\\\" ; ;\r\nA: b\r\n\r\n1"
          "\r\n--xyz--", "a;\"b\\=1/1\n");
    check("--xyz\r\nContent-Disposition: form-data; filename=\"C:\\a\\b\"; "
          "name=f\r\n\r\n1\r\n--xyz--", "f:1\n");
    check("--xyz\r\nContent-Disposition: form-data; name=f; "
          "filename*=UTF-8''%61\r\n\r\n1\r\n--xyz--", "f:1\n");
    check("--xyz\r\nContent-Disposition: form-data; name=f; filename=\"\""
          "\r\n\r\n\r\n--xyz--", "f:0\n");
    check("--xyz\r\nContent-Disposition: form-data; name=\"\xc3\xa9\""
          "\r\n\r\n1\r\n--xyz--", "\xc3\xa9=1/1\n");
}


static void
test_part_without_a_name_is_told(void **state)
{
    (void) state;

    check("--xyz\r\nContent-Type: text/plain\r\n\r\nb\r\n--xyz--", "=b/1\n");
    check("--xyz\r\n\r\nb\r\n--xyz--", "=b/1\n");
}


static void
test_long_names_and_values_are_cut(void **state)
{
    char    input[1024], expected[512];
    size_t  n;

    (void) state;

    n = (size_t) snprintf(input, sizeof(input), "--xyz\r\nContent-Disposition:"
                          " form-data; name=\"%0100d\"\r\n\r\n%0300d"
                          "\r\n--xyz--", 0, 0);
    (void) snprintf(expected, sizeof(expected), "%064d=%0256d/300\n", 0, 0);

    check_all(TYPE, input, n, expected, TG_OK);
}


static void
test_truncated_form_is_an_error(void **state)
{
    size_t             i;
    test_log_t         log;
    tg_multipart_t     m;
    static const char  input[] = "--xyz\r\n" FIELD("a") "b\r\n--xyz--";

    (void) state;

    for (i = 0; i < sizeof(input) - 1; i++) {
        assert_int_equal(run(&m, &log, TYPE, input, i / 2, i), TG_ERROR);
        assert_string_equal(log.text, i >= sizeof(input) - 3 ? "a=b/1\n" : "");
    }
}


static void
test_what_can_be_read_in_two_ways_is_an_error(void **state)
{
    (void) state;

    /* boundaries */
    check_error("--xyz\n" FIELD("a") "b\r\n--xyz--", "");
    check_error("--xyzz\r\n" FIELD("a") "b\r\n--xyz--", "");
    check_error("--xyz\r\n" FIELD("a") "b\r\n--xyz-\r\n", "a=b/1\n");
    check_error("--xyz\r\n" FIELD("a") "b\r\n--xyz -- \r\n", "a=b/1\n");
    check_error("--xyz\r\n" FIELD("a") "--xyz--\r\n", "");
    check_error("--xyz\r\n" FIELD("a") "--xyz\r\n" FIELD("c")
                "d\r\n--xyz--\r\n", "");

    /* headers */
    check_error("--xyz\r\nA: b\n\r\nb\r\n--xyz--", "");
    check_error("--xyz\r\nA: b\r\r\n\r\nb\r\n--xyz--", "");
    check_error("--xyz\r\nA: b\r\n c\r\n\r\nb\r\n--xyz--", "");
    check_error("--xyz\r\nA : b\r\n\r\nb\r\n--xyz--", "");
    check_error("--xyz\r\nAbc\r\n\r\nb\r\n--xyz--", "");
    check_error("--xyz\r\n: b\r\n\r\nb\r\n--xyz--", "");
    check_error("--xyz\r\nA: \0\r\n\r\nb\r\n--xyz--", "");
    check_error("--xyz\r\n\xc3: b\r\n\r\nb\r\n--xyz--", "");
    check_error("--xyz\r\nContent-Disposition: form-data; name=a\r\n" FIELD("b")
                "b\r\n--xyz--", "");
}


#define check_param(params)                                                   \
    check_error("--xyz\r\nContent-Disposition: form-data; " params            \
                "\r\n\r\n1\r\n--xyz--", "")


static void
test_names_that_can_be_read_in_two_ways_are_errors(void **state)
{
    (void) state;

    check_param("name=a; name=b");
    check_param("name=a; NAME=\"b\"");
    check_param("name*=UTF-8''a");
    check_param("name*0=a");
    check_param("name=\"mod\\el\"");
    check_param("name=mod\\el");
    check_param("name=\"a\"b");
    check_param("name=\"a\" b");
    check_param("name=a\"b\"");
    check_param("name= a");
    check_param("name =a");
    check_param("name");
    check_param("=a");
    check_param("\"name\"=a");
    check_param("name=\"a");
    check_param("name=\"a\nb\"");
}


static void
test_encoded_parts_are_errors(void **state)
{
    (void) state;

    check("--xyz\r\nContent-Transfer-Encoding: Binary \r\n" FIELD("a")
          "b\r\n--xyz--", "a=b/1\n");
    check("--xyz\r\nContent-Transfer-Encoding:8bit\r\n" FIELD("a")
          "b\r\n--xyz--", "a=b/1\n");
    check_error("--xyz\r\nContent-Transfer-Encoding: base64\r\n" FIELD("a")
                "b\r\n--xyz--", "");
    check_error("--xyz\r\nContent-Transfer-Encoding: quoted-printable\r\n"
                FIELD("a") "b\r\n--xyz--", "");
}


static void
check_type(const char *type, const char *boundary)
{
    char    out[TG_MULTIPART_BOUNDARY_MAX];
    size_t  n = tg_multipart_boundary(tg_strz(type), out);

    if (n != strlen(boundary) || memcmp(out, boundary, n) != 0) {
        fail_msg("%s: got \"%.*s\", expected \"%s\"", type, (int) n, out,
                 boundary);
    }
}


static void
test_boundary_is_found_in_the_content_type(void **state)
{
    (void) state;

    check_type("multipart/form-data; boundary=a", "a");
    check_type("Multipart/Form-Data;BOUNDARY=a", "a");
    check_type(" multipart/form-data ; charset=utf-8 ; boundary=\"a b:c\" ;",
               "a b:c");
    check_type("multipart/form-data; x=\"; boundary=b\"; boundary=a; y=z", "a");
    check_type("multipart/form-data; boundary=\"a\\\"b\"", "a\"b");
    check_type("multipart/form-data; boundary=--a=", "--a=");
    check_type("multipart/form-data; boundary="
               "0123456789012345678901234567890123456789012345678901234567890"
               "123456789",
               "0123456789012345678901234567890123456789012345678901234567890"
               "123456789");
}


static void
test_unusable_content_types_are_refused(void **state)
{
    tg_multipart_t  m;

    (void) state;

    check_type("", "");
    check_type("application/json", "");
    check_type("multipart/form-datax; boundary=a", "");
    check_type("multipart/mixed; boundary=a", "");
    check_type("multipart/form-data", "");
    check_type("multipart/form-data boundary=a", "");
    check_type("multipart/form-data; boundary", "");
    check_type("multipart/form-data; boundary=", "");
    check_type("multipart/form-data; boundary=\"\"", "");
    check_type("multipart/form-data; boundary=\"a", "");
    check_type("multipart/form-data; boundary=\"a\\", "");
    check_type("multipart/form-data; boundary=\"a\"b", "");
    check_type("multipart/form-data; boundary=\"a \"", "");
    check_type("multipart/form-data; boundary=a\"b", "");
    check_type("multipart/form-data; boundary=a b", "");
    check_type("multipart/form-data; boundary=a\x80", "");
    check_type("multipart/form-data; boundary=\"a\r\nb\"", "");
    check_type("multipart/form-data; boundary=a; boundary=b", "");
    check_type("multipart/form-data; boundary=a; boundary*=b", "");
    check_type("multipart/form-data; boundary="
               "0123456789012345678901234567890123456789012345678901234567890"
               "1234567890", "");

    assert_int_equal(tg_multipart_init(&m, tg_str_null, handler, NULL),
                     TG_ERROR);
    assert_int_equal(tg_multipart_feed(&m, "--", 2), TG_ERROR);
    assert_int_equal(tg_multipart_finish(&m), TG_ERROR);
}


static void
test_longest_boundary(void **state)
{
    char  type[128], input[512], expected[256];

    (void) state;

    (void) snprintf(type, sizeof(type), "multipart/form-data; boundary=%070d",
                    0);
    (void) snprintf(input, sizeof(input), "--%070d\r\n" FIELD("a")
                    "b\r\n--%069d1\r\n--%070d--", 0, 0, 0);
    (void) snprintf(expected, sizeof(expected), "a=b\r\n--%069d1/75\n", 0);

    check_all(type, input, strlen(input), expected, TG_OK);
}


static void
test_handler_can_stop(void **state)
{
    test_log_t         log;
    tg_multipart_t     m;
    static const char  input[] = "--xyz\r\n" FIELD("a") "b\r\n--xyz--";

    (void) state;

    memset(&log, 0, sizeof(log));
    log.stop = true;

    assert_int_equal(tg_multipart_init(&m, tg_str(TYPE), handler, &log), TG_OK);
    assert_int_equal(tg_multipart_feed(&m, input, sizeof(input) - 1), TG_ERROR);
    assert_non_null(m.error);
    assert_int_equal(tg_multipart_finish(&m), TG_ERROR);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_fields_and_files),
        cmocka_unit_test(test_empty_values),
        cmocka_unit_test(test_form_without_parts),
        cmocka_unit_test(test_preamble_and_epilogue_are_ignored),
        cmocka_unit_test(test_what_looks_like_a_boundary_is_data),
        cmocka_unit_test(test_boundary_may_be_followed_by_blanks),
        cmocka_unit_test(test_ways_to_write_the_disposition),
        cmocka_unit_test(test_part_without_a_name_is_told),
        cmocka_unit_test(test_long_names_and_values_are_cut),
        cmocka_unit_test(test_truncated_form_is_an_error),
        cmocka_unit_test(test_what_can_be_read_in_two_ways_is_an_error),
        cmocka_unit_test(test_names_that_can_be_read_in_two_ways_are_errors),
        cmocka_unit_test(test_encoded_parts_are_errors),
        cmocka_unit_test(test_boundary_is_found_in_the_content_type),
        cmocka_unit_test(test_unusable_content_types_are_refused),
        cmocka_unit_test(test_longest_boundary),
        cmocka_unit_test(test_handler_can_stop),
    };

    return cmocka_run_group_tests_name("multipart", tests, NULL, NULL);
}
