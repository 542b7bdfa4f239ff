/*
 * manifest.h - a sealed period's file, read: what there is of it in memory does
 * not grow with its rows, which are read again each time they are asked for.
 */

#ifndef MANIFEST_H
#define MANIFEST_H

#include "seal.h"

typedef struct manifest_s  manifest_t;

/* "-" is stdin.  NULL with a message said: it can't be read, or is none. */
manifest_t *manifest_open(const char *file);
void manifest_free(manifest_t *m);

/* Of the manifest itself; lent, NULL where it has none.  There are no rows. */
const json_t *manifest_get(const manifest_t *m, const char *name);
tg_str_t manifest_text(const manifest_t *m, const char *name);
int64_t manifest_int(const manifest_t *m, const char *name);

/* Of the period before it, empty where it was sealed upon none. */
tg_str_t manifest_previous(const manifest_t *m);

/* key: a JSON array of texts, lent.  False ends it. */
typedef bool (*manifest_row_t)(void *data, const json_t *key,
    const seal_sum_t *sum);

/* The rows as they come.  False: it was ended, or they can't be read again. */
bool manifest_each(manifest_t *m, manifest_row_t row, void *data);

/* Is its hash that of what it says?  False, too, where it can't be read again.
 */
bool manifest_sound(manifest_t *m);

#endif /* MANIFEST_H */
