/*
 * cut.h - how a test cuts its input: whole, into two, or into pieces of a size.
 */

#ifndef CUT_H
#define CUT_H

#include <stddef.h>

typedef struct {
    size_t  at;         /* two pieces, if not 0 */
    size_t  size;       /* of pieces, if not 0 */
} cut_t;


/* The length of the piece that begins at `at`, of `len` bytes in all. */
static inline size_t
cut_piece(cut_t cut, size_t at, size_t len)
{
    size_t  n = len - at;

    if (cut.size != 0 && n > cut.size) {
        n = cut.size;
    }

    if (cut.at != 0 && at < cut.at && at + n > cut.at) {
        n = cut.at - at;
    }

    return n;
}

#endif /* CUT_H */
