#include "sample.h"

#include <math.h>
#include <stdlib.h>


/* Of SplitMix64. */
static uint64_t
next(sample_t *s)
{
    uint64_t  z = s->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);

    return z ^ (z >> 31);
}


static bool
grow(sample_t *s)
{
    int64_t   *v;
    unsigned   room = s->room == 0 ? 4 : s->room * 2;

    v = realloc(s->v, room * sizeof(int64_t));

    if (v == NULL) {
        return false;
    }

    s->v = v;
    s->room = room;

    return true;
}


bool
sample_add(sample_t *s, int64_t v)
{
    uint64_t  at;

    s->most = s->n == 0 || v > s->most ? v : s->most;
    s->n++;

    if (s->kept < SAMPLE_MAX) {
        if (s->kept == s->room && !grow(s)) {
            return false;
        }

        s->v[s->kept++] = v;
        return true;
    }

    /* Each of all has the same chance to be among those that are kept. */

    at = next(s) % s->n;

    if (at < SAMPLE_MAX) {
        s->v[at] = v;
    }

    return true;
}


static int
compare(const void *a, const void *b)
{
    int64_t  x = *(const int64_t *) a, y = *(const int64_t *) b;

    return x < y ? -1 : x > y;
}


int64_t
sample_quantile(sample_t *s, double share)
{
    double  rank;

    if (s->kept == 0) {
        return 0;
    }

    qsort(s->v, s->kept, sizeof(int64_t), compare);
    rank = ceil(share * s->kept);
    rank = rank < 1 ? 1 : rank > s->kept ? s->kept : rank;

    return s->v[(unsigned) rank - 1];
}


void
sample_free(sample_t *s)
{
    free(s->v);
    s->v = NULL;
    s->kept = s->room = 0;
}
