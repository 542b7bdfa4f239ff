#include "tg_quota_int.h"
#include "tg_text.h"

#define TG_SUBJECT_SHOWN  64        /* bytes of each part */

typedef enum {
    TG_LEFT_LIMIT = 0,
    TG_LEFT_REMAINING,
    TG_LEFT_RESET,
    TG_LEFTS
} tg_left_t;

static const struct {
    tg_measure_t  measure;
    tg_str_t      openai[TG_LEFTS];     /* empty: none */
    tg_str_t      anthropic[TG_LEFTS];
} tg_quota_header_names[] = {
    { TG_MEASURE_REQUESTS,
      { TG_STR("x-ratelimit-limit-requests"),
        TG_STR("x-ratelimit-remaining-requests"),
        TG_STR("x-ratelimit-reset-requests") },
      { TG_STR("anthropic-ratelimit-requests-limit"),
        TG_STR("anthropic-ratelimit-requests-remaining"),
        TG_STR("anthropic-ratelimit-requests-reset") } },
    { TG_MEASURE_TOKENS,
      { TG_STR("x-ratelimit-limit-tokens"),
        TG_STR("x-ratelimit-remaining-tokens"),
        TG_STR("x-ratelimit-reset-tokens") },
      { TG_STR("anthropic-ratelimit-tokens-limit"),
        TG_STR("anthropic-ratelimit-tokens-remaining"),
        TG_STR("anthropic-ratelimit-tokens-reset") } },
    { TG_MEASURE_INPUT_TOKENS,
      { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } },
      { TG_STR("anthropic-ratelimit-input-tokens-limit"),
        TG_STR("anthropic-ratelimit-input-tokens-remaining"),
        TG_STR("anthropic-ratelimit-input-tokens-reset") } },
    { TG_MEASURE_OUTPUT_TOKENS,
      { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } },
      { TG_STR("anthropic-ratelimit-output-tokens-limit"),
        TG_STR("anthropic-ratelimit-output-tokens-remaining"),
        TG_STR("anthropic-ratelimit-output-tokens-reset") } }
};


static void
tg_put_amount(tg_text_t *t, tg_measure_t measure, int64_t amount)
{
    static const char  *const units[TG_MEASURES + 1] = {
        " requests", " tokens", " input tokens", " output tokens", " USD",
        " calls at a time", " repetitions"
    };

    char  money[TG_MONEY_TEXT_MAX];

    if (measure == TG_MEASURE_USD) {
        tg_put(t, money, tg_money_text(money, amount));

    } else {
        tg_put_int(t, amount);
    }

    tg_put_str(t, tg_strz(units[measure]));
}


size_t
tg_quota_amount(char *buf, size_t cap, tg_measure_t measure, int64_t amount)
{
    tg_text_t  t;

    tg_text_init(&t, buf, cap);
    tg_put_amount(&t, measure, amount);

    return (size_t) (t.p - buf);
}


static void
tg_put_part(tg_text_t *t, const tg_quota_per_t *per,
    const tg_quota_call_t *call)
{
    tg_str_t  s;

    if (per->kind == TG_PER_ALL) {
        tg_put_lit(t, "all calls");
        return;
    }

    tg_put_str(t, per->kind == TG_PER_TAG ? per->tag
                                          : tg_strz(tg_per_names[per->kind]));
    tg_put_lit(t, " ");
    s = tg_quota_part(per, call);

    if (s.len == 0) {
        tg_put_lit(t, "(none)");
        return;
    }

    if (s.len > TG_SUBJECT_SHOWN) {
        s.len = TG_SUBJECT_SHOWN;

        while (s.len > 1 && (s.p[s.len] & 0xc0) == 0x80) {
            s.len--;
        }
    }

    tg_put_str(t, s);
}


static void
tg_put_subject(tg_text_t *t, const tg_quota_t *q, const tg_quota_call_t *call)
{
    for (unsigned i = 0; i < q->npers; i++) {
        if (i != 0) {
            tg_put_lit(t, " + ");
        }

        tg_put_part(t, &q->per[i], call);
    }
}


size_t
tg_quota_subject(char *buf, size_t cap, const tg_quota_t *q,
    const tg_quota_call_t *call)
{
    tg_text_t  t;

    tg_text_init(&t, buf, cap);
    tg_put_subject(&t, q, call);

    return (size_t) (t.p - buf);
}


static void
tg_put_window(tg_text_t *t, const tg_quota_limit_t *limit)
{
    static const char  *const names[] = {
        " this second", " this minute", " this hour", " today", " this week",
        " this month", " in all", " since it was last idle"
    };

    if (limit->measure != TG_MEASURE_CONCURRENT) {
        tg_put_str(t, tg_strz(names[limit->window.kind]));
    }
}


/* "quota "x" of team search: 4999.2 of 5000 USD used this month" */
static void
tg_put_spent(tg_text_t *t, const tg_quota_t *q, const tg_quota_limit_t *limit,
    const tg_ledger_state_t *state, const tg_quota_call_t *call)
{
    char     money[TG_MONEY_TEXT_MAX];
    int64_t  used = limit->measure == TG_MEASURE_CONCURRENT ? state->held
                                                            : state->used;

    tg_put_str(t, q->budget ? tg_str("budget \"") : tg_str("quota \""));
    tg_put_str(t, q->name);
    tg_put_lit(t, "\" of ");
    tg_put_subject(t, q, call);
    tg_put_lit(t, ": ");

    if (limit->measure == TG_MEASURE_USD) {
        tg_put(t, money, tg_money_text(money, used));

    } else {
        tg_put_int(t, used);
    }

    tg_put_lit(t, " of ");
    tg_put_amount(t, limit->measure, state->limit);
    tg_put_lit(t, " used");
    tg_put_window(t, limit);
}


