#include "focus/commit_file.h"
#include "focus/focus.h"
#include "rows/fold.h"
#include "invoice/invoice.h"

#include "tg_money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>


static void
add(fold_t *f, int64_t n, tg_str_t s, int64_t v)
{
    int64_t  *sum;

    fold_key(f);
    fold_int(f, n);
    fold_str(f, s);
    sum = fold_value(f);
    assert_non_null(sum);
    *sum += v;
}


static void
expect(const fold_t *f, size_t i, int64_t n, tg_str_t s, int64_t v)
{
    char         buf[64];
    int64_t     *sum;
    tg_str_t     got;
    fold_key_t   key;

    sum = fold_at(f, i, &key);
    assert_int_equal(*sum, v);
    assert_int_equal(fold_next_int(&key), n);
    got = fold_next_str(&key, buf, sizeof(buf));
    assert_true(tg_str_eq(got, s));
}


static void
test_sums_by_keys_in_their_order(void **state)
{
    fold_t  *f = fold_new(sizeof(int64_t));

    (void) state;
    add(f, 1, tg_str("b"), 1);
    add(f, -5, tg_str("z"), 2);
    add(f, 1, tg_str("a\0b"), 4);
    add(f, 1, tg_str("a"), 8);
    add(f, 1, tg_str("a\1"), 16);
    add(f, 1, tg_str("ab"), 32);
    add(f, INT64_MAX, tg_str(""), 64);
    add(f, INT64_MIN, tg_str(""), 128);
    add(f, 1, tg_str("b"), 1);

    assert_int_equal(fold_count(f), 8);
    fold_sort(f);
    expect(f, 0, INT64_MIN, tg_str(""), 128);
    expect(f, 1, -5, tg_str("z"), 2);
    expect(f, 2, 1, tg_str("a"), 8);
    expect(f, 3, 1, tg_str("a\0b"), 4);
    expect(f, 4, 1, tg_str("a\1"), 16);
    expect(f, 5, 1, tg_str("ab"), 32);
    expect(f, 6, 1, tg_str("b"), 2);
    expect(f, 7, INT64_MAX, tg_str(""), 64);
    fold_free(f);
}


static void
test_keys_have_a_cap(void **state)
{
    static char  big[20000];
    int64_t      n;
    fold_t      *f = fold_new(sizeof(int64_t));

    (void) state;

    for (n = 0; n < 2 * FOLD_KEYS_MAX; n++) {
        fold_key(f);
        fold_int(f, n);
        if (fold_value(f) == NULL) {
            break;
        }
    }

    assert_int_equal(n, FOLD_KEYS_MAX);
    assert_true(fold_failed(f));
    fold_free(f);

    f = fold_new(8);
    fold_key(f);
    fold_str(f, tg_str_of(big, sizeof(big)));
    assert_null(fold_value(f));
    assert_true(fold_failed(f));
    fold_free(f);
}


/* price * quantity / scale, rounded to nano-dollars, where it fits: that of
 * the price is cut behind the digits that matter. */
static int64_t
product(tg_str_t price, int64_t quantity, int64_t scale)
{
    int       d = -1;
    __int128  v = 0, unit = 1;

    for (size_t i = 0; i < price.len && d < 12; i++) {
        if (price.p[i] == '.') {
            d = 0;
            continue;
        }
        v = v * 10 + (price.p[i] - '0');
        d += d >= 0;
    }

    for (int i = 0; i < d; i++) {
        unit *= 10;
    }

    v = v * quantity * TG_NUSD_PER_USD;
    unit *= scale;

    return (int64_t) ((v + unit / 2) / unit);
}


static void
price(int64_t cost, int64_t quantity, int64_t scale, const char *want)
{
    char      buf[FOCUS_PRICE_SIZE];
    tg_str_t  s = focus_price(buf, cost, quantity, scale);

    if (!tg_str_eq(s, tg_strz(want))) {
        fail_msg("%.*s, not %s", (int) s.len, s.p, want);
    }
}


