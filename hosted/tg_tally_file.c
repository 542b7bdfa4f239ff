#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_tally_file.h"
#include "tg_backend_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TG_TALLY_LOCK_MS  5000      /* for another who opens the file */

/* Each of those that open it at once may replace it. */
#define TG_TALLY_TRIES    16


static int
tg_tally_errno(tg_error_t *err, const char *what)
{
    int  e = errno;

    return tg_error(err, e, 0, "%s: %s", what, strerror(e));
}


static tg_tally_t *
tg_tally_map(int flags, int fd)
{
    void  *p = mmap(NULL, sizeof(tg_tally_t), PROT_READ | PROT_WRITE, flags,
                    fd, 0);

    return p == MAP_FAILED ? NULL : p;
}


/* old: a file of another version, whose secret is gone on with, or -1. */
static bool
tg_tally_begin(tg_tally_t *t, int old, int64_t now)
{
    unsigned char  secret[TG_TALLY_SECRET];

    if ((old == -1
         || pread(old, secret, sizeof(secret), offsetof(tg_tally_t, secret))
            != (ssize_t) sizeof(secret))
        && getrandom(secret, sizeof(secret), 0) != (ssize_t) sizeof(secret))
    {
        return false;
    }

    tg_tally_init(t, now, secret);

    return true;
}


static int
tg_tally_fill(int fd, int old, int64_t now, tg_error_t *err)
{
    int          rc = posix_fallocate(fd, 0, (off_t) sizeof(tg_tally_t));
    tg_tally_t  *t;

    if (rc != 0) {
        errno = rc;
        return tg_tally_errno(err, "its blocks can't be allocated");
    }

    t = tg_tally_map(MAP_SHARED, fd);

    if (t == NULL) {
        return tg_tally_errno(err, "it can't be mapped");
    }

    rc = tg_tally_begin(t, old, now) ? TG_OK
         : tg_tally_errno(err, "there are no random bytes");
    (void) munmap(t, sizeof(tg_tally_t));

    return rc;
}


static int
tg_tally_keep(const char *path, tg_error_t *err)
{
    int    rc = TG_OK;
    char  *name;

    if (asprintf(&name, "%s" TG_TALLY_OLD, path) == -1) {
        return tg_error(err, 0, 0, "no memory");
    }

    if ((unlink(name) == -1 && errno != ENOENT) || link(path, name) == -1) {
        rc = tg_tally_errno(err, "what is there can't be kept");
    }

    free(name);

    return rc;
}


/* Under another name, then put into place: of who come at once one wins.  old:
 * what is to be replaced, and st of it; or -1 and NULL. */
static int
tg_tally_make(const char *path, int old, const struct stat *st, int64_t now,
    tg_error_t *err)
{
    int    fd, rc;
    char  *name;

    if (asprintf(&name, "%s.XXXXXX", path) == -1) {
        return tg_error(err, 0, 0, "no memory");
    }

    fd = mkostemp(name, O_CLOEXEC);

    if (fd == -1) {
        rc = tg_tally_errno(err, "it can't be made");
        free(name);
        return rc;
    }

    rc = tg_tally_fill(fd, old, now, err);

    if (rc == TG_OK && st != NULL) {
        (void) !fchown(fd, st->st_uid, st->st_gid);
    }

    if (rc == TG_OK
        && (st != NULL ? rename(name, path) : link(name, path)) == -1
        && errno != EEXIST)
    {
        rc = tg_tally_errno(err, "it can't be put into its place");
    }

    (void) unlink(name);
    (void) close(fd);
    free(name);

    return rc;
}


static int
tg_tally_lock(int fd, tg_error_t *err)
{
    int64_t          end = tg_backend_now()
                           + TG_TALLY_LOCK_MS * INT64_C(1000000);
    struct timespec  t = { 0, 2000000 };

    while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return tg_tally_errno(err, "it can't be locked");
        }

        if (tg_backend_now() > end) {
            return tg_error(err, 0, 0, "another process keeps opening it");
        }

        (void) nanosleep(&t, NULL);
    }

    return TG_OK;
}


/* TG_OK: it is one of this version.  TG_AGAIN: of another. */
static int
tg_tally_look(int fd, const struct stat *st, tg_error_t *err)
{
    int       rc = TG_ERROR;
    uint64_t  head[2];

    if (S_ISREG(st->st_mode)
        && pread(fd, head, sizeof(head), 0) == (ssize_t) sizeof(head))
    {
        rc = tg_tally_check(head[0], head[1]);
    }

    if (rc == TG_ERROR) {
        return tg_error(err, 0, 0, "it is no file of ours");
    }

    return rc == TG_OK && st->st_size == (off_t) sizeof(tg_tally_t)
           ? TG_OK : TG_AGAIN;
}


