/*
 * sample.h - quantiles of any number of amounts: exact up to SAMPLE_MAX of them,
 * beyond that of a uniform sample of as many (the same one for the same input).
 */

#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#define SAMPLE_MAX  65536

/* Zeroed it is empty. */
typedef struct {
    int64_t   *v;
    uint64_t   n;                       /* of all */
    unsigned   kept, room;
    int64_t    most;
    uint64_t   random;
} sample_t;

/* False: no memory. */
bool sample_add(sample_t *s, int64_t v);

/* The smallest that `share` (0 to 1) of them do not exceed; 0 of none.  Nothing may
 * be added afterwards. */
int64_t sample_quantile(sample_t *s, double share);

void sample_free(sample_t *s);

#endif /* SAMPLE_H */