static void
test_the_shortest_price_that_gives_the_cost(void **state)
{
    char      buf[FOCUS_PRICE_SIZE];
    int64_t   cost, quantity;
    tg_str_t  s;

    (void) state;
    price(0, 5, 1000000, "0");
    price(2500, 1, 1000000, "2.5");
    price(2500, 1000, 1000000, "0.0025");
    price(25000000, 10000, 1000000, "2.5");
    price(150, 1000, 1000000, "0.00015");
    price(999999999, 1, 1, "0.999999999");
    price(1000000000, 3, 1, "0.3333333333");
    price(2000000000, 3, 1, "0.6666666667");
    price(INT64_MAX, 1, 1, "9223372036.854775807");

    srand(7);

    for (int i = 0; i < 20000; i++) {
        cost = rand() % 1000000000;
        quantity = 1 + rand() % 100000000;
        s = focus_price(buf, cost, quantity, 1000000);
        assert_true(s.len < 30);

        if (s.len <= 12) {
            assert_int_equal(product(s, quantity, 1000000), cost);
        }
    }
}


static void
number(record_t *r, record_number_t n, int64_t v)
{
    r->number[n] = v;
    r->has |= UINT64_C(1) << n;
}


static void
sums(const record_t *r, int64_t cost, int64_t list)
{
    focus_part_t  parts[FOCUS_CLASSES];

    focus_parts(r, parts);

    for (unsigned i = 0; i < FOCUS_CLASSES; i++) {
        cost -= parts[i].cost;
        list -= parts[i].list;
        assert_true(parts[i].quantity >= 0);
        assert_true(parts[i].quantity != 0
                    || (parts[i].cost == 0 && parts[i].list == 0));
    }

    assert_int_equal(cost, 0);
    assert_int_equal(list, 0);
}


static void
test_parts_add_up_to_the_line(void **state)
{
    record_t      r;
    focus_part_t  parts[FOCUS_CLASSES];

    (void) state;
    memset(&r, 0, sizeof(r));
    number(&r, REC_INPUT, 1000);
    number(&r, REC_CACHE_READ, 600);
    number(&r, REC_OUTPUT, 100);
    number(&r, REC_COST_INPUT, 400 * 3000);
    number(&r, REC_COST_CACHE_READ, 600 * 300);
    number(&r, REC_COST_OUTPUT, 100 * 15000);
    number(&r, REC_COST, 400 * 3000 + 600 * 300 + 100 * 15000);
    number(&r, REC_COST_LIST, 1000 * 3000 + 100 * 15000);
    sums(&r, 2880000, 4500000);

    focus_parts(&r, parts);
    assert_int_equal(parts[FOCUS_INPUT].quantity, 400);
    assert_int_equal(parts[FOCUS_CACHE_READ].list, 600 * 3000);
    assert_int_equal(parts[FOCUS_OUTPUT].list, 100 * 15000);

    number(&r, REC_COST, 2880000 + 7);          /* more than its parts */
    sums(&r, 2880007, 4500000);
    number(&r, REC_CACHE_READ, 5000);           /* more than all of it */
    sums(&r, 2880007, 4500000);

    memset(&r, 0, sizeof(r));
    number(&r, REC_COST, 42);                   /* what was held */
    sums(&r, 42, 42);
    number(&r, REC_INPUT, 7);                   /* a provider's word */
    sums(&r, 42, 42);

    memset(&r, 0, sizeof(r));
    number(&r, REC_INPUT, 30);                  /* of a cache here */
    number(&r, REC_OUTPUT, 10);
    number(&r, REC_COST_LIST, 1001);
    number(&r, REC_COST, 0);
    sums(&r, 0, 1001);

    memset(&r, 0, sizeof(r));
    sums(&r, 0, 0);
}


static void
model(const char *name, const char *want)
{
    char      buf[INVOICE_MODEL_SIZE];
    tg_str_t  s = invoice_model(buf, tg_strz(name));

    if (!tg_str_eq(s, tg_strz(want))) {
        fail_msg("%s is %.*s, not %s", name, (int) s.len, s.p, want);
    }
}


static void
test_one_model_by_many_names(void **state)
{
    (void) state;
    model("gpt-4o-2024-08-06", "gpt-4o");
    model("gpt-4o-2024-08-06, cached input", "gpt-4o");
    model("gpt-5-nano, input_tokens", "gpt-5-nano");
    model("GPT-4o mini", "gpt-4o-mini");
    model("gpt-4-0613", "gpt-4-0613");
    model("o3-mini-2025-01-31", "o3-mini");
    model("Claude Haiku 3.5", "claude-haiku-3-5");
    model("claude-3-5-haiku-20241022", "claude-haiku-3-5");
    model("claude-3-5-haiku-latest", "claude-haiku-3-5");
    model("claude-sonnet-4-5-20250929", "claude-sonnet-4-5");
    model("Claude Opus 4.1", "claude-opus-4-1");
    model("claude-3-opus-20240229", "claude-opus-3");
    model("bedrock/haiku", "haiku");
    model("text-embedding-3-small", "text-embedding-3-small");
    model("", "");
    model("---", "");
    model("20241022", "20241022");
    model("a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q-r-s",
          "a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p");
}


