/* The path of a call at another upstream. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tg_hop_path.h"

static tg_arena_t  *arena;


static int
setup(void **state)
{
    tg_error_t  err;

    (void) state;
    arena = tg_arena_create(0);

    return tg_dialect_setup(tg_arena_mem(arena), &err) == TG_OK ? 0 : -1;
}


static int
teardown(void **state)
{
    (void) state;
    tg_arena_destroy(arena);

    return 0;
}


static void
is(const char *base, const char *path, const char *model, bool azure,
    const char *want)
{
    tg_str_t  got = tg_hop_path(tg_arena_mem(arena), tg_strz(base),
                                tg_str("POST"), tg_strz(path), tg_strz(model),
                                azure);

    if (!tg_str_eq(got, tg_strz(want))) {
        fail_msg("\"%s\" and %s: %.*s is not %s", base, path, (int) got.len,
                 got.p ? got.p : "", want);
    }
}


static void
test_the_apis_own_path_goes_behind_the_base(void **state)
{
    (void) state;

    is("", "/v1/chat/completions", "", false, "/v1/chat/completions");
    is("", "/llm/v1/chat/completions", "", false, "/v1/chat/completions");
    is("", "//a//v1//chat/completions/", "", false, "/v1/chat/completions");
    is("", "/chat/completions", "", false, "/chat/completions");
    is("/openai", "/v1/chat/completions", "", false,
       "/openai/v1/chat/completions");
    is("/openai/v1", "/v1/chat/completions", "", false,
       "/openai/v1/chat/completions");
    is("/v1beta/openai", "/v1/chat/completions", "", false,
       "/v1beta/openai/chat/completions");
    is("/api/paas/v4", "/x/v1/chat/completions", "", false,
       "/api/paas/v4/chat/completions");
    is("/anthropic", "/v1/messages", "", false, "/anthropic/v1/messages");
    is("", "/gw/v1/messages/count_tokens", "", false,
       "/v1/messages/count_tokens");
    is("/a", "/v1beta/openai/chat/completions", "", false,
       "/a/chat/completions");
}


static void
test_a_model_in_it_is_replaced(void **state)
{
    (void) state;

    is("", "/v1beta/models/gemini-a:generateContent", "gemini-b", false,
       "/v1beta/models/gemini-b:generateContent");
    is("", "/v1beta/models/gemini-a:generateContent", "", false,
       "/v1beta/models/gemini-a:generateContent");
    is("", "/v1beta/models/gemini-a%3AgenerateContent", "tuned/x y?z", false,
       "/v1beta/models/tuned%2Fx%20y%3Fz%3AgenerateContent");
    is("/v1/projects/p/locations/l/publishers/google",
       "/v1beta/models/gemini-a:streamGenerateContent", "gemini-b", false,
       "/v1/projects/p/locations/l/publishers/google/models/"
       "gemini-b:streamGenerateContent");
    is("", "/model/amazon.nova-pro-v1:0/converse", "amazon.nova-lite-v1:0",
       false, "/model/amazon.nova-lite-v1%3A0/converse");
}


static void
test_a_deployment_is_for_azure_only(void **state)
{
    static const char  path[] = "/openai/deployments/a/chat/completions";

    (void) state;

    is("", path, "b", true, "/openai/deployments/b/chat/completions");
    is("/openai", path, "b", true, "/openai/deployments/b/chat/completions");
    is("/gw/openai", path, "", true,
       "/gw/openai/deployments/a/chat/completions");
    is("/openai/v1", path, "b", true, "/openai/v1/chat/completions");
    is("", path, "b", false, "/v1/chat/completions");
    is("/api/v3", path, "b", false, "/api/v3/chat/completions");
    is("", "/openai/deployments/a/embeddings", "b", false, "/v1/embeddings");
}


static void
test_a_path_of_no_api_stays_if_it_is_plain(void **state)
{
    (void) state;

    is("/base", "/v1/files", "", false, "/base/v1/files");
    is("", "/v1/files", "m", false, "/v1/files");
    is("/base", "/../admin", "", false, "");
    is("/base", "/a/%2E%2e%2fadmin", "", false, "");
    is("/base", "/./v1/chat/completions", "", false, "");
}


static void
test_a_canonical_path_loses_its_version_to_the_base(void **state)
{
    tg_mem_t  *mem = tg_arena_mem(arena);

    (void) state;

    assert_true(tg_str_eq(tg_hop_path_join(mem, tg_str(""),
                                           tg_str("/v1/messages")),
                          tg_str("/v1/messages")));
    assert_true(tg_str_eq(tg_hop_path_join(mem, tg_str("/anthropic/v1"),
                                           tg_str("/v1/messages")),
                          tg_str("/anthropic/v1/messages")));
    assert_true(tg_str_eq(tg_hop_path_join(mem, tg_str("/v1x/y"),
                                           tg_str("/v1/messages")),
                          tg_str("/v1x/y/v1/messages")));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_the_apis_own_path_goes_behind_the_base),
        cmocka_unit_test(test_a_model_in_it_is_replaced),
        cmocka_unit_test(test_a_deployment_is_for_azure_only),
        cmocka_unit_test(test_a_path_of_no_api_stays_if_it_is_plain),
        cmocka_unit_test(test_a_canonical_path_loses_its_version_to_the_base)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
