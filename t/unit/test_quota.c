#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ledger_memory.h"
#include "tg_quota.h"
#include "tg_when.h"

#include <stdio.h>

#define NOW  INT64_C(1767225600000)     /* 2026-01-01T00:00:00Z */

static tg_arena_t  *arena;


static unsigned
split(const char *line, tg_str_t *words)
{
    unsigned     n = 0;
    const char  *end;

    while (*line != '\0') {
        end = strchr(line, '|');
        end = end == NULL ? line + strlen(line) : end;
        words[n++] = tg_str_of(line, (size_t) (end - line));
        line = *end == '|' ? end + 1 : end;
    }

    return n;
}


/* Words with | between. */
static int
add(tg_quotas_t *quotas, const char *line, tg_error_t *err)
{
    tg_str_t  words[64];
    unsigned  n = split(line, words);

    return tg_quotas_add(quotas, tg_arena_mem(arena), words, n, err);
}


static tg_quotas_t *
quotas_of(const char *const *lines)
{
    tg_error_t    err;
    tg_quotas_t  *quotas = tg_zalloc(tg_arena_mem(arena), sizeof(*quotas));

    for ( /* void */ ; *lines != NULL; lines++) {
        if (add(quotas, *lines, &err) != TG_OK) {
            fail_msg("%s: %s", *lines, err.message);
        }
    }

    if (tg_quotas_finish(quotas, tg_arena_mem(arena), tg_str_null, &err)
        != TG_OK)
    {
        fail_msg("%s", err.message);
    }

    return quotas;
}

#define QUOTAS(...)  quotas_of((const char *const[]) { __VA_ARGS__, NULL })


static tg_str_t
tag(void *data, tg_str_t name)
{
    return tg_str_eq(name, tg_str("app")) ? tg_strz(data) : tg_str_null;
}


static const tg_bound_t  some = { 1000, 500, 2500000, 500, 1 };


static tg_quota_call_t
a_call(void)
{
    static char      app[] = "bot";
    tg_quota_call_t  call;

    memset(&call, 0, sizeof(call));
    call.subject[TG_PER_KEY] = tg_str("k1");
    call.subject[TG_PER_TEAM] = tg_str("search");
    call.subject[TG_PER_MODEL] = tg_str("gpt-4o");
    call.subject[TG_PER_SESSION] = tg_str("s-1");
    call.configured = 1u << TG_PER_KEY | 1u << TG_PER_TEAM;
    call.tag = tag;
    call.tag_data = app;
    call.now = NOW;
    call.bound = &some;
    call.same = tg_str("0123456789abcdef");

    return call;
}


static void
items_of(const tg_quotas_t *quotas, const tg_quota_call_t *call,
    tg_quota_items_t *items)
{
    tg_error_t  err;

    if (tg_quota_items(quotas, NULL, 0, call, items, &err) != TG_OK) {
        fail_msg("%s", err.message);
    }
}


static void
test_an_estimate_is_for_who_asks_for_it(void **state)
{
    tg_quotas_t      *quotas = QUOTAS("a|per=key|output_tokens=1k/day",
                                      "b|per=key|tokens=1k/day|"
                                      "estimate=calibrated");
    tg_bound_t        bound = { 100, 50, 7, 50, 1 };
    tg_bound_t        likely = { 20, 10, 2, 10, 1 };
    tg_quota_call_t   call;
    tg_quota_items_t  items;

    (void) state;

    assert_true(quotas->calibrated);

    memset(&call, 0, sizeof(call));
    call.bound = &bound;
    items_of(quotas, &call, &items);
    assert_int_equal(items.items[0].amount, 50);
    assert_int_equal(items.items[1].amount, 150);

    call.likely = &likely;
    items_of(quotas, &call, &items);
    assert_int_equal(items.items[0].amount, 50);
    assert_int_equal(items.items[1].amount, 30);
}


static void
test_a_quota_is_read_whole(void **state)
{
    tg_quotas_t *quotas = QUOTAS("task|per=key+session+tag:app|usd=2.50/hour|"
                                 "tokens=200k/minute|requests=1M/month|"
                                 "concurrent=5|alert=100%,50%,80%|stop=120%|"
                                 "action=throttle|wait=30s|clamp=min:256|"
                                 "estimate=bound|repeats=5|latch|dry_run|"
                                 "when=model ~ '^gpt'");
    const tg_quota_t  *q = tg_quotas_find(quotas, tg_str("task"));

    assert_non_null(q);
    assert_int_equal(q->npers, 3);
    assert_int_equal(q->per[2].kind, TG_PER_TAG);
    assert_string_equal(q->per[2].tag.p, "app");
    assert_int_equal(q->nlimits, 5);
    assert_int_equal(q->limits[0].measure, TG_MEASURE_USD);
    assert_int_equal(q->limits[0].cap, 2500000000);
    assert_int_equal(q->limits[0].limit, 3000000000);
    assert_int_equal(q->clamp, 256);
    assert_false(q->calibrated || quotas->calibrated);
    assert_int_equal(q->limits[0].window.kind, TG_WINDOW_HOUR);
    assert_int_equal(q->limits[1].cap, 200000);
    assert_int_equal(q->limits[2].cap, 1000000);
    assert_int_equal(q->limits[2].window.kind, TG_WINDOW_MONTH);
    assert_int_equal(q->limits[3].measure, TG_MEASURE_CONCURRENT);
    assert_int_equal(q->limits[3].limit, 6);
    assert_int_equal(q->limits[4].measure, TG_MEASURE_REPEATS);
    assert_int_equal(q->limits[4].limit, 5);
    assert_int_equal(q->limits[4].window.kind, TG_WINDOW_HOUR);
    assert_memory_equal(q->alert, ((uint8_t[]) { 50, 80, 100, 0, 0, 0 }), 6);
    assert_int_equal(q->wait_ms, 30000);
    assert_int_equal(q->clamp, 256);
    assert_true(q->latch && q->dry_run && q->when != NULL);

    tg_quotas_destroy(quotas);
    (void) state;
}


