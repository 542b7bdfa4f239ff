#define _GNU_SOURCE

#include "timeline.h"
#include "llmctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RUN_BUFFER  (256 * 1024)
#define RUNS_MAX    4096
#define PACKED_MAX  (128 * 1024)        /* more than any record: a line has at
                                           most TG_LINE_MAX bytes */

/* A packed record: this, then numbers, texts and tags. */
typedef struct {
    uint32_t  size;                     /* of all of it, in bytes */
    uint8_t   rank;
    uint8_t   ntexts;
    uint8_t   ntags;
    int64_t   time;
    int64_t   seq;
    uint64_t  order;                    /* as it came */
    uint64_t  has;
    uint32_t  flags;
} packed_t;

/* Sorted records in the file. */
typedef struct {
    off_t     at, end;                  /* what is not read yet */
    char     *buf;
    size_t    have, used;
    packed_t  head;                     /* of the next record, at buf + used */
    bool      over;
} run_t;

struct timeline_s {
    char      *chunk;                   /* of `memory` bytes */
    size_t     memory;
    size_t     size;                    /* in use */
    uint32_t  *at;                      /* where each of its records is */
    size_t     nat, room;
    size_t     next;                    /* of them, where there are no runs */
    uint64_t   count;
    int        fd;
    off_t      written;
    run_t     *runs;
    unsigned   nruns;
    bool       sorted;
    char      *out;                     /* the record that was handed out */
};


timeline_t *
timeline_new(size_t memory)
{
    timeline_t  *t = calloc(1, sizeof(*t));

    if (t != NULL) {
        t->fd = -1;
        t->memory = memory != 0 ? memory : TIMELINE_MEMORY;
        t->memory = t->memory < 2 * PACKED_MAX ? 2 * PACKED_MAX : t->memory;
        t->chunk = malloc(t->memory);
        t->out = malloc(PACKED_MAX);
    }

    if (t == NULL || t->chunk == NULL || t->out == NULL) {
        timeline_free(t);
        (void) fail("timeline", strerror(ENOMEM));
        return NULL;
    }

    return t;
}


void
timeline_free(timeline_t *t)
{
    if (t == NULL) {
        return;
    }

    for (unsigned i = 0; i < t->nruns; i++) {
        free(t->runs[i].buf);
    }

    if (t->fd != -1) {
        (void) close(t->fd);
    }

    free(t->runs);
    free(t->chunk);
    free(t->at);
    free(t->out);
    free(t);
}


uint64_t
timeline_count(const timeline_t *t)
{
    return t->count;
}


static int
compare(const packed_t *a, const packed_t *b)
{
    return a->time != b->time ? (a->time < b->time ? -1 : 1)
           : a->rank != b->rank ? (a->rank < b->rank ? -1 : 1)
           : a->seq != b->seq ? (a->seq < b->seq ? -1 : 1)
           : a->order < b->order ? -1 : a->order > b->order;
}


static int
compare_at(const void *a, const void *b, void *data)
{
    packed_t           x, y;
    const timeline_t  *t = data;

    memcpy(&x, t->chunk + *(const uint32_t *) a, sizeof(x));
    memcpy(&y, t->chunk + *(const uint32_t *) b, sizeof(y));

    return compare(&x, &y);
}


static void
sort(timeline_t *t)
{
    if (t->nat != 0) {
        qsort_r(t->at, t->nat, sizeof(t->at[0]), compare_at, t);
    }
}


static bool
open_file(timeline_t *t)
{
    char        *name = NULL;
    const char  *dir = getenv("TMPDIR");

    if (t->fd != -1) {
        return true;
    }

    dir = dir == NULL || *dir == '\0' ? "/tmp" : dir;

    if (asprintf(&name, "%s/llmctl.XXXXXX", dir) >= 0) {
        t->fd = mkostemp(name, O_CLOEXEC);

        if (t->fd != -1) {
            (void) unlink(name);
        }

        free(name);
    }

    return t->fd != -1 || failed(dir, strerror(errno));
}


static bool
write_all(timeline_t *t, const char *p, size_t n)
{
    ssize_t  done;

    while (n != 0) {
        done = pwrite(t->fd, p, n, t->written);

        if (done == -1 && errno == EINTR) {
            continue;
        }

        if (done <= 0) {
            return failed("the temporary file to sort in", strerror(errno));
        }

        p += done;
        n -= (size_t) done;
        t->written += done;
    }

    return true;
}


