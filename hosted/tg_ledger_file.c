#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_ledger_file.h"
#include "tg_ledger_fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* Bytes that are locked, far beyond any ledger's end. */
#define TG_LEDGER_LOCKS       (INT64_C(1) << 62)
#define TG_LEDGER_LOCK_SETUP  TG_LEDGER_LOCKS

#define TG_LEDGER_NFS         0x6969
#define TG_LEDGER_SMB         0x517b
#define TG_LEDGER_SMB2        0xfe534d42
#define TG_LEDGER_CIFS        0xff534d42

#define TG_LEDGER_BOOT_ID     "/proc/sys/kernel/random/boot_id"


static uint64_t
tg_ledger_clock(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}


static int
tg_ledger_byte(int fd, int64_t byte, short type, int cmd, short *found)
{
    struct flock  fl;

    memset(&fl, 0, sizeof(fl));
    fl.l_type = type;
    fl.l_whence = SEEK_SET;
    fl.l_start = byte;
    fl.l_len = 1;

    if (fcntl(fd, cmd, &fl) == -1) {
        return -1;
    }

    if (found != NULL) {
        *found = fl.l_type;
    }

    return 0;
}


static bool
tg_ledger_owner_dead(void *baton, uint32_t owner)
{
    short              found;
    tg_ledger_file_t  *f = baton;

    /* Where the kernel does not answer, he lives. */
    return tg_ledger_byte(f->lock_fd, TG_LEDGER_LOCKS + owner, F_WRLCK,
                          F_OFD_GETLK, &found) == 0
           && found == F_UNLCK;
}


static bool
tg_ledger_wait(void *baton, uint64_t *since)
{
    uint64_t           now = tg_ledger_clock();
    struct timespec    t = { 0, 50000 };
    tg_ledger_file_t  *f = baton;

    if (*since == 0) {
        *since = now;
    }

    if (now - *since >= f->wait_ms * 1000) {
        return false;
    }

    /* Whoever has it may be waiting for a processor. */
    if (now - *since < 200) {
        sched_yield();
    } else {
        nanosleep(&t, NULL);
    }

    return true;
}


static int
tg_ledger_boot_id(unsigned char boot[16], tg_error_t *err)
{
    int       fd = open(TG_LEDGER_BOOT_ID, O_RDONLY | O_CLOEXEC);
    char      text[64];
    ssize_t   n;
    unsigned  digits = 0, value;

    n = fd == -1 ? -1 : read(fd, text, sizeof(text));

    if (fd != -1) {
        close(fd);
    }

    memset(boot, 0, 16);

    for (ssize_t i = 0; i < n && digits < 32; i++) {
        char  c = tg_lower(text[i]);

        if (c >= '0' && c <= '9') {
            value = (unsigned) (c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = (unsigned) (c - 'a' + 10);
        } else {
            continue;
        }

        value |= (unsigned) boot[digits / 2] << 4;
        boot[digits / 2] = (unsigned char) value;
        digits++;
    }

    if (digits != 32) {
        return tg_error(err, 0, 0, "%s can't be read: without it nobody knows "
                        "whether the machine was started anew",
                        TG_LEDGER_BOOT_ID);
    }

    return TG_OK;
}


/* Only one process at a time makes, opens or repairs the file. */
static int
tg_ledger_setup_lock(int fd, tg_error_t *err)
{
    uint64_t         end = tg_ledger_clock() + TG_LEDGER_SETUP_MS * 1000;
    struct timespec  t = { 0, 2000000 };

    while (tg_ledger_byte(fd, TG_LEDGER_LOCK_SETUP, F_WRLCK, F_OFD_SETLK,
                          NULL) == -1)
    {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            return tg_error(err, errno, 0, "it can't be locked: %s",
                            strerror(errno));
        }

        if (tg_ledger_clock() > end) {
            return tg_error(err, 0, 0, "another process keeps opening it");
        }

        nanosleep(&t, NULL);
    }

    return TG_OK;
}


static int
tg_ledger_map(tg_ledger_file_t *f, int prot, tg_error_t *err)
{
    f->map = mmap(NULL, f->size, prot, MAP_SHARED, f->fd, 0);

    if (f->map == MAP_FAILED) {
        f->map = NULL;
        return tg_error(err, errno, 0, "it can't be mapped: %s",
                        strerror(errno));
    }

    return TG_OK;
}


