#define _GNU_SOURCE

#include "spill.h"
#include "reading/temporary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER      (256 * 1024)        /* for what is written */
#define BUFFER_MIN  (sizeof(head_t) + SPILL_RECORD_MAX)

typedef struct {
    int64_t   rank[2];
    uint64_t  n;                        /* bytes behind it; a multiple of 8 in
                                           the file */
} head_t;

typedef struct {
    off_t     from, until;              /* in the file */
    off_t     at;                       /* up to here it is in the buffer */
    char     *buffer;
    size_t    next, end;                /* the record, and what was read */
} run_t;

struct spill_s {
    FILE      *file;
    off_t      size;
    char      *buffer;
    size_t     used;
    run_t     *runs;
    size_t     nruns, room;
    size_t    *heap;                    /* runs that have records */
    size_t     nheap;
    size_t     piece;                   /* of each run's buffer */
};


spill_t *
spill_new(void)
{
    spill_t  *s = calloc(1, sizeof(spill_t));

    if (s == NULL) {
        return NULL;
    }

    s->file = temporary_file();
    s->buffer = malloc(BUFFER);

    if (s->file == NULL || s->buffer == NULL) {
        spill_free(s);
        s = NULL;
    }

    return s;
}


void
spill_free(spill_t *s)
{
    if (s == NULL) {
        return;
    }

    for (size_t i = 0; i < s->nruns; i++) {
        free(s->runs[i].buffer);
    }

    if (s->file != NULL) {
        (void) fclose(s->file);
    }

    free(s->runs);
    free(s->heap);
    free(s->buffer);
    free(s);
}


bool
spill_begin(spill_t *s)
{
    run_t   *grown;
    size_t   room = s->room == 0 ? 64 : s->room * 2;

    if (s->nruns == s->room) {
        grown = realloc(s->runs, room * sizeof(run_t));

        if (grown == NULL) {
            return false;
        }

        s->runs = grown;
        s->room = room;
    }

    memset(&s->runs[s->nruns], 0, sizeof(run_t));
    s->runs[s->nruns++].from = s->size;

    return true;
}


static bool
write_out(spill_t *s)
{
    bool  ok = temporary_write(s->file, s->buffer, s->used);

    s->size += (off_t) s->used;
    s->used = 0;

    return ok;
}


bool
spill_put(spill_t *s, const int64_t rank[2], const void *record, size_t n)
{
    size_t  even = (n + 7) & ~(size_t) 7;
    head_t  head = { { rank[0], rank[1] }, n };

    if (n > SPILL_RECORD_MAX
        || (BUFFER - s->used < sizeof(head) + even && !write_out(s)))
    {
        return false;
    }

    memcpy(s->buffer + s->used, &head, sizeof(head));
    memcpy(s->buffer + s->used + sizeof(head), record, n);
    memset(s->buffer + s->used + sizeof(head) + n, 0, even - n);
    s->used += sizeof(head) + even;

    return true;
}


bool
spill_end(spill_t *s)
{
    bool  ok = write_out(s);

    s->runs[s->nruns - 1].until = s->size;

    return ok;
}


static const head_t *
head_of(const run_t *run)
{
    return (const head_t *) (const void *) (run->buffer + run->next);
}


/* More behind what is left. */
static bool
refill(spill_t *s, run_t *run)
{
    ssize_t  n;
    size_t   want;

    run->end -= run->next;
    memmove(run->buffer, run->buffer + run->next, run->end);
    run->next = 0;
    want = s->piece - run->end;

    if ((off_t) want > run->until - run->at) {
        want = (size_t) (run->until - run->at);
    }

    while (want != 0) {
        n = pread(fileno(s->file), run->buffer + run->end, want, run->at);

        if (n <= 0) {
            return false;
        }

        run->at += n;
        run->end += (size_t) n;
        want -= (size_t) n;
    }

    return true;
}


/* Of the record at run->next, with its head. */
static size_t
size_of(const run_t *run)
{
    return sizeof(head_t) + ((head_of(run)->n + 7) & ~(size_t) 7);
}


static bool
whole(const run_t *run)
{
    size_t  n = run->end - run->next;

    return n >= sizeof(head_t) && n >= size_of(run);
}


/* To the record at run->next; false, where *ok is, at its end. */
static bool
run_has(spill_t *s, run_t *run, bool *ok)
{
    if (!whole(run)) {
        *ok = refill(s, run);

        if (!*ok || run->end == 0) {
            return false;
        }

        *ok = whole(run);
    }

    return *ok;
}


static bool
run_next(spill_t *s, run_t *run, bool *ok)
{
    run->next += size_of(run);

    return run_has(s, run, ok);
}


typedef struct {
    spill_t          *s;
    spill_compare_t   compare;
    void             *data;
} order_t;


static bool
before(const order_t *o, size_t a, size_t b)
{
    const head_t  *x = head_of(&o->s->runs[a]), *y = head_of(&o->s->runs[b]);

    return x->rank[0] != y->rank[0] ? x->rank[0] < y->rank[0]
           : x->rank[1] != y->rank[1] ? x->rank[1] < y->rank[1]
           : o->compare(x + 1, y + 1, o->data) < 0;
}


/* The heap's first may be too large for its place. */
static void
sink(const order_t *o)
{
    size_t  at = 0, child, is, *heap = o->s->heap, n = o->s->nheap;

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
    size_t  at = o->s->nheap - 1, above, is, *heap = o->s->heap;

    while (at != 0 && before(o, heap[at], heap[above = (at - 1) / 2])) {
        is = heap[at];
        heap[at] = heap[above];
        heap[above] = is;
        at = above;
    }
}


static bool
start(const order_t *o, size_t memory)
{
    bool      ok = true;
    run_t    *run;
    spill_t  *s = o->s;

    free(s->heap);
    s->heap = calloc(s->nruns + 1, sizeof(size_t));
    s->nheap = 0;
    s->piece = memory / (s->nruns + 1) & ~(size_t) 4095;
    s->piece = s->piece < BUFFER_MIN ? BUFFER_MIN
               : s->piece > BUFFER ? BUFFER : s->piece;
    ok = s->heap != NULL;

    for (size_t i = 0; ok && i < s->nruns; i++) {
        run = &s->runs[i];
        free(run->buffer);
        run->buffer = malloc(s->piece);
        run->at = run->from;
        run->next = 0;
        run->end = 0;

        ok = run->buffer != NULL;

        if (ok && run_has(s, run, &ok)) {
            s->heap[s->nheap++] = i;
            rise(o);
        }
    }

    return ok;
}


bool
spill_each(spill_t *s, size_t memory, spill_compare_t compare,
    void *compare_data, spill_record_t record, void *data)
{
    bool     ok;
    run_t   *run;
    order_t  o = { s, compare, compare_data };

    ok = start(&o, memory);

    while (ok && s->nheap != 0) {
        run = &s->runs[s->heap[0]];

        if (!record(data, head_of(run) + 1, head_of(run)->n)) {
            return true;
        }

        if (!run_next(s, run, &ok)) {
            s->heap[0] = s->heap[--s->nheap];
        }

        sink(&o);
    }

    return ok;
}
