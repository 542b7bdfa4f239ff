#define _GNU_SOURCE

#include "llmctl_keyfile.h"
#include "llmctl.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define NEW_MODE   0600

static bool
no(const char *what, const char *why)
{
    (void) fail(what, why);

    return false;
}


/* path + suffix, malloc()ed. */
static char *
beside(const char *path, const char *suffix)
{
    char  *name = NULL;

    return asprintf(&name, "%s%s", path, suffix) < 0 ? NULL : name;
}


/* The file that a name means, through symbolic links; it need not exist. */
static char *
resolve(const char *name, bool *exists)
{
    char         *path = realpath(name, NULL);
    struct stat   st;

    *exists = path != NULL;

    if (path != NULL) {
        return path;
    }

    if (errno != ENOENT || (lstat(name, &st) == 0 && S_ISLNK(st.st_mode))) {
        (void) fail(name, strerror(errno == 0 ? ENOENT : errno));
        return NULL;
    }

    return strdup(name);
}


static bool
lock(keyfile_t *f)
{
    bool             done = false;
    char            *name = beside(f->path, ".lock");
    struct timespec  wait = { 0, 10 * 1000 * 1000 };

    if (name == NULL) {
        return no(f->path, "out of memory");
    }

    f->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, NEW_MODE);

    if (f->lock == -1) {
        (void) fail(name, strerror(errno));
        free(name);
        return false;
    }

    for (int i = 0; i < KEYFILE_LOCK_WAIT * 100 && !done; i++) {
        done = flock(f->lock, LOCK_EX | LOCK_NB) == 0;

        if (!done && errno != EWOULDBLOCK && errno != EINTR) {
            break;
        }

        if (!done) {
            (void) nanosleep(&wait, NULL);
        }
    }

    if (!done) {
        (void) fail(name, errno == EWOULDBLOCK ? "another edit does not end"
                                               : strerror(errno));
    }

    free(name);

    return done;
}


static bool
parse(keyfile_t *f, char *text, size_t size)
{
    tg_error_t    err;
    json_error_t  e;

    f->keys = tg_keys_load(tg_strz(basename(f->path)), tg_str_of(text, size),
                           &err);
    if (f->keys == NULL) {
        return no("keys", err.message);
    }

    f->root = json_loadb(text, size, 0, &e);
    f->list = json_object_get(f->root, "keys");

    return f->list != NULL || no(f->path, "out of memory");
}


static bool
load(keyfile_t *f)
{
    bool     done;
    char    *text;
    size_t   size;

    if (stat(f->path, &f->st) == -1) {
        return no(f->path, strerror(errno));
    }

    if (!S_ISREG(f->st.st_mode)) {
        return no(f->path, "is not a regular file");
    }

    text = read_file(f->path, TG_KEYS_TEXT_MAX, &size);
    if (text == NULL) {
        return false;
    }

    done = parse(f, text, size);
    free(text);

    return done;
}


bool
keyfile_edit(keyfile_t *f, const char *name, bool create)
{
    memset(f, 0, sizeof(keyfile_t));

    f->lock = -1;
    f->path = resolve(name, &f->exists);

    if (f->path == NULL) {
        return false;
    }

    if (!f->exists && !create) {
        return no(name, strerror(ENOENT));
    }

    if (!lock(f)) {
        return false;
    }

    /* made while we waited */

    if (!f->exists && access(f->path, F_OK) == 0) {
        f->exists = true;
    }

    if (f->exists) {
        return load(f);
    }

    f->list = json_array();
    f->root = json_pack("{s:i, s:o}", "tollgate_keys", 1, "keys", f->list);

    return f->root != NULL || no(name, "out of memory");
}


bool
keyfile_view(keyfile_t *f, const char *name)
{
    memset(f, 0, sizeof(keyfile_t));

    f->lock = -1;
    f->path = resolve(name, &f->exists);

    return f->path != NULL && load(f);
}


static bool
write_all(int fd, const char *p, size_t n)
{
    ssize_t  done;

    while (n != 0) {
        done = write(fd, p, n);

        if (done > 0) {
            p += done;
            n -= (size_t) done;

        } else if (done == 0 || errno != EINTR) {
            return false;
        }
    }

    return true;
}


/* The mode last: chown takes the set-id bits away. */
static bool
fill(const keyfile_t *f, int fd, const char *name, const char *text, size_t n)
{
    if (f->exists
        && (fchown(fd, f->st.st_uid, f->st.st_gid) == -1
            || fchmod(fd, f->st.st_mode & 07777) == -1))
    {
        return no(name, "can't be given the owner and mode of the file");
    }

    if (!write_all(fd, text, n) || fsync(fd) == -1) {
        return no(name, strerror(errno));
    }

    return true;
}


