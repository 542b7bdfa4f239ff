/* Lists of models. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "tg_models.h"

static const char  prices[] =
    "{\"gpt-4o\":{\"input_cost_per_token\":1e-6},"
    "\"gpt-4o-mini\":{\"input_cost_per_token\":1e-6},"
    "\"o3\":{\"input_cost_per_token\":1e-6},"
    "\"azure/gpt-4o\":{\"input_cost_per_token\":1e-6},"
    "\"azure/o1\":{\"input_cost_per_token\":1e-6},"
    "\"gemini/gemini-2.5-pro\":{\"input_cost_per_token\":1e-6},"
    "\"meta-llama/llama-3\":{\"input_cost_per_token\":1e-6},"
    "\"openrouter/meta-llama/llama-3\":{\"input_cost_per_token\":1e-6},"
    "\"claude-sonnet-4-5\":{\"input_cost_per_token\":1e-6}}";


static json_t *
listed(tg_shape_t shape, const tg_model_t *m, size_t n)
{
    char     buf[4096];
    json_t  *v;
    size_t   len;

    len = tg_models_list(NULL, 0, shape, m, n);
    assert_true(len < sizeof(buf));
    assert_int_equal(tg_models_list(buf, len, shape, m, n), len);

    v = json_loadb(buf, len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(v);

    return v;
}


static void
test_each_shape_has_its_list(void **state)
{
    static const char *const  names[] = { "data", "data", "models", "models",
                                          "models", "modelSummaries" };
    static const char *const  ids[] = { "id", "id", "name", "name", "name",
                                        "modelId" };

    char          buf[512];
    json_t       *v, *one;
    size_t        len, n;
    const char   *id;
    tg_model_t    m[] = { { tg_str("gpt-4o"), tg_str("openai"), 1715367049 },
                          { tg_str("gpt-*"), tg_str("openai"), 0 },
                          { tg_str("gpt-4o"), tg_str("azure"), 0 },
                          { tg_str("a\"b\\c"), tg_str(""), 0 } };

    (void) state;

    n = tg_models_sort(m, 4);
    assert_int_equal(n, 2);

    for (unsigned i = 0; i < 6; i++) {
        v = listed((tg_shape_t) i, m, n);
        assert_int_equal(json_array_size(json_object_get(v, names[i])), 2);
        id = json_string_value(json_object_get(json_array_get(
                                   json_object_get(v, names[i]), 1), ids[i]));
        assert_string_equal(id, i == 2 ? "models/gpt-4o" : "gpt-4o");
        json_decref(v);

        v = listed((tg_shape_t) i, m, 0);
        assert_int_equal(json_array_size(json_object_get(v, names[i])), 0);
        json_decref(v);

        len = tg_models_one(buf, sizeof(buf), (tg_shape_t) i, &m[0]);
        v = json_loadb(buf, len, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(v);
        one = i == TG_SHAPE_BEDROCK ? json_object_get(v, "modelDetails") : v;
        id = json_string_value(json_object_get(one, ids[i]));
        assert_string_equal(id, i == 2 ? "models/a\"b\\c" : "a\"b\\c");
        json_decref(v);
    }

    v = listed(TG_SHAPE_ANTHROPIC, m, n);
    assert_string_equal(json_string_value(json_object_get(v, "first_id")),
                        "a\"b\\c");
    assert_string_equal(json_string_value(json_object_get(v, "last_id")),
                        "gpt-4o");
    json_decref(v);

    v = listed(TG_SHAPE_ANTHROPIC, m, 0);
    assert_true(json_is_null(json_object_get(v, "last_id")));
    json_decref(v);
}


static tg_price_book_t *
book_of(const char *text)
{
    tg_error_t        err;
    tg_price_book_t  *book = tg_price_book_create();

    assert_non_null(book);
    assert_int_equal(tg_price_book_add(book, tg_str("p.json"), tg_strz(text),
                                       &err), TG_OK);
    return book;
}


/* The names, with a blank between. */
static void
gathers(const tg_models_ask_t *ask, const char *want)
{
    char         buf[1024] = "";
    size_t       n;
    tg_arena_t  *arena = tg_arena_create(1024 * 1024);
    tg_model_t  *models;

    assert_int_equal(tg_models_gather(tg_arena_mem(arena), ask, &models, &n),
                     TG_OK);

    for (size_t i = 0; i < n; i++) {
        (void) snprintf(buf + strlen(buf), sizeof(buf) - strlen(buf), "%s%.*s",
                        i == 0 ? "" : " ", (int) models[i].id.len,
                        models[i].id.p);
    }

    assert_string_equal(buf, want);
    tg_arena_destroy(arena);
}