/* TG_AGAIN: it was made, or another took its place meanwhile. */
static int
tg_tally_try(tg_tally_file_t *f, const char *path, int64_t now,
    tg_error_t *err)
{
    int          rc;
    struct stat  st, named;

    f->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (f->fd == -1) {
        return errno != ENOENT ? tg_tally_errno(err, "it can't be opened")
               : tg_tally_make(path, -1, NULL, now, err) == TG_OK
               ? TG_AGAIN : TG_ERROR;
    }

    if (tg_tally_lock(f->fd, err) != TG_OK) {
        return TG_ERROR;
    }

    if (fstat(f->fd, &st) == -1) {
        return tg_tally_errno(err, "stat failed");
    }

    if (stat(path, &named) == -1 || named.st_ino != st.st_ino
        || named.st_dev != st.st_dev)
    {
        return TG_AGAIN;
    }

    rc = tg_tally_look(f->fd, &st, err);

    if (rc == TG_AGAIN) {
        if (tg_tally_keep(path, err) != TG_OK
            || tg_tally_make(path, f->fd, &st, now, err) != TG_OK)
        {
            return TG_ERROR;
        }

        f->replaced = true;
        return TG_AGAIN;
    }

    if (rc == TG_OK) {
        f->tally = tg_tally_map(MAP_SHARED, f->fd);
        rc = f->tally != NULL ? TG_OK
             : tg_tally_errno(err, "it can't be mapped");
        (void) flock(f->fd, LOCK_UN);
    }

    return rc;
}


int
tg_tally_file_open(tg_tally_file_t *f, const char *path, int64_t now,
    tg_error_t *err)
{
    int  rc = TG_AGAIN;

    f->tally = NULL;
    f->fd = -1;
    f->replaced = false;

    for (unsigned i = 0; i < TG_TALLY_TRIES && rc == TG_AGAIN; i++) {
        rc = tg_tally_try(f, path, now, err);

        if (rc != TG_OK) {
            tg_tally_file_close(f);
        }
    }

    return rc != TG_AGAIN ? rc
           : tg_error(err, 0, 0, "others keep replacing it");
}


int
tg_tally_file_chown(tg_tally_file_t *f, uid_t uid, gid_t gid, tg_error_t *err)
{
    return f->fd == -1 || fchown(f->fd, uid, gid) == 0 ? TG_OK
           : tg_tally_errno(err, "its owner can't be changed");
}


void
tg_tally_file_close(tg_tally_file_t *f)
{
    if (f->tally != NULL) {
        (void) munmap(f->tally, sizeof(tg_tally_t));
        f->tally = NULL;
    }

    if (f->fd != -1) {
        (void) close(f->fd);
        f->fd = -1;
    }
}


bool
tg_tally_file_cut(const tg_tally_file_t *f)
{
    struct stat  st;

    return f->tally != NULL && fstat(f->fd, &st) == 0
           && st.st_size < (off_t) sizeof(tg_tally_t);
}


tg_tally_t *
tg_tally_anonymous(int64_t now)
{
    tg_tally_t  *t = tg_tally_map(MAP_SHARED | MAP_ANONYMOUS, -1);

    if (t != NULL && !tg_tally_begin(t, -1, now)) {
        (void) munmap(t, sizeof(tg_tally_t));
        t = NULL;
    }

    return t;
}


static bool
tg_tally_pid_alive(void *data, int64_t pid, uint64_t start)
{
    (void) data;

    return tg_backend_alive(pid, start);
}


static bool
tg_tally_owner_alive(void *data, int64_t owner, uint64_t incarnation)
{
    const tg_ledger_file_t  *f = data;

    return tg_ledger_owner_alive(&f->ledger, (uint32_t) owner,
                                 (uint32_t) incarnation);
}


tg_tally_process_t *
tg_tally_file_join(tg_tally_t *tally, tg_ledger_file_t *owners)
{
    if (owners == NULL) {
        return tg_tally_join(tally, getpid(), tg_backend_start(),
                             tg_tally_pid_alive, NULL);
    }

    return tg_tally_join(tally, (uint32_t) owners->ledger.me,
                         owners->ledger.me >> 32, tg_tally_owner_alive, owners);
}


int64_t
tg_tally_file_in_flight(tg_tally_t *tally, tg_ledger_file_t *owners)
{
    return tg_tally_in_flight(tally, owners == NULL ? tg_tally_pid_alive
                                                    : tg_tally_owner_alive,
                              owners);
}
