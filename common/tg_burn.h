/*
 * tg_burn.h - how fast something is used up of late.
 *
 * Amounts are added up in cells of `unit` milliseconds, of which the last
 * TG_BURN_CELLS are kept.  A cell has its time and its sum in one atomic word:
 * no locks, nothing to clean up after who dies, and none is ever cleared.
 * Zeroed it is as new.  It is a statistic: what is counted exactly is counted
 * elsewhere.
 *
 * Times are milliseconds since 1970.
 */

#ifndef TG_BURN_H
#define TG_BURN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TG_BURN_CELLS  16

/* A cell holds no more, whatever is added: in nano-dollars 1,125,899. */
#define TG_BURN_MAX    ((INT64_C(1) << 50) - 1)

typedef struct {
    _Atomic int64_t   first;        /* when the first was added; 0: none was */
    _Atomic int64_t   last;
    _Atomic uint64_t  cell[TG_BURN_CELLS];
} tg_burn_t;

typedef struct {
    int64_t  amount;
    int64_t  span;                  /* milliseconds in which it was used; 0:
                                       nothing is known yet */
} tg_burned_t;

/* amount: below 1 is nothing. */
void tg_burn_add(tg_burn_t *b, int64_t unit, int64_t now, int64_t amount);

/* The same, number being now / unit. */
void tg_burn_add_to(tg_burn_t *b, int64_t number, int64_t now, int64_t amount);

/* Before that: asks for what it will touch. */
static inline void
tg_burn_prefetch(tg_burn_t *b, int64_t number)
{
    __builtin_prefetch(&b->last, 1);
    __builtin_prefetch(&b->cell[(uint64_t) number % TG_BURN_CELLS], 1);
}

/* What was added in the last TG_BURN_CELLS - 1 units and the part of this one
 * that is over. */
void tg_burn_recent(const tg_burn_t *b, int64_t unit, int64_t now,
    tg_burned_t *burned);

/* So much in `ms` milliseconds at that pace; at most INT64_MAX. */
int64_t tg_burned_in(const tg_burned_t *burned, int64_t ms);

/* Milliseconds until `left` more is used; INT64_MAX: never, or not within 100
 * years. */
int64_t tg_burned_until(const tg_burned_t *burned, int64_t left);

#endif /* TG_BURN_H */
