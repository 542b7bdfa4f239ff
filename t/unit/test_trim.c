#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tg_trim.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS  "twenty-eight bytes of content"

static tg_arena_t  *arena;


static int
setup(void **state)
{
    (void) state;
    arena = tg_arena_create(0);

    return arena == NULL;
}


static int
teardown(void **state)
{
    (void) state;
    tg_arena_destroy(arena);

    return 0;
}


/* One letter a turn: s system, u user, a assistant, c call, r result, d
 * developer ... and ? one of no known kind.  A digit behind it: how many of them. */
static json_t *
chat_turn(char kind, int n)
{
    json_t  *turn, *calls;

    switch (kind) {

    case 's':
    case 'd':
        return json_pack("{ssss}", "role", kind == 's' ? "system"
                                           : "developer", "content", WORDS);
    case 'u':
        return json_pack("{ssss}", "role", "user", "content", WORDS);

    case 'a':
        return json_pack("{ssss}", "role", "assistant", "content", WORDS);

    case 'c':
        calls = json_array();
        for (int i = 0; i < n; i++) {
            json_array_append_new(calls, json_pack("{sss{ss}}", "id", "c",
                                                   "function", "name", "f"));
        }
        turn = json_pack("{ssss}", "role", "assistant", "content", WORDS);
        json_object_set_new(turn, "tool_calls", calls);
        return turn;

    case 'r':
        return json_pack("{ssss}", "role", "tool", "content", WORDS);

    default:
        return json_pack("{ssss}", "type", "item_reference", "id", WORDS);
    }
}


static json_t *
anthropic_turn(char kind, int n)
{
    json_t  *parts = json_array();

    for (int i = 0; i < n; i++) {
        json_array_append_new(parts,
            kind == 'c' ? json_pack("{sssss{}}", "type", "tool_use", "id", "t",
                                    "input")
            : kind == 'r' ? json_pack("{ssss}", "type", "tool_result",
                                      "content", WORDS)
            : json_pack("{ssss}", "type", "text", "text", WORDS));
    }

    return json_pack("{ssso}", "role", kind == 'a' || kind == 'c'
                     ? "assistant" : "user", "content", parts);
}


static json_t *
gemini_turn(char kind, int n)
{
    json_t  *parts = json_array();

    for (int i = 0; i < n; i++) {
        json_array_append_new(parts,
            kind == 'c' ? json_pack("{s{ss}}", "functionCall", "name", WORDS)
            : kind == 'r' ? json_pack("{s{ss}}", "functionResponse", "name",
                                      WORDS)
            : json_pack("{ss}", "text", WORDS));
    }

    return json_pack("{ssso}", "role", kind == 'a' || kind == 'c'
                     ? "model" : "user", "parts", parts);
}


static json_t *
responses_turn(char kind, int n)
{
    (void) n;

    switch (kind) {
    case 'c':
        return json_pack("{ssss}", "type", "function_call", "arguments",
                         WORDS);
    case 'r':
        return json_pack("{ssss}", "type", "function_call_output", "output",
                         WORDS);
    case 't':
        return json_pack("{ssss}", "type", "reasoning", "summary", WORDS);
    default:
        return chat_turn(kind, n);
    }
}


typedef json_t *(*maker_t)(char kind, int n);

static const struct {
    const char  *list;
    maker_t      make;
} apis[] = {
    { "messages", chat_turn }, { "messages", anthropic_turn },
    { "contents", gemini_turn }, { "input", responses_turn }
};


/* The turns that are left of `turns`, at most `most`, by their kinds. */
static void
leaves(unsigned api, const char *turns, int most, const char *want)
{
    char       *body, kinds[64], got[64];
    size_t      n = 0, k = 0, m = 0;
    json_t     *root, *list = json_array(), *whole, *left;
    int64_t     each;
    tg_str_t    text;
    tg_trim_t   trim;

    for (const char *p = turns; *p != '\0'; p++) {
        int  count = p[1] >= '1' && p[1] <= '9' ? p[1] - '0' : 1;

        kinds[n++] = *p;
        json_array_append_new(list, apis[api].make(*p, count));
        p += p[1] >= '1' && p[1] <= '9';
    }

    root = json_pack("{sssOss}", "model", "m", apis[api].list, list, "z",
                     "y");
    body = json_dumps(root, api % 2 == 0 ? JSON_INDENT(2) : JSON_COMPACT);
    text = tg_strz(body);
    each = (int64_t) text.len / 4 / (int64_t) n;

    assert_int_equal(tg_trim_plan(&trim, tg_arena_mem(arena), text,
                                  tg_trim_estimate(text.len, 0, 0),
                                  each * most + each / 2), TG_OK);

    for (size_t i = 0; i < trim.nranges; i++) {
        assert_true(trim.ranges[i].start < trim.ranges[i].end);
        memset(body + trim.ranges[i].start, ' ',
               trim.ranges[i].end - trim.ranges[i].start);
    }

    whole = json_loads(body, JSON_REJECT_DUPLICATES, NULL);

    if (whole == NULL) {
        fail_msg("no JSON: %s", body);
    }

    left = json_object_get(whole, apis[api].list);

    for (size_t i = 0; i < n; i++) {
        if (k < json_array_size(left)
            && json_equal(json_array_get(left, k), json_array_get(list, i)))
        {
            /* Equal ones are told by their order from behind. */
            k++;
        }
    }

    assert_int_equal(json_array_size(left), k);
    assert_int_equal(trim.dropped, n - k);

    /* What is left is told by its kinds. */

    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j < n; j++) {
            if (json_equal(json_array_get(left, i), json_array_get(list, j))) {
                got[m++] = kinds[j];
                break;
            }
        }
    }

    got[m] = '\0';

    if (strcmp(got, want) != 0) {
        fail_msg("%u: %s at %d: left is %s, not %s", api, turns, most, got,
                 want);
    }

    free(body);
    json_decref(whole);
    json_decref(root);
    json_decref(list);
}


