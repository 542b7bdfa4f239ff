/* What tg_spend.h is told of a finished call. */

#include "tg_call_int.h"


static void
tg_spend_who(const tg_call_t *call, const tg_attempt_t *attempt,
    tg_spent_t *spent)
{
    spent->name[TG_SPEND_MODEL] = tg_count_model(call, attempt);
    spent->name[TG_SPEND_PROVIDER] = tg_count_provider(call, attempt);
}


static void
tg_spend_saved(_Atomic int64_t *to, int64_t saved)
{
    (void) atomic_fetch_add_explicit(to, saved, memory_order_relaxed);
}


/* What the route that took it has saved, by the tokens that it used there. */
static void
tg_spend_route(const tg_call_t *call, const tg_price_book_t *book)
{
    tg_aim_t             aim;
    tg_cost_t            cost;
    const tg_price_t    *price;
    tg_route_count_t    *count;
    const tg_routing_t  *routing = call->routing;

    if (routing == NULL || !call->cost_known || call->usage == NULL
        || call->cached || routing->counts == NULL)
    {
        return;
    }

    if (routing->dry != NULL && routing->dry_known) {
        count = tg_route_count(routing->counts, routing->dry->name);

        if (count != NULL) {
            tg_spend_saved(&count->dry_saved, routing->dry_saved);
        }
    }

    if (routing->route == NULL || routing->meant == NULL) {
        return;
    }

    memset(&aim, 0, sizeof(aim));
    aim.provider = routing->meant;
    aim.model = tg_call_model(call);
    price = tg_call_aim_price(call, &aim, book);
    count = price == NULL
            ? NULL : tg_route_count(routing->counts, routing->route->name);

    if (count != NULL) {
        tg_price_cost(book, price, tg_call_price_vendor(call), call->usage,
                      TG_TIER_STANDARD, &cost);
        tg_spend_saved(&count->saved,
                       tg_money_add(cost.total, -call->cost.total));
    }
}


void
tg_call_spend(const tg_call_t *call, const tg_gate_t *gate,
    const tg_now_t *now)
{
    tg_spend_t          *spend = &gate->tally->spend;
    tg_spent_t           spent;
    tg_spend_date_t     *date;
    const tg_pass_t     *pass = call->pass;
    const tg_attempt_t  *attempt;

    date = gate->scratch != NULL ? &gate->scratch->date : NULL;
    spent.admitted = pass != NULL && pass->admitted != 0
                     ? pass->admitted : call->start.wall_ms;
    spent.now = now->wall_ms;
    spent.name[TG_SPEND_TEAM] = tg_count_role(call, TG_TAG_TEAM);
    spent.name[TG_SPEND_KEY] = pass != NULL && pass->key != NULL
                               ? pass->key->id : tg_str_null;
    spent.attempt = true;

    for (unsigned i = 0; i + 1 < tg_call_lines(call); i++) {
        attempt = tg_call_attempt(call, i);
        spent.cost = attempt->cost_known ? attempt->cost.total : 0;
        tg_spend_who(call, attempt, &spent);
        tg_spend_count(spend, date, gate->zone, &spent);
    }

    spent.attempt = false;
    spent.cost = call->cost_known ? call->cost.total : 0;

    if ((call->refused || call->served) && spent.cost == 0) {
        return;
    }

    tg_spend_who(call, NULL, &spent);
    tg_spend_count(spend, date, gate->zone, &spent);
    tg_spend_route(call, gate->book);
}
