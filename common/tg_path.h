/*
 * tg_path.h - paths of requests, as written.
 */

#ifndef TG_PATH_H
#define TG_PATH_H

#include "tg_str.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * False where a server may make another path of it than the one that is written:
 * a segment is a dot or two, or there is a fragment.  A dot and a slash may be
 * encoded.
 */
bool tg_path_plain(tg_str_t path);

/*
 * The path with runs of slashes made one and without a last one: a slice of it,
 * or, where there are runs, of buf, which has room for all of it.  It has at most
 * *segments.
 */
tg_str_t tg_path_squeeze(tg_str_t path, char *buf, size_t *segments);

#endif /* TG_PATH_H */