static void
test_what_is_not_said_has_a_default(void **state)
{
    tg_quotas_t *quotas = QUOTAS("a|per=team|usd=9000000/month",
                                 "b|per=all|requests=1/second|action=throttle",
                                 "c|per=session|usd=2|idle=30m|repeats=3",
                                 "d|per=ip|tokens=1.5k/idle=1h",
                                 "e|per=session|repeats=2");

    assert_int_equal(quotas->list[0]->wait_ms, TG_QUOTA_WAIT);
    assert_int_equal(quotas->list[0]->limits[0].limit,
                     INT64_C(9000000000000000));
    assert_int_equal(quotas->list[0]->action, TG_ACTION_REJECT);
    assert_int_equal(quotas->list[0]->alert[0], 0);
    assert_int_equal(quotas->list[1]->wait_ms, TG_QUOTA_THROTTLE);
    assert_int_equal(quotas->list[2]->limits[0].window.kind, TG_WINDOW_IDLE);
    assert_int_equal(quotas->list[2]->limits[0].window.idle_ms, 1800000);
    assert_int_equal(quotas->list[2]->limits[1].window.idle_ms, 1800000);
    assert_int_equal(quotas->list[3]->per[0].kind, TG_PER_CLIENT);
    assert_int_equal(quotas->list[3]->limits[0].cap, 1500);
    assert_int_equal(quotas->list[4]->limits[0].window.kind, TG_WINDOW_HOUR);

    (void) state;
}


