/*
 * hash.h - hashes of bytes that clients choose: tags, sessions, ids.  The key
 * differs from process to process, so that nobody can make many that are alike.
 */

#ifndef HASH_H
#define HASH_H

#include "tg_str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t  k[4];
} hash_key_t;

/* By chance.  False: the system has none to give. */
bool hash_key_make(hash_key_t *key);

/* Multiply and fold, as in wyhash (Wang Yi, 2019). */
uint64_t hash_bytes(const hash_key_t *key, const void *p, size_t n);

/* Of two, in their order. */
uint64_t hash_pair(const hash_key_t *key, tg_str_t a, tg_str_t b);

static inline uint64_t
hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128  m = (unsigned __int128) a * b;

    return (uint64_t) m ^ (uint64_t) (m >> 64);
}

#endif /* HASH_H */
