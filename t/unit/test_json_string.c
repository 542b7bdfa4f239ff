/*
 * The insides of strings: what the CPU's vectors find is what looking at each
 * byte finds, for any text at any place.
 */

#include "json_random.h"
#include "tg_json_string.h"

#include <setjmp.h>
#include <cmocka.h>

typedef struct {
    size_t             at;
    tg_json_errcode_t  err;
    tg_json_string_t   st;
} found_t;


static found_t
find_end(tg_json_simd_t simd, tg_json_string_t st, const char *p, size_t len)
{
    found_t      f = { 0, TG_JSON_E_NONE, st };
    const char  *end;

    end = tg_json_string_skip_by(simd, &f.st, p, p + len, &f.err);
    f.at = (size_t) (end - p);

    /* the bounds are only meant where a byte is to come */
    if (f.st.need == 0) {
        f.st.low = 0;
        f.st.high = 0;
    }

    return f;
}


/* All means that this CPU has agree; the text is copied to its exact size. */
static found_t
check(const char *text, size_t len)
{
    tg_json_simd_t    best = tg_json_simd();
    tg_json_string_t  fresh;
    found_t           a, b;
    char             *p = malloc(len + (len == 0));

    assert_non_null(p);
    memcpy(p, text, len);
    tg_json_string_init(&fresh);

    a = find_end(TG_JSON_SIMD_NONE, fresh, p, len);

    for (int simd = TG_JSON_SIMD_SSSE3; simd <= (int) best; simd++) {
        b = find_end((tg_json_simd_t) simd, fresh, p, len);

        if (a.at != b.at || a.err != b.err
            || (a.err == TG_JSON_E_NONE
                && memcmp(&a.st, &b.st, sizeof(a.st)) != 0))
        {
            print_error("means %d: at %zu error %d, bytes: at %zu error %d\n",
                        simd, b.at, b.err, a.at, a.err);
            fail();
        }
    }

    free(p);

    return a;
}


static void
test_random_texts(void **state)
{
    static const char  bytes[] = "aaaaaaaaaaaa\\\\\\nu0Ff/\"\x1f\x20\x7f\x80"
                                 "\xbf\xc2\xc3\xe0\xed\xf0\xf4\xf5";
    watch_t            w = { .p = NULL };

    (void) state;

    for (unsigned i = 0; i < 20000; i++) {
        watch_clear(&w);
        random_text(&w);
        random_text(&w);

        for (uint32_t n = random_next(4); n > 0 && w.len != 0; n--) {
            w.p[random_next((uint32_t) w.len)] =
                bytes[random_next(sizeof(bytes) - 1)];
        }

        check(w.p, w.len);
    }

    free(w.p);
}


/* Places around the borders of blocks and of the vectors in them. */
static const size_t  places[] = { 0, 13, 14, 15, 16, 29, 30, 31, 32, 45, 47,
                                  60, 61, 62, 63, 64, 65, 125, 126, 127 };

#define NPLACES  (sizeof(places) / sizeof(places[0]))


static void
test_every_two_bytes_at_every_border(void **state)
{
    char  text[192];

    (void) state;

    for (size_t i = 0; i < NPLACES; i++) {
        memset(text, 'a', sizeof(text));

        for (unsigned v = 0; v < 65536; v += places[i] == 63 ? 1u : 13u) {
            text[places[i]] = (char) (v >> 8);
            text[places[i] + 1] = (char) (v & 0xff);
            check(text, sizeof(text));
        }
    }
}


/* RFC 3629, section 4, in another way: by what the bytes stand for. */
static bool
is_character(const uint8_t *c, size_t len)
{
    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint32_t               u;

    u = len == 2 ? c[0] & 0x1fu : len == 3 ? c[0] & 0x0fu : c[0] & 0x07u;

    for (size_t i = 1; i < len; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return false;
        }
        u = u << 6 | (c[i] & 0x3fu);
    }

    return u >= least[len] && u <= 0x10ffff && (u < 0xd800 || u > 0xdfff);
}


