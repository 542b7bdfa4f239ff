#include "seen.h"
#include "hash.h"
#include "temporary.h"

#include <stdlib.h>
#include <unistd.h>

#define SLOTS      (1 << 22)
#define BEHIND     8192                 /* more slots, for what is pushed out */
#define PAGE       512                  /* of a run's file, in ids */
#define RUNS_MAX   400
#define BLOOM      (1 << 22)            /* words of 64 bits */

/* Ids that were moved to a file, in order. */
typedef struct {
    FILE      *file;
    uint64_t  *first;                   /* of each page */
    size_t     n;
} run_t;

struct seen_s {
    hash_key_t   key;
    uint64_t    *slots;                 /* 0: empty */
    unsigned     shift;                 /* hash to slot */
    size_t       nslots;                /* a power of two, and BEHIND more */
    size_t       used;
    uint64_t    *bloom;                 /* NULL: there are no runs */
    unsigned     nruns;
    run_t        runs[RUNS_MAX];
    uint64_t     page[PAGE];
};


uint64_t
seen_bits(const seen_t *s, tg_str_t id)
{
    uint64_t  h = hash_bytes(&s->key, id.p, id.len);

    return h != 0 ? h : 1;
}


seen_t *
seen_new(size_t slots)
{
    seen_t  *s = calloc(1, sizeof(seen_t));

    if (s == NULL) {
        return NULL;
    }

    s->nslots = slots == 0 ? SLOTS : slots;
    s->shift = 64 - (unsigned) __builtin_ctzll(s->nslots);
    s->slots = calloc(s->nslots + BEHIND, sizeof(uint64_t));

    if (s->slots == NULL || !hash_key_make(&s->key)) {
        free(s->slots);
        free(s);
        s = NULL;
    }

    return s;
}


void
seen_free(seen_t *s)
{
    for (unsigned i = 0; s != NULL && i < s->nruns; i++) {
        (void) fclose(s->runs[i].file);
        free(s->runs[i].first);
    }

    if (s != NULL) {
        free(s->bloom);
        free(s->slots);
        free(s);
    }
}


/* The word, and the bits in it. */
static inline uint64_t *
bloom_bits(seen_t *s, uint64_t h, uint64_t *mask)
{
    uint64_t  bits = hash_mix(h, UINT64_C(0x9e3779b97f4a7c15));

    *mask = UINT64_C(1) << (bits & 63) | UINT64_C(1) << (bits >> 6 & 63)
            | UINT64_C(1) << (bits >> 12 & 63)
            | UINT64_C(1) << (bits >> 18 & 63);

    return &s->bloom[bits >> 24 & (BLOOM - 1)];
}


/* In the order of the slots they nearly are in theirs: each is moved over the
 * few that it had to give way to. */
static size_t
sort_slots(seen_t *s)
{
    size_t     n = 0, to;
    uint64_t   h;

    for (size_t i = 0; i < s->nslots + BEHIND; i++) {
        h = s->slots[i];

        if (h == 0) {
            continue;
        }

        for (to = n++; to != 0 && s->slots[to - 1] > h; to--) {
            s->slots[to] = s->slots[to - 1];
        }

        s->slots[to] = h;
    }

    return n;
}


/* What is in the slots becomes a run. */
static bool
move_out(seen_t *s)
{
    run_t     *run = &s->runs[s->nruns];
    size_t     n;
    uint64_t   mask, *word;

    if (s->bloom == NULL) {
        s->bloom = calloc(BLOOM, sizeof(uint64_t));
    }

    if (s->bloom == NULL || s->nruns == RUNS_MAX
        || (run->file = temporary_file()) == NULL)
    {
        return false;
    }

    s->nruns++;
    n = sort_slots(s);
    run->n = n;
    run->first = calloc(n / PAGE + 1, sizeof(uint64_t));

    if (run->first == NULL
        || fwrite(s->slots, sizeof(uint64_t), n, run->file) != n
        || fflush(run->file) != 0)
    {
        return false;
    }

    for (size_t i = 0; i < n; i++) {
        if (i % PAGE == 0) {
            run->first[i / PAGE] = s->slots[i];
        }
        word = bloom_bits(s, s->slots[i], &mask);
        *word |= mask;
    }

    memset(s->slots, 0, (s->nslots + BEHIND) * sizeof(uint64_t));
    s->used = 0;

    return true;
}


/* The last of n in order that is not above h, or 0. */
static size_t
last_below(const uint64_t *list, size_t n, uint64_t h)
{
    size_t  from = 0, to = n, middle;

    while (to - from > 1) {
        middle = from + (to - from) / 2;

        if (list[middle] <= h) {
            from = middle;
        } else {
            to = middle;
        }
    }

    return from;
}


static bool
in_run(seen_t *s, const run_t *run, uint64_t h, bool *failed)
{
    size_t   page, n;
    ssize_t  got;

    page = last_below(run->first, (run->n + PAGE - 1) / PAGE, h);
    n = run->n - page * PAGE < PAGE ? run->n - page * PAGE : PAGE;
    got = pread(fileno(run->file), s->page, n * sizeof(uint64_t),
                (off_t) (page * sizeof(s->page)));

    if (got != (ssize_t) (n * sizeof(uint64_t))) {
        *failed = true;
        return false;
    }

    return s->page[last_below(s->page, n, h)] == h;
}


static bool
in_runs(seen_t *s, uint64_t h, bool *failed)
{
    bool      is = false;
    uint64_t  mask;

    if (s->bloom == NULL || (*bloom_bits(s, h, &mask) & mask) != mask) {
        return false;
    }

    for (unsigned i = s->nruns; !is && i != 0; i--) {
        is = in_run(s, &s->runs[i - 1], h, failed);
    }

    return is;
}


void
seen_soon(const seen_t *s, uint64_t bits)
{
    __builtin_prefetch(&s->slots[bits >> s->shift]);
}


bool
seen_before(seen_t *s, uint64_t h, bool *failed)
{
    size_t  at = h >> s->shift;

    while (s->slots[at] != 0) {
        if (s->slots[at] == h) {
            return true;
        }
        at++;
    }

    if (in_runs(s, h, failed)) {
        return true;
    }

    /* the slot behind the last one stays empty, so that looking ends there */

    s->slots[at] = h;
    s->used++;

    if (s->used >= s->nslots / 4 * 3 || at + 2 >= s->nslots + BEHIND) {
        *failed = !move_out(s) || *failed;
    }

    return false;
}
