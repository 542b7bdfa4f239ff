/* Thresholds that a call's hold or its settling reached. */

#include "tg_call_int.h"

typedef struct tg_noted_s  tg_noted_t;

struct tg_noted_s {
    tg_noted_t  *next;
    tg_alert_t   alert;
};


static void
tg_call_note(tg_hold_t *h, const tg_quota_items_t *items, unsigned i,
    const tg_ledger_state_t *state)
{
    char         subject[TG_ALERT_SUBJECT_MAX];
    size_t       n;
    tg_call_t   *call = h->call;
    tg_noted_t  *noted = tg_alloc(call->mem, sizeof(tg_noted_t));

    /* Not confirmed, it is told of later. */

    if (noted == NULL) {
        return;
    }

    n = tg_quota_subject(subject, sizeof(subject), items->quota[i], &h->quota);

    tg_alert_init(&noted->alert, items, i, state,
                  tg_dup(call->mem, tg_str_of(subject, n)), h->quota.now);
    noted->alert.node = call->conf->node;
    noted->alert.config_hash = tg_strz(call->conf->hash_text);
    noted->alert.call_id = tg_call_id(call);

    noted->next = call->pass->alerts;
    call->pass->alerts = noted;
}


void
tg_hold_alerts(tg_hold_t *h, const tg_quota_items_t *items,
    const tg_ledger_result_t *r)
{
    for (unsigned i = 0; i < r->nstates; i++) {
        if (r->states[i].crossed != 0) {
            tg_call_note(h, items, i, &r->states[i]);
        }
    }
}


void
tg_call_settled_alerts(tg_call_t *call, const tg_gate_t *gate, int64_t now,
    const tg_ledger_result_t *r)
{
    unsigned   i;
    tg_hold_t  h;

    for (i = 0; i < r->nstates && r->states[i].crossed == 0; i++) {
        /* void */
    }

    if (i == r->nstates) {
        return;
    }

    tg_hold_prepare(&h, call, gate, now);
    tg_hold_alerts(&h, call->pass->items, r);
}


bool
tg_call_alert(tg_call_t *call, tg_alert_t *alert)
{
    tg_noted_t  *noted;

    if (call->pass == NULL || call->pass->alerts == NULL) {
        return false;
    }

    noted = call->pass->alerts;
    call->pass->alerts = noted->next;
    *alert = noted->alert;

    return true;
}
