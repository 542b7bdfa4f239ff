/*
 * gaps.h - which numbers of llm.seq are missing.
 *
 * A node counts its lines from 1, and anew when it has lost its memory.  Each
 * such run has a first and a last number that a line has; what no line has
 * between them is missing.  Lines may come in any order.  A line whose number
 * its node's run has already, or whose end does not fit between those of its
 * neighbours, is of another run.
 */

#ifndef GAPS_H
#define GAPS_H

#include "line/record.h"

#define GAPS_NODES_MAX  4096            /* others are not looked at */
#define GAPS_RUNS_MAX   256             /* of a node; likewise */
#define GAPS_SPANS_MAX  4096            /* of a run; beyond, what is between the
                                           lowest counts as missing for good */

typedef struct gaps_s  gaps_t;

gaps_t *gaps_new(void);                 /* NULL: no memory */
void gaps_free(gaps_t *g);

/* Each line once, with REC_NODE, REC_SEQ and REC_DURATION where it has them.
 * False: no memory. */
bool gaps_take(gaps_t *g, const record_t *r);

uint64_t gaps_missing(const gaps_t *g);
unsigned gaps_nodes(const gaps_t *g);

#endif /* GAPS_H */