static void
test_bad_words_are_named(void **state)
{
    static const struct {
        const char  *line;
        const char  *part;
    } cases[] = {
        { "", "is not of letters" },
        { "a b|per=key|usd=1/day", "name \"a b\"" },
        { "a", "needs per=" },
        { "a|usd=1/day", "needs per=" },
        { "a|per=key", "limits nothing" },
        { "a|per=|usd=1/day", "unknown per=;" },
        { "a|per=keys|usd=1/day", "unknown per=keys" },
        { "a|per=key+|usd=1/day", "unknown per=" },
        { "a|per=key+key|usd=1/day", "says key twice" },
        { "a|per=key+all|usd=1/day", "stands alone" },
        { "a|per=key|per=team|usd=1/day", "given twice" },
        { "a|per=tag:|usd=1/day", "no tag's name" },
        { "a|per=key+user+team+org+model|usd=1/day", "more than 4" },
        { "a|per=key|usd=1", "usd= lacks its window" },
        { "a|per=key|usd=/day", "\"usd=/day\" takes an amount" },
        { "a|per=key|usd=0/day", "above 0" },
        { "a|per=key|usd=-1/day", "above 0" },
        { "a|per=key|usd=$5/day", "above 0" },
        { "a|per=key|usd=k/day", "above 0" },
        { "a|per=key|usd=9000000.01/month", "9.0 million" },
        { "a|per=key|usd=10M/month", "9.0 million" },
        { "a|per=key|usd=1e4/month", "above 0" },
        { "a|per=key|usd=1.2.3/month", "above 0" },
        { "a|per=key|usd=.5/month", "above 0" },
        { "a|per=key|usd=007/month", "above 0" },
        { "a|per=key|usd=99999999999999999999999/month", "9.0 million" },
        { "a|per=key|usd=0.0000000001/day", "nano-dollars" },
        { "a|per=key|tokens=1.5/day", "whole number" },
        { "a|per=key|tokens=9000001G/day", "at most 9,000" },
        { "a|per=key|usd=1/year", "a window is /second" },
        { "a|per=key|usd=1/idle=x", "a window is /second" },
        { "a|per=key|usd=1/day/hour", "a window is /second" },
        { "a|per=key|concurrent=5/minute", "no window" },
        { "a|per=key|usd=1/day|usd=2/day", "twice in one window" },
        { "a|per=key|usd=1/day|usd=9M/month|stop=101%", "more than there is" },
        { "a|per=key|usd=1/day|alert=50", "not \"50\"" },
        { "a|per=key|usd=1/day|alert=0%", "not \"0%\"" },
        { "a|per=key|usd=1/day|alert=256%", "not \"256%\"" },
        { "a|per=key|usd=1/day|alert=50%,,60%", "not \"\"" },
        { "a|per=key|usd=1/day|alert=50%,50%", "says 50% twice" },
        { "a|per=key|usd=1/day|alert=1%,2%,3%,4%,5%,6%,7%", "more than 6" },
        { "a|per=key|usd=1/day|stop=0%", "stop= takes" },
        { "a|per=key|usd=1/day|stop=50%|stop=60%", "stop= is given twice" },
        { "a|per=key|usd=1/day|action=elsewhere", "reject, throttle" },
        { "a|per=key|usd=1/day|wait=6m", "up to 5m" },
        { "a|per=key|usd=1/day|clamp=256", "min:<tokens>" },
        { "a|per=key|usd=1/day|clamp=min:0", "min:<tokens>" },
        { "a|per=key|usd=1/day|estimate=guess", "bound or calibrated" },
        { "a|per=key|usd=1/day|repeats=0", "from 1" },
        { "a|per=key|usd=1/day|repeats=2|repeats=3", "given twice" },
        { "a|per=key|usd=1/day|idle=1h", "no effect" },
        { "a|per=key|usd=1|idle=0", "idle= takes" },
        { "a|per=key|usd=1/day|when=modell == 'a'", "is it model" },
        { "a|per=key|usd=1/day|when=tools|when=tools", "given twice" },
        { "a|per=key|usd=1/day|latched", "unknown word \"latched\"" },
        { "a|per=key|usd=1/day|cost=4", "unknown parameter \"cost\"" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tg_error_t   err = { 0 };
        tg_quotas_t  quotas;

        memset(&quotas, 0, sizeof(quotas));

        if (add(&quotas, cases[i].line, &err) == TG_OK
            || strstr(err.message, cases[i].part) == NULL)
        {
            fail_msg("\"%s\" said \"%s\"", cases[i].line, err.message);
        }

        assert_int_equal(quotas.n, 0);
    }

    (void) state;
}


static void
test_names_are_unique_and_used_names_exist(void **state)
{
    tg_error_t   err;
    tg_quotas_t  quotas;

    memset(&quotas, 0, sizeof(quotas));
    assert_int_equal(add(&quotas, "a|per=key|usd=1/day|when=used(b) > 80%",
                         &err), TG_OK);
    assert_int_equal(add(&quotas, "a|per=key|usd=1/day", &err), TG_ERROR);
    assert_non_null(strstr(err.message, "twice"));
    assert_int_equal(tg_quotas_finish(&quotas, tg_arena_mem(arena),
                                      tg_str_null, &err), TG_ERROR);
    assert_non_null(strstr(err.message, "quota \"a\": \"b\" is the name of no"
                                        " quota"));
    assert_int_equal(add(&quotas, "b|per=all|usd=1/day", &err), TG_OK);
    assert_int_equal(tg_quotas_finish(&quotas, tg_arena_mem(arena),
                                      tg_str_null, &err), TG_OK);

    (void) state;
}


static void
test_a_call_holds_its_bound_of_each_measure(void **state)
{
    tg_quotas_t *quotas = QUOTAS("a|per=key|requests=9/minute|tokens=1M/hour|"
                                 "input_tokens=1M/day|output_tokens=1M/week|"
                                 "usd=5/month|concurrent=3|repeats=2|"
                                 "alert=80%");
    static const int64_t  holds[] = { 1, 1500, 1000, 500, 2500000, 1, 1 };
    static const int64_t  actuals[] = { 1, 30, 10, 20, 77, 0, 1 };

    tg_quota_call_t   call = a_call();
    tg_quota_used_t   used = { 1, 10, 20, 77 };
    tg_quota_items_t  items;
    int64_t           actual[TG_LEDGER_ITEMS_MAX];

    items_of(quotas, &call, &items);
    assert_int_equal(items.n, 7);
    tg_quota_actual(&items, &used, actual);

    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(items.items[i].amount, holds[i]);
        assert_int_equal(actual[i], actuals[i]);
        assert_int_equal(items.items[i].alert[0], i == 6 ? 0 : 80);
        assert_true(items.items[i].window.start <= NOW
                    && items.items[i].window.end > NOW);

        for (unsigned k = 0; k < i; k++) {
            assert_memory_not_equal(items.items[i].key, items.items[k].key,
                                    TG_LEDGER_KEY);
        }
    }

    assert_int_equal(items.items[5].flags, TG_LEDGER_CONCURRENT);
    assert_int_equal(items.items[5].window.end, TG_WINDOW_NEVER);
    assert_int_equal(items.items[6].flags, TG_LEDGER_INVENTED);

    memset(&used, 0, sizeof(used));
    tg_quota_actual(&items, &used, actual);

    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(actual[i], 0);
    }

    (void) state;
}


static void
keys_of(const tg_quotas_t *quotas, const tg_quota_call_t *call,
    unsigned char *key)
{
    tg_quota_items_t  items;

    items_of(quotas, call, &items);
    assert_int_equal(items.n, 1);
    memcpy(key, items.items[0].key, TG_LEDGER_KEY);
}


