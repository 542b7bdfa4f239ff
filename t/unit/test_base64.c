#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tg_base64.h"


/* In two parts at each position, and in place; NULL: an error is expected. */

static void
test_base64_check(const char *input, const char *expected)
{
    char         out[256];
    size_t       i, n = strlen(input), len;
    ptrdiff_t    a, b;
    tg_base64_t  s;

    for (i = 0; i <= n; i++) {
        memset(&s, 0, sizeof(s));
        memcpy(out, input, n);

        a = tg_base64_feed(&s, out, i, out);
        b = a < 0 ? -1 : tg_base64_feed(&s, input + i, n - i, out + a);

        if (expected == NULL) {
            assert_true(a < 0 || b < 0);
            continue;
        }

        len = strlen(expected);
        assert_true(a >= 0 && b >= 0);
        assert_int_equal(a + b, len);
        assert_memory_equal(out, expected, len);
    }
}


static void
test_vectors_of_the_rfc(void **state)
{
    (void) state;

    test_base64_check("", "");
    test_base64_check("Zg==", "f");
    test_base64_check("Zm8=", "fo");
    test_base64_check("Zm9v", "foo");
    test_base64_check("Zm9vYg==", "foob");
    test_base64_check("Zm9vYmE=", "fooba");
    test_base64_check("Zm9vYmFy", "foobar");
}


static void
test_both_alphabets_are_read(void **state)
{
    (void) state;

    test_base64_check("+/+/-_-_", "\xfb\xff\xbf\xfb\xff\xbf");
    test_base64_check("w7_Dv8O_", "\xc3\xbf\xc3\xbf\xc3\xbf");
}


static void
test_padding_is_optional(void **state)
{
    (void) state;

    test_base64_check("Zg", "f");
    test_base64_check("Zm8", "fo");
    test_base64_check("Zg=", "f");
}


static void
test_white_space_is_skipped(void **state)
{
    (void) state;

    test_base64_check(" Zm\r\n9v\tYg = =\n", "foob");
}


static void
test_other_bytes_are_refused(void **state)
{
    (void) state;

    test_base64_check("Zm9v!", NULL);
    test_base64_check("Zm*v", NULL);
    test_base64_check("Zm9v\x80", NULL);
    test_base64_check("\xff\xff\xff\xff", NULL);
    test_base64_check("{\"a\":1}", NULL);
}


static void
test_padding_out_of_place_is_refused(void **state)
{
    (void) state;

    test_base64_check("=", NULL);
    test_base64_check("Z=", NULL);
    test_base64_check("Zm9v=", NULL);
    test_base64_check("Zg===", NULL);
    test_base64_check("Zm8==", NULL);
    test_base64_check("Zg==Zg==", NULL);
    test_base64_check("Zg==Z", NULL);
}


static void
test_every_byte_comes_back(void **state)
{
    char               in[1024], out[1024];
    size_t             i, k, n = 0;
    uint32_t           v;
    ptrdiff_t          len;
    tg_base64_t        s = { 0, 0, false };
    static const char  alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "abcdefghijklmnopqrstuvwxyz0123456789+/";

    (void) state;

    for (i = 0; i < 768; i += 3) {
        v = (uint32_t) (i & 0xff) << 16 | (uint32_t) ((i + 1) & 0xff) << 8
            | (uint32_t) ((i + 2) & 0xff);

        for (k = 0; k < 4; k++) {
            in[n++] = alphabet[v >> (18 - 6 * k) & 63];
        }
    }

    len = tg_base64_feed(&s, in, n, out);
    assert_int_equal(len, 768);

    for (i = 0; i < 768; i++) {
        assert_int_equal((uint8_t) out[i], i & 0xff);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors_of_the_rfc),
        cmocka_unit_test(test_both_alphabets_are_read),
        cmocka_unit_test(test_padding_is_optional),
        cmocka_unit_test(test_white_space_is_skipped),
        cmocka_unit_test(test_other_bytes_are_refused),
        cmocka_unit_test(test_padding_out_of_place_is_refused),
        cmocka_unit_test(test_every_byte_comes_back),
    };

    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