size_t
tg_quota_refusal(char *buf, size_t cap, const tg_quota_items_t *items,
    unsigned item, const tg_ledger_state_t *state, int verdict,
    const tg_quota_call_t *call)
{
    int64_t                  amount = items->items[item].amount;
    tg_text_t                t;
    const tg_quota_limit_t  *limit = items->limit[item];

    tg_text_init(&t, buf, cap);
    tg_put_spent(&t, items->quota[item], limit, state, call);

    if (limit->measure != TG_MEASURE_CONCURRENT && state->held > 0) {
        tg_put_lit(&t, ", ");
        tg_put_amount(&t, limit->measure, state->held);
        tg_put_lit(&t, " held by calls under way");
    }

    if (state->latched) {
        tg_put_lit(&t, "; it is closed until an administrator opens it");
        return (size_t) (t.p - buf);
    }

    if (limit->measure < TG_MEASURE_CONCURRENT
        && limit->measure != TG_MEASURE_REQUESTS)
    {
        tg_put_lit(&t, "; this call may need ");
        tg_put_amount(&t, limit->measure, amount);

        if (amount > state->limit) {
            tg_put_lit(&t, ", which is more than the whole of it: ask for"
                           " fewer tokens");
            return (size_t) (t.p - buf);
        }
    }

    if (verdict == TG_LEDGER_PARK) {
        tg_put_lit(&t, "; try again when others have ended");
        return (size_t) (t.p - buf);
    }

    if (state->reset != TG_WINDOW_NEVER) {
        tg_put_lit(&t, "; it starts anew at ");
        tg_put_time(&t, state->reset);
    }

    return (size_t) (t.p - buf);
}


int64_t
tg_quota_retry_after(const tg_quota_items_t *items, unsigned item,
    const tg_ledger_state_t *state, int verdict, int64_t now)
{
    tg_measure_t  measure = items->limit[item]->measure;

    if (state->latched || items->items[item].amount > state->limit) {
        return -1;
    }

    if (verdict == TG_LEDGER_PARK || measure == TG_MEASURE_CONCURRENT) {
        return 1;
    }

    return tg_window_retry_after(now, state->reset);
}


bool
tg_quota_retries(int64_t after)
{
    return after >= 0 && after <= TG_QUOTA_RETRY_MAX;
}


/* "6m0s", "1h0m2s", "350ms", as OpenAI writes durations. */
static void
tg_put_duration(tg_text_t *t, int64_t ms)
{
    int64_t  s = ms / 1000;

    if (ms < 1000) {
        tg_put_int(t, ms < 0 ? 0 : ms);
        tg_put_lit(t, "ms");
        return;
    }

    if (s >= 3600) {
        tg_put_int(t, s / 3600);
        tg_put_lit(t, "h");
    }

    if (s >= 60) {
        tg_put_int(t, s / 60 % 60);
        tg_put_lit(t, "m");
    }

    tg_put_int(t, s % 60);
    tg_put_lit(t, "s");
}


static int64_t
tg_quota_remaining(const tg_ledger_state_t *s)
{
    int64_t  left = tg_money_add(s->limit, -s->used);

    left = tg_money_add(left, -s->held);

    return left < 0 ? 0 : left;
}


/* The limit of that measure with the least left; items->n: none. */
static unsigned
tg_quota_tightest(const tg_quota_items_t *items,
    const tg_ledger_state_t *states, tg_measure_t measure)
{
    int64_t   left, least = INT64_MAX;
    unsigned  found = items->n;

    for (unsigned i = 0; i < items->n; i++) {
        if (items->limit[i]->measure != measure || items->quota[i]->dry_run) {
            continue;
        }

        left = tg_quota_remaining(&states[i]);

        if (left < least) {
            least = left;
            found = i;
        }
    }

    return found;
}


static void
tg_quota_header(tg_quota_header_t *h, tg_str_t name, tg_left_t left,
    const tg_ledger_state_t *s, bool anthropic, int64_t now)
{
    tg_text_t  t;

    tg_text_init(&t, h->text, sizeof(h->text));
    h->name = name;

    switch (left) {

    case TG_LEFT_LIMIT:
        tg_put_int(&t, s->limit);
        break;

    case TG_LEFT_REMAINING:
        tg_put_int(&t, tg_quota_remaining(s));
        break;

    default:
        if (anthropic) {
            tg_put_time(&t, s->reset);

        } else {
            tg_put_duration(&t, s->reset - now);
        }
        break;
    }

    h->value = tg_str_of(h->text, (size_t) (t.p - h->text));
}


unsigned
tg_quota_headers(const tg_quota_items_t *items,
    const tg_ledger_state_t *states, tg_shape_t shape, int64_t now,
    tg_quota_header_t *headers)
{
    bool             anthropic = shape == TG_SHAPE_ANTHROPIC;
    size_t           rows = sizeof(tg_quota_header_names)
                            / sizeof(tg_quota_header_names[0]);
    unsigned         n = 0, i;
    const tg_str_t  *names;

    for (size_t k = 0; k < rows; k++) {
        names = anthropic ? tg_quota_header_names[k].anthropic
                          : tg_quota_header_names[k].openai;
        i = tg_quota_tightest(items, states, tg_quota_header_names[k].measure);

        if (i == items->n || names[0].len == 0) {
            continue;
        }

        for (unsigned left = 0; left < TG_LEFTS; left++) {
            if (left == TG_LEFT_RESET && states[i].reset == TG_WINDOW_NEVER) {
                continue;
            }

            tg_quota_header(&headers[n++], names[left], (tg_left_t) left,
                            &states[i], anthropic, now);
        }
    }

    return n;
}
