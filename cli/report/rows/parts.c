#define _GNU_SOURCE

#include "parts.h"
#include "reading/temporary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER   (64 * 1024)            /* of each part, while it is written */
#define READING  (256 * 1024)

typedef struct {
    FILE      *file;
    char      *buffer;
    size_t     used;
    uint64_t   size, count;
} part_t;

struct parts_s {
    part_t   parts[PARTS];
    char    *reading;
};


parts_t *
parts_new(void)
{
    bool      ok;
    part_t   *part;
    parts_t  *p = calloc(1, sizeof(parts_t));

    if (p == NULL) {
        return NULL;
    }

    p->reading = malloc(READING);
    ok = p->reading != NULL;

    for (part = p->parts; ok && part < p->parts + PARTS; part++) {
        part->file = temporary_file();
        part->buffer = malloc(BUFFER);
        ok = part->file != NULL && part->buffer != NULL;
    }

    if (!ok) {
        parts_free(p);
        p = NULL;
    }

    return p;
}


static void
part_free(part_t *part)
{
    if (part->file != NULL) {
        (void) fclose(part->file);
    }

    free(part->buffer);
    memset(part, 0, sizeof(*part));
}


void
parts_free(parts_t *p)
{
    for (unsigned i = 0; p != NULL && i < PARTS; i++) {
        part_free(&p->parts[i]);
    }

    if (p != NULL) {
        free(p->reading);
        free(p);
    }
}


static bool
write_out(part_t *part)
{
    bool  ok = temporary_write(part->file, part->buffer, part->used);

    part->used = 0;

    return ok;
}


static size_t
size_of(const char *record)
{
    parts_size_t  n;

    memcpy(&n, record, sizeof(n));

    return n;
}


bool
parts_put(parts_t *p, unsigned part, const void *record)
{
    size_t   n = size_of(record);
    part_t  *to = &p->parts[part];

    if (n > PARTS_RECORD_MAX || (BUFFER - to->used < n && !write_out(to))) {
        return false;
    }

    memcpy(to->buffer + to->used, record, n);
    to->used += n;
    to->size += n;
    to->count++;

    return true;
}


uint64_t
parts_size(const parts_t *p, unsigned part)
{
    return p->parts[part].size;
}


uint64_t
parts_count(const parts_t *p, unsigned part)
{
    return p->parts[part].count;
}


/* n bytes, the rest of what was read before among them; what is no whole record
 * stays. */
static bool
hand_over(char *p, size_t *n, parts_record_t record, void *data)
{
    size_t  at = 0, size;

    while (*n - at >= sizeof(parts_size_t)
           && *n - at >= (size = size_of(p + at)))
    {
        if (!record(data, p + at)) {
            return false;
        }

        at += size;
    }

    *n -= at;
    memmove(p, p + at, *n);

    return true;
}


bool
parts_take(parts_t *p, unsigned part, parts_record_t record, void *data)
{
    bool      ok;
    off_t     at = 0;
    size_t    n = 0;
    ssize_t   got = 0;
    part_t   *from = &p->parts[part];

    ok = write_out(from);

    while (ok && (uint64_t) at < from->size) {
        got = pread(fileno(from->file), p->reading + n, READING - n, at);

        if (got <= 0) {
            ok = false;
            break;
        }

        at += got;
        n += (size_t) got;

        if (!hand_over(p->reading, &n, record, data)) {
            break;
        }
    }

    part_free(from);

    return ok;
}
