/*
 * timeline.h - records in the order of their time, however they came.
 *
 * A line is written at its call's end, and files are read one after another: they
 * come in another order.  They are sorted as a whole.  What is more than
 * TIMELINE_MEMORY goes sorted to an unlinked temporary file (in $TMPDIR or
 * /tmp) and is merged; so no order is too wild, and memory does not grow.
 *
 * Of one millisecond attempts that failed come first, then calls that were let
 * through, then those that were refused, then outcomes; of each kind by llm.seq,
 * then as they came.
 */

#ifndef TIMELINE_H
#define TIMELINE_H

#include "line/record.h"

#define TIMELINE_MEMORY  (64 * 1024 * 1024)

typedef struct timeline_s  timeline_t;

/* memory: bytes, 0 for TIMELINE_MEMORY.  NULL with a message said. */
timeline_t *timeline_new(size_t memory);
void timeline_free(timeline_t *t);

/* What is wanted of it is kept. False with a message said. */
bool timeline_add(timeline_t *t, const record_t *r, const record_want_t *want);

/* After the last of them: *r is the next, until the next call.  False at the end
 * and, with a message said, where the temporary file can't be read or written:
 * then *broken is set. */
bool timeline_next(timeline_t *t, record_t *r, bool *broken);

uint64_t timeline_count(const timeline_t *t);

#endif /* TIMELINE_H */
