/* The hash of a system prompt and its tools, and what it is made with. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "tg_request.h"
#include "tg_siphash.h"

static tg_arena_t           *arena;
static const unsigned char   key[TG_SIPHASH_KEY] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
};


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;

    arena = tg_arena_create(0);

    return tg_dialect_setup(tg_arena_mem(arena), &err);
}


static int
teardown(void **state)
{
    (void) state;

    tg_arena_destroy(arena);

    return 0;
}


/* In pieces of so many bytes, each of which is gone before the next comes. */
static bool
hash_of(const char *path, const char *body, size_t step, uint64_t *hash)
{
    char           piece[512];
    bool           found;
    size_t         n, len = strlen(body);
    tg_arena_t    *call = tg_arena_create(0);
    tg_mem_t      *mem = tg_arena_mem(call);
    tg_dialect_t  *d = tg_alloc(mem, sizeof(tg_dialect_t));
    tg_request_t  *r;

    tg_dialect_recognise(d, mem, tg_str("POST"), tg_strz(path), tg_str(""),
                         tg_str(""), NULL);
    r = tg_request_create(mem, d, tg_str("application/json"), tg_str(""), NULL,
                          NULL);
    tg_request_prefix(r, key);

    for (size_t i = 0; i < len; i += n) {
        n = len - i < step ? len - i : step;
        assert_true(n <= sizeof(piece));
        memcpy(piece, body + i, n);
        assert_int_equal(tg_request_feed(r, piece, n), TG_OK);
        memset(piece, 'x', n);
    }

    assert_int_equal(tg_request_finish(r), TG_OK);
    found = tg_request_prefix_hash(r, hash);
    tg_arena_destroy(call);

    return found;
}


/* Of all that counts, as it is written. */
static uint64_t
sip(const char *text)
{
    tg_siphash_t  h;

    tg_siphash_init(&h, key);
    tg_siphash_feed(&h, text, strlen(text));

    return tg_siphash_end(&h);
}


static void
assert_hash(const char *path, const char *body, const char *counts)
{
    uint64_t  hash;

    for (size_t step = 1; step < 70; step++) {
        assert_true(hash_of(path, body, step, &hash));
        assert_true(hash == sip(counts));
    }

    assert_true(hash_of(path, body, 512, &hash));
    assert_true(hash == sip(counts));
}


#define CHAT      "/v1/chat/completions"
#define MESSAGES  "/v1/messages"
#define SYSTEM    "{\"role\":\"system\",\"content\":\"Be \\\"terse\\\".\"}"
#define TURNED    "{\"content\": \"Be terse, whatever is asked.\" ,"         \
                  " \"role\": \"developer\"}"
#define USER      "{\"role\":\"user\",\"content\":\"Which one?\"}"
#define RESU      "{\"content\":\"Which of all of these?\",\"role\":\"user\"}"
#define TOOL      "{\"type\":\"function\",\"function\":{\"name\":\"look\","  \
                  "\"parameters\":{\"a\":[1,{\"b\":\"}\"}]}}}"


static void
test_siphash_is_the_paper_s(void **state)
{
    char          text[64];
    tg_siphash_t  h;

    /* Of the reference's 0, 1, 2, ..., with one round and three. */

    static const struct {
        size_t    n;
        uint64_t  hash;
    } known[] = {
        { 0, UINT64_C(0xabac0158050fc4dc) },
        { 1, UINT64_C(0xc9f49bf37d57ca93) },
        { 7, UINT64_C(0xd3927d989bb11140) },
        { 8, UINT64_C(0x369095118d299a8e) },
        { 15, UINT64_C(0xd320d86d2a519956) },
        { 63, UINT64_C(0x9d199062b7bbb3a8) }
    };

    for (unsigned i = 0; i < sizeof(text); i++) {
        text[i] = (char) i;
    }

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        for (size_t cut = 0; cut <= known[i].n; cut++) {
            tg_siphash_init(&h, key);
            tg_siphash_feed(&h, text, cut);
            tg_siphash_feed(&h, text + cut, known[i].n - cut);
            assert_true(tg_siphash_end(&h) == known[i].hash);
            assert_true(tg_siphash_end(&h) == known[i].hash);
        }
    }

    (void) state;
}


static void
test_system_messages_before_the_first_other_count(void **state)
{
    assert_hash(CHAT, "{\"model\":\"m\",\"messages\":[" SYSTEM "," USER "]}",
                SYSTEM);
    assert_hash(CHAT, "{\"messages\":[" SYSTEM "," TURNED "," USER "," SYSTEM
                "]}", SYSTEM TURNED);
    assert_hash(CHAT, "{\"messages\":[" TURNED "," RESU "," SYSTEM "]}",
                TURNED);
    (void) state;
}


static void
test_tools_count_wherever_they_are(void **state)
{
    assert_hash(CHAT, "{\"messages\":[" SYSTEM "," USER "],\"tools\":["
                TOOL ", " TOOL "]}", SYSTEM TOOL TOOL);
    assert_hash(CHAT, "{\"tools\":[" TOOL "],\"messages\":[" RESU "]}", TOOL);
    (void) state;
}


static void
test_system_prompts_of_other_apis_count(void **state)
{
    assert_hash(MESSAGES, "{\"system\":\"Be terse, and say so at once.\","
                "\"messages\":[" USER "]}",
                "\"Be terse, and say so at once.\"");
    assert_hash(MESSAGES, "{\"messages\":[" USER "],\"system\":[{\"type\":"
                "\"text\",\"text\":\"One\"},{\"type\":\"text\",\"text\":"
                "\"Two\\n\"}]}", "\"One\"\"Two\\n\"");
    assert_hash("/v1beta/models/gemini-2.0-flash:generateContent",
                "{\"systemInstruction\":{\"parts\":[{\"text\":\"Be kind\"}]},"
                "\"contents\":[{\"parts\":[{\"text\":\"Hello\"}]}]}",
                "\"Be kind\"");
    assert_hash("/v1/responses", "{\"instructions\":\"Be kind\",\"input\":"
                "\"Hello\"}", "\"Be kind\"");
    (void) state;
}


static void
test_what_has_neither_has_no_hash(void **state)
{
    uint64_t  hash;

    assert_false(hash_of(CHAT, "{\"messages\":[" USER "," SYSTEM "]}", 512,
                         &hash));
    assert_false(hash_of(CHAT, "{\"messages\":[" RESU "]}", 3, &hash));
    assert_false(hash_of(CHAT, "{\"messages\":[],\"tools\":[]}", 512, &hash));
    assert_false(hash_of("/v1/embeddings", "{\"input\":\"x\"}", 512, &hash));
    (void) state;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_siphash_is_the_paper_s),
        cmocka_unit_test(test_system_messages_before_the_first_other_count),
        cmocka_unit_test(test_tools_count_wherever_they_are),
        cmocka_unit_test(test_system_prompts_of_other_apis_count),
        cmocka_unit_test(test_what_has_neither_has_no_hash)
    };

    return cmocka_run_group_tests_name("request_prefix", tests, setup,
                                       teardown);
}
