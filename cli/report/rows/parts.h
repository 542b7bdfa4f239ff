/*
 * parts.h - what does not fit into memory, in no order but that what belongs
 * together comes together: each part is an unlinked temporary file.
 */

#ifndef PARTS_H
#define PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARTS             64
#define PARTS_RECORD_MAX  (32 * 1024)

/* What each record begins with: its size in bytes, a multiple of 8. */
typedef uint32_t  parts_size_t;

typedef struct parts_s  parts_t;

/* False ends it. */
typedef bool (*parts_record_t)(void *data, const void *record);

parts_t *parts_new(void);       /* NULL: no memory, or no files */
void parts_free(parts_t *p);

/* False: there is no room on the disk. */
bool parts_put(parts_t *p, unsigned part, const void *record);

uint64_t parts_size(const parts_t *p, unsigned part);   /* bytes */
uint64_t parts_count(const parts_t *p, unsigned part);  /* records */

/* All records of a part, as they came, aligned for any type; its file goes with
 * that. False: they can't be read. */
bool parts_take(parts_t *p, unsigned part, parts_record_t record, void *data);

#endif /* PARTS_H */
