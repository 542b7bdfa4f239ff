/*
 * spill.h - what does not fit into memory, sorted: runs of records in an
 * unlinked temporary file.
 */

#ifndef SPILL_H
#define SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPILL_RECORD_MAX  (32 * 1024)

typedef struct spill_s  spill_t;

/* Negative: a comes before b; asked where their ranks are the same. */
typedef int (*spill_compare_t)(const void *a, const void *b, void *data);

/* False ends it. */
typedef bool (*spill_record_t)(void *data, const void *record, size_t n);

spill_t *spill_new(void);       /* NULL: no memory, or no file */
void spill_free(spill_t *s);

/*
 * A run: records of at most SPILL_RECORD_MAX bytes in the order of their ranks,
 * lower numbers first.  False: there is no room on the disk.
 */
bool spill_begin(spill_t *s);
bool spill_put(spill_t *s, const int64_t rank[2], const void *record,
    size_t n);
bool spill_end(spill_t *s);

/* All records of all runs in order, aligned for any type; as often as wanted.
 * memory: for the runs' buffers, as far as it goes.  False: they can't be
 * read. */
bool spill_each(spill_t *s, size_t memory, spill_compare_t compare,
    void *compare_data, spill_record_t record, void *data);

#endif /* SPILL_H */