static void
test_buckets_differ_by_subject_and_definition_alone(void **state)
{
    tg_quotas_t *a = QUOTAS("a|per=team+tag:app|usd=1/day");
    tg_quotas_t *more = QUOTAS("a|per=team+tag:app|usd=9/day|stop=50%");
    tg_quotas_t *others[] = {
        QUOTAS("b|per=team+tag:app|usd=1/day"),
        QUOTAS("a|per=team+tag:app|usd=1/month"),
        QUOTAS("a|per=team+tag:app|tokens=1/day"),
        QUOTAS("a|per=tag:app+team|usd=1/day"),
        QUOTAS("a|per=team|usd=1/day"),
        QUOTAS("a|per=all|usd=1/day"),
        QUOTAS("a|per=user+tag:app|usd=1/day"),
        QUOTAS("a|per=team+tag:b|usd=1/day")
    };

    tg_error_t       err;
    tg_quota_call_t  call = a_call(), other = a_call();
    unsigned char    key[TG_LEDGER_KEY], k[TG_LEDGER_KEY];

    keys_of(a, &call, key);
    keys_of(more, &call, k);
    assert_memory_equal(key, k, TG_LEDGER_KEY);

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        keys_of(others[i], &call, k);
        assert_memory_not_equal(key, k, TG_LEDGER_KEY);
    }

    other.subject[TG_PER_TEAM] = tg_str("searchb");
    keys_of(a, &other, k);
    assert_memory_not_equal(key, k, TG_LEDGER_KEY);

    assert_int_equal(tg_quotas_finish(more, tg_arena_mem(arena),
                                      tg_str("Asia/Tokyo"), &err), TG_OK);
    keys_of(more, &call, k);
    assert_memory_not_equal(key, k, TG_LEDGER_KEY);

    (void) state;
}


static void
test_parts_of_subjects_do_not_run_together(void **state)
{
    tg_quotas_t      *q = QUOTAS("a|per=team+session|usd=1/day");
    tg_quota_call_t   call = a_call(), other = a_call();
    unsigned char     key[TG_LEDGER_KEY], k[TG_LEDGER_KEY];
    char              text[600];

    call.subject[TG_PER_TEAM] = tg_str("ab");
    call.subject[TG_PER_SESSION] = tg_str("c");
    other.subject[TG_PER_TEAM] = tg_str("a");
    other.subject[TG_PER_SESSION] = tg_str("bc");
    keys_of(q, &call, key);
    keys_of(q, &other, k);
    assert_memory_not_equal(key, k, TG_LEDGER_KEY);

    call.subject[TG_PER_TEAM] = tg_str_null;
    other.subject[TG_PER_TEAM] = tg_str("(none)");
    call.subject[TG_PER_SESSION] = other.subject[TG_PER_SESSION];
    keys_of(q, &call, key);
    keys_of(q, &other, k);
    assert_memory_not_equal(key, k, TG_LEDGER_KEY);

    memset(text, 'x', sizeof(text));
    call.subject[TG_PER_SESSION] = tg_str_of(text, 600);
    keys_of(q, &call, key);
    call.subject[TG_PER_SESSION] = tg_str_of(text, 599);
    keys_of(q, &call, k);
    assert_memory_not_equal(key, k, TG_LEDGER_KEY);

    (void) state;
}


static void
test_a_cache_of_keys_changes_nothing(void **state)
{
    tg_quotas_t       *q = QUOTAS("a|per=key+session|usd=1/day");
    tg_quota_call_t    call = a_call(), cached = a_call();
    unsigned char      key[TG_LEDGER_KEY], k[TG_LEDGER_KEY];
    char               text[200];
    tg_quota_cache_t  *cache = test_calloc(1, sizeof(*cache));

    cached.cache = cache;

    for (unsigned i = 0; i < 3000; i++) {
        int  n = snprintf(text, sizeof(text), "%0*u", (int) (i % 150),
                          i % 1000);

        call.subject[TG_PER_SESSION] = tg_str_of(text, (size_t) n);
        cached.subject[TG_PER_SESSION] = call.subject[TG_PER_SESSION];
        keys_of(q, &call, key);
        keys_of(q, &cached, k);
        assert_memory_equal(key, k, TG_LEDGER_KEY);
        keys_of(q, &cached, k);
        assert_memory_equal(key, k, TG_LEDGER_KEY);
    }

    test_free(cache);
    (void) state;
}


static void
test_missing_subjects_share_a_counted_bucket(void **state)
{
    tg_quotas_t      *q = QUOTAS("a|per=team|usd=1/day");
    tg_quota_call_t   call = a_call();
    unsigned char     key[TG_LEDGER_KEY], k[TG_LEDGER_KEY];
    char              text[128];

    call.subject[TG_PER_TEAM] = tg_str_null;
    keys_of(q, &call, key);
    call.subject[TG_PER_KEY] = tg_str("k2");
    keys_of(q, &call, k);
    assert_memory_equal(key, k, TG_LEDGER_KEY);

    text[tg_quota_subject(text, sizeof(text) - 1, q->list[0], &call)] = '\0';
    assert_string_equal(text, "team (none)");

    (void) state;
}


