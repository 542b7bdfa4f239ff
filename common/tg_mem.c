#include "tg_mem.h"

#include <stdlib.h>

/* The first is small, for there are arenas of a call or a thread each. */
#define TG_ARENA_FIRST  512
#define TG_ARENA_BLOCK  4096
#define TG_ARENA_ALIGN  (sizeof(max_align_t))

typedef struct tg_block_s  tg_block_t;

struct tg_block_s {
    tg_block_t  *next;
    size_t       size;
    size_t       used;
    max_align_t  data[];
};

struct tg_arena_s {
    tg_mem_t     mem;
    tg_block_t  *blocks;
    size_t       block;         /* size of the next */
    size_t       limit;
    size_t       total;
};


static void *
tg_arena_alloc(void *pool, size_t size)
{
    tg_arena_t  *a = pool;
    tg_block_t  *b = a->blocks;
    size_t       want;
    void        *p;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }

    size = (size + TG_ARENA_ALIGN - 1) & ~(TG_ARENA_ALIGN - 1);

    if (b == NULL || b->size - b->used < size) {
        want = size > a->block ? size : a->block;

        if (a->limit != 0 && want > a->limit - a->total) {
            return NULL;
        }

        b = malloc(sizeof(tg_block_t) + want);
        if (b == NULL) {
            return NULL;
        }

        if (want == a->block && a->block < TG_ARENA_BLOCK) {
            a->block *= 2;
        }

        b->size = want;
        b->used = 0;
        b->next = a->blocks;
        a->blocks = b;
        a->total += want;
    }

    p = (char *) b->data + b->used;
    b->used += size;

    return p;
}


tg_arena_t *
tg_arena_create(size_t limit)
{
    tg_arena_t  *a = calloc(1, sizeof(tg_arena_t));

    if (a != NULL) {
        a->mem.alloc = tg_arena_alloc;
        a->mem.pool = a;
        a->block = TG_ARENA_FIRST;
        a->limit = limit;
    }

    return a;
}


tg_mem_t *
tg_arena_mem(tg_arena_t *a)
{
    return &a->mem;
}


size_t
tg_arena_used(const tg_arena_t *a)
{
    return a->total;
}


void
tg_arena_destroy(tg_arena_t *a)
{
    tg_block_t  *b, *next;

    if (a == NULL) {
        return;
    }

    for (b = a->blocks; b != NULL; b = next) {
        next = b->next;
        free(b);
    }

    free(a);
}


void *
tg_zalloc(tg_mem_t *mem, size_t size)
{
    void  *p = tg_alloc(mem, size);

    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


static inline char *
tg_mem_copy(tg_mem_t *mem, tg_str_t s)
{
    char  *p = tg_alloc(mem, s.len + 1);

    if (p != NULL) {
        if (s.len != 0) {
            memcpy(p, s.p, s.len);
        }
        p[s.len] = '\0';
    }

    return p;
}


char *
tg_dupz(tg_mem_t *mem, tg_str_t s)
{
    return tg_mem_copy(mem, s);
}


tg_str_t
tg_dup(tg_mem_t *mem, tg_str_t s)
{
    char  *p = tg_mem_copy(mem, s);

    return p == NULL ? tg_str_null : tg_str_of(p, s.len);
}
