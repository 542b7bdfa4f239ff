/* What is learned of calls. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "tg_bound.h"
#include "tg_calibrate.h"

#define CALLS  20000

static tg_calibrate_t  cal;
static uint64_t        seed;


static int
fresh(void **state)
{
    (void) state;

    memset(&cal, 0, sizeof(cal));
    seed = 42;

    return 0;
}


/* xorshift64: the same numbers in each run */
static uint64_t
below(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed % n;
}


static tg_calibrate_name_t
named(const char *model, const char *key)
{
    return tg_calibrate_name(tg_str("openai"), tg_str("openai.chat"),
                             tg_strz(model), tg_strz(key));
}


/* 3.5 to 5 bytes a token, 20 to 420 tokens of output. */
static tg_calibrate_call_t
some(uint64_t bytes)
{
    tg_calibrate_call_t  c;

    memset(&c, 0, sizeof(c));
    c.bytes = bytes;
    c.prompt = bytes * 9 / 10;
    c.input = (int64_t) (bytes * 1000 / (3500 + below(1500)));
    c.output = (int64_t) (20 + below(200) + below(200));
    c.answer = (uint64_t) c.output * 4;
    c.answers = 1;

    return c;
}


static void
test_nothing_is_told_before_enough_was_seen(void **state)
{
    tg_calibrate_name_t  name = named("m", "");
    tg_calibrate_call_t  c;

    (void) state;

    for (int i = 0; i < TG_CALIBRATE_LEARN; i++) {
        assert_int_equal(tg_calibrate_input(&cal, name, 3000), -1);
        assert_int_equal(tg_calibrate_output(&cal, name), -1);
        assert_int_equal(tg_calibrate_prompt(&cal, name), 0);
        c = some(3000);
        tg_calibrate_learn(&cal, name, &c);
    }

    assert_true(tg_calibrate_input(&cal, name, 3000) > 0);
    assert_true(tg_calibrate_output(&cal, name) > 0);
    assert_int_equal(tg_calibrate_answer(&cal, name), 4000);

    /* of other sizes, models and dialects nothing is known */

    assert_int_equal(tg_calibrate_input(&cal, name, 300), -1);
    assert_int_equal(tg_calibrate_input(&cal, name, 300000), -1);
    assert_int_equal(tg_calibrate_output(&cal, named("n", "")), -1);
    name = tg_calibrate_name(tg_str("openai"), tg_str("openai.responses"),
                             tg_str("m"), tg_str(""));
    assert_int_equal(tg_calibrate_output(&cal, name), -1);
}


static void
test_an_overrun_is_rare_and_a_hold_is_near(void **state)
{
    int                  over_in = 0, over_out = 0, n = 0;
    int64_t              in, out, held = 0, used = 0, bound = 0;
    tg_calibrate_name_t  name = named("m", "k");
    tg_calibrate_call_t  c;

    (void) state;

    for (int i = 0; i < CALLS; i++) {
        c = some(1024 + below(3000));
        in = tg_calibrate_input(&cal, name, c.bytes);
        out = tg_calibrate_output(&cal, name);

        if (in >= 0) {
            over_in += in < c.input;
            over_out += out < c.output;
            held += in;
            used += c.input;
            bound += (int64_t) c.bytes;
            n++;
        }

        tg_calibrate_learn(&cal, name, &c);
    }

    assert_true(n == CALLS - TG_CALIBRATE_LEARN);
    assert_true(over_in < n / 50);
    assert_true(over_out < n / 50);
    assert_true(held < used * 3 / 2);
    assert_true(bound > held * 2);
}


static void
test_what_changes_is_learned_anew(void **state)
{
    int                  over = 0;
    tg_calibrate_name_t  name = named("m", "");
    tg_calibrate_call_t  c;

    (void) state;

    for (int i = 0; i < 1000; i++) {
        c = some(3000);
        tg_calibrate_learn(&cal, name, &c);
    }

    /* prompts in another language, answers ten times as long */

    for (int i = 0; i < 200; i++) {
        c = some(3000);
        c.input *= 3;
        c.output *= 10;
        over += tg_calibrate_input(&cal, name, c.bytes) < c.input
                || tg_calibrate_output(&cal, name) < c.output;
        tg_calibrate_learn(&cal, name, &c);
    }

    assert_true(over < 60);

    for (int i = 0; i < 3000; i++) {
        c = some(3000);
        tg_calibrate_learn(&cal, name, &c);
    }

    assert_true(tg_calibrate_input(&cal, name, 3000) < 1500);
    assert_true(tg_calibrate_output(&cal, name) < 1000);
}


static void
test_a_key_s_own_answers_come_first(void **state)
{
    tg_calibrate_call_t  c;

    (void) state;

    for (int i = 0; i < 100; i++) {
        c = some(3000);
        tg_calibrate_learn(&cal, named("m", "short"), &c);
        c.output = 4000;
        tg_calibrate_learn(&cal, named("m", "long"), &c);
    }

    assert_true(tg_calibrate_output(&cal, named("m", "short")) < 600);
    assert_true(tg_calibrate_output(&cal, named("m", "long")) > 4000);

    /* who is new has what is known of all */

    assert_true(tg_calibrate_output(&cal, named("m", "new")) > 3000);
}


