/*
 * changes.h - why one period cost more than another: how many calls, of which
 * models, of how many tokens, at which prices.
 */

#ifndef CHANGES_H
#define CHANGES_H

#include "tg_str.h"

#include <stdbool.h>
#include <stdint.h>

#define CHANGES_ROWS   65536    /* groups with models; the rest is one group */
#define CHANGES_CLASSES  5

typedef enum {
    CHANGES_INPUT = 0,          /* not cached */
    CHANGES_CACHE_READ,
    CHANGES_CACHE_WRITE,
    CHANGES_OUTPUT,
    CHANGES_OTHER               /* by the call: tools, images, ... */
} changes_class_t;

typedef struct {
    bool     counts;            /* false: an attempt; cost alone */
    int64_t  tokens[CHANGES_CLASSES];
    int64_t  cost[CHANGES_CLASSES];     /* nano-dollars */
} changes_call_t;

/* Of a group; the four parts sum up to after - before, exactly. */
typedef struct {
    tg_str_t  name;
    int64_t   calls[2];
    int64_t   cost[2];          /* before, after */
    int64_t   volume;           /* by the number of calls */
    int64_t   mix;              /* by the models' shares of them, models that
                                   came and went included */
    int64_t   tokens;           /* by tokens a call */
    int64_t   price;            /* by what a token costs */
} changes_t;

typedef struct changes_set_s  changes_set_t;

changes_set_t *changes_new(void);
void changes_free(changes_set_t *set);

/* False: no memory. */
bool changes_add(changes_set_t *set, bool after, tg_str_t group,
    tg_str_t model, const changes_call_t *call);

/* Once, when all is added. False: no memory. */
bool changes_split(changes_set_t *set);

/* One by one, the largest difference first; false: there are no more. */
bool changes_next(changes_set_t *set, changes_t *c);

/* Adds c to *sum. */
void changes_sum(changes_t *sum, const changes_t *c);

#endif /* CHANGES_H */
