#include "tg_key_presented.h"
#include "tg_keys.h"
#include "tg_rfc3339.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#define FILE_OF(rest)  "{\"tollgate_keys\": 1, " rest "}"
#define KEYS(list)     FILE_OF("\"keys\": [" list "]")

/* of "tg_secret_a", "tg_secret_b" and "tg_secret_c": $a, $b, $c in texts */
static char  sha[3][65];

#define NOW  INT64_C(1800000000000)


static const char *
hash_of(const char *secret, char *hex)
{
    unsigned char  md[32];

    tg_key_digest(tg_strz(secret), md);

    for (size_t i = 0; i < 32; i++) {
        (void) snprintf(hex + 2 * i, 3, "%02x", md[i]);
    }

    return hex;
}


static int
setup(void **state)
{
    (void) state;

    (void) hash_of("tg_secret_a", sha[0]);
    (void) hash_of("tg_secret_b", sha[1]);
    (void) hash_of("tg_secret_c", sha[2]);

    return 0;
}


/* The text with $a, $b, $c replaced by the digests; malloc()ed. */
static char *
with_digests(const char *text)
{
    char    *out = malloc(strlen(text) * 65 + 1);
    size_t   n = 0;

    assert_non_null(out);

    for ( /* void */ ; *text; text++) {
        if (text[0] == '$' && text[1] >= 'a' && text[1] <= 'c') {
            memcpy(out + n, sha[*++text - 'a'], 64);
            n += 64;

        } else {
            out[n++] = *text;
        }
    }

    out[n] = '\0';

    return out;
}


static tg_keys_t *
load(const char *text)
{
    char        *full = with_digests(text);
    tg_keys_t   *keys;
    tg_error_t   err;

    keys = tg_keys_load(tg_str("keys.json"), tg_strz(full), &err);
    free(full);

    if (keys == NULL) {
        fail_msg("%s", err.message);
    }

    return keys;
}


static void
check_refused(const char *text, const char *message)
{
    char        *full = with_digests(text);
    tg_keys_t   *keys;
    tg_error_t   err;

    keys = tg_keys_load(tg_str("keys.json"), tg_strz(full), &err);
    free(full);

    if (keys != NULL) {
        tg_keys_destroy(keys);
        fail_msg("accepted: %s", text);
    }

    if (strstr(err.message, message) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", err.message, message);
    }

    assert_true(err.code != 0);
}


static tg_key_state_t
find(const tg_keys_t *keys, const char *secret, int64_t now,
    const tg_key_t **key)
{
    tg_key_state_t  state;
    tg_key_found_t  found;

    state = tg_keys_find(keys, tg_strz(secret), now, &found);
    assert_true((state == TG_KEY_UNKNOWN) == (found.key == NULL));

    if (key != NULL) {
        *key = found.key;
    }

    return state;
}


static void
assert_str(tg_str_t s, const char *z)
{
    if (!tg_str_eq(s, tg_strz(z))) {
        fail_msg("\"%.*s\" is not \"%s\"", (int) s.len, s.p, z);
    }
}


static void
test_a_key_is_found_by_its_secret_with_all_that_is_said_of_it(void **state)
{
    tg_keys_t       *keys;
    const tg_key_t  *key;

    (void) state;

    keys = load(KEYS(
        "{\"id\":\"k1\",\"sha256\":\"$a\",\"name\":\"N\",\"user\":\"u\","
        "\"team\":\"t\",\"org\":\"o\",\"owner\":\"ow\",\"purpose\":\"p\","
        "\"tags\":{\"cc\":\"42\"},\"models\":[\"gpt-*\"],"
        "\"budgets\":[\"usd=50/month  alert=50%,80%\","
        " {\"name\":\"burst\",\"limit\":[\"usd=5/hour\",\"when=a < b\"]}],"
        "\"rates\":[\"tokens=200000/minute\"],\"note\":\"any\","
        "\"expires\":\"2099-01-01T00:00:00Z\"},"
        "{\"id\":\"k2\",\"sha256\":\"$b\"}"));

    assert_int_equal(find(keys, "tg_secret_a", NOW, &key), TG_KEY_OK);
    assert_str(key->id, "k1");
    assert_str(key->name, "N");
    assert_str(key->user, "u");
    assert_str(key->team, "t");
    assert_str(key->org, "o");
    assert_str(key->owner, "ow");
    assert_str(key->purpose, "p");
    assert_int_equal(key->ntags, 1);
    assert_str(key->tags[0].name, "cc");
    assert_str(key->tags[0].value, "42");
    assert_int_equal(key->nlimits, 3);
    assert_int_equal(key->limits[0].nwords, 2);
    assert_str(key->limits[0].words[0], "usd=50/month");
    assert_str(key->limits[0].words[1], "alert=50%,80%");
    assert_str(key->limits[1].name, "burst");
    assert_str(key->limits[1].words[1], "when=a < b");
    assert_str(key->limits[2].words[0], "tokens=200000/minute");
    assert_true(key->subjects[TG_SUBJECT_TEAM] == NULL);

    assert_int_equal(find(keys, "tg_secret_b", NOW, &key), TG_KEY_OK);
    assert_str(key->id, "k2");
    assert_int_equal(key->team.len, 0);
    assert_true(key->expires_ms == INT64_MAX);
    assert_true(tg_key_allows_model(key, tg_str("anything")));

    assert_int_equal(find(keys, "tg_secret_c", NOW, NULL), TG_KEY_UNKNOWN);
    assert_int_equal(find(keys, "", NOW, NULL), TG_KEY_UNKNOWN);
    assert_ptr_equal(tg_keys_by_id(keys, tg_str("k2")), key);
    assert_null(tg_keys_by_id(keys, tg_str("k3")));
    assert_int_equal(tg_keys_count(keys), 2);
    assert_ptr_equal(tg_keys_key(keys, 1), key);
    assert_int_equal(tg_keys_hash(keys).len, 16);

    tg_keys_destroy(keys);
}


