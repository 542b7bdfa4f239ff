/* Calls of tools in one turn, and the results that answer them. */

#include "tg_translate_int.h"


int
tg_tr_calls_init(tg_tr_t *tr, tg_tr_calls_t *calls)
{
    calls->n = 0;
    calls->open = 0;
    calls->call = tg_alloc(tr->mem, TG_TR_CALLS_MAX * sizeof(tg_tr_call_t));

    return calls->call != NULL ? TG_OK : tg_tr_no_memory(tr);
}


int
tg_tr_calls_add(tg_tr_t *tr, tg_tr_calls_t *calls, const tg_node_t *id,
    const tg_node_t *name)
{
    tg_tr_call_t  *c;

    if (calls->n == TG_TR_CALLS_MAX) {
        return tg_tr_refused(tr, id, "more than %d calls in one turn",
                             TG_TR_CALLS_MAX);
    }

    for (size_t i = 0; i < calls->n; i++) {
        if (tg_node_same(calls->call[i].id, id)) {
            return tg_tr_invalid(tr, id, "another call has this id");
        }
    }

    c = &calls->call[calls->n++];
    c->id = id;
    c->name = name;
    c->answered = false;
    calls->open++;

    return TG_OK;
}


const tg_tr_call_t *
tg_tr_calls_answer(tg_tr_t *tr, tg_tr_calls_t *calls, const tg_node_t *id)
{
    tg_tr_call_t  *c;

    for (size_t i = 0; i < calls->n; i++) {
        c = &calls->call[i];

        if (tg_node_same(c->id, id)) {
            if (c->answered) {
                (void) tg_tr_invalid(tr, id, "the call has a result already");
                return NULL;
            }

            c->answered = true;
            calls->open--;

            return c;
        }
    }

    (void) tg_tr_invalid(tr, id, "no call in the turn before has this id");

    return NULL;
}


int
tg_tr_calls_end(tg_tr_t *tr, tg_tr_calls_t *calls)
{
    size_t  i = 0;

    if (calls->open != 0) {
        while (calls->call[i].answered) {
            i++;
        }

        return tg_tr_invalid(tr, calls->call[i].id,
                             "the call has no result in the turn behind it");
    }

    calls->n = 0;

    return TG_OK;
}
