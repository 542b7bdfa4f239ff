/* What tg_spend.h is told of a finished call. */

#include "tg_call_int.h"


static void
tg_spend_who(const tg_call_t *call, const tg_attempt_t *attempt,
    tg_spent_t *spent)
{
    spent->name[TG_SPEND_MODEL] = tg_count_model(call, attempt);
    spent->name[TG_SPEND_PROVIDER] = tg_count_provider(call, attempt);
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
}
