/*
 * tg_scratch.h - memory for one thing at a time, used again for the next.
 *
 * A tg_mem_t over a block that grows: what a stream's events need is allocated
 * from a pool that frees nothing, once.
 */

#ifndef TG_SCRATCH_H
#define TG_SCRATCH_H

#include "tg_mem.h"

typedef struct {
    tg_mem_t   mem;             /* allocates from it */
    tg_mem_t  *parent;
    char      *block;
    size_t     size;
    size_t     used;
    size_t     total;           /* since the last reset */
    size_t     max;
} tg_scratch_t;

/* Allocates nothing yet.  No more than max bytes are given out at a time. */
void tg_scratch_init(tg_scratch_t *s, tg_mem_t *parent, size_t max);

/* All that was allocated is void. */
static inline void
tg_scratch_reset(tg_scratch_t *s)
{
    s->used = 0;
    s->total = 0;
}

#endif /* TG_SCRATCH_H */
