#include "tg_price_int.h"

#include <stdatomic.h>
#include <stdlib.h>

#define TG_PRICE_MEMO  64

/* What a model was found to be priced as; in one piece with its strings. */
typedef struct {
    const tg_price_t  *price;
    tg_str_t           provider;
    tg_str_t           model;
} tg_price_found_t;

/*
 * A slot is filled once and never again: whoever has read it may go on looking
 * at what it holds, whatever the other threads do.
 */
struct tg_price_memo_s {
    _Atomic(tg_price_found_t *)  slot[TG_PRICE_MEMO];
};


tg_price_memo_t *
tg_price_memo_create(void)
{
    return calloc(1, sizeof(tg_price_memo_t));
}


void
tg_price_memo_clear(tg_price_memo_t *memo)
{
    for (size_t i = 0; i < TG_PRICE_MEMO; i++) {
        free(atomic_exchange(&memo->slot[i], NULL));
    }
}


void
tg_price_memo_destroy(tg_price_memo_t *memo)
{
    if (memo != NULL) {
        tg_price_memo_clear(memo);
        free(memo);
    }
}


/* By both ends of the model's name, where models differ. */
static size_t
tg_price_memo_slot(tg_str_t provider, tg_str_t model)
{
    uint64_t  first = 0, last = 0;

    if (model.len >= sizeof(first)) {
        memcpy(&first, model.p, sizeof(first));
        memcpy(&last, model.p + model.len - sizeof(last), sizeof(last));

    } else if (model.len != 0) {
        memcpy(&first, model.p, model.len);
    }

    first = (first ^ (last << 7 | last >> 57)) + model.len + provider.len;

    return (size_t) (first * UINT64_C(0x9e3779b97f4a7c15) >> 58)
           % TG_PRICE_MEMO;
}


const tg_price_t *
tg_price_memo_find(tg_price_memo_t *memo, tg_str_t provider, tg_str_t model)
{
    size_t             i = tg_price_memo_slot(provider, model);
    tg_price_found_t  *f;

    f = atomic_load_explicit(&memo->slot[i], memory_order_acquire);

    return f != NULL && tg_str_eq(f->model, model)
           && tg_str_eq(f->provider, provider) ? f->price : NULL;
}


void
tg_price_memo_add(tg_price_memo_t *memo, tg_str_t provider, tg_str_t model,
    const tg_price_t *price)
{
    char              *text;
    size_t             i = tg_price_memo_slot(provider, model);
    tg_price_found_t  *f, *none = NULL;

    if (atomic_load_explicit(&memo->slot[i], memory_order_relaxed) != NULL
        || model.len > TG_PRICE_NAME_MAX || provider.len > TG_PRICE_NAME_MAX)
    {
        return;
    }

    f = malloc(sizeof(tg_price_found_t) + provider.len + model.len + 1);
    if (f == NULL) {
        return;
    }

    text = (char *) (f + 1);

    f->price = price;
    f->provider = tg_str_of(text, provider.len);
    f->model = tg_str_of(text + provider.len, model.len);

    if (provider.len != 0) {
        memcpy(text, provider.p, provider.len);
    }

    if (model.len != 0) {
        memcpy(text + provider.len, model.p, model.len);
    }

    if (!atomic_compare_exchange_strong(&memo->slot[i], &none, f)) {
        free(f);
    }
}
