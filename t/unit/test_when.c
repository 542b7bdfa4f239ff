#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tg_when.h"

static tg_arena_t  *arena;
static unsigned     prompts;


static tg_str_t
header(void *data, tg_str_t name)
{
    return tg_str_eq(name, tg_str("x-stainless-retry-count"))
           ? tg_strz(((const char **) data)[0]) : tg_str_null;
}


static tg_str_t
tag(void *data, tg_str_t name)
{
    return tg_str_eq(name, tg_str("depth"))
           ? tg_strz(((const char **) data)[1]) : tg_str_null;
}


static bool
prompt(void *data, tg_str_t *text)
{
    prompts++;
    *text = tg_strz(((const char **) data)[2]);

    return text->len != 0;
}


static bool
healthy(void *data, uintptr_t provider, bool *yes)
{
    (void) data;
    *yes = provider == 2;

    return provider != 0;
}


static const char *
provider(void *data, tg_str_t name, uintptr_t *handle)
{
    (void) data;
    *handle = tg_str_eq(name, tg_str("down")) ? 1
              : tg_str_eq(name, tg_str("up")) ? 2 : 0;

    return tg_str_eq(name, tg_str("lost")) ? "is the name of nobody" : NULL;
}


/* retries, depth, prompt */
static bool
holds(const char *text, const char *first, const char *second,
    const char *third)
{
    bool        yes;
    tg_when_t   w;
    tg_expr_t  *e;
    tg_error_t  err;
    const char  *said[] = { first, second, third };

    memset(&w, 0, sizeof(w));
    w.header = header;
    w.tag = tag;
    w.prompt = prompt;
    w.healthy = healthy;
    w.text[TG_WHEN_COUNTRY] = tg_str("DE");
    w.asn = 64512;
    w.data = said;

    e = tg_expr_compile(tg_arena_mem(arena), tg_strz(text), tg_when_symbols,
                        TG_WHEN_SYMBOLS, &err);

    if (e == NULL
        || tg_expr_bind(e, TG_WHEN_HEALTHY, provider, NULL, &err) != TG_OK)
    {
        fail_msg("%s: %s", text, err.message);
    }

    yes = tg_expr_eval(e, tg_expr_scratch(tg_arena_mem(arena)), tg_when_get,
                       &w);
    tg_expr_destroy(e);

    return yes;
}


static void
test_a_call_tells_how_often_and_how_deep(void **state)
{
    assert_true(holds("retries == 0", "0", "", ""));
    assert_true(holds("retries > 1 and depth >= 3", "2", "3", ""));
    assert_false(holds("retries >= 0", "", "", ""));
    assert_false(holds("retries < 99", "often", "", ""));
    assert_false(holds("depth >= 0 or not (depth >= 0)", "", "deep", ""));
    (void) state;
}


static void
test_a_place_is_known_or_not(void **state)
{
    assert_true(holds("country == 'DE' and asn == 64512", "", "", ""));
    assert_true(holds("country not in ('US', 'FR')", "", "", ""));
    (void) state;
}


static void
test_a_prompt_is_read_only_where_it_matters(void **state)
{
    prompts = 0;
    assert_true(holds("country == 'DE' or prompt ~ 'x'", "", "", "x"));
    assert_int_equal(prompts, 0);
    assert_true(holds("prompt ~* 'SECRET'", "", "", "a secret"));
    assert_int_equal(prompts, 1);
    assert_false(holds("prompt !~ 'x'", "", "", ""));
    (void) state;
}


static void
test_a_provider_is_up_or_down(void **state)
{
    tg_error_t  err;
    tg_expr_t  *e;

    assert_true(holds("healthy(up) and not healthy(down)", "", "", ""));
    assert_true(holds("healthy('up') == true", "", "", ""));
    assert_false(holds("healthy(other) or not healthy(other)", "", "", ""));

    e = tg_expr_compile(tg_arena_mem(arena), tg_str("healthy(lost)"),
                        tg_when_symbols, TG_WHEN_SYMBOLS, &err);
    assert_non_null(e);
    assert_int_equal(tg_expr_bind(e, TG_WHEN_HEALTHY, provider, NULL, &err),
                     TG_ERROR);
    assert_non_null(strstr(err.message, "\"lost\" is the name of nobody"));
    (void) state;
}


static int
setup(void **state)
{
    (void) state;
    arena = tg_arena_create(0);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;
    tg_arena_destroy(arena);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_a_call_tells_how_often_and_how_deep),
        cmocka_unit_test(test_a_place_is_known_or_not),
        cmocka_unit_test(test_a_prompt_is_read_only_where_it_matters),
        cmocka_unit_test(test_a_provider_is_up_or_down)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
