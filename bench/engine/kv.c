/*
 * kv.c - blocks of a KV cache: those that nobody holds are in a list, the one
 * that was let go of first is taken first, and until then can be found by its
 * hash.
 */

#include "engine.h"

#include <stdlib.h>

struct en_block_s {
    uint64_t  hash;             /* 0: has no name */
    uint32_t  refs;
    uint32_t  prev, next;       /* of the free; 0 is the list's head */
    uint32_t  chain;            /* of its bucket */
};


int
en_kv_init(en_kv_t *kv, uint32_t blocks)
{
    uint32_t  size = 64;

    while (size < 2 * blocks) {
        size *= 2;
    }

    kv->n = blocks;
    kv->nfree = 0;
    kv->mask = size - 1;
    kv->blocks = calloc((size_t) blocks + 1, sizeof(en_block_t));
    kv->buckets = calloc(size, sizeof(uint32_t));

    if (kv->blocks == NULL || kv->buckets == NULL) {
        return -1;
    }

    for (uint32_t i = 1; i <= blocks; i++) {
        kv->blocks[i].refs = 1;
        en_kv_drop(kv, i);
    }

    return 0;
}


static void
en_kv_unlink(en_kv_t *kv, uint32_t b)
{
    en_block_t  *block = &kv->blocks[b];

    kv->blocks[block->prev].next = block->next;
    kv->blocks[block->next].prev = block->prev;
    kv->nfree--;
}


static void
en_kv_forget(en_kv_t *kv, uint32_t b)
{
    uint32_t  *p = &kv->buckets[kv->blocks[b].hash & kv->mask];

    if (kv->blocks[b].hash == 0) {
        return;
    }

    while (*p != b) {
        p = &kv->blocks[*p].chain;
    }

    *p = kv->blocks[b].chain;
    kv->blocks[b].hash = 0;
}


uint32_t
en_kv_take(en_kv_t *kv)
{
    uint32_t  b = kv->blocks[0].next;

    if (b == 0) {
        return 0;
    }

    en_kv_unlink(kv, b);
    en_kv_forget(kv, b);
    kv->blocks[b].refs = 1;

    return b;
}


static uint32_t
en_kv_look(const en_kv_t *kv, uint64_t hash)
{
    uint32_t  b = kv->buckets[hash & kv->mask];

    while (b != 0 && kv->blocks[b].hash != hash) {
        b = kv->blocks[b].chain;
    }

    return b;
}


bool
en_kv_has(const en_kv_t *kv, uint64_t hash)
{
    return en_kv_look(kv, hash) != 0;
}


uint32_t
en_kv_find(en_kv_t *kv, uint64_t hash)
{
    uint32_t  b = en_kv_look(kv, hash);

    if (b != 0 && kv->blocks[b].refs++ == 0) {
        en_kv_unlink(kv, b);
    }

    return b;
}


/* The first block of a name keeps it. */
void
en_kv_name(en_kv_t *kv, uint32_t b, uint64_t hash)
{
    uint32_t  *bucket = &kv->buckets[hash & kv->mask];

    if (hash == 0 || kv->blocks[b].hash != 0 || en_kv_has(kv, hash)) {
        return;
    }

    kv->blocks[b].hash = hash;
    kv->blocks[b].chain = *bucket;
    *bucket = b;
}


void
en_kv_drop(en_kv_t *kv, uint32_t b)
{
    en_block_t  *block = &kv->blocks[b];

    if (--block->refs != 0) {
        return;
    }

    block->prev = kv->blocks[0].prev;
    block->next = 0;
    kv->blocks[block->prev].next = b;
    kv->blocks[0].prev = b;
    kv->nfree++;
}
