#include "llmctl_explain.h"
#include "llmctl_costlog.h"
#include "llmctl_rows.h"

#include <stdio.h>


static const char *
item_verdict(const explain_t *x, unsigned i)
{
    int64_t                   left;
    const tg_ledger_item_t   *item = &x->look.items.items[i];
    const tg_ledger_state_t  *st = &x->look.found.states[i];

    left = st->limit - st->used;

    return st->dry ? "would not fit (dry run)"
           : st->latched ? "latched"
           : left < item->amount ? "does not fit"
           : left - item->amount < st->held ? "fits when others have ended"
           : "fits";
}


/* Milliseconds for which the server would try again; 0: none. */
static int64_t
may_wait(const explain_t *x)
{
    int64_t                    most;
    unsigned                   item = x->look.found.item;
    bool                       refused = x->look.verdict == TG_LEDGER_REFUSED;
    const tg_ledger_state_t   *st = &x->look.found.states[item];

    if (x->look.items.n == 0
        || (!refused && x->look.verdict != TG_LEDGER_PARK))
    {
        return 0;
    }

    most = tg_quota_wait(&x->look.items, item, refused);

    return refused && (st->latched || st->reset - now_ms() > most) ? 0 : most;
}


static void
print_items(const explain_t *x)
{
    char                     limit[LIMIT_SIZE], used[AMOUNT_SIZE];
    char                     held[AMOUNT_SIZE], cap[AMOUNT_SIZE];
    char                     need[AMOUNT_SIZE];
    const tg_gate_look_t    *look = &x->look;
    const tg_quota_limit_t  *l;

    if (look->asked && look->items.n == 0) {
        printf("%-10s none applies\n", "quotas");
    }

    for (unsigned i = 0; i < look->items.n; i++) {
        l = look->items.limit[i];
        printf("%-10s %.*s of %.*s, %s: %s used, %s held, of %s; takes %s:"
               " %s\n", look->items.quota[i]->budget ? "budget" : "quota",
               (int) look->items.quota[i]->name.len,
               look->items.quota[i]->name.p, (int) look->subject[i].len,
               look->subject[i].p, row_limit(limit, l),
               amount_text(used, l->measure, look->found.states[i].used),
               amount_text(held, l->measure, look->found.states[i].held),
               amount_text(cap, l->measure, look->found.states[i].limit),
               amount_text(need, l->measure, look->items.items[i].amount),
               item_verdict(x, i));
    }
}


static void
print_bound(const explain_t *x)
{
    char               money[AMOUNT_SIZE];
    const tg_bound_t  *b = &x->look.bound;

    if (!x->look.asked) {
        return;
    }

    printf("%-10s ", "at most");

    if (b->input < 0) {
        printf("nobody knows how many input tokens, ");
    } else {
        printf("%lld input tokens, ", (long long) b->input);
    }

    printf("%lld output tokens, ", (long long) b->output);

    if (b->cost < 0) {
        printf("and no price is known\n");
    } else {
        printf("%s USD\n", amount_text(money, TG_MEASURE_USD, b->cost));
    }
}


/* What others have spent since it was last heard of is not in the figures. */
static void
print_fleet(const explain_t *x)
{
    if (x->server.fleet) {
        printf("%-10s as this node sees it; it hears of the others with its"
               " messages to the store\n", "fleet");
    }
}


void
explain_text(const explain_t *x)
{
    static const char  *const who[][2] = {
        { "llm.key_id", "key" }, { "user.id", "user" }, { "llm.team", "team" },
        { "organization.id", "org" }, { "gen_ai.operation.name", "operation" },
        { "gen_ai.request.model", "model" },
        { "gen_ai.provider.name", "provider" }
    };

    const char  *text = costlog_text(x->line, "llm.decision");
    const char  *rule = costlog_text(x->line, "llm.rule");
    bool         refused = strcmp(text, "refuse") == 0;

    for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
        text = costlog_text(x->line, who[i][0]);
        if (text != NULL) {
            printf("%-10s %s\n", who[i][1], text);
        }
    }

    print_bound(x);
    print_fleet(x);
    print_items(x);

    if (refused) {
        printf("%-10s refused with %u, by %s", "verdict", x->refusal.status,
               rule == NULL ? "?" : rule);

        if (may_wait(x) > 0) {
            printf(", unless there is room for it within %lld ms",
                   (long long) may_wait(x));
        }

        printf("\n");
        text = costlog_text(x->line, "event.reason");
        printf("%-10s %s\n", "reason", text == NULL ? "" : text);

    } else {
        printf("%-10s let through%s%s\n", "verdict", rule == NULL ? ""
               : ", but in a dry run of ", rule == NULL ? "" : rule);
    }
}


static json_t *
item_json(const explain_t *x, unsigned i)
{
    char                      limit[LIMIT_SIZE];
    const tg_quota_t         *q = x->look.items.quota[i];
    const tg_ledger_state_t  *st = &x->look.found.states[i];

    return json_pack("{s:s%, s:s%, s:s, s:I, s:I, s:I, s:I, s:s, s:b}",
                     "quota", q->name.p, q->name.len,
                     "subject", x->look.subject[i].p, x->look.subject[i].len,
                     "limit", row_limit(limit, x->look.items.limit[i]),
                     "used", (json_int_t) st->used,
                     "held", (json_int_t) st->held,
                     "stop", (json_int_t) st->limit,
                     "takes", (json_int_t) x->look.items.items[i].amount,
                     "verdict", item_verdict(x, i), "dry_run", q->dry_run);
}


void
explain_json(const explain_t *x)
{
    json_t  *o = json_object(), *quotas = json_array();

    static const char  *const copied[] = {
        "llm.key_id", "user.id", "llm.team", "organization.id",
        "gen_ai.operation.name", "gen_ai.request.model",
        "gen_ai.provider.name", "llm.decision", "llm.rule", "event.reason"
    };

    for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
        json_t  *v = json_object_get(x->line, copied[i]);

        if (v != NULL) {
            (void) json_object_set(o, copied[i], v);
        }
    }

    if (costlog_text(x->line, "llm.rule") != NULL && x->refusal.status != 0) {
        (void) json_object_set_new(o, "status", json_integer(
                                   (json_int_t) x->refusal.status));
    }

    if (x->look.asked) {
        (void) json_object_set_new(o, "bound", json_pack("{s:I, s:I, s:I}",
                                   "input", (json_int_t) x->look.bound.input,
                                   "output", (json_int_t) x->look.bound.output,
                                   "nusd", (json_int_t) x->look.bound.cost));
    }

    for (unsigned i = 0; i < x->look.items.n; i++) {
        (void) json_array_append_new(quotas, item_json(x, i));
    }

    (void) json_object_set_new(o, "quotas", quotas);

    if (x->server.fleet) {
        (void) json_object_set_new(o, "view", json_string("node"));
    }

    (void) json_dumpf(o, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(o);
}
