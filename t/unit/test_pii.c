#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tg_pii.h"

#include <stdio.h>

#define ALL  ((1u << TG_PII_KINDS) - 1)

typedef struct {
    tg_str_t  text;
    char      out[512];
} found_t;


/* "card:4111...;email:..." */
static int
found(void *data, tg_pii_t kind, size_t from, size_t to)
{
    found_t  *f = data;
    size_t    n = strlen(f->out);

    (void) snprintf(f->out + n, sizeof(f->out) - n, "%s:%.*s;",
                    tg_pii_names[kind], (int) (to - from), f->text.p + from);
    return 0;
}


static void
finds(const char *text, unsigned kinds, const char *want)
{
    char     once[512];
    found_t  f = { tg_strz(text), "" };

    assert_int_equal(tg_pii_find(f.text, 0, f.text.len, kinds, found, &f), 0);

    if (strcmp(f.out, want) != 0) {
        fail_msg("\"%s\": found \"%s\", not \"%s\"", text, f.out, want);
    }

    /* Wherever the search is parted, each is found by who has its beginning; an
     * address by who has its @. */

    (void) snprintf(once, sizeof(once), "%s", f.out);

    for (size_t at = 0; at <= f.text.len; at++) {
        f.out[0] = '\0';
        assert_int_equal(tg_pii_find(f.text, 0, at, kinds, found, &f), 0);
        assert_int_equal(strncmp(once, f.out, strlen(f.out)), 0);
    }
}


