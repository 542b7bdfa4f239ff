#include "tg_scratch.h"

#include <stdalign.h>

#define TG_SCRATCH_FIRST  4096


static void *
tg_scratch_alloc(void *pool, size_t size)
{
    tg_scratch_t  *s = pool;
    size_t         align = alignof(max_align_t), want;
    char          *p;

    if (size > s->max - s->total) {
        return NULL;
    }

    size = (size + align - 1) & ~(align - 1);

    if (size > s->size - s->used) {

        /* the old block stays as it is: what is in it may be in use */

        want = s->size == 0 ? TG_SCRATCH_FIRST : 2 * s->size;

        if (want < size) {
            want = size;
        }

        p = tg_alloc(s->parent, want);
        if (p == NULL) {
            return NULL;
        }

        s->block = p;
        s->size = want;
        s->used = 0;
    }

    p = s->block + s->used;
    s->used += size;
    s->total = size > s->max - s->total ? s->max : s->total + size;

    return p;
}


void
tg_scratch_init(tg_scratch_t *s, tg_mem_t *parent, size_t max)
{
    memset(s, 0, sizeof(tg_scratch_t));

    s->mem.alloc = tg_scratch_alloc;
    s->mem.pool = s;
    s->parent = parent;
    s->max = max;
}
