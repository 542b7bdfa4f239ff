#include "tg_burn.h"

/* A cell is the number of its turn round the ring, in the upper bits, and its
 * sum: with a sum of 0 it is nobody's. */
#define TG_BURN_BITS   50
#define TG_BURN_TURNS  (UINT64_C(1) << (64 - TG_BURN_BITS))

#define TG_BURN_NEVER  (INT64_C(36525) * 86400000)


static uint64_t
tg_burn_turn(int64_t number)
{
    return (uint64_t) (number / TG_BURN_CELLS) % TG_BURN_TURNS;
}


/* Of a cell of another turn: by a clock that is a little ahead, its next
 * one. */
static bool
tg_burn_ahead(uint64_t word, uint64_t turn)
{
    return (word & TG_BURN_MAX) != 0
           && (word >> TG_BURN_BITS) == (turn + 1) % TG_BURN_TURNS;
}


void
tg_burn_add(tg_burn_t *b, int64_t unit, int64_t now, int64_t amount)
{
    tg_burn_add_to(b, now / unit, now, amount);
}


void
tg_burn_add_to(tg_burn_t *b, int64_t number, int64_t now, int64_t amount)
{
    int64_t            none = 0;
    uint64_t           turn = tg_burn_turn(number), word, next, sum;
    _Atomic uint64_t  *cell = &b->cell[number % TG_BURN_CELLS];

    if (amount < 1 || now < 0) {
        return;
    }

    word = atomic_load_explicit(cell, memory_order_relaxed);

    do {
        sum = amount < TG_BURN_MAX ? (uint64_t) amount : TG_BURN_MAX;

        if (word >> TG_BURN_BITS == turn) {
            sum += word & TG_BURN_MAX;
            sum = sum < TG_BURN_MAX ? sum : TG_BURN_MAX;

        } else if (tg_burn_ahead(word, turn)) {
            return;
        }

        next = turn << TG_BURN_BITS | sum;
    } while (!atomic_compare_exchange_weak_explicit(cell, &word, next,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed));

    if (atomic_load_explicit(&b->first, memory_order_relaxed) == 0) {
        (void) atomic_compare_exchange_strong(&b->first, &none, now);
    }

    if (atomic_load_explicit(&b->last, memory_order_relaxed) != now) {
        atomic_store_explicit(&b->last, now, memory_order_relaxed);
    }
}


void
tg_burn_recent(const tg_burn_t *b, int64_t unit, int64_t now,
    tg_burned_t *burned)
{
    int64_t   number = now / unit, at, known;
    int64_t   first = atomic_load_explicit(&b->first, memory_order_relaxed);
    int64_t   last = atomic_load_explicit(&b->last, memory_order_relaxed);
    uint64_t  word;

    burned->amount = 0;
    burned->span = 0;

    if (first == 0 || number < TG_BURN_CELLS) {
        return;
    }

    burned->span = (TG_BURN_CELLS - 1) * unit + now % unit;
    known = now - first > unit / 12 ? now - first : unit / 12;
    burned->span = known < burned->span ? known : burned->span;

    /* Turns come again: not of what was not added to since. */

    if (last / unit <= number - TG_BURN_CELLS) {
        return;
    }

    for (at = number; at > number - TG_BURN_CELLS; at--) {
        word = atomic_load_explicit(&b->cell[at % TG_BURN_CELLS],
                                    memory_order_relaxed);

        if (word >> TG_BURN_BITS == tg_burn_turn(at)) {
            burned->amount += (int64_t) (word & TG_BURN_MAX);
        }
    }
}


static int64_t
tg_burn_scale(int64_t a, int64_t b, int64_t by)
{
    unsigned __int128  n = (unsigned __int128) a * (unsigned __int128) b
                           / (unsigned __int128) by;

    return n < INT64_MAX ? (int64_t) n : INT64_MAX;
}


int64_t
tg_burned_in(const tg_burned_t *burned, int64_t ms)
{
    return burned->span <= 0 || burned->amount <= 0 || ms <= 0 ? 0
           : tg_burn_scale(burned->amount, ms, burned->span);
}


int64_t
tg_burned_until(const tg_burned_t *burned, int64_t left)
{
    int64_t  ms;

    if (left <= 0) {
        return 0;
    }

    if (burned->span <= 0 || burned->amount <= 0) {
        return INT64_MAX;
    }

    ms = tg_burn_scale(left, burned->span, burned->amount);

    return ms < TG_BURN_NEVER ? ms : INT64_MAX;
}
