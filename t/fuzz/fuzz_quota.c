/*
 * llm_quota's words, one a line.  What is refused says why; what is taken has
 * limits and subjects within bounds, different buckets for its limits and for
 * different subjects, and texts and headers that fit.
 */

#include "tg_quota.h"
#include "tg_when.h"

#include <stdlib.h>

#define CHECK(cond)  do { if (!(cond)) { abort(); } } while (0)
#define WORDS_MAX    32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static tg_str_t
tag(void *data, tg_str_t name)
{
    (void) name;

    return *(const tg_str_t *) data;
}


static void
check_quota(const tg_quota_t *q)
{
    CHECK(q->npers >= 1 && q->npers <= TG_QUOTA_PER_MAX);
    CHECK(q->nlimits >= 1 && q->nlimits <= TG_QUOTA_LIMITS_MAX);
    CHECK(q->wait_ms >= 0 && q->wait_ms <= TG_QUOTA_WAIT_MAX);

    for (unsigned i = 0; i < q->nlimits; i++) {
        CHECK(q->limits[i].cap > 0 && q->limits[i].cap <= TG_QUOTA_CAP_MAX);
        CHECK(q->limits[i].limit >= 0
              && q->limits[i].limit <= TG_QUOTA_CAP_MAX);
        CHECK(q->limits[i].prefix_len > 0
              && q->limits[i].prefix_len <= TG_QUOTA_PREFIX_MAX);
    }

    for (unsigned i = 1; i < TG_LEDGER_ALERTS_MAX; i++) {
        CHECK(q->alert[i] == 0 || q->alert[i] > q->alert[i - 1]);
    }
}


static void
check_items(const tg_quotas_t *quotas, tg_quota_call_t *call)
{
    char               text[TG_QUOTA_TEXT_MAX];
    int64_t            actual[TG_LEDGER_ITEMS_MAX];
    unsigned           n;
    tg_error_t         err = { 0 };
    tg_quota_used_t    used = { 1, 2, 3, 4 };
    tg_quota_items_t   items, other;
    tg_quota_header_t  h[TG_QUOTA_HEADERS_MAX];
    tg_ledger_state_t  states[TG_LEDGER_ITEMS_MAX];

    if (tg_quota_items(quotas, NULL, 0, call, &items, &err) != TG_OK) {
        CHECK(err.message[0] != '\0' && err.code != 0 && items.n == 0);
        return;
    }

    memset(states, 0, sizeof(states));
    tg_quota_actual(&items, &used, actual);
    call->subject[TG_PER_KEY] = tg_str("other");
    CHECK(tg_quota_items(quotas, NULL, 0, call, &other, &err) == TG_OK);
    CHECK(other.n == items.n);

    for (unsigned i = 0; i < items.n; i++) {
        bool  per = items.quota[i]->per[0].kind == TG_PER_KEY;

        CHECK(items.items[i].amount >= 0 && actual[i] >= 0);
        CHECK((memcmp(items.items[i].key, other.items[i].key, 16) != 0) >= per);

        for (unsigned k = 0; k < i; k++) {
            CHECK(memcmp(items.items[i].key, items.items[k].key, 16) != 0);
        }

        states[i].limit = items.items[i].limit;
        states[i].used = INT64_MAX;
        states[i].held = INT64_MAX;
        states[i].reset = items.items[i].window.end;
        CHECK(tg_quota_refusal(text, sizeof(text), &items, i, &states[i],
                               TG_LEDGER_REFUSED, call) <= sizeof(text));
    }

    n = tg_quota_headers(&items, states, TG_SHAPE_ANTHROPIC, call->now, h);
    CHECK(n <= TG_QUOTA_HEADERS_MAX);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const tg_bound_t  bound = { 10, 20, 30, 20, 1 };

    tg_str_t         words[WORDS_MAX], all = { (const char *) data, size };
    unsigned         n = 0;
    tg_when_t        when;
    tg_error_t       err = { 0 };
    tg_arena_t      *arena = tg_arena_create(0);
    const char      *end;
    tg_quotas_t      quotas;
    tg_quota_call_t  call;

    CHECK(arena != NULL);

    for (const char *p = all.p; n < WORDS_MAX && p < all.p + size; p = end + 1)
    {
        end = memchr(p, '\n', (size_t) (all.p + size - p));
        end = end == NULL ? all.p + size : end;
        words[n++] = tg_str_of(p, (size_t) (end - p));
    }

    memset(&quotas, 0, sizeof(quotas));
    memset(&call, 0, sizeof(call));
    memset(&when, 0, sizeof(when));

    if (tg_quotas_add(&quotas, tg_arena_mem(arena), words, n, &err) != TG_OK
        || tg_quotas_finish(&quotas, tg_arena_mem(arena), tg_str_null, &err)
           != TG_OK)
    {
        CHECK(err.message[0] != '\0');

    } else {
        check_quota(quotas.list[0]);

        call.subject[TG_PER_KEY] = all;
        call.subject[TG_PER_SESSION] = all;
        call.tag = tag;
        call.tag_data = &all;
        call.same = all;
        call.now = INT64_C(1767225600000);
        call.get = tg_when_get;
        call.get_data = &when;
        call.bound = &bound;

        check_items(&quotas, &call);
    }

    tg_quotas_destroy(&quotas);
    tg_arena_destroy(arena);

    return 0;
}