/* Whoever edits without llmctl takes no lock. */
static bool
unchanged(const keyfile_t *f)
{
    struct stat  st;

    if (!f->exists) {
        return access(f->path, F_OK) == -1;
    }

    return stat(f->path, &st) == 0 && st.st_ino == f->st.st_ino
           && st.st_dev == f->st.st_dev && st.st_size == f->st.st_size
           && st.st_mtim.tv_sec == f->st.st_mtim.tv_sec
           && st.st_mtim.tv_nsec == f->st.st_mtim.tv_nsec;
}


static bool
sync_folder(const char *path)
{
    int    fd;
    bool   done;
    char  *copy = strdup(path);

    if (copy == NULL) {
        return false;
    }

    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);

    if (fd == -1) {
        return false;
    }

    done = fsync(fd) == 0;
    close(fd);

    return done;
}


static bool
replace(const keyfile_t *f, const char *text, size_t n)
{
    int    fd;
    bool   done;
    char  *name = beside(f->path, ".new");

    if (name == NULL) {
        return no(f->path, "out of memory");
    }

    /* the lock is ours, so one that is there was left by a crash */

    (void) unlink(name);
    fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
              NEW_MODE);

    if (fd == -1) {
        (void) fail(name, strerror(errno));
        free(name);
        return false;
    }

    done = fill(f, fd, name, text, n);

    if (close(fd) == -1 && done) {
        done = no(name, strerror(errno));
    }

    if (done && !unchanged(f)) {
        done = no(f->path, "was changed meanwhile; nothing is done");
    }

    if (done && rename(name, f->path) == -1) {
        done = no(f->path, strerror(errno));
    }

    if (!done) {
        (void) unlink(name);

    } else if (!sync_folder(f->path)) {
        fprintf(stderr, "llmctl: %s: is changed, but its folder can't be"
                " written to the disk: %s\n", f->path, strerror(errno));
    }

    free(name);

    return done;
}


/* A value as one line. */
static bool
put_value(FILE *out, const json_t *v)
{
    return json_dumpf(v, out, JSON_ENCODE_ANY) == 0;
}


/* The members or elements of v, one a line: a record is found by its line. */
static bool
put_lines(FILE *out, json_t *v)
{
    void        *it = json_object_iter(v);
    bool         done = true;
    json_t      *name;
    const char  *sep = "";

    for (size_t i = 0; done && i < json_array_size(v); i++) {
        fprintf(out, "%s\n    ", sep);
        done = put_value(out, json_array_get(v, i));
        sep = ",";
    }

    for ( /* void */ ; done && it != NULL; it = json_object_iter_next(v, it)) {
        fprintf(out, "%s\n    ", sep);
        name = json_string(json_object_iter_key(it));
        done = put_value(out, name) && fprintf(out, ": ") > 0
               && put_value(out, json_object_iter_value(it));
        json_decref(name);
        sep = ",";
    }

    return done && fprintf(out, *sep ? "\n  " : "") >= 0;
}


/* The text of the whole file, malloc()ed; NULL on exhaustion. */
static char *
dump(json_t *root, size_t *size)
{
    bool         done = true;
    char        *text = NULL;
    FILE        *out = open_memstream(&text, size);
    json_t      *v;
    const char  *name, *sep = "";

    if (out == NULL) {
        return NULL;
    }

    fprintf(out, "{");

    json_object_foreach(root, name, v) {
        fprintf(out, "%s\n  \"%s\": ", sep, name);
        sep = ",";

        if (json_is_object(v) || json_is_array(v)) {
            fputc(json_is_array(v) ? '[' : '{', out);
            done = done && put_lines(out, v);
            fputc(json_is_array(v) ? ']' : '}', out);

        } else {
            done = done && put_value(out, v);
        }
    }

    fprintf(out, "\n}\n");
    done = !ferror(out) && done;

    if (fclose(out) == EOF || !done) {
        free(text);
        return NULL;
    }

    return text;
}


bool
keyfile_save(keyfile_t *f)
{
    bool         done;
    char        *text;
    size_t       n;
    tg_keys_t   *keys;
    tg_error_t   err;

    text = dump(f->root, &n);
    if (text == NULL) {
        return no(f->path, "out of memory");
    }

    keys = tg_keys_load(tg_str("with this change"), tg_str_of(text, n), &err);

    if (keys == NULL) {
        free(text);
        return no("keys", err.message);
    }

    tg_keys_destroy(keys);
    done = replace(f, text, n);
    free(text);

    if (done && !f->exists) {
        fprintf(stderr, "llmctl: %s is new, and readable by its owner only\n",
                f->path);
    }

    return done;
}


void
keyfile_close(keyfile_t *f)
{
    json_decref(f->root);
    tg_keys_destroy(f->keys);
    free(f->path);

    if (f->lock != -1) {
        close(f->lock);
    }
}


json_t *
keyfile_find(const keyfile_t *f, const char *id)
{
    size_t   i;
    json_t  *key;

    json_array_foreach(f->list, i, key) {
        if (strcmp(json_string_value(json_object_get(key, "id")), id) == 0) {
            return key;
        }
    }

    (void) fail(id, "there is no key of this id");

    return NULL;
}
