/*
 * tg_mem.h - where memory comes from.
 *
 * The core allocates only through a tg_mem_t that the host hands in: a pool of
 * nginx, a pool of APR, or the malloc-backed arena below (command line tool,
 * tests, data that outlives a request).  Nothing is freed one by one; all of it
 * goes when the host's pool or the arena goes.
 */

#ifndef TG_MEM_H
#define TG_MEM_H

#include "tg_str.h"

typedef struct tg_mem_s  tg_mem_t;

struct tg_mem_s {
    /* Returns memory aligned for any type, or NULL. Not zeroed. */
    void  *(*alloc)(void *pool, size_t size);
    void   *pool;
};

/* NULL on exhaustion, in all of these. */
static inline void *
tg_alloc(tg_mem_t *mem, size_t size)
{
    return mem->alloc(mem->pool, size);
}

void *tg_zalloc(tg_mem_t *mem, size_t size);
char *tg_dupz(tg_mem_t *mem, tg_str_t s);        /* a NUL-terminated copy */

/* A copy of s in mem; {NULL, 0} on exhaustion (s.len == 0 gives {"", 0}). */
tg_str_t tg_dup(tg_mem_t *mem, tg_str_t s);

/*
 * A malloc-backed arena.  tg_arena_create() returns NULL on exhaustion;
 * tg_arena_destroy(NULL) does nothing.  `limit` is the most bytes it will ever
 * hold (0: no limit); past it allocations fail.
 */
typedef struct tg_arena_s  tg_arena_t;

tg_arena_t *tg_arena_create(size_t limit);
tg_mem_t *tg_arena_mem(tg_arena_t *a);
size_t tg_arena_used(const tg_arena_t *a);
void tg_arena_destroy(tg_arena_t *a);

#endif /* TG_MEM_H */
