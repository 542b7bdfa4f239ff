#include "tg_quota_int.h"

#define TG_FNV_BASIS    2166136261u
#define TG_FNV_PRIME    16777619u


/* Who makes up the subjects that clients make up: the key, else the address. */
static uint32_t
tg_quota_creator(const tg_quota_call_t *call)
{
    bool      key = call->subject[TG_PER_KEY].len != 0;
    tg_str_t  s = call->subject[key ? TG_PER_KEY : TG_PER_CLIENT];
    uint32_t  h = (TG_FNV_BASIS ^ key) * TG_FNV_PRIME;

    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.p[i]) * TG_FNV_PRIME;
    }

    return h;
}


static bool
tg_quota_invented(const tg_quota_t *q, const tg_quota_limit_t *limit,
    const tg_quota_call_t *call)
{
    tg_per_t  kind;

    if (limit->measure == TG_MEASURE_REPEATS) {
        return true;
    }

    for (unsigned i = 0; i < q->npers; i++) {
        kind = q->per[i].kind;

        if (kind != TG_PER_ALL && !(call->configured >> kind & 1)
            && tg_quota_part(&q->per[i], call).len != 0)
        {
            return true;
        }
    }

    return false;
}


void
tg_quota_item(const tg_quota_t *q, const tg_quota_limit_t *limit,
    const tg_quota_call_t *call, tg_ledger_item_t *item)
{
    memset(item, 0, sizeof(tg_ledger_item_t));

    tg_quota_key(q, limit, call, item->key);

    if (limit->window.kind == TG_WINDOW_IDLE) {
        item->idle_ms = limit->window.idle_ms;
    }

    if (limit->window.kind < TG_WINDOW_IDLE && call->windows != NULL) {
        tg_window_roll(&limit->window, call->zone, call->now,
                       &call->windows[limit->window.kind]);
        item->window = call->windows[limit->window.kind];

    } else {
        tg_window_at(&limit->window, call->zone, call->now, &item->window);
    }

    item->cap = limit->cap;
    item->limit = limit->limit;

    if (q->dry_run) {
        item->flags |= TG_LEDGER_DRY_RUN;
    }

    if (limit->measure == TG_MEASURE_CONCURRENT) {
        item->flags |= TG_LEDGER_CONCURRENT;
    }

    if (q->latch) {
        item->flags |= TG_LEDGER_LATCH;
    }

    if (tg_quota_invented(q, limit, call)) {
        item->flags |= TG_LEDGER_INVENTED;
        item->creator = tg_quota_creator(call);
    }

    if (limit->measure != TG_MEASURE_REPEATS) {
        memcpy(item->alert, q->alert, sizeof(item->alert));
    }
}


/* What is held; below 0 where no bound is known. */
static int64_t
tg_quota_hold(tg_measure_t measure, const tg_bound_t *bound)
{
    switch (measure) {
    case TG_MEASURE_INPUT_TOKENS:
        return bound->input;
    case TG_MEASURE_OUTPUT_TOKENS:
        return bound->output;
    case TG_MEASURE_TOKENS:
        return bound->input < 0 || bound->output < 0
               ? -1 : tg_money_add(bound->input, bound->output);
    case TG_MEASURE_USD:
        return bound->cost;
    default:
        return 1;
    }
}


/* No larger than any cap may be, so that the sums of the ledger stay sums. */
static int64_t
tg_quota_clip(int64_t v)
{
    return v < 0 ? 0 : v > TG_QUOTA_CAP_MAX + 1 ? TG_QUOTA_CAP_MAX + 1 : v;
}


static int
tg_quota_no_bound(const tg_quota_t *q, const tg_quota_limit_t *limit,
    const tg_quota_call_t *call, tg_error_t *err)
{
    int       n = (int) q->name.len;
    tg_str_t  model = call->subject[TG_PER_MODEL];

    if (limit->measure == TG_MEASURE_USD && call->bound->input >= 0) {
        return tg_error(err, TG_QUOTA_UNPRICED, 0, "model \"%.*s\" has no price"
                        " here, and quota \"%.*s\" is in dollars",
                        model.len < 80 ? (int) model.len : 80,
                        model.len ? model.p : "", n, q->name.p);
    }

    return tg_error(err, TG_QUOTA_UNBOUNDED, 0, "nothing tells how many tokens"
                    " this call may take (it has parts that are not text, and"
                    " the model's largest input is not listed), and quota"
                    " \"%.*s\" limits them", n, q->name.p);
}