static void
test_models_are_those_of_the_provider(void **state)
{
    tg_str_t         gpt[] = { tg_str("gpt-*"), tg_str("o*") };
    tg_str_t         all[] = { tg_str("*") };
    tg_str_t         own[] = { tg_str("meta-llama/*"), tg_str("mine-7b") };
    tg_price_book_t *book = book_of(prices);
    tg_models_ask_t  ask = { book, NULL, tg_str("openai"), NULL, 0 };

    (void) state;

    /* without models= only what has the vendor's prefix */

    gathers(&ask, "");
    ask.vendor = tg_str("azure.ai.openai");
    gathers(&ask, "gpt-4o o1");
    ask.vendor = tg_str("gcp.gemini");
    gathers(&ask, "gemini-2.5-pro");
    ask.vendor = tg_str("openrouter");
    gathers(&ask, "meta-llama/llama-3");

    /* bare, or with the prefix taken off; each once */

    ask.vendor = tg_str("openai");
    ask.patterns = gpt;
    ask.npatterns = 2;
    gathers(&ask, "gpt-4o gpt-4o-mini o3");
    ask.vendor = tg_str("azure.ai.openai");
    gathers(&ask, "gpt-4o gpt-4o-mini o1 o3");

    /* other vendors' names are not anybody's */

    ask.vendor = tg_str("openai");
    ask.patterns = all;
    ask.npatterns = 1;
    gathers(&ask, "claude-sonnet-4-5 gpt-4o gpt-4o-mini o3");

    /* names in full need no price */

    ask.patterns = own;
    ask.npatterns = 2;
    gathers(&ask, "meta-llama/llama-3 mine-7b");
    ask.book = NULL;
    gathers(&ask, "mine-7b");

    tg_price_book_destroy(book);
}


static void
test_models_are_those_of_the_key(void **state)
{
    tg_key_t         key;
    tg_str_t         may[] = { tg_str("gpt-4o*"), tg_str("custom-1") };
    tg_str_t         gpt[] = { tg_str("gpt-*"), tg_str("o*") };
    tg_price_book_t *book = book_of(prices);
    tg_models_ask_t  ask = { book, &key, tg_str("openai"), NULL, 0 };

    (void) state;

    memset(&key, 0, sizeof(key));
    key.models = may;
    key.nmodels = 2;

    gathers(&ask, "custom-1");

    /* what the provider does not have is refused, so it is not listed */

    ask.patterns = gpt;
    ask.npatterns = 2;
    gathers(&ask, "gpt-4o gpt-4o-mini");

    key.nmodels = 0;
    gathers(&ask, "gpt-4o gpt-4o-mini o3");

    tg_price_book_destroy(book);
}


static void
test_a_list_is_bounded(void **state)
{
    char             *text = malloc(64 * 3 * TG_MODELS_MAX), *p = text;
    size_t            n;
    tg_str_t          all[] = { tg_str("*") };
    tg_arena_t       *arena = tg_arena_create(1024 * 1024);
    tg_model_t       *models;
    tg_price_book_t  *book;
    tg_models_ask_t   ask = { NULL, NULL, tg_str("openai"), all, 1 };

    (void) state;

    assert_non_null(text);

    for (int i = 0; i < 2 * TG_MODELS_MAX; i++) {
        p += sprintf(p, "%c\"m%d\":{\"input_cost_per_token\":1e-6}",
                     i == 0 ? '{' : ',', i);
    }

    (void) sprintf(p, "}");
    book = book_of(text);
    ask.book = book;

    assert_int_equal(tg_models_gather(tg_arena_mem(arena), &ask, &models, &n),
                     TG_OK);
    assert_int_equal(n, TG_MODELS_MAX);
    assert_non_null(tg_models_find(models, n, models[n / 2].id));
    assert_null(tg_models_find(models, n, tg_str("m")));

    tg_price_book_destroy(book);
    tg_arena_destroy(arena);
    free(text);
}


static void
test_gemini_s_prefix_does_not_count(void **state)
{
    tg_str_t    p[] = { tg_str("gemini-*") };
    tg_model_t  m[] = { { tg_str("gemini-2.5-pro"), tg_str(""), 0 } };

    (void) state;

    assert_true(tg_models_match(p, 1, tg_str("models/gemini-2.5-pro")));
    assert_false(tg_models_match(p, 1, tg_str("models/gpt-4o")));
    assert_non_null(tg_models_find(m, 1, tg_str("models/gemini-2.5-pro")));
    assert_null(tg_models_find(m, 0, tg_str("gemini-2.5-pro")));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_each_shape_has_its_list),
        cmocka_unit_test(test_models_are_those_of_the_provider),
        cmocka_unit_test(test_models_are_those_of_the_key),
        cmocka_unit_test(test_a_list_is_bounded),
        cmocka_unit_test(test_gemini_s_prefix_does_not_count)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