static void
test_what_clients_make_up_is_marked_with_who_did(void **state)
{
    tg_quotas_t      *q = QUOTAS("a|per=key+session|usd=1/day");
    tg_quota_call_t   call = a_call();
    tg_quota_items_t  items, other;

    items_of(q, &call, &items);
    assert_true(items.items[0].flags & TG_LEDGER_INVENTED);

    call.subject[TG_PER_SESSION] = tg_str("s-2");
    items_of(q, &call, &other);
    assert_int_equal(items.items[0].creator, other.items[0].creator);

    call.subject[TG_PER_KEY] = tg_str("k2");
    items_of(q, &call, &other);
    assert_int_not_equal(items.items[0].creator, other.items[0].creator);

    /* to have none is not made up */

    call.subject[TG_PER_SESSION] = tg_str_null;
    items_of(q, &call, &other);
    assert_false(other.items[0].flags & TG_LEDGER_INVENTED);

    (void) state;
}


static void
test_only_quotas_whose_condition_holds_apply(void **state)
{
    tg_quotas_t      *q = QUOTAS("a|per=key|usd=1/day|when=model == 'gpt-4o'",
                                 "b|per=key|usd=1/day|when=model != 'gpt-4o'",
                                 "c|per=key|usd=1/day|when=not (org == 'x')",
                                 "d|per=key|usd=1/day|when=tag(app) ~ '^b'",
                                 "e|per=key|usd=1/day|"
                                 "when=hour() == 0 and weekday() == 'thu'",
                                 "f|per=key|usd=1/day|"
                                 "when=header('X-A') == 'a' and max_tokens < 9"
                                 " and body_bytes == 1k and used(a) > 1%");
    tg_when_t         w;
    tg_quota_call_t   call = a_call();
    tg_quota_items_t  items;

    memset(&w, 0, sizeof(w));
    w.text[TG_WHEN_MODEL] = tg_str("gpt-4o");
    w.local_s = NOW / 1000;
    w.tag = tag;
    w.data = call.tag_data;
    call.get = tg_when_get;
    call.get_data = &w;
    call.scratch = tg_expr_scratch(tg_arena_mem(arena));

    items_of(q, &call, &items);
    assert_int_equal(items.n, 3);
    assert_string_equal(items.quota[0]->name.p, "a");
    assert_string_equal(items.quota[1]->name.p, "d");
    assert_string_equal(items.quota[2]->name.p, "e");
    tg_quotas_destroy(q);

    (void) state;
}


static void
test_what_has_no_price_or_bound_is_refused(void **state)
{
    tg_bound_t        unpriced = { 10, 10, TG_BOUND_UNKNOWN, 10, 1 };
    tg_bound_t        unbounded = { -1, 10, TG_BOUND_UNKNOWN, 10, 1 };
    tg_error_t        err;
    tg_quotas_t      *q = QUOTAS("r|per=key|requests=1/day",
                                 "a|per=key|usd=1/day");
    tg_quotas_t      *t = QUOTAS("b|per=key|tokens=1/day");
    tg_quotas_t      *dry = QUOTAS("c|per=key|usd=1/day|dry_run");
    tg_quota_call_t   call = a_call();
    tg_quota_items_t  items;

    call.bound = &unpriced;
    assert_int_equal(tg_quota_items(q, NULL, 0, &call, &items, &err), TG_ERROR);
    assert_int_equal(err.code, TG_QUOTA_UNPRICED);
    assert_non_null(strstr(err.message, "\"gpt-4o\" has no price"));
    assert_int_equal(items.n, 0);
    assert_string_equal(items.quota[0]->name.p, "a");

    assert_int_equal(tg_quota_items(t, NULL, 0, &call, &items, &err), TG_OK);

    call.bound = &unbounded;
    assert_int_equal(tg_quota_items(t, NULL, 0, &call, &items, &err), TG_ERROR);
    assert_int_equal(err.code, TG_QUOTA_UNBOUNDED);

    items_of(dry, &call, &items);
    assert_int_equal(items.items[0].amount, 0);
    assert_int_equal(items.items[0].flags, TG_LEDGER_DRY_RUN);

    (void) state;
}


static void
test_more_limits_than_a_transaction_has_are_refused(void **state)
{
    tg_error_t        err;
    tg_quotas_t      *q = QUOTAS("a|per=key|usd=1/day|usd=1/hour|usd=1/month|"
                                 "usd=1/week|usd=1/minute|usd=1/second|"
                                 "usd=1/total|tokens=1/day",
                                 "b|per=key|usd=1/day|usd=1/hour|usd=1/month|"
                                 "usd=1/week|usd=1/minute|usd=1/second|"
                                 "usd=1/total|tokens=1/day");
    tg_quotas_t      *more;
    tg_quota_call_t   call = a_call();
    tg_quota_items_t  items;

    items_of(q, &call, &items);
    assert_int_equal(items.n, 16);

    assert_int_equal(add(q, "c|per=all|usd=1/day", &err), TG_OK);
    more = q;
    assert_int_equal(tg_quotas_finish(more, tg_arena_mem(arena), tg_str_null,
                                      &err), TG_OK);
    assert_int_equal(tg_quota_items(more, NULL, 0, &call, &items, &err),
                     TG_ERROR);
    assert_int_equal(err.code, TG_QUOTA_CROWDED);
    assert_int_equal(items.n, 0);

    (void) state;
}


