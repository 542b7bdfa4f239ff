/*
 * blocks.h - the lines of files, one after another, each read: a thread reads
 * ahead and unpacks, others look into the lines.
 */

#ifndef BLOCKS_H
#define BLOCKS_H

#include "line/record.h"
#include "seen.h"

#define BLOCKS_LINE_MAX  (256 * 1024)   /* a longer line is a broken one */

typedef struct blocks_s  blocks_t;

/* All of it is referred to until blocks_free(); seen: whose bits records' ids
 * become.  NULL with a message said. */
blocks_t *blocks_new(char **files, int nfiles, const record_want_t *want,
    const seen_t *seen);

/* Also before the end. */
void blocks_free(blocks_t *b);

/* The next line's, valid until the next call.  NULL: there are no more; or
 * one of the files can't be read, a message is said and *failed set. */
record_t *blocks_next(blocks_t *b, bool *failed);

uint64_t blocks_bytes(const blocks_t *b);       /* unpacked, so far */

/* Lines that are none; of the first, where it is, if there is one. */
uint64_t blocks_broken(const blocks_t *b, const char **file, uint64_t *line);

/* Which part of the files is read, from 0 to 1; negative: it is not known. */
double blocks_part(const blocks_t *b);

#endif /* BLOCKS_H */
