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
 * The path with runs of slashes made one, without a last one, and without escapes
 * that need not be: a slice of it, or, where there are any, of buf, which has room
 * for all of it.  It has at most *segments.
 */
tg_str_t tg_path_squeeze(tg_str_t path, char *buf, size_t *segments);

/* The byte that an escape at s.p[i] stands for; -1: there is none. */
int tg_path_octet(tg_str_t s, size_t i);

/*
 * Writes the path as the most lenient server might read it, in lower case, to buf,
 * which is as long, and returns its length.
 */
size_t tg_path_loose(tg_str_t path, char *buf);

#endif /* TG_PATH_H */