static tg_quota_t *
budget(const tg_quotas_t *quotas, tg_per_t per, const char *line)
{
    tg_error_t   err = { 0 };
    tg_str_t     words[16];
    unsigned     n = split(line, words);
    tg_quota_t  *q;

    q = tg_quota_budget(quotas, tg_arena_mem(arena), per, tg_str_null, words, n,
                        &err);
    if (q == NULL) {
        fail_msg("%s: %s", line, err.message);
    }

    return q;
}


static void
test_budgets_of_the_keys_file_are_quotas_too(void **state)
{
    tg_error_t         err;
    tg_str_t           per = tg_str("per=key");
    tg_quotas_t       *q = QUOTAS("a|per=key|usd=1/day");
    const tg_quota_t  *budgets[3] = {
        budget(q, TG_PER_KEY, "usd=1/day|alert=50%"),
        budget(q, TG_PER_TEAM, "usd=5/day|when=used(a) > 50%"),
        budget(q, TG_PER_TEAM, "usd=7/day")
    };
    tg_when_t          w;
    tg_quota_call_t    call = a_call();
    tg_quota_items_t   items;

    memset(&w, 0, sizeof(w));
    call.get = tg_when_get;
    call.get_data = &w;

    assert_int_equal(tg_quota_items(q, budgets, 3, &call, &items, &err), TG_OK);
    assert_int_equal(items.n, 3);
    assert_memory_not_equal(items.items[0].key, items.items[1].key, 16);
    assert_string_equal(items.quota[1]->name.p, "key");
    assert_int_equal(items.items[2].limit, 7000000000);

    /* the same bucket twice is one, with the tighter limit */

    budgets[1] = budget(q, TG_PER_TEAM, "usd=5/day");
    assert_int_equal(tg_quota_items(q, budgets, 3, &call, &items, &err), TG_OK);
    assert_int_equal(items.n, 3);
    assert_int_equal(items.items[2].limit, 5000000000);

    assert_null(tg_quota_budget(q, tg_arena_mem(arena), TG_PER_KEY, tg_str_null,
                                &per, 1, &err));
    assert_non_null(strstr(err.message, "not for a budget"));

    (void) state;
}


static tg_ledger_state_t
a_state(int64_t used, int64_t held, int64_t limit)
{
    tg_ledger_state_t  s;

    memset(&s, 0, sizeof(s));
    s.used = used;
    s.held = held;
    s.cap = s.limit = limit;
    s.window = NOW;
    s.reset = NOW + 90061500;

    return s;
}


static void
check_refusal(const char *quota, tg_ledger_state_t s, int verdict,
    int64_t retry, const char *expected)
{
    char              text[TG_QUOTA_TEXT_MAX + 1];
    size_t            n;
    tg_quotas_t      *q = QUOTAS(quota);
    tg_quota_call_t   call = a_call();
    tg_quota_items_t  items;

    items_of(q, &call, &items);
    n = tg_quota_refusal(text, TG_QUOTA_TEXT_MAX, &items, 0, &s, verdict,
                         &call);
    text[n] = '\0';
    assert_string_equal(text, expected);
    assert_int_equal(tg_quota_retry_after(&items, 0, &s, verdict, NOW), retry);
}


static void
test_a_refusal_says_who_spent_what_and_until_when(void **state)
{
    tg_ledger_state_t  s = a_state(4999000000, 500000, 5000000000);

    check_refusal("m|per=team|usd=5/month", s, TG_LEDGER_REFUSED, 90062,
                  "quota \"m\" of team search: 4.999 of 5 USD used this month,"
                  " 0.0005 USD held by calls under way; this call may need"
                  " 0.0025 USD; it starts anew at 2026-01-02T01:01:01.500Z");
    check_refusal("m|per=team|usd=5/month", s, TG_LEDGER_PARK, 1,
                  "quota \"m\" of team search: 4.999 of 5 USD used this month,"
                  " 0.0005 USD held by calls under way; this call may need"
                  " 0.0025 USD; try again when others have ended");

    s = a_state(0, 0, 1000);
    check_refusal("m|per=key+session|tokens=1k/minute", s, TG_LEDGER_REFUSED,
                  -1, "quota \"m\" of key k1 + session s-1: 0 of 1000 tokens"
                  " used this minute; this call may need 1500 tokens, which is"
                  " more than the whole of it: ask for fewer tokens");

    s = a_state(10, 0, 10);
    s.latched = true;
    check_refusal("m|per=all|requests=10/day|latch", s, TG_LEDGER_REFUSED, -1,
                  "quota \"m\" of all calls: 10 of 10 requests used today; it"
                  " is closed until an administrator opens it");

    s = a_state(0, 3, 3);
    s.reset = TG_WINDOW_NEVER;
    check_refusal("m|per=tag:app|concurrent=3", s, TG_LEDGER_PARK, 1,
                  "quota \"m\" of app bot: 3 of 3 calls at a time used; try"
                  " again when others have ended");
    s = a_state(2000000000, 0, 2000000000);
    s.reset = TG_WINDOW_NEVER;
    check_refusal("m|per=all|usd=2/total", s, TG_LEDGER_REFUSED, -1,
                  "quota \"m\" of all calls: 2 of 2 USD used in all; this call"
                  " may need 0.0025 USD");

    (void) state;
}


