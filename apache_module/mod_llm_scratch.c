#include "mod_llm.h"

#include <sched.h>
#include <stdlib.h>

/*
 * What a step of a call works with: 33 KB and more, lent to the thread for that
 * step.  An open stream has a thread, and waits with none of it; and a scratch
 * that all calls use has seen their quotas.
 */

/* Idle ones are kept in these, by processor, lest two reach for the same. */
#define LLM_SCRATCH_PLACES  64
#define LLM_SCRATCH_TRIES   4

typedef struct {
    tg_gate_scratch_t   gate;           /* first: it is what is lent */
    tg_arena_t         *arena;
} llm_scratch_t;

/* A line of the processor's cache each. */
typedef struct {
    llm_scratch_t  *idle;
    char            pad[64 - sizeof(llm_scratch_t *)];
} llm_scratch_place_t;

static llm_scratch_place_t  llm_scratches[LLM_SCRATCH_PLACES];


static llm_scratch_place_t *
llm_scratch_place(unsigned i)
{
    int  cpu = sched_getcpu();

    return &llm_scratches[((cpu < 0 ? 0 : (unsigned) cpu) + i)
                          % LLM_SCRATCH_PLACES];
}


static void
llm_scratch_free(llm_scratch_t *s)
{
    tg_arena_destroy(s->arena);
    free(s);
}


static llm_scratch_t *
llm_scratch_new(void)
{
    llm_scratch_t  *s = calloc(1, sizeof(llm_scratch_t));

    if (s == NULL) {
        return NULL;
    }

    s->arena = tg_arena_create(0);
    if (s->arena != NULL) {
        s->gate.expr = tg_expr_scratch(tg_arena_mem(s->arena));
    }

    if (s->gate.expr == NULL) {
        llm_scratch_free(s);
        return NULL;
    }

    return s;
}


tg_gate_scratch_t *
llm_scratch_take(void)
{
    llm_scratch_t        *s;
    llm_scratch_place_t  *place;

    for (unsigned i = 0; i < LLM_SCRATCH_TRIES; i++) {
        place = llm_scratch_place(i);

        if (__atomic_load_n(&place->idle, __ATOMIC_RELAXED) == NULL) {
            continue;
        }

        s = __atomic_exchange_n(&place->idle, NULL, __ATOMIC_ACQUIRE);
        if (s != NULL) {
            return &s->gate;
        }
    }

    s = llm_scratch_new();

    return s == NULL ? NULL : &s->gate;
}


void
llm_scratch_give(tg_gate_scratch_t *gate)
{
    llm_scratch_t        *s = (llm_scratch_t *) gate, *none;
    llm_scratch_place_t  *place;

    for (unsigned i = 0; s != NULL && i < LLM_SCRATCH_TRIES; i++) {
        place = llm_scratch_place(i);
        none = NULL;

        if (__atomic_load_n(&place->idle, __ATOMIC_RELAXED) == NULL
            && __atomic_compare_exchange_n(&place->idle, &none, s, false,
                                           __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        {
            return;
        }
    }

    if (s != NULL) {
        llm_scratch_free(s);
    }
}