static int
tg_ledger_is_local(int fd, tg_error_t *err)
{
    uint32_t       type;
    struct statfs  fs;

    if (fstatfs(fd, &fs) == -1) {
        return tg_error(err, errno, 0, "statfs failed: %s", strerror(errno));
    }

    type = (uint32_t) fs.f_type;

    if (type == TG_LEDGER_NFS || type == TG_LEDGER_SMB
        || type == TG_LEDGER_SMB2 || type == TG_LEDGER_CIFS)
    {
        return tg_error(err, 0, 0, "it is on a network file system, where "
                        "neither shared memory nor locks can be trusted");
    }

    return TG_OK;
}


static int
tg_ledger_fill(tg_ledger_file_t *f, tg_error_t *err)
{
    int              rc;
    uint64_t         node = 0;
    unsigned char    seed[16], boot[16];
    struct timespec  t;

    if (tg_ledger_is_local(f->fd, err) != TG_OK
        || tg_ledger_boot_id(boot, err) != TG_OK)
    {
        return TG_ERROR;
    }

    rc = posix_fallocate(f->fd, 0, (off_t) f->size);

    if (rc != 0) {
        return tg_error(err, rc, 0, "its %llu bytes can't be allocated: %s",
                        (unsigned long long) f->size, strerror(rc));
    }

    if (getrandom(seed, sizeof(seed), 0) != (ssize_t) sizeof(seed)
        || (f->fleet
            && getrandom(&node, sizeof(node), 0) != (ssize_t) sizeof(node)))
    {
        return tg_error(err, errno, 0, "no random bytes");
    }

    node = f->fleet ? node % TG_LEDGER_NODE_MAX + 1 : 0;

    if (tg_ledger_map(f, PROT_READ | PROT_WRITE, err) != TG_OK) {
        return TG_ERROR;
    }

    clock_gettime(CLOCK_REALTIME, &t);
    rc = tg_ledger_format_fleet(f->map, f->size, seed, boot,
                                (int64_t) t.tv_sec * 1000
                                + t.tv_nsec / 1000000, node, err);
    munmap(f->map, f->size);
    f->map = NULL;

    if (rc == TG_OK && fsync(f->fd) == -1) {
        rc = tg_error(err, errno, 0, "it can't be written: %s",
                      strerror(errno));
    }

    return rc;
}


/*
 * Under a name that nobody else uses, then linked into place: either the whole
 * file is there or none of it.  Whoever comes second finds the first's.
 */
static int
tg_ledger_make(tg_ledger_file_t *f, tg_error_t *err)
{
    int   rc;
    char  name[sizeof(f->path) + 16];

    snprintf(name, sizeof(name), "%s.XXXXXX", f->path);

    f->fd = mkostemp(name, O_CLOEXEC);
    if (f->fd == -1) {
        return tg_error(err, errno, 0, "it can't be made: %s",
                        strerror(errno));
    }

    rc = tg_ledger_fill(f, err);

    if (rc == TG_OK && link(name, f->path) == -1 && errno != EEXIST) {
        rc = tg_error(err, errno, 0, "it can't be made: %s", strerror(errno));
    }

    (void) unlink(name);
    close(f->fd);
    f->fd = -1;

    return rc;
}


static int
tg_ledger_stat(tg_ledger_file_t *f, tg_error_t *err)
{
    struct stat  st;

    if (fstat(f->fd, &st) == -1) {
        return tg_error(err, errno, 0, "stat failed: %s", strerror(errno));
    }

    if (!S_ISREG(st.st_mode)) {
        return tg_error(err, 0, 0, "it is not a file");
    }

    f->dev = st.st_dev;
    f->ino = st.st_ino;

    if (f->size != 0 && (uint64_t) st.st_size != f->size) {
        return tg_error(err, 0, 0, "it has %lld bytes, not %llu: a ledger's "
                        "size can't be changed, only another file named",
                        (long long) st.st_size, (unsigned long long) f->size);
    }

    f->size = (uint64_t) st.st_size;

    if (f->size < TG_LEDGER_SIZE_MIN || f->size > TG_LEDGER_SIZE_MAX) {
        return tg_error(err, 0, 0, "it is not a ledger");
    }

    return TG_OK;
}