/* What is in memory, sorted, to the file. */
static bool
spill(timeline_t *t)
{
    char      *buf;
    run_t     *runs;
    size_t     n = 0;
    packed_t   head;

    runs = t->nruns == RUNS_MAX ? NULL
           : realloc(t->runs, (t->nruns + 1) * sizeof(run_t));
    buf = malloc(RUN_BUFFER);

    if (runs == NULL || buf == NULL || !open_file(t)) {
        t->runs = runs != NULL ? runs : t->runs;
        free(buf);
        return failed("timeline", "there is too much to be sorted");
    }

    t->runs = runs;
    memset(&runs[t->nruns], 0, sizeof(run_t));
    runs[t->nruns].at = t->written;
    sort(t);

    for (size_t i = 0; i < t->nat; i++) {
        memcpy(&head, t->chunk + t->at[i], sizeof(head));

        if (n + head.size > RUN_BUFFER) {
            if (!write_all(t, buf, n)) {
                free(buf);
                return false;
            }
            n = 0;
        }

        memcpy(buf + n, t->chunk + t->at[i], head.size);
        n += head.size;
    }

    if (!write_all(t, buf, n)) {
        free(buf);
        return false;
    }

    runs[t->nruns].end = t->written;
    runs[t->nruns++].buf = buf;
    t->size = 0;
    t->nat = 0;

    return true;
}


static char *
pack_text(char *p, tg_str_t s)
{
    uint16_t  len = (uint16_t) (s.len > UINT16_MAX ? UINT16_MAX : s.len);

    memcpy(p, &len, sizeof(len));
    memcpy(p + sizeof(len), s.p, len);

    return p + sizeof(len) + len;
}


/* Bytes that it takes at most. */
static size_t
packed_size(const record_t *r, uint64_t texts)
{
    size_t  n = sizeof(packed_t) + REC_NUMBERS * sizeof(int64_t);

    for (unsigned i = 0; i < REC_TEXTS; i++) {
        n += texts >> i & 1 ? r->text[i].len + 3 : 0;
    }

    for (unsigned i = 0; i < r->ntags; i++) {
        n += r->tags[i].name.len + r->tags[i].value.len + 4;
    }

    return n + 8;
}


static void
pack(timeline_t *t, const record_t *r, const record_want_t *want)
{
    char      *start = t->chunk + t->size, *p = start + sizeof(packed_t);
    packed_t   head;

    memset(&head, 0, sizeof(head));
    head.time = r->time;
    head.seq = r->number[REC_SEQ];
    head.order = t->count;
    head.flags = r->flags;
    head.rank = (uint8_t) (tg_str_eq(r->text[REC_EVENT_KIND],
                                     tg_str("outcome")) ? 3
                : !record_is(r, REC_FINAL) ? 0
                : tg_str_eq(r->text[REC_DECISION], tg_str("refuse")) ? 2 : 1);

    for (unsigned i = 0; i < REC_NUMBERS; i++) {
        if (record_has(r, i) && (want->number >> i & 1) != 0) {
            head.has |= UINT64_C(1) << i;
            memcpy(p, &r->number[i], sizeof(int64_t));
            p += sizeof(int64_t);
        }
    }

    for (unsigned i = 0; i < REC_TEXTS; i++) {
        if ((want->text >> i & 1) != 0 && r->text[i].len != 0) {
            head.ntexts++;
            *p++ = (char) i;
            p = pack_text(p, r->text[i]);
        }
    }

    for (unsigned i = 0; want->tags && i < r->ntags; i++) {
        head.ntags++;
        p = pack_text(p, r->tags[i].name);
        p = pack_text(p, r->tags[i].value);
    }

    while ((p - start) % 8 != 0) {
        *p++ = '\0';
    }

    head.size = (uint32_t) (p - start);
    memcpy(start, &head, sizeof(head));
    t->at[t->nat++] = (uint32_t) t->size;
    t->size += head.size;
    t->count++;
}


