/*
 * tg_siphash.h - SipHash-1-3 of what comes in pieces: a keyed hash of 64 bits that
 * tells nobody without the key what was hashed (Aumasson, Bernstein: SipHash: a
 * fast short-input PRF, 2012; with one round a word and three at the end, as
 * several languages have it for their tables).
 */

#ifndef TG_SIPHASH_H
#define TG_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define TG_SIPHASH_KEY  16

/* May be copied. */
typedef struct {
    uint64_t  v[4];
    uint64_t  carry;            /* bytes that are no whole word yet */
    uint64_t  len;
} tg_siphash_t;

void tg_siphash_init(tg_siphash_t *h, const unsigned char key[TG_SIPHASH_KEY]);
void tg_siphash_feed(tg_siphash_t *h, const char *p, size_t n);

/* *h is as it was. */
uint64_t tg_siphash_end(const tg_siphash_t *h);

#endif /* TG_SIPHASH_H */