/* It is open; under the setup lock. */
static int
tg_ledger_start(tg_ledger_file_t *f, tg_error_t *err)
{
    unsigned char     boot[16];
    tg_ledger_host_t  host = { tg_ledger_owner_dead, tg_ledger_wait, f };

    if (tg_ledger_stat(f, err) != TG_OK
        || tg_ledger_is_local(f->fd, err) != TG_OK
        || tg_ledger_boot_id(boot, err) != TG_OK
        || tg_ledger_map(f, PROT_READ | PROT_WRITE, err) != TG_OK
        || tg_ledger_attach(&f->ledger, f->map, f->size, &host, err) != TG_OK)
    {
        return TG_ERROR;
    }

    if (tg_ledger_is_fleet(&f->ledger) != f->fleet) {
        return tg_error(err, 0, 0, "it is a ledger %s: name another file",
                        f->fleet ? "of one host alone" : "of a fleet");
    }

    if (memcmp(tg_ledger_boot(&f->ledger), boot, sizeof(boot)) != 0) {
        tg_ledger_reboot(&f->ledger, boot);
    }

    return TG_OK;
}


static int
tg_ledger_file_init(tg_ledger_file_t *f, const char *path, uint64_t size,
    tg_error_t *err)
{
    memset(f, 0, sizeof(*f));
    f->fd = -1;
    f->lock_fd = -1;
    f->size = size & ~UINT64_C(4095);
    f->wait_ms = TG_LEDGER_WAIT_MS;

    if (path[0] != '/' || strlen(path) >= sizeof(f->path)) {
        return tg_error(err, 0, 0, "its name must be absolute, and shorter");
    }

    memcpy(f->path, path, strlen(path) + 1);

    return TG_OK;
}


static int
tg_ledger_file_start(tg_ledger_file_t *f, const char *path, uint64_t size,
    bool fleet, tg_error_t *err)
{
    int  flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

    if (tg_ledger_file_init(f, path, size, err) != TG_OK) {
        return TG_ERROR;
    }

    f->fleet = fleet;

    if (f->size < TG_LEDGER_SIZE_MIN || f->size > TG_LEDGER_SIZE_MAX) {
        return tg_error(err, 0, 0, "a ledger's size is from 256k to 64g");
    }

    f->fd = open(path, flags);

    if (f->fd == -1 && errno == ENOENT) {
        if (tg_ledger_make(f, err) != TG_OK) {
            return TG_ERROR;
        }

        f->fd = open(path, flags);
    }

    if (f->fd == -1) {
        return tg_error(err, errno, 0, "it can't be opened: %s",
                        strerror(errno));
    }

    if (tg_ledger_setup_lock(f->fd, err) != TG_OK
        || tg_ledger_start(f, err) != TG_OK)
    {
        tg_ledger_file_close(f);
        return TG_ERROR;
    }

    (void) tg_ledger_byte(f->fd, TG_LEDGER_LOCK_SETUP, F_UNLCK, F_OFD_SETLK,
                          NULL);

    return TG_OK;
}


int
tg_ledger_file_could(const char *path, tg_error_t *err)
{
    char         folder[sizeof(((tg_ledger_file_t *) NULL)->path)];
    const char  *end = strrchr(path, '/');
    size_t       len = end != NULL ? (size_t) (end - path) + 1 : 0;

    if (len == 0 || len >= sizeof(folder)) {
        return tg_error(err, 0, 0, "its name must be absolute, and shorter");
    }

    memcpy(folder, path, len);
    folder[len] = '\0';

    if (access(folder, W_OK | X_OK) == 0 || errno == EACCES) {
        return TG_OK;
    }

    return tg_error(err, errno, 0, "it can't be made in \"%.100s\": %s", folder,
                    strerror(errno));
}


int
tg_ledger_file_open(tg_ledger_file_t *f, const char *path, uint64_t size,
    tg_error_t *err)
{
    return tg_ledger_file_start(f, path, size, false, err);
}


int
tg_ledger_file_open_fleet(tg_ledger_file_t *f, const char *path, uint64_t size,
    tg_error_t *err)
{
    return tg_ledger_file_start(f, path, size, true, err);
}


int
tg_ledger_file_chown(tg_ledger_file_t *f, uid_t uid, gid_t gid,
    tg_error_t *err)
{
    if (fchown(f->fd, uid, gid) == -1) {
        return tg_error(err, errno, 0, "its owner can't be changed: %s",
                        strerror(errno));
    }

    return TG_OK;
}


int
tg_ledger_file_check(const tg_ledger_file_t *f, tg_error_t *err)
{
    struct stat  st;

    if (stat(f->path, &st) == -1) {
        return tg_error(err, errno, 0, "it is gone: %s", strerror(errno));
    }

    if (st.st_dev != f->dev || st.st_ino != f->ino) {
        return tg_error(err, 0, 0, "another file has taken its place");
    }

    if ((uint64_t) st.st_size != f->size) {
        return tg_error(err, 0, 0, "its size was changed from %llu to %lld",
                        (unsigned long long) f->size, (long long) st.st_size);
    }

    return TG_OK;
}