/* The bucket may have come up before: then it is there once. */
static bool
tg_quota_same(tg_quota_items_t *items, const tg_quota_t *q,
    const tg_quota_limit_t *limit)
{
    unsigned           i, last = items->n;
    tg_ledger_item_t  *a, *b = &items->items[last];

    for (i = 0; i < last; i++) {
        a = &items->items[i];

        if (memcmp(a->key, b->key, TG_LEDGER_KEY) != 0) {
            continue;
        }

        /* of a bound and an estimate the larger is held */

        if (a->amount > b->amount) {
            b->amount = a->amount;

        } else {
            a->amount = b->amount;
        }

        /* what only would refuse gives way to what does */

        if ((a->flags & TG_LEDGER_DRY_RUN) == (b->flags & TG_LEDGER_DRY_RUN)
            ? b->limit < a->limit : (a->flags & TG_LEDGER_DRY_RUN) != 0)
        {
            *a = *b;
            items->quota[i] = q;
            items->limit[i] = limit;
        }

        return true;
    }

    return false;
}


static int
tg_quota_take(tg_quota_items_t *items, const tg_quota_t *q,
    const tg_quota_limit_t *limit, const tg_quota_call_t *call,
    tg_error_t *err)
{
    int64_t            hold;
    tg_ledger_item_t   item;

    hold = tg_quota_hold(limit->measure, q->calibrated && call->likely != NULL
                                         ? call->likely : call->bound);

    if (limit->measure == TG_MEASURE_REPEATS && call->same.len == 0) {
        return TG_OK;
    }

    if (hold < 0 && !q->dry_run) {
        items->quota[0] = q;
        return tg_quota_no_bound(q, limit, call, err);
    }

    tg_quota_item(q, limit, call, &item);
    item.amount = tg_quota_clip(hold);

    if (items->n < TG_LEDGER_ITEMS_MAX) {
        items->items[items->n] = item;
        items->quota[items->n] = q;
        items->limit[items->n] = limit;
        items->n += !tg_quota_same(items, q, limit);
        return TG_OK;
    }

    items->quota[0] = q;

    return tg_error(err, TG_QUOTA_CROWDED, 0, "more than %d limits apply to"
                    " this call; quota \"%.*s\" is one too many",
                    TG_LEDGER_ITEMS_MAX, (int) q->name.len, q->name.p);
}


static int
tg_quota_apply(tg_quota_items_t *items, const tg_quota_t *q,
    const tg_quota_call_t *call, tg_error_t *err)
{
    if (q->of_route && q != call->route) {
        return TG_OK;
    }

    if (q->when != NULL
        && !tg_expr_eval(q->when, call->scratch, call->get, call->get_data))
    {
        return TG_OK;
    }

    for (unsigned i = 0; i < q->nlimits; i++) {
        if (tg_quota_take(items, q, &q->limits[i], call, err) != TG_OK) {
            items->n = 0;
            return TG_ERROR;
        }
    }

    return TG_OK;
}


int
tg_quota_items(const tg_quotas_t *quotas, const tg_quota_t *const *budgets,
    unsigned n, const tg_quota_call_t *call, tg_quota_items_t *items,
    tg_error_t *err)
{
    items->n = 0;

    for (unsigned i = 0; i < quotas->n; i++) {
        if (tg_quota_apply(items, quotas->list[i], call, err) != TG_OK) {
            return TG_ERROR;
        }
    }

    for (unsigned i = 0; i < n; i++) {
        if (tg_quota_apply(items, budgets[i], call, err) != TG_OK) {
            return TG_ERROR;
        }
    }

    return TG_OK;
}


void
tg_quota_actual(const tg_quota_items_t *items, const tg_quota_used_t *used,
    int64_t *actual)
{
    int64_t  v;

    for (unsigned i = 0; i < items->n; i++) {
        switch (items->limit[i]->measure) {
        case TG_MEASURE_INPUT_TOKENS:  v = used->input; break;
        case TG_MEASURE_OUTPUT_TOKENS: v = used->output; break;
        case TG_MEASURE_TOKENS:
            v = tg_money_add(used->input, used->output);
            break;
        case TG_MEASURE_USD:           v = used->cost; break;
        case TG_MEASURE_CONCURRENT:    v = 0; break;
        default:                       v = used->requests; break;
        }

        actual[i] = v < 0 ? 0 : v;
    }
}


bool
tg_quota_share(const tg_quota_t *q, const tg_quota_call_t *call,
    const tg_ledger_t *led, double *percent)
{
    bool               any = false;
    double             share;
    int64_t            cap;
    tg_ledger_item_t   item;
    tg_ledger_entry_t  entry;

    *percent = 0;

    for (unsigned i = 0; i < q->nlimits; i++) {
        if (q->limits[i].measure >= TG_MEASURE_CONCURRENT) {
            continue;
        }

        any = true;
        tg_quota_item(q, &q->limits[i], call, &item);

        if (tg_ledger_read(led, item.key, &entry) != TG_LEDGER_OK
            || (entry.reset <= call->now
                && (item.idle_ms == 0 || entry.open == 0)))
        {
            continue;
        }

        cap = q->limits[i].cap;

        if (call->now < entry.raise_until) {
            cap = tg_money_add(cap, entry.raise);
        }

        share = cap > 0 ? ((double) entry.used + (double) entry.others_used)
                          * 100 / (double) cap : 100;
        *percent = share > *percent ? share : *percent;
    }

    return any;
}