static void
test_a_digest_is_that_of_fips_180(void **state)
{
    char  hex[65];

    (void) state;

    assert_string_equal(hash_of("abc", hex),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}


static void
test_a_hash_may_be_in_capitals(void **state)
{
    char       *text = with_digests(KEYS("{\"id\":\"k\",\"sha256\":\"$a\"}"));
    tg_keys_t  *keys;

    (void) state;

    for (char *p = strstr(text, sha[0]); *p != '"'; p++) {
        *p = (char) (*p >= 'a' ? *p - 32 : *p);
    }

    keys = load(text);
    assert_int_equal(find(keys, "tg_secret_a", NOW, NULL), TG_KEY_OK);
    tg_keys_destroy(keys);
    free(text);
}


static void
test_expiry_is_to_the_millisecond(void **state)
{
    tg_keys_t  *keys = load(KEYS("{\"id\":\"k\",\"sha256\":\"$a\","
                                 "\"expires\":\"2027-01-15T09:00:00+01:00\"}"));

    (void) state;

    assert_int_equal(find(keys, "tg_secret_a", NOW - 1, NULL), TG_KEY_OK);
    assert_int_equal(find(keys, "tg_secret_a", NOW, NULL), TG_KEY_EXPIRED);
    tg_keys_destroy(keys);
}


static void
test_both_secrets_are_valid_in_the_grace_period_and_keep_the_id(void **state)
{
    tg_keys_t       *keys;
    tg_key_found_t   found;

    (void) state;

    keys = load(KEYS("{\"id\":\"k\",\"sha256\":\"$b\",\"previous\":{"
                     "\"sha256\":\"$a\","
                     "\"expires\":\"2027-01-15T08:00:00Z\"}}"));

    assert_int_equal(tg_keys_find(keys, tg_str("tg_secret_a"), NOW - 1, &found),
                     TG_KEY_OK);
    assert_true(found.previous);
    assert_str(found.key->id, "k");
    assert_int_equal(tg_keys_find(keys, tg_str("tg_secret_b"), NOW, &found),
                     TG_KEY_OK);
    assert_false(found.previous);
    assert_str(found.key->id, "k");
    assert_int_equal(find(keys, "tg_secret_a", NOW, NULL), TG_KEY_EXPIRED);
    tg_keys_destroy(keys);
}


static void
test_a_disabled_key_user_team_or_org_is_refused(void **state)
{
    tg_keys_t   *keys;
    const char  *texts[] = {
        KEYS("{\"id\":\"k\",\"sha256\":\"$a\",\"disabled\":true}"),
        FILE_OF("\"keys\":[{\"id\":\"k\",\"sha256\":\"$a\",\"user\":\"u\"}],"
                "\"users\":{\"u\":{\"disabled\":true}}"),
        FILE_OF("\"teams\":{\"t\":{\"disabled\":true}},"
                "\"keys\":[{\"id\":\"k\",\"sha256\":\"$a\",\"team\":\"t\"}]"),
        FILE_OF("\"teams\":{\"t\":{\"org\":\"o\"}},"
                "\"keys\":[{\"id\":\"k\",\"sha256\":\"$a\",\"team\":\"t\"}],"
                "\"orgs\":{\"o\":{\"disabled\":true}}")
    };

    (void) state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        keys = load(texts[i]);
        assert_int_equal(find(keys, "tg_secret_a", NOW, NULL),
                         TG_KEY_DISABLED);
        tg_keys_destroy(keys);
    }

    keys = load(KEYS("{\"id\":\"k\",\"sha256\":\"$a\",\"disabled\":false}"));
    assert_int_equal(find(keys, "tg_secret_a", NOW, NULL), TG_KEY_OK);
    tg_keys_destroy(keys);
}


