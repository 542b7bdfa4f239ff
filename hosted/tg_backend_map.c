#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_backend_map.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TG_MAP_BOOT_ID   "/proc/sys/kernel/random/boot_id"

/* For another who opens the file. */
#define TG_MAP_LOCK_MS   5000

/* Each of those that open it at once may replace it. */
#define TG_MAP_TRIES     16

/* The bytes before the table, which say whether it is one. */
#define TG_MAP_HEAD      4096
#define TG_MAP_MAGIC     "tollgate backends\n"

typedef struct {
    char      magic[24];
    uint64_t  size;             /* of the table, which is of this version */
    uint64_t  version;
} tg_map_head_t;


int64_t
tg_backend_now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}


/* A small file of /proc; 0 where it can't be read. */
static size_t
tg_map_proc(const char *path, char *text, size_t size)
{
    int      fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t  n;

    if (fd == -1) {
        return 0;
    }

    n = read(fd, text, size - 1);
    close(fd);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';

    return (size_t) n;
}


/* The 22nd field, ticks since boot: after the name in parentheses, which may
 * have any bytes, it is the 20th.  *zombie: it is dead, and not waited for. */
static uint64_t
tg_map_start(int64_t pid, bool *zombie)
{
    char         path[64], text[1024];
    const char  *p;

    *zombie = false;
    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long) pid);

    if (tg_map_proc(path, text, sizeof(text)) == 0) {
        return 0;
    }

    p = strrchr(text, ')');

    if (p == NULL || p[1] != ' ') {
        return 0;
    }

    *zombie = p[2] == 'Z' || p[2] == 'X';

    for (unsigned i = 0; i < 20 && p != NULL; i++) {
        p = strchr(p + 1, ' ');
    }

    return p == NULL ? 0 : strtoull(p + 1, NULL, 10);
}


uint64_t
tg_backend_start(void)
{
    bool  zombie;

    return tg_map_start(getpid(), &zombie);
}


bool
tg_backend_alive(int64_t pid, uint64_t start)
{
    bool      zombie;
    uint64_t  found;

    if (kill((pid_t) pid, 0) == -1 && errno == ESRCH) {
        return false;
    }

    found = tg_map_start(pid, &zombie);

    /* Where /proc does not tell, he lives. */

    return !zombie && (found == 0 || start == 0 || found == start);
}


static uint64_t
tg_map_boot(void)
{
    char      text[64];
    size_t    n = tg_map_proc(TG_MAP_BOOT_ID, text, sizeof(text));
    uint64_t  h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < n; i++) {
        h = (h ^ (unsigned char) text[i]) * UINT64_C(1099511628211);
    }

    return n == 0 ? 0 : h;
}


static void
tg_map_expect(tg_map_head_t *head)
{
    memset(head, 0, sizeof(*head));
    memcpy(head->magic, TG_MAP_MAGIC, sizeof(TG_MAP_MAGIC));
    head->size = tg_backends_size();
    head->version = TG_BACKENDS_VERSION;
}


static int
tg_map_memory(tg_backend_map_t *m, int flags, int prot, tg_error_t *err)
{
    void  *p = mmap(NULL, m->size, prot, flags, m->fd, 0);

    if (p == MAP_FAILED) {
        return tg_error(err, errno, 0, "it can't be mapped: %s",
                        strerror(errno));
    }

    m->table = (tg_backends_t *) (void *) ((char *) p + TG_MAP_HEAD);

    return TG_OK;
}


static void
tg_map_init(tg_backend_map_t *m)
{
    memset(m, 0, sizeof(*m));
    m->fd = -1;
    m->size = TG_MAP_HEAD + tg_backends_size();
}


static int
tg_map_fill(int fd, size_t size, tg_error_t *err)
{
    int            rc = posix_fallocate(fd, 0, (off_t) size);
    tg_map_head_t  head;

    if (rc != 0) {
        return tg_error(err, rc, 0, "its %zu bytes can't be allocated: %s",
                        size, strerror(rc));
    }

    tg_map_expect(&head);

    if (pwrite(fd, &head, sizeof(head), 0) != (ssize_t) sizeof(head)) {
        return tg_error(err, errno, 0, "it can't be written: %s",
                        strerror(errno));
    }

    return TG_OK;
}


/* Under another name, then put into place: of who come at once one wins.  old:
 * what is to be replaced, or NULL. */
static int
tg_map_make(tg_backend_map_t *m, const struct stat *old, tg_error_t *err)
{
    int   fd, rc;
    char  name[sizeof(m->path) + 16];

    snprintf(name, sizeof(name), "%s.XXXXXX", m->path);

    fd = mkostemp(name, O_CLOEXEC);
    if (fd == -1) {
        return tg_error(err, errno, 0, "it can't be made: %s",
                        strerror(errno));
    }

    rc = tg_map_fill(fd, m->size, err);

    if (rc == TG_OK && old != NULL) {
        (void) !fchown(fd, old->st_uid, old->st_gid);
    }

    if (rc == TG_OK
        && (old != NULL ? rename(name, m->path)
                        : link(name, m->path)) == -1
        && errno != EEXIST)
    {
        rc = tg_error(err, errno, 0, "it can't be made: %s", strerror(errno));
    }

    (void) unlink(name);
    close(fd);

    return rc;
}


static int
tg_map_lock(int fd, tg_error_t *err)
{
    int64_t          end = tg_backend_now() + TG_MAP_LOCK_MS * INT64_C(1000000);
    struct timespec  t = { 0, 2000000 };

    while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return tg_error(err, errno, 0, "it can't be locked: %s",
                            strerror(errno));
        }

        if (tg_backend_now() > end) {
            return tg_error(err, 0, 0, "another process keeps opening it");
        }

        nanosleep(&t, NULL);
    }

    return TG_OK;
}