static void
test_memory_is_bounded(void **state)
{
    int                  known = 0;
    char                 model[32];
    tg_calibrate_call_t  c;

    (void) state;

    for (int i = 0; i < 1000; i++) {
        (void) snprintf(model, sizeof(model), "model-%d", i);

        for (int k = 0; k < TG_CALIBRATE_LEARN; k++) {
            c = some(3000);
            tg_calibrate_learn(&cal, named(model, "k"), &c);
        }
    }

    for (int i = 0; i < 1000; i++) {
        (void) snprintf(model, sizeof(model), "model-%d", i);
        known += tg_calibrate_input(&cal, named(model, "k"), 3000) >= 0;
    }

    assert_true(known > TG_CALIBRATE_MODELS / 2);
    assert_true(known <= TG_CALIBRATE_MODELS);
}


static void
test_odd_numbers_do_no_harm(void **state)
{
    tg_calibrate_name_t  name = named("m", "k");
    tg_calibrate_call_t  c[] = {
        { 0, 0, 0, 0, 0, 0 },
        { UINT64_MAX, UINT64_MAX, UINT64_MAX, INT64_MAX, INT64_MAX, 1 },
        { UINT64_MAX / 1000, UINT64_MAX / 1000, UINT64_MAX / 1000, 1, 1, 1 },
        { 1, 1, 1, INT64_MAX, INT64_MAX, INT64_MAX },
        { 1, 1, 1, -1, -1, -1 }
    };

    (void) state;

    for (int i = 0; i < 500; i++) {
        tg_calibrate_learn(&cal, name, &c[i % 5]);
        assert_true(tg_calibrate_input(&cal, name, UINT64_MAX) == -1);
        assert_true(tg_calibrate_input(&cal, name, below(UINT64_MAX)) >= -1);
        assert_true(tg_calibrate_output(&cal, name) >= -1);
    }
}


static void *
teach(void *data)
{
    char                 model[32];
    tg_calibrate_call_t  c = { 3000, 2700, 400, 750, 100, 1 };

    (void) data;

    for (int i = 0; i < CALLS; i++) {
        (void) snprintf(model, sizeof(model), "model-%d", i % 8);
        tg_calibrate_learn(&cal, named(model, "k"), &c);
        (void) tg_calibrate_output(&cal, named(model, "k"));
    }

    return NULL;
}


static void
test_threads_may_learn_together(void **state)
{
    int        known = 0;
    char       model[32];
    pthread_t  threads[4];

    (void) state;

    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, teach, NULL), 0);
    }

    for (int i = 0; i < 4; i++) {
        (void) pthread_join(threads[i], NULL);
    }

    for (int i = 0; i < 8; i++) {
        (void) snprintf(model, sizeof(model), "model-%d", i);
        assert_int_equal(tg_calibrate_input(&cal, named(model, ""), 3000),
                         750 + 750 / 8 + 1);
        assert_int_equal(tg_calibrate_output(&cal, named(model, "k")),
                         100 + 100 / 8 + 1);
    }

    for (int i = 0; i < TG_CALIBRATE_MODELS; i++) {
        known += cal.models[i].name != 0;
    }

    assert_int_equal(known, 8);
}


static void
test_what_is_likely_is_not_above_the_bound(void **state)
{
    tg_bound_t  bound = { 1000, 600, TG_BOUND_UNKNOWN, 200, 3 }, likely;
    tg_bound_ask_t  ask;

    (void) state;

    memset(&ask, 0, sizeof(ask));

    tg_bound_likely(&ask, &bound, 300, 50, &likely);
    assert_int_equal(likely.input, 300);
    assert_int_equal(likely.output, 150);
    assert_int_equal(likely.cost, TG_BOUND_UNKNOWN);

    tg_bound_likely(&ask, &bound, 3000, 500, &likely);
    assert_int_equal(likely.input, 1000);
    assert_int_equal(likely.output, 600);

    tg_bound_likely(&ask, &bound, -1, -1, &likely);
    assert_memory_equal(&likely, &bound, sizeof(bound));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_nothing_is_told_before_enough_was_seen,
                               fresh),
        cmocka_unit_test_setup(test_an_overrun_is_rare_and_a_hold_is_near,
                               fresh),
        cmocka_unit_test_setup(test_what_changes_is_learned_anew, fresh),
        cmocka_unit_test_setup(test_a_key_s_own_answers_come_first, fresh),
        cmocka_unit_test_setup(test_memory_is_bounded, fresh),
        cmocka_unit_test_setup(test_odd_numbers_do_no_harm, fresh),
        cmocka_unit_test_setup(test_threads_may_learn_together, fresh),
        cmocka_unit_test(test_what_is_likely_is_not_above_the_bound)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
