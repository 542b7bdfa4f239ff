/*
 * seen.h - which ids have been there, by 64 bits of each.
 *
 * Two ids of n have the same bits with a probability of n^2 / 2^65: one in half
 * a million for 8 million lines, which is 10 GB of them.
 *
 * Memory is 32 MB for the bits of the last three million ids, and, once there
 * were more, 32 MB for a Bloom filter of those before them, which are in
 * temporary files, sorted: one is looked up there where the filter has it.
 */

#ifndef SEEN_H
#define SEEN_H

#include "tg_str.h"

typedef struct seen_s  seen_t;

/* slots: a power of two, 2^10 to 2^22; of three quarters of so many ids the
 * bits are in memory.  0: 2^22.  NULL: no memory. */
seen_t *seen_new(size_t slots);
void seen_free(seen_t *s);

/* The bits of an id; never 0.  Any thread may ask. */
uint64_t seen_bits(const seen_t *s, tg_str_t id);

/* True: they have been there before.  *failed is set where the temporary file
 * can't be used. */
bool seen_before(seen_t *s, uint64_t bits, bool *failed);

/* They are looked up soon. */
void seen_soon(const seen_t *s, uint64_t bits);

#endif /* SEEN_H */