static void
test_a_key_belongs_to_its_teams_org_and_inherits_tags(void **state)
{
    tg_keys_t           *keys;
    const tg_key_t      *key;
    const tg_subject_t  *team;

    (void) state;

    keys = load(FILE_OF(
        "\"keys\":[{\"id\":\"k\",\"sha256\":\"$a\",\"team\":\"t\","
        "\"tags\":{\"x\":\"own\"}},"
        "{\"id\":\"k2\",\"sha256\":\"$b\",\"team\":\"t\"}],"
        "\"teams\":{\"t\":{\"org\":\"o\",\"tags\":{\"x\":\"t\",\"y\":\"t\"},"
        "\"budgets\":[\"usd=5000/month\"]}},"
        "\"orgs\":{\"o\":{\"tags\":{\"y\":\"o\",\"z\":\"o\"}}}"));

    assert_int_equal(find(keys, "tg_secret_a", NOW, &key), TG_KEY_OK);
    assert_str(key->org, "o");
    assert_int_equal(key->ntags, 3);
    assert_str(key->tags[0].value, "own");
    assert_str(key->tags[1].value, "t");
    assert_str(key->tags[2].value, "o");

    team = key->subjects[TG_SUBJECT_TEAM];
    assert_int_equal(team->nlimits, 1);
    assert_str(team->limits[0].words[0], "usd=5000/month");
    assert_ptr_equal(team, tg_keys_subject_of(keys, TG_SUBJECT_TEAM,
                                              tg_str("t")));
    assert_int_equal(tg_keys_subjects(keys, TG_SUBJECT_TEAM), 1);
    assert_ptr_equal(team, tg_keys_subject(keys, TG_SUBJECT_TEAM, 0));
    assert_null(tg_keys_subject_of(keys, TG_SUBJECT_TEAM, tg_str("u")));

    assert_int_equal(find(keys, "tg_secret_b", NOW, &key), TG_KEY_OK);
    assert_int_equal(key->ntags, 3);
    assert_str(key->tags[0].value, "t");
    tg_keys_destroy(keys);
}


static void
test_a_star_stands_for_those_that_are_not_listed(void **state)
{
    tg_keys_t           *keys;
    const tg_subject_t  *s;

    (void) state;

    keys = load(FILE_OF("\"keys\":[{\"id\":\"k\",\"sha256\":\"$a\","
                        "\"user\":\"anybody\"}],\"users\":{\"ann\":{},"
                        "\"*\":{\"budgets\":[\"usd=1/day\"]}}"));

    s = tg_keys_subject_of(keys, TG_SUBJECT_USER, tg_str("bob"));
    assert_non_null(s);
    assert_str(s->name, "*");
    s = tg_keys_subject_of(keys, TG_SUBJECT_USER, tg_str("ann"));
    assert_str(s->name, "ann");
    assert_null(tg_keys_subject_of(keys, TG_SUBJECT_USER, tg_str("")));
    assert_str(tg_keys_key(keys, 0)->subjects[TG_SUBJECT_USER]->name, "*");
    tg_keys_destroy(keys);
}


static void
test_models_are_allowed_by_wildcards(void **state)
{
    tg_keys_t       *keys;
    const tg_key_t  *key;

    (void) state;

    keys = load(KEYS("{\"id\":\"k\",\"sha256\":\"$a\",\"models\":"
                     "[\"gpt-4o*\",\"claude-*-4-*\",\"gemini-2.5-pro\"]}"));
    key = tg_keys_key(keys, 0);

    assert_true(tg_key_allows_model(key, tg_str("gpt-4o")));
    assert_true(tg_key_allows_model(key, tg_str("gpt-4o-mini")));
    assert_true(tg_key_allows_model(key, tg_str("claude-opus-4-1")));
    assert_true(tg_key_allows_model(key, tg_str("models/gemini-2.5-pro")));
    assert_false(tg_key_allows_model(key, tg_str("gpt-4")));
    assert_false(tg_key_allows_model(key, tg_str("GPT-4o")));
    assert_false(tg_key_allows_model(key, tg_str("gemini-2.5-pro-x")));
    assert_false(tg_key_allows_model(key, tg_str("")));
    tg_keys_destroy(keys);
}


