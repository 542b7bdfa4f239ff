/* Beginnings of prompts, and who has them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "tg_balance.h"

#define S  INT64_C(1000000000)

static char           text[300 * 1024];
static tg_affinity_t  table;


static void
begin(void)
{
    uint32_t  v = 1;

    for (size_t i = 0; i < sizeof(text); i++) {
        v = v * 1664525 + 1013904223;
        text[i] = (char) (v >> 24);
    }

    memset((void *) &table, 0, sizeof(table));
}


static tg_prefixes_t
hashed(const char *p, size_t n, size_t step, const char *model,
    const char *tenant)
{
    size_t            cut;
    tg_prefixes_t     prefixes;
    tg_prefix_hash_t  ph;

    tg_prefix_begin(&ph, tg_strz(model), tg_strz(tenant));

    for (size_t i = 0; i < n; i += cut) {
        cut = n - i < step ? n - i : step;
        tg_prefix_feed(&ph, p + i, cut);
    }

    tg_prefix_end(&ph, &prefixes);

    return prefixes;
}


static void
test_any_cut_of_a_prompt_gives_the_same(void **state)
{
    static const size_t  steps[] = { 1, 3, 7, 8, 9, 64, 1000, 1023, 1024, 1025,
                                     5000, 65536 };
    tg_prefixes_t        whole, cut;

    (void) state;

    begin();
    whole = hashed(text, sizeof(text), sizeof(text), "m", "t");
    assert_int_equal(whole.n, 8);
    assert_int_equal(whole.tokens[0], 256);
    assert_int_equal(whole.tokens[7], 32768);

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        cut = hashed(text, sizeof(text), steps[i], "m", "t");
        assert_memory_equal(&cut, &whole, sizeof(cut));
    }
}


static void
test_a_beginning_is_whole_or_not_there(void **state)
{
    tg_prefixes_t  p;

    (void) state;

    begin();
    assert_int_equal(hashed(text, 0, 1, "m", "t").n, 0);
    assert_int_equal(hashed(text, 1023, 100, "m", "t").n, 0);
    p = hashed(text, 1024, 100, "m", "t");
    assert_int_equal(p.n, 1);
    assert_int_equal(hashed(text, 2047, 100, "m", "t").n, 1);
    assert_int_equal(hashed(text, 2048, 100, "m", "t").n, 2);
    assert_true(p.hash[0] == hashed(text, 2048, 100, "m", "t").hash[0]);
}


static void
test_one_byte_changes_all_beginnings_that_have_it(void **state)
{
    tg_prefixes_t  a, b;

    (void) state;

    begin();
    a = hashed(text, 8192, 4096, "m", "t");
    text[1500] ^= 1;
    b = hashed(text, 8192, 4096, "m", "t");
    assert_int_equal(a.n, 4);
    assert_true(a.hash[0] == b.hash[0]);

    for (unsigned k = 1; k < a.n; k++) {
        assert_true(a.hash[k] != b.hash[k]);
    }
}


static void
test_models_and_tenants_are_apart(void **state)
{
    uint64_t  h;

    (void) state;

    begin();
    h = hashed(text, 1024, 1024, "model", "tenant").hash[0];
    assert_true(h != hashed(text, 1024, 1024, "mode", "ltenant").hash[0]);
    assert_true(h != hashed(text, 1024, 1024, "model2", "tenant").hash[0]);
    assert_true(h != hashed(text, 1024, 1024, "model", "tenant2").hash[0]);
    assert_true(h != hashed(text, 1024, 1024, "model", "").hash[0]);
    assert_true(h == hashed(text, 1024, 1024, "model", "tenant").hash[0]);
}


/* Another process, another day: a table that survived has to mean the same. */
static void
test_hashes_are_the_same_for_ever(void **state)
{
    static const char  a[1024] = "You are a helpful assistant.";

    (void) state;

    assert_true(hashed(a, sizeof(a), 1024, "m", "t").hash[0]
                == UINT64_C(0x9679d5a0701b8e4e));
}


static void
test_a_key_is_a_beginning(void **state)
{
    tg_work_t      work = { 700, 0 };
    tg_prefixes_t  a, b;

    (void) state;

    tg_prefix_key(tg_str("session-1"), &work, &a);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.tokens[0], 700);
    work.prompt_tokens = 0;
    tg_prefix_key(tg_str("session-1"), &work, &b);
    assert_true(a.hash[0] == b.hash[0]);
    assert_true(b.tokens[0] > 0);
    tg_prefix_key(tg_str("session-2"), &work, &b);
    assert_true(a.hash[0] != b.hash[0]);
    tg_prefix_key(tg_str(""), &work, &b);
    assert_int_equal(b.n, 0);
}


static void
test_hashing_is_fast(void **state)
{
    double           s;
    struct timespec  a, b;

    (void) state;

    begin();
    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);

    for (unsigned i = 0; i < 200; i++) {
        text[0] = (char) i;
        assert_int_equal(hashed(text, 131072, 131072, "m", "t").n, 8);
    }

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    s = (double) (b.tv_sec - a.tv_sec) + (double) (b.tv_nsec - a.tv_nsec) / 1e9;
    print_message("%.1f GB/s\n", 200 * 131072 / s / 1e9);

    /* Not byte by byte, whatever else the machine does. */
    assert_true(s < 5);
}