bool
timeline_add(timeline_t *t, const record_t *r, const record_want_t *want)
{
    size_t     room, size = packed_size(r, want->text);
    uint32_t  *at;

    if (size > PACKED_MAX) {
        return true;                    /* no line of ours */
    }

    if (t->size + size > t->memory && !spill(t)) {
        return false;
    }

    if (t->nat == t->room) {
        room = t->room == 0 ? 1024 : t->room * 2;
        at = realloc(t->at, room * sizeof(t->at[0]));

        if (at == NULL) {
            return failed("timeline", strerror(ENOMEM));
        }

        t->at = at;
        t->room = room;
    }

    pack(t, r, want);

    return true;
}


static const char *
unpack_text(const char *p, tg_str_t *s)
{
    uint16_t  len;

    memcpy(&len, p, sizeof(len));
    *s = tg_str_of(p + sizeof(len), len);

    return p + sizeof(len) + len;
}


static void
unpack(const char *p, record_t *r)
{
    unsigned  id;
    packed_t  head;

    memset(r, 0, sizeof(record_t));
    memcpy(&head, p, sizeof(head));
    p += sizeof(head);
    r->time = head.time;
    r->flags = head.flags;
    r->has = head.has;

    for (unsigned i = 0; i < REC_NUMBERS; i++) {
        if (record_has(r, i)) {
            memcpy(&r->number[i], p, sizeof(int64_t));
            p += sizeof(int64_t);
        }
    }

    for (unsigned i = 0; i < head.ntexts; i++) {
        id = (unsigned char) *p++;
        p = unpack_text(p, &r->text[id]);
    }

    for (unsigned i = 0; i < head.ntags && i < RECORD_TAGS_MAX; i++) {
        p = unpack_text(p, &r->tags[i].name);
        p = unpack_text(p, &r->tags[i].value);
        r->ntags++;
    }
}


static bool
read_some(timeline_t *t, run_t *run)
{
    off_t    left = run->end - run->at;
    size_t   n = RUN_BUFFER - run->have;
    ssize_t  got;

    n = (off_t) n > left ? (size_t) left : n;

    while (n != 0) {
        got = pread(t->fd, run->buf + run->have, n, run->at);

        if (got == -1 && errno == EINTR) {
            continue;
        }

        if (got <= 0) {
            return failed("the temporary file to sort in", got == 0
                          ? "is cut" : strerror(errno));
        }

        run->have += (size_t) got;
        run->at += got;
        n -= (size_t) got;
    }

    return true;
}


/* The next record's head, the whole of it in the buffer. */
static bool
advance(timeline_t *t, run_t *run)
{
    size_t  left = run->have - run->used;

    if (left >= sizeof(packed_t)) {
        memcpy(&run->head, run->buf + run->used, sizeof(packed_t));
    }

    if ((left < sizeof(packed_t) || left < run->head.size)
        && run->at < run->end)
    {
        memmove(run->buf, run->buf + run->used, left);
        run->have = left;
        run->used = 0;

        if (!read_some(t, run)) {
            return false;
        }

        left = run->have;
        memcpy(&run->head, run->buf, sizeof(packed_t));
    }

    run->over = left == 0;

    return true;
}


static bool
begin(timeline_t *t)
{
    t->sorted = true;

    if (t->nruns == 0) {
        sort(t);
        return true;
    }

    if (t->nat != 0 && !spill(t)) {
        return false;
    }

    for (unsigned i = 0; i < t->nruns; i++) {
        if (!advance(t, &t->runs[i])) {
            return false;
        }
    }

    return true;
}


bool
timeline_next(timeline_t *t, record_t *r, bool *broken)
{
    run_t  *run, *first = NULL;

    if (!t->sorted && !begin(t)) {
        *broken = true;
        return false;
    }

    if (t->nruns == 0) {
        if (t->next == t->nat) {
            return false;
        }

        unpack(t->chunk + t->at[t->next++], r);
        return true;
    }

    for (unsigned i = 0; i < t->nruns; i++) {
        run = &t->runs[i];

        if (!run->over
            && (first == NULL || compare(&run->head, &first->head) < 0))
        {
            first = run;
        }
    }

    if (first == NULL) {
        return false;
    }

    memcpy(t->out, first->buf + first->used, first->head.size);
    first->used += first->head.size;
    unpack(t->out, r);

    if (!advance(t, first)) {
        *broken = true;
        return false;
    }

    return true;
}
