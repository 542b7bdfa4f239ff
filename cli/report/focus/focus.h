/*
 * focus.h - cost lines as charges of FOCUS.
 */

#ifndef FOCUS_H
#define FOCUS_H

#include "focus_row.h"
#include "line/record.h"

/* A line's part in one class. */
typedef struct {
    int64_t  quantity;
    int64_t  cost;
    int64_t  list;
} focus_part_t;

/* What of a line focus_parts() looks at. */
void focus_want(record_want_t *want);

/*
 * Fills in `parts`, by focus_class_t: all zeros where the line has none of it.
 * Their costs add up to the line's, and their list prices to its list price.
 */
void focus_parts(const record_t *r, focus_part_t parts[FOCUS_CLASSES]);

#endif /* FOCUS_H */
