/*
 * llmctl_keyfile.h - a keys file that is edited as a whole: locked, checked
 * before and after, and replaced in one step.
 */

#ifndef LLMCTL_KEYFILE_H
#define LLMCTL_KEYFILE_H

#include "tg_keys.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/stat.h>

#define KEYFILE_LOCK_WAIT  20           /* seconds */

typedef struct {
    char         *path;                 /* no symbolic link */
    int           lock;
    bool          exists;
    struct stat   st;                   /* as it was read */
    tg_keys_t    *keys;                 /* likewise; NULL if it did not exist */
    json_t       *root;                 /* to be changed */
    json_t       *list;                 /* root's "keys" */
} keyfile_t;

/*
 * All return false with a message said.  keyfile_edit() waits for other
 * editors; where `create` is set, a file that does not exist is one without
 * keys.
 */
bool keyfile_edit(keyfile_t *f, const char *name, bool create);
bool keyfile_view(keyfile_t *f, const char *name);

/*
 * Replaces the file by `root`, if that is a valid keys file: a new file beside
 * it, of the same owner and mode, is on the disk before it takes the name.  A
 * crash at any point leaves the old file or the new one.
 */
bool keyfile_save(keyfile_t *f);

void keyfile_close(keyfile_t *f);

/* The record of that id, NULL with a message said. */
json_t *keyfile_find(const keyfile_t *f, const char *id);

#endif /* LLMCTL_KEYFILE_H */