static void
test_cards(void **state)
{
    static const struct {
        const char  *text, *want;
    } cases[] = {
        { "4111111111111111", "card:4111111111111111;" },
        { "my card is 4111 1111 1111 1111.", "card:4111 1111 1111 1111;" },
        { "4111-1111-1111-1111 12/26 123", "card:4111-1111-1111-1111;" },
        { "4111 1111 1111 1111 12 26", "card:4111 1111 1111 1111;" },
        { "4111\xc2\xa0" "1111\xc2\xa0" "1111\xc2\xa0" "1111",
          "card:4111\xc2\xa0" "1111\xc2\xa0" "1111\xc2\xa0" "1111;" },
        { "12 4111111111111111", "card:4111111111111111;" },
        { "(5555555555554444)", "card:5555555555554444;" },
        { "2223003122003222", "card:2223003122003222;" },
        { "3782 822463 10005", "card:3782 822463 10005;" },
        { "6011111111111117", "card:6011111111111117;" },
        { "30569309025904", "card:30569309025904;" },
        { "3530111333300000", "card:3530111333300000;" },
        { "6200000000000005", "card:6200000000000005;" },
        { "4222222222222", "card:4222222222222;" },
        { "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
          "card:4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1;" },
        { "a 4111111111111111, b 5555555555554444",
          "card:4111111111111111;card:5555555555554444;" },

        { "4111111111111112", "" },             /* Luhn */
        { "1234567812345670", "" },             /* nobody's prefix */
        { "411111111111111", "" },              /* short */
        { "41111111111111111", "" },            /* long */
        { "x4111111111111111", "" },            /* of a word */
        { "4111111111111111x", "" },
        { "0.4111111111111111", "" },           /* a fraction */
        { "4111  1111  1111  1111", "" },       /* two at a time */
        { "4111.1111.1111.1111", "" },
        { "", "" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        finds(cases[i].text, 1u << TG_PII_CARD, cases[i].want);
    }

    (void) state;
}


static void
test_accounts(void **state)
{
    static const struct {
        const char  *text, *want;
    } cases[] = {
        { "DE89370400440532013000", "iban:DE89370400440532013000;" },
        { "IBAN: DE89 3704 0044 0532 0130 00.",
          "iban:DE89 3704 0044 0532 0130 00;" },
        { "gb29nwbk60161331926819", "iban:gb29nwbk60161331926819;" },
        { "NO9386011117947", "iban:NO9386011117947;" },
        { "MT84MALT011000012345MTLCAST001S",
          "iban:MT84MALT011000012345MTLCAST001S;" },
        { "DE89370400440532013001", "" },
        { "DE893704004405320130", "" },
        { "DE893704004405320130000", "" },
        { "ZZ89370400440532013000", "" },
        { "XDE89370400440532013000", "" },
        { "DE89 37 0400440532013000", "" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        finds(cases[i].text, 1u << TG_PII_IBAN, cases[i].want);
    }

    (void) state;
}


static void
test_addresses(void **state)
{
    static const struct {
        const char  *text, *want;
    } cases[] = {
        { "write to ann.lee+x@mail.example.com, please",
          "email:ann.lee+x@mail.example.com;" },
        { "<a@b.co>", "email:a@b.co;" },
        { "a@b.co. Then", "email:a@b.co;" },
        { "j\xc3\xbcrgen@b\xc3\xbc" "cher.de",
          "email:j\xc3\xbcrgen@b\xc3\xbc" "cher.de;" },
        { "'a@b.co'", "email:a@b.co;" },
        { "a@b.co,c@d.org", "email:a@b.co;email:c@d.org;" },
        { "@home", "" },
        { "a@localhost", "" },
        { "a@b.c", "" },
        { "a@1.2", "" },
        { "a @b.co", "" },
        { "a@", "" },
        { "@", "" },
        { "a@.co", "" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        finds(cases[i].text, 1u << TG_PII_EMAIL, cases[i].want);
    }

    (void) state;
}


static void
test_social_security_numbers(void **state)
{
    static const struct {
        const char  *text, *want;
    } cases[] = {
        { "SSN 123-45-6789", "ssn:123-45-6789;" },
        { "123 45 6789", "ssn:123 45 6789;" },
        { "123-45 6789", "" },
        { "000-45-6789", "" },
        { "666-45-6789", "" },
        { "900-45-6789", "" },
        { "123-00-6789", "" },
        { "123-45-0000", "" },
        { "123-45-67890", "" },
        { "1-123-45-6789", "" },
        { "123-45-6789-1", "" },
        { "123456789", "" },
        { "123-45-678", "" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        finds(cases[i].text, 1u << TG_PII_SSN, cases[i].want);
    }

    (void) state;
}


/* Put together here, so that nobody's scanner takes this file for a leak. */
#define A16  "0123456789abcDEF"
#define K32  A16 A16

static void
test_keys(void **state)
{
    static const struct {
        const char  *text, *want;
    } cases[] = {
        { "OPENAI_API_KEY=sk" "-proj-" K32, "key:sk-proj-" K32 ";" },
        { "use sk" "-ant-api03-" K32 " now", "key:sk-ant-api03-" K32 ";" },
        { "AKI" "AIOSFODNN7EXAMPLE", "key:AKIAIOSFODNN7EXAMPLE;" },
        { "\"gh" "p_" K32 "abcd\"", "key:ghp_" K32 "abcd;" },
        { "github" "_pat_" K32 A16, "key:github_pat_" K32 A16 ";" },
        { "glpat" "-" A16 "abcd", "key:glpat-" A16 "abcd;" },
        { "xox" "b-1234-" A16, "key:xoxb-1234-" A16 ";" },
        { "AIz" "a" K32 "xyz", "key:AIza" K32 "xyz;" },
        { "sk_" "live_" A16, "key:sk_live_" A16 ";" },
        { "hf" "_" K32, "key:hf_" K32 ";" },
        { "ey" "J" A16 ".eyJ" A16 "." A16,
          "key:eyJ" A16 ".eyJ" A16 "." A16 ";" },
        { "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n"
          "-----END RSA PRIVATE KEY-----\nb",
          "key:-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"
          "-----END RSA PRIVATE KEY-----;" },
        { "-----BEGIN PRIVATE KEY-----\nMIIE",
          "key:-----BEGIN PRIVATE KEY-----\nMIIE;" },

        { "-----BEGIN PUBLIC KEY-----\nMIIE", "" },
        { "sk-learn-is-not-a-key-at-all-you-know", "" },
        { "sk-", "" },
        { "risk-" K32, "" },
        { "AKI" "AIOSFODNN7EXAMPL", "" },
        { "AKI" "Aiosfodnn7example", "" },
        { "eyJ.eyJ.x", "" },
        { "ey" "J" A16 "." A16 "." A16, "" }
    };

    static const char *const  prefixes[] = {
        "sk-", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_",
        "AKIA", "ASIA", "AIza", "ya29.", "GOCSPX-", "ghp_", "gho_", "ghu_",
        "ghs_", "ghr_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xoxa-",
        "xoxr-", "xoxs-", "xapp-", "hf_", "gsk_", "xai-", "pplx-", "r8_",
        "npm_", "pypi-", "SG.", "dop_v1_", "shpat_", "hvs.", "lin_api_",
        "sq0atp-", "EAAA"
    };

    char  text[128], want[140];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        finds(cases[i].text, 1u << TG_PII_KEY, cases[i].want);
    }

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        (void) snprintf(text, sizeof(text), "%s%064d", prefixes[i], 7);
        (void) snprintf(want, sizeof(want), "key:%s;", text);
        finds(text, 1u << TG_PII_KEY, want);
    }

    finds("\xc3\xa4" "4111111111111111", 1u << TG_PII_CARD,
          "card:4111111111111111;");
    (void) state;
}


static void
test_phones(void **state)
{
    static const struct {
        const char  *text, *want;
    } cases[] = {
        { "call +49 30 1234567 today", "phone:+49 30 1234567;" },
        { "+49 (0)30 1234-567", "phone:+49 (0)30 1234-567;" },
        { "+14155550123", "phone:+14155550123;" },
        { "(202) 555-0123", "phone:(202) 555-0123;" },
        { "202-555-0123", "phone:202-555-0123;" },
        { "202.555.0123", "phone:202.555.0123;" },
        { "2025550123", "" },
        { "1+2025550123456", "" },
        { "+123", "" },
        { "+0 30 1234567", "" },
        { "1.202.555.0123", "" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        finds(cases[i].text, 1u << TG_PII_PHONE, cases[i].want);
    }

    (void) state;
}


static int
stop(void *data, tg_pii_t kind, size_t from, size_t to)
{
    (void) kind;
    (void) from;
    (void) to;

    return ++*(int *) data;
}


static void
test_several_kinds_and_an_end(void **state)
{
    int       n = 0;
    tg_str_t  two = tg_str("4111111111111111 a@b.co");

    finds("a@b.co 4111111111111111 123-45-6789", ALL,
          "email:a@b.co;card:4111111111111111;ssn:123-45-6789;");
    assert_int_equal(tg_pii_find(two, 0, two.len, ALL, stop, &n), 1);
    assert_int_equal(n, 1);
    (void) state;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_cards),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_social_security_numbers),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_phones),
        cmocka_unit_test(test_several_kinds_and_an_end)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
