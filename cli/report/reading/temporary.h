/*
 * temporary.h - files that nobody else sees, in $TMPDIR or /var/tmp.
 */

#ifndef TEMPORARY_H
#define TEMPORARY_H

#include <stdbool.h>
#include <stdio.h>

/* To be read and written; it goes with its closing.  NULL: errno says why. */
FILE *temporary_file(void);

/* All of it at the descriptor's place, past the stream's buffer. */
bool temporary_write(FILE *f, const void *p, size_t n);

#endif /* TEMPORARY_H */
