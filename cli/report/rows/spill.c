#include "spill.h"
#include "reading/temporary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER  (64 * 1024)             /* of each run that is merged */

typedef struct {
    FILE      *file;
    char      *buffer;
    char      *record;                  /* the next one */
    size_t     room;
    uint32_t   n;
} run_t;

struct spill_s {
    run_t      runs[SPILL_RUNS_MAX];
    unsigned   nruns;
    unsigned   heap[SPILL_RUNS_MAX];    /* runs that have records */
    unsigned   nheap;
};


spill_t *
spill_new(void)
{
    return calloc(1, sizeof(spill_t));
}


void
spill_free(spill_t *s)
{
    for (unsigned i = 0; s != NULL && i < s->nruns; i++) {
        (void) fclose(s->runs[i].file);
        free(s->runs[i].buffer);
        free(s->runs[i].record);
    }

    free(s);
}


bool
spill_begin(spill_t *s)
{
    run_t  *run = &s->runs[s->nruns];

    if (s->nruns == SPILL_RUNS_MAX) {
        return false;
    }

    run->file = temporary_file();

    if (run->file == NULL) {
        return false;
    }

    s->nruns++;

    return true;
}


bool
spill_put(spill_t *s, const void *record, size_t n)
{
    FILE      *f = s->runs[s->nruns - 1].file;
    uint32_t   len = (uint32_t) n;

    return n <= SPILL_RECORD_MAX && fwrite(&len, sizeof(len), 1, f) == 1
           && fwrite(record, 1, n, f) == n;
}


bool
spill_end(spill_t *s)
{
    return fflush(s->runs[s->nruns - 1].file) == 0;
}


/* Its next record; false, where *ok is, at its end. */
static bool
run_next(run_t *run, bool *ok)
{
    char  *grown;

    if (fread(&run->n, sizeof(run->n), 1, run->file) != 1) {
        *ok = !ferror(run->file);
        return false;
    }

    *ok = false;

    if (run->n > run->room) {
        grown = run->n > SPILL_RECORD_MAX ? NULL
                                          : realloc(run->record, run->n);
        if (grown == NULL) {
            return false;
        }
        run->record = grown;
        run->room = run->n;
    }

    *ok = fread(run->record, 1, run->n, run->file) == run->n;

    return *ok;
}


typedef struct {
    spill_t          *s;
    spill_compare_t   compare;
    void             *data;
} order_t;


static bool
before(const order_t *o, unsigned a, unsigned b)
{
    return o->compare(o->s->runs[a].record, o->s->runs[b].record, o->data) < 0;
}


/* The heap's first may be too large for its place. */
static void
sink(const order_t *o)
{
    unsigned  at = 0, child, is, *heap = o->s->heap, n = o->s->nheap;

    while ((child = 2 * at + 1) < n) {
        child += child + 1 < n && before(o, heap[child + 1], heap[child]);

        if (!before(o, heap[child], heap[at])) {
            break;
        }

        is = heap[at];
        heap[at] = heap[child];
        heap[child] = is;
        at = child;
    }
}


static void
rise(const order_t *o)
{
    unsigned  at = o->s->nheap - 1, above, is, *heap = o->s->heap;

    while (at != 0 && before(o, heap[at], heap[above = (at - 1) / 2])) {
        is = heap[at];
        heap[at] = heap[above];
        heap[above] = is;
        at = above;
    }
}


static bool
start(const order_t *o)
{
    bool      ok = true;
    run_t    *run;
    spill_t  *s = o->s;

    s->nheap = 0;

    for (unsigned i = 0; ok && i < s->nruns; i++) {
        run = &s->runs[i];
        run->buffer = run->buffer != NULL ? run->buffer : malloc(BUFFER);
        rewind(run->file);

        if (run->buffer != NULL) {
            (void) setvbuf(run->file, run->buffer, _IOFBF, BUFFER);
        }

        if (run_next(run, &ok)) {
            s->heap[s->nheap++] = i;
            rise(o);
        }
    }

    return ok;
}


bool
spill_each(spill_t *s, spill_compare_t compare, void *compare_data,
    spill_record_t record, void *data)
{
    bool     ok;
    run_t   *run;
    order_t  o = { s, compare, compare_data };

    ok = start(&o);

    while (ok && s->nheap != 0) {
        run = &s->runs[s->heap[0]];

        if (!record(data, run->record, run->n)) {
            return true;
        }

        if (!run_next(run, &ok)) {
            s->heap[0] = s->heap[--s->nheap];
        }

        sink(&o);
    }

    return ok;
}
