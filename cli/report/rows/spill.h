/*
 * spill.h - what does not fit into memory: sorted runs of records in unlinked
 * temporary files, in $TMPDIR or /var/tmp.
 */

#ifndef SPILL_H
#define SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPILL_RUNS_MAX    400
#define SPILL_RECORD_MAX  (64 * 1024)

typedef struct spill_s  spill_t;

/* As for qsort_r(). */
typedef int (*spill_compare_t)(const void *a, const void *b, void *data);

/* False ends it. */
typedef bool (*spill_record_t)(void *data, const void *record, size_t n);

spill_t *spill_new(void);       /* NULL: no memory */
void spill_free(spill_t *s);

/*
 * A run: records in order, each of at most SPILL_RECORD_MAX bytes.  False:
 * there is no room on the disk, or there are too many runs.
 */
bool spill_begin(spill_t *s);
bool spill_put(spill_t *s, const void *record, size_t n);
bool spill_end(spill_t *s);

/* All records of all runs in order, aligned for any type. False: they can't be
 * read. */
bool spill_each(spill_t *s, spill_compare_t compare, void *compare_data,
    spill_record_t record, void *data);

#endif /* SPILL_H */
