/*
 * temporary.h - files that nobody else sees, in $TMPDIR or /var/tmp.
 */

#ifndef TEMPORARY_H
#define TEMPORARY_H

#include <stdio.h>

/* To be read and written; it goes with its closing.  NULL: errno says why. */
FILE *temporary_file(void);

#endif /* TEMPORARY_H */