static void
test_mistakes_are_told_with_line_record_and_field(void **state)
{
    (void) state;

    check_refused("", "is empty");
    check_refused("[]", "keys.json:1: expected '{'");
    check_refused("{", "expected a string");
    check_refused("{\"tollgate_keys\":1}", "\"keys\" is missing");
    check_refused("{\"keys\":[]}", "\"tollgate_keys\": 1 is missing");
    check_refused("{\"tollgate_keys\":2,\"keys\":[]}", "is not 1");
    check_refused("{\"tollgate_keys\":1,\n\"keys\":[]} x", "text after");
    check_refused("{\"tollgate_keys\":1,\n\"kyes\":[]}",
                  "keys.json:2: unknown field \"kyes\"");
    check_refused("{\"tollgate_keys\":1,\"keys\":[],\"keys\":[]}",
                  "second time");
    check_refused("{\"tollgate_keys\":1,\"keys\":{}}", "is not an array");
    check_refused("{\"tollgate_keys\":1,\"keys\":[],}", "a string in quotes");
    check_refused("{\"tollgate_keys\":1,\"keys\":[1]}", "is not an object");
    check_refused("{\"tollgate_keys\":1,\n\"keys\":[\n{\"id\":\"k\",\n"
                  "\"sha256\":\"$a\",}]}", "keys.json:4: ");
    check_refused("{\"tollgate_keys\":1,\"keys\":[\n\n{\"id\":\"alice\",\n"
                  "\"sha256\":\"$a\",\"modles\":[]}]}",
                  "keys.json:4: key \"alice\": \"modles\" is not a known");
    check_refused(KEYS("{\"id\":\"k\",\"sha256\":\"$a\",\"id\":\"l\"}"),
                  "duplicate");
    check_refused(FILE_OF("\"keys\":[],\n\"teams\":{\"search\":{\"x\":1}}"),
                  "keys.json:2: team \"search\": \"x\"");
}


static void
test_wrong_values_are_refused(void **state)
{
    static const char *const  fields[][2] = {
        { "\"id\":\"\"", "\"id\" is missing" },
        { "\"name\":1", "\"name\" is not a string" },
        { "\"team\":\"\"", "\"team\" is empty" },
        { "\"team\":\"a\\u001b[1m\"", "control character" },
        { "\"team\":\"a\\u009b1m\"", "control character" },
        { "\"team\":\" a\"", "blank" },
        { "\"models\":[]", "leave it out" },
        { "\"models\":\"gpt\"", "leave it out" },
        { "\"models\":[1]", "not a string" },
        { "\"disabled\":\"true\"", "neither true nor false" },
        { "\"expires\":\"2027-01-15\"", "is not a time" },
        { "\"expires\":1800000000", "is not a time" },
        { "\"tags\":[\"a\"]", "object of strings" },
        { "\"tags\":{\"a b\":\"c\"}", "has a name" },
        { "\"tags\":{\"a\":1}", "not a string" },
        { "\"budgets\":\"usd=1/day\"", "is not an array" },
        { "\"budgets\":[\"usd:1/day\"]", "without a measure" },
        { "\"budgets\":[\"usd=\"]", "without a measure" },
        { "\"budgets\":[1]", "without a measure" },
        { "\"budgets\":[\"usd=1/day per=key\"]", "says per=" },
        { "\"budgets\":[{\"name\":\"x\"}]", "other fields" },
        { "\"budgets\":[{\"limit\":\"usd=1/day\",\"nmae\":\"x\"}]",
          "other fields" },
        { "\"budgets\":[{\"limit\":\"usd=1/day\",\"name\":\"x\"},"
          "{\"limit\":\"usd=1/day\",\"name\":\"x\"}]", "second time" },
        { "\"previous\":{\"sha256\":\"$b\"}", "and \"expires\"" },
        { "\"previous\":{\"sha256\":\"$b\",\"expires\":\"soon\"}",
          "\"previous.expires\" is not a time" },
        { "\"previous\":{\"sha256\":\"$a\",\"expires\":"
          "\"2027-01-01T00:00:00Z\"}", "also that of line 1" },
        { "\"secret\":\"tg_x\"", "\"secret\" is not a known field" }
    };
    char  text[600];

    (void) state;

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        (void) snprintf(text, sizeof(text), KEYS("{%s\"sha256\":\"$a\",%s}"),
                        i == 0 ? "" : "\"id\":\"k\",", fields[i][0]);
        check_refused(text, fields[i][1]);
    }

    check_refused(KEYS("{\"id\":\"k\"}"), "\"sha256\" is missing");
    check_refused(KEYS("{\"id\":\"k\",\"sha256\":\"abcd\"}"), "64 hexadecimal");
    check_refused(KEYS("{\"id\":\"k\",\"sha256\":\"e3b0c44298fc1c149afbf4c8996f"
                       "b92427ae41e4649b934ca495991b7852b855\"}"),
                  "of an empty secret");
}


