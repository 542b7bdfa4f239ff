#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tg_alert_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Bytes that are locked, far beyond the file's end. */
#define TG_ALERT_LOCKS  (INT64_C(1) << 62)

/* Room for the sender to find it too large and to shorten it. */
#define TG_ALERT_SPOOL_FULL  (2 * TG_ALERT_SPOOL_MAX)

#define TG_ALERT_OPEN  (O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)


static int
tg_alert_set_lock(int fd, int which, short type)
{
    struct flock  fl;

    memset(&fl, 0, sizeof(fl));
    fl.l_type = type;
    fl.l_whence = SEEK_SET;
    fl.l_start = TG_ALERT_LOCKS + which;
    fl.l_len = 1;

    return fcntl(fd, F_OFD_SETLK, &fl);
}


int
tg_alert_file_lock(int fd, int which, int wait_ms)
{
    int64_t          left = (int64_t) wait_ms * 1000;
    struct timespec  t = { 0, 100000 };

    while (tg_alert_set_lock(fd, which, F_WRLCK) == -1) {

        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            return TG_ERROR;
        }

        if (left <= 0) {
            return TG_AGAIN;
        }

        nanosleep(&t, NULL);
        left -= t.tv_nsec / 1000;
    }

    return TG_OK;
}


void
tg_alert_file_unlock(int fd, int which)
{
    (void) tg_alert_set_lock(fd, which, F_UNLCK);
}


static int
tg_alert_spool_name(char *path, size_t size, const char *ledger,
    tg_error_t *err)
{
    int  n = snprintf(path, size, "%s%s", ledger, TG_ALERT_SPOOL_SUFFIX);

    return n > 0 && (size_t) n < size && ledger[0] == '/' ? TG_OK
           : tg_error(err, 0, 0, "its name must be absolute, and shorter");
}


static int
tg_alert_spool_is_ours(int fd, tg_error_t *err)
{
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        return tg_error(err, errno, 0, "stat failed: %s", strerror(errno));
    }

    if (!S_ISREG(st.st_mode)) {
        return tg_error(err, 0, 0, "it is not a file");
    }

    if (st.st_mode & (S_IRWXG | S_IRWXO)) {
        return tg_error(err, 0, 0, "others than its owner have rights to it");
    }

    return TG_OK;
}


int
tg_alert_spool_make(const char *ledger, uid_t uid, gid_t gid, tg_error_t *err)
{
    int   fd, rc;
    char  path[4096];

    if (tg_alert_spool_name(path, sizeof(path), ledger, err) != TG_OK) {
        return TG_ERROR;
    }

    fd = open(path, TG_ALERT_OPEN | O_CREAT, 0600);
    if (fd == -1) {
        return tg_error(err, errno, 0, "%s can't be opened: %s", path,
                        strerror(errno));
    }

    rc = tg_alert_spool_is_ours(fd, err);

    if (rc == TG_OK && fchown(fd, uid, gid) == -1) {
        rc = tg_error(err, errno, 0, "its owner can't be changed: %s",
                      strerror(errno));
    }

    close(fd);

    return rc;
}


static int
tg_alert_spool_reopen(tg_alert_spool_t *spool, tg_error_t *err)
{
    if (spool->fd != -1) {
        close(spool->fd);
    }

    spool->fd = open(spool->path, TG_ALERT_OPEN | O_CREAT, 0600);
    if (spool->fd == -1) {
        return tg_error(err, errno, 0, "%s can't be opened: %s", spool->path,
                        strerror(errno));
    }

    if (tg_alert_spool_is_ours(spool->fd, err) != TG_OK) {
        close(spool->fd);
        spool->fd = -1;
        return TG_ERROR;
    }

    return TG_OK;
}


int
tg_alert_spool_open(tg_alert_spool_t *spool, const char *ledger,
    tg_error_t *err)
{
    memset(spool, 0, sizeof(*spool));
    spool->fd = -1;

    if (tg_alert_spool_name(spool->path, sizeof(spool->path), ledger, err)
        != TG_OK)
    {
        spool->path[0] = '\0';
        return TG_ERROR;
    }

    if (tg_alert_spool_reopen(spool, err) != TG_OK) {
        spool->path[0] = '\0';
        return TG_ERROR;
    }

    (void) pthread_mutex_init(&spool->mutex, NULL);

    return TG_OK;
}