static void
test_sdks_come_again_within_a_minute_or_not_by_themselves(void **state)
{
    assert_true(tg_quota_retries(0));
    assert_true(tg_quota_retries(1));
    assert_true(tg_quota_retries(60));
    assert_false(tg_quota_retries(61));
    assert_false(tg_quota_retries(INT64_MAX));
    assert_false(tg_quota_retries(-1));

    (void) state;
}


static void
test_a_long_subject_is_cut_between_characters(void **state)
{
    char              text[TG_QUOTA_TEXT_MAX], name[300];
    size_t            n;
    tg_quotas_t      *q = QUOTAS("a|per=session+team+key+model|usd=1/day");
    tg_quota_call_t   call = a_call();

    for (size_t i = 0; i < sizeof(name); i++) {
        name[i] = i % 2 ? '\xa4' : '\xc3';
    }

    call.subject[TG_PER_SESSION] = tg_str_of(name + 1, 299);
    n = tg_quota_subject(text, sizeof(text), q->list[0], &call);
    assert_memory_equal(text + 8 + 63, " + team search", 14);
    assert_true(n < 120);

    (void) state;
}


static void
check_headers(const tg_quota_header_t *h, unsigned n, const char *expected)
{
    char    text[1024];
    size_t  len = 0;

    text[0] = '\0';

    for (unsigned i = 0; i < n; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len,
                                 "%.*s: %.*s\n", (int) h[i].name.len,
                                 h[i].name.p, (int) h[i].value.len,
                                 h[i].value.p);
    }

    assert_string_equal(text, expected);
}


static void
test_headers_are_of_the_limit_with_the_least_left(void **state)
{
    unsigned           n;
    tg_quotas_t       *q = QUOTAS("a|per=key|requests=9/minute|"
                                  "requests=100/day|tokens=1000/minute|"
                                  "input_tokens=800/minute|usd=1/day",
                                  "dry|per=key|requests=1/minute|dry_run");
    tg_quota_call_t    call = a_call();
    tg_quota_items_t   items;
    tg_ledger_state_t  s[6] = {
        a_state(3, 1, 9), a_state(99, 0, 100), a_state(400, 700, 1000),
        a_state(1, 0, 800), a_state(0, 0, 1), a_state(1, 0, 1)
    };
    tg_quota_header_t  h[TG_QUOTA_HEADERS_MAX];

    s[2].reset = NOW + 350;
    s[3].reset = TG_WINDOW_NEVER;
    items_of(q, &call, &items);
    n = tg_quota_headers(&items, s, TG_SHAPE_OPENAI, NOW, h);
    check_headers(h, n,
                  "x-ratelimit-limit-requests: 100\n"
                  "x-ratelimit-remaining-requests: 1\n"
                  "x-ratelimit-reset-requests: 25h1m1s\n"
                  "x-ratelimit-limit-tokens: 1000\n"
                  "x-ratelimit-remaining-tokens: 0\n"
                  "x-ratelimit-reset-tokens: 350ms\n");

    n = tg_quota_headers(&items, s, TG_SHAPE_ANTHROPIC, NOW, h);
    check_headers(h, n,
                  "anthropic-ratelimit-requests-limit: 100\n"
                  "anthropic-ratelimit-requests-remaining: 1\n"
                  "anthropic-ratelimit-requests-reset:"
                  " 2026-01-02T01:01:01.500Z\n"
                  "anthropic-ratelimit-tokens-limit: 1000\n"
                  "anthropic-ratelimit-tokens-remaining: 0\n"
                  "anthropic-ratelimit-tokens-reset: 2026-01-01T00:00:00.350Z\n"
                  "anthropic-ratelimit-input-tokens-limit: 800\n"
                  "anthropic-ratelimit-input-tokens-remaining: 799\n");

    (void) state;
}


static void
test_what_cannot_work_is_warned_of(void **state)
{
    unsigned          i = 0;
    tg_error_t        w;
    tg_quotas_t      *q = QUOTAS("a|per=team|usd=1/day",
                                 "b|per=session+tag:x|tokens=50k/minute",
                                 "c|per=client|requests=5/day");
    tg_quota_facts_t  facts;
    tg_str_t          x = tg_str("x");

    memset(&facts, 0, sizeof(facts));
    assert_true(tg_quotas_warning(q, &facts, &i, &w));
    assert_non_null(strstr(w.message, "\"a\" is per team, but"));
    assert_true(tg_quotas_warning(q, &facts, &i, &w));
    assert_non_null(strstr(w.message, "\"a\" is in dollars"));
    assert_true(tg_quotas_warning(q, &facts, &i, &w));
    assert_non_null(strstr(w.message, "\"b\" is per session, but"));
    assert_true(tg_quotas_warning(q, &facts, &i, &w));
    assert_non_null(strstr(w.message, "\"b\": its tokens="));
    assert_false(tg_quotas_warning(q, &facts, &i, &w));

    i = 0;
    facts.sources = 1u << TG_PER_TEAM | 1u << TG_PER_SESSION;
    facts.tags = &x;
    facts.ntags = 1;
    facts.prices = true;
    facts.default_output = 1000;
    assert_false(tg_quotas_warning(q, &facts, &i, &w));

    (void) state;
}