int
tg_ledger_file_join(tg_ledger_file_t *f, tg_error_t *err)
{
    struct stat  st;

    /* Inherited, it is the parent's: closing it here does not unlock. */
    if (f->lock_fd != -1) {
        close(f->lock_fd);
    }

    f->ledger.me = 0;
    f->lock_fd = open(f->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (f->lock_fd == -1 || fstat(f->lock_fd, &st) == -1) {
        return tg_error(err, errno, 0, "it can't be opened: %s",
                        strerror(errno));
    }

    if (st.st_dev != f->dev || st.st_ino != f->ino) {
        return tg_error(err, 0, 0, "another file has taken its place");
    }

    /* What was cut off is mapped still, and a SIGBUS. */

    if ((uint64_t) st.st_size < f->size) {
        return tg_error(err, 0, 0, "it was cut from %llu to %lld bytes",
                        (unsigned long long) f->size, (long long) st.st_size);
    }

    for (uint32_t i = 1; i <= TG_LEDGER_OWNERS_MAX; i++) {
        if (tg_ledger_byte(f->lock_fd, TG_LEDGER_LOCKS + i, F_WRLCK,
                           F_OFD_SETLK, NULL) == 0)
        {
            (void) tg_ledger_claim(&f->ledger, i);
            return TG_OK;
        }

        if (errno != EAGAIN && errno != EACCES) {
            return tg_error(err, errno, 0, "it can't be locked: %s",
                            strerror(errno));
        }
    }

    return tg_error(err, 0, 0, "it has %d owners already",
                    TG_LEDGER_OWNERS_MAX);
}


static bool
tg_ledger_file_joined(const tg_ledger_file_t *f)
{
    struct flock  fl;

    memset(&fl, 0, sizeof(fl));
    fl.l_type = F_WRLCK;
    fl.l_whence = SEEK_SET;
    fl.l_start = TG_LEDGER_LOCKS + 1;
    fl.l_len = TG_LEDGER_OWNERS_MAX;

    return fcntl(f->fd, F_OFD_GETLK, &fl) == -1 || fl.l_type != F_UNLCK;
}


int
tg_ledger_file_sound(tg_ledger_file_t *f, tg_ledger_report_t *r,
    tg_error_t *err)
{
    int          rc;
    tg_arena_t  *arena;

    if (f->size > TG_LEDGER_LOOK_MAX || tg_ledger_file_joined(f)) {
        return TG_AGAIN;
    }

    /* As an owner: what one who died has begun is finished first. */

    if (tg_ledger_file_join(f, err) != TG_OK) {
        return TG_ERROR;
    }

    arena = tg_arena_create(0);
    rc = arena == NULL ? TG_ERROR
         : tg_ledger_check(&f->ledger, tg_arena_mem(arena), r);
    tg_arena_destroy(arena);

    close(f->lock_fd);
    f->lock_fd = -1;
    f->ledger.me = 0;

    return rc == TG_LEDGER_OK ? TG_OK : rc == TG_LEDGER_BUSY ? TG_AGAIN
           : tg_error(err, 0, 0, "no memory");
}


int
tg_ledger_file_inspect(tg_ledger_file_t *f, const char *path,
    tg_error_t *err)
{
    if (tg_ledger_file_init(f, path, 0, err) != TG_OK) {
        return TG_ERROR;
    }

    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (f->fd == -1) {
        return tg_error(err, errno, 0, "it can't be opened: %s",
                        strerror(errno));
    }

    if (tg_ledger_stat(f, err) != TG_OK
        || tg_ledger_map(f, PROT_READ, err) != TG_OK
        || tg_ledger_attach(&f->ledger, f->map, f->size, NULL, err) != TG_OK)
    {
        tg_ledger_file_close(f);
        return TG_ERROR;
    }

    return TG_OK;
}


void
tg_ledger_file_flush(tg_ledger_file_t *f)
{
    (void) sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}


void
tg_ledger_file_close(tg_ledger_file_t *f)
{
    f->ledger.me = 0;

    if (f->map != NULL) {
        munmap(f->map, f->size);
        f->map = NULL;
    }

    if (f->lock_fd != -1) {
        close(f->lock_fd);
        f->lock_fd = -1;
    }

    if (f->fd != -1) {
        close(f->fd);
        f->fd = -1;
    }
}