static void
test_json_is_read_strictly(void **state)
{
    static const char *const  values[] = {
        "\"a\\ud800\"", "\"a\\ud800\\u0041\"", "\"a\\udc00\"", "\"a\\u0000\"",
        "\"a\\x\"", "\"a\\u00g0\"", "\"a\nb\"", "\"\xff\"", "\"\xc0\x80\"",
        "\"a",
        "01", "1.", "-", ".5", "1e", "+1", "nul", "True", "[1,]", "[,1]",
        "[1 2]", "{1:2}", "{\"a\" 1}", "{\"a\":1,}", "[[[[[[[[[1]]]]]]]]]", "",
        "'a'", "{\"a\":1,\"\\u0061\":1}"
    };
    char        text[200];
    tg_keys_t  *keys;
    tg_error_t  err;

    (void) state;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        (void) snprintf(text, sizeof(text), FILE_OF("\"keys\":[],\"note\":%s"),
                        values[i]);
        assert_null(tg_keys_load(tg_str("k"), tg_strz(text), &err));
        if (err.code != TG_KEYS_SYNTAX || strstr(err.message, "note") != NULL) {
            fail_msg("%s: %s", values[i], err.message);
        }
    }

    keys = load(" {\t\r\n \"\\u0074ollgate_keys\" : 1 , \"keys\" : [ {"
                "\"id\" : \"k\" , \"sha256\" : \"$a\" ,\"name\":"
                "\"\\ud83d\\uDE00\\u00e9\\u20AC\\\"\\/\" } ] } \n");
    assert_str(tg_keys_key(keys, 0)->name,
               "\xf0\x9f\x98\x80\xc3\xa9\xe2\x82\xac\"/");
    tg_keys_destroy(keys);
}


static void
test_one_id_or_hash_of_two_keys_is_refused(void **state)
{
    (void) state;

    check_refused(KEYS("{\"id\":\"k\",\"sha256\":\"$a\"},\n"
                       "{\"id\":\"k\",\"sha256\":\"$b\"}"),
                  "keys.json:2: key \"k\": \"id\" is also that of line 1");
    check_refused(KEYS("{\"id\":\"k\",\"sha256\":\"$a\"},\n"
                       "{\"id\":\"l\",\"sha256\":\"$a\"}"),
                  "keys.json:2: key \"l\": \"sha256\" is also that of line 1");
    check_refused(KEYS("{\"id\":\"k\",\"sha256\":\"$a\"},\n"
                       "{\"id\":\"l\",\"sha256\":\"$b\",\"previous\":{"
                       "\"sha256\":\"$a\",\"expires\":"
                       "\"2027-01-01T00:00:00Z\"}}"),
                  "\"previous.sha256\" is also that of line 1");
    check_refused(FILE_OF("\"keys\":[],\"teams\":{\"t\":{},\n\"t\":{}}"),
                  "team \"t\": \"name\" is also that of line 1");
}


static void
test_a_misspelled_team_does_not_escape_its_budget(void **state)
{
    tg_keys_t  *keys;

    (void) state;

    check_refused(FILE_OF("\"keys\":[{\"id\":\"k\",\"sha256\":\"$a\","
                          "\"team\":\"serach\"}],\"teams\":{\"search\":{}}"),
                  "\"team\" is not in \"teams\"");
    check_refused(FILE_OF("\"keys\":[],\"teams\":{\"t\":{\"org\":\"x\"}},"
                          "\"orgs\":{}"), "\"org\" is not in \"orgs\"");
    check_refused(FILE_OF("\"keys\":[{\"id\":\"k\",\"sha256\":\"$a\","
                          "\"team\":\"t\",\"org\":\"x\"}],"
                          "\"teams\":{\"t\":{\"org\":\"o\"}}"),
                  "another than its team's");

    /* without a list, no name is wrong */

    keys = load(KEYS("{\"id\":\"k\",\"sha256\":\"$a\",\"team\":\"t\"}"));
    tg_keys_destroy(keys);
}