static void
check_character(char *text, size_t size, size_t at, const uint8_t *c,
    size_t len)
{
    found_t  f;

    memcpy(text + at, c, len);
    f = check(text, size);
    memset(text + at, 'a', len);

    assert_int_equal(f.err == TG_JSON_E_NONE, is_character(c, len));
}


static void
test_every_lead_with_every_continuation(void **state)
{
    static const uint8_t  others[] = { 0x61, 0x80, 0x8f, 0xbf, 0xc2, 0xff };
    uint8_t               c[4];
    char                  text[160];
    size_t                at;

    (void) state;

    memset(text, 'a', sizeof(text));

    for (unsigned v = 0; v < 64 * 256; v++) {
        c[0] = (uint8_t) (0xc0 + v / 256);
        c[1] = (uint8_t) v;

        if (c[0] >= 0xf8) {
            break;
        }

        for (unsigned i = 0; i < sizeof(others); i++) {
            at = places[(v + i) % NPLACES];
            c[2] = others[i];
            c[3] = others[(v >> 3) % sizeof(others)];
            check_character(text, sizeof(text), at, c,
                            c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2);
        }
    }
}


static void
test_runs_of_backslashes_at_every_place(void **state)
{
    char     text[256];
    found_t  f;

    (void) state;

    for (size_t at = 0; at < 70; at++) {
        for (size_t run = 1; run < 140; run++) {
            memset(text, 'a', sizeof(text));
            memset(text + at, '\\', run);
            text[at + run] = '"';
            text[at + run + 1] = '"';

            f = check(text, sizeof(text));
            assert_int_equal(f.err, TG_JSON_E_NONE);
            assert_int_equal(f.at, at + run + (run & 1));
        }
    }
}


static void
test_hex_digits_at_every_place(void **state)
{
    char     text[200];
    found_t  f;
    bool     hex;

    (void) state;

    for (size_t at = 50; at < 70; at++) {
        for (unsigned v = 0; v < 4 * 256; v++) {
            memset(text, 'a', sizeof(text));
            memcpy(text + at, "\\u12aF", 6);
            text[at + 2 + v / 256] = (char) v;

            f = check(text, sizeof(text));
            hex = memchr("0123456789abcdefABCDEF", (int) (v & 0xff), 22)
                  != NULL;
            assert_int_equal(f.err == TG_JSON_E_NONE, hex);

            if (!hex) {
                assert_int_equal(f.err, TG_JSON_E_ESCAPE);
                assert_int_equal(f.at, at + 2 + v / 256);
            }
        }
    }
}


static void
test_cut_texts_go_on_in_any_state(void **state)
{
    static const char  text[] = "\\u00e9\\\\\\\"\xe4\xb8\xad\\ud83d\\ude00"
                                "\xf0\x9f\x98\x80\xc3\xa9\\/\\n";
    size_t             n = sizeof(text) - 1;
    char               padded[256];
    tg_json_string_t   fresh;
    found_t            f;

    (void) state;

    tg_json_string_init(&fresh);

    for (size_t cut = 1; cut < n; cut++) {
        for (int simd = 0; simd <= (int) tg_json_simd(); simd++) {
            memset(padded, 'a', sizeof(padded));
            memcpy(padded + 200, text, cut);
            f = find_end((tg_json_simd_t) simd, fresh, padded, 200 + cut);
            assert_int_equal(f.at, 200 + cut);

            memcpy(padded, text + cut, n - cut);
            memset(padded + n - cut, 'a', 200);
            padded[n - cut + 150] = '"';
            f = find_end((tg_json_simd_t) simd, f.st, padded, n - cut + 200);
            assert_int_equal(f.err, TG_JSON_E_NONE);
            assert_int_equal(f.at, n - cut + 150);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_every_two_bytes_at_every_border),
        cmocka_unit_test(test_every_lead_with_every_continuation),
        cmocka_unit_test(test_runs_of_backslashes_at_every_place),
        cmocka_unit_test(test_hex_digits_at_every_place),
        cmocka_unit_test(test_cut_texts_go_on_in_any_state)
    };

    return cmocka_run_group_tests_name("json_string", tests, NULL, NULL);
}
