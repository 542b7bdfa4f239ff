/* What the meter itself takes of a call, and which calls are in flight. */

#include "tg_call_int.h"


void
tg_call_flies(tg_call_t *call, const tg_gate_t *gate)
{
    if (gate->process != NULL && call->process == NULL) {
        call->process = gate->process;
        (void) atomic_fetch_add_explicit(&call->process->calls, 1,
                                         memory_order_relaxed);
    }
}


void
tg_call_landed(tg_call_t *call)
{
    if (call->process != NULL) {
        (void) atomic_fetch_sub_explicit(&call->process->calls, 1,
                                         memory_order_relaxed);
        call->process = NULL;
    }
}


/* How long a tick is the call's own length tells, by both clocks.  A processor
 * whose ticks run apart from another's gives none. */
void
tg_call_overhead(tg_call_t *call, uint64_t tick)
{
    int64_t   length = call->end_ns - call->start.mono_ns;
    uint64_t  ticks = tick - call->begun;

    call->overhead_ns = -1;

    if (length > 0 && ticks > 0 && ticks <= INT64_MAX
        && call->worked <= 2 * ticks)
    {
        call->overhead_ns = (int64_t) ((double) call->worked
                                       / (double) ticks * (double) length);
    }
}