static void
test_a_message_quotes_nothing_of_a_broken_line(void **state)
{
    tg_error_t   err;
    const char  *text = "{\"tollgate_keys\":1,\"keys\":[{\"id\" \"canary\"}]}";

    (void) state;

    assert_null(tg_keys_load(tg_str("k"), tg_strz(text), &err));
    assert_null(strstr(err.message, "canary"));
}


/* headers of a request: name, value, ..., NULL */
static tg_str_t
header(void *req, tg_str_t name)
{
    const char *const  *h = req;

    for ( /* void */ ; h[0] != NULL; h += 2) {
        if (tg_str_eq(tg_strz(h[0]), name)) {
            return tg_strz(h[1]);
        }
    }

    return tg_str_null;
}


static unsigned
present(const char *name, const char *value, const char *name2,
    const char *value2, const char *args, char *secret)
{
    const char          *h[] = { name, value, name2, value2, NULL };
    tg_key_presented_t   p;
    tg_error_t           err;

    if (tg_key_presented(&p, header, h, tg_strz(args), true, &err) != TG_OK) {
        (void) snprintf(secret, 64, "%.63s", err.message);
        return 0x80;
    }

    (void) snprintf(secret, 64, "%.*s", (int) p.secret.len, p.secret.p);

    return p.carriers;
}


static void
test_a_key_is_taken_from_wherever_an_sdk_puts_it(void **state)
{
    char  s[64];

    (void) state;

    assert_int_equal(present("authorization", "Bearer tg_1", NULL, NULL, "", s),
                     TG_CARRIER_AUTHORIZATION);
    assert_string_equal(s, "tg_1");
    assert_int_equal(present("authorization", " bEaReR \t tg_1 ", NULL, NULL,
                             "", s), TG_CARRIER_AUTHORIZATION);
    assert_string_equal(s, "tg_1");
    assert_int_equal(present("x-api-key", " tg_2 ", NULL, NULL, "", s),
                     TG_CARRIER_X_API_KEY);
    assert_string_equal(s, "tg_2");
    assert_int_equal(present("x-goog-api-key", "tg_3", NULL, NULL, "", s),
                     TG_CARRIER_X_GOOG_API_KEY);
    assert_int_equal(present("api-key", "tg_4", NULL, NULL, "", s),
                     TG_CARRIER_API_KEY);
    assert_int_equal(present(NULL, NULL, NULL, NULL, "alt=sse&key=tg%5f5", s),
                     TG_CARRIER_QUERY);
    assert_string_equal(s, "tg_5");
    assert_int_equal(present(NULL, NULL, NULL, NULL, "%6bey=tg_6&x", s),
                     TG_CARRIER_QUERY);
    assert_int_equal(present(NULL, NULL, NULL, NULL, "$key=tg_6", s),
                     TG_CARRIER_QUERY);

    /* none */

    assert_int_equal(present(NULL, NULL, NULL, NULL, "keys=1&akey=2&key", s),
                     0);
    assert_int_equal(present("authorization", "Basic YTpi", NULL, NULL, "", s),
                     0);
    assert_int_equal(present("authorization", "Bearer ", NULL, NULL, "", s), 0);
    assert_int_equal(present("authorization", "Bearertg", NULL, NULL, "", s),
                     0);
    assert_int_equal(present("x-api-key", " ", NULL, NULL, "key=", s), 0);
}


static void
test_different_keys_at_once_are_an_error_and_the_same_one_is_not(void **state)
{
    char  s[64];

    (void) state;

    assert_int_equal(present("authorization", "Bearer tg_1", "api-key", "tg_1",
                             "key=tg_1", s),
                     TG_CARRIER_AUTHORIZATION | TG_CARRIER_API_KEY
                     | TG_CARRIER_QUERY);
    assert_int_equal(present("authorization", "Bearer tg_1", "api-key", "tg_2",
                             "", s), 0x80);
    assert_null(strstr(s, "tg_"));
    assert_int_equal(present(NULL, NULL, NULL, NULL, "key=tg_1&key=tg_2", s),
                     0x80);
    assert_int_equal(present("x-api-key", "tg_1", NULL, NULL, "key=tg_11", s),
                     0x80);

    /* another scheme is the server's own business */

    assert_int_equal(present("authorization", "Basic YTpi", "api-key", "tg_2",
                             "", s), TG_CARRIER_API_KEY);
}