static void
test_waiting_is_for_windows_only_when_throttled(void **state)
{
    tg_quotas_t      *q = QUOTAS("a|per=key|usd=1/day|wait=3s",
                                 "b|per=key|usd=1/day|action=throttle");
    tg_quota_call_t   call = a_call();
    tg_quota_items_t  items;

    items_of(q, &call, &items);
    assert_int_equal(tg_quota_wait(&items, 0, false), 3000);
    assert_int_equal(tg_quota_wait(&items, 0, true), 0);
    assert_int_equal(tg_quota_wait(&items, 1, true), TG_QUOTA_THROTTLE);

    (void) state;
}


static void
test_the_ledger_takes_what_a_call_holds(void **state)
{
    void               *base;
    double              percent;
    int64_t             actual[TG_LEDGER_ITEMS_MAX];
    tg_ledger_t         led;
    tg_quotas_t        *q = QUOTAS("a|per=key|usd=0.01/day|requests=10/minute|"
                                   "tokens=1M/idle=1h|usd=1/total|"
                                   "concurrent=5|repeats=2|alert=50%,100%|"
                                   "stop=150%",
                                   "d|per=session|usd=0.001/day|dry_run|latch");
    tg_quota_used_t     used = { 1, 400, 100, 6000000 };
    tg_quota_call_t     call = a_call();
    tg_quota_items_t    items;
    tg_ledger_result_t  r;

    base = ledger_memory(&led, TG_LEDGER_SIZE_MIN, NOW);
    assert_non_null(base);

    items_of(q, &call, &items);
    assert_true(tg_quota_share(q->list[0], &call, &led, &percent));
    assert_true(percent < 0.001);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(tg_ledger_hold(&led, NOW, items.items, items.n, NULL,
                                        0, &r), TG_LEDGER_OK);
        tg_quota_actual(&items, &used, actual);
        assert_int_equal(tg_ledger_sent(&led, r.slot), TG_LEDGER_OK);
        assert_int_equal(tg_ledger_settle(&led, NOW, r.slot, actual, items.n,
                                          NULL, 0, &r), TG_LEDGER_OK);
        assert_int_equal(r.states[0].used, 6000000 * (i + 1));
        assert_int_equal(r.states[4].held, 0);
        assert_int_equal(tg_ledger_line_written(&led, &r.slot, 1),
                         TG_LEDGER_OK);
    }

    assert_true(tg_quota_share(q->list[0], &call, &led, &percent));
    assert_true(percent > 119.9 && percent < 120.1);

    /* the third of its kind */

    assert_int_equal(tg_ledger_hold(&led, NOW, items.items, items.n, NULL, 0,
                                    &r), TG_LEDGER_REFUSED);
    assert_int_equal(items.limit[r.item]->measure, TG_MEASURE_REPEATS);

    call.same = tg_str("another");
    items_of(q, &call, &items);
    assert_int_equal(tg_ledger_hold(&led, NOW, items.items, items.n, NULL, 0,
                                    &r), TG_LEDGER_OK);

    /* tomorrow there is nothing of the day, but of what is in all */

    call.now = NOW + 86400000;
    assert_true(tg_quota_share(q->list[0], &call, &led, &percent));
    assert_true(percent > 1.1 && percent < 1.3);

    free(base);
    (void) state;
}


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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_an_estimate_is_for_who_asks_for_it),
        cmocka_unit_test(test_a_quota_is_read_whole),
        cmocka_unit_test(test_what_is_not_said_has_a_default),
        cmocka_unit_test(test_bad_words_are_named),
        cmocka_unit_test(test_names_are_unique_and_used_names_exist),
        cmocka_unit_test(test_a_call_holds_its_bound_of_each_measure),
        cmocka_unit_test(test_buckets_differ_by_subject_and_definition_alone),
        cmocka_unit_test(test_parts_of_subjects_do_not_run_together),
        cmocka_unit_test(test_a_cache_of_keys_changes_nothing),
        cmocka_unit_test(test_missing_subjects_share_a_counted_bucket),
        cmocka_unit_test(test_what_clients_make_up_is_marked_with_who_did),
        cmocka_unit_test(test_only_quotas_whose_condition_holds_apply),
        cmocka_unit_test(test_what_has_no_price_or_bound_is_refused),
        cmocka_unit_test(test_more_limits_than_a_transaction_has_are_refused),
        cmocka_unit_test(test_budgets_of_the_keys_file_are_quotas_too),
        cmocka_unit_test(test_a_refusal_says_who_spent_what_and_until_when),
        cmocka_unit_test(
            test_sdks_come_again_within_a_minute_or_not_by_themselves),
        cmocka_unit_test(test_a_long_subject_is_cut_between_characters),
        cmocka_unit_test(test_headers_are_of_the_limit_with_the_least_left),
        cmocka_unit_test(test_what_cannot_work_is_warned_of),
        cmocka_unit_test(test_waiting_is_for_windows_only_when_throttled),
        cmocka_unit_test(test_the_ledger_takes_what_a_call_holds)
    };

    return cmocka_run_group_tests_name("quota", tests, setup, teardown);
}
