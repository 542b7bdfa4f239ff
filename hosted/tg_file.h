/*
 * tg_file.h - small files that the configuration names: read whole, and watched
 * for change.
 */

#ifndef TG_FILE_H
#define TG_FILE_H

#include "tg_error.h"

/* What tells one state of a file from another; of one that is not there, all
 * zero. */
typedef struct {
    int64_t   mtime_s;
    int64_t   mtime_ns;
    int64_t   size;
    uint64_t  ino;
} tg_file_state_t;

/*
 * Reads a file of at most `max` bytes; *text is to be freed with free() and has
 * a NUL behind it.  With `secret` the file must not be for everybody's eyes: its
 * mode has no bits for others.  TG_OK, TG_ERROR.
 */
int tg_file_read(const char *path, size_t max, bool secret, tg_str_t *text,
    tg_error_t *err);

/*
 * Puts a file with this text in the place of what is there: it is on the disk
 * under another name before it takes this one.  Its mode is 0600, its owner that
 * of the file open as `like`.  TG_OK, TG_ERROR; then nothing has changed.
 */
int tg_file_replace(const char *path, tg_str_t text, int like,
    tg_error_t *err);

/* True where the file is another than *state says, which is brought up to
 * date. */
bool tg_file_changed(const char *path, tg_file_state_t *state);

#endif /* TG_FILE_H */