static void
test_a_key_longer_than_any_is_unknown(void **state)
{
    char                 args[4 * TG_KEY_SECRET_MAX];
    tg_keys_t           *keys = load(KEYS("{\"id\":\"k\",\"sha256\":\"$a\"}"));
    tg_error_t           err;
    tg_key_found_t       found;
    tg_key_presented_t   p;
    const char          *none[] = { NULL };

    (void) state;

    memset(args, 'x', sizeof(args));
    memcpy(args, "key=", 4);

    assert_int_equal(tg_key_presented(&p, header, none,
                                      tg_str_of(args, sizeof(args)), true,
                                      &err), TG_OK);
    assert_int_equal(tg_keys_find(keys, p.secret, NOW, &found),
                     TG_KEY_UNKNOWN);

    /* outside of Gemini's shape the query is nobody's key */

    assert_int_equal(tg_key_presented(&p, header, none, tg_str("key=x"), false,
                                      &err), TG_OK);
    assert_int_equal(p.carriers, 0);
    tg_keys_destroy(keys);
}


static void
test_carriers_are_known_by_their_names(void **state)
{
    char                      name[32];
    size_t                    n;
    static const char *const  others[] = {
        "", "authorizatiom", "x-stainless-os", "api_key", "x-api-kez",
        "host", "x-goog-api-key-of-another-one-that-is-longer"
    };

    (void) state;

    for (size_t i = 0; i < TG_CARRIER_HEADERS; i++) {
        n = tg_carrier_headers[i].len;
        memcpy(name, tg_carrier_headers[i].p, n);
        assert_true(tg_key_is_carrier(tg_str_of(name, n)));

        name[0] = (char) (name[0] - 'a' + 'A');
        assert_true(tg_key_is_carrier(tg_str_of(name, n)));
        assert_false(tg_key_is_carrier(tg_str_of(name, n - 1)));
    }

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(tg_key_is_carrier(tg_strz(others[i])));
    }
}


static void
test_what_was_decoded_is_forgotten(void **state)
{
    tg_error_t           err;
    tg_key_presented_t   p;
    const char          *none[] = { NULL };
    const char          *h[] = { "x-api-key", "secret", NULL };

    (void) state;

    assert_int_equal(tg_key_presented(&p, header, none, tg_str("key=se%63ret"),
                                      true, &err), TG_OK);
    assert_memory_equal(p.decoded, "secret", 6);
    tg_key_forget(&p);
    assert_memory_equal(p.decoded, "\0\0\0\0\0\0", 6);
    assert_null(p.secret.p);

    assert_int_equal(tg_key_presented(&p, header, h, tg_str_null, true, &err),
                     TG_OK);
    tg_key_forget(&p);
    assert_memory_equal(h[1], "secret", 6);
}


static void
test_the_key_is_taken_out_of_the_query(void **state)
{
    static const char *const  cases[][2] = {
        { "", "" },
        { "key=x", "" },
        { "alt=sse&key=x", "alt=sse" },
        { "key=x&alt=sse", "alt=sse" },
        { "a=1&%6Bey=x&b=2", "a=1&b=2" },
        { "a=1&key=x&key=y", "a=1" },
        { "key=x&&a=%41", "&a=%41" },
        { "a=1&", "a=1&" },
        { "keys=1&akey", "keys=1&akey" },
        { "$key=1&key&a", "a" }
    };
    char      buf[64];
    size_t    n;
    tg_str_t  args;

    (void) state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        args = tg_strz(cases[i][0]);
        n = tg_key_strip_args(args, buf);
        assert_str(tg_str_of(buf, n), cases[i][1]);

        memcpy(buf, args.p, args.len);
        n = tg_key_strip_args(tg_str_of(buf, args.len), buf);
        assert_str(tg_str_of(buf, n), cases[i][1]);
    }
}


