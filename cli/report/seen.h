/*
 * seen.h - which ids have been there, by 64 bits of each.
 *
 * Two ids of n have the same bits with a probability of n^2 / 2^65: one in half
 * a million for 8 million lines, which is 10 GB of them.
 */

#ifndef SEEN_H
#define SEEN_H

#include "tg_str.h"

typedef struct seen_s  seen_t;

/* NULL: no memory. */
seen_t *seen_new(void);
void seen_free(seen_t *s);

/* True: it has been there before.  *failed is set where there is no room. */
bool seen_before(seen_t *s, tg_str_t id, bool *failed);

#endif /* SEEN_H */