int64_t
tg_quota_wait(const tg_quota_items_t *items, unsigned item, bool refused)
{
    const tg_quota_t  *q = items->quota[item];

    return refused && q->action != TG_ACTION_THROTTLE ? 0 : q->wait_ms;
}


const char *
tg_quota_missing(const tg_quota_per_t *per, const tg_quota_facts_t *facts)
{
    switch (per->kind) {

    case TG_PER_KEY:
        return facts->keys ? NULL : "there is no llm_keys";

    case TG_PER_USER:
    case TG_PER_TEAM:
    case TG_PER_ORG:
        return facts->keys || facts->sources >> per->kind & 1 ? NULL
               : "neither a keys file nor an llm_tag gives one";

    case TG_PER_SESSION:
    case TG_PER_AGENT:
        return facts->sources >> per->kind & 1 ? NULL
               : "no llm_tag gives one";

    case TG_PER_TAG:
        if (facts->keys) {
            return NULL;
        }

        for (unsigned i = 0; i < facts->ntags; i++) {
            if (tg_str_eq(facts->tags[i], per->tag)) {
                return NULL;
            }
        }
        return "no llm_tag gives it";

    default:
        return NULL;
    }
}


static bool
tg_quota_warn_subject(const tg_quota_t *q, const tg_quota_facts_t *facts,
    tg_error_t *warning)
{
    const char  *why;

    for (unsigned i = 0; i < q->npers; i++) {
        why = tg_quota_missing(&q->per[i], facts);

        if (why != NULL) {
            (void) tg_error(warning, 0, 0, "quota \"%.*s\" is per %s%.*s, but"
                            " %s: all calls share one bucket",
                            (int) q->name.len, q->name.p,
                            tg_per_names[q->per[i].kind],
                            (int) q->per[i].tag.len,
                            q->per[i].tag.len ? q->per[i].tag.p : "", why);
            return true;
        }
    }

    return false;
}


/* A limit that a few calls of the ordinary size fill, by what they hold; what
 * that is in dollars depends on the model, and nobody says here which it is. */
static bool
tg_quota_warn_cap(const tg_quota_t *q, const tg_quota_facts_t *facts,
    tg_error_t *warning)
{
    int64_t                  hold = facts->default_output > 0
                                    ? facts->default_output : TG_BOUND_OUTPUT;
    const tg_quota_limit_t  *l;

    for (unsigned i = 0; i < q->nlimits; i++) {
        l = &q->limits[i];

        if ((l->measure == TG_MEASURE_TOKENS
             || l->measure == TG_MEASURE_OUTPUT_TOKENS)
            && l->limit / 5 < hold)
        {
            (void) tg_error(warning, 0, 0, "quota \"%.*s\": its %s= is worth"
                            " fewer than five calls that do not say max_tokens,"
                            " for each holds what it could use while it is"
                            " under way", (int) q->name.len, q->name.p,
                            tg_measure_names[l->measure]);
            return true;
        }
    }

    return false;
}


static bool
tg_quota_warn_dollars(const tg_quota_t *q, const tg_quota_facts_t *facts,
    tg_error_t *warning)
{
    if (q->of_route && !facts->prices) {
        (void) tg_error(warning, 0, 0, "\"%.*s\" has usd=, but there is no price"
                        " list: it takes no call", (int) q->name.len,
                        q->name.p);
        return true;
    }

    for (unsigned i = 0; i < q->nlimits && !facts->prices; i++) {
        if (q->limits[i].measure == TG_MEASURE_USD) {
            (void) tg_error(warning, 0, 0, "quota \"%.*s\" is in dollars, but"
                            " there is no price list: all its calls are"
                            " refused", (int) q->name.len, q->name.p);
            return true;
        }
    }

    return false;
}


bool
tg_quotas_warning(const tg_quotas_t *quotas, const tg_quota_facts_t *facts,
    unsigned *i, tg_error_t *warning)
{
    static bool  (*const checks[])(const tg_quota_t *,
                                   const tg_quota_facts_t *, tg_error_t *) = {
        tg_quota_warn_subject, tg_quota_warn_dollars, tg_quota_warn_cap
    };

    const unsigned  n = sizeof(checks) / sizeof(checks[0]);

    while (*i < quotas->n * n) {
        unsigned  k = (*i)++;

        if (checks[k % n](quotas->list[k / n], facts, warning)) {
            return true;
        }
    }

    return false;
}
