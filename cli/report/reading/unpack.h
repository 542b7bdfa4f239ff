/*
 * unpack.h - one gzip member after another (RFC 1952), piece by piece: by ISA-L
 * where it was there to build with, which takes less than half of the time;
 * else by zlib.
 */

#ifndef UNPACK_H
#define UNPACK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct unpack_s  unpack_t;

typedef enum {
    UNPACK_MORE = 0,            /* of what is packed, or room for what is not */
    UNPACK_END,                 /* of the member: its sums are right */
    UNPACK_BAD
} unpack_rc_t;

unpack_t *unpack_new(void);     /* NULL: no memory */
void unpack_free(unpack_t *u);

/* What follows is another member. */
void unpack_again(unpack_t *u);

/* How far before *in bytes that were taken may be given back at a member's end:
 * they have to be there still. */
#define UNPACK_BACK  16

/* Moves *in and *to and takes off *nin and *nto what it took and what it
 * wrote. */
unpack_rc_t unpack(unpack_t *u, const unsigned char **in, size_t *nin,
    char **to, size_t *nto);

#endif /* UNPACK_H */
