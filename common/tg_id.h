/*
 * tg_id.h - identifiers of calls: UUIDs of version 7 (RFC 9562 section 5.7).
 *
 * They sort by time and can't be guessed from each other's bits by chance; they
 * are names, not secrets.
 */

#ifndef TG_ID_H
#define TG_ID_H

#include "tg_str.h"

#define TG_ID_LEN  36

typedef struct {
    uint64_t  s[4];             /* xoshiro256++ */
} tg_id_source_t;

/* seed: 32 bytes from the system's random source, anew after each fork. */
void tg_id_seed(tg_id_source_t *src, const unsigned char seed[32]);

/* Writes TG_ID_LEN characters, no NUL. */
void tg_id_make(tg_id_source_t *src, int64_t unix_ms, char *out);

#endif /* TG_ID_H */