/* Of any cut of it, and of noise, an invoice is read or refused. */
static bool
row_sum(void *data, const invoice_row_t *row)
{
    *(int64_t *) data = tg_money_add(*(int64_t *) data, row->nusd);

    return true;
}


static void
test_invoices_cut_anywhere(void **state)
{
    static const char  text[] =
        "\xef\xbb\xbf\"Model\",\"Cost (USD)\",Date\r\n"
        "\"gpt-4o, \"\"x\"\"\",\"$1,234.50\",2026-10-01\r\n\r\n"
        "b,(0.5),1790812800\n\"c\nd\",-1.5e-07,2026-10-02T00:00:00Z\n"
        "total,99,\n";

    int                fd;
    char               name[] = "/tmp/test_invoice_XXXXXX";
    FILE              *err = freopen("/dev/null", "w", stderr);
    int64_t            sum = 0;
    invoice_t          invoice;
    invoice_columns_t  columns = { NULL, NULL, NULL, false };

    (void) state;
    assert_non_null(err);
    fd = mkstemp(name);
    assert_true(fd != -1);

    for (size_t n = 0; n <= sizeof(text) - 1; n++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, text, n, 0), (ssize_t) n);
        sum = 0;
        (void) invoice_read(name, &columns, row_sum, &sum, &invoice);
    }

    assert_int_equal(sum, INT64_C(1234500000000) - 500000000 - 150);
    assert_int_equal(invoice.nusd, sum);
    assert_int_equal(invoice.rows, 3);
    assert_int_equal(invoice.first, INT64_C(1790812800000));
    assert_int_equal(invoice.last, INT64_C(1790899200000));
    close(fd);
    unlink(name);
}


/* What would be another sum is refused. */
static void
test_invoices_that_are_ambiguous(void **state)
{
    static const struct {
        const char  *text;
        int64_t      nusd;              /* -1: refused */
    } is[] = {
        { "model,cost\na,\"1,234.50\"\n", INT64_C(1234500000000) },
        { "model,cost\na,\"1,234,567\"\n", INT64_C(1234567000000000) },
        { "model,cost\na,\"12,50\"\n", -1 },
        { "model,cost\na,\"1234,500\"\n", -1 },
        { "model,cost\na,1,234.50\n", -1 },
        { "model,cost\na,1,\n", 1000000000 },
        { "model;cost\na;12,50\n", -1 },
        { "model;cost\na;1,234\n", -1 },
        { "model;cost\na;1,234.5\n", INT64_C(1234500000000) },
        { "model;cost\na;1.234,56\n", -1 },
        { "model,cost\na,1\n\"b,2\nc,3\n", -1 },
        { "model,cost\na,12 \xe2\x82\xac\n", -1 }
    };

    int                fd;
    bool               ok;
    char               name[] = "/tmp/test_invoice_XXXXXX";
    FILE              *err = freopen("/dev/null", "w", stderr);
    int64_t            sum;
    invoice_t          invoice;
    invoice_columns_t  columns = { NULL, NULL, NULL, false };

    (void) state;
    assert_non_null(err);
    fd = mkstemp(name);
    assert_true(fd != -1);

    for (size_t i = 0; i < sizeof(is) / sizeof(is[0]); i++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_true(pwrite(fd, is[i].text, strlen(is[i].text), 0) > 0);
        sum = 0;
        ok = invoice_read(name, &columns, row_sum, &sum, &invoice);
        assert_int_equal(ok, is[i].nusd >= 0);
        assert_true(!ok || sum == is[i].nusd);
    }

    close(fd);
    unlink(name);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_sums_by_keys_in_their_order),
        cmocka_unit_test(test_keys_have_a_cap),
        cmocka_unit_test(test_the_shortest_price_that_gives_the_cost),
        cmocka_unit_test(test_parts_add_up_to_the_line),
        cmocka_unit_test(test_one_model_by_many_names),
        cmocka_unit_test(test_invoices_cut_anywhere),
        cmocka_unit_test(test_invoices_that_are_ambiguous)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