static void
everywhere(const char *turns, int most, const char *want)
{
    for (unsigned api = 0; api < 4; api++) {
        if (api == 0 || api == 3
            || (strpbrk(turns, "sd?") == NULL && (api == 1 || api == 2)))
        {
            leaves(api, turns, most, want);
        }
    }
}


static void
test_nothing_is_left_out_of_what_fits(void **state)
{
    everywhere("ua", 3, "ua");
    everywhere("uauau", 9, "uauau");
    (void) state;
}


static void
test_the_oldest_exchanges_go_first(void **state)
{
    everywhere("uauau", 4, "uau");
    everywhere("uauau", 3, "uau");
    everywhere("uauau", 2, "u");
    everywhere("uauau", 1, "u");
    everywhere("auau", 2, "u");
    everywhere("uuuu", 2, "uu");
    (void) state;
}


static void
test_system_messages_stay(void **state)
{
    everywhere("suauau", 4, "suau");
    everywhere("suadauau", 1, "sdu");
    everywhere("su", 1, "su");
    (void) state;
}


static void
test_calls_and_results_go_together(void **state)
{
    everywhere("ucrauau", 4, "uau");
    everywhere("ucrau", 2, "u");
    leaves(1, "uc2r2auau", 4, "uau");
    leaves(0, "uc2rrauau", 4, "uau");
    (void) state;
}


static void
test_a_pending_call_stays(void **state)
{
    everywhere("uaucr", 3, "ucr");
    everywhere("uaucr", 1, "ucr");
    everywhere("uauc", 1, "uc");
    leaves(0, "uauc2r", 1, "ucr");
    (void) state;
}


static void
test_steps_of_a_long_task_go_after_all_else(void **state)
{
    everywhere("uaucrcrcrcr", 8, "ucrcrcr");
    everywhere("ucrcrcrcr", 3, "ucr");
    everywhere("ucrcrcra", 2, "ua");
    everywhere("ucrcra", 4, "ucra");
    leaves(0, "uc2rrc2rrcr", 3, "ucr");
    leaves(3, "utcrtcrtcr", 4, "utcr");
    (void) state;
}


/* Results may come when the user has said something more. */
static void
test_a_call_answered_later_stays_with_its_answer(void **state)
{
    leaves(3, "uaucurau", 3, "u");
    leaves(3, "uaucucrrau", 4, "u");
    leaves(3, "uaucurau", 6, "ucurau");
    leaves(3, "uaucur", 1, "ucur");
    (void) state;
}


static void
test_what_is_not_known_stays_with_its_exchange(void **state)
{
    everywhere("u?auau", 2, "u?auau");
    everywhere("uau?au", 2, "u?au");
    (void) state;
}


static void
test_what_has_no_turns_is_left_alone(void **state)
{
    static const char *const  bodies[] = {
        "{\"prompt\":\"x\"}", "{\"input\":\"x\"}", "{\"input\":[\"x\",\"y\"]}",
        "{\"messages\":{}}", "{\"messages\":[]}", "[]", "7",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}"
    };

    tg_trim_t  trim;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(tg_trim_plan(&trim, tg_arena_mem(arena),
                                      tg_strz(bodies[i]), 1000, 1), TG_OK);
        assert_int_equal(trim.dropped, 0);
    }

    (void) state;
}


static void
test_media_is_not_text(void **state)
{
    char       body[6000];
    size_t     n;
    tg_trim_t  trim;

    /* 4,000 bytes of a picture are 1,000 tokens for being one, and no more. */

    n = (size_t) sprintf(body, "{\"messages\":[{\"role\":\"user\",\"content\":"
                         "[{\"type\":\"image_url\",\"image_url\":{\"url\":"
                         "\"data:image/png;base64,%0*d\"}}]},{\"role\":"
                         "\"user\",\"content\":\"x\"}]}", 4000, 0);
    assert_int_equal(tg_trim_estimate(n, 4022, 1), 1000 + (n - 4022 + 3) / 4);
    assert_int_equal(tg_trim_plan(&trim, tg_arena_mem(arena),
                                  tg_str_of(body, n),
                                  tg_trim_estimate(n, 4022, 1), 500), TG_OK);
    assert_int_equal(trim.dropped, 1);
    assert_in_range(trim.tokens, 1000, 1030);
    (void) state;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nothing_is_left_out_of_what_fits),
        cmocka_unit_test(test_the_oldest_exchanges_go_first),
        cmocka_unit_test(test_system_messages_stay),
        cmocka_unit_test(test_calls_and_results_go_together),
        cmocka_unit_test(test_a_pending_call_stays),
        cmocka_unit_test(test_steps_of_a_long_task_go_after_all_else),
        cmocka_unit_test(test_a_call_answered_later_stays_with_its_answer),
        cmocka_unit_test(test_what_is_not_known_stays_with_its_exchange),
        cmocka_unit_test(test_what_has_no_turns_is_left_alone),
        cmocka_unit_test(test_media_is_not_text)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
