/*
 * Price files.  Whatever is loaded: each entry is found by its own key, a call
 * costs the sum of its parts, no more than the bound says, and a discount or a
 * cache hit never makes an amount negative.  Whatever is refused says why.
 */

#include "tg_price.h"
#include "tg_price_int.h"

#include <stdlib.h>

#define CHECK(cond)  do { if (!(cond)) { abort(); } } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check_cost(const tg_price_book_t *book, const tg_price_t *price, tg_tier_t tier,
    int64_t n)
{
    tg_cost_t   c;
    tg_usage_t  u;

    tg_usage_init(&u);

    u.source = TG_USAGE_REPORTED;
    u.input = n;
    u.output = n / 3;
    u.cache_read = n / 4;
    u.cache_write = n / 5;
    u.cache_write_1h = n / 7;
    u.audio_input = n / 11;
    u.image_input = n / 13;
    u.reasoning = n / 6;
    u.audio_output = n / 17;
    u.image_output = n / 19;

    tg_price_cost(book, price, tg_str("openai"), &u, tier, &c);

    CHECK(c.input >= 0 && c.cache_read >= 0 && c.cache_write >= 0);
    CHECK(c.output >= 0 && c.tools >= 0 && c.extra == 0 && c.list >= 0);

    CHECK(c.total == tg_money_add(
        tg_money_add(tg_money_add(c.input, c.cache_read),
                     tg_money_add(c.cache_write, c.output)), c.tools));

    CHECK(c.total <= tg_price_bound(price, u.input, u.output, tier));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t  counts[] = { 0, 1, 999, 250000, INT64_MAX };

    size_t             i, n = 0;
    tg_str_t           text = { (const char *) data, size };
    tg_error_t         err;
    tg_price_book_t   *book;
    const tg_price_t  *p;

    book = tg_price_book_create();
    CHECK(book != NULL);

    err.message[0] = '\0';

    if (tg_price_book_add(book, tg_str("fuzz"), text, &err) != TG_OK) {
        CHECK(err.message[0] != '\0' && err.code != 0);
        tg_price_book_destroy(book);
        return 0;
    }

    for (p = tg_price_first(book); p != NULL; p = p->next, n++) {
        CHECK(tg_price_get(book, p->id) == p);

        for (i = 0; i < sizeof(counts) / sizeof(counts[0]) && n < 16; i++) {
            check_cost(book, p, (tg_tier_t) (i % 4), counts[i]);
            check_cost(book, p, TG_TIER_BATCH, counts[i]);
        }
    }

    CHECK(n == tg_price_book_models(book));

    /* the bytes once more as a model's name, and as a price */

    (void) tg_price_find(book, tg_str("aws.bedrock"), text);
    (void) tg_money_parse(text, 9);

    /* adding a text again changes nothing but the hash */

    CHECK(tg_price_book_add(book, tg_str("fuzz"), text, &err) == TG_OK);
    CHECK(tg_price_book_models(book) == n);

    tg_price_book_destroy(book);

    return 0;
}