/* TG_OK: it is one of this version. TG_AGAIN: of another. */
static int
tg_map_check(int fd, size_t size, struct stat *st, tg_error_t *err)
{
    ssize_t        n;
    tg_map_head_t  head, expected;

    if (fstat(fd, st) == -1) {
        return tg_error(err, errno, 0, "stat failed: %s", strerror(errno));
    }

    tg_map_expect(&expected);
    n = S_ISREG(st->st_mode) ? pread(fd, &head, sizeof(head), 0) : 0;

    if (n != (ssize_t) sizeof(head)
        || memcmp(head.magic, expected.magic, sizeof(head.magic)) != 0)
    {
        return tg_error(err, 0, 0, "it is not a table of backends");
    }

    return memcmp(&head, &expected, sizeof(head)) == 0
           && (uint64_t) st->st_size == size ? TG_OK : TG_AGAIN;
}


/* TG_AGAIN: it was made, or another took its place meanwhile. */
static int
tg_map_try(tg_backend_map_t *m, tg_error_t *err)
{
    int          rc;
    struct stat  st, named;

    m->fd = open(m->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (m->fd == -1 && errno == ENOENT) {
        return tg_map_make(m, NULL, err) == TG_OK ? TG_AGAIN : TG_ERROR;
    }

    if (m->fd == -1) {
        return tg_error(err, errno, 0, "it can't be opened: %s",
                        strerror(errno));
    }

    if (tg_map_lock(m->fd, err) != TG_OK) {
        return TG_ERROR;
    }

    rc = tg_map_check(m->fd, m->size, &st, err);

    if (rc == TG_ERROR) {
        return TG_ERROR;
    }

    if (stat(m->path, &named) == -1 || named.st_ino != st.st_ino
        || named.st_dev != st.st_dev)
    {
        return TG_AGAIN;
    }

    if (rc == TG_AGAIN) {
        return tg_map_make(m, &st, err) == TG_OK ? TG_AGAIN : TG_ERROR;
    }

    if (tg_map_memory(m, MAP_SHARED, PROT_READ | PROT_WRITE, err) != TG_OK
        || tg_backends_open(m->table, m->size - TG_MAP_HEAD, tg_map_boot(),
                            tg_backend_now(), err) != TG_OK)
    {
        return TG_ERROR;
    }

    (void) flock(m->fd, LOCK_UN);

    return TG_OK;
}


static int
tg_map_path(tg_backend_map_t *m, const char *path, tg_error_t *err)
{
    tg_map_init(m);

    if (path[0] != '/' || strlen(path) >= sizeof(m->path)) {
        return tg_error(err, 0, 0, "its name must be absolute, and shorter");
    }

    memcpy(m->path, path, strlen(path) + 1);

    return TG_OK;
}


int
tg_backend_map_open(tg_backend_map_t *m, const char *path, tg_error_t *err)
{
    int  rc = TG_AGAIN;

    if (path == NULL) {
        tg_map_init(m);
        rc = tg_map_memory(m, MAP_SHARED | MAP_ANONYMOUS,
                           PROT_READ | PROT_WRITE, err);

        return rc != TG_OK ? rc
               : tg_backends_open(m->table, m->size - TG_MAP_HEAD,
                                  tg_map_boot(), tg_backend_now(), err);
    }

    if (tg_map_path(m, path, err) != TG_OK) {
        return TG_ERROR;
    }

    for (unsigned i = 0; i < TG_MAP_TRIES && rc == TG_AGAIN; i++) {
        rc = tg_map_try(m, err);

        if (rc != TG_OK) {
            tg_backend_map_close(m);
        }
    }

    return rc != TG_AGAIN ? rc
           : tg_error(err, 0, 0, "others keep replacing it");
}


int
tg_backend_map_chown(tg_backend_map_t *m, uid_t uid, gid_t gid,
    tg_error_t *err)
{
    if (m->fd != -1 && fchown(m->fd, uid, gid) == -1) {
        return tg_error(err, errno, 0, "its owner can't be changed: %s",
                        strerror(errno));
    }

    return TG_OK;
}


int
tg_backend_map_inspect(tg_backend_map_t *m, const char *path, bool write,
    tg_error_t *err)
{
    int          rc;
    struct stat  st;

    if (tg_map_path(m, path, err) != TG_OK) {
        return TG_ERROR;
    }

    m->fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);

    if (m->fd == -1) {
        return tg_error(err, errno, 0, "it can't be opened: %s",
                        strerror(errno));
    }

    rc = tg_map_check(m->fd, m->size, &st, err);

    if (rc == TG_AGAIN) {
        rc = tg_error(err, 0, 0, "it is a table of another version");
    }

    if (rc == TG_OK) {
        rc = tg_map_memory(m, MAP_SHARED,
                           write ? PROT_READ | PROT_WRITE : PROT_READ, err);
    }

    if (rc == TG_OK && !tg_backends_made(m->table)) {
        rc = tg_error(err, 0, 0, "nothing is in it yet");
    }

    if (rc != TG_OK) {
        tg_backend_map_close(m);
    }

    return rc;
}


void
tg_backend_map_close(tg_backend_map_t *m)
{
    if (m->table != NULL) {
        munmap((char *) m->table - TG_MAP_HEAD, m->size);
        m->table = NULL;
    }

    if (m->fd != -1) {
        close(m->fd);
        m->fd = -1;
    }
}