void
tg_alert_spool_close(tg_alert_spool_t *spool)
{
    if (spool->path[0] == '\0') {
        return;
    }

    if (spool->fd != -1) {
        close(spool->fd);
    }

    (void) pthread_mutex_destroy(&spool->mutex);
    spool->path[0] = '\0';
    spool->fd = -1;
}


/* Whether the name still leads to the file that is open. */
static bool
tg_alert_spool_in_place(const tg_alert_spool_t *spool)
{
    struct stat  here, there;

    return spool->fd != -1 && fstat(spool->fd, &here) == 0
           && stat(spool->path, &there) == 0 && here.st_dev == there.st_dev
           && here.st_ino == there.st_ino;
}


/* Under the lock. A line that another was killed in the midst of is ended. */
static int
tg_alert_spool_append(tg_alert_spool_t *spool, char *line, size_t n,
    tg_error_t *err)
{
    char         last = '\n';
    ssize_t      written;
    struct stat  st;

    if (fstat(spool->fd, &st) == -1) {
        return tg_error(err, errno, 0, "stat failed: %s", strerror(errno));
    }

    if (st.st_size + (off_t) n > TG_ALERT_SPOOL_FULL) {
        return tg_error(err, 0, 0, "%s is full: nobody sends what is in it",
                        spool->path);
    }

    if (st.st_size > 0 && pread(spool->fd, &last, 1, st.st_size - 1) == 1
        && last != '\n')
    {
        line--;                     /* see tg_alert_spool_add() */
        n++;
    }

    do {
        written = write(spool->fd, line, n);
    } while (written == -1 && errno == EINTR);

    if (written == (ssize_t) n) {
        return TG_OK;
    }

    /* Nobody else has written behind it. */
    if (written > 0) {
        errno = ENOSPC;
        (void) !ftruncate(spool->fd, st.st_size);
    }

    return tg_error(err, errno, 0, "%s can't be written: %s", spool->path,
                    strerror(errno));
}


int
tg_alert_spool_add(tg_alert_spool_t *spool, const tg_alert_record_t *rec,
    tg_error_t *err)
{
    int     rc;
    char    buf[1 + TG_ALERT_RECORD_MAX];
    size_t  n = tg_alert_record_write(rec, buf + 1);

    if (n == 0) {
        return tg_error(err, 0, 0, "an alert is too long");
    }

    buf[0] = '\n';

    (void) pthread_mutex_lock(&spool->mutex);

    if (!tg_alert_spool_in_place(spool)
        && tg_alert_spool_reopen(spool, err) != TG_OK)
    {
        rc = TG_ERROR;

    } else if (tg_alert_file_lock(spool->fd, TG_ALERT_LOCK_WRITE,
                                  TG_ALERT_LOCK_MS)
               != TG_OK)
    {
        rc = tg_error(err, 0, 0, "%s is locked by another", spool->path);

    } else {
        rc = tg_alert_spool_append(spool, buf + 1, n, err);
        tg_alert_file_unlock(spool->fd, TG_ALERT_LOCK_WRITE);
    }

    (void) pthread_mutex_unlock(&spool->mutex);

    return rc;
}


int
tg_alert_spool_fire(tg_alert_spool_t *spool, const tg_conf_alerts_t *targets,
    const tg_alert_t *alert, tg_error_t *err)
{
    char               body[TG_ALERT_BODY_MAX];
    tg_alert_record_t  rec;

    memset(&rec, 0, sizeof(rec));

    for (unsigned i = 0; i < targets->n; i++) {
        if (tg_conf_alert_wants(&targets->list[i], tg_alert_quota(alert))) {
            memcpy(rec.to[rec.n++], targets->list[i].id, TG_ALERT_TARGET_LEN);
        }
    }

    if (rec.n == 0) {
        return TG_OK;
    }

    memcpy(rec.id, alert->id, sizeof(rec.id));
    rec.at = alert->time;
    rec.body = tg_str_of(body, tg_alert_body(alert, body));

    return tg_alert_spool_add(spool, &rec, err);
}