/* --- who has them --- */

static bool
put(uint64_t hash, uint32_t backend, uint32_t epoch, uint64_t given,
    int64_t now)
{
    tg_affinity_who_t  who = { backend, epoch, given };

    return tg_affinity_put(&table, hash, &who, 10000, now);
}


static unsigned
has(uint64_t hash, uint32_t backend, int64_t now, tg_affinity_who_t *who)
{
    unsigned           n, count = 0;
    tg_affinity_who_t  found[TG_AFFINITY_WAYS];

    n = tg_affinity_get(&table, hash, now, found);

    for (unsigned i = 0; i < n; i++) {
        if (found[i].backend == backend) {
            *who = found[i];
            count++;
        }
    }

    return count;
}


static void
test_each_backend_has_one_place(void **state)
{
    uint64_t           h = UINT64_C(0x123456789abcdef0);
    tg_affinity_who_t  who;

    (void) state;

    begin();
    assert_false(put(h, 3, 1, 0, S));
    assert_true(put(h, 3, 1, 512, 2 * S));
    assert_false(put(h, 511, 9, 0, 2 * S));
    assert_int_equal(has(h, 3, 3 * S, &who), 1);
    assert_int_equal(who.given, 512);
    assert_int_equal(has(h, 511, 3 * S, &who), 1);
    assert_int_equal(who.epoch, 9);
    assert_int_equal(has(h, 4, 3 * S, &who), 0);
    assert_int_equal(has(h + 1, 3, 3 * S, &who), 0);
}


static void
test_what_was_restarted_or_filled_since_has_it_no_longer(void **state)
{
    tg_affinity_who_t  was, is = { 3, 1, 5000 };

    (void) state;

    begin();
    (void) put(77, 3, 1, 4096, S);
    assert_int_equal(has(77, 3, S, &was), 1);
    assert_true(tg_affinity_same(&was, &is, 10000));
    assert_false(tg_affinity_same(&was, &is, 900));
    is.epoch = 2;
    assert_false(tg_affinity_same(&was, &is, 10000));

    /* It is read anew. */
    assert_false(put(77, 3, 2, 5000, S));
    assert_true(put(77, 3, 2, 5000, S));
    assert_false(put(77, 3, 2, 5000 + 20000, S));
}


static void
test_what_was_not_asked_for_in_an_hour_is_gone(void **state)
{
    tg_affinity_who_t  who;

    (void) state;

    begin();
    (void) put(77, 3, 1, 0, S);
    assert_int_equal(has(77, 3, 3500 * S, &who), 1);
    assert_int_equal(has(77, 3, 4000 * S, &who), 0);

    /* Nor does it come back when the clock of 16 bits has gone round. */
    assert_int_equal(has(77, 3, 40000 * S, &who), 0);
}


/* One set, more than it has room for. */
static void
test_what_was_used_longest_ago_gives_way(void **state)
{
    uint64_t           set = UINT64_C(5) << 40;
    tg_affinity_who_t  who;

    (void) state;

    begin();

    for (unsigned i = 0; i < TG_AFFINITY_WAYS; i++) {
        (void) put(set + i, 1, 1, 0, (10 + 2 * i) * S);
    }

    (void) put(set, 1, 1, 0, 100 * S);          /* used again */
    (void) put(set + 100, 1, 1, 0, 110 * S);
    assert_int_equal(has(set, 1, 111 * S, &who), 1);
    assert_int_equal(has(set + 1, 1, 111 * S, &who), 0);
    assert_int_equal(has(set + 2, 1, 111 * S, &who), 1);
    assert_int_equal(has(set + 100, 1, 111 * S, &who), 1);
}


/* A writer that was killed between two words. */
static void
test_a_torn_place_is_not_found(void **state)
{
    tg_affinity_who_t  who;

    (void) state;

    begin();
    (void) put(77, 3, 1, 0, S);

    for (unsigned i = 0; i < TG_AFFINITY_WAYS; i++) {
        table.sets[0][i].sum ^= table.sets[0][i].value != 0;
    }

    assert_int_equal(has(77, 3, S, &who), 0);
    assert_false(put(77, 3, 1, 0, S));
    assert_int_equal(has(77, 3, S, &who), 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_any_cut_of_a_prompt_gives_the_same),
        cmocka_unit_test(test_a_beginning_is_whole_or_not_there),
        cmocka_unit_test(test_one_byte_changes_all_beginnings_that_have_it),
        cmocka_unit_test(test_models_and_tenants_are_apart),
        cmocka_unit_test(test_hashes_are_the_same_for_ever),
        cmocka_unit_test(test_a_key_is_a_beginning),
        cmocka_unit_test(test_hashing_is_fast),
        cmocka_unit_test(test_each_backend_has_one_place),
        cmocka_unit_test(
            test_what_was_restarted_or_filled_since_has_it_no_longer),
        cmocka_unit_test(test_what_was_not_asked_for_in_an_hour_is_gone),
        cmocka_unit_test(test_what_was_used_longest_ago_gives_way),
        cmocka_unit_test(test_a_torn_place_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