static void
test_times_are_read_as_rfc_3339_has_them(void **state)
{
    static const struct { const char *s; int64_t ms; }  cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2027-01-15T08:00:00Z", NOW },
        { "2027-01-15t08:00:00z", NOW },
        { "2027-01-15 09:30:00+01:30", NOW },
        { "2027-01-15T07:59:59.500-00:00", NOW - 500 },
        { "2027-01-15T08:00:00.1239Z", NOW + 123 },
        { "2024-02-29T00:00:00Z", INT64_C(1709164800000) },
        { "2000-02-29T12:00:00Z", INT64_C(951825600000) },
        { "9999-12-31T23:59:59Z", INT64_C(253402300799000) },
        { "2016-12-31T23:59:60Z", INT64_C(1483228800000) },
        { "2023-02-29T00:00:00Z", -1 },
        { "2100-02-29T00:00:00Z", -1 },
        { "2027-13-01T00:00:00Z", -1 },
        { "2027-00-01T00:00:00Z", -1 },
        { "2027-01-32T00:00:00Z", -1 },
        { "2027-01-15T24:00:00Z", -1 },
        { "2027-01-15T08:00:00", -1 },
        { "2027-01-15T08:00Z", -1 },
        { "2027-01-15T08:00:00.Z", -1 },
        { "2027-01-15T08:00:00Zx", -1 },
        { "2027-01-15T08:00:00+1:00", -1 },
        { "2027-1-15T08:00:00Z", -1 },
        { "1960-01-01T00:00:00Z", -1 },
        { "1970-01-01T00:00:00+00:01", -1 },
        { "", -1 }
    };

    (void) state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (tg_rfc3339_parse(tg_strz(cases[i].s)) != cases[i].ms) {
            fail_msg("%s", cases[i].s);
        }
    }
}


/* By CPU time, which what else runs on the machine disturbs less. */
static double
seconds(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);

    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}


static void
test_a_hundred_thousand_keys_are_all_found(void **state)
{
    enum { N = 100000 };

    char        *text = malloc(N * 220 + 64), *p = text, hex[65], secret[32];
    double       start;
    tg_keys_t   *keys;
    tg_error_t   err;

    (void) state;

    assert_non_null(text);
    p += sprintf(p, "{\"tollgate_keys\":1,\"keys\":[");

    for (int i = 0; i < N; i++) {
        (void) snprintf(secret, sizeof(secret), "tg_secret_%d", i);
        p += sprintf(p, "%s\n{\"id\":\"key_%d\",\"sha256\":\"%s\",\"user\":"
                     "\"user%d\",\"team\":\"t\",\"budgets\":[\"usd=5/day\"]}",
                     i == 0 ? "" : ",", i, hash_of(secret, hex), i);
    }

    p += sprintf(p, "]}");

    start = seconds();
    keys = tg_keys_load(tg_str("k"), tg_str_of(text, (size_t) (p - text)),
                        &err);
    start = seconds() - start;

    assert_non_null(keys);
    assert_int_equal(tg_keys_count(keys), N);
    printf("             %d keys loaded in %.3f s\n", N, start);

    for (int i = 0; i < N; i++) {
        (void) snprintf(secret, sizeof(secret), "tg_secret_%d", i);
        assert_int_equal(find(keys, secret, NOW, NULL), TG_KEY_OK);
    }

    tg_keys_destroy(keys);
    free(text);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(
            test_a_key_is_found_by_its_secret_with_all_that_is_said_of_it),
        cmocka_unit_test(test_a_digest_is_that_of_fips_180),
        cmocka_unit_test(test_a_hash_may_be_in_capitals),
        cmocka_unit_test(test_expiry_is_to_the_millisecond),
        cmocka_unit_test(
            test_both_secrets_are_valid_in_the_grace_period_and_keep_the_id),
        cmocka_unit_test(test_a_disabled_key_user_team_or_org_is_refused),
        cmocka_unit_test(test_a_key_belongs_to_its_teams_org_and_inherits_tags),
        cmocka_unit_test(test_a_star_stands_for_those_that_are_not_listed),
        cmocka_unit_test(test_models_are_allowed_by_wildcards),
        cmocka_unit_test(test_mistakes_are_told_with_line_record_and_field),
        cmocka_unit_test(test_wrong_values_are_refused),
        cmocka_unit_test(test_json_is_read_strictly),
        cmocka_unit_test(test_one_id_or_hash_of_two_keys_is_refused),
        cmocka_unit_test(test_a_misspelled_team_does_not_escape_its_budget),
        cmocka_unit_test(test_a_message_quotes_nothing_of_a_broken_line),
        cmocka_unit_test(test_a_key_is_taken_from_wherever_an_sdk_puts_it),
        cmocka_unit_test(
            test_different_keys_at_once_are_an_error_and_the_same_one_is_not),
        cmocka_unit_test(test_a_key_longer_than_any_is_unknown),
        cmocka_unit_test(test_carriers_are_known_by_their_names),
        cmocka_unit_test(test_what_was_decoded_is_forgotten),
        cmocka_unit_test(test_the_key_is_taken_out_of_the_query),
        cmocka_unit_test(test_times_are_read_as_rfc_3339_has_them),
        cmocka_unit_test(test_a_hundred_thousand_keys_are_all_found)
    };

    return cmocka_run_group_tests_name("keys", tests, setup, NULL);
}
